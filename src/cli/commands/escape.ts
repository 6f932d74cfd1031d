/**
 * escape: strings and paths to unit names and back, with the words, messages and statuses of systemd-escape(1).
 * What was done before the first fault is printed, without an end of line.
 */
import { basename } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import {
  escapeName,
  escapePath,
  isUnitName,
  mangleName,
  parseName,
  templateOf,
  UNIT_TYPES,
  unescapeName,
  unescapePath,
  withInstance,
} from '../../units/names.ts';
import { encodeUtf8 } from '../../units/utf8.ts';
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';

const PATH_BYTES_MAX = 4095;
const NAME_BYTES_MAX = 255;

export function define(command: Command): void {
  command
    .option('--suffix <type>', 'add a suffix: mount, service …')
    .option('--template <name>', 'put the string into a template: foo@.service')
    .option('--instance', 'with --unescape: only the instance')
    .option('-u, --unescape', 'the other way round')
    .option('-m, --mangle', 'only what must be escaped, and a suffix')
    .option('-p, --path', 'strings are paths')
    .option('-o, --output <form>', 'text, json or json-pretty', (form: string) => {
      if (!['text', 'json', 'json-pretty'].includes(form))
        throw new InvalidArgumentError('use text, json or json-pretty');
      return form;
    });
}

type Action = 'escape' | 'unescape' | 'mangle';

interface Wanted {
  readonly action: Action;
  readonly suffix: string | undefined;
  readonly template: string | undefined;
  readonly path: boolean;
  readonly instance: boolean;
}

/** The options, checked in systemd-escape's order. */
function wantedOf({ options, args }: Call): Wanted {
  const fail = (why: string): never => {
    throw new CliError(why);
  };
  const suffix = options['suffix'] as string | undefined;
  const template = options['template'] as string | undefined;
  const path = options['path'] === true;
  const instance = options['instance'] === true;
  // Of two verbs the last one given counts there; the order is not known here, and mangling is the rarer slip.
  const action: Action = options['mangle'] === true ? 'mangle' : options['unescape'] === true ? 'unescape' : 'escape';
  if (suffix !== undefined && !(UNIT_TYPES as readonly string[]).includes(suffix))
    fail(`Invalid unit suffix type "${suffix}".`);
  if (template !== undefined && !isUnitName(template, 'template')) fail(`Template name ${template} is not valid.`);
  if (args.length === 0) fail('Not enough arguments.');
  if (template !== undefined && suffix !== undefined) fail('--suffix= and --template= may not be combined.');
  if ((template !== undefined || suffix !== undefined) && action === 'mangle')
    fail('--suffix= and --template= are not compatible with --mangle.');
  if (suffix !== undefined && action === 'unescape') fail('--suffix is not compatible with --unescape.');
  if (path && action === 'mangle') fail('--path may not be combined with --mangle.');
  if (instance && action !== 'unescape') fail('--instance must be used in conjunction with --unescape.');
  if (instance && template !== undefined) fail('--instance may not be combined with --template.');
  return { action, suffix, template, path, instance };
}

/** Is it a path that a file system could have? Not empty, and neither it nor one of its names too long. */
function isPossiblePath(path: string): boolean {
  return (
    path !== '' &&
    encodeUtf8(path).length <= PATH_BYTES_MAX &&
    path.split('/').every((name) => encodeUtf8(name).length <= NAME_BYTES_MAX)
  );
}

function pathEscaped(path: string, call: Call): string {
  const possible = isPossiblePath(path);
  const escaped = possible || path === '' ? escapePath(path) : undefined;
  if (escaped === undefined) {
    const kind = !possible ? 'a valid' : path.startsWith('/') ? 'a normalized' : 'an absolute';
    throw new CliError(`Input '${path}' is not ${kind} file system path, failed to escape.`);
  }
  if (!possible)
    call.warn(`Input '${path}' is not a valid file system path, escaping is likely not going be reversible.`);
  else if (!path.startsWith('/'))
    call.warn(`Input '${path}' is not an absolute file system path, escaping is likely not going to be reversible.`);
  return escaped;
}

function escaped(text: string, wanted: Wanted, call: Call): string {
  const word = wanted.path ? pathEscaped(text, call) : escapeName(text);
  if (wanted.template !== undefined) {
    const name = withInstance(wanted.template, word);
    if (!isUnitName(name, 'instance')) throw new CliError('Failed to replace instance: Invalid argument');
    return name;
  }
  return wanted.suffix === undefined ? word : `${word}.${wanted.suffix}`;
}

function unescaped(text: string, wanted: Wanted): string {
  let name = text;
  if (wanted.template !== undefined || wanted.instance) {
    const parsed = parseName(text);
    if (parsed === undefined) throw new CliError('Failed to extract instance: Invalid argument');
    if (parsed.kind !== 'instance') throw new CliError(`Unit ${text} is missing the instance name.`);
    const template = templateOf(text);
    if (wanted.template !== undefined && template !== wanted.template)
      throw new CliError(`Unit ${text} template ${template} does not match specified template ${wanted.template}.`);
    name = parsed.instance;
  }
  const plain = wanted.path ? unescapePath(name) : unescapeName(name);
  if (plain === undefined) throw new CliError('Failed to unescape string: Invalid argument');
  // A string ends at its first NUL, for every program that will ever be handed it.
  const end = plain.indexOf('\0');
  return end < 0 ? plain : plain.slice(0, end);
}

function convert(text: string, wanted: Wanted, call: Call): string {
  switch (wanted.action) {
    case 'escape':
      return escaped(text, wanted, call);
    case 'unescape':
      return unescaped(text, wanted);
    case 'mangle': {
      const name = mangleName(text);
      if (name === undefined) throw new CliError('Failed to mangle name: Invalid argument');
      return name;
    }
  }
}

export async function run(call: Call): Promise<number> {
  const wanted = wantedOf(call);
  // Under systemd-escape's name `-` is a string like any other.
  const stream = call.args.length === 1 && call.args[0] === '-' && basename(call.context.name) !== 'systemd-escape';
  const words = stream ? (await call.context.input()).split('\n') : call.args;
  if (stream && words.at(-1) === '') (words as string[]).pop();
  const done: string[] = [];
  try {
    for (const word of words) done.push(convert(word, wanted, call));
  } catch (error) {
    if (!call.json && done.length > 0) call.context.out(done.join(stream ? '\n' : ' '));
    throw error;
  }
  // One line a string on standard input, else as systemd-escape: one line for all.
  call.print(done, () => (stream ? done : [done.join(' ')]));
  return 0;
}
