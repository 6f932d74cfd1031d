/** io.sysmaster.Jobs. */
import { MAX_CONFIRM_MS, type Wish } from '../../jobs/apply.ts';
import { isPlanId } from '../../jobs/identity.ts';
import { readPlan, VERBS } from '../../jobs/read-plan.ts';
import type { JobMode, JobRequest, RequestVerb } from '../../jobs/types.ts';
import { partsOf } from '../../jobs/verbs.ts';
import { askedWords } from '../../jobs/words.ts';
import { type ChangeAnswer, type ChangeResult, ManagerError, type RequestOutcome } from '../manager.ts';
import type { CallContext, Handled, Peer, Reply } from '../session.ts';
import { refusalReply, unitName } from './wire.ts';

type Maybe<T> = T | null | undefined;
type Result<What extends ChangeResult['what']> = Extract<ChangeResult, { readonly what: What }>;
type Progress = Extract<ChangeAnswer, { readonly progress: unknown }>['progress'];

/** Units in one request. */
export const MAX_UNITS = 4096;

const MODES: ReadonlySet<string> = new Set<JobMode>([
  'replace',
  'fail',
  'replace-irreversibly',
  'isolate',
  'flush',
  'ignore-dependencies',
  'ignore-requirements',
  'triggering',
  'restart-dependencies',
  'lenient',
]);

interface Asked {
  readonly verb: string;
  readonly units: readonly string[];
  readonly mode?: Maybe<string>;
  readonly noBlock?: Maybe<boolean>;
  readonly together?: Maybe<boolean>;
  readonly transaction?: Maybe<boolean>;
  readonly requestId?: Maybe<string>;
}

interface AskedApply {
  readonly plan?: Maybe<Readonly<Record<string, unknown>>>;
  readonly id?: Maybe<string>;
  readonly confirmWithinUs?: Maybe<number>;
  readonly noBlock?: Maybe<boolean>;
  readonly transaction?: Maybe<boolean>;
  readonly requestId?: Maybe<string>;
}

function requestOf({ verb, units, mode, transaction }: Asked, peer: Peer): JobRequest {
  const bad = (why: string, todo: string): never => {
    throw new ManagerError({ error: 'BadRequest', unit: units[0] ?? '', why, todo });
  };
  if (!VERBS.has(verb)) bad(`${verb} is not a job`, `use one of ${[...VERBS].join(', ')}`);
  if (!MODES.has(mode ?? 'replace')) bad(`${mode} is not a job mode`, `use one of ${[...MODES].join(', ')}`);
  if (units.length === 0) bad(`${verb} of nothing`, 'name a unit');
  if (units.length > MAX_UNITS) bad(`${units.length} units at once`, `name at most ${MAX_UNITS}`);
  return {
    verb: verb as RequestVerb,
    units: units.map(unitName),
    mode: (mode ?? 'replace') as JobMode,
    by: `uid ${peer.uid}, pid ${peer.pid}`,
    ...(transaction === true ? { tellAll: true } : {}),
  };
}

/** A time to confirm in, in µs as it was asked for. */
export function confirmMsOf(us: Maybe<number>): number | undefined {
  if (us === undefined || us === null) return undefined;
  if (us > 0 && us <= MAX_CONFIRM_MS * 1000) return us / 1000;
  throw new ManagerError({
    error: 'BadRequest',
    unit: '',
    why: `${us} µs is no time to confirm in`,
    todo: 'use up to a day',
  });
}

/** The plan that is to be applied, and by when it must be confirmed. */
function wishOf(asked: AskedApply, { manager, peer }: CallContext): Omit<Wish, 'by'> {
  const bad = (why: string, todo: string): never => {
    throw new ManagerError({ error: 'BadRequest', unit: '', why, todo });
  };
  const { plan, id, confirmWithinUs: us } = asked;
  const brought = plan === undefined || plan === null ? undefined : readPlan(plan, manager.identity());
  if (typeof brought === 'string') return bad(brought, 'make it again: sctl plan VERB UNIT… --save FILE');
  if (brought === undefined && !isPlanId(id ?? ''))
    return bad(
      `${JSON.stringify((id ?? '').slice(0, 80))} is not the id of a plan`,
      'sctl plan tells it: 12 digits and letters a to f',
    );
  if (brought !== undefined) {
    const { mode } = brought.request;
    for (const { verb, units } of partsOf(brought.request)) requestOf({ verb, units, mode }, peer);
  }
  const confirmMs = confirmMsOf(us);
  return {
    id: brought?.id ?? id!,
    ...(brought === undefined ? {} : { plan: brought }),
    ...(confirmMs === undefined ? {} : { confirmMs }),
    ...(asked.transaction === true ? { tellAll: true } : {}),
  };
}

