/**
 * Parsers of directives: the value parsers of src/units/syntax, with specifiers, lists, resets and words for what is wrong.
 */
import { isUnitName, mayTemplate, parseName, simplifyPath } from '../names.ts';
import { parseCommands } from '../syntax/command.ts';
import { isVariableAssignment, isVariableName, withVariable } from '../syntax/environment.ts';
import { isRelativePath, pathFault } from '../syntax/path.ts';
import { parseBoolean, parseInteger, parseMode } from '../syntax/scalar.ts';
import { parseExit, parseSignal, withExit } from '../syntax/signal.ts';
import { parseSize } from '../syntax/size.ts';
import { parseSpan } from '../syntax/timespan.ts';
import { plainWords, splitWords, type WordRules } from '../syntax/words.ts';
import type { Command, ExitSet, Span } from '../types.ts';
import type { Checker, Context, Parser } from './draft.ts';
import { cpuNumbers } from './values.ts';

/** `a, b or c`. */
export function choice(words: readonly string[]): string {
  if (words.length < 2) return words[0] ?? '';
  return `${words.slice(0, -1).join(', ')} or ${words[words.length - 1]}`;
}

/** A value parser that answers undefined, with words for that. */
export function checked<T>(parse: (text: string) => T | undefined, why: string, todo: string): Parser<T> {
  return (value, ctx) => {
    const parsed = parse(value);
    if (parsed === undefined) ctx.fault(why, todo);
    return parsed;
  };
}

/** The same parser for a setting that may be unset; empty unsets nothing. */
export function optional<T>(parser: Parser<T>): Parser<T | undefined> {
  return (value, ctx, current) => parser(value, ctx, current as T);
}

/** The same, where an empty value resets the setting. */
export function orEmpty(parser: Parser<string>): Parser<string> {
  return (value, ctx, current) => (value === '' ? '' : parser(value, ctx, current));
}

/** The same for a setting of which only the faults matter. */
export function orNothing(checker: Checker): Checker {
  return (value, ctx, current) => (value === '' ? undefined : checker(value, ctx, current));
}

export const boolean: Parser<boolean> = checked(parseBoolean, 'not a boolean', 'use yes or no');
/** The same, but a fault refuses the unit. */
export const vitalBoolean: Parser<boolean> = (value, ctx) => {
  const parsed = parseBoolean(value);
  if (parsed === undefined) ctx.refuse('not a boolean', 'use yes or no');
  return parsed;
};
export const mode: Parser<number> = checked(parseMode, 'not a file mode', 'use up to four octal digits, such as 0755');
export const span: Parser<Span> = checked(
  parseSpan,
  'not a time span',
  'use for example 90, 1min 30s, 500ms or infinity',
);
export const signal: Parser<number> = checked(parseSignal, 'not a signal', 'use a name such as SIGTERM, or a number');
export const size: Parser<number> = checked(
  (text) => parseSize(text),
  'not a size',
  'use bytes, or a number with K, M, G or T',
);

/** A span where 0 means infinity, as for the time-outs of older units. */
export const timeout: Parser<Span> = (value, ctx, current) => {
  const parsed = span(value, ctx, current);
  return parsed === 0 ? 'infinity' : parsed;
};

/** Milliseconds; `infinity` counts as 0, none. */
export const watchdog: Parser<number> = (value, ctx) => {
  const parsed = span(value, ctx, 0);
  return parsed === 'infinity' ? 0 : parsed;
};

export function integer(least: number, most: number, what = 'a whole number'): Parser<number> {
  return checked(
    (text) => parseInteger(text, least, most),
    `not ${what} from ${least} to ${most}`,
    'use a number in that range',
  );
}

export const unsigned: Parser<number> = checked(
  (text) => parseInteger(text, 0, 4_294_967_295),
  'not a whole number',
  'use a number that is not negative',
);

export function oneOf<T extends string>(what: string, words: readonly T[]): Parser<T> {
  const known: ReadonlySet<string> = new Set(words);
  return (value, ctx) => {
    if (known.has(value)) return value as T;
    ctx.fault(`not ${what}`, `use ${choice(words)}`);
    return undefined;
  };
}

/** A word of the list or a boolean, given back as one of the words. */
export function oneOfOrBoolean<T extends string>(what: string, words: readonly T[], yes: T, no: T): Parser<T> {
  const plain = oneOf(what, words);
  return (value, ctx, current) => {
    const truth = parseBoolean(value);
    return truth === undefined ? plain(value, ctx, current) : truth ? yes : no;
  };
}

/** Any text, specifiers resolved; empty resets it. */
export const text: Parser<string> = (value, ctx) => ctx.expand(value);
/** Any text as it is. */
export const verbatim: Parser<string> = (value) => value;

