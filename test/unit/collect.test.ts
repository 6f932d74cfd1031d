/** Units that nobody needs any more: which they are, and what becomes of them on the real core. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Loaded } from '../../src/actors/small.ts';
import type { Host } from '../../src/host/ports.ts';
import { createSim, type Sim } from '../../src/host/sim/index.ts';
import { garbage } from '../../src/jobs/collect.ts';
import type { ActorHost } from '../../src/supervisor/index.ts';
import { crashEverywhere, type Scenario } from '../simulation/crash.ts';
import {
  bootCore,
  bootWithClients,
  type Call,
  Clients,
  shownUnits,
  simOptions,
  type Wish,
} from '../simulation/machine.ts';

describe('garbage', () => {
  /** `edges`: from whom to whom; `held`: those that may not go. */
  const world = (edges: readonly (readonly [string, string])[], held: ReadonlySet<string>) => ({
    mayGo: (unit: string) => !held.has(unit),
    referrers: (unit: string) => edges.flatMap(([from, to]) => (to === unit && from !== unit ? [from] : [])),
    references: (unit: string) => edges.flatMap(([from, to]) => (from === unit && to !== unit ? [to] : [])),
  });
  const name = fc.integer({ min: 0, max: 11 }).map((n) => `u${n}`);

  test('is, of the candidates and all they refer to, what no unit that stays leads to', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, name), { maxLength: 30 }),
        fc.array(name, { maxLength: 4 }),
        fc.array(name, { minLength: 1, maxLength: 3 }),
        (edges, heldNames, candidates) => {
          const held = new Set(heldNames);
          const { references, ...rest } = world(edges, held);
          const reach = (from: Iterable<string>): Set<string> => {
            const found = new Set(from);
            for (const unit of found) for (const other of references(unit)) found.add(other);
            return found;
          };
          const all = Array.from({ length: 12 }, (_, n) => `u${n}`);
          // Units that are spare and led to by none that stays …
          const spare = new Set(all.filter((unit) => !reach(held).has(unit)));
          const gone = garbage({ references, ...rest }, candidates);
          // … of which those go that a candidate is or reaches, and those that refer to such a one.
          const up = new Set(candidates.filter((one) => spare.has(one)));
          for (let before = -1; before !== up.size; ) {
            before = up.size;
            for (const unit of up)
              for (const other of [...references(unit), ...rest.referrers(unit)]) if (spare.has(other)) up.add(other);
          }
          for (const unit of gone) expect(up).toContain(unit);
          for (const unit of candidates.filter((one) => spare.has(one))) expect(gone).toContain(unit);
          for (const unit of gone) {
            expect(spare).toContain(unit);
            for (const other of references(unit)) if (spare.has(other)) expect(gone).toContain(other);
            for (const other of rest.referrers(unit)) expect(gone).toContain(other);
          }
          expect(garbage({ references, ...rest }, [...candidates].reverse())).toEqual(gone);
        },
      ),
    );
  });

  test('a ring of units that only refer to each other goes as one', () => {
    const ring = [
      ['a', 'b'],
      ['b', 'c'],
      ['c', 'a'],
    ] as const;
    expect(garbage(world(ring, new Set()), ['b'])).toEqual(['a', 'b', 'c']);
    expect(garbage(world([...ring, ['up', 'c']], new Set(['up'])), ['b'])).toEqual([]);
  });

  test('one unit that stays ends the look at it, however many others refer to it', () => {
    let looked = 0;
    const many = Array.from({ length: 10_000 }, (_, n) => `u${n}`);
    const referrers = function* (unit: string) {
      if (unit !== 'slice') return;
      for (const other of many) {
        looked += 1;
        yield other;
      }
    };
    const found = garbage({ mayGo: (unit) => unit !== 'u1', referrers, references: () => [] }, ['slice']);
    expect(found).toEqual([]);
    expect(looked).toBe(2);
  });
});

const plain = (lines: string, unit = '') => `[Unit]\nDefaultDependencies=no\n${unit}[Service]\n${lines}`;
const oneshot = (path: string, unit = '') => plain(`Type=oneshot\nExecStart=${path}\n`, unit);

