/**
 * The steps of the service chart: what happens on the way from one state to the next.
 *
 * The chart (service.ts) says when; this file says what changes and what is asked for; service-rules.ts holds the tables.
 * Notifications, being a language of their own, are in service-notify.ts.
 */
import type { Span } from '../units/types.ts';
import { countStart, hitStartLimit, settle } from './ends.ts';
import type {
  ActiveState,
  AdoptEvent,
  ExecedEvent,
  ExitedEvent,
  ForkedEvent,
  JobRefusedEvent,
  MainGoneEvent,
  Pid,
  PidFileEvent,
  Result,
  ServiceEvent,
  SettingsEvent,
  SpawnFailedEvent,
  StopEvent,
} from './protocol.ts';
import {
  type CommandStatus,
  commandsOf,
  type KillOperation,
  type Process,
  refOf,
  type ServiceContext,
  type ServiceList,
  type ServiceSettings,
} from './service-context.ts';
import { exitResult, killPlan, lacksMain, SIGCONT, SIGHUP, SIGKILL, shallRestart } from './service-rules.ts';
import { arm, disarm, step, type Turn } from './turn.ts';

export type AnyServiceEvent = ServiceEvent | SettingsEvent<ServiceSettings>;
export type ServiceTurn = Turn<ServiceContext, AnyServiceEvent>;
export const serviceStep = step<ServiceContext, AnyServiceEvent>;
const stepWith = <Params>(decide: (turn: ServiceTurn, params: Params) => void) =>
  step<ServiceContext, AnyServiceEvent, Params>(decide);

/** Five seconds, after which Type=idle no longer waits (systemd.service(5), Type=). */
const IDLE_MS = 5_000;
/** A restart job that was asked for and has not come by then is asked for again: a lost request must not strand the unit. */
const RESTART_JOB_MS = 60_000;
/** The signal of Type=notify-reload; ReloadSignal= is not read yet. */
const RELOAD_SIGNAL = SIGHUP;

// ------------------------------------------------------------------------------------------------------------ processes

function spawn(turn: ServiceTurn, role: 'main' | 'control', list: ServiceList, index: number): void {
  const { context } = turn;
  const command = commandsOf(context, list)[index];
  if (command === undefined) return;
  const run = context.runs + 1;
  const process: Process = {
    run,
    list,
    index,
    serial: null,
    pid: null,
    startTime: 0,
    execed: false,
    last: false,
  };
  turn.set(
    role === 'main' ? { runs: run, main: process, mainKnown: true, mainEnded: null } : { runs: run, control: process },
  );
  const stopping = list === 'ExecStop' || list === 'ExecStopPost';
  turn.ask('spawn', {
    role,
    run,
    list,
    index,
    command,
    ...(role === 'control' && context.main?.pid ? { mainPid: context.main.pid } : {}),
    ...(list === 'ExecStart' ? { fds: context.storedFds } : {}),
    watchdogUsec: (context.watchdogMs ?? context.settings.WatchdogSec) * 1_000,
    ...(stopping ? { result: { service: context.result, ended: context.mainEnded } } : {}),
  });
}

/** How long a command of this list may take. Each command has the whole time for itself, as with systemd 252. */
function timeLimit(
  settings: ServiceSettings,
  list: ServiceList,
): readonly ['TimeoutStartSec' | 'TimeoutStopSec', Span] {
  return list === 'ExecStop' || list === 'ExecStopPost'
    ? ['TimeoutStopSec', settings.TimeoutStopSec]
    : ['TimeoutStartSec', settings.TimeoutStartSec];
}

function runCommand(turn: ServiceTurn, role: 'main' | 'control', list: ServiceList, index: number): void {
  arm(turn, ...timeLimit(turn.context.settings, list));
  spawn(turn, role, list, index);
}

/** Begin a list of commands; an empty one is over at once. What still runs of an earlier one is followed no longer. */
export const run = stepWith<ServiceList>((turn, list) => {
  abandonControl(turn);
  turn.set({ killing: null });
  if (commandsOf(turn.context, list).length > 0) runCommand(turn, 'control', list, 0);
  else disarm(turn);
});

