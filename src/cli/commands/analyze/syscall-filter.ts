/** analyze syscall-filter: groups of system calls, and what is in them (systemd-analyze(1), systemd.exec(5)). */
import type { Command } from 'commander';
import { callsOf, knownSyscalls, type SyscallGroup, syscallGroups } from '../../../units/syntax/syscall-names.ts';
import type { Call } from '../../command.ts';
import { CliError } from '../../context.ts';
import { answer, wordsOf } from './offline.ts';
import { defineLookup } from './words.ts';

export function define(command: Command): void {
  defineLookup(command);
}

const block = ({ name, about, members }: SyscallGroup): string[] => [
  name,
  `    # ${about}`,
  ...members.map((member) => `    ${member}`),
];

/** Calls of @known that no other group has. */
function ungrouped(): string[] {
  const grouped = new Set<string>();
  for (const name of syscallGroups().keys())
    if (name !== '@known') for (const call of callsOf(name) ?? []) grouped.add(call);
  return knownSyscalls().filter((name) => !name.startsWith('@') && !grouped.has(name));
}

export async function run(call: Call): Promise<number> {
  const words = await wordsOf(call);
  const groups = syscallGroups();
  const unknown = words.find((word) => !groups.has(word));
  const before = unknown === undefined ? words : words.slice(0, words.indexOf(unknown));
  const shown = words.length === 0 ? [...groups.values()] : before.map((word) => groups.get(word) as SyscallGroup);
  const alone = words.length === 0 ? ungrouped() : [];
  const data = shown.map(({ name, about, members }) => ({ name, description: about, syscalls: members }));
  answer(call, words.length === 0 ? { groups: data, ungrouped: alone } : data, () => {
    const lines = shown.flatMap((group, index) => [...(index > 0 ? [''] : []), ...block(group)]);
    if (alone.length > 0)
      lines.push('', '# Ungrouped calls: in @known and in no other group', ...alone.map((name) => `#   ${name}`));
    return lines;
  });
  if (unknown !== undefined) throw new CliError(`Filter set "${unknown}" not found.`);
  return 0;
}
