/** Mutated inputs from a seed: the same seed gives the same inputs, so that a failure can be had again. */

/** Numbers from 0 to 1; mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What parsers look at: signs, blanks, ends of lines, what is not ASCII, halves of characters, words of the language. */
const PIECES = [
  ...'\0\t\n\r\v\f !"#$%&\'()*+,-./0129:;<=>?@[\\]^_`aMsxz{|}~',
  '\u007f',
  '\u00b5',
  '\u00e9',
  '\u2028',
  '\ufeff',
  '\ufffd',
  '\ud83c',
  '\udf88',
  '\u{1f388}',
  '..',
  '\\x2d',
  '\\u00e9',
  '\\\n',
  '%%',
  '%n',
  '%i',
  '$$',
  '\u0024{A}',
  '-1',
  '0x',
  '1e9',
  '99999999999999999999',
  '18446744073709551615',
  'infinity',
  '[Unit]\n',
  'a=b\n',
  'UTC',
  '/../',
  'Mon',
  '::1',
] as const;
const LONG = 5000;
const LENGTH_MAX = 20_000;

/** One to six changes: put in, leave out, double, turn round, cut, take over from another input, or blow up. */
export function mutate(text: string, other: string, random: () => number): string {
  const below = (count: number): number => Math.floor(random() * count);
  const piece = (): string => PIECES[below(PIECES.length)] ?? '';
  let out = text;
  for (let change = below(6); change >= 0; change -= 1) {
    const at = below(out.length + 1);
    const end = at + below(Math.min(12, out.length - at + 1));
    switch (below(9)) {
      case 0:
      case 1:
        out = out.slice(0, at) + piece() + out.slice(at);
        break;
      case 2:
        out = out.slice(0, at) + piece() + out.slice(end);
        break;
      case 3:
        out = out.slice(0, at) + out.slice(end);
        break;
      case 4:
        out = out.slice(0, end) + out.slice(at);
        break;
      case 5:
        out = out.slice(0, at) + [...out.slice(at, end)].reverse().join('') + out.slice(end);
        break;
      case 6:
        out = out.slice(0, at) + other.slice(below(other.length + 1));
        break;
      case 7:
        out = out.slice(0, at) + String.fromCharCode(below(0x10000)) + out.slice(end);
        break;
      default:
        // Seldom, since it is dear: what is quadratic shows itself.
        out =
          below(40) === 0
            ? out.slice(0, at) + (out.slice(at, end) || piece()).repeat(below(LONG)) + out.slice(end)
            : out + piece();
    }
  }
  return out.slice(0, LENGTH_MAX);
}
