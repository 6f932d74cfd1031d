/**
 * The supervision tree at work: starting and stopping in order, counting failures, escalation.
 *
 * All of it happens inside a turn, on the ledger, so it is committed with the step that caused it. What Erlang/OTP does by
 * killing processes is done to snapshots here, with one difference, which is law 7: under `one_for_one` a child that failed
 * goes on from its last good snapshot; under the other strategies the affected children end, in reverse order, and
 * start from their inputs. A supervisor that gives up quarantines the culprit and fails upwards; its parent treats it as a
 * failed child by the same rules. Above the root there is only init, so there it is told to the owner of the host.
 */
import type {
  ActorEvent,
  ActorId,
  ActorKind,
  ChildSpec,
  DownReason,
  HostReport,
  Json,
  Post,
  SupervisorSpec,
} from './actor.ts';
import {
  type ChildNode,
  isSupervisor,
  isSupervisorSpec,
  type Ledger,
  type SupervisorNode,
  type Takedown,
} from './ledger.ts';
import { messageOf } from './message.ts';
import type { StepTold } from './recorder.ts';
import { type Prepared, prepare } from './steps.ts';
import { admitRestart, affected, startsAgain, stopOrder } from './strategy.ts';

/** Name of the host's own deadline for a child that was asked to end. */
export const SHUTDOWN_DEADLINE = '$shutdown';
/** Events held for one quarantined actor; of more than these the oldest are dropped, and counted. */
const HELD_MAX = 256;
/** Of an error's first line so many characters are kept. */
const WHY_MAX = 300;
/** Starts that start children that start children: no deeper than this. */
const MAX_DEPTH = 64;

/** What supervision needs of the turn it runs in. */
export interface Stage {
  readonly ledger: Ledger;
  /** Time of the turn, CLOCK_MONOTONIC ms. */
  readonly nowMs: number;
  /** Behind everything queued. */
  queue(post: Post): void;
  /** Carry out a prepared step of an actor that is in the ledger. `atMs`: stamp of the event that led to it. */
  apply(actor: ActorId, prepared: Prepared, atMs: number): void;
  report(level: HostReport['level'], what: string, actor: ActorId | undefined, why: string, detail?: Json): void;
  /** An actor is starting: for the recording. */
  record(told: Omit<StepTold, 'seq'>): void;
  /** Before code of an actor runs that might never return. */
  mark(actor: ActorId): void;
  /** The root has given up. */
  rootGaveUp(why: string): void;
}

export class Supervision {
  readonly #stage: Stage;
  readonly #advancing = new Set<ActorId>();
  #depth = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /**
   * Start an actor or a supervisor below another supervisor (null: it is the root), with all its children.
   *
   * @param specText a child's spec as JSON, where that is short and somebody has made it already
   * @returns false where it, or somebody below it, could not be started
   */
  start(spec: ChildSpec | SupervisorSpec, parent: ActorId | null, atMs: number, specText?: string): boolean {
    const { ledger } = this.#stage;
    if (ledger.nodes.has(spec.id)) {
      this.#stage.report('warning', 'already-there', spec.id, 'an actor of this name exists; it is left as it is');
      return true;
    }
    if (parent !== null) {
      const above = ledger.nodes.get(parent);
      if (above === undefined || !isSupervisor(above)) {
        this.#stage.report('error', 'start-refused', spec.id, `there is no supervisor ${parent}`);
        return false;
      }
      if (above.takedown?.restart === null || this.#depth >= MAX_DEPTH) {
        const why = this.#depth >= MAX_DEPTH ? 'children start children without end' : `${parent} is being stopped`;
        this.#stage.report('error', 'start-refused', spec.id, why);
        return false;
      }
    }
    this.#depth += 1;
    let well = true;
    if (isSupervisorSpec(spec)) {
      ledger.setNode(spec.id, { parent, spec, history: [], takedown: null });
      for (const child of spec.children) well = this.start(child, spec.id, atMs) && well;
    } else {
      ledger.setNode(spec.id, { parent: parent ?? '', spec, phase: 'running' }, specText);
      if (ledger.kinds[spec.kind]?.dormant?.(spec.input) === true) ledger.addDormant(spec);
      else well = this.#begin(spec, atMs);
    }
    this.#depth -= 1;
    return well;
  }

