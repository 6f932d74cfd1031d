/**
 * All of the job engine as one actor: events in, a new state and effects out. The one place that ties planning, table and
 * reactions together; each of them decides, this only passes on.
 *
 * Events (all carry `atMs`):
 *
 * | event             | fields                      | who sends it                                                      |
 * |-------------------|-----------------------------|-------------------------------------------------------------------|
 * | `request`         | request, client?            | api, timers, this actor itself                                    |
 * | `unit-request`    | {@link UnitRequest}         | a unit (`requestJob`); refused: `job-refused` {why} goes back     |
 * | `unit-changed`    | those of {@link UnitChange} | every unit, at every change of its view; never for an adopted one |
 * | `unit-refused`    | unit, verb, result, why     | whoever was asked by `askUnit` and could not (condition: `done`)  |
 * | `job-finished`    | id, result, why             | the end of a job's actor                                          |
 * | `cancel`          | ids, by, client?            | api                                                               |
 * | `propagate-reload` | unit                       | a service that reloads by itself                                  |
 * | `units-loaded`    | names?                      | after units were loaded, or (without names) all read anew         |
 * | `units-unloaded`  | names                       | after units were let go of that nobody needs                      |
 * | `keep-plan`       | plan, client                | api: it may be applied by its id                                  |
 * | `apply`           | wish, client, considered    | api: carry out a plan, if it is still what would be done          |
 * | `confirm`         | id, by, client              | api: the plan is not to be undone                                 |
 * | `undo`            | id, considered              | nobody has confirmed, and all is ready for the way back           |
 * | `promised`        | confirmations               | what a core before this one has promised, whose state is lost     |
 * | `bring-back`      | request, wish, client?, considered | a snapshot that is restored                                |
 *
 * **What it believes of the units** is what it has been told by `unit-changed` (`seen`), not what they are at this moment: a
 * unit may be further than the news of it, and a job must not take the answer to an older question for its own. Units never
 * heard of are looked up in the world.
 *
 * **Requests of the rules** (react.ts) are posted to this actor and planned in their turn, like anyone else's.
 *
 * Effects, besides the host's own: {@link JobsEffect}.
 */

import type { Confirmation, KeptPlan } from './apply.ts';
import { isCandidate, isSpare } from './collect.ts';
import { type Durations, MAX_TIMED_UNITS, note, timedAs } from './estimate.ts';
import { stall } from './explain.ts';
import type { IdentityWorld } from './identity.ts';
import { Keeper, type KeeperEvent } from './keeper.ts';
import type { Paged } from './paged.ts';
import * as paged from './paged.ts';
import { isRefusal, plan } from './plan.ts';
import {
  type AnyEffect,
  accepted,
  type Event,
  type JobInput,
  type JobsEffect,
  type JobsOptions,
  type JobsStep,
  type JobsWorld,
  MAX_NOTES,
  type RequestAnswer,
  TOLD_TOGETHER,
  toldCut,
  type UnitRequest,
} from './protocol.ts';
import { type ReactWorld, touched, triggered, triggeredByJob, unexpected } from './react.ts';
import { type Limit, Rules, unitOfDeadline } from './rules.ts';
import { diff, type JobsState, load, patch, save, saveSlowly } from './saved.ts';
import { EMPTY_TABLE, jobById, type TableChange, viewOf, Work } from './table.ts';
import type {
  ActiveState,
  BegunJob,
  Cut,
  InstalledJob,
  JobGraph,
  JobRequest,
  JobResult,
  Passage,
  Plan,
  Refusal,
  UnitChange,
  UnitStates,
} from './types.ts';
import { isDown, partsOf, passages } from './verbs.ts';
import { requestWords } from './words.ts';

export { type JobsState, jobsOf } from './saved.ts';

const INITIAL: JobsState = {
  supervised: paged.EMPTY,
  table: EMPTY_TABLE,
  seen: paged.EMPTY,
  limits: paged.EMPTY,
  durations: paged.EMPTY,
  plans: paged.EMPTY,
  confirmations: paged.EMPTY,
};

