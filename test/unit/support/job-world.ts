/**
 * A tiny world for the job engine: units with edges, and units that obey. Nothing here decides anything about jobs.
 *
 * Units are declared in lines like those of a unit file; unit machines are replaced by {@link Fake}, which knows five states.
 */
import { createJobsLogic, type JobsState } from '../../../src/jobs/logic.ts';
import type { RequestAnswer } from '../../../src/jobs/protocol.ts';
import { jobOf, listJobs } from '../../../src/jobs/table.ts';
import type {
  ActiveState,
  InstalledJob,
  JobGraph,
  JobRequest,
  JobResult,
  JobSettings,
  UnitFacts,
  UnitStates,
} from '../../../src/jobs/types.ts';
import { isDown } from '../../../src/jobs/verbs.ts';
import { type JobContext, jobDown, jobMachine } from '../../../src/machines/job.ts';
import { machineLogic } from '../../../src/supervisor/logic.ts';
import { INVERSES } from '../../../src/units/graph.ts';
import type { DependencyKind, Edge, UnitType } from '../../../src/units/types.ts';

const SETTINGS: JobSettings = {
  AllowIsolate: false,
  IgnoreOnIsolate: false,
  StopWhenUnneeded: false,
  CollectMode: 'inactive',
  RefuseManualStart: false,
  RefuseManualStop: false,
  OnFailureJobMode: 'replace',
  OnSuccessJobMode: 'fail',
  JobTimeoutSec: 'infinity',
  JobRunningTimeoutSec: 'infinity',
  JobTimeoutAction: 'none',
  JobTimeoutRebootArgument: '',
};

/** Dependencies by kind, as lists in one string; settings; and what `facts` may say otherwise. */
export type Declared = Partial<Record<DependencyKind, string>> &
  Partial<JobSettings> &
  Partial<Pick<UnitFacts, 'loadState' | 'canReload' | 'canStart' | 'canStop' | 'perpetual' | 'unsupported'>> & {
    /** Edges of these kinds come from a rule, not from a line. */
    readonly implied?: Partial<Record<DependencyKind, string>>;
  };

/** A graph of declared units; units only named by others are loaded and plain, unless declared `not-found`. */
export function graphOf(
  declared: Readonly<Record<string, Declared>>,
  shuffle: <T>(list: T[]) => T[] = (list) => list,
): JobGraph {
  const edges = new Map<string, Edge[]>();
  const facts = new Map<string, UnitFacts>();
  const note = (edge: Edge) => {
    const key = `${edge.kind} ${edge.from}`;
    edges.set(key, [...(edges.get(key) ?? []), edge]);
  };
  const add = (from: string, kind: DependencyKind, names: string | undefined, rule: boolean, line: number) => {
    for (const to of (names ?? '').split(' ').filter((name) => name !== '')) {
      const origin = rule ? { rule: 'default dependency' } : { file: `/etc/${from}`, line };
      note({ from, kind, to, origin });
      note({ from: to, kind: INVERSES[kind], to: from, origin });
      if (!facts.has(to)) facts.set(to, factsOf(to, {}));
    }
  };
  for (const [name, unit] of shuffle(Object.entries(declared))) {
    facts.set(name, factsOf(name, unit));
    for (const kind of shuffle(Object.keys(INVERSES) as DependencyKind[])) {
      add(name, kind, unit[kind], false, 1);
      add(name, kind, unit.implied?.[kind], true, 0);
    }
  }
  for (const list of edges.values()) list.sort((a, b) => (a.to < b.to ? -1 : a.to > b.to ? 1 : 0));
  return {
    units: () => [...facts.keys()].sort(),
    facts: (unit) => facts.get(unit),
    edges: (unit, kind) => edges.get(`${kind} ${unit}`) ?? [],
    others: (unit, kind) => [...new Set((edges.get(`${kind} ${unit}`) ?? []).map(({ to }) => to))],
  };
}

function factsOf(name: string, unit: Declared): UnitFacts {
  const settings = Object.fromEntries(Object.entries(unit).filter(([key]) => key in SETTINGS || key === 'Supervisor'));
  return {
    name,
    type: name.slice(name.lastIndexOf('.') + 1) as UnitType,
    loadState: unit.loadState ?? 'loaded',
    unit: { ...SETTINGS, ...settings },
    canStart: unit.canStart ?? true,
    canStop: unit.canStop ?? true,
    canReload: unit.canReload ?? false,
    perpetual: unit.perpetual ?? false,
    ...(unit.unsupported === true ? { unsupported: true } : {}),
  };
}

export const statesOf = (active: Readonly<Record<string, ActiveState>>): UnitStates => ({
  active: (unit) => active[unit] ?? 'inactive',
});

export const request = (verb: JobRequest['verb'], units: string, mode: JobRequest['mode'] = 'replace'): JobRequest => ({
  verb,
  units: units.split(' '),
  mode,
  by: 'a test',
});

