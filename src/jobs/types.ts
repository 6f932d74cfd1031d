/**
 * Requests, jobs, plans: what src/jobs takes and gives. Plain JSON; every decision carries its reason.
 *
 * What the engine needs to know of the world stands here as well, as two small read-only interfaces: {@link JobGraph}
 * (what is loaded) and {@link UnitStates} (what runs). Whoever keeps units implements them; nothing in src/jobs
 * knows how.
 */
import type { DependencyKind, Edge, LoadState, UnitSection, UnitType } from '../units/types.ts';

/** systemd's job types that stay in the table; compound ones are collapsed by the plan (systemctl(1)). */
export type JobType = 'start' | 'stop' | 'restart' | 'reload' | 'verify-active' | 'nop';
/** What a client may ask for: types of jobs, and those that the plan collapses. */
export const REQUEST_VERBS = [
  'start',
  'stop',
  'restart',
  'reload',
  'verify-active',
  'nop',
  'try-restart',
  'try-reload',
  'reload-or-start',
  'reload-or-restart',
  'try-reload-or-restart',
] as const;
export type RequestVerb = (typeof REQUEST_VERBS)[number];
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

export const ACTIVE_STATES = [
  'active',
  'reloading',
  'inactive',
  'failed',
  'activating',
  'deactivating',
  'maintenance',
] as const;

export type ActiveState = (typeof ACTIVE_STATES)[number];

/** What the engine asks of a unit's settings; a loaded unit's `unit` section fits as it is. */
export type JobSettings = Pick<
  UnitSection,
  | 'Supervisor'
  | 'AllowIsolate'
  | 'IgnoreOnIsolate'
  | 'StopWhenUnneeded'
  | 'CollectMode'
  | 'RefuseManualStart'
  | 'RefuseManualStop'
  | 'OnFailureJobMode'
  | 'OnSuccessJobMode'
  | 'JobTimeoutSec'
  | 'JobRunningTimeoutSec'
  | 'JobTimeoutAction'
  | 'JobTimeoutRebootArgument'
>;

/** What is known of one unit for planning. */
export interface UnitFacts {
  /** Main name; never an alias. */
  readonly name: string;
  readonly type: UnitType;
  readonly loadState: LoadState;
  readonly unit: JobSettings;
  /** False for types that only appear by themselves (device): their start jobs wait and ask nobody. */
  readonly canStart: boolean;
  readonly canStop: boolean;
  /** A service with ExecReload= or Type=notify-reload, a mount; targets cannot. */
  readonly canReload: boolean;
  /** False: a reload of it is only passed on (PropagatesReloadTo=), and there is nothing to ask of it itself. */
  readonly reloadsItself?: boolean;
  /** Units of its type are shown, and a job to start or stop one ends with `unsupported`, unless it is there, or gone, already. */
  readonly unsupported?: true;
  /** -.slice, system.slice, init.scope, -.mount: may never be stopped. */
  readonly perpetual: boolean;
  /** Of a unit that is not well loaded: what is wrong with it, `file:line: what: why; what to do`; or where it is masked. */
  readonly faults?: readonly string[];
  /** Of a masked unit: what would let it be loaded. */
  readonly unmask?: string;
}

/** The loaded units and their edges, as the engine sees them. Answers must be the same for as long as one step runs. */
export interface JobGraph {
  /** Main names of all loaded units, sorted by code unit. */
  units(): readonly string[];
  /** By main name or alias; undefined: never heard of, which the engine treats as `not-found`. */
  facts(unit: string): UnitFacts | undefined;
  /**
   * Edges of one kind seen from `unit`: `from` is the unit, `kind` the kind asked for (inverses included: a line
   * `Before=b` of a is an `After` edge of b), `to` the main name of the other, `origin` that of the line or rule behind
   * it. Sorted by `to`; several origins of one pair may stand side by side. Cheap: called often.
   */
  edges(unit: string, kind: DependencyKind): readonly Edge[];
  /** The other ends of {@link edges}, each once, in their order. No reasons are gathered for it, so it is what walks over many units use. */
  others(unit: string, kind: DependencyKind): readonly string[];
  /** Main names of the other units whose own settings or links name this one, in no order; absent: no unit is ever unloaded. */
  referrers?(unit: string): Iterable<string>;
}

