/** What a path machine knows. Plain JSON. */
import { isOfChange } from '../host/ports.ts';
import type { PathSection, Unit } from '../units/types.ts';
import { type EndSettings, endSettings, type Limited, type Past, pick, type Window } from './ends.ts';
import type { PathSeen } from './protocol.ts';
import type { TriggeredService } from './socket-context.ts';
import type { Deadline } from './turn.ts';
import { newUnit } from './view.ts';

const pathKeys = [
  'specs',
  'MakeDirectory',
  'TriggerLimitIntervalSec',
  'TriggerLimitBurst',
] as const satisfies readonly (keyof PathSection)[];

/** What decides about a path unit. `Unit` is never empty: the unit it triggers, by name. */
export type PathSettings = Pick<PathSection, (typeof pathKeys)[number]> & { readonly Unit: string } & EndSettings;

/** The machine's part of a unit's settings. */
export const pathSettings = (unit: Pick<Unit, 'name' | 'unit'> & { readonly path: PathSection }): PathSettings => ({
  ...pick(unit.path, pathKeys),
  // systemd.path(5), Unit=: the service of the same name.
  Unit: unit.path.Unit || unit.name.replace(/\.path$/, '.service'),
  ...endSettings(unit.unit),
});

type Spec = PathSettings['specs'][number];

export interface PathContext extends Limited {
  readonly settings: PathSettings;
  /** Counts up with each `watchPaths` and `unwatchPaths`: what is told of an earlier one counts no more. */
  readonly round: number;
  /** That was asked for, and is not answered yet. */
  readonly looking: boolean;
  /**
   * Stamps of PathChanged= and PathModified= as they were seen last, by {@link keyOf}; null: it was not there. What was watched and is not
   * among them has not been seen yet. Of use to a core that comes after: it knows by them what changed while nobody watched.
   */
  readonly stamps: Readonly<Record<string, string | null>>;
  /** What it has started its unit for, and the unit has not been down since ($TRIGGER_PATH); null: it has not. */
  readonly triggeredBy: string | null;
  readonly service: TriggeredService;
  /** The trigger-limit window. */
  readonly triggers: Window | null;
  /** How often it has triggered its unit; for people. */
  readonly nTriggered: number;
  readonly deadline: Deadline | null;
}

export const newPath = (settings: PathSettings, past: Past = { floor: 0 }): PathContext => ({
  ...newUnit,
  settings,
  startLimit: past.startLimit ?? null,
  startLimitHit: false,
  round: 0,
  looking: false,
  stamps: {},
  triggeredBy: null,
  service: { active: 'inactive', sub: 'dead', pending: false, loaded: true, startLimitHit: false },
  triggers: null,
  nTriggered: 0,
  deadline: null,
});

export const keyOf = ({ kind, path }: Spec): string => `${kind} ${path}`;

/**
 * The path that its unit is to be started for, by what there is; undefined: none.
 *
 * What is to be there is there. What is to change has come or gone since it was seen last, which is no change if it has not been seen
 * before; where changes were missed, it is not what it was.
 */
export function due(
  { settings, stamps }: Pick<PathContext, 'settings' | 'stamps'>,
  seen: readonly PathSeen[],
  missed: boolean,
): string | undefined {
  for (const [at, spec] of settings.specs.entries()) {
    const now = seen[at];
    if (now === undefined) continue;
    if (!isOfChange(spec.kind)) {
      if (now.there) return now.path;
      continue;
    }
    const before = stamps[keyOf(spec)];
    if (before === undefined) continue;
    const otherwise = missed ? before !== now.stamp : (before === null) !== (now.stamp === null);
    if (otherwise) return now.path;
  }
  return undefined;
}

/** The stamps of what was seen. */
export const stampsOf = ({ specs }: PathSettings, seen: readonly PathSeen[]): PathContext['stamps'] =>
  Object.fromEntries(
    specs.flatMap((spec, at) =>
      isOfChange(spec.kind) && seen[at] !== undefined ? [[keyOf(spec), seen[at].stamp]] : [],
    ),
  );
