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
  let last = '';
  for (const { to } of graph.edges(unit, 'After')) {
    if (to !== last && to !== unit) yield { later: unit, earlier: to };
    last = to;
  }
  last = '';
  for (const { to } of graph.edges(unit, 'Before')) {
    if (to !== last && to !== unit) yield { later: to, earlier: unit };
    last = to;
  }
}

export interface Order {
  readonly cuts: readonly Cut[];
  /** By unit: where each job stands. */
  readonly places: ReadonlyMap<string, { readonly wave: number; readonly after: readonly string[] }>;
}

/**
 * @param jobs the jobs to be placed, one for each unit
 * @param others a job of a unit that is not among them, if it has one: such jobs can be part of a ring; undefined: there are none
 * @param isCut orderings that are not honoured already
 * @param essentials what to do about a ring of essential units alone
 */
export function arrange(
  graph: JobGraph,
  jobs: readonly Orderly[],
  others: ((unit: string) => Orderly | undefined) | undefined,
  isCut: (later: string, earlier: string) => boolean,
  essentials: 'refuse' | 'cut all' = 'refuse',
): Order | Refusal {
  const phases = new Phases(graph, jobs, others, isCut);
  const cuts: Cut[] = [];
  for (const component of phases.components()) {
    const result = phases.settle(component, essentials);
    if ('refused' in result) return result;
    cuts.push(...result.cuts);
  }
  return { cuts, places: phases.places(new Set(jobs.map((job) => job.unit))) };
}

interface Constraint extends Ordering {
  /** [who waits, for whom], by phase node. */
  readonly waits: readonly (readonly [number, number])[];
  cut: boolean;
}

/** One phase waits for another; without a constraint it is the way up of a restart, which comes after its way down. */
interface Wait {
  readonly node: number;
  readonly constraint: Constraint | undefined;
}

/** Each job has two nodes, 2i for its way down and 2i + 1 for its way up; one that has no such phase has no edges there. */
class Phases {
  readonly #graph: JobGraph;
  readonly #jobs: Orderly[] = [];
  readonly #index = new Map<string, number>();
  readonly #constraints: Constraint[] = [];
  /** By node: what it waits for. */
  readonly #waits: Wait[][] = [];

