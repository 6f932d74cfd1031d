/**
 * Enabling and its kin, as plans: what links would be made and removed, and why not.
 *
 * A plan is made on a copy of what is there (`overlay`), step by step, so that the second step sees the first one's changes.
 * Nothing is written until `applyChanges`. Source: systemctl(1), "Unit File Commands"; systemd.unit(5), "[Install] section
 * options" and "Mapping"; compared with `systemctl --root=`.
 */
import type { FilePort, MachineFacts } from '../host/ports.ts';
import { resolveLink } from './catalog.ts';
import { about } from './finding.ts';
import type { InstallPlan, InstallRequest } from './install-plan.ts';
import { createUnitLoader, type UnitLoader } from './load.ts';
import type { UnitPaths } from './load-path.ts';
import { aliasFault, isUnitName, parseName, templateOf, withInstance } from './names.ts';
import { overlay } from './overlay.ts';
import { presetDirectories, presetOf, readPresets } from './preset.ts';
import type { Finding, Unit } from './types.ts';

export interface InstallOptions {
  readonly files: FilePort;
  readonly facts: MachineFacts;
  readonly paths: UnitPaths;
  /** Default: {@link presetDirectories}. */
  readonly presetDirectories?: readonly string[];
}

/** Units one request may lead to by Also=. */
const UNITS_MAX = 10_000;

/** What a request would do. Never throws for what files hold. */
export function planInstall(options: InstallOptions, request: InstallRequest): InstallPlan {
  const work = new Work(options, request);
  switch (request.verb) {
    case 'enable':
      work.enable(request.units);
      break;
    case 'disable':
      work.disable(request.units);
      break;
    case 'reenable':
      work.disable(request.units);
      work.enable(request.units);
      break;
    case 'preset':
      work.preset(request.units, false);
      break;
    case 'preset-all':
      work.preset(work.allUnits(), true);
      break;
    case 'mask':
      for (const name of request.units) work.mask(name);
      break;
    case 'unmask':
      for (const name of request.units) work.unmask(name);
      break;
    case 'link':
      for (const path of request.units) work.linkFile(path);
      break;
    case 'revert':
      for (const name of request.units) work.revert(name);
      break;
    case 'add-wants':
    case 'add-requires':
      work.addDependencies(request.units, request.target ?? '', request.verb === 'add-wants' ? '.wants' : '.requires');
      break;
    case 'set-default':
      work.setDefault(request.units[0] ?? '');
      break;
  }
  return work.plan();
}

/** The unit that default.target leads to; undefined: there is none. */
export function defaultTarget(loader: Pick<UnitLoader, 'catalog'>): string | undefined {
  const found = loader.catalog().find('default.target');
  return found.entry === undefined || found.entry.kind === 'masked' ? undefined : found.name;
}

/** One request being planned. */
class Work {
  private readonly files: ReturnType<typeof overlay>;
  private readonly options: InstallOptions;
  private readonly request: InstallRequest;
  private readonly findings: Finding[] = [];
  private readonly config: readonly string[];
  private loader: UnitLoader;
  private carries = false;

  constructor(options: InstallOptions, request: InstallRequest) {
    this.options = options;
    this.request = request;
    this.files = overlay(options.files);
    this.config = request.runtime === true ? options.paths.runtimeConfig : options.paths.persistentConfig;
    this.loader = createUnitLoader({ files: this.files, facts: options.facts, paths: options.paths });
  }

  plan(): InstallPlan {
    return {
      changes: this.files.changes(),
      findings: this.findings,
      ok: !this.findings.some((finding) => finding.severity === 'error'),
      carriesInstallInfo: this.carries,
    };
  }

  private get directory(): string {
    return this.config[0] ?? '/etc/sysmaster/system';
  }

  private fail(what: string, why: string, todo: string): void {
    this.findings.push(about('error', '', what, why, todo));
  }

  private warn(what: string, why: string, todo: string): void {
    this.findings.push(about('warning', '', what, why, todo));
  }

