import { describe, expect, test } from 'vitest';
import type { FilePort } from '../../src/host/ports.ts';
import { BUILT_IN, type Generated } from '../../src/units/generators/index.ts';
import { diskFiles, memoryFiles } from '../unit/units-support.ts';
import { askGenerators, canAsk, type GeneratorCase, plainUnit } from './generators-oracle.ts';

/** How many generated cases of each kind are compared; more by GENERATOR_CASES=. */
const COUNT = Number(process.env['GENERATOR_CASES'] ?? 60);

/** Small and seeded: a case can be told by its number. */
function random(seed: number) {
  let state = seed >>> 0;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return {
    chance: (of: number) => next() < of,
    pick: <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T,
    some: <T>(list: readonly T[], most: number): T[] => {
      const count = Math.floor(next() * (most + 1));
      return Array.from({ length: count }, () => list[Math.floor(next() * list.length)] as T);
    },
  };
}

const WHATS = [
  '/dev/sda1', '/dev/sda2', '/dev/mapper/vg-lv', '/dev/disk/by-id/x y', 'UUID=1234-ABCD', 'LABEL=a\\040b', 'LABEL="q r"', "LABEL='z'",
  'PARTUUID=aa-bb', 'PARTLABEL=EFI%system', 'LABEL=größe', 'tmpfs', 'none', '/srv/image', 'host:/export', '//srv/share', 'overlay', '/sys/x', 'LABEL=a/b\\134c',
  '/dev//sdb', 'UUID=', 'proc',
]; // biome-ignore format: a list of words
const WHERES = [
  '/', '/home', '/usr', '/var', '/srv/a\\040b', '/srv/x-y', '/mnt/%i', '/tmp', '/boot/efi', '/proc', '/sys', '/dev/shm', '/run', 'none', 'swap',
  '/link/below', '/link', '/dangling', '/a//b/', '/ä', '/sys/fs/cgroup/foo', 'relative/path', '/dev/pts', '/a/./b', '/dev/hugepages', '/run/lock', '/sys/fs/bpf', '/a/../b', '/run/x', '/sys/firmware/efi/efivars',
]; // biome-ignore format: a list of words
const TYPES = ['ext4', 'ext4', 'xfs', 'vfat', 'auto', 'none', 'tmpfs', 'nfs', 'nfs4', 'cifs', 'btrfs', 'swap', 'swap', 'autofs', 'fuse.sshfs', 'ext2', 'fuse.glusterfs', 'sshfs', 'fuse.ceph', 'ceph']; // biome-ignore format: a list of words
const OPTIONS = [
  'defaults', 'noauto', 'auto', 'nofail', 'fail', 'ro', 'rw', 'bind', 'rbind', '_netdev', 'x-systemd.automount', 'comment=systemd.automount', 'bg', 'fg',
  'x-systemd.requires=foo.service', 'x-systemd.requires=/dev/sdz', 'x-systemd.requires=/mnt/other', 'x-systemd.requires=word', 'x-systemd.after=a b', 'x-systemd.before=x.target',
  'x-systemd.after=b.service', 'x-systemd.before=/q', 'x-systemd.wanted-by=multi-user.target', 'x-systemd.required-by=z.service', 'x-systemd.wanted-by=word',
  'x-systemd.requires-mounts-for=/var/lib', 'x-systemd.requires-mounts-for=/a%b', 'x-systemd.idle-timeout=1min', 'x-systemd.idle-timeout=30', 'x-systemd.idle-timeout=nonsense',
  'x-systemd.device-timeout=10', 'x-systemd.device-timeout=infinity', 'x-systemd.device-timeout=bad', 'x-systemd.device-timeout=0', 'comment=systemd.device-timeout=5', 'x-systemd.mount-timeout=90', 'x-systemd.mount-timeout=1h30m',
  'x-systemd.mount-timeout=0', 'x-systemd.makefs', 'x-systemd.growfs', 'x-systemd.rw-only', 'x-initrd.mount', 'pri=5', 'discard', 'size=50%', 'subvol=a\\134,b', 'errors=remount-ro', '', 'noauto=x', 'x-systemd.device-bound', 'user_xattr', 'x-systemd.automount=1', 'x-systemd.makefs=1', 'nofail,fail', 'noauto,auto', 'sw', 'context="a,b"',
]; // biome-ignore format: a list of words
const WORDS = ['fstab=no', 'fstab=1', 'rd.fstab=0', 'fstab=x', 'systemd.swap=no', 'systemd.swap=1', 'systemd.swap', 'systemd.volatile=state', 'systemd.volatile=yes', 'systemd.volatile=overlay', 'quiet', 'root=/dev/sda1', 'ro', 'fstab', 'rd.systemd.swap=0', 'root=UUID=aa', 'rw', 'rootflags=subvol=a', 'rootfstype=ext4', 'mount.usr=/dev/sdb1', 'mount.usrfstype=ext4', 'mount.usrflags=ro', 'root=gpt-auto', 'root=tmpfs']; // biome-ignore format: a list of words

