/**
 * A time zone: which offset from UTC is in force at a moment, read from a TZif file.
 * Source: RFC 8536, tzfile(5). Versions 1 to 4; the footer says what holds after the last change.
 *
 * Leap seconds ("right/" zones) are not counted: a minute has 60 seconds, as POSIX time has.
 */
import { type PosixZone, parsePosixZone } from './posix-zone.ts';

export interface LocalType {
  /** Seconds east of Greenwich. */
  readonly offset: number;
  /** Daylight-saving time, or what the zone's file calls so. */
  readonly daylight: boolean;
  /** `CET`, `+0545`. */
  readonly name: string;
}

export interface Zone {
  /** What holds at a moment, in seconds since 1970. */
  at(seconds: number): LocalType;
  /** Names of standard and of daylight-saving time nowadays, as tzname in tzset(3); empty: there is none. */
  readonly names: readonly [string, string];
  /** The clocks show UTC, and will. */
  readonly isUtc: boolean;
}

const UTC_TYPE: LocalType = { offset: 0, daylight: false, name: 'UTC' };

export const UTC: Zone = { at: () => UTC_TYPE, names: ['UTC', 'UTC'], isUtc: true };

const HEADER_LENGTH = 44;
/** More than any zone has; a file that claims more is refused. */
const COUNT_MAX = 20_000;

interface Counts {
  readonly leaps: number;
  readonly changes: number;
  readonly types: number;
  readonly letters: number;
  /** Bytes of the whole block after its header. */
  readonly length: number;
}

function countsAt(view: DataView, at: number, timeBytes: number): Counts | undefined {
  if (at + HEADER_LENGTH > view.byteLength || view.getUint32(at) !== 0x545a6966) return undefined;
  const [utc, standard, leaps, changes, types, letters] = [20, 24, 28, 32, 36, 40].map((place) =>
    view.getUint32(at + place),
  ) as [number, number, number, number, number, number];
  if (types === 0 || Math.max(utc, standard, leaps, changes, types, letters) > COUNT_MAX) return undefined;
  const length = changes * (timeBytes + 1) + types * 6 + letters + leaps * (timeBytes + 4) + standard + utc;
  return at + HEADER_LENGTH + length > view.byteLength ? undefined : { leaps, changes, types, letters, length };
}

/** Read a TZif file; undefined: it is not one. */
export function parseZoneFile(bytes: Uint8Array): Zone | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const old = countsAt(view, 0, 4);
  if (old === undefined) return undefined;
  if (bytes[4] === 0) return zoneOf(readBlock(view, HEADER_LENGTH, old, 4), undefined);
  const second = HEADER_LENGTH + old.length;
  const counts = countsAt(view, second, 8);
  if (counts === undefined) return undefined;
  const block = readBlock(view, second + HEADER_LENGTH, counts, 8);
  const footer = second + HEADER_LENGTH + counts.length;
  let rules = '';
  if (bytes[footer] === 10)
    for (let at = footer + 1; at < bytes.length && bytes[at] !== 10; at += 1)
      rules += String.fromCharCode(bytes[at] ?? 0);
  return zoneOf(block, parsePosixZone(rules));
}

interface Block {
  readonly moments: readonly number[];
  readonly kinds: readonly number[];
  readonly types: readonly LocalType[];
}

function readBlock(view: DataView, start: number, counts: Counts, timeBytes: 4 | 8): Block | undefined {
  const moments: number[] = [];
  const kinds: number[] = [];
  for (let index = 0; index < counts.changes; index += 1) {
    const at = start + index * timeBytes;
    moments.push(timeBytes === 4 ? view.getInt32(at) : view.getInt32(at) * 2 ** 32 + view.getUint32(at + 4));
  }
  let at = start + counts.changes * timeBytes;
  for (let index = 0; index < counts.changes; index += 1) kinds.push(view.getUint8(at + index));
  at += counts.changes;
  const letters = at + counts.types * 6;
  const types: LocalType[] = [];
  for (let index = 0; index < counts.types; index += 1, at += 6) {
    let name = '';
    for (let letter = view.getUint8(at + 5); letter < counts.letters; letter += 1) {
      const code = view.getUint8(letters + letter);
      if (code === 0) break;
      name += String.fromCharCode(code);
    }
    types.push({ offset: view.getInt32(at), daylight: view.getUint8(at + 4) !== 0, name });
  }
  return kinds.every((kind) => kind < types.length) ? { moments, kinds, types } : undefined;
}

function zoneOf(block: Block | undefined, rules: PosixZone | undefined): Zone | undefined {
  if (block === undefined) return undefined;
  const { moments, kinds, types } = block;
  const first = types.find((type) => !type.daylight) ?? types[0];
  const lastMoment = moments.at(-1);
  if (first === undefined) return undefined;
  const at = (seconds: number): LocalType => {
    if (lastMoment === undefined || seconds >= lastMoment) {
      if (rules !== undefined) return rules.at(seconds);
      return types[kinds.at(-1) ?? -1] ?? first;
    }
    // The last change that is not after the moment.
    let low = 0;
    let high = moments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((moments[middle] ?? 0) <= seconds) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? first : (types[kinds[low - 1] ?? 0] ?? first);
  };
  const standard = lastType(block, false)?.offset ?? first.offset;
  const daylight = lastType(block, true)?.offset ?? standard;
  return { at, names: namesOf(block), isUtc: standard === 0 && daylight === 0 };
}

function namesOf(block: Block): readonly [string, string] {
  const standard = lastType(block, false)?.name ?? '';
  const daylight = lastType(block, true)?.name ?? '';
  return [standard === '' ? daylight : standard, daylight === '' ? standard : daylight];
}

/** The type of this kind that came into force last; of those that never did, the first. */
function lastType({ kinds, types }: Block, daylight: boolean): LocalType | undefined {
  for (let index = kinds.length - 1; index >= 0; index -= 1) {
    const type = types[kinds[index] ?? 0];
    if (type !== undefined && type.daylight === daylight) return type;
  }
  return types.find((type) => type.daylight === daylight);
}
