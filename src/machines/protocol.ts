/**
 * The words between unit machines and the world: every event that goes in, every effect that comes out.
 *
 * Machines are pure (law 2): `machine.transition(snapshot, event)` answers with the next snapshot and a list of effects,
 * in the order in which they are to be carried out. src/actors does what the effects say and posts what came of it.
 *
 * Who must keep which promise:
 *
 * - Every event carries `atMs`, CLOCK_MONOTONIC in milliseconds: the only time a machine knows. `armDeadline` counts from it.
 * - Each command gets a `run`, a number that is never used twice in the life of a unit. The tag of the spawn carries role and
 *   run; `forked`, `execed`, `spawn-failed` and `exited` bring them back. A machine ignores a run it no longer follows,
 *   and kills it if it only now comes to life: so a late answer can never be taken for another process.
 * - init's records are handed on in their order, and before notify datagrams that wait at the same time: a service may say
 *   READY=1 before core has heard of its pid.
 * - Whether a control group has processes is a level, never an edge. It is read again at each `exited` and `main-gone`
 *   (`populated`), and told by `populated` and `empty` whenever it changes; these may repeat, and come before or after `exited`.
 * - An event that means nothing in the current state is ignored on purpose; in no state is any of these events an error.
 * - `start` is sent only when conditions and assertions have held; see {@link readiness} for when it is worth sending.
 */
import type { Ended, PathSeen, ProcessRef } from '../host/ports.ts';
import type { ActiveState, JobResult } from '../jobs/types.ts';
import type { Command, Span } from '../units/types.ts';

export type { ActiveState, Ended, PathSeen, ProcessRef };

/** Which of a unit's processes: the service itself, or a command of its life cycle. */
export type Role = 'main' | 'control';

/** The command lists of systemd.service(5) and systemd.socket(5). */
export type ExecList =
  | 'ExecCondition'
  | 'ExecStartPre'
  | 'ExecStart'
  | 'ExecStartPost'
  | 'ExecReload'
  | 'ExecStop'
  | 'ExecStopPre'
  | 'ExecStopPost';

/** Result= of `systemctl show`: why a unit is failed. `success` otherwise. */
export type Result =
  | 'success'
  | 'resources'
  | 'protocol'
  | 'timeout'
  | 'exit-code'
  | 'signal'
  | 'core-dump'
  | 'watchdog'
  | 'start-limit-hit'
  | 'oom-kill'
  | 'exec-condition'
  | 'trigger-limit-hit'
  | 'service-start-limit-hit'
  | 'unit-start-limit-hit';

/** A process as core may name it: start time in clock ticks since boot. */
export interface Pid {
  readonly pid: number;
  readonly startTime: number;
}

/** The moment of an event, CLOCK_MONOTONIC in ms. */
interface At {
  readonly atMs: number;
}

/** Which spawn an answer belongs to; see the head of this file. */
interface OfRun extends At {
  readonly role: Role;
  readonly run: number;
}

// ---------------------------------------------------------------------------------------------------------------- events

/** Start the unit. Taken in `inactive`, `failed` and `activating (auto-restart)`, ignored elsewhere; counts for the start limit. */
export interface StartEvent extends At {
  readonly type: 'start';
  /** For scopes: the processes to take in. */
  readonly pids?: readonly Pid[];
}

/** Stop it; taken in every state. */
export interface StopEvent extends At {
  readonly type: 'stop';
  /** The stop phase of a restart job: RestartKillSignal= applies, and `release` keeps what a restart may keep. */
  readonly restarting?: boolean;
}

/** Reload it. Over when the active state is no longer `reloading`; `context.reloadResult` says how it went. */
export interface ReloadEvent extends At {
  readonly type: 'reload';
}

/** `sctl reset-failed`: forget failure, restart counter and start-limit window. */
export interface ResetFailedEvent extends At {
  readonly type: 'reset-failed';
}

/** New settings after daemon-reload, as the type's settings function makes them; they count from the next decision on. */
export interface SettingsEvent<Settings = unknown> extends At {
  readonly type: 'settings';
  readonly settings: Settings;
}

/** There is a process; it can be signalled. */
export interface ForkedEvent extends OfRun {
  readonly type: 'forked';
  readonly serial: number;
  readonly pid: number;
  readonly startTime: number;
}

/** Its program runs. */
export interface ExecedEvent extends OfRun {
  readonly type: 'execed';
  readonly serial: number;
}

/**
 * It could not be started. With a `serial` there was a process, and its `exited` follows and decides (with systemd's exit
 * code of the step: 203 for EXEC); without one (`null`) no process ever was, and this decides (result `resources`).
 */
