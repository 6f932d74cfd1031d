/**
 * Everything that survives core: actors' snapshots, the supervision tree, deadlines, consumed inputs, queued events, the
 * effects of the last commit. One object, changed only by its methods, and each change writes down an operation.
 *
 * A commit is the list of operations since the last one, as one JSON array; an image is a header and the operations that
 * would build the whole state. So there is one reader for both ({@link Ledger.apply}), and what is written is by
 * construction what was done. An operation is an array with a letter in front:
 *
 *   a actor kind version saved   an actor begins          n id node     a node of the tree is new or has changed; that of an actor of which
 *                                                                       nothing else is told: it lies dormant
 *   s actor diff                 it has made a step       N id          a node is gone
 *   x actor                      it is gone               k key, K key  an input was taken; K: remembered for long
 *   d actor name at              a deadline is armed      q taken posts  of the queue: taken in front, added behind
 *   D actor name                 disarmed, or fired       i seq         number of the last event
 *   e seq index actor type atMs params                    an effect, to be carried out after this commit; in an image
 *                                                         followed by the number of its actor's form, and if it has params
 *   b actor other delta, m id other delta                 an actor, or a node, by what it has otherwise than another one as that is
 *                                                         at this point, whose kind and version it has (delta.ts)
 *   f actor, f kind version saved                         in an image: the next form that effects refer to, an actor's present
 *                                                         one or an older one. Effects share them: without that a thousand
 *                                                         effects of one large actor would make an image of a thousand times it
 */
import type { EffectId } from '../host/ports.ts';
import type { ActorId, ActorKind, ActorKinds, ChildSpec, Json, Post, Step, SupervisorSpec } from './actor.ts';
import { Alike } from './alike.ts';
import { Deadlines, type DueAt } from './deadlines.ts';
import { applied } from './delta.ts';
import { imageText, sortOf } from './image.ts';
import { InputKeys } from './keys.ts';
import { messageOf } from './message.ts';

/** The last time that a step or an effect threw. */
export interface Failure {
  /** Whose it was. */
  readonly actor: ActorId;
  /** CLOCK_MONOTONIC, ms. */
  readonly atMs: number;
  /** Type of the event, or of the effect, at which it happened. */
  readonly event: string;
  /** First line of the error. */
  readonly why: string;
}

/** A child in the tree. `quarantined`: it has its last good snapshot and gets no events. */
export interface ChildNode {
  readonly parent: ActorId;
  readonly spec: ChildSpec;
  readonly phase: 'running' | 'stopping' | 'quarantined';
  /** How often it failed, and how at last; absent: never. */
  readonly failures?: number;
  readonly last?: Failure;
  /** Of a temporary child: when its effects failed, newest first. They count for nobody but itself. */
  readonly faults?: readonly number[];
  /** Events that wait for the end of a quarantine, the oldest first, and how many more there were before them. */
  readonly held?: readonly Post[];
  readonly dropped?: number;
}

/**
 * Children on their way out, the first that is still there first; then `restart` are started in order, or, if it is null,
 * the supervisor is gone too.
 */
export interface Takedown {
  readonly remaining: readonly ActorId[];
  readonly restart: readonly (ChildSpec | SupervisorSpec)[] | null;
  /** All children when it began, in their order of starting: who has come since comes after those that are started again. */
  readonly order?: readonly ActorId[];
}

/** A supervisor in the tree; its children are the nodes that name it, in order. The root has no parent. */
export interface SupervisorNode {
  readonly parent: ActorId | null;
  readonly spec: SupervisorSpec;
  /** Times of restarts, newest first. */
  readonly history: readonly number[];
  readonly takedown: Takedown | null;
  /** How often one of its children failed, and how at last; absent: never. They outlive the children. */
  readonly failures?: number;
  readonly last?: Failure;
}

export type TreeNode = ChildNode | SupervisorNode;

export const isSupervisor = (node: TreeNode): node is SupervisorNode => 'history' in node;
export const isSupervisorSpec = (spec: ChildSpec | SupervisorSpec): spec is SupervisorSpec => 'strategy' in spec;

/** One actor. While a checkpoint is read only `saved` counts; afterwards only `snapshot`, which alone changes, unless it could not be loaded. */
export interface Cell {
  readonly id: ActorId;
  readonly kindName: string;
  readonly kind: ActorKind | undefined;
  snapshot: unknown;
  /** The saved form and its version, where there is no snapshot. */
  saved: { readonly version: number; readonly form: Json } | undefined;
  /** Why there is no snapshot. */
  broken: string | undefined;
}

