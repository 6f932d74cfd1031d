/** io.sysmaster.Manager. The .varlink file beside this one is written from it by the tests. */
export const manager = `# The manager itself, the end of the system, and the errors that all interfaces share.
interface io.sysmaster.Manager

# One moment in microseconds: CLOCK_REALTIME since 1970, and CLOCK_MONOTONIC.
type Stamp (realUs: int, monotonicUs: int)

# Something wrong with core's own files or state, and what became of it.
type Trouble (at: Stamp, what: string)

# What became of a core before this one.
type Death (atUs: int, how: string, at: string)

type State (
  version: string,
  # initializing, starting, running, degraded, maintenance, stopping, offline, unknown
  state: string,
  role: (machine, container, subreaper),
  pid: int,
  uid: int,
  units: int,
  jobs: int,
  failed: int,
  environment: []string,
  tainted: []string,
  defaultTarget: string,
  logDirectory: string,
  unitPath: []string,
  controlGroup: string,
  hostname: string,
  machineId: string,
  bootId: string,
  architecture: string,
  virtualization: string,
  kernel: string,
  epoch: int,
  safeMode: bool,
  # How many there were before this one.
  cores: int,
  # Newest first, at most three.
  deaths: []Death,
  # Empty: the checkpoint is good.
  checkpointFault: string,
  # Newest first, at most eight; of this boot.
  troubles: []Trouble,
  stamps: (userspace: ?Stamp, core: ?Stamp, unitsLoaded: ?Stamp, finish: ?Stamp)
)

# The supervision tree; a member per child.
type Supervisor (
  id: string,
  kind: (supervisor, worker),
  restart: (permanent, transient, temporary),
  # How long it may take to end before it is removed: not at all, shutdownMs, or as long as it likes, as a supervisor may.
  shutdown: (brutal, limited, infinity),
  shutdownMs: ?int,
  strategy: ?(one_for_one, one_for_all, rest_for_one),
  intensity: ?int,
  periodMs: ?int,
  state: string,
  # Of a supervisor: restarts within its period.
  restarts: int,
  # Failures of the actor, of a supervisor those of its children, and the last of them.
  failures: int,
  last: ?(actor: string, at: Stamp, event: string, why: string),
  # Events that wait for the end of a quarantine.
  held: int,
  children: []Supervisor
)

# Something a person should know about a file; file is empty where there is no place.
type Finding (
  unit: string,
  severity: (error, warning, note),
  file: string,
  line: int,
  column: int,
  what: string,
  why: string,
  todo: string
)

method Get() -> (manager: State)

# systemd's names and forms, as "show" without a unit prints them.
method Properties() -> (properties: [string]string)

# The tree, or the part below one actor or supervisor.
method Supervisors(id: ?string) -> (tree: Supervisor)

# Of one unit, or of all files and units.
method Findings(unit: ?string) -> (findings: []Finding)

# A changing method takes a requestId that the client chose (a UUID, say): repeated with the same one after a lost
# connection it does nothing new and gets the first answer.
# effect: from when a change counts for a unit that runs: live, reload (when it is reloaded) or restart.
# Values are as written, one a line; absent: not set.
type SettingChange (
  section: string,
  key: string,
  before: ?string,
  after: ?string,
  effect: (live, reload, restart),
  at: string
)

# broken: its files cannot be loaded any more; what runs of it runs on with what it had. mended: the other way round.
type UnitChange (
  unit: string,
  what: (new, gone, broken, mended, changed),
  loadStateBefore: string,
  loadState: string,
  effect: (live, reload, restart),
  settings: []SettingChange
)

# Run generators and load all unit files anew; dryRun: only tell what unit files as they are would change.
method Reload(dryRun: ?bool, requestId: ?string) -> (findings: int, changes: []UnitChange)

# Start core anew from its checkpoint; the answer comes from the new one.
method ReexecCore(requestId: ?string) -> ()

# Replace init by its binary on disk, or by the one named; every child, exit and descriptor stays.
method ReexecInit(path: ?string, requestId: ?string) -> ()

# force 0: in order, through the target. 1: no jobs, end processes and unmount. 2: at once.
method Shutdown(
  # poweroff, reboot, halt, kexec, exit, soft-reboot
  verb: string,
  force: ?int,
  # Exit status, for exit.
  status: ?int,
  # For reboot(2).
  argument: ?string,
  requestId: ?string
) -> ()

method SetEnvironment(set: []string, unset: []string, requestId: ?string) -> ()

# The peer's uid does not allow this.
error AccessDenied (unit: string, why: string, todo: string)

# Not a Varlink message; the connection is closed.
error BadMessage (unit: string, why: string, todo: string)

# A value has the right type and makes no sense.
error BadRequest (unit: string, why: string, todo: string)

# Too many calls, streams or sessions.
error Busy (unit: string, why: string, todo: string)

# The requestId belongs to a different change.
error RequestReused (unit: string, why: string, todo: string)

error NotSupported (unit: string, why: string, todo: string)

# Core broke its own contract; this is a bug and has been logged.
error Faulty (unit: string, why: string, todo: string)

# What was asked for has to be enabled first.
error NotEnabled (unit: string, why: string, todo: string)

error Failed (unit: string, why: string, todo: string)

error NoSuchUnit (unit: string, why: string, todo: string)

error NoSuchJob (unit: string, why: string, todo: string)

error NoSuchActor (unit: string, why: string, todo: string)

error NoSuchProcess (unit: string, why: string, todo: string)

error UnitMasked (unit: string, why: string, todo: string)

error LoadFailed (unit: string, why: string, todo: string)

error JobTypeNotApplicable (unit: string, why: string, todo: string)

error NoIsolation (unit: string, why: string, todo: string)

error OnlyByDependency (unit: string, why: string, todo: string)

error TransactionIsDestructive (unit: string, why: string, todo: string)

error TransactionJobsConflicting (unit: string, why: string, todo: string)

error TransactionOrderIsCyclic (unit: string, why: string, todo: string)

error ShuttingDown (unit: string, why: string, todo: string)

error BadUnitSetting (unit: string, why: string, todo: string)
`;
