/**
 * The checkpoint on disk: two preallocated files, of which one is current.
 *
 * `append` writes behind the current file's last record. `replace` writes the image into the other file and makes that one
 * current by a header of a higher generation, written last. So at every instant a reader finds one whole image with the records
 * after it, or a note that says why there is none. Room is reserved with the first image: a full disk cannot strike an append.
 * A lock that belongs to the open files, not to the process, keeps a second core out; it ends with the process.
 *
 * Nothing is followed and nobody else is believed: the directory and the files must be core's own, plain, with one name each and
 * writable to nobody else. What stands in the place of a file and is not that is removed by name and made anew; what cannot be
 * removed, or a directory that is somebody else's, counts as a disk that cannot be written to. A file that is there and cannot
 * be understood may have held the newest image, so the other one is not believed either. All of it is in the note of `load`.
 *
 * On a disk that has become read-only what is there is still read. Where an image cannot be written to the disk at all, two files in memory take the place of `a` and `b`; init keeps them, so that
 * the next core finds them. It is back on the disk after the next boot, when there is a new checkpoint in any case.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  type Stats,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { HostError, type StatePort } from '../ports.ts';
import { addon } from './addon.ts';
import {
  bytesNeeded,
  decodeHeader,
  decodeRecords,
  encodeHeader,
  encodeRecord,
  HEADER_BYTES,
  type Header,
  plainBootId,
  RECORD_OVERHEAD,
} from './checkpoint.ts';
import { attempt, codeOf, hostError } from './errors.ts';
import { OPEN_SAFELY, octal, whyNotOwn } from './own.ts';

export interface StateOptions {
  /** Where the files `a` and `b` live; made if missing. */
  readonly directory: string;
  /** As the kernel says it. A checkpoint of another boot is no state. */
  readonly bootId: string;
  /** Room reserved for each file with the first image. */
  readonly bytes: number;
  /** Only to look: nothing is made, locked, put right or written. */
  readonly readOnly?: boolean;
  /** Undefined: a disk that is full makes every image fail. */
  readonly memory?: StateMemory;
  /** How bytes are written; default: write(2) at a place. Tests cut it off. */
  readonly write?: (fd: number, bytes: Buffer, from: number, length: number, position: number) => number;
}

/** Where the checkpoint goes when the disk is full. */
export interface StateMemory {
  /** What an earlier core has moved there; the descriptors stay the lender's. */
  kept(): readonly [number, number] | undefined;
  /** Keep these from now on; they become the keeper's. Whatever is sent to init after this comes after it. */
  keep(files: readonly [number, number]): void;
  /** Say that it has moved, and why. */
  moved(why: string): void;
}

/** Room reserved in memory, where it costs what it takes. */
const MEMORY_BYTES = 256 * 1024;

/** What stat(2) counts in. */
const BLOCK_BYTES = 512;

/** The largest a file may grow to. */
const BYTES_MAX = 1024 * 1024 * 1024;
/** What is read of a file at first: as a rule there is no more. */
const READ_BYTES = 1024 * 1024;

type Slot = { readonly path: string; readonly fd: number };

export class NodeState implements StatePort {
  readonly #options: StateOptions;
  readonly #bootId: string;
  #files: readonly [Slot, Slot] | undefined;
  #slots: readonly [Slot, Slot] | undefined;
  #inMemory = false;
  /** Why it is not on the disk. */
  #fault = '';
  #current = 0;
  #generation = 0;
  #records = 0;
  #end = 0;
  #imageEnd = 0;
  #room = 0;
  /** What was found wrong when the files were opened, and was put right. */
  #notes: string[] = [];

  constructor(options: StateOptions) {
    this.#options = options;
    this.#bootId = plainBootId(options.bootId);
  }

  /** Where it is, if that is not on the disk; empty: all is well. */
  get trouble(): string {
    const why = this.#fault === '' ? '' : ` (${this.#fault})`;
    return this.#inMemory
      ? `${this.#options.directory} cannot be written to${why}; init keeps the checkpoint in memory`
      : '';
  }

  get appendedBytes(): number {
    return this.#end - this.#imageEnd;
  }

  /** Open and lock the files. Throws HostError EAGAIN if another core has them, and what open(2) says. */
  lock(): void {
    try {
      this.#openFiles();
    } catch (cause) {
      if (cause instanceof HostError) this.#fault = cause.message;
      throw cause;
    }
  }

