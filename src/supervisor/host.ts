/**
 * The actor host: one queue, one turn, one commit.
 *
 * A turn takes what is queued (all ready inputs first, then deadlines that are due), runs at most 512 events (or 20 ms of them) to completion,
 * writes one record that holds everything they changed, and only then carries out the effects they asked for, in order, and
 * takes the inputs from their sources. So core may die between any two instructions: before the record nothing has
 * happened and the inputs come again; after it, effects and consumption are repeated, which is harmless (law 4).
 *
 * The parts: steps.ts prepares a step (all that can throw), ledger.ts is the durable state, supervision.ts the tree,
 * recovery.ts the way back; late.ts and alone.ts say what is held back after a death. This file owns the turn, and the order of
 * things within it.
 */
import type { Host } from '../host/ports.ts';
import type {
  ActorEvent,
  ActorId,
  BuiltinEffect,
  EffectCall,
  EffectDef,
  HostReport,
  Input,
  Json,
  Post,
} from './actor.ts';
import { blackBoxName } from './actor.ts';
import { Alone } from './alone.ts';
import type { DueAt } from './deadlines.ts';
import { Journal } from './journal.ts';
import { LateDeadlines } from './late.ts';
import { type Cell, Dormant, isSupervisor, type Ledger, type PendingEffect } from './ledger.ts';
import { messageOf } from './message.ts';
import { type ActorHostOptions, phaseOf, type RecoveryView, restartsOf, type TreeView, treeOf } from './options.ts';
import { EventQueue } from './queue.ts';
import { PHASE, type Recovered, recover, type Suspect, type Suspects } from './recovery.ts';
import { type Prepared, prepare } from './steps.ts';
import { SHUTDOWN_DEADLINE, type Stage, Supervision } from './supervision.ts';

/** Most events of one turn. */
const TURN_EVENTS = 512;
/** … and the time after which it takes no more: the answers to what it has taken wait for its end. */
const TURN_MS = 20;
/** Most queued events; a step that posts beyond it throws. */
const QUEUE_MAX = 262_144;
/** Of the host's own effects in one step so many are carried out between two looks at the clock. */
const STARTS_A_LOOK = 32;
/** Longest time between two beats, unless the options say otherwise. */
const BEAT_EVERY_MS = 2_500;
/** Turns of one round under suspicion. */
const ALONE_A_ROUND = 64;
/** An input on its way from its source. */
interface Arrived {
  /** To be committed; undefined: it has none, or was committed before. */
  readonly key: string | undefined;
  readonly keep: boolean;
  readonly consume: (() => void) | undefined;
  /** How many entries the queue had been given when its last event was in it. */
  readonly after: number;
}

export class ActorHost {
  readonly #options: ActorHostOptions;
  readonly #host: Host;
  readonly #queue = new EventQueue();
  readonly #supervision: Supervision;
  readonly #journal: Journal;
  #ledger: Ledger;
  #suspects: Suspects;

  #nowMs = 0;
  #inTurn = false;
  /** Index of the next effect of the event in hand. */
  #index = 0;
  /** Effects of the last commit behind the one in hand. */
  #effectsLeft = 0;
  /** Inputs that came since the last commit, in their order, and the keys among them. */
  #arrived: Arrived[] = [];
  #received = new Set<string>();
  /** Those of earlier commits that are still at their source: each is taken once all of its events have been handled. */
  #committed: Arrived[] = [];
  #ackedThrough = 0;
  /** {@link ActorHostOptions.left} is not through yet. */
  #isLeft = false;
  readonly #late = new LateDeadlines();
  readonly #alone = new Alone();
  #wakeMs: number | undefined;
  #lastBeatMs = Number.NEGATIVE_INFINITY;

