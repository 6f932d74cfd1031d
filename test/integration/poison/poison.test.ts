/**
 * What takes core down twice is set aside, with its actor, before the third time: shown on the real thing with an endless loop and
 * exhausted memory in a machine plugin, and with an addon that aborts. Everybody else goes on, and sctl says what has happened.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bootSmall, coreLog, laterSctl, property } from '../faults/small.ts';
import { eventually, type System, systemsMissing } from '../support/system.ts';

const missing = systemsMissing();
const here = (name: string) => readFileSync(join(import.meta.dirname, name), 'utf8');
/** For the engine's heap; the least that serves, so that it is full soon. */
const HEAP_MB = 64;
/** For core where the kernel limits it. */
const LIMIT_BYTES = 96 << 20;

const sleeping = '[Service]\nExecStart=/bin/sleep infinity\n';
const sick = (how: string) => `${sleeping}ExecReload=/bin/true ${how}\n[X-Machine]\nMachine=sick\n`;
const units = {
  'throws.service': sick('throws'),
  'loops.service': sick('loops'),
  'hoards.service': sick('hoards'),
  'fills.service': sick('fills'),
  'aborts.service': `${sleeping}ExecReload=/bin/poison\n`,
  'well.service': sleeping,
};
const names = Object.keys(units);

/** A memory group of our own, of whichever version the kernel has; undefined: none can be made here. */
function memoryGroup(): { join(pid: number): void; remove(): void } | undefined {
  const name = `sysmaster-poison-${process.pid}`;
  const v1 = join('/sys/fs/cgroup/memory', name);
  const v2 = join('/sys/fs/cgroup', name);
  const isV1 = existsSync('/sys/fs/cgroup/memory/memory.limit_in_bytes');
  const directory = isV1 ? v1 : v2;
  try {
    mkdirSync(directory);
    writeFileSync(join(directory, isV1 ? 'memory.limit_in_bytes' : 'memory.max'), String(LIMIT_BYTES));
  } catch {
    if (existsSync(directory)) rmdirSync(directory);
    return undefined;
  }
  return {
    join: (pid) => writeFileSync(join(directory, 'cgroup.procs'), String(pid)),
    remove: () => rmdirSync(directory),
  };
}

