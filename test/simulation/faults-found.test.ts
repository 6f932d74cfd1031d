/** Faults that crashing core everywhere has brought to light: one case each, small enough to read. */
import { expect, test } from 'vitest';
import { createSim } from '../../src/host/sim/index.ts';
import { crashEverywhere, play, playCalm } from './crash.ts';
import { type Life, programs, service, UNITS, unit } from './lives/life.ts';
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

/** How it ends where core is killed at this time, in ms, and comes back at once. */
function killedAt(atMs: number, one: Life) {
  const scenario = scenarioOf(one);
  const script: typeof scenario.script = (sim) => {
    scenario.script?.(sim);
    sim.at(atMs, () => sim.killCore());
  };
  return play({ ...scenario, script }, []).end;
}

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

test('what a change has come to is answered as it was decided, not as a core sees it that finds the traces of the last', () => {
  const one = life(
    {
      'a.service': `${service('ExecStart=/bin/daemon')}[Install]\nWantedBy=default.target\n`,
      'b.service': service('ExecStart=/bin/daemon'),
    },
    [
      { atMs: 20, method: 'Units.ChangeFiles', parameters: { verb: 'enable', names: ['a.service'], reload: true } },
      { atMs: 60, verb: 'start', units: ['b.service'] },
      { atMs: 100, method: 'Units.Kill', parameters: { name: 'b.service', signal: 9 } },
      { atMs: 140, method: 'Snapshots.Save', parameters: { name: 'one' } },
      { atMs: 180, method: 'Snapshots.Delete', parameters: { name: 'one' } },
    ],
    { facts: { environment: { SYSMASTER_UNIT_PATH: `/etc/sysmaster/system:${UNITS}` } } },
  );
  const calm = playCalm(scenarioOf(one));
  expect(calm.end.answers).toMatchObject([
    { parameters: { steps: [{ kind: 'symlink' }] } },
    [{ result: 'done' }],
    { parameters: { signalled: 1 } },
    { parameters: { name: 'one' } },
    { parameters: { name: 'one' } },
  ]);
  crashEverywhere(scenarioOf(one));
});

test('files that changed before core died are in force from the reload on, and not from its death', () => {
  const one = (reload: boolean) =>
    life(
      { 'one.target': unit('') },
      [
        { atMs: 20, verb: 'start', units: ['one.target'] },
        ...(reload ? [{ atMs: 90, method: 'Manager.Reload' as const, parameters: {} }] : []),
        { atMs: 100, verb: 'restart', units: ['one.target'] },
      ],
      {
        outside: [
          { atMs: 60, write: `${UNITS}/late.service`, text: service('ExecStart=/bin/daemon') },
          { atMs: 60, write: `${UNITS}/one.target`, text: unit('Requires=late.service\nAfter=late.service\n') },
        ],
      },
    );
  const before = killedAt(80, one(false));
  expect(before.answers[1]).toMatchObject([{ result: 'done' }]);
  expect(before.units['late.service']).toBeUndefined();
  const after = killedAt(80, one(true));
  expect(after.answers[2]).toMatchObject([{ result: 'done' }]);
  expect(after.units['late.service']?.sub).toBe('running');
});

test('a unit that came into reach by a reload after core died stays so when its file changes once more before it is asked for', () => {
  const late = `${UNITS}/late.service`;
  const one = life(
    { 'one.target': unit('') },
    [
      { atMs: 20, verb: 'start', units: ['one.target'] },
      { atMs: 90, method: 'Manager.Reload', parameters: {} },
      { atMs: 120, verb: 'start', units: ['late.service'] },
      { atMs: 200, verb: 'stop', units: ['late.service'] },
      { atMs: 300, verb: 'restart', units: ['one.target'] },
    ],
    {
      outside: [
        { atMs: 60, write: late, text: service('ExecStart=/bin/daemon') },
        { atMs: 60, write: `${UNITS}/one.target`, text: unit('Requires=late.service\nAfter=late.service\n') },
        { atMs: 100, write: late, text: service('ExecStart=/bin/daemon', 'Description=changed') },
      ],
    },
  );
  const end = killedAt(80, one);
  expect(end.answers[4]).toMatchObject([{ result: 'done' }]);
  expect(end.units['late.service']?.sub).toBe('running');
});

test('conditions are looked at again where a job has yet to hear, out of the queue, that they were being looked at', () => {
  const one = life(
    {
      'a.service': service('ExecStart=/bin/daemon', 'ConditionPathExists=/etc/there'),
      'b.service': service('ExecStart=/bin/daemon', 'ConditionPathExists=/etc/there'),
    },
    [{ atMs: 20, verb: 'start', units: ['a.service', 'b.service'] }],
    { files: { '/etc/there': 'yes' } },
  );
  expect(playCalm(scenarioOf(one, single)).end.running).toHaveLength(2);
  expect(crashEverywhere(scenarioOf(one, single), [], (call) => call > 40).lawful).toBe(0);
});

