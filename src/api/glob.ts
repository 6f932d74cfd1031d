/**
 * Shell patterns for unit names, as fnmatch(3) has them: `*`, `?`, `[a-z]`, `[!a-z]`. A `\` stands for itself, as in
 * systemctl(1): names of devices and mounts are full of them.
 *
 * Matched by hand in at most pattern times name steps: a pattern comes from a client, and a regular expression made
 * from one can take core for ever.
 */

type Piece = { readonly star: true } | { readonly star: false; readonly fits: (char: string) => boolean };

const STAR: Piece = { star: true };
const literal = (wanted: string): Piece => ({ star: false, fits: (char) => char === wanted });

/** Reads `[…]` at `at`; undefined: it is not closed, so the bracket stands for itself. */
function bracket(pattern: readonly string[], at: number): { piece: Piece; next: number } | undefined {
  let here = at + 1;
  const negated = pattern[here] === '!' || pattern[here] === '^';
  if (negated) here += 1;
  const ranges: (readonly [low: string, high: string])[] = [];
  for (let first = true; here < pattern.length; first = false) {
    const low = pattern[here]!;
    if (low === ']' && !first) {
      const fits = (char: string) => ranges.some(([from, to]) => from <= char && char <= to) !== negated;
      return { piece: { star: false, fits }, next: here + 1 };
    }
    const high = pattern[here + 2];
    const isRange = pattern[here + 1] === '-' && high !== undefined && high !== ']';
    ranges.push([low, isRange ? high : low]);
    here += isRange ? 3 : 1;
  }
  return undefined;
}

function pieces(text: string): Piece[] {
  const pattern = [...text];
  const found: Piece[] = [];
  for (let at = 0; at < pattern.length; ) {
    const char = pattern[at]!;
    const set = char === '[' ? bracket(pattern, at) : undefined;
    if (set !== undefined) {
      found.push(set.piece);
      at = set.next;
    } else {
      found.push(char === '*' ? STAR : char === '?' ? { star: false, fits: () => true } : literal(char));
      at += 1;
    }
  }
  return found;
}

function fits(pattern: readonly Piece[], name: readonly string[]): boolean {
  let at = 0;
  let here = 0;
  let star = -1;
  let starHere = 0;
  while (here < name.length) {
    const piece = pattern[at];
    if (piece?.star === true) {
      star = at;
      starHere = here;
      at += 1;
    } else if (piece?.fits(name[here]!) === true) {
      at += 1;
      here += 1;
    } else if (star >= 0) {
      // Only the last star need be tried again: an earlier one could not reach further.
      at = star + 1;
      starHere += 1;
      here = starHere;
    } else return false;
  }
  while (pattern[at]?.star === true) at += 1;
  return at === pattern.length;
}

/** Does the word hold characters that make it a pattern? */
export const isGlob = (word: string): boolean => /[*?[]/.test(word);

/** A test for one of the patterns; none: everything fits. */
export function globber(patterns: readonly string[]): (name: string) => boolean {
  if (patterns.length === 0) return () => true;
  const exact = new Set(patterns);
  const globs = patterns.filter((pattern) => isGlob(pattern)).map(pieces);
  return (name) => {
    if (exact.has(name)) return true;
    if (globs.length === 0) return false;
    const chars = [...name];
    return globs.some((glob) => fits(glob, chars));
  };
}
