/** What outlives core: children, records, descriptors, watches; and what the next core is told of it. */
import { expect } from 'vitest';
import { REEXEC_ID } from '../../src/host/ports.ts';
import { suite } from './suite.ts';
import { ackAll, newId, recordsOf, report, reportsOf, settled, specOf, type World, wordsOf } from './world.ts';

suite('another init', [
  [
    'says that it has taken over, to the next core as well until that is acknowledged, and knows the children of the one before',
    async (world) => {
      await world.core.process.spawn(newId(), 'kept', specOf(world, 'sleeper'), []);
      await report(world, 'kept', 'execed');
      const said = () =>
        world.core.events
          .flatMap((event) => (event.type === 'record' ? [event.record] : []))
          .find(({ what }) => 'done' in what && JSON.stringify(what.done.id) === JSON.stringify(REEXEC_ID));
      expect(said()).toBeUndefined();
      await world.core.init.reexecInit('');
      const found = () => world.until('another init', said);
      const first = await found();
      const core = await world.kill();
      expect(core.hello.children.map(({ tag }) => tag)).toEqual(['kept']);
      expect((await found()).number).toBe(first.number);
    },
    'alone',
  ],
]);

const EINVAL = 22;
const ENOEXEC = 8;
const EALREADY = 114;

const listenAt = async (world: World, path: string) => {
  const id = newId();
  await world.core.sockets.listen(id, 'listener', {
    ...{ kind: 'stream', address: path, backlog: 8, socketMode: 0o600, directoryMode: 0o755 },
    ...{ user: '', group: '', options: {} },
  } as const);
  await report(world, id, 'done');
};

const descriptorsOf = async (world: World) => {
  const pipe = newId();
  await world.core.sockets.pipe(pipe, 'kept');
  await report(world, pipe, 'done');
  const path = `${world.directory}/kept.sock`;
  await listenAt(world, path);
  return path;
};

/** Everything that init has, while `happens`: nothing of it is lost, done twice, or told twice. */
const goesOn = (happens: (world: World) => Promise<void>) => async (world: World) => {
  const path = await descriptorsOf(world);
  const stranger = world.stranger();
  const [kept, watched, late] = [newId(), newId(), newId()];
  await world.core.process.spawn(kept, 'kept', specOf(world, 'sleeper'), []);
  await world.core.process.watch(watched, 'stranger', stranger.pid, 0);
  await world.core.process.spawn(newId(), 'gone', specOf(world, 'seven'), []);
  const { serial } = await report(world, kept, 'forked');
  await report(world, 'gone', 'exited');
  await report(world, watched, 'done');
  world.connect(path);
  // The one is asked for in the midst of it, the other behind it.
  await world.core.process.spawn(late, 'late', specOf(world, 'seven'), []);
  await happens(world);
  await report(world, 'late', 'exited');
  await settled(world);
  expect(wordsOf(reportsOf(world.core, 'late'))).toEqual(['forked', 'execed', 'exited']);
  expect(wordsOf(reportsOf(world.core, 'gone'))).toEqual(['forked', 'execed', 'exited']);
  // What was answered is answered again, and not done again.
  await world.core.process.spawn(kept, 'kept', specOf(world, 'sleeper'), []);
  await report(world, kept, 'forked', 2);
  for (const what of reportsOf(world.core, kept)) if ('forked' in what) expect(what.forked.serial).toBe(serial);
  stranger.end();
  await report(world, 'stranger', 'watched-exited');
  const accept = newId();
  await world.core.process.accept(accept, 'listener', 'guest');
  await report(world, accept, 'accepted');
  await settled(world);
  const numbers = recordsOf(world.core).map(({ number }) => number);
  const before = new Set(numbers);
  const core = await world.kill();
  await settled(world);
  expect(core.hello.children.map((child) => child.serial)).toEqual([serial]);
  expect(core.hello.fds).toEqual(expect.arrayContaining(['guest', 'kept:r', 'kept:w', 'listener']));
  expect(core.hello.deaths).toHaveLength(1);
  const again = recordsOf(core).map(({ number }) => number);
  for (const number of before) expect(again).toContain(number);
  await core.process.kill(newId(), { process: { child: serial } }, 9);
  expect(await report(world, 'kept', 'exited')).toMatchObject({ serial, ended: { killed: 9 } });
};

suite('what init has', [
  ['goes on over a fault of its own', goesOn((world) => world.fault()), 'alone'],
  [
    'goes on over fault after fault',
    goesOn(async (world) => {
      await world.fault();
      await settled(world);
      await world.fault();
    }),
    'alone',
  ],
  ['goes on in another init', goesOn(async (world) => await world.core.init.reexecInit('')), 'alone'],
]);

