/**
 * The link to init: frames out, in order, held back while the link is full; frames in, the hello first.
 *
 * Hello and `fetch` are the only places that wait, each with a bound: init answers from its own loop, which never blocks.
 * Whatever else arrives while they wait becomes events in the order of arrival.
 */
import { type EffectId, type Hello, type HelloChild, HostError, type InitRecord, type Report } from '../ports.ts';
import { addon, EPOLL, type Frame } from './addon.ts';
import { attempt, codeOf } from './errors.ts';
import type { Loop } from './loop.ts';

/** How many frames wait for a full link before a port call fails. */
const BACKLOG_MAX = 16_384;
/** Frames taken from the link in one go. */
const BATCH = 64;
/** Names asked for in one `fetch-fds`, by number and by bytes: the answer is one message of at most 253 descriptors each. */
const FETCH_NAMES_MAX = 253;
const FETCH_BYTES_MAX = 32 * 1024;

/** A frame to init, as native/link/src/frame.rs names it. */
export type ToInit = string | { readonly [verb: string]: unknown };

interface FromInit {
  hello?: Omit<Hello, 'children' | 'fds' | 'records'>;
  'hello-child'?: HelloChild;
  'hello-fds'?: { names: string[] };
  'hello-end'?: { orphansDropped: number; records: number };
  record?: InitRecord;
  fds?: { names: string[]; last: boolean };
  refused?: { why: string; id: EffectId | null; errno: number };
}

interface Waiting {
  readonly json: string;
  readonly fds: readonly number[];
}

/** What the link needs of its surroundings. */
export interface LinkOwner {
  /** A record, before it becomes an event. */
  onRecord(what: Report): void;
  /** A frame of ours that init did not carry out, before it becomes an event. */
  onRefused(id: EffectId | null): void;
  /** Something init said that was not understood. */
  onTrouble(what: string): void;
  /** Init is gone. */
  onClosed(): void;
}

export class Link {
  readonly #fd: number;
  readonly #loop: Loop;
  readonly #owner: LinkOwner;
  readonly #backlog: Waiting[] = [];
  #fetched: { readonly fds: Map<string, number>; done: boolean } | undefined;
  #stash: Frame[] = [];
  #closed = false;

  constructor(fd: number, loop: Loop, owner: LinkOwner) {
    this.#fd = fd;
    this.#loop = loop;
    this.#owner = owner;
  }

