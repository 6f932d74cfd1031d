/** io.sysmaster.Units. The .varlink file beside this one is written from it by the tests. */
export const units = `# Units and unit files. Errors are those of io.sysmaster.Manager.
interface io.sysmaster.Units

type Stamp (realUs: int, monotonicUs: int)

type JobRef (id: int, type: string)

type Summary (
  name: string,
  # stub, loaded, not-found, bad-setting, error, merged, masked
  load: string,
  # active, reloading, inactive, failed, activating, deactivating, maintenance
  active: string,
  sub: string,
  description: string,
  job: ?JobRef,
  following: ?string
)

# How a process ended: status is an exit status or a signal number.
type Exit (code: (exited, killed, dumped), status: int)

type Command (
  # ExecStartPre, ExecStart …
  setting: string,
  index: int,
  path: string,
  argv: []string,
  ignoreFailure: bool,
  pid: int,
  started: ?Stamp,
  ended: ?Stamp,
  exit: ?Exit
)

type Group (
  path: string,
  processes: [](pid: int, command: string),
  children: []Group
)

type Check (result: bool, at: Stamp, failed: string)

type Service (
  # 0: none.
  mainPid: int,
  controlPid: int,
  main: ?Command,
  statusText: string,
  statusErrno: int,
  nRestarts: int,
  watchdog: ?Stamp,
  fdStore: int,
  commands: []Command,
  reloadResult: string
)

type Socket (
  listen: [](kind: string, address: string),
  accept: bool,
  accepted: int,
  connections: int,
  refused: int,
  controlPid: int
)

# What a path unit watches, with the setting that says so.
type Path (
  watches: [](setting: string, path: string),
  # How often it has started its unit, and what for where that unit has not been down since.
  triggered: int,
  triggeredBy: ?string
)

type Finding (
  severity: (error, warning, note),
  file: string,
  line: int,
  column: int,
  what: string,
  why: string,
  todo: string
)

# Everything that status shows.
# What becomes of members that fail; those of the failures that still count, newest first. No period: infinity.
type Supervision (
  strategy: string,
  intensity: int,
  periodUs: ?int,
  onEscalate: string,
  members: []string,
  failures: []Stamp
)

type Unit (
  name: string,
  names: []string,
  description: string,
  documentation: []string,
  load: string,
  active: string,
  sub: string,
  result: string,
  following: ?string,
  job: ?JobRef,
  invocationId: string,
  fragmentPath: string,
  sourcePath: string,
  dropInPaths: []string,
  unitFileState: string,
  # enabled, disabled, ignored; empty: no preset speaks of it.
  preset: string,
  needDaemonReload: bool,
  transient: bool,
  stateChange: ?Stamp,
  activeEnter: ?Stamp,
  activeExit: ?Stamp,
  inactiveEnter: ?Stamp,
  inactiveExit: ?Stamp,
  condition: ?Check,
  assertion: ?Check,
  controlGroup: string,
  # Present when asked for and not empty.
  group: ?Group,
  tasks: ?int,
  tasksMax: ?int,
  memoryBytes: ?int,
  memoryPeakBytes: ?int,
  cpuNs: ?int,
  triggers: []Summary,
  triggeredBy: []Summary,
  service: ?Service,
  socket: ?Socket,
  path: ?Path,
  # Of a target or slice with [X-Supervisor].
  supervision: ?Supervision,
  findings: []Finding
)

type File (name: string, path: string, state: string, preset: string)

type Step (
  kind: (symlink, unlink, missing, note),
  path: string,
  target: string
)

# Why an edge is there: a line of a file, a link, or a rule by its name.
type Origin (file: ?string, line: ?int, link: ?string, rule: ?string)

type Edge (from: string, kind: string, to: string, origin: Origin)

# A unit in a dependency tree, with the units below it by name.
type Node (name: string, load: string, active: string, sub: string, description: string, below: []string)

# Units in memory whose name fits one of the patterns (shell globs; none: all), type and state one of those given.
# States are load, active or sub states.
method List(patterns: ?[]string, types: ?[]string, states: ?[]string) -> (units: []Summary)

# The quick question. A unit that is not in memory is answered as not-found and inactive, without looking for its file.
method States(names: []string) -> (units: [](name: string, load: string, active: string, sub: string))

# One unit by any of its names, loaded if need be.
method Get(name: string, processes: ?bool) -> (unit: Unit)

# systemd's names and forms, as "show" prints them.
method Properties(name: string) -> (properties: [string]string)

# Files as they are on disk, main file first. Others than root see what everyone may read.
method Cat(name: string) -> (files: [](path: string, text: string))

method Files(patterns: ?[]string, types: ?[]string, states: ?[]string) -> (files: []File)

# Of unit files by name; one that is not there has an empty state.
method FileStates(names: []string) -> (files: []File)

# The units that can be reached from one along the kinds given (Requires, Wants, After, RequiredBy …), root first.
method Dependencies(name: string, kinds: []string) -> (nodes: []Node)

# The edges of a unit, or without a name of all units in memory, with the reason for each. With kinds only those of these kinds that the unit
# begins; without them all, inverses included.
method Edges(name: ?string, kinds: ?[]string) -> (edges: []Edge)

# Processes that got the signal, or with dryRun would get it.
method Kill(name: string, whom: ?(main, control, all), signal: int, dryRun: ?bool, requestId: ?string) -> (signalled: int)

# No names: all units.
method ResetFailed(names: ?[]string, requestId: ?string) -> (units: []string)

# verb: enable, disable, reenable, mask, unmask, preset, preset-all, link, revert, add-wants, add-requires, set-default
method ChangeFiles(
  verb: string,
  names: []string,
  runtime: ?bool,
  force: ?bool,
  # full, enable-only, disable-only
  presetMode: ?string,
  target: ?string,
  # Load the units anew before answering.
  reload: ?bool,
  # Answer with what would be done, and do nothing.
  dryRun: ?bool,
  requestId: ?string
) -> (steps: []Step, carriesInstallInfo: bool, findings: []string)
`;
