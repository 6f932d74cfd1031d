/**
 * The steps of the service chart: what happens on the way from one state to the next.
 *
 * The chart (service.ts) says when; this file says what changes and what is asked for in a life as a whole. Its processes are in
 * service-processes.ts, what it says by itself in service-notify.ts, and the tables in service-rules.ts.
 */
import { countStart, hitStartLimit, prepare, resetFailed, settle, takeSettings } from './ends.ts';
import type { ActiveState, AdoptEvent, JobRefusedEvent, Pid, Result, SettingsEvent, StopEvent } from './protocol.ts';
import { commandsOf, type KillOperation, refOf, type ServiceList, type ServiceSettings } from './service-context.ts';
import {
  abandon,
  abandonControl,
  awaitPidFile,
  endIdling,
  follow,
  forgetPidFile,
  noteExeced,
  noteForked,
  noteSpawnFailed,
  reap,
  reapWatched,
  run,
  runCommand,
  type ServiceTurn,
  serviceStep,
  signalProcess,
  startMain,
  stepWith,
  takePidFile,
} from './service-processes.ts';
import { isGood, killPlan, SIGCONT, SIGHUP, SIGKILL, shallRestart } from './service-rules.ts';
import { arm, disarm } from './turn.ts';

/** A restart job that was asked for and has not come by then is asked for again: a lost request must not strand the unit. */
const RESTART_JOB_MS = 60_000;
/** The signal of Type=notify-reload; ReloadSignal= is not read yet. */
const RELOAD_SIGNAL = SIGHUP;

/**
 * Enter a killing state: signal whom KillMode= says, and note whom to wait for. Commands of a list that runs have no successor now.
 */
