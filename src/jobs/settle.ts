/**
 * From all jobs a request could need to one job for each unit, or a refusal: the part where a plan gives something up.
 *
 * In this order, each step its own function:
 *
 * 1. jobs that cannot be made take those with them that need them;
 * 2. it is marked which jobs matter: those the request cannot do without;
 * 3. job modes `fail` and `lenient`: what would stop running units is left out, or refused;
 * 4. jobs that would do nothing are dropped, then those that nobody wants any more;
 * 5. jobs of one unit are merged; where two contradict each other one that does not matter is dropped, with a note
 *    (of a start and a stop rather the stop, but rather the start where another unit conflicts), else refused; first
 *    where there is no choice, so that nothing is given up for a job that then goes as well;
 * 6. jobs that would do nothing, again, now that they are merged;
 * 7. what remains must not contradict the table, if mode or table say so.
 *
 * Every walk is over units sorted by name, so ties are always broken alike. Source: systemctl(1), "--job-mode=".
 */

import type { Expansion, Link, Node } from './expand.ts';
import { destructive, refusal } from './refusals.ts';
import type { JobMode, PlanWorld, Refusal } from './types.ts';
import { collapse, conflicts, isRedundant, isUpOrComing, type MergedType, merge } from './verbs.ts';
import { edgeWords, jobWords } from './words.ts';

export interface Settled {
  /** One node for each unit, sorted by unit. */
  readonly nodes: readonly Node[];
  readonly notes: readonly string[];
}

export function settle(world: PlanWorld, mode: JobMode, expansion: Expansion): Settled | Refusal {
  return new Settling(world, mode, expansion).run();
}

class Settling {
  readonly #world: PlanWorld;
  readonly #mode: JobMode;
  readonly #byUnit: Map<string, Node[]>;
  readonly #units: readonly string[];
  readonly #notes: string[];

  constructor(world: PlanWorld, mode: JobMode, expansion: Expansion) {
    this.#world = world;
    this.#mode = mode;
    this.#byUnit = expansion.byUnit;
    this.#units = [...expansion.byUnit.keys()].sort();
    this.#notes = [...expansion.notes];
  }

  run(): Settled | Refusal {
    const impossible = this.#dropImpossible();
    if (impossible !== undefined) return impossible;
    this.#mark();
    const unkind = this.#spareRunning();
    if (unkind !== undefined) return unkind;
    this.#dropRedundant();
    this.#dropUnwanted();
    const contradiction = this.#resolveContradictions();
    if (contradiction !== undefined) return contradiction;
    for (const unit of this.#units) this.#mergeUnit(unit);
    this.#dropRedundant();
    this.#dropUnwanted();
    const destructive = this.#destroys();
    if (destructive !== undefined) return destructive;
    return { nodes: this.#nodes(), notes: this.#notes };
  }

  #nodes(): Node[] {
    return this.#units.flatMap((unit) => this.#byUnit.get(unit) ?? []);
  }

  #anchors(): Node[] {
    return this.#nodes().filter((node) => node.anchor);
  }

