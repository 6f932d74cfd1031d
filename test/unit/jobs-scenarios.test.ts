/** Whole requests on units that obey: what systemd.unit(5) promises about each dependency, and what people rely on. */
import { describe, expect, test } from 'vitest';
import { Fake, graphOf, request } from './support/job-world.ts';

const active = (fake: Fake) =>
  Object.entries(fake.states)
    .filter(([, state]) => state === 'active')
    .map(([unit]) => unit)
    .sort();

describe('a dependency that does not exist', () => {
  test.each(['Requires', 'Requisite', 'BindsTo'] as const)('makes a start with %s= fail', (kind) => {
    const fake = new Fake(
      graphOf({ 'a.service': { [kind]: 'gone.service' }, 'gone.service': { loadState: 'not-found' } }),
    );
    const answer = fake.ask(request('start', 'a.service'));
    expect(answer).toMatchObject({ refused: { error: 'NoSuchUnit', unit: 'gone.service' } });
    expect(JSON.stringify(answer)).toContain('/etc/a.service:1');
    expect(fake.log).toEqual([]);
  });

  test.each(['Wants', 'PartOf', 'Upholds'] as const)('does not matter to a start with %s=', (kind) => {
    const fake = new Fake(
      graphOf({ 'a.service': { [kind]: 'gone.service' }, 'gone.service': { loadState: 'not-found' } }),
    );
    fake.ask(request('start', 'a.service'));
    expect(active(fake)).toEqual(['a.service']);
  });

  test('a wanted unit that needs what does not exist is left out, with a note', () => {
    const fake = new Fake(
      graphOf({
        'a.service': { Wants: 'b.service' },
        'b.service': { Requires: 'gone.service' },
        'gone.service': { loadState: 'not-found' },
      }),
    );
    const answer = fake.ask(request('start', 'a.service'));
    expect(active(fake)).toEqual(['a.service']);
    expect(answer).toMatchObject({
      notes: [expect.stringContaining('start b.service left out: b.service needs gone.service')],
    });
  });
});

describe('Requires=', () => {
  const units = { 'a.service': { Requires: 'dep.service', After: 'dep.service' } };

  test('starts the other first', () => {
    const fake = new Fake(graphOf(units));
    fake.ask(request('start', 'a.service'));
    expect(fake.log).toEqual([
      'start dep.service',
      'done start dep.service',
      'start a.service',
      'done start a.service',
    ]);
  });

  test('a stop of the other stops the dependent first', () => {
    const fake = new Fake(graphOf(units), {}, { 'a.service': 'active', 'dep.service': 'active' });
    fake.ask(request('stop', 'dep.service'));
    expect(fake.log).toEqual(['stop a.service', 'done stop a.service', 'stop dep.service', 'done stop dep.service']);
  });

  test('a restart of the other restarts the dependent around it', () => {
    const fake = new Fake(graphOf(units), {}, { 'a.service': 'active', 'dep.service': 'active' });
    fake.ask(request('restart', 'dep.service'));
    expect(fake.log.filter((line) => line.split(' ').length === 2)).toEqual([
      'stop a.service',
      'stop dep.service',
      'start dep.service',
      'start a.service',
    ]);
    expect(active(fake)).toEqual(['a.service', 'dep.service']);
  });

  test('the other ending by itself leaves the dependent alone', () => {
    const fake = new Fake(graphOf(units), {}, { 'a.service': 'active', 'dep.service': 'active' });
    fake.change('dep.service', 'inactive');
    expect(active(fake)).toEqual(['a.service']);
  });

  test('a failed start of the other is a failed dependency of the dependent', () => {
    const fake = new Fake(graphOf(units), { 'dep.service': 'fails' });
    fake.ask(request('start', 'a.service'));
    expect(fake.result('start', 'dep.service')).toBe('failed');
    expect(fake.result('start', 'a.service')).toBe('dependency');
    expect(fake.log).not.toContain('start a.service');
  });

  test.each([{ After: 'dep.service' }, {}])('a condition that fails in the other does not matter (%o)', (after) => {
    const fake = new Fake(graphOf({ 'a.service': { Requires: 'dep.service', ...after } }), {
      'dep.service': 'condition',
    });
    fake.ask(request('start', 'a.service'));
    expect(active(fake)).toEqual(['a.service']);
    expect(fake.result('start', 'dep.service')).toBe('done');
  });

  test('an assertion that fails in the other does', () => {
    const fake = new Fake(graphOf(units), { 'dep.service': 'assert' });
    fake.ask(request('start', 'a.service'));
    expect(fake.result('start', 'dep.service')).toBe('assert');
    expect(fake.result('start', 'a.service')).toBe('dependency');
  });

  test('of each other, without order, starts both', () => {
    const fake = new Fake(graphOf({ 'a.service': { Requires: 'b.service' }, 'b.service': { Requires: 'a.service' } }));
    fake.ask(request('start', 'a.service'));
    expect(active(fake)).toEqual(['a.service', 'b.service']);
  });

  test('beside Conflicts= of the same unit is refused, naming both', () => {
    const fake = new Fake(graphOf({ 'a.service': { Requires: 'b.service', Conflicts: 'b.service' } }));
    const answer = fake.ask(request('start', 'a.service'));
    expect(answer).toMatchObject({ refused: { error: 'TransactionJobsConflicting', unit: 'b.service' } });
    expect(JSON.stringify(answer)).toContain('Requires');
    expect(JSON.stringify(answer)).toContain('Conflicts');
  });
});

