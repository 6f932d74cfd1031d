/**
 * Core as its clients see it: the `Manager` of src/api, read off actors, units, groups and host.
 *
 * Reads answer at once and change nothing. A change becomes an input of the actor `manager`, keyed by the client's request id,
 * and is answered when its errand is done (src/machines/manager.ts).
 */
import type { ChaosSettings } from '../api/chaos.ts';
import { chartOf, type StateNodeLike } from '../api/chart.ts';
import {
  type Caller,
  type Change,
  type JobView,
  type MachineView,
  type Manager,
  ManagerError,
  type ManagerView,
  type SupervisorView,
  type SystemState,
  type UnitFile,
  type UnitState,
  type UnitSummary,
  type UnitView,
} from '../api/manager.ts';
import type { BlackBox, Host } from '../host/ports.ts';
import type { Confirmation, KeptPlan, keepable } from '../jobs/apply.ts';
import type { JobsWorld } from '../jobs/protocol.ts';
import type { JobRequest, JobType, PlanDocument, Refusal } from '../jobs/types.ts';
import { partsOf } from '../jobs/verbs.ts';
import type { ManagerContext } from '../machines/manager.ts';
import { type UnitSnapshot, view } from '../machines/view.ts';
import type { ActorHost, Recording, TreeView } from '../supervisor/index.ts';
import { isUnitName, type Unit, unitFileState } from '../units/index.ts';
import { presetDirectories, presetOf, readPresets } from '../units/preset.ts';
import { signalName } from '../units/syntax/signal.ts';
import type { MemberSupervision } from '../units/types.ts';
import { activeOf } from './active.ts';
import { chaosRuns } from './chaos.ts';
import type { Checks } from './checks.ts';
import type { EventsState } from './events.ts';
import type { FailedUnits } from './failed.ts';
import type { Registry } from './registry.ts';
import { callerWords, requestTold } from './requests.ts';
import { foreseen } from './restoring.ts';
import type { Snapshots } from './snapshots.ts';
import { groupOf } from './unit-effects.ts';
import { groupView, stampOf, stampOrNone, unitState, userspaceMs } from './views.ts';

/** What the manager needs of the job table. */
export interface JobsView {
  list(): readonly JobView[];
  get(id: number): JobView | undefined;
  count(): number;
  of(unit: string): { readonly id: number; readonly type: JobType } | undefined;
  supervision(unit: string, settings: MemberSupervision): NonNullable<UnitState['supervision']>;
  /** @param ending as the end of the system, to which irreversible jobs give way */
  plan(request: JobRequest, ending?: boolean): PlanDocument | Refusal;
  /** Why there would be no plan; undefined: there would be one. Less work than {@link plan}. */
  refusal(request: JobRequest, ending: boolean): Refusal | undefined;
  /** What is to be kept of the plan that the request leads to, if it is the one of this id. */
  keepable(request: JobRequest, id: string): ReturnType<typeof keepable>;
  /** Starts and stops of many units, of which some may not be possible any more. @param then units as they will be by then */
  back(
    request: JobRequest,
    then?: Pick<JobsWorld, 'graph' | 'settings'>,
  ): { readonly plan: PlanDocument | Refusal | undefined; readonly notes: readonly string[] };
  confirmations(): readonly Confirmation[];
  plans(): readonly KeptPlan[];
}

export interface ManagerParts {
  readonly host: Host;
  readonly registry: Registry;
  readonly actors: () => ActorHost;
  readonly jobs: JobsView;
  readonly checks: Checks;
  readonly insight: Manager['insight'];
  /** Made from what this manager tells of units and unit files, hence later than it. */
  readonly snapshots: () => Snapshots;
  readonly failed: FailedUnits;
  /** The charts of the kinds that have one. */
  readonly machines: Readonly<Record<string, { readonly root: unknown }>>;
  readonly version: string;
  readonly logDirectory: string;
  recording(): Recording;
  readonly chaos: () => ChaosSettings;
}

/** A request without an id of the client's gets one of its own, which nobody can repeat. */
const requestKey = (caller: Caller, requestId: string | undefined, life: string) =>
  requestId === undefined ? `request:${life}/${caller.session}/${caller.ticket}` : `request:${caller.uid}/${requestId}`;