  /** Read init's hello, waiting at most so long, and then watch the link. Throws HostError ETIMEDOUT, EPIPE or EPROTO. */
  hello(timeoutMs: number): Hello {
    const endMs = addon.clockMs('monotonic') + timeoutMs;
    const children: HelloChild[] = [];
    const fds: string[] = [];
    let head: FromInit['hello'];
    for (;;) {
      const batch = attempt(`the link: descriptor ${this.#fd} is not connected to init, which starts core`, () =>
        addon.receiveFrames(this.#fd, BATCH),
      );
      for (const [at, frame] of batch.entries()) {
        if (frame.closed) throw new HostError('EPIPE', 'the link: init closed it before its hello was complete');
        if (frame.json === undefined) throw new HostError('EPROTO', `the link: a frame of the hello: ${frame.error}`);
        const said = JSON.parse(frame.json) as FromInit;
        if (said.hello !== undefined) head = said.hello;
        else if (said['hello-child'] !== undefined) children.push(said['hello-child']);
        else if (said['hello-fds'] !== undefined) fds.push(...said['hello-fds'].names);
        else if (said['hello-end'] !== undefined) {
          if (head === undefined) throw new HostError('EPROTO', 'the link: the hello has no beginning');
          this.#stash = batch.slice(at + 1);
          this.#loop.add(this.#fd, EPOLL.in, (events) => this.#ready(events));
          return { ...head, children, fds, records: said['hello-end'].records };
        } else throw new HostError('EPROTO', `the link: ${frame.json.slice(0, 80)} within the hello`);
      }
      const leftMs = endMs - addon.clockMs('monotonic');
      if (leftMs <= 0)
        throw new HostError(
          'ETIMEDOUT',
          `the link: no complete hello within ${timeoutMs} ms; is this descriptor connected to init?`,
        );
      if (batch.length === 0) addon.waitReadable(this.#fd, Math.ceil(leftMs));
    }
  }

  /** Turn what came with the end of the hello into events; once everything that listens to records is there. */
  begin(): void {
    for (const frame of this.#stash.splice(0)) this.#take(frame);
  }

  /**
   * Send a frame, now or as soon as the link has room. The descriptors stay the caller's, which may close them at once.
   * Throws HostError EAGAIN when too much is waiting already, EINVAL for a frame that init could not read.
   */
  send(frame: ToInit, fds: readonly number[] = []): void {
    const json = JSON.stringify(frame);
    if (this.#closed) return;
    if (this.#backlog.length === 0) {
      const sent = addon.sendFrame(this.#fd, json, fds);
      if (sent !== 'full') return; // closed: the end is read from the link as well
    }
    if (this.#backlog.length >= BACKLOG_MAX)
      throw new HostError('EAGAIN', `the link: ${BACKLOG_MAX} frames wait for init`);
    this.#backlog.push({ json, fds: fds.map((fd) => addon.duplicate(fd)) });
    if (this.#backlog.length === 1) this.#loop.modify(this.#fd, EPOLL.in | EPOLL.out);
  }

  /** Frames that init has not taken yet. */
  get waiting(): number {
    return this.#backlog.length;
  }

  /** Duplicates of stored descriptors, the caller's from then on; names init does not know are left out. Waits at most so long. */
  fetch(names: readonly string[], timeoutMs: number): Map<string, number> {
    const all = new Map<string, number>();
    const endMs = addon.clockMs('monotonic') + timeoutMs;
    for (const chunk of chunks(names)) {
      const answer = { fds: all, done: false };
      this.#fetched = answer;
      this.send({ 'fetch-fds': { names: chunk } });
      while (!answer.done && !this.#closed) {
        const frames = addon.receiveFrames(this.#fd, BATCH);
        for (const frame of frames) this.#take(frame);
        if (answer.done || frames.length > 0) continue;
        const leftMs = endMs - addon.clockMs('monotonic');
        if (leftMs <= 0) {
          this.#fetched = undefined;
          throw new HostError(
            'ETIMEDOUT',
            `the link: init did not hand over ${chunk.length} stored descriptors within ${timeoutMs} ms`,
          );
        }
        addon.waitReadable(this.#fd, Math.ceil(Math.min(leftMs, 50)));
        this.#flush();
      }
      this.#fetched = undefined;
    }
    return all;
  }

  #ready(events: number): void {
    try {
      if ((events & EPOLL.out) !== 0) this.#flush();
      if ((events & ~EPOLL.out) === 0) return;
      for (const frame of addon.receiveFrames(this.#fd, BATCH)) this.#take(frame);
    } catch (cause) {
      // A link that cannot be read is none: init starts another core with a new one.
      if (codeOf(cause) === undefined) throw cause;
      this.#owner.onTrouble(String(cause));
      this.#take({ fds: [], closed: true });
    }
  }

  #flush(): void {
    let sent = 0;
    for (const waiting of this.#backlog) {
      if (addon.sendFrame(this.#fd, waiting.json, waiting.fds) === 'full') break;
      for (const fd of waiting.fds) addon.close(fd);
      sent += 1;
    }
    this.#backlog.splice(0, sent);
    if (this.#backlog.length === 0) this.#loop.modify(this.#fd, EPOLL.in);
  }

  #take(frame: Frame): void {
    if (frame.closed) {
      if (this.#closed) return;
      this.#closed = true;
      this.#loop.remove(this.#fd);
      this.#owner.onClosed();
      return;
    }
    if (frame.json === undefined) {
      this.#owner.onTrouble(`a frame from init that is none: ${frame.error}`);
      return;
    }
    const said = JSON.parse(frame.json) as FromInit;
    if (said.fds !== undefined) {
      this.#takeFds(said.fds, frame.fds);
      return;
    }
    for (const fd of frame.fds) addon.close(fd);
    if (said.record !== undefined) {
      this.#owner.onRecord(said.record.what);
      this.#loop.post({ type: 'record', record: said.record });
    } else if (said.refused !== undefined) {
      this.#owner.onRefused(said.refused.id);
      this.#loop.post({ type: 'refused', ...said.refused });
    } else {
      this.#owner.onTrouble(`a frame from init out of place: ${frame.json.slice(0, 80)}`);
    }
  }

  #takeFds(answer: { names: string[]; last: boolean }, fds: readonly number[]): void {
    const wanted = this.#fetched;
    for (const [at, fd] of fds.entries()) {
      const name = answer.names[at];
      // An answer that came too late for its question, or a name asked for twice.
      if (wanted === undefined || name === undefined || wanted.fds.has(name)) addon.close(fd);
      else wanted.fds.set(name, fd);
    }
    if (wanted !== undefined && answer.last) wanted.done = true;
  }
}

function* chunks(names: readonly string[]): Generator<string[]> {
  let chunk: string[] = [];
  let bytes = 0;
  for (const name of names) {
    const size = Buffer.byteLength(name) + 8;
    if (chunk.length >= FETCH_NAMES_MAX || (chunk.length > 0 && bytes + size > FETCH_BYTES_MAX)) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(name);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}
