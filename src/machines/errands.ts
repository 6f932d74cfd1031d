/**
 * The errands of clients: which change is in hand, which of its jobs it waits for, and what it is answered with.
 *
 * Pure functions over plain JSON; the chart in manager.ts calls them. An errand of kind `request` is over when each of its
 * requests is refused, or enqueued (`until` enqueued), or its own job is over (`until` done).
 */
import type { JobResult, Refusal } from '../jobs/types.ts';

/** Who waits for the answer of a change. */
export interface Asker {
  readonly session: number;
  readonly ticket: number;
  /** Which core it has asked: each numbers its sessions anew, so that to the next one these numbers are somebody else's. */
  readonly core: number;
}

/** One unit that an errand waits for: what is known of it so far. A request of several units becomes several of these. */
export interface Wanted {
  /** Place of the request in the change. */
  readonly request: number;
  readonly unit: string;
  readonly job: number | null;
  readonly result: JobResult | null;
  readonly notes: readonly string[];
  readonly refusal: Refusal | null;
  readonly over: boolean;
  /** All jobs of the transaction, where that was asked for. */
  readonly transaction?: readonly unknown[];
}

/** A change in hand or answered. */
export interface Errand {
  readonly key: string;
  readonly asker: Asker;
  /** Who asked, for people. */
  readonly by: string;
  readonly change: unknown;
  /** Requests only; by their place in the change. */
  readonly wanted: readonly Wanted[];
  /** Undefined: not yet. A ChangeAnswer of src/api. */
  readonly answer: unknown;
}

/** What the job engine says to one request; see RequestAnswer in src/jobs/protocol.ts. */
export type EngineAnswer =
  | {
      readonly accepted: Readonly<Record<string, number>>;
      readonly notes: readonly string[];
      readonly transaction?: readonly unknown[];
    }
  | { readonly refused: Refusal };

/** Answers kept for clients that come back. */
const KEPT_ANSWERS = 256;
/** And what they say of units, together: a request of thousands has as many outcomes. */
const KEPT_OUTCOMES = 20_000;

interface RequestChange {
  readonly what: 'request';
  readonly requests: readonly { readonly units: readonly string[] }[];
  readonly until: 'enqueued' | 'done';
}

/** What is kept of a change: an applied plan without the state of its units, which may be long. */
function kept(change: unknown): unknown {
  const { what, wish } = change as { what?: string; wish?: { id: string } };
  return what === 'apply' && wish !== undefined ? { ...(change as object), wish: { id: wish.id } } : change;
}

/** The first units of the requests of a change, as it names them; a plan and a snapshot are one request each. */
function requestsOf(change: unknown): readonly string[] {
  const { what } = change as { what: string };
  if (what === 'request') return (change as RequestChange).requests.map(({ units }) => units[0] ?? '');
  if (what === 'apply') return [`plan ${(change as { wish: { id: string } }).wish.id}`];
  return what === 'restore' ? [`snapshot ${(change as { name: string }).name}`] : [];
}

export const find = (errands: readonly Errand[], key: string) => errands.find((errand) => errand.key === key);

/** A new errand; one that leads to jobs begins with nothing known of each of its requests. */
export function begin(key: string, asker: Asker, by: string, change: unknown): Errand {
  const wanted = requestsOf(change).map((unit, request) => ({
    request,
    unit,
    job: null,
    result: null,
    notes: [],
    refusal: null,
    over: false,
  }));
  return { key, asker, by, change: kept(change), wanted, answer: undefined };
}

export function put(errands: readonly Errand[], errand: Errand): readonly Errand[] {
  const at = errands.findIndex(({ key }) => key === errand.key);
  return at < 0 ? [...errands, errand] : errands.with(at, errand);
}

/** Note the answer, which is all that is kept of the errand then; the oldest answers beyond the bounds are forgotten. */
export function answered(errands: readonly Errand[], key: string, answer: unknown): readonly Errand[] {
  const next = errands.map((errand) =>
    errand.key === key
      ? { ...errand, answer, wanted: [], change: { what: (errand.change as { what?: string }).what } }
      : errand,
  );
  const over = next.filter((errand) => errand.answer !== undefined);
  let [answers, outcomes] = [0, 0];
  const dropped = new Set<Errand>();
  for (const errand of over.toReversed()) {
    answers += 1;
    outcomes += outcomesOf(errand.answer);
    // The newest is always kept: whoever comes back is about to ask for it.
    if (answers > KEPT_ANSWERS || (answers > 1 && outcomes > KEPT_OUTCOMES)) dropped.add(errand);
  }
  return dropped.size === 0 ? next : next.filter((errand) => !dropped.has(errand));
}

const outcomesOf = (answer: unknown): number =>
  (answer as { result?: { outcomes?: readonly unknown[] } } | null)?.result?.outcomes?.length ?? 1;

/** The engine has taken or refused the request at `index`. */
export function requested(errand: Errand, index: number, said: EngineAnswer): Errand {
  const until = (errand.change as RequestChange).until;
  const wanted = errand.wanted.flatMap((one): Wanted | Wanted[] => {
    if (one.request !== index || one.over) return one;
    if ('refused' in said) return { ...one, refusal: said.refused, over: true };
    const jobs = Object.entries(said.accepted);
    // Without a job there was nothing to do, which is done at once.
    if (jobs.length === 0) return { ...one, result: 'done', notes: said.notes, over: true };
    return jobs.map(([unit, job], at) => ({
      ...one,
      unit,
      job,
      notes: at === 0 ? said.notes : [],
      over: until === 'enqueued',
      ...(at === 0 && said.transaction !== undefined ? { transaction: said.transaction } : {}),
    }));
  });
  return { ...errand, wanted };
}

/** A job is over. */
export const jobOver = (errand: Errand, job: number, result: JobResult): Errand =>
  update(errand, (wanted) => (wanted.job === job && !wanted.over ? { ...wanted, result, over: true } : wanted));

/** Does an errand wait for this job? */
export const waitsFor = (errand: Errand, job: number): boolean =>
  errand.answer === undefined && errand.wanted.some((wanted) => wanted.job === job && !wanted.over);

function update(errand: Errand, change: (wanted: Wanted) => Wanted): Errand {
  return { ...errand, wanted: errand.wanted.map(change) };
}

/** The answer of an errand all of whose requests are over; undefined: it waits. */
export function requestAnswer(errand: Errand): unknown {
  if (errand.wanted.length === 0 || errand.wanted.some(({ over }) => !over)) return undefined;
  const outcomes = errand.wanted.map(({ unit, job, result, notes, refusal, transaction }) =>
    refusal === null
      ? {
          unit,
          ...(job === null ? {} : { job }),
          ...(result === null ? {} : { result }),
          notes,
          ...(transaction === undefined ? {} : { transaction }),
        }
      : { unit, refusal },
  );
  return { result: { what: 'request', outcomes } };
}
