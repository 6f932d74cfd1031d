/** Plans as data: what is in them, in which order, why, and what is given up. */
import { describe, expect, test } from 'vitest';
import { isRefusal, NO_JOBS, plan } from '../../src/jobs/plan.ts';
import { EMPTY_TABLE, viewOf, Work } from '../../src/jobs/table.ts';
import type { ActiveState, JobGraph, JobRequest, Plan, Refusal } from '../../src/jobs/types.ts';
import { type Declared, graphOf, request, statesOf } from './support/job-world.ts';

type States = Readonly<Record<string, ActiveState>>;

function make(units: Readonly<Record<string, Declared>>, asked: JobRequest, active: States = {}): Plan | Refusal {
  return plan({ graph: graphOf(units), states: statesOf(active), installed: NO_JOBS }, asked);
}

function planned(units: Readonly<Record<string, Declared>>, asked: JobRequest, active: States = {}): Plan {
  const answer = make(units, asked, active);
  if (isRefusal(answer)) throw new Error(answer.refused);
  return answer;
}

const jobs = (answer: Plan) => answer.jobs.map((job) => `${job.wave} ${job.type} ${job.unit}`);

/** A table in which a first request has been installed, and nothing has moved since. */
function tableWith(graph: JobGraph, asked: JobRequest, active: States = {}) {
  const states = statesOf(active);
  const work = new Work(EMPTY_TABLE, graph, states, 0);
  work.install(plan({ graph, states, installed: NO_JOBS }, asked) as Plan);
  work.settle();
  return { graph, states, installed: viewOf(work.done()), table: work.done() };
}

