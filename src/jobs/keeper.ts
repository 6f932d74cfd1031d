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
  MAX_CONFIRMATIONS,
  noRoom,
  recheck,
  type Wish,
} from './apply.ts';
import type { IdentityWorld } from './identity.ts';
import { planBack } from './inverse.ts';
import type { Draft } from './paged.ts';
import { isRefusal } from './plan.ts';
import type { JobsEffect, RequestAnswer } from './protocol.ts';
import { refusal } from './refusals.ts';
import type { JobRequest, Plan, Refusal } from './types.ts';

/** See the table of events in logic.ts. */
export type KeeperEvent =
  | { readonly type: 'keep-plan'; readonly plan: Omit<KeptPlan, 'madeMs'>; readonly client: unknown }
  | { readonly type: 'apply'; readonly wish: Wish; readonly client: unknown }
  | {
      readonly type: 'bring-back';
      readonly request: JobRequest;
      readonly wish: Wish;
      readonly client: unknown;
      /** What was found out on the way to the request, to be told with what comes of it. */
      readonly notes?: readonly string[];
    }
  | { readonly type: 'confirm'; readonly id: string; readonly by: string; readonly client: unknown }
  | { readonly type: 'undo'; readonly id: string }
  | { readonly type: 'promised'; readonly confirmations: readonly Confirmation[] };

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
        return this.#keepPlan(event.plan, event.client);
      case 'apply':
        return this.#apply(event.wish, event.client);
      case 'bring-back':
        return this.#bringBack(event);
      case 'confirm':
        return this.#confirm(event.id, event.by, event.client);
      case 'undo':
        return this.#undo(event.id);
      case 'promised':
        return this.#promised(event.confirmations);
    }
  }

  /** A deadline is over: nobody has confirmed. False: it is none of these deadlines. */
  expired(name: string): boolean {
    if (!name.startsWith(CONFIRM)) return false;
    const { confirmations, effect } = this.#parts;
    const id = name.slice(CONFIRM.length);
    const waiting = confirmations.get(id);
    if (waiting === undefined) return true;
    const confirmation: Confirmation = { ...waiting, over: true };
    confirmations.set(id, confirmation);
    effect({ type: 'undo', params: { confirmation } });
    return true;
  }

  /** The units it names are in memory, and a snapshot has been brought back. */
  #undo(id: string): void {
    const { world, confirmations, install, effect } = this.#parts;
    const waiting = confirmations.get(id);
    if (waiting === undefined) return;
    this.#over(waiting);
    const back = waiting.undo === undefined ? undefined : planBack(world, waiting.undo);
    const nothing = waiting.snapshot === undefined && back?.planned === undefined ? ['there is nothing to undo'] : [];
    const notes = [...(back?.notes ?? []), ...nothing];
    for (const note of [`plan ${id} (${waiting.what}) is undone: nobody confirmed it in time`, ...notes])
      this.#log('warning', note);
    const why = ['nobody confirmed it in time', ...notes].join('; ');
    effect({ type: 'undone', params: { what: `plan ${id} (${waiting.what})`, why } });
    if (back?.planned !== undefined && back.request !== undefined) install(back.planned, back.request);
  }

  /** What a core before this one has promised, whose state is lost. */
  #promised(kept: readonly Confirmation[]): void {
    const { confirmations, nowMs, effect } = this.#parts;
    for (const one of kept.slice(0, MAX_CONFIRMATIONS)) {
      if (confirmations.get(one.id) !== undefined) continue;
      confirmations.set(one.id, one);
      const ms = Math.max(0, one.untilMs - nowMs);
      effect({ type: 'armDeadline', params: { name: `${CONFIRM}${one.id}`, ms } });
      this.#log('warning', `plan ${one.id} (${one.what}) still waits to be confirmed, though core has lost its state`);
    }
  }

  #over({ id, snapshot }: Confirmation): void {
    const { confirmations, effect } = this.#parts;
    confirmations.delete(id);
    this.#tellPromises();
    if (snapshot !== undefined) effect({ type: 'dropSnapshot', params: { name: snapshot } });
  }

  /** They are to outlive a core that comes up without its state. */
  #tellPromises(): void {
    const { confirmations, effect } = this.#parts;
    const waiting = confirmations.entries().map(([, one]) => one);
    waiting.sort((a, b) => (a.id < b.id ? -1 : 1));
    effect({ type: 'promise', params: { confirmations: waiting } });
  }

  #keepPlan(plan: Omit<KeptPlan, 'madeMs'>, client: unknown): void {
    const { plans, nowMs, effect } = this.#parts;
    keep(plans, plan, nowMs);
    effect({ type: 'answerPlan', params: { client, what: 'keep-plan', answer: { id: plan.id } } });
  }

  #apply(wish: Wish, client: unknown): void {
    const planned = recheck(this.#parts.world, this.#parts.plans, wish);
    const request = isRefusal(planned) ? { ...NO_REQUEST, by: wish.by, title: `plan ${wish.id}` } : planned.request;
    this.#carryOut(planned, request, wish, client);
  }

  /** What a snapshot is restored with: starts and stops, of which some may not be possible any more. */
  #bringBack({ request, wish, client, notes: told = [] }: Extract<KeeperEvent, { type: 'bring-back' }>): void {
    const { planned, request: wanted, notes: left } = planBack(this.#parts.world, request);
    const notes = [...told, ...left];
    if (planned === undefined || wanted === undefined) {
      const full = this.#noRoom(wish);
      if (full !== undefined) return this.#answer(client, { refused: full });
      this.#toConfirm(undefined, wish);
      const answer = { accepted: {}, jobs: 0, notes, cuts: [] };
      return this.#answer(client, answer);
    }
    const noted = isRefusal(planned) ? planned : { ...planned, notes: [...notes, ...planned.notes] };
    this.#carryOut(noted, { ...wanted, ...(wish.tellAll === true ? { tellAll: true } : {}) }, wish, client);
  }

  #carryOut(planned: Plan | Refusal, request: JobRequest, wish: Wish, client: unknown): void {
    const full = this.#noRoom(wish);
    if (full === undefined && !isRefusal(planned)) this.#toConfirm(planned, wish);
    this.#answer(client, this.#parts.install(full ?? planned, request));
  }

  #noRoom(wish: Wish): Refusal | undefined {
    return wish.confirmMs === undefined ? undefined : noRoom(this.#parts.confirmations, wish.id);
  }

  /** To be told before the jobs are in the table: the way back is seen from the world before them. */
  #toConfirm(planned: Plan | undefined, wish: Wish): void {
    if (wish.confirmMs === undefined) return;
    const { world, confirmations, nowMs, effect } = this.#parts;
    confirmations.set(wish.id, confirmationOf(world, planned, wish, nowMs));
    effect({ type: 'armDeadline', params: { name: `${CONFIRM}${wish.id}`, ms: wish.confirmMs } });
    this.#tellPromises();
  }

  /** @param client undefined: nobody has asked */
  #answer(client: unknown, answer: RequestAnswer): void {
    if (client !== undefined) this.#parts.effect({ type: 'answer', params: { client, answer } });
  }

  #confirm(id: string, by: string, client: unknown): void {
    const { confirmations, effect } = this.#parts;
    const waiting = confirmations.get(id);
    if (waiting === undefined || waiting.over === true) {
      const why =
        waiting === undefined
          ? `plan ${id} does not wait to be confirmed`
          : `plan ${id} is being undone: its time to be confirmed is over`;
      const refused = refusal('NoSuchPlan', '', why, 'see what does: sctl confirm --list');
      effect({ type: 'answerPlan', params: { client, what: 'confirm', answer: { refused } } });
      return;
    }
    this.#over(waiting);
    effect({ type: 'disarmDeadline', params: { name: `${CONFIRM}${id}` } });
    this.#log('info', `plan ${id} (${waiting.what}) confirmed by ${by}`);
    effect({ type: 'answerPlan', params: { client, what: 'confirm', answer: { id } } });
  }

  #log(level: 'info' | 'warning', message: string): void {
    this.#parts.effect({ type: 'log', params: { level, message } });
  }
}
