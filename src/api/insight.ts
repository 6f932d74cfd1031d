/**
 * What core can tell about why things are as they are: io.sysmaster.Insight. Reads only; see Manager in manager.ts.
 *
 * Everything here is plain JSON; `undefined` leaves the member out on the wire. Times as in manager.ts.
 */
import type { Edge } from '../units/types.ts';
import type { Stamp } from './manager.ts';

export type CauseKind =
  | 'request'
  | 'job'
  | 'unit'
  | 'process'
  | 'socket'
  | 'device'
  | 'timer'
  | 'edge'
  | 'condition'
  | 'file'
  | 'cut'
  | 'chaos'
  | 'limit'
  | 'result';

/** One reason, in words and with what it is about; below it, the reasons of the reason. */
export interface Cause {
  readonly kind: CauseKind;
  readonly what: string;
  readonly unit: string | undefined;
  readonly job: number | undefined;
  readonly pid: number | undefined;
  /** `FILE:LINE`, a link, or the rule; undefined: no place. */
  readonly where: string | undefined;
  readonly since: Stamp | undefined;
  readonly below: readonly Cause[];
}

export interface Explanation {
  readonly unit: string;
  /** The job that was asked about, or the unit's job. */
  readonly job: number | undefined;
  readonly active: string;
  readonly sub: string;
  readonly result: string;
  readonly since: Stamp | undefined;
  /** One sentence: how it is. */
  readonly state: string;
  readonly because: readonly Cause[];
  /** What would happen next, and what would have to. */
  readonly next: readonly string[];
}

/** One record of the history. */
export interface HistoryView {
  readonly number: number;
  readonly at: Stamp;
  /** request, refused, job, job-over, unit, process, signal, cut, chaos, core, reload, stall, system. */
  readonly kind: string;
  /** Empty: it concerns no single unit. */
  readonly unit: string;
  readonly what: string;
  /** Empty: none is known. */
  readonly cause: string;
  readonly job: number | undefined;
}

export interface CutView {
  readonly from: string;
  readonly to: string;
  readonly edge: Edge;
  readonly where: string;
  readonly ring: readonly string[];
  readonly more?: number;
  readonly why: string;
  /** It has been cut; false: it would be, if all units of the ring had jobs. */
  readonly done: boolean;
}

export interface CycleView {
  readonly members: readonly string[];
  /** Closed chains: the first edge's `from` is the last one's `to`. */
  readonly rings: readonly (readonly (Edge & { readonly where: string })[])[];
  /** There are more rings than are listed. */
  readonly more: boolean;
  readonly cuts: readonly CutView[];
}

export interface StallView {
  /** Who waits for whom, the last one for the first; empty: an event is missing instead. */
  readonly ring: readonly string[];
  readonly why: readonly string[];
  /** What would end it. */
  readonly todo: string;
}

/** When one unit came up, µs of CLOCK_MONOTONIC; undefined: not yet. */
export interface UnitTimes {
  readonly name: string;
  readonly activatingUs: number | undefined;
  readonly activatedUs: number | undefined;
  readonly deactivatingUs: number | undefined;
  readonly deactivatedUs: number | undefined;
  /** Units in memory that it is ordered after. */
  readonly after: readonly string[];
}

export interface TimesView {
  /** Start of core, end of loading, end of the boot; µs of CLOCK_MONOTONIC. */
  readonly userspaceUs: number;
  readonly unitsLoadedUs: number | undefined;
  readonly finishedUs: number | undefined;
  readonly nowUs: number;
  readonly role: 'machine' | 'container' | 'subreaper';
  readonly target: string;
  readonly units: readonly UnitTimes[];
}

export interface Insight {
  /** `name`: a unit, by any of its names, or the number of a job. Throws ManagerError ('BadRequest', 'NoSuchJob'). */
  why(name: string, not: boolean): Explanation;
  /** Newest last; `units` empty: all. At most `count`. */
  history(units: (name: string) => boolean, count: number): readonly HistoryView[];
  cycles(): readonly CycleView[];
  /** Orderings of one unit that were, or would be, cut. */
  cuts(unit: string): readonly CutView[];
  /** Undefined: something can move, or nothing wants to. */
  stall(): StallView | undefined;
  times(): TimesView;
}
