/** sctl chaos on a live system: what it does, to whom, that it is taken back, and that everybody can see who did it. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, properties, until } from '../support/ask.ts';
import { eventually, type System, systemsMissing } from '../support/system.ts';
import { bootSmall, laterSctl } from './small.ts';

const missing = systemsMissing();
const worker = (name: string, mode: string) => `/run/programs/worker.pl ${name} ${mode}`;
const ENABLED = '[X-Chaos]\nEnabled=yes\nMaxUnits=3\nMaxSec=1min\nProtect=safe.service\n';

describe.skipIf(missing !== undefined)(`chaos${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let system: System;
  beforeAll(async () => {
    system = await bootSmall({
      units: {
        ...Object.fromEntries(
          ['web-1', 'web-2', 'web-3'].map((name) => [
            `${name}.service`,
            '[Service]\nSlice=web.slice\nExecStart=/bin/sleep 100000\nRestart=on-failure\nRestartSec=100ms\nStartLimitBurst=0\n',
          ]),
        ),
        'safe.service': '[Service]\nExecStart=/bin/sleep 100000\n',
        'talks.service': `[Service]\nType=notify\nExecStart=${worker('talks', 'notify')}\n`,
        'dog.service': `[Service]\nType=notify\nWatchdogSec=2\nTimeoutAbortSec=1\nExecStart=${worker('dog', 'notify')}\nRestart=always\nRestartSec=100ms\n`,
      },
      wants: ['web-1.service', 'web-2.service', 'web-3.service', 'safe.service', 'dog.service'],
      files: {
        '/run/programs/worker.pl': readFileSync(join(import.meta.dirname, 'worker.pl'), 'utf8'),
        '/run/locks/.keep': '',
        '/run/system.conf': ENABLED,
      },
      coreEnvironment: { SYSMASTER_CONF: '/run/system.conf' },
    });
  });
  afterAll(async () => {
    if (system !== undefined) expect(await system.stop()).toBe(true);
  });

  const chaos = (...words: string[]) => system.sctl('chaos', ...words);
  interface Begun {
    readonly id: number;
    readonly units: readonly string[];
    readonly spared: readonly { readonly unit: string; readonly why: string }[];
  }
  const begin = (units: readonly string[], kind: string, more: object = {}, fault: object = {}) =>
    ask<Begun>(system, 'Chaos.Begin', { fault: { kind, ...fault }, units, forUs: 60_000_000, ...more });
  const stop = (ids?: readonly number[]) => ask<{ stopped: number[] }>(system, 'Chaos.Stop', { ids });
  const under = async () => (await ask<{ runs: unknown[] }>(system, 'Chaos.List')).runs.length;
  const main = async (unit: string) => (await properties(system, `${unit}.service`))['MainPID'] ?? '';
  const active = async (unit: string) => (await properties(system, `${unit}.service`))['ActiveState'] ?? '';
  const history = async (unit: string): Promise<string> => {
    const { records } = await ask<{ records: { what: string; cause: string }[] }>(system, 'Insight.History', {
      units: [`${unit}.service`],
      count: 1000,
    });
    return records.map(({ what, cause }) => `${what}; ${cause}`).join('\n');
  };
  /** State of a process inside: R, S, T … */
  const stateOf = (pid: string) =>
    /^State:\t(.)/m.exec(system.inside('/bin/cat', `/proc/${pid}/status`).stdout)?.[1] ?? '';
  /** Core dies, and the next one answers. */
  async function killCore(): Promise<void> {
    const core = system.core();
    process.kill(core as number, 'SIGKILL');
    await eventually('another core', () => ![undefined, core].includes(system.core()));
    await until('it answers', async () => (await active('safe')) === 'active');
  }

  test('is refused while it is not enabled, with the way to enable it, which counts at once', async () => {
    writeFileSync(join(system.run, 'system.conf'), '');
    const refused = chaos('--unit', 'web-1', '--kill');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('chaos is not enabled on this system');
    expect(refused.stderr).toContain('set Enabled=yes in the section [X-Chaos] of /run/system.conf');
    expect(chaos('--unit', 'web-1', '--kill', '--dry-run')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('Would hit web-1.service: SIGKILL to the main process'),
      stderr: expect.stringContaining('not enabled'),
    });
    writeFileSync(join(system.run, 'system.conf'), ENABLED);
    expect(await under()).toBe(0);
  });

  test('a dry run names those that the same seed then hits, and the protected one is never among them', async () => {
    const words = [['*.service'], 'kill', { atMost: 2, seed: 4711 }] as const;
    const would = await begin(words[0], words[1], { ...words[2], dryRun: true });
    expect(would.units).toHaveLength(2);
    expect(would.spared).toContainEqual({ unit: 'safe.service', why: expect.stringContaining('Protect=') });
    const all = ['web-1', 'web-2', 'web-3', 'dog'];
    const before = new Map<string, string>();
    for (const name of all) before.set(name, await main(name));
    expect((await begin(...words)).units).toEqual(would.units);
    for (const name of all) {
      if (would.units.includes(`${name}.service`))
        await until(`${name} is another process`, async () => !['', '0', before.get(name)].includes(await main(name)));
      else expect(await main(name)).toBe(before.get(name));
    }
    expect((await stop()).stopped).toHaveLength(1);
    expect(await under()).toBe(0);
  });

  test('a hang ends with its time, also when core has died meanwhile, and history and why name chaos and who asked', async () => {
    const pid = await main('web-1');
    expect(chaos('--unit', 'web-1', '--hang', '--for', '3s')).toMatchObject({ status: 0 });
    await eventually('it is stopped', () => stateOf(pid) === 'T');
    expect(JSON.stringify(await ask(system, 'Insight.Why', { name: 'web-1.service', not: false }))).toMatch(
      /"kind":"chaos","what":"chaos \d+ is at work on it: SIGSTOP to the main process.*asked for by/,
    );
    await killCore();
    await eventually('it goes on', () => stateOf(pid) === 'S');
    expect(await main('web-1')).toBe(pid);
    expect(await under()).toBe(0);
    const said = await history('web-1');
    expect(said).toMatch(/chaos \d+: SIGSTOP to the main process, .*; chaos, asked for by uid 0/);
    expect(said).toMatch(/chaos \d+: SIGSTOP to the main process: over, its time is up/);
  });

  test('a hang is taken back even by a core that has lost its checkpoint', async () => {
    const pid = await main('web-2');
    await begin(['web-2.service'], 'hang');
    await eventually('it is stopped', () => stateOf(pid) === 'T');
    rmSync(join(system.run, 'sysmaster/state'), { recursive: true });
    await killCore();
    await eventually('it goes on', () => stateOf(pid) === 'S');
    expect(await main('web-2')).toBe(pid);
    expect(await under()).toBe(0);
  });

  test('READY=1 is held back over a death of core, and counts once it is let go', async () => {
    await begin(['talks.service'], 'delay_ready');
    const started = laterSctl(system, 'start', 'talks.service');
    await until('it has said READY=1', async () => (await history('talks')).includes('READY=1 is held back'));
    expect(await active('talks')).toBe('activating');
    await killCore();
    expect(await active('talks')).toBe('activating');
    await stop();
    expect((await started).status).toBe(0);
    expect(system.sctl('stop', 'talks.service').status).toBe(0);
  });

  test('so many spawns fail with the step and the error that were asked for, and no more', async () => {
    await begin(['talks.service'], 'fail_spawn', {}, { count: 2, errno: 'ENOENT', step: 'exec' });
    expect(system.sctl('start', 'talks.service').status).toBe(1);
    expect(await history('talks')).toMatch(/failed.*ENOENT, by chaos \d+; chaos \d+ is at work on it: the next 2/);
    expect(system.sctl('start', 'talks.service').status).toBe(1);
    expect(system.sctl('start', 'talks.service').status).toBe(0);
    await stop();
  });

  test('keep-alives that are not heard lead to the watchdog, and history says why', async () => {
    const pid = await main('dog');
    await begin(['dog.service'], 'drop_watchdog');
    await until('the watchdog has ended it', async () => !['', '0', pid].includes(await main('dog')));
    expect(await history('dog')).toMatch(/watchdog.*chaos \d+ is at work on it: WATCHDOG=1 not heard/i);
    await stop();
    await until('it is well again', async () => (await active('dog')) === 'active');
  });

  test('a slice stands for its services, no more than MaxUnits= are under faults at a time, and stop takes back at once', async () => {
    const hit = (await begin(['web.slice'], 'hang', { percent: 67 })).units;
    expect(hit).toHaveLength(2);
    const [first = ''] = await Promise.all(hit.map((unit) => main(unit.replace('.service', ''))));
    await eventually('one is stopped', () => stateOf(first) === 'T');
    expect((await begin(['*.service'], 'hang', { atMost: 9 })).units).toHaveLength(1);
    await expect(begin(['*.service'], 'hang', { atMost: 9 })).rejects.toThrow('3 units are under faults already');
    await expect(begin(['web-1.service'], 'kill', { forUs: 120_000_000 })).rejects.toThrow('not within its bounds');
    const tainted = async () =>
      (await ask<{ manager: { tainted: string[] } }>(system, 'Manager.Get')).manager.tainted.includes('chaos');
    expect(await tainted()).toBe(true);
    const listed = chaos('list').stdout;
    expect(listed).toMatch(/^\d+: SIGSTOP to the main process: \S+\.service \S+\.service; over in .*seed \d+/m);
    expect(listed).toContain('Enabled: at most 3 units at a time, for at most 1min each.');
    expect(chaos('stop', '999')).toMatchObject({ status: 1, stderr: expect.stringContaining('There is no chaos 999') });
    expect(chaos('stop').stdout).toMatch(/^(Chaos \d+ is taken back\.\n){2}$/);
    await eventually('it goes on', () => stateOf(first) === 'S');
    expect(await tainted()).toBe(false);
  });

  test('core is killed, and hangs, on request; the client has its answer, and services do not notice', async () => {
    const names = ['web-1', 'web-2', 'web-3', 'safe'];
    const pids = () => Promise.all(names.map(main));
    const before = await pids();
    const first = system.core();
    const over = { status: 0, stdout: expect.stringContaining('and core answers') };
    expect(chaos('--core', '--kill', '--for', '500ms', '--wait')).toMatchObject(over);
    expect(system.core()).not.toBe(first);
    const second = system.core();
    expect(chaos('--core', '--hang', '--for', '500ms', '--wait')).toMatchObject(over);
    expect(system.core()).toBe(second);
    expect(await pids()).toEqual(before);
  });
});