/** What the units are doing now. */
export interface UnitStates {
  /** `inactive` for a unit nobody has heard of. */
  active(unit: string): ActiveState;
  /** Its machine is set aside: wherever it is on its way to, it does not come there. Absent: none is. */
  isSetAside?(unit: string): boolean;
}

/** One change of a unit's state, as its machine tells the world. `before` and `after` may be equal: a sub-state moved. */
export interface UnitChange {
  readonly unit: string;
  readonly before: ActiveState;
  readonly after: ActiveState;
  /** systemd's Result property, or `condition`, `assert`, `unsupported` where a start ended before it began. */
  readonly result?: string;
  /** Set on the change that ends a reload. */
  readonly reload?: 'done' | 'failed';
  /**
   * The unit was down for a moment on its way to `after` (automatic restart): whoever waited for its start need not wait on.
   * Such an end triggers neither OnFailure= nor OnSuccess= (systemd.unit(5)).
   */
  readonly through?: 'inactive' | 'failed';
}

/** A change without `through`: one that passed through `inactive` or `failed` counts as two. */
export interface Passage extends Omit<UnitChange, 'through'> {
  /** Restart= will start it again, so this end triggers nothing. */
  readonly restarting: boolean;
}

export interface JobRequest {
  readonly verb: RequestVerb;
  readonly units: readonly string[];
  readonly mode: JobMode;
  /** Who asked, for people: `uid 0, pid 41 (sctl)`, `timer logrotate.timer`, `Restart= of web.service`. */
  readonly by: string;
  /** Made by the system itself (a trigger, a restart rule, the boot), so RefuseManualStart= and RefuseManualStop= do not apply. */
  readonly automatic?: boolean;
  /** Further verbs of the same transaction: what a snapshot restores, or an undo, starts some units and stops others. */
  readonly also?: readonly RequestPart[];
  /** The answer names every job of the transaction, not only those of the units that were named. */
  readonly tellAll?: boolean;
  /** What the transaction is called where its jobs stand in the way of others; absent: its verb and units. */
  readonly title?: string;
}

/** One verb for some units. */
export interface RequestPart {
  readonly verb: RequestVerb;
  readonly units: readonly string[];
}

/** The table as a plan sees it. */
export interface InstalledJobs {
  /** True: there are none, so nobody need look. */
  readonly empty?: boolean;
  of(unit: string): InstalledJob | undefined;
  /** By id. */
  all(): readonly InstalledJob[];
  /** Is the ordering `later` After `earlier` cut for as long as both have jobs? */
  isCut(later: string, earlier: string): boolean;
}

/** Everything a plan is made of. */
export interface PlanWorld {
  readonly graph: JobGraph;
  readonly states: UnitStates;
  readonly installed: InstalledJobs;
}

/** Why a job is in a plan: asked for, or pulled in by a job of the same plan along an edge. */
export type Reason =
  | { readonly asked: string }
  | { readonly edge: Edge; readonly because: string }
  /** Stopped because the named unit is isolated. */
  | { readonly isolate: string }
  /** Stopped because it triggers the named unit (job mode `triggering`). */
  | { readonly triggers: string };

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
  readonly cuts: readonly Cut[];
  /** Every unit that planning looked at for a job of its own: those with a job, and those that need none or cannot have one. */
  readonly touches: readonly string[];
  /** Jobs now in the table, by id, that this plan cancels or changes. */
  readonly replaces: readonly { readonly job: number; readonly unit: string; readonly why: string }[];
}

