/**
 * Why a unit is as it is: what it waits for, who wanted it, what failed, what would happen next.
 *
 * Made when somebody asks, from what is there: snapshots of machines, the table of jobs, the graph, the history's last words, and
 * /proc. Decides nothing and keeps nothing. Each part answers one question; {@link explain} puts them together.
 */
import type { Cause, Explanation } from '../api/insight.ts';
import type { JobView, UnitView } from '../api/manager.ts';
import { edgeWords, originWords, ringWords } from '../jobs/words.ts';
import type { ServiceContext } from '../machines/service-context.ts';
import type { Edge } from '../units/types.ts';
import { blockedOn, blockedWords } from './blocked.ts';
import { endWords } from './causes.ts';
import { type LastWords, type Order, unloadedWords } from './history.ts';
import { awaited } from './underway.ts';
import { whyChaos, whyCondition, whyFailed, whyGivenUp, whyNotLoaded, whyQuarantined } from './why-faults.ts';
import { afterFailure, nextOfService } from './why-next.ts';
import { askerWords, cause, endedOf, type More, NOT_LOADED, otherEnds, pidsOf } from './why-words.ts';
import { stampIn, type WhyWorld } from './why-world.ts';

/** Reasons of reasons that are told, and reasons of one thing. */
const DEPTH = 12;
const WIDTH = 20;
/** Edges that are told of either end of the way to the one who asked. */
const WAY_END = 12;

/** One edge on that way. */
interface Link {
  readonly order: Order;
  readonly edge: Edge;
  readonly other: string;
}

export class Why {
  readonly #world: WhyWorld;

  constructor(world: WhyWorld) {
    this.#world = world;
  }

