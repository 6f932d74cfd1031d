/**
 * Virtual processes and the control groups they live in. Children outlive core; orphans become init's.
 */
import { type Ended, HostError } from '../ports.ts';
import type { Kernel } from './kernel.ts';
import { SIGNAL } from './kernel.ts';
import { type About, type Act, HARMLESS, type Program, type Programs } from './programs.ts';

export interface Process {
  readonly pid: number;
  ppid: number;
  readonly startTime: number;
  readonly path: string;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly unit: string;
  group: string;
  readonly program: Program;
  readonly about: About;
  /** As in {@link Started}. */
  readonly tag: string | undefined;
  /** Only a process that runs its program plays the script. */
  execed: boolean;
}

/** One start of a program, kept for tests: what was started, in order. */
export interface Started {
  readonly path: string;
  readonly argv: readonly string[];
  readonly unit: string;
  readonly tag: string | undefined;
  readonly pid: number;
  readonly atMs: number;
}

/** One signal that came to a process, and one end of a process; kept for tests. */
export interface Signalled {
  readonly process: Process;
  readonly signal: number;
  readonly atMs: number;
}
export interface EndedProcess {
  readonly process: Process;
  readonly ended: Ended;
  readonly atMs: number;
}

export interface World {
  notify(process: Process, text: string, fds: number): void;
  writeFile(path: string, text: string): void;
  removeFile(path: string): void;
  /** A process whose parent is init has ended; `ended` is how. */
  reaped(process: Process, ended: Ended): void;
  /** A process with another parent has ended: nobody tells init how. */
  vanished(process: Process): void;
  groupChanged(path: string, populated: boolean): void;
}

export interface SpawnRequest {
  readonly path: string;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly unit: string;
  readonly group: string;
  readonly ppid: number;
  readonly tag: string | undefined;
}

const PID_FIRST = 100;
/** A script that forks itself for ever is a mistake of the test. */
const PROCESSES_MAX = 100_000;

export class Processes {
  readonly started: Started[] = [];
  readonly signals: Signalled[] = [];
  readonly ends: EndedProcess[] = [];
  readonly #kernel: Kernel;
  readonly #programs: Programs;
  readonly #world: World;
  /** Most random delay added to each act, in ms. */
  readonly #jitterMs: number;
  readonly #live = new Map<number, Process>();
  readonly #counts = new Map<string, number>();
  readonly #groups = new Map<string, { readonly attributes: Map<string, string> }>();
  #nextPid = PID_FIRST;

  constructor(kernel: Kernel, programs: Programs, jitterMs: number, world: World) {
    this.#kernel = kernel;
    this.#programs = programs;
    this.#jitterMs = jitterMs;
    this.#world = world;
  }

