/**
 * Parsers of directives whose values have a grammar of their own: filters, devices, mounts, credentials, networks.
 * The grammar is in src/units/syntax; here are specifiers, lists, resets and the words for what is wrong.
 */
import { simplifyPath } from '../names.ts';
import { parseCapability } from '../syntax/capability.ts';
import { parseCpuSet } from '../syntax/cpu-list.ts';
import { base64Length, hexLength, isCredentialName, isCredentialSource } from '../syntax/credential.ts';
import { type DeviceLimitKind, parseDeviceLimit, parseDeviceRule } from '../syntax/device.ts';
import { isInterfaceName, parseBindRule, parsePrefixes } from '../syntax/ip.ts';
import { type Fault, parseBind, parseImage, parsePartitionOptions, parseTemporary } from '../syntax/mounts.ts';
import { pathFault } from '../syntax/path.ts';
import { parseBoolean } from '../syntax/scalar.ts';
import { parseAction, parseSyscallFilter, SYSCALL_ARCHITECTURES } from '../syntax/syscall-filter.ts';
import {
  BPF_ATTACH_TYPES,
  COREDUMP_WORDS,
  FILESYSTEM_GROUPS,
  NAMESPACES,
  PARTITIONS,
  parseDumped,
  parseFamily,
  SECURE_BITS,
} from '../syntax/vocabulary.ts';
import { nextWord, plainWords, splitWords, unescapeText, type WordRules } from '../syntax/words.ts';
import type { Checker, Context, Parser } from './draft.ts';

/**
 * One word after the other; `each` tells what is wrong with one. Empty empties the list.
 * What can be read before a fault in the quoting counts, as in systemd.
 */
function eachWord(rules: WordRules, each: (word: string, offset: number, ctx: Context) => unknown): Checker {
  return (value, ctx) => {
    if (value === '') return [];
    const split = splitWords(value, rules);
    if ('words' in split) return split.words.map((word) => each(word.text, word.offset, ctx));
    ctx.fault(split.fault, 'mend the quoting (systemd.syntax(7))', split.offset);
    return undefined;
  };
}

/** Tells a fault; what there is else is the value. */
function told<T extends object>(
  parsed: T | Fault | undefined,
  todo: string,
  offset: number,
  ctx: Context,
): T | undefined {
  if (parsed === undefined) return undefined;
  if (!('fault' in parsed)) return parsed;
  ctx.fault(parsed.fault, todo, offset);
  return undefined;
}

const QUOTED: WordRules = { quotes: true };
const ESCAPED: WordRules = { quotes: true, escapes: true };
const RELAXED: WordRules = { quotes: true, escapes: true, relaxed: true };

/** Words of a list; `~` in front of the list turns it round. */
function vocabulary(what: string, has: (word: string) => boolean, todo: string, inverts: boolean): Checker {
  return (value, ctx) => {
    const shift = inverts && value.startsWith('~') ? 1 : 0;
    for (const word of plainWords(value.slice(shift)))
      if (!has(word.text)) ctx.fault(`${word.text}: not ${what}`, todo, word.offset + shift);
    return value;
  };
}

export const secureBits: Checker = eachWord(QUOTED, (word, offset, ctx) => {
  if (!SECURE_BITS.includes(word)) ctx.fault(`${word}: not a secure bit`, `use ${SECURE_BITS.join(', ')}`, offset);
});

/** Some namespaces, `~` for all but these, or a boolean. One that is unknown costs the whole assignment. */
export const restrictNamespaces: Checker = (value, ctx) => {
  if (value === '' || parseBoolean(value) !== undefined) return value;
  return vocabulary(
    'a namespace',
    (word) => NAMESPACES.includes(word),
    `use yes, no or ${NAMESPACES.join(', ')}`,
    true,
  )(value, ctx, undefined as never);
};

/** Some address families, `~` for all but these, or `none`. */
export const addressFamilies: Checker = (value, ctx) => {
  if (value === 'none') return value;
  return vocabulary(
    'an address family',
    (word) => parseFamily(word) !== undefined,
    'use names such as AF_UNIX and AF_INET, or none',
    true,
  )(value, ctx, undefined as never);
};

/** A list of calls and groups that is allowed, or denied with `~`; the first list of a unit says which. */
export const syscallFilter: Parser<readonly string[]> = (value, ctx, current) => filter(value, ctx, current, true);
/** The same without actions. */
export const syscallLog: Parser<readonly string[]> = (value, ctx, current) => filter(value, ctx, current, false);

