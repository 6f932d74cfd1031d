/**
 * Presets: which units are enabled by default. Source: systemd.preset(5).
 */
import { type FilePort, HostError } from '../host/ports.ts';
import { about } from './finding.ts';
import { parseName, templateOf, withInstance } from './names.ts';
import { matchesGlob } from './syntax/glob.ts';
import type { Finding } from './types.ts';

export interface PresetRule {
  readonly enable: boolean;
  readonly pattern: string;
  /** Instances of a template to enable. */
  readonly instances: readonly string[];
  readonly file: string;
  readonly line: number;
}

/** What the rules say of one unit. */
export interface PresetAnswer {
  readonly enable: boolean;
  /** For a template: the instances to enable. */
  readonly instances: readonly string[];
  /** Undefined: no rule speaks of it, and what is not spoken of is enabled. */
  readonly rule: PresetRule | undefined;
}

/** Where preset files are; a file hides those of the same name further down. */
export function presetDirectories(runDirectory = '/run/sysmaster'): readonly string[] {
  return [
    '/etc/sysmaster/system-preset',
    `${runDirectory}/system-preset`,
    '/usr/local/lib/sysmaster/system-preset',
    '/usr/lib/sysmaster/system-preset',
    '/etc/systemd/system-preset',
    '/run/systemd/system-preset',
    '/usr/local/lib/systemd/system-preset',
    '/usr/lib/systemd/system-preset',
    '/lib/systemd/system-preset',
  ];
}

const RULES_MAX = 100_000;

/** All rules in the order in which they count. */
export function readPresets(
  files: FilePort,
  directories: readonly string[],
): { readonly rules: readonly PresetRule[]; readonly findings: readonly Finding[] } {
  const byName = new Map<string, string>();
  for (const directory of directories)
    for (const name of files.list(directory) ?? [])
      if (name.endsWith('.preset') && !name.startsWith('.') && !byName.has(name))
        byName.set(name, `${directory}/${name}`);
  const rules: PresetRule[] = [];
  const findings: Finding[] = [];
  for (const name of [...byName.keys()].sort()) {
    const path = byName.get(name) ?? '';
    let text: string | undefined;
    try {
      text = files.readText(path);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      if (error.code !== 'ENOENT')
        findings.push(about('warning', path, 'preset file', `cannot be read: ${error.code}`, 'check its permissions'));
    }
    for (const [index, line] of (text ?? '').split('\n').entries()) {
      const words = line.trim().split(/\s+/);
      const verb = words[0] ?? '';
      if (verb === '' || verb.startsWith('#') || verb.startsWith(';')) continue;
      const pattern = words[1];
      if (
        (verb !== 'enable' && verb !== 'disable') ||
        pattern === undefined ||
        (words.length > 2 && (verb === 'disable' || parseName(pattern)?.kind !== 'template'))
      ) {
        findings.push({
          severity: 'warning',
          at: { file: path, line: index + 1, column: 1 },
          what: line.trim().slice(0, 100),
          why: 'not a preset rule',
          todo: 'write enable NAME or disable NAME',
        });
        continue;
      }
      if (rules.length >= RULES_MAX) return { rules, findings };
      rules.push({ enable: verb === 'enable', pattern, instances: words.slice(2), file: path, line: index + 1 });
    }
  }
  return { rules, findings };
}

/** The first rule that speaks of the unit decides. */
export function presetOf(name: string, rules: readonly PresetRule[]): PresetAnswer {
  for (const rule of rules) {
    if (rule.instances.length === 0) {
      if (matchesGlob(rule.pattern, name)) return { enable: rule.enable, instances: [], rule };
      continue;
    }
    if (rule.pattern === name) return { enable: rule.enable, instances: rule.instances, rule };
    if (
      templateOf(name) === rule.pattern &&
      rule.instances.some((instance) => withInstance(rule.pattern, instance) === name)
    )
      return { enable: rule.enable, instances: [], rule };
  }
  return { enable: true, instances: [], rule: undefined };
}
