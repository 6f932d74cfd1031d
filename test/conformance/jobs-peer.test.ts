/**
 * Random sets of units and requests: what our core makes of them, and what a live systemd 252 does. All kinds of dependencies,
 * rings of orderings and of requirements, isolation, several units in one request.
 *
 * Our core plays them on the simulated machine, in many ways that a busy machine might go, and, a part of them, as it is: with the
 * real init, in namespaces, one set after the other with a daemon-reload in between. Compared are refusals, the results of all jobs, the order of those that are ordered, and the states of all units after each
 * request. systemd goes by the order of hash tables where the manual leaves a choice, so it need not do the same twice: a set
 * that differs is given to it again after another boot, and to us under other names; and what remains must be one of
 * the differences on purpose. `npm run simulate` compares many, `npm test` a few.
 */
import { expect, test } from 'vitest';
import { debianMissing } from '../integration/support/debian.ts';
import { systemsMissing } from '../integration/support/system.ts';
import { type UnitSet, unitSet } from '../simulation/generate.ts';
import { wildSet } from '../simulation/wild.ts';
import { alike, compare, type Difference, deliberate, rested } from './jobs-compare.ts';
import { playOurs } from './jobs-ours.ts';
import { playPeer, type Told } from './jobs-peer.ts';
import { playReal } from './jobs-real.ts';

const missing = systemsMissing() ?? debianMissing();
const all = process.env['SIMULATE'] === 'all';
const [first, count] = all ? [1_000, 60] : [36, 4];
/** How many of them our real init and core play as well. */
const real = all ? 30 : 2;
const BOOTS = 3;
/** Ways in which our own run may go; how far apart the units of one request are asked for makes many more of them. */
const waysOf = ({ requests }: UnitSet): number => (requests.some(({ units }) => units.length > 1) ? 150 : 30);

interface Verdict {
  readonly differences: readonly Difference[];
  /** Why it is as it is, if it is not simply the same. */
  readonly why: string | undefined;
}

function judge(set: UnitSet, theirs: Told): Verdict {
  const many = rested(theirs);
  if (many === 0) return { differences: [], why: 'systemd does not come to rest' };
  let first: readonly Difference[] = [];
  let explained: string | undefined;
  const found = new Set<number>();
  for (let way = 0; way <= waysOf(set); way += 1) {
    const ours = playOurs(set, way);
    const differences = compare(set, theirs, ours);
    if (differences.length === 0) return { differences, why: way === 0 ? undefined : 'it is chance' };
    for (const index of alike(set, theirs, ours)) found.add(index);
    if (found.size === many) return { differences: [], why: 'it is chance' };
    explained ??= deliberate(set, differences, theirs, ours);
    if (way === 0) first = differences;
  }
  return { differences: explained === undefined ? first : [], why: explained };
}

/** Is it one of the ways of the simulated machine? */
function asSimulated(set: UnitSet, told: Told): boolean {
  const many = rested(told);
  const found = new Set<number>();
  for (let way = 0; way <= waysOf(set) && found.size < many; way += 1)
    for (const index of alike(set, told, playOurs(set, way))) found.add(index);
  return found.size === many;
}

/** Units that start and stop each other may go on for ever, under systemd too; but most requests come to rest, and are compared. */
function expectMostCompared(played: readonly (readonly [UnitSet, Told])[]): void {
  const [asked, compared] = [0, 1].map((which) =>
    played.reduce((sum, [set, told]) => sum + (which === 0 ? set.requests.length : rested(told)), 0),
  ) as [number, number];
  expect(compared).toBeGreaterThan(asked * 0.8);
}

const sets = (many: number): readonly UnitSet[] =>
  Array.from({ length: many }, (_, index) =>
    unitSet(first + index, {
      steady: true,
      whole: index % 4 !== 3,
      cycles: index % 3 === 2,
      prefix: `s${index}x`,
      ...(all ? {} : { units: 5 + index }),
    }),
  );

/** Aliases, templates, masked and faulty units, sockets, paths, requests that meet the jobs of others. */
const wild = (many: number): readonly UnitSet[] =>
  Array.from({ length: many }, (_, index) => wildSet((all ? 60_001 : 60_109) + index, `w${index}x`, all ? 40 : 6));

test.skipIf(missing !== undefined).each([
  ['plain', sets(count)],
  ['rarer', wild(all ? 60 : 2)],
] as const)(
  `random sets of %s units end as they do under systemd${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  { timeout: 2_400_000 },
  async (_, chosen) => {
    const reasons: string[] = [];
    let left: readonly { set: UnitSet; differences: readonly Difference[] }[] = chosen.map((set) => ({
      set,
      differences: [],
    }));
    for (let boot = 0; boot < BOOTS && left.length > 0; boot += 1) {
      const told = await playPeer(left.map(({ set }) => set));
      if (boot === 0) expectMostCompared(left.map(({ set }, index) => [set, told[index] as Told]));
      const verdicts = left.map(({ set }, index) => ({ set, ...judge(set, told[index] as Told) }));
      reasons.push(...verdicts.flatMap(({ set, why }) => (why === undefined ? [] : [`seed ${set.seed}: ${why}`])));
      left = verdicts.filter(({ differences }) => differences.length > 0);
    }
    if (all) console.log(`${chosen.length} sets, of which not simply the same:\n${reasons.join('\n')}`);
    expect(left.map(({ set, differences }) => ({ seed: set.seed, differences }))).toEqual([]);
    // Agreement is the rule, and differences on purpose the exception.
    const exceptions = reasons.filter((reason) => !reason.endsWith('it is chance'));
    expect(exceptions.length).toBeLessThan(chosen.length / 2);
  },
);

test.skipIf(missing !== undefined)(
  `the real init and core do with them what the simulated machine does${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  { timeout: 1_200_000 },
  async () => {
    // As with systemd: what comes out otherwise is played again, since the machine may have gone a way that was not tried.
    let left: readonly (readonly [UnitSet, Told | undefined])[] = sets(real).map((set) => [set, undefined]);
    for (let boot = 0; boot < BOOTS && left.length > 0; boot += 1) {
      const chosen = left.map(([set]) => set);
      const told = await playReal(chosen);
      if (boot === 0) expectMostCompared(chosen.map((set, index) => [set, told[index] as Told]));
      left = chosen.flatMap((set, index) =>
        asSimulated(set, told[index] as Told) ? [] : [[set, told[index]] as const],
      );
    }
    expect(
      left.map(([set, one]) => ({ seed: set.seed, differences: compare(set, one as Told, playOurs(set)) })),
    ).toEqual([]);
  },
);
