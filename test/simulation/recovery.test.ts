import { expect, test } from 'vitest';
import type { Host } from '../../src/host/ports.ts';
import type { Sim } from '../../src/host/sim/index.ts';
import { randomStream } from '../../src/host/sim/kernel.ts';
import type { ActorHost, ActorHostOptions, Post } from '../../src/supervisor/index.ts';
import { crashEverywhere, play, type Scenario, setAsideByLaw } from './crash.ts';
import { smallCore } from './small.ts';

const daemons = { web: '/bin/web', flaky: '/bin/flaky', stubborn: '/bin/stubborn', broken: '/bin/broken' };
const to = (id: string, type: string): Post => ({ to: id, event: { type } });

const signals: Record<number, readonly Post[]> = {
  40: Object.keys(daemons).map((id) => to(id, 'start')),
  41: [{ to: 'tally', event: { type: 'errand', name: 'one', steps: 5 } }],
  42: [to('web', 'stop'), to('stubborn', 'stop')],
};

/** Everything about a run that a crash may not change. */
function endOf(sim: Sim, core: ActorHost) {
  const actors = core.list('').map((id) => {
    const snapshot = core.read<Record<string, unknown>>(id);
    return [id, snapshot?.['value'] ?? null, snapshot?.['context'] ?? snapshot, Object.keys(core.deadlines(id))];
  });
  return {
    actors: actors.filter(([id]) => id !== 'tally'),
    // Two daemons do not wait for each other: what a crash may shift is the order between them, not the order of one.
    heard: (core.read<{ heard: readonly string[] }>('tally')?.heard ?? []).toSorted(),
    started: sim.started.map(({ path, tag }) => `${path} ${tag}`).toSorted(),
    running: sim.processes
      .all()
      .map(({ path }) => path)
      .toSorted(),
    notes: sim.files.contents(),
    waiting: Object.keys(daemons).flatMap((name) => sim.sockets.datagrams(name)),
    unacknowledged: sim.init.records().length,
    queued: core.queued,
    tree: core.tree(),
  };
}

const scenario = (
  more: Pick<ActorHostOptions, 'turnEvents' | 'compactBytes' | 'foldOperations'> = {},
): Scenario<ActorHost, ReturnType<typeof endOf>> => ({
  name: 'small system',
  sim: () => ({
    files: { '/run/notes': { directory: true } },
    programs: {
      '/bin/web': { run: [{ after: 30, notify: 'READY=1' }], on: { 15: [{ after: 20, exit: 0 }] } },
      '/bin/flaky': {
        run: ({ count }) => (count < 3 ? [{ after: 50, exit: 1 }] : [{ after: 5, notify: 'STATUS=well' }]),
      },
      '/bin/stubborn': { ignores: [15] },
      '/bin/broken': { fails: { step: 30, errno: 2 } },
    },
  }),
  core: (host: Host) => smallCore(host, daemons, signals, more),
  script(sim) {
    sim.at(100, () => sim.init.signal(40));
    sim.at(300, () => sim.init.signal(41));
    sim.at(800, () => sim.init.signal(42));
  },
  forMs: 20_000,
  end: endOf,
});

test('without a crash the small system does what it should', () => {
  const { end } = play(scenario(), []);
  expect(end.heard).toEqual(
    [
      'broken dead',
      'broken starting',
      'broken waiting',
      'broken starting',
      'broken waiting',
      'broken starting',
      'broken failed',
      'errand:one ended {"done":5}',
      'flaky dead',
      'flaky starting',
      'flaky running',
      'flaky waiting',
      'flaky starting',
      'flaky running',
      'flaky waiting',
      'flaky starting',
      'flaky running',
      'stubborn dead',
      'stubborn starting',
      'stubborn running',
      'stubborn stopping',
      'stubborn dead',
      'web dead',
      'web starting',
      'web running',
      'web stopping',
      'web dead',
    ].toSorted(),
  );
  expect(end.started).toEqual([
    ...Array(3).fill('/bin/broken broken'),
    ...Array(3).fill('/bin/flaky flaky'),
    '/bin/stubborn stubborn',
    '/bin/web web',
  ]);
  expect(end.running).toEqual(['/bin/flaky']);
  expect(end.waiting).toEqual([]);
  expect(end.unacknowledged).toBe(0);
});

test('a crash before, after or in the middle of any call changes nothing', () => {
  const { runs, calls } = crashEverywhere(scenario());
  expect(calls).toBeGreaterThan(50);
  expect(runs).toBeGreaterThan(2 * calls);
});

test('the same holds with turns of one event and an image after every commit', () => {
  crashEverywhere(scenario({ turnEvents: 1, compactBytes: 0 }));
});

test('the same holds with images that are made in pieces, while core goes on', () => {
  const { calls } = crashEverywhere(scenario({ turnEvents: 1, compactBytes: 0, foldOperations: 3 }));
  expect(calls).toBeGreaterThan(50);
});

test('a second crash during or soon after recovery changes nothing', () => {
  const { runs, lawful } = crashEverywhere(scenario(), [1, 2, 3, 5, 8]);
  expect(lawful).toBeLessThan(runs / 4);
});

test('the same inputs give the same journal, byte for byte, in every run', () => {
  const [one, two] = [play(scenario(), []), play(scenario(), [])];
  expect(two.sim.state.image).toBe(one.sim.state.image);
  expect(two.sim.state.records).toEqual(one.sim.state.records);
  expect(two.sim.callNames).toEqual(one.sim.callNames);
});

test.each(Array.from({ length: 30 }, (_, n) => n + 1))(
  'inputs in batches of random size and three crashes anywhere change nothing (seed %i)',
  (seed) => {
    const random = randomStream(seed);
    const shuffled = { ...scenario(), sim: () => ({ ...scenario().sim(0), seed, faults: { splitBatches: true } }) };
    const calm = play(scenario(), []);
    const crashes = Array.from({ length: 3 }, () => ({
      at: 1 + Math.floor(random() * calm.sim.calls),
      when: random() < 0.5 ? ('before' as const) : ('after' as const),
    }));
    const { sim, end } = play(shuffled, crashes);
    expect(sim.deaths).toBeGreaterThan(0);
    if (!setAsideByLaw(sim)) expect(end).toEqual(calm.end);
  },
);