export interface SpawnFailedEvent extends OfRun {
  readonly type: 'spawn-failed';
  readonly serial: number | null;
  readonly step: number;
  readonly errno: number;
  /** What it failed on, for people. */
  readonly detail: string;
  /** systemd.exec(5), "Process Exit Codes". */
  readonly exitCode: number;
  /** EXEC, USER, CHDIR … */
  readonly stepName: string;
  /** The whole of it as a sentence, for people. */
  readonly why: string;
}

/** What an actor reads along with the end of a process, when it hands it on. */
interface AfterExit {
  /** Does the unit's control group (and what is below it) hold processes now? */
  readonly populated: boolean;
  /**
   * What is the main process now? Where PIDFile= is set: what the file names, if that is alive and in the unit's group (or the
   * file belongs to root), or was left behind by who has ended. Else, with Type=forking and GuessMainPID=yes: the one process of the group
   * whose parent is init, if there is just one, or was when its parent ended. Absent: nothing of the kind. Only read for services that set one of the two.
   */
  readonly candidate?: Pid;
  /** Whom it has left behind in the group, alive or not; only where PIDFile= is set. */
  readonly heirs?: readonly Pid[];
}

/** A spawned process has ended. */
export interface ExitedEvent extends OfRun, AfterExit {
  readonly type: 'exited';
  readonly serial: number;
  readonly pid: number;
  readonly ended: Ended;
}

/** A process asked for by `watchMain` is gone. `ended` null: nobody knows how. */
export interface MainGoneEvent extends At, AfterExit {
  readonly type: 'main-gone';
  readonly pid: number;
  readonly startTime: number;
  readonly ended: Ended | null;
}

/** The level of the unit's control group; see the head of this file. */
export interface GroupEvent extends At {
  readonly type: 'populated' | 'empty';
}

/** The kernel's OOM killer took a process of the unit (memory.events, oom_kill). */
export interface OomEvent extends At {
  readonly type: 'oom';
}

/** The PID file that `watchPidFile` waits for names a process that is fit (see `candidate` of `exited`). */
export interface PidFileEvent extends At, Pid {
  readonly type: 'pid-file';
}

/**
 * A datagram on the unit's notify socket (sd_notify(3)), parsed; who may say what is decided here (NotifyAccess=).
 * `atMs` is the time it was sent, where known: keep-alives and time extensions count from there.
 */
export interface NotifyEvent extends At {
  readonly type: 'notify';
  /** The sender, from its credentials. */
  readonly pid: number;
  readonly uid: number;
  /** Does the sender belong to the unit's control group? A sender that is gone already: true (the socket is the unit's own). */
  readonly member: boolean;
  /** Of READY=1, RELOADING=1 and STOPPING=1 the one that stands last. */
  readonly state?: 'ready' | 'reloading' | 'stopping';
  /** RELOADING=1 stands anywhere in it (together with READY=1: a reload begun and over). */
  readonly reloading?: boolean;
  readonly status?: string;
  readonly errno?: number;
  /** MAINPID=, as /proc says it is now; absent also if there is no such process. */
  readonly mainPid?: Pid & { readonly member: boolean };
  readonly watchdog?: 'ping' | 'trigger';
  readonly watchdogUsec?: number;
  readonly extendTimeoutUsec?: number;
  readonly monotonicUsec?: number;
  /** FDSTORE=1: that many descriptors came with it. Answered by `keepFds` if any of them are kept. */
  readonly fds?: number;
  /** FDSTOREREMOVE=1; needs `fdname`. */
  readonly fdstoreremove?: boolean;
  readonly fdname?: string;
  /** Says which datagram this is; given back in `keepFds`. */
  readonly datagram?: string;
}

/** A deadline armed by `armDeadline` is over. A name that is not armed (any more) is ignored. */
export interface DeadlineEvent extends At {
  readonly type: 'deadline';
  readonly name: string;
}

/** Type=idle: no other job is left that could run now (systemd.service(5)); after five seconds it goes on without. */
export interface IdleGoEvent extends At {
  readonly type: 'idle-go';
}

/** Type=dbus: BusName= has an owner. */
export interface BusNameEvent extends At {
  readonly type: 'bus-name-acquired';
}

/** The job asked for by `requestJob` was refused or could not be made. */
export interface JobRefusedEvent extends At {
  readonly type: 'job-refused';
  readonly why: string;
}

