/** When a service starts again by itself, and when it may not. Sources: systemd.service(5), table 2; systemd.unit(5), StartLimitBurst=. */
import { describe, expect, test } from 'vitest';
import type { Ended } from '../../src/machines/protocol.ts';
import type { RestartPolicy } from '../../src/units/types.ts';
import type { SettingsChange } from '../model/service-settings.ts';
import { ServiceDriver } from './support/service-driver.ts';

const SIGKILL = 9;
const policies: readonly RestartPolicy[] = [
  'no',
  'always',
  'on-success',
  'on-failure',
  'on-abnormal',
  'on-abort',
  'on-watchdog',
];

const ends = (ended: Ended) => (service: ServiceDriver) => service.exited('main', ended);

/** The rows of the table, with the policies that are crossed in it. */
const rows: readonly [
  cause: string,
  policies: readonly RestartPolicy[],
  change: SettingsChange,
  happen: (service: ServiceDriver) => void,
][] = [
  ['a clean exit code', ['always', 'on-success'], {}, ends({ exited: 0 })],
  ['a clean signal', ['always', 'on-success'], {}, ends({ killed: 15 })],
  ['an unclean exit code', ['always', 'on-failure'], {}, ends({ exited: 1 })],
  ['an unclean signal', ['always', 'on-failure', 'on-abnormal', 'on-abort'], {}, ends({ killed: SIGKILL })],
  ['a core dump', ['always', 'on-failure', 'on-abnormal', 'on-abort'], {}, ends({ dumped: 11 })],
  [
    'a time-out',
    ['always', 'on-failure', 'on-abnormal'],
    { RuntimeMaxSec: 1_000 },
    (service) => {
      service.expire('RuntimeMaxSec');
      service.exited('main', { killed: 15 });
    },
  ],
  [
    'a missed keep-alive',
    ['always', 'on-failure', 'on-abnormal', 'on-watchdog'],
    { WatchdogSec: 1_000 },
    (service) => {
      service.expire('WatchdogSec');
      service.exited('main', { dumped: 6 });
    },
  ],
];

const table = rows.flatMap(([cause, restarting, change, happen]) =>
  policies.map((policy) => ({ cause, policy, restarts: restarting.includes(policy), change, happen })),
);

describe('Restart=', () => {
  test.each(table)('$policy after $cause: restarts is $restarts', ({ policy, restarts, change, happen }) => {
    const service = new ServiceDriver({ ...change, Restart: policy }).up();
    happen(service);
    expect(service.context.active).toBe(restarts ? 'activating' : service.result === 'success' ? 'inactive' : 'failed');
    expect(service.state.endsWith('/auto-restart')).toBe(restarts);
  });

  test('asks for a restart job of its own when RestartSec= is over, and counts it', () => {
    const service = new ServiceDriver({ Restart: 'always', RestartSec: 250 }).up();
    service.exited('main', { exited: 1 });
    expect(service.context.deadline).toEqual({ name: 'RestartSec', dueMs: 1_250 });
    expect(service.all('requestJob')).toEqual([]);
    service.expire('RestartSec');
    expect(service.all('requestJob')).toEqual([
      { verb: 'restart', unit: null, mode: 'replace', why: 'Restart=always after exit-code' },
    ]);
    expect(service.context.nRestarts).toBe(1);
    service.send({ type: 'stop', restarting: true });
    expect(service.state).toBe('inactive/dead');
    service.up();
    expect(service.state).toBe('active/running');
    expect(service.context.nRestarts).toBe(1);
  });

  test('asks again for a restart job that has not come, and counts it once', () => {
    const service = new ServiceDriver({ Restart: 'always' }).up();
    service.exited('main', { exited: 1 });
    service.expire('RestartSec');
    service.expire('restart-job');
    expect(service.all('requestJob')).toHaveLength(2);
    expect(service.context.nRestarts).toBe(1);
  });

  test('does not apply to a stop on request, however the processes end', () => {
    const service = new ServiceDriver({ Restart: 'always' }).up();
    service.send({ type: 'stop' });
    service.exited('main', { killed: SIGKILL });
    expect(service.state).toBe('failed/failed');
    expect(service.result).toBe('signal');
  });

  test('is given up when the restart job is refused', () => {
    const service = new ServiceDriver({ Restart: 'on-failure' }).up();
    service.exited('main', { exited: 1 });
    service.expire('RestartSec');
    service.send({ type: 'job-refused', why: 'shutting down' });
    expect(service.state).toBe('failed/failed');
    expect(service.result).toBe('exit-code');
  });

  test('a stop while it waits for the next life ends it at once, and a failure is no failure any more', () => {
    const service = new ServiceDriver({ Restart: 'always' }).up();
    service.exited('main', { exited: 1 });
    service.send({ type: 'stop' });
    expect(service.state).toBe('inactive/dead');
    expect(service.context.deadline).toBeNull();
  });

  test('the end of a life is told even where the next state is a new beginning', () => {
    const service = new ServiceDriver({ Restart: 'always' }).up();
    service.exited('main', { exited: 3 });
    expect(service.all('ended')).toEqual([
      { active: 'failed', result: 'exit-code', restarting: true, why: 'Restart=always' },
    ]);
    expect(service.context.downs).toBe(1);
  });

  test('what was started by a restart counts from nothing after a start on request', () => {
    const service = new ServiceDriver({ Restart: 'on-failure' }).up();
    service.exited('main', { exited: 1 });
    service.expire('RestartSec');
    service.send({ type: 'stop', restarting: true });
    service.up();
    service.exited('main', { exited: 0 });
    expect(service.context.nRestarts).toBe(1); // still there to be looked at
    service.up();
    expect(service.context.nRestarts).toBe(0);
  });
});

