/** What being started means, by Type=; and what a service says by itself. Sources: systemd.service(5), sd_notify(3). */
import { describe, expect, test } from 'vitest';
import { type SettingsChange, serviceWith } from '../model/service-settings.ts';
import { ServiceDriver } from './support/service-driver.ts';

const daemon = { pid: 900, startTime: 33 };
const other = { pid: 901, startTime: 34 };

/** Up to the first process, which is alive. */
function begin(change: SettingsChange): ServiceDriver {
  const service = new ServiceDriver(change);
  service.send({ type: 'start' });
  service.forked(change.Type === 'forking' ? 'control' : 'main');
  return service;
}

/** A forking service whose starter has ended, leaving a populated group. */
function forkingUp(change: SettingsChange, candidate = daemon): ServiceDriver {
  const service = begin({ Type: 'forking', ...change });
  service.exited('control', { exited: 0 }, { populated: true, candidate });
  return service;
}

describe('a start is over', () => {
  test('for Type=simple once there is a process', () => {
    expect(begin({}).state).toBe('active/running');
  });

  test('for Type=exec once its program runs', () => {
    const service = begin({ Type: 'exec' });
    expect(service.state).toBe('activating/start');
    service.execed();
    expect(service.state).toBe('active/running');
  });

  test('for Type=oneshot once it has ended, and then so is the unit', () => {
    const service = begin({ Type: 'oneshot' });
    service.execed();
    expect(service.state).toBe('activating/start');
    service.exited('main', { exited: 0 });
    expect(service.state).toBe('inactive/dead');
    // It has run, and was never active: time stamps and analyze say so.
    expect(service.context.since).toMatchObject({ activeEnterMs: null, activeExitMs: null });
    expect(service.context.since.inactiveEnterMs).not.toBeNull();
  });

  test('for Type=oneshot with RemainAfterExit=yes it stays active without a process', () => {
    const service = begin({ Type: 'oneshot', RemainAfterExit: true });
    service.exited('main', { exited: 0 });
    expect(service.state).toBe('active/exited');
    service.send({ type: 'stop' });
    expect(service.state).toBe('inactive/dead');
  });

  test('for Type=simple with RemainAfterExit=yes it goes from running to exited', () => {
    const service = begin({ RemainAfterExit: true });
    expect(service.state).toBe('active/running');
    service.exited('main', { exited: 0 });
    expect(service.state).toBe('active/exited');
  });

  test('for Type=dbus once its program runs, which is said to be a makeshift', () => {
    const service = begin({ Type: 'dbus' });
    service.execed();
    expect(service.state).toBe('active/running');
    expect(service.all('log').some(({ level, message }) => level === 'warning' && message.includes('bus name'))).toBe(
      true,
    );
  });

  test('for Type=dbus by the bus name, without a word', () => {
    const service = begin({ Type: 'dbus' });
    service.send({ type: 'bus-name-acquired' });
    expect(service.state).toBe('active/running');
    expect(service.all('log')).toEqual([]);
  });

  test('for Type=idle at once, as far as jobs are concerned, though it waits for them', () => {
    const service = new ServiceDriver({ Type: 'idle' });
    service.send({ type: 'start' });
    expect(service.state).toBe('active/start');
    expect(service.all('spawn')).toEqual([]);
    service.send({ type: 'idle-go' });
    service.forked();
    expect(service.state).toBe('active/running');
  });

  test('Type=idle waits five seconds at most', () => {
    const service = new ServiceDriver({ Type: 'idle' });
    service.send({ type: 'start' });
    service.expire('idle');
    expect(service.nowMs).toBe(6_000);
    expect(service.commands).toEqual(['/bin/main']);
  });
});

