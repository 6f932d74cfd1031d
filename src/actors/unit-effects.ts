/**
 * What each effect of a unit machine does: the one place where decisions become calls on the host's ports.
 *
 * An effect answers with an event, never with a value. Those marked `once` carry their id to init, which does them
 * at most once; all others may run twice and leave the same result. Their meaning stands in src/machines/protocol.ts.
 */
import { type EffectId, type Host, HostError, LEAVES } from '../host/ports.ts';
import type { EffectName, EffectParams, Pid, StoredFd } from '../machines/protocol.ts';
import { effectKinds } from '../machines/protocol.ts';
import { notifyAccess, type ServiceContext } from '../machines/service-context.ts';
import type { UnitContext } from '../machines/view.ts';
import type { ActorEvent, EffectCall, EffectDef } from '../supervisor/actor.ts';
import { signalName } from '../units/syntax/signal.ts';
import type { Listen, Unit } from '../units/types.ts';
import type { ChaosHooks } from './chaos-logic.ts';
import { descendants, isExcepted } from './descent.ts';
import { errnoOf } from './errno.ts';
import { execSpec, type Moment, runtimeRoot } from './exec-spec.ts';
import type { Heirs } from './heirs.ts';
import type { Monitored } from './monitored.ts';
import {
  invocationId,
  listener,
  logPipe,
  notifyPath,
  notifySocket,
  part,
  storedFd,
  tagOf,
  unitGroup,
  watchTag,
} from './names.ts';
import { isNear, type PidFiles } from './pid-files.ts';
import { fitProcess, pidFilePath, readPidFile } from './processes.ts';
import type { Spawns } from './spawns.ts';
import { watchPaths } from './unit-paths.ts';
import { execSettings, sliceOf, type UnitWorld } from './world.ts';

/** Under which names descriptors of a datagram are stored, and by which effect; undefined: by one of an earlier core. */
export interface Kept {
  readonly names: readonly string[];
  readonly id: EffectId | undefined;
}

/** What the effects work with, besides the call. */
export interface UnitTools {
  readonly host: Host;
  readonly world: UnitWorld;
  /** Names that the descriptors of a datagram get when it is consumed, by the datagram's key. */
  readonly kept: Map<string, Kept>;
  /** Descriptors that a unit has been told it may keep. */
  storedFds(unit: string): readonly StoredFd[];
  /** What was asked of init and is not answered yet. */
  readonly spawns: Spawns;
  readonly heirs: Heirs;
  /** Whom a daemon's parent has left behind, while it is not known which of them is the main process. */
  heirsOf(unit: string): readonly Pid[];
  readonly pidFiles: PidFiles;
  readonly chaos: ChaosHooks;
  /** NAME=value that every service gets: DefaultEnvironment= and `sctl set-environment`. */
  environment(): readonly string[];
  /** A unit's control group, as its actor knows it ({@link groupOf}). */
  group(unit: Unit): string;
  /** There is a job for this unit. */
  pending(unit: string): boolean;
  /** Which path unit has started a unit, and for which path; undefined: none has. */
  triggerOf(unit: string): { readonly unit: string; readonly path: string } | undefined;
  /** The one service that names this unit in OnFailure= or OnSuccess=; undefined: there is none, or there are several. */
  monitoredOf(unit: string): Monitored | undefined;
  /** The invocation of a unit: how many times it was prepared. */
  invocation(unit: string): number;
}

type Run<Name extends EffectName> = (
  tools: UnitTools,
  unit: Unit,
  call: EffectCall,
  params: EffectParams[Name],
) => void;

/** The name of a unit actor's unit. */
export const unitOf = (actor: string): string => actor.slice('unit:'.length);

/**
 * The control group of a unit below init's root; every process of it is in there. While it runs that is the one it was started in, as
 * its machine knows; what is set now is for the next life.
 *
 * @param snapshot of its actor; undefined: it has none
 */
