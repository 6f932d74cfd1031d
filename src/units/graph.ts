/**
 * The graph: units with their edges and the inverses of these, loaded on demand.
 *
 * Loading a unit loads what its edges name, and so on, as systemd does. Aliases are one unit: an edge leads to a main name.
 * Rules that need two units are here: targets come after what they pull in. All lists are sorted by name, so that nothing
 * depends on the order of loading. Source: systemd.unit(5); systemd.target(5), "Default Dependencies".
 */
import { emptyUnit, type UnitLoader } from './load.ts';
import { typeOf } from './names.ts';
import { originsOf, withOrigins } from './origin.ts';
import type { DependencyKind, Edge, Unit } from './types.ts';

/** Each kind with its inverse (systemd.unit(5), "Mapping of unit properties to their inverses"). */
export const INVERSES: Readonly<Record<DependencyKind, DependencyKind>> = {
  Requires: 'RequiredBy',
  Requisite: 'RequisiteOf',
  Wants: 'WantedBy',
  BindsTo: 'BoundBy',
  PartOf: 'ConsistsOf',
  Upholds: 'UpheldBy',
  Conflicts: 'ConflictedBy',
  Before: 'After',
  After: 'Before',
  OnFailure: 'OnFailureOf',
  OnSuccess: 'OnSuccessOf',
  Triggers: 'TriggeredBy',
  PropagatesReloadTo: 'ReloadPropagatedFrom',
  ReloadPropagatedFrom: 'PropagatesReloadTo',
  PropagatesStopTo: 'StopPropagatedFrom',
  StopPropagatedFrom: 'PropagatesStopTo',
  JoinsNamespaceOf: 'JoinsNamespaceOf',
  SliceOf: 'InSlice',
  RequiredBy: 'Requires',
  RequisiteOf: 'Requisite',
  WantedBy: 'Wants',
  BoundBy: 'BindsTo',
  ConsistsOf: 'PartOf',
  UpheldBy: 'Upholds',
  ConflictedBy: 'Conflicts',
  OnFailureOf: 'OnFailure',
  OnSuccessOf: 'OnSuccess',
  TriggeredBy: 'Triggers',
  InSlice: 'SliceOf',
  References: 'ReferencedBy',
  ReferencedBy: 'References',
};

export const DEPENDENCY_KINDS = Object.keys(INVERSES) as readonly DependencyKind[];

/** What a target pulls in, and therefore waits for. */
const PULLS: readonly DependencyKind[] = ['Requires', 'Requisite', 'Wants', 'BindsTo', 'Upholds'];

export interface Graph {
  /** The unit of a name or alias, with all that it reaches. Never throws; see the unit's loadState. */
  load(name: string): Unit;
  /** A unit that is in the graph, by any of its names. */
  get(name: string): Unit | undefined;
  /** The main name, if the unit is in the graph; otherwise the name itself. */
  canonical(name: string): string;
  /** All units, sorted by name. */
  units(): readonly Unit[];
  /** Edges of a unit and kind, inverses included, each from the unit, sorted by the other end. */
  edges(name: string, kind: DependencyKind): readonly Edge[];
  /** Names at the other end of {@link edges}. */
  others(name: string, kind: DependencyKind): readonly string[];
  /** All edges of a unit, by kind in the order of {@link DEPENDENCY_KINDS}, then by name. */
  allEdges(name: string): readonly Edge[];
  /** Put a unit in that comes from no file (transient, scopes, mounts found running), or replace one; loads what it reaches. */
  put(unit: Unit): void;
  /** Take a unit out, with its own edges; what others say about it stays. */
  remove(name: string): void;
}

/** Units in one graph; beyond it a load gives an error unit, so that no file can grow it without end. */
const UNITS_MAX = 100_000;

