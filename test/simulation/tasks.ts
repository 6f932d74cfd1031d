/** The work of `npm run test:crash`, cut into tasks of seconds each, and how one is done. */
import type { CrashPoint } from '../../src/host/sim/index.ts';
import { judge, playCalm, pointWords, singles } from './crash.ts';
import { lives } from './lives/index.ts';
import type { Life } from './lives/life.ts';
import { allPairs, somePairs } from './points.ts';
import { scenarioOf, VARIANTS, type Variant } from './real.ts';
import { allOf, type Shrunk, shrink } from './shrink.ts';
import { recording, tearEverywhere } from './torn.ts';

/** All pairs are tried of a life with so few calls; of others, a sample. */
const FEW_CALLS = 48;
/** A task with so many failures is given up: they are one fault, as a rule. */
const FAILURES_MAX = 1;

const WRITERS: ReadonlySet<string> = new Set(['plain', 'folded']);
/** Every byte of each such write is tried; of the others in between, none: they are of the same make. */
const TORN_WRITES = 4;

export type Kind = 'singles' | 'pairs' | 'torn';

/** Plain data: it goes to another process. */
export interface Task {
  readonly life: string;
  readonly variant: string;
  readonly kind: Kind;
  readonly seed: number;
  /** How many pairs, where not all are tried. */
  readonly pairs: number;
}

export interface Failure {
  readonly life: string;
  readonly variant: string;
  readonly seed: number;
  readonly crashes: string;
  readonly fault: string;
  readonly shortest: Pick<Shrunk, 'kept' | 'crashes' | 'fault'> & { readonly words: string };
}

export interface Done {
  readonly name: string;
  readonly runs: number;
  /** Places of a write at which it was torn, and read back. */
  readonly bytes: number;
  readonly lawful: number;
  readonly seconds: string;
  readonly failures: readonly Failure[];
}

/** @param only part of a life's name. @param variant empty: all of them */
export function tasksOf(only: string, variant: string, seed: number, pairs: number): readonly Task[] {
  const variants = VARIANTS.filter(({ name }) => variant === '' || name === variant);
  return lives
    .filter(({ name }) => name.includes(only))
    .flatMap((life) =>
      variants.flatMap((one) => {
        // Which variant writes what is no matter for where a write is cut off: records in the first, images in the one that folds.
        const kinds: readonly Kind[] = WRITERS.has(one.name) ? ['singles', 'pairs', 'torn'] : ['singles', 'pairs'];
        return kinds.map((kind) => ({ life: life.name, variant: one.name, kind, seed, pairs }));
      }),
    );
}

export function runTask(task: Task): Done {
  const life = lives.find(({ name }) => name === task.life);
  const variant = VARIANTS.find(({ name }) => name === task.variant);
  if (life === undefined || variant === undefined) throw new Error(`no such task: ${JSON.stringify(task)}`);
  const began = performance.now();
  if (task.kind === 'torn') return tear(task, life, variant, began);
  const scenario = scenarioOf(life, variant);
  const calm = playCalm(scenario);
  const { calls, callNames } = calm.sim;
  const failures: Failure[] = [];
  let runs = 0;
  let lawful = 0;
  for (const crashes of crashesOf()) {
    const verdict = judge(scenario, calm.end, crashes);
    runs += 1;
    if (verdict === 'lawful') lawful += 1;
    else if (verdict !== 'same') failures.push(failureOf(crashes, verdict.fault));
    if (failures.length >= FAILURES_MAX) break;
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  return { name: `${scenario.name}, ${task.kind}`, runs, bytes: 0, lawful, seconds, failures };

  function* crashesOf(): Iterable<readonly CrashPoint[]> {
    if (task.kind === 'singles') for (const point of singles(calm.sim)) yield [point];
    // A pair that never comes to its second death was tried as a single one.
    else if (calls <= FEW_CALLS && task.variant === 'plain') yield* allPairs(scenario, calm);
    else yield* somePairs(calls, task.pairs, task.seed + calls);
  }

  function failureOf(crashes: readonly CrashPoint[], fault: string): Failure {
    const found = shrink(life as Life, (shorter) => scenarioOf(shorter, variant), crashes, fault);
    const { kept, callNames: names } = found;
    return {
      life: task.life,
      variant: task.variant,
      seed: task.seed,
      crashes: pointWords(crashes, callNames),
      fault,
      shortest: { kept, crashes: found.crashes, fault: found.fault, words: pointWords(found.crashes, names) },
    };
  }
}

/** The writes of the run without a crash, cut off at every byte: a few, the last one among them. */
function tear(task: Task, life: Life, variant: Variant, began: number): Done {
  const { state, writes } = recording();
  const scenario = scenarioOf(life, { ...variant, state: () => state });
  playCalm(scenario);
  const every = Math.max(1, Math.floor(writes.length / TORN_WRITES));
  const { bytes, fault } = tearEverywhere(writes, (index) => (writes.length - 1 - index) % every === 0);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const shortest = { kept: allOf(life), crashes: [], fault: fault ?? '', words: 'none: it is the write alone' };
  const failure = {
    life: task.life,
    variant: task.variant,
    seed: task.seed,
    crashes: 'a torn write',
    fault: fault ?? '',
  };
  const failures = fault === undefined ? [] : [{ ...failure, shortest }];
  return { name: `${scenario.name}, torn`, runs: 0, bytes, lawful: 0, seconds, failures };
}