/** The state's own command: the service itself; with Type=forking a command that leaves it behind. */
export const startMain = serviceStep((turn) => {
  turn.set({ notifyState: 'unknown', busName: false });
  if (turn.context.settings.Type === 'idle') {
    turn.set({ idling: true });
    arm(turn, 'idle', IDLE_MS);
    return;
  }
  spawnMain(turn);
});

/** Type=idle has waited long enough. */
export const endIdling = serviceStep((turn) => {
  turn.set({ idling: false });
  spawnMain(turn);
});

function spawnMain(turn: ServiceTurn): void {
  if (commandsOf(turn.context, 'ExecStart').length === 0) return;
  runCommand(turn, turn.context.settings.Type === 'forking' ? 'control' : 'main', 'ExecStart', 0);
}

/** Whose answer is it? Undefined: a process that is followed no longer. */
function roleOf(context: ServiceContext, of: { role: 'main' | 'control'; run: number }): Process | undefined {
  const process = context[of.role];
  return process?.run === of.run && process.list !== 'MAINPID' ? process : undefined;
}

export const noteForked = serviceStep((turn) => {
  const event = turn.event as ForkedEvent;
  const process = roleOf(turn.context, event);
  if (process === undefined) {
    turn.ask('signal', {
      process: { child: event.serial },
      signal: SIGKILL,
      why: 'started too late: nobody waits for it',
    });
    return;
  }
  const forked = { ...process, serial: event.serial, pid: event.pid, startTime: event.startTime };
  const status: CommandStatus = { pid: event.pid, startMs: event.atMs, exitMs: null, ended: null };
  turn.set(event.role === 'main' ? { main: forked, mainStatus: status } : { control: forked });
  noteCommand(turn, process, status);
  // A stop that came before there was a process is obeyed now.
  const { killing } = turn.context;
  if (killing?.processes) signalProcess(turn, event.role, killing.operation);
});

export const noteExeced = serviceStep((turn) => {
  const event = turn.event as ExecedEvent;
  const process = roleOf(turn.context, event);
  if (process === undefined) return;
  const execed = { ...process, execed: true };
  turn.set(event.role === 'main' ? { main: execed } : { control: execed });
  if (event.role === 'main' && turn.context.settings.Type === 'dbus' && !turn.context.busName) {
    turn.ask('log', {
      level: 'warning',
      message: 'Type=dbus: the bus name is not watched yet; the service counts as started once its program runs',
    });
  }
});

export const noteSpawnFailed = serviceStep((turn) => {
  const event = turn.event as SpawnFailedEvent;
  const process = roleOf(turn.context, event);
  if (process === undefined) return;
  turn.ask('log', {
    level: 'error',
    message: 'a command could not be started',
    list: process.list,
    index: process.index,
    step: event.stepName,
    errno: event.errno,
    detail: event.detail,
    exitCode: event.exitCode,
  });
  // With a serial its `exited` follows, and counts; without one this is all there will ever be.
  if (event.serial !== null) return;
  turn.set(event.role === 'main' ? { main: null } : { control: null });
  if (process.list === 'ExecReload') turn.set({ reloadResult: 'resources' });
  else turn.fail('resources');
});

function noteCommand(turn: ServiceTurn, process: Process, status: CommandStatus): void {
  if (process.list === 'MAINPID') return;
  const list = [...(turn.context.commands[process.list] ?? [])];
  while (list.length < process.index) list.push(null);
  list[process.index] = status;
  turn.set({ commands: { ...turn.context.commands, [process.list]: list } });
}

/** A process has ended: what it means, and what its list runs next. Where the state goes from there is the chart's business. */
export const reap = serviceStep((turn) => {
  const event = turn.event as ExitedEvent;
  const process = roleOf(turn.context, event);
  turn.set({ populated: event.populated });
  if (process === undefined) return;
  if (event.role === 'main') reapMain(turn, process, event);
  else reapControl(turn, process, event);
});

export const reapWatched = serviceStep((turn) => {
  const event = turn.event as MainGoneEvent;
  turn.set({ populated: event.populated });
  const { main } = turn.context;
  if (main?.list === 'MAINPID' && main.pid === event.pid && main.startTime === event.startTime)
    reapMain(turn, main, event);
});

