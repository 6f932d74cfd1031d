/** What people type for units: bare words get a suffix, paths become mounts and devices, globs are matched by core. */
import { isGlob } from '../api/glob.ts';
import { mangleName } from '../units/names.ts';
import type { UnitType } from '../units/types.ts';
import type { Client } from './client.ts';
import { CliError } from './context.ts';
import type { Summary } from './wire.ts';

/** One name; throws CliError. */
export function unitName(word: string, type: UnitType = 'service'): string {
  const name = mangleName(word, type);
  if (name === undefined)
    throw new CliError(
      `Invalid unit name "${word}": use letters, digits and :-_.\\@, at most 255; sctl escape makes names of other strings`,
    );
  return name;
}

/** For lists: globs stay as they are, names become whole. */
export const unitPattern = (word: string, type: UnitType = 'service'): string =>
  isGlob(word) ? word : unitName(word, type);

/** Names as they are, patterns as the units in memory that they match; in the order given, each once. */
export async function expand(client: Client, words: readonly string[], type: UnitType = 'service'): Promise<string[]> {
  const names: string[] = [];
  for (const word of words) {
    if (isGlob(word)) {
      const { units } = await client.call<{ units: Summary[] }>('io.sysmaster.Units.List', { patterns: [word] });
      names.push(...units.map(({ name }) => name));
    } else names.push(unitName(word, type));
  }
  return [...new Set(names)];
}
