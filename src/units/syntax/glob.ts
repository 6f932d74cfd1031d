/** Shell patterns: `*`, `?`, `[a-z]`, `[!x]` and backslash, over a whole string. Source: fnmatch(3), glob(7). */

/** Does the whole text match? Takes at most text × pattern steps. */
export function matchesGlob(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let starP = -1;
  let starT = 0;
  while (t < text.length) {
    const step = p < pattern.length ? matchOne(pattern, p, text[t] ?? '') : undefined;
    if (step?.star) {
      starP = p;
      starT = t;
      p += 1;
    } else if (step?.matches) {
      p = step.next;
      t += 1;
    } else if (starP >= 0) {
      starT += 1;
      t = starT;
      p = starP + 1;
    } else return false;
  }
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
}

/** Has it any special character? */
export function isGlob(text: string): boolean {
  return /[*?[]/.test(text);
}

function matchOne(
  pattern: string,
  at: number,
  char: string,
): { readonly matches: boolean; readonly next: number; readonly star: boolean } {
  const head = pattern[at];
  if (head === '*') return { matches: false, next: at + 1, star: true };
  if (head === '?') return { matches: true, next: at + 1, star: false };
  if (head === '\\' && at + 1 < pattern.length) return { matches: pattern[at + 1] === char, next: at + 2, star: false };
  if (head === '[') {
    const negated = pattern[at + 1] === '!' || pattern[at + 1] === '^';
    const first = at + (negated ? 2 : 1);
    const close = pattern.indexOf(']', first + 1);
    if (close > 0) {
      let hit = false;
      for (let i = first; i < close; i++) {
        const low = pattern[i] ?? '';
        if (pattern[i + 1] === '-' && i + 2 < close) {
          const high = pattern[i + 2] ?? '';
          if (low <= char && char <= high) hit = true;
          i += 2;
        } else if (low === char) hit = true;
      }
      return { matches: hit !== negated, next: close + 1, star: false };
    }
  }
  return { matches: head === char, next: at + 1, star: false };
}
