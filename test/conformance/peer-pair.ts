/**
 * One set of units under a live systemd 252 and under our init and core, side by side: the same files at the same paths, on the
 * same Debian root, each in namespaces of its own. For tests that hold the words of sctl and of systemctl beside each other.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { main } from '../../src/cli/run.ts';
import { MARKER, type Machine, start } from '../bench/machine.ts';
import { debianMissing, debianRoot } from '../integration/support/debian.ts';
import { type Ran, type System, startSystem, systemsMissing } from '../integration/support/system.ts';

/** Where the units lie, in both. */
export const UNITS = '/run/units';

/** The unit that both reach at boot, beside what the set says. */
export const MARK: Readonly<Record<string, string>> = {
  'mark.service': `[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo >${MARKER}"\n`,
};

export interface Pair {
  /** A command inside the system of systemd. */
  theirs(...command: readonly string[]): Ran;
  /** A command of sctl on our system, under the name systemctl or another; run in this process, which is quick. */
  ours(name: string, ...args: readonly string[]): Promise<Ran>;
  readonly system: System;
  readonly machine: Machine;
  stop(): Promise<void>;
}

/** Why no pair can be had here; undefined: it can. */
export const pairMissing = (): string | undefined => systemsMissing() ?? debianMissing();

const PROGRAM = '/lib/systemd/systemd --system --log-target=null --show-status=no';

/** Boot both on these units; there must be a default.target among them that wants mark.service. */
export async function bootPair(units: Readonly<Record<string, string>>): Promise<Pair> {
  const root = debianRoot();
  const files = Object.fromEntries(
    Object.entries({ ...MARK, ...units }).map(([name, text]) => [`${UNITS}/${name}`, text]),
  );
  const machine = await start({
    root,
    argv: [PROGRAM],
    files: {
      '/run/bench/init': `echo $EPOCHREALTIME >/run/bench/execed\nexec env SYSTEMD_UNIT_PATH=${UNITS} SYSTEMD_GENERATOR_PATH= ${PROGRAM}\n`,
      ...files,
    },
  });
  let system: System;
  try {
    system = await startSystem({
      root,
      files,
      coreEnvironment: { SYSMASTER_UNIT_PATH: UNITS, SYSMASTER_GENERATOR_PATH: '' },
    });
  } catch (error) {
    await machine.end();
    throw error;
  }
  const environment = ['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LANG=C.UTF-8', 'TZ=UTC', 'SYSTEMD_COLORS=0'];
  return {
    machine,
    system,
    theirs(...command) {
      const done = spawnSync('nsenter', ['-t', String(machine.pid), '-a', '--', ...environment, ...command], {
        encoding: 'utf8',
        timeout: 60_000,
        maxBuffer: 64 << 20,
      });
      return { status: done.status ?? 128, stdout: done.stdout ?? '', stderr: done.stderr ?? '' };
    },
    ours: async (name, ...args) => {
      const told = { stdout: '', stderr: '' };
      const socket = join(system.run, 'sysmaster/api.sock');
      const status = await main(args, {
        out: (text) => {
          told.stdout += text;
        },
        err: (text) => {
          told.stderr += text;
        },
        input: async () => '',
        terminal: false,
        columns: 80,
        env: {
          SYSMASTER_SOCKET: socket,
          SYSMASTER_LOGS: join(system.run, 'sysmaster/log'),
          TZ: 'UTC',
        },
        nowUs: () => Date.now() * 1000,
        monotonicUs: () => Number(process.hrtime.bigint() / 1000n),
        name,
        uid: 0,
        pause: delay,
      });
      return { status, ...told };
    },
    async stop() {
      await Promise.all([machine.end(), system.stop()]);
    },
  };
}
