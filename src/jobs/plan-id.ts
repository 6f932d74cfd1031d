/**
 * The id of a plan, from what stands in it. Core gives it, and sctl sees by it whether a plan file still is what core has written: the
 * id says all that applying does, so a plan with the jobs of another one never goes by its name.
 */
import { sha256 } from './hash.ts';
import type { JobRequest, Plan, PlannedJob } from './types.ts';
import { partsOf } from './verbs.ts';

/** Digits of an id and of the hash of a unit's settings: enough to tell apart, short enough to be read aloud. */
export const ID_LENGTH = 12;

/** What makes a hash of a text; a host may have a quicker one than {@link sha256}, and never another. */
export type Digest = (text: string) => string;

/** The hash of the state of units: a line of text by unit. */
export const stateHash = (units: Readonly<Record<string, string>>, digest: Digest = sha256): string =>
  digest(JSON.stringify(Object.fromEntries(Object.entries(units).sort(([a], [b]) => (a < b ? -1 : 1)))));

/** @param hash of the state of the units that the plan touches */
export function planId(
  request: JobRequest,
  hash: string,
  jobs: readonly Pick<PlannedJob, 'unit' | 'type' | 'wave' | 'after'>[],
  replaces: Plan['replaces'],
  digest: Digest = sha256,
): string {
  const ordered = jobs.map(({ unit, type, wave, after }) => [unit, type, wave, after]);
  const canceled = replaces.map(({ job }) => job);
  return digest(JSON.stringify([1, asked(request), hash, ordered, canceled])).slice(0, ID_LENGTH);
}

/** What was asked, whoever asked it and in whatever order the units were named. */
const asked = (request: JobRequest): unknown => [
  request.mode,
  request.automatic === true,
  partsOf(request).map(({ verb, units }) => [verb, [...new Set(units)].sort()]),
];

/** Two requests of one such text ask for the same. */
export const askedFor = (request: JobRequest): string => JSON.stringify(asked(request));
