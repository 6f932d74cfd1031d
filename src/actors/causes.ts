/**
 * Why a unit changed, in words: read off the event its machine was handed and what the machine made of it.
 *
 * Pure; the words become part of the history (history.ts), so they are short and name processes by number.
 */
import type { Ended } from '../host/ports.ts';
import type { Process, ServiceContext } from '../machines/service-context.ts';
import { killPlan } from '../machines/service-rules.ts';
import type { UnitSnapshot } from '../machines/view.ts';
import type { ActorEvent } from '../supervisor/actor.ts';
import { EXIT_STATUSES, signalName } from '../units/syntax/signal.ts';

/** `status=203/EXEC`, `signal=SIGKILL`, `signal=SIGSEGV (core dumped)`; `` for an end that nobody saw. */
export function endWords(ended: Ended | null): string {
  if (ended === null) return '';
  if ('killed' in ended) return `signal=${signalName(ended.killed)}`;
  if ('dumped' in ended) return `signal=${signalName(ended.dumped)} (core dumped)`;
  const name = EXIT_STATUSES.find(([, status]) => status === ended.exited)?.[0];
  return `status=${ended.exited}${name === undefined ? '' : `/${name}`}`;
}

const contextOf = (snapshot: UnitSnapshot) => snapshot.context as Partial<ServiceContext>;

const commandWords = (process: Pick<Process, 'list' | 'index'> | null | undefined): string => {
  if (process === null || process === undefined) return '';
  return process.list === 'MAINPID'
    ? ' (main)'
    : ` (${process.list}=${process.index > 0 ? ` ${process.index + 1}` : ''})`;
};

/** A process of the unit has ended; undefined: this event tells of none. */
export function processWords(event: ActorEvent | undefined, before: UnitSnapshot): string | undefined {
  if (event?.type !== 'exited' && event?.type !== 'main-gone') return undefined;
  const { pid, ended, role, run } = event as unknown as {
    pid: number;
    ended: Ended | null;
    role?: string;
    run?: number;
  };
  const { main, control } = contextOf(before);
  const followed = role === 'control' ? control : main;
  const known = event.type === 'main-gone' || followed?.run === run ? followed : undefined;
  const how = endWords(ended);
  const verb = ended !== null && 'exited' in ended ? 'exited' : ended === null ? 'is gone' : 'was killed';
  return `process ${pid}${commandWords(known)} ${verb}${how === '' ? '' : `, ${how}`}`;
}

/** Signals that this step sends; undefined: none. */
export function signalWords(before: UnitSnapshot, after: UnitSnapshot): string | undefined {
  const [was, is] = [contextOf(before), contextOf(after)];
  const { killing, settings } = is;
  if (killing === null || killing === undefined || killing === was.killing || settings === undefined) return undefined;
  if (!killing.processes && !killing.group) return undefined;
  const { signal } = killPlan(settings, killing.operation, is.restarting === true);
  const whom = [
    ...[is.main, is.control].flatMap((process) =>
      process !== null && process !== undefined && process.pid !== null && killing.processes
        ? [`process ${process.pid}`]
        : [],
    ),
    ...(killing.group ? ['the control group'] : []),
  ];
  return whom.length === 0 ? undefined : `${signalName(signal)} to ${whom.join(' and ')}`;
}

/** What the event was, for one whose unit has changed its state because of it. */
export function causeWords(event: ActorEvent | undefined, before: UnitSnapshot): string {
  if (event === undefined) return '';
  const ended = processWords(event, before);
  if (ended !== undefined) return ended;
  const text = (field: string): string => String(event[field] ?? '');
  switch (event.type) {
    case 'start':
      return 'start';
    case 'stop':
      return event['restarting'] === true ? 'stop, to be started again' : 'stop';
    case 'deadline':
      return `${text('name')}= is over`;
    case 'forked':
      return `process ${text('pid')} was started`;
    case 'execed':
      return 'its program runs';
    case 'spawn-failed':
      return text('why');
    case 'notify':
      return event['state'] === 'ready'
        ? `READY=1 from process ${text('pid')}`
        : event['state'] === undefined
          ? `a notification from process ${text('pid')}`
          : `${text('state').toUpperCase()}=1 from process ${text('pid')}`;
    case 'pid-file':
      return `its PID file names process ${text('pid')}`;
    case 'bus-name-acquired':
      return 'its bus name has an owner';
    case 'empty':
      return 'its last process is gone';
    case 'oom':
      return 'the kernel ran out of memory and killed a process of it';
    case 'readable':
      return 'somebody connects';
    case 'service-state':
      return `the unit it triggers is ${text('active')}`;
    // Which of the two it is may depend on when core was there to see.
    case 'paths-seen':
    case 'path-changed':
      return 'its paths were looked at';
    case 'paths-failed':
      return `${text('errno')} on ${text('detail')}`;
    case 'sockets-failed':
      return `${text('errno')} on ${text('detail')}`;
    case 'job-refused':
      return `its restart was refused: ${text('why')}`;
    case 'present':
      return 'it appeared';
    case 'absent':
      return 'it disappeared';
    case 'adopt':
    case 'adopted':
      return 'taken over';
    case 'idle-go':
      return 'all other jobs are over';
    default:
      return event.type;
  }
}
