/**
 * A crowd of services of every kind, the clients that keep it busy, and the books that must balance afterwards: what a fault of
 * core or of init is held against.
 *
 * Of each kind there are some that nobody may disturb, and some that end, are killed, started and stopped all the time.
 */
import { cpSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { main } from '../../../src/cli/run.ts';
import { keptContext } from '../../unit/support/context.ts';
import { eventually, type Ran, type System } from '../support/system.ts';
import { bootSmall, coreLog, laterSctl } from './small.ts';

/** Calls of the last moments that a failure shows. */
const SAID_MAX = 60;
/** How long a client waits before it asks the same again, or connects again. */
const ASK_AGAIN_MS = 20;
/** How long a client may wait for its answer when the load has ended. */
const LAST_ANSWER_SEC = 60;

const worker = (name: string, mode: string) => `/run/programs/worker.pl ${name} ${mode}`;
const service = (lines: string, unit = '') => `[Unit]\n${unit}[Service]\n${lines}`;
const UNLIMITED = 'StartLimitIntervalSec=0\n';

/** Who is in the crowd, by kind. */
export interface Crowd {
  readonly units: Readonly<Record<string, string>>;
  /** What multi-user.target wants. */
  readonly wants: readonly string[];
  /** Services that keep their process whatever happens: simple, notify with a watchdog, forking with a PID file. */
  readonly steady: readonly string[];
  /** Oneshots that stay, each after the one before it: each runs once. */
  readonly chain: readonly string[];
  /** Services that end by themselves and are restarted. */
  readonly crashing: readonly string[];
  /** Services that are killed and restarted. */
  readonly victims: readonly string[];
  /** Sockets whose service stays. */
  readonly answering: readonly string[];
  /** Sockets whose service ends after a few connections. */
  readonly shifts: readonly string[];
  /** Notify services that clients start and stop. */
  readonly toggles: readonly string[];
  /** A notify service that a client restarts. */
  readonly again: readonly string[];
  /** Oneshots that do not stay: the last one is started by clients, and takes the others along. */
  readonly ticks: readonly string[];
}

/** About so many services. */
export function crowd(services: number): Crowd {
  const named = (kind: string, share: number, least = 1) =>
    Array.from({ length: Math.max(least, Math.round(services * share)) }, (_, at) => `${kind}-${at}`);
  const simple = named('simple', 0.3, 2);
  const notify = named('notify', 0.3, 2);
  const forking = named('forking', 0.15, 2);
  const chain = named('chain', 0.1, 4);
  const crashing = named('crash', 0.04);
  const victims = named('victim', 0.04);
  const answering = named('answer', 0.03);
  const shifts = named('shift', 0.02);
  const toggles = named('toggle', 0.02);
  const again = ['again'];
  const ticks = ['tick-0', 'tick-1', 'tick-2'];
  const units: Record<string, string> = {};
  const add = (names: readonly string[], text: (name: string, at: number) => string) => {
    for (const [at, name] of names.entries()) units[`${name}.service`] = text(name, at);
  };
  /** Each after the one before it, which it needs. */
  const row = (names: readonly string[], at: number) =>
    at === 0 ? '' : `Requires=${names[at - 1]}.service\nAfter=${names[at - 1]}.service\n`;
  add(simple, (name) => service(`ExecStart=${worker(name, 'sleep')}\n`));
  add(notify, (name) => service(`Type=notify\nWatchdogSec=3\nExecStart=${worker(name, 'notify')}\n`));
  add(forking, (name) => service(`Type=forking\nPIDFile=/run/${name}.pid\nExecStart=${worker(name, 'fork')}\n`));
  add(chain, (name, at) =>
    service(`Type=oneshot\nRemainAfterExit=yes\nExecStart=${worker(name, 'once')}\n`, row(chain, at)),
  );
  add(crashing, (name) => service(`ExecStart=${worker(name, 'crash')}\nRestart=always\nRestartSec=100ms\n`, UNLIMITED));
  // Some of them daemons, whose end only their parent-to-be, init, can tell.
  add(victims, (name, at) =>
    service(
      `${at % 2 === 0 ? `Type=notify\nExecStart=${worker(name, 'notify')}` : `Type=forking\nPIDFile=/run/${name}.pid\nExecStart=${worker(name, 'fork')}`}\nRestart=on-failure\nRestartSec=10ms\n`,
      UNLIMITED,
    ),
  );
  add(answering, (name) => service(`ExecStart=${worker(name, 'answer')}\n`));
  add(shifts, (name) => service(`ExecStart=${worker(name, 'shift')}\n`, UNLIMITED));
  for (const name of [...answering, ...shifts])
    units[`${name}.socket`] = `[Socket]\nListenStream=/run/${name}.sock\nTriggerLimitIntervalSec=0\n`;
  add([...toggles, ...again], (name) => service(`Type=notify\nExecStart=${worker(name, 'notify')}\n`, UNLIMITED));
  add(ticks, (name, at) => service(`Type=oneshot\nExecStart=${worker(name, 'once')}\n`, UNLIMITED + row(ticks, at)));
  const steady = [...simple, ...notify, ...forking];
  const wants = [...steady, chain.at(-1)!, ...crashing, ...victims, ...again].map((name) => `${name}.service`);
  wants.push(...[...answering, ...shifts].map((name) => `${name}.socket`));
  return { units, wants, steady, chain, crashing, victims, answering, shifts, toggles, again, ticks };
}

/** Boot a system with this crowd in it. */
export const bootCrowd = (who: Crowd, initConf: readonly string[], units: Readonly<Record<string, string>> = {}) =>
  bootSmall({
    units: { ...who.units, ...units },
    wants: who.wants,
    files: {
      '/run/programs/worker.pl': readFileSync(join(import.meta.dirname, 'worker.pl'), 'utf8'),
      '/run/locks/.keep': '',
    },
    initConf,
  });

/** sctl without a process of its own: the same code, with its own connection, request ids and patience. */
export async function ctl(system: System, ...words: string[]): Promise<Ran> {
  const { context, out, err } = keptContext({
    env: { SYSMASTER_SOCKET: `${system.run}/sysmaster/api.sock`, SYSMASTER_LOGS: `${system.run}/sysmaster/log` },
    pause: (ms) => delay(ms),
  });
  const status = await main(words, context);
  return { status, stdout: out(), stderr: err() };
}

/** One property of several services, as numbers. */
async function numbers(system: System, names: readonly string[], property: string): Promise<Map<string, number>> {
  const units = names.map((name) => `${name}.service`);
  const { status, stdout, stderr } = await ctl(system, 'show', '-p', property, '--value', ...units);
  expect([status, stderr.replaceAll(/^Core is being restarted.*\n/gm, '')]).toEqual([0, '']);
  const values = stdout.split('\n').filter(Boolean).map(Number);
  expect(values).toHaveLength(names.length);
  return new Map(names.map((name, at) => [name, values[at]!]));
}

/** The load: clients that ask all the time, and what they were told. */
export interface Load {
  /** Rejects as soon as a client was answered wrongly; never resolves. */
  readonly failed: Promise<never>;
  /** Let each client come to its end, and compare the books. `faults`: how often core has died, at least. */
  settle(): Promise<void>;
  /** Stop asking, whatever the answers; for a system that ends. */
  abandon(): Promise<void>;
  /** For a person: what was answered last, and where the logs are kept. */
  tell(): string;
  /** How many calls and connections were answered. */
  answered(): number;
  /** How many calls. */
  answeredByCore(): number;
  /**
   * Is there a change by now (or a killed service that is back) that was asked for after this call? Answers to what was asked before
   * may come from what an earlier core has done.
   */
  since(): () => boolean;
}

export async function startLoad(system: System, who: Crowd): Promise<Load> {
  const lines = (file: string) =>
    existsSync(`${system.run}/${file}`)
      ? readFileSync(`${system.run}/${file}`, 'utf8').split('\n').filter(Boolean)
      : [];
  /** How often each was started. */
  const starts = () => {
    const counts = new Map<string, number>();
    for (const line of lines('started')) {
      const name = line.slice(0, line.indexOf(' '));
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return (name: string) => counts.get(name) ?? 0;
  };
  const said: string[] = [];
  let over = false;
  /** The system ends: nobody need answer any more. */
  let abandoned = false;
  let answered = 0;
  let byCore = 0;
  /** Changes that were asked for since the last call of `since`, and have been made. */
  let fresh = 0;
  let era = 0;
  const madeSince = (began: number) => {
    if (began === era) fresh += 1;
  };
  const keep = (words: readonly string[], ran: Ran): Ran => {
    answered += 1;
    byCore += 1;
    // How a person would ask; where a process is, is asked all the time.
    if (words[0] !== 'show')
      said.push(
        `${new Date().toISOString()} ${words.join(' ')} -> ${ran.status} ${ran.stdout.trim()} ${ran.stderr.trim()}`,
      );
    said.splice(0, said.length - SAID_MAX);
    return ran;
  };
  const ask = async (...words: string[]) => keep(words, await ctl(system, ...words));
  const expectDone = async (...words: string[]) => {
    const began = era;
    expect(await ask(...words), words.join(' ')).toMatchObject({ status: 0 });
    madeSince(began);
  };

  /** Connect, and read to the end what the service says: its pid. */
  const connection = (name: string) =>
    new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connect(`${system.run}/${name}.sock`);
      socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      socket
        .on('error', (error) => reject(new Error(`a connection to ${name}.sock: ${error.message}`)))
        .on('end', () =>
          text === '' ? reject(new Error(`a connection to ${name}.sock was not answered`)) : resolve(text.trim()),
        );
    });

  const before = await numbers(system, who.steady, 'MainPID');
  for (const [name, pid] of before) expect(pid, name).toBeGreaterThan(1);
  const connections = new Map<string, string[]>([...who.answering, ...who.shifts].map((name) => [name, []]));
  let ticks = 0;
  let restarts = 0;
  const kills = new Map(who.victims.map((name) => [name, 0]));
  const startsBefore = starts();
  /** The main process of a service that is up: then it has noted its start. */
  const mainPid = async (name: string) => {
    const { stdout } = await ask('show', '-p', 'MainPID', '-p', 'ActiveState', `${name}.service`);
    return /^ActiveState=active$/m.test(stdout) ? /^MainPID=([1-9]\d*)$/m.exec(stdout)?.[1] : undefined;
  };

  const clients: (() => Promise<void>)[] = [
    ...who.toggles.map((name) => async () => {
      await expectDone('start', `${name}.service`);
      expect((await ask('is-active', `${name}.service`)).stdout.trim()).toBe('active');
      await expectDone('stop', `${name}.service`);
      expect((await ask('is-active', `${name}.service`)).stdout.trim()).toBe('inactive');
    }),
    ...who.again.map((name) => async () => {
      const was = await mainPid(name);
      await expectDone('restart', `${name}.service`);
      restarts += 1;
      expect(await mainPid(name)).not.toBe(was);
    }),
    // The program itself, which a person runs.
    async () => {
      const words = ['start', `${who.ticks.at(-1)}.service`];
      const began = era;
      expect(keep(words, await laterSctl(system, ...words))).toMatchObject({ status: 0 });
      ticks += 1;
      madeSince(began);
      const count = starts();
      for (const name of who.ticks) expect([name, count(name)]).toEqual([name, ticks]);
    },
    ...[...connections].map(([name, pids]) => async () => {
      pids.push(await connection(name));
      answered += 1;
      await delay(ASK_AGAIN_MS);
    }),
    ...who.victims.map((name) => async () => {
      const pid = await mainPid(name);
      if (pid === undefined) return void (await delay(ASK_AGAIN_MS));
      const began = era;
      expect(system.inside('kill', '-KILL', pid)).toMatchObject({ status: 0 });
      kills.set(name, kills.get(name)! + 1);
      const end = process.hrtime.bigint() + BigInt(LAST_ANSWER_SEC) * 1_000_000_000n;
      while ([undefined, pid].includes(await mainPid(name))) {
        if (abandoned) return;
        if (process.hrtime.bigint() > end) throw new Error(`${name}: nobody has come after process ${pid}`);
        await delay(ASK_AGAIN_MS);
      }
      madeSince(began);
    }),
  ];
  const running = clients.map(async (once) => {
    while (!over) await once();
  });
  const failed = Promise.race(running.map((client) => client.then(() => new Promise<never>(() => {}))));
  failed.catch(() => {});

  /** Whether there is something to judge of each: a short load on a quick machine may end before a service has. */
  const eachHadItsTurn = () => {
    const count = starts();
    return (
      ticks > 0 &&
      restarts > 0 &&
      [...kills.values()].every((number) => number > 0) &&
      [...connections.values()].every((pids) => pids.length > 0) &&
      who.crashing.every((name) => count(name) > 1)
    );
  };

  const settle = async () => {
    await Promise.race([failed, eventually('each client and each service that ends has had its turn', eachHadItsTurn)]);
    over = true;
    const end = delay(LAST_ANSWER_SEC * 1000, undefined, { ref: false }).then(() => {
      throw new Error(`a client has no answer after ${LAST_ANSWER_SEC} s`);
    });
    await Promise.race([Promise.all(running), end]);

    const now = await numbers(system, who.steady, 'MainPID');
    expect(now).toEqual(before);
    const count = starts();
    for (const name of [...who.steady, ...who.chain]) expect([name, count(name)]).toEqual([name, 1]);
    expect(lines('twice')).toEqual([]);
    for (const name of who.answering) {
      expect(new Set(connections.get(name)).size, name).toBe(1);
      expect(count(name), name).toBe(1);
    }
    // Each of these answers a few, and then it is the next one's turn.
    for (const name of who.shifts) {
      const pids = connections.get(name)!;
      const each = Map.groupBy(pids, (pid) => pid);
      for (const [pid, answers] of [...each].slice(0, -1)) expect([name, pid, answers.length]).toEqual([name, pid, 3]);
      await eventually(
        `${name}: no more is started than was asked for`,
        () => starts()(name) === Math.ceil(pids.length / 3),
      );
    }
    for (const name of who.ticks) expect([name, count(name)]).toEqual([name, ticks]);
    for (const name of who.again) expect([name, count(name)]).toEqual([name, startsBefore(name) + restarts]);
    for (const name of who.victims) {
      const counted = (await numbers(system, [name], 'NRestarts')).get(name);
      expect([name, counted, starts()(name)]).toEqual([name, kills.get(name), kills.get(name)! + 1]);
    }
    // These go on ending: what is counted must catch up with what was started.
    for (const name of who.crashing) {
      const end = process.hrtime.bigint() + 60_000_000_000n;
      for (;;) {
        const started = starts()(name);
        const counted = (await numbers(system, [name], 'NRestarts')).get(name)!;
        if (started === counted + 1) break;
        if (process.hrtime.bigint() > end) throw new Error(`${name}: ${started} starts, ${counted} restarts`);
        await delay(20);
      }
    }
    expect((await ctl(system, 'list-units', '--failed', '--no-legend')).stdout).toBe('');
    const fresh = coreLog(system)
      .split('\n')
      .filter((line) => line.includes('"state-fresh"'));
    expect(fresh).toHaveLength(1);
  };

  return {
    failed,
    settle,
    abandon: async () => {
      over = true;
      abandoned = true;
      await Promise.allSettled(running);
    },
    tell() {
      const kept = mkdtempSync('/var/tmp/sysmaster-deaths.');
      for (const name of [
        'sysmaster/core.log',
        'sysmaster/core.log.1',
        'sysmaster/core.stderr',
        'sysmaster/recordings',
        'started',
        'twice',
      ])
        if (existsSync(`${system.run}/${name}`))
          cpSync(`${system.run}/${name}`, join(kept, basename(name)), { recursive: true });
      writeFileSync(join(kept, 'console'), system.console());
      return `${said.join('\n')}\nWhat there was is kept in ${kept}`;
    },
    answered: () => answered,
    answeredByCore: () => byCore,
    since() {
      era += 1;
      fresh = 0;
      return () => fresh > 0;
    },
  };
}
