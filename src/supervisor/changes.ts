/**
 * What is new in an object beside the one before it, as plain JSON: its fields, and of lists in it the elements.
 *
 * A step of an actor shares with the state before it whatever it has not touched, so what is the same object has not changed and is not
 * looked into. A list of a thousand outcomes of which one is new is told by that one: told as a whole at each step, a request of a
 * thousand units would write a million of them.
 */
import type { Json } from './actor.ts';

/** `c` holds new values of fields, `x` the names of those that are gone, `l` the changes of those that are lists. */
export interface FieldsChange {
  readonly c?: Fields;
  readonly x?: readonly string[];
  readonly l?: Readonly<Record<string, ListChange>>;
}

/** From an element on so many are gone, and these have come; or that one element has changed. */
export type ListChange =
  | readonly [at: number, gone: number, fresh: readonly Json[]]
  | readonly [at: number, change: FieldsChange];

export type Fields = { readonly [key: string]: Json | undefined };

/** Both plain JSON. */
export function fieldsChange(before: Fields, after: Fields): FieldsChange {
  const gone = Object.keys(before).filter((key) => !Object.hasOwn(after, key));
  const set: Record<string, Json | undefined> = {};
  const lists: Record<string, ListChange> = {};
  for (const key of Object.keys(after)) {
    const [was, is] = [before[key], after[key]];
    if (was === is) continue;
    // JSON drops fields that are undefined: for one who reads it they are gone.
    if (is === undefined) gone.push(key);
    else if (Array.isArray(was) && Array.isArray(is) && was.length > 0) lists[key] = listChange(was, is);
    else set[key] = is;
  }
  return {
    ...(Object.keys(set).length > 0 ? { c: set } : {}),
    ...(gone.length > 0 ? { x: gone } : {}),
    ...(Object.keys(lists).length > 0 ? { l: lists } : {}),
  };
}

function listChange(before: readonly Json[], after: readonly Json[]): ListChange {
  const most = Math.min(before.length, after.length);
  let head = 0;
  while (head < most && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < most - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail += 1;
  const gone = before.length - head - tail;
  const fresh = after.slice(head, after.length - tail);
  const [was, is] = [before[head], fresh[0]];
  if (gone === 1 && fresh.length === 1 && isObject(was) && isObject(is)) return [head, fieldsChange(was, is)];
  return [head, gone, fresh];
}

const isObject = (value: Json | undefined): value is { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The object after it; `before` is not changed. Throws where it is no change of that. */
export function withChange(before: Fields, { c, x = [], l = {} }: FieldsChange): Fields {
  const value: Record<string, Json | undefined> = { ...before, ...c };
  for (const key of x) delete value[key];
  for (const key of Object.keys(l)) value[key] = changedList(before[key], l[key] as ListChange);
  return value;
}

function changedList(before: Json | undefined, change: ListChange): Json {
  if (!Array.isArray(before)) throw new Error('a change of a list that is not there');
  const [at] = change;
  if (change.length === 3) return [...before.slice(0, at), ...change[2], ...before.slice(at + change[1])];
  const element = before[at] as Json | undefined;
  if (!isObject(element)) throw new Error('a change of an element that is not there');
  return before.with(at, withChange(element, change[1]) as Json);
}
