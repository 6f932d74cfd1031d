/**
 * Calendar events: `Mon..Fri *-*-* 09,17:30 Europe/Berlin` as data.
 * Source: systemd.time(7), "Calendar Events"; what the page leaves open is as in systemd 252.
 *
 *   calendar.ts        what an event is; reading one
 *   calendar-text.ts   writing one in its normal form
 *   calendar-next.ts   when it comes next
 */
import { wallOf } from './civil.ts';
import type { WantedDst } from './clock.ts';
import { BadTime, caught, type Parsed, piece } from './fault.ts';
import type { Zones } from './zones.ts';

/** One part of a list: a value, a range, or either with a step. */
export interface Part {
  readonly start: number;
  /** -1: no range. */
  readonly stop: number;
  /** 0: no step. */
  readonly step: number;
}

/** The values of one field, sorted; undefined: all of them (`*`). Never empty. */
export type Parts = readonly Part[] | undefined;

export interface Calendar {
  /** Bit 0 is Monday; undefined: every day. */
  readonly weekdays: number | undefined;
  readonly year: Parts;
  readonly month: Parts;
  readonly day: Parts;
  /** The days count from the end of the month: `~`. */
  readonly fromEnd: boolean;
  readonly hour: Parts;
  readonly minute: Parts;
  /** In microseconds; every whole second is a step of 1,000,000 from 0. */
  readonly second: Parts;
  /** `UTC`, a name of the IANA database, the two names of local time, or local time as it comes. */
  readonly zone:
    | { readonly kind: 'utc' }
    | { readonly kind: 'named'; readonly name: string }
    | { readonly kind: 'local'; readonly dst: WantedDst };
}

export const SECOND_US = 1_000_000;
export const YEAR_MAX = 2199;
const YEAR_MIN = 1970;
const NUMBER_MAX = 2_147_483_647;
/** Parts in one list. */
const PARTS_MAX = 240;
const FORM = 'write for example Mon..Fri *-*-* 09:30:00, or daily';

const WEEKDAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];

const one = (value: number): Parts => [{ start: value, stop: -1, step: 0 }];
const each = (...values: number[]): Parts => values.map((start) => ({ start, stop: -1, step: 0 }));

type Fields = Omit<Calendar, 'zone'>;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const always = (): Mutable<Fields> => ({
  weekdays: undefined,
  year: undefined,
  month: undefined,
  day: undefined,
  fromEnd: false,
  hour: one(0),
  minute: one(0),
  second: one(0),
});

/** Words that stand for a whole expression; case does not matter. Some are only kept for old files. */
function shorthand(word: string): Fields | undefined {
  switch (word.toLowerCase()) {
    case 'minutely':
      return { ...always(), hour: undefined, minute: undefined };
    case 'hourly':
      return { ...always(), hour: undefined };
    case 'daily':
      return always();
    case 'weekly':
      return { ...always(), weekdays: 1 };
    case 'monthly':
      return { ...always(), day: one(1) };
    case 'quarterly':
      return { ...always(), month: each(1, 4, 7, 10), day: one(1) };
    case 'semiannually':
    case 'semi-annually':
    case 'biannually':
    case 'bi-annually':
      return { ...always(), month: each(1, 7), day: one(1) };
    case 'yearly':
    case 'annually':
    case 'anually':
      return { ...always(), month: one(1), day: one(1) };
    default:
      return undefined;
  }
}

/** What is being read, and where. Positions count from the start of the whole text, since a zone is only cut off at the end. */
interface Cursor {
  readonly text: string;
  at: number;
}

const ahead = (cursor: Cursor, by = 0): string => cursor.text[cursor.at + by] ?? '';
const isDigit = (char: string): boolean => char >= '0' && char <= '9' && char.length === 1;

function skipSpaces(cursor: Cursor): void {
  while (ahead(cursor) === ' ') cursor.at += 1;
}

