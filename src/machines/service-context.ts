/**
 * What a service machine knows: its settings, its processes, how it went so far. Plain JSON (it is what a checkpoint holds).
 */
import type { Command, ServiceSection, Unit } from '../units/types.ts';
import { type EndSettings, endSettings, type Past, type Placed, pick, taken } from './ends.ts';
import type { Ended, ExecList, Pid, ProcessRef, Result, StoredFd } from './protocol.ts';
import type { Deadline } from './turn.ts';
import { newUnit, type UnitContext } from './view.ts';

/** The lists a service runs; ExecStart= with the role `main`, or `control` where Type=forking. */
export type ServiceList = Exclude<ExecList, 'ExecStopPre'>;

const serviceKeys = [
  'Type',
  'ExitType',
  'RemainAfterExit',
  'GuessMainPID',
  'PIDFile',
  'ExecCondition',
  'ExecStartPre',
  'ExecStart',
  'ExecStartPost',
  'ExecReload',
  'ExecStop',
  'ExecStopPost',
  'RestartSec',
  'TimeoutStartSec',
  'TimeoutStopSec',
  'TimeoutAbortSec',
  'TimeoutStartFailureMode',
  'TimeoutStopFailureMode',
  'RuntimeMaxSec',
  'WatchdogSec',
  'Restart',
  'SuccessExitStatus',
  'RestartPreventExitStatus',
  'RestartForceExitStatus',
  'NotifyAccess',
  'FileDescriptorStoreMax',
  'OOMPolicy',
  'KillMode',
  'KillSignal',
  'RestartKillSignal',
  'SendSIGHUP',
  'SendSIGKILL',
  'FinalKillSignal',
  'WatchdogSignal',
] as const satisfies readonly (keyof ServiceSection)[];

/** What decides about a service, of [Service] and [Unit]; how its processes look is the actors' business. */
export type ServiceSettings = Pick<ServiceSection, (typeof serviceKeys)[number]> & EndSettings & Placed;

/** The machine's part of a unit's settings: input of the machine, and payload of its `settings` event. */
export function serviceSettings(unit: Pick<Unit, 'unit'> & { readonly service: ServiceSection }): ServiceSettings {
  const { service } = unit;
  return { ...pick(service, serviceKeys), NotifyAccess: notifyAccess(service), ...endSettings(unit.unit) };
}

/** Who may notify: what asks for notifications opens the socket to the main process at least (systemd.service(5), NotifyAccess=). */
export function notifyAccess(
  service: Pick<ServiceSection, 'NotifyAccess' | 'Type' | 'WatchdogSec'>,
): ServiceSection['NotifyAccess'] {
  const notifies = service.Type === 'notify' || service.Type === 'notify-reload' || service.WatchdogSec > 0;
  return service.NotifyAccess === 'none' && notifies ? 'main' : service.NotifyAccess;
}

/** A process that was asked for, or is there. `serial` null: init has not forked it yet, or (with a pid) it is no child of init's making. */
export interface Process {
  readonly run: number;
  readonly list: ServiceList | 'MAINPID';
  readonly index: number;
  readonly serial: number | null;
  readonly pid: number | null;
  readonly startTime: number;
  /** Its program runs (`execed`). */
  readonly execed: boolean;
  /** Nothing of its list comes after it: the state has moved on meanwhile. */
  readonly last: boolean;
}

/** How one command went. */
export interface CommandStatus {
  readonly pid: number;
  readonly startMs: number;
  readonly exitMs: number | null;
  readonly ended: Ended | null;
}

/** Which signal a killing state sends; systemd's kill operations. */
export type KillOperation = 'terminate' | 'abort' | 'kill';

/** What a killing state has sent and waits for. */
export interface Killing {
  readonly operation: KillOperation;
  /** Main or control process were signalled (or will be, once they are forked). */
  readonly processes: boolean;
  /** The group was signalled, and had processes. */
  readonly group: boolean;
}

export interface ServiceContext extends UnitContext {
  readonly settings: ServiceSettings;
  readonly main: Process | null;
  /** False: there may be a main process that nobody has found yet (Type=forking). */
  readonly mainKnown: boolean;
  readonly control: Process | null;
  /** Does the group hold processes? As of the last report. */
  readonly populated: boolean;
  /** Number of the last spawn. */
  readonly runs: number;
  /** How many lives this unit has had. */
  readonly invocation: number;
  readonly reloadResult: Result;
  /** How the main process ended; null: it runs, or never did. */
  readonly mainEnded: Ended | null;
  readonly mainStatus: CommandStatus | null;
  /** The commands of this life, by list and index. */
  readonly commands: { readonly [List in ServiceList]?: readonly (CommandStatus | null)[] };
  /** A stop was asked for: no automatic restart after it. */
  readonly stopAsked: boolean;
  /** That stop is one half of a restart job. */
  readonly restarting: boolean;
  readonly nRestarts: number;
  /** The next start begins to count anew. */
  readonly flushRestarts: boolean;
  /** The start-limit window: when it began, how many starts it has seen. */
  readonly startLimit: { readonly beganMs: number; readonly starts: number } | null;
  readonly startLimitHit: boolean;
  readonly notifyState: 'unknown' | 'ready' | 'reloading' | 'stopping';
  readonly statusText: string;
  readonly statusErrno: number;
  /** WATCHDOG_USEC= of the service itself, in ms; null: as set. */
  readonly watchdogMs: number | null;
  readonly watchdogDueMs: number | null;
  readonly watchdogTriggered: boolean;
  readonly deadline: Deadline | null;
  readonly killing: Killing | null;
  /** The service says it stops by itself: no signal at first. */
  readonly letStop: boolean;
  /** Type=idle waits for the job queue. */
  readonly idling: boolean;
  /** Type=dbus has its name. */
  readonly busName: boolean;
  readonly awaitsPidFile: boolean;
  /** Whom the daemon's parent has left behind: what PIDFile= is still to name may be one of them, and gone by then. */
  readonly heirs?: readonly Pid[];
  readonly reloadBeganMs: number;
  /** Type=notify-reload has said RELOADING=1 since. */
  readonly reloadConfirmed: boolean;
  readonly storedFds: readonly StoredFd[];
  readonly fdKeys: number;
}

export function newService(settings: ServiceSettings, past: Past = { floor: 0 }): ServiceContext {
  return {
    settings,
    main: null,
    mainKnown: false,
    control: null,
    populated: false,
    ...newUnit,
    reloadResult: 'success',
    mainEnded: null,
    mainStatus: null,
    commands: {},
    stopAsked: false,
    restarting: false,
    nRestarts: 0,
    flushRestarts: false,
    ...taken(past),
    startLimitHit: false,
    notifyState: 'unknown',
    statusText: '',
    statusErrno: 0,
    watchdogMs: null,
    watchdogDueMs: null,
    watchdogTriggered: false,
    deadline: null,
    killing: null,
    letStop: false,
    idling: false,
    busName: false,
    awaitsPidFile: false,
    reloadBeganMs: 0,
    reloadConfirmed: false,
    storedFds: [],
    fdKeys: 0,
  };
}

/** How to name a process to init; null: there is none to name yet. */
export function refOf(process: Process | null): ProcessRef | null {
  if (process === null || process.pid === null) return null;
  return process.serial === null ? { watched: [process.pid, process.startTime] } : { child: process.serial };
}

export const commandsOf = (context: ServiceContext, list: ServiceList): readonly Command[] => context.settings[list];
