/** Settings of systemd.exec(5) and systemd.kill(5), the same in [Service], [Socket], [Mount] and [Swap]. */
import { simplifyPath } from '../names.ts';
import { pathFault } from '../syntax/path.ts';
import { LIMITS, type LimitName, parseLimit } from '../syntax/rlimit.ts';
import { parseBoolean } from '../syntax/scalar.ts';
import { parseSpanNs } from '../syntax/timespan.ts';
import { plainWords } from '../syntax/words.ts';
import type { ExecSettings } from '../types.ts';
import { known, section } from './build.ts';
import type { Checker, Context, Directive, Draft, Mutable, Parser } from './draft.ts';
import {
  boolean,
  checked,
  cpuList,
  environment,
  integer,
  managedDirectories,
  mode,
  oneOf,
  oneOfOrBoolean,
  optional,
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
  words,
} from './parsers.ts';

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

const LEVELS = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'];
const FACILITIES = [
  'kern',
  'user',
  'mail',
  'daemon',
  'auth',
  'syslog',
  'lpr',
  'news',
  'uucp',
  'cron',
  'authpriv',
  'ftp',
  'local0',
  'local1',
  'local2',
  'local3',
  'local4',
  'local5',
  'local6',
  'local7',
];

/** All capabilities of Linux 6.x by number (capabilities(7)). */
export const CAPABILITIES: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
];

/** Names in any case, merged by systemd's rule: a list is or-ed, `~` takes away, empty is none. */
function capabilities(
  value: string,
  ctx: Context,
  current: readonly string[],
  all: readonly string[],
): readonly string[] | undefined {
  if (value === '') return [];
  const inverted = value.startsWith('~');
  const named = new Set<string>();
  for (const word of plainWords(inverted ? value.slice(1) : value)) {
    const name = word.text.toUpperCase();
    if (!CAPABILITIES.includes(name))
      ctx.fault(`${word.text}: not a capability`, 'use names of capabilities(7)', word.offset);
    else named.add(name);
  }
  const base = new Set(current);
  if (!inverted) {
    // The first list replaces the full set that is there before any assignment.
    const from = base.size === all.length ? new Set<string>() : base;
    for (const name of named) from.add(name);
    return CAPABILITIES.filter((name) => from.has(name));
  }
  const from = base.size === 0 ? new Set(all) : base;
  return CAPABILITIES.filter((name) => from.has(name) && !named.has(name));
}

const bounding: Parser<readonly string[] | undefined> = (value, ctx, current) =>
  capabilities(value, ctx, current ?? CAPABILITIES, CAPABILITIES);
