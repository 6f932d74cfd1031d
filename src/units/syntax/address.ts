/**
 * What a socket listens on.
 * Source: systemd.socket(5), ListenStream= and following.
 */
import { simplifyPath } from '../names.ts';
import type { Listen } from '../types.ts';
import { pathFault } from './path.ts';
import { parseInteger } from './scalar.ts';

/** sun_path without its NUL. */
const UNIX_PATH_MAX = 107;

/** Netlink families by name (systemd.socket(5), ListenNetlink=; netlink(7)). */
const NETLINK_FAMILIES: ReadonlySet<string> = new Set([
  'route',
  'firewall',
  'inet-diag',
  'nflog',
  'xfrm',
  'selinux',
  'iscsi',
  'audit',
  'fib-lookup',
  'connector',
  'netfilter',
  'ip6-fw',
  'dnrtmsg',
  'kobject-uevent',
  'scsitransport',
  'rdma',
  'generic',
]);

/** Why an address cannot be listened on; the address in its plain form if it can. */
export function parseListen(kind: Listen['kind'], text: string): Listen | { readonly fault: string } {
  switch (kind) {
    case 'fifo':
    case 'special': {
      const fault = pathFault(text);
      return fault === undefined ? { kind, address: simplifyPath(text) } : { fault };
    }
    case 'message-queue':
      return pathFault(text) === undefined ? { kind, address: text } : { fault: 'not /name' };
    case 'netlink': {
      const words = text.split(/\s+/);
      const family = words[0] ?? '';
      const group = words[1] ?? '0';
      const known = NETLINK_FAMILIES.has(family) || parseInteger(family, 0, 2 ** 31 - 1) !== undefined;
      if (words.length > 2 || !known || parseInteger(group, 0, 2 ** 32 - 1) === undefined)
        return { fault: 'not a netlink family and group' };
      return { kind, address: words.length === 2 ? `${family} ${group}` : family };
    }
    default:
      return socketAddress(kind, text);
  }
}

function socketAddress(kind: 'stream' | 'datagram' | 'seqpacket', text: string): Listen | { readonly fault: string } {
  if (text.startsWith('/')) {
    if (text === '/') return { fault: 'the root directory is no socket' };
    if (text.length > UNIX_PATH_MAX) return { fault: `longer than the ${UNIX_PATH_MAX} characters of a socket path` };
    return { kind, address: simplifyPath(text) };
  }
  if (text.startsWith('@')) {
    if (text.length < 2 || text.length > UNIX_PATH_MAX + 1) return { fault: 'not an abstract socket name' };
    return { kind, address: text };
  }
  if (kind === 'seqpacket') return { fault: 'sequential packets need a path or an @abstract name' };
  if (text.startsWith('vsock:')) {
    const match = /^vsock:([0-9]*):([0-9]+)$/.exec(text);
    return match === null ? { fault: 'not vsock:CID:PORT' } : { kind, address: text };
  }
  if (/^[+0-9][0-9a-zA-Z]*$/.test(text))
    return port(text) ? { kind, address: text } : { fault: 'not a port from 1 to 65535' };
  if (text.startsWith('[')) {
    const match = /^\[([0-9a-fA-F:.]+)\]:([0-9]+)(?:%([A-Za-z0-9_.:-]+))?$/.exec(text);
    if (match === null || !isIpv6(match[1] ?? '')) return { fault: 'not [IPv6 address]:port' };
    return port(match[2] ?? '') ? { kind, address: text } : { fault: 'not a port from 1 to 65535' };
  }
  const match = /^([0-9.]+):([0-9]+)$/.exec(text);
  if (match === null || !isIpv4(match[1] ?? ''))
    return { fault: 'not a path, @name, port, IPv4:port, [IPv6]:port or vsock:CID:port' };
  return port(match[2] ?? '') ? { kind, address: text } : { fault: 'not a port from 1 to 65535' };
}

function port(text: string): boolean {
  return parseInteger(text, 1, 65_535) !== undefined || (Number(text) >= 1 && Number(text) <= 65_535);
}

/** Four decimal numbers up to 255. */
export function isIpv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^[0-9]{1,3}$/.test(part) && Number(part) <= 255);
}

/** Eight groups of hex digits, `::` once for a run of zeros, the last two possibly as IPv4. */
export function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2 || text.length > 45) return false;
  let groups = 0;
  for (const [index, half] of halves.entries()) {
    if (half === '') continue;
    const parts = half.split(':');
    for (const [place, part] of parts.entries()) {
      const last = index === halves.length - 1 && place === parts.length - 1;
      if (last && part.includes('.')) {
        if (!isIpv4(part)) return false;
        groups += 2;
      } else {
        if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return false;
        groups += 1;
      }
    }
  }
  return halves.length === 2 ? groups <= 7 : groups === 8;
}

/** Whether a listener can accept connections: streams and sequential packets can (systemd.socket(5), Accept=). */
export function canAccept(listen: Listen): boolean {
  return listen.kind === 'stream' || listen.kind === 'seqpacket';
}

/** The path a listener has in the file system; undefined: none. */
export function listenPath(listen: Listen): string | undefined {
  return listen.address.startsWith('/') && listen.kind !== 'message-queue' && listen.kind !== 'netlink'
    ? listen.address
    : undefined;
}
