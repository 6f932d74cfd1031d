/**
 * The ports of one simulated core, over the parts of the machine that outlive it. Nothing is decided here.
 */
import {
  type Answer,
  type CgroupPort,
  type Host,
  HostError,
  type LogPort,
  type NotesPort,
  type SocketPort,
} from '../ports.ts';
import type { Core } from './core.ts';
import type { VirtualFiles } from './files.ts';
import type { VirtualInit } from './init.ts';
import type { Kernel } from './kernel.ts';
import type { Processes } from './processes.ts';
import { type Sockets, SocketView } from './sockets.ts';
import type { SimState } from './state.ts';
import type { VirtualPaths } from './unit-paths.ts';

export interface Machine {
  readonly kernel: Kernel;
  readonly files: VirtualFiles;
  readonly state: SimState;
  readonly sockets: Sockets;
  readonly processes: Processes;
  readonly init: VirtualInit;
  readonly life: Core;
  /** Empty: there are no control groups. */
  readonly cgroupRoot: string;
  readonly watchedGroups: Set<string>;
  readonly watchedPaths: Set<string>;
  readonly paths: VirtualPaths;
  answer(request: string): Answer;
  readonly answerMs: number;
  send(session: number, message: string): void;
  close(session: number): void;
  readonly log: LogPort['log'];
}

type Ports = Pick<
  Host,
  | 'process'
  | 'init'
  | 'sockets'
  | 'groups'
  | 'files'
  | 'clock'
  | 'state'
  | 'notes'
  | 'loaded'
  | 'helper'
  | 'paths'
  | 'api'
  | 'log'
>;

/** Room for each, as the real host has it (src/host/node/index.ts). */
const NOTES_BYTES = 4 * 1024 * 1024;
const LOADED_BYTES = 128 * 1024 * 1024;

const keptText = (kept: { text: string }, bytes: number): NotesPort => {
  /** With the NUL at its end; a character takes three bytes at most, so that little is counted as a rule. */
  const fitting = (text: string): string => {
    const long = 3 * text.length >= bytes && new TextEncoder().encode(text).length >= bytes;
    if (long) throw new HostError('ENOSPC', `notes of more than ${bytes} bytes`);
    return text;
  };
  return {
    load: () => kept.text,
    append(text) {
      kept.text = fitting(kept.text + text);
    },
    replace(text) {
      kept.text = fitting(text);
    },
  };
};

export function makePorts(machine: Machine): { readonly host: Ports; readonly view: SocketView } {
  const { kernel, files, state, sockets, processes, init, life } = machine;
  const view = new SocketView(sockets, (event) => life.emit(event));
  const host: Ports = {
    process: {
      spawn: (id, tag, spec, fds) => init.spawn(id, tag, spec, fds),
      kill: (id, target, signal) => init.kill(id, target, signal),
      watch: (id, tag, pid, startTime) => init.watch(id, tag, pid, startTime),
      accept: (id, listener, name) => init.accept(id, listener, name),
      ack: (through) => init.ack(through),
      inspect(pid) {
        const process = processes.get(pid);
        if (process === undefined) return undefined;
        const { ppid, startTime, group, path } = process;
        return { ppid, startTime, group, comm: path.slice(path.lastIndexOf('/') + 1, path.length).slice(0, 15) };
      },
      // Its programs hold no connections.
      unixPeer: () => undefined,
      socketHolders: () => [],
    },
    init: {
      ready() {},
      beat() {},
      loading() {},
      shutdown(kind, deadlineMs, now, status, argument) {
        if (init.shutdown({ kind, deadlineMs, now, status, argument }) && now)
          for (const process of processes.all()) processes.end(process, { killed: 9 });
      },
      reexecCore() {
        init.leaving = true;
      },
      reexecInit: (path) => init.reexec(path),
      get settled() {
        return !init.linkFull;
      },
      mark(seq, phase, actor) {
        life.box = { seq, phase, actor };
      },
    },
    sockets: socketPort(machine, view),
    groups: groupPort(machine),
    files: {
      readText: (path) => files.readText(path),
      readOwn: (path) => files.readText(path),
      readBytes: (path, maxBytes) => files.readBytes(path, maxBytes),
      list: (path) => (files.stat(path)?.kind === 'directory' ? files.list(path) : undefined),
      lstat: (path) => files.lstat(path),
      stat: (path) => files.stat(path),
      readlink: (path) => (files.lstat(path)?.kind === 'symlink' ? files.readlink(path) : undefined),
      writeText(path, text, mode) {
        needParent(files, path);
        files.writeText(path, text, mode);
      },
      mkdirs(path, mode) {
        const there = files.stat(path);
        if (there !== undefined && there.kind !== 'directory') throw new HostError('EEXIST', path);
        files.mkdirs(path, mode);
      },
      symlink(target, path) {
        needParent(files, path);
        files.symlink(target, path);
      },
      remove(path) {
        if (files.lstat(path)?.kind === 'directory') throw new HostError('EISDIR', path);
        files.remove(path);
      },
      removeTree: (path) => files.removeTree(path),
      access: (path, mode) => files.access(path, mode),
      watch(path) {
        if (machine.watchedPaths.has(path)) return;
        machine.watchedPaths.add(path);
        if (files.lstat(path) !== undefined) life.emit({ type: 'path', path });
      },
      unwatch: (path) => void machine.watchedPaths.delete(path),
    },
    clock: {
      nowMs: () => kernel.nowMs,
      realMs: () => kernel.nowMs + kernel.realOffsetMs,
      bootMs: () => kernel.nowMs,
      wakeAt(monotonicMs) {
        if (life.wake !== undefined) life.wake.cancelled = true;
        life.wake = undefined;
        if (monotonicMs === undefined || !Number.isFinite(monotonicMs)) return;
        life.wake = kernel.after(monotonicMs - kernel.nowMs, () => life.emit({ type: 'wake' }));
      },
    },
    state,
    notes: keptText(init.notes, NOTES_BYTES),
    loaded: keptText(init.loaded, LOADED_BYTES),
    helper: {
      checkPaths(key, request) {
        kernel.after(machine.answerMs, () => life.emit({ type: 'answer', key, result: machine.answer(request) }));
      },
    },
    paths: machine.paths.port(life, machine.answerMs),
    api: {
      send: (session, message) => machine.send(session, message),
      close: (session) => machine.close(session),
    },
    log: { log: machine.log },
  };
  return { host, view };
}

