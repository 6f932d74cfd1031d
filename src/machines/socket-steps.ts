/** The steps of the socket chart: commands, killing, and the life cycle. The chart (socket.ts) says when. */
import { admit, countStart, prepare, refuseStart, resetFailed, settle, takeSettings, triggerLimitOf } from './ends.ts';
import type {
  ActiveState,
  ExitedEvent,
  ForkedEvent,
  JobRefusedEvent,
  Result,
  ServiceStateEvent,
  SettingsEvent,
  SocketEvent,
  SocketsFailedEvent,
  SpawnFailedEvent,
} from './protocol.ts';
import type { KillOperation } from './service-context.ts';
import { exitResult, killPlan, SIGCONT, SIGHUP, SIGKILL } from './service-rules.ts';
import {
  commandsOf,
  runsCommands,
  type SocketCommand,
  type SocketContext,
  type SocketList,
  type SocketSettings,
  triggeredService,
} from './socket-context.ts';
import { arm, disarm, step, type Turn } from './turn.ts';

export type AnySocketEvent = SocketEvent | SettingsEvent<SocketSettings>;
type SocketTurn = Turn<SocketContext, AnySocketEvent>;
const act = step<SocketContext, AnySocketEvent>;
const actWith = <Params>(decide: (turn: SocketTurn, params: Params) => void) =>
  step<SocketContext, AnySocketEvent, Params>(decide);

const noExits = { statuses: [], signals: [] };

function runCommand(turn: SocketTurn, list: SocketList, index: number): void {
  const command = commandsOf(turn.context, list)[index];
  if (command === undefined) return;
  const run = turn.context.runs + 1;
  arm(turn, 'TimeoutSec', turn.context.settings.TimeoutSec);
  turn.set({ runs: run, control: { run, list, index, serial: null, last: false } });
  turn.ask('spawn', { role: 'control', run, list, index, command, watchdogUsec: 0 });
}

function abandon(turn: SocketTurn): void {
  const { control } = turn.context;
  if (control === null) return;
  const process = control.serial === null ? null : { child: control.serial };
  turn.ask('abandon', { role: 'control', run: control.run, process });
  turn.set({ control: null });
}

/** Whose answer is it? Undefined: a process that is followed no longer. */
const ours = (turn: SocketTurn, of: { run: number }): SocketCommand | undefined =>
  turn.context.control?.run === of.run ? turn.context.control : undefined;

function signal(turn: SocketTurn, serial: number, operation: KillOperation): void {
  const plan = killPlan(turn.context.settings, operation, false);
  const process = { child: serial };
  turn.ask('signal', { process, signal: plan.signal, why: operation });
  if (plan.cont) turn.ask('signal', { process, signal: SIGCONT, why: operation });
  if (plan.hangup) turn.ask('signal', { process, signal: SIGHUP, why: 'SendSIGHUP=' });
}

