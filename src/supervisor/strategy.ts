/**
 * The rules of supervision, as pure functions: who is affected by a failure, in which order they stop and start, and when
 * a supervisor gives up. Names and meaning are Erlang/OTP's (supervisor, "Supervision Principles").
 */
import type { ActorId, RestartBudget, RestartType, Strategy } from './actor.ts';

/** Which children share the fate of `failed`, in their order of starting. A child that is not in `order` affects nobody. */
export function affected(strategy: Strategy, order: readonly ActorId[], failed: ActorId): readonly ActorId[] {
  const at = order.indexOf(failed);
  if (at < 0) return [];
  switch (strategy) {
    case 'one_for_one':
      return [failed];
    case 'one_for_all':
      return order;
    case 'rest_for_one':
      return order.slice(at);
  }
}

/** Children stop in the reverse of their order of starting. */
export function stopOrder(order: readonly ActorId[]): readonly ActorId[] {
  return order.toReversed();
}

/** Is a child of this type started again after it has ended (`failed`: by failure)? */
export function startsAgain(restart: RestartType, failed: boolean): boolean {
  return restart === 'permanent' || (restart === 'transient' && failed);
}

/**
 * Record one restart and say whether the supervisor may go on.
 *
 * @param history times of earlier restarts, newest first, in ms of the host's monotonic clock, as is `nowMs`
 * @returns the trimmed history, this restart included; never longer than the intensity plus one
 * Source: Erlang/OTP, supervisor, "restart intensity and period".
 */
export function admitRestart(history: readonly number[], nowMs: number, budget: RestartBudget) {
  const recent = [nowMs, ...history.filter((atMs) => nowMs - atMs <= budget.periodMs)].slice(0, budget.intensity + 1);
  return { verdict: recent.length <= budget.intensity ? 'restart' : 'give-up', history: recent } as const;
}