function reapMain(turn: ServiceTurn, process: Process, event: ExitedEvent | MainGoneEvent): void {
  const { settings } = turn.context;
  // A daemon may hand over to another process, as long as the PID file says so before the old one ends.
  if (settings.PIDFile !== '' && event.candidate !== undefined && event.candidate.pid !== event.pid) {
    follow(turn, event.candidate);
    return;
  }
  const begun = turn.context.mainStatus?.startMs ?? event.atMs;
  const status = { pid: event.pid, startMs: begun, exitMs: event.atMs, ended: event.ended };
  turn.set({ main: null, mainEnded: event.ended, mainStatus: status });
  noteCommand(turn, process, status);
  const index = process.list === 'ExecStart' ? process.index : 0;
  const ignored = commandsOf(turn.context, 'ExecStart')[index]?.ignoreFailure === true;
  const result = ignored ? 'success' : exitResult(event.ended, settings.Type, settings.SuccessExitStatus);
  turn.fail(result);
  const more = settings.Type === 'oneshot' && result === 'success' && !process.last;
  if (more && commandsOf(turn.context, 'ExecStart')[index + 1] !== undefined) {
    runCommand(turn, 'main', 'ExecStart', index + 1);
  }
}

function reapControl(turn: ServiceTurn, process: Process, event: ExitedEvent): void {
  const list = process.list as ServiceList;
  const { settings } = turn.context;
  const begun = turn.context.commands[list]?.[process.index]?.startMs ?? event.atMs;
  noteCommand(turn, process, { pid: event.pid, startMs: begun, exitMs: event.atMs, ended: event.ended });
  turn.set({ control: null });
  const result = controlResult(turn.context, process, event);
  if (list === 'ExecReload') turn.set({ reloadResult: result });
  else turn.fail(result);
  if (result !== 'success') return;
  if (!process.last && commandsOf(turn.context, list)[process.index + 1] !== undefined) {
    runCommand(turn, 'control', list, process.index + 1);
    return;
  }
  const tellsMain =
    list === 'ExecReload' || list === 'ExecStartPost' || (list === 'ExecStart' && settings.Type === 'forking');
  if (tellsMain && !process.last && event.candidate !== undefined) considerMain(turn, event.candidate);
}

function controlResult(context: ServiceContext, process: Process, event: ExitedEvent): Result {
  const list = process.list as ServiceList;
  if (commandsOf(context, list)[process.index]?.ignoreFailure) return 'success';
  const result = exitResult(event.ended, context.settings.Type, context.settings.SuccessExitStatus);
  // systemd.service(5), ExecCondition=: 1 to 254 skip the unit, 255 and signals fail it. Once it is being stopped there is nothing to skip.
  const skips =
    list === 'ExecCondition' &&
    !process.last &&
    result === 'exit-code' &&
    !('exited' in event.ended && event.ended.exited === 255);
  return skips ? 'exec-condition' : result;
}

function considerMain(turn: ServiceTurn, candidate: Pid): void {
  const { settings, main, mainKnown } = turn.context;
  const wanted = settings.PIDFile !== '' ? main?.pid !== candidate.pid : !mainKnown && settings.GuessMainPID;
  if (wanted) follow(turn, candidate);
}

/** From now on this is the main process; init tells when it ends. */
export function follow(turn: ServiceTurn, { pid, startTime }: Pid): void {
  const run = turn.context.runs + 1;
  turn.set({
    runs: run,
    main: { run, list: 'MAINPID', index: 0, serial: null, pid, startTime, execed: true, last: false },
    mainKnown: true,
    mainEnded: null,
    mainStatus: { pid, startMs: turn.event.atMs, exitMs: null, ended: null },
  });
  turn.ask('watchMain', { pid, startTime });
}

export const awaitPidFile = serviceStep((turn) => {
  turn.set({ awaitsPidFile: true });
  turn.ask('watchPidFile', undefined);
});