/** All of them, by the names the chart uses. */
export const actions = {
  enter: actWith<ActiveState>((turn, active) => turn.enter(active)),
  fail: actWith<Result>((turn, result) => turn.fail(result)),
  /** Begin a list of commands; an empty one is over at once. */
  run: actWith<SocketList>((turn, list) => {
    abandon(turn);
    turn.set({ killing: null });
    if (commandsOf(turn.context, list).length > 0) runCommand(turn, list, 0);
    else disarm(turn);
  }),
  noteForked: act((turn) => {
    const event = turn.event as ForkedEvent;
    const control = ours(turn, event);
    if (control === undefined) {
      turn.ask('signal', {
        process: { child: event.serial },
        signal: SIGKILL,
        why: 'started too late: nobody waits for it',
      });
      return;
    }
    turn.set({ control: { ...control, serial: event.serial } });
    const { killing } = turn.context;
    if (killing?.processes) signal(turn, event.serial, killing.operation);
  }),
  noteSpawnFailed: act((turn) => {
    const event = turn.event as SpawnFailedEvent;
    const control = ours(turn, event);
    if (control === undefined) return;
    turn.ask('log', {
      level: 'error',
      message: event.why,
      list: control.list,
      step: event.stepName,
      errno: event.errno,
      detail: event.detail,
      exitCode: event.exitCode,
    });
    if (event.serial !== null) return; // its `exited` follows, and counts
    turn.set({ control: null });
    turn.fail('resources');
  }),
  reap: act((turn) => {
    const event = turn.event as ExitedEvent;
    const control = ours(turn, event);
    turn.set({ populated: event.populated });
    if (control === undefined) return;
    turn.set({ control: null });
    const ignored = commandsOf(turn.context, control.list)[control.index]?.ignoreFailure === true;
    const result = ignored ? 'success' : exitResult(event.ended, 'oneshot', noExits);
    turn.fail(result);
    if (result === 'success' && !control.last) runCommand(turn, control.list, control.index + 1);
  }),
  noteGroup: actWith<boolean>((turn, populated) => turn.set({ populated })),
  kill: actWith<KillOperation>((turn, operation) => {
    const { control, populated, settings } = turn.context;
    const plan = killPlan(settings, operation, false);
    const running = control !== null;
    turn.set({
      control: control === null ? null : { ...control, last: true },
      killing: { operation, processes: plan.processes && running, group: plan.group && populated },
    });
    arm(turn, 'TimeoutSec', settings.TimeoutSec);
    if (!plan.processes) return;
    if (control !== null && control.serial !== null) signal(turn, control.serial, operation);
    if (!plan.group || !(populated || running)) return;
    const except = control === null || control.serial === null ? [] : [{ child: control.serial }];
    turn.ask('signalGroup', { except, signal: plan.signal, why: operation });
    if (plan.cont) turn.ask('signalGroup', { except, signal: SIGCONT, why: operation });
    if (plan.hangup) turn.ask('signalGroup', { except, signal: SIGHUP, why: 'SendSIGHUP=' });
  }),

  begin: act((turn) => {
    disarm(turn);
    countStart(turn);
    turn.set({ invocation: turn.context.invocation + 1, result: 'success', killing: null, triggers: null });
    if (runsCommands(turn.context)) prepare(turn, turn.context.populated);
  }),
  refuseAccept: act((turn) => {
    turn.ask('refuse', {
      verb: 'start',
      result: 'unsupported',
      why: 'Accept=yes (a service for each connection) is not done yet; use Accept=no',
    });
  }),
  refuseService: act((turn) => {
    const { service, settings } = turn.context;
    const why = service.loaded
      ? `${settings.Service} is up already: stop it first`
      : `${settings.Service} is not loaded`;
    turn.ask('refuse', { verb: 'start', result: 'failed', why });
  }),
  refuseStart: act(refuseStart),
  open: act((turn) => {
    arm(turn, 'TimeoutSec', turn.context.settings.TimeoutSec);
    turn.ask('openSockets', undefined);
  }),
  /** At once, and nobody waits for it. */
  reopen: act((turn) => turn.ask('openSockets', undefined)),
  failOpen: act((turn) => {
    const { errno, detail } = turn.event as SocketsFailedEvent;
    turn.fail('resources');
    turn.ask('log', { level: 'error', message: 'cannot listen', errno, detail });
  }),
  close: act((turn) => turn.ask('closeSockets', { remove: turn.context.settings.RemoveOnStop })),
  listen: act((turn) => {
    disarm(turn);
    turn.ask('watchSockets', undefined);
  }),
  flush: act((turn) => {
    if (turn.context.settings.FlushPending) turn.ask('flushSockets', undefined);
  }),
  deafen: act((turn) => turn.ask('unwatchSockets', undefined)),
  noteService: act((turn) => turn.set({ service: triggeredService(turn.event as ServiceStateEvent) })),
  /** Something waits: start the service, unless it is there or on its way. */
  trigger: act((turn) => {
    const { service, settings, triggers, nTriggered } = turn.context;
    const window = admit(triggers, triggerLimitOf(settings), turn.event.atMs) ?? triggers;
    turn.set({ triggers: window, nTriggered: nTriggered + 1 });
    const up = service.active === 'active' || service.active === 'activating' || service.active === 'reloading';
    if (up || service.pending) return;
    turn.ask('requestJob', { verb: 'start', unit: settings.Service, mode: 'replace', why: 'it has input' });
  }),
  noteRefusal: act((turn) => {
    turn.fail('resources');
    turn.ask('log', { level: 'error', message: 'its service was refused', why: (turn.event as JobRefusedEvent).why });
  }),

  end: act((turn) => {
    abandon(turn);
    disarm(turn);
    turn.set({ killing: null });
    if (runsCommands(turn.context)) turn.ask('release', { restarting: false });
    settle(turn, { restarting: false, why: 'sockets are not restarted', mainEnded: null });
  }),
  resetFailed: act(resetFailed),
  takeSettings: act((turn) => takeSettings(turn, (turn.event as SettingsEvent<SocketSettings>).settings)),
  tidyGroup: act((turn) => {
    if (runsCommands(turn.context)) turn.ask('pruneGroup', undefined);
  }),
  refuseReload: act((turn) => turn.ask('refuse', { verb: 'reload', result: 'skipped', why: 'sockets have no reload' })),
};