/**
 * Core came back without its memory (safe mode): this is what lives of the unit. Taken in `inactive` only. A service with a
 * main process, or Type=forking with a populated group, is running, or goes on with what it was doing; a socket, whose listeners init has, opens what may be
 * missing of them and listens; a target or a slice is as it was; anything else is left as it is.
 * `over`: it was active without a process (RemainAfterExit=), and still is. `failed`: it had failed, with this result, and nobody
 * is to be told once more.
 */
export interface AdoptEvent extends At {
  readonly type: 'adopt';
  /** `serial` null: init has not made it, but it is found to be the main process (PIDFile=, GuessMainPID=). */
  readonly main?: Pid & {
    readonly run: number;
    readonly serial: number | null;
    /** Which command of ExecStart= it is, from 0; absent: nobody knows. */
    readonly index?: number;
  };
  /** The command of a list that runs: the list goes on behind it. */
  readonly control?: Pid & {
    readonly run: number;
    readonly serial: number;
    readonly list: ExecList;
    readonly index: number;
  };
  /** What it was doing with its main process: it waited for its start to be over, or was being stopped. Absent: it ran. */
  readonly was?: 'starting' | 'stopping';
  /** Of what was being stopped: why (`success`: it was asked to). */
  readonly result?: Result;
  readonly populated: boolean;
  /** Where its control group was found; absent: it was not. */
  readonly slice?: string;
  /** Keys of the descriptors that init keeps for it; their names are lost. */
  readonly fds?: readonly number[];
  readonly over?: true;
  readonly failed?: Result;
  /** It is down, and what lives of it was left behind when it went down: the highest run among that. */
  readonly left?: { readonly runs: number };
  /** How often it was restarted (NRestarts=); absent: not known. */
  readonly restarts?: number;
}

/** Sockets: some of its listeners are lost (nothing that init keeps is lost as a rule): open them again. */
export interface ReopenEvent extends At {
  readonly type: 'reopen';
}

/** Sockets: answer to `openSockets`. */
export interface SocketsOpenedEvent extends At {
  readonly type: 'sockets-opened';
}

/** Sockets: answer to `openSockets`: nothing is open. `errno` by name. */
export interface SocketsFailedEvent extends At {
  readonly type: 'sockets-failed';
  readonly errno: string;
  readonly detail: string;
}

/** Sockets: a listener that `watchSockets` watches has something to accept or read. */
export interface ReadableEvent extends At {
  readonly type: 'readable';
  readonly name: string;
}

/**
 * Paths: what there is of what it watches, in that order: the answer to `watchPaths`, and told again whenever one of them may have come
 * or gone. `missed`: changes since what was told last may not have been told.
 */
export interface PathsSeenEvent extends At {
  readonly type: 'paths-seen';
  readonly round: number;
  readonly missed: boolean;
  readonly seen: readonly PathSeen[];
}

/** Paths: the n-th one, of PathChanged= or PathModified=, has just changed. */
export interface PathChangedEvent extends At {
  readonly type: 'path-changed';
  readonly round: number;
  readonly index: number;
}

/** Paths: they cannot be watched, and nothing is. `errno` by name. */
export interface PathsFailedEvent extends At {
  readonly type: 'paths-failed';
  readonly round: number;
  readonly errno: string;
  readonly detail: string;
}

/**
 * Sockets and paths: state of the unit it triggers. Sent at each change of that unit's view, when one of its jobs ends, and once before `start`.
 */
export interface ServiceStateEvent extends At {
  readonly type: 'service-state';
  readonly active: ActiveState;
  readonly sub: string;
  readonly result: Result;
  /** Its last start was refused by the start limit (`context.startLimitHit`); `result` may tell of an earlier failure. */
  readonly startLimitHit: boolean;
  /** A job for it is queued or runs. */
  readonly pending: boolean;
  /** It is loaded. */
  readonly loaded: boolean;
}

/** Scopes: `adoptPids` is done; or none of the processes is left. */
export interface AdoptedEvent extends At {
  readonly type: 'adopted' | 'adopt-failed';
}

/** Scopes: nobody looks after it any more (AbandonScope). */
export interface AbandonEvent extends At {
  readonly type: 'abandon';
}

/** Mounts, swaps, devices: what the kernel shows (/proc/self/mountinfo, /proc/swaps, sysfs). */
export interface PresentEvent extends At {
  readonly type: 'present' | 'absent';
}

export type ServiceEvent =
  | StartEvent
  | StopEvent
  | ReloadEvent
  | ResetFailedEvent
  | ForkedEvent
  | ExecedEvent
  | SpawnFailedEvent
  | ExitedEvent
  | MainGoneEvent
  | GroupEvent
  | OomEvent
  | PidFileEvent
  | NotifyEvent
  | DeadlineEvent
  | IdleGoEvent
  | BusNameEvent
  | JobRefusedEvent
  | AdoptEvent;

