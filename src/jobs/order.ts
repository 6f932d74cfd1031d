/**
 * The order of jobs: who must wait for whom, which rings that makes, and which edge of each ring is given up.
 *
 * One ordering, `later` After `earlier` (or `earlier` Before `later`), says about their jobs (systemd.unit(5), Before=):
 *
 *     earlier \ later    start, reload …             stop                        restart
 *     start, reload …    later waits for earlier     earlier waits for later     earlier waits for later's stop phase,
 *     stop               later waits for earlier     earlier waits for later     later's start phase for earlier
 *     restart            later waits for both        earlier waits for later     (both rules)
 *                        phases of earlier
 *
 * So a restart is two jobs in one, and the graph here has a node for each phase: what looks like a ring of jobs is often none.
 *
 * **Cutting a ring.** Each strongly connected component is settled by itself: its orderings are put in one after the other, the
 * strongest first, and one that would close a ring is left out (an incremental topological order finds that, after Pearce
 * and Kelly). So an ordering is cut only if it is the weakest of a ring whose other members all stay, and nothing is cut
 * without need. Strength, weakest first; the total order is (strength, later, earlier):
 *
 *   0  only implied by rules (default dependencies)
 *   1  written down, with no requirement between the two
 *   2  written down, beside a Wants= or Upholds=
 *   3  written down, beside a Requires=, Requisite=, BindsTo= or PartOf=
 *   4  an essential unit waits (basic.target, shutdown.target …): never cut; a ring of these alone refuses the request
 *
 * Among equals the one that sorts last is cut. No job is ever dropped.
 */
import type { Edge } from '../units/types.ts';
import { edgesTo } from './edges.ts';
import { refusal } from './refusals.ts';
import { TopologicalOrder } from './topological.ts';
import type { Cut, JobGraph, JobType, Refusal } from './types.ts';
import { goesDown } from './verbs.ts';
import { edgeWords, originWords } from './words.ts';

/** What ordering needs to know of a job. */
export interface Orderly {
  readonly unit: string;
  readonly type: JobType;
  readonly ignoreOrder: boolean;
  /** Its first phase runs already, so it waits for nobody there. */
  readonly going?: boolean;
}

/** One ordering between two units; see JobGraph.edges for the two sides an edge can be seen from. */
export interface Ordering {
  readonly later: string;
  readonly earlier: string;
}

/**
 * Which of two jobs waits now, given that `later` is ordered after `earlier`; undefined: they do not care.
 * A restart counts as a stop until its stop phase is over; the table then turns it into a start.
 */
export function waiter(later: Orderly, earlier: Orderly): 'later' | 'earlier' | undefined {
  if (later.type === 'nop' || earlier.type === 'nop' || later.ignoreOrder || earlier.ignoreOrder) return undefined;
  return goesDown(later.type) ? 'earlier' : 'later';
}

/** All orderings of a unit, each pair once, self-loops left out. */
export function* orderingsOf(graph: JobGraph, unit: string): Generator<Ordering> {
  for (const to of graph.others(unit, 'After')) if (to !== unit) yield { later: unit, earlier: to };
  for (const to of graph.others(unit, 'Before')) if (to !== unit) yield { later: to, earlier: unit };
}

/** Where a job stands. */
export interface Place {
  readonly wave: number;
  /** Units of the jobs it waits for, sorted. */
  readonly after: readonly string[];
}

export interface Order {
  readonly cuts: readonly Cut[];
  /** Of each job, in the order in which they were given. */
  readonly places: () => readonly Place[];
}

/**
 * @param jobs the jobs to be placed, one for each unit
 * @param others a job of a unit that is not among them, if it has one: such jobs can be part of a ring; undefined: there are none
 * @param isCut orderings that are not honoured already; undefined: there are none
 * @param essentials what to do about a ring of essential units alone
 */
export function arrange(
  graph: JobGraph,
  jobs: readonly Orderly[],
  others: ((unit: string) => Orderly | undefined) | undefined,
  isCut: ((later: string, earlier: string) => boolean) | undefined,
  essentials: 'refuse' | 'cut all' = 'refuse',
): Order | Refusal {
  const phases = new Phases(graph, jobs, others, isCut);
  const cuts: Cut[] = [];
  for (const component of phases.isAcyclic() ? [] : phases.components()) {
    const result = phases.settle(component, essentials);
    if ('refused' in result) return result;
    cuts.push(...result.cuts);
  }
  return { cuts, places: () => phases.places(jobs.length) };
}

