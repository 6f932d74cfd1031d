/** What holds for every set of units and every request, whatever they are: random graphs, cycles and all. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stall, waits } from '../../src/jobs/explain.ts';
import { orderingsOf, waiter } from '../../src/jobs/order.ts';
import { isRefusal, NO_JOBS, plan } from '../../src/jobs/plan.ts';
import { jobOf, listJobs, viewOf } from '../../src/jobs/table.ts';
import { TopologicalOrder } from '../../src/jobs/topological.ts';
import type { ActiveState, JobGraph, JobMode, JobRequest, RequestVerb } from '../../src/jobs/types.ts';
import type { DependencyKind } from '../../src/units/types.ts';
import { type Declared, Fake, graphOf, type Manner, statesOf } from './support/job-world.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name) => `${name}.service`);
const KINDS: readonly DependencyKind[] = [
  'Requires',
  'Requires',
  'Requisite',
  'Wants',
  'Wants',
  'Wants',
  'BindsTo',
  'PartOf',
  'Upholds',
  'Conflicts',
  'After',
  'After',
  'After',
  'After',
  'After',
  'Before',
  'Before',
  'Before',
  'PropagatesStopTo',
  'PropagatesReloadTo',
  'OnFailure',
  'OnSuccess',
];
const VERBS: readonly RequestVerb[] = [
  'start',
  'start',
  'start',
  'start',
  'stop',
  'restart',
  'reload',
  'try-restart',
  'reload-or-restart',
];
const MODES: readonly JobMode[] = [
  'replace',
  'fail',
  'isolate',
  'flush',
  'ignore-dependencies',
  'triggering',
  'restart-dependencies',
];

const name = fc.constantFrom(...NAMES);
const edge = fc.tuple(name, fc.constantFrom(...KINDS), name, fc.boolean());
const rarely = fc.nat(5).map((number) => number === 0);
const flags = fc.record({
  canReload: fc.boolean(),
  StopWhenUnneeded: rarely,
  IgnoreOnIsolate: fc.boolean(),
  loadState: fc.oneof(
    { weight: 40, arbitrary: fc.constant('loaded' as const) },
    { weight: 1, arbitrary: fc.constantFrom('not-found' as const, 'masked' as const) },
  ),
});
const units = fc
  .tuple(fc.array(edge, { minLength: 4, maxLength: 28, size: 'max' }), fc.array(flags, { minLength: 8, maxLength: 8 }))
  .map(declare);
const states = fc
  .array(fc.constantFrom<ActiveState>('inactive', 'inactive', 'active', 'failed'), { minLength: 8, maxLength: 8 })
  .map((list) => Object.fromEntries(NAMES.map((unit, at) => [unit, list[at] as ActiveState])));
const asked: fc.Arbitrary<JobRequest> = fc.record({
  verb: fc.constantFrom(...VERBS),
  units: fc.uniqueArray(name, { minLength: 1, maxLength: 5, size: 'max' }),
  mode: fc.oneof(
    { weight: 8, arbitrary: fc.constant<JobMode>('replace') },
    { weight: 1, arbitrary: fc.constantFrom(...MODES) },
  ),
  by: fc.constant('a test'),
});
const manners = fc
  .array(
    fc.constantFrom<Manner>(
      'ok',
      'ok',
      'ok',
      'slow',
      'slow',
      'slow',
      'slow',
      'fails',
      'oneshot',
      'condition',
      'assert',
    ),
    { minLength: 8, maxLength: 8 },
  )
  .map((list) => Object.fromEntries(NAMES.map((unit, at) => [unit, list[at] as Manner])));

type Units = Readonly<Record<string, Declared>>;

function declare([edges, settings]: [[string, DependencyKind, string, boolean][], Declared[]]): Units {
  const declared: Record<string, Record<string, unknown>> = {};
  for (const [at, unit] of NAMES.entries()) declared[unit] = { ...settings[at], AllowIsolate: true, implied: {} };
  for (const [from, kind, to, implied] of edges) {
    const unit = declared[from] as Record<string, unknown>;
    const lists = (implied && (kind === 'After' || kind === 'Before') ? unit['implied'] : unit) as Record<
      string,
      string
    >;
    lists[kind] = [...new Set([...(lists[kind] ?? '').split(' '), to])].join(' ').trim();
  }
  return declared as Units;
}

/** Each job's number of blockers, counted from nothing. */
function recount(fake: Fake, graph: JobGraph): Record<string, number> {
  const view = viewOf(fake.state.table);
  return Object.fromEntries(
    listJobs(fake.state.table).map((job) => {
      let blockers = 0;
      for (const ordering of orderingsOf(graph, job.unit)) {
        const [later, earlier] = [jobOf(fake.state.table, ordering.later), jobOf(fake.state.table, ordering.earlier)];
        if (later === undefined || earlier === undefined || view.isCut(ordering.later, ordering.earlier)) continue;
        const who = waiter(later, earlier);
        if (who !== undefined && ordering[who] === job.unit) blockers += 1;
      }
      return [job.unit, blockers];
    }),
  );
}

