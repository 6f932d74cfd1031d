/** [X-Supervisor]: who shares a failure, when a group is given up, and what the job engine makes of it. */
import { describe, expect, test } from 'vitest';
import { createSim } from '../../src/host/sim/index.ts';
import { fateOf, membersOf, outerOf, supervisorsOf } from '../../src/jobs/supervise.ts';
import type { ActiveState } from '../../src/jobs/types.ts';
import type { ActorHost } from '../../src/supervisor/index.ts';
import type { MemberSupervision } from '../../src/units/types.ts';
import { bootCore, Clients, shownUnits, simOptions } from '../simulation/machine.ts';
import { type Declared, graphOf, statesOf } from './support/job-world.ts';

const supervision = (more: Partial<MemberSupervision> = {}): MemberSupervision => ({
  Strategy: 'one_for_one',
  Intensity: 2,
  Period: 10_000,
  OnEscalate: 'stop',
  at: { file: '/etc/app.target', line: 7, column: 1 },
  ...more,
});

const UNITS: Record<string, Declared> = {
  'db.service': {},
  'web.service': { After: 'cache.service' },
  'cache.service': { After: 'db.service' },
  'aside.service': {},
  'off.service': { After: 'db.service' },
};
const UP: Record<string, ActiveState> = {
  'app.target': 'active',
  'db.service': 'failed',
  'web.service': 'active',
  'cache.service': 'active',
  'aside.service': 'active',
};

function world(more: Partial<MemberSupervision> = {}, states = UP) {
  const graph = graphOf({
    ...UNITS,
    'app.target': {
      Wants: 'db.service web.service cache.service off.service',
      Requires: 'aside.service',
      Supervisor: supervision(more),
    },
  });
  return { graph, states: statesOf(states) };
}

const failure = (more: object = {}) => ({ nowMs: 50_000, how: 'exit-code', failures: [], hopeless: false, ...more });

describe('who shares a failure', () => {
  test.each([
    ['one_for_one', []],
    ['one_for_all', ['aside.service', 'cache.service', 'web.service']],
    ['rest_for_one', ['cache.service', 'web.service']],
  ] as const)('%s restarts of those that are up also %j', (Strategy, others) => {
    const fate = fateOf(world({ Strategy }), 'app.target', 'db.service', failure());
    expect(fate).toMatchObject({ verdict: 'restart', others, failures: [50_000] });
    expect(fate.why).toBe(`${Strategy} by [X-Supervisor] of app.target (/etc/app.target:7): db.service: exit-code`);
  });

  test('a target supervises what it wants and requires, while it is up', () => {
    const { graph, states } = world();
    expect(membersOf(graph, 'app.target')).toEqual([
      'aside.service',
      'cache.service',
      'db.service',
      'off.service',
      'web.service',
    ]);
    expect(supervisorsOf({ graph, states }, 'db.service')).toEqual(['app.target']);
    expect(supervisorsOf({ graph, states: statesOf({}) }, 'db.service')).toEqual([]);
  });

  test('a slice supervises the units in it and below it, but not those of a slice with a section of its own', () => {
    const Supervisor = supervision();
    const graph = graphOf({
      'a.slice': { Supervisor },
      'a-b.slice': { InSlice: 'a.slice' },
      'a-c.slice': { InSlice: 'a.slice', Supervisor },
      'one.service': { InSlice: 'a.slice' },
      'two.service': { InSlice: 'a-b.slice' },
      'three.service': { InSlice: 'a-c.slice' },
      'fixed.service': { InSlice: 'a.slice', perpetual: true },
    });
    const states = statesOf({ 'a.slice': 'active', 'a-b.slice': 'active', 'a-c.slice': 'active' });
    expect(membersOf(graph, 'a.slice')).toEqual(['one.service', 'two.service']);
    expect(supervisorsOf({ graph, states }, 'two.service')).toEqual(['a.slice']);
    expect(supervisorsOf({ graph, states }, 'three.service')).toEqual(['a-c.slice']);
    // The groups as a whole: the one inside has a supervisor, the outer one has none.
    expect(outerOf({ graph, states }, 'a-c.slice')).toEqual(['a.slice']);
    expect(outerOf({ graph, states }, 'a.slice')).toEqual([]);
  });
});

