/** Units that are wrong: each says where and why, sctl ends with systemctl's status, and whatever runs runs on. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type System, systemsMissing } from '../support/system.ts';
import { bootSmall, coreLog, property, UNITS } from './small.ts';

const missing = systemsMissing();

describe.skipIf(missing !== undefined)(
  `units that are wrong${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let system: System;
    let steady: string;

    beforeAll(async () => {
      system = await bootSmall({
        units: {
          'steady.service': '[Service]\nExecStart=/bin/sleep 100000\n',
          'odd.service':
            '[Unit]\nDescription=odd\nNoise without an equals sign\n[Service]\nRestart=sometimes\nExecStart=/bin/sleep 100000\nFoo=bar\n',
          'torn.service': '[Service]\nExecStart=/bin/sleep 100000\n[Broken\n',
          'empty.service': '[Unit]\nDescription=nothing\n[Service]\nRestart=no\n',
          'quote.service': '[Service]\nExecStart=/bin/sleep "1\n',
          'no-binary.service': '[Service]\nExecStart=/usr/bin/no-such-program --now\n',
          'no-binary-exec.service': '[Service]\nType=exec\nExecStart=/usr/bin/no-such-program --now\n',
          'no-user.service': '[Service]\nType=exec\nUser=nobody-of-that-name\nExecStart=/bin/sleep 100000\n',
          'needs.service':
            '[Unit]\nRequires=absent.service\nAfter=absent.service\n[Service]\nExecStart=/bin/sleep 100000\n',
          'wants.service': '[Unit]\nWants=absent.service\n[Service]\nExecStart=/bin/sleep 100000\n',
        },
        wants: ['steady', 'odd', 'torn', 'no-binary', 'absent'].map((name) => `${name}.service`),
      });
      steady = property(system, 'steady.service', 'MainPID');
      expect(Number(steady)).toBeGreaterThan(1);
    });
    afterAll(async () => {
      if (system === undefined) return;
      expect(property(system, 'steady.service', 'MainPID')).toBe(steady);
      expect(await system.stop()).toBe(true);
    });

    const findings = (unit: string) =>
      system
        .sctl('status', unit)
        .stdout.split('Findings: ')[1]
        ?.split('\n')
        .map((line) => line.trim()) ?? [];

    /** What core's log says of a unit. */
    const said = (unit: string) =>
      coreLog(system)
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as { unit?: string; msg: string })
        .filter((line) => line.unit === unit)
        .map(({ msg }) => msg);

    test('do not keep the system from coming up', () => {
      expect(system.sctl('is-system-running').stdout.trim()).toBe('degraded');
      expect(system.sctl('is-active', 'default.target').stdout.trim()).toBe('active');
    });

    test('a line that means nothing is told with file and line, and the unit runs without it', () => {
      expect(system.sctl('is-active', 'odd.service')).toMatchObject({ status: 0, stdout: 'active\n' });
      expect(findings('odd.service')).toEqual(
        expect.arrayContaining([
          expect.stringMatching(
            new RegExp(`^${UNITS}/odd.service:3:1: Noise without an equals sign: .*; write Key=value`),
          ),
          `${UNITS}/odd.service:5:1: Restart=sometimes: not a restart policy; use no, on-success, on-failure, on-abnormal, on-watchdog, on-abort or always`,
          expect.stringMatching(new RegExp(`^${UNITS}/odd.service:7:1: Foo=bar: not a setting of \\[Service\\]`)),
        ]),
      );
    });

    test.each([
      [
        'torn.service',
        'error',
        `${UNITS}/torn.service:3:1: [Broken: a section header without its closing bracket; write [Name]`,
      ],
      [
        'empty.service',
        'bad-setting',
        expect.stringMatching(
          /empty\.service.*neither ExecStart=, ExecStop= nor SuccessAction=; give it an ExecStart=/,
        ),
      ],
      [
        'quote.service',
        'bad-setting',
        expect.stringMatching(
          new RegExp(`^${UNITS}/quote.service:2:22: .*a quote \\("\\) is not closed; mend the quoting`),
        ),
      ],
    ])('%s cannot be loaded, and it is said why', (unit, load, finding) => {
      const ran = system.sctl('start', unit);
      expect(ran.status).toBe(1);
      expect(ran.stderr).toContain(`Failed to start ${unit}: `);
      // The fault itself, with its place.
      expect(ran.stderr.split('\n').map((line) => line.trim())).toContainEqual(finding);
      expect(property(system, unit, 'LoadState')).toBe(load);
      expect(findings(unit)).toContainEqual(finding);
      expect(system.sctl('is-active', unit)).toMatchObject({ status: 3, stdout: 'inactive\n' });
    });

    test('a program that is not there is exit status 203, and the start fails where it is waited for', async () => {
      expect(system.sctl('start', 'no-binary.service').status).toBe(0); // Type=simple: systemd does not wait for execve(2)
      await eventually('it is failed', () => system.sctl('is-failed', 'no-binary.service').status === 0);
      const waited = system.sctl('start', 'no-binary-exec.service');
      expect(waited.status).toBe(1);
      expect(waited.stderr).toContain(
        'no-binary-exec.service failed because the control process exited with error code',
      );
      for (const unit of ['no-binary.service', 'no-binary-exec.service']) {
        expect(property(system, unit, 'ExecMainStatus')).toBe('203');
        expect(system.sctl('status', unit)).toMatchObject({
          status: 3,
          stdout: expect.stringContaining('status=203/EXEC'),
        });
        expect(said(unit)).toContain('cannot execute the program: ENOENT on /usr/bin/no-such-program');
      }
    });

    test('a user who is not there is exit status 217', () => {
      expect(system.sctl('start', 'no-user.service').status).toBe(1);
      expect(property(system, 'no-user.service', 'ExecMainStatus')).toBe('217');
      expect(system.sctl('status', 'no-user.service').stdout).toContain('status=217/USER');
      expect(said('no-user.service')).toContain('cannot find the user: ESRCH on nobody-of-that-name');
    });

    test('a unit that is not there is status 5, asked for by name or required', () => {
      for (const unit of ['absent.service', 'needs.service']) {
        expect(system.sctl('start', unit)).toMatchObject({
          status: 5,
          stderr: expect.stringContaining(`Failed to start ${unit}: Unit absent.service not found.`),
        });
      }
      expect(system.sctl('status', 'absent.service').status).toBe(4);
      expect(coreLog(system)).toContain(`needs.service Requires absent.service, from ${UNITS}/needs.service:2`);
    });

    test('a unit that is only wanted may be missing, without a word to the one who starts', () => {
      expect(system.sctl('start', 'wants.service')).toEqual({ status: 0, stdout: '', stderr: '' });
      expect(system.sctl('is-active', 'wants.service').status).toBe(0);
      expect(coreLog(system)).toContain('start absent.service left out: absent.service not found');
    });
  },
);
