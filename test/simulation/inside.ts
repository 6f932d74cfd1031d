/**
 * Everything that core's actors know at the end of a life, with its times apart: what a crash may not change although nobody
 * outside has seen it yet, such as counters, windows of limits, what was promised, and to whom.
 */
import { type JobsState, save } from '../../src/jobs/saved.ts';
import type { ActorHost } from '../../src/supervisor/index.ts';

/** Numbers that a crash may shift: they say which one it is, not what. */
const WHICH: ReadonlySet<string> = new Set([
  ...[
    'pid',
    'serial',
    'startTime',
    'mainPid',
    'peerPid',
    'session',
    'ticket',
    'core',
    'job',
    'jobs',
    'nextId',
    'id',
    'canceled',
  ],
  ...['seq', 'epoch', 'n', 'next', 'from'],
]);

export interface Inside {
  readonly known: unknown;
  /** By place; virtual ms. */
  readonly times: Readonly<Record<string, number>>;
}

/** Whether the boot is over is known; when it is hangs on what else was wanted while core was away. */
const ANY_TIME: ReadonlySet<string> = new Set(['finishedMs']);

/** The history is compared by itself, see real.ts. */
const ELSEWHERE: ReadonlySet<string> = new Set(['events']);

export function insideOf(core: ActorHost): Inside {
  const times: Record<string, number> = {};
  const known = core
    .list('')
    .filter((id) => !ELSEWHERE.has(id) && !id.startsWith('job:'))
    .map((id) => {
      const read = core.read(id);
      const plain = id === 'jobs' ? save(read as JobsState) : read;
      return [id, walk(JSON.parse(JSON.stringify(plain ?? null)), id, '', times)];
    });
  for (const id of core.list('')) {
    for (const [name, at] of Object.entries(core.deadlines(id)))
      if (Number.isFinite(at)) times[`${id} deadline ${name}`] = at as number;
  }
  return { known, times };
}

/** Init keeps no refusal: that of a process is known to be one from there being none, if core died before it heard why. */
const WHY_NOT_STARTED =
  /EAGAIN on the tables are full; acknowledge records and try again|init knows nothing of it, and core has died meanwhile/g;

/** A text without the numbers of processes and jobs, and without why init refused. `by` names a client, which is the same one in all lives. */
export const plainText = (text: string) =>
  text.replaceAll(/\b(process|job|cancel) \d+/g, '$1 N').replaceAll(WHY_NOT_STARTED, 'init refused');

/** Of two clients that ask while core is away either may be heard first. */
const byKey = (errands: readonly { readonly key: string }[]) => errands.toSorted((a, b) => (a.key < b.key ? -1 : 1));

function walk(value: unknown, path: string, key: string, times: Record<string, number>): unknown {
  // What a reload has changed: a core that came back has read the files as they are by then.
  if (path.includes('/errands/') && key === 'changes') return 'as found';
  if (key === 'errands' && Array.isArray(value))
    return byKey(value).map((one, index) => walk(one, `${path}/${index}`, '', times));
  if (Array.isArray(value)) return value.map((one, index) => walk(one, `${path}/${index}`, key, times));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [name, walk(inner, `${path}/${name}`, name, times)]),
    );
  if (key === 'datagram' && typeof value === 'string') return value.replaceAll(/\d{6,}/g, 'a time');
  if (typeof value === 'string') return plainText(value);
  if (typeof value !== 'number') return value;
  if (/(Ms|Us)$/.test(key) || /^jobs\/(durations|supervised)\//.test(path)) {
    if (!ANY_TIME.has(key)) times[path] = value;
    return 'a time';
  }
  return WHICH.has(key) ? 'a number' : value;
}

/** Times that lie further apart than a crash accounts for, as lines. */
export function shifted(
  calm: Readonly<Record<string, number>>,
  crashed: Readonly<Record<string, number>>,
  slackMs: number,
): readonly string[] {
  return Object.entries(calm)
    .filter(([path, at]) => Math.abs((crashed[path] ?? Number.NaN) - at) > slackMs)
    .map(([path, at]) => `  ${path}: at ${at} ms → at ${crashed[path]} ms`);
}
