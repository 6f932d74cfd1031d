/**
 * Control groups of the unified hierarchy, below the root that init names (cgroups(7), Documentation/admin-guide/cgroup-v2).
 *
 * Whether a group is populated is a level: `cgroup.events` is read again after each notice, and an event is told only when the
 * level has changed. A group that is gone is not populated.
 */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { type CgroupPort, HostError } from '../ports.ts';
import { attempt, codeOf, hostError, unless } from './errors.ts';
import { GroupWatch } from './group-watch.ts';
import type { Inotify } from './inotify.ts';
import type { Loop } from './loop.ts';

/** ENODEV: the group was removed between open and read. */
const GONE = ['ENOENT', 'ENODEV'];

interface Watched {
  readonly watch: GroupWatch;
  populated: boolean;
}

export class NodeGroups implements CgroupPort {
  readonly #root: string;
  readonly #loop: Loop;
  readonly #inotify: Inotify;
  readonly #watched = new Map<string, Watched>();

  constructor(root: string, loop: Loop, inotify: Inotify) {
    this.#root = root;
    this.#loop = loop;
    this.#inotify = inotify;
  }

  get available(): boolean {
    return this.#root !== '';
  }

  ensure(path: string): void {
    const directory = this.#at(path);
    // As a rule the slice is there and the group is not: one call then, where the way from the top takes several.
    const made = unless(['ENOENT', 'EEXIST'], directory, () => {
      mkdirSync(directory, 0o755);
      return true;
    });
    if (made === undefined) attempt(directory, () => mkdirSync(directory, { recursive: true, mode: 0o755 }));
  }

  remove(path: string): boolean {
    if (path === '') return false;
    // As a rule there is nothing below it.
    if (this.#removeOne(path)) return true;
    const children = this.children(path);
    return children.length > 0 && children.every((child) => this.remove(`${path}/${child}`)) && this.#removeOne(path);
  }

  /** False: something is in it or below it. */
  #removeOne(path: string): boolean {
    const directory = this.#at(path);
    try {
      rmdirSync(directory);
      return true;
    } catch (cause) {
      if (codeOf(cause) === 'ENOENT') return true;
      if (codeOf(cause) === 'EBUSY' || codeOf(cause) === 'ENOTEMPTY') return false;
      throw hostError(cause, directory);
    }
  }

  watch(path: string, known?: boolean): void {
    let watched = this.#watched.get(path);
    if (watched === undefined && this.available) {
      this.#at(path); // refuses what is no path below the root
      // The path is watched, not the group: it may not be there yet, or go and be made again.
      const made: Watched = {
        watch: new GroupWatch(this.#root, path, this.#inotify, () => this.#changed(path, made)),
        populated: false,
      };
      this.#watched.set(path, made);
      watched = made;
    }
    const populated = this.populated(path);
    if (watched !== undefined) watched.populated = populated;
    if (populated !== known) this.#loop.post({ type: 'group', path, populated });
  }

  unwatch(path: string): void {
    this.#watched.get(path)?.watch.close();
    this.#watched.delete(path);
  }

  populated(path: string): boolean {
    if (!this.available) return false;
    return /^populated 1$/m.test(this.read(path, 'cgroup.events') ?? '');
  }

  processes(path: string): number[] {
    if (!this.available) return [];
    const own = (this.read(path, 'cgroup.procs') ?? '').split('\n').filter((line) => line !== '');
    const below = this.children(path).flatMap((child) => this.processes(path === '' ? child : `${path}/${child}`));
    return [...own.map(Number), ...below];
  }

  write(path: string, attribute: string, value: string): void {
    const file = `${this.#at(path)}/${attribute}`;
    // Without O_CREAT: a file that the kernel does not offer is ENOENT, and the write itself tells EINVAL and the like.
    attempt(file, () => writeFileSync(file, value, { flag: 'r+' }));
  }

  read(path: string, attribute: string): string | undefined {
    const file = `${this.#at(path)}/${attribute}`;
    return unless(GONE, file, () => readFileSync(file, 'utf8'));
  }

  children(path: string): string[] {
    if (!this.available) return [];
    const directory = this.#at(path);
    const entries = unless(GONE, directory, () => readdirSync(directory, { withFileTypes: true })) ?? [];
    return entries
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
      .sort();
  }

  /** Looked at again; told only if it is another level than before. */
  #changed(path: string, watched: Watched): void {
    if (this.#watched.get(path) !== watched) return;
    const populated = this.populated(path);
    if (populated === watched.populated) return;
    watched.populated = populated;
    this.#loop.post({ type: 'group', path, populated });
  }

  #at(path: string): string {
    if (!this.available) throw new HostError('EOPNOTSUPP', `control group ${path}: there are no control groups here`);
    if (path.split('/').includes('..')) throw new HostError('EINVAL', `control group ${path}`);
    return path === '' ? this.#root : `${this.#root}/${path}`;
  }
}

/** What /proc/PID/cgroup calls the directory `root`: its path below the mount point of the unified hierarchy; '' for the top. */
export function groupPrefix(root: string, mountinfo: string): string {
  let best = '';
  for (const line of mountinfo.split('\n')) {
    const fields = line.split(' ');
    const type = fields[fields.indexOf('-') + 1];
    const point = fields[4];
    if (type !== 'cgroup2' || point === undefined || !(root === point || root.startsWith(`${point}/`))) continue;
    if (point.length > best.length) best = point;
  }
  return root.slice(best.length).replace(/\/$/, '');
}
