/**
 * Charts of users for replay: from the files that the recording names, or from those that the caller names.
 *
 * A recording may come from a stranger, and a chart is code that is run. So nothing of it is taken from the recording, and a file it
 * names is run only where it is one of our own (plugins.ts), has the text that core ran, and is called as the chart is.
 */
import { basename } from 'node:path';
import { codeOf } from '../../host/node/errors.ts';
import { readPlugin, type Source, whyOf } from '../../host/node/plugins.ts';
import type { PluginDefinition } from '../../machines/plugin.ts';
import type { Charts, NeededChart } from '../../replay.ts';
import { definitionOfExports } from '../../replay.ts';
import { CliError } from '../context.ts';

type Chart = PluginDefinition & Source;

export interface ChartsFound {
  readonly charts: Charts;
  /** Sentences about what is not there, or not what it was. */
  readonly notes: readonly string[];
}

/** @param files named by the caller; each must be needed, and a machine plugin, or a CliError says why not */
export function chartsFor(needed: readonly NeededChart[], files: readonly string[]): ChartsFound {
  const notes: string[] = [];
  const given = new Map(files.map((file) => [basename(file, '.cjs'), read(file)]));
  const names = needed.map(({ name }) => name);
  for (const [name, { file }] of given)
    if (!names.includes(name))
      throw new CliError(`${file}: nothing in the recording follows ${name}; ${followed(names)}`);
  const charts = needed.flatMap(({ name, from }) => {
    const own = given.get(name);
    if (own !== undefined) {
      if (from !== undefined && own.sha256 !== from.sha256)
        notes.push(`${name}: ${own.file} is not the text that core ran; differences may be those between the two`);
      return [[name, own] as const];
    }
    if (from === undefined) {
      notes.push(`${name}: the core that recorded it kept too little of units on machine plugins to run them again`);
      return [];
    }
    const found = named(name, from);
    if (typeof found !== 'string') return [[name, found] as const];
    notes.push(`${name}: ${found}`);
    return [];
  });
  return { charts: Object.fromEntries(charts), notes };
}

const followed = (names: readonly string[]): string =>
  names.length === 0 ? 'it has no unit on a machine plugin' : `its units follow ${names.join(', ')}`;

function read(file: string): Chart {
  try {
    return readPlugin(file, definitionOfExports);
  } catch (cause) {
    const why = codeOf(cause) === 'ENOENT' ? 'there is no such file' : whyOf(cause, file);
    throw new CliError(`${file}: no machine plugin: ${why}`, 1, cause);
  }
}

/** The chart in the file that the recording names; a string: why not, and what to do. */
function named(name: string, { file, sha256 }: NonNullable<NeededChart['from']>): Chart | string {
  const own = `name your copy of it with --machine ${name}.cjs`;
  if (!file.startsWith('/') || basename(file) !== `${name}.cjs`) return `the recording says it is ${file}; ${own}`;
  try {
    const found = readPlugin(file, definitionOfExports, sha256);
    return found ?? `${file} has changed since core read it; --machine ${file} takes it as it is`;
  } catch (cause) {
    const why = codeOf(cause) === 'ENOENT' ? 'is not on this machine' : `cannot be used here: ${whyOf(cause, file)}`;
    return `its chart ${file} ${why}; ${own}`;
  }
}
