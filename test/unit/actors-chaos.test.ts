/** The rules of chaos: never more than the radius, always taken back. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CHAOS, type ChaosState, chaosLogic, type Hit, stoppedOf } from '../../src/actors/chaos-logic.ts';
import { type Candidate, draw, fault, RUNS_MAX, seedOf, unsuited } from '../../src/actors/chaos-rules.ts';
import type { ChaosFault, ChaosSettings, ChaosWish } from '../../src/api/chaos.ts';
import type { KillTarget } from '../../src/host/ports.ts';
import type { ActorEvent, Effect } from '../../src/supervisor/index.ts';

const settings: ChaosSettings = { enabled: true, maxUnits: 10, maxMs: 600_000, protect: [], path: '/etc/s.conf' };
const wish = (more: Partial<ChaosWish> = {}): ChaosWish => ({
  fault: { kind: 'hang', whom: 'main' },
  units: ['*'],
  core: false,
  atMost: undefined,
  percent: undefined,
  forMs: undefined,
  seed: undefined,
  dryRun: false,
  ...more,
});
const candidate = (unit: string, more: Partial<Candidate> = {}): Candidate => ({
  unit,
  service: true,
  main: true,
  populated: true,
  notify: true,
  watchdog: true,
  under: [],
  along: [],
  ...more,
});
const many = (count: number) => Array.from({ length: count }, (_, n) => candidate(`u${n}.service`));
const hit = (answer: ReturnType<typeof draw>): readonly string[] => ('units' in answer ? answer.units : []);

describe('the draw', () => {
  const request = fc.record({
    count: fc.nat(40),
    unfit: fc.nat(5),
    atMost: fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined }),
    percent: fc.option(fc.double({ min: 0.1, max: 100, noNaN: true }), { nil: undefined }),
    words: fc.integer({ min: 1, max: 5 }),
    maxUnits: fc.integer({ min: 1, max: 30 }),
    under: fc.nat(30),
    seed: fc.nat(),
    protect: fc.constantFrom([], ['u1*'], ['u3.service', 'u?.service']),
  });

  test('never takes more than the radius, nor more than may be under faults at once, nor one that is protected or unfit', () => {
    fc.assert(
      fc.property(request, ({ count, unfit, atMost, percent, words, maxUnits, under, seed, protect }) => {
        const candidates = many(count).map((one, n) => (n < unfit ? { ...one, main: false } : one));
        const busy = new Set(
          candidates
            .slice(-under)
            .map(({ unit }) => unit)
            .slice(0, under),
        );
        const limits = { ...settings, maxUnits, protect };
        const asked = wish({ units: Array.from({ length: words }, (_, n) => `${n}*`), atMost, percent });
        const units = hit(draw(asked, limits, candidates, busy, seed));
        const isProtected = (unit: string) =>
          protect.some((pattern) => new RegExp(`^${pattern.replaceAll('?', '.').replaceAll('*', '.*')}$`).test(unit));
        const fit = candidates.filter(({ unit, main }) => main && !isProtected(unit)).map(({ unit }) => unit);
        expect(units.every((unit) => fit.includes(unit))).toBe(true);
        expect(new Set(units).size).toBe(units.length);
        if (atMost !== undefined) expect(units.length).toBeLessThanOrEqual(atMost);
        if (percent !== undefined) expect(units.length * 100).toBeLessThanOrEqual(fit.length * percent);
        if (atMost === undefined && percent === undefined) expect(units.length).toBeLessThanOrEqual(words);
        const together = new Set([...busy, ...units]);
        expect(together.size).toBeLessThanOrEqual(Math.max(maxUnits, busy.size));
      }),
    );
  });

  test('depends on the seed and the names alone, and different seeds choose differently', () => {
    const units = many(30);
    const choose = (seed: number, from = units) => hit(draw(wish({ atMost: 3 }), settings, from, new Set(), seed));
    expect(choose(1, [...units].reverse())).toEqual(choose(1));
    const chosen = new Set(Array.from({ length: 50 }, (_, seed) => choose(seed).join(' ')));
    expect(chosen.size).toBeGreaterThan(40);
    const times = new Map<string, number>();
    for (let seed = 0; seed < 3000; seed += 1)
      for (const one of choose(seedOf(`${seed}`))) times.set(one, (times.get(one) ?? 0) + 1);
    expect(times.size).toBe(30);
    for (const count of times.values()) expect(Math.abs(count - 300)).toBeLessThan(120);
  });

  test('says who is spared and why', () => {
    const units = [candidate('a.service'), candidate('b.service', { main: false }), candidate('c.service')];
    const answer = draw(wish({ atMost: 1 }), { ...settings, protect: ['c.*'] }, units, new Set(), 0);
    expect(answer).toMatchObject({ units: ['a.service'] });
    expect('spared' in answer && answer.spared).toEqual([
      { unit: 'b.service', why: 'it has no main process now' },
      { unit: 'c.service', why: 'Protect= in [X-Chaos] of /etc/s.conf names it' },
    ]);
  });

  test.each<[string, Partial<ChaosWish>, Candidate[], string, RegExp]>([
    ['nobody', { units: ['x*'] }, [], 'none of that name', /list-units/],
    ['nobody fit', {}, [candidate('a.service', { main: false })], 'a.service: it has no main process', /list-units/],
    ['a share of less than one', { percent: 10 }, many(9), '10 percent of 9 units are less than one', /--at-most/],
  ])('refuses %s', (_what, more, units, refused, todo) => {
    const answer = draw(wish(more), settings, units, new Set(), 0);
    expect(answer).toMatchObject({ refused: expect.stringContaining(refused), todo: expect.stringMatching(todo) });
  });

  test('counts units that go down with others like those, and spares whoever would take a protected one along', () => {
    const pair = [candidate('a.service', { along: ['b.service', 'c.service'] }), candidate('d.service')];
    const choose = (more: Partial<ChaosWish>, limits: Partial<ChaosSettings> = {}, from = pair) =>
      draw(wish({ seed: 1, ...more }), { ...settings, ...limits }, from, new Set(), 1);
    expect(choose({ atMost: 2 })).toMatchObject({ units: ['d.service'], along: [], spared: [{ unit: 'a.service' }] });
    expect(choose({ atMost: 4 })).toMatchObject({
      units: ['a.service', 'd.service'],
      along: ['b.service', 'c.service'],
      spared: [],
    });
    expect(choose({ atMost: 4 }, { maxUnits: 3 })).toMatchObject({ units: [expect.any(String)] });
    expect(choose({ units: ['a.service'] }, {}, pair.slice(0, 1))).toEqual({
      refused: 'a.service would take b.service, c.service down with it: 3 units, more than 1',
      todo: 'use --at-most=3 if that is meant',
    });
    expect(choose({ atMost: 9 }, { protect: ['c.*'] })).toMatchObject({
      units: ['d.service'],
      spared: [{ unit: 'a.service', why: expect.stringContaining('c.service would go down with it, which Protect=') }],
    });
  });

  test('refuses when as many are under faults as may be', () => {
    const busy = new Set(Array.from({ length: 10 }, (_, n) => `other${n}.service`));
    expect(draw(wish(), settings, many(3), busy, 0)).toMatchObject({
      refused: expect.stringContaining('10 units are under faults already'),
      todo: expect.stringContaining('MaxUnits='),
    });
  });
});

test.each<[ChaosFault, Partial<Candidate>, string]>([
  [{ kind: 'kill', signal: 9, whom: 'main', everyMs: undefined }, { main: false }, 'main process'],
  [{ kind: 'kill', signal: 9, whom: 'all', everyMs: undefined }, { main: false }, ''],
  [{ kind: 'hang', whom: 'all' }, { populated: false }, 'no process'],
  [{ kind: 'delay_ready', ms: 1 }, { notify: false }, 'READY=1'],
  [{ kind: 'drop_watchdog' }, { watchdog: false }, 'WatchdogSec='],
  [{ kind: 'fail_spawn', count: 1, step: 'fork', errno: 'EAGAIN' }, { main: false, populated: false }, ''],
  [{ kind: 'hang', whom: 'main' }, { under: ['hang'] }, 'already'],
  [{ kind: 'hang', whom: 'main' }, { under: ['drop_watchdog'] }, ''],
  [{ kind: 'drop_watchdog' }, { service: false }, 'no service'],
])('%j suits, or does not suit, %j', (wanted, more, why) => {
  const said = unsuited(wanted, candidate('a.service', more));
  if (why === '') expect(said).toBe('');
  else expect(said).toContain(why);
});

test.each<[string, Partial<ChaosWish>, string]>([
  ['no time', { forMs: 0 }, 'not within its bounds'],
  ['more time than is allowed', { forMs: 600_001 }, 'MaxSec='],
  ['a radius of nobody', { atMost: 0 }, 'nobody would be hit'],
  ['no share', { percent: 0 }, 'not a share'],
  ['more than all', { percent: 101 }, 'not a share'],
  ['a fault that core cannot have', { core: true, units: [], fault: { kind: 'drop_watchdog' } }, 'core'],
  ['core and units', { core: true, fault: { kind: 'hang', whom: 'main' } }, 'one after the other'],
  ['nobody at all', { units: [] }, '--unit'],
  ['a storm', { fault: { kind: 'kill', signal: 9, whom: 'main', everyMs: 1 } }, 'every 0.001 s'],
  ['a delay of nothing', { fault: { kind: 'delay_ready', ms: 0 } }, 'above 0'],
  ['no process', { fault: { kind: 'fail_spawn', count: 0, step: 'fork', errno: 'EAGAIN' } }, '1 to 1000'],
])('%s is refused, with a way out', (_what, more, words) => {
  const wrong = fault(wish(more), settings);
  expect(`${wrong?.refused}; ${wrong?.todo}`).toContain(words);
  expect(fault(wish(), settings)).toBeUndefined();
});

/** A world that does what the actor's effects say, and notes what is still done to it. */
class World {
  state: ChaosState = chaosLogic.initial(null).snapshot;
  readonly deadlines = new Map<string, number>();
  readonly stopped = new Map<string, KillTarget>();
  readonly passed: string[] = [];
  readonly answers: unknown[] = [];
  kept: readonly KillTarget[] = [];
  nowMs = 0;