suite('another init that cannot be', [
  [
    'is refused with the reason, and nothing changes',
    async (world) => {
      const refused = (errno: number) =>
        world.until(`refused with ${errno}`, () =>
          world.core.events.find((event) => event.type === 'refused' && event.errno === errno),
        );
      await world.core.init.reexecInit('bin/init');
      expect(await refused(EINVAL)).toMatchObject({ id: null, why: expect.stringContaining('absolute') });
      await world.core.init.reexecInit(`${world.directory}/doubter`);
      await world.core.init.reexecInit('');
      expect(await refused(EALREADY)).toMatchObject({ id: null, why: expect.stringContaining('under way') });
      await listenAt(world, `${world.directory}/enough.sock`);
      expect(await refused(ENOEXEC)).toMatchObject({ id: null, why: expect.stringContaining('does not understand') });
      expect((await world.kill()).hello.deaths).toHaveLength(1);
    },
    'alone',
  ],
]);

suite('what is kept for a core without its state', [
  [
    'is there for the next core, as it was written last, and in another init',
    async (world) => {
      for (const port of ['notes', 'loaded'] as const) {
        expect(await world.core[port].load()).toBe('');
        await world.core[port].append('one\n');
        await world.core[port].append('zwölf\n');
      }
      await world.kill();
      for (const port of ['notes', 'loaded'] as const) expect(await world.core[port].load()).toBe('one\nzwölf\n');
      await world.core.notes.replace('new\n');
      await world.core.notes.append('more\n');
      await world.fault();
      await world.core.init.reexecInit('');
      await settled(world);
      const core = await world.kill();
      expect(await core.notes.load()).toBe('new\nmore\n');
      expect(await core.loaded.load()).toBe('one\nzwölf\n');
    },
    'alone',
  ],
  [
    'has a bound: what does not fit is not written at all',
    async (world) => {
      await world.core.notes.replace('short');
      await expect(world.core.notes.append('x'.repeat(5_000_000))).rejects.toMatchObject({ code: 'ENOSPC' });
      await expect(world.core.notes.replace('x'.repeat(5_000_000))).rejects.toMatchObject({ code: 'ENOSPC' });
      expect(await world.core.notes.load()).toBe('short');
      expect(await (await world.kill()).notes.load()).toBe('short');
    },
    'alone',
  ],
]);

suite('the hello', [
  [
    'of the first core is empty, and that of the next tells of live children and of nobody else',
    async (world) => {
      expect(world.core.hello).toMatchObject({ cores: 0, children: [], deaths: [], safeMode: false, stopping: null });
      const ids = [newId(), newId(), newId()] as const;
      await world.core.process.spawn(ids[0], 'first', specOf(world, 'sleeper'), []);
      await world.core.process.spawn(ids[1], 'gone', specOf(world, 'seven'), []);
      await world.core.process.spawn(ids[2], 'second', specOf(world, 'sleeper'), []);
      for (const [tag, word] of [
        ['first', 'execed'],
        ['gone', 'exited'],
        ['second', 'execed'],
      ] as const) {
        await report(world, tag, word);
      }
      const forked = [await report(world, ids[0], 'forked'), await report(world, ids[2], 'forked')];
      const core = await world.kill();
      expect(core.hello.cores).toBe(1);
      expect(core.hello.children).toEqual(forked.map((child) => ({ ...child, execed: true })));
    },
    'alone',
  ],
  [
    'says how the last cores ended and what they were doing, the newest first, three at most',
    async (world) => {
      for (let life = 1; life <= 4; life += 1) {
        await world.core.init.mark(life, 2, `actor ${life}`);
        await world.kill();
      }
      const { deaths, cores } = world.core.hello;
      expect(cores).toBe(4);
      expect(deaths).toEqual(
        [4, 3, 2].map((life) => ({
          atUs: expect.any(Number),
          ended: { killed: 9 },
          hung: false,
          seq: life,
          phase: 2,
          actor: `actor ${life}`,
        })),
      );
    },
    'alone',
  ],
  [
    'blames a core that died before it did anything for nothing that the one before it did',
    async (world) => {
      await world.core.init.mark(5, 2, 'an actor');
      await world.kill();
      await world.kill();
      const { deaths } = world.core.hello;
      expect(deaths.map(({ seq, phase, actor }) => [seq, phase, actor])).toEqual([
        [0, 0, ''],
        [5, 2, 'an actor'],
      ]);
    },
    'alone',
  ],
  [
    'has the highest epoch that was ever seen, refused effects included',
    async (world) => {
      await world.core.process.kill({ epoch: 7, seq: 1, index: 0 }, { process: { child: 9_999 } }, 15);
      await world.core.process.watch({ epoch: 8, seq: 1, index: 0 }, 'tag', 0, 0);
      await settled(world);
      expect((await world.kill()).hello.epoch).toBe(8);
    },
    'alone',
  ],
  [
    'says that the stop phase has begun',
    async (world) => {
      await world.core.init.shutdown('exit', 60_000, false, 0, '');
      await settled(world);
      expect((await world.kill()).hello.stopping).toBe('exit');
    },
    'alone',
  ],
]);