  #dropImpossible(): Refusal | undefined {
    const bad = this.#nodes().filter((node) => node.impossible !== undefined);
    for (let at = 0; at < bad.length; at += 1) {
      const node = bad[at] as Node;
      const cause = node.impossible as Refusal;
      for (const { from, matters, reason } of node.from) {
        if (!matters || from.impossible !== undefined) continue;
        const along = 'edge' in reason ? ` (${edgeWords(reason.edge)})` : '';
        from.impossible = { ...cause, refused: `${from.unit} needs ${node.unit}${along}: ${cause.refused}` };
        bad.push(from);
      }
    }
    for (const node of bad) if (node.anchor) return node.impossible;
    for (const node of bad) {
      this.#notes.push(`${node.type} ${node.unit} left out: ${node.impossible?.refused}`);
      this.#remove(node);
    }
    return undefined;
  }

  /** Modes `fail` and `lenient`. Only jobs that do not matter may be left out. */
  #spareRunning(): Refusal | undefined {
    if (this.#mode === 'lenient') {
      const stopped = this.#nodes().find((node) => !node.anchor && this.#stopsRunning(node));
      if (stopped === undefined) return undefined;
      const why = `it would stop ${stopped.unit}, which is running`;
      return refusal('TransactionIsDestructive', stopped.unit, why, 'use --job-mode=replace to stop it');
    }
    if (this.#mode !== 'fail') return undefined;
    for (const node of this.#nodes()) {
      if (node.matters) continue;
      const installed = this.#world.installed.of(node.unit);
      if (this.#stopsRunning(node)) this.#drop(node, 'it would stop a running unit (job mode fail)');
      else if (installed !== undefined && conflicts(installed.type, node.type)) {
        this.#drop(node, `it contradicts ${jobWords(installed)} (job mode fail)`);
      }
    }
    return undefined;
  }

  #stopsRunning(node: Node): boolean {
    return node.type === 'stop' && isUpOrComing(this.#world.states.active(node.unit));
  }

  /** Only where all jobs of the unit are: one that does something may need the others' merging. */
  #dropRedundant(): void {
    for (const unit of this.#units) {
      const nodes = this.#byUnit.get(unit) ?? [];
      const state = this.#world.states.active(unit);
      const installed = this.#world.installed.of(unit);
      const needed = nodes.some(
        (node) =>
          node.anchor ||
          !isRedundant(node.type, state) ||
          (installed !== undefined && conflicts(installed.type, node.type)),
      );
      if (!needed) for (const node of [...nodes]) this.#remove(node);
    }
  }

  #dropUnwanted(): void {
    const wanted = reachable(this.#anchors(), false);
    for (const node of this.#nodes()) if (!wanted.has(node)) this.#remove(node);
    this.#mark();
  }

  /** A job that mattered only by way of one that has been dropped does not matter any more. */
  #mark(): void {
    const mattering = reachable(this.#anchors(), true);
    for (const node of this.#nodes()) node.matters = mattering.has(node);
  }

  /**
   * One contradiction brings others with it. Those in which only one of the two can give way come first: what is left of the
   * others may be no contradiction any more. Then the nearest to the request is settled, and then looked again.
   */
  #resolveContradictions(): Refusal | undefined {
    const distance = ([a, b]: Pair) => Math.max(a.serial, b.serial);
    const free = ([a, b]: Pair) => (a.matters || b.matters ? 0 : 1);
    // Each round removes at least one job.
    for (;;) {
      const pairs = this.#units.flatMap((unit) => contradictions(this.#byUnit.get(unit) ?? []));
      pairs.sort((one, other) => free(one) - free(other) || distance(one) - distance(other));
      const hard = pairs.find(([a, b]) => weaker(a, b) === undefined);
      if (hard !== undefined) return contradicting(...hard);
      const nearest = pairs[0];
      if (nearest === undefined) return undefined;
      const victim = weaker(...nearest) as Node;
      const other = victim === nearest[0] ? nearest[1] : nearest[0];
      this.#drop(victim, `it contradicts ${other.type} ${other.unit}, wanted by ${wanter(other)}`);
      this.#dropUnwanted();
    }
  }

  #mergeUnit(unit: string): void {
    const nodes = this.#byUnit.get(unit) ?? [];
    if (nodes.length === 0) return;
    const kept = nodes.find((node) => node.anchor) ?? (nodes[0] as Node);
    let type: MergedType = kept.type;
    for (const node of nodes) {
      if (node === kept) continue;
      type = merge(type, node.type) as MergedType;
      kept.anchor ||= node.anchor;
      kept.matters ||= node.matters;
      kept.ignoreOrder ||= node.ignoreOrder;
      for (const link of node.from) {
        link.to = kept;
        kept.from.add(link);
      }
      for (const link of node.to) {
        const moved: Link = { ...link, from: kept };
        link.to.from.delete(link);
        link.to.from.add(moved);
        kept.to.add(moved);
      }
    }
    const collapsed = collapse(type, this.#world.states.active(unit));
    if (nodes.length > 1) {
      const types = nodes.map((node) => node.type).sort();
      this.#notes.push(`${unit}: ${types.join(' and ')} merged into ${collapsed}`);
    }
    kept.type = collapsed;
    this.#byUnit.set(unit, [kept]);
  }

  #destroys(): Refusal | undefined {
    // The nearest to the request says most about it.
    for (const node of this.#nodes().sort((a, b) => a.serial - b.serial)) {
      const installed = this.#world.installed.of(node.unit);
      if (installed === undefined || !conflicts(installed.type, node.type)) continue;
      if (this.#mode !== 'fail' && !installed.irreversible) continue;
      return destructive(`${node.type} ${node.unit}, wanted by ${wanter(node)}`, node.unit, installed);
    }
    return undefined;
  }

  /** Leave a job out, and with it every job that needs it. */
  #drop(node: Node, why: string): void {
    const gone = [node];
    const seen = new Set(gone);
    for (let at = 0; at < gone.length; at += 1) {
      const next = gone[at] as Node;
      this.#notes.push(
        at === 0
          ? `${next.type} ${next.unit} left out: ${why}`
          : `${next.type} ${next.unit} left out: it needs ${node.type} ${node.unit}`,
      );
      for (const { from, matters } of next.from) {
        if (!matters || seen.has(from)) continue;
        seen.add(from);
        gone.push(from);
      }
    }
    for (const next of gone) this.#remove(next);
  }

  #remove(node: Node): void {
    for (const link of node.from) link.from.to.delete(link);
    for (const link of node.to) link.to.from.delete(link);
    const left = (this.#byUnit.get(node.unit) ?? []).filter((other) => other !== node);
    this.#byUnit.set(node.unit, left);
  }
}

/** What the given nodes pull in, themselves included; along links that matter only, or along all. */
function reachable(from: readonly Node[], mattering: boolean): Set<Node> {
  const seen = new Set(from);
  for (const node of seen) for (const link of node.to) if (link.matters || !mattering) seen.add(link.to);
  return seen;
}

type Pair = readonly [Node, Node];

/** The jobs of a unit that contradict each other, in pairs. */
function contradictions(nodes: readonly Node[]): readonly Pair[] {
  return nodes.flatMap((a, at) =>
    nodes.slice(at + 1).flatMap((b): readonly Pair[] => (conflicts(a.type, b.type) ? [[a, b]] : [])),
  );
}

/** Which of two contradicting jobs of a unit can be done without. */
function weaker(a: Node, b: Node): Node | undefined {
  if (a.matters && b.matters) return undefined;
  if (a.matters) return b;
  if (b.matters) return a;
  const stop = a.type === 'stop' ? a : b;
  return [...stop.from].some((link) => link.conflicts) ? (stop === a ? b : a) : stop;
}

function contradicting(a: Node, b: Node): Refusal {
  const text =
    `${a.type} ${a.unit}, wanted by ${wanter(a)}, and ${b.type} ${b.unit}, wanted by ${wanter(b)}, ` +
    'contradict each other';
  return refusal(
    'TransactionJobsConflicting',
    a.unit,
    text,
    'remove one of the two dependencies, or ask for them one after the other',
  );
}

function wanter(node: Node): string {
  if (node.anchor) return 'the request';
  for (const { reason } of node.from) {
    if ('edge' in reason) return `${reason.because} (${edgeWords(reason.edge)})`;
    if ('isolate' in reason) return `isolating ${reason.isolate}`;
  }
  return 'the request';
}
