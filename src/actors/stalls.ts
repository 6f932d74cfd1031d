/**
 * Standstill: jobs wait, and nothing can move them. Looked for in the whole wait-for graph: jobs, units, processes and clients.
 *
 * The table of jobs knows rings of jobs, and jobs that wait for nothing that runs (src/jobs/explain.ts). What it cannot know is what
 * processes wait for (wait-rings.ts): one that asks for a job itself, while that job waits for its unit (`sctl start b` in the
 * ExecStart= of a, with b ordered after a), or one that waits at a socket for a process or service that waits for it. And it
 * cannot know that nobody will ever tell of a device.
 */
import type { StallView } from '../api/insight.ts';
import type { Host } from '../host/ports.ts';
import { stall } from '../jobs/explain.ts';
import type { JobsState } from '../jobs/logic.ts';
import { listJobs } from '../jobs/table.ts';
import type { Errand } from '../machines/errands.ts';
import type { ServiceContext } from '../machines/service-context.ts';
import type { UnitSnapshot } from '../machines/view.ts';
import type { ActorHost } from '../supervisor/index.ts';
import { activeOf } from './active.ts';
import { blockedOn } from './blocked.ts';
import type { JobsView } from './manager.ts';
import type { Registry } from './registry.ts';
import { groupOf } from './unit-effects.ts';
import { waitRing } from './wait-rings.ts';

export interface StallParts {
  readonly host: Host;
  readonly registry: Registry;
  readonly actors: () => ActorHost;
  readonly jobs: JobsView;
  readonly errands: () => readonly Errand[];
}

/** @returns what is asked when somebody wants to know; undefined: something can move */
export function createStalls({ host, registry, actors, jobs, errands }: StallParts): () => StallView | undefined {
  const snapshotOf = (unit: string) => actors().read<UnitSnapshot>(`unit:${unit}`);
  const active = (unit: string) => activeOf(actors(), unit);

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
    if (unit === undefined) return undefined;
    const own = groupOf(unit, snapshotOf(unit.name));
    return group === own || group.startsWith(`${own}/`) ? unit.name : undefined;
  };

  /** Clients that wait: their pid, and the jobs that are still open. */
  const clients = (): readonly { readonly pid: number; readonly open: readonly number[] }[] =>
    errands().flatMap(({ by, answer, wanted }) => {
      const pid = Number(/\bpid (\d+)/.exec(by)?.[1] ?? 0);
      const open = wanted.flatMap(({ job, over }) => (job === null || over ? [] : [job]));
      return answer !== undefined || pid === 0 || open.length === 0 ? [] : [{ pid, open }];
    });

  /** Where a unit's own socket is, by its address; a port alone stands for all addresses. */
  const listensOn = (address: string) => {
    const unit = registry
      .units()
      .find(({ socket }) =>
        socket?.Listen.some((one) => one.address === address || address.endsWith(`:${one.address}`)),
      );
    const service = unit === undefined ? undefined : registry.graph.others(unit.name, 'Triggers')[0];
    return unit === undefined || service === undefined ? undefined : { socket: unit.name, service };
  };

  /** A ring that goes through processes. */
  const byProcesses = (): StallView | undefined => {
    const waiting = clients().map((client) => ({ ...client, unit: unitOfProcess(client.pid) }));
    const table = actors().read<JobsState>('jobs')?.table;
    // Those that no other job holds up: they run, or their unit is still busy with something else.
    const first =
      table === undefined ? [] : listJobs(table).filter((job) => job.state === 'running' || job.blockers === 0);
    const found = waitRing(
      first.map(({ id }) => id),
      {
        host,
        job: jobs.get,
        jobOf: jobs.of,
        processesOf({ unit, type }) {
          const context = snapshotOf(unit)?.context as Partial<ServiceContext> | undefined;
          // A command beside the service is what is waited for; and a stop has signalled the main process: it is on its way out.
          const own =
            context?.active === 'active'
              ? []
              : type === 'stop'
                ? [context?.control]
                : [context?.control ?? context?.main];
          // A service that runs is not held up by what its processes ask for.
          const up = context?.active === 'active' || context?.active === 'reloading';
          const asking = waiting.filter((client) => !up && client.unit === unit).map(({ pid }) => pid);
          return [...new Set([...asking, ...own.flatMap((process) => process?.pid ?? [])])];
        },
        askedBy: (pid) => waiting.filter((client) => client.pid === pid).flatMap(({ open }) => open),
        blocked: (pid) => blockedOn(host, pid),
        listensOn,
      },
    );
    if (found === undefined) return undefined;
    const { ring, why, jobs: ids } = found;
    const asker = waiting.find(({ open }) => open.some((id) => ids.includes(id)));
    const cancel = ids.length === 0 ? 'end one of these processes' : `cancel job ${ids[0]} (sctl cancel ${ids[0]})`;
    const todo =
      asker?.unit === undefined
        ? `drop the ordering, or ${cancel}`
        : `ask with --no-block in ${asker.unit}, drop the ordering, or ${cancel}`;
    return { ring, why, todo };
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

  return () => (jobs.count() === 0 ? undefined : (byTable() ?? byProcesses() ?? byEvents()));
}
