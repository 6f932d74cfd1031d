/**
 * Moments as people write them: `Fri 2012-11-23 11:12:13 UTC`, `tomorrow`, `+3h30min`, `5min ago`, `@1395716396.5`.
 * Source: systemd.time(7), "Parsing Timestamps" and "Displaying Timestamps".
 *
 * Moments are µs since 1970 as bigint, for they reach to the year 9999.
 */
import { parseSpanExact } from '../syntax/timespan.ts';
import { dayNumber, type Wall, wallOf, weekdayOf } from './civil.ts';
import { type Clock, clockIn, utcClock, type WantedDst } from './clock.ts';
import { BadTime, caught, type Parsed } from './fault.ts';
import { UTC, type Zone } from './zone.ts';
import type { Zones } from './zones.ts';

const SECOND_US = 1_000_000;
const MICRO = 1_000_000n;
const DAY_SECONDS = 86_400;
/** 9999-12-30 23:59:59 UTC: later moments have no date in every zone. */
export const MOMENT_MAX_US = 253_402_214_399n * MICRO;
const INFINITY_US = 2n ** 64n - 1n;
const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
const WEEKDAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
const FORM = 'write for example 2026-01-31 12:00, tomorrow, +3h, 5min ago or @1767225600';

function span(text: string, offset: number): bigint {
  const parsed = parseSpanExact(text, SECOND_US);
  if ('fault' in parsed) throw new BadTime(parsed.fault.why, parsed.fault.todo, offset, parsed.fault.errno);
  return parsed.value === 'infinity' ? INFINITY_US : parsed.value;
}

function later(moment: bigint, by: bigint): bigint {
  const sum = moment + by;
  if (sum > MOMENT_MAX_US) throw new BadTime('after the year 9999', 'use a nearer moment', 0);
  return sum;
}

function earlier(moment: bigint, by: bigint): bigint {
  if (by > moment) throw new BadTime('before 1970', 'use a later moment', 0);
  return moment - by;
}

/** What counts from now; undefined: it is not of that kind. */
function relative(text: string, nowUs: bigint): bigint | undefined {
  if (text === 'now') return nowUs;
  if (text.startsWith('+')) return later(nowUs, span(text.slice(1), 1));
  if (text.startsWith('-')) return earlier(nowUs, span(text.slice(1), 1));
  if (text.endsWith(' ago')) return earlier(nowUs, span(text.slice(0, -4), 0));
  if (text.endsWith(' left')) return later(nowUs, span(text.slice(0, -5), 0));
  return undefined;
}

/** Where a moment is to be read: its zone, which of the two kinds of local time, and the text without the zone's name. */
interface Place {
  readonly text: string;
  readonly zone: Zone;
  readonly dst: WantedDst;
}

function withoutName(text: string, zone: Zone): Place | undefined {
  const lower = text.toLowerCase();
  for (const dst of [0, 1] as const) {
    const name = zone.names[dst];
    if (name !== '' && lower.endsWith(` ${name.toLowerCase()}`))
      return { text: text.slice(0, -name.length - 1), zone, dst };
  }
  return undefined;
}

function placeOf(text: string, zones: Zones): Place {
  if (text.toLowerCase().endsWith(' utc')) return { text: text.slice(0, -4), zone: UTC, dst: -1 };
  const space = text.lastIndexOf(' ');
  const name = text.slice(space + 1);
  const zone = space < 0 ? undefined : zones.named(name);
  if (zone !== undefined)
    return zone.names.includes(name)
      ? (withoutName(text, zone) ?? { text, zone, dst: -1 })
      : { text: text.slice(0, space), zone, dst: -1 };
  return withoutName(text, zones.local) ?? { text, zone: zones.local, dst: -1 };
}

/** A number of at most `digits` digits, after any spaces. A digit that would lead out of the range is left for what follows. */
class Scanner {
  readonly text: string;
  at = 0;

  constructor(text: string) {
    this.text = text;
  }

  number(from: number, to: number, digits: number): number | undefined {
    while (this.text[this.at] === ' ') this.at += 1;
    let value: number | undefined;
    for (let count = 0; count < digits; count += 1) {
      const digit = this.text.charCodeAt(this.at) - 48;
      if (!(digit >= 0 && digit <= 9)) break;
      if (value !== undefined && value * 10 > to) break;
      value = (value ?? 0) * 10 + digit;
      this.at += 1;
    }
    return value !== undefined && value >= from && value <= to ? value : undefined;
  }

  literal(char: string): boolean {
    if (this.text[this.at] !== char) return false;
    this.at += 1;
    return true;
  }

  blanks(): void {
    while (/[ \t\n\v\f\r]/.test(this.text[this.at] ?? '')) this.at += 1;
  }

  get rest(): string {
    return this.text.slice(this.at);
  }
}

type Ymd = Pick<Wall, 'year' | 'month' | 'day'>;
type Hms = Pick<Wall, 'hour' | 'minute' | 'second'>;

function date(scanner: Scanner, yearDigits: 2 | 4): Ymd | undefined {
  const year = scanner.number(0, yearDigits === 2 ? 99 : 9999, yearDigits);
  if (year === undefined || !scanner.literal('-')) return undefined;
  const month = scanner.number(1, 12, 2);
  if (month === undefined || !scanner.literal('-')) return undefined;
  const day = scanner.number(1, 31, 2);
  if (day === undefined) return undefined;
  return { year: yearDigits === 4 ? year : year + (year < 69 ? 2000 : 1900), month, day };
}

