/**
 * Core, put together: actors, units, jobs and sessions over one host.
 *
 * The tree (DESIGN section 1), with the kinds that stand behind its leaves:
 *
 *   core  one_for_one
 *    ├─ events        tells subscribers what was committed
 *    ├─ units         has the actors of loaded units made
 *    ├─ unit-actors   one_for_one, one statechart a unit
 *    ├─ job-actors    one_for_one, one statechart a job
 *    ├─ jobs          the job engine
 *    ├─ upgrade       has another version of core look at the checkpoint before this one leaves
 *    ├─ chaos         faults that were asked for, and that they are taken back
 *    └─ manager       boot, errands of clients, the end
 */
import type { AnyStateMachine } from 'xstate';
import { activeOf } from './actors/active.ts';
import { type ChaosTools, chaosHooks, chaosKind, recallOf } from './actors/chaos.ts';
import { CHAOS } from './actors/chaos-logic.ts';
import { Checks } from './actors/checks.ts';
import { createCollecting } from './actors/collecting.ts';
import { eventsKind } from './actors/events.ts';
import { FailedUnits } from './actors/failed.ts';
import { Heirs } from './actors/heirs.ts';
import { emptied, inputOf, notSpawned } from './actors/inputs.ts';
import { createInsight } from './actors/insight.ts';
import { JOBS, jobKind, jobsKind, jobsView } from './actors/jobs.ts';
import { LOG_KEEPER, logDirectory, writeLogKeeper } from './actors/log-keeper.ts';
import { LostSpawns } from './actors/lost-spawns.ts';
import { createManager } from './actors/manager.ts';
import { type ManagerTools, managerKind } from './actors/manager-effects.ts';
import { migrations } from './actors/migrations.ts';
import { monitoredOf } from './actors/monitored.ts';
import { logPipe } from './actors/names.ts';
import { createNotes } from './actors/notes.ts';
import { createObserver } from './actors/observer.ts';
import { PidFiles } from './actors/pid-files.ts';
import { promises } from './actors/promises.ts';
import { createRecordings } from './actors/recording.ts';
import { adoptions, comingUp, inMemory, startableNow, stateTrouble, unitsBefore, upBefore } from './actors/recovery.ts';
import { createRegistry } from './actors/registry.ts';
import { hearAgain, Relisting } from './actors/relist.ts';
import { dropSnapshot, undo } from './actors/restoring.ts';
import { settingsIn } from './actors/settings-hash.ts';
import { UNITS, unitsKind } from './actors/small.ts';
import { createSnapshots } from './actors/snapshots.ts';
import { type Asked, Spawns } from './actors/spawns.ts';
import { teller } from './actors/telling.ts';
import { createTroubles } from './actors/troubles.ts';
import { groupOf, logMessage, type UnitTools } from './actors/unit-effects.ts';
import { triggerPosts, unitKinds } from './actors/unit-kinds.ts';
import { triggerOf } from './actors/unit-paths.ts';
import { cameUp, UPGRADE, upgradeKind } from './actors/upgrade.ts';
import { filesChanged, unitReadAt, unitsRead, unitsReadLater } from './actors/views.ts';
import type { ChaosSettings } from './api/chaos.ts';
import type { Manager } from './api/manager.ts';
import { createSessions } from './api/sessions.ts';
import { type Host, HostError, type HostEvent } from './host/ports.ts';
import type { Confirmation } from './jobs/apply.ts';
import type { JobsWorld } from './jobs/protocol.ts';
import { unitMachines } from './machines/index.ts';
import { jobMachine } from './machines/job.ts';
import { type ManagerContext, managerMachine } from './machines/manager.ts';
import { type MachinePlugin, pluginKind } from './machines/plugin.ts';
import type { ServiceContext } from './machines/service-context.ts';
import { activeState, never, type UnitSnapshot, type View, view } from './machines/view.ts';
import {
  type ActorEvent,
  ActorHost,
  type ActorHostOptions,
  type ActorKinds,
  type ChildSpec,
  type EffectCall,
  RECORDER_BOUNDS,
  type RecorderBounds,
  type SupervisorSpec,
} from './supervisor/index.ts';
import { LoadedUnits, systemPaths } from './units/index.ts';

