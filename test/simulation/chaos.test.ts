/** Faults that were asked for are done once and taken back, wherever core dies meanwhile. */
import { expect, test } from 'vitest';
import { chaosRuns } from '../../src/actors/chaos.ts';
import type { Sim } from '../../src/host/sim/index.ts';
import type { ActorHost } from '../../src/supervisor/index.ts';
import { crashEverywhere, playCalm, type Scenario } from './crash.ts';
import { bootCore, type Call, Clients, shownUnits, simOptions, type Wish } from './machine.ts';

/** One call in so many is died at; SIMULATE=all: each of them, which takes minutes. */
const SAMPLE = process.env['SIMULATE'] === 'all' ? 1 : 11;

const begin = (atMs: number, unit: string, fault: object, forUs: number): Call => ({
  atMs,
  method: 'Chaos.Begin',
  parameters: { units: [unit], fault, forUs, seed: 7 },
});

const service = (text: string) => `[Unit]\nDefaultDependencies=no\n[Service]\n${text}\n`;
const wishes: readonly (Wish | Call)[] = [
  { atMs: 20, verb: 'start', units: ['hung.service'] },
  begin(100, 'hung.service', { kind: 'hang' }, 500_000),
  begin(110, 'late.service', { kind: 'delay_ready', delayUs: 300_000 }, 2_000_000),
  begin(120, 'broken.service', { kind: 'fail_spawn', count: 2 }, 1_500_000),
  { atMs: 200, verb: 'start', units: ['late.service'] },
  { atMs: 300, verb: 'start', units: ['broken.service'] },
];

const machine = {
  units: {
    'hung.service': service('ExecStart=/bin/hung'),
    'late.service': service('Type=notify\nExecStart=/bin/late'),
    'broken.service': service('ExecStart=/bin/broken\nRestart=on-failure\nRestartSec=50ms'),
  },
  programs: {
    '/bin/hung': {
      on: {
        18: [{ write: { path: '/run/hung', text: 'goes on' } }],
        19: [{ write: { path: '/run/hung', text: 'stopped' } }],
      },
    },
    '/bin/late': { run: [{ after: 10, notify: 'READY=1' }] },
    '/bin/broken': {},
  },
  wishes,
};

/** What must be the same. */
interface End {
  readonly units: unknown;
  readonly hung: string | undefined;
  readonly answers: readonly (string | undefined)[];
  readonly runs: number;
}

const clients = new WeakMap<Sim, Clients>();
const scenario: Scenario<ActorHost, End> = {
  name: 'chaos',
  sim: () => simOptions(machine),
  core(host, sim) {
    const core = bootCore(host);
    clients.get(sim)?.reconnect();
    return core;
  },
  script: (sim) => void clients.set(sim, new Clients(sim, wishes)),
  forMs: 4_000,
  end: (sim, core) => ({
    units: shownUnits(core),
    hung: sim.files.readText('/run/hung'),
    answers: wishes.map((_, index) => {
      const answer = clients.get(sim)?.answer(index);
      return answer === undefined ? undefined : (answer.error ?? 'answered');
    }),
    runs: chaosRuns(core).length,
  }),
};

test('a hang, a late READY=1 and failing spawns are the same with a crash before, after or in the middle of any call', () => {
  const { runs } = crashEverywhere(scenario, [], (call) => call % SAMPLE === 0);
  expect(runs).toBeGreaterThan(10);
}, 900_000);

test('without a crash, each is done, and taken back', () => {
  const { end } = playCalm(scenario);
  expect(end).toMatchObject({
    hung: 'goes on',
    runs: 0,
    answers: wishes.map(() => 'answered'),
    units: {
      'hung.service': { active: 'active' },
      'late.service': { active: 'active' },
      'broken.service': { active: 'active' },
    },
  });
});