  explain(unit: string, not: boolean, asked?: number): Explanation {
    const view = this.#world.view(unit);
    const { state } = view;
    const job = asked ?? this.#world.jobOf(view.unit.name);
    const up = state.active === 'active' || state.active === 'reloading';
    const because = [
      ...whyQuarantined(this.#world, view.unit),
      ...whyChaos(this.#world, view.unit.name),
      ...(job === undefined ? [] : [this.job(job, new Set())]),
      ...(up ? this.#whyUp(view) : this.#whyDown(view, job !== undefined, new Set([view.unit.name]))),
      ...this.#whyCut(view.unit.name),
    ];
    return {
      unit: view.unit.name,
      job,
      active: state.active,
      sub: state.sub,
      // Of a unit that was let go of, as it was then.
      result: this.#world.last(view.unit.name).unloaded?.result ?? state.result,
      since: state.stateChange,
      state: this.#headline(view),
      because: because.slice(0, WIDTH),
      next: this.#next(view, job, not),
    };
  }

  #headline({ unit, state }: UnitView): string {
    const { active, sub, result } = state;
    if (unit.loadState !== 'loaded' && unit.loadState !== 'stub')
      return `${unit.name} is ${unit.loadState}, and ${active}`;
    return `${unit.name} is ${active} (${active === 'failed' ? result : sub})`;
  }

  // ------------------------------------------------------------------------------------------------------------- jobs

  /** A job with what it waits for, down to processes. */
  job(id: number, seen: Set<string>): Cause {
    const job = this.#world.job(id);
    if (job === undefined) return cause('job', `job ${id} is over`, { job: id });
    const { unit, type, state } = job;
    const what = `job ${id} (${type} ${unit}) ${state === 'running' ? 'runs' : 'waits'}`;
    const own: More = { job: id, unit, since: job.started ?? job.created };
    if (seen.has(`job ${id}`)) return cause('job', `${what}, as above`, own);
    seen.add(`job ${id}`);
    const last = this.#world.last(unit);
    const order = [last.up, last.down].find((one) => one?.job === id);
    const below = [
      order === undefined ? cause('request', `asked for by ${askerWords(job.by)}`) : this.#order(order, unit, seen),
      ...job.again.map((words) => cause('request', `wanted by ${words}, too`)),
      ...(seen.size > DEPTH * WIDTH ? [] : this.#waitsOf(job, seen)),
      ...this.#jobDeadlines(id),
    ];
    return cause('job', what, { ...own, below: below.slice(0, WIDTH) });
  }

  #waitsOf(job: JobView, seen: Set<string>): Cause[] {
    const found: Cause[] = [];
    for (const wait of job.waits) {
      if (wait.job !== undefined && wait.unit !== undefined) {
        const edge = this.#world.edges(job.unit, 'After').find(({ to }) => to === wait.unit);
        const where = edge === undefined ? undefined : originWords(edge.origin);
        const below = seen.size > DEPTH * WIDTH ? [] : [this.job(wait.job, seen)];
        found.push(cause('edge', wait.why, { unit: wait.unit, job: wait.job, where, since: job.created, below }));
      } else found.push(...this.#waitsOfUnit(job.unit, wait.why, seen));
    }
    return found;
  }

  /** What the unit itself is waiting for: its processes, an event, the kernel. */
  #waitsOfUnit(unit: string, otherwise: string, seen: Set<string>): Cause[] {
    const snapshot = this.#world.snapshot(unit);
    const since = this.#stamp(snapshot?.context.since?.stateChangeMs ?? null);
    const things = awaited(unit, snapshot, () => this.#world.members(unit));
    if (things.length === 0) return [cause('unit', otherwise, { unit, since })];
    return things.map(({ kind, what, pid }) =>
      pid === undefined
        ? cause(kind, `${unit} waits for ${what}`, { unit, since })
        : this.process(pid, unit, `${unit} waits for ${what}`, seen),
    );
  }

  /** A process, and what it is blocked on; `role`: what it is to the unit. */
  process(pid: number, unit: string, role: string, seen: Set<string>): Cause {
    const { host } = this.#world;
    const blocked = blockedOn(host, pid);
    const words = blocked === undefined ? `process ${pid} is gone` : blockedWords(blocked);
    const status = (this.#world.snapshot(unit)?.context as Partial<ServiceContext> | undefined)?.mainStatus;
    const since = status?.pid === pid ? this.#stamp(status.startMs) : undefined;
    const kind = / (tcp|udp|unix) /.test(words) ? 'socket' : 'process';
    const below = pidsOf(blocked)
      .flatMap((one) => this.#world.askedBy(one))
      .map((id) =>
        cause('request', `it has asked for job ${id} and waits for it`, { job: id, below: [this.job(id, seen)] }),
      );
    for (const other of otherEnds(blocked)) {
      const job = other.unit === unit ? undefined : this.#world.jobOf(other.unit);
      if (job === undefined) continue;
      const what = `process ${other.pid}, at the other end of its socket, is of ${other.unit}`;
      below.push(cause('unit', what, { unit: other.unit, pid: other.pid, below: [this.job(job, seen)] }));
    }
    return cause(kind, `${role}: ${words}`, { unit, pid, since, below });
  }

  #jobDeadlines(id: number): Cause[] {
    const nowMs = this.#world.host.clock.nowMs();
    return Object.entries(this.#world.deadlines(id)).flatMap(([name, due]) =>
      due === 'infinity'
        ? []
        : [
            cause(
              'timer',
              `the job fails with timeout in ${Math.max(0, Math.round((due - nowMs) / 1000))} s (${name}=)`,
              { job: id },
            ),
          ],
    );
  }

  // ---------------------------------------------------------------------------------------------------------- requests

  /** Who wanted it, back to the one who asked. Of a long way there the middle is left out. */
  #order(order: Order, unit: string, seen: Set<string>): Cause {
    const { links, first } = this.#wayTo(order, unit, seen);
    const since = this.#stamp(first.order.atMs);
    const { because, by, job, edge } = first.order;
    const asked = `${because === '' || edge !== null ? '' : `${because}; `}asked for by ${askerWords(by)}`;
    let told = cause('request', asked, edge === null ? { unit: first.unit, job, since } : { since });
    const left = links.length - 2 * WAY_END;
    for (let at = links.length - 1; at >= 0; at -= 1) {
      if (left > 0 && at === links.length - WAY_END - 1) {
        told = cause('edge', `… which is wanted along ${left} more such lines`, { below: [told] });
        at -= left;
      }
      const { order: link, edge: along, other } = links[at] as Link;
      const where = originWords(along.origin);
      const own = { unit: other, job: link.job, where, since: this.#stamp(link.atMs), below: [told] };
      told = cause('edge', edgeWords(along), own);
    }
    return told;
  }

  /** The edges along which it was wanted, from the unit on, and what is at their end. */
  #wayTo(order: Order, unit: string, seen: Set<string>) {
    const links: Link[] = [];
    let now = { order, unit };
    while (now.order.edge !== null) {
      const { edge, by, atMs } = now.order;
      const other = edge.from === now.unit ? edge.to : edge.from;
      links.push({ order: now.order, edge, other });
      const last = this.#world.last(other);
      const above = [last.up, last.down].find((one) => one !== undefined && one.by === by && one.atMs === atMs);
      if (above === undefined || seen.has(`order ${other}`)) break;
      seen.add(`order ${other}`);
      now = { order: above, unit: other };
    }
    return { links, first: now };
  }

  #stamp(ms: number | null) {
    return stampIn(this.#world, ms);
  }

  // ---------------------------------------------------------------------------------------------------------------- up

  #whyUp({ unit, state }: UnitView): Cause[] {
    const { name } = unit;
    const { up } = this.#world.last(name);
    const found: Cause[] = [];
    if (up !== undefined) {
      found.push(
        cause('job', `it was started by job ${up.job}`, {
          job: up.job,
          since: this.#stamp(up.atMs),
          below: [this.#order(up, name, new Set())],
        }),
      );
    } else if (['-.slice', 'system.slice', 'init.scope', '-.mount'].includes(name)) {
      found.push(cause('unit', 'it is there for as long as the system is'));
    } else {
      found.push(
        cause(
          'unit',
          'no job started it while this history goes back: it was found running, or core has lost its history',
        ),
      );
    }
    const { service } = state;
    if (service !== undefined && service.mainPid > 0)
      found.push(this.process(service.mainPid, name, `the main process of ${name}`, new Set()));
    if (service !== undefined && service.nRestarts > 0)
      found.push(cause('limit', `it has been restarted ${service.nRestarts} times by Restart=`, { unit: name }));
    if (service !== undefined && service.mainPid === 0 && state.sub === 'exited')
      found.push(cause('result', 'its processes are over; RemainAfterExit=yes keeps it active'));
    const needed = this.#neededBy(name).filter((edge) => this.#world.active(edge.to) === 'active');
    for (const edge of needed.slice(0, 5)) {
      found.push(
        cause('edge', `${edge.to}, which is active, needs it: ${edgeWords(edge)}`, {
          unit: edge.to,
          where: originWords(edge.origin),
        }),
      );
    }
    return found;
  }

  #neededBy(name: string): Edge[] {
    return (['RequiredBy', 'BoundBy', 'WantedBy', 'UpheldBy', 'RequisiteOf'] as const).flatMap((kind) =>
      this.#world.edges(name, kind),
    );
  }

  // -------------------------------------------------------------------------------------------------------------- down

  #whyDown(view: UnitView, hasJob: boolean, seen: Set<string>): Cause[] {
    const { unit, state } = view;
    const last = this.#world.last(unit.name);
    const found = [...whyNotLoaded(view), ...whyCondition(view)];
    if (state.active === 'failed') found.push(...whyFailed(this.#world, view));
    if (!hasJob) found.push(...whyGivenUp(this.#world, unit.name));
    if (last.bad !== undefined && !hasJob) found.push(this.#whyJobFailed(unit.name, last.bad, seen));
    if (hasJob && state.active !== 'failed') return found;
    if (state.active === 'activating' || state.active === 'deactivating') {
      const order = state.active === 'activating' ? last.up : last.down;
      if (order !== undefined) found.push(this.#order(order, unit.name, new Set()));
      return [...found, ...this.#waitsOfUnit(unit.name, `${unit.name} is ${state.active}`, new Set())];
    }
    const { up, down } = last;
    if (up !== undefined && state.inactiveEnter !== undefined && state.active === 'inactive') {
      if (down !== undefined && down.atMs >= up.atMs) {
        const below = [this.#order(down, unit.name, new Set())];
        found.push(
          cause('job', `it was stopped by job ${down.job}`, { job: down.job, since: this.#stamp(down.atMs), below }),
        );
      } else if (state.activeExit !== undefined || state.service?.main?.exit !== undefined) {
        const exit = state.service?.main;
        const how = exit?.exit === undefined ? '' : `: process ${exit.pid} ended with ${endWords(endedOf(exit.exit))}`;
        found.push(cause('result', `it ended by itself${how}`, { unit: unit.name, since: state.inactiveEnter }));
      }
    }
    if (last.unloaded !== undefined) found.push(...this.#whyUnloaded(unit.name, last, last.unloaded));
    else if (up === undefined && found.length === 0) found.push(...this.#whyNeverStarted(view));
    return found;
  }

  /** Its state went with it; what is known of its last life is who began and who ended it. */
  #whyUnloaded(unit: string, { up, down }: LastWords, gone: NonNullable<LastWords['unloaded']>): Cause[] {
    const stopped = down !== undefined && (up === undefined || down.atMs >= up.atMs);
    const order = stopped ? down : up;
    const verb = stopped ? 'it was stopped by' : 'it was last asked to start by';
    const since = order === undefined ? undefined : this.#stamp(order.atMs);
    const told =
      order === undefined
        ? []
        : [
            cause('job', `${verb} job ${order.job}`, {
              job: order.job,
              since,
              below: [this.#order(order, unit, new Set())],
            }),
          ];
    const what = `it is not in memory: ${unloadedWords(gone.mode, gone.result)}`;
    const end = gone.result === 'success' ? undefined : this.#world.lastEnd(unit, order?.atMs ?? 0);
    if (end !== undefined) told.unshift(cause('process', end.what, { unit, since: this.#stamp(end.atMs) }));
    return [...told, cause('unit', what, { unit, since: this.#stamp(gone.atMs) })];
  }

  #whyJobFailed(unit: string, bad: NonNullable<LastWords['bad']>, seen: Set<string>): Cause {
    const own: More = { unit, job: bad.job, since: this.#stamp(bad.atMs) };
    const what = `job ${bad.job} (${bad.type} ${unit}) ended with ${bad.result}: ${bad.why}`;
    if (bad.result !== 'dependency') return cause('job', what, own);
    const kinds = ['Requires', 'BindsTo', 'Requisite'] as const;
    const below = kinds
      .flatMap((kind) => this.#world.edges(unit, kind))
      .filter(({ to }) => this.#world.active(to) !== 'active' && !seen.has(to) && bad.why.includes(to))
      .map((edge) => {
        seen.add(edge.to);
        const reasons =
          seen.size > DEPTH
            ? []
            : this.#whyDown(this.#world.view(edge.to), this.#world.jobOf(edge.to) !== undefined, seen);
        return cause('edge', `${edgeWords(edge)}; ${edge.to} is ${this.#world.active(edge.to)}`, {
          unit: edge.to,
          where: originWords(edge.origin),
          below: reasons,
        });
      });
    return cause('job', what, { ...own, below });
  }

  #whyNeverStarted({ unit }: UnitView): Cause[] {
    const { name } = unit;
    if (unit.loadState !== 'loaded') return [];
    const wanters = this.#neededBy(name);
    const triggers = this.#world.edges(name, 'TriggeredBy');
    const found: Cause[] = [];
    for (const edge of wanters.slice(0, WIDTH / 2)) {
      const active = this.#world.active(edge.to);
      const since =
        active === 'active'
          ? ' and was so before this edge was there, or its job was cancelled'
          : ', and has not been started either';
      found.push(
        cause('edge', `${edgeWords(edge)}; ${edge.to} is ${active}${since}`, {
          unit: edge.to,
          where: originWords(edge.origin),
        }),
      );
    }
    for (const edge of triggers)
      found.push(
        cause('unit', `${edge.to} starts it when there is a reason; it is ${this.#world.active(edge.to)}`, {
          unit: edge.to,
          where: originWords(edge.origin),
        }),
      );
    if (wanters.length === 0 && triggers.length === 0)
      found.push(
        cause('unit', 'nobody wants it: no unit in memory pulls it in, and nobody has asked for it', { unit: name }),
      );
    if (unit.unitFileState === 'disabled')
      found.push(
        cause('file', `it is disabled: its [Install] section asks for it, but no link does`, {
          unit: name,
          where: unit.fragmentPath,
        }),
      );
    if (unit.unitFileState === 'static' && wanters.length === 0)
      found.push(
        cause('file', 'it has no [Install] section, so it cannot be enabled', { unit: name, where: unit.fragmentPath }),
      );
    return found;
  }

  #whyCut(unit: string): Cause[] {
    return this.#world.cuts(unit).map(({ edge, why, done, ...cut }) =>
      cause(
        'cut',
        `${edgeWords(edge)}: ${done ? 'is not honoured' : 'would not be honoured'}, ${why} (${ringWords(cut)})`,
        {
          unit: edge.from === unit ? edge.to : edge.from,
          where: originWords(edge.origin),
        },
      ),
    );
  }

  // -------------------------------------------------------------------------------------------------------------- next

  #next({ unit, state }: UnitView, job: number | undefined, not: boolean): readonly string[] {
    const nowMs = this.#world.host.clock.nowMs();
    const snapshot = this.#world.snapshot(unit.name);
    if (this.#world.quarantine(unit.name) !== undefined) return [`nothing, until sctl reset-failed ${unit.name}`];
    const found: string[] = [];
    let limited = false;
    if (unit.service !== undefined && snapshot !== undefined) {
      const context = snapshot.context as ServiceContext;
      found.push(...nextOfService(context, state.sub, nowMs));
      if (state.active === 'failed' && job === undefined) {
        const window = context.startLimit;
        const { StartLimitIntervalSec: interval } = context.settings;
        if (context.startLimitHit && window !== null && typeof interval === 'number') {
          const leftMs = window.beganMs + interval - nowMs;
          limited = leftMs > 0;
          found.push(
            leftMs > 0
              ? `starts are refused for ${Math.ceil(leftMs / 1000)} s more, or until sctl reset-failed ${unit.name}`
              : 'the time of its start limit is over: it may be started again',
          );
        } else if (state.result !== 'start-limit-hit')
          found.push(
            `nothing starts it again by itself: ${afterFailure(context, state.result as ServiceContext['result'], nowMs)}`,
          );
      }
    }
    for (const { group } of job === undefined ? (this.#world.last(unit.name).gaveUp ?? []) : [])
      if (this.#world.active(group) !== 'active') found.push(`sctl start ${group} starts the group that gave up`);
    const waiting = job === undefined ? undefined : this.#world.job(job);
    if (waiting?.state === 'waiting') {
      const others = waiting.waits.flatMap(({ job: id }) => (id === undefined ? [] : [`job ${id}`]));
      if (others.length > 0)
        found.push(
          `when ${others.join(', ')} ${others.length === 1 ? 'is' : 'are'} over, it is asked to ${waiting.type}`,
        );
    }
    const down = state.active === 'inactive' || state.active === 'failed';
    if (job === undefined && down && unit.loadState !== 'loaded') {
      found.push(
        NOT_LOADED[unit.loadState]?.(unit.name, unit.fragmentPath) ??
          `it cannot be started while it is ${unit.loadState}`,
      );
    } else if (job === undefined && down) {
      const refusal = this.#world.refusal(unit.name);
      if (refusal !== '') found.push(`a start would be refused: ${refusal}`);
      else if (!limited && (not || found.length === 0)) {
        const unmet = [state.condition, state.assertion].find((check) => check?.result === false);
        const when = unmet === undefined ? '' : `, if ${unmet.failed} holds then`;
        found.push(`sctl start ${unit.name} starts it${when}; sctl plan start ${unit.name} shows what that means`);
      }
    }
    return found;
  }
}
