/** What the words about names and numbers share: options and columns. */
import type { Command } from 'commander';
import { defineCommon } from './offline.ts';

/** Options of words that answer with a table. */
export function defineLookup(command: Command): Command {
  return defineCommon(command).option('--no-legend', 'no header');
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
