/**
 * From a request to all the jobs it would need: the closure of the requested jobs over the graph.
 *
 * Nothing is decided here yet: a unit may get a start and a stop, and jobs that would do nothing are there as well. The
 * links say who pulled in whom and whether it matters (without it the puller cannot be). settle.ts decides.
 *
 *     start, restart of u    Requires, BindsTo          start, matters
 *                            Wants, Upholds             start
 *                            Requisite                  verify-active, matters
 *                            Conflicts                  stop, matters (a conflict)
 *                            ConflictedBy               stop
 *     stop of u              RequiredBy, RequisiteOf, BoundBy, ConsistsOf, PropagatesStopTo     stop, matters
 *     restart of u           RequiredBy, RequisiteOf, BoundBy, ConsistsOf                       try-restart, matters
 *     reload of u            PropagatesReloadTo         try-reload
 *
 * Breadth first over sorted edges, so a chain of ten thousand costs no stack and the result depends on no input order.
 * A job that cannot be made (its unit is masked, missing, broken) makes impossible every job that needs it.
 * Source: systemd.unit(5), "[Unit] Section Options"; systemctl(1), "--job-mode=".
 */
import type { DependencyKind, Edge } from '../units/types.ts';
import { loadRefusal } from './refusals.ts';
import type { JobMode, JobType, PlanWorld, Reason, Refusal } from './types.ts';
import { collapse, isApplicable, isDown, type LooseType } from './verbs.ts';
import { edgeWords } from './words.ts';

/** One job of one type of one unit, in the making. */
export interface Node {
  /** In the order of discovery: the smaller, the nearer to the request. */
  readonly serial: number;
  readonly unit: string;
  type: JobType;
  anchor: boolean;
  ignoreOrder: boolean;
  /** Without it the request cannot be carried out. */
  matters: boolean;
  /** Who pulled it in, in the order of discovery. */
  readonly from: Set<Link>;
  /** What it pulled in. */
  readonly to: Set<Link>;
  impossible: Refusal | undefined;
}

export interface Link {
  readonly from: Node;
  to: Node;
  readonly matters: boolean;
  readonly conflicts: boolean;
  readonly reason: Reason;
}

/** What a rule of the table above pulls in. */
interface Rule {
  readonly kinds: readonly DependencyKind[];
  readonly type: LooseType;
  readonly matters: boolean;
  readonly conflicts?: true;
}

const STARTING: readonly Rule[] = [
  { kinds: ['Requires', 'BindsTo'], type: 'start', matters: true },
  { kinds: ['Wants', 'Upholds'], type: 'start', matters: false },
  { kinds: ['Requisite'], type: 'verify-active', matters: true },
  { kinds: ['Conflicts'], type: 'stop', matters: true, conflicts: true },
  { kinds: ['ConflictedBy'], type: 'stop', matters: false },
];
const RESTARTED_ALONG: readonly DependencyKind[] = ['RequiredBy', 'RequisiteOf', 'BoundBy', 'ConsistsOf'];
const STOPPING: readonly Rule[] = [{ kinds: [...RESTARTED_ALONG, 'PropagatesStopTo'], type: 'stop', matters: true }];
const RESTARTING: readonly Rule[] = [{ kinds: RESTARTED_ALONG, type: 'try-restart', matters: true }];
const RELOADING: readonly Rule[] = [{ kinds: ['PropagatesReloadTo'], type: 'try-reload', matters: false }];

const NO_RULES: readonly Rule[] = [];
const RULES: Readonly<Record<JobType, readonly Rule[]>> = {
  start: STARTING,
  restart: [...STARTING, ...RESTARTING],
  stop: STOPPING,
  reload: RELOADING,
  'verify-active': NO_RULES,
  nop: NO_RULES,
};

/** All jobs by unit, and what was left out on the way. */
export class Expansion {
  readonly byUnit = new Map<string, Node[]>();
  readonly notes: string[] = [];
  readonly #world: PlanWorld;
  readonly #mode: JobMode;
  readonly #queue: Node[] = [];
  #serial = 0;

  constructor(world: PlanWorld, mode: JobMode) {
    this.#world = world;
    this.#mode = mode;
  }

  /** The requested job itself. */
  anchor(unit: string, type: JobType): Refusal | undefined {
    const node = this.#add(unit, type);
    if ('refused' in node) return node;
    node.anchor = true;
    return undefined;
  }