function filter(value: string, ctx: Context, current: readonly string[], actions: boolean): readonly string[] {
  if (value === '') return [];
  const first = current[0] ?? value;
  const denies = first.startsWith('~');
  // In a deny list a second `~` takes calls out again … which then cannot answer errors either.
  const parsed = parseSyscallFilter(value, actions, denies || value.startsWith('~'));
  for (const fault of parsed.faults) ctx.fault(fault.why, fault.todo, fault.offset);
  return [...current, value];
}

export const syscallArchitectures: Checker = eachWord(QUOTED, (word, offset, ctx) => {
  if (!SYSCALL_ARCHITECTURES.includes(word))
    ctx.fault(`${word}: not an architecture`, `use ${SYSCALL_ARCHITECTURES.join(', ')}`, offset);
});

export const syscallError: Checker = (value, ctx) => {
  if (value === '') return undefined;
  const action = parseAction(value);
  if (action === undefined || action === 0) ctx.fault('not an error', 'use a name such as EPERM, 1 to 4095, or kill');
  return action;
};

/** Capabilities that count, by name; `~` as in the value. Names that are none are told and left out. */
export function namedCapabilities(value: string, ctx: Context): ReadonlySet<string> {
  const shift = value.startsWith('~') ? 1 : 0;
  const named = new Set<string>();
  const split = splitWords(value.slice(shift), QUOTED);
  if ('fault' in split) {
    ctx.fault(split.fault, 'mend the quoting (systemd.syntax(7))', split.offset + shift);
    return named;
  }
  for (const word of split.words) {
    const name = parseCapability(word.text);
    if (name === undefined)
      ctx.fault(`${word.text}: not a capability`, 'sctl analyze capability lists them', word.offset + shift);
    else named.add(name);
  }
  return named;
}

export const filesystems: Checker = (value, ctx) => {
  const shift = value.startsWith('~') ? 1 : 0;
  return eachWord(QUOTED, (word, offset) => {
    if (word.startsWith('@') && !FILESYSTEM_GROUPS.includes(word))
      ctx.fault(`${word}: not a group of file systems`, `use ${FILESYSTEM_GROUPS.join(', ')}`, offset + shift);
  })(value.slice(shift), ctx, undefined as never);
};

/** What goes into a core dump. A fault costs the assignment. */
export const coredumpFilter: Checker = eachWord(QUOTED, (word, offset, ctx) => {
  if (parseDumped(word) === undefined)
    ctx.fault(
      `${word}: neither a kind of memory nor a hexadecimal mask`,
      `use ${COREDUMP_WORDS.join(', ')} or a mask`,
      offset,
    );
});

/** CPUs or memory nodes, sorted; undefined: told. Ranges that run backwards are told and left out. */
export function cpuNumbers(value: string, ctx: Context): readonly number[] | undefined {
  const parsed = parseCpuSet(value);
  const todo = 'use numbers and ranges such as 0-3,8';
  if ('fault' in parsed) {
    ctx.fault(parsed.fault, todo, parsed.offset);
    return undefined;
  }
  for (const range of parsed.backwards) ctx.warn(`${range}: a range that runs backwards, it is left out`, todo);
  return parsed.cpus;
}

export const cpuSet: Checker = cpuNumbers;
/** Memory nodes, or `all`. */
export const nodeMask: Checker = (value, ctx) => (value === 'all' ? value : cpuNumbers(value, ctx));

export const prefixes: Checker = (value, ctx) => {
  for (const word of plainWords(value))
    if (parsePrefixes(word.text) === undefined)
      ctx.fault(
        `${word.text}: not an address prefix`,
        'use 10.0.0.0/8, fe80::/10, any, localhost, link-local or multicast',
        word.offset,
      );
  return value;
};

export const interfaces: Checker = (value, ctx) => {
  const shift = value.startsWith('~') ? 1 : 0;
  return eachWord(QUOTED, (word, offset) => {
    if (!isInterfaceName(word.startsWith('~') ? word.slice(1) : word))
      ctx.fault(`${word}: not the name of an interface`, 'use names such as eth0', offset + shift);
  })(value.slice(shift), ctx, undefined as never);
};

export const bindRule: Checker = (value, ctx) => {
  if (value === '') return undefined;
  const rule = parseBindRule(value);
  if (rule === undefined)
    ctx.fault('not a rule for ports', 'use [ipv4:|ipv6:][tcp:|udp:] and a port, FIRST-LAST or any');
  return rule;
};

/** `TYPE:PATH` words of pinned BPF programs; a fault costs the assignment. */
export const bpfProgram: Checker = (value, ctx) => {
  if (value === '') return undefined;
  const colon = value.indexOf(':');
  const type = colon < 0 ? '' : value.slice(0, colon);
  const path = value.slice(colon + 1);
  if (type === '' || path === '') ctx.fault('not TYPE:PATH', 'use for example ingress:/sys/fs/bpf/program');
  else if (!BPF_ATTACH_TYPES.includes(type))
    ctx.fault(`${type}: not a place for a BPF program`, `use ${BPF_ATTACH_TYPES.join(', ')}`);
  else absolute(path, colon + 1, ctx);
  return undefined;
};

