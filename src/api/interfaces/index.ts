/** All interfaces, each read when it is asked for the first time: of a core that has just come back a client wants one. */
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

/** A text that cannot be read, or that has another name, is a bug; a test reads them all. */
const TEXTS: Readonly<Record<string, string>> = {
  'org.varlink.service': service,
  'io.sysmaster.Manager': manager,
  'io.sysmaster.Units': units,
  'io.sysmaster.Jobs': jobs,
  'io.sysmaster.Snapshots': snapshots,
  'io.sysmaster.Machines': machines,
  'io.sysmaster.Events': events,
  'io.sysmaster.Insight': insight,
  'io.sysmaster.Recorder': recorder,
  'io.sysmaster.Chaos': chaos,
};

const known = new Map<string, Interface>();

/** Names of all interfaces. */
export const interfaceNames = (): readonly string[] => Object.keys(TEXTS);

/** The interface of this name; undefined: there is none. */
export function interfaceOf(name: string): Interface | undefined {
  const read = known.get(name);
  if (read !== undefined || !Object.hasOwn(TEXTS, name)) return read;
  const parsed = parseInterface(TEXTS[name] as string);
  known.set(name, parsed);
  return parsed;
}
