/**
 * The actor `units`, which has every unit's actor made, and ended. A list: there is no state to draw.
 *
 * | event      | fields | meaning                                                                                              |
 * |------------|--------|------------------------------------------------------------------------------------------------------|
 * | `load`     | names  | make actors for units in memory that have none, tell the others their new settings (`specs`: of an older core) |
 * | `consider` | names  | these may not be needed in memory any more: they are looked at once nothing else is under way         |
 * | `unload`   | looked, units | what came of it, and of which; these {@link Unloading} have no actor any more                   |
 * | `wait`     |        | … or that something was under way: try again                                                          |
 * | `release`  | name   | an actor that was quarantined gets events again, those first that were held for it                    |
 * | `remake`   | specs  | actors of another kind take the place of those that an older core could only have show a unit         |
 *
 * Actors are made before anything that was posted after `load` is delivered; what each is made with it finds in the world then, so
 * that the event is short however many they are. What is considered is part of the state, so it is not forgotten with core.
 */
import type { Past, Window } from '../machines/ends.ts';
import type { ActorEvent, ActorKind, ChildSpec, Effect, EffectCall, Json, Logic, Step } from '../supervisor/actor.ts';

/** The supervisor of all unit actors. */
export const UNITS = 'unit-actors';

export interface Loaded {
  /** Names of the units that have an actor, sorted. */
  readonly names: readonly string[];
  /** Units that may not be needed any more, sorted; not empty: the effect `collect` is on its way. */
  readonly considered?: readonly string[];
  /** No unit that was unloaded had a spawn or a life of a higher number. */
  readonly floor?: number;
  /** Start limits of units that are not in memory, until their time is over. */
  readonly limits?: Readonly<Record<string, StartLimit>>;
}

type StartLimit = Window & { readonly untilMs: number };

/** A unit as the `units` actor is told of it. */
export interface UnitSpec {
  readonly name: string;
  /** Kind of its actor. */
  readonly kind: string;
  readonly settings: Json;
  /** It is there for as long as the system is, and nobody starts it. */
  readonly present?: boolean;
}

/** The units in memory. */
export interface SpecWorld {
  /** Undefined: it has left memory. */
  spec(name: string): UnitSpec | undefined;
}

/** A unit that goes, and what is kept of it. */
export interface Unloading {
  readonly name: string;
  readonly floor: number;
  readonly limit?: StartLimit;
}

/** Start limits that are kept; those that end soonest go first. */
const LIMITS_MAX = 4096;

/** A failing unit actor is started anew from its settings, at most this often; then it is quarantined and its processes run on. */
const childSpec = ({ name, kind, settings }: UnitSpec, past: Past | undefined): ChildSpec => ({
  id: `unit:${name}`,
  kind,
  input: { settings, ...(past === undefined ? {} : { past: past as unknown as Json }) },
  restart: 'permanent',
  shutdown: 'brutal',
});

function loadUnits(state: Loaded, specs: readonly UnitSpec[], nowMs: number): Step<Loaded> {
  const known = new Set(state.names);
  const { floor = 0, limits = {} } = state;
  const effects: Effect[] = specs.flatMap((spec) => {
    const post = (event: Json): Effect => ({ type: 'post', params: { to: `unit:${spec.name}`, event } });
    if (known.has(spec.name)) return [post({ type: 'settings', settings: spec.settings })];
    const { untilMs = 0, ...startLimit } = limits[spec.name] ?? { beganMs: 0, starts: 0 };
    const past: Past | undefined =
      untilMs >= nowMs && untilMs > 0 ? { floor, startLimit } : floor > 0 ? { floor } : undefined;
    const made = { type: 'startChild', params: { spec: childSpec(spec, past) as unknown as Json, supervisor: UNITS } };
    return spec.present === true ? [made, post({ type: 'present' })] : [made];
  });
  const names = [...new Set([...state.names, ...specs.map(({ name }) => name)])].sort();
  return { snapshot: names.length === state.names.length ? state : { ...state, names }, effects };
}

/** Nobody has begun anything with these: what they are to be forgotten of is that they were refused. */
function remake(state: Loaded, specs: readonly UnitSpec[]): Step<Loaded> {
  const { floor = 0 } = state;
  const known = specs.filter(({ name }) => state.names.includes(name));
  const effects = known.flatMap((spec): Effect[] => [
    { type: 'stopChild', params: { id: `unit:${spec.name}` } },
    {
      type: 'startChild',
      params: { spec: childSpec(spec, floor > 0 ? { floor } : undefined) as unknown as Json, supervisor: UNITS },
    },
  ]);
  return { snapshot: state, effects };
}

const collect: Effect = { type: 'collect', params: undefined };

function consider(state: Loaded, names: readonly string[]): Step<Loaded> {
  const before = state.considered ?? [];
  const considered = [...new Set([...before, ...names])].sort();
  const snapshot = considered.length === before.length ? state : { ...state, considered };
  return { snapshot, effects: before.length === 0 && considered.length > 0 ? [collect] : [] };
}

