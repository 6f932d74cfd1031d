/** Time-outs, watchdog, and who is killed with what. Sources: systemd.service(5), systemd.kill(5), sd_notify(3). */
import { describe, expect, test } from 'vitest';
import type { SettingsChange } from '../model/service-settings.ts';
import { ServiceDriver } from './support/service-driver.ts';

/** A service that is up, with other processes in its group. */
function busy(change: SettingsChange = {}): ServiceDriver {
  const service = new ServiceDriver(change).up();
  service.send({ type: 'populated' });
  return service;
}

describe('KillMode=', () => {
  test('control-group signals the main process and all others, and waits for all of them', () => {
    const service = busy();
    expect(service.signals(service.send({ type: 'stop' }))).toEqual(['main 15', 'main 18', 'group 15', 'group 18']);
    service.exited('main', { killed: 15 }, { populated: true });
    expect(service.state).toBe('deactivating/final-sigterm');
    service.send({ type: 'empty' });
    expect(service.state).toBe('inactive/dead');
    expect(service.all('abandon')).toEqual([]);
  });

  test('mixed terminates the main process, and kills the others once it is gone', () => {
    const service = busy({ KillMode: 'mixed' });
    expect(service.signals(service.send({ type: 'stop' }))).toEqual(['main 15', 'main 18']);
    expect(service.signals(service.exited('main', { killed: 15 }, { populated: true }))).toEqual(['group 9']);
    expect(service.state).toBe('deactivating/final-sigkill');
  });

  test('process leaves the others alone', () => {
    const service = busy({ KillMode: 'process' });
    expect(service.signals(service.send({ type: 'stop' }))).toEqual(['main 15', 'main 18']);
    const last = service.exited('main', { killed: 15 }, { populated: true });
    expect(service.signals(last)).toEqual([]);
    expect(service.state).toBe('inactive/dead');
  });

  test('none leaves everything alone, and says what it leaves', () => {
    const service = busy({ KillMode: 'none' });
    expect(service.signals(service.send({ type: 'stop' }))).toEqual([]);
    expect(service.state).toBe('inactive/dead');
    expect(service.all('abandon').map(({ role }) => role)).toEqual(['main']);
  });

  test('whatever is left of a group goes away later, and its group with it', () => {
    const service = busy({ KillMode: 'process' });
    service.send({ type: 'stop' });
    service.exited('main', { killed: 15 }, { populated: true });
    const effects = service.send({ type: 'empty' });
    expect(effects).toEqual([{ type: 'pruneGroup', params: undefined }]);
  });
});

describe('signals', () => {
  test('SendSIGHUP= follows the first one, and SIGCONT lets stopped processes obey', () => {
    const service = busy({ SendSIGHUP: true });
    const sent = service.signals(service.send({ type: 'stop' }));
    expect(sent).toEqual(['main 15', 'main 18', 'main 1', 'group 15', 'group 18', 'group 1']);
  });

  test('KillSignal=SIGKILL ends the service unclean', () => {
    const service = busy({ KillSignal: 9 });
    expect(service.signals(service.send({ type: 'stop' }))).toEqual(['main 9', 'group 9']);
    service.exited('main', { killed: 9 });
    expect(service.state).toBe('failed/failed');
    expect(service.result).toBe('signal');
  });

  test('RestartKillSignal= is for the stop phase of a restart only', () => {
    for (const [restarting, signal] of [
      [true, 10],
      [false, 15],
    ] as const) {
      const service = new ServiceDriver({ RestartKillSignal: 10 }).up();
      expect(service.signals(service.send({ type: 'stop', restarting }))[0]).toBe(`main ${signal}`);
    }
  });

  test('FinalKillSignal= takes the place of SIGKILL', () => {
    const service = busy({ FinalKillSignal: 3 });
    service.send({ type: 'stop' });
    expect(service.signals(service.expire('TimeoutStopSec'))).toEqual(['main 3', 'main 18', 'group 3', 'group 18']);
  });

  test('an ignored SIGTERM is followed by SIGKILL after TimeoutStopSec=', () => {
    const service = busy({ TimeoutStopSec: 2_000 });
    service.send({ type: 'stop' });
    expect(service.signals(service.expire('TimeoutStopSec'))).toEqual(['main 9', 'group 9']);
    expect(service.nowMs).toBe(3_000);
    expect(service.state).toBe('deactivating/stop-sigkill');
    service.exited('main', { killed: 9 });
    expect(service.state).toBe('failed/failed');
    expect(service.result).toBe('timeout');
  });

  test('SendSIGKILL=no never kills, and does not start a second service beside the first', () => {
    const service = busy({ SendSIGKILL: false, Restart: 'always' });
    service.send({ type: 'stop' });
    service.expire('TimeoutStopSec');
    expect(service.state).toBe('deactivating/final-sigterm');
    service.expire('TimeoutStopSec');
    expect(service.state).toBe('failed/failed');
    expect(service.all('signal').some(({ signal }) => signal === 9)).toBe(false);
    expect(service.all('abandon')).toHaveLength(1);
    service.send({ type: 'start' });
    expect(service.all('spawn')).toHaveLength(1);
    expect(service.state).toBe('failed/failed');
  });

  test('a process that not even SIGKILL ends is left behind, and the unit fails', () => {
    const service = busy();
    service.send({ type: 'stop' });
    for (const sub of ['stop-sigterm', 'stop-sigkill', 'final-sigterm', 'final-sigkill']) {
      expect(service.state).toBe(`deactivating/${sub}`);
      service.expire('TimeoutStopSec');
    }
    expect(service.state).toBe('failed/failed');
    expect(service.context.main).toBeNull();
  });
});

