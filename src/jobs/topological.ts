/**
 * A topological order that is kept while edges come in one by one, and says by which path a new edge would close a ring.
 *
 * Only the stretch of the order between the two ends of a new edge is looked at. Nodes are numbers; inside they are counted from 0, so that
 * what is known of each stands in arrays: a knot of thousands is walked through as often as it has edges.
 * Source: Pearce and Kelly, "A Dynamic Topological Sort Algorithm for Directed Acyclic Graphs" (2006).
 */
export class TopologicalOrder {
  readonly #nodes: readonly number[];
  readonly #index: ReadonlyMap<number, number>;
  /** By node its place, and by place its node. */
  readonly #place: Int32Array;
  readonly #at: Int32Array;
  /** A node stands there as often as the edge is there: two reasons may give one edge. */
  readonly #after: number[][];
  readonly #before: number[][];
  /** Of the last searches: in which a node was reached, from where, and the nodes in the order in which they were. */
  readonly #reachedIn: Int32Array;
  readonly #reachedFrom: Int32Array;
  readonly #forward: Int32Array;
  readonly #backward: Int32Array;
  #searches = 0;

  /** @param nodes in any order; the order that is kept starts from it */
  constructor(nodes: readonly number[]) {
    const count = nodes.length;
    this.#nodes = nodes;
    this.#index = new Map(nodes.map((node, at) => [node, at]));
    this.#place = Int32Array.from({ length: count }, (_, at) => at);
    this.#at = this.#place.slice();
    this.#after = Array.from({ length: count }, () => []);
    this.#before = Array.from({ length: count }, () => []);
    this.#reachedIn = new Int32Array(count);
    this.#reachedFrom = new Int32Array(count);
    this.#forward = new Int32Array(count);
    this.#backward = new Int32Array(count);
  }

  /**
   * Put `first` before `second`.
   *
   * @returns undefined; or, where that would close a ring, the path from `second` to `first` that is there already
   *   (nothing is changed then)
   */
  add(first: number, second: number): readonly number[] | undefined {
    if (first === second) return [first];
    const [one, two] = [this.#index.get(first) as number, this.#index.get(second) as number];
    if ((this.#place[two] as number) < (this.#place[one] as number)) {
      const path = this.#reorder(one, two);
      if (path !== undefined) return path.map((node) => this.#nodes[node] as number);
    }
    this.#after[one]?.push(two);
    this.#before[two]?.push(one);
    return undefined;
  }

  /** Take one such edge back. The order stays valid. */
  remove(first: number, second: number): void {
    const [one, two] = [this.#index.get(first) as number, this.#index.get(second) as number];
    drop(this.#after[one] as number[], two);
    drop(this.#before[two] as number[], one);
  }

  #reorder(first: number, second: number): readonly number[] | undefined {
    const [from, to] = [this.#place[second] as number, this.#place[first] as number];
    const ahead = this.#reach(second, this.#after, from, to, this.#forward, first);
    if (ahead < 0) return this.#pathTo(first, second);
    const behind = this.#reach(first, this.#before, from, to, this.#backward, second);
    const back = this.#inPlaces(this.#backward, behind);
    const fore = this.#inPlaces(this.#forward, ahead);
    // What leads to the new edge comes before what follows from it; among themselves they stay as they are.
    const nodes = new Int32Array(behind + ahead);
    for (let n = 0; n < behind; n += 1) nodes[n] = this.#at[back[n] as number] as number;
    for (let n = 0; n < ahead; n += 1) nodes[behind + n] = this.#at[fore[n] as number] as number;
    let [b, f] = [0, 0];
    for (let n = 0; n < nodes.length; n += 1) {
      const first = f === ahead || (b < behind && (back[b] as number) < (fore[f] as number));
      const place = (first ? back[b++] : fore[f++]) as number;
      this.#place[nodes[n] as number] = place;
      this.#at[place] = nodes[n] as number;
    }
    return undefined;
  }

  /** The first so many nodes of a list made their places, sorted, in the list itself. */
  #inPlaces(found: Int32Array, count: number): Int32Array {
    for (let n = 0; n < count; n += 1) found[n] = this.#place[found[n] as number] as number;
    return count < 2 ? found : found.subarray(0, count).sort();
  }

  /** Nodes reached from `start` within the stretch, breadth first, into `found`; how many, or -1 as soon as `end` is reached. */
  #reach(start: number, edges: number[][], from: number, to: number, found: Int32Array, end: number): number {
    this.#searches += 1;
    const [search, reachedIn] = [this.#searches, this.#reachedIn];
    found[0] = start;
    reachedIn[start] = search;
    let count = 1;
    for (let at = 0; at < count; at += 1) {
      const node = found[at] as number;
      const others = edges[node] as number[];
      for (let n = 0; n < others.length; n += 1) {
        const next = others[n] as number;
        const place = this.#place[next] as number;
        if (place < from || place > to || reachedIn[next] === search) continue;
        reachedIn[next] = search;
        this.#reachedFrom[next] = node;
        if (next === end) return -1;
        found[count] = next;
        count += 1;
      }
    }
    return count;
  }

  #pathTo(node: number, start: number): readonly number[] {
    const path = [node];
    for (let at = node; at !== start; ) {
      at = this.#reachedFrom[at] as number;
      path.push(at);
    }
    return path.reverse();
  }
}

/** Take the last of equal ones away. */
function drop(list: number[], node: number): void {
  const at = list.lastIndexOf(node);
  if (at >= 0) list.splice(at, 1);
}
