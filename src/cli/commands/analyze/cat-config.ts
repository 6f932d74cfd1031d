/** analyze cat-config: a configuration file with its drop-ins, as programs of the system read them (systemd-analyze(1)). */
import type { Command } from 'commander';
import { HostError } from '../../../host/ports.ts';
import type { Call } from '../../command.ts';
import { CliError } from '../../context.ts';
import { answer, defineCommon, offline, wordsOf } from './offline.ts';

export function define(command: Command): void {
  defineCommon(command).option('--tldr', 'without comments and empty lines');
}

/** Directories of configuration, the strongest first. */
const PREFIXES = ['/etc', '/run', '/usr/local/lib', '/usr/lib', '/lib'];

/** `/etc/systemd/logind.conf` and `systemd/logind.conf` mean the same. */
function relativeName(word: string): string {
  if (!word.startsWith('/')) return word;
  const prefix = PREFIXES.find((directory) => word.startsWith(`${directory}/`));
  if (prefix === undefined) throw new CliError(`Path ${word} does not start with any known prefix.`);
  return word.slice(prefix.length + 1);
}

interface Text {
  readonly path: string;
  readonly text: string;
}

export async function run(call: Call): Promise<number> {
  const words = await wordsOf(call);
  if (words.length === 0) throw new CliError('Too few arguments.');
  const { files } = offline(call);
  const brief = call.options['tldr'] === true;
  const read = (path: string): string => {
    try {
      return files.readText(path) ?? '';
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      throw new CliError(`Failed to cat ${path}: ${error.code}`, 1, error);
    }
  };
  const isMask = (path: string) => files.stat(path)?.kind === 'char';
  const all = words.map((word) => {
    const name = relativeName(word);
    const main = PREFIXES.map((prefix) => `${prefix}/${name}`).find((path) => files.stat(path) !== undefined);
    const dropIns = new Map<string, string>();
    for (const prefix of PREFIXES)
      for (const file of files.list(`${prefix}/${name}.d`) ?? [])
        if (file.endsWith('.conf') && !dropIns.has(file)) dropIns.set(file, `${prefix}/${name}.d/${file}`);
    const paths = [
      ...(main === undefined || isMask(main) ? [] : [main]),
      ...[...dropIns.keys()]
        .sort()
        .map((file) => dropIns.get(file) ?? '')
        .filter((path) => !isMask(path)),
    ];
    return { name, main, files: paths.map((path): Text => ({ path, text: read(path) })) };
  });
  for (const { name, main } of all) if (main === undefined) call.warn(`# Main configuration file ${name} not found`);
  const shown = ({ path, text }: Text): string[] => {
    const lines = text.replace(/\n$/, '').split('\n');
    return [`# ${path}`, ...(brief ? lines.filter((line) => !/^\s*([#;]|$)/.test(line)) : lines)];
  };
  answer(
    call,
    all.map(({ name, files: texts }) => ({ name, files: texts })),
    () =>
      all.flatMap(({ files: texts }) => texts.flatMap((text, index) => [...(index > 0 ? [''] : []), ...shown(text)])),
  );
  return 0;
}
