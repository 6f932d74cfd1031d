/** What core asks of init, and what it is told: each thing once, in one order, with the same fields. */
import { expect } from 'vitest';
import { suite } from './suite.ts';
import { ackAll, newId, recordsOf, report, reportsOf, settled, specOf, type World, wordsOf } from './world.ts';

const ENOENT = 2;
const EAGAIN = 11;
const EOPNOTSUPP = 95;
const EXEC_STEP = 30;

/** Start a program and wait for a report about it. */
async function started(world: World, name: Parameters<typeof specOf>[1], until: string, group?: string) {
  const id = newId();
  await world.core.process.spawn(id, name, specOf(world, name, group === undefined ? {} : { group }), []);
  await report(world, name, until);
  return await report(world, id, 'forked');
}

suite('spawn', [
  [
    'a process is forked, becomes its program and ends, told in that order and once each',
    async (world) => {
      const id = newId();
      await world.core.process.spawn(id, 'the tag', specOf(world, 'seven'), []);
      await report(world, 'the tag', 'exited');
      await settled(world);
      const all = reportsOf(world.core, 'the tag');
      const { serial, pid, startTime } = await report(world, id, 'forked');
      expect(all).toEqual([
        { forked: { id, tag: 'the tag', serial, pid, startTime } },
        { execed: { id, tag: 'the tag', serial } },
        { exited: { tag: 'the tag', serial, pid, ended: { exited: 7 } } },
      ]);
      expect([serial, pid, startTime].every((number) => Number.isInteger(number) && number > 0)).toBe(true);
    },
  ],
  [
    'a program that is not there is one failure with its step and errno, and the end of the helper',
    async (world) => {
      const id = newId();
      await world.core.process.spawn(id, 'tag', specOf(world, 'missing'), []);
      await report(world, 'tag', 'exited');
      await settled(world);
      const { serial, pid, startTime } = await report(world, id, 'forked');
      expect(reportsOf(world.core, 'tag')).toEqual([
        { forked: { id, tag: 'tag', serial, pid, startTime } },
        {
          'spawn-failed': {
            id,
            tag: 'tag',
            serial,
            step: EXEC_STEP,
            errno: ENOENT,
            detail: expect.stringContaining('missing'),
          },
        },
        { exited: { tag: 'tag', serial, pid, ended: { exited: 203 } } },
      ]);
    },
  ],
  [
    'a descriptor that is not stored fails before there is a process, and no exit follows',
    async (world) => {
      const id = newId();
      await world.core.process.spawn(id, 'tag', specOf(world, 'seven'), ['no such name']);
      await report(world, id, 'spawn-failed');
      await settled(world);
      expect(reportsOf(world.core, 'tag')).toEqual([
        { 'spawn-failed': { id, tag: 'tag', serial: null, step: 0, errno: ENOENT, detail: 'no such name' } },
      ]);
    },
  ],
  [
    'serials rise and are never used again, and record numbers rise',
    async (world) => {
      const first = await started(world, 'seven', 'exited');
      const second = await started(world, 'sleeper', 'execed');
      expect(second.serial).toBeGreaterThan(first.serial);
      const numbers = recordsOf(world.core).map(({ number }) => number);
      expect(numbers.length).toBeGreaterThanOrEqual(5);
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    },
  ],
  [
    'what /proc says of a child is what init says of it',
    async (world) => {
      const { pid, startTime } = await started(world, 'sleeper', 'execed', 'some.group');
      const seen = await world.core.process.inspect(pid);
      expect(seen).toMatchObject({ ppid: world.core.hello.pid, startTime });
      if (world.core.hello.cgroupRoot !== '') expect(seen?.group).toBe('some.group');
    },
  ],
]);

