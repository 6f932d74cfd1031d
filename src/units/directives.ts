/**
 * The table of directives: every key of every section of systemd 252, what it takes, and how far it is honoured.
 *
 * It drives reading, checking, `show`, completion and the reference page. `honoured`: the setting has the effect its manual
 * page says. `accepted`: harmless to have, nothing to do for it here. `unsupported`: known and checked, without effect yet;
 * a unit that uses one gets a note, with file and line.
 */
import type { Directive } from './directives/draft.ts';
import { machineDirectives } from './directives/machine.ts';
import {
  automountDirectives,
  mountDirectives,
  pathDirectives,
  scopeDirectives,
  sliceDirectives,
  swapDirectives,
  timerDirectives,
} from './directives/others.ts';
import { serviceDirectives } from './directives/service.ts';
import { socketDirectives } from './directives/socket.ts';
import { supervisorDirectives } from './directives/supervise.ts';
import { installDirectives, unitDirectives } from './directives/unit.ts';
import { nearest } from './finding.ts';
import type { UnitType } from './types.ts';

export type { Directive, Status } from './directives/draft.ts';

/** All rows, by section. */
export const DIRECTIVES: readonly Directive[] = [
  ...unitDirectives,
  ...installDirectives,
  ...serviceDirectives,
  ...socketDirectives,
  ...timerDirectives,
  ...pathDirectives,
  ...mountDirectives,
  ...automountDirectives,
  ...swapDirectives,
  ...sliceDirectives,
  ...scopeDirectives,
  ...supervisorDirectives,
  ...machineDirectives,
];

const BY_SECTION: ReadonlyMap<string, ReadonlyMap<string, Directive>> = (() => {
  const sections = new Map<string, Map<string, Directive>>();
  for (const row of DIRECTIVES) {
    let keys = sections.get(row.section);
    if (keys === undefined) {
      keys = new Map();
      sections.set(row.section, keys);
    }
    keys.set(row.key, row);
  }
  return sections;
})();

/** The row of a key; undefined: there is none. */
export function directive(section: string, key: string): Directive | undefined {
  return BY_SECTION.get(section)?.get(key);
}

/** The section of a type's own settings; undefined: it has none (targets and devices). */
export function sectionOf(type: UnitType): string | undefined {
  const name = type.charAt(0).toUpperCase() + type.slice(1);
  return BY_SECTION.has(name) ? name : undefined;
}

/** Sections that a unit of this type may have. */
export function sectionsOf(type: UnitType): readonly string[] {
  const own = sectionOf(type);
  const sections = own === undefined ? ['Unit', 'Install'] : ['Unit', 'Install', own];
  if (type === 'service') return [...sections, 'X-Machine'];
  return type === 'target' || type === 'slice' ? [...sections, 'X-Supervisor'] : sections;
}

/** Is it a section of some unit type? */
export function isSection(name: string): boolean {
  return BY_SECTION.has(name);
}

/** Sections and keys whose names start with X- are for others; but these are ours. */
export function isExtension(name: string): boolean {
  return name.startsWith('X-') && name !== 'X-Supervisor' && name !== 'X-Machine';
}

/** What a person may have meant by an unknown key: the same key in another section of the type, or a similar one. */
export function suggestKey(type: UnitType, section: string, key: string): string {
  const allowed = sectionsOf(type);
  for (const other of allowed) if (other !== section && BY_SECTION.get(other)?.has(key)) return `move it to [${other}]`;
  const similar = nearest(key, BY_SECTION.get(section)?.keys() ?? []);
  if (similar !== undefined) return `did you mean ${similar}=?`;
  for (const other of allowed) {
    const elsewhere = other === section ? undefined : nearest(key, BY_SECTION.get(other)?.keys() ?? []);
    if (elsewhere !== undefined) return `did you mean ${elsewhere}= in [${other}]?`;
  }
  for (const [other, keys] of BY_SECTION) if (keys.has(key)) return `it belongs to [${other}], in units of that type`;
  return 'remove it, or put X- in front of it to keep it for yourself';
}

/** What a person may have meant by an unknown section. */
export function suggestSection(type: UnitType, name: string): string {
  const allowed = sectionsOf(type);
  const similar = nearest(name, allowed);
  if (similar !== undefined) return `did you mean [${similar}]?`;
  if (BY_SECTION.has(name)) return `a .${type} has ${allowed.map((section) => `[${section}]`).join(', ')}`;
  return `use ${allowed.map((section) => `[${section}]`).join(', ')}, or [X-${name}] to keep it for yourself`;
}