describe('Requisite=', () => {
  const units = { 'a.service': { Requisite: 'dep.service', After: 'dep.service' } };

  test('fails where the other is not active, and does not start it', () => {
    const fake = new Fake(graphOf(units));
    fake.ask(request('start', 'a.service'));
    expect(fake.result('start', 'a.service')).toBe('dependency');
    expect(fake.result('verify-active', 'dep.service')).toBe('skipped');
    expect(active(fake)).toEqual([]);
  });

  test('starts where it is', () => {
    const fake = new Fake(graphOf(units), {}, { 'dep.service': 'active' });
    fake.ask(request('start', 'a.service'));
    expect(active(fake)).toEqual(['a.service', 'dep.service']);
  });

  test('a stop of the other stops it', () => {
    const fake = new Fake(graphOf(units), {}, { 'a.service': 'active', 'dep.service': 'active' });
    fake.ask(request('stop', 'dep.service'));
    expect(active(fake)).toEqual([]);
  });

  test('a start of the other that ends inactive counts as failure', () => {
    const fake = new Fake(graphOf({ 'both.target': { Wants: 'a.service dep.service' }, ...units }), {
      'dep.service': 'oneshot',
    });
    fake.ask(request('start', 'both.target'));
    expect(fake.result('start', 'a.service')).toBe('dependency');
  });
});

describe('BindsTo=', () => {
  const units = { 'a.service': { BindsTo: 'dep.service', After: 'dep.service' } };

  test.each(['inactive', 'failed'] as const)('stops with the other when that becomes %s', (state) => {
    const fake = new Fake(graphOf(units), {}, { 'a.service': 'active', 'dep.service': 'active' });
    fake.change('dep.service', state);
    expect(active(fake)).toEqual([]);
    expect(fake.result('stop', 'a.service')).toBe('done');
  });

  test('does not start beside a condition that fails in the other', () => {
    const fake = new Fake(graphOf(units), { 'dep.service': 'condition' });
    fake.ask(request('start', 'a.service'));
    expect(fake.result('start', 'a.service')).toBe('dependency');
    expect(active(fake)).toEqual([]);
  });

  test('without After=, is stopped again when the other turns out to be down', () => {
    const fake = new Fake(graphOf({ 'a.service': { BindsTo: 'dep.service' } }), { 'dep.service': 'oneshot' });
    fake.ask(request('start', 'a.service'));
    expect(active(fake)).toEqual([]);
    expect(fake.result('stop', 'a.service')).toBe('done');
  });
});