suite('an effect asked for again', [
  [
    'is answered with its first outcome while that is kept, and not done again',
    async (world) => {
      const { id } = await started(world, 'seven', 'exited');
      const first = reportsOf(world.core, id);
      await world.core.process.spawn(id, 'seven', specOf(world, 'seven'), []);
      await report(world, id, 'execed', 2);
      await settled(world);
      expect(reportsOf(world.core, id)).toEqual([...first, ...first]);
      const exits = reportsOf(world.core, 'seven').filter((what) => 'exited' in what);
      expect(new Set(exits.map((what) => JSON.stringify(what))).size).toBe(1);
    },
  ],
  [
    'is answered with what its child is by now, once its outcomes are acknowledged',
    async (world) => {
      const { id, serial, pid, startTime } = await started(world, 'sleeper', 'execed');
      await ackAll(world);
      await world.core.process.spawn(id, 'sleeper', specOf(world, 'sleeper'), []);
      expect(await report(world, id, 'forked', 2)).toEqual({ id, tag: 'sleeper', serial, pid, startTime });
      expect(await report(world, id, 'execed', 2)).toEqual({ id, tag: 'sleeper', serial });
      await settled(world);
      expect(reportsOf(world.core, id)).toHaveLength(4);
    },
  ],
  [
    'is done again when its process is gone and all about it is acknowledged: that is what core must not do',
    async (world) => {
      const { id, serial } = await started(world, 'seven', 'exited');
      await ackAll(world);
      await world.core.process.spawn(id, 'seven', specOf(world, 'seven'), []);
      const again = await report(world, id, 'forked', 2);
      expect(again.serial).toBeGreaterThan(serial);
    },
  ],
  [
    'is answered once more if it failed',
    async (world) => {
      const id = newId();
      await world.core.process.spawn(id, 'tag', specOf(world, 'seven'), ['absent']);
      await report(world, id, 'spawn-failed');
      await world.core.process.spawn(id, 'tag', specOf(world, 'seven'), ['absent']);
      await report(world, id, 'spawn-failed', 2);
      const records = recordsOf(world.core).filter(({ what }) => 'spawn-failed' in what);
      expect(new Set(records.map(({ number }) => number)).size).toBe(1);
    },
  ],
  [
    'does not send a signal twice',
    async (world) => {
      const { serial } = await started(world, 'sleeper', 'execed');
      const id = newId();
      const target = { process: { child: serial } };
      await world.core.process.kill(id, target, 9);
      await report(world, 'sleeper', 'exited');
      await world.core.process.kill(id, target, 9);
      await report(world, id, 'signalled', 2);
      expect(wordsOf(reportsOf(world.core, id))).toEqual(['signalled', 'signalled']);
    },
  ],
]);

suite('kill', [
  [
    'a child is signalled by its serial, and its end is told after that',
    async (world) => {
      const { serial, pid } = await started(world, 'polite', 'execed');
      await world.until('the program', () => world.core.files.readText(`${world.directory}/polite.up`));
      const id = newId();
      await world.core.process.kill(id, { process: { child: serial } }, 15);
      await report(world, 'polite', 'exited');
      const about = recordsOf(world.core).map(({ what }) => what);
      expect(about.slice(-2)).toEqual([
        { signalled: { id, count: 1 } },
        { exited: { tag: 'polite', serial, pid, ended: { exited: 3 } } },
      ]);
    },
  ],
  [
    'a process that does not catch the signal ends by it',
    async (world) => {
      const { serial } = await started(world, 'sleeper', 'execed');
      await world.core.process.kill(newId(), { process: { child: serial } }, 15);
      expect((await report(world, 'sleeper', 'exited')).ended).toEqual({ killed: 15 });
    },
  ],
  [
    'somebody who is gone is gone: by serial, and by pid with another start time',
    async (world) => {
      const { serial, pid, startTime } = await started(world, 'seven', 'exited');
      const stranger = world.stranger();
      const since = (await world.core.process.inspect(stranger.pid))?.startTime ?? 0;
      for (const process of [
        { child: serial },
        { child: 123_456_789 },
        { watched: [pid, startTime] as const },
        { watched: [stranger.pid, since + 1] as const },
      ]) {
        const id = newId();
        await world.core.process.kill(id, { process }, 9);
        await report(world, id, 'gone');
      }
      expect(await world.core.process.inspect(stranger.pid)).toBeDefined();
      const id = newId();
      await world.core.process.kill(id, { process: { watched: [stranger.pid, since] } }, 9);
      expect(await report(world, id, 'signalled')).toEqual({ id, count: 1 });
    },
  ],
  [
    'a control group is signalled with all below it, but for those that are excepted',
    async (world) => {
      const kill = async (path: string, except: readonly { child: number }[], signal: number) => {
        const id = newId();
        await world.core.process.kill(id, { group: { path, except } }, signal);
        return id;
      };
      if (world.core.hello.cgroupRoot === '') {
        const id = await kill('some.group', [], 15);
        expect(await report(world, id, 'failed')).toEqual({ id, errno: EOPNOTSUPP });
        return;
      }
      const spared = await started(world, 'sleeper', 'execed', 'some.group');
      const [a, b] = [newId(), newId()];
      await world.core.process.spawn(a, 'a', specOf(world, 'sleeper', { group: 'some.group' }), []);
      await world.core.process.spawn(b, 'b', specOf(world, 'sleeper', { group: 'some.group/below' }), []);
      await report(world, 'a', 'execed');
      await report(world, 'b', 'execed');
      const first = await kill('some.group', [{ child: spared.serial }], 15);
      expect(await report(world, first, 'signalled')).toEqual({ id: first, count: 2 });
      await report(world, 'a', 'exited');
      await report(world, 'b', 'exited');
      expect(wordsOf(reportsOf(world.core, 'sleeper'))).toEqual(['forked', 'execed']);
      const second = await kill('some.group', [], 9);
      expect(await report(world, second, 'signalled')).toEqual({ id: second, count: 1 });
      expect((await report(world, 'sleeper', 'exited')).ended).toEqual({ killed: 9 });
      for (const path of ['some.group', 'never.made']) await report(world, await kill(path, [], 15), 'gone');
    },
  ],
]);

