/** What the analysers share that ask no manager: this machine's facts, and a loader over its unit files or another root's. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { machineFacts } from '../../../host/node/facts.ts';
import { PlainFiles } from '../../../host/node/plain-files.ts';
import type { FilePort, MachineFacts } from '../../../host/ports.ts';
import { createUnitLoader, type UnitLoader } from '../../../units/load.ts';
import { systemPaths, type UnitPaths } from '../../../units/load-path.ts';
import { rootedFiles } from '../../../units/rooted.ts';
import { isContainer } from '../../../units/virtualization.ts';
import type { Call } from '../../command.ts';
import { CliError, type Context } from '../../context.ts';

/** Options of every analyser; systemd-analyze's that mean nothing here are taken and ignored. */
export function defineCommon(command: Command): Command {
  return command
    .option('-o, --output <form>', 'text, json or json-pretty', outputForm)
    .option('--json <form>', 'short or pretty: data instead of text', jsonForm)
    .option('-q, --quiet', 'say less')
    .option('--root <path>', 'files below this directory')
    .option('--system', 'the system manager, as always')
    .option('--no-pager', 'there is none');
}

function outputForm(value: string): string {
  if (!['text', 'json', 'json-pretty'].includes(value))
    throw new CliError(`Unknown output form ${value}: use text, json or json-pretty.`);
  return value;
}

function jsonForm(value: string): string {
  if (!['off', 'short', 'pretty'].includes(value))
    throw new CliError(`Invalid argument "${value}" for --json=: use short, pretty or off.`);
  return value;
}

/** Options that may be repeated. */
export const repeated = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

/** Print as {@link Call.print} does, and also where --json= asks for data. */
export function answer(call: Call, data: unknown, text: () => readonly string[]): void {
  const form = call.options['json'];
  if (form === 'short' || form === 'pretty')
    call.context.out(`${JSON.stringify(data, undefined, form === 'pretty' ? 2 : undefined)}\n`);
  else call.print(data, text);
}

/** The arguments, or the lines of standard input for a `-`. */
export async function wordsOf({ args, context }: Pick<Call, 'args' | 'context'>): Promise<readonly string[]> {
  if (args.length !== 1 || args[0] !== '-') return args;
  return (await context.input()).split('\n').filter((line) => line !== '');
}

/** Files, whose changes nobody waits for. */
export function plainFiles(): FilePort {
  return Object.assign(new PlainFiles(), { watch: () => {}, unwatch: () => {} });
}

export interface Offline {
  readonly files: FilePort;
  readonly facts: MachineFacts;
  readonly paths: UnitPaths;
  readonly loader: UnitLoader;
}

/** The machine's own facts, as core would see them. */
export function factsOf(context: Context): MachineFacts {
  const runDirectory = context.env['SYSMASTER_RUN_DIR'] ?? '/run/sysmaster';
  const facts = machineFacts({ role: 'machine', canSetUid: context.uid === 0 }, runDirectory);
  const inContainer = isContainer(facts.virtualization);
  return inContainer ? machineFacts({ role: 'container', canSetUid: context.uid === 0 }, runDirectory) : facts;
}

/** SYSMASTER_UNIT_PATH, or SYSTEMD_UNIT_PATH for those who are used to it, may replace the unit path. */
export function pathsOf(context: Context): UnitPaths {
  const value = context.env['SYSMASTER_UNIT_PATH'] ?? context.env['SYSTEMD_UNIT_PATH'];
  return systemPaths(value === undefined ? {} : { SYSMASTER_UNIT_PATH: value }, context.env['SYSMASTER_RUN_DIR']);
}

/**
 * A loader that asks no manager.
 *
 * @param first directories that come before those of the unit path
 */
export function offline(call: Call, first: readonly string[] = []): Offline {
  const root = call.options['root'];
  const files = typeof root === 'string' ? rootedFiles(plainFiles(), resolve(root)) : plainFiles();
  const facts = factsOf(call.context);
  const usual = pathsOf(call.context);
  const paths = { ...usual, search: [...new Set([...first, ...usual.search])] };
  return { files, facts, paths, loader: createUnitLoader({ files, facts, paths }) };
}
