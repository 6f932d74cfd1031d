/** JSON in pieces: the same text as in one. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eventsLogic } from '../../src/actors/events.ts';
import { createJobsLogic } from '../../src/jobs/logic.ts';
import type { Logic } from '../../src/supervisor/index.ts';
import { isLong, jsonPieces } from '../../src/supervisor/json-pieces.ts';
import { bootWithClients } from '../simulation/machine.ts';

const joined = (value: unknown) => [...jsonPieces(value)].join('');

test('the pieces of any value are together what JSON.stringify says of it', () => {
  const anything = fc.object({ maxDepth: 4, maxKeys: 40, withNullPrototype: true, withDate: true });
  fc.assert(
    fc.property(fc.array(anything, { maxLength: 60 }), (value) => {
      expect(joined(value)).toBe(JSON.stringify(value));
    }),
  );
});

test('what has no text is left out of an object, and null in a list, as in JSON.stringify', () => {
  const long = Array.from({ length: 2000 }, (_, index) => index);
  const value = {
    gone: undefined,
    long,
    f: () => 1,
    list: [undefined, long, () => 1],
    of: { toJSON: () => 'told' },
    at: new Date(0),
  };
  expect(joined(value)).toBe(JSON.stringify(value));
  expect(joined(undefined)).toBe('null');
});

test('a large value comes in many pieces, none of them much larger than the others', () => {
  const plan = Object.fromEntries(
    Array.from({ length: 5000 }, (_, n) => [`unit${n}.service`, { n, edges: ['a', 'b', { to: `c${n}` }] }]),
  );
  const text = '𝄞"\\\n'.repeat(50_000);
  const value = { small: 1, plan, deep: [[[[plan]]]], text };
  const pieces = [...jsonPieces(value)];
  expect(pieces.join('')).toBe(JSON.stringify(value));
  expect(pieces.length).toBeGreaterThan(50);
  expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(40_000);
});

test('a small value is told in one', () => {
  const settings = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`Setting${n}`, ['a', 1, { on: true }]]));
  expect(isLong(settings)).toBe(false);
  expect([...jsonPieces(settings)]).toHaveLength(1);
  expect(isLong('x'.repeat(100_000))).toBe(true);
});

test('what the large actors of core save entry by entry is what they save at once', () => {
  const names = Array.from({ length: 60 }, (_, n) => `unit${n}.service`);
  const units = Object.fromEntries(
    names.map((name) => [name, '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/bin/waits\n']),
  );
  const wishes = [{ atMs: 5, verb: 'start' as const, units: names }];
  const { sim, core } = bootWithClients({ units, programs: { '/bin/waits': {} } }, wishes);
  sim.run(100);
  const logics: Readonly<Record<string, Logic<never>>> = {
    jobs: createJobsLogic({} as never) as unknown as Logic<never>,
    events: eventsLogic as unknown as Logic<never>,
  };
  for (const [id, logic] of Object.entries(logics)) {
    const snapshot = core().read(id) as never;
    const whole = JSON.parse(JSON.stringify(logic.save(snapshot)));
    expect(JSON.stringify(whole)).toContain('unit59.service');
    expect(JSON.parse(joined(logic.saveSlowly?.(snapshot)))).toEqual(whole);
  }
});
