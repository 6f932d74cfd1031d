/** What the graph needs of a unit before anybody asks for its settings, so that a remembered unit need not be unpacked for it. */
import type { DependencyKind, Unit } from './types.ts';

export interface Linkage {
  /** Of the unit's edges, in their order. */
  readonly kinds: readonly DependencyKind[];
  readonly others: readonly string[];
  /** Its DefaultDependencies=. */
  readonly defaults: boolean;
}

const packed = new WeakMap<Unit, Linkage>();

/** Say what the linkage of a unit is that is not unpacked yet. */
export function setLinkage(unit: Unit, linkage: Linkage): void {
  packed.set(unit, linkage);
}

export function linkageOf(unit: Unit): Linkage {
  const known = packed.get(unit);
  if (known !== undefined) return known;
  const { edges } = unit;
  return {
    kinds: edges.map(({ kind }) => kind),
    others: edges.map(({ to }) => to),
    defaults: unit.unit.DefaultDependencies,
  };
}

/** Its DefaultDependencies=. */
export const hasDefaults = (unit: Unit): boolean => packed.get(unit)?.defaults ?? unit.unit.DefaultDependencies;
