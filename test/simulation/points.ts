/**
 * Which crashes are tried: every single one, every pair where there are few, a sample by a seed where there are many.
 */
import type { CrashPoint } from '../../src/host/sim/index.ts';
import { randomStream } from '../../src/host/sim/kernel.ts';
import { type Played, play, type Scenario, singles } from './crash.ts';

/** Half of all second deaths come this soon after the first: in recovery, as a rule. */
const SOON_CALLS = 12;
/** One in so many draws has a third death. */
const THIRD_IN = 8;

/** Calls of which one in so many of a life is in the sample; of all others it is one in {@link COMMON}. */
const RARE = 13;
const COMMON = 61;
/** Calls that most of a life consists of: the rest of them is alike. */
const ALIKE: ReadonlySet<string> = new Set([
  'state.append',
  'state.replace',
  'state.begin',
  'state.add',
  'state.finish',
  'process.ack',
  'api.send',
  'files.writeText',
]);

/**
 * The fair sample that `npm test` takes: of each kind of call some, in each life others.
 *
 * @param index that of the life
 * @param closely names of calls of which it has all
 * @returns whether a call, from 1, is in it; `names`: of all calls of the run without a crash
 */
export function sample(
  index: number,
  closely: readonly string[] = [],
): (call: number, names: readonly string[]) => boolean {
  let of: readonly string[] = [];
  let chosen: ReadonlySet<number> = new Set();
  return (call, names) => {
    if (names !== of) {
      of = names;
      chosen = sampleOf(names, index, closely);
    }
    return chosen.has(call);
  };
}

function sampleOf(names: readonly string[], index: number, closely: readonly string[]): ReadonlySet<number> {
  // One in any case, wherever it lies.
  const chosen = new Set<number>([1 + ((index * RARE) % names.length)]);
  const counts = new Map<string, number>();
  for (const [at, name] of names.entries()) {
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    const every = ALIKE.has(name) ? COMMON : RARE;
    if ((count - 1) % every === index % every || closely.includes(name)) chosen.add(at + 1);
  }
  return chosen;
}

/** Every ordered pair of deaths; the second is any call of the run that has had the first, recovery included. */
export function* allPairs<Core, End>(scenario: Scenario<Core, End>, calm: Played<End>): Generator<CrashPoint[]> {
  for (const first of singles(calm.sim)) {
    if (first.when === 'torn') continue;
    const { calls } = play(scenario, [first]).sim;
    for (let at = first.at + 1; at <= calls; at += 1)
      for (const when of ['before', 'after'] as const) yield [first, { at, when }];
  }
}

/** So many draws of two deaths, or three. The same seed draws the same. */
export function* somePairs(calls: number, count: number, seed: number): Generator<CrashPoint[]> {
  const random = randomStream(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const when = () => (random() < 0.5 ? ('before' as const) : ('after' as const));
  const after = (at: number) => at + 1 + below(random() < 0.5 ? SOON_CALLS : Math.max(1, calls - at));
  for (let n = 0; n < count; n += 1) {
    const first: CrashPoint = { at: 1 + below(calls), when: when() };
    const second: CrashPoint = { at: after(first.at), when: when() };
    const third: CrashPoint = { at: after(second.at), when: when() };
    yield below(THIRD_IN) === 0 ? [first, second, third] : [first, second];
  }
}

/** `before 12, after 40, torn 7@100`; undefined: that is none. */
export function parsePoints(text: string): readonly CrashPoint[] | undefined {
  const points = text.split(',').map((part): CrashPoint | undefined => {
    const [, when, at, byte] = /^\s*(before|after|torn) (\d+)(?:@(\d+))?\s*$/.exec(part) ?? [];
    if (when === undefined || at === undefined) return undefined;
    const point = { at: Number(at), when: when as CrashPoint['when'] };
    return byte === undefined ? point : { ...point, byte: Number(byte) };
  });
  return points.every((point) => point !== undefined) ? points : undefined;
}

/** What {@link parsePoints} reads. */
export const printPoints = (points: readonly CrashPoint[]): string =>
  points.map(({ at, when, byte }) => `${when} ${at}${byte === undefined ? '' : `@${byte}`}`).join(', ');
