/** Every method with its handler, by full name. A handler sees parameters that fit the interface. */
import type { Handler } from '../session.ts';
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

const families: Readonly<Record<string, Readonly<Record<string, Handler>>>> = {
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

export const handlers: ReadonlyMap<string, Handler> = new Map(
  Object.entries(families).flatMap(([at, methods]) =>
    Object.entries(methods).map(([name, handler]): [string, Handler] => [`${at}.${name}`, handler]),
  ),
);
