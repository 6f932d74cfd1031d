/** The commands of a service: in which order, and what a failure at each place does. Source: systemd.service(5). */
import { describe, expect, test } from 'vitest';
import type { Ended } from '../../src/machines/protocol.ts';
import type { SettingsChange } from '../model/service-settings.ts';
import { ServiceDriver } from './support/service-driver.ts';

const full: SettingsChange = {
  Type: 'oneshot',
  ExecCondition: ['/condition'],
  ExecStartPre: ['/pre1', '/pre2'],
  ExecStart: ['/start'],
  ExecStartPost: ['/post1', '/post2'],
  ExecStop: ['/stop1', '/stop2'],
  ExecStopPost: ['/stop-post1', '/stop-post2'],
};

/** Run a unit to its end; commands named in `fails` end as it says. @returns what ran, in order */
function live(change: SettingsChange, fails: Readonly<Record<string, Ended | number>> = {}): ServiceDriver {
  const service = new ServiceDriver(change);
  service.send({ type: 'start' });
  for (let ran = 0; ran < 20; ran += 1) {
    const role = service.context.control !== null ? 'control' : 'main';
    if (service.context[role] === null) return service;
    const { command } = service.asked(role);
    service.ran(role, fails[command.path] ?? 0);
  }
  throw new Error(`no end: ${service.commands.join(' ')}`);
}

const everything = '/condition /pre1 /pre2 /start /post1 /post2 /stop1 /stop2 /stop-post1 /stop-post2'.split(' ');

describe('the order of commands', () => {
  test('of a oneshot is condition, pre, start, post, and at its end stop and stop-post', () => {
    const service = live(full);
    expect(service.commands).toEqual(everything);
    expect(service.state).toBe('inactive/dead');
  });

  test.each<[string, string, string]>([
    ['/pre1', '/condition /pre1 /stop-post1 /stop-post2', 'exit-code'],
    ['/pre2', '/condition /pre1 /pre2 /stop-post1 /stop-post2', 'exit-code'],
    ['/start', '/condition /pre1 /pre2 /start /stop-post1 /stop-post2', 'exit-code'],
    ['/post1', '/condition /pre1 /pre2 /start /post1 /stop-post1 /stop-post2', 'exit-code'],
    ['/post2', '/condition /pre1 /pre2 /start /post1 /post2 /stop-post1 /stop-post2', 'exit-code'],
    ['/stop1', '/condition /pre1 /pre2 /start /post1 /post2 /stop1 /stop-post1 /stop-post2', 'exit-code'],
    ['/stop-post1', '/condition /pre1 /pre2 /start /post1 /post2 /stop1 /stop2 /stop-post1', 'exit-code'],
  ])('a failure of %s skips what is between it and the stop-post commands', (failing, ran, result) => {
    const service = live(full, { [failing]: 1 });
    expect(service.commands).toEqual(ran.split(' '));
    expect(service.state).toBe('failed/failed');
    expect(service.result).toBe(result);
  });

  test.each(everything)('with a dash before it, a failure of %s changes nothing', (failing) => {
    const dashed = Object.fromEntries(
      Object.entries(full).map(([key, value]) => [
        key,
        Array.isArray(value) ? value.map((text) => (text === failing ? `-${text}` : text)) : value,
      ]),
    );
    const service = live(dashed, { [failing]: { killed: 9 } });
    expect(service.commands).toEqual(everything);
    expect(service.state).toBe('inactive/dead');
  });

  test('several commands of a oneshot run one after the other, and the first failure ends it', () => {
    const change: SettingsChange = { Type: 'oneshot', ExecStart: ['/a', '-/b', '/c', '/d'] };
    expect(live(change, { '/b': 1 }).commands).toEqual(['/a', '/b', '/c', '/d']);
    expect(live(change, { '/c': 1 }).commands).toEqual(['/a', '/b', '/c']);
  });

  test('a oneshot without ExecStart= lives and ends in one step, and says so', () => {
    const service = new ServiceDriver({ Type: 'oneshot', ExecStart: [], SuccessAction: 'poweroff' });
    service.send({ type: 'start' });
    expect(service.state).toBe('inactive/dead');
    expect(service.context.downs).toBe(1);
    expect(service.all('unitAction').map(({ setting }) => setting)).toEqual(['SuccessAction']);
  });
});

