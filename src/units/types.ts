/**
 * What a loaded unit is: the shapes that the unit-file language produces and everything else consumes.
 *
 * Plain JSON throughout. Times are milliseconds, `'infinity'` where systemd says so; sizes are bytes.
 * Settings carry systemd's own names, so that `sctl show` and a reader of the manual pages find them.
 */

export type UnitType =
  | 'service'
  | 'socket'
  | 'target'
  | 'slice'
  | 'scope'
  | 'mount'
  | 'automount'
  | 'swap'
  | 'timer'
  | 'path'
  | 'device';

/** systemd's load states (systemctl(1), LOAD). */
export type LoadState = 'stub' | 'loaded' | 'not-found' | 'bad-setting' | 'error' | 'merged' | 'masked';

export type Span = number | 'infinity';

/** A place in a unit file; line and column count from 1. */
export interface At {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One thing a person should know about a unit file; the sentence is made by `sentence()` in src/units/finding.ts. */
export interface Finding {
  readonly severity: 'error' | 'warning' | 'note';
  readonly at: At | undefined;
  readonly what: string;
  readonly why: string;
  readonly todo: string;
}

/** One command of Exec…= (systemd.service(5), "Command lines"). */
export interface Command {
  readonly path: string;
  /** argv[0] first; specifiers expanded, variables not. */
  readonly argv: readonly string[];
  /** `-`: failure counts as success. */
  readonly ignoreFailure: boolean;
  /** `:`: no variable substitution. */
  readonly noExpand: boolean;
  /** `+` full privileges, `!` and `!!` without changing the user. */
  readonly privilege: 'normal' | 'full' | 'no-user' | 'ambient';
}

/** Exit statuses and signals, by number (SuccessExitStatus= and friends). */
export interface ExitSet {
  readonly statuses: readonly number[];
  readonly signals: readonly number[];
}

/** Dependency kinds of systemd.unit(5), and their inverses as systemd names them. */
export type DependencyKind =
  | 'Requires'
  | 'Requisite'
  | 'Wants'
  | 'BindsTo'
  | 'PartOf'
  | 'Upholds'
  | 'Conflicts'
  | 'Before'
  | 'After'
  | 'OnFailure'
  | 'OnSuccess'
  | 'Triggers'
  | 'PropagatesReloadTo'
  | 'ReloadPropagatedFrom'
  | 'PropagatesStopTo'
  | 'StopPropagatedFrom'
  | 'JoinsNamespaceOf'
  | 'SliceOf'
  | 'RequiredBy'
  | 'RequisiteOf'
  | 'WantedBy'
  | 'BoundBy'
  | 'ConsistsOf'
  | 'UpheldBy'
  | 'ConflictedBy'
  | 'OnFailureOf'
  | 'OnSuccessOf'
  | 'TriggeredBy'
  | 'InSlice'
  | 'References'
  | 'ReferencedBy';

/** Why an edge is there: a line of a file, a link in a .wants directory, or a rule by name ("default dependency of targets"). */
export type Origin =
  | { readonly file: string; readonly line: number }
  | { readonly link: string }
  | { readonly rule: string };

export interface Edge {
  readonly from: string;
  readonly kind: DependencyKind;
  readonly to: string;
  /** The best reason: a line before a link before a rule, then by file and line (src/units/origin.ts). */
  readonly origin: Origin;
  /** Further reasons for the same edge, in that order; absent: there are none. */
  readonly also?: readonly Origin[];
}

/** A condition or assertion (systemd.unit(5), "Conditions and Asserts"). */
export interface Condition {
  /** Without the Condition or Assert prefix: 'PathExists'. */
  readonly kind: string;
  readonly assert: boolean;
  readonly negate: boolean;
  /** `|`: one of the triggering ones must hold. */
  readonly trigger: boolean;
  readonly argument: string;
  readonly at: At;
}

/** [Unit], as far as it is not edges. */
/** [X-Supervisor] of a target or slice: what is done when one of its members fails (docs/guide/supervision.md). */
export interface MemberSupervision {
  readonly Strategy: 'one_for_one' | 'one_for_all' | 'rest_for_one';
  /** More failures than this within the period, and the unit gives its members up. */
  readonly Intensity: number;
  readonly Period: Span;
  /** `stop`, an action of FailureAction=, or the name of a unit to start. */
  readonly OnEscalate: string;
  /** Its first setting that counts. */
  readonly at: At;
}

export interface UnitSection {
  /** Of targets and slices with such a section. */
  readonly Supervisor?: MemberSupervision;
  /** Of services: the machine plugin whose chart they follow ([X-Machine], docs/guide/machines.md); absent: the built-in one. */
  readonly Machine?: string;
  readonly Description: string;
  readonly Documentation: readonly string[];
  readonly DefaultDependencies: boolean;
  readonly AllowIsolate: boolean;
  readonly IgnoreOnIsolate: boolean;
  readonly StopWhenUnneeded: boolean;
  readonly RefuseManualStart: boolean;
  readonly RefuseManualStop: boolean;
  readonly CollectMode: 'inactive' | 'inactive-or-failed';
  readonly OnFailureJobMode: string;
  readonly OnSuccessJobMode: string;
  readonly JobTimeoutSec: Span;
  readonly JobRunningTimeoutSec: Span;
  readonly JobTimeoutAction: string;
  readonly JobTimeoutRebootArgument: string;
  readonly StartLimitIntervalSec: Span;
  readonly StartLimitBurst: number;
  readonly StartLimitAction: string;
  readonly FailureAction: string;
  readonly SuccessAction: string;
  readonly FailureActionExitStatus: number | undefined;
  readonly SuccessActionExitStatus: number | undefined;
  readonly RebootArgument: string;
  readonly SourcePath: string;
  readonly RequiresMountsFor: readonly string[];
}

/** [Install]. */
export interface InstallSection {
  readonly Alias: readonly string[];
  readonly WantedBy: readonly string[];
  readonly RequiredBy: readonly string[];
  readonly UpheldBy: readonly string[];
  readonly Also: readonly string[];
  readonly DefaultInstance: string;
}

/** systemd.exec(5) and systemd.kill(5), as far as they are honoured now. */
export interface ExecSettings {
  readonly User: string;
  readonly Group: string;
  readonly SupplementaryGroups: readonly string[];
  readonly WorkingDirectory: string;
  /** The `-` prefix of WorkingDirectory=. */
  readonly WorkingDirectoryOptional: boolean;
  readonly RootDirectory: string;
  readonly UMask: number;
  readonly Nice: number | undefined;
  readonly OOMScoreAdjust: number | undefined;
  readonly IOSchedulingClass: string;
  readonly IOSchedulingPriority: number | undefined;
  readonly CPUSchedulingPolicy: string;
  readonly CPUSchedulingPriority: number;
  readonly CPUSchedulingResetOnFork: boolean;
  readonly CPUAffinity: readonly number[];
  readonly Environment: readonly string[];
  readonly EnvironmentFile: readonly { readonly path: string; readonly optional: boolean }[];
  readonly PassEnvironment: readonly string[];
  readonly UnsetEnvironment: readonly string[];
  readonly StandardInput: string;
  readonly StandardOutput: string;
  readonly StandardError: string;
  readonly TTYPath: string;
  readonly TTYReset: boolean;
  readonly TTYVHangup: boolean;
  readonly SyslogIdentifier: string;
  readonly SyslogLevel: number;
  readonly SyslogLevelPrefix: boolean;
  /** By name without `Limit`: NOFILE, CORE. Soft and hard; null is infinity. */
  readonly Limits: Readonly<Record<string, { readonly soft: number | null; readonly hard: number | null }>>;
  readonly NoNewPrivileges: boolean;
  readonly CapabilityBoundingSet: readonly string[] | undefined;
  readonly AmbientCapabilities: readonly string[];
  readonly IgnoreSIGPIPE: boolean;
  readonly Personality: string;
  readonly UtmpIdentifier: string;
  readonly RuntimeDirectory: readonly string[];
  readonly RuntimeDirectoryMode: number;
  readonly RuntimeDirectoryPreserve: 'no' | 'yes' | 'restart';
  readonly StateDirectory: readonly string[];
  readonly StateDirectoryMode: number;
  readonly CacheDirectory: readonly string[];
  readonly CacheDirectoryMode: number;
  readonly LogsDirectory: readonly string[];
  readonly LogsDirectoryMode: number;
  readonly ConfigurationDirectory: readonly string[];
  readonly ConfigurationDirectoryMode: number;
  readonly Slice: string;
  readonly Delegate: boolean;
  /** systemd.resource-control(5) attributes to write as they are: ['memory.max', '…']. */
  readonly CgroupAttributes: readonly (readonly [attribute: string, value: string])[];
  readonly KillMode: 'control-group' | 'mixed' | 'process' | 'none';
  readonly KillSignal: number;
  readonly RestartKillSignal: number | undefined;
  readonly SendSIGHUP: boolean;
  readonly SendSIGKILL: boolean;
  readonly FinalKillSignal: number;
  readonly WatchdogSignal: number;
}

export type ServiceType = 'simple' | 'exec' | 'forking' | 'oneshot' | 'dbus' | 'notify' | 'notify-reload' | 'idle';
export type RestartPolicy = 'no' | 'on-success' | 'on-failure' | 'on-abnormal' | 'on-watchdog' | 'on-abort' | 'always';

/** [Service], systemd.service(5). */
export interface ServiceSection extends ExecSettings {
  readonly Type: ServiceType;
  readonly ExitType: 'main' | 'cgroup';
  readonly RemainAfterExit: boolean;
  readonly GuessMainPID: boolean;
  readonly PIDFile: string;
  readonly BusName: string;
  readonly ExecCondition: readonly Command[];
  readonly ExecStartPre: readonly Command[];
  readonly ExecStart: readonly Command[];
  readonly ExecStartPost: readonly Command[];
  readonly ExecReload: readonly Command[];
  readonly ExecStop: readonly Command[];
  readonly ExecStopPost: readonly Command[];
  readonly RestartSec: Span;
  readonly TimeoutStartSec: Span;
  readonly TimeoutStopSec: Span;
  readonly TimeoutAbortSec: Span;
  readonly TimeoutStartFailureMode: 'terminate' | 'abort' | 'kill';
  readonly TimeoutStopFailureMode: 'terminate' | 'abort' | 'kill';
  readonly RuntimeMaxSec: Span;
  /** 0: none. */
  readonly WatchdogSec: number;
  readonly Restart: RestartPolicy;
  readonly SuccessExitStatus: ExitSet;
  readonly RestartPreventExitStatus: ExitSet;
  readonly RestartForceExitStatus: ExitSet;
  readonly RootDirectoryStartOnly: boolean;
  readonly NonBlocking: boolean;
  readonly NotifyAccess: 'none' | 'main' | 'exec' | 'all';
  readonly Sockets: readonly string[];
  readonly FileDescriptorStoreMax: number;
  readonly OOMPolicy: 'continue' | 'stop' | 'kill';
}

/** One Listen…= line. */
export interface Listen {
  readonly kind: 'stream' | 'datagram' | 'seqpacket' | 'fifo' | 'special' | 'message-queue' | 'netlink';
  readonly address: string;
}

/** [Socket], systemd.socket(5). */
export interface SocketSection extends ExecSettings {
  readonly Listen: readonly Listen[];
  readonly Accept: boolean;
  readonly Service: string;
  readonly FileDescriptorName: string;
  readonly Backlog: number;
  readonly SocketUser: string;
  readonly SocketGroup: string;
  readonly SocketMode: number;
  readonly DirectoryMode: number;
  readonly RemoveOnStop: boolean;
  readonly Symlinks: readonly string[];
  readonly FlushPending: boolean;
  readonly TriggerLimitIntervalSec: Span;
  readonly TriggerLimitBurst: number;
  readonly MaxConnections: number;
  readonly TimeoutSec: Span;
  readonly ExecStartPre: readonly Command[];
  readonly ExecStartPost: readonly Command[];
  readonly ExecStopPre: readonly Command[];
  readonly ExecStopPost: readonly Command[];
  /** BindIPv6Only, KeepAlive, NoDelay, ReusePort, PassCredentials … as the port takes them. */
  readonly options: Readonly<Record<string, string | number | boolean>>;
}

/** [Timer], systemd.timer(5). */
export interface TimerSection {
  /** OnActiveSec and friends by base, in file order; milliseconds. */
  readonly monotonic: readonly { readonly base: TimerBase; readonly span: Span }[];
  /** OnCalendar=, as written, specifiers expanded. */
  readonly OnCalendar: readonly string[];
  readonly AccuracySec: Span;
  readonly RandomizedDelaySec: Span;
  readonly FixedRandomDelay: boolean;
  readonly OnClockChange: boolean;
  readonly OnTimezoneChange: boolean;
  readonly Persistent: boolean;
  readonly WakeSystem: boolean;
  readonly RemainAfterElapse: boolean;
  readonly Unit: string;
}
export type TimerBase = 'OnActiveSec' | 'OnBootSec' | 'OnStartupSec' | 'OnUnitActiveSec' | 'OnUnitInactiveSec';

/** [Path], systemd.path(5). */
export interface PathSection {
  readonly specs: readonly { readonly kind: PathKind; readonly path: string }[];
  readonly Unit: string;
  readonly MakeDirectory: boolean;
  readonly DirectoryMode: number;
  readonly TriggerLimitIntervalSec: Span;
  readonly TriggerLimitBurst: number;
}
export type PathKind = 'PathExists' | 'PathExistsGlob' | 'PathChanged' | 'PathModified' | 'DirectoryNotEmpty';

/** [Mount], systemd.mount(5). */
export interface MountSection extends ExecSettings {
  readonly What: string;
  readonly Where: string;
  /** Empty: the kernel finds out. */
  readonly Type: string;
  readonly Options: string;
  readonly SloppyOptions: boolean;
  readonly LazyUnmount: boolean;
  readonly ReadWriteOnly: boolean;
  readonly ForceUnmount: boolean;
  readonly DirectoryMode: number;
  readonly TimeoutSec: Span;
}

/** [Automount], systemd.automount(5). */
export interface AutomountSection {
  readonly Where: string;
  readonly ExtraOptions: string;
  readonly DirectoryMode: number;
  readonly TimeoutIdleSec: Span;
}

/** [Swap], systemd.swap(5). */
export interface SwapSection extends ExecSettings {
  readonly What: string;
  readonly Priority: number | undefined;
  readonly Options: string;
  readonly TimeoutSec: Span;
}

export interface SliceSection extends Pick<ExecSettings, 'Slice' | 'CgroupAttributes'> {}

export interface ScopeSection
  extends Pick<
    ExecSettings,
    'Slice' | 'CgroupAttributes' | 'KillMode' | 'KillSignal' | 'SendSIGKILL' | 'SendSIGHUP' | 'FinalKillSignal'
  > {
  readonly TimeoutStopSec: Span;
  readonly RuntimeMaxSec: Span;
}

/** A unit as loaded from its files; everything needed to plan and to run it. */
export interface Unit {
  readonly name: string;
  readonly type: UnitType;
  /** Other names of the same unit (aliases), sorted. */
  readonly names: readonly string[];
  readonly loadState: LoadState;
  /** Main file; empty: none (slices and targets that only others name, masked). */
  readonly fragmentPath: string;
  readonly dropInPaths: readonly string[];
  readonly unitFileState: string;
  readonly unit: UnitSection;
  readonly install: InstallSection;
  readonly conditions: readonly Condition[];
  readonly service?: ServiceSection;
  readonly socket?: SocketSection;
  readonly slice?: SliceSection;
  readonly scope?: ScopeSection;
  readonly timer?: TimerSection;
  readonly path?: PathSection;
  readonly mount?: MountSection;
  readonly automount?: AutomountSection;
  readonly swap?: SwapSection;
  /** Edges that start here, as written, linked or implied; inverses are the graph's business. */
  readonly edges: readonly Edge[];
  /** All that is wrong or not honoured in its files. */
  readonly findings: readonly Finding[];
  /** Settings as written, by section and key, for `show` and `cat`. */
  readonly raw: Readonly<
    Record<
      string,
      readonly { readonly section: string; readonly key: string; readonly value: string; readonly at: At }[]
    >
  >;
}
