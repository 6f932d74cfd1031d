import { expect, test } from 'vitest';
import { type JobsTools, type JobsViewTools, jobKind, jobsKind, jobsView } from '../../src/actors/jobs.ts';
import { adoptions } from '../../src/actors/recovery.ts';
import type { Registry } from '../../src/actors/registry.ts';
import type { EffectCall, Post } from '../../src/supervisor/actor.ts';
import type { RecoveryView } from '../../src/supervisor/index.ts';
import { Fake, graphOf, request, statesOf } from './support/job-world.ts';

/** Carry out askUnit for a job of a unit that is down. */
function ask(jobIsThere: boolean): Post[] {
  const posts: Post[] = [];
  const down = { value: 'dead', context: { active: 'inactive' } };
  const tools = {
    actors: () => ({
      phase: () => 'running',
      read: (id: string) => (id === 'unit:a.service' ? down : jobIsThere ? {} : undefined),
    }),
    world: { unit: () => ({ name: 'a.service' }) },
    checks: {
      start: (_unit: unknown, _job: unknown, _wanted: unknown, post: (post: Post) => void) =>
        post({ to: 'unit:a.service', event: { type: 'start' } }),
    },
  } as unknown as JobsTools;
  const call = {
    actor: 'job:7',
    post: (to: string, event: Post['event']) => void posts.push({ to, event }),
  } as EffectCall;
  jobKind(tools).effects['askUnit']?.run(call, {
    unit: 'a.service',
    job: 7,
    verb: 'start',
    restarting: false,
  } as never);
  return posts;
}

test('after a restart of core only jobs whose conditions were being looked at ask again', () => {
  const readBegun = (id: string) => ({ context: { checking: id === 'job:8' } });
  const list = () => ['job:7', 'job:8'];
  const posts = adoptions(
    { mode: 'restored', readBegun, list, onTheirWay: () => [] } as unknown as RecoveryView,
    {} as Registry,
    {} as never,
  );
  expect(posts).toEqual([{ to: 'job:8', event: { type: 'ask-again', ask: { verb: 'start', restarting: false } } }]);
});

test('a job asks its unit', () => {
  expect(ask(true)).toEqual([{ to: 'unit:a.service', event: { type: 'start' } }]);
});

test('a job that ended in the turn in which it was to ask once more does not start its unit a second time', () => {
  expect(ask(false)).toEqual([]);
});

test('the plan that was told last is kept as it was told, although the world moves on meanwhile; one of before is looked at again', () => {
  const graph = graphOf({ 'a.service': {}, 'b.service': {} });
  const fake = new Fake(graph);
  const tools = {
    host: { facts: { machineId: 'm', bootId: 'b' }, clock: { realMs: () => 1 } },
    actors: () => ({ read: () => fake.state }),
  } as unknown as JobsViewTools;
  const jobs = jobsView({ graph: () => graph, states: statesOf(fake.states) }, tools);
  const asked = request('start', 'a.service');
  const first = jobs.plan(asked);
  if (!('id' in first)) throw new Error(first.refused);
  fake.ask(asked);
  fake.run();
  expect(jobs.keepable(asked, first.id)).toMatchObject({ plan: { id: first.id, units: first.state.units } });
  jobs.plan(request('start', 'b.service'));
  expect(jobs.keepable(asked, first.id)).toMatchObject({ refused: { error: 'PlanMoved' } });
});

test('whoever has asked for what was lost on the engine is told that it failed', () => {
  const { lost } = jobsKind({ graph: () => graphOf({}), states: statesOf({}) }, {} as JobsTools);
  const why = 'the job engine failed: it threw';
  const told = (type: string, more: object) => lost?.('jobs', { type, ...more }, 'it threw');
  const client = { errand: 'key', index: 1 };
  const refused = { refused: why, error: 'Faulty', unit: 'a.service', todo: 'ask again; the core log has the details' };
  expect(told('request', { request: request('start', 'a.service'), client })).toEqual([
    { to: 'manager', event: { type: 'requested', key: 'key', index: 1, said: { refused } } },
  ]);
  expect(told('cancel', { ids: [1], client })).toMatchObject([
    { to: 'manager', event: { type: 'carried-out', key: 'key', answer: { error: { error: 'Faulty', why } } } },
  ]);
  expect(told('request', { request: request('restart', 'a.service'), client: { unit: 'a.service' } })).toEqual([
    { to: 'unit:a.service', event: { type: 'job-refused', why } },
  ]);
  expect(told('unit-changed', { unit: 'a.service' })).toEqual([]);
});
