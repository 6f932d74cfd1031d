/** What people type for units: bare words get a suffix, paths become mounts and devices, globs are matched by core. */
import { isGlob } from '../api/glob.ts';
import { mangleName } from '../units/names.ts';
import type { UnitType } from '../units/types.ts';
import type { Call } from './command.ts';
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

/** --state, --failed and the state's own words. */
export const statesOf = ({ options }: Pick<Call, 'options'>): string[] => [
  ...(options.state ?? []),
  ...(options.failed === true ? ['failed'] : []),
];

/**
 * Is it one of those that lists show and patterns match? Without --all or --state= that is what runs, has a job, or has
 * something to tell (systemctl(1), "list-units").
 */
export function isShown({ options }: Pick<Call, 'options'>, { active, job, following }: Summary): boolean {
  if (options.all === true) return true;
  if (following) return false;
  return statesOf({ options }).length > 0 || (job !== undefined && job !== null) || active !== 'inactive';
}

/**
 * Names as they are, patterns as the units in memory that they match, of those that list-units would show: a pattern starts nothing that
 * lies idle, unless --all is given. In the order given, each once. Source: systemctl(1), "Parameter Syntax" and "start".
 */
export async function expand(
  { client, options, warn, context: { name: program } }: Pick<Call, 'client' | 'options' | 'warn' | 'context'>,
  words: readonly string[],
  type: UnitType = 'service',
): Promise<string[]> {
  const names: string[] = [];
  for (const word of words) {
    if (isGlob(word)) {
      const { units } = await client.call<{ units: Summary[] }>('io.sysmaster.Units.List', {
        patterns: [word],
        types: options.type,
        states: statesOf({ options }),
      });
      names.push(...units.filter((unit) => isShown({ options }, unit)).map(({ name }) => name));
    } else {
      const name = unitName(word, type);
      if (!word.startsWith('/') && name !== word && name !== `${word}.${type}`)
        warn(`Invalid unit name "${word}" escaped as "${name}" (maybe you should use ${program} escape?).`);
      names.push(name);
    }
  }
  return [...new Set(names)];
}
