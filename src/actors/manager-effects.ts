/**
 * What the manager's effects do: generators, loading, the errands of clients, and the end of the system.
 */
import { type ApiError, type Change, type ChangeAnswer, ManagerError } from '../api/manager.ts';
import { type Ended, type Host, HostError, type KillTarget } from '../host/ports.ts';
import type { Confirmation, Wish } from '../jobs/apply.ts';
import { type JobsState, jobsOf } from '../jobs/logic.ts';
import * as paged from '../jobs/paged.ts';
import { partsOf } from '../jobs/plan.ts';
import { givesWay } from '../jobs/refusals.ts';
import type { JobRequest } from '../jobs/types.ts';
import type { Asker } from '../machines/errands.ts';
import type { Ending, Generator, ManagerContext, Waiting } from '../machines/manager.ts';
import { managerMachine } from '../machines/manager.ts';
import type { ServiceContext } from '../machines/service-context.ts';
import { refOf } from '../machines/service-context.ts';
import { activeState, type UnitSnapshot } from '../machines/view.ts';
import { type ActorHost, type ActorKind, type EffectCall, type EffectDef, machineLogic } from '../supervisor/index.ts';
import { compareUnits, type UnitChange } from '../units/changes.ts';
import type { Unit } from '../units/types.ts';
import { endWords } from './causes.ts';
import { beginChaos, type ChaosTools, plainNames } from './chaos.ts';
import { CHAOS } from './chaos-logic.ts';
import { beginGenerators, wantedTarget } from './generating.ts';
import { part, shortHash, tagOf } from './names.ts';
import { type Registry, specOf } from './registry.ts';
import type { Snapshots } from './snapshots.ts';
import type { UnitTools } from './unit-effects.ts';
import { linkUnitFiles, planUnitFiles } from './unit-files.ts';
import { UPGRADE } from './upgrade.ts';
import { unitsRead } from './views.ts';

/** How long the stop phase may take before init ends the system alone, and how long what is left gets after it, in ms. */
const STOP_PHASE_MS = 300_000;
const LAST_WORDS_MS = 10_000;

const SIGKILL = 9;

/** The target of each ending (systemd.special(7)). */
const TARGETS: Readonly<Record<Ending['kind'], string>> = {
  poweroff: 'poweroff.target',
  reboot: 'reboot.target',
  halt: 'halt.target',
  kexec: 'kexec.target',
  exit: 'exit.target',
  'soft-reboot': 'soft-reboot.target',
  'switch-root': 'initrd-switch-root.target',
};

/** What to start when units can be loaded. */
export interface Boot {
  /** Units to start before anything else, each by itself. */
  readonly first: readonly string[];
  readonly defaultTarget: string;
  /** Units that were up in a core whose state is lost, to be started instead; undefined: the system boots. */
  again(): readonly string[] | undefined;
}

export interface ManagerTools extends Pick<UnitTools, 'group'> {
  readonly host: Host;
  readonly registry: Registry;
  readonly actors: () => ActorHost;
  readonly boot: Boot;
  readonly snapshots: Snapshots;
  readonly chaos: ChaosTools;
  /** Where generators are looked for; undefined: systemd's and our own directories. */
  readonly generatorDirectories: readonly string[] | undefined;
  /** Tell a client. */
  answered(session: number, ticket: number, answer: ChangeAnswer): void;
  /** What is to be done besides when units have been read: write transient units, say findings. */
  beforeLoading(): void;
}

/** Up for as long as the system is, and in memory though nobody may name them. Slices come with the units in them. */
const EVER = ['-.mount', 'init.scope'] as const;

const fault = (error: ApiError['error'], unit: string, why: string, todo: string): ChangeAnswer => ({
  error: { error, unit, why, todo },
});

/** Bring units into memory with all they reach, and have their actors made; the posts stand before whatever is posted next. */
export function bringIn(
  { registry, host }: Pick<ManagerTools, 'registry' | 'host'>,
  call: Pick<EffectCall, 'post'>,
  names: readonly string[],
): void {
  const fresh = registry.load(names);
  if (fresh.length === 0) return;
  sayFindings(host, fresh);
  call.post('units', { type: 'load', specs: fresh.map(specOf) });
  call.post('jobs', { type: 'units-loaded', names: fresh.map(({ name }) => name) });
  call.post('events', { type: 'loaded' });
}

