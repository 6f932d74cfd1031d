/** daemon-reload in a whole system: what has changed is told, what is broken runs on, generators run each time. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type System, startSystem, systemsMissing } from '../support/system.ts';

const missing = systemsMissing();
const UNITS = '/run/units';
const unit = (lines: string) => `[Unit]\nDefaultDependencies=no\n${lines}`;
const GENERATOR = `#!/bin/sh
n=$(cat /run/count 2>/dev/null || echo 0)
echo $((n + 1)) > /run/count
printf '[Unit]\\nDescription=run %s\\n[Service]\\nExecStart=/bin/true\\n' $((n + 1)) > $1/made.service
env > /run/generator-environment
[ ! -e /run/fail ] || exit 7
`;

describe.skipIf(missing !== undefined)(`daemon-reload ${missing ?? ''}`, () => {
  let system: System;
  beforeAll(async () => {
    system = await startSystem({
      files: {
        [`${UNITS}/default.target`]: unit('Wants=worker.service other.service made.service\n'),
        [`${UNITS}/worker.service`]: unit('[Service]\nExecStart=/bin/sleep 1000\nTimeoutStopSec=5\n'),
        [`${UNITS}/other.service`]: unit('[Service]\nExecStart=/bin/sleep 1000\n'),
        '/run/generators/make': GENERATOR,
      },
      coreEnvironment: { SYSMASTER_UNIT_PATH: UNITS, SYSMASTER_GENERATOR_PATH: '/run/generators' },
    });
    await eventually('the worker runs', () => system.sctl('is-active', 'worker.service').status === 0);
  }, 120_000);
  afterAll(async () => {
    await system?.stop();
  });

  const write = (path: string, text: string) =>
    expect(
      system.inside('sh', '-c', `mkdir -p "$(dirname ${path})"; printf '%s' "$1" > ${path}`, 'sh', text).status,
    ).toBe(0);
  const coreLog = () => readFileSync(`${system.run}/sysmaster/core.log`, 'utf8');
  const pid = () => system.sctl('show', '-P', 'MainPID', 'worker.service').stdout.trim();
  interface Change {
    readonly unit: string;
    readonly what: string;
    readonly effect: string;
    readonly settings: readonly {
      readonly key: string;
      readonly before?: string;
      readonly after?: string;
      readonly effect: string;
    }[];
  }
  const reload = (...more: string[]): { readonly changes: readonly Change[] } => {
    const ran = system.sctl('daemon-reload', '--output=json', ...more);
    expect(ran.stderr).toBe('');
    return JSON.parse(ran.stdout) as { changes: Change[] };
  };

  test('a generator is run with its three directories and its environment, and what it makes is loaded', () => {
    expect(system.sctl('show', '-P', 'Description', 'made.service').stdout).toBe('run 1\n');
    const environment = system.inside('cat', '/run/generator-environment').stdout;
    expect(environment).toMatch(/^SYSTEMD_SCOPE=system$/m);
    expect(environment).toMatch(/^SYSTEMD_IN_INITRD=0$/m);
    expect(environment).toMatch(/^SYSTEMD_FIRST_BOOT=[01]$/m);
    expect(environment).toMatch(/^SYSTEMD_ARCHITECTURE=./m);
  });

  test('a reload runs it again, and says which units it changed', () => {
    const { changes } = reload();
    const made = changes.find((change) => change.unit === 'made.service');
    expect(made?.settings).toMatchObject([{ key: 'Description', before: 'run 1', after: 'run 2' }]);
    expect(system.sctl('show', '-P', 'Description', 'made.service').stdout).toBe('run 2\n');
  });

  test('enabling a unit runs it again before units are loaded anew, unless --no-reload is given', () => {
    write(`${UNITS}/extra.service`, unit('[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=default.target\n'));
    const runs = () => Number(system.inside('cat', '/run/count').stdout);
    const before = runs();
    const enabled = system.sctl('enable', '--runtime', 'extra.service');
    expect([enabled.status, enabled.stderr]).toEqual([
      0,
      expect.stringMatching(/default\.target\.wants\/extra\.service/),
    ]);
    expect(runs()).toBe(before + 1);
    expect(system.sctl('show', '-P', 'Description', 'made.service').stdout).toBe(`run ${before + 1}\n`);
    expect(system.sctl('disable', '--runtime', '--no-reload', 'extra.service')).toMatchObject({ status: 0 });
    expect(runs()).toBe(before + 1);
  });

  test('a dry run says that no generator was run', () => {
    const before = system.inside('cat', '/run/count').stdout;
    expect(system.sctl('daemon-reload', '--dry-run').stderr).toMatch(/^Generators were not run/m);
    expect(system.inside('cat', '/run/count').stdout).toBe(before);
  });

  test('a generator that fails is told, and keeps nothing from being loaded', async () => {
    write('/run/fail', '');
    reload();
    await eventually('it is told', () => /generator ended with status=7/.test(coreLog()), 20);
    expect(system.sctl('show', '-P', 'Description', 'made.service').stdout).toBe('run 4\n');
    expect(system.inside('rm', '/run/fail').status).toBe(0);
  });

  test('a dry run tells what would change and changes nothing; the reload then tells the same', () => {
    write(
      `${UNITS}/worker.service`,
      unit('Description=changed\n[Service]\nExecStart=/bin/sleep 2000\nTimeoutStopSec=7\nExecReload=/bin/true\n'),
    );
    expect(system.sctl('show', '-P', 'NeedDaemonReload', 'worker.service').stdout).toBe('yes\n');
    expect(system.sctl('status', 'worker.service').stderr + system.sctl('status', 'worker.service').stdout).toMatch(
      /daemon-reload/,
    );
    const before = pid();
    const would = reload('--dry-run').changes.filter((change) => change.unit === 'worker.service');
    expect(would).toMatchObject([
      {
        what: 'changed',
        effect: 'restart',
        settings: expect.arrayContaining([
          expect.objectContaining({
            key: 'ExecStart',
            before: '/bin/sleep 1000',
            after: '/bin/sleep 2000',
            effect: 'restart',
          }),
          expect.objectContaining({ key: 'TimeoutStopSec', before: '5', after: '7', effect: 'live' }),
          expect.objectContaining({ key: 'ExecReload', after: '/bin/true', effect: 'reload' }),
          expect.objectContaining({ key: 'Description', after: 'changed', effect: 'live' }),
        ]),
      },
    ]);
    expect(system.sctl('show', '-P', 'Description', 'worker.service').stdout).toBe('worker.service\n');
    expect(reload().changes.filter((change) => change.unit === 'worker.service')).toEqual(would);
    expect(system.sctl('show', '-P', 'Description', 'worker.service').stdout).toBe('changed\n');
    expect(system.sctl('show', '-P', 'NeedDaemonReload', 'worker.service').stdout).toBe('no\n');
    expect(pid()).toBe(before);
  });

  test('a unit whose file is broken runs on, can be stopped, and is well again when its file is', () => {
    const before = pid();
    write(`${UNITS}/worker.service`, unit('[Service]\nType=nonsense\nExecStart=relative/path\nSlice=no slice\n'));
    const { changes } = reload();
    expect(changes).toMatchObject([{ unit: 'made.service' }, { unit: 'worker.service', what: 'broken' }]);
    expect(system.sctl('is-active', 'worker.service').stdout).toBe('active\n');
    expect(system.sctl('show', '-P', 'LoadState', 'worker.service').stdout).toBe('bad-setting\n');
    expect(pid()).toBe(before);
    expect(system.sctl('is-active', 'other.service').stdout).toBe('active\n');
    expect(system.sctl('stop', 'worker.service').status).toBe(0);
    expect(system.inside('test', '-e', `/proc/${before}`).status).not.toBe(0);
    expect(system.sctl('start', 'worker.service').status).not.toBe(0);
    write(`${UNITS}/worker.service`, unit('[Service]\nExecStart=/bin/sleep 1000\n'));
    expect(reload().changes.find((change) => change.unit === 'worker.service')?.what).toBe('mended');
    expect(system.sctl('start', 'worker.service').status).toBe(0);
  });

  test('a unit whose file is gone runs on', () => {
    expect(system.inside('rm', `${UNITS}/other.service`).status).toBe(0);
    expect(system.sctl('show', '-P', 'NeedDaemonReload', 'other.service').stdout).toBe('yes\n');
    expect(reload().changes).toContainEqual(expect.objectContaining({ unit: 'other.service', what: 'gone' }));
    expect(system.sctl('is-active', 'other.service').stdout).toBe('active\n');
    expect(system.sctl('stop', 'other.service').status).toBe(0);
  });
});
