/** A snapshot outlasts the whole system: what the state directory holds is carried to another boot, and restored there. */
import { readdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually, type System, startSystem, systemsMissing } from '../support/system.ts';

const missing = systemsMissing();
const UNITS = '/run/units';
const SNAPSHOT = '/run/state/snapshots/good.json';
const unit = (lines: string) => `[Unit]\nDefaultDependencies=no\n${lines}`;
const service = unit('[Service]\nExecStart=/bin/sleep 1000\nTimeoutStopSec=5\n');

async function boot(files: Readonly<Record<string, string>>): Promise<System> {
  const system = await startSystem({
    files: {
      [`${UNITS}/default.target`]: unit('Wants=first.service\n'),
      [`${UNITS}/first.service`]: service,
      [`${UNITS}/second.service`]: service,
      ...files,
    },
    coreEnvironment: {
      SYSMASTER_UNIT_PATH: UNITS,
      SYSMASTER_GENERATOR_PATH: '',
      SYSMASTER_STATE_DIRECTORY: '/run/state',
    },
  });
  await eventually('the first unit runs', () => system.sctl('is-active', 'first.service').status === 0);
  return system;
}

test.skipIf(missing !== undefined)(
  `a snapshot of one boot is restored in another ${missing ?? ''}`,
  async () => {
    let saved = '';
    const before = await boot({});
    try {
      expect(before.sctl('start', 'second.service').status).toBe(0);
      expect(before.sctl('stop', 'first.service').status).toBe(0);
      expect(before.sctl('snapshot', 'save', 'good').status).toBe(0);
      saved = readFileSync(join(before.run, SNAPSHOT.slice('/run/'.length)), 'utf8');
    } finally {
      await before.stop();
    }

    const after = await boot({ [SNAPSHOT]: saved });
    try {
      expect(after.sctl('snapshot', 'list').stdout).toMatch(/^good /m);
      expect(after.sctl('is-active', 'second.service').stdout).toBe('inactive\n');
      const plan = after.sctl('snapshot', 'restore', 'good', '--plan').stdout;
      expect(plan).toMatch(/second\.service/);
      expect(after.sctl('snapshot', 'restore', 'good')).toMatchObject({ status: 0 });
      expect(after.sctl('is-active', 'second.service').stdout).toBe('active\n');
      expect(after.sctl('is-active', 'first.service').stdout).toBe('inactive\n');
      expect(after.sctl('snapshot', 'diff', 'good').stdout).toContain('No difference');

      // What nobody confirms is undone, though core dies meanwhile.
      expect(after.sctl('stop', 'second.service').status).toBe(0);
      const restored = after.sctl('snapshot', 'restore', 'good', '--confirm-within', '4s');
      expect(restored).toMatchObject({ status: 0 });
      expect(restored.stderr).toContain('unless it is confirmed: sctl confirm good');
      process.kill(after.core() ?? 0, 'SIGKILL');
      await eventually('it is undone', () => after.sctl('is-active', 'second.service').stdout === 'inactive\n');
      await eventually('nothing is left of it', () => !after.sctl('snapshot', 'list').stdout.includes('undo-'));
      expect(after.sctl('confirm').stdout).toContain('Nothing waits');

      expect(after.sctl('snapshot', 'restore', 'good', '--confirm-within', '1h').status).toBe(0);
      expect(after.sctl('confirm', '--list').stdout).toContain('snapshot good');
      expect(after.sctl('__complete', 'words', 'confirm').stdout).toBe('good\n');
      expect(after.sctl('confirm', 'good')).toMatchObject({ status: 0 });
      await eventually('nothing is left of it', () => !after.sctl('snapshot', 'list').stdout.includes('undo-'));
      expect(after.sctl('is-active', 'second.service').stdout).toBe('active\n');
      const { stdout } = after.sctl('plan', 'stop', 'second.service', '--output', 'json');
      const { id } = JSON.parse(stdout) as { id: string };
      expect(after.sctl('__complete', 'words', 'apply').stdout).toBe(`${id}\n`);
      expect(after.sctl('apply', id)).toMatchObject({ status: 0 });

      // Somebody else's directory in the place of ours is not followed.
      const place = join(after.run, 'state/snapshots');
      renameSync(place, join(after.run, 'victims'));
      symlinkSync('/run/victims', place);
      for (const words of [['save', 'new'], ['list'], ['restore', 'good', '--plan'], ['delete', 'good']]) {
        const refused = after.sctl('snapshot', ...words);
        expect([words, refused.status]).toEqual([words, 1]);
        expect(refused.stderr).toContain('/run/state/snapshots: a symbolic link, which is not followed');
      }
      expect(readdirSync(join(after.run, 'victims'))).toEqual(['good.json']);
    } finally {
      await after.stop();
    }
  },
  120_000,
);
