/**
 * A Manager for tests: the world of fake-units.ts, with jobs that are over at once unless they are held.
 *
 * It keeps law 5's promise (a repeated requestId gets the first answer), so that clients can be tested against it.
 */
import { chartOf } from '../../../src/api/chart.ts';
import {
  type Caller,
  type Change,
  type ChangeAnswer,
  type ChangeResult,
  type JobView,
  type Manager,
  ManagerError,
  type ManagerView,
  type RequestOutcome,
  type UnitSummary,
  type UnitView,
} from '../../../src/api/manager.ts';
import type { PlanDocument } from '../../../src/jobs/types.ts';
import type { DependencyKind, Edge } from '../../../src/units/types.ts';
import { fakeInsight } from './fake-insight.ts';
import { fakeState, fakeUnit, fakeWorld, NOON } from './fake-units.ts';

const INVERSE: Readonly<Partial<Record<DependencyKind, DependencyKind>>> = {
  Requires: 'RequiredBy',
  Wants: 'WantedBy',
  After: 'Before',
  Triggers: 'TriggeredBy',
};

export interface FakeManager extends Manager {
  /** Every change that was carried out, in order; a repeated one is not carried out again. */
  readonly changes: { readonly caller: Caller; readonly requestId: string | undefined; readonly change: Change }[];
  /** Sessions that were forgotten. */
  readonly forgotten: number[];
  /** Changes are kept back until `release`. */
  hold: boolean;
  release(): void;
  /** Where answers go; set by the test. */
  answer: (caller: Caller, answer: ChangeAnswer) => void;
  views: Map<string, UnitView>;
  view: ManagerView;
}

const managerView: ManagerView = {
  version: '0.1.0',
  state: 'degraded',
  role: 'container',
  pid: 7,
  uid: 0,
  units: 7,
  jobs: 1,
  failed: 1,
  environment: ['PATH=/usr/bin', 'LANG=C.UTF-8'],
  tainted: [],
  defaultTarget: 'multi-user.target',
  logDirectory: '/run/sysmaster/log',
  unitPath: ['/etc/sysmaster/system', '/usr/lib/systemd/system'],
  controlGroup: '/',
  hostname: 'example',
  machineId: 'f'.repeat(32),
  bootId: 'e'.repeat(32),
  architecture: 'x86-64',
  virtualization: 'none',
  kernel: '6.18.0',
  epoch: 1,
  safeMode: false,
  cores: 0,
  deaths: [],
  checkpointFault: '',
  troubles: [],
  stamps: { userspace: NOON, core: NOON, unitsLoaded: NOON, finish: undefined },
};

const job: JobView = {
  id: 12,
  unit: 'idle.service',
  type: 'start',
  state: 'waiting',
  mode: 'replace',
  by: 'uid 0, pid 41',
  again: [],
  created: NOON,
  started: undefined,
  waits: [
    {
      why: 'start idle.service waits for job 11 (start basic.target)',
      job: 11,
      unit: 'basic.target',
      pid: undefined,
      sinceUs: 5,
      untilUs: 90_000_005,
    },
  ],
};

const chart = chartOf({
  id: 'service',
  key: 'service',
  type: 'compound',
  initial: 'dead',
  states: {
    dead: {
      id: 'service.dead',
      key: 'dead',
      type: 'atomic',
      order: 1,
      tags: ['inactive'],
      on: { start: [{ target: ['#service.running'], actions: ['spawnMain'] }] },
    },
    running: {
      id: 'service.running',
      key: 'running',
      type: 'atomic',
      order: 2,
      tags: ['active'],
      on: { exited: [{ target: ['#service.dead'], guard: 'clean' }] },
    },
  },
});