export const forgetPidFile = serviceStep((turn) => {
  if (!turn.context.awaitsPidFile) return;
  turn.set({ awaitsPidFile: false });
  turn.ask('unwatchPidFile', undefined);
});

export const takePidFile = serviceStep((turn) => {
  const { pid, startTime } = turn.event as PidFileEvent;
  if (lacksMain(turn.context)) follow(turn, { pid, startTime });
});

// -------------------------------------------------------------------------------------------------------------- killing

function signalProcess(turn: ServiceTurn, role: 'main' | 'control', operation: KillOperation): void {
  const process = refOf(turn.context[role]);
  if (process === null) return;
  const plan = killPlan(turn.context.settings, operation, turn.context.restarting);
  turn.ask('signal', { process, signal: plan.signal, why: operation });
  if (plan.cont) turn.ask('signal', { process, signal: SIGCONT, why: operation });
  if (plan.hangup) turn.ask('signal', { process, signal: SIGHUP, why: 'SendSIGHUP=' });
}

/**
 * Enter a killing state: signal whom KillMode= says, and note whom to wait for. Commands of a list that runs have no successor now.
 */
export const kill = stepWith<KillOperation>((turn, operation) => {
  const { main, control, populated, letStop, settings } = turn.context;
  turn.set({
    idling: false,
    letStop: false,
    main: main === null ? null : { ...main, last: true },
    control: control === null ? null : { ...control, last: true },
  });
  const abort = operation === 'abort';
  arm(turn, abort ? 'TimeoutAbortSec' : 'TimeoutStopSec', abort ? settings.TimeoutAbortSec : settings.TimeoutStopSec);
  const running = main !== null || control !== null;
  if (letStop) {
    turn.set({ killing: { operation, processes: running, group: !running && populated } });
    return;
  }
  const plan = killPlan(turn.context.settings, operation, turn.context.restarting);
  turn.set({ killing: { operation, processes: plan.processes && running, group: plan.group && populated } });
  if (!plan.processes) return;
  signalProcess(turn, 'main', operation);
  signalProcess(turn, 'control', operation);
  // A group may hold more than has been told so far; while a process is there, it is signalled on suspicion.
  if (!plan.group || !(populated || running)) return;
  const except = [refOf(main), refOf(control)].filter((ref) => ref !== null);
  turn.ask('signalGroup', { except, signal: plan.signal, why: operation });
  if (plan.cont) turn.ask('signalGroup', { except, signal: SIGCONT, why: operation });
  if (plan.hangup) turn.ask('signalGroup', { except, signal: SIGHUP, why: 'SendSIGHUP=' });
});

function abandon(turn: ServiceTurn, role: 'main' | 'control'): void {
  const process = turn.context[role];
  if (process === null) return;
  turn.ask('abandon', { role, run: process.run, process: refOf(process) });
  turn.set(role === 'main' ? { main: null } : { control: null });
}

const abandonControl = (turn: ServiceTurn) => abandon(turn, 'control');

/** The time for it is over; the first failure names the result. */
export const fail = stepWith<Result>((turn, result) => turn.fail(result));

/** SIGKILL was not enough, or is not allowed: no automatic restart beside what is left. */
export const giveUp = serviceStep((turn) => {
  turn.fail('timeout');
  turn.set({ stopAsked: true });
});

// ----------------------------------------------------------------------------------------------------------- life cycle

export const enter = stepWith<ActiveState>((turn, active) => {
  // Idle services never make a job wait; see activeState() in view.ts.
  const idle = active === 'activating' && turn.context.settings.Type === 'idle';
  turn.enter(idle ? 'active' : active);
});

export const awaitRestart = serviceStep((turn) => {
  turn.enter('activating');
  arm(turn, 'RestartSec', turn.context.settings.RestartSec);
});

export const askRestart = serviceStep((turn) => {
  const nRestarts = turn.context.nRestarts + 1;
  turn.set({ nRestarts, flushRestarts: false });
  turn.ask('log', { level: 'info', message: 'restart job queued', nRestarts });
  requestRestart(turn);
});

export const askRestartAgain = serviceStep((turn) => requestRestart(turn));