describe('Wants=', () => {
  test('neither a stop nor a failure of the other matters', () => {
    const fake = new Fake(graphOf({ 'a.service': { Wants: 'dep.service', After: 'dep.service' } }), {
      'dep.service': 'fails',
    });
    fake.ask(request('start', 'a.service'));
    expect(active(fake)).toEqual(['a.service']);
    expect(fake.result('start', 'dep.service')).toBe('failed');
  });

  test('a restart of the other leaves the dependent running', () => {
    const fake = new Fake(
      graphOf({ 'a.service': { Wants: 'dep.service' } }),
      {},
      { 'a.service': 'active', 'dep.service': 'active' },
    );
    fake.ask(request('restart', 'dep.service'));
    expect(fake.log).not.toContain('stop a.service');
  });
});

describe('PartOf=', () => {
  const units = { 'a.service': { PartOf: 'dep.service' } };

  test('a start of the other does nothing', () => {
    const fake = new Fake(graphOf(units));
    fake.ask(request('start', 'dep.service'));
    expect(active(fake)).toEqual(['dep.service']);
  });

  test('a stop and a restart of the other are passed on', () => {
    const fake = new Fake(graphOf(units), {}, { 'a.service': 'active', 'dep.service': 'active' });
    fake.ask(request('restart', 'dep.service'));
    expect(fake.log).toContain('start a.service');
    fake.ask(request('stop', 'dep.service'));
    expect(active(fake)).toEqual([]);
  });

  test('a restart of the part leaves the whole alone', () => {
    const fake = new Fake(graphOf(units), {}, { 'a.service': 'active', 'dep.service': 'active' });
    fake.ask(request('restart', 'a.service'));
    expect(fake.log).not.toContain('stop dep.service');
  });
});

describe('Conflicts=', () => {
  test.each([
    ['a.service', 'b.service'],
    ['b.service', 'a.service'],
  ])('a start of %s stops %s, whoever wrote it down', (started, stopped) => {
    const fake = new Fake(graphOf({ 'a.service': { Conflicts: 'b.service' } }), {}, { [stopped]: 'active' });
    fake.ask(request('start', started));
    expect(active(fake)).toEqual([started]);
  });

  test('in either order of After=, the stop comes first', () => {
    const fake = new Fake(
      graphOf({ 'a.service': { Conflicts: 'b.service', Before: 'b.service' } }),
      {},
      { 'b.service': 'active' },
    );
    fake.ask(request('start', 'a.service'));
    expect(fake.log).toEqual(['stop b.service', 'done stop b.service', 'start a.service', 'done start a.service']);
  });

  test('a unit that came up by itself stops what it conflicts with', () => {
    const fake = new Fake(graphOf({ 'a.service': { Conflicts: 'b.service' } }), {}, { 'b.service': 'active' });
    fake.change('a.service', 'active');
    expect(active(fake)).toEqual(['a.service']);
  });
});

describe('OnFailure= and OnSuccess=', () => {
  test('a failure starts every unit that is named, a missing one aside', () => {
    const fake = new Fake(
      graphOf({
        'a.service': { OnFailure: 'b.service gone.service c.service' },
        'gone.service': { loadState: 'not-found' },
      }),
      { 'a.service': 'fails' },
    );
    fake.ask(request('start', 'a.service'));
    expect(active(fake)).toEqual(['b.service', 'c.service']);
  });

  test('not while an automatic restart is coming', () => {
    const fake = new Fake(graphOf({ 'a.service': { OnFailure: 'b.service' } }), {}, { 'a.service': 'active' });
    fake.change('a.service', 'activating', { through: 'failed', result: 'exit-code' });
    expect(active(fake)).toEqual([]);
  });

  test('with mode replace and units that conflict, one of the two survives', () => {
    const fake = new Fake(
      graphOf({ 'a.service': { OnFailure: 'b.service c.service' }, 'b.service': { Conflicts: 'c.service' } }),
      { 'a.service': 'fails' },
    );
    fake.ask(request('start', 'a.service'));
    expect(active(fake)).toHaveLength(1);
  });

  test('rules that chase each other come to rest, and say so', () => {
    const fake = new Fake(
      graphOf({
        'g.service': { Wants: 'e.service' },
        'e.service': { Requisite: 'down.service', OnFailure: 'g.service' },
      }),
      { 'g.service': 'slow' },
    );
    fake.ask(request('start', 'g.service'));
    expect(fake.effects).toContainEqual({
      type: 'log',
      params: expect.objectContaining({ unit: 'g.service', message: expect.stringContaining('16 times in 10 s') }),
    });
    expect(fake.jobs()).toEqual(['start g.service']);
  });

  test('a clean end starts OnSuccess=, a failure does not', () => {
    const graph = graphOf({ 'a.service': { OnSuccess: 'b.service' } });
    const well = new Fake(graph, { 'a.service': 'oneshot' });
    well.ask(request('start', 'a.service'));
    expect(active(well)).toEqual(['b.service']);
    const badly = new Fake(graph, { 'a.service': 'fails' });
    badly.ask(request('start', 'a.service'));
    expect(active(badly)).toEqual([]);
  });

  test('a job that ends by a failed dependency triggers OnFailure= as well', () => {
    const fake = new Fake(
      graphOf({ 'a.service': { Requires: 'dep.service', After: 'dep.service', OnFailure: 'help.service' } }),
      { 'dep.service': 'fails' },
    );
    fake.ask(request('start', 'a.service'));
    expect(active(fake)).toEqual(['help.service']);
  });
});

