/** Whole lives of real units on the real core: what a crash of core at any call of any port may not change. */
import { describe, expect, test } from 'vitest';
import type { Host } from '../../src/host/ports.ts';
import type { Sim } from '../../src/host/sim/index.ts';
import type { ServiceContext } from '../../src/machines/service-context.ts';
import type { ActorHost } from '../../src/supervisor/index.ts';
import { crashEverywhere, play, type Scenario } from './crash.ts';
import { type Answered, bootCore, Clients, jobsNow, type Shown, shownUnits, simOptions } from './machine.ts';
import { type Life, lives, type Outside } from './scenarios.ts';

interface RealEnd {
  readonly units: Readonly<Record<string, Shown>>;
  /** How each service's processes ended, and how often it was started again. */
  readonly exits: readonly unknown[];
  /** Every process ever started, by program and tag (unit, role, how many-th). */
  readonly started: readonly string[];
  readonly running: readonly string[];
  readonly answers: readonly unknown[];
  readonly jobs: number;
  readonly unacknowledged: number;
  readonly deadlines: readonly unknown[];
}

function scenarioOf(life: Life, actors: { turnEvents?: number; compactBytes?: number } = {}) {
  const clients = new WeakMap<Sim, Clients>();
  const scenario: Scenario<ActorHost, RealEnd> = {
    name: life.name,
    sim: () => simOptions(life),
    core(host: Host, sim) {
      const core = bootCore(host, actors);
      clients.get(sim)?.reconnect();
      return core;
    },
    script(sim) {
      clients.set(sim, new Clients(sim, life.wishes));
      for (const one of life.outside ?? []) sim.at(one.atMs, () => happen(sim, one));
    },
    forMs: life.forMs,
    end: (sim, core) => endOf(life, sim, core, clients.get(sim) as Clients),
  };
  return scenario;
}

function happen(sim: Sim, outside: Outside): void {
  if ('connect' in outside) {
    sim.connect(outside.connect);
    return;
  }
  const target = sim.processes.all().find(({ unit }) => unit === outside.kill);
  if (target === undefined) throw new Error(`${outside.kill} has no process to kill`);
  sim.signal(target.pid, outside.signal);
}

function endOf(life: Life, sim: Sim, core: ActorHost, clients: Clients): RealEnd {
  return {
    units: shownUnits(core),
    exits: core.list('unit:').flatMap((id) => {
      const context = core.read<{ context: Partial<ServiceContext> }>(id)?.context;
      if (context?.commands === undefined) return [];
      const commands = Object.entries(context.commands).map(([list, all]) => [list, all.map((one) => one?.ended)]);
      return [[id, context.mainStatus?.ended, context.nRestarts, commands]];
    }),
    started: sim.started.map(({ path, tag }) => `${path} ${tag}`).toSorted(),
    running: sim.processes
      .all()
      .map(({ path, unit }) => `${path} ${unit}`)
      .toSorted(),
    answers: life.wishes.map((_, index) => answerOf(clients.answer(index))),
    jobs: jobsNow(core).length,
    unacknowledged: sim.init.records().length,
    deadlines: core.list('').map((id) => [id, Object.keys(core.deadlines(id))]),
  };
}

/** An answer without the numbers of jobs: a crash may shift those of jobs that do not wait for each other. */
function answerOf(answer: Answered | undefined): unknown {
  const outcomes = answer?.parameters?.outcomes;
  return outcomes === undefined ? answer : outcomes.map(({ job: _, ...rest }) => rest);
}

/** One run in so many of those that there are; the others run with SIMULATE=all (`npm run simulate`). */
const SAMPLE = process.env['SIMULATE'] === 'all' ? 1 : 7;

describe.each(lives.map((life, index) => [life.name, life, index] as const))('%s', (_name, life, index) => {
  test('comes to rest without a crash, and every client has its answer', () => {
    const { end } = play(scenarioOf(life), []);
    expect(end.jobs).toBe(0);
    expect(end.answers).not.toContain(undefined);
    expect(end.unacknowledged).toBe(0);
    const shown = Object.entries(end.units).map(([unit, { sub, result }]) => [unit, `${sub} ${result}`]);
    expect(Object.fromEntries(shown)).toMatchObject(life.end);
  });

  test('is the same with a crash before, after or in the middle of any call', () => {
    const { runs, calls } = crashEverywhere(scenarioOf(life), [], (call) => call % SAMPLE === index % SAMPLE);
    expect(runs).toBeGreaterThan((2 * calls) / SAMPLE - 2);
  });
});
