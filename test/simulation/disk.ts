/**
 * The checkpoint as it is on real machines, for the simulator: the real code on real files, whose writes can be cut off at any byte.
 */
import { mkdirSync, mkdtempSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeState } from '../../src/host/node/state.ts';
import type { SimState } from '../../src/host/sim/index.ts';

const BOOT_ID = '00000000-0000-4000-8000-000000000001';
/** What a life writes fits, and reading all of it is cheap. */
const ROOM_BYTES = 256 * 1024;

/** Where the power went. Only the simulator sees it: core is dead by then. */
class Cut extends Error {}

/** One call that writes, by its name with the port's in front. */
export type Write =
  | { readonly call: 'state.append'; readonly args: readonly [string] }
  | { readonly call: 'state.replace'; readonly args: readonly [string, (readonly string[])?] }
  | { readonly call: 'state.begin' | 'state.finish'; readonly args: readonly [] }
  | { readonly call: 'state.add'; readonly args: readonly [string, boolean] };

export function callState(state: SimState, { call, args }: Write): void {
  if (call === 'state.append') state.append(...args);
  else if (call === 'state.replace') state.replace(...args);
  else if (call === 'state.begin') state.begin();
  else if (call === 'state.add') state.add(...args);
  else state.finish();
}

export class DiskState implements SimState {
  readonly directory: string;
  /** Bytes that the last call wrote. */
  written = 0;
  /** Bytes that are still written; undefined: all. */
  #left: number | undefined;
  #state: NodeState;

  constructor() {
    mkdirSync(join(tmpdir(), 'sysmaster-crash'), { recursive: true });
    this.directory = mkdtempSync(join(tmpdir(), 'sysmaster-crash/'));
    this.#state = this.#open();
  }

  #open(): NodeState {
    const write = (fd: number, bytes: Buffer, from: number, length: number, position: number): number => {
      const part = bytes.subarray(from, from + Math.min(length, this.#left ?? length));
      this.written += part.length;
      writeSync(fd, part, 0, part.length, position);
      if (this.#left === undefined) return part.length;
      this.#left -= part.length;
      if (this.#left === 0 && part.length < length) throw new Cut();
      return part.length;
    };
    return new NodeState({ directory: this.directory, bootId: BOOT_ID, bytes: ROOM_BYTES, write });
  }

  /** Another core opens what the one before has left. */
  reopen(): void {
    this.#state.close();
    this.#left = undefined;
    this.#state = this.#open();
  }

  /** What a core would find now. */
  look(): ReturnType<NodeState['load']> {
    this.reopen();
    return this.#state.load();
  }

  load = () => this.#state.load();
  makeVoid = () => this.#state.makeVoid();

  append(record: string): void {
    this.written = 0;
    this.#state.append(record);
  }

  replace(image: string, records?: readonly string[]): void {
    this.written = 0;
    this.#state.replace(image, records);
  }

  begin(): void {
    this.written = 0;
    this.#state.begin();
  }

  add(text: string, ends: boolean): void {
    this.written = 0;
    this.#state.add(text, ends);
  }

  reserve = () => this.#state.reserve();

  finish(): void {
    this.written = 0;
    this.#state.finish();
  }

  get appendedBytes(): number {
    return this.#state.appendedBytes;
  }

  tear(call: string, args: readonly unknown[], byte = String(args[0]).length >> 1): void {
    this.#left = byte;
    try {
      callState(this, { call, args } as Write);
    } catch (error) {
      if (!(error instanceof Cut)) throw error;
    }
  }

  remove(): void {
    this.#state.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
