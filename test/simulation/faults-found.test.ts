/** Faults that crashing core everywhere has brought to light: one case each, small enough to read. */
import { expect, test } from 'vitest';
import { crashEverywhere, playCalm } from './crash.ts';
import { type Life, programs, service } from './lives/life.ts';
import { scenarioOf, type Variant } from './real.ts';

/** One event a turn: whatever stands in the queue is in the checkpoint at some time. */
const single: Variant = { name: 'single', turnEvents: 1 };

const life = (units: Life['units'], wishes: Life['wishes'], more: Partial<Life> = {}): Life => ({
  name: 'a fault',
  units,
  programs,
  wishes,
  forMs: 1_000,
  end: {},
  ...more,
});

test('a unit whose actor was about to be made when core died is known to the job that was asked for behind it', () => {
  const one = life({ 'a.service': service('ExecStart=/bin/daemon') }, [
    { atMs: 20, verb: 'start', units: ['a.service'] },
  ]);
  expect(crashEverywhere(scenarioOf(one, single)).lawful).toBe(0);
});

test('descriptors are stored under the names that their event finds, also where core handles events one by one', () => {
  const hoards = { '/bin/hoards': { run: [{ after: 10, notify: 'READY=1\nFDSTORE=1', notifyFds: 2 }] } };
  const one = life(
    { 'a.service': service('Type=notify\nExecStart=/bin/hoards\nFileDescriptorStoreMax=4') },
    [{ atMs: 20, verb: 'start', units: ['a.service'] }],
    { programs: hoards },
  );
  for (const variant of [{ name: 'plain' }, single]) {
    const calm = playCalm(scenarioOf(one, variant));
    expect(calm.end.store.filter((name) => name.startsWith('fdstore:'))).toHaveLength(2);
    expect(crashEverywhere(scenarioOf(one, variant)).lawful).toBe(0);
  }
});
