/**
 * Core dies as it accepts a start of hundreds of units, or a little before: they are planned before their actors are made, and the
 * client is told in between. What it was told is true, and each of them is started once.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type System, systemsMissing } from '../support/system.ts';
import { bootSmall, laterSctl } from './small.ts';

const missing = systemsMissing();
const UNITS = 300;
/** Milliseconds from the request to the death; undefined: it dies once the client is told. */
const MOMENTS = [undefined, 60, 90, 120, 150, undefined] as const;
const name = (set: number, number: number) => `set${set}-${number}.service`;
const all = (set: number) => Array.from({ length: UNITS }, (_, number) => name(set, number));

const units = Object.fromEntries(
  MOMENTS.flatMap((_, set) => [
    [`set${set}.target`, `[Unit]\nWants=${all(set).join(' ')}\n`],
    ...all(set).map((unit, number) => [
      unit,
      `[Unit]\nAfter=${number === 0 ? 'basic.target' : name(set, number - 1)}\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c "echo ${unit} >>/run/started"\n`,
    ]),
  ]),
);

describe.skipIf(missing !== undefined)(
  `a core that dies as it accepts${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let system: System;
    const started = () => {
      const file = join(system.run, 'started');
      return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
    };

    beforeAll(async () => {
      system = await bootSmall({ units });
    }, 60_000);
    afterAll(async () => {
      if (system !== undefined) expect(await system.stop()).toBe(true);
    });

    test.each(
      MOMENTS.map((ms, set) => [ms === undefined ? 'when the client is told' : `after ${ms} ms`, ms, set] as const),
    )('hundreds of units, %s, has each of them started once', { timeout: 120_000 }, async (_, ms, set) => {
      const core = await eventually('core', () => system.core());
      const asked = laterSctl(system, 'start', '--no-block', `set${set}.target`);
      if (ms === undefined) await asked;
      else await delay(ms);
      process.kill(core, 'SIGKILL');
      expect((await asked).status).toBe(0);
      await eventually('the target is up', () => system.sctl('is-active', `set${set}.target`).status === 0);
      expect(started().filter((unit) => unit.startsWith(`set${set}-`))).toEqual(all(set));
      await eventually('no job is left', () => !system.sctl('list-jobs').stdout.includes(`set${set}-`));
    });
  },
);
