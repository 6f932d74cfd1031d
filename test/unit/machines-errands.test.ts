/** The errands of clients: what is kept of them, and for how long. */
import { expect, test } from 'vitest';
import { answered, begin, type Errand, put, requestAnswer, requested } from '../../src/machines/errands.ts';

const asker = { session: 1, ticket: 1, core: 0 };
const errand = (key: string, units: number): Errand =>
  begin(key, asker, 'somebody', {
    what: 'request',
    requests: Array.from({ length: units }, (_, at) => ({ units: [`u${at}.service`] })),
    until: 'done',
  });
const outcomes = (count: number) => ({ result: { what: 'request', outcomes: Array(count).fill({ unit: 'x' }) } });

test('an errand that goes on stays where it is, and all that was said of other units stays the same object', () => {
  const [one, two] = [errand('one', 3), errand('two', 1)];
  const next = requested(one, 1, { accepted: {}, notes: [] });
  expect(put([one, two], next).map(({ key }) => key)).toEqual(['one', 'two']);
  expect(next.wanted[0]).toBe(one.wanted[0]);
  expect(next.wanted[2]).toBe(one.wanted[2]);
  expect(next.wanted[1]).toMatchObject({ over: true, result: 'done' });
  expect(requestAnswer(next)).toBeUndefined();
});

test('of an answered errand the answer is kept, and not what led to it', () => {
  const [kept] = answered([errand('one', 500)], 'one', outcomes(500));
  expect(kept).toMatchObject({ key: 'one', asker, wanted: [], change: { what: 'request' } });
});

test('answers are kept up to a number of them, and of what they say; the newest always', () => {
  let all: readonly Errand[] = [];
  for (let at = 0; at < 300; at += 1) all = answered(put(all, errand(`small ${at}`, 1)), `small ${at}`, outcomes(1));
  expect(all.map(({ key }) => key).at(0)).toBe('small 44');
  expect(all).toHaveLength(256);
  for (const key of ['large 1', 'large 2']) all = answered(put(all, errand(key, 1)), key, outcomes(15_000));
  expect(all.map(({ key }) => key)).toEqual(['large 2']);
  const waiting = errand('waits', 1);
  all = answered(put([waiting, ...all], errand('huge', 1)), 'huge', outcomes(50_000));
  expect(all.map(({ key }) => key)).toEqual(['waits', 'huge']);
});
