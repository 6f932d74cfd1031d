/**
 * Path checks with a deadline, since a path that a unit names may lie on a dead network mount (law 9).
 *
 * Paths below directories that cannot hang are looked at here and now. Others go to threads, one a batch and some at a time; when
 * a batch misses its deadline it is answered with ETIMEDOUT and its thread is left behind. With too many left behind, nothing more
 * is asked until one of them comes back.
 */
import { type Answer, type HelperPort, HostError } from '../ports.ts';
import { addon, EPOLL } from './addon.ts';
import { codeOf } from './errors.ts';
import type { Loop } from './loop.ts';

/** Where the kernel or the local system disk answers. */
const SAFE = ['/run', '/proc', '/sys', '/etc', '/usr'];
/** Batches that are looked at at the same time. */
const RUNNING_MAX = 4;
const STUCK_MAX = 4;
const QUEUE_MAX = 4096;

type Then = (answer: Answer) => void;

interface Batch {
  readonly then: Then;
  readonly request: string;
  readonly endMs: number;
}

export class NodeHelper implements HelperPort {
  readonly #loop: Loop;
  readonly #checker = new addon.PathChecker();
  readonly #queue: Batch[] = [];
  /** Threads that were given up, by token. */
  readonly #stuck = new Set<number>();
  /** By token. */
  readonly #running = new Map<number, Batch>();
  #nextToken = 1;
  #timer: NodeJS.Timeout | undefined;

  constructor(loop: Loop) {
    this.#loop = loop;
    loop.add(this.#checker.fd, EPOLL.in, () => this.#answers());
  }

  checkPaths(key: string, request: string, deadlineMs: number): void {
    this.ask(request, deadlineMs, (result) => this.#loop.post({ type: 'answer', key, result }));
  }

  /** As {@link checkPaths}, for others of this host; the answer may come before this returns. */
  ask(request: string, deadlineMs: number, then: Then): void {
    if (isQuick(request)) {
      then({ ok: addon.checkPathsNow(request) });
      return;
    }
    if (this.#queue.length >= QUEUE_MAX) {
      then({ error: { errno: 'EAGAIN', why: `${QUEUE_MAX} path checks wait already` } });
      return;
    }
    this.#queue.push({ then, request, endMs: addon.clockMs('monotonic') + deadlineMs });
    this.#next();
  }

  #next(): void {
    while (this.#queue.length > 0 && this.#running.size < RUNNING_MAX) {
      const batch = this.#queue.shift()!;
      if (this.#stuck.size >= STUCK_MAX) {
        const why = `${this.#stuck.size} earlier checks hang in the file system; this one was not tried`;
        batch.then({ error: { errno: 'EBUSY', why } });
        continue;
      }
      const token = this.#nextToken;
      this.#nextToken += 1;
      try {
        this.#checker.ask(token, batch.request);
        this.#running.set(token, batch);
      } catch (cause) {
        batch.then({ error: { errno: codeOf(cause) ?? 'EINVAL', why: String(cause) } });
      }
    }
    this.#arm();
  }

  #answers(): void {
    for (const { token, json } of this.#checker.take()) {
      const batch = this.#running.get(token);
      this.#running.delete(token);
      if (batch !== undefined) batch.then({ ok: json });
      else this.#stuck.delete(token); // answered long ago
    }
    this.#next();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#running.size === 0) return;
    const firstMs = Math.min(...[...this.#running.values()].map(({ endMs }) => endMs));
    const leftMs = Math.max(0, Math.min(firstMs - addon.clockMs('monotonic'), 0x7fff_ffff));
    this.#timer = setTimeout(() => this.#expire(), Math.ceil(leftMs));
  }

  #expire(): void {
    this.#answers(); // it may have come in this very moment
    const nowMs = addon.clockMs('monotonic');
    for (const [token, { then, request, endMs }] of [...this.#running]) {
      if (nowMs < endMs) continue;
      this.#stuck.add(token);
      this.#running.delete(token);
      then({
        error: { errno: 'ETIMEDOUT', why: `${pathsOf(request).join(', ')}: no answer from the file system` },
      });
    }
    this.#next();
  }
}

interface Asked {
  readonly kind?: unknown;
  readonly path?: unknown;
}

/** Throws HostError EINVAL for a request that is none. */
function checksOf(request: string): Asked[] {
  const parsed: unknown = JSON.parse(request);
  const checks = (parsed as { checks?: unknown }).checks;
  if (!Array.isArray(checks)) throw new HostError('EINVAL', 'path checks: no list of checks');
  return checks;
}

const pathsOf = (request: string): string[] => checksOf(request).map(({ path }) => String(path));

/** No path of it can hang, and nothing of it waits. */
const isQuick = (request: string): boolean =>
  checksOf(request).every(({ kind, path }) => kind !== 'pid-file' && isSafe(String(path)));

const isSafe = (path: string): boolean =>
  !path.split('/').includes('..') && SAFE.some((directory) => path === directory || path.startsWith(`${directory}/`));
