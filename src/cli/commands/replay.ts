/** replay: the steps of a recording, run again by the machines of this sctl. */
import { createReadStream } from 'node:fs';
import type { Command } from 'commander';
import { isGlob } from '../../api/glob.ts';
import type { Difference, Recording, Replayed } from '../../replay.ts';
import { mangleName } from '../../units/names.ts';
import type { Call } from '../command.ts';
import { CliError, type Person } from '../context.ts';
import { dateText } from '../output/time.ts';
import { programVersion } from './version.ts';

/** A larger file is none that core or sctl has written. */
const FILE_MAX = 64 << 20;
/** Actors that are named where none of those asked for is there. */
const ACTORS = 20;
/** Characters of an event or an effect on a line of a pipe. */
const WORDS = 200;

export function define(command: Command): void {
  command
    .option('--step', 'ask after each step how to go on, at a terminal')
    .option('-m, --machine <file...>', 'the file of a machine plugin that units in it follow')
    .option('-a, --all', 'steps as well of a core that kept too little to run them again')
    .option('-l, --full', 'do not cut lines')
    .option('-o, --output <form>', 'text, json or json-pretty')
    .option('-q, --quiet', 'differences only');
}

async function read(call: Call, path: string): Promise<string> {
  if (path === '-') return await call.context.input();
  try {
    const pieces: Buffer[] = [];
    let length = 0;
    // A pipe is waited for (a recording may come out of another program), and what has no end is given up.
    for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) {
      length += piece.length;
      if (length > FILE_MAX) throw new CliError(`${path}: too large for a recording`);
      pieces.push(piece);
    }
    return Buffer.concat(pieces).toString('utf8');
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code;
    throw new CliError(
      `${path}: ${code === 'ENOENT' ? 'there is no such file' : `cannot be read (${code})`}`,
      1,
      cause,
    );
  }
}

/** Nested keys with dots, parallel ones with +; a value that is not a state is shown as JSON. */
export function stateText(value: unknown): string {
  if (value === undefined) return '-';
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return JSON.stringify(value);
  const parts = Object.entries(value).map(([key, below]) =>
    typeof below === 'object' && below !== null && Object.keys(below).length === 0 ? key : `${key}.${stateText(below)}`,
  );
  return parts.join(' + ');
}

const words = (value: unknown, max: number): string => {
  const text = value === undefined ? '' : (JSON.stringify(value) ?? '');
  return text.length > max ? `${text.slice(0, Math.max(0, max - 1))}…` : text;
};

const differenceText = ({ at, recorded, here }: Difference): string =>
  `${at}: recorded ${recorded === undefined ? 'nothing' : words(recorded, WORDS)}, here ${here === undefined ? 'nothing' : words(here, WORDS)}`;

function stepLines(
  { step, before, after, outcome, why, differences }: Replayed,
  call: Call,
  firstMs: number,
): string[] {
  const { style, options } = call;
  const max = options.full === true ? Number.POSITIVE_INFINITY : Math.min(WORDS, call.columns - 10);
  const at = `#${step.seq} ${((step.atMs - firstMs) / 1000).toFixed(3).padStart(8)} s`;
  const moved =
    step.input !== undefined
      ? `starts: ${style.green(stateText(after))}`
      : outcome === 'skipped' && before === undefined && after === undefined
        ? ''
        : stateText(before) === stateText(after)
          ? `stays ${stateText(after)}`
          : `${stateText(before)} → ${style.green(stateText(after))}`;
  const { type: _, atMs: __, ...fields } = (step.event ?? {}) as Record<string, unknown>;
  const event = step.input !== undefined ? '' : Object.keys(fields).length === 0 ? '' : ` ${words(fields, max)}`;
  const threw = step.threw === undefined ? [] : [`       ${style.red(`threw: ${step.threw}`)}`];
  return [
    `${style.grey(at)}  ${style.bold(step.actor)}  ${step.type}${event}`.trimEnd(),
    ...(moved === '' ? [] : [`       ${moved}`]),
    ...threw,
    ...(step.effects ?? []).map(({ type, params }) =>
      `       ${style.grey('effect')} ${type} ${words(params, max)}`.trimEnd(),
    ),
    ...(outcome === 'skipped' ? [`       ${style.grey(`not run again: ${why}`)}`] : []),
    ...differences.map((difference) => `       ${style.red('differs')} ${differenceText(difference)}`),
  ];
}

