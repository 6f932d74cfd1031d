/**
 * Init, as core sees it through the link: the same words and promises as native/init, with virtual processes below.
 *
 * Records are numbered, kept until acknowledged, and repeated to every new core; a repeated effect is answered with what
 * became of the first one and never done again (DESIGN laws 1 and 4). All of this outlives core.
 */
import {
  type BlackBox,
  type EffectId,
  type Ended,
  type ExecSpec,
  type Heir,
  type Hello,
  type HelloChild,
  type InitRecord,
  type KillTarget,
  LEAVES,
  type Left,
  type ProcessRef,
  REEXEC_ID,
  type Report,
  type ShutdownKind,
} from '../ports.ts';
import { ERRNO, type Kernel } from './kernel.ts';
import type { Process, Processes } from './processes.ts';
import type { Sockets } from './sockets.ts';

interface Child {
  readonly id: EffectId;
  readonly tag: string;
  readonly serial: number;
  readonly process: Process;
  execed: boolean;
}

/** What init knows of an effect that may not be done again: for as long as there is something left to answer with. */
interface Known {
  /** The number of its last record. */
  last: number;
  child: Child | undefined;
  watching: boolean;
}

interface Watch {
  readonly id: EffectId;
  readonly tag: string;
  readonly pid: number;
  readonly startTime: number;
}

interface Kept {
  record: InitRecord;
  /** The effect it answers. */
  readonly answers: string | undefined;
}

interface Orphan {
  readonly pid: number;
  readonly startTime: number;
  readonly ended: Ended;
}

/** What init was told about the end of the system. */
export interface EndOrder {
  readonly kind: ShutdownKind;
  readonly deadlineMs: number;
  readonly now: boolean;
  readonly status: number;
  readonly argument: string;
}

/** What a new core hears at once; the simulator may change it for a test. */
export type HelloFacts = Pick<Hello, 'role' | 'pid' | 'cgroupRoot' | 'canSetUid'>;

const RING_MAX = 4_096;
/** The most processes that a report `left` names. */
const LEFT_MAX = 16;
/** Bounds of a frame, as native/init/src/step.rs has them. */
const TAG_BYTES_MAX = 4_096;
const NAME_BYTES_MAX = 255;
const SIGNAL_MAX = 64;
const DEATHS_MAX = 3;
/** How long the program of another init takes to say whether it understands the state. */
const CHECK_MS = 1;

export class VirtualInit {
  end: EndOrder | undefined;
  ackedThrough = 0;
  epoch = 0;
  cores = 0;
  safeMode = false;
  /** What core asks for counts as not having left it. */
  linkFull = false;
  deaths: BlackBox[] = [];
  /** Every death, oldest first; for tests. */
  readonly allDeaths: BlackBox[] = [];
  /** What it keeps for a core without its state, and units as they were loaded. */
  readonly notes = { text: '' };
  readonly loaded = { text: '' };
  /** Core has asked to be started anew: its end is no death. */
  leaving = false;
  /** True: the next spawns fail as fork does without memory or processes. */
  forkFails: () => boolean = () => false;
  /** What the n-th spawn comes to for want of room in init's tables or the kernel's; undefined: there is room. */
  noRoom: (spawn: number, tag: string) => 'refused' | 'fork' | undefined = () => undefined;
  /** Hands a record to the present core. */
  deliver: (record: InitRecord) => void = () => {};
  refuse: (id: EffectId | null, errno: number, why: string) => void = () => {};

  /** Is this program an init that understands the state of this one? */
  isInit: (path: string) => boolean = (path) => path.startsWith('/usr/lib/sysmaster/');

  readonly #kernel: Kernel;
  readonly #processes: Processes;
  readonly #sockets: Sockets;
  readonly #facts: HelloFacts;
  readonly #records: Kept[] = [];
  readonly #children = new Map<number, Child>();
  readonly #known = new Map<string, Known>();
  readonly #watches = new Map<string, Watch>();
  readonly #ring: Orphan[] = [];
  #isChecking = false;
  #spawns = 0;
  #ownIds = 0;
  #nextRecord = 1;
  #nextSerial = 1;

