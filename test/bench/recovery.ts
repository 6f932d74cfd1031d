/**
 * The death of core, measured: how long until a client is answered and until all is as it was, with so many services running.
 *
 * Core gets SIGKILL, and some of the services are killed in the same moment. A client asks at once: its answer is the first event
 * handled. All is as it was when each of the killed services runs again, since their exits are handled after everything else has been
 * restored; each writes the time itself. Nobody else may have another process than before, and nobody two.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type Machine, start } from './machine.ts';
import { childrenOf, type Figure, figure, monotonicUs, pause } from './measure.ts';
import type { Peer } from './peers.ts';
import { RISEN, sleepers, VICTIMS } from './sets.ts';

/** Services that run when core dies. */
export const SERVICES = [10, 100, 1000, 5000] as const;
const LIMIT_MS = 60_000;
/** Booting thousands takes a while. */
const BOOT_MS = 240_000;
/** Between two deaths: what the last one left to do is done by then. */
const REST_MS = 1_500;

export const recoveryRows = {
  answer: (services: number) => `${services} services, core killed: until a client is answered`,
  whole: (services: number) => `${services} services, core killed: until all is as it was`,
  cpu: (services: number) => `${services} services, core killed: processor time until then`,
} as const;

/** Core's pid, seen from here; undefined: there is none now. The youngest children are looked at first: it is one of them when it is new. */
export function coreOf({ pid }: Machine): number | undefined {
  return childrenOf(pid).findLast((child) => {
    try {
      return readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('core.cjs');
    } catch {
      return false; // it has ended meanwhile
    }
  });
}

/** The time of the first answer, in ms of performance.now(). */
export function answered(machine: Machine): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(join(machine.state, 'run/sysmaster/api.sock'));
    const limit = setTimeout(() => socket.destroy(new Error('nobody has answered')), LIMIT_MS);
    socket.on('close', () => clearTimeout(limit));
    const call = { method: 'io.sysmaster.Units.States', parameters: { names: ['default.target'] } };
    socket.on('connect', () => socket.write(`${JSON.stringify(call)}\0`));
    socket.on('data', () => {
      socket.destroy();
      resolve(performance.now());
    });
    socket.on('error', reject);
    socket.on('end', () => reject(new Error('the connection was closed without an answer')));
  });
}

/** The times that killed services have written since they run again, in ms of performance.now(). */
function risen(machine: Machine): number[] {
  const offset = performance.now() - Number(process.hrtime.bigint()) / 1e6;
  const text = readFileSync(join(machine.state, RISEN), 'utf8');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => monotonicUs(line) / 1000 + offset);
}

/** Processor time of a process so far, user's and kernel's, in ms. */
interface Cpu {
  /** Of all threads that there are: those of Node stay. */
  readonly all: number;
  /** Of the one that runs core. */
  readonly main: number;
}

/** The first field of schedstat is exact to the nanosecond, where those of stat(5) count in hundredths of a second. */
function cpuOf(pid: number): Cpu {
  const times = readdirSync(`/proc/${pid}/task`).map((thread) => {
    const [ns] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    return { main: thread === String(pid), ms: Number(ns) / 1e6 };
  });
  return {
    all: times.reduce((sum, { ms }) => sum + ms, 0),
    main: times.find(({ main }) => main)?.ms ?? 0,
  };
}

export interface Death {
  readonly answerMs: number;
  readonly answerCpu: Cpu;
  readonly wholeMs: number;
  readonly wholeCpu: Cpu;
}

/** One death. @throws where a service was disturbed, an exit was lost, or nothing was started again in time */
export async function death(machine: Machine): Promise<Death> {
  const core = coreOf(machine);
  const before = childrenOf(machine.pid).filter((pid) => pid !== core);
  const victims = before.filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('4242'));
  if (core === undefined || victims.length !== VICTIMS)
    throw new Error(`core ${core}, ${victims.length} of ${VICTIMS} services to be killed`);
  const already = risen(machine).length;
  const killed = performance.now();
  process.kill(core, 'SIGKILL');
  for (const pid of victims) process.kill(pid, 'SIGKILL');
  const answer = await answered(machine);
  const successor = coreOf(machine) ?? 0;
  const answerCpu = cpuOf(successor);
  let times = risen(machine).slice(already);
  for (; times.length < VICTIMS; times = risen(machine).slice(already)) {
    if (performance.now() - killed > LIMIT_MS) throw new Error(`${VICTIMS - times.length} exits were lost`);
    await pause(5);
  }
  const wholeCpu = cpuOf(successor);
  await pause(REST_MS);
  const now = new Set(childrenOf(machine.pid).filter((pid) => pid !== successor));
  const disturbed = before.filter((pid) => !victims.includes(pid) && !now.has(pid));
  if (disturbed.length > 0 || now.size !== before.length)
    throw new Error(`${disturbed.length} services were disturbed; ${now.size} processes, there were ${before.length}`);
  if (risen(machine).length !== already + VICTIMS) throw new Error('a service was started twice');
  return { answerMs: answer - killed, wholeMs: Math.max(...times) - killed, answerCpu, wholeCpu };
}

/** All sizes; `rounds` deaths each, after one that is not counted. */
export async function recovery(
  ours: Peer,
  rounds: number,
  add: (what: string, name: string, value: Figure) => void,
  sizes: readonly number[] = SERVICES,
): Promise<void> {
  for (const size of sizes) {
    const machine = await start(ours.units!(sleepers(size), true), BOOT_MS);
    try {
      await pause(REST_MS);
      const deaths: Death[] = [];
      for (let round = 0; round <= rounds; round += 1) deaths.push(await death(machine));
      const of = (pick: (one: Death) => number) => figure('ms', deaths.slice(1).map(pick));
      add(
        recoveryRows.answer(size),
        ours.name,
        of(({ answerMs }) => answerMs),
      );
      add(
        recoveryRows.whole(size),
        ours.name,
        of(({ wholeMs }) => wholeMs),
      );
      add(
        recoveryRows.cpu(size),
        ours.name,
        of(({ wholeCpu }) => wholeCpu.all),
      );
    } finally {
      await machine.end();
    }
  }
}