/** A path with specifiers; told if it is none. */
function absolute(text: string, offset: number, ctx: Context): string | undefined {
  const expanded = ctx.expand(text, offset);
  if (expanded === undefined) return undefined;
  const fault = pathFault(expanded);
  if (fault === undefined) return simplifyPath(expanded);
  ctx.fault(`${expanded}: ${fault}`, 'give an absolute path without ..', offset);
  return undefined;
}

/** One path to a pinned filter program; empty empties the list. */
export const filterPath: Checker = (value, ctx) => (value === '' ? [] : absolute(value, 0, ctx));

/** Paths between colons. */
export const searchPath: Checker = (value, ctx) => {
  if (value === '') return [];
  let offset = 0;
  for (const part of value.split(':')) {
    absolute(part, offset, ctx);
    offset += part.length + 1;
  }
  return value;
};

export const deviceRule: Checker = (value, ctx) => {
  if (value === '') return [];
  const todo = 'use for example /dev/null rw, char-pts or block-loop r';
  return told(
    parseDeviceRule(value, (text) => ctx.expand(text)),
    todo,
    0,
    ctx,
  );
};

export function deviceLimit(kind: DeviceLimitKind): Checker {
  const example = { weight: '/dev/sda 100', rate: '/dev/sda 5M', latency: '/dev/sda 25ms' }[kind];
  return (value, ctx) =>
    value === ''
      ? []
      : told(
          parseDeviceLimit(value, kind, (text) => ctx.expand(text)),
          `use for example ${example}`,
          0,
          ctx,
        );
}

/** Words with their quotes and escapes, for grammars that split them further. */
function eachRawWord(each: (word: string, offset: number, ctx: Context) => unknown): Checker {
  return (value, ctx) => {
    if (value === '') return [];
    const split = splitWords(value, QUOTED);
    if ('words' in split) return split.words.map((word) => each(value.slice(word.offset, word.end), word.offset, ctx));
    ctx.fault(split.fault, 'mend the quoting (systemd.syntax(7))', split.offset);
    return undefined;
  };
}

export const bindPaths: Checker = eachRawWord((word, offset, ctx) =>
  told(
    parseBind(word, (text) => ctx.expand(text, offset)),
    'use SOURCE:DESTINATION:rbind or :norbind',
    offset,
    ctx,
  ),
);

export const temporaryFileSystem: Checker = eachWord(QUOTED, (word, offset, ctx) =>
  told(
    parseTemporary(word, (text) => ctx.expand(text, offset)),
    'use PATH:OPTIONS',
    offset,
    ctx,
  ),
);

export const rootImageOptions: Checker = (value, ctx) => {
  const split = splitWords(value, ESCAPED);
  if ('fault' in split) ctx.fault(split.fault, 'mend the quoting (systemd.syntax(7))', split.offset);
  for (const word of 'words' in split ? split.words : []) {
    const expanded = ctx.expand(word.text, word.offset);
    if (expanded === undefined) continue;
    const parts = expanded.replace(/^::?/, '').replace(/:$/, '').split(':');
    if (parts.length > 2)
      ctx.fault(`${expanded}: not PARTITION:OPTIONS`, 'use for example root:ro,nosuid', word.offset);
    else told(parsePartitionOptions(parts), `use ${PARTITIONS.join(', ')}`, word.offset, ctx);
  }
  return value;
};

export function images(withDestination: boolean): Checker {
  const todo = withDestination ? 'use IMAGE:DESTINATION:PARTITION:OPTIONS' : 'use IMAGE:PARTITION:OPTIONS';
  return eachRawWord((word, offset, ctx) =>
    told(
      parseImage(word, withDestination, (text) => ctx.expand(text, offset)),
      todo,
      offset,
      ctx,
    ),
  );
}

/** A hash of at least 128 bits, or the path of a file that has one. */
export const rootHash: Checker = (value, ctx) => {
  if (value === '' || value.startsWith('/')) return value;
  const bytes = hexLength(value);
  if (bytes === undefined)
    ctx.fault('neither hexadecimal nor an absolute path', 'give the hash as dm-verity prints it');
  else if (bytes < 16) ctx.fault('a hash of less than 128 bits', 'give the whole hash');
  return value;
};

