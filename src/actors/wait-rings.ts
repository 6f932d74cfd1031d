/**
 * Rings in the whole wait-for graph: a job waits for a job, a job that runs for a process of its unit, a process for its child, for a
 * job that it has asked for, for the process at the other end of its socket, or for the service of the socket unit that it has
 * connected to.
 *
 * Only waits that nothing else can end are followed: a process that polls several sockets may be moved by any of them, and one
 * that a stop job has signalled is on its way out. A process is looked at once.
 */
import type { JobView } from '../api/manager.ts';
import type { Host } from '../host/ports.ts';
import type { Blocked } from './blocked.ts';
import { otherOf } from './open-sockets.ts';

export interface RingWorld {
  readonly host: Host;
  job(id: number): JobView | undefined;
  jobOf(unit: string): Pick<JobView, 'id'> | undefined;
  /** Processes that a job of the unit waits for while it runs. */
  processesOf(job: JobView): readonly number[];
  /** Open jobs that this very process has asked for and waits for. */
  askedBy(pid: number): readonly number[];
  blocked(pid: number): Blocked | undefined;
  /** The socket unit that listens there, and the unit it triggers. */
  listensOn(address: string): { readonly socket: string; readonly service: string } | undefined;
}

export interface Ring {
  /** Units, and processes as `process 41`: each waits for the next, the last for the first. */
  readonly ring: readonly string[];
  /** One sentence for each step. */
  readonly why: readonly string[];
  /** The jobs in it. */
  readonly jobs: readonly number[];
}

/** Jobs and processes that are followed, and processes that are looked at (each costs some reads of /proc). */
const STEPS_MAX = 20_000;
const PROCESSES_MAX = 256;

interface Step {
  readonly to: string;
  readonly why: string;
}

const jobKey = (id: number) => `job ${id}`;
const processKey = (pid: number) => `process ${pid}`;

/** The first ring that can be reached from these jobs; undefined: there is none. */
export function waitRing(from: readonly number[], world: RingWorld): Ring | undefined {
  const search = new Search(world);
  for (const id of from) {
    const found = search.from(jobKey(id));
    if (found !== undefined) return ringOf(found, world);
  }
  return undefined;
}

class Search {
  readonly #world: RingWorld;
  readonly #over = new Set<string>();
  #processes = 0;

  constructor(world: RingWorld) {
    this.#world = world;
  }

  /** Depth first, without recursion. @returns the steps of a ring */
  from(start: string): readonly Step[] | undefined {
    if (this.#over.has(start)) return undefined;
    const path: { readonly key: string; readonly steps: readonly Step[]; at: number }[] = [
      { key: start, steps: this.#stepsFrom(start), at: 0 },
    ];
    const places = new Map([[start, 0]]);
    while (path.length > 0 && this.#over.size + path.length < STEPS_MAX) {
      const top = path.at(-1) as (typeof path)[number];
      const step = top.steps[top.at];
      if (step === undefined) {
        path.pop();
        places.delete(top.key);
        this.#over.add(top.key);
        continue;
      }
      top.at += 1;
      const place = places.get(step.to);
      if (place !== undefined) return path.slice(place).map(({ steps, at }) => steps[at - 1] as Step);
      if (this.#over.has(step.to)) continue;
      places.set(step.to, path.length);
      path.push({ key: step.to, steps: this.#stepsFrom(step.to), at: 0 });
    }
    return undefined;
  }

  #stepsFrom(key: string): readonly Step[] {
    const number = Number(key.slice(key.indexOf(' ') + 1));
    return key.startsWith('job') ? this.#ofJob(number) : this.#ofProcess(number);
  }

  #ofJob(id: number): readonly Step[] {
    const job = this.#world.job(id);
    if (job === undefined) return [];
    if (job.state === 'waiting') {
      const others = job.waits.flatMap(({ job: other, why }) =>
        other === undefined ? [] : [{ to: jobKey(other), why }],
      );
      // With no other in its way it waits for its own unit to come to rest.
      if (others.length > 0) return others;
    }
    return this.#world.processesOf(job).map((pid) => ({
      to: processKey(pid),
      why: `job ${id} (${job.type} ${job.unit}) waits for a process of ${job.unit}: ${nameOf(this.#world, pid)}`,
    }));
  }

  #ofProcess(pid: number): readonly Step[] {
    this.#processes += 1;
    if (this.#processes > PROCESSES_MAX) return [];
    const who = nameOf(this.#world, pid);
    const asked = this.#world.askedBy(pid).flatMap((id): Step[] => {
      const job = this.#world.job(id);
      if (job === undefined) return [];
      return [{ to: jobKey(id), why: `${who} waits for job ${id} (${job.type} ${job.unit}), which it has asked for` }];
    });
    const blocked = this.#world.blocked(pid);
    if (blocked === undefined || blocked.state === 'R' || blocked.state === 'Z') return asked;
    if (blocked.child !== undefined) {
      const child = nameOf(this.#world, blocked.child.pid);
      return [...asked, { to: processKey(blocked.child.pid), why: `${who} waits for its child, ${child}` }];
    }
    const [socket] = blocked.sockets;
    if (socket === undefined || blocked.sockets.length > 1) return asked;
    const why = `${who} ${blocked.doing}`;
    const listener = socket.queued === '' ? undefined : this.#world.listensOn(socket.queued);
    const job = listener === undefined ? undefined : this.#world.jobOf(listener.service);
    // One of several holders may answer though another cannot.
    const [other, ...more] = socket.others;
    return [
      ...asked,
      ...(other === undefined || more.length > 0 ? [] : [{ to: processKey(other.pid), why }]),
      ...(job === undefined
        ? []
        : [{ to: jobKey(job.id), why: `${why}; ${listener?.socket} listens there for ${listener?.service}` }]),
    ];
  }
}

function nameOf({ host }: RingWorld, pid: number): string {
  const other = otherOf(host, pid);
  return other === undefined ? `process ${pid}` : `process ${pid} (${other.command})`;
}

/** Told from the job on that a process waits for, if there is one. */
function ringOf(steps: readonly Step[], world: RingWorld): Ring {
  const first = steps.findIndex(({ to }, at) => {
    const before = (steps.at(at - 1) as Step).to;
    return to.startsWith('job') && before.startsWith('process');
  });
  const turned = [...steps.slice(Math.max(first, 0)), ...steps.slice(0, Math.max(first, 0))];
  const keys = turned.map(({ to }) => to);
  const jobs = keys.flatMap((key) => (key.startsWith('job ') ? [Number(key.slice(4))] : []));
  return {
    ring: keys.map((key) => (key.startsWith('job ') ? (world.job(Number(key.slice(4)))?.unit ?? key) : key)),
    why: [...turned.slice(1), turned[0] as Step].map(({ why }) => why),
    jobs,
  };
}
