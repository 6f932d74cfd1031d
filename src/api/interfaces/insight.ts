/** io.sysmaster.Insight. The .varlink file beside this one is written from it by the tests. */
export const insight = `# Why things are as they are. Errors are those of io.sysmaster.Manager.
interface io.sysmaster.Insight

type Stamp (realUs: int, monotonicUs: int)

# A reason, and below it the reasons of the reason. where: FILE:LINE, a link, or the rule that made an edge.
type Cause (
  kind: (request, job, unit, process, socket, device, timer, edge, condition, file, cut, chaos, limit, result),
  what: string,
  unit: ?string,
  job: ?int,
  pid: ?int,
  where: ?string,
  since: ?Stamp,
  below: []Cause
)

type Explanation (
  unit: string,
  job: ?int,
  active: string,
  sub: string,
  result: string,
  since: ?Stamp,
  # One sentence: how it is.
  state: string,
  because: []Cause,
  # What would happen next, and what would have to.
  next: []string
)

type Record (
  number: int,
  at: Stamp,
  # request, refused, job, job-over, unit, process, signal, cut, chaos, core, reload, stall, system
  kind: string,
  unit: string,
  what: string,
  cause: string,
  job: ?int
)

type Edge (from: string, kind: string, to: string, origin: object, where: string)

# done: it was cut; else it would be, if all units of the ring had jobs.
# more: units of a very long ring that come behind those named.
type Cut (from: string, to: string, where: string, ring: []string, more: ?int, why: string, done: bool)

# more: there are more rings than are listed.
type Cycle (members: []string, rings: [][]Edge, more: bool, cuts: []Cut)

# ring: who waits for whom; empty: an event is missing.
type Standstill (ring: []string, why: []string, todo: string)

type UnitTimes (
  name: string,
  activatingUs: ?int,
  activatedUs: ?int,
  deactivatingUs: ?int,
  deactivatedUs: ?int,
  after: []string
)

# A unit's name or a job's number. With not, the question is why it is not running.
method Why(name: string, not: ?bool) -> (explanation: Explanation)

# What happened, newest last, with its cause. Patterns as in list-units; count: the newest so many (default 1000).
method History(units: ?[]string, count: ?int) -> (records: []Record)

# Among the units in memory, and these.
method Cycles(units: ?[]string) -> (cycles: []Cycle)

# Orderings of one unit that were cut, or would be.
method Cuts(name: string) -> (cuts: []Cut)

# No stall: something can move, or nothing wants to.
method Stall() -> (stall: ?Standstill)

# Moments of the boot and of each unit, in µs of CLOCK_MONOTONIC.
method Times() -> (
  userspaceUs: int,
  unitsLoadedUs: ?int,
  finishedUs: ?int,
  nowUs: int,
  role: string,
  target: string,
  units: []UnitTimes
)
`;
