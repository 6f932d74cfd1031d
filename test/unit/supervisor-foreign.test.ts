/** Charts of users: what they may leave in a snapshot, what becomes of the rest, and what anybody may throw. */
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { assign, createMachine } from 'xstate';
import { foreignLogic, machineLogic, messageOf } from '../../src/supervisor/index.ts';

/** A chart that puts into its context what `make` makes; a plugin's objects are of a realm of their own. */
const putting = (make: () => unknown) =>
  foreignLogic(
    machineLogic(
      createMachine({
        id: 'm',
        context: { kept: { list: [1] }, made: null as unknown },
        on: {
          put: { actions: assign({ made: () => make() }) },
          ask: { actions: { type: 'armDeadline', params: () => make() as never } },
        },
      }),
    ),
  );
const step = (make: () => unknown, type: 'put' | 'ask' = 'put') => {
  const logic = putting(make);
  return logic.step(logic.initial(null).snapshot, { type });
};
const ring = () => {
  const made: Record<string, unknown> = {};
  made['made'] = made;
  return made;
};

test.each<[string, () => unknown, RegExp]>([
  ['a function', () => () => 1, /context\.made is not plain JSON: a function/],
  ['a method', () => ({ toJSON: () => 1 }), /context\.made\.toJSON is not plain JSON: a function/],
  ['a number that is none', () => ({ n: [1, Number.NaN] }), /context\.made\.n\[1\] is not plain JSON: NaN/],
  ['a big number', () => 10n, /context\.made is not plain JSON: a bigint/],
  ['a map', () => runInNewContext('new Map()'), /context\.made is not plain JSON: neither a list nor a plain object/],
  ['a time', () => new Date(0), /neither a list nor a plain object/],
  ['a promise', () => Promise.resolve(1), /neither a list nor a plain object/],
  ['a hole', () => [1, undefined], /context\.made\[1\] is not plain JSON: undefined/],
  [
    'a getter',
    () => runInNewContext('({ get x() { for (;;); } })'),
    /context\.made\.x is not plain JSON: it has a getter/,
  ],
  ['a ring', ring, /it contains itself, or is too deep/],
  ['a long text', () => 'x'.repeat(300_000), /context\.made has 300000 characters, more than 262144/],
  ['a long list', () => new Array(1e7), /context\.made has 10000000 items/],
  ['long in many parts', () => Array.from({ length: 2000 }, () => 'x'.repeat(200)), /characters, more than 262144/],
])('%s in the context is a fault of the step', (_what, make, why) => {
  expect(() => step(make)).toThrow(why);
  if (typeof make() === 'object') expect(() => step(make, 'ask')).toThrow(/params of armDeadline/);
});

test('plain data of another realm is taken, as a copy that nobody can change', () => {
  const theirs = runInNewContext('({ a: [1, { b: null }], gone: undefined })') as { a: number[] };
  const { snapshot } = step(() => theirs);
  theirs.a.push(2);
  expect(snapshot.context.made).toEqual({ a: [1, { b: null }] });
  expect(() => snapshot.context.made.a.push(3)).toThrow();
});

test('what tells its fields itself is asked once, in the step', () => {
  let asked = 0;
  const proxy = new Proxy(
    { a: 1 },
    {
      ownKeys(target) {
        asked += 1;
        return Reflect.ownKeys(target);
      },
    },
  );
  const { snapshot } = step(() => proxy);
  const before = asked;
  expect(JSON.stringify(snapshot.context.made)).toBe('{"a":1}');
  expect(asked).toBe(before);
});

test('a chart that changes its context in place changes nothing', () => {
  const logic = foreignLogic(
    machineLogic(
      createMachine({
        id: 'm',
        context: { list: [1] },
        on: {
          spoil: {
            guard: ({ context, event }) => {
              context.list.push(2);
              event.type = 'other';
              return false;
            },
          },
        },
      }),
    ),
  );
  for (const { snapshot } of [
    logic.initial(null),
    { snapshot: logic.load({ value: {}, context: { list: [1] } }, 1) },
  ]) {
    expect(() => logic.step(snapshot, { type: 'spoil' })).toThrow();
    expect(snapshot.context).toEqual({ list: [1] });
  }
});

test('whatever is thrown has a message, of a page at most', () => {
  const odd = [null, undefined, Symbol('s'), 5n, Object.create(null)];
  const unwilling = [
    { toString: () => ring() },
    Object.defineProperty(new Error('x'), 'message', {
      get() {
        throw new Error('y');
      },
    }),
    new Proxy(
      {},
      {
        getPrototypeOf() {
          throw new Error('z');
        },
      },
    ),
  ];
  for (const thrown of [...odd, ...unwilling]) expect(messageOf(thrown)).toMatch(/./);
  expect(messageOf(new Error('x'.repeat(50_000))).length).toBeLessThan(5_000);
});
