/**
 * /etc/fstab: its lines and fields, and the devices that its first field names. Source: fstab(5), getmntent(3).
 */
import { encodeUtf8 } from '../utf8.ts';

export interface TableEntry {
  /** As written, escapes undone. */
  readonly what: string;
  readonly where: string;
  readonly type: string;
  readonly options: string;
  readonly pass: number;
  /** From 1. */
  readonly line: number;
}

/** Lines that are looked at. */
const ENTRIES_MAX = 10_000;

/** \040 blank, \011 tab, \012 newline, \134 and \\ backslash; everything else as it is. */
const decode = (field: string): string =>
  field.replace(/\\(040|011|012|134|\\)/g, (_, code: string) =>
    code === '\\' ? '\\' : String.fromCharCode(Number.parseInt(code, 8)),
  );

export function readTable(text: string): TableEntry[] {
  const entries: TableEntry[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/^[ \t]+/, '').replace(/[ \t]+$/, '');
    if (line === '' || line.startsWith('#')) continue;
    if (entries.length >= ENTRIES_MAX) break;
    const [what = '', where = '', type = '', options = '', ...numbers] = line.split(/[ \t]+/);
    const pass = /^[+-]?[0-9]+$/.test(numbers[0] ?? '') ? /^[+-]?[0-9]+/.exec(numbers[1] ?? '')?.[0] : undefined;
    entries.push({
      what: decode(what),
      where: decode(where),
      type: decode(type),
      options: decode(options),
      pass: pass === undefined ? 0 : Number(pass),
      line: index + 1,
    });
  }
  return entries;
}

/** Below /dev/ (or /sys/, which is a device as well to systemd)? */
export const isDevicePath = (path: string): boolean => /^\/(dev|sys)\/./.test(path);

/** UUID=, LABEL= and their kin as udev's links; everything else as it is. */
export function deviceNode(spec: string): string {
  for (const [tag, by] of [
    ['LABEL=', 'label'],
    ['UUID=', 'uuid'],
    ['PARTUUID=', 'partuuid'],
    ['PARTLABEL=', 'partlabel'],
  ] as const)
    if (spec.startsWith(tag)) return `/dev/disk/by-${by}/${encodeDeviceName(unquote(spec.slice(tag.length)))}`;
  return spec;
}

const unquote = (text: string): string =>
  text.length >= 2 && (text[0] === '"' || text[0] === "'") && text.endsWith(text[0]) ? text.slice(1, -1) : text;

/** udev's way to make a file name of any string: letters, digits, `#+-.:=@_` and UTF-8 stay, the rest is \xNN. */
function encodeDeviceName(text: string): string {
  let out = '';
  for (const char of text) {
    if (char > '\x7f' || /[0-9A-Za-z#+\-.:=@_]/.test(char)) out += char;
    else for (const byte of encodeUtf8(char)) out += `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return out;
}
