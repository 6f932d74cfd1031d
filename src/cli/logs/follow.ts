/**
 * Following log files: what is appended, through rotation, for units that have no file yet as well.
 *
 * Directories are watched, and looked at every second in case a watch is lost or cannot be had. An open file is
 * read to its end before its successor, so rotation loses nothing.
 */
import { type FSWatcher, watch } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { type Entry, parseEntry } from './entry.ts';
import { findFiles, merge } from './files.ts';

const LOOK_EVERY_MS = 1000;
const CHUNK = 64 * 1024;

interface Open {
  file: FileHandle;
  inode: number;
  at: number;
  /** Begin of a line whose end is not written yet. */
  rest: Buffer;
}

/** Complete lines since the last call. */
async function more(open: Open): Promise<Entry[]> {
  const entries: Entry[] = [];
  const { size } = await open.file.stat();
  // Truncated in place: begin anew.
  if (size < open.at) {
    open.at = 0;
    open.rest = Buffer.alloc(0);
  }
  while (open.at < size) {
    const { buffer, bytesRead } = await open.file.read(Buffer.alloc(CHUNK), 0, CHUNK, open.at);
    if (bytesRead === 0) break;
    open.at += bytesRead;
    const block = Buffer.concat([open.rest, buffer.subarray(0, bytesRead)]);
    const end = block.lastIndexOf(10) + 1;
    open.rest = block.subarray(end);
    for (const line of block.subarray(0, end).toString('utf8').split('\n')) {
      const entry = line === '' ? undefined : parseEntry(line);
      if (entry !== undefined) entries.push(entry);
    }
  }
  return entries;
}

export interface Follower {
  /** Entries that came since the last call, by time; waits until there are some. Undefined: stopped. */
  next(): Promise<Entry[] | undefined>;
  stop(): Promise<void>;
}

/** Begins at the present end of every file. */
export async function follow(directories: readonly string[], wanted: (unit: string) => boolean): Promise<Follower> {
  const files = new Map<string, Open>();
  let wake: (() => void) | undefined;
  let changed = true;
  let stopped = false;
  const nudge = (): void => {
    changed = true;
    wake?.();
  };

  const opened = async (path: string, fromEnd: boolean): Promise<void> => {
    try {
      const file = await open(path, 'r');
      const { ino, size } = await file.stat();
      files.set(path, { file, inode: ino, at: fromEnd ? size : 0, rest: Buffer.alloc(0) });
    } catch (error) {
      // Rotated away between the look and the open: the next look finds its successor.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  };

  const look = async (first: boolean): Promise<Entry[]> => {
    const lists: Entry[][] = [];
    for (const { path, age } of await findFiles(directories, wanted)) {
      if (age !== 0) continue;
      const known = files.get(path);
      if (known === undefined) await opened(path, first);
      else {
        lists.push(await more(known));
        const now = await stat(path).catch(() => undefined);
        if (now !== undefined && now.ino !== known.inode) {
          // Written to between our read and the rename.
          lists.push(await more(known));
          await known.file.close();
          files.delete(path);
          await opened(path, false);
        }
      }
      const open = files.get(path);
      if (open !== undefined && open !== known && !first) lists.push(await more(open));
    }
    return merge(lists);
  };

  await look(true);
  const watchers: FSWatcher[] = [];
  for (const directory of directories) {
    try {
      watchers.push(watch(directory, nudge).on('error', nudge));
    } catch {
      // It is not there yet, or no watch is to be had: the look every second does it.
    }
  }
  const timer = setInterval(nudge, LOOK_EVERY_MS);

  return {
    async next() {
      for (;;) {
        if (stopped) return undefined;
        if (!changed) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          wake = undefined;
          continue;
        }
        changed = false;
        const entries = await look(false);
        if (entries.length > 0) return entries;
      }
    },
    async stop() {
      stopped = true;
      nudge();
      clearInterval(timer);
      for (const watcher of watchers) watcher.close();
      for (const { file } of files.values()) await file.close();
    },
  };
}
