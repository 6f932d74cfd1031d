/**
 * Ordering cycles of a graph: every knot of units that wait for each other, with rings of edges to show.
 *
 * A knot is a strongly connected component over After= (Before= is its inverse). It is what matters: as long as there is a knot,
 * somebody waits for himself. Its rings are for display: there may be exponentially many, so at most {@link RINGS_MAX} are told,
 * the shortest one through each member first, then all others (Johnson's search), and {@link OrderingCycle.more} says whether any
 * may be left. The search takes a bounded number of steps, whatever the graph. Deterministic: names decide.
 */
import type { Graph } from './graph.ts';
import type { Edge, Origin } from './types.ts';

export interface OrderingCycle {
  /** All units of the knot, sorted. */
  readonly members: readonly string[];
  /** Each a closed chain of After edges: the first edge's `from` is the last one's `to`. Shortest first. */
  readonly rings: readonly (readonly Edge[])[];
  /** There are (or may be) rings that are not listed. */
  readonly more: boolean;
}

/** Rings that are told of one knot. */
export const RINGS_MAX = 32;
/** Edges looked at in search of the rings of one knot. */
const STEPS_MAX = 200_000;

/**
 * All cycles among the units of the graph, or among those of `within` alone (the units of one transaction).
 * Linear in units and edges, but for the rings.
 */
export function orderingCycles(
  graph: Pick<Graph, 'units' | 'edges'>,
  within?: ReadonlySet<string>,
): readonly OrderingCycle[] {
  const names = (within === undefined ? graph.units().map((unit) => unit.name) : [...within]).sort();
  const inside = new Set(names);
  const next = (name: string): readonly Edge[] => graph.edges(name, 'After').filter((edge) => inside.has(edge.to));
  return components(names, next)
    .filter((members) => members.length > 1)
    .map((members) => ({ members, ...ringsOf(members, next) }))
    .sort((a, b) => ((a.members[0] ?? '') < (b.members[0] ?? '') ? -1 : 1));
}

/** Tarjan's algorithm without recursion, so that a long chain cannot overflow the stack. */
function components(names: readonly string[], next: (name: string) => readonly Edge[]): string[][] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const open = new Set<string>();
  const stack: string[] = [];
  const found: string[][] = [];
  let count = 0;
  for (const root of names) {
    if (order.has(root)) continue;
    const work: { name: string; edges: readonly Edge[]; at: number }[] = [];
    const enter = (name: string) => {
      order.set(name, count);
      low.set(name, count);
      count += 1;
      stack.push(name);
      open.add(name);
      work.push({ name, edges: next(name), at: 0 });
    };
    enter(root);
    for (let top = work[work.length - 1]; top !== undefined; top = work[work.length - 1]) {
      const edge = top.edges[top.at];
      if (edge !== undefined) {
        top.at += 1;
        if (!order.has(edge.to)) enter(edge.to);
        else if (open.has(edge.to)) low.set(top.name, Math.min(low.get(top.name) ?? 0, order.get(edge.to) ?? 0));
        continue;
      }
      work.pop();
      const above = work[work.length - 1];
      if (above !== undefined) low.set(above.name, Math.min(low.get(above.name) ?? 0, low.get(top.name) ?? 0));
      if (low.get(top.name) !== order.get(top.name)) continue;
      const members: string[] = [];
      for (let member = stack.pop(); member !== undefined; member = stack.pop()) {
        open.delete(member);
        members.push(member);
        if (member === top.name) break;
      }
      found.push(members.sort());
    }
  }
  return found;
}

/** A knot with numbers for names; rings are lists of members, each waiting for the next, the last for the first. */
interface Knot {
  readonly out: readonly (readonly number[])[];
  readonly into: readonly (readonly number[])[];
}

function ringsOf(
  members: readonly string[],
  next: (name: string) => readonly Edge[],
): Pick<OrderingCycle, 'rings' | 'more'> {
  const number = new Map(members.map((name, index) => [name, index]));
  const edges = members.map((name) => next(name).filter((edge) => number.has(edge.to)));
  const out = edges.map((list) => list.map((edge) => number.get(edge.to) as number));
  const into: number[][] = members.map(() => []);
  for (const [from, list] of out.entries()) for (const to of list) into[to]?.push(from);
  const { rings, more } = search({ out, into });
  const edgeOf = (from: number, to: number) => edges[from]?.[out[from]?.indexOf(to) ?? -1] as Edge;
  return {
    rings: rings.map((ring) => ring.map((from, at) => edgeOf(from, ring[(at + 1) % ring.length] as number))),
    more,
  };
}

