/**
 * The ports: everything core may ask of the world, as plain synchronous calls with plain data.
 *
 * Answers that take time come back through one callback as a {@link HostEvent}. Adapters: node/ (the addon, init,
 * the real /proc) and sim/ (a virtual kernel with faults). A port never decides anything; an error is a
 * {@link HostError} with errno, thrown at once, or an event that says so. No type of any engine stands in a signature.
 */

/** Names one effect for ever; see native/link/src/frame.rs. */
export interface EffectId {
  readonly epoch: number;
  readonly seq: number;
  readonly index: number;
}

/** No effect of core's: `done` with it says that another init has taken over; see native/link/src/frame.rs. */
export const REEXEC_ID: EffectId = { epoch: 0, seq: 0, index: 0 };

/** A process init can signal without hitting a stranger: a child by serial, or any other by [pid, start time]. */
export type ProcessRef = { readonly child: number } | { readonly watched: readonly [pid: number, startTime: number] };

/** Whom a signal is for. `path` is a control group below init's root, without a leading slash. */
export type KillTarget =
  | { readonly process: ProcessRef }
  | { readonly group: { readonly path: string; readonly except: readonly ProcessRef[] } };

export type ShutdownKind = 'poweroff' | 'reboot' | 'halt' | 'kexec' | 'exit' | 'soft-reboot' | 'switch-root';

/** How a process ended: an exit status, or a signal number. */
export type Ended = { readonly exited: number } | { readonly killed: number } | { readonly dumped: number };

/** A tag with this end asks for a report `left` when the process has ended. Mirrors `LEAVES` in native/link/src/frame.rs. */
export const LEAVES = '|leaves';

/** A process that another one has left behind, and that became init's. `ended` null: it lives, as far as init had told by then. */
export interface Heir {
  readonly pid: number;
  readonly startTime: number;
  readonly ended: Ended | null;
}

/**
 * Whom a process has left behind in its control group, if anybody. `line`: the heirs of one another, each but the first left behind by
 * the one before it, which ended with status 0 and left nobody else; otherwise several that were left at once.
 */
export interface Left {
  readonly tag: string;
  readonly pid: number;
  readonly line: boolean;
  readonly heirs: readonly Heir[];
}

/** What init reports once and repeats until it is acknowledged. Mirrors `Report` in native/link/src/frame.rs. */
export type Report =
  | { readonly forked: { id: EffectId; tag: string; serial: number; pid: number; startTime: number } }
  | { readonly execed: { id: EffectId; tag: string; serial: number } }
  | {
      readonly 'spawn-failed': {
        id: EffectId;
        tag: string;
        serial: number | null;
        step: number;
        errno: number;
        detail: string;
      };
    }
  /** Right before the `exited` of the same tag. Until that is acknowledged, what becomes of the heirs is noted in it for the next core. */
  | { readonly left: Left }
  | { readonly exited: { tag: string; serial: number; pid: number; ended: Ended } }
  | { readonly 'watched-exited': { id: EffectId; tag: string; pid: number; ended: Ended | null } }
  | { readonly signalled: { id: EffectId; count: number } }
  | { readonly gone: { id: EffectId } }
  | {
      readonly accepted: {
        id: EffectId;
        name: string;
        peerPid: number;
        peerUid: number | null;
        peer: string;
      };
    }
  | { readonly done: { id: EffectId } }
  | { readonly failed: { id: EffectId; errno: number } }
  | { readonly signal: { signal: number } };

/** One report with its number; acknowledged by number, as a low-water mark. `atUs`: CLOCK_MONOTONIC, µs. */
export interface InitRecord {
  readonly number: number;
  readonly atUs: number;
  readonly what: Report;
}

/** What core was doing when it ended. `phase`: 0 idle, 1 step, 2 effect, 3 recovery, 4 compaction. */
export interface BlackBox {
  readonly atUs: number;
  readonly ended: Ended | null;
  readonly hung: boolean;
  readonly seq: number;
  readonly phase: number;
  readonly actor: string;
}

/** A live child of init, as `hello` tells it. */
export interface HelloChild {
  readonly id: EffectId;
  readonly tag: string;
  readonly serial: number;
  readonly pid: number;
  readonly startTime: number;
  readonly execed: boolean;
}

