/** Which directories are core's own: the decision, for who asks the system itself and for who asks the file port. */
import type { FileStat } from './ports.ts';

/** The permissions as a person writes them. */
export const octal = (mode: number): string => (mode & 0o7777).toString(8).padStart(4, '0');

/** Why what lstat(2) found is no directory of core's, or others may change what is in it; undefined: it is core's own. */
export function whyNotOwn(
  { kind, uid, mode }: Pick<FileStat, 'kind' | 'uid' | 'mode'>,
  own: number,
): string | undefined {
  if (kind === 'symlink') return 'a symbolic link, which is not followed';
  if (kind !== 'directory') return 'not a directory';
  if (uid !== own) return `it belongs to uid ${uid}, not to core`;
  return (mode & 0o022) === 0 ? undefined : `others may write to it (${octal(mode)})`;
}