export const outcomeReply = (outcome: RequestOutcome): Reply =>
  'refusal' in outcome ? { unit: outcome.unit, notes: [], refusal: refusalReply(outcome.refusal) } : outcome;

export const jobs = {
  List: (_: unknown, { manager }: CallContext): Handled => ({ reply: { jobs: manager.jobs() } }),
  Request: (asked: Asked, { peer }: CallContext): Handled => {
    const whole = requestOf(asked, peer);
    return {
      change: {
        what: 'request',
        requests:
          asked.together === true ? [whole] : [...new Set(whole.units)].map((unit) => ({ ...whole, units: [unit] })),
        until: asked.noBlock === true ? 'enqueued' : 'done',
      },
      requestId: asked.requestId ?? undefined,
      form: ({ outcomes }: Result<'request'>) => ({ outcomes: outcomes.map(outcomeReply) }),
      progress: (progress: Progress) => ({ progress }),
    };
  },
  Cancel: ({ jobs: ids, requestId }: { jobs?: Maybe<number[]>; requestId?: Maybe<string> }): Handled => ({
    change: { what: 'cancel', jobs: ids ?? 'all' },
    requestId: requestId ?? undefined,
    form: ({ canceled }: Result<'cancel'>) => ({ canceled }),
  }),
  Keep: (asked: Asked & { id: string }, { peer }: CallContext): Handled => ({
    change: { what: 'keep-plan', request: requestOf(asked, peer), id: asked.id },
    requestId: asked.requestId ?? undefined,
    form: ({ id }: Result<'keep-plan'>) => ({ id }),
  }),
  Apply: (asked: AskedApply, context: CallContext): Handled => ({
    change: { what: 'apply', wish: wishOf(asked, context), until: asked.noBlock === true ? 'enqueued' : 'done' },
    requestId: asked.requestId ?? undefined,
    form: ({ outcomes }: Result<'request'>) => ({ outcomes: outcomes.map(outcomeReply) }),
  }),
  Confirmations: (_: unknown, { manager }: CallContext): Handled => ({
    reply: {
      waiting: manager.confirmations().map(({ id, what, by, appliedMs, untilMs, undo, snapshot }) => ({
        id,
        what,
        by,
        appliedUs: Math.round(appliedMs * 1000),
        untilUs: Math.round(untilMs * 1000),
        undo:
          undo !== undefined
            ? askedWords(undo)
            : snapshot !== undefined
              ? 'units and unit files as they were before'
              : '',
      })),
    },
  }),
  Plans: (_: unknown, { manager }: CallContext): Handled => ({
    reply: {
      plans: manager.plans().map(({ id, request, madeMs }) => ({
        id,
        what: askedWords(request),
        by: request.by,
        madeUs: Math.round(madeMs * 1000),
        request,
      })),
    },
  }),
  Confirm: ({ id, requestId }: { id: string; requestId?: Maybe<string> }): Handled => ({
    change: { what: 'confirm', id },
    requestId: requestId ?? undefined,
    form: (answer: Result<'confirm'>) => ({ id: answer.id }),
  }),
  Plan: (
    {
      ending,
      automatic,
      also,
      ...asked
    }: Asked & {
      readonly ending?: Maybe<boolean>;
      readonly automatic?: Maybe<boolean>;
      readonly also?: Maybe<readonly Pick<Asked, 'verb' | 'units'>[]>;
    },
    { manager, peer }: CallContext,
  ): Handled => {
    const [request, ...more] = [asked, ...(also ?? [])].map((part) => requestOf({ ...asked, ...part }, peer)) as [
      JobRequest,
      ...JobRequest[],
    ];
    const parts = more.map(({ verb, units }) => ({ verb, units }));
    const plan = manager.plan(
      {
        ...request,
        ...(automatic === true ? { automatic } : {}),
        ...(parts.length > 0 ? { also: parts } : {}),
      },
      ending === true,
    );
    return { reply: 'refused' in plan ? { refusal: refusalReply(plan) } : { plan } };
  },
};
