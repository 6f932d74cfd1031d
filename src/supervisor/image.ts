/**
 * The operations of an image, one by one, of the state as it was at one moment: between two of them core may go on with its turns, for
 * snapshots and nodes are replaced and never changed. So an image of thousands of actors is made in pieces, and no turn waits for all of it.
 */
import type { ActorId, ActorKinds } from './actor.ts';
import type { DueAt } from './deadlines.ts';
import { Deltas } from './delta.ts';
import type { Cell, PendingEffect, TreeNode } from './ledger.ts';

/** What the ledger held. */
export interface Moment {
  readonly nodes: readonly (readonly [ActorId, TreeNode])[];
  readonly cells: readonly Cell[];
  readonly deadlines: readonly (readonly [ActorId, string, DueAt])[];
  readonly lowWater: number;
  readonly recent: readonly string[];
  readonly kept: readonly string[];
  /** The text of each queued event. */
  readonly queued: readonly string[];
  readonly pending: readonly PendingEffect[];
  readonly seq: number;
}

/** What an image is made of: text in front, operations with commas between them, text behind. */
export interface ImageParts {
  readonly head: string;
  readonly operations: Iterator<string>;
  readonly tail: string;
}

/** Each as JSON text; ledger.ts tells what they mean. */
export function* operations(moment: Moment, kinds: ActorKinds): Generator<string> {
  const nodes = new Alike();
  for (const [id, node] of moment.nodes)
    yield nodes.add(
      'history' in node ? '' : `${node.parent} ${node.spec.kind}`,
      id,
      node,
      'm',
      (whole) => `["n",${text(id)},${whole}]`,
    );
  const forms = new Alike();
  for (const cell of moment.cells) {
    const { id, kindName } = cell;
    const form =
      cell.kind === undefined || cell.broken !== undefined ? cell.saved?.form : cell.kind.logic.save(cell.snapshot);
    const version = cell.saved?.version ?? cell.kind?.logic.version ?? 0;
    yield forms.add(
      `${version} ${kindName}`,
      id,
      form,
      'b',
      (whole) => `["a",${text(id)},${text(kindName)},${version},${whole}]`,
    );
  }
  for (const [actor, name, at] of moment.deadlines) yield `["d",${text(actor)},${text(name)},${JSON.stringify(at)}]`;
  if (moment.lowWater > 0) yield `["k","record:${moment.lowWater}"]`;
  for (const key of moment.recent) yield `["k",${text(key)}]`;
  for (const key of moment.kept) yield `["K",${text(key)}]`;
  if (moment.queued.length > 0) yield `["q",0,[${moment.queued.join(',')}]]`;
  yield* effects(moment, kinds);
  yield `["i",${moment.seq}]`;
}

/** Of those that are of one sort: the one that others are told by. */
interface Base {
  readonly id: ActorId;
  readonly value: unknown;
  /** Length of its whole text. */
  readonly length: number;
  readonly deltas: Deltas;
}

/** Tells each by what it has otherwise than one of its sort before it, unless that saves little: then it is told whole, and the next ones by it. */
class Alike {
  readonly #bases = new Map<string, Base>();

  /** @param sort empty: like no other */
  add(sort: string, id: ActorId, value: unknown, letter: string, whole: (json: string | undefined) => string): string {
    const base = this.#bases.get(sort);
    const delta = base?.deltas.text(base.value, value);
    if (base !== undefined && delta !== undefined && delta.length * 2 < base.length)
      return `["${letter}",${text(id)},${text(base.id)},${delta}]`;
    const json = JSON.stringify(value);
    if (sort !== '') this.#bases.set(sort, { id, value, length: json?.length ?? 0, deltas: new Deltas() });
    return whole(json);
  }
}

function* effects({ cells, pending }: Moment, kinds: ActorKinds): Generator<string> {
  if (pending.length === 0) return;
  const actors = new Map(cells.map((cell) => [cell.id, cell]));
  const forms = new Map<unknown, number>();
  for (const effect of pending) {
    const { id, actor, type, atMs, params } = effect;
    const key = effect.saved ?? effect.snapshot ?? effect.kindName;
    let form = forms.get(key);
    if (form === undefined) {
      form = forms.size;
      forms.set(key, form);
      yield formText(actors.get(actor), effect, kinds);
    }
    const rest = JSON.stringify([params ?? null, form, params !== undefined]).slice(1);
    yield `["e",${id.seq},${id.index},${text(actor)},${text(type)},${atMs},${rest}`;
  }
}

function formText(cell: Cell | undefined, effect: PendingEffect, kinds: ActorKinds): string {
  const { actor, kindName, snapshot, saved } = effect;
  const present = cell?.kindName === kindName && cell.broken === undefined;
  if (present && saved === undefined && cell.snapshot === snapshot) return `["f",${text(actor)}]`;
  const logic = kinds[kindName]?.logic;
  const form = saved?.form ?? (snapshot === undefined ? null : logic?.save(snapshot)) ?? null;
  return `["f",${text(kindName)},${saved?.version ?? logic?.version ?? 0},${JSON.stringify(form)}]`;
}

const text = (value: string): string => JSON.stringify(value);
