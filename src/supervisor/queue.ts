/**
 * The one queue: events in the order they came, and due deadlines behind the inputs that were ready with them.
 *
 * What is still queued when a turn is committed is part of the commit, written once: entries know whether they are durable.
 */
import type { ActorId, Post } from './actor.ts';

export type QueueEntry =
  | { readonly post: Post; durable: boolean }
  /** Fires if it is still armed for this time when its turn comes. Never durable: the deadline itself is. */
  | { readonly deadline: { readonly actor: ActorId; readonly name: string; readonly at: number } };

export class EventQueue {
  #entries: QueueEntry[] = [];
  #head = 0;
  #durableTaken = 0;

  get length(): number {
    return this.#entries.length - this.#head;
  }

  push(entry: QueueEntry): void {
    this.#entries.push(entry);
  }

  take(): QueueEntry | undefined {
    const entry = this.#entries[this.#head];
    if (entry === undefined) return undefined;
    this.#head += 1;
    if ('durable' in entry && entry.durable) this.#durableTaken += 1;
    if (this.#head > 1024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }

  /** For a commit: how many durable entries were taken since the last one, and which have come that are not durable yet. */
  settle(): { readonly taken: number; readonly added: readonly Post[] } {
    const added: Post[] = [];
    for (let at = this.#entries.length - 1; at >= this.#head; at -= 1) {
      const entry = this.#entries[at] as QueueEntry;
      if (!('durable' in entry)) continue;
      if (entry.durable) break; // all before it are durable as well
      entry.durable = true;
      added.push(entry.post);
    }
    const taken = this.#durableTaken;
    this.#durableTaken = 0;
    return { taken, added: added.reverse() };
  }

  /** Everything queued, for an image. */
  posts(): readonly Post[] {
    return this.#entries.slice(this.#head).flatMap((entry) => ('post' in entry ? [entry.post] : []));
  }
}
