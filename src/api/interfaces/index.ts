/** All interfaces, read once, when the first client asks: no unit waits for that. */
import { type Interface, parseInterface } from '../idl.ts';
import { chaos } from './chaos.ts';
import { events } from './events.ts';
import { insight } from './insight.ts';
import { jobs } from './jobs.ts';
import { machines } from './machines.ts';
import { manager } from './manager.ts';
import { recorder } from './recorder.ts';
import { service } from './service.ts';
import { snapshots } from './snapshots.ts';
import { units } from './units.ts';

let known: ReadonlyMap<string, Interface> | undefined;

/** By name. A text that cannot be read is a bug; a test reads them all. */
export function interfaces(): ReadonlyMap<string, Interface> {
  known ??= new Map(
    [service, manager, units, jobs, snapshots, machines, events, insight, recorder, chaos].map((text) => {
      const parsed = parseInterface(text);
      return [parsed.name, parsed];
    }),
  );
  return known;
}
