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
import { Expansion, type Node } from './expand.ts';
import { arrange, type Orderly } from './order.ts';
import { requestRefusal } from './refusals.ts';
import { settle } from './settle.ts';
import type { InstalledJob, JobRequest, Plan, PlannedJob, PlanWorld, Reason, Refusal, RequestPart } from './types.ts';
import { collapse, conflicts, merge, typeOfVerb } from './verbs.ts';
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

/** The verbs of a request with their units. */
export const partsOf = (request: JobRequest): readonly RequestPart[] => [request, ...(request.also ?? [])];

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
  for (const anchor of expansion.nodes().filter((node) => node.anchor)) {
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
  const planned = new Set(nodes.map((node) => node.unit));
  const replaces = replaced(world, request, nodes, planned);
  const canceled = new Set(replaces.filter((one) => one.canceled).map((one) => one.unit));
  const others = (unit: string): Orderly | undefined => {
    const job = world.installed.of(unit);
    if (job === undefined || canceled.has(unit)) return undefined;
    return { unit, type: job.type, ignoreOrder: job.ignoreOrder, going: job.state === 'running' };
  };
  const arranged = arrange(
    world.graph,
    nodes.map((node) => afterMerging(world, node)),
    world.installed.empty === true ? undefined : others,
    // A cut lasts as long as the two jobs it is between.
    (later, earlier) => !canceled.has(later) && !canceled.has(earlier) && world.installed.isCut(later, earlier),
  );
  if ('refused' in arranged) return arranged;
  const reasons = reasonsOf(nodes, request);
  const jobs = nodes.map((node): PlannedJob => {
    const place = arranged.places.get(node.unit);
    return {
      unit: node.unit,
      type: node.type,
      reasons: reasons.get(node) ?? [],
      optional: !node.matters,
      irreversible: request.mode === 'replace-irreversibly',
      ignoreOrder: node.ignoreOrder,
      after: place?.after ?? [],
      wave: place?.wave ?? 0,
    };
  });
  jobs.sort((a, b) => a.wave - b.wave || (a.unit < b.unit ? -1 : 1));
  return {
    request,
    jobs,
    notes: [...notes, ...arranged.cuts.map((cut) => `${cut.edge.from} no longer waits for ${cut.edge.to}: ${cut.why}`)],
    cuts: arranged.cuts,
    touches,
    replaces: replaces.map(({ job, unit, why }) => ({ job, unit, why })),
  };
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

function replaced(
  world: PlanWorld,
  request: JobRequest,
  nodes: readonly Node[],
  planned: ReadonlySet<string>,
): Replaced[] {
  const found: Replaced[] = [];
  for (const node of nodes) {
    const job = world.installed.of(node.unit);
    if (job === undefined || node.type === 'nop') continue;
    const canceled = conflicts(job.type, node.type);
    const how = canceled ? 'is canceled by' : 'is merged with';
    found.push({ job: job.id, unit: job.unit, why: `${jobWords(job)} ${how} ${node.type} ${node.unit}`, canceled });
  }
  if (request.mode === 'isolate' || request.mode === 'flush') {
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

/** The shortest chain from each job to the request; of two of one length the one whose links were found first. */
function reasonsOf(nodes: readonly Node[], request: JobRequest): Map<Node, readonly Reason[]> {
  const asked: Reason = { asked: request.by };
  const chains = new Map<Node, readonly Reason[]>();
  for (const node of nodes) if (node.anchor) chains.set(node, [asked]);
  for (const [node, chain] of chains) {
    for (const link of node.to) if (!chains.has(link.to)) chains.set(link.to, longer(link.reason, chain));
  }
  return chains;
}

function longer(reason: Reason, chain: readonly Reason[]): readonly Reason[] {
  if (chain.length < MAX_REASONS) return [reason, ...chain];
  return [reason, ...chain.slice(0, -2), ...chain.slice(-1)];
}

/** The plan's view of an empty table. */
export const NO_JOBS = {
  empty: true,
  of: (): InstalledJob | undefined => undefined,
  all: (): readonly InstalledJob[] => [],
  isCut: () => false,
};