export interface CoreOptions {
  readonly version: string;
  /** Names the program to the letter; with it, units are kept for a next core of the same name. */
  readonly build?: string;
  /** Directory of our own programs: logd. */
  readonly libDirectory: string;
  /** NAME=value, for every service (DefaultEnvironment=). */
  readonly environment?: readonly string[];
  readonly defaultTarget?: string;
  /** False: no log keeper is started. */
  readonly logs?: boolean;
  /** Write a recording into the run directory when something fails. */
  readonly recordings?: boolean;
  /** Charts that units may follow instead of the built-in one. */
  readonly plugins?: readonly MachinePlugin[];
  /** It is the version before, come back since the one after it never was in charge. */
  readonly returned?: boolean;
  /** How much the flight recorder keeps now; absent: its own bounds. */
  readonly recorder?: () => RecorderBounds;
  /** What chaos is allowed now; absent: none. */
  readonly chaos?: () => ChaosSettings;
  /** For tests: how the actor host beats, and how much it does in one turn. */
  readonly actors?: Pick<ActorHostOptions, 'beatEveryMs' | 'turnEvents' | 'compactBytes' | 'foldOperations'>;
}

/** When the log keeper is offered all pipes by a core that came back: it has nearly all of them, and others wait for core then. */
const OFFER_LOGS_AFTER_MS = 300;

/** Turns for which looking at what is at rest may be put off by those that have more to do. */
const RELIST_WAITS = 64;

const NO_CHAOS: ChaosSettings = { enabled: false, maxUnits: 0, maxMs: 0, protect: [], path: 'system.conf' };

const permanent = (id: string, input: ChildSpec['input'] = null): ChildSpec => ({
  id,
  kind: id,
  input,
  restart: 'permanent',
  shutdown: 'brutal',
});

/** Any number of restarts of units may add up without harm; more than a few a minute of one of ours is a fault. */
const group = (id: string): SupervisorSpec => ({
  id,
  strategy: 'one_for_one',
  intensity: 10,
  periodMs: 60_000,
  children: [],
});

const tree = (input: ChildSpec['input']): SupervisorSpec => ({
  id: 'core',
  strategy: 'one_for_one',
  intensity: 5,
  periodMs: 60_000,
  children: [
    permanent('events'),
    permanent('units'),
    group(UNITS),
    group(JOBS),
    permanent('jobs'),
    permanent(UPGRADE),
    permanent(CHAOS),
    permanent('manager', input),
  ],
});

/** Everything that runs. Nothing happens before `start`. */
export interface Core {
  readonly actors: ActorHost;
  start(): void;
}

