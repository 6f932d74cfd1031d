/**
 * The proleptic Gregorian calendar as plain numbers: days since 1970-01-01, and seconds of a wall clock since then.
 * A wall clock's fields may lie outside of their ranges (month 13, day 0): they are carried over, as mktime(3) does.
 */

export const DAY_SECONDS = 86_400;

/** What a clock on the wall shows; `month` and `day` count from 1. */
export interface Wall {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/** Days from 1970-01-01 to a date; months and days outside of their ranges are carried over. */
export function dayNumber(year: number, month: number, day: number): number {
  const carried = Math.floor((month - 1) / 12);
  const y = year + carried;
  const m = month - carried * 12;
  // Years that begin in March have the leap day at their end.
  const shifted = m > 2 ? y : y - 1;
  const cycle = Math.floor(shifted / 400);
  const ofCycle = shifted - cycle * 400;
  const dayOfYear = Math.floor((153 * (m + (m > 2 ? -3 : 9)) + 2) / 5);
  return (
    cycle * 146_097 + ofCycle * 365 + Math.floor(ofCycle / 4) - Math.floor(ofCycle / 100) + dayOfYear - 719_469 + day
  );
}

/** The date of a day number. */
export function dateOf(days: number): { readonly year: number; readonly month: number; readonly day: number } {
  const z = days + 719_468;
  const cycle = Math.floor(z / 146_097);
  const ofCycle = z - cycle * 146_097;
  const yearOfCycle = Math.floor(
    (ofCycle - Math.floor(ofCycle / 1460) + Math.floor(ofCycle / 36_524) - Math.floor(ofCycle / 146_096)) / 365,
  );
  const dayOfYear = ofCycle - (365 * yearOfCycle + Math.floor(yearOfCycle / 4) - Math.floor(yearOfCycle / 100));
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  return {
    year: yearOfCycle + cycle * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1,
  };
}

/** Monday is 0. 1970-01-01 was a Thursday. */
export const weekdayOf = (days: number): number => (((days + 3) % 7) + 7) % 7;

export const daysInMonth = (year: number, month: number): number =>
  dayNumber(year, month + 1, 1) - dayNumber(year, month, 1);

export const isLeap = (year: number): boolean => daysInMonth(year, 2) === 29;

/** Seconds since 1970-01-01 00:00:00 as the wall clock counts them. */
export const wallSeconds = (wall: Wall): number =>
  dayNumber(wall.year, wall.month, wall.day) * DAY_SECONDS + wall.hour * 3600 + wall.minute * 60 + wall.second;

/** The fields of such a count, each within its range. */
export function wallOf(seconds: number): Wall {
  const days = Math.floor(seconds / DAY_SECONDS);
  const rest = seconds - days * DAY_SECONDS;
  const hour = Math.floor(rest / 3600);
  const minute = Math.floor((rest - hour * 3600) / 60);
  return { ...dateOf(days), hour, minute, second: rest - hour * 3600 - minute * 60 };
}
