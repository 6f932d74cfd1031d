/**
 * Words that settings of systemd.exec(5) know: namespaces, address families, secure bits, log levels, schedulers …
 * Each list is in the order of the numbers it stands for, where it stands for numbers.
 */
import { parseInteger } from './scalar.ts';

/** RestrictNamespaces=. */
export const NAMESPACES: readonly string[] = ['cgroup', 'ipc', 'net', 'mnt', 'pid', 'user', 'uts', 'time'];

export const SECURE_BITS: readonly string[] = [
  'keep-caps',
  'keep-caps-locked',
  'no-setuid-fixup',
  'no-setuid-fixup-locked',
  'noroot',
  'noroot-locked',
];

/** syslog(3), from emerg (0) to debug (7). */
export const LOG_LEVELS: readonly string[] = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'];

/** syslog(3), from kern (0); 12 to 15 have no names. */
const FACILITIES: readonly string[] = [
  ...['kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv', 'ftp'],
  ...['', '', '', '', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7'],
];

/** sched(7). */
const CPU_POLICIES: readonly string[] = ['other', 'fifo', 'rr', 'batch', '', 'idle'];
/** ioprio_set(2). */
const IO_CLASSES: readonly string[] = ['none', 'realtime', 'best-effort', 'idle'];

/** A name of the list, or its number where `most` is not passed; undefined: neither. */
function named(list: readonly string[], text: string, most: number): number | undefined {
  const index = text === '' ? -1 : list.indexOf(text);
  return index >= 0 ? index : parseInteger(text, 0, most);
}

export const parseLogLevel = (text: string): number | undefined => named(LOG_LEVELS, text, 7);
export const parseLogFacility = (text: string): number | undefined => named(FACILITIES, text, 127);
export const LOG_FACILITIES: readonly string[] = FACILITIES.filter((name) => name !== '');

/** A scheduling policy by name; a number without a name stays a number, which the kernel may refuse. */
export function parseCpuPolicy(text: string): string | undefined {
  const number = named(CPU_POLICIES, text, 2_147_483_647);
  return number === undefined ? undefined : CPU_POLICIES[number] || String(number);
}
export const CPU_POLICY_NAMES: readonly string[] = CPU_POLICIES.filter((name) => name !== '');

/** An I/O class by name; numbers up to 8, those above 3 stay numbers. */
export function parseIoClass(text: string): string | undefined {
  const number = named(IO_CLASSES, text, 8);
  return number === undefined ? undefined : (IO_CLASSES[number] ?? String(number));
}
export const IO_CLASS_NAMES = IO_CLASSES;

/** What goes into a core dump (core(5), /proc/PID/coredump_filter): names, hexadecimal masks, `default` and `all`. */
const DUMPED: readonly string[] = [
  'private-anonymous',
  'shared-anonymous',
  'private-file-backed',
  'shared-file-backed',
  'elf-headers',
  'private-huge',
  'shared-huge',
  'private-dax',
  'shared-dax',
];
export const COREDUMP_WORDS: readonly string[] = [...DUMPED, 'default', 'all'];

/** One word of CoredumpFilter= as a mask. */
export function parseDumped(text: string): number | undefined {
  if (text === 'default') return 0x33;
  if (text === 'all') return 0x1ff;
  const bit = DUMPED.indexOf(text);
  if (bit >= 0) return 2 ** bit;
  return /^\+?(0[xX])?[0-9a-fA-F]{1,16}$/.test(text)
    ? Number.parseInt(text.replace(/^\+?(0[xX])?/, ''), 16)
    : undefined;
}

/** socket(2) families by name, in the order of address_families(7). */
const FAMILIES = `
AF_UNIX AF_INET AF_AX25 AF_IPX AF_APPLETALK AF_NETROM AF_BRIDGE AF_ATMPVC AF_X25 AF_INET6 AF_ROSE AF_DECnet AF_NETBEUI
AF_SECURITY AF_KEY AF_NETLINK AF_PACKET AF_ASH AF_ECONET AF_ATMSVC AF_RDS AF_SNA AF_IRDA AF_PPPOX AF_WANPIPE AF_LLC
AF_IB AF_MPLS AF_CAN AF_TIPC AF_BLUETOOTH AF_IUCV AF_RXRPC AF_ISDN AF_PHONET AF_IEEE802154 AF_CAIF AF_ALG AF_NFC
AF_VSOCK AF_KCM AF_QIPCRTR AF_SMC AF_XDP AF_MCTP`;

/** Other names of the same families. */
const SAME_FAMILY: Readonly<Record<string, string>> = {
  AF_LOCAL: 'AF_UNIX',
  AF_FILE: 'AF_UNIX',
  AF_ROUTE: 'AF_NETLINK',
};

let families: ReadonlySet<string> | undefined;

/** The name of a family; undefined: none that sockets can have. */
export function parseFamily(text: string): string | undefined {
  families ??= new Set(FAMILIES.trim().split(/\s+/));
  const name = (Object.hasOwn(SAME_FAMILY, text) ? SAME_FAMILY[text] : undefined) ?? text;
  return families.has(name) ? name : undefined;
}

/** Where a BPF program can be attached (systemd.resource-control(5), BPFProgram=). */
export const BPF_ATTACH_TYPES: readonly string[] = [
  ...['egress', 'ingress', 'sock_create', 'sock_ops', 'device', 'bind4', 'bind6', 'connect4', 'connect6'],
  ...['post_bind4', 'post_bind6', 'sendmsg4', 'sendmsg6', 'sysctl', 'recvmsg4', 'recvmsg6', 'getsockopt', 'setsockopt'],
];

/** Partitions of an image (systemd.exec(5), RootImageOptions=). */
export const PARTITIONS: readonly string[] = [
  ...['root', 'root-secondary', 'usr', 'usr-secondary', 'home', 'srv', 'esp', 'xbootldr', 'swap', 'root-verity'],
  ...['root-secondary-verity', 'usr-verity', 'usr-secondary-verity', 'root-verity-sig', 'root-secondary-verity-sig'],
  ...['usr-verity-sig', 'usr-secondary-verity-sig', 'tmp', 'var'],
];

/** Groups of file systems (systemd-analyze(1), filesystems; systemd.exec(5), RestrictFileSystems=). */
export const FILESYSTEM_GROUPS: readonly string[] = [
  ...['@basic-api', '@anonymous', '@application', '@auxiliary-api', '@common-block', '@historical-block', '@network'],
  ...['@privileged-api', '@security', '@temporary', '@known'],
];
