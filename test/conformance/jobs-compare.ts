/** What differs between two tellings of one set, in words. */
import { textsOf, type UnitSet } from '../simulation/generate.ts';
import { type Outcome, type Told, unitOf } from './jobs-peer.ts';

/** One difference. */
export interface Difference {
  readonly request: number;
  readonly what: 'refused' | 'jobs' | 'states' | 'order';
  readonly unit: string;
  readonly theirs: string;
  readonly ours: string;
}

/** So many jobs of one unit after one request: units set each other off, and when that ends is another matter (systemd: never). */
const CHASE = 8;

/** Do units set each other off again and again? */
const chases = ({ jobs }: Outcome): boolean =>
  Object.values(Object.groupBy(jobs, unitOf)).some((own) => (own?.length ?? 0) > CHASE);

/** How many requests came to rest, one after the other, before one did not. */
export function rested({ outcomes }: Told): number {
  const first = outcomes.findIndex(chases);
  return first === -1 ? outcomes.length : first;
}

/** Differences of the first request that has any: what comes later follows from it. Only requests that came to rest there are compared. */
export function compare(set: UnitSet, theirs: Told, ours: Told): readonly Difference[] {
  for (let index = 0; index < rested(theirs); index += 1) {
    if (ours.outcomes[index] === undefined)
      return [{ request: index, what: 'states', unit: '', theirs: 'at rest', ours: 'not at rest' }];
    const found = compareOne(set, index, theirs.outcomes[index]!, ours.outcomes[index]!);
    if (found.length > 0) return found;
  }
  return [];
}

/**
 * Requests, by place, that end alike in both, from the same states: what came before them is no matter. Where each of several
 * requests depends on chance, no single run need agree with another in all of them.
 */
export const alike = (set: UnitSet, theirs: Told, ours: Told): readonly number[] =>
  [...set.requests.keys()].slice(0, rested(theirs)).filter((index) => {
    if (ours.outcomes[index] === undefined) return false;
    const before = ({ outcomes }: Told) => (index === 0 ? {} : outcomes[index - 1]!.states);
    const [one, other] = [theirs, ours].map((told) => JSON.stringify(Object.entries(before(told)).sort()));
    return one === other && compareOne(set, index, theirs.outcomes[index]!, ours.outcomes[index]!).length === 0;
  });

function compareOne(set: UnitSet, request: number, theirs: Outcome, ours: Outcome): Difference[] {
  const found: Difference[] = [];
  const note = (what: Difference['what'], unit: string, one: string, other: string) => {
    if (one !== other) found.push({ request, what, unit, theirs: one, ours: other });
  };
  note('refused', '', theirs.refused.join(' '), ours.refused.join(' '));
  for (const unit of Object.keys(textsOf(set))) {
    const of = (told: Outcome) =>
      told.jobs
        .filter((job) => unitOf(job) === unit)
        .map((job) => job.replace(` ${unit} `, ' '))
        .join(', ');
    note('jobs', unit, of(theirs), of(ours));
    note('states', unit, stateOf(theirs, unit), stateOf(ours, unit));
  }
  if (found.length > 0) return found;
  for (const [later, earlier] of orderings(set)) {
    const place = (told: Outcome, of: (job: string, unit: string) => boolean) => {
      const [l, e] = [later, earlier].map((unit) => told.jobs.findLastIndex((job) => of(job, unit)));
      return l === -1 || e === -1 ? 'none' : (l as number) > (e as number) ? 'in order' : 'in reverse';
    };
    note('order', `start ${later} after ${earlier}`, place(theirs, ran), place(ours, ran));
    note('order', `stop ${later} before ${earlier}`, place(theirs, stopped), place(ours, stopped));
  }
  return found;
}

/** A state; of a unit whose start was cut short only that it is down: how far it had come depends on the machine. */
function stateOf({ jobs, states }: Outcome, unit: string): string {
  const state = states[unit] ?? '';
  const short = jobs.includes(`start ${unit} canceled`) && /^(failed|inactive)/.test(state);
  return short ? 'down' : state;
}

/**
 * Where we differ on purpose; undefined: this is none of those. See docs/reference/differences.md, "Jobs".
 */
