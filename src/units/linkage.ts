/** What the graph needs of a unit before anybody asks for its settings, so that a remembered unit need not be unpacked for it. */
import type { DependencyKind, Unit } from './types.ts';

export interface Linkage {
  /** Of the unit's edges, in their order. */
  readonly kinds: readonly DependencyKind[];
  readonly others: readonly string[];
  /** Its DefaultDependencies=. */
  readonly defaults: boolean;
}

/** A unit that knows its linkage though it may not be unpacked yet. */
export class Linked {
  readonly #linkage: Linkage;

  constructor(linkage: Linkage) {
    this.#linkage = linkage;
  }

  /** Not to be found by whoever lists or copies what the unit is. */
  protected get linkage(): Linkage {
    return this.#linkage;
  }

  /** Undefined: it is another unit. */
  static of(unit: object): Linkage | undefined {
    return #linkage in unit ? unit.#linkage : undefined;
  }
}

export function linkageOf(unit: Unit): Linkage {
  const known = Linked.of(unit);
  if (known !== undefined) return known;
  const { edges } = unit;
  return {
    kinds: edges.map(({ kind }) => kind),
    others: edges.map(({ to }) => to),
    defaults: unit.unit.DefaultDependencies,
  };
}

/** Its DefaultDependencies=. */
export const hasDefaults = (unit: Unit): boolean => Linked.of(unit)?.defaults ?? unit.unit.DefaultDependencies;
