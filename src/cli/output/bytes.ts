/** Sizes as systemctl has them: base 1024, one digit, cut and not rounded. */

const UNITS: readonly (readonly [size: number, suffix: string])[] = [
  [2 ** 60, 'E'],
  [2 ** 50, 'P'],
  [2 ** 40, 'T'],
  [2 ** 30, 'G'],
  [2 ** 20, 'M'],
  [2 ** 10, 'K'],
];

/** 7654321 -> `7.2M`. */
export function bytesText(bytes: number): string {
  const [size, suffix] = UNITS.find(([unit]) => bytes >= unit) ?? [1, 'B'];
  if (size === 1) return `${bytes}B`;
  return `${Math.floor(bytes / size)}.${Math.floor(((bytes % size) * 10) / size)}${suffix}`;
}
