/**
 * How units look to those who ask: snapshots of machines, control groups and settings, put into the words of src/api.
 *
 * Reads only; everything is made anew at each question, nothing is kept.
 */
import type { CommandRecord, Exit, GroupView, Stamp, UnitState } from '../api/manager.ts';
import type { Ended, Host } from '../host/ports.ts';
import type { JobType } from '../jobs/types.ts';
import type { PathContext } from '../machines/path-context.ts';
import type { CommandStatus, ServiceContext } from '../machines/service-context.ts';
import { type UnitSnapshot, view } from '../machines/view.ts';
import type { Command, Unit } from '../units/types.ts';
import { invocationId } from './names.ts';
import { attempt } from './open-sockets.ts';
import { groupOf } from './unit-effects.ts';

/** A moment on CLOCK_MONOTONIC, ms, with what the clock on the wall shows for it now. */
export function stampOf(host: Host, monotonicMs: number): Stamp {
  const realMs = host.clock.realMs() - host.clock.nowMs() + monotonicMs;
  return { realUs: Math.round(realMs * 1000), monotonicUs: Math.round(monotonicMs * 1000) };
}

/** When init began, CLOCK_MONOTONIC in ms, as it tells core in its environment; undefined: it does not. */
export function userspaceMs({ facts }: Host): number | undefined {
  const us = facts.environment['SYSMASTER_USERSPACE_US'];
  return us === undefined || !/^\d{1,16}$/.test(us) ? undefined : Number(us) / 1000;
}

export const stampOrNone = (host: Host, ms: number | null | undefined): Stamp | undefined =>
  ms === null || ms === undefined ? undefined : stampOf(host, ms);

const exitOf = (ended: Ended | null): Exit | undefined => {
  if (ended === null) return undefined;
  if ('exited' in ended) return { code: 'exited', status: ended.exited };
  return 'killed' in ended ? { code: 'killed', status: ended.killed } : { code: 'dumped', status: ended.dumped };
};

function commandRecord(
  host: Host,
  setting: string,
  index: number,
  command: Command,
  status: CommandStatus,
): CommandRecord {
  return {
    setting,
    index,
    path: command.path,
    argv: command.argv,
    ignoreFailure: command.ignoreFailure,
    pid: status.pid,
    started: stampOf(host, status.startMs),
    ended: stampOrNone(host, status.exitMs),
    exit: exitOf(status.ended),
  };
}

const LISTS = [
  'ExecCondition',
  'ExecStartPre',
  'ExecStart',
  'ExecStartPost',
  'ExecReload',
  'ExecStop',
  'ExecStopPost',
] as const;

/** The part of a unit's state that only services have. */
function serviceState(host: Host, unit: Unit, context: ServiceContext): UnitState['service'] {
  const service = unit.service;
  if (service === undefined) return undefined;
  const commands = LISTS.flatMap((list) =>
    (context.commands[list] ?? []).flatMap((status, index) => {
      const command = service[list][index];
      return status === null || command === undefined ? [] : [commandRecord(host, list, index, command, status)];
    }),
  );
  const first = service.ExecStart[0];
  const main = context.mainStatus;
  return {
    mainPid: context.main?.pid ?? 0,
    controlPid: context.control?.pid ?? 0,
    main: main === null || first === undefined ? undefined : commandRecord(host, 'ExecStart', 0, first, main),
    statusText: context.statusText,
    statusErrno: context.statusErrno,
    nRestarts: context.nRestarts,
    watchdog: undefined,
    fdStore: context.storedFds.length,
    commands,
    reloadResult: context.reloadResult,
  };
}