  constructor(
    graph: JobGraph,
    jobs: readonly Orderly[],
    others: ((unit: string) => Orderly | undefined) | undefined,
    isCut: (later: string, earlier: string) => boolean,
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
      let last = unit;
      for (const { to } of graph.edges(unit, 'After')) {
        if (to === last || to === unit) continue;
        last = to;
        const e = lookUp(to);
        if (e !== undefined && !isCut(unit, to)) this.#constrain(unit, to, l, e);
      }
      if (others !== undefined) for (const { to } of graph.edges(unit, 'Before')) lookUp(to);
    }
  }

  #node(job: Orderly): number {
    const index = this.#jobs.length;
    this.#jobs.push(job);
    this.#index.set(job.unit, index);
    this.#waits.push([], job.type === 'restart' ? [{ node: 2 * index, constraint: undefined }] : []);
    return index;
  }

  #constrain(later: string, earlier: string, l: number, e: number): void {
    const [jobL, jobE] = [this.#jobs[l] as Orderly, this.#jobs[e] as Orderly];
    if (waiter(jobL, jobE) === undefined) return;
    const waits: [number, number][] = [];
    const wait = (waiting: number, node: number) => {
      const going = this.#jobs[waiting >> 1]?.going === true && waiting === this.#first(waiting >> 1);
      if (!going) waits.push([waiting, node]);
    };
    if (goesDown(jobL.type)) wait(this.#first(e), 2 * l);
    if (jobL.type !== 'stop') wait(2 * l + 1, jobE.type === 'stop' ? 2 * e : 2 * e + 1);
    if (waits.length === 0) return;
    const constraint: Constraint = { later, earlier, waits, cut: false };
    this.#constraints.push(constraint);
    for (const [waiting, node] of waits) this.#waits[waiting]?.push({ node, constraint });
  }

  #first(index: number): number {
    return goesDown((this.#jobs[index] as Orderly).type) ? 2 * index : 2 * index + 1;
  }

  /** Strongly connected components of more than one node (Tarjan, without recursion), each sorted. */
  components(): number[][] {
    const count = this.#waits.length;
    const index = new Int32Array(count).fill(-1);
    const low = new Int32Array(count);
    const onStack = new Uint8Array(count);
    /** By node: how many of its waits have been followed. */
    const followed = new Int32Array(count);
    const stack: number[] = [];
    const path: number[] = [];
    const found: number[][] = [];
    let next = 0;
    const enter = (node: number) => {
      index[node] = low[node] = next++;
      stack.push(node);
      onStack[node] = 1;
      path.push(node);
    };
    for (let root = 0; root < count; root += 1) {
      if (index[root] !== -1) continue;
      enter(root);
      while (path.length > 0) {
        const node = path[path.length - 1] as number;
        const wait = this.#waits[node]?.[followed[node] as number];
        if (wait !== undefined) {
          followed[node] = (followed[node] as number) + 1;
          if (index[wait.node] === -1) enter(wait.node);
          else if (onStack[wait.node] === 1) low[node] = Math.min(low[node] as number, index[wait.node] as number);
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
    for (const { constraint, edge, strength } of this.#strongestFirst(members)) {
      const inside = constraint.waits.filter(([a, b]) => members.has(a) && members.has(b));
      let ring: readonly number[] | undefined;
      const added: (readonly [number, number])[] = [];
      for (const [waiting, awaited] of inside) {
        ring = order.add(awaited, waiting);
        if (ring !== undefined) break;
        added.push([waiting, awaited]);
      }
      if (ring === undefined) continue;
      for (const [waiting, awaited] of added) order.remove(awaited, waiting);
      const units = this.#ringWords(ring);
      if (strength === 4 && essentials === 'refuse') {
        const text = `ordering cycle of essential units: ${[...units, units[0]].join(' waits for ')}`;
        return refusal(
          'TransactionOrderIsCyclic',
          constraint.later,
          text,
          `remove one of these orderings, such as ${edgeWords(edge)}`,
        );
      }
      constraint.cut = true;
      cuts.push({ edge, ring: units, why: STRENGTHS[strength] as string });
    }
    return { cuts };
  }

  /** The nodes of a component, each behind those it waits for as far as that goes: so that few orderings have to move anything. */
  #awaitedFirst(component: readonly number[], members: ReadonlySet<number>): readonly number[] {
    const found: number[] = [];
    const seen = new Set<number>();
    for (const root of component) {
      if (seen.has(root)) continue;
      seen.add(root);
      const path = [{ node: root, at: 0 }];
      for (let top = path[path.length - 1]; top !== undefined; top = path[path.length - 1]) {
        const next = this.#waits[top.node]?.[top.at]?.node;
        top.at += 1;
        if (next === undefined) {
          path.pop();
          found.push(top.node);
        } else if (members.has(next) && !seen.has(next)) {
          seen.add(next);
          path.push({ node: next, at: 0 });
        }
      }
    }
    return found;
  }

  #strongestFirst(members: ReadonlySet<number>) {
    return this.#constraints
      .filter(({ waits }) => waits.some(([a, b]) => members.has(a) && members.has(b)))
      .map((constraint) => ({ constraint, ...judge(this.#graph, constraint) }))
      .sort(
        (a, b) =>
          b.strength - a.strength ||
          byCodeUnit(a.constraint.later, b.constraint.later) ||
          byCodeUnit(a.constraint.earlier, b.constraint.earlier),
      );
  }

  /** The path that the ordering would have closed, as units: each waits for the next, the last for the first. */
  #ringWords(path: readonly number[]): readonly string[] {
    const units = path.toReversed().map((node) => (this.#jobs[node >> 1] as Orderly).unit);
    const ring = units.filter((unit, at) => at === 0 || unit !== units[at - 1]);
    if (ring.length > 1 && ring[0] === ring[ring.length - 1]) ring.pop();
    const start = ring.indexOf(ring.toSorted()[0] as string);
    return [...ring.slice(start), ...ring.slice(0, start)];
  }

  /** Waves by longest path over what is left; jobs of others do not count. */
  places(placed: ReadonlySet<string>): Map<string, { wave: number; after: readonly string[] }> {
    const count = this.#waits.length;
    const counts = this.#jobs.map((job) => placed.has(job.unit));
    const holds = ({ node, constraint }: Wait) => counts[node >> 1] === true && constraint?.cut !== true;
    const open = new Int32Array(count);
    const level = new Int32Array(count);
    const waitedBy: number[][] = Array.from({ length: count }, () => []);
    for (let node = 0; node < count; node += 1) {
      if (counts[node >> 1] !== true) continue;
      for (const wait of this.#waits[node] as Wait[]) {
        if (!holds(wait)) continue;
        open[node] = (open[node] as number) + 1;
        waitedBy[wait.node]?.push(node);
      }
    }
    const ready: number[] = [];
    for (let node = 0; node < count; node += 1) if (open[node] === 0) ready.push(node);
    for (let at = 0; at < ready.length; at += 1) {
      const node = ready[at] as number;
      for (const waiting of waitedBy[node] as number[]) {
        level[waiting] = Math.max(level[waiting] as number, (level[node] as number) + 1);
        open[waiting] = (open[waiting] as number) - 1;
        if (open[waiting] === 0) ready.push(waiting);
      }
    }
    const places = new Map<string, { wave: number; after: readonly string[] }>();
    for (const [index, job] of this.#jobs.entries()) {
      if (counts[index] !== true) continue;
      const first = this.#first(index);
      const after: string[] = [];
      for (const wait of this.#waits[first] as Wait[])
        if (holds(wait)) after.push((this.#jobs[wait.node >> 1] as Orderly).unit);
      places.set(job.unit, {
        wave: level[first] as number,
        after: after.length < 2 ? after : [...new Set(after)].sort(),
      });
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

/** Those of `edges` that lead to `to`. They are sorted by it, and a target may come after ten thousand units. */
function edgesTo(edges: readonly Edge[], to: string): Edge[] {
  let [from, end] = [0, edges.length];
  while (from < end) {
    const middle = (from + end) >> 1;
    if (byCodeUnit((edges[middle] as Edge).to, to) < 0) from = middle + 1;
    else end = middle;
  }
  const found: Edge[] = [];
  for (let edge = edges[from]; edge?.to === to; edge = edges[from]) {
    found.push(edge);
    from += 1;
  }
  return found;
}

/** How strong an ordering is, and the edge that stands for it. */
function judge(graph: JobGraph, ordering: Ordering): { strength: number; edge: Edge } {
  const { later, earlier } = ordering;
  const edge = representative(graph, ordering);
  if (ESSENTIAL.has(later)) return { strength: 4, edge };
  if ('rule' in edge.origin) return { strength: 0, edge };
  const linked = (kinds: readonly Edge['kind'][]) =>
    kinds.some((kind) =>
      [
        graph.edges(later, kind).some((e) => e.to === earlier),
        graph.edges(earlier, kind).some((e) => e.to === later),
      ].includes(true),
    );
  if (linked(['Requires', 'Requisite', 'BindsTo', 'PartOf'])) return { strength: 3, edge };
  return { strength: linked(['Wants', 'Upholds']) ? 2 : 1, edge };
}
