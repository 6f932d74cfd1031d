/**
 * Small values: booleans, whole numbers, file modes. Each answers undefined for what it cannot read.
 * Source: systemd.syntax(7); the manual page of each setting.
 */

const TRUE: ReadonlySet<string> = new Set(['1', 'yes', 'y', 'true', 't', 'on']);
const FALSE: ReadonlySet<string> = new Set(['0', 'no', 'n', 'false', 'f', 'off']);

/** `yes`, `on`, `1` … in any case. */
export function parseBoolean(text: string): boolean | undefined {
  const lower = text.toLowerCase();
  return TRUE.has(lower) ? true : FALSE.has(lower) ? false : undefined;
}

/** A whole number, decimal, 0x…, 0b… or octal with a leading 0 or 0o, within the bounds. */
export function parseInteger(text: string, least: number, most: number): number | undefined {
  const match = /^([+-]?)(0[xX][0-9a-fA-F]{1,16}|0[bB][01]{1,64}|0[oO]?[0-7]{1,22}|0|[1-9][0-9]{0,19})$/.exec(text);
  if (match === null) return undefined;
  let digits = match[2] ?? '';
  if (/^0[0-7]+$/.test(digits)) digits = `0o${digits.slice(1)}`;
  const number = Number(digits);
  const signed = match[1] === '-' ? 0 - number : number;
  return Number.isFinite(signed) && signed >= least && signed <= most ? signed : undefined;
}

/** A file mode in octal, 0 to 07777. */
export function parseMode(text: string): number | undefined {
  if (!/^0*[0-7]{1,4}$/.test(text) || text.length > 64) return undefined;
  return Number.parseInt(text, 8);
}

/** A percentage, permille or per-ten-thousand as a fraction: `12.5%` -> 0.125. `most` is the greatest fraction. */
export function parseFraction(text: string, most: number): number | undefined {
  const match = /^([0-9]{1,9})(?:\.([0-9]{1,2}))?(%|\u2030|\u2031)$/.exec(text);
  if (match === null) return undefined;
  const scale = match[3] === '%' ? 10_000 : match[3] === '‰' ? 100_000 : 1_000_000;
  const places = match[2] ?? '';
  if (places.length > (match[3] === '%' ? 2 : match[3] === '‰' ? 1 : 0)) return undefined;
  const fraction = (Number(match[1]) * 100 + Number(places.padEnd(2, '0'))) / scale;
  return fraction <= most ? fraction : undefined;
}