describe('exceptions to Restart=', () => {
  const prevented: SettingsChange = { Restart: 'always', RestartPreventExitStatus: { statuses: [203], signals: [13] } };

  test.each<[string, Ended, boolean]>([
    ['status 203', { exited: 203 }, false],
    ['SIGPIPE', { killed: 13 }, false],
    ['status 1', { exited: 1 }, true],
    ['SIGHUP', { killed: 1 }, true],
  ])('RestartPreventExitStatus=203 SIGPIPE after %s', (_, ended, restarts) => {
    const service = new ServiceDriver(prevented).up();
    service.exited('main', ended);
    expect(service.state.endsWith('/auto-restart')).toBe(restarts);
  });

  test('RestartForceExitStatus= restarts where Restart=no would not', () => {
    const service = new ServiceDriver({ Restart: 'no', RestartForceExitStatus: { statuses: [7], signals: [] } }).up();
    service.exited('main', { exited: 7 });
    expect(service.state).toBe('activating/auto-restart');
  });

  test('neither looks at other processes than the main one', () => {
    const service = new ServiceDriver({
      Restart: 'no',
      ExecStartPre: ['/bin/pre'],
      RestartForceExitStatus: { statuses: [7], signals: [] },
    });
    service.send({ type: 'start' });
    service.ran('control', 7);
    expect(service.state).toBe('failed/failed');
  });

  test('SuccessExitStatus= makes a status and a signal clean, but never a core dump', () => {
    const change: SettingsChange = { SuccessExitStatus: { statuses: [143], signals: [9, 11] } };
    for (const ended of [{ exited: 143 }, { killed: SIGKILL }]) {
      const service = new ServiceDriver(change).up();
      service.exited('main', ended);
      expect(service.state).toBe('inactive/dead');
    }
    const dumped = new ServiceDriver(change).up();
    dumped.exited('main', { dumped: 11 });
    expect(dumped.result).toBe('core-dump');
  });

  test('a signal is unclean for Type=oneshot, though not for daemons', () => {
    const oneshot = new ServiceDriver({ Type: 'oneshot' }).up();
    oneshot.exited('main', { killed: 15 });
    expect(oneshot.result).toBe('signal');
    const daemon = new ServiceDriver().up();
    daemon.exited('main', { killed: 15 });
    expect(daemon.result).toBe('success');
  });
});

describe('the start limit', () => {
  const fail = (service: ServiceDriver) => service.up().exited('main', { exited: 1 });

  test('lets five starts in ten seconds pass, refuses the sixth for as long as the window lasts, and then begins anew', () => {
    const service = new ServiceDriver();
    for (let start = 0; start < 5; start += 1) {
      service.up();
      service.exited('main', { exited: 0 });
    }
    service.send({ type: 'start' });
    expect(service.state).toBe('failed/failed');
    expect(service.result).toBe('start-limit-hit');
    service.nowMs = 1_000 + 9_000;
    service.send({ type: 'start' });
    expect(service.state).toBe('failed/failed');
    service.nowMs = 1_000 + 10_001;
    service.up();
    expect(service.state).toBe('active/running');
    expect(service.context.startLimitHit).toBe(false);
  });

  test('keeps naming the failure that came before it', () => {
    const service = new ServiceDriver({ StartLimitBurst: 1 });
    fail(service);
    service.send({ type: 'start' });
    expect(service.result).toBe('exit-code');
    expect(service.context.startLimitHit).toBe(true);
    expect(service.context.downs).toBe(2);
  });

  test('ends a loop of automatic restarts', () => {
    const service = new ServiceDriver({ Restart: 'always', StartLimitBurst: 3, RestartSec: 100 });
    for (let life = 0; life < 3; life += 1) {
      fail(service);
      service.expire('RestartSec');
      service.send({ type: 'stop', restarting: true });
    }
    service.send({ type: 'start' });
    expect(service.state).toBe('failed/failed');
    expect(service.context.nRestarts).toBe(3); // as systemd 252 shows it
    expect(service.all('spawn')).toHaveLength(3);
  });

  test.each<SettingsChange>([{ StartLimitBurst: 0 }, { StartLimitIntervalSec: 0 }])('is off with %o', (change) => {
    const service = new ServiceDriver(change);
    for (let start = 0; start < 50; start += 1) fail(service);
    expect(service.all('spawn')).toHaveLength(50);
  });

  test('is forgotten by reset-failed', () => {
    const service = new ServiceDriver({ StartLimitBurst: 1 });
    fail(service);
    service.send({ type: 'start' });
    service.send({ type: 'reset-failed' });
    expect(service.state).toBe('inactive/dead');
    expect(service.result).toBe('success');
    service.up();
    expect(service.state).toBe('active/running');
  });

  test('has its own action, and the failure has its own, once', () => {
    const service = new ServiceDriver({ StartLimitBurst: 1, StartLimitAction: 'reboot', FailureAction: 'poweroff' });
    fail(service);
    service.send({ type: 'start' });
    expect(service.all('unitAction').map(({ setting, action, exitStatus }) => [setting, action, exitStatus])).toEqual([
      ['FailureAction', 'poweroff', 1],
      ['StartLimitAction', 'reboot', null],
    ]);
  });
});
