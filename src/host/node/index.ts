/**
 * The real host: every port of src/host/ports.ts over the addon, init's link, /proc and the file system.
 *
 * Making one waits for init's hello (bounded) and fetches the descriptors of a former core; nothing else waits. Events come from
 * `start` on. When init is gone core has no parent to serve: it says so and leaves with status 1.
 */
import { closeSync, constants, lstatSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type EffectId, type Hello, type Host, HostError, type LogPort } from '../ports.ts';
import { addon, EPOLL } from './addon.ts';
import { NodeApi } from './api.ts';
import { NodeClock } from './clock.ts';
import { attempt, codeOf } from './errors.ts';
import { machineFacts } from './facts.ts';
import { NodeFiles } from './files.ts';
import { groupPrefix, NodeGroups } from './groups.ts';
import { sha256 } from './hash.ts';
import { NodeHelper } from './helper.ts';
import { NodeInit } from './init.ts';
import { Inotify } from './inotify.ts';
import { Link } from './link.ts';
import { type LogTarget, NodeLog } from './log.ts';
import { Loop } from './loop.ts';
import { NodeNotes } from './notes.ts';
import { Outstanding } from './outstanding.ts';
import { clearUnwritten, freeForDirectory, freeOfOthers, putAside, strangersIn } from './places.ts';
import { NodeProcesses } from './process.ts';
import { NodeSockets } from './sockets.ts';
import { NodeState, type StateMemory } from './state.ts';
import { Thrift } from './thrift.ts';
import { NodePaths } from './unit-paths.ts';

export interface NodeHostOptions {
  /** Descriptor of the link; 0, as init starts core. */
  readonly link?: number;
  /** The manager's run-time directory, made if missing; SYSMASTER_RUN_DIR or /run/sysmaster by default. */
  readonly runDirectory?: string;
  /** How long to wait for init's hello, in ms. */
  readonly helloTimeoutMs?: number;
  /** Room reserved for each checkpoint file at first, in bytes. */
  readonly stateBytes?: number;
  /** Where core's log goes; as init's role asks for by default. */
  readonly log?: LogTarget;
  readonly logLevel?: Parameters<LogPort['log']>[0];
  /** Core is in charge: init has been told so. */
  readonly onReady?: () => void;
  /** Core is about to leave for another version; what it throws is said, and it leaves. */
  readonly beforeReexec?: () => void;
  /** What leaving means; ends the process at once by default. For tests. */
  readonly leave?: (status: number) => never;
}

/** A host and what only its maker may do. */
export interface NodeHost extends Host {
  /** Let go of everything without ending the process; for tests. */
  dispose(): void;
}

const HELLO_MS = 10_000;
const STATE_BYTES = 8 * 1024 * 1024;
const LOG_BYTES = 4 * 1024 * 1024;
/** How long leaving waits for frames that init has not taken, in steps of 10 ms. */
const LEAVE_STEPS = 100;
/** Effects of the host itself: an epoch that no actor has, so the ids cannot be taken twice. */
const OWN_EPOCH = 0;
const API_NAME = 'api';
/** A start, or a recovery, is over by then. */
const PINO_AFTER_MS = 500;
/** How often core tries to be there for clients, while something stands in the way. */
const CLIENTS_RETRY_MS = 5_000;
/** Under which init keeps a checkpoint that the disk had no room for. */
const MEMORY_NAMES = ['state:a', 'state:b'] as const;
/** Under which init keeps what a core without its state is to know, and units as they were loaded; and how much of each. */
const NOTES = { name: 'notes', bytes: 4 * 1024 * 1024 } as const;
const LOADED = { name: 'loaded', bytes: 128 * 1024 * 1024 } as const;
/** The name under which init looks for it (native/init/src/core.rs). */
const BLACK_BOX_NAME = 'blackbox';

/**
 * Make the host. Throws HostError: ETIMEDOUT, EPIPE or ENOTSOCK where init does not speak, EAGAIN where another core has the run
 * directory. A run directory that cannot be used, or what stands in the place of something in it, is told in `found`.
 */
