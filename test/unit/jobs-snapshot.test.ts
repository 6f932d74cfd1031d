/** What leads back to a snapshot, and which texts are none. */
import { describe, expect, test } from 'vitest';
import { readSnapshot, restoring, type Snapshot, type SnapshotUnit } from '../../src/jobs/snapshot.ts';
import type { ActiveState } from '../../src/jobs/types.ts';
import { graphOf } from './support/job-world.ts';

const unit = (file: string, active: ActiveState = 'inactive', settings = 'aaaa'): SnapshotUnit => ({
  active,
  sub: '',
  load: file.startsWith('masked') ? 'masked' : 'loaded',
  file,
  settings,
});
const taken = (units: Snapshot['units']): Snapshot => ({
  format: 'sysmaster-snapshot',
  version: 1,
  name: 'good',
  madeUs: 1,
  by: '',
  machineId: 'm',
  bootId: 'b',
  defaultTarget: 'default.target',
  units,
});
const back = (then: Snapshot['units'], now: Snapshot['units']) =>
  restoring(taken(then), taken(now), graphOf({ 'a.service': {} }), 'a test');
const files = (then: string | undefined, now: string | undefined) =>
  back(
    then === undefined ? {} : { 'a.service': unit(then) },
    now === undefined ? {} : { 'a.service': unit(now) },
  ).files.map(({ verb, runtime }) => `${verb}${runtime ? ' --runtime' : ''}`);

describe('what leads back to a snapshot', () => {
  test.each([
    ['enabled', 'disabled', ['enable']],
    ['disabled', 'enabled-runtime', ['disable --runtime']],
    ['enabled-runtime', 'enabled', ['disable', 'enable --runtime']],
    ['masked', 'enabled', ['mask']],
    ['enabled', 'masked-runtime', ['unmask --runtime', 'enable']],
    ['masked', undefined, ['mask']],
    ['enabled', undefined, ['enable']],
    [undefined, 'enabled', ['disable']],
    [undefined, 'masked', ['unmask']],
    ['static', 'disabled', []],
  ])('a unit that was %s and is %s: %j', (then, now, verbs) => expect(files(then, now)).toEqual(verbs));

  test('other settings are said of a unit that is up, but not where a mask explains them', () => {
    const up = { 'a.service': unit('static', 'active') };
    expect(back(up, { 'a.service': unit('static', 'active', 'bbbb') }).notes).toEqual([
      'a.service: its settings are others than in the snapshot (aaaa, now bbbb); unit files are not restored',
    ]);
    expect(back(up, { 'a.service': unit('masked', 'active', 'bbbb') }).notes).toEqual([]);
  });
});

test('a snapshot in which a unit is in a state that there is not is none', () => {
  const text = (active: string) => JSON.stringify(taken({ 'a.service': unit('static', active as ActiveState) }));
  expect(readSnapshot(text('active'))).toMatchObject({ name: 'good' });
  expect(readSnapshot(text('fine'))).toBe('a.service cannot have been "fine"');
});
