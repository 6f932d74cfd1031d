/**
 * Conditions and assertions of a unit, evaluated before it is started (systemd.unit(5), "Conditions and Asserts").
 *
 * Path checks may hang on a dead mount, so they are answered by the helper port, with a deadline; the last outcome is kept for
 * `status`. What is asked and not yet answered is not durable: the job remembers that it waits, and asks again after a crash.
 */
import type { Stamp, UnitState } from '../api/manager.ts';
import type { Answer, Host } from '../host/ports.ts';
import type { Post } from '../supervisor/actor.ts';
import { type CheckAnswer, conditionChecks, conditionText, evaluate } from '../units/conditions.ts';
import type { Unit } from '../units/types.ts';
import { stampOf } from './views.ts';

/** How long a helper may look at a unit's paths: a mount that does not answer by then counts as not there. */
const CHECK_MS = 10_000;

/** Units whose last outcome is kept, in memory or not; those checked longest ago go first. */
const LAST_MAX = 20_000;

type Outcome = Pick<UnitState, 'condition' | 'assertion'>;

export class Checks {
  readonly #host: Host;
  readonly #tell: (key: string, posts: readonly Post[]) => void;
  readonly #asked = new Map<string, { readonly unit: Unit; readonly job: string; readonly wanted: () => boolean }>();
  readonly #last = new Map<string, Outcome>();
  #count = 0;

  /** @param tell takes the posts that follow from an answer, as an input */
  constructor(host: Host, tell: (key: string, posts: readonly Post[]) => void) {
    this.#host = host;
    this.#tell = tell;
  }

  /**
   * Start a unit if its conditions hold; `post` is used where the answer is there at once. Asked twice, it answers once.
   *
   * @param job the actor that asks; it is told `checking` while the answer is not there, and asks again if core dies meanwhile
   * @param wanted whether it is still there, asked when the answer has come
   */
  start(unit: Unit, job: string, wanted: () => boolean, post: (post: Post) => void): void {
    if ([...this.#asked.values()].some((asked) => asked.unit.name === unit.name && asked.wanted())) return;
    if (unit.conditions.length === 0) {
      post(startPost(unit));
      return;
    }
    const { checks } = conditionChecks(unit, this.#host.facts);
    if (checks.length === 0) {
      for (const one of this.#decide(unit, [])) post(one);
      return;
    }
    this.#count += 1;
    // The count begins again with every core; how many cores there were before this one does not.
    const key = `check:${this.#host.hello.cores}.${this.#count}:${unit.name}`;
    this.#asked.set(key, { unit, job, wanted });
    post({ to: job, event: { type: 'checking', on: true } });
    this.#host.helper.checkPaths(key, JSON.stringify({ checks }), CHECK_MS);
  }

  /** The helper has answered; true if it was asked by us. */
  answered(key: string, answer: Answer): boolean {
    const asked = this.#asked.get(key);
    if (asked === undefined) return false;
    this.#asked.delete(key);
    const { unit, job, wanted } = asked;
    if (!wanted()) return true;
    if ('error' in answer) {
      this.#host.log.log(
        'warning',
        { unit: unit.name, ...answer.error },
        'conditions could not be looked at; their paths count as missing',
      );
    }
    const answers = 'ok' in answer ? (JSON.parse(answer.ok) as CheckAnswer[]) : [];
    this.#tell(key, [{ to: job, event: { type: 'checking', on: false } }, ...this.#decide(unit, answers)]);
    return true;
  }

  /** The outcome of the last check of a unit; empty: it was never checked. */
  last(unit: string): Outcome {
    return this.#last.get(unit) ?? { condition: undefined, assertion: undefined };
  }

  #decide(unit: Unit, answers: readonly CheckAnswer[]): Post[] {
    const verdict = evaluate(unit.conditions, this.#host.facts, answers);
    const at: Stamp = stampOf(this.#host, this.#host.clock.nowMs());
    const texts = (assert: boolean) =>
      verdict.failed
        .filter((one) => one.assert === assert)
        .map(conditionText)
        .join(', ');
    this.#last.delete(unit.name);
    if (this.#last.size >= LAST_MAX) this.#last.delete(this.#last.keys().next().value as string);
    this.#last.set(unit.name, {
      condition: { result: verdict.conditionResult, at, failed: texts(false) },
      assertion: { result: verdict.assertResult, at, failed: texts(true) },
    });
    if (verdict.result) return [startPost(unit)];
    const why = `not started: ${verdict.failed.map(conditionText).join(', ')} does not hold`;
    this.#host.log.log('info', { unit: unit.name }, why);
    // Conditions come first: where one does not hold, nobody asks for the assertions.
    const result = verdict.conditionResult ? 'assert' : 'done';
    return [{ to: 'jobs', event: { type: 'unit-refused', unit: unit.name, verb: 'start', result, why } }];
  }
}

const startPost = (unit: Unit): Post => ({ to: `unit:${unit.name}`, event: { type: 'start' } });
