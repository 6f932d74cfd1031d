/**
 * UTF-8 by hand, since core's engines do not all have TextDecoder, and since a fault must be found by its place.
 */

/** The bytes of a string. Lone surrogates become U+FFFD. */
export function encodeUtf8(text: string): number[] {
  const out: number[] = [];
  for (const char of text) {
    let code = char.codePointAt(0) ?? 0;
    if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
    if (code < 0x80) out.push(code);
    else if (code < 0x800) out.push(0xc0 | (code >> 6), 0x80 | (code & 0x3f));
    else if (code < 0x10000) out.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
    else out.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 0x3f), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
  }
  return out;
}

/** The string of the bytes; each byte that is part of no valid sequence becomes U+FFFD, and `valid` says that it happened. */
export function decodeUtf8(bytes: ArrayLike<number>): { readonly text: string; readonly valid: boolean } {
  let text = '';
  let valid = true;
  const chunk: number[] = [];
  for (let i = 0; i < bytes.length; ) {
    const code = sequenceAt(bytes, i);
    if (code === undefined) {
      valid = false;
      chunk.push(0xfffd);
      i += 1;
    } else {
      chunk.push(code);
      i += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    }
    if (chunk.length === 4096) text += String.fromCodePoint(...chunk.splice(0));
  }
  return { text: text + String.fromCodePoint(...chunk), valid };
}

/** The code point that starts at `i`; undefined: not a valid sequence (overlong, surrogate, cut off, too large). */
function sequenceAt(bytes: ArrayLike<number>, i: number): number | undefined {
  const first = bytes[i] ?? 0;
  if (first < 0x80) return first;
  const length =
    first >= 0xf0 && first < 0xf8 ? 4 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xc2 && first < 0xe0 ? 2 : 0;
  if (length === 0 || i + length > bytes.length) return undefined;
  let code = first & (0x7f >> length);
  for (let k = 1; k < length; k++) {
    const next = bytes[i + k] ?? 0;
    if ((next & 0xc0) !== 0x80) return undefined;
    code = (code << 6) | (next & 0x3f);
  }
  const least = length === 4 ? 0x10000 : length === 3 ? 0x800 : 0x80;
  return code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? undefined : code;
}
