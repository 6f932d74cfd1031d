/** io.sysmaster.Machines. The .varlink file beside this one is written from it by the tests. */
export const machines = `# The statechart that a unit, a job or an extension is run by, as it runs now. Errors are those of io.sysmaster.Manager.
interface io.sysmaster.Machines

type Transition (
  # Empty: taken as soon as the guard holds.
  event: string,
  targets: []string,
  guard: string,
  actions: []string
)

type Chart (
  id: string,
  key: string,
  type: (atomic, compound, parallel, final, history),
  initial: string,
  tags: []string,
  description: string,
  entry: []string,
  exit: []string,
  on: []Transition,
  states: []Chart
)

type Machine (
  actor: string,
  machine: string,
  version: int,
  # A key, or an object of keys to values.
  value: any,
  context: object,
  # Ids of the states it is in, outermost first.
  active: []string,
  # atUs: CLOCK_MONOTONIC; absent: infinity.
  deadlines: [](name: string, atUs: ?int),
  chart: Chart
)

# actor: a unit's name, or the id of an actor.
method Get(actor: string) -> (machine: Machine)
`;
