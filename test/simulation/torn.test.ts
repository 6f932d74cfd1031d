/** Writes of the checkpoint that are cut off, on real files. */
import { expect, test } from 'vitest';
import { playCalm } from './crash.ts';
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
  const last = images.findLastIndex(({ call }) => call === 'state.replace');
  const all = tearEverywhere(images.slice(0, last + 1), (index) => index === 0 || index === 1);
  expect(all).toMatchObject({ fault: undefined });
  expect(images[last]?.call).toBe('state.replace');
});
