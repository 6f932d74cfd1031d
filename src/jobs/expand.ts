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
import type { DependencyKind } from '../units/types.ts';
import { edgeTo } from './edges.ts';
import { loadRefusal } from './refusals.ts';
import type { ActiveState, JobGraph, JobMode, JobType, PlanWorld, Reason, Refusal } from './types.ts';
import { collapse, isApplicable, isDown, type LooseType } from './verbs.ts';
import { edgeWords } from './words.ts';

/** One job of one type of one unit, in the making. */
export interface Node {
  /** In the order of discovery: the smaller, the nearer to the request. */
  readonly serial: number;
  readonly unit: string;
  /** What the unit does. */
  readonly active: ActiveState;
  type: JobType;
  anchor: boolean;
  ignoreOrder: boolean;
  /** Without it the request cannot be carried out. */
  matters: boolean;
  /** Left out of the plan, or merged into another job of its unit. */
  gone: boolean;
  /** The next job of the same unit. */
  also: Node | undefined;
  /** Who pulled it in, a chain in the order of discovery; and what it pulled in. Either may lead to nodes that are gone. */
  firstFrom: Link | undefined;
  lastFrom: Link | undefined;
  firstTo: Link | undefined;
  lastTo: Link | undefined;
  impossible: Refusal | undefined;
  /** Number of the last walk that came by; see settle.ts. */
  walk: number;
}

/** One job pulled in another. Both chains it is part of run through it: ten thousand jobs need no lists of their own. */
export interface Link {
  from: Node;
  to: Node;
  readonly rule: Rule;
  /** Along which kind of edge, or by which job mode. */
  readonly by: DependencyKind | 'isolate' | 'triggers';
  /** What the puller was when it pulled. */
  readonly as: JobType;
  /** The next one of `to`, and of `from`. */
  nextFrom: Link | undefined;
  nextTo: Link | undefined;
}

/** Why a link is there, down to the line; looked up when it is told. */
export function reasonOf(graph: JobGraph, { from, to, by, as }: Link): Reason {
  if (by === 'isolate') return { isolate: from.unit };
  if (by === 'triggers') return { triggers: from.unit };
  return { edge: edgeTo(graph, from.unit, by, to.unit), because: `${as} ${from.unit}` };
}

