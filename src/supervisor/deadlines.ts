/**
 * Deadlines as data: (actor, name, absolute CLOCK_MONOTONIC ms), with a heap on the side to find the next one.
 *
 * The table is what counts and what the checkpoint holds; heap entries that the table does not confirm are stale and skipped.
 */
import type { ActorId } from './actor.ts';

/** When it is due; `infinity` never is, but is shown to whoever asks what an actor waits for. */
export type DueAt = number | 'infinity';

export interface Deadline {
  readonly actor: ActorId;
  readonly name: string;
  readonly at: number;
}

export class Deadlines {
  readonly #table = new Map<ActorId, Map<string, DueAt>>();
  #heap: Deadline[] = [];
  #finite = 0;

  arm(actor: ActorId, name: string, at: DueAt): void {
    let names = this.#table.get(actor);
    if (names === undefined) {
      names = new Map();
      this.#table.set(actor, names);
    }
    if (typeof names.get(name) === 'number') this.#finite -= 1;
    names.set(name, at);
    if (at === 'infinity') return;
    this.#finite += 1;
    this.#push({ actor, name, at });
  }

  /** False: it was not armed. */
  disarm(actor: ActorId, name: string): boolean {
    const names = this.#table.get(actor);
    const at = names?.get(name);
    if (names === undefined || at === undefined) return false;
    if (at !== 'infinity') this.#finite -= 1;
    names.delete(name);
    if (names.size === 0) this.#table.delete(actor);
    return true;
  }

  /** Forget all of an actor's. */
  drop(actor: ActorId): void {
    for (const name of [...(this.#table.get(actor)?.keys() ?? [])]) this.disarm(actor, name);
  }

  get(actor: ActorId, name: string): DueAt | undefined {
    return this.#table.get(actor)?.get(name);
  }

  /** An actor's deadlines by name. */
  of(actor: ActorId): Readonly<Record<string, DueAt>> {
    return Object.fromEntries(this.#table.get(actor) ?? []);
  }

  /** Every deadline there is now, in the order of arming within each actor. */
  all(): readonly (readonly [ActorId, string, DueAt])[] {
    const all: [ActorId, string, DueAt][] = [];
    for (const [actor, names] of this.#table) for (const [name, at] of names) all.push([actor, name, at]);
    return all;
  }

  /** The time of the next one that has not been taken by {@link takeDue}. */
  next(): number | undefined {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined) return undefined;
      if (this.#live(top)) return top.at;
      this.#pop();
    }
  }

  /**
   * Take those that are due off the heap, by time, then actor, then name. They stay in the table: the one who fires them
   * disarms them, if they are still armed for the same time by then.
   */
  takeDue(nowMs: number): readonly Deadline[] {
    const due: Deadline[] = [];
    for (let next = this.next(); next !== undefined && next <= nowMs; next = this.next()) {
      const top = this.#pop();
      const last = due.at(-1);
      // Armed twice for the same time, it stands on the heap twice.
      if (top !== undefined && (last === undefined || compare(last, top) !== 0)) due.push(top);
    }
    return due;
  }

  /** Put an actor's deadlines on the heap again, after {@link takeDue} took them and nobody fired them. */
  rearm(actor: ActorId): void {
    for (const [name, at] of this.#table.get(actor) ?? []) if (at !== 'infinity') this.#push({ actor, name, at });
  }

  #live(entry: Deadline): boolean {
    return this.#table.get(entry.actor)?.get(entry.name) === entry.at;
  }

  #push(entry: Deadline): void {
    // Deadlines that are armed again and again (watchdogs) leave stale entries: sweep when they are the majority.
    if (this.#heap.length > 2 * this.#finite + 64) {
      const live = this.#heap.filter((old) => this.#live(old)).sort(compare);
      this.#heap = live.filter((one, at) => at === 0 || compare(live[at - 1] as Deadline, one) !== 0);
    }
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up] as Deadline;
      if (compare(parent, entry) <= 0) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = entry;
  }

  #pop(): Deadline | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && compare(heap[child + 1] as Deadline, heap[child] as Deadline) < 0) child += 1;
      const below = heap[child] as Deadline;
      if (compare(last, below) <= 0) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

function compare(a: Deadline, b: Deadline): number {
  if (a.at !== b.at) return a.at - b.at;
  if (a.actor !== b.actor) return a.actor < b.actor ? -1 : 1;
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return 0;
}