describe('ordering', () => {
  test('units of one request that are ordered start strictly one after the other', () => {
    const slow = { 'a.service': 'slow', 'b.service': 'slow', 'c.service': 'slow' } as const;
    const fake = new Fake(graphOf({ 'a.service': { Before: 'b.service' }, 'c.service': { After: 'b.service' } }), slow);
    fake.ask(request('start', 'c.service b.service a.service'));
    expect(fake.log).toEqual(['start a.service']);
    fake.change('a.service', 'active');
    expect(fake.log).toEqual(['start a.service', 'done start a.service', 'start b.service']);
    fake.change('b.service', 'active');
    fake.change('c.service', 'active');
    expect(fake.jobs()).toEqual([]);
    expect(active(fake)).toEqual(['a.service', 'b.service', 'c.service']);
  });

  test('a unit after itself, and two after each other, still start', () => {
    const fake = new Fake(
      graphOf({ 'a.service': { After: 'a.service b.service' }, 'b.service': { After: 'a.service' } }),
    );
    const answer = fake.ask(request('start', 'a.service b.service'));
    expect(active(fake)).toEqual(['a.service', 'b.service']);
    expect(answer).toMatchObject({ cuts: [{ ring: ['a.service', 'b.service'] }] });
  });

  test('it holds across requests', () => {
    const fake = new Fake(graphOf({ 'b.service': { After: 'a.service' } }), { 'a.service': 'slow' });
    fake.ask(request('start', 'a.service'));
    fake.ask(request('start', 'b.service'));
    expect(fake.log).toEqual(['start a.service']);
    fake.change('a.service', 'failed');
    expect(active(fake)).toEqual(['b.service']);
  });

  test('a ring that only two requests together make is cut, and nothing waits for ever', () => {
    const graph = graphOf({
      'a.service': { After: 'b.service' },
      'b.service': { After: 'c.service' },
      'c.service': { After: 'a.service x.service' },
    });
    const fake = new Fake(graph, { 'x.service': 'slow' });
    fake.ask(request('start', 'x.service c.service b.service'));
    expect(fake.jobs()).toHaveLength(3);
    fake.ask(request('start', 'a.service'));
    fake.change('x.service', 'active');
    expect(fake.jobs()).toEqual([]);
    expect(active(fake)).toEqual(['a.service', 'b.service', 'c.service', 'x.service']);
  });
});

