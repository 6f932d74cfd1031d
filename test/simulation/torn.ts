/**
 * Every write of a checkpoint, cut off at every byte: the next core finds what was there before the call, or what is there after it,
 * and nothing else. So a death in the middle of a write is a death before it or after it, and those are played as whole lives.
 */
import { isDeepStrictEqual } from 'node:util';
import type { SimState } from '../../src/host/sim/index.ts';
import { VirtualState } from '../../src/host/sim/state.ts';
import { DiskState } from './disk.ts';

/** One call that writes. */
export interface Write {
  readonly call: 'state.append' | 'state.replace';
  readonly text: string;
}

/** The checkpoint in memory, and every call on it, in order. */
export function recording(): { readonly state: SimState; readonly writes: readonly Write[] } {
  const writes: Write[] = [];
  const state = new VirtualState();
  const append = state.append.bind(state);
  const replace = state.replace.bind(state);
  state.append = (text) => {
    writes.push({ call: 'state.append', text });
    append(text);
  };
  state.replace = (text) => {
    writes.push({ call: 'state.replace', text });
    replace(text);
  };
  return { state, writes };
}

type Found = Pick<ReturnType<SimState['load']>, 'image' | 'records'>;

/** How many places were tried, and the first at which something else was found. */
export interface Torn {
  readonly bytes: number;
  readonly fault: string | undefined;
}

/**
 * Carry out these calls one after another, each cut off after 0, 1, 2 … bytes first.
 *
 * @param only a sample of them: those that are not chosen are just carried out
 */
export function tearEverywhere(writes: readonly Write[], only: (index: number) => boolean = () => true): Torn {
  const disk = new DiskState();
  let before: Found = { image: undefined, records: [] };
  let bytes = 0;
  try {
    for (const [index, { call, text }] of writes.entries()) {
      const after: Found =
        call === 'state.append'
          ? { image: before.image, records: [...before.records, text] }
          : { image: text, records: [] };
      let done = false;
      for (let byte = 0; only(index) && !done; byte += 1) {
        disk.tear(call, text, byte);
        const whole = disk.written < byte;
        const { image, records } = disk.look();
        bytes += 1;
        done = isDeepStrictEqual({ image, records }, after);
        if (!done && (whole || !isDeepStrictEqual({ image, records }, before)))
          return {
            bytes,
            fault: `${call} ${index + 1}, cut off after byte ${byte}: neither what was there before nor after`,
          };
      }
      if (!done) {
        if (call === 'state.append') disk.append(text);
        else disk.replace(text);
      }
      before = after;
    }
    return { bytes, fault: undefined };
  } finally {
    disk.remove();
  }
}
