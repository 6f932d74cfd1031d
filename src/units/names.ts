/**
 * Unit names: what is one, what it is made of, and how strings and paths are escaped to fit into one.
 * Source: systemd.unit(5), "Description" and "String escaping for inclusion in unit names"; systemd-escape(1).
 */
import type { UnitType } from './types.ts';
import { decodeUtf8, encodeUtf8 } from './utf8.ts';

/** Longest name, suffix included. */
export const NAME_LENGTH_MAX = 255;

export const UNIT_TYPES: readonly UnitType[] = [
  'service',
  'socket',
  'target',
  'slice',
  'scope',
  'mount',
  'automount',
  'swap',
  'timer',
  'path',
  'device',
];

const TYPE_SET: ReadonlySet<string> = new Set(UNIT_TYPES);

/** `plain` a.service, `template` a@.service, `instance` a@b.service. */
export type NameKind = 'plain' | 'template' | 'instance';

export interface UnitName {
  readonly name: string;
  readonly type: UnitType;
  readonly kind: NameKind;
  /** Before the `@`, or before the suffix. */
  readonly prefix: string;
  /** Between `@` and suffix; empty for plain names and templates. */
  readonly instance: string;
}

/** Letters, digits and `:-_.\`; the `@` is looked at apart. */
function isNameChar(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    (code >= 48 && code <= 58) ||
    code === 45 ||
    code === 95 ||
    code === 46 ||
    code === 92
  );
}

/** The name that was taken apart last: of a unit that is loaded, several ask in a row. */
let last: UnitName | undefined;

/** Take a name apart; undefined: it is not a unit name. */
export function parseName(name: string): UnitName | undefined {
  if (last?.name !== name) last = takeApart(name);
  return last;
}

function takeApart(name: string): UnitName | undefined {
  if (name.length > NAME_LENGTH_MAX) return undefined;
  const dot = name.lastIndexOf('.');
  if (dot <= 0) return undefined;
  const type = name.slice(dot + 1);
  if (!TYPE_SET.has(type)) return undefined;
  let at = -1;
  for (let i = 0; i < dot; i++) {
    const code = name.charCodeAt(i);
    if (code === 64) {
      if (at < 0) at = i;
    } else if (!isNameChar(code)) return undefined;
  }
  if (at === 0) return undefined;
  const prefix = name.slice(0, at < 0 ? dot : at);
  const instance = at < 0 ? '' : name.slice(at + 1, dot);
  return {
    name,
    type: type as UnitType,
    kind: at < 0 ? 'plain' : instance === '' ? 'template' : 'instance',
    prefix,
    instance,
  };
}

/** Is it a unit name, of one of these kinds? */
export function isUnitName(name: string, ...kinds: readonly NameKind[]): boolean {
  if (kinds.length === 0) return hasUnitNameForm(name);
  const parsed = parseName(name);
  return parsed !== undefined && kinds.includes(parsed.kind);
}

/** What {@link parseName} asks, without taking the name apart. */
function hasUnitNameForm(name: string): boolean {
  const dot = name.lastIndexOf('.');
  if (dot <= 0 || name.length > NAME_LENGTH_MAX || name.charCodeAt(0) === 64) return false;
  for (let i = 0; i < dot; i++) {
    const code = name.charCodeAt(i);
    if (code !== 64 && !isNameChar(code)) return false;
  }
  return TYPE_SET.has(name.slice(dot + 1));
}

/** The type by suffix; undefined: not a unit name. */
export function typeOf(name: string): UnitType | undefined {
  return parseName(name)?.type;
}

/** foo@bar.service -> foo@.service; undefined for plain names and templates. */
export function templateOf(name: string): string | undefined {
  const parsed = parseName(name);
  return parsed?.kind === 'instance' ? `${parsed.prefix}@.${parsed.type}` : undefined;
}

/** foo@.service and `bar` -> foo@bar.service; a name that is no template or instance is returned as it is. */
export function withInstance(name: string, instance: string): string {
  const parsed = parseName(name);
  return parsed === undefined || parsed.kind === 'plain' ? name : `${parsed.prefix}@${instance}.${parsed.type}`;
}

/** Types whose units may have other names by symlink (systemd.unit(5), Alias=). */
export function mayAlias(type: UnitType): boolean {
  return (
    type === 'service' ||
    type === 'socket' ||
    type === 'target' ||
    type === 'device' ||
    type === 'timer' ||
    type === 'path'
  );
}

/** Types that may be templates. */
export function mayTemplate(type: UnitType): boolean {
  return type === 'service' || type === 'socket' || type === 'target' || type === 'timer' || type === 'path';
}

/**
 * Why `alias` may not be another name of `target`; undefined: it may.
 * Source: systemd.unit(5), "Aliases obey the following restrictions".
 */
