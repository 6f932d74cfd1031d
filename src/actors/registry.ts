/**
 * The units in memory: loaded once, kept as a graph, and shown to planning, actors and clients each in its own way.
 *
 * Nothing here runs anything. What was loaded is only forgotten by `reload`, which reads all of it again.
 */
import type { FilePort, MachineFacts } from '../host/ports.ts';
import type { JobGraph, UnitFacts } from '../jobs/types.ts';
import { machineOf } from '../machines/index.ts';
import type { Json } from '../supervisor/actor.ts';
import type { CacheClock, CacheFile } from '../units/cache.ts';
import { PERPETUAL } from '../units/dependencies.ts';
import {
  createGraph,
  createUnitLoader,
  type Graph,
  type LoadedUnit,
  type LoadedUnits,
  sentence,
  type Unit,
  type UnitLoader,
  type UnitPaths,
  type UnitType,
} from '../units/index.ts';
import { unmaskWords } from '../units/unmask.ts';
import type { SpecWorld, UnitSpec } from './small.ts';
import { sliceOf, type UnitWorld } from './world.ts';

/** Types that appear by themselves: nobody can start them. */
const UNSTARTABLE: ReadonlySet<UnitType> = new Set(['device']);

/** Types whose machine (src/machines/plain.ts) only watches: it refuses to start and stop them. */
const WATCHED: ReadonlySet<UnitType> = new Set(['mount', 'swap', 'timer', 'automount', 'scope']);

/** Units of one request whose files are looked at anew, whatever the last scan of the unit path has found: each costs some dozen stat(2). */
const LOOKED_AGAIN_MAX = 64;

/** More units than these, of one request, are kept for the next core when it is answered. */
const KEPT_AT_ONCE = 256;

export interface RegistryOptions {
  readonly files: FilePort;
  readonly facts: MachineFacts;
  readonly paths: UnitPaths;
  /** Lets units whose files have not changed be kept over a reload. */
  readonly clock?: CacheClock;
  /** Where they are kept for the next core. */
  readonly cacheFile?: CacheFile;
  /** Told of units that have just been read, apart from a reload of all; `readMs`: by an earlier core, at this time. */
  read?(units: readonly Unit[], readMs?: number): void;
  /** When it was told that the unit had been read; ms of CLOCK_REALTIME. */
  readAt?(unit: Unit): number | undefined;
  /** Where units that have actors are kept as they were loaded, for the next core. */
  readonly loaded?: LoadedUnits;
  /** Have its files changed since it was read? */
  changed?(unit: Unit): boolean;
}

export interface Registry extends UnitWorld, SpecWorld {
  readonly loader: UnitLoader;
  readonly graph: Graph;
  readonly jobGraph: JobGraph;
  /**
   * Load names with all they reach; answers with the units that were not in memory before, or were only looked at, by name.
   *
   * @param later many are not kept for the next core at once, but by {@link keepLoaded}, which the caller sees to
   */
  load(names: readonly string[], later?: boolean): readonly Unit[];
  /** Keep what {@link load} has put off: a core that dies before reads the files of these units as they are then. */
  keepLoaded(): void;
  /** Load names with all they reach for a question: they have no actors until the next {@link load}. */
  look(names: readonly string[]): void;
  /** Core was away: until {@link settle}, units that were in memory before are loaded as they were loaded then, whatever their files say now. */
  recall(): void;
  /**
   * Load again, after {@link recall}, what was in memory then. What these have come to reach besides is in memory for a question
   * only: nobody has made actors for it.
   */
  restore(names: readonly string[]): void;
  /** What has not been loaded by now is as its files say. */
  settle(): void;
  /** Replace a unit in memory by another one of its name that comes from no file. */
  put(unit: Unit): void;
  /** Read everything again; answers with all units, and with those of them that are not what they were. */
  reload(names: readonly string[]): { readonly units: readonly Unit[]; readonly changed: readonly Unit[] };
  /** What {@link reload} would answer with, by name; nothing is kept. */
  preview(names: readonly string[]): readonly Unit[];
  /** All units in memory. */
  units(): readonly Unit[];
  /** In memory for a question only. */
  lookedAt(): ReadonlySet<string>;
  /** A unit in memory; else read for this one question, as its files are now. */
  find(name: string): Unit;
  /** Let units go; those that one which stays leads to are in memory for a question only. */
  forget(names: readonly string[]): void;
}

/** The kind of a unit's actor, and its machine's settings. */
export function specOf(unit: Unit): UnitSpec {
  const { kind, settings } = machineOf(unit, sliceOf(unit));
  // Slices that are there for ever are started like others: their group has to be made.
  const present = PERPETUAL.has(unit.name) && unit.type !== 'slice';
  return { name: unit.name, kind, settings: settings as Json, ...(present ? { present } : {}) };
}

const canReload = (unit: Unit) =>
  unit.service !== undefined && (unit.service.ExecReload.length > 0 || unit.service.Type === 'notify-reload');

