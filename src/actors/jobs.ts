/**
 * The job engine and its jobs as actors: what their effects do, and how the table looks from outside.
 */
import type { ChangeAnswer, JobView, Wait } from '../api/manager.ts';
import type { Host } from '../host/ports.ts';
import { type Confirmation, type KeptPlan, keepable, toKeep } from '../jobs/apply.ts';
import { documentOf } from '../jobs/document.ts';
import { waits } from '../jobs/explain.ts';
import { planBack } from '../jobs/inverse.ts';
import { createJobsLogic, type JobsState, jobsOf, planWorld, statesSeen } from '../jobs/logic.ts';
import * as paged from '../jobs/paged.ts';
import { isRefusal, plan } from '../jobs/plan.ts';
import { askedFor } from '../jobs/plan-id.ts';
import type { JobInput, JobsEffect, JobsWorld } from '../jobs/protocol.ts';
import { givesWay } from '../jobs/refusals.ts';
import { membersOf } from '../jobs/supervise.ts';
import { jobById, jobOf } from '../jobs/table.ts';
import type { BegunJob, Cut, InstalledJob, InstalledJobs, JobRequest, Plan, Refusal } from '../jobs/types.ts';
import { createWitness } from '../jobs/witness.ts';
import { edgeWords } from '../jobs/words.ts';
import { type JobContext, jobDown, jobMachine } from '../machines/job.ts';
import type { ServiceContext } from '../machines/service-context.ts';
import { readiness, type UnitSnapshot } from '../machines/view.ts';
import type { ActorEvent, Post } from '../supervisor/actor.ts';
import { type ActorHost, type ActorKind, type EffectCall, type EffectDef, machineLogic } from '../supervisor/index.ts';
import type { Unit } from '../units/types.ts';
import type { Checks } from './checks.ts';
import type { JobsView } from './manager.ts';
import { keepPromises } from './promises.ts';
import { awaited, awaitedWords } from './underway.ts';
import { stampOf } from './views.ts';
import { askerWords } from './why-words.ts';
import type { UnitWorld } from './world.ts';

/** Supervisor of the jobs' actors; the engine's logic starts them below it. */
export const JOBS = 'job-actors';

/** Who is told of a request's outcome: an errand of the manager, or a unit that asked. */
type Client = { readonly errand: string; readonly index: number } | { readonly unit: string };

type Params<Type extends JobsEffect['type']> = Extract<JobsEffect, { type: Type }>['params'];

export interface JobsTools {
  readonly host: Host;
  readonly world: UnitWorld;
  readonly checks: Checks;
  /** Tell the sockets and paths that trigger a unit how it is. */
  tellTriggers(unit: string, call: Pick<EffectCall, 'post'>): void;
  /** Units in memory. */
  units(): readonly Unit[];
  readonly actors: () => ActorHost;
  /** The last job is over: time for what can wait. */
  settled(): void;
  /** Nobody has confirmed it: have what leads back ready, and post `undo`. */
  undo(call: Pick<EffectCall, 'post'>, confirmation: Confirmation): void;
  dropSnapshot(name: string): void;
}

const idempotent = <P>(run: (call: Parameters<EffectDef['run']>[0], params: P) => void): EffectDef => ({
  kind: 'idempotent',
  run: run as EffectDef['run'],
});