  tell(event: ActorEvent): void {
    const stepped = chaosLogic.step(this.state, { atMs: this.nowMs, ...event });
    // A crash and a restore between any two events.
    this.state = chaosLogic.load(JSON.parse(JSON.stringify(chaosLogic.save(stepped.snapshot))), 1);
    for (const effect of stepped.effects) this.#carryOut(effect);
  }

  #carryOut({ type, params }: Effect): void {
    const data = params as Record<string, unknown>;
    if (type === 'armDeadline') this.deadlines.set(String(data['name']), this.nowMs + Number(data['ms']));
    else if (type === 'disarmDeadline') this.deadlines.delete(String(data['name']));
    else if (type === 'signal') {
      const key = JSON.stringify(data['target']);
      if (data['stop'] === true) {
        // It is known to be stopped before it is.
        expect(this.kept.map((target) => JSON.stringify(target))).toContain(key);
        this.stopped.set(key, data['target'] as KillTarget);
      } else this.stopped.delete(key);
    } else if (type === 'keep') this.kept = stoppedOf(this.state);
    else if (type === 'passOn') this.passed.push(`${String(data['unit'])} ${String(data['invocation'])}`);
    else if (type === 'post' && data['to'] === 'manager') this.answers.push(data['event']);
    // Never before its time: what is due goes off once.
  }

  /** The next deadline goes off; false: there is none. */
  next(): boolean {
    const [first] = [...this.deadlines].sort(([a, at], [b, bt]) => at - bt || (a < b ? -1 : 1));
    if (first === undefined) return false;
    this.deadlines.delete(first[0]);
    this.nowMs = Math.max(this.nowMs, first[1]);
    this.tell({ type: 'deadline', name: first[0] });
    return true;
  }

  begin(fault_: ChaosFault, units: readonly string[], forMs: number): void {
    const hits: Hit[] = units.map((unit, n) => ({
      unit,
      stopped: fault_.kind === 'hang' ? { process: { child: this.state.next * 100 + n } } : null,
      held: null,
      spent: [],
    }));
    const run = { fault: fault_, core: null, by: 'somebody', seed: 7, hits, forMs };
    this.tell({ type: 'begin', key: 'k', choice: {}, run });
  }
}