  private changed(): void {
    this.loader = createUnitLoader({ files: this.files, facts: this.options.facts, paths: this.options.paths });
  }

  /** The unit with its [Install] section; undefined, with a finding, if it cannot be enabled at all. */
  private unitFor(name: string, verb: string): Unit | undefined {
    if (!isUnitName(name)) {
      this.fail(`${verb} ${name}`, 'not the name of a unit', 'use a name such as foo.service');
      return undefined;
    }
    const catalog = this.loader.catalog();
    const found = catalog.find(name);
    if (found.entry === undefined) {
      this.fail(
        `${verb} ${name}`,
        `Unit file ${name} does not exist`,
        'check the spelling, or put the file into the unit path',
      );
      return undefined;
    }
    if (found.entry.kind === 'masked') {
      this.fail(`${verb} ${name}`, `Unit file ${found.entry.path} is masked`, `unmask it first: sctl unmask ${name}`);
      return undefined;
    }
    return this.loader.loadTemplate(found.name);
  }

  enable(names: readonly string[]): void {
    const waiting: { name: string; auxiliary: boolean }[] = [];
    for (const given of names) {
      if (!given.includes('/')) waiting.push({ name: given, auxiliary: false });
      else {
        const name = this.linkFile(given);
        if (name !== undefined) waiting.push({ name, auxiliary: false });
      }
    }
    const seen = new Set<string>();
    for (let at = 0; at < waiting.length && at < UNITS_MAX; at++) {
      const next = waiting[at];
      if (next === undefined || seen.has(next.name)) continue;
      seen.add(next.name);
      const unit = this.enableOne(next.name, next.auxiliary);
      for (const also of unit?.install.Also ?? []) waiting.push({ name: also, auxiliary: true });
    }
    this.changed();
  }

  private enableOne(name: string, auxiliary: boolean): Unit | undefined {
    const found = this.loader.catalog().find(name);
    if (auxiliary && (found.entry === undefined || found.entry.kind === 'masked')) {
      this.warn(
        `Also=${name}`,
        found.entry === undefined ? 'there is no such unit file' : 'the unit is masked',
        'it is left as it is',
      );
      return undefined;
    }
    const unit = this.unitFor(name, 'enable');
    if (unit === undefined) return undefined;
    if (unit.unitFileState === 'transient' || unit.unitFileState === 'generated') {
      this.fail(
        `enable ${name}`,
        `the unit is ${unit.unitFileState}, so there is no file to enable`,
        'enable what makes it',
      );
      return undefined;
    }
    const source = this.sourceOf(unit.fragmentPath);
    const parsed = parseName(unit.name);
    const { install } = unit;
    if (
      install.Alias.length +
        install.WantedBy.length +
        install.RequiredBy.length +
        install.UpheldBy.length +
        install.Also.length >
      0
    )
      this.carries = true;
    else {
      this.warn(
        `enable ${name}`,
        'its [Install] section says nothing, so it is started only by what names it',
        'give it a WantedBy=, or add it with sctl add-wants',
      );
      return unit;
    }
    for (const alias of install.Alias) {
      const own =
        parseName(alias)?.kind === 'template' && parsed?.kind === 'instance'
          ? withInstance(alias, parsed.instance)
          : alias;
      if (own === unit.name) continue;
      const fault = aliasFault(own, unit.name);
      if (fault !== undefined) this.fail(`Alias=${alias} of ${unit.name}`, fault, 'mend the alias');
      else this.link(`${this.directory}/${own}`, source);
    }
    // A template is enabled as its default instance, or as itself where a template wants it.
    const asInstance =
      parsed?.kind === 'template' && install.DefaultInstance !== ''
        ? withInstance(unit.name, install.DefaultInstance)
        : unit.name;
    const wanted = asInstance === unit.name ? install : this.loader.load(asInstance).install;
    for (const [suffix, list] of [
      ['.wants', wanted.WantedBy],
      ['.requires', wanted.RequiredBy],
      ['.upholds', wanted.UpheldBy],
    ] as const) {
      for (const target of list) {
        if (parseName(asInstance)?.kind === 'template' && parseName(target)?.kind !== 'template') {
          this.fail(
            `enable ${unit.name}`,
            `${target} is no template, so it must be told which instance it gets`,
            `enable an instance: sctl enable ${withInstance(unit.name, 'NAME')}`,
          );
          continue;
        }
        if (this.loader.catalog().find(target).entry === undefined)
          this.warn(`${unit.name} for ${target}`, 'there is no such unit yet', 'check the spelling');
        this.link(`${this.directory}/${target}${suffix}/${asInstance}`, source);
      }
    }
    return unit;
  }

