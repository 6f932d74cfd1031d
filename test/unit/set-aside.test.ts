/** A unit whose own saved state cannot be used, in a core that has that of all others: released, it is told what there is of it. */
import { expect, test } from 'vitest';
import { bootWithClients, shownUnits } from '../simulation/machine.ts';

const plain = (lines: string) => `[Unit]\nDefaultDependencies=no\n${lines}`;
const UNIT = 'unit:daemon.service';
const units = {
  'default.target': '[Unit]\nDefaultDependencies=no\nWants=daemon.service up.target\n',
  'up.target': plain(''),
  'old.slice': plain(''),
  'new.slice': plain(''),
  'daemon.service': plain('[Service]\nSlice=old.slice\nExecStart=/bin/daemon\n'),
};

test('it runs, in the slice that it was started in, and can be stopped', () => {
  const { sim, core, clients } = bootWithClients({ units, programs: { '/bin/daemon': {} } }, [
    { atMs: 1_500, method: 'Manager.Reload', parameters: {} },
    { atMs: 2_000, method: 'Units.ResetFailed', parameters: { names: ['daemon.service', 'up.target'] } },
    { atMs: 3_000, verb: 'stop', units: ['daemon.service'] },
  ]);
  sim.run(1_000);
  const running = () => sim.processes.all().filter(({ unit }) => unit === 'daemon.service');
  const [process] = running();
  expect(process?.group).toBe('old.slice/daemon.service');
  const seq = Math.max(...[...sim.state.records.join().matchAll(/\["i",(\d+)\]/g)].map(([, number]) => Number(number)));
  const wrong = [UNIT, 'unit:up.target'].map((id) => ['a', id, id === UNIT ? 'service' : 'target', 1, { wrong: true }]);
  sim.state.records.push(JSON.stringify([...wrong, ['i', seq + 1]]));
  sim.files.writeText('/etc/units/daemon.service', units['daemon.service'].replace('old.slice', 'new.slice'), 0o644);
  sim.killCore();
  sim.run(800);
  expect(core().read(UNIT)).toBeUndefined();
  sim.run(700);
  expect(clients.answer(1)).toMatchObject({ parameters: {} });
  expect(shownUnits(core())['daemon.service']).toMatchObject({ active: 'active', sub: 'running' });
  expect(shownUnits(core())['up.target']).toMatchObject({ active: 'active' });
  expect(core().read(UNIT)).toMatchObject({ context: { slice: 'old.slice', settings: { Slice: 'new.slice' } } });
  expect(running()).toEqual([process]);
  sim.run(1_000);
  expect(shownUnits(core())['daemon.service']).toMatchObject({ active: 'inactive' });
  expect(running()).toEqual([]);
});
