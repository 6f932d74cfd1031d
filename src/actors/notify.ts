/**
 * What a datagram on a notify socket says.
 *
 * Total: any text gives a message and the list of lines that were not understood. Source: sd_notify(3).
 */

/** The assignments of one datagram; absent: not said. Times in microseconds, as sent. */
export interface NotifyMessage {
  readonly ready?: true;
  readonly reloading?: true;
  readonly stopping?: true;
  readonly status?: string;
  readonly errno?: number;
  readonly busError?: string;
  readonly exitStatus?: number;
  readonly mainPid?: number;
  readonly watchdog?: 'ping' | 'trigger';
  readonly watchdogUsec?: number;
  readonly extendTimeoutUsec?: number;
  readonly monotonicUsec?: number;
  readonly notifyAccess?: 'none' | 'main' | 'exec' | 'all';
  readonly fdstore?: true;
  readonly fdstoreremove?: true;
  readonly fdname?: string;
  readonly barrier?: true;
}

type Writable = { -readonly [Key in keyof NotifyMessage]: NotifyMessage[Key] };

/** A number of decimal digits that fits a double exactly; undefined otherwise. */
function digits(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

const flag =
  (key: 'ready' | 'reloading' | 'stopping' | 'fdstore' | 'fdstoreremove' | 'barrier') =>
  (into: Writable, value: string) => {
    if (value !== '1') return false;
    into[key] = true;
    return true;
  };

const count =
  (key: 'errno' | 'exitStatus' | 'mainPid' | 'watchdogUsec' | 'extendTimeoutUsec' | 'monotonicUsec') =>
  (into: Writable, value: string) => {
    const number = digits(value);
    if (number === undefined) return false;
    into[key] = number;
    return true;
  };

const readers: Readonly<Record<string, (into: Writable, value: string) => boolean>> = {
  READY: flag('ready'),
  RELOADING: flag('reloading'),
  STOPPING: flag('stopping'),
  FDSTORE: flag('fdstore'),
  FDSTOREREMOVE: flag('fdstoreremove'),
  BARRIER: flag('barrier'),
  ERRNO: count('errno'),
  EXIT_STATUS: count('exitStatus'),
  MAINPID: count('mainPid'),
  WATCHDOG_USEC: count('watchdogUsec'),
  EXTEND_TIMEOUT_USEC: count('extendTimeoutUsec'),
  MONOTONIC_USEC: count('monotonicUsec'),
  STATUS: (into, value) => {
    into.status = value;
    return true;
  },
  BUSERROR: (into, value) => {
    into.busError = value;
    return true;
  },
  FDNAME: (into, value) => {
    if (value.length === 0 || value.length > 255 || value.includes(':')) return false;
    into.fdname = value;
    return true;
  },
  FDPOLL: (_into, value) => value === '0' || value === '1',
  NOTIFYACCESS: (into, value) => {
    if (value !== 'none' && value !== 'main' && value !== 'exec' && value !== 'all') return false;
    into.notifyAccess = value;
    return true;
  },
  WATCHDOG: (into, value) => {
    if (value !== '1' && value !== 'trigger') return false;
    into.watchdog = value === '1' ? 'ping' : 'trigger';
    return true;
  },
};

/** Read a datagram; later assignments win, `X_` ones are the service's own business. */
export function parseNotify(text: string): { message: NotifyMessage; unknown: string[] } {
  const message: Writable = {};
  const unknown: string[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const at = line.indexOf('=');
    const key = at < 0 ? line : line.slice(0, at);
    const read = Object.hasOwn(readers, key) ? readers[key] : undefined;
    if (at < 0 || read === undefined || !read(message, line.slice(at + 1))) {
      if (!key.startsWith('X_')) unknown.push(line.slice(0, 200));
    }
  }
  return { message, unknown };
}
