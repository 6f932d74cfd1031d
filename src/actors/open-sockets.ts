/**
 * What stands behind a socket of a process: its address in words, and who is at the other end, where that is a process of this machine.
 *
 * Addresses come from the tables below /proc/PID/net, the other end of a unix connection from sock_diag(7), that of a TCP connection
 * from the row that has the same two addresses the other way round. A connection that nobody has accepted yet belongs to its listener.
 * Only what is in core's own network namespace can be told of unix sockets. Source: proc(5), unix(7).
 */
import { type Host, HostError } from '../host/ports.ts';

/** A process at the other end of a socket. */
export interface Other {
  readonly pid: number;
  readonly command: string;
  /** The unit whose control group it is in; empty: none. */
  readonly unit: string;
}

export interface OpenSocket {
  /** `tcp 10.0.0.1:443, connecting`, `unix socket /run/x.sock of process 41 (x, of x.service)`. */
  readonly words: string;
  /** Who holds the other end; of a connection that nobody has accepted yet, who listens. */
  readonly others: readonly Other[];
  /** The address of the listener in whose queue the connection waits (`/run/x.sock`, `127.0.0.1:80`); empty: it does not. */
  readonly queued: string;
}

/** Bytes of a table of sockets that are looked at. */
const TABLE_BYTES = 256 << 10;
/** Processes at one other end that are named. */
const OTHERS = 3;
const TCP_STATES: Readonly<Record<string, string>> = { '01': '', '02': ', connecting', '0A': ', listening' };
const LISTENING = '0A';

/** Reads that may be refused or come too late. */
export function attempt<T>(read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch (error) {
    // It has gone meanwhile, or is not ours to look at: there is less to tell, and nothing to do about it.
    if (error instanceof HostError) return undefined;
    throw error;
  }
}

/** The sockets of one process, its tables read once. */
export class Sockets {
  readonly #host: Host;
  readonly #pid: number;
  readonly #tables = new Map<string, readonly (readonly string[])[]>();

  constructor(host: Host, pid: number) {
    this.#host = host;
    this.#pid = pid;
  }

  /** Undefined: it is in no table that can be read. */
  of(inode: string): OpenSocket | undefined {
    return this.#internet(inode) ?? this.#unix(inode);
  }

  #internet(inode: string): OpenSocket | undefined {
    for (const kind of ['tcp', 'udp', 'tcp6', 'udp6']) {
      const fields = this.#rows(kind).find((row) => row[9] === inode);
      if (fields === undefined) continue;
      const [, local = '', remote = '', state = ''] = fields;
      const listening = state === LISTENING || /^0+:0000$/.test(remote);
      const suffix = kind.startsWith('tcp') ? (TCP_STATES[state] ?? '') : '';
      const words = `${kind.slice(0, 3)} ${addressWords(listening ? local : remote)}${suffix}`;
      if (listening || !kind.startsWith('tcp')) return { words, others: [], queued: '' };
      const rows = this.#rows(kind);
      const mirror = rows.find((row) => row[1] === remote && row[2] === local && row[9] !== '0');
      if (mirror !== undefined) return this.#with(words, [mirror[9] as string], '');
      const listener = rows.find((row) => row[3] === LISTENING && listensOn(row[1] ?? '', remote));
      return listener === undefined
        ? { words, others: [], queued: '' }
        : this.#with(words, [listener[9] as string], addressWords(remote));
    }
    return undefined;
  }

  #unix(inode: string): OpenSocket | undefined {
    const row = this.#rows('unix').find((fields) => fields[6] === inode);
    if (row === undefined) return undefined;
    const peer = attempt(() => this.#host.process.unixPeer(Number(inode)));
    const address = row[7] ?? peer?.name;
    const words = `unix socket${address === undefined ? '' : ` ${address}`}`;
    if (peer === undefined) return { words, others: [], queued: '' };
    const end = peer.peer === 0 ? peer.listener : peer.peer;
    return this.#with(words, end === 0 ? [] : [String(end)], peer.peer === 0 ? (peer.name ?? '') : '');
  }

  #with(words: string, inodes: readonly string[], queued: string): OpenSocket {
    const host = this.#host;
    const held = inodes.length === 0 ? [] : (attempt(() => host.process.socketHolders(inodes.map(Number))) ?? []);
    // Init holds what units listen on, and reads none of it.
    const pids = [...new Set(held.map(({ pid }) => pid))].filter((pid) => pid !== host.hello.pid && pid !== this.#pid);
    const others = pids.slice(0, OTHERS).flatMap((pid) => otherOf(host, pid) ?? []);
    const who = others.map(({ pid, command, unit }) => `process ${pid} (${command}${unit === '' ? '' : `, ${unit}`})`);
    const whose = who.length === 0 ? '' : ` of ${who.join(', ')}`;
    return { words: `${words}${whose}${queued === '' ? '' : ', which nobody has accepted yet'}`, others, queued };
  }

  #rows(table: string): readonly (readonly string[])[] {
    const known = this.#tables.get(table);
    if (known !== undefined) return known;
    const bytes = attempt(() => this.#host.files.readBytes(`/proc/${this.#pid}/net/${table}`, TABLE_BYTES));
    const text = Array.from({ length: Math.ceil((bytes?.length ?? 0) / 8192) }, (_, part) =>
      String.fromCharCode(...(bytes as Uint8Array).subarray(part * 8192, (part + 1) * 8192)),
    ).join('');
    const rows = text.split('\n').map((line) => line.trim().split(/\s+/));
    this.#tables.set(table, rows);
    return rows;
  }
}

/** A process by its number; undefined: it is gone. */
export function otherOf(host: Host, pid: number): Other | undefined {
  const seen = attempt(() => host.process.inspect(pid));
  if (seen === undefined) return undefined;
  const unit = seen.group.split('/').findLast((part) => /\.(service|scope|socket|mount|swap)$/.test(part)) ?? '';
  return { pid, command: programName(host, pid, seen.comm), unit };
}

/** A process as people know it: runtimes that name their threads leave `MainThread` where the program's name should be. */
export function programName(host: Host, pid: number, comm: string): string {
  if (comm !== 'MainThread') return comm;
  const path = attempt(() => host.files.readlink(`/proc/${pid}/exe`)) ?? '';
  return path.slice(path.lastIndexOf('/') + 1) || comm;
}

/** Does a listener on `local` take what is sent to `remote`? It may listen on all addresses. */
function listensOn(local: string, remote: string): boolean {
  const [address = '', port] = local.split(':');
  return local === remote || (port === remote.split(':')[1] && /^0+$/.test(address));
}

/** `0100007F:0050` is 127.0.0.1:80: words of the machine's byte order, which is little-endian wherever we run. */
function addressWords(text: string): string {
  const [address = '', port = '0'] = text.split(':');
  const bytes = (address.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse());
  const number = Number.parseInt(port, 16);
  if (bytes.length === 4) return `${bytes.map((byte) => Number.parseInt(byte, 16)).join('.')}:${number}`;
  const groups = Array.from({ length: 8 }, (_, at) => `${bytes[2 * at] ?? '0'}${bytes[2 * at + 1] ?? '0'}`);
  const short = groups.map((group) => group.replace(/^0+(?=.)/, '').toLowerCase()).join(':');
  return `[${short.replace(/(^|:)0(:0)+(:|$)/, '::')}]:${number}`;
}