/** Each finding once, when its unit comes into memory (law 8). */
function sayFindings(host: Host, units: ReturnType<Registry['units']>): void {
  for (const { name, findings } of units) {
    for (const { severity, at, what, why, todo } of findings) {
      const level = severity === 'error' ? 'error' : severity === 'warning' ? 'warning' : 'info';
      host.log.log(level, { unit: name, file: at?.file, line: at?.line, column: at?.column, what, todo }, why);
    }
  }
}

const request = (call: EffectCall, verb: string, unit: string, mode: string, by: string, client?: unknown) =>
  call.post('jobs', {
    type: 'request',
    request: { verb, units: [unit], mode, by, automatic: true },
    ...(client === undefined ? {} : { client }),
  });

/** What became of reading all unit files again, for those who asked. */
interface Reloaded {
  readonly findings: number;
  readonly changes: readonly UnitChange[];
}

const activeOf = (tools: ManagerTools, name: string): boolean => {
  const snapshot = tools.actors().read<UnitSnapshot>(`unit:${name}`);
  return snapshot !== undefined && !['inactive', 'failed'].includes(activeState(snapshot));
};

const findingsOf = (units: readonly Unit[]): number => units.reduce((sum, { findings }) => sum + findings.length, 0);

/** What reading all unit files again would change; nothing is. */
function previewReload({ registry, ...tools }: ManagerTools): Reloaded {
  const before = registry.units();
  const after = registry.preview(before.map(({ name }) => name));
  return {
    findings: findingsOf(after),
    changes: compareUnits(before, after, (name) => activeOf({ registry, ...tools }, name)),
  };
}

/**
 * Read all unit files again; actors of units that are still there are told their new settings. A unit that is running and cannot
 * be loaded any more keeps the settings it runs with, so that it can be stopped as it was started; its load state tells.
 */
function loadAgain(tools: ManagerTools, call: Pick<EffectCall, 'post'>): Reloaded {
  const { registry, host } = tools;
  tools.beforeLoading();
  const before = registry.units();
  const { units: loaded, changed } = registry.reload(before.map(({ name }) => name));
  if (loaded === before) {
    unitsRead(host.clock.realMs());
    call.post('events', { type: 'tell', what: { reloaded: true } });
    return { findings: findingsOf(loaded), changes: [] };
  }
  const changes = compareUnits(before, loaded, (name) => activeOf(tools, name));
  const old = new Map(before.map((unit) => [unit.name, unit]));
  const kept = new Set<string>();
  for (const unit of loaded) {
    const was = old.get(unit.name);
    if (unit.loadState === 'loaded' || was === undefined || !activeOf(tools, unit.name)) continue;
    kept.add(unit.name);
    const { loadState, findings, unitFileState } = unit;
    registry.put({ ...was, loadState, findings, unitFileState });
  }
  unitsRead(host.clock.realMs());
  sayFindings(host, changed);
  call.post('units', { type: 'load', specs: changed.filter(({ name }) => !kept.has(name)).map(specOf) });
  call.post('jobs', { type: 'units-loaded' });
  call.post('events', { type: 'tell', what: { reloaded: true } });
  return { findings: findingsOf(loaded), changes };
}

/** Types whose units have a main process, or one of a command; those of others are in their group, if they have one. */
const MAIN_PROCESS = new Set(['service']);
const CONTROL_PROCESS = new Set(['service', 'socket', 'mount', 'swap']);
/** Types that have neither processes nor a group. */
const WITHOUT_PROCESSES = new Set(['target', 'device', 'timer', 'path', 'automount']);

/**
 * What a kill is sent to. `all` of a unit without processes is nobody, and no fault; a main or control process that is not there is one.
 * Source: systemctl(1), kill; the sentences are systemd's.
 */
