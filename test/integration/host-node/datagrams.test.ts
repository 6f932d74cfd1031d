import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addon } from '../../../src/host/node/addon.ts';
import type { Datagram } from '../../../src/host/ports.ts';
import { Rig, until } from './rig.ts';

let rig: Rig;
let path: string;
let senders: number[];

const send = (text: string, fds: readonly number[] = []) => {
  const sender = addon.connectUnix(path, 'datagram');
  senders.push(sender);
  return addon.sendMessage(sender, text, fds);
};
const datagrams = () => rig.events.flatMap((event) => (event.type === 'datagram' ? [event.datagram] : []));
const texts = () => datagrams().map((datagram) => datagram.text);
const seen = (count: number) => until(`${count} datagrams`, () => datagrams().length >= count);
/** How many of our descriptors are ends of this pipe. */
const ends = (fd: number) => {
  const file = readlinkSync(`/proc/self/fd/${fd}`);
  return readdirSync('/proc/self/fd').filter((one) => {
    try {
      return readlinkSync(`/proc/self/fd/${one}`) === file;
    } catch {
      return false; // the descriptor of the listing itself
    }
  }).length;
};
/** What is still in the socket's queue, by peeking anew. */
const queued = (name: string) => {
  const fd = rig.host.sockets as unknown as { descriptor(name: string): number };
  addon.preparePeeking(fd.descriptor(name));
  return addon.peekDatagrams(fd.descriptor(name), 100).map((one) => one.text);
};

beforeEach(() => {
  rig = new Rig().start();
  path = join(rig.directory, 'notify/a.service');
  senders = [];
  rig.host.sockets.notify(rig.id(), 'notify:a', path);
});

afterEach(async () => {
  for (const sender of senders) addon.close(sender);
  await rig.end();
});