describe('Type=forking', () => {
  test('is up once its starter has ended, and follows the main process that was guessed', () => {
    const service = forkingUp({});
    expect(service.state).toBe('active/running');
    expect(service.all('watchMain')).toEqual([daemon]);
    service.send({ type: 'main-gone', ...daemon, ended: { exited: 1 }, populated: false });
    expect(service.state).toBe('failed/failed');
    expect(service.result).toBe('exit-code');
  });

  test('without a guess stays up as long as its group has processes', () => {
    const service = begin({ Type: 'forking', GuessMainPID: false });
    service.exited('control', { exited: 0 }, { populated: true, candidate: daemon });
    expect(service.state).toBe('active/running');
    expect(service.context.main).toBeNull();
    service.send({ type: 'empty' });
    expect(service.state).toBe('inactive/dead');
  });

  test('whose starter leaves nothing behind has ended', () => {
    const service = begin({ Type: 'forking' });
    service.exited('control', { exited: 0 });
    expect(service.state).toBe('inactive/dead');
  });

  test('whose starter fails has failed, and what it left is stopped', () => {
    const service = begin({ Type: 'forking' });
    const effects = service.exited('control', { exited: 2 }, { populated: true });
    expect(service.state).toBe('deactivating/stop-sigterm');
    expect(service.signals(effects)).toEqual(['group 15', 'group 18']);
  });

  test('with PIDFile= waits for the file, within TimeoutStartSec=', () => {
    const service = begin({ Type: 'forking', PIDFile: '/run/x.pid' });
    service.exited('control', { exited: 0 }, { populated: true });
    expect(service.state).toBe('activating/start');
    expect(service.all('watchPidFile')).toHaveLength(1);
    service.send({ type: 'pid-file', ...daemon });
    expect(service.state).toBe('active/running');
    expect(service.context.main?.pid).toBe(daemon.pid);
    expect(service.all('unwatchPidFile')).toHaveLength(1);
  });

  test('with PIDFile= that never comes times out', () => {
    const service = begin({ Type: 'forking', PIDFile: '/run/x.pid' });
    service.exited('control', { exited: 0 }, { populated: true });
    service.expire('TimeoutStartSec');
    expect(service.state).toBe('deactivating/stop-sigterm');
    expect(service.result).toBe('timeout');
  });

  test('with PIDFile= and nobody left to write it fails with the result protocol', () => {
    const service = begin({ Type: 'forking', PIDFile: '/run/x.pid' });
    service.exited('control', { exited: 0 }, { populated: true });
    service.send({ type: 'empty' });
    expect(service.state).toBe('failed/failed');
    expect(service.result).toBe('protocol');
  });

  test('with PIDFile= may have it written by ExecStartPost=', () => {
    const service = begin({ Type: 'forking', PIDFile: '/run/x.pid', ExecStartPost: ['/post'] });
    service.exited('control', { exited: 0 }, { populated: true });
    expect(service.state).toBe('activating/start-post');
    service.ran('control', 0, { populated: true, candidate: daemon });
    expect(service.state).toBe('active/running');
    expect(service.context.main?.pid).toBe(daemon.pid);
  });

  test('moves on to another main process if the file says so before the first one ends', () => {
    const service = forkingUp({ PIDFile: '/run/x.pid' });
    service.send({ type: 'main-gone', ...daemon, ended: { exited: 0 }, populated: true, candidate: other });
    expect(service.state).toBe('active/running');
    expect(service.all('watchMain')).toEqual([daemon, other]);
  });

  test('ends when the file still names the process that ended', () => {
    const service = forkingUp({ PIDFile: '/run/x.pid' });
    service.send({ type: 'main-gone', ...daemon, ended: { exited: 0 }, populated: false, candidate: daemon });
    expect(service.state).toBe('inactive/dead');
  });
});

