/**
 * What path units watch (systemd.path(5)), on one inotify descriptor of their own.
 *
 * Setting a watch looks a path up, and that may hang: the helper does it, as it does the looking, and only then are the numbers of the
 * watches known here. What is noticed until then is kept for them, and what there is is looked at after that: no change falls between. A notice of the path itself is told as it
 * is; one of what leads to it makes the way be walked anew, and what there is be looked at again.
 */
import {
  type Answer,
  isMade,
  isOfChange,
  type PathEvent,
  type PathPort,
  type PathSeen,
  type WatchedPath,
} from '../ports.ts';
import { addon, EPOLL } from './addon.ts';
import type { NodeHelper } from './helper.ts';
import { IN } from './inotify.ts';
import type { Loop } from './loop.ts';

/** How long the file system may take for the paths of one unit. */
const ANSWER_MS = 10_000;
const CHANGES_MAX = 256;
/** Notices that are kept for watches whose numbers are not known yet; beyond that those are set once more. */
const KEPT_MAX = 4096;
/** It names something else now, or nothing. */
const MOVED = IN.ignored | IN.deleteSelf | IN.moveSelf;

/** One watch that the helper has set; see native/addon/src/watched.rs. */
interface SetWatch {
  readonly watch: number;
  readonly mask: number;
  readonly own: boolean;
  readonly entry: string | null;
}

interface Armed {
  readonly watches: readonly SetWatch[];
  readonly errno: string | null;
  readonly about: string;
}

/** A notice; see inotify(7). */
interface Change {
  readonly watch: number;
  readonly mask: number;
  readonly name?: string | undefined;
}

interface Subscription extends SetWatch {
  readonly of: Watched;
  /** Which of its paths. */
  readonly at: number;
}

/** What one unit watches. */
interface Watched {
  readonly name: string;
  readonly round: number;
  readonly specs: readonly WatchedPath[];
  makeDirectories: number | null;
  subscriptions: readonly Subscription[];
  /** The helper is asked. */
  busy: boolean;
  /** Of the notices that are kept the first one for it; undefined: its watches are known. */
  from: number | undefined;
  /** Something that leads to a path changed since. */
  stale: boolean;
  missed: boolean;
}

export class NodePaths implements PathPort {
  readonly #loop: Loop;
  readonly #helper: Pick<NodeHelper, 'ask'>;
  readonly #watched = new Map<string, Watched>();
  /** Their watches are being set. */
  readonly #arming = new Set<Watched>();
  /** By number of the watch. */
  readonly #subscriptions = new Map<number, Set<Subscription>>();
  /** Notices since the first of those asked to be watched whose watches are not known yet. */
  readonly #kept: Change[] = [];
  #inotify: number | undefined;

  constructor(loop: Loop, helper: Pick<NodeHelper, 'ask'>) {
    this.#loop = loop;
    this.#helper = helper;
  }

  watch(name: string, round: number, specs: readonly WatchedPath[], makeDirectories: number | null): void {
    this.unwatch(name);
    const state = { subscriptions: [], busy: false, from: undefined, stale: false, missed: true };
    const watched: Watched = { name, round, specs, makeDirectories, ...state };
    this.#watched.set(name, watched);
    this.#arm(watched);
  }

  unwatch(name: string): void {
    const watched = this.#watched.get(name);
    if (watched === undefined) return;
    this.#watched.delete(name);
    this.#disarm(watched.subscriptions);
    watched.subscriptions = [];
  }

