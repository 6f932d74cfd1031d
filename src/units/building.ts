/**
 * One unit being built: assignments applied to a draft by the table of directives, with findings and edges told where they
 * come from. What a key means is in directives/; what the files are is in load.ts.
 */
import type { MachineFacts } from '../host/ports.ts';
import type { Context, Draft } from './directives/draft.ts';
import { directive, isExtension, isSection, sectionsOf, suggestKey, suggestSection } from './directives.ts';
import { about, quoted } from './finding.ts';
import { isUnitName, parseName, type UnitName, withInstance } from './names.ts';
import { withOrigins } from './origin.ts';
import { type Assignment, placeOf, type UnitText } from './reader.ts';
import { type Expansion, type Specifiers, specifiersOf } from './specifiers.ts';
import type { Condition, DependencyKind, Edge, Finding, Origin, UnitType } from './types.ts';
import { addWritten } from './written.ts';

/** Settings read from one unit's files at most. */
const ASSIGNMENTS_MAX = 200_000;

/** Applies assignments to a draft. */
export interface Building {
  refused: boolean;
  /** A setting was refused: as in systemd what follows makes no edges any more, though its faults are told. */
  ended: boolean;
  readonly raw: Record<
    string,
    { section: string; key: string; value: string; at: { file: string; line: number; column: number } }[]
  >;
  take(text: UnitText): void;
  /** An edge, unless there can be none, which is told; a template gets the unit's instance. */
  link(kind: DependencyKind, to: string, origin: Origin): void;
  /** The last assignment of a key, in any section. */
  last(key: string): Assignment | undefined;
}

/** Up to this many edges are looked through for one that is there; beyond it there is a map. */
const EDGES_LOOKED_THROUGH = 32;

/** One for each unit being loaded. */
export const createBuilding = (...parts: ConstructorParameters<typeof DraftBuilding>): Building =>
  new DraftBuilding(...parts);

class DraftBuilding implements Building, Context {
  refused = false;
  ended = false;
  readonly raw: Building['raw'] = {};
  readonly name: UnitName;
  readonly facts: MachineFacts;
  readonly #draft: Draft;
  readonly #findings: Finding[];
  readonly #machine: () => Context['capacity'];
  readonly #zones: () => Context['zones'];
  readonly #fragmentPath: string;
  readonly #sections: readonly string[];
  #specifiers: Specifiers | undefined;
  /** Kind and other end -> place in the list; undefined: the list is short. */
  #edgePlaces: Map<string, number> | undefined;
  /** What counted, in order. */
  readonly #applied: Assignment[] = [];
  #told: Set<string> | undefined;
  #count = 0;
  #current: Assignment | undefined;

  constructor(
    name: UnitName,
    draft: Draft,
    findings: Finding[],
    facts: MachineFacts,
    machine: () => Context['capacity'],
    zones: () => Context['zones'],
    fragmentPath: string,
  ) {
    this.name = name;
    this.facts = facts;
    this.#draft = draft;
    this.#findings = findings;
    this.#machine = machine;
    this.#zones = zones;
    this.#fragmentPath = fragmentPath;
    this.#sections = sectionsOf(name.type);
  }

