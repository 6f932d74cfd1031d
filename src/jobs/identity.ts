/**
 * Which plan a plan is: its id, the state it rests on, and, when that has changed, what has moved.
 *
 * A plan touches the units that planning looked at for a job (`touches`) and those whose jobs it replaces. What is known of each of
 * them at the moment is one line; their hash is the state of the plan. Other units may come and go: they change nothing about it.
 *
 *     active loaded 9f86d081884c                          a unit, with the hash of its settings
 *     inactive loaded 9f86d081884c, job 12 (start)        with a job in the table
 */
import { type Digest, ID_LENGTH, planId, stateHash } from './plan-id.ts';
import type { Plan, PlanWorld } from './types.ts';

/** Looks like the id of a plan. */
export const isPlanId = (text: string) => /^[0-9a-f]{12}$/.test(text);

/** A world in which units have settings. */
export interface IdentityWorld extends PlanWorld {
  /** Hash of a unit's settings as loaded; empty: it has none. */
  readonly settings: (unit: string) => string;
  /** Absent: core makes its hashes itself. */
  readonly sha256?: Digest | undefined;
}

export interface Identity {
  readonly id: string;
  readonly hash: string;
  /** By unit, sorted. */
  readonly units: Readonly<Record<string, string>>;
}

/** What is known of one unit. */
export function stateLine(world: IdentityWorld, unit: string): string {
  const job = world.installed.of(unit);
  const load = world.graph.facts(unit)?.loadState ?? 'not-found';
  const settings = world.settings(unit).slice(0, ID_LENGTH) || '-';
  return `${world.states.active(unit)} ${load} ${settings}${job === undefined ? '' : `, job ${job.id} (${job.type})`}`;
}

export function identify(world: IdentityWorld, plan: Plan): Identity {
  const touched = [...new Set([...plan.touches, ...plan.replaces.map(({ unit }) => unit)])].sort();
  const units: Record<string, string> = {};
  for (const unit of touched) units[unit] = stateLine(world, unit);
  const hash = stateHash(units, world.sha256);
  return { id: planId(plan.request, hash, plan.jobs, plan.replaces, world.sha256), hash, units };
}

/** One sentence for each unit that is not what it was. */
export function moved(before: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>): string[] {
  const units = [...new Set([...Object.keys(before), ...Object.keys(now)])].sort();
  return units.flatMap((unit) => {
    const [was, is] = [before[unit], now[unit]];
    if (was === is) return [];
    if (was === undefined) return [`${unit}: was not touched by the plan, is now: ${is}`];
    if (is === undefined) return [`${unit}: was ${was}, is not touched by the plan now`];
    return [`${unit}: ${difference(was, is)}`];
  });
}

const LINE = /^(\S+) (\S+) (\S+)(?:, (job .+))?$/;

function difference(before: string, now: string): string {
  const [was, is] = [LINE.exec(before), LINE.exec(now)];
  if (was === null || is === null) return `was ${before}, is ${now}`;
  const parts: string[] = [];
  if (was[1] !== is[1]) parts.push(`was ${was[1]}, is ${is[1]}`);
  if (was[2] !== is[2]) parts.push(`was ${was[2]}, is ${is[2]}`);
  if (was[3] !== is[3]) parts.push(`its settings were ${was[3]}, are ${is[3]}`);
  if (was[4] !== is[4]) parts.push(`had ${was[4] ?? 'no job'}, has ${is[4] ?? 'no job'}`);
  return parts.join('; ');
}
