/** io.sysmaster.Jobs. */
import type { JobMode, JobRequest, RequestVerb } from '../../jobs/types.ts';
import { type ChangeAnswer, type ChangeResult, ManagerError, type RequestOutcome } from '../manager.ts';
import type { CallContext, Handled, Peer, Reply } from '../session.ts';
import { refusalReply, unitName } from './wire.ts';

type Maybe<T> = T | null | undefined;
type Result<What extends ChangeResult['what']> = Extract<ChangeResult, { readonly what: What }>;
type Progress = Extract<ChangeAnswer, { readonly progress: unknown }>['progress'];

/** Units in one request. */
export const MAX_UNITS = 4096;

const VERBS: ReadonlySet<string> = new Set<RequestVerb>([
  'start',
  'stop',
  'restart',
  'reload',
  'verify-active',
  'nop',
  'try-restart',
  'reload-or-start',
  'reload-or-restart',
  'try-reload-or-restart',
]);
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
  readonly requestId?: Maybe<string>;
}

function requestOf({ verb, units, mode }: Asked, peer: Peer): JobRequest {
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
  };
}

const outcomeReply = (outcome: RequestOutcome): Reply =>
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
  Plan: (asked: Asked, { manager, peer }: CallContext): Handled => {
    const plan = manager.plan(requestOf(asked, peer));
    return { reply: 'refused' in plan ? { refusal: refusalReply(plan) } : { plan } };
  },
};
