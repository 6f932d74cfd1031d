/** What conditions ask of the file system, answered here and now; core has a helper for it, since a path may hang. */
import { accessSync, constants, globSync, lstatSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { codeOf } from '../../../host/node/errors.ts';
import type { Check, CheckAnswer } from '../../../units/conditions.ts';

/** False where the look fails with an errno: what cannot be seen is not there. */
function look(ask: () => boolean): boolean {
  try {
    return ask();
  } catch (cause) {
    if (codeOf(cause) === undefined) throw cause;
    return false;
  }
}

/** Octal escapes of /proc/self/mountinfo. */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

function isMountPoint(path: string): boolean {
  const real = realpathSync(path);
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .some((line) => unescaped(line.split(' ')[4] ?? '') === real);
}

/** Is the block device below the file system made by dm-crypt? */
function isEncrypted(path: string): boolean {
  const { dev } = statSync(path);
  const major = (dev >> 8) & 0xfff;
  const minor = (dev & 0xff) | ((dev >> 12) & 0xfff00);
  return readFileSync(`/sys/dev/block/${major}:${minor}/dm/uuid`, 'utf8').startsWith('CRYPT-');
}

/** The answer to one look. */
export function lookAt({ kind, path }: Check): CheckAnswer {
  switch (kind) {
    case 'exists':
      return look(() => statSync(path) !== undefined);
    case 'glob':
      return look(() => globSync(path).length > 0);
    case 'directory':
      return look(() => statSync(path).isDirectory());
    case 'symlink':
      return look(() => lstatSync(path).isSymbolicLink());
    case 'mountpoint':
      return look(() => isMountPoint(path));
    case 'readwrite':
      return look(() => {
        accessSync(path, constants.W_OK);
        return true;
      });
    case 'directory-not-empty':
      return look(() => readdirSync(path).length > 0);
    case 'file-not-empty':
      return look(() => statSync(path).isFile() && statSync(path).size > 0);
    case 'executable':
      return look(() => statSync(path).isFile() && (statSync(path).mode & 0o111) !== 0);
    case 'encrypted':
      return look(() => isEncrypted(path));
    case 'read-text': {
      let text: string | null = null;
      look(() => {
        text = readFileSync(path, 'utf8');
        return true;
      });
      return text;
    }
  }
}
