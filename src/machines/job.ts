/**
 * One job: one pending change to one unit, from its installation to its result.
 *
 *   waiting -run-> running -unit-> over
 *      '<--- retyped, or the stop phase of a restart ended ---'      deadline, finish: over, from anywhere
 *
 * The machine owns the job's life: it asks the unit, holds the deadlines, and ends with a result. The table
 * (src/jobs/table.ts) owns the job's relations: it says `run` when nothing is in the way, `retyped` when another request was
 * merged into it, `finish` when the fate of another job is its fate too. Each change of the unit is sent on as `unit`; table and
 * machine judge it by one function (`judge` in src/jobs/verbs.ts), so the two never disagree and never wait for each other.
 *
 * JobTimeoutSec= counts from installation, JobRunningTimeoutSec= from `run` (systemd.unit(5)); both may be `infinity`, and are
 * armed all the same: every state that waits shows by which deadline.
 */
import { assign, setup } from 'xstate';
import type { Ask } from '../jobs/attempt.ts';
import type { JobInput } from '../jobs/protocol.ts';
import type { JobResult, JobType, Passage } from '../jobs/types.ts';
import { judge } from '../jobs/verbs.ts';

export type JobDeadline = 'JobTimeoutSec' | 'JobRunningTimeoutSec';

export interface JobContext extends JobInput {
  /** null: not over yet. */
  readonly result: JobResult | null;
  readonly why: string;
  /** The unit's conditions are being looked at; the answer is lost if core dies now. */
  readonly checking: boolean;
}

export type JobEvent =
  /** Nothing is in the way. Without `ask` there is nobody to ask: the unit comes or goes by itself. */
  | { readonly type: 'run'; readonly ask?: Ask }
  /** The unit has changed. */
  | { readonly type: 'unit'; readonly change: Passage }
  /** The unit's conditions are looked at (`on`), or have been answered. */
  | { readonly type: 'checking'; readonly on: boolean }
  /** Core was away while conditions were looked at: the answer is lost. `ask` as it was. */
  | { readonly type: 'ask-again'; readonly ask: Ask }
  | { readonly type: 'retyped'; readonly jobType: JobType; readonly why: string }
  | { readonly type: 'finish'; readonly result: JobResult; readonly why: string }
  | { readonly type: 'deadline'; readonly name: string };

/** How a job ended. */
export interface JobOutput {
  readonly id: number;
  readonly unit: string;
  readonly result: JobResult;
  readonly why: string;
}

/** An effect by name. The machine says that it happens; src/actors says how. */
const effect =
  <Params = undefined>() =>
  (_: unknown, _params: Params) => {};

const verdict = (context: JobContext, event: JobEvent, running: boolean) =>
  event.type === 'unit' ? judge(context.type, running, event.change).ends : undefined;

const known = (name: string): name is JobDeadline => name === 'JobTimeoutSec' || name === 'JobRunningTimeoutSec';

const over = (result: JobResult | undefined, change: Passage) => ({
  result: result ?? 'failed',
  why: `${change.unit} is ${change.after}`,
});

