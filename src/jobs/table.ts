/**
 * The installed jobs and how they are related: who waits for whom, whose failure is whose, what replaces what.
 *
 * **The split.** Two things know a job. Its machine (src/machines/job.ts) owns its life: it asks the unit, holds the
 * deadlines, and ends. The table owns its relations: it says when a job may run, what a merge makes of it, and what its end
 * means for others. Both judge a change of the unit by the same function (verbs.ts, `judge`), so they agree without asking
 * each other; the table does not wait for the machine, and a machine's late `job-finished` for a job that is gone is no news.
 *
 * **One job a unit.** A second job is merged into the first, or cancels it. (A nop is over as soon as it is there.)
 *
 * **Waiting is a number.** Each job counts the jobs it waits for (`blockers`). Installing, retyping and ending a job touch only
 * the orderings of its own unit, so a plan of n jobs costs the edges of its units once, and no event scans the table.
 *
 * A table never changes: {@link Work} is one in the making, used for the length of one step.
 */

import { type Ask, attempt } from './attempt.ts';
import { arrange, type Order, orderingsOf, waiter } from './order.ts';
import type { Paged } from './paged.ts';
import * as paged from './paged.ts';
import type {
  Cut,
  InstalledJob,
  InstalledJobs,
  JobGraph,
  JobRequest,
  JobResult,
  Passage,
  Plan,
  PlannedJob,
  UnitStates,
} from './types.ts';
import { collapse, conflicts, contains, isUp, judge, merge } from './verbs.ts';
import { edgeWords, jobWords, requestWords } from './words.ts';

/** Jobs and askers of one job that are named. */
const TOLD_MAX = 4;

/** Why the failure of a unit's job is that of another's: the kind of edge, from the unit that has failed, and from the other. */
const NEEDS = {
  RequiredBy: 'Requires',
  RequisiteOf: 'Requisite',
  BoundBy: 'BindsTo',
  ConflictedBy: 'Conflicts',
} as const;

/** With one more who wants it. */
function askedAgain({ by, plan, again = [] }: InstalledJob, next: string, title: string): Pick<InstalledJob, 'again'> {
  if (next === by && title === plan) return again.length === 0 ? {} : { again };
  const others = again.filter((one) => one.by !== next || one.plan !== title);
  return { again: [...others, { by: next, plan: title }].slice(-TOLD_MAX) };
}

/** Plain JSON, shared between versions. */
export interface JobTable {
  readonly nextId: number;
  /** By id, as a decimal string. */
  readonly jobs: Paged<InstalledJob>;
  /** Id by unit. */
  readonly byUnit: Paged<number>;
  /** Orderings not honoured while both units have a job; by `later earlier`. */
  readonly cuts: Paged<true>;
  /** How many jobs run. */
  readonly running: number;
}

export const EMPTY_TABLE: JobTable = {
  nextId: 1,
  jobs: paged.EMPTY,
  byUnit: paged.EMPTY,
  cuts: paged.EMPTY,
  running: 0,
};

/** What has happened to the table, in order. */
export type TableChange =
  | { readonly kind: 'installed'; readonly job: InstalledJob }
  /** Merged, or a restart whose stop phase is over: another type now, and waiting again unless `running`. */
  | { readonly kind: 'retyped'; readonly job: InstalledJob; readonly why: string }
  /** It runs; `ask` undefined: nothing can be asked of this unit, it comes or goes by itself. */
  | { readonly kind: 'run'; readonly job: InstalledJob; readonly ask: Ask | undefined }
  /** `byUnit`: the change of its own unit ended it. */
  | {
      readonly kind: 'finished';
      readonly job: InstalledJob;
      readonly result: JobResult;
      readonly why: string;
      readonly byUnit: boolean;
    };

/** A table of what was saved of one; the rest follows from it. */
export function fromParts(nextId: number, jobs: readonly InstalledJob[], cuts: readonly string[]): JobTable {
  return {
    nextId,
    jobs: paged.fromEntries(jobs.map((job) => [String(job.id), job])),
    byUnit: paged.fromEntries(jobs.map((job) => [job.unit, job.id])),
    cuts: paged.fromEntries(cuts.map((key) => [key, true])),
    running: jobs.filter((job) => job.state === 'running').length,
  };
}

