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
  /**
   * The edges at it as they were found, {@link LINK} entries each: the number of the kind as seen from here, the other end, the unit
   * whose file says so, and the place in that unit's list. Most are never asked for, so {@link Edge}s are made when they are.
   */
  links: (number | Node | Unit)[];
  /** What was made of them, where they are so many that nobody should go through them twice. By number of kind. */
  told: (Told | undefined)[] | undefined;
}

/** Entries of one edge in a node's list. */
const LINK = 4;
/** From this many edges of a node on, what is made of them is kept. */
const MANY = 32;

/** What was made of a node's edges of one kind; undefined: nobody has asked. */
interface Told {
  names: readonly string[] | undefined;
  edges: readonly Edge[] | undefined;
}

const newNode = (name: string): Node => ({ name, unit: undefined, links: [], told: undefined });

function addLink(node: Node, kind: number, other: Node, source: Unit, place: number): void {
  node.links.push(kind, other, source, place);
  node.told = undefined;
}

function hasLink({ links }: Node, kind: number, other: Node): boolean {
  for (let at = 0; at < links.length; at += LINK) if (links[at + 1] === other && links[at] === kind) return true;
  return false;
}

/** Take the edges to these nodes out. */
function dropLinks(node: Node, others: ReadonlySet<Node>): void {
  const { links } = node;
  let kept = 0;
  for (let at = 0; at < links.length; at += LINK) {
    if (others.has(links[at + 1] as Node)) continue;
    for (let offset = 0; offset < LINK; offset += 1) links[kept + offset] = links[at + offset] as number | Node | Unit;
    kept += LINK;
  }
  links.length = kept;
  node.told = undefined;
}

/** Where what is made of a node's edges of one kind is kept; undefined: it is not. */
function toldOf(node: Node, kind: number): Told | undefined {
  if (node.links.length < MANY * LINK) return undefined;
  node.told ??= [];
  node.told[kind] ??= { names: undefined, edges: undefined };
  return node.told[kind];
}

/** Names of the other ends, sorted, each once. */
function namesOf(node: Node, kind: number): readonly string[] {
  const told = toldOf(node, kind);
  if (told?.names !== undefined) return told.names;
  const { links } = node;
  let found: string[] | undefined;
  for (let at = 0; at < links.length; at += LINK) {
    if (links[at] !== kind) continue;
    const { name } = links[at + 1] as Node;
    if (found === undefined) found = [name];
    else found.push(name);
  }
  const names = found === undefined ? NO_NAMES : distinct(sorted(found, compare));
  if (told !== undefined) told.names = names;
  return names;
}

/** Edges from a node of one kind, sorted by the other end, each with all of its reasons. */
function edgesOf(node: Node, kind: number): readonly Edge[] {
  const told = toldOf(node, kind);
  if (told?.edges !== undefined) return told.edges;
  const { links } = node;
  let found: Edge[] | undefined;
  for (let at = 0; at < links.length; at += LINK) {
    if (links[at] !== kind) continue;
    const edge = edgeAt(node, at);
    if (found === undefined) found = [edge];
    else found.push(edge);
  }
  const edges = found === undefined ? NO_EDGES : merged(sorted(found, byOther));
  if (told !== undefined) told.edges = edges;
  return edges;
}

/** Sorted in place. Of a short list by hand: what the engine sets up to sort one costs more than the sorting. */
function sorted<T>(list: T[], order: (a: T, b: T) => number): T[] {
  if (list.length > MANY) return list.sort(order);
  for (let end = 1; end < list.length; end += 1) {
    const item = list[end] as T;
    let place = end;
    for (; place > 0 && order(list[place - 1] as T, item) > 0; place -= 1) list[place] = list[place - 1] as T;
    list[place] = item;
  }
  return list;
}

/** Of sorted names each once. */
const distinct = (names: readonly string[]): readonly string[] =>
  names.every((name, place) => name !== names[place - 1])
    ? names
    : names.filter((name, place) => name !== names[place - 1]);

/** As the list of the unit that says so has it, between main names and seen from the node. */
function edgeAt({ name: from, links }: Node, at: number): Edge {
  const kind = DEPENDENCY_KINDS[links[at] as number] as DependencyKind;
  const { name: to } = links[at + 1] as Node;
  const said = (links[at + 2] as Unit).edges[links[at + 3] as number];
  if (said === undefined) return { from, kind, to, origin: TARGET_RULE };
  if (said.from === from && said.kind === kind && said.to === to) return said;
  return said.also === undefined ? { from, kind, to, origin: said.origin } : { ...said, from, kind, to };
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
const byOther = (a: Edge, b: Edge): number => compare(a.to, b.to);

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
      node = newNode(name);
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

  const connect = (from: Node, kind: number, to: Node, source: Unit, place: number): void => {
    if (from === to) return;
    addLink(from, kind, to, source, place);
    addLink(to, INVERSE_NUMBERS[kind] as number, from, source, place);
  };

  const has = (from: Node, kind: number, to: Node): boolean =>
    from.links.length <= to.links.length ? hasLink(from, kind, to) : hasLink(to, INVERSE_NUMBERS[kind] as number, from);

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
    const { links } = node;
    // What is put in on the way stands behind the end, and pulls nothing in.
    const end = links.length;
    if (node.unit?.type === 'target')
      for (let at = 0; at < end; at += LINK)
        if (PULLS_NUMBERS.includes(links[at] as number)) orderTarget(node, links[at + 1] as Node);
    for (let at = 0; at < end; at += LINK) {
      const other = links[at + 1] as Node;
      if (other.unit?.type === 'target' && PULLED_NUMBERS.includes(links[at] as number)) orderTarget(other, node);
    }
  }

  function orderTarget(target: Node, other: Node): void {
    if (target.unit?.loadState !== 'loaded' || other.unit?.loadState !== 'loaded') return;
    if (!hasDefaults(target.unit) || !hasDefaults(other.unit)) return;
    if (!has(target, BEFORE, other)) connect(target, AFTER, other, target.unit, BY_RULE);
  }

  const edges = (name: string, kind: DependencyKind): readonly Edge[] => {
    const node = nodes.get(name);
    return node === undefined ? NO_EDGES : edgesOf(node, KIND_NUMBER[kind]);
  };

  /** Take every edge at these nodes out, of others too: each list of these is gone through once. */
  const detach = (gone: ReadonlySet<Node>): void => {
    const others = new Set<Node>();
    for (const { links } of gone)
      for (let at = 1; at < links.length; at += LINK) if (!gone.has(links[at] as Node)) others.add(links[at] as Node);
    for (const other of others) dropLinks(other, gone);
    for (const node of gone) {
      node.links = [];
      node.told = undefined;
    }
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
    const links = node?.links ?? [];
    for (let at = 0; at < links.length; at += LINK)
      if ((links[at + 2] === node?.unit) === own) yield (links[at + 1] as Node).name;
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
    others(name, kind) {
      const node = nodes.get(name);
      return node === undefined ? NO_NAMES : namesOf(node, KIND_NUMBER[kind]);
    },
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
