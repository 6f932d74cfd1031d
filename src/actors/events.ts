/**
 * The actor `events`: whatever it is told goes out to subscribers once it is committed, and into the history.
 *
 * It also looks after jobs that take long: while there are any it asks, at growing intervals, for what the console is to say about
 * them, and soon after a client's request whether anybody can still move. Events:
 *
 * | event      | fields      | meaning                                                             |
 * |------------|-------------|---------------------------------------------------------------------|
 * | `tell`     | what        | {@link Told}                                                        |
 * | `idle`     |             | no job is left                                                      |
 * | `look`     |             | something was asked for that may wait for its own asker             |
 * | `loaded`   |             | units came into memory                                              |
 * | `progress` | left, round | what `sayProgress` found: are there still jobs?                     |
 */

import { edgeWords, ringWords } from '../jobs/words.ts';
import type { ActorEvent, ActorKind, Effect, EffectCall, EffectDef, Json, Logic, Step } from '../supervisor/actor.ts';
import type { History } from './history.ts';
import * as history from './history.ts';
import { begun, cutsOf, type Told } from './telling.ts';

/** A job is worth a word on the console after 5 s, as with systemd; then less and less often. */
const FIRST_MS = 5000;
const INTERVALS_MS = [5000, 10_000, 10_000, 30_000] as const;
const LAST_INTERVAL_MS = 60_000;
/** When it is asked whether a request that was accepted has come to a standstill. */
const LOOK_MS = 100;

/** So many are kept. */
const TROUBLES_MAX = 8;

/** Something that was wrong with core's own files or state; CLOCK_MONOTONIC ms. */
interface Trouble {
  readonly atMs: number;
  readonly what: string;
}

export interface EventsState {
  readonly history: History;
  /** Newest first; absent: there were none. The same again takes the place of the one before. */
  readonly troubles?: readonly Trouble[];
  /** The deadline `jobs` is armed. */
  readonly watching: boolean;
}

/** What the effects of this actor do. */
export interface EventsEffects {
  publish(told: Told): void;
  /** Tell the console of jobs that take long, for the nth time since there were none, and look for a stall. @returns are there any jobs? */
  sayProgress(call: EffectCall, round: number): boolean;
  lookForStall(call: EffectCall): void;
  /** Log ordering cycles that are new. */
  sayCycles(call: EffectCall): void;
}

const START: EventsState = { history: history.NO_HISTORY, watching: false };

/** What one report adds to the history; the order is that of cause and effect. */
export function remember(before: History, atMs: number, told: Told): History {
  let now = history.atRest(before);
  const add = (happening: history.Happening) => {
    now = history.record(now, atMs, happening);
  };
  const { unit = '', was, active, sub, result, cause = '', process, signal } = told;
  if (told.request !== undefined) add({ kind: 'request', ...told.request });
  if (told.refused !== undefined) add({ kind: 'refused', ...told.refused });
  if (told.chaos !== undefined) now = history.chaosTold(now, atMs, told.chaos);
  const chaos = unit === '' ? '' : history.chaosWords(now, atMs, unit);
  if (process !== undefined) add({ kind: 'process', unit, what: `${process}${chaos}` });
  if (was !== undefined && active !== undefined && sub !== undefined) {
    add({ kind: 'unit', unit, was, active, sub, result: result ?? 'success', cause: `${cause}${chaos}` });
  }
  if (signal !== undefined) add({ kind: 'signal', unit, what: signal });
  for (const job of begun(told)) now = history.jobBegan(now, atMs, job);
  if (told.jobRemoved !== undefined) now = history.jobEnded(now, atMs, told.jobRemoved, told.why ?? '');
  for (const cut of cutsOf(told)) {
    const words = `${edgeWords(cut.edge)}: not honoured, ${cut.why}; the ring: ${ringWords(cut)}`;
    now = history.orderingCut(now, atMs, cut, words);
  }
  if (told.gaveUp !== undefined) now = history.groupGaveUp(now, atMs, told.gaveUp);
  if (told.stall !== undefined) add({ kind: 'stall', unit: told.stall.ring[0] ?? '', what: told.stall.why.join('; ') });
  if (told.trouble !== undefined) add({ kind: 'core', unit: '', what: told.trouble });
  if (told.core !== undefined) add({ kind: 'core', unit, what: told.core });
  if (told.unloaded !== undefined) now = history.unloaded(now, atMs, told.unloaded);
  if (told.reloaded) {
    now = history.forgetCuts(now);
    add({ kind: 'reload', unit: '', what: 'unit files were read anew' });
  }
  return now;
}

function troublesAfter(before: EventsState['troubles'], atMs: number, what: string | undefined) {
  if (what === undefined) return before;
  return [{ atMs, what }, ...(before ?? []).filter((one) => one.what !== what)].slice(0, TROUBLES_MAX);
}

/** What is done when a deadline is over. */
const WHEN_DUE = { jobs: 'sayProgress', look: 'lookForStall', cycles: 'sayCycles' } as const;
type Due = keyof typeof WHEN_DUE;

