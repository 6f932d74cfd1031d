/** Columns of text, as wide as their widest cell; the last one is cut to the terminal. */

/** Columns that a text takes: combining marks none, wide characters two. Colour sequences count for nothing. */
export function widthOf(text: string): number {
  let width = 0;
  for (const char of text.replace(/\u001b\[[0-9;]*m/g, '')) {
    const code = char.codePointAt(0)!;
    if (/\p{Mn}|\p{Me}|\p{Cf}/u.test(char)) continue;
    const wide =
      (code >= 0x1100 && code <= 0x115f) ||
      (code >= 0x2e80 && code <= 0xa4cf) ||
      (code >= 0xac00 && code <= 0xd7a3) ||
      (code >= 0xf900 && code <= 0xfaff) ||
      (code >= 0xfe30 && code <= 0xfe6f) ||
      (code >= 0xff00 && code <= 0xff60) ||
      (code >= 0x1f300 && code <= 0x1faff);
    width += wide ? 2 : 1;
  }
  return width;
}

export const padTo = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - widthOf(text)));

/** Cut to `width` columns with an ellipsis. Plain text only. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let out = '';
  let used = 0;
  for (const char of text) {
    const more = widthOf(char);
    if (used + more > width - 1) break;
    out += char;
    used += more;
  }
  return `${out}…`;
}

/** A name that is cut keeps its end, where the type is. */
export function cutMiddle(text: string, width: number): string {
  if (widthOf(text) <= width || width < 5) return text;
  const chars = [...text];
  const tail = Math.floor((width - 1) / 2);
  return `${chars.slice(0, width - 1 - tail).join('')}…${chars.slice(-tail).join('')}`;
}

export interface Row {
  readonly cells: readonly string[];
  /** Before the first cell: a dot and a space, or as much blank. */
  readonly lead?: string;
  /** Paints cell number i after padding. */
  readonly paint?: (cell: string, index: number) => string;
}

export interface TableOptions {
  readonly header: Row | undefined;
  readonly columns: number;
  /** Nothing is cut. */
  readonly full: boolean;
}

/** Lines without line ends; trailing blanks are taken off. */
export function table(rows: readonly Row[], { header, columns, full }: TableOptions): string[] {
  const all = header === undefined ? rows : [header, ...rows];
  const count = Math.max(0, ...all.map((row) => row.cells.length));
  const widths = Array.from({ length: count }, (_, index) =>
    Math.max(0, ...all.map((row) => widthOf(row.cells[index] ?? ''))),
  );
  const leadWidth = Math.max(0, ...all.map((row) => widthOf(row.lead ?? '')));
  const before = leadWidth + widths.slice(0, -1).reduce((sum, width) => sum + width + 1, 0);
  const last = full ? Number.POSITIVE_INFINITY : Math.max(columns - before, 5);
  return all.map(({ cells, lead = '', paint = (cell) => cell }) => {
    const texts = cells.map((cell, index) => {
      const shown = index === count - 1 && widthOf(cell) > last ? cut(cell, last) : cell;
      return paint(index === count - 1 ? shown : padTo(shown, widths[index]!), index);
    });
    return `${padTo(lead, leadWidth)}${texts.join(' ')}`.trimEnd();
  });
}
