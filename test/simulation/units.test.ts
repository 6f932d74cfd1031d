/** Whole lives of real units on the real core: what a crash of core at any call of any port may not change. */
import { describe, expect, test } from 'vitest';
import { crashEverywhere, playCalm } from './crash.ts';
import { lives } from './lives/index.ts';
import { sample } from './points.ts';
import { sampledIn, scenarioOf } from './real.ts';

/** The others of the runs that there are, are for `npm run test:crash`. */
const every = process.env['SIMULATE'] === 'all';

describe.each(lives.map((life, index) => [life.name, life, index] as const))('%s', (_name, life, index) => {
  test('comes to rest without a crash, and every client has its answer', () => {
    const { sim, end } = playCalm(scenarioOf(life));
    expect(life.also?.(sim, end.answers) ?? []).toEqual([]);
    expect(end.answers).not.toContain(undefined);
    expect(sim.init.end?.now === true).toBe(life.ends === true);
    if (life.ends === true) return;
    expect(end.jobs).toEqual([]);
    expect(end.unacknowledged).toBe(0);
    const shown = Object.entries(end.units).map(([unit, { sub, result }]) => [unit, `${sub} ${result}`]);
    // What is not in memory any more is down, and has not failed.
    const unloaded = Object.entries(life.end).filter(([, text]) => text.startsWith('dead '));
    expect(Object.fromEntries([...unloaded, ...shown])).toMatchObject(life.end);
  });

  test('is the same with a crash before, after or in the middle of any call', () => {
    const scenario = scenarioOf(life, sampledIn(life, index));
    const { runs, calls } = crashEverywhere(
      scenario,
      every ? [] : life.closely?.second,
      every ? undefined : sample(index, life.closely?.calls),
    );
    expect(runs).toBeGreaterThanOrEqual(every ? 2 * calls : 2);
  });
});
