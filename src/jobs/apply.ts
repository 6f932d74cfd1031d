/**
 * Plans that are kept, applied later, and taken back: what decides whether a plan is still the plan.
 *
 * A plan is applied by asking for it once more: if the request leads to the same jobs, in the same order, and every unit it touches is
 * what it was, it has the same id (identity.ts), and exactly that is done. If not, nothing is done and the answer says what has moved.
 *
 *     keepable  is the plan of this id what would be done now? decided where the units it names are in memory, of one not told just now
 *     keep      the plan of this id may be applied by its id alone
 *     apply     the jobs are installed; with a time to confirm in, the way back is kept beside a deadline
 *     confirm   the way back is forgotten
 *     deadline  nobody has confirmed: the units that the way back names are brought into memory (effect `undo`)
 *     undo      the way back is gone (inverse.ts)
 *     promised  what waits to be confirmed, kept beside the state for the case that the state is lost
 *
 * All of it is part of the job engine's state, so a core that dies in between knows it when it comes back. Pure, like all of src/jobs.
 */
import { type Identity, type IdentityWorld, identify, moved, stateLine } from './identity.ts';
import { inverse } from './inverse.ts';
import type * as paged from './paged.ts';
import { isRefusal, plan } from './plan.ts';
import { refusal } from './refusals.ts';
import type { JobRequest, Plan, Refusal } from './types.ts';
import { askedWords } from './words.ts';

/** A plan as it is needed to apply it. */
export interface KeptPlan {
  readonly id: string;
  readonly hash: string;
  /** State of the units it touches; absent: there were too many to keep, and what has moved cannot be told. */
  readonly units?: Readonly<Record<string, string>>;
  readonly request: JobRequest;
  /** CLOCK_MONOTONIC in ms. */
  readonly madeMs: number;
}

/** What a client wants applied: a plan it brings along, or one that is kept. */
export type Wish = {
  readonly id: string;
  readonly plan?: Omit<KeptPlan, 'madeMs'>;
  /** Who applies it. */
  readonly by: string;
  /** Undone unless confirmed within so long. */
  readonly confirmMs?: number;
  /** The snapshot that leads back, where a request for jobs alone does not. */
  readonly snapshot?: string;
  readonly tellAll?: boolean;
};

/** A plan that was applied and waits for somebody to confirm it. */
export interface Confirmation {
  readonly id: string;
  /** What was done: `start web.service`. */
  readonly what: string;
  readonly by: string;
  /** CLOCK_MONOTONIC in ms. */
  readonly appliedMs: number;
  readonly untilMs: number;
  /** Absent: there is nothing to undo, or a snapshot leads back. */
  readonly undo?: JobRequest;
  /** The snapshot that leads back; it is there for as long as this waits. */
  readonly snapshot?: string;
  /** Its time is over, and it is being undone: too late to confirm it. */
  readonly over?: true;
}

/** Plans kept, the oldest of which goes when there are more; units of one whose state is kept; plans that may wait to be confirmed. */
export const MAX_PLANS = 16;
const MAX_KEPT_UNITS = 2000;
export const MAX_CONFIRMATIONS = 16;
/** The longest time to confirm in: a day. */
export const MAX_CONFIRM_MS = 86_400_000;

/** Deadlines of plans that wait for confirmation begin like this. */
export const CONFIRM = 'confirm ';

/** The plan that the request leads to now, if it is the one that is meant. */
export function keepable(
  world: IdentityWorld,
  request: JobRequest,
  id: string,
): { readonly plan: Omit<KeptPlan, 'madeMs'> } | { readonly refused: Refusal } {
  const planned = plan(world, request);
  if (isRefusal(planned)) return { refused: planned };
  const identity = identify(world, planned);
  return identity.id === id ? { plan: toKeep(identity, request) } : { refused: otherPlan(request, id, identity) };
}

/** What there is to keep of a plan. */
export function toKeep({ id, hash, units }: Identity, request: JobRequest): Omit<KeptPlan, 'madeMs'> {
  return { id, hash, ...(Object.keys(units).length > MAX_KEPT_UNITS ? {} : { units }), request };
}