function killTarget(tools: ManagerTools, name: string, whom: 'main' | 'control' | 'all') {
  const loaded = tools.registry.unit(name);
  const unit = loaded?.name ?? name;
  const context = tools.actors().read<{ context: ServiceContext }>(`unit:${unit}`)?.context;
  if (loaded === undefined || context === undefined)
    return fault('NoSuchUnit', unit, `Unit ${unit} not loaded.`, 'see sctl list-units --all');
  const { type } = loaded;
  if (WITHOUT_PROCESSES.has(type))
    return fault('NoSuchProcess', unit, 'Operation not supported', `a ${type} has no processes`);
  if (whom === 'all' && tools.host.groups.available) {
    const path = tools.group(loaded);
    return { target: { group: { path, except: [] } }, count: tools.host.groups.processes(path).length };
  }
  if (whom !== 'all' && !(whom === 'main' ? MAIN_PROCESS : CONTROL_PROCESS).has(type))
    return fault('NoSuchProcess', unit, `${type} units have no ${whom} processes`, 'use --kill-whom=all');
  const process = refOf((whom === 'control' ? context.control : context.main) ?? null);
  if (process !== null) return { target: { process }, count: 1 };
  if (whom === 'all') return undefined;
  return fault('NoSuchProcess', unit, `No ${whom} process to kill`, 'see sctl status');
}

const unitsOf = (request: JobRequest) => partsOf(request).flatMap(({ units }) => units);

/** The way back from a restored snapshot; the same one when the effect is issued again, since it is named after what asked for it. */
const backOf = (name: string, key: string): string => `undo-${name.slice(0, 40)}-${shortHash(key)}`;

/** Things as they are are kept first, where they may have to be brought back. */
function restoreAsked(
  tools: ManagerTools,
  call: EffectCall,
  key: string,
  by: string,
  { name, tellAll, confirmMs }: Extract<Change, { what: 'restore' }>,
): void {
  const snapshot = confirmMs === undefined ? undefined : backOf(name, key);
  if (snapshot !== undefined) {
    tools.snapshots.read(name); // one that cannot be restored leaves none behind
    if (!tools.snapshots.names().includes(snapshot)) tools.snapshots.save(snapshot, by);
  }
  restore(tools, call, name, by, {
    wish: {
      id: snapshot === undefined ? `snapshot ${name}` : name,
      by,
      tellAll,
      ...(snapshot === undefined ? {} : { snapshot, confirmMs }),
    },
    client: { errand: key, index: 0 },
  });
}

/** Nobody has confirmed: what leads back is brought into memory, or is a snapshot; then it is the job engine's turn. */
export function undo(
  tools: ManagerTools,
  call: Pick<EffectCall, 'post'>,
  { id, undo: request, snapshot }: Confirmation,
): void {
  const units = request === undefined ? [] : unitsOf(request);
  bringIn(tools, call, units);
  if (snapshot !== undefined) {
    const by = `the undoing of snapshot ${id}, which nobody confirmed`;
    try {
      restore(tools, call, snapshot, by, { wish: { id, by } });
    } catch (error) {
      if (!(error instanceof ManagerError || error instanceof HostError)) throw error;
      tools.host.log.log('error', { snapshot }, `snapshot ${id} cannot be undone: ${error.message}`);
    }
  }
  call.post('jobs', { type: 'undo', id, considered: units });
}

/** It was confirmed, or has served. */
export function dropSnapshot({ snapshots }: ManagerTools, name: string): void {
  if (snapshots.names().includes(name)) snapshots.remove(name);
}

