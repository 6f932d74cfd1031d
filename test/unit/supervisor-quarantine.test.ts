/** A unit whose machine throws again and again, on the real core: what is said of it, what runs on, and the way back. */
import { expect, test } from 'vitest';
import type { Sim } from '../../src/host/sim/index.ts';
import type { ActorEvent, ActorHost } from '../../src/supervisor/index.ts';
import { bootWithClients, type Call, jobsNow, shownUnits, type Wish } from '../simulation/machine.ts';

const plain = (lines: string) => `[Unit]\nDefaultDependencies=no\n${lines}`;
const units = {
  'sick.service': plain('[Service]\nExecStart=/bin/daemon\n'),
  'well.service': plain('[Service]\nExecStart=/bin/other\n'),
};
const programs = { '/bin/daemon': {}, '/bin/other': {} };

/** An event whose shape no machine knows: whatever looks into it throws. */
const POISON: ActorEvent = { type: 'exited', process: null };

interface Played {
  readonly sim: Sim;
  core(): ActorHost;
  /** The answer to a wish, by its place. */
  answer(index: number): unknown;
  /** Call a method that only reads. */
  read(method: string, parameters: object): unknown;
}

function play(wishes: readonly (Wish | Call)[], events: readonly ActorEvent[]): Played {
  const { sim, clients, core } = bootWithClients({ units, programs }, wishes);
  for (const [n, event] of events.entries())
    sim.at(1_000 + n, () => core().input({ key: `event ${n}`, events: [{ to: 'unit:sick.service', event }] }));
  sim.run(1_500);
  return {
    sim,
    core,
    answer: (index) => clients.answer(index)?.parameters,
    read(method, parameters) {
      const client = sim.client();
      client.send(JSON.stringify({ method: `io.sysmaster.${method}`, parameters }));
      sim.run(1);
      return (JSON.parse(client.received[0] ?? '{}') as { parameters?: unknown }).parameters;
    },
  };
}

const start: Wish = { atMs: 10, verb: 'start', units: ['sick.service', 'well.service'] };
const stop = (atMs: number): Wish => ({ atMs, verb: 'stop', units: ['sick.service'] });
/** Each throws twice, and the units' supervisor bears ten failures a minute. */
const DEADLY = [POISON, POISON, POISON, POISON, POISON, POISON];
const running = (sim: Sim) => sim.processes.all().map(({ unit }) => unit);

test.each([false, true])(
  'past its intensity a unit is quarantined, says so, and its process runs on; core killed: %s',
  (kill) => {
    const { sim, core, read } = play([start], DEADLY);
    if (kill) sim.killCore();
    sim.run(1_000);
    expect(read('Manager.Supervisors', { id: 'unit:sick.service' })).toMatchObject({
      tree: { state: 'quarantined', failures: 11, last: { actor: 'unit:sick.service', event: 'exited' } },
    });
    expect(read('Manager.Supervisors', { id: 'unit-actors' })).toMatchObject({
      tree: { failures: 11, restarts: 0, state: 'running', last: { actor: 'unit:sick.service' } },
    });
    expect(read('Insight.Why', { name: 'sick.service' })).toMatchObject({
      explanation: { next: ['nothing, until sctl reset-failed sick.service'] },
    });
    expect(JSON.stringify(read('Insight.Why', { name: 'sick.service' }))).toContain('its machine is quarantined');
    expect(JSON.stringify(read('Insight.History', {}))).toContain('sctl reset-failed sick.service releases it');
    expect(core().phase('unit:well.service')).toBe('running');
    expect(core().restarts('core')).toBe(1);
    expect(running(sim)).toEqual(['sick.service', 'well.service']);
    expect(sim.started).toHaveLength(2);
  },
);

test('a job of a quarantined unit fails at once with the reason, and reset-failed brings the unit back', () => {
  const reset: Call = { atMs: 3_000, method: 'Units.ResetFailed', parameters: { names: ['sick.service'] } };
  const { sim, core, answer } = play([start, stop(2_000), reset, stop(4_000)], DEADLY);
  sim.run(5_000);
  expect(answer(1)).toMatchObject({ outcomes: [{ result: 'failed' }] });
  expect(answer(3)).toMatchObject({ outcomes: [{ result: 'done' }] });
  // It was stopped, and so it is needed no longer.
  expect(core().phase('unit:sick.service')).toBeUndefined();
  expect(jobsNow(core())).toEqual([]);
  expect(running(sim)).toEqual(['well.service']);
});

test('a job whose unit throws at it twice fails, and does not wait for ever', () => {
  const { sim, core, answer } = play([start, stop(1_001)], [{ type: 'settings', settings: null }]);
  sim.run(1_000);
  expect(answer(1)).toMatchObject({ outcomes: [{ result: 'failed' }] });
  expect(core().phase('unit:sick.service')).toBe('running');
  expect(jobsNow(core())).toEqual([]);
  expect(running(sim)).toEqual(['sick.service', 'well.service']);
});

test('the end of a process is kept for its quarantined unit, over a death of core', () => {
  const reset: Call = { atMs: 5_000, method: 'Units.ResetFailed', parameters: {} };
  const { sim, core } = play([start, reset], DEADLY);
  sim.signal(sim.processes.all().find(({ unit }) => unit === 'sick.service')?.pid ?? 0, 6);
  sim.run(500);
  sim.killCore();
  sim.run(500);
  expect(core().phase('unit:sick.service')).toBe('quarantined');
  expect(shownUnits(core())['sick.service']).toMatchObject({ active: 'active' });
  sim.run(5_000);
  expect(core().phase('unit:sick.service')).toBe('running');
  expect(shownUnits(core())['sick.service']).toMatchObject({ active: 'failed', result: 'signal' });
});
