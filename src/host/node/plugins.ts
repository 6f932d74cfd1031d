/**
 * Finds and runs the files of machine plugins: `NAME.cjs` in a few directories, the first of a name counts.
 *
 * What they hold becomes part of core, so a file counts only where nobody but core's own user and root can have written it. It is run
 * with nothing to import and a time limit; what is wrong with one is said, and costs that plugin alone.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createContext, runInContext, Script } from 'node:vm';
import { codeOf } from './errors.ts';
import { sha256 } from './hash.ts';

/** Where plugins are looked for, unless SYSMASTER_MACHINE_PATH says otherwise. */
const PATH = '/etc/sysmaster/machines:/usr/lib/sysmaster/machines';
/** For each: reading, and making its chart. */
const TIMEOUT_MS = 1000;
const PLUGINS_MAX = 64;
const FILE_BYTES_MAX = 1024 * 1024;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/** Where it came from: the file's name without `.cjs`, the file, the SHA-256 of its text. */
export interface Source {
  readonly name: string;
  readonly file: string;
  readonly sha256: string;
}

export interface Plugins<T> {
  readonly plugins: readonly (T & Source)[];
  /** Sentences about what is not used, and why; for the log. */
  readonly findings: readonly string[];
}

/**
 * All plugins, by name. `define` is given what a file exports, and answers with what the plugin is, or throws.
 *
 * @param path directories, separated by colons; a missing one holds none
 */
export function readPlugins<T extends object>(path: string | undefined, define: (exported: unknown) => T): Plugins<T> {
  const plugins = new Map<string, T & Source>();
  const findings: string[] = [];
  for (const file of (path ?? PATH)
    .split(':')
    .filter(Boolean)
    .flatMap((directory) => filesOf(directory, findings))) {
    const name = basename(file, '.cjs');
    if (plugins.has(name)) continue;
    try {
      if (plugins.size >= PLUGINS_MAX) throw new Error(`more than ${PLUGINS_MAX} plugins`);
      plugins.set(name, readPlugin(file, define));
    } catch (cause) {
      findings.push(`${file}: not used as a machine plugin: ${whyOf(cause, file)}`);
    }
  }
  return { plugins: [...plugins.values()].sort((a, b) => (a.name < b.name ? -1 : 1)), findings };
}

function filesOf(directory: string, findings: string[]): string[] {
  try {
    const names = readdirSync(directory).filter((name) => name.endsWith('.cjs'));
    if (names.length > 0) mustBeOurs(directory);
    return names.sort().map((name) => join(directory, name));
  } catch (cause) {
    if (codeOf(cause) !== 'ENOENT') findings.push(`${directory}: no machine plugins from here: ${whyOf(cause, '')}`);
    return [];
  }
}

function mustBeOurs(path: string): ReturnType<typeof statSync> {
  const found = statSync(path);
  if (found.uid !== 0 && found.uid !== process.geteuid?.())
    throw new Error(`it belongs to uid ${found.uid}; chown it to root`);
  if ((found.mode & 0o022) !== 0) throw new Error('others may write to it; chmod go-w it');
  return found;
}

/**
 * One plugin. The file alone has to be ours here, not its directory.
 *
 * @throws Error with the reason where it is none; {@link whyOf} names the line
 */
export function readPlugin<T extends object>(file: string, define: (exported: unknown) => T): T & Source;
/** The same, if its text is that one; undefined: it is another, and has not been run. */
export function readPlugin<T extends object>(
  file: string,
  define: (exported: unknown) => T,
  onlyThis: string,
): (T & Source) | undefined;
export function readPlugin<T extends object>(
  file: string,
  define: (exported: unknown) => T,
  onlyThis?: string,
): (T & Source) | undefined {
  const name = basename(file, '.cjs');
  if (!NAME.test(name)) throw new Error('not a name; use letters, digits, and `_`, `.`, `-` within');
  const found = mustBeOurs(file);
  if (found?.isFile() !== true || found.size > FILE_BYTES_MAX)
    throw new Error(`not a plain file of at most ${FILE_BYTES_MAX} bytes`);
  const text = readFileSync(file, 'utf8');
  const hash = sha256(text);
  if (onlyThis !== undefined && onlyThis !== hash) return undefined;
  const module: { exports: unknown } = { exports: {} };
  // Nothing that it leaves for later runs beside core's own turns.
  const context = createContext({ module, exports: module.exports }, { microtaskMode: 'afterEvaluate' });
  new Script(text, { filename: file }).runInContext(context, { timeout: TIMEOUT_MS });
  let made: T | undefined;
  // What it exports is called within the time limit too.
  context['define'] = () => {
    made = define(module.exports);
  };
  runInContext('define()', context, { timeout: TIMEOUT_MS });
  return { ...(made as T), name, file, sha256: hash };
}

/** Characters of a message. */
const WHY_MAX = 1000;

/** The message, with the line of the file where there is one. A plugin may throw anything. */
export function whyOf(cause: unknown, file: string): string {
  let [message, stack] = ['something that has no text was thrown', ''];
  try {
    const { message: said, stack: from } = (cause ?? {}) as { message?: unknown; stack?: unknown };
    message = String(said ?? cause).slice(0, WHY_MAX);
    stack = String(from ?? '');
  } catch {
    // What tells of itself threw in its turn.
  }
  const at = file === '' ? -1 : stack.indexOf(`${file}:`);
  const line = at < 0 ? undefined : /^\d+/.exec(stack.slice(at + file.length + 1))?.[0];
  return line === undefined ? message : `line ${line}: ${message}`;
}
