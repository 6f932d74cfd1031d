/**
 * A request becomes a plan, or a refusal that says why: expand, settle, arrange, explain.
 *
 *     request -> expand.ts    every job it could need, with the edge that pulled it in
 *             -> settle.ts    one job for each unit, or a refusal
 *             -> order.ts     waves; rings cut
 *             -> here         reasons, and what of the table would be replaced
 *
 * Pure and deterministic: the same graph, states, table and request give the same plan, in whatever order any of them was
 * put together. Several units in one request make one transaction: all or nothing.
 */
import type { Edge } from '../units/types.ts';
import { Expansion, type Link, type Node, reasonOf } from './expand.ts';
import { arrange, type Orderly, type Place } from './order.ts';
import { requestRefusal } from './refusals.ts';
import { settle } from './settle.ts';
import type {
  Cut,
  InstalledJob,
  JobGraph,
  JobRequest,
  JobType,
  Plan,
  PlannedJob,
  PlanWorld,
  Reason,
  Refusal,
} from './types.ts';
import { collapse, conflicts, merge, partsOf, typeOfVerb } from './verbs.ts';
import { jobWords } from './words.ts';

export const isRefusal = (answer: Plan | Refusal): answer is Refusal => 'refused' in answer;

/** What the request would do now. Changes nothing. */
export function plan(world: PlanWorld, request: JobRequest): Plan | Refusal {
  const expansion = new Expansion(world, request.mode);
  for (const part of partsOf(request)) {
    const refused = addAnchors(world, { ...request, ...part }, expansion);
    if (refused !== undefined) return refused;
  }
  expansion.run();
  addStops(request, expansion);
  // Before anything is given up: what is left out now may be wanted when its unit has changed.
  const touches = [...expansion.byUnit.keys()];
  const settled = settle(world, request.mode, expansion);
  if ('refused' in settled) return settled;
  return order(world, request, settled.nodes, settled.notes, touches);
}

function addAnchors(world: PlanWorld, request: JobRequest, expansion: Expansion): Refusal | undefined {
  const units = new Set(request.units.map((unit) => world.graph.facts(unit)?.name ?? unit));
  for (const unit of [...units].sort()) {
    const facts = world.graph.facts(unit);
    const type = typeOfVerb(request.verb, facts?.canReload ?? false);
    const active = world.states.active(unit);
    const collapsed = collapse(type, active);
    const refused = requestRefusal(world, request, unit, type) ?? expansion.anchor(unit, collapsed);
    if (refused !== undefined) return refused;
    if (collapsed !== request.verb) {
      const reason = collapsed === type ? (facts?.canReload ? 'it can reload' : 'it cannot reload') : `it is ${active}`;
      expansion.notes.push(`${unit}: ${request.verb} means ${collapsed}, since ${reason}`);
    }
  }
  return undefined;
}

/** The stops of modes `isolate` and `triggering`. */
function addStops(request: JobRequest, expansion: Expansion): void {
  if (request.mode !== 'isolate' && request.mode !== 'triggering') return;
  for (const anchor of expansion.anchors) {
    if (request.mode === 'isolate') expansion.isolate(anchor);
    else expansion.triggering(anchor);
  }
}

function order(
  world: PlanWorld,
  request: JobRequest,
  nodes: readonly Node[],
  notes: readonly string[],
  touches: readonly string[],
): Plan | Refusal {
  const alone = world.installed.empty === true;
  const replaces = alone ? [] : replaced(world, request, nodes);
  const canceled = new Set(replaces.filter((one) => one.canceled).map((one) => one.unit));
  const others = (unit: string): Orderly | undefined => {
    const job = world.installed.of(unit);
    if (job === undefined || canceled.has(unit)) return undefined;
    return { unit, type: job.type, ignoreOrder: job.ignoreOrder, going: job.state === 'running' };
  };
  const arranged = arrange(
    world.graph,
    alone ? nodes : nodes.map((node) => afterMerging(world, node)),
    alone ? undefined : others,
    // A cut lasts as long as the two jobs it is between.
    alone
      ? undefined
      : (later, earlier) => !canceled.has(later) && !canceled.has(earlier) && world.installed.isCut(later, earlier),
  );
  if ('refused' in arranged) return arranged;
  const { cuts, places } = arranged;
  const types = new Map(cuts.length === 0 ? [] : nodes.map(({ unit, type }) => [unit, type]));
  return {
    request,
    jobs: inWaves(nodes, places(), reasonsOf(world.graph, nodes, request), request),
    notes: [...notes, ...cuts.map((cut) => cutWords(cut, (unit) => types.get(unit) ?? world.installed.of(unit)?.type))],
    cuts,
    touches,
    replaces: replaces.map(({ job, unit, why }) => ({ job, unit, why })),
  };
}

/** What comes after another unit is stopped before it: of two stops the other one waits. */
function cutWords({ edge: { from, to }, why }: Cut, typeOf: (unit: string) => JobType | undefined): string {
  const [waits, first] = typeOf(from) === 'stop' ? [to, from] : [from, to];
  return `${waits} no longer waits for ${first}: ${why}`;
}

