/**
 * The kernel's command line as service managers read it: words, quotes, switches, and the `rd.` prefix of the initial RAM disk.
 * Source: kernel-command-line(7); how systemd's generators answer on generated lines.
 */
import { parseBoolean } from '../syntax/scalar.ts';

/** One word: `key=value`, or `key` alone (`value` undefined). */
export interface CommandLineItem {
  readonly key: string;
  readonly value: string | undefined;
}

/** Longest line that is looked at, in characters; the kernel's own limit is far below it. */
const LENGTH_MAX = 1 << 20;

/** Words, as written, with quotes taken off; an open quote ends with the line. */
export function commandLineWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  const text = line.length > LENGTH_MAX ? line.slice(0, LENGTH_MAX) : line;
  for (const char of text) {
    if (quote !== '') {
      if (char === quote) quote = '';
      else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (char === ' ' || char === '\t' || char === '\n' || char === '\r') {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + char;
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** All items, in order. */
export function commandLineItems(line: string): CommandLineItem[] {
  return commandLineWords(line).map((word) => {
    const equals = word.indexOf('=');
    return equals < 0 ? { key: word, value: undefined } : { key: word.slice(0, equals), value: word.slice(equals + 1) };
  });
}

/**
 * The items meant for this phase: in the initial RAM disk those with `rd.`, without it; elsewhere those without.
 * `lenient`: in the RAM disk the others count as well.
 */
export function itemsOfPhase(line: string, initrd: boolean, lenient = false): CommandLineItem[] {
  return commandLineItems(line).flatMap((item) => {
    const early = item.key.startsWith('rd.');
    if (early) return initrd ? [{ key: item.key.slice(3), value: item.value }] : [];
    return initrd && !lenient ? [] : [item];
  });
}

const dashed = (key: string): string => key.replaceAll('-', '_');

/** Is it this key? `-` and `_` are the same, as for the kernel. */
export const isKey = (item: CommandLineItem, key: string): boolean => dashed(item.key) === dashed(key);

/** A switch: the word alone means yes. Undefined: neither yes nor no. */
export const switchValue = (value: string | undefined): boolean | undefined =>
  value === undefined ? true : parseBoolean(value);
