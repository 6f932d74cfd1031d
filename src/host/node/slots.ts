/**
 * The two files of a checkpoint, opened and locked, and the room they have.
 *
 * Nothing is followed and nobody else is believed: the directory and the files must be core's own, plain, with one name each and
 * writable to nobody else. What stands in the place of a file and is not that is removed by name and made anew; what cannot be
 * removed, or a directory that is somebody else's, counts as a disk that cannot be written to.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  type Stats,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { octal } from '../own-directory.ts';
import { HostError } from '../ports.ts';
import { addon } from './addon.ts';
import { bytesNeeded } from './checkpoint.ts';
import { attempt, codeOf, hostError } from './errors.ts';
import { OPEN_SAFELY, whyNotOwn } from './own.ts';

/** The largest a file may grow to. */
export const BYTES_MAX = 1024 * 1024 * 1024;
/** What is read of a file at first: as a rule there is no more. */
const READ_BYTES = 1024 * 1024;
/** What stat(2) counts in. */
const BLOCK_BYTES = 512;

export type Slot = { readonly path: string; readonly fd: number };
export type Both = readonly [Slot, Slot];

/** How bytes are written: write(2) at a place. */
export type Write = (fd: number, bytes: Buffer, from: number, length: number, position: number) => number;

export class Slots {
  readonly #directory: string;
  readonly #readOnly: boolean;
  #files: Both | undefined;
  /** What was found wrong when the files were opened, and was put right. */
  notes: readonly string[] = [];

  constructor(directory: string, readOnly: boolean) {
    this.#directory = directory;
    this.#readOnly = readOnly;
  }

  /** Open and locked, if they are not yet. Throws HostError EAGAIN if another core has them, and what open(2) says. */
  open(): Both {
    if (this.#files !== undefined) return this.#files;
    const directory = this.#directory;
    if (this.#readOnly) {
      const flags = constants.O_RDONLY | OPEN_SAFELY;
      const paths = [join(directory, 'a'), join(directory, 'b')] as const;
      const open = (path: string): Slot => ({ path, fd: attempt(path, () => openSync(path, flags)) });
      this.#files = [open(paths[0]), open(paths[1])];
      return this.#files;
    }
    attempt(directory, () => mkdirSync(directory, { recursive: true, mode: 0o700 }));
    const notes: string[] = [];
    this.notes = notes;
    const opened: Slot[] = [];
    const inside = openDirectory(directory);
    try {
      this.#ownDirectory(inside, notes);
      for (const name of ['a', 'b'])
        opened.push(openOne(`/proc/self/fd/${inside}/${name}`, join(directory, name), notes));
    } catch (cause) {
      for (const slot of opened) closeSync(slot.fd);
      throw cause;
    } finally {
      closeSync(inside);
    }
    this.#files = opened as unknown as Both;
    return this.#files;
  }

  #ownDirectory(fd: number, notes: string[]): void {
    const directory = this.#directory;
    const { uid, mode } = attempt(directory, () => fstatSync(fd));
    if (uid !== process.geteuid?.()) throw new HostError('EPERM', `${directory}: belongs to uid ${uid}, not to core`);
    if ((mode & 0o7777) === 0o700) return;
    attempt(directory, () => fchmodSync(fd, 0o700));
    notes.push(`${directory}: its permissions were ${octal(mode)}; now 0700`);
  }

