/** What the flight recorder holds of whole lives, those in which core dies included, runs again to the same states and effects. */
import { describe, expect, test } from 'vitest';
import type { CrashPoint, Sim } from '../../src/host/sim/index.ts';
import { recordingOf, replay } from '../../src/replay.ts';
import { held } from '../unit/support/recorded.ts';
import { play } from './crash.ts';
import { lives } from './lives/index.ts';
import { scenarioOf } from './real.ts';

/** One life in so many is looked at, and those with charts of users. */
const EVERY = 4;
const sample = lives.filter((life, index) => index % EVERY === 0 || (life.plugins ?? []).length > 0);

const runs: readonly (readonly [string, readonly CrashPoint[]])[] = [
  ['nobody disturbs', []],
  ['core dies in the middle of', [{ when: 'after', at: 60 }]],
];

describe.each(runs)('a life that %s', (_how, crashes) => {
  test.each(sample.map((life) => [life.name, life] as const))('%s', (_name, life) => {
    const { differs: _, evenSo: __, ...scenario } = scenarioOf(life);
    const end = (sim: Sim) => (sim.coreAlive ? held(sim) : undefined);
    const { end: recording } = play({ ...scenario, end }, crashes);
    if (recording === undefined) return; // the machine is off: its recorder is gone with it
    const charts = Object.fromEntries((life.plugins ?? []).map((plugin) => [plugin.name, plugin]));
    const steps = [...replay(recordingOf(JSON.stringify(recording)), charts)];
    expect(steps.filter(({ outcome }) => outcome !== 'same')).toEqual([]);
    expect(steps.length).toBeGreaterThan(0);
  });
});
