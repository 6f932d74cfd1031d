import { chmodSync, existsSync, lstatSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addon } from '../../../src/host/node/addon.ts';
import { makeListener } from '../../../src/host/node/listen.ts';
import type { HostError, ListenSpec } from '../../../src/host/ports.ts';
import { Rig, until } from './rig.ts';

const root = process.getuid?.() === 0;
let rig: Rig;
let made: number[];

const spec = (kind: ListenSpec['kind'], address: string, more: Partial<ListenSpec> = {}): ListenSpec => ({
  kind,
  address,
  backlog: 16,
  socketMode: 0o666,
  directoryMode: 0o755,
  user: '',
  group: '',
  options: {},
  ...more,
});
const make = (...of: Parameters<typeof spec>) => {
  const fd = makeListener(spec(...of));
  made.push(fd);
  return fd;
};
const errorOf = (work: () => unknown): HostError => {
  try {
    work();
  } catch (error) {
    return error as HostError;
  }
  throw new Error('nothing was thrown');
};
/** SOL_SOCKET options for looking. */
const look = (fd: number, option: number, level = 1) => addon.getSocketOption(fd, level, option);
const ACCEPTS = 30;
const freePort = async () => {
  const { createServer } = await import('node:net');
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
};
const connects = (options: { path: string } | { host: string; port: number }) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(options);
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => undefined);
    socket.once('connect', () => socket.destroy());
  });

beforeEach(() => {
  rig = new Rig().start();
  made = [];
});

afterEach(async () => {
  for (const fd of made) addon.close(fd);
  await rig.end();
});

describe('a listener', () => {
  test('on a path gets its mode and its directories theirs, whatever the umask', () => {
    const before = process.umask(0o077);
    const path = join(rig.directory, 'deep/er/x.sock');
    const fd = make('stream', path, { socketMode: 0o660, directoryMode: 0o750 });
    process.umask(before);
    expect(statSync(path).mode & 0o777).toBe(0o660);
    expect(statSync(join(rig.directory, 'deep')).mode & 0o777).toBe(0o750);
    expect(look(fd, ACCEPTS)).toBe(1);
  });

  test.runIf(root)('on a path gets the owner it asks for, and an unknown one is named', () => {
    const path = join(rig.directory, 'owned.sock');
    make('stream', path, { user: 'nobody', group: '12' });
    expect(statSync(path)).toMatchObject({ uid: 65_534, gid: 12 });
    const error = errorOf(() => make('stream', join(rig.directory, 'no.sock'), { user: 'no-such-user' }));
    expect(error).toMatchObject({ code: 'ESRCH' });
    expect(error.message).toContain('no-such-user');
  });

  test('takes the place of a socket that nobody serves any more, but not of a file', async () => {
    const path = join(rig.directory, 'x.sock');
    addon.close(makeListener(spec('stream', path)));
    expect(await connects({ path })).toBe(false);
    make('stream', path);
    expect(await connects({ path })).toBe(true);
    const file = join(rig.directory, 'file');
    writeFileSync(file, 'precious');
    expect(errorOf(() => make('stream', file)).code).toBe('EADDRINUSE');
    expect(readFileSync(file, 'utf8')).toBe('precious');
  });

  test.each(['stream', 'datagram', 'seqpacket'] as const)('of kind %s works in the abstract namespace', (kind) => {
    const name = `@host-node-${process.pid}-${kind}`;
    make(kind, name);
    made.push(addon.connectUnix(name, kind));
  });

  test('on a port alone serves IPv4 and, where there is any, IPv6', async () => {
    const port = await freePort();
    make('stream', `${port}`, { options: { BindIPv6Only: 'both' } });
    expect(await connects({ host: '127.0.0.1', port })).toBe(true);
    if (existsSync('/proc/net/if_inet6') && readFileSync('/proc/net/if_inet6', 'utf8') !== '') {
      expect(await connects({ host: '::1', port })).toBe(true);
    }
  });

  test('on an IPv4 address serves that address', async () => {
    const port = await freePort();
    make('stream', `127.0.0.1:${port}`);
    expect(await connects({ host: '127.0.0.1', port })).toBe(true);
    expect(errorOf(() => make('stream', `127.0.0.1:${port}`)).code).toBe('EADDRINUSE');
  });

  test('sets the options it is given', async () => {
    const fd = make('stream', `127.0.0.1:${await freePort()}`, {
      options: {
        KeepAlive: true,
        NoDelay: true,
        Priority: 5,
        ReusePort: true,
        FreeBind: true,
        IPTTL: 33,
        IPTOS: 'low-delay',
        KeepAliveProbes: 4,
        KeepAliveTimeSec: 90_000,
      },
    });
    expect([
      look(fd, 9),
      look(fd, 1, 6),
      look(fd, 12),
      look(fd, 15),
      look(fd, 15, 0),
      look(fd, 2, 0),
      look(fd, 1, 0),
      look(fd, 6, 6),
      look(fd, 4, 6),
    ]).toEqual([1, 1, 5, 1, 1, 33, 0x10, 4, 90]);
    const unix = make('datagram', join(rig.directory, 'd.sock'), {
      options: { PassCredentials: true, ReceiveBuffer: 65_536, Broadcast: false },
    });
    expect(look(unix, 16)).toBe(1);
    expect(look(unix, 8)).toBeGreaterThanOrEqual(65_536);
  });

  test('names the option that does not exist or cannot be', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    expect(errorOf(() => make('stream', address, { options: { Nonsense: 1 } })).message).toContain('Nonsense');
    expect(errorOf(() => make('stream', address, { options: { TCPCongestion: 'no-such-thing' } })).message).toContain(
      'TCPCongestion',
    );
    expect(errorOf(() => make('stream', 'nowhere'))).toMatchObject({ code: 'EINVAL' });
    expect(errorOf(() => make('stream', 'nowhere')).message).toContain('nowhere');
  });

  test('blocks, as services expect of what they are given', () => {
    const flags = (fd: number) =>
      Number.parseInt(/^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '', 8);
    const nonBlocking = 0o4000;
    expect(flags(make('stream', join(rig.directory, 's.sock'))) & nonBlocking).toBe(0);
    expect(flags(make('fifo', join(rig.directory, 'f'))) & nonBlocking).toBe(0);
  });

  test('of the other kinds is a FIFO, a special file, a message queue or a netlink socket', () => {
    const fifo = join(rig.directory, 'deep/fifo');
    make('fifo', fifo, { socketMode: 0o622, options: { PipeSize: 65_536 } });
    expect(lstatSync(fifo).isFIFO()).toBe(true);
    expect(lstatSync(fifo).mode & 0o777).toBe(0o622);
    make('fifo', fifo);
    make('special', '/dev/null');
    expect(errorOf(() => make('special', rig.directory)).code).toBe('EINVAL');
    make('netlink', 'route 1');
    expect(errorOf(() => make('netlink', 'wire 1')).code).toBe('EPROTONOSUPPORT');
  });
});

