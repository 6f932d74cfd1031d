/**
 * What a step of the job engine looks at besides its arguments: noted when it is made, and answered from the notes when it is run
 * again elsewhere.
 *
 * The engine is a function of its state, the event and the world: the graph, and what units do that it has heard nothing of. A
 * {@link Witness} stands between the two and keeps each question with its answer, by reference, since nothing changes an answer in
 * place. Text is made of it only for a recording, and tells what earlier steps of that recording have not told already. memory.ts
 * makes a world of such texts.
 */
import type { JobsWorld } from './protocol.ts';
import type { JobGraph, JobSettings, UnitFacts } from './types.ts';

/** Questions of one step that are kept, a fifth of the ring at most. One that asks more, for more than a thousand units, is not run again. */
const ASKED_MAX = 16_384;
/** What a question weighs in memory: four places of a list, and an answer that is mostly shared. */
const QUESTION_BYTES = 48;

export type Data = null | boolean | number | string | readonly Data[] | { readonly [key: string]: Data | undefined };
type Tree = { [name: string]: Tree | Data };

/** Behind the last name of a list that was read to its end. */
export const END = '';

/** Settings of a unit that the engine looks at, each once. */
const SETTINGS = Object.keys({
  Supervisor: true,
  AllowIsolate: true,
  IgnoreOnIsolate: true,
  StopWhenUnneeded: true,
  CollectMode: true,
  RefuseManualStart: true,
  RefuseManualStop: true,
  OnFailureJobMode: true,
  OnSuccessJobMode: true,
  JobTimeoutSec: true,
  JobRunningTimeoutSec: true,
  JobTimeoutAction: true,
  JobTimeoutRebootArgument: true,
} satisfies Record<keyof JobSettings, true>) as readonly (keyof JobSettings)[];

/** The questions of one step with their answers; see src/supervisor/actor.ts, Looked. */
export class Asked {
  /** What was asked, of which unit, of which kind of edge, and the answer: four places each. */
  readonly #asked: readonly unknown[];

  constructor(asked: readonly unknown[]) {
    this.#asked = asked;
  }

  get bytes(): number {
    return (this.#asked.length / 4) * QUESTION_BYTES;
  }

  told(said: Map<string, unknown>): Data {
    const told: Tree = {};
    const asked = this.#asked;
    for (let at = 0; at < asked.length; at += 4) {
      const [what, unit, kind] = [asked[at], asked[at + 1], asked[at + 2]] as [string, string, string];
      const answer = asked[at + 3];
      const key = `${what} ${unit} ${kind}`;
      const before = said.get(key) as Said | undefined;
      if (before !== undefined && before.answer === answer) continue;
      const data = what === 'facts' ? factsAsData(answer as UnitFacts | undefined) : ((answer ?? null) as Data);
      const text = JSON.stringify(data);
      said.set(key, { answer, text });
      if (before?.text === text || (what === 'referrers' && longerIn(told, unit, data))) continue;
      put(told, data, what, unit, kind);
    }
    return told;
  }
}

/** An answer as it was told last. */
interface Said {
  readonly answer: unknown;
  readonly text: string;
}

/** The same step has read more of that list before. */
function longerIn(told: Tree, unit: string, data: Data): boolean {
  const before = (told['referrers'] as Tree | undefined)?.[unit] as readonly string[] | undefined;
  return before !== undefined && before.length > (data as readonly string[]).length;
}

/** Into `tree`, below the names that are not empty. */
function put(tree: Tree, value: Data, ...names: readonly string[]): void {
  const path = names.filter((name) => name !== '');
  let place = tree;
  for (const name of path.slice(0, -1)) {
    if (!Object.hasOwn(place, name)) place[name] = {};
    place = place[name] as Tree;
  }
  place[path.at(-1) as string] = value;
}

/** Without what the engine never looks at. Whether it can be reloaded is a question of its own where it depends on others. */
function factsAsData(facts: UnitFacts | undefined): Data {
  if (facts === undefined) return null;
  const { name, type, loadState, canStart, canStop, reloadsItself, perpetual, faults, unmask } = facts;
  return {
    ...{ name, type, loadState, canStart, canStop, reloadsItself, perpetual, faults, unmask },
    ...(reloadsItself === false ? {} : { canReload: facts.canReload }),
    unit: Object.fromEntries(SETTINGS.map((key) => [key, facts.unit[key]])),
  } as unknown as Data;
}

export interface Witness {
  /** The same world; who asks it is heard. */
  readonly world: JobsWorld;
  /** A step begins: what was asked before is forgotten. */
  begin(): void;
  /** What was asked since; undefined: more than is kept. */
  taken(): Asked | undefined;
}

export function createWitness(world: JobsWorld): Witness {
  let asked: unknown[] = [];
  let isWhole = true;
  const note = (what: string, unit: string, kind: string, answer: unknown): void => {
    if (asked.length < 4 * ASKED_MAX) asked.push(what, unit, kind, answer);
    else isWhole = false;
  };
  const graphOf = (graph: JobGraph): JobGraph => {
    const { referrers } = graph;
    return {
      units() {
        const answer = graph.units();
        note('units', '', '', answer);
        return answer;
      },
      facts(unit) {
        const answer = graph.facts(unit);
        note('facts', unit, '', answer);
        if (answer?.reloadsItself === false) note('passesReloadsOn', unit, '', answer.canReload);
        return answer;
      },
      edges(unit, kind) {
        const answer = graph.edges(unit, kind);
        note('edges', unit, kind, answer);
        return answer;
      },
      others(unit, kind) {
        const answer = graph.others(unit, kind);
        note('others', unit, kind, answer);
        return answer;
      },
      ...(referrers === undefined
        ? {}
        : {
            *referrers(unit: string) {
              // No more is read of it than was wanted: of a target it may be thousands.
              const answer: string[] = [];
              note('referrers', unit, '', answer);
              for (const name of graph.referrers?.(unit) ?? []) {
                answer.push(name);
                yield name;
              }
              answer.push(END);
            },
          }),
    };
  };
  let graph: { readonly of: JobGraph; readonly heard: JobGraph } | undefined;
  return {
    world: {
      graph() {
        const of = world.graph();
        if (graph?.of !== of) graph = { of, heard: graphOf(of) };
        return graph.heard;
      },
      states: {
        active(unit) {
          const answer = world.states.active(unit);
          note('active', unit, '', answer);
          return answer;
        },
        isSetAside(unit) {
          const answer = world.states.isSetAside?.(unit) === true;
          note('setAside', unit, '', answer);
          return answer;
        },
      },
      settings(unit) {
        const answer = world.settings?.(unit) ?? '';
        note('settings', unit, '', answer);
        return answer;
      },
      // Of one text it is the same everywhere: nothing to be noted.
      sha256: world.sha256,
    },
    begin() {
      asked = [];
      isWhole = true;
    },
    taken() {
      const answer = isWhole ? new Asked(asked) : undefined;
      asked = [];
      return answer;
    },
  };
}
