/** The descriptor store: what is kept under a name, who may wait on it, and what of it outlives core. */
import { expect } from 'vitest';
import type { Datagram, ListenSpec } from '../../src/host/ports.ts';
import { suite } from './suite.ts';
import { type Core, newId, report, reportsOf, settled, specOf, type World, wordsOf } from './world.ts';

const ENOTSOCK = 88;

const listenAt = (address: string): ListenSpec => ({
  kind: 'stream',
  address,
  backlog: 8,
  socketMode: 0o600,
  directoryMode: 0o755,
  user: '',
  group: '',
  options: {},
});

const readables = (core: Core, name: string) =>
  core.events.filter((event) => event.type === 'readable' && event.name === name).length;

const datagrams = (core: Core, socket: string): readonly Datagram[] =>
  core.events.flatMap((event) =>
    event.type === 'datagram' && event.datagram.socket === socket ? [event.datagram] : [],
  );

async function listening(world: World, name: string): Promise<string> {
  const path = `${world.directory}/${name}.sock`;
  const id = newId();
  await world.core.sockets.listen(id, name, listenAt(path));
  await report(world, id, 'done');
  return path;
}

async function notified(world: World, name: string): Promise<string> {
  const path = `${world.directory}/${name}.notify`;
  const id = newId();
  await world.core.sockets.notify(id, `notify:${name}`, path);
  await report(world, id, 'done');
  return path;
}

suite('stored descriptors', [
  [
    'are known by name to this core and the next, until they are dropped',
    async (world) => {
      await listening(world, 'one');
      const id = newId();
      await world.core.sockets.pipe(id, 'output');
      expect(await report(world, id, 'done')).toEqual({ id });
      expect(await world.core.sockets.stored('one')).toBe(true);
      expect(await world.core.sockets.stored('two')).toBe(false);
      let core = await world.kill();
      expect(core.hello.fds).toEqual(expect.arrayContaining(['one', 'output:r', 'output:w']));
      expect(await core.sockets.stored('output:w')).toBe(true);
      const drop = newId();
      await core.sockets.drop(drop, ['one', 'output:r', 'output:w', 'never there']);
      await report(world, drop, 'done');
      expect(await core.sockets.stored('one')).toBe(false);
      core = await world.kill();
      expect(core.hello.fds).not.toEqual(expect.arrayContaining(['one']));
      expect(core.hello.fds).not.toEqual(expect.arrayContaining(['output:w']));
    },
  ],
  [
    'are made once: asking again for a name that is there asks init for nothing',
    async (world) => {
      const path = await listening(world, 'same');
      world.connect(path);
      const id = newId();
      await world.core.sockets.listen(id, 'same', listenAt(path));
      const pipe = newId();
      await world.core.sockets.pipe(pipe, 'twice');
      await report(world, pipe, 'done');
      await world.core.sockets.pipe(newId(), 'twice');
      await settled(world);
      expect(reportsOf(world.core, id)).toEqual([]);
      await world.core.sockets.watch('same');
      await world.until('the connection', () => readables(world.core, 'same') === 1);
    },
  ],
  [
    'are handed to a process by name',
    async (world) => {
      const pipe = newId();
      await world.core.sockets.pipe(pipe, 'mine');
      const id = newId();
      await world.core.process.spawn(id, 'seven', { ...specOf(world, 'seven'), stdout: { fd: 0 } }, ['mine:w']);
      await report(world, 'seven', 'exited');
      expect(wordsOf(reportsOf(world.core, 'seven'))).toEqual(['forked', 'execed', 'exited']);
    },
  ],
  [
    'that nobody stored cannot be watched',
    async (world) => {
      await expect(world.core.sockets.watch('nothing')).rejects.toMatchObject({ code: 'ENOENT' });
    },
  ],
  [
    'that listen to nobody cannot be accepted on',
    async (world) => {
      await world.core.sockets.pipe(newId(), 'pipe');
      const id = newId();
      await world.core.process.accept(id, 'pipe:r', 'connection');
      expect(await report(world, id, 'failed')).toEqual({ id, errno: ENOTSOCK });
    },
  ],
]);

suite('connections', [
  [
    'that wait are told once, and once more when they are asked for again',
    async (world) => {
      const path = await listening(world, 'door');
      await world.core.sockets.watch('door');
      await settled(world);
      expect(readables(world.core, 'door')).toBe(0);
      world.connect(path);
      await world.until('the first', () => readables(world.core, 'door') === 1);
      world.connect(path);
      await settled(world);
      expect(readables(world.core, 'door')).toBe(1);
      await world.core.sockets.watch('door');
      await world.until('the second', () => readables(world.core, 'door') === 2);
    },
  ],
  [
    'that come while there is no core are there for the next, and are accepted by init',
    async (world) => {
      const path = await listening(world, 'gate');
      world.connect(path);
      await world.kill();
      await world.core.sockets.watch('gate');
      await world.until('the connection', () => readables(world.core, 'gate') === 1);
      const id = newId();
      await world.core.process.accept(id, 'gate', 'guest');
      expect(await report(world, id, 'accepted')).toEqual({
        id,
        name: 'guest',
        peerPid: process.pid,
        peerUid: process.getuid?.(),
        peer: '',
      });
      expect(await world.core.sockets.stored('guest')).toBe(true);
      const core = await world.kill();
      expect(core.hello.fds).toContain('guest');
      await core.process.accept(id, 'gate', 'guest');
      expect(await report(world, id, 'accepted', 2)).toMatchObject({ name: 'guest' });
      const other = newId();
      await core.process.accept(other, 'gate', 'another');
      await report(world, other, 'failed');
    },
  ],
]);

