/** analyze exit-status: exit statuses by name, number and who defines them (systemd-analyze(1), systemd.exec(5)). */
import type { Command } from 'commander';
import { parseInteger } from '../../../units/syntax/scalar.ts';
import { EXIT_STATUSES } from '../../../units/syntax/signal.ts';
import type { Call } from '../../command.ts';
import { CliError } from '../../context.ts';
import { answer, wordsOf } from './offline.ts';
import { columns, defineLookup } from './words.ts';

export function define(command: Command): void {
  defineLookup(command);
}

interface Shown {
  /** null: a status that nobody defines. */
  readonly name: string | null;
  readonly status: number;
  readonly class: string | null;
}

const shownOf = ([name, status, set]: (typeof EXIT_STATUSES)[number]): Shown => ({ name, status, class: set });

function find(word: string): Shown {
  const status = parseInteger(word, 0, 255);
  const row = EXIT_STATUSES.find(([name, number]) => (status === undefined ? name === word : number === status));
  if (row !== undefined) return shownOf(row);
  if (status === undefined) throw new CliError(`Invalid exit status "${word}".`);
  return { name: null, status, class: null };
}

export async function run(call: Call): Promise<number> {
  const words = await wordsOf(call);
  const shown = words.length === 0 ? EXIT_STATUSES.map(shownOf) : words.map(find);
  answer(call, shown, () =>
    columns(
      ['NAME', 'STATUS', 'CLASS'],
      shown.map(({ name, status, class: set }) => [name ?? '-', String(status), set ?? '-']),
      new Set([1]),
      call.options.legend !== false,
    ),
  );
  return 0;
}
