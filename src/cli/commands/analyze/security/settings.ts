/**
 * The settings of a service that its exposure depends on, as they end up: lists merged, defaults filled in, settings that
 * others bring along added. Source: systemd.exec(5), systemd.resource-control(5).
 */
import { CAPABILITIES } from '../../../../units/syntax/capability.ts';
import { type Prefix, parsePrefixes } from '../../../../units/syntax/ip.ts';
import { parseBoolean } from '../../../../units/syntax/scalar.ts';
import { parseSyscallFilter } from '../../../../units/syntax/syscall-filter.ts';
import { callsOf } from '../../../../units/syntax/syscall-names.ts';
import { NAMESPACES, parseFamily } from '../../../../units/syntax/vocabulary.ts';
import { plainWords } from '../../../../units/syntax/words.ts';
import type { ServiceSection, Unit } from '../../../../units/types.ts';

export interface Listed {
  /** Only these are allowed; otherwise these are denied. */
  readonly allow: boolean;
  readonly names: ReadonlySet<string>;
}

export interface Settings {
  readonly service: ServiceSection;
  /** A boolean by key; false where it is not set. */
  on(key: string): boolean;
  /** The last good value of a key that takes one of some words. */
  word(key: string, standard: string): string;
  /** Has default dependencies: it does not run early in boot or late in shutdown. */
  readonly ordinary: boolean;
  readonly root: boolean;
  readonly dynamicUser: boolean;
  /** It has a RootImage= other than the root directory. */
  readonly rootImage: boolean;
  readonly bounding: ReadonlySet<string>;
  readonly namespaces: ReadonlySet<string>;
  /** undefined: no filter. */
  readonly families: Listed | undefined;
  readonly calls: Listed | undefined;
  readonly architectures: ReadonlySet<string>;
  readonly allowedPrefixes: readonly Prefix[];
  readonly deniedPrefixes: readonly Prefix[];
  readonly filterPrograms: boolean;
  /** `device:access`. */
  readonly devices: readonly string[];
  readonly devicePolicy: string;
}

type Values = (key: string) => readonly string[];

/** Words that a key takes beside booleans. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  ProtectSystem: ['full', 'strict'],
  ProtectHome: ['read-only', 'tmpfs'],
  ProtectProc: ['default', 'noaccess', 'invisible', 'ptraceable'],
  ProcSubset: ['all', 'pid'],
  KeyringMode: ['inherit', 'private', 'shared'],
  DevicePolicy: ['auto', 'closed', 'strict'],
};

/** Words of all assignments since the last empty one. */
function gathered(values: readonly string[]): string[] {
  const out: string[] = [];
  for (const value of values) {
    if (value === '') out.length = 0;
    else out.push(...plainWords(value).map(({ text }) => text));
  }
  return out;
}

function namespaces(values: readonly string[]): ReadonlySet<string> {
  let allowed = new Set(NAMESPACES);
  let untouched = true;
  for (const value of values) {
    const truth = value === '' ? false : parseBoolean(value);
    if (truth !== undefined) {
      allowed = new Set(truth ? [] : NAMESPACES);
      untouched = value === '';
      continue;
    }
    const inverted = value.startsWith('~');
    const named = plainWords(inverted ? value.slice(1) : value).map(({ text }) => text);
    if (named.some((name) => !NAMESPACES.includes(name))) continue; // one that is unknown costs the whole assignment
    if (untouched) allowed = new Set(NAMESPACES.filter((name) => named.includes(name) !== inverted));
    else for (const name of named) inverted ? allowed.delete(name) : allowed.add(name);
    untouched = false;
  }
  return allowed;
}

function families(values: readonly string[]): Listed | undefined {
  let list: { allow: boolean; names: Set<string> } | undefined;
  for (const value of values) {
    if (value === '') list = undefined;
    else if (value === 'none') list = { allow: true, names: new Set() };
    else {
      const inverted = value.startsWith('~');
      // After none, too, the next list says what kind it is.
      if (list === undefined || (list.allow && list.names.size === 0)) list = { allow: !inverted, names: new Set() };
      for (const { text } of plainWords(inverted ? value.slice(1) : value)) {
        const name = parseFamily(text);
        if (name === undefined) continue;
        if (list.allow !== inverted) list.names.add(name);
        else list.names.delete(name);
      }
    }
  }
  return list?.allow === false && list.names.size === 0 ? undefined : list;
}

