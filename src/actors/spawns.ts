/**
 * What core remembers of a spawn until init has answered it: whose it is, should init refuse the frame, and whether the unit could
 * be made ready for it at all. Not durable: after a crash the effects of the last commit are issued again.
 */
import type { EffectId, HostError } from '../host/ports.ts';
import type { Role } from './names.ts';

export interface Asked {
  readonly unit: string;
  readonly role: Role;
  readonly run: number;
}

const keyOf = ({ epoch, seq, index }: EffectId) => `${epoch}.${seq}.${index}`;

export class Spawns {
  readonly #asked = new Map<string, Asked>();
  readonly #unready = new Map<string, HostError>();

  asked(id: EffectId, what: Asked): void {
    this.#asked.set(keyOf(id), what);
  }

  /** Init has answered. Undefined: it was not asked by this core. */
  answered(id: EffectId): Asked | undefined {
    const what = this.#asked.get(keyOf(id));
    this.#asked.delete(keyOf(id));
    return what;
  }

  /** Has this been asked for by this core, and not been answered? */
  waits({ unit, role, run }: Asked): boolean {
    for (const asked of this.#asked.values())
      if (asked.unit === unit && asked.role === role && asked.run === run) return true;
    return false;
  }

  /** `why` undefined: the unit has its control group, log pipe and notify socket. */
  prepared(unit: string, why: HostError | undefined): void {
    if (why === undefined) this.#unready.delete(unit);
    else this.#unready.set(unit, why);
  }

  /** Why no process of the unit can be started now. */
  unready(unit: string): HostError | undefined {
    return this.#unready.get(unit);
  }
}
