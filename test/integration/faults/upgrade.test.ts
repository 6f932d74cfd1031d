/** daemon-reexec: another version takes over with everything that is under way, or is refused before the present one has left. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, lib, type System, systemsMissing } from '../support/system.ts';
import { bootSmall, coreLog, laterSctl, property } from './small.ts';

const missing = systemsMissing();
const worker = (name: string, mode: string) => `/run/programs/worker.pl ${name} ${mode}`;

describe.skipIf(missing !== undefined)(`another core${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let system: System;
  /** Core's bundle, in a place of its own, where a test may put another. */
  const bundle = () => join(system.run, 'lib/core-bundle.cjs');
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
      initConf: [`Core=${lib}/node --max-semi-space-size=16 --expose-gc /run/lib/core.cjs`],
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
    expect(system.sctl('daemon-reexec')).toEqual({ status: 0, stdout: '', stderr: '' });
    await eventually('another core', () => ![undefined, old].includes(system.core()));
    expect(property(system, 'job.service', 'ActiveState')).toBe('activating');
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
      'reads only an older form',
      present.replace(/\b(FORMAT\d*)=2(?=,Ledger=)/, '$1=1'),
      /the image has form 2, this core reads 1/,
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
    await eventually('another core', () => ![undefined, old].includes(system.core()));
    expect(system.sctl('is-active', 'job.service', 'steady.service').stdout).toBe('active\nactive\n');
    expect(coreLog(system).split('"state-fresh"')).toHaveLength(2);
  });

  test('that ends before it is in charge is replaced by the one before, with all its state', async () => {
    install(`if (!process.argv.includes('--check-checkpoint')) process.exit(7);\n${present}`);
    const before = pids();
    const old = system.core();
    expect(system.sctl('daemon-reexec').status).toBe(0);
    await eventually('the one before is back', () => {
      const now = system.core();
      return now !== undefined && now !== old && system.sctl('is-active', 'steady.service').status === 0;
    });
    expect(readFileSync(join(system.run, 'sysmaster/core.stderr'), 'utf8')).toContain('back to the one before');
    expect(pids()).toEqual(before);
    expect(coreLog(system).split('"state-fresh"')).toHaveLength(2);
    // It stays the one to come back to, until another upgrade is in charge.
    process.kill(await eventually('core', () => system.core()), 'SIGKILL');
    await eventually('it is back again', () => system.sctl('is-active', 'steady.service').status === 0);
    install(present);
    expect(system.sctl('daemon-reexec').status).toBe(0);
    await eventually('nothing is kept aside', () => system.inside('/bin/ls', '/run/sysmaster/previous').status !== 0);
    expect(pids()).toEqual(before);
  });
});
