/**
 * The text of an image, piece by piece, of the state as it was at one moment: between two of them core may go on with its turns, for
 * snapshots and nodes are replaced and never changed. So an image of thousands of actors, or of one large one, is made in pieces, and
 * no turn waits for all of it.
 */
import type { ActorId, ActorKinds, Logic, Post } from './actor.ts';
import { Alike } from './alike.ts';
import type { DueAt } from './deadlines.ts';
import { isLong, jsonPieces } from './json-pieces.ts';
import type { Cell, PendingEffect, TreeNode } from './ledger.ts';
import { textOf } from './queue.ts';

/** What the ledger held. */
export interface Moment {
  readonly ids: readonly ActorId[];
  /** By the place of their ids. */
  readonly nodes: readonly TreeNode[];
  /** What does not change of them. */
  readonly cells: readonly Cell[];
  /** What does, by their place. */
  readonly snapshots: readonly unknown[];
  readonly deadlines: readonly (readonly [ActorId, string, DueAt])[];
  readonly lowWater: number;
  readonly recent: readonly string[];
  readonly kept: readonly string[];
  readonly queued: readonly Post[];
  readonly pending: readonly PendingEffect[];
  readonly seq: number;
}

/** Queued events of one operation. */
const QUEUED = 64;

/** One as JSON text, or the pieces of that; ledger.ts tells what they mean. */
type Operation = string | Iterable<string>;

/** `head`, the operations with commas between them, `tail`. */
export function* imageText(head: string, moment: Moment, kinds: ActorKinds, tail: string): Generator<string> {
  let before = head;
  for (const operation of operations(moment, kinds)) {
    if (typeof operation === 'string') yield before + operation;
    else {
      for (const piece of operation) {
        yield before + piece;
        before = '';
      }
    }
    before = ',';
  }
  yield before === ',' ? tail : before + tail;
}

function* operations(moment: Moment, kinds: ActorKinds): Generator<Operation> {
  const nodes = new Alike('m');
  for (const [at, node] of moment.nodes.entries()) {
    const id = moment.ids[at] as ActorId;
    yield told(nodes, sortOf(node), id, node, `["n",${text(id)},`);
  }
  const forms = new Alike('b');
  /** Of those whose effects are pending. */
  const present = new Map<ActorId, { readonly cell: Cell; readonly snapshot: unknown } | undefined>();
  for (const { actor } of moment.pending) present.set(actor, undefined);
  for (const [at, cell] of moment.cells.entries()) {
    const { id, kindName } = cell;
    const snapshot = moment.snapshots[at];
    if (present.has(id)) present.set(id, { cell, snapshot });
    const form =
      cell.kind === undefined || cell.broken !== undefined ? cell.saved?.form : formOf(cell.kind.logic, snapshot);
    const version = cell.saved?.version ?? cell.kind?.logic.version ?? 0;
    yield told(forms, `${version} ${kindName}`, id, form, `["a",${text(id)},${text(kindName)},${version},`);
  }
  for (const [actor, name, at] of moment.deadlines) yield `["d",${text(actor)},${text(name)},${JSON.stringify(at)}]`;
  if (moment.lowWater > 0) yield `["k","record:${moment.lowWater}"]`;
  for (const key of moment.recent) yield `["k",${text(key)}]`;
  for (const key of moment.kept) yield `["K",${text(key)}]`;
  for (let at = 0; at < moment.queued.length; at += QUEUED) {
    const texts = moment.queued.slice(at, at + QUEUED).flatMap((post) => textOf(post) ?? []);
    yield `["q",0,[${texts.join(',')}]]`;
  }
  yield* effects(moment, present, kinds);
  yield `["i",${moment.seq}]`;
}

/** Nodes of one sort are alike; empty: it is like no other. */
export const sortOf = (node: TreeNode): string => ('history' in node ? '' : `${node.parent} ${node.spec.kind}`);

/** By what it has otherwise than another one, or whole. @param before what stands in front of its whole text */
function told(alike: Alike, sort: string, id: ActorId, value: unknown, before: string): Operation {
  const operation = sort === '' ? undefined : alike.by(sort, id, value);
  if (operation !== undefined) return operation;
  if (isLong(value)) return enclosed(before, jsonPieces(value));
  const json = JSON.stringify(value) ?? 'null';
  if (sort !== '') alike.told(sort, id, value, json.length);
  return `${before}${json}]`;
}

function* enclosed(before: string, pieces: Iterable<string>): Generator<string> {
  yield before;
  yield* pieces;
  yield ']';
}

type Present = ReadonlyMap<ActorId, { readonly cell: Cell; readonly snapshot: unknown } | undefined>;

function* effects({ pending }: Moment, present: Present, kinds: ActorKinds): Generator<Operation> {
  const forms = new Map<unknown, number>();
  for (const effect of pending) {
    const { id, actor, type, atMs, params } = effect;
    const key = effect.saved ?? effect.snapshot ?? effect.kindName;
    let form = forms.get(key);
    if (form === undefined) {
      form = forms.size;
      forms.set(key, form);
      yield formText(present.get(actor), effect, kinds);
    }
    const rest = JSON.stringify([params ?? null, form, params !== undefined]).slice(1);
    yield `["e",${id.seq},${id.index},${text(actor)},${text(type)},${atMs},${rest}`;
  }
}

function formText(of: ReturnType<Present['get']>, effect: PendingEffect, kinds: ActorKinds): Operation {
  const { actor, kindName, snapshot, saved } = effect;
  const present = of?.cell.kindName === kindName && of.cell.broken === undefined;
  if (present && saved === undefined && of.snapshot === snapshot) return `["f",${text(actor)}]`;
  const logic = kinds[kindName]?.logic;
  const form = saved?.form ?? (snapshot === undefined || logic === undefined ? null : formOf(logic, snapshot)) ?? null;
  return enclosed(`["f",${text(kindName)},${saved?.version ?? logic?.version ?? 0},`, jsonPieces(form));
}

const formOf = (logic: Logic<unknown>, snapshot: unknown): unknown =>
  logic.saveSlowly === undefined ? logic.save(snapshot) : logic.saveSlowly(snapshot);

const text = (value: string): string => JSON.stringify(value);
