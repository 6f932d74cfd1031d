/**
 * The simulated host: a virtual kernel, init and machine around a real core. Same seed, same run.
 *
 * ```ts
 * const sim = createSim({ files: { '/etc/…': '…' }, programs: { '/bin/true': { run: [{ exit: 0 }] } }, seed: 1 });
 * sim.boot((host) => startCore(host));    // called again, with a new host, after each crash
 * sim.run(5_000);                          // five virtual seconds
 * sim.started;                             // what was started, in order
 * ```
 *
 * Core lives in {@link Core}; everything else outlives it, as it would on a real machine: processes, init's records and
 * descriptors, files, the checkpoint. API sessions and answers of helpers die with core.
 *
 * Core is turned after each batch of events and whenever it asked for it; time goes on only when there is nothing to do.
 * Build core with `beatEveryMs: Infinity` (ActorHost), or it will never be idle.
 */
import { inOrder } from '../order.ts';
import {
  type Answer,
  type ClientEvent,
  type Ended,
  type Hello,
  type Host,
  HostError,
  type MachineFacts,
} from '../ports.ts';
import { Core, Crash, type CrashPoint, guardHost } from './core.ts';
import { type FileSpec, VirtualFiles } from './files.ts';
import { VirtualInit } from './init.ts';
import { Kernel } from './kernel.ts';
import { makePorts } from './ports.ts';
import { Processes, type Started } from './processes.ts';
import { EXEC_STEPS, type Programs } from './programs.ts';
import { Sockets, type SocketView } from './sockets.ts';
import { type SimState, VirtualState } from './state.ts';
import { VirtualPaths } from './unit-paths.ts';

export { Crash, type CrashPoint } from './core.ts';
export type { FileSpec } from './files.ts';
export { SIGNAL } from './kernel.ts';
export type { Process, Started } from './processes.ts';
export type { About, Act, Program, Programs } from './programs.ts';
export type { SimState } from './state.ts';

/** Chances and delays, all drawn from the seed. */
export interface Faults {
  /** Most random delay added to each act of a program, in ms. */
  readonly jitterMs?: number;
  /** Chance that a spawn fails as fork(2) does with EAGAIN. */
  readonly forkFails?: number;
  /** Chance that a helper answers with an error. */
  readonly helperFails?: number;
  /** Events are handed over in batches of random size, so that turns see them in other groupings. */
  readonly splitBatches?: boolean;
}

export interface SimOptions {
  readonly files?: Readonly<Record<string, FileSpec>>;
  readonly programs?: Programs;
  readonly seed?: number;
  readonly faults?: Faults;
  readonly crashes?: readonly CrashPoint[];
  /** From core's death to the next core; default 1. */
  readonly restartMs?: number;
  /** How one helper answers; default: the error ENOSYS. */
  readonly helper?: (request: string, files: VirtualFiles) => Answer;
  /** From request to answer; default 1. */
  readonly helperMs?: number;
  readonly hello?: Partial<Hello>;
  readonly facts?: Partial<MachineFacts>;
  /** CLOCK_REALTIME at the start; default 2026-01-01. */
  readonly realMs?: number;
  /** False: there are no control groups. */
  readonly groups?: boolean;
  /** Where the checkpoint is kept; default: in memory ({@link VirtualState}). */
  readonly state?: SimState;
  /** Init's tables are full: the n-th spawn (from 1, over all lives) is refused, or fails as fork(2) does. */
  readonly noRoom?: (spawn: number, tag: string) => 'refused' | 'fork' | undefined;
}