  /** What links point to: a link's own target where the file stands outside of the unit path. */
  private sourceOf(path: string): string {
    const link = this.files.readlink(path);
    return link === undefined ? path : resolveLink(path, link);
  }

  /** A link, unless the same one is there, in this or another directory of the same permanence. */
  private link(path: string, target: string): void {
    const relative = path.slice(this.directory.length);
    for (const directory of this.config) {
      const existing = this.files.readlink(directory + relative);
      if (existing !== undefined && this.sameFile(resolveLink(directory + relative, existing), target)) return;
    }
    const there = this.files.lstat(path);
    const existing = this.files.readlink(path);
    // A link may be replaced; a file is somebody's work.
    if (there !== undefined && (this.request.force !== true || existing === undefined)) {
      this.fail(
        path,
        existing === undefined
          ? `File ${path} already exists`
          : `File ${path} already exists and is a symlink to ${existing}`,
        existing === undefined ? 'move it away' : 'remove it, or use --force',
      );
      return;
    }
    this.files.symlink(target, path);
  }

  /** The same path, or the same file by two names of its directory (/lib and /usr/lib). */
  private sameFile(left: string, right: string): boolean {
    if (left === right) return true;
    if (left.slice(left.lastIndexOf('/')) !== right.slice(right.lastIndexOf('/'))) return false;
    const a = this.files.stat(left);
    const b = this.files.stat(right);
    return a !== undefined && b !== undefined && a.ino !== 0 && a.ino === b.ino && a.dev === b.dev;
  }

  /** `alone`: Also= is not followed, as for presets, which speak of each unit by itself. */
  disable(names: readonly string[], alone = false): void {
    const marked = new Set<string>();
    const waiting: { name: string; auxiliary: boolean }[] = names.map((name) => ({
      name: name.slice(name.lastIndexOf('/') + 1),
      auxiliary: false,
    }));
    for (let at = 0; at < waiting.length && at < UNITS_MAX; at++) {
      const next = waiting[at];
      if (next === undefined || marked.has(next.name)) continue;
      if (!isUnitName(next.name)) {
        this.fail(`disable ${next.name}`, 'not the name of a unit', 'use a name such as foo.service');
        continue;
      }
      const found = this.loader.catalog().find(next.name);
      if (found.entry === undefined && !this.isLinkedTo(next.name)) {
        if (!next.auxiliary)
          this.fail(`disable ${next.name}`, `Unit file ${next.name} does not exist`, 'check the spelling');
        continue;
      }
      if (found.entry?.kind === 'masked') {
        this.warn(`disable ${next.name}`, `Unit file ${found.entry.path} is masked`, 'its links are left as they are');
        continue;
      }
      marked.add(next.name);
      if (found.entry !== undefined) {
        const unit = this.loader.loadTemplate(found.name);
        if (
          unit.install.Alias.length +
            unit.install.WantedBy.length +
            unit.install.RequiredBy.length +
            unit.install.UpheldBy.length +
            unit.install.Also.length >
          0
        )
          this.carries = true;
        if (found.name !== next.name) marked.add(found.name);
        if (!alone) for (const also of unit.install.Also) waiting.push({ name: also, auxiliary: true });
      }
    }
    for (const directory of this.config) this.removeMarked(directory, marked);
    this.changed();
  }