export function aliasFault(alias: string, target: string): string | undefined {
  const from = parseName(alias);
  const to = parseName(target);
  if (from === undefined) return 'the link is not named like a unit';
  if (to === undefined) return 'the target is not named like a unit';
  if (from.type !== to.type) return `a .${to.type} cannot be called .${from.type}`;
  if (!mayAlias(to.type)) return `.${to.type} units have no aliases`;
  if (from.kind === 'plain' && to.kind !== 'plain') return 'only a plain unit may have a plain name';
  if (from.kind === 'template' && to.kind !== 'template') return 'only a template may have the name of a template';
  if (from.kind === 'instance') {
    if (to.kind === 'plain') return 'a plain unit may only have plain names';
    if (to.kind === 'instance' && to.instance !== from.instance) return 'the instances differ';
  }
  return undefined;
}

/** Escape any string for a unit name. */
export function escapeName(text: string): string {
  let out = '';
  const bytes = encodeUtf8(text);
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0;
    if (byte === 47) out += '-';
    else if ((i === 0 && byte === 46) || byte === 45 || byte === 92 || !isNameChar(byte))
      out += `\\x${byte.toString(16).padStart(2, '0')}`;
    else out += String.fromCharCode(byte);
  }
  return out;
}

/** Undo {@link escapeName}; undefined: not well escaped. Bytes that are not UTF-8 become U+FFFD. */
export function unescapeName(text: string): string | undefined {
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? '';
    if (char === '-') bytes.push(47);
    else if (char === '\\') {
      if (text[i + 1] !== 'x') return undefined;
      const high = hexDigit(text.charCodeAt(i + 2));
      const low = hexDigit(text.charCodeAt(i + 3));
      if (high < 0 || low < 0) return undefined;
      bytes.push(high * 16 + low);
      i += 3;
    } else {
      const code = text.codePointAt(i) ?? 0;
      if (code < 0x80) bytes.push(code);
      else {
        bytes.push(...encodeUtf8(String.fromCodePoint(code)));
        if (code > 0xffff) i += 1;
      }
    }
  }
  return decodeUtf8(bytes).text;
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 97 && code <= 102) return code - 87;
  if (code >= 65 && code <= 70) return code - 55;
  return -1;
}

/** Drop duplicate and trailing slashes and `.` components; `..` stays. */
export function simplifyPath(path: string): string {
  if (
    !path.includes('//') &&
    !path.includes('/.') &&
    !path.startsWith('./') &&
    (path.length < 2 || !path.endsWith('/'))
  )
    return path;
  const absolute = path.startsWith('/');
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return absolute ? `/${parts.join('/')}` : parts.join('/') || (path === '' ? '' : '.');
}

/** Has no empty, `.` or `..` component, and is not empty. */
export function isNormalPath(path: string): boolean {
  if (path === '') return false;
  const inner = path.startsWith('/') ? path.slice(1) : path;
  return path === '/' || inner.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

/** Escape a path (systemd-escape --path); undefined: it has `..` components. */
export function escapePath(path: string): string | undefined {
  const simple = simplifyPath(path);
  if (simple === '' || simple === '/') return '-';
  const inner = simple.startsWith('/') ? simple.slice(1) : simple;
  return isNormalPath(inner) ? escapeName(inner) : undefined;
}

/** Undo {@link escapePath}, giving an absolute path; undefined: it is not the escape of one. */
export function unescapePath(text: string): string | undefined {
  if (text === '') return undefined;
  if (text === '-') return '/';
  const inner = unescapeName(text);
  return inner === undefined || !isNormalPath(inner) || inner.startsWith('/') ? undefined : `/${inner}`;
}

/** /home/x -> home-x.mount; undefined: the path cannot be a unit name. */
export function pathToName(path: string, type: UnitType): string | undefined {
  const escaped = escapePath(path);
  const name = escaped === undefined ? undefined : `${escaped}.${type}`;
  return name !== undefined && isUnitName(name) ? name : undefined;
}

/** home-x.mount -> /home/x. */
export function nameToPath(name: string): string | undefined {
  const parsed = parseName(name);
  return parsed === undefined ? undefined : unescapePath(parsed.prefix);
}

/**
 * What a person types, made a unit name: a path becomes a mount or a device, a bare word gets the suffix, and what
 * cannot be in a name is escaped. Source: systemctl(1), "Parameter syntax"; systemd-escape(1), --mangle.
 */
export function mangleName(text: string, type: UnitType = 'service'): string | undefined {
  if (text === '') return undefined;
  if (isUnitName(text)) return text;
  if (text.startsWith('/')) {
    const simple = simplifyPath(text);
    const device = simple.startsWith('/dev/') || simple.startsWith('/sys/');
    const name = pathToName(simple, device ? 'device' : 'mount');
    if (name !== undefined) return name;
  }
  let out = '';
  for (const byte of encodeUtf8(text)) {
    if (byte === 47) out += '-';
    else if (byte === 64 || isNameChar(byte)) out += String.fromCharCode(byte);
    else out += `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  const whole = isUnitName(out) ? out : `${out}.${type}`;
  return isUnitName(whole) ? whole : undefined;
}
