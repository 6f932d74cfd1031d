/**
 * A life of real units as a scenario for crashes: what is played, and all that a crash may not change.
 */
import type { Host } from '../../src/host/ports.ts';
import { SIGNAL, type Sim, type SimState } from '../../src/host/sim/index.ts';
import { VirtualState } from '../../src/host/sim/state.ts';
import type { ServiceContext } from '../../src/machines/service-context.ts';
import type { ActorHost, Input } from '../../src/supervisor/index.ts';
import { differences, type Scenario } from './crash.ts';
import { insideOf, plainText, shifted } from './inside.ts';
import type { Life, Outside } from './lives/life.ts';
import { type Answered, bootCore, Clients, jobsNow, type Shown, shownUnits, simOptions } from './machine.ts';

/** How core works while the life is played: each cuts the same work at other places. */
export interface Variant {
  readonly name: string;
  /** Events of one turn. */
  readonly turnEvents?: number;
  /** The journal is folded beyond this many bytes. */
  readonly compactBytes?: number;
  /** Operations of an image that are made in one turn. */
  readonly foldOperations?: number;
  /** Time from one core to the next, in ms. */
  readonly restartMs?: number;
  /** Where the checkpoint is kept; default: in memory. */
  readonly state?: () => SimState;
}

/** A checkpoint that is always longer than it ought to be: whatever was written makes another image begin. */
function folding(): SimState {
  const state = new VirtualState();
  const get = () => (state.records.length > 0 ? Number.POSITIVE_INFINITY : 0);
  Object.defineProperty(state, 'appendedBytes', { get, set: () => {} });
  return state;
}

export const VARIANTS: readonly Variant[] = [
  { name: 'plain' },
  { name: 'single', turnEvents: 1 },
  { name: 'folded', state: folding, compactBytes: 0, foldOperations: 20 },
  { name: 'away', restartMs: 15 },
];

/** Of the lives in the sample each is played in one of them: the one that it asks for, or by its place. */
export const sampledIn = ({ closely }: Life, index: number): Variant =>
  VARIANTS.find(({ name }) => name === closely?.variant) ?? (VARIANTS[index % VARIANTS.length] as Variant);

/** All that must be the same. */
export interface RealEnd {
  readonly units: Readonly<Record<string, Shown>>;
  /** How each service's processes ended, how often it was started again, and what it has said. */
  readonly exits: readonly unknown[];
  /** Every process ever started, by program and tag (unit, role, how many-th). */
  readonly started: readonly string[];
  /** How every process has ended, and every signal that came to one. */
  readonly ended: readonly string[];
  readonly signals: readonly string[];
  readonly running: readonly string[];
  readonly answers: readonly unknown[];
  readonly jobs: readonly string[];
  /** Replies to clients beyond the one to each. */
  readonly surplus: number;
  readonly unacknowledged: number;
  /** How much init keeps for repeated effects, and watches. */
  readonly remembered: unknown;
  readonly deadlines: readonly unknown[];
  /** What is in init's store, and what waits there to be read. */
  readonly store: readonly string[];
  readonly waiting: readonly string[];
  /** What has happened to units, by the history: each change once, in the order of the unit. */
  readonly history: readonly string[];
  /** Files that core and services have written. */
  readonly files: Readonly<Record<string, string>>;
  readonly groups: readonly unknown[];
  /** What all actors know, and when it all was, by place. */
  readonly inside: unknown;
  readonly times: Readonly<Record<string, number>>;
  readonly plans: readonly unknown[];
  readonly environment: unknown;
  readonly ending: unknown;
  readonly tree: unknown;
  /** Errors and warnings that core has logged, each once; what a crash itself gives rise to is left out. */
  readonly complaints: readonly string[];
}