function headLines(recording: Recording, notes: readonly string[], call: Call): string[] {
  const { style } = call;
  const { version, realMs, reasons, steps, dropped } = recording;
  const here = programVersion();
  return [
    `${style.bold('recorded')} by ${version}, ${dateText(realMs * 1000)}: ${steps.length} steps${dropped > 0 ? `, ${dropped} before them are not kept` : ''}`,
    ...(version === here ? [] : [`run again by ${here}: differences may be those between the two`]),
    ...notes.map((note) => `${style.red('machine')} ${note}`),
    ...reasons.map(({ what, actor, why }) => `${style.red(what)}${actor === '' ? '' : ` ${actor}`}: ${why}`),
    '',
  ];
}

/** How to go on after a step. */
type Pace = 'step' | 'difference' | 'all' | 'end';
const PACES: Readonly<Record<string, Pace>> = { '': 'step', d: 'difference', c: 'all', q: 'end' };
const PROMPT = 'Enter: next step, d: to the next difference, c: all the rest, q: end ';

/** Nobody there any more is an end. */
async function askPace(person: Person, prompt: string): Promise<Pace> {
  for (;;) {
    const line = await person.ask(prompt);
    const pace = line === undefined ? 'end' : PACES[line.trim()];
    if (pace !== undefined) return pace;
  }
}

/** `unit:a.service`, `a.service` or `a` for one actor; none: all. */
function wanted(args: readonly string[]): (actor: string) => boolean {
  const pattern = args.find(isGlob);
  if (pattern !== undefined) throw new CliError(`${pattern}: patterns are not taken here; name actors or units`);
  const names = new Set(args.flatMap((word) => [word, `unit:${mangleName(word) ?? word}`]));
  return (actor) => names.size === 0 || names.has(actor);
}

const asData = ({ step, before, after, outcome, why, differences }: Replayed) => {
  const { seq, atMs, actor, kind, type, event, input, effects, threw } = step;
  return { seq, atMs, actor, kind, type, event, input, before, after, effects, threw, outcome, why, differences };
};

export async function run(call: Call): Promise<number> {
  const { args, options, context, style, quiet } = call;
  const path = args[0] ?? '';
  const { chartsNeeded, recordingOf, replay } = await import('../../replay.ts');
  let recording: Recording;
  const text = await read(call, path);
  try {
    recording = recordingOf(text);
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(`${path}: ${(error as Error).message}`, 1, error);
  }
  const shows = wanted(args.slice(1));
  const actors = [...new Set(recording.steps.map(({ actor }) => actor))].sort();
  if (actors.length > 0 && !actors.some(shows)) {
    const known = actors.map((actor) => actor.replace(/^unit:/, ''));
    const more = known.length > ACTORS ? ` and ${known.length - ACTORS} more` : '';
    throw new CliError(
      `${path}: nothing of ${args.slice(1).join(', ')} is in it; it tells of ${known.slice(0, ACTORS).join(', ')}${more}`,
    );
  }
  const { chartsFor } = await import('./replay-charts.ts');
  const { charts, notes } = chartsFor(chartsNeeded(recording), (options['machine'] as string[] | undefined) ?? []);
  const all = options.all === true;
  const out = (lines: readonly string[]) => {
    if (!call.json && lines.length > 0) context.out(`${lines.join('\n')}\n`);
  };
  const person = options['step'] === true && !call.json ? await context.person?.() : undefined;
  let pace: Pace = person === undefined ? 'all' : 'step';
  const shown: Replayed[] = [];
  const count = { same: 0, different: 0, skipped: 0 };
  const firstMs = recording.steps[0]?.atMs ?? 0;
  if (!quiet) out(headLines(recording, notes, call));
  try {
    for (const replayed of replay(recording, charts)) {
      if (!shows(replayed.step.actor)) continue;
      count[replayed.outcome] += 1;
      if (call.json) shown.push(replayed);
      else if (
        replayed.outcome === 'different' ||
        (!quiet && (all || replayed.outcome === 'same' || replayed.step.blind !== true))
      ) {
        out(stepLines(replayed, call, firstMs));
        if (person === undefined || pace === 'all' || (pace === 'difference' && replayed.outcome !== 'different'))
          continue;
        pace = await askPace(person, style.grey(PROMPT));
        if (pace === 'end') break;
      }
    }
  } finally {
    person?.done();
  }
  const { version, reasons } = recording;
  if (call.json) {
    const data = { version, here: programVersion(), reasons, notes, ...count, steps: shown.map(asData) };
    call.print(data, () => []);
  } else if (!quiet || count.different > 0) {
    const verdict = count.different === 0 ? style.green('no difference') : style.red(`${count.different} differ`);
    out(['', `${count.same + count.different} steps run again, ${count.skipped} not: ${verdict}`]);
  }
  return count.different === 0 ? 0 : 1;
}
