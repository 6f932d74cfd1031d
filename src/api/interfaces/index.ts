/** All interfaces, read once. A text that cannot be read is a bug, and stops core at start. */
import { type Interface, parseInterface } from '../idl.ts';
import { events } from './events.ts';
import { jobs } from './jobs.ts';
import { machines } from './machines.ts';
import { manager } from './manager.ts';
import { service } from './service.ts';
import { units } from './units.ts';

/** By name. */
export const interfaces: ReadonlyMap<string, Interface> = new Map(
  [service, manager, units, jobs, machines, events].map((text) => {
    const parsed = parseInterface(text);
    return [parsed.name, parsed];
  }),
);
