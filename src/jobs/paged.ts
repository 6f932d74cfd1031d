/**
 * A dictionary that is plain JSON, never changes, and is cheap to derive from: names are spread over a fixed number of
 * pages by a hash, and a new version shares every page that was not touched. Pages lie in groups of {@link GROUP}. With ten
 * thousand jobs a change copies two short lists and about ten entries, not ten thousand; and what changed between two versions is
 * found in the groups and pages that they do not share.
 *
 * The hash decides where an entry lies and nothing else: whoever lists entries gets them sorted. Pages are lists, not
 * objects: an engine copies a short list at once, but an object with names of its own slowly.
 */

/** Pages of a group, and groups. */
const GROUP = 32;
const PAGES = GROUP * GROUP;

type Page<V> = readonly (readonly [key: string, value: V])[];

type Group<V> = readonly Page<V>[];

/** Always {@link PAGES} pages. Never changed in place. */
export interface Paged<V> {
  readonly size: number;
  readonly groups: readonly Group<V>[];
}

const EMPTY_PAGE: Page<never> = Object.freeze([]);
const EMPTY_GROUP: Group<never> = Object.freeze(new Array<Page<never>>(GROUP).fill(EMPTY_PAGE));
export const EMPTY: Paged<never> = Object.freeze({ size: 0, groups: new Array<Group<never>>(GROUP).fill(EMPTY_GROUP) });

/** FNV-1a, folded. */
function pageOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return (hash ^ (hash >>> 15)) & (PAGES - 1);
}

function find<V>(page: Page<V> | undefined, key: string): V | undefined {
  if (page === undefined) return undefined;
  for (const entry of page) if (entry[0] === key) return entry[1];
  return undefined;
}

export function get<V>(paged: Paged<V>, key: string): V | undefined {
  return find(pageIn(paged.groups, pageOf(key)), key);
}

const pageIn = <V>(groups: readonly Group<V>[], at: number): Page<V> =>
  groups[Math.floor(at / GROUP)]?.[at % GROUP] ?? EMPTY_PAGE;

/** All entries, sorted by key (code units). */
export function entries<V>(paged: Paged<V>): (readonly [string, V])[] {
  const all: (readonly [string, V])[] = [];
  for (const group of paged.groups) {
    if (group === EMPTY_GROUP) continue;
    for (const page of group) for (const entry of page) all.push(entry);
  }
  return all.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Its entries, page by page, for a text of it that is made piece by piece: nobody waits until thousands are sorted. */
export class Slowly<V> {
  readonly #paged: Paged<V>;

  constructor(paged: Paged<V>) {
    this.#paged = paged;
  }

  *jsonEntries(): Generator<readonly [string, V]> {
    for (const group of this.#paged.groups) if (group !== EMPTY_GROUP) for (const page of group) yield* page;
  }
}

export function fromEntries<V>(pairs: Iterable<readonly [string, V]>): Paged<V> {
  // Nobody has seen these pages yet, so they are filled in place.
  const made = new Map<number, (readonly [string, V])[]>();
  let size = 0;
  for (const pair of pairs) {
    const at = pageOf(pair[0]);
    const page = made.get(at);
    if (page === undefined) made.set(at, [pair]);
    const place = page?.findIndex(([key]) => key === pair[0]) ?? -1;
    if (place < 0) size += 1;
    if (page !== undefined) page[place < 0 ? page.length : place] = pair;
  }
  if (size === 0) return EMPTY;
  const groups = EMPTY.groups.map((group, number): Group<V> => {
    const pages = group.map((_, at) => made.get(number * GROUP + at) ?? EMPTY_PAGE);
    return pages.every((page) => page === EMPTY_PAGE) ? EMPTY_GROUP : pages;
  });
  return { size, groups };
}

/** A version in the making. The one it came from stays as it is. */
export class Draft<V> {
  readonly #from: Paged<V>;
  /** Its own list of groups, once something is set. */
  #groups: Group<V>[] | undefined;
  /** Groups that are its own, so that they may be changed in place. */
  readonly #own = new Map<number, Page<V>[]>();
  #size: number;

  constructor(from: Paged<V>) {
    this.#from = from;
    this.#size = from.size;
  }

  /** Nothing was set or deleted. */
  get untouched(): boolean {
    return this.#groups === undefined;
  }

  get(key: string): V | undefined {
    return find(pageIn(this.#groups ?? this.#from.groups, pageOf(key)), key);
  }

  set(key: string, value: V): void {
    const at = pageOf(key);
    const group = this.#writable(at);
    const page = [...(group[at % GROUP] ?? EMPTY_PAGE)];
    const place = page.findIndex((entry) => entry[0] === key);
    if (place < 0) this.#size += 1;
    page[place < 0 ? page.length : place] = [key, value];
    group[at % GROUP] = page;
  }

  delete(key: string): void {
    if (this.get(key) === undefined) return;
    const at = pageOf(key);
    const group = this.#writable(at);
    group[at % GROUP] = (group[at % GROUP] ?? EMPTY_PAGE).filter((entry) => entry[0] !== key);
    this.#size -= 1;
  }

  /** The new version; the very same object where nothing was set or deleted. The draft must not be used any more. */
  done(): Paged<V> {
    return this.#groups === undefined ? this.#from : { size: this.#size, groups: this.#groups };
  }

  entries(): (readonly [string, V])[] {
    return entries({ size: this.#size, groups: this.#groups ?? this.#from.groups });
  }

  #writable(at: number): Page<V>[] {
    this.#groups ??= this.#from.groups.slice();
    const number = Math.floor(at / GROUP);
    let group = this.#own.get(number);
    if (group === undefined) {
      group = [...(this.#groups[number] ?? EMPTY_GROUP)];
      this.#own.set(number, group);
      this.#groups[number] = group;
    }
    return group;
  }
}

/** What turns `before` into `after`: new values, and names that are gone. Plain JSON. */
export interface PagedDiff<V> {
  readonly set: Readonly<Record<string, V>>;
  readonly gone: readonly string[];
}

/** Undefined: they are the same. Looks only into pages that are not shared. */
export function diff<V>(before: Paged<V>, after: Paged<V>): PagedDiff<V> | undefined {
  if (before === after) return undefined;
  const set: Record<string, V> = {};
  const gone: string[] = [];
  // Counted, not iterated: as a rule nearly all of them are shared, and this is asked of each step.
  for (let number = 0; number < after.groups.length; number += 1) {
    const [former, group] = [before.groups[number] ?? EMPTY_GROUP, after.groups[number] ?? EMPTY_GROUP];
    if (former === group) continue;
    for (let at = 0; at < group.length; at += 1) {
      const [was, is] = [former[at] ?? EMPTY_PAGE, group[at] ?? EMPTY_PAGE];
      if (was === is) continue;
      for (const [key, value] of is) if (find(was, key) !== value) set[key] = value;
      for (const [key] of was) if (find(is, key) === undefined) gone.push(key);
    }
  }
  return Object.keys(set).length + gone.length === 0 ? undefined : { set, gone: gone.sort() };
}
