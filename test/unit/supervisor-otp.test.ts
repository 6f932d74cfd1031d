/**
 * The tree at work against a model of Erlang/OTP's supervisor, written down from its manual page alone (supervisor, "Supervision
 * Principles"): who is there, in which order, started how often, and who has given up, after any sequence of failures, ends, starts
 * and stops. One difference is meant (law 7): under one_for_one a child that fails goes on from its last good snapshot.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ActorHost, ChildSpec, RestartType, Strategy } from '../../src/supervisor/index.ts';
import { type Bench, bench, child, supervisor } from './supervisor-fixture.ts';

const PERIOD_MS = 1_000;

interface Kid {
  readonly id: string;
  readonly restart: RestartType;
  /** Events since it was last started from its input: what its state says. */
  heard: number;
  quarantined: boolean;
}

type Act =
  | { readonly does: 'throws' | 'ends' | 'stops'; readonly who: number }
  | { readonly does: 'starts'; readonly restart: RestartType }
  | { readonly does: 'waits'; readonly ms: number }
  | { readonly does: 'tells' };

/** OTP's supervisor. A step that throws is tried once more: two crashes, each of which counts. */
class Model {
  readonly strategy: Strategy;
  readonly intensity: number;
  kids: Kid[];
  restarts: number[] = [];
  gaveUp = 0;
  nowMs = 0;

  constructor(strategy: Strategy, intensity: number, kids: readonly RestartType[]) {
    this.strategy = strategy;
    this.intensity = intensity;
    this.kids = kids.map((restart, at) => ({ id: `k${at}`, restart, heard: 0, quarantined: false }));
  }

  /** "… if more than MaxR number of restarts occur in the last MaxT seconds." False: it gives up. */
  #counts(): boolean {
    this.restarts = [this.nowMs, ...this.restarts.filter((atMs) => this.nowMs <= atMs + PERIOD_MS)];
    if (this.restarts.length <= this.intensity) return true;
    this.gaveUp += 1;
    this.restarts = [];
    return false;
  }

  #startAgain(from: Kid, alone: boolean): void {
    const at = this.kids.indexOf(from);
    const fate = alone ? [from] : this.strategy === 'one_for_all' ? this.kids : this.kids.slice(at);
    const gone = new Set(fate.filter((kid) => !alone && kid.restart === 'temporary'));
    for (const kid of fate) Object.assign(kid, { heard: 0, quarantined: false });
    this.kids = this.kids.filter((kid) => !gone.has(kid));
  }

  throws(kid: Kid): void {
    if (kid.quarantined) return;
    if (kid.restart === 'temporary') {
      this.kids = this.kids.filter((one) => one !== kid);
      return;
    }
    for (let crash = 1; crash <= 2; crash += 1) {
      if (this.#counts()) continue;
      kid.quarantined = true;
      return;
    }
    if (this.strategy !== 'one_for_one') this.#startAgain(kid, false);
  }

  /** It ends as it should: `normal`. */
  ends(kid: Kid): void {
    if (kid.quarantined) return;
    if (kid.restart !== 'permanent') this.kids = this.kids.filter((one) => one !== kid);
    else if (this.#counts()) this.#startAgain(kid, this.strategy === 'one_for_one');
    else Object.assign(kid, { quarantined: true });
  }
}

const acts: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ does: fc.constantFrom('throws', 'ends', 'stops'), who: fc.nat(9) }),
  fc.record({ does: fc.constant('starts'), restart: fc.constantFrom('permanent', 'transient', 'temporary') }),
  fc.constant({ does: 'tells' }),
  fc.record({ does: fc.constant('waits'), ms: fc.constantFrom(1, 400, PERIOD_MS) }),
) as fc.Arbitrary<Act>;
const restarts = fc.constantFrom<RestartType>('permanent', 'transient', 'temporary');

/** The group below `core`; `steady` asks it for starts and stops, and is not one of it. */
function boot(strategy: Strategy, intensity: number, kids: readonly RestartType[], more: Partial<ChildSpec> = {}) {
  const specs = kids.map((restart, at) => child(`k${at}`, restart, more));
  const group = supervisor('group', specs, { strategy, intensity, periodMs: PERIOD_MS });
  return bench(supervisor('core', [child('steady'), group], { intensity: 1_000 }));
}

/** As {@link Model} tells it. */
const told = ({ core }: Bench) =>
  core()
    .tree('group')
    ?.children.map(({ id, phase }) => `${id} ${phase}`);

