/**
 * How long events are handled one by one after a death that one of them may have been the cause of (law 7), so that the black box
 * names the right one should it happen again.
 *
 * The number of the suspected event says only roughly when it has had its turn, since inputs can come in another order: all that
 * waits once the inputs of the dead core are there is handled alone, and all that comes of that. What comes in later is above
 * suspicion: a system that is never idle would stay slow for long, and slower than its services speak.
 */

/** Suspicion ends after this many turns in any case. */
const TURNS = 2048;
/** … and not before the host has come round so often, so that inputs that come a little later are still handled under it. */
const ROUNDS_LEAST = 16;
/** How often all that waits is handled one by one: what was there, and what came of it. */
const PASSES = 2;

export class Alone {
  #turns = 0;
  #rounds = 0;
  /** How often the whole queue has been gone through, and how much of it is left this time. */
  #passes = 0;
  #left = 0;

  /** The host has come round. */
  round(): void {
    this.#rounds += 1;
  }

  /** There has been one turn, or none. */
  get isFirst(): boolean {
    return this.#turns <= 1;
  }

  /**
   * A turn under suspicion begins. @returns suspicion ends with it
   *
   * @param waiting events in the queue
   * @param lateHeld deadlines are held back: what they will bring is still to come
   * @param isBeyond events have had higher numbers than the suspected one
   */
  turn(waiting: number, lateHeld: boolean, isBeyond: boolean): boolean {
    this.#turns += 1;
    return this.#turns > TURNS || this.#isPast(waiting, lateHeld, isBeyond);
  }

  #isPast(waiting: number, lateHeld: boolean, isBeyond: boolean): boolean {
    if (this.#rounds <= ROUNDS_LEAST || lateHeld) return false;
    if (waiting === 0) return true;
    this.#left -= 1;
    if (this.#left > 0) return false;
    this.#passes += 1;
    this.#left = waiting;
    return this.#passes > PASSES && isBeyond;
  }
}