/** Unit files first, since what is masked cannot be started; then the units. */
function restore(
  tools: ManagerTools,
  call: Pick<EffectCall, 'post'>,
  name: string,
  by: string,
  asked: { readonly wish: Wish; readonly client?: unknown },
): void {
  const { files, request, notes } = tools.snapshots.restoring(name, by);
  for (const { verb, unit, runtime } of files) {
    const plain = { force: false, presetMode: 'full', target: '', reload: false } as const;
    const { answer, links } = planUnitFiles(tools, { what: 'unit-files', verb, names: [unit], runtime, ...plain });
    if ('error' in answer) tools.host.log.log('warning', { unit, snapshot: name }, `${verb}: ${answer.error.why}`);
    linkUnitFiles(tools, links);
  }
  if (files.length > 0) loadAgain(tools, call);
  for (const note of notes) tools.host.log.log('notice', { snapshot: name }, note);
  const units = request === undefined ? [] : unitsOf(request);
  bringIn(tools, call, units);
  call.post('jobs', {
    type: 'bring-back',
    request: request ?? { verb: 'stop', units: [], mode: 'replace', by },
    considered: units,
    ...asked,
  });
}

/**
 * What a change has come to, where looking again would find its own traces and answer otherwise: what is to be done, and the
 * answer. Carried out by {@link perform} once it is committed.
 */
type Deed =
  | { readonly what: 'kill'; readonly target: KillTarget; readonly signal: number; readonly answer: ChangeAnswer }
  | { readonly what: 'remove-snapshot'; readonly name: string; readonly answer: ChangeAnswer }
  | {
      readonly what: 'unit-files';
      readonly links: ReturnType<typeof planUnitFiles>['links'];
      readonly reload: boolean;
      readonly answer: ChangeAnswer;
    };

/** Do what was decided: init sends a signal once, the others may be done twice. */
function perform(tools: ManagerTools, call: EffectCall, key: string, deed: Deed): void {
  if (deed.what === 'kill') tools.host.process.kill(call.id, deed.target, deed.signal);
  else if (deed.what === 'remove-snapshot') tools.snapshots.remove(deed.name);
  else {
    linkUnitFiles(tools, deed.links);
    if (deed.reload) return regenerate(tools, call, key, deed.answer);
  }
  call.post('manager', { type: 'carried-out', key, answer: deed.answer });
}

