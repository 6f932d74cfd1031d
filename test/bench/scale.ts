/**
 * How it grows: loading and planning by themselves, and targets that want hundreds to thousands of oneshots, beside systemd.
 *
 * A peer that needs longer than {@link PATIENCE_MS} for one size is not asked for a larger one, and that is said.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoadTimes } from './load.ts';
import { type Machine, start, times } from './machine.ts';
import { type Figure, figure, monotonicUs, pause } from './measure.ts';
import type { Peer } from './peers.ts';
import { BEGAN, DONE, many } from './sets.ts';

/** Oneshots of one target. */
export const SIZES = [250, 500, 1000, 2000, 5000, 10_000] as const;
/** Unit files that are loaded. */
export const FILES = [2000, 10_000] as const;
/** Units whose start is planned: one after the other, they show whether it is linear. */
export const PLANNED = [1000, 2000, 5000, 10_000, 20_000] as const;
/** Units that a reload is measured with over an open connection. */
export const RELOADED = 2000;
const PATIENCE_MS = 15_000;
/** Longest wait for a target; then its run is given up. */
const LIMIT_MS = 120_000;
/** And a peer, whose own clients give up long before. */
const PEER_LIMIT_MS = 60_000;
/** Until stamps of files are old enough to be believed; see src/units/cache.ts. */
const SETTLE_MS = 2_500;
const ROUNDS = 5;

export type Add = (what: string, name: string, value: Figure) => void;

export const rowNames = {
  load: (files: number) => `${files} unit files read, merged and linked, cold`,
  restored: (files: number) => `${files} unit files likewise, with what the last core has kept on disk`,
  reload: (files: number) => `${files} unit files again, none of them changed`,
  firstPlan: (files: number) => `a start of ${files} units planned, the first time`,
  plan: (files: number) => `a start of ${files} units planned, warm`,
  enqueue: (size: number) => `a target that wants ${size} oneshots: start --no-block`,
  reached: (size: number) => `a target that wants ${size} oneshots: until it is reached`,
  daemonReload: (size: number) => `daemon-reload with ${size} units, one process`,
  reloadCall: `daemon-reload with ${RELOADED} units over an open connection`,
} as const;

/** Loading and planning in processes of their own. */
export function loading(node: string, name: string, add: Add): void {
  for (const files of PLANNED) {
    const loads = (FILES as readonly number[]).includes(files);
    const directory = join(mkdtempSync(join(tmpdir(), 'sysmaster-bench.')), 'units');
    const run = (...cache: readonly string[]): string => {
      const args = [join(import.meta.dirname, 'load.ts'), directory, String(files), ...cache];
      const done = spawnSync(node, args, { encoding: 'utf8', timeout: 120_000 });
      if (done.status !== 0) throw new Error(`loading ${files} units: ${done.status} ${done.stderr}`);
      return done.stdout;
    };
    try {
      run();
      spawnSync('sleep', [String(SETTLE_MS / 1000)]);
      const samples = Array.from({ length: ROUNDS }, () => JSON.parse(run()) as LoadTimes);
      for (const what of loads
        ? (['load', 'reload', 'firstPlan', 'plan'] as const)
        : (['firstPlan', 'plan'] as const)) {
        const list = samples.map((one) => one[what]);
        add(rowNames[what](files), name, figure('ms', list));
      }
      if (!loads) continue;
      const cache = join(directory, '../cache');
      run(cache);
      const restored = Array.from({ length: ROUNDS }, () => (JSON.parse(run(cache)) as LoadTimes).load);
      add(rowNames.restored(files), name, figure('ms', restored));
    } finally {
      rmSync(join(directory, '..'), { recursive: true, force: true });
    }
  }
}

/** Start one target of each size, and read all unit files again. @returns what was not measured, and why */
export async function targets(peers: readonly Peer[], ours: Peer, add: Add): Promise<string[]> {
  const missing: string[] = [];
  for (const peer of peers.filter((one) => one.units !== undefined)) {
    for (const size of SIZES) {
      const machine = await start(peer.units!(many(size)));
      let tookMs: number | undefined;
      try {
        tookMs = await startTarget(machine, peer, size, add, peer === ours ? LIMIT_MS : PEER_LIMIT_MS).catch(
          (error) => {
            // Its client has given up; what is measured of ours must not fail.
            if (peer === ours) throw error;
            return undefined;
          },
        );
        if (tookMs === undefined) {
          missing.push(`${peer.name} with ${size} oneshots and more: it does not come to an end`);
          break;
        }
        await pause(SETTLE_MS);
        const reloads = times(machine, ROUNDS, `${peer.client} daemon-reload`).slice(1);
        add(
          rowNames.daemonReload(size),
          peer.name,
          figure(
            'ms',
            reloads.map((us) => us / 1000),
          ),
        );
        if (peer === ours && size === RELOADED) {
          add(rowNames.reloadCall, peer.name, figure('ms', (await reloadCalls(machine)).slice(1)));
        }
      } finally {
        await machine.end();
      }
      const next = SIZES[SIZES.indexOf(size) + 1];
      if (peer !== ours && tookMs > PATIENCE_MS && next !== undefined) {
        missing.push(
          `${peer.name} with ${next} oneshots and more: it took ${(tookMs / 1000).toFixed(0)} s for ${size}`,
        );
        break;
      }
    }
  }
  return missing;
}

/** @returns how long it took, in ms; undefined: it was not over within the limit */
async function startTarget(
  machine: Machine,
  peer: Peer,
  size: number,
  add: Add,
  limitMs: number,
): Promise<number | undefined> {
  const ask = `echo $EPOCHREALTIME >${BEGAN}; ${peer.client} start --no-block many.target done.service`;
  const [enqueueUs] = times(machine, 1, ask) as [number];
  const file = join(machine.state, DONE);
  const limit = performance.now() + limitMs;
  while (!existsSync(file) || readFileSync(file, 'utf8') === '') {
    if (performance.now() > limit) return undefined;
    await pause(20);
  }
  const [began, over] = readFileSync(file, 'utf8').trim().split(' ').map(monotonicUs) as [number, number];
  add(rowNames.enqueue(size), peer.name, figure('ms', [enqueueUs / 1000]));
  add(rowNames.reached(size), peer.name, figure('ms', [(over - began) / 1000]));
  return (over - began) / 1000;
}

/** Times of the call itself, in ms. */
async function reloadCalls(machine: Machine): Promise<number[]> {
  const socket = connect(join(machine.state, 'run/sysmaster/api.sock'));
  socket.setEncoding('utf8');
  const call = `${JSON.stringify({ method: 'io.sysmaster.Manager.Reload', parameters: {} })}\0`;
  const samples: number[] = [];
  await new Promise<void>((resolve, reject) => {
    let asked = performance.now();
    let text = '';
    socket.on('connect', () => socket.write(call));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the connection was closed')));
    socket.on('data', (part: string) => {
      text += part;
      if (!text.endsWith('\0')) return;
      if (text.includes('"error"')) return reject(new Error(text));
      text = '';
      samples.push(performance.now() - asked);
      if (samples.length > ROUNDS) return resolve();
      asked = performance.now();
      socket.write(call);
    });
  }).finally(() => socket.destroy());
  return samples;
}
