/**
 * The manager: how core as a whole comes up, serves, and ends.
 *
 *   listing -generators-> generating -all exited-> beginning -asked-> running -shutdown-> stopping -now-> ending
 *
 * What is to run before all else (the log keeper) is asked for by itself, and the units are read only when its process has been
 * asked for: reading them takes longer than that, and the two then go on side by side.
 *
 * Changes that clients ask for are carried out by effects and answered once; the answer of a change with a request id is kept,
 * so that a client that lost its connection gets it again (law 5). Everything that has to be known after a crash is in the context.
 */
import { and, assign, enqueueActions, setup } from 'xstate';
import type { ShutdownKind } from '../host/ports.ts';
import type { JobResult } from '../jobs/types.ts';
import type { Asker, EngineAnswer, Errand } from './errands.ts';
import * as errands from './errands.ts';

/** A program to run before units are loaded; see src/units/generators.ts. */
export interface Generator {
  readonly path: string;
  readonly argv: readonly string[];
  readonly environment: readonly string[];
}

/** How the system is to end. */
export interface Ending {
  readonly kind: ShutdownKind;
  readonly status: number;
  readonly argument: string;
  /** Who asked for it; absent: a unit's action. */
  readonly by?: string;
}

export interface ManagerContext {
  readonly generators: readonly Generator[];
  /** How many of them have not ended. */
  readonly generating: number;
  readonly errands: readonly Errand[];
  readonly ending: Ending | null;
  /** CLOCK_MONOTONIC ms of core's start, of the end of loading, and of the first time no job was left. */
  readonly startedMs: number;
  readonly loadedMs: number | null;
  readonly finishedMs: number | null;
  readonly environment: readonly string[];
  /** How often units were loaded anew. */
  readonly reloads: number;
  /** Generators that run before units are loaded anew, and the changes that wait for it; absent: none do. */
  readonly regenerating?: Regenerating | null;
  /** Serials of generators that run, by their number; they are ended when their time is over. */
  readonly running?: Readonly<Record<string, number>>;
}

interface Regenerating {
  readonly generators: readonly Generator[];
  /** The number of the first of them; each run of generators has numbers of its own. */
  readonly from: number;
  readonly left: number;
  readonly keys: readonly Waiting[];
}

/** A change that waits for units to be loaded anew: its key, and its answer where that is known before. */
export type Waiting = string | { readonly key: string; readonly answer: unknown };

/** Numbers of generators at boot are below it. */
const RUNS_OF_BOOT = 10_000;

interface At {
  readonly atMs: number;
}

export type ManagerEvent =
  | (At & { readonly type: 'generators'; readonly generators: readonly Generator[] })
  | (At & {
      readonly type: 'exited' | 'spawn-failed';
      readonly run: number;
      readonly serial: number | null;
      readonly ended?: unknown;
    })
  | (At & { readonly type: 'deadline'; readonly name: string })
  /** What comes before all else has been requested. */
  | (At & { readonly type: 'first-asked' })
  /** A client's change; `key` is its request id, or unique. */
  | (At & {
      readonly type: 'change';
      readonly key: string;
      readonly asker: Asker;
      readonly by: string;
      readonly change: unknown;
    })
  /** The job engine's word on the request at `index` of the change `key`. */
  | (At & { readonly type: 'requested'; readonly key: string; readonly index: number; readonly said: EngineAnswer })
  | (At & { readonly type: 'job-over'; readonly job: number; readonly unit: string; readonly result: JobResult })
  | (At & { readonly type: 'progress'; readonly key: string; readonly progress: unknown })
  | (At & { readonly type: 'carried-out'; readonly key: string; readonly answer: unknown })
  /**
   * A change that must not be looked at twice, since it would find its own traces: what is to be done, and what it is answered with.
   * It is done once this is committed, and may then be done again (law 4).
   */
  | (At & { readonly type: 'decided'; readonly key: string; readonly deed: unknown })
  | (At & { readonly type: 'effect-failed'; readonly effect: string })
  | (At & { readonly type: 'forked'; readonly run: number; readonly serial: number })
  /** Load units anew, after these generators; `key`: the change that asked for it, or empty; `answer`: its, if it is known. */
  | (At & {
      readonly type: 'regenerate';
      readonly key: string;
      readonly generators: readonly Generator[];
      readonly answer?: unknown;
    })
  /** No job is left in the table. */
  | (At & { readonly type: 'idle' })
  /** Load units anew: SIGHUP, or a client's change that needs it. */
  | (At & { readonly type: 'reload' })
  | (At & { readonly type: 'environment'; readonly environment: readonly string[] })
  /** A signal to init: CTRL-ALT-DEL (INT), TERM, PWR, RTMIN+n (systemd(1), "Signals"). */
  | (At & { readonly type: 'signal'; readonly signal: number })
  | (At & {
      readonly type: 'unit-action';
      readonly unit: string;
      readonly action: string;
      readonly exitStatus: number | null;
      readonly rebootArgument: string;
    })
  /** Core is to be started anew; `cores`: the number of the one that is meant. */
  | (At & { readonly type: 'leave'; readonly cores: number })
  /** End in order, through the target. */
  | (At & { readonly type: 'shutdown'; readonly ending: Ending })
  /** End now: the units' stop phase is over, or is to be cut short. */
  | (At & { readonly type: 'end'; readonly ending: Ending });

