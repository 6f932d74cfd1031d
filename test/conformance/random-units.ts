/** Unit files put together by chance from settings of every kind, good, odd and wrong: the same ones for the same seed. */

/** Small, seeded, and good enough to pick lines (mulberry32). */
function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const NAMES = [
  'u1.service',
  'u2.service',
  'u3.socket',
  'u4.target',
  'u5.timer',
  'u6.path',
  'u7.slice',
  'opt-u8.mount',
  'gone.service',
  'gone.target',
  'ut@.service',
  'ut@a.service',
  'dev-u9.device',
  'sysinit.target',
  'basic.target',
  'shutdown.target',
  'local-fs.target',
  'nonsense',
  'bad name.service',
  '%p.service',
  'x-%i.target',
  '-.mount',
  'system.slice',
  '-.slice',
];
const EDGES = [
  'Requires',
  'Requisite',
  'Wants',
  'BindsTo',
  'PartOf',
  'Upholds',
  'Conflicts',
  'Before',
  'After',
  'OnFailure',
  'OnSuccess',
  'PropagatesReloadTo',
  'ReloadPropagatedFrom',
  'PropagatesStopTo',
  'StopPropagatedFrom',
  'JoinsNamespaceOf',
  'BindTo',
  'PropagateReloadTo',
  'PropagateReloadFrom',
  'RequiresOverridable',
];
const UNIT: Readonly<Record<string, readonly string[]>> = {
  DefaultDependencies: ['no', 'yes', 'perhaps', ''],
  Description: ['one', '%p and %i', '%%', '"quoted"', ''],
  Documentation: ['man:x(1)', 'http://x https://y', 'nonsense', '', 'man:a(1) "man:b c(2)"'],
  RequiresMountsFor: ['/opt/a /var/b', '/opt/../x', 'relative', '/opt//c/', '"/opt/a b"', '/', ''],
  AllowIsolate: ['yes', 'no'],
  IgnoreOnIsolate: ['yes', 'no'],
  StopWhenUnneeded: ['yes', '1', 'on', 'maybe'],
  RefuseManualStart: ['yes'],
  RefuseManualStop: ['true'],
  CollectMode: ['inactive', 'inactive-or-failed', 'never'],
  OnFailureJobMode: ['fail', 'replace', 'isolate', 'flush', 'x'],
  OnFailureIsolate: ['yes', 'no'],
  JobTimeoutSec: ['5', '5min', 'infinity', '0', '1parsec', ''],
  JobRunningTimeoutSec: ['7', 'infinity', '1h 2s'],
  JobTimeoutAction: ['reboot', 'none', 'dance'],
  StartLimitIntervalSec: ['10', '0', '1min', 'x'],
  StartLimitBurst: ['3', '0', '-1', 'many'],
  StartLimitAction: ['none', 'reboot-force', 'x'],
  FailureAction: ['exit', 'none'],
  SuccessAction: ['none', 'exit-force'],
  FailureActionExitStatus: ['3', '255', '256', ''],
  RebootArgument: ['now'],
  SourcePath: ['/etc/fstab', 'relative'],
  ConditionPathExists: ['/x', '!/x', '|/y', '|!/y', 'relative', ''],
  AssertPathExists: ['/x', ''],
  Unknown: ['1'],
  'X-Mine': ['2'],
};
const EXEC: Readonly<Record<string, readonly string[]>> = {
  User: ['root', '0', 'a:b', '%p', ''],
  Group: ['root', 'x y', '12'],
  SupplementaryGroups: ['a b', 'c', ''],
  WorkingDirectory: ['/opt/w', '-/opt/w', '~', '-~', 'relative', '/opt/%p', ''],
  RootDirectory: ['/opt/root', 'relative', ''],
  UMask: ['022', '0777', '999', ''],
  Nice: ['5', '-20', '20', 'x'],
  OOMScoreAdjust: ['100', '-1000', '1001'],
  IOSchedulingClass: ['idle', 'best-effort', '1', 'x'],
  IOSchedulingPriority: ['3', '8'],
  CPUSchedulingPolicy: ['rr', 'idle', 'x'],
  CPUSchedulingPriority: ['10', '100'],
  Environment: ['A=1 B=2', '"C=d e"', '1X=2', '', 'P=%p', 'bad'],
  EnvironmentFile: ['/etc/x', '-/etc/y', 'relative', ''],
  PassEnvironment: ['A B', '=x', ''],
  UnsetEnvironment: ['A', 'B=1', ''],
  StandardInput: ['null', 'tty', 'socket', 'data', 'file:/x', 'x'],
  StandardOutput: ['null', 'journal', 'inherit', 'kmsg', 'file:/var/log/x', 'append:relative', 'tty', 'syslog', 'x'],
  StandardError: ['inherit', 'journal', 'null', 'fd:x'],
  TTYPath: ['/dev/tty1', 'tty1'],
  SyslogIdentifier: ['id', '%p'],
  SyslogLevel: ['debug', '3', 'x'],
  LimitNOFILE: ['100', '10:20', '20:10', 'infinity', 'x'],
  LimitCPU: ['1h', 'infinity'],
  NoNewPrivileges: ['yes'],
  AmbientCapabilities: ['CAP_KILL', '~CAP_KILL', ''],
  CapabilityBoundingSet: ['CAP_KILL CAP_CHOWN', '~CAP_SYS_ADMIN', ''],
  IgnoreSIGPIPE: ['no', 'yes'],
  RuntimeDirectory: ['r1 r2', '../x', '/abs', ''],
  StateDirectory: ['s1', 'a/b', ''],
  CacheDirectory: ['c1'],
  LogsDirectory: ['l1'],
  ConfigurationDirectory: ['e1'],
  PrivateTmp: ['yes', 'no'],
  RootImage: ['/opt/img', ''],
  Slice: ['u7.slice', 'deep-er.slice', '-.slice', 'x.service', ''],
  KillMode: ['process', 'mixed', 'none', 'x'],
  KillSignal: ['SIGINT', '9', 'x'],
  SendSIGHUP: ['yes'],
  SendSIGKILL: ['no'],
  MemoryMax: ['1G', '50%', 'infinity', 'x'],
};
const OWN: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  service: {
    Type: ['simple', 'oneshot', 'forking', 'notify', 'exec', 'idle', 'x'],
    ExecStart: [
      '/bin/true',
      '-/bin/false a b',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: systemd's own notation
      '/bin/echo "%p" ${X}',
      '',
      'true',
      '@/bin/sh sh -c x',
      '/bin/a ; /bin/b',
      'rel/path',
      '/bin/echo %Z',
    ],
    ExecStartPre: ['/bin/pre', '+/bin/pre', ''],
    ExecStop: ['/bin/stop', '!!/bin/stop'],
    ExecReload: ['/bin/kill -HUP $MAINPID'],
    ExecStopPost: [':/bin/post $A'],
    Restart: ['no', 'always', 'on-failure', 'on-success', 'x'],
    RestartSec: ['5', '0', 'infinity', 'x'],
    TimeoutStartSec: ['0', 'infinity', '10', 'x'],
    TimeoutStopSec: ['0', '1min'],
    TimeoutSec: ['7', 'infinity'],
    RuntimeMaxSec: ['1h', 'infinity'],
    WatchdogSec: ['5'],
    RemainAfterExit: ['yes'],
    GuessMainPID: ['no'],
    PIDFile: ['/run/x.pid', 'x.pid', ''],
    SuccessExitStatus: ['1 2', 'SIGKILL', 'TEMPFAIL 250', 'x', ''],
    RestartPreventExitStatus: ['1'],
    NotifyAccess: ['all', 'none', 'x'],
    Sockets: ['u3.socket', 'x.service'],
    OOMPolicy: ['kill', 'x'],
    FileDescriptorStoreMax: ['5'],
    RootDirectoryStartOnly: ['yes'],
    ExitType: ['cgroup', 'main'],
    ...EXEC,
  },
  socket: {
    ListenStream: ['/run/a', '80', '@abstract', '127.0.0.1:81', '[::1]:82', 'x y', '', '99999', 'vsock::5'],
    ListenDatagram: ['/run/dg', '83'],
    ListenFIFO: ['/run/fifo', 'relative'],
    ListenSpecial: ['/dev/x'],
    ListenMessageQueue: ['/mq'],
    ListenNetlink: ['kobject-uevent 1'],
    Accept: ['no', 'yes'],
    Service: ['u1.service', 'u4.target', ''],
    MaxConnections: ['0', '5'],
    SocketUser: ['root'],
    SocketMode: ['0600', '9'],
    Backlog: ['5'],
    RemoveOnStop: ['yes'],
    Symlinks: ['/run/l1 /run/l2', ''],
    FileDescriptorName: ['fd', 'a:b', ''],
    TriggerLimitIntervalSec: ['5', '0'],
    TriggerLimitBurst: ['0', '7'],
    BindToDevice: ['eth0', 'lo', ''],
    ExecStartPre: ['/bin/true'],
    TimeoutSec: ['5'],
    StateDirectory: ['s'],
    StandardOutput: ['null'],
    Slice: ['u7.slice'],
    PrivateTmp: ['yes'],
  },
  timer: {
    OnBootSec: ['1h', '0', 'x', ''],
    OnCalendar: ['daily', 'Mon *-*-* 00:00', ''],
    OnUnitActiveSec: ['5min'],
    OnActiveSec: ['1'],
    Unit: ['u1.service', 'u5.timer', 'x', '%p.target'],
    Persistent: ['yes'],
    AccuracySec: ['1s', 'x'],
    OnClockChange: ['yes'],
    WakeSystem: ['no'],
    RemainAfterElapse: ['no'],
  },
  path: {
    PathExists: ['/opt/x', 'relative', '', '/opt/%p'],
    PathChanged: ['/opt/c'],
    PathExistsGlob: ['/opt/*'],
    DirectoryNotEmpty: ['/var/spool'],
    Unit: ['u1.service', 'u6.path', 'x'],
    MakeDirectory: ['yes'],
    DirectoryMode: ['0700', 'x'],
  },
  mount: {
    What: ['/dev/u9', 'tmpfs', 'host:/x', '/srv/img', 'UUID=12', ''],
    Type: ['ext4', 'nfs', 'tmpfs', 'cifs', ''],
    Options: ['ro', 'bind', 'loop', '_netdev', 'nofail', 'x-systemd.device-bound', 'noauto,user'],
    Where: ['/wrong'],
    TimeoutSec: ['5', 'x'],
    LazyUnmount: ['yes'],
    SloppyOptions: ['yes'],
    ForceUnmount: ['yes'],
    DirectoryMode: ['0700'],
    StandardOutput: ['null'],
    Slice: ['u7.slice'],
    StateDirectory: ['s'],
  },
  slice: { MemoryMax: ['1G'], CPUWeight: ['50', 'x'], TasksMax: ['10', '50%', 'infinity'], Slice: ['x.slice'] },
  target: {},
  automount: { Where: ['/wrong'], DirectoryMode: ['0700'], TimeoutIdleSec: ['5', '0', 'x'], ExtraOptions: ['x'] },
  swap: {
    What: ['/wrong'],
    Priority: ['5', '-1', '99999'],
    Options: ['nofail', 'discard'],
    TimeoutSec: ['5'],
    Slice: ['u7.slice'],
  },
};
/** Lines that make most units of a type loadable, so that not all of them are refused. */
const GOOD: Readonly<Record<string, string>> = {
  service: 'ExecStart=/bin/true',
  socket: 'ListenStream=/run/good',
  timer: 'OnBootSec=1h',
  path: 'PathExists=/good',
  mount: 'What=/dev/good',
};
const TYPES = [
  'service',
  'service',
  'service',
  'socket',
  'socket',
  'timer',
  'path',
  'mount',
  'mount',
  'slice',
  'target',
  'automount',
  'swap',
];