suite('watch', [
  [
    'an orphan that became a child of init is told with how it ended',
    async (world) => {
      await started(world, 'parent', 'exited');
      const pid = Number(await world.core.files.readText(`${world.directory}/parent.pid`));
      const startTime = (await world.core.process.inspect(pid))?.startTime ?? 0;
      const id = newId();
      await world.core.process.watch(id, 'orphan', pid, startTime);
      await report(world, id, 'done');
      await world.core.process.kill(newId(), { process: { watched: [pid, startTime] } }, 9);
      expect(await report(world, id, 'watched-exited')).toEqual({ id, tag: 'orphan', pid, ended: { killed: 9 } });
    },
  ],
  [
    'an orphan that ended before it was watched is told from memory, and only that',
    async (world) => {
      await started(world, 'parent', 'exited');
      const pid = Number(await world.core.files.readText(`${world.directory}/parent.pid`));
      const startTime = (await world.core.process.inspect(pid))?.startTime ?? 0;
      await world.core.process.kill(newId(), { process: { watched: [pid, startTime] } }, 9);
      await world.until('its end', async () => (await world.core.process.inspect(pid)) === undefined);
      const id = newId();
      await world.core.process.watch(id, 'orphan', pid, startTime);
      expect(await report(world, id, 'watched-exited')).toEqual({ id, tag: 'orphan', pid, ended: { killed: 9 } });
      await settled(world);
      expect(wordsOf(reportsOf(world.core, id))).toEqual(['watched-exited']);
    },
  ],
  [
    'a process of somebody else ends, and how is not known',
    async (world) => {
      const stranger = world.stranger();
      const id = newId();
      await world.core.process.watch(id, 'stranger', stranger.pid, 0);
      await report(world, id, 'done');
      stranger.end();
      expect(await report(world, id, 'watched-exited')).toEqual({
        id,
        tag: 'stranger',
        pid: stranger.pid,
        ended: null,
      });
    },
  ],
  [
    'a process with another start time is one that is gone',
    async (world) => {
      const stranger = world.stranger();
      const since = (await world.core.process.inspect(stranger.pid))?.startTime ?? 0;
      const id = newId();
      await world.core.process.watch(id, 'stranger', stranger.pid, since + 1);
      expect(await report(world, id, 'watched-exited')).toMatchObject({ ended: null });
      await settled(world);
      expect(wordsOf(reportsOf(world.core, id))).toEqual(['watched-exited']);
    },
  ],
  [
    'a watched child of init is told twice, as watched and as spawned',
    async (world) => {
      const { serial, pid, startTime } = await started(world, 'sleeper', 'execed');
      const id = newId();
      await world.core.process.watch(id, 'also', pid, startTime);
      await report(world, id, 'done');
      await world.core.process.kill(newId(), { process: { child: serial } }, 9);
      await report(world, 'sleeper', 'exited');
      expect(
        recordsOf(world.core)
          .map(({ what }) => what)
          .slice(-2),
      ).toEqual([
        { 'watched-exited': { id, tag: 'also', pid, ended: { killed: 9 } } },
        { exited: { tag: 'sleeper', serial, pid, ended: { killed: 9 } } },
      ]);
    },
  ],
  [
    'a watch that is asked for again after its answer was acknowledged is confirmed, and ends once',
    async (world) => {
      const stranger = world.stranger();
      const id = newId();
      await world.core.process.watch(id, 'stranger', stranger.pid, 0);
      await report(world, id, 'done');
      await ackAll(world);
      await world.core.process.watch(id, 'stranger', stranger.pid, 0);
      await report(world, id, 'done', 2);
      stranger.end();
      await report(world, id, 'watched-exited');
      await settled(world);
      expect(wordsOf(reportsOf(world.core, id))).toEqual(['done', 'done', 'watched-exited']);
    },
  ],
]);

