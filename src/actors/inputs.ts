/**
 * From what the host reports to inputs of the actor host: whom it concerns, in the words of the machines.
 *
 * Reading along (is the group populated? what does the PID file say?) happens here, at the moment the input is taken,
 * so that it is part of the recorded input and not of a decision.
 */
import {
  type Datagram,
  type EffectId,
  type Host,
  type HostEvent,
  type InitRecord,
  type Left,
  REEXEC_ID,
} from '../host/ports.ts';
import type { ExitedEvent } from '../machines/protocol.ts';
import type { ActorEvent, Input, Post } from '../supervisor/actor.ts';
import type { Unit } from '../units/types.ts';
import { descendants } from './descent.ts';
import { errnoName } from './errno.ts';
import { guessHeir } from './heirs.ts';
import { parseTag, storedFd, unitOfName } from './names.ts';
import { parseNotify } from './notify.ts';
import { isNear } from './pid-files.ts';
import { fitProcess, pidFilePath, readPidFile, within } from './processes.ts';
import type { Asked } from './spawns.ts';
import { invocationOf, type Kept, type UnitTools } from './unit-effects.ts';
import { pathEvent } from './unit-paths.ts';

/** A hint without an identity of its own: it has no key, since a counter would begin again with the next core. */
const loose = (events: readonly Post[]): Input => ({ events });

const toUnit = (unit: string, event: ActorEvent): Post => ({ to: `unit:${unit}`, event });

/** Is anything left of the unit, and what would be its main process now? */
function afterExit(
  tools: UnitTools,
  unit: Unit | undefined,
  left: Left | undefined,
): Pick<ExitedEvent, 'populated' | 'candidate' | 'heirs'> {
  if (unit === undefined) return { populated: false };
  const { host } = tools;
  const group = tools.group(unit);
  const populated = isPopulated(tools, unit);
  const service = unit.service;
  if (service === undefined) return { populated };
  let candidate: ExitedEvent['candidate'];
  let heirs: ExitedEvent['heirs'];
  if (service.PIDFile !== '') {
    heirs = left?.heirs.map(({ pid, startTime }) => ({ pid, startTime }));
    if (isNear(pidFilePath(service.PIDFile)))
      candidate = readPidFile(host, service.PIDFile, group, heirs ?? tools.heirsOf(unit.name));
    // One that lies elsewhere is waited for: the helper looks for it, and answers with `pid-file`. Who would wait is gone already.
    else if (!populated) candidate = guessHeir(host, [], left);
  } else if (service.Type === 'forking' && service.GuessMainPID)
    candidate = guessHeir(host, membersOf(tools, unit), left);
  return { populated, ...(candidate === undefined ? {} : { candidate }), ...(heirs === undefined ? {} : { heirs }) };
}

/** The pids of a unit's processes. */
function membersOf(tools: UnitTools, unit: Unit): readonly number[] {
  const { groups } = tools.host;
  if (groups.available) return groups.processes(tools.group(unit));
  return descendants(tools.host, invocationOf(tools, unit.name)).map(({ pid }) => pid);
}

const isPopulated = (tools: UnitTools, unit: Unit): boolean =>
  tools.host.groups.available ? tools.host.groups.populated(tools.group(unit)) : membersOf(tools, unit).length > 0;

/**
 * Without control groups nobody tells when the last process of a unit has ended: asked for the units that were populated.
 *
 * @param thought what the unit's machine was told last; undefined: nothing
 */
export function emptied(
  tools: UnitTools,
  units: Iterable<Unit>,
  thought: (unit: string) => boolean | undefined,
): Input[] {
  if (tools.host.groups.available) return [];
  return [...units]
    .filter((unit) => thought(unit.name) === true && !isPopulated(tools, unit))
    .map((unit) => ({ events: [toUnit(unit.name, { type: 'empty' })] }));
}

/** In the form of all our errors: what could not be done, the error, and on what. */
const failure = (words: string, errno: number, detail: string): string =>
  `cannot ${words}: ${[errnoName(errno), detail].filter((part) => part !== '').join(' on ')}`;

