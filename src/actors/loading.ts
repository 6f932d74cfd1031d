/**
 * Units come into memory, for good or anew: what the registry is told, and who hears of it.
 */
import type { ChangeAnswer } from '../api/manager.ts';
import type { Host } from '../host/ports.ts';
import { isDown } from '../jobs/verbs.ts';
import type { ManagerContext } from '../machines/manager.ts';
import type { ActorHost, EffectCall } from '../supervisor/index.ts';
import { compareUnits, type UnitChange } from '../units/changes.ts';
import type { Unit } from '../units/types.ts';
import { activeOf } from './active.ts';
import { beginGenerators } from './generating.ts';
import type { Registry } from './registry.ts';
import { unitsRead } from './views.ts';

export interface LoadingTools {
  readonly host: Host;
  readonly registry: Registry;
  readonly actors: () => ActorHost;
  /** Where generators are looked for; undefined: systemd's and our own directories. */
  readonly generatorDirectories: readonly string[] | undefined;
  /** What is to be done before unit files are read: look at settings, write transient units. */
  beforeLoading(): void;
}

/**
 * Bring units into memory with all they reach, and have their actors made; the posts stand before whatever is posted next.
 *
 * @param ask posts what somebody wants of them: it is planned before the actors of thousands are made, and they are there before a job
 *   asks them for anything
 */
export function bringIn(
  { registry, host }: Pick<LoadingTools, 'registry' | 'host'>,
  call: Pick<EffectCall, 'post'>,
  names: readonly string[],
  ask?: () => void,
): void {
  const fresh = registry.load(names, true);
  if (fresh.length === 0) return ask?.();
  sayFindings(host, fresh);
  const loaded = fresh.map(({ name }) => name);
  call.post('jobs', { type: 'units-loaded', names: loaded });
  ask?.();
  call.post('units', { type: 'load', names: loaded });
  call.post('events', { type: 'loaded' });
}

/** Each finding once, when its unit comes into memory (law 8). */
function sayFindings(host: Host, units: ReturnType<Registry['units']>): void {
  for (const { name, findings } of units) {
    for (const { severity, at, what, why, todo } of findings) {
      const level = severity === 'error' ? 'error' : severity === 'warning' ? 'warning' : 'info';
      host.log.log(level, { unit: name, file: at?.file, line: at?.line, column: at?.column, what, todo }, why);
    }
  }
}

/** What became of reading all unit files again, for those who asked. */
export interface Reloaded {
  readonly findings: number;
  readonly changes: readonly UnitChange[];
}

/** It is up, or on its way. */
const isHeld = ({ actors }: Pick<LoadingTools, 'actors'>, name: string): boolean => !isDown(activeOf(actors(), name));

/** A unit that is held and cannot be loaded any more: with the settings it has, and what there is to tell now. Undefined: it is no such unit. */
export function asItRuns(
  tools: Pick<LoadingTools, 'actors'>,
  was: Unit | undefined,
  is: Unit | undefined,
): Unit | undefined {
  if (was === undefined || is === undefined || is.loadState === 'loaded' || !isHeld(tools, was.name)) return undefined;
  const { loadState, findings, unitFileState } = is;
  return { ...was, loadState, findings, unitFileState };
}

const findingsOf = (units: readonly Unit[]): number => units.reduce((sum, { findings }) => sum + findings.length, 0);

/** What reading all unit files again would change; nothing is. */
export function previewReload({ registry, ...tools }: LoadingTools): Reloaded {
  const before = registry.units();
  const after = registry.preview(before.map(({ name }) => name));
  return {
    findings: findingsOf(after),
    changes: compareUnits(before, after, (name) => isHeld(tools, name)),
  };
}

/**
 * Read all unit files again; actors of units that are still there are told their new settings. A unit that is running and cannot
 * be loaded any more keeps the settings it runs with, so that it can be stopped as it was started; its load state tells.
 */
export function loadAgain(tools: LoadingTools, call: Pick<EffectCall, 'post'>): Reloaded {
  const { registry, host } = tools;
  tools.beforeLoading();
  const before = registry.units();
  const { units: loaded, changed } = registry.reload(before.map(({ name }) => name));
  if (loaded === before) {
    unitsRead(host.clock.realMs());
    call.post('events', { type: 'tell', what: { reloaded: true } });
    return { findings: findingsOf(loaded), changes: [] };
  }
  const changes = compareUnits(before, loaded, (name) => isHeld(tools, name));
  const old = new Map(before.map((unit) => [unit.name, unit]));
  const kept = new Set<string>();
  for (const unit of loaded) {
    const held = asItRuns(tools, old.get(unit.name), unit);
    if (held === undefined) continue;
    kept.add(unit.name);
    registry.put(held);
  }
  unitsRead(host.clock.realMs());
  sayFindings(host, changed);
  const names = changed.map(({ name }) => name).filter((name) => !kept.has(name));
  call.post('units', { type: 'load', names });
  call.post('jobs', { type: 'units-loaded' });
  call.post('events', { type: 'tell', what: { reloaded: true } });
  return { findings: findingsOf(loaded), changes };
}

/**
 * Generators first, then the units; while they run already, this reload ends with that one.
 *
 * @param answer what the change is answered with; undefined: with what the reload has changed
 */
export function regenerate(tools: LoadingTools, call: EffectCall, key: string, answer?: ChangeAnswer): void {
  const own = tools.actors().read<{ context: ManagerContext; value: unknown }>('manager');
  const busy = (own?.context.regenerating ?? null) !== null || own?.value === 'listing' || own?.value === 'generating';
  const generators = busy ? [] : beginGenerators(tools.host, tools.registry.loader.paths, tools.generatorDirectories);
  call.post('manager', { type: 'regenerate', key, generators, ...(answer === undefined ? {} : { answer }) });
}
