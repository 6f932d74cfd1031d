/**
 * Crash core at every call that changes the world, and compare what became of it with a run without a crash.
 *
 * A scenario is a core, a world and a script. `end` says what must be equal: plain data, without times, pids or event numbers
 * that a crash may rightly shift. Scenarios with real units use the same two functions as the small machines here.
 */
import { deepStrictEqual } from 'node:assert/strict';
import type { Host } from '../../src/host/ports.ts';
import { type CrashPoint, createSim, type Sim, type SimOptions } from '../../src/host/sim/index.ts';

export interface Scenario<Core, End> {
  readonly name: string;
  /** A new one for each run: programs and files may hold state. */
  sim(): SimOptions;
  /** Called for each life of core; the last one is handed to `end`. */
  core(host: Host, sim: Sim): Core;
  /** What happens in the world, by `sim.at`. */
  script?(sim: Sim): void;
  /** How long it runs, in virtual ms. */
  readonly forMs: number;
  end(sim: Sim, core: Core): End;
}

export interface Played<End> {
  readonly sim: Sim;
  readonly end: End;
}

/** One run of a scenario, with core dying at these points. */
export function play<Core, End>(scenario: Scenario<Core, End>, crashes: readonly CrashPoint[]): Played<End> {
  const sim = createSim({ ...scenario.sim(), crashes });
  let core: Core | undefined;
  scenario.script?.(sim);
  sim.boot((host) => {
    core = scenario.core(host, sim);
  });
  sim.run(scenario.forMs);
  if (core === undefined) throw new Error(`${scenario.name}: core never came up`);
  return { sim, end: scenario.end(sim, core) };
}

/** How much was tried. `lawful`: core died twice of the same cause as far as its black box can tell, so it set that aside. */
export interface Tried {
  readonly runs: number;
  readonly calls: number;
  readonly lawful: number;
}

/**
 * Every single crash point of a scenario: before and after each changing call, and in the middle of each append.
 * `second`: in each run, core dies once more this many calls later (in recovery, as a rule).
 * `only`: a sample of the calls, such as every fifth. Throws with the scenario, the point and the difference.
 */
export function crashEverywhere<Core, End>(
  scenario: Scenario<Core, End>,
  second: readonly number[] = [],
  only: (call: number) => boolean = () => true,
): Tried {
  const calm = play(scenario, []);
  if (calm.sim.deaths !== 0) throw new Error(`${scenario.name}: core dies even when it is left alone`);
  let runs = 0;
  let lawful = 0;
  for (let at = 1; at <= calm.sim.calls; at += 1) {
    if (!only(at)) continue;
    const torn = calm.sim.callNames[at - 1] === 'state.append' ? (['torn'] as const) : [];
    for (const when of ['before', 'after', ...torn] as const) {
      compare(scenario, calm.end, [{ at, when }]);
      runs += 1;
      for (const more of second) {
        const same = compare(scenario, calm.end, [
          { at, when },
          { at: at + more, when: 'before' },
        ]);
        if (same) lawful += 1;
        runs += 1;
      }
    }
  }
  return { runs, calls: calm.sim.calls, lawful };
}

/** Core has died twice while the same step or effect was in hand: it rightly does not try that a third time (DESIGN law 7). */
export function setAsideByLaw(sim: Sim): boolean {
  const inHand = sim.init.deaths.filter(({ phase }) => phase === 1 || phase === 2);
  const names = inHand.map(({ phase, seq, actor }) => `${phase} ${seq} ${actor}`);
  return new Set(names).size < names.length;
}

/** True: two deaths of the same cause, after which the end is rightly another (DESIGN law 7). */
function compare<Core, End>(scenario: Scenario<Core, End>, calm: End, crashes: readonly CrashPoint[]): boolean {
  const where = crashes.map(({ at, when }) => `${when} call ${at}`).join(' and ');
  let played: Played<End>;
  try {
    played = play(scenario, crashes);
  } catch (cause) {
    throw new Error(`${scenario.name}: crash ${where}: the run fails`, { cause });
  }
  const names = crashes.map(({ at }) => played.sim.callNames[at - 1]).join(', ');
  if (played.sim.deaths === 0) throw new Error(`${scenario.name}: crash ${where} (${names}): core did not die`);
  if (setAsideByLaw(played.sim)) return true;
  try {
    deepStrictEqual(played.end, calm);
  } catch (cause) {
    throw new Error(`${scenario.name}: crash ${where} (${names}): it ends otherwise: ${String(cause)}`, { cause });
  }
  return false;
}
