/**
 * The descriptor store and what hangs on it: listeners with connections that wait, pipes, notify sockets with their queues.
 * All of it is init's and outlives core; what a core has peeked and what it watches is in {@link SocketView}, and does not.
 */
import { type Datagram, HostError, type HostEvent, type ListenSpec } from '../ports.ts';
import { ERRNO, type Kernel } from './kernel.ts';

export interface Peer {
  readonly pid: number;
  readonly uid: number | null;
  readonly address: string;
}

interface Entry {
  readonly kind: 'listener' | 'datagrams' | 'fifo' | 'pipe' | 'notify' | 'connection' | 'passed';
  readonly address: string;
  /** Connections of a listener, datagrams or bytes of others: how much waits to be read. */
  readonly waiting: Peer[];
  readonly datagrams: Datagram[];
}

export class Sockets {
  readonly #entries = new Map<string, Entry>();
  readonly #kernel: Kernel;
  #stamp = 0n;
  /** Something can be read from this name. */
  onReadable: (name: string) => void = () => {};
  /** A datagram has come to this notify socket. */
  onDatagram: (name: string) => void = () => {};
  /** Lines handed to the log keeper; false from `keeper` means that it is not there. */
  readonly logs: { readonly message: string; readonly name: string | undefined }[] = [];
  keeper = true;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  names(): readonly string[] {
    return [...this.#entries.keys()].sort();
  }

  stored(name: string): boolean {
    return this.#entries.has(name);
  }

  /** Who has this address or path; for the world outside core. */
  find(address: string): string | undefined {
    for (const [name, entry] of this.#entries) if (entry.address === address) return name;
    return undefined;
  }

  listen(name: string, spec: ListenSpec): void {
    if (this.find(spec.address) !== undefined) throw new HostError('EADDRINUSE', spec.address);
    const listens = spec.kind === 'stream' || spec.kind === 'seqpacket';
    this.#add(name, listens ? 'listener' : spec.kind === 'datagram' ? 'datagrams' : 'fifo', spec.address);
  }

  add(name: string, kind: Entry['kind'], address = ''): void {
    this.#add(name, kind, address);
  }

  drop(names: readonly string[]): void {
    for (const name of names) this.#entries.delete(name);
  }

  /** Somebody connects, or writes to a FIFO or datagram socket. */
  connect(name: string, peer: Peer): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw new HostError('ECONNREFUSED', name);
    entry.waiting.push(peer);
    this.onReadable(name);
  }

  /** How many connections, or datagrams of others, wait there. */
  waiting(name: string): number {
    return this.#entries.get(name)?.waiting.length ?? 0;
  }

  readable(name: string): boolean {
    return (this.#entries.get(name)?.waiting.length ?? 0) > 0;
  }

  /** Why accept(2) fails on what has this name; undefined: it has somebody to accept. */
  cannotAccept(name: string): number | undefined {
    const entry = this.#entries.get(name);
    switch (entry?.kind) {
      case undefined:
        return ERRNO.ENOENT;
      case 'listener':
        return entry?.waiting.length === 0 ? ERRNO.EAGAIN : undefined;
      case 'connection':
        return ERRNO.EINVAL;
      case 'datagrams':
      case 'notify':
        return ERRNO.EOPNOTSUPP;
      default:
        return ERRNO.ENOTSOCK;
    }
  }

  accept(listener: string, name: string): Peer | undefined {
    const peer = this.#entries.get(listener)?.waiting.shift();
    if (peer !== undefined) this.#add(name, 'connection', '');
    return peer;
  }

  flush(name: string): void {
    const entry = this.#entries.get(name);
    if (entry !== undefined) entry.waiting.length = 0;
  }

  /** A process says something to the notify socket of this name. */
  say(name: string, text: string, pid: number, uid: number, fds: number): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return; // like a socket file without a socket: the sender is refused
    // Stamps differ even where the payloads and the virtual time do not.
    this.#stamp += 1n;
    const realMs = this.#kernel.nowMs + this.#kernel.realOffsetMs;
    const atNs = (BigInt(Math.round(realMs * 1000)) * 1000n + this.#stamp).toString();
    entry.datagrams.push({ socket: name, text, pid, uid, atNs, hash: hashOf(text), fds });
    this.onDatagram(name);
  }

  datagrams(name: string): readonly Datagram[] {
    return this.#entries.get(name)?.datagrams ?? [];
  }

  /** Take the head, if it is this one. */
  take(datagram: Datagram): boolean {
    const queue = this.#entries.get(datagram.socket)?.datagrams;
    const head = queue?.[0];
    if (queue === undefined || head === undefined || datagramKey(head) !== datagramKey(datagram)) return false;
    queue.shift();
    return true;
  }

  #add(name: string, kind: Entry['kind'], address: string): void {
    this.#entries.set(name, { kind, address, waiting: [], datagrams: [] });
  }
}

/** What one core has peeked and watches. */
export class SocketView {
  readonly #sockets: Sockets;
  readonly #emit: (event: HostEvent) => void;
  readonly #watched = new Set<string>();
  /** How many datagrams of each peeked socket were told. */
  readonly #peeked = new Map<string, number>();
  /** What is to be taken from each, in order. */
  readonly #takes = new Map<string, { readonly datagram: Datagram; held: boolean }[]>();

  constructor(sockets: Sockets, emit: (event: HostEvent) => void) {
    this.#sockets = sockets;
    this.#emit = emit;
  }

  watch(name: string): void {
    if (!this.#sockets.stored(name)) throw new HostError('ENOENT', name);
    if (this.#sockets.readable(name)) this.#emit({ type: 'readable', name });
    else this.#watched.add(name);
  }

  unwatch(name: string): void {
    this.#watched.delete(name);
  }

  onReadable(name: string): void {
    if (this.#watched.delete(name)) this.#emit({ type: 'readable', name });
  }

  peek(name: string): void {
    if (this.#peeked.has(name)) return;
    this.#peeked.set(name, 0);
    this.onDatagram(name);
  }

  onDatagram(name: string): void {
    const told = this.#peeked.get(name);
    if (told === undefined) return;
    const queue = this.#sockets.datagrams(name);
    this.#peeked.set(name, queue.length);
    for (const datagram of queue.slice(told)) this.#emit({ type: 'datagram', datagram });
  }

  /** Take a datagram from the head, after all that is to be taken before it. `held`: not before the answer is called. */
  consume(datagram: Datagram, held = false): () => void {
    const take = { datagram, held };
    const takes = this.#takes.get(datagram.socket) ?? [];
    this.#takes.set(datagram.socket, [...takes, take]);
    const go = () => {
      take.held = false;
      this.#take(datagram.socket);
    };
    if (!held) go();
    return go;
  }

  #take(name: string): void {
    const takes = this.#takes.get(name) ?? [];
    for (let take = takes[0]; take !== undefined && !take.held; take = takes[0]) {
      takes.shift();
      const told = this.#peeked.get(name);
      if (this.#sockets.take(take.datagram) && told !== undefined) this.#peeked.set(name, Math.max(0, told - 1));
    }
  }

  forget(names: readonly string[]): void {
    for (const name of names) {
      this.#watched.delete(name);
      this.#peeked.delete(name);
      this.#takes.delete(name);
    }
  }
}

/** What makes a datagram the same one at every peek. */
export function datagramKey({ socket, pid, atNs, hash }: Datagram): string {
  return `${socket} ${pid} ${atNs} ${hash}`;
}

function hashOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, '0');
}