/** An absolute path with specifiers; empty resets it. */
export const path: Parser<string> = (value, ctx) => {
  if (value === '') return '';
  const expanded = ctx.expand(value);
  if (expanded === undefined) return undefined;
  const fault = pathFault(expanded);
  if (fault !== undefined) {
    ctx.fault(fault, 'give an absolute path without ..');
    return undefined;
  }
  return simplifyPath(expanded);
};

/** The same, but a fault refuses the unit. */
export const vitalPath: Parser<string> = (value, ctx) => {
  const expanded = ctx.tryExpand(value);
  const fault = 'fault' in expanded ? expanded.fault : value === '' ? undefined : pathFault(expanded.text);
  if (fault !== undefined || 'fault' in expanded) {
    ctx.refuse(fault ?? 'unknown specifier', 'give an absolute path without ..');
    return undefined;
  }
  return simplifyPath(expanded.text);
};

/** Words with quotes, specifiers resolved, added to the list; empty resets it. */
export function words(
  check?: (word: string) => string | undefined,
  rules: WordRules = { quotes: true },
): Parser<readonly string[]> {
  return (value, ctx, current) => {
    if (value === '') return [];
    const split = splitWords(value, rules);
    if ('fault' in split) {
      ctx.fault(split.fault, 'mend the quoting (systemd.syntax(7))', split.offset);
      return undefined;
    }
    const out = [...current];
    for (const word of split.words) {
      const expanded = ctx.expand(word.text, word.offset);
      if (expanded === undefined) continue;
      const fault = check?.(expanded);
      if (fault !== undefined) ctx.fault(`${expanded}: ${fault}`, 'mend or remove the word', word.offset);
      else out.push(expanded);
    }
    return out;
  };
}

/** Absolute paths, added; a `-` and then a `+` may stand in front of each, where `prefixes` has them, and is kept. */
export function paths(prefixes = ''): Parser<readonly string[]> {
  return words((word) => {
    let at = 0;
    for (const prefix of prefixes) if (word[at] === prefix) at += 1;
    return pathFault(word.slice(at));
  });
}

/** Names of directories below a root, with `:` and symlinks to them; added. */
function directoriesBelow(symlinks: boolean): Parser<readonly string[]> {
  return words(
    (word) => {
      const [path = '', ...links] = word.split(':');
      const named = links.filter((link) => link !== '');
      for (const each of [path, ...named]) {
        if (each !== '' && !isRelativePath(each)) return 'not a relative path without ..';
        if (each.split('/').some((part) => part.length > 255)) return 'a component is longer than 255 characters';
      }
      if (/^(\.\/)*private(\/|$)/.test(path)) return 'private is where directories of dynamic users are';
      return named.length > 0 && !symlinks ? 'no symbolic links can be made here' : undefined;
    },
    { quotes: true, escapes: true },
  );
}

export const managedDirectories: Parser<readonly string[]> = directoriesBelow(true);
/** ConfigurationDirectory= makes no links. */
export const configurationDirectories: Parser<readonly string[]> = directoriesBelow(false);

/** Descriptors are named in printable ASCII, up to 255 characters, no colon (sd_listen_fds_with_names(3)); empty: as the unit. */
export function isDescriptorName(text: string): boolean {
  return /^[ -9;-~]{0,255}$/.test(text);
}

/** User or group: a name, a number or a specifier. */
export const principal: Parser<string> = (value, ctx) => {
  const expanded = ctx.tryExpand(value);
  if ('fault' in expanded) {
    ctx.refuse(expanded.fault, 'see "Specifiers" in systemd.unit(5)');
    return undefined;
  }
  if (expanded.text !== '' && !isPrincipal(expanded.text)) {
    ctx.refuse('not a user or group name', 'use a name without spaces, colons and slashes, or a number');
    return undefined;
  }
  return expanded.text;
};

/** systemd's relaxed rule for names (User names, systemd.io/USER_NAMES). */
export function isPrincipal(name: string): boolean {
  if (/^[0-9]+$/.test(name)) return name.length <= 10 && Number(name) < 4_294_967_295 && Number(name) !== 65_535;
  return name.length <= 255 && !/[\u0000-\u001f\u007f:/]|^[-\s]|\s$|^\.\.?$|^[0-9]+$/.test(name);
}

export const principals: Parser<readonly string[]> = (value, ctx, current) => {
  if (value === '') return [];
  const out = [...current];
  for (const word of plainWords(value)) {
    const name = principal(word.text, ctx, '');
    if (name !== undefined && name !== '') out.push(name);
  }
  return out;
};