/** Types that reload by themselves or not at all; the others can be reloaded also if they only pass reloads on (PropagatesReloadTo=). */
const RELOADING: ReadonlySet<UnitType> = new Set(['service', 'mount']);

/** `passesOn` is asked each time: which other units are in memory changes. */
function reloading(facts: UnitFacts, passesOn: () => boolean): UnitFacts {
  if (facts.canReload || RELOADING.has(facts.type)) return facts;
  return {
    ...facts,
    reloadsItself: false,
    get canReload() {
      return passesOn();
    },
  };
}

function factsOf(unit: Unit): UnitFacts {
  const perpetual = PERPETUAL.has(unit.name);
  return {
    name: unit.name,
    type: unit.type,
    loadState: unit.loadState,
    unit: unit.unit,
    canStart: !UNSTARTABLE.has(unit.type),
    canStop: !perpetual && !UNSTARTABLE.has(unit.type),
    canReload: canReload(unit),
    perpetual,
    ...(WATCHED.has(unit.type) ? { unsupported: true as const } : {}),
    ...(unit.loadState === 'loaded' ? {} : { faults: faultsOf(unit) }),
    ...(unit.loadState === 'masked' ? { unmask: unmaskWords(unit.name, unit.fragmentPath) } : {}),
  };
}

/** Faults of a unit that are told with a refusal. */
const MAX_FAULTS = 10;

/** Why a unit is not well loaded, each fault with its place. */
function faultsOf(unit: Unit): readonly string[] {
  const faults = unit.findings.filter(({ severity }) => severity === 'error').map(sentence);
  if (unit.loadState === 'masked' && unit.fragmentPath !== '')
    faults.unshift(`${unit.fragmentPath}: masks ${unit.name}`);
  return faults.slice(0, MAX_FAULTS);
}

const isSameText = (unit: Unit, other: Unit | undefined): boolean =>
  other !== undefined && JSON.stringify(unit) === JSON.stringify(other);

