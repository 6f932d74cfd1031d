/**
 * SHA-256 of a text (FIPS 180-4), in plain ECMAScript: plans and settings are told apart by it. It says that two things are the
 * same, and protects nothing.
 */

/** The first 32 bits of the fractional parts of the square roots (n = 2) or cube roots (n = 3) of the first primes. */
function constants(count: number, root: 2 | 3): Int32Array {
  const found = new Int32Array(count);
  for (let candidate = 2, at = 0; at < count; candidate += 1) {
    let prime = true;
    for (let divisor = 2; divisor * divisor <= candidate; divisor += 1) if (candidate % divisor === 0) prime = false;
    if (!prime) continue;
    found[at] = fraction(BigInt(candidate), root) | 0;
    at += 1;
  }
  return found;
}

/** floor(n^(1/root) * 2^32) mod 2^32, by bisection over whole numbers: exact on every engine. */
function fraction(n: bigint, root: 2 | 3): number {
  const scaled = n << BigInt(32 * root);
  let low = 0n;
  let high = 1n << 40n;
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** BigInt(root) <= scaled) low = middle;
    else high = middle;
  }
  return Number(low & 0xffffffffn);
}

interface Tables {
  readonly start: Int32Array;
  readonly rounds: Int32Array;
  /** For the one block that is being mixed in. */
  readonly words: Int32Array;
  /** For a text that is short, as those of which there are thousands are. */
  readonly bytes: Uint8Array;
}

const SHORT_BYTES = 4096;
/** Made at first use: no start of core waits for it. */
let tables: Tables | undefined;

/** A text with what belongs behind it, and how many bytes that is: whole blocks. */
function padded(text: string, short: Uint8Array): { readonly bytes: Uint8Array; readonly end: number } {
  const room = text.length * 3 + 72;
  const bytes = room <= short.length ? short : new Uint8Array(room + 64);
  let length = 0;
  for (let at = 0; at < text.length; at += 1) {
    let code = text.charCodeAt(at);
    if (code >= 0xd800 && code < 0xdc00) {
      const low = text.charCodeAt(at + 1);
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        at += 1;
      }
    }
    if (code < 0x80) bytes[length++] = code;
    else if (code < 0x800) {
      bytes[length++] = 0xc0 | (code >> 6);
      bytes[length++] = 0x80 | (code & 63);
    } else if (code < 0x10000) {
      bytes[length++] = 0xe0 | (code >> 12);
      bytes[length++] = 0x80 | ((code >> 6) & 63);
      bytes[length++] = 0x80 | (code & 63);
    } else {
      bytes[length++] = 0xf0 | (code >> 18);
      bytes[length++] = 0x80 | ((code >> 12) & 63);
      bytes[length++] = 0x80 | ((code >> 6) & 63);
      bytes[length++] = 0x80 | (code & 63);
    }
  }
  const end = ((length + 8) >> 6) * 64 + 64;
  bytes.fill(0, length, end);
  bytes[length] = 0x80;
  const bits = length * 8;
  for (let at = end - 1, rest = bits; rest > 0; at -= 1, rest = Math.floor(rest / 256)) bytes[at] = rest % 256;
  return { bytes, end };
}

/** One block of 64 bytes, mixed into the state. No names are taken apart and nothing is made here: it runs for every 64 characters. */
function mix(state: Int32Array, words: Int32Array, rounds: Int32Array, bytes: Uint8Array, block: number): void {
  for (let at = 0, byte = block; at < 16; at += 1, byte += 4) {
    words[at] = (bytes[byte]! << 24) | (bytes[byte + 1]! << 16) | (bytes[byte + 2]! << 8) | bytes[byte + 3]!;
  }
  for (let at = 16; at < 64; at += 1) {
    const a = words[at - 15]!;
    const b = words[at - 2]!;
    const small = ((a >>> 7) | (a << 25)) ^ ((a >>> 18) | (a << 14)) ^ (a >>> 3);
    const large = ((b >>> 17) | (b << 15)) ^ ((b >>> 19) | (b << 13)) ^ (b >>> 10);
    words[at] = (words[at - 16]! + small + words[at - 7]! + large) | 0;
  }
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let e = state[4]!;
  let f = state[5]!;
  let g = state[6]!;
  let h = state[7]!;
  for (let at = 0; at < 64; at += 1) {
    const one = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + one + ((e & f) ^ (~e & g)) + rounds[at]! + words[at]!) | 0;
    const two = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (two + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0] = (state[0]! + a) | 0;
  state[1] = (state[1]! + b) | 0;
  state[2] = (state[2]! + c) | 0;
  state[3] = (state[3]! + d) | 0;
  state[4] = (state[4]! + e) | 0;
  state[5] = (state[5]! + f) | 0;
  state[6] = (state[6]! + g) | 0;
  state[7] = (state[7]! + h) | 0;
}

/** 64 lower-case hexadecimal digits. A lone surrogate is taken as it is. */
export function sha256(text: string): string {
  tables ??= {
    start: constants(8, 2),
    rounds: constants(64, 3),
    words: new Int32Array(64),
    bytes: new Uint8Array(SHORT_BYTES),
  };
  const { start, rounds, words } = tables;
  const { bytes, end } = padded(text, tables.bytes);
  const state = start.slice();
  for (let block = 0; block < end; block += 64) mix(state, words, rounds, bytes, block);
  let digits = '';
  for (const word of state) digits += (word >>> 0).toString(16).padStart(8, '0');
  return digits;
}
