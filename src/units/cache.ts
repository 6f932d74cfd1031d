/**
 * Units remembered: what was made of files that have not changed since is not made again.
 *
 * A unit is a pure function of what {@link Inputs} holds and of the world (machine facts, mount units that there are, unit path, our
 * own version). The unit path itself is scanned anew each time, so files and directories that come and go are always seen; what is
 * saved is reading, parsing and merging. A file counts as unchanged if device, inode, size, mtime and ctime are the same.
 *
 * **Never a wrong answer.** A file system's clock has ticks (2 s on FAT), so a file written twice within one tick may look the
 * same. Therefore a file is only believed where its stamps were at least {@link TICK_MS} old when it was looked at, before it was
 * read: whatever writes to it later gives it a later ctime, which no user can set back. Only who sets the clock back can, so all is
 * forgotten when the clock is set, which the kernel tells at once and the two clocks together tell later. Files that cannot be read, or whose stamps are not known, are never remembered. What
 * writes to a mapping of a file without a system call is not seen by stamps, here as in git(1).
 */
import { type FilePort, type FileStat, HostError } from '../host/ports.ts';
import type { Catalog, CatalogEntry, Found } from './catalog.ts';
import { type Blank, packUnit, readLines, unpackUnit, writeLines } from './packed.ts';
import type { Unit } from './types.ts';

/** The coarsest tick of a file system's clock, and the kernel's own. */
const TICK_MS = 2_100;
/** A clock that is off by more than this against the last time was set. Both clocks are slewed alike. */
const SET_MS = 1_000;
/** Scans for which a unit that nobody asks for is kept. */
const SCANS_KEPT = 4;

/** Two clocks: that of files, and one that nobody sets. */
export interface CacheClock {
  /** CLOCK_REALTIME in ms. */
  realMs(): number;
  /** CLOCK_BOOTTIME in ms. */
  bootMs(): number;
}

/** Where units are kept for the next start of core. */
export interface CacheFile {
  readonly path: string;
  /** Of the program, to the letter: what another one has made of a file is not believed. */
  readonly version: string;
  /** Told why what is there is not used. */
  readonly refused?: (why: string) => void;
}

/** What a unit is made of, besides the world. */
export interface Inputs {
  readonly entry: CatalogEntry | undefined;
  /** Names, drop-ins, links and whether it is enabled, as text; of most units it is empty. */
  readonly rest: string;
}

/** A unit and what it was made of; plain data but for the unit, see packed-unit.ts. */
export interface Remembered {
  readonly unit: Unit;
  readonly path: string;
  readonly kind: CatalogEntry['kind'] | 'none';
  readonly stamp: Stamp | undefined;
  readonly rest: string;
  /** Number of the scan that it was last asked for in. */
  scan: number;
}

/** What the header of the file says, and what stands in front of each unit in it. */
type About = readonly [world: string, clockOffsetMs: number];
type Key = readonly [name: string, path: string, kind: Remembered['kind'], rest: string, stamp?: Stamp];

export type Stamp = readonly [dev: number, ino: number, size: number, mtimeMs: number, ctimeMs: number];

const stampOf = ({ dev, ino, size, mtimeMs, ctimeMs }: FileStat): Stamp => [dev, ino, size, mtimeMs, ctimeMs ?? 0];

/** Old enough at `lookedMs` that a later change must show? */
function isSettled({ ino, mtimeMs, ctimeMs }: FileStat, lookedMs: number): boolean {
  return ctimeMs !== undefined && ctimeMs > 0 && ino !== 0 && Math.max(ctimeMs, mtimeMs) + TICK_MS < lookedMs;
}

const isSame = ({ dev, ino, size, mtimeMs, ctimeMs }: FileStat, stamp: Stamp): boolean =>
  stamp[4] === ctimeMs && stamp[1] === ino && stamp[2] === size && stamp[3] === mtimeMs && stamp[0] === dev;

export class UnitCache {
  readonly #files: FilePort;
  readonly #clock: CacheClock;
  #units = new Map<string, Remembered>();
  #world: string | undefined;
  #clockOffsetMs: number;
  #scan = 0;
  /** Files that were read since, as they were before that; undefined: not there, not known, or too new. */
  readonly #looked = new Map<string, FileStat | undefined>();
  /** When the last scan began, CLOCK_REALTIME ms. */
  #scannedMs = Number.NEGATIVE_INFINITY;

  /** Something is not in the file as it is. */
  #dirty = false;

  constructor(files: FilePort, clock: CacheClock) {
    this.#files = files;
    this.#clock = clock;
    this.#clockOffsetMs = clock.realMs() - clock.bootMs();
  }