export function createRegistry(options: RegistryOptions): Registry {
  const { files, facts, paths } = options;
  const loader = createUnitLoader(options);
  let graph = createGraph(loader);
  let known = new Map<string, UnitFacts>();

  const jobGraph: JobGraph = {
    units: () => graph.units().map(({ name }) => name),
    facts(name) {
      const unit = graph.get(name);
      if (unit === undefined) return undefined;
      let made = known.get(unit.name);
      if (made === undefined) {
        made = reloading(factsOf(unit), () => graph.edges(unit.name, 'PropagatesReloadTo').length > 0);
        known.set(unit.name, made);
      }
      return made;
    },
    edges: (name, kind) => graph.edges(name, kind),
    others: (name, kind) => graph.others(name, kind),
    referrers: (name) => graph.referrers(name),
  };

  /** In memory, and nobody has been told. */
  const lookedAt = new Set<string>();

  const nowMs = () => options.clock?.realMs() ?? 0;
  /** What is kept for the next core: units that have actors. */
  const all = () => graph.units().filter(({ name }) => !lookedAt.has(name));
  /** Units of an earlier core that nobody has loaded yet, by all of their names. */
  const recalled = new Map<string, LoadedUnit>();

  /** There are units in memory that are not the loader's. */
  let hasRecalled = false;

  const keep = (units: readonly Unit[]): void => {
    const readAt = (unit: Unit) => options.readAt?.(unit) ?? nowMs();
    const own = recalled.size === 0 ? units : units.filter(({ name }) => !recalled.has(name));
    options.loaded?.keep(own, readAt, all);
  };

  /** Loaded, and not yet kept. */
  let loaded: readonly Unit[] = [];

  const keepLoaded = (): void => {
    const units = loaded.filter((unit) => graph.get(unit.name) === unit);
    loaded = [];
    keep(units);
  };

  const loadAll = (names: readonly string[]): readonly Unit[] => {
    forgetStale(names);
    const missing = names.filter((name) => graph.get(name) === undefined);
    if (missing.length === 0) return [];
    const came: Unit[] = [];
    // Whoever starts a unit that was not in memory means its files as they are; of many at once, as they were read last.
    if (missing.length <= LOOKED_AGAIN_MAX) loader.forget(missing.filter((name) => !recalled.has(name)));
    loader.together(() => {
      for (const name of missing) graph.load(name, came);
    });
    const fresh = came.sort((a, b) => (a.name < b.name ? -1 : 1));
    tellRead(fresh);
    return fresh;
  };

  const tellRead = (units: readonly Unit[]): void => {
    if (options.read === undefined) return;
    const times = Map.groupBy(units, ({ name }) => recalled.get(name)?.readMs);
    for (const [readMs, some] of times) options.read(some, readMs);
  };

  /** Of these units those that one of the others leads to. */
  const neededOf = (names: readonly string[]): ReadonlySet<string> => {
    const going = new Set(names);
    const needed = new Set(names.filter((name) => [...graph.referrers(name)].some((other) => !going.has(other))));
    for (const name of needed) for (const other of graph.references(name)) if (going.has(other)) needed.add(other);
    return needed;
  };

  const forget = (names: readonly string[]): void => {
    loader.forget(names);
    graph.forget(names);
    for (const name of names) {
      known.delete(name);
      lookedAt.delete(name);
    }
  };

  /** Since it was decided somebody may have asked about a unit that leads to one of them. */
  const letGo = (names: readonly string[]): void => {
    const needed = neededOf(names);
    for (const name of needed) lookedAt.add(name);
    options.loaded?.drop(names, all);
    forget(names.filter((name) => !needed.has(name)));
  };

  /** What was only looked at is nobody's: where its files have changed, all of that is read anew to which nothing else leads. */
  function forgetStale(names: readonly string[]): void {
    if (lookedAt.size === 0 || options.changed === undefined) return;
    const stale = names.some((name) => {
      const unit = graph.get(name);
      return unit !== undefined && lookedAt.has(unit.name) && options.changed?.(unit) === true;
    });
    if (stale) letGo([...lookedAt]);
  }

  const triggering = (unit: string, suffix: string) =>
    graph.others(unit, 'TriggeredBy').filter((name) => name.endsWith(suffix));

  /** Every unit is the same object as before, and they are those that are asked for: then so is the graph. */
  const isAsBefore = (before: readonly Unit[], names: readonly string[]): boolean => {
    const asked = new Set(names);
    return (
      asked.size === before.length && before.every((unit) => asked.has(unit.name) && loader.load(unit.name) === unit)
    );
  };

  return {
    loader,
    jobGraph,
    get graph() {
      return graph;
    },
    load(names, later = false) {
      const fresh = loadAll(names);
      if (lookedAt.size > 0) for (const { name } of fresh) lookedAt.add(name);
      const taken = lookedAt.size === 0 ? fresh : graph.units().filter(({ name }) => lookedAt.has(name));
      lookedAt.clear();
      if (!later || taken.length <= KEPT_AT_ONCE) keep(taken);
      else loaded = [...loaded, ...taken];
      return taken;
    },
    keepLoaded,
    look(names) {
      for (const { name } of loadAll(names)) lookedAt.add(name);
    },
    recall() {
      const kept = [...(options.loaded?.restore().values() ?? [])];
      for (const one of kept) for (const name of [one.unit.name, ...one.unit.names]) recalled.set(name, one);
      hasRecalled = kept.length > 0;
      loader.remember(kept.map(({ unit }) => unit));
    },
    restore(names) {
      const had = new Set(names);
      const fresh = loadAll(names);
      for (const { name } of fresh) if (!had.has(name)) lookedAt.add(name);
      keep(fresh.filter(({ name }) => had.has(name)));
    },
    settle() {
      const left = [...recalled.values()].filter(({ unit }) => graph.get(unit.name) !== unit);
      recalled.clear();
      loader.forget(left.flatMap(({ unit }) => [unit.name, ...unit.names]));
      options.loaded?.drop([...left.map(({ unit }) => unit.name), ...lookedAt], all);
    },
    put(unit) {
      graph.put(unit);
      options.loaded?.keep([unit], nowMs, all);
    },
    reload(names) {
      loader.refresh();
      const before = graph.units();
      if (isAsBefore(before, names)) {
        options.loaded?.reloaded(nowMs(), all);
        return { units: before, changed: [] };
      }
      const former = new Set(before);
      graph = createGraph(loader);
      known = new Map();
      loadAll(names);
      let changed = graph.units().filter((unit) => !former.has(unit));
      if (hasRecalled) {
        // Those were made from what an earlier core had kept: others now, but of the same text.
        const were = new Map(before.map((unit) => [unit.name, unit]));
        changed = changed.filter((unit) => !isSameText(unit, were.get(unit.name)));
        hasRecalled = false;
      }
      const gone = before.filter(({ name }) => graph.get(name) === undefined).map(({ name }) => name);
      keep(changed.filter(({ name }) => !lookedAt.has(name)));
      options.loaded?.drop(gone, all);
      options.loaded?.reloaded(nowMs(), all);
      return { units: graph.units(), changed };
    },
    preview(names) {
      const fresh = createGraph(createUnitLoader({ files, facts, paths }));
      for (const name of names) fresh.load(name);
      return fresh.units();
    },
    units: () => graph.units(),
    lookedAt: () => lookedAt,
    find(name) {
      forgetStale([name]);
      const unit = graph.get(name);
      if (unit !== undefined) return unit;
      loader.forget([name]);
      const found = loader.load(name);
      options.read?.([found]);
      return found;
    },
    forget: letGo,
    unit: (name) => graph.get(name),
    spec(name) {
      const unit = graph.get(name);
      return unit === undefined ? undefined : specOf(unit);
    },
    socketsOf(service) {
      const named = graph.get(service)?.service?.Sockets ?? [];
      return [...new Set([...triggering(service, '.socket'), ...named.map((name) => graph.canonical(name))])].sort();
    },
    pathsOf: (unit) => triggering(unit, '.path'),
    serviceOf: (trigger) =>
      graph.others(trigger, 'Triggers')[0] ?? `${trigger.slice(0, trigger.lastIndexOf('.'))}.service`,
  };
}