/** The edge of a link, for people; empty: there is none. */
export function alongWords(graph: JobGraph, { from, to, by }: Pick<Link, 'from' | 'to' | 'by'>): string {
  return by === 'isolate' || by === 'triggers' ? '' : ` (${edgeWords(edgeTo(graph, from.unit, by, to.unit))})`;
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

const STARTING_WITH_RESTARTS: readonly Rule[] = [...STARTING, ...RESTARTING];

const NO_RULES: readonly Rule[] = [];
const RULES: Readonly<Record<JobType, readonly Rule[]>> = {
  start: STARTING,
  restart: STARTING_WITH_RESTARTS,
  stop: STOPPING,
  reload: RELOADING,
  'verify-active': NO_RULES,
  nop: NO_RULES,
};

const BY_MODE: Rule = { kinds: [], type: 'stop', matters: true };

/** All jobs by unit, and what was left out on the way. */
export class Expansion {
  /** The first job of each unit; the others follow by `also`. */
  readonly byUnit = new Map<string, Node>();
  readonly notes: string[] = [];
  readonly #world: PlanWorld;
  readonly #mode: JobMode;
  readonly #queue: Node[] = [];
  readonly #anchors: Node[] = [];
  #serial = 0;

  constructor(world: PlanWorld, mode: JobMode) {
    this.#world = world;
    this.#mode = mode;
  }

  /** The requested job itself. */
  anchor(unit: string, type: JobType): Refusal | undefined {
    const node = this.#make(unit, type);
    if ('refused' in node) return node;
    if (!node.anchor) this.#anchors.push(node);
    node.anchor = true;
    return undefined;
  }

  get anchors(): readonly Node[] {
    return this.#anchors;
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
      this.#pull(anchor, unit, BY_MODE, 'isolate');
    }
    this.run();
  }

  /** Stop what would start the unit again (job mode `triggering`). */
  triggering(anchor: Node): void {
    const { graph, states, installed } = this.#world;
    for (const unit of graph.others(anchor.unit, 'TriggeredBy')) {
      if (isDown(states.active(unit)) && installed.of(unit) === undefined) continue;
      this.#pull(anchor, unit, BY_MODE, 'triggers');
    }
    this.run();
  }

  /** A unit that is triggered by one that stays must stay as well. */
  #stopsOnIsolate(unit: string, wanted: ReadonlySet<string>): boolean {
    const { graph } = this.#world;
    const ignored = (name: string) => graph.facts(name)?.unit.IgnoreOnIsolate ?? false;
    if (ignored(unit)) return false;
    return !graph.others(unit, 'TriggeredBy').some((other) => ignored(other) || wanted.has(other));
  }

  #expand(node: Node): void {
    let rules = RULES[node.type];
    if (node.anchor && node.type === 'start' && this.#mode === 'restart-dependencies') {
      rules = STARTING_WITH_RESTARTS;
    }
    const { graph } = this.#world;
    // By number: of ten thousand jobs this walks a million places, most of them before it is compiled.
    for (let r = 0; r < rules.length; r += 1) {
      const rule = rules[r] as Rule;
      for (let k = 0; k < rule.kinds.length; k += 1) {
        const kind = rule.kinds[k] as DependencyKind;
        const others = graph.others(node.unit, kind);
        for (let o = 0; o < others.length; o += 1)
          if (others[o] !== node.unit) this.#pull(node, others[o] as string, rule, kind);
      }
    }
  }

  #pull(from: Node, unit: string, rule: Rule, by: Link['by']): void {
    const known = this.byUnit.get(unit);
    const type = collapse(rule.type, known === undefined ? this.#world.states.active(unit) : known.active);
    if (type === 'nop') return;
    let to: Node | Refusal | undefined = known;
    while (to !== undefined && to.type !== type) to = to.also;
    to ??= this.#make(unit, type);
    if ('refused' in to) {
      this.#leaveOut(from, to, rule, unit, by);
      return;
    }
    const link: Link = { from, to, rule, by, as: from.type, nextFrom: undefined, nextTo: undefined };
    if (from.lastTo === undefined) from.firstTo = link;
    else from.lastTo.nextTo = link;
    from.lastTo = link;
    if (to.lastFrom === undefined) to.firstFrom = link;
    else to.lastFrom.nextFrom = link;
    to.lastFrom = link;
  }

  #leaveOut(from: Node, refusal: Refusal, rule: Rule, unit: string, by: Link['by']): void {
    const along =
      by === 'isolate' || by === 'triggers' ? '' : ` (${edgeWords(edgeTo(this.#world.graph, from.unit, by, unit))})`;
    // A job that makes no sense for its unit (stop -.slice) is never needed.
    if (!rule.matters || refusal.error === 'JobTypeNotApplicable') {
      this.notes.push(`${rule.type} ${refusal.unit} left out: ${refusal.refused}${along}`);
      return;
    }
    from.impossible ??= { ...refusal, refused: `${from.unit} needs ${refusal.unit}${along}: ${refusal.refused}` };
  }

  #make(name: string, type: JobType): Node | Refusal {
    const facts = this.#world.graph.facts(name);
    const unit = facts?.name ?? name;
    const first = this.byUnit.get(unit);
    let last: Node | undefined;
    for (let known = first; known !== undefined; known = known.also) {
      if (known.type === type) return known;
      last = known;
    }
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
      active: first === undefined ? this.#world.states.active(unit) : first.active,
      type,
      anchor: false,
      ignoreOrder: this.#mode === 'ignore-dependencies',
      matters: false,
      gone: false,
      also: undefined,
      firstFrom: undefined,
      lastFrom: undefined,
      firstTo: undefined,
      lastTo: undefined,
      impossible: undefined,
      walk: 0,
    };
    if (last === undefined) this.byUnit.set(unit, node);
    else last.also = node;
    this.#queue.push(node);
    return node;
  }
}