/** All of init's hello, gathered. The unacknowledged records follow as events. */
export interface Hello {
  readonly role: 'machine' | 'container' | 'subreaper';
  readonly pid: number;
  readonly epoch: number;
  /** Absolute directory below which all control groups live; empty: there are none. */
  readonly cgroupRoot: string;
  readonly cores: number;
  readonly safeMode: boolean;
  readonly stopping: ShutdownKind | null;
  readonly deaths: readonly BlackBox[];
  readonly canSetUid: boolean;
  readonly children: readonly HelloChild[];
  readonly fds: readonly string[];
  /** How many unacknowledged records follow at once. */
  readonly records: number;
}

/** A datagram on a notify socket, peeked, not yet taken. `atNs`: the kernel's CLOCK_REALTIME stamp as a decimal string. */
export interface Datagram {
  readonly socket: string;
  readonly text: string;
  readonly pid: number;
  readonly uid: number;
  readonly atNs: string;
  /** Hash of the bytes; with socket, pid and stamp it is the datagram's identity. */
  readonly hash: string;
  /** How many descriptors came with it. */
  readonly fds: number;
}

/** What the world tells core. */
export type HostEvent =
  | { readonly type: 'record'; readonly record: InitRecord }
  | { readonly type: 'refused'; readonly id: EffectId | null; readonly errno: number; readonly why: string }
  | { readonly type: 'datagram'; readonly datagram: Datagram }
  /** A watched listener or FIFO has something to accept or read. Level-triggered; see {@link SocketPort.watch}. */
  | { readonly type: 'readable'; readonly name: string }
  /** A control group went from populated to empty, or back. */
  | { readonly type: 'group'; readonly path: string; readonly populated: boolean }
  /** A watched path appeared or changed (PID files). */
  | { readonly type: 'path'; readonly path: string }
  /** What a path unit watches; see {@link PathPort}. */
  | PathEvent
  /** /proc/self/mountinfo changed. */
  | { readonly type: 'mounts' }
  /** CLOCK_REALTIME was set. */
  | { readonly type: 'clock-changed' }
  /** The deadline given to {@link ClockPort.wakeAt} has come. */
  | { readonly type: 'wake' }
  | { readonly type: 'client'; readonly session: number; readonly what: ClientEvent }
  /** A helper with a deadline has answered; see {@link HelperPort}. */
  | { readonly type: 'answer'; readonly key: string; readonly result: Answer };

/** A client of the API socket. A message is one JSON text without its NUL. */
export type ClientEvent =
  | { readonly opened: { readonly pid: number; readonly uid: number; readonly gid: number } }
  | { readonly message: string }
  /** Gone, or sent away for breaking a bound (`why`). */
  | { readonly closed: { readonly why: string } };

export type Answer = { readonly ok: string } | { readonly error: { readonly errno: string; readonly why: string } };

/** An error of a port: errno by name ('ENOENT') and what it was about. */
export class HostError extends Error {
  readonly code: string;
  readonly about: string;
  constructor(code: string, about: string, cause?: unknown) {
    super(`${code} on ${about}`, cause === undefined ? undefined : { cause });
    this.name = 'HostError';
    this.code = code;
    this.about = about;
  }
}

/** Processes, through init. Effects `once`: init answers a repeated id with the first outcome. */
export interface ProcessPort {
  /** Start a process; `fds` are names in init's store, which the spec counts from 0. Answers: `forked`, `execed` | `spawn-failed`, `exited`. */
  spawn(id: EffectId, tag: string, spec: ExecSpec, fds: readonly string[]): void;
  /** Answered by `signalled` or `gone`. */
  kill(id: EffectId, target: KillTarget, signal: number): void;
  /** Report the exit of a process that init did not spawn. Answered by `done`, later `watched-exited`. */
  watch(id: EffectId, tag: string, pid: number, startTime: number): void;
  /** Accept one connection on stored listener and keep it under `name`. Answered by `accepted` or `failed`. */
  accept(id: EffectId, listener: string, name: string): void;
  /** All records up to this number are committed. */
  ack(through: number): void;
  /** What /proc says of a process now; undefined: gone. Start time in clock ticks since boot. */
  inspect(
    pid: number,
  ): { readonly ppid: number; readonly startTime: number; readonly group: string; readonly comm: string } | undefined;
  /** The other end of a connected unix socket, by inode (sock_diag(7)); undefined: not connected, or not in core's network namespace. */
  unixPeer(inode: number): UnixPeer | undefined;
  /** The processes but core that hold these sockets, by inode. Bounded: on a machine with very many descriptors some may be missed. */
  socketHolders(inodes: readonly number[]): readonly { readonly inode: number; readonly pid: number }[];
}