test('a scope is not over because its control group was empty before it took a process in', () => {
  const one = life(
    { 'a.service': service('ExecStart=/bin/daemon', 'After=some.scope') },
    [{ atMs: 20, verb: 'start', units: ['a.service'] }],
    {
      outside: [
        {
          atMs: 100,
          tell: 'unit:some.scope',
          event: ({ processes }) => ({
            type: 'start',
            pids: processes.all().map(({ pid, startTime }) => ({ pid, startTime })),
          }),
        },
      ],
    },
  );
  const { units, running } = playCalm(scenarioOf(one)).end;
  expect(running).toEqual(['/bin/daemon a.service in some.scope']);
  expect(units['some.scope']?.sub).toBe('running');
  expect(crashEverywhere(scenarioOf(one), [], (call) => call % 7 === 0).lawful).toBe(0);
});

test('a service keeps the control group it runs in while its Slice= changes: a stop leaves nothing behind, a start goes to the new one', () => {
  const forks = { '/bin/forks': { run: [{ after: 10, fork: '/bin/daemon' }] }, '/bin/daemon': {} };
  const inSlice = (slice: string) => service(`ExecStart=/bin/forks\nSlice=${slice}`);
  const one = (wishes: Life['wishes']) =>
    life(
      { 'a.service': inSlice('one.slice'), 'b.service': inSlice('one.slice') },
      [
        { atMs: 20, verb: 'start', units: ['a.service', 'b.service'] },
        { atMs: 200, method: 'Manager.Reload', parameters: {} },
        ...wishes,
      ],
      {
        programs: forks,
        outside: [
          { atMs: 150, write: `${UNITS}/a.service`, text: inSlice('two.slice') },
          { atMs: 150, remove: `${UNITS}/b.service` },
        ],
      },
    );
  const stopped = one([{ atMs: 300, verb: 'stop', units: ['a.service', 'b.service'] }]);
  const started = one([{ atMs: 300, verb: 'restart', units: ['a.service'] }]);
  const ends = [playCalm(scenarioOf(stopped)).end, killedAt(250, stopped), killedAt(180, stopped)];
  for (const end of ends) expect(end.running).toEqual([]);
  expect(playCalm(scenarioOf(started)).end.running).toEqual([
    '/bin/daemon a.service in two.slice/a.service',
    '/bin/daemon b.service in one.slice/b.service',
    '/bin/forks a.service in two.slice/a.service',
    '/bin/forks b.service in one.slice/b.service',
  ]);
  expect(crashEverywhere(scenarioOf(started), [], (call) => call % 13 === 0).lawful).toBe(0);
});

test('a reload that waits for its unit when the machine of that is set aside fails, and its client is answered', () => {
  const settings = 'Type=oneshot\nExecStart=/bin/dies\nRestart=on-failure\nRestartSec=1h\nExecReload=/bin/true';
  const one = life(
    { 'a.service': service(settings) },
    [
      { atMs: 20, verb: 'start', units: ['a.service'] },
      { atMs: 200, verb: 'reload', units: ['a.service'] },
    ],
    { outside: [{ atMs: 300, poison: 'a.service', times: 6 }] },
  );
  const ends = [playCalm(scenarioOf(one)).end, killedAt(250, one), killedAt(350, one)];
  for (const { answers, jobs, history } of ends) {
    expect(answers[1]).toMatchObject([{ result: 'failed' }]);
    expect(JSON.stringify(history)).toContain('its machine is quarantined; sctl reset-failed a.service releases it');
    expect(jobs).toEqual([]);
  }
});

test('the end of what a stopped service has left behind is heard of by every core after it', () => {
  const behind: Life['programs'] = {
    '/bin/outlived': { run: [{ after: 10, fork: '/bin/heir' }], on: { 15: [{ after: 20, exit: 0 }] } },
    '/bin/heir': { run: [{ after: 400, exit: 3 }] },
    '/bin/stubborn': { ignores: [15], run: [{ after: 400, exit: 0 }] },
  };
  const one = life(
    {
      'a.service': service('ExecStart=/bin/outlived\nKillMode=process'),
      // It may not be started while something of it runs.
      'b.service': service('ExecStart=/bin/stubborn\nSendSIGKILL=no\nTimeoutStopSec=50ms'),
    },
    [
      { atMs: 20, verb: 'start', units: ['a.service', 'b.service'] },
      { atMs: 80, verb: 'stop', units: ['a.service', 'b.service'] },
      { atMs: 800, verb: 'start', units: ['b.service'] },
    ],
    { programs: behind, forMs: 1_000 },
  );
  const calm = playCalm(scenarioOf(one)).end;
  expect(calm.units['b.service']).toMatchObject({ sub: 'running' });
  // They are down, and what is left of them ends at some 430 ms.
  for (const atMs of [300, 500]) expect(killedAt(atMs, one).units).toEqual(calm.units);
});

test('whoever asks for a job that is over as it is accepted is told, also where that was on its way when core died', () => {
  const one = life({ 'a.service': service('ExecStart=/bin/daemon') }, [
    { atMs: 20, verb: 'try-restart', units: ['a.service'] },
    { atMs: 40, verb: 'start', units: ['a.service'] },
  ]);
  expect(crashEverywhere(scenarioOf(one)).lawful).toBe(0);
});
