/**
 * The hash of what a unit's files say: two units with the same hash were written alike, wherever their lines stand.
 *
 * It is made of all settings as written, drop-ins included, each key's values in their order. Links (`enable`, aliases) and what rules add are not part
 * of it: those are seen in the state of the unit file and in the plan itself.
 */
import type { Host } from '../host/ports.ts';
import { sha256 } from '../jobs/hash.ts';
import type { Unit } from '../units/types.ts';
import type { UnitWorld } from './world.ts';

const made = new WeakMap<Unit, string>();

type Hashes = Pick<Host, 'sha256'>;

/** The same of a unit by its name; empty: it is not there. */
export function settingsIn({ unit: find }: Pick<UnitWorld, 'unit'>, name: string, host: Hashes): string {
  const unit = find(name);
  return unit === undefined ? '' : settingsHash(unit, host);
}

/** 64 hexadecimal digits. A unit in memory never changes (a reload makes a new one), so each is looked at once. */
export function settingsHash(unit: Unit, host: Hashes): string {
  let hash = made.get(unit);
  if (hash === undefined) {
    const keys = Object.keys(unit.raw).sort();
    const text = JSON.stringify(keys.map((key) => unit.raw[key]?.map(({ section, value }) => [section, key, value])));
    hash = (host.sha256 ?? sha256)(text);
    made.set(unit, hash);
  }
  return hash;
}
