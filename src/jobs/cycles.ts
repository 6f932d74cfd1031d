/**
 * Which orderings would be given up to break the knots of a graph, if all of its units were started together.
 *
 * The decision is that of every plan (order.ts, "Cutting a ring"): one knot after the other, the weakest ordering of a ring first by
 * a total order, and what is left is looked at anew after each cut. So `analyze cycles` and `analyze verify` announce what the
 * boot will do.
 */
import type { Edge } from '../units/types.ts';
import { arrange, type Order } from './order.ts';
import type { Cut, JobGraph } from './types.ts';

/**
 * @param graph its `edges` must answer for After= and for the requirements; see JobGraph.edges
 * @param members the units of one knot (src/units/cycles.ts), or of several
 * @returns in the order of the knots' first members; empty where there is no ring
 */
export function proposedCuts(
  graph: { edges(unit: string, kind: Edge['kind']): readonly Edge[] },
  members: readonly string[],
): readonly Cut[] {
  const whole: JobGraph = {
    units: () => members,
    facts: () => undefined,
    edges: (unit, kind) => graph.edges(unit, kind),
    others: (unit, kind) => [...new Set(graph.edges(unit, kind).map(({ to }) => to))],
  };
  const jobs = members.map((unit) => ({ unit, type: 'start' as const, ignoreOrder: false }));
  const { cuts } = arrange(whole, jobs, undefined, undefined, 'cut all') as Order;
  return cuts;
}
