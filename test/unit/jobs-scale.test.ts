/** Large and nasty graphs: a clear answer, no stack overflow, nothing lost. What they cost is the benchmark's business. */
import { describe, expect, test } from 'vitest';
import { isRefusal, NO_JOBS, plan } from '../../src/jobs/plan.ts';
import { EMPTY_TABLE, listJobs, Work } from '../../src/jobs/table.ts';
import type { ActiveState, JobGraph, JobRequest, Plan } from '../../src/jobs/types.ts';
import { type Declared, graphOf, request, statesOf } from './support/job-world.ts';

const name = (number: number): string => `u${String(number).padStart(5, '0')}.service`;
const numbers = (count: number): number[] => Array.from({ length: count }, (_, number) => number);

function units(count: number, declare: (number: number) => Declared): Record<string, Declared> {
  return Object.fromEntries(numbers(count).map((number) => [name(number), declare(number)]));
}

function planned(graph: JobGraph, asked: JobRequest, active: Readonly<Record<string, ActiveState>> = {}): Plan {
  const answer = plan({ graph, states: statesOf(active), installed: NO_JOBS }, asked);
  if (isRefusal(answer)) throw new Error(answer.refused);
  return answer;
}

/** Carry a plan out by letting each job that runs end well; units in the order in which their jobs ran. */
function carriedOut(graph: JobGraph, made: Plan): string[] {
  const states = new Map<string, ActiveState>();
  const ran: string[] = [];
  const seen = { active: (unit: string): ActiveState => states.get(unit) ?? 'inactive' };
  let work = new Work(EMPTY_TABLE, graph, seen, 0);
  work.install(made);
  work.settle();
  let running = work.changes.flatMap((change) => (change.kind === 'run' ? [change.job] : []));
  while (running.length > 0) {
    work = new Work(work.done(), graph, seen, 1);
    for (const { id, unit } of running) {
      ran.push(unit);
      states.set(unit, 'active');
      work.finish(id, 'done', '');
    }
    work.settle();
    running = work.changes.flatMap((change) => (change.kind === 'run' ? [change.job] : []));
  }
  expect(listJobs(work.done())).toEqual([]);
  return ran;
}

/** No kept ordering points backwards: every unit is in a later wave than those it waits for. */
function expectOrdered(graph: JobGraph, made: Plan): void {
  const waves = new Map(made.jobs.map(({ unit, wave }) => [unit, wave]));
  const cut = new Set(made.cuts.map(({ edge }) => `${edge.from} ${edge.to}`));
  for (const { unit } of made.jobs)
    for (const { to } of graph.edges(unit, 'After'))
      if (to !== unit && waves.has(to) && !cut.has(`${unit} ${to}`))
        expect((waves.get(unit) as number) > (waves.get(to) as number)).toBe(true);
}