/** No constraint: the way up of a restart, which comes after its way down. */
const OWN = -1;

/**
 * Each job has two nodes, 2i for its way down and 2i + 1 for its way up; one that has no such phase has no edges there.
 *
 * A wait is a number, and so is a constraint (an ordering between two jobs, which makes one wait or two): what is known of
 * them stands in lists of numbers, since of ten thousand jobs there are some fifty thousand.
 */
class Phases {
  readonly #graph: JobGraph;
  readonly #jobs: Orderly[] = [];
  readonly #index = new Map<string, number>();
  /** By wait: who waits, for whom, and because of which constraint. Waits of one constraint stand side by side. */
  readonly #waiting: number[] = [];
  readonly #awaited: number[] = [];
  readonly #constraint: number[] = [];
  /** By constraint: the two jobs, and its first wait. */
  readonly #later: number[] = [];
  readonly #earlier: number[] = [];
  readonly #firstWait: number[] = [];
  readonly #cut = new Set<number>();
  /** Waits by who waits, in the order in which they were found. */
  readonly #byWaiting: Lists;
  /** Levels of all jobs, while nothing is cut. */
  #known: { readonly levels: Int32Array; readonly done: boolean } | undefined;

  constructor(
    graph: JobGraph,
    jobs: readonly Orderly[],
    others: ((unit: string) => Orderly | undefined) | undefined,
    isCut: ((later: string, earlier: string) => boolean) | undefined,
  ) {
    this.#graph = graph;
    for (const job of jobs) this.#node(job);
    const lookUp = (unit: string): number | undefined => {
      const known = this.#index.get(unit);
      if (known !== undefined || others === undefined) return known;
      const other = others(unit);
      return other === undefined ? undefined : this.#node(other);
    };
    // The list grows while it is walked: jobs of the table come in as they are found. Each ordering is taken from the side of
    // the later unit; from the other side it only leads to that one.
    for (let l = 0; l < this.#jobs.length; l += 1) {
      const { unit } = this.#jobs[l] as Orderly;
      const after = graph.others(unit, 'After');
      for (let a = 0; a < after.length; a += 1) {
        const to = after[a] as string;
        const e = lookUp(to);
        if (e !== undefined && e !== l && isCut?.(unit, to) !== true) this.#constrain(l, e);
      }
      if (others !== undefined) for (const to of graph.others(unit, 'Before')) lookUp(to);
    }
    this.#byWaiting = new Lists(2 * this.#jobs.length, this.#waiting);
  }

