/**
 * The way back: what undoes a plan, and how it is planned when its time has come.
 *
 *     was up, or on its way there, and would be stopped      start it again
 *     was down and would be started                          stop it again
 *     restart, reload of what was up                         cannot be undone; it stays as it is
 *     had a start job that the plan cancels                  start it again
 *
 * What a unit does beyond its jobs (OnFailure=, files it writes) is no part of a plan, and none of its way back.
 */
import { isRefusal, plan } from './plan.ts';
import { loadRefusal } from './refusals.ts';
import type { JobRequest, Plan, PlanWorld, Refusal } from './types.ts';
import { goesDown, isDown, isUp, isUpOrComing } from './verbs.ts';

/** A request for starts and stops at once; undefined: there is nothing to do. */
export function bothWays(
  starts: readonly string[],
  stops: readonly string[],
  by: string,
  title: string,
): JobRequest | undefined {
  if (starts.length + stops.length === 0) return undefined;
  const common = { mode: 'replace', by, title, automatic: true } as const;
  if (stops.length === 0) return { verb: 'start', units: starts, ...common };
  const also = starts.length === 0 ? {} : { also: [{ verb: 'start', units: starts } as const] };
  return { verb: 'stop', units: stops, ...common, ...also };
}

/** What takes a plan back, seen from the world before it was applied; undefined: nothing can be undone, or nothing is to be. */
export function inverse(
  { states, installed }: PlanWorld,
  plan: Plan,
  by: string,
  title: string,
): JobRequest | undefined {
  const wasWanted = (unit: string) => {
    const job = installed.of(unit);
    if (job !== undefined && job.type !== 'verify-active' && job.type !== 'reload')
      return !goesDown(job.type) || job.type === 'restart';
    return isUpOrComing(states.active(unit));
  };
  const units = [
    ...plan.jobs.map(({ unit, type }) => ({
      unit,
      up: type !== 'stop',
      counts: type !== 'verify-active' && type !== 'nop',
    })),
    ...plan.replaces
      .filter(({ unit }) => plan.jobs.every((job) => job.unit !== unit))
      .map(({ unit }) => ({ unit, up: isUpOrComing(states.active(unit)), counts: true })),
  ].filter(({ unit, up, counts }) => counts && wasWanted(unit) !== up);
  const starts = units.filter(({ up }) => !up).map(({ unit }) => unit);
  const stops = units.filter(({ up }) => up).map(({ unit }) => unit);
  return bothWays([...new Set(starts)].sort(), [...new Set(stops)].sort(), by, title);
}

/** A way back that can be gone: what is left out, and why. */
export interface WayBack {
  readonly planned: Plan | Refusal | undefined;
  /** The request as it was planned. */
  readonly request: JobRequest | undefined;
  readonly notes: readonly string[];
}

/**
 * Plan starts and stops of many units, of which some may be gone, masked or bound to each other otherwise by now.
 *
 * Units that cannot be started any more are left out. Where what is to be started needs what is to be stopped (which had ended by
 * itself, say), each unit is brought where it is to be without those it needs.
 */
export function planBack(world: PlanWorld, request: JobRequest): WayBack {
  const notes: string[] = [];
  const possible = (verb: JobRequest['verb'], units: readonly string[]) =>
    units.filter((unit) => {
      const active = world.states.active(unit);
      const there = verb === 'stop' ? isDown(active) : isUp(active);
      if (there && world.installed.of(unit) === undefined) return false;
      const facts = world.graph.facts(unit);
      const refused =
        facts === undefined && verb === 'stop'
          ? `${unit} is not in memory`
          : (loadRefusal(unit, facts, verb === 'stop' ? 'stop' : 'start')?.refused ??
            (verb === 'stop' && facts?.perpetual ? `${unit} may never be stopped` : undefined));
      if (refused !== undefined) notes.push(`${verb} ${unit} left out: ${refused}`);
      return refused === undefined;
    });
  const parts = [request, ...(request.also ?? [])].map(({ verb, units }) => ({ verb, units: possible(verb, units) }));
  const starts = parts.filter(({ verb }) => verb === 'start').flatMap(({ units }) => units);
  const stops = parts.filter(({ verb }) => verb === 'stop').flatMap(({ units }) => units);
  const wanted = bothWays(starts, stops, request.by, request.title ?? request.by);
  if (wanted === undefined) return { planned: undefined, request: undefined, notes };
  const planned = plan(world, wanted);
  if (!isRefusal(planned)) return { planned, request: wanted, notes };
  if (planned.error !== 'TransactionJobsConflicting') return { planned, request: wanted, notes };
  const alone: JobRequest = { ...wanted, mode: 'ignore-requirements' };
  notes.push(`each unit is brought back by itself: ${planned.refused}`);
  return { planned: plan(world, alone), request: alone, notes };
}
