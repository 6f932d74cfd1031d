/**
 * Resource limits: `65536`, `1G:2G`, `infinity`, with the unit each limit counts in.
 * Source: systemd.exec(5), "Process Properties", LimitCPU= and following.
 */
import { parseInteger } from './scalar.ts';
import { parseSize } from './size.ts';
import { parseSpanUs } from './timespan.ts';

export interface Limit {
  /** Null: infinity. */
  readonly soft: number | null;
  readonly hard: number | null;
}

/** Names without `Limit`, with what they count. */
export const LIMITS = {
  CPU: 'seconds',
  FSIZE: 'bytes',
  DATA: 'bytes',
  STACK: 'bytes',
  CORE: 'bytes',
  RSS: 'bytes',
  NOFILE: 'count',
  AS: 'bytes',
  NPROC: 'count',
  MEMLOCK: 'bytes',
  LOCKS: 'count',
  SIGPENDING: 'count',
  MSGQUEUE: 'bytes',
  NICE: 'nice',
  RTPRIO: 'count',
  RTTIME: 'microseconds',
} as const;

export type LimitName = keyof typeof LIMITS;

/** One value for both, or `soft:hard`; a soft limit above the hard one is no limit at all. */
export function parseLimit(text: string, name: LimitName): Limit | undefined {
  const colon = text.indexOf(':');
  const soft = parseOne(colon < 0 ? text : text.slice(0, colon), name);
  const hard = colon < 0 ? soft : parseOne(text.slice(colon + 1), name);
  if (soft === undefined || hard === undefined) return undefined;
  if (hard !== null && (soft === null || soft > hard)) return undefined;
  return { soft, hard };
}

function parseOne(text: string, name: LimitName): number | null | undefined {
  const trimmed = text.trim();
  if (trimmed === 'infinity') return name === 'NICE' ? undefined : null;
  switch (LIMITS[name]) {
    case 'bytes':
      return parseSize(trimmed);
    case 'count':
      return parseInteger(trimmed, 0, Number.MAX_SAFE_INTEGER);
    case 'seconds': {
      const us = parseSpanUs(trimmed, 1_000_000);
      return us === 'infinity' ? null : us === undefined ? undefined : Math.ceil(us / 1_000_000);
    }
    case 'microseconds': {
      const us = parseSpanUs(trimmed, 1);
      return us === 'infinity' ? null : us;
    }
    case 'nice': {
      // +N and -N are nice levels, a bare number is the raw limit (20 - level).
      if (/^[+-]/.test(trimmed)) {
        const level = parseInteger(trimmed, -20, 19);
        return level === undefined ? undefined : 20 - level;
      }
      return parseInteger(trimmed, 0, 40);
    }
  }
}