  /** Follow the graph until nothing new comes. */
  run(): void {
    const deep = this.#mode !== 'ignore-dependencies' && this.#mode !== 'ignore-requirements';
    for (let at = 0; at < this.#queue.length; at += 1) if (deep) this.#expand(this.#queue[at] as Node);
    this.#queue.length = 0;
  }

  /** Stop what runs and is neither in the plan nor excepted (job mode `isolate`). */
  isolate(anchor: Node): void {
    const { graph, states, installed } = this.#world;
    const wanted = new Set(this.byUnit.keys());
    for (const unit of graph.units()) {
      if (isDown(states.active(unit)) && installed.of(unit) === undefined) continue;
      if (wanted.has(unit) || !this.#stopsOnIsolate(unit, wanted)) continue;
      this.#pull(anchor, unit, { kinds: [], type: 'stop', matters: true }, { isolate: anchor.unit });
    }
    this.run();
  }

  /** Stop what would start the unit again (job mode `triggering`). */
  triggering(anchor: Node): void {
    const { graph, states, installed } = this.#world;
    for (const edge of graph.edges(anchor.unit, 'TriggeredBy')) {
      if (isDown(states.active(edge.to)) && installed.of(edge.to) === undefined) continue;
      this.#pull(anchor, edge.to, { kinds: [], type: 'stop', matters: true }, { triggers: anchor.unit });
    }
    this.run();
  }

  nodes(): Node[] {
    return [...this.byUnit.values()].flat();
  }

  /** A unit that is triggered by one that stays must stay as well. */
  #stopsOnIsolate(unit: string, wanted: ReadonlySet<string>): boolean {
    const { graph } = this.#world;
    const ignored = (name: string) => graph.facts(name)?.unit.IgnoreOnIsolate ?? false;
    if (ignored(unit)) return false;
    return !graph.edges(unit, 'TriggeredBy').some((edge) => ignored(edge.to) || wanted.has(edge.to));
  }

  #expand(node: Node): void {
    let rules = RULES[node.type];
    if (node.anchor && node.type === 'start' && this.#mode === 'restart-dependencies') {
      rules = [...STARTING, ...RESTARTING];
    }
    for (const rule of rules) {
      for (const kind of rule.kinds) {
        for (const edge of this.#world.graph.edges(node.unit, kind)) {
          if (edge.to === node.unit) continue;
          this.#pull(node, edge.to, rule, { edge, because: `${node.type} ${node.unit}` });
        }
      }
    }
  }

  #pull(from: Node, unit: string, rule: Rule, reason: Reason): void {
    const type = collapse(rule.type, this.#world.states.active(unit));
    if (type === 'nop') return;
    const to = this.#add(unit, type);
    if ('refused' in to) {
      this.#leaveOut(from, to, rule, 'edge' in reason ? reason.edge : undefined);
      return;
    }
    const link: Link = { from, to, matters: rule.matters, conflicts: rule.conflicts ?? false, reason };
    from.to.add(link);
    to.from.add(link);
  }

  #leaveOut(from: Node, refusal: Refusal, rule: Rule, edge: Edge | undefined): void {
    const along = edge === undefined ? '' : ` (${edgeWords(edge)})`;
    // A job that makes no sense for its unit (stop -.slice) is never needed.
    if (!rule.matters || refusal.error === 'JobTypeNotApplicable') {
      this.notes.push(`${rule.type} ${refusal.unit} left out: ${refusal.refused}${along}`);
      return;
    }
    from.impossible ??= { ...refusal, refused: `${from.unit} needs ${refusal.unit}${along}: ${refusal.refused}` };
  }

  #add(name: string, type: JobType): Node | Refusal {
    const facts = this.#world.graph.facts(name);
    const unit = facts?.name ?? name;
    const known = this.byUnit.get(unit);
    const same = known?.find((node) => node.type === type);
    if (same !== undefined) return same;
    const refusal = loadRefusal(unit, facts, type);
    if (refusal !== undefined) return refusal;
    if (!isApplicable(type, facts)) {
      return {
        refused: `a ${type} job makes no sense for ${unit}`,
        error: 'JobTypeNotApplicable',
        unit,
        todo: 'see systemctl(1) for what its type can do',
      };
    }
    const node: Node = {
      serial: this.#serial++,
      unit,
      type,
      anchor: false,
      ignoreOrder: this.#mode === 'ignore-dependencies',
      matters: false,
      from: new Set(),
      to: new Set(),
      impossible: undefined,
    };
    if (known === undefined) this.byUnit.set(unit, [node]);
    else known.push(node);
    this.#queue.push(node);
    return node;
  }
}
