/**
 * A dictionary that is plain JSON, never changes, and is cheap to derive from: names are spread over a fixed number of
 * pages by a hash, and a new version shares every page that was not touched. With ten thousand jobs a change copies
 * the list of pages and about ten entries, not ten thousand; and what changed between two versions is found page by page.
 *
 * The hash decides where an entry lies and nothing else: whoever lists entries gets them sorted. Pages are lists, not
 * objects: an engine copies a short list at once, but an object with names of its own slowly.
 */

const PAGES = 1024;

type Page<V> = readonly (readonly [key: string, value: V])[];

/** Always {@link PAGES} pages. Never changed in place. */
export interface Paged<V> {
  readonly size: number;
  readonly pages: readonly Page<V>[];
}

const EMPTY_PAGE: Page<never> = Object.freeze([]);
export const EMPTY: Paged<never> = Object.freeze({ size: 0, pages: new Array<Page<never>>(PAGES).fill(EMPTY_PAGE) });

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
  return find(paged.pages[pageOf(key)], key);
}

/** All entries, sorted by key (code units). */
export function entries<V>(paged: Paged<V>): (readonly [string, V])[] {
  return paged.pages.flat().sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

export function fromEntries<V>(pairs: Iterable<readonly [string, V]>): Paged<V> {
  const draft = new Draft<V>(EMPTY);
  for (const [key, value] of pairs) draft.set(key, value);
  return draft.done();
}

/** A version in the making. The one it came from stays as it is. */
export class Draft<V> {
  readonly #from: Paged<V>;
  #pages: Page<V>[] | undefined;
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
    return find((this.#pages ?? this.#from.pages)[pageOf(key)], key);
  }

  set(key: string, value: V): void {
    const at = pageOf(key);
    const pages = this.#writable();
    const page = [...(pages[at] ?? EMPTY_PAGE)];
    const place = page.findIndex((entry) => entry[0] === key);
    if (place < 0) this.#size += 1;
    page[place < 0 ? page.length : place] = [key, value];
    pages[at] = page;
  }

  delete(key: string): void {
    if (this.get(key) === undefined) return;
    const at = pageOf(key);
    const pages = this.#writable();
    pages[at] = (pages[at] ?? EMPTY_PAGE).filter((entry) => entry[0] !== key);
    this.#size -= 1;
  }

  /** The new version; the very same object where nothing was set or deleted. The draft must not be used any more. */
  done(): Paged<V> {
    return this.#pages === undefined ? this.#from : { size: this.#size, pages: this.#pages };
  }

  entries(): (readonly [string, V])[] {
    return entries({ size: this.#size, pages: this.#pages ?? this.#from.pages });
  }

  #writable(): Page<V>[] {
    this.#pages ??= this.#from.pages.slice();
    return this.#pages;
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
    for (const [key, value] of is) if (find(was, key) !== value) set[key] = value;
    for (const [key] of was) if (find(is, key) === undefined) gone.push(key);
  }
  return Object.keys(set).length + gone.length === 0 ? undefined : { set, gone: gone.sort() };
}
