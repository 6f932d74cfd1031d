/**
 * Every write of a checkpoint, cut off at every byte: the next core finds what was there before the call, or what is there after it,
 * and nothing else. So a death in the middle of a write is a death before it or after it, and those are played as whole lives.
 */
import { isDeepStrictEqual } from 'node:util';
import type { SimState } from '../../src/host/sim/index.ts';
import { VirtualState } from '../../src/host/sim/state.ts';
import { callState, DiskState, type Write } from './disk.ts';

const CALLS = ['append', 'replace', 'begin', 'add', 'finish'] as const;

/** The checkpoint in memory, and every call on it, in order. */
export function recording(): { readonly state: SimState; readonly writes: readonly Write[] } {
  const writes: Write[] = [];
  const state = new VirtualState();
  let nested = 0;
  for (const name of CALLS) {
    const call = state[name].bind(state) as (...args: readonly unknown[]) => void;
    state[name] = (...args: readonly unknown[]) => {
      // What it is made of besides is none of a core's.
      if (nested === 0) writes.push({ call: `state.${name}`, args } as unknown as Write);
      nested += 1;
      try {
        call(...args);
      } finally {
        nested -= 1;
      }
    };
  }
  return { state, writes };
}

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
  const model = new VirtualState();
  /** What was written of an image that is not finished: a core that has died has to begin again. */
  let drafted: Write[] = [];
  const found = (state: SimState) => {
    const { image, records } = state.load();
    return { image, records };
  };
  let bytes = 0;
  try {
    for (const [index, write] of writes.entries()) {
      const { call, args } = write;
      const before = found(model);
      callState(model, write);
      const after = found(model);
      const changes = !isDeepStrictEqual(before, after);
      let done = false;
      for (let byte = 0; only(index) && !done; byte += 1) {
        disk.tear(call, args, byte);
        const whole = disk.written < byte;
        const { image, records } = disk.look();
        bytes += 1;
        const isAfter = isDeepStrictEqual({ image, records }, after);
        if (!isAfter && (whole || !isDeepStrictEqual({ image, records }, before)))
          return {
            bytes,
            fault: `${call} ${index + 1}, cut off after byte ${byte}: neither what was there before nor after`,
          };
        done = changes ? isAfter : whole;
        // Also the one that was not cut off is of a core that has died.
        for (const earlier of call === 'state.begin' ? [] : drafted) callState(disk, earlier);
        if (done && !changes) callState(disk, write);
      }
      if (!done) callState(disk, write);
      if (call === 'state.begin') drafted = [write];
      else if (call === 'state.add') drafted.push(write);
      else if (call !== 'state.append') drafted = [];
    }
    return { bytes, fault: undefined };
  } finally {
    disk.remove();
  }
}
