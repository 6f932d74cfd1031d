/** Files that core itself may open, and the watches on their paths. */
import type { FilePort } from '../ports.ts';
import type { Inotify } from './inotify.ts';
import type { Loop } from './loop.ts';
import { PathWatch } from './path-watch.ts';
import { PlainFiles } from './plain-files.ts';

export class NodeFiles extends PlainFiles implements FilePort {
  readonly #loop: Loop;
  readonly #inotify: Inotify;
  readonly #watches = new Map<string, PathWatch>();

  constructor(loop: Loop, inotify: Inotify) {
    super();
    this.#loop = loop;
    this.#inotify = inotify;
  }

  watch(path: string): void {
    if (this.#watches.has(path)) return;
    this.#watches.set(path, new PathWatch(path, this.#inotify, () => this.#loop.post({ type: 'path', path })));
  }

  unwatch(path: string): void {
    this.#watches.get(path)?.close();
    this.#watches.delete(path);
  }
}