/** A number, in seconds with up to six places where `micro`, rounded at the seventh. */
function readNumber(cursor: Cursor, micro: boolean): number {
  const start = cursor.at;
  while (isDigit(ahead(cursor))) cursor.at += 1;
  if (cursor.at === start)
    throw new BadTime(
      start === cursor.text.length
        ? 'it ends where a number is needed'
        : `a number is needed before ${piece(cursor.text.slice(start), 10)}`,
      FORM,
      start,
    );
  let value = Number(cursor.text.slice(start, cursor.at));
  if (micro) {
    value *= SECOND_US;
    if (ahead(cursor) === '.' && ahead(cursor, 1) !== '.') {
      cursor.at += 1;
      const from = cursor.at;
      while (isDigit(ahead(cursor))) cursor.at += 1;
      const digits = cursor.text.slice(from, cursor.at);
      if (digits === '') throw new BadTime('digits are needed after the point', 'leave the point out', from);
      value += Number(digits.slice(0, 6).padEnd(6, '0')) + ((digits[6] ?? '0') >= '5' ? 1 : 0);
    }
  }
  if (value > NUMBER_MAX)
    throw new BadTime(`${cursor.text.slice(start, cursor.at)} is too large`, FORM, start, 'ERANGE');
  return value;
}

function readPart(cursor: Cursor, micro: boolean): Part {
  const begin = cursor.at;
  const start = readNumber(cursor, micro);
  let stop = -1;
  let step = 0;
  if (ahead(cursor) === '.' && ahead(cursor, 1) === '.') {
    cursor.at += 2;
    stop = readNumber(cursor, micro);
    step = micro ? SECOND_US : 1;
  }
  if (ahead(cursor) === '/') {
    cursor.at += 1;
    const from = cursor.at;
    step = readNumber(cursor, micro);
    if (step === 0) throw new BadTime('a step of 0 never comes to an end', 'use a step of 1 or more', from, 'ERANGE');
  } else if (micro && stop >= 0 && start + step > stop)
    throw new BadTime('a range of seconds shorter than one second', 'give it a step, such as 0..0.5/0.1', begin);
  return { start, stop, step };
}

function readParts(cursor: Cursor, micro: boolean): Parts {
  if (ahead(cursor) === '*') {
    cursor.at += 1;
    return micro ? [{ start: 0, stop: -1, step: SECOND_US }] : undefined;
  }
  const parts: Part[] = [];
  for (;;) {
    if (parts.length > PARTS_MAX)
      throw new BadTime(`more than ${PARTS_MAX} values in one list`, 'use a range or a step', cursor.at, 'ENOBUFS');
    parts.push(readPart(cursor, micro));
    const next = ahead(cursor);
    if (next !== '' && !' ,-~:'.includes(next)) throw unexpected(cursor);
    if (next !== ',') return parts;
    cursor.at += 1;
  }
}

function unexpected(cursor: Cursor): BadTime {
  const rest = cursor.text.slice(cursor.at);
  return new BadTime(rest === '' ? 'it ends too early' : `${piece(rest, 20)} is not expected here`, FORM, cursor.at);
}

/** The weekday whose name, whole or its first three letters, stands here; the whole name first. */
function weekdayHere(cursor: Cursor): number | undefined {
  const here = cursor.text.slice(cursor.at, cursor.at + 9).toLowerCase();
  const day = WEEKDAYS.findIndex((name) => here.startsWith(name.slice(0, 3)));
  if (day < 0) return undefined;
  const name = WEEKDAYS[day] ?? '';
  const length = here.startsWith(name) ? name.length : 3;
  const next = ahead(cursor, length);
  if (next !== '' && !'-., '.includes(next))
    throw new BadTime(
      `${piece(cursor.text.slice(cursor.at).split(/[-., ]/)[0] ?? '', 20)} is not a weekday`,
      'use Mon or Monday',
      cursor.at,
    );
  cursor.at += length;
  return day;
}