  take(text: UnitText): void {
    const { type } = this.name;
    for (const { name: section, at } of text.sections) {
      if (this.#sections.includes(section) || isExtension(section) || !this.#first(section)) continue;
      this.#findings.push({
        severity: 'warning',
        at,
        what: `[${section}]`,
        why: isSection(section) ? `a .${type} has no such section, it is left out` : 'not a section, it is left out',
        todo: suggestSection(type, section),
      });
    }
    for (const assignment of text.assignments) {
      this.#count += 1;
      if (this.#count > ASSIGNMENTS_MAX) {
        const why = `has more than ${ASSIGNMENTS_MAX} settings, the rest is left out`;
        this.#findings.push(about('error', assignment.file, this.name.name, why, 'split it'));
        this.refused = true;
        return;
      }
      this.#apply(assignment);
    }
  }

  /** Is it the first time that this is told? */
  #first(what: string): boolean {
    this.#told ??= new Set();
    if (this.#told.has(what)) return false;
    this.#told.add(what);
    return true;
  }

  #apply(assignment: Assignment): void {
    const { section, key, value, file, line, column } = assignment;
    if (!this.#sections.includes(section) || isExtension(key)) return;
    this.#current = assignment;
    this.#applied.push(assignment);
    addWritten(this.raw, { section, key, value, at: { file, line, column } });
    const row = directive(section, key);
    if (row === undefined) {
      const todo = suggestKey(this.name.type, section, key);
      this.#tell('warning', `not a setting of [${section}], it is left out`, todo);
      return;
    }
    if (row.renamedTo !== undefined)
      this.#tell(row.obsolete === true ? 'warning' : 'note', 'an old name', `write ${row.renamedTo}=`);
    row.apply(this.#draft, value, this);
    if (row.status === 'unsupported' && this.#first(`${section}.${key}`))
      this.#tell('note', 'known but not honoured yet', 'the unit runs without it');
  }

  last(key: string): Assignment | undefined {
    for (let at = this.#applied.length - 1; at >= 0; at -= 1) {
      const assignment = this.#applied[at];
      if (assignment?.key === key) return assignment;
    }
    return undefined;
  }

  #tell(severity: Finding['severity'], why: string, todo: string, offset?: number): void {
    const current = this.#assignment();
    const what = quoted(current.key, current.value);
    this.#findings.push({ severity, at: placeOf(current, offset), what, why, todo });
  }

  #assignment(): Assignment {
    const none = { section: '', key: '', value: '', line: 0, column: 0, segments: [] };
    return this.#current ?? { ...none, file: this.#fragmentPath };
  }

  link(kind: DependencyKind, to: string, origin: Origin): void {
    if (this.ended) return;
    const { name } = this;
    const target = resolveTemplate(name, to);
    if (target === undefined) {
      const todo = 'use a name such as foo.service or foo@bar.service';
      this.#tellEdge(kind, to, origin, 'not the name of a unit that can be started', todo);
      return;
    }
    if (target === name.name) {
      if ('file' in origin)
        this.#tellEdge(kind, to, origin, 'a unit cannot depend on itself, the edge is dropped', 'remove it');
      return;
    }
    const refused = edgeFault(kind, name.type, target);
    if (refused !== undefined) {
      this.#tellEdge(kind, to, origin, `${refused}, the edge is dropped`, 'remove it');
      return;
    }
    const edges = this.#draft.edges as Edge[];
    const place = this.#placeOfEdge(kind, target);
    const known = edges[place];
    if (known !== undefined) edges[place] = withOrigins(known, [origin]);
    else {
      this.#edgePlaces?.set(`${kind} ${target}`, edges.length);
      edges.push({ from: name.name, kind, to: target, origin });
    }
  }

  #tellEdge(kind: DependencyKind, to: string, origin: Origin, why: string, todo: string): void {
    const at = 'file' in origin ? { file: origin.file, line: origin.line, column: 1 } : undefined;
    this.#findings.push({ severity: 'warning', at, what: `${kind} ${to}`, why, todo });
  }

  /** In the list of edges; -1: there is none. */
  #placeOfEdge(kind: DependencyKind, to: string): number {
    const { edges } = this.#draft;
    if (edges.length < EDGES_LOOKED_THROUGH) return edges.findIndex((edge) => edge.kind === kind && edge.to === to);
    this.#edgePlaces ??= new Map(edges.map((edge, place) => [`${edge.kind} ${edge.to}`, place]));
    return this.#edgePlaces.get(`${kind} ${to}`) ?? -1;
  }

  // What parsers ask and tell.

  get capacity(): Context['capacity'] {
    return this.#machine();
  }

  get zones(): Context['zones'] {
    return this.#zones();
  }

  tryExpand(text: string): Expansion {
    if (!text.includes('%')) return { text };
    this.#specifiers ??= specifiersOf(this.name, this.facts, this.#fragmentPath);
    return this.#specifiers.expand(text);
  }

  expand(text: string, offset?: number): string | undefined {
    if (!text.includes('%')) return text;
    const expanded = this.tryExpand(text);
    if ('text' in expanded) return expanded.text;
    this.warn(expanded.fault, 'see "Specifiers" in systemd.unit(5); a plain % is written %%', offset);
    return undefined;
  }

  fault(why: string, todo: string, offset?: number): void {
    this.#tell('warning', why, todo, offset);
  }

  warn(why: string, todo: string, offset?: number): void {
    this.#tell('warning', why, todo, offset);
  }

  note(why: string, todo: string): void {
    this.#tell('note', why, todo);
  }

  refuse(why: string, todo: string, offset?: number): void {
    this.refused = true;
    this.ended = true;
    this.#tell('error', why, todo, offset);
  }

  edge(kind: DependencyKind, to: string): void {
    const { file, line } = this.#assignment();
    this.link(kind, to, { file, line });
  }

  condition(kind: string, assert: boolean, value: string): Condition {
    let at = 0;
    const trigger = value[at] === '|';
    if (trigger) at += 1;
    while (value[at] === ' ' || value[at] === '\t') at += 1;
    const negate = value[at] === '!';
    if (negate) at += 1;
    while (value[at] === ' ' || value[at] === '\t') at += 1;
    return { kind, assert, negate, trigger, argument: value.slice(at), at: placeOf(this.#assignment()) };
  }
}

/** Types whose units never fail by themselves. */
const CANNOT_FAIL: ReadonlySet<UnitType> = new Set(['slice', 'device']);

/** Why there can be no such edge between units of these types; undefined: there can. */
function edgeFault(kind: DependencyKind, from: UnitType, to: string): string | undefined {
  if (kind === 'Before' && to.endsWith('.device')) return 'a device cannot be delayed';
  if (kind === 'OnFailure' && CANNOT_FAIL.has(from)) return `a .${from} cannot fail`;
  return undefined;
}

/** A template as the other end of an edge gets the unit's instance, or its prefix if it has none. */
function resolveTemplate(name: UnitName, to: string): string | undefined {
  if (!to.includes('@')) return isUnitName(to) ? to : undefined;
  const parsed = parseName(to);
  if (parsed === undefined) return undefined;
  if (parsed.kind !== 'template') return to;
  const whole = withInstance(to, name.kind === 'instance' ? name.instance : name.prefix);
  return parseName(whole)?.kind === 'instance' ? whole : undefined;
}
