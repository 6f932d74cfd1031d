/**
 * Time spans: `1min 30s`, `5.5h`, `infinity`.
 * Source: systemd.time(7), "Parsing Time Spans" and "Displaying Time Spans".
 */
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
const UNITS_NS: Readonly<Record<string, number>> = {
  ...Object.fromEntries(Object.entries(UNITS).map(([name, us]) => [name, us * 1000])),
  nsec: 1,
  ns: 1,
};
/** Letters, and both signs for micro; escaped, so that the bundle stays ASCII (a string of two-byte characters is twice as long). */
const UNIT_START = /[a-zA-Z\u00b5\u03bc]/;
/** Digits after the point that count. */
const FRACTION_DIGITS = 15;
/** 2^64 - 1 µs is systemd's infinity; above it a span cannot be said. */
const MAX_US = 2 ** 64;

/** A span in milliseconds (microseconds kept as the fraction); a bare number is seconds. */
export function parseSpan(text: string): Span | undefined {
  const us = parseSpanUs(text, US_PER_SECOND);
  return us === undefined || us === 'infinity' ? us : us / 1000;
}

/** A span in microseconds; a bare number counts `bareUnitUs`. */
export function parseSpanUs(text: string, bareUnitUs: number): Span | undefined {
  return parseWith(text, UNITS, bareUnitUs);
}

/** A span in nanoseconds; a bare number is nanoseconds (TimerSlackNSec=). */
export function parseSpanNs(text: string): Span | undefined {
  return parseWith(text, UNITS_NS, 1);
}

function parseWith(text: string, units: Readonly<Record<string, number>>, bare: number): Span | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  if (trimmed.startsWith('infinity')) return trimmed === 'infinity' ? 'infinity' : undefined;
  let sum = 0;
  let at = 0;
  while (at < trimmed.length) {
    while (trimmed[at] === ' ' || trimmed[at] === '\t' || trimmed[at] === '\n') at += 1;
    if (trimmed[at] === '+') at += 1;
    const numberStart = at;
    while (isDigit(trimmed, at)) at += 1;
    const whole = trimmed.slice(numberStart, at);
    let fraction = '';
    if (trimmed[at] === '.') {
      const start = at + 1;
      at = start;
      while (isDigit(trimmed, at)) at += 1;
      fraction = trimmed.slice(start, at);
      if (fraction === '' || trimmed[at] === '.') return undefined;
    }
    if (whole === '' && fraction === '') return undefined;
    while (trimmed[at] === ' ' || trimmed[at] === '\t' || trimmed[at] === '\n') at += 1;
    const unitStart = at;
    while (at < trimmed.length && UNIT_START.test(trimmed[at] ?? '')) at += 1;
    const unit = trimmed.slice(unitStart, at);
    const scale = unit === '' ? bare : Object.hasOwn(units, unit) ? units[unit] : undefined;
    if (scale === undefined) return undefined;
    sum += Number(whole || '0') * scale;
    // As the digits come: each tenth is cut to a whole unit.
    let part = scale;
    for (const digit of fraction.slice(0, FRACTION_DIGITS)) {
      part = Math.floor(part / 10);
      sum += part * Number(digit);
    }
    if (sum >= MAX_US) return undefined;
  }
  return sum;
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 48 && code <= 57;
}

const SHOWN: readonly (readonly [string, number])[] = [
  ['y', YEAR],
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
export function formatSpanUs(us: Span, accuracyUs = 1): string {
  if (us === 'infinity') return 'infinity';
  if (us <= 0) return '0';
  let rest = Math.round(us);
  const parts: string[] = [];
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