describe('Type=notify', () => {
  test('is up when it says READY=1, and not before', () => {
    const service = begin({ Type: 'notify', NotifyAccess: 'main' });
    service.execed();
    service.notify({ status: 'warming up' });
    expect(service.state).toBe('activating/start');
    expect(service.context.statusText).toBe('warming up');
    service.notify({ state: 'ready' });
    expect(service.state).toBe('active/running');
  });

  test('that ends well without having said it has broken the protocol', () => {
    const service = begin({ Type: 'notify', NotifyAccess: 'main' });
    service.exited('main', { exited: 0 });
    expect(service.state).toBe('failed/failed');
    expect(service.result).toBe('protocol');
  });

  test('may be spoken for by another process, if that is allowed and somebody stays', () => {
    const service = begin({ Type: 'notify', NotifyAccess: 'all', RemainAfterExit: true });
    service.exited('main', { exited: 0 }, { populated: true });
    expect(service.state).toBe('activating/start');
    service.notify({ pid: 77, state: 'ready' });
    expect(service.state).toBe('active/exited');
  });

  test('STOPPING=1 is a stop without a signal, which has TimeoutStopSec= to end', () => {
    const service = begin({ Type: 'notify', NotifyAccess: 'main' });
    service.notify({ state: 'ready' });
    const effects = service.notify({ state: 'stopping' });
    expect(service.state).toBe('deactivating/stop-sigterm');
    expect(service.signals(effects)).toEqual([]);
    expect(service.signals(service.expire('TimeoutStopSec'))).toEqual(['main 9', 'group 9']);
  });

  test('what was said before its time is acted on when the time comes', () => {
    const service = begin({ Type: 'notify', NotifyAccess: 'main', ExecStartPost: ['/post'] });
    service.notify({ state: 'ready' });
    service.notify({ state: 'reloading' });
    expect(service.state).toBe('activating/start-post');
    service.ran('control');
    expect(service.state).toBe('reloading/reload');
  });
});

describe('NotifyAccess=', () => {
  const main = (service: ServiceDriver) => service.context.main!.pid!;
  const control = (service: ServiceDriver) => service.context.control!.pid!;
  const child = () => 4_000;

  test.each<[NonNullable<SettingsChange['NotifyAccess']>, boolean, boolean, boolean]>([
    ['none', false, false, false],
    ['main', true, false, false],
    ['exec', true, true, false],
    ['all', true, true, true],
  ])('%s: main process %s, command %s, any process of the unit %s', (NotifyAccess, ...heard) => {
    for (const [index, who] of [main, control, child].entries()) {
      const service = begin({ NotifyAccess, ExecStartPost: ['/post'] });
      service.forked('control');
      service.notify({ pid: who(service), status: 'hello' });
      expect(service.context.statusText).toBe(heard[index] ? 'hello' : '');
    }
  });

  test('never lets strangers speak', () => {
    const service = begin({ NotifyAccess: 'all' });
    service.notify({ pid: 4_000, member: false, status: 'hello' });
    expect(service.context.statusText).toBe('');
    expect(service.all('log').map(({ message }) => message)).toEqual(['notification refused by NotifyAccess=']);
  });
});

describe('MAINPID=', () => {
  test('makes another process of the unit the main one; the first may end unnoticed', () => {
    const service = begin({ NotifyAccess: 'main' });
    service.notify({ mainPid: { ...daemon, member: true } });
    expect(service.all('watchMain')).toEqual([daemon]);
    service.exited('main', { exited: 1 }, { populated: true });
    expect(service.state).toBe('active/running');
    service.send({ type: 'main-gone', ...daemon, ended: null, populated: false });
    expect(service.state).toBe('inactive/dead');
  });

  test.each([
    ['an unprivileged service', 1_000, false],
    ['root', 0, true],
  ])('of a process outside the unit is for root alone: %s', (_, uid, taken) => {
    const service = begin({ NotifyAccess: 'main' });
    service.notify({ uid, mainPid: { ...daemon, member: false } });
    expect(service.context.main?.pid === daemon.pid).toBe(taken);
  });

  test('of the process that is the main one already changes nothing', () => {
    const service = begin({ NotifyAccess: 'main' });
    service.notify({ mainPid: { pid: service.context.main!.pid!, startTime: 7, member: true } });
    expect(service.all('watchMain')).toEqual([]);
  });
});

