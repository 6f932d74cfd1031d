/**
 * Deadlines that fell due while core was away or hung: what was said in time may still be on its way, so all inputs that are
 * ready come first. Not for ever, though: a system that speaks without end would hold them back for ever.
 */

/** A deadline later than this was missed: it waits for one full drain of inputs. */
const LATE_MS = 20;
/** … but for no more turns than this, should inputs never end. */
const TURNS = 64;
/** … nor for longer than this, while a turn brings fewer inputs than this: a source that has more waiting brings a batch at a time. */
const WAIT_MS = 100;
const FEW = 32;
/** … nor when so many turns since have had all that was ready. */
const WHOLE = 4;

export class LateDeadlines {
  /** Deadlines up to this time fell due while core was away: CLOCK_MONOTONIC, ms. */
  awayUntilMs = Number.NEGATIVE_INFINITY;
  /** Turns since one was first held back; -1: none is. */
  #turns = -1;
  #sinceMs = 0;
  /** How many of these turns had all that was ready before them. */
  #whole = 0;
  /** Inputs since deadlines were looked at. */
  #inputs = 0;

  /** Some wait. */
  get areHeld(): boolean {
    return this.#turns >= 0;
  }

  /** An input has come. */
  input(): void {
    this.#inputs += 1;
  }

  /**
   * A turn begins: may the deadlines that are due fire in it?
   *
   * @param next the earliest deadline; undefined: there is none
   * @param whole nothing that was ready is left behind
   */
  mayFire(next: number | undefined, nowMs: number, whole: boolean): boolean {
    if (next === undefined || next > nowMs) {
      this.#turns = -1;
      return false;
    }
    if ((nowMs - next > LATE_MS || next <= this.awayUntilMs) && this.#holdsBack(nowMs, whole)) return false;
    this.#turns = -1;
    return true;
  }

  #holdsBack(nowMs: number, whole: boolean): boolean {
    const drained = this.#turns >= 0 && this.#isDrained(nowMs);
    this.#inputs = 0;
    this.#turns += 1;
    if (this.#turns === 0) {
      this.#sinceMs = nowMs;
      this.#whole = 0;
      return true;
    }
    if (whole) this.#whole += 1;
    return !drained && this.#turns < TURNS;
  }

  /** Whether there is nothing left of what waited: nothing came, or for a while only what a busy system says all the time. */
  #isDrained(nowMs: number): boolean {
    if (this.#inputs === 0) return true;
    if (nowMs - this.#sinceMs <= WAIT_MS) return false;
    return this.#inputs < FEW || this.#whole >= WHOLE;
  }
}
