/**
 * What has happened, each with its cause: a bounded ring of records, and of every unit who wanted it last.
 *
 * Pure and plain JSON: it is part of the actor `events` (events.ts), so it is committed with the turn that made it and outlives a
 * crash of core. The ring is a list of short pages, so that a record costs a page and not the ring; what is written to the
 * checkpoint for one is the record itself. When core begins a new epoch (safe mode, a void checkpoint) the history begins anew.
 */
import type { FinishedJob } from '../api/manager.ts';
import type { Paged } from '../jobs/paged.ts';
import * as paged from '../jobs/paged.ts';
import type { ActiveState, BegunJob, Cut, JobResult, JobType } from '../jobs/types.ts';
import type { Json } from '../supervisor/actor.ts';
import type { Edge } from '../units/types.ts';
import type { BootTimes, Unloaded } from './telling.ts';

/** Records that are kept; the oldest go first. */
export const HISTORY_MAX = 2048;
const PAGE = 32;

/** What happened. Times are CLOCK_MONOTONIC in ms. */
export type Happening =
  /** A client asked for something; `what` in the words of sctl. */
  | { readonly kind: 'request'; readonly unit: string; readonly what: string; readonly by: string }
  | { readonly kind: 'refused'; readonly unit: string; readonly what: string }
  | {
      readonly kind: 'job';
      readonly unit: string;
      readonly job: number;
      readonly type: JobType;
      readonly by: string;
      /** The edge that pulled it in; null: it was asked for. */
      readonly edge: Edge | null;
      /** Another reason, in words; empty: none. */
      readonly because: string;
    }
  | {
      readonly kind: 'job-over';
      readonly unit: string;
      readonly job: number;
      readonly type: JobType;
      readonly result: JobResult;
      readonly why: string;
    }
  | {
      readonly kind: 'unit';
      readonly unit: string;
      readonly was: ActiveState;
      readonly active: ActiveState;
      readonly sub: string;
      readonly result: string;
      readonly cause: string;
    }
  /** A process ended, or was signalled. */
  | { readonly kind: 'process' | 'signal'; readonly unit: string; readonly what: string }
  | { readonly kind: 'cut'; readonly unit: string; readonly what: string }
  /** A fault that was asked for; `unit` empty: core is hit. */
  | { readonly kind: 'chaos'; readonly unit: string; readonly run: number; readonly what: string; readonly by: string }
  /** A unit was let go of; core, its unit files, a stall. */
  | {
      readonly kind: 'unloaded' | 'core' | 'reload' | 'stall' | 'system';
      readonly unit: string;
      readonly what: string;
    };

/** `n` counts from 1 and is never used twice in an epoch. */
export type HistoryRecord = { readonly n: number; readonly atMs: number } & Happening;

/** The job that last sent a unit up or down. */
export interface Order {
  readonly atMs: number;
  readonly job: number;
  readonly by: string;
  readonly edge: Edge | null;
  readonly because: string;
}

/** The last words on one unit. */
export interface LastWords {
  readonly up?: Order;
  readonly down?: Order;
  /** Its last job that did not end with `done`, until another one does. */
  readonly bad?: {
    readonly atMs: number;
    readonly job: number;
    readonly type: JobType;
    readonly result: JobResult;
    readonly why: string;
  };
  /** Groups that gave up because of it ([X-Supervisor]), the outer ones last, until it is to start again. */
  readonly gaveUp?: readonly { readonly atMs: number; readonly group: string; readonly why: string }[];
  /** The last fault that was asked for. `overMs` null: it goes on. */
  readonly chaos?: {
    readonly run: number;
    readonly what: string;
    readonly by: string;
    readonly atMs: number;
    readonly overMs: number | null;
  };
  /** It was let go of, and has had no job since. */
  readonly unloaded?: { readonly atMs: number; readonly result: string; readonly mode: string };
  /** How the boot went for it, told when it was first let go of: what was measured outlives it. */
  readonly boot?: BootTimes;
  /** Orderings of this unit that were cut since its files were read. */
  readonly cuts?: readonly Cut[];
}

/** Units whose last words are kept after they were unloaded; those that went longest ago are forgotten first. */
const GONE_MAX = 1024;
/** Units unloaded together that have a record each. */
const UNLOADED_TOLD = 64;

/** Groups in groups that are remembered of one member. */
const GROUPS_MAX = 8;
/** Cuts that are remembered of one unit. */
const CUTS_MAX = 16;

