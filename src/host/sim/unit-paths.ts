/** What path units watch, over the files in memory. What a core watches dies with it. */
import { type HostEvent, isMade, isOfChange, type PathPort, type PathSeen, type WatchedPath } from '../ports.ts';
import type { Core } from './core.ts';
import type { VirtualFiles } from './files.ts';
import type { Kernel } from './kernel.ts';

interface Watched {
  readonly name: string;
  readonly round: number;
  readonly specs: readonly WatchedPath[];
  /** What was told last; undefined: nothing yet. */
  seen: readonly PathSeen[] | undefined;
}

export class VirtualPaths {
  readonly #kernel: Kernel;
  readonly #files: VirtualFiles;
  readonly #watched = new Map<string, Watched>();
  #emit: (event: HostEvent) => void = () => {};

  constructor(kernel: Kernel, files: VirtualFiles) {
    this.#kernel = kernel;
    this.#files = files;
  }

  /** The port of one core; it takes over from the one before, which watches no more. */
  port(life: Core, answerMs: number): PathPort {
    this.#watched.clear();
    this.#emit = (event) => life.emit(event);
    return {
      watch: (name, round, specs, makeDirectories) => {
        const watched: Watched = { name, round, specs, seen: undefined };
        this.#watched.set(name, watched);
        this.#kernel.after(answerMs, () => {
          if (this.#watched.get(name) !== watched) return;
          if (makeDirectories !== null)
            for (const { kind, path } of specs) if (isMade(kind)) this.#files.mkdirs(path, makeDirectories);
          this.#tell(watched, true);
        });
      },
      unwatch: (name) => void this.#watched.delete(name),
    };
  }

  /** Something of this name came, changed or went. */
  changed(path: string): void {
    for (const watched of this.#watched.values()) {
      const { seen, name, round, specs } = watched;
      if (seen === undefined) continue; // it is looked at soon
      let other = false;
      for (const [at, { kind, path: own }] of specs.entries()) {
        const isOwn = path === own || parentOf(path) === own;
        if (isOfChange(kind) && isOwn && seen[at]?.there === true)
          this.#emit({ type: 'path-changed', name, round, at });
        else if (isOwn || own.startsWith(`${path}/`) || (kind === 'PathExistsGlob' && matches(own, path))) other = true;
      }
      if (other) this.#tell(watched, false);
    }
  }

  #tell(watched: Watched, missed: boolean): void {
    const seen = watched.specs.map((spec) => this.#look(spec));
    watched.seen = seen;
    const { name, round } = watched;
    this.#emit({ type: 'paths', name, round, missed, seen });
  }

  #look({ kind, path }: WatchedPath): PathSeen {
    const files = this.#files;
    switch (kind) {
      case 'PathExists':
        return { there: files.stat(path) !== undefined, path, stamp: null };
      case 'PathExistsGlob': {
        const found = (files.list(parentOf(path)) ?? [])
          .map((entry) => `${parentOf(path)}/${entry}`)
          .find((one) => matches(path, one));
        return { there: found !== undefined, path: found ?? path, stamp: null };
      }
      case 'DirectoryNotEmpty': {
        const entries = files.stat(path)?.kind === 'directory' ? (files.list(path) ?? []) : [];
        return { there: entries.some((entry) => !entry.startsWith('.')), path, stamp: null };
      }
      default:
        return { there: files.stat(path) !== undefined, path, stamp: this.#stamp(path) };
    }
  }

  #stamp(path: string): string | null {
    const found = files(this.#files, path);
    if (found === undefined) return null;
    const entries = this.#files.stat(path)?.kind === 'directory' ? (this.#files.list(path) ?? []) : [];
    return [found, ...entries.map((entry) => `${entry}=${files(this.#files, `${path}/${entry}`)}`)].join(' ');
  }
}

const files = (all: VirtualFiles, path: string): string | undefined => {
  const found = all.lstat(path);
  return found === undefined ? undefined : `${found.ino}:${found.size}:${found.mtimeMs}`;
};

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/';

/** `*` and `?` in the last component. */
function matches(pattern: string, path: string): boolean {
  if (parentOf(pattern) !== parentOf(path)) return false;
  const last = pattern.slice(pattern.lastIndexOf('/') + 1);
  if (path.slice(path.lastIndexOf('/') + 1).startsWith('.') && !last.startsWith('.')) return false;
  const expression = last
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]');
  return new RegExp(`^${expression}$`).test(path.slice(path.lastIndexOf('/') + 1));
}
