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
import { dayNumber, type Wall, wallSeconds, weekdayOf } from './civil.ts';
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

/** The least value of the field that is not below `value`; undefined: there is none. `fromEnd` turns a day counted from the end into one. */
function nextValue(parts: Parts, value: number, fromEnd: ((day: number) => number) | undefined): number | undefined {
  if (parts === undefined) return value;
  let least: number | undefined;
  const offer = (found: number) => {
    if (least === undefined || found < least) least = found;
  };
  for (const part of parts) {
    let { start, stop } = part;
    if (fromEnd !== undefined) {
      start = fromEnd(start);
      // Counted from the end, a range goes from its far end to the near one.
      if (stop > 0) [start, stop] = [fromEnd(stop), start];
    }
    if (start >= value) offer(start);
    else if (part.step > 0) {
      const found = start + Math.ceil((value - start) / part.step) * part.step;
      if (stop < 0 || found <= stop) offer(found);
    }
  }
  return least;
}

function leastFrom(reading: Reading, field: number): void {
  for (let below = field; below < reading.length; below += 1) reading[below] = LEAST[below] ?? 0;
}

/** Step a field on by one, with those below at their least. */
function carry(reading: Reading, field: number): void {
  reading[field] = (reading[field] ?? 0) + 1;
  leastFrom(reading, field + 1);
}

/** One search: the reading and the clock that it is held against. */
class Search {
  readonly reading: Reading;
  readonly #clock: Clock;
  /** The kind of time that the event asks for. */
  readonly #dst: WantedDst;
  /** The kind of time of the moment that the reading was last moved to. */
  #kind: WantedDst;

  constructor(clock: Clock, dst: WantedDst, fromSeconds: number, us: number) {
    this.#clock = clock;
    this.#dst = dst;
    this.#kind = clock.kind(fromSeconds);
    this.reading = readingFrom(clock.show(fromSeconds), us);
  }

  /** Bring the fields into their ranges, and a reading that the clocks skip to one that is shown: behind the gap, never before it. */
  settle(): void {
    const kind = this.#kind;
    this.#kind = this.#dst;
    const wall = wallFrom(this.reading);
    const seconds = this.#clock.moment(wall, kind) ?? this.#clock.moment(wall, -1);
    if (seconds === undefined) return;
    const wanted = wallSeconds(wall);
    const behind = Math.max(0, wanted - wallSeconds(this.#clock.show(seconds)));
    this.#set(this.#clock.show(seconds + behind));
  }

  /**
   * How the reading stands to the zone after `field` was set: it is shown at some moment; or it was moved to where it would be
   * shown (the clocks skip it, or the field has run over its end) and is to be looked at anew; or it is to be passed over.
   */
  place(field: number): 'fits' | 'moved' | 'passed' {
    if (this.reading[0] > YEAR_MAX) return 'passed';
    const seconds = this.#clock.moment(wallFrom(this.reading), this.#dst);
    if (seconds === undefined || seconds < 0) return 'passed';
    const shown = readingFrom(this.#clock.show(seconds), this.reading[MICRO] % SECOND_US);
    const first = shown.findIndex((value, index) => value !== this.reading[index]);
    if (first < 0) return 'fits';
    if ((shown[first] ?? 0) < (this.reading[first] ?? 0)) return 'passed';
    const above = (shown[field - 1] ?? 0) > (this.reading[field - 1] ?? 0);
    this.reading.splice(0, this.reading.length, ...shown);
    // Where the field above has gone on, this one begins anew; where that one has begun anew, this one stays: as systemd 252 has it.
    if (above) leastFrom(this.reading, field);
    this.#kind = this.#clock.kind(seconds);
    return 'moved';
  }

  /** The day that is the `count`th last of the month; where the clocks skip it, the one they show instead. */
  fromEnd(count: number): number {
    const wall = wallFrom(this.reading);
    const seconds = this.#clock.moment({ ...wall, month: wall.month + 1, day: 1 - count }, this.#dst);
    const shown = seconds === undefined ? undefined : this.#clock.show(seconds);
    return shown?.month === wall.month ? shown.day : -1;
  }

  /** The moment of the reading, in µs since 1970. */
  moment(): Elapse {
    const seconds = this.#clock.moment(wallFrom(this.reading), this.#dst);
    return seconds === undefined || seconds < 0 ? 'never' : seconds * SECOND_US + (this.reading[MICRO] % SECOND_US);
  }

  #set(wall: Wall): void {
    this.reading.splice(0, this.reading.length, ...readingFrom(wall, this.reading[MICRO] % SECOND_US));
  }
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
  const search = new Search(
    clock,
    zone.kind === 'local' ? zone.dst : -1,
    fromSeconds,
    fromUs - fromSeconds * SECOND_US,
  );
  const { reading } = search;
  const fields: readonly Parts[] = [
    calendar.year,
    calendar.month,
    calendar.day,
    calendar.hour,
    calendar.minute,
    calendar.second,
  ];
  turns: for (let turn = 0; turn < TURNS_MAX; turn += 1) {
    search.settle();
    for (const [field, parts] of fields.entries()) {
      const now = reading[field] ?? 0;
      const value = nextValue(
        parts,
        now,
        field === DAY && calendar.fromEnd ? (count) => search.fromEnd(count) : undefined,
      );
      if (value === undefined && field === 0) return 'never';
      if (value !== undefined && value !== now) {
        reading[field] = value;
        leastFrom(reading, field + 1);
      }
      const placed = value === undefined ? 'passed' : search.place(field);
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
    return search.moment();
  }
  return 'endless';
}
