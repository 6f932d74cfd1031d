/**
 * Everything that there is occurs in some life that is crashed: read from what core itself has written while they were played, not
 * from what they are meant to be about. What is new and in no life fails here, or does not compile.
 */
import { describe, expect, test } from 'vitest';
import type { Change } from '../../src/api/manager.ts';
import { VERBS } from '../../src/jobs/read-plan.ts';
import type { JobMode, JobResult, JobType } from '../../src/jobs/types.ts';
import { unitMachines } from '../../src/machines/index.ts';
import { pluginKind } from '../../src/machines/plugin.ts';
import { effectKinds } from '../../src/machines/protocol.ts';
import { UNIT_TYPES } from '../../src/units/names.ts';
import { playCalm } from './crash.ts';
import { lives } from './lives/index.ts';
import { scenarioOf } from './real.ts';
import { recording } from './torn.ts';

/** All that core has written into its checkpoint, over all lives. */
const written = lives
  .flatMap((life) => {
    const { state, writes } = recording();
    playCalm(scenarioOf(life, { name: 'plain', state: () => state }));
    return writes.map(({ args: [text] }) => text ?? '');
  })
  .join('\n');

const found = (pattern: RegExp): ReadonlySet<string> =>
  new Set([...written.matchAll(pattern)].map(([, one]) => one ?? ''));

/** Compiles only if every one is named. False: it cannot come about in a life. */
const JOB_TYPES: Readonly<Record<JobType, boolean>> = {
  ...{ start: true, stop: true, restart: true, reload: true, 'verify-active': true },
  nop: false, // it is a question that comes to nothing
};
const MODES: Readonly<Record<JobMode, boolean>> = {
  ...{ replace: true, fail: true, 'replace-irreversibly': true, isolate: true, flush: true, lenient: true },
  ...{ 'ignore-dependencies': true, 'ignore-requirements': true, triggering: true, 'restart-dependencies': true },
};
const RESULTS: Readonly<Record<JobResult, boolean>> = {
  ...{ done: true, canceled: true, timeout: true, failed: true, dependency: true, skipped: true, invalid: true },
  ...{ assert: true, unsupported: true, collected: true },
  once: false, // only scopes live once, and no client can start one
};
const CHANGES: Readonly<Record<Change['what'], boolean>> = {
  ...{ request: true, 'keep-plan': true, apply: true, confirm: true, snapshot: true, restore: true, cancel: true },
  ...{ kill: true, 'reset-failed': true, 'unit-files': true, 'daemon-reload': true, 'daemon-reexec': true },
  ...{ 'init-reexec': true, shutdown: true, chaos: true, 'chaos-stop': true, environment: true },
};
const expected = (names: Readonly<Record<string, boolean>>) => Object.keys(names).filter((name) => names[name]);

describe('the lives that are crashed', () => {
  test.each<[string, readonly string[], RegExp]>([
    ['machine', [...Object.keys(unitMachines), pluginKind('drained'), 'job', 'manager'], /\["a","[^"]*","([^"]+)"/g],
    ['unit type', UNIT_TYPES, /\["[abnm]","unit:[^"]*\.([a-z]+)",/g],
    ['job type', expected(JOB_TYPES), /"kind":"job","unit":"[^"]*","job":\d+,"type":"([a-z-]+)"/g],
    ['verb', [...VERBS], /"verb":"([a-z-]+)"/g],
    ['job mode', expected(MODES), /"mode":"([a-z-]+)"/g],
    [
      'job result',
      expected(RESULTS),
      /"kind":"job-over","unit":"[^"]*","job":\d+,"type":"[a-z-]+","result":"([a-z-]+)"/g,
    ],
    ['change that a client can ask for', expected(CHANGES), /"change":\{"what":"([a-z-]+)"/g],
    [
      'effect of a unit',
      Object.keys(effectKinds).filter((name) => !name.endsWith('Deadline')),
      /\["e",\d+,\d+,"unit:[^"]*","([^"]+)"/g,
    ],
    ['deadline', ['armed', 'disarmed'], /\["([dD])",/g],
  ])('have every %s in them', (what, names, pattern) => {
    const words: Readonly<Record<string, string>> = what === 'deadline' ? { d: 'armed', D: 'disarmed' } : {};
    const seen = [...found(pattern)].map((one) => words[one] ?? one);
    expect(names.filter((name) => !seen.includes(name))).toEqual([]);
  });
});
