/**
 * Sessions of the API socket: bounded in number, in what a client may send at once, and in what it may leave unread.
 *
 * The listener is kept in init's store as `api`, so that a client can connect while core is away. Who may do what is decided
 * elsewhere, by the uid in `opened`. A client that says nothing costs a descriptor, and has to go first when all
 * places are taken; one that breaks a bound is
 * sent away, with the reason in `closed`.
 */
import type { ApiPort } from '../ports.ts';
import { addon, EPOLL } from './addon.ts';
import { codeOf } from './errors.ts';
import { Framing } from './framing.ts';
import type { Loop } from './loop.ts';

export interface ApiBounds {
  readonly messageBytes: number;
  /** A client that leaves more than so many bytes unread, beside the answer that comes next, is let go of. */
  readonly outboxBytes: number;
  /** One answer: the plan of many thousand units is a long one. */
  readonly answerBytes: number;
  readonly sessions: number;
  /** For every uid but 0. */
  readonly sessionsPerUid: number;
  /** Messages that core has not been given yet count as many as fit this many reads a round. */
  readonly readBytes: number;
}

export const API_BOUNDS: ApiBounds = {
  messageBytes: 1024 * 1024,
  outboxBytes: 4 * 1024 * 1024,
  answerBytes: 64 * 1024 * 1024,
  sessions: 128,
  sessionsPerUid: 16,
  readBytes: 64 * 1024,
};

/** No descriptors or no memory for another connection, and how long to wait then. */
const EXHAUSTED = ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'];
const EXHAUSTED_MS = 1000;

/** Connections taken in one round. */
const ACCEPTS_MAX = 64;

interface Session {
  readonly fd: number;
  readonly uid: number;
  readonly framing: Framing;
  outbox: Uint8Array[];
  outboxBytes: number;
  /** How much of the outbox's first piece is written. */
  written: number;
  closing: boolean;
  /** It has sent something. */
  spoke: boolean;
}

/** An error of io.sysmaster.Manager, as a message. */
const errorMessage = (name: string, why: string, todo: string): Buffer =>
  Buffer.from(`${JSON.stringify({ error: `io.sysmaster.Manager.${name}`, parameters: { unit: '', why, todo } })}\0`);

export class NodeApi implements ApiPort {
  readonly #loop: Loop;
  readonly #bounds: ApiBounds;
  readonly #sessions = new Map<number, Session>();
  #next = 1;

  constructor(loop: Loop, bounds: ApiBounds = API_BOUNDS) {
    this.#loop = loop;
    this.#bounds = bounds;
  }

