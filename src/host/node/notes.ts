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

const FIRST = 4096;
const READ_BYTES = 256 * 1024;

export class NodeNotes implements NotesPort {
  readonly #fd: number;
  readonly #halfBytes: number;
  #half: 0 | 1;
  /** Where the text ends in the current half; undefined: not known yet. */
  #end: number | undefined;

  /**
   * @param fd a memory file, which stays the lender's; an empty one holds no notes
   * @param halfBytes room for a text; only what is written takes memory
   */
  constructor(fd: number, halfBytes: number) {
    this.#fd = fd;
    this.#halfBytes = halfBytes;
    const mark = Buffer.alloc(1);
    attempt('notes', () => readSync(fd, mark, 0, 1, 0));
    this.#half = mark[0] === 1 ? 1 : 0;
  }

  load(): string {
    const pieces: Buffer[] = [];
    let length = 0;
    while (length < this.#halfBytes) {
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
    if (text === '') return;
    // The first byte last: until then the NUL stands in its place, and what is behind that is not there.
    const end = this.#end as number;
    const bytes = this.#bytes(text, end);
    this.#write(this.#half, end + 1, bytes.subarray(1));
    this.#write(this.#half, end, bytes.subarray(0, 1));
    this.#end = end + bytes.length - 1;
  }

  replace(text: string): void {
    const half = this.#half === 0 ? 1 : 0;
    const bytes = this.#bytes(text, 0);
    this.#write(half, 0, bytes);
    attempt('notes', () => writeSync(this.#fd, Buffer.of(half), 0, 1, 0));
    this.#half = half;
    this.#end = bytes.length - 1;
  }

  /** With a NUL behind it, since an older text may go on there. */
  #bytes(text: string, at: number): Buffer {
    const bytes = Buffer.from(`${text}\0`, 'utf8');
    if (at + bytes.length > this.#halfBytes) throw new HostError('ENOSPC', `notes: ${at + bytes.length} bytes`);
    return bytes;
  }

  #write(half: 0 | 1, at: number, bytes: Buffer): void {
    attempt('notes', () => {
      let done = 0;
      while (done < bytes.length) {
        done += writeSync(this.#fd, bytes, done, bytes.length - done, this.#from(half) + at + done);
      }
    });
  }

  #from(half: 0 | 1): number {
    return FIRST + half * this.#halfBytes;
  }
}