export const groupOf = (unit: Unit, snapshot: unknown): string =>
  unitGroup(
    unit.name,
    (snapshot as { readonly context?: Pick<UnitContext, 'slice'> } | undefined)?.context?.slice ?? sliceOf(unit),
  );

/** systemd's words for how a process ended: $EXIT_CODE and $EXIT_STATUS (systemd.exec(5)). */
function endedWords(
  ended: EffectParams['spawn']['result'],
): { result: string; code: string; status: string } | undefined {
  if (ended === undefined) return undefined;
  const how = ended.ended;
  if (how === null) return { result: ended.service, code: '', status: '' };
  if ('exited' in how) return { result: ended.service, code: 'exited', status: String(how.exited) };
  const [code, signal] = 'killed' in how ? ['killed', how.killed] : ['dumped', how.dumped];
  return { result: ended.service, code, status: signalName(signal).replace(/^SIG/, '') };
}

/** What the commands that start a service are told of the one whose end they look after. */
function monitoredWords(tools: UnitTools, unit: Unit, { list, result }: EffectParams['spawn']): Moment['monitored'] {
  if (unit.type !== 'service' || result !== undefined || (list !== 'ExecStart' && list !== 'ExecStartPre'))
    return undefined;
  const monitored = tools.monitoredOf(unit.name);
  const words = endedWords(monitored);
  if (monitored === undefined || words === undefined) return undefined;
  return { ...words, unit: monitored.unit, invocation: invocationOf(tools, monitored.unit) };
}

/** The sockets a service is handed, in the order of systemd: by socket unit, then as written. */
function listeners(tools: UnitTools, unit: Unit): { name: string; as: string }[] {
  return tools.world.socketsOf(unit.name).flatMap((name) => {
    const socket = tools.world.unit(name);
    if (socket?.socket === undefined || socket.socket.Accept) return [];
    const as = socket.socket.FileDescriptorName || name;
    return socket.socket.Listen.map((_, index) => ({ name: listener(name, index), as })).filter((fd) =>
      tools.host.sockets.stored(fd.name),
    );
  });
}

/** Does this service speak over a notify socket? (systemd.service(5), NotifyAccess=) */
export const speaks = (unit: Unit): boolean => unit.service !== undefined && notifyAccess(unit.service) !== 'none';

/** Say what failed, as an event of the actor and a line in the log. */
function failing(tools: UnitTools, unit: Unit, what: string, error: unknown): HostError {
  const fault = error instanceof HostError ? error : new HostError('EIO', String(error), error);
  tools.host.log.log('warning', { unit: unit.name, errno: fault.code, about: fault.about }, `${what} failed`);
  return fault;
}

/** As init would report it, were it so. False: nothing is to fail. */
function failsByChaos(tools: UnitTools, unit: Unit, call: EffectCall, { role, run }: EffectParams['spawn']): boolean {
  const { epoch, seq, index } = call.id;
  const id = `${epoch}.${seq}.${index}`;
  const failing = tools.chaos.failing(unit.name, id);
  if (failing === undefined) return false;
  const [number, step] = Object.entries(tools.host.execSteps).find(([, { name }]) => name === failing.step) ?? [];
  const words = step?.words ?? 'start a process';
  call.post(call.actor, {
    ...{ type: 'spawn-failed', role, run, serial: null },
    ...{ step: Number(number ?? 0), errno: errnoOf(failing.errno) ?? 0, detail: `chaos ${failing.run}` },
    why: `cannot ${words}: ${failing.errno}, by chaos ${failing.run}`,
    exitCode: step?.exitCode ?? 1,
    stepName: step?.name ?? 'SPAWN',
  });
  call.post('chaos', { type: 'spent', run: failing.run, unit: unit.name, id });
  return true;
}

/** A service is better started without a descriptor that it had stored than not at all; it looks at $LISTEN_FDNAMES. */
function lost({ host }: UnitTools, { name: unit }: Unit, name: string): false {
  host.log.log('error', { unit, name }, 'a descriptor that it has stored is lost');
  return false;
}

