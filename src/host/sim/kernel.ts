/**
 * Virtual time, chance, and the one table of what happens when. Same seed, same run.
 */

/** A stream of numbers from a seed (Sebastiano Vigna's splitmix32 variant by its published constants). */
export function randomStream(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 4294967296;
  };
}

export interface Timer {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

export class Kernel {
  /** CLOCK_MONOTONIC in ms. Starts at one second: nothing is ever at zero. */
  nowMs = 1_000;
  /** CLOCK_REALTIME minus CLOCK_MONOTONIC. */
  realOffsetMs: number;
  readonly random: () => number;
  readonly #timers: Timer[] = [];
  #order = 0;

  constructor(seed: number, realMs: number) {
    this.random = randomStream(seed);
    this.realOffsetMs = realMs - this.nowMs;
  }

  /** Run something after so many ms; things of the same time run in the order they were asked for. */
  after(ms: number, run: () => void): Timer {
    this.#order += 1;
    const timer: Timer = { at: this.nowMs + Math.max(0, ms), order: this.#order, run, cancelled: false };
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#timers[middle] as Timer;
      if (other.at < timer.at || (other.at === timer.at && other.order < timer.order)) low = middle + 1;
      else high = middle;
    }
    this.#timers.splice(low, 0, timer);
    return timer;
  }

  /** The time of the next thing to happen; undefined: nothing will. */
  next(): number | undefined {
    while (this.#timers[0]?.cancelled === true) this.#timers.shift();
    return this.#timers[0]?.at;
  }

  /** Go to the next thing and let it happen. False: there was none. */
  advance(): boolean {
    if (this.next() === undefined) return false;
    const timer = this.#timers.shift() as Timer;
    this.nowMs = Math.max(this.nowMs, timer.at);
    timer.run();
    return true;
  }
}

/** Errno values by name, where the simulator speaks in numbers as init does. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EAGAIN: 11,
  EACCES: 13,
  EINVAL: 22,
  ENOSPC: 28,
  ENOTSOCK: 88,
  EMSGSIZE: 90,
  EOPNOTSUPP: 95,
  ESHUTDOWN: 108,
  EALREADY: 114,
  ENOEXEC: 8,
} as const;

export const SIGNAL = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ABRT: 6,
  KILL: 9,
  USR1: 10,
  USR2: 12,
  TERM: 15,
  CHLD: 17,
  CONT: 18,
  STOP: 19,
  URG: 23,
  WINCH: 28,
} as const;
