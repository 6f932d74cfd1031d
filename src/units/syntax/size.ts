/**
 * Sizes in bytes: `64K`, `1.5G`, with powers of 1024, and weights.
 * Source: systemd.exec(5), "Process Properties"; systemd.resource-control(5).
 */

const SUFFIXES = ['B', 'K', 'M', 'G', 'T', 'P', 'E'] as const;

/** Bytes; `base` is 1024 for memory and 1000 for I/O rates. Undefined: not a size. Beyond 2^53 it is approximate. */
export function parseSize(text: string, base: 1000 | 1024 = 1024): number | undefined {
  let sum = 0;
  let at = 0;
  let lastScale = Number.POSITIVE_INFINITY;
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  while (at < trimmed.length) {
    while (trimmed[at] === ' ') at += 1;
    const match = /^\+?([0-9]{1,20})(?:\.([0-9]{0,15}))? ?([BKMGTPE]?)/.exec(trimmed.slice(at, at + 64));
    if (match === null) return undefined;
    at += match[0].length;
    const index = match[3] === '' ? 0 : SUFFIXES.indexOf((match[3] ?? 'B') as (typeof SUFFIXES)[number]);
    const scale = base ** index;
    // Several parts must go down: `2G 512M`, not `512M 2G`.
    if (scale >= lastScale) return undefined;
    lastScale = scale;
    sum += Number(match[1]) * scale + Math.floor(Number(`0.${match[2] || '0'}`) * scale);
  }
  return sum < 2 ** 64 ? sum : undefined;
}
