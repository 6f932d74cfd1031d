/** A unit's machine by the real adapter: events in, effects and states out. Nothing answers by itself; time stands still. */
import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import type { EffectName, EffectParams, UnitEffect } from '../../../src/machines/protocol.ts';
import { type UnitSnapshot, view } from '../../../src/machines/view.ts';
import { machineLogic } from '../../../src/supervisor/logic.ts';

export class MachineDriver<Context> {
  /** All effects so far, but for those of the beginning. */
  readonly effects: UnitEffect[] = [];
  readonly #logic: ReturnType<typeof machineLogic>;
  #snapshot: AnyMachineSnapshot;

  constructor(machine: AnyStateMachine, settings: object) {
    this.#logic = machineLogic(machine);
    this.#snapshot = this.#logic.initial({ settings } as never).snapshot;
  }

  get state(): string {
    const { active, sub, result } = view(this.#snapshot as UnitSnapshot);
    return result === 'success' ? `${active}/${sub}` : `${active}/${sub} (${result})`;
  }

  get context(): Context {
    return this.#snapshot.context as Context;
  }

  /** The names of the effects that it asks for. */
  send(event: { type: string; [field: string]: unknown }): string[] {
    const { snapshot, effects } = this.#logic.step(this.#snapshot, { atMs: 1_000, ...event });
    this.#snapshot = snapshot;
    this.effects.push(...(effects as UnitEffect[]));
    return effects.map(({ type }) => type);
  }

  all<Name extends EffectName>(name: Name): EffectParams[Name][] {
    return this.effects.flatMap((effect) => (effect.type === name ? [effect.params as EffectParams[Name]] : []));
  }
}
