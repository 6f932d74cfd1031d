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
import { isRefusal, NO_JOBS, plan } from './plan.ts';
import { loadRefusal } from './refusals.ts';
import type { ActiveState, JobGraph, JobMode, JobRequest, Plan, PlanWorld, Refusal, UnitStates } from './types.ts';
import { goesDown, isDown, isUp, isUpOrComing, partsOf } from './verbs.ts';

/** A request for starts and stops at once; undefined: there is nothing to do. */
export function bothWays(
  starts: readonly string[],
  stops: readonly string[],
  by: string,
  title: string,
  mode: JobMode = 'replace',
): JobRequest | undefined {
  if (starts.length + stops.length === 0) return undefined;
  const common = { mode, by, title, automatic: true } as const;
  if (stops.length === 0) return { verb: 'start', units: starts, ...common };
  const also = starts.length === 0 ? {} : { also: [{ verb: 'start', units: starts } as const] };
  return { verb: 'stop', units: stops, ...common, ...also };
}

/** What takes a plan back, seen from the world before it was applied; undefined: nothing can be undone, or nothing is to be. */
export function inverse(
  { graph, states, installed }: PlanWorld,
  planned: Plan,
  by: string,
  title: string,
): JobRequest | undefined {
  const wasWanted = (unit: string) => {
    const job = installed.of(unit);
    if (job !== undefined && job.type !== 'verify-active' && job.type !== 'reload')
      return !goesDown(job.type) || job.type === 'restart';
    return isUpOrComing(states.active(unit));
  };
  const own = new Set(planned.jobs.map(({ unit }) => unit));
  const units = [
    ...planned.jobs.map(({ unit, type }) => ({
      unit,
      up: type !== 'stop',
      counts: type !== 'verify-active' && type !== 'nop',
    })),
    ...planned.replaces
      .filter(({ unit }) => !own.has(unit))
      .map(({ unit }) => ({ unit, up: isUpOrComing(states.active(unit)), counts: true })),
  ].filter(({ unit, up, counts }) => counts && wasWanted(unit) !== up);
  const starts = units.filter(({ up }) => !up).map(({ unit }) => unit);
  const stops = units.filter(({ up }) => up).map(({ unit }) => unit);
  const back = bothWays([...new Set(starts)].sort(), [...new Set(stops)].sort(), by, title);
  return back === undefined ? undefined : exactly(graph, states, planned, back);
}

/**
 * Going back is not to touch what the plan did not touch: a unit that was up while another one, which it is part of, was down is not
 * to be stopped with that one. Where it would be, each unit is brought back by itself.
 */
function exactly(graph: JobGraph, before: UnitStates, planned: Plan, back: JobRequest): JobRequest {
  const types = new Map(planned.jobs.map(({ unit, type }) => [unit, type]));
  const after = (unit: string): ActiveState => {
    const type = types.get(unit);
    if (type === 'start' || type === 'restart') return 'active';
    return type === 'stop' ? 'inactive' : before.active(unit);
  };
  const way = plan({ graph, states: { active: after }, installed: NO_JOBS }, back);
  const own = new Set(partsOf(back).flatMap(({ units }) => units));
  const same = !isRefusal(way) && way.jobs.every(({ unit }) => own.has(unit));
  return same ? back : { ...back, mode: 'ignore-requirements' };
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
  const wanted = bothWays(starts, stops, request.by, request.title ?? request.by, request.mode);
  if (wanted === undefined) return { planned: undefined, request: undefined, notes };
  const planned = plan(world, wanted);
  if (!isRefusal(planned)) return { planned, request: wanted, notes };
  if (planned.error !== 'TransactionJobsConflicting') return { planned, request: wanted, notes };
  const alone: JobRequest = { ...wanted, mode: 'ignore-requirements' };
  notes.push(`each unit is brought back by itself: ${planned.refused}`);
  return { planned: plan(world, alone), request: alone, notes };
}