describe('TimeoutStartSec=', () => {
  test('is for each command of its own, as with systemd 252', () => {
    const service = new ServiceDriver({ ExecStartPre: ['/pre1', '/pre2'], Type: 'exec', TimeoutStartSec: 3_000 });
    service.send({ type: 'start' });
    for (const next of [3_000, 5_000]) {
      service.nowMs = next;
      service.ran('control');
      expect(service.context.deadline).toEqual({ name: 'TimeoutStartSec', dueMs: next + 3_000 });
    }
  });

  test.each([
    ['terminate', 'stop-sigterm', 15],
    ['abort', 'stop-watchdog', 6],
    ['kill', 'stop-sigkill', 9],
  ] as const)('TimeoutStartFailureMode=%s leads to %s', (TimeoutStartFailureMode, sub, signal) => {
    const service = new ServiceDriver({ Type: 'exec', TimeoutStartFailureMode });
    service.send({ type: 'start' });
    service.forked();
    expect(service.signals(service.expire('TimeoutStartSec'))[0]).toBe(`main ${signal}`);
    expect(service.state).toBe(`deactivating/${sub}`);
    expect(service.result).toBe('timeout');
  });

  test('may be infinite, which is shown as what is waited for', () => {
    const service = new ServiceDriver({ Type: 'oneshot', TimeoutStartSec: 'infinity' });
    service.send({ type: 'start' });
    expect(service.context.deadline).toEqual({ name: 'TimeoutStartSec', dueMs: 'infinity' });
    expect(service.all('armDeadline')).toEqual([{ name: 'TimeoutStartSec', ms: 'infinity' }]);
  });

  test('is extended by the service, never shortened', () => {
    const service = new ServiceDriver({ Type: 'notify', NotifyAccess: 'main', TimeoutStartSec: 10_000 });
    service.send({ type: 'start' });
    service.forked();
    service.nowMs = 2_000;
    service.notify({ extendTimeoutUsec: 5_000_000 });
    expect(service.context.deadline?.dueMs).toBe(11_000);
    service.notify({ extendTimeoutUsec: 30_000_000 });
    expect(service.context.deadline?.dueMs).toBe(32_000);
  });
});

describe('the phases of stopping', () => {
  const change: SettingsChange = {
    ExecStop: ['/stop1', '/stop2'],
    ExecStopPost: ['/stop-post'],
    TimeoutStopSec: 1_000,
    TimeoutAbortSec: 5_000,
  };

  test('each command has the whole time, and a slow one skips those after it', () => {
    const service = busy(change);
    service.send({ type: 'stop' });
    service.nowMs = 1_900;
    service.ran('control', 0, { populated: true });
    expect(service.context.deadline?.dueMs).toBe(2_900);
    service.forked('control');
    const effects = service.expire('TimeoutStopSec');
    expect(service.signals(effects)).toEqual([
      'main 15',
      'main 18',
      'control 15',
      'control 18',
      'group 15',
      'group 18',
    ]);
    expect(service.state).toBe('deactivating/stop-sigterm');
  });

  test('stop-post runs even then, and may time out itself', () => {
    const service = busy(change);
    service.send({ type: 'stop' });
    service.forked('control');
    service.expire('TimeoutStopSec');
    service.exited('control', { killed: 15 }, { populated: true });
    service.exited('main', { killed: 15 }, { populated: false });
    expect(service.state).toBe('deactivating/stop-post');
    service.forked('control');
    expect(service.signals(service.expire('TimeoutStopSec'))[0]).toBe('control 15');
    expect(service.state).toBe('deactivating/final-sigterm');
    service.exited('control', { killed: 15 });
    expect(service.state).toBe('failed/failed');
    expect(service.result).toBe('timeout');
  });

  test('TimeoutStopFailureMode=abort asks for a core dump first, with a time of its own', () => {
    const service = busy({ ...change, ExecStop: [], TimeoutStopFailureMode: 'abort' });
    service.send({ type: 'stop' });
    expect(service.signals(service.expire('TimeoutStopSec'))[0]).toBe('main 6');
    expect(service.state).toBe('deactivating/stop-watchdog');
    expect(service.context.deadline).toEqual({ name: 'TimeoutAbortSec', dueMs: service.nowMs + 5_000 });
    expect(service.signals(service.expire('TimeoutAbortSec'))[0]).toBe('main 9');
  });

  test('a deadline that comes too late for its state is nothing', () => {
    const service = busy();
    service.send({ type: 'deadline', name: 'TimeoutStopSec' });
    service.send({ type: 'deadline', name: 'RestartSec' });
    expect(service.state).toBe('active/running');
  });
});