export function fakeManager(): FakeManager {
  const views = new Map(fakeWorld().map((view) => [view.unit.name, view]));
  const first = new Map<string, { readonly change: string; answer: ChangeAnswer | undefined }>();
  const held: (() => void)[] = [];
  let nextJob = 100;

  const find = (name: string): UnitView | undefined =>
    views.get(name) ?? [...views.values()].find((view) => view.unit.names.includes(name));
  const summary = ({ unit, state }: UnitView): UnitSummary => ({
    name: unit.name,
    load: unit.loadState,
    active: state.active,
    sub: state.sub,
    description: unit.unit.Description,
    job: state.job,
    following: state.following,
  });

  const outcome = (unit: string, verb: string, until: string): RequestOutcome => {
    const view = find(unit);
    if (view === undefined)
      return {
        unit,
        refusal: {
          refused: `Unit ${unit} not found.`,
          error: 'NoSuchUnit',
          unit,
          todo: 'sctl list-unit-files lists what there is',
        },
      };
    if (view.unit.loadState === 'masked')
      return {
        unit,
        refusal: {
          refused: `Unit ${unit} is masked.`,
          error: 'UnitMasked',
          unit,
          todo: `unmask it first: sctl unmask ${unit}`,
        },
      };
    const failed = unit === 'crash.service' && verb !== 'stop';
    if (!failed)
      views.set(view.unit.name, {
        ...view,
        state: verb === 'stop' ? fakeState('inactive', 'dead') : fakeState('active', 'running'),
      });
    return {
      unit: view.unit.name,
      job: nextJob++,
      result: until === 'enqueued' ? undefined : failed ? 'failed' : 'done',
      notes: [],
    };
  };

  const resultOf = (change: Change): ChangeResult => {
    switch (change.what) {
      case 'request':
        return {
          what: 'request',
          outcomes: change.requests.flatMap(({ units, verb }) =>
            units.map((unit) => outcome(unit, verb, change.until)),
          ),
        };
      case 'cancel':
        return { what: 'cancel', canceled: change.jobs === 'all' ? [12] : change.jobs.filter((id) => id === 12) };
      case 'kill':
        return { what: 'kill', signalled: 1 };
      case 'reset-failed':
        return { what: 'reset-failed', units: change.units === 'all' ? ['crash.service'] : change.units };
      case 'unit-files':
        return {
          what: 'unit-files',
          steps: change.names.map((name) => ({
            kind: change.verb === 'disable' || change.verb === 'unmask' ? 'unlink' : 'symlink',
            path: `/etc/sysmaster/system/multi-user.target.wants/${name}`,
            target: `/etc/sysmaster/system/${name}`,
          })),
          carriesInstallInfo: true,
          findings: [],
        };
      case 'daemon-reload':
        return { what: 'daemon-reload', changes: [], findings: 0 };
      case 'apply':
      case 'restore':
        return { what: 'request', outcomes: [{ unit: 'web.service', job: nextJob++, result: 'done', notes: [] }] };
      case 'keep-plan':
      case 'confirm':
        return { what: change.what, id: change.id };
      case 'chaos': {
        const { fault, units, seed = 7, dryRun } = change.wish;
        const choice = {
          id: dryRun ? 0 : 3,
          what: fault.kind,
          seed,
          units,
          spared: [],
          untilMs: 30_000,
          enabled: true,
        };
        return { what: 'chaos', choice };
      }
      case 'chaos-stop':
        return { what: 'chaos-stop', stopped: change.runs === 'all' ? [3] : change.runs };
      case 'snapshot':
        return { what: 'snapshot', name: change.name };
      default:
        return { what: change.what };
    }
  };

  const manager: FakeManager = {
    chaos: () => ({
      runs: [],
      settings: { enabled: true, maxUnits: 10, maxMs: 600_000, protect: [], path: '/etc/sysmaster/system.conf' },
    }),
    insight: fakeInsight(),
    changes: [],
    forgotten: [],
    hold: false,
    answer: () => {},
    views,
    view: managerView,
    release() {
      for (const go of held.splice(0)) go();
    },
    manager: () => manager.view,
    state: () => manager.view.state,
    units: () => [...views.values()].map(summary),
    unit(name) {
      return (
        find(name) ?? {
          unit: { ...fakeUnit(name, { loadState: 'not-found', fragmentPath: '', unitFileState: '' }) },
          state: fakeState('inactive', 'dead'),
          preset: '',
        }
      );
    },
    summary(name) {
      const view = find(name);
      return view === undefined ? undefined : summary(view);
    },
    group: (name) =>
      name === 'web.service'
        ? {
            path: '/system.slice/web.service',
            processes: [
              { pid: 4242, command: '/usr/sbin/web -D' },
              { pid: 4243, command: 'web: worker' },
            ],
            children: [
              { path: '/system.slice/web.service/sub', processes: [{ pid: 4300, command: '[helper]' }], children: [] },
            ],
          }
        : undefined,
    edges(name) {
      const all: Edge[] = [...views.values()].flatMap((view) => [...view.unit.edges]);
      const inverses = all.flatMap((edge) =>
        INVERSE[edge.kind] === undefined ? [] : [{ ...edge, from: edge.to, to: edge.from, kind: INVERSE[edge.kind]! }],
      );
      return [...all, ...inverses].filter((edge) => edge.from === name);
    },
    texts(name) {
      const view = find(name);
      if (view === undefined)
        throw new ManagerError({ error: 'NoSuchUnit', unit: name, why: `No files found for ${name}.`, todo: '' });
      return [
        {
          path: view.unit.fragmentPath,
          text: `[Unit]\nDescription=${view.unit.unit.Description}\n`,
          mode: name === 'idle.service' ? 0o100600 : 0o100644,
        },
        ...view.unit.dropInPaths.map((path) => ({ path, text: '[Service]\nRestart=always\n', mode: 0o100644 })),
      ];
    },
    unitFiles: () =>
      [...views.values()].map(({ unit, preset }) => ({
        name: unit.name,
        path: unit.fragmentPath,
        state: unit.unitFileState,
        preset,
      })),
    unitFile: (name) => manager.unitFiles().find((file) => file.name === name),
    jobs: () => [job],
    identity: () => ({ machineId: managerView.machineId, bootId: managerView.bootId }),
    confirmations: () => [],
    plans: () => [],
    look: () => {},
    snapshots: () => ['before-lunch'],
    snapshot(name) {
      throw new ManagerError({ error: 'NoSuchSnapshot', unit: '', why: `there is no snapshot ${name}`, todo: '' });
    },
    restoring: () => ({ plan: undefined, files: [], notes: [] }),
    plan: (request): PlanDocument => ({
      format: 'sysmaster-plan',
      version: 1,
      id: '0123456789ab',
      machineId: managerView.machineId,
      bootId: managerView.bootId,
      madeUs: 1,
      state: { hash: 'f'.repeat(64), units: { [request.units[0]!]: 'inactive loaded 0123456789ab' } },
      stops: [],
      stands: [],
      waits: [],
      estimate: { ms: 0, unknown: 1, jobs: {} },
      touches: [request.units[0]!],
      request,
      jobs: [
        {
          unit: request.units[0]!,
          type: 'start',
          reasons: [{ asked: 'start' }],
          optional: false,
          irreversible: false,
          ignoreOrder: false,
          after: [],
          wave: 0,
        },
      ],
      notes: [],
      cuts: [],
      replaces: [],
    }),
    findings: () => [
      {
        unit: 'lost.service',
        finding: {
          severity: 'error',
          at: undefined,
          what: 'lost.service',
          why: 'cannot be read',
          todo: 'see its mode',
        },
      },
    ],
    recording: () => ({ recording: 1, version: 'test', reasons: [], dropped: 0, starts: {}, steps: [] }),
    machine(actor) {
      if (find(actor) === undefined)
        throw new ManagerError({
          error: 'NoSuchActor',
          unit: actor,
          why: 'no such unit or actor',
          todo: 'sctl tree lists them',
        });
      return {
        actor,
        machine: 'service',
        version: 1,
        value: 'running',
        context: { pid: 4242 },
        chart,
        deadlines: [{ name: 'WatchdogSec', atUs: undefined }],
      };
    },
    supervisors: () => ({
      id: 'core',
      kind: 'supervisor',
      restart: 'permanent',
      shutdown: 'infinity',
      shutdownMs: undefined,
      strategy: 'one_for_one',
      intensity: 5,
      periodMs: 10_000,
      state: 'running',
      restarts: 1,
      failures: 1,
      last: { actor: 'units', at: { realUs: 1e15, monotonicUs: 2e6 }, event: 'load', why: 'a bug' },
      held: 0,
      children: [
        {
          id: 'link',
          kind: 'worker',
          restart: 'permanent',
          shutdown: 'limited',
          shutdownMs: 5000,
          strategy: undefined,
          intensity: undefined,
          periodMs: undefined,
          state: 'running',
          restarts: 0,
          failures: 0,
          last: undefined,
          held: 0,
          children: [],
        },
        {
          id: 'units',
          kind: 'worker',
          restart: 'permanent',
          shutdown: 'brutal',
          shutdownMs: undefined,
          strategy: undefined,
          intensity: undefined,
          periodMs: undefined,
          state: 'running',
          restarts: 0,
          failures: 0,
          last: undefined,
          held: 0,
          children: [],
        },
      ],
    }),
    change(caller, requestId, change) {
      const known = requestId === undefined ? undefined : first.get(requestId);
      const text = JSON.stringify(change, (key, value) => (key === 'by' ? undefined : value));
      if (known !== undefined && known.change !== text) {
        manager.answer(caller, {
          error: {
            error: 'RequestReused',
            unit: '',
            why: `request ${requestId} was another change`,
            todo: 'use a new id',
          },
        });
        return;
      }
      const go = (): void => {
        const record = requestId === undefined ? undefined : first.get(requestId);
        const answer = record?.answer ?? { result: resultOf(change) };
        if (record !== undefined) record.answer = answer;
        manager.answer(caller, answer);
      };
      if (known === undefined) manager.changes.push({ caller, requestId, change });
      if (requestId !== undefined && known === undefined) first.set(requestId, { change: text, answer: undefined });
      if (manager.hold) held.push(go);
      else go();
    },
    forget(session) {
      manager.forgotten.push(session);
    },
  };
  return manager;
}
