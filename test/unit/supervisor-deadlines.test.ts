import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Deadlines } from '../../src/supervisor/deadlines.ts';

test('arming again replaces, and only the new time fires', () => {
  const deadlines = new Deadlines();
  deadlines.arm('a', 'stop', 100);
  deadlines.arm('a', 'stop', 300);
  expect(deadlines.next()).toBe(300);
  expect(deadlines.takeDue(200)).toEqual([]);
  expect(deadlines.takeDue(300)).toEqual([{ actor: 'a', name: 'stop', at: 300 }]);
});

test('infinity is shown but never due', () => {
  const deadlines = new Deadlines();
  deadlines.arm('a', 'start', 'infinity');
  expect(deadlines.of('a')).toEqual({ start: 'infinity' });
  expect(deadlines.next()).toBeUndefined();
  expect(deadlines.takeDue(Number.MAX_SAFE_INTEGER)).toEqual([]);
});

test('what is due comes by time, then by actor, then by name', () => {
  const deadlines = new Deadlines();
  for (const [actor, name, at] of [
    ['b', 'x', 2],
    ['a', 'y', 2],
    ['a', 'x', 2],
    ['z', 'x', 1],
  ] as const)
    deadlines.arm(actor, name, at);
  expect(deadlines.takeDue(2).map(({ actor, name }) => actor + name)).toEqual(['zx', 'ax', 'ay', 'bx']);
});

test('what was taken and not fired can be armed again', () => {
  const deadlines = new Deadlines();
  deadlines.arm('a', 'x', 5);
  deadlines.takeDue(10);
  expect(deadlines.next()).toBeUndefined();
  deadlines.rearm('a');
  expect(deadlines.takeDue(10)).toHaveLength(1);
});

test('the heap agrees with a plain table over any sequence of changes', () => {
  const change = fc.record({
    actor: fc.constantFrom('a', 'b', 'c'),
    name: fc.constantFrom('x', 'y'),
    at: fc.option(fc.integer({ min: 0, max: 50 }), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 400 }), (changes) => {
      const deadlines = new Deadlines();
      const table = new Map<string, number>();
      for (const { actor, name, at } of changes) {
        if (at === undefined) {
          deadlines.disarm(actor, name);
          table.delete(actor + name);
        } else {
          deadlines.arm(actor, name, at);
          table.set(actor + name, at);
        }
        expect(deadlines.next()).toBe(table.size === 0 ? undefined : Math.min(...table.values()));
      }
      const due = deadlines.takeDue(25).map(({ actor, name }) => actor + name);
      const expected = [...table].filter(([, at]) => at <= 25).sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
      expect(due).toEqual(expected.map(([key]) => key));
    }),
  );
});
