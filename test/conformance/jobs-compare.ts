/** What differs between two tellings of one set, in words. */
import type { UnitSet } from '../simulation/generate.ts';
import { type Outcome, type Told, unitOf } from './jobs-peer.ts';

/** One difference. */
export interface Difference {
  readonly request: number;
  readonly what: 'refused' | 'jobs' | 'states' | 'order';
  readonly unit: string;
  readonly theirs: string;
  readonly ours: string;
}

/** Differences of the first request that has any: what comes later follows from it. */
export function compare(set: UnitSet, theirs: Told, ours: Told): readonly Difference[] {
  for (const index of set.requests.keys()) {
    const found = compareOne(set, index, theirs.outcomes[index]!, ours.outcomes[index]!);
    if (found.length > 0) return found;
  }
  return [];
}

function compareOne(set: UnitSet, request: number, theirs: Outcome, ours: Outcome): Difference[] {
  const found: Difference[] = [];
  const note = (what: Difference['what'], unit: string, one: string, other: string) => {
    if (one !== other) found.push({ request, what, unit, theirs: one, ours: other });
  };
  note('refused', '', theirs.refused.join(' '), ours.refused.join(' '));
  for (const unit of Object.keys(set.units)) {
    const of = (told: Outcome) =>
      told.jobs
        .filter((job) => unitOf(job) === unit)
        .map((job) => job.replace(` ${unit} `, ' '))
        .join(', ');
    note('jobs', unit, of(theirs), of(ours));
    note('states', unit, theirs.states[unit] ?? '', ours.states[unit] ?? '');
  }
  if (found.length > 0) return found;
  for (const [later, earlier] of orderings(set)) {
    const place = (told: Outcome) => {
      const [l, e] = [later, earlier].map((unit) => told.jobs.findLastIndex((job) => ran(job, unit)));
      return l === -1 || e === -1 ? 'none' : (l as number) > (e as number) ? 'in order' : 'in reverse';
    };
    note('order', `${later} after ${earlier}`, place(theirs), place(ours));
  }
  return found;
}

/** Only a start that was carried out has waited for its turn. */
const ran = (job: string, unit: string) => job === `start ${unit} done` || job === `start ${unit} failed`;

function orderings(set: UnitSet): [string, string][] {
  return Object.entries(set.units).flatMap(([unit, text]) =>
    [...text.matchAll(/^(After|Before)=(\S+)$/gm)].map(([, kind, other]): [string, string] =>
      kind === 'After' ? [unit, other as string] : [other as string, unit],
    ),
  );
}