  /** Made with the first path unit: most systems have none. */
  #descriptor(): number {
    if (this.#inotify === undefined) {
      this.#inotify = addon.inotifyCreate();
      this.#loop.add(this.#inotify, EPOLL.in, () => this.#read());
    }
    return this.#inotify;
  }

  #arm(watched: Watched): void {
    const { specs, makeDirectories } = watched;
    const inotify = this.#descriptor();
    const made =
      makeDirectories === null
        ? []
        : specs
            .filter(({ kind }) => isMade(kind))
            .map(({ path }) => ({ kind: 'make-directory', path, mode: makeDirectories }));
    const armed = specs.map(({ kind, path }) => ({ kind: 'arm', of: kind, path, inotify }));
    watched.makeDirectories = null; // once
    watched.from = this.#kept.length;
    this.#arming.add(watched);
    this.#ask(watched, [...made, ...armed], (answers) => {
      const noticed = this.#armed(watched);
      const all = answers.slice(made.length) as readonly Armed[];
      const set = all.flatMap(({ watches }, at) => watches.map((one) => ({ ...one, of: watched, at })));
      if (!this.#is(watched)) {
        this.#disarm(set);
        return;
      }
      this.#subscribe(set);
      for (const change of noticed) for (const one of set) if (one.watch === change.watch) this.#noticed(one, change);
      const before = watched.subscriptions;
      watched.subscriptions = set;
      this.#disarm(before);
      const fault = all.find(({ errno }) => errno !== null);
      if (fault === undefined) this.#look(watched);
      else this.#fail(watched, fault.errno as string, fault.about);
    });
  }

  #look(watched: Watched): void {
    const checks = watched.specs.map(({ kind, path }) => ({ kind: 'look', of: kind, path }));
    this.#ask(watched, checks, (answers) => {
      if (!this.#is(watched)) return;
      const { name, round, missed } = watched;
      watched.missed = false;
      this.#loop.post({ type: 'paths', name, round, missed, seen: answers as readonly PathSeen[] });
    });
  }

  #ask(watched: Watched, checks: readonly object[], then: (answers: readonly unknown[]) => void): void {
    watched.busy = true;
    this.#helper.ask(JSON.stringify({ checks }), ANSWER_MS, (answer: Answer) => {
      watched.busy = false;
      if (!('ok' in answer)) this.#armed(watched);
      if ('ok' in answer) then(JSON.parse(answer.ok) as unknown[]);
      else if (this.#is(watched)) this.#fail(watched, answer.error.errno, answer.error.why);
      this.#again(watched);
    });
  }

  /** Walk the way anew, once nothing else is asked about it. */
  #again(watched: Watched): void {
    if (!watched.stale || watched.busy || !this.#is(watched)) return;
    watched.stale = false;
    this.#arm(watched);
  }

  #is(watched: Watched): boolean {
    return this.#watched.get(watched.name) === watched;
  }

  #fail({ name, round }: Watched, errno: string, about: string): void {
    this.unwatch(name);
    this.#loop.post({ type: 'paths-failed', name, round, errno, about } satisfies PathEvent);
  }

  #subscribe(set: readonly Subscription[]): void {
    for (const one of set) {
      const same = this.#subscriptions.get(one.watch);
      if (same === undefined) this.#subscriptions.set(one.watch, new Set([one]));
      else same.add(one);
    }
  }

  #disarm(set: readonly Subscription[]): void {
    for (const one of set) {
      const all = this.#subscriptions.get(one.watch);
      all?.delete(one);
      if (all !== undefined && all.size > 0) continue;
      this.#subscriptions.delete(one.watch);
      addon.inotifyRemove(this.#descriptor(), one.watch);
      // Whoever is being armed may have been given the same one.
      for (const other of this.#arming) other.stale = true;
    }
  }

  /** Its watches are known, or never will be: what was noticed since they were asked for. */
  #armed(watched: Watched): readonly Change[] {
    if (watched.from === undefined) return [];
    // Of what was done until now all is noticed.
    watched.busy = true;
    this.#read();
    watched.busy = false;
    const noticed = this.#kept.slice(watched.from);
    watched.from = undefined;
    this.#arming.delete(watched);
    if (this.#arming.size === 0) this.#kept.length = 0;
    return noticed;
  }

  #read(): void {
    const changes = addon.inotifyRead(this.#descriptor(), CHANGES_MAX);
    for (const change of changes) {
      if ((change.mask & IN.overflow) !== 0) {
        for (const watched of this.#watched.values()) {
          watched.missed = true;
          watched.stale = true;
        }
        continue;
      }
      if (this.#arming.size > 0) this.#keep(change);
      const all = [...(this.#subscriptions.get(change.watch) ?? [])];
      if ((change.mask & IN.ignored) !== 0) this.#subscriptions.delete(change.watch);
      for (const one of all) this.#noticed(one, change);
    }
    if (changes.length > 0) for (const watched of this.#watched.values()) this.#again(watched);
  }

  #keep(change: Change): void {
    if (this.#kept.length < KEPT_MAX) {
      this.#kept.push(change);
      return;
    }
    for (const watched of this.#arming) {
      watched.stale = true;
      watched.missed = true;
    }
  }

  #noticed({ of, at, own, mask, entry }: Subscription, { mask: seen, name }: Change): void {
    if ((seen & (mask | IN.ignored)) === 0) return;
    if (entry !== null && name !== undefined && name !== entry) return;
    const spec = of.specs[at];
    if (own && spec !== undefined && isOfChange(spec.kind)) {
      this.#loop.post({ type: 'path-changed', name: of.name, round: of.round, at });
      if ((seen & MOVED) === 0) return;
    }
    of.stale = true;
  }
}
