/**
 * IP addresses with prefixes, and the names for well-known ranges; network interfaces; ports to bind.
 * Source: systemd.resource-control(5), IPAddressAllow=, SocketBindAllow=, RestrictNetworkInterfaces=.
 */
import { isIpv4, isIpv6 } from './address.ts';
import { parseInteger } from './scalar.ts';

/** `address/length`, always with its length. */
export interface Prefix {
  readonly family: 4 | 6;
  readonly address: string;
  readonly length: number;
}

/** Names for several prefixes at once. */
export const PREFIX_NAMES: Readonly<Record<string, readonly Prefix[]>> = {
  any: [
    { family: 4, address: '0.0.0.0', length: 0 },
    { family: 6, address: '::', length: 0 },
  ],
  localhost: [
    { family: 4, address: '127.0.0.0', length: 8 },
    { family: 6, address: '::1', length: 128 },
  ],
  'link-local': [
    { family: 4, address: '169.254.0.0', length: 16 },
    { family: 6, address: 'fe80::', length: 64 },
  ],
  multicast: [
    { family: 4, address: '224.0.0.0', length: 4 },
    { family: 6, address: 'ff00::', length: 8 },
  ],
};

/** One word: a name, or an address with or without `/length`. Undefined: neither. */
export function parsePrefixes(text: string): readonly Prefix[] | undefined {
  if (Object.hasOwn(PREFIX_NAMES, text)) return PREFIX_NAMES[text];
  const slash = text.indexOf('/');
  const address = slash < 0 ? text : text.slice(0, slash);
  const family = isIpv4(address) && !/(^|\.)0[0-9]/.test(address) ? 4 : isIpv6(address) ? 6 : undefined;
  if (family === undefined) return undefined;
  const most = family === 4 ? 32 : 128;
  if (slash < 0) return [{ family, address, length: most }];
  const length = parseInteger(text.slice(slash + 1), 0, most);
  return length === undefined ? undefined : [{ family, address, length }];
}

/** Names of interfaces and their aliases: 15 characters, none of the kernel's special ones, not a number (netdevice(7)). */
export function isInterfaceName(text: string): boolean {
  if (text === '' || text.length > 15 || text === '.' || text === '..') return false;
  if (text === 'all' || text === 'default') return false;
  if (/^\+?[0-9]+$/.test(text) || parseInteger(text, 0, 4_294_967_295) !== undefined) return false;
  return /^[!-~]+$/.test(text) && !/[:/%]/.test(text);
}

/** What SocketBindAllow= and SocketBindDeny= name. */
export interface BindRule {
  readonly family: 'ipv4' | 'ipv6' | undefined;
  readonly protocol: 'tcp' | 'udp' | undefined;
  /** First and last port; undefined: all. */
  readonly ports: readonly [first: number, last: number] | undefined;
}

/** `[family:][protocol:][ports]`, `any` for all. Undefined: none of these. */
export function parseBindRule(text: string): BindRule | undefined {
  const parts = text.split(':');
  const family = parts[0] === 'ipv4' || parts[0] === 'ipv6' ? parts.shift() : undefined;
  const protocol = parts[0] === 'tcp' || parts[0] === 'udp' ? parts.shift() : undefined;
  const rest = parts.length > 0 ? parts.join(':') : undefined;
  const rule = { family, protocol } as Pick<BindRule, 'family' | 'protocol'>;
  if (rest === undefined || rest === 'any')
    return rest === undefined && family === undefined && protocol === undefined
      ? undefined
      : { ...rule, ports: undefined };
  const dash = rest.indexOf('-');
  const first = port(dash < 0 ? rest : rest.slice(0, dash));
  const last = dash < 0 ? first : port(rest.slice(dash + 1));
  if (first === undefined || last === undefined || last < first) return undefined;
  return { ...rule, ports: [first, last] };
}

function port(text: string): number | undefined {
  return parseInteger(text, 1, 65_535);
}