describe('ten thousand units', () => {
  const COUNT = 10_000;
  const inOrder = numbers(COUNT).map(name);

  test('in a chain are started in order, one wave each', () => {
    const graph = graphOf(units(COUNT, (n) => (n === 0 ? {} : { Requires: name(n - 1), After: name(n - 1) })));
    const made = planned(graph, request('start', name(COUNT - 1)));
    expect(made.jobs.map(({ unit }) => unit)).toEqual(inOrder);
    expect(made.jobs.map(({ wave }) => wave)).toEqual(numbers(COUNT));
    expect(carriedOut(graph, made)).toEqual(inOrder);
  });

  test('in a chain each say why they are there and who asked; what is between stands at the job that is named', () => {
    const graph = graphOf(units(COUNT, (n) => (n === 0 ? {} : { Requires: name(n - 1), After: name(n - 1) })));
    const { jobs } = planned(graph, request('start', name(COUNT - 1)));
    const reasons = new Map(jobs.map((job) => [job.unit, job.reasons]));
    const asked = reasons.get(name(COUNT - 1)) ?? [];
    expect(asked).toHaveLength(1);
    let unit = name(0);
    for (let steps = 0; steps < COUNT - 1; steps += 1) {
      const [first, ...rest] = reasons.get(unit) ?? [];
      if (first === undefined || !('edge' in first)) throw new Error(`${unit} has no reason`);
      expect(rest).toEqual(asked);
      unit = first.edge.from;
    }
    expect(unit).toBe(name(COUNT - 1));
  });

  test('in a chain are stopped in reverse', () => {
    const graph = graphOf(units(COUNT, (n) => (n === 0 ? {} : { Requires: name(n - 1), After: name(n - 1) })));
    const active = Object.fromEntries(inOrder.map((unit) => [unit, 'active' as const]));
    const made = planned(graph, request('stop', name(0)), active);
    expect(made.jobs.map(({ unit }) => unit)).toEqual(inOrder.toReversed());
  });

  test('that one target wants are started in one wave, and the target after all of them', () => {
    const graph = graphOf({
      ...units(COUNT, () => ({})),
      'all.target': { Wants: inOrder.join(' '), After: inOrder.join(' ') },
    });
    const made = planned(graph, request('start', 'all.target'));
    expect(made.jobs.at(-1)).toMatchObject({ unit: 'all.target', wave: 1, after: inOrder });
    expect(carriedOut(graph, made)).toEqual([...inOrder, 'all.target']);
  });

  test('of which the deepest cannot be loaded are refused with the one that is at fault', () => {
    const graph = graphOf(units(COUNT, (n) => (n === 0 ? {} : { Requires: name(n - 1) })));
    const broken: JobGraph = {
      ...graph,
      facts: (unit) => {
        const facts = graph.facts(unit);
        return facts === undefined || unit !== name(0) ? facts : { ...facts, loadState: 'not-found' };
      },
    };
    const answer = plan({ graph: broken, states: statesOf({}), installed: NO_JOBS }, request('start', name(COUNT - 1)));
    expect(answer).toMatchObject({ error: 'NoSuchUnit', unit: name(0) });
  });

  test('that all come after themselves are started as if they did not', () => {
    const graph = graphOf(units(COUNT, (n) => ({ After: name(n), Wants: `${name(n)} ${name((n + 1) % COUNT)}` })));
    const made = planned(graph, request('start', name(0)));
    expect(made.jobs.map(({ unit, wave }) => [unit, wave])).toEqual(inOrder.map((unit) => [unit, 0]));
    expect(made.cuts).toEqual([]);
  });
});

describe('a knot of five thousand units', () => {
  const COUNT = 5_000;
  const next = (n: number, step: number) => name((n + step) % COUNT);

  test('in one ring is cut at one edge, always the same, and all of it is started', () => {
    const graph = graphOf(units(COUNT, (n) => ({ Wants: next(n, 1), After: next(n, 1) })));
    const made = planned(graph, request('start', name(0)));
    expect(made.jobs).toHaveLength(COUNT);
    expect(made.cuts.map(({ edge }) => [edge.from, edge.to])).toEqual([[name(COUNT - 1), name(0)]]);
    expect(made.cuts[0]?.ring).toHaveLength(COUNT);
    expectOrdered(graph, made);
    expect(new Set(carriedOut(graph, made)).size).toBe(COUNT);
  });

  test('with rings all through it is cut until it can be ordered, and always alike', () => {
    const graph = graphOf(
      units(COUNT, (n) => ({ Wants: next(n, 1), After: [1, 7, 61, 997].map((step) => next(n, step)).join(' ') })),
    );
    const made = planned(graph, request('start', name(0)));
    expect(made.jobs).toHaveLength(COUNT);
    expect(made.cuts.length).toBeGreaterThan(1);
    expectOrdered(graph, made);
    expect(planned(graph, request('start', name(0))).cuts.map(({ edge }) => edge)).toEqual(
      made.cuts.map(({ edge }) => edge),
    );
  });
});
