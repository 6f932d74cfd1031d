/**
 * The pure half of a step: everything that can throw happens here, before anything is changed (law 7).
 *
 * A prepared step has been turned into text already, its effects are known to be servable, the posts that follow from it are
 * computed. Applying it (host.ts) cannot fail.
 */
import type {
  ActorEvent,
  ActorId,
  ActorKind,
  ActorKinds,
  BuiltinEffect,
  ChildSpec,
  Effect,
  Json,
  Post,
  Step,
  SupervisorSpec,
} from './actor.ts';
import { isSupervisorSpec } from './ledger.ts';

export type PreparedEffect =
  | { readonly builtin: BuiltinEffect }
  /** `text` is the params as JSON; undefined: there are none. */
  | { readonly external: Effect; readonly text: string | undefined };

export interface Prepared {
  readonly snapshot: unknown;
  /** What the checkpoint is told; undefined: nothing has changed. */
  readonly change: { readonly diff: string } | { readonly saved: string } | undefined;
  readonly effects: readonly PreparedEffect[];
  /** What `observe` said. */
  readonly posts: readonly Post[];
  /** Defined: the actor has ended. */
  readonly output: Json | undefined;
}

const BUILTINS: ReadonlySet<string> = new Set<BuiltinEffect['type']>([
  'armDeadline',
  'disarmDeadline',
  'post',
  'startChild',
  'startSupervisor',
  'stopChild',
  'releaseChild',
]);

const NO_EFFECTS: readonly PreparedEffect[] = [];
const NO_POSTS: readonly Post[] = [];

/** Throws whatever is wrong with the step; `before` and `event` undefined: it is the actor's first. */
export function prepare(
  kinds: ActorKinds,
  kind: ActorKind,
  actor: ActorId,
  before: { readonly snapshot: unknown } | undefined,
  step: Step<unknown>,
  event?: ActorEvent,
): Prepared {
  const { logic } = kind;
  const { snapshot } = step;
  const effects =
    step.effects.length === 0 ? NO_EFFECTS : step.effects.map((effect) => prepareEffect(kinds, kind, effect));
  if (before !== undefined) {
    const old = before.snapshot;
    if (old === snapshot || logic.same?.(old, snapshot) === true) {
      return { snapshot, change: undefined, effects, posts: NO_POSTS, output: undefined };
    }
  }
  const change =
    before === undefined || logic.diff === undefined || logic.patch === undefined
      ? { saved: stringify(logic.save(snapshot)) }
      : { diff: stringify(logic.diff(before.snapshot, snapshot)) };
  const posts = kind.observe?.(actor, before?.snapshot, snapshot, event) ?? NO_POSTS;
  for (const post of posts) checkPost(post);
  return { snapshot, change, effects, posts, output: logic.output?.(snapshot) };
}

function prepareEffect(kinds: ActorKinds, kind: ActorKind, effect: Effect): PreparedEffect {
  if (BUILTINS.has(effect.type)) {
    const builtin = effect as unknown as BuiltinEffect;
    checkBuiltin(kinds, builtin);
    return { builtin };
  }
  if (kind.effects[effect.type] === undefined) throw new Error(`nobody here carries out the effect ${effect.type}`);
  return { external: effect, text: effect.params === undefined ? undefined : stringify(effect.params) };
}

function checkBuiltin(kinds: ActorKinds, effect: BuiltinEffect): void {
  if (typeof effect.params !== 'object' || effect.params === null) throw new Error(`${effect.type} without params`);
  switch (effect.type) {
    case 'armDeadline': {
      const { name, ms } = effect.params;
      if (typeof name !== 'string' || name.startsWith('$')) throw new Error(`not a name for a deadline: ${name}`);
      if (ms !== 'infinity' && !Number.isFinite(ms)) throw new Error(`deadline ${name}: not a time in ms: ${ms}`);
      return;
    }
    case 'disarmDeadline':
      if (typeof effect.params.name !== 'string') throw new Error('disarmDeadline without a name');
      return;
    case 'post':
      checkPost(effect.params);
      return;
    case 'startChild':
    case 'startSupervisor':
      checkSpec(kinds, effect.params.spec);
      return;
    case 'stopChild':
    case 'releaseChild':
      if (typeof effect.params.id !== 'string') throw new Error(`${effect.type} without an id`);
  }
}

/** Posts go into the commit, so their text has to exist; those of a step that throws go nowhere. */
function checkPost(post: Post): void {
  const text = stringify(post);
  if (typeof post.to !== 'string' || typeof post.event?.type !== 'string') throw new Error(`not a post: ${text}`);
}

const RESTARTS: ReadonlySet<unknown> = new Set(['permanent', 'transient', 'temporary']);
const STRATEGIES: ReadonlySet<unknown> = new Set(['one_for_one', 'one_for_all', 'rest_for_one']);
const SHUTDOWNS: ReadonlySet<unknown> = new Set(['infinity', 'brutal']);

/** Throws where a spec could not be started as it is. */
function checkSpec(kinds: ActorKinds, spec: ChildSpec | SupervisorSpec): void {
  if (typeof spec?.id !== 'string') throw new Error('a child without an id');
  if (!isSupervisorSpec(spec)) {
    if (kinds[spec.kind] === undefined) throw new Error(`${spec.id}: there is no kind of actor named ${spec.kind}`);
    const { restart, shutdown } = spec;
    if (!RESTARTS.has(restart)) throw new Error(`${spec.id}: ${String(restart)} is no restart type`);
    if (typeof shutdown === 'number' ? !(shutdown >= 0 && Number.isFinite(shutdown)) : !SHUTDOWNS.has(shutdown))
      throw new Error(`${spec.id}: ${String(shutdown)} is no time for a shutdown`);
    stringify(spec);
    return;
  }
  const { strategy, intensity, periodMs } = spec;
  if (!STRATEGIES.has(strategy)) throw new Error(`${spec.id}: ${String(strategy)} is no restart strategy`);
  if (!Number.isSafeInteger(intensity) || intensity < 0 || !Number.isFinite(periodMs) || periodMs <= 0)
    throw new Error(`${spec.id}: a restart intensity (a number from 0 on) and a period in ms are needed`);
  if (!Array.isArray(spec.children)) throw new Error(`${spec.id}: its children are no list`);
  for (const child of spec.children) checkSpec(kinds, child);
}

function stringify(value: unknown): string {
  const text = JSON.stringify(value);
  if (text === undefined) throw new Error(`not plain data: ${String(value)}`);
  return text;
}
