/** Settings of systemd.exec(5) and systemd.kill(5), the same in [Service], [Socket], [Mount] and [Swap]. */
import { simplifyPath } from '../names.ts';
import { architectureName } from '../specifiers.ts';
import { CAPABILITIES } from '../syntax/capability.ts';
import { pathFault } from '../syntax/path.ts';
import { LIMITS, type LimitName, parseLimit } from '../syntax/rlimit.ts';
import { parseBoolean } from '../syntax/scalar.ts';
import { parseSpanNs } from '../syntax/timespan.ts';
import {
  CPU_POLICY_NAMES,
  IO_CLASS_NAMES,
  LOG_FACILITIES,
  LOG_LEVELS,
  parseCpuPolicy,
  parseIoClass,
  parseLogFacility,
  parseLogLevel,
} from '../syntax/vocabulary.ts';
import type { ExecSettings } from '../types.ts';
import { known, section } from './build.ts';
import type { Checker, Context, Directive, Draft, Mutable, Parser } from './draft.ts';
import {
  boolean,
  checked,
  configurationDirectories,
  cpuList,
  environment,
  integer,
  isDescriptorName,
  managedDirectories,
  mode,
  oneOf,
  oneOfOrBoolean,
  optional,
  orEmpty,
  orNothing,
  path,
  paths,
  principal,
  principals,
  signal,
  span,
  text,
  unsigned,
  variableNames,
  variablesOrNames,
  vitalBoolean,
  vitalPath,
} from './parsers.ts';
import {
  addressFamilies,
  base64Data,
  bindPaths,
  coredumpFilter,
  filesystems,
  images,
  inputText,
  label,
  loadCredential,
  logFields,
  logNamespace,
  namedCapabilities,
  nodeMask,
  restrictNamespaces,
  rootHash,
  rootHashSignature,
  rootImageOptions,
  searchPath,
  secureBits,
  setCredential,
  setCredentialEncrypted,
  syscallArchitectures,
  syscallError,
  syscallFilter,
  syscallLog,
  temporaryFileSystem,
} from './values.ts';

/** Defaults of systemd.exec(5) and systemd.kill(5). */
export function defaultExec(): Mutable<ExecSettings> {
  return {
    User: '',
    Group: '',
    SupplementaryGroups: [],
    WorkingDirectory: '',
    WorkingDirectoryOptional: false,
    RootDirectory: '',
    UMask: 0o022,
    Nice: undefined,
    OOMScoreAdjust: undefined,
    IOSchedulingClass: '',
    IOSchedulingPriority: undefined,
    CPUSchedulingPolicy: '',
    CPUSchedulingPriority: 0,
    CPUSchedulingResetOnFork: false,
    CPUAffinity: [],
    Environment: [],
    EnvironmentFile: [],
    PassEnvironment: [],
    UnsetEnvironment: [],
    StandardInput: 'null',
    StandardOutput: 'journal',
    StandardError: 'inherit',
    TTYPath: '',
    TTYReset: false,
    TTYVHangup: false,
    SyslogIdentifier: '',
    SyslogLevel: 6,
    SyslogLevelPrefix: true,
    Limits: {},
    NoNewPrivileges: false,
    CapabilityBoundingSet: undefined,
    AmbientCapabilities: [],
    IgnoreSIGPIPE: true,
    Personality: '',
    UtmpIdentifier: '',
    RuntimeDirectory: [],
    RuntimeDirectoryMode: 0o755,
    RuntimeDirectoryPreserve: 'no',
    StateDirectory: [],
    StateDirectoryMode: 0o755,
    CacheDirectory: [],
    CacheDirectoryMode: 0o755,
    LogsDirectory: [],
    LogsDirectoryMode: 0o755,
    ConfigurationDirectory: [],
    ConfigurationDirectoryMode: 0o755,
    Slice: '',
    Delegate: false,
    CgroupAttributes: [],
    KillMode: 'control-group',
    KillSignal: 15,
    RestartKillSignal: undefined,
    SendSIGHUP: false,
    SendSIGKILL: true,
    FinalKillSignal: 9,
    WatchdogSignal: 6,
  };
}

