/**
 * What the job engine is told and what it tells: its world, the inputs of its jobs, its effects and its answers. logic.ts has the
 * table of its events.
 */
import type { Confirmation } from './apply.ts';
import type { Stall } from './explain.ts';
import type { JobsState } from './saved.ts';
import type {
  BegunJob,
  Cut,
  InstalledJob,
  JobGraph,
  JobRequest,
  JobResult,
  JobType,
  Plan,
  Refusal,
  UnitStates,
} from './types.ts';
import { partsOf } from './verbs.ts';

/** An answer tells at most so many notes. */
export const MAX_NOTES = 100;
/** Units of a ring that are told: a knot of thousands of units costs thousands of orderings, each of which may close a ring of hundreds. */
const RING_TOLD = 32;
/** And so many jobs, where it is to name all of them. */
const MAX_TOLD_JOBS = 1000;
/** New jobs, or orderings cut, that subscribers and the history are told of at once. */
export const TOLD_TOGETHER = 64;

/** Read only; must not change while a step runs. */
export interface JobsWorld {
  graph(): JobGraph;
  readonly states: UnitStates;
  /** Hash of a unit's settings as loaded; absent: settings are not told apart. */
  settings?(unit: string): string;
  /** SHA-256, where the host makes it quicker than core does. */
  readonly sha256?: ((text: string) => string) | undefined;
}

export interface JobsOptions {
  /** Id of this actor; it posts to itself. */
  readonly self: string;
  /** Supervisor of the jobs' actors. */
  readonly supervisor: string;
  /** The actor that has units unloaded. */
  readonly units: string;
}

/** What a client is told of its request. */
export type RequestAnswer =
  | {
      /** Ids of the jobs of the units it named, by main name; with `--wait`, watch for their `jobRemoved`. */
      readonly accepted: Readonly<Record<string, number>>;
      /** How many jobs the plan had. */
      readonly jobs: number;
      readonly notes: readonly string[];
      readonly cuts: readonly Cut[];
      /** Where the request wants to be told: every job of the transaction. */
      readonly transaction?: readonly { readonly id: number; readonly unit: string; readonly type: JobType }[];
    }
  | { readonly refused: Refusal };

/** Effects of this actor's own; all idempotent. */
export type JobsEffect =
  | { readonly type: 'answer'; readonly params: { readonly client: unknown; readonly answer: RequestAnswer } }
  | {
      readonly type: 'answerCancel';
      readonly params: { readonly client: unknown; readonly canceled: readonly number[] };
    }
  /** The answer to `keep-plan` and `confirm`: the id, or why not. */
  | {
      readonly type: 'answerPlan';
      readonly params: {
        readonly client: unknown;
        readonly what: 'keep-plan' | 'confirm';
        readonly answer: { readonly id: string } | { readonly refused: Refusal };
      };
    }
  | { readonly type: 'jobsNew'; readonly params: { readonly jobs: readonly BegunJob[] } }
  | {
      readonly type: 'jobRemoved';
      readonly params: {
        readonly job: Pick<InstalledJob, 'id' | 'unit' | 'type'>;
        readonly result: JobResult;
        readonly why: string;
      };
    }
  /** Nobody has confirmed: `undo` is to follow when what it names is in memory, and its snapshot is brought back. */
  | { readonly type: 'undo'; readonly params: { readonly confirmation: Confirmation } }
  /** It is undone now; `why` also tells what of it cannot be. */
  | { readonly type: 'undone'; readonly params: { readonly what: string; readonly why: string } }
  /** All that waits to be confirmed, to be kept where it outlives this actor's state. */
  | { readonly type: 'promise'; readonly params: { readonly confirmations: readonly Confirmation[] } }
  | { readonly type: 'dropSnapshot'; readonly params: { readonly name: string } }
  /** An ordering edge is not honoured. */
  | { readonly type: 'orderingsCut'; readonly params: { readonly cuts: readonly Cut[] } }
  /** A supervising unit has given its group up, because of this member. */
  | {
      readonly type: 'gaveUp';
      readonly params: { readonly group: string; readonly member: string; readonly why: string };
    }
  /** Jobs wait, and nothing can move them any more. Told once, when it comes about. */
  | { readonly type: 'stalled'; readonly params: Stall }
  /** JobTimeoutAction= of a unit whose job timed out, or OnEscalate= of one that gave its members up; never `none`. */
  | {
      readonly type: 'jobTimeoutAction';
      readonly params: { readonly unit: string; readonly action: string; readonly rebootArgument: string };
    }
  /** The last job is over: units of Type=idle need wait no longer. */
  | { readonly type: 'allJobsOver'; readonly params: undefined }
  | {
      readonly type: 'log';
      readonly params: { readonly level: 'info' | 'warning'; readonly unit?: string; readonly message: string };
    };

/** What a job's actor is started with; see src/machines/job.ts. */
export interface JobInput {
  readonly id: number;
  readonly unit: string;
  readonly type: JobType;
  readonly jobTimeoutMs: number | 'infinity';
  readonly runningTimeoutMs: number | 'infinity';
}

/** A unit asks for a job, its own or another's. */
export interface UnitRequest {
  readonly from: string;
  readonly unit: string;
  readonly verb: 'start' | 'restart' | 'stop';
  readonly mode: 'replace' | 'fail';
  readonly why: string;
}

// biome-ignore lint/suspicious/noExplicitAny: params are plain JSON; the host's own type for that lives above this layer.
export type AnyEffect = { readonly type: string; readonly params: any };
/** One event; `atMs` is CLOCK_MONOTONIC. */
export interface Event {
  readonly type: string;
  readonly atMs?: number;
  readonly [field: string]: unknown;
}

export interface JobsStep {
  readonly snapshot: JobsState;
  readonly effects: readonly AnyEffect[];
}

/** A cut as it is told. */
export function toldCut(cut: Cut): Cut {
  const more = cut.ring.length - RING_TOLD;
  return more <= 0 ? cut : { ...cut, ring: cut.ring.slice(0, RING_TOLD), more };
}

/** The answer to a request that was accepted. */
export function accepted(
  planned: Plan,
  request: JobRequest,
  ids: ReadonlyMap<string, number>,
  graph: JobGraph,
): RequestAnswer {
  const units = partsOf(request).flatMap((part) => part.units.map((unit) => graph.facts(unit)?.name ?? unit));
  const own = units.flatMap((unit): [string, number][] => {
    const id = ids.get(unit);
    return id === undefined ? [] : [[unit, id]];
  });
  return {
    accepted: Object.fromEntries(own),
    jobs: planned.jobs.length,
    notes: planned.notes.slice(0, MAX_NOTES),
    cuts: planned.cuts.slice(0, MAX_NOTES).map(toldCut),
    ...(request.tellAll === true ? { transaction: transaction(planned, ids) } : {}),
  };
}

function transaction({ jobs }: Plan, ids: ReadonlyMap<string, number>) {
  return jobs.slice(0, MAX_TOLD_JOBS).flatMap(({ unit, type }) => {
    const id = ids.get(unit);
    return id === undefined ? [] : [{ id, unit, type }];
  });
}