export type SocketEvent =
  | StartEvent
  | StopEvent
  | ReloadEvent
  | ResetFailedEvent
  | ForkedEvent
  | ExecedEvent
  | SpawnFailedEvent
  | ExitedEvent
  | GroupEvent
  | DeadlineEvent
  | JobRefusedEvent
  | SocketsOpenedEvent
  | SocketsFailedEvent
  | ReadableEvent
  | ServiceStateEvent
  | AdoptEvent
  | ReopenEvent;

export type PathEvent =
  | StartEvent
  | StopEvent
  | ReloadEvent
  | ResetFailedEvent
  | DeadlineEvent
  | JobRefusedEvent
  | PathsSeenEvent
  | PathChangedEvent
  | PathsFailedEvent
  | ServiceStateEvent
  | AdoptEvent;

export type ScopeEvent =
  | StartEvent
  | StopEvent
  | ReloadEvent
  | ResetFailedEvent
  | GroupEvent
  | OomEvent
  | DeadlineEvent
  | AdoptedEvent
  | AbandonEvent;

/** Targets and slices. */
export type PlainEvent = StartEvent | StopEvent | ReloadEvent | ResetFailedEvent | AdoptEvent;

/** Types that are only watched: mount, swap, device, timer, automount. */
export type StaticEvent = PlainEvent | PresentEvent;

// --------------------------------------------------------------------------------------------------------------- effects

/** A descriptor a service has stored (FDSTORE=1). `key` counts up and names it in init's store; `name` is its FDNAME=. */
export interface StoredFd {
  readonly key: number;
  readonly name: string;
  /** The datagram that it came with, and that it may still lie in if core dies before init has it. */
  readonly datagram?: string;
}

/** What a machine may ask for, by name. Params are plain JSON. */
export interface EffectParams {
  /**
   * Run a command; answered by `forked`, then `execed` or `spawn-failed`, then `exited`. `mainPid`: for $MAINPID.
   * `fds`: hand over the unit's sockets and these stored descriptors (LISTEN_FDS); absent: none. `watchdogUsec`: for
   * $WATCHDOG_USEC; 0: not set. `result`: ExecStop= and ExecStopPost= get $SERVICE_RESULT, $EXIT_CODE and $EXIT_STATUS from it.
   */
  spawn: {
    readonly role: Role;
    readonly run: number;
    readonly list: ExecList;
    readonly index: number;
    readonly command: Command;
    readonly mainPid?: number;
    readonly fds?: readonly StoredFd[];
    readonly watchdogUsec: number;
    readonly result?: { readonly service: Result; readonly ended: Ended | null };
  };
  /** Signal one process; that it is gone is no error. Never a bare number (law: init knows serial, or pid and start time). */
  signal: { readonly process: ProcessRef; readonly signal: number; readonly why: string };
  /** Signal everything in the unit's control group and below, but for `except`, which get theirs by `signal`. */
  signalGroup: { readonly except: readonly ProcessRef[]; readonly signal: number; readonly why: string };
  /** The process will not end and is followed no longer: it stays in the group, and its end will be ignored. */
  abandon: { readonly role: Role; readonly run: number; readonly process: ProcessRef | null };
  /** Tell by `main-gone` when this process, which init did not spawn, ends. */
  watchMain: Pid;
  /** Tell by `pid-file` as soon as PIDFile= names a fit process. */
  watchPidFile: undefined;
  unwatchPidFile: undefined;
  /** Before the first command of the n-th life of the unit: control group made and watched, notify socket, log pipe, invocation id. */
  prepare: { readonly invocation: number };
  /**
   * The unit is down. Remove its group unless it is populated, PID file, notify socket and log pipe; RuntimeDirectory= as
   * RuntimeDirectoryPreserve= says; stored descriptors too, unless `restarting` (an automatic restart, or the stop phase of a restart job).
   */
  release: { readonly restarting: boolean };
  /** Remove the control group if it is empty; nothing else changes. */
  pruneGroup: undefined;
  /** Keep the descriptors of that datagram under these keys, in their order; those left over are closed. */
  keepFds: { readonly datagram: string | null; readonly fds: readonly StoredFd[] };
  /** Close stored descriptors. */
  dropFds: { readonly fds: readonly StoredFd[] };
  /** Queue a job. `unit` null: for the unit itself. Refused: answer with `job-refused`. A job of the same kind that is there already serves. */
  requestJob: {
    readonly verb: 'start' | 'restart' | 'stop';
    readonly unit: string | null;
    readonly mode: 'replace' | 'fail';
    readonly why: string;
  };
  /** The job of this verb cannot be done: it ends with this result. */
  refuse: { readonly verb: 'start' | 'stop' | 'reload'; readonly result: JobResult; readonly why: string };
  /**
   * `why`: what decided about an automatic restart. The unit went down, even if the next state is already another one (automatic restart): start jobs that were waiting for it
   * end (`failed` | `done`). OnFailure= or OnSuccess= follow unless `restarting`.
   */
  ended: {
    readonly active: 'inactive' | 'failed';
    readonly result: Result;
    readonly restarting: boolean;
    readonly why: string;
  };
  /** FailureAction=, SuccessAction=, StartLimitAction= (systemd.unit(5)); never asked for with action `none`. */
  unitAction: {
    readonly setting: 'FailureAction' | 'SuccessAction' | 'StartLimitAction';
    readonly action: string;
    readonly exitStatus: number | null;
    readonly rebootArgument: string;
  };
  /** The service reloads itself (RELOADING=1): pass it on along PropagatesReloadTo=. */
  propagateReload: undefined;
  /** Sockets: make and store all listeners; answered by `sockets-opened` or `sockets-failed`. Listeners that are stored already are kept. */
  openSockets: undefined;
  /** Sockets: drop all listeners; `remove`: also the nodes in the file system, with their symlinks (RemoveOnStop=). */
  closeSockets: { readonly remove: boolean };
  /** Sockets: tell once by `readable`. */
  watchSockets: undefined;
  unwatchSockets: undefined;
  /** Sockets: read and throw away what waits. */
  flushSockets: undefined;
  /**
   * Paths: watch all of them, in place of what was watched before; answered by `paths-seen` of this round, or `paths-failed`. `make`: make
   * directories that are not there first (MakeDirectory=).
   */
  watchPaths: { readonly round: number; readonly make: boolean };
  unwatchPaths: undefined;
  /** Scopes: make the group and move these processes into it; answered by `adopted` or `adopt-failed`. */
  adoptPids: { readonly pids: readonly Pid[] };
  /** One line for people, about this unit. */
  log: {
    readonly level: 'debug' | 'info' | 'notice' | 'warning' | 'error';
    readonly message: string;
    readonly [field: string]: unknown;
  };
  /** Built in. Arming again replaces. `infinity` never fires, but shows what is waited for. Counts from the event's `atMs`. */
  armDeadline: { readonly name: DeadlineName; readonly ms: Span };
  /** Built in. One that is not armed is no error. */
  disarmDeadline: { readonly name: DeadlineName };
}