/** The other end of a unix connection. */
export interface UnixPeer {
  /** Its inode; 0: nobody has accepted the connection yet. */
  readonly peer: number;
  /** The inode of the listener in whose queue it waits; 0: none. */
  readonly listener: number;
  /** The address of the other end, or of that listener: a path, or `@name`. */
  readonly name?: string | undefined;
}

/** Init itself: core's life, and the end of the system. */
export interface InitPort {
  ready(): void;
  /** A turn is over; `now`: one that takes long goes on, and init is told before it is over. */
  beat(now?: boolean): void;
  loading(forMs: number): void;
  shutdown(kind: ShutdownKind, deadlineMs: number, now: boolean, status: number, argument: string): void;
  reexecCore(): void;
  /** Answered by `done` of {@link REEXEC_ID}, from the init that has taken over, or by `refused` of no effect. */
  reexecInit(path: string): void;
  /**
   * False: something that was asked of init has not left core, and would be lost with it. `turn` is called once it has.
   */
  readonly settled: boolean;
  /** Write (event number, phase, actor) to the black box; costs no system call. */
  mark(seq: number, phase: number, actor: string): void;
}

/** How a listening socket or FIFO is made; addresses as in systemd.socket(5). */
export interface ListenSpec {
  readonly kind: 'stream' | 'datagram' | 'seqpacket' | 'fifo' | 'special' | 'message-queue' | 'netlink';
  readonly address: string;
  readonly backlog: number;
  readonly socketMode: number;
  readonly directoryMode: number;
  readonly user: string;
  readonly group: string;
  readonly options: Readonly<Record<string, string | number | boolean>>;
}

/** Descriptors kept by init under a name, made here and stored before they are used. */
export interface SocketPort {
  /** Bind and listen, then store under `name`; idempotent: a stored name is left as it is. Throws HostError at once. */
  listen(id: EffectId, name: string, spec: ListenSpec): void;
  /** A pipe for a service's output, both ends stored as `NAME:r` and `NAME:w`; idempotent. */
  pipe(id: EffectId, name: string): void;
  /**
   * Make a unit's notify socket at `path` (credentials and time stamps on), store it, and peek it from now on. Without an effect's id
   * it is stored under one of the port's own. Of one that is kept, but is not at `path` any more, another is made there, and both are
   * peeked; empty: wherever it is.
   */
  notify(id: EffectId | undefined, name: string, path: string): void;
  /** Close stored descriptors and stop watching them; names that are unknown are no error. */
  drop(id: EffectId, names: readonly string[]): void;
  /** Tell by `readable` when a stored descriptor has input; one event, then silent until watched again. */
  watch(name: string): void;
  unwatch(name: string): void;
  /**
   * Take the datagram that was peeked; its descriptors are stored as `names` first, under an id of the port's own if there is none.
   * A datagram that is not at the head any more is no error.
   */
  consume(datagram: Datagram, names: readonly string[], id: EffectId | undefined): void;
  /** Is there such a name in the store? */
  stored(name: string): boolean;
  /** Read and throw away what waits (FlushPending=, or a FIFO or datagram trigger that cannot be served). */
  flush(name: string): void;
  /** Hand a stored pipe's read end to the log keeper; `message` is its JSON line. False: the keeper is not there yet. */
  sendLog(message: string, name: string | undefined): boolean;
  /**
   * Likewise for many pipes, by name: some after each turn, so that nothing else waits for it. What a keeper that is not there does
   * not get is forgotten. They are listed when `afterMs` (default 0) have passed.
   */
  offerLogs(pipes: Iterable<readonly [name: string, message: () => string]>, afterMs?: number): void;
}

/** Control groups, by path below the root; all idempotent. */
export interface CgroupPort {
  /** False: there are none, and processes are followed by descent. */
  readonly available: boolean;
  ensure(path: string): void;
  /** Remove it and what is below; a group that is busy or gone is no error: false / true. */
  remove(path: string): boolean;
  /** Tell by `group` events; the first one comes at once with the state as it is, unless that is `known`. */
  watch(path: string, known?: boolean): void;
  unwatch(path: string): void;
  populated(path: string): boolean;
  /** Every pid in the group and below; empty if it is gone. */
  processes(path: string): number[];
  /** Write an attribute; ENOENT and EACCES are thrown as HostError. */
  write(path: string, attribute: string, value: string): void;
  /** Read an attribute; undefined if it is not there. */
  read(path: string, attribute: string): string | undefined;
  /** Names of the groups directly below. */
  children(path: string): string[];
}

