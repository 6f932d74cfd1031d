// What the tests use besides the project itself. On CI it is installed; on a person's machine it is named, and the tests
// that need it are counted as skipped.
import { spawnSync } from 'node:child_process';

/** Debian package → a program that shows it is there. */
const needs = {
  debootstrap: ['debootstrap', '--version'],
  'qemu-system-x86': ['qemu-system-x86_64', '--version'],
  systemd: ['systemd-analyze', '--version'],
  'bash-completion': ['test', '-e', '/usr/share/bash-completion/bash_completion'],
  cpio: ['cpio', '--version'],
  binutils: ['strip', '--version'],
};

export function ensureTestNeeds() {
  const missing = Object.entries(needs)
    .filter(([, [program, ...args]]) => spawnSync(program, args, { stdio: 'ignore' }).status !== 0)
    .map(([name]) => name);
  if (missing.length === 0) return;
  const install = `apt-get install ${missing.join(' ')}`;
  if (process.env.CI !== 'true' || process.getuid?.() !== 0) {
    console.log(`some tests will be skipped for want of ${missing.join(', ')}; run: ${install}`);
    return;
  }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  spawnSync('apt-get', ['update', '-q'], { stdio: 'inherit', env });
  const done = spawnSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...missing], {
    stdio: 'inherit',
    env,
  });
  if (done.status !== 0) {
    console.error(`${install}: failed; see above`);
    process.exit(1);
  }
}