  load(): ReturnType<StatePort['load']> {
    let slots: readonly [Slot, Slot];
    try {
      slots = this.#open();
    } catch (cause) {
      // Core runs on without a checkpoint on a disk that is read-only or broken, but never beside another core.
      if (!(cause instanceof HostError) || cause.code === 'EAGAIN') throw cause;
      return { image: undefined, records: [], note: cause.message };
    }
    // What keeps it off the disk is told by each core: it may be another thing than what had kept it off at first.
    if (this.#inMemory && this.#fault !== '') this.#notes = [this.#fault];
    const nothing = (note: string | undefined) => ({
      image: undefined,
      records: [],
      note: joined([...this.#notes, ...(note === undefined ? [] : [note])]),
    });
    const headers = slots.map((slot) => decodeHeader(readAt(slot, 0, HEADER_BYTES)));
    const found = headers
      .map((header, at) => ({ header, at }))
      .filter((one): one is { header: Header; at: number } => typeof one.header !== 'string');
    // A generation is never given twice, not even after a file of it was voided or came from another boot.
    this.#generation = Math.max(0, ...found.map((one) => one.header.generation));
    const newest = found.find((one) => one.header.generation === this.#generation);
    const faults = slots.flatMap((slot, at) => {
      const header = headers[at];
      if (typeof header !== 'string') return [];
      // Room for both is made with the first image: a file without any has lost what it held.
      const lost = newest !== undefined && fstatSync(slot.fd).size < HEADER_BYTES;
      return header === 'empty' && !lost ? [] : [`${slot.path}: ${lost ? 'it has lost what it held' : header}`];
    });
    if (newest === undefined || faults.length > 0) {
      const other = newest === undefined ? [] : ['the other file may be older, and is not believed'];
      return nothing(joined([...faults, ...other]));
    }
    const slot = slots[newest.at] as Slot;
    if (newest.header.isVoid) return nothing(`${slot.path}: made void by the core that wrote it`);
    if (newest.header.bootId !== this.#bootId) return nothing(`${slot.path}: from another boot`);
    const { size } = fstatSync(slot.fd);
    const bytes = readRecords(slot, size);
    const { texts, end, torn } = decodeRecords(bytes, newest.header.generation);
    const [image, ...records] = texts;
    if (image === undefined) return nothing(`${slot.path}: ${torn ?? 'it holds no image'}`);
    this.#current = newest.at;
    this.#records = texts.length;
    this.#end = end;
    this.#imageEnd = HEADER_BYTES + RECORD_OVERHEAD + Buffer.byteLength(image);
    this.#room = size;
    return {
      image,
      records,
      note: joined([
        ...this.#notes,
        ...(torn === undefined ? [] : [`${slot.path}: ${torn}; what came before it is used`]),
      ]),
    };
  }

  append(record: string): void {
    const slot = this.#open()[this.#current] as Slot;
    if (this.#records === 0) throw new HostError('EINVAL', `${slot.path}: there is no image to append to`);
    const bytes = encodeRecord(record, this.#generation, this.#records);
    if (this.#end + bytes.length > this.#room)
      throw new HostError('ENOSPC', `${slot.path}: ${bytes.length} bytes more than its room of ${this.#room}`);
    this.#writeAt(slot, bytes, this.#end);
    this.#records += 1;
    this.#end += bytes.length - RECORD_OVERHEAD;
  }

  replace(image: string, records: readonly string[] = []): void {
    try {
      this.#write(this.#open(), image, records);
    } catch (cause) {
      if (!(cause instanceof HostError) || this.#options.memory === undefined || this.#inMemory) throw cause;
      this.#moveToMemory(this.#options.memory, image, records, cause.message);
    }
  }

  /** Whole before init has it, kept before anything else is sent: at no instant is there less than there was. */
  #moveToMemory(memory: StateMemory, image: string, records: readonly string[], why: string): void {
    const before = this.#slots;
    const place = { current: this.#current, records: this.#records };
    const files = attempt(
      'a checkpoint in memory',
      () => [addon.memoryFile('state:a'), addon.memoryFile('state:b')] as const,
    );
    let given = false;
    try {
      this.#inMemory = true;
      this.#current = 0;
      this.#records = 0;
      this.#slots = memorySlots(files);
      this.#write(this.#slots, image, records);
      given = true;
      memory.keep(files);
    } catch (cause) {
      this.#inMemory = false;
      this.#slots = before;
      this.#current = place.current;
      this.#records = place.records;
      if (!given) for (const fd of files) closeSync(fd);
      throw cause;
    }
    this.#fault = why;
    memory.moved(why);
  }

  #write(slots: readonly [Slot, Slot], image: string, records: readonly string[]): void {
    const at = this.#records === 0 ? this.#current : 1 - this.#current;
    const slot = slots[at] as Slot;
    const generation = this.#generation + 1;
    const pieces = [image, ...records].map((text, index) => encodeRecord(text, generation, index));
    const marks = pieces.length - 1;
    // Only behind the last one is there an end mark.
    const bytes = Buffer.concat(pieces.map((piece, at) => (at < marks ? piece.subarray(0, -RECORD_OVERHEAD) : piece)));
    const room = this.#reserve(slot, HEADER_BYTES + bytes.length);
    // The other file's room as well, so that the next replacement cannot fail for want of it.
    this.#reserve(slots[1 - at] as Slot, HEADER_BYTES + bytes.length);
    // Where nothing was believed, nothing that stands in the other file is to be believed later.
    if (this.#records === 0) this.#writeAt(slots[1 - at] as Slot, Buffer.alloc(HEADER_BYTES), 0);
    // The header goes first, so that no reader takes new records for those of the old generation, and comes back last.
    this.#writeAt(slot, Buffer.alloc(HEADER_BYTES), 0);
    this.#writeAt(slot, bytes, HEADER_BYTES);
    // Its first byte by itself, after all others: however the writing of it is cut off, until then it is no header at all.
    const header = encodeHeader({ generation, bootId: this.#bootId, isVoid: false });
    this.#writeAt(slot, header.subarray(1), 1);
    this.#writeAt(slot, header.subarray(0, 1), 0);
    this.#current = at;
    this.#generation = generation;
    this.#records = pieces.length;
    this.#end = HEADER_BYTES + bytes.length - RECORD_OVERHEAD;
    this.#imageEnd = HEADER_BYTES + (pieces[0] as Buffer).length - RECORD_OVERHEAD;
    this.#room = room;
  }

  makeVoid(): void {
    // Both files: the older one is even less to be believed. One that is empty holds nothing to be believed, and may have no room.
    const generation = this.#generation + 1;
    for (const slot of this.#open()) {
      if (fstatSync(slot.fd).size > 0)
        this.#writeAt(slot, encodeHeader({ generation, bootId: this.#bootId, isVoid: true }), 0);
    }
    this.#generation = generation;
    this.#records = 0;
  }

  /** Room for four times the image at least: records are folded into a new one beyond twice its size. Doubled from the configured size. */
  #reserve(slot: Slot, needed: number): number {
    let room = Math.max(this.#inMemory ? MEMORY_BYTES : this.#options.bytes, 2 * HEADER_BYTES);
    while (room < 4 * needed && room < BYTES_MAX) room *= 2;
    if (room < needed) throw new HostError('EFBIG', `${slot.path}: an image of ${needed} bytes`);
    const { size, blocks } = fstatSync(slot.fd);
    // Of a size is not enough: what somebody has made sparse has no room.
    if (size < room || blocks * BLOCK_BYTES < room) attempt(slot.path, () => addon.allocate(slot.fd, room));
    return Math.max(size, room);
  }

  #open(): readonly [Slot, Slot] {
    if (this.#slots !== undefined) return this.#slots;
    const kept = this.#options.memory?.kept();
    this.#inMemory = kept !== undefined;
    this.#slots = kept === undefined ? this.#openFiles() : memorySlots(kept);
    return this.#slots;
  }

  #openFiles(): readonly [Slot, Slot] {
    if (this.#files !== undefined) return this.#files;
    const { directory, readOnly } = this.#options;
    if (readOnly === true) {
      const flags = constants.O_RDONLY | OPEN_SAFELY;
      const paths = [join(directory, 'a'), join(directory, 'b')] as const;
      const open = (path: string): Slot => ({ path, fd: attempt(path, () => openSync(path, flags)) });
      this.#files = [open(paths[0]), open(paths[1])];
      return this.#files;
    }
    attempt(directory, () => mkdirSync(directory, { recursive: true, mode: 0o700 }));
    this.#notes = [];
    const opened: Slot[] = [];
    const inside = openDirectory(directory);
    try {
      this.#ownDirectory(inside);
      for (const name of ['a', 'b'])
        opened.push(this.#openOne(`/proc/self/fd/${inside}/${name}`, join(directory, name)));
    } catch (cause) {
      for (const slot of opened) closeSync(slot.fd);
      throw cause;
    } finally {
      closeSync(inside);
    }
    this.#files = opened as unknown as readonly [Slot, Slot];
    return this.#files;
  }

  #ownDirectory(fd: number): void {
    const { directory } = this.#options;
    const { uid, mode } = attempt(directory, () => fstatSync(fd));
    if (uid !== process.geteuid?.()) throw new HostError('EPERM', `${directory}: belongs to uid ${uid}, not to core`);
    if ((mode & 0o7777) === 0o700) return;
    attempt(directory, () => fchmodSync(fd, 0o700));
    this.#notes.push(`${directory}: its permissions were ${octal(mode)}; now 0700`);
  }

  /** @param at its place below the open directory, so that nobody can move another one under it */
  #openOne(at: string, path: string): Slot {
    const flags = constants.O_RDWR | constants.O_CREAT | OPEN_SAFELY;
    let fd: number | undefined;
    let fault: string | undefined;
    try {
      fd = openSync(at, flags, 0o600);
      fault = whyNoSlot(fstatSync(fd));
    } catch (cause) {
      const code = codeOf(cause) ?? '';
      if (code === 'EROFS') return this.#openToRead(at, path);
      if (!(code in OPEN_FAULTS)) throw hostError(cause, path);
      fault = OPEN_FAULTS[code];
    }
    if (fault !== undefined || fd === undefined) {
      if (fd !== undefined) closeSync(fd);
      // By its name: what a link leads to is not touched.
      attempt(path, () => unlinkSync(at));
      this.#notes.push(`${path}: ${fault}; not believed, but removed and made anew`);
      fd = attempt(path, () => openSync(at, flags | constants.O_EXCL, 0o600));
    }
    return this.#owned(fd, path);
  }

  /** What was written before the disk became read-only is as good as ever; the next image goes elsewhere. */
  #openToRead(at: string, path: string): Slot {
    const fd = attempt(path, () => openSync(at, constants.O_RDONLY | OPEN_SAFELY));
    const fault = whyNoSlot(fstatSync(fd));
    if (fault === undefined) {
      this.#notes.push(`${path}: on a read-only file system`);
      return { path, fd };
    }
    closeSync(fd);
    throw new HostError('EROFS', `${path}: ${fault}, and cannot be removed`);
  }

  #owned(fd: number, path: string): Slot {
    try {
      return attempt(path, () => {
        const { mode } = fstatSync(fd);
        if ((mode & 0o7777) !== 0o600) {
          fchmodSync(fd, 0o600);
          this.#notes.push(`${path}: its permissions were ${octal(mode)}; now 0600`);
        }
        if (!addon.lockFile(fd)) throw new HostError('EAGAIN', `${path}: another core has it; stop that one first`);
        return { path, fd };
      });
    } catch (cause) {
      closeSync(fd);
      throw cause;
    }
  }

  /** Let go of files and lock; for tests, which run more than one in a process. */
  close(): void {
    for (const slot of this.#files ?? []) closeSync(slot.fd);
    this.#files = undefined;
    this.#slots = undefined;
  }

  #writeAt(slot: Slot, bytes: Buffer, position: number): void {
    const write = this.#options.write ?? writeSync;
    attempt(slot.path, () => {
      let done = 0;
      // One write as a rule; a signal or a full disk can cut it short, and then the rest says which.
      while (done < bytes.length) done += write(slot.fd, bytes, done, bytes.length - done, position + done);
    });
  }
}

function openDirectory(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (cause) {
    const code = codeOf(cause);
    if (code !== 'ELOOP' && code !== 'ENOTDIR') throw hostError(cause, path);
    throw new HostError(code, `${path}: not a directory itself; a symbolic link is not followed`, cause);
  }
}

/** open(2) with these has found something that is no file of ours. */
const OPEN_FAULTS: Readonly<Record<string, string>> = {
  ELOOP: 'a symbolic link, which is not followed',
  EACCES: 'it may not be opened',
  EISDIR: 'a directory',
  ENXIO: 'a socket or a device',
  ENODEV: 'a device',
};

function whyNoSlot(found: Stats): string | undefined {
  return (
    whyNotOwn(found) ?? (found.size > BYTES_MAX ? `of ${found.size} bytes, more than core ever writes` : undefined)
  );
}

const joined = (notes: readonly string[]): string | undefined => (notes.length === 0 ? undefined : notes.join('; '));

const memorySlots = ([a, b]: readonly [number, number]): readonly [Slot, Slot] => [
  { path: 'state:a', fd: a },
  { path: 'state:b', fd: b },
];

/** All that belongs to records, and not much more: the file may be sparse and of any size. */
function readRecords(slot: Slot, size: number): Buffer {
  let bytes = readAt(slot, 0, Math.min(size, READ_BYTES));
  for (;;) {
    const needed = bytesNeeded(bytes, size);
    if (needed <= bytes.length) return bytes;
    const more = readAt(slot, bytes.length, Math.min(size, Math.max(needed, 2 * bytes.length)) - bytes.length);
    if (more.length === 0) return bytes; // it was cut meanwhile
    bytes = Buffer.concat([bytes, more]);
  }
}

function readAt(slot: Slot, position: number, length: number): Buffer {
  return attempt(slot.path, () => {
    const bytes = Buffer.alloc(length);
    let done = 0;
    while (done < length) {
      const count = readSync(slot.fd, bytes, done, length - done, position + done);
      if (count === 0) break;
      done += count;
    }
    return bytes.subarray(0, done);
  });
}
