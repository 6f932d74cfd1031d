/**
 * Values in the form of `systemctl show`, as far as that does not depend on the reader: times stay numbers (µs, as
 * D-Bus has them: `…Timestamp` since 1970, `…TimestampMonotonic` since boot, `…USec` spans), and sctl makes dates and
 * spans of them by the name's ending.
 */
import { signalName } from '../../units/syntax/signal.ts';
import type { Command, Span } from '../../units/types.ts';
import type { CommandRecord, Stamp } from '../manager.ts';

export type Properties = Record<string, string>;

export const yesNo = (value: boolean): string => (value ? 'yes' : 'no');

/** A span in ms as µs. */
export const spanUs = (span: Span): string => (span === 'infinity' ? 'infinity' : String(Math.round(span * 1000)));

/** A count that may not be known. */
export const count = (value: number | undefined): string => (value === undefined ? '[not set]' : String(value));

/** Words that can be read back by a shell: quoted when they hold white space, quotes or backslashes. */
export const quoted = (words: readonly string[]): string =>
  words.map((word) => (word !== '' && !/[\s"'\\]/.test(word) ? word : JSON.stringify(word))).join(' ');

/** `NAME` and `NAMEMonotonic`; 0: never. */
export function stamps(into: Properties, name: string, stamp: Stamp | undefined): void {
  into[name] = String(stamp?.realUs ?? 0);
  into[`${name}Monotonic`] = String(stamp?.monotonicUs ?? 0);
}

/** One command of Exec…=, with how it went. */
export function commandText(command: Command, record: CommandRecord | undefined): string {
  const exit = record?.exit;
  const fields = [
    `path=${command.path}`,
    `argv[]=${command.argv.join(' ')}`,
    `ignore_errors=${yesNo(command.ignoreFailure)}`,
    `start_time=[${record?.started === undefined ? 'n/a' : `@${record.started.realUs}`}]`,
    `stop_time=[${record?.ended === undefined ? 'n/a' : `@${record.ended.realUs}`}]`,
    `pid=${record?.pid ?? 0}`,
    `code=${exit === undefined ? '(null)' : exit.code}`,
    `status=${exit === undefined ? '0/0' : exit.code === 'exited' ? exit.status : `${exit.status}/${signalName(exit.status).replace(/^SIG/, '')}`}`,
  ];
  return `{ ${fields.join(' ; ')} }`;
}
