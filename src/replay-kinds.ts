/**
 * The kinds of actors that a recording can tell of: their logics, and what each needs besides to be run without a world.
 *
 * All of core's actors are here. The job engine looks at units, and so does who makes their actors: they are given what the recorded step
 * has looked at, and nothing else.
 * Charts of users come from their plugins' files, which whoever replays has to find.
 */
import { CHAOS, chaosLogic } from './actors/chaos-logic.ts';
import { type EventsState, eventsLogic } from './actors/events.ts';
import { createUnitsLogic, FoundUnits, type Loaded } from './actors/small.ts';
import { UPGRADE, upgradeLogic } from './actors/upgrade.ts';
import { createJobsLogic, type JobsState } from './jobs/logic.ts';
import { Memory } from './jobs/memory.ts';
import { unitMachines } from './machines/index.ts';
import { jobMachine } from './machines/job.ts';
import { managerMachine } from './machines/manager.ts';
import { type PluginDefinition, pluginKind } from './machines/plugin.ts';
import { foreignLogic } from './supervisor/foreign.ts';
import type { Logic } from './supervisor/index.ts';
import { machineLogic } from './supervisor/logic.ts';
import { counted } from './units/counted.ts';

// biome-ignore lint/suspicious/noExplicitAny: a logic's snapshot type is its own; here snapshots are only passed on.
export type AnyLogic = Logic<any>;

export interface Kind {
  readonly logic: AnyLogic;
  /** Of a logic that looks at more than its arguments: this is what the next step's recorded one has looked at, or undefined. Throws where that will not do. */
  tell?(looked: unknown): void;
  /** Its state in a few words; absent: it has a state value, or none that tells anything. */
  words?(snapshot: never): string;
}

/** Charts by the name of their plugin. */
export type Charts = Readonly<Record<string, PluginDefinition>>;

/** Fresh ones for one run: the job engine remembers what it was told. */
export function kindsOf(charts: Charts): ReadonlyMap<string, Kind> {
  const machines = { ...unitMachines, job: jobMachine, manager: managerMachine };
  const memory = new Memory();
  const found = new FoundUnits();
  return new Map<string, Kind>([
    ...Object.entries(machines).map(([kind, machine]) => [kind, { logic: machineLogic(machine) }] as const),
    ...Object.entries(charts).map(
      ([name, { machine, ...options }]) =>
        [pluginKind(name), { logic: foreignLogic(machineLogic(machine, options)) }] as const,
    ),
    [
      'jobs',
      {
        logic: createJobsLogic(memory.world) as AnyLogic,
        tell(looked) {
          if (looked === undefined) throw new Error('it looked at more than was recorded');
          memory.tell(looked);
        },
        words: ({ table: { jobs, running } }: JobsState) =>
          jobs.size === 0 ? 'no jobs' : `${counted(jobs.size, 'job')}, ${running} running`,
      },
    ],
    [
      'events',
      { logic: eventsLogic, words: ({ history }: EventsState) => `${counted(history.next - 1, 'record')} of history` },
    ],
    [
      'units',
      {
        logic: createUnitsLogic(found),
        tell: (looked) => found.tell(looked),
        words: ({ names }: Loaded) => `${counted(names.length, 'unit')} in memory`,
      },
    ],
    [CHAOS, { logic: chaosLogic, words: ({ runs }: { runs: readonly unknown[] }) => counted(runs.length, 'fault') }],
    [
      UPGRADE,
      {
        logic: upgradeLogic,
        words: ({ keys }: { keys: readonly string[] }) => (keys.length === 0 ? 'at rest' : 'checking'),
      },
    ],
  ]);
}
