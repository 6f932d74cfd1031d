/**
 * The numbers of processes come round again at once: whoever has the number of one that has just ended is not taken for it.
 *
 * The kernel is told again and again to give out the lowest free number of the namespace (pid_namespaces(7), ns_last_pid), while
 * services end, are killed, stopped and started, and strangers of all their numbers watch for signals.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { childOf, eventually, type System, systemsMissing } from '../support/system.ts';
import { ctl } from './crowd.ts';
import { bootSmall } from './small.ts';

const missing = systemsMissing();
/** How often a number of a service is to be a stranger's at once, and the other way round. */
const REUSES = Number(process.env['SYSMASTER_REUSES'] ?? 30);
const EACH_MS = 500;
const SIGNALS = ['USR1', 'TERM', 'KILL', 'HUP'];

const program = '/run/programs/stranger.pl';
const lines = 'Restart=always\nRestartSec=1ms\nSuccessExitStatus=USR1 TERM KILL HUP\n';
const shorts = ['short-0', 'short-1', 'short-2', 'daemon-0', 'daemon-1'];
const unit = (name: string) =>
  `[Unit]\nStartLimitIntervalSec=0\n[Service]\n${
    name.startsWith('daemon')
      ? `Type=forking\nPIDFile=/run/${name}.pid\nExecStart=${program} daemon /run/${name}.pid\n`
      : `ExecStart=${program} short\n`
  }${lines}`;

describe.skipIf(missing !== undefined)(
  `numbers of processes that come round again${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let system: System;
    let rewinder: ChildProcess;

    beforeAll(async () => {
      system = await bootSmall({
        units: {
          'nursery.service': `[Service]\nExecStart=${program} nursery\n`,
          ...Object.fromEntries(shorts.map((name) => [`${name}.service`, unit(name)])),
        },
        wants: ['nursery.service'],
        files: { [program]: readFileSync(join(import.meta.dirname, 'stranger.pl'), 'utf8') },
      });
      // In its pid namespace only: the system itself may not write there.
      const script = join(import.meta.dirname, 'stranger.pl');
      rewinder = spawn(
        'nsenter',
        ['-t', String(system.pid), '-p', '--', script, 'rewind', '/proc/sys/kernel/ns_last_pid'],
        { stdio: ['ignore', 'ignore', 'inherit'] },
      );
    });
    afterAll(async () => {
      const inside = rewinder?.pid === undefined ? undefined : childOf(rewinder.pid);
      // The one inside, whose parent outside has to see its end: PID 1 there could not end before it.
      if (inside !== undefined) process.kill(inside, 'SIGKILL');
      if (rewinder !== undefined)
        await eventually('it has ended', () => rewinder.exitCode !== null || rewinder.signalCode !== null);
      if (system !== undefined) expect(await system.stop()).toBe(true);
    });

    const file = (name: string) =>
      existsSync(`${system.run}/${name}`) ? readFileSync(`${system.run}/${name}`, 'utf8') : '';
    /** How often somebody had the number of the one before it of the other kind. */
    const reuses = () => {
      const last = new Map<string, string>();
      let count = 0;
      for (const line of file('numbers').split('\n').filter(Boolean)) {
        const [kind, number] = line.split(' ') as [string, string];
        if (last.has(number) && last.get(number) !== kind) count += 1;
        last.set(number, kind);
      }
      return count;
    };

    test('never bring a signal to a stranger', { timeout: 60_000 + REUSES * EACH_MS }, async () => {
      let over = false;
      let signalled = 0;
      const clients = shorts.flatMap((name) => [
        async (turn: number) => {
          const signal = SIGNALS[turn % SIGNALS.length]!;
          const { status, stdout, stderr } = await ctl(system, 'kill', '-s', signal, '-o', 'json', `${name}.service`);
          // There may be nobody just now, which is not an error of a unit that is running.
          if (status === 0) signalled += (JSON.parse(stdout) as { units: { signalled: number }[] }).units[0]!.signalled;
          else expect(stderr).toMatch(/No process|no process|not (active|running|loaded)/);
        },
        async (turn: number) => {
          const verb = ['start', 'restart', 'stop'][turn % 3]!;
          const ran = await ctl(system, verb, `${name}.service`);
          // It ends while it starts, and a daemon that does so has failed.
          if (!name.startsWith('daemon')) expect([verb, name, ran.status, ran.stderr]).toEqual([verb, name, 0, '']);
        },
      ]);
      const running = clients.map(async (client) => {
        for (let turn = 0; !over; turn += 1) await client(turn);
      });
      const failed = Promise.race(running.map((client) => client.then(() => new Promise<never>(() => {}))));
      const ended = once(rewinder, 'exit').then(([status]) => {
        if (!over) throw new Error(`who turns the numbers back has ended with ${status}`);
        return new Promise<never>(() => {});
      });
      try {
        const enough = () => reuses() >= REUSES && signalled > 10;
        const done = eventually('numbers have come round under signals', enough, 30 + (REUSES * EACH_MS) / 1000);
        await Promise.race([failed, ended, done]);
      } finally {
        over = true;
      }
      await Promise.all(running);
      expect(file('hits')).toBe('');
      expect((await ctl(system, 'is-active', 'nursery.service')).stdout).toBe('active\n');
      expect((await ctl(system, 'show', '-p', 'NRestarts', '--value', 'nursery.service')).stdout).toBe('0\n');
    });
  },
);
