/**
 * The end of the system while core is killed several times on the way, and while services come and go: it comes all the same.
 *
 * SYSMASTER_SHUTDOWNS makes a long run of it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { systemsMissing } from '../support/system.ts';
import { random } from './blows.ts';
import { bootCrowd, crowd, startLoad } from './crowd.ts';

const missing = systemsMissing();
const seed = Number(process.env['SYSMASTER_SEED'] ?? 20_252);
const SHUTDOWNS = Number(process.env['SYSMASTER_SHUTDOWNS'] ?? 1);
const EACH_MS = 120_000;
/** How often core dies on the way: somebody who killed every core before it is up would keep the system from ending. */
const DEATHS = 3;
/** The longest time between two of them. */
const REST_MS = 400;

describe.skipIf(missing !== undefined)(
  `the end of a system${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    test.each(Array.from({ length: SHUTDOWNS }, (_, at) => seed + at))(
      'comes although core is killed on the way and clients still ask (seed %i)',
      { timeout: EACH_MS },
      async (from) => {
        const next = random(from);
        const who = crowd(16);
        const system = await bootCrowd(who, ['CoreWatchdogSec=30']);
        const load = await startLoad(system, who);
        // They are turned away at some time; what they are told then is not looked at.
        load.failed.catch(() => {});
        await delay(next() * REST_MS);
        // The request comes through however often core dies: sctl asks again.
        let over = false;
        let deaths = 0;
        const killing = (async () => {
          while (!over && deaths < DEATHS) {
            const core = system.core();
            try {
              if (core !== undefined) process.kill(core, 'SIGKILL');
              deaths += core === undefined ? 0 : 1;
            } catch (error) {
              if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // it has ended with the system
            }
            await delay(next() * REST_MS);
          }
        })();
        // Nobody waits for them to notice that there is no system any more.
        void load.abandon();
        const ended = await system.stop();
        over = true;
        await killing;
        expect(ended).toBe(true);
        expect(deaths).toBeGreaterThan(0);
      },
    );
  },
);