export function scenarioOf(life: Life, variant: Variant = { name: 'plain' }): Scenario<ActorHost, RealEnd> {
  const clients = new WeakMap<Sim, Clients>();
  /** Poison that is on offer, and core to take it: an input is offered until it is committed. */
  const poison = new WeakMap<Sim, { core: ActorHost | undefined; readonly inputs: Input[] }>();
  const { turnEvents, compactBytes, foldOperations, restartMs, state } = variant;
  const actors = {
    ...(turnEvents === undefined ? {} : { turnEvents }),
    ...(compactBytes === undefined ? {} : { compactBytes }),
    ...(foldOperations === undefined ? {} : { foldOperations }),
  };
  return {
    name: variant.name === 'plain' ? life.name : `${life.name} (${variant.name})`,
    sim: (deaths) => ({
      ...simOptions(life),
      // All in all no longer than what happens in a life lies apart.
      ...(restartMs === undefined ? {} : { restartMs: Math.ceil(restartMs / Math.max(1, deaths)) }),
      ...(state === undefined ? {} : { state: state() }),
    }),
    core(host: Host, sim) {
      const core = bootCore(host, actors, life.plugins);
      clients.get(sim)?.reconnect();
      const offered = poison.get(sim);
      if (offered !== undefined) {
        offered.core = core;
        sim.at(0, () => offered.inputs.forEach((input) => void core.input(input)));
      }
      return core;
    },
    script(sim) {
      clients.set(sim, new Clients(sim, life.wishes));
      const offered = { core: undefined as ActorHost | undefined, inputs: [] as Input[] };
      poison.set(sim, offered);
      for (const one of life.outside ?? []) {
        sim.at(one.atMs, () => {
          const more = offers(one, sim);
          if (more === undefined) return happen(sim, one as Happening);
          offered.inputs.push(...more);
          for (const input of more) if (sim.coreAlive) offered.core?.input(input);
        });
      }
    },
    forMs: life.forMs,
    ...(life.leaves === undefined ? {} : { leaves: life.leaves }),
    end: (sim, core) => endOf(life, sim, core, clients.get(sim) as Clients),
    differs(calm, crashed, sim) {
      const { times: wasAt, ...was } = calm;
      const { times: isAt, ...is } = crashed;
      // Without one of the two there is enough to tell.
      const lines = differences(was, is);
      if (lines.length > 0) return lines;
      return shifted(wasAt, isAt, sim.deaths * ((restartMs ?? life.restartMs ?? 1) + SLACK_MS)).slice(0, 20);
    },
    evenSo,
  };
}

/** What a death costs besides the time without a core: an event may come one tick later. */
const SLACK_MS = 1;

type Happening = Exclude<Outside, { readonly poison: string } | { readonly tell: string }>;

/** What is told to actors without anybody outside; undefined: it happens in the world. */
function offers(one: Outside, sim: Sim): readonly Input[] | undefined {
  if ('tell' in one)
    return [{ key: `told ${one.tell} ${one.atMs}`, events: [{ to: one.tell, event: one.event(sim) }] }];
  return 'poison' in one ? Array.from({ length: one.times }, (_, n) => poisonOf(one.poison, n)) : undefined;
}

const poisonOf = (name: string, n: number): Input => ({
  key: `poison ${name} ${n}`,
  events: [{ to: `unit:${name}`, event: { type: 'exited', process: null } }],
});

function happen(sim: Sim, outside: Happening): void {
  if ('connect' in outside) sim.connect(outside.connect);
  else if ('write' in outside) sim.files.writeText(outside.write, outside.text, 0o644);
  else if ('remove' in outside) sim.files.remove(outside.remove);
  else if ('init' in outside) sim.init.signal(outside.init);
  else {
    const target = sim.processes.all().find(({ unit }) => unit === outside.kill);
    if (target !== undefined) sim.signal(target.pid, outside.signal);
    // Where core has died, its unit may have been set aside by law.
    else if (sim.deaths === 0) throw new Error(`${outside.kill} has no process to kill`);
  }
}

/**
 * Law 7 may cost a step or a unit. It may not start a process twice, leave one to nobody, keep a client waiting or a record
 * from being acknowledged.
 */
function evenSo(sim: Sim, calm: RealEnd, end: RealEnd): readonly string[] {
  // Where the end of the system has come, whoever asked on is told by there being nobody any more.
  const gone = sim.init.end?.now === true;
  const faults = end.answers.flatMap((answer, index) =>
    // One that asks nothing in the calm run has no answer there either.
    !gone && (answer ?? false) === false && (calm.answers[index] ?? false) !== false
      ? [`client ${index} was not answered`]
      : [],
  );
  if (end.surplus > 0) faults.push('a client was answered twice');
  if ((end.unacknowledged ?? 0) > calm.unacknowledged) faults.push('records are not acknowledged');
  for (const { path, unit } of sim.processes.all())
    if (end.units !== undefined && end.units[unit] === undefined)
      faults.push(`${path} belongs to ${unit}, which core does not know`);
  const started = sim.started.map(({ path, tag }) => `${path} ${tag}`);
  const wanted = new Set(calm.started);
  const seen = new Set<string>();
  for (const one of started) {
    if (one.endsWith('undefined') || !wanted.has(one)) continue;
    if (seen.has(one)) faults.push(`${one} was started twice`);
    seen.add(one);
  }
  return faults;
}