  /** Take in what an earlier core has kept; before the first scan. A file that is not to be believed is left out. */
  restore({ path, version, refused }: CacheFile, blank: Blank): void {
    let read: ReturnType<typeof readLines>;
    try {
      read = readLines(this.#files.readOwn(path) ?? '', version);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      refused?.(error.message);
      return; // it is written anew
    }
    if (read === 'damaged') refused?.(`${path}: it is damaged, or none of ours`);
    if (read === undefined || read === 'damaged') return;
    const [world, clockOffsetMs] = read.about as About;
    if (Math.abs(clockOffsetMs - this.#clockOffsetMs) > SET_MS) return;
    this.#world = world;
    for (const line of read.lines) {
      const [key = '', head = '', body = ''] = line.split('\t');
      const [name, place, kind, rest, stamp] = JSON.parse(key) as Key;
      const unit = unpackUnit(head, body, blank);
      this.#units.set(name, { unit, path: place, kind, stamp, rest, scan: this.#scan });
    }
  }

  /** Write what the next core may want, if there is anything new. @throws HostError */
  save({ path, version }: CacheFile, blank: Blank): void {
    if (!this.#dirty || this.#world === undefined) return;
    this.#dirty = false;
    const lines: string[] = [];
    for (const [name, { unit, path: place, kind, rest, stamp }] of this.#units) {
      const key: Key = stamp === undefined ? [name, place, kind, rest] : [name, place, kind, rest, stamp];
      lines.push(`${JSON.stringify(key)}\t${packUnit(unit, blank)}`);
    }
    const about: About = [this.#world, this.#clockOffsetMs];
    this.#files.writeText(path, writeLines(version, about, lines), 0o600);
  }

  /** The unit path is about to be scanned. */
  scanning(): void {
    this.#checkClock();
    this.#scan += 1;
    this.#looked.clear();
    this.#scannedMs = this.#clock.realMs();
    for (const [name, { scan }] of this.#units) if (this.#scan - scan > SCANS_KEPT) this.#units.delete(name);
  }

  /** What all units depend on: with another one everything is forgotten. */
  inWorld(world: string): void {
    if (this.#world !== world) this.#units = new Map();
    this.#world = world;
  }

  /** Believe nothing any more: the clock of files was set. */
  forget(): void {
    this.#units = new Map();
    this.#scannedMs = Number.NEGATIVE_INFINITY;
    this.#looked.clear();
  }

  #checkClock(): void {
    const offsetMs = this.#clock.realMs() - this.#clock.bootMs();
    if (Math.abs(offsetMs - this.#clockOffsetMs) > SET_MS) this.forget();
    this.#clockOffsetMs = offsetMs;
  }

  /** Something is remembered of a unit of this name, whether it still holds or not. */
  has(name: string): boolean {
    return this.#units.has(name);
  }

  /** The unit as it was made before, if nothing that it was made of has changed. */
  get({ name }: Found, { entry, rest }: Inputs): Unit | undefined {
    const known = this.#units.get(name);
    if (known === undefined || known.rest !== rest || known.kind !== (entry?.kind ?? 'none')) return undefined;
    if (known.path !== (entry?.path ?? '')) return undefined;
    if (known.stamp !== undefined && (entry?.stat === undefined || !isSame(entry.stat, known.stamp))) return undefined;
    known.scan = this.#scan;
    return known.unit;
  }

  /** Remember a unit that was made of these; `inputs` must have been taken before anything was read. */
  put({ name }: Found, { entry, rest }: Inputs, unit: Unit): void {
    this.#units.delete(name);
    if (rest === UNSETTLED) return;
    let stamp: Stamp | undefined;
    if (entry !== undefined && entry.kind !== 'masked') {
      if (entry.stat === undefined || !isSettled(entry.stat, this.#scannedMs)) return;
      stamp = stampOf(entry.stat);
    }
    const { path = '', kind = 'none' } = entry ?? {};
    this.#units.set(name, { unit, path, kind, stamp, rest, scan: this.#scan });
    this.#dirty = true;
  }

  /**
   * A file's stamps, if they can be believed. To be called before it is read for the first time after a scan: the answer
   * stays the same until the next one, as does what was read.
   */
  look(path: string): FileStat | undefined {
    if (this.#looked.has(path)) return this.#looked.get(path);
    const lookedMs = this.#clock.realMs();
    let stat: FileStat | undefined;
    try {
      stat = this.#files.stat(path);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
    }
    // A device is what it is: only the null device is read as a unit file, and it is empty.
    if (stat?.kind === 'file' && !isSettled(stat, lookedMs)) stat = undefined;
    this.#looked.set(path, stat);
    return stat;
  }

  /** The file is to be looked at, and read, once more. */
  lookAgain(path: string): void {
    this.#looked.delete(path);
  }

  /** What the unit of a name that was found is made of now. */
  inputs(catalog: Catalog, found: Found, isEnabled: string): Inputs {
    const { entry, names } = found;
    if (!catalog.hasDirectories(names)) {
      const plain = names.length < 2 && isEnabled === '';
      return { entry, rest: plain ? '' : JSON.stringify([names, isEnabled]) };
    }
    const dropIns: unknown[] = [];
    for (const path of catalog.dropIns(names)) {
      const stat = this.look(path);
      if (stat === undefined) return { entry, rest: UNSETTLED };
      dropIns.push(path, stat.kind, ...stampOf(stat));
    }
    const links = (['.wants', '.requires', '.upholds'] as const).map((suffix) => catalog.links(names, suffix));
    return { entry, rest: JSON.stringify([names, isEnabled, dropIns, links]) };
  }
}

/** Stands for inputs that are like no others, not even themselves a moment later. */
const UNSETTLED = '?';
