/**
 * edit: a drop-in of a unit, or its whole file with --full, in an editor or from standard input.
 *
 * What was written is read as the manager would read it before it is put in place: what is wrong is shown, and a text with which
 * the unit could not be loaded is not put in place, but kept. Source: systemctl(1), edit.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { FilePort } from '../../host/ports.ts';
import { rootedFiles, sentence, systemPaths } from '../../units/index.ts';
import { createUnitLoader } from '../../units/load.ts';
import { parseName, withInstance } from '../../units/names.ts';
import type { Finding } from '../../units/types.ts';
import { CallError } from '../client.ts';
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';
import { withFile } from '../local/with-file.ts';
import { expand } from '../names.ts';
import { offlineFacts, plainFiles } from '../offline.ts';

interface Text {
  readonly path: string;
  readonly text: string;
}

/** One file to be edited. */
interface Edit {
  readonly unit: string;
  /** Inside of the tree. */
  readonly path: string;
  /** What is there, or what a new one begins with. */
  readonly before: string;
  /** The unit's files, to look at. */
  readonly shown: readonly Text[];
}

const EDITORS = ['editor', 'nano', 'vim', 'vi'];
const BELOW = '### Everything below this line is thrown away: the unit as it is now';

/** What the editor is given: the text to change, then the unit's files as comments. */
export function templateOf({ path, before, shown }: Edit): string {
  const files = shown.flatMap(({ path: file, text }) => [
    '',
    `### ${file}`,
    ...text
      .replace(/\n$/, '')
      .split('\n')
      .map((line) => (line === '' ? '#' : `# ${line}`)),
  ]);
  return [
    `### Editing ${path}`,
    '### What stands between this comment and the next one becomes the text of the file',
    '',
    before.replace(/\n$/, ''),
    '',
    BELOW,
    ...files,
    '',
  ].join('\n');
}

