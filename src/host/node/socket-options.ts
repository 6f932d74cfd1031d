/**
 * Options of sockets and FIFOs by systemd's setting names (systemd.socket(5)), as rows of a table: where each goes in
 * setsockopt(2). Spans are milliseconds, or 'infinity'; sizes are bytes.
 */
import { HostError } from '../ports.ts';
import { addon } from './addon.ts';
import { attempt } from './errors.ts';

type Value = string | number | boolean;

/** Numbers of the Linux socket API: levels, then options (asm-generic; the same on x86-64 and arm64). */
const SOL_SOCKET = 1;
const IP = 0;
const TCP = 6;
const IPV6 = 41;
const NETLINK = 270;

interface Row {
  readonly level: number;
  readonly option: number;
  readonly value: (given: Value, about: string) => number | string;
  /** Tried first, for the privileged (SO_SNDBUFFORCE). */
  readonly force?: number;
  /** The same thing for IPv6: one of the two has to work. */
  readonly six?: number;
}

const flag = (given: Value): number => (given === true ? 1 : 0);

const count = (given: Value, about: string): number => {
  if (typeof given !== 'number' || !Number.isFinite(given)) throw new HostError('EINVAL', `${about}=${given}`);
  return Math.min(Math.max(Math.round(given), -0x8000_0000), 0x7fff_ffff);
};

/** A span to whole seconds, not less than one. */
const seconds = (given: Value, about: string): number =>
  given === 'infinity' ? 0x7fff_ffff : Math.max(1, Math.round(count(given, about) / 1000));

const text = (given: Value): string => String(given);

const SERVICE_CLASSES: Readonly<Record<string, number>> = {
  'low-delay': 0x10,
  throughput: 0x08,
  reliability: 0x04,
  'low-cost': 0x02,
};

const serviceClass = (given: Value, about: string): number =>
  SERVICE_CLASSES[String(given)] ?? count(typeof given === 'string' ? Number(given) : given, about);

const TABLE: Readonly<Record<string, Row>> = {
  KeepAlive: { level: SOL_SOCKET, option: 9, value: flag },
  KeepAliveTimeSec: { level: TCP, option: 4, value: seconds },
  KeepAliveIntervalSec: { level: TCP, option: 5, value: seconds },
  KeepAliveProbes: { level: TCP, option: 6, value: count },
  NoDelay: { level: TCP, option: 1, value: flag },
  DeferAcceptSec: { level: TCP, option: 9, value: seconds },
  TCPCongestion: { level: TCP, option: 13, value: text },
  ReceiveBuffer: { level: SOL_SOCKET, option: 8, value: count, force: 33 },
  SendBuffer: { level: SOL_SOCKET, option: 7, value: count, force: 32 },
  IPTOS: { level: IP, option: 1, value: serviceClass, six: 67 },
  IPTTL: { level: IP, option: 2, value: count, six: 16 },
  // After IPTOS, which sets a priority of its own in the kernel.
  Priority: { level: SOL_SOCKET, option: 12, value: count },
  Mark: { level: SOL_SOCKET, option: 36, value: count },
  ReusePort: { level: SOL_SOCKET, option: 15, value: flag },
  FreeBind: { level: IP, option: 15, value: flag, six: 78 },
  Transparent: { level: IP, option: 19, value: flag, six: 75 },
  Broadcast: { level: SOL_SOCKET, option: 6, value: flag },
  PassCredentials: { level: SOL_SOCKET, option: 16, value: flag },
  PassSecurity: { level: SOL_SOCKET, option: 34, value: flag },
  PassPacketInfo: { level: IP, option: 8, value: flag, six: 49 },
  BindToDevice: { level: SOL_SOCKET, option: 25, value: text },
  Timestamping: { level: SOL_SOCKET, option: 0, value: count },
};

/** SO_TIMESTAMP and SO_TIMESTAMPNS, by what Timestamping= may say. */
const TIMESTAMPING: Readonly<Record<string, number>> = { us: 29, usec: 29, µs: 29, ns: 35, nsec: 35 };

/** Options that are not set on the socket itself but used while it is made, or by another call. */
const ELSEWHERE = new Set([
  'BindIPv6Only',
  'PipeSize',
  'MessageQueueMaxMessages',
  'MessageQueueMessageSize',
  'SocketProtocol',
  'Writable',
]);

/**
 * Set what `options` says, skipping what is false or empty (the kernel's default then). Throws HostError with the option's name;
 * EINVAL for a name that is not an option.
 */
export function setOptions(fd: number, options: Readonly<Record<string, Value>>): void {
  for (const name of Object.keys(options)) {
    if (TABLE[name] === undefined && !ELSEWHERE.has(name))
      throw new HostError('EINVAL', `socket option ${name}: not an option of sockets`);
  }
  // In the table's order, so that the outcome does not depend on that of the unit file.
  for (const [name, row] of Object.entries(TABLE)) {
    const given = options[name];
    if (given === undefined || given === false || given === '' || given === 'off') continue;
    if (name === 'Timestamping') {
      const option = TIMESTAMPING[String(given)];
      if (option === undefined) throw new HostError('EINVAL', `Timestamping=${given}`);
      attempt(name, () => addon.setSocketOption(fd, SOL_SOCKET, option, 1));
      continue;
    }
    setOne(fd, name, row, row.value(given, name));
  }
}

function setOne(fd: number, name: string, row: Row, value: number | string): void {
  const set = (level: number, option: number) =>
    typeof value === 'string'
      ? addon.setSocketOptionText(fd, level, option, value)
      : addon.setSocketOption(fd, level, option, value);
  if (row.force !== undefined && works(() => set(row.level, row.force as number))) return;
  if (row.six === undefined) {
    attempt(`socket option ${name}`, () => set(row.level, row.option));
    return;
  }
  const six = works(() => set(IPV6, row.six as number));
  try {
    set(row.level, row.option);
  } catch (cause) {
    if (!six)
      attempt(`socket option ${name}`, () => {
        throw cause;
      });
  }
}

function works(work: () => void): boolean {
  try {
    work();
    return true;
  } catch {
    // The other way of the two is tried, and its error is the one that counts.
    return false;
  }
}

/** NETLINK_PASSCRED and SO_REUSEADDR, for the maker of sockets. */
export const SOCKET = { sol: SOL_SOCKET, reuseAddress: 2, ipv6: IPV6, ipv6Only: 26, netlink: NETLINK } as const;