/** A unit takes so many starts in all; time does not pass here by itself. */
const START_LIMIT = 40;

/** How a unit answers a start. `slow`: stays activating until {@link Fake.settle}. `oneshot`: runs and is inactive again. */
export type Manner = 'ok' | 'slow' | 'fails' | 'oneshot' | 'condition' | 'assert' | 'deaf';

/** The states a start leads through. */
const STARTING: Readonly<Record<Manner, readonly ActiveState[]>> = {
  ok: ['activating', 'active'],
  slow: ['activating'],
  fails: ['activating', 'failed'],
  oneshot: ['activating', 'inactive'],
  condition: [],
  assert: [],
  deaf: [],
};

interface Post {
  readonly to: string;
  readonly event: { readonly type: string; readonly [field: string]: unknown };
}

/** The world in motion: the logic, the machines of its jobs, and units that do as their manner says. */
export class Fake {
  readonly states: Record<string, ActiveState> = {};
  readonly answers: RequestAnswer[] = [];
  /** What happened, in order: `start a.service`, `done start a.service`. */
  readonly log: string[] = [];
  readonly effects: { readonly type: string; readonly params: unknown }[] = [];
  nowMs = 0;
  state: JobsState;
  readonly #logic;
  readonly #jobs = machineLogic(jobMachine);
  readonly #actors = new Map<string, ReturnType<ReturnType<typeof machineLogic>['initial']>['snapshot']>();
  readonly #queue: Post[] = [];
  readonly #manners: Readonly<Record<string, Manner>>;
  readonly #deadlines = new Map<string, number>();
  readonly #starts = new Map<string, number>();

  constructor(
    graph: JobGraph,
    manners: Readonly<Record<string, Manner>> = {},
    active: Readonly<Record<string, ActiveState>> = {},
  ) {
    Object.assign(this.states, active);
    this.#manners = manners;
    this.#logic = createJobsLogic({ graph: () => graph, states: statesOf(this.states) });
    this.state = this.#logic.initial().snapshot;
  }

  /** Ask, and let everything happen that can. */
  ask(wanted: JobRequest): RequestAnswer {
    this.post('jobs', { type: 'request', request: wanted, client: 'c' });
    this.run();
    return this.answers.at(-1) as RequestAnswer;
  }

  post(to: string, event: { type: string; [field: string]: unknown }): void {
    this.#queue.push({ to, event: { atMs: this.nowMs, ...event } });
  }

  /** The unit changes by itself, or ends what a slow start or stop began. */
  change(unit: string, after: ActiveState, more: Record<string, unknown> = {}): void {
    const before = this.states[unit] ?? 'inactive';
    this.states[unit] = after;
    this.post('jobs', { type: 'unit-changed', unit, before, after, ...more });
    this.run();
  }