/** Directory entries and metadata, with symlinks not followed. */
export interface FileStat {
  readonly kind: 'file' | 'directory' | 'symlink' | 'char' | 'block' | 'fifo' | 'socket';
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeMs: number;
  /** When anything about it was last changed, which nobody can set. Absent: not known, and nothing is remembered of the file. */
  readonly ctimeMs?: number;
  readonly dev: number;
  readonly ino: number;
  readonly rdev: number;
}

/** Files core itself may open (law 9): the unit path, its own directories, /proc, /sys, /run. Throws HostError. */
export interface FilePort {
  /** Undefined: it is not there. A pipe is not waited for; HostError EFBIG beyond 64 MiB. */
  readText(path: string): string | undefined;
  /**
   * Many of these texts are about to be asked for: until the next call, readText may tell what a file held at any time since this one.
   * None: it is over.
   */
  readAhead?(paths: readonly string[]): void;
  /**
   * As readText, of a file that core alone writes. A link is not followed, and what may be another's work is not believed: HostError
   * EPERM unless it is a plain file with one name, core's own, and writable to nobody else.
   */
  readOwn(path: string): string | undefined;
  /** At most `maxBytes`, for files with NUL or not UTF-8. */
  readBytes(path: string, maxBytes: number): Uint8Array | undefined;
  /** Sorted by name; undefined: it is not there. */
  list(path: string): string[] | undefined;
  /** Symlinks not followed. */
  lstat(path: string): FileStat | undefined;
  /** Symlinks followed. */
  stat(path: string): FileStat | undefined;
  /** Undefined: it is not there, or no link. */
  readlink(path: string): string | undefined;
  /** Written whole or not at all (temporary file and rename). */
  writeText(path: string, text: string, mode: number): void;
  mkdirs(path: string, mode: number): void;
  symlink(target: string, path: string): void;
  /** Gone already is no error. */
  remove(path: string): void;
  removeTree(path: string): void;
  access(path: string, mode: 'r' | 'w' | 'x'): boolean;
  /** Watch a path that may not exist yet; `path` events. */
  watch(path: string): void;
  unwatch(path: string): void;
}

/** Times. Milliseconds, as floating point with sub-millisecond digits. */
export interface ClockPort {
  /** CLOCK_MONOTONIC. */
  nowMs(): number;
  /** CLOCK_REALTIME since 1970. */
  realMs(): number;
  /** CLOCK_BOOTTIME. */
  bootMs(): number;
  /** One `wake` event at this CLOCK_MONOTONIC time; a new call replaces the old; undefined: none. */
  wakeAt(monotonicMs: number | undefined): void;
}

/** The checkpoint: a full image and appended records, each written whole; see DESIGN section 6. */
export interface StatePort {
  /** The newest usable image and the records after it, as text, in order. `note` says what was wrong, if anything. */
  load(): {
    readonly image: string | undefined;
    readonly records: readonly string[];
    readonly note: string | undefined;
  };
  /** One record, as a whole or not at all. Throws HostError when it cannot be written. */
  append(record: string): void;
  /** A new image, and the records behind it, replace image and records; all at once. */
  replace(image: string, records?: readonly string[]): void;
  /**
   * The same piece by piece, beside image and records, and while more is appended to those: nothing of it counts before `finish`. One
   * that was begun before is forgotten; so is one of which a call throws HostError, and another one may find another place.
   */
  begin(): void;
  /** More text, which must not end between the halves of a character; `ends`: the image, or the record behind it, is whole with it. */
  add(text: string, ends: boolean): void;
  /**
   * Some of the room that what is being written will need; without such a thing, that for the next one, which may find another place if
   * there is none here. @returns whether that is not all of it yet
   */
  reserve(): boolean;
  /** What was written with `add` replaces image and records. */
  finish(): void;
  /** Overwrite in place so that no later start believes what is there. Needs no space. */
  makeVoid(): void;
  /** Bytes appended since the image. */
  readonly appendedBytes: number;
  /** What is not as it should be, though it can be written; empty or absent: nothing. */
  readonly trouble?: string;
  /** It is not where it belongs, but where it ends with the boot; absent: that cannot be. */
  readonly displaced?: boolean;
  /** Look whether it can be where it belongs again; then the next image that is begun goes there. */
  returns?(): boolean;
}

/** A text that init keeps for the next core; it is on no disk, and ends with the boot. Throws HostError: ENOSPC beyond its bound. */
export interface NotesPort {
  load(): string;
  /** Whole or not at all. */
  append(text: string): void;
  /** Whole or not at all. */
  replace(text: string): void;
}

