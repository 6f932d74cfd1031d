/**
 * The checkpoint as the host writes it: one record a turn, an image now and then, and what happens when neither can be written.
 *
 * An image is made and written in pieces, a few in each turn: first its own text, then the records that were written since it was begun,
 * then the room for those to come; then it takes the place of the one before. Until then that one counts, with all its records,
 * however long they are. Where an image cannot be written, the one before goes on, and another one is tried after a growing while.
 *
 * A record that cannot be written makes everything written before it a lie, since core runs on. So a whole image is tried in its
 * place, and if that cannot be written either, the checkpoint is marked void at once, core goes on in memory (a crash then means adoption under a new epoch), and a whole image is tried again
 * after a growing while: once it is written, all is as before.
 *
 * A checkpoint that is not where it belongs (the state port has found another place) is looked after the same way: after a growing while it is
 * asked whether it can be where it belongs, and an image is made for there.
 */
import { pieceEnd } from '../host/pieces.ts';
import type { StatePort } from '../host/ports.ts';
import { messageOf } from './message.ts';

/** The journal is folded into an image beyond this many bytes, or twice the image, whichever is more. */
const COMPACT_BYTES = 1024 * 1024;
/** First and longest wait before an image is tried again. */
const RETRY_MS = { first: 1_000, most: 60_000 };

/**
 * What one turn does for an image, counted in characters that are made: two milliseconds' work. A piece costs something however short
 * it is, records are only copied, and a step of room is as much as a third of a turn does.
 */
const FOLD = { chars: 48 * 1024, piece: 192, record: 1 / 16, room: 16 * 1024 } as const;
/**
 * More is done where records come faster, so that it comes to an end: half of what was written meanwhile. That takes less time than it
 * took to make it. But no more than this in one turn: a record of megabytes is caught up with over many.
 */
const FOLD_AHEAD = { part: 1 / 2, most: 2 * FOLD.chars } as const;
/** All of it, if the journal has come to be longer than this, or so much longer than where it is to be folded. */
const FOLD_ALL = { bytes: 256 * 1024 * 1024, times: 16 } as const;
/** What is given to the state port at once. */
const WRITE_CHARS = 64 * 1024;
/** More than this is folded also once nothing was written for a while: the next core has less to read. */
const REST = { bytes: 128 * 1024, ms: 500 } as const;

export interface JournalOptions {
  readonly state: StatePort;
  readonly compactBytes?: number | undefined;
  report(level: 'info' | 'warning' | 'error', what: string, why: string): void;
}

/** The text of an image of the state as it is now, in pieces. */
export type MakeImage = () => Iterator<string>;

/** An image that is being made. */
interface Draft {
  readonly image: Iterator<string>;
  isWhole: boolean;
  /** Characters of the image. */
  length: number;
  /** Of the image, not written yet. */
  text: string;
  /** Written since it was begun, and how far they are in it. */
  readonly records: string[];
  copied: { record: number; chars: number };
  hasRoom: boolean;
}

interface Again {
  readonly atMs: number;
  readonly waitMs: number;
}

export class Journal {
  readonly #options: JournalOptions;
  #void: Again | undefined;
  /** Images have failed: when the next one is tried. */
  #again: Again | undefined;
  /** One has failed, and the next one, at once, may find another place. */
  #atOnce = false;
  /** Images that have failed since the last one that did not. */
  #failures = 0;
  #imageChars = 0;
  #restAtMs = Number.POSITIVE_INFINITY;
  #draft: Draft | undefined;
  /** An image was finished, and the next one lacks room. */
  #wantsRoom = false;
  /** What is to be done for what was written meanwhile. */
  #debt = 0;
  /** The state is not where it belongs, or was not a short while ago: when it is tried to bring it back, or is forgotten. */
  #away: Again | undefined;
  /** It can be where it belongs with the next image. */
  #homeward = false;

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  get isVoid(): boolean {
    return this.#void !== undefined;
  }

  /** When there is something to do unless more is written before: an image is tried again, or what was written is folded. CLOCK_MONOTONIC ms. */
  get dueAtMs(): number {
    const imageMs = this.#void?.atMs ?? this.#again?.atMs ?? this.#restAtMs;
    return this.#options.state.displaced === true ? Math.min(imageMs, this.#away?.atMs ?? imageMs) : imageMs;
  }