export function deliberate(
  set: UnitSet,
  differences: readonly Difference[],
  theirs: Told,
  ours: Told,
): string | undefined {
  const request = differences[0]?.request;
  if (request === undefined) return undefined;
  const named = set.requests[request]!;
  const one = theirs.outcomes[request]!;
  const other = ours.outcomes[request]!;
  if (one.deleted === true) return 'an ordering cycle: systemd deletes a job of it, we cut an ordering';
  const about = reaches(set, differences);
  const down = (unit: string | undefined) => /^(inactive|failed)/.test(one.states[unit ?? ''] ?? '');
  const needs = (text: string, kinds: string) =>
    [...text.matchAll(new RegExp(`^(?:${kinds})=(\\S+)$`, 'gm'))].map(([, to]) => to as string);
  const units = Object.entries(textsOf(set));
  if (units.some(([unit, text]) => about(unit) && !down(unit) && needs(text, 'BindsTo').some(down)))
    return 'BindsTo= is a level: who is bound to what is down is stopped';
  if (units.some(([unit, text]) => about(unit) && !down(unit) && needs(text, 'Upholds').some(down)))
    return 'Upholds= is a level: what failed before its upholder was up is started again';
  const unneeded = ([unit, text]: [string, string]) =>
    /^StopWhenUnneeded=yes$/m.test(text) &&
    about(unit) &&
    !down(unit) &&
    other.jobs.includes(`stop ${unit} done`) &&
    units.every(([user, its]) => down(user) || !needs(its, 'Requires|Requisite|Wants|BindsTo|Upholds').includes(unit));
  if (units.some(unneeded)) return 'StopWhenUnneeded= is a level: who only wanted it may have failed to start';
  const started = new Set(units.flatMap(([, text]) => needs(text, 'OnFailure|OnSuccess|Upholds')));
  const byRule = ({ what, unit }: Difference) => what === 'order' && unit.split(' ').some((word) => started.has(word));
  if (differences.every(byRule))
    return 'what a rule starts comes a moment after the jobs that the same event sets free';
  const limited = ({ unit, what }: Difference) =>
    what === 'states' &&
    about(unit) &&
    stateOf(other, unit).endsWith('/start-limit-hit') &&
    !stateOf(one, unit).includes('limit');
  if (differences.some(limited)) return 'a start limit is not forgotten with the unit';
  const kinds = (told: string) => [...new Set(told.split(', '))].sort().join();
  const repeated = ({ what, theirs: one, ours: mine }: Difference) =>
    what === 'order' || (what === 'jobs' && kinds(one) === kinds(mine));
  if (units.some(([, text]) => /^Restart=/m.test(text)) && differences.every(repeated))
    return 'a restart at once: whether jobs that wait for the unit run before it, or are merged with its own, is chance';
  const flushed = ({ what, theirs: one, ours: mine }: Difference) =>
    what === 'order' || one.includes('canceled') !== mine.includes('canceled');
  if (units.some(([, text]) => /^On(Failure|Success)JobMode=flush$/m.test(text)) && differences.every(flushed))
    return 'what a rule starts comes a moment after the jobs that the same event sets free, and flushes those that are left';
  const bad = (unit: string) =>
    [...one.jobs, ...other.jobs].some((job) => unitOf(job) === unit && !/ (done|canceled)$/.test(job));
  const again = ({ unit, theirs: one }: Difference) =>
    about(unit) && /^JobRunningTimeoutSec=/m.test(textsOf(set)[unit] ?? '') && /start failed|^failed/.test(one);
  if (differences.some(again)) return 'a start of what is starting already does not count for the start limit';
  const order = new Set(orderings(set).map(([later, earlier]) => `${later} ${earlier}`));
  const unordered = ([unit, text]: [string, string]) =>
    needs(text, 'Requires|Requisite|BindsTo').some((to) => bad(to) && !order.has(`${unit} ${to}`));
  if (
    units.some(
      (unit) => about(unit[0]) && unordered(unit) && differences.some((difference) => difference.unit === unit[0]),
    )
  )
    return 'a requirement without an ordering: whether it has failed by then is chance';
  if (other.gaveUp === true)
    return 'a contradiction within one transaction: what was given up goes with all that only it wanted';
  const before = theirs.outcomes[request - 1]?.states ?? {};
  if (leftover(set, differences, request, one) || ofDropped(set, differences, request, [before, one.states]))
    return 'a job that only a dropped job wanted: it goes as well, where systemd keeps it';
  const canceled = ({ what, theirs: one, ours: mine }: Difference) =>
    what === 'states' || one.includes('canceled') !== mine.includes('canceled');
  const flushes = [named, named.next].some((one) => one?.mode === 'flush' && one.units.length > 1);
  if (flushes && differences.every(canceled))
    return 'several units with flush: whether jobs of the first are over when the second flushes them is chance';
  const weaker = ({ unit, theirs: one, ours: mine }: Difference) =>
    unit !== '' && about(unit) && mine.includes('verify-active') && !one.includes('verify-active');
  if (differences.some(weaker)) return 'a start that only a dropped job wanted is not merged into a verify-active';
  const unmet = ([unit, text]: [string, string]) =>
    about(unit) &&
    /^(Condition|Assert)/m.test(text) &&
    other.jobs.includes(`start ${unit} dependency`) &&
    needs(text, 'BindsTo').length > 0;
  return units.some(unmet) ? 'BindsTo= beside After= is looked at before conditions' : undefined;
}

