/**
 * Watches one control group by its path, whether it is there or not: `cgroup.events`, and every directory from the root down.
 *
 * The kernel says nothing on the inode of a group that is removed, only in the directory above (measured on 6.18). So a group
 * that goes and is made again, perhaps with its slice and perhaps by a helper, is seen only by those who watch all of the way.
 * Groups in one directory share its watch.
 */
import { unless } from './errors.ts';
import { IN, type Inotify, type OnChange, type Subscription } from './inotify.ts';

const DIRECTORY_MASK = IN.create | IN.delete | IN.onlyDir;
const GONE = ['ENOENT', 'ENODEV', 'ENOTDIR'];

export class GroupWatch {
  readonly #root: string;
  readonly #path: string;
  readonly #inotify: Inotify;
  readonly #tell: () => void;
  #subscriptions: readonly Subscription[] = [];

  /** @param tell called when the level may have changed; never before the constructor has returned */
  constructor(root: string, path: string, inotify: Inotify, tell: () => void) {
    this.#root = root;
    this.#path = path;
    this.#inotify = inotify;
    this.#tell = tell;
    this.#arm();
  }

  close(): void {
    for (const one of this.#subscriptions) this.#inotify.remove(one);
    this.#subscriptions = [];
  }

  /** From above to below: what is made after the directory above is watched is noticed there. */
  #arm(): void {
    const former = this.#subscriptions;
    const now: Subscription[] = [];
    const add = (path: string, mask: number, onChange: OnChange, entry?: string): boolean => {
      const one = unless(GONE, path, () => this.#inotify.add(path, mask, onChange, entry));
      if (one !== undefined) now.push(one);
      return one !== undefined;
    };
    let directory = this.#root;
    let there = true;
    for (const component of this.#path === '' ? [] : this.#path.split('/')) {
      there = add(directory, DIRECTORY_MASK, () => this.#again(), component);
      if (!there) break;
      directory = `${directory}/${component}`;
    }
    if (there) add(`${directory}/cgroup.events`, IN.modify, () => this.#tell());
    this.#subscriptions = now;
    // Only now, so that watches that go on are not taken away and made anew.
    for (const one of former) this.#inotify.remove(one);
  }

  #again(): void {
    if (this.#subscriptions.length === 0) return; // closed
    this.#arm();
    this.#tell();
  }
}