function step(state: EventsState, event: ActorEvent): Step<EventsState> {
  const effect = (type: string, params?: Json): Effect => ({ type, params });
  const arm = (name: string, ms: number) => effect('armDeadline', { name, ms });
  switch (event.type) {
    case 'tell': {
      const told = event['what'] as Told;
      const watch = begun(told).length > 0 && !state.watching;
      const troubles = troublesAfter(state.troubles, event.atMs ?? 0, told.trouble);
      const snapshot = {
        ...(troubles === undefined ? {} : { troubles }),
        history: remember(state.history, event.atMs ?? 0, told),
        watching: state.watching || watch,
      };
      const effects = [
        effect('publish', told as unknown as Json),
        ...(watch ? [arm('jobs', FIRST_MS)] : []),
        ...(told.reloaded === true ? [effect('sayCycles')] : []),
      ];
      return { snapshot, effects };
    }
    case 'idle':
      return state.watching
        ? { snapshot: { ...state, watching: false }, effects: [effect('disarmDeadline', { name: 'jobs' })] }
        : { snapshot: state, effects: [] };
    case 'look':
      return { snapshot: state, effects: [arm('look', LOOK_MS)] };
    case 'loaded':
      // Not before whoever had them loaded is answered: to look for cycles of thousands, and to keep them, takes a while.
      return { snapshot: state, effects: [arm('cycles', 0)] };
    case 'deadline':
      return { snapshot: state, effects: [effect(WHEN_DUE[event['name'] as Due])] };
    case 'progress': {
      const round = event['round'] as number;
      return event['left'] === true
        ? { snapshot: state, effects: [arm('jobs', INTERVALS_MS[round] ?? LAST_INTERVAL_MS)] }
        : { snapshot: { ...state, watching: false }, effects: [] };
    }
    default:
      return { snapshot: state, effects: [] };
  }
}

/** Whom a report may concern. */
const unitsOf = (told: Told): readonly string[] => {
  const { unit, jobRemoved, gaveUp, chaos, cut, unloaded = [] } = told;
  return [unit, jobRemoved?.unit, gaveUp?.member, chaos?.unit, cut?.edge.from, cut?.edge.to]
    .filter((name) => name !== undefined)
    .concat(begun(told).map((job) => job.unit))
    .concat(unloaded.map(({ name }) => name));
};

export const eventsLogic: Logic<EventsState> = {
  name: 'events',
  version: 2,
  initial: () => ({ snapshot: START, effects: [] }),
  step,
  save: ({ history: all, watching, troubles }) => ({
    ...{ history: history.saveHistory(all), watching },
    ...(troubles === undefined ? {} : { troubles: troubles as unknown as Json }),
  }),
  saveSlowly: ({ history: all, watching, troubles }) => ({
    ...{ history: history.saveHistorySlowly(all), watching },
    ...(troubles === undefined ? {} : { troubles }),
  }),
  excerpt({ history: all, watching, troubles }, events) {
    const told = events.flatMap(({ type, what }) => (type === 'tell' ? [what as Told] : []));
    const forgotten = told.reduce((sum, { unloaded = [] }) => sum + unloaded.length, 0);
    const reloaded = told.some((one) => one.reloaded === true);
    return {
      ...{ history: history.excerptOf(all, new Set(told.flatMap(unitsOf)), forgotten, reloaded), watching },
      ...(troubles === undefined ? {} : { troubles: troubles as unknown as Json }),
    };
  },
  load(saved, version) {
    if (version < 2 || saved === null) return START; // it had no state
    const {
      history: kept,
      watching,
      troubles,
    } = saved as unknown as Omit<EventsState, 'history'> & {
      history: Json;
    };
    return { history: history.loadHistory(kept), watching, ...(troubles === undefined ? {} : { troubles }) };
  },
  diff: (before, after) => ({
    watching: after.watching,
    ...(before.troubles === after.troubles ? {} : { troubles: after.troubles as unknown as Json }),
    ...(before.history === after.history ? {} : { history: history.historySince(before.history, after.history) }),
  }),
  patch(saved, change) {
    const was = saved as { history: Json; watching: boolean; troubles?: Json };
    const {
      history: since,
      watching,
      troubles = was.troubles,
    } = change as {
      history?: Json;
      watching: boolean;
      troubles?: Json;
    };
    return {
      history: since === undefined ? was.history : history.patchHistory(was.history, since),
      watching,
      ...(troubles === undefined ? {} : { troubles }),
    };
  },
};

export function eventsKind(effects: EventsEffects): ActorKind {
  const run = (does: (call: EffectCall, params: never) => void): EffectDef => ({ kind: 'idempotent', run: does });
  /** How often the console was told since the jobs began: only for the next pause and the jobs named, so it need not outlive core. */
  let round = 0;
  return {
    logic: eventsLogic,
    blindEffects: true,
    effects: {
      publish: run((_call, told: Told) => effects.publish(told)),
      sayProgress: run((call) => {
        const left = effects.sayProgress(call, round);
        call.post(call.actor, { type: 'progress', left, round });
        round = left ? round + 1 : 0;
      }),
      lookForStall: run((call) => effects.lookForStall(call)),
      sayCycles: run((call) => effects.sayCycles(call)),
    },
  };
}