describe('the store', () => {
  test('has a listener before it is used, and takes it only once', async () => {
    const path = join(rig.directory, 'l.sock');
    const id = rig.id();
    rig.host.sockets.listen(id, 'l', spec('stream', path));
    rig.host.sockets.listen(rig.id(), 'l', spec('stream', path));
    expect(rig.host.sockets.stored('l')).toBe(true);
    await rig.event('record', ({ record }) => 'done' in record.what && record.what.done.id.seq === id.seq);
    const stores = (await rig.said()).filter((frame) => JSON.stringify(frame).includes('"names":["l"]'));
    expect(stores).toEqual([{ 'store-fd': { id, names: ['l'] } }]);
  });

  test('tells a connection by one event, and again when asked again', async () => {
    const path = join(rig.directory, 'l.sock');
    rig.host.sockets.listen(rig.id(), 'l', spec('stream', path));
    rig.host.sockets.watch('l');
    made.push(addon.connectUnix(path, 'stream'));
    await rig.event('readable', ({ name }) => name === 'l');
    await rig.round();
    expect(rig.count('readable')).toBe(1);
    rig.host.sockets.watch('l');
    await until('a second event', () => rig.count('readable') === 2);
    rig.host.sockets.flush('l');
    rig.host.sockets.watch('l');
    await rig.round();
    expect(rig.count('readable')).toBe(2);
    made.push(addon.connectUnix(path, 'stream'));
    await until('a third event', () => rig.count('readable') === 3);
  });

  test("hands a former core's descriptors to the next, which can watch and flush them", async () => {
    const fd = makeListener(spec('fifo', join(rig.directory, 'f')));
    const next = new Rig({ kept: [['f', fd]] }).start();
    expect(next.host.hello.fds).toEqual(['f']);
    next.host.sockets.watch('f');
    writeFileSync(join(rig.directory, 'f'), 'data');
    await next.event('readable');
    next.host.sockets.flush('f');
    next.host.sockets.watch('f');
    await next.round();
    expect(next.count('readable')).toBe(1);
    await next.end();
  });

  test('forgets what is dropped, and a name that nobody stored cannot be watched', () => {
    rig.host.sockets.listen(rig.id(), 'l', spec('datagram', join(rig.directory, 'd.sock')));
    rig.host.sockets.watch('l');
    rig.host.sockets.drop(rig.id(), ['l', 'unknown']);
    expect(rig.host.sockets.stored('l')).toBe(false);
    expect(errorOf(() => rig.host.sockets.watch('l'))).toMatchObject({ code: 'ENOENT' });
  });

  test('loses the names that init refused to keep', async () => {
    rig.host.sockets.listen(rig.id(), 'refused', spec('datagram', join(rig.directory, 'd.sock')));
    rig.host.sockets.listen(rig.id(), 'kept', spec('datagram', join(rig.directory, 'e.sock')));
    await rig.event('record', ({ record }) => 'failed' in record.what);
    expect([rig.host.sockets.stored('refused'), rig.host.sockets.stored('kept')]).toEqual([false, true]);
  });
});

