import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addon } from '../../../src/host/node/addon.ts';
import { API_BOUNDS, NodeApi } from '../../../src/host/node/api.ts';
import { makeListener } from '../../../src/host/node/listen.ts';
import { Loop } from '../../../src/host/node/loop.ts';
import type { ClientEvent, HostEvent } from '../../../src/host/ports.ts';
import { Rig, until } from './rig.ts';

let rig: Rig;
let sockets: Socket[];

const client = async (): Promise<Socket> => {
  const socket = connect({ path: join(rig.directory, 'api.sock') });
  sockets.push(socket);
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return socket;
};
const said = (session: number): ClientEvent[] =>
  rig.events.flatMap((event) => (event.type === 'client' && event.session === session ? [event.what] : []));
const closed = (session: number) =>
  until(
    `session ${session} to close`,
    () => said(session).find((what): what is { closed: { why: string } } => 'closed' in what)?.closed.why,
  );
const read = (socket: Socket, bytes: number) =>
  new Promise<Buffer>((resolve) => {
    const pieces: Buffer[] = [];
    socket.on('data', (piece: Buffer) => {
      pieces.push(piece);
      if (pieces.reduce((sum, one) => sum + one.length, 0) >= bytes) resolve(Buffer.concat(pieces));
    });
  });

beforeEach(() => {
  rig = new Rig().start();
  sockets = [];
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await rig.end();
});

describe('a client of the API socket', () => {
  test('is told with its credentials, and its messages one by one', async () => {
    const socket = await client();
    socket.write('{"a":1}\0{"b"');
    await until('a message', () => said(1).length === 2);
    socket.write(':2}\0');
    await until('two messages', () => said(1).length === 3);
    expect(said(1)).toEqual([
      { opened: { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() } },
      { message: '{"a":1}' },
      { message: '{"b":2}' },
    ]);
    socket.end();
    expect(await closed(1)).toBe('the client has closed the connection');
  });

  test('gets long answers whole and in order, however slowly it reads', async () => {
    const socket = await client();
    await until('the session', () => said(1).length === 1);
    const long = 'x'.repeat(3_000_000);
    rig.host.api.send(1, long);
    rig.host.api.send(1, 'end');
    rig.host.api.close(1);
    const all = await read(socket, long.length + 5);
    expect(all.toString()).toBe(`${long}\0end\0`);
  });

  test('that ends within a message is told so', async () => {
    const socket = await client();
    socket.end('{"half"');
    expect(await closed(1)).toBe('the client has closed the connection 7 bytes into a message');
  });

  test('that sends a gigabyte without an end is sent away at the bound, and others are served on', async () => {
    const other = await client();
    const socket = await client();
    socket.on('error', () => undefined);
    const chunk = Buffer.alloc(64 * 1024, 'g');
    const write = (): void => {
      while (!socket.destroyed && socket.write(chunk));
    };
    socket.on('drain', write);
    write();
    expect(await closed(2)).toContain(`${API_BOUNDS.messageBytes} bytes without an end`);
    other.write('{}\0');
    await until('a message of the other', () => said(1).some((what) => 'message' in what));
  });

  test('that sends one byte too many is told why', async () => {
    const socket = await client();
    socket.write(Buffer.alloc(API_BOUNDS.messageBytes + 1, 'g'));
    const answer = (await read(socket, 10)).toString();
    expect(JSON.parse(answer.slice(0, -1))).toMatchObject({ error: 'io.sysmaster.Manager.BadMessage' });
  });

  test('gets one answer of any length that there is, and of a longer one what it should do instead', async () => {
    const socket = await client();
    await until('the session', () => said(1).length === 1);
    const { outboxBytes, answerBytes } = API_BOUNDS;
    rig.host.api.send(1, 'y'.repeat(3 * outboxBytes));
    expect((await read(socket, 3 * outboxBytes + 1)).length).toBe(3 * outboxBytes + 1);
    rig.host.api.send(1, 'y'.repeat(answerBytes));
    const answer = (await read(socket, 10)).toString();
    expect(JSON.parse(answer.slice(0, -1))).toMatchObject({
      error: 'io.sysmaster.Manager.Busy',
      parameters: { todo: 'ask about fewer units at once' },
    });
  });

  test('that does not read its answers is sent away, and costs no more than the bound', async () => {
    const socket = await client();
    await until('the session', () => said(1).length === 1);
    socket.pause();
    const answer = 'y'.repeat(1_000_000);
    for (let count = 0; count < 20; count += 1) rig.host.api.send(1, answer);
    expect(await closed(1)).toContain('unread');
    rig.host.api.send(1, 'nobody is there');
  });

  test('that breaks off is told once, even with answers on their way', async () => {
    const socket = await client();
    await until('the session', () => said(1).length === 1);
    rig.host.api.send(1, 'z'.repeat(1_000_000));
    socket.destroy();
    await closed(1);
    await rig.round();
    expect(said(1).filter((what) => 'closed' in what)).toHaveLength(1);
  });
});

/** A listening socket, as core's is. */
const listen = (path: string) =>
  makeListener({
    kind: 'stream',
    address: path,
    backlog: 8,
    socketMode: 0o600,
    directoryMode: 0o700,
    user: '',
    group: '',
    options: {},
  });

const connected = async (path: string): Promise<Socket> => {
  const socket = connect({ path });
  sockets.push(socket);
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
};

/** An API socket with room for two, a loop of its own, and what it tells. */
function small(name: string) {
  const loop = new Loop();
  const api = new NodeApi(loop, { ...API_BOUNDS, sessions: 2 });
  const path = join(rig.directory, name);
  const listener = listen(path);
  addon.setNonBlocking(listener, true);
  api.serve(listener);
  const events: HostEvent[] = [];
  loop.start(
    (event) => events.push(event),
    () => undefined,
  );
  return {
    events,
    open: () => connected(path),
    end() {
      loop.stop();
      addon.close(listener);
    },
  };
}

describe('the number of clients', () => {
  test('is bounded, and one too many is told in its own language', async () => {
    const { events, open, end } = small('small.sock');
    (await open()).write('one\0');
    (await open()).write('two\0');
    await until('two sessions that have spoken', () => events.length === 4);
    const third = await open();
    const answer = (await read(third, 10)).toString();
    expect(JSON.parse(answer.slice(0, -1))).toMatchObject({ error: 'io.sysmaster.Manager.Busy' });
    expect(events).toHaveLength(4);
    sockets[0]?.destroy();
    sockets[1]?.destroy();
    await until('both gone', () => events.length === 6);
    await open();
    await until('a new session', () => events.length === 7);
    end();
  });
});

test('clients that say nothing keep nobody out: the oldest of them makes room', async () => {
  const { events, open, end } = small('silent.sock');
  const silent = await open();
  const gone = new Promise((resolve) => silent.once('close', resolve));
  silent.resume();
  (await open()).write('hello\0');
  await until('two sessions, one of which has spoken', () => events.length === 3);
  (await open()).write('hello\0');
  await gone;
  await until('the third is served', () => events.length === 6);
  expect(events.slice(3).map((event) => (event.type === 'client' ? Object.keys(event.what)[0] : ''))).toEqual([
    'closed',
    'opened',
    'message',
  ]);
  end();
});

test('a client that connected while core was away is served by the next core', async () => {
  const path = join(rig.directory, 'away.sock');
  const listener = listen(path);
  const early = await connected(path);
  early.write('{"early":true}\0');
  const next = new Rig({ kept: [['api', listener]] }).start();
  await next.event('client', ({ what }) => 'message' in what && what.message === '{"early":true}');
  await next.end();
});
