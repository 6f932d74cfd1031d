/** Long texts in pieces. */

/** Where a piece of so many characters ends that begins at `from`: never between the halves of a character, so each can be encoded by itself. */
export function pieceEnd(text: string, from: number, chars: number): number {
  const to = Math.min(text.length, from + chars);
  const last = text.charCodeAt(to - 1);
  return to < text.length && to - from > 1 && last >= 0xd800 && last < 0xdc00 ? to - 1 : to;
}
