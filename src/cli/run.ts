/**
 * From words to a command: find its name among the options, read only its file, parse, run, and make an exit status of
 * whatever comes out.
 */
import { basename, resolve } from 'node:path';
import { type Client, createClient, socketPath } from './client.ts';
import type { Call, CommandSpec, Family, Module } from './command.ts';
import { commands } from './commands/index.ts';
import { CliError, type Context } from './context.ts';
import { type Options, VALUED } from './options.ts';
import { drawnFor } from './output/charset.ts';
import { styleOf } from './output/style.ts';

/** Programs whose name is a command (systemctl(1), halt(8)). */
const CALLED_AS: Readonly<Record<string, readonly string[]>> = {
  poweroff: ['poweroff'],
  reboot: ['reboot'],
  halt: ['halt'],
  shutdown: ['__shutdown'],
  journalctl: ['logs'],
  'systemd-analyze': ['analyze'],
  'systemd-escape': ['escape'],
};

/** The command's name and everything else, whose order is kept. Options may come first: `systemctl -q is-active x`. */
export function splitWords(words: readonly string[]): {
  readonly word: string | undefined;
  readonly rest: readonly string[];
} {
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at]!;
    if (word === '--') break;
    if (!word.startsWith('-') || word === '-') return { word, rest: [...words.slice(0, at), ...words.slice(at + 1)] };
    if (VALUED.has(word)) at += 1;
  }
  return { word: undefined, rest: words };
}

function overview(name: string, all: boolean): string {
  const lines = [`${name} [OPTIONS…] COMMAND …`, '', 'Ask the service manager, and tell it what to do.'];
  const groups = Map.groupBy(Object.entries(commands), ([, { group }]) => group);
  for (const [group, entries] of groups) {
    const shown = entries.filter(([, { hidden }]) => hidden !== true || all);
    if (group === '' || shown.length === 0) continue;
    lines.push(
      '',
      `${group}:`,
      ...shown.map(([word, { args, help }]) => `  ${`${word} ${args}`.trimEnd().padEnd(36)} ${help}`),
    );
  }
  lines.push(
    '',
    'With every command:',
    '  -o, --output json                    data instead of text',
    '  --socket PATH                        another manager',
  );
  lines.push('', `${name} COMMAND --help says more. See also: sctl logs, sctl machine, sctl findings.`);
  return `${lines.join('\n')}\n`;
}

/** Scripts ask is-active often: without options but -q there is nothing to parse, and the parser is not even read. */
function plainWords(
  spec: CommandSpec,
  rest: readonly string[],
): { readonly args: readonly string[]; readonly options: Options } | undefined {
  if (spec.quick !== true) return undefined;
  const args = rest.filter((word) => word !== '-q' && word !== '--quiet');
  if (args.length === 0 || args.some((word) => word.startsWith('-'))) return undefined;
  return { args, options: { quiet: args.length < rest.length } };
}

/** Words that can draw what they tell; those that change something draw the plan of a dry run. */
const DRAWN: Readonly<Record<string, ReadonlySet<string>>> = {
  dot: new Set(['plan', 'restore', 'apply', 'dot']),
  tree: new Set(['plan', 'restore', 'apply', 'list-dependencies', 'why', 'why-not']),
};

/** Words that pass on what others have written: byte for byte. */
const EXACT: ReadonlySet<string> = new Set(['cat', 'show', 'logs', 'show-environment', 'escape', 'completion', 'edit']);

const isFamily = (loaded: Module | Family): loaded is Family => 'commands' in loaded;

/** A family's own words, as {@link overview} shows all of them. */
function familyOverview(name: string, word: string, { commands: words }: Family): string {
  const shown = Object.entries(words).filter(([, { hidden }]) => hidden !== true);
  const lines = shown.map(([own, { args, help }]) => `  ${`${own} ${args}`.trimEnd().padEnd(36)} ${help}`);
  return `${[`${name} ${word} COMMAND …`, '', ...lines].join('\n')}\n`;
}

/** `client` is for tests; else one is made from the options. */
async function runWord(
  word: string,
  rest: readonly string[],
  world: Context,
  given: Client | undefined,
  table: Readonly<Record<string, CommandSpec>> = commands,
  family = '',
): Promise<number> {
  const spec = Object.hasOwn(table, word) ? table[word] : undefined;
  if (spec === undefined) throw new CliError(`Unknown command verb ${word}.`);
  const module = await spec.load();
  if (isFamily(module)) {
    const own = splitWords(rest);
    if (own.word === undefined && rest.some((option) => option === '--help' || option === '-h')) {
      world.out(familyOverview(world.name, word, module));
      return 0;
    }
    const chosen = own.word ?? module.standard;
    if (chosen === undefined) throw new CliError(`Too few arguments: ${world.name} ${word} --help names the words.`);
    return await runWord(chosen, own.rest, world, given, module.commands, `${word} `);
  }
  const { args, options } =
    plainWords(spec, rest) ?? (await import('./parse.ts')).parse(`${family}${word}`, spec, module, rest, world);
  const drawn = options.output === undefined ? undefined : DRAWN[options.output];
  if (drawn !== undefined && !drawn.has(word) && options.dryRun !== true)
    throw new CliError(`-o ${options.output}: ${word} has no such form; use text or json.`);
  const json = options.output === 'json' || options.output === 'json-pretty';
  const quiet = options.quiet === true;
  const context = json || EXACT.has(word) ? world : drawnFor(world);
  const client =
    given ??
    (options.root === undefined
      ? createClient(context, socketPath(context, options.socket), quiet)
      : (await import('./local/client.ts')).createLocalClient(context, resolve(options.root)));
  const call: Call = {
    word,
    args,
    options,
    context,
    style: styleOf(context),
    client,
    quiet,
    json,
    commands,
    columns: options.full === true || !context.terminal ? Number.POSITIVE_INFINITY : context.columns,
    print: (data, text) => {
      if (json) context.out(`${JSON.stringify(data, undefined, options.output === 'json-pretty' ? 2 : undefined)}\n`);
      else {
        const lines = text();
        if (lines.length > 0) context.out(`${lines.join('\n')}\n`);
      }
    },
    warn: (line) => {
      if (!quiet) context.err(`${line}\n`);
    },
  };
  try {
    return await module.run(call);
  } finally {
    client.close();
  }
}

/** Run a command line; `argv` without the program's name. Resolves to the exit status. */
export async function main(argv: readonly string[], context: Context, client?: Client): Promise<number> {
  const words = [
    ...(Object.hasOwn(CALLED_AS, basename(context.name)) ? CALLED_AS[basename(context.name)]! : []),
    ...argv,
  ];
  try {
    if (words[0] === '__shutdown') {
      const { shutdownWords } = await import('./commands/shutdown-words.ts');
      const { word, rest } = shutdownWords(argv);
      return await runWord(word, rest, context, client);
    }
    const { word, rest } = splitWords(words);
    if (word === undefined && rest.includes('--version'))
      return await runWord(
        'version',
        rest.filter((option) => option !== '--version'),
        context,
        client,
      );
    if (word === 'help' || (word === undefined && rest.some((option) => option === '--help' || option === '-h'))) {
      const [about] = rest;
      if (word === 'help' && about !== undefined && Object.hasOwn(commands, about))
        return await runWord(about, ['--help'], context, client);
      context.out(overview(context.name, false));
      return 0;
    }
    return await runWord(word ?? 'list-units', rest, context, client);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    if (error.message !== '') context.err(`${error.message}\n`);
    return error.exitCode;
  }
}