/** The kind of the one actor `jobs`. */
export function jobsKind(world: JobsWorld, tools: JobsTools): ActorKind {
  const { host } = tools;
  const witness = createWitness(world);
  const logic = createJobsLogic(witness.world);
  const tellCuts = (call: EffectCall, cuts: readonly Cut[]): void => {
    for (const { why, ...cut } of cuts)
      host.log.log('warning', cut, `ordering cut: ${edgeWords(cut.edge)}: ${why}; sctl analyze cycles shows it`);
    call.post('events', { type: 'tell', what: { cuts } });
  };
  return {
    logic: {
      ...(logic as ActorKind['logic']),
      step(state: JobsState, event) {
        witness.begin();
        return logic.step(state, event);
      },
    },
    looked: () => witness.taken(),
    lost,
    blindEffects: true,
    effects: {
      answer: idempotent((call, { client, answer }: Params<'answer'>) => {
        const asker = client as Client;
        if ('refused' in answer) {
          const { unit, refused, todo } = answer.refused;
          call.post('events', { type: 'tell', what: { refused: { unit, what: `${refused}; ${todo}` } } });
        }
        if ('errand' in asker) {
          call.answer('manager', { type: 'requested', key: asker.errand, index: asker.index, said: answer });
          // Somebody may come to wait for himself, or for what never comes.
          call.post('events', { type: 'look' });
        } else if ('refused' in answer)
          call.post(`unit:${asker.unit}`, { type: 'job-refused', why: answer.refused.refused });
      }),
      answerPlan: idempotent((call, { client, what, answer }: Params<'answerPlan'>) => {
        const { errand } = client as { errand: string };
        call.post('manager', { type: 'carried-out', key: errand, answer: planAnswer(what, answer) });
      }),
      answerCancel: idempotent((call, { client, canceled }: Params<'answerCancel'>) => {
        const { errand } = client as { errand: string };
        call.post('manager', { type: 'carried-out', key: errand, answer: { result: { what: 'cancel', canceled } } });
      }),
      jobsNew: idempotent((call, { jobs }: Params<'jobsNew'>) => {
        call.post('events', { type: 'tell', what: { jobsNew: jobs } });
      }),
      // Those of older cores: the one told of each job by itself, the other did nothing.
      jobNew: idempotent((call, { job }: { readonly job: BegunJob }) => {
        call.post('events', { type: 'tell', what: { jobsNew: [job] } });
      }),
      jobChanged: idempotent(() => undefined),
      jobRemoved: idempotent((call, { job, result, why }: Params<'jobRemoved'>) => {
        const level = result === 'done' || result === 'skipped' ? 'debug' : 'notice';
        host.log.log(level, { job: job.id, type: job.type, unit: job.unit, result, why }, 'job ended');
        call.post('manager', { type: 'job-over', job: job.id, unit: job.unit, result });
        call.post('events', {
          type: 'tell',
          what: { jobRemoved: { id: job.id, unit: job.unit, type: job.type, result }, why },
        });
        tools.tellTriggers(job.unit, call);
      }),
      undo: idempotent((call, { confirmation }: Params<'undo'>) => tools.undo(call, confirmation)),
      undone: idempotent((call, { what, why }: Params<'undone'>) => {
        call.post('events', { type: 'tell', what: { request: { unit: '', what: `undo ${what}`, by: why } } });
      }),
      promise: idempotent((_call, { confirmations }: Params<'promise'>) => keepPromises(host, confirmations)),
      dropSnapshot: idempotent((_call, { name }: Params<'dropSnapshot'>) => tools.dropSnapshot(name)),
      orderingsCut: idempotent((call, { cuts }: Params<'orderingsCut'>) => tellCuts(call, cuts)),
      // That of older cores.
      orderingCut: idempotent((call, { cut }: { readonly cut: Cut }) => tellCuts(call, [cut])),
      gaveUp: idempotent((call, gaveUp: Params<'gaveUp'>) => call.post('events', { type: 'tell', what: { gaveUp } })),
      stalled: idempotent((call) => call.post('events', { type: 'look' })),
      jobTimeoutAction: idempotent((call, { unit, action, rebootArgument }: Params<'jobTimeoutAction'>) =>
        call.post('manager', { type: 'unit-action', unit, action, exitStatus: null, rebootArgument }),
      ),
      allJobsOver: idempotent((call) => {
        call.post('manager', { type: 'idle' });
        call.post('events', { type: 'idle' });
        for (const unit of tools.units())
          if (isIdle(unit, tools.actors().readBegun(`unit:${unit.name}`)))
            call.post(`unit:${unit.name}`, { type: 'idle-go' });
        tools.settled();
      }),
      log: idempotent((_call, { level, unit, message }: Params<'log'>) => host.log.log(level, { unit }, message)),
    },
  };
}

/** Type=idle, and not dormant. Its actor knows, as a rule: a unit that an earlier core has loaded would have to be unpacked for it. */
function isIdle(unit: Unit, snapshot: { readonly context?: Partial<ServiceContext> } | undefined): boolean {
  if (unit.type !== 'service' || snapshot === undefined) return false;
  return (snapshot.context?.settings?.Type ?? unit.service?.Type) === 'idle';
}

/** A refusal that concerns no single unit is an error of the call. */
export function planAnswer(what: Params<'answerPlan'>['what'], answer: Params<'answerPlan'>['answer']): ChangeAnswer {
  if ('id' in answer) return { result: { what, id: answer.id } };
  const { error, unit, refused, todo, details } = answer.refused;
  return { error: { error, unit, why: [refused, ...(details ?? [])].join('\n  '), todo } };
}