export function createNodeHost(options: NodeHostOptions = {}): NodeHost {
  const runDirectory = options.runDirectory ?? process.env['SYSMASTER_RUN_DIR'] ?? '/run/sysmaster';
  const found = (process.env['SYSMASTER_FOUND'] ?? '').split('\n').filter((what) => what !== '');
  let started = false;
  /** Once each: what is tried again fails again. */
  const tell = (what: string) => {
    if (found.includes(what)) return;
    found.push(what);
    if (started) say('warning', { why: what }, "a place of core's own");
  };
  const tolerated = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (cause) {
      if (!(cause instanceof HostError)) throw cause;
      tell(cause.message);
      return undefined;
    }
  };
  tolerated(() => attempt(runDirectory, () => mkdirSync(runDirectory, { recursive: true, mode: 0o755 })));
  const freed = [
    tolerated(() => freeForDirectory(join(runDirectory, 'recordings'))),
    ...['state', 'notify', 'transient', 'log'].map((name) => tolerated(() => freeOfOthers(join(runDirectory, name)))),
    tolerated(() => strangersIn(join(runDirectory, 'state'), ['a', 'b'])),
  ];
  for (const what of freed) if (what !== undefined) tell(what);
  const loop = new Loop();
  let log: NodeLog | undefined;
  const say: LogPort['log'] = (level, fields, message) => log?.log(level, fields, message);
  const leaving = { done: false };
  const leave = (status: number): never => {
    if (!leaving.done) {
      leaving.done = true;
      for (let step = 0; step < LEAVE_STEPS && link.waiting > 0; step += 1) loop.pump(10);
      log?.flush();
    }
    return (options.leave ?? addon.leave)(status);
  };
  const outstanding = new Outstanding();
  const link: Link = new Link(options.link ?? 0, loop, {
    onRecord(what) {
      outstanding.onRecord(what);
      sockets.onRecord(what);
    },
    onRefused: (id) => outstanding.onRefused(id),
    onTrouble: (what) => say('warning', { what }, 'init said something that is not understood'),
    onClosed: () => {
      say('error', {}, 'init is gone; core leaves');
      leave(1);
    },
  });
  const hello = link.hello(options.helloTimeoutMs ?? HELLO_MS);
  log = new NodeLog(options.log ?? defaultLog(hello, runDirectory), options.logLevel, consoleOf(hello), tell);

  loop.onFault = (cause) => say('error', { why: String(cause) }, 'a descriptor failed and is not watched any more');
  const facts = machineFacts(hello, runDirectory);
  const memory = {
    kept() {
      const all = MEMORY_NAMES.every((name) => sockets.stored(name));
      return all ? ([sockets.descriptor(MEMORY_NAMES[0]), sockets.descriptor(MEMORY_NAMES[1])] as const) : undefined;
    },
    keep(files: readonly [number, number]) {
      for (const [at, name] of MEMORY_NAMES.entries()) sockets.keep(ownId(), name, files[at as 0 | 1]);
    },
    moved: (why: string) =>
      say('error', { why }, 'the checkpoint cannot be written to the disk; init keeps it in memory from now on'),
    forget: () => sockets.drop(ownId(), MEMORY_NAMES),
    returned: (notes: readonly string[]) =>
      say(
        'notice',
        notes.length === 0 ? {} : { notes },
        'the checkpoint can be written to the disk again, and is there',
      ),
  };
  const state = lockedState(runDirectory, facts.bootId, options.stateBytes ?? STATE_BYTES, memory);
  const inotify = new Inotify(loop);
  const helper = new NodeHelper(loop);
  const ownId = ownIds();
  const sockets = new NodeSockets({
    loop,
    link,
    outstanding,
    stored: hello.fds,
    logSocket: join(runDirectory, 'logs.sock'),
    warn: (fields, message) => say('warning', fields, message),
    ownId,
  });
  // Ends of log pipes are many, and are needed only when the log keeper is new.
  sockets.prefetch(hello.fds.filter((name) => !/:[rw]$/.test(name)));
  const box = blackBoxSlot(sockets, ownId);
  const told = (work: (() => void) | undefined) => () => {
    try {
      work?.();
    } catch (cause) {
      if (codeOf(cause) === undefined) throw cause;
      say(
        'warning',
        { why: String(cause) },
        'the version before cannot be kept or removed: there may be no way back to it',
      );
    }
  };
  const init = new NodeInit(link, box, { ready: told(options.onReady), reexec: told(options.beforeReexec) });
  const processes = new NodeProcesses(
    link,
    groupPrefix(hello.cgroupRoot, readFileSync('/proc/self/mountinfo', 'utf8')),
    outstanding,
  );
  const api = new NodeApi(loop);
  const clients = () => {
    const said = listen(api, sockets, join(runDirectory, 'api.sock'), ownId);
    if (said !== undefined) tell(said);
    const listener = sockets.descriptor(API_NAME);
    addon.setNonBlocking(listener, true);
    api.serve(listener);
    return true;
  };
  let reached = tolerated(clients) ?? false;
  let triedMs = addon.clockMs('monotonic');
  /** What stood in the way may be gone. */
  const retry = () => {
    if (reached) return;
    const nowMs = addon.clockMs('monotonic');
    if (nowMs - triedMs < CLIENTS_RETRY_MS) return;
    triedMs = nowMs;
    reached = tolerated(clients) ?? false;
    if (reached) say('notice', {}, 'clients can reach core now');
  };
  const mounts = openSync('/proc/self/mountinfo', constants.O_RDONLY);
  loop.add(mounts, EPOLL.pri, () => loop.post({ type: 'mounts' }));
  link.begin();
  const thrift = new Thrift((why) => say('warning', { why }, 'memory cannot be given back'));
  loop.afterTurn(() => {
    sockets.flushOffers();
    processes.flush();
    init.flush();
    thrift.noted();
    retry();
  });

  return {
    process: processes,
    init,
    sockets,
    groups: new NodeGroups(hello.cgroupRoot, loop, inotify),
    files: new NodeFiles(loop, inotify),
    clock: new NodeClock(loop),
    state,
    notes: notesOf(NOTES, sockets, ownId),
    loaded: notesOf(LOADED, sockets, ownId),
    helper,
    paths: new NodePaths(loop, helper),
    api,
    log,
    facts,
    hello,
    found,
    execSteps: execSteps(),
    start: (onEvent, turn) => {
      started = true;
      loop.start(onEvent, turn);
      loop.onceIdle(() => log.begin());
      // Whoever waits for the first answers, or for a service that died with a core, is not to wait for this.
      setTimeout(() => {
        loop.onceIdle(() => {
          void log.open();
          for (const own of [runDirectory, join(runDirectory, 'recordings')]) clearUnwritten(own);
        });
        loop.schedule();
      }, PINO_AFTER_MS).unref();
    },
    schedule: () => loop.schedule(),
    exit: leave,
    sha256,
    stall: (forMs) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, forMs),
    dispose: () => {
      loop.stop();
      thrift.stop();
      state.close();
      closeSync(mounts);
      log.flush();
    },
  };
}

