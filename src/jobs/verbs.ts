/**
 * The algebra of jobs: which types a verb means in a given state, which types merge, which contradict, and how the
 * change of a unit's state ends a job. Small total functions; everything else in src/jobs is built of them.
 *
 *     nop < verify-active < start ,  reload          (up: the weaker job is contained in the stronger)
 *     start + reload = reload-or-start < restart
 *     stop merges with stop and nop only
 *
 * Merging is the least upper bound of that order, so it is commutative and associative by construction.
 * Source: systemctl(1), "Unit Commands"; systemd.unit(5).
 */
import type {
  ActiveState,
  JobRequest,
  JobResult,
  JobType,
  Passage,
  RequestPart,
  RequestVerb,
  UnitChange,
  UnitFacts,
} from './types.ts';

/** A job type before it is known what the unit is doing. */
export type LooseType = JobType | 'try-restart' | 'try-reload' | 'reload-or-start';
/** What a merge may give. */
export type MergedType = JobType | 'reload-or-start';

export const isUp = (state: ActiveState) => state === 'active' || state === 'reloading';
export const isUpOrComing = (state: ActiveState) => isUp(state) || state === 'activating';
export const isDown = (state: ActiveState) => state === 'inactive' || state === 'failed';
export const isDownOrGoing = (state: ActiveState) => isDown(state) || state === 'deactivating';

/** The job a verb stands for; `reload-or-…` is a question to the unit first (systemctl(1)). */
export function typeOfVerb(verb: RequestVerb, canReload: boolean): LooseType {
  switch (verb) {
    case 'reload-or-restart':
      return canReload ? 'reload-or-start' : 'restart';
    case 'try-reload-or-restart':
      return canReload ? 'try-reload' : 'try-restart';
    default:
      return verb;
  }
}

/** What a compound type means for a unit in this state. */
export function collapse(type: LooseType, state: ActiveState): JobType {
  switch (type) {
    case 'try-restart':
      return isDownOrGoing(state) ? 'nop' : 'restart';
    case 'try-reload':
      return isDownOrGoing(state) ? 'nop' : 'reload';
    case 'reload-or-start':
      return isDownOrGoing(state) ? 'start' : 'reload';
    default:
      return type;
  }
}

/** Each type as the set of things it does; a merge is the union, and sets that are nobody's are contradictions. */
const PARTS: Readonly<Record<MergedType, number>> = {
  nop: 0b00000,
  'verify-active': 0b00001,
  start: 0b00011,
  reload: 0b00101,
  'reload-or-start': 0b00111,
  restart: 0b01111,
  stop: 0b10000,
};
const BY_PARTS: ReadonlyMap<number, MergedType> = new Map(
  Object.entries(PARTS).map(([type, parts]) => [parts, type as MergedType]),
);

/** The one job that does what both do; undefined: they contradict each other. */
export function merge(a: MergedType, b: MergedType): MergedType | undefined {
  return BY_PARTS.get(PARTS[a] | PARTS[b]);
}

export const conflicts = (a: MergedType, b: MergedType) => merge(a, b) === undefined;
/** Does `a` already do all that `b` does? */
export const contains = (a: MergedType, b: MergedType) => merge(a, b) === a;

/** Nothing would happen if this job ran now. */
export function isRedundant(type: JobType, state: ActiveState): boolean {
  switch (type) {
    case 'start':
    case 'verify-active':
      return isUp(state);
    case 'stop':
      return isDown(state);
    case 'nop':
      return true;
    // A reload that runs may have read the old configuration, and a restart is never the same as none.
    case 'reload':
    case 'restart':
      return false;
  }
}

/** Can such a job ever make sense for this unit? A start can, even where we cannot start: it may appear by itself. */
export function isApplicable(type: LooseType, facts: UnitFacts | undefined): boolean {
  switch (type) {
    case 'start':
    case 'verify-active':
    case 'nop':
      return true;
    case 'stop':
      return !facts?.perpetual;
    case 'restart':
    case 'try-restart':
      return facts?.canStart === true && facts.canStop && !facts.perpetual;
    case 'reload':
    case 'try-reload':
      return facts?.canReload === true;
    case 'reload-or-start':
      return facts?.canReload === true && facts.canStart;
  }
}

/** A stop, or the stop phase of a restart: such jobs go first. */
export const goesDown = (type: JobType) => type === 'stop' || type === 'restart';

/**
 * What a change of the unit means for its job.
 *
 * `ends`: the job is over with this result; for a restart `done` is the end of its stop phase only.
 * `expected`: the job wanted this change. A change that no job wanted has consequences of its own (react.ts).
 *
 * Between asking the unit and its answer other news may still arrive (a new status line, a reset of a failure), so a
 * change counts as an answer only where it could not have happened without the question.
 */
export function judge(type: JobType, running: boolean, change: Passage): Verdict {
  const { before, after } = change;
  switch (type) {
    case 'start':
    case 'verify-active':
      if (isUp(after)) return ENDS_DONE;
      if (!running || after === 'activating') return GOES_ON;
      if (!isDown(after)) return UNEXPECTED;
      if (isDown(before) && (change.result ?? 'success') === 'success') return GOES_ON;
      return { ends: endOfStart(after, change.result), expected: false };
    case 'reload':
      if (!running) return GOES_ON;
      if (change.reload !== undefined) return { ends: change.reload, expected: true };
      if (isUpOrComing(after)) return before === 'reloading' && after === 'active' ? ENDS_DONE : GOES_ON;
      return { ends: isDown(after) ? (after === 'failed' ? 'failed' : 'done') : undefined, expected: false };
    case 'stop':
    case 'restart':
      if (isDown(after)) return ENDS_DONE;
      if (!running || after === 'deactivating' || before !== 'deactivating') return GOES_ON;
      return { ends: 'failed', expected: false };
    case 'nop':
      return GOES_ON;
  }
}

/** The changes in a change, one after the other. */
export function passages({ through, ...change }: UnitChange): readonly Passage[] {
  if (through === undefined) return [{ ...change, restarting: false }];
  const { result, reload, ...rest } = change;
  return [
    { ...change, after: through, restarting: true },
    { ...rest, before: through, restarting: false },
  ];
}

export interface Verdict {
  readonly ends: JobResult | undefined;
  readonly expected: boolean;
}

const GOES_ON: Verdict = { ends: undefined, expected: true };
const UNEXPECTED: Verdict = { ends: undefined, expected: false };
const ENDS_DONE: Verdict = { ends: 'done', expected: true };

/** A start that did not lead to `active`: a oneshot that ran is done, and so is one whose conditions (ExecCondition= too) said no. */
function endOfStart(after: ActiveState, result: string | undefined): JobResult {
  if (result === 'assert' || result === 'unsupported') return result;
  return after === 'failed' ? 'failed' : 'done';
}

/** The verbs of a request with their units. */
export const partsOf = (request: JobRequest): readonly RequestPart[] => [request, ...(request.also ?? [])];