const counted = (fake: Fake) => Object.fromEntries(listJobs(fake.state.table).map((job) => [job.unit, job.blockers]));

describe('a plan', () => {
  test('does not depend on the order in which units, edges or requested units were put together', () => {
    fc.assert(
      fc.property(units, states, asked, fc.infiniteStream(fc.nat()), (declared, active, wanted, randoms) => {
        const shuffle = <T>(list: T[]): T[] => {
          for (let at = list.length - 1; at > 0; at -= 1) {
            const other = (randoms.next().value as number) % (at + 1);
            [list[at], list[other]] = [list[other] as T, list[at] as T];
          }
          return list;
        };
        const world = (graph: JobGraph) => ({ graph, states: statesOf(active), installed: NO_JOBS });
        const one = plan(world(graphOf(declared)), wanted);
        const other = plan(world(graphOf(declared, shuffle)), { ...wanted, units: shuffle([...wanted.units]) });
        const told = (answer: typeof one) => (isRefusal(answer) ? answer : { ...answer, request: undefined });
        expect(told(other)).toEqual(told(one));
      }),
      { numRuns: 500 },
    );
  });

  test('has one job a unit, in an order that every kept ordering agrees with', () => {
    fc.assert(
      fc.property(units, states, asked, (declared, active, wanted) => {
        const graph = graphOf(declared);
        const answer = plan({ graph, states: statesOf(active), installed: NO_JOBS }, wanted);
        if (isRefusal(answer)) return;
        const jobs = new Map(answer.jobs.map((job) => [job.unit, job]));
        expect(jobs.size).toBe(answer.jobs.length);
        const cut = new Set(answer.cuts.map(({ edge: { from, to } }) => `${from} ${to}`));
        for (const { unit } of answer.jobs) {
          for (const { later, earlier } of orderingsOf(graph, unit)) {
            const [l, e] = [jobs.get(later), jobs.get(earlier)];
            if (l === undefined || e === undefined || cut.has(`${later} ${earlier}`)) continue;
            const who = waiter(l, e);
            if (who === 'later') expect(l.wave, `${later} after ${earlier}`).toBeGreaterThan(e.wave);
            if (who === 'earlier') expect(e.wave, `${earlier} before ${later}`).toBeGreaterThan(l.wave);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test('leaves no requirement of a planned start unmet', () => {
    fc.assert(
      fc.property(units, states, asked, (declared, active, wanted) => {
        const graph = graphOf(declared);
        const answer = plan({ graph, states: statesOf(active), installed: NO_JOBS }, wanted);
        if (isRefusal(answer) || wanted.mode === 'ignore-dependencies') return;
        const jobs = new Map(answer.jobs.map((job) => [job.unit, job.type]));
        for (const job of answer.jobs) {
          if (job.type !== 'start' && job.type !== 'restart') continue;
          for (const kind of ['Requires', 'BindsTo'] as const) {
            for (const { to } of graph.edges(job.unit, kind)) {
              const type = jobs.get(to);
              expect(type, `${job.unit} ${kind} ${to}`).not.toBe('stop');
              if (type === undefined && to !== job.unit) expect(active[to]).toBe('active');
            }
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test('cuts an ordering only where it closes a ring of orderings', () => {
    fc.assert(
      fc.property(units, states, asked, (declared, active, wanted) => {
        const graph = graphOf(declared);
        const answer = plan({ graph, states: statesOf(active), installed: NO_JOBS }, wanted);
        if (isRefusal(answer)) return;
        for (const {
          edge: { from, to },
          ring,
        } of answer.cuts) {
          expect(ring).toContain(from);
          expect(ring).toContain(to);
          for (const [at, unit] of ring.entries()) {
            const next = ring[(at + 1) % ring.length] as string;
            const ordered = [...orderingsOf(graph, unit)].some(
              ({ later, earlier }) => later === next || earlier === next,
            );
            expect(ordered, `${unit} and ${next}`).toBe(true);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('the engine, on units that are slow, fail, or are over at once', () => {
  test('brings every job to an end, counts right at every step, and never stalls', { timeout: 300_000 }, () => {
    fc.assert(
      fc.property(
        units,
        manners,
        fc.array(asked, { minLength: 2, maxLength: 6, size: 'max' }),
        (declared, how, requests) => {
          const graph = graphOf(declared);
          const fake = new Fake(graph, how);
          for (const wanted of requests) {
            fake.ask(wanted);
            expect(counted(fake)).toEqual(recount(fake, graph));
            expect(stall(fake.state.table, graph, statesOf(fake.states))).toBeUndefined();
            for (const job of listJobs(fake.state.table)) {
              expect(waits(fake.state.table, graph, statesOf(fake.states), job).length).toBeGreaterThan(0);
            }
          }
          fake.settle();
          expect(fake.jobs()).toEqual([]);
          expect(fake.actors()).toEqual([]);
          expect(fake.state.table.running).toBe(0);
          expect(fake.effects.some(({ type }) => type === 'stalled')).toBe(false);
        },
      ),
      { numRuns: 400 },
    );
  });

  test('does the same thing twice, to the letter', () => {
    fc.assert(
      fc.property(units, manners, fc.array(asked, { minLength: 1, maxLength: 4 }), (declared, how, requests) => {
        const run = () => {
          const fake = new Fake(graphOf(declared), how);
          for (const wanted of requests) fake.ask(wanted);
          fake.settle();
          return JSON.stringify([fake.log, fake.effects, fake.state]);
        };
        expect(run()).toBe(run());
      }),
      { numRuns: 100 },
    );
  });

  test('starts nothing the second time, if all went well the first time', () => {
    fc.assert(
      fc.property(units, name, (declared, unit) => {
        const quiet = Object.fromEntries(
          Object.entries(declared).map(([key, one]) => [
            key,
            { ...one, Conflicts: '', Upholds: '', StopWhenUnneeded: false } as Declared,
          ]),
        );
        const fake = new Fake(graphOf(quiet));
        const wanted: JobRequest = { verb: 'start', units: [unit], mode: 'replace', by: 'a test' };
        fake.ask(wanted);
        const before = fake.log.filter((line) => line.startsWith('start ')).length;
        // What failed is tried again, and rightly so.
        fc.pre(fake.log.every((line) => /^(start|stop|reload|done) /.test(line)));
        fake.ask(wanted);
        expect(fake.log.filter((line) => line.startsWith('start '))).toHaveLength(before);
      }),
      { numRuns: 200 },
    );
  });
});

describe('start, then stop', () => {
  /** Rules that start something of their own accord do not end with the request. */
  const quiet = new Set<string>(['Upholds', 'OnFailure', 'OnSuccess']);

  test('of all that came up returns to the beginning, for units that obey', () => {
    fc.assert(
      fc.property(units, fc.array(name, { minLength: 1, maxLength: 3 }), (declared, wanted) => {
        const calm = Object.fromEntries(
          Object.entries(declared).map(([unit, settings]) => [
            unit,
            Object.fromEntries(Object.entries(settings).filter(([key]) => !quiet.has(key))),
          ]),
        ) as Units;
        const fake = new Fake(graphOf(calm));
        fake.ask({ verb: 'start', units: wanted, mode: 'replace', by: 'a test' });
        fake.settle();
        const up = Object.keys(fake.states).filter((unit) => fake.states[unit] === 'active');
        fc.pre(up.length > 0);
        fake.ask({ verb: 'stop', units: up, mode: 'replace', by: 'a test' });
        fake.settle();
        expect(Object.values(fake.states).filter((state) => state !== 'inactive')).toEqual([]);
        expect(fake.jobs()).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the topological order', () => {
  test('refuses exactly the edges that close a ring, and shows the path', () => {
    const pair = fc.tuple(fc.nat(9), fc.nat(9));
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 40 }), (pairs) => {
        const order = new TopologicalOrder(Array.from({ length: 10 }, (_, at) => at));
        const kept: [number, number][] = [];
        const reaches = (from: number, to: number): boolean => {
          const seen = new Set([from]);
          for (const node of seen) for (const [a, b] of kept) if (a === node) seen.add(b);
          return seen.has(to);
        };
        for (const [first, second] of pairs) {
          const closes = reaches(second, first);
          const path = order.add(first, second);
          expect(path !== undefined).toBe(closes);
          if (path === undefined) {
            kept.push([first, second]);
            continue;
          }
          expect(path[0]).toBe(second);
          expect(path.at(-1)).toBe(first);
          for (const [at, node] of path.slice(1).entries()) {
            expect(kept.some(([a, b]) => a === path[at] && b === node)).toBe(true);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
