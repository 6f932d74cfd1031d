/**
 * The one queue: events in the order they came, and due deadlines behind the inputs that were ready with them.
 *
 * What is still queued when a turn is committed is part of the commit, written once: entries know whether they are durable. An answer
 * may overtake what is queued; one that a commit still finds here goes to the place at which it was posted: before what came after it,
 * which may be what follows from it.
 */
import type { ActorId, Post } from './actor.ts';

export type QueueEntry =
  | { readonly post: Post; durable: boolean; readonly uncounted?: true }
  /** Fires if it is still armed for this time when its turn comes. Never durable: the deadline itself is. */
  | { readonly deadline: { readonly actor: ActorId; readonly name: string; readonly at: number } };

export class EventQueue {
  #entries: QueueEntry[] = [];
  #head = 0;
  /** With their places in the list, which nobody takes from before them. */
  #overtaking: { readonly entry: QueueEntry; readonly at: number }[] = [];
  /** Told of an event that is not plain data: it is delivered as long as core lives, and lost if it dies. */
  onUnsaveable: (post: Post) => void = () => {};
  #durableTaken = 0;
  /** How many entries it was ever given, and how many of them were taken. */
  pushed = 0;
  handled = 0;

  get length(): number {
    return this.#overtaking.length + this.#entries.length - this.#head;
  }

  /** How many that overtake wait. */
  get overtaking(): number {
    return this.#overtaking.length;
  }

  push(entry: QueueEntry): void {
    this.#entries.push(entry);
    this.pushed += 1;
  }

  /** Before all others, and not counted. */
  overtake(post: Post): void {
    this.#overtaking.push({ entry: { post, durable: false, uncounted: true }, at: this.#entries.length });
  }

  take(): QueueEntry | undefined {
    const first = this.#overtaking.shift();
    if (first !== undefined) return first.entry;
    const entry = this.#entries[this.#head];
    if (entry === undefined) return undefined;
    this.#head += 1;
    if (!('uncounted' in entry)) this.handled += 1;
    if ('durable' in entry && entry.durable) this.#durableTaken += 1;
    if (this.#head > 1024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }

  /** For a commit: how many durable entries were taken since the last one, and the text of those that are not durable yet. */
  settle(): { readonly taken: number; readonly added: readonly string[] } {
    for (const { entry, at } of this.#overtaking.splice(0).reverse()) this.#entries.splice(at, 0, entry);
    const added: string[] = [];
    for (let at = this.#entries.length - 1; at >= this.#head; at -= 1) {
      const entry = this.#entries[at] as QueueEntry;
      if (!('durable' in entry)) continue;
      if (entry.durable) break; // all before it are durable as well
      const text = textOf(entry.post);
      if (text === undefined) {
        this.onUnsaveable(entry.post);
        continue;
      }
      entry.durable = true;
      added.push(text);
    }
    const taken = this.#durableTaken;
    this.#durableTaken = 0;
    return { taken, added: added.reverse() };
  }

  /** Whom the events are for that wait. */
  addressees(): ReadonlySet<ActorId> {
    const waiting = [...this.#overtaking.map(({ entry }) => entry), ...this.#entries.slice(this.#head)];
    return new Set(waiting.flatMap((entry) => ('post' in entry ? [entry.post.to] : [])));
  }

  /** Everything that is queued now, for an image. */
  posts(): readonly Post[] {
    const posts: Post[] = [];
    for (let at = this.#head; at < this.#entries.length; at += 1) {
      const entry = this.#entries[at] as QueueEntry;
      if ('post' in entry) posts.push(entry.post);
    }
    return posts;
  }
}

/** Undefined: it is not plain data. */
export function textOf(post: Post): string | undefined {
  try {
    return JSON.stringify(post);
  } catch {
    return undefined;
  }
}
