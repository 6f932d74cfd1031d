/**
 * What an actor is: the contract between those who decide (machines), those who act (effects) and the host that runs both.
 *
 * An actor is an id, a logic (usually an xstate machine, see logic.ts), a snapshot, and a place in the supervision tree.
 * The host (host.ts) feeds it events from one queue; a step answers with a new snapshot and effects as plain data. Effects
 * named in {@link BuiltinEffect} are part of the host's own state and happen inside the turn; all others are carried out
 * after the turn has been committed, by the {@link EffectDef} of that name in the actor's {@link ActorKind}.
 */
import type { EffectId } from '../host/ports.ts';

/** Plain data: what JSON.stringify keeps. `undefined` fields are dropped; NaN, Infinity, dates and maps have no place here. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** Names one actor or supervisor for ever: `unit:nginx.service`, `job:41`, `jobs`, `core`. Unique over the whole tree. */
export type ActorId = string;

/**
 * Something that happened, or is asked for. Fields are plain JSON.
 *
 * The host itself sends: `deadline` {name}; `shutdown` {} (the supervisor wants this actor to end, within its spec's `shutdown`);
 * `effect-failed` {effect, why} (an effect of this actor threw; it has been counted and reported).
 */
export interface ActorEvent {
  readonly type: string;
  /**
   * CLOCK_MONOTONIC in ms. Stamped by the host when the event is queued, unless it has a stamp already. Give your own
   * stamp only to what must count from its own time (a keep-alive): deadlines that a step arms count from here, so an exit
   * stamped with the time it happened, while core was away, would arm deadlines that are over at once.
   */
  readonly atMs?: number;
  readonly [field: string]: unknown;
}

/** An event and whom it is for. */
export interface Post {
  readonly to: ActorId;
  readonly event: ActorEvent;
}

/** Something asked for, as data. `params` is what the machine's action was given. */
export interface Effect {
  readonly type: string;
  readonly params: Json | undefined;
}

/** The answer of a step. `snapshot` is the very same object where nothing has changed. */
export interface Step<S> {
  readonly snapshot: S;
  readonly effects: readonly Effect[];
}

/**
 * What decides. Pure: no clock, no I/O, no memory of its own; the same arguments give the same answer.
 * Any function may throw: that costs the step (initial, step) or the actor (load), never more.
 */
export interface Logic<S> {
  readonly name: string;
  /** Of the saved form. Raise it when `load` must convert. */
  readonly version: number;
  initial(input: Json): Step<S>;
  step(snapshot: S, event: ActorEvent): Step<S>;
  /** May share structure with the snapshot. */
  save(snapshot: S): Json;
  /** The same for a text that is made piece by piece, with large parts as {@link Entries}; without it: what `save` says. */
  saveSlowly?(snapshot: S): unknown;
  /** Throws where the saved form cannot be believed; the actor alone is then set aside. */
  load(saved: Json, version: number): S;
  /** Are the two the same as far as `save` can see? Without it: the same object. */
  same?(a: S, b: S): boolean;
  /** What must be told about `after` to one who has the saved form of `before`; `patch` is its inverse. Without them: all of it. */
  diff?(before: S, after: S): Json;
  patch?(saved: Json, diff: Json): Json;
  /** Defined: final; the actor ends with this. */
  output?(snapshot: S): Json | undefined;
  /** A saved form with as much in it as these events need to be run again from it; without it: all of it. */
  excerpt?(snapshot: S, events: readonly ActorEvent[]): Json;
}

/** The entries of an object, in any order, which are asked for one by one. */
export interface Entries {
  jsonEntries(): Iterable<readonly [string, unknown]>;
}

/** What an effect is given besides its params. `snapshot` is the actor's, after the step that asked, also when issued again after a crash; undefined where its kind says so. */
export interface EffectCall {
  readonly id: EffectId;
  readonly actor: ActorId;
  readonly snapshot: unknown;
  /** Stamp of the event that asked, CLOCK_MONOTONIC in ms. */
  readonly atMs: number;
  /** Queue an event. It is stamped now unless it carries a stamp. */
  post(to: ActorId, event: ActorEvent): void;
  /**
   * The same for an answer that somebody waits for: it overtakes all that is queued, and its turn ends with it. To be used before any
   * {@link post} that it must not come after.
   */
  answer(to: ActorId, event: ActorEvent): void;
}

