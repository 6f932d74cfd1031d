/**
 * The chart of a user as a {@link Logic}: what it makes is plain JSON from the moment that it is made, or the step has failed.
 *
 * Core's own charts are known to keep to that. One of a user's may put anything into its context: what JSON has no form for would be
 * another thing after a restart of core, what tells its fields itself (getters, proxies, toJSON) would run while an image is made of
 * everybody's state, and a context that grows with each event would fill the checkpoint. So each field that a step has changed, and what its
 * effects are asked with, is looked at, copied as JSON, and frozen: the last good snapshot stays what it was, whatever the chart does next.
 */
import type { AnyMachineSnapshot } from 'xstate';
import type { ActorEvent, Effect, Json, Logic, Step } from './actor.ts';

/** Characters of one field of the context, or of one effect's params, as JSON; and fields. */
const FIELD_CHARS_MAX = 256 * 1024;
const FIELDS_MAX = 256;
/** Objects in objects; what contains itself is deeper. */
const DEPTH_MAX = 64;

type Snapshot = AnyMachineSnapshot;

/** The same logic, held to plain data. */
export function foreignLogic(logic: Logic<Snapshot>): Logic<Snapshot> {
  return {
    ...logic,
    initial: (input) => made(undefined, logic.initial(input)),
    step: (snapshot, event) => made(snapshot, logic.step(snapshot, frozen(event) as ActorEvent)),
    load(saved, version) {
      const snapshot = logic.load(saved, version);
      frozen(snapshot.context);
      return snapshot;
    },
  };
}

function made(before: Snapshot | undefined, { snapshot, effects }: Step<Snapshot>): Step<Snapshot> {
  const context = before?.context === snapshot.context ? snapshot.context : plainContext(before, snapshot);
  return {
    snapshot: context === snapshot.context ? snapshot : ({ ...snapshot, context } as Snapshot),
    effects: effects.map(plainEffect),
  };
}

function plainContext(before: Snapshot | undefined, after: Snapshot): Snapshot['context'] {
  const was: Readonly<Record<string, unknown>> = before?.context ?? {};
  const keys = Object.keys(after.context);
  if (keys.length > FIELDS_MAX) throw new Error(`context has ${keys.length} fields, more than ${FIELDS_MAX}`);
  const plain = keys.map((key) => {
    const value: unknown = fieldOf(after.context, key, 'context');
    return [key, Object.hasOwn(was, key) && was[key] === value ? value : plainCopy(value, `context.${key}`)] as const;
  });
  return Object.freeze(Object.fromEntries(plain));
}

const plainEffect = (effect: Effect): Effect =>
  effect.params === undefined
    ? effect
    : { ...effect, params: plainCopy(effect.params, `params of ${effect.type}`) as Json };

/** The same as JSON has it, frozen. Throws where it has no form there that reads back to the same, or too long a one. */
function plainCopy(value: unknown, at: string): unknown {
  checkPlain(value, at, DEPTH_MAX);
  if (typeof value !== 'object' || value === null) {
    if (typeof value === 'string') checkLength(value, at);
    return value;
  }
  const text = JSON.stringify(value);
  checkLength(text, at);
  return frozen(JSON.parse(text));
}

function checkLength(text: string, at: string): void {
  if (text.length > FIELD_CHARS_MAX)
    throw new Error(`${at} has ${text.length} characters, more than ${FIELD_CHARS_MAX}`);
}

function checkPlain(value: unknown, at: string, left: number): void {
  if (value === undefined || value === null || typeof value === 'string' || typeof value === 'boolean') return;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Error(`${at} is not plain JSON: ${value}`);
    return;
  }
  if (typeof value !== 'object') throw new Error(`${at} is not plain JSON: a ${typeof value}`);
  if (left === 0) throw new Error(`${at} is not plain JSON: it contains itself, or is too deep`);
  if (Array.isArray(value)) {
    if (value.length > FIELD_CHARS_MAX)
      throw new Error(`${at} has ${value.length} items, more than ${FIELD_CHARS_MAX}`);
    for (let index = 0; index < value.length; index += 1) {
      const item = fieldOf(value, String(index), at);
      if (item === undefined) throw new Error(`${at}[${index}] is not plain JSON: undefined`);
      checkPlain(item, `${at}[${index}]`, left - 1);
    }
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  // Plugins have an Object of their own, so it is known by having nothing above it.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
    throw new Error(`${at} is not plain JSON: neither a list nor a plain object`);
  for (const key of Object.keys(value)) checkPlain(fieldOf(value, key, at), `${at}.${key}`, left - 1);
}

/** One that is there as data, and not made by a getter. */
function fieldOf(value: object, key: string, at: string): unknown {
  const field = Object.getOwnPropertyDescriptor(value, key);
  if (field !== undefined && !('value' in field)) throw new Error(`${at}.${key} is not plain JSON: it has a getter`);
  return field?.value;
}

/** With all that it holds, as far as plain data goes: there are no rings. */
function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) frozen(inner);
  return value;
}
