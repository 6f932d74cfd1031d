/** io.sysmaster.Chaos. The .varlink file beside this one is written from it by the tests. */
export const chaos = `# Faults on purpose, with a radius and an end. Off unless system.conf enables it; only for root.
# Errors are those of io.sysmaster.Manager.
interface io.sysmaster.Chaos

# kill: a signal (9), again every everyUs. hang: SIGSTOP, and SIGCONT at the end. delay_ready: READY=1 is held back for delayUs,
# or to the end. fail_spawn: so many (1) of the next processes of each unit are not started, with this error (EAGAIN) at this step
# (fork). drop_watchdog: WATCHDOG=1 is not heard.
type Fault (
  kind: (kill, hang, delay_ready, fail_spawn, drop_watchdog),
  signal: ?int,
  # kill and hang: the main process, which is the default, or all of them.
  whom: ?(main, all),
  everyUs: ?int,
  delayUs: ?int,
  count: ?int,
  step: ?string,
  errno: ?string
)

type Spared (unit: string, why: string)

type Run (
  id: int,
  what: string,
  kind: string,
  core: bool,
  units: []string,
  by: string,
  seed: int,
  # CLOCK_MONOTONIC
  fromUs: int,
  untilUs: int
)

type Allowed (enabled: bool, maxUnits: int, maxUs: int, protect: []string, path: string)

# units: names, patterns, and slices and targets for their members. The radius: atMost units, and at most percent of those that
# the fault suits; neither: one for each word of units. Units that go down with others (along) count as well. forUs: taken back then at the latest (30 s). id 0: it was a dry run.
method Begin(
  fault: Fault,
  units: ?[]string,
  # Core itself: kill and hang only.
  core: ?bool,
  atMost: ?int,
  percent: ?int,
  forUs: ?int,
  seed: ?int,
  dryRun: ?bool,
  requestId: ?string
) -> (id: int, what: string, seed: int, units: []string, spared: []Spared, along: ?[]string, untilUs: int, enabled: bool)

method List() -> (runs: []Run, allowed: Allowed)

# Take back now what these, or all, have done.
method Stop(ids: ?[]int, requestId: ?string) -> (stopped: []int)
`;