  /** Stop an actor or a supervisor with all below it, in order. Unknown: already gone. */
  stop(id: ActorId): void {
    const node = this.#stage.ledger.nodes.get(id);
    if (node === undefined) return;
    if (isSupervisor(node)) {
      if (node.takedown?.restart === null) return;
      // What is stopping already goes on doing so; the others follow it.
      const underWay = node.takedown?.remaining ?? [];
      const others = stopOrder(this.#stage.ledger.childrenOf(id)).filter((child) => !underWay.includes(child));
      this.#takeDown(id, { remaining: [...underWay, ...others], restart: null });
    } else if (node.phase !== 'stopping') this.#beginStop(id, node);
  }

  /** The time a child had for its shutdown is over. */
  shutdownOver(id: ActorId): void {
    this.#stage.report('warning', 'shutdown-overdue', id, 'it did not end in its time and is removed');
    this.#remove(id, 'stopped', undefined);
  }

  /** An actor has reached its end. */
  ended(id: ActorId, output: Json): void {
    const { ledger } = this.#stage;
    const node = ledger.nodes.get(id);
    if (node === undefined || isSupervisor(node)) return;
    if (node.phase === 'stopping' || !startsAgain(node.spec.restart, false)) {
      this.#remove(id, 'ended', output);
      return;
    }
    const last = ledger.actors.get(id)?.snapshot;
    ledger.removeActor(id);
    this.#tellDown(id, node.spec.kind, last, 'ended', output);
    if (this.#admit(node.parent)) this.#restart(node.parent, id, true);
    else this.#giveUp(id, node, 'it ends again and again');
  }

  /**
   * A step or an effect of an actor threw. Counts it; true: the actor may go on.
   * False: it is quarantined, and its supervisor has failed upwards; or it was a temporary child, and is gone. Its failures count for
   * nobody but itself, as in OTP: it is not started again, so there are no restarts to run wild. A step that is lost twice ends it,
   * and so do more effects that fail than its supervisor would bear of others.
   */
  failed(id: ActorId, event: string, why: string, of: 'step' | 'effect'): boolean {
    const { ledger, nowMs } = this.#stage;
    const before = ledger.nodes.get(id);
    if (before === undefined || isSupervisor(before) || before.phase === 'quarantined') return false;
    const node = this.#noteFailure(id, before, event, why);
    if (node.spec.restart === 'temporary') {
      const above = ledger.nodes.get(node.parent);
      if (of === 'step' || above === undefined || !isSupervisor(above)) return true;
      const { verdict, history } = admitRestart(node.faults ?? [], nowMs, above.spec);
      ledger.setNode(id, { ...node, faults: history });
      if (verdict === 'restart') return true;
      this.#stage.report('error', 'temporary-failed', id, `${event}: ${firstLine(why)}`);
      this.#remove(id, 'failed', undefined);
      return false;
    }
    if (this.#admit(node.parent)) return true;
    this.#giveUp(id, node, `${event}: ${firstLine(why)}`);
    return false;
  }

  #noteFailure(id: ActorId, node: ChildNode, event: string, why: string, times = 1): ChildNode {
    const { ledger, nowMs } = this.#stage;
    const last = { actor: id, atMs: nowMs, event, why: firstLine(why) };
    const noted = { ...node, failures: (node.failures ?? 0) + times, last };
    ledger.setNode(id, noted);
    const above = ledger.nodes.get(node.parent);
    if (above !== undefined && isSupervisor(above))
      ledger.setNode(node.parent, { ...above, failures: (above.failures ?? 0) + times, last });
    return noted;
  }

  /** An event for a quarantined actor: what happens to its processes is news still when it is released. False: it is none. */
  hold(post: Post): boolean {
    const { ledger } = this.#stage;
    const node = ledger.nodes.get(post.to);
    if (node === undefined || isSupervisor(node) || node.phase !== 'quarantined') return false;
    if (ledger.actors.get(post.to)?.broken !== undefined) return false;
    const held = [...(node.held ?? []), post];
    const over = Math.max(0, held.length - HELD_MAX);
    ledger.setNode(post.to, { ...node, held: held.slice(over), dropped: (node.dropped ?? 0) + over });
    return true;
  }

  /** The same event threw twice, so the step is lost. Its actor goes on, or its group starts afresh, or it is over. */
  lostStep(id: ActorId, event: ActorEvent, why: string): void {
    const node = this.#stage.ledger.nodes.get(id);
    if (node === undefined || isSupervisor(node)) return;
    this.#tellLost(node, event, why);
    if (node.phase === 'stopping' || node.spec.restart === 'temporary') this.#remove(id, 'failed', undefined);
    else this.#restart(node.parent, id, false);
  }

  #tellLost({ spec }: ChildNode, event: ActorEvent, why: string): void {
    try {
      const posts = this.#stage.ledger.kinds[spec.kind]?.lost?.(spec.id, event, firstLine(why)) ?? [];
      for (const post of posts) this.#stage.queue(post);
    } catch (error) {
      this.#stage.report('error', 'lost-failed', spec.id, messageOf(error));
    }
  }

  /** No more events for this actor until it is released; it keeps its snapshot. */
  quarantine(id: ActorId, why: string): void {
    const { ledger } = this.#stage;
    const node = ledger.nodes.get(id);
    if (node === undefined || isSupervisor(node) || node.phase === 'quarantined') return;
    const wasStopping = node.phase === 'stopping';
    const last = node.last ?? { actor: id, atMs: this.#stage.nowMs, event: '', why: firstLine(why) };
    ledger.setNode(id, { ...node, phase: 'quarantined', last });
    this.#stage.report('error', 'quarantined', id, why);
    this.#tellDown(id, node.spec.kind, ledger.actors.get(id)?.snapshot, 'quarantined', undefined, firstLine(why));
    if (wasStopping) this.#remove(id, 'failed', undefined);
  }

  /**
   * An event or an effect of this actor has taken core down twice and is set aside. Its actor with it, unless it is one of core's
   * own, right below the root: everything stands still without those, so that one counts as a failure, and the next ones too.
   *
   * @param event that is lost with it; undefined: of an effect
   */
  deadly(id: ActorId, type: string, why: string, of: 'step' | 'effect', event?: ActorEvent): void {
    const { ledger } = this.#stage;
    const node = ledger.nodes.get(id);
    if (node === undefined || isSupervisor(node)) return;
    if (ledger.nodes.get(node.parent)?.parent === null) {
      if (this.failed(id, type, why, of) && event !== undefined) this.#tellLost(node, event, why);
      return;
    }
    this.#noteFailure(id, node, '', why, 2);
    this.quarantine(id, why);
  }

  /** A quarantined actor gets events again: from its last good snapshot; from its input if it has none, or one that cannot be used. */
  release(id: ActorId, atMs: number): void {
    const { ledger } = this.#stage;
    const node = ledger.nodes.get(id);
    if (node === undefined || isSupervisor(node)) return;
    if (node.phase !== 'quarantined' && ledger.actors.get(id)?.broken === undefined) return;
    const { held = [], dropped = 0, ...rest } = node;
    ledger.setNode(id, { ...rest, phase: 'running' });
    this.#stage.report('info', 'released', id, `asked for; ${held.length} events held, ${dropped} dropped before them`);
    const cell = ledger.actors.get(id);
    if (cell !== undefined && cell.broken === undefined) ledger.deadlines.rearm(id);
    else {
      ledger.removeActor(id);
      this.#begin(node.spec, atMs);
    }
    for (const post of held) this.#stage.queue(post);
  }

  /** Start the permanent members of a static tree that are not there: after an upgrade, or all of them at first. */
  complete(spec: SupervisorSpec, parent: ActorId | null, atMs: number): void {
    const node = this.#stage.ledger.nodes.get(spec.id);
    if (node === undefined || !isSupervisor(node)) {
      this.start(spec, parent, atMs);
      return;
    }
    if (JSON.stringify(node.spec) !== JSON.stringify(spec)) this.#stage.ledger.setNode(spec.id, { ...node, spec });
    for (const child of spec.children) {
      if (isSupervisorSpec(child)) this.complete(child, spec.id, atMs);
      else if (child.restart === 'permanent' && !this.#stage.ledger.nodes.has(child.id))
        this.start(child, spec.id, atMs);
    }
  }

  /** A dormant actor is to hear something: it begins. */
  wake(id: ActorId, atMs: number): void {
    const { ledger } = this.#stage;
    const node = ledger.nodes.get(id);
    if (node === undefined || isSupervisor(node)) return;
    if (!this.#begin(node.spec, atMs)) ledger.removeActor(id);
  }

  /** False: it could not be started. */
  #begin(spec: ChildSpec, atMs: number): boolean {
    const { ledger } = this.#stage;
    const kind = ledger.kinds[spec.kind];
    let prepared: Prepared;
    try {
      if (kind === undefined) throw new Error(`there is no kind of actor named ${spec.kind}`);
      this.#stage.mark(spec.id);
      prepared = prepare(
        ledger.kinds,
        kind,
        spec.id,
        undefined,
        kind.logic.initial(spec.input),
        undefined,
        (form, snapshot) => ledger.tellActor(spec.id, spec.kind, snapshot, form),
      );
    } catch (error) {
      this.#startFailed(spec, kind, error);
      return false;
    }
    const { id: actor, kind: kindName, input } = spec;
    this.#stage.record({ atMs, actor, kindName, kind, input, before: undefined, outcome: prepared });
    ledger.addActor(spec.id, spec.kind, prepared.snapshot, prepared.first?.told ?? '');
    this.#stage.apply(spec.id, prepared, atMs);
    return true;
  }

  /** The same input would throw again: it is not tried again by itself, but stays visible unless it is temporary. Where it was a restart, its supervisor fails. */
  #startFailed(spec: ChildSpec, kind: ActorKind | undefined, error: unknown): void {
    const why = messageOf(error);
    this.#stage.report('error', 'start-failed', spec.id, why);
    if (spec.restart === 'temporary' || kind === undefined) this.#remove(spec.id, 'failed', undefined);
    else this.quarantine(spec.id, `it cannot start: ${why}`);
  }

  #beginStop(id: ActorId, node: ChildNode): void {
    const { ledger } = this.#stage;
    const cell = ledger.actors.get(id);
    const ms = node.spec.shutdown;
    if (ms === 'brutal' || node.phase === 'quarantined' || cell === undefined || cell.broken !== undefined) {
      this.#remove(id, 'stopped', undefined);
      return;
    }
    ledger.setNode(id, { ...node, phase: 'stopping' });
    ledger.arm(id, SHUTDOWN_DEADLINE, ms === 'infinity' ? ms : this.#stage.nowMs + ms);
    const event: ActorEvent = { type: 'shutdown' };
    this.#stage.queue({ to: id, event });
  }

  #remove(id: ActorId, reason: DownReason, output: Json | undefined): void {
    const { ledger } = this.#stage;
    const node = ledger.nodes.get(id);
    if (node === undefined || isSupervisor(node)) return;
    const last = ledger.actors.get(id)?.snapshot;
    ledger.removeActor(id);
    ledger.removeNode(id);
    this.#tellDown(id, node.spec.kind, last, reason, output);
    this.#advance(node.parent);
  }

  #tellDown(
    id: ActorId,
    kindName: string,
    last: unknown,
    reason: DownReason,
    output: Json | undefined,
    why = '',
  ): void {
    try {
      for (const post of this.#stage.ledger.kinds[kindName]?.down?.(id, last, reason, output, why) ?? []) {
        this.#stage.queue(post);
      }
    } catch (error) {
      this.#stage.report('error', 'down-failed', id, messageOf(error));
    }
  }