describe('isolate', () => {
  test('is refused without AllowIsolate=', () => {
    const fake = new Fake(graphOf({ 'a.target': {} }));
    expect(fake.ask(request('start', 'a.target', 'isolate'))).toMatchObject({ refused: { error: 'NoIsolation' } });
    const lost = new Fake(graphOf({ 'b.target': { loadState: 'not-found' } }));
    expect(lost.ask(request('start', 'b.target', 'isolate'))).toMatchObject({
      refused: { error: 'NoIsolation', details: ['b.target not found'] },
    });
  });

  test('stops all others, but those with IgnoreOnIsolate=', () => {
    const fake = new Fake(
      graphOf({
        'a.target': { AllowIsolate: true, Wants: 'w.service' },
        'other.service': {},
        'kept.service': { IgnoreOnIsolate: true },
        '-.slice': { perpetual: true },
      }),
      {},
      { 'other.service': 'active', 'kept.service': 'active', '-.slice': 'active' },
    );
    fake.ask(request('start', 'a.target', 'isolate'));
    expect(active(fake)).toEqual(['-.slice', 'a.target', 'kept.service', 'w.service']);
  });

  test('cancels what is queued and not part of it', () => {
    const fake = new Fake(graphOf({ 'a.target': { AllowIsolate: true }, 'q.service': {} }), { 'q.service': 'slow' });
    fake.ask(request('start', 'q.service'));
    fake.ask(request('start', 'a.target', 'isolate'));
    expect(fake.result('start', 'q.service')).toBe('canceled');
    fake.change('q.service', 'inactive');
    expect(fake.jobs()).toEqual([]);
  });
});

describe('RefuseManualStart= and RefuseManualStop=', () => {
  const graph = graphOf({
    'r.service': { RefuseManualStart: true, RefuseManualStop: true },
    'user.service': { Requires: 'r.service' },
  });

  test.each(['start', 'stop', 'restart', 'try-restart', 'reload-or-restart'] as const)('%s is refused', (verb) => {
    const fake = new Fake(graph);
    const answer = fake.ask(request(verb, 'r.service'));
    expect(answer).toMatchObject({ refused: { error: 'OnlyByDependency', unit: 'r.service' } });
  });

  test('a start by dependency works', () => {
    const fake = new Fake(graph);
    fake.ask(request('start', 'user.service'));
    expect(active(fake)).toEqual(['r.service', 'user.service']);
  });

  test('an automatic request is not manual', () => {
    const fake = new Fake(graph);
    fake.ask({ ...request('start', 'r.service'), automatic: true });
    expect(active(fake)).toEqual(['r.service']);
  });
});

describe('StopWhenUnneeded= and Upholds=', () => {
  test('a unit that nobody needs any more is stopped', () => {
    const fake = new Fake(graphOf({ 'a.service': { Wants: 'h.service' }, 'h.service': { StopWhenUnneeded: true } }));
    fake.ask(request('start', 'a.service'));
    expect(active(fake)).toEqual(['a.service', 'h.service']);
    fake.ask(request('stop', 'a.service'));
    expect(active(fake)).toEqual([]);
  });

  test('an upheld unit that went down is started again, sixteen times in ten seconds at most', () => {
    const fake = new Fake(
      graphOf({ 'a.service': { Upholds: 'u.service' } }),
      { 'u.service': 'fails' },
      { 'a.service': 'active' },
    );
    fake.change('u.service', 'inactive', { result: 'success' });
    const starts = () => fake.log.filter((line) => line === 'start u.service').length;
    const first = starts();
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThanOrEqual(16);
    fake.advanceTo(10_000);
    expect(starts()).toBeGreaterThan(first);
  });
});

