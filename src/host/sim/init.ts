/**
 * Init, as core sees it through the link: the same words and promises as native/init, with virtual processes below.
 *
 * Records are numbered, kept until acknowledged, and repeated to every new core; a repeated effect is answered with what
 * became of the first one and never done again (DESIGN laws 1 and 4). All of this outlives core.
 */
import type {
  BlackBox,
  EffectId,
  Ended,
  ExecSpec,
  Hello,
  HelloChild,
  InitRecord,
  KillTarget,
  ProcessRef,
  Report,
  ShutdownKind,
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

interface Watch {
  readonly id: EffectId;
  readonly tag: string;
  readonly pid: number;
  readonly startTime: number;
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
const DEATHS_MAX = 3;

export class VirtualInit {
  /** Every effect ever asked for, and how often: a `once` effect asked for twice was not done twice. */
  readonly asked = new Map<string, number>();
  /** Ask for the same effect again and nothing is answered yet, or the answer was acknowledged: told here. */
  readonly repeats: string[] = [];
  end: EndOrder | undefined;
  ackedThrough = 0;
  epoch = 0;
  cores = 0;
  safeMode = false;
  deaths: BlackBox[] = [];
  /** True: the next spawns fail as fork does without memory or processes. */
  forkFails: () => boolean = () => false;
  /** Hands a record to the present core. */
  deliver: (record: InitRecord) => void = () => {};
  refuse: (id: EffectId | null, errno: number, why: string) => void = () => {};

  readonly #kernel: Kernel;
  readonly #processes: Processes;
  readonly #sockets: Sockets;
  readonly #facts: HelloFacts;
  readonly #records: { readonly record: InitRecord; readonly answers: string | undefined }[] = [];
  readonly #children = new Map<number, Child>();
  readonly #watches = new Map<string, Watch>();
  readonly #ring: Orphan[] = [];
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
    };
  }

  /** Everything not acknowledged, for a new core. */
  records(): readonly InitRecord[] {
    return this.#records.map(({ record }) => record);
  }

  died(death: BlackBox): void {
    this.cores += 1;
    this.deaths = [death, ...this.deaths].slice(0, DEATHS_MAX);
  }

  spawn(id: EffectId, tag: string, spec: ExecSpec, fds: readonly string[]): void {
    if (this.#isRepeat(id)) return;
    const missing = fds.find((name) => !this.#sockets.stored(name));
    if (missing !== undefined || this.forkFails()) {
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
    if (this.#isRepeat(id)) return;
    const process = this.#processes.get(pid);
    this.#report(id, { done: { id } });
    if (process !== undefined && (startTime === 0 || process.startTime === startTime)) {
      this.#watches.set(keyOf(id), { id, tag, pid, startTime: process.startTime });
      return;
    }
    const orphan = this.#ring.findLast((one) => one.pid === pid && (startTime === 0 || one.startTime === startTime));
    this.#report(id, { 'watched-exited': { id, tag, pid, ended: orphan?.ended ?? null } });
  }

  accept(id: EffectId, listener: string, name: string): void {
    if (this.#isRepeat(id)) return;
    const peer = this.#sockets.accept(listener, name);
    if (peer === undefined) {
      this.#report(id, { failed: { id, errno: this.#sockets.stored(listener) ? ERRNO.EAGAIN : ERRNO.ENOENT } });
    } else this.#report(id, { accepted: { id, name, peerPid: peer.pid, peerUid: peer.uid, peer: peer.address } });
  }

  /** store-fd and drop-fd, as the socket port sends them: done once, answered by `done`. */
  once(id: EffectId, work: () => void): void {
    if (this.#isRepeat(id)) return;
    work();
    this.#report(id, { done: { id } });
  }

  ack(through: number): void {
    if (through >= this.#nextRecord) {
      this.refuse(null, 22, 'there is no such record yet');
      return;
    }
    this.ackedThrough = Math.max(this.ackedThrough, through);
    while (this.#records[0] !== undefined && this.#records[0].record.number <= through) this.#records.shift();
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
    if (child !== undefined) {
      this.#children.delete(pid);
      this.#report(child.id, { exited: { tag: child.tag, serial: child.serial, pid, ended } });
    }
    this.#ring.push({ pid, startTime, ended });
    if (this.#ring.length > RING_MAX) this.#ring.shift();
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
    }
  }

  #report(id: EffectId | undefined, what: Report): void {
    const record: InitRecord = { number: this.#nextRecord, atUs: Math.round(this.#kernel.nowMs * 1000), what };
    this.#nextRecord += 1;
    this.#records.push({ record, answers: id === undefined ? undefined : keyOf(id) });
    this.deliver(record);
  }

  /** Counts the effect; one that was asked for before is answered with the records that are still kept. */
  #isRepeat(id: EffectId): boolean {
    const key = keyOf(id);
    const times = (this.asked.get(key) ?? 0) + 1;
    this.asked.set(key, times);
    this.epoch = Math.max(this.epoch, id.epoch);
    if (times === 1) return false;
    this.repeats.push(key);
    for (const { record, answers } of this.#records) if (answers === key) this.deliver(record);
    return true;
  }
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