  /** Fire every deadline that is due by then, in order. */
  advanceTo(ms: number): void {
    const due = [...this.#deadlines].filter(([, at]) => at <= ms).sort((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1));
    for (const [key, at] of due) {
      this.nowMs = at;
      this.#deadlines.delete(key);
      const [actor, name] = key.split('|') as [string, string];
      this.post(actor, { type: 'deadline', name });
      this.run();
    }
    this.nowMs = ms;
  }

  run(): void {
    for (let left = 20_000; this.#queue.length > 0; left -= 1) {
      if (left === 0) throw new Error('the world does not come to rest');
      const { to, event } = this.#queue.shift() as Post;
      if (to === 'jobs') this.#stepJobs(event);
      else if (to.startsWith('job:')) this.#stepJob(to, event);
      else this.#tellUnit(to.slice('unit:'.length), event);
    }
  }

  /** Let every unit that is on its way arrive, until none is. */
  settle(arrivals: Readonly<Record<string, 'active' | 'failed'>> = {}): void {
    for (let left = 1000; ; left -= 1) {
      if (left === 0) throw new Error('units are on their way for ever');
      const moving = Object.entries(this.states).filter(
        ([, state]) => state === 'activating' || state === 'deactivating',
      );
      if (moving.length === 0) return;
      for (const [unit, state] of moving.sort()) {
        if (this.states[unit] === state)
          this.change(unit, state === 'deactivating' ? 'inactive' : (arrivals[unit] ?? 'active'));
      }
    }
  }

  job(unit: string): InstalledJob | undefined {
    return jobOf(this.state.table, unit);
  }

  jobs(): readonly string[] {
    return listJobs(this.state.table).map((job) => `${job.type} ${job.unit}`);
  }

  actors(): readonly string[] {
    return [...this.#actors.keys()];
  }

  result(type: string, unit: string): JobResult | undefined {
    const line = this.log.findLast((entry) => entry.endsWith(` ${type} ${unit}`) && entry.split(' ').length === 3);
    return line?.split(' ')[0] as JobResult | undefined;
  }

  #stepJobs(event: { type: string }): void {
    const before = this.state;
    const { snapshot, effects } = this.#logic.step(before, event);
    this.#checkSaved(before, snapshot);
    this.state = snapshot;
    for (const effect of effects) this.#carryOut('jobs', effect);
  }

  /** What is saved is what is there, and a diff tells all of the difference. */
  #checkSaved(before: JobsState, after: JobsState): void {
    const saved = JSON.parse(JSON.stringify(this.#logic.save(after)));
    const patched = this.#logic.patch(
      this.#logic.save(before),
      JSON.parse(JSON.stringify(this.#logic.diff(before, after))),
    );
    const sorted = (value: unknown) => JSON.stringify(this.#logic.save(this.#logic.load(value, 1)));
    if (sorted(saved) !== sorted(patched)) throw new Error('the diff does not tell the difference');
    if (sorted(saved) !== JSON.stringify(saved)) throw new Error('what was loaded is not what was saved');
  }

  #stepJob(id: string, event: { type: string }): void {
    const snapshot = this.#actors.get(id);
    if (snapshot === undefined) throw new Error(`${event.type} for ${id}, which is over`);
    const next = this.#jobs.step(snapshot, event);
    this.#actors.set(id, next.snapshot);
    this.#jobEffects(id, next);
  }

  #jobEffects(id: string, step: ReturnType<ReturnType<typeof machineLogic>['step']>): void {
    for (const effect of step.effects) this.#carryOut(id, effect as { type: string; params: Record<string, unknown> });
    const output = this.#jobs.output?.(step.snapshot);
    if (output === undefined) return;
    this.#actors.delete(id);
    for (const post of jobDown('jobs')(id, step.snapshot, 'ended', output)) this.post(post.to, post.event);
  }

  // biome-ignore lint/suspicious/noExplicitAny: effects of two kinds of actors; each case knows its own.
  #carryOut(actor: string, { type, params }: { type: string; params?: any }): void {
    switch (type) {
      case 'post':
        this.post(params.to, params.event);
        break;
      case 'startChild': {
        const first = this.#jobs.initial(params.spec.input);
        this.#actors.set(params.spec.id, first.snapshot);
        this.#jobEffects(params.spec.id, first);
        break;
      }
      case 'armDeadline':
        if (params.ms !== 'infinity') this.#deadlines.set(`${actor}|${params.name}`, this.nowMs + params.ms);
        break;
      case 'disarmDeadline':
        this.#deadlines.delete(`${actor}|${params.name}`);
        break;
      case 'undo':
        this.effects.push({ type, params });
        this.post('jobs', { type: 'undo', id: params.confirmation.id });
        return;
      case 'askUnit':
        this.log.push(`${params.verb} ${params.unit}`);
        this.post(`unit:${params.unit}`, { type: params.verb });
        break;
      case 'answer':
        this.answers.push(params.answer);
        break;
      case 'jobRemoved':
        this.log.push(`${params.result} ${params.job.type} ${params.job.unit}`);
        this.effects.push({ type, params });
        break;
      default:
        this.effects.push({ type, params });
    }
  }

  #tellUnit(unit: string, event: { type: string }): void {
    const now = this.states[unit] ?? 'inactive';
    const manner = this.#manners[unit] ?? 'ok';
    const down = now === 'inactive' || now === 'failed';
    if (manner === 'deaf') return;
    if (event.type === 'start') {
      const refusal = this.#refusal(unit, manner);
      if (refusal !== undefined) this.post('jobs', { type: 'unit-refused', unit, verb: 'start', ...refusal });
      else if (down) for (const state of STARTING[manner]) this.#move(unit, state);
    }
    if (event.type === 'stop' && !down) {
      this.#move(unit, 'deactivating');
      if (manner !== 'slow') this.#move(unit, 'inactive');
    }
    if (event.type === 'reset-failed' && now === 'failed') this.#move(unit, 'inactive');
    if (event.type === 'reload' && now === 'active') {
      this.#move(unit, 'reloading');
      this.#move(unit, 'active');
    }
  }

  #refusal(unit: string, manner: Manner): { result: JobResult; why: string } | undefined {
    if (!isDown(this.states[unit] ?? 'inactive')) return undefined;
    const starts = (this.#starts.get(unit) ?? 0) + 1;
    this.#starts.set(unit, starts);
    if (starts > START_LIMIT) return { result: 'failed', why: 'start limit hit' };
    if (manner === 'condition') return { result: 'done', why: 'condition not met' };
    return manner === 'assert' ? { result: 'assert', why: 'assertion not met' } : undefined;
  }

  #move(unit: string, after: ActiveState): void {
    const before = this.states[unit] ?? 'inactive';
    if (before === after) return;
    this.states[unit] = after;
    const result = after === 'failed' ? { result: 'exit-code' } : {};
    this.post('jobs', { type: 'unit-changed', unit, before, after, ...result });
  }
}

export type { JobContext };
