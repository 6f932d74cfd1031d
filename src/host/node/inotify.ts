/** One inotify descriptor for all who watch files: the kernel keeps one watch an inode, so those are shared and counted here. */
import { addon, EPOLL } from './addon.ts';
import type { Loop } from './loop.ts';

/** Bits of inotify(7). */
export const IN = {
  modify: 0x2,
  attrib: 0x4,
  closeWrite: 0x8,
  movedFrom: 0x40,
  movedTo: 0x80,
  create: 0x100,
  delete: 0x200,
  deleteSelf: 0x400,
  moveSelf: 0x800,
  overflow: 0x4000,
  ignored: 0x8000,
  onlyDir: 0x100_0000,
  maskAdd: 0x2000_0000,
} as const;

/** `name` is the entry of a watched directory; after `ignored` the watch is gone. */
export type OnChange = (mask: number, name: string | undefined) => void;

export interface Subscription {
  readonly watch: number;
  readonly mask: number;
  /** The one entry of the directory that matters; undefined: all of them, or it is no directory. */
  readonly entry: string | undefined;
  readonly onChange: OnChange;
}

/** All who watch one inode. Thousands may watch a directory, each for one entry of it: those are found by its name. */
class Watchers {
  readonly #all = new Set<Subscription>();
  readonly #byEntry = new Map<string | undefined, Set<Subscription>>();

  get size(): number {
    return this.#all.size;
  }

  add(one: Subscription): void {
    this.#all.add(one);
    const same = this.#byEntry.get(one.entry);
    if (same === undefined) this.#byEntry.set(one.entry, new Set([one]));
    else same.add(one);
  }

  /** False: it was not there. */
  delete(one: Subscription): boolean {
    if (!this.#all.delete(one)) return false;
    const same = this.#byEntry.get(one.entry);
    same?.delete(one);
    if (same?.size === 0) this.#byEntry.delete(one.entry);
    return true;
  }

  all(): readonly Subscription[] {
    return [...this.#all];
  }

  of(entry: string | undefined): readonly Subscription[] {
    if (entry === undefined) return this.all();
    return [...(this.#byEntry.get(undefined) ?? []), ...(this.#byEntry.get(entry) ?? [])];
  }
}

export class Inotify {
  readonly #fd = addon.inotifyCreate();
  readonly #subscriptions = new Map<number, Watchers>();
  /** Watches of directories by what was asked for: thousands ask for the one that their groups are in. See {@link add}. */
  readonly #directories = new Map<string, number>();

  constructor(loop: Loop) {
    loop.add(this.#fd, EPOLL.in, () => this.#read());
  }

  /**
   * Throws the addon's error (ENOENT, EACCES, ENOSPC for too many watches).
   *
   * A directory that is watched is not looked at again until something is read: whoever makes another one in its place is told of
   * by the directory above, and only those who watch that as well may ask for `entry`.
   *
   * @param entry tell of changes of this entry of a directory only, and when the watch is gone
   */
  add(path: string, mask: number, onChange: OnChange, entry?: string): Subscription {
    const shared = entry === undefined ? undefined : `${mask} ${path}`;
    const known = shared === undefined ? undefined : this.#directories.get(shared);
    const watch = known ?? addon.inotifyAdd(this.#fd, path, mask | IN.maskAdd);
    if (shared !== undefined) this.#directories.set(shared, watch);
    const subscription: Subscription = { watch, mask, entry, onChange };
    let watchers = this.#subscriptions.get(watch);
    if (watchers === undefined) {
      watchers = new Watchers();
      this.#subscriptions.set(watch, watchers);
    }
    watchers.add(subscription);
    return subscription;
  }

  /** Removing twice is no error. */
  remove(subscription: Subscription): void {
    const all = this.#subscriptions.get(subscription.watch);
    if (all === undefined || !all.delete(subscription) || all.size > 0) return;
    this.#directories.clear();
    this.#subscriptions.delete(subscription.watch);
    addon.inotifyRemove(this.#fd, subscription.watch);
  }

  #read(): void {
    this.#directories.clear();
    for (const change of addon.inotifyRead(this.#fd, 256)) {
      if ((change.mask & IN.overflow) !== 0) {
        // Changes were lost: everybody looks again.
        for (const watchers of [...this.#subscriptions.values()])
          for (const one of watchers.all()) one.onChange(IN.overflow, undefined);
        continue;
      }
      const watchers = this.#subscriptions.get(change.watch);
      if (watchers === undefined) continue;
      const ignored = (change.mask & IN.ignored) !== 0;
      if (ignored) this.#subscriptions.delete(change.watch);
      for (const one of ignored ? watchers.all() : watchers.of(change.name)) {
        if ((change.mask & (one.mask | IN.ignored)) !== 0) one.onChange(change.mask, change.name);
      }
    }
  }
}
