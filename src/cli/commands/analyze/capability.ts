/** analyze capability: capabilities by name and number (systemd-analyze(1)). */
import type { Command } from 'commander';
import { PlainFiles } from '../../../host/node/plain-files.ts';
import { CAPABILITIES, parseCapability } from '../../../units/syntax/capability.ts';
import type { Call } from '../../command.ts';
import { CliError } from '../../context.ts';
import { answer, wordsOf } from './offline.ts';
import { columns, defineLookup } from './words.ts';

export function define(command: Command): void {
  defineLookup(command);
}

/** The greatest number that the running kernel has; that of the list where it does not say. */
function last(): number {
  const text = new PlainFiles().readText('/proc/sys/kernel/cap_last_cap')?.trim() ?? '';
  return /^[0-9]{1,2}$/.test(text) ? Number(text) : CAPABILITIES.length - 1;
}

interface Shown {
  readonly name: string;
  readonly number: number;
}

const named = (number: number): Shown => ({
  name: CAPABILITIES[number]?.toLowerCase() ?? `cap_${number}`,
  number,
});

/** By name in any case, or by number as systemd-analyze takes it. */
function find(word: string): Shown | undefined {
  const name = parseCapability(word);
  if (name === undefined) return undefined;
  const index = CAPABILITIES.indexOf(name);
  const number = index >= 0 ? index : Number(name.slice(4));
  return index < 0 && number > last() ? undefined : named(number);
}

export async function run(call: Call): Promise<number> {
  const words = await wordsOf(call);
  let shown: Shown[];
  if (words.length === 0) shown = Array.from({ length: last() + 1 }, (_, number) => named(number));
  else
    shown = words.map((word) => {
      const found = find(word);
      if (found === undefined) throw new CliError(`Capability "${word}" not known.`);
      return found;
    });
  if (words.length > 0) shown.sort((a, b) => a.number - b.number);
  answer(call, shown, () =>
    columns(
      ['NAME', 'NUMBER'],
      shown.map(({ name, number }) => [name, String(number)]),
      new Set([1]),
      call.options.legend !== false,
    ),
  );
  return 0;
}