/** systemd's DefaultTimeoutStartSec=, for all generators together. */
const GENERATORS_MS = 90_000;

const effect =
  <Params = undefined>() =>
  (_: unknown, _params: Params) => {};

/** What the actions of emergency_action mean (systemd.unit(5), FailureAction=); undefined: none of ours. */
function endingOf(
  action: string,
  exitStatus: number | null,
  argument: string,
): { readonly ending: Ending; readonly how: 'order' | 'now' } | undefined {
  const [word, manner] = action.split('-');
  const kinds: Record<string, ShutdownKind> = {
    poweroff: 'poweroff',
    reboot: 'reboot',
    exit: 'exit',
    halt: 'halt',
    kexec: 'kexec',
  };
  const kind = kinds[word ?? ''];
  if (kind === undefined) return undefined;
  // The status is for whoever waits for an exit; a container that is powered off has ended well.
  const status = kind === 'exit' ? (exitStatus ?? 0) : 0;
  return { ending: { kind, status, argument }, how: manner === undefined ? 'order' : 'now' };
}

/** What a signal to init asks for (systemd(1), "Signals"); undefined: nothing we know. */
export function wishOf(
  signal: number,
): { readonly ending: Ending } | { readonly start: string } | { readonly reload: true } | undefined {
  const end = (kind: ShutdownKind) => ({ ending: { kind, status: 0, argument: '', by: `signal ${signal} to init` } });
  switch (signal) {
    case 1:
      return { reload: true };
    case 2:
      return { start: 'ctrl-alt-del.target' };
    case 15:
      return end('poweroff');
    case 30:
      return { start: 'sigpwr.target' };
    case 34 + 0:
      return { start: 'default.target' };
    case 34 + 1:
      return { start: 'rescue.target' };
    case 34 + 2:
      return { start: 'emergency.target' };
    case 34 + 3:
      return end('halt');
    case 34 + 4:
      return end('poweroff');
    case 34 + 5:
      return end('reboot');
    case 34 + 6:
      return end('kexec');
    default:
      return undefined;
  }
}

/** Serials of generators that run, without the one whose end this is. */
const without = (running: Readonly<Record<string, number>> | undefined, event: ManagerEvent) =>
  Object.fromEntries(Object.entries(running ?? {}).filter(([run]) => !('run' in event) || Number(run) !== event.run));

const errandOf = (context: ManagerContext, key: string) => errands.find(context.errands, key);

