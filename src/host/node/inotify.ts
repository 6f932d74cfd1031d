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
  readonly onChange: OnChange;
}

export class Inotify {
  readonly #fd = addon.inotifyCreate();
  readonly #subscriptions = new Map<number, Set<Subscription>>();

  constructor(loop: Loop) {
    loop.add(this.#fd, EPOLL.in, () => this.#read());
  }

  /** Throws the addon's error (ENOENT, EACCES, ENOSPC for too many watches). */
  add(path: string, mask: number, onChange: OnChange): Subscription {
    const watch = addon.inotifyAdd(this.#fd, path, mask | IN.maskAdd);
    const subscription: Subscription = { watch, mask, onChange };
    const others = this.#subscriptions.get(watch);
    if (others === undefined) this.#subscriptions.set(watch, new Set([subscription]));
    else others.add(subscription);
    return subscription;
  }

  /** Removing twice is no error. */
  remove(subscription: Subscription): void {
    const all = this.#subscriptions.get(subscription.watch);
    if (all === undefined || !all.delete(subscription) || all.size > 0) return;
    this.#subscriptions.delete(subscription.watch);
    addon.inotifyRemove(this.#fd, subscription.watch);
  }

  #read(): void {
    for (const change of addon.inotifyRead(this.#fd, 256)) {
      if ((change.mask & IN.overflow) !== 0) {
        // Changes were lost: everybody looks again.
        for (const all of [...this.#subscriptions.values()])
          for (const one of [...all]) one.onChange(IN.overflow, undefined);
        continue;
      }
      const all = this.#subscriptions.get(change.watch);
      if (all === undefined) continue;
      if ((change.mask & IN.ignored) !== 0) this.#subscriptions.delete(change.watch);
      for (const one of [...all]) {
        if ((change.mask & (one.mask | IN.ignored)) !== 0) one.onChange(change.mask, change.name);
      }
    }
  }
}
