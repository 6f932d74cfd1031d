/**
 * What core does after it was away: the questions that may have been lost with it, and processes that only init remembers.
 */

import { type BlackBox, type Host, HostError } from '../host/ports.ts';
import type { Confirmation } from '../jobs/apply.ts';
import type { JobContext } from '../machines/job.ts';
import { notifyAccess, type ServiceContext } from '../machines/service-context.ts';
import { type ActorHost, NO_CHECKPOINT, NOT_BEGUN, type Post, type RecoveryView } from '../supervisor/index.ts';
import type { Unit } from '../units/types.ts';
import { adopt, asItWas, LOST } from './adoption.ts';
import { endWords } from './causes.ts';
import { listener, notifyPath, notifySocket } from './names.ts';
import { type Noted, type NotedUnit, readNotes } from './notes.ts';
import { isNear, type PidFiles } from './pid-files.ts';
import { pidFilePath } from './processes.ts';
import { type Registry, specOf } from './registry.ts';
import type { Loaded, UnitSpec } from './small.ts';
import { groupOf } from './unit-effects.ts';

/**
 * Posts of the first turn. Restored: jobs whose units' conditions were being looked at ask again, since the answer died with core.
 * No others do: their question is in the queue of the checkpoint, or comes from an effect that is issued again.
 * Fresh (safe mode, or no checkpoint): units of which something lives (children of init, control groups with processes, listeners
 * and descriptors in init's store) are loaded and told what that is, so that they show as running, and nothing is started twice;
 * what was active without a process (RemainAfterExit=, targets, slices) is so still, what had failed has failed, and what waits to be confirmed goes
 * on waiting.
 *
 * @param before what is known of the units as they were
 * @param promised what was to be confirmed before the state was lost
 */
export function adoptions(
  view: RecoveryView,
  registry: Registry,
  host: Host,
  before: Noted = { units: new Map(), up: false },
  promised: readonly Confirmation[] = [],
): readonly Post[] {
  if (view.mode === 'restored') {
    return view
      .list('job:')
      .filter((job) => isChecking(view, job))
      .map((to) => ({ to, event: { type: 'ask-again', ask: { verb: 'start', restarting: false } } }));
  }
  const kept: Post[] =
    promised.length === 0 ? [] : [{ to: 'jobs', event: { type: 'promised', confirmations: promised } }];
  const alive = adopt(view.hello, registry, host, before);
  const still = [...before.units].flatMap(([unit, noted]) => {
    const event = asItWas(unit, noted);
    return event === undefined ? [] : [[unit, event] as const];
  });
  const loaded = registry.load(still.map(([unit]) => unit));
  return [
    ...alive,
    ...(loaded.length === 0 ? [] : [{ to: 'units', event: { type: 'load', specs: loaded.map(specOf) } }]),
    ...still.map(([unit, event]) => ({ to: `unit:${registry.graph.canonical(unit)}`, event: { ...event } })),
    ...kept,
  ];
}

/** Are a job's conditions being looked at, once it has heard what is on its way to it? */
function isChecking(view: RecoveryView, job: string): boolean {
  const heard = view.onTheirWay(job).findLast(({ type }) => type === 'checking');
  if (heard !== undefined) return heard['on'] === true;
  return (view.read(job) as { context: JobContext } | undefined)?.context.checking === true;
}

/**
 * What is known of the units as they were when core lost its state: by init's notes, or, from a core that made none, by the state
 * that is not used, as far as it can be read.
 */
export function unitsBefore({ mode, hello, earlier }: RecoveryView, host: Host): Noted {
  if (mode === 'restored' || hello.cores === 0) return { units: new Map(), up: false };
  const noted = readNotes(host);
  if (noted.units.size > 0) return noted;
  const units = [...earlier].flatMap(([id, form]): [string, NotedUnit][] => {
    if (!id.startsWith('unit:')) return [];
    const { value, context } = (form ?? {}) as { value?: unknown; context?: Partial<ServiceContext> };
    const { active = 'inactive', result = 'success', nRestarts: restarts = 0 } = context ?? {};
    return [[id.slice('unit:'.length), { active, sub: typeof value === 'string' ? value : '', result, restarts }]];
  });
  const manager = earlier.get('manager') as { context?: { finishedMs?: unknown; ending?: unknown } } | undefined;
  const { finishedMs, ending } = manager?.context ?? {};
  return { units: new Map(units), up: typeof finishedMs === 'number' && (ending ?? null) === null };
}