/** Do what a change asks for; the answer is posted, at once or by whoever knows it later. */
function carryOut(tools: ManagerTools, call: EffectCall, key: string, by: string, change: Change): void {
  const done = (answer: ChangeAnswer) => call.post('manager', { type: 'carried-out', key, answer });
  const decided = (deed: Deed) => call.post('manager', { type: 'decided', key, deed });
  switch (change.what) {
    case 'request':
      bringIn(
        tools,
        call,
        change.requests.flatMap(({ units }) => units),
      );
      for (const [index, one] of change.requests.entries()) {
        call.post('jobs', { type: 'request', request: { ...one, by }, client: { errand: key, index } });
      }
      return;
    case 'keep-plan': {
      const request = { ...change.request, by };
      bringIn(tools, call, unitsOf(request));
      call.post('jobs', {
        type: 'keep-plan',
        request,
        id: change.id,
        client: { errand: key },
        considered: unitsOf(request),
      });
      return;
    }
    case 'apply': {
      const plans = tools.actors().read<JobsState>('jobs')?.plans ?? paged.EMPTY;
      const plan = change.wish.plan ?? paged.get(plans, change.wish.id);
      const considered = plan === undefined ? [] : unitsOf(plan.request);
      bringIn(tools, call, considered);
      call.post('jobs', { type: 'apply', wish: { ...change.wish, by }, client: { errand: key, index: 0 }, considered });
      return;
    }
    case 'confirm':
      call.post('jobs', { type: 'confirm', id: change.id, by, client: { errand: key } });
      return;
    case 'snapshot':
      if (change.verb === 'delete') {
        // One that cannot be read can be deleted; of one that is not there this tells.
        if (!tools.snapshots.names().includes(change.name)) tools.snapshots.read(change.name);
        const answer: ChangeAnswer = { result: { what: 'snapshot', name: change.name } };
        return decided({ what: 'remove-snapshot', name: change.name, answer });
      }
      tools.snapshots.save(change.name, by);
      return done({ result: { what: 'snapshot', name: change.name } });
    case 'restore':
      return restoreAsked(tools, call, key, by, change);
    case 'cancel': {
      const ids =
        change.jobs === 'all'
          ? [...tools.actors().list('job:')].map((id) => Number(id.slice('job:'.length)))
          : change.jobs;
      call.post('jobs', { type: 'cancel', ids, by, client: { errand: key } });
      return;
    }
    case 'kill': {
      const found = killTarget(tools, change.unit, change.whom);
      if (found === undefined || ('count' in found && found.count === 0))
        return done({ result: { what: 'kill', signalled: 0 } });
      if (!('target' in found)) return done(found);
      const { target, count } = found;
      return decided({
        what: 'kill',
        target,
        signal: change.signal,
        answer: { result: { what: 'kill', signalled: count } },
      });
    }
    case 'reset-failed': {
      const units =
        change.units === 'all'
          ? tools.registry.units().map(({ name }) => name)
          : change.units.map((name) => tools.registry.graph.canonical(name));
      const known = units.filter((name) => tools.registry.unit(name) !== undefined);
      for (const name of known) {
        // Its order in the queue: released, told, and only then what was held for it.
        if (tools.actors().phase(`unit:${name}`) === 'quarantined') call.post('units', { type: 'release', name });
        call.post(`unit:${name}`, { type: 'reset-failed' });
      }
      const [missing] = units.filter((name) => !known.includes(name));
      if (missing !== undefined)
        return done(fault('NoSuchUnit', missing, `Unit ${missing} not loaded.`, 'see sctl list-units --all'));
      return done({ result: { what: 'reset-failed', units: known } });
    }
    case 'unit-files': {
      const { answer, links } = planUnitFiles(tools, change);
      if ('error' in answer || change.dryRun === true) return done(answer);
      return decided({ what: 'unit-files', links, reload: change.reload, answer });
    }
    case 'daemon-reload':
      if (change.dryRun === true) return done({ result: { what: 'daemon-reload', ...previewReload(tools) } });
      return regenerate(tools, call, key);
    case 'daemon-reexec':
      call.post(UPGRADE, { type: 'check', key });
      return;
    case 'chaos':
      if (change.wish.dryRun) tools.registry.look(plainNames(change.wish.units));
      else bringIn(tools, call, plainNames(change.wish.units));
      return beginChaos(tools.chaos, call, key, by, change.wish);
    case 'chaos-stop':
      call.post(CHAOS, { type: 'stop', ids: change.runs, key, by });
      return;
    case 'init-reexec':
      call.post(UPGRADE, { type: 'replace-init', key, path: change.path });
      return;
    case 'shutdown': {
      const ending = { kind: change.verb, status: change.status, argument: change.argument, by };
      done({ result: { what: 'shutdown' } });
      call.post('manager', { type: change.force === 0 ? 'shutdown' : 'end', ending });
      return;
    }
    case 'environment': {
      const context = tools.actors().read<{ context: { environment: readonly string[] } }>('manager')?.context;
      const gone = new Set([...change.unset, ...change.set].map((entry) => entry.split('=')[0]));
      const kept = (context?.environment ?? []).filter((entry) => !gone.has(entry.split('=')[0]));
      call.post('manager', { type: 'environment', environment: [...kept, ...change.set].sort() });
      return done({ result: { what: 'environment' } });
    }
  }
}

/** What goes wrong is the answer. */
function answering(call: EffectCall, key: string, what: string, run: () => void): void {
  try {
    run();
  } catch (error) {
    const why = error instanceof HostError ? error.message : String(error);
    const answer =
      error instanceof ManagerError
        ? { error: error.fault }
        : fault('Failed', '', `${what}: ${why}`, 'see the log of core');
    call.post('manager', { type: 'carried-out', key, answer });
  }
}

/**
 * Generators first, then the units; while they run already, this reload ends with that one.
 *
 * @param answer what the change is answered with; undefined: with what the reload has changed
 */
function regenerate(tools: ManagerTools, call: EffectCall, key: string, answer?: ChangeAnswer): void {
  const own = tools.actors().read<{ context: ManagerContext; value: unknown }>('manager');
  const busy = (own?.context.regenerating ?? null) !== null || own?.value === 'listing' || own?.value === 'generating';
  const generators = busy ? [] : beginGenerators(tools.host, tools.registry.loader.paths, tools.generatorDirectories);
  call.post('manager', { type: 'regenerate', key, generators, ...(answer === undefined ? {} : { answer }) });
}