  /** Let go of files and lock. */
  close(): void {
    for (const slot of this.#files ?? []) closeSync(slot.fd);
    this.#files = undefined;
  }
}

/** @param at its place below the open directory, so that nobody can move another one under it */
function openOne(at: string, path: string, notes: string[]): Slot {
  const flags = constants.O_RDWR | constants.O_CREAT | OPEN_SAFELY;
  let fd: number | undefined;
  let fault: string | undefined;
  try {
    fd = openSync(at, flags, 0o600);
    fault = whyNoSlot(fstatSync(fd));
  } catch (cause) {
    const code = codeOf(cause) ?? '';
    if (code in READ_ONLY) return openToRead(at, path, code, notes);
    if (!(code in OPEN_FAULTS)) throw hostError(cause, path);
    fault = OPEN_FAULTS[code];
  }
  if (fault !== undefined || fd === undefined) {
    if (fd !== undefined) closeSync(fd);
    // By its name: what a link leads to is not touched.
    attempt(path, () => unlinkSync(at));
    notes.push(`${path}: ${fault}; not believed, but removed and made anew`);
    fd = attempt(path, () => openSync(at, flags | constants.O_EXCL, 0o600));
  }
  return owned(fd, path, notes);
}

/** open(2) with these has found a file that may be read, but is written to by nobody. */
const READ_ONLY: Readonly<Record<string, string>> = {
  EROFS: 'on a read-only file system',
  EPERM: 'may be read, but not written to (is it immutable or append-only? see lsattr(1))',
};

/** What was written before the disk became read-only is as good as ever; the next image goes elsewhere. */
function openToRead(at: string, path: string, code: string, notes: string[]): Slot {
  const fd = attempt(path, () => openSync(at, constants.O_RDONLY | OPEN_SAFELY));
  const fault = whyNoSlot(fstatSync(fd));
  if (fault === undefined) {
    notes.push(`${path}: ${READ_ONLY[code]}`);
    return { path, fd };
  }
  closeSync(fd);
  throw new HostError(code, `${path}: ${fault}, and cannot be removed`);
}

function owned(fd: number, path: string, notes: string[]): Slot {
  try {
    return attempt(path, () => {
      const { mode } = fstatSync(fd);
      if ((mode & 0o7777) !== 0o600) {
        fchmodSync(fd, 0o600);
        notes.push(`${path}: its permissions were ${octal(mode)}; now 0600`);
      }
      if (!addon.lockFile(fd)) throw new HostError('EAGAIN', `${path}: another core has it; stop that one first`);
      return { path, fd };
    });
  } catch (cause) {
    closeSync(fd);
    throw cause;
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

/** Two files in memory in their place. */
export const memorySlots = ([a, b]: readonly [number, number]): Both => [
  { path: 'state:a', fd: a },
  { path: 'state:b', fd: b },
];

/** All that belongs to records, and not much more: the file may be sparse and of any size. */
export function readRecords(slot: Slot, size: number): Buffer {
  let bytes = readAt(slot, 0, Math.min(size, READ_BYTES));
  for (;;) {
    const needed = bytesNeeded(bytes, size);
    if (needed <= bytes.length) return bytes;
    const more = readAt(slot, bytes.length, Math.min(size, Math.max(needed, 2 * bytes.length)) - bytes.length);
    if (more.length === 0) return bytes; // it was cut meanwhile
    bytes = Buffer.concat([bytes, more]);
  }
}

export function readAt(slot: Slot, position: number, length: number): Buffer {
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

/** All of it, at this place. */
export function writeAt({ path, fd }: Slot, bytes: Buffer, position: number, write: Write = writeSync): void {
  attempt(path, () => {
    let done = 0;
    // One write as a rule; a signal or a full disk can cut it short, and then the rest says which.
    while (done < bytes.length) done += write(fd, bytes, done, bytes.length - done, position + done);
  });
}

/** How many bytes of it can be written without asking for any. Of a size is not enough: what somebody has made sparse has no room. */
export function roomOf(slot: Slot): number {
  const { size, blocks } = attempt(slot.path, () => fstatSync(slot.fd));
  return blocks * BLOCK_BYTES < size ? 0 : size;
}

/** Make its room so large. @param from what it is now */
export function resize({ path, fd }: Slot, from: number, room: number): void {
  attempt(path, () => (room < from ? ftruncateSync(fd, room) : addon.allocate(fd, room, from)));
}