describe('a log pipe', () => {
  const keeper = () => makeListener(spec('seqpacket', join(rig.directory, 'logs.sock')));

  test('is handed to the keeper once there is one', async () => {
    rig.host.sockets.pipe(rig.id(), 'p');
    rig.host.sockets.pipe(rig.id(), 'p');
    expect([rig.host.sockets.stored('p:r'), rig.host.sockets.stored('p:w')]).toEqual([true, true]);
    expect(rig.host.sockets.sendLog('{"a":1}', 'p')).toBe(false);
    const listener = keeper();
    made.push(listener);
    expect(rig.host.sockets.sendLog('{"a":1}', 'p')).toBe(true);
    const accepted = addon.acceptUnix(listener) as { fd: number };
    expect(Buffer.from(addon.readSome(accepted.fd, 100) as Uint8Array).toString()).toBe('{"a":1}');
    // A keeper that was restarted is found again, and gets the pipe from init's store.
    addon.close(accepted.fd);
    expect(rig.host.sockets.sendLog('{"a":2}', 'p')).toBe(true);
    const again = addon.acceptUnix(listener) as { fd: number };
    expect(Buffer.from(addon.readSome(again.fd, 100) as Uint8Array).toString()).toBe('{"a":2}');
    made.push(again.fd);
    chmodSync(join(rig.directory, 'logs.sock'), 0o600);
  });

  test('waits for a keeper that has no room, and is not lost', async () => {
    const listener = keeper();
    made.push(listener);
    addon.setNonBlocking(listener, true);
    const names = Array.from({ length: 150 }, (_, number) => `p${number}`);
    for (const name of names) rig.host.sockets.pipe(rig.id(), name);
    const padding = ' '.repeat(1000);
    rig.host.sockets.offerLogs(names.slice(10).map((name) => [name, () => `{"unit":"${name}"}${padding}`]));
    for (const name of names.slice(0, 10))
      expect(rig.host.sockets.sendLog(`{"unit":"${name}"}${padding}`, name)).toBe(true);
    const accepted = await until('the connection', () => addon.acceptUnix(listener) ?? undefined);
    made.push(accepted.fd);
    const heard: string[] = [];
    await until('every pipe', () => {
      for (let bytes = addon.readSome(accepted.fd, 4096); bytes?.length; bytes = addon.readSome(accepted.fd, 4096))
        heard.push((JSON.parse(Buffer.from(bytes).toString()) as { unit: string }).unit);
      return heard.length === names.length || undefined;
    });
    expect(heard).toEqual([...names.slice(10), ...names.slice(0, 10)]);
  });

  test('is offered later if asked for, as things are by then, and holds up no other one', async () => {
    const listener = keeper();
    made.push(listener);
    addon.setNonBlocking(listener, true);
    for (const name of ['p1', 'p2']) rig.host.sockets.pipe(rig.id(), name);
    const names: string[] = [];
    const pipes = {
      *[Symbol.iterator]() {
        for (const name of names) yield [name, () => `{"unit":"${name}"}`] as const;
      },
    };
    rig.host.sockets.offerLogs(pipes, 20);
    names.push('p1');
    expect(rig.host.sockets.sendLog('{"unit":"p2"}', 'p2')).toBe(true);
    const accepted = await until('the connection', () => addon.acceptUnix(listener) ?? undefined);
    made.push(accepted.fd);
    const heard: string[] = [];
    await until('both pipes', () => {
      for (let bytes = addon.readSome(accepted.fd, 4096); bytes?.length; bytes = addon.readSome(accepted.fd, 4096))
        heard.push((JSON.parse(Buffer.from(bytes).toString()) as { unit: string }).unit);
      return heard.length === 2 || undefined;
    });
    expect(heard).toEqual(['p2', 'p1']);
  });

  test('is not needed for a message alone', () => {
    const listener = keeper();
    made.push(listener);
    expect(rig.host.sockets.sendLog('{}', undefined)).toBe(true);
  });
});