/** The weekdays at the start, as bits; 0: there are none. */
function readWeekdays(cursor: Cursor): number {
  let bits = 0;
  let from = -1;
  for (;;) {
    const begin = cursor.at;
    const day = weekdayHere(cursor);
    if (day === undefined) {
      if (bits === 0) return 0;
      throw new BadTime('a weekday is needed here', 'use Mon or Monday', cursor.at);
    }
    if (from > day)
      throw new BadTime(
        'the range of weekdays goes backwards',
        'name the earlier day first; the week begins on Monday',
        begin,
      );
    for (let each = from < 0 ? day : from; each <= day; each += 1) bits |= 1 << each;
    const next = ahead(cursor);
    if (next === '' || next === ' ') break;
    if (next === ',') {
      from = -1;
      cursor.at += 1;
    } else {
      if (from >= 0 || (next === '.' && ahead(cursor, 1) !== '.')) throw unexpected(cursor);
      from = day;
      cursor.at += next === '.' ? 2 : 1;
    }
    // A comma may end the list, a range may not.
    if (ahead(cursor) === '' || ahead(cursor) === ' ') {
      if (from >= 0) throw new BadTime('the range of weekdays has no end', 'name its last day', cursor.at);
      break;
    }
  }
  skipSpaces(cursor);
  return bits;
}

/** `@SECONDS`: one moment. */
function readEpoch(cursor: Cursor, into: Mutable<Fields>): void {
  const begin = cursor.at;
  const match = /^@[ \t\n\v\f\r]*([+-]?)([0-9]+)/.exec(cursor.text.slice(begin));
  if (match === null)
    throw new BadTime('seconds since 1970 are needed after @', 'use for example @1767225600', begin + 1);
  const seconds = Number(match[2]);
  if (seconds >= 2 ** 64) throw new BadTime('too many seconds', FORM, begin + 1, 'ERANGE');
  if ((match[1] === '-' && seconds > 0) || seconds > 1e15)
    throw new BadTime('not a moment in the years 1970 to 2199', FORM, begin + 1);
  cursor.at += match[0].length;
  const wall = wallOf(seconds);
  into.year = one(wall.year);
  into.month = one(wall.month);
  into.day = one(wall.day);
  into.hour = one(wall.hour);
  into.minute = one(wall.minute);
  into.second = one(wall.second * SECOND_US);
}

/** `YEAR-MONTH-DAY`, `MONTH-DAY`; nothing, where it is a time of day that stands here. */
function readDate(cursor: Cursor, into: Mutable<Fields>): void {
  const begin = cursor.at;
  if (ahead(cursor) === '') return;
  const separator = (): boolean => {
    const char = ahead(cursor);
    if (char !== '-' && char !== '~') throw unexpected(cursor);
    cursor.at += 1;
    return char === '~';
  };
  const first = readParts(cursor, false);
  if (ahead(cursor) === '' || ahead(cursor) === ':') {
    cursor.at = begin;
    return;
  }
  into.fromEnd = separator();
  const second = readParts(cursor, false);
  if (ahead(cursor) === '' || ahead(cursor) === ' ') {
    into.month = first;
    into.day = second;
  } else {
    if (into.fromEnd) throw unexpected(cursor);
    into.fromEnd = separator();
    into.year = first;
    into.month = second;
    into.day = readParts(cursor, false);
    if (ahead(cursor) !== '' && ahead(cursor) !== ' ') throw unexpected(cursor);
  }
  skipSpaces(cursor);
}

/** `HOUR:MINUTE` or `HOUR:MINUTE:SECOND`; at the end of the text midnight. */
function readTime(cursor: Cursor, into: Mutable<Fields>): void {
  if (ahead(cursor) === '') return;
  const colon = (): void => {
    if (ahead(cursor) !== ':') throw unexpected(cursor);
    cursor.at += 1;
  };
  into.hour = readParts(cursor, false);
  colon();
  into.minute = readParts(cursor, false);
  if (ahead(cursor) !== '') {
    colon();
    into.second = readParts(cursor, true);
  }
  if (ahead(cursor) !== '') throw unexpected(cursor);
}

/** Sorted and without doubles; a range ends with its last step, and one that holds a single value is that value. */
function normalParts(parts: Parts): Parts {
  if (parts === undefined) return undefined;
  const normal = parts.map(({ start, stop, step }): Part => {
    const last = stop > start && step > 0 ? stop - ((stop - start) % step) : stop;
    return last === start ? { start, stop: -1, step: 0 } : { start, stop: last, step };
  });
  normal.sort((a, b) => a.start - b.start || a.stop - b.stop || a.step - b.step);
  return normal.filter((part, index) => {
    const before = normal[index - 1];
    return (
      before === undefined || before.start !== part.start || before.stop !== part.stop || before.step !== part.step
    );
  });
}

