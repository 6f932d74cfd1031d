/**
 * The actor `chaos`: which faults are under way, and that each is taken back. Pure, and part of the checkpoint.
 *
 *   begin ──> run ── end:ID (deadline) | stop | end-all ──> taken back, forgotten
 *
 * What was done to a process is written down before it is done, so that a core that dies in between takes it back all the same: a
 * deadline that fell due meanwhile fires when the next core is there. Events:
 *
 * | event    | fields                     | meaning                                                                       |
 * |----------|----------------------------|-------------------------------------------------------------------------------|
 * | `begin`  | run, key, choice           | a request that was drawn (chaos.ts); its number is given here                   |
 * | `stop`   | ids, key                   | take these back now; `all`: every one                                          |
 * | `end-all`| why                        | likewise, and nobody waits for an answer: the system goes down                   |
 * | `held`   | run, unit, invocation, event | a READY=1 that is held back; of several of one life the first                   |
 * | `spent`  | run, unit, id              | a process that was not started, by the effect that asked for it                   |
 * | `recall` | targets                    | processes that an earlier core has stopped, and has not told the checkpoint of   |
 */
import type { ChaosFault } from '../api/chaos.ts';
import type { KillTarget } from '../host/ports.ts';
import type { ActorEvent, Effect, Json, Logic, Step } from '../supervisor/actor.ts';
import { faultWords } from './chaos-rules.ts';

export const CHAOS = 'chaos';
/** From the answer to a request to what it does to core, in ms: so that the client has heard of it. */
const CORE_MS = 50;

/** A unit that is hit. */
export interface Hit {
  readonly unit: string;
  /** What was stopped of it, and is to go on at the end. */
  readonly stopped: KillTarget | null;
  /** READY=1 of its n-th life, held back. */
  readonly held: { readonly invocation: number; readonly event: ActorEvent } | null;
  /** Effects whose process was not started. */
  readonly spent: readonly string[];
}

export interface Run {
  readonly id: number;
  readonly fault: ChaosFault;
  /** The core of init that is hit, by its number; null: none is. */
  readonly core: number | null;
  readonly by: string;
  readonly seed: number;
  readonly hits: readonly Hit[];
  readonly fromMs: number;
  readonly untilMs: number;
}

export interface ChaosState {
  readonly next: number;
  readonly runs: readonly Run[];
}

/** What effects of others ask of chaos. */
export interface ChaosHooks {
  /** How a process of this unit fails to start; undefined: it does not. The same id gets the same answer. */
  failing(
    unit: string,
    id: string,
  ): { readonly run: number; readonly step: string; readonly errno: string } | undefined;
  /** The run that holds back READY=1 of this unit; undefined: none. */
  holding(unit: string): number | undefined;
  /** Is WATCHDOG=1 of this unit not heard? */
  mute(unit: string): boolean;
}

const effect = (type: string, params?: Json): Effect => ({ type, params });
const arm = (name: string, ms: number) => effect('armDeadline', { name, ms });
const disarm = (name: string) => effect('disarmDeadline', { name });
const post = (to: string, event: ActorEvent) => effect('post', { to, event } as unknown as Json);

/** Tell the history. `over`: it is taken back. */
const tell = (run: Run, unit: string, what: string, over: boolean): Effect =>
  post('events', { type: 'tell', what: { chaos: { run: run.id, unit, what, by: run.by, over } } });

const readyName = (id: number, unit: string) => `ready:${id}:${unit}`;

/** What is stopped now, of all runs: kept outside the checkpoint as well. */
export const stoppedOf = ({ runs }: ChaosState): readonly KillTarget[] =>
  runs.flatMap(({ hits }) => hits.flatMap(({ stopped }) => stopped ?? []));