/** What was asked of the engine was lost on it: whoever asked is told. */
function lost(_actor: string, event: ActorEvent, error: string): readonly Post[] {
  const { type, client, request } = event as ActorEvent & { readonly client?: Client; readonly request?: JobRequest };
  if (client === undefined) return [];
  const why = `the job engine failed: ${error}`;
  if ('unit' in client) return [{ to: `unit:${client.unit}`, event: { type: 'job-refused', why } }];
  const { errand: key, index } = client;
  const [unit = '', todo] = [request?.units[0], 'ask again; the core log has the details'];
  if (type === 'request') {
    const refused: Refusal = { refused: why, error: 'Faulty', unit, todo };
    return [{ to: 'manager', event: { type: 'requested', key, index, said: { refused } } }];
  }
  return [
    { to: 'manager', event: { type: 'carried-out', key, answer: { error: { error: 'Faulty', unit, why, todo } } } },
  ];
}

/** The kind of each job's actor. */
export function jobKind(tools: JobsTools): ActorKind {
  return {
    logic: machineLogic(jobMachine),
    down: jobDown('jobs'),
    // One that waits for its turn needs no actor for that, unless it is not to wait for ever.
    dormant: (input) => (input as unknown as JobInput).jobTimeoutMs === 'infinity',
    blindEffects: true,
    effects: {
      askUnit: idempotent(
        (
          call,
          { unit, verb, restarting }: { unit: string; verb: 'start' | 'stop' | 'reload'; restarting: boolean },
        ) => {
          // A job may have ended in the turn that asked, or while its unit's conditions are looked at: then nobody asks any more.
          const wanted = () => tools.actors().read(call.actor) !== undefined;
          if (!wanted()) return;
          const snapshot = tools.actors().read<UnitSnapshot>(`unit:${unit}`);
          const loaded = tools.world.unit(unit);
          if (tools.actors().phase(`unit:${unit}`) === 'quarantined') {
            const why = `its machine is quarantined; sctl reset-failed ${unit} releases it`;
            call.post('jobs', { type: 'unit-refused', unit, verb, result: 'failed', why });
          } else if (snapshot === undefined || loaded === undefined) {
            call.post('jobs', { type: 'unit-refused', unit, verb, result: 'failed', why: `${unit} is not in memory` });
          } else if (verb === 'start') {
            if (/\.(?:socket|path)$/.test(unit)) tools.tellTriggers(tools.world.serviceOf(unit), call);
            if (readiness(snapshot, 'start') === 'now')
              tools.checks.start(loaded, call.actor, wanted, ({ to, event }) => call.post(to, event));
          } else call.post(`unit:${unit}`, verb === 'stop' ? { type: 'stop', restarting } : { type: verb });
        },
      ),
    },
  };
}

/** Processes that are asked what they are blocked on, of one look at all jobs: /proc is slow, and nobody reads on for ever. */
const PROCESSES_LOOKED_AT = 64;

export interface JobsViewTools extends Pick<JobsTools, 'host' | 'actors'> {
  /** The processes in the control group of a unit, by its main name. */
  members(unit: string): readonly number[];
}

/** Why a job is where it is: what it waits for, down to the process, the event or the timer. `budget` is counted down. */
function waitsOf(
  job: InstalledJob,
  now: JobsState,
  world: JobsWorld,
  tools: JobsViewTools,
  budget: { processes: number },
): Wait[] {
  const { host, actors } = tools;
  const sinceUs = Math.round((job.startedMs ?? job.createdMs) * 1000);
  const untilUs = firstLimitUs(job, actors());
  return waits(now.table, world.graph(), statesSeen(world, now.seen), job).flatMap((wait): Wait[] => {
    if (wait.on === 'job') return [{ why: wait.why, job: wait.job, unit: wait.unit, pid: undefined, sinceUs, untilUs }];
    const { unit } = wait;
    const told = (why: string, pid?: number): Wait => ({ why, job: undefined, unit, pid, sinceUs, untilUs });
    if (actors().read<{ context: JobContext }>(`job:${job.id}`)?.context.checking === true)
      return [told(`${unit} waits for its conditions to be looked at`)];
    const rest = job.state === 'running' ? '' : 'must come to rest first, and ';
    const things = awaited(unit, actors().read<UnitSnapshot>(`unit:${unit}`), () => tools.members(unit));
    if (things.length === 0) return [told(wait.why)];
    return things.map((thing) => {
      budget.processes -= thing.pid === undefined ? 0 : 1;
      return told(`${unit} ${rest}waits for ${awaitedWords(thing, host, budget.processes >= 0)}`, thing.pid);
    });
  });
}

/** When the first time limit of a job or of its unit's state is over; undefined: there is none. */
function firstLimitUs({ id, unit }: InstalledJob, actors: ActorHost): number | undefined {
  const due = [`job:${id}`, `unit:${unit}`].flatMap((actor) => Object.values(actors.deadlines(actor)));
  const first = Math.min(...due.map((at) => (at === 'infinity' ? Number.POSITIVE_INFINITY : at)));
  return first === Number.POSITIVE_INFINITY ? undefined : Math.round(first * 1000);
}