suite('datagrams', [
  [
    'are told in order and stay until they are consumed, over a death of core and with the same identity',
    async (world) => {
      const path = await notified(world, 'a');
      world.say(path, 'READY=1');
      world.say(path, 'STATUS=two');
      world.say(path, 'STATUS=two');
      await world.until('all three', () => datagrams(world.core, 'notify:a').length === 3);
      const told = datagrams(world.core, 'notify:a');
      expect(told.map(({ text }) => text)).toEqual(['READY=1', 'STATUS=two', 'STATUS=two']);
      expect(told.every(({ pid, uid, fds }) => pid === process.pid && uid === process.getuid?.() && fds === 0)).toBe(
        true,
      );
      expect(new Set(told.map(({ atNs }) => atNs)).size).toBe(3);
      await world.core.sockets.consume(told[0] as Datagram, [], newId());
      await settled(world);
      await world.kill();
      await world.until('the rest', () => datagrams(world.core, 'notify:a').length === 2);
      expect(datagrams(world.core, 'notify:a')).toEqual(told.slice(1));
      // What was consumed is not at the head any more: no error, and nothing else is taken.
      await world.core.sockets.consume(told[0] as Datagram, [], newId());
      await world.core.sockets.consume(told[1] as Datagram, [], newId());
      await world.core.sockets.consume(told[2] as Datagram, [], newId());
      await settled(world);
      const core = await world.kill();
      world.say(path, 'STATUS=new');
      await world.until('the new one', () => datagrams(core, 'notify:a').length > 0);
      expect(datagrams(core, 'notify:a').map(({ text }) => text)).toEqual(['STATUS=new']);
    },
  ],
  [
    'with descriptors are consumed once init has stored these',
    async (world) => {
      const path = await notified(world, 'b');
      world.say(path, 'FDSTORE=1', 1);
      const datagram = await world.until('it', () => datagrams(world.core, 'notify:b')[0]);
      expect(datagram.fds).toBe(1);
      const id = newId();
      await world.core.sockets.consume(datagram, ['kept'], id);
      await report(world, id, 'done');
      expect(await world.core.sockets.stored('kept')).toBe(true);
      const core = await world.kill();
      expect(core.hello.fds).toContain('kept');
      await settled(world);
      expect(datagrams(core, 'notify:b')).toEqual([]);
    },
  ],
  [
    'with descriptors are never lost with the core that was taking them',
    async (world) => {
      const path = await notified(world, 'c');
      world.say(path, 'FDSTORE=1', 1);
      const datagram = await world.until('it', () => datagrams(world.core, 'notify:c')[0]);
      const id = newId();
      await world.core.sockets.consume(datagram, ['held'], id);
      const core = await world.kill();
      expect(core.hello.fds).toContain('held');
      await report(world, id, 'done');
      await core.sockets.consume(datagram, ['held'], id);
      await settled(world);
      expect(await core.sockets.stored('held')).toBe(true);
      await settled(world);
      const next = await world.kill();
      await settled(world);
      expect(datagrams(next, 'notify:c')).toEqual([]);
    },
  ],
  [
    'with descriptors can be taken by a core that has no effect for it any more',
    async (world) => {
      const path = await notified(world, 'e');
      for (const text of ['FDSTORE=1', 'FDSTORE=1\nFDNAME=other']) world.say(path, text, 1);
      await world.until('both', () => datagrams(world.core, 'notify:e').length === 2);
      const core = await world.kill();
      await core.sockets.notify(newId(), 'notify:e', path);
      const told = await world.until('both again', () => {
        const found = datagrams(core, 'notify:e');
        return found.length === 2 && found;
      });
      for (const [at, name] of ['one', 'two'].entries())
        await core.sockets.consume(told[at] as Datagram, [name], undefined);
      // The second is given to init once that has answered about the first.
      await world.until('both are stored', async () => {
        const stored = await Promise.all(['one', 'two'].map((name) => core.sockets.stored(name)));
        return stored.every(Boolean);
      });
      await settled(world);
      const next = await world.until('both are kept', async () => {
        const now = await world.kill();
        return ['one', 'two'].every((name) => now.hello.fds.includes(name)) && now;
      });
      expect(datagrams(next, 'notify:e')).toEqual([]);
    },
  ],
  [
    'of a process come after it was forked and before its end',
    async (world) => {
      const path = await notified(world, 'd');
      const id = newId();
      await world.core.process.spawn(id, 'd|main', specOf(world, 'speaker', { notify: path }), []);
      await report(world, 'd|main', 'exited');
      await world.until('its word', () => datagrams(world.core, 'notify:d').length === 1);
      expect(story(world.core, 'd')).toEqual(['forked', 'execed', 'READY=1', 'exited']);
      // And so they do for a core that hears of all of it at once.
      await world.kill();
      await report(world, 'd|main', 'exited');
      await world.until('its word', () => datagrams(world.core, 'notify:d').length === 1);
      expect(story(world.core, 'd')).toEqual(['forked', 'execed', 'READY=1', 'exited']);
    },
  ],
]);

/** What was heard of a unit and from it, in order; `execed` may come after the first word of the program. */
function story(core: Core, unit: string): readonly string[] {
  const words = core.events.flatMap((event) => {
    if (event.type === 'datagram' && event.datagram.socket === `notify:${unit}`) return [event.datagram.text];
    if (event.type !== 'record') return [];
    const [word, body] = Object.entries(event.record.what)[0] as [string, { tag?: string }];
    return body.tag === `${unit}|main` ? [word] : [];
  });
  const at = words.indexOf('execed');
  if (words[at - 1] === 'READY=1') words.splice(at - 1, 2, 'execed', 'READY=1');
  return words;
}