  /** A new process that does not run its program yet. */
  fork(request: SpawnRequest): Process {
    if (this.#live.size >= PROCESSES_MAX) throw new HostError('EAGAIN', 'fork');
    const { path, argv, environment, unit, group, ppid, tag } = request;
    const pid = this.#nextPid;
    this.#nextPid += 1;
    const count = (this.#counts.get(path) ?? 0) + 1;
    this.#counts.set(path, count);
    const program = this.#programs[path] ?? { fails: { step: 30, errno: 2, detail: path } };
    const about: About = { path, argv, environment, unit, count, pid };
    const startTime = Math.floor(this.#kernel.nowMs / 10);
    const process: Process = {
      pid,
      ppid,
      startTime,
      path,
      argv,
      environment,
      unit,
      group,
      program,
      about,
      tag,
      execed: false,
    };
    this.#live.set(pid, process);
    this.started.push({ path, argv, unit, tag, pid, atMs: this.#kernel.nowMs });
    if (group !== '') {
      this.ensure(group);
      this.#tell(group, 1);
    }
    return process;
  }

  /** From now on it runs its program. */
  exec(process: Process): void {
    process.execed = true;
    const { run } = process.program;
    this.#play(process, typeof run === 'function' ? run(process.about) : (run ?? []));
  }

  get(pid: number): Process | undefined {
    return this.#live.get(pid);
  }

  all(): readonly Process[] {
    return [...this.#live.values()];
  }

  /** Deliver a signal. False: there is no such process. */
  signal(pid: number, signal: number): boolean {
    const process = this.#live.get(pid);
    if (process === undefined) return false;
    this.signals.push({ process, signal, atMs: this.#kernel.nowMs });
    if (signal === SIGNAL.KILL) this.end(process, { killed: signal });
    else if (!process.execed) {
      if (!HARMLESS.has(signal)) this.end(process, { killed: signal });
    } else this.#onSignal(process, signal);
    return true;
  }

  end(process: Process, ended: Ended): void {
    if (!this.#live.delete(process.pid)) return;
    this.ends.push({ process, ended, atMs: this.#kernel.nowMs });
    for (const child of this.#live.values()) if (child.ppid === process.pid) child.ppid = 1;
    if (process.group !== '') this.#tell(process.group, 0);
    if (process.ppid === 1) this.#world.reaped(process, ended);
    else this.#world.vanished(process);
  }

  #onSignal(process: Process, signal: number): void {
    const handler = process.program.on?.[signal];
    if (handler !== undefined) this.#play(process, typeof handler === 'function' ? handler(process.about) : handler);
    else if (process.program.ignores?.includes(signal) !== true && !HARMLESS.has(signal)) {
      this.end(process, { killed: signal });
    }
  }

  #play(process: Process, script: readonly Act[]): void {
    const [act, ...rest] = script;
    if (act === undefined) return;
    const jitter = this.#jitterMs === 0 ? 0 : Math.floor(this.#kernel.random() * (this.#jitterMs + 1));
    this.#kernel.after((act.after ?? 0) + jitter, () => {
      if (!this.#live.has(process.pid)) return;
      this.#do(process, act);
      if (this.#live.has(process.pid)) this.#play(process, rest);
    });
  }

  #do(process: Process, act: Act): void {
    if (act.notify !== undefined) this.#world.notify(process, act.notify, act.notifyFds ?? 0);
    let named = process.pid;
    if (act.fork !== undefined) {
      const { environment, unit, group, pid } = process;
      const child = this.fork({
        path: act.fork,
        argv: [act.fork],
        environment,
        unit,
        group,
        ppid: pid,
        tag: undefined,
      });
      this.exec(child);
      named = child.pid;
    }
    if (act.pidFile !== undefined) this.#world.writeFile(act.pidFile, `${named}\n`);
    if (act.write !== undefined) this.#world.writeFile(act.write.path, act.write.text);
    if (act.remove !== undefined) this.#world.removeFile(act.remove);
    if (act.exit !== undefined) this.end(process, { exited: act.exit });
    else if (act.die !== undefined) this.end(process, { killed: act.die });
  }

  // — Control groups ——————————————————————————————————————————————————————————————————————————————————————————————————————

  ensure(path: string): void {
    const parts = path.split('/');
    for (let depth = 1; depth <= parts.length; depth += 1) {
      const group = parts.slice(0, depth).join('/');
      if (!this.#groups.has(group)) this.#groups.set(group, { attributes: new Map() });
    }
  }

  removeGroup(path: string): boolean {
    if (this.members(path).length > 0) return false;
    for (const group of [...this.#groups.keys()]) if (within(group, path)) this.#groups.delete(group);
    return true;
  }

  /** Every group that there is, sorted. */
  groups(): readonly string[] {
    return [...this.#groups.keys()].sort();
  }

  /** What was written to a group's attributes, by attribute; a group that is not there has none. */
  attributes(path: string): Readonly<Record<string, string>> {
    return Object.fromEntries([...(this.#groups.get(path)?.attributes ?? [])].sort());
  }

  hasGroup(path: string): boolean {
    return this.#groups.has(path);
  }

  members(path: string): readonly Process[] {
    return this.all().filter((process) => process.group !== '' && within(process.group, path));
  }

  groupChildren(path: string): string[] {
    const head = path === '' ? '' : `${path}/`;
    const names = [...this.#groups.keys()]
      .filter((group) => group.startsWith(head))
      .map((group) => group.slice(head.length));
    return names.filter((name) => name !== '' && !name.includes('/')).sort();
  }

  writeAttribute(path: string, attribute: string, value: string): void {
    const group = this.#groups.get(path);
    if (group === undefined) throw new HostError('ENOENT', `${path}/${attribute}`);
    group.attributes.set(attribute, value);
    if (attribute === 'cgroup.kill') for (const { pid } of this.members(path)) this.signal(pid, SIGNAL.KILL);
    if (attribute !== 'cgroup.procs') return;
    const process = this.#live.get(Number(value));
    if (process === undefined) throw new HostError('ESRCH', `${path}/${attribute}`);
    const old = process.group;
    process.group = path;
    this.#tell(path, 1);
    if (old !== '') this.#tell(old, 0);
  }

  readAttribute(path: string, attribute: string): string | undefined {
    const group = this.#groups.get(path);
    if (group === undefined) return undefined;
    const members = this.members(path);
    if (attribute === 'cgroup.events') return `populated ${members.length > 0 ? 1 : 0}\nfrozen 0\n`;
    if (attribute === 'cgroup.procs')
      return members
        .filter((one) => one.group === path)
        .map((one) => `${one.pid}\n`)
        .join('');
    if (attribute === 'pids.current') return `${members.length}\n`;
    return group.attributes.get(attribute);
  }

  /** Tell of groups that became populated (`limit` 1: by this one process) or empty (0), with those above. */
  #tell(path: string, limit: number): void {
    const parts = path.split('/');
    for (let depth = parts.length; depth > 0; depth -= 1) {
      const group = parts.slice(0, depth).join('/');
      if (this.members(group).length === limit) this.#world.groupChanged(group, limit === 1);
    }
  }
}

function within(group: string, path: string): boolean {
  return path === '' || group === path || group.startsWith(`${path}/`);
}
