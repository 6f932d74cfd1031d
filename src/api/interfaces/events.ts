/** io.sysmaster.Events. The .varlink file beside this one is written from it by the tests. */
export const events = `# What happens, as it is decided. Errors are those of io.sysmaster.Manager.
interface io.sysmaster.Events

type Stamp (realUs: int, monotonicUs: int)

type Unit (
  name: string,
  load: string,
  active: string,
  sub: string,
  description: string,
  job: ?(id: int, type: string),
  following: ?string,
  # The active state before; absent for a unit that is new.
  was: ?string,
  result: string,
  # Not in memory any more.
  gone: bool
)

type Job (id: int, unit: string, type: string, result: ?string)

type Event (
  # ready (the stream begins here), unit, job-new, job-removed, reloaded, system, note
  event: string,
  at: ?Stamp,
  unit: ?Unit,
  job: ?Job,
  # initializing, starting, running, degraded, maintenance, stopping
  system: ?string,
  note: ?(unit: string, text: string)
)

# A stream: call it with "more". Without kinds, all of them; units are shell globs that unit, job and note events must fit.
# It ends when the connection is closed.
method Subscribe(kinds: ?[]string, units: ?[]string) -> (event: Event)
`;