/** Types of which a start brings back what was there. */
const STARTED = /\.(?:service|socket|target|slice)$/;

/**
 * What is to be started by a core that comes up without the state of the one before it: the units that were up, if the system had
 * come up by then. What had run and ended does not run once more, and what was stopped stays so. Undefined: it is to boot.
 */
export function upBefore({ mode }: RecoveryView, { units, up }: Noted): readonly string[] | undefined {
  if (mode !== 'fresh' || !up) return undefined;
  return [...units]
    .filter(([unit, { active }]) => STARTED.test(unit) && ['active', 'reloading', 'activating'].includes(active))
    .map(([unit]) => unit)
    .sort();
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

/** For `status`: what was wrong with the checkpoint, and what was lost with it; undefined: nothing. */
export function stateTrouble({ mode, why, note, hello }: RecoveryView): string | undefined {
  if (mode === 'restored') return note;
  if (hello.cores > 0) return `core came back without its state: ${why}; lost: ${LOST}`;
  return why === NO_CHECKPOINT || why === NOT_BEGUN
    ? undefined
    : `what was there at the first start is not used: ${why}`;
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
  const toHear = actors.addressees();
  for (const unit of registry.units()) {
    const id = `unit:${unit.name}`;
    const snapshot = actors.read<Seen>(id);
    if (snapshot === undefined) continue;
    const knows = !toHear.has(id);
    // What fails for one unit fails for that unit, and core comes up all the same.
    for (const look of [hearAgain, watchGroup, awaitPidFile, listenAgain]) {
      try {
        look({ host, actors, unit, pidFiles, knows }, snapshot);
      } catch (error) {
        if (!(error instanceof HostError)) throw error;
        const fields = { unit: unit.name, errno: error.code, about: error.about };
        host.log.log('error', fields, 'something of the unit cannot be watched any more');
      }
    }
  }
}

interface Seen {
  readonly value: unknown;
  readonly context: Partial<ServiceContext>;
}

interface At {
  readonly host: Host;
  readonly actors: ActorHost;
  readonly unit: Unit;
  readonly pidFiles: PidFiles;
  /** Its machine has heard all there is to hear; otherwise nobody knows what it will believe. */
  readonly knows: boolean;
}

/** What costs a unit's unpacking is asked last: of most units nothing is needed but what their actors know. */
type Look = (at: At, seen: Seen) => void;

const isDown = ({ context }: Seen) => context.active === 'inactive' || context.active === 'failed';

/** What was said meanwhile waits in the socket: it must be heard before any deadline fires. */
const hearAgain: Look = ({ host, unit }, seen) => {
  const name = notifySocket(unit.name);
  if (!host.sockets.stored(name)) {
    const { settings, populated } = seen.context;
    if (settings?.NotifyAccess === undefined || isDown(seen) || populated !== true) return;
    if (notifyAccess(settings) === 'none') return;
    host.log.log('error', { unit: unit.name }, 'its notify socket was lost, and is made anew');
  }
  host.sockets.notify(undefined, name, notifyPath(host.facts.runDirectory, unit.name));
};

const watchGroup: Look = ({ host: { groups }, unit, knows }, seen) => {
  if (!groups.available || isDown(seen)) return;
  const { populated } = seen.context;
  const group = groupOf(unit, seen);
  if (populated !== undefined) groups.watch(group, knows ? populated : undefined);
  else if (groups.read(group, 'cgroup.events') !== undefined) groups.watch(group);
};

const awaitPidFile: Look = ({ host, unit, pidFiles }, seen) => {
  if (seen.context.awaitsPidFile !== true || unit.service === undefined) return;
  const path = pidFilePath(unit.service.PIDFile);
  if (isNear(path)) host.files.watch(path);
  else pidFiles.look(unit, groupOf(unit, seen));
};

/** Listeners that are lost are opened again by the unit itself, which says so if it cannot. */
const listenAgain: Look = ({ host, actors, unit }, { value }) => {
  if ((value !== 'listening' && value !== 'running') || unit.socket === undefined) return;
  const names = [...unit.socket.Listen.keys()].map((index) => listener(unit.name, index));
  const lost = names.filter((name) => !host.sockets.stored(name));
  if (lost.length > 0) {
    host.log.log('error', { unit: unit.name, lost }, 'listeners were lost, and are opened again');
    actors.input({ events: [{ to: `unit:${unit.name}`, event: { type: 'reopen' } }] });
  }
  if (value === 'listening') for (const name of names) if (!lost.includes(name)) host.sockets.watch(name);
};