describe('reloading', () => {
  test('runs ExecReload= and is active again, failed or not', () => {
    for (const [status, result] of [
      [0, 'success'],
      [1, 'exit-code'],
    ] as const) {
      const service = begin({ ExecReload: ['/reload'] });
      service.send({ type: 'reload' });
      expect(service.state).toBe('reloading/reload');
      service.ran('control', status, { populated: true });
      expect(service.state).toBe('active/running');
      expect(service.context.reloadResult).toBe(result);
      expect(service.result).toBe('success');
    }
  });

  test('that takes too long is broken off, and the service goes on', () => {
    const service = begin({ ExecReload: ['/reload'] });
    service.send({ type: 'reload' });
    service.forked('control');
    const effects = service.expire('TimeoutStartSec');
    expect(effects.filter(({ type }) => type === 'signal' || type === 'abandon').map(({ type }) => type)).toEqual([
      'signal',
      'abandon',
    ]);
    expect(service.state).toBe('active/running');
    expect(service.context.reloadResult).toBe('timeout');
  });

  test('that kills the service is a failure of the service', () => {
    const service = begin({ ExecReload: ['/bin/kill'] });
    service.send({ type: 'reload' });
    service.forked('control');
    service.exited('main', { killed: 9 }, { populated: true });
    expect(service.state).toBe('reloading/reload'); // its command still runs
    service.exited('control', { exited: 0 });
    expect(service.state).toBe('failed/failed');
    expect(service.result).toBe('signal');
  });

  test('is refused where there is nothing to do it with', () => {
    const service = begin({});
    service.send({ type: 'reload' });
    expect(service.all('refuse').map(({ verb, result }) => [verb, result])).toEqual([['reload', 'skipped']]);
    expect(service.state).toBe('active/running');
  });

  test('of its own accord is passed on, and over with READY=1', () => {
    const service = begin({ NotifyAccess: 'main' });
    service.notify({ state: 'reloading' });
    expect(service.state).toBe('reloading/reload');
    expect(service.all('propagateReload')).toHaveLength(1);
    service.notify({ state: 'ready' });
    expect(service.state).toBe('active/running');
  });

  test('by Type=notify-reload is a signal, RELOADING=1 with a fresh time, and READY=1', () => {
    const service = begin({ Type: 'notify-reload', NotifyAccess: 'main' });
    service.notify({ state: 'ready' });
    expect(service.signals(service.send({ type: 'reload' }))).toEqual(['main 1', 'main 18']);
    expect(service.state).toBe('reloading/reload-signal');
    service.notify({ state: 'reloading', monotonicUsec: 999_999 }); // from before the signal
    expect(service.state).toBe('reloading/reload-signal');
    service.notify({ state: 'reloading', monotonicUsec: 1_000_000 });
    expect(service.state).toBe('reloading/reload-notify');
    service.notify({ state: 'ready' });
    expect(service.state).toBe('active/running');
    expect(service.context.reloadResult).toBe('success');
  });

  test('by Type=notify-reload may be said to be over in the same message', () => {
    const service = begin({ Type: 'notify-reload', NotifyAccess: 'main' });
    service.notify({ state: 'ready' });
    service.send({ type: 'reload' });
    service.notify({ state: 'ready', reloading: true, monotonicUsec: 1_000_001 });
    expect(service.state).toBe('active/running');
  });
});

