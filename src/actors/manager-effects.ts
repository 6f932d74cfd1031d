/**
 * What the manager's effects do: generators, loading, the errands of clients, and the end of the system.
 */
import { type ApiError, type Change, type ChangeAnswer, ManagerError } from '../api/manager.ts';
import type { Host } from '../host/ports.ts';
import { HostError } from '../host/ports.ts';
import { partsOf } from '../jobs/plan.ts';
import type { JobRequest } from '../jobs/types.ts';
import type { Ending, Generator, ManagerContext } from '../machines/manager.ts';
import { managerMachine } from '../machines/manager.ts';
import type { ServiceContext } from '../machines/service-context.ts';
import { refOf } from '../machines/service-context.ts';
import { type ActorHost, type ActorKind, type EffectCall, type EffectDef, machineLogic } from '../supervisor/index.ts';
import { planGenerators } from '../units/generators.ts';
import { tagOf } from './names.ts';
import { type Registry, specOf } from './registry.ts';
import type { Snapshots } from './snapshots.ts';
import { groupOf } from './unit-effects.ts';
import { carryOutUnitFiles } from './unit-files.ts';
import { unitsRead } from './views.ts';

/** How long the stop phase may take before init ends the system alone, and how long what is left gets after it, in ms. */
const STOP_PHASE_MS = 300_000;
const LAST_WORDS_MS = 10_000;

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
}

export interface ManagerTools {
  readonly host: Host;
  readonly registry: Registry;
  readonly actors: () => ActorHost;
  readonly boot: Boot;
  readonly snapshots: Snapshots;
  /** Where generators are looked for; undefined: systemd's and our own directories. */
  readonly generatorDirectories: readonly string[] | undefined;
  /** Tell a client. */
  answered(session: number, ticket: number, answer: ChangeAnswer): void;
  /** What is to be done besides when units have been read: write transient units, say findings. */
  beforeLoading(): void;
}

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
  call.post('jobs', { type: 'units-loaded' });
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

/** Read all unit files again; actors of units that are still there are told their new settings. */
function loadAgain(tools: ManagerTools, call: EffectCall): number {
  const { registry, host } = tools;
  tools.beforeLoading();
  const names = registry.units().map(({ name }) => name);
  const units = registry.reload(names);
  unitsRead(host.clock.realMs());
  sayFindings(host, units);
  call.post('units', { type: 'load', specs: units.map(specOf) });
  call.post('jobs', { type: 'units-loaded' });
  call.post('events', { type: 'tell', what: { reloaded: true } });
  return units.reduce((sum, { findings }) => sum + findings.length, 0);
}

/** Which signal target stands for `whom` of a unit; undefined: there is no such process. */
function killTarget(tools: ManagerTools, unit: string, whom: 'main' | 'control' | 'all') {
  const loaded = tools.registry.unit(unit);
  const context = tools.actors().read<{ context: ServiceContext }>(`unit:${unit}`)?.context;
  if (loaded === undefined || context === undefined) return undefined;
  if (whom === 'all' && tools.host.groups.available) return { group: { path: groupOf(loaded), except: [] } };
  const process = refOf((whom === 'control' ? context.control : context.main) ?? null);
  return process === null ? undefined : { process };
}

const unitsOf = (request: JobRequest) => partsOf(request).flatMap(({ units }) => units);

/** Unit files first, since what is masked cannot be started; then the units. */
function restore(
  tools: ManagerTools,
  call: EffectCall,
  key: string,
  by: string,
  { name, tellAll }: Extract<Change, { what: 'restore' }>,
): void {
  const { files, request, notes } = tools.snapshots.restoring(name, by);
  for (const { verb, unit, runtime } of files) {
    const plain = { force: false, presetMode: 'full', target: '', reload: false } as const;
    const outcome = carryOutUnitFiles(tools, { what: 'unit-files', verb, names: [unit], runtime, ...plain });
    if ('error' in outcome) tools.host.log.log('warning', { unit, snapshot: name }, `${verb}: ${outcome.error.why}`);
  }
  if (files.length > 0) loadAgain(tools, call);
  for (const note of notes) tools.host.log.log('notice', { snapshot: name }, note);
  bringIn(tools, call, request === undefined ? [] : unitsOf(request));
  call.post('jobs', {
    type: 'bring-back',
    request: request ?? { verb: 'stop', units: [], mode: 'replace', by },
    wish: { id: `snapshot ${name}`, by, tellAll },
    client: { errand: key, index: 0 },
  });
}

