/**
 * Standstill: jobs wait, and nothing can move them. Looked for in the whole wait-for graph: jobs, units, processes and clients.
 *
 * The table of jobs knows rings of jobs, and jobs that wait for nothing that runs (src/jobs/explain.ts). What it cannot know is a
 * process of a unit that asks for a job itself and waits for it, while that job waits for the unit: `sctl start b` in the
 * ExecStart= of a, with b ordered after a. And it cannot know that nobody will ever tell of a device.
 */
import type { StallView } from '../api/insight.ts';
import type { JobView } from '../api/manager.ts';
import type { Host } from '../host/ports.ts';
import { stall } from '../jobs/explain.ts';
import type { JobsState } from '../jobs/logic.ts';
import type { Errand } from '../machines/errands.ts';
import type { UnitSnapshot } from '../machines/view.ts';
import type { ActorHost } from '../supervisor/index.ts';
import type { JobsView } from './manager.ts';
import type { Registry } from './registry.ts';
import { groupOf } from './unit-effects.ts';

export interface StallParts {
  readonly host: Host;
  readonly registry: Registry;
  readonly actors: () => ActorHost;
  readonly jobs: JobsView;
  readonly errands: () => readonly Errand[];
}

/** Jobs followed in search of a ring. */
const STEPS_MAX = 20_000;

/** @returns what is asked when somebody wants to know; undefined: something can move */
export function createStalls({ host, registry, actors, jobs, errands }: StallParts): () => StallView | undefined {
  const snapshotOf = (unit: string) => actors().read<UnitSnapshot>(`unit:${unit}`);
  const active = (unit: string) => snapshotOf(unit)?.context.active ?? 'inactive';

  const byTable = (): StallView | undefined => {
    const state = actors().read<JobsState>('jobs');
    const found = state === undefined ? undefined : stall(state.table, registry.jobGraph, { active });
    if (found === undefined) return undefined;
    const todo =
      found.ring.length > 0
        ? 'cancel one of these jobs (sctl cancel), or cut the ring'
        : 'sctl why says what each of them needs';
    return { ...found, todo };
  };

  /** The unit whose process this is, and how it is related to it. */
  const unitOfProcess = (pid: number): string | undefined => {
    const group = host.process.inspect(pid)?.group;
    if (group === undefined || group === '') return undefined;
    const name = group.split('/').findLast((part) => /\.(service|scope|socket|mount|swap)$/.test(part));
    const unit = name === undefined ? undefined : registry.unit(name);
    return unit !== undefined && (group === groupOf(unit) || group.startsWith(`${groupOf(unit)}/`))
      ? unit.name
      : undefined;
  };

  /** From the jobs of a client's request to the job of the unit that the client belongs to; undefined: there is no way. */
  const wayTo = (from: readonly number[], goal: number): readonly JobView[] | undefined => {
    const came = new Map<number, number>(from.map((id) => [id, -1]));
    const queue = [...from];
    for (let at = 0; at < queue.length && at < STEPS_MAX; at += 1) {
      const id = queue[at] as number;
      if (id === goal) {
        const way: JobView[] = [];
        for (let back: number | undefined = id; back !== undefined && back !== -1; back = came.get(back)) {
          const job = jobs.get(back);
          if (job !== undefined) way.unshift(job);
        }
        return way;
      }
      for (const { job } of jobs.get(id)?.waits ?? []) {
        if (job === undefined || came.has(job)) continue;
        came.set(job, id);
        queue.push(job);
      }
    }
    return undefined;
  };

  const byClients = (): StallView | undefined => {
    for (const { by, answer, wanted } of errands()) {
      if (answer !== undefined) continue;
      const pid = Number(/\bpid (\d+)/.exec(by)?.[1] ?? 0);
      const unit = pid === 0 ? undefined : unitOfProcess(pid);
      const own = unit === undefined ? undefined : jobs.of(unit);
      const open = wanted.flatMap(({ job, over }) => (job === null || over ? [] : [job]));
      if (unit === undefined || own === undefined || open.length === 0 || open.includes(own.id)) continue;
      const way = wayTo(open, own.id);
      if (way === undefined) continue;
      const asked = way[0] as JobView;
      return {
        ring: [...way.map((job) => job.unit), `process ${pid}`],
        why: [
          ...way.flatMap((job) => job.waits.flatMap((wait) => (wait.job === undefined ? [] : [wait.why]))),
          `job ${own.id} (${own.type} ${unit}) waits for a process of ${unit}: process ${pid}, which waits for job ${asked.id} (${asked.type} ${asked.unit}) that it has asked for`,
        ],
        todo: `ask with --no-block in ${unit}, drop the ordering, or cancel job ${asked.id}`,
      };
    }
    return undefined;
  };

  /** Jobs that run, but for something nobody can be asked for, and without an end. */
  const byEvents = (): StallView | undefined => {
    const all = jobs.list();
    const lost = all.filter(({ id, unit, state }) => {
      if (state !== 'running' || registry.jobGraph.facts(unit)?.canStart !== false) return false;
      return Object.values(actors().deadlines(`job:${id}`)).every((due) => due === 'infinity');
    });
    if (lost.length === 0) return undefined;
    const stuck = new Set(lost.map(({ id }) => id));
    for (let grew = true; grew; ) {
      grew = false;
      for (const { id, waits } of all) {
        if (stuck.has(id) || !waits.some(({ job }) => job !== undefined && stuck.has(job))) continue;
        stuck.add(id);
        grew = true;
      }
    }
    if (all.some(({ id }) => !stuck.has(id))) return undefined;
    return {
      ring: [],
      why: lost.map(
        ({ id, type, unit }) => `job ${id} (${type} ${unit}) waits for ${unit} to appear, and has no time-out`,
      ),
      todo: `let it appear, or cancel job ${lost[0]?.id}`,
    };
  };

  return () => (jobs.count() === 0 ? undefined : (byTable() ?? byClients() ?? byEvents()));
}
