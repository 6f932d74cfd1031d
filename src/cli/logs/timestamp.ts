/** Moments as people write them for --since and --until: systemd.time(7), "Parsing Timestamps", and RFC 3339 as other programs print it. */
import { parseMoment } from '../../units/time/timestamp.ts';
import type { Zones } from '../../units/time/zones.ts';

const RFC_3339 = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;

/** A moment in µs since 1970; undefined: not understood. */
export function parseTimestamp(text: string, nowUs: number, zones: Zones): number | undefined {
  const word = text.trim();
  if (RFC_3339.test(word)) return Number.isNaN(Date.parse(word)) ? undefined : Date.parse(word) * 1000;
  const moment = parseMoment(word, BigInt(Math.floor(nowUs)), zones);
  return 'fault' in moment ? undefined : Number(moment.value);
}