function time(scanner: Scanner, seconds: boolean): Hms | undefined {
  const hour = scanner.number(0, 23, 2);
  if (hour === undefined || !scanner.literal(':')) return undefined;
  const minute = scanner.number(0, 59, 2);
  if (minute === undefined) return undefined;
  if (!seconds) return { hour, minute, second: 0 };
  if (!scanner.literal(':')) return undefined;
  const second = scanner.number(0, 61, 2);
  return second === undefined ? undefined : { hour, minute, second };
}

/** µs of `.123456`, rounded at the seventh digit; undefined: not such a fraction. */
function fraction(text: string): number | undefined {
  const match = /^\.([0-9]+)$/.exec(text);
  if (match === null) return undefined;
  const digits = match[1] ?? '';
  return Number(digits.slice(0, 6).padEnd(6, '0')) + ((digits[6] ?? '0') >= '5' ? 1 : 0);
}

/** All the forms of a date, a time, or both: each is tried, with a year of two digits before one of four. */
function reading(text: string, today: Ymd): { readonly wall: Wall; readonly us: number } | undefined {
  for (const seconds of [true, false])
    for (const digits of [2, 4] as const) {
      const scanner = new Scanner(text);
      const day = date(scanner, digits);
      scanner.blanks();
      const clock = day === undefined ? undefined : time(scanner, seconds);
      if (day === undefined || clock === undefined) continue;
      if (scanner.rest === '') return { wall: { ...day, ...clock }, us: 0 };
      if (!seconds || scanner.text[scanner.at] !== '.') continue;
      const us = fraction(scanner.rest);
      return us === undefined ? undefined : { wall: { ...day, ...clock }, us };
    }
  for (const digits of [2, 4] as const) {
    const scanner = new Scanner(text);
    const day = date(scanner, digits);
    if (day !== undefined && scanner.rest === '') return { wall: { ...day, hour: 0, minute: 0, second: 0 }, us: 0 };
  }
  for (const seconds of [true, false]) {
    const scanner = new Scanner(text);
    const clock = time(scanner, seconds);
    if (clock === undefined) continue;
    if (scanner.rest === '') return { wall: { ...today, ...clock }, us: 0 };
    if (!seconds || scanner.text[scanner.at] !== '.') continue;
    const us = fraction(scanner.rest);
    return us === undefined ? undefined : { wall: { ...today, ...clock }, us };
  }
  return undefined;
}

const NAMED_DAYS: Readonly<Record<string, number>> = { yesterday: -1, today: 0, tomorrow: 1 };

/** A weekday and a space at the start; the day it names, and how long both are. */
function weekdayPrefix(text: string): { readonly day: number; readonly length: number } | undefined {
  const word = text.slice(0, text.indexOf(' ')).toLowerCase();
  const day = WEEKDAYS.findIndex((name) => word === name || word === name.slice(0, 3));
  return text.includes(' ') && day >= 0 ? { day, length: word.length + 1 } : undefined;
}

function absolute({ text, zone, dst }: Place, nowUs: bigint): bigint {
  const clock: Clock = zone === UTC ? utcClock : clockIn(zone, 0);
  const today = clock.show(Number(nowUs / MICRO));
  const toMoment = (wall: Wall, us: number): bigint => {
    const seconds = clock.moment(wall, dst);
    if (seconds === undefined)
      throw new BadTime('there is no such time in this zone', 'leave the name of the zone out', 0);
    if (seconds < 0) throw new BadTime('before 1970', 'use a later moment', 0);
    return later(BigInt(seconds) * MICRO, BigInt(us));
  };
  const named = Object.hasOwn(NAMED_DAYS, text) ? NAMED_DAYS[text] : undefined;
  if (named !== undefined) return toMoment({ ...today, day: today.day + named, hour: 0, minute: 0, second: 0 }, 0);
  const prefix = weekdayPrefix(text);
  const found = reading(prefix === undefined ? text : text.slice(prefix.length), today);
  if (found === undefined) throw new BadTime('not a moment', FORM, prefix?.length ?? 0);
  const { wall, us } = found;
  if (prefix !== undefined) {
    const day = weekdayOf(dayNumber(wall.year, wall.month, wall.day));
    if (day !== prefix.day)
      throw new BadTime(`that day is a ${DAYS[day]}`, `write ${DAYS[day]}, or leave the weekday out`, 0);
  }
  return toMoment(wall, us);
}

/** Read a moment, in µs since 1970. `@infinity` is 2^64 - 1. */
export function parseMoment(text: string, nowUs: bigint, zones: Zones): Parsed<bigint> {
  return caught(() => {
    // A name of a zone at the end takes all else for a date: `now UTC` is none.
    const place = placeOf(text, zones);
    const inZone = place.text !== text && place.zone !== UTC && place.dst === -1;
    if (!inZone && text.startsWith('@')) return span(text.slice(1), 1);
    return (inZone ? undefined : relative(text, nowUs)) ?? absolute(place, nowUs);
  });
}

/** `Sun 2026-11-22 03:00:00 CET`; `-` for no moment at all (0 and 2^64 - 1). */
export function momentText(us: bigint, zone: Zone): string {
  if (us <= 0n || us >= INFINITY_US) return '-';
  if (us > MOMENT_MAX_US) return '--- XXXX-XX-XX XX:XX:XX';
  const seconds = Number(us / MICRO);
  const { offset, name } = zone.at(seconds);
  const local = seconds + offset;
  const { year, month, day, hour, minute, second } = wallOf(local);
  const two = (value: number): string => String(value).padStart(2, '0');
  const weekday = DAYS[weekdayOf(Math.floor(local / DAY_SECONDS))];
  return `${weekday} ${year}-${two(month)}-${two(day)} ${two(hour)}:${two(minute)}:${two(second)} ${name}`;
}