/** A number in an attribute of a control group; `max` and what is not there are undefined. */
function attribute(host: Host, group: string, name: string): number | undefined {
  const text = host.groups.read(group, name)?.trim();
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** CPU time of a group in ns: cgroup2 counts it without any controller. */
function cpuNs(host: Host, group: string): number | undefined {
  const usec = /^usage_usec (\d+)$/m.exec(host.groups.read(group, 'cpu.stat') ?? '')?.[1];
  return usec === undefined ? undefined : Number(usec) * 1000;
}

const PAGE_BYTES = 4096;

/** Memory of a group: as accounted, or, where there is no memory controller, the sum of its processes' resident pages. */
function memoryBytes(host: Host, group: string): number | undefined {
  const accounted = attribute(host, group, 'memory.current');
  if (accounted !== undefined) return accounted;
  const pages = host.groups
    .processes(group)
    .map((pid) => Number(/^\d+ (\d+)/.exec(host.files.readText(`/proc/${pid}/statm`) ?? '')?.[1] ?? 0));
  return pages.length === 0 ? undefined : pages.reduce((sum, count) => sum + count, 0) * PAGE_BYTES;
}

/** What a unit is doing now. `snapshot` undefined: it has no actor, and does nothing. */
export function unitState(
  host: Host,
  unit: Unit,
  snapshot: UnitSnapshot | undefined,
  job: { readonly id: number; readonly type: JobType } | undefined,
  checks: Pick<UnitState, 'condition' | 'assertion'>,
  supervision?: UnitState['supervision'],
): UnitState {
  const seen = snapshot === undefined ? undefined : view(snapshot);
  const group = groupOf(unit, snapshot);
  const hasGroup =
    host.groups.available &&
    group !== '' &&
    seen !== undefined &&
    host.groups.read(group, 'cgroup.procs') !== undefined;
  const context = snapshot?.context as (ServiceContext & { readonly invocation?: number }) | undefined;
  const counted = hasGroup && unit.type !== 'target';
  return {
    active: seen?.active ?? 'inactive',
    sub: seen?.sub ?? 'dead',
    result: seen?.result ?? 'success',
    job,
    following: undefined,
    invocationId:
      (context?.invocation ?? 0) > 0 && seen?.since.inactiveExitMs !== null
        ? invocationId(host.facts.bootId, unit.name, context!.invocation)
        : '',
    stateChange: stampOrNone(host, seen?.since.stateChangeMs),
    activeEnter: stampOrNone(host, seen?.since.activeEnterMs),
    activeExit: stampOrNone(host, seen?.since.activeExitMs),
    inactiveEnter: stampOrNone(host, seen?.since.inactiveEnterMs),
    inactiveExit: stampOrNone(host, seen?.since.inactiveExitMs),
    ...checks,
    needDaemonReload: filesChanged(host, unit),
    controlGroup: hasGroup ? `/${group}` : '',
    tasks: counted ? (attribute(host, group, 'pids.current') ?? host.groups.processes(group).length) : undefined,
    tasksMax: counted ? attribute(host, group, 'pids.max') : undefined,
    memoryBytes: counted ? memoryBytes(host, group) : undefined,
    memoryPeakBytes: counted ? attribute(host, group, 'memory.peak') : undefined,
    cpuNs: counted ? cpuNs(host, group) : undefined,
    service: unit.type === 'service' && context !== undefined ? serviceState(host, unit, context) : undefined,
    socket:
      unit.type === 'socket'
        ? { accepted: 0, connections: 0, refused: 0, controlPid: context?.control?.pid ?? 0 }
        : undefined,
    path: unit.type === 'path' ? pathState(snapshot?.context as Partial<PathContext> | undefined) : undefined,
    supervision,
  };
}

const pathState = (context: Partial<PathContext> | undefined): UnitState['path'] => ({
  triggered: context?.nTriggered ?? 0,
  triggeredBy: context?.triggeredBy ?? undefined,
});

/** When units were last read, in ms of CLOCK_REALTIME; a file that is newer wants a daemon-reload. */
let readMs = Number.POSITIVE_INFINITY;
/** Tell that all unit files have just been read. */
export function unitsRead(realMs: number): void {
  readMs = realMs;
}

/** Units that were read later than all of them. */
const readLater = new WeakMap<Unit, number>();
export function unitsReadLater(units: readonly Unit[], realMs: number): void {
  for (const unit of units) readLater.set(unit, realMs);
}

/** When the unit itself was read, ms of CLOCK_REALTIME; undefined: it comes from no file. */
export const unitReadAt = (unit: Unit): number | undefined => readLater.get(unit);

function changedSince(host: Host, path: string, readMs: number): boolean {
  if (path === '' || readMs === Number.POSITIVE_INFINITY) return false;
  return (attempt(() => host.files.stat(path))?.mtimeMs ?? Number.POSITIVE_INFINITY) > readMs; // what is gone has changed, too
}

/**
 * Would loading the unit again find other files, or the same with another text? What lies outside of the unit path is not looked at, and a
 * place that cannot be looked at (a circle of links, a broken disk) holds nothing: who loads from there is told why.
 */
export function filesChanged(host: Host, unit: Unit): boolean {
  const sinceMs = Math.max(readMs, readLater.get(unit) ?? 0);
  if ([unit.fragmentPath, ...unit.dropInPaths].some((path) => changedSince(host, path, sinceMs))) return true;
  const known = new Set(unit.dropInPaths);
  const places = new Set([unit.fragmentPath, ...unit.dropInPaths].filter((path) => path !== '').map(unitDirectory));
  for (const place of [...places, '/etc/sysmaster/system', '/etc/systemd/system', '/run/systemd/system']) {
    for (const name of unit.names) {
      const directory = `${place}/${name}.d`;
      if ((attempt(() => host.files.stat(directory))?.mtimeMs ?? 0) <= sinceMs) continue;
      const fresh = (attempt(() => host.files.list(directory)) ?? []).filter((file) => file.endsWith('.conf'));
      if (fresh.some((file) => !known.has(`${directory}/${file}`))) return true;
    }
  }
  return false;
}

/** The directory of the unit path that a unit file or a drop-in is in. */
const unitDirectory = (path: string): string => path.replace(/(\/[^/]+\.d)?\/[^/]+$/, '');

/** A control group with its processes and the groups below; undefined: empty or not there. */
export function groupView(host: Host, path: string): GroupView | undefined {
  const direct = host.groups.read(path, 'cgroup.procs');
  if (direct === undefined) return undefined;
  const processes = direct
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => ({ pid: Number(line), command: commandLine(host, Number(line)) }));
  const children = host.groups
    .children(path)
    .flatMap((name) => groupView(host, path === '' ? name : `${path}/${name}`) ?? []);
  return processes.length === 0 && children.length === 0 ? undefined : { path: `/${path}`, processes, children };
}

/** A process's command line, or its name in brackets where there is none (kernel threads, zombies). */
function commandLine(host: Host, pid: number): string {
  const text = host.files.readText(`/proc/${pid}/cmdline`)?.replace(/\0+$/, '').replaceAll('\0', ' ');
  return text !== undefined && text !== '' ? text : `[${host.process.inspect(pid)?.comm ?? pid}]`;
}
