/**
 * Which files are core's own. One decision, for the checkpoint, for what core keeps besides it, and for the version kept aside.
 *
 * Free of imports that cost anything: what init executes first (start.ts) asks it too.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { octal, whyNotOwn as whyNotOwnAsFound } from '../own-directory.ts';

/** Why this can be no file of core's, or nobody knows who has written it; undefined: it is core's own. */
export function whyNotOwn(found: Stats): string | undefined {
  if (!found.isFile()) return 'not a plain file';
  if (found.uid !== process.geteuid?.()) return `it belongs to uid ${found.uid}, not to core`;
  if (found.nlink > 1) return `it has ${found.nlink} names`;
  if ((found.mode & 0o022) !== 0) return `others may write to it (${octal(found.mode)})`;
  return undefined;
}

/** The same of a directory, by its path: a link to one is none. Undefined: it is core's own, or there is none. */
export function whyNotOwnDirectory(path: string): string | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  const kind = found.isSymbolicLink() ? 'symlink' : found.isDirectory() ? 'directory' : 'file';
  return whyNotOwnAsFound({ kind, uid: found.uid, mode: found.mode }, process.geteuid?.() ?? -1);
}

/** Is there such a file, and is it core's own? */
export function isOwn(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found !== undefined && whyNotOwn(found) === undefined;
}

/** open(2) that never waits for a pipe, never follows a link and makes no terminal ours. */
export const OPEN_SAFELY = constants.O_NONBLOCK | constants.O_NOFOLLOW | constants.O_NOCTTY;

/**
 * The bytes of a file of core's own; undefined: there is none that is to be believed. For those who can do without it, and before
 * there is a log: why, goes to `tell`.
 */
export function ownBytes(path: string, tell: (why: string) => void): Buffer | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | OPEN_SAFELY);
    const why = whyNotOwn(fstatSync(fd));
    if (why === undefined) return readFileSync(fd);
    tell(`${path}: ${why}; it is not believed`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') tell(`${path}: ${code}; it is not believed`);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  return undefined;
}