describe('a plan', () => {
  test('holds every job in waves, each with the chain of reasons back to the request', () => {
    const answer = planned(
      {
        'multi.target': { Wants: 'web.service', After: 'web.service' },
        'web.service': { Requires: 'db.service', After: 'db.service' },
      },
      request('start', 'multi.target'),
    );
    expect(jobs(answer)).toEqual(['0 start db.service', '1 start web.service', '2 start multi.target']);
    expect(answer.jobs.map((job) => job.optional)).toEqual([true, true, false]);
    expect(answer.jobs[2]?.after).toEqual(['web.service']);
    expect(answer.jobs[0]?.reasons).toMatchObject([
      { edge: { from: 'web.service', kind: 'Requires', to: 'db.service' }, because: 'start web.service' },
      { edge: { from: 'multi.target', kind: 'Wants' }, because: 'start multi.target' },
      { asked: 'a test' },
    ]);
  });

  test('leaves out what is there already, and what only that would have pulled in', () => {
    const units = { 'a.service': { Requires: 'b.service' }, 'b.service': { Requires: 'c.service' } };
    expect(jobs(planned(units, request('start', 'a.service'), { 'b.service': 'active' }))).toEqual([
      '0 start a.service',
    ]);
  });

  test('keeps the job that was asked for, even if it has nothing to do', () => {
    expect(jobs(planned({ 'a.service': {} }, request('start', 'a.service'), { 'a.service': 'active' }))).toHaveLength(
      1,
    );
  });

  test('merges the jobs of a unit into the one that does it all', () => {
    const units = {
      'r.target': { Requisite: 'd.service', Wants: 'w.service' },
      'w.service': { Requires: 'd.service' },
    };
    const answer = planned(units, request('start', 'r.target'));
    expect(jobs(answer)).toEqual(['0 start d.service', '0 start r.target', '0 start w.service']);
    expect(answer.notes).toEqual(['d.service: start and verify-active merged into start']);
  });

  test('stops in the reverse order of starting', () => {
    const answer = planned(
      { 'a.service': { Requires: 'b.service', After: 'b.service' } },
      request('stop', 'b.service'),
      { 'a.service': 'active', 'b.service': 'active' },
    );
    expect(jobs(answer)).toEqual(['0 stop a.service', '1 stop b.service']);
  });

  test('passes a reload on to what runs, and a restart only as a try-restart', () => {
    const units = {
      'a.service': { PropagatesReloadTo: 'b.service c.service', canReload: true },
      'b.service': { canReload: true },
      'c.service': { canReload: true },
      'p.service': { PartOf: 'w.service' },
      'q.service': { PartOf: 'w.service' },
    };
    const active: States = {
      'a.service': 'active',
      'b.service': 'active',
      'w.service': 'active',
      'p.service': 'active',
    };
    expect(jobs(planned(units, request('reload', 'a.service'), active))).toEqual([
      '0 reload a.service',
      '0 reload b.service',
    ]);
    expect(jobs(planned(units, request('restart', 'w.service'), active))).toEqual([
      '0 restart p.service',
      '0 restart w.service',
    ]);
  });

  test('of ignore-dependencies and ignore-requirements has the one job', () => {
    const units = { 'a.service': { Requires: 'b.service' } };
    for (const mode of ['ignore-dependencies', 'ignore-requirements'] as const) {
      const answer = planned(units, request('start', 'a.service', mode));
      expect(answer.jobs).toMatchObject([{ unit: 'a.service', ignoreOrder: mode === 'ignore-dependencies' }]);
    }
  });

  test('of triggering stops what would start the unit again', () => {
    const units = { 's.socket': { Triggers: 's.service' }, 't.timer': { Triggers: 's.service' } };
    const answer = planned(units, request('stop', 's.service', 'triggering'), {
      's.service': 'active',
      's.socket': 'active',
    });
    expect(jobs(answer)).toEqual(['0 stop s.service', '0 stop s.socket']);
    expect(answer.jobs[1]?.reasons[0]).toEqual({ triggers: 's.service' });
  });

  test('of restart-dependencies restarts those that need the unit', () => {
    const units = { 'a.service': { Requires: 'b.service', After: 'b.service' } };
    const answer = planned(units, request('start', 'b.service', 'restart-dependencies'), { 'a.service': 'active' });
    expect(jobs(answer)).toEqual(['0 restart a.service', '1 start b.service']);
  });

  test('in mode fail leaves out optional jobs that stop what runs', () => {
    const units = { 'a.service': {}, 'b.service': { Conflicts: 'a.service' } };
    const answer = planned(units, request('start', 'a.service', 'fail'), { 'b.service': 'active' });
    expect(jobs(answer)).toEqual(['0 start a.service']);
    expect(answer.notes).toEqual([expect.stringContaining('stop b.service left out: it would stop a running unit')]);
  });

  test('in mode lenient is refused instead', () => {
    const units = { 'a.service': {}, 'b.service': { Conflicts: 'a.service' } };
    const answer = make(units, request('start', 'a.service', 'lenient'), { 'b.service': 'active' });
    expect(answer).toMatchObject({ error: 'TransactionIsDestructive', unit: 'b.service' });
  });

  test('gives up an optional start that contradicts what is needed, and says so', () => {
    const units = { 'a.service': { Wants: 'b.service', Conflicts: 'b.service' } };
    const answer = planned(units, request('start', 'a.service'));
    expect(jobs(answer)).toEqual(['0 start a.service']);
    expect(answer.notes[0]).toContain('start b.service left out: it contradicts stop b.service');
  });

  test('of two optional units that conflict keeps one, the same every time', () => {
    const units = { 't.target': { Wants: 'a.service b.service' }, 'a.service': { Conflicts: 'b.service' } };
    const answer = planned(units, request('start', 't.target'));
    const started = answer.jobs.filter((job) => job.type === 'start').map((job) => job.unit);
    expect(started).toEqual(['a.service', 't.target']);
  });

  test('takes several units as one transaction', () => {
    const units = { 'a.service': { Conflicts: 'b.service' } };
    expect(make(units, request('start', 'a.service b.service'))).toMatchObject({ error: 'TransactionJobsConflicting' });
  });

  test('finds a unit by its alias', () => {
    const graph = graphOf({ 'a.service': {} });
    const aliased: JobGraph = { ...graph, facts: (unit) => graph.facts(unit === 'alias.service' ? 'a.service' : unit) };
    const answer = plan(
      { graph: aliased, states: statesOf({}), installed: NO_JOBS },
      request('start', 'alias.service'),
    );
    expect(answer).toMatchObject({ jobs: [{ unit: 'a.service' }] });
  });
});