/** What was written, without the comments of the template; empty: nothing. */
export function textOf(edited: string): string {
  const below = edited.indexOf(BELOW);
  const kept = (below < 0 ? edited : edited.slice(0, below)).replace(/^### (Editing|What stands) .*\n/gm, '').trim();
  return kept === '' ? '' : `${kept}\n`;
}

/** Starts the first editor that there is; throws CliError if it fails or there is none. */
function edit(call: Call, path: string): void {
  const { env } = call.context;
  const named = env['SYSTEMD_EDITOR'] ?? env['EDITOR'] ?? env['VISUAL'];
  for (const command of named === undefined || named.trim() === '' ? EDITORS : [named]) {
    const [program = '', ...args] = command.trim().split(/\s+/);
    const done = spawnSync(program, [...args, path], { stdio: 'inherit' });
    if ((done.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') continue;
    if (done.error !== undefined) throw new CliError(`Cannot start ${program}: ${done.error.message}`);
    if (done.status !== 0)
      throw new CliError(`Editor ${program} ended with ${done.signal ?? `status ${done.status}`}; nothing is changed.`);
    return;
  }
  throw new CliError(
    'Cannot edit units, no editor available. Set $SYSTEMD_EDITOR, $EDITOR or $VISUAL, or use --stdin.',
  );
}

/** The unit's files; undefined: there are none. */
async function filesOf(call: Call, unit: string): Promise<readonly Text[] | undefined> {
  try {
    return (await call.client.call<{ files: Text[] }>('io.sysmaster.Units.Cat', { name: unit })).files;
  } catch (error) {
    if (error instanceof CallError && error.short === 'NoSuchUnit') return undefined;
    throw error;
  }
}

async function planOf(call: Call, files: FilePort, unit: string): Promise<Edit> {
  const { options } = call;
  const root = options.root === undefined ? '' : resolve(options.root).replace(/\/$/, '');
  const { persistentConfig, runtimeConfig } = systemPaths();
  const directory = (options.runtime === true ? runtimeConfig : persistentConfig)[0] ?? '';
  const shown = await filesOf(call, unit);
  if (shown === undefined && (options.force ?? 0) === 0) {
    const again = `${call.context.name} edit --force --full ${unit}`;
    throw new CliError(`No files found for ${unit}.\nRun '${again}' to create a new unit.`);
  }
  const dropIn = options.dropIn ?? 'override.conf';
  const name = dropIn.endsWith('.conf') ? dropIn : `${dropIn}.conf`;
  if (name.includes('/') || name.startsWith('.')) throw new CliError(`--drop-in=${dropIn}: not the name of a file`);
  const path = options.full === true ? `${directory}/${unit}` : `${directory}/${unit}.d/${name}`;
  const main = shown?.[0];
  const before = files.readText(path) ?? (options.full === true ? (main?.text ?? '') : '');
  const others = (shown ?? []).filter(
    (one) => one.path !== `${root}${path}` && !(options.full === true && one === main),
  );
  return { unit, path, before, shown: others };
}

/** What reading the unit with this text finds, and whether it could be loaded. */
function examine(
  call: Call,
  files: FilePort,
  { unit, path }: Edit,
  text: string,
): { findings: Finding[]; bad: boolean } {
  const facts = offlineFacts(call.context);
  const loader = createUnitLoader({
    files: withFile(files, path, text),
    facts,
    paths: systemPaths({}, facts.runDirectory),
  });
  const name = parseName(unit)?.kind === 'template' ? withInstance(unit, 'i') : unit;
  const { findings, loadState } = loader.load(name);
  const own = findings.filter(({ at, severity }) => at?.file === path || (at === undefined && severity === 'error'));
  const bad = loadState === 'bad-setting' || loadState === 'error' || own.some(({ severity }) => severity === 'error');
  return {
    findings:
      loadState === 'bad-setting' || loadState === 'error'
        ? [...new Set([...own, ...findings.filter(({ severity }) => severity === 'error')])]
        : own,
    bad,
  };
}

const withNewline = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`);

/** With --dry-run: which files would be written; what is wrong with the text too, where it is given. Starts no editor. */
function wouldEdit(call: Call, files: FilePort, edits: readonly Edit[], given: string | undefined): number {
  const { context, options } = call;
  let status = 0;
  const would = edits.map((one) => {
    const now = files.readText(one.path);
    const path = options.root === undefined ? one.path : `${resolve(options.root).replace(/\/$/, '')}${one.path}`;
    const write = now === undefined ? 'create' : 'change';
    if (given === undefined) return { unit: one.unit, path, would: write, findings: [] };
    const text = withNewline(given);
    if (text === '' || text === now) return { unit: one.unit, path, would: 'leave', findings: [] };
    const { findings, bad } = examine(call, files, one, text);
    const sentences = findings.map(sentence);
    for (const line of sentences) context.err(`${line}\n`);
    const refused = bad && (options.force ?? 0) === 0;
    if (refused) status = 1;
    return { unit: one.unit, path, would: refused ? 'refuse' : write, findings: sentences };
  });
  const words: Readonly<Record<string, (path: string, unit: string) => string>> = {
    create: (path) => `Would create ${path}.`,
    change: (path) => `Would change ${path}.`,
    leave: (path) => `Would leave ${path} as it is.`,
    refuse: (path, unit) => `Would not write ${path}: ${unit} could not be loaded with it.`,
  };
  call.print(
    would.map((one) => ({ ...one, dryRun: true })),
    () => would.map(({ unit, path, would: what }) => words[what]!(path, unit)),
  );
  return status;
}

export async function run(call: Call): Promise<number> {
  const { args, context, options, client } = call;
  const root = options.root === undefined ? '/' : resolve(options.root);
  const files = rootedFiles(plainFiles(), root);
  const dryRun = options.dryRun === true;
  if (
    !dryRun &&
    options.stdin !== true &&
    !context.terminal &&
    context.env['SYSTEMD_EDITOR'] === undefined &&
    context.env['EDITOR'] === undefined
  )
    throw new CliError('Cannot edit units if not on a tty; use --stdin, or set $SYSTEMD_EDITOR.');
  const edits: Edit[] = [];
  for (const unit of await expand(call, args)) edits.push(await planOf(call, files, unit));
  const given = options.stdin === true ? await context.input() : undefined;
  if (dryRun) return wouldEdit(call, files, edits, given);
  const scratch = mkdtempSync(join(tmpdir(), 'sctl-edit-'));
  let keep = false;
  const done: { unit: string; path: string; findings: readonly string[] }[] = [];
  let status = 0;
  try {
    for (const [index, one] of edits.entries()) {
      const draft = join(scratch, `${index}-${one.unit}`);
      let text: string;
      if (given !== undefined) text = withNewline(given);
      else {
        writeFileSync(draft, templateOf(one));
        edit(call, draft);
        text = textOf(readFileSync(draft, 'utf8'));
      }
      if (text === '') {
        call.warn(`Editing "${one.path}" canceled: temporary file is empty.`);
        continue;
      }
      const { findings, bad } = examine(call, files, one, text);
      const sentences = findings.map(sentence);
      for (const line of sentences) context.err(`${line}\n`);
      if (bad && (options.force ?? 0) === 0) {
        writeFileSync(draft, text);
        keep = true;
        context.err(
          `${one.path}: not written, since ${one.unit} could not be loaded with it; the text is kept in ${draft}, and --force writes it all the same\n`,
        );
        status = 1;
        continue;
      }
      if (text !== files.readText(one.path)) {
        files.mkdirs(one.path.slice(0, one.path.lastIndexOf('/')), 0o755);
        files.writeText(one.path, text, 0o644);
      }
      done.push({ unit: one.unit, path: root === '/' ? one.path : `${root}${one.path}`, findings: sentences });
    }
  } finally {
    if (!keep) rmSync(scratch, { recursive: true, force: true });
  }
  if (done.length > 0 && options.reload !== false && options.root === undefined)
    await client.change('io.sysmaster.Manager.Reload', {});
  for (const { path } of done) call.warn(`Successfully installed edited file '${path}'.`);
  call.print(done, () => []);
  return status;
}
