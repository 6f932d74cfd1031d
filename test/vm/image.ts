/**
 * A bootable pair for QEMU: a Debian kernel as the distribution ships it, and an initramfs that holds nothing but ours.
 *
 * init, exec, logd, node with its libraries, core and sctl in /usr/lib/sysmaster, busybox for a shell, and the units of
 * system/. A guest without a core has init, exec and busybox alone, and boots in a second or two.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

const project = join(import.meta.dirname, '../..');
const lib = join(project, '.build');
export const cache =
  process.env['SYSMASTER_TEST_CACHE'] ??
  (process.getuid?.() === 0 ? '/var/cache/sysmaster-test' : join(homedir(), '.cache/sysmaster-test'));
const KERNEL = 'linux-image-cloud-amd64';

/** What the scripts of the guest call. */
const APPLETS = [
  'sh',
  'cat',
  'echo',
  'grep',
  'hostname',
  'ip',
  'kill',
  'ls',
  'mount',
  'ps',
  'readlink',
  'sleep',
  'sort',
  'timeout',
  'true',
  'uniq',
  'wc',
];

function run(program: string, args: readonly string[], cwd?: string, input?: string): string {
  const done = spawnSync(program, args, { encoding: 'utf8', cwd, input, maxBuffer: 1 << 28 });
  if (done.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${done.stderr || done.error?.message}`);
  return done.stdout;
}

/** Why no kernel can be booted here; undefined: it can. */
export function vmMissing(): string | undefined {
  if (process.arch !== 'x64') return `the harness knows x86_64 only, this is ${process.arch}`;
  if (spawnSync('qemu-system-x86_64', ['--version']).status !== 0)
    return 'QEMU is not installed; run: apt-get install qemu-system-x86';
  if (spawnSync('cpio', ['--version']).status !== 0) return 'cpio is not installed; run: apt-get install cpio';
  if (spawnSync('strip', ['--version']).status !== 0) return 'strip is not installed; run: apt-get install binutils';
  if (!existsSync(join(cache, 'vmlinuz')) && spawnSync('apt-cache', ['show', KERNEL]).status !== 0)
    return `${KERNEL} is not known to apt; run: apt-get update`;
  if (!existsSync(join(lib, 'core.cjs'))) return 'core is not built; run: npm run build';
  return undefined;
}

/** Unpack a Debian package that is fetched, not installed. */
export function unpack(name: string, into: string): void {
  const work = mkdtempSync('/var/tmp/sysmaster-deb.');
  try {
    chmodSync(work, 0o777);
    run('apt-get', ['download', '-q', name], work);
    const [file] = readdirSync(work).filter((entry) => entry.endsWith('.deb'));
    if (file === undefined) throw new Error(`apt-get download ${name}: brought no package; run apt-get update`);
    run('dpkg-deb', ['-x', join(work, file), into]);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** A file of a package, kept in the cache under `name`; `find` picks it in the unpacked tree. */
function fetched(name: string, fromPackage: () => string, find: (tree: string) => string | undefined): string {
  const path = join(cache, name);
  if (existsSync(path)) return path;
  const tree = mkdtempSync(`/var/tmp/sysmaster-${name}.`);
  try {
    const from = fromPackage();
    unpack(from, tree);
    const file = find(tree);
    if (file === undefined) throw new Error(`${from}: has no ${name} in it`);
    mkdirSync(cache, { recursive: true });
    copyFileSync(file, `${path}.new`);
    renameSync(`${path}.new`, path);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
  return path;
}

/** Debian's cloud kernel; fetched once. */
export function kernel(): string {
  const named = () => {
    const name = /Depends: (linux-image-\S+)/.exec(run('apt-cache', ['depends', KERNEL]))?.[1];
    if (name === undefined) throw new Error(`${KERNEL}: depends on no kernel; run apt-get update`);
    return name;
  };
  return fetched('vmlinuz', named, (tree) => {
    const image = readdirSync(join(tree, 'boot')).find((entry) => entry.startsWith('vmlinuz'));
    return image === undefined ? undefined : join(tree, 'boot', image);
  });
}

/** A static busybox; fetched once. */
export const busybox = (): string =>
  fetched(
    'busybox',
    () => 'busybox-static',
    (tree) => join(tree, 'bin/busybox'),
  );

/** The shared libraries of a program, as absolute paths. */
function libraries(program: string): string[] {
  return [...run('ldd', [program]).matchAll(/(\/\S+\.so\S*)/g)].map((match) => match[1]!);
}

export interface ImageOptions {
  /** Further files, or others in place of the usual ones: path → text. A text that begins with `#!` is made executable. */
  readonly files?: Readonly<Record<string, string>>;
  /** Further files as they lie here, or others in place of the usual ones: path → file. */
  readonly copies?: Readonly<Record<string, string>>;
  /** Whether node, core, sctl and the log keeper are in it; true unless said otherwise. */
  readonly core?: boolean;
}

/** Make the initramfs, as a raw cpio archive: nothing has to be unpacked under emulation. */
export function initramfs(to: string, options: ImageOptions = {}): void {
  const root = mkdtempSync('/var/tmp/sysmaster-initramfs.');
  try {
    for (const directory of [
      'bin',
      'dev',
      'etc',
      'proc',
      'run',
      'sys',
      'tmp',
      'var/tmp',
      'usr/lib/sysmaster',
      'root',
    ]) {
      mkdirSync(join(root, directory), { recursive: true });
    }
    const own = (name: string) => copyFileSync(join(lib, name), join(root, 'usr/lib/sysmaster', name));
    for (const name of ['init', 'exec']) own(name);
    if (options.core !== false) {
      for (const name of [
        'logd',
        'core.cjs',
        'core-bundle.cjs',
        'core.cache',
        'sctl.mjs',
        'sctl-bundle.cjs',
        'sctl.cache',
        'addon.node',
      ])
        own(name);
      run('strip', ['-o', join(root, 'usr/lib/sysmaster/node'), join(lib, 'node')]);
      for (const library of new Set([...libraries(join(lib, 'node')), ...libraries(join(lib, 'addon.node'))])) {
        mkdirSync(join(root, dirname(library)), { recursive: true });
        copyFileSync(library, join(root, library));
      }
    }
    copyFileSync(busybox(), join(root, 'bin/busybox'));
    chmodSync(join(root, 'bin/busybox'), 0o755);
    for (const applet of APPLETS) symlinkSync('busybox', join(root, 'bin', applet));
    cpSync(join(import.meta.dirname, 'system'), join(root, 'etc/sysmaster/system'), {
      recursive: true,
      verbatimSymlinks: true,
    });
    symlinkSync('usr/lib/sysmaster/init', join(root, 'init'));
    for (const [path, from] of Object.entries(options.copies ?? {})) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      copyFileSync(from, join(root, path)); // with its mode, and of a link what it leads to
    }
    const core =
      '/usr/lib/sysmaster/node --max-semi-space-size=16 --initial-old-space-size=128 --expose-gc /usr/lib/sysmaster/core.cjs';
    const texts: Record<string, string> = {
      '/etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n',
      '/etc/group': 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n',
      '/etc/hostname': 'guest\n',
      '/etc/machine-id': '\n',
      '/etc/os-release': 'ID=guest\n',
      '/usr/lib/sysmaster/init.conf': `Core=${core}\nCoreWatchdogSec=60\n`,
      '/bin/sctl': '#!/bin/sh\nexec /usr/lib/sysmaster/node /usr/lib/sysmaster/sctl.mjs "$@"\n',
      ...options.files,
    };
    for (const [path, text] of Object.entries(texts)) {
      const file = join(root, path);
      mkdirSync(dirname(file), { recursive: true });
      rmSync(file, { force: true }); // never through a link
      writeFileSync(file, text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
    }
    const names = run('find', ['.', '-print0'], root);
    const packed = spawnSync('cpio', ['--null', '--create', '--format=newc', '--quiet', '--file', to], {
      cwd: root,
      input: names,
    });
    if (packed.status !== 0) throw new Error(`cpio: ${packed.stderr}`);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
