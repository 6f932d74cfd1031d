import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Json } from '../../src/supervisor/actor.ts';
import { applied, Deltas } from '../../src/supervisor/delta.ts';

const key = fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor');
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(undefined, null, 0, -0, Number.NaN, '', 'x', true),
    fc.array(tie('any'), { maxLength: 3 }),
    tie('object'),
  ),
  object: fc.dictionary(key, tie('any'), { maxKeys: 5 }),
}));
const read = (text: string): Json => JSON.parse(text) as Json;

test('what is told by its difference from another is what it would be told whole', () => {
  fc.assert(
    fc.property(value.object, fc.array(value.object, { minLength: 1, maxLength: 4 }), (base, others) => {
      const deltas = new Deltas();
      const was = read(JSON.stringify(base));
      for (const other of others) {
        const text = deltas.text(base, other);
        const isTold = ![base, other].some((one) => Object.hasOwn(one, '__proto__'));
        expect(text !== undefined).toBe(isTold);
        if (text !== undefined) expect(applied(was, JSON.parse(text))).toEqual(read(JSON.stringify(other)));
      }
      expect(was).toEqual(read(JSON.stringify(base)));
    }),
    { numRuns: 2000 },
  );
});

test('only what differs is told, and what is the same is shared', () => {
  const base = { settings: { exec: ['/bin/a'], more: { deep: [1, 2] } }, n: 1, gone: true };
  const text = new Deltas().text(base, { settings: { exec: ['/bin/b'], more: { deep: [1, 2] } }, n: 1 }) as string;
  expect(text).toBe('[{},{"settings":[{"exec":["/bin/b"]}]},["gone"]]');
  const back = applied(base, JSON.parse(text)) as unknown as typeof base;
  expect(back.settings.more).toBe(base.settings.more);
  expect(new Deltas().text(base, { ...base })).toBe('[{}]');
});

test('what is no plain object has no difference, and none can be applied to it', () => {
  const deltas = new Deltas();
  for (const other of [null, undefined, 1, 'x', [1], new Map(), { toJSON: () => 1 }])
    expect(deltas.text({ a: 1 }, other)).toBeUndefined();
  for (const base of [undefined, null, 1, 'x', [1]])
    expect(() => applied(base, [{}])).toThrow('a difference from nothing');
  expect(() => applied({ a: 1 }, { a: 2 } as never)).toThrow();
});
