/** Files as they would be with one more, which is not written: for looking at a text before it takes effect. */
import type { FilePort, FileStat } from '../../host/ports.ts';

export function withFile(files: FilePort, path: string, text: string): FilePort {
  const parent = path.slice(0, path.lastIndexOf('/'));
  const base = { mode: 0o644, uid: 0, gid: 0, mtimeMs: 0, dev: 0, ino: 0, rdev: 0 };
  const file: FileStat = { ...base, kind: 'file', size: text.length };
  const directory: FileStat = { ...base, kind: 'directory', size: 0, mode: 0o755 };
  const isAbove = (at: string) => path.startsWith(`${at}/`);
  const stat = (at: string, look: (at: string) => FileStat | undefined) =>
    at === path ? file : (look(at) ?? (isAbove(at) ? directory : undefined));
  return {
    ...files,
    readText: (at) => (at === path ? text : files.readText(at)),
    readBytes: (at, most) => (at === path ? new TextEncoder().encode(text).slice(0, most) : files.readBytes(at, most)),
    readlink: (at) => (at === path ? undefined : files.readlink(at)),
    lstat: (at) => stat(at, files.lstat),
    stat: (at) => stat(at, files.stat),
    access: (at, mode) => at === path || files.access(at, mode),
    list(at) {
      const names = files.list(at);
      if (!isAbove(at)) return names;
      const rest = path.slice(at.length + 1);
      const name = at === parent ? rest : rest.slice(0, rest.indexOf('/'));
      return [...new Set([...(names ?? []), name])].sort();
    },
  };
}