export const jobMachine = setup({
  types: {} as { context: JobContext; events: JobEvent; input: JobInput; output: JobOutput },
  actions: {
    /** Post the verb to the unit, as its machine knows it; a start only when its conditions have held, else answer `unit-refused`. */
    askUnit: effect<{ readonly unit: string; readonly job: number } & Ask>(),
    armDeadline: effect<{ readonly name: JobDeadline; readonly ms: number | 'infinity' }>(),
    disarmDeadline: effect<{ readonly name: JobDeadline }>(),
    setType: assign({ type: (_, type: JobType) => type }),
    setChecking: assign({ checking: (_, on: boolean) => on }),
    setOver: assign((_, end: { readonly result: JobResult; readonly why: string }) => end),
  },
  guards: {
    endsWaiting: ({ context, event }) => verdict(context, event, false) !== undefined,
    endsRunning: ({ context, event }) => verdict(context, event, true) !== undefined,
    endsStopPhase: ({ context, event }) => context.type === 'restart' && verdict(context, event, true) === 'done',
    asked: ({ event }) => event.type === 'run' && event.ask !== undefined,
    knownDeadline: ({ event }) => event.type === 'deadline' && known(event.name),
  },
}).createMachine({
  id: 'job',
  context: ({ input }) => ({ ...input, result: null, why: '', checking: false }),
  initial: 'installed',
  on: {
    finish: {
      target: '.over',
      actions: { type: 'setOver', params: ({ event }) => ({ result: event.result, why: event.why }) },
    },
    deadline: {
      guard: 'knownDeadline',
      target: '.over',
      actions: { type: 'setOver', params: ({ event }) => ({ result: 'timeout', why: `${event.name}= is over` }) },
    },
  },
  states: {
    installed: {
      entry: {
        type: 'armDeadline',
        params: ({ context }) => ({ name: 'JobTimeoutSec', ms: context.jobTimeoutMs }),
      },
      initial: 'waiting',
      exit: { type: 'disarmDeadline', params: { name: 'JobTimeoutSec' } },
      on: { retyped: { target: '.waiting', actions: { type: 'setType', params: ({ event }) => event.jobType } } },
      states: {
        waiting: {
          on: {
            run: [
              {
                guard: 'asked',
                target: 'running',
                actions: {
                  type: 'askUnit',
                  params: ({ context, event }) => ({
                    unit: context.unit,
                    job: context.id,
                    verb: event.ask?.verb ?? 'start',
                    restarting: event.ask?.restarting ?? false,
                  }),
                },
              },
              'running',
            ],
            unit: [
              { guard: 'endsStopPhase', actions: { type: 'setType', params: 'start' } },
              {
                guard: 'endsWaiting',
                target: '#job.over',
                actions: {
                  type: 'setOver',
                  params: ({ context, event }) => over(judge(context.type, false, event.change).ends, event.change),
                },
              },
            ],
          },
        },
        running: {
          entry: {
            type: 'armDeadline',
            params: ({ context }) => ({ name: 'JobRunningTimeoutSec', ms: context.runningTimeoutMs }),
          },
          exit: [
            { type: 'disarmDeadline', params: { name: 'JobRunningTimeoutSec' } },
            { type: 'setChecking', params: false },
          ],
          on: {
            checking: { actions: { type: 'setChecking', params: ({ event }) => event.on } },
            'ask-again': {
              actions: {
                type: 'askUnit',
                params: ({ context, event }) => ({ unit: context.unit, job: context.id, ...event.ask }),
              },
            },
            unit: [
              { guard: 'endsStopPhase', target: 'waiting', actions: { type: 'setType', params: 'start' } },
              {
                guard: 'endsRunning',
                target: '#job.over',
                actions: {
                  type: 'setOver',
                  params: ({ context, event }) => over(judge(context.type, true, event.change).ends, event.change),
                },
              },
            ],
          },
        },
      },
    },
    over: { type: 'final' },
  },
  output: ({ context }) => ({
    id: context.id,
    unit: context.unit,
    result: context.result ?? 'failed',
    why: context.why,
  }),
});

/**
 * What the actor `jobs` is to be told of the end of a job's actor: an ActorKind's `down`. One that failed was a fault of ours:
 * its job must not hang for that.
 */
export function jobDown(jobs: string) {
  return (_actor: string, last: unknown, reason: string, output: unknown) => {
    const context = (last as { readonly context?: JobContext } | undefined)?.context;
    const end = output as JobOutput | undefined;
    const id = end?.id ?? context?.id;
    if (id === undefined) return [];
    const result = end?.result ?? 'failed';
    const why = end?.why ?? `the actor of the job ended: ${reason}`;
    return [{ to: jobs, event: { type: 'job-finished', id, result, why } }];
  };
}