suite('a refused frame', [
  [
    'says which effect, why, and leaves nothing behind',
    async (world) => {
      const { process } = world.core;
      const cases: readonly [number, (id: ReturnType<typeof newId>) => Promise<void>][] = [
        [22, (id) => process.kill(id, { process: { child: 1 } }, 0)],
        [22, (id) => process.kill(id, { process: { child: 1 } }, 65)],
        [22, (id) => process.kill(id, { group: { path: '../somewhere', except: [] } }, 15)],
        [22, (id) => process.kill(id, { group: { path: '', except: [] } }, 15)],
        [22, (id) => process.watch(id, 'tag', 0, 0)],
        [90, (id) => process.watch(id, 't'.repeat(4097), 1, 0)],
        [90, (id) => process.accept(id, 'listener', '')],
        [90, (id) => process.spawn(id, 'tag', specOf(world, 'seven'), ['n'.repeat(256)])],
      ];
      for (const [errno, ask] of cases) {
        const id = newId();
        await ask(id);
        const refused = await world.until('the refusal', () =>
          world.core.events.find((event) => event.type === 'refused' && event.id?.seq === id.seq),
        );
        expect(refused).toEqual({ type: 'refused', id, errno, why: expect.any(String) });
        expect(reportsOf(world.core, id)).toEqual([]);
      }
      await settled(world);
      expect(reportsOf(world.core, 'tag')).toEqual([]);
    },
  ],
  [
    'is not remembered: the same id may be used for what is right',
    async (world) => {
      const id = newId();
      await world.core.process.watch(id, 'tag', 0, 0);
      await world.until('the refusal', () => world.core.events.some((event) => event.type === 'refused'));
      await world.core.process.accept(id, 'no such listener', 'connection');
      expect(await report(world, id, 'failed')).toEqual({ id, errno: ENOENT });
    },
  ],
  [
    'an acknowledgement of what was never said is refused, and forgets nothing',
    async (world) => {
      const { id } = await started(world, 'seven', 'exited');
      await world.core.process.ack(1_000_000);
      const refused = await world.until('the refusal', () =>
        world.core.events.find((event) => event.type === 'refused'),
      );
      expect(refused).toMatchObject({ id: null, errno: 22 });
      const before = reportsOf(world.core, id);
      const core = await world.kill();
      await report(world, 'seven', 'exited');
      expect(reportsOf(core, id)).toEqual(before);
    },
  ],
  [
    'an end that is not known is refused, and nothing ends',
    async (world) => {
      for (const kind of ['soft-reboot', 'switch-root'] as const) {
        await world.core.init.shutdown(kind, 1000, false, 0, '');
        await world.until('the refusal', () =>
          world.core.events.some((event) => event.type === 'refused' && event.errno === EOPNOTSUPP),
        );
      }
      expect((await world.kill()).hello.stopping).toBeNull();
    },
  ],
]);

suite('accept', [
  [
    'a listener that is not stored, or has nobody waiting, is a failure with its errno',
    async (world) => {
      const id = newId();
      await world.core.process.accept(id, 'nobody', 'connection');
      expect(await report(world, id, 'failed')).toEqual({ id, errno: ENOENT });
      await world.core.sockets.listen(newId(), 'listener', {
        kind: 'stream',
        address: `${world.directory}/listener.sock`,
        backlog: 8,
        socketMode: 0o600,
        directoryMode: 0o755,
        user: '',
        group: '',
        options: {},
      });
      const second = newId();
      await world.core.process.accept(second, 'listener', 'connection');
      expect(await report(world, second, 'failed')).toEqual({ id: second, errno: EAGAIN });
      expect(await world.core.sockets.stored('connection')).toBe(false);
    },
  ],
]);
