/**
 * Command lines of Exec…=.
 * Source: systemd.service(5), "Command lines" and table 1, "Special executable prefixes".
 */
import { simplifyPath } from '../names.ts';
import type { Command } from '../types.ts';
import { isFileName, pathFault } from './path.ts';
import { escapeAt, nextWord } from './words.ts';

export type CommandFault = {
  readonly why: string;
  readonly todo: string;
  readonly offset: number;
  /** The command had a `-`: the fault costs the command, not the unit. */
  readonly ignorable: boolean;
};

/** More commands or arguments than this in one assignment are refused. */
const WORDS_MAX = 65_536;

/**
 * The commands of one assignment; `;` as a word of its own separates them.
 *
 * @param expand resolves specifiers; an error text if one is unknown
 */
export function parseCommands(
  value: string,
  expand: (text: string) => { readonly text: string } | { readonly fault: string },
): {
  readonly commands: readonly Command[];
  readonly faults: readonly CommandFault[];
  readonly warnings: readonly { readonly why: string; readonly offset: number }[];
} {
  const warnings = unknownEscapes(value);
  const commands: Command[] = [];
  const faults: CommandFault[] = [];
  const rules = { quotes: true, escapes: true, relaxed: true };
  let at = 0;
  for (let count = 0; count < WORDS_MAX; count++) {
    const first = nextWord(value, at, rules);
    if (first === undefined) break;
    if ('fault' in first) {
      faults.push({
        why: first.fault,
        todo: 'mend the quoting (systemd.syntax(7))',
        offset: first.offset,
        ignorable: /^[-@:+!]*-/.test(value.slice(at).trimStart()),
      });
      break;
    }
    at = first.end;
    if (first.text === ';' && value[first.offset] === ';') continue; // an empty command between separators
    const prefixes = takePrefixes(first.text);
    const offset = first.offset;
    const fail = (why: string, todo: string, where = offset) =>
      faults.push({ why, todo, offset: where, ignorable: prefixes.ignoreFailure });
    const path = expand(prefixes.rest);
    const argv: string[] = [];
    let bad = false;
    let program = '';
    if ('fault' in path) {
      fail(path.fault, 'see "Specifiers" in systemd.unit(5)');
      bad = true;
    } else {
      program = path.text;
      const fault = programFault(program);
      if (fault !== undefined) {
        fail(fault, 'give an absolute path or the name of a program');
        bad = true;
      }
    }
    let wantsArgv0 = prefixes.argv0;
    if (!wantsArgv0) argv.push(program);
    for (let words = 0; words < WORDS_MAX; words++) {
      const skipped = skipWhite(value, at);
      if (value[skipped] === ';' && isEnd(value, skipped + 1)) {
        at = skipped + 1;
        break;
      }
      if (value[skipped] === '\\' && value[skipped + 1] === ';' && isEnd(value, skipped + 2)) {
        argv.push(';');
        wantsArgv0 = false;
        at = skipped + 2;
        continue;
      }
      const word = nextWord(value, at, rules);
      if (word === undefined) {
        at = value.length;
        break;
      }
      if ('fault' in word) {
        fail(word.fault, 'mend the quoting (systemd.syntax(7))', word.offset);
        return { commands, faults, warnings };
      }
      at = word.end;
      const text = expand(word.text);
      if ('fault' in text) {
        fail(text.fault, 'see "Specifiers" in systemd.unit(5)', word.offset);
        bad = true;
        continue;
      }
      wantsArgv0 = false;
      argv.push(text.text);
    }
    if (wantsArgv0) {
      fail(
        "'@' asks for argv[0] as the second word, and there is none",
        'give the program and its argv[0], or drop the @',
      );
      bad = true;
    }
    if (!bad)
      commands.push({
        path: simplifyPath(program),
        // argv[0] is the path as written.
        argv: prefixes.argv0 ? argv : [program, ...argv.slice(1)],
        ignoreFailure: prefixes.ignoreFailure,
        noExpand: prefixes.noExpand,
        privilege: prefixes.privilege,
      });
  }
  return { commands, faults, warnings };
}

/** Escapes that are none stay as they are, as in systemd, but are worth a word. */
function unknownEscapes(value: string): { readonly why: string; readonly offset: number }[] {
  const out: { why: string; offset: number }[] = [];
  for (let at = value.indexOf('\\'); at >= 0 && out.length < 10; ) {
    const known = escapeAt(value, at);
    const semicolon = value[at + 1] === ';' && isEnd(value, at + 2);
    if (known === undefined && !semicolon)
      out.push({ why: `${value.slice(at, at + 2)} is not an escape and stays as it is`, offset: at });
    at = value.indexOf('\\', known?.end ?? at + 2);
  }
  return out;
}

function takePrefixes(word: string) {
  let at = 0;
  let ignoreFailure = false;
  let argv0 = false;
  let noExpand = false;
  let privilege: Command['privilege'] = 'normal';
  for (; at < word.length; at++) {
    const char = word[at];
    if (char === '-' && !ignoreFailure) ignoreFailure = true;
    else if (char === '@' && !argv0) argv0 = true;
    else if (char === ':' && !noExpand) noExpand = true;
    else if (char === '+' && privilege === 'normal') privilege = 'full';
    else if (char === '!' && privilege === 'normal') privilege = 'no-user';
    else if (char === '!' && privilege === 'no-user') privilege = 'ambient';
    else break;
  }
  return { ignoreFailure, argv0, noExpand, privilege, rest: word.slice(at) };
}

function programFault(path: string): string | undefined {
  if (path === '') return 'no program';
  if (path.endsWith('/')) return 'the program is a directory';
  if (/[\u0000-\u001f\u007f]/.test(path)) return 'a control character in the name of the program';
  if (path.startsWith('/')) return pathFault(path);
  return isFileName(path) ? undefined : 'neither an absolute path nor a plain program name';
}

function skipWhite(value: string, from: number): number {
  let at = from;
  while (at < value.length && ' \t\n\r'.includes(value[at] ?? '')) at += 1;
  return at;
}

function isEnd(value: string, at: number): boolean {
  return at >= value.length || ' \t\n\r'.includes(value[at] ?? '');
}
