/**
 * analyze verify: all that is wrong with units, from their files alone (systemd-analyze(1)).
 *
 * Without arguments every unit file of the unit path is looked at. The exit status is 1 on any error.
 */
import { basename, dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { proposedCuts } from '../../../jobs/cycles.ts';
import { counted } from '../../../units/counted.ts';
import { about, sentence } from '../../../units/finding.ts';
import { createGraph } from '../../../units/graph.ts';
import type { UnitLoader } from '../../../units/load.ts';
import { parseName } from '../../../units/names.ts';
import { type Reviewed, review } from '../../../units/review.ts';
import type { Finding } from '../../../units/types.ts';
import type { Call } from '../../command.ts';
import { CliError } from '../../context.ts';
import { answer, defineCommon, offline, wordsOf } from './offline.ts';

export function define(command: Command): void {
  defineCommon(command)
    .option('--man <yes|no>', 'look for the manual pages that units name', 'yes')
    .option('--recursive-errors <mode>', 'whose warnings make the exit status 1: yes, one or no')
    .option('--generators <yes|no>', 'taken, and nothing is generated', 'no')
    .option('-a, --all', 'also what is known and not honoured');
}

/** One argument: a unit's name, or a file, maybe under another name (`FILE:NAME`). */
interface Subject {
  readonly name: string;
  /** Absolute; undefined: the unit path has it. */
  readonly file: string | undefined;
  readonly renamed: boolean;
  readonly fault: string | undefined;
}

function subjectOf(word: string): Subject {
  if (!word.includes('/')) {
    const fault = parseName(word) === undefined ? 'not the name of a unit' : undefined;
    return { name: word, file: undefined, renamed: false, fault };
  }
  const colon = word.lastIndexOf(':');
  const renamed = colon > 0 && parseName(word.slice(colon + 1)) !== undefined;
  const file = resolve(renamed ? word.slice(0, colon) : word);
  const name = renamed ? word.slice(colon + 1) : basename(file);
  const fault = parseName(name) === undefined ? 'not named like a unit; say FILE:NAME' : undefined;
  return { name, file, renamed, fault };
}

/** A template is looked at as an instance of it. */
function startable(name: string): string {
  const parsed = parseName(name);
  return parsed?.kind === 'template' ? `${parsed.prefix}@test-instance.${parsed.type}` : name;
}

/** A loader to which files under other names are what those names mean. */
function withRenamed(
  loader: UnitLoader,
  subjects: readonly Subject[],
  read: (path: string) => string | undefined,
): Pick<UnitLoader, 'load'> {
  const files = new Map(
    subjects.flatMap(({ name, file, renamed }) => (renamed && file !== undefined ? [[startable(name), file]] : [])),
  );
  return {
    load(name) {
      const file = files.get(name);
      const text = file === undefined ? undefined : read(file);
      return file === undefined || text === undefined ? loader.load(name) : loader.loadText(name, text, file);
    },
  };
}

/** Whose warnings count for the exit status; by systemd-analyze's --recursive-errors=. */
function failed(
  found: readonly Reviewed[],
  mode: string | undefined,
  named: ReadonlySet<string>,
  near: ReadonlySet<string>,
): boolean {
  const counts = (unit: string) => mode === 'yes' || named.has(unit) || (mode === 'one' && near.has(unit));
  return found.some(({ unit, finding: { severity } }) =>
    mode === undefined ? severity === 'error' : severity !== 'note' && counts(unit),
  );
}

export async function run(call: Call): Promise<number> {
  const { options, style } = call;
  const mode = options['recursiveErrors'] as string | undefined;
  if (mode !== undefined && !['yes', 'one', 'no'].includes(mode))
    throw new CliError(`Failed to parse --recursive-errors= parameter: ${mode}`);
  const words = await wordsOf(call);
  const subjects = words.map(subjectOf);
  const directories = subjects.flatMap(({ file, renamed }) => (file === undefined || renamed ? [] : [dirname(file)]));
  const { files, loader } = offline(call, directories);
  const good = subjects.filter(({ fault }) => fault === undefined);
  const catalog = loader.catalog();
  const names =
    words.length > 0
      ? good.map(({ name }) => startable(name))
      : [...catalog.entries.values()]
          .filter(({ kind }) => kind === 'file' || kind === 'linked')
          .map(({ name }) => startable(name));
  const graph = createGraph(withRenamed(loader, good, (path) => files.readText(path)));
  const found: Reviewed[] = [
    ...subjects.flatMap(({ name, fault }) =>
      fault === undefined
        ? []
        : [{ unit: name, finding: about('error', '', name, fault, 'use a name such as foo.service') }],
    ),
    ...(words.length > 0 ? [] : catalog.findings.map((finding) => ({ unit: '', finding }))),
    ...review(graph, files, names, {
      documentation: options['man'] !== 'no',
      cuts: (members) => proposedCuts(graph, members),
    }),
  ];
  const shown = options['all'] === true ? found : found.filter(({ finding }) => finding.severity !== 'note');
  const data = shown.map(({ unit, finding }) => ({ unit, ...flat(finding) }));
  const paint = (finding: Finding) =>
    finding.severity === 'error'
      ? style.red(sentence(finding))
      : finding.severity === 'warning'
        ? style.yellow(sentence(finding))
        : sentence(finding);
  answer(call, data, () => shown.map(({ finding }) => paint(finding)));
  const of = (severity: Finding['severity']) =>
    counted(found.filter(({ finding }) => finding.severity === severity).length, severity);
  if (found.length > 0) {
    const notes = options['all'] === true ? '' : ' (shown by --all)';
    call.warn(`${of('error')}, ${of('warning')}, ${of('note')}${notes}`);
  }
  const named = new Set(names.map((name) => graph.load(name).name));
  const near = new Set([...named].flatMap((name) => graph.allEdges(name).map(({ to }) => to)));
  return failed(found, mode, named, near) ? 1 : 0;
}

function flat({ severity, at, what, why, todo }: Finding) {
  return { severity, file: at?.file ?? '', line: at?.line ?? 0, column: at?.column ?? 0, what, why, todo };
}