describe('ExecCondition=', () => {
  const change: SettingsChange = { ExecCondition: ['/condition'], ExecStopPost: ['/stop-post'], Restart: 'always' };

  test.each([1, 254])('status %i skips the unit, which is no failure, and is not tried again', (status) => {
    const service = live(change, { '/condition': status });
    expect(service.commands).toEqual(['/condition', '/stop-post']);
    expect(service.state).toBe('inactive/dead');
    expect(service.result).toBe('exec-condition');
  });

  test.each<[string, Ended, string]>([
    ['status 255', { exited: 255 }, 'exit-code'],
    ['a signal', { killed: 9 }, 'signal'],
  ])('%s fails it', (_, ended, result) => {
    const service = live({ ...change, Restart: 'no' }, { '/condition': ended });
    expect(service.state).toBe('failed/failed');
    expect(service.result).toBe(result);
  });

  test('a binary that is not there ends it with status 203, which skips the unit as systemd 252 does', () => {
    const service = new ServiceDriver({ ...change, Restart: 'no' });
    service.send({ type: 'start' });
    service.forked('control');
    const { run } = service.asked('control');
    const failed = { step: 40, errno: 2, detail: '/condition', exitCode: 203, stepName: 'EXEC', why: 'cannot: ENOENT' };
    service.send({ type: 'spawn-failed', role: 'control', run, serial: run + 100, ...failed });
    service.exited('control', { exited: 203 });
    service.ran('control');
    expect(service.result).toBe('exec-condition');
    expect(service.state).toBe('inactive/dead');
  });

  test('that takes too long fails with the result timeout', () => {
    const service = new ServiceDriver({ ExecCondition: ['/condition'], TimeoutStartSec: 2_000 });
    service.send({ type: 'start' });
    service.forked('control');
    service.expire('TimeoutStartSec');
    service.exited('control', { killed: 15 });
    expect(service.state).toBe('failed/failed');
    expect(service.result).toBe('timeout');
  });
});

describe('a command that cannot be started', () => {
  const failed = { step: 0, errno: 11, detail: 'fork', exitCode: 1, stepName: 'FORK', why: 'cannot: ENOENT' };

  test('for want of processes fails the unit with the result resources, dash or not', () => {
    const service = new ServiceDriver({ ExecStartPre: ['-/pre'] });
    service.send({ type: 'start' });
    service.send({ type: 'spawn-failed', role: 'control', run: service.asked('control').run, serial: null, ...failed });
    expect(service.state).toBe('failed/failed');
    expect(service.result).toBe('resources');
  });

  test('counts once, by its exit, where there was a process', () => {
    const service = new ServiceDriver();
    service.send({ type: 'start' });
    service.forked();
    const { run } = service.asked('main');
    service.send({
      type: 'spawn-failed',
      role: 'main',
      run,
      serial: run + 100,
      ...failed,
      exitCode: 203,
      stepName: 'EXEC',
    });
    expect(service.state).toBe('active/running'); // Type=simple: forked is enough
    service.exited('main', { exited: 203 });
    expect(service.state).toBe('failed/failed');
    expect(service.result).toBe('exit-code');
    expect(service.all('ended')).toHaveLength(1);
  });

  test('is a failed start for Type=exec', () => {
    const service = new ServiceDriver({ Type: 'exec' });
    service.send({ type: 'start' });
    service.forked();
    expect(service.state).toBe('activating/start');
    service.exited('main', { exited: 203 });
    expect(service.state).toBe('failed/failed');
  });
});

describe('stopping', () => {
  test('runs ExecStop= with $MAINPID, then signals, then runs ExecStopPost= with how it ended', () => {
    const service = new ServiceDriver({ ExecStop: ['/stop'], ExecStopPost: ['/stop-post'] }).up();
    service.send({ type: 'stop' });
    expect(service.state).toBe('deactivating/stop');
    expect(service.asked('control').mainPid).toBe(service.context.main?.pid);
    service.ran('control', 0, { populated: true });
    expect(service.state).toBe('deactivating/stop-sigterm');
    service.exited('main', { exited: 5 });
    expect(service.state).toBe('deactivating/stop-post');
    expect(service.asked('control').result).toEqual({ service: 'exit-code', ended: { exited: 5 } });
    service.ran('control');
    expect(service.state).toBe('failed/failed');
  });

  test('a service that was never up has no ExecStop=', () => {
    const service = new ServiceDriver({ Type: 'exec', ExecStop: ['/stop'] });
    service.send({ type: 'start' });
    service.forked();
    service.send({ type: 'stop' });
    expect(service.state).toBe('deactivating/stop-sigterm');
    expect(service.commands).toEqual(['/bin/main']);
  });

  test('before there is a process is obeyed as soon as there is one', () => {
    const service = new ServiceDriver();
    service.send({ type: 'start' });
    service.send({ type: 'stop' });
    expect(service.state).toBe('deactivating/stop-sigterm');
    expect(service.signals(service.forked())).toEqual(['main 15', 'main 18']);
    service.exited('main', { killed: 15 });
    expect(service.state).toBe('inactive/dead');
  });

  test('between two commands of a list lets the second one not begin', () => {
    const service = new ServiceDriver({ ExecStartPre: ['/pre1', '/pre2'] });
    service.send({ type: 'start' });
    service.forked('control');
    service.send({ type: 'stop' });
    service.exited('control', { exited: 0 });
    expect(service.commands).toEqual(['/pre1']);
    expect(service.state).toBe('inactive/dead');
  });

  test('a process that comes to life after nobody waits for it is killed', () => {
    const service = new ServiceDriver();
    service.send({ type: 'start' });
    const { run } = service.asked('main');
    service.send({ type: 'stop' });
    for (const name of ['TimeoutStopSec', 'TimeoutStopSec'] as const) service.expire(name);
    while (service.context.active === 'deactivating') service.expire('TimeoutStopSec');
    expect(service.state).toBe('failed/failed');
    expect(service.signals(service.forked('main', run))).toEqual(['stranger 9']);
  });
});