/** A line of core's log. */
export interface LogLine {
  readonly atMs: number;
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A client of the API socket, from outside. */
export interface SimClient {
  readonly session: number;
  readonly received: readonly string[];
  /** Core has closed it, or died. */
  readonly closed: boolean;
  send(message: string): void;
  leave(): void;
}

/** No more turns of core than this without time going on: it is running in a circle. */
const TURNS_AT_ONCE = 5_000;
/** The same for what happens in the world at one instant. */
const TIMERS_AT_ONCE = 1_000_000;
const IDLE_LIMIT_MS = 24 * 3_600_000;

export type Sim = ReturnType<typeof createSim>;

export function createSim(options: SimOptions = {}) {
  const faults = options.faults ?? {};
  const kernel = new Kernel(options.seed ?? 1, options.realMs ?? Date.UTC(2026, 0, 1));
  const chance = (of: number | undefined) => of !== undefined && of > 0 && kernel.random() < of;
  const files = new VirtualFiles(() => kernel.nowMs + kernel.realOffsetMs);
  const virtualState = new VirtualState();
  const state: SimState = options.state ?? virtualState;
  const sockets = new Sockets(kernel);
  const log: LogLine[] = [];
  const counter = { calls: 0, names: [] as string[], crashes: options.crashes ?? [], crashed: 0 };
  const watchedGroups = new Set<string>();
  const watchedPaths = new Set<string>();
  const paths = new VirtualPaths(kernel, files);
  const clients = new Map<number, { received: string[]; closed: boolean }>();
  let view: SocketView | undefined;
  let core: Core | undefined;
  let start: ((host: Host) => void) | undefined;
  let nextSession = 1;

  const processes = new Processes(kernel, options.programs ?? {}, faults.jitterMs ?? 0, {
    notify(process, text, fds) {
      const name = sockets.find(process.environment['NOTIFY_SOCKET'] ?? '');
      if (name !== undefined) sockets.say(name, text, process.pid, 0, fds);
    },
    writeFile: (path, text) => files.writeText(path, text, 0o644),
    removeFile: (path) => files.remove(path),
    reaped: (process, ended) => init.reaped(process, ended),
    vanished: (process) => init.vanished(process),
    groupChanged(path, populated) {
      if (watchedGroups.has(path)) core?.emit({ type: 'group', path, populated });
    },
  });
  const cgroupRoot = options.groups === false ? '' : (options.hello?.cgroupRoot ?? '/sys/fs/cgroup/sysmaster');
  const { role = 'container', pid = 1, canSetUid = true } = options.hello ?? {};
  const init = new VirtualInit(kernel, processes, sockets, { role, pid, cgroupRoot, canSetUid });
  init.exitCodeOf = (step) => EXEC_STEPS[step]?.exitCode ?? 1;
  init.forkFails = () => chance(faults.forkFails);
  if (options.noRoom !== undefined) init.noRoom = options.noRoom;
  init.deliver = (record) => core?.emit({ type: 'record', record });
  init.refuse = (id, errno, why) => core?.emit({ type: 'refused', id, errno, why });
  init.safeMode = options.hello?.safeMode ?? false;
  sockets.onReadable = (name) => view?.onReadable(name);
  sockets.onDatagram = (name) => view?.onDatagram(name);
  files.onChange = (path) => {
    if (watchedPaths.has(path)) core?.emit({ type: 'path', path });
    paths.changed(path);
  };
  for (const [path, spec] of Object.entries(options.files ?? {})) files.add(path, spec);
  for (const path of Object.keys(options.programs ?? {})) {
    if (path.startsWith('/') && files.lstat(path) === undefined) files.writeText(path, '', 0o755);
  }
  const facts: MachineFacts = {
    bootId: '00000000-0000-4000-8000-000000000001',
    machineId: '00000000000000000000000000000001',
    hostname: 'simulated',
    kernelRelease: '6.18.0-sim',
    architecture: 'x86-64',
    virtualization: 'none',
    kernelCommandLine: '',
    privileged: true,
    runDirectory: '/run/sysmaster',
    environment: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin' },
    ...options.facts,
  };

  function bootCore(): void {
    if (start === undefined || init.end?.now === true) return;
    watchedGroups.clear();
    watchedPaths.clear();
    state.reopen?.();
    const life = new Core(counter, (call, text, byte) => state.tear(call, text, byte));
    const ports = makePorts({
      kernel,
      files,
      state,
      sockets,
      processes,
      init,
      life,
      cgroupRoot,
      watchedGroups,
      watchedPaths,
      paths,
      answer: (request) =>
        chance(faults.helperFails)
          ? { error: { errno: 'EIO', why: 'the helper has died' } }
          : (options.helper?.(request, files) ?? { error: { errno: 'ENOSYS', why: 'no helper is simulated' } }),
      answerMs: options.helperMs ?? 1,
      send(session, message) {
        clients.get(session)?.received.push(message);
      },
      close(session) {
        const client = clients.get(session);
        if (client !== undefined) client.closed = true;
      },
      log: (level, fields, message) => void log.push({ atMs: kernel.nowMs, level, message, fields }),
    });
    view = ports.view;
    core = life;
    const host: Host = {
      ...ports.host,
      facts,
      hello: { ...init.hello(), ...options.hello, safeMode: init.safeMode },
      execSteps: EXEC_STEPS,
      start(onEvent, turn) {
        life.onEvent = onEvent;
        life.onTurn = turn;
      },
      schedule() {
        life.scheduled = true;
      },
      exit(status) {
        life.end = { ended: { exited: status }, hung: false };
        return life.die(`exit ${status}`);
      },
    };
    for (const record of init.records()) life.emit({ type: 'record', record });
    const begin = start;
    guarded(life, () => begin(guardHost(life, host)));
  }

  /** Run core's code; its death is caught here, anything else that it throws is a bug and goes to the test. */
  function guarded(life: Core, run: () => void): void {
    try {
      run();
    } catch (error) {
      if (life.alive || !(error instanceof Crash)) throw error;
    }
    if (!life.alive && core === life) died(life);
  }

  function died(life: Core): void {
    life.alive = false;
    if (core !== life) return;
    core = undefined;
    view = undefined;
    if (life.wake !== undefined) life.wake.cancelled = true;
    for (const client of clients.values()) client.closed = true;
    // The next core numbers its sessions anew, as a real one does.
    clients.clear();
    nextSession = 1;
    init.died({ atUs: Math.round(kernel.nowMs * 1000), ...life.end, ...life.box });
    kernel.after(options.restartMs ?? 1, bootCore);
  }

  /** Let core do all there is to do now. */
  function pump(): void {
    for (let turns = 0; core?.onTurn !== undefined; turns += 1) {
      const life = core;
      if (life.events.length === 0 && !life.scheduled) return;
      if (turns > TURNS_AT_ONCE) throw new Error(`core never comes to rest at ${kernel.nowMs} ms`);
      life.events = [...inOrder(life.events, () => kernel.realOffsetMs)];
      const all = life.events.length;
      const size = faults.splitBatches === true && all > 1 ? 1 + Math.floor(kernel.random() * all) : all;
      const batch = life.events.splice(0, size);
      life.scheduled = false;
      guarded(life, () => {
        for (const event of batch) life.onEvent?.(event);
        life.onTurn?.(size === all);
      });
    }
  }

  function runUntil(deadlineMs: number): boolean {
    for (;;) {
      pump();
      const next = kernel.next();
      if (next === undefined) return true;
      if (next > deadlineMs) return false;
      // All that happens at one instant is ready together, as it would be for a core that was busy until then.
      for (let count = 0; kernel.next() === next; count += 1) {
        if (count > TIMERS_AT_ONCE) throw new Error(`the world never comes to rest at ${next} ms`);
        kernel.advance();
      }
    }
  }

  const sim = {
    files,
    state: virtualState,
    init,
    sockets,
    processes,
    log: log as readonly LogLine[],
    /** Every start of a program so far, in order. */
    get started(): readonly Started[] {
      return processes.started;
    },
    get nowMs(): number {
      return kernel.nowMs;
    },
    /** Changing port calls so far, over all lives of core. */
    get calls(): number {
      return counter.calls;
    },
    /** Their names, in order. */
    get callNames(): readonly string[] {
      return counter.names;
    },
    /** How many of the crashes that were asked for have come about. */
    get crashed(): number {
      return counter.crashed;
    },
    /** How often core has died, or left. */
    get deaths(): number {
      return init.cores;
    },
    get coreAlive(): boolean {
      return core?.alive === true;
    },

    /** Start core now, and again after each of its deaths. */
    boot(begin: (host: Host) => void): void {
      start = begin;
      bootCore();
      pump();
    },
    /** Let so many virtual ms pass. */
    run(ms: number): void {
      const end = kernel.nowMs + ms;
      runUntil(end);
      kernel.nowMs = end;
    },
    /** Until nothing is going to happen any more. Throws when that is not so within `limitMs` of virtual time (default a day). */
    runUntilIdle(limitMs = IDLE_LIMIT_MS): void {
      if (!runUntil(kernel.nowMs + limitMs)) throw new Error(`not idle after ${limitMs} virtual ms`);
    },
    /** Let something happen in the world after so many ms. */
    at(ms: number, run: () => void): void {
      kernel.after(ms, run);
    },
    /** For code of core: it dies where it stands. Does not return; what is still done on the way out has no effect. */
    crash(ended: Ended = { killed: 9 }, hung = false): never {
      if (core === undefined) throw new Error('there is no core that could crash');
      core.end = { ended, hung };
      return core.die('a call of sim.crash()');
    },
    /** Core is killed between two turns. */
    killCore(): void {
      if (core !== undefined) died(core);
    },
    /** The next cores are in safe mode, or no longer. */
    safeMode(on: boolean): void {
      init.safeMode = on;
    },
    /** Init takes nothing from core for now, or does so again. */
    linkFull(on: boolean): void {
      init.linkFull = on;
      if (core !== undefined && !on) core.scheduled = true;
    },
    /** A signal to one process from outside. */
    signal(target: number, signal: number): boolean {
      return processes.signal(target, signal);
    },
    /** Pids of live processes that run this program, oldest first. */
    pidsOf(path: string): readonly number[] {
      return processes
        .all()
        .filter((process) => process.path === path)
        .map((process) => process.pid);
    },
    /** Somebody connects to a listener, by its name in the store or its address. */
    connect(to: string, peer: { pid?: number; uid?: number } = {}): void {
      const name = sockets.stored(to) ? to : sockets.find(to);
      if (name === undefined) throw new HostError('ECONNREFUSED', to);
      sockets.connect(name, { pid: peer.pid ?? 4242, uid: peer.uid ?? 0, address: '' });
    },
    /** A datagram to a notify socket, by its name in the store. */
    notify(name: string, text: string, from: { pid?: number; uid?: number; fds?: number } = {}): void {
      sockets.say(name, text, from.pid ?? 4242, from.uid ?? 0, from.fds ?? 0);
    },
    /** CLOCK_REALTIME is set. */
    setClock(realMs: number): void {
      kernel.realOffsetMs = realMs - kernel.nowMs;
      core?.emit({ type: 'clock-changed' });
    },
    mountsChanged(): void {
      core?.emit({ type: 'mounts' });
    },
    /** A client of the API socket connects. It has to connect again when core has died. */
    client(who: { pid?: number; uid?: number; gid?: number } = {}): SimClient {
      const session = nextSession;
      nextSession += 1;
      const mine = { received: [] as string[], closed: core === undefined };
      clients.set(session, mine);
      const tell = (what: ClientEvent) => {
        if (!mine.closed) core?.emit({ type: 'client', session, what });
      };
      tell({ opened: { pid: who.pid ?? 4242, uid: who.uid ?? 0, gid: who.gid ?? 0 } });
      return {
        session,
        received: mine.received,
        get closed() {
          return mine.closed;
        },
        send: (message) => tell({ message }),
        leave() {
          tell({ closed: { why: '' } });
          mine.closed = true;
        },
      };
    },
  };
  return sim;
}
