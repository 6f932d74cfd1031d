/** One edge among many: lists of edges are sorted by the other end, and a target may have ten thousand of them. */
import type { DependencyKind, Edge } from '../units/types.ts';
import type { JobGraph } from './types.ts';

/** Those of `edges` that lead to `to`. */
export function edgesTo(edges: readonly Edge[], to: string): Edge[] {
  let [from, end] = [0, edges.length];
  while (from < end) {
    const middle = (from + end) >> 1;
    if ((edges[middle] as Edge).to < to) from = middle + 1;
    else end = middle;
  }
  const found: Edge[] = [];
  for (let edge = edges[from]; edge?.to === to; edge = edges[from]) {
    found.push(edge);
    from += 1;
  }
  return found;
}

/** The edge of one kind between two units, the first of several; one of which nobody knows why, should there be none. */
export function edgeTo(graph: JobGraph, from: string, kind: DependencyKind, to: string): Edge {
  return edgesTo(graph.edges(from, kind), to)[0] ?? { from, kind, to, origin: { rule: 'unknown' } };
}
