/** [X-Supervisor] with the real init and core: members that are killed, and a group that is given up. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bootSmall } from '../faults/small.ts';
import { eventually, type System, systemsMissing } from '../support/system.ts';

const missing = systemsMissing();
const daemon = (lines = '') => `[Unit]\n${lines}\n[Service]\nExecStart=/bin/sleep 1000\n`;

const units: Record<string, string> = {
  'app.target':
    '[Unit]\nWants=db.service web.service aside.service\n[X-Supervisor]\nStrategy=rest_for_one\nIntensity=1\nPeriod=1h\nOnEscalate=alarm.service\n',
  'db.service': daemon(),
  'web.service': daemon('After=db.service'),
  'aside.service': daemon(),
  'alarm.service': daemon(),
};

describe.skipIf(missing !== undefined)(`supervised members${missing === undefined ? '' : ` (${missing})`}`, () => {
  let system: System;
  beforeAll(async () => {
    system = await bootSmall({ units });
  }, 120_000);
  afterAll(async () => {
    await system?.stop();
  }, 60_000);

  const pid = (unit: string) => Number(system.sctl('show', '-P', 'MainPID', unit).stdout.trim());
  const active = (unit: string) => system.sctl('is-active', unit).stdout.trim();

  test('a member that is killed is restarted with those after it, then the group is given up, and why says where that stands', async () => {
    expect(system.sctl('start', 'app.target').status).toBe(0);
    await eventually('all members run', () => ['db', 'web', 'aside'].every((name) => pid(`${name}.service`) > 0));
    const before = { db: pid('db.service'), web: pid('web.service'), aside: pid('aside.service') };
    system.sctl('kill', '--signal=ABRT', 'db.service');
    await eventually('db and web are restarted', () => {
      const [db, web] = [pid('db.service'), pid('web.service')];
      return db > 0 && web > 0 && db !== before.db && web !== before.web;
    });
    expect(pid('aside.service')).toBe(before.aside);
    // The group says what it bears, and what it has borne.
    const shown = system.sctl('status', 'app.target').stdout;
    expect(shown).toMatch(
      /Supervises: 3 by rest_for_one; at most 1 failure in 1h, then alarm\.service\n +1 so far, the last /,
    );
    const values = system.sctl('show', 'app.target', '-P', 'Strategy,PeriodUSec,Supervises,NFailures').stdout;
    expect(values.split('\n').slice(0, 4)).toEqual(
      expect.arrayContaining(['rest_for_one', '1h', 'aside.service db.service web.service', '1']),
    );
    expect(system.sctl('why', 'web.service').stdout).toMatch(
      /rest_for_one by \[X-Supervisor\] of app\.target \(\S+app\.target:\d+\)/,
    );
    system.sctl('kill', '--signal=ABRT', 'db.service');
    await eventually('the group is down', () =>
      ['app.target', 'web.service', 'aside.service'].every((name) => active(name) === 'inactive'),
    );
    await eventually('the alarm runs', () => active('alarm.service') === 'active');
    expect(active('db.service')).toBe('failed');
    expect(system.sctl('why', 'web.service').stdout).toContain('gave up (OnEscalate=alarm.service)');
  }, 120_000);
});