/**
 * Can what one unit does have led to all of the differences? Through dependencies other than orderings it reaches every unit that
 * is different, in whichever direction. Orders and refusals may differ anywhere: they tell of no one unit.
 */
function reaches(set: UnitSet, differences: readonly Difference[]): (unit: string) => boolean {
  const names = Object.keys(textsOf(set));
  const pairs = new Map(names.map((unit) => [unit, names.filter((other) => related(set, unit, other))]));
  const wanted = differences.flatMap(({ what, unit }) => (what === 'order' || unit === '' ? [] : [unit]));
  return (from) => {
    const found = new Set([from]);
    for (const unit of found) for (const other of pairs.get(unit) ?? []) found.add(other);
    return wanted.every((unit) => found.has(unit));
  };
}

/**
 * Jobs that only systemd has, of units that nobody asked for, and nobody wanted who has a job beside them: it drops jobs that would
 * do nothing after it has looked for jobs that nobody wants.
 */
function leftover(set: UnitSet, differences: readonly Difference[], request: number, theirs: Outcome): boolean {
  const alone = differences.filter(({ what, ours }) => what === 'jobs' && ours === '').map(({ unit }) => unit);
  const named = set.requests[request]!.units;
  const busy = new Set(theirs.jobs.map(unitOf).filter((unit) => !alone.includes(unit)));
  const wanted = (unit: string) => named.includes(unit) || [...busy].some((other) => related(set, other, unit));
  return alone.length > 0 && !alone.some(wanted);
}

/**
 * Jobs of units that a request leads to only through units that are up: a start of these is dropped, and with it what only they
 * wanted. systemd keeps some of it, by the order of a hash, and it may contradict another job of the transaction.
 */
function ofDropped(
  set: UnitSet,
  differences: readonly Difference[],
  request: number,
  states: readonly Readonly<Record<string, string>>[],
): boolean {
  const isUp = (unit: string) => states.some((of) => /^(active|reloading)/.test(of[unit] ?? ''));
  const said = (unit: string, kinds: string) =>
    [...(textsOf(set)[unit] ?? '').matchAll(new RegExp(`^(?:${kinds})=(\\S+)$`, 'gm'))].map(([, to]) => to as string);
  const wants = (unit: string) => said(unit, 'Requires|Wants|BindsTo|Upholds');
  const reach = (from: string, through: (unit: string) => boolean): ReadonlySet<string> => {
    const found = new Set([from]);
    for (const unit of found) if (unit === from || through(unit)) for (const to of wants(unit)) found.add(to);
    return found;
  };
  const fights = (one: string, other: string) =>
    said(one, 'Conflicts').includes(other) || said(other, 'Conflicts').includes(one);
  // What rules start is a transaction of its own.
  const started = Object.keys(textsOf(set)).flatMap((unit) => said(unit, 'OnFailure|OnSuccess|Upholds'));
  return [...new Set([...set.requests[request]!.units, ...started])].some((from) => {
    const needed = reach(from, (unit) => !isUp(unit));
    const dropped = [...reach(from, () => true)].filter((unit) => !needed.has(unit));
    return differences.some(
      ({ what, unit, theirs: one, ours: mine }) =>
        what === 'jobs' &&
        /start/.test(one + mine) &&
        dropped.some((other) => other === unit || fights(unit, other)) &&
        (dropped.includes(unit) ? one.includes('start') : needed.has(unit)),
    );
  });
}

/** Is there a dependency between the two that is more than an ordering? */
function related(set: UnitSet, one: string, other: string): boolean {
  const says = (from: string, to: string) =>
    textsOf(set)
      [from]!.split('\n')
      .some((line) => !/^(After|Before)=/.test(line) && line.endsWith(`=${to}`));
  return says(one, other) || says(other, one);
}

/** Only a start that was carried out has waited for its turn. */
const ran = (job: string, unit: string) => job === `start ${unit} done` || job === `start ${unit} failed`;

const stopped = (job: string, unit: string) => job === `stop ${unit} done`;

function orderings(set: UnitSet): [string, string][] {
  return Object.entries(textsOf(set)).flatMap(([unit, text]) =>
    [...text.matchAll(/^(After|Before)=(\S+)$/gm)].map(([, kind, other]): [string, string] =>
      kind === 'After' ? [unit, other as string] : [other as string, unit],
    ),
  );
}