  /** A unit whose file is gone may still have links. */
  private isLinkedTo(name: string): boolean {
    return this.config.some((directory) =>
      (this.files.list(directory) ?? []).some(
        (entry) =>
          /\.(wants|requires|upholds)$/.test(entry) && (this.files.list(`${directory}/${entry}`) ?? []).includes(name),
      ),
    );
  }

  /** Links called like a marked name, instances of a marked template, and links to either, until nothing is left to remove. */
  private removeMarked(directory: string, marked: Set<string>): void {
    for (let again = true, round = 0; again && round < 100; round++) {
      again = false;
      const entries = this.files.list(directory) ?? [];
      const links = entries.flatMap((entry) =>
        /\.(wants|requires|upholds)$/.test(entry)
          ? (this.files.list(`${directory}/${entry}`) ?? []).map((link) => `${directory}/${entry}/${link}`)
          : [`${directory}/${entry}`],
      );
      for (const path of links) {
        const target = this.files.readlink(path);
        const name = path.slice(path.lastIndexOf('/') + 1);
        if (target === undefined || !isUnitName(name)) continue;
        const whole = resolveLink(path, target);
        if (whole === '/dev/null') continue; // a mask is not undone by disable
        const template = templateOf(name);
        const hit =
          marked.has(name) ||
          (template !== undefined && marked.has(template)) ||
          marked.has(whole) ||
          marked.has(whole.slice(whole.lastIndexOf('/') + 1));
        if (!hit) continue;
        this.files.remove(path);
        if (!marked.has(path)) {
          marked.add(path);
          again = true;
        }
      }
    }
  }

  allUnits(): readonly string[] {
    return [...this.loader.catalog().entries.values()]
      .filter((entry) => entry.kind === 'file' || entry.kind === 'linked')
      .map((entry) => entry.name)
      .sort();
  }

  preset(names: readonly string[], all: boolean): void {
    const { rules, findings } = readPresets(
      this.files,
      this.options.presetDirectories ?? presetDirectories(this.options.facts.runDirectory),
    );
    this.findings.push(...findings);
    const plus: string[] = [];
    const minus: string[] = [];
    for (const name of names) {
      const found = this.loader.catalog().find(name);
      if (found.entry?.kind === 'masked' && all) continue;
      if (found.entry !== undefined && found.name !== name) {
        if (!all) this.fail(`preset ${name}`, `it is another name of ${found.name}`, `preset ${found.name}`);
        continue;
      }
      if (this.unitFor(name, 'preset') === undefined) continue;
      const answer = presetOf(name, rules);
      if (!answer.enable) minus.push(name);
      else if (answer.instances.length > 0)
        plus.push(...answer.instances.map((instance) => withInstance(name, instance)));
      else plus.push(name);
    }
    const mode = this.request.presetMode ?? 'full';
    const before = this.findings.length;
    if (mode !== 'enable-only' && minus.length > 0) this.disable(minus, true);
    if (mode !== 'disable-only' && plus.length > 0) this.enable(plus);
    // For a whole machine, units without [Install] and templates without an instance are no news.
    if (all) this.findings.splice(before);
  }

  mask(given: string): void {
    const name = given.slice(given.lastIndexOf('/') + 1);
    if (!isUnitName(name)) {
      this.fail(`mask ${given}`, 'not the name of a unit', 'use a name such as foo.service');
      return;
    }
    if (this.loader.catalog().find(name).entry === undefined)
      this.warn(`mask ${name}`, 'there is no such unit yet', 'check the spelling');
    const path = `${this.directory}/${name}`;
    const existing = this.files.readlink(path);
    if (existing !== undefined && resolveLink(path, existing) === '/dev/null') return;
    if (this.files.lstat(path) !== undefined && (this.request.force !== true || existing === undefined)) {
      this.fail(`mask ${name}`, `File ${path} already exists`, existing === undefined ? 'move it away' : 'use --force');
      return;
    }
    this.files.symlink('/dev/null', path);
  }