describe('notify datagrams', () => {
  test('are told after init has said who was started, though the process may speak before', async () => {
    const id = rig.id();
    rig.host.process.spawn(id, 'a|main|1', { version: 1, unit: 'a', path: '/bin/true', argv: ['true'] }, []);
    send('READY=1');
    await rig.init.told('spawn');
    await rig.round();
    expect(texts()).toEqual([]);
    const forked = { id, tag: 'a|main|1', serial: 1, pid: process.pid, startTime: 1 };
    rig.init.send({ record: { number: 1, atUs: 1, what: { forked } } });
    rig.init.send({
      record: {
        number: 2,
        atUs: 1,
        what: { exited: { tag: 'a|main|1', serial: 1, pid: process.pid, ended: { exited: 0 } } },
      },
    });
    await seen(1);
    await rig.event('record', ({ record }) => 'exited' in record.what);
    const order = rig.events.flatMap((event) =>
      event.type === 'record' ? Object.keys(event.record.what) : event.type === 'datagram' ? ['datagram'] : [],
    );
    expect(order.filter((what) => what !== 'done')).toEqual(['forked', 'datagram', 'exited']);
  });

  test('wait for no spawn that init has refused, nor for one of another unit', async () => {
    const id = rig.id();
    rig.host.process.spawn(rig.id(), 'b|main|1', { version: 1, unit: 'b', path: '/bin/true', argv: ['true'] }, []);
    rig.host.process.spawn(id, 'a|main|1', { version: 1, unit: 'a', path: '/bin/true', argv: ['true'] }, []);
    send('READY=1');
    await rig.init.told('spawn');
    rig.init.send({ refused: { id, errno: 11, why: 'too many children' } });
    await seen(1);
    expect(texts()).toEqual(['READY=1']);
  });

  test('are told once, in order, with sender and stamp, and stay until they are consumed', async () => {
    send('READY=1');
    send('STATUS=ünd');
    await seen(2);
    await rig.round();
    expect(texts()).toEqual(['READY=1', 'STATUS=ünd']);
    expect(datagrams()[0]).toMatchObject({ socket: 'notify:a', pid: process.pid, uid: process.getuid?.(), fds: 0 });
    expect(datagrams()[0]?.atNs).toMatch(/^\d{18,}$/);
    expect(queued('notify:a')).toEqual(['READY=1', 'STATUS=ünd']);
  });

  test('with the same text are told apart by their stamps', async () => {
    send('WATCHDOG=1');
    send('WATCHDOG=1');
    await seen(2);
    const [one, other] = datagrams() as [Datagram, Datagram];
    expect(one.hash).toBe(other.hash);
    expect(one.atNs).not.toBe(other.atNs);
  });

  test('are taken only from the head, and only if they are the ones that were meant', async () => {
    for (const text of ['one', 'two', 'three']) send(text);
    await seen(3);
    const [one, two] = datagrams() as [Datagram, Datagram];
    rig.host.sockets.consume(two, [], rig.id());
    expect(queued('notify:a')).toEqual(['one', 'two', 'three']);
    rig.host.sockets.consume(one, [], rig.id());
    rig.host.sockets.consume(one, [], rig.id());
    expect(queued('notify:a')).toEqual(['two', 'three']);
    rig.host.sockets.consume(two, [], rig.id());
    expect(queued('notify:a')).toEqual(['three']);
  });

  test('are still peeked in order after some were taken', async () => {
    send('one');
    send('two');
    await seen(2);
    rig.host.sockets.consume(datagrams()[0] as Datagram, [], rig.id());
    send('three');
    await seen(3);
    expect(texts()).toEqual(['one', 'two', 'three']);
  });

  test('that are empty hide nothing, whether at the head or between', async () => {
    send('');
    send('one');
    send('');
    send('two');
    await seen(2);
    rig.host.sockets.consume(datagrams()[0] as Datagram, [], rig.id());
    expect(queued('notify:a')).toEqual(['two']);
    rig.host.sockets.consume(datagrams()[1] as Datagram, [], rig.id());
    expect(queued('notify:a')).toEqual([]);
    expect(texts()).toEqual(['one', 'two']);
  });

  test('that are too long are dropped without hiding what follows', async () => {
    send(`STATUS=${'x'.repeat(40_000)}`);
    send('one');
    await seen(1);
    expect(texts()).toEqual(['one']);
    send(`STATUS=${'y'.repeat(40_000)}`);
    send('two');
    await seen(2);
    expect(texts()).toEqual(['one', 'two']);
    for (const datagram of datagrams()) rig.host.sockets.consume(datagram, [], rig.id());
    expect(queued('notify:a')).toEqual([]);
  });

  test('of a flood are all told, over several rounds', async () => {
    const sender = addon.connectUnix(path, 'datagram');
    senders.push(sender);
    for (let number = 0; number < 300; ) {
      if (addon.sendMessage(sender, `${number}`, []) === 'sent') {
        number += 1;
        continue;
      }
      // The queue is as long as the kernel lets it be: what was told has to be taken.
      await seen(number);
      for (const datagram of datagrams()) rig.host.sockets.consume(datagram, [], rig.id());
    }
    await seen(300);
    expect(texts()).toEqual(Array.from({ length: 300 }, (_, number) => `${number}`));
  });

  test('with descriptors are taken after init has stored these, and those behind wait', async () => {
    const [read, write] = addon.pipe();
    send('FDSTORE=1', [read, write]);
    send('STATUS=behind');
    await seen(2);
    const [first, behind] = datagrams() as [Datagram, Datagram];
    expect(first.fds).toBe(2);
    expect(ends(read), 'peeking keeps no descriptor').toBe(2);
    const id = rig.id();
    rig.host.sockets.consume(first, ['store:1', 'store:2'], id);
    rig.host.sockets.consume(behind, [], rig.id());
    expect(queued('notify:a')).toEqual(['FDSTORE=1', 'STATUS=behind']);
    await rig.event('record', ({ record }) => 'done' in record.what && record.what.done.id.seq === id.seq);
    expect(queued('notify:a')).toEqual([]);
    expect(await rig.said()).toContainEqual({ 'store-fd': { id, names: ['store:1', 'store:2'] } });
    expect(rig.host.sockets.stored('store:2')).toBe(true);
    addon.close(read);
    addon.close(write);
  });

  test('with descriptors that nobody wants are closed with the datagram (BARRIER=1)', async () => {
    const [read, write] = addon.pipe();
    send('BARRIER=1', [write]);
    addon.close(write);
    await seen(1);
    expect(addon.readSome(read, 1), 'the barrier holds while the datagram is there').toBeNull();
    rig.host.sockets.consume(datagrams()[0] as Datagram, [], rig.id());
    expect(addon.readSome(read, 1), 'the barrier is open').toHaveLength(0);
    addon.close(read);
  });

  test('that a former core left are told again by the next, from the first one on', async () => {
    send('one');
    send('two');
    await seen(2);
    const fd = addon.duplicate(
      (rig.host.sockets as unknown as { descriptor(name: string): number }).descriptor('notify:a'),
    );
    const next = new Rig({ kept: [['notify:a', fd]] }).start();
    next.host.sockets.notify(next.id(), 'notify:a', path);
    await until('both again', () => next.count('datagram') >= 2);
    expect(next.events.flatMap((event) => (event.type === 'datagram' ? [event.datagram] : []))).toEqual(datagrams());
    await next.end();
  });
});
