/**
 * Watches one path, which may not exist yet: the file itself if it is there, and the nearest directory above that is.
 *
 * Every notice in the directory that concerns the path's next component makes the watch walk down again. It tells when the path
 * appears, changes, is replaced or goes; and once at first if it is there already, so that nothing can be missed between a
 * caller's look and its watch.
 */
import { dirname } from 'node:path';
import { unless } from './errors.ts';
import { IN, type Inotify, type Subscription } from './inotify.ts';

const FILE_MASK =
  IN.modify |
  IN.closeWrite |
  IN.attrib |
  IN.create |
  IN.delete |
  IN.movedFrom |
  IN.movedTo |
  IN.deleteSelf |
  IN.moveSelf;
const DIRECTORY_MASK = IN.create | IN.movedTo | IN.movedFrom | IN.delete | IN.deleteSelf | IN.moveSelf | IN.onlyDir;
/** The watch is no longer on what the path names, or nobody knows. */
const MOVED = IN.ignored | IN.deleteSelf | IN.moveSelf | IN.overflow;
/** EACCES: a directory that may not be watched is passed over, as is one that is none. */
const PASSED = ['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP'];
/** How often a walk starts anew because the tree changed under it. */
const WALKS_MAX = 8;

export class PathWatch {
  readonly #path: string;
  readonly #inotify: Inotify;
  readonly #tell: () => void;
  #file: Subscription | undefined;
  #above: Subscription | undefined;
  #closed = false;

  constructor(path: string, inotify: Inotify, tell: () => void) {
    this.#path = path;
    this.#inotify = inotify;
    this.#tell = tell;
    this.#arm();
    if (this.#file !== undefined) this.#tell();
  }

  close(): void {
    this.#closed = true;
    this.#disarm();
  }

  #disarm(): void {
    if (this.#file !== undefined) this.#inotify.remove(this.#file);
    if (this.#above !== undefined) this.#inotify.remove(this.#above);
    this.#file = undefined;
    this.#above = undefined;
  }

  #arm(): void {
    for (let walk = 0; walk < WALKS_MAX; walk += 1) {
      this.#disarm();
      this.#file = this.#subscribe(this.#path, FILE_MASK, (mask) => {
        if ((mask & MOVED) === 0) this.#tell();
        else this.#changed(true);
      });
      let below = this.#path;
      let missing = this.#file === undefined ? this.#path : undefined;
      while (below !== dirname(below)) {
        const above = dirname(below);
        const entry = below.slice(above === '/' ? 1 : above.length + 1);
        this.#above = this.#subscribe(above, DIRECTORY_MASK, (mask, name) => {
          if (name === undefined || name === entry)
            this.#changed((mask & (IN.ignored | IN.deleteSelf | IN.moveSelf)) === 0 && above === dirname(this.#path));
        });
        if (this.#above !== undefined) break;
        missing = above;
        below = above;
      }
      // Did the first missing component come while the directory above it was not watched yet?
      if (missing === undefined || this.#subscribeOnce(missing) === false) return;
    }
  }

  #subscribe(
    path: string,
    mask: number,
    onChange: (mask: number, name: string | undefined) => void,
  ): Subscription | undefined {
    return unless(PASSED, path, () => this.#inotify.add(path, mask, onChange));
  }

  /** Is it there, as far as a watch on it goes? */
  #subscribeOnce(path: string): boolean {
    const probe = this.#subscribe(path, IN.attrib, () => undefined);
    if (probe !== undefined) this.#inotify.remove(probe);
    return probe !== undefined;
  }

  #changed(tell: boolean): void {
    if (this.#closed) return;
    const before = this.#file !== undefined;
    this.#arm();
    const after = this.#file !== undefined;
    if (tell || before !== after) this.#tell();
  }
}