/**
 * What an effect does. `once`: init carries it out under its id, and answers a repeated id with the first outcome.
 * `idempotent`: may be run twice, and is, after a crash. Answers arrive as events. A throw is reported, counted against the
 * actor, and told to it as `effect-failed`.
 */
export interface EffectDef {
  readonly kind: 'once' | 'idempotent';
  run(call: EffectCall, params: never): void;
  /** Instead of `run`, where that has taken core down twice: the answer as of one that failed, if the actor waits for any. It is quarantined, and hears it when it is released. */
  setAside?(call: EffectCall, params: never, why: string): void;
}

/** Why an actor is no longer there. `quarantined`: it is, but gets no events until it is released. */
export type DownReason = 'ended' | 'stopped' | 'failed' | 'quarantined';

/** What a step has looked at besides its arguments. Nothing in it changes any more. */
export interface Looked {
  /** About how much memory it keeps alive. */
  readonly bytes: number;
  /** As plain data, without what an earlier one has told that was given the same `said`. */
  told(said: Map<string, unknown>): Json;
}

/** All actors of a sort share one kind. */
export interface ActorKind {
  // biome-ignore lint/suspicious/noExplicitAny: a kind hides its snapshot type; the host only passes snapshots through.
  readonly logic: Logic<any>;
  readonly effects: Readonly<Record<string, EffectDef>>;
  /**
   * For a logic that looks at more than its arguments: what the step that has just been made or tried has looked at, so that it can be
   * run again; undefined: more than is kept. Asked at most once a step.
   */
  looked?(): Looked | undefined;
  /**
   * None of its effects looks at `snapshot` (it is undefined for them): then the states in between need not be kept until the
   * effects are done, nor written into an image. For an actor with a large state and many effects in one turn.
   */
  readonly blindEffects?: true;
  /**
   * Where true, an actor with this input may lie dormant until it hears something: in the checkpoint is its node alone, and its first
   * step is made when its first event comes or somebody looks. For kinds of which thousands are there and few ever do anything.
   * That step must ask for nothing but deadlines at `infinity`, and `observe` must have nothing to say of it.
   */
  dormant?(input: Json): boolean;
  /**
   * Pure: posts that follow from a change of this actor's snapshot. `before` and `event` (what it was handed) are undefined at the
   * start. Part of the step: a throw costs it.
   */
  observe?(actor: ActorId, before: unknown | undefined, after: unknown, event: ActorEvent | undefined): readonly Post[];
  /**
   * Pure: posts that follow where an event has been set aside because it threw twice, or has taken core down twice in an actor of core's own:
   * whoever waits for its answer waits in vain.
   */
  lost?(actor: ActorId, event: ActorEvent, why: string): readonly Post[];
  /** Pure: posts that follow from the end of this actor, so that whoever waits for it can go on. `output` only where it ended, `why` where it is quarantined. */
  down?(actor: ActorId, last: unknown, reason: DownReason, output: Json | undefined, why: string): readonly Post[];
}

/** `kinds` by name, as {@link ChildSpec.kind} says it. */
export type ActorKinds = Readonly<Record<string, ActorKind>>;

/** When a child that has ended is started again, from its input (Erlang/OTP, supervisor, "restart type"). `transient`: only if it failed. */
export type RestartType = 'permanent' | 'transient' | 'temporary';

/** One actor below a supervisor. Plain data, part of the checkpoint. */
export interface ChildSpec {
  readonly id: ActorId;
  /** A key of the host's {@link ActorKinds}. */
  readonly kind: string;
  readonly input: Json;
  readonly restart: RestartType;
  /**
   * How long it may take to end after `shutdown`, in ms; `infinity`: as long as it likes; `brutal`: it is removed without being asked
   * (Erlang/OTP, supervisor, "shutdown"). A supervisor has all the time that its children need.
   */
  readonly shutdown: number | 'infinity' | 'brutal';
}

