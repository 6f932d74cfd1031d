/** What the words about names and numbers share: the words asked about, columns, and the options. */
import type { Command } from 'commander';
import type { Call } from '../../command.ts';

/** Options of words that only look something up; `--json` is systemd-analyze's name for --output. */
export function defineLookup(command: Command): Command {
  return command
    .option('-o, --output <form>', 'text, json or json-pretty')
    .option('--json <mode>', 'pretty, short or off')
    .option('-q, --quiet', 'say less')
    .option('--no-legend', 'no header')
    .option('--no-pager', 'there is none')
    .option('--system', 'as always');
}

/** The arguments, or the lines of standard input where `-` is the only one. */
export async function wordsOf(call: Call): Promise<readonly string[]> {
  if (call.args.length !== 1 || call.args[0] !== '-') return call.args;
  const lines = (await call.context.input()).split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** Print data, or text where no JSON is wanted by either of its two options. */
export function answer(call: Call, data: unknown, text: () => readonly string[]): void {
  const mode = call.options['json'];
  if (mode === 'pretty') call.context.out(`${JSON.stringify(data, undefined, 2)}\n`);
  else if (mode === 'short') call.context.out(`${JSON.stringify(data)}\n`);
  else call.print(data, text);
}

/** Columns with a header: numbers stand right, the last column is not padded. */
export function columns(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  right: ReadonlySet<number>,
  legend: boolean,
): string[] {
  const all = legend ? [header, ...rows] : rows;
  const widths = header.map((_, index) => Math.max(0, ...all.map((row) => (row[index] ?? '').length)));
  return all.map((row) =>
    row
      .map((cell, index) => {
        if (right.has(index)) return cell.padStart(widths[index] ?? 0);
        return index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0);
      })
      .join(' '),
  );
}