describe('when a group is given up', () => {
  test('failures count within the period; one more than the intensity stops the unit and its members', () => {
    const before = failure({ failures: [49_000, 45_000, 39_999] });
    const fate = fateOf(world(), 'app.target', 'db.service', before);
    expect(fate).toMatchObject({
      verdict: 'escalate',
      failures: [50_000, 49_000, 45_000],
      outcome: { action: 'none' },
    });
    expect(fate.stops).toEqual(['app.target', 'aside.service', 'cache.service', 'web.service']);
    expect(fate.why).toContain('more than 2 failures in 10 s');
    const later = fateOf(world(), 'app.target', 'db.service', failure({ failures: [49_000, 39_999] }));
    expect(later).toMatchObject({ verdict: 'restart', failures: [50_000, 49_000] });
  });

  test('a start limit that forbids the restart gives up at once; OnEscalate= is an action or a unit', () => {
    const hopeless = failure({ hopeless: true });
    for (const [OnEscalate, outcome] of [
      ['stop', { action: 'none' }],
      ['reboot-force', { action: 'reboot-force' }],
      ['alarm.service', { unit: 'alarm.service' }],
    ] as const)
      expect(fateOf(world({ OnEscalate }), 'app.target', 'db.service', hopeless)).toMatchObject({
        verdict: 'escalate',
        outcome,
      });
  });
});

