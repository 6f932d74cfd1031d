/**
 * The checkpoint in memory, as it would be found after a crash: whole records, perhaps a torn tail, perhaps marked void.
 */
import { HostError, type StatePort } from '../ports.ts';

/** What the simulator asks of a checkpoint, besides what core does. */
export interface SimState extends StatePort {
  /** Core dies in the middle of this call of a port (`state.append`), after so many bytes; undefined: about half. */
  tear(call: string, args: readonly unknown[], byte: number | undefined): void;
  /** Another core is about to begin. */
  reopen?(): void;
}

export class VirtualState implements SimState {
  image: string | undefined;
  records: string[] = [];
  isVoid = false;
  /** A record of which only a part was written. The next reader is told; the next write goes over it. */
  torn: string | undefined;
  /** Errno with which writes fail from now on; undefined: they succeed. */
  failing: {
    readonly append?: string;
    readonly replace?: string;
    readonly makeVoid?: string;
    readonly reserve?: string;
  } = {};
  appendedBytes = 0;

  load() {
    if (this.isVoid) return { image: undefined, records: [], note: 'it was made void by the core that wrote it' };
    const note = this.torn === undefined ? undefined : 'the last record is cut off; what came before it is used';
    return { image: this.image, records: [...this.records], note };
  }

  append(record: string): void {
    if (this.failing.append !== undefined) throw new HostError(this.failing.append, 'checkpoint');
    if (this.image === undefined) throw new HostError('EINVAL', 'checkpoint: there is no image to append to');
    this.torn = undefined;
    this.records.push(record);
    this.appendedBytes += record.length;
  }

  replace(image: string, records: readonly string[] = []): void {
    this.#draft = undefined;
    if (this.failing.replace !== undefined) throw new HostError(this.failing.replace, 'checkpoint');
    this.image = image;
    this.records = [...records];
    this.isVoid = false;
    this.torn = undefined;
    this.appendedBytes = records.reduce((bytes, record) => bytes + record.length, 0);
  }

  /** What is being written, and the text of its last piece. */
  #draft: { readonly texts: string[]; open: string | undefined } | undefined;

  begin(): void {
    this.#draft = undefined;
    if (this.failing.replace !== undefined) throw new HostError(this.failing.replace, 'checkpoint');
    this.#draft = { texts: [], open: undefined };
  }

  add(text: string, ends: boolean): void {
    const draft = this.#drafted();
    draft.open = (draft.open ?? '') + text;
    if (!ends) return;
    draft.texts.push(draft.open);
    draft.open = undefined;
  }

  reserve(): boolean {
    if (this.failing.reserve !== undefined) throw new HostError(this.failing.reserve, 'checkpoint');
    return false;
  }

  finish(): void {
    const { texts, open } = this.#drafted();
    const [image, ...records] = texts;
    if (image === undefined || open !== undefined) throw new HostError('EINVAL', 'checkpoint: half a record');
    this.replace(image, records);
  }

  #drafted() {
    const draft = this.#draft;
    if (draft === undefined) throw new HostError('EINVAL', 'checkpoint: no image is being written');
    if (this.failing.replace === undefined) return draft;
    this.#draft = undefined;
    throw new HostError(this.failing.replace, 'checkpoint');
  }

  makeVoid(): void {
    this.#draft = undefined;
    if (this.failing.makeVoid !== undefined) throw new HostError(this.failing.makeVoid, 'checkpoint');
    this.isVoid = true;
  }

  /** A record leaves its beginning, which the next reader is told of; an image is written beside the old one, and leaves nothing. */
  tear(call: string, [text]: readonly unknown[], byte?: number): void {
    if (call === 'state.append') this.torn = String(text).slice(0, byte ?? String(text).length >> 1);
  }

  /** What a dead core was writing is forgotten. */
  reopen(): void {
    this.#draft = undefined;
  }
}
