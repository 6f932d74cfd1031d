/**
 * Which units may be failed, kept from what is told of their changes: whether the system is degraded is asked after every turn in
 * which a unit failed, or failed no longer, and thousands may do so one after the other.
 *
 * A unit in here is looked at again before it counts, so one that is gone from memory, or was reset since, does no harm. One that
 * is missing would: so all are looked at when nobody has told of changes yet, and when units were read anew.
 */
export class FailedUnits {
  readonly #all: () => Iterable<string>;
  readonly #isFailed: (unit: string) => boolean;
  /** Undefined: nobody has looked yet. */
  #known: Set<string> | undefined;

  constructor(all: () => Iterable<string>, isFailed: (unit: string) => boolean) {
    this.#all = all;
    this.#isFailed = isFailed;
  }

  /** A unit has changed. */
  changed(unit: string, failed: boolean): void {
    if (failed) this.#known?.add(unit);
  }

  /** Units were read anew. */
  forget(): void {
    this.#known = undefined;
  }

  any(): boolean {
    this.#known ??= new Set([...this.#all()].filter(this.#isFailed));
    for (const unit of this.#known) {
      if (this.#isFailed(unit)) return true;
      this.#known.delete(unit);
    }
    return false;
  }
}
