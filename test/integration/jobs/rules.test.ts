/**
 * The rules of jobs with the real init and core: dependencies, isolate, refusals, start limits, time-outs. One system for
 * all of them; each test has units of its own.
 */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bootSmall } from '../faults/small.ts';
import { eventually, type System, systemsMissing } from '../support/system.ts';

const missing = systemsMissing();
const unit = (...lines: string[]) => `[Unit]\n${lines.join('\n')}\n`;
const daemon = (...lines: string[]) => `${unit(...lines)}[Service]\nExecStart=/bin/sleep 1000\n`;
const oneshot = (command: string, ...lines: string[]) =>
  `${unit(...lines)}[Service]\nType=oneshot\nExecStart=${command}\n`;
/** Ends when its file is there. */
const until = (file: string, status = 0) =>
  `/bin/sh -c 'until [ -e /run/${file} ]; do sleep 0.05; done; exit ${status}'`;

const units: Record<string, string> = {
  // A dependency that does not exist.
  'm-requires.service': daemon('Requires=gone.service'),
  'm-requisite.service': daemon('Requisite=gone.service'),
  'm-bindsto.service': daemon('BindsTo=gone.service'),
  'm-wants.service': daemon('Wants=gone.service'),
  'm-partof.service': daemon('PartOf=gone.service'),
  // One that is stopped, ends by itself, or has a condition that does not hold.
  'dep.service': daemon(),
  'd-requires.service': daemon('Requires=dep.service', 'After=dep.service'),
  'd-wants.service': daemon('Wants=dep.service', 'After=dep.service'),
  'd-bindsto.service': daemon('BindsTo=dep.service', 'After=dep.service'),
  'd-partof.service': daemon('PartOf=dep.service'),
  'd-requisite.service': daemon('Requisite=dep.service', 'After=dep.service'),
  'ends.service': `[Service]\nExecStart=${until('end-now')}\n`,
  'e-requires.service': daemon('Requires=ends.service', 'After=ends.service'),
  'e-bindsto.service': daemon('BindsTo=ends.service', 'After=ends.service'),
  'skipped.service': daemon('ConditionPathExists=/run/nowhere'),
  's-requires.service': daemon('Requires=skipped.service', 'After=skipped.service'),
  's-loosely.service': daemon('Requires=skipped.service'),
  's-bindsto.service': daemon('BindsTo=skipped.service', 'After=skipped.service'),
  // Conflicts, and requirements in a ring.
  'foe.service': daemon('Conflicts=friend.service'),
  'friend.service': daemon(),
  'torn.service': daemon('Conflicts=friend.service', 'Requires=friend.service'),
  'left.service': daemon('Requires=right.service'),
  'right.service': daemon('Requires=left.service'),
  'ring-a.service': daemon('After=ring-b.service', 'Wants=ring-b.service'),
  'ring-b.service': daemon('After=ring-a.service ring-b.service'),
  // OnFailure= and OnSuccess=.
  'fails.service': oneshot(
    '/bin/false',
    'OnFailure=alarm-a.service gone.service alarm-b.service',
    'OnSuccess=cheer.service',
  ),
  'works.service': oneshot('/bin/true', 'OnFailure=cheer-not.service', 'OnSuccess=cheer.service'),
  'alarm-a.service': daemon(),
  'alarm-b.service': daemon(),
  'cheer.service': daemon(),
  'cheer-not.service': daemon(),
  'again.service': `${unit('OnFailure=given-up.service', 'StartLimitBurst=3', 'StartLimitIntervalSec=1h')}[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=10ms\n`,
  'given-up.service': daemon(),
  'torn-alarm.service': oneshot('/bin/false', 'OnFailure=one.target other.target', 'OnFailureJobMode=replace'),
  'one.target': unit('Conflicts=other.target'),
  'other.target': unit('Conflicts=one.target'),
  // Before= and After=.
  'first.service': oneshot(`/bin/sh -c 'sleep 0.3; echo first >>/run/order'`, 'Before=second.service'),
  'second.service': oneshot(`/bin/sh -c 'echo second >>/run/order'`),
  'third.service': oneshot(`/bin/sh -c 'echo third >>/run/order'`, 'After=second.service first.service'),
  'all.target': unit('Wants=third.service second.service first.service'),
  // RefuseManualStart= and RefuseManualStop=.
  'refuses.service': daemon('RefuseManualStart=yes', 'RefuseManualStop=yes'),
  'pulls.service': daemon('Requires=refuses.service'),
  // Start limits.
  'thrice.service': oneshot('/bin/true', 'StartLimitBurst=3', 'StartLimitIntervalSec=1h'),
  'briefly.service': oneshot('/bin/true', 'StartLimitBurst=2', 'StartLimitIntervalSec=3s'),
  'freely.service': oneshot('/bin/true', 'StartLimitBurst=0', 'StartLimitIntervalSec=1h'),
  // Time-outs of jobs, and of the phases of a service.
  'job-waits.service': oneshot(until('job-go'), 'JobTimeoutSec=300ms', 'OnFailure=job-alarm.service'),
  'job-alarm.service': daemon(),
  'job-in-time.service': oneshot('/bin/true', 'JobTimeoutSec=30s'),
  'pre.service':
    '[Service]\nExecStartPre=/bin/sleep 1000\nExecStart=/bin/sleep 1000\nTimeoutStartSec=200ms\nExecStopPost=/bin/touch /run/pre-over\n',
  'post.service':
    '[Service]\nExecStart=/bin/sleep 1000\nExecStartPost=/bin/sleep 1000\nTimeoutStartSec=200ms\nExecStopPost=/bin/touch /run/post-over\n',
  'stop.service':
    '[Service]\nExecStart=/bin/sleep 1000\nExecStop=/bin/sleep 1000\nTimeoutStopSec=200ms\nExecStopPost=/bin/touch /run/stop-over\n',
  // Isolation, the last of all.
  'alone.target': unit('AllowIsolate=yes', 'Wants=within.service'),
  'within.service': daemon(),
  'without.service': daemon(),
  'ignored.service': daemon('IgnoreOnIsolate=yes'),
  'not-alone.target': unit(),
  // Job modes, and what is done when a job takes too long.
  'tickled.socket': `${unit()}[Socket]\nListenStream=/run/tickled.sock\n`,
  'tickled.service': daemon(),
  'sweeps.service': oneshot('/bin/false', 'OnFailure=swept.target', 'OnFailureJobMode=isolate'),
  'swept.target': unit('AllowIsolate=yes'),
  'litter.service': daemon(),
  'overdue.service': `${unit('JobTimeoutSec=100ms', 'JobTimeoutAction=exit-force')}[Service]\nType=notify\nExecStart=/bin/sleep 1000\n`,
};

