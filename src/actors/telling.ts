/** From what the actor `events` was posted to what subscribers of the API see. */
import type { FinishedJob, Manager, ManagerEvent } from '../api/manager.ts';
import type { Host } from '../host/ports.ts';
import type { Stall } from '../jobs/explain.ts';
import type { ActiveState, BegunJob, Cut } from '../jobs/types.ts';
import type { LoadState } from '../units/types.ts';
import type { FailedUnits } from './failed.ts';
import type { JobsView } from './manager.ts';
import { stampOf } from './views.ts';

/** Units that say by themselves that this is maintenance (systemctl(1), is-system-running). */
const MAINTENANCE: ReadonlySet<string> = new Set(['rescue.target', 'emergency.target']);

/** May the system's state be another one after this? */
const concernsSystem = ({ unit, was, active, reloaded, unloaded, system }: Told): boolean =>
  reloaded === true ||
  unloaded !== undefined ||
  system === true ||
  (unit !== undefined && (was === 'failed' || active === 'failed' || MAINTENANCE.has(unit)));

/** A unit that was let go of, as it was. */
export interface Unloaded {
  readonly name: string;
  readonly load: LoadState;
  readonly description: string;
  /** CollectMode= of it. */
  readonly mode: string;
  readonly result: string;
  /** When it last came up and went down, if the boot began with that. */
  readonly boot?: BootTimes;
}

/** CLOCK_MONOTONIC in ms; null: never. */
export interface BootTimes {
  readonly activatingMs: number | null;
  readonly activatedMs: number | null;
  readonly deactivatingMs: number | null;
  readonly deactivatedMs: number | null;
}

/** One of: a unit changed, a job is new, a job is gone, units were read again …; with what only the history wants to know. */
export interface Told {
  readonly unit?: string;
  /** Why it changed; the process that ended; the signals that were sent. */
  readonly cause?: string;
  readonly process?: string;
  readonly signal?: string;
  /** A client's request, in the words of sctl. */
  readonly request?: { readonly unit: string; readonly what: string; readonly by: string };
  readonly refused?: { readonly unit: string; readonly what: string };
  /** Why the job in `jobRemoved` ended. */
  readonly why?: string;
  readonly cuts?: readonly Cut[];
  /** As an older core has told of one. */
  readonly cut?: Cut;
  readonly gaveUp?: { readonly group: string; readonly member: string; readonly why: string };
  readonly stall?: Stall;
  /** A fault that was asked for begins, does something, or is over. `unit` empty: core is hit. */
  readonly chaos?: {
    readonly run: number;
    readonly unit: string;
    readonly what: string;
    readonly by: string;
    readonly over: boolean;
  };
  /** Core came up, or back; or the machine of `unit` has been set aside. */
  readonly core?: string;
  /** Something is wrong with core's own files or state. */
  readonly trouble?: string;
  readonly was?: ActiveState;
  readonly active?: ActiveState;
  readonly sub?: string;
  readonly result?: string;
  readonly jobsNew?: readonly BegunJob[];
  /** As an older core has told of one. */
  readonly jobNew?: BegunJob;
  readonly jobRemoved?: FinishedJob;
  readonly reloaded?: boolean;
  /** Units that nobody needed in memory any more. */
  readonly unloaded?: readonly Unloaded[];
  readonly system?: boolean;
}

/** Orderings that are not honoured since. */
export const cutsOf = ({ cuts = [], cut }: Told): readonly Cut[] => (cut === undefined ? cuts : [...cuts, cut]);

/** Jobs that are there since. */
export const begun = ({ jobsNew = [], jobNew }: Told): readonly BegunJob[] =>
  jobNew === undefined ? jobsNew : [...jobsNew, jobNew];

export interface TellerParts {
  readonly host: Host;
  readonly manager: Manager;
  readonly jobs: JobsView;
  readonly failed: FailedUnits;
  /** Number of the last event that is committed. */
  committed(): number;
  publish(event: ManagerEvent): void;
}

export function teller({ host, manager, jobs, failed, committed, publish }: TellerParts): (told: Told) => void {
  let lastState = '';
  let lastCommit = -1;
  return (told) => {
    const at = stampOf(host, host.clock.nowMs());
    if (told.reloaded === true) failed.forget();
    if (told.unit !== undefined) failed.changed(told.unit, told.active === 'failed');
    if (told.unit !== undefined) {
      const unit = manager.summary(told.unit);
      // The summary is of now; the change that is told may be older when several stand in one turn.
      if (unit !== undefined && told.active !== undefined && told.sub !== undefined) {
        publish({
          event: 'unit',
          at,
          unit: { ...unit, active: told.active, sub: told.sub },
          was: told.was,
          result: told.result ?? 'success',
          gone: false,
        });
      }
    }
    for (const { id } of begun(told)) {
      const job = jobs.get(id);
      if (job !== undefined) publish({ event: 'job-new', at, job });
    }
    if (told.jobRemoved !== undefined) publish({ event: 'job-removed', at, job: told.jobRemoved });
    for (const { name, load, description, result } of told.unloaded ?? []) {
      const unit = {
        name,
        load,
        description,
        active: 'inactive',
        sub: 'dead',
        job: undefined,
        following: undefined,
      } as const;
      publish({ event: 'unit', at, unit, was: 'inactive', result, gone: true });
    }
    if (told.reloaded) publish({ event: 'reloaded', at });
    if (lastState !== '' && !concernsSystem(told)) return;
    // All that one turn tells is told after its commit, so the state is the same for all of it.
    if (committed() === lastCommit) return;
    lastCommit = committed();
    const state = manager.state();
    if (state !== lastState) {
      lastState = state;
      publish({ event: 'system', at, state });
    }
  };
}