  #admit(supervisor: ActorId): boolean {
    const { ledger, nowMs } = this.#stage;
    const node = ledger.nodes.get(supervisor);
    if (node === undefined || !isSupervisor(node)) return true;
    const { verdict, history } = admitRestart(node.history, nowMs, node.spec);
    ledger.setNode(supervisor, { ...node, history });
    return verdict === 'restart';
  }

  #giveUp(id: ActorId, node: ChildNode, why: string): void {
    this.quarantine(id, why);
    this.#escalate(node.parent, `${id}: ${why}`);
  }

  /** A supervisor has failed: its parent restarts it, or fails in its turn. The tree is finite, so this ends. */
  #escalate(supervisor: ActorId, why: string): void {
    const { ledger } = this.#stage;
    const node = ledger.nodes.get(supervisor);
    if (node === undefined || !isSupervisor(node)) return;
    this.#stage.report('error', 'supervisor-gave-up', supervisor, why);
    ledger.setNode(supervisor, { ...node, history: [] });
    if (node.parent === null) this.#stage.rootGaveUp(why);
    else if (this.#admit(node.parent)) this.#restart(node.parent, supervisor, false);
    else this.#escalate(node.parent, `${supervisor}: ${why}`);
  }

  /** `gone`: the failed child has no state any more and has to start from its input even when it is alone. */
  #restart(supervisor: ActorId, failed: ActorId, gone: boolean): void {
    const { ledger } = this.#stage;
    const node = ledger.nodes.get(supervisor);
    if (node === undefined || !isSupervisor(node)) return;
    if (node.takedown !== null) {
      this.#widen(supervisor, node, node.takedown, failed);
      return;
    }
    if (node.spec.strategy === 'one_for_one' && !gone) return; // it goes on from its last good snapshot
    const order = ledger.childrenOf(supervisor);
    const ids = affected(node.spec.strategy, order, failed);
    if (gone && ids.length === 1) {
      const child = ledger.nodes.get(failed);
      if (child === undefined || isSupervisor(child)) return;
      if (!this.#begin(child.spec, this.#stage.nowMs)) this.#escalate(supervisor, `${failed} cannot be started again`);
      return;
    }
    this.#stage.report('warning', 'group-restart', failed, `${node.spec.strategy} of ${supervisor}`, [...ids]);
    this.#takeDown(supervisor, { remaining: stopOrder(ids), restart: this.#specsAgain(ids), order });
  }

  /** What is started again of these: all but temporary children. */
  #specsAgain(ids: readonly ActorId[]): readonly (ChildSpec | SupervisorSpec)[] {
    return ids.flatMap((id) => {
      const child = this.#stage.ledger.nodes.get(id);
      if (child === undefined) return [];
      return !isSupervisor(child) && child.spec.restart === 'temporary' ? [] : [child.spec];
    });
  }

  /**
   * A child has failed while siblings of it are on their way out, to be started again: all whose fate it decides go with them. One
   * that is among them already, or whose supervisor is being stopped, needs nothing more.
   */
  #widen(supervisor: ActorId, node: SupervisorNode, takedown: Takedown, failed: ActorId): void {
    const { remaining, restart } = takedown;
    if (restart === null || remaining.includes(failed)) return;
    const present = this.#stage.ledger.childrenOf(supervisor);
    const more = affected(node.spec.strategy, present, failed).filter((id) => !remaining.includes(id));
    const going = new Set([...remaining, ...more]);
    const order = [...(takedown.order ?? []), ...present.filter((id) => !takedown.order?.includes(id))];
    const again = [...restart, ...this.#specsAgain(more)];
    again.sort((a, b) => order.indexOf(a.id) - order.indexOf(b.id));
    this.#stage.report('warning', 'group-restart', failed, `${node.spec.strategy} of ${supervisor}`, [...more]);
    this.#takeDown(supervisor, { remaining: stopOrder(present.filter((id) => going.has(id))), restart: again, order });
  }

  /** Children that have come while others were away stand behind them: the order of starting is that of their first start. */
  #sort(supervisor: ActorId, order: readonly ActorId[]): void {
    const { ledger } = this.#stage;
    const present = ledger.childrenOf(supervisor);
    const known = new Set(order);
    const there = new Set(present);
    const wanted = [...order.filter((id) => there.has(id)), ...present.filter((id) => !known.has(id))];
    const from = wanted.findIndex((id, at) => id !== present[at]);
    if (from >= 0) for (const id of wanted.slice(from)) ledger.moveLast(id);
  }

  #takeDown(supervisor: ActorId, takedown: Takedown): void {
    const node = this.#stage.ledger.nodes.get(supervisor) as SupervisorNode;
    this.#stage.ledger.setNode(supervisor, { ...node, takedown });
    this.#advance(supervisor);
  }

  /** Stop the next child; when none is left, start the group again, or be gone. One child at a time: bounded by their number. */
  #advance(supervisor: ActorId): void {
    const { ledger } = this.#stage;
    const node = ledger.nodes.get(supervisor);
    if (node === undefined || !isSupervisor(node) || node.takedown === null) return;
    if (this.#advancing.has(supervisor)) return; // a child that was removed at once: the loop below goes on
    this.#advancing.add(supervisor);
    let waits = false;
    for (const id of node.takedown.remaining) {
      const child = ledger.nodes.get(id);
      if (child === undefined) continue;
      const begun = isSupervisor(child) ? child.takedown?.restart === null : child.phase === 'stopping';
      if (!begun) this.stop(id);
      waits = ledger.nodes.has(id);
      if (waits) break;
    }
    this.#advancing.delete(supervisor);
    if (!waits) this.#takenDown(supervisor);
  }

  #takenDown(supervisor: ActorId): void {
    const { ledger, nowMs } = this.#stage;
    const node = ledger.nodes.get(supervisor);
    if (node === undefined || !isSupervisor(node) || node.takedown === null) return;
    const { restart } = node.takedown;
    if (restart !== null) {
      const { order = [] } = node.takedown;
      ledger.setNode(supervisor, { ...node, takedown: null });
      const lost = restart.filter((spec) => !this.start(spec, supervisor, nowMs));
      this.#sort(supervisor, order);
      // The same input would fail again, so there is nothing to be tried until the intensity is used up: it is at once.
      const [first] = lost;
      if (first !== undefined) this.#escalate(supervisor, `${first.id} cannot be started again`);
      return;
    }
    ledger.removeNode(supervisor);
    if (node.parent !== null) this.#advance(node.parent);
  }
}

/** The first line, or, of one that ends in a colon (xstate says so in what it failed), that and the one which it announces. */
function firstLine(text: string): string {
  const [first = '', second = ''] = text.split('\n', 2);
  return (first.endsWith(':') && second !== '' ? `${first} ${second}` : first).slice(0, WHY_MAX);
}
