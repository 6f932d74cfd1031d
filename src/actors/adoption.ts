/**
 * Units that nobody remembers, by what is left of them: init's children, control groups in which something runs, PID files,
 * listeners and descriptors in init's store.
 */
import type { Hello, Host } from '../host/ports.ts';
import type { AdoptEvent } from '../machines/protocol.ts';
import type { Post } from '../supervisor/index.ts';
import type { Unit } from '../units/types.ts';
import { parseTag } from './names.ts';
import type { Noted, NotedUnit } from './notes.ts';
import { isNear } from './pid-files.ts';
import { guessMain, pidFilePath, readPidFile } from './processes.ts';
import type { Registry } from './registry.ts';

/** What shows that something of a unit lives, though nobody remembers the unit. */
interface Remains {
  readonly main?: AdoptEvent['main'];
  readonly control?: AdoptEvent['control'];
  readonly group: string | undefined;
  readonly fds: readonly number[];
  readonly listens: boolean;
}

type Adopted = Omit<AdoptEvent, 'atMs'>;

/** Load such units, and tell each what it has. */
export function adopt(hello: Hello, registry: Registry, host: Host, { units }: Noted): readonly Post[] {
  const found = remains(hello, host);
  const names = [...found.keys()].sort();
  if (names.length === 0) return [];
  const loaded = registry.load(names);
  // Sockets first, so that they hear of their services as of any that start.
  const sockets = names.filter((name) => found.get(name)?.listens === true);
  const adopted = [...sockets, ...names.filter((one) => !sockets.includes(one))].map((name) => ({
    to: `unit:${registry.graph.canonical(name)}`,
    event: { ...adoptEvent(host, registry.unit(name), found.get(name) as Remains, units.get(name)) },
  }));
  host.log.log('warning', { units: names, lost: LOST }, 'units are taken over by what is left of them');
  return [{ to: 'units', event: { type: 'load', names: loaded.map(({ name }) => name) } }, ...adopted];
}

/** What a unit is told whose own state cannot be used, while core has that of all others. */
export function adoptOne(host: Host, unit: Unit, { units }: Noted): readonly Adopted[] {
  // Nobody has listened to what became of it since.
  const children = host.hello.children.filter(
    ({ pid, startTime }) => host.process.inspect(pid)?.startTime === startTime,
  );
  const left = remains({ ...host.hello, children }, host).get(unit.name);
  const noted = units.get(unit.name);
  const still = noted === undefined ? undefined : asItWas(unit.name, noted);
  return [
    ...(left === undefined ? [] : [adoptEvent(host, unit, left, noted)]),
    ...(still === undefined ? [] : [still]),
  ];
}

/** What a unit of which nothing lives is told to be still; undefined: it is down. */
export function asItWas(unit: string, { active, sub, result, restarts }: NotedUnit): Adopted | undefined {
  const event = { type: 'adopt', populated: false, restarts } as const;
  if (active === 'failed') return { ...event, failed: result };
  const withoutProcess = sub === 'exited' || (active === 'active' && /\.(?:target|slice|path)$/.test(unit));
  return withoutProcess ? { ...event, over: true } : undefined;
}

function adoptEvent(host: Host, unit: Unit | undefined, left: Remains, noted: NotedUnit | undefined): Adopted {
  const { group, fds, control, main = mainIn(host, unit, group) } = left;
  const was = doing(noted);
  if (noted !== undefined && isLeftOver(host, noted.leftMs, group, [main, control])) {
    return {
      type: 'adopt',
      populated: true,
      restarts: noted.restarts,
      ...(group === undefined ? {} : { slice: sliceAt(group) }),
      ...(noted.active === 'failed' ? { failed: noted.result } : {}),
      left: { runs: Math.max(0, ...[main, control].map((process) => process?.run ?? 0)) },
    };
  }
  return {
    type: 'adopt',
    populated: group !== undefined || main !== undefined || control !== undefined,
    restarts: noted?.restarts ?? 0,
    ...(group === undefined ? {} : { slice: sliceAt(group) }),
    ...(main === undefined ? {} : { main }),
    ...(control === undefined ? {} : { control }),
    ...(fds.length === 0 ? {} : { fds }),
    ...(was === undefined ? {} : { was }),
    ...(was === 'stopping' && noted !== undefined ? { result: noted.result } : {}),
  };
}

/** A tick of the start times in /proc, in ms: USER_HZ is 100 wherever Linux runs now. */
const TICK_MS = 10;

/**
 * Is all of it older than the note that its unit was down? What init has started after that, with or without a note of it, is not; nor
 * is what started within the same tick.
 */
function isLeftOver(
  host: Host,
  leftMs: number | undefined,
  group: string | undefined,
  processes: readonly ({ readonly startTime: number } | undefined)[],
): boolean {
  if (leftMs === undefined) return false;
  const members = group === undefined ? [] : host.groups.processes(group).map((pid) => host.process.inspect(pid));
  const times = [...processes, ...members].flatMap((process) => (process === undefined ? [] : [process.startTime]));
  return times.length > 0 && times.every((startTime) => startTime < Math.floor(leftMs / TICK_MS));
}

function doing(noted: NotedUnit | undefined): AdoptEvent['was'] {
  if (noted?.active === 'deactivating') return 'stopping';
  return noted?.active === 'activating' && noted.sub === 'start' ? 'starting' : undefined;
}

function remains({ children, fds }: Hello, host: Host): ReadonlyMap<string, Remains> {
  const found = new Map<string, { -readonly [Key in keyof Remains]: Remains[Key] }>();
  const of = (name: string) => {
    const known = found.get(name) ?? { group: undefined, fds: [], listens: false };
    found.set(name, known);
    return known;
  };
  for (const { tag: text, pid, startTime, serial } of children) {
    const tag = parseTag(text);
    if (tag === undefined) continue;
    const { unit, role, number: run, place } = tag;
    const process = { pid, startTime, run, serial };
    if (role === 'main') of(unit).main = { ...process, ...(place === undefined ? {} : { index: place.index }) };
    // Of several the last one is followed; the others were let go.
    else if (role === 'control' && place !== undefined && unit.endsWith('.service')) {
      const { control } = of(unit);
      if (control === undefined || control.run < run) of(unit).control = { ...process, ...place };
    }
  }
  for (const { unit, path } of populatedGroups(host, '', SLICES_DEEP)) of(unit).group = path;
  for (const name of fds) {
    const [, kind, unit = '', key] = /^(listen|fdstore):(.+):(\d+)$/.exec(name) ?? [];
    if (kind === 'listen') of(unit).listens = true;
    else if (kind === 'fdstore') of(unit).fds = [...of(unit).fds, Number(key)];
  }
  return found;
}

/** What only the checkpoint knew. */
export const LOST =
  'jobs in flight, how much of time limits had passed, start limits, status texts, names of stored descriptors';

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