/**
 * Names in any case, or numbers. The first list of a unit takes the place of the set that is there without any; a later one
 * adds to it, or takes away with `~`. An empty value, or one without a capability in it, empties the set; `~` alone fills it.
 */
function capabilities(
  value: string,
  ctx: Context,
  current: readonly string[],
  standard: readonly string[],
): readonly string[] {
  const named = namedCapabilities(value, ctx);
  const inverted = value.startsWith('~');
  const replaces = named.size === 0 || current.length === standard.length;
  return CAPABILITIES.filter((name) => {
    if (replaces) return named.has(name) !== inverted;
    return inverted ? current.includes(name) && !named.has(name) : current.includes(name) || named.has(name);
  });
}

const bounding: Parser<readonly string[] | undefined> = (value, ctx, current) =>
  capabilities(value, ctx, current ?? CAPABILITIES, CAPABILITIES);
const ambient: Parser<readonly string[]> = (value, ctx, current) => capabilities(value, ctx, current, []);

const output: Parser<string> = (value, ctx) => {
  const plain = [
    'inherit',
    'null',
    'tty',
    'journal',
    'kmsg',
    'journal+console',
    'kmsg+console',
    'socket',
    'syslog',
    'syslog+console',
  ];
  if (plain.includes(value)) {
    // Gone from systemd since 246; the journal takes them.
    if (value.startsWith('syslog')) {
      ctx.warn(
        `${value} is no longer there, ${value.replace('syslog', 'journal')} is used`,
        `write ${value.replace('syslog', 'journal')}`,
      );
      return value.replace('syslog', 'journal');
    }
    return value;
  }
  return withPath(
    value,
    ctx,
    ['file:', 'append:', 'truncate:'],
    ['fd:'],
    `use ${plain.slice(0, 8).join(', ')}, file:PATH, append:PATH, truncate:PATH or fd:NAME`,
  );
};

const input: Parser<string> = (value, ctx) => {
  if (['null', 'tty', 'tty-force', 'tty-fail', 'socket', 'data'].includes(value)) return value;
  return withPath(
    value,
    ctx,
    ['file:'],
    ['fd:'],
    'use null, tty, tty-force, tty-fail, socket, data, file:PATH or fd:NAME',
  );
};

function withPath(
  value: string,
  ctx: Context,
  files: readonly string[],
  names: readonly string[],
  todo: string,
): string | undefined {
  if (value === 'fd') return 'fd:';
  for (const prefix of names) {
    if (!value.startsWith(prefix)) continue;
    const name = ctx.expand(value.slice(prefix.length));
    if (name === undefined) return undefined;
    if (isDescriptorName(name)) return prefix + name;
    ctx.fault('not the name of a descriptor', 'use printable ASCII without colons');
    return undefined;
  }
  for (const prefix of files) {
    if (!value.startsWith(prefix)) continue;
    const expanded = ctx.expand(value.slice(prefix.length));
    if (expanded === undefined) return undefined;
    const fault = pathFault(expanded);
    if (fault === undefined) return prefix + simplifyPath(expanded);
    ctx.fault(fault, 'give an absolute path after the colon');
    return undefined;
  }
  ctx.fault('not a stream', todo);
  return undefined;
}

const level: Parser<number> = checked(parseLogLevel, 'not a log level', `use ${LOG_LEVELS.join(', ')}, or 0 to 7`);

const environmentFiles: Parser<ExecSettings['EnvironmentFile']> = (value, ctx, current) => {
  if (value === '') return [];
  const expanded = ctx.expand(value);
  if (expanded === undefined) return undefined;
  const optional = expanded.startsWith('-');
  const file = optional ? expanded.slice(1) : expanded;
  const fault = pathFault(file);
  if (fault !== undefined) {
    ctx.fault(fault, 'give an absolute path, with - in front if the file may be missing');
    return undefined;
  }
  return [...current, { path: simplifyPath(file), optional }];
};

const ioClass: Parser<string> = orEmpty(
  checked(parseIoClass, 'not an I/O class', `use ${IO_CLASS_NAMES.join(', ')}, or 0 to 7`),
);
const cpuPolicy: Parser<string> = orEmpty(
  checked(parseCpuPolicy, 'not a CPU scheduling policy', `use ${CPU_POLICY_NAMES.join(', ')}`),
);
const ioPriority: Parser<number | undefined> = (value, ctx) =>
  value === '' ? undefined : integer(0, 7, 'a priority')(value, ctx, 0);