export interface History {
  readonly next: number;
  readonly pages: readonly (readonly HistoryRecord[])[];
  readonly last: Paged<LastWords>;
  /** Units that were unloaded and have had no job since, the oldest first. */
  readonly gone: readonly string[];
  /** Units whose last words have changed since record `from`: so that a step need not look at all of them. */
  readonly changed: { readonly from: number; readonly units: readonly string[] };
}

export const NO_HISTORY: History = { next: 1, pages: [], last: paged.EMPTY, gone: [], changed: { from: 1, units: [] } };

/** Before a step: what changes from here on is news of this step. */
export const atRest = (history: History): History =>
  history.changed.units.length === 0 && history.changed.from === history.next
    ? history
    : { ...history, changed: { from: history.next, units: [] } };

/** With one more record. */
export function record(history: History, atMs: number, happening: Happening): History {
  const { next, pages } = history;
  const entry: HistoryRecord = { n: next, atMs, ...happening };
  const newest = pages[pages.length - 1];
  const longer =
    newest === undefined || newest.length >= PAGE
      ? [...(pages.length * PAGE >= HISTORY_MAX ? pages.slice(1) : pages), [entry]]
      : [...pages.slice(0, -1), [...newest, entry]];
  return { ...history, next: next + 1, pages: longer };
}

function withLast(history: History, unit: string, change: (last: LastWords) => LastWords): History {
  const draft = new paged.Draft(history.last);
  draft.set(unit, change(draft.get(unit) ?? {}));
  const { from, units } = history.changed;
  return { ...history, last: draft.done(), changed: { from, units: [...units, unit] } };
}

/** Units that nobody needed in memory any more. */
export function unloaded(history: History, atMs: number, units: readonly Unloaded[]): History {
  let now = history;
  if (units.length <= UNLOADED_TOLD) {
    for (const { name, mode, result } of units)
      now = record(now, atMs, { kind: 'unloaded', unit: name, what: unloadedWords(mode, result) });
  } else {
    const names = units.slice(0, 3).map(({ name }) => name);
    const what = `${units.length} units that nothing needed: ${names.join(', ')} …`;
    now = record(now, atMs, { kind: 'unloaded', unit: '', what });
  }
  for (const { name, mode, result, boot } of units.slice(-GONE_MAX))
    now = withLast(now, name, (last) => ({ ...(boot && { boot }), ...last, unloaded: { atMs, result, mode } }));
  const fresh = new Set(units.map(({ name }) => name));
  const gone = [...now.gone.filter((name) => !fresh.has(name)), ...fresh];
  const forgotten = gone.slice(0, Math.max(0, gone.length - GONE_MAX));
  return forgetWords({ ...now, gone: gone.slice(-GONE_MAX) }, forgotten);
}

/** Why a unit was let go of (systemd.unit(5), CollectMode=). */
export const unloadedWords = (mode: string, result: string): string =>
  `it was ${result === 'success' ? 'down' : `down (${result})`}, had no job, and nothing in memory referred to it (CollectMode=${mode})`;

function forgetWords(history: History, units: readonly string[]): History {
  const known = units.filter((unit) => paged.get(history.last, unit) !== undefined);
  if (known.length === 0) return history;
  const draft = new paged.Draft(history.last);
  for (const unit of known) draft.delete(unit);
  const { from, units: changed } = history.changed;
  return { ...history, last: draft.done(), changed: { from, units: [...changed, ...known] } };
}

/** It has a job: it is back. */
function isBack(history: History, unit: string): History {
  if (!history.gone.includes(unit)) return history;
  const back = { ...history, gone: history.gone.filter((name) => name !== unit) };
  return withLast(back, unit, ({ unloaded: _, ...last }) => last);
}

export function jobBegan(before: History, atMs: number, job: BegunJob): History {
  const history = isBack(before, job.unit);
  const [first] = job.reasons;
  const edge = first !== undefined && 'edge' in first ? first.edge : null;
  const because =
    first === undefined || 'edge' in first || 'asked' in first
      ? ''
      : 'isolate' in first
        ? `${first.isolate} is isolated`
        : `it triggers ${first.triggers}`;
  const { unit, id, type, by } = job;
  const order: Order = { atMs, job: id, by, edge, because };
  const told = record(history, atMs, { kind: 'job', unit, job: id, type, by, edge, because });
  if (type === 'start' || type === 'restart')
    return withLast(told, unit, ({ gaveUp: _, ...last }) => ({ ...last, up: order }));
  return type === 'stop' ? withLast(told, unit, (last) => ({ ...last, down: order })) : told;
}

