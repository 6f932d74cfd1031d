/**
 * What the unit path holds: one scan of its directories, from which every name is found without touching the disk again.
 *
 * A scan gives: for each name the file or link that wins, for each link what it is an alias of, and the drop-in and
 * dependency directories (foo.service.d, foo.service.wants …) by name. Source: systemd.unit(5), "Description".
 */
import { type FilePort, type FileStat, HostError } from '../host/ports.ts';
import { about } from './finding.ts';
import { aliasFault, isUnitName, parseName, templateOf, withInstance } from './names.ts';
import type { Finding } from './types.ts';

/** One name of the unit path. */
export interface CatalogEntry {
  readonly name: string;
  /** The file or link that wins. */
  readonly path: string;
  readonly kind: 'file' | 'masked' | 'alias' | 'linked';
  /** For an alias: the name it stands for. For a file linked from elsewhere: the path it points to. */
  readonly target: string;
  /** Of the file that is read, as the scan found it; undefined where there is none, or where it is not known. */
  readonly stat?: FileStat;
}

/** A name found. */
export interface Found {
  /** The unit's main name. */
  readonly name: string;
  /** Undefined: there is no file. */
  readonly entry: CatalogEntry | undefined;
  /** All names, the main one included, sorted. */
  readonly names: readonly string[];
}

/** A link in a .wants, .requires or .upholds directory. */
export interface DependencyLink {
  readonly name: string;
  readonly path: string;
}

const DIRECTORY_SUFFIXES = ['.d', '.wants', '.requires', '.upholds'] as const;
export type DirectorySuffix = (typeof DIRECTORY_SUFFIXES)[number];
/** Links of links that are followed, as in systemd. */
const LINKS_MAX = 8;
/** Names that lead from an alias to a unit, as in systemd. */
const ALIASES_MAX = 7;
const ENTRIES_MAX = 200_000;

interface KnownDirectory {
  readonly path: string;
  /** Its place in the search path. */
  readonly rank: number;
}

/** Where enable writes; see UnitPaths. */
export interface ConfigDirectories {
  readonly persistentConfig: readonly string[];
  readonly runtimeConfig: readonly string[];
  /** Other directories whose links count for this boot: those of generators, of control and of transient units. */
  readonly generatorEarly: string;
  readonly generator: string;
  readonly generatorLate: string;
  readonly runtimeControl: string;
  readonly transient: string;
}

export interface Catalog {
  readonly entries: ReadonlyMap<string, CatalogEntry>;
  /** What is wrong with the tree as a whole: links that may not be aliases, directories that cannot be read. */
  readonly findings: readonly Finding[];
  find(name: string): Found;
  /** Is there a file for the name (not masked)? */
  has(name: string): boolean;
  /** Is there any directory of drop-ins or links for these names? */
  hasDirectories(names: readonly string[]): boolean;
  /** Drop-ins of a unit with these names (main name first), in the order in which they are read. */
  dropIns(names: readonly string[]): string[];
  links(
    names: readonly string[],
    suffix: DirectorySuffix,
  ): { readonly links: readonly DependencyLink[]; readonly findings: readonly Finding[] };
  /** Is there a link to the unit, by alias or dependency, in the configuration directories? */
  enabledBy(name: string, config: ConfigDirectories): 'persistent' | 'runtime' | undefined;
  /** Is there a link to the unit by dependency there? */
  dependedOn(name: string, config: ConfigDirectories): 'persistent' | 'runtime' | undefined;
  /** The links there that make the unit known by further names. */
  aliasLinks(
    name: string,
    config: ConfigDirectories,
  ): readonly { readonly name: string; readonly how: 'persistent' | 'runtime' }[];
  /** Is there such a link to an instance of the template? */
  hasEnabledInstance(template: string, config: ConfigDirectories): boolean;
  /** The search path without directories that are others under a second name. */
  readonly directories: readonly string[];
  /** Look at one name anew: its file, and its directories of drop-ins and links. All else stays as the scan found it. */
  again(name: string): void;
}