export const rootHashSignature: Checker = (value, ctx) => {
  if (value === '' || value.startsWith('/')) return value;
  if (!value.startsWith('base64:') || base64Length(value.slice(7)) === undefined)
    ctx.fault('neither base64:DATA nor an absolute path', 'give one of them');
  return value;
};

export const inputText: Checker = (value, ctx) => {
  const plain = value === '' ? value : unescapeText(value);
  if (plain === undefined) ctx.fault('an escape that is none', 'see "Supported escapes" in systemd.syntax(7)');
  else ctx.expand(plain);
  return plain;
};

export const base64Data: Checker = (value, ctx) => {
  if (base64Length(value) === undefined) ctx.fault('not base64', 'encode it with base64(1)');
  return value;
};

/** FIELD=value words for the log; names as journald takes them from services. */
export const logFields: Checker = eachWord(ESCAPED, (word, offset, ctx) => {
  const expanded = ctx.expand(word, offset);
  if (expanded === undefined) return;
  const equals = expanded.indexOf('=');
  if (equals < 0) ctx.fault(`${word}: not FIELD=value`, 'quote the whole field if the value has spaces', offset);
  else if (!/^[A-Z][A-Z0-9_]{0,63}$/.test(expanded.slice(0, equals)))
    ctx.fault(
      `${expanded.slice(0, equals)}: not the name of a log field`,
      'use capital letters, digits and _, a letter first',
      offset,
    );
});

export const logNamespace: Checker = (value, ctx) => {
  if (value === '') return '';
  const name = ctx.expand(value);
  if (
    name !== undefined &&
    (!/^[A-Za-z0-9:_.@\\-]{1,240}$/.test(name) || name === '.' || name === '..' || /\\/.test(name))
  )
    ctx.fault('not the name of a log namespace', 'use letters, digits and :-_.');
  return name;
};

/** `NAME:TEXT`, with C escapes. */
export const setCredential: Checker = (value, ctx) => {
  const found = credential(value, ctx);
  if (found === undefined) return undefined;
  if (unescapeText(found.rest) === undefined)
    ctx.fault('an escape that is none', 'see "Supported escapes" in systemd.syntax(7)', found.offset);
  return found.name;
};

/** `NAME:BASE64`. */
export const setCredentialEncrypted: Checker = (value, ctx) => {
  const found = credential(value, ctx);
  if (found === undefined) return undefined;
  if (base64Length(found.rest) === undefined || /[ \t]/.test(found.rest))
    ctx.fault('not base64', 'paste what systemd-creds encrypt printed', found.offset);
  return found.name;
};

function credential(
  value: string,
  ctx: Context,
): { readonly name: string; readonly rest: string; readonly offset: number } | undefined {
  if (value === '') return undefined;
  const word = nextWord(value, 0, RELAXED, ':');
  if (word === undefined || 'fault' in word || value.slice(word.end + 1) === '') {
    if (value.startsWith(':')) credentialName('', ctx);
    else ctx.fault('not NAME:VALUE', 'put a colon between them');
    return undefined;
  }
  if (value.startsWith(':')) {
    credentialName('', ctx);
    return undefined;
  }
  const name = ctx.expand(word.text);
  if (name === undefined || !credentialName(name, ctx)) return undefined;
  return { name, rest: value.slice(word.end + 1), offset: word.end + 1 };
}

function credentialName(name: string, ctx: Context): boolean {
  if (isCredentialName(name)) return true;
  ctx.fault(`${name}: not the name of a credential`, 'use ASCII letters without / and :');
  return false;
}

/** `NAME[:SOURCE]`; without a source it is what the manager was handed under that name. */
export const loadCredential: Checker = (value, ctx) => {
  if (value === '') return undefined;
  const colon = value.indexOf(':');
  const name = ctx.expand(colon < 0 ? value : value.slice(0, colon));
  if (name === undefined || !credentialName(name, ctx)) return undefined;
  if (colon < 0 || colon === value.length - 1) return name;
  const source = ctx.expand(value.slice(colon + 1), colon + 1);
  if (source !== undefined && !isCredentialSource(source))
    ctx.fault(
      `${source}: not the source of a credential`,
      'give an absolute path, or the name of a credential of the manager',
      colon + 1,
    );
  return source;
};

/** A label of a security module; `-` in front: it may be unknown. A specifier that is none refuses the unit. */
export const label: Checker = (value, ctx) => {
  const optional = value.startsWith('-');
  const expanded = ctx.tryExpand(optional ? value.slice(1) : value);
  if (!('fault' in expanded)) return expanded.text;
  if (optional) ctx.fault(expanded.fault, 'see "Specifiers" in systemd.unit(5)');
  else ctx.refuse(expanded.fault, 'see "Specifiers" in systemd.unit(5)');
  return undefined;
};