export function jobEnded(history: History, atMs: number, job: FinishedJob, why: string): History {
  const { unit, id, type, result } = job;
  const told = record(history, atMs, { kind: 'job-over', unit, job: id, type, result, why });
  const bad = paged.get(history.last, unit)?.bad;
  if (result !== 'done')
    return withLast(told, unit, (last) => ({ ...last, bad: { atMs, job: id, type, result, why } }));
  return bad === undefined ? told : withLast(told, unit, ({ bad: _, ...last }) => last);
}

/** A group is told of once, whatever is told again after a crash. */
export function groupGaveUp(
  history: History,
  atMs: number,
  { group, member, why }: { group: string; member: string; why: string },
): History {
  return withLast(history, member, (last) => {
    const others = (last.gaveUp ?? []).filter((one) => one.group !== group);
    return { ...last, gaveUp: [...others, { atMs, group, why }].slice(-GROUPS_MAX) };
  });
}

export function orderingCut(history: History, atMs: number, cut: Cut, words: string): History {
  const { edge } = cut;
  const told = record(history, atMs, { kind: 'cut', unit: edge.from, what: words });
  return [edge.from, edge.to].reduce(
    (now, unit) =>
      withLast(now, unit, (last) => {
        const others = (last.cuts ?? []).filter((one) => one.edge.from !== edge.from || one.edge.to !== edge.to);
        return { ...last, cuts: [...others, cut].slice(-CUTS_MAX) };
      }),
    told,
  );
}

/** A fault began, did something (`what` of its own), or is over. */
export function chaosTold(
  history: History,
  atMs: number,
  { run, unit, what, by, over }: { run: number; unit: string; what: string; by: string; over: boolean },
): History {
  const told = record(history, atMs, { kind: 'chaos', unit, run, what, by });
  if (unit === '') return told;
  return withLast(told, unit, (last) => {
    const known = last.chaos?.run === run ? last.chaos : undefined;
    if (over) return known === undefined ? last : { ...last, chaos: { ...known, overMs: atMs } };
    return known === undefined ? { ...last, chaos: { run, what, by, atMs, overMs: null } } : last;
  });
}

/** After a fault is over, what happens to its unit may still come of it for so long, in ms. */
export const AFTERMATH_MS = 1000;

/** `; chaos 3 is at work on it: SIGKILL to the main process, for at most 30 s, seed 7`, or empty. */
export function chaosWords(history: History, atMs: number, unit: string): string {
  const { chaos } = lastWords(history, unit);
  if (chaos === undefined || (chaos.overMs !== null && atMs - chaos.overMs > AFTERMATH_MS)) return '';
  return `; chaos ${chaos.run} is at work on it: ${chaos.what}`;
}

/** Unit files were read anew: what was cut before is no news of what is written now. */
export function forgetCuts(history: History): History {
  const draft = new paged.Draft(history.last);
  const units = [...history.changed.units];
  for (const [unit, last] of paged.entries(history.last)) {
    if (last.cuts === undefined) continue;
    const { cuts: _, ...rest } = last;
    draft.set(unit, rest);
    units.push(unit);
  }
  return { ...history, last: draft.done(), changed: { from: history.changed.from, units } };
}

/** Oldest first. */
export const recordsOf = (history: History): readonly HistoryRecord[] => history.pages.flat();

/** The last record of an end of a process of a unit, not older than `sinceMs`; undefined: there is none. */
export function lastEnd(history: History, unit: string, sinceMs: number): HistoryRecord | undefined {
  for (let page = history.pages.length - 1; page >= 0; page -= 1) {
    const records = history.pages[page]!;
    if (records[records.length - 1]!.atMs < sinceMs) return undefined;
    const found = records.findLast(({ kind, unit: of }) => kind === 'process' && of === unit);
    if (found !== undefined) return found.atMs < sinceMs ? undefined : found;
  }
  return undefined;
}

export const lastWords = (history: History, unit: string): LastWords => paged.get(history.last, unit) ?? {};

// --------------------------------------------------------------------------------------------------- in the checkpoint

/** `r`: records, `l`: last words by unit, `g`: units that are gone; absent in what an older core has saved. */
interface Saved {
  readonly next: number;
  readonly r: readonly HistoryRecord[];
  readonly l: Readonly<Record<string, LastWords>>;
  readonly g?: readonly string[];
}