describe('a job', () => {
  test('that waits for a stop to end asks again when the unit is down', () => {
    const fake = new Fake(graphOf({ 'a.service': {} }), { 'a.service': 'slow' }, { 'a.service': 'active' });
    fake.ask(request('stop', 'a.service'));
    fake.ask(request('start', 'a.service'));
    expect(fake.log).toEqual(['stop a.service', 'canceled stop a.service']);
    expect(fake.job('a.service')).toMatchObject({ type: 'start', state: 'waiting', blockers: 0 });
    fake.change('a.service', 'inactive');
    expect(fake.log.at(-1)).toBe('start a.service');
  });

  test('to start what is active is done at once', () => {
    const fake = new Fake(graphOf({ 'a.service': {} }), {}, { 'a.service': 'active' });
    fake.ask(request('start', 'a.service'));
    expect(fake.log).toEqual(['done start a.service']);
  });

  test('of a unit that never answers ends by JobRunningTimeoutSec=, with its action', () => {
    const fake = new Fake(
      graphOf({ 'a.service': { JobRunningTimeoutSec: 3000, JobTimeoutAction: 'reboot', OnFailure: 'h.service' } }),
      { 'a.service': 'slow' },
    );
    fake.ask(request('start', 'a.service'));
    fake.advanceTo(2999);
    expect(fake.job('a.service')).toBeDefined();
    fake.advanceTo(3000);
    expect(fake.result('start', 'a.service')).toBe('timeout');
    expect(fake.effects.some(({ type }) => type === 'jobTimeoutAction')).toBe(true);
    expect(fake.states['a.service']).toBe('activating');
    expect(active(fake)).toEqual(['h.service']);
  });

  test('that waits for others ends by JobTimeoutSec= as well', () => {
    const fake = new Fake(graphOf({ 'a.service': { After: 'b.service', JobTimeoutSec: 50 } }), { 'b.service': 'slow' });
    fake.ask(request('start', 'a.service b.service'));
    fake.advanceTo(60);
    expect(fake.result('start', 'a.service')).toBe('timeout');
    fake.change('b.service', 'active');
    expect(active(fake)).toEqual(['b.service']);
  });

  test('that is canceled fails those that need it', () => {
    const fake = new Fake(graphOf({ 'a.service': { Requires: 'b.service', After: 'b.service' } }), {
      'b.service': 'slow',
    });
    fake.ask(request('start', 'a.service'));
    fake.post('jobs', { type: 'cancel', ids: [fake.job('b.service')?.id], by: 'a test' });
    fake.run();
    expect(fake.result('start', 'b.service')).toBe('canceled');
    expect(fake.result('start', 'a.service')).toBe('dependency');
    expect(fake.actors()).toEqual([]);
  });

  test('of a device waits for it and asks nobody', () => {
    const fake = new Fake(
      graphOf({ 'm.service': { Requires: 'd.device', After: 'd.device' }, 'd.device': { canStart: false } }),
    );
    fake.ask(request('start', 'm.service'));
    expect(fake.log).toEqual([]);
    fake.change('d.device', 'active');
    expect(active(fake)).toEqual(['d.device', 'm.service']);
  });

  test('of a service that restarts itself ends with the first try', () => {
    const fake = new Fake(graphOf({ 'a.service': {} }), { 'a.service': 'slow' });
    fake.ask(request('start', 'a.service'));
    fake.change('a.service', 'activating', { through: 'failed', result: 'exit-code' });
    expect(fake.result('start', 'a.service')).toBe('failed');
    expect(fake.jobs()).toEqual([]);
  });

  test('takes no older news for its answer', () => {
    const fake = new Fake(
      graphOf({ 'a.service': { canReload: true } }),
      { 'a.service': 'deaf' },
      { 'a.service': 'active' },
    );
    fake.ask(request('reload', 'a.service'));
    fake.change('a.service', 'active');
    expect(fake.job('a.service')).toMatchObject({ type: 'reload', state: 'running' });
    fake.ask(request('stop', 'a.service'));
    fake.change('a.service', 'active');
    expect(fake.job('a.service')).toMatchObject({ type: 'stop', state: 'running' });
  });

  test('a second reload runs after the first, which may have read the old configuration', () => {
    const fake = new Fake(
      graphOf({ 'a.service': { canReload: true } }),
      { 'a.service': 'deaf' },
      { 'a.service': 'active' },
    );
    fake.ask(request('reload', 'a.service'));
    fake.change('a.service', 'reloading');
    fake.ask(request('reload', 'a.service'));
    expect(fake.job('a.service')).toMatchObject({ state: 'waiting' });
    fake.change('a.service', 'active', { reload: 'done' });
    expect(fake.log.filter((line) => line === 'reload a.service')).toHaveLength(2);
  });

  test('the end of the last is told', () => {
    const fake = new Fake(graphOf({ 'a.service': {} }));
    fake.ask(request('start', 'a.service'));
    expect(fake.effects.map(({ type }) => type)).toContain('allJobsOver');
  });

  test('a try-restart of what is down is nothing to do, and is said to be done', () => {
    const fake = new Fake(graphOf({ 'a.service': {} }));
    const answer = fake.ask(request('try-restart', 'a.service'));
    expect(answer).toMatchObject({ accepted: { 'a.service': expect.any(Number) } });
    expect(fake.log).toEqual(['done nop a.service']);
  });
});

