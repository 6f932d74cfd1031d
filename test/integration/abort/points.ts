/**
 * Points at which a core that was built for tests can be made to die: before and after each call that changes the world.
 *
 * SYSMASTER_CRASH_AT says where. A number n: at the n-th point of the first core's life. `recover:n`: at the n-th of the second
 * one's. A path: as the file there says ({@link Orders}); it is looked at again at each point, so that a test can give a core
 * that runs its orders, and each death takes its number out of it, so that the next core does not die of the same.
 * A death leaves a line in FILE.deaths, which ends with {@link CHANGED} if core has moved something as it died. None of this is in the core that is shipped: build.ts puts it in front of the host.
 */
import { appendFileSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';

/** What the file says. */
export interface Orders {
  /** The first: of the core that finds these orders, counted from there. Each further one: of the next core, from its start. */
  readonly at: readonly number[];
  /** As a fault in the program ends (SIGABRT), or as somebody else ends it (SIGKILL). */
  readonly how: 'abort' | 'kill';
  /** Fold the journal after every so many of its records, so that it happens within a short life; absent: as ever. */
  readonly foldEvery?: number;
  /** What a core that dies moves, as the last thing it does, from here to there, unless somebody has done so before. */
  readonly moves?: readonly (readonly [from: string, to: string])[];
}

export const CHANGED = ', with a change';

const asked = process.env['SYSMASTER_CRASH_AT'] ?? '';
const file = asked.startsWith('/') ? asked : undefined;
let orders: Orders = { at: [], how: 'kill' };
let stamp = '';
let count = 0;
/** How deep in a port's call, and how many calls below have been made in it. */
let depth = 0;
let below = 0;
let appends = 0;
/** Calls after which a core has compiled most of what it will need, and leaves that to those after it (NODE_COMPILE_CACHE). */
const WARM_CALLS = 200;
let calls = 0;

/** How many lives there were before this one; told once init's hello is there. */
export function livesBefore(cores: number): void {
  const [, again, number] = /^(recover:)?(\d+)$/.exec(asked) ?? [];
  if (number !== undefined && cores === (again === undefined ? 0 : 1)) orders = { at: [Number(number)], how: 'abort' };
}

function look(): void {
  if (file === undefined) return;
  const found = statSync(file, { throwIfNoEntry: false });
  const now = found === undefined ? '' : `${found.ino} ${found.mtimeMs}`;
  if (now === stamp) return;
  stamp = now;
  count = 0;
  appends = 0;
  orders = now === '' ? { at: [], how: 'kill' } : (JSON.parse(readFileSync(file, 'utf8')) as Orders);
}

function isHere(): boolean {
  look();
  if (orders.at.length === 0) return false;
  count += 1;
  return count === orders.at[0];
}

/** False: somebody else has done so, perhaps at this moment. */
function isMoved(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function die(where: string): never {
  if (file !== undefined) {
    const moved = (orders.moves ?? []).filter(([from, to]) => isMoved(from, to));
    appendFileSync(`${file}.deaths`, `${count} ${where}${moved.length > 0 ? CHANGED : ''}\n`);
    writeFileSync(`${file}.new`, JSON.stringify({ ...orders, at: orders.at.slice(1) }));
    renameSync(`${file}.new`, file);
  }
  if (orders.how === 'kill') process.kill(process.pid, 'SIGKILL');
  return process.abort();
}

function point(where: string): void {
  if (isHere()) die(where);
}

/** A call of a port. */
export function portCall<T>(name: string, run: () => T): T {
  calls += 1;
  if (calls === WARM_CALLS) flushCompileCache();
  point(`before ${name}`);
  depth += 1;
  below = 0;
  let answer: T;
  try {
    answer = run();
  } finally {
    depth -= 1;
  }
  point(`after ${name}`);
  return answer;
}

/** A call of the system: the first one in a port's call happens where that one does. */
export function systemCall<T>(name: string, run: () => T): T {
  if (depth > 0) {
    below += 1;
    if (below > 1) point(`before ${name}`);
    return run();
  }
  point(`before ${name}`);
  const answer = run();
  point(`after ${name}`);
  return answer;
}

/** Something that can be left half done. */
export function torn(name: string, half: () => void): void {
  if (!isHere()) return;
  half();
  die(`in the middle of ${name}`);
}

/** A record was appended: is the journal to be folded now? */
export function foldsNow(): boolean {
  look();
  appends += 1;
  return orders.foldEvery !== undefined && appends % orders.foldEvery === 0;
}