/** Scan the unit path. What cannot be looked at counts as not there, and is a finding: one broken place must not hide all others. */
export function createCatalog(from: FilePort, search: readonly string[]): Catalog {
  const entries = new Map<string, CatalogEntry>();
  const directories = new Map<string, KnownDirectory[]>();
  /** What the directories are named after, without their suffixes. */
  const owners = new Set<string>();
  const findings: Finding[] = [];
  const places: string[] = [];
  const seen = new Set<string>();
  const inPath = new Map<string, boolean>(search.map((path) => [path, true]));
  const listings = new Map<string, readonly string[]>();
  const linkTargets = new Map<string, string | undefined>();

  /** Places that could not be looked at; each is told once, with whatever lies below it. */
  const unseen = new Set<string>();
  const looking = <T>(path: string, what: string, look: () => T | undefined): T | undefined => {
    try {
      return look();
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      if (unseen.has(path) || unseen.has(parentOf(path))) return undefined;
      unseen.add(path);
      findings.push(about('warning', path, what, `cannot be read: ${error.code}`, 'check its type and permissions'));
      return undefined;
    }
  };
  const files = {
    list: (path: string) => looking(path, 'directory', () => from.list(path)),
    stat: (path: string) => looking(path, 'place', () => from.stat(path)),
    lstat: (path: string) => looking(path, 'place', () => from.lstat(path)),
    readlink: (path: string) => looking(path, 'place', () => from.readlink(path)),
  };

  const list = (path: string): readonly string[] => {
    const known = listings.get(path);
    if (known !== undefined) return known;
    const names = files.list(path) ?? [];
    listings.set(path, names);
    return names;
  };

  /** Directories of the path that are another one under a second name. */
  const doubles = new Set<string>();

  /** A directory by what it is, so that /lib and /usr/lib count once where one is a link to the other. */
  const identity = (path: string): string | undefined => {
    const stat = files.stat(path);
    return stat === undefined || stat.ino === 0 ? undefined : `${stat.dev}:${stat.ino}`;
  };

  const addDirectory = (name: string, suffix: DirectorySuffix, place: string): void => {
    owners.add(name.slice(0, -suffix.length));
    const directory = { path: `${place}/${name}`, rank: search.indexOf(place) };
    const known = directories.get(name);
    if (known === undefined) directories.set(name, [directory]);
    else known.push(directory);
  };

  for (const place of search) {
    const names = list(place);
    if (names.length === 0) continue;
    const id = identity(place);
    if (id !== undefined) {
      if (seen.has(id)) {
        doubles.add(place);
        continue;
      }
      seen.add(id);
    }
    places.push(place);
    for (const name of names) {
      const suffix = DIRECTORY_SUFFIXES.find((end) => name.endsWith(end));
      if (suffix !== undefined) {
        addDirectory(name, suffix, place);
        continue;
      }
      if (entries.has(name) || !isUnitName(name)) continue;
      if (entries.size >= ENTRIES_MAX) {
        findings.push(
          about('error', place, 'directory', `the unit path has more than ${ENTRIES_MAX} unit files`, 'remove some'),
        );
        break;
      }
      const entry = examine(place, name);
      if (entry !== undefined) entries.set(name, entry);
    }
  }

  function again(name: string): void {
    if (!isUnitName(name)) return;
    const was = entries.get(name);
    entries.delete(name);
    for (const suffix of DIRECTORY_SUFFIXES) directories.delete(name + suffix);
    for (const place of search) {
      if (doubles.has(place)) continue;
      const entry = entries.has(name) ? undefined : examine(place, name);
      if (entry !== undefined) entries.set(name, entry);
      for (const suffix of DIRECTORY_SUFFIXES) {
        const path = `${place}/${name}${suffix}`;
        for (const link of listings.get(path) ?? []) linkTargets.delete(`${path}/${link}`);
        listings.delete(path);
        if (files.stat(path)?.kind === 'directory') addDirectory(name + suffix, suffix, place);
      }
    }
    const is = entries.get(name);
    if (was?.kind === 'alias') {
      const others = aliases.get(was.target)?.filter((other) => other !== name) ?? [];
      if (others.length > 0) aliases.set(was.target, others);
      else aliases.delete(was.target);
    }
    if (is?.kind === 'alias') aliases.set(is.target, [...(aliases.get(is.target) ?? []), name]);
  }

  function examine(place: string, name: string): CatalogEntry | undefined {
    const path = `${place}/${name}`;
    const stat = files.lstat(path);
    if (stat === undefined) return undefined;
    if (stat.kind === 'file') return { name, path, kind: stat.size === 0 ? 'masked' : 'file', target: '', stat };
    if (stat.kind !== 'symlink') {
      findings.push(about('warning', path, 'unit file', `a ${stat.kind}, not a file`, 'remove it or put a file there'));
      return undefined;
    }
    let at = path;
    for (let hops = 0; hops < LINKS_MAX; hops++) {
      const link = files.readlink(at);
      if (link === undefined) {
        // Where the chain ends: a file under another name, or nothing. A target in the path that is missing is still an alias.
        return { name, path, kind: 'linked', target: at };
      }
      const target = resolveLink(at, link);
      if (target === '/dev/null') return { name, path, kind: 'masked', target };
      const base = target.slice(target.lastIndexOf('/') + 1);
      const parent = parentOf(target);
      if (isInPath(parent)) {
        if (base === name) {
          // The same name elsewhere in the path: that file, whatever it is.
          at = target;
          if (files.lstat(target)?.kind === 'symlink') continue;
          const there = files.stat(target);
          return there === undefined
            ? undefined
            : { name, path: target, kind: there.size === 0 ? 'masked' : 'file', target: '', stat: there };
        }
        const fault = aliasFault(name, base);
        if (fault !== undefined) {
          findings.push(about('warning', path, `alias of ${base}`, fault, 'remove the link or give it another name'));
          return undefined;
        }
        return { name, path, kind: 'alias', target: base };
      }
      at = target;
      if (files.lstat(target)?.kind === 'symlink') continue;
      const there = files.stat(target);
      if (there === undefined) {
        findings.push(about('warning', path, 'link', `points to ${target}, which is not there`, 'remove the link'));
        return undefined;
      }
      return { name, path, kind: there.kind === 'char' || there.size === 0 ? 'masked' : 'linked', target, stat: there };
    }
    findings.push(
      about('warning', path, 'link', `more than ${LINKS_MAX} links of links`, 'point it at the file itself'),
    );
    return undefined;
  }

  function isInPath(parent: string): boolean {
    let known = inPath.get(parent);
    if (known === undefined) {
      const id = identity(parent);
      known = id !== undefined && seen.has(id);
      if (id !== undefined && !known) known = search.some((place) => identity(place) === id);
      inPath.set(parent, known);
    }
    return known;
  }

  // What each name is also called, by target.
  const aliases = new Map<string, string[]>();
  for (const entry of entries.values()) {
    if (entry.kind !== 'alias') continue;
    const known = aliases.get(entry.target);
    if (known === undefined) aliases.set(entry.target, [entry.name]);
    else known.push(entry.name);
  }

  function find(name: string): Found {
    const plain = entries.get(name);
    if (plain !== undefined && plain.kind !== 'alias' && aliases.size === 0)
      return { name, entry: plain, names: [name] };
    let current = name;
    for (let hops = 0; hops <= ALIASES_MAX; hops++) {
      const instance = parseName(current)?.instance ?? '';
      const template = templateOf(current);
      const entry = entries.get(current) ?? (template === undefined ? undefined : entries.get(template));
      if (entry === undefined && hops > 0) break; // it leads nowhere, so it is no alias of anything
      if (entry?.kind !== 'alias') return { name: current, entry, names: namesOf(current) };
      const target = withInstance(entry.target, instance);
      if (target === current) {
        // foo@x.service -> foo@.service: the template's own file.
        const file = template === undefined ? undefined : entries.get(template);
        return { name: current, entry: file?.kind === 'alias' ? undefined : file, names: namesOf(current) };
      }
      current = target;
      if (hops === ALIASES_MAX) tellEndless(name);
    }
    return { name, entry: undefined, names: [name] };
  }

  const endless = new Set<string>();
  function tellEndless(name: string): void {
    if (endless.has(name)) return;
    endless.add(name);
    const todo = 'remove one of the links, or point it at the unit itself';
    findings.push(
      about(
        'error',
        entries.get(name)?.path ?? '',
        name,
        `more than ${ALIASES_MAX} links of links, or a circle of them`,
        todo,
      ),
    );
  }

  function namesOf(name: string): string[] {
    const found = new Set([name]);
    const waiting: (readonly [name: string, hops: number])[] = [[name, 0]];
    for (let one = waiting.shift(); one !== undefined && found.size < 1000; one = waiting.shift()) {
      const [next, hops] = one;
      if (hops === ALIASES_MAX) continue;
      const parsed = parseName(next);
      const template = templateOf(next);
      for (const alias of aliases.get(next) ?? [])
        if (parsed?.kind !== 'template' && !found.has(alias)) {
          found.add(alias);
          waiting.push([alias, hops + 1]);
        }
      for (const alias of template === undefined ? [] : (aliases.get(template) ?? [])) {
        const aliasParsed = parseName(alias);
        // An instance that links to a template is that one instance's name.
        if (aliasParsed?.kind === 'instance' && aliasParsed.instance !== parsed?.instance) continue;
        const own = withInstance(alias, parsed?.instance ?? '');
        if (!found.has(own)) {
          found.add(own);
          waiting.push([own, hops + 1]);
        }
      }
    }
    return [...found].sort();
  }

  /** Directories for a unit's names, the most important first. */
  function directoriesOf(names: readonly string[], suffix: DirectorySuffix): string[] {
    const out = new Set<string>();
    const add = (keys: readonly string[]) => {
      const hits: { path: string; rank: number; order: number }[] = [];
      for (const [order, key] of keys.entries())
        for (const place of directories.get(key + suffix) ?? []) hits.push({ ...place, order });
      hits.sort((a, b) => a.rank - b.rank || a.order - b.order);
      for (const hit of hits) out.add(hit.path);
    };
    if (directories.size === 0) return [];
    for (const name of names) add(specific(name));
    const type = parseName(names[0] ?? '')?.type;
    if (type !== undefined) add([type]);
    return [...out];
  }

  /** Read once: all questions to one catalog get answers that agree. */
  function linkTarget(path: string): string | undefined {
    if (!linkTargets.has(path)) linkTargets.set(path, files.readlink(path));
    return linkTargets.get(path);
  }

  function hasDirectories(names: readonly string[]): boolean {
    if (owners.size === 0) return false;
    const type = parseName(names[0] ?? '')?.type;
    return (
      (type !== undefined && owners.has(type)) || names.some((name) => specific(name).some((key) => owners.has(key)))
    );
  }

  function dropIns(names: readonly string[]): string[] {
    const byFile = new Map<string, string>();
    for (const directory of directoriesOf(names, '.d')) {
      for (const file of list(directory)) {
        if (!file.endsWith('.conf') || file.startsWith('.') || byFile.has(file)) continue;
        byFile.set(file, `${directory}/${file}`);
      }
    }
    if (byFile.size === 0) return [];
    return [...byFile.keys()].sort().map((file) => byFile.get(file) ?? '');
  }

  function links(names: readonly string[], suffix: DirectorySuffix) {
    const out = new Map<string, DependencyLink>();
    const faults: Finding[] = [];
    const masked = new Set<string>();
    for (const directory of directoriesOf(names, suffix)) {
      for (const name of list(directory)) {
        if (out.has(name) || masked.has(name)) continue;
        const path = `${directory}/${name}`;
        if (!isUnitName(name)) {
          faults.push(
            about(
              'warning',
              path,
              'dependency link',
              'not named like a unit',
              'remove it or name it like the unit it means',
            ),
          );
          continue;
        }
        const target = linkTarget(path);
        if (target === undefined) {
          faults.push(
            about('warning', path, 'dependency', 'not a link, it is left out', 'make it a link to the unit file'),
          );
          continue;
        }
        const entry = entries.get(name);
        const leadsToMask = entry?.kind === 'masked' && resolveLink(path, target) === entry.path;
        if (target === '/dev/null' || leadsToMask) {
          masked.add(name);
          faults.push(
            about('note', path, 'dependency link', 'points to /dev/null: the dependency is switched off', ''),
          );
          continue;
        }
        out.set(name, { name, path });
      }
    }
    return { links: [...out.values()].sort((a, b) => (a.name < b.name ? -1 : 1)), findings: faults };
  }

  type How = 'persistent' | 'runtime';
  let linked:
    | {
        readonly config: ConfigDirectories;
        readonly by: ReadonlyMap<string, How>;
        readonly depended: ReadonlyMap<string, How>;
        readonly aliases: ReadonlyMap<string, readonly { readonly name: string; readonly how: How }[]>;
      }
    | undefined;

  /** All units that links in the configuration directories name, made once for each set of directories. */
  function enablingLinks(config: ConfigDirectories) {
    if (linked?.config !== config) {
      const runtime = [
        ...config.runtimeConfig,
        config.generatorEarly,
        config.generator,
        config.generatorLate,
        config.runtimeControl,
        config.transient,
      ];
      const by = new Map<string, How>();
      const depended = new Map<string, How>();
      const aliases = new Map<string, { readonly name: string; readonly how: How }[]>();
      // Persistent ones last, since they win.
      for (const [how, places] of [
        ['runtime', runtime],
        ['persistent', config.persistentConfig],
      ] as const) {
        for (const place of places) {
          for (const entry of list(place)) {
            if (entry.endsWith('.wants') || entry.endsWith('.requires') || entry.endsWith('.upholds')) {
              for (const link of list(`${place}/${entry}`)) {
                if (!isUnitName(link)) continue;
                by.set(link, how);
                depended.set(link, how);
              }
              continue;
            }
            const known = entries.get(entry);
            if (known?.kind !== 'alias' || known.path !== `${place}/${entry}`) continue;
            by.set(known.target, how);
            aliases.set(known.target, [...(aliases.get(known.target) ?? []), { name: entry, how }]);
          }
        }
      }
      linked = { config, by, depended, aliases };
    }
    return linked;
  }

  return {
    entries,
    findings,
    find,
    enabledBy: (name, config) => enablingLinks(config).by.get(name),
    dependedOn: (name, config) => enablingLinks(config).depended.get(name),
    aliasLinks: (name, config) => enablingLinks(config).aliases.get(name) ?? [],
    hasEnabledInstance: (template, config) =>
      [...enablingLinks(config).by.keys()].some((name) => templateOf(name) === template),
    has: (name) => {
      const found = find(name).entry;
      return found !== undefined && found.kind !== 'masked';
    },
    hasDirectories,
    dropIns,
    links,
    directories: places,
    again,
  };
}

