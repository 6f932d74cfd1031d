/** daemon-reexec: another version takes over with everything that is under way, or is refused before the present one has left. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, linkSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../support/ask.ts';
import { eventually, lib, type System, systemsMissing } from '../support/system.ts';
import { bootSmall, coreLog, laterSctl, property } from './small.ts';

const missing = systemsMissing();
const worker = (name: string, mode: string) => `/run/programs/worker.pl ${name} ${mode}`;

describe.skipIf(missing !== undefined)(`another core${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let system: System;
  /** Core's bundle, in a place of its own, where a test may put another. */
  const bundle = () => join(system.run, 'lib/core-bundle.cjs');
  const own = (name: string) => join(system.run, 'sysmaster', name);
  const present = readFileSync(join(lib, 'core-bundle.cjs'), 'latin1');
  /** Whole, as package managers do it. */
  const install = (text: string) => writeFileSync(bundle(), text, 'latin1');

  beforeAll(async () => {
    system = await bootSmall({
      units: {
        'steady.service': '[Service]\nExecStart=/bin/sleep 100000\n',
        'talks.service': `[Service]\nType=notify\nWatchdogSec=5\nExecStart=${worker('talks', 'notify')}\n`,
        'job.service':
          '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c "until [ -e /run/go ]; do sleep 0.05; done"\n',
      },
      wants: ['steady.service', 'talks.service'],
      files: {
        '/run/programs/worker.pl': readFileSync(join(import.meta.dirname, 'worker.pl'), 'utf8'),
        '/run/locks/.keep': '',
      },
      copy: Object.fromEntries(
        ['core.cjs', 'core-bundle.cjs', 'addon.node'].map((name) => [join(lib, name), `/run/lib/${name}`]),
      ),
      // How long the new one may take to be ready: short, and yet enough for a machine that is busy with other tests. Any other has
      // three times as long, so that the one before comes back at the first try.
      initConf: [
        'CoreWatchdogSec=6',
        'CoreStartSec=18',
        `Core=${lib}/node --max-semi-space-size=16 --initial-old-space-size=128 --expose-gc /run/lib/core.cjs`,
      ],
      coreEnvironment: { SYSMASTER_LIB: lib },
    });
  });
  afterAll(async () => {
    if (system !== undefined) expect(await system.stop()).toBe(true);
  });

  const pids = () => ['steady', 'talks'].map((name) => property(system, `${name}.service`, 'MainPID'));

  test('takes over services, watchdogs, a job in flight and the client that waits for it', async () => {
    const before = pids();
    const old = system.core();
    const waiting = laterSctl(system, 'start', 'job.service');
    await eventually('the job runs', () => property(system, 'job.service', 'ActiveState') === 'activating');
    install(`${present}\n/* another version */\n`);
    // Answered by the one that is in charge now.
    expect(system.sctl('daemon-reexec', '--quiet')).toMatchObject({ status: 0, stdout: '' });
    expect([undefined, old]).not.toContain(system.core());
    expect(property(system, 'job.service', 'ActiveState')).toBe('activating');
    const { machine } = await ask<{ machine: { deadlines: object[] } }>(system, 'Machines.Get', {
      actor: 'talks.service',
    });
    expect(machine.deadlines).toContainEqual({ name: 'WatchdogSec', atUs: expect.any(Number) });
    writeFileSync(join(system.run, 'go'), '');
    expect(await waiting).toMatchObject({ status: 0 });
    expect(pids()).toEqual(before);
    expect(property(system, 'job.service', 'ActiveState')).toBe('active');
    expect(coreLog(system).split('"state-fresh"')).toHaveLength(2);
  });

  test.each([
    ['does not even start', 'this is no program', /SyntaxError|Unexpected identifier/],
    ['ends at once', 'process.exit(3)', /it ended with .*3/],
    [
      'is killed while it looks at the checkpoint',
      "process.kill(process.pid, 'SIGKILL')",
      /it ended with signal=SIGKILL/,
    ],
    [
      'reads only an older form',
      present.replace(/\b(FORMAT\d*)=4(?=,Ledger=)/, '$1=3'),
      /the image has form 4, this core reads 3/,
    ],
  ])('that %s is refused with the reason, and the present one stays', (_what, text, why) => {
    expect(text).not.toBe(present);
    const core = system.core();
    const before = pids();
    install(text);
    const { status, stderr } = system.sctl('daemon-reexec');
    expect(status).toBe(1);
    expect(stderr).toContain('the new core cannot go on from the checkpoint');
    expect(stderr).toMatch(why);
    expect(system.core()).toBe(core);
    expect(pids()).toEqual(before);
    install(present);
  });

  test('that was refused keeps nobody from the next one, and the checkpoint is untouched by the look at it', async () => {
    copyFileSync(join(lib, 'core-bundle.cjs'), bundle());
    const old = system.core();
    expect(system.sctl('daemon-reexec').status).toBe(0);
    expect([undefined, old]).not.toContain(system.core());
    expect(system.sctl('is-active', 'job.service', 'steady.service').stdout).toBe('active\nactive\n');
    expect(coreLog(system).split('"state-fresh"')).toHaveLength(2);
  });

  test.each([
    ['a link', () => symlinkSync('/run/victim', own('upgrade.check'))],
    ['a pipe', () => spawnSync('mkfifo', [own('upgrade.check')])],
    ['another name of a file', () => linkSync(join(system.run, 'victim'), own('upgrade.check'))],
    ['a directory', () => mkdirSync(join(own('upgrade.check'), 'below'), { recursive: true })],
  ])('is looked at, and nobody else touched, where %s stands in the place of its words', (_what, plant) => {
    writeFileSync(join(system.run, 'victim'), 'precious');
    rmSync(own('upgrade.check'), { recursive: true, force: true });
    plant();
    install('this is no program');
    const { status, stderr } = system.sctl('daemon-reexec');
    expect([status, stderr]).toEqual([1, expect.stringMatching(/SyntaxError|Unexpected identifier/)]);
    expect(readFileSync(join(system.run, 'victim'), 'utf8')).toBe('precious');
    install(present);
  });

  test.each([
    ['ends', 'process.exit(7)', 'it ended with status=7'],
    ['hangs', 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)', 'it hung'],
  ])(
    'that %s before it is in charge is replaced by the one before, with all its state',
    async (_what, fault, how) => {
      install(`if (!process.argv.includes('--check-checkpoint')) ${fault};\n${present}`);
      const before = pids();
      const old = system.core();
      const { status, stderr } = system.sctl('daemon-reexec');
      expect(status).toBe(1);
      expect(stderr).toContain(`the new core did not come to be ready: ${how}`);
      expect(stderr).toContain('the one before is back, with all its state');
      expect([undefined, old]).not.toContain(system.core());
      expect(system.sctl('is-active', 'steady.service').status).toBe(0);
      expect(readFileSync(join(system.run, 'sysmaster/core.stderr'), 'utf8')).toContain('back to the one before');
      expect(pids()).toEqual(before);
      expect(coreLog(system).split('"state-fresh"')).toHaveLength(2);
    },
    120_000,
  );

  test('is tried again from the one that is back, which stays the one to come back to until another is in charge', async () => {
    const before = pids();
    process.kill(await eventually('core', () => system.core()), 'SIGKILL');
    await eventually('it is back again', () => system.sctl('is-active', 'steady.service').status === 0);
    install(present);
    expect(system.sctl('daemon-reexec').status).toBe(0);
    await eventually('nothing is kept aside', () => system.inside('/bin/ls', '/run/sysmaster/previous').status !== 0);
    expect(pids()).toEqual(before);
  });

  test('may be another init: it is answered by that one, with core and services as they were, or by the present one why not', () => {
    const before = [system.core(), ...pids()];
    const restored = () => readFileSync(`/proc/${system.pid}/cmdline`, 'utf8').includes('--restore=');
    expect(restored()).toBe(false);
    expect(system.sctl('init-reexec', '/bin/false')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('init was not replaced: the new init does not understand the state'),
    });
    expect(restored()).toBe(false);
    expect(system.sctl('init-reexec')).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(restored()).toBe(true);
    expect([system.core(), ...pids()]).toEqual(before);
    expect(system.sctl('restart', 'steady.service').status).toBe(0);
  });
});
