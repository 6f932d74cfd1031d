/** io.sysmaster.Snapshots. The .varlink file beside this one is written from it by the tests. */
export const snapshots = `# Snapshots: which units were active, enabled and masked, with which settings. Errors are those of io.sysmaster.Manager.
interface io.sysmaster.Snapshots

# enable, disable, mask or unmask; runtime: until the next boot.
type FileChange (verb: string, unit: string, runtime: bool)

type Refusal (error: string, unit: string, why: string, todo: string, details: ?[]string)

type Enqueued (id: int, unit: string, type: string)

# As in io.sysmaster.Jobs.
type Outcome (
  unit: string,
  job: ?int,
  result: ?string,
  notes: []string,
  refusal: ?Refusal,
  transaction: ?[]Enqueued
)

# fault: why it cannot be used; then only its name is known.
type Summary (name: string, madeUs: int, by: string, units: int, active: int, fault: ?string)

method List() -> (snapshots: []Summary)

# now is the present.
method Get(name: string) -> (snapshot: object)

# What restoring would do: changes of unit files first, then the plan (none: no unit is to be started or stopped).
method Plan(name: string) -> (plan: ?object, refusal: ?Refusal, files: []FileChange, notes: []string)

# An existing one of this name is replaced. dryRun: only tell what would fail.
method Save(name: string, dryRun: ?bool, requestId: ?string) -> (name: string)

method Delete(name: string, dryRun: ?bool, requestId: ?string) -> (name: string)

# Answered as a Request of io.sysmaster.Jobs is. With confirmWithinUs it is undone after so long, unit files too, unless Confirm of
# io.sysmaster.Jobs is called with its name.
method Restore(
  name: string,
  confirmWithinUs: ?int,
  noBlock: ?bool,
  transaction: ?bool,
  requestId: ?string
) -> (outcomes: []Outcome)
`;
