/**
 * What a job waits for, and whether anything can still move: the wait-for graph, made when somebody asks.
 *
 * A job waits for other jobs (along an ordering), or, when none is in the way, for its own unit: that it finishes what it is
 * doing (waiting), or that it answers (running).
 */
import type { Edge } from '../units/types.ts';
import { orderingsOf, representative, waiter } from './order.ts';
import { type JobTable, jobOf, listJobs, viewOf } from './table.ts';
import type { ActiveState, InstalledJob, JobGraph, UnitStates } from './types.ts';
import { edgeWords, jobWords } from './words.ts';

export type Wait =
  | { readonly on: 'job'; readonly job: number; readonly unit: string; readonly edge: Edge; readonly why: string }
  | { readonly on: 'unit'; readonly unit: string; readonly state: ActiveState; readonly why: string };

/** All that `job` waits for now, sorted by unit. */
export function waits(table: JobTable, graph: JobGraph, states: UnitStates, job: InstalledJob): readonly Wait[] {
  const found: Wait[] = [];
  for (const { edge, other } of job.state === 'waiting' ? blockers(table, graph, job) : []) {
    const why = `${job.type} ${job.unit} waits for ${jobWords(other)}: ${edgeWords(edge)}`;
    found.push({ on: 'job', job: other.id, unit: other.unit, edge, why });
  }
  if (found.length > 0) return found.sort((a, b) => (a.unit < b.unit ? -1 : 1));
  const state = states.active(job.unit);
  const what = job.state === 'running' ? `was asked to ${job.type}, it is` : 'must come to rest first, it is';
  return [{ on: 'unit', unit: job.unit, state, why: `${job.unit} ${what} ${state}` }];
}

function* blockers(
  table: JobTable,
  graph: JobGraph,
  job: InstalledJob,
): Generator<{ edge: Edge; other: InstalledJob }> {
  const view = viewOf(table);
  for (const ordering of orderingsOf(graph, job.unit)) {
    const { later, earlier } = ordering;
    const other = jobOf(table, later === job.unit ? earlier : later);
    if (other === undefined || view.isCut(later, earlier)) continue;
    const who = later === job.unit ? waiter(job, other) : waiter(other, job);
    if (who !== undefined && ordering[who] === job.unit) yield { edge: representative(graph, ordering), other };
  }
}

/** Jobs that wait, and nothing that could move them. */
export interface Stall {
  /** Units whose jobs wait for each other, each for the next, the last for the first; empty: an event is missing instead. */
  readonly ring: readonly string[];
  /** One sentence for each job that is at fault. */
  readonly why: readonly string[];
}

/** Undefined: something can still move. Looks at all jobs. */
export function stall(table: JobTable, graph: JobGraph, states: UnitStates): Stall | undefined {
  const jobs = listJobs(table);
  if (jobs.length === 0 || table.running > 0) return undefined;
  if (jobs.some((job) => job.blockers === 0 && inMotion(states.active(job.unit)))) return undefined;
  const ring = findRing(table, graph, jobs);
  const members = new Set(ring);
  const atFault = jobs.filter((job) => (ring.length > 0 ? members.has(job.unit) : job.blockers === 0));
  return { ring, why: atFault.flatMap((job) => waits(table, graph, states, job).map(({ why }) => why)) };
}

const inMotion = (state: ActiveState) => state === 'activating' || state === 'deactivating' || state === 'reloading';

/** The first ring met when each job is followed to the first job it waits for. */
function findRing(table: JobTable, graph: JobGraph, jobs: readonly InstalledJob[]): readonly string[] {
  const over = new Set<string>();
  for (const start of jobs) {
    const path = new Map<string, number>();
    let at: InstalledJob | undefined = start;
    while (at !== undefined && !over.has(at.unit)) {
      const seen = path.get(at.unit);
      if (seen !== undefined) return [...path.keys()].slice(seen);
      path.set(at.unit, path.size);
      const next: { other: InstalledJob } | undefined = blockers(table, graph, at).next().value ?? undefined;
      at = next?.other;
    }
    for (const unit of path.keys()) over.add(unit);
  }
  return [];
}
