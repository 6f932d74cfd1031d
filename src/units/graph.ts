/**
 * The graph: units with their edges and the inverses of these, loaded on demand.
 *
 * Loading a unit loads what its edges name, and so on, as systemd does. Aliases are one unit: an edge leads to a main name.
 * Rules that need two units are here: targets come after what they pull in. All lists are sorted by name, so that nothing
 * depends on the order of loading. Source: systemd.unit(5); systemd.target(5), "Default Dependencies".
 */

import { emptyUnit } from './blank.ts';
import { hasDefaults, linkageOf } from './linkage.ts';
import type { UnitLoader } from './load.ts';
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
  /**
   * The unit of a name or alias, with all that it reaches. Never throws; see the unit's loadState.
   *
   * @param came is given those that were not in the graph before
   */
  load(name: string, came?: Unit[]): Unit;
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
  /** Main names of the other units whose own edges lead to this one, in no order, some perhaps twice: they keep it in memory. */
  referrers(name: string): Iterable<string>;
  /** Main names of the other units that this one's own edges lead to, as {@link referrers}. */
  references(name: string): Iterable<string>;
  /** Take units out to which no edge of a unit that stays leads; there is nothing to be put back for them. */
  forget(names: Iterable<string>): void;
}

/** Units in one graph; beyond it a load gives an error unit, so that no file can grow it without end. */
const UNITS_MAX = 100_000;

const KIND_NUMBER = Object.fromEntries(DEPENDENCY_KINDS.map((kind, number) => [kind, number])) as Readonly<
  Record<DependencyKind, number>
>;
const INVERSE_NUMBERS = DEPENDENCY_KINDS.map((kind) => KIND_NUMBER[INVERSES[kind]]);
const [BEFORE, AFTER] = [KIND_NUMBER.Before, KIND_NUMBER.After];
const PULLS_NUMBERS = PULLS.map((kind) => KIND_NUMBER[kind]);
const PULLED_NUMBERS = PULLS_NUMBERS.map((kind) => INVERSE_NUMBERS[kind] as number);
const NO_EDGES: readonly Edge[] = Object.freeze([]);
const NO_NAMES: readonly string[] = Object.freeze([]);
/** The place, instead of one in a unit's list, of an edge that {@link Graph} itself makes. */
const BY_RULE = -1;
const TARGET_RULE = { rule: 'default dependency of targets: after what they pull in' } as const;

/** A name that edges lead to; all names of a unit are one. */
interface Node {
  readonly name: string;
  unit: Unit | undefined;
  /** By number of kind, one place for each. */
  readonly ends: (Ends | undefined)[];
}

const NO_ENDS: readonly undefined[] = DEPENDENCY_KINDS.map(() => undefined);

/**
 * The edges of one unit and kind as they were found, three entries each: the other end, the unit whose file says so, and the
 * place in that unit's list. Most are never asked for, so {@link Edge}s are made when they are.
 */
class Ends {
  readonly found: (Node | Unit | number)[];
  sorted: readonly Edge[] | undefined;
  #others: Set<Node> | undefined;
  #names: readonly string[] | undefined;

  /** With one edge: most have no more, and room for more is not made before. */
  constructor(other: Node, source: Unit, place: number) {
    this.found = [other, source, place];
  }

  add(other: Node, source: Unit, place: number): void {
    this.found.push(other, source, place);
    this.sorted = undefined;
    this.#names = undefined;
    this.#others?.add(other);
  }

  get size(): number {
    return this.found.length / 3;
  }

  has(other: Node): boolean {
    if (this.found.length > 48) {
      this.#others ??= new Set(this.others());
      return this.#others.has(other);
    }
    for (let at = 0; at < this.found.length; at += 3) if (this.found[at] === other) return true;
    return false;
  }

  others(): Node[] {
    const nodes: Node[] = [];
    for (let at = 0; at < this.found.length; at += 3) nodes.push(this.found[at] as Node);
    return nodes;
  }

  /** Without the edges to these. */
  delete(others: ReadonlySet<Node>): void {
    const { found } = this;
    let kept = 0;
    for (let at = 0; at < found.length; at += 3) {
      if (others.has(found[at] as Node)) continue;
      for (let offset = 0; offset < 3; offset += 1) found[kept + offset] = found[at + offset] as Node | Unit | number;
      kept += 3;
    }
    if (kept === found.length) return;
    found.length = kept;
    this.sorted = undefined;
    this.#names = undefined;
    this.#others = undefined;
  }

