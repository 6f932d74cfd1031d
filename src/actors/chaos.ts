/**
 * Chaos at work: whom a request hits, what is done to processes, and how the effects of units ask whether they are to fail.
 *
 * The rules are in chaos-rules.ts, the state in chaos-logic.ts. Nothing is done unless system.conf allows it at the moment it is
 * asked for; taking back is always allowed.
 */
import type { ChaosChoice, ChaosRun, ChaosSettings, ChaosWish } from '../api/chaos.ts';
import { globber, isGlob } from '../api/glob.ts';
import { type ApiErrorName, type ChangeAnswer, ManagerError } from '../api/manager.ts';
import { type Host, HostError, type KillTarget } from '../host/ports.ts';
import { unexpected } from '../jobs/react.ts';
import { fateOf, supervisorsOf } from '../jobs/supervise.ts';
import type { ManagerContext } from '../machines/manager.ts';
import type { ServiceContext } from '../machines/service-context.ts';
import { refOf } from '../machines/service-context.ts';
import { activeState, type UnitSnapshot } from '../machines/view.ts';
import type { ActorEvent, ActorHost, ActorKind, EffectCall } from '../supervisor/index.ts';
import { isUnitName } from '../units/names.ts';
import { CHAOS, type ChaosHooks, type ChaosState, chaosLogic, type Hit, type Run, stoppedOf } from './chaos-logic.ts';
import { type Candidate, draw, fault, faultWords, type Refused, RUNS_MAX, seedOf } from './chaos-rules.ts';
import { errnoNames, errnoOf } from './errno.ts';
import type { Registry } from './registry.ts';
import type { UnitTools } from './unit-effects.ts';

const [SIGKILL, SIGCONT, SIGSTOP] = [9, 18, 19];
/** Slices in slices, targets in targets: no more than this. */
const GROUPS_MAX = 4096;

export interface ChaosTools extends Pick<UnitTools, 'group' | 'invocation'> {
  readonly host: Host;
  readonly registry: Registry;
  readonly actors: () => ActorHost;
  /** What system.conf says now. */
  readonly settings: () => ChaosSettings;
}

const NO_CHAOS: ChaosState = { next: 1, runs: [] };
const stateOf = (actors: ActorHost): ChaosState => actors.read<ChaosState>(CHAOS) ?? NO_CHAOS;

/** What is under way, for people. */
export const chaosRuns = (actors: ActorHost): readonly ChaosRun[] =>
  stateOf(actors).runs.map(({ id, fault: wanted, core, hits, by, seed, fromMs, untilMs }) => ({
    ...{ id, by, seed, fromMs, untilMs },
    what: faultWords(wanted),
    fault: wanted.kind,
    core: core !== null,
    units: hits.map(({ unit }) => unit),
  }));

// ------------------------------------------------------------------------------------------------------- what is asked for

/** Services that a slice or a target stands for, through slices and targets below it. */
function membersOf({ registry }: ChaosTools, group: string): readonly string[] {
  const groups = new Set([group]);
  const found = new Set<string>();
  for (const one of groups) {
    const kinds = one.endsWith('.slice') ? (['SliceOf'] as const) : (['Wants', 'Requires'] as const);
    for (const { to } of kinds.flatMap((kind) => registry.jobGraph.edges(one, kind))) {
      if (to.endsWith('.service')) found.add(to);
      else if (/\.(slice|target)$/.test(to) && groups.size < GROUPS_MAX) groups.add(to);
    }
  }
  return [...found];
}

const loaded = ({ registry }: ChaosTools, unit: string): boolean => registry.unit(unit)?.loadState === 'loaded';

/** Words that are the name of one unit, which may have to be loaded first. */
export const plainNames = (words: readonly string[]): readonly string[] =>
  words.filter((word) => !isGlob(word) && isUnitName(word));

