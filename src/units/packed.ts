/**
 * Units as text, for the next start of core: small, and unpacked one by one when somebody asks for more than their names.
 *
 *     header LF (line LF)*        header: JSON; its last field is the checksum of all that follows
 *     line:  key TAB head TAB body     each JSON; see {@link packUnit} for head and body
 *
 * Of settings only those are written that differ from what a unit has that sets nothing; edges and lines as written are
 * lists of lists. What cannot be read in every detail (another format, another version of ours, a wrong checksum) is no cache at all.
 */
import type { Draft } from './directives/draft.ts';
import { Linked } from './linkage.ts';
import type { DependencyKind, Edge, Origin, Unit, UnitType } from './types.ts';
import { addWritten } from './written.ts';

/** A unit of a type that sets nothing, as the loader begins with it. */
export type Blank = (type: UnitType) => Draft;

const FORMAT = 1;

/** FNV-1a over the code units, two lanes. */
function checksum(text: string, from: number): string {
  let [even, odd] = [0x811c9dc5, 0x01000193];
  for (let at = from; at + 1 < text.length; at += 2) {
    even = Math.imul(even ^ text.charCodeAt(at), 0x01000193);
    odd = Math.imul(odd ^ text.charCodeAt(at + 1), 0x01000193) ^ even;
  }
  return `${text.length - from}/${even >>> 0}/${odd >>> 0}/${text.charCodeAt(text.length - 1)}`;
}

/** A whole cache; `about` is given back by {@link readLines}. */
export function writeLines(version: string, about: unknown, lines: readonly string[]): string {
  const rest = lines.map((line) => `${line}\n`).join('');
  return `${JSON.stringify([FORMAT, version, about, checksum(rest, 0)])}\n${rest}`;
}

/** Undefined: there is nothing, or it is of another version. */
export function readLines(
  text: string,
  version: string,
): { readonly about: unknown; readonly lines: readonly string[] } | 'damaged' | undefined {
  if (text === '') return undefined;
  const end = text.indexOf('\n');
  let header: unknown;
  try {
    header = JSON.parse(text.slice(0, Math.max(end, 0)));
  } catch {
    return 'damaged';
  }
  if (!Array.isArray(header) || typeof header[0] !== 'number' || typeof header[1] !== 'string') return 'damaged';
  if (header[0] !== FORMAT || header[1] !== version) return undefined;
  if (header[3] !== checksum(text, end + 1)) return 'damaged';
  const lines = text.slice(end + 1).split('\n');
  lines.pop();
  return { about: header[2], lines };
}

type Section = Readonly<Record<string, unknown>>;
/** Values that differ, and names of those that are undefined though the blank's are not. */
type Difference = readonly [set: Section, gone?: readonly string[]];

function differenceOf(section: Section, blank: Section): Difference {
  const set: Record<string, unknown> = {};
  const gone: string[] = [];
  for (const key in section) {
    const value = section[key];
    const usual = blank[key];
    if (value === usual) continue;
    if (value === undefined) gone.push(key);
    else if (typeof value !== 'object' || JSON.stringify(value) !== JSON.stringify(usual)) set[key] = value;
  }
  return gone.length === 0 ? [set] : [set, gone];
}

function applied(blank: Section, [set, gone]: Difference): Section {
  const section: Record<string, unknown> = { ...blank, ...set };
  for (const key of gone ?? []) section[key] = undefined;
  return section;
}

/** Sections of the unit's own type by name; `scope` and the like. */
const OWN = ['service', 'socket', 'slice', 'scope', 'timer', 'path', 'mount', 'automount', 'swap'] as const;
type Own = (typeof OWN)[number];
const ownOf = (type: UnitType): Own | undefined => OWN.find((name) => name === type);

/** An origin in a file of the list is [file, line]. */
type PackedOrigin = readonly [file: number, line: number] | Origin;

type Head = readonly [
  name: string,
  type: UnitType,
  loadState: Unit['loadState'],
  unitFileState: string,
  fragmentPath: string,
  /** 0: its name alone. */
  names: readonly string[] | 0,
  kinds: readonly DependencyKind[],
  others: readonly string[],
  defaults: 0 | 1,
];

type Body = readonly [
  files: readonly string[],
  dropInPaths: readonly string[],
  unit: Difference,
  install: Difference,
  own: Difference,
  conditions: Unit['conditions'],
  origins: readonly (readonly PackedOrigin[])[],
  findings: Unit['findings'],
  raw: readonly (readonly [section: string, key: string, value: string, file: number, line: number, column: number])[],
];

