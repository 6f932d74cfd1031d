/** Plans that are identified, estimated, applied later, confirmed and undone. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keepable, toKeep, type Wish } from '../../src/jobs/apply.ts';
import { documentOf } from '../../src/jobs/document.ts';
import { estimate, MAX_TIMED_UNITS, note, usual } from '../../src/jobs/estimate.ts';
import { sha256 } from '../../src/jobs/hash.ts';
import { type IdentityWorld, identify, moved } from '../../src/jobs/identity.ts';
import { inverse, planBack } from '../../src/jobs/inverse.ts';
import { planWorld } from '../../src/jobs/logic.ts';
import * as paged from '../../src/jobs/paged.ts';
import { isRefusal, NO_JOBS, plan } from '../../src/jobs/plan.ts';
import { planId, stateHash } from '../../src/jobs/plan-id.ts';
import type { RequestAnswer } from '../../src/jobs/protocol.ts';
import { readPlan } from '../../src/jobs/read-plan.ts';
import type {
  ActiveState,
  JobGraph,
  JobRequest,
  Plan,
  PlanDocument,
  PlannedJob,
  Refusal,
} from '../../src/jobs/types.ts';
import { edgeWords } from '../../src/jobs/words.ts';
import { type Declared, Fake, graphOf, request, statesOf } from './support/job-world.ts';

type States = Readonly<Record<string, ActiveState>>;
const HERE = { machineId: 'm', bootId: 'b', madeUs: 1, durations: paged.EMPTY };

const worldOf = (
  units: Readonly<Record<string, Declared>>,
  active: States = {},
  settings: Readonly<Record<string, string>> = {},
): IdentityWorld => ({
  graph: graphOf(units),
  states: statesOf(active),
  installed: NO_JOBS,
  settings: (unit) => settings[unit] ?? 'aaaaaaaaaaaaaaaa',
});

function planned(world: IdentityWorld, asked: JobRequest): Plan {
  const answer = plan(world, asked);
  if (isRefusal(answer)) throw new Error(answer.refused);
  return answer;
}

const idOf = (world: IdentityWorld, asked: JobRequest) => identify(world, planned(world, asked)).id;

const WEB = {
  'web.service': { Requires: 'db.service', After: 'db.service', Wants: 'cache.service' },
  'db.service': {},
  'cache.service': {},
  'stranger.service': {},
};

describe('the hash', () => {
  test('is SHA-256, for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (text) => {
        expect(sha256(text)).toBe(createHash('sha256').update(text).digest('hex'));
      }),
    );
    for (const length of [55, 56, 63, 64, 65, 119, 120])
      expect(sha256('x'.repeat(length))).toBe(createHash('sha256').update('x'.repeat(length)).digest('hex'));
  });
});

describe('the identity of a plan', () => {
  test('is the same whoever asks, and in whatever order units are named and were loaded', () => {
    const asked = request('start', 'web.service stranger.service');
    const id = idOf(worldOf(WEB), asked);
    expect(idOf(worldOf(WEB), { ...asked, by: 'somebody else', units: asked.units.toReversed() })).toBe(id);
    const reversed = Object.fromEntries(Object.entries(WEB).reverse());
    expect(idOf(worldOf(reversed), asked)).toBe(id);
  });

  test('rests on the units that the plan touches, and on no others', () => {
    const asked = request('start', 'web.service');
    const before = idOf(worldOf(WEB), asked);
    expect(idOf(worldOf(WEB, { 'stranger.service': 'active' }, { 'stranger.service': 'ffff' }), asked)).toBe(before);
    expect(idOf(worldOf(WEB, { 'cache.service': 'active' }), asked)).not.toBe(before);
    expect(idOf(worldOf(WEB, {}, { 'db.service': 'ffff' }), asked)).not.toBe(before);
  });

  test('rests on a unit that is needed and stands already, though it has no job', () => {
    const asked = request('start', 'web.service');
    const { units } = identify(worldOf(WEB), planned(worldOf(WEB, { 'db.service': 'active' }), asked));
    expect(Object.keys(units)).toEqual(['cache.service', 'db.service', 'web.service']);
  });

  test('is another one for another verb or mode', () => {
    const ids = [
      request('start', 'web.service'),
      request('restart', 'web.service'),
      request('start', 'web.service', 'ignore-dependencies'),
    ].map((asked) => idOf(worldOf(WEB), asked));
    expect(new Set(ids).size).toBe(3);
  });

  test('tells what has moved: the unit, before and now', () => {
    const line = 'inactive loaded aaaaaaaaaaaa';
    expect(moved({ a: line, b: line, c: line }, { a: line, b: 'active loaded aaaaaaaaaaaa', d: line })).toEqual([
      'b: was inactive, is active',
      `c: was ${line}, is not touched by the plan now`,
      `d: was not touched by the plan, is now: ${line}`,
    ]);
    expect(moved({ a: line }, { a: 'inactive masked bbbbbbbbbbbb, job 7 (stop)' })).toEqual([
      'a: was loaded, is masked; its settings were aaaaaaaaaaaa, are bbbbbbbbbbbb; had no job, has job 7 (stop)',
    ]);
  });
});

describe('an estimate', () => {
  test('is the longest chain of usual lengths, and counts what nothing is known of', () => {
    const lengths = paged.fromEntries([
      ['db.service', { start: [100] }],
      ['web.service', { start: [50], stop: [5] }],
    ]);
    const world = worldOf(WEB);
    expect(estimate(planned(world, request('start', 'web.service')), lengths)).toEqual({
      ms: 150,
      unknown: 1,
      jobs: { 'db.service': 100, 'web.service': 50 },
    });
    const up = worldOf(WEB, { 'web.service': 'active', 'db.service': 'active', 'cache.service': 'active' });
    expect(estimate(planned(up, request('restart', 'web.service')), lengths).ms).toBe(55);
  });

  test('takes the middle of the last five lengths', () => {
    const draft = new paged.Draft<{ readonly start?: readonly number[] }>(paged.EMPTY);
    for (const ms of [9000, 1, 2, 3, 4, 500]) note(draft, 0, 'a.service', 'start', ms);
    expect(draft.get('a.service')?.start).toEqual([1, 2, 3, 4, 500]);
    expect(usual(draft.get('a.service')?.start)).toBe(3);
  });

  test('is kept of a bounded number of units', () => {
    const draft = new paged.Draft<{ readonly start?: readonly number[] }>(paged.EMPTY);
    note(draft, MAX_TIMED_UNITS, 'new.service', 'start', 1);
    expect(draft.untouched).toBe(true);
  });

  test('is learnt by the engine from jobs that are done, both phases of a restart', () => {
    const fake = new Fake(graphOf({ 'a.service': {} }), { 'a.service': 'slow' });
    fake.ask(request('start', 'a.service'));
    fake.nowMs = 40;
    fake.settle();
    fake.ask(request('restart', 'a.service'));
    fake.nowMs = 50;
    fake.settle();
    expect(paged.get(fake.state.durations, 'a.service')).toEqual({ start: [40, 0], stop: [10] });
  });
});

describe('a plan told in full', () => {
  const told = (world: IdentityWorld, asked: JobRequest): PlanDocument =>
    documentOf(world, planned(world, asked), HERE);

  test('names what it would stop though nobody asked for that, and what stands already', () => {
    const units = { 'a.service': { Conflicts: 'b.service', Wants: 'c.service' }, 'b.service': {}, 'c.service': {} };
    const document = told(
      worldOf(units, { 'b.service': 'active', 'c.service': 'active' }),
      request('start', 'a.service'),
    );
    expect(document.stops).toEqual([
      { unit: 'b.service', why: 'start a.service: a.service Conflicts b.service, from /etc/a.service:1' },
    ]);
    expect(document.stands).toEqual(['c.service']);
  });

  test('says what a compound verb has come to mean', () => {
    const notes = (verb: JobRequest['verb'], active: States, declared: Declared = {}) =>
      told(worldOf({ 'a.service': declared }, active), request(verb, 'a.service')).notes;
    expect(notes('try-restart', {})).toEqual(['a.service: try-restart means nop, since it is inactive']);
    expect(notes('reload-or-restart', {})).toEqual([
      'a.service: reload-or-restart means restart, since it cannot reload',
    ]);
    expect(notes('reload-or-restart', {}, { canReload: true })).toEqual([
      'a.service: reload-or-restart means start, since it is inactive',
    ]);
  });

  test('says which job in the table it will wait for, and along which line', () => {
    const fake = new Fake(graphOf({ 'b.service': { After: 'a.service' }, 'a.service': {} }), { 'a.service': 'slow' });
    fake.ask(request('start', 'a.service'));
    const world = planWorld(
      { graph: () => graphOf({ 'b.service': { After: 'a.service' } }), states: statesOf(fake.states) },
      fake.state,
    );
    expect(told(world, request('start', 'b.service')).waits).toEqual([
      {
        unit: 'b.service',
        job: 1,
        why: 'job 1 (start a.service) comes first: b.service After a.service, from /etc/b.service:1',
      },
    ]);
  });

  test('says that a device is waited for, and for how long', () => {
    const waits = (settings: Declared) =>
      told(
        worldOf({ 'a.service': { Requires: 'd.device' }, 'd.device': { canStart: false, ...settings } }),
        request('start', 'a.service'),
      ).waits;
    const why = 'nobody can start it: it is waited for until it is there';
    expect(waits({ JobRunningTimeoutSec: 90_000 })).toEqual([
      { unit: 'd.device', why: `${why}, for 90 s at most (JobRunningTimeoutSec=)` },
    ]);
    expect(waits({})).toEqual([{ unit: 'd.device', why: `${why}, without end` }]);
  });

  test('foresees what will end with unsupported', () => {
    const units = { 'a.service': { Wants: 'm.mount' }, 'm.mount': { unsupported: true } } as const;
    const notes = (active: States) => told(worldOf(units, active), request('start', 'a.service')).notes;
    expect(notes({})).toEqual([
      'start m.mount will end with unsupported: units of type mount are only shown here so far',
    ]);
    expect(notes({ 'm.mount': 'active' })).toEqual([]);
  });

  test('shows each ring that it cuts with the place of each of its edges, whether units come or go', () => {
    const units = {
      't.target': { Wants: 'a.service b.service c.service' },
      'a.service': { After: 'b.service' },
      'b.service': { After: 'c.service' },
      'c.service': { implied: { After: 'a.service' } },
    };
    const ring = (verb: JobRequest['verb'], unit: string, active: States) =>
      told(worldOf(units, active), request(verb, unit)).cuts.map(({ edges }) => edges.map(edgeWords).sort());
    const edges = [
      'a.service After b.service, from /etc/a.service:1',
      'b.service After c.service, from /etc/b.service:1',
      'c.service After a.service, from rule: default dependency',
    ];
    expect(ring('start', 't.target', {})).toEqual([edges]);
    const up: States = { 'a.service': 'active', 'b.service': 'active', 'c.service': 'active' };
    expect(ring('stop', 'a.service b.service c.service', up)).toEqual([edges]);
  });

  test('has an id that is no longer its own when its request, its jobs or what it rests on are changed by hand', () => {
    const { id, request: asked, state, jobs, replaces } = told(worldOf(WEB), request('start', 'web.service'));
    expect(planId(asked, stateHash(state.units), jobs, replaces)).toBe(id);
    const [first, ...rest] = jobs as [PlannedJob, ...PlannedJob[]];
    expect(planId(asked, state.hash, [{ ...first, type: 'stop' }, ...rest], replaces)).not.toBe(id);
    expect(planId({ ...asked, verb: 'stop' }, state.hash, jobs, replaces)).not.toBe(id);
    expect(stateHash({ ...state.units, 'web.service': 'active loaded -' })).not.toBe(state.hash);
  });

  test('survives being saved and read', () => {
    const document = told(worldOf(WEB), request('start', 'web.service'));
    expect(readPlan(JSON.parse(JSON.stringify(document)), HERE)).toEqual({
      id: document.id,
      hash: document.state.hash,
      units: document.state.units,
      request: { verb: 'start', units: ['web.service'], mode: 'replace', by: '' },
    });
  });

  test('is refused in one sentence when it is anything else', () => {
    const whole = told(worldOf(WEB), request('start', 'web.service'));
    for (const change of [
      { format: 'x' },
      { version: 2 },
      { id: 'short' },
      { machineId: 'other' },
      { bootId: 'other' },
      { request: { ...whole.request, verb: 'explode' } },
      { request: { ...whole.request, units: [1] } },
      { request: { ...whole.request, also: 'x' } },
      { state: null },
      { state: { hash: 'x', units: { a: 1 } } },
    ])
      expect(readPlan({ ...whole, ...change }, HERE)).toEqual(expect.any(String));
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(typeof readPlan(value, HERE)).toBe('string');
      }),
    );
  });
});

describe('the inverse of a plan', () => {
  const up = (...units: string[]): States => Object.fromEntries(units.map((unit) => [unit, 'active']));

  test('stops what it starts and starts what it stops, and leaves alone what it restarts', () => {
    const units = {
      'a.service': { Conflicts: 'b.service' },
      'b.service': {},
      'p.service': { PartOf: 'w.service' },
      'w.service': {},
    };
    const world = worldOf(units, up('b.service', 'p.service', 'w.service'));
    expect(inverse(world, planned(world, request('start', 'a.service')), 'undo', 'undo')).toMatchObject({
      verb: 'stop',
      units: ['a.service'],
      also: [{ verb: 'start', units: ['b.service'] }],
      automatic: true,
    });
    expect(inverse(world, planned(world, request('restart', 'w.service')), 'undo', 'undo')).toBeUndefined();
  });

  test('leads back to where the world was, for every plan of starts and stops', () => {
    const names = ['a', 'b', 'c', 'd', 'e'].map((letter) => `${letter}.service`);
    const kinds = ['Requires', 'Wants', 'Conflicts', 'PartOf', 'After'] as const;
    const edges = fc.array(fc.tuple(fc.constantFrom(...names), fc.constantFrom(...kinds), fc.constantFrom(...names)), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(
        edges,
        fc.subarray(names),
        fc.constantFrom('start', 'stop'),
        fc.constantFrom(...names),
        (lines, ups, verb, unit) => {
          const units: Record<string, Record<string, string>> = Object.fromEntries(names.map((name) => [name, {}]));
          for (const [from, kind, to] of lines)
            if (from !== to) units[from]![kind] = `${units[from]![kind] ?? ''} ${to}`;
          const fake = new Fake(graphOf(units as Record<string, Declared>));
          // A world that starts can have led to; what conflicts sorts itself out.
          for (const one of ups) fake.ask(request('start', one));
          const before = JSON.stringify(names.map((name) => fake.states[name] ?? 'inactive'));
          const world = planWorld(
            { graph: () => graphOf(units as Record<string, Declared>), states: statesOf({ ...fake.states }) },
            fake.state,
          );
          const answer = plan(world, request(verb as 'start', unit));
          if (isRefusal(answer)) return;
          const back = inverse(world, answer, 'undo', 'undo');
          fake.ask(request(verb as 'start', unit));
          if (back === undefined) {
            expect(JSON.stringify(names.map((name) => fake.states[name] ?? 'inactive'))).toBe(before);
            return;
          }
          const now = planWorld(
            { graph: () => graphOf(units as Record<string, Declared>), states: statesOf({ ...fake.states }) },
            fake.state,
          );
          const way = planBack(now, back);
          if (way.request !== undefined) fake.ask(way.request);
          expect(JSON.stringify(names.map((name) => fake.states[name] ?? 'inactive'))).toBe(before);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('leaves out what is masked by now, and says so', () => {
    const world = worldOf({ 'a.service': { loadState: 'masked' }, 'b.service': {} });
    const way = planBack(world, { ...request('start', 'a.service b.service'), title: 'undo' });
    expect(way.notes).toEqual(['start a.service left out: a.service is masked']);
    expect((way.planned as Plan).jobs.map(({ unit }) => unit)).toEqual(['b.service']);
  });

  test('brings each unit back by itself where together they contradict each other', () => {
    const world = worldOf({ 'a.service': { Requires: 'b.service' }, 'b.service': {} }, up('b.service'));
    const way = planBack(world, { ...request('stop', 'b.service'), also: [{ verb: 'start', units: ['a.service'] }] });
    expect((way.planned as Plan).jobs.map(({ type, unit }) => `${type} ${unit}`)).toEqual([
      'start a.service',
      'stop b.service',
    ]);
    expect(way.notes[0]).toContain('each unit is brought back by itself');
  });
});

describe('the engine', () => {
  const GRAPH: JobGraph = graphOf({ 'a.service': { Conflicts: 'b.service' }, 'b.service': {}, 'c.service': {} });

  function engine(active: Record<string, ActiveState> = {}) {
    const fake = new Fake(GRAPH, {}, active);
    const send = (event: { type: string; [field: string]: unknown }): unknown => {
      const from = fake.effects.length;
      const answers = fake.answers.length;
      fake.post('jobs', { client: 'c', ...event });
      fake.run();
      const own = fake.effects.slice(from).find(({ type }) => type === 'answerPlan');
      return own === undefined ? fake.answers[answers] : (own.params as { answer: unknown }).answer;
    };
    const world = () => planWorld({ graph: () => GRAPH, states: statesOf(fake.states) }, fake.state);
    const id = (asked: JobRequest) => identify(world(), planned(world(), asked)).id;
    const keep = (request: JobRequest, it: string): unknown => {
      const said = keepable(world(), request, it);
      return 'refused' in said ? said : send({ type: 'keep-plan', plan: said.plan });
    };
    const refusal = (answer: unknown) => (answer as { refused: Refusal }).refused;
    const state = (unit: string) => fake.states[unit] ?? 'inactive';
    return { fake, send, keep, id, refusal, state };
  }
  const asked = request('start', 'a.service');
  const wish = (id: string, more: Partial<Wish> = {}): Wish => ({ id, by: 'a test', ...more });

  test('applies a plan that was kept, and refuses it once the world has moved, naming the unit', () => {
    const { send, keep, id, refusal, state } = engine({ 'b.service': 'active' });
    const it = id(asked);
    expect(keep(asked, it)).toEqual({ id: it });
    expect(send({ type: 'apply', wish: wish(it) })).toMatchObject({ accepted: { 'a.service': expect.any(Number) } });
    expect([state('a.service'), state('b.service')]).toEqual(['active', 'inactive']);
    const again = refusal(send({ type: 'apply', wish: wish(it) }));
    expect(again.error).toBe('PlanMoved');
    expect(again.details).toEqual(['a.service: was inactive, is active', 'b.service: was active, is inactive']);
  });

  test('does not mind what has moved elsewhere', () => {
    const { fake, send, keep, id } = engine();
    const it = id(asked);
    keep(asked, it);
    fake.ask(request('start', 'c.service'));
    expect(send({ type: 'apply', wish: wish(it) })).toHaveProperty('accepted');
  });

  test('keeps no plan that is not the one meant, and knows none it was never told of', () => {
    const { send, keep, refusal } = engine();
    expect(refusal(keep(asked, 'ffffffffffff')).error).toBe('PlanMoved');
    expect(refusal(send({ type: 'apply', wish: wish('ffffffffffff') })).error).toBe('NoSuchPlan');
  });

  test('keeps the last sixteen plans, and forgets the oldest', () => {
    const names = Array.from({ length: 20 }, (_, at) => `u${at}.service`);
    const graph = graphOf(Object.fromEntries(names.map((name) => [name, {}])));
    const fake = new Fake(graph);
    const ids = names.map((name, at) => {
      const one = request('start', name);
      const world = planWorld({ graph: () => graph, states: statesOf(fake.states) }, fake.state);
      const { id } = identify(world, planned(world, one));
      fake.nowMs = at;
      fake.post('jobs', { type: 'keep-plan', plan: toKeep(identify(world, planned(world, one)), one), client: 'c' });
      fake.run();
      return id;
    });
    expect(ids.map((id) => paged.get(fake.state.plans, id) !== undefined)).toEqual(names.map((_, at) => at >= 4));
  });

  test('undoes what nobody confirms in time', () => {
    const { fake, send, keep, id, state } = engine({ 'b.service': 'active' });
    const it = id(asked);
    keep(asked, it);
    send({ type: 'apply', wish: wish(it, { confirmMs: 1000 }) });
    fake.advanceTo(999);
    expect([state('a.service'), state('b.service')]).toEqual(['active', 'inactive']);
    fake.advanceTo(1000);
    expect([state('a.service'), state('b.service')]).toEqual(['inactive', 'active']);
    expect(fake.state.confirmations.size).toBe(0);
  });

  test('leaves what is confirmed, once', () => {
    const { fake, send, keep, id, state, refusal } = engine();
    const it = id(asked);
    keep(asked, it);
    send({ type: 'apply', wish: wish(it, { confirmMs: 1000 }) });
    expect(send({ type: 'confirm', id: it, by: 'a test' })).toEqual({ id: it });
    fake.advanceTo(5000);
    expect(state('a.service')).toBe('active');
    expect(refusal(send({ type: 'confirm', id: it, by: 'a test' })).error).toBe('NoSuchPlan');
  });

  test('keeps what it was promised by a core whose state is lost, and tells of what is promised', () => {
    const { fake, send, keep, id, state } = engine({ 'b.service': 'active' });
    const it = id(asked);
    keep(asked, it);
    send({ type: 'apply', wish: wish(it, { confirmMs: 1000 }) });
    const told = fake.effects.findLast(({ type }) => type === 'promise');
    const { confirmations = [] } = (told?.params ?? {}) as { confirmations?: readonly object[] };
    expect(confirmations).toMatchObject([{ id: it, untilMs: 1000 }]);
    const later = engine({ 'a.service': 'active' });
    later.fake.nowMs = 400;
    later.send({ type: 'promised', confirmations });
    later.send({ type: 'promised', confirmations });
    later.fake.advanceTo(999);
    expect([later.state('a.service'), later.state('b.service')]).toEqual(['active', 'inactive']);
    later.fake.advanceTo(1000);
    expect([later.state('a.service'), later.state('b.service')]).toEqual(['inactive', 'active']);
    expect(later.fake.effects.findLast(({ type }) => type === 'promise')?.params).toEqual({ confirmations: [] });
    expect(state('a.service')).toBe('active');
  });

  test('has what was due meanwhile undone at once', () => {
    const { fake, send, state } = engine({ 'a.service': 'active' });
    const undo = request('stop', 'a.service');
    fake.nowMs = 5000;
    send({
      type: 'promised',
      confirmations: [{ id: 'x', what: 'start a', by: '', appliedMs: 0, untilMs: 1000, undo }],
    });
    fake.advanceTo(5000);
    expect(state('a.service')).toBe('inactive');
  });

  test('a snapshot that is restored waits by its name, even where no job is needed, and leads back by another one', () => {
    const { fake, send } = engine();
    const nothing: JobRequest = { verb: 'stop', units: [], mode: 'replace', by: 'a test' };
    send({ type: 'bring-back', request: nothing, wish: wish('lunch', { confirmMs: 1000, snapshot: 'undo-lunch' }) });
    expect(paged.get(fake.state.confirmations, 'lunch')).toMatchObject({
      what: 'snapshot lunch',
      snapshot: 'undo-lunch',
    });
    fake.advanceTo(1000);
    expect(fake.effects.find(({ type }) => type === 'undo')?.params).toMatchObject({
      confirmation: { id: 'lunch', snapshot: 'undo-lunch' },
    });
    expect(fake.effects.find(({ type }) => type === 'dropSnapshot')?.params).toEqual({ name: 'undo-lunch' });
    expect(fake.state.confirmations.size).toBe(0);
  });

  test('it is too late to confirm what is being undone', () => {
    const { fake, send, refusal } = engine();
    const undo = request('stop', 'a.service');
    const over = { id: 'x', what: 'start a', by: '', appliedMs: 0, untilMs: 1000, undo, over: true };
    send({ type: 'promised', confirmations: [over] });
    expect(refusal(send({ type: 'confirm', id: 'x', by: 'a test' })).refused).toContain('is being undone');
    fake.advanceTo(1000);
  });

  test('lets only so many plans wait to be confirmed', () => {
    const { fake, send, id, refusal } = engine();
    const answers: unknown[] = [];
    for (let at = 0; at < 17; at += 1) {
      const brought = { id: id(asked), hash: '', request: asked };
      answers.push(send({ type: 'apply', wish: { ...wish(`${at}`), plan: brought, confirmMs: 1000 } }));
      fake.ask(request('stop', 'a.service'));
    }
    expect((answers[15] as RequestAnswer & { accepted: unknown }).accepted).toBeDefined();
    expect(refusal(answers[16]).refused).toContain('16 plans wait to be confirmed');
  });

  test('says of what shuts the system down that it comes too late', () => {
    const graph = graphOf({
      'web.service': { implied: { Conflicts: 'shutdown.target' } },
      'poweroff.target': { Requires: 'shutdown.target', After: 'shutdown.target' },
      'shutdown.target': { After: 'slow.service', Conflicts: 'slow.service' },
    });
    const fake = new Fake(graph, { 'slow.service': 'deaf' }, { 'slow.service': 'active' });
    fake.ask({ ...request('start', 'poweroff.target', 'replace-irreversibly'), by: 'uid 0, pid 7 (reboot)' });
    const answer = fake.ask(request('start', 'web.service')) as { refused: Refusal };
    expect(answer.refused).toMatchObject({ error: 'TransactionIsDestructive', unit: 'shutdown.target' });
    expect(answer.refused.refused).toMatch(
      /^the system is going down: stop shutdown\.target, wanted by start web\.service .* of start poweroff\.target, asked for by uid 0, pid 7 \(reboot\), and it cannot be taken back$/,
    );
  });
});