describe('RuntimeMaxSec=', () => {
  test('counts from the moment the unit was up, reloads notwithstanding', () => {
    const service = new ServiceDriver({ RuntimeMaxSec: 10_000, ExecReload: ['/reload'] }).up();
    service.nowMs = 4_000;
    service.send({ type: 'reload' });
    service.ran('control', 0, { populated: true });
    expect(service.context.deadline).toEqual({ name: 'RuntimeMaxSec', dueMs: 11_000 });
    service.expire('RuntimeMaxSec');
    expect(service.state).toBe('deactivating/stop-sigterm');
    expect(service.result).toBe('timeout');
  });
});

describe('WatchdogSec=', () => {
  const change: SettingsChange = { Type: 'notify', NotifyAccess: 'main', WatchdogSec: 2_000 };
  const ready = () => {
    const service = new ServiceDriver(change).up();
    expect(service.context.watchdogDueMs).toBeNull();
    service.notify({ state: 'ready' });
    return service;
  };

  test('counts from the end of the start, and anew from each keep-alive at the time it was sent', () => {
    const service = ready();
    expect(service.context.watchdogDueMs).toBe(3_000);
    service.nowMs = 2_900;
    service.notify({ watchdog: 'ping', atMs: 2_500 });
    expect(service.context.watchdogDueMs).toBe(4_500);
  });

  test('missed gets WatchdogSignal= and the result watchdog', () => {
    const service = ready();
    expect(service.signals(service.expire('WatchdogSec'))[0]).toBe('main 6');
    expect(service.state).toBe('deactivating/stop-watchdog');
    service.exited('main', { dumped: 6 });
    expect(service.result).toBe('watchdog');
  });

  test('WATCHDOG=trigger is a missed one', () => {
    const service = ready();
    service.notify({ watchdog: 'trigger' });
    expect(service.state).toBe('deactivating/stop-watchdog');
    expect(service.result).toBe('watchdog');
  });

  test('WATCHDOG_USEC= changes it for this life, zero ends it', () => {
    const service = ready();
    service.notify({ watchdogUsec: 7_000_000 });
    expect(service.context.watchdogDueMs).toBe(8_000);
    service.notify({ watchdogUsec: 0 });
    expect(service.context.watchdogDueMs).toBeNull();
    expect(service.all('disarmDeadline')).toContainEqual({ name: 'WatchdogSec' });
  });

  test('is told to the service, and to no other command', () => {
    const service = new ServiceDriver({ ...change, ExecStartPre: ['/pre'] });
    service.send({ type: 'start' });
    service.ran('control');
    expect(service.all('spawn').map(({ watchdogUsec }) => watchdogUsec)).toEqual([0, 2_000_000]);
  });

  test('is over with the stop', () => {
    const service = ready();
    service.send({ type: 'stop' });
    expect(service.context.watchdogDueMs).toBeNull();
    service.notify({ watchdog: 'ping' });
    expect(service.context.watchdogDueMs).toBeNull();
  });
});

describe('OOMPolicy=', () => {
  test.each([
    ['continue', 'active/running'],
    ['stop', 'deactivating/stop-sigterm'],
    ['kill', 'deactivating/stop-sigkill'],
  ] as const)('%s leads to %s', (OOMPolicy, state) => {
    const service = busy({ OOMPolicy });
    service.send({ type: 'oom' });
    expect(service.state).toBe(state);
    expect(service.result).toBe(OOMPolicy === 'continue' ? 'success' : 'oom-kill');
  });
});

describe('the times of a unit', () => {
  test('say when it became and ceased to be active', () => {
    const service = new ServiceDriver({ ExecStop: ['/stop'] });
    service.nowMs = 10;
    service.send({ type: 'start' });
    service.nowMs = 20;
    service.forked();
    service.nowMs = 30;
    service.send({ type: 'stop' });
    service.ran('control', 0, { populated: true });
    service.nowMs = 40;
    service.exited('main', { exited: 0 });
    expect(service.context.since).toEqual({
      stateChangeMs: 40,
      inactiveExitMs: 10,
      activeEnterMs: 20,
      activeExitMs: 30,
      inactiveEnterMs: 40,
    });
  });

  test('say how each command went', () => {
    const service = new ServiceDriver({ ExecStartPre: ['/pre1', '-/pre2'] });
    service.send({ type: 'start' });
    service.ran('control', 0);
    service.ran('control', 4);
    service.forked();
    expect(service.context.commands.ExecStartPre?.map((status) => status?.ended)).toEqual([
      { exited: 0 },
      { exited: 4 },
    ]);
    expect(service.context.mainStatus).toMatchObject({ pid: service.context.main?.pid, exitMs: null });
  });
});