/** May the main process be one that this one leaves behind? A daemon's parent does, and so does who hands over by MAINPID=. */
const mayLeaveMain = (unit: Unit, { role, list }: EffectParams['spawn']): boolean =>
  role === 'main' ? speaks(unit) : list === 'ExecStart' && unit.service?.Type === 'forking';

const spawn: Run<'spawn'> = (tools, unit, call, params) => {
  if (failsByChaos(tools, unit, call, params)) return;
  const settings = execSettings(unit);
  const tag = tagOf(unit.name, params.role, params.run, params) + (mayLeaveMain(unit, params) ? LEAVES : '');
  if (settings === undefined) throw new Error(`${unit.name} has no commands, but was asked to run ${params.list}`);
  const fds = (params.fds ?? [])
    .map(({ key, name }) => ({ name: storedFd(unit.name, key), as: name }))
    .filter(({ name, as }) => tools.host.sockets.stored(name) || lost(tools, unit, as));
  const listen = params.fds === undefined ? [] : [...listeners(tools, unit), ...fds];
  const { spec, fds: names } = execSpec(
    unit,
    settings,
    params.command,
    {
      role: params.role,
      invocation: invocationOf(tools, unit.name),
      group: groupOf(unit, call.snapshot),
      mainPid: params.mainPid,
      ended: endedWords(params.result),
      listen,
      stored: fds.length,
      watchdogUsec: params.watchdogUsec,
      notify: speaks(unit),
      environment: tools.environment(),
      trigger: tools.triggerOf(unit.name),
      monitored: monitoredWords(tools, unit, params),
    },
    tools.host.facts,
    { available: tools.host.groups.available, root: tools.host.hello.cgroupRoot },
  );
  try {
    const unready = tools.spawns.unready(unit.name);
    if (unready !== undefined) throw unready;
    tools.spawns.asked(call.id, { unit: unit.name, role: params.role, run: params.run });
    tools.host.process.spawn(call.id, tag, spec, names);
  } catch (error) {
    tools.spawns.answered(call.id);
    const fault = failing(tools, unit, 'spawn', error);
    tellSpawnFailed(call, params, `${fault.code} on ${fault.about}`);
  }
};

function tellSpawnFailed(call: EffectCall, { role, run }: EffectParams['spawn'], detail: string): void {
  const why = `cannot start a process: ${detail}`;
  const nothing = { serial: null, step: 0, errno: 0, exitCode: 1, stepName: 'SPAWN' };
  call.post(call.actor, { type: 'spawn-failed', role, run, detail, why, ...nothing });
}

/** Asking for a process has killed core: there is none, unless init was asked before core died. */
const spawnSetAside = (tools: UnitTools) => (call: EffectCall, params: EffectParams['spawn'], why: string) => {
  const { id } = call;
  const isThere = tools.host.hello.children.some(
    (child) => child.id.epoch === id.epoch && child.id.seq === id.seq && child.id.index === id.index,
  );
  if (!isThere) tellSpawnFailed(call, params, why);
};

/** The invocation ID of the unit's present life. */
export const invocationOf = (tools: Pick<UnitTools, 'host' | 'invocation'>, unit: string): string =>
  invocationId(tools.host.facts.bootId, unit, tools.invocation(unit));

const signalGroup: Run<'signalGroup'> = (tools, unit, call, { except, signal }) => {
  const { host } = tools;
  if (host.groups.available) {
    host.process.kill(call.id, { group: { path: groupOf(unit, call.snapshot), except } }, signal);
    return;
  }
  const context = call.snapshot as { context?: Partial<ServiceContext> };
  const pidOf = (serial: number) =>
    [context.context?.main, context.context?.control].find((process) => process?.serial === serial)?.pid ?? undefined;
  for (const [index, process] of descendants(host, invocationOf(tools, unit.name)).entries()) {
    if (isExcepted(process, except, pidOf)) continue;
    host.process.kill(part(call.id, index + 1), { process: { watched: [process.pid, process.startTime] } }, signal);
  }
};