/** Deadlines are named after the setting that gives their length, so that `sctl why` can name it. */
export type DeadlineName =
  | 'TimeoutStartSec'
  | 'TimeoutStopSec'
  | 'TimeoutAbortSec'
  | 'RuntimeMaxSec'
  | 'WatchdogSec'
  | 'RestartSec'
  | 'TimeoutSec'
  /** Type=idle: five seconds. */
  | 'idle'
  /** A restart job that was asked for and has not come. */
  | 'restart-job'
  /** Of a path unit: its paths are looked at, which file systems that hang do not answer. */
  | 'looking';

export type EffectName = keyof EffectParams;

/** An effect as the host collects it. */
export type UnitEffect = {
  [Name in EffectName]: { readonly type: Name; readonly params: EffectParams[Name] };
}[EffectName];

/** Law 4: which effects init carries out exactly once under their id, and which may be run twice. */
export const effectKinds: Readonly<Record<EffectName, 'once' | 'idempotent'>> = {
  spawn: 'once',
  signal: 'once',
  signalGroup: 'once',
  abandon: 'idempotent',
  watchMain: 'once',
  watchPidFile: 'idempotent',
  unwatchPidFile: 'idempotent',
  prepare: 'idempotent',
  release: 'idempotent',
  pruneGroup: 'idempotent',
  keepFds: 'idempotent',
  dropFds: 'idempotent',
  requestJob: 'idempotent',
  refuse: 'idempotent',
  ended: 'idempotent',
  unitAction: 'idempotent',
  propagateReload: 'idempotent',
  openSockets: 'idempotent',
  closeSockets: 'idempotent',
  watchSockets: 'idempotent',
  unwatchSockets: 'idempotent',
  flushSockets: 'idempotent',
  watchPaths: 'idempotent',
  unwatchPaths: 'idempotent',
  adoptPids: 'idempotent',
  log: 'idempotent',
  armDeadline: 'idempotent',
  disarmDeadline: 'idempotent',
};
