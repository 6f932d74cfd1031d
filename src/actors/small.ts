/**
 * The actor `units`, which has every unit's actor made. A list: there is no state to draw.
 */
import type { ActorKind, ChildSpec, Effect, Json, Logic } from '../supervisor/actor.ts';

/** The supervisor of all unit actors. */
export const UNITS = 'unit-actors';

/** Names of the units that have an actor, sorted. */
export interface Loaded {
  readonly names: readonly string[];
}

/** A unit as the `units` actor is told of it. */
export interface UnitSpec {
  readonly name: string;
  /** Kind of its actor. */
  readonly kind: string;
  readonly settings: Json;
}

/** A failing unit actor is started anew from its settings, at most this often; then it is quarantined and its processes run on. */
const childSpec = ({ name, kind, settings }: UnitSpec): ChildSpec => ({
  id: `unit:${name}`,
  kind,
  input: { settings },
  restart: 'permanent',
  shutdown: 'brutal',
});

/**
 * Events: `load` {specs}: make actors for those that have none, tell the others their new settings; `unload` {names}.
 * `release` {name}: an actor that was quarantined gets events again, those first that were held for it.
 * Actors are made before anything that was posted after `load` is delivered.
 */
export const unitsLogic: Logic<Loaded> = {
  name: 'units',
  version: 1,
  initial: () => ({ snapshot: { names: [] }, effects: [] }),
  step(snapshot, event) {
    if (event.type === 'load') {
      const specs = event['specs'] as readonly UnitSpec[];
      const known = new Set(snapshot.names);
      const effects: Effect[] = specs.map((spec) =>
        known.has(spec.name)
          ? { type: 'post', params: { to: `unit:${spec.name}`, event: { type: 'settings', settings: spec.settings } } }
          : { type: 'startChild', params: { spec: childSpec(spec) as unknown as Json, supervisor: UNITS } },
      );
      const names = [...new Set([...snapshot.names, ...specs.map(({ name }) => name)])].sort();
      return { snapshot: names.length === snapshot.names.length ? snapshot : { names }, effects };
    }
    if (event.type === 'unload') {
      const gone = new Set(event['names'] as readonly string[]);
      const effects: Effect[] = [...gone].map((name) => ({ type: 'stopChild', params: { id: `unit:${name}` } }));
      return { snapshot: { names: snapshot.names.filter((name) => !gone.has(name)) }, effects };
    }
    if (event.type === 'release')
      return { snapshot, effects: [{ type: 'releaseChild', params: { id: `unit:${String(event['name'])}` } }] };
    return { snapshot, effects: [] };
  },
  save: (snapshot) => snapshot as unknown as Json,
  load: (saved) => saved as unknown as Loaded,
};

export const unitsKind: ActorKind = { logic: unitsLogic, effects: {} };
