/**
 * The JSON text of a large value, piece by piece: the engine makes it only in one go, and for the states of thousands of jobs, or for
 * one plan over thousands of units, that takes tens of milliseconds.
 *
 * Together the pieces are what JSON.stringify says of the same value, which must not change meanwhile; of {@link Entries}, an object
 * with these.
 */
import { pieceEnd } from '../host/pieces.ts';
import type { Entries } from './actor.ts';
import { isPlain } from './delta.ts';

/** What is told in one go: so many values; so many characters of a text count as one. */
const SHORT_VALUES = 512;
const CHARS_A_VALUE = 32;
/** Characters of one piece at least, where more follows; of a text that is cut into pieces, at most. */
const PIECE_CHARS = 8 * 1024;

/** Is its text better made in pieces? */
export const isLong = (value: unknown): boolean => lessBy(value, SHORT_VALUES) < 0;

/** The pieces; of what JSON.stringify has no text for: `null`. */
export function* jsonPieces(value: unknown): Generator<string> {
  if (!isLong(value)) yield JSON.stringify(value) ?? 'null';
  else if (typeof value === 'string') yield* textPieces(value);
  else if (Array.isArray(value)) yield* itemPieces('[', items(value), ']');
  else if (hasEntries(value)) yield* itemPieces('{', named(value.jsonEntries()), '}');
  else if (isPlain(value)) yield* itemPieces('{', named(fields(value)), '}');
  else yield JSON.stringify(value) ?? 'null';
}

/** What stands in front of it, and what is told in the place of one that has no text; undefined: it is left out. */
type Item = readonly [value: unknown, before: string, nothing: string | undefined];

function* items(values: readonly unknown[]): Generator<Item> {
  for (const value of values) yield [value, '', 'null'];
}

function* named(entries: Iterable<readonly [string, unknown]>): Generator<Item> {
  for (const [key, value] of entries) yield [value, `${JSON.stringify(key)}:`, undefined];
}

function* fields(value: Readonly<Record<string, unknown>>): Generator<readonly [string, unknown]> {
  for (const key of Object.keys(value)) yield [key, value[key]];
}

function* itemPieces(open: string, all: Iterable<Item>, close: string): Generator<string> {
  let text = open;
  let comma = '';
  for (const [value, before, nothing] of all) {
    if (isLong(value)) {
      text += comma + before;
      for (const piece of jsonPieces(value)) {
        yield text + piece;
        text = '';
      }
    } else {
      const told = JSON.stringify(value) ?? nothing;
      if (told === undefined) continue;
      text += comma + before + told;
    }
    comma = ',';
    if (text.length < PIECE_CHARS) continue;
    yield text;
    text = '';
  }
  yield text + close;
}

function* textPieces(value: string): Generator<string> {
  let quote = '"';
  for (let from = 0; from < value.length; ) {
    const to = pieceEnd(value, from, PIECE_CHARS);
    yield quote + JSON.stringify(value.slice(from, to)).slice(1, -1);
    quote = '';
    from = to;
  }
  yield '"';
}

/** What is left of so many values beside these; less than 0: they are more. It looks at no more than those. */
function lessBy(value: unknown, left: number): number {
  if (typeof value === 'string') return left - 1 - Math.floor(value.length / CHARS_A_VALUE);
  if (typeof value !== 'object' || value === null) return left - 1;
  if (Array.isArray(value)) return value.length > left ? -1 : lessByAll(value, left - 1);
  if (hasEntries(value)) return -1;
  return isPlain(value) ? lessByAll(Object.values(value), left - 1) : left - 1;
}

const hasEntries = (value: unknown): value is Entries =>
  typeof value === 'object' && value !== null && 'jsonEntries' in value && typeof value.jsonEntries === 'function';

function lessByAll(values: readonly unknown[], most: number): number {
  let left = most;
  for (const value of values) {
    left = lessBy(value, left);
    if (left < 0) return left;
  }
  return left;
}