/** A file is not made in a directory that is not there; what tests and programs write makes its own. */
function needParent(files: VirtualFiles, path: string): void {
  const parent = path.slice(0, path.lastIndexOf('/')) || '/';
  const kind = files.stat(parent)?.kind;
  if (kind !== 'directory') throw new HostError(kind === undefined ? 'ENOENT' : 'ENOTDIR', path);
}

function socketPort({ kernel, life, sockets, init, files }: Machine, view: SocketView): SocketPort {
  return {
    listen(id, name, spec) {
      if (sockets.stored(name)) return;
      sockets.listen(name, spec);
      if (spec.address.startsWith('/')) files.special(spec.kind === 'fifo' ? 'fifo' : 'socket', spec.address);
      init.once(id, [name], () => {});
    },
    pipe(id, name) {
      if (sockets.stored(`${name}:r`) && sockets.stored(`${name}:w`)) return;
      init.once(id, [`${name}:r`, `${name}:w`], () => {
        sockets.add(`${name}:r`, 'pipe');
        sockets.add(`${name}:w`, 'pipe');
      });
    },
    notify(id, name, path) {
      if (!sockets.stored(name)) {
        files.special('socket', path);
        init.once(id ?? init.ownId(), [name], () => sockets.add(name, 'notify', path));
      }
      view.peek(name);
    },
    drop(id, names) {
      view.forget(names);
      if (names.length > 0) init.once(id, names, () => sockets.drop(names));
    },
    watch: (name) => view.watch(name),
    unwatch: (name) => view.unwatch(name),
    consume(datagram, names, id) {
      const kept = names.slice(0, datagram.fds);
      if (kept.length === 0) {
        view.consume(datagram);
        return;
      }
      init.once(id ?? init.ownId(), kept, () => kept.forEach((name) => void sockets.add(name, 'passed')));
      // Taken once init has answered. A core that dies before leaves the datagram with its descriptors stored already.
      const go = view.consume(datagram, true);
      kernel.after(0, () => {
        if (life.alive) go();
      });
    },
    stored: (name) => sockets.stored(name),
    flush: (name) => sockets.flush(name),
    sendLog(message, name) {
      if (sockets.keeper) sockets.logs.push({ message, name });
      return sockets.keeper;
    },
    offerLogs(pipes) {
      if (sockets.keeper) for (const [name, message] of pipes) sockets.logs.push({ message: message(), name });
    },
  };
}

function groupPort({ processes, life, cgroupRoot, watchedGroups }: Machine): CgroupPort {
  const available = cgroupRoot !== '';
  const populated = (path: string) => processes.members(path).length > 0;
  /** As the real port: a path that cannot be used is refused at once. */
  const at = (path: string) => {
    if (!available) throw new HostError('EOPNOTSUPP', `control group ${path}: there are no control groups here`);
    if (path.split('/').includes('..')) throw new HostError('EINVAL', `control group ${path}`);
    return path;
  };
  return {
    available,
    ensure: (path) => processes.ensure(at(path)),
    remove: (path) => path !== '' && processes.removeGroup(at(path)),
    watch(path, known) {
      if (available) watchedGroups.add(at(path));
      if (populated(path) !== known) life.emit({ type: 'group', path, populated: populated(path) });
    },
    unwatch: (path) => void watchedGroups.delete(path),
    populated,
    processes: (path) => processes.members(path).map((process) => process.pid),
    write: (path, attribute, value) => processes.writeAttribute(at(path), attribute, value),
    read: (path, attribute) => processes.readAttribute(at(path), attribute),
    children: (path) => (available ? processes.groupChildren(path) : []),
  };
}
