/** The other ports of a host: files, control groups, times, the checkpoint, clients. */
import { expect } from 'vitest';
import { suite } from './suite.ts';
import { type Core, newId, report, settled, specOf, type World } from './world.ts';

const count = (core: Core, type: string) => core.events.filter((event) => event.type === type).length;

suite('files', [
  [
    'that are not there are an answer, and every other trouble an error with its name',
    async (world) => {
      const { files } = world.core;
      const at = (name: string) => `${world.directory}/files/${name}`;
      await files.mkdirs(at('directory/below'), 0o755);
      await files.writeText(at('file'), 'text', 0o640);
      await files.symlink('file', at('link'));
      await files.symlink('nowhere', at('dangling'));
      for (const name of ['absent', 'file/below']) {
        expect(await files.readText(at(name))).toBeUndefined();
        expect(await files.list(at(name))).toBeUndefined();
        expect(await files.lstat(at(name))).toBeUndefined();
        expect(await files.readlink(at(name))).toBeUndefined();
        expect(await files.access(at(name), 'r')).toBe(false);
        await files.remove(at(name));
      }
      await files.removeTree(at('absent'));
      expect(await files.list(at('file'))).toBeUndefined();
      expect(await files.readlink(at('file'))).toBeUndefined();
      expect(await files.stat(at('dangling'))).toBeUndefined();
      for (const [code, call] of [
        ['EISDIR', files.readText(at('directory'))],
        ['ENOENT', files.writeText(at('absent/file'), 'text', 0o644)],
        ['ENOTDIR', files.writeText(at('file/below'), 'text', 0o644)],
        ['EEXIST', files.symlink('file', at('link'))],
        ['EEXIST', files.mkdirs(at('file'), 0o755)],
        ['ENOTDIR', files.mkdirs(at('file/below'), 0o755)],
        ['EISDIR', files.remove(at('directory'))],
      ] as const) {
        await expect(call).rejects.toMatchObject({ code });
      }
      await files.removeTree(at('.').slice(0, -2));
    },
  ],
  [
    'say what they are, and links are followed or not as asked',
    async (world) => {
      const { files } = world.core;
      const at = (name: string) => `${world.directory}/more/${name}`;
      await files.mkdirs(at('b/c'), 0o755);
      await files.writeText(at('a'), 'text', 0o640);
      await files.symlink('a', at('link'));
      expect(await files.list(at('.'))).toEqual(['a', 'b', 'link']);
      expect(await files.lstat(at('link'))).toMatchObject({ kind: 'symlink' });
      expect(await files.stat(at('link'))).toMatchObject({ kind: 'file', size: 4, mode: 0o640 });
      expect(await files.readlink(at('link'))).toBe('a');
      expect(await files.readText(at('link'))).toBe('text');
      expect(await files.access(at('a'), 'x')).toBe(false);
      await files.writeText(at('a'), 'other', 0o644);
      expect(await files.readText(at('a'))).toBe('other');
      await files.remove(at('link'));
      expect(await files.readText(at('a'))).toBe('other');
      await files.removeTree(at('.').slice(0, -2));
      expect(await files.lstat(at('b/c'))).toBeUndefined();
    },
  ],
  [
    'that are watched are told when they appear, and at once where they are there',
    async (world) => {
      const { files } = world.core;
      const path = `${world.directory}/watched`;
      const told = () => count(world.core, 'path');
      await files.watch(path);
      await settled(world);
      expect(told()).toBe(0);
      await files.writeText(path, 'text', 0o644);
      await world.until('the notice', () => told() > 0);
      await files.unwatch(path);
      await settled(world);
      const before = told();
      await files.watch(path);
      await world.until('the notice', () => told() > before);
      await files.unwatch(path);
      await files.remove(path);
    },
  ],
]);

