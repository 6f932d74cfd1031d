/** analyze unit-files: every name of the unit path with the file or the name it leads to, and the aliases of each unit. */
import type { Command } from 'commander';
import { matchesGlob } from '../../../units/syntax/glob.ts';
import type { Call } from '../../command.ts';
import { answer, defineCommon, offline, wordsOf } from './offline.ts';

export const define = (command: Command): void => void defineCommon(command);

export async function run(call: Call): Promise<number> {
  const patterns = await wordsOf(call);
  const catalog = offline(call).loader.catalog();
  const wanted = (name: string) => patterns.length === 0 || patterns.some((pattern) => matchesGlob(pattern, name));
  const entries = [...catalog.entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const ids = entries
    .filter(({ name }) => wanted(name))
    .map(({ name, path, kind, target }) => ({ name, path, kind, leadsTo: kind === 'alias' ? target : path }));
  const aliases = entries
    .filter(({ kind, name }) => (kind === 'file' || kind === 'linked') && wanted(name))
    .map(({ name }) => ({ name, names: catalog.find(name).names }));
  answer(call, { ids, aliases }, () => [
    ...ids.map(({ name, leadsTo }) => `ids: ${name} → ${leadsTo}`),
    ...aliases.map(({ name, names }) => `aliases: ${name} ← ${names.join(', ')}`),
  ]);
  return 0;
}
