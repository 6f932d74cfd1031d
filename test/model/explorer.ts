/**
 * Every reachable state of a unit machine, by breadth first search, and what must hold in each.
 *
 * A node is a snapshot together with a small world that believes the effects: which deadlines are armed, which processes were
 * asked for and are not known to have ended. Two nodes are the same if their keys are; a key leaves out what only counts up.
 * The first violation is reported with the shortest way to it.
 */
import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import type { DeadlineName, EffectParams, Role, UnitEffect } from '../../src/machines/protocol.ts';
import { machineLogic } from '../../src/supervisor/logic.ts';

/** A process of the world. `serial` follows from the run, so that any test can name it. */
export interface Spawned {
  readonly role: Role;
  readonly run: number;
  readonly stage: 'asked' | 'forked' | 'execed';
  readonly abandoned: boolean;
}

export interface World {
  readonly armed: Readonly<Record<string, number | 'infinity'>>;
  readonly spawned: readonly Spawned[];
  /** Pids that init watches. */
  readonly watched: readonly number[];
}

export interface Event {
  readonly type: string;
  readonly atMs: number;
  readonly [field: string]: unknown;
}

export interface Node {
  readonly snapshot: AnyMachineSnapshot;
  readonly world: World;
}

export const serialOf = (run: number): number => 1_000 + run;
export const pidOf = (run: number): number => 2_000 + run;

export interface Model {
  readonly machine: AnyStateMachine;
  readonly input: unknown;
  /** Every event worth trying in a node: those that can happen, and those that should not. */
  events(node: Node): readonly Event[];
  /** Two snapshots with the same key have the same future. */
  key(snapshot: AnyMachineSnapshot): unknown;
  /** What is wrong with this node, or with the effects that led to it. */
  check(node: Node, effects: readonly UnitEffect[]): readonly string[];
  /** More states than this is a key that lets something count up. */
  readonly limit: number;
}

export interface Explored {
  readonly nodes: readonly Node[];
  readonly edges: number;
  /** Every state seen, as `a.b`. */
  readonly states: ReadonlySet<string>;
}

/** Steps of the real adapter, with the world kept up to date. Throws what the world finds wrong. */
export function stepper(machine: AnyStateMachine) {
  const logic = machineLogic(machine);
  return {
    /** The node as it is after a crash: its snapshot written as text and read back. */
    restored({ snapshot, world }: Node): Node {
      return { snapshot: logic.load(JSON.parse(JSON.stringify(logic.save(snapshot))), logic.version), world };
    },
    start(input: unknown): Node {
      const { snapshot, effects } = logic.initial(input as never);
      return { snapshot, world: believe(emptyWorld, { type: 'init', atMs: 0 }, snapshot, effects as UnitEffect[]) };
    },
    step(node: Node, event: Event): { node: Node; effects: readonly UnitEffect[] } {
      const { snapshot, effects } = logic.step(node.snapshot, event);
      if (snapshot.status !== 'active') throw new Error(`status ${snapshot.status}`);
      return {
        node: { snapshot, world: believe(node.world, event, snapshot, effects as UnitEffect[]) },
        effects: effects as UnitEffect[],
      };
    },
  };
}

export const emptyWorld: World = { armed: {}, spawned: [], watched: [] };

