/**
 * Requests, jobs, plans: what src/jobs takes and gives. Plain JSON; every decision carries its reason.
 */
import type { Edge } from '../units/types.ts';

/** systemd's job types that stay in the table; compound ones are collapsed by the plan (systemctl(1)). */
export type JobType = 'start' | 'stop' | 'restart' | 'reload' | 'verify-active' | 'nop';
/** What a client may ask for. */
export type RequestVerb = JobType | 'try-restart' | 'reload-or-start' | 'reload-or-restart' | 'try-reload-or-restart';
export type JobMode =
  | 'replace'
  | 'fail'
  | 'replace-irreversibly'
  | 'isolate'
  | 'flush'
  | 'ignore-dependencies'
  | 'ignore-requirements'
  | 'triggering'
  | 'restart-dependencies'
  | 'lenient';

export type JobResult =
  | 'done'
  | 'canceled'
  | 'timeout'
  | 'failed'
  | 'dependency'
  | 'skipped'
  | 'invalid'
  | 'assert'
  | 'unsupported'
  | 'collected'
  | 'once';

export type ActiveState = 'active' | 'reloading' | 'inactive' | 'failed' | 'activating' | 'deactivating' | 'maintenance';

export interface JobRequest {
  readonly verb: RequestVerb;
  readonly units: readonly string[];
  readonly mode: JobMode;
  /** Who asked, for people: `uid 0, pid 41 (sctl)`, `timer logrotate.timer`, `Restart= of web.service`. */
  readonly by: string;
}

/** Why a job is in a plan: asked for, or pulled in by a job of the same plan along an edge. */
export type Reason =
  | { readonly asked: string }
  | { readonly edge: Edge; readonly because: string }
  | { readonly isolate: string };

export interface PlannedJob {
  readonly unit: string;
  readonly type: JobType;
  /** From the nearest reason to the request. */
  readonly reasons: readonly Reason[];
  /** Failing it does not fail the plan. */
  readonly optional: boolean;
  readonly irreversible: boolean;
  readonly ignoreOrder: boolean;
  /** Jobs of this plan, by unit, that must be over first. */
  readonly after: readonly string[];
  /** 0 for jobs that can run at once. */
  readonly wave: number;
}

export interface Plan {
  readonly request: JobRequest;
  /** In dispatch order. */
  readonly jobs: readonly PlannedJob[];
  /** Merged, collapsed, dropped, cut: what and why, for people. */
  readonly notes: readonly string[];
  /** Ordering edges that were cut to break cycles. */
  readonly cuts: readonly { readonly edge: Edge; readonly ring: readonly string[]; readonly why: string }[];
  /** Jobs now in the table, by id, that this plan cancels or changes. */
  readonly replaces: readonly { readonly job: number; readonly unit: string; readonly why: string }[];
}

export interface Refusal {
  readonly refused: string;
  /** systemd's error name for it: org.freedesktop.systemd1.NoSuchUnit … without the prefix. */
  readonly error:
    | 'NoSuchUnit'
    | 'UnitMasked'
    | 'LoadFailed'
    | 'JobTypeNotApplicable'
    | 'NoIsolation'
    | 'OnlyByDependency'
    | 'TransactionIsDestructive'
    | 'TransactionJobsConflicting'
    | 'TransactionOrderIsCyclic'
    | 'ShuttingDown'
    | 'BadUnitSetting';
  readonly unit: string;
  readonly todo: string;
}