function unload(state: Loaded, looked: readonly string[], units: readonly Unloading[], nowMs: number): Step<Loaded> {
  const gone = new Set(units.map(({ name }) => name));
  const left = lacking(state.considered ?? [], looked);
  const effects: Effect[] = [
    ...[...gone].map((name): Effect => ({ type: 'stopChild', params: { id: `unit:${name}` } })),
    ...(gone.size > 0 ? [{ type: 'forget', params: { names: [...gone] } }] : []),
    ...(left.length > 0 ? [collect] : []),
  ];
  const floor = units.reduce((highest, unit) => Math.max(highest, unit.floor), state.floor ?? 0);
  const ended = units.flatMap(({ name, limit }) => (limit === undefined ? [] : [[name, limit] as const]));
  const limits = [...Object.entries(state.limits ?? {}).filter(([name]) => !gone.has(name)), ...ended]
    .filter(([, { untilMs }]) => untilMs >= nowMs)
    .sort(([a, { untilMs: x }], [b, { untilMs: y }]) => y - x || (a < b ? -1 : 1))
    .slice(0, LIMITS_MAX);
  const { considered: _, limits: __, ...rest } = state;
  const names = gone.size === 0 ? state.names : state.names.filter((name) => !gone.has(name));
  return {
    snapshot: {
      ...rest,
      names,
      ...(left.length > 0 ? { considered: left } : {}),
      ...(floor > 0 ? { floor } : {}),
      ...(limits.length > 0 ? { limits: Object.fromEntries(limits) } : {}),
    },
    effects,
  };
}

/** What has changed: names by what was added and taken away, the rest as it is. */
interface Change {
  readonly add?: readonly string[];
  readonly gone?: readonly string[];
  readonly rest: Omit<Loaded, 'names'>;
}

const lacking = (names: readonly string[], others: readonly string[]): readonly string[] => {
  const known = new Set(others);
  return names.filter((name) => !known.has(name));
};

/** Names of the units that a `load` is about. */
export const namesOf = (load: ActorEvent): readonly string[] =>
  (load['names'] as readonly string[] | undefined) ?? (load['specs'] as readonly UnitSpec[]).map(({ name }) => name);

const specsOf = (load: ActorEvent, world: SpecWorld): readonly UnitSpec[] =>
  (load['specs'] as readonly UnitSpec[] | undefined) ?? namesOf(load).flatMap((name) => world.spec(name) ?? []);

export const createUnitsLogic = (world: SpecWorld): Logic<Loaded> => ({
  name: 'units',
  version: 1,
  initial: () => ({ snapshot: { names: [] }, effects: [] }),
  step(snapshot, event) {
    const nowMs = event.atMs ?? 0;
    switch (event.type) {
      case 'load':
        return loadUnits(snapshot, specsOf(event, world), nowMs);
      case 'consider':
        return consider(snapshot, event['names'] as readonly string[]);
      case 'wait':
        return { snapshot, effects: (snapshot.considered ?? []).length > 0 ? [collect] : [] };
      case 'unload':
        return unload(snapshot, event['looked'] as readonly string[], event['units'] as readonly Unloading[], nowMs);
      case 'release':
        return { snapshot, effects: [{ type: 'releaseChild', params: { id: `unit:${String(event['name'])}` } }] };
      case 'remake':
        return remake(snapshot, event['specs'] as readonly UnitSpec[]);
      default:
        return { snapshot, effects: [] };
    }
  },
  save: (snapshot) => snapshot as unknown as Json,
  load: (saved) => saved as unknown as Loaded,
  diff(before, { names, ...rest }) {
    const change: Change =
      before.names === names
        ? { rest }
        : { add: lacking(names, before.names), gone: lacking(before.names, names), rest };
    return change as unknown as Json;
  },
  patch(saved, change) {
    const { names } = saved as unknown as Loaded;
    const { add = [], gone = [], rest } = change as unknown as Change;
    const next = add.length + gone.length === 0 ? names : [...lacking(names, gone), ...add].sort();
    return { names: next, ...rest } as unknown as Json;
  },
});

/** What its effects do; see collecting.ts. */
export interface UnitsEffects {
  collect(call: EffectCall): void;
  forget(names: readonly string[]): void;
}

/** Memory that a recorded step keeps alive for each unit it has made an actor for: most of the settings are the actor's own. */
const SPEC_BYTES = 200;

export function unitsKind(effects: UnitsEffects, world: SpecWorld): ActorKind {
  let found: UnitSpec[] = [];
  const logic = createUnitsLogic({
    spec(name) {
      const spec = world.spec(name);
      if (spec !== undefined) found.push(spec);
      return spec;
    },
  });
  return {
    logic: {
      ...logic,
      step(state: Loaded, event) {
        found = [];
        return logic.step(state, event);
      },
    },
    looked() {
      const specs = found;
      return { bytes: specs.length * SPEC_BYTES, told: () => specs as unknown as Json };
    },
    blindEffects: true,
    effects: {
      collect: { kind: 'idempotent', run: (call) => effects.collect(call) },
      forget: { kind: 'idempotent', run: (_call, { names }: { names: readonly string[] }) => effects.forget(names) },
    },
  };
}

/** The world of recorded steps: the units that they have found. */
export class FoundUnits implements SpecWorld {
  #specs = new Map<string, UnitSpec>();

  /** What the next step has found; undefined: older cores were told. @throws Error where it is no list of units */
  tell(found: unknown = []): void {
    if (!Array.isArray(found)) throw new Error('what it looked at is no list of units');
    this.#specs = new Map((found as readonly UnitSpec[]).map((spec) => [spec.name, spec]));
  }

  spec(name: string): UnitSpec | undefined {
    return this.#specs.get(name);
  }
}
