/**
 * One life of core: the {@link Host} it is given, what it has asked for, and how it dies.
 *
 * Every call of a port that changes the world is numbered over all lives, and a crash can be set before or after any of them.
 * At a crash the call throws {@link Crash}; from then on every call of this host throws, and none has an effect: whatever
 * the dead core still does before its stack has unwound cannot be seen.
 */
import type { Ended, Host, HostEvent } from '../ports.ts';
import type { Timer } from './kernel.ts';

/** Core has died here. Nothing may be made of it inside core; the simulator catches it. */
export class Crash extends Error {
  constructor(where: string) {
    super(`core has died at ${where}`);
    this.name = 'Crash';
  }
}

/**
 * Where core dies: before or after its n-th changing call (counted from 1, over all lives); `torn` in the middle of a write of
 * the checkpoint.
 */
export interface CrashPoint {
  readonly at: number;
  readonly when: 'before' | 'after' | 'torn';
  /** Torn after so many bytes of all that the call writes; absent: about half. */
  readonly byte?: number;
}

/** Calls that change the world, by port. What only asks, or is harmless to lose with core, is not numbered. */
const CHANGING: Readonly<Record<string, readonly string[]>> = {
  process: ['spawn', 'kill', 'watch', 'accept', 'ack'],
  init: ['ready', 'shutdown', 'reexecCore', 'reexecInit'],
  sockets: ['listen', 'pipe', 'notify', 'drop', 'consume', 'flush', 'sendLog', 'offerLogs'],
  groups: ['ensure', 'remove', 'write'],
  files: ['writeText', 'mkdirs', 'symlink', 'remove', 'removeTree'],
  state: ['append', 'replace', 'begin', 'add', 'finish', 'makeVoid'],
  notes: ['append', 'replace'],
  loaded: ['append', 'replace'],
  helper: ['checkPaths'],
  paths: ['watch', 'unwatch'],
  api: ['send', 'close'],
};

/** Ports whose calls a dead core may still make, to no effect: what it says on its way out. */
const MUTE: ReadonlySet<string> = new Set(['log']);

export interface Counter {
  /** Changing calls so far. */
  calls: number;
  /** Their names, for messages; bounded. */
  readonly names: string[];
  readonly crashes: readonly CrashPoint[];
  /** How many of them came about. */
  crashed: number;
}

const NAMES_MAX = 100_000;

export class Core {
  alive = true;
  onEvent: ((event: HostEvent) => void) | undefined;
  onTurn: ((whole: boolean) => void) | undefined;
  events: HostEvent[] = [];
  scheduled = false;
  wake: Timer | undefined;
  /** How it will have ended. */
  end: { readonly ended: Ended; readonly hung: boolean } = { ended: { killed: 9 }, hung: false };
  /** The black box: (event number, phase, actor). */
  box = { seq: 0, phase: 0, actor: '' };
  readonly #counter: Counter;
  readonly #onTorn: (call: string, args: readonly unknown[], byte: number | undefined) => void;

  constructor(counter: Counter, onTorn: (call: string, args: readonly unknown[], byte: number | undefined) => void) {
    this.#counter = counter;
    this.#onTorn = onTorn;
  }

  emit(event: HostEvent): void {
    if (this.alive) this.events.push(event);
  }

  /** Core dies in the call that is being made. */
  die(where: string): never {
    this.alive = false;
    throw new Crash(where);
  }

  /** The same ports, with every call counted and guarded. Fields and getters of a port are passed through. */
  guard<Port extends object>(name: string, port: Port): Port {
    return new Proxy(port, {
      get: (target, key) => {
        const member = Reflect.get(target, key, target);
        if (typeof member !== 'function') return member;
        const call = `${name}.${String(key)}`;
        const counted = CHANGING[name]?.includes(String(key)) === true;
        return (...args: unknown[]) => this.#call(name, call, counted, args, () => Reflect.apply(member, target, args));
      },
    });
  }

  #call(port: string, call: string, counted: boolean, args: readonly unknown[], run: () => unknown): unknown {
    if (!this.alive) {
      if (MUTE.has(port)) return undefined;
      throw new Crash(`${call}, after its death`);
    }
    if (!counted) return run();
    const counter = this.#counter;
    counter.calls += 1;
    if (counter.names.length < NAMES_MAX) counter.names.push(call);
    const point = counter.crashes.find(({ at }) => at === counter.calls);
    const crash = point?.when;
    const where = `call ${counter.calls}, ${crash} ${call}`;
    if (crash !== undefined) counter.crashed += 1;
    if (crash === 'torn') this.#onTorn(call, args, point?.byte);
    if (crash === 'before' || crash === 'torn') this.die(where);
    const answer = run();
    if (crash === 'after') this.die(where);
    return answer;
  }
}

/** Guard all ports of a host; its own methods are the simulator's. */
export function guardHost(core: Core, host: Host): Host {
  const { process, init, sockets, groups, files, clock, state, notes, loaded, helper, paths, api, log } = host;
  return {
    ...host,
    process: core.guard('process', process),
    init: core.guard('init', init),
    sockets: core.guard('sockets', sockets),
    groups: core.guard('groups', groups),
    files: core.guard('files', files),
    clock: core.guard('clock', clock),
    state: core.guard('state', state),
    notes: core.guard('notes', notes),
    loaded: core.guard('loaded', loaded),
    helper: core.guard('helper', helper),
    paths: core.guard('paths', paths),
    api: core.guard('api', api),
    log: core.guard('log', log),
  };
}
