/**
 * Where unit files are looked for, in order of precedence.
 * Source: systemd.unit(5), "Unit file load path", with the directories of sysmaster before those of systemd.
 */

/** The directories of one manager. All paths are absolute. */
export interface UnitPaths {
  /** Directories of unit files; earlier ones win. */
  readonly search: readonly string[];
  /** Where enable and mask write, first one first; the others are only cleaned by disable and unmask. */
  readonly persistentConfig: readonly string[];
  readonly runtimeConfig: readonly string[];
  /** set-property and the like, for this boot or for ever. */
  readonly persistentControl: string;
  readonly runtimeControl: string;
  readonly transient: string;
  readonly generatorEarly: string;
  readonly generator: string;
  readonly generatorLate: string;
}

/** The system manager's directories. */
export function systemPaths(
  environment: Readonly<Record<string, string>> = {},
  runDirectory = '/run/sysmaster',
): UnitPaths {
  const paths = {
    persistentConfig: ['/etc/sysmaster/system', '/etc/systemd/system'],
    runtimeConfig: [`${runDirectory}/system`, '/run/systemd/system'],
    persistentControl: '/etc/sysmaster/system.control',
    runtimeControl: `${runDirectory}/system.control`,
    transient: `${runDirectory}/transient`,
    generatorEarly: `${runDirectory}/generator.early`,
    generator: `${runDirectory}/generator`,
    generatorLate: `${runDirectory}/generator.late`,
  };
  const standard = [
    paths.persistentControl,
    paths.runtimeControl,
    paths.transient,
    paths.generatorEarly,
    '/etc/sysmaster/system',
    '/etc/sysmaster/system.attached',
    `${runDirectory}/system`,
    `${runDirectory}/system.attached`,
    '/usr/local/lib/sysmaster/system',
    '/usr/lib/sysmaster/system',
    '/etc/systemd/system.control',
    '/run/systemd/system.control',
    '/etc/systemd/system',
    '/etc/systemd/system.attached',
    '/run/systemd/system',
    '/run/systemd/system.attached',
    paths.generator,
    '/usr/local/lib/systemd/system',
    '/lib/systemd/system',
    '/usr/lib/systemd/system',
    paths.generatorLate,
  ];
  const replaced = environment.SYSMASTER_UNIT_PATH;
  if (replaced === undefined || replaced === '') return { search: standard, ...paths };
  return { search: replacedPath(replaced, standard), ...paths };
}

/** `a:b` replaces the path, `a:b:` (an empty last component) goes in front of it. */
function replacedPath(value: string, standard: readonly string[]): string[] {
  const parts = value.split(':');
  const append = parts[parts.length - 1] === '';
  const own = parts
    .filter((part) => part.startsWith('/'))
    .map((part) => (part.length > 1 ? part.replace(/\/+$/, '') : part));
  return [...new Set(append ? [...own, ...standard] : own)];
}

/** Only these directories, the first also for what enable writes: for tests and for trees that are not this machine's. */
export function plainPaths(
  search: readonly string[],
  config = search[0] ?? '/etc/sysmaster/system',
  runtime = '/run/sysmaster/system',
): UnitPaths {
  return { ...systemPaths(), search, persistentConfig: [config], runtimeConfig: [runtime] };
}

/** systemd's own directories and order: for comparing with its programs, and for trees that systemd manages. */
export function systemdPaths(): UnitPaths {
  return {
    search: [
      '/etc/systemd/system.control',
      '/run/systemd/system.control',
      '/run/systemd/transient',
      '/run/systemd/generator.early',
      '/etc/systemd/system',
      '/etc/systemd/system.attached',
      '/run/systemd/system',
      '/run/systemd/system.attached',
      '/run/systemd/generator',
      '/usr/local/lib/systemd/system',
      '/lib/systemd/system',
      '/usr/lib/systemd/system',
      '/run/systemd/generator.late',
    ],
    persistentConfig: ['/etc/systemd/system'],
    runtimeConfig: ['/run/systemd/system'],
    persistentControl: '/etc/systemd/system.control',
    runtimeControl: '/run/systemd/system.control',
    transient: '/run/systemd/transient',
    generatorEarly: '/run/systemd/generator.early',
    generator: '/run/systemd/generator',
    generatorLate: '/run/systemd/generator.late',
  };
}
