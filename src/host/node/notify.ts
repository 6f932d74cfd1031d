/**
 * Notify sockets: datagrams are told when peeked and taken when core has committed what they mean.
 *
 * A datagram with descriptors is taken only after init has confirmed that it stores them, and what stands behind it in the same
 * socket waits for that. A socket that comes from a former core is peeked from its beginning again.
 */
import type { Datagram, EffectId, Report } from '../ports.ts';
import { addon, EPOLL, type Peeked } from './addon.ts';
import type { Link } from './link.ts';
import type { Loop } from './loop.ts';
import type { Outstanding } from './outstanding.ts';

/** Datagrams peeked from one socket in one round; the rest comes in the next, so that no unit can crowd out the others. */
const PEEK_MAX = 64;

interface Take {
  readonly datagram: Datagram;
  readonly names: readonly string[];
  readonly id: EffectId;
  asked: boolean;
}

interface Socket {
  readonly fd: number;
  readonly takes: Take[];
}

/** Sockets are named `notify:UNIT` (src/actors/names.ts); those made because a unit's was not to be found any more, `notify:UNIT:NUMBER`. */
const SOCKET = /^notify:(.+?)(?::\d+)?$/;
const unitOfSocket = (name: string) => SOCKET.exec(name)?.[1] ?? name;

const keyOf = (id: EffectId): string => `${id.epoch}.${id.seq}.${id.index}`;

export class Notify {
  readonly #loop: Loop;
  readonly #link: Link;
  readonly #outstanding: Outstanding;
  readonly #onJunk: (socket: string, peeked: Peeked) => void;
  readonly #onStored: (names: readonly string[], id: EffectId) => void;
  readonly #sockets = new Map<string, Socket>();
  readonly #further = new Map<string, readonly string[]>();
  /** Sockets whose head waits for init, by effect. */
  readonly #waiting = new Map<string, string>();
  /** Sockets that had more than one round's worth. */
  readonly #more = new Set<string>();

  constructor(
    loop: Loop,
    link: Link,
    outstanding: Outstanding,
    onJunk: (socket: string, peeked: Peeked) => void,
    onStored: (names: readonly string[], id: EffectId) => void,
  ) {
    this.#outstanding = outstanding;
    // At once: what a process has said belongs before its end, which may be the next record.
    outstanding.onFree = (unit) => {
      const name = `notify:${unit}`;
      for (const one of [name, ...this.furtherOf(name)]) this.#peek(one);
    };
    this.#loop = loop;
    this.#link = link;
    this.#onJunk = onJunk;
    this.#onStored = onStored;
    loop.afterTurn(() => this.#peekMore());
  }

  /** Peek this socket from now on. The descriptor stays the caller's. */
  add(name: string, fd: number): void {
    if (this.#sockets.has(name)) return;
    addon.preparePeeking(fd);
    this.#sockets.set(name, { fd, takes: [] });
    const first = `notify:${unitOfSocket(name)}`;
    if (name !== first) this.#further.set(first, [...this.furtherOf(first), name]);
    // Edge-triggered: what was peeked stays in the queue until it is taken, and is no news.
    this.#loop.add(fd, EPOLL.in | EPOLL.edge, () => this.#peek(name));
    this.#again(name);
  }

  /** Look at a socket after this round, whatever epoll says. */
  #again(name: string): void {
    this.#more.add(name);
    this.#loop.schedule();
  }

  /** Sockets that were made since for the same unit. */
  furtherOf(name: string): readonly string[] {
    return this.#further.get(name) ?? [];
  }

  has(name: string): boolean {
    return this.#sockets.has(name);
  }

  remove(name: string): void {
    const socket = this.#sockets.get(name);
    if (socket === undefined) return;
    this.#sockets.delete(name);
    this.#more.delete(name);
    this.#further.delete(name);
    for (const take of socket.takes) this.#waiting.delete(keyOf(take.id));
    this.#loop.remove(socket.fd);
  }

  consume(datagram: Datagram, names: readonly string[], id: EffectId): void {
    const socket = this.#sockets.get(datagram.socket);
    if (socket === undefined) return;
    socket.takes.push({ datagram, names, id, asked: false });
    this.#go(datagram.socket, socket);
  }

  /** Init has said something about an effect: is it one that a datagram waits for? */
  onRecord(what: Report): void {
    const id = 'done' in what ? what.done.id : 'failed' in what ? what.failed.id : undefined;
    if (id === undefined) return;
    const name = this.#waiting.get(keyOf(id));
    if (name === undefined) return;
    this.#waiting.delete(keyOf(id));
    const socket = this.#sockets.get(name);
    if (socket === undefined) return;
    // Stored or refused: either way the answer is core's by now, and the datagram's own descriptors go with it.
    const take = socket.takes.shift();
    if (take !== undefined) this.#take(socket, take);
    this.#go(name, socket);
  }

  /** Take from the head what may be taken. */
  #go(name: string, socket: Socket): void {
    for (let take = socket.takes[0]; take !== undefined; take = socket.takes[0]) {
      if (take.asked) return;
      if (take.names.length > 0 && this.#store(socket, take)) {
        this.#waiting.set(keyOf(take.id), name);
        return;
      }
      this.#take(socket, take);
      socket.takes.shift();
    }
  }

  /** Ask init to keep the head's descriptors; false: there are none to keep. */
  #store(socket: Socket, take: Take): boolean {
    const { pid, atNs, hash } = take.datagram;
    const fds = addon.headDescriptors(socket.fd, pid, atNs, hash) ?? [];
    const kept = fds.slice(0, take.names.length);
    try {
      if (kept.length === 0) return false;
      const names = take.names.slice(0, kept.length);
      this.#link.send({ 'store-fd': { id: take.id, names } }, kept);
      this.#onStored(names, take.id);
      take.asked = true;
      return true;
    } finally {
      for (const fd of fds) addon.close(fd);
    }
  }

  #take(socket: Socket, take: Take): void {
    const { pid, atNs, hash } = take.datagram;
    addon.takeDatagram(socket.fd, pid, atNs, hash);
  }

  #peekMore(): void {
    for (const name of [...this.#more]) {
      this.#more.delete(name);
      this.#peek(name);
    }
  }

  #peek(name: string): void {
    const socket = this.#sockets.get(name);
    if (socket === undefined || this.#outstanding.holds(unitOfSocket(name))) return;
    const peeked = addon.peekDatagrams(socket.fd, PEEK_MAX);
    for (const one of peeked) {
      if (one.junk) {
        this.#onJunk(name, one);
        continue;
      }
      const { text, pid, uid, atNs, hash, fds } = one;
      this.#loop.post({ type: 'datagram', datagram: { socket: name, text, pid, uid, atNs, hash, fds } });
    }
    if (peeked.length === PEEK_MAX) this.#again(name);
  }
}