  constructor(kernel: Kernel, processes: Processes, sockets: Sockets, facts: HelloFacts) {
    this.#kernel = kernel;
    this.#processes = processes;
    this.#sockets = sockets;
    this.#facts = facts;
  }

  hello(): Hello {
    const children: HelloChild[] = [...this.#children.values()].map(({ id, tag, serial, process, execed }) => ({
      id,
      tag,
      serial,
      pid: process.pid,
      startTime: process.startTime,
      execed,
    }));
    const stopping = this.end !== undefined && !this.end.now ? this.end.kind : null;
    const { epoch, cores, safeMode, deaths } = this;
    return {
      ...this.#facts,
      epoch,
      cores,
      safeMode,
      stopping,
      deaths: [...deaths],
      children,
      fds: this.#sockets.names(),
      records: this.#records.length,
    };
  }

  /** Effects that it would answer for, and processes that it watches: what must not grow with time. */
  get remembers(): { readonly effects: number; readonly watches: number } {
    return { effects: this.#known.size, watches: this.#watches.size };
  }

  /** Everything not acknowledged, for a new core. */
  records(): readonly InitRecord[] {
    return this.#records.map(({ record }) => record);
  }

  died(death: BlackBox): void {
    this.cores += 1;
    const left = this.leaving;
    this.leaving = false;
    if (left) return;
    this.allDeaths.push(death);
    this.deaths = [death, ...this.deaths].slice(0, DEATHS_MAX);
  }

  spawn(id: EffectId, tag: string, spec: ExecSpec, fds: readonly string[]): void {
    if (this.#isRepeat(id) || this.#isTooLong(id, tag, fds)) return;
    if (this.end?.now === true) {
      this.refuse(id, ERRNO.ESHUTDOWN, 'the system is ending');
      return;
    }
    this.#spawns += 1;
    const room = this.noRoom(this.#spawns, tag);
    if (room === 'refused') {
      this.refuse(id, ERRNO.EAGAIN, 'the tables are full; acknowledge records and try again');
      return;
    }
    const missing = fds.find((name) => !this.#sockets.stored(name));
    if (missing !== undefined || room === 'fork' || this.forkFails()) {
      const errno = missing === undefined ? ERRNO.EAGAIN : ERRNO.ENOENT;
      this.#report(id, { 'spawn-failed': { id, tag, serial: null, step: 0, errno, detail: missing ?? 'fork' } });
      return;
    }
    const group = groupOf(spec, this.#facts.cgroupRoot);
    const environment = Object.fromEntries((spec.environment ?? []).map(assignment));
    const { path, argv, unit } = spec;
    const process = this.#processes.fork({ path, argv, environment, unit, group, ppid: 1, tag });
    const child: Child = { id, tag, serial: this.#nextSerial, process, execed: false };
    this.#nextSerial += 1;
    this.#children.set(process.pid, child);
    this.#know(id).child = child;
    const { serial } = child;
    this.#report(id, { forked: { id, tag, serial, pid: process.pid, startTime: process.startTime } });
    this.#kernel.after(process.program.execAfterMs ?? 1, () => this.#exec(child));
  }

  #exec(child: Child): void {
    const { id, tag, serial, process } = child;
    if (this.#processes.get(process.pid) !== process) return;
    const { fails } = process.program;
    if (fails === undefined) {
      child.execed = true;
      this.#report(id, { execed: { id, tag, serial } });
      this.#processes.exec(process);
      return;
    }
    const { step, errno, detail } = fails;
    this.#report(id, { 'spawn-failed': { id, tag, serial, step, errno, detail: detail ?? process.path } });
    this.#processes.end(process, { exited: this.exitCodeOf(step) });
  }

  /** systemd's exit code for a failed step; set by the simulator. */
  exitCodeOf: (step: number) => number = () => 203;

  kill(id: EffectId, target: KillTarget, signal: number): void {
    if (this.#isRepeat(id)) return;
    const isGroup = 'group' in target;
    if (signal < 1 || signal > SIGNAL_MAX || (isGroup && !isGroupPath(target.group.path))) {
      this.refuse(id, ERRNO.EINVAL, isGroup ? 'that is no signal, or no group' : 'that is no signal');
      return;
    }
    if (isGroup && this.#facts.cgroupRoot === '') {
      this.#report(id, { failed: { id, errno: ERRNO.EOPNOTSUPP } });
      return;
    }
    const pids = this.#targets(target).filter((pid) => this.#processes.get(pid) !== undefined);
    // The answer stands before the exits it causes: a signal is sent before anything is reaped.
    if (pids.length > 0) this.#report(id, { signalled: { id, count: pids.length } });
    else this.#report(id, { gone: { id } });
    for (const pid of pids) this.#processes.signal(pid, signal);
  }

  #targets(target: KillTarget): readonly number[] {
    if ('process' in target) return [this.#pidOf(target.process)].filter((pid) => pid !== undefined);
    const except = target.group.except.map((ref) => this.#pidOf(ref));
    return this.#processes
      .members(target.group.path)
      .map(({ pid }) => pid)
      .filter((pid) => !except.includes(pid));
  }

  #pidOf(ref: ProcessRef): number | undefined {
    if ('child' in ref) return [...this.#children.values()].find(({ serial }) => serial === ref.child)?.process.pid;
    const [pid, startTime] = ref.watched;
    return this.#processes.get(pid)?.startTime === startTime ? pid : undefined;
  }

  watch(id: EffectId, tag: string, pid: number, startTime: number): void {
    if (this.#isRepeat(id) || this.#isTooLong(id, tag, [])) return;
    if (pid <= 0) {
      this.refuse(id, ERRNO.EINVAL, 'that is no pid');
      return;
    }
    const process = this.#processes.get(pid);
    if (process !== undefined && (startTime === 0 || process.startTime === startTime)) {
      this.#watches.set(keyOf(id), { id, tag, pid, startTime: process.startTime });
      this.#know(id).watching = true;
      this.#report(id, { done: { id } });
      return;
    }
    const isIt = (one: { pid: number; startTime: number }) =>
      one.pid === pid && (startTime === 0 || one.startTime === startTime);
    const heir = this.#records.flatMap(({ record }) => ends(record)).findLast((one) => isIt(one) && one.ended !== null);
    const ended = heir?.ended ?? this.#ring.findLast(isIt)?.ended ?? null;
    this.#report(id, { 'watched-exited': { id, tag, pid, ended } });
  }

  accept(id: EffectId, listener: string, name: string): void {
    if (this.#isRepeat(id) || this.#isTooLong(id, '', [name])) return;
    const errno = this.#sockets.cannotAccept(listener);
    const peer = errno === undefined ? this.#sockets.accept(listener, name) : undefined;
    if (peer === undefined) this.#report(id, { failed: { id, errno: errno ?? ERRNO.EAGAIN } });
    else this.#report(id, { accepted: { id, name, peerPid: peer.pid, peerUid: peer.uid, peer: peer.address } });
  }

  /** An id of the host's own, which no actor's effect has. */
  ownId(): EffectId {
    this.#ownIds += 1;
    return { epoch: 0, seq: this.#ownIds, index: 0 };
  }

  /** store-fd and drop-fd, as the socket port sends them: done once, answered by `done`. */
  once(id: EffectId, names: readonly string[], work: () => void): void {
    if (this.#isRepeat(id) || this.#isTooLong(id, '', names)) return;
    work();
    this.#report(id, { done: { id } });
  }

  ack(through: number): void {
    if (through >= this.#nextRecord) {
      this.refuse(null, ERRNO.EINVAL, 'there is no such record yet');
      return;
    }
    this.ackedThrough = Math.max(this.ackedThrough, through);
    while (this.#records[0] !== undefined && this.#records[0].record.number <= through) {
      const { answers, record } = this.#records.shift() as Kept;
      // Core may watch them a turn later: they are the newest of the ring then.
      for (const { pid, startTime, ended } of ends(record))
        if (ended !== null) this.#remember({ pid, startTime, ended });
      if (answers !== undefined) this.#settle(answers);
    }
  }

  /** The stop phase begins, or, `now`, the end. False: it is refused. */
  shutdown(order: EndOrder): boolean {
    if (order.kind === 'soft-reboot' || order.kind === 'switch-root') {
      this.refuse(null, ERRNO.EOPNOTSUPP, 'this kind of shutdown is reserved');
      return false;
    }
    if (this.end?.now !== true) this.end = order;
    return true;
  }

  /** A signal to init itself. */
  signal(signal: number): void {
    this.#report(undefined, { signal: { signal } });
  }

  /** A process that init is the parent of has ended. */
  reaped(process: Process, ended: Ended): void {
    const { pid, startTime } = process;
    this.#endWatches(pid, startTime, ended);
    const child = this.#children.get(pid);
    if (child === undefined) this.#heirEnded(process, ended);
    else {
      this.#children.delete(pid);
      const heirs = child.tag.endsWith(LEAVES) ? this.#leftBy(process) : [];
      const line = heirs.length === 1;
      if (heirs.length > 0) this.#report(child.id, { left: { tag: child.tag, pid, line, heirs } });
      this.#report(child.id, { exited: { tag: child.tag, serial: child.serial, pid, ended } });
      this.#know(child.id).child = undefined;
    }
    this.#remember({ pid, startTime, ended });
  }

  #remember(orphan: Orphan): void {
    this.#ring.push(orphan);
    if (this.#ring.length > RING_MAX) this.#ring.shift();
  }

  /** Processes of its group that have become init's. */
  #leftBy({ group }: Process): Heir[] {
    return (group === '' ? [] : this.#processes.members(group))
      .filter((one) => one.ppid === 1 && !this.#children.has(one.pid))
      .sort((a, b) => a.pid - b.pid)
      .slice(0, LEFT_MAX)
      .map(({ pid, startTime }) => ({ pid, startTime, ended: null }));
  }

  /** A process that somebody has left behind has ended: that is noted where it stands. What core has been told stays as it was. */
  #heirEnded(process: Process, ended: Ended): void {
    const isIt = (heir: Heir | undefined) => heir?.pid === process.pid && heir.startTime === process.startTime;
    for (const kept of this.#records) {
      const left = leftIn(kept.record);
      if (left?.heirs.some(isIt) !== true) continue;
      const goesOn =
        left.line && left.heirs.length < LEFT_MAX && isIt(left.heirs.at(-1)) && 'exited' in ended && ended.exited === 0;
      const next = goesOn ? this.#leftBy(process) : [];
      const heirs = [
        ...left.heirs.map((heir) => (isIt(heir) ? { ...heir, ended: heir.ended ?? ended } : heir)),
        ...(next.length === 1 ? next : []),
      ];
      kept.record = { ...kept.record, what: { left: { ...left, heirs } } };
    }
  }

  /** A process with another parent has ended: that it is gone is all init can say. */
  vanished({ pid, startTime }: Process): void {
    this.#endWatches(pid, startTime, null);
  }

  #endWatches(pid: number, startTime: number, ended: Ended | null): void {
    for (const [key, watch] of [...this.#watches]) {
      if (watch.pid !== pid || watch.startTime !== startTime) continue;
      this.#watches.delete(key);
      this.#report(watch.id, { 'watched-exited': { id: watch.id, tag: watch.tag, pid, ended } });
      this.#know(watch.id).watching = false;
    }
  }

  /**
   * Another init takes over; all of this is what it is handed. First it is looked at whether it can read that, which takes a while; see
   * {@link isInit}.
   */
  reexec(path: string): void {
    if (path !== '' && !path.startsWith('/'))
      return this.refuse(null, ERRNO.EINVAL, 'the path of an init must be absolute');
    if (this.#isChecking) return this.refuse(null, ERRNO.EALREADY, 'a re-exec is under way');
    if (this.end?.now === true) return this.refuse(null, ERRNO.ESHUTDOWN, 'the system is ending');
    this.#isChecking = true;
    this.#kernel.after(CHECK_MS, () => {
      this.#isChecking = false;
      if (path === '' || this.isInit(path)) this.#report(undefined, { done: { id: REEXEC_ID } });
      else this.refuse(null, ERRNO.ENOEXEC, 'the new init does not understand the state; the old one goes on');
    });
  }

  #report(id: EffectId | undefined, what: Report): void {
    const record: InitRecord = { number: this.#nextRecord, atUs: Math.round(this.#kernel.nowMs * 1000), what };
    this.#nextRecord += 1;
    this.#records.push({ record, answers: id === undefined ? undefined : keyOf(id) });
    if (id !== undefined) this.#know(id).last = record.number;
    this.deliver(record);
  }

  #know(id: EffectId): Known {
    const key = keyOf(id);
    const known = this.#known.get(key) ?? { last: 0, child: undefined, watching: false };
    this.#known.set(key, known);
    return known;
  }

  /** Forget an effect when nothing is left to answer with. From then on it would be done again: core must not ask. */
  #settle(key: string): void {
    const known = this.#known.get(key);
    const oldest = this.#records[0]?.record.number ?? this.#nextRecord;
    if (known?.child === undefined && known?.watching !== true && (known?.last ?? 0) < oldest) this.#known.delete(key);
  }

  /** One that was asked for before is answered: with the records that are kept, and with what its live child is by now. */
  #isRepeat(id: EffectId): boolean {
    this.epoch = Math.max(this.epoch, id.epoch);
    const key = keyOf(id);
    const known = this.#known.get(key);
    if (known === undefined) return false;
    const kept = this.#records.filter(({ answers }) => answers === key).map(({ record }) => record);
    const says = (word: string) => kept.some(({ what }) => word in what);
    for (const record of kept) this.deliver(record);
    const { child, watching } = known;
    if (child !== undefined) {
      const { tag, serial, process } = child;
      const { pid, startTime } = process;
      if (!says('forked')) this.#report(id, { forked: { id, tag, serial, pid, startTime } });
      if (child.execed && !says('execed')) this.#report(id, { execed: { id, tag, serial } });
    }
    if (watching && !says('done')) this.#report(id, { done: { id } });
    return true;
  }

  #isTooLong(id: EffectId, tag: string, names: readonly string[]): boolean {
    const bytes = (text: string) => new TextEncoder().encode(text).length;
    if (bytes(tag) <= TAG_BYTES_MAX && names.every((name) => name !== '' && bytes(name) <= NAME_BYTES_MAX))
      return false;
    this.refuse(id, ERRNO.EMSGSIZE, 'a tag is longer than 4096 bytes, or a name is empty or longer than 255');
    return true;
  }
}

const leftIn = ({ what }: InitRecord): Left | undefined => ('left' in what ? what.left : undefined);

/** The heirs that a record names, and how each has ended: in a line as the last of it that has. */
function ends(record: InitRecord): readonly Heir[] {
  const { line = false, heirs = [] } = leftIn(record) ?? {};
  return heirs.map((heir, at) =>
    line && heir.ended !== null
      ? { ...heir, ended: heirs.slice(at).findLast((later) => later.ended !== null)?.ended ?? heir.ended }
      : heir,
  );
}

export function keyOf(id: EffectId): string {
  return `${id.epoch}.${id.seq}.${id.index}`;
}

function assignment(text: string): [string, string] {
  const at = text.indexOf('=');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function groupOf(spec: ExecSpec, root: string): string {
  const path = spec.cgroups?.[0];
  if (path === undefined || root === '') return '';
  if (path === root) return '';
  return path.startsWith(`${root}/`) ? path.slice(root.length + 1) : '';
}

/** A relative path without empty, `.` or `..` components. */
function isGroupPath(path: string): boolean {
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}
