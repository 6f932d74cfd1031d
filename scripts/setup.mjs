// What a fresh machine needs, and the exact line that brings it. No dependencies.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** First line of what a program says of its version; undefined: it is not there. */
function version(program, ...args) {
  const done = spawnSync(program, args, { encoding: 'utf8' });
  return done.status === 0 ? done.stdout.split('\n')[0] : undefined;
}

/** Is version `have` (text with a.b.c in it) at least [major, minor]? */
function atLeast(have, [major, minor]) {
  const found = /(\d+)\.(\d+)/.exec(have ?? '');
  if (!found) return false;
  return Number(found[1]) > major || (Number(found[1]) === major && Number(found[2]) >= minor);
}

/** One line for each thing that is missing, in the form `what: why; what to do`. */
export function missingTools() {
  const lines = [];
  if (process.platform !== 'linux')
    lines.push(`${process.platform}: sysMaster runs on Linux only; use a Linux machine or a VM`);
  if (!atLeast(process.version, [18, 0]))
    lines.push(`node ${process.version}: too old to bootstrap (18 or later); run: apt-get install nodejs npm`);
  const cargo = version('cargo', '--version');
  if (!atLeast(cargo, [1, 88])) {
    lines.push(
      `cargo: ${cargo ?? 'not found'}: init, exec and the addon are built from Rust, 1.88 or later; run: apt-get install cargo-web rustc-web`,
    );
  }
  if (!version('cc', '--version'))
    lines.push('cc: not found: a C linker is needed to link Rust programs; run: apt-get install gcc libc6-dev');
  return lines;
}

/** Install the npm packages if the lock file has changed since the last time. */
export function ensureInstalled() {
  const stamp = join(root, 'node_modules/.installed-lock');
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  console.log('installing npm packages …');
  // Not `npm ci`: it refuses where a registry lacks optional packages of other platforms. The lock file counts all the same.
  const done = spawnSync('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (done.status !== 0) {
    console.error('npm install: failed: see above; is a package registry reachable?');
    process.exit(1);
  }
  writeFileSync(stamp, lock);
}
