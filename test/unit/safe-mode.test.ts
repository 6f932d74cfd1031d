/** Core comes up without its state while everything runs on: what it finds again, what it starts, and what it leaves alone. */
import { expect, test } from 'vitest';
import { bootWithClients, type Call, jobsNow, shownUnits, type Wish } from '../simulation/machine.ts';

const plain = (lines: string, unit = '') => `[Unit]\nDefaultDependencies=no\n${unit}${lines}`;
const units = {
  'default.target': plain('', 'Wants=daemon.service kept.service ran.service dies.service stopped.service\n'),
  'daemon.service': plain('[Service]\nExecStart=/bin/daemon\n', 'Wants=stopped.service ran.service\n'),
  'dies.service': plain('[Service]\nExecStart=/bin/daemon\n'),
  'stopped.service': plain('[Service]\nExecStart=/bin/daemon\n'),
  'kept.service': plain('[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/once\n'),
  'ran.service': plain('[Service]\nType=oneshot\nExecStart=/bin/once\n'),
};
const programs = {
  '/bin/daemon': { on: { 15: [{ after: 5, exit: 0 }] } },
  '/bin/once': { run: [{ after: 5, exit: 0 }] },
};

function play(wishes: readonly (Wish | Call)[] = []) {
  return bootWithClients({ units, programs }, wishes);
}

const count = (sim: ReturnType<typeof play>['sim']) => sim.started.map(({ tag }) => tag?.split('|')[0]).sort();

test('what runs or has ended is not started again, what was stopped stays so, and what has died is brought up again', () => {
  const { sim, core } = play([{ atMs: 500, verb: 'stop', units: ['stopped.service'] }]);
  sim.run(1_000);
  expect(shownUnits(core())['default.target']).toMatchObject({ active: 'active' });
  const started = count(sim);
  sim.safeMode(true);
  sim.killCore();
  const dying = sim.processes.all().find(({ unit }) => unit === 'dies.service');
  sim.signal(dying?.pid as number, 9);
  sim.run(2_000);
  expect(core().epoch).toBe(2);
  expect(count(sim)).toEqual([...started, 'dies.service'].sort());
  expect(jobsNow(core())).toEqual([]);
  const shown = shownUnits(core());
  expect(shown['kept.service']).toMatchObject({ active: 'active', sub: 'exited' });
  expect(shown['daemon.service']).toMatchObject({ active: 'active', sub: 'running' });
  expect(shown['default.target']).toMatchObject({ active: 'active' });
  expect(shown['stopped.service']?.active ?? 'inactive').toBe('inactive');
});

test('a state that cannot be read leaves the boot to find out what is there', () => {
  const { sim, core } = play();
  sim.run(1_000);
  sim.state.records.push('[["?"]]');
  sim.killCore();
  sim.run(2_000);
  expect(core().epoch).toBe(2);
  expect(shownUnits(core())['daemon.service']).toMatchObject({ active: 'active', sub: 'running' });
  expect(count(sim).filter((unit) => unit === 'daemon.service')).toHaveLength(1);
});

test('what waits to be confirmed is undone in its time by a core that has lost its state', () => {
  const plan: Call = {
    atMs: 500,
    method: 'Snapshots.Save',
    parameters: { name: 'all' },
  };
  const restore: Call = {
    atMs: 1_500,
    method: 'Snapshots.Restore',
    parameters: { name: 'all', confirmWithinUs: 3_000_000 },
  };
  const { sim, core, clients } = play([plan, { atMs: 1_000, verb: 'stop', units: ['daemon.service'] }, restore]);
  sim.run(2_000);
  expect(clients.answer(2)).toHaveProperty('parameters.outcomes');
  expect(shownUnits(core())['daemon.service']).toMatchObject({ active: 'active' });
  sim.safeMode(true);
  sim.killCore();
  sim.run(1_000);
  expect(core().epoch).toBe(2);
  expect(shownUnits(core())['daemon.service']).toMatchObject({ active: 'active' });
  sim.run(4_000);
  expect(shownUnits(core())['daemon.service']?.active ?? 'inactive').toBe('inactive');
});
