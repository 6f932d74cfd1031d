/**
 * What an actor host is given, and what it shows.
 */
import type { Hello, Host, HostEvent } from '../host/ports.ts';
import type {
  ActorEvent,
  ActorId,
  ActorKinds,
  ChildSpec,
  HostReport,
  Json,
  Post,
  RestartType,
  Strategy,
  SupervisorSpec,
} from './actor.ts';
import type { ActorHost } from './host.ts';
import { type Failure, isSupervisor, type Ledger, type SupervisorNode, type TreeNode } from './ledger.ts';
import type { Migrations } from './migrate.ts';
import type { Recorder } from './recorder.ts';

/** What the layer above sees when it has to bring the state and the world together. */
export interface RecoveryView {
  /** `fresh`: no state was restored and the epoch is new; live children in `hello` are to be adopted by their tags. */
  readonly mode: 'restored' | 'fresh';
  readonly why: string;
  /** Restored, and this was wrong with the checkpoint. */
  readonly note?: string;
  readonly hello: Hello;
  readBegun(actor: ActorId): unknown;
  list(prefix: string): readonly ActorId[];
  /** What the checkpoint says was on its way to an actor, in order; it stands in the queue, before all posts of reconciliation. */
  onTheirWay(to: ActorId): readonly ActorEvent[];
  /** With `fresh`: the saved forms of the actors of the state that is not used, as far as it can be read. */
  readonly earlier: ReadonlyMap<ActorId, Json>;
}

export interface ActorHostOptions {
  readonly host: Host;
  readonly kinds: ActorKinds;
  /** How to read what older cores have saved. */
  readonly migrations?: Migrations;
  /** The static tree; its permanent children are started where they are missing. */
  readonly root: SupervisorSpec;
  /** Turn a host event into {@link ActorHost.input}s. Every init record must become one, if with no events. */
  onEvent(event: HostEvent): void;
  /** What init's hello means for the restored actors, as posts; they are part of the first commit. Pure: it may be asked again. */
  reconcile?(view: RecoveryView): readonly Post[];
  /** What is left to do once core is in charge, in pieces: after each turn one, until the answer is false. */
  left?(): boolean;
  /** Default: the log port. */
  onReport?(report: HostReport): void;
  /** The root supervisor has given up. Default: it is reported, and core goes on without the quarantined: dying would not bring them back. */
  onRootGaveUp?(why: string): void;
  /** Longest time between two beats, in ms; default 2,500; Infinity: beat after turns only (the simulator). */
  readonly beatEveryMs?: number;
  /** Told of every step and of every report of level `error`. */
  readonly recorder?: Recorder;
  /** For tests: smaller turns, earlier compaction, in smaller pieces. */
  readonly turnEvents?: number;
  readonly compactBytes?: number;
  readonly foldOperations?: number;
}

/** A node of {@link ActorHost.tree}, for display. */
export interface TreeView {
  readonly id: ActorId;
  readonly phase: 'running' | 'stopping' | 'quarantined';
  /** Of an actor: its kind. */
  readonly kind?: string;
  /** Of a supervisor. */
  readonly strategy?: Strategy;
  readonly intensity?: number;
  readonly periodMs?: number;
  /** Restarts within the period that ends now, of a supervisor. */
  readonly restarts?: number;
  /** Of an actor. */
  readonly restart?: RestartType;
  readonly shutdown?: ChildSpec['shutdown'];
  /** How often it failed, of a supervisor one of its children; and how at last. */
  readonly failures: number;
  readonly last?: Failure;
  /** Events that wait until it is released. */
  readonly held?: number;
  readonly children: readonly TreeView[];
}

/** The part of the tree below `id`, at a time (CLOCK_MONOTONIC, ms); undefined: there is no such node. */
export function treeOf(ledger: Ledger, id: ActorId, nowMs: number): TreeView | undefined {
  const node = ledger.nodes.get(id);
  if (node === undefined) return undefined;
  const failed = { failures: node.failures ?? 0, ...(node.last === undefined ? {} : { last: node.last }) };
  if (!isSupervisor(node)) {
    const { kind, restart, shutdown } = node.spec;
    return { id, phase: node.phase, kind, restart, shutdown, held: node.held?.length ?? 0, ...failed, children: [] };
  }
  const { strategy, intensity, periodMs } = node.spec;
  return {
    id,
    phase: phaseOf(node),
    ...{ strategy, intensity, periodMs, ...failed },
    restarts: restartsOf(node, nowMs),
    children: ledger.childrenOf(id).flatMap((child) => treeOf(ledger, child, nowMs) ?? []),
  };
}

/** Restarts that count at a time. */
export const restartsOf = ({ history, spec }: SupervisorNode, nowMs: number): number =>
  history.filter((atMs) => nowMs - atMs <= spec.periodMs).length;

/** A supervisor stops once all below it are to go for good. */
export const phaseOf = (node: TreeNode): TreeView['phase'] =>
  !isSupervisor(node) ? node.phase : node.takedown?.restart === null ? 'stopping' : 'running';
