/**
 * Files in memory: text, bytes, directories, symlinks, with just enough metadata. Parent directories exist by themselves.
 */
import { type FileStat, HostError } from '../ports.ts';

/** What `createSim({ files })` takes for a path: text, or one of these. */
export type FileSpec =
  | string
  | { readonly text: string; readonly mode?: number; readonly uid?: number }
  | { readonly bytes: Uint8Array }
  | { readonly symlink: string }
  | { readonly directory: true; readonly mode?: number };

interface Entry {
  kind: FileStat['kind'];
  bytes: Uint8Array;
  target: string;
  mode: number;
  uid: number;
  mtimeMs: number;
  readonly ino: number;
}

const MAX_LINKS = 40;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class VirtualFiles {
  readonly #entries = new Map<string, Entry>();
  readonly #now: () => number;
  #ino = 1;
  /** Told of every path that appeared, changed or went away, by its own name. */
  onChange: (path: string) => void = () => {};
  /** Errno by path: the next operations on it fail with this, until it is deleted from here. */
  readonly broken = new Map<string, string>();

  constructor(now: () => number) {
    this.#now = now;
    this.#put('/', 'directory');
  }

  add(path: string, spec: FileSpec): void {
    if (typeof spec === 'string') this.writeText(path, spec, 0o644);
    else if ('text' in spec) {
      this.writeText(path, spec.text, spec.mode ?? 0o644);
      (this.#entry(path) as Entry).uid = spec.uid ?? 0;
    } else if ('bytes' in spec) {
      this.writeText(path, '', 0o644);
      (this.#entry(path) as Entry).bytes = spec.bytes;
    } else if ('symlink' in spec) this.symlink(spec.symlink, path);
    else this.mkdirs(path, spec.mode ?? 0o755);
  }

  readText(path: string): string | undefined {
    const entry = this.#followed(path);
    return entry === undefined ? undefined : decoder.decode(this.#asFile(entry, path));
  }

  readBytes(path: string, maxBytes: number): Uint8Array | undefined {
    const entry = this.#followed(path);
    return entry === undefined ? undefined : this.#asFile(entry, path).slice(0, maxBytes);
  }

  list(path: string): string[] | undefined {
    const real = this.#resolve(path, true);
    const entry = real === undefined ? undefined : this.#entries.get(real);
    if (real === undefined || entry === undefined) return undefined;
    if (entry.kind !== 'directory') throw new HostError('ENOTDIR', path);
    const head = real === '/' ? '/' : `${real}/`;
    const names = [...this.#entries.keys()].filter((one) => one.startsWith(head) && one.length > head.length);
    return names
      .map((one) => one.slice(head.length))
      .filter((name) => !name.includes('/'))
      .sort();
  }

  lstat(path: string): FileStat | undefined {
    const real = this.#resolve(path, false);
    return real === undefined ? undefined : statOf(this.#entries.get(real));
  }

  stat(path: string): FileStat | undefined {
    return statOf(this.#followed(path));
  }

  readlink(path: string): string | undefined {
    const real = this.#resolve(path, false);
    const entry = real === undefined ? undefined : this.#entries.get(real);
    if (entry === undefined) return undefined;
    if (entry.kind !== 'symlink') throw new HostError('EINVAL', path);
    return entry.target;
  }

  writeText(path: string, text: string, mode: number): void {
    const real = this.#place(path);
    if (this.#entries.get(real)?.kind === 'directory') throw new HostError('EISDIR', path);
    const entry = this.#put(real, 'file');
    entry.bytes = encoder.encode(text);
    entry.mode = mode;
    this.onChange(real);
  }

  mkdirs(path: string, mode: number): void {
    const real = this.#place(path);
    if (this.#entries.has(real)) return;
    this.#put(real, 'directory').mode = mode;
    this.onChange(real);
  }

  symlink(target: string, path: string): void {
    const real = this.#place(path);
    if (this.#entries.has(real)) throw new HostError('EEXIST', path);
    this.#put(real, 'symlink').target = target;
    this.onChange(real);
  }

  /** A socket or FIFO that somebody has made. */
  special(kind: 'socket' | 'fifo', path: string): void {
    this.#put(this.#place(path), kind);
    this.onChange(path);
  }

  remove(path: string): void {
    const real = this.#resolve(path, false);
    if (real === undefined) return;
    const entry = this.#entries.get(real);
    if (entry?.kind === 'directory' && (this.list(real)?.length ?? 0) > 0) throw new HostError('ENOTEMPTY', path);
    if (this.#entries.delete(real)) this.onChange(real);
  }

  removeTree(path: string): void {
    const real = this.#resolve(path, false);
    if (real === undefined) return;
    for (const one of [...this.#entries.keys()]) {
      if (one === real || one.startsWith(`${real}/`)) this.#entries.delete(one);
    }
    this.onChange(real);
  }

  access(path: string, mode: 'r' | 'w' | 'x'): boolean {
    const entry = this.#followed(path);
    if (entry === undefined) return false;
    return mode !== 'x' || entry.kind === 'directory' || (entry.mode & 0o111) !== 0;
  }

  /** Every path with its text, for comparing two runs. */
  contents(): Readonly<Record<string, string>> {
    const files = [...this.#entries].filter(([, entry]) => entry.kind === 'file');
    return Object.fromEntries(files.map(([path, entry]) => [path, decoder.decode(entry.bytes)]).sort());
  }

  #followed(path: string): Entry | undefined {
    const real = this.#resolve(path, true);
    return real === undefined ? undefined : this.#entries.get(real);
  }

  #entry(path: string): Entry | undefined {
    return this.#entries.get(path);
  }

  #asFile(entry: Entry, path: string): Uint8Array {
    if (entry.kind === 'directory') throw new HostError('EISDIR', path);
    return entry.bytes;
  }

  #put(path: string, kind: Entry['kind']): Entry {
    const mode = kind === 'directory' ? 0o755 : kind === 'symlink' ? 0o777 : 0o644;
    const old = this.#entries.get(path);
    this.#ino += old === undefined ? 1 : 0;
    const ino = old?.ino ?? this.#ino;
    const entry: Entry = { kind, bytes: new Uint8Array(), target: '', mode, uid: 0, mtimeMs: this.#now(), ino };
    this.#entries.set(path, entry);
    return entry;
  }

  /** The real name a new entry will have, with its parents made. */
  #place(path: string): string {
    const parts = split(path);
    const name = parts.pop();
    if (name === undefined) return '/';
    let parent = '/';
    for (const part of parts) {
      const next = join(parent, part);
      if (!this.#entries.has(next)) this.#put(next, 'directory');
      const real = this.#resolve(next, true);
      if (real === undefined) throw new HostError('ENOENT', path);
      if (this.#entries.get(real)?.kind !== 'directory') throw new HostError('ENOTDIR', path);
      parent = real;
    }
    const place = join(parent, name);
    this.#check(place);
    return place;
  }

  /** The real name of an existing entry. Throws ELOOP. */
  #resolve(path: string, followLast: boolean): string | undefined {
    let links = 0;
    let rest = split(path);
    let real = '/';
    while (rest.length > 0) {
      const [part, ...more] = rest as [string, ...string[]];
      const next = join(real, part);
      const entry = this.#entries.get(next);
      if (entry === undefined) return undefined;
      rest = more;
      if (entry.kind === 'symlink' && (rest.length > 0 || followLast)) {
        links += 1;
        if (links > MAX_LINKS) throw new HostError('ELOOP', path);
        const base = entry.target.startsWith('/') ? '/' : real;
        rest = [...split(base === '/' ? entry.target : `${base}/${entry.target}`), ...more];
        real = '/';
      } else real = next;
    }
    this.#check(real);
    return real;
  }

  #check(path: string): void {
    const code = this.broken.get(path);
    if (code !== undefined) throw new HostError(code, path);
  }
}

function split(path: string): string[] {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts;
}

function join(parent: string, name: string): string {
  return parent === '/' ? `/${name}` : `${parent}/${name}`;
}

function statOf(entry: Entry | undefined): FileStat | undefined {
  if (entry === undefined) return undefined;
  const size = entry.kind === 'symlink' ? entry.target.length : entry.bytes.length;
  const { kind, mode, uid, mtimeMs, ino } = entry;
  return { kind, size, mode, uid, gid: 0, mtimeMs, dev: 1, ino, rdev: 0 };
}
