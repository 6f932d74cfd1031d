/**
 * The processes of a service: asking for them, noting what became of them, running a list of commands to its end.
 *
 * Nothing here decides about states; it keeps `main`, `control` and the first failure up to date, and the chart looks at those.
 */
import type { Span } from '../units/types.ts';
import type {
  ExecedEvent,
  ExitedEvent,
  ForkedEvent,
  MainGoneEvent,
  Pid,
  PidFileEvent,
  Result,
  ServiceEvent,
  SettingsEvent,
  SpawnFailedEvent,
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
import { exitResult, killPlan, lacksMain, SIGCONT, SIGHUP, SIGKILL } from './service-rules.ts';
import { arm, disarm, step, type Turn } from './turn.ts';

export type AnyServiceEvent = ServiceEvent | SettingsEvent<ServiceSettings>;
export type ServiceTurn = Turn<ServiceContext, AnyServiceEvent>;
export const serviceStep = step<ServiceContext, AnyServiceEvent>;
export const stepWith = <Params>(decide: (turn: ServiceTurn, params: Params) => void) =>
  step<ServiceContext, AnyServiceEvent, Params>(decide);

/** Five seconds, after which Type=idle no longer waits (systemd.service(5), Type=). */
const IDLE_MS = 5_000;

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
    // Only what may be expected to report is told how often (sd_watchdog_enabled(3)).
    watchdogUsec: list === 'ExecStart' ? (context.watchdogMs ?? context.settings.WatchdogSec) * 1_000 : 0,
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

/** Ask for one command, with its time limit. */
export function runCommand(turn: ServiceTurn, role: 'main' | 'control', list: ServiceList, index: number): void {
  arm(turn, ...timeLimit(turn.context.settings, list));
  spawn(turn, role, list, index);
}

/** Begin a list of commands; an empty one is over at once. What still runs of an earlier one is followed no longer. */
export const run = stepWith<ServiceList>((turn, list) => {
  if (isTakenOver(turn, list)) return arm(turn, ...timeLimit(turn.context.settings, list));
  abandonControl(turn);
  turn.set({ killing: null });
  if (commandsOf(turn.context, list).length > 0) runCommand(turn, 'control', list, 0);
  else disarm(turn);
});

/** A core without its memory has found a process of this list, which goes on with a time of its own. */
const isTakenOver = ({ event, context: { main, control } }: ServiceTurn, list: ServiceList): boolean =>
  event.type === 'adopt' && (control === null ? list === 'ExecStart' && main !== null : control.list === list);

/** The state's own command: the service itself; with Type=forking a command that leaves it behind. */
export const startMain = serviceStep((turn) => {
  if (isTakenOver(turn, 'ExecStart')) return arm(turn, ...timeLimit(turn.context.settings, 'ExecStart'));
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
    message: event.why,
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
  if (event.heirs !== undefined && lacksMain(turn.context)) turn.set({ heirs: event.heirs });
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
  forgetHeirs(turn);
  turn.ask('watchMain', { pid, startTime });
}

export const awaitPidFile = serviceStep((turn) => {
  turn.set({ awaitsPidFile: true });
  turn.ask('watchPidFile', undefined);
});

function forgetHeirs(turn: ServiceTurn): void {
  if (turn.context.heirs !== undefined) turn.set({ heirs: [] });
}

export const forgetPidFile = serviceStep((turn) => {
  forgetHeirs(turn);
  if (!turn.context.awaitsPidFile) return;
  turn.set({ awaitsPidFile: false });
  turn.ask('unwatchPidFile', undefined);
});

export const takePidFile = serviceStep((turn) => {
  const { pid, startTime } = turn.event as PidFileEvent;
  if (lacksMain(turn.context)) follow(turn, { pid, startTime });
});

/** Signal a process as an operation says; one that is not forked yet gets it then ({@link noteForked}). */
export function signalProcess(turn: ServiceTurn, role: 'main' | 'control', operation: KillOperation): void {
  const process = refOf(turn.context[role]);
  if (process === null) return;
  const plan = killPlan(turn.context.settings, operation, turn.context.restarting);
  turn.ask('signal', { process, signal: plan.signal, why: operation });
  if (plan.cont) turn.ask('signal', { process, signal: SIGCONT, why: operation });
  if (plan.hangup) turn.ask('signal', { process, signal: SIGHUP, why: 'SendSIGHUP=' });
}

/** Follow a process no longer: it would not die, or may not be killed. */
export function abandon(turn: ServiceTurn, role: 'main' | 'control'): void {
  const process = turn.context[role];
  if (process === null) return;
  turn.ask('abandon', { role, run: process.run, process: refOf(process) });
  turn.set(role === 'main' ? { main: null } : { control: null });
}

export const abandonControl = (turn: ServiceTurn) => abandon(turn, 'control');