function endOf(life: Life, sim: Sim, core: ActorHost, clients: Clients): RealEnd {
  const end = wholeEnd(life, sim, core, clients);
  // Init has ended the system: no core comes back to tell of it, and what the last one did not write nobody misses.
  if (sim.init.end?.now !== true) return end;
  const { started, ended, signals, running, answers, surplus, files, complaints, ending, times } = end;
  const seen = { started, ended, signals, running, answers, surplus, files, complaints };
  const outside = Object.fromEntries(Object.entries(times).filter(([place]) => place.startsWith(OUTSIDE)));
  return { ...seen, ending: (ending as unknown[])[2], times: outside } as unknown as RealEnd;
}

function wholeEnd(life: Life, sim: Sim, core: ActorHost, clients: Clients): RealEnd {
  const manager = core.read<{ value: unknown; context: { environment: unknown; ending: unknown } }>('manager');
  const { known, times } = insideOf(core);
  const history = historyOf(core);
  const { started, ends, signals } = sim.processes;
  const world = [
    ...started.map((one) => ({ text: `start of ${one.path} ${one.tag}`, atMs: one.atMs })),
    ...ends.map(({ process: { path, tag }, ended, atMs }) => ({
      text: `end of ${path} ${tag} ${JSON.stringify(ended)}`,
      atMs,
    })),
    // A SIGCONT follows a SIGTERM, and may find that process gone.
    ...signals
      .filter(({ signal }) => signal !== SIGNAL.CONT)
      .map(({ process: { path, tag }, signal, atMs }) => ({ text: `${signal} to ${path} ${tag}`, atMs })),
  ];
  const texts = (head: RegExp) => world.flatMap(({ text }) => (head.test(text) ? [text] : [])).toSorted();
  return {
    units: shownUnits(core),
    exits: core.list('unit:').flatMap((id) => {
      const context = core.read<{ context: Partial<ServiceContext> }>(id)?.context;
      if (context?.commands === undefined) return [];
      const commands = Object.entries(context.commands).map(([list, all]) => [list, all.map((one) => one?.ended)]);
      const { mainStatus, nRestarts, fds, status } = context as Partial<ServiceContext> & Record<string, unknown>;
      return [[id, mainStatus?.ended, nRestarts, commands, fds, status]];
    }),
    started: texts(/^start of /),
    ended: texts(/^end of /),
    signals: texts(/^\d+ to /),
    running: sim.processes
      .all()
      .map(({ path, unit, group }) => `${path} ${unit} in ${group}`)
      .toSorted(),
    answers: life.wishes.map((wish, index) =>
      'asks' in wish && wish.asks === true ? clients.answer(index) !== undefined : answerOf(clients.answer(index)),
    ),
    surplus: clients.surplus,
    jobs: jobsNow(core).map(({ unit, type, state }) => `${type} ${unit} ${state}`),
    unacknowledged: sim.init.records().length,
    remembered: sim.init.remembers,
    deadlines: core.list('').map((id) => [id, Object.keys(core.deadlines(id)).toSorted()]),
    store: sim.init.hello().fds,
    waiting: sim.init.hello().fds.flatMap((name) => {
      const count = sim.sockets.datagrams(name).length + sim.sockets.waiting(name);
      return count === 0 ? [] : [`${name} ${count}`];
    }),
    history: history.map(({ text }) => text),
    files: withoutTimes(sim.files.contents()),
    groups: sim.processes.groups().map((path) => [path, sim.processes.attributes(path)]),
    inside: known,
    times: { ...times, ...timesOf('history', history), ...timesOf(OUTSIDE, world) },
    plans: plansOf(core),
    environment: manager?.context.environment,
    ending: [manager?.value, manager?.context.ending, { ...sim.init.end, deadlineMs: undefined }],
    // A core that died at the very end tells of nothing.
    tree: sim.coreAlive ? treeOf(core) : undefined,
    complaints: [
      ...new Set(
        sim.log
          .filter(({ level, message }) => (level === 'error' || level === 'warning') && !OF_CRASHES.has(message))
          .map(({ message, fields }) => {
            const told: Record<string, unknown> = { ...fields, seq: undefined, id: undefined, detail: undefined };
            const what = plainText(message);
            // Its number is lost with the words for it.
            return plainText(`${what} ${JSON.stringify(what === message ? told : { ...told, errno: undefined })}`);
          }),
      ),
    ].toSorted(),
  };
}

