import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Framing } from '../../src/host/node/framing.ts';

const encode = (text: string) => new TextEncoder().encode(text);

test('messages come out whole however the bytes were cut', () => {
  const texts = fc.array(fc.string({ unit: 'grapheme', maxLength: 40 }).map((text) => text.replaceAll('\0', '')));
  fc.assert(
    fc.property(texts, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (messages, sizes) => {
      const bytes = encode(messages.map((message) => `${message}\0`).join(''));
      const framing = new Framing(1000);
      const out: string[] = [];
      for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
        const size = sizes[turn % sizes.length] as number;
        out.push(...(framing.take(bytes.subarray(at, at + size)) as string[]));
        at += size;
      }
      expect(out).toEqual(messages);
      expect(framing.pending).toBe(0);
    }),
  );
});

test('bytes without a NUL are kept and counted', () => {
  const framing = new Framing(10);
  expect(framing.take(encode('ab\0cde'))).toEqual(['ab']);
  expect(framing.pending).toBe(3);
});

test('a message of exactly the bound passes, and one byte more does not', () => {
  expect(new Framing(4).take(encode('abcd\0'))).toEqual(['abcd']);
  expect(new Framing(4).take(encode('abcde\0'))).toBeUndefined();
});

test('garbage is refused at the bound, before its NUL and in small pieces', () => {
  const framing = new Framing(4);
  expect(framing.take(encode('ab'))).toEqual([]);
  expect(framing.take(encode('cd'))).toEqual([]);
  expect(framing.take(encode('e'))).toBeUndefined();
});

test('bytes that are not UTF-8 become a message with replacement characters, not an exception', () => {
  expect(new Framing(10).take(Uint8Array.of(0xff, 0xc3, 0))).toEqual(['\ufffd\ufffd']);
});