const listed = new WeakMap<Paged<InstalledJob>, readonly InstalledJob[]>();

/** By id, sorted; of one table put in order once. */
export function listJobs({ jobs }: JobTable): readonly InstalledJob[] {
  let list = listed.get(jobs);
  if (list === undefined) {
    list = paged
      .entries(jobs)
      .map(([, job]) => job)
      .sort((a, b) => a.id - b.id);
    listed.set(jobs, list);
  }
  return list;
}

export function jobOf(table: JobTable, unit: string): InstalledJob | undefined {
  const id = paged.get(table.byUnit, unit);
  return id === undefined ? undefined : paged.get(table.jobs, String(id));
}

export function jobById(table: JobTable, id: number): InstalledJob | undefined {
  return paged.get(table.jobs, String(id));
}

/** The table as plan() wants it. */
export function viewOf(table: JobTable): InstalledJobs {
  return {
    empty: table.jobs.size === 0,
    of: (unit) => jobOf(table, unit),
    all: () => listJobs(table),
    isCut: (later, earlier) => paged.get(table.cuts, cutKey(later, earlier)) !== undefined,
  };
}

const cutKey = (later: string, earlier: string) => `${later} ${earlier}`;

/** A table in the making. Methods change it at once; what they did is in `changes`. Call {@link Work.settle} at the end. */
export class Work {
  readonly changes: TableChange[] = [];
  readonly #from: JobTable;
  readonly #nowMs: number;
  readonly #graph: JobGraph;
  readonly #states: UnitStates;
  readonly #jobs: paged.Draft<InstalledJob>;
  readonly #byUnit: paged.Draft<number>;
  readonly #cuts: paged.Draft<true>;
  #nextId: number;
  #running: number;
  /** Jobs that may be able to run now, by id. */
  readonly #ready = new Set<number>();

  /** @param nowMs CLOCK_MONOTONIC of the step */
  constructor(table: JobTable, graph: JobGraph, states: UnitStates, nowMs: number) {
    this.#nowMs = nowMs;
    this.#from = table;
    this.#graph = graph;
    this.#states = states;
    this.#jobs = new paged.Draft(table.jobs);
    this.#byUnit = new paged.Draft(table.byUnit);
    this.#cuts = new paged.Draft(table.cuts);
    this.#nextId = table.nextId;
    this.#running = table.running;
  }

  jobOf(unit: string): InstalledJob | undefined {
    const id = this.#byUnit.get(unit);
    return id === undefined ? undefined : this.#jobs.get(String(id));
  }

  jobById(id: number): InstalledJob | undefined {
    return this.#jobs.get(String(id));
  }

  done(): JobTable {
    if (this.#jobs.untouched && this.#cuts.untouched && this.#nextId === this.#from.nextId) return this.#from;
    return {
      nextId: this.#nextId,
      jobs: this.#jobs.done(),
      byUnit: this.#byUnit.done(),
      cuts: this.#cuts.done(),
      running: this.#running,
    };
  }

  /** Put a plan made against this very table into it. @returns the id of each job, by unit: an old one where it was merged */
  install(plan: Plan): ReadonlyMap<string, number> {
    const planned = new Set(plan.jobs.map((job) => job.unit));
    const by = plan.request.by;
    for (const { job: id, why } of plan.replaces) {
      const job = this.jobById(id);
      if (job !== undefined && !planned.has(job.unit)) this.finish(id, 'canceled', why, false);
    }
    for (const job of plan.jobs) this.#cancelOpposite(job, by);
    for (const cut of plan.cuts) this.#cut(cut);
    const ids = new Map<string, number>();
    const title = requestWords(plan.request);
    for (const job of plan.jobs) ids.set(job.unit, this.#installOne(job, plan.request, title));
    return ids;
  }

  #installOne(planned: PlannedJob, { by, mode }: JobRequest, plan: string): number {
    const installed = planned.type === 'nop' ? undefined : this.jobOf(planned.unit);
    if (installed !== undefined) {
      this.#mergeInto(installed, planned, by, plan);
      return installed.id;
    }
    const job: InstalledJob = {
      id: this.#nextId,
      unit: planned.unit,
      type: planned.type,
      state: 'waiting',
      irreversible: planned.irreversible,
      ignoreOrder: planned.ignoreOrder,
      optional: planned.optional,
      by,
      mode,
      plan,
      createdMs: this.#nowMs,
      startedMs: null,
      reasons: planned.reasons,
      blockers: 0,
    };
    this.#nextId += 1;
    if (job.type === 'nop') {
      this.changes.push({ kind: 'finished', job, result: 'done', why: 'nothing to do', byUnit: false });
      return job.id;
    }
    this.changes.push({ kind: 'installed', job });
    this.#putLinked(job);
    this.#ready.add(job.id);
    return job.id;
  }

  #cancelOpposite(planned: PlannedJob, by: string): void {
    const installed = this.jobOf(planned.unit);
    if (installed === undefined || !conflicts(installed.type, planned.type)) return;
    this.finish(installed.id, 'canceled', `replaced by ${planned.type} ${planned.unit}, asked for by ${by}`, false);
  }

