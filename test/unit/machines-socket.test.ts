/** The socket machine: when it starts its service, and when it gives up. Source: systemd.socket(5). */
import { describe, expect, test } from 'vitest';
import { socketMachine } from '../../src/machines/socket.ts';
import { type SocketContext, socketSettings } from '../../src/machines/socket-context.ts';
import type { SocketSection, UnitSection } from '../../src/units/types.ts';
import { type SocketChange, socketWith } from '../model/other-settings.ts';
import { MachineDriver } from './support/machine-driver.ts';

class Socket extends MachineDriver<SocketContext> {
  constructor(change: SocketChange = {}) {
    super(socketMachine, socketWith(change));
  }

  up(): this {
    this.send({ type: 'start' });
    this.send({ type: 'sockets-opened' });
    return this;
  }

  service(active: string, sub: string, more: object = {}): string[] {
    return this.send({
      type: 'service-state',
      active,
      sub,
      result: 'success',
      startLimitHit: false,
      pending: false,
      loaded: true,
      ...more,
    });
  }

  command(ended: object): string[] {
    const { run } = this.all('spawn').at(-1)!;
    this.send({ type: 'forked', role: 'control', run, serial: run + 100, pid: run + 200, startTime: 1 });
    return this.send({
      type: 'exited',
      role: 'control',
      run,
      serial: run + 100,
      pid: run + 200,
      ended,
      populated: false,
    });
  }
}

const readable = { type: 'readable', name: 'listen:x.socket:0' };

