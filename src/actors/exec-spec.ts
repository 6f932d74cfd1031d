/**
 * From a unit's settings and one command to what the exec helper is told.
 *
 * Pure. Says which stored descriptors go along, in the order in which the spec counts them, and nothing else:
 * the helper does the rest (native/exec). Source: systemd.exec(5), systemd.service(5).
 */
import type { CgroupPort, ExecSpec, MachineFacts, Stdio } from '../host/ports.ts';
import type { Command, ExecSettings, Unit } from '../units/types.ts';
import { logPipe, notifyPath, type Role } from './names.ts';

/** What the moment adds to the unit's settings. */
export interface Moment {
  readonly role: Role;
  readonly invocation: string;
  /** The control group it runs in, below init's root. */
  readonly group: string;
  /** Set in ExecReload, ExecStop, ExecStopPost and ExecStartPost. */
  readonly mainPid: number | undefined;
  /** What has started it; undefined: nobody but a person or another unit. */
  readonly trigger?: { readonly unit: string; readonly path: string } | undefined;
  /** SERVICE_RESULT, EXIT_CODE, EXIT_STATUS for ExecStop and ExecStopPost. */
  readonly ended: { readonly result: string; readonly code: string; readonly status: string } | undefined;
  /** Whose end it looks after, for ExecStartPre and ExecStart: MONITOR_UNIT and the like. */
  readonly monitored?:
    | (NonNullable<Moment['ended']> & { readonly unit: string; readonly invocation: string })
    | undefined;
  /** Stored descriptors to pass, with their names for LISTEN_FDNAMES. */
  readonly listen: readonly { readonly name: string; readonly as: string }[];
  /** How many of them, at the end, are the service's own (FDSTORE=1). */
  readonly stored: number;
  /** WATCHDOG_USEC, for the main process of a service with WatchdogSec=. */
  readonly watchdogUsec: number;
  /** The manager's environment, for every service. */
  readonly environment: readonly string[];
  /** NOTIFY_SOCKET is set. */
  readonly notify: boolean;
}

/** systemd's default search path of services. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Where a stream goes; `log` is the number of the log pipe among the passed descriptors. */
function output(setting: string, inherited: Stdio, log: number, tty: string): Stdio {
  const [kind, path] = splitOnce(setting, ':');
  switch (kind) {
    case 'null':
      return 'null';
    case 'inherit':
      return inherited;
    case 'tty':
      return { tty: { path: tty, acquire: 'none' } };
    case 'file':
      return { file: { path, append: false, truncate: false } };
    case 'append':
      return { file: { path, append: true, truncate: false } };
    case 'truncate':
      return { file: { path, append: false, truncate: true } };
    default:
      return { fd: log }; // journal, kmsg, syslog and their +console forms, socket without a connection
  }
}

