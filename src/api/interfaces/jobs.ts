/** io.sysmaster.Jobs. The .varlink file beside this one is written from it by the tests. */
export const jobs = `# Requests, jobs and plans. Errors are those of io.sysmaster.Manager.
interface io.sysmaster.Jobs

type Stamp (realUs: int, monotonicUs: int)

type Wait (why: string, job: ?int, unit: ?string, pid: ?int, sinceUs: ?int)

type Job (
  id: int,
  unit: string,
  # start, stop, restart, reload, verify-active, nop
  type: string,
  state: (waiting, running),
  mode: string,
  by: string,
  created: Stamp,
  started: ?Stamp,
  waits: []Wait
)

type Refusal (error: string, unit: string, why: string, todo: string)

# What became of the request for one unit: refused, or a job (none: nothing was to do) with its result when it is over.
type Outcome (
  unit: string,
  job: ?int,
  # done, canceled, timeout, failed, dependency, skipped, invalid, assert, unsupported, collected, once
  result: ?string,
  notes: []string,
  refusal: ?Refusal
)

# enqueued, running, or a result.
type Progress (job: int, unit: string, state: string)

method List() -> (jobs: []Job)

# Each unit is a transaction of its own, in the order given; with together, all of them are one.
# Answers when the jobs are over, or, with noBlock, when they are in the table. Called with "more", progress comes first.
method Request(
  # start, stop, restart, reload, verify-active, nop, try-restart, reload-or-start, reload-or-restart, try-reload-or-restart
  verb: string,
  units: []string,
  # replace (default), fail, replace-irreversibly, isolate, flush, ignore-dependencies, ignore-requirements, triggering,
  # restart-dependencies, lenient
  mode: ?string,
  noBlock: ?bool,
  together: ?bool,
  requestId: ?string
) -> (progress: ?Progress, outcomes: ?[]Outcome)

# No ids: all jobs.
method Cancel(jobs: ?[]int, requestId: ?string) -> (canceled: []int)

# What a request would do, with the reason for each job.
method Plan(verb: string, units: []string, mode: ?string) -> (plan: ?object, refusal: ?Refusal)
`;