/** What the log keeper is told of a unit's log pipe. */
export function logMessage(tools: Pick<UnitTools, 'host' | 'invocation'>, unit: Unit): string {
  const settings = execSettings(unit);
  return JSON.stringify({
    unit: unit.name,
    invocation: invocationOf(tools, unit.name),
    identifier: settings?.SyslogIdentifier || commandName(unit),
    priority: settings?.SyslogLevel ?? 6,
    levelPrefix: settings?.SyslogLevelPrefix ?? true,
  });
}

/** SyslogIdentifier='s default: the name of the program (systemd.exec(5)). */
function commandName(unit: Unit): string {
  const path = unit.service?.ExecStart[0]?.path ?? unit.name;
  return path.slice(path.lastIndexOf('/') + 1);
}

/** What cannot be made is the failure of the spawns that follow: without its log pipe a unit is not started. */
const prepare: Run<'prepare'> = (tools, unit, call) => {
  try {
    makeReady(tools, unit, call);
    tools.spawns.prepared(unit.name, undefined);
  } catch (error) {
    tools.spawns.prepared(unit.name, failing(tools, unit, 'preparing', error));
  }
};

function makeReady(tools: UnitTools, unit: Unit, call: EffectCall): void {
  const { host } = tools;
  if (host.groups.available) {
    const group = groupOf(unit, call.snapshot);
    host.groups.ensure(group);
    for (const [attribute, value] of execlessAttributes(unit)) writeAttribute(tools, unit, group, attribute, value);
    // What a scope takes in is not there yet: to be told that it is empty would be the end of it.
    host.groups.watch(group, unit.scope === undefined ? undefined : false);
  }
  host.sockets.pipe(part(call.id, 1), logPipe(unit.name));
  // If the keeper is not there, it gets all pipes once it is.
  host.sockets.sendLog(logMessage(tools, unit), logPipe(unit.name));
  if (speaks(unit))
    host.sockets.notify(part(call.id, 2), notifySocket(unit.name), notifyPath(host.facts.runDirectory, unit.name));
}

/** systemd.resource-control(5) settings, as attributes to write. */
const execlessAttributes = (unit: Unit) =>
  (unit.service ?? unit.socket ?? unit.slice ?? unit.scope)?.CgroupAttributes ?? [];

/** A limit that the kernel here cannot keep is said once, and the unit starts without it (law 8). */
function writeAttribute(tools: UnitTools, unit: Unit, group: string, attribute: string, value: string): void {
  try {
    tools.host.groups.write(group, attribute, value);
  } catch (error) {
    failing(tools, unit, `${attribute}=${value} of the control group`, error);
  }
}

const release: Run<'release'> = (tools, unit, call, { restarting }) => {
  const { host } = tools;
  pruneGroup(tools, unit, call, undefined);
  const drop = [notifySocket(unit.name), `${logPipe(unit.name)}:r`, `${logPipe(unit.name)}:w`];
  if (!restarting) drop.push(...host.hello.fds.filter((name) => name.startsWith(`fdstore:${unit.name}:`)));
  host.sockets.drop(
    call.id,
    drop.filter((name) => host.sockets.stored(name)),
  );
  if (speaks(unit)) host.files.remove(notifyPath(host.facts.runDirectory, unit.name));
  const service = unit.service;
  if (service !== undefined && service.PIDFile !== '') {
    const path = pidFilePath(service.PIDFile);
    if (isNear(path)) host.files.remove(path);
    else tools.pidFiles.remove(unit);
  }
  const settings = execSettings(unit);
  if (settings === undefined || settings.RuntimeDirectoryPreserve === 'yes') return;
  if (restarting && settings.RuntimeDirectoryPreserve === 'restart') return;
  for (const entry of settings.RuntimeDirectory)
    host.files.removeTree(`${runtimeRoot(host.facts)}/${entry.split(':')[0]}`);
};