/** Locked before anything in the run directory is touched; where it cannot be opened at all, its `load` will say so. */
function lockedState(runDirectory: string, bootId: string, bytes: number, memory: StateMemory): NodeState {
  const state = new NodeState({ directory: join(runDirectory, 'state'), bootId, bytes, memory });
  try {
    state.lock();
  } catch (cause) {
    if (codeOf(cause) === undefined || codeOf(cause) === 'EAGAIN') throw cause;
  }
  return state;
}

/** The console: of a machine its own; of a container or a session wherever init speaks to. */
const consoleOf = ({ role, pid }: Hello): string => (role === 'machine' ? '/dev/console' : `/proc/${pid}/fd/2`);

function defaultLog(hello: Hello, runDirectory: string): LogTarget {
  return hello.role === 'machine' ? 'kmsg' : { file: join(runDirectory, 'core.log'), maxBytes: LOG_BYTES };
}

/** Ids for what the host itself stores: never the same twice on one link, nor for two cores of one init. */
function ownIds(): () => EffectId {
  const seq = Math.floor(addon.clockMs('monotonic') * 1000);
  let index = 0;
  return () => {
    index += 1;
    return { epoch: OWN_EPOCH, seq, index };
  };
}

/** The slot that init keeps from an earlier core; else a new one, which is given to it to keep. */
function blackBoxSlot(sockets: NodeSockets, ownId: () => EffectId): number {
  if (sockets.stored(BLACK_BOX_NAME)) return sockets.descriptor(BLACK_BOX_NAME);
  const made = addon.BlackBox.create();
  sockets.keep(ownId(), BLACK_BOX_NAME, made);
  return made;
}

/**
 * Where clients come: the listener that init keeps, while it is what they find; else a new one, after those who came by the old one have
 * been let in. Answers with what was put aside for it.
 */
function listen(api: NodeApi, sockets: NodeSockets, path: string, ownId: () => EffectId): string | undefined {
  const why = attempt(path, () => whyNoClientsComeBy(path));
  if (why !== undefined && sockets.stored(API_NAME)) {
    const before = sockets.descriptor(API_NAME);
    addon.setNonBlocking(before, true);
    api.serveLast(before);
    sockets.drop(ownId(), [API_NAME]);
  }
  const said = why === undefined || why === '' ? undefined : putAside(path, why);
  sockets.listen(ownId(), API_NAME, {
    kind: 'stream',
    address: path,
    backlog: 128,
    socketMode: 0o666,
    directoryMode: 0o755,
    user: '',
    group: '',
    options: {},
  });
  return said;
}

/** Undefined: they do, if there is a listener of ours; empty: nothing is there. */
function whyNoClientsComeBy(path: string): string | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return '';
  if (!found.isSocket()) return 'not a socket';
  return found.uid === process.geteuid?.() ? undefined : `it belongs to uid ${found.uid}, not to core`;
}

/** In the memory file that init keeps from an earlier core; else in a new one, which is given to it to keep. */
function notesOf(
  { name, bytes }: { readonly name: string; readonly bytes: number },
  sockets: NodeSockets,
  ownId: () => EffectId,
): NodeNotes {
  if (!sockets.stored(name)) sockets.keep(ownId(), name, addon.memoryFile(name));
  return new NodeNotes(sockets.descriptor(name), bytes);
}

function execSteps(): Host['execSteps'] {
  const steps: Record<number, { name: string; words: string; exitCode: number }> = {
    0: { name: 'fork', words: 'start the helper', exitCode: 1 },
  };
  for (const { number, name, words, exitCode } of addon.execSteps()) steps[number] = { name, words, exitCode };
  return steps;
}
