/**
 * Garbage on the link to init, in a flood and among core's own frames, while services run and clients ask: init carries none of it
 * out and never ends, nothing of it stays, core is told of each message, and a core that dies amid it is replaced.
 *
 * SYSMASTER_GARBAGE says how many messages there are; SYSMASTER_SEED which.
 */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type System, systemsMissing } from '../support/system.ts';
import { bootCrowd, crowd, type Load, startLoad } from './crowd.ts';
import { coreLog } from './small.ts';

const missing = systemsMissing();
const seed = Number(process.env['SYSMASTER_SEED'] ?? 20_252);
const MESSAGES = Number(process.env['SYSMASTER_GARBAGE'] ?? 200);
/** What is sent at a core that is then killed. */
const AMID = 100_000;

const run = promisify(execFile);
const descriptors = (pid: number) => readdirSync(`/proc/${pid}/fd`).length;

describe.skipIf(missing !== undefined)(
  `garbage on the link${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    const who = crowd(8);
    let system: System;
    let load: Load;

    beforeAll(async () => {
      system = await bootCrowd(who, ['CoreWatchdogSec=60']);
      load = await startLoad(system, who);
    }, 120_000);
    afterAll(async () => {
      if (system !== undefined) expect(await system.stop()).toBe(true);
    });

    const garbage = (core: number, count: number) =>
      run(join(import.meta.dirname, 'garbage.pl'), [String(core), String(count), String(seed)]);
    const refused = () => coreLog(system).match(/init refused/g)?.length ?? 0;

    test(`is refused message by message, and nobody else notices (seed ${seed})`, {
      timeout: 120_000 + MESSAGES * 100,
    }, async () => {
      const before = descriptors(system.pid);
      const core = await eventually('there is a core', () => system.core());
      const sent = await Promise.race([load.failed, garbage(core, MESSAGES)]);
      expect(Number(sent.stdout)).toBe(MESSAGES);
      await Promise.race([load.failed, eventually('core is told of each', () => refused() === MESSAGES)]);
      expect(system.core()).toBe(core);
      // Services come and go, so that it varies: it has to come down to what it was.
      await eventually('no descriptor stays', () => descriptors(system.pid) <= before);
    });

    test('does not keep a core that is killed amid it from being replaced', { timeout: 120_000 }, async () => {
      const core = await eventually('there is a core', () => system.core());
      const before = refused();
      const sending = garbage(core, AMID);
      await eventually('it has begun', () => refused() > before);
      process.kill(core, 'SIGKILL');
      const { stdout } = await Promise.race([load.failed, sending]);
      expect(Number(stdout)).toBeLessThan(AMID);
      await eventually('another core', () => system.core() !== undefined && system.core() !== core);
      expect(system.sctl('tree').stdout).toMatch(
        /^init \(one_for_one, permanent\) core restarted 1×, the last died by SIGKILL .* ago.*\n└─core \(/,
      );
    });

    test('has cost nothing in the end', { timeout: 240_000 }, async () => {
      await load.settle().catch((error) => {
        process.stderr.write(`${load.tell()}\n`);
        throw error;
      });
      const words = readFileSync(`/proc/${system.pid}/cmdline`, 'utf8');
      expect(words, 'init has neither been replaced nor has it faulted').not.toMatch(/--restore=|--fault=/);
    });
  },
);