  /** Once a turn: where the state is not where it belongs, look now and then whether it can be. */
  tend(nowMs: number): void {
    const { state } = this.#options;
    const away = this.#away;
    if (state.displaced !== true) {
      this.#homeward = false;
      // What comes and goes is tried more and more rarely.
      if (away !== undefined && nowMs > away.atMs + RETRY_MS.most) this.#away = undefined;
    } else if (away === undefined) this.#away = later(undefined, nowMs);
    else if (nowMs >= away.atMs && this.#draft === undefined) {
      this.#away = later(away, nowMs);
      this.#homeward = state.returns?.() === true;
    }
  }

  /** Is it time for an image? */
  wantsImage(nowMs: number): boolean {
    if (this.#homeward) return true;
    const again = this.#void ?? this.#again;
    if (again !== undefined) return nowMs >= again.atMs;
    return nowMs >= this.#restAtMs || this.#options.state.appendedBytes > this.#limit;
  }

  get #limit(): number {
    return Math.max(this.#options.compactBytes ?? COMPACT_BYTES, 2 * this.#imageChars);
  }

  /** Is there more to do for an image at once? */
  get folding(): boolean {
    return this.#draft !== undefined || this.#atOnce || this.#wantsRoom;
  }

  /** Has an image been begun, and is not finished? */
  get drafting(): boolean {
    return this.#draft !== undefined;
  }

  /** `image` is the whole state, this record included: where there is no room for one more record there may be for that. */
  append(record: string, image: MakeImage, nowMs: number): void {
    if (this.#draft !== undefined) {
      this.#draft.records.push(record);
      this.#debt += FOLD_AHEAD.part * record.length;
    }
    if (this.#void !== undefined) return;
    try {
      const { state } = this.#options;
      state.append(record);
      if (state.appendedBytes > REST.bytes) this.#restAtMs = nowMs + REST.ms;
    } catch (error) {
      this.#options.report('warning', 'commit-failed', `${messageOf(error)}; trying a new image instead`);
      this.replace(image, nowMs);
    }
  }

  /** A whole image at once, of the state as it is now. */
  replace(image: MakeImage, nowMs: number): void {
    this.#draft = undefined;
    try {
      const pieces = image();
      let text = '';
      for (let next = pieces.next(); next.done !== true; next = pieces.next()) text += next.value;
      this.#options.state.replace(text);
      this.#done(text.length);
    } catch (error) {
      this.#makeVoid(messageOf(error), nowMs);
    }
  }

  /**
   * Some more of the image that is being made; if none is, one is begun. Once it is whole it replaces the one before, with the records
   * that were written since it was begun.
   *
   * @param pieces of the image's text, or four times as many records; default: what {@link FOLD} says
   */
  fold(image: MakeImage, nowMs: number, pieces?: number): void {
    if (this.#draft === undefined && this.#wantsRoom) {
      this.#reserve();
      if (this.#wantsRoom || !this.wantsImage(nowMs)) return;
    }
    try {
      this.#draft ??= this.#begin(image);
      this.#work(this.#draft, pieces);
    } catch (error) {
      this.#draft = undefined;
      this.#failed(messageOf(error), nowMs);
    }
  }

  /** Some more room for the next image: that there is none is better known before it is needed. */
  #reserve(): void {
    try {
      this.#wantsRoom = this.#options.state.reserve();
    } catch (error) {
      this.#wantsRoom = false;
      this.#options.report(
        'warning',
        'no-room-for-image',
        `${messageOf(error)}; the next one has to find another place`,
      );
    }
  }

  #begin(image: MakeImage): Draft {
    this.#atOnce = false;
    this.#wantsRoom = false;
    this.#homeward = false;
    this.#debt = 0;
    this.#options.state.begin();
    return {
      ...{ image: image(), isWhole: false, length: 0, text: '', records: [] },
      ...{ copied: { record: 0, chars: 0 }, hasRoom: false },
    };
  }

