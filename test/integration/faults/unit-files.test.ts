/** Unit files that are edited and removed while core dies: what runs goes on as it was loaded, until somebody asks for daemon-reload. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type System, systemsMissing } from '../support/system.ts';
import { bootSmall, property } from './small.ts';

const missing = systemsMissing();
const service = (description: string, farewell: string) =>
  `[Unit]\nDescription=${description}\n[Service]\nExecStart=/bin/sleep 100000\nExecStop=/bin/sh -c 'echo ${farewell} >>/run/farewells'\n`;

describe.skipIf(missing !== undefined)(
  `unit files that change while core is away${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let system: System;
    const file = (name: string) => join(system.run, 'units', name);
    const names = ['edited', 'removed', 'same'].map((name) => `${name}.service`);
    const seen = (name: string) => names.map((unit) => property(system, unit, name));
    let pids: string[];

    /** @param lose with nothing left of its state */
    const killCore = async (lose: boolean) => {
      const old = await eventually('core', () => system.core());
      if (lose)
        for (const name of ['a', 'b']) writeFileSync(join(system.run, 'sysmaster/state', name), 'x'.repeat(5_000));
      process.kill(old, 'SIGKILL');
      await eventually('the next core answers', () => {
        const now = system.core();
        return now !== undefined && now !== old && system.sctl('is-active', 'same.service').status === 0;
      });
    };

    beforeAll(async () => {
      system = await bootSmall({
        units: {
          'edited.service': service('As it was', 'old'),
          'removed.service': service('Still here', 'gone'),
          'same.service': service('The same', 'same'),
          'later.service': service('Not loaded yet', 'later'),
        },
        wants: names,
      });
      pids = seen('MainPID');
      for (const pid of pids) expect(Number(pid)).toBeGreaterThan(1);
      writeFileSync(file('edited.service'), service('As it is now', 'new'));
      rmSync(file('removed.service'));
      writeFileSync(file('later.service'), service('Edited before it was loaded', 'later'));
    });
    afterAll(async () => {
      if (system !== undefined) expect(await system.stop()).toBe(true);
    });

    test.each([
      ['with its state', false],
      ['with its state, once more', false],
      ['without its state', true],
      ['after that', false],
    ])('are not read by a core that comes back %s', async (_, lose) => {
      await killCore(lose);
      expect(seen('MainPID')).toEqual(pids);
      expect(seen('Description')).toEqual(['As it was', 'Still here', 'The same']);
      expect(seen('LoadState')).toEqual(['loaded', 'loaded', 'loaded']);
      expect(seen('NeedDaemonReload')).toEqual(['yes', 'yes', 'no']);
    });

    test('do not keep a service from being stopped as it was started', () => {
      expect(system.sctl('stop', 'removed.service').status).toBe(0);
      expect(existsSync(`${system.run}/farewells`)).toBe(true);
      expect(system.inside('cat', '/run/farewells').stdout).toBe('gone\n');
    });

    test('of units that nobody had loaded are read as they are', () => {
      expect(property(system, 'later.service', 'Description')).toBe('Edited before it was loaded');
    });

    test('count from daemon-reload on, and for the cores after it', async () => {
      expect(system.sctl('daemon-reload').status).toBe(0);
      expect(seen('Description')).toEqual(['As it is now', 'removed.service', 'The same']);
      await killCore(false);
      expect(seen('Description')).toEqual(['As it is now', 'removed.service', 'The same']);
      expect(seen('NeedDaemonReload')).toEqual(['no', 'no', 'no']);
      expect(property(system, 'edited.service', 'MainPID')).toBe(pids[0]);
    });
  },
);
