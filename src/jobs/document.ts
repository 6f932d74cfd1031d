/**
 * A plan told in full: what it rests on, what it would stop, what it will wait for and how long it may take. Nothing is decided
 * here; plan.ts has decided, this looks again at the same world.
 */
import type { Durations } from './estimate.ts';
import { estimate } from './estimate.ts';
import { type IdentityWorld, identify } from './identity.ts';
import { orderingsOf, representative, waiter } from './order.ts';
import type { Paged } from './paged.ts';
import type { JobGraph, Plan, PlanDocument, PlannedWait, PlanWorld, Reason } from './types.ts';
import { conflicts, goesDown, isDown, isUp, isUpOrComing, partsOf } from './verbs.ts';
import { edgeWords, jobWords } from './words.ts';

/** Where and when a plan is made. */
export interface Circumstances {
  readonly machineId: string;
  readonly bootId: string;
  /** CLOCK_REALTIME in µs. */
  readonly madeUs: number;
  readonly durations: Paged<Durations>;
}

export function documentOf(world: IdentityWorld, plan: Plan, here: Circumstances): PlanDocument {
  const { id, hash, units } = identify(world, plan);
  return {
    format: 'sysmaster-plan',
    version: 1,
    id,
    machineId: here.machineId,
    bootId: here.bootId,
    madeUs: here.madeUs,
    state: { hash, units },
    ...plan,
    cuts: cutsOf(world, plan),
    notes: [...plan.notes, ...unsupported(world, plan)],
    touches: plan.touches.toSorted(),
    stops: stopsOf(world, plan),
    stands: standsOf(world, plan),
    waits: waitsOf(world, plan),
    estimate: estimate(plan, here.durations),
  };
}

/** Jobs of which it is known that nobody can do them. */
function unsupported({ graph, states }: PlanWorld, plan: Plan): string[] {
  return plan.jobs.flatMap(({ unit, type }) => {
    const facts = graph.facts(unit);
    const settled = type === 'start' ? isUp(states.active(unit)) : !goesDown(type) || isDown(states.active(unit));
    return facts?.unsupported !== true || settled
      ? []
      : [`${type} ${unit} will end with unsupported: units of type ${facts.type} are only shown here so far`];
  });
}

/** Edges of rings that are told of one plan: a ring may have ten thousand, and each of them may be cut. */
const RING_EDGES = 2000;

/** Each cut with the ring it would close, edge by edge. */
function cutsOf({ graph, installed }: PlanWorld, plan: Plan): PlanDocument['cuts'] {
  const types = new Map(plan.jobs.map(({ unit, type }) => [unit, type]));
  let left = RING_EDGES;
  return plan.cuts.map((cut) => {
    const { ring } = cut;
    const told = ring.slice(0, Math.max(0, left));
    left -= told.length;
    const edges = told.map((unit, at) => {
      const next = ring[(at + 1) % ring.length] as string;
      const comes = { later: unit, earlier: next };
      const goes = { later: next, earlier: unit };
      // A unit that is stopped waits for those that come after it.
      const stops = (types.get(unit) ?? installed.of(unit)?.type) === 'stop';
      const [first, second] = stops ? [goes, comes] : [comes, goes];
      const ordered = graph.others(first.later, 'After').includes(first.earlier);
      return representative(graph, ordered ? first : second);
    });
    return { ...cut, edges };
  });
}

function stopsOf({ graph, states }: PlanWorld, plan: Plan): PlanDocument['stops'] {
  const named = new Set(
    partsOf(plan.request)
      .flatMap(({ units }) => units)
      .map((unit) => graph.facts(unit)?.name ?? unit),
  );
  return plan.jobs
    .filter(({ unit, type }) => goesDown(type) && !named.has(unit) && isUpOrComing(states.active(unit)))
    .map(({ unit, reasons }) => ({ unit, why: reasonWords(reasons[0]) }));
}

function standsOf({ states }: PlanWorld, plan: Plan): readonly string[] {
  const planned = new Set(plan.jobs.map(({ unit }) => unit));
  return plan.touches.filter((unit) => !planned.has(unit) && isUp(states.active(unit))).sort();
}

/** A reason as a sentence. */
export function reasonWords(reason: Reason | undefined): string {
  if (reason === undefined) return 'it was asked for';
  if ('asked' in reason) return `asked for by ${reason.asked}`;
  if ('isolate' in reason) return `${reason.isolate} is isolated`;
  if ('triggers' in reason) return `it triggers ${reason.triggers}`;
  return `${reason.because}: ${edgeWords(reason.edge)}`;
}

/** How long a job of the unit may wait. */
function limitOf(graph: JobGraph, unit: string): string {
  const { JobTimeoutSec: whole = 'infinity', JobRunningTimeoutSec: running = 'infinity' } =
    graph.facts(unit)?.unit ?? {};
  const [name, ms] = running === 'infinity' ? ['JobTimeoutSec', whole] : ['JobRunningTimeoutSec', running];
  return ms === 'infinity' ? ', without end' : `, for ${ms / 1000} s at most (${name}=)`;
}

/** What comes by itself, jobs in the table that planned jobs will wait for, and their own units where those are on their way elsewhere. */
function waitsOf({ graph, states, installed }: PlanWorld, plan: Plan): PlannedWait[] {
  const found: PlannedWait[] = [];
  const planned = new Set(plan.jobs.map(({ unit }) => unit));
  const replaced = new Set(plan.replaces.map(({ job }) => job));
  const alone = installed.all().length === 0;
  for (const job of plan.jobs) {
    const { unit, type } = job;
    const active = states.active(unit);
    const mustRest = type === 'start' ? active === 'deactivating' : type === 'reload' && active !== 'active';
    if (type === 'start' && graph.facts(unit)?.canStart === false && !isUp(active))
      found.push({ unit, why: `nobody can start it: it is waited for until it is there${limitOf(graph, unit)}` });
    if (mustRest) found.push({ unit, why: `${unit} is ${active}, and must come to rest first` });
    for (const ordering of alone ? [] : orderingsOf(graph, unit)) {
      const { later, earlier } = ordering;
      const other = installed.of(later === unit ? earlier : later);
      if (other === undefined || planned.has(other.unit) || installed.isCut(later, earlier)) continue;
      const who = later === unit ? waiter(job, other) : waiter(other, job);
      if (replaced.has(other.id) || who === undefined || ordering[who] !== unit) continue;
      const edge = edgeWords(representative(graph, ordering));
      found.push({ unit, job: other.id, why: `${jobWords(other)} comes first: ${edge}` });
    }
    const own = installed.of(unit);
    if (own !== undefined && !conflicts(own.type, type) && type !== 'nop')
      found.push({ unit, job: own.id, why: `${jobWords(own)} is there already and is merged with it` });
  }
  return found;
}