const kill = stepWith<KillOperation>((turn, operation) => {
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

/** The time for it is over; the first failure names the result. */
const fail = stepWith<Result>((turn, result) => turn.fail(result));

/** SIGKILL was not enough, or is not allowed: no automatic restart beside what is left. */
const giveUp = serviceStep((turn) => {
  turn.fail('timeout');
  turn.set({ stopAsked: true });
});

const enter = stepWith<ActiveState>((turn, active) => {
  // Idle services never make a job wait; see activeState() in view.ts.
  const idle = active === 'activating' && turn.context.settings.Type === 'idle';
  turn.enter(idle ? 'active' : active);
});

const awaitRestart = serviceStep((turn) => {
  turn.enter('activating');
  arm(turn, 'RestartSec', turn.context.settings.RestartSec);
});

const askRestart = serviceStep((turn) => {
  const nRestarts = turn.context.nRestarts + 1;
  turn.set({ nRestarts, flushRestarts: false });
  turn.ask('log', { level: 'info', message: 'restart job queued', nRestarts });
  requestRestart(turn);
});

const askRestartAgain = serviceStep((turn) => requestRestart(turn));

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
const begin = serviceStep((turn) => {
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
  prepare(turn, turn.context.populated);
});

/** See {@link hitStartLimit}. */
const refuseStart = serviceStep((turn) => {
  hitStartLimit(turn);
  down(turn, false);
});

/** systemd 252 does not start a second one beside what is left of a service that must not be killed hard. */
const refuseLeftovers = serviceStep((turn) => {
  turn.fail('resources');
  turn.ask('log', {
    level: 'error',
    message: 'processes of an earlier life are left in the control group, and SendSIGKILL=no: not started beside them',
  });
  down(turn, false);
});

/** The end of a life, at `ended`: by then it is decided whether another one follows. */
const end = stepWith<'restart' | 'rest'>((turn, next) => {
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
const endWaiting = serviceStep((turn) => {
  const restarting = (turn.event as StopEvent).restarting === true;
  disarm(turn);
  if (!restarting) {
    forgetFds(turn);
    turn.set({ flushRestarts: true });
  }
  turn.ask('release', { restarting });
  turn.set({ stopAsked: false, restarting: false });
});

const noteStop = serviceStep((turn) => {
  turn.set({ stopAsked: true, restarting: (turn.event as StopEvent).restarting === true });
});

const failRestart = serviceStep((turn) => {
  turn.fail('resources');
  turn.ask('log', { level: 'error', message: 'the restart job was refused', why: (turn.event as JobRefusedEvent).why });
  down(turn, false);
});

const forgetFailures = serviceStep((turn) => {
  resetFailed(turn);
  turn.set({ reloadResult: 'success', nRestarts: 0, flushRestarts: false });
});

const takeNew = serviceStep((turn) => {
  takeSettings(turn, (turn.event as SettingsEvent<ServiceSettings>).settings);
});

const noteGroup = stepWith<boolean>((turn, populated) => turn.set({ populated }));
const tidyGroup = serviceStep((turn) => turn.ask('pruneGroup', undefined));

/** Core lost its memory and found this alive. */
const adopt = serviceStep((turn) => {
  const { main, control, populated, fds = [], restarts = 0, slice, was, result } = turn.event as AdoptEvent;
  turn.set({
    ...(slice === undefined ? {} : { slice }),
    populated,
    nRestarts: restarts,
    invocation: turn.context.invocation + 1,
    mainKnown: main !== undefined,
    storedFds: fds.map((key) => ({ key, name: 'stored' })),
    fdKeys: Math.max(turn.context.fdKeys, ...fds.map((key) => key + 1)),
  });
  // Its group, its log pipe and its notify socket are looked after again; what is there is left as it is.
  prepare(turn, true);
  if (main?.serial === null) follow(turn, main);
  else if (main !== undefined) {
    const status = { pid: main.pid, startMs: turn.event.atMs, exitMs: null, ended: null };
    turn.set({
      runs: Math.max(turn.context.runs, main.run),
      main: { ...pidOf(main), list: 'ExecStart', index: main.index ?? 0, execed: true, last: main.index === undefined },
      mainStatus: status,
    });
  }
  if (control !== undefined) {
    const { list, index } = control;
    const process = { ...pidOf(control), list: list as ServiceList, index, execed: true, last: false };
    turn.set({ runs: Math.max(turn.context.runs, control.run), control: process });
    if (list === 'ExecReload') arm(turn, 'TimeoutStartSec', turn.context.settings.TimeoutStartSec);
  }
  if (was === 'stopping') turn.set({ result: result ?? 'success', stopAsked: (result ?? 'success') === 'success' });
  turn.ask('log', { level: 'notice', message: 'taken over from an earlier core without its memory' });
});

const pidOf = <S>({ run, serial, pid, startTime }: Pid & { readonly run: number; readonly serial: S }) => ({
  run,
  serial,
  pid,
  startTime,
});

/** It had failed before core lost its memory. */
const adoptFailure = serviceStep((turn) => {
  const { failed: result = 'success', restarts = 0 } = turn.event as AdoptEvent;
  turn.set({ result, nRestarts: restarts });
});

/** Something of it lives, as when it went down: it may not be started beside that (SendSIGKILL=), or let go of, before that has ended. */
const adoptLeft = serviceStep((turn) => {
  const { left, slice } = turn.event as AdoptEvent;
  if (left === undefined) return;
  turn.set({
    ...(slice === undefined ? {} : { slice }),
    populated: true,
    runs: Math.max(turn.context.runs, left.runs),
  });
  turn.ask('pruneGroup', undefined);
  turn.ask('log', { level: 'notice', message: 'is down, and has left processes behind' });
});

// --------------------------------------------------------------------------------------------------- running, reloading

/** RuntimeMaxSec= counts from the moment the unit became active, reloads notwithstanding. */
const limitRuntime = serviceStep((turn) => {
  const { settings, since } = turn.context;
  const span = settings.RuntimeMaxSec;
  if (span === 'infinity') return disarm(turn);
  arm(turn, 'RuntimeMaxSec', Math.max(0, (since.activeEnterMs ?? turn.event.atMs) + span - turn.event.atMs));
});

/** What is over already, as a oneshot without RemainAfterExit=, passes through on its way down: it has never been active. */
const becomeActive = serviceStep((turn) => {
  if (isGood(turn.context)) turn.enter('active');
});

const noDeadline = serviceStep((turn) => disarm(turn));

/** ExecReload=, and for Type=notify-reload the signal before it (systemd.service(5)). */
const beginReload = serviceStep((turn) => {
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
const followReload = serviceStep((turn) => {
  turn.set({ reloadResult: 'success' });
  arm(turn, 'TimeoutStartSec', turn.context.settings.TimeoutStartSec);
  turn.ask('propagateReload', undefined);
});

/** The reload took too long; the service itself goes on as it is. */
const breakReload = serviceStep((turn) => {
  const process = refOf(turn.context.control);
  if (process !== null) turn.ask('signal', { process, signal: SIGKILL, why: 'the reload timed out' });
  abandonControl(turn);
  turn.set({ reloadResult: 'timeout', notifyState: 'unknown' });
});

const refuseReload = serviceStep((turn) => {
  turn.ask('refuse', {
    verb: 'reload',
    result: 'skipped',
    why: 'it has no ExecReload= and is not of Type=notify-reload',
  });
});

/** Passed on to the killing state: the service was told by nobody but itself, so it is given time first. */
const letStop = serviceStep((turn) => turn.set({ letStop: true }));
const takeBusName = serviceStep((turn) => turn.set({ busName: true }));

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
  resetFailed: forgetFailures,
  takeSettings: takeNew,
  noteGroup,
  tidyGroup,
  adopt,
  adoptFailure,
  adoptLeft,
  becomeActive,
  limitRuntime,
  noDeadline,
  beginReload,
  followReload,
  breakReload,
  refuseReload,
  letStop,
  takeBusName,
};
