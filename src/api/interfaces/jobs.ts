/** io.sysmaster.Jobs. The .varlink file beside this one is written from it by the tests. */
export const jobs = `# Requests, jobs and plans. Errors are those of io.sysmaster.Manager.
interface io.sysmaster.Jobs

type Stamp (realUs: int, monotonicUs: int)

# Why a job has not ended; pid: the process it waits for; untilUs: the first time limit of the job or its unit. Times are of CLOCK_MONOTONIC.
type Wait (why: string, job: ?int, unit: ?string, pid: ?int, sinceUs: ?int, untilUs: ?int)

type Job (
  id: int,
  unit: string,
  # start, stop, restart, reload, verify-active, nop
  type: string,
  state: (waiting, running),
  mode: string,
  by: string,
  # who asked for it, too, while it was there
  again: []string,
  created: Stamp,
  started: ?Stamp,
  waits: []Wait
)

# details: one sentence each, with file and line where there is one: faults of the unit, or what has moved since the plan was made.
type Refusal (error: string, unit: string, why: string, todo: string, details: ?[]string)

# A job of a transaction, by the type it was planned with.
type Enqueued (id: int, unit: string, type: string)

# What became of the request for one unit: refused, or a job (none: nothing was to do) with its result when it is over.
type Outcome (
  unit: string,
  job: ?int,
  # done, canceled, timeout, failed, dependency, skipped, invalid, assert, unsupported, collected, once
  result: ?string,
  notes: []string,
  refusal: ?Refusal,
  # With transaction: all jobs of the request, told with its first unit.
  transaction: ?[]Enqueued
)

# A plan that was applied, or a snapshot that was restored (its name is the id), and is undone at untilUs unless somebody confirms it.
# Times are of CLOCK_MONOTONIC.
type Confirmation (id: string, what: string, by: string, appliedUs: int, untilUs: int, undo: string)

# A plan that is kept; see Keep. request: as in the plan itself.
type KeptPlan (id: string, what: string, by: string, madeUs: int, request: object)

# enqueued, running, or a result.
type Progress (job: int, unit: string, state: string)

method List() -> (jobs: []Job)

# Each unit is a transaction of its own, in the order given; with together, all of them are one.
# Answers when the jobs are over, or, with noBlock, when they are in the table. Called with "more", progress comes first.
method Request(
  # start, stop, restart, reload, verify-active, nop, try-restart, try-reload, reload-or-start, reload-or-restart, try-reload-or-restart
  verb: string,
  units: []string,
  # replace (default), fail, replace-irreversibly, isolate, flush, ignore-dependencies, ignore-requirements, triggering,
  # restart-dependencies, lenient
  mode: ?string,
  noBlock: ?bool,
  together: ?bool,
  # Name all jobs of each transaction.
  transaction: ?bool,
  requestId: ?string
) -> (progress: ?Progress, outcomes: ?[]Outcome)

# No ids: all jobs.
method Cancel(jobs: ?[]int, requestId: ?string) -> (canceled: []int)

# What a request for all these units together would do, with the reason for each job; format, id and state of the plan are in it.
# ending: as the end of the system does it, to which irreversible jobs give way. automatic and also: as they stand in the request of a
# plan that restores a snapshot.
method Plan(
  verb: string,
  units: []string,
  mode: ?string,
  ending: ?bool,
  automatic: ?bool,
  also: ?[]Part
) -> (plan: ?object, refusal: ?Refusal)

type Part (verb: string, units: []string)

# Let the plan of this request be applied by its id alone. Error PlanMoved: it is another plan by now.
method Keep(verb: string, units: []string, mode: ?string, id: string, requestId: ?string) -> (id: string)

# Carry out a plan (as Plan answered it; of its members format, version, id, machineId, bootId, request and state are looked at), or the kept
# one of this id. Refused if anything else would be done now; the refusal says what has moved. With confirmWithinUs it is undone after so
# long unless Confirm is called. Answered as Request is.
method Apply(
  plan: ?object,
  id: ?string,
  confirmWithinUs: ?int,
  noBlock: ?bool,
  transaction: ?bool,
  requestId: ?string
) -> (outcomes: []Outcome)

# Plans that may be applied by their id, the newest first. madeUs is of CLOCK_MONOTONIC.
method Plans() -> (plans: []KeptPlan)

method Confirmations() -> (waiting: []Confirmation)

# Error NoSuchPlan: it does not wait to be confirmed.
method Confirm(id: string, requestId: ?string) -> (id: string)
`;