const nice: Parser<number | undefined> = (value, ctx) =>
  value === '' ? undefined : integer(-20, 19, 'a nice level')(value, ctx, 0);
const oomScore: Parser<number | undefined> = (value, ctx) =>
  value === '' ? undefined : integer(-1000, 1000, 'an OOM score')(value, ctx, 0);

/** Personalities by machine: its own, and that of 32 bits on one of 64. */
const PERSONALITIES: Readonly<Record<string, readonly string[]>> = {
  'x86-64': ['x86-64', 'x86'],
  x86: ['x86'],
  ppc64: ['ppc64', 'ppc'],
  'ppc64-le': ['ppc64-le', 'ppc-le'],
  s390x: ['s390x', 's390'],
  arm64: ['arm64', 'arm'],
};

const personality: Parser<string> = (value, ctx) =>
  value === ''
    ? ''
    : oneOf('a personality of this machine', PERSONALITIES[architectureName(ctx.facts)] ?? [])(value, ctx, '');

type Target = (draft: Draft) => Mutable<ExecSettings> | undefined;

function workingDirectory(target: Mutable<ExecSettings>, value: string, ctx: Context): void {
  if (value === '') {
    target.WorkingDirectory = '';
    target.WorkingDirectoryOptional = false;
    return;
  }
  const optional = value.startsWith('-');
  const rest = optional ? value.slice(1) : value;
  if (rest === '~') {
    target.WorkingDirectory = '~';
    target.WorkingDirectoryOptional = optional;
    return;
  }
  const expanded = ctx.tryExpand(rest);
  const fault = 'fault' in expanded ? expanded.fault : pathFault(expanded.text);
  if (fault !== undefined || 'fault' in expanded) {
    if (optional) ctx.fault(fault ?? 'unknown specifier', 'give an absolute path, or ~');
    else ctx.refuse(fault ?? 'unknown specifier', 'give an absolute path, or ~');
    return;
  }
  target.WorkingDirectory = simplifyPath(expanded.text);
  target.WorkingDirectoryOptional = optional;
}

function rootDirectory(target: Mutable<ExecSettings>, value: string, ctx: Context): void {
  const parsed = path(value, ctx, target.RootDirectory);
  if (parsed === undefined) ctx.refuse('the root directory cannot be used', 'give an absolute path');
  else target.RootDirectory = parsed === '/' ? '' : parsed;
}

