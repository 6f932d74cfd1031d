/**
 * The errands of clients: what each change that somebody asks for comes to. What may be looked at twice is done at once; what looking
 * again would answer otherwise is decided first, and performed when that is committed.
 */
import { type ApiError, type Change, type ChangeAnswer, ManagerError } from '../api/manager.ts';
import { HostError, type KillTarget } from '../host/ports.ts';
import type { JobsState } from '../jobs/logic.ts';
import * as paged from '../jobs/paged.ts';
import type { ServiceContext } from '../machines/service-context.ts';
import { refOf } from '../machines/service-context.ts';
import type { EffectCall } from '../supervisor/index.ts';
import { adoptOne } from './adoption.ts';
import { beginChaos, type ChaosTools, plainNames } from './chaos.ts';
import { CHAOS } from './chaos-logic.ts';
import { planAnswer } from './jobs.ts';
import { bringIn, previewReload, regenerate } from './loading.ts';
import type { JobsView } from './manager.ts';
import { readNotes } from './notes.ts';
import { specOf } from './registry.ts';
import { type RestoringTools, restoreAsked, unitsOf } from './restoring.ts';
import type { UnitTools } from './unit-effects.ts';
import { linkUnitFiles, planUnitFiles } from './unit-files.ts';
import { UPGRADE } from './upgrade.ts';

export interface ErrandTools extends RestoringTools, Pick<UnitTools, 'group'>, Pick<JobsView, 'keepable' | 'refusal'> {
  readonly chaos: ChaosTools;
}

const fault = (error: ApiError['error'], unit: string, why: string, todo: string): ChangeAnswer => ({
  error: { error, unit, why, todo },
});

/** A unit whose own state cannot be used begins anew once it is released, and is told what there is of it. */
function takeOver({ host, registry }: ErrandTools, call: EffectCall, name: string): void {
  const unit = registry.unit(name);
  if (unit === undefined) return;
  const { settings } = specOf(unit);
  call.post(`unit:${name}`, { type: 'settings', settings });
  for (const event of adoptOne(host, unit, readNotes(host))) call.post(`unit:${name}`, { ...event });
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
function killTarget(tools: ErrandTools, name: string, whom: 'main' | 'control' | 'all') {
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

/**
 * What a change has come to, where looking again would find its own traces and answer otherwise: what is to be done, and the
 * answer. Carried out by {@link perform} once it is committed.
 */
export type Deed =
  | { readonly what: 'kill'; readonly target: KillTarget; readonly signal: number; readonly answer: ChangeAnswer }
  | { readonly what: 'remove-snapshot'; readonly name: string; readonly answer: ChangeAnswer }
  | {
      readonly what: 'unit-files';
      readonly links: ReturnType<typeof planUnitFiles>['links'];
      readonly reload: boolean;
      readonly answer: ChangeAnswer;
    };

/** Do what was decided: init sends a signal once, the others may be done twice. */
export function perform(tools: ErrandTools, call: EffectCall, key: string, deed: Deed): void {
  if (deed.what === 'kill') tools.host.process.kill(call.id, deed.target, deed.signal);
  else if (deed.what === 'remove-snapshot') tools.snapshots.remove(deed.name);
  else {
    linkUnitFiles(tools, deed.links);
    if (deed.reload) return regenerate(tools, call, key, deed.answer);
  }
  call.post('manager', { type: 'carried-out', key, answer: deed.answer });
}

/** Do what a change asks for; the answer is posted, at once or by whoever knows it later. */
export function carryOut(tools: ErrandTools, call: EffectCall, key: string, by: string, change: Change): void {
  const done = (answer: ChangeAnswer) => call.post('manager', { type: 'carried-out', key, answer });
  const decided = (deed: Deed) => call.post('manager', { type: 'decided', key, deed });
  switch (change.what) {
    case 'request':
      return bringIn(
        tools,
        call,
        change.requests.flatMap(({ units }) => units),
        () => {
          for (const [index, one] of change.requests.entries())
            call.post('jobs', { type: 'request', request: { ...one, by }, client: { errand: key, index } });
        },
      );
    case 'keep-plan': {
      const request = { ...change.request, by };
      tools.registry.look(unitsOf(request));
      const said = tools.keepable(request, change.id);
      if ('refused' in said) return done(planAnswer('keep-plan', said));
      call.post('jobs', { type: 'keep-plan', plan: said.plan, client: { errand: key } });
      return;
    }
    case 'apply': {
      const plans = tools.actors().read<JobsState>('jobs')?.plans ?? paged.EMPTY;
      const plan = change.wish.plan ?? paged.get(plans, change.wish.id);
      const considered = plan === undefined ? [] : unitsOf(plan.request);
      const apply = { type: 'apply', wish: { ...change.wish, by }, client: { errand: key, index: 0 }, considered };
      return bringIn(tools, call, considered, () => call.post('jobs', apply));
    }
    case 'confirm':
      call.post('jobs', { type: 'confirm', id: change.id, by, client: { errand: key } });
      return;
    case 'snapshot':
      if (change.verb === 'delete') {
        // One that cannot be read can be deleted; of one that is not there this tells.
        if (!tools.snapshots.names().includes(change.name)) tools.snapshots.read(change.name);
        const answer: ChangeAnswer = { result: { what: 'snapshot', name: change.name } };
        if (change.dryRun) return done(answer);
        return decided({ what: 'remove-snapshot', name: change.name, answer });
      }
      if (change.dryRun) tools.snapshots.mayBeSaved(change.name);
      else tools.snapshots.save(change.name, by);
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
      if (change.dryRun === true) return done({ result: { what: 'kill', signalled: count } });
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
        const phase = tools.actors().phase(`unit:${name}`);
        const isLost = phase !== undefined && tools.actors().read(`unit:${name}`) === undefined;
        if (phase === 'quarantined' || isLost) call.post('units', { type: 'release', name });
        if (isLost) takeOver(tools, call, name);
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

/** What goes wrong is the answer to those who asked, and undefined. */
export function answering<T>(
  { host }: Pick<ErrandTools, 'host'>,
  call: EffectCall,
  keys: readonly string[],
  what: string,
  run: () => T,
): T | undefined {
  try {
    return run();
  } catch (error) {
    const why = error instanceof HostError ? error.message : String(error);
    if (!(error instanceof ManagerError)) host.log.log('error', { what, why }, 'a request could not be carried out');
    const answer =
      error instanceof ManagerError
        ? { error: error.fault }
        : fault('Failed', '', `${what}: ${why}`, 'see the log of core');
    for (const key of keys) call.post('manager', { type: 'carried-out', key, answer });
    return undefined;
  }
}
