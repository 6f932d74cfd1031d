/**
 * What a person at a terminal sees while a command waits for its jobs: which run, which wait, and for what.
 *
 * Drawn on standard error after a second, drawn again twice a second, and removed at the end, so that nothing of it stays; nothing
 * at all where standard error or output is no terminal. It asks over a connection of its own, since the command's waits for its answer.
 */
import { counted } from '../units/counted.ts';
import type { Client } from './client.ts';
import { createClient } from './client.ts';
import type { Call } from './command.ts';
import { CliError } from './context.ts';
import { spanText } from './output/time.ts';
import type { Job } from './wire.ts';

const FIRST_MS = 1000;
const EVERY_MS = 500;
/** Jobs that are named. */
const LINES_MAX = 8;

/** The block for these jobs, no line longer than the terminal; `own`: units that were asked for, which come first. */
export function progressBlock(
  jobs: readonly Job[],
  own: ReadonlySet<string>,
  nowUs: number,
  columns: number,
): string[] {
  if (jobs.length === 0) return [];
  const running = jobs.filter(({ state }) => state === 'running').length;
  const sorted = [...jobs].sort((a, b) => rank(a, own) - rank(b, own) || a.id - b.id);
  const width = Math.max(...sorted.slice(0, LINES_MAX).map(({ unit, type }) => unit.length + type.length + 1));
  const line = ({ unit, type, state, started, created, waits }: Job): string => {
    const since = spanText(Math.max(0, nowUs - (started ?? created).monotonicUs), 1_000_000);
    const others = waits.flatMap(({ job, unit: other }) => (job && other ? [`${other} (job ${job})`] : []));
    // The line names the unit already.
    const told = waits[0]?.why.replace(`${unit} `, '') ?? '';
    const why = others.length > 0 ? `waits for ${others.join(', ')}` : told || (state === 'running' ? 'runs' : 'waits');
    return `  ${`${type} ${unit}`.padEnd(width)}  ${since.padStart(8)}  ${why}`;
  };
  const head = `${counted(jobs.length, 'job')}: ${running} running, ${jobs.length - running} waiting`;
  const more =
    sorted.length > LINES_MAX ? [`  … and ${sorted.length - LINES_MAX} more; sctl list-jobs names them`] : [];
  return [head, ...sorted.slice(0, LINES_MAX).map(line), ...more].map((text) => cut(text, columns));
}

const rank = (job: Job, own: ReadonlySet<string>): number => (own.has(job.unit) ? 0 : job.state === 'running' ? 1 : 2);

const cut = (text: string, columns: number): string =>
  text.length > columns ? `${text.slice(0, Math.max(0, columns - 1))}…` : text;

/** From the start of the block before to a clean screen below it. */
const erase = (lines: number): string => (lines === 0 ? '' : `\u001b[${lines}F\u001b[J`);

export interface Progress {
  /** Remove it, at once; resolves when nothing more will be drawn, to whether there was something to remove. */
  end(): Promise<boolean>;
}

const NONE: Progress = { end: async () => false };

const anotherClient = ({ context, client }: Call): Client => createClient(context, client.path, true);

/** Begin to show; does nothing where there is no terminal, or with --quiet, --no-block or JSON. */
export function showProgress(
  call: Call,
  units: readonly string[],
  another: () => Client = () => anotherClient(call),
): Progress {
  const { context } = call;
  if (!context.terminal || context.errorTerminal === false || call.quiet || call.json || context.env['TERM'] === 'dumb')
    return NONE;
  const own = new Set(units);
  let over = false;
  let drawn = 0;
  let wake = () => {};
  const ended = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const run = async (): Promise<void> => {
    await Promise.race([context.pause(FIRST_MS), ended]);
    if (over) return;
    const client = another();
    try {
      while (!over) {
        const { jobs } = await client.call<{ jobs: Job[] }>('io.sysmaster.Jobs.List');
        if (over) break;
        const block = progressBlock(jobs, own, context.monotonicUs(), context.columns);
        context.err(`${erase(drawn)}${block.map((line) => `${line}\n`).join('')}`);
        drawn = block.length;
        await Promise.race([context.pause(EVERY_MS), ended]);
      }
    } catch (error) {
      // The command itself says what is wrong with core; this is only for show.
      if (!(error instanceof CliError)) throw error;
    } finally {
      client.close();
    }
  };
  const running = run();
  return {
    async end() {
      over = true;
      wake();
      const shown = drawn;
      drawn = 0;
      if (shown > 0) context.err(erase(shown));
      await running;
      return shown > 0;
    },
  };
}

/** How long core may take to say what goes on, to somebody who leaves. */
const LOOK_MS = 300;
/** Jobs that are named to whoever interrupts. */
const NAMED_MAX = 8;

/** What goes on although nobody waits for it any more, and how to see and to end it; `jobs` undefined: core does not say. */
export function interruptWords(name: string, jobs: readonly Job[] | undefined, units: readonly string[]): string {
  if (jobs === undefined)
    return `Interrupted; what was asked for goes on in the background: ${name} list-jobs shows it, ${name} cancel JOB cancels it.`;
  const own = units.length === 0 ? jobs : jobs.filter(({ unit }) => units.includes(unit));
  if (own.length === 0) return 'Interrupted; none of its jobs is left.';
  const told = own.slice(0, NAMED_MAX).map(({ id, type, unit }) => `job ${id} (${type} ${unit})`);
  const more = own.length > NAMED_MAX ? ` and ${own.length - NAMED_MAX} more` : '';
  const ids = own.slice(0, NAMED_MAX).map(({ id }) => id);
  const one = own.length === 1;
  return [
    `Interrupted; ${told.join(', ')}${more} ${one ? 'goes' : 'go'} on in the background.`,
    `See ${one ? 'it' : 'them'}: ${name} list-jobs; ${name} why ${ids[0]}. Cancel ${one ? 'it' : 'them'}: ${name} cancel ${ids.join(' ')}${more === '' ? '' : ' …'}.`,
  ].join('\n');
}

/** Wait for `work`, which is over when jobs of these units are (none: it is not known which), and let a person see what goes on, or leave. */
export async function whileWaiting<T>(call: Call, units: readonly string[], work: () => Promise<T>): Promise<T> {
  const { context } = call;
  const progress = showProgress(call, units);
  const off = context.onInterrupt?.(async () => {
    // What the terminal has echoed of the key goes with the block; without one it stays, on a line of its own.
    const removed = progress.end();
    const client = anotherClient(call);
    const asked = client.call<{ jobs: Job[] }>('io.sysmaster.Jobs.List').then(
      (answer) => answer.jobs,
      () => undefined,
    );
    // A core that is busy is not waited for: whoever interrupts wants to leave.
    const jobs = await Promise.race([asked, context.pause(LOOK_MS).then(() => undefined)]);
    const line = context.errorTerminal === true && !(await removed) ? '\n' : '';
    if (!call.quiet) context.err(`${line}${interruptWords(context.name, jobs, units)}\n`);
  });
  try {
    return await work();
  } finally {
    off?.();
    await progress.end();
  }
}
