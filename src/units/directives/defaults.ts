/**
 * What a setting is where no file says anything, for reference pages and completion: as the manual pages of 252 have it.
 *
 * Booleans are off and lists, paths and texts empty unless they are here.
 */

/** `key value`, one a line; `Section.key` where a section differs from others. */
const DEFAULTS = `
DefaultDependencies yes
Strategy one_for_one
Intensity 3
Period 1min
OnEscalate stop
CollectMode inactive
OnFailureJobMode replace
OnSuccessJobMode fail
JobTimeoutSec infinity
JobRunningTimeoutSec infinity
JobTimeoutAction none
StartLimitIntervalSec 10s
StartLimitInterval 10s
StartLimitBurst 5
StartLimitAction none
FailureAction none
SuccessAction none
Type simple
ExitType main
GuessMainPID yes
RestartSec 100ms
TimeoutStartSec 1min 30s
Service.TimeoutStopSec 1min 30s
Scope.TimeoutStopSec 1min 30s
TimeoutAbortSec TimeoutStopSec=
TimeoutSec 1min 30s
TimeoutStartFailureMode terminate
TimeoutStopFailureMode terminate
RuntimeMaxSec infinity
RuntimeRandomizedExtraSec 0
WatchdogSec 0
Restart no
RestartMode normal
RestartSteps 0
RestartMaxDelaySec infinity
NotifyAccess none
FileDescriptorStoreMax 0
FileDescriptorStorePreserve restart
ReloadSignal SIGHUP
OOMPolicy stop
Backlog 4294967295
BindIPv6Only default
SocketMode 0666
DirectoryMode 0755
MaxConnections 64
MaxConnectionsPerSource 0
TriggerLimitIntervalSec 2s
Socket.TriggerLimitBurst 20
Path.TriggerLimitBurst 200
PollLimitIntervalSec 2s
PollLimitBurst 15
Timestamping off
AccuracySec 1min
RandomizedDelaySec 0
RemainAfterElapse yes
TimeoutIdleSec infinity
UMask 0022
CPUSchedulingPolicy other
CPUSchedulingPriority 0
StandardInput null
StandardOutput journal
StandardError inherit
TTYPath /dev/console
SyslogFacility daemon
SyslogLevel info
SyslogLevelPrefix yes
CapabilityBoundingSet all
IgnoreSIGPIPE yes
UtmpMode init
RuntimeDirectoryMode 0755
StateDirectoryMode 0755
CacheDirectoryMode 0755
LogsDirectoryMode 0755
ConfigurationDirectoryMode 0755
RuntimeDirectoryPreserve no
KeyringMode private
ProtectSystem no
ProtectHome no
ProtectProc default
ProcSubset all
MountAPIVFS no
TimeoutCleanSec infinity
KillMode control-group
KillSignal SIGTERM
FinalKillSignal SIGKILL
WatchdogSignal SIGABRT
RestartKillSignal KillSignal=
SendSIGKILL yes
MemoryMin 0
MemoryLow 0
MemoryHigh infinity
MemoryMax infinity
MemorySwapMax infinity
MemoryZSwapMax infinity
MemoryZSwapWriteback yes
MemoryPressureWatch auto
TasksMax 15%
CPUQuotaPeriodSec 100ms
CPUWeight 100
IOWeight 100
MemoryAccounting yes
TasksAccounting yes
DevicePolicy auto
ManagedOOMSwap auto
ManagedOOMMemoryPressure auto
ManagedOOMPreference none
SystemCallErrorNumber kill
NUMAPolicy default`;

let defaults: ReadonlyMap<string, string> | undefined;

/** The default as it would be written; empty: none. */
export function defaultOf(section: string, key: string, form: string): string {
  defaults ??= new Map(
    DEFAULTS.trim()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)] as const),
  );
  const found = defaults.get(`${section}.${key}`) ?? defaults.get(key);
  return found ?? (form === 'BOOLEAN' && !/^(Condition|Assert)/.test(key) ? 'no' : '');
}
