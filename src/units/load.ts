/**
 * The loader: a unit's name in, the unit with all of its files, settings, edges and findings out.
 *
 * Steps: find the name in the catalog (aliases, masks, templates), read the main file and the drop-ins into one draft by
 * the table of directives, add the links of .wants/.requires/.upholds, settle dependent defaults, ask verify.ts what must be
 * refused, and add the implied edges. Nothing here throws for what a file holds; what is wrong is a finding.
 * Source: systemd.unit(5).
 */
import { type FilePort, HostError, type MachineFacts } from '../host/ports.ts';
import { emptyUnit, newDraft, putOwnSection } from './blank.ts';
import { type Building, createBuilding } from './building.ts';
import { type CacheClock, type CacheFile, UnitCache } from './cache.ts';
import { type Catalog, createCatalog, type Found } from './catalog.ts';
import { hasExec, impliedEdges, isSliceRule, type NeededPath, namespaceEdges, PERPETUAL } from './dependencies.ts';
import type { Context, Draft, Mutable } from './directives/draft.ts';
import { finishService } from './directives/service.ts';
import { finishSocket } from './directives/socket.ts';
import { about } from './finding.ts';
import { systemPaths, type UnitPaths } from './load-path.ts';
import { nameToPath, parseName, pathToName, simplifyPath, typeOf, type UnitName } from './names.ts';
import { type Assignment, FILE_LENGTH_MAX, placeOf, readUnitText, type UnitText } from './reader.ts';
import { specifiersOf } from './specifiers.ts';
import { parseBoolean } from './syntax/scalar.ts';
import { type Zones, zonesOf } from './time/zones.ts';
import type { Finding, LoadState, Origin, Unit, UnitType } from './types.ts';
import { unitFileState } from './unit-file-state.ts';
import { decodeUtf8 } from './utf8.ts';
import { isolationFault, refusals, sliceFault } from './verify.ts';
import { isContainer } from './virtualization.ts';

export interface UnitLoaderOptions {
  readonly files: FilePort;
  readonly facts: MachineFacts;
  /** Default: the system manager's, with SYSMASTER_UNIT_PATH of the facts' environment. */
  readonly paths?: UnitPaths;
  /** Device units work here (something like udev reports them). Default: not in containers. */
  readonly devices?: boolean;
  /** With it, units whose files have not changed are kept over a {@link UnitLoader.refresh}. Default: nothing is kept. */
  readonly clock?: CacheClock;
  /** With a clock: where they are kept for the next start. Default: nowhere. */
  readonly cacheFile?: CacheFile;
}

export interface UnitLoader {
  readonly paths: UnitPaths;
  /** Many loads in one go: once they turn out to be many, files are read ahead. */
  together<T>(loads: () => T): T;
  /** The unit of any name or alias. The same object for the same unit until {@link refresh}. Never throws. */
  load(name: string): Unit;
  /** A template read as if it were a unit, for its [Install] section and for `cat`; other names as {@link load}. */
  loadTemplate(name: string): Unit;
  /** The main name of a name, from the catalog alone: an alias is resolved, nothing is read. */
  canonical(name: string): string;
  /** What the unit path holds, scanned on first use. */
  catalog(): Catalog;
  /** A unit from text instead of files: transient units, `verify` of a file elsewhere. Drop-ins of the path count. */
  loadText(name: string, text: string, file: string): Unit;
  /** Take in units as they were loaded before, without a look at any file. */
  remember(units: Iterable<Unit>): void;
  /** Forget units by these names: the next load of each looks at its files anew, those of its template too. */
  forget(names: Iterable<string>): void;
  /** Forget everything read; the next load scans again (daemon-reload), and keeps what has not changed. */
  refresh(): void;
  /** The clock was set: what was kept cannot be compared with files any more. Units that are loaded stay. */
  clockSet(): void;
  /** Write what the next start may want to `cacheFile`, if there is anything new. @throws HostError */
  keep(): void;
}

const FINDINGS_MAX = 1000;

/** Files that are read in one go before others are read ahead: with so many, more are to come. */
const AHEAD_FROM = 128;

/** Types whose units may be there without a file. */
const FILE_IS_OPTIONAL: ReadonlySet<UnitType> = new Set(['slice', 'device']);

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  '-.slice': 'Root Slice',
  'system.slice': 'System Slice',
  'init.scope': 'System and Service Manager',
  '-.mount': 'Root Mount',
};

const DOCUMENTATION: Readonly<Record<string, readonly string[]>> = {
  '-.slice': ['man:systemd.special(7)'],
  'system.slice': ['man:systemd.special(7)'],
  'init.scope': ['man:systemd(1)'],
};