/** The units that the words of a request mean, sorted. Throws ManagerError for a name that means none. */
function namedUnits(tools: ChaosTools, words: readonly string[]): readonly string[] {
  const { registry } = tools;
  const found = new Set<string>();
  for (const word of words) {
    if (isGlob(word)) {
      const fits = globber([word]);
      for (const { name } of registry.units()) if (name.endsWith('.service') && fits(name)) found.add(name);
      continue;
    }
    const name = registry.graph.canonical(word);
    if (!loaded(tools, name))
      throw new ManagerError({
        error: 'NoSuchUnit',
        unit: word,
        why: `${word} is not loaded`,
        todo: 'see sctl list-units --all',
      });
    if (/\.(slice|target)$/.test(name)) for (const member of membersOf(tools, name)) found.add(member);
    else found.add(name);
  }
  return [...found].sort();
}

const contextOf = ({ actors }: ChaosTools, unit: string): Partial<ServiceContext> =>
  actors().read<{ context: Partial<ServiceContext> }>(`unit:${unit}`)?.context ?? {};

function candidateOf(tools: ChaosTools, name: string, state: ChaosState): Candidate {
  const unit = tools.registry.unit(name);
  const { main = null, watchdogMs } = contextOf(tools, name);
  const type = unit?.service?.Type ?? '';
  const watchdog = watchdogMs ?? unit?.service?.WatchdogSec ?? 0;
  const { groups } = tools.host;
  return {
    unit: name,
    service: unit?.service !== undefined && tools.actors().phase(`unit:${name}`) !== 'quarantined',
    main: refOf(main) !== null,
    populated: unit !== undefined && groups.available && groups.processes(tools.group(unit)).length > 0,
    notify: type === 'notify' || type === 'notify-reload',
    watchdog: watchdog > 0,
    under: state.runs.flatMap((run) => (run.hits.some((hit) => hit.unit === name) ? [run.fault.kind] : [])),
    along: alongWith(tools, name),
  };
}

/** What the rules of jobs and of supervisors do to others when a unit fails, and to others because of those. */
function alongWith(tools: ChaosTools, name: string): readonly string[] {
  const { registry, actors } = tools;
  const graph = registry.jobGraph;
  const active = (unit: string) => {
    const snapshot = actors().read<UnitSnapshot>(`unit:${unit}`);
    return snapshot === undefined ? 'inactive' : activeState(snapshot);
  };
  const world = { graph, states: { active }, hasJob: () => false };
  const failure = { nowMs: 0, how: '', failures: [], hopeless: false };
  const shares = supervisorsOf(world, name).flatMap((supervisor) => {
    const { others, stops } = fateOf(world, supervisor, name, failure);
    return [...others, ...stops];
  });
  const found = new Set([name, ...shares]);
  for (const unit of found) {
    if (found.size > GROUPS_MAX) break;
    const passage = { unit, before: 'active', after: 'failed', restarting: false } as const;
    for (const { units } of unexpected(world, passage)) for (const other of units) found.add(other);
  }
  found.delete(name);
  return [...found].sort();
}

/** Whom a signal to the unit is for; null: there is nobody. */
function targetOf(tools: ChaosTools, name: string, whom: 'main' | 'all'): KillTarget | null {
  const unit = tools.registry.unit(name);
  if (whom === 'all') return unit === undefined ? null : { group: { path: tools.group(unit), except: [] } };
  const process = refOf(contextOf(tools, name).main ?? null);
  return process === null ? null : { process };
}

const refusal = ({ refused, todo }: Refused, error: ApiErrorName = 'BadRequest'): ManagerError =>
  new ManagerError({ error, unit: '', why: refused, todo });

/** The step and the error of `fail_spawn` by the names that this host knows. */
function checkNames({ host }: ChaosTools, { fault: wanted }: ChaosWish): void {
  if (wanted.kind !== 'fail_spawn') return;
  const steps = Object.values(host.execSteps).map(({ name }) => name);
  if (!steps.includes(wanted.step))
    throw refusal({ refused: `${wanted.step} is no step of starting a process`, todo: `use ${steps.join(', ')}` });
  if (errnoOf(wanted.errno) === undefined)
    throw refusal({ refused: `${wanted.errno} is no error of it`, todo: `use ${errnoNames().join(', ')}` });
}

