/**
 * The form of a checkpoint file, without any I/O: a header, then records, the first of which is the image.
 *
 *   header   64 bytes    magic, version, flags, generation, boot id, CRC-32 of all this
 *   record   12 bytes    length, CRC-32, and as many bytes of text; repeated
 *   end      12 bytes    zero
 *
 * A record's CRC covers the file's generation and the record's place in it too, so what an earlier generation left further on
 * in the same file can never be taken for a record of this one. Each append writes its record and the end mark in one write:
 * anything but an end mark after the last good record is a write that was cut off. A long one is written in pieces
 * ({@link RecordWriter}): its head, in the place of the end mark before it, comes last.
 */
import { pieceEnd } from '../pieces.ts';
import { addon } from './addon.ts';

export const HEADER_BYTES = 64;
/** Length and CRC in front of each record, and the size of the end mark. */
export const RECORD_OVERHEAD = 12;
export const FORMAT_VERSION = 1;

const MAGIC = 'SYSMCKPT';
const BOOT_ID_BYTES = 32;
const VOID = 1;

export interface Header {
  readonly generation: number;
  /** 32 hexadecimal digits. */
  readonly bootId: string;
  /** True: no later start may believe this file. */
  readonly isVoid: boolean;
}

/** A boot id as the kernel writes it, without dashes. */
export const plainBootId = (text: string): string =>
  text.trim().replaceAll('-', '').padEnd(BOOT_ID_BYTES, '0').slice(0, BOOT_ID_BYTES);

export function encodeHeader(header: Header): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.write(MAGIC, 0, 'latin1');
  bytes.writeUInt32LE(FORMAT_VERSION, 8);
  bytes.writeUInt32LE(header.isVoid ? VOID : 0, 12);
  bytes.writeBigUInt64LE(BigInt(header.generation), 16);
  bytes.write(header.bootId, 24, BOOT_ID_BYTES, 'latin1');
  bytes.writeUInt32LE(addon.crc32(bytes.subarray(0, 60)), 60);
  return bytes;
}

/** The header, or why these bytes hold none; 'empty' for a file that was never written, or not to the end: its first byte is the last. */
export function decodeHeader(bytes: Buffer): Header | string {
  if (bytes.length < HEADER_BYTES || bytes[0] === 0) return 'empty';
  if (bytes.toString('latin1', 0, 8) !== MAGIC) return 'not a checkpoint';
  const version = bytes.readUInt32LE(8);
  if (version !== FORMAT_VERSION) return `format ${version}, this is format ${FORMAT_VERSION}`;
  if (bytes.readUInt32LE(60) !== addon.crc32(bytes.subarray(0, 60))) return 'its header is damaged';
  return {
    generation: Number(bytes.readBigUInt64LE(16)),
    bootId: bytes.toString('latin1', 24, 24 + BOOT_ID_BYTES),
    isVoid: (bytes.readUInt32LE(12) & VOID) !== 0,
  };
}

function placeCrc(generation: number, index: number): number {
  const place = Buffer.alloc(16);
  place.writeBigUInt64LE(BigInt(generation), 0);
  place.writeBigUInt64LE(BigInt(index), 8);
  return addon.crc32(place);
}

const recordCrc = (text: Buffer, generation: number, index: number): number =>
  addon.crc32(text, placeCrc(generation, index));

function writeHead(bytes: Buffer, length: number, index: number, crc: number): void {
  // One more than the length: zero is the end mark, and a record may be empty.
  bytes.writeUInt32LE(length + 1, 0);
  bytes.writeUInt32LE(index >>> 0, 4);
  bytes.writeUInt32LE(crc, 8);
}

/** A record with the end mark behind it; the mark is overwritten by the next one. */
export function encodeRecord(text: string, generation: number, index: number): Buffer {
  const length = Buffer.byteLength(text);
  const bytes = Buffer.alloc(RECORD_OVERHEAD + length + RECORD_OVERHEAD);
  bytes.write(text, RECORD_OVERHEAD, 'utf8');
  const crc = recordCrc(bytes.subarray(RECORD_OVERHEAD, RECORD_OVERHEAD + length), generation, index);
  writeHead(bytes, length, index, crc);
  return bytes;
}