describe('descriptors that are stored', () => {
  const change: SettingsChange = { NotifyAccess: 'main', FileDescriptorStoreMax: 2, Restart: 'always' };

  test('are kept up to FileDescriptorStoreMax=, with a word about the others', () => {
    const service = begin(change);
    service.notify({ fds: 3, fdname: 'conn', datagram: 'd1' });
    expect(service.all('keepFds')).toEqual([
      {
        datagram: 'd1',
        fds: [
          { key: 0, name: 'conn', datagram: 'd1' },
          { key: 1, name: 'conn', datagram: 'd1' },
        ],
      },
    ]);
    expect(service.all('log').map(({ closed }) => closed)).toEqual([1]);
  });

  test('are handed to the next life by an automatic restart, and are gone after a stop', () => {
    const service = begin(change);
    service.notify({ fds: 1, datagram: 'd1' });
    service.exited('main', { exited: 1 });
    expect(service.all('dropFds')).toEqual([]);
    service.expire('RestartSec');
    service.send({ type: 'stop', restarting: true });
    service.up();
    expect(service.asked('main').fds).toEqual([{ key: 0, name: 'stored', datagram: 'd1' }]);
    service.send({ type: 'stop' });
    service.exited('main', { killed: 15 });
    expect(service.all('dropFds')).toEqual([{ fds: [{ key: 0, name: 'stored', datagram: 'd1' }] }]);
    expect(service.context.storedFds).toEqual([]);
  });

  test('are dropped by name', () => {
    const service = begin(change);
    service.notify({ fds: 1, fdname: 'a' });
    service.notify({ fds: 1, fdname: 'b' });
    service.notify({ fdstoreremove: true, fdname: 'a' });
    expect(service.all('dropFds')).toEqual([{ fds: [{ key: 0, name: 'a' }] }]);
    expect(service.context.storedFds).toEqual([{ key: 1, name: 'b' }]);
  });
});

describe('ExitType=cgroup', () => {
  test('the service lives as long as anything in its group', () => {
    const service = begin({ ExitType: 'cgroup' });
    service.exited('main', { exited: 0 }, { populated: true });
    expect(service.state).toBe('active/running');
    service.send({ type: 'empty' });
    expect(service.state).toBe('inactive/dead');
  });
});