export function createUnitLoader(options: UnitLoaderOptions): UnitLoader {
  const { files, facts } = options;
  const paths = options.paths ?? systemPaths(facts.environment, facts.runDirectory);
  const devices = options.devices ?? !isContainer(facts.virtualization);
  let catalog: Catalog | undefined;
  let units = new Map<string, Unit>();
  let texts = new Map<string, UnitText | 'masked' | undefined>();
  let capacity: Context['capacity'] | undefined;
  let zones: Zones | undefined;
  const cache = options.clock === undefined ? undefined : new UnitCache(files, options.clock);
  let restored = false;
  /** Names whose files are to be looked at anew. */
  const stale = new Set<string>();
  /** The rules of {@link impliedEdges} are few, but for those that name the unit's slice. */
  const ruleOrigins = new Map<string, Origin>();
  let lastSliceRule = { rule: '' };
  /** Files that were read in one go; undefined: loads come one by one. */
  let readTogether: number | undefined;
  /** While a unit is made: all of it could be read, and comes from what is compared. */
  let keepable = true;

  const theCatalog = (): Catalog => {
    if (catalog !== undefined) return catalog;
    if (options.cacheFile !== undefined && !restored) cache?.restore(options.cacheFile, newDraft);
    restored = true;
    cache?.scanning();
    catalog = createCatalog(files, paths.search);
    cache?.inWorld(worldOf(catalog));
    return catalog;
  };

  /** All that units depend on besides their own files. */
  const worldOf = ({ entries, directories }: Catalog): string => {
    const mounts = [...entries.values()].filter(({ name, kind }) => name.endsWith('.mount') && kind !== 'masked');
    return JSON.stringify([facts, paths, devices, machine(), directories, mounts.map(({ name }) => name).sort()]);
  };

  const machine = (): Context['capacity'] => {
    capacity ??= readCapacity(files);
    return capacity;
  };

  const theZones = (): Zones => {
    keepable = false; // the database of time zones is no file of the unit path: nobody compares it
    zones ??= zonesOf(files, facts.environment['TZ']);
    return zones;
  };

  /** A file's assignments; undefined: it is not there. Throws HostError when it cannot be read. */
  const read = (path: string): UnitText | 'masked' | undefined => {
    if (readTogether !== undefined) {
      readTogether += 1;
      if (readTogether === AHEAD_FROM) readAhead();
    }
    const text = readText(files, path);
    return text === undefined ? undefined : text === '' ? 'masked' : readUnitText(text, path);
  };

  /** What is left of the unit path, but for what is remembered. */
  const readAhead = (): void => {
    if (files.readAhead === undefined) return;
    const left = [...theCatalog().entries.values()].filter(
      ({ name, kind }) => kind === 'file' && !units.has(name) && cache?.has(name) !== true,
    );
    files.readAhead(left.map(({ path }) => path));
  };

  /** The same for files that many units are made of: read once. */
  const readShared = (path: string, isLookedAt = false): UnitText | 'masked' | undefined => {
    if (texts.has(path)) return texts.get(path);
    if (!isLookedAt) cache?.look(path);
    const parsed = read(path);
    texts.set(path, parsed);
    return parsed;
  };

  const load = (name: string): Unit => {
    const known = units.get(name);
    if (known !== undefined) return known;
    const parsed = parseName(name);
    if (parsed === undefined || parsed.kind === 'template') {
      const why = parsed === undefined ? 'not the name of a unit' : 'a template has no unit of its own';
      return emptyUnit(name, typeOf(name) ?? 'service', [name], 'error', [
        about('error', '', name, why, 'use a name such as foo.service or foo@bar.service'),
      ]);
    }
    if (stale.size > 0) lookAgain(name, parsed);
    const found = theCatalog().find(name);
    const main = units.get(found.name);
    const unit = main ?? remembered(found);
    for (const each of unit.names) units.set(each, unit);
    units.set(name, unit);
    return unit;
  };

  /** Nobody has said that these files have changed; who loads them for the first time sees them as they are. */
  function lookAgain(name: string, { kind, prefix, type }: UnitName): void {
    for (const each of kind === 'instance' ? [name, `${prefix}@.${type}`] : [name]) {
      if (!stale.delete(each)) continue;
      const catalog = theCatalog();
      const former = [catalog.entries.get(each)?.path ?? '', ...catalog.dropIns([each])];
      catalog.again(each);
      for (const path of [...former, catalog.entries.get(each)?.path ?? '', ...catalog.dropIns([each])]) {
        texts.delete(path);
        cache?.lookAgain(path);
      }
    }
  }

  /** From before, or made now. */
  function remembered(found: Found): Unit {
    if (cache === undefined) return build(found, undefined);
    const inputs = cache.inputs(theCatalog(), found, theCatalog().enabledBy(found.name, paths) ?? '');
    const known = cache.get(found, inputs);
    if (known !== undefined) return known;
    keepable = true;
    const unit = build(found, undefined);
    if (keepable) cache.put(found, inputs, unit);
    return unit;
  }

  function build(found: Found, given: { readonly text: string; readonly file: string } | undefined): Unit {
    const name = parseName(found.name);
    if (name === undefined)
      return emptyUnit(found.name, 'service', found.names, 'error', [
        about('error', found.entry?.path ?? '', found.name, 'not the name of a unit', 'rename the file'),
      ]);
    const names = [name.name, ...found.names.filter((other) => other !== name.name)];
    const findings: Finding[] = [];
    const { entry } = found;
    const masked = (): Unit => ({
      ...emptyUnit(name.name, name.type, names, 'masked', [], unitFileState(theCatalog(), paths, name.name, undefined)),
      fragmentPath: entry?.path ?? '',
    });
    if (given === undefined && entry?.kind === 'masked') return masked();

    /** What is wrong with assignments that do not count. */
    const tellFaults = (assignments: readonly Assignment[], { sections }: UnitText): void =>
      createBuilding(name, newDraft(name.type), findings, facts, machine, theZones, entry?.path ?? '').take({
        assignments,
        sections,
        findings: [],
        broken: true,
        beyond: [],
      });
    let fragment: UnitText | undefined;
    let fragmentPath = given?.file ?? entry?.path ?? '';
    if (given !== undefined) fragment = readUnitText(given.text, given.file);
    else if (entry !== undefined) {
      try {
        const isOwn = name.kind === 'plain' && entry.kind === 'file' && entry.stat !== undefined;
        const text = isOwn ? read(entry.path) : readShared(entry.path, entry.stat !== undefined);
        if (text === 'masked') return masked();
        fragment = text;
      } catch (error) {
        if (!(error instanceof HostError)) throw error;
        keepable = false;
        return emptyUnit(name.name, name.type, names, 'error', [
          about('error', entry.path, 'unit file', `cannot be read: ${error.code}`, 'check its permissions'),
        ]);
      }
    }
    if (fragment?.broken === true) {
      findings.push(...fragment.findings);
      tellFaults([...fragment.assignments, ...fragment.beyond], fragment);
      return { ...emptyUnit(name.name, name.type, names, 'error', findings, 'bad'), fragmentPath };
    }
    // A scope is made by a request, never by a file (systemd.scope(5)).
    if (name.type === 'scope' && given === undefined) fragment = undefined;
    if (fragment === undefined) {
      fragmentPath = '';
      const fault = name.type === 'slice' ? sliceFault(name.name) : undefined;
      if (fault !== undefined)
        return emptyUnit(name.name, name.type, names, 'error', [
          about('error', '', name.name, fault, 'rename it: a-b.slice lies in a.slice'),
        ]);
      if (!FILE_IS_OPTIONAL.has(name.type) && !PERPETUAL.has(name.name))
        return emptyUnit(name.name, name.type, names, 'not-found', []);
    }

    const draft = newDraft(name.type);
    draft.unit.Documentation = DOCUMENTATION[name.name] ?? [];
    // The log's own socket lies on it.
    if (name.name === '-.mount' && draft.mount !== undefined) draft.mount.StandardOutput = 'null';
    if (PERPETUAL.has(name.name)) draft.unit.DefaultDependencies = false;
    const building = createBuilding(name, draft, findings, facts, machine, theZones, fragmentPath);
    if (fragment !== undefined) {
      findings.push(...fragment.findings);
      building.take(fragment);
    }
    const dropInPaths: string[] = [];
    const hasDirectories = theCatalog().hasDirectories(names);
    for (const path of hasDirectories ? theCatalog().dropIns(names) : []) {
      try {
        const text = readShared(path);
        if (text === undefined) continue;
        dropInPaths.push(path);
        if (text === 'masked') continue; // an empty drop-in, or a link to /dev/null, hides others of its name
        findings.push(...text.findings);
        building.take(text);
        if (text.broken) tellFaults(text.beyond, { ...text, sections: [] });
      } catch (error) {
        if (!(error instanceof HostError)) throw error;
        keepable = false;
        findings.push(about('error', path, 'drop-in', `cannot be read: ${error.code}`, 'check its permissions'));
      }
    }
    for (const [suffix, kind] of hasDirectories ? LINK_KINDS : []) {
      const { links, findings: faults } = theCatalog().links(names, suffix);
      findings.push(...faults);
      for (const link of links) building.link(kind, link.name, { link: link.path });
    }

    if (draft.service !== undefined) finishService(draft.service, draft.given);
    if (draft.socket !== undefined) finishSocket(draft.socket, name.name);
    if (name.name === '-.mount' && fragment === undefined && draft.mount !== undefined) {
      draft.mount.Where = '/';
      draft.mount.What = 'rootfs';
    }
    // A setting that cannot be read ends it at once; what is refused as a whole has its edges all the same, as in systemd.
    for (const fault of refusals(name.name, draft)) {
      const last = building.last(fault.key);
      building.refused = true;
      findings.push({
        severity: 'error',
        at: last === undefined ? { file: fragmentPath, line: 0, column: 0 } : placeOf(last),
        what: fault.what,
        why: fault.why,
        todo: fault.todo,
      });
    }
    // The checks above have settled Where= and What=.
    if (draft.unit.Description === '') draft.unit.Description = defaultDescription(name, draft);
    if (!building.ended) implied(name, draft, building, !building.refused);

    const isolated = building.refused ? undefined : isolationFault(draft);
    if (isolated !== undefined) {
      building.refused = true;
      const last = building.last('OnFailureJobMode') ?? building.last('OnFailureIsolate');
      findings.push({
        severity: 'error',
        at: last === undefined ? { file: fragmentPath, line: 0, column: 0 } : placeOf(last),
        ...isolated,
      });
    }

    const loadState: LoadState = building.refused ? 'bad-setting' : 'loaded';
    const unit: Mutable<Unit> = {
      name: name.name,
      type: name.type,
      names: names.length === 1 ? names : [...names].sort(),
      loadState,
      fragmentPath,
      dropInPaths,
      unitFileState: given === undefined ? unitFileState(theCatalog(), paths, name.name, draft.install) : 'transient',
      unit: draft.unit,
      install: draft.install,
      conditions: draft.conditions,
      edges: draft.edges,
      findings: findings.length > FINDINGS_MAX ? findings.slice(0, FINDINGS_MAX) : findings,
      raw: building.raw,
    };
    putOwnSection(unit, draft);
    return unit;
  }

  /** One object for all edges of a rule. */
  function ruleOrigin(rule: string): Origin {
    if (lastSliceRule.rule === rule) return lastSliceRule;
    let origin = ruleOrigins.get(rule);
    if (origin !== undefined) return origin;
    origin = Object.freeze({ rule });
    if (isSliceRule(rule)) lastSliceRule = origin as { rule: string };
    else ruleOrigins.set(rule, origin);
    return origin;
  }

  /** @param usable false: its edges to its slice and to mounts are left out, though it is told where it belongs */
  function implied(name: UnitName, draft: Draft, building: Building, usable: boolean): void {
    const needed: NeededPath[] = draft.unit.RequiresMountsFor.map((path) => ({ path, rule: '' }));
    const need = (each: NeededPath) => needed.push({ ...each, path: simplifyPath(each.path) });
    for (const { kind, to, rule } of impliedEdges(
      name,
      draft,
      { devices, container: isContainer(facts.virtualization) },
      need,
    ))
      if (usable || kind === 'InSlice' || !isSliceRule(rule)) building.link(kind, to, ruleOrigin(rule));
    const written = building.last('RootImage')?.value ?? '';
    const image = written === '' ? { text: '' } : specifiersOf(name, facts, '').expand(written);
    const rootImage = 'text' in image && image.text.startsWith('/') ? image.text : '';
    const isOn = (key: string) => {
      const last = building.last(key);
      return last !== undefined && parseBoolean(last.value) === true;
    };
    namespaceEdges(
      hasExec(draft) && (isOn('PrivateTmp') || isOn('DynamicUser')),
      hasExec(draft) ? rootImage : '',
      (rule, to, ...kinds) => {
        for (const kind of kinds) building.link(kind, to, { rule });
      },
      need,
    );
    // Mount units below which a needed path lies: those that there are (systemd.unit(5), RequiresMountsFor=).
    const own = building.last('RequiresMountsFor');
    for (const { path, rule } of usable ? needed : []) {
      for (const mount of mountsAbove(path)) {
        if (mount === name.name) continue;
        const has = theCatalog().has(mount);
        if (!has && mount !== '-.mount') continue;
        const origin: Origin =
          rule === '' && own !== undefined ? { file: own.file, line: own.line } : { rule: `${rule} needs ${path}` };
        building.link('After', mount, origin);
        if (has) building.link('Requires', mount, origin);
      }
    }
    if (needed.length > 0) draft.unit.RequiresMountsFor = [...new Set(needed.map((each) => each.path))];
  }

  return {
    paths,
    load,
    together(loads) {
      readTogether = 0;
      try {
        return loads();
      } finally {
        if (readTogether >= AHEAD_FROM) files.readAhead?.([]);
        readTogether = undefined;
      }
    },
    loadTemplate: (name) =>
      parseName(name)?.kind === 'template' ? build(theCatalog().find(name), undefined) : load(name),
    canonical: (name) => theCatalog().find(name).name,
    catalog: theCatalog,
    loadText(name, text, file) {
      const found = theCatalog().find(name);
      return build({ name, entry: undefined, names: found.name === name ? found.names : [name] }, { text, file });
    },
    clockSet: () => cache?.forget(),
    remember(known) {
      for (const unit of known) for (const name of [unit.name, ...unit.names]) units.set(name, unit);
    },
    keep() {
      if (options.cacheFile !== undefined) cache?.save(options.cacheFile, newDraft);
    },
    forget(names) {
      const scanned = catalog !== undefined; // otherwise the scan that comes sees everything as it is
      for (const name of names) {
        if (!scanned) {
          units.delete(name);
          continue;
        }
        for (const each of units.get(name)?.names ?? []) {
          units.delete(each);
          stale.add(each);
        }
        units.delete(name);
        stale.add(name);
        const parsed = parseName(name);
        if (parsed?.kind === 'instance') stale.add(`${parsed.prefix}@.${parsed.type}`);
      }
    },
    refresh() {
      stale.clear();
      catalog = undefined;
      capacity = undefined;
      zones = undefined;
      units = new Map();
      texts = new Map();
    },
  };
}