const chart = setup({
  types: {} as {
    context: ManagerContext;
    events: ManagerEvent;
    input: { atMs: number; environment: readonly string[] };
  },
  actions: {
    listGenerators: effect(),
    spawnGenerator: effect<{ run: number; generator: Generator }>(),
    /** Start what comes before all else. Answered by `first-asked`, after its requests. */
    startFirst: effect(),
    /** Load the units and start the default target. */
    startUp: effect(),
    loadAgain: effect(),
    carryOut: effect<{ key: string; by: string; change: unknown }>(),
    perform: effect<{ key: string; deed: unknown }>(),
    answer: effect<{ asker: Asker; answer: unknown }>(),
    /** Start a unit by name, replacing what is in the way. */
    startUnit: effect<{ unit: string; mode: string; why: string }>(),
    /** Tell init that the stop phase has begun, and start the target of this ending. */
    beginEnding: effect<Ending>(),
    endNow: effect<Ending>(),
    /** Make room for the next core; only the core with this number does, so that it is done once. */
    leave: effect<{ cores: number }>(),
    log: effect<{ level: string; message: string }>(),
    /** Units are loaded anew, and the changes answered that wait for it. */
    finishReload: effect<{ keys: readonly Waiting[] }>(),
    /** Say how a generator ended, unless it ended well. */
    tellGenerator: effect<{ path: string; ended: unknown }>(),
    killGenerators: effect<{ serials: readonly number[] }>(),
    armDeadline: effect<{ name: string; ms: number | 'infinity' }>(),
    disarmDeadline: effect<{ name: string }>(),
    takeGenerators: assign({
      generators: (_, generators: readonly Generator[]) => generators,
      generating: (_, generators: readonly Generator[]) => generators.length,
    }),
    noteRunning: assign({
      running: ({ context }, { run, serial }: { run: number; serial: number }) => ({
        ...context.running,
        [run]: serial,
      }),
    }),
    setRegenerating: assign({ regenerating: (_, regenerating: Regenerating | null) => regenerating }),
    countDown: assign({
      generating: ({ context }) => context.generating - 1,
      running: ({ context, event }) => without(context.running, event),
    }),
    countReloadDown: assign({
      regenerating: ({ context }) => ({ ...context.regenerating!, left: context.regenerating!.left - 1 }),
      running: ({ context, event }) => without(context.running, event),
    }),
    setLoaded: assign({ loadedMs: (_, atMs: number) => atMs }),
    setFinished: assign({ finishedMs: ({ context }, atMs: number) => context.finishedMs ?? atMs }),
    setEnding: assign({ ending: (_, ending: Ending) => ending }),
    setEnvironment: assign({ environment: (_, environment: readonly string[]) => environment }),
    countReload: assign({ reloads: ({ context }) => context.reloads + 1 }),
    noteErrand: assign({ errands: ({ context }, errand: Errand) => errands.put(context.errands, errand) }),
    noteAnswer: assign({
      errands: ({ context }, { key, answer }: { key: string; answer: unknown }) =>
        errands.answered(context.errands, key, answer),
    }),
  },
  guards: {
    ofBoot: ({ event }) => 'run' in event && event.run < RUNS_OF_BOOT,
    ofReload: ({ context, event }) =>
      'run' in event &&
      (context.regenerating ?? null) !== null &&
      event.run >= context.regenerating!.from &&
      !(event.type === 'spawn-failed' && event.serial !== null),
    lastGenerator: ({ context }) => context.generating <= 1,
    noGenerators: ({ event }) => event.type === 'generators' && event.generators.length === 0,
    hasProcess: ({ event }) => event.type === 'spawn-failed' && event.serial !== null,
    isAnswered: ({ context, event }) => event.type === 'change' && errandOf(context, event.key)?.answer !== undefined,
    isInHand: ({ context, event }) => event.type === 'change' && errandOf(context, event.key) !== undefined,
  },
});

/** A generator has ended, or could not be started. */
const bootGeneratorEnded = chart.enqueueActions(({ context, event, enqueue }) => {
  if (event.type !== 'exited' && event.type !== 'spawn-failed') return;
  enqueue('countDown');
  const path = context.generators[event.run]?.path ?? '';
  enqueue({ type: 'tellGenerator', params: { path, ended: event.ended ?? null } });
});

/** The same of one that runs before units are loaded anew: after the last one they are. */
const reloadGeneratorEnded = chart.enqueueActions(({ context, event, enqueue }) => {
  if (event.type !== 'exited' && event.type !== 'spawn-failed') return;
  const { generators, from, left, keys } = context.regenerating!;
  const path = generators[event.run - from]?.path ?? '';
  enqueue({ type: 'tellGenerator', params: { path, ended: event.ended ?? null } });
  enqueue('countReloadDown');
  if (left > 1) return;
  enqueue({ type: 'disarmDeadline', params: { name: 'regenerate' } });
  enqueue({ type: 'setRegenerating', params: null });
  enqueue({ type: 'finishReload', params: { keys } });
});

