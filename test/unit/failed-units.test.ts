import { expect, test } from 'vitest';
import { FailedUnits } from '../../src/actors/failed.ts';

/** Units that are failed, and how often anybody looked at one. */
function world(...failed: string[]) {
  const now = new Set(failed);
  const seen = { looks: 0 };
  const units = new FailedUnits(
    () => ['a.service', 'b.service', 'c.service'],
    (unit) => {
      seen.looks += 1;
      return now.has(unit);
    },
  );
  return { now, seen, units };
}

test('units that had failed before anybody told of changes are found', () => {
  expect(world('b.service').units.any()).toBe(true);
  expect(world().units.any()).toBe(false);
});

test('a unit counts from its failure until it is looked at and has failed no longer', () => {
  const { now, units } = world();
  expect(units.any()).toBe(false);
  now.add('c.service');
  units.changed('c.service', true);
  expect(units.any()).toBe(true);
  now.delete('c.service');
  expect(units.any()).toBe(false);
});

test('one that has come up is not looked for among all the others', () => {
  const { seen, units } = world();
  units.any();
  seen.looks = 0;
  units.changed('a.service', false);
  expect(units.any()).toBe(false);
  expect(seen.looks).toBe(0);
});

test('all are looked at again when units were read anew', () => {
  const { now, units } = world();
  units.any();
  now.add('a.service'); // nobody has told
  expect(units.any()).toBe(false);
  units.forget();
  expect(units.any()).toBe(true);
});
