/**
 * The log files, read as they are: `UNIT.log`, and `UNIT.log.1`, `.2` … for what was rotated away, oldest last.
 *
 * A line that is torn (power went, or it is being written now) is passed over and counted, never fatal.
 */
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Context } from '../context.ts';
import { type Entry, parseEntry } from './entry.ts';

export const DEFAULT_DIRECTORIES = ['/run/sysmaster/log', '/var/log/sysmaster'];

/** A file of a unit; `age` 0 is the one that is being written. */
export interface LogFile {
  readonly path: string;
  readonly unit: string;
  readonly age: number;
}

const NAME = /^(.+)\.log(?:\.(\d{1,4}))?$/;
/** A name too long for a file is cut and hashed by the log keeper: only the entries tell the unit. */
const HASHED = /^.{200}~[0-9a-f]{16}$/;

/** Where logs may be; `extra` is what core says. */
export function logDirectories({ env }: Context, extra: string | undefined): string[] {
  const own = env['SYSMASTER_LOGS'];
  if (own !== undefined && own !== '') return [own];
  return [...new Set([...(extra === undefined || extra === '' ? [] : [extra]), ...DEFAULT_DIRECTORIES])];
}

const isMissing = (error: unknown): boolean =>
  ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');

/**
 * The log files in these directories, per unit oldest first. Directories that are not there are none. Files of units
 * with very long names are always among them, so callers look at the entries' units as well.
 */
export async function findFiles(directories: readonly string[], wanted: (unit: string) => boolean): Promise<LogFile[]> {
  const files: LogFile[] = [];
  for (const directory of directories) {
    let names: string[] = [];
    try {
      names = await readdir(directory);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    for (const name of names) {
      const match = NAME.exec(name);
      if (match !== null && (wanted(match[1]!) || HASHED.test(match[1]!)))
        files.push({ path: join(directory, name), unit: match[1]!, age: Number(match[2] ?? 0) });
    }
  }
  return files.sort((a, b) => (a.unit === b.unit ? b.age - a.age : a.unit < b.unit ? -1 : 1));
}

const CHUNK = 64 * 1024;
/** A longer line is no line of ours; it is passed over. */
const MAX_LINE = 1 << 20;

interface Line {
  readonly bytes: Buffer;
  /** False: the line end is missing, since the line is being written or its writer died. */
  readonly ended: boolean;
}

/** Lines from the end backwards, newest first. */
async function* backwards(file: FileHandle): AsyncGenerator<Line> {
  let { size: at } = await file.stat();
  let tail: Buffer = Buffer.alloc(0);
  let ended = false;
  while (at > 0) {
    const length = Math.min(CHUNK, at);
    at -= length;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at);
    const block = Buffer.concat([buffer.subarray(0, bytesRead), tail]);
    let end = block.length;
    for (let newline = block.lastIndexOf(10); newline >= 0; newline = end === 0 ? -1 : block.lastIndexOf(10, end - 1)) {
      if (newline + 1 < end) yield { bytes: block.subarray(newline + 1, end), ended };
      ended = true;
      end = newline;
    }
    tail = end > MAX_LINE ? Buffer.alloc(0) : block.subarray(0, end);
  }
  if (tail.length > 0) yield { bytes: tail, ended };
}

export interface Found {
  /** Oldest first. */
  readonly entries: Entry[];
  /** Whole lines that could not be read. */
  readonly torn: number;
}

/**
 * The newest entries of a file that `keep` wants, at most `limit`; stops reading at entries older than `sinceUs`.
 * A file that is rotated away meanwhile is no error.
 */
export async function lastEntries(
  path: string,
  limit: number,
  sinceUs: number,
  keep: (entry: Entry) => boolean,
): Promise<Found> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (isMissing(error)) return { entries: [], torn: 0 };
    throw error;
  }
  const entries: Entry[] = [];
  let torn = 0;
  try {
    for await (const line of backwards(file)) {
      if (entries.length >= limit) break;
      const entry = parseEntry(line.bytes.toString('utf8'));
      if (entry === undefined) torn += line.ended ? 1 : 0;
      // The clock may have been set: a little older is no proof that all before it is.
      else if (entry.t < sinceUs - 3_600_000_000) break;
      else if (keep(entry)) entries.push(entry);
    }
  } finally {
    await file.close();
  }
  return { entries: entries.reverse(), torn };
}

/** By time; entries of one unit keep their order. */
export function merge(lists: readonly (readonly Entry[])[]): Entry[] {
  return lists.flat().sort((a, b) => a.t - b.t);
}

/** The newest entries of all files, at most `limit`, by time. */
export async function readLogs(
  files: readonly LogFile[],
  limit: number,
  sinceUs: number,
  keep: (entry: Entry) => boolean,
): Promise<Found> {
  const byUnit = Map.groupBy(files, ({ unit }) => unit);
  const lists: Entry[][] = [];
  let torn = 0;
  for (const mine of byUnit.values()) {
    const found: Entry[][] = [];
    let left = limit;
    for (const { path } of [...mine].reverse()) {
      if (left <= 0) break;
      const part = await lastEntries(path, left, sinceUs, keep);
      torn += part.torn;
      left -= part.entries.length;
      found.unshift(part.entries);
    }
    lists.push(found.flat());
  }
  const all = merge(lists);
  return { entries: Number.isFinite(limit) ? all.slice(-limit) : all, torn };
}