const pruneGroup: Run<'pruneGroup'> = (tools, unit, call) => {
  const { host } = tools;
  if (!host.groups.available) return;
  const group = groupOf(unit, call.snapshot);
  if (host.groups.populated(group)) return host.groups.watch(group);
  host.groups.unwatch(group);
  if (!host.groups.remove(group)) host.groups.watch(group);
};

const watchPidFile: Run<'watchPidFile'> = (tools, unit, call) => {
  const service = unit.service;
  if (service === undefined || service.PIDFile === '') return;
  if (!isNear(pidFilePath(service.PIDFile))) return tools.pidFiles.look(unit, groupOf(unit, call.snapshot));
  tools.host.files.watch(pidFilePath(service.PIDFile));
  const heirs = (call.snapshot as { context?: Partial<ServiceContext> }).context?.heirs;
  const found = readPidFile(tools.host, service.PIDFile, groupOf(unit, call.snapshot), heirs);
  if (found !== undefined) call.post(call.actor, { type: 'pid-file', ...found });
};

/** Everything of a Listen…= line that the socket port needs. */
function listenSpec(unit: Unit, listen: Listen) {
  const socket = unit.socket!;
  return {
    ...listen,
    backlog: socket.Backlog,
    socketMode: socket.SocketMode,
    directoryMode: socket.DirectoryMode,
    user: socket.SocketUser,
    group: socket.SocketGroup,
    options: socket.options,
  };
}

const openSockets: Run<'openSockets'> = (tools, unit, call) => {
  const { sockets, files } = tools.host;
  const lines = unit.socket?.Listen ?? [];
  try {
    for (const [index, line] of lines.entries())
      sockets.listen(part(call.id, index + 1), listener(unit.name, index), listenSpec(unit, line));
    const target = lines.find(({ address }) => address.startsWith('/'))?.address;
    for (const link of target === undefined ? [] : (unit.socket?.Symlinks ?? [])) {
      files.remove(link);
      files.symlink(target!, link);
    }
    call.post(call.actor, { type: 'sockets-opened' });
  } catch (error) {
    const fault = failing(tools, unit, 'listen', error);
    closeSockets(tools, unit, call, { remove: false });
    call.post(call.actor, { type: 'sockets-failed', errno: fault.code, detail: fault.about });
  }
};

const closeSockets: Run<'closeSockets'> = (tools, unit, call, { remove }) => {
  const lines = unit.socket?.Listen ?? [];
  tools.host.sockets.drop(
    call.id,
    lines.map((_, index) => listener(unit.name, index)),
  );
  if (!remove) return;
  for (const { address } of lines) if (address.startsWith('/')) tools.host.files.remove(address);
  for (const link of unit.socket?.Symlinks ?? []) tools.host.files.remove(link);
};

const eachListener = (unit: Unit, run: (name: string) => void) => {
  for (const index of (unit.socket?.Listen ?? []).keys()) run(listener(unit.name, index));
};

const adoptPids: Run<'adoptPids'> = (tools, unit, call, { pids }) => {
  const { host } = tools;
  const group = groupOf(unit, call.snapshot);
  let taken = 0;
  if (host.groups.available) {
    host.groups.ensure(group);
    for (const { pid, startTime } of pids) {
      if (fitProcess(host, pid)?.startTime !== startTime) continue;
      try {
        host.groups.write(group, 'cgroup.procs', String(pid));
        taken += 1;
      } catch (error) {
        failing(tools, unit, `taking in process ${pid}`, error);
      }
    }
    host.groups.watch(group);
  }
  call.post(call.actor, { type: taken > 0 ? 'adopted' : 'adopt-failed' });
};

/** A post to another actor; the effects of a unit reach `jobs` and `manager` only like this. */
const tell =
  <Name extends EffectName>(to: string, event: (unit: Unit, params: EffectParams[Name]) => ActorEvent): Run<Name> =>
  (_tools, unit, call, params) =>
    call.post(to, event(unit, params));

