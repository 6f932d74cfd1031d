/**
 * Tells each of many by what it has otherwise than one of its sort before it: thousands of units hold the same settings but for a few,
 * and a commit or an image that repeated them all would be several times as long.
 */
import type { ActorId } from './actor.ts';
import { Deltas } from './delta.ts';

/** Of those that are of one sort: the one that others are told by. */
interface Base {
  readonly id: ActorId;
  readonly value: unknown;
  readonly token: unknown;
  /** Length of its whole text. */
  readonly length: number;
  readonly deltas: Deltas;
}

export class Alike {
  readonly #letter: string;
  readonly #is: ((id: ActorId, token: unknown) => boolean) | undefined;
  readonly #bases = new Map<string, Base>();

  /**
   * @param letter of the operation
   * @param is whether one is still as it was told, by the token it was told with; default: they do not change
   */
  constructor(letter: string, is?: (id: ActorId, token: unknown) => boolean) {
    this.#letter = letter;
    this.#is = is;
  }

  /** The operation that tells it by one before it; undefined: it is to be told whole, since there is none or that would save little. */
  by(sort: string, id: ActorId, value: unknown): string | undefined {
    const base = this.#bases.get(sort);
    if (base === undefined || this.#is?.(base.id, base.token) === false) return undefined;
    const delta = base.deltas.text(base.value, value);
    if (delta === undefined || delta.length * 2 >= base.length) return undefined;
    return `["${this.#letter}",${JSON.stringify(id)},${JSON.stringify(base.id)},${delta}]`;
  }

  /** It was told whole, in so many characters: the next ones may be told by it. */
  told(sort: string, id: ActorId, value: unknown, length: number, token?: unknown): void {
    this.#bases.set(sort, { id, value, token, length, deltas: new Deltas() });
  }
}