/** The table as the end of the system finds it: what gives way to it does not hold it up. */
function yielding(installed: InstalledJobs): InstalledJobs {
  const seen = (job: InstalledJob): InstalledJob => (givesWay(job) ? { ...job, irreversible: false } : job);
  return {
    ...installed,
    of(unit) {
      const job = installed.of(unit);
      return job === undefined ? undefined : seen(job);
    },
    all: () => installed.all().map(seen),
    isCut: (later, earlier) => installed.isCut(later, earlier),
  };
}

/** The table as clients see it. */
export function jobsView(world: JobsWorld, tools: JobsViewTools): JobsView {
  const { host, actors } = tools;
  const state = () => actors().read<JobsState>('jobs');
  /** Whoever is told a plan asks next to have it kept: the one that was told last. What has moved since, its apply says. */
  let last: Omit<KeptPlan, 'madeMs'> | undefined;
  const told = (planned: Plan | Refusal, of = world) => {
    const now = state()!;
    if (isRefusal(planned)) return planned;
    const document = documentOf(planWorld(of, now), planned, {
      machineId: host.facts.machineId,
      bootId: host.facts.bootId,
      madeUs: Math.round(host.clock.realMs() * 1000),
      durations: now.durations,
    });
    const { id, state: seen } = document;
    last = toKeep({ id, ...seen }, planned.request);
    return document;
  };
  const made = (request: JobRequest, ending: boolean): Plan | Refusal => {
    const now = planWorld(world, state()!);
    if (!ending) return plan(now, request);
    return plan({ ...now, installed: yielding(now.installed) }, { ...request, automatic: true });
  };
  /** What it waits for is looked up when somebody wants to know: of a target's job that may be ten thousand others. */
  const seen = (now: JobsState, job: InstalledJob, budget: { processes: number }): JobView => ({
    id: job.id,
    unit: job.unit,
    type: job.type,
    state: job.state,
    mode: job.mode,
    by: job.by,
    again: (job.again ?? []).map(({ by, plan }) => `${plan}, asked for by ${askerWords(by)}`),
    created: stampOf(host, job.createdMs),
    started: job.startedMs === null ? undefined : stampOf(host, job.startedMs),
    get waits() {
      const value = waitsOf(job, now, world, tools, budget);
      Object.defineProperty(this, 'waits', { value, enumerable: true });
      return value;
    },
  });
  return {
    list() {
      const now = state();
      const budget = { processes: PROCESSES_LOOKED_AT };
      return now === undefined ? [] : jobsOf(now).map((job) => seen(now, job, budget));
    },
    get(id) {
      const now = state();
      const job = now === undefined ? undefined : jobById(now.table, id);
      return now === undefined || job === undefined ? undefined : seen(now, job, { processes: PROCESSES_LOOKED_AT });
    },
    count() {
      const now = state();
      return now === undefined ? 0 : jobsOf(now).length;
    },
    supervision(unit, settings) {
      const now = state();
      if (now === undefined) return { members: [], failures: [] };
      const sinceMs = settings.Period === 'infinity' ? Number.NEGATIVE_INFINITY : host.clock.nowMs() - settings.Period;
      const failures = (paged.get(now.supervised, unit) ?? []).filter((atMs) => atMs >= sinceMs);
      return {
        members: membersOf(world.graph(), unit),
        failures: failures.map((atMs) => stampOf(host, atMs)),
      };
    },
    of(unit) {
      const now = state();
      const job = now === undefined ? undefined : jobOf(now.table, unit);
      return job === undefined ? undefined : { id: job.id, type: job.type };
    },
    plan: (request, ending = false) => told(made(request, ending)),
    refusal(request, ending) {
      const planned = made(request, ending);
      return isRefusal(planned) ? planned : undefined;
    },
    keepable(request, id) {
      if (last?.id === id && askedFor(last.request) === askedFor(request)) return { plan: { ...last, request } };
      return keepable(planWorld(world, state()!), request, id);
    },
    back: (request, then) => {
      const seen = { ...world, ...then };
      const { planned, notes } = planBack(planWorld(seen, state()!), request);
      return { plan: planned === undefined ? undefined : told(planned, seen), notes };
    },
    confirmations() {
      const now = state();
      const waiting = now === undefined ? [] : paged.entries(now.confirmations).map(([, one]) => one);
      return waiting.sort((a, b) => a.untilMs - b.untilMs || (a.id < b.id ? -1 : 1));
    },
    plans() {
      const now = state();
      const kept = now === undefined ? [] : paged.entries(now.plans).map(([, one]) => one);
      return kept.sort((a, b) => b.madeMs - a.madeMs || (a.id < b.id ? -1 : 1));
    },
  };
}
