/**
 * Time spans: `1min 30s`, `5.5h`, `infinity`.
 * Source: systemd.time(7), "Parsing Time Spans" and "Displaying Time Spans"; what the page leaves open is as in systemd 252.
 *
 * A text is first taken apart into terms, which are then added up: exactly (bigint), or as a number, which is exact up to
 * 2^53 µs, 285 years.
 */
import { BadTime, caught, type Parsed, piece } from '../time/fault.ts';
import type { Span } from '../types.ts';

const US_PER_SECOND = 1_000_000;
const MINUTE = 60 * US_PER_SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const WEEK = 7 * DAY;
/** 30.44 days. */
const MONTH = 2_629_800 * US_PER_SECOND;
/** 365.25 days. */
const YEAR = 31_557_600 * US_PER_SECOND;

/** In µs. */
const UNITS: Readonly<Record<string, number>> = {
  seconds: US_PER_SECOND,
  second: US_PER_SECOND,
  sec: US_PER_SECOND,
  s: US_PER_SECOND,
  minutes: MINUTE,
  minute: MINUTE,
  min: MINUTE,
  months: MONTH,
  month: MONTH,
  M: MONTH,
  msec: 1000,
  ms: 1000,
  m: MINUTE,
  hours: HOUR,
  hour: HOUR,
  hr: HOUR,
  h: HOUR,
  days: DAY,
  day: DAY,
  d: DAY,
  weeks: WEEK,
  week: WEEK,
  w: WEEK,
  years: YEAR,
  year: YEAR,
  y: YEAR,
  usec: 1,
  us: 1,
  µs: 1,
  μs: 1,
};
/** Those that are finer than a microsecond, in ns. */
const FINE_UNITS: Readonly<Record<string, number>> = { nsec: 1, ns: 1 };

/** Letters, and both signs for micro; escaped, so that the bundle stays ASCII (a string of two-byte characters is twice as long). */
const UNIT_START = /[a-zA-Z\u00b5\u03bc]/;
/** Beyond this many places a year counts nothing. */
const FRACTION_DIGITS = 20;
/** What a number may have, leading zeros left out: 2^63 - 1 has 19 digits. */
const DIGITS_MAX = 19;
const NUMBER_MAX = 2n ** 63n - 1n;
/** systemd's infinity; a sum that reaches it cannot be said. */
const INFINITY = 2n ** 64n - 1n;
const FORM = 'use for example 90, 1min 30s, 500ms or infinity';

/** One number with its unit. */
interface Term {
  /** Digits before the point, without leading zeros; may be empty. */
  readonly whole: string;
  readonly fraction: string;
  /** What one of it counts. */
  readonly scale: number;
  readonly offset: number;
}

/** A span in milliseconds (microseconds kept as the fraction); a bare number is seconds. */
export function parseSpan(text: string): Span | undefined {
  const us = parseSpanUs(text, US_PER_SECOND);
  return us === undefined || us === 'infinity' ? us : us / 1000;
}

/** A span in microseconds; a bare number counts `bareUnitUs`. */
export function parseSpanUs(text: string, bareUnitUs: number): Span | undefined {
  return asNumber(text, false, bareUnitUs);
}

/** A span in nanoseconds; a bare number is nanoseconds (TimerSlackNSec=). */
export function parseSpanNs(text: string): Span | undefined {
  return asNumber(text, true, 1);
}

/** A span in microseconds, exact, with what is wrong where it is not one. */
export function parseSpanExact(text: string, bareUnitUs: number): Parsed<bigint | 'infinity'> {
  return caught(() => {
    const terms = termsOf(text, false, bareUnitUs);
    return terms === 'infinity' ? terms : add(terms);
  });
}

function asNumber(text: string, fine: boolean, bare: number): Span | undefined {
  const parsed = caught(() => {
    const terms = termsOf(text, fine, bare);
    return terms === 'infinity' ? terms : Number(add(terms));
  });
  return 'fault' in parsed ? undefined : parsed.value;
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 48 && code <= 57;
}

const isBlank = (char: string | undefined): boolean => char === ' ' || char === '\t' || char === '\n' || char === '\r';
/** What strtoll(3) passes over as well. */
const isSpace = (char: string | undefined): boolean => isBlank(char) || char === '\v' || char === '\f';