function requestRestart(turn: ServiceTurn): void {
  const { settings, result } = turn.context;
  turn.ask('requestJob', {
    verb: 'restart',
    unit: null,
    mode: 'replace',
    why: `Restart=${settings.Restart} after ${result}`,
  });
  arm(turn, 'restart-job', RESTART_JOB_MS);
}

/** A new life: everything of the one before is forgotten, but for counters and stored descriptors. */
export const begin = serviceStep((turn) => {
  const { flushRestarts, nRestarts, invocation } = turn.context;
  disarm(turn);
  countStart(turn);
  turn.set({
    invocation: invocation + 1,
    result: 'success',
    reloadResult: 'success',
    main: null,
    mainKnown: false,
    mainEnded: null,
    mainStatus: null,
    control: null,
    commands: {},
    stopAsked: false,
    restarting: false,
    nRestarts: flushRestarts ? 0 : nRestarts,
    flushRestarts: false,
    notifyState: 'unknown',
    statusText: '',
    statusErrno: 0,
    watchdogMs: null,
    watchdogTriggered: false,
    killing: null,
    letStop: false,
    idling: false,
    busName: false,
    reloadConfirmed: false,
  });
  turn.ask('prepare', { invocation: turn.context.invocation });
});

/** See {@link hitStartLimit}. */
export const refuseStart = serviceStep((turn) => {
  hitStartLimit(turn);
  down(turn, false);
});

/** systemd 252 does not start a second one beside what is left of a service that must not be killed hard. */
export const refuseLeftovers = serviceStep((turn) => {
  turn.fail('resources');
  turn.ask('log', {
    level: 'error',
    message: 'processes of an earlier life are left in the control group, and SendSIGKILL=no: not started beside them',
  });
  down(turn, false);
});

/** The end of a life, at `ended`: by then it is decided whether another one follows. */
export const end = stepWith<'restart' | 'rest'>((turn, next) => {
  for (const role of ['main', 'control'] as const) abandon(turn, role);
  turn.set({ killing: null });
  down(turn, next === 'restart');
});

function down(turn: ServiceTurn, again: boolean): void {
  const { context } = turn;
  const restarting = again || context.restarting;
  disarm(turn);
  if (!restarting) forgetFds(turn);
  turn.ask('release', { restarting });
  settle(turn, { restarting: again, why: shallRestart(context.settings, context).why, mainEnded: context.mainEnded });
  // The counter can still be looked at; the next start begins anew.
  turn.set({ stopAsked: false, restarting: false, watchdogDueMs: null, ...(again ? {} : { flushRestarts: true }) });
}

/** Stored descriptors live as long as the unit does, restarts included (systemd.service(5), FileDescriptorStoreMax=). */
function forgetFds(turn: ServiceTurn): void {
  const { storedFds } = turn.context;
  if (storedFds.length === 0) return;
  turn.ask('dropFds', { fds: storedFds });
  turn.set({ storedFds: [] });
}

/** Stopped while it waited for its next life: nothing runs, so there is nothing to do but to say so. */
export const endWaiting = serviceStep((turn) => {
  const restarting = (turn.event as StopEvent).restarting === true;
  disarm(turn);
  if (!restarting) {
    forgetFds(turn);
    turn.set({ flushRestarts: true });
  }
  turn.ask('release', { restarting });
  turn.set({ stopAsked: false, restarting: false });
});

export const noteStop = serviceStep((turn) => {
  turn.set({ stopAsked: true, restarting: (turn.event as StopEvent).restarting === true });
});

export const failRestart = serviceStep((turn) => {
  turn.fail('resources');
  turn.ask('log', { level: 'error', message: 'the restart job was refused', why: (turn.event as JobRefusedEvent).why });
  down(turn, false);
});

export const resetFailed = serviceStep((turn) => {
  turn.set({
    result: turn.context.active === 'failed' || turn.context.active === 'inactive' ? 'success' : turn.context.result,
    reloadResult: 'success',
    nRestarts: 0,
    flushRestarts: false,
    startLimit: null,
    startLimitHit: false,
  });
});

export const takeSettings = serviceStep((turn) => {
  turn.set({ settings: (turn.event as SettingsEvent<ServiceSettings>).settings });
});