/**
 * Names whose directories count for a unit, most important first: its own, its template's with what is left of that after
 * cutting at dashes (foo-bar@.service, foo-.service), then the same cuts with the instance (foo-@x.service, foo-@.service).
 * The order between these is that of a live systemd 252.
 */
function specific(name: string): string[] {
  if (!name.includes('-') && !name.includes('@')) return [name]; // nothing to be cut: most are so
  const parsed = parseName(name);
  if (parsed === undefined) return [name];
  const out = [name];
  if (parsed.kind === 'instance') out.push(...specific(`${parsed.prefix}@.${parsed.type}`));
  const { prefix } = parsed;
  const dash = prefix.endsWith('-') ? prefix.lastIndexOf('-', prefix.length - 2) : prefix.lastIndexOf('-');
  if (dash > 0) {
    const cut = prefix.slice(0, dash + 1);
    out.push(
      ...specific(parsed.kind === 'instance' ? `${cut}@${parsed.instance}.${parsed.type}` : `${cut}.${parsed.type}`),
    );
  }
  return [...new Set(out)];
}

const parentOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf('/')));

/** Where a link leads, without following further ones. */
export function resolveLink(path: string, target: string): string {
  const whole = target.startsWith('/') ? target : `${path.slice(0, path.lastIndexOf('/'))}/${target}`;
  const parts: string[] = [];
  for (const part of whole.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  return `/${parts.join('/')}`;
}