const ambient: Parser<readonly string[]> = (value, ctx, current) => capabilities(value, ctx, current, CAPABILITIES);

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
      ctx.note(
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
  for (const prefix of names) if (value.startsWith(prefix)) return ctx.expand(value);
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

const level: Parser<number> = (value, ctx) => {
  const index = LEVELS.indexOf(value);
  const number = index >= 0 ? index : /^[0-7]$/.test(value) ? Number(value) : undefined;
  if (number === undefined) ctx.fault('not a log level', `use ${LEVELS.join(', ')}, or 0 to 7`);
  return number;
};

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

const ioClass: Parser<string> = (value, ctx, current) => {
  const byNumber = ['', 'realtime', 'best-effort', 'idle'][Number(value)];
  if (/^[0-3]$/.test(value) && byNumber !== undefined) return byNumber;
  return oneOf('an I/O class', ['none', 'realtime', 'best-effort', 'idle'])(value, ctx, current as 'none');
};

const cpuPolicy: Parser<string> = (value, ctx, current) =>
  oneOf('a CPU scheduling policy', ['other', 'batch', 'idle', 'fifo', 'rr'])(value, ctx, current as 'other');

const nice: Parser<number | undefined> = (value, ctx) =>
  value === '' ? undefined : integer(-20, 19, 'a nice level')(value, ctx, 0);
const oomScore: Parser<number | undefined> = (value, ctx) =>
  value === '' ? undefined : integer(-1000, 1000, 'an OOM score')(value, ctx, 0);

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
    exec.set('IOSchedulingPriority', 'IOSchedulingPriority', optional(integer(0, 7, 'a priority')), {
      form: 'IOPRIORITY',
    }),
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
          if (value === '') {
            target.Limits = Object.fromEntries(Object.entries(target.Limits).filter(([key]) => key !== limit));
            return;
          }
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
    exec.set(
      'Personality',
      'Personality',
      oneOf('a personality', [
        'x86',
        'x86-64',
        'ppc',
        'ppc-le',
        'ppc64',
        'ppc64-le',
        's390',
        's390x',
        'arm64',
        'arm',
      ]) as Parser<string>,
    ),
    exec.set('UtmpIdentifier', 'UtmpIdentifier', text),
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
    exec.set('ConfigurationDirectory', 'ConfigurationDirectory', managedDirectories, { form: 'DIRECTORY...' }),
    exec.set('ConfigurationDirectoryMode', 'ConfigurationDirectoryMode', mode),
    ...killDirectives(name, pick),

    ...unknownYet(
      `DynamicUser RemoveIPC TTYVTDisallocate MemoryDenyWriteExecute RestrictRealtime RestrictSUIDSGID LockPersonality PrivateTmp
       PrivateDevices ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectClock ProtectControlGroups PrivateNetwork
       PrivateUsers PrivateMounts PrivateIPC ProtectHostname MountAPIVFS`,
      boolean,
    ),
    ...unknownYet('RootImage RootVerity NetworkNamespacePath IPCNamespacePath', path, 'PATH'),
    ...unknownYet('ReadWritePaths ReadOnlyPaths InaccessiblePaths ExecPaths NoExecPaths', paths('-+'), 'PATH...'),
    ...known(name, 'ReadWriteDirectories', paths('-+'), { renamedTo: 'ReadWritePaths', form: 'PATH...' }),
    ...known(name, 'ReadOnlyDirectories', paths('-+'), { renamedTo: 'ReadOnlyPaths', form: 'PATH...' }),
    ...known(name, 'InaccessibleDirectories', paths('-+'), { renamedTo: 'InaccessiblePaths', form: 'PATH...' }),
    ...unknownYet('ExtensionDirectories', paths('-+'), 'PATH...'),
    ...unknownYet(
      'ProtectSystem',
      checked(
        (value) => (parseBoolean(value) !== undefined || ['full', 'strict'].includes(value) ? value : undefined),
        'not a protection',
        'use yes, no, full or strict',
      ),
    ),
    ...unknownYet(
      'ProtectHome',
      checked(
        (value) => (parseBoolean(value) !== undefined || ['read-only', 'tmpfs'].includes(value) ? value : undefined),
        'not a protection',
        'use yes, no, read-only or tmpfs',
      ),
    ),
    ...unknownYet('ProtectProc', oneOf('a protection', ['default', 'noaccess', 'invisible', 'ptraceable'])),
    ...unknownYet('ProcSubset', oneOf('a subset', ['all', 'pid'])),
    ...unknownYet('KeyringMode', oneOf('a keyring mode', ['inherit', 'private', 'shared'])),
    ...unknownYet('UtmpMode', oneOf('an utmp mode', ['init', 'login', 'user'])),
    ...unknownYet('NUMAPolicy', oneOf('a NUMA policy', ['default', 'preferred', 'bind', 'interleave', 'local'])),
    ...unknownYet('SyslogFacility', oneOf('a syslog facility', FACILITIES)),
    ...unknownYet('LogLevelMax', level, 'LEVEL'),
    ...unknownYet('LogRateLimitIntervalSec', span),
    ...unknownYet('LogRateLimitBurst TTYRows TTYColumns', unsigned),
    ...unknownYet(
      'TimerSlackNSec',
      checked((value) => parseSpanNs(value), 'not a time span', 'use for example 50us'),
      'NANOSECONDS',
    ),
    ...unknownYet(
      'SecureBits',
      words((word) => (SECURE_BITS.includes(word) ? undefined : 'not a secure bit')),
      'BIT...',
    ),
    ...unknownYet('MountFlags', oneOf('a propagation', ['shared', 'slave', 'private', ''])),
    ...unknownYet(
      `RootImageOptions RootHash RootHashSignature ExtensionImages MountImages CoredumpFilter NUMAMask StandardInputText
       StandardInputData LogExtraFields SystemCallFilter SystemCallArchitectures SystemCallErrorNumber SystemCallLog
       RestrictNamespaces RestrictAddressFamilies RestrictFileSystems ExecSearchPath BindPaths BindReadOnlyPaths
       TemporaryFileSystem LogNamespace SetCredential SetCredentialEncrypted LoadCredential LoadCredentialEncrypted PAMName
       SELinuxContext AppArmorProfile SmackProcessLabel`,
      (value) => value,
    ),
    ...unknownYet('TimeoutCleanSec', span),
  ];
}

const SECURE_BITS = [
  'keep-caps',
  'keep-caps-locked',
  'no-setuid-fixup',
  'no-setuid-fixup-locked',
  'noroot',
  'noroot-locked',
];

type KillSettings = Pick<ExecSettings, 'KillMode' | 'KillSignal' | 'SendSIGHUP' | 'SendSIGKILL' | 'FinalKillSignal'>;

/** The rows of systemd.kill(5) that scopes have too. */
export function scopeKillDirectives(
  name: string,
  pick: (draft: Draft) => Mutable<KillSettings> | undefined,
): readonly Directive[] {
  const kill = section<KillSettings>(name, pick);
  return [
    kill.set('KillMode', 'KillMode', oneOf('a kill mode', ['control-group', 'mixed', 'process', 'none'])),
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