describe.skipIf(missing !== undefined)(`rules of jobs${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let system: System;

  beforeAll(async () => {
    system = await bootSmall({ units });
  });
  afterAll(async () => {
    if (system !== undefined) expect(await system.stop()).toBe(true);
  });

  const sctl = (...args: string[]) => system.sctl(...args);
  const activeOf = (name: string) => sctl('is-active', name).stdout.trim();
  const states = (...names: string[]) =>
    sctl('is-active', ...names)
      .stdout.trim()
      .split('\n');
  const property = (name: string, key: string) => sctl('show', '-p', key, '--value', name).stdout.trim();
  const soon = (name: string, state: string) => eventually(`${name} is ${state}`, () => activeOf(name) === state);
  const up = (...names: string[]) => expect(sctl('start', ...names)).toMatchObject({ status: 0 });

  describe('a dependency that does not exist', () => {
    test.each(['requires', 'requisite', 'bindsto'])('refuses a start by %s', (kind) => {
      const { status, stderr } = sctl('start', `m-${kind}.service`);
      expect(status).toBe(5);
      expect(stderr).toContain('gone.service');
      expect(activeOf(`m-${kind}.service`)).toBe('inactive');
    });
    test.each(['wants', 'partof'])('does not matter to %s', (kind) => {
      up(`m-${kind}.service`);
      expect(activeOf(`m-${kind}.service`)).toBe('active');
    });
  });

  test('a stop is passed on along Requires=, Requisite=, BindsTo= and PartOf=, and not along Wants=', () => {
    up(
      'dep.service',
      'd-requires.service',
      'd-wants.service',
      'd-bindsto.service',
      'd-partof.service',
      'd-requisite.service',
    );
    expect(sctl('stop', 'dep.service').status).toBe(0);
    expect(states('d-requires.service', 'd-bindsto.service', 'd-partof.service', 'd-requisite.service')).toEqual(
      Array(4).fill('inactive'),
    );
    expect(activeOf('d-wants.service')).toBe('active');
  });

  test('Requisite= starts nothing by itself', () => {
    sctl('stop', 'dep.service');
    expect(sctl('start', 'd-requisite.service').status).not.toBe(0);
    expect(states('dep.service', 'd-requisite.service')).toEqual(['inactive', 'inactive']);
  });

  test('a restart is passed on along Requires= and PartOf=, not along Wants=, and not upwards', () => {
    up('dep.service', 'd-requires.service', 'd-wants.service', 'd-partof.service');
    const pids = (...names: string[]) =>
      sctl('show', '-p', 'MainPID', '--value', ...names)
        .stdout.trim()
        .split(/\n+/);
    const before = pids('d-requires.service', 'd-partof.service', 'd-wants.service');
    expect(sctl('restart', 'dep.service').status).toBe(0);
    const after = pids('d-requires.service', 'd-partof.service', 'd-wants.service');
    expect(after.map((pid, index) => pid !== before[index])).toEqual([true, true, false]);
    const dep = property('dep.service', 'MainPID');
    sctl('restart', 'd-partof.service');
    expect(property('dep.service', 'MainPID')).toBe(dep);
  });

  test('an end by itself is passed on along BindsTo= only', async () => {
    up('e-requires.service', 'e-bindsto.service');
    system.inside('touch', '/run/end-now');
    await soon('e-bindsto.service', 'inactive');
    expect(states('ends.service', 'e-requires.service')).toEqual(['inactive', 'active']);
  });

  test('a condition that does not hold matters to BindsTo= only', () => {
    up('s-requires.service', 's-loosely.service');
    expect(sctl('start', 's-bindsto.service').status).not.toBe(0);
    expect(states('skipped.service', 's-requires.service', 's-loosely.service', 's-bindsto.service')).toEqual([
      'inactive',
      'active',
      'active',
      'inactive',
    ]);
  });

  test('Conflicts= works in both directions', () => {
    up('friend.service');
    up('foe.service');
    expect(states('foe.service', 'friend.service')).toEqual(['active', 'inactive']);
    up('friend.service');
    expect(states('foe.service', 'friend.service')).toEqual(['inactive', 'active']);
  });

  test('Conflicts= beside Requires= of one unit is refused, and says of which', () => {
    const { status, stderr } = sctl('start', 'torn.service');
    expect(status).toBe(1);
    expect(stderr).toContain('friend.service');
    expect(activeOf('torn.service')).toBe('inactive');
  });

  test('units that require each other start together', () => {
    up('left.service');
    expect(states('left.service', 'right.service')).toEqual(['active', 'active']);
  });

  test('units that are ordered after each other, and after themselves, start all the same', () => {
    up('ring-a.service');
    expect(states('ring-a.service', 'ring-b.service')).toEqual(['active', 'active']);
  });

  test('OnFailure= starts all it names that exist, and OnSuccess= nothing', async () => {
    expect(sctl('start', 'fails.service').status).toBe(1);
    await soon('alarm-a.service', 'active');
    await soon('alarm-b.service', 'active');
    expect(activeOf('cheer.service')).toBe('inactive');
  });

  test('OnSuccess= is for a good end', async () => {
    up('works.service');
    await soon('cheer.service', 'active');
    expect(activeOf('cheer-not.service')).toBe('inactive');
  });

  test('OnFailure= waits until Restart= has given up', async () => {
    sctl('start', 'again.service');
    await soon('given-up.service', 'active');
    expect(property('again.service', 'NRestarts')).toBe('3');
    expect(activeOf('again.service')).toBe('failed');
  });

  test('of two targets of OnFailure= that conflict, one survives', async () => {
    sctl('start', 'torn-alarm.service');
    await soon('other.target', 'active');
    await soon('one.target', 'inactive');
  });

  test('what is ordered starts strictly one after the other', () => {
    up('all.target');
    expect(system.inside('cat', '/run/order').stdout).toBe('first\nsecond\nthird\n');
  });

  test('RefuseManualStart= and RefuseManualStop= refuse people, not dependencies and signals', async () => {
    for (const verb of ['start', 'restart', 'stop']) {
      const { status, stderr } = sctl(verb, 'refuses.service');
      expect(status).not.toBe(0);
      expect(stderr).toContain('refuse manual start/stop');
    }
    up('pulls.service');
    expect(sctl('stop', 'refuses.service').status).not.toBe(0);
    expect(activeOf('refuses.service')).toBe('active');
    sctl('kill', '--signal=KILL', 'refuses.service');
    await soon('refuses.service', 'failed');
  });

  test('the start after the last that StartLimitBurst= allows is refused, until reset-failed', () => {
    for (let start = 0; start < 3; start += 1) up('thrice.service');
    expect(sctl('start', 'thrice.service').status).toBe(1);
    expect(property('thrice.service', 'Result')).toBe('start-limit-hit');
    sctl('reset-failed', 'thrice.service');
    up('thrice.service');
  });

  test('a start is allowed again when StartLimitIntervalSec= is over', async () => {
    for (let start = 0; start < 2; start += 1) up('briefly.service');
    expect(sctl('start', 'briefly.service').status).toBe(1);
    await eventually('it may start again', () => sctl('start', 'briefly.service').status === 0);
  });

  test('StartLimitBurst=0 is no limit', () => {
    for (let start = 0; start < 7; start += 1) up('freely.service');
  });

  test('JobTimeoutSec= ends the job, not the unit', async () => {
    expect(sctl('start', 'job-waits.service')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(
        /timed out\.\n {2}job \d+ .*: JobTimeoutSec= is over, while job-waits\.service was activating\n$/,
      ),
    });
    expect(activeOf('job-waits.service')).toBe('activating');
    await soon('job-alarm.service', 'active');
    system.inside('touch', '/run/job-go');
    await soon('job-waits.service', 'inactive');
    expect(property('job-waits.service', 'Result')).toBe('success');
    up('job-in-time.service');
  });

  test.each(['pre', 'post'])(
    'TimeoutStartSec= spans ExecStartPre= and ExecStartPost=, and ExecStopPost= runs (%s)',
    (phase) => {
      expect(sctl('start', `${phase}.service`).status).toBe(1);
      expect([activeOf(`${phase}.service`), property(`${phase}.service`, 'Result')]).toEqual(['failed', 'timeout']);
      expect(system.inside('test', '-e', `/run/${phase}-over`).status).toBe(0);
    },
  );

  test('TimeoutStopSec= ends ExecStop=, and ExecStopPost= runs', () => {
    up('stop.service');
    sctl('stop', 'stop.service');
    expect([activeOf('stop.service'), property('stop.service', 'Result')]).toEqual(['failed', 'timeout']);
    expect(system.inside('test', '-e', '/run/stop-over').status).toBe(0);
  });

  test('isolate needs AllowIsolate=, stops the others, and spares IgnoreOnIsolate=', () => {
    expect(sctl('isolate', 'not-alone.target').status).not.toBe(0);
    up('without.service', 'ignored.service');
    expect(sctl('isolate', 'alone.target').status).toBe(0);
    expect(states('alone.target', 'within.service', 'ignored.service', 'without.service')).toEqual([
      'active',
      'active',
      'active',
      'inactive',
    ]);
  });

  test('--job-mode=triggering stops what could start the unit again, and only with it what does not', () => {
    up('tickled.socket', 'tickled.service');
    expect(sctl('stop', 'tickled.service').status).toBe(0);
    expect(states('tickled.socket', 'tickled.service')).toEqual(['active', 'inactive']);
    up('tickled.service');
    expect(sctl('stop', '--job-mode=triggering', 'tickled.service').status).toBe(0);
    expect(states('tickled.socket', 'tickled.service')).toEqual(['inactive', 'inactive']);
  });

  test('OnFailureJobMode=isolate leaves nothing but what OnFailure= names', async () => {
    up('litter.service');
    sctl('start', 'sweeps.service');
    await soon('swept.target', 'active');
    await soon('litter.service', 'inactive');
  });

  // The last one: nothing is left after it.
  test('JobTimeoutAction= ends the system, and no other', async () => {
    sctl('start', '--no-block', 'overdue.service');
    await eventually('the system has ended', () => !existsSync(`/proc/${system.pid}`));
    expect(system.console()).toContain('shutdown: Exit');
    expect(await eventually('its status', () => (system.ended() === undefined ? undefined : [system.ended()]))).toEqual(
      [0],
    );
  });
});
