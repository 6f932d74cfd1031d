/**
 * A world made of what recorded steps of the job engine have looked at (witness.ts). It knows nothing else, and throws where it is
 * asked for more: then the engine is another one than that which was recorded.
 */
import type { JobsWorld } from './protocol.ts';
import type { ActiveState, JobGraph, UnitFacts } from './types.ts';
import { type Data, END } from './witness.ts';

export class Memory {
  readonly #told = new Map<string, Data>();

  /** What {@link Asked.told} has made, in the order of the steps. @throws Error where it has another shape */
  tell(told: unknown): void {
    if (!isTree(told)) throw new Error('what it looked at is not an object');
    for (const [what, below] of Object.entries(told)) {
      if (what === 'units') this.#told.set('units', below);
      else if (!isTree(below)) throw new Error(`what it looked at: ${what} is not an object`);
      else this.#tellUnits(what, below);
    }
  }

  #tellUnits(what: string, below: { readonly [name: string]: Data }): void {
    for (const [unit, answer] of Object.entries(below)) {
      if (what !== 'edges' && what !== 'others') this.#told.set(`${what} of ${unit}`, answer);
      else if (!isTree(answer)) throw new Error(`what it looked at: ${what} of ${unit} is not an object`);
      else for (const [kind, list] of Object.entries(answer)) this.#told.set(`${what} ${kind}= of ${unit}`, list);
    }
  }

  #recall(question: string): unknown {
    const answer = this.#told.get(question);
    if (answer === undefined) throw new Error(`it looks at ${question}, which the recorded step did not`);
    return answer;
  }

  *#referrers(unit: string): Iterable<string> {
    for (const name of this.#recall(`referrers of ${unit}`) as readonly string[]) {
      if (name === END) return;
      yield name;
    }
    throw new Error(`it looks at more referrers of ${unit} than the recorded step did`);
  }

  #facts(unit: string): UnitFacts | undefined {
    const facts = this.#recall(`facts of ${unit}`) as UnitFacts | null;
    if (facts === null) return undefined;
    if (facts.canReload !== undefined) return facts;
    return { ...facts, canReload: this.#recall(`passesReloadsOn of ${unit}`) as boolean };
  }

  readonly world: Required<Omit<JobsWorld, 'sha256'>> = {
    graph: () => this.#graph,
    states: {
      active: (unit) => this.#recall(`active of ${unit}`) as ActiveState,
      isSetAside: (unit) => this.#recall(`setAside of ${unit}`) as boolean,
    },
    settings: (unit) => this.#recall(`settings of ${unit}`) as string,
  };

  readonly #graph: JobGraph = {
    units: () => this.#recall('units') as readonly string[],
    facts: (unit) => this.#facts(unit),
    edges: (unit, kind) => this.#recall(`edges ${kind}= of ${unit}`) as ReturnType<JobGraph['edges']>,
    others: (unit, kind) => this.#recall(`others ${kind}= of ${unit}`) as readonly string[],
    referrers: (unit) => this.#referrers(unit),
  };
}

const isTree = (value: unknown): value is { readonly [name: string]: Data } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
