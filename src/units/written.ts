/** The settings of a unit as they are written, by key. */
import type { Unit } from './types.ts';

type Written = Unit['raw'][string][number];

/**
 * Adds one. Keys come from files, so those that every object knows (`constructor`) are looked up as its own only, and
 * `__proto__`, which no table and no extension has, is not kept: assigning it would change the object itself.
 */
export function addWritten(raw: Record<string, Written[]>, written: Written): void {
  const { key } = written;
  if (key === '__proto__') return;
  if (Object.hasOwn(raw, key)) raw[key]!.push(written);
  else raw[key] = [written];
}
