/**
 * Descriptors that init keeps: made here, stored under a name before anybody uses them, watched through a duplicate of our own.
 *
 * The names in init's store are known from the hello and from what was stored, accepted and dropped since. A descriptor of a
 * former core is fetched from init the first time it is needed.
 */
import { chmodSync, lstatSync, mkdirSync, readdirSync, unlinkSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { type Datagram, type EffectId, HostError, type ListenSpec, type Report, type SocketPort } from '../ports.ts';
import { addon, EPOLL, type Peeked } from './addon.ts';
import { attempt, codeOf, unless } from './errors.ts';
import type { Link } from './link.ts';
import { makeListener } from './listen.ts';
import type { Loop } from './loop.ts';
import { Notify } from './notify.ts';
import type { Outstanding } from './outstanding.ts';

/** How long init may take to hand over a descriptor. It answers from a loop that never blocks. */
const FETCH_MS = 2_000;
const FLUSHES_MAX = 16;
/** Log pipes that are handed over after one turn: a few milliseconds' worth. */
const OFFERS_PER_TURN = 64;
/** Rounds that have more to do for which offered pipes wait: whoever writes to one does not wait for its reader. */
const OFFERS_WAIT = 16;
const AF_UNIX = 1;
const SOCK_DGRAM = 2;

const keyOf = (id: EffectId): string => `${id.epoch}.${id.seq}.${id.index}`;

export interface SocketsOptions {
  readonly loop: Loop;
  readonly link: Link;
  readonly outstanding: Outstanding;
  /** Names in init's store, from the hello. */
  readonly stored: readonly string[];
  /** Where the log keeper listens. */
  readonly logSocket: string;
  readonly warn: (fields: Readonly<Record<string, unknown>>, message: string) => void;
  /** An id that no actor's effect has. */
  readonly ownId: () => EffectId;
}

/** Sockets of one unit, besides its first: one for each time that the run directory was put aside. */
const FURTHER_MAX = 8;

export class NodeSockets implements SocketPort {
  readonly #loop: Loop;
  readonly #link: Link;
  readonly #logSocket: string;
  readonly #warn: SocketsOptions['warn'];
  readonly #ownId: () => EffectId;
  readonly #stored: Set<string>;
  readonly #local = new Map<string, number>();
  /** What an unanswered store-fd was for, by effect. */
  readonly #pending = new Map<string, readonly string[]>();
  readonly #notify: Notify;
  /** Notify sockets that have, or have had, further ones of their unit. */
  readonly #haveFurther = new Set<string>();
  #places: { readonly directory: string; readonly names: Set<string> } | undefined;
  #keeper: number | undefined;
  /** Pipes that the log keeper is to get yet, the first in line first, and whether it has no room for more. */
  readonly #offers = new Map<string, () => string>();
  #offersWaited = 0;
  #keeperIsFull = false;

  constructor(options: SocketsOptions) {
    this.#loop = options.loop;
    this.#link = options.link;
    this.#logSocket = options.logSocket;
    this.#warn = options.warn;
    this.#ownId = options.ownId;
    this.#stored = new Set(options.stored);
    for (const name of options.stored) {
      const first = /^(notify:.+):\d+$/.exec(name)?.[1];
      if (first !== undefined) this.#haveFurther.add(first);
    }
    const onJunk = (socket: string, peeked: Peeked) =>
      options.warn({ socket, pid: peeked.pid }, 'notify datagram is too long and is dropped');
    this.#notify = new Notify(options.loop, options.link, options.outstanding, onJunk, (names, id) =>
      this.#remember(names, id),
    );
  }

  stored(name: string): boolean {
    return this.#stored.has(name);
  }

  listen(id: EffectId, name: string, spec: ListenSpec): void {
    if (this.#stored.has(name)) return;
    this.keep(id, name, makeListener(spec));
  }

  pipe(id: EffectId, name: string): void {
    const names = [`${name}:r`, `${name}:w`];
    if (names.every((one) => this.#stored.has(one))) return;
    const [read, write] = attempt(`pipe ${name}`, () => addon.pipe());
    try {
      this.#store(id, names, [read, write]);
    } catch (cause) {
      addon.close(read);
      throw cause;
    } finally {
      addon.close(write);
    }
    // Kept until the log keeper has had it, which as a rule is at once.
    this.#local.set(`${name}:r`, read);
  }

  notify(id: EffectId | undefined, name: string, path: string): void {
    if (this.#notify.has(name)) return;
    const isKept = this.#stored.has(name);
    if (!isKept) {
      const fd = attempt(path, () => this.#makeNotify(path));
      this.keep(id ?? this.#ownId(), name, fd);
    }
    for (const one of [name, ...this.#furtherOf(name)]) this.#notify.add(one, this.#need(one));
    if (!isKept || path === '' || this.#isThere(path)) return;
    const further = this.#makeFurther(name, path);
    this.#notify.add(further, this.#need(further));
  }

  /** Sockets of a unit besides its first. */
  #furtherOf(name: string): readonly string[] {
    if (!this.#haveFurther.has(name)) return [];
    const numbers = Array.from({ length: FURTHER_MAX }, (_, at) => `${name}:${at + 1}`);
    return numbers.filter((one) => this.#stored.has(one));
  }

  /**
   * Its socket is kept, but not where its processes look for it: the run directory was another's, and put aside. Those who have it open
   * go on with that one, all others find the new one.
   */
  #makeFurther(name: string, path: string): string {
    this.#warn({ socket: name, path }, 'a notify socket was not in its place any more, and is made anew');
    const further = this.#furtherOf(name);
    if (further.length === FURTHER_MAX) this.drop(this.#ownId(), further);
    const free = `${name}:${further.length === FURTHER_MAX ? 1 : further.length + 1}`;
    const fd = attempt(path, () => this.#makeNotify(path));
    this.keep(this.#ownId(), free, fd);
    this.#haveFurther.add(name);
    this.#places?.names.add(basename(path));
    return free;
  }

  /** Of a directory it is looked at once what is in it: there may be thousands to be asked for when a core begins. */
  #isThere(path: string): boolean {
    const directory = dirname(path);
    if (this.#places?.directory !== directory) {
      const names = unless(['ENOENT', 'ENOTDIR'], directory, () => readdirSync(directory)) ?? [];
      this.#places = { directory, names: new Set(names) };
    }
    return this.#places.names.has(basename(path));
  }

  drop(id: EffectId, asked: readonly string[]): void {
    const names = asked.flatMap((name) => (name.startsWith('notify:') ? [name, ...this.#furtherOf(name)] : [name]));
    for (const name of names) {
      this.#stored.delete(name);
      this.#notify.remove(name);
      this.#release(name);
    }
    if (names.length > 0) this.#link.send({ 'drop-fd': { id, names } });
  }

  watch(name: string): void {
    const fd = this.#need(name);
    // One-shot: told once, then silent until it is asked for again. The level is looked at anew each time.
    const interest = EPOLL.in | EPOLL.oneshot;
    if (this.#loop.has(fd)) this.#loop.modify(fd, interest);
    else this.#loop.add(fd, interest, () => this.#loop.post({ type: 'readable', name }));
  }

  unwatch(name: string): void {
    const fd = this.#local.get(name);
    if (fd !== undefined && !this.#notify.has(name)) this.#loop.remove(fd);
  }

  consume(datagram: Datagram, names: readonly string[], id: EffectId | undefined): void {
    this.#notify.consume(datagram, names, id ?? this.#ownId());
  }

  flush(name: string): void {
    if (!this.#stored.has(name)) return;
    const fd = this.#need(name);
    for (let round = 0; round < FLUSHES_MAX; round += 1) if (!attempt(name, () => addon.drain(fd))) return;
  }

  sendLog(message: string, name: string | undefined): boolean {
    if (name !== undefined && this.#offers.size > 0) {
      this.#offers.set(name, () => message);
      return true;
    }
    // The keeper may have been restarted since: the second try is on a new connection.
    for (let round = 0; round < 2; round += 1) {
      const keeper = this.#connectKeeper();
      if (keeper === undefined) return false;
      const sent = this.#sendTo(keeper, message, name);
      if (sent === 'full' && name !== undefined) {
        this.#offers.set(name, () => message);
        this.#awaitRoom(keeper);
        return true;
      }
      if (sent !== 'closed') return sent === 'sent';
    }
    return false;
  }

  offerLogs(pipes: Iterable<readonly [name: string, message: () => string]>, afterMs = 0): void {
    if (afterMs > 0) {
      setTimeout(() => this.offerLogs(pipes), afterMs).unref();
      return;
    }
    for (const [name, message] of pipes) this.#offers.set(name, message);
    if (this.#offers.size > 0) this.#loop.schedule();
  }

  /** The next of the offered pipes, where a round has nothing better to do; their ends are fetched from init together. */
  flushOffers(): void {
    if (this.#offers.size === 0 || this.#keeperIsFull) return;
    if (this.#loop.busy && this.#offersWaited < OFFERS_WAIT) {
      this.#offersWaited += 1;
      return;
    }
    this.#offersWaited = 0;
    const slice = [...this.#offers].slice(0, OFFERS_PER_TURN).filter(([name]) => {
      if (this.#stored.has(`${name}:r`)) return true;
      this.#offers.delete(name);
      return false;
    });
    try {
      this.prefetch(slice.map(([name]) => `${name}:r`).filter((end) => !this.#local.has(end)));
      for (const [name, message] of slice) if (!this.#offer(name, message)) break;
    } catch (cause) {
      if (codeOf(cause) === undefined) throw cause;
      // Those that were in hand are left out, lest the same fault come again and again; a new keeper gets them.
      for (const [name] of slice) this.#offers.delete(name);
      this.#warn({ why: String(cause), pipes: slice.length }, 'log pipes could not be handed over');
    }
    if (this.#offers.size > 0 && !this.#keeperIsFull) this.#loop.schedule();
  }

  /** False: no more for now. */
  #offer(name: string, message: () => string): boolean {
    // The keeper may have been restarted since: the second try is on a new connection.
    for (let round = 0; round < 2; round += 1) {
      const keeper = this.#connectKeeper();
      if (keeper === undefined) break;
      const sent = this.#sendTo(keeper, message(), name);
      if (sent === 'full') this.#awaitRoom(keeper);
      else if (sent === 'sent') this.#offers.delete(name);
      if (sent !== 'closed') return sent === 'sent';
    }
    // All pipes are offered anew once there is a keeper.
    this.#offers.clear();
    return false;
  }

  #sendTo(keeper: number, message: string, name: string | undefined): 'sent' | 'full' | 'closed' {
    const end = name === undefined ? undefined : this.#need(`${name}:r`);
    const sent = addon.sendMessage(keeper, message, end === undefined ? [] : [end]);
    if (sent === 'sent') this.#release(`${name}:r`);
    if (sent === 'closed') {
      this.#loop.remove(keeper);
      addon.close(keeper);
      this.#keeper = undefined;
      this.#keeperIsFull = false;
    }
    return sent;
  }

  /** A round follows once it has room again, or is gone. */
  #awaitRoom(keeper: number): void {
    this.#keeperIsFull = true;
    const interest = EPOLL.out | EPOLL.oneshot;
    if (this.#loop.has(keeper)) this.#loop.modify(keeper, interest);
    else
      this.#loop.add(keeper, interest, () => {
        this.#keeperIsFull = false;
      });
  }

  /** Keep names in step with what init says. */
  onRecord(what: Report): void {
    if ('accepted' in what) this.#stored.add(what.accepted.name);
    else if ('done' in what) this.#pending.delete(keyOf(what.done.id));
    else if ('failed' in what) {
      for (const name of this.#pending.get(keyOf(what.failed.id)) ?? []) {
        this.#stored.delete(name);
        this.#notify.remove(name);
        this.#release(name);
      }
      this.#pending.delete(keyOf(what.failed.id));
    }
    this.#notify.onRecord(what);
  }

  /** Our own duplicate of a stored descriptor, which stays the port's. Throws HostError ENOENT. */
  descriptor(name: string): number {
    return this.#need(name);
  }

  /** Fetch in one go what a new core is going to watch, so that each does not cost a round trip. */
  prefetch(names: readonly string[]): void {
    for (const [name, fd] of this.#link.fetch(names, FETCH_MS)) {
      if (this.#local.has(name)) addon.close(fd);
      else this.#local.set(name, fd);
    }
  }

  /** Store a descriptor, which becomes the port's own. */
  keep(id: EffectId, name: string, fd: number): void {
    try {
      this.#store(id, [name], [fd]);
    } catch (cause) {
      addon.close(fd);
      throw cause;
    }
    this.#local.set(name, fd);
  }

  #store(id: EffectId, names: readonly string[], fds: readonly number[]): void {
    this.#link.send({ 'store-fd': { id, names } }, fds);
    this.#remember(names, id);
  }

  #remember(names: readonly string[], id: EffectId): void {
    for (const name of names) this.#stored.add(name);
    this.#pending.set(keyOf(id), names);
  }

  /** Our own duplicate of a stored descriptor. Throws HostError ENOENT if init has none of that name. */
  #need(name: string): number {
    const local = this.#local.get(name);
    if (local !== undefined) return local;
    const fd = this.#stored.has(name) ? this.#fetch(name) : undefined;
    if (fd === undefined) throw new HostError('ENOENT', `stored descriptor ${name}`);
    this.#local.set(name, fd);
    return fd;
  }

  #fetch(name: string): number | undefined {
    return this.#link.fetch([name], FETCH_MS).get(name);
  }

  #release(name: string): void {
    const fd = this.#local.get(name);
    if (fd === undefined) return;
    this.#local.delete(name);
    this.#loop.remove(fd);
    addon.close(fd);
  }

  #makeNotify(path: string): number {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    const stale = unless(['ENOENT'], path, () => lstatSync(path));
    if (stale?.isSocket()) unlinkSync(path);
    const fd = addon.socket(AF_UNIX, SOCK_DGRAM, 0);
    try {
      // Before bind, so that no datagram can come without credentials and stamp.
      addon.preparePeeking(fd);
      addon.bindUnix(fd, path);
      chmodSync(path, 0o666);
      return fd;
    } catch (cause) {
      addon.close(fd);
      throw cause;
    }
  }

  #connectKeeper(): number | undefined {
    if (this.#keeper !== undefined) return this.#keeper;
    try {
      this.#keeper = addon.connectUnix(this.#logSocket, 'seqpacket');
    } catch (cause) {
      // Not there, not listening, or its backlog is full: "not yet", and any other trouble is no different for the caller.
      if (codeOf(cause) === undefined) throw cause;
    }
    return this.#keeper;
  }
}
