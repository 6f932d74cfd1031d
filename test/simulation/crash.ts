/**
 * Crash core at every call that changes the world, and compare what became of it with a run without a crash.
 *
 * A scenario is a core, a world and a script. `end` says what must be equal: plain data, without times, pids or event numbers
 * that a crash may rightly shift. Scenarios with real units use the same functions as the small machines here.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Host } from '../../src/host/ports.ts';
import { type CrashPoint, createSim, type Sim, type SimOptions } from '../../src/host/sim/index.ts';

export interface Scenario<Core, End> {
  readonly name: string;
  /** A new one for each run: programs and files may hold state. `deaths`: how often core is going to be made to die in it. */
  sim(deaths: number): SimOptions;
  /** Called for each life of core; the last one is handed to `end`. */
  core(host: Host, sim: Sim): Core;
  /** What happens in the world, by `sim.at`. */
  script?(sim: Sim): void;
  /** How long it runs, in virtual ms. */
  readonly forMs: number;
  end(sim: Sim, core: Core): End;
  /** Core leaves so often of its own will, to be started anew. */
  readonly leaves?: number;
  /** What the crash has changed although it may not, as lines; default: {@link differences}. */
  differs?(calm: End, crashed: End, sim: Sim): readonly string[];
  /** What must hold even where core has set something aside, by law 7: faults in words. Absent: nothing is asked. */
  evenSo?(sim: Sim, calm: End, crashed: End): readonly string[];
}

export interface Played<End> {
  readonly sim: Sim;
  readonly end: End;
}

/** One run of a scenario, with core dying at these points. */
export function play<Core, End>(scenario: Scenario<Core, End>, crashes: readonly CrashPoint[]): Played<End> {
  const sim = createSim({ ...scenario.sim(crashes.length), crashes });
  let core: Core | undefined;
  scenario.script?.(sim);
  sim.boot((host) => {
    core = scenario.core(host, sim);
  });
  sim.run(scenario.forMs);
  if (core === undefined) throw new Error(`${scenario.name}: core never came up`);
  return { sim, end: scenario.end(sim, core) };
}

/** The run without a crash, against which all others are held. */
export function playCalm<Core, End>(scenario: Scenario<Core, End>): Played<End> {
  const calm = play(scenario, []);
  if (calm.sim.deaths !== (scenario.leaves ?? 0))
    throw new Error(`${scenario.name}: core dies even when it is left alone`);
  return calm;
}

/** Every single crash point of a run: before and after each changing call, and in the middle of each write of the checkpoint. */
export function singles(sim: Pick<Sim, 'calls' | 'callNames'>): readonly CrashPoint[] {
  return Array.from({ length: sim.calls }, (_, index) => index + 1).flatMap((at) => {
    const torn = TEARABLE.has(sim.callNames[at - 1] ?? '') ? (['torn'] as const) : [];
    return (['before', 'after', ...torn] as const).map((when) => ({ at, when }));
  });
}

const TEARABLE: ReadonlySet<string> = new Set(['state.append', 'state.replace']);

/** `lawful`: core died twice of the same cause as far as its black box can tell, so it set that aside, and said so. */
export type Verdict = 'same' | 'lawful' | { readonly fault: string };

/** One run with crashes, held against the calm one. Never throws for what the run does. */
export function judge<Core, End>(scenario: Scenario<Core, End>, calm: End, crashes: readonly CrashPoint[]): Verdict {
  let played: Played<End>;
  try {
    played = play(scenario, crashes);
  } catch (cause) {
    return { fault: `the run fails: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}` };
  }
  const { sim, end } = played;
  if (sim.crashed === 0) return { fault: 'core did not die' };
  if (setAsideByLaw(sim) && saysSo(sim)) {
    const faults = scenario.evenSo?.(sim, calm, end) ?? [];
    return faults.length === 0 ? 'lawful' : { fault: `set aside by law 7, and yet: ${faults.join('; ')}` };
  }
  const lines = scenario.differs?.(calm, end, sim) ?? differences(calm, end);
  return lines.length === 0 ? 'same' : { fault: `it ends otherwise:\n${lines.join('\n')}` };
}

/** Core has died twice while the same step or effect was in hand: it rightly does not try that a third time (DESIGN law 7). */
export function setAsideByLaw(sim: Sim): boolean {
  const inHand = sim.init.allDeaths.filter(({ phase }) => phase === 1 || phase === 2);
  const names = inHand.map(({ phase, seq, actor }) => `${phase} ${seq} ${actor}`);
  return new Set(names).size < names.length;
}

/** Core has told that it sets something aside: without such a word nothing may be missing. */
const saysSo = (sim: Sim): boolean =>
  sim.log.some(({ message, fields }) => /set-aside|refused/.test(message) && JSON.stringify(fields).includes('twice'));

/** Crash points in words: `before call 12 (state.append)`. */
export const pointWords = (crashes: readonly CrashPoint[], callNames: readonly string[]): string =>
  crashes
    .map(({ at, when, byte }) => {
      const where = when === 'torn' && byte !== undefined ? `torn at byte ${byte} of` : when;
      return `${where} call ${at} (${callNames[at - 1] ?? '?'})`;
    })
    .join(' and ');

/** How much was tried. */
export interface Tried {
  readonly runs: number;
  readonly calls: number;
  readonly lawful: number;
}

/**
 * Every single crash point of a scenario. `second`: in each run, core dies once more this many calls later (in recovery, as a rule).
 * `only`: a sample of the calls, such as every fifth. Throws with the scenario, the point and the difference.
 */
export function crashEverywhere<Core, End>(
  scenario: Scenario<Core, End>,
  second: readonly number[] = [],
  only: (call: number, names: readonly string[]) => boolean = () => true,
): Tried {
  const calm = playCalm(scenario);
  const points = singles(calm.sim).filter(({ at }) => only(at, calm.sim.callNames));
  const cases = points.flatMap((point) => [
    [point],
    ...second.map((more): CrashPoint[] => [point, { at: point.at + more, when: 'before' }]),
  ]);
  let lawful = 0;
  for (const crashes of cases) {
    const verdict = judge(scenario, calm.end, crashes);
    if (verdict === 'lawful') lawful += 1;
    else if (verdict !== 'same')
      throw new Error(`${scenario.name}: crash ${pointWords(crashes, calm.sim.callNames)}: ${verdict.fault}`);
  }
  return { runs: cases.length, calls: calm.sim.calls, lawful };
}

/** Where two ends differ, as lines `path: calm → crashed`; the leaves only, at most twenty. */
export function differences(calm: unknown, crashed: unknown, path = ''): readonly string[] {
  if (isDeepStrictEqual(calm, crashed)) return [];
  const both = [calm, crashed];
  if (both.every((one) => typeof one === 'object' && one !== null && Array.isArray(one) === Array.isArray(calm))) {
    const [a, b] = both as [Record<string, unknown>, Record<string, unknown>];
    const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
    return keys.flatMap((key) => differences(a[key], b[key], `${path}/${key}`)).slice(0, 20);
  }
  return [`  ${path}: ${JSON.stringify(calm)} → ${JSON.stringify(crashed)}`];
}
