/**
 * Snapshots: which units were active, enabled and masked at a moment, with which settings; and the way back to it.
 *
 * A snapshot is plain JSON with a version and the machine it was made on. It holds no unit files: where the settings of a unit are
 * others now, that is said, and the unit is brought to its state with the settings it has.
 *
 *     was up, is down                     start
 *     was down (or not there), is up      stop
 *     was enabled, is not                 enable        was not, is        disable
 *     was masked, is not                  mask          was not, is        unmask
 *
 * What cannot be brought back (a unit that is gone, other settings) is said.
 */
import { bothWays } from './inverse.ts';
import { ACTIVE_STATES, type ActiveState, type JobGraph, type JobRequest } from './types.ts';
import { isUpOrComing } from './verbs.ts';

export interface SnapshotUnit {
  readonly active: ActiveState;
  readonly sub: string;
  readonly load: string;
  /** State of its unit file (systemctl(1), is-enabled); empty: it has none. */
  readonly file: string;
  /** SHA-256 of its settings; empty: it has none. */
  readonly settings: string;
}

export interface Snapshot {
  readonly format: 'sysmaster-snapshot';
  readonly version: 1;
  readonly name: string;
  /** CLOCK_REALTIME in µs. */
  readonly madeUs: number;
  readonly by: string;
  readonly machineId: string;
  readonly bootId: string;
  readonly defaultTarget: string;
  /** By unit, sorted: all that were in memory or have a unit file. */
  readonly units: Readonly<Record<string, SnapshotUnit>>;
}

/** A change of unit files; `runtime`: until the next boot only. */
export interface FileChange {
  readonly verb: 'enable' | 'disable' | 'mask' | 'unmask';
  readonly unit: string;
  readonly runtime: boolean;
}

export interface Restoring {
  /** Undefined: every unit is where it is to be. */
  readonly request: JobRequest | undefined;
  /** In the order in which they are to be made. */
  readonly files: readonly FileChange[];
  readonly notes: readonly string[];
}

/** What a snapshot may be called: it is the name of a file. `now` is the present, and no snapshot. */
export const isSnapshotName = (name: string) => /^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$/.test(name) && name !== 'now';

/** Longest text of a snapshot that is read, in characters. */
export const MAX_SNAPSHOT = 16 << 20;

const STATES: ReadonlySet<unknown> = new Set(ACTIVE_STATES);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A saved snapshot, or why the text is none. */
export function readSnapshot(text: string): Snapshot | string {
  if (text.length > MAX_SNAPSHOT) return `it is longer than ${MAX_SNAPSHOT} characters`;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'it is not JSON';
  }
  if (!isObject(value) || value['format'] !== 'sysmaster-snapshot') return 'it is not a snapshot';
  if (value['version'] !== 1) return `it has version ${JSON.stringify(value['version'])}, and this is version 1`;
  for (const field of ['name', 'by', 'machineId', 'bootId', 'defaultTarget'])
    if (typeof value[field] !== 'string') return `its ${field} is not a string`;
  if (typeof value['madeUs'] !== 'number') return 'its madeUs is not a number';
  if (!isObject(value['units'])) return 'it has no units';
  for (const [unit, state] of Object.entries(value['units'])) {
    const fields = ['active', 'sub', 'load', 'file', 'settings'];
    if (!isObject(state) || fields.some((field) => typeof state[field] !== 'string'))
      return `what it says of ${unit} is not complete`;
    if (!STATES.has(state['active'])) return `${unit} cannot have been ${JSON.stringify(state['active']).slice(0, 40)}`;
  }
  return value as unknown as Snapshot;
}

/** Types that follow from others or from the kernel: a snapshot shows them, and never starts or stops them. */
const FOLLOWERS: ReadonlySet<string> = new Set(['slice', 'scope', 'device']);
const typeOf = (unit: string) => unit.slice(unit.lastIndexOf('.') + 1);

const isMasked = (file: string) => file === 'masked' || file === 'masked-runtime';
const isEnabled = (file: string) => file === 'enabled' || file === 'enabled-runtime';
const isRuntime = (file: string) => file.endsWith('-runtime');

/** What leads from `now` back to `then`. */
export function restoring(then: Snapshot, now: Snapshot, graph: JobGraph, by: string): Restoring {
  const starts: string[] = [];
  const stops: string[] = [];
  const notes: string[] = [];
  for (const unit of bothUnits(then, now)) {
    const [was, is] = [then.units[unit], now.units[unit]];
    const [up, isNowUp] = [was !== undefined && isUpOrComing(was.active), is !== undefined && isUpOrComing(is.active)];
    // Behind a mask there are no settings.
    const masks = [was, is].some((one) => one !== undefined && isMasked(one.file));
    if (was !== undefined && is !== undefined && was.settings !== is.settings && (up || isNowUp) && !masks) {
      const hashes = `${was.settings.slice(0, 12) || 'none'}, now ${is.settings.slice(0, 12) || 'none'}`;
      notes.push(`${unit}: its settings are others than in the snapshot (${hashes}); unit files are not restored`);
    }
    if (up === isNowUp || FOLLOWERS.has(typeOf(unit))) continue;
    const facts = graph.facts(unit);
    if (up) {
      if (is === undefined) notes.push(`${unit}: was ${was?.active}, and there is no such unit any more`);
      else if (facts?.canStart === false) notes.push(`${unit}: was ${was?.active}, and nobody can start it`);
      else starts.push(unit);
    } else if (facts?.perpetual !== true && facts?.canStop !== false) stops.push(unit);
  }
  const title = `snapshot ${then.name}`;
  return { request: bothWays(starts, stops, by, title), files: fileChanges(then, now), notes };
}

/** A unit without a file is neither enabled nor masked. */
function fileChanges(then: Snapshot, now: Snapshot): FileChange[] {
  const changes: Record<FileChange['verb'], FileChange[]> = { unmask: [], disable: [], enable: [], mask: [] };
  const add = (verb: FileChange['verb'], unit: string, file: string) =>
    changes[verb].push({ verb, unit, runtime: isRuntime(file) });
  for (const unit of bothUnits(then, now)) {
    const [was, is] = [then.units[unit]?.file ?? '', now.units[unit]?.file ?? ''];
    if (was === is) continue;
    if (isMasked(is)) add('unmask', unit, is);
    if (isMasked(was)) {
      add('mask', unit, was);
      continue;
    }
    if (isEnabled(is)) add('disable', unit, is);
    // What is behind a mask is not known, so an enabled unit is enabled once more.
    if (isEnabled(was)) add('enable', unit, was);
  }
  return [...changes.unmask, ...changes.disable, ...changes.enable, ...changes.mask];
}

const bothUnits = (then: Snapshot, now: Snapshot) =>
  [...new Set([...Object.keys(then.units), ...Object.keys(now.units)])].sort();
