import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { groupPrefix } from '../../../src/host/node/groups.ts';
import type { HostError } from '../../../src/host/ports.ts';
import { Rig, until } from './rig.ts';

/** Mount point of the unified hierarchy, where this test may make groups. */
const mountinfo = readFileSync('/proc/self/mountinfo', 'utf8');
const mount = mountinfo
  .split('\n')
  .find((line) => line.includes(' - cgroup2 '))
  ?.split(' ')[4];
const usable = mount !== undefined && process.getuid?.() === 0;
const root = `${mount}/host-node-test.${process.pid}`;

let rig: Rig;
let children: ChildProcess[];

const sleeper = (path: string) => {
  const child = spawn('sleep', ['1000']);
  children.push(child);
  rig.host.groups.write(path, 'cgroup.procs', `${child.pid}`);
  return child;
};
const ends = (child: ChildProcess) => {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  return gone;
};
const levels = (path: string) =>
  rig.events.flatMap((event) => (event.type === 'group' && event.path === path ? [event.populated] : []));

describe.runIf(usable)('control groups', () => {
  beforeEach(() => {
    mkdirSync(root);
    children = [];
    rig = new Rig({ hello: { cgroupRoot: root } }).start();
  });

  afterEach(async () => {
    for (const child of children) if (child.exitCode === null && child.signalCode === null) await ends(child);
    const remove = () =>
      !existsSync(root) || rig.host.groups.children('').every((name) => rig.host.groups.remove(name));
    await until('the groups to be empty', remove);
    rmdirSync(root);
    await rig.end();
  });

  test('are made with those above, twice without harm, and listed by name', () => {
    expect(rig.host.groups.available).toBe(true);
    rig.host.groups.ensure('b.slice/b.service');
    rig.host.groups.ensure('a.slice');
    rig.host.groups.ensure('a.slice');
    expect(rig.host.groups.children('')).toEqual(['a.slice', 'b.slice']);
    expect(rig.host.groups.children('b.slice')).toEqual(['b.service']);
    expect(rig.host.groups.children('none')).toEqual([]);
  });

  test('tell at once whether they are populated, and then each change of it', async () => {
    rig.host.groups.ensure('a');
    rig.host.groups.watch('a');
    await until('the level', () => levels('a').length === 1);
    const one = sleeper('a');
    await until('populated', () => levels('a').length === 2);
    const two = sleeper('a');
    await ends(one);
    await rig.round();
    expect(rig.host.groups.processes('a')).toEqual([two.pid]);
    await ends(two);
    await until('empty', () => levels('a').length === 3);
    expect(levels('a')).toEqual([false, true, false]);
  });

  test('count those below', async () => {
    rig.host.groups.ensure('a/b/c');
    const child = sleeper('a/b/c');
    expect([rig.host.groups.populated('a'), rig.host.groups.processes('a')]).toEqual([true, [child.pid]]);
    expect(rig.host.process.inspect(child.pid as number)?.group).toBe('a/b/c');
    expect(rig.host.process.inspect(process.pid)?.group).toMatch(/^\//);
    expect([rig.host.groups.populated('gone'), rig.host.groups.processes('gone')]).toEqual([false, []]);
  });

  test('are removed with those below, are not when busy, and being gone is no error', async () => {
    rig.host.groups.ensure('a/b');
    rig.host.groups.ensure('a/c');
    const child = sleeper('a/c');
    expect(rig.host.groups.remove('a')).toBe(false);
    await ends(child);
    await until('it to be removed', () => rig.host.groups.remove('a'));
    expect(rig.host.groups.remove('a')).toBe(true);
    expect(rig.host.groups.children('')).toEqual([]);
  });

  test('that are not there yet, or removed with their slice and made again, are watched all the same', async () => {
    const path = 'late.slice/late.service';
    rig.host.groups.watch(path);
    await until('the level of a group that is not there', () => levels(path).length === 1);
    // Made behind the port's back, as the exec helper does.
    mkdirSync(`${root}/${path}`, { recursive: true });
    const child = sleeper(path);
    await until('populated', () => levels(path).length === 2);
    await ends(child);
    await until('empty', () => levels(path).length === 3);
    await until('removed', () => rig.host.groups.remove('late.slice'));
    await rig.round();
    mkdirSync(`${root}/${path}`, { recursive: true });
    const again = sleeper(path);
    await until('populated again', () => levels(path).length === 4);
    rig.host.groups.unwatch(path);
    await ends(again);
    await rig.round();
    expect(levels(path)).toEqual([false, true, false, true]);
  });

  test('have attributes: a missing one is undefined when read and an error when written', () => {
    rig.host.groups.ensure('a');
    expect(rig.host.groups.read('a', 'cgroup.events')).toContain('populated 0');
    expect(rig.host.groups.read('a', 'no.such')).toBeUndefined();
    const error = (() => {
      try {
        rig.host.groups.write('a', 'no.such', '1');
      } catch (thrown) {
        return thrown as HostError;
      }
    })();
    expect(error).toMatchObject({ name: 'HostError' });
    expect(['ENOENT', 'EACCES', 'EPERM']).toContain(error?.code);
    expect(() => rig.host.groups.ensure('../elsewhere')).toThrow(/EINVAL/);
  });
});

describe('without control groups', () => {
  test('there are none, and asking is harmless', async () => {
    const none = new Rig();
    const { groups } = none.host;
    expect([groups.available, groups.populated('a'), groups.processes('a'), groups.children('')]).toEqual([
      false,
      false,
      [],
      [],
    ]);
    expect(() => groups.ensure('a')).toThrow(/EOPNOTSUPP/);
    await none.end();
  });
});

test.each([
  ['/sys/fs/cgroup', '30 29 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw', ''],
  ['/sys/fs/cgroup/machine/x', '30 29 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw', '/machine/x'],
  [
    '/sys/fs/cgroup/unified/x',
    '30 29 0:26 / /sys/fs/cgroup rw - tmpfs t rw\n31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:1 - cgroup2 c rw',
    '/x',
  ],
])('what /proc calls the root %s is its path below the mount point', (directory, lines, prefix) => {
  expect(groupPrefix(directory, lines)).toBe(prefix);
});