test('after any sequence of failures, ends, starts and stops the tree is as OTP would have it', () => {
  fc.assert(
    fc.property(
      fc.constantFrom<Strategy>('one_for_one', 'one_for_all', 'rest_for_one'),
      fc.nat(6),
      fc.array(restarts, { minLength: 1, maxLength: 4 }),
      fc.array(acts, { maxLength: 14 }),
      (strategy, intensity, kids, sequence) => {
        const model = new Model(strategy, intensity, kids);
        const real = boot(strategy, intensity, kids);
        const beganMs = real.sim.nowMs;
        let next = kids.length;
        for (const act of sequence) {
          model.nowMs = real.sim.nowMs - beganMs;
          if (act.does === 'waits') real.sim.run(act.ms);
          else if (act.does === 'tells') {
            for (const kid of model.kids.filter(({ quarantined }) => !quarantined)) {
              real.send(kid.id, 'word');
              kid.heard += 1;
            }
          } else if (act.does === 'starts') {
            const spec = child(`k${next}`, act.restart);
            real.send('steady', {
              type: 'go',
              effects: [{ type: 'startChild', params: { spec, supervisor: 'group' } }],
            });
            model.kids.push({ id: spec.id, restart: act.restart, heard: 0, quarantined: false });
            next += 1;
          } else {
            const kid = model.kids[act.who % Math.max(1, model.kids.length)];
            if (kid === undefined) continue;
            if (act.does === 'stops') {
              real.send('steady', { type: 'go', effects: [{ type: 'stopChild', params: { id: kid.id } }] });
              model.kids = model.kids.filter((one) => one !== kid);
            } else {
              // What is held for one in quarantine would come back with it, so nothing is sent to it.
              if (kid.quarantined) continue;
              real.send(kid.id, act.does === 'throws' ? { type: 'bad', fail: 'a bug' } : { type: 'over', end: 'well' });
              if (act.does === 'throws') model.throws(kid);
              else model.ends(kid);
            }
          }
          expect(told(real)).toEqual(
            model.kids.map(({ id, quarantined }) => `${id} ${quarantined ? 'quarantined' : 'running'}`),
          );
          for (const { id, heard, quarantined } of model.kids)
            if (!quarantined) expect(real.heard(id)).toHaveLength(heard);
        }
        expect(real.whats().filter((what) => what === 'supervisor-gave-up group')).toHaveLength(model.gaveUp);
      },
    ),
    { numRuns: 150 },
  );
});

/** Every child that is in the tree as running has a snapshot. */
const isWhole = (core: ActorHost): boolean =>
  core.tree('group')?.children.every(({ id, phase }) => phase !== 'running' || core.read(id) !== undefined) ?? true;

test('whatever happens while children take their time to end, and if core dies meanwhile, none is lost, none is there twice, and the order stays', () => {
  fc.assert(
    fc.property(
      fc.constantFrom<Strategy>('one_for_one', 'one_for_all', 'rest_for_one'),
      fc.array(fc.constantFrom<RestartType>('permanent', 'transient'), { minLength: 2, maxLength: 5 }),
      fc.array(
        fc.record({
          does: fc.constantFrom('throws', 'ends', 'waits', 'starts', 'dies'),
          who: fc.nat(9),
          ms: fc.nat(60),
        }),
        { maxLength: 12 },
      ),
      (strategy, kids, sequence) => {
        const real = boot(strategy, 1_000, kids, { shutdown: 50 });
        let next = kids.length;
        const there = new Set(kids.map((_, at) => `k${at}`));
        for (const { does, who, ms } of sequence) {
          const id = `k${who % next}`;
          if (does === 'waits') real.sim.run(ms);
          else if (does === 'dies') {
            real.sim.killCore();
            real.sim.run(10);
          } else if (does === 'starts') {
            const spec = child(`k${next}`, 'permanent', { shutdown: 50 });
            real.send('steady', {
              type: 'go',
              effects: [{ type: 'startChild', params: { spec, supervisor: 'group' } }],
            });
            there.add(spec.id);
            next += 1;
          } else if (real.core().read(id) !== undefined) {
            const running = real.core().phase(id) === 'running';
            real.send(id, does === 'throws' ? { type: 'bad', fail: 'a bug' } : { type: 'over', end: 'well' });
            if (does === 'ends' && running && kids[Number(id.slice(1))] === 'transient') there.delete(id);
          }
        }
        real.sim.run(50 * (next + 1) * (sequence.length + 1));
        expect(isWhole(real.core())).toBe(true);
        const ids =
          real
            .core()
            .tree('group')
            ?.children.map(({ id }) => id) ?? [];
        expect(ids).toEqual([...ids].sort((a, b) => Number(a.slice(1)) - Number(b.slice(1))));
        for (const id of there) expect(ids).toContain(id);
      },
    ),
    { numRuns: 150 },
  );
});