/** The world after an event and the effects it had. */
export function believe(before: World, event: Event, after: AnyMachineSnapshot, effects: readonly UnitEffect[]): World {
  const armed: Record<string, number | 'infinity'> = { ...before.armed };
  let spawned = before.spawned.slice();
  let watched = before.watched.slice();
  const of = (run: unknown) => spawned.find((process) => process.run === run);
  const stage = (run: unknown, to: Spawned['stage']) => {
    spawned = spawned.map((process) => (process.run === run ? { ...process, stage: to } : process));
  };
  if (event.type === 'deadline') delete armed[event['name'] as string];
  for (const role of ['main', 'control'] as const) {
    const adopted = (event[role] as { run: number } | undefined)?.run;
    if (adopted === undefined || (after.context[role] as { run: number } | null)?.run !== adopted) continue;
    spawned.push({ role, run: adopted, stage: 'execed', abandoned: false });
  }
  if (event.type === 'forked') stage(event['run'], 'forked');
  if (event.type === 'execed') stage(event['run'], 'execed');
  if (event.type === 'exited' || (event.type === 'spawn-failed' && event['serial'] === null)) {
    spawned = spawned.filter((process) => process.run !== event['run']);
  }
  if (event.type === 'main-gone') watched = watched.filter((pid) => pid !== event['pid']);
  for (const effect of effects) {
    switch (effect.type) {
      case 'armDeadline':
        armed[effect.params.name] = effect.params.ms;
        if (effect.params.ms !== 'infinity' && !(effect.params.ms >= 0))
          throw new Error(`a deadline of ${effect.params.ms} ms`);
        break;
      case 'disarmDeadline':
        delete armed[effect.params.name];
        break;
      case 'spawn': {
        const { role, run } = effect.params;
        if (spawned.some((process) => process.role === role && !process.abandoned)) {
          throw new Error(`a second ${role} process is asked for while the first is there`);
        }
        if (of(run) !== undefined) throw new Error(`run ${run} is used twice`);
        spawned.push({ role, run, stage: 'asked', abandoned: false });
        break;
      }
      case 'abandon':
        spawned = spawned.map((process) =>
          process.run === effect.params.run ? { ...process, abandoned: true } : process,
        );
        watched = watched.filter((pid) => !isWatched(effect.params.process, pid));
        break;
      case 'watchMain':
        // The process before is on its own now: nobody waits for it.
        spawned = spawned.map((process) => (process.role === 'main' ? { ...process, abandoned: true } : process));
        watched = [effect.params.pid];
        break;
      case 'signal':
        checkTarget(effect.params, spawned, watched, event);
        break;
      case 'release': {
        const left = spawned.find((process) => !process.abandoned);
        if (left !== undefined) throw new Error(`released while run ${left.run} (${left.role}) is followed`);
        break;
      }
    }
  }
  return { armed, spawned, watched };
}

const isWatched = (ref: EffectParams['abandon']['process'], pid: number) =>
  ref !== null && 'watched' in ref && ref.watched[0] === pid;

function checkTarget(
  params: EffectParams['signal'],
  spawned: readonly Spawned[],
  watched: readonly number[],
  event: Event,
): void {
  const { process } = params;
  const known =
    'child' in process
      ? spawned.some((one) => serialOf(one.run) === process.child && one.stage !== 'asked') ||
        event['serial'] === process.child
      : watched.includes(process.watched[0]);
  if (!known) throw new Error(`signal ${params.signal} for a process nobody knows: ${JSON.stringify(process)}`);
}

interface Queued {
  readonly node: Node;
  readonly from: Queued | undefined;
  readonly by: Event | undefined;
}

/** Explore everything; throws at the first violation, with the shortest way to it. */
export function explore(model: Model): Explored {
  const { start, step } = stepper(model.machine);
  const first: Queued = { node: start(model.input), from: undefined, by: undefined };
  const seen = new Map<string, Queued>([[keyOf(model, first.node), first]]);
  const queue = [first];
  const states = new Set<string>(statePaths(first.node.snapshot.value));
  let edges = 0;
  for (let at = 0; at < queue.length; at += 1) {
    const here = queue[at]!;
    for (const event of model.events(here.node)) {
      edges += 1;
      const next = attempt(model, here, event, step);
      for (const path of statePaths(next.snapshot.value)) states.add(path);
      const key = keyOf(model, next);
      if (seen.has(key)) continue;
      const queued = { node: next, from: here, by: event };
      seen.set(key, queued);
      queue.push(queued);
      if (queue.length > model.limit) throw new Error(`more than ${model.limit} states; the last: ${key}`);
    }
  }
  return { nodes: queue.map(({ node }) => node), edges, states };
}

function attempt(model: Model, here: Queued, event: Event, step: ReturnType<typeof stepper>['step']): Node {
  let effects: readonly UnitEffect[] = [];
  try {
    const next = step(here.node, event);
    effects = next.effects;
    const wrong = [...common(next.node), ...model.check(next.node, effects)];
    if (wrong.length === 0) return next.node;
    throw new Error(`${wrong.join('; ')}\n  in ${describe(next.node)}`);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const asked = effects.map((effect) => `${effect.type} ${JSON.stringify(effect.params)}`).join('\n    ');
    throw new Error(`${why}\n  by:\n    ${wayTo(here, event).join('\n    ')}\n  effects:\n    ${asked}`, { cause });
  }
}