/** Wave by wave; within one the nodes are sorted by unit already. */
function inWaves(
  nodes: readonly Node[],
  places: readonly Place[],
  reasons: ReadonlyMap<Node, readonly Reason[]>,
  { mode }: JobRequest,
): readonly PlannedJob[] {
  /** Where the next job of each wave goes: first how many there are, then where they begin. */
  const next = new Int32Array(2 * nodes.length + 1); // a restart has two phases, and each may be a step further
  for (const { wave } of places) next[wave + 1] = (next[wave + 1] as number) + 1;
  for (let wave = 1; wave < next.length; wave += 1) next[wave] = (next[wave] as number) + (next[wave - 1] as number);
  const jobs = new Array<PlannedJob>(nodes.length);
  for (let at = 0; at < nodes.length; at += 1) {
    const node = nodes[at] as Node;
    const { wave, after } = places[at] as Place;
    const place = next[wave] as number;
    next[wave] = place + 1;
    jobs[place] = {
      unit: node.unit,
      type: node.type,
      reasons: reasons.get(node) ?? [],
      optional: !node.matters,
      irreversible: mode === 'replace-irreversibly',
      ignoreOrder: node.ignoreOrder,
      after,
      wave,
    };
  }
  return jobs;
}

/** The job as it will stand in the table: merged into one that is there. */
function afterMerging(world: PlanWorld, node: Node): Orderly {
  const installed = world.installed.of(node.unit);
  const merged = installed === undefined ? undefined : merge(installed.type, node.type);
  if (installed === undefined || merged === undefined) {
    return { unit: node.unit, type: node.type, ignoreOrder: node.ignoreOrder };
  }
  return {
    unit: node.unit,
    type: collapse(merged, world.states.active(node.unit)),
    ignoreOrder: node.ignoreOrder || installed.ignoreOrder,
  };
}

interface Replaced {
  readonly job: number;
  readonly unit: string;
  readonly why: string;
  readonly canceled: boolean;
}

function replaced(world: PlanWorld, request: JobRequest, nodes: readonly Node[]): Replaced[] {
  const found: Replaced[] = [];
  for (const node of nodes) {
    const job = world.installed.of(node.unit);
    if (job === undefined || node.type === 'nop') continue;
    const canceled = conflicts(job.type, node.type);
    const how = canceled ? 'is canceled by' : 'is merged with';
    found.push({ job: job.id, unit: job.unit, why: `${jobWords(job)} ${how} ${node.type} ${node.unit}`, canceled });
  }
  if (request.mode === 'isolate' || request.mode === 'flush') {
    const planned = new Set(nodes.map((node) => node.unit));
    for (const job of world.installed.all()) {
      if (planned.has(job.unit)) continue;
      const why = `${jobWords(job)} is canceled: not part of the new plan (job mode ${request.mode})`;
      found.push({ job: job.id, unit: job.unit, why, canceled: true });
    }
  }
  return found.sort((a, b) => a.job - b.job);
}

/** A chain of reasons is at most this long; of a longer one the middle is left out (each reason names the next by `because`). */
const MAX_REASONS = 32;
/** In a plan of very many jobs, which is to be told within a second: why it is there, and who asked. The next reason stands at the job that the first one names. */
const MAX_REASONS_OF_MANY = 2;
const MANY = 1000;

/** The shortest chain from each job to the request; of two of one length the one whose links were found first. */
function reasonsOf(graph: JobGraph, nodes: readonly Node[], request: JobRequest): Map<Node, readonly Reason[]> {
  const asked: Reason = { asked: request.by };
  const chains = new Map<Node, readonly Reason[]>();
  const found = nodes.filter((node) => node.anchor);
  const most = nodes.length > MANY ? MAX_REASONS_OF_MANY : MAX_REASONS;
  for (const node of found) chains.set(node, [asked]);
  for (const node of found) {
    const chain = chains.get(node) as readonly Reason[];
    const links = new LinkReasons(graph);
    for (let link = node.firstTo; link !== undefined; link = link.nextTo) {
      if (link.to.gone || chains.has(link.to)) continue;
      chains.set(link.to, longer(links.of(link), chain, most));
      found.push(link.to);
    }
  }
  return chains;
}

/** Reasons of the links of one job. They come in the order of its edges, so each is found right behind the one before. */
class LinkReasons {
  readonly #graph: JobGraph;
  #by = '';
  #edges: readonly Edge[] = [];
  #at = 0;
  #as = '';
  #because = '';

  constructor(graph: JobGraph) {
    this.#graph = graph;
  }

  of(link: Link): Reason {
    const { by, as, from, to } = link;
    if (by === 'isolate' || by === 'triggers') return reasonOf(this.#graph, link);
    if (this.#by !== by) {
      this.#edges = this.#graph.edges(from.unit, by);
      this.#by = by;
      this.#at = 0;
    }
    while (this.#at < this.#edges.length && (this.#edges[this.#at] as Edge).to < to.unit) this.#at += 1;
    const edge = this.#edges[this.#at];
    if (edge?.to !== to.unit) return reasonOf(this.#graph, link); // links of jobs that were merged begin anew
    if (this.#as !== as) {
      this.#as = as;
      this.#because = `${as} ${from.unit}`;
    }
    return { edge, because: this.#because };
  }
}

function longer(reason: Reason, chain: readonly Reason[], most: number): readonly Reason[] {
  if (chain.length < most) return [reason, ...chain];
  return [reason, ...chain.slice(0, -2), ...chain.slice(-1)];
}

/** The plan's view of an empty table. */
export const NO_JOBS = {
  empty: true,
  of: (): InstalledJob | undefined => undefined,
  all: (): readonly InstalledJob[] => [],
  isCut: () => false,
};
