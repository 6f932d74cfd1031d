/**
 * What a process is blocked on, as far as /proc tells: the system call it sits in, the kernel's wait channel, and the file or
 * socket that the call is about. A shell that waits for its child is followed to the child.
 *
 * Only files that never touch the memory of the process are read, so that none of them can hang. Everything may be missing (no
 * permission, a kernel without it): then less is said. Source: proc(5), syscall(2).
 */
import type { Host } from '../host/ports.ts';
import { attempt, type OpenSocket, programName, Sockets } from './open-sockets.ts';

export interface Blocked {
  readonly pid: number;
  /** The program's name, as the kernel has it (15 characters). */
  readonly command: string;
  /** R, S, D, Z, T … (proc(5)); empty: unknown. */
  readonly state: string;
  /** The kernel function it sleeps in; empty: it runs, or nobody tells. */
  readonly channel: string;
  /** In words: `connects to 10.0.0.1:80`, `reads pipe:[41]`; empty: not known. */
  readonly doing: string;
  /** The child it waits for. */
  readonly child: Blocked | undefined;
  /** The connected sockets that it waits on; more than one where it polls them. */
  readonly sockets: readonly OpenSocket[];
}

/** Processes that are followed one below the other. */
const DEPTH = 5;
/** Children of a process that are looked at, for one that is stopped. */
const CHILDREN = 8;
/** Descriptors of a process that polls that are looked at, and sockets of it that are told. */
const DESCRIPTORS = 64;
const POLLED = 4;

type About = 'fd' | 'path' | 'child' | 'none';

/** Calls that wait: name, number on x86-64 and arm64 (absent there), what the first argument is, and words. */
const CALLS: readonly (readonly [name: string, x64: number, arm64: number, about: About, words: string])[] = [
  ['read', 0, 63, 'fd', 'reads'],
  ['write', 1, 64, 'fd', 'writes to'],
  ['readv', 19, 65, 'fd', 'reads'],
  ['writev', 20, 66, 'fd', 'writes to'],
  ['open', 2, -1, 'path', 'opens a file'],
  ['openat', 257, 56, 'path', 'opens a file'],
  ['connect', 42, 203, 'fd', 'connects by'],
  ['accept', 43, 202, 'fd', 'waits for a connection on'],
  ['accept4', 288, 242, 'fd', 'waits for a connection on'],
  ['recvfrom', 45, 207, 'fd', 'receives from'],
  ['recvmsg', 47, 212, 'fd', 'receives from'],
  ['sendto', 44, 206, 'fd', 'sends to'],
  ['sendmsg', 46, 211, 'fd', 'sends to'],
  ['poll', 7, -1, 'none', 'polls its descriptors'],
  ['ppoll', 271, 73, 'none', 'polls its descriptors'],
  ['select', 23, -1, 'none', 'polls its descriptors'],
  ['pselect6', 270, 72, 'none', 'polls its descriptors'],
  ['epoll_wait', 232, -1, 'none', 'polls its descriptors'],
  ['epoll_pwait', 281, 22, 'none', 'polls its descriptors'],
  ['epoll_pwait2', 441, 441, 'none', 'polls its descriptors'],
  ['futex', 202, 98, 'none', 'waits for a lock or another thread'],
  ['nanosleep', 35, 101, 'none', 'sleeps'],
  ['clock_nanosleep', 230, 115, 'none', 'sleeps'],
  // A shell's wait builtin may be one of these two, until SIGCHLD.
  ['pause', 34, -1, 'child', 'waits for a signal'],
  ['rt_sigsuspend', 130, 133, 'child', 'waits for a signal'],
  ['rt_sigtimedwait', 128, 137, 'none', 'waits for a signal'],
  ['wait4', 61, 260, 'child', 'waits for a child'],
  ['waitid', 247, 95, 'child', 'waits for a child'],
  ['flock', 73, 32, 'fd', 'waits for a lock on'],
  ['fcntl', 72, 25, 'fd', 'waits for a lock on'],
  ['fsync', 74, 82, 'fd', 'writes to disk'],
  ['fdatasync', 75, 83, 'fd', 'writes to disk'],
  ['mount', 165, 40, 'none', 'mounts'],
  ['umount2', 166, 39, 'none', 'unmounts'],
  ['stat', 4, -1, 'none', 'looks at a path'],
  ['newfstatat', 262, 79, 'none', 'looks at a path'],
  ['getrandom', 318, 278, 'none', 'waits for random numbers'],
];

