/**
 * Which units need not be kept in memory any more.
 *
 *     may go    it is down (CollectMode=: inactive, or failed as well), without a job, and nothing holds it
 *     garbage   it may go, and so may every unit that refers to it, and those that refer to these …
 *
 * A unit refers to another when an edge of its own leads there, whatever the kind: as long as it is in memory, so are all it
 * names. Units that only refer to each other go together.
 *
 * Looked at is only what may have become garbage: a unit that went down or whose job is over, one that was asked for by name and
 * stayed down, and what a unit that goes referred to. From there the way leads up to the first unit that stays, which for nearly
 * all is the first step. Pure. Source: systemd.unit(5), CollectMode=.
 */
import type { ActiveState, JobGraph } from './types.ts';

/** Referrers that are looked at before a unit is called a candidate: what stays is found at once, or by the whole look later. */
const FIRST_REFERRERS = 32;

/** By what a unit is and has, without asking who refers to it. */
export function isSpare(graph: JobGraph, unit: string, active: ActiveState): boolean {
  const facts = graph.facts(unit);
  if (facts === undefined || facts.perpetual) return false;
  return active === 'inactive' || (active === 'failed' && facts.unit.CollectMode === 'inactive-or-failed');
}

/** Worth a look: it may go itself, and none of the first that refer to it obviously stays. */
export function isCandidate(graph: JobGraph, unit: string, mayGo: (unit: string) => boolean): boolean {
  if (graph.referrers === undefined || !mayGo(unit)) return false;
  let left = FIRST_REFERRERS;
  for (const other of graph.referrers(unit)) {
    if (!mayGo(other)) return false;
    left -= 1;
    if (left === 0) break;
  }
  return true;
}

/** What the search asks of the world. */
export interface CollectWorld {
  readonly mayGo: (unit: string) => boolean;
  readonly referrers: (unit: string) => Iterable<string>;
  readonly references: (unit: string) => Iterable<string>;
}

/** Those of the candidates, and of what these refer to, that are garbage: by name, in order. Linear in what it looks at. */
export function garbage(world: CollectWorld, candidates: Iterable<string>): readonly string[] {
  const gone = new Set<string>();
  const stays = new Map<string, boolean>();
  const mayGo = (unit: string): boolean => {
    let known = stays.get(unit);
    if (known === undefined) {
      known = !world.mayGo(unit);
      stays.set(unit, known);
    }
    return !known;
  };
  let next = new Set(candidates);
  while (next.size > 0) {
    const found = together(world, next, mayGo, gone);
    for (const unit of found) gone.add(unit);
    next = new Set();
    for (const unit of found) for (const other of world.references(unit)) if (!gone.has(other)) next.add(other);
  }
  return [...gone].sort();
}

/** The way up from the candidates, and back down from whoever stays: what is not reached on the way back is garbage. */
function together(
  world: CollectWorld,
  candidates: ReadonlySet<string>,
  mayGo: (unit: string) => boolean,
  gone: ReadonlySet<string>,
): readonly string[] {
  /** Spare units, each with those of them that it refers to. */
  const spare = new Map<string, string[]>();
  const kept: string[] = [];
  const waiting = [...candidates].filter(mayGo);
  for (const unit of waiting) spare.set(unit, []);
  for (let unit = waiting.pop(); unit !== undefined; unit = waiting.pop()) {
    for (const other of world.referrers(unit)) {
      if (gone.has(other)) continue;
      if (!mayGo(other)) {
        kept.push(unit);
        break;
      }
      const known = spare.get(other);
      if (known !== undefined) known.push(unit);
      else {
        spare.set(other, [unit]);
        waiting.push(other);
      }
    }
  }
  for (let unit = kept.pop(); unit !== undefined; unit = kept.pop()) {
    const below = spare.get(unit);
    spare.delete(unit);
    kept.push(...(below ?? []).filter((other) => spare.has(other)));
  }
  // Others that were only passed on the way have been, or will be, candidates themselves: the answer must not depend on the way.
  const found = new Set([...candidates].filter((unit) => spare.has(unit)));
  for (const unit of found) for (const other of world.referrers(unit)) if (!gone.has(other)) found.add(other);
  return [...found];
}