describe('on the real core', () => {
  const plain = (lines: string) => `[Unit]\nDefaultDependencies=no\n${lines}`;
  const service = (path: string, lines = '', more = '') => plain(`${lines}\n[Service]\nExecStart=${path}\n${more}`);
  const daemons = (keys: string, restart = '') => ({
    'app.target': plain(`Wants=db.service web.service aside.service\n[X-Supervisor]\n${keys}`),
    'db.service': service('/bin/db', 'StartLimitBurst=0', restart),
    'web.service': service('/bin/web', 'After=db.service'),
    'aside.service': service('/bin/aside'),
    'alarm.service': service('/bin/alarm'),
  });

  /** Start app.target, end /bin/db so often by SIGABRT, one a second, and see how often what was started, and what is up at the end. */
  function play(units: Record<string, string>, deaths: number, crash = false) {
    const programs = Object.fromEntries(['db', 'web', 'aside', 'alarm'].map((name) => [`/bin/${name}`, {}]));
    const sim = createSim(simOptions({ units, programs }));
    const why = { method: 'Insight.Why', parameters: { name: 'db.service' }, asks: true } as const;
    const clients = new Clients(sim, [
      { atMs: 10, verb: 'start', units: ['app.target'] },
      { atMs: 9_000, ...why },
    ]);
    let core: ActorHost | undefined;
    sim.boot((host) => {
      core = bootCore(host);
      clients.reconnect();
    });
    for (let death = 1; death <= deaths; death += 1) {
      sim.at(death * 1_000, () => {
        const db = sim.processes.all().find(({ unit }) => unit === 'db.service');
        if (db !== undefined) sim.signal(db.pid, 6);
      });
      if (crash) sim.at(death * 1_000 + 500, () => sim.killCore());
    }
    sim.run(10_000);
    const starts: Record<string, number> = {};
    for (const { unit } of sim.started) starts[unit] = (starts[unit] ?? 0) + 1;
    const shown = shownUnits(core as ActorHost);
    const those = (active: string) =>
      Object.keys(shown).filter(
        (name) => shown[name]?.active === active && !name.endsWith('.slice') && name !== 'default.target',
      );
    const log = sim.log.map(({ message }) => message);
    const because = JSON.stringify(clients.answer(1) ?? null);
    return { starts, up: those('active'), failed: those('failed'), log, because, end: sim.init.end };
  }
  const ALL = ['aside.service', 'db.service', 'web.service'];

  test.each([
    ['one_for_one', { 'db.service': 2, 'web.service': 1, 'aside.service': 1 }],
    ['rest_for_one', { 'db.service': 2, 'web.service': 2, 'aside.service': 1 }],
    ['one_for_all', { 'db.service': 2, 'web.service': 2, 'aside.service': 2 }],
  ])('%s, of a service without Restart= and of one with it', (strategy, starts) => {
    for (const restart of ['', 'Restart=always\n']) {
      const played = play(daemons(`Strategy=${strategy}\n`, restart), 1);
      expect(played.starts).toEqual(starts);
      expect(played.up).toEqual(expect.arrayContaining([...ALL, 'app.target']));
    }
  });

  test.each([false, true])(
    'past the intensity members and target are stopped, and OnEscalate= is started; core killed in between: %s',
    (crash) => {
      for (const restart of ['', 'Restart=always\n']) {
        const played = play(daemons('Intensity=2\nPeriod=1min\nOnEscalate=alarm.service\n', restart), 4, crash);
        expect(played.starts).toEqual({ 'db.service': 3, 'web.service': 1, 'aside.service': 1, 'alarm.service': 1 });
        for (const name of [...ALL, 'app.target']) expect(played.up).not.toContain(name);
        // Whose fault it was is seen afterwards, whether it would have been restarted by itself or not.
        expect(played.failed).toEqual(['db.service']);
        expect(played.because).toMatch(
          /\[X-Supervisor\] of app\.target \([^)]+\) gave up .*; more than 2 failures in 60 s/,
        );
        expect(played.because).toContain('sctl start app.target starts the group that gave up');
      }
    },
  );

  test.each([
    ['stop', undefined],
    ['none', undefined],
    ['alarm.service', undefined],
    ['exit-force', { kind: 'exit', now: true }],
    ['poweroff-force', { kind: 'poweroff', now: true }],
    ['poweroff-immediate', { kind: 'poweroff', now: true }],
    ['reboot-force', { kind: 'reboot', now: true }],
    ['reboot-immediate', { kind: 'reboot', now: true }],
    ['halt-force', { kind: 'halt', now: true }],
    ['kexec-force', { kind: 'kexec', now: true }],
  ])('OnEscalate=%s is done when the group is given up, and not before', (action, end) => {
    const units = daemons(`Intensity=1\nPeriod=60\nOnEscalate=${action}\n`);
    expect(play(units, 1).end).toBeUndefined();
    const played = play(units, 2);
    if (end === undefined) expect(played.end).toBeUndefined();
    else expect(played.end).toMatchObject(end);
    expect(played.starts['alarm.service']).toBe(action === 'alarm.service' ? 1 : undefined);
  });

  /** Two groups in an outer one: `app.target` with db and web, and beside it `aside.service`. */
  const nested = (outer: string, restart: string, kind: 'target' | 'slice') => {
    const inner = '[X-Supervisor]\nIntensity=1\nPeriod=1min\n';
    const outside = `[X-Supervisor]\n${outer}`;
    const inTargets = {
      'app.target': plain(`Wants=outer.target\nAfter=outer.target\n`),
      'outer.target': plain(`Wants=inner.target aside.service\n${outside}`),
      'inner.target': plain(`Wants=db.service web.service\n${inner}`),
      'db.service': service('/bin/db', 'StartLimitBurst=0', restart),
      'web.service': service('/bin/web', 'After=db.service'),
      'aside.service': service('/bin/aside'),
    };
    const inSlices = {
      'app.target': plain('Wants=db.service web.service aside.service\n'),
      'outer.slice': plain(outside),
      'outer-inner.slice': plain(inner),
      'db.service': service('/bin/db', 'StartLimitBurst=0', `Slice=outer-inner.slice\n${restart}`),
      'web.service': service('/bin/web', 'After=db.service', 'Slice=outer-inner.slice\n'),
      'aside.service': service('/bin/aside', '', 'Slice=outer.slice\n'),
    };
    return kind === 'target' ? inTargets : inSlices;
  };

  describe.each(['target', 'slice'] as const)('a group that is given up in another one, each a %s', (kind) => {
    test.each([
      ['one_for_one', { 'db.service': 3, 'web.service': 2, 'aside.service': 1 }],
      ['one_for_all', { 'db.service': 3, 'web.service': 2, 'aside.service': 2 }],
    ])('is started anew as a whole by the outer one, and by %s with its siblings', (strategy, starts) => {
      for (const restart of ['', 'Restart=always\n']) {
        const played = play(nested(`Strategy=${strategy}\n`, restart, kind), 2);
        expect(played.starts).toEqual(starts);
        expect(played.up).toEqual(expect.arrayContaining(ALL));
        expect(played.failed).toEqual([]);
      }
    });

    test('counts there as one failure, and begins anew itself; past the intensity of the outer one all of it is stopped', () => {
      for (const restart of ['', 'Restart=always\n']) {
        // Given up at the second and at the fourth death, of which the outer one bears the first.
        const played = play(nested('Intensity=1\nPeriod=1min\n', restart, kind), 6);
        expect(played.starts).toEqual({ 'db.service': 4, 'web.service': 2, 'aside.service': 1 });
        for (const name of ALL) expect(played.up).not.toContain(name);
        expect(played.failed).toEqual(['db.service']);
      }
    });
  });

  test('two groups that supervise each other are given up together, once', () => {
    const each = (other: string) => plain(`Wants=${other} db.service\n[X-Supervisor]\nIntensity=0\n`);
    const units = {
      'app.target': each('b.target'),
      'b.target': each('app.target'),
      'db.service': service('/bin/db', 'StartLimitBurst=0'),
    };
    const played = play(units, 1);
    expect(played.starts).toEqual({ 'db.service': 1 });
    for (const name of Object.keys(units)) expect(played.up).not.toContain(name);
    expect(played.log.filter((line) => line.includes('gave up'))).toHaveLength(2);
  });

  test('failures further apart than the period do not add up', () => {
    const played = play(daemons('Intensity=1\nPeriod=900ms\n'), 5);
    expect(played.starts['db.service']).toBe(6);
    expect(played.up).toContain('app.target');
  });
});
