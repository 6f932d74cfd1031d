/**
 * io.sysmaster.Insight, answered: explanations, history, cycles, stalls and times, read off what runs.
 */
import type { CutView, CycleView, HistoryView, Insight, StallView, UnitTimes } from '../api/insight.ts';
import { type Manager, ManagerError } from '../api/manager.ts';
import type { Host } from '../host/ports.ts';
import { proposedCuts } from '../jobs/cycles.ts';
import type { Cut } from '../jobs/types.ts';
import { originWords } from '../jobs/words.ts';
import type { ManagerContext } from '../machines/manager.ts';
import type { Since, UnitSnapshot } from '../machines/view.ts';
import type { ActorHost } from '../supervisor/index.ts';
import { orderingCycles } from '../units/cycles.ts';
import { isUnitName, type Unit } from '../units/index.ts';
import { activeOf } from './active.ts';
import type { EventsState } from './events.ts';
import { type HistoryRecord, lastEnd, lastWords, NO_HISTORY, recordsOf } from './history.ts';
import type { JobsView } from './manager.ts';
import type { Registry } from './registry.ts';
import { createStalls } from './stalls.ts';
import type { BootTimes } from './telling.ts';
import { stampOf, userspaceMs } from './views.ts';
import { Why } from './why.ts';
import { askerWords } from './why-words.ts';

export interface InsightParts {
  readonly host: Host;
  readonly registry: Registry;
  readonly actors: () => ActorHost;
  readonly jobs: JobsView;
  readonly manager: () => Pick<Manager, 'unit'>;
  /** The processes in the control group of a unit, by its main name. */
  members(unit: string): readonly number[];
}

/** Cycles of one state of the graph; the list of units is another one whenever a unit came or went. */
interface Known {
  readonly units: readonly Unit[];
  readonly cycles: readonly CycleView[];
}

