/** What a command of sctl is given in a test: what it prints is kept, no terminal, the clocks of the machine. */
import type { Context } from '../../../src/cli/context.ts';

export interface Kept {
  readonly context: Context;
  /** What was printed so far. */
  readonly out: () => string;
  readonly err: () => string;
}

export function keptContext(more: Partial<Context> = {}): Kept {
  let out = '';
  let err = '';
  const context: Context = {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    input: async () => '',
    terminal: false,
    columns: 80,
    env: {},
    nowUs: () => Date.now() * 1000,
    monotonicUs: () => Number(process.hrtime.bigint() / 1000n),
    name: 'sctl',
    uid: 0,
    pause: async () => {},
    ...more,
  };
  return { context, out: () => out, err: () => err };
}
