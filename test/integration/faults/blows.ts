/**
 * The ways in which core is made to die or to hang, from outside and for real.
 *
 * The kernel's own killer works through a control group of core's alone whose limit on memory is below what core has: on cgroup v2
 * where the memory controller is given to the top, else on v1. What is missing is said by {@link blowsHere}.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../support/system.ts';

/** How often each kind of blow falls, of twenty. */
const SHARES = { SIGKILL: 7, SIGSEGV: 6, 'oom-killer': 4, 'no-memory': 2, SIGSTOP: 1 } as const;
export type Blow = keyof typeof SHARES;

const MEMORY_ROOTS = [
  { base: '/sys/fs/cgroup', limit: 'memory.max', version: 2 },
  { base: '/sys/fs/cgroup/unified', limit: 'memory.max', version: 2 },
  { base: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes', version: 1 },
] as const;

/** A small generator of repeatable numbers in [0, 1): mulberry32. */
export function random(from: number): () => number {
  let state = from >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** So many blows, each kind at least once if there are five, in an order that `next` decides. */
export function deal(count: number, next: () => number, kinds: readonly Blow[]): Blow[] {
  const total = kinds.reduce((sum, kind) => sum + SHARES[kind], 0);
  const blows = kinds.flatMap((kind) =>
    Array.from({ length: Math.max(1, Math.round((count * SHARES[kind]) / total)) }, () => kind),
  );
  while (blows.length < count) blows.push('SIGKILL');
  for (let at = blows.length - 1; at > 0; at -= 1) {
    const other = Math.floor(next() * (at + 1));
    [blows[at], blows[other]] = [blows[other]!, blows[at]!];
  }
  return blows.slice(0, count);
}

/** A group for one process, with a limit that it is over already; removed by `close`, once the process has ended. */
export class Squeeze {
  readonly #group: string;
  readonly #limit: string;

  private constructor(group: string, limit: string) {
    this.#group = group;
    this.#limit = limit;
  }

  /** One, or why there can be none here. */
  static open(name: string): Squeeze | string {
    for (const { base, limit, version } of MEMORY_ROOTS) {
      if (version === 2 && !controls(base)) continue;
      if (version === 1 && !existsSync(join(base, limit))) continue;
      const group = join(base, name);
      try {
        mkdirSync(group);
      } catch (error) {
        return `${group}: ${(error as Error).message}`;
      }
      if (existsSync(join(group, limit))) return new Squeeze(group, join(group, limit));
      rmdirSync(group);
    }
    return 'no control group has the memory controller here';
  }

  /** The next page that this process asks for is its last. */
  async on(pid: number): Promise<void> {
    writeFileSync(join(this.#group, 'cgroup.procs'), String(pid));
    // A megabyte: the killer is asked as soon as nothing more can be reclaimed. What the one before has had may not all be back yet.
    await eventually('its memory is limited', () => {
      try {
        writeFileSync(this.#limit, String(1 << 20));
        return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
        return false;
      }
    });
  }

  /** Make room again, for the next one. */
  off(): void {
    writeFileSync(this.#limit, this.#limit.endsWith('memory.max') ? 'max' : '-1');
  }

  /** How often the kernel has killed in here. */
  kills(): number {
    const file = ['memory.events', 'memory.oom_control'].map((name) => join(this.#group, name)).find(existsSync)!;
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync(file, 'utf8'))?.[1] ?? 0);
  }

  close(): void {
    rmdirSync(this.#group);
  }
}

function controls(base: string): boolean {
  const file = join(base, 'cgroup.subtree_control');
  return existsSync(file) && readFileSync(file, 'utf8').split(/\s/).includes('memory');
}

/** Strike. The process need not end by it at once: a hang is for init to notice, and memory is missed when it is asked for. */
export async function strike(blow: Blow, pid: number, squeeze: Squeeze | undefined): Promise<void> {
  if (blow === 'oom-killer') await squeeze!.on(pid);
  else if (blow === 'no-memory') {
    // From now on no mapping can grow: the engine aborts, as it does when its heap is full.
    const done = spawnSync('prlimit', [`--pid=${pid}`, '--as=1048576:1048576'], { encoding: 'utf8' });
    if (done.status !== 0) throw new Error(`prlimit: ${done.stderr}`);
  } else process.kill(pid, blow);
}