describe.skipIf(missing !== undefined)(`poison${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let system: System;
  let pids: Map<string, string>;
  let group: ReturnType<typeof memoryGroup>;

  /** The main processes of all units; one call. */
  const mainPids = () => {
    const shown = system
      .sctl('show', '-p', 'MainPID', '--value', ...names)
      .stdout.split(/\s+/)
      .filter(Boolean);
    return new Map(names.map((name, at) => [name, shown[at] ?? '']));
  };

  beforeAll(async () => {
    system = await bootSmall({
      units,
      wants: names,
      files: { '/run/machines/sick.cjs': here('sick.cjs'), '/run/abort.cjs': here('abort.cjs') },
      coreEnvironment: {
        SYSMASTER_MACHINE_PATH: '/run/machines',
        NODE_OPTIONS: `"--require=/run/abort.cjs --max-old-space-size=${HEAP_MB}"`,
      },
      // Long enough for a core that waits for a busy machine: it would count as a death of its own.
      initConf: ['CoreWatchdogSec=4', 'CoreStartSec=30', 'CoreRestartIntensity=100'],
    });
    pids = mainPids();
  });
  afterAll(async () => {
    if (system !== undefined) expect(await system.stop()).toBe(true);
    group?.remove();
  });

  /** Deaths of core, as init tells them. */
  const deaths = () => system.console().split('core: ended').length - 1;

  /**
   * Reload a sick unit: core dies twice of it, and no third time; the client is answered, nobody else has noticed, and the unit's
   * status says what happened and what to do.
   */
  async function poisoned(unit: string, said: RegExp, meanwhile?: (core: number) => void): Promise<void> {
    const before = deaths();
    const answer = laterSctl(system, 'reload', unit);
    let over = false;
    answer.finally(() => {
      over = true;
    });
    await eventually('the client is answered', () => {
      const core = over ? undefined : system.core();
      if (core !== undefined) meanwhile?.(core);
      return over;
    });
    expect(deaths() - before, system.console()).toBe(2);
    expect(mainPids()).toEqual(pids);
    expect((await answer).stderr).toContain('its machine is quarantined');
    expect(system.sctl('tree', `unit:${unit}`).stdout).toMatch(/ quarantined failed 2×, last /);
    const status = system.sctl('status', unit).stdout;
    expect(status).toMatch(said);
    expect(status).toContain('its processes run on');
    expect(status).toContain(`sctl reset-failed ${unit} releases it`);
    expect(status).toContain(`Main PID: ${pids.get(unit)}`);
  }

  test('a machine plugin that throws costs that event alone, and past the intensity its unit is set aside; core lives on', async () => {
    const unit = 'throws.service';
    const core = system.core();
    const reload = () => system.sctl('reload', unit);
    const { status, stderr } = reload();
    expect(status).toBe(1);
    expect(stderr).toMatch(/its machine failed: .*'reload'.*: a bug in the chart/);
    expect(system.sctl('tree', `unit:${unit}`).stdout).toMatch(
      /^unit:throws\.service \(permanent, shutdown \w+\) failed 2×, last /,
    );
    expect(system.sctl('restart', unit).status).toBe(0);
    pids = mainPids();
    // Two failures each time, and ten in a minute are borne.
    for (let more = 0; more < 5; more += 1) expect(reload().status).toBe(1);
    expect(system.sctl('status', unit).stdout).toMatch(
      /Quarantine: since .*: a bug in the chart; its processes run on/,
    );
    expect(system.sctl('tree').stdout).toMatch(/^└─core \(.*\) restarted 1× in the period\n/m);
    expect([system.core(), mainPids()]).toEqual([core, pids]);
    expect(coreLog(system)).toMatch(/"supervisor-gave-up"/);
    expect(system.sctl('reset-failed', unit).status).toBe(0);
    expect(system.sctl('restart', unit).status).toBe(0);
    pids = mainPids();
  });

  test('an endless loop in a machine plugin hangs core twice, and no third time', async () => {
    const unit = 'loops.service';
    const cause = /its event reload has taken core down twice, the last time by a hang/;
    await poisoned(unit, cause);
    expect(system.sctl('status').stdout).toContain(`unit:${unit}: quarantined`);
    expect(system.sctl('tree', `unit:${unit}`).stdout).toContain('quarantined');
    const why = system.sctl('why', unit).stdout;
    expect(why).toMatch(cause);
    expect(why).toContain(`sctl reset-failed ${unit}`);
    expect(why).toContain(`the machine plugin sick`);
    expect(why).toContain(`/run/units/${unit}:5`);
    expect(system.sctl('restart', unit).status).toBe(1);
    expect(system.sctl('restart', 'well.service').status).toBe(0);
    expect(system.sctl('is-active', unit).stdout.trim()).toBe('active');

    // Its process is still watched: how it ends is kept for the unit, and believed once that is released.
    system.inside('kill', '-KILL', String(pids.get(unit)));
    await eventually('its end is held', () => /[1-9]\d* events are held/.test(system.sctl('status', unit).stdout));
    expect(system.sctl('reset-failed', unit).status).toBe(0);
    await eventually('its end is known', () => system.sctl('is-failed', unit).stdout.trim() === 'failed');
    expect(system.sctl('start', unit).status).toBe(0);
    expect(system.sctl('status', unit).stdout).not.toContain('Quarantine');
    pids = mainPids();
  }, 120_000);

  test('memory that a machine plugin exhausts takes core down twice, and no third time', async () => {
    await poisoned('hoards.service', /its event reload has taken core down twice, the last time by signal (5|6)/);
  }, 120_000);

  test('a core that the kernel kills for want of memory twice is not killed a third time', async (context) => {
    group = memoryGroup();
    if (group === undefined) return context.skip('no memory control group can be made here');
    const { join } = group;
    await poisoned('fills.service', /its event reload has taken core down twice, the last time by signal 9/, join);
  }, 120_000);

  test('an abort in the addon takes core down twice, and the effect is not tried a third time', async () => {
    await poisoned('aborts.service', /its effect spawn has taken core down twice, the last time by signal 6/);
    expect(system.sctl('reset-failed', 'aborts.service').status).toBe(0);
    await eventually(
      'it is told that nothing was started',
      () => property(system, 'aborts.service', 'SubState') === 'running',
    );
    expect(system.sctl('stop', 'aborts.service').status).toBe(0);
  }, 120_000);
});
