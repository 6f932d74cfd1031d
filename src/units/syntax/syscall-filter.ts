/**
 * System-call filters: calls and groups, `~` for a deny list, `call:error` for what a call answers.
 * Source: systemd.exec(5), SystemCallFilter=, SystemCallLog=, SystemCallErrorNumber=, SystemCallArchitectures=.
 */
import { parseErrno } from './errno.ts';
import { callsOf, isSyscall } from './syscall-names.ts';
import { splitWords } from './words.ts';

/** What a filtered call does: an errno, or the process is killed. */
export type FilterAction = number | 'kill';

export interface FilterEntry {
  /** A call, or a group with its `@`. */
  readonly name: string;
  /** undefined: what SystemCallErrorNumber= says. */
  readonly action: FilterAction | undefined;
  readonly offset: number;
}

export interface SyscallFilter {
  /** `~`: the entries are denied. */
  readonly inverted: boolean;
  readonly entries: readonly FilterEntry[];
  readonly faults: readonly { readonly why: string; readonly todo: string; readonly offset: number }[];
}

/**
 * One assignment. An entry that is faulty is left out, the others count.
 *
 * @param actions entries may have `:errno` (SystemCallFilter= but not SystemCallLog=)
 * @param denying the list as a whole is a deny list, where that is known already: only there an entry may have an action
 */
export function parseSyscallFilter(text: string, actions: boolean, denying?: boolean): SyscallFilter {
  const inverted = text.startsWith('~');
  const shift = inverted ? 1 : 0;
  const entries: FilterEntry[] = [];
  const faults: { why: string; todo: string; offset: number }[] = [];
  const split = splitWords(text.slice(shift), {});
  const words = 'words' in split ? split.words : [];
  const denies = denying ?? inverted;
  for (const word of words) {
    const offset = word.offset + shift;
    const fail = (why: string, todo: string) => faults.push({ why: `${word.text}: ${why}`, todo, offset });
    const colon = actions ? word.text.lastIndexOf(':') : -1;
    const name = colon < 0 ? word.text : word.text.slice(0, colon);
    const given = colon < 0 ? undefined : word.text.slice(colon + 1);
    const action = given === undefined ? undefined : parseAction(given);
    if (name === '' || (given !== undefined && action === undefined)) {
      fail('not call:error', 'use for example read:EPERM, read:5 or read:kill');
      continue;
    }
    if (action !== undefined && action !== 0 && !denies) {
      fail('an allowed call cannot answer an error', 'start the list with ~, or leave the error out');
      continue;
    }
    if (name.startsWith('@') ? callsOf(name) === undefined : !isSyscall(name)) {
      if (name.startsWith('@')) fail('not a group of system calls', 'sctl analyze syscall-filter lists them');
      else fail('not a system call', 'look it up with sctl analyze syscall-filter @known');
      continue;
    }
    entries.push({ name, action, offset });
  }
  return { inverted, entries, faults };
}

/** `kill`, `EPERM` or 0 to 4095. */
export function parseAction(text: string): FilterAction | undefined {
  return text === 'kill' ? 'kill' : parseErrno(text);
}

/** Architectures of system calls (systemd.exec(5), SystemCallArchitectures=). */
export const SYSCALL_ARCHITECTURES: readonly string[] = [
  'native',
  'x86',
  'x86-64',
  'x32',
  'arm',
  'arm64',
  'mips',
  'mips64',
  'mips64-n32',
  'mips-le',
  'mips64-le',
  'mips64-le-n32',
  'parisc',
  'parisc64',
  'ppc',
  'ppc64',
  'ppc64-le',
  'riscv64',
  's390',
  's390x',
];