  #work(draft: Draft, pieces: number | undefined): void {
    const isTooLong = this.#options.state.appendedBytes > Math.max(FOLD_ALL.bytes, FOLD_ALL.times * this.#limit);
    const all = pieces ?? Math.max(FOLD.chars, isTooLong ? this.#debt : Math.min(this.#debt, FOLD_AHEAD.most));
    for (let left = all; left > 0; ) {
      const isImage = !draft.isWhole;
      const cost = this.#piece(draft);
      if (cost === undefined) return;
      left -= pieces === undefined ? cost : isImage ? 1 : 1 / 4;
    }
    this.#write(draft, false);
    this.#debt = Math.max(0, this.#debt - all);
  }

  /** One piece. @returns what it costs; undefined: that was all */
  #piece(draft: Draft): number | undefined {
    if (!draft.isWhole) return this.#imagePiece(draft);
    if (draft.copied.record < draft.records.length) return this.#recordPiece(draft);
    const { state } = this.#options;
    if (!draft.hasRoom) {
      draft.hasRoom = !state.reserve();
      return FOLD.room;
    }
    state.finish();
    this.#draft = undefined;
    this.#done(draft.length);
    return undefined;
  }

  #imagePiece(draft: Draft): number {
    const next = draft.image.next();
    if (next.done === true) {
      this.#write(draft, true);
      draft.isWhole = true;
      return FOLD.piece;
    }
    draft.text += next.value;
    draft.length += next.value.length;
    if (draft.text.length >= WRITE_CHARS) this.#write(draft, false);
    return FOLD.piece + next.value.length;
  }

  #recordPiece(draft: Draft): number {
    const { record, chars } = draft.copied;
    const text = draft.records[record] ?? '';
    const to = pieceEnd(text, chars, WRITE_CHARS);
    const ends = to === text.length;
    this.#options.state.add(text.slice(chars, to), ends);
    if (ends) draft.records[record] = ''; // it may be long, and is needed no more
    draft.copied = ends ? { record: record + 1, chars: 0 } : { record, chars: to };
    return FOLD.piece + (to - chars) * FOLD.record;
  }

  /** What was made of the image, to the state port. */
  #write(draft: Draft, ends: boolean): void {
    const { text } = draft;
    if (text === '' && !ends) return;
    draft.text = '';
    this.#options.state.add(text, ends);
  }

  #done(chars: number): void {
    this.#draft = undefined;
    this.#imageChars = chars;
    this.#restAtMs = Number.POSITIVE_INFINITY;
    this.#wantsRoom = true;
    if (this.#void !== undefined) this.#options.report('info', 'checkpoint-restored', 'a new image could be written');
    else if (this.#again !== undefined)
      this.#options.report('info', 'image-written', 'an image could be written again');
    this.#void = undefined;
    this.#again = undefined;
    this.#atOnce = false;
    this.#failures = 0;
  }

  /** After every other one the next is begun at once: it may find another place. */
  #failed(why: string, nowMs: number): void {
    this.#failures += 1;
    this.#atOnce = this.#failures % 2 === 1;
    if (this.#atOnce) return;
    if (this.#void !== undefined) {
      this.#makeVoid(why, nowMs);
      return;
    }
    const before = this.#again;
    this.#again = later(before, nowMs);
    if (before !== undefined) return; // said already
    this.#options.report('warning', 'image-failed', `${why}; what was written before it goes on, and counts`);
  }

  #makeVoid(why: string, nowMs: number): void {
    const before = this.#void;
    this.#void = later(before, nowMs);
    this.#again = undefined;
    this.#atOnce = false;
    this.#wantsRoom = false;
    if (before !== undefined) return; // said already, and marked already
    this.#options.report(
      'error',
      'checkpoint-void',
      `it cannot be written: ${why}; core goes on in memory, a crash now means adoption`,
    );
    try {
      this.#options.state.makeVoid();
    } catch (error) {
      this.#options.report('error', 'checkpoint-not-voided', messageOf(error));
    }
  }
}

function later(before: Again | undefined, nowMs: number): Again {
  const waitMs = before === undefined ? RETRY_MS.first : Math.min(RETRY_MS.most, before.waitMs * 2);
  return { atMs: nowMs + waitMs, waitMs };
}
