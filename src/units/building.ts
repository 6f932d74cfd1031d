/**
 * One unit being built: assignments applied to a draft by the table of directives, with findings and edges told where they
 * come from. What a key means is in directives/; what the files are is in load.ts.
 */
import type { MachineFacts } from '../host/ports.ts';
import type { Context, Draft } from './directives/draft.ts';
import { directive, isExtension, isSection, sectionsOf, suggestKey, suggestSection } from './directives.ts';
import { about, quoted } from './finding.ts';
import { parseName, typeOf, type UnitName, withInstance } from './names.ts';
import { withOrigins } from './origin.ts';
import { type Assignment, placeOf, type UnitText } from './reader.ts';
import { specifiersOf } from './specifiers.ts';
import type { Condition, DependencyKind, Edge, Finding, Origin, UnitType } from './types.ts';

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
  take(text: UnitText, dropIn: boolean): void;
  edge(kind: DependencyKind, to: string, origin: Origin): void;
  /** The last assignment of a key, in any section. */
  last(key: string): Assignment | undefined;
}

/** One for each unit being loaded. */
export function createBuilding(
  name: UnitName,
  draft: Draft,
  findings: Finding[],
  facts: MachineFacts,
  machine: () => Context['capacity'],
  zones: () => Context['zones'],
  fragmentPath: string,
): Building {
  const sections = sectionsOf(name.type);
  const specifiers = specifiersOf(name, facts, fragmentPath);
  /** Kind and other end -> place in the list. */
  const edgeKeys = new Map<string, number>();
  const lastByKey = new Map<string, Assignment>();
  const told = new Set<string>();
  let count = 0;
  let current: Assignment = { section: '', key: '', value: '', file: fragmentPath, line: 0, column: 0, segments: [] };

  const tell = (severity: Finding['severity'], why: string, todo: string, offset?: number) => {
    findings.push({ severity, at: placeOf(current, offset), what: quoted(current.key, current.value), why, todo });
  };

  const building: Building = {
    refused: false,
    ended: false,
    raw: {},
    last: (key) => lastByKey.get(key),
    edge(kind, to, origin) {
      if (building.ended) return;
      const target = resolveTemplate(name, to);
      if (target === undefined) {
        findings.push({
          severity: 'warning',
          at: 'file' in origin ? { file: origin.file, line: origin.line, column: 1 } : undefined,
          what: `${kind} ${to}`,
          why: 'not the name of a unit that can be started',
          todo: 'use a name such as foo.service or foo@bar.service',
        });
        return;
      }
      if (target === name.name) {
        if ('file' in origin)
          findings.push({
            severity: 'warning',
            at: { file: origin.file, line: origin.line, column: 1 },
            what: `${kind} ${to}`,
            why: 'a unit cannot depend on itself, the edge is dropped',
            todo: 'remove it',
          });
        return;
      }
      const refused = edgeFault(kind, name.type, target);
      if (refused !== undefined) {
        findings.push({
          severity: 'warning',
          at: 'file' in origin ? { file: origin.file, line: origin.line, column: 1 } : undefined,
          what: `${kind} ${to}`,
          why: `${refused}, the edge is dropped`,
          todo: 'remove it',
        });
        return;
      }
      const id = `${kind} ${target}`;
      const edges = draft.edges as Edge[];
      const place = edgeKeys.get(id);
      const known = place === undefined ? undefined : edges[place];
      if (place !== undefined && known !== undefined) edges[place] = withOrigins(known, [origin]);
      else {
        edgeKeys.set(id, edges.length);
        edges.push({ from: name.name, kind, to: target, origin });
      }
    },
    take(text, dropIn) {
      for (const { name: section, at } of text.sections) {
        if (sections.includes(section) || isExtension(section) || told.has(section)) continue;
        told.add(section);
        findings.push({
          severity: 'warning',
          at,
          what: `[${section}]`,
          why: isSection(section)
            ? `a .${name.type} has no such section, it is left out`
            : 'not a section, it is left out',
          todo: suggestSection(name.type, section),
        });
      }
      for (const assignment of text.assignments) {
        count += 1;
        if (count > ASSIGNMENTS_MAX) {
          findings.push(
            about(
              'error',
              assignment.file,
              name.name,
              `has more than ${ASSIGNMENTS_MAX} settings, the rest is left out`,
              'split it',
            ),
          );
          building.refused = true;
          return;
        }
        apply(assignment, dropIn);
      }
    },
  };

  function apply(assignment: Assignment, dropIn: boolean): void {
    const { section, key, value } = assignment;
    if (!sections.includes(section) || isExtension(key)) return;
    current = assignment;
    lastByKey.set(key, assignment);
    const raw = building.raw[key];
    const written = {
      section,
      key,
      value,
      at: { file: assignment.file, line: assignment.line, column: assignment.column },
    };
    if (raw === undefined) building.raw[key] = [written];
    else raw.push(written);
    const row = directive(section, key);
    if (row === undefined) {
      tell('warning', `not a setting of [${section}], it is left out`, suggestKey(name.type, section, key));
      return;
    }
    if (dropIn && section === 'Install' && !told.has('install in a drop-in')) told.add('install in a drop-in');
    if (row.renamedTo !== undefined)
      tell(row.obsolete === true ? 'warning' : 'note', 'an old name', `write ${row.renamedTo}=`);
    row.apply(draft, value, ctx);
    if (row.status === 'unsupported' && !told.has(`${section}.${key}`)) {
      told.add(`${section}.${key}`);
      tell('note', 'known but not honoured yet', 'the unit runs without it');
    }
  }

  const ctx: Context = {
    name,
    facts,
    get capacity() {
      return machine();
    },
    get zones() {
      return zones();
    },
    tryExpand: (text) => specifiers.expand(text),
    expand(text, offset) {
      if (!text.includes('%')) return text;
      const expanded = specifiers.expand(text);
      if ('text' in expanded) return expanded.text;
      tell('warning', expanded.fault, 'see "Specifiers" in systemd.unit(5); a plain % is written %%', offset);
      return undefined;
    },
    fault: (why, todo, offset) => tell('warning', why, todo, offset),
    warn: (why, todo, offset) => tell('warning', why, todo, offset),
    note: (why, todo) => tell('note', why, todo),
    refuse(why, todo, offset) {
      building.refused = true;
      building.ended = true;
      tell('error', why, todo, offset);
    },
    edge: (kind, to) => building.edge(kind, to, { file: current.file, line: current.line }),
    condition(kind, assert, value): Condition {
      let at = 0;
      const trigger = value[at] === '|';
      if (trigger) at += 1;
      while (value[at] === ' ' || value[at] === '\t') at += 1;
      const negate = value[at] === '!';
      if (negate) at += 1;
      while (value[at] === ' ' || value[at] === '\t') at += 1;
      return { kind, assert, negate, trigger, argument: value.slice(at), at: placeOf(current) };
    },
  };
  return building;
}

/** Types whose units never fail by themselves. */
const CANNOT_FAIL: ReadonlySet<UnitType> = new Set(['slice', 'device']);

/** Why there can be no such edge between units of these types; undefined: there can. */
function edgeFault(kind: DependencyKind, from: UnitType, to: string): string | undefined {
  const type = typeOf(to);
  if (kind === 'Before' && type === 'device') return 'a device cannot be delayed';
  if (kind === 'OnFailure' && CANNOT_FAIL.has(from)) return `a .${from} cannot fail`;
  return undefined;
}

/** A template as the other end of an edge gets the unit's instance, or its prefix if it has none. */
function resolveTemplate(name: UnitName, to: string): string | undefined {
  const parsed = parseName(to);
  if (parsed === undefined) return undefined;
  if (parsed.kind !== 'template') return to;
  const whole = withInstance(to, name.kind === 'instance' ? name.instance : name.prefix);
  return parseName(whole)?.kind === 'instance' ? whole : undefined;
}
