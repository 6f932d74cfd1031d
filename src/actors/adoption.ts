/**
 * Units that nobody remembers, by what is left of them: init's children, control groups in which something runs, PID files,
 * listeners and descriptors in init's store.
 */
import type { Host } from '../host/ports.ts';
import type { AdoptEvent } from '../machines/protocol.ts';
import type { Post, RecoveryView } from '../supervisor/index.ts';
import type { Unit } from '../units/types.ts';
import { parseTag } from './names.ts';
import type { Noted } from './notes.ts';
import { isNear } from './pid-files.ts';
import { guessMain, pidFilePath, readPidFile } from './processes.ts';
import { type Registry, specOf } from './registry.ts';

/** What shows that something of a unit lives, though nobody remembers the unit. */
interface Remains {
  readonly main?: AdoptEvent['main'];
  readonly group: string | undefined;
  readonly fds: readonly number[];
  readonly listens: boolean;
}

/** Load such units, and tell each what it has. */
export function adopt(view: RecoveryView, registry: Registry, host: Host, { units }: Noted): readonly Post[] {
  const found = new Map<string, { -readonly [Key in keyof Remains]: Remains[Key] }>();
  const of = (name: string) => {
    const known = found.get(name) ?? { group: undefined, fds: [], listens: false };
    found.set(name, known);
    return known;
  };
  for (const { tag: text, pid, startTime, serial } of view.hello.children) {
    const tag = parseTag(text);
    if (tag?.role === 'main') of(tag.unit).main = { pid, startTime, run: tag.number, serial };
  }
  for (const { unit, path } of populatedGroups(host, '', SLICES_DEEP)) of(unit).group = path;
  for (const name of view.hello.fds) {
    const [, kind, unit = '', key] = /^(listen|fdstore):(.+):(\d+)$/.exec(name) ?? [];
    if (kind === 'listen') of(unit).listens = true;
    else if (kind === 'fdstore') of(unit).fds = [...of(unit).fds, Number(key)];
  }
  const names = [...found.keys()].sort();
  if (names.length === 0) return [];
  const loaded = registry.load(names);
  const adopted: Post[] = [];
  // Sockets first, so that they hear of their services as of any that start.
  const sockets = names.filter((name) => found.get(name)?.listens === true);
  for (const name of [...sockets, ...names.filter((one) => !sockets.includes(one))]) {
    const { group, fds, main = mainIn(host, registry.unit(name), group) } = found.get(name) as Remains;
    const restarts = units.get(name)?.restarts ?? 0;
    const populated = group !== undefined || main !== undefined;
    const event = { type: 'adopt', populated, restarts, ...(group === undefined ? {} : { slice: sliceAt(group) }) };
    adopted.push({
      to: `unit:${registry.graph.canonical(name)}`,
      event: { ...event, ...(main === undefined ? {} : { main }), ...(fds.length === 0 ? {} : { fds }) },
    });
  }
  host.log.log('warning', { units: names, lost: LOST }, 'units are taken over by what is left of them');
  return [{ to: 'units', event: { type: 'load', specs: loaded.map(specOf) } }, ...adopted];
}

/** What only the checkpoint knew. */
export const LOST =
  'jobs in flight, start limits, status texts, names of stored descriptors, how far commands before and after the main process had come';

/** The slice whose group this unit's is in; init's root is that of the root slice. */
const sliceAt = (group: string): string => group.split('/').at(-2) ?? '-.slice';

/** How deep slices are looked into. */
const SLICES_DEEP = 16;

/** Groups of services in which something runs. */
function* populatedGroups(host: Host, below: string, deep: number): Generator<{ unit: string; path: string }> {
  if (!host.groups.available) return;
  for (const name of host.groups.children(below)) {
    const path = below === '' ? name : `${below}/${name}`;
    if (name.endsWith('.service') && host.groups.populated(path)) yield { unit: name, path };
    else if (name.endsWith('.slice') && deep > 0) yield* populatedGroups(host, path, deep - 1);
  }
}

/** The main process of a daemon that init has not made: as at its start, by its PID file or by being the only one. */
function mainIn(host: Host, unit: Unit | undefined, group: string | undefined): Remains['main'] {
  const service = unit?.service;
  if (service === undefined || group === undefined || service.Type !== 'forking') return undefined;
  const main =
    service.PIDFile !== '' && isNear(pidFilePath(service.PIDFile))
      ? readPidFile(host, service.PIDFile, group)
      : guessMain(host, host.groups.processes(group));
  return main === undefined ? undefined : { ...main, run: 0, serial: null };
}
