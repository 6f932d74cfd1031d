import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { addon, EPOLL } from '../../../src/host/node/addon.ts';
import { createNodeHost } from '../../../src/host/node/index.ts';
import { Link } from '../../../src/host/node/link.ts';
import { Loop } from '../../../src/host/node/loop.ts';
import { Rig, until } from './rig.ts';

let rigs: Rig[] = [];
let directories: string[] = [];
const scratch = () => {
  const made = mkdtempSync(join(tmpdir(), 'host-node-'));
  directories.push(made);
  return made;
};
const rig = (...options: ConstructorParameters<typeof Rig>) => {
  const made = new Rig(...options);
  rigs.push(made);
  return made;
};

afterEach(async () => {
  for (const one of rigs) await one.end();
  rigs = [];
  for (const one of directories) rmSync(one, { recursive: true, force: true });
  directories = [];
});

/** How many of our descriptors are this open file (or the other end of this pipe). */
const copies = (fd: number): number => {
  const file = readlinkSync(`/proc/self/fd/${fd}`);
  return readdirSync('/proc/self/fd').filter((one) => {
    try {
      return readlinkSync(`/proc/self/fd/${one}`) === file;
    } catch {
      return false; // the descriptor of the listing itself
    }
  }).length;
};

const nobody = {
  onRecord: () => undefined,
  onRefused: () => undefined,
  onTrouble: () => undefined,
  onClosed: () => undefined,
};
const HELLO = {
  role: 'container',
  pid: 1,
  epoch: 0,
  cgroupRoot: '',
  cores: 0,
  safeMode: false,
  stopping: null,
  deaths: [],
  canSetUid: false,
};

describe('the hello', () => {
  test('is gathered from all its frames, and the records behind it come as events', async () => {
    const record = { number: 5, atUs: 17, what: { gone: { id: { epoch: 1, seq: 2, index: 3 } } } };
    const [first, second] = addon.pipe();
    const one = rig({
      hello: { epoch: 3, cores: 2 },
      kept: [
        ['x', first],
        ['y', second],
      ],
      after: [{ record } as never],
    });
    expect(one.host.hello).toMatchObject({ role: 'subreaper', epoch: 3, cores: 2, children: [], fds: ['x', 'y'] });
    one.start();
    expect(await one.event('record')).toEqual({ type: 'record', record });
  });

  test('tells of live children', () => {
    const [fd, other] = addon.socketPair('seqpacket');
    const child = { id: { epoch: 1, seq: 1, index: 0 }, tag: 'a', serial: 1, pid: 99, startTime: 5, execed: true };
    for (const frame of [
      { hello: HELLO },
      { 'hello-child': child },
      { 'hello-end': { orphansDropped: 0, records: 0 } },
    ]) {
      addon.sendAsInit(other, JSON.stringify(frame), []);
    }
    expect(new Link(fd, new Loop(), nobody).hello(1000)).toEqual({ ...HELLO, children: [child], fds: [], records: 0 });
    addon.close(fd);
    addon.close(other);
  });

  test('that does not come ends the waiting with a message that says where to look', () => {
    const [link, other] = addon.socketPair('seqpacket');
    expect(() => createNodeHost({ link, helloTimeoutMs: 20, runDirectory: scratch() })).toThrow(
      /ETIMEDOUT.*connected to init/,
    );
    addon.close(link);
    addon.close(other);
  });

  test('is asked for only where there is a link, and a person who starts core by hand is told so', () => {
    const [read, write] = addon.pipe();
    expect(() => createNodeHost({ link: read, runDirectory: scratch() })).toThrow(/ENOTSOCK.*init, which starts core/);
    addon.close(read);
    addon.close(write);
  });

  test('to a second core in the same run directory ends with a message, and the first is served on', async () => {
    const one = rig();
    one.host.state.load();
    const socket = statSync(join(one.directory, 'api.sock')).ino;
    expect(() => rig({ runDirectory: one.directory })).toThrow(/EAGAIN.*another core has it/);
    expect(statSync(join(one.directory, 'api.sock')).ino).toBe(socket);
  });

  test.each([
    ['init is gone', [], 'EPIPE'],
    [
      'a record comes first',
      [{ record: { number: 1, atUs: 1, what: { done: { id: { epoch: 0, seq: 0, index: 0 } } } } }],
      'EPROTO',
    ],
    ['it has no beginning', [{ 'hello-end': { orphansDropped: 0, records: 0 } }], 'EPROTO'],
  ])('is refused when %s', (_, frames, code) => {
    const [fd, other] = addon.socketPair('seqpacket');
    for (const frame of frames) addon.sendAsInit(other, JSON.stringify(frame), []);
    addon.close(other);
    expect(() => new Link(fd, new Loop(), nobody).hello(1000)).toThrow(expect.objectContaining({ code }));
    addon.close(fd);
  });
});

