/** The algebra of job types: merging, collapsing, and what a unit's change means for its job. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { attempt } from '../../src/jobs/attempt.ts';
import { ACTIVE_STATES, type ActiveState, type JobType, type Passage } from '../../src/jobs/types.ts';
import {
  collapse,
  conflicts,
  contains,
  isApplicable,
  isRedundant,
  judge,
  type MergedType,
  merge,
  passages,
  typeOfVerb,
} from '../../src/jobs/verbs.ts';
import { graphOf } from './support/job-world.ts';

const TYPES: readonly MergedType[] = ['nop', 'verify-active', 'start', 'reload', 'reload-or-start', 'restart', 'stop'];
const type = fc.constantFrom(...TYPES);
/** Merging where a contradiction stays one. */
const join = (a: MergedType | undefined, b: MergedType | undefined) =>
  a === undefined || b === undefined ? undefined : merge(a, b);

describe('merging', () => {
  test('is commutative and associative, and a type merged with itself is itself', () => {
    fc.assert(
      fc.property(type, type, type, (a, b, c) => {
        expect(merge(a, b)).toBe(merge(b, a));
        expect(join(join(a, b), c)).toBe(join(a, join(b, c)));
        expect(merge(a, a)).toBe(a);
      }),
    );
  });

  test.each([
    ['start', 'verify-active', 'start'],
    ['start', 'reload', 'reload-or-start'],
    ['start', 'restart', 'restart'],
    ['reload', 'verify-active', 'reload'],
    ['reload', 'restart', 'restart'],
    ['verify-active', 'restart', 'restart'],
    ['stop', 'start', undefined],
    ['stop', 'verify-active', undefined],
    ['stop', 'reload', undefined],
    ['stop', 'restart', undefined],
    ['stop', 'nop', 'stop'],
  ] as const)('%s and %s give %s', (a, b, merged) => {
    expect(merge(a, b)).toBe(merged);
    expect(conflicts(a, b)).toBe(merged === undefined);
  });

  test('a type contains another exactly if merging changes nothing, and that is transitive', () => {
    fc.assert(
      fc.property(type, type, type, (a, b, c) => {
        expect(contains(a, b)).toBe(merge(a, b) === a);
        if (contains(a, b) && contains(b, c)) expect(contains(a, c)).toBe(true);
      }),
    );
  });
});

describe('collapsing', () => {
  test.each(ACTIVE_STATES)('gives a plain job for every type in state %s', (state) => {
    const down = ['inactive', 'failed', 'deactivating'].includes(state);
    expect(collapse('try-restart', state)).toBe(down ? 'nop' : 'restart');
    expect(collapse('try-reload', state)).toBe(down ? 'nop' : 'reload');
    expect(collapse('reload-or-start', state)).toBe(down ? 'start' : 'reload');
    for (const plain of ['start', 'stop', 'restart', 'reload', 'verify-active', 'nop'] as const) {
      expect(collapse(plain, state)).toBe(plain);
    }
  });

  test('reload-or-restart asks whether the unit can reload', () => {
    expect(typeOfVerb('reload-or-restart', true)).toBe('reload-or-start');
    expect(typeOfVerb('reload-or-restart', false)).toBe('restart');
    expect(typeOfVerb('try-reload-or-restart', true)).toBe('try-reload');
    expect(typeOfVerb('try-reload-or-restart', false)).toBe('try-restart');
  });
});

test('only jobs that would change nothing are redundant', () => {
  expect(ACTIVE_STATES.filter((state) => isRedundant('start', state))).toEqual(['active', 'reloading']);
  expect(ACTIVE_STATES.filter((state) => isRedundant('verify-active', state))).toEqual(['active', 'reloading']);
  expect(ACTIVE_STATES.filter((state) => isRedundant('stop', state))).toEqual(['inactive', 'failed']);
  expect(ACTIVE_STATES.filter((state) => isRedundant('reload', state))).toEqual([]);
  expect(ACTIVE_STATES.filter((state) => isRedundant('restart', state))).toEqual([]);
  expect(ACTIVE_STATES.filter((state) => isRedundant('nop', state))).toEqual(ACTIVE_STATES);
});