  #node(job: Orderly): number {
    const index = this.#jobs.length;
    this.#jobs.push(job);
    this.#index.set(job.unit, index);
    if (job.type === 'restart') this.#wait(2 * index + 1, 2 * index, OWN);
    return index;
  }

  #wait(waiting: number, awaited: number, constraint: number): void {
    this.#waiting.push(waiting);
    this.#awaited.push(awaited);
    this.#constraint.push(constraint);
  }

  #constrain(l: number, e: number): void {
    const jobL = this.#jobs[l] as Orderly;
    const jobE = this.#jobs[e] as Orderly;
    if (waiter(jobL, jobE) === undefined) return;
    const first = this.#waiting.length;
    const number = this.#later.length;
    if (goesDown(jobL.type) && jobE.going !== true) this.#wait(this.#first(e), 2 * l, number);
    if (jobL.type !== 'stop' && (jobL.going !== true || jobL.type === 'restart'))
      this.#wait(2 * l + 1, jobE.type === 'stop' ? 2 * e : 2 * e + 1, number);
    if (this.#waiting.length === first) return;
    this.#later.push(l);
    this.#earlier.push(e);
    this.#firstWait.push(first);
  }

  #first(index: number): number {
    return goesDown((this.#jobs[index] as Orderly).type) ? 2 * index : 2 * index + 1;
  }

  /** Can all of it be put in an order, cuts or not? */
  isAcyclic(): boolean {
    return this.#levels(this.#jobs.length).done;
  }

  /** The wait at a place of `#byWaiting` is for this node. */
  #awaitedAt(place: number): number {
    return this.#awaited[this.#byWaiting.items[place] as number] as number;
  }

  /** Strongly connected components of more than one node (Tarjan, without recursion), each sorted. */
  components(): number[][] {
    const { starts } = this.#byWaiting;
    const count = 2 * this.#jobs.length;
    const index = new Int32Array(count).fill(-1);
    const low = new Int32Array(count);
    const onStack = new Uint8Array(count);
    /** By node: the place of the wait that is followed next. */
    const next = starts.slice();
    const stack: number[] = [];
    const path: number[] = [];
    const found: number[][] = [];
    let entered = 0;
    const enter = (node: number) => {
      index[node] = low[node] = entered++;
      stack.push(node);
      onStack[node] = 1;
      path.push(node);
    };
    for (let root = 0; root < count; root += 1) {
      if (index[root] !== -1) continue;
      enter(root);
      while (path.length > 0) {
        const node = path[path.length - 1] as number;
        const place = next[node] as number;
        if (place < (starts[node + 1] as number)) {
          next[node] = place + 1;
          const awaited = this.#awaitedAt(place);
          if (index[awaited] === -1) enter(awaited);
          else if (onStack[awaited] === 1) low[node] = Math.min(low[node] as number, index[awaited] as number);
          continue;
        }
        path.pop();
        const above = path[path.length - 1];
        if (above !== undefined) low[above] = Math.min(low[above] as number, low[node] as number);
        if (low[node] !== index[node]) continue;
        const from = stack.lastIndexOf(node);
        const component = stack.splice(from);
        for (const member of component) onStack[member] = 0;
        if (component.length > 1) found.push(component);
      }
    }
    return found.map((nodes) => this.#byName(nodes)).sort(([a], [b]) => this.#compare(a as number, b as number));
  }

  /** Put the orderings of one component in, strongest first; cut those that would close a ring. */
  settle(component: readonly number[], essentials: 'refuse' | 'cut all'): { readonly cuts: readonly Cut[] } | Refusal {
    const members = new Set(component);
    const order = new TopologicalOrder(this.#awaitedFirst(component, members));
    for (const node of component) {
      if (node % 2 === 1 && members.has(node - 1) && (this.#jobs[node >> 1] as Orderly).type === 'restart') {
        order.add(node - 1, node);
      }
    }
    const cuts: Cut[] = [];
    for (const { constraint, ordering, edge, strength } of this.#strongestFirst(members)) {
      let ring: readonly number[] | undefined;
      const added: number[] = [];
      for (const wait of this.#waitsInside(constraint, members)) {
        ring = order.add(this.#awaited[wait] as number, this.#waiting[wait] as number);
        if (ring !== undefined) break;
        added.push(wait);
      }
      if (ring === undefined) continue;
      for (const wait of added) order.remove(this.#awaited[wait] as number, this.#waiting[wait] as number);
      const units = this.#ringWords(ring);
      if (strength === 4 && essentials === 'refuse') {
        const text = `ordering cycle of essential units: ${[...units, units[0]].join(' waits for ')}`;
        return refusal(
          'TransactionOrderIsCyclic',
          ordering.later,
          text,
          `remove one of these orderings, such as ${edgeWords(edge)}`,
        );
      }
      this.#cut.add(constraint);
      cuts.push({ edge, ring: units, why: STRENGTHS[strength] as string });
    }
    return { cuts };
  }

  /** Those waits of a constraint that are between members. */
  #waitsInside(constraint: number, members: ReadonlySet<number>): number[] {
    const found: number[] = [];
    for (let wait = this.#firstWait[constraint] as number; this.#constraint[wait] === constraint; wait += 1)
      if (members.has(this.#waiting[wait] as number) && members.has(this.#awaited[wait] as number)) found.push(wait);
    return found;
  }

  /** The nodes of a component, each behind those it waits for as far as that goes: so that few orderings have to move anything. */
  #awaitedFirst(component: readonly number[], members: ReadonlySet<number>): readonly number[] {
    const { starts } = this.#byWaiting;
    const found: number[] = [];
    const seen = new Set<number>();
    for (const root of component) {
      if (seen.has(root)) continue;
      seen.add(root);
      const path = [{ node: root, at: starts[root] as number }];
      for (let top = path[path.length - 1]; top !== undefined; top = path[path.length - 1]) {
        if (top.at === starts[top.node + 1]) {
          path.pop();
          found.push(top.node);
          continue;
        }
        const next = this.#awaitedAt(top.at);
        top.at += 1;
        if (members.has(next) && !seen.has(next)) {
          seen.add(next);
          path.push({ node: next, at: starts[next] as number });
        }
      }
    }
    return found;
  }

  /** The constraints between members. */
  #strongestFirst(members: ReadonlySet<number>) {
    const found = new Set<number>();
    for (const node of members) {
      const end = this.#byWaiting.starts[node + 1] as number;
      for (let place = this.#byWaiting.starts[node] as number; place < end; place += 1) {
        const wait = this.#byWaiting.items[place] as number;
        const constraint = this.#constraint[wait] as number;
        if (constraint !== OWN && members.has(this.#awaited[wait] as number)) found.add(constraint);
      }
    }
    return [...found]
      .map((constraint) => {
        const later = (this.#jobs[this.#later[constraint] as number] as Orderly).unit;
        const earlier = (this.#jobs[this.#earlier[constraint] as number] as Orderly).unit;
        const ordering: Ordering = { later, earlier };
        return { constraint, ordering, ...judge(this.#graph, ordering) };
      })
      .sort(
        (a, b) =>
          b.strength - a.strength ||
          byCodeUnit(a.ordering.later, b.ordering.later) ||
          byCodeUnit(a.ordering.earlier, b.ordering.earlier),
      );
  }

  /** The path that the ordering would have closed, as units: each waits for the next, the last for the first. */
  #ringWords(path: readonly number[]): readonly string[] {
    const units = path.toReversed().map((node) => (this.#jobs[node >> 1] as Orderly).unit);
    const ring = units.filter((unit, at) => at === 0 || unit !== units[at - 1]);
    if (ring.length > 1 && ring[0] === ring[ring.length - 1]) ring.pop();
    let start = 0;
    for (let at = 1; at < ring.length; at += 1) if ((ring[at] as string) < (ring[start] as string)) start = at;
    return [...ring.slice(start), ...ring.slice(0, start)];
  }

  /** The length of the longest path to each node of the first `count` jobs, over what is not cut; `done`: there are no rings. */
  #levels(count: number): { readonly levels: Int32Array; readonly done: boolean } {
    if (this.#known !== undefined && count === this.#jobs.length && this.#cut.size === 0) return this.#known;
    const nodes = 2 * count;
    const { starts, items } = new Lists(2 * this.#jobs.length, this.#awaited);
    const open = new Int32Array(nodes);
    for (let wait = 0; wait < this.#waiting.length; wait += 1)
      if (this.#holds(wait, nodes)) {
        const waiting = this.#waiting[wait] as number;
        open[waiting] = (open[waiting] as number) + 1;
      }
    const levels = new Int32Array(nodes);
    const ready = new Int32Array(nodes);
    let found = 0;
    for (let node = 0; node < nodes; node += 1) if (open[node] === 0) ready[found++] = node;
    for (let at = 0; at < found; at += 1) {
      const node = ready[at] as number;
      const level = (levels[node] as number) + 1;
      const end = starts[node + 1] as number;
      for (let place = starts[node] as number; place < end; place += 1) {
        const wait = items[place] as number;
        if (!this.#holds(wait, nodes)) continue;
        const waiting = this.#waiting[wait] as number;
        if ((levels[waiting] as number) < level) levels[waiting] = level;
        const left = (open[waiting] as number) - 1;
        open[waiting] = left;
        if (left === 0) ready[found++] = waiting;
      }
    }
    const known = { levels, done: found === nodes };
    if (count === this.#jobs.length && this.#cut.size === 0) this.#known = known;
    return known;
  }

  /** Both ends are among the first so many nodes, and it is not cut. */
  #holds(wait: number, nodes: number): boolean {
    if ((this.#waiting[wait] as number) >= nodes || (this.#awaited[wait] as number) >= nodes) return false;
    return this.#cut.size === 0 || !this.#cut.has(this.#constraint[wait] as number);
  }

  /** Waves by longest path over what is left, of the first `count` jobs; the others do not count. */
  places(count: number): readonly Place[] {
    const { levels } = this.#levels(count);
    const { starts, items } = this.#byWaiting;
    const places = new Array<Place>(count);
    for (let index = 0; index < count; index += 1) {
      const first = this.#first(index);
      const end = starts[first + 1] as number;
      const after: string[] = [];
      for (let place = starts[first] as number; place < end; place += 1) {
        const wait = items[place] as number;
        if (this.#holds(wait, 2 * count))
          after.push((this.#jobs[(this.#awaited[wait] as number) >> 1] as Orderly).unit);
      }
      places[index] = { wave: levels[first] as number, after: inOrder(after) };
    }
    return places;
  }

  #compare(a: number, b: number): number {
    return byCodeUnit((this.#jobs[a >> 1] as Orderly).unit, (this.#jobs[b >> 1] as Orderly).unit) || a - b;
  }

  #byName(nodes: number[]): number[] {
    return nodes.sort((a, b) => this.#compare(a, b));
  }
}

const byCodeUnit = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** Sorted, each once. As a rule they are that already. */
function inOrder(units: readonly string[]): readonly string[] {
  for (let at = 1; at < units.length; at += 1)
    if ((units[at - 1] as string) >= (units[at] as string)) return [...new Set(units)].sort();
  return units;
}

/** Numbers 0, 1, 2 … put in lists by their keys, in two arrays: the list of a key is `items` from `starts[key]` to `starts[key + 1]`. */
class Lists {
  readonly starts: Int32Array;
  readonly items: Int32Array;

  /** @param keys of each number; below `count` */
  constructor(count: number, keys: readonly number[]) {
    const starts = new Int32Array(count + 1);
    for (let at = 0; at < keys.length; at += 1) {
      const key = (keys[at] as number) + 1;
      starts[key] = (starts[key] as number) + 1;
    }
    for (let key = 0; key < count; key += 1) starts[key + 1] = (starts[key + 1] as number) + (starts[key] as number);
    const next = starts.slice();
    const items = new Int32Array(keys.length);
    for (let at = 0; at < keys.length; at += 1) {
      const key = keys[at] as number;
      const place = next[key] as number;
      next[key] = place + 1;
      items[place] = at;
    }
    this.starts = starts;
    this.items = items;
  }
}

/** Units without which no system gets up or down. */
const ESSENTIAL: ReadonlySet<string> = new Set([
  '-.mount',
  'basic.target',
  'final.target',
  'halt.target',
  'local-fs-pre.target',
  'local-fs.target',
  'poweroff.target',
  'reboot.target',
  'shutdown.target',
  'sysinit.target',
  'umount.target',
]);

const STRENGTHS = [
  'the weakest of the ring: only implied by a rule',
  'the weakest of the ring: written down, but neither unit needs the other',
  'the weakest of the ring: written down beside a Wants=',
  'the weakest of the ring: all of it is written down beside requirements',
  'all of the ring are essential units',
] as const;

/** The edge that stands for an ordering: a written one before an implied one, then by where it is written. */
export function representative(graph: JobGraph, { later, earlier }: Ordering): Edge {
  const edges = edgesTo(graph.edges(later, 'After'), earlier);
  const rank = (edge: Edge) => `${'rule' in edge.origin ? 1 : 0} ${originWords(edge.origin)}`;
  const [best] = edges.sort((a, b) => byCodeUnit(rank(a), rank(b)));
  return best ?? { from: later, kind: 'After', to: earlier, origin: { rule: 'unknown' } };
}

/** How strong an ordering is, and the edge that stands for it. */
function judge(graph: JobGraph, ordering: Ordering): { strength: number; edge: Edge } {
  const { later, earlier } = ordering;
  const edge = representative(graph, ordering);
  if (ESSENTIAL.has(later)) return { strength: 4, edge };
  if ('rule' in edge.origin) return { strength: 0, edge };
  const linked = (kinds: readonly Edge['kind'][]) =>
    kinds.some((kind) => graph.others(later, kind).includes(earlier) || graph.others(earlier, kind).includes(later));
  if (linked(['Requires', 'Requisite', 'BindsTo', 'PartOf'])) return { strength: 3, edge };
  return { strength: linked(['Wants', 'Upholds']) ? 2 : 1, edge };
}