describe('frames to init', () => {
  test('arrive in order when the link was full, with their descriptors, and none is kept open', async () => {
    const [fd, other] = addon.socketPair('seqpacket');
    addon.sendAsInit(other, JSON.stringify({ hello: HELLO }), []);
    addon.sendAsInit(other, JSON.stringify({ 'hello-end': { orphansDropped: 0, records: 0 } }), []);
    const loop = new Loop();
    const link = new Link(fd, loop, nobody);
    link.hello(1000);
    const [read, write] = addon.pipe();
    const total = 2000;
    for (let seq = 0; seq < total; seq += 1)
      link.send({ 'store-fd': { id: { epoch: 1, seq, index: 0 }, names: [`n${seq}`] } }, seq % 500 === 0 ? [read] : []);
    expect(link.waiting).toBeGreaterThan(0);
    loop.start(
      () => undefined,
      () => undefined,
    );
    const got: number[] = [];
    let fds = 0;
    await until('all frames', () => {
      for (const frame of addon.receiveAsInit(other, 100)) {
        got.push((JSON.parse(frame.json as string) as { 'store-fd': { id: { seq: number } } })['store-fd'].id.seq);
        fds += frame.fds.length;
        for (const one of frame.fds) addon.close(one);
      }
      return got.length === total;
    });
    expect(got).toEqual(Array.from({ length: total }, (_, at) => at));
    expect([fds, link.waiting]).toEqual([4, 0]);
    expect(copies(read)).toBe(2);
    loop.stop();
    for (const one of [read, write, fd, other]) addon.close(one);
  });

  test('wait in a bounded number, and one too many is an error for the caller', () => {
    const [fd, other] = addon.socketPair('seqpacket');
    addon.sendAsInit(other, JSON.stringify({ hello: HELLO }), []);
    addon.sendAsInit(other, JSON.stringify({ 'hello-end': { orphansDropped: 0, records: 0 } }), []);
    const loop = new Loop();
    const link = new Link(fd, loop, nobody);
    link.hello(1000);
    const flood = () => {
      for (let count = 0; count < 40_000; count += 1) link.send('beat');
    };
    expect(flood).toThrow(expect.objectContaining({ code: 'EAGAIN' }));
    loop.stop();
    for (const one of [fd, other]) addon.close(one);
  });

  test('that init could not read are refused here, by the field that is wrong', () => {
    const one = rig();
    expect(() => one.host.process.spawn(one.id(), 'tag', { version: 1, unit: 'u', path: 7 } as never, [])).toThrow(
      /EINVAL.*exec spec of tag/,
    );
    expect(() => one.host.process.kill(one.id(), { process: { child: -1 } }, 15)).toThrow(/invalid value/);
  });

  test('of one round are acknowledged and beaten once, with the highest number', async () => {
    const one = rig();
    one.start();
    await one.round();
    for (const number of [3, 9, 4]) one.host.process.ack(number);
    one.host.init.beat();
    one.host.init.beat();
    await one.round();
    await one.init.told('beat');
    expect(one.init.said.filter((frame) => JSON.stringify(frame).includes('"ack"'))).toEqual([{ ack: { through: 9 } }]);
    expect(one.init.said.filter((frame) => frame === 'beat')).toHaveLength(1);
  });

  test('say what the ports were asked for', async () => {
    const one = rig();
    const id = one.id();
    one.host.process.spawn(id, 'tag', { version: 1, unit: 'u', path: '/bin/true', argv: ['true'] }, ['p:w']);
    one.host.process.kill(id, { group: { path: 'a.slice', except: [{ child: 3 }, { watched: [7, 8] }] } }, 9);
    one.host.process.watch(id, 'tag', 5, 6);
    one.host.process.accept(id, 'listener', 'connection');
    one.host.init.ready();
    one.host.init.loading(1500.4);
    one.host.init.shutdown('reboot', 90_000, false, 0, '');
    one.host.init.reexecInit('/sbin/init');
    one.host.init.reexecCore();
    await one.init.told('reexec-core');
    const own = one.init.said.findIndex((frame) => JSON.stringify(frame).startsWith('{"spawn"'));
    expect(one.init.said.slice(0, own).every((frame) => JSON.stringify(frame).startsWith('{"store-fd"'))).toBe(true);
    expect(one.init.said.slice(own)).toEqual([
      { spawn: { id, tag: 'tag', fds: ['p:w'] } },
      { kill: { id, target: { group: { path: 'a.slice', except: [{ child: 3 }, { watched: [7, 8] }] } }, signal: 9 } },
      { watch: { id, tag: 'tag', pid: 5, startTime: 6 } },
      { accept: { id, listener: 'listener', name: 'connection' } },
      'ready',
      { loading: { forMs: 1500 } },
      { shutdown: { kind: 'reboot', deadlineMs: 90_000, status: 0, argument: '', now: false } },
      { 'reexec-init': { path: '/sbin/init' } },
      'reexec-core',
    ]);
  });
});

describe('the end of the link', () => {
  test('makes core leave with a line that says why', async () => {
    const directory = scratch();
    const one = new Rig({
      runDirectory: directory,
      log: { file: join(directory, 'core.log'), maxBytes: 1 << 20 },
    }).start();
    await one.init.end();
    await until('core to leave', () => one.left !== undefined);
    expect(one.left).toBe(1);
    one.host.dispose();
    expect(readFileSync(join(directory, 'core.log'), 'utf8')).toContain('init is gone');
  });
});

