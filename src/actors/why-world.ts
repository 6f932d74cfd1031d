/** What explanations are made from. */
import type { JobView, UnitView } from '../api/manager.ts';
import type { Host } from '../host/ports.ts';
import type { UnitSnapshot } from '../machines/view.ts';
import type { Edge } from '../units/types.ts';
import type { LastWords } from './history.ts';
import { stampOf } from './views.ts';

/** What is known, by unit and by job. */
export interface WhyWorld {
  readonly host: Host;
  view(unit: string): UnitView;
  snapshot(unit: string): UnitSnapshot | undefined;
  job(id: number): JobView | undefined;
  jobOf(unit: string): number | undefined;
  last(unit: string): LastWords;
  /** The last end of a process of the unit that the history has, not older than `sinceMs`. */
  lastEnd(unit: string, sinceMs: number): { readonly what: string; readonly atMs: number } | undefined;
  edges(unit: string, kind: Edge['kind']): readonly Edge[];
  /** The processes in its control group. */
  members(unit: string): readonly number[];
  /** The unit is in memory. */
  known(unit: string): boolean;
  active(unit: string): string;
  /** Deadlines of a job's actor, CLOCK_MONOTONIC in ms. */
  deadlines(job: number): Readonly<Record<string, number | 'infinity'>>;
  /** Orderings of the unit that are not honoured. */
  cuts(
    unit: string,
  ): readonly { readonly edge: Edge; readonly why: string; readonly ring: readonly string[]; readonly done: boolean }[];
  /** Open jobs that this process, or one below it, has asked for and waits for. */
  askedBy(pid: number): readonly number[];
  /** How the machine of a unit came to be quarantined; undefined: it is not. */
  quarantine(unit: string): { readonly atMs: number; readonly why: string } | undefined;
  /** What stands in the way of a start now; empty: nothing. */
  refusal(unit: string): string;
}

/** A moment of CLOCK_MONOTONIC in ms, as the API tells it; null: it has not come. */
export const stampIn = (world: WhyWorld, ms: number | null) => (ms === null ? undefined : stampOf(world.host, ms));
