/**
 * Core dies at random moments, of a crash, a SIGKILL or a hang, while services run and clients ask: nobody else notices.
 *
 * The moments come from a seed, which SYSMASTER_SEED sets and a failure prints. SYSMASTER_DEATHS=300 makes a long run of it,
 * SYSMASTER_SERVICES=200 a large one.
 */
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type System, systemsMissing } from '../support/system.ts';
import { bootSmall, coreLog, laterSctl, property } from './small.ts';

const missing = systemsMissing();
const seed = Number(process.env['SYSMASTER_SEED'] ?? 20_252);
/** How often core dies. */
const ROUNDS = Number(process.env['SYSMASTER_DEATHS'] ?? 15);
/** About how many services run that nobody may disturb. */
const SERVICES = Number(process.env['SYSMASTER_SERVICES'] ?? 12);
/** For each death: a hang takes the longest. */
const ROUND_MS = 12_000;
/** Longer than core rests between two beats. */
const HUNG_AFTER_SEC = 4;

/** A small generator of repeatable numbers in [0, 1): mulberry32. */
function random(from: number): () => number {
  let state = from >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const worker = (name: string, mode: string) => `/run/programs/worker.pl ${name} ${mode}`;
const named = (kind: string, share: number) =>
  Array.from({ length: Math.max(2, Math.round(SERVICES * share)) }, (_, at) => `${kind}-${at}`);
const simple = named('simple', 0.5);
const notify = named('notify', 0.33);
const forking = named('forking', 0.17);
const chain = ['a', 'b', 'c', 'd', 'e'].map((letter) => `chain-${letter}`);
const steady = [...simple, ...notify, ...forking];

const units: Record<string, string> = {
  'answer.socket': '[Socket]\nListenStream=/run/answer.sock\n',
  'answer.service': `[Service]\nExecStart=${worker('answer', 'answer')}\n`,
  'crash.service': `[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=${worker('crash', 'crash')}\nRestart=always\nRestartSec=100ms\n`,
  'victim.service': `[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=${worker('victim', 'sleep')}\nRestart=on-failure\nRestartSec=10ms\n`,
  'tick.service': `[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart=${worker('tick', 'once')}\n`,
  'toggle.service': `[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=notify\nExecStart=${worker('toggle', 'notify')}\n`,
};
for (const name of simple) units[`${name}.service`] = `[Service]\nExecStart=${worker(name, 'sleep')}\n`;
for (const name of notify)
  units[`${name}.service`] = `[Service]\nType=notify\nWatchdogSec=3\nExecStart=${worker(name, 'notify')}\n`;
for (const name of forking)
  units[`${name}.service`] = `[Service]\nType=forking\nPIDFile=/run/${name}.pid\nExecStart=${worker(name, 'fork')}\n`;
for (const [index, name] of chain.entries()) {
  const before = index === 0 ? '' : `Requires=${chain[index - 1]}.service\nAfter=${chain[index - 1]}.service\n`;
  units[`${name}.service`] =
    `[Unit]\n${before}[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=${worker(name, 'once')}\n`;
}

describe.skipIf(missing !== undefined)(
  `the death of core${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let system: System;

    beforeAll(async () => {
      system = await bootSmall({
        units,
        wants: [...steady, chain.at(-1)!, 'crash', 'victim'].map((name) => `${name}.service`).concat('answer.socket'),
        files: {
          '/run/programs/worker.pl': readFileSync(join(import.meta.dirname, 'worker.pl'), 'utf8'),
          '/run/locks/.keep': '',
        },
        initConf: [
          `CoreWatchdogSec=${HUNG_AFTER_SEC}`,
          `CoreStartSec=${2 * HUNG_AFTER_SEC}`,
          'CoreRestartIntensity=100',
        ],
      });
    });
    afterAll(async () => {
      if (system !== undefined) expect(await system.stop()).toBe(true);
    });

    const lines = (file: string) =>
      existsSync(`${system.run}/${file}`)
        ? readFileSync(`${system.run}/${file}`, 'utf8').split('\n').filter(Boolean)
        : [];
    const starts = (name: string) => lines('started').filter((line) => line.startsWith(`${name} `)).length;
    const mainPid = (name: string) => Number(property(system, `${name}.service`, 'MainPID'));

    /** Ask the socket-activated service for its pid. */
    const answer = () =>
      new Promise<string>((resolve, reject) => {
        let text = '';
        const socket = connect(`${system.run}/answer.sock`);
        socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        socket.on('error', reject).on('end', () => resolve(text.trim()));
      });

    test(`is noticed by no service and by no client, whenever and however it comes (seed ${seed})`, {
      timeout: 120_000 + ROUNDS * ROUND_MS,
    }, async () => {
      const next = random(seed);
      const before = new Map(steady.map((name) => [name, mainPid(name)]));
      for (const [name, pid] of before) expect(pid, name).toBeGreaterThan(1);

      let over = false;
      const said: string[] = [];
      const ask = async (...words: string[]) => {
        const ran = await laterSctl(system, ...words);
        said.push(`${words.join(' ')} -> ${ran.status} ${ran.stdout.trim()} ${ran.stderr.trim()}`);
        return ran;
      };
      let ticks = 0;
      const answers = new Set<string>();
      let victims = 0;
      const clients = [
        async () => {
          expect((await ask('start', 'toggle.service')).status).toBe(0);
          expect((await ask('is-active', 'toggle.service')).stdout.trim()).toBe('active');
          expect((await ask('stop', 'toggle.service')).status).toBe(0);
          expect((await ask('is-active', 'toggle.service')).stdout.trim()).toBe('inactive');
        },
        async () => {
          expect((await ask('start', 'tick.service')).status).toBe(0);
          ticks += 1;
          expect(starts('tick')).toBe(ticks);
        },
        async () => {
          answers.add(await answer());
          await delay(10);
        },
        async () => {
          const pid = (await ask('show', '-p', 'MainPID', '--value', 'victim.service')).stdout.trim();
          if (pid === '0') return;
          system.inside('kill', '-KILL', pid);
          await eventually(`victim.service is another one than ${pid}`, () => {
            const now = property(system, 'victim.service', 'MainPID');
            return now !== pid && now !== '0';
          });
          victims += 1;
        },
      ];
      const running = clients.map(async (once) => {
        while (!over) await once();
      });
      const failed = Promise.race(running.map((client) => client.then(() => new Promise<never>(() => {}))));
      failed.catch(() => {});

      const kinds: string[] = [];
      try {
        for (let round = 0; round < ROUNDS; round += 1) {
          // The moment of the blow is what is random here; nothing is waited for.
          await Promise.race([failed, delay(next() * 1200)]);
          const core = await eventually('there is a core', () => system.core());
          const signal = round % 7 === 6 ? 'SIGSTOP' : next() < 0.5 ? 'SIGKILL' : 'SIGSEGV';
          kinds.push(signal);
          process.kill(core, signal);
          await Promise.race([
            failed,
            eventually(`another core after ${signal}`, () => system.core() !== undefined && system.core() !== core),
          ]);
        }
        over = true;
        await Promise.all(running);
      } catch (error) {
        over = true;
        process.stderr.write(
          `${kinds.join(' ')}\n${said.slice(-40).join('\n')}\n${coreLog(system).split('\n').slice(-60).join('\n')}\n${system.console()}\n`,
        );
        throw error;
      }

      for (const [name, pid] of before) {
        expect(mainPid(name), name).toBe(pid);
        expect(starts(name), name).toBe(1);
      }
      for (const name of chain) expect([name, starts(name)]).toEqual([name, 1]);
      expect(lines('twice')).toEqual([]);
      expect(answers.size).toBe(1);
      expect(starts('answer')).toBe(1);
      expect(ticks).toBeGreaterThan(0);
      expect(starts('tick')).toBe(ticks);
      expect(victims).toBeGreaterThan(0);
      expect(starts('victim')).toBe(Number(property(system, 'victim.service', 'NRestarts')) + 1);
      // It goes on crashing: what is counted must catch up with what was started.
      await eventually(
        'every start of crash.service is counted',
        () => starts('crash') === Number(property(system, 'crash.service', 'NRestarts')) + 1,
      );
      expect(starts('crash')).toBeGreaterThan(ROUNDS / 2);
      expect(system.sctl('list-units', '--failed', '--no-legend').stdout).toBe('');
      const fresh = coreLog(system)
        .split('\n')
        .filter((line) => line.includes('"state-fresh"'));
      expect(fresh).toHaveLength(1);
    });
  },
);