/** As `head TAB body`. */
export function packUnit(unit: Unit, blank: Blank): string {
  const files: string[] = [];
  const numbers = new Map<string, number>();
  const fileNumber = (file: string): number => {
    const known = numbers.get(file);
    if (known !== undefined) return known;
    numbers.set(file, files.length);
    return files.push(file) - 1;
  };
  const origin = (one: Origin): PackedOrigin => ('file' in one ? [fileNumber(one.file), one.line] : one);
  const usual = blank(unit.type);
  const own = ownOf(unit.type);
  const head: Head = [
    unit.name,
    unit.type,
    unit.loadState,
    unit.unitFileState,
    unit.fragmentPath,
    unit.names.length === 1 && unit.names[0] === unit.name ? 0 : unit.names,
    unit.edges.map(({ kind }) => kind),
    unit.edges.map(({ to }) => to),
    unit.unit.DefaultDependencies ? 1 : 0,
  ];
  const body: Body = [
    files,
    unit.dropInPaths,
    differenceOf(unit.unit as unknown as Section, usual.unit as unknown as Section),
    differenceOf(unit.install as unknown as Section, usual.install as unknown as Section),
    own === undefined ? [{}] : differenceOf(unit[own] as unknown as Section, (usual[own] ?? {}) as unknown as Section),
    unit.conditions,
    unit.edges.map((edge) => [edge.origin, ...(edge.also ?? [])].map(origin)),
    unit.findings,
    Object.values(unit.raw)
      .flat()
      .map(({ section, key, value, at }) => [section, key, value, fileNumber(at.file), at.line, at.column]),
  ];
  return `${JSON.stringify(head)}\t${JSON.stringify(body)}`;
}

/** What is read with the body, for any type. */
const CLOSED = ['dropInPaths', 'unit', 'install', 'conditions', 'edges', 'findings', 'raw'] as const;

/**
 * A unit whose body is read when one of its settings, edges, conditions or findings is asked for. They are properties of its own, as those of
 * any unit, by getters that all units of a type have in common: one each would make a thousand units as many times slower to make, and larger.
 */
class PackedUnit extends Linked {
  readonly name: string;
  readonly type: UnitType;
  readonly names: readonly string[];
  readonly loadState: Unit['loadState'];
  readonly fragmentPath: string;
  readonly unitFileState: string;
  #closed: string;
  readonly #blank: Blank;
  #opened: Unit | undefined;

  constructor(
    [name, type, loadState, unitFileState, fragmentPath, names, kinds, others, defaults]: Head,
    body: string,
    blank: Blank,
  ) {
    super({ kinds, others, defaults: defaults === 1 });
    this.name = name;
    this.type = type;
    this.names = names === 0 ? [name] : names;
    this.loadState = loadState;
    this.fragmentPath = fragmentPath;
    this.unitFileState = unitFileState;
    this.#closed = body;
    this.#blank = blank;
    Object.defineProperties(this, PackedUnit.#gettersOf(type));
  }

  #open(): Unit {
    if (this.#opened !== undefined) return this.#opened;
    const { kinds, others } = this.linkage;
    const unit = openUnit(this, JSON.parse(this.#closed) as Body, kinds, others, this.#blank(this.type));
    this.#opened = unit;
    this.#closed = '';
    return unit;
  }

  static readonly #getters = new Map<UnitType, PropertyDescriptorMap>();

  static #gettersOf(type: UnitType): PropertyDescriptorMap {
    let getters = PackedUnit.#getters.get(type);
    if (getters === undefined) {
      const own = ownOf(type);
      const keys = own === undefined ? CLOSED : [...CLOSED, own];
      getters = Object.fromEntries(keys.map((key) => [key, PackedUnit.#getter(key)]));
      PackedUnit.#getters.set(type, getters);
    }
    return getters;
  }

  static #getter(key: (typeof CLOSED)[number] | Own): PropertyDescriptor {
    return {
      enumerable: true,
      get(this: PackedUnit) {
        return this.#open()[key];
      },
    };
  }
}

/** The unit; see {@link PackedUnit}. */
export function unpackUnit(headText: string, bodyText: string, blank: Blank): Unit {
  return new PackedUnit(JSON.parse(headText) as Head, bodyText, blank) as unknown as Unit;
}

type Closed = Pick<Unit, 'name' | 'type' | 'names' | 'loadState' | 'fragmentPath' | 'unitFileState'>;

function openUnit(
  { name, type, names, loadState, fragmentPath, unitFileState }: Closed,
  [files, dropInPaths, unit, install, own, conditions, origins, findings, lines]: Body,
  kinds: readonly DependencyKind[],
  others: readonly string[],
  blank: Draft,
): Unit {
  const originOf = (packed: PackedOrigin): Origin =>
    Array.isArray(packed) ? { file: files[packed[0]] as string, line: packed[1] } : (packed as Origin);
  const edges = kinds.map((kind, place): Edge => {
    const [origin, ...also] = (origins[place] as readonly PackedOrigin[]).map(originOf);
    const edge = { from: name, kind, to: others[place] as string, origin: origin as Origin };
    return also.length === 0 ? edge : { ...edge, also };
  });
  const raw: Record<string, Unit['raw'][string][number][]> = {};
  for (const [section, key, value, file, line, column] of lines) {
    addWritten(raw, { section, key, value, at: { file: files[file] as string, line, column } });
  }
  const mine = ownOf(type);
  return {
    ...{ name, type, names, loadState, fragmentPath, unitFileState },
    dropInPaths,
    unit: applied(blank.unit as unknown as Section, unit) as unknown as Unit['unit'],
    install: applied(blank.install as unknown as Section, install) as unknown as Unit['install'],
    conditions,
    ...(mine === undefined ? {} : { [mine]: applied((blank[mine] ?? {}) as unknown as Section, own) }),
    edges,
    findings,
    raw,
  };
}
