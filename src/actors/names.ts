/**
 * The names under which the parts of a unit are known outside core: control group, store, tags, paths.
 *
 * Made in this one place, so that recovery, which has only the names, can read them back.
 */

import type { EffectId } from '../host/ports.ts';
import type { ExecList } from '../machines/protocol.ts';

/** Which of a unit's processes: the service itself, or a command of its life cycle. */
export type Role = 'main' | 'control';

/** Which command of a unit a process is: its list and its place in there, from 0. */
export interface Place {
  readonly list: ExecList;
  readonly index: number;
}

/** The tag init gives back in every record of a spawn: `unit|role|run`, or `unit|role|run|list|index`. A unit name holds no `|`. */
export const tagOf = (unit: string, role: Role, run: number, place?: Place): string =>
  `${unit}|${role}|${run}${place === undefined ? '' : `|${place.list}|${place.index}`}`;
/** The tag of a watched main process: `unit|watch|startTime`. */
export const watchTag = (unit: string, startTime: number): string => `${unit}|watch|${startTime}`;

/**
 * A tag taken apart; undefined for init's own (`core`). `number`: the run of a spawn, the start time of a watch. `place` is absent where
 * an older core has made it.
 */
export function parseTag(
  tag: string,
): { unit: string; role: Role | 'watch'; number: number; place?: Place } | undefined {
  const [unit, role, text, list, index] = tag.split('|');
  if (unit === undefined || text === undefined || !/^\d+$/.test(text)) return undefined;
  if (role !== 'main' && role !== 'control' && role !== 'watch') return undefined;
  const known = list !== undefined && /^Exec[A-Z]/.test(list) && index !== undefined && /^\d+$/.test(index);
  const place = known ? { place: { list: list as ExecList, index: Number(index) } } : {};
  return { unit, role, number: Number(text), ...place };
}

/** The log pipe of a unit; init stores its ends as `…:r` and `…:w`. */
export const logPipe = (unit: string): string => `log:${unit}`;
/** The notify socket of a unit. */
export const notifySocket = (unit: string): string => `notify:${unit}`;
/** The n-th listener of a socket unit. */
export const listener = (unit: string, index: number): string => `listen:${unit}:${index}`;
/** A descriptor a service stored (FDSTORE=1), by the machine's key for it. */
export const storedFd = (unit: string, key: number): string => `fdstore:${unit}:${key}`;

/** The unit that a stored name belongs to; undefined for core's own (`api`, `blackbox`). */
export function unitOfName(name: string): string | undefined {
  const match = /^(?:log|notify|listen|fdstore):(.+?)(?::(?:r|w|\d+))?$/.exec(name);
  return match?.[1];
}

/**
 * The control group of a slice, below init's root: `a-b.slice` is `a.slice/a-b.slice`, `-.slice` is the root itself.
 * Source: systemd.slice(5).
 */
function sliceGroup(slice: string): string {
  if (slice === '-.slice' || slice === '') return '';
  const stem = slice.slice(0, -'.slice'.length);
  const parts = stem.split('-');
  return parts.map((_, index) => `${parts.slice(0, index + 1).join('-')}.slice`).join('/');
}

/** The control group of any other unit, in its slice. */
export function unitGroup(unit: string, slice: string): string {
  if (unit.endsWith('.slice')) return sliceGroup(unit);
  const parent = sliceGroup(slice);
  return parent === '' ? unit : `${parent}/${unit}`;
}

/** Where a unit's notify socket is bound. */
export const notifyPath = (runDirectory: string, unit: string): string => `${runDirectory}/notify/${unit}`;

const hex = (value: number, width: number) => (value >>> 0).toString(16).padStart(8, '0').slice(-width);

/**
 * The invocation ID of the n-th life of a unit: 128 bits in hexadecimal, the same on every run of the same history (law 6),
 * other for another boot. FNV-1a over boot ID, unit and number, four times with different bases.
 * Source: systemd.exec(5), $INVOCATION_ID.
 */
export function invocationId(bootId: string, unit: string, invocation: number): string {
  const text = `${bootId}/${unit}/${invocation}`;
  let id = '';
  for (let base = 0; base < 4; base += 1) {
    let hash = 0x811c9dc5 ^ Math.imul(base, 0x9e3779b1);
    for (let index = 0; index < text.length; index += 1) {
      hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
    }
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
    id += hex(hash ^ (hash >>> 15), 8);
  }
  return id;
}

/** Eight hexadecimal digits that stand for a text; for names that only have to differ (FNV-1a). */
export function shortHash(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hex(hash ^ (hash >>> 15), 8);
}

/** Effects of one event number their parts from here, so that the n-th call on init made by one effect has an id of its own. */
const PARTS = 0x10000;

/** The id of the n-th part of an effect, from 1; init answers each id once, so two calls must not share one. */
export const part = (id: EffectId, n: number): EffectId => ({ ...id, index: id.index + PARTS * n });
