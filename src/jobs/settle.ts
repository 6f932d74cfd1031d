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

import { alongWords, type Expansion, type Link, type Node, reasonOf } from './expand.ts';
import { destructive, refusal } from './refusals.ts';
import type { JobGraph, JobMode, PlanWorld, Refusal } from './types.ts';
import { collapse, conflicts, isRedundant, isUpOrComing, type MergedType, merge } from './verbs.ts';
import { jobWords } from './words.ts';

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
  readonly #anchors: readonly Node[];
  readonly #notes: string[];
  /** What is left, sorted by unit; jobs of one unit stand side by side, in the order of discovery. */
  #nodes: Node[];
  /** Some of `nodes` are gone. */
  #stale = false;
  /** Something has gone since it was looked at who is wanted. */
  #lost = false;
  /** No unit has more than one job, so there is nothing to contradict or to merge. */
  #single = true;
  #walks = 0;

  constructor(world: PlanWorld, mode: JobMode, expansion: Expansion) {
    this.#world = world;
    this.#mode = mode;
    this.#anchors = expansion.anchors;
    this.#notes = [...expansion.notes];
    this.#nodes = [];
    for (const unit of [...expansion.byUnit.keys()].sort()) {
      for (let node = expansion.byUnit.get(unit); node !== undefined; node = node.also) {
        this.#nodes.push(node);
        if (node.also !== undefined) this.#single = false;
      }
    }
  }

  run(): Settled | Refusal {
    const impossible = this.#dropImpossible();
    if (impossible !== undefined) return impossible;
    const unkind = this.#spareRunning();
    if (unkind !== undefined) return unkind;
    this.#dropRedundant();
    this.#dropUnwanted();
    if (!this.#single) {
      const contradiction = this.#resolveContradictions();
      if (contradiction !== undefined) return contradiction;
      for (const nodes of this.#several()) this.#merge(nodes);
      this.#dropRedundant();
      this.#dropUnwanted();
    }
    const destructive = this.#destroys();
    if (destructive !== undefined) return destructive;
    return { nodes: this.#left(), notes: this.#notes };
  }

  #left(): readonly Node[] {
    if (this.#stale) this.#nodes = this.#nodes.filter((node) => !node.gone);
    this.#stale = false;
    return this.#nodes;
  }

  /** The jobs of each unit that has several. */
  #several(): Node[][] {
    const nodes = this.#left();
    const found: Node[][] = [];
    for (let at = 1, begin = 0; at <= nodes.length; at += 1) {
      if (nodes[at]?.unit === (nodes[begin] as Node).unit) continue;
      if (at - begin > 1) found.push(nodes.slice(begin, at));
      begin = at;
    }
    return found;
  }

  #dropImpossible(): Refusal | undefined {
    const bad = this.#left().filter((node) => node.impossible !== undefined);
    for (let at = 0; at < bad.length; at += 1) {
      const node = bad[at] as Node;
      const cause = node.impossible as Refusal;
      for (let link = node.firstFrom; link !== undefined; link = link.nextFrom) {
        const { from } = link;
        if (!link.rule.matters || from.impossible !== undefined) continue;
        const along = alongWords(this.#world.graph, link);
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
      const stopped = this.#left().find((node) => !node.anchor && stopsRunning(node));
      if (stopped === undefined) return undefined;
      const why = `it would stop ${stopped.unit}, which is running`;
      return refusal('TransactionIsDestructive', stopped.unit, why, 'use --job-mode=replace to stop it');
    }
    if (this.#mode !== 'fail') return undefined;
    this.#mark();
    for (const node of this.#left()) {
      if (node.matters || node.gone) continue;
      const installed = this.#world.installed.of(node.unit);
      if (stopsRunning(node)) this.#drop(node, 'it would stop a running unit (job mode fail)');
      else if (installed !== undefined && conflicts(installed.type, node.type)) {
        this.#drop(node, `it contradicts ${jobWords(installed)} (job mode fail)`);
      }
    }
    return undefined;
  }

  /** Only where all jobs of the unit are: one that does something may need the others' merging. */
  #dropRedundant(): void {
    const { installed } = this.#world;
    const nodes = this.#left();
    for (let at = 0; at < nodes.length; ) {
      const { unit } = nodes[at] as Node;
      const job = installed.empty === true ? undefined : installed.of(unit);
      const begin = at;
      let needed = false;
      for (let node = nodes[at]; node !== undefined && node.unit === unit; node = nodes[at]) {
        needed ||=
          node.anchor || !isRedundant(node.type, node.active) || (job !== undefined && conflicts(job.type, node.type));
        at += 1;
      }
      if (!needed) for (let gone = begin; gone < at; gone += 1) this.#remove(nodes[gone] as Node);
    }
  }

  #dropUnwanted(): void {
    // As long as nothing has gone everything is there because somebody wants it.
    if (this.#lost) {
      const wanted = this.#walk(false);
      for (const node of this.#left()) if (node.walk !== wanted) this.#remove(node);
      this.#lost = false;
    }
    this.#mark();
  }

  /** A job that mattered only by way of one that has been dropped does not matter any more. */
  #mark(): void {
    const mattering = this.#walk(true);
    for (const node of this.#left()) node.matters = node.walk === mattering;
  }

  /** Go to what the anchors pull in, themselves included; along links that matter only, or along all. @returns the number of the walk */
  #walk(mattering: boolean): number {
    this.#walks += 1;
    const number = this.#walks;
    const reached = this.#anchors.filter((node) => !node.gone);
    for (const node of reached) node.walk = number;
    for (const node of reached) {
      for (let link = node.firstTo; link !== undefined; link = link.nextTo) {
        const { to } = link;
        if (to.walk === number || to.gone || (mattering && !link.rule.matters)) continue;
        to.walk = number;
        reached.push(to);
      }
    }
    return number;
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
      const pairs = this.#several().flatMap(contradictions);
      pairs.sort((one, other) => free(one) - free(other) || distance(one) - distance(other));
      const hard = pairs.find(([a, b]) => weaker(a, b) === undefined);
      if (hard !== undefined) return contradicting(this.#world.graph, ...hard);
      const nearest = pairs[0];
      if (nearest === undefined) return undefined;
      const victim = weaker(...nearest) as Node;
      const other = victim === nearest[0] ? nearest[1] : nearest[0];
      const why = `it contradicts ${other.type} ${other.unit}, wanted by ${wanter(this.#world.graph, other)}`;
      this.#drop(victim, why);
      this.#dropUnwanted();
    }
  }

  /** One job of several of one unit, which takes over all that the others were pulled in by and pulled in. */
  #merge(nodes: readonly Node[]): void {
    const kept = nodes.find((node) => node.anchor) ?? (nodes[0] as Node);
    const types = nodes.map((node) => node.type).sort();
    let type: MergedType = kept.type;
    for (const node of nodes) {
      if (node === kept) continue;
      type = merge(type, node.type) as MergedType;
      kept.anchor ||= node.anchor;
      kept.matters ||= node.matters;
      kept.ignoreOrder ||= node.ignoreOrder;
      takeOver(kept, node);
      this.#remove(node);
    }
    kept.type = collapse(type, kept.active);
    this.#notes.push(`${kept.unit}: ${types.join(' and ')} merged into ${kept.type}`);
  }

  #destroys(): Refusal | undefined {
    const { installed, graph } = this.#world;
    if (installed.empty === true) return undefined;
    // The nearest to the request says most about it.
    for (const node of this.#left().toSorted((a, b) => a.serial - b.serial)) {
      const job = installed.of(node.unit);
      if (job === undefined || !conflicts(job.type, node.type)) continue;
      if (this.#mode !== 'fail' && !job.irreversible) continue;
      return destructive(`${node.type} ${node.unit}, wanted by ${wanter(graph, node)}`, node.unit, job);
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
      for (let link = next.firstFrom; link !== undefined; link = link.nextFrom) {
        const { from } = link;
        if (!link.rule.matters || from.gone || seen.has(from)) continue;
        seen.add(from);
        gone.push(from);
      }
    }
    for (const next of gone) this.#remove(next);
  }

  #remove(node: Node): void {
    node.gone = true;
    this.#stale = true;
    this.#lost = true;
  }
}

