/** The table of jobs and what is kept of it; waiting explained. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stall, waits } from '../../src/jobs/explain.ts';
import { createJobsLogic } from '../../src/jobs/logic.ts';
import * as paged from '../../src/jobs/paged.ts';
import type { ActiveState, JobGraph } from '../../src/jobs/types.ts';
import { ringWords } from '../../src/jobs/words.ts';
import { type Declared, Fake, graphOf, request, statesOf } from './support/job-world.ts';

describe('a paged dictionary', () => {
  const key = fc.string({ maxLength: 3 });
  const change = fc.oneof(
    fc.tuple(fc.constant('set' as const), key, fc.nat()),
    fc.tuple(fc.constant('delete' as const), key, fc.constant(0)),
  );

  test('is what a Map is, and leaves the version it came from alone', () => {
    fc.assert(
      fc.property(fc.array(fc.array(change)), (rounds) => {
        const map = new Map<string, number>();
        let now: paged.Paged<number> = paged.EMPTY;
        for (const round of rounds) {
          const before = paged.entries(now);
          const draft = new paged.Draft(now);
          for (const [what, name, value] of round) {
            if (what === 'set') {
              map.set(name, value);
              draft.set(name, value);
            } else {
              map.delete(name);
              draft.delete(name);
            }
            expect(draft.get(name)).toBe(map.get(name));
          }
          const next = draft.done();
          expect(paged.entries(now)).toEqual(before);
          const told = paged.diff(now, next) ?? { set: {}, gone: [] };
          const patched = new Map([
            ...before.filter(([name]) => !told.gone.includes(name)),
            ...Object.entries(told.set),
          ]);
          expect(Object.fromEntries(patched)).toEqual(Object.fromEntries(map));
          now = next;
          expect(now.size).toBe(map.size);
          expect(Object.fromEntries(paged.entries(now))).toEqual(Object.fromEntries(map));
        }
      }),
    );
  });

  test('made at once is the one that is made entry by entry', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.nat())), (pairs) => {
        const draft = new paged.Draft<number>(paged.EMPTY);
        for (const [name, value] of pairs) draft.set(name, value);
        expect(paged.fromEntries(pairs)).toEqual(draft.done());
      }),
    );
  });

  test('is the very same object where nothing was changed', () => {
    const one = paged.fromEntries([['a', 1]]);
    const draft = new paged.Draft(one);
    draft.delete('b');
    expect(draft.done()).toBe(one);
    expect(paged.diff(one, one)).toBeUndefined();
  });
});

describe('what is told of a job', () => {
  const why = (fake: Fake, type: string, unit: string): unknown =>
    fake.effects
      .filter(({ type: what }) => what === 'jobRemoved')
      .map(({ params }) => params as { job: { type: string; unit: string }; why: string })
      .findLast(({ job }) => job.type === type && job.unit === unit)?.why;

  test('when its time is over: what it has waited for, or what its unit did', () => {
    const graph = graphOf({
      'late.service': { After: 'slow.service', JobTimeoutSec: 50 },
      'slow.service': { JobRunningTimeoutSec: 90 },
    });
    const fake = new Fake(graph, { 'slow.service': 'slow' });
    fake.ask(request('start', 'slow.service'));
    fake.ask(request('start', 'late.service'));
    fake.advanceTo(100);
    expect(why(fake, 'start', 'late.service')).toBe(
      'JobTimeoutSec= is over, while it waited for job 1 (start slow.service)',
    );
    expect(why(fake, 'start', 'slow.service')).toBe('JobRunningTimeoutSec= is over, while slow.service was activating');
  });

  test('when a dependency is not there: along which line it is needed', () => {
    const needs = { Requires: 'fails.service', After: 'fails.service' };
    const graph = graphOf({
      'a.service': needs,
      'b.service': { Requisite: 'down.service', After: 'down.service' },
      'c.service': { Requires: 'a.service', After: 'a.service' },
    });
    const fake = new Fake(graph, { 'fails.service': 'fails' });
    fake.ask(request('start', 'c.service'));
    expect(why(fake, 'start', 'a.service')).toBe(
      'start fails.service ended: failed (a.service Requires fails.service, from /etc/a.service:1)',
    );
    expect(why(fake, 'start', 'c.service')).toBe(
      'start a.service ended: dependency (c.service Requires a.service, from /etc/c.service:1)',
    );
    fake.ask(request('start', 'b.service'));
    expect(why(fake, 'start', 'b.service')).toBe(
      'down.service is not active but inactive (b.service Requisite down.service, from /etc/b.service:1)',
    );
  });

  test('who asked for it while it was there already, the last few of them', () => {
    const fake = new Fake(graphOf({ 'a.service': {}, 'b.service': { Wants: 'a.service' } }), { 'a.service': 'slow' });
    const ask = (unit: string, by: string) => fake.ask({ ...request('start', unit), by });
    ask('a.service', 'the first');
    ask('a.service', 'the first');
    expect(fake.job('a.service')?.again).toBeUndefined();
    ask('b.service', 'another');
    ask('b.service', 'another');
    expect(fake.job('a.service')).toMatchObject({
      by: 'the first',
      again: [{ by: 'another', plan: 'start b.service' }],
    });
    for (let at = 0; at < 20; at += 1) ask('a.service', `number ${at}`);
    expect(fake.job('a.service')?.again).toHaveLength(4);
    expect(fake.job('a.service')?.again?.at(-1)).toEqual({ by: 'number 19', plan: 'start a.service' });
  });
});

describe('waiting', () => {
  const graph = graphOf({ 'a.service': { After: 'b.service' }, 'b.service': {} });

  test('for another job is told with the edge and its place', () => {
    const fake = new Fake(graph, { 'b.service': 'slow' });
    fake.ask(request('start', 'a.service b.service'));
    const job = fake.job('a.service');
    expect(waits(fake.state.table, graph, statesOf(fake.states), job as NonNullable<typeof job>)).toMatchObject([
      {
        on: 'job',
        unit: 'b.service',
        why: 'start a.service waits for job 1 (start b.service): a.service After b.service, from /etc/a.service:1',
      },
    ]);
  });

  test('for the unit is told with what it is doing', () => {
    const fake = new Fake(graph, { 'b.service': 'slow' });
    fake.ask(request('start', 'b.service'));
    const job = fake.job('b.service');
    expect(waits(fake.state.table, graph, statesOf(fake.states), job as NonNullable<typeof job>)).toEqual([
      { on: 'unit', unit: 'b.service', state: 'activating', why: 'b.service was asked to start, it is activating' },
    ]);
  });

  test('for what cannot come is a stall, told once, with the event that is missing', () => {
    const fake = new Fake(graph, {}, { 'a.service': 'maintenance' });
    fake.ask(request('start', 'a.service'));
    expect(stall(fake.state.table, graph, statesOf(fake.states))).toEqual({
      ring: [],
      why: ['a.service must come to rest first, it is maintenance'],
    });
    fake.change('b.service', 'active');
    expect(fake.effects.filter(({ type }) => type === 'stalled')).toHaveLength(1);
  });
});

describe('the engine as an actor', () => {
  test('answers what does not concern it with the very same state and no effects', () => {
    const logic = createJobsLogic({ graph: () => graphOf({}), states: statesOf({}) });
    const { snapshot } = logic.initial();
    for (const type of ['shutdown', 'effect-failed', 'unit-ended', 'something-new']) {
      expect(logic.step(snapshot, { type })).toEqual({ snapshot, effects: [] });
      expect(logic.step(snapshot, { type }).snapshot).toBe(snapshot);
    }
  });

  test('refuses a saved form of another version', () => {
    const logic = createJobsLogic({ graph: () => graphOf({}), states: statesOf({}) });
    expect(() => logic.load(logic.save(logic.initial().snapshot), 2)).toThrow('version 2');
  });

  test('counts anew and cuts new rings when units are loaded again', () => {
    let declared: Record<string, Declared> = { 'a.service': {}, 'b.service': { After: 'x.service' }, 'x.service': {} };
    const now: { graph: JobGraph } = { graph: graphOf(declared) };
    const states: Record<string, ActiveState> = {};
    const logic = createJobsLogic({ graph: () => now.graph, states: statesOf(states) });
    let state = logic.initial().snapshot;
    const step = (event: { type: string; [field: string]: unknown }) => {
      const answer = logic.step(state, event);
      state = answer.snapshot;
      return answer.effects;
    };
    const runs = (effects: readonly { type: string; params: { event?: { type: string } } }[]) =>
      effects.filter((effect) => effect.type === 'post' && effect.params.event?.type === 'run').length;
    step({ type: 'request', request: request('start', 'x.service b.service') });
    declared = { ...declared, 'b.service': { After: 'y.service', Before: 'x.service' }, 'x.service': {} };
    now.graph = graphOf(declared);
    // b no longer waits for x, which runs already and waits for nobody.
    expect(runs(step({ type: 'units-loaded' }))).toBe(1);
    expect(JSON.parse(JSON.stringify(logic.save(state))).jobs).toMatchObject({
      '1': { unit: 'x.service' },
      '2': { state: 'running' },
    });
  });

  test('remembers of a cut no more than that it was made, and tells a long ring by its beginning', () => {
    const name = (at: number) => `u${at % 100}.service`;
    const ring = Object.fromEntries(
      Array.from({ length: 100 }, (_, at) => [name(at), { Wants: name(at + 1), After: name(at + 1) }]),
    );
    const logic = createJobsLogic({ graph: () => graphOf(ring), states: statesOf({}) });
    const asked = { type: 'request', request: request('start', name(0)) };
    const { snapshot, effects } = logic.step(logic.initial().snapshot, asked);
    const [cut, ...others] = effects.flatMap((effect) => (effect.type === 'orderingsCut' ? effect.params.cuts : []));
    if (cut === undefined) throw new Error('nothing was cut');
    expect(others).toEqual([]);
    expect(cut.ring).toHaveLength(32);
    expect(cut.more).toBe(68);
    expect(ringWords(cut)).toMatch(/^u0\.service → u1\.service → .*u31\.service → … 68 more … → u0\.service$/);
    const saved = JSON.parse(JSON.stringify(logic.save(snapshot)));
    expect(saved.cuts).toEqual({ [`${cut.edge.from} ${cut.edge.to}`]: true });
    // As a core has saved it that kept all of it.
    const older = { ...saved, cuts: { [`${cut.edge.from} ${cut.edge.to}`]: { ...cut, ring: Object.keys(ring) } } };
    expect(logic.save(logic.load(older, 1))).toEqual(logic.save(snapshot));
  });

  test.each([
    ['its own restart never takes the place of a stop that waits', { unit: 'a.service' }, 'stop'],
    ['the restart that a client asks for does', undefined, 'restart'],
  ])('%s', (_, client, expected) => {
    const graph = graphOf({ 'a.service': { Before: 'b.service' }, 'b.service': {} });
    const logic = createJobsLogic({
      graph: () => graph,
      states: statesOf({ 'a.service': 'active', 'b.service': 'active' }),
    });
    let state = logic.initial().snapshot;
    const ask = (verb: 'stop' | 'restart', units: string, asker?: object) => {
      state = logic.step(state, { type: 'request', request: request(verb, units), client: asker }).snapshot;
    };
    // a is stopped after b, so that its job waits.
    ask('stop', 'a.service b.service');
    ask('restart', 'a.service', client);
    const jobs = Object.values(JSON.parse(JSON.stringify(logic.save(state))).jobs) as { unit: string; type: string }[];
    expect(jobs.find(({ unit }) => unit === 'a.service')).toMatchObject({ type: expected });
  });

  test('passes the reload of a service on to those that run and can', () => {
    const graph = graphOf({
      'a.service': { PropagatesReloadTo: 'b.service c.service d.service' },
      'b.service': { canReload: true },
      'c.service': { canReload: true },
      'd.service': {},
    });
    const fake = new Fake(graph, {}, { 'a.service': 'active', 'b.service': 'active', 'd.service': 'active' });
    fake.post('jobs', { type: 'propagate-reload', unit: 'a.service' });
    fake.run();
    expect(fake.log).toEqual(['reload b.service', 'done reload b.service']);
  });

  test('tells a unit whose request was refused', () => {
    const graph = graphOf({ 'a.socket': { Triggers: 'a.service' }, 'a.service': { loadState: 'masked' } });
    const logic = createJobsLogic({ graph: () => graph, states: statesOf({}) });
    const { effects } = logic.step(logic.initial().snapshot, {
      type: 'unit-request',
      from: 'a.socket',
      unit: 'a.service',
      verb: 'start',
      mode: 'replace',
      why: 'traffic',
    });
    expect(effects).toContainEqual({
      type: 'post',
      params: { to: 'unit:a.socket', event: { type: 'job-refused', why: 'a.service is masked' } },
    });
  });

  test('serves a unit that may not be started by hand when another unit asks', () => {
    const graph = graphOf({ 'a.service': { RefuseManualStart: true } });
    const fake = new Fake(graph);
    fake.post('jobs', {
      type: 'unit-request',
      from: 'a.socket',
      unit: 'a.service',
      verb: 'start',
      mode: 'replace',
      why: 'traffic',
    });
    fake.run();
    expect(fake.states['a.service']).toBe('active');
  });
});
