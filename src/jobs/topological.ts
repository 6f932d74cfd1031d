/**
 * A topological order that is kept while edges come in one by one, and says by which path a new edge would close a ring.
 *
 * Only the stretch of the order between the two ends of a new edge is looked at. Nodes are numbers.
 * Source: Pearce and Kelly, "A Dynamic Topological Sort Algorithm for Directed Acyclic Graphs" (2006).
 */
export class TopologicalOrder {
  readonly #place = new Map<number, number>();
  /** How often an edge is there: two reasons may give one edge. */
  readonly #after = new Map<number, Map<number, number>>();
  readonly #before = new Map<number, Map<number, number>>();

  /** @param nodes in any order; the order that is kept starts from it */
  constructor(nodes: readonly number[]) {
    for (const [at, node] of nodes.entries()) {
      this.#place.set(node, at);
      this.#after.set(node, new Map());
      this.#before.set(node, new Map());
    }
  }

  /**
   * Put `first` before `second`.
   *
   * @returns undefined; or, where that would close a ring, the path from `second` to `first` that is there already
   *   (nothing is changed then)
   */
  add(first: number, second: number): readonly number[] | undefined {
    if (first === second) return [first];
    const [from, to] = [this.#at(second), this.#at(first)];
    if (from < to) {
      const path = this.#reorder(first, second, from, to);
      if (path !== undefined) return path;
    }
    count(this.#after.get(first), second, 1);
    count(this.#before.get(second), first, 1);
    return undefined;
  }

  /** Take one such edge back. The order stays valid. */
  remove(first: number, second: number): void {
    count(this.#after.get(first), second, -1);
    count(this.#before.get(second), first, -1);
  }

  #at(node: number): number {
    return this.#place.get(node) as number;
  }

  #reorder(first: number, second: number, from: number, to: number): readonly number[] | undefined {
    const forward = this.#reach(second, this.#after, (place) => place <= to);
    if (forward.has(first)) return pathTo(first, forward);
    const backward = this.#reach(first, this.#before, (place) => place >= from);
    const byPlace = (a: number, b: number) => this.#at(a) - this.#at(b);
    const nodes = [...[...backward.keys()].sort(byPlace), ...[...forward.keys()].sort(byPlace)];
    const places = nodes.map((node) => this.#at(node)).sort((a, b) => a - b);
    for (const [at, node] of nodes.entries()) this.#place.set(node, places[at] as number);
    return undefined;
  }

  /** Nodes reached from `start` within the stretch, each with the node it was reached from. */
  #reach(
    start: number,
    edges: Map<number, Map<number, number>>,
    within: (place: number) => boolean,
  ): Map<number, number> {
    const reached = new Map([[start, start]]);
    for (const node of reached.keys()) {
      for (const next of edges.get(node)?.keys() ?? []) {
        if (!reached.has(next) && within(this.#at(next))) reached.set(next, node);
      }
    }
    return reached;
  }
}

function count(edges: Map<number, number> | undefined, to: number, by: 1 | -1): void {
  const left = (edges?.get(to) ?? 0) + by;
  if (left > 0) edges?.set(to, left);
  else edges?.delete(to);
}

function pathTo(node: number, from: ReadonlyMap<number, number>): readonly number[] {
  const path = [node];
  for (let at = node; from.get(at) !== at; ) {
    at = from.get(at) as number;
    path.push(at);
  }
  return path.reverse();
}
