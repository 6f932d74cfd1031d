/**
 * What sessions need from core. Core implements {@link Manager}; sessions know nothing else of it.
 *
 * Two halves. *Reads* answer at once from what core holds now, have no side effects and may be called at any moment
 * of a turn. *Changes* are plain data: a session hands one over with {@link Manager.change}, core posts it to its own
 * queue, commits, and answers later, by ticket, through {@link Sessions.answered} (src/api/sessions.ts). What a
 * subscriber may see, core tells once with {@link Sessions.publish}.
 *
 * Law 5: a change may carry a `requestId` that the client chose. Core journals it with the change. When a change with
 * a known id arrives (the client lost its connection and repeats itself), core does nothing new: it answers with the
 * first answer, or, if that is still to come, lets the new (session, ticket) take the place of the old. Sessions only
 * pass the id on. An id that comes with a different change is refused ('RequestReused'); `by`, which names the
 * connection's pid, does not count as a difference.
 *
 * All times are microseconds; `Us` ends a CLOCK_MONOTONIC time or a span, {@link Stamp} holds both clocks.
 * Everything here is plain JSON; `undefined` leaves the member out on the wire.
 */
import type { Confirmation, KeptPlan, Wish } from '../jobs/apply.ts';
import type { FileChange, Snapshot } from '../jobs/snapshot.ts';
import type { ActiveState, JobMode, JobRequest, JobResult, JobType, PlanDocument, Refusal } from '../jobs/types.ts';
import type { UnitChange } from '../units/changes.ts';
import type { Edge, Finding, LoadState, Unit } from '../units/types.ts';
import type { ChaosChoice, ChaosRun, ChaosSettings, ChaosWish } from './chaos.ts';
import type { Chart, MachineValue } from './chart.ts';
import type { Insight } from './insight.ts';

/** One moment, in µs: CLOCK_REALTIME since 1970 and CLOCK_MONOTONIC. */
export interface Stamp {
  readonly realUs: number;
  readonly monotonicUs: number;
}