test('a perpetual unit takes no stop, a device no restart, a target no reload', () => {
  const graph = graphOf({
    '-.slice': { perpetual: true },
    'd.device': { canStart: false },
    'a.target': {},
    'r.service': { canReload: true },
  });
  const may = (unit: string) =>
    (['start', 'stop', 'restart', 'reload', 'reload-or-start'] as const).filter((t) =>
      isApplicable(t, graph.facts(unit)),
    );
  expect(may('-.slice')).toEqual(['start']);
  expect(may('d.device')).toEqual(['start', 'stop']);
  expect(may('a.target')).toEqual(['start', 'stop', 'restart']);
  expect(may('r.service')).toEqual(['start', 'stop', 'restart', 'reload', 'reload-or-start']);
});

describe('a change of the unit', () => {
  const change = (before: ActiveState, after: ActiveState, more: Partial<Passage> = {}): Passage => ({
    unit: 'a.service',
    before,
    after,
    restarting: false,
    ...more,
  });
  const ends = (type: JobType, running: boolean, ...args: Parameters<typeof change>) =>
    judge(type, running, change(...args)).ends;

  test('to active ends a start as done, running or not', () => {
    expect(ends('start', true, 'activating', 'active')).toBe('done');
    expect(ends('start', false, 'activating', 'active')).toBe('done');
    expect(ends('verify-active', false, 'activating', 'active')).toBe('done');
  });

  test('to failed ends a running start as failed, to inactive as done', () => {
    expect(ends('start', true, 'activating', 'failed')).toBe('failed');
    expect(ends('start', true, 'activating', 'inactive')).toBe('done');
    expect(ends('start', true, 'activating', 'inactive', { result: 'exec-condition' })).toBe('done');
    expect(ends('start', false, 'activating', 'failed')).toBeUndefined();
  });

  test('that was down and stays down is an answer to a start only if it says why', () => {
    expect(ends('start', true, 'failed', 'inactive', { result: 'success' })).toBeUndefined();
    expect(ends('start', true, 'inactive', 'failed', { result: 'start-limit-hit' })).toBe('failed');
  });

  test('down ends a stop and the stop phase of a restart', () => {
    for (const type of ['stop', 'restart'] as const) {
      expect(ends(type, true, 'deactivating', 'failed')).toBe('done');
      expect(ends(type, false, 'active', 'inactive')).toBe('done');
      expect(ends(type, true, 'deactivating', 'active')).toBe('failed');
      expect(ends(type, true, 'active', 'active')).toBeUndefined();
    }
  });

  test('back from reloading ends a reload, with its own result if there is one', () => {
    expect(ends('reload', true, 'reloading', 'active')).toBe('done');
    expect(ends('reload', true, 'reloading', 'active', { reload: 'failed' })).toBe('failed');
    expect(ends('reload', true, 'active', 'active')).toBeUndefined();
    expect(ends('reload', true, 'reloading', 'failed')).toBe('failed');
  });

  test('that no job wanted is said to be unexpected', () => {
    expect(judge('start', true, change('activating', 'deactivating')).expected).toBe(false);
    expect(judge('start', true, change('activating', 'failed')).expected).toBe(false);
    expect(judge('stop', true, change('active', 'deactivating')).expected).toBe(true);
  });

  test('that passed through a down state counts as two', () => {
    const [down, up] = passages({
      unit: 'a.service',
      before: 'active',
      after: 'activating',
      through: 'failed',
      result: 'signal',
    });
    expect(down).toMatchObject({ before: 'active', after: 'failed', result: 'signal', restarting: true });
    expect(up).toEqual({ unit: 'a.service', before: 'failed', after: 'activating', restarting: false });
  });
});

test.each([
  ['start', 'deactivating'],
  ['reload', 'activating'],
  ['reload', 'reloading'],
  ['verify-active', 'activating'],
] as const)('a %s job of a unit that is %s waits for it, but not for one whose machine is set aside', (job, active) => {
  const graph = graphOf({ 'a.service': {} });
  const states = { active: () => active };
  expect(attempt(job, 'a.service', graph, states)).toEqual({ say: 'wait' });
  expect(attempt(job, 'a.service', graph, { ...states, isSetAside: () => true })).toMatchObject({ result: 'failed' });
});