/** The rows of systemd.exec(5), for one section. */
export function execDirectives(name: string, pick: Target): readonly Directive[] {
  const exec = section<ExecSettings>(name, pick);
  const unknownYet = (keys: string, parser?: Checker, form?: string) =>
    known(name, keys, parser ?? text, form === undefined ? {} : { form });
  return [
    exec.does('WorkingDirectory', workingDirectory, { form: 'PATH' }),
    exec.does('RootDirectory', rootDirectory, { form: 'PATH' }),
    exec.set('User', 'User', principal, { form: 'USER' }),
    exec.set('Group', 'Group', principal, { form: 'GROUP' }),
    exec.set('SupplementaryGroups', 'SupplementaryGroups', principals, { form: 'GROUP...' }),
    exec.set('UMask', 'UMask', mode),
    exec.set('Nice', 'Nice', nice, { form: 'NICE' }),
    exec.set('OOMScoreAdjust', 'OOMScoreAdjust', oomScore, { form: 'INTEGER' }),
    exec.set('IOSchedulingClass', 'IOSchedulingClass', ioClass, { form: 'IOCLASS' }),
    exec.set('IOSchedulingPriority', 'IOSchedulingPriority', ioPriority, { form: 'IOPRIORITY' }),
    exec.set('CPUSchedulingPolicy', 'CPUSchedulingPolicy', cpuPolicy, { form: 'CPUSCHEDPOLICY' }),
    exec.set('CPUSchedulingPriority', 'CPUSchedulingPriority', integer(0, 99, 'a priority'), { form: 'CPUSCHEDPRIO' }),
    exec.set('CPUSchedulingResetOnFork', 'CPUSchedulingResetOnFork', boolean),
    exec.set('CPUAffinity', 'CPUAffinity', cpuList, { form: 'CPUS' }),
    exec.set('Environment', 'Environment', environment, { form: 'NAME=value...' }),
    exec.set('EnvironmentFile', 'EnvironmentFile', environmentFiles, { form: 'PATH' }),
    exec.set('PassEnvironment', 'PassEnvironment', variableNames, { form: 'NAME...' }),
    exec.set('UnsetEnvironment', 'UnsetEnvironment', variablesOrNames, { form: 'NAME...' }),
    exec.set('StandardInput', 'StandardInput', input, { form: 'INPUT' }),
    exec.set('StandardOutput', 'StandardOutput', output, { form: 'OUTPUT' }),
    exec.set('StandardError', 'StandardError', output, { form: 'OUTPUT' }),
    exec.set('TTYPath', 'TTYPath', path, { form: 'PATH' }),
    exec.set('TTYReset', 'TTYReset', boolean),
    exec.set('TTYVHangup', 'TTYVHangup', boolean),
    exec.set('SyslogIdentifier', 'SyslogIdentifier', text),
    exec.set('SyslogLevel', 'SyslogLevel', level, { form: 'LEVEL' }),
    exec.set('SyslogLevelPrefix', 'SyslogLevelPrefix', boolean),
    ...Object.keys(LIMITS).map((limit) =>
      exec.does(
        `Limit${limit}`,
        (target, value, ctx) => {
          const expanded = ctx.expand(value);
          if (expanded === undefined) return;
          const parsed = parseLimit(expanded, limit as LimitName);
          if (parsed === undefined)
            ctx.fault('not a limit, or the soft one is above the hard one', 'use VALUE, SOFT:HARD or infinity');
          else target.Limits = { ...target.Limits, [limit]: parsed };
        },
        { form: 'LIMIT' },
      ),
    ),
    exec.set('NoNewPrivileges', 'NoNewPrivileges', boolean),
    exec.set('CapabilityBoundingSet', 'CapabilityBoundingSet', bounding, { form: 'CAPABILITY...' }),
    exec.set('AmbientCapabilities', 'AmbientCapabilities', ambient, { form: 'CAPABILITY...' }),
    exec.set('IgnoreSIGPIPE', 'IgnoreSIGPIPE', boolean),
    exec.set('Personality', 'Personality', personality, { form: 'ARCHITECTURE' }),
    exec.set('UtmpIdentifier', 'UtmpIdentifier', text, { status: 'unsupported' }),
    exec.set('RuntimeDirectory', 'RuntimeDirectory', managedDirectories, { form: 'DIRECTORY...' }),
    exec.set('RuntimeDirectoryMode', 'RuntimeDirectoryMode', mode),
    exec.set(
      'RuntimeDirectoryPreserve',
      'RuntimeDirectoryPreserve',
      oneOfOrBoolean('yes, no or restart', ['no', 'yes', 'restart'], 'yes', 'no'),
    ),
    exec.set('StateDirectory', 'StateDirectory', managedDirectories, { form: 'DIRECTORY...' }),
    exec.set('StateDirectoryMode', 'StateDirectoryMode', mode),
    exec.set('CacheDirectory', 'CacheDirectory', managedDirectories, { form: 'DIRECTORY...' }),
    exec.set('CacheDirectoryMode', 'CacheDirectoryMode', mode),
    exec.set('LogsDirectory', 'LogsDirectory', managedDirectories, { form: 'DIRECTORY...' }),
    exec.set('LogsDirectoryMode', 'LogsDirectoryMode', mode),
    exec.set('ConfigurationDirectory', 'ConfigurationDirectory', configurationDirectories, { form: 'DIRECTORY...' }),
    exec.set('ConfigurationDirectoryMode', 'ConfigurationDirectoryMode', mode),
    ...killDirectives(name, pick),

    ...unknownYet('DynamicUser', vitalBoolean, 'BOOLEAN'),
    ...unknownYet(
      `RemoveIPC TTYVTDisallocate MemoryDenyWriteExecute RestrictRealtime RestrictSUIDSGID LockPersonality PrivateTmp
       PrivateDevices ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectClock ProtectControlGroups PrivateNetwork
       PrivateUsers PrivateMounts PrivateIPC ProtectHostname`,
      boolean,
    ),
    ...unknownYet('MountAPIVFS', orNothing(boolean), 'BOOLEAN'),
    ...unknownYet('RootImage RootVerity', vitalPath, 'PATH'),
    ...unknownYet('NetworkNamespacePath IPCNamespacePath', path, 'PATH'),
    ...unknownYet('ReadWritePaths ReadOnlyPaths InaccessiblePaths ExecPaths NoExecPaths', paths('-+'), '[-+]PATH...'),
    ...known(name, 'ReadWriteDirectories', paths('-+'), { renamedTo: 'ReadWritePaths', form: '[-+]PATH...' }),
    ...known(name, 'ReadOnlyDirectories', paths('-+'), { renamedTo: 'ReadOnlyPaths', form: '[-+]PATH...' }),
    ...known(name, 'InaccessibleDirectories', paths('-+'), { renamedTo: 'InaccessiblePaths', form: '[-+]PATH...' }),
    ...unknownYet('ExtensionDirectories', paths('-+'), '[-+]PATH...'),
    ...unknownYet('ExtensionImages', images(false), '[-]IMAGE[:PARTITION:OPTIONS]...'),
    ...unknownYet('MountImages', images(true), '[-]IMAGE:PATH[:PARTITION:OPTIONS]...'),
    ...unknownYet('BindPaths BindReadOnlyPaths', bindPaths, '[-]PATH[:PATH[:rbind|norbind]]...'),
    ...unknownYet('TemporaryFileSystem', temporaryFileSystem, 'PATH[:OPTIONS]...'),
    ...unknownYet('RootImageOptions', rootImageOptions, '[PARTITION:]OPTIONS...'),
    ...unknownYet('RootHash', rootHash, 'HASH|PATH'),
    ...unknownYet('RootHashSignature', rootHashSignature, 'base64:DATA|PATH'),
    ...unknownYet(
      'ProtectSystem',
      checked(
        (value) => (parseBoolean(value) !== undefined || ['full', 'strict'].includes(value) ? value : undefined),
        'not a protection',
        'use yes, no, full or strict',
      ),
      'BOOLEAN|full|strict',
    ),
    ...unknownYet(
      'ProtectHome',
      checked(
        (value) => (parseBoolean(value) !== undefined || ['read-only', 'tmpfs'].includes(value) ? value : undefined),
        'not a protection',
        'use yes, no, read-only or tmpfs',
      ),
      'BOOLEAN|read-only|tmpfs',
    ),
    ...unknownYet(
      'ProtectProc',
      oneOf('a protection', ['default', 'noaccess', 'invisible', 'ptraceable']),
      'default|noaccess|invisible|ptraceable',
    ),
    ...unknownYet('ProcSubset', oneOf('a subset', ['all', 'pid']), 'all|pid'),
    ...unknownYet('KeyringMode', oneOf('a keyring mode', ['inherit', 'private', 'shared']), 'inherit|private|shared'),
    ...unknownYet('UtmpMode', oneOf('an utmp mode', ['init', 'login', 'user']), 'init|login|user'),
    ...unknownYet('NUMAPolicy', orNothing(oneOf('a NUMA policy', NUMA_POLICIES)), NUMA_POLICIES.join('|')),
    ...unknownYet('NUMAMask', nodeMask, 'NODES|all'),
    ...unknownYet(
      'SyslogFacility',
      checked(parseLogFacility, 'not a syslog facility', `use ${LOG_FACILITIES.join(', ')}`),
      'FACILITY',
    ),
    ...unknownYet('LogLevelMax', level, 'LEVEL'),
    ...unknownYet('LogRateLimitIntervalSec', span),
    ...unknownYet('LogRateLimitBurst', unsigned),
    ...unknownYet('TTYRows TTYColumns', orNothing(unsigned), 'UNSIGNED'),
    ...unknownYet('LogExtraFields', logFields, 'FIELD=VALUE...'),
    ...unknownYet('LogNamespace', logNamespace, 'NAME'),
    ...unknownYet(
      'TimerSlackNSec',
      checked((value) => parseSpanNs(value), 'not a time span', 'use for example 50us'),
      'NANOSECONDS',
    ),
    ...unknownYet('SecureBits', secureBits, 'BIT...'),
    ...unknownYet('CoredumpFilter', coredumpFilter, 'TYPE|MASK...'),
    ...unknownYet('MountFlags', oneOf('a propagation', ['shared', 'slave', 'private', '']), 'shared|slave|private'),
    ...unknownYet('StandardInputText', inputText, 'STRING'),
    ...unknownYet('StandardInputData', base64Data, 'BASE64'),
    ...unknownYet('SystemCallFilter', syscallFilter, '[~]SYSCALL[:ERRNO]|@GROUP...'),
    ...unknownYet('SystemCallLog', syscallLog, '[~]SYSCALL|@GROUP...'),
    ...unknownYet('SystemCallArchitectures', syscallArchitectures, 'ARCHITECTURE...'),
    ...unknownYet('SystemCallErrorNumber', syscallError, 'ERRNO|kill'),
    ...unknownYet('RestrictNamespaces', restrictNamespaces, 'BOOLEAN|[~]NAMESPACE...'),
    ...unknownYet('RestrictAddressFamilies', addressFamilies, 'none|[~]AF_FAMILY...'),
    ...unknownYet('RestrictFileSystems', filesystems, '[~]FILESYSTEM|@GROUP...'),
    ...unknownYet('ExecSearchPath', searchPath, 'PATH[:PATH...]'),
    ...unknownYet('SetCredential', setCredential, 'NAME:TEXT'),
    ...unknownYet('SetCredentialEncrypted', setCredentialEncrypted, 'NAME:BASE64'),
    ...unknownYet('LoadCredential LoadCredentialEncrypted', loadCredential, 'NAME[:SOURCE]'),
    ...unknownYet('PAMName', text),
    ...unknownYet('SELinuxContext AppArmorProfile SmackProcessLabel', label, '[-]LABEL'),
    ...unknownYet('TimeoutCleanSec', span),
    // Newer than 252.
    ...unknownYet('SetLoginEnvironment RootEphemeral PrivatePIDs', boolean),
    ...unknownYet('ImportCredential RootImagePolicy MountImagePolicy ExtensionImagePolicy LogFilterPatterns', text),
  ];
}

