/** escape: strings and paths to unit names and back (systemd-escape(1)). */
import type { Command } from 'commander';
import {
  escapeName,
  escapePath,
  mangleName,
  parseName,
  unescapeName,
  unescapePath,
  withInstance,
} from '../../units/names.ts';
import type { UnitType } from '../../units/types.ts';
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';

export function define(command: Command): void {
  command
    .option('--suffix <type>', 'add a suffix: mount, service …')
    .option('--template <name>', 'put the string into a template: foo@.service')
    .option('--instance', 'with --unescape: only the instance')
    .option('-u, --unescape', 'the other way round')
    .option('-m, --mangle', 'only what must be escaped, and a suffix')
    .option('-p, --path', 'strings are paths')
    .option('-o, --output <form>', 'text or json');
}

function convert(text: string, { options }: Call): string {
  const fail = (why: string): never => {
    throw new CliError(`Failed to ${options['unescape'] === true ? 'unescape' : 'escape'} "${text}": ${why}`);
  };
  const suffix = options['suffix'] as string | undefined;
  const template = options['template'] as string | undefined;
  if (options['unescape'] === true) {
    let name = text;
    if (template !== undefined || options['instance'] === true) {
      const parsed = parseName(text);
      if (parsed?.kind !== 'instance') return fail('not an instance of a template');
      if (template !== undefined && `${parsed.prefix}@.${parsed.type}` !== template)
        return fail(`not an instance of ${template}`);
      name = parsed.instance;
    } else if (suffix !== undefined) {
      if (!name.endsWith(`.${suffix}`)) return fail(`no suffix .${suffix}`);
      name = name.slice(0, -suffix.length - 1);
    }
    return (options['path'] === true ? unescapePath(name) : unescapeName(name)) ?? fail('not well escaped');
  }
  if (options['mangle'] === true)
    return mangleName(text, (suffix ?? 'service') as UnitType) ?? fail('it cannot become a unit name');
  const escaped =
    (options['path'] === true ? escapePath(text) : escapeName(text)) ?? fail('a path with ".." cannot be escaped');
  if (template !== undefined) {
    if (parseName(template)?.kind !== 'template') return fail(`${template} is not a template`);
    return withInstance(template, escaped);
  }
  return suffix === undefined ? escaped : `${escaped}.${suffix}`;
}

export async function run(call: Call): Promise<number> {
  const words =
    call.args.length === 1 && call.args[0] === '-'
      ? (await call.context.input()).split('\n').filter((line) => line !== '')
      : call.args;
  if (words.length === 0) throw new CliError('Not enough arguments.');
  const done = words.map((word) => convert(word, call));
  // One line a string on standard input, else as systemd-escape: one line for all.
  call.print(done, () => (call.args[0] === '-' ? done : [done.join(' ')]));
  return 0;
}
