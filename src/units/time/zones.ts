/**
 * Where time zones come from: /usr/share/zoneinfo by name, /etc/localtime or TZ for the local one.
 * Source: tzset(3), localtime(5).
 */
import type { FilePort } from '../../host/ports.ts';
import { type PosixZone, parsePosixZone } from './posix-zone.ts';
import { parseZoneFile, UTC, type Zone } from './zone.ts';

/** What is needed of files. */
export type ZoneFiles = Pick<FilePort, 'readBytes' | 'stat'>;

/** The zones of a machine. A zone is read once; `fresh` forgets them, after a change of zone. */
export interface Zones {
  readonly local: Zone;
  /** By its name in the IANA database; undefined: there is none. */
  named(name: string): Zone | undefined;
}

const DIRECTORY = '/usr/share/zoneinfo';
const LOCAL = '/etc/localtime';
const FILE_BYTES_MAX = 1024 * 1024;
/** Zones kept in memory; the machine has some 600, a set of units names a few. */
const KEPT_MAX = 64;
/** Letters, digits and `+-_`, in parts divided by single slashes. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*$/;
const NAME_LENGTH_MAX = 255;

function read(files: ZoneFiles, path: string): Zone | undefined {
  if (files.stat(path)?.kind !== 'file') return undefined;
  const bytes = files.readBytes(path, FILE_BYTES_MAX);
  return bytes === undefined ? undefined : parseZoneFile(bytes);
}

function zoneOfRules({ standard, daylight = standard, at }: PosixZone): Zone {
  return { at, names: [standard.name, daylight.name], isUtc: standard.offset === 0 && daylight.offset === 0 };
}

/**
 * The zones that these files hold. `tz` is the environment's TZ: a name, a path, `:` and one of them, or POSIX rules; what
 * cannot be understood is UTC, as in libc. Throws HostError where a file is there and cannot be read.
 */
export function zonesOf(files: ZoneFiles, tz?: string): Zones {
  const known = new Map<string, Zone | undefined>();
  let local: Zone | undefined;
  const named = (name: string): Zone | undefined => {
    if (name === 'UTC') return UTC;
    if (name.length > NAME_LENGTH_MAX || !NAME.test(name)) return undefined;
    if (!known.has(name)) {
      if (known.size >= KEPT_MAX) known.clear();
      known.set(name, read(files, `${DIRECTORY}/${name}`));
    }
    return known.get(name);
  };
  const findLocal = (): Zone => {
    if (tz === undefined) return read(files, LOCAL) ?? UTC;
    const wanted = tz.startsWith(':') ? tz.slice(1) : tz;
    if (wanted === '') return UTC;
    if (wanted.startsWith('/')) return read(files, wanted) ?? UTC;
    const found = named(wanted);
    if (found !== undefined) return found;
    const rules = parsePosixZone(wanted);
    return rules === undefined ? UTC : zoneOfRules(rules);
  };
  return {
    get local() {
      local ??= findLocal();
      return local;
    },
    named,
  };
}
