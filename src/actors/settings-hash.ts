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
    hash = (host.sha256 ?? sha256)(textOf(unit.raw));
    made.set(unit, hash);
  }
  return hash;
}

/**
 * A list for each key, sorted, of its settings as [section, key, value], in JSON. Put together by hand: ten thousand units are to be
 * told apart while somebody waits for a plan.
 */
function textOf(raw: Unit['raw']): string {
  let text = '';
  for (const key of Object.keys(raw).sort()) {
    let list = '';
    for (const { section, value } of raw[key] ?? [])
      list += `${list === '' ? '' : ','}[${quoted(section)},${quoted(key)},${quoted(value)}]`;
    text += `${text === '' ? '' : ','}[${list}]`;
  }
  return `[${text}]`;
}

/** As JSON writes it. */
const quoted = (text: string): string => (PLAIN.test(text) ? `"${text}"` : JSON.stringify(text));
const PLAIN = /^[ !#-[\]-~]*$/;