/** Who asks: the socket's peer credentials and where the answer goes. */
export interface Caller {
  readonly session: number;
  /** Numbers the changes of one session; the answer names it. */
  readonly ticket: number;
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** One line of list-units. */
export interface UnitSummary {
  readonly name: string;
  readonly load: LoadState;
  readonly active: ActiveState;
  /** The type's own word: running, exited, listening, dead … (systemctl(1), SUB). */
  readonly sub: string;
  readonly description: string;
  readonly job: { readonly id: number; readonly type: JobType } | undefined;
  /** The unit this one is another name of, or follows; usually undefined. */
  readonly following: string | undefined;
}

/** How a command of Exec…= went, last time. */
export interface CommandRecord {
  /** The setting: 'ExecStartPre', 'ExecStart' … */
  readonly setting: string;
  /** As in the unit file's order, per setting, from 0. */
  readonly index: number;
  readonly path: string;
  readonly argv: readonly string[];
  readonly ignoreFailure: boolean;
  readonly pid: number;
  readonly started: Stamp | undefined;
  readonly ended: Stamp | undefined;
  readonly exit: Exit | undefined;
}

/** How a process ended, in systemd's words (CLD_EXITED, CLD_KILLED, CLD_DUMPED): status is an exit status or a signal number. */
export interface Exit {
  readonly code: 'exited' | 'killed' | 'dumped';
  readonly status: number;
}

/** A control group with what is in it. `path` as in /proc/PID/cgroup, from the root that core sees. */
export interface GroupView {
  readonly path: string;
  /** `command`: the command line, or the name in brackets where there is none. */
  readonly processes: readonly { readonly pid: number; readonly command: string }[];
  readonly children: readonly GroupView[];
}

/** What changes about a unit while core runs. */
export interface UnitState {
  readonly active: ActiveState;
  readonly sub: string;
  /** systemd's Result=: 'success', 'exit-code', 'signal', 'timeout', 'start-limit-hit' … */
  readonly result: string;
  readonly job: { readonly id: number; readonly type: JobType } | undefined;
  readonly following: string | undefined;
  /** 32 hex digits; empty: it has not been started. */
  readonly invocationId: string;
  readonly stateChange: Stamp | undefined;
  readonly activeEnter: Stamp | undefined;
  readonly activeExit: Stamp | undefined;
  readonly inactiveEnter: Stamp | undefined;
  readonly inactiveExit: Stamp | undefined;
  /** The last check of the conditions; undefined: never checked. `failed` says which one did not hold, as written. */
  readonly condition: { readonly result: boolean; readonly at: Stamp; readonly failed: string } | undefined;
  readonly assertion: { readonly result: boolean; readonly at: Stamp; readonly failed: string } | undefined;
  /** The unit file is newer than what is loaded. */
  readonly needDaemonReload: boolean;
  /** Empty: it has none. */
  readonly controlGroup: string;
  /** From the control group; undefined: not accounted here. */
  readonly tasks: number | undefined;
  readonly tasksMax: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly memoryPeakBytes: number | undefined;
  readonly cpuNs: number | undefined;
  /** Set for services. */
  readonly service:
    | {
        /** 0: none. */
        readonly mainPid: number;
        readonly controlPid: number;
        /** The main process, last or now. */
        readonly main: CommandRecord | undefined;
        readonly statusText: string;
        readonly statusErrno: number;
        readonly nRestarts: number;
        readonly watchdog: Stamp | undefined;
        readonly fdStore: number;
        readonly commands: readonly CommandRecord[];
        readonly reloadResult: string;
      }
    | undefined;
  /** Set for sockets. */
  readonly socket:
    | { readonly accepted: number; readonly connections: number; readonly refused: number; readonly controlPid: number }
    | undefined;
  /** Set for path units: how often they have started their unit, and for which path; undefined: it has been down since. */
  readonly path?: { readonly triggered: number; readonly triggeredBy: string | undefined } | undefined;
  /** Set for units with [X-Supervisor]: whom it is for, sorted, and the failures that still count, newest first. */
  readonly supervision?: { readonly members: readonly string[]; readonly failures: readonly Stamp[] } | undefined;
}

/** A unit as it is: what its files say, and what has become of it. */
export interface UnitView {
  readonly unit: Unit;
  readonly state: UnitState;
  /** What a preset says of its file: 'enabled', 'disabled', 'ignored' or empty. */
  readonly preset: string;
}

/** One line of list-unit-files. */
export interface UnitFile {
  readonly name: string;
  readonly path: string;
  /** systemctl(1), is-enabled: enabled, enabled-runtime, linked, alias, masked, static, indirect, disabled, generated, transient, bad … */
  readonly state: string;
  readonly preset: string;
}

/** One file of a unit, for `cat`. `mode` decides who may read it over the API. */
export interface UnitFileText {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
}

/** What a job waits for, for people and for walking the graph. */
export interface Wait {
  /** One sentence: `start a.service waits for job 12 (start b.service): a.service After b.service, from …`. */
  readonly why: string;
  readonly job: number | undefined;
  readonly unit: string | undefined;
  /** A running job waits for this process. */
  readonly pid: number | undefined;
  readonly sinceUs: number | undefined;
  /** When the first time limit of the job or of its unit is over; undefined: there is none. */
  readonly untilUs: number | undefined;
}

export interface JobView {
  readonly id: number;
  readonly unit: string;
  readonly type: JobType;
  readonly state: 'waiting' | 'running';
  readonly mode: JobMode;
  /** Who asked; see JobRequest. */
  readonly by: string;
  /** Who asked for it, too, while it was there: `start web.service, asked for by uid 0, pid 812`. */
  readonly again: readonly string[];
  readonly created: Stamp;
  readonly started: Stamp | undefined;
  readonly waits: readonly Wait[];
}

/** A job that is over. */
export interface FinishedJob {
  readonly id: number;
  readonly unit: string;
  readonly type: JobType;
  readonly result: JobResult;
}

/** Words of systemctl(1), is-system-running. */
export type SystemState =
  | 'initializing'
  | 'starting'
  | 'running'
  | 'degraded'
  | 'maintenance'
  | 'stopping'
  | 'offline'
  | 'unknown';

/** The manager itself. */
export interface ManagerView {
  readonly version: string;
  readonly state: SystemState;
  readonly role: 'machine' | 'container' | 'subreaper';
  readonly pid: number;
  readonly uid: number;
  readonly units: number;
  readonly jobs: number;
  readonly failed: number;
  /** NAME=value, as services get it. */
  readonly environment: readonly string[];
  /** Words of systemd's Tainted property: 'cgroupsv1', 'unmerged-usr' …; empty: none. */
  readonly tainted: readonly string[];
  readonly defaultTarget: string;
  /** Where `UNIT.log` files are. */
  readonly logDirectory: string;
  readonly unitPath: readonly string[];
  readonly controlGroup: string;
  readonly hostname: string;
  readonly machineId: string;
  readonly bootId: string;
  readonly architecture: string;
  readonly virtualization: string;
  readonly kernel: string;
  readonly epoch: number;
  readonly safeMode: boolean;
  /** How many cores came before this one, by whatever end. */
  readonly cores: number;
  /** The deaths among them that init remembers, newest first. `how` in words: `SIGKILL`, `a hang`; `at`: what it was doing. */
  readonly deaths: readonly { readonly atUs: number; readonly how: string; readonly at: string }[];
  /** Empty: the checkpoint is good. */
  readonly checkpointFault: string;
  /** What was wrong with core's own files and its state, newest first: state that was lost, files that were not believed. */
  readonly troubles: readonly { readonly at: Stamp; readonly what: string }[];
  /** Moments of the boot; userspace: init's exec. `finish`: the first time no job was left. */
  readonly stamps: {
    readonly userspace: Stamp | undefined;
    readonly core: Stamp | undefined;
    readonly unitsLoaded: Stamp | undefined;
    readonly finish: Stamp | undefined;
  };
}

/** The statechart of one actor with its present state; `actor` is a unit's name or an actor's id. */
export interface MachineView {
  readonly actor: string;
  readonly machine: string;
  readonly version: number;
  /** xstate's state value: a key, or keys nested. */
  readonly value: MachineValue;
  readonly context: Readonly<Record<string, unknown>>;
  readonly chart: Chart;
  readonly deadlines: readonly { readonly name: string; readonly atUs: number | undefined }[];
}

/** The supervision tree: init, core below it, and all that is below core. */
export interface SupervisorView {
  readonly id: string;
  readonly kind: 'supervisor' | 'worker';
  readonly restart: 'permanent' | 'transient' | 'temporary';
  /** How long it may take to end before it is removed: not at all, `shutdownMs`, or as long as it likes, as a supervisor may. */
  readonly shutdown: 'brutal' | 'limited' | 'infinity';
  readonly shutdownMs: number | undefined;
  /** Supervisors only. */
  readonly strategy: 'one_for_one' | 'one_for_all' | 'rest_for_one' | undefined;
  readonly intensity: number | undefined;
  readonly periodMs: number | undefined;
  /** `running`, `stopping`, or `quarantined`: it gets no events until `reset-failed`. */
  readonly state: string;
  /** Of a supervisor: restarts within its period, as of the last failure; of init: cores before this one, by whatever end. */
  readonly restarts: number;
  /** Failures since it was started; of a supervisor those of its children; of init the deaths of core that it remembers. */
  readonly failures: number;
  readonly last:
    | { readonly actor: string; readonly at: Stamp; readonly event: string; readonly why: string }
    | undefined;
  /** Events that wait for the end of a quarantine. */
  readonly held: number;
  readonly children: readonly SupervisorView[];
}

/** Verbs on unit files (systemctl(1), "Unit File Commands"). */
export type UnitFileVerb =
  | 'enable'
  | 'disable'
  | 'reenable'
  | 'mask'
  | 'unmask'
  | 'preset'
  | 'preset-all'
  | 'link'
  | 'revert'
  | 'add-wants'
  | 'add-requires'
  | 'set-default';

export type ShutdownVerb = 'poweroff' | 'reboot' | 'halt' | 'kexec' | 'exit' | 'soft-reboot';

/** Which processes of a unit are signalled (systemctl(1), --kill-whom=). */
export type KillWhom = 'main' | 'control' | 'all';

/** Everything a client can change. The `what` is also the audit word. */
export type Change =
  /**
   * Each request is a transaction of its own: planned and put into the table in order, so that one refusal does not
   * stop the others. `until`: answer when the jobs are in the table, or when all of them are over.
   */
  | { readonly what: 'request'; readonly requests: readonly JobRequest[]; readonly until: 'enqueued' | 'done' }
  /** Let the plan that the request leads to now be applied by its id; refused if that is another one. */
  | { readonly what: 'keep-plan'; readonly request: JobRequest; readonly id: string }
  /** Carry out a plan if it is still what would be done; answered like a request. */
  | { readonly what: 'apply'; readonly wish: Omit<Wish, 'by'>; readonly until: 'enqueued' | 'done' }
  /** A plan that was applied is not to be undone. */
  | { readonly what: 'confirm'; readonly id: string }
  | { readonly what: 'snapshot'; readonly verb: 'save' | 'delete'; readonly name: string; readonly dryRun: boolean }
  /** Bring units and unit files to where a snapshot has them; answered like a request. */
  | {
      readonly what: 'restore';
      readonly name: string;
      readonly until: 'enqueued' | 'done';
      readonly tellAll: boolean;
      /** Undone unless confirmed within so long; its id is the snapshot's name. */
      readonly confirmMs?: number;
    }
  | { readonly what: 'cancel'; readonly jobs: readonly number[] | 'all' }
  /** `dryRun`: answer with how many processes there are to signal. */
  | {
      readonly what: 'kill';
      readonly unit: string;
      readonly whom: KillWhom;
      readonly signal: number;
      readonly dryRun?: boolean;
    }
  | { readonly what: 'reset-failed'; readonly units: readonly string[] | 'all' }
  | {
      readonly what: 'unit-files';
      readonly verb: UnitFileVerb;
      /** Names, or paths for `link`; empty for preset-all. */
      readonly names: readonly string[];
      /** In /run, until the next boot. */
      readonly runtime: boolean;
      /** Replace links that are in the way. */
      readonly force: boolean;
      readonly presetMode: 'full' | 'enable-only' | 'disable-only';
      /** The target of add-wants and add-requires. */
      readonly target: string;
      /** Load the units anew before answering. */
      readonly reload: boolean;
      /** Answer with what would be done, and do nothing. */
      readonly dryRun?: boolean;
    }
  /** `dryRun`: answer with what would change, and change nothing. */
  | { readonly what: 'daemon-reload'; readonly dryRun?: boolean }
  | { readonly what: 'daemon-reexec' }
  /** `path`: the new binary; empty: the one it was started from. */
  | { readonly what: 'init-reexec'; readonly path: string }
  | {
      readonly what: 'shutdown';
      readonly verb: ShutdownVerb;
      /** 0: through the target, in order. 1: no jobs, processes are ended and file systems unmounted. 2: at once. */
      readonly force: 0 | 1 | 2;
      /** Exit status for `exit`. */
      readonly status: number;
      /** Argument of reboot(2) for `reboot`. */
      readonly argument: string;
    }
  | { readonly what: 'chaos'; readonly wish: ChaosWish }
  | { readonly what: 'chaos-stop'; readonly runs: readonly number[] | 'all' }
  | { readonly what: 'environment'; readonly set: readonly string[]; readonly unset: readonly string[] };

/** One step of a unit-file change, in systemd's words. */
export interface UnitFileStep {
  readonly kind: 'symlink' | 'unlink' | 'missing' | 'note';
  /** The link that is made or gone. */
  readonly path: string;
  /** What it points at; for notes: the sentence. */
  readonly target: string;
}

/** The outcome of one {@link JobRequest} of a change. */
export type RequestOutcome =
  /** `result`: of the asked-for unit's own job; undefined while `until` is 'enqueued'. No job: nothing was to do. */
  | {
      readonly unit: string;
      readonly job: number | undefined;
      readonly result: JobResult | undefined;
      readonly notes: readonly string[];
      /** With the first unit of a request that wants it: all jobs of the transaction. */
      readonly transaction?: readonly { readonly id: number; readonly unit: string; readonly type: JobType }[];
    }
  | { readonly unit: string; readonly refusal: Refusal };

/** What a change answers with, by `what`. */
export type ChangeResult =
  | { readonly what: 'request'; readonly outcomes: readonly RequestOutcome[] }
  | { readonly what: 'keep-plan'; readonly id: string }
  | { readonly what: 'confirm'; readonly id: string }
  | { readonly what: 'snapshot'; readonly name: string }
  | { readonly what: 'cancel'; readonly canceled: readonly number[] }
  | { readonly what: 'kill'; readonly signalled: number }
  | { readonly what: 'reset-failed'; readonly units: readonly string[] }
  | {
      readonly what: 'unit-files';
      readonly steps: readonly UnitFileStep[];
      readonly carriesInstallInfo: boolean;
      readonly findings: readonly string[];
    }
  | { readonly what: 'daemon-reload'; readonly findings: number; readonly changes: readonly UnitChange[] }
  | { readonly what: 'chaos'; readonly choice: ChaosChoice }
  | { readonly what: 'chaos-stop'; readonly stopped: readonly number[] }
  | { readonly what: 'daemon-reexec' | 'init-reexec' | 'shutdown' | 'environment' };

/** Names of {@link ApiError}; on the wire below `io.sysmaster.Manager.`. A {@link Refusal}'s error joins them. */
export type ApiErrorName =
  | 'AccessDenied'
  | 'NoSuchUnit'
  | 'NoSuchJob'
  | 'NoSuchActor'
  | 'NoSuchProcess'
  | 'UnitMasked'
  | 'LoadFailed'
  | 'BadMessage'
  | 'BadRequest'
  | 'Busy'
  | 'RequestReused'
  | 'NotSupported'
  | 'NotEnabled'
  | 'NoSuchSnapshot'
  | 'BadSnapshot'
  | 'Faulty'
  | 'Failed'
  | Refusal['error'];

/** An error with STYLE's fields; the sentence is made by whoever prints it. */
export interface ApiError {
  readonly error: ApiErrorName;
  /** The unit or thing it is about; may be empty. */
  readonly unit: string;
  readonly why: string;
  readonly todo: string;
}

/** What core tells about a change: progress any number of times, then exactly one result or error. */
export type ChangeAnswer =
  | {
      readonly progress: {
        readonly job: number;
        readonly unit: string;
        readonly state: 'enqueued' | 'running' | JobResult;
      };
    }
  | { readonly result: ChangeResult }
  | { readonly error: ApiError };

/** What subscribers see, in the order in which it was decided. */
export type ManagerEvent =
  /** A unit changed its active or sub state, its load state or its job; also new and forgotten (`gone`) units. */
  | {
      readonly event: 'unit';
      readonly at: Stamp;
      readonly unit: UnitSummary;
      readonly was: ActiveState | undefined;
      readonly result: string;
      readonly gone: boolean;
    }
  | { readonly event: 'job-new'; readonly at: Stamp; readonly job: JobView }
  | { readonly event: 'job-removed'; readonly at: Stamp; readonly job: FinishedJob }
  | { readonly event: 'reloaded'; readonly at: Stamp }
  | { readonly event: 'system'; readonly at: Stamp; readonly state: SystemState }
  /** A record for people that would otherwise only be in core's log. */
  | { readonly event: 'note'; readonly at: Stamp; readonly unit: string; readonly text: string };

/** Reads throw this, and nothing else, when there is nothing to read. */
export class ManagerError extends Error {
  readonly fault: ApiError;
  constructor(fault: ApiError) {
    super(`${fault.unit === '' ? '' : `${fault.unit}: `}${fault.why}${fault.todo === '' ? '' : `; ${fault.todo}`}`);
    this.name = 'ManagerError';
    this.fault = fault;
  }
}

/** Core, as sessions see it. */
export interface Manager {
  /** The manager itself. */
  manager(): ManagerView;
  /** Its state alone: looks at every unit, but makes nothing. */
  state(): SystemState;
  /** Every unit in memory, by name. Aliases are not listed apart. */
  units(): readonly UnitSummary[];
  /**
   * One unit by any of its names; loads it if it is not in memory, without keeping it, so that `status` can speak
   * of it. A unit without a file is answered with load state 'not-found'. Throws ManagerError ('BadRequest') for a name
   * that cannot be one.
   */
  unit(name: string): UnitView;
  /** The summary only: what is-active needs. As {@link unit}, but never touches a file: undefined when it is not in memory. */
  summary(name: string): UnitSummary | undefined;
  /** The control group with its processes; undefined: it has none, or it is empty. */
  group(name: string): GroupView | undefined;
  /** Edges that start at the unit, with the inverses of those that end there; in memory only. */
  edges(name: string): readonly Edge[];
  /** Main file first, then the drop-ins. Throws ManagerError ('NoSuchUnit'). */
  texts(name: string): readonly UnitFileText[];
  /** Every unit file on the unit path, by name. */
  unitFiles(): readonly UnitFile[];
  /** One of them; undefined: there is no such file. Throws ManagerError ('BadRequest') for a name that cannot be one. */
  unitFile(name: string): UnitFile | undefined;
  /** Jobs in the table, by id. */
  jobs(): readonly JobView[];
  /** What a request would do. */
  /** @param ending as the end of the system does it, to which irreversible jobs give way */
  plan(request: JobRequest, ending?: boolean): PlanDocument | Refusal;
  /** Which machine and which boot this is. */
  identity(): { readonly machineId: string; readonly bootId: string };
  /** Plans that were applied and wait to be confirmed, the nearest deadline first. */
  confirmations(): readonly Confirmation[];
  /** Plans that may be applied by their id, the newest first. */
  plans(): readonly KeptPlan[];
  /** Read units, with all they name, for the questions that follow; they are not kept. */
  look(units: readonly string[]): void;
  /** Names of the saved snapshots, sorted. */
  snapshots(): readonly string[];
  /** A saved one, or `now`: as things are. Throws ManagerError ('BadRequest', 'NoSuchSnapshot', 'BadSnapshot'). */
  snapshot(name: string): Snapshot;
  /** What restoring it would do. `plan` undefined: no unit is to be started or stopped. Throws as {@link snapshot}. */
  restoring(
    name: string,
    by: string,
  ): {
    readonly plan: PlanDocument | Refusal | undefined;
    readonly files: readonly FileChange[];
    readonly notes: readonly string[];
  };
  /** Why things are as they are. */
  readonly insight: Insight;
  /** Findings that belong to no loaded unit, with the file's name as `unit`. */
  findings(): readonly { readonly unit: string; readonly finding: Finding }[];
  /** Faults that were asked for and are under way, and what is allowed. */
  chaos(): { readonly runs: readonly ChaosRun[]; readonly settings: ChaosSettings };
  /** The last steps of all actors, in the form of src/supervisor/recorder.ts: plain JSON without secrets. */
  recording(): Readonly<Record<string, unknown>>;
  /** Throws ManagerError ('NoSuchActor'). */
  machine(actor: string): MachineView;
  /** The tree below `id`; undefined: all of it. Throws ManagerError ('NoSuchActor'). */
  supervisors(id?: string): SupervisorView;
  /**
   * Take a change. Must not throw; answers through {@link Sessions.answered} with the caller's session and ticket, now
   * or later, exactly once (after any progress). An answer for a session that is gone is dropped there.
   */
  change(caller: Caller, requestId: string | undefined, change: Change): void;
  /** The session is gone: answers to it need not be made any more. The changes themselves go on. */
  forget(session: number): void;
}