describe('a request is refused', () => {
  test.each([
    ['not-found', 'NoSuchUnit'],
    ['masked', 'UnitMasked'],
    ['bad-setting', 'BadUnitSetting'],
    ['error', 'LoadFailed'],
    ['stub', 'LoadFailed'],
  ] as const)('for a unit that is %s, with %s', (loadState, error) => {
    expect(make({ 'a.service': { loadState } }, request('start', 'a.service'))).toMatchObject({
      error,
      unit: 'a.service',
    });
  });

  test('for a unit nobody has heard of, also a stop', () => {
    expect(make({}, request('start', 'x.service'))).toMatchObject({ error: 'NoSuchUnit' });
    expect(make({}, request('stop', 'x.service'))).toMatchObject({ error: 'NoSuchUnit' });
  });

  test('but not the stop of one that runs, though its file is gone', () => {
    const answer = make({ 'a.service': { loadState: 'not-found' } }, request('stop', 'a.service'), {
      'a.service': 'active',
    });
    expect(answer).toMatchObject({ jobs: [{ type: 'stop' }] });
  });

  test('for a verb that makes no sense', () => {
    expect(make({ 'a.target': {} }, request('reload', 'a.target'))).toMatchObject({ error: 'JobTypeNotApplicable' });
    expect(make({ '-.slice': { perpetual: true } }, request('stop', '-.slice'))).toMatchObject({
      error: 'JobTypeNotApplicable',
    });
    expect(make({ 'a.target': { AllowIsolate: true } }, request('stop', 'a.target', 'isolate'))).toMatchObject({
      error: 'InvalidArgs',
    });
    expect(make({ 'a.service': {} }, request('start', 'a.service', 'triggering'))).toMatchObject({
      error: 'InvalidArgs',
    });
  });

  test('with the whole chain where something further down is missing', () => {
    const units = {
      'a.service': { Requires: 'b.service' },
      'b.service': { BindsTo: 'm.service' },
      'm.service': { loadState: 'masked' },
    } as const;
    const answer = make(units, request('start', 'a.service')) as Refusal;
    expect(answer.error).toBe('UnitMasked');
    expect(answer.refused).toContain('a.service needs b.service (a.service Requires b.service, from /etc/a.service:1)');
    expect(answer.refused).toContain('m.service is masked');
  });
});

describe('beside jobs in the table, a plan', () => {
  const graph = graphOf({ 'a.service': {}, 'b.service': {}, 'x.target': { AllowIsolate: true } });

  test('in mode replace cancels what contradicts it', () => {
    const world = tableWith(graph, request('start', 'a.service'));
    expect(plan(world, request('stop', 'a.service'))).toMatchObject({
      replaces: [{ job: 1, unit: 'a.service', why: expect.stringContaining('is canceled by stop a.service') }],
    });
  });

  test('in mode fail is refused, and told which job of whom stands in the way', () => {
    const world = tableWith(graph, { ...request('start', 'a.service'), by: 'uid 7' });
    expect(plan(world, request('stop', 'a.service', 'fail'))).toMatchObject({
      error: 'TransactionIsDestructive',
      refused:
        'stop a.service, wanted by the request, contradicts job 1 (start a.service) of start a.service, asked for by uid 7',
    });
  });

  test('is refused by one that cannot be taken back, whatever the mode', () => {
    const world = tableWith(graph, request('stop', 'a.service', 'replace-irreversibly'), { 'a.service': 'active' });
    expect(plan(world, request('start', 'a.service'))).toMatchObject({ error: 'TransactionIsDestructive' });
  });

  test('of flush cancels everything else', () => {
    const world = tableWith(graph, request('start', 'a.service'));
    expect(plan(world, request('start', 'b.service', 'flush'))).toMatchObject({
      replaces: [{ job: 1, unit: 'a.service' }],
    });
  });

  test('that does the same is merged', () => {
    const world = tableWith(graph, request('start', 'a.service'));
    const again = plan(world, request('start', 'a.service')) as Plan;
    const work = new Work(world.table, graph, world.states, 5);
    expect(work.install(again).get('a.service')).toBe(1);
    expect(work.changes).toEqual([]);
  });
});

