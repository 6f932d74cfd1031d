/**
 * Gives memory back when core has had nothing to do for a while: what a start, a reload or a storm needed is several times what
 * core needs to wait. The heap is collected and shrunk, and the text of Node that only those needed is let go.
 */
import { addon } from './addon.ts';

/** So long without a round before. */
const QUIET_MS = 1000;
/** Not oftener than this. */
const APART_MS = 30_000;
/** A larger heap is left to the engine: collecting it takes tens of milliseconds that somebody might be waiting for. */
const HEAP_MAX_BYTES = 64 * 1024 * 1024;

/** Node's collector, where it was started with --expose-gc. */
type Collect = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void;

export class Thrift {
  readonly #say: (why: string) => void;
  #timer: NodeJS.Timeout | undefined;
  #lastRound = 0;
  #lastGift = Number.NEGATIVE_INFINITY;

  /** `say` gets what went wrong; nothing here may hinder core. */
  constructor(say: (why: string) => void) {
    this.#say = say;
  }

  /** A round has ended. */
  noted(): void {
    this.#lastRound = addon.clockMs('monotonic');
    if (this.#timer === undefined && this.#lastRound - this.#lastGift > APART_MS) this.#wait(QUIET_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => this.#look(), ms);
    this.#timer.unref();
  }

  #look(): void {
    this.#timer = undefined;
    const quiet = addon.clockMs('monotonic') - this.#lastRound;
    if (quiet < QUIET_MS) return this.#wait(QUIET_MS - quiet);
    this.#lastGift = addon.clockMs('monotonic');
    try {
      const collect = (globalThis as { gc?: Collect }).gc;
      if (process.memoryUsage().heapUsed < HEAP_MAX_BYTES)
        collect?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
      addon.letGoOfText();
    } catch (cause) {
      this.#say(String(cause));
    }
  }
}
