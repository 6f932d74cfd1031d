/**
 * When a calendar event comes next.
 *
 * A wall clock is turned forward, field by field from the year to the second: each field to its next value that the event
 * has, those below back to their least. Where a field has no value left the one above it goes on by one. After each turn the
 * reading is held against the zone: one that the clocks skip is moved past the gap and looked at from there, so an event at
 * 02:30 does not come on the day that has no 02:30; one that would lead back is passed over.
 * The search is bounded by the year 2199 and a number of turns.
 */
import { type Calendar, type Parts, SECOND_US, YEAR_MAX } from './calendar.ts';
import { dayNumber, daysInMonth, type Wall, wallSeconds, weekdayOf } from './civil.ts';
import { type Clock, clockIn, utcClock, type WantedDst } from './clock.ts';
import type { Zones } from './zones.ts';

/** What comes: a moment in µs since 1970; never again; or no answer within the bound of the search. */
export type Elapse = number | 'never' | 'endless';

/** A date that never comes, such as 31 April, costs some turns for each year up to the last. */
const TURNS_MAX = 10_000;
/** The end of the year 9999, in µs. */
const MOMENT_MAX_US = 253_402_214_399 * SECOND_US;

/** Year, month, day, hour, minute, microseconds of the minute. */
type Reading = [number, number, number, number, number, number];
const LEAST: Readonly<Reading> = [0, 1, 1, 0, 0, 0];
const DAY = 2;
const MINUTE = 4;
const MICRO = 5;

const wallFrom = ([year, month, day, hour, minute, us]: Readonly<Reading>): Wall => {
  const second = Math.floor(us / SECOND_US);
  return { year, month, day, hour, minute, second };
};

const readingFrom = (wall: Wall, us: number): Reading => [
  wall.year,
  wall.month,
  wall.day,
  wall.hour,
  wall.minute,
  wall.second * SECOND_US + us,
];

/** The least value of the field that is not below `value`; undefined: there is none. */
function nextValue(parts: Parts, value: number, lastDay: number | undefined): number | undefined {
  if (parts === undefined) return value;
  let least: number | undefined;
  const offer = (found: number) => {
    if (least === undefined || found < least) least = found;
  };
  for (const part of parts) {
    let { start, stop } = part;
    if (lastDay !== undefined) {
      start = lastDay + 1 - start;
      // Counted from the end, a range goes from its far end to the near one.
      if (stop > 0) [start, stop] = [lastDay + 1 - stop, start];
    }
    if (start >= value) offer(start);
    else if (part.step > 0) {
      const found = start + Math.ceil((value - start) / part.step) * part.step;
      if (stop < 0 || found <= stop) offer(found);
    }
  }
  return least;
}

/**
 * How a reading stands to the zone after `field` was set: it is shown at some moment; the search goes on from where it would be
 * shown (the clocks skip it, or the field has run over its end so far that the one above begins anew); or it is passed over.
 */
function place(reading: Reading, field: number, clock: Clock, dst: WantedDst): 'fits' | 'onward' | 'passed' {
  if (reading[0] > YEAR_MAX) return 'passed';
  const seconds = clock.moment(wallFrom(reading), dst);
  if (seconds === undefined || seconds < 0) return 'passed';
  const shown = readingFrom(clock.show(seconds), reading[MICRO] % SECOND_US);
  const first = shown.findIndex((value, index) => value !== reading[index]);
  if (first < 0) return 'fits';
  if ((shown[first] ?? 0) < (reading[first] ?? 0)) return 'passed';
  const above = field - 1;
  return field === MINUTE || (shown[above] ?? 0) > (reading[above] ?? 0) ? 'passed' : 'onward';
}

/** Step a field on by one, with those below at their least. */
function carry(reading: Reading, field: number): void {
  reading[field] = (reading[field] ?? 0) + 1;
  for (let below = field + 1; below < reading.length; below += 1) reading[below] = LEAST[below] ?? 0;
}

/** The first moment after `afterUs` (µs since 1970) at which the event comes. */
export function nextElapse(calendar: Calendar, afterUs: number, zones: Zones): Elapse {
  if (afterUs > MOMENT_MAX_US) return 'never';
  const { zone } = calendar;
  const fromUs = Math.floor(afterUs) + 1;
  const fromSeconds = Math.floor(fromUs / SECOND_US);
  const found = zone.kind === 'named' ? zones.named(zone.name) : zones.local;
  if (found === undefined) return 'never';
  const clock = zone.kind === 'utc' ? utcClock : clockIn(found, found.at(fromSeconds).offset);
  const dst = zone.kind === 'local' ? zone.dst : -1;
  const reading = readingFrom(clock.show(fromSeconds), fromUs - fromSeconds * SECOND_US);
  const fields: readonly Parts[] = [
    calendar.year,
    calendar.month,
    calendar.day,
    calendar.hour,
    calendar.minute,
    calendar.second,
  ];
  turns: for (let turn = 0; turn < TURNS_MAX; turn += 1) {
    if (turn > 0) settle(reading, clock, dst);
    for (const [field, parts] of fields.entries()) {
      const now = reading[field] ?? 0;
      const lastDay = field === DAY && calendar.fromEnd ? daysInMonth(reading[0], reading[1]) : undefined;
      const value = nextValue(parts, now, lastDay);
      if (value === undefined && field === 0) return 'never';
      if (value !== undefined && value !== now) {
        reading[field] = value;
        for (let below = field + 1; below < reading.length; below += 1) reading[below] = LEAST[below] ?? 0;
      }
      const placed = value === undefined ? 'passed' : place(reading, field, clock, dst);
      if (field === 0 && placed !== 'fits') return 'never';
      if (placed === 'passed') carry(reading, field - 1);
      if (placed !== 'fits') continue turns;
      if (field === DAY && calendar.weekdays !== undefined) {
        const weekday = weekdayOf(dayNumber(reading[0], reading[1], reading[DAY]));
        if ((calendar.weekdays & (1 << weekday)) === 0) {
          carry(reading, DAY);
          continue turns;
        }
      }
    }
    const seconds = clock.moment(wallFrom(reading), dst);
    return seconds === undefined || seconds < 0 ? 'never' : seconds * SECOND_US + (reading[MICRO] % SECOND_US);
  }
  return 'endless';
}

/** Bring the fields into their ranges, and a reading that the clocks skip to one that is shown: behind the gap, never before it. */
function settle(reading: Reading, clock: Clock, dst: WantedDst): void {
  const seconds = clock.moment(wallFrom(reading), dst);
  if (seconds === undefined) return;
  const wanted = wallSeconds(wallFrom(reading));
  const shown = wallSeconds(clock.show(seconds));
  const behind = Math.max(0, wanted - shown);
  reading.splice(0, reading.length, ...readingFrom(clock.show(seconds + behind), reading[MICRO] % SECOND_US));
}