export function createManager(parts: ManagerParts): Manager {
  const { host, registry, jobs } = parts;
  const snapshotOf = (name: string) => parts.actors().read<UnitSnapshot>(`unit:${name}`);
  const own = () => parts.actors().read<{ context: ManagerContext; value: unknown }>('manager');

  const summaryOf = (unit: Unit): UnitSummary => {
    const snapshot = parts.actors().readBegun<UnitSnapshot>(`unit:${unit.name}`);
    const seen = snapshot === undefined ? undefined : view(snapshot);
    return {
      name: unit.name,
      load: unit.loadState,
      active: seen?.active ?? 'inactive',
      sub: seen?.sub ?? 'dead',
      description: unit.unit.Description || unit.name,
      job: jobs.of(unit.name),
      following: undefined,
    };
  };

  /** In memory, or read for this one question. */
  const find = (name: string): Unit => {
    if (!isUnitName(name))
      throw new ManagerError({ error: 'BadRequest', unit: name, why: 'not a unit name', todo: 'see systemd.unit(5)' });
    return registry.find(name);
  };

  const presetRules = () => readPresets(host.files, presetDirectories(host.facts.runDirectory)).rules;
  /** What preset files say of a unit. */
  const preset = (name: string, rules = presetRules()): string =>
    presetOf(name, rules).enable ? 'enabled' : 'disabled';

  const unitFile = (name: string, rules = presetRules()): UnitFile | undefined => {
    const catalog = registry.loader.catalog();
    const entry = catalog.entries.get(name);
    if (entry === undefined) return undefined;
    const install = entry.kind === 'masked' ? undefined : registry.loader.load(name).install;
    return {
      name,
      path: entry.path,
      state: unitFileState(catalog, registry.loader.paths, name, install) || 'bad',
      preset: preset(name, rules),
    };
  };

  const systemState = (): SystemState => {
    const state = own();
    if (state === undefined || state.value === 'listing' || state.value === 'generating') return 'initializing';
    if (state.value === 'stopping' || state.value === 'ending') return 'stopping';
    if (state.context.finishedMs === null) return 'starting';
    if (parts.failed.any()) return 'degraded';
    return ['rescue.target', 'emergency.target'].some((name) => activeOf(parts.actors(), name) === 'active')
      ? 'maintenance'
      : 'running';
  };

  const supervisorView = (tree: TreeView): SupervisorView => ({
    id: tree.id,
    kind: tree.kind === undefined ? 'supervisor' : 'worker',
    restart: tree.restart ?? 'permanent',
    shutdown: typeof tree.shutdown === 'number' ? 'limited' : (tree.shutdown ?? 'infinity'),
    shutdownMs: typeof tree.shutdown === 'number' ? tree.shutdown : undefined,
    strategy: tree.strategy,
    intensity: tree.intensity,
    periodMs: tree.periodMs,
    state: tree.phase,
    restarts: tree.restarts ?? 0,
    failures: tree.failures,
    last:
      tree.last === undefined
        ? undefined
        : { actor: tree.last.actor, at: stampOf(host, tree.last.atMs), event: tree.last.event, why: tree.last.why },
    held: tree.held ?? 0,
    children: tree.children.map(supervisorView),
  });

  /** The root of all: init and its one child, core. Init keeps its intensity to itself, and remembers the last deaths only. */
  const initView = (): SupervisorView => {
    const { cores, deaths } = host.hello;
    const [last] = deaths;
    const core = parts.actors().tree();
    return {
      id: 'init',
      kind: 'supervisor',
      restart: 'permanent',
      shutdown: 'infinity',
      shutdownMs: undefined,
      strategy: 'one_for_one',
      intensity: undefined,
      periodMs: undefined,
      state: host.hello.stopping === null ? 'running' : 'stopping',
      restarts: cores,
      failures: deaths.length,
      last:
        last === undefined
          ? undefined
          : { actor: 'core', at: stampOf(host, last.atUs / 1000), event: last.actor, why: endedWords(last) },
      held: 0,
      children: core === undefined ? [] : [supervisorView(core)],
    };
  };

  return {
    state: systemState,
    manager(): ManagerView {
      const state = own()?.context;
      const summaries = registry.units().map(summaryOf);
      const { facts, hello } = host;
      return {
        version: parts.version,
        state: systemState(),
        role: hello.role,
        pid: hello.pid,
        uid: facts.privileged ? 0 : 1000,
        units: summaries.length,
        jobs: jobs.count(),
        failed: summaries.filter(({ active }) => active === 'failed').length,
        environment: state?.environment ?? [],
        tainted: [
          ...(host.groups.available ? [] : ['no-cgroups']),
          ...(chaosRuns(parts.actors()).length === 0 ? [] : ['chaos']),
        ],
        defaultTarget: registry.graph.canonical('default.target'),
        logDirectory: parts.logDirectory,
        unitPath: registry.loader.paths.search,
        controlGroup: host.groups.available ? '/' : '',
        hostname: facts.hostname,
        machineId: facts.machineId,
        bootId: facts.bootId,
        architecture: facts.architecture,
        virtualization: facts.virtualization,
        kernel: facts.kernelRelease,
        epoch: parts.actors().epoch,
        safeMode: hello.safeMode,
        cores: hello.cores,
        deaths: hello.deaths.map((death) => ({
          atUs: death.atUs,
          how: endedWords(death),
          at: death.actor,
        })),
        checkpointFault: parts.actors().checkpointVoid
          ? 'the checkpoint cannot be written; state is in memory only, and a crash means adoption'
          : (host.state.trouble ?? ''),
        troubles: (parts.actors().read<EventsState>('events')?.troubles ?? []).map(({ atMs, what }) => ({
          at: stampOf(host, atMs),
          what,
        })),
        stamps: {
          userspace: stampOrNone(host, userspaceMs(host)),
          core: state === undefined ? undefined : stampOf(host, state.startedMs),
          unitsLoaded: state?.loadedMs === null || state === undefined ? undefined : stampOf(host, state.loadedMs),
          finish: state?.finishedMs === null || state === undefined ? undefined : stampOf(host, state.finishedMs),
        },
      };
    },
    units() {
      const lookedAt = registry.lookedAt();
      const all = registry.units();
      return (lookedAt.size === 0 ? all : all.filter(({ name }) => !lookedAt.has(name))).map(summaryOf);
    },
    unit(name): UnitView {
      const unit = find(name);
      const supervised =
        unit.unit.Supervisor === undefined ? undefined : jobs.supervision(unit.name, unit.unit.Supervisor);
      return {
        unit,
        state: unitState(
          host,
          unit,
          snapshotOf(unit.name),
          jobs.of(unit.name),
          parts.checks.last(unit.name),
          supervised,
        ),
        preset: preset(name),
      };
    },
    summary(name) {
      const unit = registry.unit(name);
      return unit === undefined ? undefined : summaryOf(unit);
    },
    group(name) {
      const unit = registry.unit(name);
      if (unit === undefined || !host.groups.available) return undefined;
      const path = groupOf(unit, snapshotOf(unit.name));
      return unit.type === 'target' || (path === '' && unit.name !== '-.slice') ? undefined : groupView(host, path);
    },
    // A unit that is not in memory is spoken of without being kept there; who else names it is not known then.
    edges: (name) =>
      registry.unit(name) === undefined && isUnitName(name) ? registry.find(name).edges : registry.graph.allEdges(name),
    texts(name) {
      const unit = find(name);
      const paths = [unit.fragmentPath, ...unit.dropInPaths].filter((path) => path !== '');
      if (paths.length === 0) {
        throw new ManagerError({
          error: 'NoSuchUnit',
          unit: name,
          why: 'there is no file for it',
          todo: 'see sctl list-unit-files',
        });
      }
      return paths.map((path) => ({
        path,
        text: host.files.readText(path) ?? '',
        mode: host.files.stat(path)?.mode ?? 0,
      }));
    },
    unitFiles() {
      const rules = presetRules();
      return [...registry.loader.catalog().entries.keys()].sort().flatMap((name) => unitFile(name, rules) ?? []);
    },
    unitFile(name) {
      if (!isUnitName(name))
        throw new ManagerError({
          error: 'BadRequest',
          unit: name,
          why: 'not a unit name',
          todo: 'see systemd.unit(5)',
        });
      const known = unitFile(name);
      if (known !== undefined) return known;
      const unit = registry.loader.load(name); // an instance has its template's file
      return unit.fragmentPath === ''
        ? undefined
        : { name, path: unit.fragmentPath, state: unit.unitFileState, preset: preset(unit.name) };
    },
    jobs: () => jobs.list(),
    plan(request, ending) {
      registry.look(partsOf(request).flatMap(({ units }) => units));
      return jobs.plan(request, ending);
    },
    identity: () => ({ machineId: host.facts.machineId, bootId: host.facts.bootId }),
    confirmations: () => jobs.confirmations(),
    plans: () => jobs.plans(),
    look: (units) => registry.look(units),
    snapshots: () => parts.snapshots().names(),
    snapshot: (name) => (name === 'now' ? parts.snapshots().now('now', '') : parts.snapshots().read(name)),
    restoring(name, by) {
      const { request, files, notes } = parts.snapshots().restoring(name, by);
      const then = files.length === 0 ? undefined : foreseen(parts, files, request);
      const back = jobs.back(request, then?.world);
      return { plan: back.plan, files: then?.files ?? files, notes: [...notes, ...(then?.notes ?? []), ...back.notes] };
    },
    insight: parts.insight,
    chaos: () => ({ runs: chaosRuns(parts.actors()), settings: parts.chaos() }),
    recording: () => parts.recording() as unknown as Readonly<Record<string, unknown>>,
    findings: () => registry.loader.catalog().findings.map((finding) => ({ unit: finding.at?.file ?? '', finding })),
    machine(name): MachineView {
      const actor = parts.actors().read(name) === undefined ? `unit:${registry.graph.canonical(name)}` : name;
      const snapshot = parts.actors().read<{ value: MachineView['value']; context: MachineView['context'] }>(actor);
      const kind = parts.actors().tree(actor)?.kind;
      const machine = kind === undefined ? undefined : parts.machines[kind];
      if (snapshot === undefined || machine === undefined) {
        throw new ManagerError({
          error: 'NoSuchActor',
          unit: name,
          why: 'there is no statechart of this name',
          todo: 'see sctl tree',
        });
      }
      return {
        actor,
        machine: kind!,
        version: 1,
        value: snapshot.value,
        context: snapshot.context,
        chart: chartOf(machine.root as StateNodeLike),
        deadlines: Object.entries(parts.actors().deadlines(actor)).map(([deadline, at]) => ({
          name: deadline,
          atUs: at === 'infinity' ? undefined : Math.round(at * 1000),
        })),
      };
    },
    supervisors(id) {
      if (id === undefined || id === 'init') return initView();
      const tree = parts.actors().tree(id);
      if (tree === undefined)
        throw new ManagerError({
          error: 'NoSuchActor',
          unit: id ?? '',
          why: 'there is no actor and no supervisor of this name',
          todo: 'see sctl tree',
        });
      return supervisorView(tree);
    },
    change(caller: Caller, requestId: string | undefined, change: Change) {
      // Sessions are counted anew by every core, and committed keys outlive it.
      const life = `${parts.actors().epoch}.${host.hello.cores}`;
      const key = requestKey(caller, requestId, life);
      const asker = { session: caller.session, ticket: caller.ticket, core: host.hello.cores };
      const by = callerWords(host, caller);
      // A repeated id is no repeated input: it must reach the machine, which knows the first answer.
      const repeats = requestId !== undefined && parts.actors().seen(key);
      parts.actors().input({
        key: repeats ? `${key}/again/${life}/${caller.session}/${caller.ticket}` : key,
        keep: true,
        events: [
          { to: 'manager', event: { type: 'change', key, asker, by, change } },
          ...(repeats ? [] : [{ to: 'events', event: { type: 'tell', what: { request: requestTold(change, by) } } }]),
        ],
      });
    },
    forget() {
      // Changes go on; their answers are dropped by the sessions.
    },
  };
}

/** How a core ended, in words. */
function endedWords({ hung, ended }: BlackBox): string {
  if (hung) return 'a hang';
  if (ended === null) return 'an end that nobody saw';
  if ('exited' in ended) return `exit status ${ended.exited}`;
  return 'killed' in ended ? signalName(ended.killed) : `${signalName(ended.dumped)}, with a core dump`;
}