/** Environment=: assignments, later ones of a name win; empty resets. */
export const environment: Parser<readonly string[]> = (value, ctx, current) => {
  if (value === '') return [];
  const split = splitWords(value, { quotes: true, escapes: true, relaxed: true });
  if ('fault' in split) {
    ctx.fault(split.fault, 'mend the quoting (systemd.syntax(7))', split.offset);
    return undefined;
  }
  let out: readonly string[] = current;
  for (const word of split.words) {
    const expanded = ctx.expand(word.text, word.offset);
    if (expanded === undefined) continue;
    if (isVariableAssignment(expanded)) out = withVariable(out, expanded);
    else ctx.fault(`${word.text}: not NAME=value`, 'quote the whole assignment if the value has spaces', word.offset);
  }
  return out;
};

export const variableNames: Parser<readonly string[]> = words((word) =>
  isVariableName(word) ? undefined : 'not the name of a variable',
);
export const variablesOrNames: Parser<readonly string[]> = words(
  (word) => (isVariableName(word) || isVariableAssignment(word) ? undefined : 'neither NAME nor NAME=value'),
  { quotes: true, escapes: true },
);

/** Exit statuses and signals, added; empty resets. */
export const exits: Parser<ExitSet> = (value, ctx, current) => {
  if (value === '') return { statuses: [], signals: [] };
  let out = current;
  for (const word of plainWords(value)) {
    const exit = parseExit(word.text);
    if (exit === undefined)
      ctx.fault(
        `${word.text}: neither an exit status nor a signal`,
        'use 0 to 255, a name such as TEMPFAIL, or SIGTERM',
        word.offset,
      );
    else out = withExit(out, exit);
  }
  return out;
};

export const cpuList: Parser<readonly number[]> = (value, ctx, current) => {
  if (value === '' || value === 'numa') return [];
  const cpus = cpuNumbers(value, ctx);
  return cpus === undefined ? undefined : [...new Set([...current, ...cpus])].sort((a, b) => a - b);
};

/** Exec…=: commands, added; empty resets. A fault refuses the unit unless the command has a `-`. */
export const commands: Parser<readonly Command[]> = (value, ctx, current) => {
  if (value === '') return [];
  const parsed = parseCommands(value, (word) => ctx.tryExpand(word));
  for (const fault of parsed.faults) {
    if (fault.ignorable) ctx.fault(fault.why, fault.todo, fault.offset);
    else ctx.refuse(fault.why, fault.todo, fault.offset);
  }
  for (const warning of parsed.warnings) ctx.warn(warning.why, 'write \\\\ for a backslash', warning.offset);
  return [...current, ...parsed.commands];
};

/** The name of one unit, of one of these types. It cannot be emptied. */
export function unitName(...types: readonly string[]): Parser<string> {
  return (value, ctx) => {
    const name = ctx.expand(value);
    if (name === undefined) return undefined;
    const parsed = parseName(name);
    if (parsed === undefined || parsed.kind === 'template') {
      ctx.fault('not the name of a unit', `use a name such as foo.${types[0] ?? 'service'}`);
      return undefined;
    }
    if (name === ctx.name.name) {
      ctx.fault('the unit itself', 'name another one');
      return undefined;
    }
    if (types.length > 0 && !types.includes(parsed.type)) {
      ctx.fault(`not a ${choice(types.map((type) => `.${type}`))}`, `use a name that ends in .${types[0]}`);
      return undefined;
    }
    return name;
  };
}

/** Names of units as words; those that are none are told and left out. */
export function unitNames(value: string, ctx: Context, each: (name: string, offset: number) => void): void {
  for (const word of plainWords(value)) {
    const name = ctx.expand(word.text, word.offset);
    if (name === undefined) continue;
    const parsed = parseName(name);
    if (parsed === undefined || (parsed.kind !== 'plain' && !mayTemplate(parsed.type) && parsed.kind === 'template'))
      ctx.fault(`${name}: not the name of a unit`, 'use a name with its suffix, such as foo.service', word.offset);
    else each(name, word.offset);
  }
}

/** [Install] keeps names as written: specifiers are resolved when it is enabled. */
export const installNames: Parser<readonly string[]> = (value, ctx, current) => {
  if (value === '') return [];
  const out = [...current];
  for (const word of plainWords(value)) {
    const expanded = ctx.expand(word.text, word.offset);
    if (expanded === undefined) continue;
    if (isUnitName(expanded)) out.push(expanded);
    else
      ctx.fault(`${expanded}: not the name of a unit`, 'use a name with its suffix, such as foo.service', word.offset);
  }
  return out;
};