const units: Record<string, string> = {
  'once.service': oneshot('/bin/true'),
  'bad.service': oneshot('/bin/false'),
  'shy.service': oneshot('/bin/false', 'CollectMode=inactive-or-failed\n'),
  'alarmed.service': oneshot('/bin/false', 'CollectMode=inactive-or-failed\nOnFailure=alarm.service\n'),
  'alarm.service': plain('ExecStart=/bin/daemon\n'),
  'keeper.service': plain('ExecStart=/bin/daemon\n', 'After=once.service kept.service\nWants=kept.service\n'),
  'kept.service': oneshot('/bin/true', 'After=also.service\n'),
  'also.service': oneshot('/bin/true'),
  'twice.service': oneshot('/bin/true', 'StartLimitBurst=2\nStartLimitIntervalSec=1h\n'),
  'left.service': plain('Type=oneshot\nExecStart=/bin/forks\nKillMode=process\n'),
  'ring-a.service': oneshot('/bin/true', 'After=ring-b.service\n'),
  'ring-b.service': oneshot('/bin/true', 'After=ring-a.service\n'),
  'strict.service': oneshot('/bin/true', 'RefuseManualStart=yes\n'),
};
const programs = {
  '/bin/true': { run: [{ after: 5, exit: 0 }] },
  '/bin/false': { run: [{ after: 5, exit: 1 }] },
  '/bin/daemon': { on: { 15: [{ after: 5, exit: 0 }] } },
};

const start = (atMs: number, unit: string): Wish => ({ atMs, verb: 'start', units: [unit] });
const stop = (atMs: number, unit: string): Wish => ({ atMs, verb: 'stop', units: [unit] });

function play(wishes: readonly (Wish | Call)[], forMs = 3_000) {
  const { sim, clients, core } = bootWithClients({ units, programs }, wishes);
  sim.run(forMs);
  const read = (method: string, parameters: object): string => {
    const client = sim.client();
    client.send(JSON.stringify({ method: `io.sysmaster.${method}`, parameters }));
    sim.run(1);
    return client.received[0] ?? '';
  };
  return { sim, clients, core, read };
}

const inMemory = (core: ActorHost) => Object.keys(shownUnits(core)).filter((name) => name in units);

test('a oneshot that nobody refers to is unloaded when it is over, and every trace of its actor with it', () => {
  const { core, read, sim } = play([start(10, 'once.service')]);
  expect(inMemory(core())).toEqual([]);
  expect(core().list('unit:once')).toEqual([]);
  expect(core().read<Loaded>('units')?.names).not.toContain('once.service');
  expect(sim.started.map(({ path }) => path)).toEqual(['/bin/true']);
  expect(read('Units.List', {})).not.toContain('once.service');
  expect(read('Insight.History', { units: ['once.service'] })).toContain(
    'nothing in memory referred to it (CollectMode=inactive)',
  );
  const why = read('Insight.Why', { name: 'once.service' });
  expect(why).toContain('it was last asked to start by job');
  expect(why).toContain('it is not in memory: it was down, had no job');
});

test('a unit that is referred to stays with the one that refers to it, and goes with it', () => {
  const { core } = play([start(10, 'keeper.service')]);
  expect(inMemory(core())).toEqual(['also.service', 'keeper.service', 'kept.service', 'once.service']);
  const after = play([start(10, 'keeper.service'), stop(1_000, 'keeper.service')]);
  expect(inMemory(after.core())).toEqual([]);
});

test('a failure is kept with CollectMode=inactive, until it is reset', () => {
  expect(inMemory(play([start(10, 'bad.service')]).core())).toEqual(['bad.service']);
  const reset: Call = { atMs: 1_000, method: 'Units.ResetFailed', parameters: { names: ['bad.service'] } };
  expect(inMemory(play([start(10, 'bad.service'), reset]).core())).toEqual([]);
});

test('a failure is not kept with CollectMode=inactive-or-failed, after it has had its effects', () => {
  expect(inMemory(play([start(10, 'shy.service')]).core())).toEqual([]);
  const { core, clients } = play([start(10, 'alarmed.service')]);
  expect(inMemory(core())).toEqual(['alarm.service']);
  expect(shownUnits(core())['alarm.service']).toMatchObject({ active: 'active' });
  expect(clients.answer(0)).toMatchObject({ parameters: { outcomes: [{ result: 'failed' }] } });
});

test('a unit that could not be started, or was only looked at, is not kept', () => {
  const { core, read } = play([start(10, 'strict.service')]);
  expect(inMemory(core())).toEqual([]);
  read('Jobs.Plan', { verb: 'start', units: ['keeper.service'] });
  expect(read('Units.List', {})).not.toContain('keeper.service');
  expect(
    play([start(10, 'nowhere.service')])
      .core()
      .list('unit:nowhere'),
  ).toEqual([]);
});