/** Undefined: there is no such process. */
export function blockedOn(host: Host, pid: number, depth = DEPTH): Blocked | undefined {
  const read = (name: string) => attempt(() => host.files.readText(`/proc/${pid}/${name}`));
  const stat = read('stat');
  const match = stat === undefined ? null : /^\d+ \((.*)\) (\S)/s.exec(stat);
  if (match === null) return undefined;
  const channel = (read('wchan') ?? '').trim();
  const syscall = read('syscall');
  const call = callOf(syscall, host.facts.architecture);
  const child = call?.[3] === 'child' ? childOf(host, pid, depth) : undefined;
  const { doing, sockets } = call === undefined ? { doing: '', sockets: [] } : waitOf(host, pid, call, syscall ?? '');
  return {
    pid,
    command: programName(host, pid, match[1] as string),
    state: match[2] as string,
    channel: channel === '0' ? '' : channel,
    doing,
    child,
    sockets,
  };
}

function childOf(host: Host, pid: number, depth: number): Blocked | undefined {
  if (depth <= 1) return undefined;
  const children = attempt(() => host.files.readText(`/proc/${pid}/task/${pid}/children`));
  let first: Blocked | undefined;
  for (const word of (children ?? '').trim().split(' ').slice(0, CHILDREN)) {
    const child = /^\d+$/.test(word) ? blockedOn(host, Number(word), depth - 1) : undefined;
    if (child === undefined || child.state === 'Z') continue;
    // One that is stopped goes on only when somebody has it go on.
    if (child.state === 'T' || child.state === 't') return child;
    first ??= child;
  }
  return first;
}

function callOf(text: string | undefined, architecture: string): (typeof CALLS)[number] | undefined {
  const number = /^(\d+) /.exec(text ?? '')?.[1];
  if (number === undefined) return undefined;
  const column = architecture === 'arm64' ? 2 : architecture === 'x86-64' ? 1 : undefined;
  return column === undefined ? undefined : CALLS.find((call) => call[column] === Number(number));
}

/** What a call is about, in words, and its sockets. */
function waitOf(
  host: Host,
  pid: number,
  call: (typeof CALLS)[number],
  text: string,
): { readonly doing: string; readonly sockets: readonly OpenSocket[] } {
  const [name, , , about, words] = call;
  const sockets = new Sockets(host, pid);
  const socketOf = (link: string | undefined): OpenSocket | undefined => {
    const inode = /^socket:\[(\d+)\]$/.exec(link ?? '')?.[1];
    return inode === undefined ? undefined : sockets.of(inode);
  };
  if (about === 'fd') {
    const fd = Number.parseInt(/^\d+ (0x[0-9a-f]+)/.exec(text)?.[1] ?? '', 16);
    const link = Number.isNaN(fd) ? undefined : linkOf(host, pid, fd);
    const socket = socketOf(link);
    const file = socket?.words ?? link ?? `descriptor ${fd}`;
    return { doing: `${words} ${file} (${name})`, sockets: socket === undefined ? [] : [socket] };
  }
  if (words !== 'polls its descriptors') return { doing: `${words} (${name})`, sockets: [] };
  const found: OpenSocket[] = [];
  for (const fd of (attempt(() => host.files.list(`/proc/${pid}/fd`)) ?? []).slice(0, DESCRIPTORS)) {
    const socket = found.length === POLLED ? undefined : socketOf(linkOf(host, pid, fd));
    if (socket !== undefined) found.push(socket);
  }
  const told = found.map((socket) => socket.words).join(', ');
  return { doing: `${words} (${name})${told === '' ? '' : `: ${told}`}`, sockets: found };
}

const linkOf = (host: Host, pid: number, fd: number | string) =>
  attempt(() => host.files.readlink(`/proc/${pid}/fd/${fd}`));

/** What is said of a process by its state, where nothing is known of what it does (proc(5), /proc/pid/stat). */
const STATES: Readonly<Record<string, string>> = {
  ...{ R: 'runs', Z: 'has ended', T: 'is stopped', t: 'is stopped by a tracer' },
};

/** `process 41 (curl) connects by tcp 10.0.0.1:80, connecting (connect) [inet_wait_for_connect]`, followed to the child. */
export function blockedWords(blocked: Blocked): string {
  const { pid, command, state, channel, doing, child } = blocked;
  const plain = STATES[state] ?? 'sleeps';
  const how = state === 'D' ? `${doing || 'sleeps'}, and cannot be interrupted` : doing || plain;
  const where = channel === '' ? '' : ` [${channel}]`;
  const own = `process ${pid} (${command}) ${how}${where}`;
  return child === undefined ? own : `${own}: ${blockedWords(child)}`;
}
