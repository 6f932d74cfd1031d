/**
 * Devices: which ones a unit may use, and limits of I/O for one.
 * Source: systemd.resource-control(5), DeviceAllow=, IODeviceWeight=, IOReadBandwidthMax= and following.
 */
import { isNormalPath, simplifyPath } from '../names.ts';
import type { Span } from '../types.ts';
import { pathFault } from './path.ts';
import { parseInteger } from './scalar.ts';
import { parseSize } from './size.ts';
import { parseSpan } from './timespan.ts';
import { nextWord } from './words.ts';

export interface DeviceRule {
  /** A node below /dev, or `char-`/`block-` with the name of a driver or a pattern. */
  readonly device: string;
  /** Of r, w and m; empty where nothing is said, which means all of them. */
  readonly access: string;
}

export type Fault = { readonly fault: string };

/** What is left of a value after its first word, without the white space between. */
function afterFirst(value: string): { readonly first: string; readonly rest: string } | Fault {
  const word = nextWord(value, 0, { quotes: true });
  if (word === undefined) return { fault: 'empty' };
  if ('fault' in word) return { fault: word.fault };
  return { first: word.text, rest: value.slice(word.end).trim() };
}

/** `/dev/null rw`, `char-pts`, `block-loop r`; `expand` resolves specifiers of the device. */
export function parseDeviceRule(
  value: string,
  expand: (text: string) => string | undefined,
): DeviceRule | Fault | undefined {
  const split = afterFirst(value);
  if ('fault' in split) return split;
  const device = expand(split.first);
  if (device === undefined) return undefined;
  const known = /^(char|block)-/.test(device);
  if (!known) {
    const fault = pathFault(device);
    const plain = fault === undefined ? simplifyPath(device) : device;
    if (fault !== undefined && device.startsWith('/')) return { fault };
    if (plain !== '/dev' && !plain.startsWith('/dev/') && !plain.startsWith('/run/systemd/inaccessible/'))
      return { fault: 'neither a device node below /dev nor char-NAME or block-NAME' };
  }
  if (!/^[rwm]*$/.test(split.rest)) return { fault: `${split.rest}: not a kind of access` };
  return { device: known ? device : simplifyPath(device), access: split.rest };
}

export type DeviceLimitKind = 'weight' | 'rate' | 'latency';
export type DeviceLimit = { readonly path: string; readonly value: Span };

/** `PATH VALUE`: a weight of 1 to 10000, bytes or operations a second (powers of 1000), or a latency. */
export function parseDeviceLimit(
  value: string,
  kind: DeviceLimitKind,
  expand: (text: string) => string | undefined,
): DeviceLimit | Fault | undefined {
  const split = afterFirst(value);
  if ('fault' in split) return split;
  if (split.rest === '') return { fault: 'not a path and a value' };
  const path = expand(split.first);
  if (path === undefined) return undefined;
  if (!isNormalPath(simplifyPath(path))) return { fault: 'a path with ..' };
  const parsed = limit(split.rest, kind);
  return parsed === undefined
    ? {
        fault: `${split.rest}: ${{ weight: 'not a weight from 1 to 10000', rate: 'not a rate', latency: 'not a time span' }[kind]}`,
      }
    : { path: simplifyPath(path), value: parsed };
}

function limit(text: string, kind: DeviceLimitKind): Span | undefined {
  if (kind === 'weight') return parseInteger(text, 1, 10_000);
  if (kind === 'latency') return parseSpan(text);
  if (text === 'infinity') return 'infinity';
  const rate = parseSize(text, 1000);
  return rate === 0 ? undefined : rate;
}
