/**
 * The kinds of unit actors: each machine with its effects, and what the others are told when one changes.
 */
import type { AnyStateMachine } from 'xstate';
import type { ActiveState, UnitChange } from '../jobs/types.ts';
import { isDown } from '../jobs/verbs.ts';
import { endedWell } from '../machines/ends.ts';
import type { ServiceContext } from '../machines/service-context.ts';
import { type UnitSnapshot, type View, view } from '../machines/view.ts';
import {
  type ActorEvent,
  type ActorKind,
  type DownReason,
  foreignLogic,
  type MachineLogicOptions,
  machineLogic,
  type Post,
} from '../supervisor/index.ts';
import { causeWords, processWords, signalWords } from './causes.ts';
import { type UnitTools, unitEffects, unitOf } from './unit-effects.ts';

const seen = (snapshot: unknown): View | undefined =>
  snapshot === undefined ? undefined : view(snapshot as UnitSnapshot);

/** What the job engine is told, in order; empty: nothing that concerns it. */
function changesOf(unit: string, before: UnitSnapshot, after: UnitSnapshot): readonly UnitChange[] {
  const [was, is] = [view(before), view(after)];
  const wentDown = is.downs > was.downs;
  if (was.active === is.active && was.result === is.result && !wentDown) return [];
  if (wentDown && was.active === 'inactive' && is.active === 'inactive') {
    // A whole life in one step (a oneshot without commands): whoever waits for its start must see it pass.
    return [
      { unit, before: 'inactive', after: 'activating' },
      { unit, before: 'activating', after: 'inactive', result: is.result },
    ];
  }
  const reloaded = was.active === 'reloading' && is.active !== 'reloading';
  const reload = (after.context as Partial<ServiceContext>).reloadResult === 'success' ? 'done' : 'failed';
  const through: ActiveState = endedWell(is.result) ? 'inactive' : 'failed';
  return [
    {
      unit,
      before: was.active,
      after: is.active,
      result: is.result,
      ...(reloaded ? { reload } : {}),
      ...(wentDown && !isDown(is.active) ? { through } : {}),
    },
  ];
}

const holdsProcesses = (snapshot: unknown): boolean =>
  (snapshot as { readonly context: { readonly populated?: boolean } }).context.populated === true;

/** Everything that is told when a unit's view changes: jobs, subscribers, and the sockets and paths that trigger it. */
function observe(tools: UnitTools) {
  return (actor: string, before: unknown, after: unknown, event: ActorEvent | undefined): readonly Post[] => {
    const unit = unitOf(actor);
    const [was, is] = [seen(before), seen(after)];
    if (is === undefined || was === undefined) return [];
    const process = processWords(event, before as UnitSnapshot);
    const signal = signalWords(before as UnitSnapshot, after as UnitSnapshot);
    if (was.active === is.active && was.sub === is.sub && was.result === is.result && was.downs === is.downs) {
      // The last of its processes is gone, and it was down before that.
      const spare = isDown(is.active) && holdsProcesses(before) && !holdsProcesses(after);
      return [
        ...(spare ? [{ to: 'units', event: { type: 'consider', names: [unit] } }] : []),
        ...(process === undefined && signal === undefined
          ? []
          : [{ to: 'events', event: { type: 'tell', what: { unit, process, signal } } }]),
      ];
    }
    const posts: Post[] = [];
    const cause = causeWords(event, before as UnitSnapshot);
    // What came up or failed before core lost its state has had its consequences then (OnFailure=; what it pulls in, which may
    // have been stopped since).
    const isOld = event?.type === 'adopt';
    for (const change of isOld ? [] : changesOf(unit, before as UnitSnapshot, after as UnitSnapshot)) {
      posts.push({ to: 'jobs', event: { type: 'unit-changed', ...change } });
    }
    posts.push(...triggerPosts(tools, unit, is, undefined));
    posts.push({
      to: 'events',
      event: {
        type: 'tell',
        what: { unit, was: was.active, active: is.active, sub: is.sub, result: is.result, cause, process, signal },
      },
    });
    return posts;
  };
}

/** Whoever waits for a unit whose machine is set aside need not wait on. */
function down(actor: string, _last: unknown, reason: DownReason, _output: unknown, cause: string): readonly Post[] {
  if (reason !== 'quarantined') return [];
  const unit = unitOf(actor);
  const why = `its machine is quarantined: ${cause}; sctl reset-failed ${unit} releases it`;
  const told: Post = { to: 'events', event: { type: 'tell', what: { unit, core: why } } };
  return [
    ...['stop', 'start', 'reload'].map(
      (verb): Post => ({ to: 'jobs', event: { type: 'unit-refused', unit, verb, result: 'failed', why } }),
    ),
    told,
  ];
}

/** What was asked of a unit was lost on its machine. */
function lost(actor: string, { type }: ActorEvent, error: string): readonly Post[] {
  if (type !== 'start' && type !== 'stop' && type !== 'reload') return [];
  const why = `its machine failed: ${error}`;
  return [{ to: 'jobs', event: { type: 'unit-refused', unit: unitOf(actor), verb: type, result: 'failed', why } }];
}

/**
 * The state of a unit, for the socket and path units that trigger it.
 *
 * @param pending whether there is a job for it; undefined: looked up for paths, which wait for its end, and none for sockets, which do not
 */
export function triggerPosts(
  { world, pending: isPending }: Pick<UnitTools, 'world' | 'pending'>,
  unit: string,
  seen: View,
  pending: boolean | undefined,
): Post[] {
  const { active, sub, result, startLimitHit } = seen;
  const sockets = unit.endsWith('.service') ? world.socketsOf(unit) : [];
  const paths = world.pathsOf(unit);
  if (sockets.length === 0 && paths.length === 0) return [];
  const loaded = world.unit(unit)?.loadState === 'loaded';
  const told = { type: 'service-state', active, sub, result, startLimitHit, loaded };
  const posts = (names: readonly string[], pending: boolean): Post[] =>
    names
      .filter((name) => world.unit(name)?.loadState === 'loaded')
      .map((name) => ({ to: `unit:${name}`, event: { ...told, pending } }));
  return [...posts(sockets, pending ?? false), ...(paths.length === 0 ? [] : posts(paths, pending ?? isPending(unit)))];
}

/** One kind for each machine, by its name; `options` for those that users have written, whose saved form has a version of its own. */
export function unitKinds(
  tools: UnitTools,
  machines: Readonly<Record<string, AnyStateMachine>>,
  options: Readonly<Record<string, MachineLogicOptions>> = {},
): Record<string, ActorKind> {
  const effects = unitEffects(tools);
  const tell = observe(tools);
  return Object.fromEntries(
    Object.entries(machines).map(([name, machine]) => {
      const foreign = options[name];
      const logic = foreign === undefined ? machineLogic(machine) : foreignLogic(machineLogic(machine, foreign));
      // Of ours it is known that a unit which nobody has asked anything of yet is inactive, and asks for nothing.
      return [name, { logic, dormant: () => foreign === undefined, effects, observe: tell, down, lost }];
    }),
  );
}
