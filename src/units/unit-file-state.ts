/**
 * The state that `is-enabled` tells, from the catalog alone.
 * Source: systemctl(1), table 1, "is-enabled output".
 */
import type { Catalog } from './catalog.ts';
import type { UnitPaths } from './load-path.ts';
import { parseName, templateOf, withInstance } from './names.ts';
import type { InstallSection } from './types.ts';

export type UnitFileState =
  | 'enabled'
  | 'enabled-runtime'
  | 'linked'
  | 'linked-runtime'
  | 'alias'
  | 'masked'
  | 'masked-runtime'
  | 'static'
  | 'indirect'
  | 'disabled'
  | 'generated'
  | 'transient'
  | 'bad'
  | 'not-found';

/** `install` is the unit's own section; undefined where it is masked or could not be read. Empty: there is no file. */
export function unitFileState(
  catalog: Catalog,
  paths: UnitPaths,
  name: string,
  install: InstallSection | undefined,
): UnitFileState | '' {
  const parsed = parseName(name);
  const template = templateOf(name);
  const entry = catalog.entries.get(name) ?? (template === undefined ? undefined : catalog.entries.get(template));
  if (entry === undefined || parsed === undefined) return '';
  const directory = entry.path.slice(0, entry.path.lastIndexOf('/'));
  const runtime = directory.startsWith('/run/');
  if (entry.kind === 'masked') return runtime ? 'masked-runtime' : 'masked';
  if (directory === paths.transient) return 'transient';
  if (directory === paths.generator || directory === paths.generatorEarly || directory === paths.generatorLate)
    return 'generated';
  if (entry.kind === 'alias' && entry.name === name) {
    const main = catalog.find(name).entry;
    if (main === undefined) return '';
    if (main.kind === 'masked') return main.path.startsWith('/run/') ? 'masked-runtime' : 'masked';
    return 'alias';
  }

  // Links that enable would make: by dependency, by an alias that [Install] names, or by the default instance of a template.
  const aliases = catalog.aliasLinks(name, paths);
  const own = [
    catalog.dependedOn(name, paths),
    ...aliases.filter((alias) => install?.Alias.includes(alias.name) === true).map(({ how }) => how),
  ];
  if (parsed.kind === 'template' && install !== undefined && install.DefaultInstance !== '')
    own.push(catalog.dependedOn(withInstance(name, install.DefaultInstance), paths));
  if (own.includes('persistent')) return 'enabled';
  if (own.includes('runtime')) return 'enabled-runtime';
  if (entry.kind === 'linked') return runtime ? 'linked-runtime' : 'linked';
  // It may be in use by other names, or instances of it may be.
  if (aliases.length > 0 || (parsed.kind === 'template' && catalog.hasEnabledInstance(name, paths))) return 'indirect';
  if (install === undefined) return 'bad';
  if (install.WantedBy.length + install.RequiredBy.length + install.UpheldBy.length + install.Alias.length > 0)
    return 'disabled';
  if (install.Also.length > 0) return 'indirect';
  return 'static';
}
