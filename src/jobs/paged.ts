/**
 * A dictionary that is plain JSON, never changes, and is cheap to derive from: names are spread over a fixed number of
 * pages by a hash, and a new version shares every page that was not touched. Ten thousand jobs cost a copy of about
 * eighty entries for a change, not of ten thousand; and what changed between two versions is found page by page.
 *
 * The hash decides where an entry lies and nothing else: whoever lists entries gets them sorted.
 */

const PAGES = 128;

type Page<V> = Readonly<Record<string, V>>;

/** Pages by hash; at most {@link PAGES}, missing ones are empty. Never changed in place. */
export interface Paged<V> {
  readonly size: number;
  readonly pages: readonly Page<V>[];
}

const EMPTY_PAGE: Page<never> = Object.freeze({});
export const EMPTY: Paged<never> = Object.freeze({ size: 0, pages: new Array<Page<never>>(PAGES).fill(EMPTY_PAGE) });

function pageOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return (hash ^ (hash >>> 15)) & (PAGES - 1);
}

export function get<V>(paged: Paged<V>, key: string): V | undefined {
  const page = paged.pages[pageOf(key)];
  return page !== undefined && Object.hasOwn(page, key) ? page[key] : undefined;
}

/** All entries, sorted by key (code units). */
export function entries<V>(paged: Paged<V>): [string, V][] {
  return paged.pages.flatMap((page) => Object.entries(page)).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

export function fromEntries<V>(pairs: Iterable<readonly [string, V]>): Paged<V> {
  const draft = new Draft<V>(EMPTY);
  for (const [key, value] of pairs) draft.set(key, value);
  return draft.done();
}

/** A version in the making. The one it came from stays as it is. */
export class Draft<V> {
  #pages: Page<V>[] | undefined;
  readonly #from: Paged<V>;
  readonly #own = new Set<number>();
  #size: number;

  constructor(from: Paged<V>) {
    this.#from = from;
    this.#size = from.size;
  }

  /** Nothing was set or deleted. */
  get untouched(): boolean {
    return this.#pages === undefined;
  }

  get(key: string): V | undefined {
    const page = (this.#pages ?? this.#from.pages)[pageOf(key)];
    return page !== undefined && Object.hasOwn(page, key) ? page[key] : undefined;
  }

  set(key: string, value: V): void {
    const page = this.#writable(key);
    if (!Object.hasOwn(page, key)) this.#size += 1;
    page[key] = value;
  }

  delete(key: string): void {
    if (this.get(key) === undefined) return;
    delete this.#writable(key)[key];
    this.#size -= 1;
  }

  /** The new version; the very same object where nothing was set or deleted. */
  done(): Paged<V> {
    if (this.#pages === undefined) return this.#from;
    const pages = this.#pages;
    this.#own.clear();
    this.#pages = pages.slice();
    return { size: this.#size, pages };
  }

  entries(): [string, V][] {
    return entries({ size: this.#size, pages: this.#pages ?? this.#from.pages });
  }

  #writable(key: string): Record<string, V> {
    this.#pages ??= this.#from.pages.slice();
    const at = pageOf(key);
    if (!this.#own.has(at)) {
      this.#own.add(at);
      this.#pages[at] = { ...this.#pages[at] };
    }
    return this.#pages[at] as Record<string, V>;
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
  for (let at = 0; at < PAGES; at += 1) {
    const [was, is] = [before.pages[at] ?? EMPTY_PAGE, after.pages[at] ?? EMPTY_PAGE];
    if (was === is) continue;
    for (const key of Object.keys(is)) if (was[key] !== is[key]) set[key] = is[key] as V;
    for (const key of Object.keys(was)) if (!Object.hasOwn(is, key)) gone.push(key);
  }
  return Object.keys(set).length + gone.length === 0 ? undefined : { set, gone: gone.sort() };
}
