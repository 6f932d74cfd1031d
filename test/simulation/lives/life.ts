/**
 * One scenario of real units, to be played with and without crashes of core: unit files, programs, and what clients ask for.
 * All of them come to rest well within {@link Life.forMs}.
 */
import type { Programs, Sim } from '../../../src/host/sim/index.ts';
import type { MachinePlugin } from '../../../src/machines/plugin.ts';
import type { Json } from '../../../src/supervisor/index.ts';
import type { Call, MachineOptions, Wish } from '../machine.ts';

export { UNITS } from '../machine.ts';

export interface Life extends Pick<MachineOptions, 'files' | 'helper' | 'hello' | 'facts' | 'noRoom' | 'restartMs'> {
  readonly name: string;
  readonly units: Readonly<Record<string, string>>;
  /** Made anew for each run: programs may count. */
  readonly programs: Programs;
  /** Charts of users; none by default. */
  readonly plugins?: readonly MachinePlugin[];
  readonly wishes: readonly (Wish | Call)[];
  /** Something from outside at a time. */
  readonly outside?: readonly Outside[];
  readonly forMs: number;
  /** SubState and result of its units, when all is over. */
  readonly end: Readonly<Record<string, string>>;
  /** What else the run without a crash must have led to; says what is wrong. */
  readonly also?: (sim: Sim, answers: readonly unknown[]) => readonly string[];
  /** Core leaves so often of its own will. */
  readonly leaves?: number;
  /**
   * Where what it is about can be lost: all of these calls are in the sample, which is taken in this variant (default: by its place), each with
   * another death so many calls later as well.
   */
  readonly closely?: {
    readonly calls: readonly string[];
    readonly variant?: string;
    readonly second?: readonly number[];
  };
  /** The system comes to its end. */
  readonly ends?: true;
}

export type Outside =
  | { readonly atMs: number; readonly connect: string }
  | { readonly atMs: number; readonly kill: string; readonly signal: number }
  | { readonly atMs: number; readonly write: string; readonly text: string }
  | { readonly atMs: number; readonly remove: string }
  /** A signal to init, which passes it on. */
  | { readonly atMs: number; readonly init: number }
  /** An event for one actor, as nobody outside can send it yet. */
  | {
      readonly atMs: number;
      readonly tell: string;
      readonly event: (sim: Sim) => { readonly type: string; readonly [field: string]: Json };
    }
  /** So many events of a shape that no machine knows, for one unit: whatever looks into them throws. */
  | { readonly atMs: number; readonly poison: string; readonly times: number };

export const unit = (lines: string) => `[Unit]\nDefaultDependencies=no\n${lines}`;
export const service = (lines: string, unitLines = '') => unit(`${unitLines}\n[Service]\n${lines}\n`);

/** What most lives are made of. */
export const programs: Programs = {
  '/bin/daemon': {},
  '/bin/true': { run: [{ after: 20, exit: 0 }] },
  '/bin/false': { run: [{ after: 20, exit: 1 }] },
  '/bin/slow': { run: [{ after: 300, exit: 0 }] },
  '/bin/polite': { on: { 15: [{ after: 40, exit: 0 }] } },
  '/bin/deaf': { ignores: [15] },
  '/bin/forking': {
    run: [
      { after: 10, fork: '/bin/forked', pidFile: '/run/forking.pid' },
      { after: 10, exit: 0 },
    ],
  },
  '/bin/forked': { on: { 15: [{ after: 10, exit: 0 }] } },
  '/bin/ready': {
    run: [
      { after: 30, notify: 'READY=1\nSTATUS=well' },
      { after: 50, notify: 'WATCHDOG=1' },
      { after: 50, notify: 'WATCHDOG=1' },
    ],
    on: { 15: [{ notify: 'STOPPING=1' }, { after: 10, exit: 0 }], 6: [{ after: 5, die: 6 }] },
  },
  '/bin/flaky': {
    run: ({ count }) => (count < 3 ? [{ after: 200, exit: 1 }] : [{ after: 30, notify: 'STATUS=well' }]),
  },
  '/bin/dies': { run: [{ after: 60, exit: 1 }] },
  '/bin/broken': { fails: { step: 30, errno: 2 } },
};