const stopsRunning = (node: Node) => node.type === 'stop' && isUpOrComing(node.active);

/** All links of `node` become links of `kept`, behind its own. */
function takeOver(kept: Node, node: Node): void {
  for (let link = node.firstFrom; link !== undefined; link = link.nextFrom) link.to = kept;
  for (let link = node.firstTo; link !== undefined; link = link.nextTo) link.from = kept;
  if (kept.lastFrom === undefined) kept.firstFrom = node.firstFrom;
  else kept.lastFrom.nextFrom = node.firstFrom;
  kept.lastFrom = node.lastFrom ?? kept.lastFrom;
  if (kept.lastTo === undefined) kept.firstTo = node.firstTo;
  else kept.lastTo.nextTo = node.firstTo;
  kept.lastTo = node.lastTo ?? kept.lastTo;
  node.firstFrom = node.lastFrom = node.firstTo = node.lastTo = undefined;
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
  for (let link = stop.firstFrom; link !== undefined; link = link.nextFrom)
    if (link.rule.conflicts === true && !link.from.gone) return stop === a ? b : a;
  return stop;
}

function contradicting(graph: JobGraph, a: Node, b: Node): Refusal {
  const text =
    `${a.type} ${a.unit}, wanted by ${wanter(graph, a)}, and ${b.type} ${b.unit}, wanted by ${wanter(graph, b)}, ` +
    'contradict each other';
  return refusal(
    'TransactionJobsConflicting',
    a.unit,
    text,
    'remove one of the two dependencies, or ask for them one after the other',
  );
}

function wanter(graph: JobGraph, node: Node): string {
  if (node.anchor) return 'the request';
  let link: Link | undefined = node.firstFrom;
  while (link?.from.gone === true) link = link.nextFrom;
  if (link === undefined) return 'the request';
  const reason = reasonOf(graph, link);
  if ('edge' in reason) return `${reason.because}${alongWords(graph, link)}`;
  return 'isolate' in reason ? `isolating ${reason.isolate}` : 'the request';
}
