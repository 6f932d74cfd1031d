/**
 * The part of the job engine that keeps plans: those that may be applied by their id, and those that are undone unless somebody
 * confirms them. apply.ts decides; this passes on, and says what came of it.
 */
import {
  CONFIRM,
  type Confirmation,
  confirmationOf,
  type KeptPlan,
  keep,
  noRoom,
  recheck,
  type Wish,
} from './apply.ts';
import type { IdentityWorld } from './identity.ts';
import { planBack } from './inverse.ts';
import type { JobsEffect, RequestAnswer } from './logic.ts';
import type { Draft } from './paged.ts';
import { isRefusal } from './plan.ts';
import { refusal } from './refusals.ts';
import type { JobRequest, Plan, Refusal } from './types.ts';

/** See the table of events in logic.ts. */
export type KeeperEvent =
  | { readonly type: 'keep-plan'; readonly request: JobRequest; readonly id: string; readonly client: unknown }
  | { readonly type: 'apply'; readonly wish: Wish; readonly client: unknown }
  | { readonly type: 'bring-back'; readonly request: JobRequest; readonly wish: Wish; readonly client: unknown }
  | { readonly type: 'confirm'; readonly id: string; readonly by: string; readonly client: unknown };

/** What one event lets it use. */
export interface KeeperParts {
  readonly world: IdentityWorld;
  readonly nowMs: number;
  readonly plans: Draft<KeptPlan>;
  readonly confirmations: Draft<Confirmation>;
  /** Put a plan into the table, or tell of its refusal. */
  readonly install: (planned: Plan | Refusal, request: JobRequest) => RequestAnswer;
  readonly effect: (effect: JobsEffect | DeadlineEffect) => void;
}

/** The host's own. */
type DeadlineEffect =
  | { readonly type: 'armDeadline'; readonly params: { readonly name: string; readonly ms: number } }
  | { readonly type: 'disarmDeadline'; readonly params: { readonly name: string } };

/** What is put in the log for a plan that cannot be applied. */
const NO_REQUEST: JobRequest = { verb: 'nop', units: [], mode: 'replace', by: '' };

export class Keeper {
  readonly #parts: KeeperParts;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
  }

  take(event: KeeperEvent): void {
    switch (event.type) {
      case 'keep-plan':
        return this.#keepPlan(event.request, event.id, event.client);
      case 'apply':
        return this.#apply(event.wish, event.client);
      case 'bring-back':
        return this.#bringBack(event.request, event.wish, event.client);
      case 'confirm':
        return this.#confirm(event.id, event.by, event.client);
    }
  }

  /** A deadline is over: nobody has confirmed. False: it is none of these deadlines. */
  expired(name: string): boolean {
    if (!name.startsWith(CONFIRM)) return false;
    const { world, confirmations, install } = this.#parts;
    const id = name.slice(CONFIRM.length);
    const waiting = confirmations.get(id);
    if (waiting === undefined) return true;
    confirmations.delete(id);
    const back = waiting.undo === undefined ? undefined : planBack(world, waiting.undo);
    const notes = [...(back?.notes ?? []), ...(back?.planned === undefined ? ['there is nothing to undo'] : [])];
    for (const note of [`plan ${id} (${waiting.what}) is undone: nobody confirmed it in time`, ...notes])
      this.#log('warning', note);
    if (back?.planned !== undefined && back.request !== undefined) install(back.planned, back.request);
    return true;
  }

  #keepPlan(request: JobRequest, id: string, client: unknown): void {
    const { world, plans, nowMs, effect } = this.#parts;
    const said = keep(world, plans, request, id, nowMs);
    const answer = 'kept' in said ? { id: said.kept } : said;
    effect({ type: 'answerPlan', params: { client, what: 'keep-plan', answer } });
  }

  #apply(wish: Wish, client: unknown): void {
    const planned = recheck(this.#parts.world, this.#parts.plans, wish);
    const request = isRefusal(planned) ? { ...NO_REQUEST, by: wish.by, title: `plan ${wish.id}` } : planned.request;
    this.#carryOut(planned, request, wish, client);
  }

  /** What a snapshot is restored with: starts and stops, of which some may not be possible any more. */
  #bringBack(request: JobRequest, wish: Wish, client: unknown): void {
    const { planned, request: wanted, notes } = planBack(this.#parts.world, request);
    if (planned === undefined || wanted === undefined) {
      const answer = { accepted: {}, jobs: 0, notes, cuts: [] };
      this.#parts.effect({ type: 'answer', params: { client, answer } });
      return;
    }
    const told = isRefusal(planned) ? planned : { ...planned, notes: [...notes, ...planned.notes] };
    this.#carryOut(told, { ...wanted, ...(wish.tellAll === true ? { tellAll: true } : {}) }, wish, client);
  }

  #carryOut(planned: Plan | Refusal, request: JobRequest, wish: Wish, client: unknown): void {
    const { world, confirmations, nowMs, effect, install } = this.#parts;
    const full = wish.confirmMs === undefined ? undefined : noRoom(confirmations, wish.id);
    if (wish.confirmMs !== undefined && full === undefined && !isRefusal(planned)) {
      confirmations.set(wish.id, confirmationOf(world, planned, wish, nowMs));
      effect({ type: 'armDeadline', params: { name: `${CONFIRM}${wish.id}`, ms: wish.confirmMs } });
    }
    effect({ type: 'answer', params: { client, answer: install(full ?? planned, request) } });
  }

  #confirm(id: string, by: string, client: unknown): void {
    const { confirmations, effect } = this.#parts;
    const waiting = confirmations.get(id);
    if (waiting === undefined) {
      const why = `plan ${id} does not wait to be confirmed`;
      const refused = refusal('NoSuchPlan', '', why, 'see what does: sctl confirm --list');
      effect({ type: 'answerPlan', params: { client, what: 'confirm', answer: { refused } } });
      return;
    }
    confirmations.delete(id);
    effect({ type: 'disarmDeadline', params: { name: `${CONFIRM}${id}` } });
    this.#log('info', `plan ${id} (${waiting.what}) confirmed by ${by}`);
    effect({ type: 'answerPlan', params: { client, what: 'confirm', answer: { id } } });
  }

  #log(level: 'info' | 'warning', message: string): void {
    this.#parts.effect({ type: 'log', params: { level, message } });
  }
}
