/** sctl over a real socket, with a core that dies, is not there, or answers nonsense. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually, SCTL, start, type World, world } from './program.ts';

let here: World;
beforeEach(() => {
  here = world();
});
afterEach(async () => {
  await here.close();
});

const changes = (): number => readFileSync(here.journal, 'utf8').trim().split('\n').length;

test('a command goes to core and back', async () => {
  await here.core();
  expect(await here.sctl('is-active', 'web', 'idle')).toEqual({ out: 'active\ninactive\n', err: '', status: 0 });
  expect(await here.sctl('start', 'idle')).toEqual({ out: '', err: '', status: 0 });
  expect((await here.sctl('is-active', 'idle')).status).toBe(0);
  expect((await here.sctl('list-units', '--output=json')).out).toMatch(/^\[\{"unit":"crash.service"/);
});

describe('core dies', () => {
  test('between its commit and its answer: the change is not made twice, and the first answer comes', async () => {
    const dying = await here.core({ FAKE_CORE_DIES: 'after-commit' });
    const running = here.started('start', 'nowhere', 'idle');
    await dying.ended;
    expect(changes()).toBe(1);
    await here.core();
    const { err, status } = await running.ended;
    expect(err).toContain('Core is being restarted');
    expect(err).toContain('Failed to start nowhere.service: Unit nowhere.service not found.');
    expect(status).toBe(5);
    expect(changes()).toBe(1);
  });

  test('while events are followed: the stream is taken up again', async () => {
    const first = await here.core();
    const events = here.started('events', '--output=json');
    await eventually('the stream stands', () => events.wrote().out.includes('"ready"'));
    first.child.kill('SIGKILL');
    await first.ended;
    await here.core();
    await eventually('the stream stands again', () => events.wrote().out.split('"ready"').length === 3);
    expect(events.wrote().err).toContain('core was restarted');
  });

  test('and stays away: sctl says so after a while and fails', async () => {
    const dead = await here.core();
    dead.child.kill('SIGKILL');
    await dead.ended;
    const { err, status } = await here.sctl('is-active', 'web');
    expect(err).toContain('Core is being restarted; trying again');
    expect(err).toContain(`Cannot reach the service manager at ${here.socket}: connection refused`);
    expect(status).toBe(1);
  });
});

describe('there is no core', () => {
  test('no socket is said at once, with what to do', async () => {
    const { err, status } = await here.sctl('list-units');
    expect(err).toContain(`Cannot reach the service manager at ${here.socket}: there is no such socket`);
    expect(status).toBe(1);
  });

  test('is-system-running says offline', async () => {
    expect(await here.sctl('is-system-running')).toMatchObject({ out: 'offline\n', status: 1 });
  });

  test('logs are read all the same', async () => {
    mkdirSync(join(here.directory, 'logs'));
    writeFileSync(
      join(here.directory, 'logs/web.service.log'),
      '{"t":1795316400000000,"m":1,"p":6,"u":"web.service","i":"web","inv":"","msg":"hello"}\n',
    );
    expect((await here.sctl('logs', '-u', 'web', '-o', 'cat')).out).toBe('hello\n');
  });
});

test('a core that answers nonsense is a clear failure', async () => {
  const server = createServer((socket) => socket.end('nonsense\0'));
  await new Promise<void>((listening) => server.listen(here.socket, listening));
  const { err, status } = await here.sctl('is-active', 'web');
  server.close();
  expect(err).toBe('core answered with something that is not JSON\n');
  expect(status).toBe(1);
});

test('a core that has no place for another client says so, once, however much was asked', async () => {
  const answer = { error: 'io.sysmaster.Manager.Busy', parameters: { unit: '', why: '128 clients are connected' } };
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.on('error', () => {}).once('data', () => socket.end(`${JSON.stringify(answer)}\0`));
  });
  await new Promise<void>((listening) => server.listen(here.socket, listening));
  const { err, status } = await here.sctl('show', 'web', 'idle', 'crash');
  server.close();
  expect(err).toContain('128 clients are connected');
  expect([status, connections]).toEqual([1, 1]);
});

test('a client that sends garbage is told why and sent away, and others go on', async () => {
  await here.core();
  const heard = await new Promise<string>((done) => {
    let text = '';
    const socket = connect(here.socket, () => socket.write('garbage\0'));
    socket.on('data', (chunk) => {
      text += String(chunk);
    });
    socket.on('close', () => done(text));
  });
  expect(heard).toMatch(/^\{"error":"io\.sysmaster\.Manager\.BadMessage",.*the message is not JSON.*\}\0$/);
  expect((await here.sctl('is-active', 'web')).status).toBe(0);
});

test('a reader that goes away ends sctl without a word', async () => {
  await here.core();
  const { out, err, status } = await start('/bin/sh', ['-c', `"${process.execPath}" "${SCTL}" show web | head -1`], {
    SYSMASTER_SOCKET: here.socket,
  }).ended;
  expect({ out, err, status }).toEqual({ out: 'Type=notify\n', err: '', status: 0 });
});

test('a link named systemctl is systemctl', async () => {
  await here.core();
  const link = join(here.directory, 'systemctl');
  symlinkSync(SCTL, link);
  const { err, status } = await start(process.execPath, [link, 'start', 'crash'], { SYSMASTER_SOCKET: here.socket })
    .ended;
  expect(err).toContain('See "systemctl status crash.service"');
  expect(status).toBe(1);
});

test('logs -f goes on with new lines until it is stopped', async () => {
  const logs = join(here.directory, 'logs');
  mkdirSync(logs);
  const entry = (msg: string): string =>
    `{"t":1795316400000000,"m":1,"p":6,"u":"web.service","i":"web","inv":"","msg":"${msg}"}\n`;
  const file = join(logs, 'web.service.log');
  writeFileSync(file, entry('old'));
  const running = here.started('logs', '-u', 'web', '-f', '-o', 'cat');
  await eventually('the old line is there', () => running.wrote().out === 'old\n');
  writeFileSync(file, entry('new'), { flag: 'a' });
  await eventually('the new line comes', () => running.wrote().out === 'old\nnew\n');
  running.child.kill('SIGINT');
  expect((await running.ended).status).not.toBe(0);
});
