/**
 * Generators: which programs make units at boot and reload, with what arguments and environment. Running them is the caller's.
 * Source: systemd.generator(7).
 */
import type { FilePort, MachineFacts } from '../host/ports.ts';
import { resolveLink } from './catalog.ts';
import { about } from './finding.ts';
import type { UnitPaths } from './load-path.ts';
import { architectureName } from './specifiers.ts';
import type { Finding } from './types.ts';
import { virtualizationClass } from './virtualization.ts';

/** One program to run; all run at the same time, none waits for another. */
export interface GeneratorSpawn {
  /** File name; generators are told apart by it. */
  readonly name: string;
  readonly path: string;
  /** argv[0], then the normal, early and late directory. */
  readonly argv: readonly string[];
  readonly environment: readonly string[];
}

export interface GeneratorPlan {
  readonly spawns: readonly GeneratorSpawn[];
  /** Names of those built in that are to be run: neither replaced by a program of that name nor switched off. */
  readonly builtIn: readonly string[];
  /** Emptied before, made anew with mode 0755; those left empty are removed after. */
  readonly directories: { readonly normal: string; readonly early: string; readonly late: string };
  /** Generators that are switched off, shadowed without being programs, and the like. */
  readonly findings: readonly Finding[];
}

/** Where generators are, the first of a name wins; ours before systemd's. */
export function generatorDirectories(runDirectory = '/run/sysmaster'): readonly string[] {
  return [
    `${runDirectory}/system-generators`,
    '/etc/sysmaster/system-generators',
    '/usr/local/lib/sysmaster/system-generators',
    '/usr/lib/sysmaster/system-generators',
    '/run/systemd/system-generators',
    '/etc/systemd/system-generators',
    '/usr/local/lib/systemd/system-generators',
    '/usr/lib/systemd/system-generators',
  ];
}

export interface GeneratorOptions {
  readonly files: FilePort;
  readonly facts: MachineFacts;
  readonly paths: UnitPaths;
  /** Default: {@link generatorDirectories}. */
  readonly directories?: readonly string[];
  /** Names of generators that need no program; they stand where vendors' programs are, before these. */
  readonly builtIn?: readonly string[];
  /** First run of a machine that was never booted (SYSTEMD_FIRST_BOOT). */
  readonly firstBoot?: boolean;
  /** An initial RAM disk (SYSTEMD_IN_INITRD). */
  readonly initrd?: boolean;
}

/** Where systemd's own programs are; the generators built in take the place of those with the same name. */
const VENDOR = '/usr/lib/systemd/system-generators';

/** At most this many are run. */
const GENERATORS_MAX = 1000;

/** What is to be run for one boot or reload. */
export function planGenerators(options: GeneratorOptions): GeneratorPlan {
  const { files, facts, paths } = options;
  const directories = { normal: paths.generator, early: paths.generatorEarly, late: paths.generatorLate };
  const environment = generatorEnvironment(options);
  const findings: Finding[] = [];
  const chosen = new Map<string, GeneratorSpawn | 'built-in' | undefined>();
  const takeBuiltIn = () => {
    for (const name of options.builtIn ?? []) if (!chosen.has(name)) chosen.set(name, 'built-in');
  };
  for (const directory of options.directories ?? generatorDirectories(facts.runDirectory)) {
    if (directory === VENDOR) takeBuiltIn();
    for (const name of files.list(directory) ?? []) {
      if (name.startsWith('.') || chosen.has(name)) continue;
      const path = `${directory}/${name}`;
      const link = files.readlink(path);
      if (link !== undefined && resolveLink(path, link) === '/dev/null') {
        chosen.set(name, undefined);
        findings.push(about('note', path, 'generator', 'switched off by a link to /dev/null', ''));
        continue;
      }
      const stat = files.stat(path);
      if (stat === undefined || stat.kind !== 'file') continue;
      if (stat.size === 0) {
        chosen.set(name, undefined);
        findings.push(about('note', path, 'generator', 'switched off by an empty file', ''));
        continue;
      }
      if (!files.access(path, 'x')) continue; // readme files and the like
      if (chosen.size >= GENERATORS_MAX) {
        findings.push(
          about('error', directory, 'generators', `more than ${GENERATORS_MAX}, the rest is not run`, 'remove some'),
        );
        break;
      }
      chosen.set(name, {
        name,
        path,
        argv: [path, directories.normal, directories.early, directories.late],
        environment,
      });
    }
  }
  takeBuiltIn();
  const spawns = [...chosen.values()]
    .filter((spawn) => spawn !== undefined && spawn !== 'built-in')
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const builtIn = [...chosen].flatMap(([name, spawn]) => (spawn === 'built-in' ? [name] : [])).sort();
  return { spawns, builtIn, directories, findings };
}

/** SYSTEMD_SCOPE and its kin; generators of systemd read them under these names. */
function generatorEnvironment(options: GeneratorOptions): readonly string[] {
  const { facts } = options;
  const out = [
    `PATH=${facts.environment.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'}`,
    'SYSTEMD_SCOPE=system',
    `SYSTEMD_IN_INITRD=${options.initrd === true ? '1' : '0'}`,
    `SYSTEMD_FIRST_BOOT=${options.firstBoot === true ? '1' : '0'}`,
    `SYSTEMD_ARCHITECTURE=${architectureName(facts)}`,
  ];
  // A container's kind has `container:` in front, a virtual machine's `vm:`.
  const virtual = virtualizationClass(facts.virtualization);
  if (virtual !== undefined) out.push(`SYSTEMD_VIRTUALIZATION=${virtual}`);
  if (facts.environment.CREDENTIALS_DIRECTORY !== undefined)
    out.push(`CREDENTIALS_DIRECTORY=${facts.environment.CREDENTIALS_DIRECTORY}`);
  return out;
}
