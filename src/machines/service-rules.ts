/**
 * The decisions of a service that are tables rather than states: what an exit means, when to restart, whom to signal, who may notify.
 *
 * Pure functions of settings and facts. Sources: systemd.service(5), systemd.kill(5), systemd.unit(5), sd_notify(3), version 252.
 */
import type { ExitSet } from '../units/types.ts';
import type { Ended, Result } from './protocol.ts';
import type { KillOperation, ServiceContext, ServiceSettings } from './service-context.ts';

export const SIGHUP = 1;
const SIGINT = 2;
const SIGABRT = 6;
export const SIGKILL = 9;
const SIGPIPE = 13;
const SIGTERM = 15;
export const SIGCONT = 18;

/** What the end of a process means; `none` is a process whose end nobody saw (it was not init's to reap). */
export function exitResult(
  ended: Ended | null,
  type: ServiceSettings['Type'],
  success: ExitSet,
): 'success' | 'exit-code' | 'signal' | 'core-dump' {
  if (ended === null) return 'success';
  if ('exited' in ended) return ended.exited === 0 || success.statuses.includes(ended.exited) ? 'success' : 'exit-code';
  // A core dump is never clean, whatever SuccessExitStatus= says of its signal.
  if ('dumped' in ended) return 'core-dump';
  const clean = type === 'oneshot' ? [] : [SIGHUP, SIGINT, SIGTERM, SIGPIPE];
  return success.signals.includes(ended.killed) || clean.includes(ended.killed) ? 'success' : 'signal';
}

function contains(set: ExitSet, ended: Ended | null): boolean {
  if (ended === null) return false;
  if ('exited' in ended) return set.statuses.includes(ended.exited);
  return set.signals.includes('killed' in ended ? ended.killed : ended.dumped);
}

/**
 * Restart by itself? The table of systemd.service(5), Restart=, after its exceptions. `why` is for the log.
 */
export function shallRestart(
  settings: Pick<ServiceSettings, 'Restart' | 'RestartPreventExitStatus' | 'RestartForceExitStatus'>,
  facts: { readonly result: Result; readonly mainEnded: Ended | null; readonly stopAsked: boolean },
): { readonly restart: boolean; readonly why: string } {
  if (facts.stopAsked) return { restart: false, why: 'stopped on request' };
  if (contains(settings.RestartPreventExitStatus, facts.mainEnded)) {
    return { restart: false, why: 'RestartPreventExitStatus=' };
  }
  if (contains(settings.RestartForceExitStatus, facts.mainEnded))
    return { restart: true, why: 'RestartForceExitStatus=' };
  return { restart: restartsOn(settings.Restart, facts.result), why: `Restart=${settings.Restart}` };
}

function restartsOn(policy: ServiceSettings['Restart'], result: Result): boolean {
  // A condition that does not hold is no end of the service; it would be asked again for ever.
  if (result === 'exec-condition') return false;
  switch (policy) {
    case 'no':
      return false;
    case 'always':
      return true;
    case 'on-success':
      return result === 'success';
    case 'on-failure':
      return result !== 'success';
    case 'on-abnormal':
      return result !== 'success' && result !== 'exit-code';
    case 'on-watchdog':
      return result === 'watchdog';
    case 'on-abort':
      return result === 'signal' || result === 'core-dump';
  }
}

/** Whom a kill operation signals, and with what; systemd.kill(5). `nobody` is a plan too: KillMode=none, or nothing left. */
export interface KillPlan {
  readonly signal: number;
  readonly processes: boolean;
  readonly group: boolean;
  /** SIGCONT after it, so that what is stopped can obey. */
  readonly cont: boolean;
  /** SIGHUP after it. */
  readonly hangup: boolean;
}

/** systemd.kill(5), as far as a type has it. */
export type KillSettings = Pick<
  ServiceSettings,
  'KillMode' | 'KillSignal' | 'SendSIGHUP' | 'SendSIGKILL' | 'FinalKillSignal'
> &
  Partial<Pick<ServiceSettings, 'RestartKillSignal' | 'WatchdogSignal'>>;

export function killPlan(settings: KillSettings, operation: KillOperation, restarting: boolean): KillPlan {
  const signal = killSignal(settings, operation, restarting);
  const mode = settings.KillMode;
  return {
    signal,
    processes: mode !== 'none',
    group: mode === 'control-group' || (mode === 'mixed' && operation === 'kill'),
    cont: signal !== SIGKILL && signal !== SIGCONT,
    hangup: settings.SendSIGHUP && operation === 'terminate' && signal !== SIGHUP,
  };
}

function killSignal(settings: KillSettings, operation: KillOperation, restarting: boolean): number {
  switch (operation) {
    case 'kill':
      return settings.FinalKillSignal;
    case 'abort':
      return settings.WatchdogSignal ?? SIGABRT;
    case 'terminate':
      return restarting ? (settings.RestartKillSignal ?? settings.KillSignal) : settings.KillSignal;
  }
}

/** May this process notify? NotifyAccess= of systemd.service(5). Nobody outside the unit ever may. */
export function mayNotify(
  context: ServiceContext,
  sender: { readonly pid: number; readonly member: boolean },
): boolean {
  const main = context.main?.pid === sender.pid;
  const control = context.control?.pid === sender.pid;
  switch (context.settings.NotifyAccess) {
    case 'none':
      return false;
    case 'main':
      return main;
    case 'exec':
      return main || control;
    case 'all':
      return main || control || sender.member;
  }
}

/** Does the service run? Its main process does; or, where that is not known or not what counts, its group has processes. */
export function isGood(context: ServiceContext): boolean {
  if (context.main !== null) return true;
  if (context.mainKnown && context.settings.ExitType === 'main') return false;
  return context.populated;
}

/** Does the service itself say when it is ready? */
export const tellsReadiness = ({ Type }: Pick<ServiceSettings, 'Type'>): boolean =>
  Type === 'notify' || Type === 'notify-reload';

/** Is the start over, by Type=? Asked in state `start` only, where nothing has failed yet. */
export function isStarted(context: ServiceContext): boolean {
  const { settings, main, control } = context;
  switch (settings.Type) {
    case 'simple':
    case 'idle':
      return main !== null && main.pid !== null;
    case 'exec':
    case 'dbus':
      return main?.execed === true || context.busName;
    case 'notify':
    case 'notify-reload':
      return context.notifyState === 'ready';
    case 'oneshot':
      return main === null && control === null;
    case 'forking':
      return control === null && !needsPidFile(context);
  }
}

/** Is PIDFile= all that can tell the main process, and has not told it yet? ExecStartPost= may be what writes it. */
export function needsPidFile(context: ServiceContext): boolean {
  return lacksMain(context) && context.settings.ExecStartPost.length === 0;
}

/** The same once ExecStartPost= is over. */
export function lacksMain({ settings, main, mainKnown, control }: ServiceContext): boolean {
  return settings.PIDFile !== '' && main === null && !mainKnown && control === null;
}

/** Can the start not succeed any more, though nothing has failed? systemd: result `protocol`. */
export function isHopeless(context: ServiceContext): boolean {
  const { settings, main, mainKnown, control, populated } = context;
  if (main !== null || control !== null) return false;
  switch (settings.Type) {
    case 'notify':
    case 'notify-reload':
      // Another process may still say READY=1, if it is allowed to and somebody would stay.
      return mainKnown && (!settings.RemainAfterExit || settings.NotifyAccess === 'main' || !populated);
    case 'forking':
      return needsPidFile(context) && !populated;
    default:
      return false;
  }
}