/** The smallest member stands first: so each ring has one form. */
function normal(ring: readonly number[]): readonly number[] {
  const start = ring.indexOf(Math.min(...ring));
  return [...ring.slice(start), ...ring.slice(0, start)];
}

function search(knot: Knot): { readonly rings: readonly (readonly number[])[]; readonly more: boolean } {
  const rings = new Map<string, readonly number[]>();
  const covered = new Set<number>();
  const budget = { steps: STEPS_MAX };
  /** False: enough. */
  const take = (ring: readonly number[]): boolean => {
    const id = ring.join(' ');
    if (rings.has(id)) return true;
    if (rings.size >= RINGS_MAX) return false;
    rings.set(id, ring);
    for (const member of ring) covered.add(member);
    return true;
  };
  let complete = true;
  for (let start = 0; start < knot.out.length && complete; start += 1) {
    if (covered.has(start)) continue;
    const ring = shortestRing(knot, start, budget);
    complete = ring === undefined ? budget.steps > 0 : take(normal(ring));
  }
  for (let start = 0; start < knot.out.length && complete; start += 1) {
    complete = elementaryRings(knot, start, budget, take);
  }
  const sorted = [...rings.values()].sort((a, b) => a.length - b.length || compare(a, b));
  return { rings: sorted, more: !complete };
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [at, member] of a.entries()) {
    const other = b[at] as number;
    if (member !== other) return member - other;
  }
  return 0;
}

function shortestRing({ out }: Knot, start: number, budget: { steps: number }): readonly number[] | undefined {
  const came = new Map<number, number>();
  const queue = [start];
  for (let at = 0; at < queue.length; at += 1) {
    const from = queue[at] as number;
    for (const to of out[from] as readonly number[]) {
      budget.steps -= 1;
      if (budget.steps <= 0) return undefined;
      if (to === start) {
        const ring = [from];
        for (let back = from; back !== start; ring.push(back)) back = came.get(back) as number;
        return ring.reverse();
      }
      if (came.has(to)) continue;
      came.set(to, from);
      queue.push(to);
    }
  }
  return undefined;
}

/**
 * All rings whose smallest member is `start`. A node from which no way back was found stays blocked until one of those it leads to
 * is on a ring again (D. B. Johnson, "Finding all the elementary circuits of a directed graph", 1975).
 *
 * @returns false: there was no time or no room for all of them
 */
function elementaryRings(
  { out, into }: Knot,
  start: number,
  budget: { steps: number },
  take: (ring: readonly number[]) => boolean,
): boolean {
  const home = ancestors(into, start);
  const path = [start];
  const blocked = new Set([start]);
  const blocks = new Map<number, Set<number>>();
  const frames = [{ at: 0, found: false }];
  const unblock = (first: number) => {
    const waiting = [first];
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      if (!blocked.delete(node)) continue;
      waiting.push(...(blocks.get(node) ?? []));
      blocks.delete(node);
    }
  };
  for (let frame = frames[frames.length - 1]; frame !== undefined; frame = frames[frames.length - 1]) {
    const node = path[path.length - 1] as number;
    const to = (out[node] as readonly number[])[frame.at];
    if (to !== undefined) {
      frame.at += 1;
      budget.steps -= 1;
      if (budget.steps <= 0) return false;
      if (to === start) {
        frame.found = true;
        if (!take([...path])) return false;
      } else if (to > start && home.has(to) && !blocked.has(to)) {
        path.push(to);
        blocked.add(to);
        frames.push({ at: 0, found: false });
      }
      continue;
    }
    frames.pop();
    path.pop();
    const above = frames[frames.length - 1];
    if (frame.found) {
      unblock(node);
      if (above !== undefined) above.found = true;
      continue;
    }
    for (const next of out[node] as readonly number[]) {
      if (next < start || !home.has(next)) continue;
      const list = blocks.get(next) ?? new Set();
      list.add(node);
      blocks.set(next, list);
    }
  }
  return true;
}

/** Members from which `start` can be reached over members that are not smaller. */
function ancestors(into: Knot['into'], start: number): ReadonlySet<number> {
  const found = new Set([start]);
  for (const node of found) for (const before of into[node] as readonly number[]) if (before > start) found.add(before);
  return found;
}

/** `/etc/…/a.service:7`, a link, or the rule. */
export function originText(origin: Origin): string {
  if ('file' in origin) return `${origin.file}:${origin.line}`;
  return 'link' in origin ? origin.link : origin.rule;
}

/** One line an edge: `a.service after b.service (/etc/…/a.service:7)`. */
export function ringText(ring: readonly Edge[]): string[] {
  return ring.map((edge) => `${edge.from} after ${edge.to} (${originText(edge.origin)})`);
}