/** Which children share the fate of one that failed (Erlang/OTP, supervisor, "restart strategy"). */
export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one';

/** More than `intensity` restarts within `periodMs`, and the supervisor gives up, upwards. */
export interface RestartBudget {
  readonly intensity: number;
  readonly periodMs: number;
}

/** A supervisor: children in their order of starting; stopped in reverse. */
export interface SupervisorSpec extends RestartBudget {
  readonly id: ActorId;
  readonly strategy: Strategy;
  readonly children: readonly (ChildSpec | SupervisorSpec)[];
}

/**
 * Effects every machine may ask for; the host carries them out inside the turn, as part of what the turn commits.
 *
 * - `armDeadline`: fires as `deadline` {name} at the event's stamp plus `ms`; arming again replaces; `infinity` never fires, but is shown.
 * - `disarmDeadline`: one that is not armed is no error.
 * - `post`: behind everything that is queued.
 * - `startChild`: below a supervisor; an id that is there already is left as it is, and reported.
 * - `startSupervisor`: the same for a supervisor with its children.
 * - `stopChild`: an actor or supervisor, in order, with its `shutdown` time; an unknown id is no error.
 * - `releaseChild`: a quarantined actor gets events again, from its last good snapshot.
 */
export type BuiltinEffect =
  | { readonly type: 'armDeadline'; readonly params: { readonly name: string; readonly ms: number | 'infinity' } }
  | { readonly type: 'disarmDeadline'; readonly params: { readonly name: string } }
  | { readonly type: 'post'; readonly params: Post }
  | { readonly type: 'startChild'; readonly params: { readonly spec: ChildSpec; readonly supervisor: ActorId } }
  | {
      readonly type: 'startSupervisor';
      readonly params: { readonly spec: SupervisorSpec; readonly supervisor: ActorId };
    }
  | { readonly type: 'stopChild'; readonly params: { readonly id: ActorId } }
  | { readonly type: 'releaseChild'; readonly params: { readonly id: ActorId } };

/**
 * One input from outside, to be taken from its source only after the commit that holds its consequences.
 *
 * `key` identifies it over crashes: `record:41` for init's record 41 (kept as a low-water mark, acknowledged by the host itself),
 * a datagram's (socket, pid, stamp, hash), a client's request id. A key that is committed already is not processed again, but
 * consumed again. What has no identity of its own (a hint that a level may have changed) has no key: it is never taken for a
 * repetition. A counter is no identity: it begins again with every core, while committed keys are remembered.
 */
export interface Input {
  readonly key?: string;
  readonly events: readonly Post[];
  /** Take it from its source. Idempotent. Called after the commit and the effects; not for inputs that have no source. */
  readonly consume?: () => void;
  /** Remember the key for long (the last 1,024 of these), so that a client that comes back is answered from state. */
  readonly keep?: boolean;
}

/** Something a person may want to know; the log gets it, see law 8. */
export interface HostReport {
  readonly level: 'info' | 'warning' | 'error';
  /** A short constant word: `step-failed`, `event-set-aside`, `quarantined`, `checkpoint-void` … */
  readonly what: string;
  readonly actor: ActorId | undefined;
  readonly why: string;
  /** Number of the event in hand; 0: none. */
  readonly seq: number;
  readonly detail?: Json;
}

/** What a name of an actor looks like in the black box: at most 40 bytes, a long one ends in a hash of the whole. */
export function blackBoxName(id: ActorId): string {
  if (id.length <= 40 && isAscii(id)) return id;
  let hash = 0x811c9dc5;
  for (let at = 0; at < id.length; at += 1) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193) >>> 0;
  const head = id.replace(/[^\x20-\x7e]/g, '?').slice(0, 31);
  return `${head}~${hash.toString(16).padStart(8, '0')}`;
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) > 0x7e) return false;
  return true;
}
