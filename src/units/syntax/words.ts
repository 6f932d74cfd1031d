/**
 * Splitting a value into words, with quotes and C escapes.
 * Source: systemd.syntax(7), "Quoting", and its table of supported escapes.
 */
import { decodeUtf8, encodeUtf8 } from '../utf8.ts';

export interface Word {
  readonly text: string;
  /** Where it starts in the value, opening quote included. */
  readonly offset: number;
  /** Where it ends. */
  readonly end: number;
}

export interface WordRules {
  /** `'a b'` and `"a b"` are one word; a backslash takes the next character as it is. */
  readonly quotes?: boolean;
  /** Resolve C escapes: \n, \x20, \u2026 … */
  readonly escapes?: boolean;
  /** An escape that is unknown stays as it is instead of being a fault. */
  readonly relaxed?: boolean;
  /** What separates words; white space if not given. Two separators that are not white space have an empty word between them if `keepEmpty`. */
  readonly separators?: string;
  readonly keepEmpty?: boolean;
}

export type Words = { readonly words: readonly Word[] } | { readonly fault: string; readonly offset: number };

const WHITE = ' \t\n\r';

/** Words of a value. Never more than the value has characters. */
export function splitWords(value: string, rules: WordRules = {}): Words {
  const words: Word[] = [];
  const separators = rules.separators ?? WHITE;
  let at = 0;
  for (;;) {
    const next = nextWord(value, at, rules, separators);
    if (next === undefined) return { words };
    if ('fault' in next) return next;
    words.push(next);
    at = next.end;
    if (rules.keepEmpty === true && at < value.length) {
      at += 1;
      if (at === value.length) {
        words.push({ text: '', offset: at, end: at });
        return { words };
      }
    }
  }
}

/** The plain case: words by white space, no quotes. */
export function plainWords(value: string): Word[] {
  const words: Word[] = [];
  let at = 0;
  while (at < value.length) {
    while (at < value.length && isWhite(value.charCodeAt(at))) at += 1;
    if (at >= value.length) break;
    let end = at;
    while (end < value.length && !isWhite(value.charCodeAt(end))) end += 1;
    words.push({ text: value.slice(at, end), offset: at, end });
    at = end;
  }
  return words;
}

function isWhite(code: number): boolean {
  return code === 32 || code === 9 || code === 10 || code === 13;
}

/** The first word at or after `from`; undefined: only separators are left. */
export function nextWord(
  value: string,
  from: number,
  rules: WordRules,
  separators: string = WHITE,
): Word | { readonly fault: string; readonly offset: number } | undefined {
  let at = from;
  if (rules.keepEmpty !== true) while (at < value.length && separators.includes(value[at] ?? '')) at += 1;
  if (at >= value.length) return undefined;
  const offset = at;
  let quote = '';
  let quoteAt = at;
  let text = '';
  while (at < value.length) {
    const char = value[at] ?? '';
    if (char === '\\' && rules.quotes === true) {
      if (rules.escapes === true) {
        const escaped = escapeAt(value, at);
        if (escaped !== undefined) {
          text += escaped.text;
          at = escaped.end;
          continue;
        }
        if (rules.relaxed !== true) {
          const shown = value.slice(at, at + 2);
          return { fault: shown === '\\' ? 'a backslash ends the value' : `${shown} is not an escape`, offset: at };
        }
        text += value.slice(at, at + 2);
      } else {
        if (at + 1 >= value.length) {
          if (rules.relaxed !== true) return { fault: 'a backslash ends the value', offset: at };
          text += '\\';
        } else text += value[at + 1] ?? '';
      }
      at += 2;
      continue;
    }
    if (quote !== '') {
      if (char === quote) quote = '';
      else text += char;
      at += 1;
      continue;
    }
    if (rules.quotes === true && (char === '"' || char === "'")) {
      quote = char;
      quoteAt = at;
      at += 1;
      continue;
    }
    if (separators.includes(char)) break;
    const start = at;
    do at += 1;
    while (at < value.length && !isSpecial(value[at] ?? '', rules, separators));
    text += value.slice(start, at);
  }
  if (quote !== '') return { fault: `a quote (${quote}) is not closed`, offset: quoteAt };
  return { text, offset, end: Math.min(at, value.length) };
}

/** Does it end a run of plain characters, outside of quotes? */
function isSpecial(char: string, rules: WordRules, separators: string): boolean {
  return (rules.quotes === true && (char === '\\' || char === '"' || char === "'")) || separators.includes(char);
}

const SIMPLE: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
  "'": "'",
  s: ' ',
};

/** The C escape that starts at `at`; undefined: it is none. NUL is none. Runs of byte escapes are read as UTF-8. */
export function escapeAt(value: string, at: number): { readonly text: string; readonly end: number } | undefined {
  const char = value[at + 1];
  if (char === undefined) return undefined;
  const simple = SIMPLE[char];
  if (simple !== undefined) return { text: simple, end: at + 2 };
  if (char === 'u' || char === 'U') {
    const length = char === 'u' ? 4 : 8;
    const code = digits(value, at + 2, length, 16);
    if (code === undefined || code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined;
    return { text: String.fromCodePoint(code), end: at + 2 + length };
  }
  const bytes: number[] = [];
  let end = at;
  for (;;) {
    const byte = byteAt(value, end);
    if (byte === undefined) break;
    bytes.push(byte.value);
    end = byte.end;
    if (byte.value < 0x80) break;
  }
  return bytes.length === 0 ? undefined : { text: decodeUtf8(bytes).text, end };
}

/** \xHH or \OOO, 1 to 255. */
function byteAt(value: string, at: number): { readonly value: number; readonly end: number } | undefined {
  if (value[at] !== '\\') return undefined;
  const hex = value[at + 1] === 'x';
  const number = hex ? digits(value, at + 2, 2, 16) : digits(value, at + 1, 3, 8);
  return number === undefined || number === 0 || number > 255 ? undefined : { value: number, end: at + 4 };
}

/** Exactly `length` digits. */
function digits(value: string, at: number, length: number, base: 8 | 16): number | undefined {
  let number = 0;
  for (let i = at; i < at + length; i++) {
    const code = value.charCodeAt(i);
    const digit =
      code >= 48 && code <= 57
        ? code - 48
        : code >= 97 && code <= 102
          ? code - 87
          : code >= 65 && code <= 70
            ? code - 55
            : 99;
    if (digit >= base) return undefined;
    number = number * base + digit;
  }
  return number;
}

/** Resolve all C escapes of a text (StandardInputText=, SetCredential=); undefined: one is unknown. */
export function unescapeText(text: string): string | undefined {
  if (!text.includes('\\')) return text;
  let out = '';
  for (let at = 0; at < text.length; ) {
    if (text[at] !== '\\') {
      out += text[at];
      at += 1;
      continue;
    }
    const escaped = escapeAt(text, at);
    if (escaped === undefined) return undefined;
    out += escaped.text;
    at = escaped.end;
  }
  return out;
}

/** A word that reads back as `text` by the rules of command lines. */
export function quoteWord(text: string): string {
  if (text !== '' && text !== ';' && !/[\s"'\\\u0000-\u001f\u007f]/.test(text)) return text;
  let out = '"';
  for (const byte of encodeUtf8(text)) {
    if (byte === 0x22 || byte === 0x5c) out += `\\${String.fromCharCode(byte)}`;
    else if (byte < 0x20 || byte >= 0x7f) out += `\\x${byte.toString(16).padStart(2, '0')}`;
    else out += String.fromCharCode(byte);
  }
  return `${out}"`;
}
