/** Files through node:fs, for core and for programs that work on files alone. A missing file is an answer, every other trouble a HostError. */
import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { type FilePort, type FileStat, HostError } from '../ports.ts';
import { attempt, codeOf, unless } from './errors.ts';
import { whyNotOwn } from './own.ts';

/** ENOTDIR: a component of the path is a file, so there is nothing below it. ESRCH, ENODEV: /proc and cgroup files of what is gone. */
const MISSING = ['ENOENT', 'ENOTDIR', 'ESRCH', 'ENODEV'];

const kindOf = (found: Stats): FileStat['kind'] => {
  if (found.isFile()) return 'file';
  if (found.isDirectory()) return 'directory';
  if (found.isSymbolicLink()) return 'symlink';
  if (found.isCharacterDevice()) return 'char';
  if (found.isBlockDevice()) return 'block';
  return found.isFIFO() ? 'fifo' : 'socket';
};

const plain = (found: Stats | undefined): FileStat | undefined =>
  found && {
    kind: kindOf(found),
    size: found.size,
    mode: found.mode & 0o7777,
    uid: found.uid,
    gid: found.gid,
    mtimeMs: found.mtimeMs,
    ctimeMs: found.ctimeMs,
    dev: found.dev,
    ino: found.ino,
    rdev: found.rdev,
  };

/** The most that is read of a file that is text. */
const TEXT_BYTES = 64 * 1024 * 1024;

/** Never waiting: what looks like a file may be a pipe, or have no end. `objection`: why it is not read. */
function read(path: string, flags: number, objection: (found: Stats) => string | undefined): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY | flags);
  try {
    const found = fstatSync(fd);
    const why = objection(found);
    if (why !== undefined) throw new HostError('EPERM', `${path}: ${why}; it is not believed`);
    if (found.size > TEXT_BYTES) throw new HostError('EFBIG', path);
    if (found.isFile()) return readFileSync(fd, 'utf8');
    const bytes = Buffer.alloc(TEXT_BYTES / 64);
    const length = readSync(fd, bytes, 0, bytes.length, null);
    return bytes.toString('utf8', 0, length);
  } finally {
    closeSync(fd);
  }
}

/** A FilePort that watches nothing. */
export class PlainFiles implements Omit<FilePort, 'watch' | 'unwatch'> {
  #temporaries = 0;

  readText(path: string): string | undefined {
    return unless(MISSING, path, () => read(path, 0, () => undefined));
  }

  readOwn(path: string): string | undefined {
    return unless(MISSING, path, () => read(path, constants.O_NOFOLLOW, whyNotOwn));
  }

  readBytes(path: string, maxBytes: number): Uint8Array | undefined {
    return unless(MISSING, path, () => {
      const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        const bytes = new Uint8Array(maxBytes);
        let length = 0;
        while (length < maxBytes) {
          const count = readSync(fd, bytes, length, maxBytes - length, null);
          if (count === 0) break;
          length += count;
        }
        return bytes.slice(0, length);
      } finally {
        closeSync(fd);
      }
    });
  }

  list(path: string): string[] | undefined {
    return unless(MISSING, path, () => readdirSync(path))?.sort();
  }

  lstat(path: string): FileStat | undefined {
    return plain(unless(MISSING, path, () => lstatSync(path, { throwIfNoEntry: false })));
  }

  stat(path: string): FileStat | undefined {
    return plain(unless(MISSING, path, () => statSync(path, { throwIfNoEntry: false })));
  }

  readlink(path: string): string | undefined {
    return unless([...MISSING, 'EINVAL'], path, () => readlinkSync(path)); // EINVAL: it is no link
  }

  writeText(path: string, text: string, mode: number): void {
    this.#temporaries += 1;
    const temporary = `${path}.${process.pid}.${this.#temporaries}.tmp`;
    attempt(path, () => {
      const fd = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode);
      try {
        writeFileSync(fd, text);
        fchmodSync(fd, mode); // whatever the umask
        fsyncSync(fd);
        renameSync(temporary, path);
      } catch (cause) {
        unlinkSync(temporary);
        throw cause;
      } finally {
        closeSync(fd);
      }
    });
  }

  mkdirs(path: string, mode: number): void {
    attempt(path, () => {
      try {
        mkdirSync(path, { recursive: true, mode });
      } catch (error) {
        // Node takes a file system that is read-only for a parent that is missing; asked for one directory, the kernel says what it is.
        if (codeOf(error) !== 'ENOENT') throw error;
        for (let end = path.indexOf('/', 1); end !== -1; end = path.indexOf('/', end + 1)) {
          const parent = path.slice(0, end);
          if (lstatSync(parent, { throwIfNoEntry: false }) === undefined) mkdirSync(parent, mode);
        }
        mkdirSync(path, { recursive: true, mode });
      }
    });
  }

  symlink(target: string, path: string): void {
    attempt(path, () => symlinkSync(target, path));
  }

  remove(path: string): void {
    unless(MISSING, path, () => unlinkSync(path));
  }

  removeTree(path: string): void {
    attempt(path, () => rmSync(path, { recursive: true, force: true }));
  }

  access(path: string, mode: 'r' | 'w' | 'x'): boolean {
    const bits = { r: constants.R_OK, w: constants.W_OK, x: constants.X_OK }[mode];
    try {
      accessSync(path, bits);
      return true;
    } catch (cause) {
      if (codeOf(cause) === undefined) throw cause;
      return false;
    }
  }
}
