/**
 * The state of the job engine as it is saved: whole, and as what has changed. What follows from the rest is left out.
 */

import type { Paged, PagedDiff } from './paged.ts';
import * as paged from './paged.ts';
import { fromParts, type JobTable, listJobs } from './table.ts';
import type { ActiveState, Cut, InstalledJob } from './types.ts';

export interface JobsState {
  readonly table: JobTable;
  /** ActiveState by unit, as told. */
  readonly seen: Paged<ActiveState>;
  /** How often the rules have acted on a unit lately. */
  readonly limits: Paged<{ readonly fromMs: number; readonly count: number }>;
}

/** For list-jobs: by id. */
export const jobsOf = (state: JobsState): readonly InstalledJob[] => listJobs(state.table);

interface Saved {
  readonly nextId: number;
  readonly jobs: Readonly<Record<string, InstalledJob>>;
  readonly cuts: Readonly<Record<string, Cut>>;
  readonly seen: Readonly<Record<string, ActiveState>>;
  readonly limits: Readonly<Record<string, { readonly fromMs: number; readonly count: number }>>;
}

const PARTS = ['jobs', 'cuts', 'seen', 'limits'] as const;
type Parts = { readonly [Part in (typeof PARTS)[number]]: Paged<unknown> };
const partsOf = ({ table, seen, limits }: JobsState): Parts => ({ jobs: table.jobs, cuts: table.cuts, seen, limits });

// biome-ignore lint/suspicious/noExplicitAny: plain JSON; the host's own type for that lives above this layer.
export function save(state: JobsState): any {
  const parts = partsOf(state);
  return {
    nextId: state.table.nextId,
    ...Object.fromEntries(PARTS.map((part) => [part, Object.fromEntries(paged.entries<unknown>(parts[part]))])),
  };
}

export function load(saved: unknown, version: number): JobsState {
  if (version !== 1) throw new Error(`jobs saved as version ${version}, this is version 1`);
  const { nextId, jobs, cuts, seen, limits } = saved as Saved;
  if (!Number.isSafeInteger(nextId)) throw new Error('jobs saved without a next id');
  return {
    table: fromParts(nextId, Object.values(jobs), Object.entries(cuts)),
    seen: paged.fromEntries(Object.entries(seen)),
    limits: paged.fromEntries(Object.entries(limits)),
  };
}

// biome-ignore lint/suspicious/noExplicitAny: plain JSON; the host's own type for that lives above this layer.
export function diff(before: JobsState, after: JobsState): any {
  const [was, is] = [partsOf(before), partsOf(after)];
  const changes = PARTS.flatMap((part) => {
    const change = paged.diff<unknown>(was[part], is[part]);
    return change === undefined ? [] : [[part, change] as const];
  });
  return { nextId: after.table.nextId, ...Object.fromEntries(changes) };
}

// biome-ignore lint/suspicious/noExplicitAny: plain JSON; the host's own type for that lives above this layer.
export function patch(saved: any, change: any): any {
  const parts = PARTS.map((part) => {
    const { set, gone } = (change[part] ?? { set: {}, gone: [] }) as PagedDiff<unknown>;
    const next: Record<string, unknown> = { ...saved[part], ...set };
    for (const key of gone) delete next[key];
    return [part, next] as const;
  });
  return { nextId: change.nextId, ...Object.fromEntries(parts) };
}
