/**
 * PID 1 replaces itself again and again, and faults, while services come and go, core dies and clients ask: nobody notices, and it
 * takes no more memory and no more descriptors than before.
 *
 * SYSMASTER_REEXECS and SYSMASTER_SERVICES make a long run of it: `npm run test:deaths` has a thousand.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type System, systemsMissing } from '../support/system.ts';
import { random } from './blows.ts';
import { bootCrowd, crowd, ctl, type Load, startLoad } from './crowd.ts';

const missing = systemsMissing();
const seed = Number(process.env['SYSMASTER_SEED'] ?? 20_252);
const REEXECS = Number(process.env['SYSMASTER_REEXECS'] ?? 15);
const SERVICES = Number(process.env['SYSMASTER_SERVICES'] ?? 16);
const EACH_MS = 3000;
/** How often core is killed while init replaces itself: of one. */
const KILLED_SHARE = 0.1;
/** How often init faults amid its work before it is replaced: of one. A replaced one has had no fault. */
const FAULTED_SHARE = 0.3;
const FAULTS = ['SIGSEGV', 'SIGBUS', 'SIGABRT'] as const;
/** The moment of a fault is random within this time after something was done. */
const FAULT_MS = 50;
/** The state's numbers grow by a digit or two, and it keeps the ends of the last 4096 processes, of at most 16 bytes each. */
const STATE_SLACK_BYTES = 4096 + 4096 * 16;
const MEMORY_SLACK_KB = 512;

/** Where the stack begins, which the kernel chooses anew at each execve (proc_pid_stat(5), startstack). */
const imageOf = (pid: number) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[25]!;
const descriptors = (pid: number) => readdirSync(`/proc/${pid}/fd`).length;
const memoryKb = (pid: number) =>
  Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);

/** The larger of the two states that a fault would fall back on. */
const stateBytes = (pid: number) =>
  Math.max(
    ...readdirSync(`/proc/${pid}/fd`).map((fd) => {
      const file = `/proc/${pid}/fd/${fd}`;
      try {
        return readlinkSync(file).startsWith('/memfd:state') ? statSync(file).size : 0;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0; // closed meanwhile
        throw error;
      }
    }),
  );

describe.skipIf(missing !== undefined)(`init, replaced${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  const who = crowd(SERVICES);
  let system: System;
  let load: Load;
  let faults = 0;

  beforeAll(
    async () => {
      system = await bootCrowd(who, ['CoreWatchdogSec=30']);
      load = await startLoad(system, who);
    },
    120_000 + SERVICES * 1000,
  );
  afterAll(async () => {
    if (system !== undefined) expect(await system.stop()).toBe(true);
  });

  /** Do this, and wait for PID 1 to be another program for it. */
  const replaced = async (what: string, how: () => Promise<void>) => {
    const before = imageOf(system.pid);
    await how();
    await Promise.race([load.failed, eventually(`another PID 1 after ${what}`, () => imageOf(system.pid) !== before)]);
  };

  test(`is noticed by nobody, however often it is, and whether or not core dies or init faults meanwhile (seed ${seed})`, {
    timeout: 240_000 + REEXECS * EACH_MS,
  }, async () => {
    const next = random(seed);
    const reexec = async () => expect(await ctl(system, 'init-reexec')).toMatchObject({ status: 0 });
    let first: { fds: number; state: number; memory: number } | undefined;
    let core = system.core();
    faults = 0;
    try {
      for (let count = 0; count < REEXECS; count += 1) {
        if (next() < FAULTED_SHARE) {
          await Promise.race([load.failed, eventually('something is done', load.since())]);
          const fault = FAULTS[count % FAULTS.length]!;
          await replaced(fault, async () => {
            await delay(next() * FAULT_MS);
            process.kill(system.pid, fault);
          });
          faults += 1;
        }
        await replaced('sctl init-reexec', async () => {
          await reexec();
          if (next() >= KILLED_SHARE) return;
          const now = await eventually('there is a core', () => system.core());
          expect(now).toBe(core);
          // Before, amid or after: the moment is what is random here.
          await delay(next() * 20);
          process.kill(now, 'SIGKILL');
          core = await eventually('another core', () =>
            [undefined, now].includes(system.core()) ? undefined : system.core(),
          );
        });
        // Core has nothing to do with it, and is not started anew.
        expect(system.core()).toBe(core);
        const words = readFileSync(`/proc/${system.pid}/cmdline`, 'utf8').split('\0');
        expect(words.filter((word) => word.startsWith('--restore='))).toHaveLength(1);
        first ??= { fds: descriptors(system.pid), state: stateBytes(system.pid), memory: memoryKb(system.pid) };
      }
    } catch (error) {
      process.stderr.write(`${load.tell()}\n`);
      throw error;
    }
    // Services come and go, so that each of these varies: it has to come down to what it was.
    await eventually('there are no more descriptors', () => descriptors(system.pid) <= first!.fds);
    await eventually('there is no more state', () => stateBytes(system.pid) <= first!.state + STATE_SLACK_BYTES);
    await eventually('there is no more memory', () => memoryKb(system.pid) <= first!.memory + MEMORY_SLACK_KB);
  });

  test('has cost nothing in the end: every exit, start, kill and answer is accounted for', {
    timeout: 240_000,
  }, async () => {
    await load.settle().catch((error) => {
      process.stderr.write(`${load.tell()}\n`);
      throw error;
    });
    process.stdout.write(
      `${REEXECS} re-execs and ${faults} faults of init, ${Object.keys(who.units).length} units, ${load.answered()} answers\n`,
    );
  });

  // Amid its work at any boundary: native/init/tests/faults.rs.
  test.each(['SIGSEGV', 'SIGBUS', 'SIGABRT'] as const)(
    'by a fault of its own at rest, %s, it is noticed by nobody',
    async (fault) => {
      const core = system.core();
      await replaced(fault, async () => {
        process.kill(system.pid, fault);
      });
      expect(await ctl(system, 'start', 'toggle-0.service')).toMatchObject({ status: 0 });
      expect(await ctl(system, 'stop', 'toggle-0.service')).toMatchObject({ status: 0 });
      expect(system.core()).toBe(core);
    },
  );
});
