/** What the actors ask of the loaded units. Implemented by src/actors/registry.ts over src/units. */
import { linkageOf } from '../units/linkage.ts';
import type { Unit } from '../units/types.ts';

export interface UnitWorld {
  /** By main name or alias; undefined: not in memory. */
  unit(name: string): Unit | undefined;
  /** The socket units whose descriptors a service gets: those that trigger it, and Sockets=; sorted. */
  socketsOf(service: string): readonly string[];
  /** The path units that trigger a unit; sorted. */
  pathsOf(unit: string): readonly string[];
  /** The unit that a socket or path unit triggers. */
  serviceOf(trigger: string): string;
}

/** The settings of systemd.exec(5) of a unit that has processes; undefined: it has none. */
export const execSettings = (unit: Unit) => unit.service ?? unit.socket ?? unit.mount ?? unit.swap;

/** The slice a unit is in; empty: it has none (targets, devices), and its control group, if any, is at the root. */
export function sliceOf(unit: Unit): string {
  const { kinds, others } = linkageOf(unit);
  return others[kinds.indexOf('InSlice')] ?? '';
}
