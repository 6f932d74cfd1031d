/** Path units and the world: what their machines ask to be watched, what comes of it, and what their units are told of it. */
import type { Host, PathEvent } from '../host/ports.ts';
import type { PathContext } from '../machines/path-context.ts';
import type { ActorEvent } from '../supervisor/actor.ts';
import type { Unit } from '../units/types.ts';
import type { UnitWorld } from './world.ts';

/**
 * Watch the paths that the unit's machine knows, which daemon-reload may be about to change.
 *
 * @param make directories that are not there, first (MakeDirectory=)
 */
export function watchPaths(
  { paths }: Pick<Host, 'paths'>,
  unit: Unit,
  snapshot: unknown,
  round: number,
  make: boolean,
): void {
  const { settings } = (snapshot as { readonly context: Pick<PathContext, 'settings'> }).context;
  paths.watch(unit.name, round, settings.specs, make ? (unit.path?.DirectoryMode ?? 0o755) : null);
}

/** What the host tells of paths, in the words of the machine. */
export function pathEvent(event: PathEvent): ActorEvent {
  switch (event.type) {
    case 'paths': {
      const { round, missed, seen } = event;
      return { type: 'paths-seen', round, missed, seen: seen.map((one) => ({ ...one })) };
    }
    case 'path-changed':
      return { type: 'path-changed', round: event.round, index: event.at };
    case 'paths-failed':
      return { type: 'paths-failed', round: event.round, errno: event.errno, detail: event.about };
  }
}

/** Which path unit has started a unit, and for which path ($TRIGGER_UNIT, $TRIGGER_PATH); of several the first by name. */
export function triggerOf(
  world: Pick<UnitWorld, 'pathsOf'>,
  snapshotOf: (unit: string) => { readonly context: object } | undefined,
  unit: string,
): { readonly unit: string; readonly path: string } | undefined {
  for (const name of world.pathsOf(unit)) {
    const path = (snapshotOf(name)?.context as Partial<PathContext> | undefined)?.triggeredBy ?? null;
    if (path !== null) return { unit: name, path };
  }
  return undefined;
}