describe('taken over without memory', () => {
  test('a service with a main process runs, and its exit counts', () => {
    const service = new ServiceDriver({ Restart: 'on-failure' });
    service.send({ type: 'adopt', main: { run: 9, serial: 5, pid: 6, startTime: 7 }, populated: true });
    expect(service.state).toBe('active/running');
    service.send({ type: 'exited', role: 'main', run: 9, serial: 5, pid: 6, ended: { exited: 1 }, populated: false });
    expect(service.state).toBe('activating/auto-restart');
  });

  const main = { run: 8, serial: 4, pid: 5, startTime: 7 };
  const control = (list: string, index: number) => ({ run: 9, serial: 5, pid: 6, startTime: 7, list, index });
  const ends = { type: 'exited', role: 'control', run: 9, serial: 5, pid: 6, ended: { exited: 0 }, populated: true };

  test.each([
    ['ExecCondition', false, 'activating/condition'],
    ['ExecStartPre', false, 'activating/start-pre'],
    ['ExecStartPost', true, 'activating/start-post'],
    ['ExecReload', true, 'reloading/reload'],
    ['ExecStop', true, 'deactivating/stop'],
    ['ExecStopPost', false, 'deactivating/stop-post'],
  ] as const)('%s goes on behind the command that runs', (list, lives, state) => {
    const service = new ServiceDriver({ [list]: ['/one', '/two', '/three'] });
    const effects = service.send({
      type: 'adopt',
      populated: true,
      control: control(list, 1),
      ...(lives ? { main } : {}),
    });
    expect(service.state).toBe(state);
    expect(effects.map(({ type }) => type)).not.toContain('spawn');
    expect(service.context.deadline).not.toBeNull();
    const next = service.send(ends);
    expect(next.filter(({ type }) => type === 'spawn')).toMatchObject([{ params: { list, index: 2 } }]);
    expect(service.context.main?.run).toBe(lives ? 8 : undefined);
  });

  test('a service that had not said yet that it is ready is waited for', () => {
    const service = new ServiceDriver({ Type: 'notify' });
    const effects = service.send({ type: 'adopt', populated: true, main, was: 'starting' });
    expect(service.state).toBe('activating/start');
    expect(effects.map(({ type }) => type)).not.toContain('spawn');
    expect(service.context.deadline?.name).toBe('TimeoutStartSec');
  });

  test('a oneshot goes on behind the command that runs', () => {
    const service = new ServiceDriver({ Type: 'oneshot', ExecStart: ['/one', '/two'] });
    service.send({ type: 'adopt', populated: true, main: { ...main, index: 0 }, was: 'starting' });
    expect(service.state).toBe('activating/start');
    const next = service.send({ ...ends, role: 'main', run: 8, serial: 4, pid: 5 });
    expect(next.filter(({ type }) => type === 'spawn')).toMatchObject([{ params: { list: 'ExecStart', index: 1 } }]);
  });

  test('a service that was being stopped is stopped, and not started again', () => {
    const service = new ServiceDriver({ Restart: 'always' });
    service.send({ type: 'adopt', populated: true, main, was: 'stopping', result: 'success' });
    expect(service.state).toBe('deactivating/stop-sigterm');
    service.send({ ...ends, role: 'main', run: 8, serial: 4, pid: 5, populated: false });
    service.send({ type: 'empty' });
    expect(service.state).toBe('inactive/dead');
  });

  test.each([
    [{ failed: 'timeout' }, 'failed/failed'],
    [{}, 'inactive/dead'],
  ] as const)(
    'a service that was down and has left something behind (%j) is %s still, and not confused with it',
    (was, state) => {
      const service = new ServiceDriver({ Type: 'forking', SendSIGKILL: false });
      const effects = service.send({ type: 'adopt', populated: true, left: { runs: 8 }, ...was });
      expect(service.state).toBe(state);
      expect(effects.map(({ type }) => type)).toContain('pruneGroup');
      expect(service.context).toMatchObject({ populated: true, runs: 8, main: null });
      service.send({ ...ends, role: 'main', run: 8, populated: true });
      expect(service.state).toBe(state);
      service.send({ type: 'start' });
      expect(service.state).toBe('failed/failed');
      service.send({ type: 'empty' });
      service.send({ type: 'start' });
      expect(service.state).toMatch(/^activating/);
    },
  );

  test('a service of which nothing lives stays down', () => {
    const service = new ServiceDriver();
    service.send({ type: 'adopt', populated: true });
    expect(service.state).toBe('inactive/dead');
  });
});

describe('the slice of a life', () => {
  const settings = (Slice: string, change: SettingsChange = {}) => ({
    type: 'settings',
    settings: { ...serviceWith(change), Slice },
  });

  test('is where it was found, for a service that nobody remembers', () => {
    const service = new ServiceDriver();
    service.send(settings('new.slice'));
    service.send({
      type: 'adopt',
      main: { run: 9, serial: 5, pid: 6, startTime: 7 },
      populated: true,
      slice: 'old.slice',
    });
    expect(service.context.slice).toBe('old.slice');
    service.send(settings('newer.slice'));
    expect(service.context.slice).toBe('old.slice');
  });

  test('is that of its settings then, where an older core had started it and did not note it', () => {
    const service = new ServiceDriver();
    service.send({ type: 'start' });
    expect(service.context).not.toHaveProperty('slice');
    service.send(settings('one.slice'));
    service.send(settings('two.slice'));
    expect(service.context.slice).toBe('one.slice');
  });

  test('is the old one as long as something of the life before is left', () => {
    for (const left of [true, false]) {
      const service = new ServiceDriver();
      service.send(settings('old.slice', { KillMode: 'process' }));
      service.send({ type: 'start' });
      service.ran('main', 0, { populated: left });
      expect(service.state).toBe('inactive/dead');
      service.send(settings('new.slice'));
      service.send({ type: 'start' });
      expect(service.context.slice).toBe(left ? 'old.slice' : 'new.slice');
    }
  });
});
