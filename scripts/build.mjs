// Builds what is missing or older than its sources: the static native binaries, the addon, the bundles.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { root } from './setup.mjs';

const out = join(root, '.build');
const triples = { x64: 'x86_64-unknown-linux-gnu', arm64: 'aarch64-unknown-linux-gnu' };

/** Newest modification time below some paths, in ms. */
function newest(...paths) {
  let latest = 0;
  for (const path of paths) {
    if (!existsSync(path)) continue;
    const stat = statSync(path);
    latest = Math.max(latest, stat.mtimeMs);
    if (stat.isDirectory()) {
      for (const entry of readdirSync(path)) {
        if (entry !== 'node_modules' && entry !== 'target') latest = Math.max(latest, newest(join(path, entry)));
      }
    }
  }
  return latest;
}

/** Names everything below a directory, to the letter. */
function hashOf(directory) {
  const hash = createHash('sha256');
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const path of paths.sort())
    hash
      .update(`${path.slice(root.length)}\0`)
      .update(readFileSync(path))
      .update('\0');
  return hash.digest('hex').slice(0, 32);
}

function run(program, args, env = {}) {
  const path = `${join(root, 'node_modules/.bin')}:${process.env.PATH}`;
  const done = spawnSync(program, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, PATH: path, ...env },
  });
  if (done.status !== 0) {
    console.error(`${program} ${args.join(' ')}: failed; see above`);
    process.exit(done.status ?? 1);
  }
}

/** Put a file in place whole: a running program keeps its old one. */
function place(from, to, mode) {
  copyFileSync(from, `${to}.new`);
  chmodSync(`${to}.new`, mode);
  renameSync(`${to}.new`, to);
}

const stale = (target, sources) => !existsSync(target) || statSync(target).mtimeMs < newest(...sources);
const native = (...crates) =>
  ['Cargo.lock', 'Cargo.toml', ...crates.map((crate) => `native/${crate}`)].map((path) => join(root, path));

/** init, exec and logd, linked statically: they run before any library is there. */
function buildStatic() {
  const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target');
  const programs = ['init', 'exec', 'logd'];
  if (!programs.some((name) => stale(join(out, name), native('sys', 'link', name)))) return;
  const triple = triples[process.arch];
  console.log('building init, exec and logd …');
  run(
    'cargo',
    ['build', '--release', '--quiet', '--target', triple, ...programs.flatMap((name) => ['-p', `sysmaster-${name}`])],
    {
      RUSTFLAGS: '-C target-feature=+crt-static',
    },
  );
  mkdirSync(out, { recursive: true });
  for (const name of programs) place(join(target, triple, 'release', `sysmaster-${name}`), join(out, name), 0o755);
}

/** The addon: a shared object, so it is built without the static flag. */
function buildAddon() {
  const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target');
  if (!stale(join(out, 'addon.node'), native('sys', 'link', 'addon'))) return;
  console.log('building the addon …');
  run('cargo', ['build', '--release', '--quiet', '-p', 'sysmaster-addon']);
  mkdirSync(out, { recursive: true });
  place(join(target, 'release', 'libsysmaster_addon.so'), join(out, 'addon.node'), 0o644);
}

/** Core and sctl as one file each: loading the packages one by one costs a third of core's start. */
function buildBundles() {
  const sources = [join(root, 'src'), join(root, 'package-lock.json'), join(root, 'scripts/build.mjs')];
  for (const [entry, name] of [
    ['src/start.ts', 'core.cjs'],
    ['src/main.ts', 'core-bundle.cjs'],
    ['src/cli/start.ts', 'sctl.mjs'],
    ['src/cli/main.ts', 'sctl-bundle.cjs'],
  ]) {
    const file = join(out, name);
    if (!existsSync(join(root, entry)) || !stale(file, sources)) continue;
    const format = name.endsWith('.cjs') ? 'cjs' : 'esm';
    run('esbuild', [
      entry,
      '--bundle',
      '--platform=node',
      '--target=node24',
      `--format=${format}`,
      // What is compiled with kept code has nobody to ask for modules but require().
      ...(format === 'cjs' ? ['--supported:dynamic-import=false'] : []),
      '--minify-syntax',
      // Smaller to read and keep, and all ASCII without the comments; names and lines stay, for the traces of faults.
      '--minify-whitespace',
      '--line-limit=160',
      '--legal-comments=none',
      '--log-level=warning',
      `--outfile=${file}`,
      `--define:SYSMASTER_VERSION="${projectVersion()}"`,
      `--define:SYSMASTER_BUILD="${hashOf(join(root, 'src'))}"`,
      ...(format === 'esm' ? [] : ['--define:import.meta.dirname=__dirname']),
    ]);
  }
}

/** What the starts of core and sctl compile, compiled before. Where the rehearsal cannot be held they start slower, and that is all. */
function keepCode() {
  const caches = ['core.cache', 'sctl.cache'].map((name) => join(out, name));
  const programs = ['core-bundle.cjs', 'core.cjs', 'sctl-bundle.cjs', 'sctl.mjs', 'node', 'init', 'exec'];
  const sources = programs.map((name) => join(out, name));
  if (!caches.some((cache) => stale(cache, sources))) return;
  for (const cache of caches) rmSync(cache, { force: true });
  const done = spawnSync(join(out, 'node'), [join(root, 'scripts/rehearse.mjs'), out, ...caches], { encoding: 'utf8' });
  if (done.status === 0) return;
  const why = done.error?.message ?? done.stderr.trim().split('\n').slice(-8).join('\n');
  console.error(`build: core.cache and sctl.cache: not made, both will start slower: ${why}`);
}

/** The pinned Node beside the rest, so that `.build` is all that has to be installed (as /usr/lib/sysmaster). */
function placeNode() {
  const from = join(root, `node_modules/node-linux-${process.arch}/bin/node`);
  const to = join(out, 'node');
  if (existsSync(to) && statSync(to).size === statSync(from).size) return;
  rmSync(to, { force: true });
  try {
    linkSync(from, to);
  } catch {
    place(from, to, 0o755); // another file system: a copy
  }
}

/** Everything that is missing or stale. */
export function ensureBuilt() {
  mkdirSync(out, { recursive: true });
  buildStatic();
  buildAddon();
  buildBundles();
  placeNode();
  keepCode();
}

/** Version of the project, as package.json says. */
export const projectVersion = () => JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
