/**
 * One step of a unit machine in the making: the context as it becomes, and the effects so far.
 *
 * Steps are written as functions over a {@link Turn}; {@link step} makes an xstate action of one. The turn lives for one action
 * and is seen by nobody else, so a step stays a pure function of (context, event, params).
 */
import { enqueueActions, type MachineContext } from 'xstate';
import type { Span } from '../units/types.ts';
import type { ActiveState, DeadlineName, EffectName, EffectParams, Result } from './protocol.ts';
import { effectKinds } from './protocol.ts';
import { changed, type Since, type UnitContext } from './view.ts';

/** The deadline of the current state, if there is one; `dueMs` on CLOCK_MONOTONIC. */
export interface Deadline {
  readonly name: DeadlineName;
  readonly dueMs: number | 'infinity';
}

/** What a step can do. `context` is always up to date; `event` carries the only time there is. */
export class Turn<Context extends UnitContext, Event extends { readonly type: string; readonly atMs: number }> {
  context: Context;
  readonly event: Event;
  readonly effects: { readonly type: EffectName; readonly params: unknown }[] = [];

  constructor(context: Context, event: Event) {
    this.context = context;
    this.event = event;
  }

  /** Change the context. */
  set(changes: Partial<Context>): void {
    this.context = { ...this.context, ...changes };
  }

  /** Ask for an effect. */
  ask<Name extends EffectName>(type: Name, params: EffectParams[Name]): void {
    this.effects.push({ type, params });
  }

  /** The first failure names the result; later ones do not change it. */
  fail(result: Result): void {
    if (this.context.result === 'success') this.set({ result } as Partial<Context>);
  }

  /** Note a change of state; a deadline of the state before stays armed until it is replaced or dropped. */
  enter(active: ActiveState): void {
    const since: Since = changed(this.context.since, this.context.active, active, this.event.atMs);
    this.set({ active, since } as Partial<Context>);
  }
}

/** What {@link arm} needs of a context. */
export interface Armed {
  readonly deadline: Deadline | null;
}

/** Arm the deadline of a state, in place of the one before. */
export function arm<C extends UnitContext & Armed, E extends { type: string; atMs: number }>(
  turn: Turn<C, E>,
  name: DeadlineName,
  ms: Span,
): void {
  const before = turn.context.deadline;
  if (before !== null && before.name !== name) turn.ask('disarmDeadline', { name: before.name });
  turn.set({ deadline: { name, dueMs: ms === 'infinity' ? ms : turn.event.atMs + ms } } as Partial<C>);
  turn.ask('armDeadline', { name, ms });
}

/** Drop the deadline of a state, if there is one. */
export function disarm<C extends UnitContext & Armed, E extends { type: string; atMs: number }>(
  turn: Turn<C, E>,
): void {
  if (turn.context.deadline === null) return;
  turn.ask('disarmDeadline', { name: turn.context.deadline.name });
  turn.set({ deadline: null } as Partial<C>);
}

/** An action as `setup()` knows it: what it is given decides, its context is typed by the step inside. */
type Action<Params> = (_: unknown, params: Params) => void;

/** Make an action of a step: its changes are assigned, then its effects are asked for, in their order. */
export function step<Context extends UnitContext, Event extends { type: string; atMs: number }, Params = undefined>(
  decide: (turn: Turn<Context, Event>, params: Params) => void,
): Action<Params> {
  const action = enqueueActions(({ context, event, enqueue }, params: unknown) => {
    // A machine's first event is xstate's own and has no time; nothing has changed by then.
    if (event.type === 'xstate.init') return;
    const turn = new Turn(context as Context, event as unknown as Event);
    decide(turn, params as Params);
    if (turn.context !== context) enqueue.assign(turn.context as MachineContext);
    for (const effect of turn.effects) enqueue(effect as never);
  });
  // What enqueueActions() makes is called by the interpreter alone; its own type would name every action of every chart.
  return action as unknown as Action<Params>;
}

const effects = Object.fromEntries(Object.keys(effectKinds).map((name) => [name, () => {}])) as unknown as {
  readonly [Name in EffectName]: Action<EffectParams[Name]>;
};

/**
 * The actions of a chart: its own steps, and every effect by name, which does nothing here: the host collects it, src/actors says
 * how it is done. A step must not bear the name of an effect: asking for that effect would run the step again.
 */
export const withEffects = <Actions extends object>(actions: Actions & { readonly [Name in EffectName]?: never }) => ({
  ...effects,
  ...(actions as Actions),
});
