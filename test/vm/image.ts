/**
 * A bootable pair for QEMU: a Debian kernel as the distribution ships it, and an initramfs that holds nothing but ours.
 *
 * init, exec, logd, node with its libraries, core and sctl in /usr/lib/sysmaster, busybox for a shell, and the units of system/.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const project = join(import.meta.dirname, '../..');
const lib = join(project, '.build');
const cache = process.env['SYSMASTER_TEST_CACHE'] ?? '/var/cache/sysmaster-test';

function run(program: string, args: readonly string[], cwd?: string, input?: string): string {
  const done = spawnSync(program, args, { encoding: 'utf8', cwd, input, maxBuffer: 1 << 28 });
  if (done.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${done.stderr || done.error?.message}`);
  return done.stdout;
}

/** Why no kernel can be booted here; undefined: it can. */
export function vmMissing(): string | undefined {
  if (process.arch !== 'x64') return `the harness knows x86_64 only, this is ${process.arch}`;
  if (spawnSync('qemu-system-x86_64', ['--version']).status !== 0) return 'QEMU is not installed; run: apt-get install qemu-system-x86';
  if (spawnSync('cpio', ['--version']).status !== 0) return 'cpio is not installed; run: apt-get install cpio';
  if (!existsSync(join(lib, 'core.cjs'))) return 'core is not built; run: npm run build';
  return undefined;
}

/** Unpack a Debian package that is fetched, not installed. */
function unpack(name: string, into: string): void {
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

/** Debian's cloud kernel; fetched once. */
export function kernel(): string {
  const path = join(cache, 'vmlinuz');
  if (existsSync(path)) return path;
  const meta = run('apt-cache', ['depends', 'linux-image-cloud-amd64']);
  const name = /Depends: (linux-image-\S+)/.exec(meta)?.[1];
  if (name === undefined) throw new Error('linux-image-cloud-amd64: not known to apt; run apt-get update');
  const into = mkdtempSync('/var/tmp/sysmaster-kernel.');
  try {
    unpack(name, into);
    const [image] = readdirSync(join(into, 'boot')).filter((entry) => entry.startsWith('vmlinuz'));
    mkdirSync(cache, { recursive: true });
    copyFileSync(join(into, 'boot', image!), `${path}.new`);
    renameSync(`${path}.new`, path);
  } finally {
    rmSync(into, { recursive: true, force: true });
  }
  return path;
}

/** A static busybox; fetched once. */
function busybox(): string {
  const path = join(cache, 'busybox');
  if (existsSync(path)) return path;
  const into = mkdtempSync('/var/tmp/sysmaster-busybox.');
  try {
    unpack('busybox-static', into);
    mkdirSync(cache, { recursive: true });
    copyFileSync(join(into, 'bin/busybox'), `${path}.new`);
    renameSync(`${path}.new`, path);
  } finally {
    rmSync(into, { recursive: true, force: true });
  }
  return path;
}

/** The shared libraries of a program, as absolute paths. */
function libraries(program: string): string[] {
  return [...run('ldd', [program]).matchAll(/(\/\S+\.so\S*)/g)].map((match) => match[1]!);
}

/** Make the initramfs. `files`: further files, path → text. */
export function initramfs(to: string, files: Readonly<Record<string, string>> = {}): void {
  const root = mkdtempSync('/var/tmp/sysmaster-initramfs.');
  try {
    for (const directory of ['bin', 'dev', 'etc', 'proc', 'run', 'sys', 'tmp', 'var/tmp', 'usr/lib/sysmaster', 'root']) {
      mkdirSync(join(root, directory), { recursive: true });
    }
    for (const name of ['init', 'exec', 'logd', 'core.cjs', 'sctl.mjs', 'addon.node']) {
      copyFileSync(join(lib, name), join(root, 'usr/lib/sysmaster', name));
    }
    const node = join(root, 'usr/lib/sysmaster/node');
    run('strip', ['-o', node, join(lib, 'node')]);
    for (const library of new Set([...libraries(join(lib, 'node')), ...libraries(join(lib, 'addon.node'))])) {
      mkdirSync(join(root, dirname(library)), { recursive: true });
      copyFileSync(library, join(root, library));
    }
    copyFileSync(busybox(), join(root, 'bin/busybox'));
    chmodSync(join(root, 'bin/busybox'), 0o755);
    for (const applet of ['sh', 'cat', 'echo', 'sleep', 'ls', 'mount', 'ps', 'grep', 'true', 'false', 'kill', 'touch', 'hostname', 'ip']) {
      symlinkSync('busybox', join(root, 'bin', applet));
    }
    cpSync(join(import.meta.dirname, 'system'), join(root, 'etc/sysmaster/system'), { recursive: true, verbatimSymlinks: true });
    const core = '/usr/lib/sysmaster/node --max-semi-space-size=1 /usr/lib/sysmaster/core.cjs';
    const texts: Record<string, string> = {
      '/etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n',
      '/etc/group': 'root:x:0:\nnogroup:x:65534:\n',
      '/etc/hostname': 'guest\n',
      '/etc/machine-id': '\n',
      '/etc/os-release': 'ID=guest\n',
      '/usr/lib/sysmaster/init.conf': `Core=${core}\nCoreWatchdogSec=60\n`,
      '/bin/sctl': `#!/bin/sh\nexec /usr/lib/sysmaster/node /usr/lib/sysmaster/sctl.mjs "$@"\n`,
      ...files,
    };
    for (const [path, text] of Object.entries(texts)) {
      mkdirSync(join(root, dirname(path)), { recursive: true });
      writeFileSync(join(root, path), text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
    }
    symlinkSync('usr/lib/sysmaster/init', join(root, 'init'));
    const names = run('find', ['.', '-print0'], root);
    const packed = spawnSync('cpio', ['--null', '--create', '--format=newc', '--quiet', '--file', to], { cwd: root, input: names });
    if (packed.status !== 0) throw new Error(`cpio: ${packed.stderr}`);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
