/**
 * A disk that is full when core wants to write its checkpoint: it says so, goes on, and its death is still noticed by nobody. Once there is
 * room, the checkpoint is on it again.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { eventually, lib, type System, systemsMissing } from '../support/system.ts';
import { bootSmall, coreLog, property } from './small.ts';

const missing = systemsMissing();
const STATE = '/run/sysmaster/state';
const worker = (name: string, mode: string) => `/run/programs/worker.pl ${name} ${mode}`;

const units = {
  'steady.service': `[Service]\nExecStart=${worker('steady', 'sleep')}\n`,
  'talks.service': `[Service]\nType=notify\nWatchdogSec=5\nExecStart=${worker('talks', 'notify')}\n`,
  'kept.service': `[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=${worker('kept', 'once')}\n`,
  'short.service': `[Service]\nType=oneshot\nExecStart=${worker('short', 'once')}\n`,
  'stopped.service': `[Service]\nExecStart=${worker('stopped', 'sleep')}\n`,
  'later.service': `[Service]\nExecStart=${worker('later', 'sleep')}\n`,
};

describe.skipIf(missing !== undefined)(`a full disk${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let system: System | undefined;
  afterEach(async () => {
    const booted = system;
    system = undefined;
    if (booted !== undefined) expect(await booted.stop()).toBe(true);
  });

  /** Boot with a small disk for the checkpoint, which only the system itself sees. */
  const boot = (size: string) =>
    bootSmall({
      units,
      wants: ['steady', 'talks', 'kept', 'short', 'stopped'].map((name) => `${name}.service`),
      files: {
        '/run/programs/worker.pl': readFileSync(join(import.meta.dirname, 'worker.pl'), 'utf8'),
        '/run/locks/.keep': '',
        '/run/core.sh': `#!/bin/sh
mountpoint -q ${STATE} || { mkdir -p ${STATE}; mount -t tmpfs -o size=${size} small ${STATE}; }
exec ${lib}/node --max-semi-space-size=16 --initial-old-space-size=128 --expose-gc ${lib}/core.cjs
`,
      },
      initConf: ['Core=/run/core.sh'],
    });

  const killCore = async (running: System) => {
    const core = await eventually('core', () => running.core());
    process.kill(core, 'SIGKILL');
    await eventually('the next core answers', () => {
      const now = running.core();
      return now !== undefined && now !== core && running.sctl('is-system-running').status === 0;
    });
  };

  test.each([
    ['from the beginning', '1m'],
    ['but for its own files', '16m'],
  ])('%s: core goes on, and after a crash nothing is started twice', async (_when, size) => {
    const running = await boot(size);
    system = running;
    // What is left of the disk goes to somebody else.
    running.inside('/bin/sh', '-c', `cat /dev/zero >${STATE}/other 2>/dev/null`);
    expect(running.sctl('stop', 'stopped.service').status).toBe(0);
    const pids = ['steady', 'talks'].map((name) => property(running, `${name}.service`, 'MainPID'));
    const full = size === '1m';
    expect(/ENOSPC/.test(coreLog(running))).toBe(full);
    expect(/Disk: .*\/run\/sysmaster\/state/.test(running.sctl('status').stdout)).toBe(full);

    for (let death = 0; death < 2; death += 1) {
      await killCore(running);
      expect(['steady', 'talks'].map((name) => property(running, `${name}.service`, 'MainPID'))).toEqual(pids);
      expect(running.sctl('is-active', 'kept.service', 'stopped.service', 'default.target').stdout).toBe(
        'active\ninactive\nactive\n',
      );
    }
    expect(running.sctl('start', 'later.service').status).toBe(0);
    const started = () =>
      readFileSync(`${running.run}/started`, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split(' ')[0]);
    await eventually('later.service runs', () => started().includes('later'));
    expect(started().sort()).toEqual(['kept', 'later', 'short', 'steady', 'stopped', 'talks']);
    expect(coreLog(running).split('"state-fresh"')).toHaveLength(2);

    expect(running.inside('mount', '-o', 'remount,size=64m', STATE).status).toBe(0);
    await eventually('nothing is wrong with the disk', () => !/Disk: /.test(running.sctl('status').stdout));
    expect(/can be written to the disk again/.test(coreLog(running))).toBe(full);
    const from = coreLog(running).length;
    await killCore(running);
    await eventually('it has its state', () => coreLog(running).slice(from).includes('"state-restored"'));
    expect(running.sctl('is-active', 'kept.service', 'later.service').stdout).toBe('active\nactive\n');
    // What is there is what counts: without it the next core knows nothing.
    const after = coreLog(running).length;
    expect(running.inside('rm', `${STATE}/a`, `${STATE}/b`).status).toBe(0);
    await killCore(running);
    await eventually('it has none', () => coreLog(running).slice(after).includes('"state-fresh"'));
    expect(started().sort()).toEqual(['kept', 'later', 'short', 'steady', 'stopped', 'talks']);
  });
});
