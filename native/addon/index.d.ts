/**
 * The addon as TypeScript sees it; kept by hand beside src/*.rs, where every function is described in full.
 *
 * Descriptors are numbers and belong to the caller. Errors are thrown as `Error` with `code` (errno by name) and, as message,
 * what the call was about. Nothing here waits, except `waitReadable` and `Poller.wait` with a time-out.
 */

export type Sent = 'sent' | 'full' | 'closed';

/** A message of the link: JSON of `FromInit` or `ToInit`; or why it is not one (its descriptors are closed); or the end. */
export interface Frame {
  readonly json?: string;
  readonly fds: number[];
  readonly error?: string;
  readonly closed: boolean;
}

export function sendFrame(link: number, json: string, fds: readonly number[]): Sent;
export function receiveFrames(link: number, max: number): Frame[];
/** For those who play init. */
export function sendAsInit(link: number, json: string, fds: readonly number[]): Sent;
/** For those who play init. */
export function receiveAsInit(link: number, max: number): Frame[];

/** JSON of an ExecSpec into a sealed memfd. */
export function sealSpec(json: string): number;
export function execSteps(): { number: number; name: string; words: string; exitCode: number }[];

/** An epoll instance watched by Node's event loop without a thread: `onReady` is called as long as anything is ready. */
export class Poller {
  constructor();
  watch(onReady: () => void): void;
  /** `interest`: EPOLL bits. */
  add(fd: number, token: number, interest: number): void;
  modify(fd: number, token: number, interest: number): void;
  remove(fd: number): void;
  /** token, events, token, events …; at most 256 pairs. */
  wait(timeoutMs: number): number[];
  keepAlive(keep: boolean): void;
  close(): void;
}
/** True: readable or broken; false: the time is over. */
export function waitReadable(fd: number, timeoutMs: number): boolean;

export interface Peeked {
  readonly text: string;
  readonly pid: number;
  readonly uid: number;
  readonly atNs: string;
  readonly hash: string;
  readonly fds: number;
  /** Too long: dropped when it gets to the head of the queue. */
  readonly junk: boolean;
}
export function preparePeeking(socket: number): void;
export function peekDatagrams(socket: number, max: number): Peeked[];
export function headDescriptors(socket: number, pid: number, atNs: string, hash: string): number[] | null;
export function takeDatagram(socket: number, pid: number, atNs: string, hash: string): boolean;

export interface Peer {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}
export type UnixKind = 'stream' | 'datagram' | 'seqpacket';
export function socket(family: number, kind: number, protocol: number): number;
export function socketPair(kind: UnixKind): [number, number];
/** A path, or `@name`. */
export function bindUnix(fd: number, address: string): void;
export function bindInet(fd: number, host: string, port: number, scope: number): void;
export function bindNetlink(fd: number, groups: number): void;
export function bindVsock(fd: number, cid: number, port: number): void;
export function interfaceNumber(name: string): number;
export function listen(fd: number, backlog: number): void;
export function setSocketOption(fd: number, level: number, option: number, value: number): void;
export function setSocketOptionText(fd: number, level: number, option: number, value: string): void;
export function getSocketOption(fd: number, level: number, option: number): number;
export function acceptUnix(listener: number): { fd: number; peer: Peer } | null;
export function peerCredentials(fd: number): Peer;
export function connectUnix(address: string, kind: UnixKind): number;
export function sendMessage(fd: number, text: string, fds: readonly number[]): Sent;
/** Null: nothing now; empty: the end. */
export function readSome(fd: number, max: number): Uint8Array | null;
/** Bytes written; -1: the other side is gone. */
export function writeSome(fd: number, bytes: Uint8Array, offset: number): number;
export function setNonBlocking(fd: number, on: boolean): void;
/** True: there may be more. */
export function drain(fd: number): boolean;
/** Read end (non-blocking), write end (blocking). */
export function pipe(): [number, number];
export function setPipeSize(fd: number, bytes: number): void;
export function makeFifo(path: string, mode: number): void;
export function openMessageQueue(name: string, mode: number, maxMessages: number, messageSize: number): number;
export function duplicate(fd: number): number;
export function close(fd: number): void;

export function inotifyCreate(): number;
export function inotifyAdd(fd: number, path: string, mask: number): number;
export function inotifyRemove(fd: number, watch: number): void;
export function inotifyRead(fd: number, max: number): { watch: number; mask: number; name?: string }[];
/** False: somebody else has the lock. */
export function lockFile(fd: number): boolean;
export function allocate(fd: number, bytes: number, from?: number): void;
/** A file in memory, without a name in any file system. */
export function memoryFile(name: string): number;
export function openPidfd(pid: number): number;
export function createEventfd(): number;
/** Bytes written; -1: not now. */
export function writeLine(fd: number, line: string): number;
/** Drop the mappings of text that only a start needed; what is used again comes back from the page cache. Throws errno of madvise(2). */
export function letGoOfText(): void;

/** One thread that reads these files in order. */
export class ReadAhead {
  constructor(paths: readonly string[]);
  /** The file at this place of the list; null: it was not read (yet), or is no plain file of UTF-8 of at most 64 KiB, or behind 16 MiB of others. */
  text(at: number): string | null;
  /** Read no more. */
  end(): void;
}

/** _exit(2). */
export function leave(status: number): never;

/** As zlib(3) has it: of `bytes` behind others whose sum is `before`. */
export function crc32(bytes: Uint8Array, before?: number): number;

export type Clock = 'monotonic' | 'realtime' | 'boottime';
export function clockMs(clock: Clock): number;
export function timerCreate(clock: 'monotonic' | 'realtime'): number;
export function timerSet(timer: number, atMs: number | undefined, cancelOnSet: boolean): void;
export function timerRead(timer: number): 'expired' | 'cancelled' | 'waiting';

/** A 64-byte slot that tells init what core is doing. */
export class BlackBox {
  constructor(fd: number);
  static create(): number;
  mark(seq: number, phase: number, actor: string): void;
}

/** JSON of path checks to JSON of answers, here and now. */
export function checkPathsNow(request: string): string;
/** The same on threads that may hang; `fd` is readable when there are answers. */
export class PathChecker {
  constructor();
  readonly fd: number;
  ask(token: number, request: string): void;
  take(): { token: number; json: string }[];
}

/** The other end of a unix connection. */
export interface UnixPeer {
  /** 0: nobody has accepted it yet. */
  readonly peer: number;
  /** Inode of the listener in whose queue it waits; 0: none. */
  readonly listener: number;
  /** Address of the other end or of that listener. */
  readonly name?: string;
}
/** By inode; null: not connected, or of another network namespace. */
export function unixPeer(inode: number): UnixPeer | null;
/** Processes that hold these sockets; at most so many descriptors are looked at. */
export function socketHolders(inodes: readonly number[], maxLinks: number): { inode: number; pid: number }[];