  /** Whoever waits along it now waits no longer. */
  #cut(cut: Cut): void {
    const { from: later, to: earlier } = cut.edge;
    const key = cutKey(later, earlier);
    if (this.#cuts.get(key) !== undefined) return;
    const [l, e] = [this.jobOf(later), this.jobOf(earlier)];
    const who = l === undefined || e === undefined ? undefined : waiter(l, e);
    const ordered = who !== undefined && this.#graph.edges(later, 'After').some((edge) => edge.to === earlier);
    this.#cuts.set(key, true);
    if (ordered) this.#block((who === 'later' ? l : e)?.id as number, -1);
  }

  /** A job that runs goes on if it does already what is asked; a reload never does, it may have read the old configuration. */
  #mergeInto(installed: InstalledJob, planned: PlannedJob, by: string, plan: string): void {
    const type = collapse(merge(installed.type, planned.type) ?? planned.type, this.#states.active(installed.unit));
    const goesOn = installed.state === 'running' && planned.type !== 'reload' && contains(installed.type, planned.type);
    const merged: InstalledJob = {
      ...installed,
      type: goesOn ? installed.type : type,
      state: goesOn ? 'running' : 'waiting',
      startedMs: goesOn ? installed.startedMs : null,
      irreversible: installed.irreversible || planned.irreversible,
      ignoreOrder: installed.ignoreOrder || planned.ignoreOrder,
      optional: installed.optional && planned.optional,
      ...askedAgain(installed, by, plan),
    };
    this.#replace(installed, merged);
    const again = installed.type !== merged.type || installed.state !== merged.state;
    if (again) {
      this.changes.push({ kind: 'retyped', job: merged, why: `merged with ${planned.type}, asked for by ${by}` });
    }
    this.#ready.add(installed.id);
  }

  /**
   * End a job. A restart that is `done` goes on as a start instead.
   *
   * @param spread whether its failure is the failure of those that need it; a job that is replaced spreads nothing
   */
  finish(id: number, result: JobResult, why: string, spread = true, byUnit = false): void {
    const queue: [number, JobResult, string][] = [[id, result, why]];
    for (let at = 0; at < queue.length; at += 1) {
      const [next, how, because] = queue[at] as [number, JobResult, string];
      const job = this.jobById(next);
      if (job === undefined) continue;
      if (how === 'done' && job.type === 'restart') {
        this.#startPhase(job);
        continue;
      }
      const awaited = this.#awaited(job);
      const words = how === 'timeout' ? `${because}${this.#whileWords(job)}` : because;
      this.#remove(job);
      this.changes.push({ kind: 'finished', job, result: how, why: words, byUnit: byUnit && at === 0 });
      if (spread) queue.push(...this.#failedWith(job, how, because));
      for (const other of awaited) {
        if (!this.#isAwaited(other)) queue.push([other.id, 'collected', 'no job waits for it any more']);
      }
    }
  }

  /** Of the jobs that this one waits for, those that do nothing but wait themselves, for what comes by itself (a device). */
  #awaited(job: InstalledJob): InstalledJob[] {
    if (job.blockers === 0) return [];
    return [...this.#pairs(job)].flatMap(({ mine, other }) => {
      const idle = other.type === 'start' && this.#graph.facts(other.unit)?.canStart === false;
      // Whoever asked for it by name waits for it still.
      return mine && idle && !other.reasons.some((reason, at) => at === 0 && 'asked' in reason) ? [other] : [];
    });
  }