/** An actor that has heard nothing yet: its node says all there is. What it begins with is found out when somebody looks. */
export class Dormant implements Cell {
  readonly id: ActorId;
  readonly kindName: string;
  readonly kind: ActorKind | undefined;
  readonly saved = undefined;
  readonly #input: Json;
  #first: Step<unknown> | undefined;
  #broken: string | undefined;

  constructor({ id, kind, input }: ChildSpec, kinds: ActorKinds) {
    this.id = id;
    this.kindName = kind;
    this.kind = kinds[kind];
    this.#input = input;
  }

  get snapshot(): unknown {
    return this.#look()?.snapshot;
  }

  /** Known once somebody has looked. */
  get broken(): string | undefined {
    return this.#broken;
  }

  /** Names of the deadlines that its first step arms, all of them at infinity. */
  get deadlines(): readonly string[] {
    const arms = (effect: { readonly type: string }) => effect.type === 'armDeadline';
    return (this.#look()?.effects ?? []).filter(arms).map(({ params }) => (params as { readonly name: string }).name);
  }

  #look(): Step<unknown> | undefined {
    if (this.#first !== undefined || this.#broken !== undefined) return this.#first;
    try {
      this.#first = this.kind?.logic.initial(this.#input);
    } catch (error) {
      this.#broken = messageOf(error);
    }
    return this.#first;
  }
}

/** An effect that may have to be carried out again. */
export interface PendingEffect {
  readonly id: EffectId;
  readonly actor: ActorId;
  readonly type: string;
  readonly params: Json | undefined;
  readonly atMs: number;
  /** The actor's snapshot after the step that asked. */
  readonly kindName: string;
  readonly snapshot: unknown;
  readonly saved: { readonly version: number; readonly form: Json } | undefined;
}

/** The form of images and operations. An image of another form is not read, but adopted around. */
export const FORMAT = 4;

export class Ledger {
  readonly kinds: ActorKinds;
  epoch: number;
  /** Number of the last event. */
  seq = 0;
  readonly actors = new Map<ActorId, Cell>();
  readonly nodes = new Map<ActorId, TreeNode>();
  readonly deadlines = new Deadlines();
  readonly keys = new InputKeys();
  /** Queued events as a checkpoint tells them; the host takes them over when it starts. */
  queued: Post[] = [];
  /** Effects of the last commit. */
  pending: PendingEffect[] = [];

  readonly #children = new Map<ActorId, Set<ActorId>>();
  /** Told whole, and unchanged since: others are told by them. */
  readonly #alikeForms = new Alike('b', (id, snapshot) => this.actors.get(id)?.snapshot === snapshot);
  readonly #alikeNodes = new Alike('m', (id, node) => this.nodes.get(id) === node);
  /** While an image is read: the forms that its effects refer to. */
  #forms: Pick<PendingEffect, 'kindName' | 'saved'>[] = [];
  #ops: string[] = [];

  constructor(kinds: ActorKinds, epoch: number) {
    this.kinds = kinds;
    this.epoch = epoch;
  }

