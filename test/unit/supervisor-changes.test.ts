/** Changes of plain objects, told by what is new in them. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Fields, fieldsChange, withChange } from '../../src/supervisor/changes.ts';

const told = (before: Fields, after: Fields) => JSON.parse(JSON.stringify(fieldsChange(before, after)));

test('one element of a long list that has changed is told alone', () => {
  const list = Array.from({ length: 1000 }, (_, at) => ({ at, over: false, notes: ['a', 'b'] }));
  const before = { errands: [{ key: 'x' }, { key: 'y', wanted: list }], other: { deep: list } };
  const errand = { ...before.errands[1], wanted: list.with(700, { ...list[700]!, over: true }) };
  const after = { ...before, errands: [before.errands[0]!, errand] };
  const change = told(before, after);
  expect(change).toEqual({ l: { errands: [1, { l: { wanted: [700, { c: { over: true } }] } }] } });
  expect(withChange(before, change)).toEqual(after);
});

test('what comes to the end of a list, and what goes from its beginning, is told alone', () => {
  const one = { list: [{ a: 1 }, { b: 2 }, { c: 3 }] };
  const two = { list: [one.list[1]!, one.list[2]!, { d: 4 }] };
  expect(told(one, { list: [...one.list, { d: 4 }] })).toEqual({ l: { list: [3, 0, [{ d: 4 }]] } });
  expect(told(one, { list: one.list.slice(1) })).toEqual({ l: { list: [0, 1, []] } });
  expect(withChange(one, told(one, two))).toEqual(two);
});

test('a change that belongs to something else is refused', () => {
  expect(() => withChange({ list: 3 }, { l: { list: [0, 1, []] } })).toThrow('a list that is not there');
  expect(() => withChange({ list: [1] }, { l: { list: [0, { c: { a: 1 } }] } })).toThrow(
    'an element that is not there',
  );
});

// Some parts of the second object are those of the first, as steps share them.
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.integer(),
    fc.constant(null),
    fc.string(),
    fc.array(tie('any'), { maxLength: 5 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', 'list'), tie('any')),
  ),
})).any;
const fields = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'list', '__proto__x'), value);

test('whatever the two are, the change leads from one to the other, also by way of its text, and changes nothing in place', () => {
  const shared = fc.tuple(fields, fields, fc.array(fc.nat(4), { maxLength: 6 }));
  fc.assert(
    fc.property(shared, ([one, other, picks]) => {
      const before = one as Fields;
      const parts = Object.values(before);
      const list = picks.map((at) => parts[at] ?? { at });
      const after = { ...other, ...(picks.length > 3 ? before : {}), list, kept: [...list, { end: true }] } as Fields;
      const text = JSON.stringify(before);
      const middle = { ...before, kept: list } as Fields;
      expect(withChange(middle, told(middle, after))).toEqual(JSON.parse(JSON.stringify(after)));
      expect(JSON.stringify(before)).toBe(text);
    }),
    { numRuns: 2000, examples: [[[{ list: [{ a: '' }], a: '', b: { list: [], a: 0 } }, {}, [4]]]] },
  );
});
