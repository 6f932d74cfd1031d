/**
 * What follows from a change of a unit beyond its own job: requests, made by nobody but the rules.
 *
 *     a change nobody asked for
 *       it came up       start what it needs and is not ordered after; stop what it conflicts with
 *       it went down     stop what is bound to it, and where it passes its stop on to
 *     failed             OnFailure=; and when its job ended by timeout or dependency
 *     ended well         OnSuccess=
 *     a level, looked at whenever one of the units involved has changed and has no job:
 *       BindsTo=           active, but bound to one that is down                  -> stop
 *       StopWhenUnneeded=  active, and nobody who is up or coming wants it        -> stop
 *       Upholds=           down, and one that is up upholds it                    -> start
 *
 * Pure: from graph and states to requests. Source: systemd.unit(5), the options named.
 */
import type { DependencyKind } from '../units/types.ts';
import type { ActiveState, JobGraph, JobMode, JobRequest, JobResult, Passage, UnitStates } from './types.ts';
import { isDown, isDownOrGoing, isUp, isUpOrComing } from './verbs.ts';

const MODES: ReadonlySet<string> = new Set<JobMode>([
  'replace',
  'fail',
  'replace-irreversibly',
  'isolate',
  'flush',
  'ignore-dependencies',
  'ignore-requirements',
]);

/** Everything the rules look at. */
export interface ReactWorld {
  readonly graph: JobGraph;
  readonly states: UnitStates;
  readonly hasJob: (unit: string) => boolean;
}

function request(verb: 'start' | 'stop', unit: string, mode: JobMode, by: string): JobRequest {
  return { verb, units: [unit], mode, by, automatic: true };
}

/** A change that no job wanted. */
export function unexpected({ graph, states }: ReactWorld, { unit, before, after }: Passage): JobRequest[] {
  if (isDown(before) && isUpOrComing(after)) return cameUp(graph, states, unit);
  if (!isUpOrComing(before) || !isDownOrGoing(after)) return [];
  return targets(graph, unit, ['BoundBy', 'PropagatesStopTo'])
    .filter(([to]) => !isDownOrGoing(states.active(to)))
    .map(([to, kind]) => request('stop', to, 'replace', `${unit} went down (${kind})`));
}

function cameUp(graph: JobGraph, states: UnitStates, unit: string): JobRequest[] {
  const after = new Set(graph.edges(unit, 'After').map((edge) => edge.to));
  const starts = (kinds: readonly DependencyKind[], mode: JobMode) =>
    targets(graph, unit, kinds)
      .filter(([to]) => !after.has(to) && !isUpOrComing(states.active(to)))
      .map(([to, kind]) => request('start', to, mode, `${unit} came up (${kind})`));
  const stops = targets(graph, unit, ['Conflicts', 'ConflictedBy'])
    .filter(([to]) => !isDownOrGoing(states.active(to)))
    .map(([to, kind]) => request('stop', to, 'replace', `${unit} came up (${kind})`));
  return [...starts(['Requires', 'BindsTo', 'Upholds'], 'replace'), ...starts(['Wants'], 'fail'), ...stops];
}

/** OnFailure= and OnSuccess=. Each unit is asked for by itself, so one that is missing keeps no other from starting. */
export function triggered(graph: JobGraph, change: Passage): JobRequest[] {
  const { unit, before, after } = change;
  if (change.restarting) return [];
  if (after === 'failed' && before !== 'failed') return onFailure(graph, unit, `${unit} failed`);
  const ended = after === 'inactive' && !(['inactive', 'failed', 'maintenance'] as ActiveState[]).includes(before);
  if (!ended) return [];
  return along(graph, unit, 'OnSuccess', graph.facts(unit)?.unit.OnSuccessJobMode, `${unit} ended well (OnSuccess=)`);
}

/** A unit whose job ended like this has failed without its own doing. */
export function triggeredByJob(graph: JobGraph, unit: string, result: JobResult): JobRequest[] {
  if (result !== 'timeout' && result !== 'dependency') return [];
  return onFailure(graph, unit, `the job of ${unit} ended: ${result}`);
}

function onFailure(graph: JobGraph, unit: string, why: string): JobRequest[] {
  return along(graph, unit, 'OnFailure', graph.facts(unit)?.unit.OnFailureJobMode, `${why} (OnFailure=)`);
}

function along(
  graph: JobGraph,
  unit: string,
  kind: DependencyKind,
  mode: string | undefined,
  by: string,
): JobRequest[] {
  const known = mode !== undefined && MODES.has(mode) ? (mode as JobMode) : 'replace';
  return targets(graph, unit, [kind]).map(([to]) => request('start', to, known, by));
}

const NEEDS: readonly DependencyKind[] = ['Requires', 'Requisite', 'Wants', 'BindsTo', 'Upholds'];
const NEEDED_BY: readonly DependencyKind[] = ['RequiredBy', 'RequisiteOf', 'WantedBy', 'BoundBy', 'UpheldBy'];

/** Units whose levels may have changed with the state or job of `unit`. */
export function touched(graph: JobGraph, unit: string): ReadonlySet<string> {
  return new Set([unit, ...targets(graph, unit, [...NEEDS, 'BoundBy']).map(([to]) => to)]);
}

/** What the level-triggered rules want of a unit now; undefined: nothing. */
export function level(world: ReactWorld, unit: string): JobRequest | undefined {
  const { graph, states } = world;
  if (world.hasJob(unit)) return undefined;
  const active = states.active(unit);
  if (active === 'active') return bound(world, unit) ?? unneeded(world, unit);
  if (!isDown(active)) return undefined;
  const upholder = graph
    .edges(unit, 'UpheldBy')
    .find(({ to }) => to !== unit && !world.hasJob(to) && isUp(states.active(to)));
  return upholder === undefined ? undefined : request('start', unit, 'fail', `upheld by ${upholder.to} (Upholds=)`);
}

function bound({ graph, states, hasJob }: ReactWorld, unit: string): JobRequest | undefined {
  const gone = graph.edges(unit, 'BindsTo').find(({ to }) => !hasJob(to) && isDown(states.active(to)));
  return gone === undefined
    ? undefined
    : request('stop', unit, 'replace', `bound to ${gone.to}, which is down (BindsTo=)`);
}

function unneeded(world: ReactWorld, unit: string): JobRequest | undefined {
  if (world.graph.facts(unit)?.unit.StopWhenUnneeded !== true) return undefined;
  const needs = ([to]: readonly [string, DependencyKind]) => world.hasJob(to) || !isDown(world.states.active(to));
  if (targets(world.graph, unit, NEEDED_BY).some(needs)) return undefined;
  return request('stop', unit, 'replace', 'not needed any more (StopWhenUnneeded=)');
}

/** The other ends of a unit's edges of these kinds, each once. */
function targets(graph: JobGraph, unit: string, kinds: readonly DependencyKind[]): [string, DependencyKind][] {
  const found = new Map<string, DependencyKind>();
  for (const kind of kinds) {
    for (const { to } of graph.edges(unit, kind)) if (to !== unit && !found.has(to)) found.set(to, kind);
  }
  return [...found];
}