/** Things that may hang (paths that a unit names) or need another program: done elsewhere, answered as an `answer` event with the key. */
export interface HelperPort {
  /** Evaluate path checks: JSON in, JSON out; the form is defined in src/units/conditions.ts. */
  checkPaths(key: string, request: string, deadlineMs: number): void;
}

/** What about a path a path unit waits for: the names of the settings of systemd.path(5). */
export type WatchedKind = 'PathExists' | 'PathExistsGlob' | 'PathChanged' | 'PathModified' | 'DirectoryNotEmpty';

/** Is it told by a change, and not by being there? */
export const isOfChange = (kind: WatchedKind): boolean => kind === 'PathChanged' || kind === 'PathModified';

/** Where it is not there MakeDirectory= makes it. */
export const isMade = (kind: WatchedKind): boolean => kind !== 'PathExists' && kind !== 'PathExistsGlob';

/** A path that is watched. */
export interface WatchedPath {
  readonly kind: WatchedKind;
  readonly path: string;
}

/** What there is of one path that is watched. */
export interface PathSeen {
  /** There is something of that name; of DirectoryNotEmpty=: in that directory, but for hidden files and backups. */
  readonly there: boolean;
  /** The first name that matches a pattern; else the path itself. */
  readonly path: string;
  /** Of PathChanged= and PathModified=: another one once anything about it has changed; null: it is not there. */
  readonly stamp: string | null;
}

/** `name` and `round` are those it was asked under. */
export type PathEvent =
  /**
   * What there is now, in the order of what is watched: once at first, and whenever a path may have come or gone. `missed`: changes since
   * the last such event may not have been told (the first one after {@link PathPort.watch}; the kernel's queue was too long).
   */
  | {
      readonly type: 'paths';
      readonly name: string;
      readonly round: number;
      readonly missed: boolean;
      readonly seen: readonly PathSeen[];
    }
  /** The n-th one, of PathChanged= or PathModified=, has just changed. */
  | { readonly type: 'path-changed'; readonly name: string; readonly round: number; readonly at: number }
  /** They cannot be watched, and nothing is. */
  | {
      readonly type: 'paths-failed';
      readonly name: string;
      readonly round: number;
      readonly errno: string;
      readonly about: string;
    };

/** What path units watch: paths that may not be there yet, and that may hang; so all answers come later. Nothing of it outlives core. */
export interface PathPort {
  /**
   * Watch these, in place of what the name stood for; from the first `paths` event on nothing is missed.
   *
   * @param makeDirectories with this mode, before they are watched (MakeDirectory=); null: none
   */
  watch(name: string, round: number, specs: readonly WatchedPath[], makeDirectories: number | null): void;
  /** A name that is not watched is no error. */
  unwatch(name: string): void;
}

/** Sessions of the API socket. */
export interface ApiPort {
  send(session: number, message: string): void;
  close(session: number): void;
}

/** Core's own log. Never blocks; lines that cannot be written are counted. */
export interface LogPort {
  log(
    level: 'debug' | 'info' | 'notice' | 'warning' | 'error',
    fields: Readonly<Record<string, unknown>>,
    message: string,
  ): void;
  /** A line for the person at the console, besides the log; may be dropped. Absent: there is no console. */
  console?(line: string): void;
}

/** What does not change while core runs. */
export interface MachineFacts {
  readonly bootId: string;
  readonly machineId: string;
  readonly hostname: string;
  readonly kernelRelease: string;
  readonly architecture: string;
  readonly virtualization: string;
  readonly kernelCommandLine: string;
  /** True: uid 0 and able to take on others. */
  readonly privileged: boolean;
  /** Run-time directory of the manager, /run/sysmaster. */
  readonly runDirectory: string;
  /** Environment of core, for unit environments and specifiers; only what init passed. */
  readonly environment: Readonly<Record<string, string>>;
  /** Fields of /etc/os-release, unquoted; absent: not read (os-release(5)). */
  readonly osRelease?: Readonly<Record<string, string>>;
  /** The shell of the user that core runs as; absent: not known. */
  readonly shell?: string;
  /** PRETTY_HOSTNAME of /etc/machine-info; absent: there is none. */
  readonly prettyHostname?: string;
  /** When /usr was last changed, in ms since 1970; absent: not known (ConditionNeedsUpdate=). */
  readonly usrModifiedMs?: number;
  /** Names of the machine plugins that are installed, sorted; absent: not known. */
  readonly machines?: readonly string[];
}

