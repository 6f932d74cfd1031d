/**
 * The checkpoint on disk: two preallocated files, of which one is current.
 *
 * `append` writes behind the current file's last record. A draft of an image, and of the records behind it, is written into the other
 * file, piece by piece, and `finish` makes that one current by a header of a higher generation. So at every instant a reader finds
 * one whole image with the records after it, or a note that says why there is none. Room is reserved before it is needed, for an
 * image beside the present one and for as many records as are folded into one; a record that is longer gets more of it when it comes.
 * A lock that belongs to the open files, not to the process, keeps a second core out; it ends with the process.
 *
 * A file that is there and cannot be understood may have held the newest image, so the other one is not believed either. All that was
 * wrong is in the note of `load`.
 *
 * On a disk that has become read-only what is there is still read. Where an image cannot be written to the disk at all, two files in
 * memory take the place of `a` and `b`; init keeps them, so that the next core finds them. So they do where there is no room for a
 * record: then they have what the disk has, and that record. While they count, whoever owns this asks now and then whether the disk can
 * be written to again (`returns`): the next image is written there then. Once it is whole the files in memory are emptied, which is
 * what the next core sees whether or not init has been told in time to drop them.
 */
import { closeSync, fstatSync, ftruncateSync } from 'node:fs';
import { HostError, type StatePort } from '../ports.ts';
import { addon } from './addon.ts';
import {
  decodeHeader,
  decodeRecords,
  encodeHeader,
  encodeRecord,
  HEADER_BYTES,
  type Header,
  PIECE_CHARS,
  plainBootId,
  RECORD_OVERHEAD,
  RecordWriter,
} from './checkpoint.ts';
import { attempt } from './errors.ts';
import {
  type Both,
  BYTES_MAX,
  memorySlots,
  readAt,
  readRecords,
  resize,
  roomOf,
  type Slot,
  Slots,
  type Write,
  writeAt,
} from './slots.ts';

export interface StateOptions {
  /** Where the files `a` and `b` live; made if missing. */
  readonly directory: string;
  /** As the kernel says it. A checkpoint of another boot is no state. */
  readonly bootId: string;
  /** Room reserved for each file with the first image. */
  readonly bytes: number;
  /** The most that a file may grow to for an image; for a record it is half of that. */
  readonly bytesMost?: number;
  /** Only to look: nothing is made, locked, put right or written. */
  readonly readOnly?: boolean;
  /** Undefined: a disk that is full makes every image fail. */
  readonly memory?: StateMemory;
  /** Default: write(2). Tests cut it off. */
  readonly write?: Write;
}

/** Where the checkpoint goes when the disk is full. */
export interface StateMemory {
  /** What an earlier core has moved there; the descriptors stay the lender's. */
  kept(): readonly [number, number] | undefined;
  /** Keep these from now on; they become the keeper's. Whatever is sent to init after this comes after it. */
  keep(files: readonly [number, number]): void;
  /** Say that it has moved, and why. */
  moved(why: string): void;
  /** They are empty, and nobody needs them: the keeper may drop them. */
  forget(): void;
  /** Say that it is on the disk again, and what was found wrong and put right there. */
  returned(notes: readonly string[]): void;
}

/** Room reserved in memory, where it costs what it takes. */
const MEMORY_BYTES = 256 * 1024;
/** By so much a file grows, or shrinks, at once: what the kernel has to clear in one go. */
const STEP_BYTES = 1024 * 1024;
const PAGE_BYTES = 4096;

/** A file that is written to: how much room it has. */
interface Place {
  readonly slot: Slot;
  room: number;
}

/** What is to take the place of image and records. */
interface Draft extends Place {
  readonly slots: Both;
  readonly at: number;
  readonly generation: number;
  /** Whole ones, the image among them. */
  records: number;
  /** Behind the last one that is whole. */
  end: number;
  imageEnd: number;
  writer: RecordWriter | undefined;
  /** Files in memory that init does not have yet, and why they are there. */
  readonly moving: { readonly files: readonly [number, number]; readonly why: string } | undefined;
  /** It is on the disk, and what counts is in memory. */
  readonly returns: boolean;
}