  /** What a job whose time is over has spent it with. */
  #whileWords(job: InstalledJob): string {
    const pairs = job.state === 'running' ? [] : [...this.#pairs(job)];
    const others = pairs.flatMap(({ mine, other }) => (mine ? [other] : []));
    if (others.length === 0) return `, while ${job.unit} was ${this.#states.active(job.unit)}`;
    const named = others
      .sort((a, b) => a.id - b.id)
      .slice(0, TOLD_MAX)
      .map(jobWords);
    const more = others.length > TOLD_MAX ? ` and ${others.length - TOLD_MAX} more` : '';
    return `, while it waited for ${named.join(', ')}${more}`;
  }

  #isAwaited(job: InstalledJob): boolean {
    for (const { mine } of this.#pairs(job)) if (!mine) return true;
    return false;
  }

  #startPhase(job: InstalledJob): void {
    const next: InstalledJob = { ...job, type: 'start', state: 'waiting', startedMs: null };
    this.#replace(job, next);
    this.changes.push({ kind: 'retyped', job: next, why: 'stop phase of restart over' });
    this.#ready.add(job.id);
  }

  /** Start jobs that cannot succeed any more (systemd.unit(5), Requires=, Requisite=, Conflicts=). */
  #failedWith(job: InstalledJob, result: JobResult, because: string): [number, JobResult, string][] {
    const along = (kinds: readonly (keyof typeof NEEDS)[], why: string) =>
      kinds.flatMap((kind) =>
        this.#graph.edges(job.unit, kind).flatMap(({ to, origin }): [number, JobResult, string][] => {
          const other = this.jobOf(to);
          if (other === undefined || (other.type !== 'start' && other.type !== 'verify-active')) return [];
          const edge = edgeWords({ from: to, kind: NEEDS[kind], to: job.unit, origin });
          return [[other.id, 'dependency', `${why} (${edge})`]];
        }),
      );
    const starts = job.type === 'start' || job.type === 'verify-active';
    if (result !== 'done') {
      // What was looked at and is not active has not failed.
      const why =
        job.type === 'verify-active' && result === 'skipped' ? because : `${job.type} ${job.unit} ended: ${result}`;
      if (starts) return along(['RequiredBy', 'RequisiteOf', 'BoundBy'], why);
      return job.type === 'stop' ? along(['ConflictedBy'], why) : [];
    }
    if (job.type !== 'start' || isUp(this.#states.active(job.unit))) return [];
    return along(['RequisiteOf'], `${job.unit} was started but is not active`);
  }

  /** What a change of a unit means for its job. @returns whether nobody wanted the change */
  unitChanged(change: Passage): 'expected' | 'unexpected' {
    const job = this.jobOf(change.unit);
    if (job === undefined) return 'unexpected';
    const verdict = judge(job.type, job.state === 'running', change);
    if (verdict.ends === undefined) {
      if (job.state === 'waiting') this.#ready.add(job.id);
    } else {
      const detail = change.result !== undefined && change.result !== 'success' ? `: ${change.result}` : '';
      this.finish(job.id, verdict.ends, `${change.unit} is ${change.after}${detail}`, true, true);
    }
    return verdict.expected ? 'expected' : 'unexpected';
  }

  /** Something has changed that no change of its unit tells. */
  tryAgain(job: InstalledJob): void {
    this.#ready.add(job.id);
  }

  /** Let every job run that may, until nothing moves. */
  settle(): void {
    while (this.#ready.size > 0) {
      const round = [...this.#ready].sort((a, b) => a - b);
      this.#ready.clear();
      for (const id of round) this.#try(id);
    }
  }

  #try(id: number): void {
    const job = this.jobById(id);
    if (job === undefined || job.state === 'running' || job.blockers > 0) return;
    const answer = attempt(job.type, job.unit, this.#graph, this.#states);
    switch (answer.say) {
      case 'wait':
        return;
      case 'end':
        this.finish(id, answer.result, answer.why);
        return;
      case 'run': {
        const running: InstalledJob = { ...job, state: 'running', startedMs: this.#nowMs };
        this.#put(running, job);
        this.changes.push({ kind: 'run', job: running, ask: answer.ask });
      }
    }
  }

  /**
   * The graph is another one (daemon-reload): count anew who waits for whom, and cut the rings that came with it.
   *
   * A ring of essential units is cut like any other here: its jobs have been accepted.
   */
  relink(): readonly Cut[] {
    const jobs = this.#jobs
      .entries()
      .map(([, job]) => job)
      .sort((a, b) => a.id - b.id);
    for (const [key] of this.#cuts.entries()) this.#cuts.delete(key);
    const orderly = jobs.map((job) => ({ ...job, going: job.state === 'running' }));
    const { cuts } = arrange(this.#graph, orderly, undefined, undefined, 'cut all') as Order;
    for (const { edge } of cuts) this.#cuts.set(cutKey(edge.from, edge.to), true);
    for (const job of jobs) {
      let blockers = 0;
      for (const { mine, other } of this.#pairs(job)) if (mine && other.unit !== job.unit) blockers += 1;
      if (blockers !== job.blockers) this.#put({ ...job, blockers }, job);
      this.#ready.add(job.id);
    }
    return cuts;
  }

  /** For each ordering with another job: the other, and whether `job` is the one who waits. */
  *#pairs(job: InstalledJob): Generator<{ readonly mine: boolean; readonly other: InstalledJob }> {
    for (const { later, earlier } of orderingsOf(this.#graph, job.unit)) {
      const other = this.jobOf(later === job.unit ? earlier : later);
      if (other === undefined) continue;
      const who = later === job.unit ? waiter(job, other) : waiter(other, job);
      if (who === undefined || this.#cuts.get(cutKey(later, earlier)) !== undefined) continue;
      yield { mine: (who === 'later' ? later : earlier) === job.unit, other };
    }
  }

  /** Put a job that nobody waits for yet, and have it and others wait for one another. */
  #putLinked(job: InstalledJob, before?: InstalledJob): void {
    let blockers = 0;
    for (const { mine, other } of this.#pairs(job)) {
      if (mine) blockers += 1;
      else this.#block(other.id, 1);
    }
    this.#put(blockers === job.blockers ? job : { ...job, blockers }, before);
  }

  #unlink(job: InstalledJob): void {
    for (const { mine, other } of this.#pairs(job)) if (!mine) this.#block(other.id, -1);
  }

  #block(id: number, by: 1 | -1): void {
    const job = this.jobById(id) as InstalledJob;
    const blockers = job.blockers + by;
    this.#put({ ...job, blockers }, job);
    if (blockers === 0) this.#ready.add(id);
  }

  #replace(before: InstalledJob, after: InstalledJob): void {
    const turns = before.type !== after.type || before.ignoreOrder !== after.ignoreOrder;
    if (!turns) return this.#put(after, before);
    this.#unlink(before);
    this.#putLinked(after, before);
  }

  #remove(job: InstalledJob): void {
    this.#unlink(job);
    for (const { later, earlier } of orderingsOf(this.#graph, job.unit)) this.#cuts.delete(cutKey(later, earlier));
    this.#jobs.delete(String(job.id));
    this.#byUnit.delete(job.unit);
    if (job.state === 'running') this.#running -= 1;
  }

  #put(job: InstalledJob, before?: InstalledJob): void {
    this.#jobs.set(String(job.id), job);
    if (before === undefined) this.#byUnit.set(job.unit, job.id);
    this.#running += (job.state === 'running' ? 1 : 0) - (before?.state === 'running' ? 1 : 0);
  }
}
