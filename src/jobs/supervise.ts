/**
 * Supervision for users: what [X-Supervisor] of a target or slice means for its members.
 *
 *     members          of a target: what it Wants= or Requires=; of a slice: the units in it and in slices below it that have
 *                      no such section of their own; but only what can be started and stopped, and no slices
 *     a failure        a member is failed, or is restarted by Restart=, while the unit is up, and no job wanted it
 *     one_for_one      the member is restarted
 *     one_for_all      and with it all members that are up
 *     rest_for_one     and with it those members that are up and ordered after it, directly or through other members
 *     more than Intensity= failures within Period=, or a start limit that forbids a restart:
 *                      the unit and its members are stopped, and OnEscalate= is done; where the unit itself has a supervisor, that
 *                      counts it as a failure of it, and starts the whole group anew, by its own strategy, or gives up in its turn
 *
 * Pure: from graph, states and the times of earlier failures to what is to be asked for. Names and meaning of the strategies
 * are Erlang/OTP's (supervisor, "Supervision Principles"). For users: docs/guide/supervision.md.
 */
import type { MemberSupervision } from '../units/types.ts';
import type { ReactWorld } from './react.ts';
import type { JobGraph, JobRequest } from './types.ts';
import { isUp, isUpOrComing } from './verbs.ts';

type World = Pick<ReactWorld, 'graph' | 'states'>;

/** Slices that lie in each other: no deeper than this. */
const MAX_DEPTH = 64;

/** What one supervisor decides about one failure. */
export interface Fate {
  readonly supervisor: string;
  /** Times of failures within the period, this one first; at most Intensity= and one more. */
  readonly failures: readonly number[];
  readonly verdict: 'restart' | 'escalate';
  /** Members that are restarted with the one that failed, by name. */
  readonly others: readonly string[];
  /** On escalation: what is stopped, and what is done then. */
  readonly stops: readonly string[];
  readonly outcome: { readonly action: string } | { readonly unit: string };
  /** For people, with the place of the section. */
  readonly why: string;
}

const settingsOf = (graph: JobGraph, unit: string): MemberSupervision | undefined => graph.facts(unit)?.unit.Supervisor;

/** Can be restarted, and is no group that would take others along. */
function canBeMember(graph: JobGraph, unit: string): boolean {
  const facts = graph.facts(unit);
  return facts?.canStart === true && facts.canStop && !facts.perpetual && facts.type !== 'slice';
}

const ends = (graph: JobGraph, unit: string, ...kinds: Parameters<JobGraph['edges']>[1][]): string[] =>
  kinds.flatMap((kind) => graph.edges(unit, kind).map(({ to }) => to)).filter((to) => to !== unit);

/** Units that are up and supervise this one, sorted. */
export function supervisorsOf({ graph, states }: World, unit: string): readonly string[] {
  if (!canBeMember(graph, unit)) return [];
  const targets = ends(graph, unit, 'WantedBy', 'RequiredBy').filter(
    (target) => target.endsWith('.target') && settingsOf(graph, target) !== undefined,
  );
  const found = new Set([...targets, ...slicesAround(graph, unit)]);
  return [...found].filter((supervisor) => isUp(states.active(supervisor))).sort();
}

/** Units that are up and supervise a group as a whole, sorted: who is told that it is given up. */
export function outerOf(world: World, group: string): readonly string[] {
  if (!group.endsWith('.slice')) return supervisorsOf(world, group);
  return slicesAround(world.graph, group).filter((slice) => isUp(world.states.active(slice)));
}

/** The next slice around a unit that supervises; at most one. */
function slicesAround(graph: JobGraph, unit: string): readonly string[] {
  let [slice] = ends(graph, unit, 'InSlice');
  for (let depth = 0; slice !== undefined && depth < MAX_DEPTH; depth += 1) {
    if (settingsOf(graph, slice) !== undefined) return [slice];
    [slice] = ends(graph, slice, 'InSlice');
  }
  return [];
}

/** Members of a supervising unit, sorted. */
export function membersOf(graph: JobGraph, supervisor: string): readonly string[] {
  const found = new Set<string>();
  if (supervisor.endsWith('.slice')) {
    const slices = [supervisor];
    for (let at = 0; at < slices.length; at += 1) {
      for (const unit of ends(graph, slices[at] as string, 'SliceOf')) {
        if (!unit.endsWith('.slice')) found.add(unit);
        else if (settingsOf(graph, unit) === undefined && !slices.includes(unit)) slices.push(unit);
      }
    }
  } else for (const unit of ends(graph, supervisor, 'Wants', 'Requires')) found.add(unit);
  return [...found].filter((unit) => canBeMember(graph, unit)).sort();
}

/** Those of `members` that are ordered after one of them. */
function orderedAfter(graph: JobGraph, members: readonly string[], member: string): ReadonlySet<string> {
  const known = new Set(members);
  const found = new Set([member]);
  for (const unit of found) for (const to of ends(graph, unit, 'Before')) if (known.has(to)) found.add(to);
  found.delete(member);
  return found;
}

/** What is known of a failure. */
export interface Failure {
  /** CLOCK_MONOTONIC, ms. */
  readonly nowMs: number;
  /** The result of the member, or why it restarts. */
  readonly how: string;
  /** Earlier failures, newest first. */
  readonly failures: readonly number[];
  /** Its start limit is hit, so it cannot be restarted. */
  readonly hopeless: boolean;
}

export function fateOf({ graph, states }: World, supervisor: string, member: string, failure: Failure): Fate {
  const settings = settingsOf(graph, supervisor) as MemberSupervision;
  const { Strategy, Intensity, Period, OnEscalate, at } = settings;
  const { nowMs, how, hopeless } = failure;
  const since = Period === 'infinity' ? Number.NEGATIVE_INFINITY : nowMs - Period;
  const failures = [nowMs, ...failure.failures.filter((atMs) => atMs >= since)].slice(0, Intensity + 1);
  const members = membersOf(graph, supervisor).filter((unit) => isUpOrComing(states.active(unit)));
  const place = `[X-Supervisor] of ${supervisor} (${at.file}:${at.line})`;
  const what = `${member}: ${how}`;
  const base = {
    supervisor,
    failures,
    outcome: OnEscalate.includes('.') ? { unit: OnEscalate } : actionOf(OnEscalate),
  };
  if (hopeless || failures.length > Intensity) {
    const span = Period === 'infinity' ? 'all its time' : `${Period / 1000} s`;
    const limit = hopeless ? 'it cannot be restarted' : `more than ${Intensity} ${failuresWord(Intensity)} in ${span}`;
    const mayStop = graph.facts(supervisor)?.canStop === true;
    const stops = [...(mayStop ? [supervisor] : []), ...members];
    return {
      ...base,
      verdict: 'escalate',
      others: [],
      stops,
      why: `${place} gave up (OnEscalate=${OnEscalate}): ${what}; ${limit}`,
    };
  }
  const shares = Strategy === 'rest_for_one' ? orderedAfter(graph, members, member) : new Set(members);
  const others = Strategy === 'one_for_one' ? [] : members.filter((unit) => unit !== member && shares.has(unit));
  return { ...base, verdict: 'restart', others, stops: [], why: `${Strategy} by ${place}: ${what}` };
}

const failuresWord = (count: number) => (count === 1 ? 'failure' : 'failures');

const actionOf = (word: string) => ({ action: word === 'stop' ? 'none' : word });

/** A request of these rules. */
export const asked = (verb: 'start' | 'stop' | 'restart', units: readonly string[], by: string): JobRequest => ({
  verb,
  units,
  mode: 'replace',
  by,
  automatic: true,
});