/** The calls of SystemCallFilter=; an allow list holds @default from the start. */
function calls(values: readonly string[]): Listed | undefined {
  let list: { allow: boolean; names: Set<string> } | undefined;
  for (const value of values) {
    if (value === '') {
      list = undefined;
      continue;
    }
    const inverted = value.startsWith('~');
    list ??= { allow: !inverted, names: new Set(inverted ? [] : callsOf('@default')) };
    const parsed = parseSyscallFilter(value, true, !list.allow || inverted);
    for (const { name } of parsed.entries)
      for (const call of name.startsWith('@') ? (callsOf(name) ?? []) : [name]) {
        if (list.allow !== inverted) list.names.add(call);
        else list.names.delete(call);
      }
  }
  return list?.allow === false && list.names.size === 0 ? undefined : list;
}

/** Capabilities that other settings take away (systemd.exec(5), each setting's last paragraph). */
const TAKEN: Readonly<Record<string, readonly string[]>> = {
  PrivateDevices: ['CAP_MKNOD', 'CAP_SYS_RAWIO'],
  ProtectKernelModules: ['CAP_SYS_MODULE'],
  ProtectKernelLogs: ['CAP_SYSLOG'],
  ProtectClock: ['CAP_SYS_TIME', 'CAP_WAKE_ALARM'],
};

/** Booleans that DynamicUser= brings along. */
const WITH_DYNAMIC_USER: ReadonlySet<string> = new Set([
  'PrivateTmp',
  'RemoveIPC',
  'NoNewPrivileges',
  'RestrictSUIDSGID',
]);

/** What setting up images takes. */
const IMAGE_DEVICES: readonly string[] = [
  ...[
    'block-device-mapper:rwm',
    'block-blkext:rwm',
    'block-loop:rwm',
    '/dev/mapper/control:rw',
    '/dev/loop-control:rw',
  ],
];

/** undefined: not a service. */
export function settingsOf(unit: Unit): Settings | undefined {
  const { service } = unit;
  if (service === undefined) return undefined;
  const values: Values = (key) =>
    (unit.raw[key] ?? []).filter(({ section }) => section === 'Service').map(({ value }) => value);
  const truth = (key: string): boolean =>
    values(key)
      .map(parseBoolean)
      .findLast((value) => value !== undefined) === true;
  const dynamicUser = truth('DynamicUser');
  const on = (key: string) => truth(key) || (dynamicUser && WITH_DYNAMIC_USER.has(key));
  const word = (key: string, standard: string): string => {
    const last = values(key)
      .map((value) => {
        const boolean = parseBoolean(value);
        if (WORDS[key]?.includes(value) === true) return value;
        return boolean === undefined || !/^Protect(System|Home)$/.test(key) ? undefined : boolean ? 'yes' : 'no';
      })
      .findLast((value) => value !== undefined);
    return last ?? standard;
  };
  const bounding = new Set(service.CapabilityBoundingSet ?? CAPABILITIES);
  for (const [key, taken] of Object.entries(TAKEN)) if (on(key)) for (const name of taken) bounding.delete(name);
  const prefixes = (key: string) => gathered(values(key)).flatMap((text) => parsePrefixes(text) ?? []);
  const devices: string[] = [];
  for (const value of values('DeviceAllow')) {
    const [device, access] = value.split(/\s+/);
    if (value === '') devices.length = 0;
    else if (/^(\/dev|\/run\/systemd\/inaccessible\/|char-|block-)/.test(value))
      devices.push(`${device}:${access ?? 'rwm'}`);
  }
  if (on('ProtectClock')) devices.push('char-rtc:r');
  const rootImage = !['', '/'].includes(values('RootImage').at(-1) ?? '');
  if (rootImage || values('MountImages').at(-1)) devices.push(...IMAGE_DEVICES);
  const policy = word('DevicePolicy', 'auto');
  return {
    service,
    on,
    word,
    dynamicUser,
    ordinary: unit.unit.DefaultDependencies,
    rootImage,
    root: service.User === 'root' || service.User === '0' || (service.User === '' && !dynamicUser),
    bounding,
    namespaces: namespaces(values('RestrictNamespaces')),
    families: families(values('RestrictAddressFamilies')),
    calls: calls(values('SystemCallFilter')),
    architectures: new Set(gathered(values('SystemCallArchitectures'))),
    allowedPrefixes: prefixes('IPAddressAllow'),
    deniedPrefixes: prefixes('IPAddressDeny'),
    filterPrograms:
      gathered(values('IPIngressFilterPath')).length > 0 || gathered(values('IPEgressFilterPath')).length > 0,
    devices,
    devicePolicy: policy === 'auto' && on('PrivateDevices') ? 'closed' : policy,
  };
}
