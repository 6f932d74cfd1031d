/** A state directory that somebody has spoilt: core says so and goes on, its services run on, and nothing outside is touched. */
import { readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeHeader, encodeRecord } from '../../../src/host/node/checkpoint.ts';
import { eventually, type System, systemsMissing } from '../support/system.ts';
import { bootSmall, coreLog, property } from './small.ts';

const missing = systemsMissing();

describe.skipIf(missing !== undefined)(
  `a spoilt state directory${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let system: System;
    let pid: string;
    const place = (name: string) => join(system.run, 'sysmaster/state', name);

    beforeAll(async () => {
      system = await bootSmall({
        units: { 'steady.service': '[Service]\nExecStart=/bin/sleep 100000\n' },
        wants: ['steady.service'],
        files: { '/run/victim': 'precious' },
      });
      pid = property(system, 'steady.service', 'MainPID');
      expect(Number(pid)).toBeGreaterThan(1);
    });
    afterAll(async () => {
      if (system !== undefined) expect(await system.stop()).toBe(true);
    });

    const everyFile = (change: (path: string) => void) => {
      for (const name of ['a', 'b']) change(place(name));
    };

    test.each<[string, () => void, RegExp]>([
      ['garbage', () => everyFile((path) => writeFileSync(path, 'x'.repeat(100_000))), /not a checkpoint/],
      [
        'files of another boot',
        () =>
          everyFile((path) => {
            const header = { generation: 7, bootId: '0'.repeat(32), isVoid: false };
            writeFileSync(path, Buffer.concat([encodeHeader(header), encodeRecord('{}', 7, 0)]));
          }),
        /from another boot/,
      ],
      [
        'symbolic links to something precious',
        () =>
          everyFile((path) => {
            rmSync(path);
            symlinkSync('/run/victim', path);
          }),
        /a symbolic link, which is not followed/,
      ],
    ])('with %s: the next core adopts what runs, and says why', async (_what, spoil, why) => {
      const before = coreLog(system).length;
      spoil();
      const old = await eventually('core', () => system.core());
      process.kill(old, 'SIGKILL');
      await eventually('the next core answers', () => {
        const now = system.core();
        return now !== undefined && now !== old && system.sctl('is-active', 'steady.service').status === 0;
      });
      expect(property(system, 'steady.service', 'MainPID')).toBe(pid);
      const said = coreLog(system).slice(before);
      expect(said).toMatch(/"checkpoint-refused"/);
      expect(said).toMatch(why);
      expect(readFileSync(`${system.run}/victim`, 'utf8')).toBe('precious');
      expect(system.sctl('status').stdout).not.toMatch(/Disk: /);
      // What it has written since is believed again.
      const second = await eventually('core', () => system.core());
      const from = coreLog(system).length;
      process.kill(second, 'SIGKILL');
      await eventually('the core after that has its state', () =>
        coreLog(system).slice(from).includes('"state-restored"'),
      );
      expect(property(system, 'steady.service', 'MainPID')).toBe(pid);
    });
  },
);
