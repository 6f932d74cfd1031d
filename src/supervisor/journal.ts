/**
 * The checkpoint as the host writes it: one record a turn, an image now and then, and what happens when neither can be written.
 *
 * A record that cannot be written makes everything written before it a lie, since core runs on. So a whole image is tried in its
 * place, and if that cannot be written either, the checkpoint is marked void at once, core goes on in memory (a crash then means adoption under a new epoch), and a whole image is tried again
 * after a growing while: once it is written, all is as before.
 */
import type { StatePort } from '../host/ports.ts';
import type { ImageParts } from './image.ts';
import { messageOf } from './supervision.ts';

/** The journal is folded into an image beyond this many bytes, or twice the image, whichever is more. */
const COMPACT_BYTES = 1024 * 1024;
/** First and longest wait before a void checkpoint is tried again. */
const RETRY_MS = { first: 1_000, most: 60_000 };

/** Operations of an image that are made in one turn. */
const FOLD_OPERATIONS = 256;
/** More are made where records come faster: so much of the image for what was written meanwhile, so that it is whole before there is no room. */
const FOLD_AHEAD = 2;
/** More than this is folded also once nothing was written for a while: the next core has less to read. */
const REST = { bytes: 128 * 1024, ms: 500 } as const;

export interface JournalOptions {
  readonly state: StatePort;
  readonly compactBytes?: number | undefined;
  report(level: 'info' | 'warning' | 'error', what: string, why: string): void;
}

interface Draft {
  readonly parts: ImageParts;
  readonly texts: string[];
  readonly records: string[];
  /** How much longer the texts are than the records call for; less than 0: shorter. */
  ahead: number;
}

export class Journal {
  readonly #options: JournalOptions;
  #void: { readonly retryAtMs: number; readonly waitMs: number } | undefined;
  #imageBytes = 0;
  #restAtMs = Number.POSITIVE_INFINITY;
  /** The image that is being made, and the records since it was begun. */
  #draft: Draft | undefined;

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  get isVoid(): boolean {
    return this.#void !== undefined;
  }

  /** When there is something to do unless more is written before: a void checkpoint is tried again, or what was written is folded. CLOCK_MONOTONIC ms. */
  get dueAtMs(): number {
    return this.#void?.retryAtMs ?? this.#restAtMs;
  }

  /** Is it time for an image? */
  wantsImage(nowMs: number): boolean {
    if (this.#void !== undefined) return nowMs >= this.#void.retryAtMs;
    return (
      nowMs >= this.#restAtMs ||
      this.#options.state.appendedBytes > Math.max(this.#options.compactBytes ?? COMPACT_BYTES, 2 * this.#imageBytes)
    );
  }

  /** Is an image being made? */
  get folding(): boolean {
    return this.#draft !== undefined;
  }

  /** `image` is the whole state, this record included: where there is no room for one more record there may be for that. */
  append(record: string, image: () => ImageParts, nowMs: number): void {
    if (this.#draft !== undefined) {
      this.#draft.records.push(record);
      this.#draft.ahead -= FOLD_AHEAD * record.length;
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
  replace(image: () => ImageParts, nowMs: number): void {
    this.#draft = undefined;
    this.fold(image, nowMs, Number.POSITIVE_INFINITY);
  }

  /**
   * So many operations more of the image that is being made; if none is, one is begun. Once it is whole it replaces the one before,
   * with the records that were written since it was begun.
   *
   * @param operations default: a few hundred, and as many as keep it ahead of what is written meanwhile
   */
  fold(image: () => ImageParts, nowMs: number, operations?: number): void {
    try {
      this.#draft ??= { parts: image(), texts: [], records: [], ahead: 0 };
      const { parts, texts, records } = this.#draft;
      for (
        let left = operations ?? FOLD_OPERATIONS;
        left > 0 || (operations === undefined && this.#draft.ahead < 0);
        left -= 1
      ) {
        const next = parts.operations.next();
        if (next.done === true) {
          this.#write(`${parts.head}${texts.join(',')}${parts.tail}`, records);
          return;
        }
        texts.push(next.value);
        this.#draft.ahead += next.value.length;
      }
    } catch (error) {
      this.#draft = undefined;
      this.#makeVoid(messageOf(error), nowMs);
    }
  }

  #write(text: string, records: readonly string[]): void {
    this.#draft = undefined;
    this.#options.state.replace(text, records);
    this.#imageBytes = text.length;
    this.#restAtMs = Number.POSITIVE_INFINITY;
    if (this.#void !== undefined) this.#options.report('info', 'checkpoint-restored', 'a new image could be written');
    this.#void = undefined;
  }

  #makeVoid(why: string, nowMs: number): void {
    const again = this.#void !== undefined;
    const waitMs = Math.min(RETRY_MS.most, this.#void === undefined ? RETRY_MS.first : this.#void.waitMs * 2);
    this.#void = { retryAtMs: nowMs + waitMs, waitMs };
    if (again) return; // said already, and marked already
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
