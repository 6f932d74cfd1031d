/**
 * Notes for a core that comes up without its state: text in a memory file that init keeps. No disk can spoil it, and it ends with
 * the boot.
 *
 * Two halves, of which the first byte of the file names the current one; in a half, text up to the first NUL. A new text is
 * written into the other half, and then that byte: at every instant there is one whole text.
 */
import { readSync, writeSync } from 'node:fs';
import { HostError, type NotesPort } from '../ports.ts';
import { attempt } from './errors.ts';

/** Room of each half; only what is written takes memory. */
const HALF_BYTES = 4 * 1024 * 1024;
const FIRST = 4096;
const READ_BYTES = 64 * 1024;

export class NodeNotes implements NotesPort {
  readonly #fd: number;
  #half: 0 | 1;
  /** Where the text ends in the current half; undefined: not known yet. */
  #end: number | undefined;

  /** @param fd a memory file, which stays the lender's; an empty one holds no notes */
  constructor(fd: number) {
    this.#fd = fd;
    const mark = Buffer.alloc(1);
    attempt('notes', () => readSync(fd, mark, 0, 1, 0));
    this.#half = mark[0] === 1 ? 1 : 0;
  }

  load(): string {
    const pieces: Buffer[] = [];
    let length = 0;
    while (length < HALF_BYTES) {
      const piece = Buffer.alloc(READ_BYTES);
      const at = this.#from(this.#half) + length;
      const count = attempt('notes', () => readSync(this.#fd, piece, 0, READ_BYTES, at));
      const nul = piece.subarray(0, count).indexOf(0);
      const used = nul < 0 ? count : nul;
      pieces.push(piece.subarray(0, used));
      length += used;
      if (used < READ_BYTES) break;
    }
    this.#end = length;
    return Buffer.concat(pieces).toString('utf8');
  }

  append(text: string): void {
    if (this.#end === undefined) this.load();
    this.#end = this.#write(this.#half, this.#end as number, text);
  }

  replace(text: string): void {
    const half = this.#half === 0 ? 1 : 0;
    const end = this.#write(half, 0, text);
    attempt('notes', () => writeSync(this.#fd, Buffer.of(half), 0, 1, 0));
    this.#half = half;
    this.#end = end;
  }

  /** @returns where it ends; a NUL stands there, since an older text may go on behind it */
  #write(half: 0 | 1, at: number, text: string): number {
    const bytes = Buffer.from(`${text}\0`, 'utf8');
    const end = at + bytes.length - 1;
    if (end + 1 > HALF_BYTES) throw new HostError('ENOSPC', `notes: ${end} bytes`);
    attempt('notes', () => {
      let done = 0;
      while (done < bytes.length) {
        done += writeSync(this.#fd, bytes, done, bytes.length - done, this.#from(half) + at + done);
      }
    });
    return end;
  }

  #from(half: 0 | 1): number {
    return FIRST + half * HALF_BYTES;
  }
}
