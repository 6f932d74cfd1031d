/**
 * The beginning and the end of a unit's life, as far as they are the same for every type: start limit, and what follows an end.
 *
 * Source: systemd.unit(5), StartLimitIntervalSec=, FailureAction=, SuccessAction=; version 252.
 */
import { isDown } from '../jobs/verbs.ts';
import type { Span, UnitSection } from '../units/types.ts';
import type { Ended, Result } from './protocol.ts';
import type { Turn } from './turn.ts';
import type { UnitContext } from './view.ts';

const endKeys = [
  'StartLimitIntervalSec',
  'StartLimitBurst',
  'StartLimitAction',
  'FailureAction',
  'SuccessAction',
  'FailureActionExitStatus',
  'SuccessActionExitStatus',
  'RebootArgument',
] as const satisfies readonly (keyof UnitSection)[];

/** What decides about beginnings and ends, of [Unit]. */
export type EndSettings = Pick<UnitSection, (typeof endKeys)[number]>;

/** Of units with processes: the slice that a life begins in; absent in what older cores have saved. */
export interface Placed {
  readonly Slice?: string;
}

export const endSettings = (unit: UnitSection): EndSettings => pick(unit, endKeys);

/** Some fields of an object; those that are undefined are left out, as JSON would. */
export function pick<T extends object, K extends keyof T>(from: T, keys: readonly K[]): Pick<T, K> {
  const picked = {} as Pick<T, K>;
  for (const key of keys) if (from[key] !== undefined) picked[key] = from[key];
  return picked;
}

/** A fixed window, as systemd's: it begins with an event, and is over one interval later. */
export interface Window {
  readonly beganMs: number;
  readonly starts: number;
}

/**
 * What a unit takes up again when it comes back into memory: numbers go on from where they were, so that no spawn and no
 * invocation is ever named twice, and the start limit counts on.
 */
export interface Past {
  /** Of spawns and of lives; not lower than the unit's own last ones. */
  readonly floor: number;
  readonly startLimit?: Window;
}

/** The first context of a unit that has such numbers. */
export const taken = ({ floor, startLimit }: Past) => ({
  runs: floor,
  invocation: floor,
  startLimit: startLimit ?? null,
});

/** One more event at `atMs`: the window after it, or undefined if it is one too many. An interval or burst of 0 is no limit. */
export function admit(
  window: Window | null,
  limit: { readonly interval: number | 'infinity'; readonly burst: number },
  atMs: number,
): Window | undefined {
  if (limit.interval === 0 || limit.burst === 0) return { beganMs: atMs, starts: 1 };
  const over = window === null || (limit.interval !== 'infinity' && atMs - window.beganMs > limit.interval);
  if (over) return { beganMs: atMs, starts: 1 };
  return window.starts < limit.burst ? { beganMs: window.beganMs, starts: window.starts + 1 } : undefined;
}

export const startLimitOf = (settings: EndSettings) => ({
  interval: settings.StartLimitIntervalSec,
  burst: settings.StartLimitBurst,
});

/** Of sockets and paths: how often they may start their unit. */
export const triggerLimitOf = (settings: {
  readonly TriggerLimitIntervalSec: Span;
  readonly TriggerLimitBurst: number;
}) => ({ interval: settings.TriggerLimitIntervalSec, burst: settings.TriggerLimitBurst });

/** A unit that can be started too often. */
export interface Limited extends UnitContext {
  readonly settings: EndSettings;
  readonly startLimit: Window | null;
  readonly startLimitHit: boolean;
}

type LimitedTurn<C extends Limited> = Turn<C, { type: string; atMs: number }>;

/** A start that is allowed, as the guard has found. */
export function countStart<C extends Limited>(turn: LimitedTurn<C>): void {
  const { startLimit, settings } = turn.context;
  const window = admit(startLimit, startLimitOf(settings), turn.event.atMs) ?? startLimit;
  turn.set({ startLimit: window, startLimitHit: false } as Partial<C>);
}

export const startsTooOften = ({ context, event }: { context: Limited; event: { readonly atMs: number } }): boolean =>
  admit(context.startLimit, startLimitOf(context.settings), event.atMs) === undefined;