export function createInsight(parts: InsightParts): Insight {
  const { host, registry, jobs } = parts;
  const state = () => parts.actors().read<EventsState>('events')?.history ?? NO_HISTORY;
  const snapshotOf = (unit: string) => parts.actors().read<UnitSnapshot>(`unit:${unit}`);
  const context = () => parts.actors().read<{ context: ManagerContext }>('manager')?.context;
  const stalls = createStalls({ host, registry, actors: parts.actors, jobs, errands: () => context()?.errands ?? [] });
  let known: Known | undefined;

  const cutView = (cut: Cut, done: boolean): CutView => ({
    ...cut,
    from: cut.edge.from,
    to: cut.edge.to,
    where: originWords(cut.edge.origin),
    done,
  });

  const cycles = (): readonly CycleView[] => {
    const units = registry.units();
    if (known?.units === units) return known.cycles;
    const { graph } = registry;
    // Where there was none, only what is new can stand in one, with what it waits for.
    const within = known?.cycles.length === 0 ? waitedFor(known.units, units) : undefined;
    const found = orderingCycles(graph, within).map(({ members, rings, more }) => ({
      members,
      rings: rings.map((ring) => ring.map((edge) => ({ ...edge, where: originWords(edge.origin) }))),
      more,
      cuts: proposedCuts(registry.graph, members).map((cut) => cutView(cut, false)),
    }));
    known = { units, cycles: found };
    return found;
  };

  /** The units that were not there before, and all they come after. */
  const waitedFor = (before: readonly Unit[], now: readonly Unit[]): ReadonlySet<string> => {
    const old = new Set(before);
    const found = new Set(now.filter((unit) => !old.has(unit)).map(({ name }) => name));
    for (const name of found) for (const other of registry.graph.others(name, 'After')) found.add(other);
    return found;
  };

  const cuts = (name: string): readonly CutView[] => {
    const unit = registry.graph.canonical(name);
    const done = (lastWords(state(), unit).cuts ?? []).map((cut) => cutView(cut, true));
    const would = cycles()
      .filter(({ members }) => members.includes(unit))
      .flatMap((cycle) => cycle.cuts.filter(({ from, to }) => from === unit || to === unit))
      .filter(({ from, to }) => !done.some((cut) => cut.from === from && cut.to === to));
    return [...done, ...would];
  };

  const why = new Why({
    host,
    view: (unit) => parts.manager().unit(unit),
    snapshot: snapshotOf,
    job: (id) => jobs.get(id),
    jobOf: (unit) => jobs.of(unit)?.id,
    last: (unit) => lastWords(state(), unit),
    lastEnd(unit, sinceMs) {
      const record = lastEnd(state(), unit, sinceMs);
      return record === undefined ? undefined : { what: whatOf(record), atMs: record.atMs };
    },
    // Of a unit that is not in memory its own edges are known, from its files as they are.
    edges: (unit, kind) =>
      registry.unit(unit) === undefined
        ? registry.find(unit).edges.filter((edge) => edge.kind === kind)
        : registry.graph.edges(unit, kind),
    members: parts.members,
    known: (unit) => registry.unit(unit) !== undefined,
    active: (unit) => activeOf(parts.actors(), unit),
    deadlines: (job) => parts.actors().deadlines(`job:${job}`),
    cuts,
    askedBy: (pid) =>
      (context()?.errands ?? [])
        .filter(({ by, answer }) => answer === undefined && by.includes(`pid ${pid} `))
        .flatMap(({ wanted }) => wanted.flatMap(({ job, over }) => (job === null || over ? [] : [job]))),
    quarantine(unit) {
      const node = parts.actors().tree(`unit:${unit}`);
      if (node?.phase !== 'quarantined') return undefined;
      const { atMs = 0, event = '', why = '' } = node.last ?? {};
      return { atMs, why: event === '' ? why : `${event}: ${why}` };
    },
    refusal(unit) {
      registry.look([unit]);
      const planned = jobs.plan({ verb: 'start', units: [unit], mode: 'replace', by: 'sctl why' });
      return 'refused' in planned ? `${planned.refused}; ${planned.todo}` : '';
    },
  });

  const historyView = (record: HistoryRecord): HistoryView => ({
    number: record.n,
    at: stampOf(host, record.atMs),
    kind: record.kind,
    unit: record.unit,
    what: whatOf(record),
    cause: causeOf(record),
    job: record.kind === 'job' || record.kind === 'job-over' ? record.job : undefined,
  });

  const us = (ms: number | null | undefined) => (ms === null || ms === undefined ? undefined : Math.round(ms * 1000));

  const timesOfLoaded = (): UnitTimes[] =>
    // What is in memory for a question only has no part in it.
    registry.units().flatMap(({ name }) => {
      if (registry.lookedAt().has(name)) return [];
      const since = snapshotOf(name)?.context.since;
      const after = registry.graph.others(name, 'After');
      const { boot } = lastWords(state(), name);
      if (boot !== undefined && !cameUpInBoot(since)) return [bootOf(name, boot, after)];
      return {
        name,
        activatingUs: us(since?.inactiveExitMs),
        activatedUs: us(since?.activeEnterMs),
        deactivatingUs: us(since?.activeExitMs),
        deactivatedUs: us(since?.inactiveEnterMs),
        after,
      };
    });

  const cameUpInBoot = (since: Since | undefined) => {
    const { inactiveExitMs = null } = since ?? {};
    return inactiveExitMs !== null && inactiveExitMs <= (context()?.finishedMs ?? Number.POSITIVE_INFINITY);
  };

  /** What was unloaded since the boot, with the orderings of its files as they are. */
  const timesOfGone = (): UnitTimes[] =>
    state().gone.flatMap((name) => {
      const { boot } = lastWords(state(), name);
      if (boot === undefined || (registry.unit(name) !== undefined && !registry.lookedAt().has(name))) return [];
      const after = registry.find(name).edges.filter(({ kind, from }) => kind === 'After' && from === name);
      return [bootOf(name, boot, [...new Set(after.map(({ to }) => to))].sort())];
    });

  const bootOf = (name: string, boot: BootTimes, after: readonly string[]): UnitTimes => ({
    name,
    activatingUs: us(boot.activatingMs),
    activatedUs: us(boot.activatedMs),
    deactivatingUs: us(boot.deactivatingMs),
    deactivatedUs: us(boot.deactivatedMs),
    after,
  });

  return {
    why(name, not) {
      if (/^\d+$/.test(name)) {
        const job = jobs.get(Number(name));
        if (job !== undefined) return why.explain(job.unit, not, job.id);
        throw new ManagerError({
          error: 'NoSuchJob',
          unit: name,
          why: `job ${name} does not exist`,
          todo: 'sctl list-jobs lists what there is, sctl history what there was',
        });
      }
      if (!isUnitName(name)) {
        throw new ManagerError({
          error: 'BadRequest',
          unit: name,
          why: 'not a unit name',
          todo: 'see systemd.unit(5)',
        });
      }
      return why.explain(name, not);
    },
    history(fits, count) {
      const all = recordsOf(state());
      const found: HistoryRecord[] = [];
      // What concerns all units (reloads, core) is told in between; it neither counts nor begins the answer.
      let [own, through] = [0, 0];
      for (let at = all.length - 1; at >= 0 && own < count; at -= 1) {
        const record = all[at] as HistoryRecord;
        // Of requests and refusals those that name the unit; what came of others for it has them as its cause. A refusal is
        // of the unit at fault, which need not be the one that was asked for.
        const inWords = record.kind === 'refused' || (record.kind === 'request' && record.unit === '');
        const named = fits(record.unit) || (inWords && record.what.split(/[\s;,:()]+/).some(fits));
        const general = record.unit === '' && record.kind !== 'request' && record.kind !== 'refused';
        if (!named && !general) continue;
        found.push(record);
        if (!named) continue;
        own += 1;
        through = found.length;
      }
      return found.slice(0, through).reverse().map(historyView);
    },
    cycles,
    cuts,
    stall: (): StallView | undefined => stalls(),
    times() {
      const now = context();
      return {
        userspaceUs: us(userspaceMs(host) ?? now?.startedMs) ?? 0,
        unitsLoadedUs: us(now?.loadedMs),
        finishedUs: us(now?.finishedMs),
        nowUs: us(host.clock.nowMs()) ?? 0,
        role: host.hello.role,
        // Once it is unloaded (isolate), its file still says what it is called.
        target: registry.find('default.target').name,
        units: [...timesOfLoaded(), ...timesOfGone()],
      };
    },
  };
}

function whatOf(record: HistoryRecord): string {
  switch (record.kind) {
    case 'job':
      return `job ${record.job} (${record.type}) is new`;
    case 'job-over':
      return `job ${record.job} (${record.type}) is over: ${record.result}`;
    case 'unit': {
      const result = record.active === 'failed' || record.result !== 'success' ? `, ${record.result}` : '';
      const from = record.was === record.active ? '' : `${record.was} → `;
      return `${from}${record.active} (${record.sub})${result}`;
    }
    case 'chaos':
      return `chaos ${record.run}: ${record.what}`;
    case 'unloaded':
      return `unloaded: ${record.what}`;
    default:
      return record.what;
  }
}

function causeOf(record: HistoryRecord): string {
  switch (record.kind) {
    case 'job': {
      const { edge, because, by } = record;
      const why = edge === null ? because : `${edge.from} ${edge.kind} ${edge.to}, from ${originWords(edge.origin)}`;
      return `${why === '' ? '' : `${why}; `}asked for by ${askerWords(by)}`;
    }
    case 'job-over':
      return record.why;
    case 'unit':
      return record.cause;
    case 'request':
      return record.by;
    case 'chaos':
      return `chaos, asked for by ${askerWords(record.by)}`;
    default:
      return '';
  }
}