function splitOnce(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function input(setting: string, tty: string): Stdio {
  const [kind, path] = splitOnce(setting, ':');
  switch (kind) {
    case 'tty':
      return { tty: { path: tty, acquire: 'wait' } };
    case 'tty-force':
      return { tty: { path: tty, acquire: 'force' } };
    case 'tty-fail':
      return { tty: { path: tty, acquire: 'fail' } };
    case 'file':
      return { file: { path, append: false, truncate: false } };
    default:
      return 'null';
  }
}

const DIRECTORY_KINDS = [
  ['runtime', 'RuntimeDirectory', 'RuntimeDirectoryMode'],
  ['state', 'StateDirectory', 'StateDirectoryMode'],
  ['cache', 'CacheDirectory', 'CacheDirectoryMode'],
  ['logs', 'LogsDirectory', 'LogsDirectoryMode'],
  ['configuration', 'ConfigurationDirectory', 'ConfigurationDirectoryMode'],
] as const;

/** Where runtime directories are: /run, but for a manager that shares the machine with another, beside its own. */
export const runtimeRoot = (facts: MachineFacts): string =>
  facts.runDirectory === '/run/sysmaster' ? '/run' : facts.runDirectory.slice(0, facts.runDirectory.lastIndexOf('/'));

function directories(settings: ExecSettings, facts: MachineFacts): NonNullable<ExecSpec['directories']> {
  return DIRECTORY_KINDS.filter(([, key]) => settings[key].length > 0).map(([kind, key, mode]) => ({
    kind,
    mode: settings[mode],
    ...(kind === 'runtime' && runtimeRoot(facts) !== '/run' ? { root: runtimeRoot(facts) } : {}),
    paths: settings[key].map((entry) => {
      const [path, ...symlinks] = entry.split(':');
      return { path: path ?? entry, symlinks };
    }),
  }));
}

/** Present keys of an object whose values may be undefined. */
function present<T extends object>(fields: { [Key in keyof T]?: T[Key] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** The environment the helper starts from, in the order in which later ones win. */
function environment(unit: Unit, settings: ExecSettings, moment: Moment, facts: MachineFacts): string[] {
  const passed = settings.PassEnvironment.flatMap((name) => {
    const value = facts.environment[name];
    return value === undefined ? [] : [`${name}=${value}`];
  });
  const own = [`INVOCATION_ID=${moment.invocation}`];
  if (moment.notify) own.push(`NOTIFY_SOCKET=${notifyPath(facts.runDirectory, unit.name)}`);
  if (moment.watchdogUsec > 0 && moment.role === 'main') own.push(`WATCHDOG_USEC=${moment.watchdogUsec}`);
  if (moment.trigger !== undefined)
    own.push(`TRIGGER_UNIT=${moment.trigger.unit}`, `TRIGGER_PATH=${moment.trigger.path}`);
  if (moment.mainPid !== undefined) own.push(`MAINPID=${moment.mainPid}`);
  if (moment.ended !== undefined) {
    own.push(`SERVICE_RESULT=${moment.ended.result}`);
    if (moment.ended.code !== '') own.push(`EXIT_CODE=${moment.ended.code}`, `EXIT_STATUS=${moment.ended.status}`);
  }
  if (moment.monitored !== undefined) {
    const { unit: name, invocation, result, code, status } = moment.monitored;
    own.push(`MONITOR_SERVICE_RESULT=${result}`);
    if (code !== '') own.push(`MONITOR_EXIT_CODE=${code}`, `MONITOR_EXIT_STATUS=${status}`);
    own.push(`MONITOR_INVOCATION_ID=${invocation}`, `MONITOR_UNIT=${name}`);
  }
  return [
    `PATH=${facts.environment['PATH'] ?? DEFAULT_PATH}`,
    ...moment.environment,
    ...passed,
    ...own,
    ...settings.Environment,
  ];
}

/** Does this command run without the unit's user and groups (`+`, `!`, `!!`, PermissionsStartOnly-like rules)? */
const asRoot = (command: Command) => command.privilege !== 'normal';

/**
 * The spec of one command, and the names of the stored descriptors that go with it.
 *
 * @param settings the unit's section with systemd.exec(5) settings
 * @throws never: what cannot be carried out is the helper's to report
 */
export function execSpec(
  unit: Unit,
  settings: ExecSettings,
  command: Command,
  moment: Moment,
  facts: MachineFacts,
  groups: Pick<CgroupPort, 'available'> & { readonly root: string },
): { spec: ExecSpec; fds: string[] } {
  const fds = [`${logPipe(unit.name)}:w`, ...moment.listen.map(({ name }) => name)];
  const tty = settings.TTYPath || '/dev/console';
  const stdin = input(settings.StandardInput, tty);
  const stdout = output(settings.StandardOutput, stdin === 'null' ? { fd: 0 } : stdin, 0, tty);
  const full = command.privilege === 'full';
  const spec: ExecSpec = {
    version: 1,
    unit: unit.name,
    path: command.path,
    argv: command.argv,
    cgroups: groups.available ? [`${groups.root}/${moment.group}`] : [],
    expand: !command.noExpand,
    environment: environment(unit, settings, moment, facts),
    environmentFiles: settings.EnvironmentFile,
    unsetEnvironment: settings.UnsetEnvironment,
    stdin,
    stdout,
    stderr: output(settings.StandardError, stdout, 0, tty),
    listenFds: moment.listen.map((_, index) => index + 1),
    listenNames: moment.listen.map(({ as }) => as),
    // The user counts even where the command keeps its privileges: directories are made for the user.
    user: settings.User,
    group: settings.Group,
    supplementaryGroups: settings.SupplementaryGroups,
    keepCredentials: asRoot(command),
    storedFds: moment.stored,
    nonBlocking: unit.service?.NonBlocking ?? false,
    delegate: settings.Delegate,
    rootDirectory: full ? '' : settings.RootDirectory,
    workingDirectory: settings.WorkingDirectory,
    workingDirectoryOptional: settings.WorkingDirectoryOptional,
    umask: settings.UMask,
    rlimits: Object.entries(settings.Limits).map(([resource, limit]) => ({ resource, ...limit })),
    cpuSchedulingPolicy: settings.CPUSchedulingPolicy,
    cpuSchedulingPriority: settings.CPUSchedulingPriority,
    cpuSchedulingResetOnFork: settings.CPUSchedulingResetOnFork,
    ioSchedulingClass: settings.IOSchedulingClass,
    cpuAffinity: settings.CPUAffinity,
    ignoreSigpipe: settings.IgnoreSIGPIPE,
    noNewPrivileges: full ? false : settings.NoNewPrivileges,
    ambientCapabilities: asRoot(command) ? [] : settings.AmbientCapabilities,
    directories: directories(settings, facts),
    personality: settings.Personality,
    ttyReset: settings.TTYReset,
    ttyVhangup: settings.TTYVHangup,
    ...present<ExecSpec>({
      nice: settings.Nice,
      oomScoreAdjust: settings.OOMScoreAdjust,
      ioSchedulingPriority: settings.IOSchedulingPriority,
      capabilityBoundingSet: full ? undefined : settings.CapabilityBoundingSet,
    }),
  };
  return { spec, fds };
}