/** Do what a change asks for; the answer is posted, at once or by whoever knows it later. */
function carryOut(tools: ManagerTools, call: EffectCall, key: string, by: string, change: Change): void {
  const { host } = tools;
  const done = (answer: ChangeAnswer) => call.post('manager', { type: 'carried-out', key, answer });
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
      call.post('jobs', { type: 'keep-plan', request, id: change.id, client: { errand: key } });
      return;
    }
    case 'apply':
      bringIn(tools, call, change.wish.plan === undefined ? [] : unitsOf(change.wish.plan.request));
      call.post('jobs', { type: 'apply', wish: { ...change.wish, by }, client: { errand: key, index: 0 } });
      return;
    case 'confirm':
      call.post('jobs', { type: 'confirm', id: change.id, by, client: { errand: key } });
      return;
    case 'snapshot':
      if (change.verb === 'save') tools.snapshots.save(change.name, by);
      else tools.snapshots.remove(change.name);
      return done({ result: { what: 'snapshot', name: change.name } });
    case 'restore':
      return restore(tools, call, key, by, change);
    case 'cancel': {
      const ids =
        change.jobs === 'all'
          ? [...tools.actors().list('job:')].map((id) => Number(id.slice('job:'.length)))
          : change.jobs;
      call.post('jobs', { type: 'cancel', ids, by, client: { errand: key } });
      return;
    }
    case 'kill': {
      const unit = tools.registry.unit(change.unit)?.name ?? change.unit;
      const target = killTarget(tools, unit, change.whom);
      const count = target === undefined ? 0 : 'group' in target ? host.groups.processes(target.group.path).length : 1;
      if (target === undefined || count === 0)
        return done(
          fault(
            'NoSuchProcess',
            unit,
            `has no ${change.whom === 'all' ? '' : `${change.whom} `}process to kill`,
            'see sctl status',
          ),
        );
      host.process.kill(call.id, target, change.signal);
      return done({ result: { what: 'kill', signalled: count } });
    }
    case 'reset-failed': {
      const units =
        change.units === 'all'
          ? tools.registry.units().map(({ name }) => name)
          : change.units.map((name) => tools.registry.graph.canonical(name));
      const known = units.filter((name) => tools.registry.unit(name) !== undefined);
      for (const name of known) call.post(`unit:${name}`, { type: 'reset-failed' });
      const [missing] = units.filter((name) => !known.includes(name));
      if (missing !== undefined)
        return done(fault('NoSuchUnit', missing, 'is not loaded', 'see sctl list-units --all'));
      return done({ result: { what: 'reset-failed', units: known } });
    }
    case 'unit-files': {
      const outcome = carryOutUnitFiles(tools, change);
      if (change.reload && 'result' in outcome) loadAgain(tools, call);
      return done(outcome);
    }
    case 'daemon-reload':
      return done({ result: { what: 'daemon-reload', findings: loadAgain(tools, call) } });
    case 'daemon-reexec':
      done({ result: { what: 'daemon-reexec' } });
      call.post('manager', { type: 'leave', cores: host.hello.cores });
      return;
    case 'init-reexec':
      host.init.reexecInit(change.path);
      return done({ result: { what: 'init-reexec' } });
    case 'shutdown': {
      const ending = { kind: change.verb, status: change.status, argument: change.argument };
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

/** The generators to run now, with their three directories made anew. */
function generators({ host, registry, generatorDirectories }: ManagerTools): readonly Generator[] {
  const { spawns, directories, findings } = planGenerators({
    files: host.files,
    facts: host.facts,
    paths: registry.loader.paths,
    ...(generatorDirectories === undefined ? {} : { directories: generatorDirectories }),
  });
  for (const { what, why, at } of findings) host.log.log('info', { what, file: at?.file }, why);
  if (spawns.length === 0) return [];
  for (const directory of Object.values(directories)) {
    host.files.removeTree(directory);
    host.files.mkdirs(directory, 0o755);
  }
  return spawns.map(({ path, argv, environment }) => ({ path, argv, environment }));
}

/** End in order: tell init that the stop phase begins, and start the target that stops everything. */
function beginEnding(tools: ManagerTools, call: EffectCall, ending: Ending): void {
  const target = TARGETS[ending.kind];
  tools.host.init.shutdown(ending.kind, STOP_PHASE_MS, false, ending.status, ending.argument);
  bringIn(tools, call, [target]);
  if (tools.registry.unit(target)?.loadState === 'loaded') {
    request(call, 'start', target, 'replace-irreversibly', `${ending.kind} was asked for`);
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
      listGenerators: effect((call) => call.post('manager', { type: 'generators', generators: generators(tools) })),
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
        bringIn(tools, call, tools.boot.first);
        for (const unit of tools.boot.first) request(call, 'start', unit, 'replace', 'the boot');
        call.post('manager', { type: 'first-asked' });
      }),
      startUp: effect((call) => {
        bringIn(tools, call, [tools.boot.defaultTarget]);
        unitsRead(host.clock.realMs());
        request(call, 'start', tools.boot.defaultTarget, 'replace', 'the boot');
      }),
      loadAgain: effect((call) => void loadAgain(tools, call)),
      carryOut: effect((call, { key, by, change }: { key: string; by: string; change: Change }) => {
        try {
          carryOut(tools, call, key, by, change);
        } catch (error) {
          if (error instanceof ManagerError) {
            call.post('manager', { type: 'carried-out', key, answer: { error: error.fault } });
            return;
          }
          const why = error instanceof HostError ? error.message : String(error);
          call.post('manager', {
            type: 'carried-out',
            key,
            answer: fault('Failed', '', `${change.what}: ${why}`, 'see the log of core'),
          });
        }
      }, 'once'),
      answer: effect((_call, { asker, answer }: { asker: { session: number; ticket: number }; answer: ChangeAnswer }) =>
        tools.answered(asker.session, asker.ticket, answer),
      ),
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
