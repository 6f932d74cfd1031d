/**
 * What core does after it was away: the questions that may have been lost with it, and processes that only init remembers.
 */

import type { BlackBox, Host } from '../host/ports.ts';
import type { Confirmation } from '../jobs/apply.ts';
import type { JobContext } from '../machines/job.ts';
import type { ServiceContext } from '../machines/service-context.ts';
import type { ActorHost, Post, RecoveryView } from '../supervisor/index.ts';
import { endWords } from './causes.ts';
import { listener, notifyPath, notifySocket, parseTag } from './names.ts';
import { isNear, type PidFiles } from './pid-files.ts';
import { pidFilePath } from './processes.ts';
import { type Registry, specOf } from './registry.ts';
import type { Loaded, UnitSpec } from './small.ts';
import { groupOf } from './unit-effects.ts';

/**
 * Posts of the first turn. Restored: jobs whose units' conditions were being looked at ask again, since the answer died with core.
 * No others do: their question is in the queue of the checkpoint, or comes from an effect that is issued again.
 * Fresh (safe mode, or no checkpoint): units of live children are loaded and told what lives of them, so that services that
 * run show as running, and nothing is started twice; and what waits to be confirmed goes on waiting.
 *
 * @param promised what was to be confirmed before the state was lost
 */
export function adoptions(
  view: RecoveryView,
  registry: Registry,
  promised: () => readonly Confirmation[] = () => [],
): readonly Post[] {
  if (view.mode === 'restored') {
    return view
      .list('job:')
      .filter((job) => (view.read(job) as { context: JobContext } | undefined)?.context.checking === true)
      .map((to) => ({ to, event: { type: 'ask-again', ask: { verb: 'start', restarting: false } } }));
  }
  const confirmations = promised();
  const kept: Post[] = confirmations.length === 0 ? [] : [{ to: 'jobs', event: { type: 'promised', confirmations } }];
  const mains = view.hello.children.flatMap((child) => {
    const tag = parseTag(child.tag);
    return tag === undefined || tag.role !== 'main' ? [] : [{ child, tag }];
  });
  const names = [...new Set(mains.map(({ tag }) => tag.unit))].sort();
  if (names.length === 0) return kept;
  const loaded = registry.load(names);
  return [
    { to: 'units', event: { type: 'load', specs: loaded.map(specOf) } },
    ...mains.map(({ child, tag }) => ({
      to: `unit:${registry.graph.canonical(tag.unit)}`,
      event: {
        type: 'adopt',
        main: { pid: child.pid, startTime: child.startTime, run: tag.number, serial: child.serial },
        populated: true,
      },
    })),
    ...kept,
  ];
}

/**
 * The units that were in memory: those with an actor, and those whose actors were about to be made when core died. What is
 * asked of them may already stand in the queue behind that.
 */
export function inMemory(actors: ActorHost): readonly string[] {
  const coming = actors
    .onTheirWay('units')
    .flatMap((event) => (event.type === 'load' ? (event['specs'] as readonly UnitSpec[]) : []));
  return [...new Set([...(actors.read<Loaded>('units')?.names ?? []), ...coming.map(({ name }) => name)])].sort();
}

/** For the history: that core came up, or came back and of what the one before it had died. */
export function comingUp({ mode, why, hello }: RecoveryView): Post {
  const [death] = hello.deaths;
  const state = mode === 'restored' ? 'with its state' : `without state: ${why}`;
  const core =
    hello.cores === 0 ? 'core came up' : `core came back ${state}; the one before ended by ${deathWords(death)}`;
  return { to: 'events', event: { type: 'tell', what: { core } } };
}

function deathWords(death: BlackBox | undefined): string {
  if (death === undefined) return 'leaving to be started anew';
  const how = death.hung ? 'a hang' : endWords(death.ended) || 'an end that nobody saw';
  return death.actor === '' ? how : `${how} while it was busy with ${death.actor}`;
}

/**
 * Levels are read again, and watches set anew: control groups, PID files, listeners. All of it is idempotent; what changed
 * while core was away comes back as events. Main processes that init did not spawn are not looked at: init goes on watching
 * them without core, and keeps how they ended.
 */
export function relist(host: Host, actors: ActorHost, registry: Registry, pidFiles: PidFiles): void {
  const { groups, sockets } = host;
  /** What a machine was told last; with events that it has not heard yet, nobody knows. */
  const knows = actors.queued === 0;
  for (const unit of registry.units()) {
    // What costs a unit's unpacking is asked last: of most units nothing is needed but what their actors know.
    const snapshot = actors.read<{ value: unknown; context: Partial<ServiceContext> }>(`unit:${unit.name}`);
    if (snapshot === undefined) continue;
    const { context } = snapshot;
    // What was said meanwhile waits in the socket: it must be heard before any deadline fires.
    if (sockets.stored(notifySocket(unit.name))) {
      sockets.notify(
        { epoch: 0, seq: 0, index: 0 },
        notifySocket(unit.name),
        notifyPath(host.facts.runDirectory, unit.name),
      );
    }
    if (groups.available && context.active !== 'inactive' && context.active !== 'failed') {
      const group = groupOf(unit);
      if (context.populated !== undefined) groups.watch(group, knows ? context.populated : undefined);
      else if (groups.read(group, 'cgroup.events') !== undefined) groups.watch(group);
    }
    if (context.awaitsPidFile && unit.service !== undefined) {
      const path = pidFilePath(unit.service.PIDFile);
      if (isNear(path)) host.files.watch(path);
      else pidFiles.look(unit, groupOf(unit));
    }
    if (snapshot.value === 'listening' && unit.socket !== undefined) {
      for (const index of unit.socket.Listen.keys()) host.sockets.watch(listener(unit.name, index));
    }
  }
}
