/** Processes through init, and what /proc says of one. */
import { readFileSync } from 'node:fs';
import type { EffectId, ExecSpec, KillTarget, ProcessPort, UnixPeer } from '../ports.ts';
import { addon } from './addon.ts';
import { attempt, unless } from './errors.ts';
import type { Link } from './link.ts';
import type { Outstanding } from './outstanding.ts';

/** Descriptors looked at in search of who holds a socket: some 20 ms. */
const LINKS_MAX = 16_384;
/** Errors that say a process is gone; ESRCH comes from a read after the open. */
const GONE = ['ENOENT', 'ESRCH'];

export class NodeProcesses implements ProcessPort {
  readonly #link: Link;
  readonly #groupPrefix: string;
  readonly #outstanding: Outstanding;
  #acked = 0;
  #ackWanted = 0;

  /** @param groupPrefix what /proc/PID/cgroup says of init's own root: '' or '/some/group' */
  constructor(link: Link, groupPrefix: string, outstanding: Outstanding) {
    this.#link = link;
    this.#outstanding = outstanding;
    this.#groupPrefix = groupPrefix;
  }

  spawn(id: EffectId, tag: string, spec: ExecSpec, fds: readonly string[]): void {
    const memfd = attempt(`exec spec of ${tag}`, () => addon.sealSpec(JSON.stringify(spec)));
    try {
      this.#link.send({ spawn: { id, tag, fds } }, [memfd]);
      this.#outstanding.began(id, tag);
    } finally {
      addon.close(memfd);
    }
  }

  kill(id: EffectId, target: KillTarget, signal: number): void {
    this.#link.send({ kill: { id, target, signal } });
  }

  watch(id: EffectId, tag: string, pid: number, startTime: number): void {
    this.#link.send({ watch: { id, tag, pid, startTime } });
  }

  accept(id: EffectId, listener: string, name: string): void {
    this.#link.send({ accept: { id, listener, name } });
  }

  /** Sent once a round, by `flush`: only the highest number counts. */
  ack(through: number): void {
    this.#ackWanted = Math.max(this.#ackWanted, through);
  }

  flush(): void {
    if (this.#ackWanted === this.#acked) return;
    this.#link.send({ ack: { through: this.#ackWanted } });
    this.#acked = this.#ackWanted;
  }

  inspect(
    pid: number,
  ): { readonly ppid: number; readonly startTime: number; readonly group: string; readonly comm: string } | undefined {
    const about = `/proc/${pid}`;
    const stat = unless(GONE, about, () => readFileSync(`${about}/stat`, 'utf8'));
    const groups = unless(GONE, about, () => readFileSync(`${about}/cgroup`, 'utf8'));
    if (stat === undefined || groups === undefined) return undefined;
    // The command may hold spaces and parentheses: the last parenthesis ends it (proc(5)).
    const open = stat.indexOf('(');
    const close = stat.lastIndexOf(')');
    const fields = stat.slice(close + 2).split(' ');
    return {
      comm: stat.slice(open + 1, close),
      ppid: Number(fields[1]), // field 4
      startTime: Number(fields[19]), // field 22
      group: this.#below(groups),
    };
  }

  unixPeer(inode: number): UnixPeer | undefined {
    return attempt(`socket ${inode}`, () => addon.unixPeer(inode)) ?? undefined;
  }

  socketHolders(inodes: readonly number[]): readonly { readonly inode: number; readonly pid: number }[] {
    return attempt('/proc', () => addon.socketHolders(inodes, LINKS_MAX)).filter(({ pid }) => pid !== process.pid);
  }

  /** Path below init's root as the group port takes it; a group elsewhere keeps its leading slash. */
  #below(groups: string): string {
    const line = groups.split('\n').find((one) => one.startsWith('0::'));
    const path = (line?.slice(3) ?? '/').replace(/ \(deleted\)$/, '');
    if (path === this.#groupPrefix || (this.#groupPrefix === '' && path === '/')) return '';
    return path.startsWith(`${this.#groupPrefix}/`) ? path.slice(this.#groupPrefix.length + 1) : path;
  }
}
