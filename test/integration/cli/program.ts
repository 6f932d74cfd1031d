/** sctl and a fake core as real processes over a real socket. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../../..');
export const SCTL = join(root, 'src/cli/main.ts');
const CORE = join(root, 'test/unit/support/fake-core.ts');

export interface Ended {
  readonly out: string;
  readonly err: string;
  readonly status: number | null;
}

/** A process with what it wrote so far. */
export interface Running {
  readonly child: ChildProcess;
  readonly wrote: () => { readonly out: string; readonly err: string };
  readonly ended: Promise<Ended>;
}

export function start(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input: 'ignore' | 'pipe' = 'ignore',
): Running {
  const child = spawn(program, args, {
    env: { ...process.env, TZ: 'UTC', NO_COLOR: '1', ...env },
    stdio: [input, 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const ended = new Promise<Ended>((done, failed) => {
    child.once('error', failed);
    child.once('close', (status) => done({ out, err, status }));
  });
  return { child, wrote: () => ({ out, err }), ended };
}

/** A condition that comes true, looked at every few milliseconds; throws with `what` when it does not within half a minute. */
export async function eventually(what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`${what}: not within half a minute`);
    await new Promise((again) => setTimeout(again, 5));
  }
}

export interface World {
  readonly directory: string;
  readonly socket: string;
  readonly journal: string;
  /** A core that listens. */
  core(env?: Readonly<Record<string, string>>): Promise<Running>;
  /** sctl, to its end. */
  sctl(...args: string[]): Promise<Ended>;
  /** sctl, on its way. */
  started(...args: string[]): Running;
  close(): Promise<void>;
}

export function world(): World {
  const directory = mkdtempSync(join(tmpdir(), 'sctl-'));
  const socket = join(directory, 'api.sock');
  const journal = join(directory, 'journal');
  const env = { SYSMASTER_SOCKET: socket, SYSMASTER_LOGS: join(directory, 'logs') };
  const running: Running[] = [];
  const started = (...args: string[]): Running => {
    const one = start(process.execPath, [SCTL, ...args], env);
    running.push(one);
    return one;
  };
  return {
    directory,
    socket,
    journal,
    async core(more = {}) {
      const one = start(process.execPath, [CORE, socket, journal], more);
      running.push(one);
      await eventually('the core listens', () => one.wrote().out.includes('ready') || one.child.exitCode !== null);
      return one;
    },
    started,
    sctl: (...args) => started(...args).ended,
    async close() {
      for (const { child, ended } of running) {
        child.kill('SIGKILL');
        await ended;
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
