/**
 * Rules of a time zone as text: `CET-1CEST,M3.5.0,M10.5.0/3`.
 * Source: POSIX.1-2017, XBD 8.3, TZ; RFC 8536 section 3.3.1 (hours from -167 to 167).
 */
import { DAY_SECONDS, dateOf, dayNumber, isLeap, weekdayOf } from './civil.ts';
import type { LocalType } from './zone.ts';

/** When in a year a change comes; `seconds` after the local midnight of that day, by the clock before the change. */
type Rule =
  | {
      readonly kind: 'month';
      readonly month: number;
      readonly week: number;
      readonly day: number;
      readonly seconds: number;
    }
  /** 1 to 365, 29 February not counted. */
  | { readonly kind: 'julian'; readonly day: number; readonly seconds: number }
  /** 0 to 365. */
  | { readonly kind: 'zero'; readonly day: number; readonly seconds: number };

export interface PosixZone {
  readonly standard: LocalType;
  /** Undefined: no daylight-saving time. */
  readonly daylight: LocalType | undefined;
  at(seconds: number): LocalType;
}

const NAME = /^(?:<([A-Za-z0-9+-]{1,64})>|([A-Za-z]{3,64}))/;
const OFFSET = /^([+-]?)(\d{1,3})(?::(\d{1,2})(?::(\d{1,2}))?)?/;
const DATE = /^,(?:M(\d{1,2})\.(\d)\.(\d)|J(\d{1,3})|(\d{1,3}))(?:\/([+-]?\d{1,3}(?::\d{1,2}(?::\d{1,2})?)?))?/;
const HOURS_MAX = 167;
/** What a zone with daylight-saving time and without rules is given. */
const USUAL_RULES = ',M3.2.0,M11.1.0';

function clock(text: string): number | undefined {
  const match = OFFSET.exec(text);
  if (match === null || match[0] !== text) return undefined;
  const [, sign, hours, minutes = '0', seconds = '0'] = match;
  if (Number(hours) > HOURS_MAX || Number(minutes) > 59 || Number(seconds) > 59) return undefined;
  return (sign === '-' ? -1 : 1) * (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds));
}

function rule(match: RegExpExecArray): Rule | undefined {
  const [, month, week, weekday, julian, zero, time] = match;
  const seconds = time === undefined ? 7200 : clock(time);
  if (seconds === undefined) return undefined;
  if (month !== undefined) {
    const parsed = { kind: 'month', month: Number(month), week: Number(week), day: Number(weekday), seconds } as const;
    const fits = parsed.month >= 1 && parsed.month <= 12 && parsed.week >= 1 && parsed.week <= 5 && parsed.day <= 6;
    return fits ? parsed : undefined;
  }
  if (julian !== undefined) {
    const day = Number(julian);
    return day >= 1 && day <= 365 ? { kind: 'julian', day, seconds } : undefined;
  }
  return Number(zero) <= 365 ? { kind: 'zero', day: Number(zero), seconds } : undefined;
}

/** Seconds since 1970 on the wall clock before the change. */
function changeIn(year: number, when: Rule): number {
  const first = dayNumber(year, 1, 1);
  switch (when.kind) {
    case 'julian':
      return (first + when.day - 1 + (isLeap(year) && when.day >= 60 ? 1 : 0)) * DAY_SECONDS + when.seconds;
    case 'zero':
      return (first + when.day) * DAY_SECONDS + when.seconds;
    case 'month': {
      const start = dayNumber(year, when.month, 1);
      const sundayFirst = (weekdayOf(start) + 1) % 7;
      let day = start + ((when.day - sundayFirst + 7) % 7) + (when.week - 1) * 7;
      if (day >= dayNumber(year, when.month + 1, 1)) day -= 7;
      return day * DAY_SECONDS + when.seconds;
    }
  }
}

/** Undefined: not the rules of a zone. */
export function parsePosixZone(text: string): PosixZone | undefined {
  let rest = text;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    const match = pattern.exec(rest);
    if (match !== null) rest = rest.slice(match[0].length);
    return match ?? undefined;
  };
  const named = take(NAME);
  const west = take(OFFSET);
  const offset = west === undefined ? undefined : clock(west[0]);
  if (named === undefined || offset === undefined) return undefined;
  const standard: LocalType = { offset: 0 - offset, daylight: false, name: named[1] ?? named[2] ?? '' };
  if (rest === '') return { standard, daylight: undefined, at: () => standard };
  const other = take(NAME);
  if (other === undefined) return undefined;
  const otherWest = take(OFFSET);
  const otherOffset = otherWest === undefined ? offset - 3600 : clock(otherWest[0]);
  if (otherOffset === undefined) return undefined;
  const daylight: LocalType = { offset: 0 - otherOffset, daylight: true, name: other[1] ?? other[2] ?? '' };
  if (rest === '') rest = USUAL_RULES;
  const starts = take(DATE);
  const ends = take(DATE);
  const start = starts === undefined ? undefined : rule(starts);
  const end = ends === undefined ? undefined : rule(ends);
  if (start === undefined || end === undefined || rest !== '') return undefined;
  return {
    standard,
    daylight,
    at(seconds) {
      const { year } = dateOf(Math.floor(seconds / DAY_SECONDS));
      const from = changeIn(year, start) - standard.offset;
      const to = changeIn(year, end) - daylight.offset;
      // South of the equator the summer lies across the new year.
      const summer = from > to ? seconds < to || seconds >= from : seconds >= from && seconds < to;
      return summer ? daylight : standard;
    },
  };
}
