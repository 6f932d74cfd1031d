/** What the words about time share: where zones come from, one text a line on standard input, rows, errors and hints. */
import { basename } from 'node:path';
import type { Command } from 'commander';
import { parseSpanExact } from '../../../units/syntax/timespan.ts';
import { parseCalendar } from '../../../units/time/calendar.ts';
import type { TimeFault } from '../../../units/time/fault.ts';
import { parseMoment } from '../../../units/time/timestamp.ts';
import type { Zones } from '../../../units/time/zones.ts';
import type { Call } from '../../command.ts';
import { CliError } from '../../context.ts';
import { widthOf } from '../../output/table.ts';
import { localZones } from '../../output/time.ts';

const ERRNO_WORDS = {
  EINVAL: 'Invalid argument',
  ERANGE: 'Numerical result out of range',
  ENOBUFS: 'No buffer space available',
} as const;

/** Options of every word about time. */
export function defineTimes(command: Command): Command {
  return command
    .option('-o, --output <form>', 'text, json or json-pretty')
    .option('-q, --quiet', 'no hints')
    .option('--no-pager', 'there is none')
    .option('--system', 'as always');
}

/** The zones of this machine, with the environment's TZ. */
export const zonesFor = (call: Call): Zones => localZones(call.context.env['TZ']);

/** CLOCK_REALTIME in µs. */
export const nowFor = (call: Call): bigint => BigInt(Math.floor(call.context.nowUs()));

/** The arguments, or the lines of standard input where `-` is the only one. */
export async function texts(call: Call): Promise<readonly string[]> {
  if (call.args.length === 0) throw new CliError('Too few arguments.');
  if (call.args.length > 1 || call.args[0] !== '-') return call.args;
  const lines = (await call.context.input()).split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** Called as systemd-analyze, its own output alone is given: scripts compare it. */
const itself = (call: Call): boolean => basename(call.context.name) === 'systemd-analyze';

/** Two columns, the names right-aligned. A value that is filled up to its column's width loses its blanks at the end, as there. */
export function rows(pairs: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...pairs.map(([name]) => name.length));
  const values = Math.max(...pairs.map(([, value]) => widthOf(value)));
  return pairs.map(([name, value]) => {
    const shown = widthOf(value) < values ? value.replace(/[ \t\n\r]+$/, '') : value;
    return `${name.padStart(width)} ${shown}`;
  });
}

export type Kind = 'calendar' | 'timestamp' | 'timespan';

/** Say on standard error that a text was not understood, why, and what it could be instead. `line` is systemd's sentence. */
export function refuse(call: Call, zones: Zones, text: string, line: string, { fault }: TimeFault, asked: Kind): void {
  const { context } = call;
  context.err(`${line}: ${ERRNO_WORDS[fault.errno]}\n`);
  if (call.quiet && !itself(call)) return;
  const readers: Readonly<Record<Kind, () => object>> = {
    calendar: () => parseCalendar(text, zones),
    timestamp: () => parseMoment(text, nowFor(call), zones),
    timespan: () => parseSpanExact(text, 1_000_000),
  };
  const others = (Object.keys(readers) as Kind[]).filter((kind) => kind !== asked && !('fault' in readers[kind]()));
  const program = itself(call) ? 'systemd-analyze' : `${context.name} analyze`;
  for (const kind of others)
    context.err(
      `Hint: this expression is a valid ${kind === 'calendar' ? 'calendar specification' : kind}. Use '${program} ${kind} "${text}"' instead?\n`,
    );
  if (!itself(call)) context.err(`At character ${fault.offset + 1}: ${fault.why}; ${fault.todo}\n`);
}

/** The same, as data. */
export const refusalOf = (text: string, { fault }: TimeFault): object => ({
  original: text,
  error: { errno: fault.errno, at: fault.offset, why: fault.why, todo: fault.todo },
});

/** Each text's lines with an empty one between them, as systemd-analyze prints them. */
export function between(blocks: readonly (readonly string[])[]): string[] {
  return blocks.flatMap((block, index) => (index < blocks.length - 1 ? [...block, ''] : block));
}
