/** Writes of the checkpoint that are cut off, on real files. */
import { expect, test } from 'vitest';
import { PIECE_CHARS } from '../../src/host/node/checkpoint.ts';
import { playCalm } from './crash.ts';
import { DiskState } from './disk.ts';
import { lives } from './lives/index.ts';
import type { Life } from './lives/life.ts';
import { scenarioOf } from './real.ts';
import { recording, tearEverywhere } from './torn.ts';

function writesOf(life: Life, compactBytes?: number) {
  const { state, writes } = recording();
  const more = compactBytes === undefined ? {} : { compactBytes };
  playCalm(scenarioOf(life, { name: 'plain', state: () => state, ...more }));
  return writes;
}

test('a record or an image that is cut off at any byte is there as a whole, or not at all', () => {
  const records = writesOf(lives[0] as Life);
  const some = tearEverywhere(records, (index) => index % 5 === 2);
  expect(some).toMatchObject({ fault: undefined });
  expect(some.bytes).toBeGreaterThan(1_000);
  const images = writesOf(lives[6] as Life, 0);
  const last = images.findIndex(({ call }) => call === 'state.finish');
  const pieces = images.slice(0, last + 1);
  expect(pieces.map(({ call }) => call)).toEqual(expect.arrayContaining(['state.replace', 'state.begin', 'state.add']));
  const sampled = (index: number) => pieces[index]?.call !== 'state.append' && (index > last - 4 || index % 3 === 0);
  const all = tearEverywhere(pieces, sampled);
  expect(all).toMatchObject({ fault: undefined });
});

test('a record of many pieces counts from its last byte on', () => {
  const disk = new DiskState();
  try {
    disk.load();
    disk.replace('image');
    disk.append('before');
    const long = 'x'.repeat(2.5 * PIECE_CHARS);
    disk.append(long);
    const all = disk.written;
    const near = (at: number) => Array.from({ length: 40 }, (_, more) => at - 20 + more);
    const places = [0, PIECE_CHARS, 2 * PIECE_CHARS, 2.5 * PIECE_CHARS, all].flatMap(near);
    const before = disk.look().records;
    expect(before).toEqual(['before', long]);
    for (const byte of places.filter((one) => one >= 0 && one < all)) {
      disk.tear('state.append', [long], byte);
      expect(disk.look(), `cut off after byte ${byte} of ${all}`).toMatchObject({ image: 'image', records: before });
    }
    disk.append(long);
    expect(disk.look()).toMatchObject({ records: [...before, long], note: undefined });
  } finally {
    disk.remove();
  }
});
