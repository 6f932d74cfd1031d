/** A short run of `npm run fuzz`, always with the same inputs. */
import { expect, test } from 'vitest';
import { mutate, randomFrom } from './inputs.ts';
import { fuzz } from './run.ts';
import { TARGETS } from './targets.ts';

test('some thousand mutated inputs make neither the reader nor any parser throw or hang', () => {
  const { inputs, failures } = fuzz(TARGETS, 6000, 252);
  expect(failures).toEqual([]);
  expect(inputs).toBeGreaterThan(5000);
});

test('a target that throws is told with its input', () => {
  const target = {
    name: 'bad',
    corpus: ['x'],
    weight: 1,
    feed: () => {
      throw new Error('no');
    },
  };
  expect(fuzz([target], 3, 1).failures).toHaveLength(3);
});

test('the same seed gives the same inputs', () => {
  const inputs = (seed: number) => {
    const random = randomFrom(seed);
    return Array.from({ length: 50 }, () => mutate('Mon..Fri 10:00', 'daily', random));
  };
  expect(inputs(7)).toEqual(inputs(7));
  expect(inputs(7)).not.toEqual(inputs(8));
});
