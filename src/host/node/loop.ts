/**
 * The turn loop's outer half: what is ready becomes events, events are handed over in order, then a turn is asked for.
 *
 * One round is: take everything that is ready (bounded), hand over the events, ask for a turn, then let the ports send what
 * they coalesced. A deadline's `wake` comes last in its round, so all input that is ready is seen before it. Rounds are
 * started by readiness of any registered descriptor, by `post`, or by `schedule`; an idle loop costs nothing.
 */
import { inOrder } from '../order.ts';
import type { HostEvent } from '../ports.ts';
import { addon } from './addon.ts';
import { codeOf } from './errors.ts';

const realOffsetMs = () => addon.clockMs('realtime') - addon.clockMs('monotonic');

/** How many times in one round readiness is asked for, and how many events end the asking. */
const SWEEPS_MAX = 16;
const EVENTS_MAX = 1024;

type Handler = (events: number) => void;

export class Loop {
  /** Told of a handler that failed with an errno; its descriptor is not watched any more, lest it fail for ever. */
  onFault: (cause: unknown) => void = (cause) => {
    throw cause;
  };
  readonly #poller = new addon.Poller();
  readonly #handlers = new Map<number, { readonly fd: number; readonly handler: Handler }>();
  readonly #tokens = new Map<number, number>();
  readonly #afterTurn: (() => void)[] = [];
  readonly #idle: (() => void)[] = [];
  #nextToken = 1;
  #queue: HostEvent[] = [];
  #wakeDue = false;
  #scheduled = false;
  #inRound = false;
  #onEvent: ((event: HostEvent) => void) | undefined;
  #turn: ((whole: boolean) => void) | undefined;

  /** Call `handler` while the descriptor is ready (level-triggered, unless `interest` says otherwise). */
  add(fd: number, interest: number, handler: Handler): void {
    const token = this.#nextToken;
    this.#nextToken += 1;
    this.#poller.add(fd, token, interest);
    this.#handlers.set(token, { fd, handler });
    this.#tokens.set(fd, token);
  }

  /** Change the interest, or arm a one-shot descriptor again. */
  modify(fd: number, interest: number): void {
    const token = this.#tokens.get(fd);
    if (token !== undefined) this.#poller.modify(fd, token, interest);
  }

  has(fd: number): boolean {
    return this.#tokens.has(fd);
  }

  /** Forget a descriptor. Must come before it is closed: init may hold a duplicate, and epoll watches the open file. */
  remove(fd: number): void {
    const token = this.#tokens.get(fd);
    if (token === undefined) return;
    this.#tokens.delete(fd);
    this.#handlers.delete(token);
    this.#poller.remove(fd);
  }

  /** Queue an event; it is handed over in this round, or in one that is started for it. */
  post(event: HostEvent): void {
    this.#queue.push(event);
    if (!this.#inRound) this.schedule();
  }

  /** Hand over `wake` at the end of this round. */
  postWake(): void {
    this.#wakeDue = true;
    if (!this.#inRound) this.schedule();
  }

  /** Call this at the end of each round, after the turn. */
  afterTurn(work: () => void): void {
    this.#afterTurn.push(work);
  }

  /** Call this once, when a round has ended and no other is due: what may wait until there is nothing better to do. */
  onceIdle(work: () => void): void {
    this.#idle.push(work);
  }

  /** There is more to do than to wait. */
  get busy(): boolean {
    return this.#scheduled || this.#queue.length > 0 || this.#wakeDue;
  }

  /** One more round soon. */
  schedule(): void {
    if (this.#scheduled || this.#turn === undefined) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#round();
    });
  }

  start(onEvent: (event: HostEvent) => void, turn: (whole: boolean) => void): void {
    this.#onEvent = onEvent;
    this.#turn = turn;
    this.#poller.watch(() => this.#round());
    this.schedule();
  }

  /** Wait once, for at most so long, and run the handlers; for leaving, when rounds are over. */
  pump(timeoutMs: number): void {
    this.#dispatch(this.#poller.wait(timeoutMs));
  }

  /** No more rounds. */
  stop(): void {
    this.#turn = undefined;
    this.#poller.close();
  }

  #dispatch(ready: readonly number[]): void {
    for (let at = 0; at + 1 < ready.length; at += 2) {
      // A handler may have removed a descriptor that was ready in the same sweep.
      const registered = this.#handlers.get(ready[at] as number);
      if (registered === undefined) continue;
      try {
        registered.handler(ready[at + 1] as number);
      } catch (cause) {
        if (codeOf(cause) === undefined) throw cause; // a mistake of ours
        if (this.#handlers.get(ready[at] as number) === registered) this.remove(registered.fd);
        this.onFault(cause);
      }
    }
  }

  #round(): void {
    if (this.#inRound || this.#turn === undefined || this.#onEvent === undefined) return;
    this.#inRound = true;
    try {
      for (let sweep = 0; sweep < SWEEPS_MAX && this.#queue.length < EVENTS_MAX; sweep += 1) {
        const ready = this.#poller.wait(0);
        if (ready.length === 0) break;
        this.#dispatch(ready);
      }
      // A source gives less than this in so many sweeps, unless it has more than that waiting.
      const whole = this.#queue.length < EVENTS_MAX;
      if (this.#wakeDue) {
        this.#wakeDue = false;
        this.#queue.push({ type: 'wake' });
      }
      const batch = this.#queue;
      this.#queue = [];
      for (const event of inOrder(batch, realOffsetMs)) this.#onEvent(event);
      this.#turn(whole);
    } finally {
      this.#inRound = false;
    }
    for (const work of this.#afterTurn) work();
    if (this.#queue.length > 0 || this.#wakeDue) this.schedule();
    if (!this.#scheduled) for (const work of this.#idle.splice(0)) setImmediate(work);
  }
}
