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
}

/** One request of an errand: what is known of it so far. */
export interface Wanted {
  readonly unit: string;
  readonly job: number | null;
  readonly result: JobResult | null;
  readonly notes: readonly string[];
  readonly refusal: Refusal | null;
  readonly over: boolean;
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

/** What the job engine says to one request; see RequestAnswer in src/jobs/logic.ts. */
export type EngineAnswer =
  | { readonly accepted: Readonly<Record<string, number>>; readonly notes: readonly string[] }
  | { readonly refused: Refusal };

/** Answers kept for clients that come back. */
const KEPT_ANSWERS = 256;

interface RequestChange {
  readonly what: 'request';
  readonly requests: readonly { readonly units: readonly string[] }[];
  readonly until: 'enqueued' | 'done';
}

export const find = (errands: readonly Errand[], key: string) => errands.find((errand) => errand.key === key);

/** A new errand; a change of kind `request` begins with nothing known of each of its requests. */
export function begin(key: string, asker: Asker, by: string, change: unknown): Errand {
  const requests = (change as RequestChange).what === 'request' ? (change as RequestChange).requests : [];
  const wanted = requests.map(({ units }) => ({
    unit: units[0] ?? '',
    job: null,
    result: null,
    notes: [],
    refusal: null,
    over: false,
  }));
  return { key, asker, by, change, wanted, answer: undefined };
}

export const put = (errands: readonly Errand[], errand: Errand): readonly Errand[] => [
  ...errands.filter(({ key }) => key !== errand.key),
  errand,
];

/** Note the answer; the oldest answers beyond the bound are forgotten. */
export function answered(errands: readonly Errand[], key: string, answer: unknown): readonly Errand[] {
  const next = errands.map((errand) => (errand.key === key ? { ...errand, answer } : errand));
  const over = next.filter((errand) => errand.answer !== undefined);
  const dropped = new Set(over.slice(0, Math.max(0, over.length - KEPT_ANSWERS)));
  return dropped.size === 0 ? next : next.filter((errand) => !dropped.has(errand));
}

/** The engine has taken or refused the request at `index`. */
export function requested(errand: Errand, index: number, said: EngineAnswer): Errand {
  const until = (errand.change as RequestChange).until;
  return update(errand, (wanted, at) => {
    if (at !== index || wanted.over) return wanted;
    if ('refused' in said) return { ...wanted, refusal: said.refused, over: true };
    const [unit, job] = Object.entries(said.accepted)[0] ?? [wanted.unit, null];
    // Without a job there was nothing to do, which is done at once.
    return {
      ...wanted,
      unit,
      job,
      result: job === null ? 'done' : null,
      notes: said.notes,
      over: job === null || until === 'enqueued',
    };
  });
}

/** A job is over. */
export const jobOver = (errand: Errand, job: number, result: JobResult): Errand =>
  update(errand, (wanted) => (wanted.job === job && !wanted.over ? { ...wanted, result, over: true } : wanted));

/** Does an errand wait for this job? */
export const waitsFor = (errand: Errand, job: number): boolean =>
  errand.answer === undefined && errand.wanted.some((wanted) => wanted.job === job && !wanted.over);

function update(errand: Errand, change: (wanted: Wanted, index: number) => Wanted): Errand {
  return { ...errand, wanted: errand.wanted.map(change) };
}

/** The answer of an errand all of whose requests are over; undefined: it waits. */
export function requestAnswer(errand: Errand): unknown {
  if (errand.wanted.length === 0 || errand.wanted.some(({ over }) => !over)) return undefined;
  const outcomes = errand.wanted.map(({ unit, job, result, notes, refusal }) =>
    refusal === null
      ? { unit, ...(job === null ? {} : { job }), ...(result === null ? {} : { result }), notes }
      : { unit, refusal },
  );
  return { result: { what: 'request', outcomes } };
}
