/**
 * Units that nobody needs any more are let go of: what the effects of the actor `units` do. src/jobs/collect.ts says which.
 *
 * It is decided only when no event is queued and no effect comes behind: a request that is on its way could name one of them,
 * and one whose effect has yet to look for its units would find those that are about to go. What was decided is then the first
 * event of the next turn, and the files' part of it (`forget`) the first effect, so whoever asks for such a unit later loads it
 * anew.
 */
import { garbage, isSpare } from '../jobs/collect.ts';
import type { JobsState } from '../jobs/saved.ts';
import { jobOf } from '../jobs/table.ts';
import { startLimitOf } from '../machines/ends.ts';
import type { ManagerContext } from '../machines/manager.ts';
import type { ServiceContext } from '../machines/service-context.ts';
import { activeState, type UnitSnapshot } from '../machines/view.ts';
import type { ActorHost } from '../supervisor/index.ts';
import type { Registry } from './registry.ts';
import type { Loaded, UnitsEffects, Unloading } from './small.ts';
import type { Unloaded } from './telling.ts';

export interface CollectingParts {
  readonly registry: Registry;
  readonly actors: () => ActorHost;
  /** Does a client wait for news of the unit? */
  isWatched(unit: string): boolean;
}

/** What a unit's machine may still hold on to while it is down. */
type Holding = Partial<Pick<ServiceContext, 'main' | 'control' | 'populated' | 'storedFds'>>;

const holds = ({ main, control, populated, storedFds }: Holding): boolean =>
  (main ?? control ?? null) !== null || populated === true || (storedFds?.length ?? 0) > 0;

export function createCollecting({ registry, actors, isWatched }: CollectingParts): UnitsEffects {
  const snapshotOf = (unit: string) => actors().read<UnitSnapshot>(`unit:${unit}`);

  /** One that is started for its end is still to be told how it ended ($MONITOR_SERVICE_RESULT …). */
  const isLookedAfter = (unit: string, { table }: JobsState): boolean =>
    (['OnFailure', 'OnSuccess'] as const).some((kind) =>
      registry.graph.others(unit, kind).some((other) => jobOf(table, other) !== undefined),
    );

  const mayGo = (unit: string, jobs: JobsState | undefined): boolean => {
    const actor = `unit:${unit}`;
    const snapshot = actors().readBegun<UnitSnapshot>(actor);
    const active = snapshot === undefined ? 'inactive' : activeState(snapshot);
    if (!isSpare(registry.jobGraph, unit, active) || isWatched(unit)) return false;
    if (jobs !== undefined && (jobOf(jobs.table, unit) !== undefined || isLookedAfter(unit, jobs))) return false;
    if (snapshot === undefined) return true;
    if (actors().phase(actor) !== 'running' || holds(snapshot.context as Holding)) return false;
    return Object.keys(actors().deadlines(actor)).length === 0;
  };

  /** What the unit is to take up again, should it come back. */
  const unloading = (name: string): Unloading => {
    const context = snapshotOf(name)?.context as Partial<ServiceContext> | undefined;
    const floor = Math.max(context?.runs ?? 0, context?.invocation ?? 0);
    const { startLimit, settings } = context ?? {};
    if (startLimit === null || startLimit === undefined || settings === undefined) return { name, floor };
    const { interval, burst } = startLimitOf(settings);
    if (typeof interval !== 'number' || interval === 0 || burst === 0) return { name, floor };
    return { name, floor, limit: { ...startLimit, untilMs: startLimit.beganMs + interval } };
  };

  return {
    collect(call) {
      if (actors().busy) return call.post('units', { type: 'wait' });
      const looked = actors().read<Loaded>('units')?.considered ?? [];
      const jobs = actors().read<JobsState>('jobs');
      const { graph } = registry;
      const candidates = [...looked.map((name) => graph.canonical(name)), ...registry.lookedAt()];
      const names = garbage(
        {
          mayGo: (unit) => mayGo(unit, jobs),
          referrers: (unit) => graph.referrers(unit),
          references: (unit) => graph.references(unit),
        },
        candidates,
      );
      const units = names.map(unloading);
      call.post('units', { type: 'unload', looked, units });
      if (names.length === 0) return;
      call.post('jobs', { type: 'units-unloaded', names });
      call.post('events', { type: 'tell', what: { unloaded: told(names) } });
    },
    forget(names) {
      // One that was asked for again meanwhile has an actor, and stays.
      registry.forget(names.filter((name) => snapshotOf(name) === undefined));
    },
  };

  /** Empty: it did nothing in the boot. */
  function bootTimes(name: string): Pick<Unloaded, 'boot'> {
    const since = snapshotOf(name)?.context.since;
    if (since === undefined || since.inactiveExitMs === null) return {};
    const finishedMs = actors().read<{ context: ManagerContext }>('manager')?.context.finishedMs ?? null;
    if (finishedMs !== null && since.inactiveExitMs > finishedMs) return {};
    const { inactiveExitMs, activeEnterMs, activeExitMs, inactiveEnterMs } = since;
    return {
      boot: {
        activatingMs: inactiveExitMs,
        activatedMs: activeEnterMs,
        deactivatingMs: activeExitMs,
        deactivatedMs: inactiveEnterMs,
      },
    };
  }

  function told(names: readonly string[]): readonly Unloaded[] {
    return names
      .filter((name) => snapshotOf(name) !== undefined)
      .map((name) => {
        const unit = registry.unit(name);
        return {
          name,
          load: unit?.loadState ?? 'not-found',
          description: unit?.unit.Description || name,
          mode: unit?.unit.CollectMode ?? 'inactive',
          result: snapshotOf(name)?.context.result ?? 'success',
          ...bootTimes(name),
        };
      });
  }
}