/** Each for itself, in their order: what they pull in has been up with them, or is not to be. */
function startAgain(tools: ManagerTools, call: EffectCall, names: readonly string[]): void {
  bringIn(tools, call, names);
  const isUp = (name: string) => {
    const snapshot = tools.actors().read<UnitSnapshot>(`unit:${name}`);
    return snapshot !== undefined && ['active', 'reloading'].includes(activeState(snapshot));
  };
  // Those that were taken over are up: a request that comes to nothing is never over.
  const units = names.filter((name) => tools.registry.unit(name)?.loadState === 'loaded' && !isUp(name));
  tools.host.log.log('notice', { units }, 'what was up before core lost its state is brought up again');
  if (units.length === 0) return call.post('manager', { type: 'idle' });
  const by = 'core, which has lost its state: it was up before';
  call.post('jobs', {
    type: 'request',
    request: { verb: 'start', units, mode: 'ignore-requirements', by, automatic: true },
  });
}

/** The unit to boot: the kernel command line's, if there is one; then the default one; then the rescue shell. */
function bootUnit(tools: ManagerTools, call: EffectCall): string {
  const { boot, host, registry } = tools;
  const wanted = wantedTarget(host);
  const candidates = [...(wanted === undefined ? [] : [wanted]), boot.defaultTarget, 'rescue.target'];
  for (const name of candidates) {
    bringIn(tools, call, [name]);
    const state = registry.unit(name)?.loadState ?? 'not-found';
    if (state === 'loaded') return name;
    host.log.log('error', { unit: name, state }, 'cannot be booted; trying the next one');
  }
  return boot.defaultTarget;
}

/** What stands in the way of the end is canceled; jobs of an ending that is on its way stay. */
function giveWay(tools: ManagerTools, call: EffectCall, why: string): void {
  const jobs = tools.actors().read<JobsState>('jobs');
  const ids = (jobs === undefined ? [] : jobsOf(jobs)).filter(givesWay).map(({ id }) => id);
  if (ids.length > 0) call.post('jobs', { type: 'cancel', ids, by: why });
}

/** End in order: tell init that the stop phase begins, and start the target that stops everything. */
function beginEnding(tools: ManagerTools, call: EffectCall, ending: Ending): void {
  const target = TARGETS[ending.kind];
  call.post(CHAOS, { type: 'end-all', why: 'the system goes down' });
  tools.host.init.shutdown(ending.kind, STOP_PHASE_MS, false, ending.status, ending.argument);
  bringIn(tools, call, [target]);
  if (tools.registry.unit(target)?.loadState === 'loaded') {
    const why = ending.by ?? `the action of a unit that asks for ${ending.kind}`;
    giveWay(tools, call, why);
    request(call, 'start', target, 'replace-irreversibly', why);
    return;
  }
  tools.host.log.log('warning', { target }, 'there is no target for this ending; what runs is ended at once');
  call.post('manager', { type: 'end', ending });
}

