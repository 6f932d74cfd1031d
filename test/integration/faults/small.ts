/**
 * A small system for the tests of faults: the few targets that everything hangs on, and whatever units a test adds.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, lib, type Ran, type System, type SystemOptions, startSystem } from '../support/system.ts';

/** Where its units are; SYSMASTER_UNIT_PATH names nothing else. */
export const UNITS = '/run/units';

const target = (description: string, ...lines: string[]) => `[Unit]\nDescription=${description}\n${lines.join('\n')}\n`;

const base: Readonly<Record<string, string>> = {
  'sysinit.target': target('System Initialization'),
  'sockets.target': target('Socket Units'),
  'basic.target': target(
    'Basic System',
    'Requires=sysinit.target',
    'Wants=sockets.target',
    'After=sysinit.target sockets.target',
  ),
  'multi-user.target': target('Multi-User System', 'Requires=basic.target', 'After=basic.target', 'AllowIsolate=yes'),
  'default.target': target(
    'What the tests need',
    'Requires=multi-user.target',
    'After=multi-user.target',
    'AllowIsolate=yes',
  ),
  'shutdown.target': target('System Shutdown', 'DefaultDependencies=no', 'RefuseManualStart=yes'),
  'umount.target': target('Unmount All Filesystems', 'DefaultDependencies=no', 'RefuseManualStart=yes'),
  'final.target': target(
    'Late Shutdown Services',
    'DefaultDependencies=no',
    'RefuseManualStart=yes',
    'After=shutdown.target umount.target',
  ),
  'poweroff.target': target(
    'System Power Off',
    'DefaultDependencies=no',
    'Requires=systemd-poweroff.service',
    'After=systemd-poweroff.service',
    'AllowIsolate=yes',
  ),
  'systemd-poweroff.service': `[Unit]
Description=System Power Off
DefaultDependencies=no
Requires=shutdown.target umount.target final.target
After=shutdown.target umount.target final.target
SuccessAction=poweroff-force
`,
};

export interface SmallOptions extends Omit<SystemOptions, 'root'> {
  /** Unit files: name → text. */
  readonly units: Readonly<Record<string, string>>;
  /** What multi-user.target wants. */
  readonly wants?: readonly string[];
}

/** Boot it, and wait until nothing is left to do. */
export async function bootSmall({ units, wants = [], ...options }: SmallOptions): Promise<System> {
  const files = Object.fromEntries(
    Object.entries({ ...base, ...units }).map(([name, text]) => [`${UNITS}/${name}`, text]),
  );
  const system = await startSystem({
    ...options,
    files: {
      ...options.files,
      ...files,
      [`${UNITS}/multi-user.target.d/wants.conf`]: `[Unit]\nWants=${wants.join(' ')}\n`,
    },
    coreEnvironment: { SYSMASTER_UNIT_PATH: UNITS, SYSMASTER_GENERATOR_PATH: '', ...options.coreEnvironment },
  });
  try {
    await eventually('the boot is over', () =>
      /^(running|degraded)$/.test(system.sctl('is-system-running').stdout.trim()),
    );
  } catch (error) {
    const said = `${system.sctl('list-jobs').stdout}\n${coreLog(system)}`;
    await system.stop();
    throw new Error(`the boot is not over:\n${said}`, { cause: error });
  }
  return system;
}

/** One property, as `sctl show` prints it. */
export const property = (system: System, unit: string, name: string): string =>
  system.sctl('show', '-p', name, '--value', unit).stdout.trim();

/** What core has written to its log, a line a record; of a long one the beginning is gone. */
export function coreLog(system: System): string {
  const file = `${system.run}/sysmaster/core.log`;
  return [`${file}.1`, file]
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path, 'utf8'))
    .join('');
}

/** As `system.sctl`, without keeping the test from going on. */
export function laterSctl(system: System, ...words: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const env = {
      PATH: process.env['PATH'],
      SYSMASTER_SOCKET: `${system.run}/sysmaster/api.sock`,
      SYSMASTER_LOGS: `${system.run}/sysmaster/log`,
    };
    execFile(
      join(lib, 'node'),
      [join(lib, 'sctl.mjs'), ...words],
      { env, timeout: 300_000 },
      (error, stdout, stderr) => {
        const status = error === null ? 0 : typeof error.code === 'number' ? error.code : 128;
        resolve({ status, stdout, stderr: `${stderr}${status === 128 ? error?.message : ''}` });
      },
    );
  });
}
