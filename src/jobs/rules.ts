/**
 * What nobody asked for by name: requests of the rules (react.ts) and of supervisors (supervise.ts), how many of them a unit may get,
 * and when what was refused is tried again. One event's share of it; what it counts is in the drafts it is given.
 */
import type * as paged from './paged.ts';
import type { JobsEffect } from './protocol.ts';
import { level as levelOf, type ReactWorld } from './react.ts';
import { asked, type Fate, fateOf, outerOf, supervisorsOf } from './supervise.ts';
import type { InstalledJob, JobRequest, JobType, Passage, Refusal } from './types.ts';
import { goesDown, isDown } from './verbs.ts';

/** The rules start or stop one unit at most this often in so long; after that they try again when the time is over (systemd: 16 in 10 s). */
const RULES_BURST = 16;
const RULES_INTERVAL_MS = 10_000;
const RULES_OF = 'rules of ';
/** What a level wants and another job forbids is tried again after so long. */
const RULES_AGAIN_MS = 250;

/** Acts of the rules on one unit, counted from a time (CLOCK_MONOTONIC, ms) on. */
export interface Limit {
  readonly fromMs: number;
  readonly count: number;
}

type Effect =
  | JobsEffect
  | { readonly type: 'armDeadline'; readonly params: { readonly name: string; readonly ms: number } };

export interface RulesParts {
  readonly world: ReactWorld;
  readonly nowMs: number;
  readonly limits: paged.Draft<Limit>;
  /** Times of failures by supervisor, newest first. */
  readonly supervised: paged.Draft<readonly number[]>;
  jobOf(unit: string): InstalledJob | undefined;
  /** Have requests planned, each in its turn. */
  ask(requests: readonly JobRequest[]): void;
  effect(effect: Effect): void;
}

/** The unit whose level is to be looked at again when this deadline is over. */
export const unitOfDeadline = (name: string): string => name.slice(RULES_OF.length);

export class Rules {
  readonly #world: ReactWorld;
  readonly #nowMs: number;
  readonly #limits: paged.Draft<Limit>;
  readonly #supervised: paged.Draft<readonly number[]>;
  readonly #jobOf: RulesParts['jobOf'];
  readonly #ask: RulesParts['ask'];
  readonly #effect: RulesParts['effect'];

  constructor(parts: RulesParts) {
    this.#world = parts.world;
    this.#nowMs = parts.nowMs;
    this.#limits = parts.limits;
    this.#supervised = parts.supervised;
    this.#jobOf = parts.jobOf;
    this.#ask = parts.ask;
    this.#effect = parts.effect;
  }

  /** What the supervisors of a unit that failed decide; each failure is written down. */
  fates(unit: string, how: string, hopeless = false): readonly Fate[] {
    return this.#judge(supervisorsOf(this.#world, unit), unit, how, hopeless);
  }

  #judge(supervisors: readonly string[], unit: string, how: string, hopeless = false): readonly Fate[] {
    return supervisors
      .filter((supervisor) => !goesDown(this.#jobOf(supervisor)?.type ?? 'nop'))
      .map((supervisor) => {
        const failures = this.#supervised.get(supervisor) ?? [];
        const fate = fateOf(this.#world, supervisor, unit, {
          nowMs: this.#nowMs,
          how,
          failures,
          hopeless,
        });
        this.#supervised.set(supervisor, fate.failures);
        return fate;
      });
  }

