/**
 * From what a clock on the wall shows to a moment, in a zone where clocks are changed.
 *
 * A reading may stand for no moment (the clocks went forward over it), for one, or for several (they went back). The search
 * assumes an offset, looks which one is in force at the moment that this gives, and goes on from there until both agree;
 * it begins with the offset found last, so that a series of readings stays on one side of a change. systemd's answers come
 * from libc's mktime(3), which does the same; test/conformance holds the two against each other.
 */
import { type Wall, wallOf, wallSeconds } from './civil.ts';
import type { LocalType, Zone } from './zone.ts';

/** Daylight-saving time is asked for (1), refused (0), or left open (-1): tm_isdst. */
export type WantedDst = -1 | 0 | 1;

export interface Clock {
  /** What the clock shows at a moment, in seconds since 1970. */
  show(seconds: number): Wall;
  /** The kind of time in force at a moment; -1 in a clock without kinds. */
  kind(seconds: number): WantedDst;
  /**
   * The moment of a reading, in seconds since 1970. In a gap, the reading is taken by the clock before or after it, so that
   * what is shown then differs; undefined: no moment was found.
   */
  moment(wall: Wall, wanted: WantedDst): number | undefined;
}

const PROBES_MAX = 6;
/** How far around a moment the wanted kind of time is looked for, and in which steps (a week less an hour: no period of either kind is shorter). */
const STRIDE_SECONDS = 601_200;
const STRIDES_MAX = 447;
/** What daylight-saving time is taken for where none is near. */
const USUAL_DST_SECONDS = 3600;

export const utcClock: Clock = { show: wallOf, kind: () => -1, moment: wallSeconds };

/**
 * A clock in a zone, whose first search begins with `firstOffset` (seconds east of Greenwich). It remembers the last one:
 * make a clock for each calculation.
 */
export function clockIn(zone: Zone, firstOffset: number): Clock {
  let lastOffset = firstOffset;

  const otherKind = (reading: number, near: number, wanted: boolean): number => {
    for (let stride = 1; stride <= STRIDES_MAX; stride += 1)
      for (const direction of [-1, 1]) {
        const there = zone.at(near + direction * stride * STRIDE_SECONDS);
        if (there.daylight === wanted) return reading - there.offset;
      }
    return near + (wanted ? -USUAL_DST_SECONDS : USUAL_DST_SECONDS);
  };

  const search = (reading: number, wanted: WantedDst): number | undefined => {
    const tried: { readonly offset: number; readonly found: LocalType }[] = [];
    let offset = lastOffset;
    for (let probe = 0; probe < PROBES_MAX; probe += 1) {
      const found = zone.at(reading - offset);
      if (found.offset === offset)
        return wanted === -1 || found.daylight === (wanted === 1)
          ? reading - offset
          : otherKind(reading, reading - offset, wanted === 1);
      const before = tried.at(-1);
      const again = tried.at(-2);
      // Two offsets in turn: the reading lies in a gap. Of the two moments the one with the other kind of time is taken.
      if (again?.offset === offset && before !== undefined && before.offset !== offset) {
        const fits = wanted === -1 ? found.daylight || !before.found.daylight : found.daylight !== (wanted === 1);
        if (fits) return reading - offset;
      }
      tried.push({ offset, found });
      offset = found.offset;
    }
    return undefined;
  };

  return {
    show: (seconds) => wallOf(seconds + zone.at(seconds).offset),
    kind: (seconds) => (zone.at(seconds).daylight ? 1 : 0),
    moment(wall, wanted) {
      const reading = wallSeconds(wall);
      const seconds = search(reading, wanted);
      if (seconds !== undefined) lastOffset = reading - seconds;
      return seconds;
    },
  };
}
