/**
 * How a unit looks from outside: ActiveState, SubState, result and since when; the same for every type.
 *
 * A machine's tags are its ActiveState and its innermost state is its SubState, by systemd's names; this file only reads them.
 */
import type { StateValue } from 'xstate';
import type { ActiveState, Result } from './protocol.ts';

/** Times of the last changes, CLOCK_MONOTONIC in ms; null: never. systemd's ActiveEnterTimestamp= and so on. */
export interface Since {
  readonly stateChangeMs: number | null;
  readonly inactiveExitMs: number | null;
  readonly activeEnterMs: number | null;
  readonly activeExitMs: number | null;
  readonly inactiveEnterMs: number | null;
}

/** What every unit machine's context has. */
export interface UnitContext {
  readonly result: Result;
  readonly since: Since;
  /** ActiveState; the state's tag, but for idle services ({@link activeState}). */
  readonly active: ActiveState;
  /**
   * How many times it has gone down, refused starts included. A step may lead down and up again (automatic restart), or from
   * down to down (a start that failed at once): states alone do not show that.
   */
  readonly downs: number;
  /**
   * The slice whose control group it runs in, or ran in last, whatever is set since (Slice=); absent: it has not run, it has no processes,
   * or an older core has saved this.
   */
  readonly slice?: string;
}

/** What is needed of a snapshot. */
export interface UnitSnapshot {
  readonly value: StateValue;
  readonly context: UnitContext;
  readonly tags: ReadonlySet<string>;
}

export interface View {
  readonly active: ActiveState;
  readonly sub: string;
  readonly result: Result;
  readonly since: Since;
  /** See {@link UnitContext}. */
  readonly downs: number;
  /** Its last start was refused by the start limit; absent: it has none. */
  readonly startLimitHit?: boolean;
}

export const never: Since = {
  stateChangeMs: null,
  inactiveExitMs: null,
  activeEnterMs: null,
  activeExitMs: null,
  inactiveEnterMs: null,
};

/** What every unit begins with. */
export const newUnit: UnitContext = { active: 'inactive', result: 'success', since: never, downs: 0 };

/** SubState, by systemd's name. */
export function subState(snapshot: Pick<UnitSnapshot, 'value'>): string {
  let value = snapshot.value;
  while (typeof value !== 'string') {
    const [key] = Object.keys(value);
    if (key === undefined) return '';
    value = value[key]!;
  }
  return value;
}

/**
 * ActiveState. It is the tag, but for one case: a service of Type=idle counts as active as soon as it is being started, so
 * that no job waits for it while it waits for all jobs (systemd: the state table of idle services).
 */
export function activeState(snapshot: UnitSnapshot): ActiveState {
  return snapshot.context.active;
}

export function view(snapshot: UnitSnapshot): View {
  return {
    active: snapshot.context.active,
    sub: subState(snapshot),
    result: snapshot.context.result,
    since: snapshot.context.since,
    downs: snapshot.context.downs,
    startLimitHit: (snapshot.context as { startLimitHit?: boolean }).startLimitHit === true,
  };
}

/**
 * Is it worth sending this verb now?
 *
 * `now`: send it. `under-way`: it is being done; wait for the end. `done`: nothing to do. `later`: the unit is on its way elsewhere;
 * ask again when its state changes. `invalid`: not in this state (reload of what is not active).
 */
export function readiness(
  snapshot: UnitSnapshot,
  verb: 'start' | 'stop' | 'reload',
): 'now' | 'under-way' | 'done' | 'later' | 'invalid' {
  const active = activeState(snapshot);
  switch (verb) {
    case 'start':
      if (active === 'active' || active === 'reloading') return 'done';
      if (active === 'deactivating' || active === 'maintenance') return 'later';
      return active === 'activating' && subState(snapshot) !== 'auto-restart' ? 'under-way' : 'now';
    case 'stop':
      if (active === 'inactive' || active === 'failed') return 'done';
      return active === 'deactivating' ? 'under-way' : 'now';
    case 'reload':
      if (active === 'active') return 'now';
      return active === 'reloading' || active === 'activating' ? 'later' : 'invalid';
  }
}

/** The times after a change of ActiveState at `atMs`; systemd's unit_notify() keeps the same four. */
export function changed(since: Since, before: ActiveState, after: ActiveState, atMs: number): Since {
  const down = (active: ActiveState) => active === 'inactive' || active === 'failed';
  const up = (active: ActiveState) => active === 'active' || active === 'reloading';
  return {
    stateChangeMs: atMs,
    inactiveExitMs: down(before) && !down(after) ? atMs : since.inactiveExitMs,
    inactiveEnterMs: !down(before) && down(after) ? atMs : since.inactiveEnterMs,
    activeEnterMs: !up(before) && up(after) ? atMs : since.activeEnterMs,
    activeExitMs: up(before) && !up(after) ? atMs : since.activeExitMs,
  };
}
