/** Moments as people write them for --since and --until (systemd.time(7), "Parsing Timestamps"). */
import { parseSpanUs } from '../../units/syntax/timespan.ts';

const DAY = /^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+/i;
const DATE =
  /^(?:(\d{2}|\d{4})-(\d{1,2})-(\d{1,2}))?(?:[ T]?(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?(?:\s*(Z|UTC|[+-]\d{2}:?\d{2}))?$/;

function spanUs(text: string): number | undefined {
  const span = parseSpanUs(text, 1_000_000);
  return span === 'infinity' ? undefined : span;
}

/** Minutes east of Greenwich; undefined: local. */
function zoneMinutes(zone: string | undefined): number | undefined {
  if (zone === undefined) return undefined;
  if (zone === 'Z' || zone === 'UTC') return 0;
  const [, sign, hours, minutes] = /^([+-])(\d{2}):?(\d{2})$/.exec(zone)!;
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}

function dated(text: string, nowUs: number): number | undefined {
  const match = DATE.exec(text);
  if (match === null || text === '' || (match[1] === undefined && match[4] === undefined)) return undefined;
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone] = match;
  const east = zoneMinutes(zone);
  const now = new Date(nowUs / 1000 + (east ?? 0) * 60_000);
  const today =
    east === undefined
      ? [now.getFullYear(), now.getMonth(), now.getDate()]
      : [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
  const whole =
    year === undefined
      ? undefined
      : year.length === 2
        ? Number(year) + (Number(year) >= 69 ? 1900 : 2000)
        : Number(year);
  const parts = [
    whole ?? today[0]!,
    month === undefined ? today[1]! : Number(month) - 1,
    day === undefined ? today[2]! : Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  ] as const;
  if (parts[1] < 0 || parts[1] > 11 || parts[3] > 23 || parts[4] > 59 || parts[5] > 60) return undefined;
  const ms = east === undefined ? new Date(...parts).getTime() : Date.UTC(...parts) - east * 60_000;
  // 2026-02-31 would quietly become a day in March.
  const check = new Date(east === undefined ? ms : ms + east * 60_000);
  if ((east === undefined ? check.getDate() : check.getUTCDate()) !== parts[2]) return undefined;
  return ms * 1000 + Math.floor(Number(`0.${fraction || '0'}`) * 1_000_000);
}

/** Midnight, local time, some days from now. */
function midnight(nowUs: number, days: number): number {
  const now = new Date(nowUs / 1000);
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + days).getTime() * 1000;
}

/** A moment in µs since 1970; undefined: not understood. */
export function parseTimestamp(text: string, nowUs: number): number | undefined {
  const word = text.trim();
  switch (word) {
    case 'now':
      return nowUs;
    case 'today':
      return midnight(nowUs, 0);
    case 'yesterday':
      return midnight(nowUs, -1);
    case 'tomorrow':
      return midnight(nowUs, 1);
  }
  if (/^@\d+(\.\d{1,6})?$/.test(word)) return Math.round(Number(word.slice(1)) * 1_000_000);
  const relative = (span: string, sign: number): number | undefined => {
    const us = spanUs(span);
    return us === undefined ? undefined : nowUs + sign * us;
  };
  if (word.startsWith('-')) return relative(word.slice(1), -1);
  if (word.startsWith('+')) return relative(word.slice(1), 1);
  if (/\sago$/.test(word)) return relative(word.slice(0, -4), -1);
  if (/\sleft$/.test(word)) return relative(word.slice(0, -5), 1);
  if (/^in\s/.test(word)) return relative(word.slice(3), 1);
  return dated(word.replace(DAY, ''), nowUs);
}