/** The posts of one of init's records. Outcomes that nobody waits for (done, signalled) have none: they are only acknowledged. */
function recordPosts(tools: UnitTools, { what }: InitRecord): Post[] {
  if ('done' in what) {
    const { epoch, seq, index } = what.done.id;
    const isReexec = epoch === REEXEC_ID.epoch && seq === REEXEC_ID.seq && index === REEXEC_ID.index;
    return isReexec ? [{ to: 'upgrade', event: { type: 'init-replaced' } }] : [];
  }
  if ('signal' in what) return [{ to: 'manager', event: { type: 'signal', signal: what.signal.signal } }];
  const report =
    'forked' in what
      ? { type: 'forked', ...what.forked }
      : 'execed' in what
        ? { type: 'execed', ...what.execed }
        : 'exited' in what
          ? { type: 'exited', ...what.exited }
          : 'spawn-failed' in what
            ? { type: 'spawn-failed', ...what['spawn-failed'] }
            : 'watched-exited' in what
              ? { type: 'main-gone', ...what['watched-exited'] }
              : undefined;
  if (report === undefined) return [];
  const { tag, id, ...fields } = report as typeof report & { id?: EffectId };
  const left = report.type === 'exited' ? tools.heirs.taken(tag) : undefined;
  if (id !== undefined && (report.type === 'forked' || report.type === 'spawn-failed')) tools.spawns.answered(id);
  const whose = parseTag(tag);
  if (whose === undefined) return [];
  const run = { role: whose.role, run: whose.number };
  if (whose.unit.startsWith('@')) return [{ to: whose.unit.slice(1), event: { ...fields, ...run } }];
  const unit = tools.world.unit(whose.unit);
  switch (report.type) {
    case 'main-gone':
      return [toUnit(whose.unit, { ...fields, startTime: whose.number, ...afterExit(tools, unit, left) })];
    case 'exited':
      return [toUnit(whose.unit, { ...fields, ...run, ...afterExit(tools, unit, left) })];
    case 'spawn-failed': {
      const { step: number, errno, detail } = report as unknown as { step: number; errno: number; detail: string };
      const step = tools.host.execSteps[number];
      const failed = {
        exitCode: step?.exitCode ?? 1,
        stepName: step?.name ?? 'SPAWN',
        why: failure(step?.words ?? 'start a process', errno, detail),
      };
      return [toUnit(whose.unit, { ...fields, ...run, ...failed })];
    }
    default:
      return [toUnit(whose.unit, { ...fields, ...run })];
  }
}

/** For the unit: init has not even tried to start its process. */
export function notSpawned({ unit, ...run }: Asked, errno: number, why: string): Post {
  const nothing = { serial: null, step: 0, errno, detail: why, exitCode: 1, stepName: 'SPAWN' };
  return toUnit(unit, { type: 'spawn-failed', ...run, ...nothing, why: failure('start a process', errno, why) });
}

/** The identity of a datagram (DESIGN section 6). */
export const datagramKey = ({ socket, pid, atNs, hash }: Datagram): string => `${socket}/${pid}/${atNs}/${hash}`;

/** When a datagram was sent, on CLOCK_MONOTONIC in ms; never later than now. */
function sentMs(host: Host, { atNs }: Datagram): number {
  const now = host.clock.nowMs();
  const agoMs = host.clock.realMs() - Number(atNs) / 1e6;
  return agoMs > 0 && agoMs < 3_600_000 ? now - agoMs : now;
}

function notifyPost(tools: UnitTools, datagram: Datagram): Post[] {
  const { host, world } = tools;
  const name = unitOfName(datagram.socket);
  const unit = name === undefined ? undefined : world.unit(name);
  if (unit === undefined) return [];
  const { message, unknown } = parseNotify(datagram.text);
  if (unknown.length > 0)
    host.log.log('debug', { unit: unit.name, unknown }, 'notify message with lines that mean nothing');
  const group = tools.group(unit);
  const memberOf = (pid: number) => {
    const sender = host.process.inspect(pid);
    return sender === undefined || !host.groups.available || within(sender.group, group);
  };
  const {
    ready,
    reloading,
    stopping,
    mainPid,
    fdstore,
    fdstoreremove,
    notifyAccess: _access,
    barrier: _barrier,
    ...rest
  } = message;
  const heir = mainPid === undefined ? undefined : tools.heirs.named(unit.name, mainPid);
  const main = mainPid === undefined ? undefined : (heir ?? fitProcess(host, mainPid));
  const last = [...datagram.text.matchAll(/^(READY|RELOADING|STOPPING)=1$/gm)].at(-1)?.[1];
  const state = last === undefined ? undefined : (last.toLowerCase() as 'ready' | 'reloading' | 'stopping');
  const mute = rest.watchdog === 'ping' && tools.chaos.mute(unit.name);
  const run = state === 'ready' ? tools.chaos.holding(unit.name) : undefined;
  const sender = { pid: datagram.pid, uid: datagram.uid, member: memberOf(datagram.pid) };
  if (mute) delete (rest as { watchdog?: unknown }).watchdog;
  // Held back is only that it is ready; whatever else it says is heard.
  const held: Post[] =
    run === undefined
      ? []
      : [
          {
            to: 'chaos',
            event: {
              ...{ type: 'held', run, unit: unit.name, invocation: tools.invocation(unit.name) },
              event: { type: 'notify', ...sender, state },
            },
          },
        ];
  return [
    ...held,
    toUnit(unit.name, {
      type: 'notify',
      // Only what counts from its own time is stamped with it: a READY=1 that waited while core was away must not arm
      // deadlines that are over at once.
      ...(state === undefined ? { atMs: sentMs(host, datagram) } : {}),
      ...sender,
      ...rest,
      ...(state === undefined || run !== undefined || (!ready && !reloading && !stopping) ? {} : { state }),
      ...(reloading ? { reloading: true } : {}),
      ...(main === undefined
        ? {}
        : {
            mainPid: {
              ...{ pid: main.pid, startTime: main.startTime },
              member: heir !== undefined || memberOf(main.pid),
            },
          }),
      ...(fdstore && datagram.fds > 0 ? { fds: datagram.fds, datagram: datagramKey(datagram) } : {}),
      ...(fdstoreremove ? { fdstoreremove: true } : {}),
    }),
  ];
}

