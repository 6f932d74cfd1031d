import { expect, test } from 'vitest';
import { admitRestart, affected, startsAgain, stopOrder } from '../../src/supervisor/strategy.ts';

const order = ['a', 'b', 'c', 'd'];

test.each([
  ['one_for_one', 'a', ['a']],
  ['one_for_one', 'c', ['c']],
  ['one_for_one', 'd', ['d']],
  ['one_for_all', 'a', ['a', 'b', 'c', 'd']],
  ['one_for_all', 'd', ['a', 'b', 'c', 'd']],
  ['rest_for_one', 'a', ['a', 'b', 'c', 'd']],
  ['rest_for_one', 'c', ['c', 'd']],
  ['rest_for_one', 'd', ['d']],
  ['one_for_all', 'stranger', []],
  ['rest_for_one', 'stranger', []],
] as const)('%s: the failure of %s affects %j', (strategy, failed, expected) => {
  expect(affected(strategy, order, failed)).toEqual(expected);
});

test('children stop in the reverse of their order of starting', () => {
  expect(stopOrder(order)).toEqual(['d', 'c', 'b', 'a']);
});

test.each([
  ['permanent', true, true],
  ['permanent', false, true],
  ['transient', true, true],
  ['transient', false, false],
  ['temporary', true, false],
  ['temporary', false, false],
] as const)('a %s child that ended (failed: %s) is started again: %s', (restart, failed, again) => {
  expect(startsAgain(restart, failed)).toBe(again);
});

test('a supervisor admits as many restarts in a period as its intensity, and no more', () => {
  const budget = { intensity: 3, periodMs: 1_000 };
  let history: readonly number[] = [];
  const verdicts = [100, 200, 300, 400].map((now) => {
    const admitted = admitRestart(history, now, budget);
    history = admitted.history;
    return admitted.verdict;
  });
  expect(verdicts).toEqual(['restart', 'restart', 'restart', 'give-up']);
});

test('restarts older than the period do not count, those exactly as old do', () => {
  const budget = { intensity: 1, periodMs: 1_000 };
  expect(admitRestart([1_000], 2_000, budget).verdict).toBe('give-up');
  expect(admitRestart([1_000], 2_001, budget)).toEqual({ verdict: 'restart', history: [2_001] });
});

test('an intensity of zero admits none', () => {
  expect(admitRestart([], 5, { intensity: 0, periodMs: 1_000 }).verdict).toBe('give-up');
});

test('the history never grows beyond what can matter', () => {
  let history: readonly number[] = [];
  for (let now = 0; now < 1_000; now += 1)
    history = admitRestart(history, now, { intensity: 4, periodMs: 60_000 }).history;
  expect(history).toEqual([999, 998, 997, 996, 995]);
});
