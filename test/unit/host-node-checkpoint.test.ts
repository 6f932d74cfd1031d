import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeHeader,
  decodeRecords,
  encodeHeader,
  encodeRecord,
  HEADER_BYTES,
  plainBootId,
  RECORD_OVERHEAD,
} from '../../src/host/node/checkpoint.ts';

const header = { generation: 7, bootId: plainBootId('01234567-89ab-cdef-0123-456789abcdef\n'), isVoid: false };

/** A file of `room` bytes with these records, written as the state port writes them. */
function fileWith(
  texts: readonly string[],
  generation: number,
  room: number,
  before: Buffer = Buffer.alloc(room),
): Buffer {
  const file = Buffer.from(before);
  encodeHeader({ ...header, generation }).copy(file);
  let at = HEADER_BYTES;
  for (const [index, text] of texts.entries()) {
    const bytes = encodeRecord(text, generation, index);
    bytes.copy(file, at);
    at += bytes.length - RECORD_OVERHEAD;
  }
  return file;
}

describe('a checkpoint file', () => {
  const texts = ['{"image":1}', 'first', '', 'zweiter ünd', '𝄞'];
  const whole = fileWith(texts, 7, 512);
  const ends = texts.map((_, count) =>
    texts.slice(0, count + 1).reduce((at, text) => at + RECORD_OVERHEAD + Buffer.byteLength(text), HEADER_BYTES),
  );

  test('gives back its header and its records, empty ones too', () => {
    expect(decodeHeader(whole)).toEqual(header);
    expect(decodeRecords(whole, 7)).toEqual({ texts, end: ends.at(-1), torn: undefined });
  });

  test('cut at any byte gives every record that is whole, and says that the rest is torn', () => {
    const last = ends.at(-1) as number;
    for (let cut = HEADER_BYTES; cut < last; cut += 1) {
      // What was not written is zero in a preallocated file.
      const torn = Buffer.concat([whole.subarray(0, cut), Buffer.alloc(whole.length - cut)]);
      const read = decodeRecords(torn, 7);
      const complete = ends.filter((end) => end <= cut).length;
      // A cut that leaves only zeroes behind may leave a record whole by chance, never more than was written.
      expect(read.texts.length, `cut at ${cut}`).toBeGreaterThanOrEqual(complete);
      expect(read.texts, `cut at ${cut}`).toEqual(texts.slice(0, read.texts.length));
      if (read.texts.length < texts.length && cut > (ends[read.texts.length - 1] ?? HEADER_BYTES)) {
        expect(read.torn, `cut at ${cut}`).toContain(`record ${read.texts.length}`);
      }
    }
  });

  test('with any one byte of its records changed never gives a record that was not written', () => {
    for (let at = HEADER_BYTES; at < (ends.at(-1) as number); at += 1) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] as number) ^ 0x41;
      const read = decodeRecords(damaged, 7);
      expect(read.texts, `byte ${at}`).toEqual(texts.slice(0, read.texts.length));
      expect(read.texts.length, `byte ${at}`).toBeLessThan(texts.length);
    }
  });

  test('does not take what an earlier generation left behind for its own', () => {
    const old = fileWith(['image', 'aaaa', 'bbbb', 'cccc'], 5, 512);
    const reused = fileWith(['image'], 6, 512, old);
    expect(decodeRecords(reused, 6)).toMatchObject({ texts: ['image'], torn: undefined });
    const withoutEnd = Buffer.from(reused);
    old.copy(withoutEnd, HEADER_BYTES + RECORD_OVERHEAD + 5, HEADER_BYTES + RECORD_OVERHEAD + 5);
    expect(decodeRecords(withoutEnd, 6).texts).toEqual(['image']);
  });

  test('that is full to its last byte says so', () => {
    expect(decodeRecords(whole.subarray(0, ends.at(-1)), 7)).toMatchObject({
      texts,
      torn: expect.stringContaining('full'),
    });
  });
});

describe('a header', () => {
  test('that was never written is empty, and one of other bytes is refused by name', () => {
    expect(decodeHeader(Buffer.alloc(HEADER_BYTES))).toBe('empty');
    expect(decodeHeader(Buffer.alloc(3))).toBe('empty');
    expect(decodeHeader(Buffer.from('x'.repeat(HEADER_BYTES)))).toBe('not a checkpoint');
  });

  test('of another format is refused with both numbers', () => {
    const bytes = encodeHeader(header);
    bytes.writeUInt32LE(9, 8);
    expect(decodeHeader(bytes)).toBe('format 9, this is format 1');
  });

  test('with any one bit changed is not believed', () => {
    const bytes = encodeHeader(header);
    for (let bit = 0; bit < HEADER_BYTES * 8; bit += 1) {
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(typeof decodeHeader(damaged), `bit ${bit}`).toBe('string');
    }
  });

  test('keeps large generations and the void mark', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.boolean(), (generation, isVoid) => {
        expect(decodeHeader(encodeHeader({ ...header, generation, isVoid }))).toEqual({
          ...header,
          generation,
          isVoid,
        });
      }),
    );
  });
});

test('reading any bytes as records ends, and takes no more than is there', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(), (bytes, generation) => {
      const read = decodeRecords(Buffer.from(bytes), generation);
      expect(read.end).toBeLessThanOrEqual(Math.max(HEADER_BYTES, bytes.length));
    }),
  );
});