/** Times in files are those of the run. */
const withoutTimes = (files: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.entries(files).map(([path, text]) => [path, text.replaceAll(/"(\w+[UM]s)": ?\d+/g, '"$1":0')]),
  );

/** What core says because it was away. */
const OF_CRASHES: ReadonlySet<string> = new Set(['checkpoint-note', 'checkpoint-refused', 'state-fresh']);

/**
 * An answer without the numbers of jobs, which a crash may shift where they do not wait for each other, and without what a reload has
 * changed: a core that came back has read the files as they are by then, and finds less.
 */
function answerOf(answer: Answered | undefined): unknown {
  const outcomes = answer?.parameters?.outcomes;
  if (answer?.parameters?.['changes'] !== undefined) return { reloaded: answer.parameters['findings'] };
  if (answer?.parameters?.['untilUs'] !== undefined) return { ...answer.parameters, untilUs: 'a time' };
  return withoutNumbers(outcomes === undefined ? answer : outcomes.map(({ job: _, ...rest }) => rest));
}

/** Jobs are named in texts as well, and listed by what is canceled. */
const withoutNumbers = (value: unknown): unknown =>
  value === undefined
    ? undefined
    : JSON.parse(JSON.stringify(value), (key, inner: unknown) => {
        if (typeof inner === 'string') return plainText(inner);
        return key === 'canceled' && Array.isArray(inner) ? inner.length : inner;
      });

interface Happened {
  readonly kind: string;
  readonly n: number;
  readonly atMs: number;
  readonly unit: string;
  readonly [field: string]: unknown;
}

interface At {
  readonly text: string;
  readonly atMs: number;
}

/** Places of times in the world, not in core. */
const OUTSIDE = 'the world: ';

/** Each by what happened, and which time it happened. */
function timesOf(head: string, all: readonly At[]): Readonly<Record<string, number>> {
  const times: Record<string, number> = {};
  for (const { text, atMs } of all) {
    let count = 1;
    while (times[`${head}${text} (${count})`] !== undefined) count += 1;
    times[`${head}${text} (${count})`] = atMs;
  }
  return times;
}

/** Order is kept within a unit, and given up between them. */
function historyOf(core: ActorHost): readonly At[] {
  const state = core.read<{ history: unknown }>('events');
  const records = JSON.parse(JSON.stringify(state?.history ?? null)) as unknown;
  const lines: (At & { readonly unit: string })[] = [];
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(walk);
    else if (typeof value === 'object' && value !== null) {
      const { kind, n, atMs, unit, job: _, ...rest } = value as Happened;
      if (typeof kind !== 'string' || typeof n !== 'number') Object.values(value).forEach(walk);
      else if (kind !== 'core') lines.push({ unit, atMs, text: `${unit}: ${kind} ${plainText(JSON.stringify(rest))}` });
    }
  };
  walk(records);
  return lines
    .map((line, index) => ({ ...line, index }))
    .toSorted((a, b) => (a.unit < b.unit ? -1 : a.unit > b.unit ? 1 : a.index - b.index));
}

/** Plans that are kept, and those that wait to be confirmed, without times. */
function plansOf(core: ActorHost): readonly unknown[] {
  const state = core.read<{ plans: unknown; confirmations: unknown }>('jobs');
  const idsIn = (value: unknown): readonly string[] =>
    [...JSON.stringify(value ?? null).matchAll(/"id":"([0-9a-f]{12})"/g)].map(([, id]) => id ?? '');
  return [idsIn(state?.plans), idsIn(state?.confirmations)];
}

/** The supervision tree: who is where, and in what phase. */
function treeOf(core: ActorHost): unknown {
  const lines: string[] = [];
  const walk = (node: { id: string; phase: unknown; children: readonly unknown[] }, depth: number): void => {
    if (depth > 8) return;
    lines.push(`${node.id} ${JSON.stringify(node.phase)}`);
    for (const child of node.children) walk(child as typeof node, depth + 1);
  };
  const root = core.tree();
  if (root !== undefined) walk(root as never, 0);
  return lines.toSorted();
}