const LINKS = { '/link': '-> /srv/real', '/dangling': '-> srv/not-there', '/srv/x-y': '-> ../mnt' };

function fstabCase(number: number): GeneratorCase {
  const { pick, some, chance } = random(number + 1);
  const entry = () =>
    [pick(WHATS), pick(WHERES), pick(TYPES), some(OPTIONS, 5).join(',') || pick(OPTIONS.slice(0, 4)), pick(['', '0', '0 0', '0 1', '0 2', '1 1', 'x 1', '0 -1', '0 2x'])]
      .join(pick([' ', '\t', '   '])); // biome-ignore format: one line
  const lines = Array.from({ length: 1 + (number % 4) }, entry);
  if (chance(0.1)) lines.push('# a comment', '  ', '/dev/sdq');
  return {
    generator: 'systemd-fstab-generator',
    fstab: `${lines.join('\n')}\n`,
    cmdline: some(WORDS, 2).join(' '),
    files: LINKS,
  };
}

/** Files as the case says, and programs as this machine has them. */
function filesOf(one: GeneratorCase): FilePort {
  const tree: Record<string, string> = {
    '/etc/fstab': one.fstab ?? '',
    '/sys/class/tty/console/active': one.consoles ?? '',
  };
  const runnable = new Set<string>();
  for (const [name, text] of Object.entries(one.files ?? {})) {
    tree[name.replace(/!$/, '')] = text;
    if (name.endsWith('!')) runnable.add(name.replace(/!$/, ''));
  }
  const memory = memoryFiles(tree);
  const disk = diskFiles();
  return {
    ...memory,
    stat: (path) => (path.startsWith('/dev/') ? disk.stat(path) : memory.stat(path)),
    access: (path, mode) => (/^(\/usr)?\/s?bin\//.test(path) ? disk.access(path, mode) : runnable.has(path)),
  };
}

function ours(one: GeneratorCase): Generated {
  const generate = BUILT_IN[one.generator];
  if (generate === undefined) throw new Error(one.generator);
  return generate({
    files: filesOf(one),
    commandLine: one.cmdline ?? '',
    initrd: one.initrd === true,
    virtualization: one.container ?? 'none',
    environment: one.environment ?? {},
  });
}

function treeOf({ files }: Generated): Record<string, string> {
  return Object.fromEntries(
    files.map((file) => [`${file.place}/${file.path}`, 'text' in file ? plainUnit(file.text) : `-> ${file.target}`]),
  );
}

/** The cases that differ, each with what it was made from; empty: all are the same. */
function compare(cases: readonly GeneratorCase[]) {
  const theirs = askGenerators(cases);
  return cases.flatMap((one, index) => {
    const made = treeOf(ours(one));
    const wanted = theirs[index]?.tree ?? {};
    const names = [...new Set([...Object.keys(made), ...Object.keys(wanted)])].sort();
    const differing = names.filter((name) => made[name] !== wanted[name]);
    return differing.length === 0
      ? []
      : [
          {
            case: one,
            said: theirs[index]?.said,
            differing: differing.map((name) => ({ name, ours: made[name], theirs: wanted[name] })),
          },
        ];
  });
}

const DEBUG_WORDS = [
  'systemd.mask=foo', 'systemd.mask=bar.socket', 'systemd.mask=a/b', 'systemd.mask', 'systemd.wants=x.service', 'systemd.wants=y', 'systemd.wants=/mnt/z',
  'systemd.debug_shell', 'systemd.debug-shell=ttyS1', 'systemd.debug_shell=/dev/hvc0', 'systemd.debug_shell=no', 'systemd.debug_shell=1', 'systemd.debug_shell=tty9', 'systemd.debug_shell=maybe',
  'systemd.unit=foo.target', 'systemd.unit=rescue', 'systemd.unit=', 'systemd.unit=bad/name', 'single', 's', 'S', '-s', '-b', '1', '2', '3', '4', '5', '6', 'rescue', 'emergency', 'rescue=1',
  'rd.systemd.mask=foo', 'rd.systemd.wants=x', 'rd.systemd.debug_shell', 'rd.systemd.unit=early.target', 'rd.rescue', 'rd.emergency', 'rd.systemd.debug_shell=ttyS3', 'rd.single', 'rd.3',
  '"systemd.mask=quoted name"', "systemd.wants='q r'", 'quiet', 'single=no', 'systemd.wants=foo@bar.service', 'systemd.wants=foo@.service', 'systemd.debug_shell=', 'systemd.mask=',
]; // biome-ignore format: a list of words

function debugCase(number: number): GeneratorCase {
  const { some, chance } = random(number + 77);
  return { generator: 'systemd-debug-generator', cmdline: some(DEBUG_WORDS, 5).join(' '), initrd: chance(0.3) };
}

describe.skipIf(!canAsk)('generators write what those of systemd write', () => {
  test('the fstab generator, over generated tables', { timeout: 120_000 }, () => {
    expect(compare(Array.from({ length: COUNT }, (_, index) => fstabCase(index))).slice(0, 3)).toEqual([]);
  });

  test('the debug generator, over generated command lines', { timeout: 120_000 }, () => {
    expect(compare(Array.from({ length: COUNT }, (_, index) => debugCase(index))).slice(0, 3)).toEqual([]);
  });

  test('the getty generator, over consoles and switches', { timeout: 120_000 }, () => {
    const cases = ['', 'ttyS0', 'tty0', 'tty0 ttyS0', 'ttyS0 tty1 hvc0', 'nosuch ttyS0', 'null ttyS0'].flatMap(
      (consoles) =>
        ['', 'systemd.getty_auto=no', 'systemd.getty_auto', 'systemd.getty-auto=0', 'systemd.getty_auto=maybe'].map(
          (cmdline) => ({
            generator: 'systemd-getty-generator',
            consoles,
            cmdline,
          }),
        ),
    );
    expect(
      compare([...cases, { generator: 'systemd-getty-generator', consoles: 'ttyS0', initrd: true }]).slice(0, 3),
    ).toEqual([]);
  });

  test('the getty generator in a container', { timeout: 120_000 }, () => {
    const cases = ['', 'pts/0', 'pts/0 pts/7', '/dev/pts/3', '7 x', 'pts/a-b'].map((ttys) => ({
      generator: 'systemd-getty-generator',
      container: 'lxc',
      ttys,
    }));
    for (const one of cases) {
      const [theirs] = askGenerators([one]);
      const tree = treeOf(ours({ ...one, environment: { container_ttys: one.ttys } }));
      expect({ ...one, tree }).toEqual({ ...one, tree: theirs?.tree });
    }
  });

  test('the rc-local generator', { timeout: 120_000 }, () => {
    const generator = 'systemd-rc-local-generator';
    expect(
      compare([
        { generator },
        { generator, files: { '/etc/rc.local': '#!/bin/sh\n' } },
        { generator, files: { '/etc/rc.local!': '#!/bin/sh\n' } },
        { generator, files: { '/etc/rc.local!': '#!/bin/sh\n' }, initrd: true },
      ]),
    ).toEqual([]);
  });

  test('swap of a table is left alone in a container', { timeout: 120_000 }, () => {
    const generator = 'systemd-fstab-generator';
    expect(
      compare([
        { generator, container: 'lxc', fstab: '/dev/sda2 none swap sw 0 0\n/dev/sda1 /home ext4 defaults 0 2\n' },
      ]),
    ).toEqual([]);
  });
});