/** Fits the host's Logic. */
export function createJobsLogic(world: JobsWorld, options: Partial<JobsOptions> = {}) {
  const settings: JobsOptions = { self: 'jobs', supervisor: 'job-actors', units: 'units', ...options };
  return {
    name: 'jobs',
    version: 1,
    initial: (_input?: unknown): JobsStep => ({ snapshot: INITIAL, effects: [] }),
    step: (state: JobsState, event: Event): JobsStep => new Turn(world, settings, state, event).run(),
    save,
    saveSlowly,
    load,
    diff,
    patch,
  };
}

/** The world as plan() wants it, as this state sees it: for `--dry-run` and `sctl plan`. */
export function planWorld(world: JobsWorld, state: JobsState): IdentityWorld {
  return {
    graph: world.graph(),
    states: statesSeen(world, state.seen),
    installed: viewOf(state.table),
    settings: (unit) => world.settings?.(unit) ?? '',
    sha256: world.sha256,
  };
}

export function statesSeen(world: JobsWorld, seen: Paged<ActiveState>): UnitStates {
  return { active: (unit) => paged.get(seen, unit) ?? world.states.active(unit) };
}

/** One event, from its arrival to the new state. */
class Turn {
  readonly #options: JobsOptions;
  readonly #world: JobsWorld;
  readonly #state: JobsState;
  readonly #event: Event;
  readonly #graph: JobGraph;
  readonly #seen: paged.Draft<ActiveState>;
  readonly #limits: paged.Draft<Limit>;
  readonly #durations: paged.Draft<Durations>;
  readonly #plans: paged.Draft<KeptPlan>;
  readonly #confirmations: paged.Draft<Confirmation>;
  readonly #supervised: paged.Draft<readonly number[]>;
  readonly #states: UnitStates;
  readonly #work: Work;
  readonly #reactWorld: ReactWorld;
  readonly #rules: Rules;
  readonly #effects: AnyEffect[] = [];
  /** Units whose levels are to be looked at when all else is done. */
  readonly #touched = new Set<string>();
  /** Units that may not be needed in memory any more. */
  readonly #spare = new Set<string>();