/** Keep a plan; of too many the oldest go. */
export function keep(plans: paged.Draft<KeptPlan>, plan: Omit<KeptPlan, 'madeMs'>, nowMs: number): void {
  plans.set(plan.id, { ...plan, madeMs: nowMs });
  const kept = plans.entries().map(([, one]) => one);
  kept.sort((a, b) => a.madeMs - b.madeMs || (a.id < b.id ? -1 : 1));
  for (const old of kept.slice(0, Math.max(0, kept.length - MAX_PLANS))) plans.delete(old.id);
}

/** The plan to be carried out, or why not. */
export function recheck(world: IdentityWorld, kept: paged.Draft<KeptPlan>, wish: Wish): Plan | Refusal {
  const wanted = wish.plan ?? kept.get(wish.id);
  if (wanted === undefined) {
    const why = `there is no plan ${wish.id}: the last ${MAX_PLANS} are kept, until the next boot`;
    return refusal('NoSuchPlan', '', why, 'make it again: sctl plan VERB UNIT…');
  }
  const request: JobRequest = {
    ...wanted.request,
    by: wish.by,
    title: `plan ${wish.id} (${askedWords(wanted.request)})`,
    ...(wish.tellAll === true ? { tellAll: true } : {}),
  };
  const planned = plan(world, request);
  if (isRefusal(planned)) {
    const now = changesOf(world, wanted.units);
    return { ...planned, ...(now.length === 0 ? {} : { details: [...now, ...(planned.details ?? [])] }) };
  }
  const identity = identify(world, planned);
  if (identity.id === wanted.id) return planned;
  return otherPlan(request, wanted.id, identity, wanted);
}

/** The state of the units that a plan touched, as far as it is another one now. */
function changesOf(world: IdentityWorld, units: KeptPlan['units']): string[] {
  if (units === undefined) return [];
  return moved(units, Object.fromEntries(Object.keys(units).map((unit) => [unit, stateLine(world, unit)])));
}

function otherPlan(request: JobRequest, id: string, now: Identity, before?: Omit<KeptPlan, 'madeMs'>): Refusal {
  const details = before?.units === undefined ? [] : moved(before.units, now.units);
  const what =
    before !== undefined && before.hash === now.hash
      ? 'the units it touches are as they were, but it would lead to other jobs'
      : 'the world has moved since';
  const [unit = ''] = request.units;
  return {
    ...refusal(
      'PlanMoved',
      unit,
      `plan ${id} is not what would be done now: ${what}`,
      'make a new plan, and look at it',
    ),
    ...(details.length === 0 ? {} : { details }),
  };
}

/** What is noted when a plan is applied that is to be confirmed; seen from the world before it. */
export function confirmationOf(
  world: IdentityWorld,
  planned: Plan | undefined,
  wish: Wish,
  nowMs: number,
): Confirmation {
  const title = `the undoing of plan ${wish.id}`;
  const undo =
    planned === undefined || wish.snapshot !== undefined
      ? undefined
      : inverse(world, planned, `${title}, which nobody confirmed`, title);
  return {
    id: wish.id,
    what: planned === undefined || wish.snapshot !== undefined ? `snapshot ${wish.id}` : askedWords(planned.request),
    by: wish.by,
    appliedMs: nowMs,
    untilMs: nowMs + (wish.confirmMs as number),
    ...(undo === undefined ? {} : { undo }),
    ...(wish.snapshot === undefined ? {} : { snapshot: wish.snapshot }),
  };
}

/** May one more plan wait? */
export function noRoom(confirmations: paged.Draft<Confirmation>, id: string): Refusal | undefined {
  if (confirmations.get(id) !== undefined || confirmations.entries().length < MAX_CONFIRMATIONS) return undefined;
  const why = `${MAX_CONFIRMATIONS} plans wait to be confirmed already`;
  return refusal('InvalidArgs', '', why, 'confirm some of them: sctl confirm ID');
}