/** What a unit that does not describe itself is called. */
function defaultDescription({ name, type }: UnitName, { mount, swap }: Draft): string {
  const known = DESCRIPTIONS[name];
  if (known !== undefined) return known;
  if (mount !== undefined && mount.Where !== '') return mount.Where;
  if (swap !== undefined && swap.What !== '') return swap.What;
  if (type === 'device') return nameToPath(name) ?? name;
  const path = type === 'slice' ? nameToPath(name) : undefined;
  return path === undefined ? name : `Slice ${path}`;
}

const LINK_KINDS = [
  ['.wants', 'Wants'],
  ['.requires', 'Requires'],
  ['.upholds', 'Upholds'],
] as const;

/** /a/b -> -.mount, a.mount, a-b.mount. */
function mountsAbove(path: string): string[] {
  const out = ['-.mount'];
  for (let slash = path.indexOf('/', 1); ; slash = path.indexOf('/', slash + 1)) {
    const prefix = slash < 0 ? path : path.slice(0, slash);
    const name = prefix.length > 1 ? pathToName(prefix, 'mount') : undefined;
    if (name !== undefined) out.push(name);
    if (slash < 0) return out;
  }
}

/** A file as text; undefined: it is not there. Bytes that are not UTF-8 are U+FFFD. */
function readText(files: FilePort, path: string): string | undefined {
  let text: string | undefined;
  try {
    text = files.readText(path);
    if (text === undefined || !(text.includes('\ufffd') || text.includes('\0'))) return text;
  } catch (error) {
    if (!(error instanceof HostError) || error.code !== 'EILSEQ') throw error;
  }
  const bytes = files.readBytes(path, FILE_LENGTH_MAX + 1);
  return bytes === undefined ? undefined : decodeUtf8(bytes).text;
}

/** Memory and the number of tasks, from /proc; what is not there is not known. */
function readCapacity(files: FilePort): Context['capacity'] {
  const number = (path: string, pattern: RegExp): number | undefined => {
    try {
      const match = pattern.exec(files.readText(path) ?? '');
      return match === null ? undefined : Number(match[1]);
    } catch (error) {
      if (error instanceof HostError) return undefined; // then it is not known, and settings that need it say so
      throw error;
    }
  };
  const kib = number('/proc/meminfo', /^MemTotal:\s+([0-9]+) kB/m);
  const pids = number('/proc/sys/kernel/pid_max', /^([0-9]+)/);
  const threads = number('/proc/sys/kernel/threads-max', /^([0-9]+)/);
  return {
    memoryBytes: kib === undefined ? undefined : kib * 1024,
    tasks: pids === undefined ? threads : threads === undefined ? pids : Math.min(pids, threads),
  };
}
