/**
 * A file port with changes on top that are not written: links made and entries removed, remembered in order.
 */
import { type FilePort, type FileStat, HostError } from '../host/ports.ts';
import type { Change } from './install-plan.ts';

const LINK: FileStat = { kind: 'symlink', size: 0, mode: 0o777, uid: 0, gid: 0, mtimeMs: 0, dev: 0, ino: 0, rdev: 0 };
const DIRECTORY: FileStat = { ...LINK, kind: 'directory', mode: 0o755 };

export function overlay(files: FilePort): FilePort & { changes(): readonly Change[] } {
  /** Path -> link target, or null for what is removed. */
  const top = new Map<string, string | null>();
  const log: Change[] = [];

  const hidden = (path: string): boolean => {
    for (let at = path; at.length > 1; at = at.slice(0, at.lastIndexOf('/'))) if (top.get(at) === null) return true;
    return false;
  };
  /** Has a link been made below it? */
  const isParent = (path: string): boolean => {
    for (const [key, value] of top) if (value !== null && key.startsWith(`${path}/`)) return true;
    return false;
  };
  const refuse = (path: string): never => {
    throw new HostError('EROFS', path);
  };
  const linkAt = (path: string): string | undefined => {
    const own = top.get(path);
    return own === undefined ? (hidden(path) ? undefined : files.readlink(path)) : (own ?? undefined);
  };
  /** Where reading a path leads: links made here are followed, others by the port below. */
  const followed = (path: string): string => {
    let at = path;
    for (let hops = 0; hops < 40; hops++) {
      const own = top.get(at);
      if (typeof own !== 'string') return at;
      at = own.startsWith('/') ? own : `${at.slice(0, at.lastIndexOf('/'))}/${own}`;
    }
    return at;
  };

  return {
    changes: () => log,
    readText: (path) => (hidden(followed(path)) ? undefined : files.readText(followed(path))),
    readOwn: (path) => (hidden(followed(path)) ? undefined : files.readOwn(followed(path))),
    readBytes: (path, maxBytes) => (hidden(followed(path)) ? undefined : files.readBytes(followed(path), maxBytes)),
    list(path) {
      const below = hidden(path) ? undefined : files.list(path);
      const added = [...top].flatMap(([key, value]) => {
        if (value === null || !key.startsWith(`${path}/`)) return [];
        const rest = key.slice(path.length + 1);
        return [rest.includes('/') ? rest.slice(0, rest.indexOf('/')) : rest];
      });
      if (below === undefined && added.length === 0) return undefined;
      const names = (below ?? []).filter((name) => top.get(`${path}/${name}`) !== null);
      return [...new Set([...names, ...added])].sort();
    },
    lstat(path) {
      if (typeof top.get(path) === 'string') return LINK;
      if (!hidden(path)) {
        const stat = files.lstat(path);
        if (stat !== undefined) return stat;
      }
      return isParent(path) ? DIRECTORY : undefined;
    },
    stat(path) {
      const at = followed(path);
      if (!hidden(at)) {
        const stat = files.stat(at);
        if (stat !== undefined) return stat;
      }
      return isParent(at) ? DIRECTORY : undefined;
    },
    readlink: linkAt,
    writeText: refuse,
    mkdirs: () => {},
    symlink(target, path) {
      if (linkAt(path) === target) return;
      top.set(path, target);
      log.push({ type: 'symlink', path, target });
    },
    remove(path) {
      top.set(path, null);
      log.push({ type: 'remove', path });
    },
    removeTree(path) {
      for (const key of [...top.keys()]) if (key.startsWith(`${path}/`)) top.delete(key);
      top.set(path, null);
      log.push({ type: 'remove', path });
    },
    access: (path, mode) => !hidden(path) && files.access(path, mode),
    watch: () => {},
    unwatch: () => {},
  };
}