function termsOf(text: string, fine: boolean, bare: number): readonly Term[] | 'infinity' {
  let at = 0;
  const skip = (test: (char: string | undefined) => boolean): void => {
    while (test(text[at])) at += 1;
  };
  const digits = (): string => {
    const start = at;
    while (isDigit(text, at)) at += 1;
    return text.slice(start, at);
  };
  skip(isBlank);
  if (text.startsWith('infinity', at)) {
    at += 'infinity'.length;
    skip(isBlank);
    if (at < text.length) throw new BadTime('nothing may follow infinity', FORM, at);
    return 'infinity';
  }
  const terms: Term[] = [];
  for (;;) {
    skip(isBlank);
    if (at >= text.length) break;
    const offset = at;
    skip(isSpace);
    if (text[at] === '-') throw new BadTime('a span cannot be negative', FORM, at, 'ERANGE');
    if (text[at] === '+') at += 1;
    const whole = digits();
    // A point may stand alone, but then nothing stands before it.
    if (whole === '' && (at !== offset || text[at] !== '.'))
      throw new BadTime(`a number is needed before ${piece(text.slice(offset), 10)}`, FORM, offset);
    let fraction = '';
    if (text[at] === '.') {
      at += 1;
      fraction = digits();
      if (fraction === '') throw new BadTime('digits are needed after the point', FORM, at);
    }
    const next = text[at];
    if (next !== undefined && !isBlank(next) && !UNIT_START.test(next))
      throw new BadTime(`${piece(text.slice(at), 10)} is not expected here`, FORM, at);
    skip(isBlank);
    const unitAt = at;
    while (UNIT_START.test(text[at] ?? '')) at += 1;
    const unit = text.slice(unitAt, at);
    const scale = unit === '' ? bare : scaleOf(unit, fine);
    if (scale === undefined)
      throw new BadTime(`${piece(unit, 20)} is not a unit of time`, 'use us, ms, s, min, h, d, w, month or y', unitAt);
    terms.push({ whole: whole.replace(/^0+/, ''), fraction, scale, offset });
  }
  if (terms.length === 0) throw new BadTime('there is nothing', FORM, 0);
  return terms;
}

function scaleOf(unit: string, fine: boolean): number | undefined {
  if (Object.hasOwn(UNITS, unit)) return (UNITS[unit] ?? 0) * (fine ? 1000 : 1);
  return fine && Object.hasOwn(FINE_UNITS, unit) ? FINE_UNITS[unit] : undefined;
}

function add(terms: readonly Term[]): bigint {
  let sum = 0n;
  for (const { whole, fraction, scale, offset } of terms) {
    const tooLong = () => new BadTime('longer than 584542 years', FORM, offset, 'ERANGE');
    const number = whole.length > DIGITS_MAX ? INFINITY : BigInt(whole);
    if (number > NUMBER_MAX || number >= INFINITY / BigInt(scale)) throw tooLong();
    sum += number * BigInt(scale);
    // As the digits come: each tenth is cut to a whole unit.
    let tenth = scale;
    for (const digit of fraction.slice(0, FRACTION_DIGITS)) {
      tenth = Math.floor(tenth / 10);
      sum += BigInt(tenth * Number(digit));
    }
    if (sum >= INFINITY) throw tooLong();
  }
  return sum;
}

const SHOWN: readonly (readonly [string, number])[] = [
  ['month', MONTH],
  ['w', WEEK],
  ['d', DAY],
  ['h', HOUR],
  ['min', MINUTE],
  ['s', US_PER_SECOND],
  ['ms', 1000],
  ['us', 1],
];

/** `1min 30s`, as systemd prints it; `accuracyUs` is the finest unit shown (1000: milliseconds). */
export function formatSpanUs(us: Span | bigint, accuracyUs = 1): string {
  if (us === 'infinity' || us === INFINITY) return 'infinity';
  if (us <= 0) return '0';
  let big = typeof us === 'bigint' ? us : BigInt(Math.round(us));
  const parts: string[] = [];
  // Years are counted exactly; what is left of them is small enough for a number.
  const years = big / BigInt(YEAR);
  big -= years * BigInt(YEAR);
  let rest = Number(big);
  if (years > 0n) parts.push(`${years}y`);
  for (const [name, scale] of SHOWN) {
    if (rest <= 0) break;
    if (rest < accuracyUs && parts.length > 0) break;
    if (rest < scale) continue;
    const whole = Math.floor(rest / scale);
    const below = rest - whole * scale;
    // Below a minute the rest is a decimal fraction, where one is needed and fine enough to be shown.
    if (rest < MINUTE && below > 0) {
      let places = String(scale).length - 1;
      let value = below;
      for (let cut = accuracyUs; cut > 1; cut = Math.floor(cut / 10)) {
        value = Math.floor(value / 10);
        places -= 1;
      }
      if (places > 0 && scale > accuracyUs) {
        parts.push(`${whole}.${String(value).padStart(places, '0')}${name}`);
        return parts.join(' ');
      }
    }
    parts.push(`${whole}${name}`);
    rest = below;
  }
  return parts.join(' ') || '0';
}