  /** Children of a supervisor in their order of starting. */
  childrenOf(supervisor: ActorId): readonly ActorId[] {
    return [...(this.#children.get(supervisor) ?? [])];
  }

  hasChildren(supervisor: ActorId): boolean {
    return (this.#children.get(supervisor)?.size ?? 0) > 0;
  }

  /** Nothing is written of it: its node tells. */
  addDormant(spec: ChildSpec): void {
    this.actors.set(spec.id, new Dormant(spec, this.kinds));
  }

  /** @param told what {@link tellActor} has made of its saved form */
  addActor(id: ActorId, kindName: string, snapshot: unknown, told: string): void {
    const kind = this.kinds[kindName];
    this.actors.set(id, { id, kindName, kind, snapshot, saved: undefined, broken: undefined });
    this.#ops.push(told);
  }

  /** The operation that adds an actor. Nothing is changed yet; throws where the form is not plain data. */
  tellActor(id: ActorId, kindName: string, snapshot: unknown, form: Json): string {
    const like = this.#alikeForms.by(kindName, id, form, snapshot);
    if (like !== undefined) return like;
    const json = JSON.stringify(form);
    if (json === undefined) throw new Error(`not plain data: ${String(form)}`);
    this.#alikeForms.told(kindName, id, form, json.length, snapshot);
    return `["a",${text(id)},${text(kindName)},${this.kinds[kindName]?.logic.version ?? 0},${json}]`;
  }

  /** `diff` is what the logic's `diff` said, as JSON text; undefined: the whole saved form is in `saved`. */
  stepActor(cell: Cell, snapshot: unknown, change: { readonly diff: string } | { readonly saved: string }): void {
    cell.snapshot = snapshot;
    if ('diff' in change) this.#ops.push(`["s",${text(cell.id)},${change.diff}]`);
    else
      this.#ops.push(`["a",${text(cell.id)},${text(cell.kindName)},${cell.kind?.logic.version ?? 0},${change.saved}]`);
  }

  /** The actor and its deadlines. */
  removeActor(id: ActorId): void {
    if (!this.actors.delete(id)) return;
    this.deadlines.drop(id);
    this.#ops.push(`["x",${text(id)}]`);
  }

  arm(actor: ActorId, name: string, at: DueAt): void {
    this.deadlines.arm(actor, name, at);
    this.#ops.push(`["d",${text(actor)},${text(name)},${JSON.stringify(at)}]`);
  }

  disarm(actor: ActorId, name: string): void {
    if (this.deadlines.disarm(actor, name)) this.#ops.push(`["D",${text(actor)},${text(name)}]`);
  }

  /** @param specText its spec as JSON, where that is short: to tell it as it is costs less than to look for what it has otherwise */
  setNode(id: ActorId, node: TreeNode, specText?: string): void {
    if (specText !== undefined) {
      const { spec: _, ...rest } = node;
      this.#putNode(id, node);
      this.#ops.push(`["n",${text(id)},{"spec":${specText},${JSON.stringify(rest).slice(1)}]`);
      return;
    }
    const sort = sortOf(node);
    // By one that is there before this: a reader has no other.
    const like = sort === '' ? undefined : this.#alikeNodes.by(sort, id, node, node);
    this.#putNode(id, node);
    if (like !== undefined) {
      this.#ops.push(like);
      return;
    }
    const json = JSON.stringify(node);
    if (sort !== '') this.#alikeNodes.told(sort, id, node, json.length, node);
    this.#ops.push(`["n",${text(id)},${json}]`);
  }

  removeNode(id: ActorId): void {
    if (this.#dropNode(id)) this.#ops.push(`["N",${text(id)}]`);
  }

  /** Make a node with all below it the last of its siblings. */
  moveLast(id: ActorId): void {
    const moved: [ActorId, TreeNode][] = [];
    const visit = (at: ActorId) => {
      const node = this.nodes.get(at);
      if (node === undefined) return;
      moved.push([at, node]);
      for (const child of this.childrenOf(at)) visit(child);
    };
    visit(id);
    for (const [at] of moved.toReversed()) this.removeNode(at);
    for (const [at, node] of moved) this.setNode(at, node);
  }

  addEffect(effect: Omit<PendingEffect, 'saved'>, params: string | undefined): void {
    const { id, actor, type, atMs } = effect;
    const tail = params === undefined ? '' : `,${params}`;
    this.pending.push({ ...effect, saved: undefined });
    this.#ops.push(`["e",${id.seq},${id.index},${text(actor)},${text(type)},${atMs}${tail}]`);
  }

  takeKey(key: string, keep: boolean): void {
    this.keys.add(key, keep);
    this.#ops.push(`["${keep ? 'K' : 'k'}",${text(key)}]`);
  }

  /** Is there anything to commit? */
  get dirty(): boolean {
    return this.#ops.length > 0;
  }

  /** The text of a commit; from here on these operations count as written. */
  commit(queue: { readonly taken: number; readonly added: readonly string[] }): string {
    const ops = this.#ops;
    if (queue.taken > 0 || queue.added.length > 0) ops.push(`["q",${queue.taken},[${queue.added.join(',')}]]`);
    ops.push(`["i",${this.seq}]`);
    this.#ops = [];
    this.keys.settle();
    // Not joined: that would copy megabytes twice, each operation by itself and then all of them.
    let record = '';
    for (const op of ops) record += record === '' ? `[${op}` : `,${op}`;
    return `${record}]`;
  }

  /**
   * The text of an image of the whole state as it is now, between two turns, in pieces, with `queued` for its queue. What was not committed
   * yet is with it. Its pieces may be asked for later, whatever has happened by then.
   */
  image(bootId: string, queued: readonly Post[]): Generator<string> {
    this.#ops = []; // they are in the image
    const cells = [...this.actors.values()].filter((cell) => !(cell instanceof Dormant));
    const moment = {
      ids: [...this.nodes.keys()],
      nodes: [...this.nodes.values()],
      cells,
      snapshots: cells.map(({ snapshot }) => snapshot),
      deadlines: this.deadlines.all(),
      lowWater: this.keys.lowWater,
      recent: this.keys.recent(),
      kept: this.keys.kept(),
      queued,
      pending: [...this.pending],
      seq: this.seq,
    };
    return imageText(
      `{"format":${FORMAT},"boot":${text(bootId)},"epoch":${this.epoch},"ops":[`,
      moment,
      this.kinds,
      ']}',
    );
  }

  /**
   * Read one commit (or the operations of an image). The effects of earlier ones are forgotten: each commit is written
   * only after those of the one before it were carried out. Throws on what is not an operation: the checkpoint is then not believed.
   */
  apply(ops: readonly unknown[]): void {
    this.pending = [];
    this.#forms = [];
    for (const op of ops) this.#applyOne(op);
    this.keys.settle();
  }

  #applyOne(op: unknown): void {
    if (!Array.isArray(op)) throw new Error(`not an operation: ${JSON.stringify(op)}`);
    const [letter, a, b, c, d] = op;
    switch (letter) {
      case 'a':
        this.actors.set(a, {
          id: a,
          kindName: b,
          kind: this.kinds[b],
          snapshot: undefined,
          saved: { version: c, form: d },
          broken: this.actors.get(a)?.broken,
        });
        return;
      case 'b': {
        const base = this.actors.get(b);
        if (base?.saved === undefined) throw new Error(`${a} by ${b}, which is not there`);
        const saved = { version: base.saved.version, form: applied(base.saved.form, c) };
        this.actors.set(a, { ...base, id: a, saved, broken: this.actors.get(a)?.broken });
        return;
      }
      case 'm':
        this.#putNode(a, applied(this.nodes.get(b) as unknown as Json, c) as unknown as TreeNode);
        return;
      case 's':
        this.#patch(a, b);
        return;
      case 'x':
        this.actors.delete(a);
        this.deadlines.drop(a);
        return;
      case 'd':
        this.deadlines.arm(a, b, c);
        return;
      case 'D':
        this.deadlines.disarm(a, b);
        return;
      case 'n':
        this.#putNode(a, b);
        return;
      case 'N':
        this.#dropNode(a);
        return;
      case 'e':
        this.pending.push(this.#readEffect(op));
        return;
      case 'f':
        this.#forms.push(this.#readForm(op));
        return;
      case 'k':
      case 'K':
        this.keys.add(a, letter === 'K');
        return;
      case 'q':
        this.queued.splice(0, a);
        // Not all at once: there may be more of them than a call takes arguments.
        for (const post of b) this.queued.push(post);
        return;
      case 'i':
        this.seq = a;
        return;
      default:
        throw new Error(`not an operation: ${JSON.stringify(op).slice(0, 200)}`);
    }
  }

  #readForm(op: readonly unknown[]): Pick<PendingEffect, 'kindName' | 'saved'> {
    const [, name, version, form] = op as [string, string, number, Json];
    if (op.length > 2) return { kindName: name, saved: { version, form } };
    const cell = this.actors.get(name);
    return { kindName: cell?.kindName ?? '', saved: cell?.saved };
  }

  /** In a commit the actor's snapshot is the one at this point of it; in an image it is a form that was read before. */
  #readEffect(op: readonly unknown[]): PendingEffect {
    const [, seq, index, actor, type, atMs, params, form, hasParams] = op as [
      ...[string, number, number, ActorId, string, number, Json, number, boolean],
    ];
    const rest = { id: { epoch: this.epoch, seq, index }, actor, type, atMs, snapshot: undefined };
    if (op.length > 7) {
      const whose = this.#forms[form];
      if (whose === undefined) throw new Error(`an effect of ${actor} without its form`);
      return { ...rest, params: hasParams ? params : undefined, ...whose };
    }
    const cell = this.actors.get(actor);
    return { ...rest, params, kindName: cell?.kindName ?? '', saved: cell?.saved };
  }

  /** An actor whose diff cannot be read is broken, alone. */
  #patch(id: ActorId, diff: Json): void {
    const cell = this.actors.get(id);
    if (cell?.saved === undefined) throw new Error(`a step of ${id}, which is not there`);
    const patch = cell.kind?.logic.patch;
    try {
      if (patch === undefined) throw new Error(`no ${cell.kindName} here that could read its steps`);
      cell.saved = { version: cell.saved.version, form: patch(cell.saved.form, diff) };
    } catch (error) {
      cell.broken ??= error instanceof Error ? error.message : String(error);
    }
  }

  #putNode(id: ActorId, node: TreeNode): void {
    const fresh = !this.nodes.has(id);
    this.nodes.set(id, node);
    if (!fresh || node.parent === null) return;
    const siblings = this.#children.get(node.parent);
    if (siblings === undefined) this.#children.set(node.parent, new Set([id]));
    else siblings.add(id);
  }

  #dropNode(id: ActorId): boolean {
    const node = this.nodes.get(id);
    if (node === undefined) return false;
    this.nodes.delete(id);
    this.#children.delete(id);
    if (node.parent !== null) this.#children.get(node.parent)?.delete(id);
    return true;
  }
}

function text(value: string): string {
  return JSON.stringify(value);
}