function begin(state: ChaosState, event: ActorEvent): Step<ChaosState> {
  const { fault, core, by, seed, hits, forMs } = event['run'] as Omit<Run, 'id' | 'fromMs' | 'untilMs'> & {
    readonly forMs: number;
  };
  const atMs = event.atMs ?? 0;
  const id = state.next;
  const run: Run = { id, fault, core, by, seed, hits, fromMs: atMs, untilMs: atMs + forMs };
  const snapshot = { next: id + 1, runs: [...state.runs, run] };
  const words = `${faultWords(fault)}, for at most ${forMs / 1000} s, seed ${seed}`;
  const told = core === null ? hits.map(({ unit }) => tell(run, unit, words, false)) : [tell(run, '', words, false)];
  const result = { what: 'chaos', choice: { ...(event['choice'] as object), id, untilMs: run.untilMs } };
  return {
    snapshot,
    effects: [
      ...told,
      post('manager', { type: 'carried-out', key: event['key'], answer: { result } }),
      arm(`end:${id}`, forMs),
      ...(core === null ? strikes(run) : [arm(`core:${id}`, CORE_MS)]),
      ...(fault.kind === 'kill' && fault.everyMs !== undefined ? [arm(`again:${id}`, fault.everyMs)] : []),
    ],
  };
}

/** What is done at once. What will be stopped is written down outside the checkpoint first. */
function strikes({ fault, hits }: Run): Effect[] {
  switch (fault.kind) {
    case 'kill':
      return hits.map(({ unit }) => effect('strike', { unit, whom: fault.whom, signal: fault.signal }));
    case 'hang':
      return [
        effect('keep'),
        ...hits.flatMap(({ stopped }) =>
          stopped === null ? [] : [effect('signal', { target: stopped, stop: true } as unknown as Json)],
        ),
      ];
    default:
      return [];
  }
}

/** Take back everything that a run has done, and forget it. */
function takenBack(run: Run, why: string): Effect[] {
  const { id, fault, hits } = run;
  const names = hits.map(({ unit }) => unit);
  return [
    ...['end', 'core', 'again'].map((name) => disarm(`${name}:${id}`)),
    ...hits.flatMap(({ unit, stopped, held }) => [
      ...(stopped === null ? [] : [effect('signal', { target: stopped, stop: false } as unknown as Json)]),
      ...(held === null ? [] : [disarm(readyName(id, unit)), effect('passOn', { unit, ...held } as unknown as Json)]),
    ]),
    ...(fault.kind === 'hang' ? [effect('keep')] : []),
    ...(names.length === 0 ? [''] : names).map((unit) => tell(run, unit, `${faultWords(fault)}: over, ${why}`, true)),
  ];
}

function end(state: ChaosState, ids: ReadonlySet<number>, why: string): Step<ChaosState> {
  const ending = state.runs.filter(({ id }) => ids.has(id));
  if (ending.length === 0) return { snapshot: state, effects: [] };
  return {
    snapshot: { ...state, runs: state.runs.filter(({ id }) => !ids.has(id)) },
    effects: ending.flatMap((run) => takenBack(run, why)),
  };
}

/** With one hit changed. */
const withHit = (state: ChaosState, id: number, unit: string, change: (hit: Hit) => Hit): ChaosState => ({
  ...state,
  runs: state.runs.map((run) =>
    run.id === id ? { ...run, hits: run.hits.map((hit) => (hit.unit === unit ? change(hit) : hit)) } : run,
  ),
});

const hitOf = (state: ChaosState, id: number, unit: string): Hit | undefined =>
  state.runs.find((run) => run.id === id)?.hits.find((hit) => hit.unit === unit);