  /** Serve this listener, which stays the caller's. */
  serve(listener: number): void {
    this.#loop.add(listener, EPOLL.in, () => {
      try {
        for (let count = 0; count < ACCEPTS_MAX && this.#accept(listener); count += 1);
      } catch (cause) {
        if (!EXHAUSTED.includes(codeOf(cause) ?? '')) throw cause;
        // Clients wait in the backlog until there are descriptors again; the listener stays ready all the while.
        this.#loop.remove(listener);
        setTimeout(() => this.serve(listener), EXHAUSTED_MS).unref();
      }
    });
  }

  /** Serve whoever has come by this listener, once: it is about to be closed. */
  serveLast(listener: number): void {
    for (let count = 0; count < this.#bounds.sessions && this.#accept(listener); count += 1);
  }

  send(number: number, message: string): void {
    const session = this.#sessions.get(number);
    if (session === undefined || session.closing) return;
    const { outboxBytes, answerBytes } = this.#bounds;
    if (session.outboxBytes > outboxBytes) {
      this.#end(number, session, `it left more than ${outboxBytes} bytes of answers unread`);
      return;
    }
    const whole = Buffer.from(`${message}\0`, 'utf8');
    const why = `the answer has ${whole.length} bytes, and may have ${answerBytes}`;
    const bytes = whole.length > answerBytes ? errorMessage('Busy', why, 'ask about fewer units at once') : whole;
    session.outbox.push(bytes);
    session.outboxBytes += bytes.length;
    if (session.outbox.length === 1) this.#write(number, session);
  }

  /** What was sent before still goes out, as far as the client reads it. */
  close(number: number): void {
    const session = this.#sessions.get(number);
    if (session === undefined) return;
    if (session.outbox.length === 0) this.#end(number, session, undefined);
    else session.closing = true;
  }

  #accept(listener: number): boolean {
    const accepted = addon.acceptUnix(listener);
    if (accepted === null) return false;
    const { fd, peer } = accepted;
    if (this.#sessions.size >= this.#bounds.sessions) this.#makeRoom();
    const refusal = this.#refusal(peer.uid);
    if (refusal !== undefined) {
      // Not a session: core need not know, and the client is told in its own language.
      addon.writeSome(fd, errorMessage('Busy', refusal, 'close some, or try again later'), 0);
      addon.close(fd);
      return true;
    }
    const number = this.#next;
    this.#next += 1;
    const session: Session = {
      fd,
      uid: peer.uid,
      framing: new Framing(this.#bounds.messageBytes),
      outbox: [],
      outboxBytes: 0,
      written: 0,
      closing: false,
      spoke: false,
    };
    this.#sessions.set(number, session);
    this.#loop.add(fd, EPOLL.in | EPOLL.rdhup, (events) => this.#ready(number, session, events));
    this.#loop.post({ type: 'client', session: number, what: { opened: peer } });
    return true;
  }

  /**
   * Send away the oldest of those who only hold a place, so that nobody is kept out by silence. Without a word: should it be one
   * that was about to speak, a lost connection is what clients try again for.
   */
  #makeRoom(): void {
    for (const [number, session] of this.#sessions) {
      if (!session.spoke) return this.#end(number, session, 'it said nothing, and another client needed the place');
    }
  }

  #refusal(uid: number): string | undefined {
    if (this.#sessions.size >= this.#bounds.sessions) return `${this.#bounds.sessions} clients are connected`;
    if (uid === 0) return undefined;
    const same = [...this.#sessions.values()].filter((session) => session.uid === uid).length;
    return same >= this.#bounds.sessionsPerUid ? `${same} clients of uid ${uid} are connected` : undefined;
  }

  #ready(number: number, session: Session, events: number): void {
    if ((events & EPOLL.out) !== 0) this.#write(number, session);
    if (this.#sessions.get(number) !== session || (events & ~EPOLL.out) === 0) return;
    const bytes = addon.readSome(session.fd, this.#bounds.readBytes);
    if (bytes === null) return;
    if (bytes.length === 0) {
      const left = session.framing.pending;
      this.#end(
        number,
        session,
        left === 0
          ? 'the client has closed the connection'
          : `the client has closed the connection ${left} bytes into a message`,
      );
      return;
    }
    session.spoke = true;
    const messages = session.framing.take(bytes);
    for (const message of messages ?? []) this.#loop.post({ type: 'client', session: number, what: { message } });
    if (messages === undefined) this.#sendAway(number, session);
  }

  /** Told why in its own language, as far as it reads: only where no answer is half written. */
  #sendAway(number: number, session: Session): void {
    const why = `it sent more than ${this.#bounds.messageBytes} bytes without an end of message`;
    if (session.outbox.length === 0)
      addon.writeSome(session.fd, errorMessage('BadMessage', why, 'end messages with NUL'), 0);
    this.#end(number, session, why);
  }

  #write(number: number, session: Session): void {
    for (let piece = session.outbox[0]; piece !== undefined; piece = session.outbox[0]) {
      const count = addon.writeSome(session.fd, piece, session.written);
      if (count < 0) {
        this.#end(number, session, 'the client has closed the connection');
        return;
      }
      session.written += count;
      session.outboxBytes -= count;
      if (session.written < piece.length) {
        // A client that does not read its answers is not listened to either.
        this.#loop.modify(session.fd, EPOLL.out | EPOLL.rdhup);
        return;
      }
      session.outbox.shift();
      session.written = 0;
    }
    if (session.closing) this.#end(number, session, undefined);
    else this.#loop.modify(session.fd, EPOLL.in | EPOLL.rdhup);
  }

  #end(number: number, session: Session, why: string | undefined): void {
    if (this.#sessions.get(number) !== session) return;
    this.#sessions.delete(number);
    this.#loop.remove(session.fd);
    addon.close(session.fd);
    if (why !== undefined) this.#loop.post({ type: 'client', session: number, what: { closed: { why } } });
  }
}
