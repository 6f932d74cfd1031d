/**
 * What virtual programs do: short scripts in virtual time, by path.
 *
 * ```ts
 * programs: {
 *   '/bin/true': { run: [{ exit: 0 }] },
 *   '/usr/sbin/web': { run: [{ after: 200, notify: 'READY=1' }], on: { 15: [{ after: 50, exit: 0 }] } },
 *   '/usr/sbin/old': { run: [{ fork: 'old-child', pidFile: '/run/old.pid' }, { exit: 0 }] },
 *   'old-child': {},                                       // runs until it is killed
 *   '/usr/bin/stubborn': { ignores: [15] },
 *   '/usr/bin/flaky': { run: ({ count }) => (count < 3 ? [{ after: 10, exit: 1 }] : []) },
 *   '/usr/bin/broken': { fails: { step: 30, errno: 2 } },  // execve fails
 * }
 * ```
 */

/** One act: wait `after` ms (default 0), then do what else it says, in the order of these fields. */
export interface Act {
  readonly after?: number;
  /** A datagram to the process's NOTIFY_SOCKET; a process without one says nothing. */
  readonly notify?: string;
  /** Descriptors that go with it. */
  readonly notifyFds?: number;
  /** Start a child of this process: a key of the programs table. */
  readonly fork?: string;
  /** Where the pid of the child, or without `fork` of this process, is written. */
  readonly pidFile?: string;
  readonly write?: { readonly path: string; readonly text: string };
  readonly remove?: string;
  readonly exit?: number;
  /** End by this signal, as if it had been sent. */
  readonly die?: number;
}

/** What a program may look at to decide what it does. `count` is 1 for the first process of this path. */
export interface About {
  readonly path: string;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly unit: string;
  readonly count: number;
  readonly pid: number;
}

export interface Program {
  /** Default: runs until it is killed. A script that ends without `exit` goes on running. */
  readonly run?: readonly Act[] | ((about: About) => readonly Act[]);
  /** Signals without effect. SIGKILL always has one. */
  readonly ignores?: readonly number[];
  /** What it does on a signal, instead of dying of it. */
  readonly on?: Readonly<Record<number, readonly Act[] | ((about: About) => readonly Act[])>>;
  /** From `forked` to `execed`; default 1. */
  readonly execAfterMs?: number;
  /** A step of the exec helper fails (native/link/src/handover.rs). */
  readonly fails?: { readonly step: number; readonly errno: number; readonly detail?: string };
}

export type Programs = Readonly<Record<string, Program>>;

/** Signals whose default is not to end the process (signal(7)); STOP and CONT are not played. */
export const HARMLESS: ReadonlySet<number> = new Set([17, 18, 19, 20, 21, 22, 23, 28]);

export const EXEC_STEP = 30;

const STEPS: readonly (readonly [name: string, words: string, exitCode: number])[] = [
  ['fork', 'start the helper', 1],
  ['SPEC', 'read the exec spec', 1],
  ['CGROUP', 'enter the control group', 219],
  ['FDS', 'arrange the descriptors', 202],
  ['SETSID', 'start a session', 220],
  ['STDIN', 'set up standard input', 208],
  ['STDOUT', 'set up standard output', 209],
  ['STDERR', 'set up standard error', 222],
  ['OOM_ADJUST', 'set the OOM score', 206],
  ['NICE', 'set the nice level', 201],
  ['SETSCHEDULER', 'set the CPU scheduling policy', 214],
  ['CPUAFFINITY', 'set the CPU affinity', 215],
  ['IOPRIO', 'set the I/O priority', 211],
  ['PERSONALITY', 'set the personality', 230],
  ['ENVIRONMENT', 'read the environment file', 1],
  ['USER', 'find the user', 217],
  ['GROUP', 'find the group', 216],
  ['RUNTIME_DIRECTORY', 'make the runtime directory', 233],
  ['STATE_DIRECTORY', 'make the state directory', 238],
  ['CACHE_DIRECTORY', 'make the cache directory', 239],
  ['LOGS_DIRECTORY', 'make the logs directory', 240],
  ['CONFIGURATION_DIRECTORY', 'make the configuration directory', 241],
  ['LIMITS', 'set the resource limit', 205],
  ['CHROOT', 'change the root directory', 210],
  ['CAPABILITIES', 'set the capabilities', 218],
  ['GROUP', 'take on the groups', 216],
  ['USER', 'take on the user', 217],
  ['CHDIR', 'change the working directory', 200],
  ['NO_NEW_PRIVILEGES', 'give up new privileges', 227],
  ['SIGNAL_MASK', 'reset the signals', 207],
  ['EXEC', 'execute the program', 203],
];

/** Steps of the exec helper by number, as native/link/src/handover.rs has them. */
export const EXEC_STEPS: Readonly<
  Record<number, { readonly name: string; readonly words: string; readonly exitCode: number }>
> = Object.fromEntries(STEPS.map(([name, words, exitCode], number) => [number, { name, words, exitCode }]));
