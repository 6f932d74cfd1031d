/** Options and arguments, by commander: what is wrong with them is said as systemctl says it. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { CommandSpec, Module } from './command.ts';
import { CliError, type Context } from './context.ts';
import { ALWAYS, BadValue, type OptionName, type Options, SPECS } from './options.ts';
import { helpLines, typeWords } from './words.ts';

/** Files that bring their own options export this. */
interface WithOptions extends Module {
  readonly define?: (command: Command) => void;
}

type Parser = (value: string, before: unknown) => unknown;

/** Values that are refused, in commander's way. */
const guarded =
  (parser: Parser): Parser =>
  (value, before) => {
    try {
      return parser(value, before);
    } catch (error) {
      if (error instanceof BadValue) throw new InvalidArgumentError(error.message);
      throw error;
    }
  };

/** Give a command all options of the table; those that it names, and the ones for every command, are in its help. */
function addOptions(command: Command, shown: readonly OptionName[]): void {
  for (const [name, { flags, help, parse: parser }] of Object.entries(SPECS)) {
    const option = new Option(flags, help);
    if (name === 'force') option.argParser((_: string, before: number | undefined) => (before ?? 0) + 1);
    else if (parser !== undefined) option.argParser(guarded(parser as Parser));
    if (!ALWAYS.has(name) && !shown.includes(name as OptionName)) option.hideHelp();
    command.addOption(option);
  }
}

function sentence(error: CommanderError): string {
  if (error.code === 'commander.missingArgument') return 'Too few arguments.';
  if (error.code === 'commander.excessArguments') return 'Too many arguments.';
  const text = error.message.replace(/^error: /, '');
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}

/** Throws CliError; after --help has printed, one without a message and exit status 0. */
export function parse(
  word: string,
  spec: CommandSpec,
  module: WithOptions,
  rest: readonly string[],
  context: Context,
): { readonly args: readonly string[]; readonly options: Options } {
  const command = new Command(`${context.name} ${word}`).description(spec.help);
  for (const argument of spec.args.split(' ').filter((part) => part !== '')) command.argument(argument);
  command.exitOverride().configureOutput({ writeOut: context.out, writeErr: () => {} });
  if (spec.own === true) module.define?.(command);
  else addOptions(command, spec.options ?? []);
  try {
    command.parse([...rest], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // --job-mode=help asks for words, and needs no unit.
    if (error.code === 'commander.missingArgument' && command.opts<Options>().jobMode === 'help')
      return { args: [], options: command.opts<Options>() };
    throw new CliError(error.exitCode === 0 ? '' : sentence(error), error.exitCode === 0 ? 0 : 1, error);
  }
  if (spec.own !== true) refusePromises(word, command.opts<Options>(), spec.options ?? [], context);
  return { args: command.args, options: spec.own === true ? command.opts<Options>() : sorted(command.opts(), context) };
}

/** What an option promises that a command does not keep: whoever says `start --plan` does not want it started. */
const PROMISES: Readonly<Record<string, string>> = {
  plan: '--dry-run shows what would be done',
  save: 'plan VERB UNIT… --save FILE writes a plan',
  confirmWithin: 'make a plan, and apply it with --confirm-within',
};

/** Options that mean nothing to a command are taken as systemctl takes them, but not those that would keep it from doing things. */
function refusePromises(word: string, options: Options, known: readonly OptionName[], { name }: Context): void {
  for (const [option, instead] of Object.entries(PROMISES)) {
    if (options[option] === undefined || known.includes(option as OptionName)) continue;
    const flag = SPECS[option]?.flags.split(' ')[0];
    throw new CliError(`${flag} is not for ${name} ${word}; ${instead}.`);
  }
}

/** --type= also takes load states; `help` in it or in --state= asks for the words that there are. */
function sorted(options: Options, context: Context): Options {
  const { type, state } = options;
  const lines = helpLines(type ?? [], state ?? []);
  if (lines !== undefined) {
    context.out(`${lines.join('\n')}\n`);
    throw new CliError('', 0);
  }
  if (type === undefined) return options;
  const { types, states } = typeWords(type);
  const all = [...(state ?? []), ...states];
  return { ...options, type: types, ...(all.length > 0 ? { state: all } : {}) };
}
