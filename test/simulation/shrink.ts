/**
 * The shortest way to the same kind of failure: fewer deaths first, then fewer requests, fewer things from outside, fewer units.
 *
 * A shorter life has other calls, so its deaths are looked for anew; what is looked for is any difference, since the first one of
 * a fault is rarely its only one. Bounded by runs.
 */
import type { CrashPoint } from '../../src/host/sim/index.ts';
import { judge, type Played, playCalm, type Scenario, singles, type Verdict } from './crash.ts';
import type { Life } from './lives/life.ts';
import { somePairs } from './points.ts';

const RUNS_MAX = 1_500;
/** Deaths tried for each shorter life, where a single one does not do. */
const PAIRS_MAX = 300;

/** Which parts of a life are left. */
export interface Kept {
  readonly wishes: readonly number[];
  readonly outside: readonly number[];
  readonly units: readonly string[];
}

export const allOf = (life: Life): Kept => ({
  wishes: life.wishes.map((_, index) => index),
  outside: (life.outside ?? []).map((_, index) => index),
  units: Object.keys(life.units),
});

/** The life with these parts only. Places of wishes stay: those that are left out are never asked. */
export function reduced(life: Life, kept: Kept): Life {
  return {
    ...life,
    wishes: life.wishes.map((wish, index) =>
      kept.wishes.includes(index) ? wish : { ...wish, atMs: Number.POSITIVE_INFINITY },
    ),
    outside: (life.outside ?? []).filter((_, index) => kept.outside.includes(index)),
    units: Object.fromEntries(Object.entries(life.units).filter(([name]) => kept.units.includes(name))),
  };
}

export interface Shrunk {
  readonly kept: Kept;
  readonly crashes: readonly CrashPoint[];
  readonly fault: string;
  readonly callNames: readonly string[];
}

const faultOf = (verdict: Verdict): string | undefined => (typeof verdict === 'object' ? verdict.fault : undefined);

/** @param scenarioOf makes the scenario of a life, in the variant that has failed */
export function shrink<Core, End>(
  life: Life,
  scenarioOf: (life: Life) => Scenario<Core, End>,
  crashes: readonly CrashPoint[],
  fault: string,
): Shrunk {
  let runs = 0;
  const attempt = (scenario: Scenario<Core, End>, calm: End, tried: readonly CrashPoint[]) => {
    runs += 1;
    return faultOf(judge(scenario, calm, tried));
  };
  const first = playCalm(scenarioOf(life));
  let best: Shrunk = { kept: allOf(life), crashes, fault, callNames: first.sim.callNames };
  for (const fewer of subsets(crashes)) {
    const found = attempt(scenarioOf(life), first.end, fewer);
    if (found === undefined) continue;
    best = { ...best, crashes: fewer, fault: found };
    break;
  }
  for (let smaller = true; smaller && runs < RUNS_MAX; ) {
    smaller = false;
    for (const kept of without(best.kept)) {
      const found = search(reduced(life, kept), best.crashes.length);
      if (found === undefined) continue;
      best = { kept, ...found };
      smaller = true;
      break;
    }
  }
  return best;

  function search(shorter: Life, deaths: number): Omit<Shrunk, 'kept'> | undefined {
    const scenario = scenarioOf(shorter);
    let calm: Played<End>;
    try {
      calm = playCalm(scenario);
    } catch {
      return undefined; // without that part it is no scenario any more
    }
    const { callNames, calls } = calm.sim;
    const tries = deaths === 1 ? singles(calm.sim).map((point) => [point]) : [...somePairs(calls, PAIRS_MAX, calls)];
    for (const tried of tries) {
      if (runs >= RUNS_MAX) return undefined;
      const found = attempt(scenario, calm.end, tried);
      if (found !== undefined) return { crashes: tried, fault: found, callNames };
    }
    return undefined;
  }
}

/** Every way to have fewer of them, fewest first. */
function subsets<T>(all: readonly T[]): readonly (readonly T[])[] {
  const some = Array.from({ length: 2 ** all.length }, (_, mask) => all.filter((_one, at) => (mask >> at) % 2 === 1));
  return some
    .filter(({ length }) => length > 0 && length < all.length)
    .toSorted((one, other) => one.length - other.length);
}

/** Every way to leave out one more part. */
function without(kept: Kept): readonly Kept[] {
  const drop = <T>(all: readonly T[]) => all.map((one) => all.filter((other) => other !== one));
  return [
    ...drop(kept.wishes).map((wishes) => ({ ...kept, wishes })),
    ...drop(kept.outside).map((outside) => ({ ...kept, outside })),
    ...drop(kept.units).map((units) => ({ ...kept, units })),
  ];
}