  constructor(options: ActorHostOptions) {
    this.#options = options;
    this.#host = options.host;
    const { ledger, suspects } = this.#recover();
    this.#ledger = ledger;
    this.#suspects = suspects;
    this.#supervision = new Supervision(this.#stage());
    this.#queue.onUnsaveable = ({ to, event }) =>
      this.#report('warning', 'event-not-saved', to, `${event.type} is not plain data: it is lost if core dies now`);
    this.#journal = new Journal({
      state: this.#host.state,
      compactBytes: options.compactBytes,
      report: (level, what, why) => this.#report(level, what, undefined, why),
    });
  }

  // — Life ————————————————————————————————————————————————————————————————————————————————————————————————————————————————

  #recovered: Recovered | undefined;

  #recover(): Recovered {
    this.#nowMs = this.#host.clock.nowMs();
    const { kinds, migrations } = this.#options;
    const report = (level: HostReport['level'], what: string, actor: ActorId | undefined, why: string) =>
      this.#tell({ level, what, actor, why, seq: 0 });
    const recovered = recover(this.#host, kinds, report, migrations);
    this.#recovered = recovered;
    return recovered;
  }

  /** What {@link start} will answer: recovery itself is over. */
  get recovered(): { readonly mode: 'restored' | 'fresh'; readonly why: string } {
    const { mode, why } = this.#recovered as Recovered;
    return { mode, why };
  }

  /** Finish recovery and take charge: after this, turns come from the host. Call it once. */
  start(): { readonly mode: 'restored' | 'fresh'; readonly why: string } {
    const { mode, why, note } = this.#recovered as Recovered;
    const { init, hello } = this.#host;
    this.#nowMs = this.#host.clock.nowMs();
    if (mode === 'restored') this.#late.awayUntilMs = this.#nowMs;
    this.#isLeft = this.#options.left !== undefined;
    this.#tell({ level: 'info', what: `state-${mode}`, actor: undefined, why, seq: this.#ledger.seq });
    // Nothing may be done under a new epoch while an image of an old one could still be believed.
    if (mode === 'fresh') this.#writeImage();
    const { queued } = this.#ledger;
    for (const post of queued) this.#queue.push({ post, durable: true });
    this.#ledger.queued = [];

    init.mark(0, PHASE.recovery, 'effects');
    this.#reissue();
    init.mark(0, PHASE.recovery, 'complete');
    this.#supervision.complete(this.#options.root, null, this.#nowMs);
    init.mark(0, PHASE.recovery, 'reconcile');
    const view: RecoveryView = {
      ...{ mode, why, hello },
      ...(note === undefined ? {} : { note }),
      readBegun: (id) => this.readBegun(id),
      list: (prefix) => this.list(prefix),
      onTheirWay: (to) => queued.filter((post) => post.to === to).map(({ event }) => event),
      earlier: this.#recovered?.earlier ?? new Map(),
    };
    for (const post of this.#options.reconcile?.(view) ?? []) this.#post(post);
    // Deadlines that fell due meanwhile are late, and so wait for a full drain.
    this.#host.start(
      (event) => {
        if (event.type === 'wake') this.#wakeMs = undefined;
        this.#options.onEvent(event);
      },
      (whole) => this.turn(whole),
    );
    init.mark(0, PHASE.idle, '');
    init.ready();
    this.#host.schedule();
    return { mode, why };
  }

  /** Hand over one input. It is processed in a coming turn, and consumed after that turn's commit. */
  input(input: Input): void {
    this.#host.schedule();
    const { key, events, keep, consume } = input;
    if (key !== undefined && this.#received.has(key)) return; // offered again before its turn came
    // One that was committed before: its events have been handled, or are in the queue already.
    const known = key !== undefined && this.#ledger.keys.has(key);
    if (key !== undefined) this.#received.add(key);
    if (!known) {
      const nowMs = this.#host.clock.nowMs();
      for (const { to, event } of events)
        this.#queue.push({ post: { to, event: stamped(event, nowMs) }, durable: false });
      this.#late.input();
    }
    this.#arrived.push({ key: known ? undefined : key, keep: keep === true, consume, after: this.#queue.pushed });
  }

  // — The turn ————————————————————————————————————————————————————————————————————————————————————————————————————————————

  /** One turn. The host calls it after each batch of events and when it was asked for; `whole`: the batch left nothing behind. */
  turn(whole: boolean): void {
    // A commit makes the effects of the one before it forgotten: not before init has all that they have asked of it.
    if (this.#inTurn || !this.#host.init.settled) return;
    this.#inTurn = true;
    this.#nowMs = this.#host.clock.nowMs();
    this.#fireDue(whole);
    this.#alone.round();
    // Under suspicion an event has a turn of its own, and the host's round several of them: what else a round does costs more.
    for (let left = ALONE_A_ROUND; left > 0; left -= 1) {
      this.#takeEvents();
      this.#commit();
      this.#carryOut();
      this.#consume();
      this.#compact();
      if (this.#suspects.aloneUntil === 0 || this.#queue.length === 0) break;
    }
    this.#host.init.mark(this.#ledger.seq, PHASE.idle, '');
    this.#host.init.beat();
    this.#lastBeatMs = this.#nowMs;
    this.#options.recorder?.settle(this.#nowMs);
    this.#inTurn = false;
    if (this.#isLeft) this.#goOnRecovering();
    this.#rest();
  }

  #takeEvents(): void {
    for (let left = this.#turnLimit(); left > 0; left -= 1) {
      const { overtaking } = this.#queue;
      const entry = this.#queue.take();
      if (entry === undefined) break;
      if ('post' in entry) this.#deliver(entry.post);
      else this.#fire(entry.deadline.actor, entry.deadline.name, entry.deadline.at);
      // Somebody waits for it to be committed.
      if (this.#beatIfLong() - this.#nowMs > TURN_MS || overtaking === 1) break;
    }
  }

  /**
   * A turn that installs ten thousand jobs takes seconds, or on a busy machine longer than init waits for a beat. So it beats on the
   * way, between two steps or effects: what hangs is one of those.
   *
   * @returns the time
   */
  #beatIfLong(): number {
    const nowMs = this.#host.clock.nowMs();
    if (nowMs - Math.max(this.#lastBeatMs, this.#nowMs) < (this.#options.beatEveryMs ?? BEAT_EVERY_MS)) return nowMs;
    this.#host.init.beat(true);
    this.#lastBeatMs = nowMs;
    return nowMs;
  }

  #turnLimit(): number {
    const { aloneUntil } = this.#suspects;
    if (aloneUntil === 0) return this.#options.turnEvents ?? TURN_EVENTS;
    const isPast = this.#alone.turn(this.#queue.length, this.#late.areHeld, this.#ledger.seq > aloneUntil);
    if (isPast) this.#suspects = { ...this.#suspects, aloneUntil: 0 };
    // The first such turn only commits the inputs, so that the order of events stays what it is if the next one kills core.
    return this.#alone.isFirst ? 0 : 1;
  }

  #goOnRecovering(): void {
    try {
      this.#isLeft = this.#options.left?.() === true;
    } catch (error) {
      this.#report('error', 'recovery-failed', undefined, messageOf(error));
    }
  }

  /** Queue the deadlines that are due, behind the inputs; those that are late when their time has come. */
  #fireDue(whole: boolean): void {
    const { deadlines } = this.#ledger;
    if (!this.#late.mayFire(deadlines.next(), this.#nowMs, whole)) return;
    for (const deadline of deadlines.takeDue(this.#nowMs)) this.#queue.push({ deadline });
  }

  #fire(actor: ActorId, name: string, at: number): void {
    if (this.#ledger.deadlines.get(actor, name) !== at) return; // disarmed, or armed for another time
    if (this.#cell(actor) === undefined) return; // quarantined: it fires once released
    this.#ledger.disarm(actor, name);
    if (name === SHUTDOWN_DEADLINE) this.#supervision.shutdownOver(actor);
    else this.#deliver({ to: actor, event: { type: 'deadline', name, atMs: this.#nowMs } });
  }

  /** An actor that can take events; undefined: there is none, or it is quarantined or broken. */
  #cell(id: ActorId): Cell | undefined {
    const cell = this.#ledger.actors.get(id);
    if (cell === undefined || cell.broken !== undefined) return undefined;
    const node = this.#ledger.nodes.get(id);
    return node !== undefined && !isSupervisor(node) && node.phase === 'quarantined' ? undefined : cell;
  }

  #deliver(post: Post): void {
    this.#ledger.seq += 1;
    this.#index = 0;
    const { to, event } = post;
    const setAside = this.#takeSetAside(to);
    if (setAside !== undefined) {
      const what = `${event.type} has taken core down twice, the last time by ${setAside.how}`;
      this.#report('error', 'event-set-aside', to, what, event as Json);
      this.#supervision.deadly(to, event.type, `its event ${what}`, 'step', event);
      return;
    }
    if (this.#ledger.actors.get(to) instanceof Dormant) this.#supervision.wake(to, event.atMs ?? this.#nowMs);
    const cell = this.#cell(to);
    if (cell === undefined) {
      if (this.#supervision.hold({ to, event })) return;
      const there = this.#ledger.actors.has(to) || this.#ledger.nodes.has(to);
      this.#report(
        there ? 'warning' : 'info',
        there ? 'event-set-aside' : 'no-such-actor',
        to,
        event.type,
        event as Json,
      );
    } else this.#step(cell, event);
  }

  /** Law 7: a throw costs the step, a second one the event. */
  #step(cell: Cell, event: ActorEvent): void {
    const { kind, id } = cell;
    if (kind === undefined) return;
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      this.#host.init.mark(this.#ledger.seq, PHASE.step, blackBoxName(id));
      let prepared: Prepared;
      try {
        prepared = prepare(this.#options.kinds, kind, id, cell, kind.logic.step(cell.snapshot, event), event);
        if (this.#queue.length + prepared.effects.length + prepared.posts.length > QUEUE_MAX) {
          throw new Error('the queue of events is full');
        }
      } catch (error) {
        const why = messageOf(error);
        this.#record(cell, event, why);
        this.#report(
          'error',
          attempt === 1 ? 'step-failed' : 'event-set-aside',
          id,
          `${event.type}: ${why}`,
          event as Json,
        );
        if (!this.#supervision.failed(id, event.type, why, 'step')) return;
        if (attempt === 2) this.#supervision.lostStep(id, event, why);
        continue;
      }
      this.#record(cell, event, prepared);
      this.#apply(id, prepared, event.atMs ?? this.#nowMs);
      return;
    }
  }

  #record({ id, kind, kindName, snapshot }: Cell, event: ActorEvent, outcome: Prepared | string): void {
    const { recorder } = this.#options;
    if (recorder === undefined || kind === undefined) return;
    const { seq } = this.#ledger;
    recorder.step({
      seq,
      atMs: event.atMs ?? this.#nowMs,
      actor: id,
      kindName,
      kind,
      event,
      before: snapshot,
      outcome,
    });
  }

  /** The suspect that the event in hand is, for this actor; it is one only once. */
  #takeSetAside(to: ActorId): Suspect | undefined {
    const { setAside } = this.#suspects;
    if (setAside === undefined || setAside.seq !== this.#ledger.seq) return undefined;
    this.#suspects = { ...this.#suspects, setAside: undefined };
    // The black box may name a child that was being started by the event's own actor.
    const isIt =
      setAside.actor === blackBoxName(to) || !this.list('').some((id) => blackBoxName(id) === setAside.actor);
    return isIt ? setAside : undefined;
  }

  /** Make a prepared step true. Nothing in here throws. */
  #apply(actor: ActorId, prepared: Prepared, atMs: number): void {
    const ledger = this.#ledger;
    const cell = ledger.actors.get(actor);
    if (cell === undefined) return;
    if (prepared.change === undefined) cell.snapshot = prepared.snapshot;
    else ledger.stepActor(cell, prepared.snapshot, prepared.change);
    let started = 0;
    for (const effect of prepared.effects) {
      if ('builtin' in effect) {
        this.#applyBuiltin(actor, effect.builtin, atMs, effect.specText);
        started += 1;
        if (started % STARTS_A_LOOK === 0) this.#beatIfLong();
        continue;
      }
      const id = { epoch: ledger.epoch, seq: ledger.seq, index: this.#index };
      this.#index += 1;
      const { type, params } = effect.external;
      ledger.addEffect(
        {
          ...{ id, actor, type, params, atMs, kindName: cell.kindName },
          snapshot: cell.kind?.blindEffects === true ? undefined : prepared.snapshot,
        },
        effect.text,
      );
    }
    for (const post of prepared.posts) this.#post(post);
    if (prepared.output !== undefined && ledger.actors.has(actor)) this.#supervision.ended(actor, prepared.output);
  }

  #applyBuiltin(actor: ActorId, { type, params }: BuiltinEffect, atMs: number, specText?: string): void {
    const ledger = this.#ledger;
    switch (type) {
      case 'armDeadline':
        if (ledger.actors.has(actor)) {
          ledger.arm(actor, params.name, params.ms === 'infinity' ? 'infinity' : atMs + params.ms);
        }
        return;
      case 'disarmDeadline':
        ledger.disarm(actor, params.name);
        return;
      case 'post':
        this.#post(params);
        return;
      case 'startChild':
      case 'startSupervisor':
        this.#supervision.start(params.spec, params.supervisor, atMs, specText);
        return;
      case 'stopChild':
        this.#supervision.stop(params.id);
        return;
      case 'releaseChild':
        this.#supervision.release(params.id, atMs);
    }
  }

  #post({ to, event }: Post): void {
    this.#queue.push({ post: { to, event: stamped(event, this.#nowMs) }, durable: false });
  }

  // — Commit, effects, consumption ————————————————————————————————————————————————————————————————————————————————————————

  #commit(): void {
    const ledger = this.#ledger;
    for (const input of this.#arrived) {
      if (input.key !== undefined) ledger.takeKey(input.key, input.keep);
      if (input.consume !== undefined) this.#committed.push(input);
    }
    this.#arrived = [];
    this.#received = new Set();
    const queue = this.#queue.settle();
    if (!ledger.dirty && queue.taken === 0 && queue.added.length === 0) return;
    const record = ledger.commit(queue);
    this.#journal.append(record, () => this.#image(), this.#nowMs);
  }

  #carryOut(): void {
    const effects = this.#ledger.pending;
    this.#ledger.pending = [];
    for (const [at, effect] of effects.entries()) {
      this.#effectsLeft = effects.length - at - 1;
      this.#runEffect(effect);
      this.#beatIfLong();
    }
  }

  #runEffect(effect: PendingEffect): void {
    this.#host.init.mark(effect.id.seq, PHASE.effect, blackBoxName(effect.actor));
    this.#tryEffect(effect, (def, call) => def.run(call, effect.params as never));
  }

  #tryEffect(effect: PendingEffect, carryOut: (def: EffectDef, call: EffectCall) => void): void {
    const { id, actor, type, params, atMs, snapshot } = effect;
    const def = this.#options.kinds[effect.kindName]?.effects[type];
    try {
      if (def === undefined) throw new Error('nobody here carries it out');
      carryOut(def, {
        ...{ id, actor, snapshot, atMs },
        post: (to, event) => this.#post({ to, event }),
        answer: (to, event) => this.#queue.overtake({ to, event: stamped(event, this.#nowMs) }),
      });
    } catch (error) {
      const why = messageOf(error);
      this.#report('error', 'effect-failed', actor, `${type}: ${why}`, params ?? null);
      this.#supervision.failed(actor, type, why, 'effect');
      this.#post({ to: actor, event: { type: 'effect-failed', effect: type, why } });
    }
  }

  /** After a restore: the last commit's effects, since nobody knows how far the last core came. */
  #reissue(): void {
    const { badEffect } = this.#suspects;
    const isBad = ({ id, actor }: PendingEffect) =>
      id.seq === badEffect?.seq && blackBoxName(actor) === badEffect.actor;
    const effects = this.#ledger.pending;
    this.#ledger.pending = [];
    const good = effects.filter((one) => !isBad(one));
    for (const [at, effect] of good.entries()) {
      this.#effectsLeft = good.length - at - 1;
      this.#runEffect(effect);
    }
    for (const effect of effects.filter(isBad)) {
      const { actor, type, params } = effect;
      const what = `${type} has taken core down twice, the last time by ${badEffect?.how}`;
      this.#report('error', 'effect-set-aside', actor, what, params ?? null);
      this.#supervision.deadly(actor, type, `its effect ${what}`, 'effect');
      this.#tryEffect(effect, (def, call) => def.setAside?.(call, params as never, `it ${what}`));
    }
  }

  #consume(): void {
    // In the order of their arrival, which is that of their sources. One whose events have not been handled yet stays where it is,
    // for what comes with it (descriptors) is only wanted, or not, once they have.
    const waiting = this.#committed.findIndex(({ after }) => after > this.#queue.handled);
    const handled = waiting < 0 ? this.#committed : this.#committed.slice(0, waiting);
    this.#committed = waiting < 0 ? [] : this.#committed.slice(waiting);
    for (const { consume } of handled) if (consume !== undefined) this.#take(consume);
    const { lowWater } = this.#ledger.keys;
    if (lowWater > this.#ackedThrough) {
      this.#host.process.ack(lowWater);
      this.#ackedThrough = lowWater;
    }
  }

  #take(consume: () => void): void {
    try {
      consume();
    } catch (error) {
      this.#report('error', 'consume-failed', undefined, messageOf(error));
    }
  }

  #compact(): void {
    const journal = this.#journal;
    journal.tend(this.#nowMs);
    if (this.#suspects.badCompaction || !(journal.folding || journal.wantsImage(this.#nowMs))) return;
    // A commit makes effects forgotten, and so does an image: not before init has all that they have asked of it. Nor while an answer is
    // on its way: this would put it behind the others.
    if (!this.#host.init.settled || this.#queue.overtaking > 0) return;
    // What effects have changed is committed first, so that each record stands either in the image or behind it.
    if (!journal.drafting) this.#commit();
    this.#host.init.mark(this.#ledger.seq, PHASE.compaction, '');
    journal.fold(() => this.#image(), this.#nowMs, this.#options.foldOperations);
  }

  #writeImage(): void {
    this.#host.init.mark(this.#ledger.seq, PHASE.compaction, '');
    this.#journal.replace(() => this.#image(), this.#nowMs);
  }

  #image(): Iterator<string> {
    this.#queue.settle(); // all of it is in the image
    return this.#ledger.image(this.#host.facts.bootId, this.#queue.posts());
  }

  #rest(): void {
    const next = this.#ledger.deadlines.next();
    if (
      this.#queue.length > 0 ||
      this.#isLeft ||
      this.#late.areHeld ||
      this.#ledger.dirty ||
      this.#suspects.aloneUntil > 0 ||
      (this.#journal.folding && !this.#suspects.badCompaction)
    ) {
      this.#host.schedule();
    }
    const beatMs = this.#lastBeatMs + (this.#options.beatEveryMs ?? BEAT_EVERY_MS);
    const dueMs = this.#suspects.badCompaction ? Number.POSITIVE_INFINITY : this.#journal.dueAtMs;
    const wakeMs = Math.min(next ?? Number.POSITIVE_INFINITY, beatMs, dueMs);
    // An earlier wake that is no longer needed costs an empty turn, less than setting the timer in each one.
    const armed = this.#wakeMs !== undefined && this.#wakeMs > this.#nowMs ? this.#wakeMs : undefined;
    if (wakeMs === Number.POSITIVE_INFINITY || (armed !== undefined && armed <= wakeMs)) return;
    this.#wakeMs = wakeMs;
    this.#host.clock.wakeAt(wakeMs);
  }

  #stage(): Stage {
    const nowMs = () => this.#nowMs;
    return {
      ledger: this.#ledger,
      get nowMs() {
        return nowMs();
      },
      queue: (post) => this.#post(post),
      apply: (actor, prepared, atMs) => this.#apply(actor, prepared, atMs),
      report: (level, what, actor, why, detail) => this.#report(level, what, actor, why, detail),
      record: (told) => this.#options.recorder?.step({ ...told, seq: this.#ledger.seq }),
      mark: (actor) => this.#host.init.mark(this.#ledger.seq, PHASE.step, blackBoxName(actor)),
      rootGaveUp: (why) => {
        this.#report('error', 'root-gave-up', undefined, why);
        this.#options.onRootGaveUp?.(why);
      },
    };
  }

  // — Questions ———————————————————————————————————————————————————————————————————————————————————————————————————————————

  /** Which history of state this is; part of every effect id. */
  get epoch(): number {
    return this.#ledger.epoch;
  }

  /** Number of the last event. */
  get seq(): number {
    return this.#ledger.seq;
  }

  /** True while the checkpoint cannot be written. */
  get checkpointVoid(): boolean {
    return this.#journal.isVoid;
  }

  /** An actor's snapshot, quarantined or not; undefined: there is none. */
  read<S = unknown>(id: ActorId): S | undefined {
    return this.#ledger.actors.get(id)?.snapshot as S | undefined;
  }

  /** The same, but undefined also of one that has heard nothing yet: for looks at thousands of which few ever do anything. */
  readBegun<S = unknown>(id: ActorId): S | undefined {
    const cell = this.#ledger.actors.get(id);
    return cell === undefined || cell instanceof Dormant ? undefined : (cell.snapshot as S);
  }

  /** Where an actor is in its life; undefined: there is none. */
  phase(id: ActorId): TreeView['phase'] | undefined {
    const node = this.#ledger.nodes.get(id);
    return node === undefined ? undefined : phaseOf(node);
  }

  /** Ids of actors that begin with `prefix`, sorted. */
  list(prefix: string): readonly ActorId[] {
    return [...this.#ledger.actors.keys()].filter((id) => id.startsWith(prefix)).sort();
  }

  /** What an actor waits for, as CLOCK_MONOTONIC ms. */
  deadlines(id: ActorId): Readonly<Record<string, DueAt>> {
    const cell = this.#ledger.actors.get(id);
    return cell instanceof Dormant
      ? Object.fromEntries(cell.deadlines.map((name) => [name, 'infinity']))
      : this.#ledger.deadlines.of(id);
  }

  /** Has an input with this key been committed? */
  seen(key: string): boolean {
    return this.#ledger.keys.has(key);
  }

  /** What the checkpoint says was on its way to an actor; empty once {@link start} was called. */
  onTheirWay(to: ActorId): readonly ActorEvent[] {
    return this.#ledger.queued.filter((post) => post.to === to).map(({ event }) => event);
  }

  /** Events that wait. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Actors that have not heard all yet that there is to hear. */
  addressees(): ReadonlySet<ActorId> {
    return this.#queue.addressees();
  }

  /** Something is under way: an event waits, or, asked from within an effect, others of the same commit come after that one. */
  get busy(): boolean {
    return this.#queue.length > 0 || this.#effectsLeft > 0;
  }

  /** A supervisor's restarts within the period that ends now. */
  restarts(supervisor: ActorId): number {
    const node = this.#ledger.nodes.get(supervisor);
    return node !== undefined && isSupervisor(node) ? restartsOf(node, this.#host.clock.nowMs()) : 0;
  }

  /** The supervision tree, or the part below `id`; undefined: there is no such node. */
  tree(id: ActorId = this.#options.root.id): TreeView | undefined {
    return treeOf(this.#ledger, id, this.#host.clock.nowMs());
  }

  #report(level: HostReport['level'], what: string, actor: ActorId | undefined, why: string, detail?: Json): void {
    const report = { level, what, actor, why, seq: this.#ledger.seq };
    this.#tell(detail === undefined ? report : { ...report, detail });
  }

  #tell(report: HostReport): void {
    if (report.level === 'error') {
      const { what, why, seq, actor = '' } = report;
      this.#options.recorder?.failure({ what, actor, why, seq });
    }
    if (this.#options.onReport !== undefined) {
      this.#options.onReport(report);
      return;
    }
    const { level, what, ...fields } = report;
    this.#host.log.log(level, fields, what);
  }
}

function stamped(event: ActorEvent, nowMs: number): ActorEvent {
  return event.atMs === undefined ? { ...event, atMs: nowMs } : event;
}
