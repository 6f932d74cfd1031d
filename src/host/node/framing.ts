/**
 * Varlink framing (https://varlink.org): JSON texts, each ended by a NUL. Pure.
 *
 * Bytes are kept in pieces until the NUL comes, so a message that arrives in many small reads costs no quadratic copying.
 */

export class Framing {
  readonly #maxBytes: number;
  #pieces: Uint8Array[] = [];
  #length = 0;

  /** @param maxBytes the longest message, without its NUL */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of a message that is not complete yet. */
  get pending(): number {
    return this.#length;
  }

  /** Take what was read; the messages that are complete now, or undefined if one is too long: nothing can be read after that. */
  take(bytes: Uint8Array): string[] | undefined {
    const messages: string[] = [];
    let from = 0;
    for (let end = bytes.indexOf(0); end !== -1; end = bytes.indexOf(0, from)) {
      if (this.#length + end - from > this.#maxBytes) return undefined;
      this.#pieces.push(bytes.subarray(from, end));
      messages.push(
        new TextDecoder().decode(this.#pieces.length === 1 ? this.#pieces[0] : Buffer.concat(this.#pieces)),
      );
      this.#pieces = [];
      this.#length = 0;
      from = end + 1;
    }
    if (from < bytes.length) {
      this.#length += bytes.length - from;
      if (this.#length > this.#maxBytes) return undefined;
      this.#pieces.push(bytes.subarray(from));
    }
    return messages;
  }
}
