/** The machine of a job in every state it can reach: it always ends, always waits with a deadline, and ends as it should. */

import { describe, expect, test } from 'vitest';
import { getShortestPaths } from 'xstate/graph';
import { ACTIVE_STATES, type ActiveState, type JobType, type Passage } from '../../src/jobs/types.ts';
import { judge } from '../../src/jobs/verbs.ts';
import { type JobEvent, jobDown, jobMachine } from '../../src/machines/job.ts';
import { machineLogic } from '../../src/supervisor/logic.ts';

const TYPES: readonly JobType[] = ['start', 'stop', 'restart', 'reload', 'verify-active'];

const input = (type: JobType) => ({
  id: 7,
  unit: 'a.service',
  type,
  jobTimeoutMs: 90_000,
  runningTimeoutMs: 'infinity' as const,
});
const change = (before: ActiveState, after: ActiveState, more: Partial<Passage> = {}): Passage => ({
  unit: 'a.service',
  before,
  after,
  restarting: false,
  ...more,
});

const changes = ACTIVE_STATES.flatMap((before) => ACTIVE_STATES.map((after) => change(before, after)));
const events: readonly JobEvent[] = [
  { type: 'run', ask: { verb: 'start', restarting: false } },
  { type: 'run' },
  ...changes.map((one): JobEvent => ({ type: 'unit', change: one })),
  { type: 'unit', change: change('reloading', 'active', { reload: 'failed' }) },
  { type: 'unit', change: change('activating', 'inactive', { result: 'exec-condition' }) },
  ...TYPES.map((jobType): JobEvent => ({ type: 'retyped', jobType, why: 'merged' })),
  { type: 'checking', on: true },
  { type: 'checking', on: false },
  { type: 'finish', result: 'dependency', why: 'another failed' },
  { type: 'deadline', name: 'JobTimeoutSec' },
  { type: 'deadline', name: 'JobRunningTimeoutSec' },
  { type: 'deadline', name: 'somebody-elses' },
];

/** Every state that is reached from a job of this type, with one shortest path to each. */
function reachable(type: JobType) {
  return getShortestPaths(jobMachine, {
    input: input(type),
    events: [...events],
    serializeState: (state) =>
      JSON.stringify([state.value, state.context.type, state.context.result, state.context.checking]),
    stopWhen: (state) => state.status === 'done',
  }).map((path) => path.state);
}

const logic = machineLogic(jobMachine);
/** Deadlines that are armed after these events. */
function armed(type: JobType, sent: readonly JobEvent[]): Set<string> {
  const names = new Set<string>();
  const first = logic.initial(input(type));
  let snapshot = first.snapshot;
  let effects = first.effects;
  const take = () => {
    for (const { type: effect, params } of effects) {
      const { name } = (params ?? {}) as { name?: string };
      if (effect === 'armDeadline') names.add(name as string);
      if (effect === 'disarmDeadline') names.delete(name as string);
    }
  };
  take();
  for (const event of sent) {
    const step = logic.step(snapshot, event);
    snapshot = step.snapshot;
    effects = step.effects;
    take();
  }
  return names;
}

describe.each(TYPES)('a %s job', (type) => {
  const states = reachable(type);

  test('reaches waiting, running and the end', () => {
    const values = new Set(states.map((state) => JSON.stringify(state.value)));
    expect([...values].sort()).toEqual(['"over"', '{"installed":"running"}', '{"installed":"waiting"}']);
  });

  test('can be ended from every state that is not the end', () => {
    for (const state of states) {
      if (state.status === 'done') continue;
      expect(state.can({ type: 'finish', result: 'canceled', why: '' })).toBe(true);
      expect(state.can({ type: 'deadline', name: 'JobTimeoutSec' })).toBe(true);
      expect(state.can({ type: 'deadline', name: 'somebody-elses' })).toBe(false);
    }
  });

  test('has a result exactly when it is over', () => {
    for (const state of states) expect(state.context.result !== null).toBe(state.status === 'done');
    const checking = states.filter((state) => state.context.checking);
    expect([...new Set(checking.map((state) => JSON.stringify(state.value)))]).toEqual(['{"installed":"running"}']);
  });

  test('ends by a change of the unit exactly when the table ends it', () => {
    for (const state of states) {
      if (state.status === 'done') continue;
      const running = JSON.stringify(state.value).includes('running');
      for (const one of changes) {
        const next = logic.step(state, { type: 'unit', change: one }).snapshot;
        const verdict = judge(state.context.type, running, one).ends;
        const stopPhase = state.context.type === 'restart' && verdict === 'done';
        expect(next.status === 'done', JSON.stringify([state.value, one])).toBe(verdict !== undefined && !stopPhase);
        if (next.status === 'done') expect(next.context['result']).toBe(verdict);
        if (stopPhase) expect([next.value, next.context['type']]).toEqual([{ installed: 'waiting' }, 'start']);
      }
    }
  });

  test('waits with its deadline armed, and leaves none behind', () => {
    const run: JobEvent = { type: 'run', ask: { verb: 'start', restarting: false } };
    expect([...armed(type, [])]).toEqual(['JobTimeoutSec']);
    expect([...armed(type, [run])]).toEqual(['JobTimeoutSec', 'JobRunningTimeoutSec']);
    expect([...armed(type, [run, { type: 'retyped', jobType: 'reload', why: '' }])]).toEqual(['JobTimeoutSec']);
    expect([...armed(type, [run, { type: 'finish', result: 'canceled', why: '' }])]).toEqual([]);
    expect([...armed(type, [{ type: 'deadline', name: 'JobTimeoutSec' }])]).toEqual([]);
  });
});

describe('the actor of a job', () => {
  const first = logic.initial(input('start'));

  test('asks the unit once, by the verb it was told', () => {
    const { effects } = logic.step(first.snapshot, { type: 'run', ask: { verb: 'stop', restarting: true } });
    expect(effects.filter((effect) => effect.type === 'askUnit')).toEqual([
      { type: 'askUnit', params: { unit: 'a.service', job: 7, verb: 'stop', restarting: true } },
    ]);
    expect(logic.step(first.snapshot, { type: 'run' }).effects.some((effect) => effect.type === 'askUnit')).toBe(false);
  });

  test('tells the table how it ended', () => {
    const { snapshot } = logic.step(first.snapshot, { type: 'deadline', name: 'JobTimeoutSec' });
    expect(jobDown('jobs')('job:7', snapshot, 'ended', logic.output?.(snapshot))).toEqual([
      { to: 'jobs', event: { type: 'job-finished', id: 7, result: 'timeout', why: 'JobTimeoutSec= is over' } },
    ]);
  });

  test('that failed ends its job as failed, so that nothing hangs for it', () => {
    expect(jobDown('jobs')('job:7', first.snapshot, 'failed', undefined)).toMatchObject([
      { event: { type: 'job-finished', id: 7, result: 'failed' } },
    ]);
  });

  test('is the same after it was saved and loaded, in every state', () => {
    for (const state of reachable('restart')) {
      if (state.status === 'done') continue;
      const loaded = logic.load(JSON.parse(JSON.stringify(logic.save(state))), 1);
      expect([loaded.value, loaded.context]).toEqual([state.value, state.context]);
    }
  });
});
