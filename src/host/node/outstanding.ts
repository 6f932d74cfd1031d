/**
 * Spawns that init has not answered yet, so that nobody is heard before core knows who it is.
 *
 * A process runs as soon as it is forked, and may say READY=1 before init's `forked` is on the link. What comes over the notify
 * socket of its unit is left there until init has answered; an answer that never comes holds it up for a bounded time.
 */
import type { EffectId, Report } from '../ports.ts';

/** How long at most. */
const HOLD_MS = 5_000;

/** A tag begins with the name of its unit (src/actors/names.ts). */
const unitOfTag = (tag: string) => tag.slice(0, tag.indexOf('|'));

interface Spawn {
  readonly id: EffectId;
  readonly timer: NodeJS.Timeout;
}

export class Outstanding {
  /** Told of a unit none of whose spawns waits any more. */
  onFree: (unit: string) => void = () => {};
  readonly #spawns = new Map<string, Spawn>();
  /** How many of each unit. */
  readonly #waiting = new Map<string, number>();

  /** A spawn is asked for. */
  began(id: EffectId, tag: string): void {
    const former = this.#spawns.get(tag);
    if (former === undefined) {
      const unit = unitOfTag(tag);
      this.#waiting.set(unit, (this.#waiting.get(unit) ?? 0) + 1);
    } else clearTimeout(former.timer);
    this.#spawns.set(tag, { id, timer: setTimeout(() => this.#answered(tag), HOLD_MS).unref() });
  }

  /** Does a spawn of this unit wait for init's word? */
  holds(unit: string): boolean {
    return this.#waiting.has(unit);
  }

  onRecord(what: Report): void {
    if ('forked' in what) this.#answered(what.forked.tag);
    else if ('spawn-failed' in what) this.#answered(what['spawn-failed'].tag);
  }

  onRefused(id: EffectId | null): void {
    for (const [tag, spawn] of this.#spawns) {
      if (id !== null && id.epoch === spawn.id.epoch && id.seq === spawn.id.seq && id.index === spawn.id.index)
        this.#answered(tag);
    }
  }

  #answered(tag: string): void {
    const spawn = this.#spawns.get(tag);
    if (spawn === undefined) return;
    clearTimeout(spawn.timer);
    this.#spawns.delete(tag);
    const unit = unitOfTag(tag);
    const left = (this.#waiting.get(unit) ?? 1) - 1;
    if (left > 0) this.#waiting.set(unit, left);
    else {
      this.#waiting.delete(unit);
      this.onFree(unit);
    }
  }
}
