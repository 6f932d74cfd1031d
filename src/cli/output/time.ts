/**
 * Times and spans in systemd's words (systemd.time(7)): `Sun 2026-11-22 03:00:00 UTC`, `3min ago`, `1min 30s`.
 */
import { PlainFiles } from '../../host/node/plain-files.ts';
import { counted } from '../../units/counted.ts';
import { formatSpanUs } from '../../units/syntax/timespan.ts';
import { momentText } from '../../units/time/timestamp.ts';
import { type Zones, zonesOf } from '../../units/time/zones.ts';

export const US = {
  ms: 1000,
  s: 1e6,
  min: 6e7,
  h: 3.6e9,
  d: 8.64e10,
  w: 6.048e11,
  month: 2.6298e12,
  y: 3.15576e13,
} as const;

let known: { readonly tz: string | undefined; readonly zones: Zones } | undefined;

/** The zones of this machine and this process: TZ, or /etc/localtime. Read when first asked for. */
export function localZones(tz: string | undefined = process.env['TZ']): Zones {
  if (known === undefined || known.tz !== tz) known = { tz, zones: zonesOf(new PlainFiles(), tz) };
  return known.zones;
}

/** Local time: `Sun 2026-11-22 03:00:00 UTC`. */
export const dateText = (realUs: number): string => momentText(BigInt(Math.floor(realUs)), localZones().local);

/** How long ago, or how long until: `3min ago`, `1 week 2 days left`. */
export function agoText(realUs: number, nowUs: number): string {
  const span = Math.abs(nowUs - realUs);
  const end = realUs > nowUs ? 'left' : 'ago';
  const whole = (unit: number): number => Math.floor(span / unit);
  const pair = (big: number, bigWord: string, small: number, smallWord: string): string =>
    `${counted(whole(big), bigWord)} ${counted(Math.floor((span % big) / small), smallWord)} ${end}`;
  if (span >= US.y) return pair(US.y, 'year', US.month, 'month');
  if (span >= US.month) return pair(US.month, 'month', US.d, 'day');
  if (span >= US.w) return pair(US.w, 'week', US.d, 'day');
  if (span >= 2 * US.d) return `${counted(whole(US.d), 'day')} ${end}`;
  if (span >= 25 * US.h) return `1 day ${Math.floor((span - US.d) / US.h)}h ${end}`;
  if (span >= 6 * US.h) return `${whole(US.h)}h ${end}`;
  if (span >= US.h) return `${whole(US.h)}h ${Math.floor((span % US.h) / US.min)}min ${end}`;
  if (span >= 5 * US.min) return `${whole(US.min)}min ${end}`;
  if (span >= US.min) return `${whole(US.min)}min ${Math.floor((span % US.min) / US.s)}s ${end}`;
  if (span >= US.s) return `${whole(US.s)}s ${end}`;
  if (span >= US.ms) return `${whole(US.ms)}ms ${end}`;
  return span > 0 ? `${span}us ${end}` : 'now';
}

/** A span in µs: `1min 30s`, `1.234s`. What is below `accuracyUs` is left out, unless it is all there is. */
export const spanText = (spanUs: number, accuracyUs = 1): string => formatSpanUs(spanUs, accuracyUs);
