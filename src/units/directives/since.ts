/**
 * Which version of systemd brought a setting, for reference pages and completion.
 * Source: systemd's NEWS and manual pages. Settings that are not
 * here are older than such notes.
 */

/** `version: keys`, one version a line. */
const VERSIONS = `
183: ConditionPathIsReadWrite RequiresMountsFor
187: SystemCallFilter
188: PartOf TimeoutStartSec TimeoutStopSec
189: ConditionHost RestartPreventExitStatus SuccessExitStatus
190: ConditionFileNotEmpty ConditionPathIsMountPoint
197: ConditionACPower
203: ConditionSecurity
206: Slice
208: CPUAccounting DeviceAllow DevicePolicy MemoryAccounting MemoryLimit
209: AccuracySec JoinsNamespaceOf Personality PrivateDevices SELinuxContext SystemCallArchitectures SystemCallErrorNumber
210: AppArmorProfile ConditionArchitecture
211: RestrictAddressFamilies RuntimeDirectory RuntimeDirectoryMode
212: Persistent RemoveIPC WakeSystem
213: CPUQuota FailureAction RebootArgument StartLimitAction StartupBlockIOWeight StartupCPUShares
214: ProtectHome ProtectSystem RemoveOnStop SocketGroup SocketUser Symlinks
215: ConditionNeedsUpdate DefaultInstance RestartForceExitStatus SloppyOptions
216: DeferAcceptSec KeepAliveIntervalSec KeepAliveProbes KeepAliveTimeSec NoDelay ConditionFirstBoot
217: JobTimeoutAction JobTimeoutRebootArgument SELinuxContextFromNet
218: AssertACPower AssertArchitecture AssertCapability AssertDirectoryNotEmpty AssertFileIsExecutable AssertFileNotEmpty
  AssertFirstBoot AssertHost AssertKernelCommandLine AssertNeedsUpdate AssertPathExists AssertPathExistsGlob
  AssertPathIsDirectory AssertPathIsMountPoint AssertPathIsReadWrite AssertPathIsSymbolicLink AssertSecurity
  AssertVirtualization Delegate SmackProcessLabel
219: FileDescriptorStoreMax
220: TimeoutIdleSec
225: UtmpMode
227: FileDescriptorName ListenUSBFunction TasksAccounting TasksMax USBFunctionDescriptors USBFunctionStrings Writable
228: PassEnvironment RemainAfterElapse
229: AmbientCapabilities RandomizedDelaySec RuntimeMaxSec SocketProtocol
230: IOAccounting IODeviceWeight IOReadBandwidthMax IOReadIOPSMax IOWeight IOWriteBandwidthMax IOWriteIOPSMax
  StartLimitIntervalSec StartupIOWeight TriggerLimitBurst TriggerLimitIntervalSec
231: InaccessiblePaths MemoryDenyWriteExecute MemoryHigh MemoryMax ReadOnlyPaths ReadWritePaths RestrictRealtime
232: CPUWeight DynamicUser ForceUnmount LazyUnmount MaxConnectionsPerSource MemorySwapMax PrivateUsers
  ProtectControlGroups ProtectKernelModules ProtectKernelTunables StartupCPUWeight
233: BindPaths BindReadOnlyPaths MountAPIVFS RestrictNamespaces RootImage
234: JobRunningTimeoutSec AssertGroup AssertUser ConditionGroup ConditionUser
235: CacheDirectory CacheDirectoryMode ConfigurationDirectory ConfigurationDirectoryMode IPAccounting IPAddressAllow
  IPAddressDeny KeyringMode LockPersonality LogsDirectory LogsDirectoryMode RuntimeDirectoryPreserve
  StateDirectory StateDirectoryMode UnsetEnvironment
236: CollectMode LogExtraFields LogLevelMax StandardInputData StandardInputText SuccessAction
237: AssertControlGroupController AssertKernelVersion ConditionControlGroupController ConditionKernelVersion
238: TemporaryFileSystem
239: PrivateMounts
240: DisableControllers FailureActionExitStatus FinalKillSignal IODeviceLatencyTargetSec LogRateLimitBurst
  LogRateLimitIntervalSec MemoryLow MemoryMin SuccessActionExitStatus WatchdogSignal
242: AssertCPUs AssertMemory CPUQuotaPeriodSec ConditionCPUs ConditionMemory NetworkNamespacePath OnClockChange
  OnTimezoneChange ProtectHostname RestrictSUIDSGID
243: DefaultMemoryLow DefaultMemoryMin ExecCondition IPEgressFilterPath IPIngressFilterPath NUMAMask NUMAPolicy
  OOMPolicy TimeoutAbortSec
244: AllowedCPUs AllowedMemoryNodes ProtectKernelLogs RestartKillSignal TimeoutCleanSec ConditionOSRelease
  AssertOSRelease
245: LogNamespace ProtectClock
246: AssertEnvironment AssertPathIsEncrypted ConditionEnvironment ConditionPathIsEncrypted CoredumpFilter
  PassPacketInfo ReadWriteOnly RootHash RootHashSignature RootVerity TimeoutStartFailureMode TimeoutStopFailureMode
247: FixedRandomDelay FlushPending LoadCredential ManagedOOMMemoryPressure ManagedOOMMemoryPressureLimit ManagedOOMSwap
  MountImages ProcSubset ProtectProc RootImageOptions SetCredential SystemCallLog Timestamping
248: AssertCPUFeature ConditionCPUFeature ExecPaths ExtensionImages IPCNamespacePath ManagedOOMPreference
  NoExecPaths PrivateIPC
249: AssertFirmware BPFProgram ConditionFirmware OnSuccess OnSuccessJobMode PropagatesStopTo SocketBindAllow
  SocketBindDeny StopPropagatedFrom Upholds
250: AssertCPUPressure AssertIOPressure AssertMemoryPressure ConditionCPUPressure ConditionIOPressure
  ConditionMemoryPressure ExecSearchPath ExitType ExtraOptions LoadCredentialEncrypted RestrictFileSystems
  RestrictNetworkInterfaces RuntimeRandomizedExtraSec SetCredentialEncrypted TTYColumns TTYRows
251: ExtensionDirectories
252: AssertCredential ConditionCredential StartupAllowedCPUs StartupAllowedMemoryNodes
253: LogFilterPatterns MemoryZSwapMax OpenFile ReloadSignal
254: DelegateSubgroup ExtensionImagePolicy FileDescriptorStorePreserve ImportCredential MemoryKSM
  MemoryPressureThresholdSec MemoryPressureWatch MountImagePolicy RestartMaxDelaySec RestartMode RestartSteps
  RootEphemeral RootImagePolicy UpheldBy
255: CoredumpReceive NFTSet PollLimitBurst PollLimitIntervalSec SetLoginEnvironment SurviveFinalKillSignal
256: MemoryZSwapWriteback PassFileDescriptorsToExec WantsMountsFor
257: DeferReactivation ManagedOOMMemoryPressureDurationSec PrivatePIDs`;

/** Settings that came to one section later than to others. */
const LATER: Readonly<Record<string, number>> = {
  'Path.TriggerLimitIntervalSec': 250,
  'Path.TriggerLimitBurst': 250,
  'Scope.RuntimeMaxSec': 244,
  'Scope.OOMPolicy': 253,
};

let versions: ReadonlyMap<string, number> | undefined;

function read(): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  let version = 0;
  for (const word of VERSIONS.trim().split(/\s+/)) {
    if (/^\d+:$/.test(word)) version = Number(word.slice(0, -1));
    else found.set(word, version);
  }
  return found;
}

/** The version that brought a setting; 0: it was there before versions were noted. */
export function sinceOf(section: string, key: string): number {
  versions ??= read();
  return LATER[`${section}.${key}`] ?? versions.get(key) ?? 0;
}