describe('frames from init', () => {
  test('that are none, or have descriptors nobody asked for, do no harm', async () => {
    const [fd, other] = addon.socketPair('seqpacket');
    const troubles: string[] = [];
    const loop = new Loop();
    const link = new Link(fd, loop, { ...nobody, onTrouble: (what) => troubles.push(what) });
    addon.sendAsInit(other, JSON.stringify({ hello: HELLO }), []);
    addon.sendAsInit(other, JSON.stringify({ 'hello-end': { orphansDropped: 0, records: 0 } }), []);
    link.hello(1000);
    const [read, write] = addon.pipe();
    addon.sendMessage(other, 'no frame at all', [read, write]);
    addon.sendAsInit(other, JSON.stringify({ fds: { names: ['late'], last: true } }), [read]);
    addon.sendAsInit(other, JSON.stringify({ refused: { why: 'so', id: null, errno: 71 } }), [write]);
    const events: unknown[] = [];
    loop.start(
      (event) => events.push(event),
      () => undefined,
    );
    await until('the refusal', () => events.length > 0);
    expect(events).toEqual([{ type: 'refused', why: 'so', id: null, errno: 71 }]);
    expect(troubles).toEqual([expect.stringContaining('Version')]);
    expect(copies(read)).toBe(2);
    loop.stop();
    for (const one of [read, write, fd, other]) addon.close(one);
  });
});

describe('the loop', () => {
  test('hands over all that is ready before a deadline that is due', async () => {
    const one = rig().start();
    const [read, write] = addon.pipe();
    one.host.clock.wakeAt(one.host.clock.nowMs() - 1000);
    one.host.process.inspect(process.pid);
    one.host.sockets.pipe(one.id(), 'p');
    await one.event('wake');
    await one.event('record');
    const batch = one.turns.find((count) =>
      one.events.slice(0, count).some((event) => event.type === 'wake'),
    ) as number;
    expect(one.events[batch - 1]?.type).toBe('wake');
    addon.close(read);
    addon.close(write);
  });

  test('wakes at the last time that was asked for, or not at all', async () => {
    const one = rig().start();
    const now = one.host.clock.nowMs();
    one.host.clock.wakeAt(now + 1_000_000);
    one.host.clock.wakeAt(undefined);
    one.host.clock.wakeAt(now + 5);
    await one.event('wake');
    expect(one.host.clock.nowMs()).toBeGreaterThanOrEqual(now + 5);
    await one.round();
    expect(one.count('wake')).toBe(1);
  });

  test('gives up a descriptor whose handler fails with an errno, says so, and goes on', async () => {
    const loop = new Loop();
    const faults: unknown[] = [];
    loop.onFault = (cause) => faults.push(cause);
    const [mine, theirs] = addon.socketPair('stream');
    addon.sendMessage(theirs, 'x', []);
    loop.add(mine, EPOLL.in, () => addon.close(-1));
    let turns = 0;
    loop.start(
      () => undefined,
      () => (turns += 1),
    );
    await until('a turn', () => turns > 0);
    loop.schedule();
    await until('another', () => turns > 1);
    expect(faults).toEqual([expect.objectContaining({ code: 'EBADF' })]);
    expect(loop.has(mine)).toBe(false);
    loop.stop();
    addon.close(mine);
    addon.close(theirs);
  });

  test('goes on when a handler removes another descriptor that is ready', async () => {
    const loop = new Loop();
    const pairs = [addon.socketPair('stream'), addon.socketPair('stream')];
    let calls = 0;
    for (const [mine, theirs] of pairs) {
      addon.sendMessage(theirs, 'x', []);
      loop.add(mine, EPOLL.in, () => {
        calls += 1;
        for (const [one] of pairs) loop.remove(one);
      });
    }
    let turns = 0;
    loop.start(
      () => undefined,
      () => (turns += 1),
    );
    await until('a turn', () => turns > 0);
    expect(calls).toBe(1);
    loop.stop();
    for (const fd of pairs.flat()) addon.close(fd);
  });
});

describe('inspect', () => {
  test('tells what /proc says of a process, and nothing of one that is not there', () => {
    const one = rig();
    expect(one.host.process.inspect(process.pid)).toMatchObject({
      ppid: process.ppid,
      startTime: expect.any(Number),
      comm: expect.any(String),
    });
    expect(one.host.process.inspect(2 ** 22 + 5)).toBeUndefined();
  });
});

describe('the exec helper', () => {
  test('has a name, words and an exit code for every step, fork included', () => {
    const steps = rig().host.execSteps;
    expect(steps[0]?.name).toBe('fork');
    expect(Object.values(steps).find((step) => step.name === 'exec')).toMatchObject({
      exitCode: 203,
      words: 'execute the program',
    });
    expect(Object.values(steps).every((step) => step.name !== '' && step.words !== '')).toBe(true);
    expect(Object.keys(steps).length).toBeGreaterThanOrEqual(30);
    expect(Object.keys(steps).map(Number)).toEqual(Object.keys(steps).map((_, number) => number));
  });
});
