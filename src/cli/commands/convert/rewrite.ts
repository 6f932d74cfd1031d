/**
 * A unit file in our form: what it says and nothing else. Lines that count stay as they are, to the letter; old names become
 * the names of today; what has no effect stays with a comment above it that says so; what is faulty becomes a comment.
 *
 * Reading the answer gives the same unit, without the faults. Converting it again changes nothing.
 */
import { directive, isExtension, sectionsOf, suggestKey } from '../../../units/directives.ts';
import { type Assignment, readUnitText } from '../../../units/reader.ts';
import { parseBoolean, parseInteger } from '../../../units/syntax/scalar.ts';
import type { Finding, Unit } from '../../../units/types.ts';

export type Kind = 'renamed' | 'not-honoured' | 'unknown' | 'faulty' | 'section';

/** One thing that was found or done, by line of the file that was read. */
export interface Change {
  readonly line: number;
  readonly kind: Kind;
  readonly section: string;
  readonly key: string;
  readonly why: string;
}

export interface Rewritten {
  readonly text: string;
  readonly changes: readonly Change[];
}

const UNHONOURED = '# Not honoured, the unit runs without it:';

/** Old settings whose values counted otherwise; null: there is no such value today. */
const VALUES: Readonly<Record<string, (value: string) => string | null>> = {
  CPUShares: (value) => scaled(value, 1024),
  StartupCPUShares: (value) => scaled(value, 1024),
  BlockIOWeight: (value) => scaled(value, 500),
  StartupBlockIOWeight: (value) => scaled(value, 500),
  OnFailureIsolate: (value) => (parseBoolean(value) === true ? 'isolate' : 'replace'),
};

/** A weight where `standard` was what 100 is now. */
function scaled(value: string, standard: number): string | null {
  if (value === '') return '';
  const number = parseInteger(value, 1, 1_000_000);
  return number === undefined ? null : String(Math.min(10_000, Math.max(1, Math.round((number * 100) / standard))));
}

/** The last physical line of an assignment, comments between its lines included. */
const lastLine = ({ line, segments }: Assignment): number => Math.max(line, ...segments.map((segment) => segment.line));

/** @param unit the same text loaded, for its findings */
export function rewrite(text: string, file: string, unit: Unit): Rewritten {
  const read = readUnitText(text, file);
  const lines = text.replace(/\r\n/g, '\n').split('\n');
  const own = unit.findings.filter((finding) => finding.at?.file === file && finding.severity !== 'note');
  const sections = sectionsOf(unit.type);
  const changes: Change[] = [];
  const replaced = new Map<number, string[]>();
  const moved: string[] = [];

  for (const assignment of read.assignments) {
    const { section, key, value, line } = assignment;
    if (!sections.includes(section) || isExtension(key)) continue;
    const last = lastLine(assignment);
    const written = lines.slice(line - 1, last);
    const tell = (kind: Kind, why: string) => changes.push({ line, kind, section, key, why });
    const put = (...out: string[]) => {
      replaced.set(line, out);
      for (let at = line + 1; at <= last; at++) replaced.set(at, []);
    };
    const row = directive(section, key);
    if (row === undefined) {
      const todo = suggestKey(unit.type, section, key);
      tell('unknown', `not a setting of [${section}]; ${todo}`);
      put(`# Not a setting of [${section}]; ${todo}:`, ...written.map(commented));
      continue;
    }
    const faults = own.filter(
      ({ at }) => at !== undefined && at.line >= line && at.line <= last && !isOldName(at, own),
    );
    const fault = faults.find((finding) => drops(finding));
    if (fault !== undefined) {
      tell('faulty', fault.why);
      put(`# ${fault.why}; ${fault.todo}:`, ...written.map(commented));
      continue;
    }
    if (row.renamedTo !== undefined) {
      const [, target, name = ''] = /^(?:\[(\w+)\] )?(\w+)$/.exec(row.renamedTo) ?? [];
      const today = VALUES[key] === undefined ? value : VALUES[key](value);
      tell('renamed', `an old name of ${row.renamedTo}=`);
      if (today === null) put(...written.map(commented));
      else if (target !== undefined && target !== section) {
        moved.push(`${name}=${today}`);
        put();
      } else put(...notedIf(isHonoured(section, name), lines[line - 2], `${name}=${today}`));
      continue;
    }
    if (row.status === 'unsupported') {
      tell('not-honoured', 'known but not honoured yet');
      if (lines[line - 2] !== UNHONOURED) put(UNHONOURED, ...written);
    }
  }
  for (const { name, at } of read.sections) {
    if (sections.includes(name) || isExtension(name)) continue;
    changes.push({ line: at.line, kind: 'section', section: name, key: '', why: 'not a section of this type' });
    const header = lines[at.line - 1] ?? '';
    replaced.set(at.line, [header.replace(`[${name}]`, `[X-${name}]`)]);
  }
  changes.sort((a, b) => a.line - b.line);
  return { text: joined(lines, replaced, moved), changes };
}

const commented = (line: string): string => (/^\s*[#;]/.test(line) ? line : `#${line}`);
const isHonoured = (section: string, key: string): boolean => directive(section, key)?.status !== 'unsupported';
const notedIf = (honoured: boolean, before: string | undefined, line: string): string[] =>
  honoured || before === UNHONOURED ? [line] : [UNHONOURED, line];

/** Only warnings of old names are told of lines that count as they are. */
function isOldName(at: NonNullable<Finding['at']>, own: readonly Finding[]): boolean {
  const here = own.filter((finding) => finding.at?.line === at.line);
  return here.length > 0 && here.every(({ why }) => why === 'an old name');
}

/** Words of what a finding says where the assignment, or a part of it, counts all the same. */
const COUNTS = /is no longer there|left behind|stays as it is|runs backwards|an old name|cannot depend on itself/;
const drops = ({ why, what }: Finding): boolean => !COUNTS.test(why) && what.includes('=') && !why.includes(': ');

/** The lines with their replacements; what moved to [Unit] stands at its end, which is made if there is none. */
function joined(lines: readonly string[], replaced: ReadonlyMap<number, string[]>, moved: readonly string[]): string {
  const out: string[] = [];
  let inUnit = false;
  let placed = moved.length === 0;
  const place = () => {
    if (placed) return;
    let end = out.length;
    while (end > 0 && out[end - 1] === '') end -= 1;
    out.splice(end, 0, ...moved);
    placed = true;
  };
  for (const [index, line] of lines.entries()) {
    const header = /^\s*\[([^\]]+)\]/.exec(line)?.[1];
    if (header !== undefined) {
      if (inUnit) place();
      inUnit = header === 'Unit';
    }
    out.push(...(replaced.get(index + 1) ?? [line]));
  }
  if (inUnit) place();
  if (!placed) return ['[Unit]', ...moved, '', ...out].join('\n');
  return out.join('\n');
}