/** Two digits are years from 1970 to 2069. */
const wholeYear = (year: number): number => (year < 0 || year > 99 ? year : year < 70 ? year + 2000 : year + 1900);

/** What is wrong with the values of a field, if anything. */
function rangeFault(parts: Parts, from: number, to: number, fromEnd: boolean): string | undefined {
  let most = to;
  for (const { start, stop, step } of parts ?? []) {
    // From the end, only 28 days are sure to be there. In a list systemd 252 allows three days less with each entry.
    if (fromEnd) most -= 3;
    if (start < from || start > most) return `${start} is not in ${from} to ${most}`;
    if (step > most - from) return `a step of ${step} is longer than ${from} to ${most}`;
    if (stop >= 0) {
      if (stop < from || stop > most) return `${stop} is not in ${from} to ${most}`;
      if (start + step > stop) return `the range ${start}..${stop} goes backwards`;
    } else if (fromEnd ? start - step < from : start + step > most)
      return `the step ${start}/${step} leaves ${from} to ${most} at once`;
  }
  return undefined;
}

function check(fields: Fields): void {
  const ranges: readonly [string, Parts, number, number, boolean][] = [
    ['year', fields.year, YEAR_MIN, YEAR_MAX, false],
    ['month', fields.month, 1, 12, false],
    ['day', fields.day, 1, 31, fields.fromEnd],
    ['hour', fields.hour, 0, 23, false],
    ['minute', fields.minute, 0, 59, false],
  ];
  for (const [name, parts, from, to, fromEnd] of ranges) {
    const fault = rangeFault(parts, from, to, fromEnd);
    if (fault !== undefined) throw new BadTime(`${name}: ${fault}`, FORM, 0);
  }
  if (rangeFault(fields.second, 0, 60 * SECOND_US - 1, false) !== undefined)
    throw new BadTime('second: not in 0 to 59, or a range or step that leaves it', FORM, 0);
}

/** The zone at the end, and where what stands before it ends. */
function cutZone(text: string, zones: Zones): { readonly zone: Calendar['zone']; readonly end: number } {
  const lower = text.toLowerCase();
  if (lower.endsWith(' utc')) return { zone: { kind: 'utc' }, end: text.length - 4 };
  for (const dst of [0, 1] as const) {
    const name = zones.local.names[dst];
    if (name !== '' && lower.endsWith(` ${name.toLowerCase()}`))
      return { zone: { kind: 'local', dst }, end: text.length - name.length - 1 };
  }
  const space = text.lastIndexOf(' ');
  const name = text.slice(space + 1);
  if (space >= 0 && zones.named(name) !== undefined) return { zone: { kind: 'named', name }, end: space };
  return { zone: { kind: 'local', dst: -1 }, end: text.length };
}

/** Read a calendar event; the zones are those of this machine, since a zone it does not have is a fault. */
export function parseCalendar(text: string, zones: Zones): Parsed<Calendar> {
  return caught(() => {
    if (text === '') throw new BadTime('there is nothing', FORM, 0);
    const { zone, end } = cutZone(text, zones);
    if (end === 0) throw new BadTime('there is only a zone', FORM, 0);
    const word = shorthand(text.slice(0, end));
    if (word !== undefined) return { ...word, zone };
    const cursor: Cursor = { text: text.slice(0, end), at: 0 };
    const fields = always();
    const weekdays = readWeekdays(cursor);
    fields.weekdays = weekdays === 0 || weekdays === 0b111_1111 ? undefined : weekdays;
    if (ahead(cursor) === '@') {
      readEpoch(cursor, fields);
      if (ahead(cursor) !== '') throw unexpected(cursor);
    } else {
      readDate(cursor, fields);
      readTime(cursor, fields);
    }
    if (fields.day === undefined) fields.fromEnd = false;
    fields.year = normalParts(
      fields.year?.map(({ start, stop, step }) => ({ start: wholeYear(start), stop: wholeYear(stop), step })),
    );
    for (const name of ['month', 'day', 'hour', 'minute', 'second'] as const) fields[name] = normalParts(fields[name]);
    check(fields);
    return { ...fields, zone: text[0] === '@' ? { kind: 'utc' } : zone };
  });
}