export function createGraph(loader: Pick<UnitLoader, 'load'>): Graph {
  const units = new Map<string, Unit>();
  const mainNames = new Map<string, string>();
  /** unit -> kind -> other -> edge. */
  const index = new Map<string, Map<DependencyKind, Map<string, Edge>>>();
  const sorted = new Map<string, readonly Edge[]>();
  let all: readonly Unit[] | undefined;

  const canonical = (name: string): string => mainNames.get(name) ?? name;

  const store = (edge: Edge): void => {
    let kinds = index.get(edge.from);
    if (kinds === undefined) {
      kinds = new Map();
      index.set(edge.from, kinds);
    }
    let others = kinds.get(edge.kind);
    if (others === undefined) {
      others = new Map();
      kinds.set(edge.kind, others);
    }
    const known = others.get(edge.to);
    const whole = known === undefined ? edge : withOrigins(known, originsOf(edge));
    if (whole === known) return;
    others.set(edge.to, whole);
    sorted.delete(`${edge.kind} ${edge.from}`);
  };

  /** The edge and its inverse, for the same reasons. */
  const connect = (edge: Edge): void => {
    const { from, kind, to } = edge;
    if (from === to) return;
    store(edge);
    store({ ...edge, from: to, kind: INVERSES[kind], to: from });
  };
  /** An edge as a unit has it, between main names. */
  const between = (edge: Edge, from: string, to: string): Edge =>
    edge.from === from && edge.to === to ? edge : { ...edge, from, to };

  const has = (from: string, kind: DependencyKind, to: string): boolean => index.get(from)?.get(kind)?.has(to) ?? false;

  /** Take a unit in under all of its names. */
  const admit = (unit: Unit): void => {
    units.set(unit.name, unit);
    mainNames.set(unit.name, unit.name);
    for (const name of unit.names) mainNames.set(name, unit.name);
    all = undefined;
  };

  const load = (name: string): Unit => {
    const known = units.get(canonical(name));
    if (known !== undefined) return known;
    const unit = loader.load(name);
    // A name that leads to a unit that is here already.
    const main = units.get(unit.name);
    if (main !== undefined) {
      mainNames.set(name, main.name);
      return main;
    }
    grow([unit]);
    if (name !== unit.name) mainNames.set(name, unit.name);
    return unit;
  };

  /** Take units in, and all they reach; then the rules between two units. */
  function grow(first: readonly Unit[]): void {
    const waiting = [...first];
    const fresh: Unit[] = [];
    for (let unit = waiting.pop(); unit !== undefined; unit = waiting.pop()) {
      if (units.get(unit.name) === unit) continue;
      admit(unit);
      fresh.push(unit);
      for (const edge of unit.edges) {
        const known = units.get(canonical(edge.to));
        let other =
          known ??
          (units.size + waiting.length >= UNITS_MAX
            ? emptyUnit(edge.to, typeOf(edge.to) ?? 'service', [edge.to], 'stub', [])
            : loader.load(edge.to));
        const here = units.get(other.name);
        if (here !== undefined) other = here;
        mainNames.set(edge.to, other.name);
        if (here === undefined) waiting.push(other);
        connect(between(edge, unit.name, other.name));
      }
    }
    for (const unit of fresh) orderTargets(unit);
  }

  /** A target comes after what it pulls in, unless one of the two wants no default dependencies or the order is the other way. */
  function orderTargets(unit: Unit): void {
    if (unit.type === 'target') {
      for (const kind of PULLS)
        for (const other of index.get(unit.name)?.get(kind)?.keys() ?? []) orderTarget(unit, other);
    }
    for (const kind of PULLS) {
      for (const other of index.get(unit.name)?.get(INVERSES[kind])?.keys() ?? []) {
        const target = units.get(other);
        if (target?.type === 'target') orderTarget(target, unit.name);
      }
    }
  }

  function orderTarget(target: Unit, otherName: string): void {
    const other = units.get(otherName);
    if (other === undefined || target.loadState !== 'loaded' || other.loadState !== 'loaded') return;
    if (!target.unit.DefaultDependencies || !other.unit.DefaultDependencies) return;
    if (has(target.name, 'Before', otherName)) return;
    connect({
      from: target.name,
      kind: 'After',
      to: otherName,
      origin: { rule: 'default dependency of targets: after what they pull in' },
    });
  }

  const edges = (name: string, kind: DependencyKind): readonly Edge[] => {
    const main = canonical(name);
    const key = `${kind} ${main}`;
    const known = sorted.get(key);
    if (known !== undefined) return known;
    const list = [...(index.get(main)?.get(kind)?.values() ?? [])].sort((a, b) =>
      a.to < b.to ? -1 : a.to > b.to ? 1 : 0,
    );
    sorted.set(key, list);
    return list;
  };

  /** Take every edge at a name out, of others too. */
  const detach = (name: string): void => {
    for (const [kind, others] of index.get(name) ?? []) {
      for (const to of others.keys()) {
        index.get(to)?.get(INVERSES[kind])?.delete(name);
        sorted.delete(`${INVERSES[kind]} ${to}`);
      }
      sorted.delete(`${kind} ${name}`);
    }
    index.delete(name);
  };

  const drop = (unit: Unit): void => {
    detach(unit.name);
    units.delete(unit.name);
    for (const alias of unit.names) if (mainNames.get(alias) === unit.name) mainNames.delete(alias);
    all = undefined;
  };

  /** What other units say about one, by any of its names. */
  const restore = ({ name, names }: Unit): void => {
    for (const unit of units.values())
      for (const edge of unit.edges)
        if (edge.to === name || names.includes(edge.to) || canonical(edge.to) === name)
          connect(between(edge, unit.name, name));
  };

  return {
    load,
    canonical,
    edges,
    get: (name) => units.get(canonical(name)),
    others: (name, kind) => edges(name, kind).map((edge) => edge.to),
    allEdges: (name) => DEPENDENCY_KINDS.flatMap((kind) => edges(name, kind)),
    units() {
      all ??= [...units.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
      return all;
    },
    put(unit) {
      let mentioned = false;
      for (const name of new Set([unit.name, ...unit.names])) {
        const known = units.get(canonical(name));
        if (known !== undefined) drop(known);
        mentioned ||= known !== undefined || index.has(name);
        detach(name); // what others said of it while there was no such unit
      }
      if (mentioned) restore(unit);
      grow([unit]);
    },
    remove(name) {
      const unit = units.get(canonical(name));
      if (unit === undefined) return;
      drop(unit);
      restore(unit);
    },
  };
}