describe('CollectMode= of jobs that only wait', () => {
  test('a job of a device is collected when no job waits for it any more', () => {
    const fake = new Fake(
      graphOf({
        'a.service': { Wants: 'dev-x.device', After: 'dev-x.device' },
        'dev-x.device': { canStart: false, canStop: false },
      }),
    );
    fake.ask(request('start', 'a.service'));
    expect(fake.jobs()).toEqual(['start dev-x.device', 'start a.service']);
    fake.post('jobs', { type: 'cancel', ids: [fake.job('a.service')?.id as number], by: 'a test' });
    fake.run();
    expect(fake.result('start', 'dev-x.device')).toBe('collected');
    expect(fake.jobs()).toEqual([]);
  });

  test('one that was asked for by name stays', () => {
    const fake = new Fake(
      graphOf({
        'a.service': { Wants: 'dev-x.device', After: 'dev-x.device' },
        'dev-x.device': { canStart: false, canStop: false },
      }),
    );
    fake.ask(request('start', 'dev-x.device'));
    fake.ask(request('start', 'a.service'));
    fake.post('jobs', { type: 'cancel', ids: [fake.job('a.service')?.id as number], by: 'a test' });
    fake.run();
    expect(fake.jobs()).toEqual(['start dev-x.device']);
  });
});

describe('Upholds= is a level', () => {
  test('a start that a job forbids now is asked for again', () => {
    const fake = new Fake(
      graphOf({
        'base.service': {},
        'a.service': { Requires: 'base.service', After: 'base.service' },
        'keeper.service': { Upholds: 'a.service' },
      }),
      { 'base.service': 'slow' },
      { 'keeper.service': 'active', 'base.service': 'active', 'a.service': 'active' },
    );
    // a.service is down, and what it needs is being stopped: job mode fail cannot start it now.
    fake.ask(request('stop', 'base.service'));
    fake.settle();
    expect(active(fake)).toEqual(['keeper.service']);
    fake.advanceTo(fake.nowMs + 1_000);
    fake.settle();
    expect(active(fake)).toEqual(['a.service', 'base.service', 'keeper.service']);
  });
});

describe('jobs of one unit that contradict each other', () => {
  test('a start is not given up for a stop that then goes as well', () => {
    const fake = new Fake(
      graphOf({
        'all.target': { Requires: 'needed.service', Wants: 'a.service foe.service' },
        'foe.service': { Conflicts: 'a.service' },
        'a.service': { PropagatesStopTo: 'needed.service' },
      }),
    );
    fake.ask(request('start', 'all.target'));
    expect(active(fake)).toEqual(['a.service', 'all.target', 'needed.service']);
  });

  test('what mattered only by way of a job that was dropped gives way', () => {
    const fake = new Fake(
      graphOf({
        'a.service': { Conflicts: 'b.target c.target', Wants: 'b.target' },
        'd.service': { BindsTo: 'c.target', PropagatesStopTo: 'a.service' },
      }),
    );
    expect(fake.ask(request('start', 'a.service'))).toMatchObject({ jobs: 1 });
    expect(active(fake)).toEqual(['a.service']);
  });
});

test.each(['deaf', 'slow'] as const)(
  'a job whose unit leaves memory all the same is over, and so are those that wait for it (%s)',
  (manner) => {
    const fake = new Fake(graphOf({ 'a.service': {}, 'b.service': { Requires: 'a.service', After: 'a.service' } }), {
      'a.service': manner,
    });
    fake.ask(request('start', 'b.service'));
    expect(fake.jobs()).toHaveLength(2);
    fake.post('jobs', { type: 'units-unloaded', names: ['a.service'] });
    fake.run();
    expect(fake.log).toContain('failed start a.service');
    expect(fake.log).toContain('dependency start b.service');
    expect(fake.jobs()).toEqual([]);
  },
);
