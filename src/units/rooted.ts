/**
 * A file port below a root directory (`--root=`): paths and the targets of links are meant inside of it.
 */
import { type FilePort, HostError } from '../host/ports.ts';
import { resolveLink } from './catalog.ts';

/** Links followed for one path. */
const LINKS_MAX = 40;

export function rootedFiles(files: FilePort, root: string): FilePort {
  const base = root === '/' ? '' : root.replace(/\/+$/, '');
  if (base === '') return files;

  /** The real path of a path inside; links are resolved inside, the last one only if `follow`. */
  const inside = (path: string, follow: boolean): string => {
    let hops = 0;
    let parts = path.split('/').filter((part) => part !== '' && part !== '.');
    let at = '';
    while (parts.length > 0) {
      const part = parts[0] ?? '';
      parts = parts.slice(1);
      if (part === '..') {
        at = at.slice(0, Math.max(0, at.lastIndexOf('/')));
        continue;
      }
      at = `${at}/${part}`;
      if (parts.length === 0 && !follow) break;
      const link = files.readlink(base + at);
      if (link === undefined) continue;
      // The null device is the same everywhere, also where the root has no /dev.
      if (resolveLink(at, link) === '/dev/null' && parts.length === 0) return '/dev/null';
      hops += 1;
      if (hops > LINKS_MAX) throw new HostError('ELOOP', path);
      parts = [
        ...resolveLink(at, link)
          .split('/')
          .filter((each) => each !== ''),
        ...parts,
      ];
      at = '';
    }
    return base + (at === '' ? '/' : at);
  };

  return {
    readText: (path) => files.readText(inside(path, true)),
    readOwn: (path) => files.readOwn(inside(path, true)),
    readBytes: (path, maxBytes) => files.readBytes(inside(path, true), maxBytes),
    list: (path) => files.list(inside(path, true)),
    lstat: (path) => files.lstat(inside(path, false)),
    stat: (path) => files.stat(inside(path, true)),
    readlink: (path) => files.readlink(inside(path, false)),
    writeText: (path, text, mode) => files.writeText(inside(path, false), text, mode),
    mkdirs: (path, mode) => files.mkdirs(inside(path, true), mode),
    symlink: (target, path) => files.symlink(target, inside(path, false)),
    remove: (path) => files.remove(inside(path, false)),
    removeTree: (path) => files.removeTree(inside(path, false)),
    access: (path, mode) => files.access(inside(path, true), mode),
    watch: (path) => files.watch(base + path),
    unwatch: (path) => files.unwatch(base + path),
  };
}
