/**
 * The state of the job engine as it is saved: whole, and as what has changed. What follows from the rest is left out.
 */

import type { Confirmation, KeptPlan } from './apply.ts';
import type { Durations } from './estimate.ts';
import type { Paged, PagedDiff } from './paged.ts';
import * as paged from './paged.ts';
import { fromParts, type JobTable, listJobs } from './table.ts';
import type { ActiveState, InstalledJob } from './types.ts';

export interface JobsState {
  /** When members failed, by supervising unit, newest first; CLOCK_MONOTONIC ms. */
  readonly supervised: Paged<readonly number[]>;
  readonly table: JobTable;
  /** ActiveState by unit, as told. */
  readonly seen: Paged<ActiveState>;
  /** How often the rules have acted on a unit lately. */
  readonly limits: Paged<{ readonly fromMs: number; readonly count: number }>;
  /** How long units took to start and to stop. */
  readonly durations: Paged<Durations>;
  /** Plans that may be applied by their id. */
  readonly plans: Paged<KeptPlan>;
  /** Plans that are undone unless somebody confirms them; by id. */
  readonly confirmations: Paged<Confirmation>;
}

/** For list-jobs: by id. */
export const jobsOf = (state: JobsState): readonly InstalledJob[] => listJobs(state.table);

interface Saved {
  readonly nextId: number;
  readonly jobs: Readonly<Record<string, InstalledJob>>;
  /** By key of the table; an older core has saved the whole cut. */
  readonly cuts: Readonly<Record<string, unknown>>;
  readonly seen: Readonly<Record<string, ActiveState>>;
  readonly limits: Readonly<Record<string, { readonly fromMs: number; readonly count: number }>>;
  /** Absent in what an older core has saved, as are those below. */
  readonly durations?: Readonly<Record<string, Durations>>;
  readonly plans?: Readonly<Record<string, KeptPlan>>;
  readonly confirmations?: Readonly<Record<string, Confirmation>>;
  readonly supervised?: Readonly<Record<string, readonly number[]>>;
}

/** Parts that the first cores did not save. */
const SINCE: readonly string[] = ['durations', 'plans', 'confirmations', 'supervised'];
const PARTS = ['jobs', 'cuts', 'seen', 'limits', 'durations', 'plans', 'confirmations', 'supervised'] as const;
type Parts = { readonly [Part in (typeof PARTS)[number]]: Paged<unknown> };
const partsOf = ({ table, ...rest }: JobsState): Parts => ({ jobs: table.jobs, cuts: table.cuts, ...rest });

// biome-ignore lint/suspicious/noExplicitAny: plain JSON; the host's own type for that lives above this layer.
export function save(state: JobsState): any {
  return { nextId: state.table.nextId, ...unpaged(partsOf(state)) };
}

/** The same, with entries that are asked for one by one. */
export const saveSlowly = (state: JobsState): unknown => {
  const parts = partsOf(state);
  return {
    nextId: state.table.nextId,
    ...Object.fromEntries(PARTS.map((part) => [part, new paged.Slowly(parts[part])])),
  };
};

export function load(saved: unknown, version: number): JobsState {
  if (version !== 1) throw new Error(`jobs saved as version ${version}, this is version 1`);
  const { nextId, parts } =
    saved instanceof Patched ? saved : { nextId: (saved as Saved).nextId, parts: inPages(saved) };
  if (!Number.isSafeInteger(nextId)) throw new Error('jobs saved without a next id');
  const { jobs, cuts, ...rest } = parts as { readonly [Part in keyof Parts]: Paged<never> };
  const installed = paged
    .entries<InstalledJob>(jobs)
    .map(([, job]) => job)
    .sort((a, b) => a.id - b.id);
  const cutKeys = paged.entries(cuts).map(([key]) => key);
  return { table: fromParts(nextId, installed, cutKeys), ...rest };
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

/**
 * A saved form while records are read: each of them changes a few entries of what may be ten thousand, so it is kept in
 * pages until the last one is read. As JSON it is what {@link save} gives.
 */
class Patched {
  readonly nextId: number;
  readonly parts: Parts;

  constructor(nextId: number, parts: Parts) {
    this.nextId = nextId;
    this.parts = parts;
  }

  toJSON(): unknown {
    return { nextId: this.nextId, ...unpaged(this.parts) };
  }
}

/** Parts that older cores do not save are empty there. */
const inPages = (saved: unknown): Parts =>
  eachPart((part) =>
    paged.fromEntries(Object.entries((saved as Saved)[part] ?? (SINCE.includes(part) ? {} : none(part)))),
  );

function none(part: string): never {
  throw new Error(`jobs saved without ${part}`);
}

const eachPart = (make: (part: (typeof PARTS)[number]) => Paged<unknown>): Parts =>
  Object.fromEntries(PARTS.map((part) => [part, make(part)])) as Parts;

const unpaged = (parts: Parts) =>
  Object.fromEntries(PARTS.map((part) => [part, Object.fromEntries(paged.entries<unknown>(parts[part]))]));

// biome-ignore lint/suspicious/noExplicitAny: plain JSON; the host's own type for that lives above this layer.
export function patch(saved: any, change: any): any {
  const was = saved instanceof Patched ? saved.parts : inPages(saved);
  const parts = eachPart((part) => {
    const { set, gone } = (change[part] ?? { set: {}, gone: [] }) as PagedDiff<unknown>;
    const draft = new paged.Draft<unknown>(was[part]);
    for (const [key, value] of Object.entries(set)) draft.set(key, value);
    for (const key of gone) draft.delete(key);
    return draft.done();
  });
  return new Patched(change.nextId, parts);
}