  /** A failure that no job wanted: its supervisors restart the unit and those that share its fate, or give up. */
  supervise({ unit, before, after, restarting, result = '' }: Passage, job: JobType | undefined): void {
    if (isDown(after) && this.#supervised.get(unit) !== undefined) this.#supervised.delete(unit);
    if (after !== 'failed' || before === 'failed' || restarting || (job !== undefined && goesDown(job))) return;
    const fates = this.fates(unit, result, result === 'start-limit-hit');
    const over = fates.filter(({ verdict }) => verdict === 'escalate');
    const given = new Set<string>();
    for (const fate of over) this.escalate(fate, unit, given);
    // One group that is given up takes the unit with it, whatever others would do.
    if (over.length === 0)
      for (const { others, why } of fates) this.request([asked('restart', [unit, ...others], why)]);
  }

  /**
   * A group is given up, because of a member. Who supervises the group itself counts that, and has all of it started anew, with whom
   * its strategy adds, or gives up as well; nobody does: it is stopped. What OnEscalate= says is done in any case.
   *
   * @param given groups that this failure has ended; each is given up once, though groups may want each other
   * @returns what becomes of the group
   */
  escalate(
    { supervisor, stops, outcome, why }: Fate,
    member: string,
    given: Set<string> = new Set(),
  ): 'stopped' | 'restarted' {
    if (given.has(supervisor)) return 'stopped';
    given.add(supervisor);
    this.#effect({ type: 'log', params: { level: 'warning', unit: supervisor, message: why } });
    this.#effect({ type: 'gaveUp', params: { group: supervisor, member, why } });
    this.#supervised.delete(supervisor);
    const others = outerOf(this.#world, supervisor).filter((outer) => !given.has(outer));
    const fates = this.#judge(others, supervisor, 'it was given up');
    const over = fates.filter(({ verdict }) => verdict === 'escalate');
    const sharing = fates.filter(({ verdict }) => verdict === 'restart');
    const become = over.length > 0 || sharing.length === 0 ? 'stopped' : 'restarted';
    const asks: JobRequest[] = [];
    if (become === 'restarted') {
      const units = new Set([...stops, member, ...sharing.flatMap((fate) => fate.others)]);
      this.request([asked('restart', [...units], sharing.map((fate) => fate.why).join('; '))]);
    } else if (stops.length > 0) asks.push(asked('stop', stops, why));
    if ('unit' in outcome) asks.push(asked('start', [outcome.unit], why));
    if (asks.length > 0) this.#ask(asks);
    if ('action' in outcome && outcome.action !== 'none')
      this.#effect({
        type: 'jobTimeoutAction',
        params: { unit: supervisor, action: outcome.action, rebootArgument: '' },
      });
    for (const fate of over) this.escalate(fate, member, given);
    return become;
  }

  /** What a level wants is wanted until it is so: a job that stands in the way now will not stand there for ever. */
  tryAgain({ automatic, units }: JobRequest, { error }: Refusal): void {
    const unit = units[0] as string;
    if (automatic !== true || error !== 'TransactionIsDestructive') return;
    if (levelOf(this.#world, unit) === undefined) return;
    this.#effect({ type: 'armDeadline', params: { name: `${RULES_OF}${unit}`, ms: RULES_AGAIN_MS } });
  }

  level(unit: string): void {
    const wanted = levelOf(this.#world, unit);
    if (wanted === undefined) return;
    const waitMs = this.#admit(unit);
    if (waitMs === 0) this.#ask([wanted]);
    else this.#effect({ type: 'armDeadline', params: { name: `${RULES_OF}${unit}`, ms: waitMs } });
  }

  /**
   * Units may be each other's OnFailure=, and a start that is queued already may pull in again what fails again: the rules are
   * not to chase each other for ever. So all that they ask for counts.
   */
  request(requests: readonly JobRequest[]): void {
    for (const request of requests) {
      const unit = request.units[0] as string;
      if (this.#admit(unit) === 0) {
        this.#ask([request]);
        continue;
      }
      const message = `${request.verb} ${unit} for ${request.by}: left out: the rules have acted on it ${RULES_BURST} times in ${RULES_INTERVAL_MS / 1000} s`;
      this.#effect({ type: 'log', params: { level: 'warning', unit, message } });
    }
  }

  /** Count an act of the rules on a unit. @returns 0, or in how many ms it may be tried again */
  #admit(unit: string): number {
    const nowMs = this.#nowMs;
    const known = this.#limits.get(unit);
    const limit = known !== undefined && nowMs - known.fromMs < RULES_INTERVAL_MS ? known : { fromMs: nowMs, count: 0 };
    if (limit.count >= RULES_BURST) return limit.fromMs + RULES_INTERVAL_MS - nowMs;
    this.#limits.set(unit, { fromMs: limit.fromMs, count: limit.count + 1 });
    return 0;
  }

  /** Units are not in memory any more: as if they had never been there, but for what is counted of late. */
  forget(unit: string): void {
    if (this.#supervised.get(unit) !== undefined) this.#supervised.delete(unit);
    const limit = this.#limits.get(unit);
    if (limit !== undefined && this.#nowMs - limit.fromMs >= RULES_INTERVAL_MS) this.#limits.delete(unit);
  }
}
