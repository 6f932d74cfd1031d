/**
 * What core does after it was away: the questions that may have been lost with it, and processes that only init remembers.
 */

import type { BlackBox, Host } from '../host/ports.ts';
import type { Confirmation } from '../jobs/apply.ts';
import type { JobContext } from '../machines/job.ts';
import type { ServiceContext } from '../machines/service-context.ts';
import { type ActorHost, NO_CHECKPOINT, NOT_BEGUN, type Post, type RecoveryView } from '../supervisor/index.ts';
import type { UnitType } from '../units/types.ts';
import { adopt, asItWas, LOST } from './adoption.ts';
import { endWords } from './causes.ts';
import { type Noted, type NotedUnit, readNotes } from './notes.ts';
import { type Registry, specOf } from './registry.ts';
import { type Loaded, namesOf } from './small.ts';

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
    ...(loaded.length === 0 ? [] : [{ to: 'units', event: { type: 'load', names: loaded.map(({ name }) => name) } }]),
    ...still.map(([unit, event]) => ({ to: `unit:${registry.graph.canonical(unit)}`, event: { ...event } })),
    ...kept,
  ];
}

/** Types whose units an older core could only show. */
const ONCE_SHOWN: ReadonlySet<UnitType> = new Set(['path']);

/**
 * Units that an older core could only show, which this one can start: they get actors that can. Nobody has started them, so they are down, and
 * what was asked of them and refused is over. Asked for once, however often core dies before it is done.
 *
 * @param kindOf the kind that an actor was made with
 */
export function startableNow(
  view: RecoveryView,
  registry: Pick<Registry, 'units'>,
  kindOf: (actor: string) => string | undefined,
): readonly Post[] {
  if (view.mode !== 'restored' || view.onTheirWay('units').some(({ type }) => type === 'remake')) return [];
  const specs = registry
    .units()
    .filter(({ name, type }) => ONCE_SHOWN.has(type) && kindOf(`unit:${name}`) === 'static')
    .map(specOf)
    .filter(({ kind }) => kind !== 'static');
  return specs.length === 0 ? [] : [{ to: 'units', event: { type: 'remake', specs } }];
}

/** Are a job's conditions being looked at, once it has heard what is on its way to it? */
function isChecking(view: RecoveryView, job: string): boolean {
  const heard = view.onTheirWay(job).findLast(({ type }) => type === 'checking');
  if (heard !== undefined) return heard['on'] === true;
  return (view.readBegun(job) as { context: JobContext } | undefined)?.context.checking === true;
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
const STARTED = /\.(?:service|socket|target|slice|path)$/;

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
  const coming = actors.onTheirWay('units').flatMap((event) => (event.type === 'load' ? namesOf(event) : []));
  return [...new Set([...(actors.read<Loaded>('units')?.names ?? []), ...coming])].sort();
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
