/**
 * What a service may tell by sd_notify(3), and what becomes of it.
 *
 * Whether the sender may speak is decided first (NotifyAccess=); what is meant for another phase of life is ignored on purpose.
 * The watchdog is here too: it is a conversation.
 */
import type { NotifyEvent } from './protocol.ts';
import type { ServiceContext } from './service-context.ts';
import { type AnyServiceEvent, follow, type ServiceTurn, serviceStep } from './service-processes.ts';
import { mayNotify } from './service-rules.ts';
import { arm, step } from './turn.ts';

/** What the current state listens to: news about the main process and readiness, and keep-alives. */
export interface Listens {
  readonly life: boolean;
  readonly watchdog: boolean;
}

export const hear = step<ServiceContext, AnyServiceEvent, Listens>((turn, listens) => {
  const event = turn.event as NotifyEvent;
  if (!mayNotify(turn.context, event)) {
    turn.ask('log', {
      level: 'warning',
      message: 'notification refused by NotifyAccess=',
      pid: event.pid,
      access: turn.context.settings.NotifyAccess,
    });
    return;
  }
  if (listens.life) hearLife(turn, event);
  if (event.status !== undefined) turn.set({ statusText: event.status });
  if (event.errno !== undefined) turn.set({ statusErrno: event.errno });
  if (event.extendTimeoutUsec !== undefined) extend(turn, event.extendTimeoutUsec / 1_000);
  if (event.watchdogUsec !== undefined) turn.set({ watchdogMs: event.watchdogUsec / 1_000 });
  if (listens.watchdog && (event.watchdog === 'ping' || event.watchdogUsec !== undefined)) keepAlive(turn);
  if (listens.life && event.watchdog === 'trigger') turn.set({ watchdogTriggered: true });
  hearFds(turn, event);
});

function hearLife(turn: ServiceTurn, event: NotifyEvent): void {
  const { main, control } = turn.context;
  const named = event.mainPid;
  if (named !== undefined && named.pid !== main?.pid && named.pid !== control?.pid && named.pid > 1) {
    // Root may name a process from elsewhere; others only one of the unit's own.
    if (named.member || event.uid === 0) follow(turn, named);
    else turn.ask('log', { level: 'warning', message: 'MAINPID= names a process outside the unit', pid: named.pid });
  }
  const { reloadBeganMs } = turn.context;
  const confirms = event.reloading === true || event.state === 'reloading';
  if (confirms && event.monotonicUsec !== undefined && event.monotonicUsec >= reloadBeganMs * 1_000) {
    turn.set({ reloadConfirmed: true });
  }
  if (event.state !== undefined) turn.set({ notifyState: event.state });
}

/** EXTEND_TIMEOUT_USEC=: at least this long from now, for what has a deadline already; it never shortens one. */
function extend(turn: ServiceTurn, ms: number): void {
  const { deadline, watchdogDueMs } = turn.context;
  const dueMs = turn.event.atMs + ms;
  if (deadline !== null && deadline.dueMs !== 'infinity' && deadline.dueMs < dueMs) arm(turn, deadline.name, ms);
  if (watchdogDueMs !== null && watchdogDueMs < dueMs) armWatchdog(turn, ms);
}

function armWatchdog(turn: ServiceTurn, ms: number): void {
  turn.set({ watchdogDueMs: turn.event.atMs + ms });
  turn.ask('armDeadline', { name: 'WatchdogSec', ms });
}

function keepAlive(turn: ServiceTurn): void {
  const ms = turn.context.watchdogMs ?? turn.context.settings.WatchdogSec;
  if (ms > 0) armWatchdog(turn, ms);
  else stopWatchdog(turn);
}

function stopWatchdog(turn: ServiceTurn): void {
  if (turn.context.watchdogDueMs === null) return;
  turn.set({ watchdogDueMs: null });
  turn.ask('disarmDeadline', { name: 'WatchdogSec' });
}

/** Start-up is over: from now on the service must report (systemd.service(5), WatchdogSec=). */
export const expectKeepAlive = serviceStep(keepAlive);
export const dropWatchdog = serviceStep(stopWatchdog);

/** FDSTORE=1 and FDSTOREREMOVE=1, within FileDescriptorStoreMax=. */
function hearFds(turn: ServiceTurn, event: NotifyEvent): void {
  const { storedFds, fdKeys, settings } = turn.context;
  if (event.fdstoreremove) {
    const fds = storedFds.filter((fd) => fd.name === event.fdname);
    if (fds.length === 0) return;
    turn.set({ storedFds: storedFds.filter((fd) => fd.name !== event.fdname) });
    turn.ask('dropFds', { fds });
    return;
  }
  const offered = event.fds ?? 0;
  if (offered === 0) return;
  const room = Math.max(0, settings.FileDescriptorStoreMax - storedFds.length);
  const fds = Array.from({ length: Math.min(offered, room) }, (_, index) => ({
    key: fdKeys + index,
    name: event.fdname ?? 'stored',
    ...(event.datagram === undefined ? {} : { datagram: event.datagram }),
  }));
  if (fds.length > 0) {
    turn.set({ storedFds: [...storedFds, ...fds], fdKeys: fdKeys + fds.length });
    turn.ask('keepFds', { datagram: event.datagram ?? null, fds });
  }
  if (fds.length < offered) {
    turn.ask('log', {
      level: 'warning',
      message: 'descriptors were closed: FileDescriptorStoreMax= is reached',
      closed: offered - fds.length,
      max: settings.FileDescriptorStoreMax,
    });
  }
}
