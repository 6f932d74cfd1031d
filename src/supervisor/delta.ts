/**
 * What a plain object has otherwise than another one of its sort, as JSON text, and back: thousands of units hold the same settings
 * but for a few, and an image that repeated them all would be several times as large, and as slow to read.
 *
 *   [set, within, gone]     fields with their values; fields whose objects differ, each with a delta of its own; fields that are not
 *                           there. What is empty behind the last that is not may be missing
 *
 * What is read shares with its base whatever is the same in both, so it must not be changed in place.
 */
import type { Json } from './actor.ts';

/** See above. */
export type Delta = readonly [set: Fields, within?: Readonly<Record<string, Delta>>, gone?: readonly string[]];

type Fields = Readonly<Record<string, Json | undefined>>;

/** Objects in objects that are compared field by field; what lies deeper is told as a whole. */
const DEPTH_MAX = 4;
const NOTHING = '[{}]';

/** Makes deltas; one of them for all that have a base in common, since it remembers the texts of that. */
export class Deltas {
  readonly #texts = new Map<object, string>();

  /** Undefined: one of the two is no plain object. */
  text(base: unknown, value: unknown, depth = DEPTH_MAX): string | undefined {
    if (!isPlain(base) || !isPlain(value)) return undefined;
    const [keys, before] = [Object.keys(value), Object.keys(base)];
    // Made alike, as most are: then nothing need be looked up by its name.
    const alike = keys.length === before.length && keys.every((key, at) => key === before[at]);
    const [values, others] = [Object.values(value), alike ? Object.values(base) : keys.map((key) => own(base, key))];
    let [set, within, gone] = ['', '', ''];
    for (let at = 0; at < keys.length; at += 1) {
      const [was, is] = [others[at], values[at]];
      if (is === was || is === undefined) continue;
      const key = keys[at] as string;
      if (typeof is === 'object' && is !== null && typeof was === 'object' && was !== null) {
        if (isEmptyList(is) && isEmptyList(was)) continue;
        const inner = depth > 1 ? this.text(was, is, depth - 1) : undefined;
        if (inner === NOTHING) continue;
        if (inner !== undefined) {
          within += `${within === '' ? '' : ','}${JSON.stringify(key)}:${inner}`;
          continue;
        }
      }
      const told = JSON.stringify(is);
      if (told === undefined || (typeof was === 'object' && was !== null && told === this.#textOf(was))) continue;
      set += `${set === '' ? '' : ','}${JSON.stringify(key)}:${told}`;
    }
    for (let at = 0; at < before.length; at += 1) {
      const key = before[at] as string;
      if (alike ? values[at] !== undefined : own(value, key) !== undefined) continue;
      if (base[key] !== undefined) gone += `${gone === '' ? '' : ','}${JSON.stringify(key)}`;
    }
    if (gone !== '') return `[{${set}},{${within}},[${gone}]]`;
    return within === '' ? `[{${set}}]` : `[{${set}},{${within}}]`;
  }

  #textOf(value: object): string {
    let text = this.#texts.get(value);
    if (text === undefined) {
      text = JSON.stringify(value);
      this.#texts.set(value, text);
    }
    return text;
  }
}

/** The value that the delta was made of. Throws where it is no delta, or none to this base. */
export function applied(base: Json | undefined, delta: Delta): Json {
  if (!isPlain(base) || !Array.isArray(delta)) throw new Error('a difference from nothing');
  const [set, within, gone] = delta;
  const value: Record<string, Json | undefined> = { ...(base as Fields), ...set };
  if (within !== undefined)
    for (const key of Object.keys(within))
      value[key] = applied(own(base, key) as Json | undefined, within[key] as Delta);
  return gone === undefined || gone.length === 0
    ? value
    : Object.fromEntries(Object.entries(value).filter(([key]) => !gone.includes(key)));
}

const isEmptyList = (value: object): boolean => Array.isArray(value) && value.length === 0;

/** What objects inherit is no field of theirs. */
const own = (value: Readonly<Record<string, unknown>>, key: string): unknown =>
  Object.hasOwn(value, key) ? value[key] : undefined;

/** Made by a literal or by JSON.parse, and told by JSON as its fields; one named `__proto__` could not be set. */
export function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return (
    (prototype === Object.prototype || prototype === null) && !('toJSON' in value) && !Object.hasOwn(value, '__proto__')
  );
}