export const saveHistory = (history: History): Json =>
  ({
    next: history.next,
    r: recordsOf(history),
    l: Object.fromEntries(paged.entries(history.last)),
    g: history.gone,
  }) as unknown as Json;

/** The same, with entries that are asked for one by one. */
export const saveHistorySlowly = (history: History): unknown => ({
  ...{ next: history.next, r: recordsOf(history), l: new paged.Slowly(history.last), g: history.gone },
});

/**
 * Without records and without the last words of other units than these: enough to go on from with news of these units alone.
 *
 * @param forgotten so many of the units that went longest ago may be forgotten: their words stay as well
 * @param all the cuts of all units may be forgotten
 */
export function excerptOf(history: History, units: ReadonlySet<string>, forgotten: number, all: boolean): Json {
  const going = new Set(history.gone.slice(0, forgotten));
  const words = paged
    .entries(history.last)
    .filter(([unit, { cuts }]) => units.has(unit) || going.has(unit) || (all && cuts !== undefined));
  return { next: history.next, r: [], l: Object.fromEntries(words), g: history.gone } as unknown as Json;
}

export function loadHistory(saved: Json): History {
  const { next, r, last, g } = opened(saved);
  const kept = r.flat().slice(-HISTORY_MAX);
  const pages: HistoryRecord[][] = [];
  for (let from = 0; from < kept.length; from += PAGE) pages.push(kept.slice(from, from + PAGE));
  return {
    next,
    pages,
    last,
    gone: g,
    changed: { from: next, units: [] },
  };
}

/** What is new in `after`, in the form of {@link saveHistory}. */
export function historySince(before: History, after: History): Json {
  const fresh: HistoryRecord[] = [];
  for (let page = after.pages.length - 1; page >= 0; page -= 1) {
    const records = after.pages[page] as readonly HistoryRecord[];
    fresh.unshift(...records.filter((one) => one.n >= before.next));
    if ((records[0]?.n ?? 0) < before.next) break;
  }
  const l = changedWords(before, after);
  const g = before.gone === after.gone ? {} : { g: after.gone };
  return { next: after.next, r: fresh, ...(l === undefined ? {} : { l }), ...g } as unknown as Json;
}

function changedWords(before: History, after: History): Readonly<Record<string, LastWords | null>> | undefined {
  if (before.last === after.last) return undefined;
  if (after.changed.from !== before.next) {
    const { set = {}, gone = [] } = paged.diff(before.last, after.last) ?? {};
    return { ...set, ...Object.fromEntries(gone.map((unit) => [unit, null])) };
  }
  return Object.fromEntries(after.changed.units.map((unit) => [unit, paged.get(after.last, unit) ?? null]));
}

export function patchHistory(saved: Json, since: Json): Json {
  const was = opened(saved);
  const { next, r: fresh = [], l = {}, g } = since as unknown as Partial<Saved> & { readonly next: number };
  const last = new paged.Draft(was.last);
  for (const [unit, words] of Object.entries(l)) {
    if (words === null) last.delete(unit);
    else last.set(unit, words);
  }
  const r = fresh.length === 0 ? was.r : [...was.r, fresh];
  // Cut now and then, not each time: loading cuts it in any case.
  const kept = r.length > 2 * PIECES ? [r.flat().slice(-HISTORY_MAX)] : r;
  return new Patched(next, kept, last.done(), g ?? was.g) as unknown as Json;
}

/** Lists of records that are joined when there are more. */
const PIECES = 256;

/**
 * A saved form while records are read: each of them changes a few words of what may be thousands of units, so those are kept in pages until
 * the last one is read. As JSON it is what {@link saveHistory} gives.
 */
class Patched {
  readonly next: number;
  readonly r: readonly (readonly HistoryRecord[])[];
  readonly last: Paged<LastWords>;
  readonly g: readonly string[];

  constructor(next: number, r: Patched['r'], last: Paged<LastWords>, g: readonly string[]) {
    this.next = next;
    this.r = r;
    this.last = last;
    this.g = g;
  }

  toJSON(): unknown {
    return { next: this.next, r: this.r.flat(), l: Object.fromEntries(paged.entries(this.last)), g: this.g };
  }
}

function opened(saved: Json): Patched {
  if (saved instanceof Patched) return saved;
  const { next, r, l, g = [] } = saved as unknown as Saved;
  return new Patched(next, [r], paged.fromEntries(Object.entries(l).filter(([, words]) => words !== null)), g);
}