test('the start limit counts on over an unloading, and no invocation and no spawn is named twice', () => {
  const { clients, sim } = play([10, 500, 1_000].map((atMs) => start(atMs, 'twice.service')));
  expect(clients.answer(1)).toMatchObject({ parameters: { outcomes: [{ result: 'done' }] } });
  expect(clients.answer(2)).toMatchObject({ parameters: { outcomes: [{ result: 'failed' }] } });
  expect(new Set(sim.started.map(({ tag }) => tag)).size).toBe(2);
});

test('a changed file is seen by the next start, without a daemon-reload', () => {
  const { sim, core } = play([start(10, 'once.service')]);
  sim.files.writeText('/etc/units/once.service', plain('ExecStart=/bin/daemon\n'), 0o644);
  const client = sim.client();
  client.send(
    JSON.stringify({ method: 'io.sysmaster.Jobs.Request', parameters: { verb: 'start', units: ['once.service'] } }),
  );
  sim.run(1_000);
  expect(shownUnits(core())['once.service']).toMatchObject({ active: 'active' });
});

test('a unit that is not in memory is shown as its file is, with what it needs, and needs no reload', () => {
  const { sim, read } = play([start(10, 'once.service')]);
  const file = '/etc/units/once.service';
  sim.files.writeText(file, oneshot('/bin/true', 'Description=Mended\nWants=also.service\n'), 0o644);
  expect(read('Units.Get', { name: 'once.service' })).toContain('Mended');
  expect(read('Units.Get', { name: 'once.service' })).toContain('"needDaemonReload":false');
  expect(read('Units.Dependencies', { name: 'once.service', kinds: ['Wants'] })).toContain('"below":["also.service"]');
  sim.run(1_000);
  sim.files.writeText(file, oneshot('/bin/true', 'Description=Mended twice\n'), 0o644);
  expect(read('Units.Get', { name: 'once.service' })).toContain('Mended twice');
  expect(read('Units.List', {})).not.toContain('once.service');
});

test('cycles are told among units that are only asked about', () => {
  const { read } = play([]);
  expect(read('Insight.Cycles', {})).toContain('"cycles":[]');
  expect(read('Insight.Cycles', { units: ['ring-a.service'] })).toContain(
    '"members":["ring-a.service","ring-b.service"]',
  );
});

test('a unit of which a client awaits news stays until the client has gone', () => {
  const sim = createSim(simOptions({ units, programs }));
  let core: ActorHost | undefined;
  sim.boot((host) => {
    core = bootCore(host);
  });
  const watcher = sim.client();
  watcher.send(
    JSON.stringify({
      method: 'io.sysmaster.Events.Subscribe',
      parameters: { kinds: ['unit'], units: ['shy.service'] },
      more: true,
    }),
  );
  const clients = new Clients(sim, [start(10, 'shy.service')]);
  sim.run(1_000);
  expect(clients.answer(0)).toBeDefined();
  expect(inMemory(core as unknown as ActorHost)).toEqual(['shy.service']);
  watcher.leave();
  sim.run(1_000);
  expect(inMemory(core as unknown as ActorHost)).toEqual([]);
});

test('core may die at any moment of it: what goes, goes; what was wanted is done, and once', () => {
  const wishes = [start(10, 'once.service'), start(12, 'alarmed.service'), start(40, 'once.service')];
  const scenario: Scenario<ActorHost, unknown> = {
    name: 'units that go',
    sim: () => simOptions({ units, programs }),
    core: (host: Host, sim: Sim) => {
      const core = bootCore(host);
      clientsOf.get(sim)?.reconnect();
      return core;
    },
    script: (sim) => {
      clientsOf.set(sim, new Clients(sim, wishes));
    },
    forMs: 4_000,
    end: (sim, core) => ({
      units: inMemory(core),
      names: core.read<Loaded>('units')?.names,
      considered: core.read<Loaded>('units')?.considered ?? [],
      answers: wishes.map((_, index) =>
        clientsOf
          .get(sim)
          ?.answer(index)
          ?.parameters?.outcomes?.map(({ result }) => result),
      ),
      running: sim.processes.all().map(({ path }) => path),
      queued: core.queued,
    }),
  };
  const clientsOf = new WeakMap<Sim, Clients>();
  const tried = crashEverywhere(scenario, [], (call) => call % 17 === 0);
  expect(tried.runs).toBeGreaterThan(5);
});