  /** Names of the other ends, sorted, each once. */
  names(): readonly string[] {
    const { found } = this;
    if (found.length === 3) return [(found[0] as Node).name];
    if (this.#names !== undefined) return this.#names;
    const names: string[] = [];
    for (let at = 0; at < found.length; at += 3) names.push((found[at] as Node).name);
    names.sort();
    let kept = 1;
    for (let at = 1; at < names.length; at += 1) {
      if (names[at] === names[at - 1]) continue;
      names[kept] = names[at] as string;
      kept += 1;
    }
    names.length = Math.min(kept, names.length);
    this.#names = names;
    return names;
  }

  /** Sorted by the other end, each with all of its reasons. */
  edges(from: string, kind: DependencyKind): readonly Edge[] {
    if (this.sorted !== undefined) return this.sorted;
    if (this.found.length === 3) this.sorted = [this.#edge(0, from, kind)];
    else {
      const all: Edge[] = [];
      for (let at = 0; at < this.found.length; at += 3) all.push(this.#edge(at, from, kind));
      this.sorted = merged(all.sort((a, b) => compare(a.to, b.to)));
    }
    return this.sorted;
  }

  /** As the unit's own list has it, between main names and seen from `from`. */
  #edge(at: number, from: string, kind: DependencyKind): Edge {
    const [{ name: to }, source, place] = [
      this.found[at] as Node,
      this.found[at + 1] as Unit,
      this.found[at + 2] as number,
    ];
    const said = source.edges[place];
    if (said === undefined) return { from, kind, to, origin: TARGET_RULE };
    if (said.from === from && said.kind === kind && said.to === to) return said;
    return said.also === undefined ? { from, kind, to, origin: said.origin } : { ...said, from, kind, to };
  }
}

/** Of sorted edges those with one other end made one. */
function merged(edges: readonly Edge[]): readonly Edge[] {
  if (edges.every((edge, place) => edge.to !== edges[place - 1]?.to)) return edges;
  const out: Edge[] = [];
  for (const edge of edges) {
    const last = out[out.length - 1];
    if (last?.to === edge.to) out[out.length - 1] = withOrigins(last, originsOf(edge));
    else out.push(edge);
  }
  return out;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export function createGraph(loader: Pick<UnitLoader, 'load'>): Graph {
  /** By every name. */
  const nodes = new Map<string, Node>();
  const units = new Map<string, Unit>();
  let all: readonly Unit[] | undefined;
  /** Names by which a node was found besides those that its unit tells of. */
  const strays = new Map<Node, string[]>();

  const canonical = (name: string): string => nodes.get(name)?.name ?? name;
  const get = (name: string): Unit | undefined => nodes.get(name)?.unit;

  const nodeOf = (name: string): Node => {
    let node = nodes.get(name);
    if (node === undefined) {
      node = { name, unit: undefined, ends: [...NO_ENDS] };
      nodes.set(name, node);
    }
    return node;
  };

  const byAlso = (name: string, node: Node): void => {
    nodes.set(name, node);
    if (name === node.name || node.unit?.names.includes(name) === true) return;
    const known = strays.get(node);
    if (known === undefined) strays.set(node, [name]);
    else known.push(name);
  };

  const store = (from: Node, kind: number, to: Node, source: Unit, place: number): void => {
    const ends = from.ends[kind];
    if (ends === undefined) from.ends[kind] = new Ends(to, source, place);
    else ends.add(to, source, place);
  };

  const connect = (from: Node, kind: number, to: Node, source: Unit, place: number): void => {
    if (from === to) return;
    store(from, kind, to, source, place);
    store(to, INVERSE_NUMBERS[kind] as number, from, source, place);
  };

  const has = (from: Node, kind: number, to: Node): boolean => {
    const [there, back] = [from.ends[kind], to.ends[INVERSE_NUMBERS[kind] as number]];
    if (there === undefined || back === undefined) return false;
    return there.size <= back.size ? there.has(to) : back.has(from);
  };

  /** Take a unit in under all of its names. */
  const admit = (unit: Unit): Node => {
    const node = nodeOf(unit.name);
    node.unit = unit;
    units.set(unit.name, unit);
    for (const name of unit.names) nodes.set(name, node);
    all = undefined;
    return node;
  };

  const load = (name: string, came?: Unit[]): Unit => {
    const known = get(name);
    if (known !== undefined) return known;
    const unit = loader.load(name);
    // A name that leads to a unit that is here already.
    const main = nodes.get(unit.name);
    if (main?.unit !== undefined) {
      byAlso(name, main);
      return main.unit;
    }
    grow([unit], came);
    byAlso(name, nodeOf(unit.name));
    return unit;
  };

  /** Take units in, and all they reach; then the rules between two units. */
  function grow(first: readonly Unit[], came?: Unit[]): void {
    const waiting = [...first];
    const fresh: Node[] = [];
    for (let unit = waiting.pop(); unit !== undefined; unit = waiting.pop()) {
      if (units.get(unit.name) === unit) continue;
      const node = admit(unit);
      fresh.push(node);
      came?.push(unit);
      const { kinds, others } = linkageOf(unit);
      for (let place = 0; place < others.length; place += 1) {
        const to = others[place] as string;
        let other = nodes.get(to);
        if (other?.unit === undefined && other?.name !== node.name) {
          const loaded =
            units.size + waiting.length >= UNITS_MAX
              ? emptyUnit(to, typeOf(to) ?? 'service', [to], 'stub', [])
              : loader.load(to);
          other = nodeOf(loaded.name);
          if (other.unit === undefined) waiting.push(loaded);
          byAlso(to, other);
        }
        connect(node, KIND_NUMBER[kinds[place] as DependencyKind], other as Node, unit, place);
      }
    }
    for (const node of fresh) orderTargets(node);
  }

  /** A target comes after what it pulls in, unless one of the two wants no default dependencies or the order is the other way. */
  function orderTargets(node: Node): void {
    if (node.unit?.type === 'target') {
      for (const kind of PULLS_NUMBERS) for (const other of node.ends[kind]?.others() ?? []) orderTarget(node, other);
    }
    for (const kind of PULLED_NUMBERS) {
      const pulling = node.ends[kind];
      if (pulling !== undefined)
        for (const other of pulling.others()) if (other.unit?.type === 'target') orderTarget(other, node);
    }
  }

  function orderTarget(target: Node, other: Node): void {
    if (target.unit?.loadState !== 'loaded' || other.unit?.loadState !== 'loaded') return;
    if (!hasDefaults(target.unit) || !hasDefaults(other.unit)) return;
    if (!has(target, BEFORE, other)) connect(target, AFTER, other, target.unit, BY_RULE);
  }

  const edges = (name: string, kind: DependencyKind): readonly Edge[] => {
    const node = nodes.get(name);
    return node?.ends[KIND_NUMBER[kind]]?.edges(node.name, kind) ?? NO_EDGES;
  };

  /** Take every edge at these nodes out, of others too: each list of these is gone through once. */
  const detach = (gone: ReadonlySet<Node>): void => {
    const lists = new Set<Ends>();
    for (const node of gone) {
      for (const [kind, ends] of node.ends.entries())
        for (const other of ends?.others() ?? []) {
          const list = gone.has(other) ? undefined : other.ends[INVERSE_NUMBERS[kind] as number];
          if (list !== undefined) lists.add(list);
        }
    }
    for (const list of lists) list.delete(gone);
    for (const node of gone) node.ends.fill(undefined);
  };

  const drop = (node: Node): void => {
    detach(new Set([node]));
    node.unit = undefined;
    units.delete(node.name);
    for (const [name, known] of nodes) if (known === node) nodes.delete(name);
    strays.delete(node);
    all = undefined;
  };

  /** The other units whose own edges are among those at this node: of others to it, or of its own to others. */
  function* linked(name: string, own: boolean): Generator<string> {
    const node = nodes.get(name);
    for (const ends of node?.ends ?? []) {
      const found = ends?.found ?? [];
      for (let at = 0; at < found.length; at += 3)
        if ((found[at + 1] === node?.unit) === own) yield (found[at] as Node).name;
    }
  }

  /** What other units say about one, by any of its names. */
  const restore = ({ name, names }: Unit): void => {
    const node = nodeOf(name);
    for (const unit of units.values()) {
      const { kinds, others } = linkageOf(unit);
      for (const [place, to] of others.entries())
        if (to === name || names.includes(to) || nodes.get(to) === node)
          connect(nodeOf(unit.name), KIND_NUMBER[kinds[place] as DependencyKind], node, unit, place);
    }
  };

  return {
    load,
    canonical,
    edges,
    get,
    others: (name, kind) => nodes.get(name)?.ends[KIND_NUMBER[kind]]?.names() ?? NO_NAMES,
    allEdges: (name) => DEPENDENCY_KINDS.flatMap((kind) => edges(name, kind)),
    units() {
      all ??= [...units.values()].sort((a, b) => compare(a.name, b.name));
      return all;
    },
    put(unit) {
      let mentioned = false;
      for (const name of new Set([unit.name, ...unit.names])) {
        const known = nodes.get(name);
        if (known === undefined) continue;
        mentioned = true;
        drop(known); // and with it what others said of it while there was no such unit
      }
      if (mentioned) restore(unit);
      grow([unit]);
    },
    remove(name) {
      const node = nodes.get(name);
      if (node?.unit === undefined) return;
      const { unit } = node;
      drop(node);
      restore(unit);
    },
    referrers: (name) => linked(name, false),
    references: (name) => linked(name, true),
    forget(names) {
      const gone = new Set<Node>();
      for (const name of names) {
        const node = nodes.get(name);
        if (node?.unit !== undefined) gone.add(node);
      }
      if (gone.size === 0) return;
      detach(gone);
      const left = new Set<Unit>();
      for (const node of gone) {
        const unit = node.unit as Unit;
        left.add(unit);
        units.delete(node.name);
        for (const known of [node.name, ...unit.names, ...(strays.get(node) ?? [])])
          if (nodes.get(known) === node) nodes.delete(known);
        strays.delete(node);
        node.unit = undefined;
      }
      // In order still: sorting all of them for each that goes would cost more than its whole life.
      all = all?.filter((unit) => !left.has(unit));
    },
  };
}