/** A request; throws ManagerError where it is refused, and posts what is to be done, which then answers `key`. */
export function beginChaos(tools: ChaosTools, call: EffectCall, key: string, by: string, wish: ChaosWish): void {
  const settings = tools.settings();
  const state = stateOf(tools.actors());
  if (!settings.enabled && !wish.dryRun)
    throw refusal(
      {
        refused: 'chaos is not enabled on this system',
        todo: `set Enabled=yes in the section [X-Chaos] of ${settings.path}; it counts at once. --dry-run needs no leave`,
      },
      'NotEnabled',
    );
  const value = tools.actors().read<{ value: unknown; context: ManagerContext }>('manager')?.value;
  if (value === 'stopping' || value === 'ending')
    throw refusal({ refused: 'the system is going down', todo: '' }, 'ShuttingDown');
  const wrong = fault(wish, settings);
  if (wrong !== undefined) throw refusal(wrong);
  checkNames(tools, wish);
  if (state.runs.length >= RUNS_MAX)
    throw refusal({ refused: `${RUNS_MAX} requests are under way`, todo: 'wait, or sctl chaos stop' }, 'Busy');
  const seed = (wish.seed ?? seedOf(key)) >>> 0;
  const candidates = wish.core ? [] : namedUnits(tools, wish.units).map((name) => candidateOf(tools, name, state));
  const under = new Set(state.runs.flatMap(({ hits }) => hits.map(({ unit }) => unit)));
  const drawn = wish.core
    ? { units: [], spared: [], along: [], forMs: wish.forMs ?? 0 }
    : draw(wish, settings, candidates, under, seed);
  if ('refused' in drawn) throw refusal(drawn);
  const forMs = wish.core && wish.forMs === undefined ? CORE_FOR_MS : drawn.forMs;
  const choice: ChaosChoice = {
    id: 0,
    what: faultWords(wish.fault),
    seed,
    units: drawn.units,
    spared: drawn.spared,
    along: drawn.along,
    untilMs: call.atMs + forMs,
    enabled: settings.enabled,
  };
  if (wish.dryRun) {
    const answer: ChangeAnswer = { result: { what: 'chaos', choice } };
    return call.post('manager', { type: 'carried-out', key, answer });
  }
  const { fault: wanted } = wish;
  const hits = drawn.units.map(
    (unit): Hit => ({
      unit,
      stopped: wanted.kind === 'hang' ? targetOf(tools, unit, wanted.whom) : null,
      held: null,
      spent: [],
    }),
  );
  const core = wish.core ? tools.host.hello.cores : null;
  call.post(CHAOS, { type: 'begin', key, choice, run: { fault: wanted, core, by, seed, hits, forMs } });
}

/** A hang of core that nobody says the length of: longer than init's default patience (CoreWatchdogSec=). */
const CORE_FOR_MS = 15_000;

// ------------------------------------------------------------------------------------------------------------ what is done

/** Kept outside the checkpoint, for a core that comes up without one. */
const keptPath = (host: Host): string => `${host.facts.runDirectory}/chaos-stopped.json`;

/** A core without a checkpoint finds what an earlier one had stopped, and lets it go on; undefined: nothing. */
export function recallOf(host: Host): ActorEvent | undefined {
  let targets: unknown;
  try {
    const text = host.files.readOwn(keptPath(host));
    if (text === undefined) return undefined;
    targets = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof HostError || error instanceof SyntaxError)) throw error;
    targets = undefined;
  }
  if (!Array.isArray(targets) || !targets.every(isTarget)) {
    host.log.log(
      'error',
      { path: keptPath(host) },
      'what chaos had stopped cannot be read; SIGCONT by hand lets it go on',
    );
    return undefined;
  }
  return targets.length === 0 ? undefined : { type: 'recall', targets };
}