export class NodeState implements StatePort {
  readonly #options: StateOptions;
  readonly #bootId: string;
  readonly #disk: Slots;
  #slots: Both | undefined;
  #inMemory = false;
  /** Why it is not on the disk. */
  #fault = '';
  /** Why there is no room for the next image, if that is so. */
  #short = '';
  #current = 0;
  #generation = 0;
  #records = 0;
  #end = 0;
  #imageEnd = 0;
  #room = 0;
  #draft: Draft | undefined;
  /** The next draft is to be made in memory: why. */
  #move: string | undefined;
  /** The next draft is to be made on the disk, where one can be written again. */
  #home: Both | undefined;
  /** The highest of what was found there then. */
  #homeGeneration = 0;

  constructor(options: StateOptions) {
    this.#options = options;
    this.#bootId = plainBootId(options.bootId);
    this.#disk = new Slots(options.directory, options.readOnly === true);
  }

  /** Where it is, if that is not on the disk, or that it will not be there for long; empty: all is well. */
  get trouble(): string {
    const { directory } = this.#options;
    // What was in the way of an earlier core may be gone by now.
    const why = this.#fault === '' ? 'could not be written to' : `cannot be written to (${this.#fault})`;
    if (this.#inMemory) return `${directory} ${why}; init keeps the checkpoint in memory`;
    return this.#short === '' ? '' : `${directory} has no room for the next image (${this.#short})`;
  }

  get displaced(): boolean {
    return this.#inMemory;
  }

  /** Opened anew: what was open may be of a directory that is gone. */
  returns(): boolean {
    if (!this.#inMemory || this.#draft !== undefined) return false;
    this.#home = undefined;
    try {
      this.#disk.close();
      const slots = this.#disk.open();
      const [needed, least] = [this.#imageEnd + (this.#imageEnd >> 2), Math.max(this.#options.bytes, 2 * HEADER_BYTES)];
      for (const [at, slot] of slots.entries()) {
        const wanted = Math.max(least, at === 0 ? needed : 0);
        if (roomOf(slot) < wanted) resize(slot, roomOf(slot), wanted);
        const header = decodeHeader(readAt(slot, 0, HEADER_BYTES));
        if (typeof header !== 'string') this.#homeGeneration = Math.max(this.#homeGeneration, header.generation);
        // Where there is room already it is not known yet whether anything can be written; what stands there does not count.
        this.#put(slot, Buffer.alloc(1), 0);
      }
      this.#home = slots;
      return true;
    } catch (cause) {
      if (!(cause instanceof HostError)) throw cause;
      this.#fault = cause.message;
      return false;
    }
  }

  get appendedBytes(): number {
    return this.#end - this.#imageEnd;
  }

  /** Open and lock the files. Throws HostError EAGAIN if another core has them, and what open(2) says. */
  lock(): void {
    try {
      this.#disk.open();
    } catch (cause) {
      if (cause instanceof HostError) this.#fault = cause.message;
      throw cause;
    }
  }

  load(): ReturnType<StatePort['load']> {
    let slots: Both;
    try {
      slots = this.#open();
    } catch (cause) {
      // Core runs on without a checkpoint on a disk that is read-only or broken, but never beside another core.
      if (!(cause instanceof HostError) || cause.code === 'EAGAIN') throw cause;
      return { image: undefined, records: [], note: cause.message };
    }
    // What keeps it off the disk is told by each core: it may be another thing than what had kept it off at first.
    const found = this.#inMemory && this.#fault !== '' ? [this.#fault] : this.#disk.notes;
    const nothing = (note: string | undefined) => ({
      image: undefined,
      records: [],
      note: joined([...found, ...(note === undefined ? [] : [note])]),
    });
    const headers = slots.map((slot) => decodeHeader(readAt(slot, 0, HEADER_BYTES)));
    const usable = headers
      .map((header, at) => ({ header, at }))
      .filter((one): one is { header: Header; at: number } => typeof one.header !== 'string');
    // A generation is never given twice, not even after a file of it was voided or came from another boot.
    this.#generation = Math.max(0, ...usable.map((one) => one.header.generation));
    const newest = usable.find((one) => one.header.generation === this.#generation);
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
    this.#room = roomOf(slot);
    this.#draft = undefined;
    return {
      image,
      records,
      note: joined([...found, ...(torn === undefined ? [] : [`${slot.path}: ${torn}; what came before it is used`])]),
    };
  }

  append(record: string): void {
    const slot = this.#open()[this.#current] as Slot;
    if (this.#records === 0) throw new HostError('EINVAL', `${slot.path}: there is no image to append to`);
    try {
      this.#append(slot, record);
    } catch (cause) {
      const why = this.#mayMove(cause);
      if (why === undefined) throw cause;
      this.#moveWith(record, why);
    }
  }

  #append(slot: Slot, record: string): void {
    if (record.length <= PIECE_CHARS) {
      const bytes = encodeRecord(record, this.#generation, this.#records);
      this.#reach(slot, this.#end + bytes.length);
      this.#put(slot, bytes, this.#end);
      this.#end += bytes.length - RECORD_OVERHEAD;
    } else {
      this.#reach(slot, this.#end + record.length + 2 * RECORD_OVERHEAD);
      const writer = new RecordWriter(this.#end, this.#generation, this.#records, (bytes, position) => {
        this.#reach(slot, position + bytes.length);
        this.#put(slot, bytes, position);
      });
      writer.add(record);
      this.#end = writer.end();
    }
    this.#records += 1;
  }

  /** The present file as it is, and one more record, to memory: that is done sooner than a new image, and nobody is in need of one. */
  #moveWith(record: string, why: string): void {
    const files = memoryFiles();
    const slots = memorySlots(files);
    const { room, end } = { room: this.#room, end: this.#end };
    try {
      const from = this.#open()[this.#current] as Slot;
      const least = Math.max(MEMORY_BYTES, end + RECORD_OVERHEAD);
      this.#grown({ slot: slots[1], room: 0 }, MEMORY_BYTES);
      this.#room = this.#grown({ slot: slots[0], room: 0 }, least);
      for (let at = 0; at < end; at += STEP_BYTES) {
        const bytes = readAt(from, at, Math.min(STEP_BYTES, end - at));
        if (bytes.length < Math.min(STEP_BYTES, end - at))
          throw new HostError('EIO', `${from.path}: it is shorter than it was`);
        this.#put(slots[0], bytes, at);
      }
      this.#append(slots[0], record);
      this.#options.memory?.keep(files);
    } catch (cause) {
      if (this.#end !== end) this.#records -= 1;
      this.#room = room;
      this.#end = end;
      for (const fd of files) closeSync(fd);
      throw cause;
    }
    this.#drop();
    this.#slots = slots;
    this.#current = 0;
    this.#moved(why);
  }

  #moved(why: string): void {
    this.#inMemory = true;
    this.#fault = why;
    this.#move = undefined;
    this.#options.memory?.moved(why);
  }

  /** Room of the current file up to there, however long the record is. */
  #reach(slot: Slot, needed: number): void {
    if (needed > this.#room) this.#room = this.#grown({ slot, room: this.#room }, needed, this.#most / 2);
  }

  replace(image: string, records: readonly string[] = []): void {
    try {
      this.#replace(image, records);
    } catch (cause) {
      // The disk has failed on the way: once more, in memory.
      if (this.#move === undefined) throw cause;
      this.#replace(image, records);
    }
  }

  #replace(image: string, records: readonly string[]): void {
    this.begin();
    for (const text of [image, ...records]) this.add(text, true);
    while (this.reserve()) {}
    this.finish();
    // Room for the next one is asked for by itself.
  }

  begin(): void {
    this.#drop();
    const why = this.#move;
    const home = this.#home;
    this.#move = undefined;
    this.#home = undefined;
    if (why !== undefined) return this.#beginInMemory(why);
    try {
      this.#beginIn(home ?? this.#open(), undefined, home !== undefined);
    } catch (cause) {
      const moved = this.#mayMove(cause);
      if (moved === undefined) throw cause;
      this.#beginInMemory(moved);
    }
  }

  /** Undefined: there is nowhere else to go. */
  #mayMove(cause: unknown): string | undefined {
    const { memory } = this.#options;
    const can =
      cause instanceof HostError && memory !== undefined && !this.#inMemory && this.#draft?.moving === undefined;
    return can ? cause.message : undefined;
  }

  #beginInMemory(why: string): void {
    const files = memoryFiles();
    try {
      this.#beginIn(memorySlots(files), { files, why });
    } catch (cause) {
      for (const fd of files) closeSync(fd);
      throw cause;
    }
  }

  #beginIn(slots: Both, moving: Draft['moving'], returns = false): void {
    const inMemory = (this.#inMemory && !returns) || moving !== undefined;
    // Where nothing is believed there is nothing to be spared.
    const at = moving !== undefined || returns ? 0 : this.#records === 0 ? this.#current : 1 - this.#current;
    const slot = slots[at] as Slot;
    const room = roomOf(slot);
    const draft: Draft = {
      ...{ slots, at, slot, room, moving, returns },
      generation: Math.max(this.#generation, returns ? this.#homeGeneration : 0) + 1,
      ...{ records: 0, end: HEADER_BYTES, imageEnd: 0, writer: undefined },
    };
    const least = Math.max(inMemory ? MEMORY_BYTES : this.#options.bytes, 2 * HEADER_BYTES);
    if (room < least) draft.room = this.#grown(draft, least);
    // A file without any room counts as one that has lost what it held.
    const other = slots[1 - at] as Slot;
    if (roomOf(other) < least) this.#grown({ slot: other, room: roomOf(other) }, least);
    // The header goes first, so that no reader takes new records for those of the old generation, and comes back last.
    this.#put(slot, Buffer.alloc(HEADER_BYTES), 0);
    this.#draft = draft;
  }

  #drop(): void {
    for (const fd of this.#draft?.moving?.files ?? []) closeSync(fd);
    this.#draft = undefined;
  }

  add(text: string, ends: boolean): void {
    this.#drafted((draft) => {
      draft.writer ??= new RecordWriter(draft.end, draft.generation, draft.records, (bytes, position) => {
        const needed = position + bytes.length + RECORD_OVERHEAD;
        if (needed > draft.room) draft.room = this.#grown(draft, needed);
        this.#put(draft.slot, bytes, position);
      });
      draft.writer.add(text);
      if (!ends) return;
      draft.end = draft.writer.end();
      draft.writer = undefined;
      if (draft.records === 0) draft.imageEnd = draft.end;
      draft.records += 1;
    });
  }

  reserve(): boolean {
    if (this.#draft !== undefined) {
      // It is folded beyond twice its size, and while it is there come some more.
      return this.#drafted((draft) =>
        this.#resized(draft, Math.max(3 * draft.imageEnd, draft.end) + draft.imageEnd / 2),
      );
    }
    if (this.#records === 0) return false;
    const slot = this.#open()[1 - this.#current] as Slot;
    const place = { slot, room: roomOf(slot) };
    try {
      this.#short = '';
      return this.#resized(place, this.#imageEnd + (this.#imageEnd >> 2));
    } catch (cause) {
      if (cause instanceof HostError) this.#short = cause.message;
      throw cause;
    }
  }

  /** One step towards so much room, or the least there is. @returns whether that is not all */
  #resized(place: Place, wanted: number): boolean {
    const inMemory = this.#inMemory || this.#draft?.moving !== undefined;
    const room = Math.max(inMemory ? MEMORY_BYTES : this.#options.bytes, 2 * HEADER_BYTES, Math.ceil(wanted));
    if (place.room < room) place.room = this.#grown(place, Math.min(room, place.room + STEP_BYTES));
    else if (place.room > 2 * room) {
      const less = Math.max(room, place.room - 8 * STEP_BYTES);
      resize(place.slot, place.room, less);
      place.room = less;
    }
    return place.room < room || place.room > 2 * room;
  }

  finish(): void {
    this.#drafted((draft) => {
      const { slots, at, slot, generation, moving } = draft;
      if (draft.records === 0 || draft.writer !== undefined)
        throw new HostError('EINVAL', `${slot.path}: half a record`);
      // Where nothing was believed, nothing that stands in the other file is to be believed later.
      if (draft.returns || (this.#records === 0 && moving === undefined))
        this.#put(slots[1 - at] as Slot, Buffer.alloc(HEADER_BYTES), 0);
      // Its first byte by itself, after all others: however the writing of it is cut off, until then it is no header at all.
      const header = encodeHeader({ generation, bootId: this.#bootId, isVoid: false });
      this.#put(slot, header.subarray(1), 1);
      this.#put(slot, header.subarray(0, 1), 0);
      if (moving !== undefined) {
        // Whole before init has it, kept before anything else is sent: at no instant is there less than there was.
        this.#options.memory?.keep(moving.files);
        this.#slots = slots;
      }
      // A death before this leaves both, with the same in them.
      if (draft.returns)
        for (const { fd } of this.#open()) attempt('the checkpoint in memory', () => ftruncateSync(fd));
      this.#draft = undefined;
      this.#current = at;
      this.#generation = generation;
      this.#records = draft.records;
      this.#end = draft.end;
      this.#imageEnd = draft.imageEnd;
      this.#room = draft.room;
      if (moving !== undefined) this.#moved(moving.why);
      if (draft.returns) this.#returned(slots);
    });
  }

  #returned(slots: Both): void {
    this.#slots = slots;
    this.#inMemory = false;
    this.#fault = '';
    this.#options.memory?.forget();
    this.#options.memory?.returned(this.#disk.notes);
  }

  /** Work on the draft; where it fails there is no draft any more, and the next one goes to memory if there is some. */
  #drafted<T>(work: (draft: Draft) => T): T {
    if (this.#draft === undefined)
      throw new HostError('EINVAL', `${this.#options.directory}: no image is being written`);
    try {
      return work(this.#draft);
    } catch (cause) {
      this.#move = this.#mayMove(cause);
      if (this.#draft.returns && cause instanceof HostError) this.#fault = cause.message;
      this.#drop();
      throw cause;
    }
  }

  makeVoid(): void {
    this.#drop();
    // Both files: the older one is even less to be believed. One that is empty holds nothing to be believed, and may have no room.
    const generation = this.#generation + 1;
    for (const slot of this.#open()) {
      if (fstatSync(slot.fd).size > 0)
        this.#put(slot, encodeHeader({ generation, bootId: this.#bootId, isVoid: true }), 0);
    }
    this.#generation = generation;
    this.#records = 0;
  }

  #open(): Both {
    if (this.#slots !== undefined) return this.#slots;
    let kept = this.#options.memory?.kept();
    if (kept?.every((fd) => fstatSync(fd).size === 0) === true) {
      // It was on its way back to the disk, and is there.
      if (this.#options.readOnly !== true) this.#options.memory?.forget();
      kept = undefined;
    }
    this.#inMemory = kept !== undefined;
    this.#slots = kept === undefined ? this.#disk.open() : memorySlots(kept);
    return this.#slots;
  }

  /** Let go of files and lock; for tests, which run more than one in a process. */
  close(): void {
    this.#drop();
    this.#home = undefined;
    this.#disk.close();
    this.#slots = undefined;
  }

  /** Its room, from now on: what is needed, and a step more, so that not every record asks for some. */
  #grown({ slot, room }: Place, needed: number, most = this.#most): number {
    if (needed > most) throw new HostError('EFBIG', `${slot.path}: ${needed} bytes, and ${most} are the most`);
    const step = room === 0 ? 0 : room + STEP_BYTES;
    const more = Math.min(most, Math.ceil(Math.max(needed, step) / PAGE_BYTES) * PAGE_BYTES);
    resize(slot, room, more);
    return more;
  }

  get #most(): number {
    return this.#options.bytesMost ?? BYTES_MAX;
  }

  #put(slot: Slot, bytes: Buffer, position: number): void {
    writeAt(slot, bytes, position, this.#options.write);
  }
}

const memoryFiles = () =>
  attempt('a checkpoint in memory', () => [addon.memoryFile('state:a'), addon.memoryFile('state:b')] as const);

const joined = (notes: readonly string[]): string | undefined => (notes.length === 0 ? undefined : notes.join('; '));
