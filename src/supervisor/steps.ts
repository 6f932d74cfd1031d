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
  Logic,
  Post,
  Step,
  SupervisorSpec,
} from './actor.ts';
import { isSupervisorSpec } from './ledger.ts';

export type PreparedEffect =
  /** `specText` is the spec of a child that is started, as JSON, where that is short. */
  | { readonly builtin: BuiltinEffect; readonly specText?: string | undefined }
  /** `text` is the params as JSON; undefined: there are none. */
  | { readonly external: Effect; readonly text: string | undefined };

export interface Prepared {
  readonly snapshot: unknown;
  /** What the checkpoint is told; undefined: nothing has changed, or it is the first step. */
  readonly change: { readonly diff: string } | { readonly saved: string } | undefined;
  /** Of the first step: the saved form, and what `tell` has made of it. */
  readonly first?: { readonly form: Json; readonly told: string };
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

/** Throws whatever is wrong with the step; `before` and `event` undefined: it is the actor's first. `tell`: makes text of a saved form. */
export function prepare(
  kinds: ActorKinds,
  kind: ActorKind,
  actor: ActorId,
  before: { readonly snapshot: unknown } | undefined,
  step: Step<unknown>,
  event?: ActorEvent,
  tell: Tell = stringify,
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
  const first = before === undefined ? firstOf(logic.save(snapshot), snapshot, tell) : undefined;
  const change = before === undefined ? undefined : changeOf(logic, before.snapshot, snapshot);
  const posts = kind.observe?.(actor, before?.snapshot, snapshot, event) ?? NO_POSTS;
  for (const post of posts) checkPost(post);
  const rest = { snapshot, change, effects, posts, output: logic.output?.(snapshot) };
  return first === undefined ? rest : { ...rest, first };
}

/** Makes text of an actor's first saved form. Throws where that is not plain data. */
export type Tell = (form: Json, snapshot: unknown) => string;

const firstOf = (form: Json, snapshot: unknown, tell: Tell) => ({ form, told: tell(form, snapshot) });

const changeOf = (logic: Logic<unknown>, before: unknown, after: unknown) =>
  logic.diff === undefined || logic.patch === undefined
    ? { saved: stringify(logic.save(after)) }
    : { diff: stringify(logic.diff(before, after)) };

function prepareEffect(kinds: ActorKinds, kind: ActorKind, effect: Effect): PreparedEffect {
  if (BUILTINS.has(effect.type)) {
    const builtin = effect as unknown as BuiltinEffect;
    return { builtin, specText: checkBuiltin(kinds, builtin) };
  }
  if (kind.effects[effect.type] === undefined) throw new Error(`nobody here carries out the effect ${effect.type}`);
  return { external: effect, text: effect.params === undefined ? undefined : stringify(effect.params) };
}

/** @returns {@link PreparedEffect}'s `specText` */
function checkBuiltin(kinds: ActorKinds, effect: BuiltinEffect): string | undefined {
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
      return checkSpec(kinds, effect.params.spec);
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

/** Longer ones are not worth keeping: most of them have much in common. */
const SPEC_TEXT_MAX = 256;

/** Throws where a spec could not be started as it is. @returns {@link PreparedEffect}'s `specText` */
function checkSpec(kinds: ActorKinds, spec: ChildSpec | SupervisorSpec): string | undefined {
  if (typeof spec?.id !== 'string') throw new Error('a child without an id');
  if (!isSupervisorSpec(spec)) {
    if (kinds[spec.kind] === undefined) throw new Error(`${spec.id}: there is no kind of actor named ${spec.kind}`);
    const { restart, shutdown } = spec;
    if (!RESTARTS.has(restart)) throw new Error(`${spec.id}: ${String(restart)} is no restart type`);
    if (typeof shutdown === 'number' ? !(shutdown >= 0 && Number.isFinite(shutdown)) : !SHUTDOWNS.has(shutdown))
      throw new Error(`${spec.id}: ${String(shutdown)} is no time for a shutdown`);
    const text = stringify(spec);
    return text.length <= SPEC_TEXT_MAX ? text : undefined;
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
