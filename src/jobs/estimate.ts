/**
 * How long units take to start and to stop, kept from their last times, and what that makes of a plan.
 *
 * The last few lengths of each unit are kept, and the middle one counts: one slow start in between says little. What is kept is
 * bounded, both for a unit and in all.
 */
import type { Paged } from './paged.ts';
import * as paged from './paged.ts';
import type { Estimate, JobType, Plan } from './types.ts';

/** Lengths in ms, newest last. A restart is a stop and a start. */
export interface Durations {
  readonly start?: readonly number[];
  readonly stop?: readonly number[];
  readonly reload?: readonly number[];
}
export type Timed = keyof Durations;

/** Lengths kept of one unit for each verb. */
const KEPT = 5;
/** Units whose lengths are kept; those of further units are not looked at until others are forgotten. */
export const MAX_TIMED_UNITS = 20_000;

/** Which lengths a job of this type adds to; undefined: none. */
export function timedAs(type: JobType): Timed | undefined {
  if (type === 'start' || type === 'reload') return type;
  return type === 'stop' || type === 'restart' ? 'stop' : undefined;
}

/** Note that a unit took so long. */
export function note(draft: paged.Draft<Durations>, size: number, unit: string, what: Timed, ms: number): void {
  const known = draft.get(unit);
  if (known === undefined && size >= MAX_TIMED_UNITS) return;
  draft.set(unit, { ...known, [what]: [...(known?.[what] ?? []).slice(1 - KEPT), Math.round(ms * 10) / 10] });
}

/** The usual length; undefined: nothing is known. */
export function usual(lengths: readonly number[] | undefined): number | undefined {
  return lengths?.toSorted((a, b) => a - b)[Math.floor(lengths.length / 2)];
}

function lengthOf(known: Durations | undefined, type: JobType): number | undefined {
  switch (type) {
    case 'start':
    case 'stop':
    case 'reload':
      return usual(known?.[type]);
    case 'restart': {
      const [stop, start] = [usual(known?.stop), usual(known?.start)];
      return stop === undefined || start === undefined ? undefined : stop + start;
    }
    case 'verify-active':
    case 'nop':
      return 0;
  }
}

/** The longest chain of waiting jobs, each with its usual length. */
export function estimate(plan: Plan, durations: Paged<Durations>): Estimate {
  const ends = new Map<string, number>();
  const jobs: [string, number][] = [];
  let unknown = 0;
  for (const { unit, type, after } of plan.jobs) {
    const ms = lengthOf(paged.get(durations, unit), type);
    if (ms === undefined) unknown += 1;
    else jobs.push([unit, ms]);
    // Waves are in order, so all it waits for has an end; of a restart's two phases the later one counts.
    const from = after.reduce((latest, other) => Math.max(latest, ends.get(other) ?? 0), 0);
    ends.set(unit, from + (ms ?? 0));
  }
  const longest = [...ends.values()].reduce((latest, end) => Math.max(latest, end), 0);
  return {
    ms: Math.round(longest * 10) / 10,
    unknown,
    jobs: Object.fromEntries(jobs.sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}