const NUMA_POLICIES = ['default', 'preferred', 'bind', 'interleave', 'local'] as const;

const killMode: Parser<ExecSettings['KillMode']> = (value, ctx, current) => {
  if (value === '') return 'control-group';
  if (value === 'none') ctx.warn('processes are left behind when the unit stops', 'use mixed or control-group');
  return oneOf('a kill mode', ['control-group', 'mixed', 'process', 'none'])(value, ctx, current);
};

type KillSettings = Pick<ExecSettings, 'KillMode' | 'KillSignal' | 'SendSIGHUP' | 'SendSIGKILL' | 'FinalKillSignal'>;

/** The rows of systemd.kill(5) that scopes have too. */
export function scopeKillDirectives(
  name: string,
  pick: (draft: Draft) => Mutable<KillSettings> | undefined,
): readonly Directive[] {
  const kill = section<KillSettings>(name, pick);
  return [
    kill.set('KillMode', 'KillMode', killMode, { form: 'control-group|mixed|process|none' }),
    kill.set('KillSignal', 'KillSignal', signal),
    kill.set('SendSIGHUP', 'SendSIGHUP', boolean),
    kill.set('SendSIGKILL', 'SendSIGKILL', boolean),
    kill.set('FinalKillSignal', 'FinalKillSignal', signal),
  ];
}

function killDirectives(name: string, pick: Target): readonly Directive[] {
  const kill = section<ExecSettings>(name, pick);
  return [
    ...scopeKillDirectives(name, pick),
    kill.set('RestartKillSignal', 'RestartKillSignal', optional(signal), { form: 'SIGNAL' }),
    kill.set('WatchdogSignal', 'WatchdogSignal', signal),
  ];
}
