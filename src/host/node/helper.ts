/**
 * Path checks with a deadline, since a path that a unit names may lie on a dead network mount (law 9).
 *
 * Paths below directories that cannot hang are looked at here and now. Others go to a thread, one batch at a time; when a batch
 * misses its deadline it is answered with ETIMEDOUT, its thread is left behind and the next batch gets a thread of its own. With
 * too many left behind, nothing more is asked until one of them comes back.
 */
import { type Answer, type HelperPort, HostError } from '../ports.ts';
import { addon, EPOLL } from './addon.ts';
import { codeOf } from './errors.ts';
import type { Loop } from './loop.ts';

/** Where the kernel or the local system disk answers. */
const SAFE = ['/run', '/proc', '/sys', '/etc', '/usr'];
const STUCK_MAX = 4;
const QUEUE_MAX = 4096;

interface Batch {
  readonly key: string;
  readonly request: string;
  readonly endMs: number;
}

export class NodeHelper implements HelperPort {
  readonly #loop: Loop;
  readonly #checker = new addon.PathChecker();
  readonly #queue: Batch[] = [];
  /** Threads that were given up, by token. */
  readonly #stuck = new Set<number>();
  #running: { readonly token: number; readonly batch: Batch } | undefined;
  #nextToken = 1;
  #timer: NodeJS.Timeout | undefined;

  constructor(loop: Loop) {
    this.#loop = loop;
    loop.add(this.#checker.fd, EPOLL.in, () => this.#answers());
  }

  checkPaths(key: string, request: string, deadlineMs: number): void {
    const paths = pathsOf(request);
    if (paths.every(isSafe)) {
      this.#answer(key, { ok: addon.checkPathsNow(request) });
      return;
    }
    if (this.#queue.length >= QUEUE_MAX) {
      this.#answer(key, { error: { errno: 'EAGAIN', why: `${QUEUE_MAX} path checks wait already` } });
      return;
    }
    this.#queue.push({ key, request, endMs: addon.clockMs('monotonic') + deadlineMs });
    this.#next();
  }

  #next(): void {
    for (let batch = this.#queue[0]; batch !== undefined && this.#running === undefined; batch = this.#queue[0]) {
      this.#queue.shift();
      if (this.#stuck.size >= STUCK_MAX) {
        const why = `${this.#stuck.size} earlier checks hang in the file system; this one was not tried`;
        this.#answer(batch.key, { error: { errno: 'EBUSY', why } });
        continue;
      }
      const token = this.#nextToken;
      this.#nextToken += 1;
      try {
        this.#checker.ask(token, batch.request);
        this.#running = { token, batch };
      } catch (cause) {
        this.#answer(batch.key, { error: { errno: codeOf(cause) ?? 'EINVAL', why: String(cause) } });
      }
    }
    this.#arm();
  }

  #answers(): void {
    for (const { token, json } of this.#checker.take()) {
      if (this.#running?.token === token) {
        this.#answer(this.#running.batch.key, { ok: json });
        this.#running = undefined;
      } else {
        this.#stuck.delete(token); // answered long ago
      }
    }
    this.#next();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#running === undefined) return;
    const leftMs = Math.max(0, Math.min(this.#running.batch.endMs - addon.clockMs('monotonic'), 0x7fff_ffff));
    this.#timer = setTimeout(() => this.#expire(), Math.ceil(leftMs));
  }

  #expire(): void {
    this.#answers(); // it may have come in this very moment
    const running = this.#running;
    if (running === undefined || addon.clockMs('monotonic') < running.batch.endMs) return;
    this.#stuck.add(running.token);
    this.#running = undefined;
    this.#answer(running.batch.key, {
      error: {
        errno: 'ETIMEDOUT',
        why: `${pathsOf(running.batch.request).join(', ')}: no answer from the file system`,
      },
    });
    this.#next();
  }

  #answer(key: string, result: Answer): void {
    this.#loop.post({ type: 'answer', key, result });
  }
}

/** Throws HostError EINVAL for a request that is none. */
function pathsOf(request: string): string[] {
  const parsed: unknown = JSON.parse(request);
  const checks = (parsed as { checks?: unknown }).checks;
  if (!Array.isArray(checks)) throw new HostError('EINVAL', 'path checks: no list of checks');
  return checks.map((check: { path?: unknown }) => String(check.path));
}

const isSafe = (path: string): boolean =>
  !path.split('/').includes('..') && SAFE.some((directory) => path === directory || path.startsWith(`${directory}/`));