function isTarget(value: unknown): value is KillTarget {
  if (typeof value !== 'object' || value === null) return false;
  const { group, process } = value as { group?: { path?: unknown; except?: unknown }; process?: object };
  if (group !== undefined) return typeof group.path === 'string' && Array.isArray(group.except);
  return typeof process === 'object' && process !== null;
}

/** Core hurts itself. Once: the next core is another one. */
function harmCore(host: Host, call: EffectCall, { core, kind, ms }: { core: number; kind: string; ms: number }): void {
  if (core !== host.hello.cores) return;
  if (kind === 'hang') {
    if (host.stall === undefined) throw new HostError('EOPNOTSUPP', 'a core that hangs');
    host.log.log('warning', { ms }, 'chaos: core hangs');
    host.stall(ms);
    return;
  }
  const stat = host.files.readText('/proc/self/stat') ?? '';
  const pid = Number.parseInt(stat, 10);
  const startTime = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  host.log.log('warning', { pid }, 'chaos: core is killed');
  host.process.kill(call.id, { process: { watched: [pid, startTime] } }, SIGKILL);
}

export function chaosKind(tools: ChaosTools): ActorKind {
  const { host } = tools;
  return {
    logic: chaosLogic,
    effects: {
      strike: {
        kind: 'once',
        run(call, { unit, whom, signal }: { unit: string; whom: 'main' | 'all'; signal: number }) {
          const target = targetOf(tools, unit, whom);
          if (target !== null) host.process.kill(call.id, target, signal);
        },
      },
      signal: {
        kind: 'once',
        run(call, { target, stop }: { target: KillTarget; stop: boolean }) {
          host.process.kill(call.id, target, stop ? SIGSTOP : SIGCONT);
        },
      },
      keep: {
        kind: 'idempotent',
        run(call) {
          const targets = stoppedOf(call.snapshot as ChaosState);
          if (targets.length === 0) host.files.remove(keptPath(host));
          else host.files.writeText(keptPath(host), `${JSON.stringify(targets)}\n`, 0o600);
        },
      },
      passOn: {
        kind: 'idempotent',
        run(call, { unit, invocation, event }: { unit: string; invocation: number; event: ActorEvent }) {
          // Of a life that is over: whoever was ready is gone.
          if (tools.invocation(unit) !== invocation) return;
          const { atMs: _, ...ready } = event;
          call.post(`unit:${unit}`, ready);
        },
      },
      harmCore: {
        kind: 'idempotent',
        run: (call, params: { core: number; kind: string; ms: number }) => harmCore(host, call, params),
      },
    },
  };
}

/** The hooks for the effects and inputs of units. */
export function chaosHooks(actors: () => ActorHost): ChaosHooks {
  /** Effects decided on by this core, by run and unit: several may be asked for in one turn, before the snapshot knows. */
  const decided = new Map<string, Set<string>>();
  const runsOf = (unit: string, kind: Run['fault']['kind']) =>
    stateOf(actors()).runs.filter((run) => run.fault.kind === kind && run.hits.some((hit) => hit.unit === unit));
  return {
    failing(unit, id) {
      const runs = runsOf(unit, 'fail_spawn');
      if (runs.length === 0) decided.clear();
      for (const { id: run, fault: wanted, hits } of runs) {
        if (wanted.kind !== 'fail_spawn') continue;
        const key = `${run} ${unit}`;
        const spent = new Set([...(hits.find((hit) => hit.unit === unit)?.spent ?? []), ...(decided.get(key) ?? [])]);
        if (!spent.has(id) && spent.size >= wanted.count) continue;
        decided.set(key, spent.add(id));
        return { run, step: wanted.step, errno: wanted.errno };
      }
      return undefined;
    },
    holding: (unit) => runsOf(unit, 'delay_ready')[0]?.id,
    mute: (unit) => runsOf(unit, 'drop_watchdog').length > 0,
  };
}
