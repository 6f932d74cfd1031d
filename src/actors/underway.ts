/**
 * What a unit that comes or goes waits for: the command of its list, the signal that has been sent, the event that is missing.
 *
 * One place for whoever tells it: the table of jobs, the console, and explanations. Read off the machine's snapshot; decides nothing.
 */
import type { CauseKind } from '../api/insight.ts';
import type { Host } from '../host/ports.ts';
import type { Process, ServiceContext } from '../machines/service-context.ts';
import { type KillSettings, killPlan } from '../machines/service-rules.ts';
import type { SocketCommand } from '../machines/socket-context.ts';
import { subState, type UnitSnapshot } from '../machines/view.ts';
import { signalName } from '../units/syntax/signal.ts';
import { blockedOn, blockedWords } from './blocked.ts';

/** One thing that is waited for. */
export interface Awaited {
  readonly kind: CauseKind;
  /** What comes after “waits for”: `READY=1 of ExecStart=`, `ExecStartPre= (2 of 3)`, `RestartSec= to be over`. */
  readonly what: string;
  /** The process that has to end or to speak; undefined: there is none, or init has not started it yet. */
  readonly pid: number | undefined;
}

/** The pid of a socket's command is not among what its machine knows. */
type Command = Pick<Process | SocketCommand, 'list' | 'index'> & { readonly pid?: number | null };

/** What is read of a context; charts of users have others. */
type Seen = Partial<Omit<ServiceContext, 'main' | 'control' | 'settings'>> & {
  readonly main?: Command | null;
  readonly control?: Command | null;
  readonly settings?: Partial<ServiceContext['settings']>;
};

/** `ExecStartPre= (2 of 3)`; without a number where the list has one command only. */
export function commandWords({ list, index }: Command, settings: object | undefined): string {
  if (list === 'MAINPID') return 'the main process';
  const commands: unknown = (settings as Readonly<Record<string, unknown>> | undefined)?.[list];
  const count = Array.isArray(commands) ? commands.length : 1;
  return count > 1 ? `${list}= (${index + 1} of ${count})` : `${list}=`;
}

/**
 * All that a unit on its way waits for; empty: it is not on its way, or its machine does not say.
 *
 * @param unit its main name
 * @param members the processes in its control group, asked for where the machine knows of none by its pid
 */
export function awaited(
  unit: string,
  snapshot: UnitSnapshot | undefined,
  members: () => readonly number[],
): readonly Awaited[] {
  if (unit.endsWith('.device')) return [{ kind: 'device', what: 'the device to appear', pid: undefined }];
  if (snapshot === undefined) return [];
  const context = snapshot.context as unknown as Seen;
  const going = context.active === 'deactivating';
  const { main = null, control = null } = context;
  // A command that is run beside the service is what is waited for; while processes are ended it is all of them.
  const processes = (going ? [control, main] : [control ?? main]).filter((process) => process !== null);
  const found =
    context.active === 'active' ? [] : processes.map((process) => processWords(process, context, snapshot, members));
  if (found.length > 0) return found;
  const other = eventWords(context, members);
  return other === undefined ? [] : [other];
}

function processWords(
  process: Command,
  context: Seen,
  snapshot: UnitSnapshot,
  members: () => readonly number[],
): Awaited {
  const command = commandWords(process, context.settings);
  if (process.pid === null) return { kind: 'process', what: `init to start ${command}`, pid: undefined };
  const signal = context.killing?.processes === true ? signalSent(context) : '';
  const ready = process === context.main ? missing(context, subState(snapshot)) : '';
  const what = `${ready === '' ? '' : `${ready} of `}${command}${signal === '' ? '' : `, which has got ${signal},`}`;
  return { kind: 'process', what: signal === '' ? what : `${what} to end`, pid: process.pid ?? members()[0] };
}

/** What a process that runs owes; empty: nothing but its end. */
function missing({ settings, notifyState, reloadConfirmed }: Seen, sub: string): string {
  const notifies = settings?.Type === 'notify' || settings?.Type === 'notify-reload';
  if (sub === 'start') return notifies && notifyState !== 'ready' ? 'READY=1' : '';
  if (sub === 'reload-signal') return reloadConfirmed === true ? 'READY=1' : 'RELOADING=1';
  return sub === 'reload-notify' ? 'READY=1' : '';
}

function signalSent({ killing, restarting, settings }: Seen): string {
  if (!killing || settings?.KillMode === undefined) return '';
  return signalName(killPlan(settings as KillSettings, killing.operation, restarting === true).signal);
}

function eventWords(
  { active, idling, awaitsPidFile, deadline, settings, populated }: Seen,
  members: () => readonly number[],
): Awaited | undefined {
  const event = (kind: CauseKind, what: string, pid?: number): Awaited => ({ kind, what, pid });
  if (active !== 'activating' && active !== 'deactivating' && active !== 'reloading') return undefined;
  if (idling === true) return event('timer', 'all other jobs to be over, for 5 s at most (Type=idle)');
  if (awaitsPidFile === true) return event('unit', `PIDFile=${settings?.PIDFile ?? ''} to name a process of it`);
  if (deadline?.name === 'RestartSec') return event('timer', 'RestartSec= to be over');
  return populated === true
    ? event('process', 'the processes that are left in its control group', members()[0])
    : undefined;
}

/** In words, with what its process is blocked on; `look` false: /proc is not asked. */
export function awaitedWords({ what, pid }: Awaited, host: Host, look: boolean): string {
  if (pid === undefined) return what;
  const blocked = look ? blockedOn(host, pid) : undefined;
  return `${what}: ${blocked === undefined ? `process ${pid}` : blockedWords(blocked)}`;
}
