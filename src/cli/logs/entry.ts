/**
 * One log line. Files hold JSON Lines, one entry a line:
 *
 *   {"t":1795316400000000,"m":3600000000,"p":6,"u":"web.service","i":"web","pid":42,"inv":"…","msg":"text"}
 *
 * `t` CLOCK_REALTIME and `m` CLOCK_MONOTONIC in µs, `p` priority (syslog(3)), `u` unit, `i` identifier, `inv`
 * invocation id; `b64` instead of `msg` where the bytes are not UTF-8. Written by native/logd (src/record.rs).
 */

export interface Entry {
  readonly t: number;
  readonly m: number;
  readonly p: number;
  readonly u: string;
  readonly i: string;
  readonly pid: number | undefined;
  readonly inv: string;
  readonly msg: string;
}

/** Undefined: the line is torn or no entry. Only `t` and a message are needed. */
export function parseEntry(line: string): Entry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { t, m, p, u, i, pid, inv, msg, b64 } = value as Record<string, unknown>;
  if (typeof t !== 'number') return undefined;
  const text =
    typeof msg === 'string' ? msg : typeof b64 === 'string' ? Buffer.from(b64, 'base64').toString('latin1') : undefined;
  if (text === undefined) return undefined;
  return {
    t,
    m: typeof m === 'number' ? m : 0,
    p: typeof p === 'number' ? p : 6,
    u: typeof u === 'string' ? u : '',
    i: typeof i === 'string' ? i : '',
    pid: typeof pid === 'number' ? pid : undefined,
    inv: typeof inv === 'string' ? inv : '',
    msg: text,
  };
}

const PRIORITIES = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'];
const ALIASES: Readonly<Record<string, number>> = { panic: 0, error: 3, warn: 4 };

/** A level by name or number; undefined: none. */
function priority(word: string): number | undefined {
  if (/^[0-7]$/.test(word)) return Number(word);
  const at = PRIORITIES.indexOf(word);
  return at >= 0 ? at : Object.hasOwn(ALIASES, word) ? ALIASES[word] : undefined;
}

/** `err`, `3`, `warning..err`: a test; undefined: not understood. */
export function priorityTest(text: string): ((p: number) => boolean) | undefined {
  const [from = '', to] = text.split('..');
  const first = priority(from);
  const second = to === undefined ? 0 : priority(to);
  if (first === undefined || second === undefined) return undefined;
  const [low, high] = first < second ? [first, second] : [second, first];
  return (p) => p >= low && p <= high;
}