export const managerMachine = chart.createMachine({
  id: 'manager',
  context: ({ input }) => ({
    generators: [],
    generating: 0,
    errands: [],
    ending: null,
    startedMs: input.atMs,
    loadedMs: null,
    finishedMs: null,
    environment: input.environment,
    reloads: 0,
  }),
  initial: 'listing',
  on: {
    change: [
      {
        guard: 'isAnswered',
        actions: {
          type: 'answer',
          params: ({ context, event }) => ({ asker: event.asker, answer: errandOf(context, event.key)!.answer }),
        },
      },
      {
        guard: 'isInHand', // the client came back before the answer: it goes to the new session
        actions: {
          type: 'noteErrand',
          params: ({ context, event }) => ({ ...errandOf(context, event.key)!, asker: event.asker }),
        },
      },
      {
        actions: [
          {
            type: 'noteErrand',
            params: ({ event }) => errands.begin(event.key, event.asker, event.by, event.change),
          },
          { type: 'carryOut', params: ({ event }) => ({ key: event.key, by: event.by, change: event.change }) },
        ],
      },
    ],
    decided: { actions: { type: 'perform', params: ({ event }) => ({ key: event.key, deed: event.deed }) } },
    progress: {
      guard: ({ context, event }) => errandOf(context, event.key) !== undefined,
      actions: {
        type: 'answer',
        params: ({ context, event }) => ({ asker: errandOf(context, event.key)!.asker, answer: event.progress }),
      },
    },
    'carried-out': {
      guard: ({ context, event }) => errandOf(context, event.key) !== undefined,
      actions: [
        {
          type: 'answer',
          params: ({ context, event }) => ({ asker: errandOf(context, event.key)!.asker, answer: event.answer }),
        },
        { type: 'noteAnswer', params: ({ event }) => ({ key: event.key, answer: event.answer }) },
      ],
    },
    requested: {
      guard: ({ context, event }) =>
        errandOf(context, event.key)?.answer === undefined && errandOf(context, event.key) !== undefined,
      actions: enqueueActions(({ context, event, enqueue }) => {
        const errand = errands.requested(errandOf(context, event.key)!, event.index, event.said);
        enqueue({ type: 'noteErrand', params: errand });
        const answer = errands.requestAnswer(errand);
        if (answer === undefined) return;
        enqueue({ type: 'answer', params: { asker: errand.asker, answer } });
        enqueue({ type: 'noteAnswer', params: { key: errand.key, answer } });
      }),
    },
    'job-over': {
      guard: ({ context, event }) => context.errands.some((errand) => errands.waitsFor(errand, event.job)),
      actions: enqueueActions(({ context, event, enqueue }) => {
        for (const waiting of context.errands.filter((errand) => errands.waitsFor(errand, event.job))) {
          const errand = errands.jobOver(waiting, event.job, event.result);
          enqueue({ type: 'noteErrand', params: errand });
          const answer = errands.requestAnswer(errand);
          if (answer === undefined) continue;
          enqueue({ type: 'answer', params: { asker: errand.asker, answer } });
          enqueue({ type: 'noteAnswer', params: { key: errand.key, answer } });
        }
      }),
    },
    environment: { actions: { type: 'setEnvironment', params: ({ event }) => event.environment } },
    reload: { actions: ['countReload', 'loadAgain'] },
    forked: {
      actions: { type: 'noteRunning', params: ({ event }) => ({ run: event.run, serial: event.serial }) },
    },
    regenerate: {
      actions: enqueueActions(({ context, event, enqueue }) => {
        const { key, answer } = event;
        const keys: Waiting[] = key === '' ? [] : [answer === undefined ? key : { key, answer }];
        const now = context.regenerating ?? null;
        if (now !== null) {
          enqueue({ type: 'setRegenerating', params: { ...now, keys: [...now.keys, ...keys] } });
          return;
        }
        enqueue('countReload');
        if (event.generators.length === 0) {
          enqueue({ type: 'finishReload', params: { keys } });
          return;
        }
        const from = RUNS_OF_BOOT * (context.reloads + 1);
        const { generators } = event;
        enqueue({ type: 'setRegenerating', params: { generators, from, left: generators.length, keys } });
        enqueue({ type: 'armDeadline', params: { name: 'regenerate', ms: GENERATORS_MS } });
        for (const [index, generator] of generators.entries())
          enqueue({ type: 'spawnGenerator', params: { run: from + index, generator } });
      }),
    },
    exited: { guard: 'ofReload', actions: reloadGeneratorEnded },
    'spawn-failed': { guard: 'ofReload', actions: reloadGeneratorEnded },
    deadline: {
      guard: ({ context, event }) => event.name === 'regenerate' && (context.regenerating ?? null) !== null,
      actions: enqueueActions(({ context, enqueue }) => {
        enqueue({
          type: 'log',
          params: { level: 'warning', message: 'generators did not end in time; going on without them' },
        });
        enqueue({ type: 'killGenerators', params: { serials: Object.values(context.running ?? {}) } });
        enqueue({ type: 'setRegenerating', params: null });
        enqueue({ type: 'finishReload', params: { keys: context.regenerating!.keys } });
      }),
    },
    leave: { actions: { type: 'leave', params: ({ event }) => ({ cores: event.cores }) } },
    shutdown: { target: '.stopping', actions: { type: 'setEnding', params: ({ event }) => event.ending } },
    end: { target: '.ending', actions: { type: 'setEnding', params: ({ event }) => event.ending } },
    signal: [
      {
        guard: ({ event }) => 'ending' in (wishOf(event.signal) ?? {}),
        target: '.stopping',
        actions: {
          type: 'setEnding',
          params: ({ event }) => (wishOf(event.signal) as { ending: Ending }).ending,
        },
      },
      {
        guard: ({ event }) => 'start' in (wishOf(event.signal) ?? {}),
        actions: {
          type: 'startUnit',
          params: ({ event }) => ({
            unit: (wishOf(event.signal) as { start: string }).start,
            mode: 'replace-irreversibly',
            why: `signal ${event.signal} to init`,
          }),
        },
      },
      { guard: ({ event }) => 'reload' in (wishOf(event.signal) ?? {}), actions: ['countReload', 'loadAgain'] },
      {
        actions: {
          type: 'log',
          params: ({ event }) => ({ level: 'notice', message: `signal ${event.signal} means nothing here` }),
        },
      },
    ],
    'unit-action': [
      {
        guard: ({ event }) => endingOf(event.action, event.exitStatus, event.rebootArgument)?.how === 'now',
        target: '.ending',
        actions: {
          type: 'setEnding',
          params: ({ event, context }) => ({
            ...endingOf(event.action, event.exitStatus, event.rebootArgument)!.ending,
            // The target of an ending that a client asked for ends with the client's status and argument.
            ...(context.ending === null ? {} : { status: context.ending.status, argument: context.ending.argument }),
          }),
        },
      },
      {
        guard: ({ event }) => endingOf(event.action, event.exitStatus, event.rebootArgument)?.how === 'order',
        target: '.stopping',
        actions: {
          type: 'setEnding',
          params: ({ event }) => endingOf(event.action, event.exitStatus, event.rebootArgument)!.ending,
        },
      },
      {
        actions: {
          type: 'log',
          params: ({ event }) => ({ level: 'warning', message: `${event.unit}: action ${event.action}: not known` }),
        },
      },
    ],
  },
  states: {
    listing: {
      entry: 'listGenerators',
      on: {
        // A fault in the directories of generators must not keep the machine from booting; it has been reported.
        'effect-failed': 'beginning',
        generators: [
          { guard: 'noGenerators', target: 'beginning' },
          { target: 'generating', actions: { type: 'takeGenerators', params: ({ event }) => event.generators } },
        ],
      },
    },
    generating: {
      entry: enqueueActions(({ context, enqueue }) => {
        enqueue({ type: 'armDeadline', params: { name: 'generators', ms: GENERATORS_MS } });
        for (const [run, generator] of context.generators.entries())
          enqueue({ type: 'spawnGenerator', params: { run, generator } });
      }),
      exit: { type: 'disarmDeadline', params: { name: 'generators' } },
      on: {
        exited: [
          { guard: and(['ofBoot', 'lastGenerator']), target: 'beginning', actions: bootGeneratorEnded },
          { guard: 'ofBoot', actions: bootGeneratorEnded },
        ],
        'spawn-failed': [
          { guard: 'hasProcess' }, // its exit follows, and is counted
          { guard: and(['ofBoot', 'lastGenerator']), target: 'beginning', actions: bootGeneratorEnded },
          { guard: 'ofBoot', actions: bootGeneratorEnded },
        ],
        deadline: {
          target: 'beginning',
          actions: [
            {
              type: 'log',
              params: { level: 'warning', message: 'generators did not end in time; going on without them' },
            },
            { type: 'killGenerators', params: ({ context }) => ({ serials: Object.values(context.running ?? {}) }) },
          ],
        },
      },
    },
    beginning: {
      entry: 'startFirst',
      exit: { type: 'disarmDeadline', params: { name: 'first' } },
      on: {
        'effect-failed': 'running',
        // At once, but not before what the requests lead to in this turn.
        'first-asked': { actions: { type: 'armDeadline', params: { name: 'first', ms: 0 } } },
        deadline: 'running',
      },
    },
    running: {
      entry: ['startUp', { type: 'setLoaded', params: ({ event }) => event.atMs }],
      on: { idle: { actions: { type: 'setFinished', params: ({ event }) => event.atMs } } },
    },
    stopping: {
      entry: { type: 'beginEnding', params: ({ context }) => context.ending! },
    },
    ending: {
      entry: { type: 'endNow', params: ({ context }) => context.ending! },
      on: { shutdown: {}, signal: {}, 'unit-action': {}, end: {}, change: {} }, // too late for anything else
    },
  },
});
