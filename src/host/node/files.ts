/** Files that core itself may open, and the watches on their paths. */
import { availableParallelism } from 'node:os';
import type { FilePort } from '../ports.ts';
import { addon } from './addon.ts';
import type { Inotify } from './inotify.ts';
import type { Loop } from './loop.ts';
import { PathWatch } from './path-watch.ts';
import { PlainFiles } from './plain-files.ts';

type Ahead = InstanceType<typeof addon.ReadAhead>;

export class NodeFiles extends PlainFiles implements FilePort {
  readonly #loop: Loop;
  readonly #inotify: Inotify;
  readonly #watches = new Map<string, PathWatch>();
  #ahead: { readonly places: ReadonlyMap<string, number>; readonly texts: Ahead } | undefined;

  constructor(loop: Loop, inotify: Inotify) {
    super();
    this.#loop = loop;
    this.#inotify = inotify;
  }

  override readText(path: string): string | undefined {
    const place = this.#ahead?.places.get(path);
    const text = place === undefined ? null : this.#ahead?.texts.text(place);
    return text ?? super.readText(path);
  }

  /** Worth a thread where it has a processor of its own. */
  readAhead(paths: readonly string[]): void {
    this.#ahead?.texts.end();
    this.#ahead = undefined;
    if (paths.length === 0 || availableParallelism() === 1) return;
    this.#ahead = { places: new Map(paths.map((path, at) => [path, at])), texts: new addon.ReadAhead(paths) };
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