suite('paths of path units', [
  [
    'are told as they are at first, as they come and go, and when they change, until nobody watches any more',
    async (world) => {
      const { files, paths, events } = world.core;
      const at = (name: string) => `${world.directory}/unit-paths/${name}`;
      const specs = [
        { kind: 'PathExists', path: at('far/here') },
        { kind: 'PathChanged', path: at('conf') },
        { kind: 'PathExistsGlob', path: at('jobs/*.job') },
        { kind: 'DirectoryNotEmpty', path: at('jobs') },
      ] as const;
      const looks = (round: number) =>
        events.flatMap((event) => (event.type === 'paths' && event.round === round ? [event] : []));
      const there = (round: number) =>
        looks(round)
          .at(-1)
          ?.seen.map((one) => (one.there ? 1 : 0))
          .join('');
      const changes = () => events.flatMap((event) => (event.type === 'path-changed' ? [event] : []));
      await paths.watch('a.path', 3, specs, 0o750);
      await world.until('a look', () => there(3) === '0100');
      expect(looks(3)).toMatchObject([{ name: 'a.path', missed: true, seen: specs.map(({ path }) => ({ path })) }]);
      // MakeDirectory= is not for what is to be there, nor for patterns.
      expect([await files.stat(at('jobs')), await files.stat(at('far'))]).toMatchObject([{ mode: 0o750 }, undefined]);
      await files.mkdirs(at('far'), 0o755);
      await files.writeText(at('far/here'), '', 0o644);
      await world.until('it is there', () => there(3) === '1100');
      await files.remove(at('far/here'));
      await world.until('it is gone', () => there(3) === '0100');
      await files.writeText(at('jobs/.1.job'), '', 0o644);
      await files.writeText(at('jobs/1.job'), '', 0o644);
      await world.until('it is there', () => there(3) === '0111');
      expect(looks(3).at(-1)).toMatchObject({
        missed: false,
        seen: [{}, {}, { path: at('jobs/1.job') }, { path: at('jobs') }],
      });
      expect(changes()).toEqual([]);
      const stamp = looks(3).at(-1)?.seen[1]?.stamp;
      await files.writeText(at('conf/entry'), 'one', 0o644);
      await world.until('the notice', () => changes().length > 0);
      expect(changes()[0]).toEqual({ type: 'path-changed', name: 'a.path', round: 3, at: 1 });
      await paths.unwatch('a.path');
      await settled(world);
      const before = events.length;
      await files.writeText(at('far/here'), '', 0o644);
      await files.writeText(at('conf/entry'), 'two', 0o644);
      await settled(world);
      expect(events.slice(before).filter(({ type }) => type.startsWith('path'))).toEqual([]);
      // Who was not there to be told finds it by what is there now.
      await paths.watch('a.path', 4, specs, null);
      await world.until('a look', () => there(4) === '1111');
      expect(looks(4)[0]?.seen[1]?.stamp).not.toBe(stamp);
      await paths.watch('a.path', 5, specs, null);
      await world.until('a look', () => there(5) === '1111');
      expect(looks(5)[0]?.seen[1]?.stamp).toBe(looks(4)[0]?.seen[1]?.stamp);
      await paths.unwatch('a.path');
      await files.removeTree(at('.').slice(0, -2));
    },
  ],
]);

suite('control groups', [
  [
    'are made, told as populated or empty, and removed when nobody is in them; where there are none, that is said',
    async (world) => {
      const { groups } = world.core;
      if (world.core.hello.cgroupRoot === '') {
        for (const call of [groups.ensure('a'), groups.remove('a'), groups.read('a', 'cgroup.procs')]) {
          await expect(call).rejects.toMatchObject({ code: 'EOPNOTSUPP' });
        }
        expect([await groups.populated('a'), await groups.processes('a'), await groups.children('a')]).toEqual([
          false,
          [],
          [],
        ]);
        return;
      }
      const told = () =>
        world.core.events.flatMap((event) => (event.type === 'group' && event.path === 'g' ? [event.populated] : []));
      await groups.ensure('g/below');
      await groups.ensure('g');
      expect(await groups.children('g')).toEqual(['below']);
      await groups.watch('g');
      await world.until('the first word', () => told().length === 1);
      const id = newId();
      await world.core.process.spawn(id, 'member', specOf(world, 'sleeper', { group: 'g/below' }), []);
      await report(world, 'member', 'execed');
      const { pid, serial } = await report(world, id, 'forked');
      await world.until('that it is populated', () => told().length === 2);
      expect([await groups.populated('g'), await groups.processes('g')]).toEqual([true, [pid]]);
      expect(await groups.remove('g')).toBe(false);
      await world.core.process.kill(newId(), { process: { child: serial } }, 9);
      await world.until('that it is empty', () => told().length === 3);
      expect(told()).toEqual([false, true, false]);
      expect(await groups.remove('g')).toBe(true);
      expect(await groups.remove('g')).toBe(true);
      expect(await groups.remove('')).toBe(false);
      expect(await groups.read('g', 'cgroup.procs')).toBeUndefined();
      await expect(groups.write('g', 'cgroup.freeze', '1')).rejects.toMatchObject({ code: 'ENOENT' });
      await expect(groups.ensure('../out')).rejects.toMatchObject({ code: 'EINVAL' });
    },
  ],
]);