/** Name → text of `count` units, and the instances of those that are templates. */
export function randomUnits(
  seed: number,
  count: number,
): { readonly files: Record<string, string>; readonly instances: string[] } {
  const next = chance(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const files: Record<string, string> = {};
  const instances: string[] = [];
  for (let index = 0; index < count; index++) {
    const type = pick(TYPES);
    const template = next() < 0.15 && ['service', 'socket', 'timer', 'path', 'target'].includes(type);
    const prefix =
      type === 'mount' || type === 'automount' || type === 'swap'
        ? `opt-r${index}`
        : next() < 0.3
          ? `r-a${index}`
          : `r${index}`;
    const name = template ? `${prefix}@.${type}` : `${prefix}.${type}`;
    if (template) instances.push(`${prefix}@i\\x2dj.${type}`);
    const lines = ['[Unit]'];
    for (let left = Math.floor(next() * 5); left > 0; left -= 1)
      lines.push(`${pick(EDGES)}=${pick(NAMES)}${next() < 0.3 ? ` ${pick(NAMES)}` : ''}`);
    for (let left = Math.floor(next() * 4); left > 0; left -= 1) {
      const key = pick(Object.keys(UNIT));
      lines.push(`${key}=${pick(UNIT[key] ?? [])}`);
    }
    const own = OWN[type] ?? {};
    const keys = Object.keys(own);
    if (keys.length > 0) {
      lines.push(`[${type[0]?.toUpperCase()}${type.slice(1)}]`);
      if (GOOD[type] !== undefined && next() < 0.85) lines.push(GOOD[type]);
      for (let left = Math.floor(next() * 6); left > 0; left -= 1) {
        const key = pick(keys);
        lines.push(`${key}=${pick(own[key] ?? [])}`);
      }
    }
    if (next() < 0.1) lines.push('[Install]', 'WantedBy=u4.target', 'Alias=%p-al.service');
    files[name] = `${lines.join('\n')}\n`;
  }
  return { files, instances };
}
