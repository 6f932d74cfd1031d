/** Faults that crashing core everywhere has brought to light: one case each, small enough to read. */
import { expect, test } from 'vitest';
import { createSim } from '../../src/host/sim/index.ts';
import { crashEverywhere, playCalm } from './crash.ts';
import { type Life, programs, service } from './lives/life.ts';
import { bootCore, simOptions } from './machine.ts';
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

test('the answer to a client of the core before never goes to another one whose session has the same number', () => {
  const units = {
    'first.service': service('Type=oneshot\nExecStart=/bin/slow'),
    'other.service': service('Type=oneshot\nExecStart=/bin/daemon'),
  };
  const sim = createSim(simOptions({ units, programs }));
  sim.boot((host) => void bootCore(host));
  sim.run(50);
  const start = (unit: string) => {
    const client = sim.client();
    const parameters = { verb: 'start', units: [unit], requestId: unit };
    client.send(JSON.stringify({ method: 'io.sysmaster.Jobs.Request', parameters }));
    return client;
  };
  const before = start('first.service');
  sim.run(50);
  sim.killCore();
  sim.run(20);
  const after = start('other.service');
  // Each core counts from one: were it otherwise, this test would show nothing.
  expect(after.session).toBe(before.session);
  sim.run(1_000);
  expect(sim.deaths).toBe(1);
  expect(after.received).toEqual([]);
  const again = start('first.service');
  sim.run(50);
  expect(again.received).toHaveLength(1);
});
