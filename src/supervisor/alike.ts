/**
 * Tells each of many by what it has otherwise than one of its sort before it: thousands of units hold the same settings but for a few,
 * and a commit or an image that repeated them all would be several times as long. Where its neighbour is much nearer than the one that
 * others are told by (instances of one template, say), that one takes its place.
 */
import type { ActorId } from './actor.ts';
import { Deltas } from './delta.ts';

/** One that others may be told by. */
interface Told {
  readonly id: ActorId;
  readonly value: unknown;
  readonly token: unknown;
}

/** Of those that are of one sort: the one that others are told by. */
interface Base extends Told {
  /** Length of the whole text of such a one. */
  readonly length: number;
  readonly deltas: Deltas;
  /** The one that was told last by this one. */
  last: Told | undefined;
  /** Of how many that could be told by their neighbour one is tried, and how many there were since. */
  patience: number;
  waited: number;
}

/** What is told in less is told briefly enough. */
const BRIEF = 128;
/** Where neighbours have nothing in common. */
const PATIENCE_MAX = 64;

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
  by(sort: string, id: ActorId, value: unknown, token?: unknown): string | undefined {
    const base = this.#bases.get(sort);
    if (base === undefined || !this.#isAsTold(base)) return undefined;
    const delta = base.deltas.text(base.value, value);
    if (delta === undefined || delta.length * 2 >= base.length) return undefined;
    const near = delta.length < BRIEF ? undefined : this.#nearer(sort, base, value, delta.length);
    const by = near?.base ?? base;
    by.last = { id, value, token };
    return `["${this.#letter}",${JSON.stringify(id)},${JSON.stringify(by.id)},${near?.delta ?? delta}]`;
  }

  /** It was told whole, in so many characters: the next ones may be told by it. */
  told(sort: string, id: ActorId, value: unknown, length: number, token?: unknown): void {
    this.#bases.set(sort, newBase({ id, value, token }, length));
  }

  readonly #isAsTold = ({ id, token }: Told): boolean => this.#is?.(id, token) !== false;

  /** The neighbour as the base from now on, where a delta of this length becomes shorter by a quarter at least. */
  #nearer(
    sort: string,
    base: Base,
    value: unknown,
    length: number,
  ): { readonly base: Base; readonly delta: string } | undefined {
    const { last } = base;
    if (last === undefined || !this.#isAsTold(last)) return undefined;
    base.waited += 1;
    if (base.waited < base.patience) return undefined;
    base.waited = 0;
    const neighbour = newBase(last, base.length);
    const delta = neighbour.deltas.text(neighbour.value, value);
    if (delta === undefined || delta.length * 4 > length * 3) {
      base.patience = Math.min(base.patience * 2, PATIENCE_MAX);
      return undefined;
    }
    this.#bases.set(sort, neighbour);
    return { base: neighbour, delta };
  }
}

const newBase = ({ id, value, token }: Told, length: number): Base => ({
  ...{ id, value, token, length },
  ...{ deltas: new Deltas(), last: undefined, patience: 1, waited: 0 },
});
