/**
 * Ordering cycles of a graph: every knot of units that wait for each other, with rings of edges to show.
 *
 * A knot is a strongly connected component over After= (Before= is its inverse). Rings are the shortest ones through each
 * member, each told once and at most {@link RINGS_MAX} a knot: there may be exponentially many, and one edge of each is enough
 * to act on. Deterministic: names decide.
 */
import type { Graph } from './graph.ts';
import type { Edge, Origin } from './types.ts';

export interface OrderingCycle {
  /** All units of the knot, sorted. */
  readonly members: readonly string[];
  /** Each a closed chain of After edges: the first edge's `from` is the last one's `to`. Shortest first. */
  readonly rings: readonly (readonly Edge[])[];
}

export const RINGS_MAX = 16;

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
    .map((members) => ({ members, rings: ringsOf(members, next) }))
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

/** The shortest ring through each member, each once, shortest first. */
function ringsOf(members: readonly string[], next: (name: string) => readonly Edge[]): readonly (readonly Edge[])[] {
  const inside = new Set(members);
  const rings = new Map<string, readonly Edge[]>();
  for (const start of members) {
    if (rings.size >= RINGS_MAX) break;
    const ring = shortestRing(start, inside, next);
    if (ring === undefined) continue;
    const id = ring
      .map((edge) => edge.from)
      .sort()
      .join(' ');
    if (!rings.has(id)) rings.set(id, ring);
  }
  return [...rings.values()].sort((a, b) => a.length - b.length || ((a[0]?.from ?? '') < (b[0]?.from ?? '') ? -1 : 1));
}

function shortestRing(
  start: string,
  inside: ReadonlySet<string>,
  next: (name: string) => readonly Edge[],
): readonly Edge[] | undefined {
  const came = new Map<string, Edge>();
  const queue = [start];
  for (let at = 0; at < queue.length; at++) {
    for (const edge of next(queue[at] ?? '')) {
      if (!inside.has(edge.to)) continue;
      if (edge.to === start) {
        const ring = [edge];
        for (let back = edge.from; back !== start; ) {
          const step = came.get(back);
          if (step === undefined) return undefined;
          ring.unshift(step);
          back = step.from;
        }
        return ring;
      }
      if (!came.has(edge.to)) {
        came.set(edge.to, edge);
        queue.push(edge.to);
      }
    }
  }
  return undefined;
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