/** Started too often: failed without having tried. An earlier failure keeps naming the result. `settle` is to follow. */
export function hitStartLimit<C extends Limited>(turn: LimitedTurn<C>): void {
  const { settings } = turn.context;
  turn.fail('start-limit-hit');
  turn.set({ startLimitHit: true } as Partial<C>);
  turn.ask('log', {
    level: 'warning',
    message: 'start request repeated too quickly; wait for StartLimitIntervalSec= or use reset-failed',
    burst: settings.StartLimitBurst,
    intervalMs: settings.StartLimitIntervalSec,
  });
  if (settings.StartLimitAction === 'none') return;
  turn.ask('unitAction', {
    setting: 'StartLimitAction',
    action: settings.StartLimitAction,
    exitStatus: null,
    rebootArgument: settings.RebootArgument,
  });
}

/** That is the whole life, of a unit that is never restarted by itself. */
export function refuseStart<C extends Limited>(turn: LimitedTurn<C>): void {
  hitStartLimit(turn);
  settle(turn, { restarting: false, why: 'start limit', mainEnded: null });
}

/** It may be started as if it never had been; what is under way keeps its result. */
export function resetFailed<C extends Limited>(turn: LimitedTurn<C>): void {
  const { active, result } = turn.context;
  turn.set({ result: isDown(active) ? 'success' : result, startLimit: null, startLimitHit: false } as Partial<C>);
}

type PlacedTurn<C extends UnitContext & { readonly settings: Placed }> = Turn<C, { type: string; atMs: number }>;

/** A life begins, in the slice that is set now; where processes of the last one are left, in theirs: a unit has one control group. */
export function prepare<C extends UnitContext & { readonly settings: Placed; readonly invocation: number }>(
  turn: PlacedTurn<C>,
  isLeft: boolean,
): void {
  const { settings, slice = settings.Slice, invocation } = turn.context;
  const place = isLeft ? slice : settings.Slice;
  if (place !== undefined) turn.set({ slice: place } as Partial<C>);
  turn.ask('prepare', { invocation });
}

/** New settings count from the next decision on; what runs stays in the slice it was started in. */
export function takeSettings<C extends UnitContext & { readonly settings: Placed }>(
  turn: PlacedTurn<C>,
  settings: C['settings'],
): void {
  const { active, slice = turn.context.settings.Slice } = turn.context;
  const stays = !isDown(active) && slice !== undefined;
  turn.set({ settings, ...(stays ? { slice } : {}) } as Partial<C>);
}

export const endedWell = (result: Result): boolean => result === 'success' || result === 'exec-condition';

/** The unit is down: say so, and carry out the actions that hang on it. */
export function settle<C extends UnitContext & { readonly settings: EndSettings }>(
  turn: Turn<C, { type: string; atMs: number }>,
  how: { readonly restarting: boolean; readonly why: string; readonly mainEnded: Ended | null },
): void {
  const { result, active: before, downs } = turn.context;
  const active = endedWell(result) ? 'inactive' : 'failed';
  turn.set({ downs: downs + 1 } as Partial<C>);
  turn.ask('ended', { active, result, restarting: how.restarting, why: how.why });
  const ends = { ask: turn.ask.bind(turn), settings: turn.context.settings };
  if (active === 'failed' && before !== 'failed') act(ends, 'FailureAction', how.mainEnded);
  if (active === 'inactive') act(ends, 'SuccessAction', how.mainEnded);
}

/** Carry out FailureAction= or SuccessAction=, if there is one. */
export function act(
  {
    ask,
    settings,
  }: { readonly ask: Turn<UnitContext, { type: string; atMs: number }>['ask']; readonly settings: EndSettings },
  setting: 'FailureAction' | 'SuccessAction',
  mainEnded: Ended | null,
): void {
  if (settings[setting] === 'none') return;
  const own = mainEnded !== null && 'exited' in mainEnded ? mainEnded.exited : null;
  ask('unitAction', {
    setting,
    action: settings[setting],
    exitStatus: settings[`${setting}ExitStatus`] ?? own,
    rebootArgument: settings.RebootArgument,
  });
}
