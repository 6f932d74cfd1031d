/**
 * convert: unit files of systemd in our form, and what of them is not honoured, line by line.
 *
 * The converted file goes to standard output (or into a directory), the report to standard error; with --report there is
 * only the report, for units, files and whole directories.
 */
import { basename, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { HostError } from '../../host/ports.ts';
import { isUnitName } from '../../units/names.ts';
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';
import { answer, defineCommon, plainFiles, wordsOf } from './analyze/offline.ts';
import { oneUnit } from './analyze/one-unit.ts';
import { type Converted, reportData, reportText, verdictOf } from './convert/report.ts';
import { rewrite } from './convert/rewrite.ts';

export function define(command: Command): void {
  defineCommon(command)
    .option('--report', 'only say what is not honoured; directories are looked through')
    .option('-d, --directory <path>', 'write the converted files there');
}

/** Files of unit names below a directory, links left out: their targets are there as well. */
function filesIn(directory: string): string[] {
  const files = plainFiles();
  return (files.list(directory) ?? [])
    .filter((name) => isUnitName(name) && files.lstat(join(directory, name))?.kind === 'file')
    .map((name) => join(directory, name));
}

/** A file, a directory's files, or the name of a unit. */
function expanded(word: string): string[] {
  if (!word.includes('/')) return [word];
  const kind = plainFiles().stat(resolve(word))?.kind;
  if (kind === 'directory') return filesIn(resolve(word));
  return [word];
}

interface Result extends Converted {
  readonly text: string;
}

function convert(word: string, call: Call): Result {
  const unit = oneUnit(call, word);
  if (unit.loadState === 'not-found') throw new CliError(`Unit ${unit.name} not found.`);
  if (unit.loadState === 'masked') throw new CliError(`Unit ${unit.name} is masked: there is nothing to convert.`);
  const path = unit.fragmentPath;
  try {
    const text = plainFiles().readText(path) ?? '';
    return { unit, path, ...rewrite(text, path, unit) };
  } catch (error) {
    if (error instanceof HostError) throw new CliError(`${path}: cannot be read: ${error.code}`, 1, error);
    throw error;
  }
}

/** Files that are only a mask have nothing to convert. */
const isMask = (word: string): boolean => word.includes('/') && plainFiles().stat(resolve(word))?.size === 0;

export async function run(call: Call): Promise<number> {
  const words = await wordsOf(call);
  if (words.length === 0) throw new CliError('Name units, files or, with --report, directories.');
  const report = call.options['report'] === true;
  const results: Result[] = [];
  let status = 0;
  for (const word of words.flatMap(expanded)) {
    if (report && isMask(word)) continue;
    try {
      results.push(convert(word, call));
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      call.context.err(`${error.message}\n`);
      status = 1;
    }
  }
  if (results.some((result) => verdictOf(result) === 'refused')) status = 1;
  if (report) {
    answer(call, reportData(results), () => reportText(results));
    return status;
  }
  const directory = call.options['directory'];
  if (typeof directory === 'string') {
    for (const { unit, path, text } of results) write(directory, basename(path) || unit.name, text);
    answer(call, reportData(results), () => []);
  } else {
    const data = results.map(({ unit, path, text, changes }) => ({ unit: unit.name, path, text, changes }));
    answer(call, data, () =>
      results.flatMap(({ path, text }) => [
        ...(results.length > 1 ? [`# ${path}`] : []),
        ...text.replace(/\n$/, '').split('\n'),
      ]),
    );
  }
  if (!call.quiet && results.some(({ changes }) => changes.length > 0))
    call.context.err(`${reportText(results).join('\n')}\n`);
  return status;
}

function write(directory: string, name: string, text: string): void {
  const files = plainFiles();
  try {
    files.mkdirs(resolve(directory), 0o755);
    files.writeText(join(resolve(directory), name), text, 0o644);
  } catch (error) {
    if (error instanceof HostError)
      throw new CliError(`${directory}/${name}: cannot be written: ${error.code}`, 1, error);
    throw error;
  }
}