/**
 * Of a datagram that an earlier core has committed and not taken: which of its descriptors the unit keeps, and init does not have
 * yet. The effect that kept them is over, and its id with it.
 */
function leftBehind({ host, storedFds }: UnitTools, { socket }: Datagram, key: string): Kept {
  const unit = unitOfName(socket);
  const names = (unit === undefined ? [] : storedFds(unit))
    .filter((fd) => fd.datagram === key)
    .map((fd) => storedFd(unit as string, fd.key));
  return { names: names.some((name) => host.sockets.stored(name)) ? [] : names, id: undefined };
}

/** The unit that a control group belongs to: its last component; init's root is the root slice. */
const unitOfGroup = (path: string) => path.slice(path.lastIndexOf('/') + 1) || '-.slice';

/** There is nobody left to write PIDFile=, but who was left behind may have done so before. */
function lastPidFilePosts(tools: UnitTools, unit: Unit): Post[] {
  const setting = unit.service?.PIDFile ?? '';
  if (tools.heirsOf(unit.name).length === 0 || !isNear(pidFilePath(setting))) return [];
  return pidFilePosts(tools, pidFilePath(setting), [unit]);
}

/** PIDFile= of units that wait for it, by path. */
function pidFilePosts(tools: UnitTools, path: string, waiting: Iterable<Unit>): Post[] {
  const posts: Post[] = [];
  for (const unit of waiting) {
    const setting = unit.service?.PIDFile;
    if (setting === undefined || setting === '' || pidFilePath(setting) !== path) continue;
    const found = readPidFile(tools.host, setting, tools.group(unit), tools.heirsOf(unit.name));
    if (found !== undefined) posts.push(toUnit(unit.name, { type: 'pid-file', ...found }));
  }
  return posts;
}

/**
 * The input that an event of the host makes; undefined: none of the actors'. Clients and helper answers are core's own business.
 *
 * @param units the units in memory, for events that name a path only
 */
export function inputOf(tools: UnitTools, event: HostEvent, units: () => Iterable<Unit>): Input | undefined {
  const { host } = tools;
  switch (event.type) {
    case 'record':
      if ('left' in event.record.what) {
        tools.heirs.told(event.record.what.left);
        return undefined;
      }
      return { key: `record:${event.record.number}`, events: recordPosts(tools, event.record) };
    case 'refused': {
      const { id, errno, why } = event;
      host.log.log('error', { id, errno }, `init refused: ${why}`);
      const asked = id === null ? undefined : tools.spawns.answered(id);
      // Of no effect: it may be the re-exec that somebody waits for.
      if (id === null) return { events: [{ to: 'upgrade', event: { type: 'init-refused', why, errno } }] };
      if (asked === undefined) return undefined;
      return { events: [notSpawned(asked, errno, why)] };
    }
    case 'datagram': {
      const { datagram } = event;
      const key = datagramKey(datagram);
      return {
        key,
        events: notifyPost(tools, datagram),
        consume() {
          const { names, id } = tools.kept.get(key) ?? leftBehind(tools, datagram, key);
          tools.kept.delete(key);
          host.sockets.consume(datagram, names, id);
        },
      };
    }
    case 'readable': {
      const unit = unitOfName(event.name);
      return unit === undefined ? undefined : loose([toUnit(unit, { type: 'readable', name: event.name })]);
    }
    case 'group': {
      const name = unitOfGroup(event.path);
      const unit = tools.world.unit(name);
      // Groups are watched until they are removed, which may be later than their unit.
      if (unit === undefined) return undefined;
      if (event.populated) return loose([toUnit(name, { type: 'populated' })]);
      return loose([...lastPidFilePosts(tools, unit), toUnit(name, { type: 'empty' })]);
    }
    case 'path': {
      const posts = pidFilePosts(tools, event.path, units());
      return posts.length === 0 ? undefined : loose(posts);
    }
    case 'paths':
    case 'path-changed':
    case 'paths-failed':
      return tools.world.unit(event.name) === undefined ? undefined : loose([toUnit(event.name, pathEvent(event))]);
    case 'mounts':
    case 'clock-changed':
    case 'wake':
    case 'client':
    case 'answer':
      return undefined;
  }
}