export const noteGroup = stepWith<boolean>((turn, populated) => turn.set({ populated }));
export const tidyGroup = serviceStep((turn) => turn.ask('pruneGroup', undefined));

/** Core lost its memory and found this alive. */
export const adopt = serviceStep((turn) => {
  const { main, populated } = turn.event as AdoptEvent;
  turn.set({ populated, invocation: turn.context.invocation + 1, mainKnown: main !== undefined });
  if (main !== undefined) {
    const status = { pid: main.pid, startMs: turn.event.atMs, exitMs: null, ended: null };
    turn.set({
      runs: Math.max(turn.context.runs, main.run),
      main: { ...main, list: 'ExecStart', index: 0, execed: true, last: true },
      mainStatus: status,
    });
  }
  turn.ask('log', { level: 'notice', message: 'taken over from an earlier core without its memory' });
});

// --------------------------------------------------------------------------------------------------- running, reloading

/** RuntimeMaxSec= counts from the moment the unit became active, reloads notwithstanding. */
export const limitRuntime = serviceStep((turn) => {
  const { settings, since } = turn.context;
  const span = settings.RuntimeMaxSec;
  if (span === 'infinity') return disarm(turn);
  arm(turn, 'RuntimeMaxSec', Math.max(0, (since.activeEnterMs ?? turn.event.atMs) + span - turn.event.atMs));
});

export const noDeadline = serviceStep((turn) => disarm(turn));

/** ExecReload=, and for Type=notify-reload the signal before it (systemd.service(5)). */
export const beginReload = serviceStep((turn) => {
  const { settings, main } = turn.context;
  turn.set({ reloadResult: 'success', reloadBeganMs: turn.event.atMs, reloadConfirmed: false, notifyState: 'unknown' });
  const process = refOf(main);
  if (settings.Type === 'notify-reload' && process !== null) {
    turn.ask('signal', { process, signal: RELOAD_SIGNAL, why: 'reload' });
    turn.ask('signal', { process, signal: SIGCONT, why: 'reload' });
  }
  if (commandsOf(turn.context, 'ExecReload').length > 0) runCommand(turn, 'control', 'ExecReload', 0);
  else arm(turn, 'TimeoutStartSec', settings.TimeoutStartSec);
});

/** The service reloads of its own accord. */
export const followReload = serviceStep((turn) => {
  turn.set({ reloadResult: 'success' });
  arm(turn, 'TimeoutStartSec', turn.context.settings.TimeoutStartSec);
  turn.ask('propagateReload', undefined);
});

/** The reload took too long; the service itself goes on as it is. */
export const breakReload = serviceStep((turn) => {
  const process = refOf(turn.context.control);
  if (process !== null) turn.ask('signal', { process, signal: SIGKILL, why: 'the reload timed out' });
  abandonControl(turn);
  turn.set({ reloadResult: 'timeout', notifyState: 'unknown' });
});

export const refuseReload = serviceStep((turn) => {
  turn.ask('refuse', {
    verb: 'reload',
    result: 'skipped',
    why: 'it has no ExecReload= and is not of Type=notify-reload',
  });
});

/** Passed on to the killing state: the service was told by nobody but itself, so it is given time first. */
export const letStop = serviceStep((turn) => turn.set({ letStop: true }));
export const takeBusName = serviceStep((turn) => turn.set({ busName: true }));

/** All of them, by the names the chart uses. */
export const actions = {
  run,
  startMain,
  endIdling,
  noteForked,
  noteExeced,
  noteSpawnFailed,
  reap,
  reapWatched,
  awaitPidFile,
  forgetPidFile,
  takePidFile,
  kill,
  fail,
  giveUp,
  enter,
  awaitRestart,
  askRestart,
  askRestartAgain,
  begin,
  refuseStart,
  refuseLeftovers,
  end,
  endWaiting,
  noteStop,
  failRestart,
  resetFailed,
  takeSettings,
  noteGroup,
  tidyGroup,
  adopt,
  limitRuntime,
  noDeadline,
  beginReload,
  followReload,
  breakReload,
  refuseReload,
  letStop,
  takeBusName,
};