describe('an ordering cycle', () => {
  const ring = { Requires: 'a.service b.service c.service' };
  const cutsOf = (units: Readonly<Record<string, Declared>>) =>
    planned({ 't.target': ring, ...units }, request('start', 't.target')).cuts.map(
      (cut) => `${cut.edge.from} ${cut.edge.to}`,
    );

  test('loses no job, and is shown as a ring with the edge that was cut', () => {
    const answer = planned(
      {
        't.target': ring,
        'a.service': { After: 'b.service' },
        'b.service': { After: 'c.service' },
        'c.service': { After: 'a.service' },
      },
      request('start', 't.target'),
    );
    expect(answer.jobs).toHaveLength(4);
    expect(answer.cuts).toMatchObject([
      { edge: { from: 'c.service', kind: 'After', to: 'a.service' }, ring: ['a.service', 'b.service', 'c.service'] },
    ]);
    expect(answer.notes).toEqual([expect.stringContaining('c.service no longer waits for a.service')]);
  });

  test('of units that are stopped is told by the job that would have waited', () => {
    const units = { 'a.service': { After: 'b.service' }, 'b.service': { After: 'a.service' } };
    const active = { 'a.service': 'active', 'b.service': 'active' } as const;
    const answer = planned(units, request('stop', 'a.service b.service'), active);
    expect(answer.cuts).toMatchObject([{ edge: { from: 'b.service', to: 'a.service' } }]);
    expect(answer.notes).toEqual([expect.stringContaining('a.service no longer waits for b.service')]);
  });

  test('is cut at what only a rule implies, before anything written down', () => {
    expect(
      cutsOf({
        'a.service': { implied: { After: 'b.service' } },
        'b.service': { After: 'c.service' },
        'c.service': { After: 'a.service' },
      }),
    ).toEqual(['a.service b.service']);
  });

  test('is cut at an ordering without requirement before one beside Wants=, and there before one beside Requires=', () => {
    expect(
      cutsOf({
        'a.service': { After: 'b.service' },
        'b.service': { After: 'c.service', Wants: 'c.service' },
        'c.service': { After: 'a.service', Requires: 'a.service' },
      }),
    ).toEqual(['a.service b.service']);
    expect(
      cutsOf({
        'a.service': { After: 'b.service', Requires: 'b.service' },
        'b.service': { After: 'c.service', Wants: 'c.service' },
        'c.service': { After: 'a.service', Requires: 'a.service' },
      }),
    ).toEqual(['b.service c.service']);
  });

  test('never keeps an essential unit from waiting', () => {
    const answer = planned(
      {
        'sysinit.target': { Wants: 'a.service', implied: { After: 'a.service' } },
        'a.service': { Requires: 'sysinit.target', After: 'sysinit.target' },
      },
      request('start', 'sysinit.target'),
    );
    expect(answer.cuts).toMatchObject([{ edge: { from: 'a.service', to: 'sysinit.target' } }]);
  });

  test('of essential units alone is refused', () => {
    const units = { 'basic.target': { After: 'sysinit.target' }, 'sysinit.target': { After: 'basic.target' } };
    const answer = make(units, request('start', 'basic.target sysinit.target'));
    expect(answer).toMatchObject({ error: 'TransactionOrderIsCyclic' });
  });

  test('of two rings with a common edge is cut once, if that edge is the weakest', () => {
    expect(
      cutsOf({
        'a.service': { implied: { After: 'b.service' } },
        'b.service': { After: 'a.service c.service' },
        'c.service': { After: 'a.service' },
      }),
    ).toEqual(['a.service b.service']);
  });

  test('is none where one of the units is stopped and the other started', () => {
    const answer = planned(
      { 'a.service': { After: 'b.service', Before: 'b.service', Conflicts: 'b.service' } },
      request('start', 'a.service'),
      { 'b.service': 'active' },
    );
    expect(answer.cuts).toEqual([]);
    expect(jobs(answer)).toEqual(['0 stop b.service', '1 start a.service']);
  });
});

describe('a large plan', () => {
  const count = 5000;
  const name = (at: number) => `u${String(at).padStart(5, '0')}.service`;
  const chain = Object.fromEntries(
    Array.from({ length: count }, (_, at) => [
      name(at),
      at + 1 < count ? { Requires: name(at + 1), After: name(at + 1) } : {},
    ]),
  );

  test('of a chain of thousands overflows no stack', () => {
    const answer = planned(chain, request('start', name(0)));
    expect(answer.jobs).toHaveLength(count);
    expect(answer.jobs.at(-1)).toMatchObject({ unit: name(0), wave: count - 1 });
    expect(answer.jobs[0]?.reasons.length).toBeLessThanOrEqual(32);
    expect(answer.jobs[0]?.reasons.at(-1)).toEqual({ asked: 'a test' });
  });

  test('of one ring of thousands has one cut', () => {
    const answer = planned({ ...chain, [name(count - 1)]: { After: name(0) } }, request('start', name(0)));
    expect(answer.jobs).toHaveLength(count);
    expect(answer.cuts).toHaveLength(1);
  });
});