  unmask(name: string): void {
    if (!isUnitName(name)) {
      this.fail(`unmask ${name}`, 'not the name of a unit', 'use a name such as foo.service');
      return;
    }
    for (const directory of this.config) {
      const path = `${directory}/${name}`;
      const link = this.files.readlink(path);
      const empty = this.files.lstat(path)?.kind === 'file' && this.files.lstat(path)?.size === 0;
      if (!empty && (link === undefined || resolveLink(path, link) !== '/dev/null')) continue;
      this.files.remove(path);
    }
    this.changed();
  }

  /** Make a file outside of the unit path known. Gives its name. */
  linkFile(path: string): string | undefined {
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (!path.startsWith('/') || !isUnitName(name)) {
      this.fail(`link ${path}`, 'not the absolute path of a unit file', 'give the whole path');
      return undefined;
    }
    const stat = this.files.stat(path);
    if (stat?.kind !== 'file') {
      this.fail(
        `link ${path}`,
        stat === undefined ? `Unit file ${path} does not exist` : 'not a file',
        'check the path',
      );
      return undefined;
    }
    const parent = path.slice(0, path.lastIndexOf('/'));
    if (!this.options.paths.search.some((directory) => directory === parent)) {
      this.link(`${this.directory}/${name}`, path);
      this.changed();
    }
    return name;
  }

  addDependencies(units: readonly string[], target: string, suffix: string): void {
    if (!isUnitName(target, 'plain', 'instance')) {
      this.fail(`add to ${target}`, 'not the name of a unit', 'name the unit that is to want the others');
      return;
    }
    for (const name of units) {
      const unit = this.unitFor(name, 'add');
      if (unit === undefined) continue;
      if (parseName(unit.name)?.kind === 'template' && parseName(target)?.kind !== 'template') {
        this.fail(
          `add ${name} to ${target}`,
          `Destination unit ${target} is a non-template unit`,
          `add an instance: ${withInstance(unit.name, 'NAME')}`,
        );
        continue;
      }
      this.link(`${this.directory}/${target}${suffix}/${unit.name}`, this.sourceOf(unit.fragmentPath));
    }
    this.carries = true;
    this.changed();
  }

  setDefault(name: string): void {
    const unit = this.unitFor(name, 'set-default');
    if (unit === undefined) return;
    if (unit.type !== 'target' || unit.name === 'default.target') {
      this.fail(`set-default ${name}`, 'not a target to boot into', 'name a target such as multi-user.target');
      return;
    }
    // What is booted is not for one boot only, whatever --runtime says.
    const path = `${this.options.paths.persistentConfig[0] ?? '/etc/sysmaster/system'}/default.target`;
    if (this.files.readlink(path) !== unit.fragmentPath) this.files.symlink(unit.fragmentPath, path);
    this.carries = true;
  }

  /** Back to the vendor's version: own drop-ins go, and own files where a vendor's one is below. */
  revert(name: string): void {
    if (!isUnitName(name)) {
      this.fail(`revert ${name}`, 'not the name of a unit', 'use a name such as foo.service');
      return;
    }
    const { paths } = this.options;
    const own = [
      ...paths.persistentConfig,
      ...paths.runtimeConfig,
      paths.persistentControl,
      paths.runtimeControl,
      paths.transient,
    ];
    const hasVendor = paths.search.some(
      (directory) =>
        !own.includes(directory) &&
        !isGenerated(directory, paths) &&
        this.files.lstat(`${directory}/${name}`) !== undefined,
    );
    for (const directory of own) {
      if (this.files.lstat(`${directory}/${name}.d`)?.kind === 'directory')
        this.files.removeTree(`${directory}/${name}.d`);
      const path = `${directory}/${name}`;
      const link = this.files.readlink(path);
      const masked = link !== undefined && resolveLink(path, link) === '/dev/null';
      if (this.files.lstat(path) !== undefined && (hasVendor || masked)) this.files.remove(path);
    }
    this.changed();
  }
}

function isGenerated(directory: string, paths: UnitPaths): boolean {
  return directory === paths.generator || directory === paths.generatorEarly || directory === paths.generatorLate;
}
