/**
 * A plan told in full: what it rests on, what it would stop, what it will wait for and how long it may take. Nothing is decided
 * here; plan.ts has decided, this looks again at the same world.
 */
import type { Durations } from './estimate.ts';
import { estimate } from './estimate.ts';
import { type IdentityWorld, identify } from './identity.ts';
import { orderingsOf, representative, waiter } from './order.ts';
import type { Paged } from './paged.ts';
import { partsOf } from './plan.ts';
import type { Plan, PlanDocument, PlannedWait, PlanWorld, Reason } from './types.ts';
import { conflicts, goesDown, isUp, isUpOrComing } from './verbs.ts';
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
    touches: plan.touches.toSorted(),
    stops: stopsOf(world, plan),
    stands: standsOf(world, plan),
    waits: waitsOf(world, plan),
    estimate: estimate(plan, here.durations),
  };
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

/** Jobs in the table that planned jobs will wait for, and their own units where those are on their way elsewhere. */
function waitsOf({ graph, states, installed }: PlanWorld, plan: Plan): PlannedWait[] {
  const found: PlannedWait[] = [];
  const planned = new Set(plan.jobs.map(({ unit }) => unit));
  const replaced = new Set(plan.replaces.map(({ job }) => job));
  const alone = installed.all().length === 0;
  for (const job of plan.jobs) {
    const { unit, type } = job;
    const active = states.active(unit);
    const mustRest = type === 'start' ? active === 'deactivating' : type === 'reload' && active !== 'active';
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