export function createCore(host: Host, options: CoreOptions): Core {
  const { environment, runDirectory } = host.facts;
  const paths = unitPaths(environment, runDirectory);
  const { build, version } = options;
  const troubles = createTroubles(host, (post) => actors.input({ events: [post] }));
  /** For those who keep files of core's own: what they warn of is for whoever asks for the status, too. */
  const keeper = { ...host, log: troubles.log };
  for (const why of host.found ?? []) troubles.log.log('warning', { why }, "a place of core's own");
  const refused = (why: string) =>
    troubles.log.log('warning', { why }, 'what an earlier core has kept of units is not used');
  const cached = { path: `${runDirectory}/units.cache`, version: `${version} ${build}`, refused };
  const cacheFile = build === undefined ? {} : { cacheFile: cached };
  const plugins = options.plugins ?? [];
  const facts = { ...host.facts, machines: plugins.map(({ name }) => name) };
  const loaded = new LoadedUnits(host.loaded, `${version} ${build ?? ''}`, ({ code, about }) =>
    troubles.log.log('warning', { errno: code, about }, 'units cannot be kept for the next core: it reads their files'),
  );
  const registry = createRegistry({
    ...{ files: host.files, facts, paths, clock: host.clock, ...cacheFile },
    read: (units, readMs) => unitsReadLater(units, readMs ?? host.clock.realMs()),
    readAt: unitReadAt,
    loaded,
    changed: (unit) => filesChanged(host, unit),
  });
  let actors: ActorHost;
  const theActors = () => actors;
  const snapshotOf = (unit: string) => actors.read<UnitSnapshot>(`unit:${unit}`);

  const heirsOf = (unit: string) => (snapshotOf(unit)?.context as Partial<ServiceContext> | undefined)?.heirs ?? [];
  const tools: UnitTools = {
    host,
    world: registry,
    kept: new Map(),
    storedFds: (unit) => (snapshotOf(unit)?.context as Partial<ServiceContext> | undefined)?.storedFds ?? [],
    spawns: new Spawns(),
    heirs: new Heirs(),
    heirsOf,
    pidFiles: new PidFiles(
      host,
      (unit) => (snapshotOf(unit)?.context as { awaitsPidFile?: boolean } | undefined)?.awaitsPidFile === true,
      heirsOf,
      (key, unit, found) =>
        actors.input({ key, events: [{ to: `unit:${unit}`, event: { type: 'pid-file', ...found } }] }),
    ),
    chaos: chaosHooks(theActors),
    environment: () =>
      actors.read<{ context: { environment: readonly string[] } }>('manager')?.context.environment ?? [],
    group: (unit) => groupOf(unit, snapshotOf(unit.name)),
    pending: (unit) => jobs.of(unit) !== undefined,
    triggerOf: (unit) => triggerOf(registry, snapshotOf, unit),
    monitoredOf: (unit) => monitoredOf((name, kind) => registry.graph.others(name, kind), snapshotOf, unit),
    invocation: (unit) => (snapshotOf(unit)?.context as { invocation?: number } | undefined)?.invocation ?? 0,
  };
  const checks = new Checks(host, (key, events) => actors.input({ key, events }));
  const jobsWorld: JobsWorld = {
    graph: () => registry.jobGraph,
    settings: (name) => settingsIn(registry, name, host),
    sha256: host.sha256,
    states: {
      active: (unit) => activeOf(actors, registry.graph.canonical(unit)),
      isSetAside: (unit) => actors.phase(`unit:${registry.graph.canonical(unit)}`) === 'quarantined',
    },
  };
  const recordings = createRecordings({
    host: keeper,
    version: options.build === undefined ? version : `${version} ${options.build}`,
    bounds: options.recorder ?? (() => RECORDER_BOUNDS),
    plugins: Object.fromEntries(plugins.map(({ name, file, sha256 }) => [pluginKind(name), { file, sha256 }])),
    directory: options.recordings === true ? `${runDirectory}/recordings` : undefined,
    seq: () => actors.seq,
  });
  const members = (unit: string) => {
    const loaded = registry.unit(unit);
    return loaded === undefined ? [] : host.groups.processes(groupOf(loaded, snapshotOf(unit)));
  };
  const jobs = jobsView(jobsWorld, { host, actors: theActors, members });
  const failed = new FailedUnits(
    () => registry.units().map(({ name }) => name),
    (unit) => jobsWorld.states.active(unit) === 'failed',
  );
  const machines: Record<string, AnyStateMachine> = {
    ...unitMachines,
    ...Object.fromEntries(plugins.map(({ name, machine }) => [pluginKind(name), machine])),
  };
  const insight = createInsight({ host, registry, actors: theActors, jobs, manager: () => manager, members });
  const manager: Manager = createManager({
    insight,
    host,
    registry,
    actors: theActors,
    jobs,
    checks,
    snapshots: () => snapshots,
    failed,
    machines: { ...machines, job: jobMachine, manager: managerMachine },
    version: options.version,
    logDirectory: logDirectory(host),
    recording: () => recordings.now(),
    chaos: options.chaos ?? (() => NO_CHAOS),
  });
  const snapshots = createSnapshots({
    host,
    registry,
    // Those too that are only looked at: a snapshot tells what there is.
    summaries: () => registry.units().flatMap(({ name }) => manager.summary(name) ?? []),
    unitFiles: () => manager.unitFiles(),
  });
  const sessions = createSessions({
    manager,
    port: host.api,
    log: host.log,
    coreUid: host.files.stat('/proc/self')?.uid ?? 0,
    unwatched(asked) {
      const names = asked.filter((name) => {
        const snapshot = snapshotOf(registry.graph.canonical(name));
        return snapshot !== undefined && ['inactive', 'failed'].includes(activeState(snapshot));
      });
      if (names.length > 0) actors.input({ events: [{ to: 'units', event: { type: 'consider', names } }] });
    },
  });
  const tell = teller({
    host,
    manager,
    jobs,
    failed,
    committed: () => actors.seq,
    publish: (event) => sessions.publish(event),
  });
  const takeDown = createNotes({
    host: keeper,
    snapshot: snapshotOf,
    manager: () => actors.read<{ context: ManagerContext }>('manager')?.context,
  });

  const chaosTools: ChaosTools = {
    host,
    registry,
    actors: theActors,
    settings: options.chaos ?? (() => NO_CHAOS),
    group: tools.group,
    invocation: tools.invocation,
  };
  let again: readonly string[] | undefined;
  const managerTools: ManagerTools = {
    host,
    chaos: chaosTools,
    keepable: jobs.keepable,
    refusal: jobs.refusal,
    group: tools.group,
    registry,
    actors: theActors,
    snapshots,
    boot: {
      first: options.logs === false ? [] : [LOG_KEEPER],
      defaultTarget: options.defaultTarget ?? 'default.target',
      again: () => again,
    },
    generatorDirectories: generatorPath(environment['SYSMASTER_GENERATOR_PATH']),
    answered: (session, ticket, answer) => sessions.answered(session, ticket, answer),
    beforeLoading() {
      recordings.reload();
      if (options.logs !== false) writeLogKeeper(host, `${options.libDirectory}/logd`, paths.transient);
    },
  };
  const tellTriggers = (unit: string, call: { post(to: string, event: ActorEvent): void }) => {
    const snapshot = snapshotOf(unit);
    const seen: View =
      snapshot === undefined
        ? { active: 'inactive', sub: 'dead', result: 'success', since: never, downs: 0 }
        : view(snapshot);
    for (const { to, event } of triggerPosts(tools, unit, seen, jobs.of(unit) !== undefined)) call.post(to, event);
  };
  const jobsTools = {
    undo: (call: Pick<EffectCall, 'post'>, confirmation: Confirmation) => undo(managerTools, call, confirmation),
    dropSnapshot: (name: string) => dropSnapshot(managerTools, name),
    tellTriggers,
    host,
    world: registry,
    checks,
    units: () => registry.units(),
    actors: theActors,
    settled() {
      try {
        registry.loader.keep();
      } catch (error) {
        if (!(error instanceof HostError)) throw error;
        troubles.log.log(
          'warning',
          { errno: error.code, about: error.about },
          'units cannot be kept for the next core',
        );
      }
    },
  };
  const kinds: ActorKinds = {
    ...unitKinds(tools, machines, Object.fromEntries(plugins.map((plugin) => [pluginKind(plugin.name), plugin]))),
    events: eventsKind(
      createObserver({
        host,
        insight,
        registry,
        jobs: () => jobs.list(),
        ending: () => ['starting', 'initializing', 'stopping'].includes(manager.state()),
        publish(told) {
          if (told.unit === LOG_KEEPER && told.active === 'active') offerAllLogs();
          if (told.unit !== undefined && told.active === 'failed' && told.was !== 'failed')
            recordings.failed('unit-failed', `unit:${told.unit}`, told.cause ?? '');
          takeDown(told);
          tell(told);
        },
      }),
    ),
    units: unitsKind(
      createCollecting({
        registry,
        actors: theActors,
        isWatched: (unit) => (registry.unit(unit)?.names ?? [unit]).some((name) => sessions.watches(name)),
      }),
      registry,
    ),
    jobs: jobsKind(jobsWorld, jobsTools),
    job: jobKind(jobsTools),
    [UPGRADE]: upgradeKind(host, theActors),
    [CHAOS]: chaosKind(chaosTools),
    manager: managerKind(managerTools),
  };

  /** The log keeper is new, or core is: every pipe again. It knows a pipe that it has. */
  function offerAllLogs(afterMs = 0): void {
    host.sockets.offerLogs(allLogs(), afterMs);
  }

  function* allLogs(): Generator<readonly [string, () => string]> {
    for (const unit of registry.units())
      if (unit.name !== LOG_KEEPER && host.sockets.stored(`${logPipe(unit.name)}:r`))
        yield [logPipe(unit.name), () => logMessage(tools, unit)];
  }

  /** Of a core that came back: what it has not looked at yet. */
  let relisting: Relisting | undefined;

  /** Turns for which it has been put off. */
  let waited = 0;

  /** Of a core that came back: what nobody will answer. */
  let lostSpawns: LostSpawns | undefined;

  /** What a unit's machine was told last of its processes. */
  const populated = (unit: string) => (snapshotOf(unit)?.context as { populated?: boolean } | undefined)?.populated;

  function onEvent(event: HostEvent): void {
    if (event.type === 'client') return sessions.client(event.session, event.what);
    if (event.type === 'answer')
      return void (tools.pidFiles.answered(event.key, event.result) || checks.answered(event.key, event.result));
    if (event.type === 'clock-changed') registry.loader.clockSet();
    if (event.type === 'wake') {
      for (const input of emptied(tools, registry.units(), populated)) actors.input(input);
      return;
    }
    const input = inputOf(tools, event, () => registry.units());
    if (input !== undefined) actors.input(input);
    if (event.type === 'record') lostSpawns?.heard(event.record);
  }

  actors = new ActorHost({
    ...options.actors,
    host,
    kinds,
    recorder: recordings.recorder,
    migrations,
    root: tree({ atMs: host.clock.nowMs(), environment: options.environment ?? [] }),
    onEvent,
    left() {
      // Who has work for core is served first; but not for ever.
      if (relisting !== undefined && waited < RELIST_WAITS && actors.busy) {
        waited += 1;
        return true;
      }
      if (relisting?.piece() === true) return true;
      if (relisting !== undefined) {
        host.log.log('info', {}, 'all units are watched again');
        offerAllLogs(OFFER_LOGS_AFTER_MS);
      }
      relisting = undefined;
      return false;
    },
    reconcile(view) {
      const before = unitsBefore(view, host);
      again = upBefore(view, before);
      const recall = view.mode === 'fresh' ? recallOf(keeper) : undefined;
      const promised = view.mode === 'fresh' ? promises(keeper) : [];
      return [
        comingUp(view),
        ...troubles.begin(stateTrouble(view)),
        { to: UPGRADE, event: cameUp(host, options.returned === true) },
        ...adoptions(view, registry, host, before, promised),
        ...startableNow(view, registry, (id) => actors.tree(id)?.kind),
        ...(recall === undefined ? [] : [{ to: CHAOS, event: recall }]),
      ];
    },
  });

  return {
    actors,
    start() {
      const before = inMemory(actors);
      // They are what an earlier core has loaded, though their files may say otherwise by now: that is for daemon-reload to find.
      if (host.hello.cores > 0) registry.recall();
      if (before.length > 0) {
        managerTools.beforeLoading();
        registry.restore(before);
        unitsRead(0);
      }
      if (actors.recovered.mode === 'restored') {
        const failed = (asked: Asked) => notSpawned(asked, 0, 'init knows nothing of it, and core has died meanwhile');
        lostSpawns = new LostSpawns(host, actors, registry.units(), failed);
      }
      const { mode, why } = actors.start();
      registry.settle();
      lostSpawns?.started(tools.spawns);
      const [death] = host.hello.deaths;
      if (host.hello.cores > 0 && death !== undefined) {
        const how = death.hung ? 'hung' : JSON.stringify(death.ended);
        recordings.cameBack(
          `${mode}: ${why}; the last death: ${how}, event ${death.seq} of ${death.actor || 'nobody'}`,
        );
      }
      if (mode === 'restored') {
        hearAgain(host, actors);
        const names = registry.units().map(({ name }) => name);
        relisting = new Relisting({ host, actors, unit: registry.unit, pidFiles: tools.pidFiles }, names);
      }
    },
  };
}

/** The unit path; what core writes itself is always on it. */
function unitPaths(environment: Readonly<Record<string, string>>, runDirectory: string) {
  const paths = systemPaths(environment, runDirectory);
  const own = [paths.transient, paths.generatorEarly, paths.generator, paths.generatorLate].filter(
    (path) => !paths.search.includes(path),
  );
  return { ...paths, search: [...own.slice(0, 2), ...paths.search, ...own.slice(2)] };
}

/** `a:b`; set but empty: none. */
const generatorPath = (value: string | undefined): readonly string[] | undefined =>
  value === undefined ? undefined : value.split(':').filter((path) => path !== '');
