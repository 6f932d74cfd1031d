/** What a machine's units use that is not honoured: unit by unit, and key by key. */
import type { Unit } from '../../../units/types.ts';
import type { Change } from './rewrite.ts';

export interface Converted {
  readonly unit: Unit;
  readonly path: string;
  readonly changes: readonly Change[];
}

/** `ready`: all of it counts; `partly`: it runs without some settings; `refused`: it cannot be loaded, by systemd either. */
export type Verdict = 'ready' | 'partly' | 'refused';

export function verdictOf({ unit, changes }: Converted): Verdict {
  if (unit.loadState !== 'loaded') return 'refused';
  return changes.some(({ kind }) => kind !== 'renamed') ? 'partly' : 'ready';
}

export interface KeyUse {
  readonly section: string;
  readonly key: string;
  readonly kind: Change['kind'];
  /** Units that use it. */
  readonly units: number;
}

/** The most used first, then by name. */
export function keyUses(all: readonly Converted[]): KeyUse[] {
  const uses = new Map<string, { section: string; key: string; kind: Change['kind']; units: Set<string> }>();
  for (const { unit, changes } of all)
    for (const { section, key, kind } of changes) {
      const id = `${kind} ${section} ${key}`;
      const use = uses.get(id) ?? { section, key, kind, units: new Set() };
      use.units.add(unit.name);
      uses.set(id, use);
    }
  return [...uses.values()]
    .map((use) => ({ ...use, units: use.units.size }))
    .sort((a, b) => b.units - a.units || (`${a.section}.${a.key}` < `${b.section}.${b.key}` ? -1 : 1));
}

const WORDS: Readonly<Record<Change['kind'], string>> = {
  'not-honoured': 'not honoured yet',
  unknown: 'unknown',
  faulty: 'faulty values',
  renamed: 'old names',
  section: 'unknown sections',
};
const ORDER: readonly Change['kind'][] = ['not-honoured', 'unknown', 'faulty', 'section', 'renamed'];

/** A page of text: every line of every unit that is worth a word, then the keys, then the sum. */
export function reportText(all: readonly Converted[]): string[] {
  const lines: string[] = [];
  for (const converted of all) {
    const verdict = verdictOf(converted);
    if (verdict === 'ready' && converted.changes.length === 0) continue;
    lines.push(`${converted.unit.name}: ${verdict}`);
    for (const { line, section, key, why } of converted.changes)
      lines.push(`  ${converted.path}:${line}: ${key === '' ? `[${section}]` : `${key}=`}: ${why}`);
    if (verdict === 'refused')
      for (const { at, what, why, todo } of converted.unit.findings.filter(({ severity }) => severity === 'error'))
        lines.push(`  ${at === undefined ? '' : `${at.file}:${at.line}:${at.column}: `}${what}: ${why}; ${todo}`);
  }
  const uses = keyUses(all);
  for (const kind of ORDER) {
    const own = uses.filter((use) => use.kind === kind);
    if (own.length === 0) continue;
    lines.push('', `Settings, by units that use them (${WORDS[kind]}):`);
    for (const { section, key, units } of own)
      lines.push(`${String(units).padStart(6)}  [${section}]${key === '' ? '' : ` ${key}=`}`);
  }
  const count = (wanted: Verdict) => all.filter((each) => verdictOf(each) === wanted).length;
  const sum = `${all.length} units: ${count('ready')} run as they are, ${count('partly')} run without some settings, ${count('refused')} cannot be loaded.`;
  return lines.length === 0 ? [sum] : [...lines, '', sum];
}

export const reportData = (all: readonly Converted[]) => ({
  units: all.map((each) => ({
    unit: each.unit.name,
    path: each.path,
    verdict: verdictOf(each),
    changes: each.changes,
    errors: each.unit.findings.filter(({ severity }) => severity === 'error'),
  })),
  keys: keyUses(all),
});
