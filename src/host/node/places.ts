/**
 * Places of core's own: what stands in one of them and is not core's is never followed and never written to; it gets another name.
 * Init does the same for those it needs before there is a core (native/init/src/place.rs).
 */
import { closeSync, constants, fstatSync, lstatSync, opendirSync, openSync, renameSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { HostError } from '../ports.ts';
import { attempt, codeOf, hostError } from './errors.ts';
import { OPEN_SAFELY, whyNotOwn, whyNotOwnDirectory } from './own.ts';

/** Names that are tried for what is put aside. */
const ASIDE_MAX = 100;
/** So many entries of others are counted. */
const STRANGERS_MAX = 1000;

/** Give what stands there another name; answers with a sentence about it. Throws HostError. */
export function putAside(path: string, why: string): string {
  for (let number = 1; number <= ASIDE_MAX; number += 1) {
    const aside = `${path}.aside-${number}`;
    if (lstatSync(aside, { throwIfNoEntry: false }) !== undefined) continue;
    attempt(`${path}: ${why}; it cannot be put aside`, () => renameSync(path, aside));
    return `${path}: ${why}; not used, and named ${aside} now`;
  }
  throw new HostError('EEXIST', `${path}: ${why}; ${ASIDE_MAX} others are put aside: remove ${path}.aside-*`);
}

/** Open for appending; made if missing. `said`: what was put aside for it. Throws HostError. */
export function openOwnLog(path: string, mode: number): { readonly fd: number; readonly said: string | undefined } {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | OPEN_SAFELY;
  let fd: number | undefined;
  let why: string | undefined;
  try {
    fd = openSync(path, flags, mode);
    why = whyNotOwn(fstatSync(fd));
  } catch (cause) {
    const found = lstatSync(path, { throwIfNoEntry: false });
    why = found && whyNotOwn(found);
    if (why === undefined) throw hostError(cause, path);
  }
  if (fd !== undefined && why === undefined) return { fd, said: undefined };
  if (fd !== undefined) closeSync(fd);
  const said = putAside(path, why ?? '');
  return { fd: attempt(path, () => openSync(path, flags | constants.O_EXCL, mode)), said };
}

/** Room for a directory of core's own, unless there is one; answers with what was put aside for it. Throws HostError. */
export function freeForDirectory(path: string): string | undefined {
  return attempt(path, () => {
    const why = whyNotOwnDirectory(path);
    return why === undefined ? undefined : putAside(path, why);
  });
}

/** As {@link freeForDirectory}, of what is no directory at all: about others its user decides. */
export function freeOfOthers(path: string): string | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? undefined : freeForDirectory(path);
}

/** As NodeFiles.writeText names what is not whole yet. */
const NOT_WHOLE = /\.\d+\.\d+\.tmp$/;
/** Looked at, in one directory. */
const LOOKED_MAX = 4096;

/** Take away what a core has left that died while it wrote a file. What cannot be taken away stays. */
export function clearUnwritten(path: string): void {
  try {
    const directory = opendirSync(path);
    try {
      for (let left = LOOKED_MAX; left > 0; left -= 1) {
        const entry = directory.readSync();
        if (entry === null) return;
        if (entry.isFile() && NOT_WHOLE.test(entry.name)) unlinkSync(join(path, entry.name));
      }
    } finally {
      directory.closeSync();
    }
  } catch (cause) {
    if (codeOf(cause) === undefined) throw cause;
  }
}

/** Whether there is more in a directory than the names that belong there; a sentence about it. Throws HostError. */
export function strangersIn(path: string, belong: readonly string[]): string | undefined {
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined;
  return attempt(path, () => {
    const directory = opendirSync(path);
    try {
      let count = 0;
      let one: string | undefined;
      for (let entry = directory.readSync(); entry !== null && count < STRANGERS_MAX; entry = directory.readSync()) {
        if (belong.includes(entry.name)) continue;
        count += 1;
        one ??= entry.name;
      }
      if (one === undefined) return undefined;
      const many = count === STRANGERS_MAX ? `${count} or more` : count;
      return `${path}: ${many} that are not core's own, among them ${JSON.stringify(one.slice(0, 64))}; not looked at`;
    } finally {
      directory.closeSync();
    }
  });
}