suite('records', [
  [
    'that are not acknowledged are told to the next core, the same and in order, and after the hello',
    async (world) => {
      await world.core.process.spawn(newId(), 'seven', specOf(world, 'seven'), []);
      await report(world, 'seven', 'exited');
      await world.core.process.spawn(newId(), 'broken', specOf(world, 'seven'), ['absent']);
      await world.core.process.spawn(newId(), 'missing', specOf(world, 'missing'), []);
      await report(world, 'missing', 'exited');
      await settled(world);
      const before = recordsOf(world.core);
      expect(before.length).toBeGreaterThanOrEqual(7);
      await world.kill();
      await settled(world);
      expect(recordsOf(world.core).slice(0, before.length)).toEqual(before);
    },
  ],
  [
    'are acknowledged up to a number: those above it are told again, those up to it are not',
    async (world) => {
      const id = newId();
      await world.core.process.spawn(id, 'seven', specOf(world, 'seven'), []);
      await report(world, 'seven', 'exited');
      await settled(world);
      const before = recordsOf(world.core);
      const forked = before.find(({ what }) => 'forked' in what);
      await world.core.process.ack(forked?.number ?? 0);
      await settled(world);
      const kept = recordsOf(world.core).filter(({ number }) => number > (forked?.number ?? 0));
      const core = await world.kill();
      await settled(world);
      expect(recordsOf(core).slice(0, kept.length)).toEqual(kept);
      expect(wordsOf(reportsOf(core, 'seven'))).toEqual(['execed', 'exited']);
      await ackAll(world);
      const next = await world.kill();
      await settled(world);
      expect(reportsOf(next, 'seven')).toEqual([]);
    },
  ],
  [
    'of a lower acknowledgement change nothing',
    async (world) => {
      await world.core.process.spawn(newId(), 'seven', specOf(world, 'seven'), []);
      await report(world, 'seven', 'exited');
      await ackAll(world);
      await world.core.process.ack(1);
      await settled(world);
      await world.kill();
      await settled(world);
      expect(reportsOf(world.core, 'seven')).toEqual([]);
    },
  ],
  [
    'of what the dead core asked for last, and of ends while there was no core, reach the next one',
    async (world) => {
      const started = newId();
      await world.core.process.spawn(started, 'sleeper', specOf(world, 'sleeper'), []);
      const { serial } = await report(world, started, 'forked');
      const last = newId();
      const kill = newId();
      await world.core.process.spawn(last, 'last', specOf(world, 'seven'), []);
      await world.core.process.kill(kill, { process: { child: serial } }, 9);
      const core = await world.kill();
      await report(world, 'last', 'exited');
      await report(world, 'sleeper', 'exited');
      expect(wordsOf(reportsOf(core, last))).toEqual(['forked', 'execed']);
      expect(wordsOf(reportsOf(core, kill))).toEqual(['signalled']);
    },
  ],
  [
    'answer a new core that asks again for what the dead one asked for, and it is not done twice',
    async (world) => {
      const id = newId();
      await world.core.process.spawn(id, 'sleeper', specOf(world, 'sleeper'), []);
      const { pid, serial } = await report(world, id, 'forked');
      await report(world, id, 'execed');
      await world.kill();
      await report(world, id, 'execed');
      await world.core.process.spawn(id, 'sleeper', specOf(world, 'sleeper'), []);
      await report(world, id, 'execed', 2);
      await settled(world);
      for (const what of reportsOf(world.core, id)) {
        if ('forked' in what) expect(what.forked).toMatchObject({ pid, serial });
      }
      expect((await world.kill()).hello.children.map((child) => child.serial)).toEqual([serial]);
    },
  ],
  [
    'of a watch come to the next core',
    async (world) => {
      const stranger = world.stranger();
      const id = newId();
      await world.core.process.watch(id, 'stranger', stranger.pid, 0);
      await report(world, id, 'done');
      await ackAll(world);
      await world.kill();
      stranger.end();
      expect(await report(world, id, 'watched-exited')).toMatchObject({ tag: 'stranger', pid: stranger.pid });
      await settled(world);
      expect(wordsOf(reportsOf(world.core, id))).toEqual(['watched-exited']);
    },
  ],
]);