const runs: { readonly [Name in Exclude<EffectName, 'armDeadline' | 'disarmDeadline'>]: Run<Name> } = {
  spawn,
  signal: (tools, _unit, call, { process, signal }) => tools.host.process.kill(call.id, { process }, signal),
  signalGroup,
  abandon: (tools, unit, _call, { role, process }) =>
    tools.host.log.log('warning', { unit: unit.name, role, process }, 'a process will not end and is left behind'),
  watchMain: (tools, unit, call, { pid, startTime }) =>
    tools.host.process.watch(call.id, watchTag(unit.name, startTime), pid, startTime),
  watchPidFile,
  unwatchPidFile: (tools, unit) => {
    if (unit.service?.PIDFile) tools.host.files.unwatch(pidFilePath(unit.service.PIDFile));
  },
  prepare,
  release,
  pruneGroup,
  keepFds: (tools, unit, call, { datagram, fds }) => {
    if (datagram !== null)
      tools.kept.set(datagram, { names: fds.map(({ key }) => storedFd(unit.name, key)), id: call.id });
  },
  dropFds: (tools, unit, call, { fds }) =>
    tools.host.sockets.drop(
      call.id,
      fds.map(({ key }) => storedFd(unit.name, key)),
    ),
  requestJob: tell('jobs', (unit, { verb, unit: other, mode, why }) => ({
    type: 'request',
    request: { verb, units: [other ?? unit.name], mode, by: `${unit.name}: ${why}`, automatic: true },
    client: { unit: unit.name },
  })),
  refuse: tell('jobs', (unit, params) => ({ type: 'unit-refused', unit: unit.name, ...params })),
  // Jobs learn of it by the change of state itself (unit-kinds.ts); this is for people.
  ended: (tools, unit, _call, { active, result, restarting }) =>
    tools.host.log.log(
      result === 'success' ? 'info' : 'notice',
      { unit: unit.name, result, restarting },
      `unit is ${active}`,
    ),
  unitAction: tell('manager', (unit, params) => ({ type: 'unit-action', unit: unit.name, ...params })),
  propagateReload: tell('jobs', (unit) => ({ type: 'reload-propagated', unit: unit.name })),
  openSockets,
  closeSockets,
  watchSockets: ({ host }, unit) =>
    // One that could not be opened again is told by `sockets-failed`.
    eachListener(unit, (name) => void (host.sockets.stored(name) && host.sockets.watch(name))),
  unwatchSockets: (tools, unit) => eachListener(unit, (name) => tools.host.sockets.unwatch(name)),
  flushSockets: (tools, unit) => eachListener(unit, (name) => tools.host.sockets.flush(name)),
  watchPaths: ({ host }, unit, call, { round, make }) => watchPaths(host, unit, call.snapshot, round, make),
  unwatchPaths: ({ host }, unit) => host.paths.unwatch(unit.name),
  adoptPids,
  log: (tools, unit, _call, { level, message, ...fields }) =>
    tools.host.log.log(level, { unit: unit.name, ...fields }, message),
};

/** The effects of all unit machines, for the actor host. A unit that is gone from memory has nothing done to it, and it is said. */
export function unitEffects(tools: UnitTools): Readonly<Record<string, EffectDef>> {
  return Object.fromEntries(
    Object.entries(runs).map(([name, run]) => [
      name,
      {
        kind: effectKinds[name as EffectName],
        ...(name === 'spawn' ? { setAside: spawnSetAside(tools) as NonNullable<EffectDef['setAside']> } : {}),
        run(call: EffectCall, params: never) {
          const unit = tools.world.unit(unitOf(call.actor));
          if (unit === undefined) throw new Error(`${call.actor}: ${name} is asked for, but the unit is not in memory`);
          (run as (tools: UnitTools, unit: Unit, call: EffectCall, params: unknown) => void)(tools, unit, call, params);
        },
      },
    ]),
  );
}