suite('the clock', [
  [
    'wakes once, at the last time that was asked for and not before',
    async (world) => {
      const { clock } = world.core;
      const now = await clock.nowMs();
      await clock.wakeAt(now + 3_600_000);
      await clock.wakeAt(now + 20);
      await world.until('the deadline', () => count(world.core, 'wake') > 0);
      expect(await clock.nowMs()).toBeGreaterThanOrEqual(now + 20);
      await clock.wakeAt((await clock.nowMs()) + 3_600_000);
      await clock.wakeAt(undefined);
      await clock.wakeAt(now - 1000);
      await world.until('what is overdue', () => count(world.core, 'wake') > 1);
      await settled(world);
      expect(count(world.core, 'wake')).toBe(2);
    },
  ],
]);

/** What the next core finds. */
async function found(world: World) {
  await world.kill();
  return await world.core.state.load();
}

suite('the checkpoint', [
  [
    'is found by the next core as image and records, is replaced as a whole, and is not believed once it is void',
    async (world) => {
      expect(await world.core.state.load()).toMatchObject({ records: [] });
      await world.core.state.replace('one');
      await world.core.state.append('a');
      await world.core.state.append('b');
      expect(await found(world)).toMatchObject({ image: 'one', records: ['a', 'b'] });
      await world.core.state.append('c');
      expect(await found(world)).toMatchObject({ image: 'one', records: ['a', 'b', 'c'] });
      await world.core.state.replace('two');
      expect(await found(world)).toMatchObject({ image: 'two', records: [] });
      await world.core.state.makeVoid();
      const { image, records, note } = await found(world);
      expect([image ?? undefined, records, typeof note]).toEqual([undefined, [], 'string']);
      await world.core.state.replace('three');
      expect(await found(world)).toMatchObject({ image: 'three', records: [] });
    },
    'alone',
  ],
]);

suite('a client', [
  [
    'is told of with who it is, is heard and answered, and is told of once more when it goes',
    async (world) => {
      const client = await world.client();
      const said = (session?: number) =>
        world.core.events.flatMap((event) =>
          event.type === 'client' && (session === undefined || event.session === session) ? [event] : [],
        );
      const [first] = await world.until('the session', () => (said().length > 0 ? said() : undefined));
      const session = first?.session ?? -1;
      expect(first?.what).toEqual({
        opened: { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() },
      });
      client.send('{"one":1}');
      client.send('{"two":2}');
      await world.until('both', () => said(session).length === 3);
      expect(
        said(session)
          .slice(1)
          .map(({ what }) => what),
      ).toEqual([{ message: '{"one":1}' }, { message: '{"two":2}' }]);
      await world.core.api.send(session, '{"answer":1}');
      await world.until('the answer', () => client.received.length === 1);
      expect(client.received).toEqual(['{"answer":1}']);
      client.leave();
      await world.until('its end', () => said(session).length === 4);
      expect(said(session)[3]?.what).toHaveProperty('closed');
      await world.core.api.send(session, '{"late":1}');
      await world.core.api.close(session);
    },
  ],
  [
    'that core sends away has all that was said before; and every connection ends with core',
    async (world) => {
      const client = await world.client();
      const session = await world.until(
        'the session',
        () => world.core.events.flatMap((event) => (event.type === 'client' ? [event.session] : []))[0],
      );
      await world.core.api.send(session, '{"last":1}');
      await world.core.api.close(session);
      await world.until('the end', () => client.closed);
      expect(client.received).toEqual(['{"last":1}']);
      const other = await world.client();
      await world.until('the other', () => count(world.core, 'client') > 1);
      await world.kill();
      await world.until('its end', () => other.closed);
    },
  ],
]);