/** The kind of the one actor `manager`. */
export function managerKind(tools: ManagerTools): ActorKind {
  const { host } = tools;
  const effect = <P>(
    run: (call: EffectCall, params: P) => void,
    kind: EffectDef['kind'] = 'idempotent',
  ): EffectDef => ({
    kind,
    run: run as EffectDef['run'],
  });
  return {
    logic: machineLogic(managerMachine),
    // The system's state, as is-system-running says it, follows these two (and units that fail).
    observe(_actor, before, after) {
      type Seen = { readonly value: unknown; readonly context: ManagerContext } | undefined;
      const [was, is] = [before as Seen, after as Seen];
      if (was?.value === is?.value && was?.context.finishedMs === is?.context.finishedMs) return [];
      return [{ to: 'events', event: { type: 'tell', what: { system: true } } }];
    },
    effects: {
      listGenerators: effect((call) =>
        call.post('manager', {
          type: 'generators',
          generators: beginGenerators(host, tools.registry.loader.paths, tools.generatorDirectories),
        }),
      ),
      spawnGenerator: effect((call, { run, generator }: { run: number; generator: Generator }) => {
        const output = { file: { path: `${host.facts.runDirectory}/generators.log`, append: true, truncate: false } };
        host.process.spawn(
          call.id,
          tagOf('@manager', 'control', run),
          {
            version: 1,
            unit: generator.path,
            path: generator.path,
            argv: generator.argv,
            environment: generator.environment,
            stdout: output,
            stderr: output,
            ignoreSigpipe: true,
          },
          [],
        );
      }, 'once'),
      startFirst: effect((call) => {
        // What programs look for to know that sockets are passed and READY=1 is heard (sd_booted(3)).
        if (host.hello.role !== 'subreaper') host.files.mkdirs('/run/systemd/system', 0o755);
        tools.beforeLoading();
        bringIn(tools, call, [...tools.boot.first, ...EVER]);
        for (const unit of tools.boot.first) request(call, 'start', unit, 'replace', 'the boot');
        call.post('manager', { type: 'first-asked' });
      }),
      startUp: effect((call) => {
        const again = tools.boot.again();
        const unit = again === undefined ? bootUnit(tools, call) : undefined;
        if (again !== undefined) startAgain(tools, call, again);
        unitsRead(0); // each has been read at a time of its own
        if (unit !== undefined) request(call, 'start', unit, 'replace', 'the boot');
      }),
      loadAgain: effect((call) => regenerate(tools, call, '')),
      finishReload: effect((call, { keys }: { keys: readonly Waiting[] }) => {
        const reloaded = loadAgain(tools, call);
        for (const waiting of keys) {
          const { key, answer } =
            typeof waiting === 'string'
              ? { key: waiting, answer: { result: { what: 'daemon-reload', ...reloaded } } }
              : waiting;
          call.post('manager', { type: 'carried-out', key, answer });
        }
      }),
      tellGenerator: effect((_call, { path, ended }: { path: string; ended: Ended | null }) => {
        if (ended !== null && 'exited' in ended && ended.exited === 0) return;
        const how = ended === null ? 'could not be started' : `ended with ${endWords(ended)}`;
        host.log.log('warning', { path }, `generator ${how}; see ${host.facts.runDirectory}/generators.log`);
      }),
      killGenerators: effect((call, { serials }: { serials: readonly number[] }) => {
        for (const [index, child] of serials.entries())
          host.process.kill(part(call.id, index + 1), { process: { child } }, SIGKILL);
      }),
      carryOut: effect((call, { key, by, change }: { key: string; by: string; change: Change }) => {
        answering(call, key, change.what, () => carryOut(tools, call, key, by, change));
      }, 'once'),
      perform: effect((call, { key, deed }: { key: string; deed: Deed }) => {
        answering(call, key, deed.what, () => perform(tools, call, key, deed));
      }, 'once'),
      answer: effect((_call, { asker, answer }: { asker: Asker; answer: ChangeAnswer }) => {
        // Who had asked a core that is gone comes back by the id of the request, and is answered then.
        if (asker.core === host.hello.cores) tools.answered(asker.session, asker.ticket, answer);
      }),
      startUnit: effect((call, { unit, mode, why }: { unit: string; mode: string; why: string }) => {
        bringIn(tools, call, [unit]);
        request(call, 'start', unit, mode, why);
      }),
      beginEnding: effect((call, ending: Ending) => beginEnding(tools, call, ending)),
      endNow: effect((_call, { kind, status, argument }: Ending) =>
        host.init.shutdown(kind, LAST_WORDS_MS, true, status, argument),
      ),
      leave: effect((_call, { cores }: { cores: number }) => {
        if (cores !== host.hello.cores) return; // this is the next core already
        host.init.reexecCore();
        host.exit(0);
      }),
      log: effect((_call, { level, message }: { level: 'notice' | 'warning'; message: string }) =>
        host.log.log(level, {}, message),
      ),
    },
  };
}