/** Characters of one piece, which fit into {@link RecordWriter}'s buffer whatever they are. */
export const PIECE_CHARS = 64 * 1024;
const BYTES_A_CHAR = 3;

/**
 * One record, written in pieces. It counts once {@link end} has written its head; until then a reader finds there what was there
 * before, and that is an end mark.
 */
export class RecordWriter {
  static #buffer: Buffer | undefined;
  readonly #put: (bytes: Buffer, position: number) => void;
  readonly #start: number;
  readonly #index: number;
  #crc: number;
  #at: number;

  /** @param put writes all of it at a place */
  constructor(start: number, generation: number, index: number, put: (bytes: Buffer, position: number) => void) {
    this.#put = put;
    this.#start = start;
    this.#index = index;
    this.#crc = placeCrc(generation, index);
    this.#at = start + RECORD_OVERHEAD;
  }

  /** More of its text, which must not end between the halves of a character. */
  add(text: string): void {
    RecordWriter.#buffer ??= Buffer.allocUnsafeSlow(PIECE_CHARS * BYTES_A_CHAR);
    const buffer = RecordWriter.#buffer;
    for (let from = 0; from < text.length; ) {
      const to = pieceEnd(text, from, PIECE_CHARS);
      const piece = from === 0 && to === text.length ? text : text.slice(from, to);
      const bytes = buffer.subarray(0, buffer.write(piece, 0, 'utf8'));
      this.#crc = addon.crc32(bytes, this.#crc);
      this.#put(bytes, this.#at);
      this.#at += bytes.length;
      from = to;
    }
  }

  /** It is whole. @returns where the next one begins */
  end(): number {
    this.#put(Buffer.alloc(RECORD_OVERHEAD), this.#at);
    const head = Buffer.alloc(RECORD_OVERHEAD);
    writeHead(head, this.#at - this.#start - RECORD_OVERHEAD, this.#index, this.#crc);
    this.#put(head, this.#start);
    return this.#at;
  }
}

export interface Records {
  readonly texts: readonly string[];
  /** Offset behind the last good record, from the beginning of the file. */
  readonly end: number;
  /** Why reading stopped, if not at an end mark. */
  readonly torn: string | undefined;
}

/**
 * How many bytes of a file of this size have to be there to decode its records, as far as the ones at hand tell: all of them, or
 * a place behind them. What stands behind the end mark need not be read: a file may have any size.
 */
export function bytesNeeded(bytes: Buffer, size: number): number {
  let at = HEADER_BYTES;
  for (let index = 0; at + RECORD_OVERHEAD <= bytes.length; index += 1) {
    const length = bytes.readUInt32LE(at) - 1;
    const isRecord = length >= 0 && bytes.readUInt32LE(at + 4) === index >>> 0 && at + length <= size;
    if (!isRecord) return bytes.length;
    at += RECORD_OVERHEAD + length;
  }
  return Math.min(size, at + RECORD_OVERHEAD);
}

/** All good records of a file of this generation; stops at the end mark or at the first thing that is not a record. */
export function decodeRecords(bytes: Buffer, generation: number): Records {
  const texts: string[] = [];
  let at = HEADER_BYTES;
  const stopped = (torn: string | undefined): Records => ({ texts, end: at, torn });
  while (at + RECORD_OVERHEAD <= bytes.length) {
    const head = bytes.subarray(at, at + RECORD_OVERHEAD);
    if (head.every((byte) => byte === 0)) return stopped(undefined);
    const length = head.readUInt32LE(0) - 1;
    const from = at + RECORD_OVERHEAD;
    const index = texts.length;
    const lost = `record ${index} is cut off`;
    if (length < 0 || head.readUInt32LE(4) !== index >>> 0 || from + length > bytes.length) return stopped(lost);
    const text = bytes.subarray(from, from + length);
    if (head.readUInt32LE(8) !== recordCrc(text, generation, index)) return stopped(lost);
    texts.push(text.toString('utf8'));
    at = from + length;
  }
  return stopped('the file is full to its last byte');
}
