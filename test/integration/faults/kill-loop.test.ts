/**
 * Somebody kills core in a loop, before it has come back and after, far more often than a core that fails by itself is forgiven:
 * no service is the worse for it, and it is back with all it knew. Who asks meanwhile may meet law 7, which two deaths in one step
 * look like; core-death.test.ts has clients, and kills with more care.
 *
 * SYSMASTER_KILLS says how often; SYSMASTER_SEED when.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type System, systemsMissing } from '../support/system.ts';
import { random } from './blows.ts';
import { bootCrowd, crowd } from './crowd.ts';

const missing = systemsMissing();
const seed = Number(process.env['SYSMASTER_SEED'] ?? 20_252);
const KILLS = Number(process.env['SYSMASTER_KILLS'] ?? 24);
/** The longest time between two of them: most cores come back within it, many do not. */
const REST_MS = 200;

describe.skipIf(missing !== undefined)(
  `a loop of kills${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    const who = crowd(8);
    let system: System;

    beforeAll(async () => {
      system = await bootCrowd(who, []);
    }, 120_000);
    afterAll(async () => {
      if (system !== undefined) expect(await system.stop()).toBe(true);
    });

    test(`costs nobody anything, with init's own restart intensity (seed ${seed})`, {
      timeout: 240_000 + KILLS * 1_200,
    }, async () => {
      const next = random(seed);
      const steady = who.steady.map((name) => `${name}.service`);
      const pids = () => system.sctl('show', '-p', 'MainPID', '--value', ...steady).stdout;
      const before = pids();
      expect(before).toMatch(/^[1-9]/);
      const killed = new Set<number>();
      while (killed.size < KILLS) {
        const core = await eventually('there is another core', () => {
          const pid = system.core();
          return pid !== undefined && !killed.has(pid) && pid;
        });
        await delay(next() * REST_MS);
        process.kill(core, 'SIGKILL');
        killed.add(core);
      }
      expect(pids()).toBe(before);
      expect(system.sctl('restart', 'again.service')).toMatchObject({ status: 0 });
      const status = system.sctl('status').stdout;
      expect(status).toContain(`Cores: ${KILLS} before this one; the last to die: by SIGKILL`);
      expect(status).not.toContain('safe mode');
    });
  },
);