describe(`the actor ${CHAOS}`, () => {
  const units = ['a.service', 'b.service', 'c@x:y.service'];
  const faults: fc.Arbitrary<ChaosFault> = fc.constantFrom<ChaosFault>(
    { kind: 'hang', whom: 'main' },
    { kind: 'delay_ready', ms: 500 },
    { kind: 'delay_ready', ms: undefined },
    { kind: 'drop_watchdog' },
    { kind: 'kill', signal: 9, whom: 'main', everyMs: 200 },
    { kind: 'fail_spawn', count: 2, step: 'fork', errno: 'EAGAIN' },
  );
  type Act = { act: string; fault: ChaosFault; unit: number; forMs: number; run: number };
  const acts: fc.Arbitrary<Act[]> = fc.array(
    fc.record({
      act: fc.constantFrom('begin', 'begin', 'held', 'spent', 'stop', 'due', 'end-all', 'recall'),
      fault: faults,
      unit: fc.nat(2),
      forMs: fc.integer({ min: 1, max: 3000 }),
      run: fc.nat(6),
    }),
    { maxLength: 30 },
  );

  function play(world: World, sequence: readonly Act[]): number {
    let held = 0;
    for (const { act, fault: wanted, unit, forMs, run } of sequence) {
      const name = units[unit] as string;
      if (act === 'begin' && world.state.runs.length < RUNS_MAX) world.begin(wanted, [name], forMs);
      if (act === 'held') {
        const fresh = world.state.runs.some(
          ({ id, hits }) => id === run && hits.some((one) => one.unit === name && one.held === null),
        );
        const known = world.state.runs.some(({ id, hits }) => id === run && hits.some((one) => one.unit === name));
        if (fresh || !known) held += 1;
        world.tell({ type: 'held', run, unit: name, invocation: 1, event: { type: 'notify', state: 'ready' } });
      }
      if (act === 'spent') world.tell({ type: 'spent', run, unit: name, id: `${run}.${forMs}` });
      if (act === 'stop') world.tell({ type: 'stop', ids: [run], key: 'k', by: 'x' });
      if (act === 'end-all') world.tell({ type: 'end-all', why: 'the system goes down' });
      if (act === 'recall') world.tell({ type: 'recall', targets: [] });
      if (act === 'due') world.next();
      // What is stopped is just what the state says is stopped.
      const said = stoppedOf(world.state).map((target) => JSON.stringify(target));
      expect([...world.stopped.keys()].sort()).toEqual(said.sort());
      expect(world.kept).toEqual(stoppedOf(world.state));
    }
    return held;
  }

  test('takes everything back when its time is up, whatever happens and in whatever order', () => {
    fc.assert(
      fc.property(acts, (sequence) => {
        const world = new World();
        const held = play(world, sequence);
        const last = Math.max(0, ...world.state.runs.map(({ untilMs }) => untilMs));
        for (let left = 1000; left > 0 && world.next(); left -= 1);
        expect(world.state.runs).toEqual([]);
        expect(world.stopped.size).toBe(0);
        expect(world.deadlines.size).toBe(0);
        expect(world.passed).toHaveLength(held);
        expect(world.nowMs).toBeLessThanOrEqual(Math.max(last, world.nowMs));
      }),
    );
  });

  test('takes back at once what is stopped, and answers with it', () => {
    const world = new World();
    world.begin({ kind: 'hang', whom: 'main' }, ['a.service', 'b.service'], 1000);
    world.begin({ kind: 'drop_watchdog' }, ['a.service'], 1000);
    expect(world.stopped.size).toBe(2);
    world.tell({ type: 'stop', ids: [1, 9], key: 'k', by: 'x' });
    expect(world.stopped.size).toBe(0);
    expect(world.state.runs.map(({ id }) => id)).toEqual([2]);
    expect(world.answers.at(-1)).toMatchObject({ answer: { result: { what: 'chaos-stop', stopped: [1] } } });
    expect([...world.deadlines.keys()]).toEqual(['end:2']);
  });

  test('holds READY=1 of a life for its time, the first of several, and of the next life anew', () => {
    const world = new World();
    world.begin({ kind: 'delay_ready', ms: 300 }, ['a.service'], 1000);
    const ready = (invocation: number) =>
      world.tell({ type: 'held', run: 1, unit: 'a.service', invocation, event: { type: 'notify', state: 'ready' } });
    ready(1);
    ready(1);
    expect(world.passed).toEqual([]);
    ready(2);
    world.next();
    expect([world.passed, world.nowMs]).toEqual([['a.service 2'], 300]);
    world.next();
    expect([world.passed.length, world.nowMs]).toEqual([1, 1000]);
  });

  test('lets go on what an earlier core has stopped and did not tell of', () => {
    const world = new World();
    const targets = [{ process: { child: 7 } }];
    world.stopped.set(JSON.stringify(targets[0]), targets[0] as KillTarget);
    world.tell({ type: 'recall', targets });
    expect(world.stopped.size).toBe(0);
  });
});
