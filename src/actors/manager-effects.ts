/**
 * What the manager's effects do: the boot, generators, the end of the system; and who does the rest. loading.ts brings units into
 * memory, carry-out.ts does the errands of clients, restoring.ts those of snapshots.
 */
import type { Change, ChangeAnswer } from '../api/manager.ts';
import type { Ended } from '../host/ports.ts';
import { type JobsState, jobsOf } from '../jobs/logic.ts';
import { givesWay } from '../jobs/refusals.ts';
import type { Asker } from '../machines/errands.ts';
import type { Ending, Generator, ManagerContext, Waiting } from '../machines/manager.ts';
import { managerMachine } from '../machines/manager.ts';
import { activeState, type UnitSnapshot } from '../machines/view.ts';
import { type ActorKind, type EffectCall, type EffectDef, machineLogic } from '../supervisor/index.ts';
import { answering, carryOut, type Deed, type ErrandTools, perform } from './carry-out.ts';
import { endWords } from './causes.ts';
import { CHAOS } from './chaos-logic.ts';
import { beginGenerators, generatorLog, wantedTarget } from './generating.ts';
import { bringIn, loadAgain, regenerate } from './loading.ts';
import { part, tagOf } from './names.ts';
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

export interface ManagerTools extends ErrandTools {
  readonly boot: Boot;
  /** Tell a client. */
  answered(session: number, ticket: number, answer: ChangeAnswer): void;
}

/** Up for as long as the system is, and in memory though nobody may name them. Slices come with the units in them. */
const EVER = ['-.mount', 'init.scope'] as const;

const request = (call: EffectCall, verb: string, unit: string, mode: string, by: string) =>
  call.post('jobs', { type: 'request', request: { verb, units: [unit], mode, by, automatic: true } });

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
  try {
    bringIn(tools, call, [target]);
  } catch (error) {
    // Whatever is wrong with unit files: who wants an end gets one.
    tools.host.log.log('error', { target, why: String(error) }, 'the units of this ending cannot be loaded');
  }
  const why = ending.by ?? `the action of a unit that asks for ${ending.kind}`;
  const refusal = tools.refusal({ verb: 'start', units: [target], mode: 'replace-irreversibly', by: why }, true);
  // Where jobs are in the way they are those of an ending that is under way.
  if (refusal === undefined || refusal.error === 'TransactionIsDestructive') {
    giveWay(tools, call, why);
    request(call, 'start', target, 'replace-irreversibly', why);
    return;
  }
  const { refused } = refusal;
  tools.host.log.log('warning', { target, refused }, 'this ending has no order to go by; what runs is ended at once');
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
        const output = { file: { path: generatorLog(host.facts), append: true, truncate: false } };
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
        const asked = keys.map((waiting) => (typeof waiting === 'string' ? waiting : waiting.key));
        const reloaded = answering(tools, call, asked, 'daemon-reload', () => loadAgain(tools, call));
        if (reloaded === undefined) return;
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
        host.log.log('warning', { path }, `generator ${how}; see ${generatorLog(host.facts)}`);
      }),
      killGenerators: effect((call, { serials }: { serials: readonly number[] }) => {
        for (const [index, child] of serials.entries())
          host.process.kill(part(call.id, index + 1), { process: { child } }, SIGKILL);
      }),
      carryOut: effect((call, { key, by, change }: { key: string; by: string; change: Change }) => {
        answering(tools, call, [key], change.what, () => carryOut(tools, call, key, by, change));
      }, 'once'),
      perform: effect((call, { key, deed }: { key: string; deed: Deed }) => {
        answering(tools, call, [key], deed.what, () => perform(tools, call, key, deed));
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
