/**
 * A Debian root file system with the services that the tests run, made once by debootstrap and kept in a cache.
 *
 * The packages' unit files stand in it as Debian ships them. Tests use it under an overlay and never write to it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SUITE = 'bookworm';
/** What is in it: the services, and a client for each. */
export const PACKAGES = [
  'systemd',
  'dbus',
  'procps',
  'iproute2',
  'nginx-light',
  'redis-server',
  'cron',
  'rsyslog',
  'memcached',
  'openssh-server',
  'postgresql',
  'haproxy',
  'mosquitto',
  'mosquitto-clients',
  'curl',
  'netcat-openbsd',
  'bsdutils',
];

const cache = process.env['SYSMASTER_TEST_CACHE'] ?? '/var/cache/sysmaster-test';
const rootPath = join(cache, 'root');
const stampPath = join(cache, 'root.packages');
const wanted = [SUITE, ...PACKAGES].join(' ');

/** Why there can be no such root here; undefined: it is there, or can be made. */
export function debianMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root: debootstrap needs it';
  if (existsSync(stampPath) && readFileSync(stampPath, 'utf8') === wanted) return undefined;
  const probe = spawnSync('debootstrap', ['--version']);
  return probe.status === 0 ? undefined : 'debootstrap is not installed; run: apt-get install debootstrap';
}

/** The path of the root, made first where it is not there yet (some minutes, and needs Debian's packages). */
export function debianRoot(): string {
  if (existsSync(stampPath) && readFileSync(stampPath, 'utf8') === wanted) return rootPath;
  const fresh = `${rootPath}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(cache, { recursive: true });
  const made = spawnSync('debootstrap', ['--variant=minbase', `--include=${PACKAGES.join(',')}`, SUITE, fresh], {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  if (made.status !== 0)
    throw new Error(`debootstrap: failed with ${made.status}: ${made.stdout.slice(-2000)}${made.stderr.slice(-2000)}`);
  rmSync(rootPath, { recursive: true, force: true });
  renameSync(fresh, rootPath);
  writeFileSync(stampPath, wanted);
  return rootPath;
}
