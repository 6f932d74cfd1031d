/** One unit without a manager: a file by its path, or a unit of the unit path by its name. */
import { basename, dirname, resolve } from 'node:path';
import { HostError } from '../../../host/ports.ts';
import { isUnitName, mangleName, parseName } from '../../../units/names.ts';
import type { Unit } from '../../../units/types.ts';
import type { Call } from '../../command.ts';
import { CliError } from '../../context.ts';
import { offline } from './offline.ts';

/** An instance to look at a template with, where none is named. */
const SOME_INSTANCE = 'i';

/** The directory of a file comes first in its search. Throws CliError for what names no unit. */
export function oneUnit(call: Call, word: string): Unit {
  const isFile = word.includes('/');
  const name = isFile ? basename(word) : (mangleName(word) ?? word);
  if (!isUnitName(name)) throw new CliError(`${word}: not the name of a unit; use a name such as foo.service`);
  const template = parseName(name)?.kind === 'template';
  const whole = template ? name.replace(/@(\.[a-z]+)$/, `@${SOME_INSTANCE}$1`) : name;
  if (!isFile) return offline(call).loader.load(whole);
  const path = resolve(word);
  const { files, loader } = offline(call, [dirname(path)]);
  try {
    const text = files.readText(path);
    if (text === undefined) throw new CliError(`${word}: no such file`);
    return loader.loadText(whole, text, path);
  } catch (error) {
    if (error instanceof HostError) throw new CliError(`${word}: cannot be read: ${error.code}`, 1, error);
    throw error;
  }
}