  constructor(world: JobsWorld, options: JobsOptions, state: JobsState, event: Event) {
    this.#options = options;
    this.#world = world;
    this.#state = state;
    this.#event = event;
    this.#graph = world.graph();
    this.#seen = new paged.Draft(state.seen);
    this.#limits = new paged.Draft(state.limits);
    this.#durations = new paged.Draft(state.durations);
    this.#plans = new paged.Draft(state.plans);
    this.#confirmations = new paged.Draft(state.confirmations);
    this.#supervised = new paged.Draft(state.supervised);
    this.#states = {
      active: (unit) => this.#seen.get(unit) ?? world.states.active(unit),
      isSetAside: (unit) => world.states.isSetAside?.(unit) === true,
    };
    this.#work = new Work(state.table, this.#graph, this.#states, event.atMs ?? 0);
    this.#reactWorld = {
      graph: this.#graph,
      states: this.#states,
      hasJob: (unit) => this.#work.jobOf(unit) !== undefined,
    };
    this.#rules = new Rules({
      world: this.#reactWorld,
      nowMs: event.atMs ?? 0,
      limits: this.#limits,
      supervised: this.#supervised,
      jobOf: (unit) => this.#work.jobOf(unit),
      ask: (requests) => this.#requestAll(requests),
      effect: (effect) => this.#effect(effect),
    });
  }

  run(): JobsStep {
    this.#take();
    this.#work.settle();
    this.#tell();
    const table = this.#work.done();
    const was = this.#state.table;
    if (table.jobs.size === 0 && was.jobs.size > 0) this.#effect({ type: 'allJobsOver', params: undefined });
    const stands = table.running === 0 && (was.running > 0 || was.jobs.size < table.jobs.size);
    const stalled = stands ? stall(table, this.#graph, this.#states) : undefined;
    if (stalled !== undefined) this.#effect({ type: 'stalled', params: stalled });
    for (const unit of [...this.#touched].sort()) this.#rules.level(unit);
    this.#consider();
    const snapshot: JobsState = {
      supervised: this.#supervised.done(),
      table,
      seen: this.#seen.done(),
      limits: this.#limits.done(),
      durations: this.#durations.done(),
      plans: this.#plans.done(),
      confirmations: this.#confirmations.done(),
    };
    const same = (Object.keys(snapshot) as (keyof JobsState)[]).every((part) => snapshot[part] === this.#state[part]);
    return { snapshot: same ? this.#state : snapshot, effects: this.#effects };
  }

  #take(): void {
    const event = this.#event;
    switch (event.type) {
      case 'request':
        this.#request(event['request'] as JobRequest, event['client']);
        break;
      case 'unit-changed':
        this.#unitChanged(event as unknown as UnitChange);
        break;
      case 'unit-refused':
        this.#unitRefused(event as unknown as { unit: string; verb: string; result: JobResult; why: string });
        break;
      case 'job-finished':
        this.#work.finish(event['id'] as number, event['result'] as JobResult, (event['why'] as string) ?? '');
        break;
      case 'cancel':
        this.#cancel(event['ids'] as readonly number[], event['by'] as string, event['client']);
        break;
      case 'unit-request':
        this.#unitRequest(event as unknown as UnitRequest);
        break;
      case 'propagate-reload':
        this.#propagateReload(event['unit'] as string);
        break;
      case 'units-loaded':
        this.#unitsLoaded(event['names'] as readonly string[] | undefined);
        break;
      case 'units-unloaded':
        this.#unitsUnloaded(event['names'] as readonly string[]);
        break;
      case 'keep-plan':
      case 'apply':
      case 'bring-back':
      case 'confirm':
      case 'undo':
      case 'promised':
        this.#keeper().take(event as unknown as KeeperEvent);
        // Of what they have brought into memory, all may be as it was.
        for (const unit of (event['considered'] as readonly string[] | undefined) ?? []) this.#spare.add(unit);
        break;
      case 'deadline':
        if (!this.#keeper().expired(event['name'] as string))
          this.#touched.add(unitOfDeadline(event['name'] as string));
        break;
      // `unit-ended` tells nothing that `through` of a `unit-changed` has not told; nothing can be done about the host's
      // `shutdown` and `effect-failed`.
      default:
    }
  }

  #request(request: JobRequest, client: unknown): void {
    const planned = this.#isOwnRestart(request, client) ? this.#restartItself(request) : this.#planAndInstall(request);
    for (const unit of partsOf(request).flatMap(({ units }) => units)) this.#spare.add(unit);
    if (planned === undefined) return;
    if ('refused' in planned) this.#rules.tryAgain(request, planned.refused);
    if (client === undefined) return;
    this.#effect({ type: 'answer', params: { client, answer: planned } });
  }

  /** Restart= at work: a unit asks for its own restart. */
  #isOwnRestart({ verb, units }: JobRequest, client: unknown): boolean {
    const asker = (client as { readonly unit?: string } | undefined)?.unit;
    return asker !== undefined && verb === 'restart' && units.length === 1 && units[0] === asker;
  }

  /**
   * Its supervisors count it, and may want others to go with it; undefined: one gave up, and stops it, or somebody has asked for
   * that already: a restart of its own never takes the place of a stop (should that be canceled, the unit asks again).
   */
  #restartItself(request: JobRequest): RequestAnswer | undefined {
    const [unit = ''] = request.units;
    if (this.#work.jobOf(unit)?.type === 'stop') return undefined;
    const own = `${unit}: `;
    const how = request.by.startsWith(own) ? request.by.slice(own.length) : request.by;
    const fates = this.#rules.fates(unit, how);
    const over = fates.filter(({ verdict }) => verdict === 'escalate');
    const given = new Set<string>();
    const stopped = over.filter((fate) => {
      const become = this.#rules.escalate(fate, unit, given);
      return become === 'stopped' && fate.stops.includes(fate.supervisor);
    });
    // It waits to be restarted, and is not: so it has failed, and everybody can see whose fault it was.
    const [first] = stopped;
    if (first !== undefined)
      return { refused: { refused: first.why, error: 'OnlyByDependency', unit, todo: `start ${first.supervisor}` } };
    if (over.length > 0) return undefined;
    const sharing = fates.filter(({ others }) => others.length > 0);
    if (sharing.length === 0) return this.#planAndInstall(request);
    const units = [...new Set([unit, ...sharing.flatMap(({ others }) => others)])];
    const answer = this.#planAndInstall({ ...request, units, by: sharing.map(({ why }) => why).join('; ') });
    // Others that cannot be restarted now keep no unit from restarting itself.
    return 'refused' in answer ? this.#planAndInstall(request) : answer;
  }

  #planAndInstall(request: JobRequest): RequestAnswer {
    return this.#install(plan(this.#planWorld(), request), request);
  }

  /** The world as this event found it. */
  #planWorld(): IdentityWorld {
    const { sha256 } = this.#world;
    const settings = (unit: string) => this.#world.settings?.(unit) ?? '';
    return { graph: this.#graph, states: this.#states, installed: viewOf(this.#state.table), settings, sha256 };
  }

  #keeper(): Keeper {
    return new Keeper({
      world: this.#planWorld(),
      nowMs: this.#event.atMs ?? 0,
      plans: this.#plans,
      confirmations: this.#confirmations,
      install: (planned, request) => this.#install(planned, request),
      effect: (effect) => this.#effect(effect),
    });
  }

  #install(planned: Plan | Refusal, request: JobRequest): RequestAnswer {
    if (isRefusal(planned)) {
      const message = `${requestWords(request)} for ${request.by}: refused: ${planned.refused}; ${planned.todo}`;
      this.#effect({ type: 'log', params: { level: 'warning', unit: planned.unit, message } });
      return { refused: planned };
    }
    const ids = this.#work.install(planned);
    this.#tellCuts(planned.cuts);
    for (const message of planned.notes.slice(0, MAX_NOTES))
      this.#effect({ type: 'log', params: { level: 'info', message } });
    return accepted(planned, request, ids, this.#graph);
  }

  #tellCuts(cuts: readonly Cut[]): void {
    for (let at = 0; at < cuts.length; at += TOLD_TOGETHER)
      this.#effect({ type: 'orderingsCut', params: { cuts: cuts.slice(at, at + TOLD_TOGETHER).map(toldCut) } });
  }

  #unitRequest({ from, unit, verb, mode, why }: UnitRequest): void {
    const answer = this.#planAndInstall({ verb, units: [unit], mode, by: `${from}: ${why}`, automatic: true });
    if ('refused' in answer) this.#post(`unit:${from}`, { type: 'job-refused', why: answer.refused.refused });
  }

  #unitChanged(event: UnitChange): void {
    const { unit, before, after, result, reload, through } = event;
    const change: UnitChange = {
      unit,
      before,
      after,
      ...(result === undefined ? {} : { result }),
      ...(reload === undefined ? {} : { reload }),
      ...(through === undefined ? {} : { through }),
    };
    for (const passage of passages(change)) this.#passage(passage);
    for (const other of touched(this.#graph, unit)) this.#touched.add(other);
  }

  #passage(passage: Passage): void {
    const job = this.#work.jobOf(passage.unit);
    if (isDown(passage.after)) this.#spare.add(passage.unit);
    if (this.#seen.get(passage.unit) !== passage.after) this.#seen.set(passage.unit, passage.after);
    if (job !== undefined) this.#post(actorOf(job.id), { type: 'unit', change: passage });
    const wanted = this.#work.unitChanged(passage) === 'expected';
    if (!wanted) this.#rules.request(unexpected(this.#reactWorld, passage));
    this.#rules.request(triggered(this.#graph, passage));
    this.#rules.supervise(passage, job?.type);
  }

  /** The unit was asked and says no, or something that had to be asked before it. */
  #unitRefused({ unit, verb, result, why }: { unit: string; verb: string; result: JobResult; why: string }): void {
    const job = this.#work.jobOf(unit);
    if (job === undefined) return;
    // What waits for the unit to come somewhere hears nothing more of it once its machine is set aside.
    if (job.state === 'waiting' && this.#states.isSetAside?.(unit) === true) this.#work.tryAgain(job);
    if (job.state !== 'running') return;
    const asked = job.type === 'restart' ? 'stop' : job.type;
    // A refused stop phase ends the whole restart.
    if (asked === verb) this.#work.finish(job.id, result === 'done' && job.type === 'restart' ? 'failed' : result, why);
  }

  #cancel(ids: readonly number[], by: string, client: unknown): void {
    const known = ids.filter((id) => this.#work.jobById(id) !== undefined);
    for (const id of known) this.#work.finish(id, 'canceled', `canceled by ${by}`);
    if (client !== undefined) this.#effect({ type: 'answerCancel', params: { client, canceled: known } });
  }

  /** The unit reloads by itself; those it passes reloads on to are reloaded where they run. */
  #propagateReload(unit: string): void {
    const by = `${unit} reloads itself (PropagatesReloadTo=)`;
    const running = (to: string) => this.#states.active(to) === 'active' && this.#graph.facts(to)?.canReload === true;
    const units = this.#graph.edges(unit, 'PropagatesReloadTo').map((edge) => edge.to);
    for (const to of new Set(units)) {
      if (running(to)) this.#requestAll([{ verb: 'reload', units: [to], mode: 'fail', by, automatic: true }]);
    }
  }

  /** @param fresh units that came into memory while nothing else has changed; absent: any may be another one, or gone */
  #unitsLoaded(fresh: readonly string[] | undefined): void {
    this.#tellCuts(this.#work.relink());
    if (fresh !== undefined) {
      for (const unit of fresh) this.#touched.add(unit);
      return;
    }
    for (const [unit] of this.#seen.entries()) if (this.#graph.facts(unit) === undefined) this.#seen.delete(unit);
    // A unit that is not in memory may come back; but not for ever, and not at the cost of others.
    if (this.#state.durations.size > MAX_TIMED_UNITS / 2) {
      for (const [unit] of this.#durations.entries())
        if (this.#graph.facts(unit) === undefined) this.#durations.delete(unit);
    }
    for (const unit of this.#graph.units()) {
      this.#touched.add(unit);
      this.#spare.add(unit);
    }
  }

  /**
   * They are as if they had never been there; how long they take is as true when they come back. None of them has a job, for one
   * that has stays; should it be otherwise, nobody is left who could answer the job, so it is over.
   */
  #unitsUnloaded(names: readonly string[]): void {
    for (const unit of names) {
      const job = this.#work.jobOf(unit);
      if (job !== undefined)
        this.#work.finish(job.id, job.type === 'stop' ? 'done' : 'failed', `${unit} has left memory`);
      this.#seen.delete(unit);
      this.#rules.forget(unit);
    }
  }

  /** Have those looked at that may go: the decision falls when nothing is under way any more that could speak of them. */
  #consider(): void {
    const mayGo = (unit: string) =>
      this.#work.jobOf(unit) === undefined && isSpare(this.#graph, unit, this.#states.active(unit));
    const names = [...this.#spare].filter((unit) => isCandidate(this.#graph, unit, mayGo));
    if (names.length > 0) this.#post(this.#options.units, { type: 'consider', names });
  }

  /** What the table did, as effects and as posts to the jobs' actors. */
  #tell(): void {
    let began: BegunJob[] = [];
    const tellBegan = () => {
      if (began.length > 0) this.#effect({ type: 'jobsNew', params: { jobs: began } });
      began = [];
    };
    for (const change of this.#work.changes) {
      const { job } = change;
      switch (change.kind) {
        case 'installed':
          this.#effect({ type: 'startChild', params: { spec: this.#spec(job), supervisor: this.#options.supervisor } });
          began.push(begunJob(job));
          if (began.length === TOLD_TOGETHER) tellBegan();
          break;
        case 'retyped': {
          const was = jobById(this.#state.table, job.id);
          if (was?.type === 'restart' && was.state === 'running' && job.type === 'start') this.#time(was);
          this.#post(actorOf(job.id), { type: 'retyped', jobType: job.type, why: change.why });
          break;
        }
        case 'run':
          this.#post(actorOf(job.id), { type: 'run', ...(change.ask === undefined ? {} : { ask: change.ask }) });
          break;
        case 'finished':
          tellBegan();
          this.#finished(change);
      }
    }
    tellBegan();
  }

  /** How long it ran, for estimates. A restart is told twice: when its stop phase is over, and at its end as a start. */
  #time(job: InstalledJob): void {
    const what = timedAs(job.type);
    const nowMs = this.#event.atMs;
    if (what === undefined || nowMs === undefined || job.startedMs === null) return;
    note(this.#durations, this.#state.durations.size, job.unit, what, nowMs - job.startedMs);
  }

  #finished({ job, result, why, byUnit }: Extract<TableChange, { kind: 'finished' }>): void {
    if (result === 'done') this.#time(job);
    // Its actor knows already if it is itself the messenger, or has been sent the change that ended it; and a nop has none.
    const own = byUnit || (this.#event.type === 'job-finished' && this.#event['id'] === job.id);
    if (!own && job.type !== 'nop') this.#post(actorOf(job.id), { type: 'finish', result, why });
    const { id, unit, type } = job;
    this.#effect({ type: 'jobRemoved', params: { job: { id, unit, type }, result, why } });
    this.#spare.add(job.unit);
    // Whose end it was started for has stayed as long as there was the job (collecting.ts).
    if (job.type === 'start')
      for (const kind of ['OnFailureOf', 'OnSuccessOf'] as const)
        for (const other of this.#graph.others(job.unit, kind)) this.#spare.add(other);
    this.#rules.request(triggeredByJob(this.#graph, job.unit, result));
    for (const unit of touched(this.#graph, job.unit)) this.#touched.add(unit);
    const settings = this.#graph.facts(job.unit)?.unit;
    const action = settings?.JobTimeoutAction ?? 'none';
    if (result === 'timeout' && action !== 'none' && action !== '') {
      const rebootArgument = settings?.JobTimeoutRebootArgument ?? '';
      this.#effect({ type: 'jobTimeoutAction', params: { unit: job.unit, action, rebootArgument } });
    }
  }

  #spec(job: InstalledJob) {
    const settings = this.#graph.facts(job.unit)?.unit;
    const input: JobInput = {
      id: job.id,
      unit: job.unit,
      type: job.type,
      jobTimeoutMs: settings?.JobTimeoutSec ?? 'infinity',
      runningTimeoutMs: settings?.JobRunningTimeoutSec ?? 'infinity',
    };
    return { id: actorOf(job.id), kind: 'job', input, restart: 'temporary', shutdown: 'brutal' };
  }

  #requestAll(requests: readonly JobRequest[]): void {
    for (const request of requests) this.#post(this.#options.self, { type: 'request', request });
  }

  #post(to: string, event: Event): void {
    this.#effect({ type: 'post', params: { to, event } });
  }

  #effect(effect: AnyEffect | JobsEffect): void {
    this.#effects.push(effect);
  }
}

const begunJob = ({ id, unit, type, by, reasons }: InstalledJob): BegunJob => ({
  ...{ id, unit, type, by },
  reasons: reasons.slice(0, 1),
});

export const actorOf = (id: number): string => `job:${id}`;