/** All of it. `start` hands over the one callback; events before it are kept. */
export interface Host {
  readonly process: ProcessPort;
  readonly init: InitPort;
  readonly sockets: SocketPort;
  readonly groups: CgroupPort;
  readonly files: FilePort;
  readonly clock: ClockPort;
  readonly state: StatePort;
  /** For a core that comes up without its state. */
  readonly notes: NotesPort;
  /** Units as they were loaded; likewise. */
  readonly loaded: NotesPort;
  readonly helper: HelperPort;
  readonly paths: PathPort;
  readonly api: ApiPort;
  readonly log: LogPort;
  readonly facts: MachineFacts;
  /** Init's hello; available before `start`. */
  readonly hello: Hello;
  /** What was wrong with the places core's own files have, found before there was anybody to tell; a sentence each. */
  readonly found?: readonly string[];
  /** Names and exit codes of the exec helper's steps, by number (0 is fork). */
  readonly execSteps: Readonly<
    Record<number, { readonly name: string; readonly words: string; readonly exitCode: number }>
  >;
  /**
   * Events go to `onEvent`, in batches, in order; `turn` is called after each batch and whenever `schedule` asked for it. `whole`: all
   * that was ready was in the batch, none of it is left for the next.
   */
  start(onEvent: (event: HostEvent) => void, turn: (whole: boolean) => void): void;
  /** Ask for one more turn soon, after input that is ready now. */
  schedule(): void;
  /** Core leaves (re-exec, end). */
  exit(status: number): never;
  /** SHA-256 of a text in lower-case hexadecimal digits, quicker than core can; absent: core makes its own. */
  readonly sha256?: (text: string) => string;
  /** Do nothing for so long, as a core does that hangs; for chaos only. Absent: this host cannot. */
  readonly stall?: (forMs: number) => void;
}

export type Stdio =
  | 'null'
  | { readonly fd: number }
  | { readonly file: { readonly path: string; readonly append: boolean; readonly truncate: boolean } }
  | { readonly tty: { readonly path: string; readonly acquire: 'none' | 'wait' | 'force' | 'fail' } };

/** What the exec helper is told; every field is described in native/link/src/spec.rs. Absent fields have its defaults. */
export interface ExecSpec {
  readonly version: 1;
  readonly unit: string;
  readonly path: string;
  readonly execSearchPath?: readonly string[];
  readonly argv: readonly string[];
  readonly cgroups?: readonly string[];
  readonly expand?: boolean;
  readonly environment?: readonly string[];
  readonly environmentFiles?: readonly { readonly path: string; readonly optional: boolean }[];
  readonly unsetEnvironment?: readonly string[];
  readonly stdin?: Stdio;
  readonly stdout?: Stdio;
  readonly stderr?: Stdio;
  readonly listenFds?: readonly number[];
  readonly listenNames?: readonly string[];
  readonly storedFds?: number;
  readonly nonBlocking?: boolean;
  readonly user?: string;
  readonly group?: string;
  readonly supplementaryGroups?: readonly string[];
  readonly keepCredentials?: boolean;
  readonly delegate?: boolean;
  readonly rootDirectory?: string;
  readonly workingDirectory?: string;
  readonly workingDirectoryOptional?: boolean;
  readonly umask?: number;
  readonly rlimits?: readonly {
    readonly resource: string;
    readonly soft: number | null;
    readonly hard: number | null;
  }[];
  readonly nice?: number;
  readonly oomScoreAdjust?: number;
  readonly cpuSchedulingPolicy?: string;
  readonly cpuSchedulingPriority?: number;
  readonly cpuSchedulingResetOnFork?: boolean;
  readonly ioSchedulingClass?: string;
  readonly ioSchedulingPriority?: number;
  readonly cpuAffinity?: readonly number[];
  readonly ignoreSigpipe?: boolean;
  readonly noNewPrivileges?: boolean;
  readonly capabilityBoundingSet?: readonly string[];
  readonly ambientCapabilities?: readonly string[];
  readonly directories?: readonly {
    readonly kind: 'runtime' | 'state' | 'cache' | 'logs' | 'configuration';
    readonly paths: readonly { readonly path: string; readonly symlinks: readonly string[] }[];
    readonly mode: number;
    readonly root?: string;
  }[];
  readonly personality?: string;
  readonly ttyReset?: boolean;
  readonly ttyVhangup?: boolean;
  readonly keepSession?: boolean;
  readonly nameServiceHelper?: string;
}