describe('a socket', () => {
  test('listens once its listeners are open, and runs no command it does not have', () => {
    const socket = new Socket();
    expect(socket.send({ type: 'start' })).toContain('openSockets');
    expect(socket.state).toBe('activating/start-chown');
    expect(socket.send({ type: 'sockets-opened' })).toContain('watchSockets');
    expect(socket.state).toBe('active/listening');
    expect(socket.all('prepare')).toEqual([]);
  });

  test('that has lost some of its listeners opens them again and listens on, whatever its service does', () => {
    const socket = new Socket().up();
    expect(socket.send({ type: 'reopen' })).toEqual(['openSockets']);
    expect(socket.send({ type: 'sockets-opened' })).toContain('watchSockets');
    expect(socket.state).toBe('active/listening');
    socket.send(readable);
    expect(socket.send({ type: 'reopen' })).toEqual(['openSockets']);
    expect(socket.send({ type: 'sockets-opened' })).toEqual([]);
    expect(socket.state).toBe('active/running');
  });

  test('that cannot open again what it has lost fails', () => {
    const socket = new Socket().up();
    socket.send({ type: 'reopen' });
    socket.send({ type: 'sockets-failed', errno: 'EADDRINUSE', detail: '0.0.0.0:80' });
    expect(socket.state).toBe('failed/failed (resources)');
  });

  test('whose listeners are found without a memory of it listens, and runs no command for that', () => {
    const socket = new Socket();
    expect(socket.send({ type: 'adopt', populated: false })).toEqual(
      expect.arrayContaining(['openSockets', 'watchSockets']),
    );
    expect(socket.state).toBe('active/listening');
    expect(socket.all('spawn')).toEqual([]);
    // Of a unit that is up it is no news.
    expect(socket.send({ type: 'adopt', populated: false })).toEqual([]);
  });

  test('that cannot listen fails, with the reason in the log', () => {
    const socket = new Socket();
    socket.send({ type: 'start' });
    socket.send({ type: 'sockets-failed', errno: 'EADDRINUSE', detail: '0.0.0.0:80' });
    expect(socket.state).toBe('failed/failed (resources)');
    expect(socket.all('log')).toContainEqual({
      level: 'error',
      message: 'cannot listen',
      errno: 'EADDRINUSE',
      detail: '0.0.0.0:80',
    });
    expect(socket.all('closeSockets')).toHaveLength(1);
  });

  test('starts its service at the first input, and then leaves the listeners to it', () => {
    const socket = new Socket().up();
    socket.send(readable);
    expect(socket.state).toBe('active/running');
    expect(socket.all('requestJob')).toEqual([
      { verb: 'start', unit: 'x.service', mode: 'replace', why: 'it has input' },
    ]);
    expect(socket.all('unwatchSockets')).toHaveLength(1);
  });

  test.each([
    ['active', 'running', false],
    ['activating', 'auto-restart', false],
    ['inactive', 'dead', true],
  ])('asks for no job while its service is %s (%s), pending %s', (active, sub, pending) => {
    const socket = new Socket().up();
    socket.service(active, sub, { pending });
    if (socket.state === 'active/listening') socket.send(readable);
    expect(socket.state).toBe('active/running');
    expect(socket.all('requestJob')).toEqual([]);
  });

  test('listens again when the service is down and has no job', () => {
    const socket = new Socket().up();
    socket.send(readable);
    socket.service('inactive', 'dead', { pending: true });
    expect(socket.state).toBe('active/running');
    expect(socket.service('inactive', 'dead')).toContain('watchSockets');
    expect(socket.state).toBe('active/listening');
  });

  test('with FlushPending=yes throws away what waits when the service ends', () => {
    const socket = new Socket({ FlushPending: true }).up();
    socket.send(readable);
    expect(socket.service('failed', 'failed')).toContain('flushSockets');
  });

  test('fails when its service has been started too often', () => {
    const socket = new Socket().up();
    socket.send(readable);
    socket.service('failed', 'failed', { result: 'exit-code', startLimitHit: true });
    expect(socket.state).toBe('failed/failed (service-start-limit-hit)');
  });

  test('fails when it triggers too often', () => {
    const socket = new Socket({ TriggerLimitBurst: 2 }).up();
    for (let trigger = 0; trigger < 3; trigger += 1) {
      socket.send(readable);
      if (trigger < 2) socket.service('inactive', 'dead');
    }
    expect(socket.state).toBe('failed/failed (trigger-limit-hit)');
    expect(socket.all('requestJob')).toHaveLength(2);
  });

  test('fails when the job for its service is refused', () => {
    const socket = new Socket().up();
    socket.send(readable);
    socket.send({ type: 'job-refused', why: 'x.service is masked' });
    expect(socket.state).toBe('failed/failed (resources)');
  });

  test('is not started beside a service that runs already', () => {
    const socket = new Socket();
    socket.service('active', 'running');
    socket.send({ type: 'start' });
    expect(socket.state).toBe('inactive/dead');
    expect(socket.all('refuse').map(({ result, why }) => [result, why])).toEqual([
      ['failed', 'x.service is up already: stop it first'],
    ]);
  });

  test('is not started without its service', () => {
    const socket = new Socket();
    socket.service('inactive', 'dead', { loaded: false });
    socket.send({ type: 'start' });
    expect(socket.all('refuse').map(({ why }) => why)).toEqual(['x.service is not loaded']);
  });

  test('with Accept=yes says that it cannot', () => {
    const socket = new Socket({ Accept: true });
    socket.send({ type: 'start' });
    expect(socket.state).toBe('inactive/dead');
    expect(socket.all('refuse').map(({ result }) => result)).toEqual(['unsupported']);
  });

  test('runs its commands in order, and closes between stop-pre and stop-post', () => {
    const socket = new Socket({
      ExecStartPre: ['/pre'],
      ExecStartPost: ['/post'],
      ExecStopPre: ['/stop-pre'],
      ExecStopPost: ['/stop-post'],
      RemoveOnStop: true,
    });
    socket.send({ type: 'start' });
    socket.command({ exited: 0 });
    socket.send({ type: 'sockets-opened' });
    socket.command({ exited: 0 });
    expect(socket.state).toBe('active/listening');
    socket.send({ type: 'stop' });
    expect(socket.all('closeSockets')).toEqual([]);
    socket.command({ exited: 0 });
    expect(socket.all('closeSockets')).toEqual([{ remove: true }]);
    socket.command({ exited: 0 });
    expect(socket.state).toBe('inactive/dead');
    expect(socket.all('spawn').map(({ command }) => command.path)).toEqual([
      '/pre',
      '/post',
      '/stop-pre',
      '/stop-post',
    ]);
    expect(socket.all('release')).toHaveLength(1);
  });

  test('a failing ExecStartPre= leaves nothing open', () => {
    const socket = new Socket({ ExecStartPre: ['/pre'] });
    socket.send({ type: 'start' });
    socket.command({ exited: 1 });
    expect(socket.state).toBe('failed/failed (exit-code)');
    expect(socket.all('openSockets')).toEqual([]);
  });

  test('a command that takes too long is terminated, then killed', () => {
    const socket = new Socket({ ExecStopPre: ['/stop-pre'] }).up();
    socket.send({ type: 'stop' });
    const { run } = socket.all('spawn').at(-1)!;
    socket.send({ type: 'forked', role: 'control', run, serial: 5, pid: 6, startTime: 1 });
    socket.send({ type: 'deadline', name: 'TimeoutSec' });
    expect(socket.state).toBe('deactivating/stop-pre-sigterm (timeout)');
    socket.send({ type: 'deadline', name: 'TimeoutSec' });
    expect(socket.all('signal').map(({ signal }) => signal)).toEqual([15, 18, 9]);
  });

  test('can be started again after a failure, up to its own start limit', () => {
    const socket = new Socket({ StartLimitBurst: 2 });
    for (let start = 0; start < 3; start += 1) {
      socket.send({ type: 'start' });
      if (start < 2) socket.send({ type: 'sockets-failed', errno: 'EACCES', detail: '' });
    }
    expect(socket.context.startLimitHit).toBe(true);
    socket.send({ type: 'reset-failed' });
    expect(socket.up().state).toBe('active/listening');
  });
});

test('the settings of a socket name its service, and TimeoutSec=0 is none', () => {
  const settings = socketSettings({
    name: 'dbus.socket',
    unit: {} as UnitSection,
    socket: { Service: '', TimeoutSec: 0 } as SocketSection,
  });
  expect(settings.Service).toBe('dbus.service');
  expect(settings.TimeoutSec).toBe('infinity');
});