/** An ordering edge that is not honoured, because it would close a ring. */
export interface Cut {
  readonly edge: Edge;
  /** The ring it would close: every unit waits for the next, the last for the first. */
  readonly ring: readonly string[];
  /** So many units of the ring come behind those named here: one of thousands of units is told by its beginning. Absent: none. */
  readonly more?: number;
  readonly why: string;
}

/** A job in the table. */
export interface InstalledJob {
  readonly id: number;
  readonly unit: string;
  /** A restart becomes a start when its stop phase is over. */
  readonly type: JobType;
  readonly state: 'waiting' | 'running';
  readonly irreversible: boolean;
  readonly ignoreOrder: boolean;
  readonly optional: boolean;
  /** Who asked, and how; a job that was merged keeps the first asker. */
  readonly by: string;
  readonly mode: JobMode;
  /** The transaction it came with, for people: `start poweroff.target`, `plan 1f0c…`. */
  readonly plan?: string;
  /** Who asked for it, too, while it was there, and with which transaction: the last few. */
  readonly again?: readonly { readonly by: string; readonly plan: string }[];
  /** CLOCK_MONOTONIC in ms: since when it is there, and since when it runs (null: it waits). */
  readonly createdMs: number;
  readonly startedMs: number | null;
  readonly reasons: readonly Reason[];
  /** How many other jobs it waits for. Kept by the table; 0 and `waiting` means that it waits for its own unit. */
  readonly blockers: number;
}

/** What is told of a job that has begun: of its reasons only the nearest. A checkpoint of a thousand jobs would hold each of them twice otherwise. */
export type BegunJob = Pick<InstalledJob, 'id' | 'unit' | 'type' | 'by' | 'reasons'>;

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
    | 'BadUnitSetting'
    | 'InvalidArgs'
    /** A plan is not what it was: the world has moved since. */
    | 'PlanMoved'
    | 'NoSuchPlan'
    /** The engine itself has failed on it. */
    | 'Faulty';
  readonly unit: string;
  readonly todo: string;
  /** One sentence each, with file and line where there is one: the faults of the unit, or what has moved. */
  readonly details?: readonly string[];
}

/** Something a job of a plan will wait for beside the other jobs of the plan. */
export interface PlannedWait {
  /** Whose job waits. */
  readonly unit: string;
  /** The job in the table it waits for; absent: its own unit, which must come to rest first. */
  readonly job?: number;
  readonly why: string;
}

/** How long a plan may take, in ms, from how long its units took before. */
export interface Estimate {
  /** Along the longest chain of jobs; jobs never seen before count as nothing. */
  readonly ms: number;
  /** Jobs on whose length nothing is known. */
  readonly unknown: number;
  /** By unit, where something is known. */
  readonly jobs: Readonly<Record<string, number>>;
}

/**
 * A plan with all that is known of it: what `sctl plan` shows, and what is saved and applied. Plain JSON.
 *
 * The id follows from the request, the jobs in their order and the state of the units; who asked, and when, are no part of it: the same
 * plan has the same id.
 */
export interface PlanDocument extends Plan {
  readonly format: 'sysmaster-plan';
  readonly version: 1;
  readonly id: string;
  readonly machineId: string;
  readonly bootId: string;
  /** CLOCK_REALTIME in µs. */
  readonly madeUs: number;
  /** The units that the plan touches, and no others: what is known of each, and the hash of all of it. */
  readonly state: { readonly hash: string; readonly units: Readonly<Record<string, string>> };
  /** With the edges of the ring, one for each of its units; fewer where rings are very long. */
  readonly cuts: readonly (Cut & { readonly edges: readonly Edge[] })[];
  /** Units that are up and would be stopped though nobody named them, and why. */
  readonly stops: readonly { readonly unit: string; readonly why: string }[];
  /** Units that are needed and up already. */
  readonly stands: readonly string[];
  readonly waits: readonly PlannedWait[];
  readonly estimate: Estimate;
}