function hold(state: ChaosState, event: ActorEvent): Step<ChaosState> {
  const [id, unit, invocation] = [Number(event['run']), String(event['unit']), Number(event['invocation'])];
  const ready = event['event'] as ActorEvent;
  const run = state.runs.find((one) => one.id === id);
  const hit = hitOf(state, id, unit);
  // The run ended in this very turn: then nothing holds it back.
  if (run === undefined || hit === undefined)
    return { snapshot: state, effects: [effect('passOn', { unit, invocation, event: ready } as unknown as Json)] };
  if (hit.held !== null && hit.held.invocation === invocation) return { snapshot: state, effects: [] };
  const snapshot = withHit(state, id, unit, (one) => ({ ...one, held: { invocation, event: ready } }));
  const ms = run.fault.kind === 'delay_ready' ? run.fault.ms : undefined;
  return {
    snapshot,
    effects: [
      tell(run, unit, 'READY=1 is held back', false),
      ...(ms === undefined ? [] : [arm(readyName(id, unit), ms)]),
    ],
  };
}

function passOn(state: ChaosState, id: number, unit: string): Step<ChaosState> {
  const held = hitOf(state, id, unit)?.held ?? null;
  if (held === null) return { snapshot: state, effects: [] };
  return {
    snapshot: withHit(state, id, unit, (hit) => ({ ...hit, held: null })),
    effects: [effect('passOn', { unit, ...held } as unknown as Json)],
  };
}

function due(state: ChaosState, name: string): Step<ChaosState> {
  const [what, number, ...rest] = name.split(':');
  const id = Number(number);
  const run = state.runs.find((one) => one.id === id);
  if (run === undefined) return { snapshot: state, effects: [] };
  switch (what) {
    case 'end':
      return end(state, new Set([id]), 'its time is up');
    case 'again':
      return run.fault.kind !== 'kill' || run.fault.everyMs === undefined
        ? { snapshot: state, effects: [] }
        : { snapshot: state, effects: [...strikes(run), arm(name, run.fault.everyMs)] };
    case 'core': {
      const params = { core: run.core, kind: run.fault.kind, ms: run.untilMs - run.fromMs };
      return { snapshot: state, effects: [effect('harmCore', params)] };
    }
    default:
      return passOn(state, id, rest.join(':'));
  }
}

function step(state: ChaosState, event: ActorEvent): Step<ChaosState> {
  switch (event.type) {
    case 'begin':
      return begin(state, event);
    case 'stop': {
      const wanted = event['ids'] as readonly number[] | 'all';
      const all = state.runs.map(({ id }) => id);
      const ids = wanted === 'all' ? all : all.filter((id) => wanted.includes(id));
      const ended = end(state, new Set(ids), `stopped by ${String(event['by'])}`);
      const answer = { result: { what: 'chaos-stop', stopped: ids } };
      const told = post('manager', { type: 'carried-out', key: event['key'], answer });
      return { snapshot: ended.snapshot, effects: [...ended.effects, told] };
    }
    case 'end-all':
      return end(state, new Set(state.runs.map(({ id }) => id)), String(event['why']));
    case 'held':
      return hold(state, event);
    case 'spent': {
      const [id, unit] = [Number(event['run']), String(event['unit'])];
      const run = state.runs.find((one) => one.id === id);
      if (run === undefined) return { snapshot: state, effects: [] };
      const snapshot = withHit(state, id, unit, (hit) => ({ ...hit, spent: [...hit.spent, String(event['id'])] }));
      return { snapshot, effects: [tell(run, unit, 'a process was not started', false)] };
    }
    case 'recall': {
      const targets = event['targets'] as readonly KillTarget[];
      const go = targets.map((target) => effect('signal', { target, stop: false } as unknown as Json));
      return { snapshot: state, effects: [...go, effect('keep')] };
    }
    case 'deadline':
      return due(state, String(event['name']));
    default:
      return { snapshot: state, effects: [] };
  }
}

export const chaosLogic: Logic<ChaosState> = {
  name: CHAOS,
  version: 1,
  initial: () => ({ snapshot: { next: 1, runs: [] }, effects: [] }),
  step,
  save: (state) => state as unknown as Json,
  load: (saved) => saved as unknown as ChaosState,
};