/** What holds for every machine: one ActiveState, told alike by tag and context; context is plain JSON; the armed deadlines are those it knows. */
function common({ snapshot, world }: Node): string[] {
  const wrong: string[] = [];
  const tags = [...snapshot.tags];
  if (tags.length !== 1) wrong.push(`tags ${JSON.stringify(tags)}`);
  const { settings: _settings, ...own } = snapshot.context as Record<string, unknown>;
  if (!isPlain(own)) wrong.push('the context is not plain JSON');
  const deadline = snapshot.context['deadline'] as
    | { name: DeadlineName; dueMs: number | 'infinity' }
    | null
    | undefined;
  const known = new Set<string>();
  if (deadline) known.add(deadline.name);
  if (typeof snapshot.context['watchdogDueMs'] === 'number') known.add('WatchdogSec');
  const armed = Object.keys(world.armed);
  if (armed.length !== known.size || armed.some((name) => !known.has(name))) {
    wrong.push(`armed are [${armed}], known [${[...known]}]`);
  }
  const tag = tags[0];
  if ((tag === 'activating' || tag === 'deactivating' || tag === 'reloading') && !deadline)
    wrong.push('it waits without a deadline');
  if (tag === 'inactive' || tag === 'failed') {
    if (armed.length > 0) wrong.push(`down, with [${armed}] armed`);
    if (snapshot.context['main'] || snapshot.context['control']) wrong.push('down, with a process in its context');
  }
  return wrong;
}

function isPlain(value: unknown): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(isPlain);
  if (typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) return false;
  return Object.values(value).every(isPlain);
}

export function statePaths(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return Object.entries(value as Record<string, unknown>).flatMap(([key, inner]) => [
    key,
    ...statePaths(inner).map((path) => `${key}.${path}`),
  ]);
}

/** States a machine declares and can rest in: those that are left at once, whatever the facts, are passed through. */
export function declaredStates(machine: AnyStateMachine): string[] {
  const paths: string[] = [];
  const walk = (node: AnyStateMachine['root'], path: string[]) => {
    const passes = (node.always ?? []).some(
      (transition) => transition.guard === undefined && transition.target !== undefined,
    );
    if (path.length > 0 && !passes) paths.push(path.join('.'));
    for (const child of Object.values(node.states))
      walk(child as AnyStateMachine['root'], [...path, (child as { key: string }).key]);
  };
  walk(machine.root, []);
  return paths;
}

function keyOf(model: Model, { snapshot, world }: Node): string {
  const current = new Map<number, string>();
  const main = snapshot.context['main'] as { run: number } | null | undefined;
  const control = snapshot.context['control'] as { run: number } | null | undefined;
  if (main) current.set(main.run, 'main');
  if (control) current.set(control.run, 'control');
  // What is followed no longer has no say in the future; a stranger among the events stands for all of them.
  const processes = world.spawned.flatMap((process) => {
    const role = current.get(process.run);
    return role === undefined ? [] : [`${role}:${process.stage}`];
  });
  const armed = Object.entries(world.armed).map(([name, ms]) => (ms === 'infinity' ? `${name}!` : name));
  return JSON.stringify([snapshot.value, model.key(snapshot), processes.sort(), armed.sort()]);
}

function wayTo(here: Queued, event: Event): string[] {
  const way: string[] = [];
  let last: Queued | undefined = here;
  let by: Event | undefined = event;
  while (by !== undefined) {
    const { atMs, ...rest } = by;
    way.unshift(
      `${JSON.stringify(last?.node.snapshot.value)} <- ${JSON.stringify(rest)}${atMs === 1_000 ? '' : ` at ${atMs}`}`,
    );
    by = last?.by;
    last = last?.from;
  }
  return way;
}

/** A node in words, without its settings. */
export function describe({ snapshot, world }: Node): string {
  const { settings: _settings, ...own } = snapshot.context as Record<string, unknown>;
  return `${JSON.stringify(snapshot.value)} ${JSON.stringify(own)} ${JSON.stringify(world)}`;
}
