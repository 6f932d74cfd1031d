/**
 * Which inputs have been committed, so that none is processed twice: a low-water mark for init's records, and bounded rings
 * of other keys. An input is offered twice only if core died between commit and consumption, so a key has to be
 * remembered while it is of the last commits; keys of clients' requests are remembered longer.
 */

/** How many keys of each sort are remembered at least. */
const RING = 1024;
const RECORD = 'record:';

/** The number of init's record that a key names; undefined: it names something else. */
function recordNumber(key: string): number | undefined {
  if (!key.startsWith(RECORD)) return undefined;
  const number = Number(key.slice(RECORD.length));
  return Number.isSafeInteger(number) && number > 0 ? number : undefined;
}

/** The key of init's record of this number. */
export function recordKey(number: number): string {
  return `${RECORD}${number}`;
}

export class InputKeys {
  #lowWater = 0;
  readonly #recent = new Set<string>();
  readonly #kept = new Set<string>();
  /** Keys since the last `settle`: never dropped before the next one. */
  #fresh = 0;

  /** Every record up to this number is committed. */
  get lowWater(): number {
    return this.#lowWater;
  }

  has(key: string): boolean {
    const record = recordNumber(key);
    return record === undefined ? this.#recent.has(key) || this.#kept.has(key) : record <= this.#lowWater;
  }

  add(key: string, keep: boolean): void {
    const record = recordNumber(key);
    if (record !== undefined) this.#lowWater = Math.max(this.#lowWater, record);
    else if (keep) this.#kept.add(key);
    else {
      this.#recent.add(key);
      this.#fresh += 1;
    }
  }

  /** After a commit: drop what is old beyond the bound. The keys of this commit stay. */
  settle(): void {
    trim(this.#recent, Math.max(RING, this.#fresh));
    trim(this.#kept, RING);
    this.#fresh = 0;
  }

  recent(): readonly string[] {
    return [...this.#recent];
  }

  kept(): readonly string[] {
    return [...this.#kept];
  }
}

function trim(keys: Set<string>, bound: number): void {
  for (const key of keys) {
    if (keys.size <= bound) return;
    keys.delete(key);
  }
}
