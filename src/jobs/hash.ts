/**
 * SHA-256 of a text (FIPS 180-4), in plain ECMAScript: plans and settings are told apart by it. It says that two things are the
 * same, and protects nothing.
 */

/** The first 32 bits of the fractional parts of the square roots (n = 2) or cube roots (n = 3) of the first primes. */
function constants(count: number, root: 2 | 3): Uint32Array {
  const found = new Uint32Array(count);
  for (let candidate = 2, at = 0; at < count; candidate += 1) {
    let prime = true;
    for (let divisor = 2; divisor * divisor <= candidate; divisor += 1) if (candidate % divisor === 0) prime = false;
    if (!prime) continue;
    found[at] = fraction(BigInt(candidate), root);
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
  readonly start: Uint32Array;
  readonly rounds: Uint32Array;
}
/** Made at first use: no start of core waits for it. */
let tables: Tables | undefined;

function utf8(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3 + 72);
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
  const padded = ((length + 8) >> 6) * 64 + 64;
  const whole = padded > bytes.length ? new Uint8Array(padded) : bytes;
  if (whole !== bytes) whole.set(bytes.subarray(0, length));
  whole[length] = 0x80;
  const view = new DataView(whole.buffer);
  view.setUint32(padded - 8, Math.floor(length / 0x20000000));
  view.setUint32(padded - 4, (length << 3) >>> 0);
  return whole.subarray(0, padded);
}

const turned = (word: number, by: number) => (word >>> by) | (word << (32 - by));

/** 64 lower-case hexadecimal digits. A lone surrogate is taken as it is. */
export function sha256(text: string): string {
  tables ??= { start: constants(8, 2), rounds: constants(64, 3) };
  const { start, rounds } = tables;
  const bytes = utf8(text);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const state = Uint32Array.from(start);
  const words = new Uint32Array(64);
  for (let block = 0; block < bytes.length; block += 64) {
    for (let at = 0; at < 16; at += 1) words[at] = view.getUint32(block + at * 4);
    for (let at = 16; at < 64; at += 1) {
      const [a, b] = [words[at - 15] as number, words[at - 2] as number];
      const small = turned(a, 7) ^ turned(a, 18) ^ (a >>> 3);
      const large = turned(b, 17) ^ turned(b, 19) ^ (b >>> 10);
      words[at] = ((words[at - 16] as number) + small + (words[at - 7] as number) + large) | 0;
    }
    let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
    for (let at = 0; at < 64; at += 1) {
      const choice = (e & f) ^ (~e & g);
      const one = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25);
      const t1 = (h + one + choice + (rounds[at] as number) + (words[at] as number)) | 0;
      const two = turned(a, 2) ^ turned(a, 13) ^ turned(a, 22);
      const majority = (a & b) ^ (a & c) ^ (b & c);
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + two + majority) | 0;
    }
    for (const [at, word] of [a, b, c, d, e, f, g, h].entries()) state[at] = ((state[at] as number) + word) | 0;
  }
  return [...state].map((word) => word.toString(16).padStart(8, '0')).join('');
}
