/**
 * Core is made to die at every call that changes the world: before it, after it, in the middle of a write; while it comes back;
 * while it folds its journal. What a life comes to must be what it comes to without a death.
 *
 * Here a sample; `npm run test:abort [FROM TO]` takes every point in turn (SYSMASTER_ABORT: all, or FROM TO).
 */
import { deepStrictEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lib, systemsMissing } from '../support/system.ts';
import { crashingCore } from './build.ts';
import { bootLiving, type LivingSystem, type Told } from './life.ts';
import type { Orders } from './points.ts';

const missing = systemsMissing();
const asked = process.env['SYSMASTER_ABORT'];
const [FROM = 1, TO = 5000] = (asked ?? '').split(' ').map(Number).filter(Boolean);
/** Of a sweep that takes everything, every so manieth. */
const STRIDE = Number(process.env['SYSMASTER_ABORT_STRIDE'] ?? 1);
const FOLD_EVERY = 5;

describe.skipIf(missing !== undefined)(
  `an aborted core${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let living: LivingSystem;
    let calm: Told;

    beforeAll(async () => {
      living = await bootLiving();
      calm = (await living.live(undefined)).told;
    });
    afterAll(async () => {
      if (living !== undefined) expect(await living.system.stop()).toBe(true);
    });

    /** One life; how often core died in it. */
    const compared = async (orders: Orders): Promise<number> => {
      const { told, deaths } = await living.live(orders);
      if (asked !== undefined) process.stderr.write(`${JSON.stringify(orders)} ${deaths.join('; ')}\n`);
      deepStrictEqual({ deaths, ...told }, { deaths, ...calm });
      return deaths.length;
    };
    const how = (n: number): Orders['how'] => (n % 4 === 0 ? 'abort' : 'kill');

    test('can be made by a build for tests only: what is shipped has no such points', async () => {
      const text = (path: string) => readFileSync(path, 'latin1');
      expect(text(await crashingCore())).toContain('SYSMASTER_CRASH_AT');
      for (const name of ['core.cjs', 'core-bundle.cjs']) {
        expect(text(join(lib, name))).not.toContain('CRASH_AT');
        expect(text(join(lib, name)).length).toBeGreaterThan(1000);
      }
    });

    describe.runIf(asked === undefined)('at a sample of points', () => {
      test.each<[string, Orders]>([
        ['early, as a job starts', { at: [97], how: 'kill' }],
        ['in the middle, of its own', { at: [404], how: 'abort' }],
        ['late, while it folds', { at: [801], how: 'kill', foldEvery: FOLD_EVERY }],
        ['and once more while it comes back', { at: [333, 21], how: 'kill' }],
      ])('%s: nobody notices', async (_when, orders) => {
        expect(await compared(orders)).toBe(orders.at.length);
      });
    });

    describe.runIf(asked !== undefined)('at every point', () => {
      const sweep = async (of: (n: number) => Orders) => {
        const faults: unknown[] = [];
        let last = FROM;
        for (let n = FROM; n <= TO; n += STRIDE) {
          last = n;
          try {
            if ((await compared(of(n))) < of(n).at.length) break; // the life is over before it
          } catch (error) {
            process.stderr.write(`${JSON.stringify(of(n))}: ${String(error)}\n`);
            faults.push({ orders: of(n), error: String(error).slice(0, 2000) });
            // What it has left behind is not to be blamed on the next point.
            await living.system.stop();
            living = await bootLiving();
          }
        }
        process.stderr.write(`points ${FROM} to ${last}, ${faults.length} faults\n`);
        expect(faults).toEqual([]);
      };
      const timeout = 4 * 3600_000;

      test('of a life', { timeout }, () => sweep((n) => ({ at: [n], how: how(n) })));
      test('of a life in which the journal is folded all the time', { timeout }, () =>
        sweep((n) => ({ at: [n], how: how(n), foldEvery: FOLD_EVERY })),
      );
      test.each([60, 250, 500, 750])('of coming back from a death at point %i', { timeout }, (first) =>
        sweep((n) => ({ at: [first, n], how: how(n) })),
      );
    });
  },
);
