/**
 * A .service unit.
 *
 *   dead -start-> condition -> start-pre -> start -> start-post -> running -> (exited)
 *     ^               '-----------+-----------'--------- stop, failure, timeout ----.    | reload, reload-signal, reload-notify
 *     |                                                                             |    | stop, or the service ends
 *     |                                                                             v    v
 *   dead | failed | auto-restart <- final-* <- stop-post <- stop-sigterm, -sigkill, -watchdog <- stop
 *
 * States and their order are systemd's (systemd.service(5); the names are its SubStates). Two rules shape the chart:
 *
 * - Events only note facts (a process is gone, the group is empty, READY=1 was said); `always` looks at the facts. So it does
 *   not matter in which order they arrive, and none can come at a wrong time.
 * - Every state that waits has a deadline, `infinity` only where the unit says so; each command has the whole time for itself,
 *   as with systemd 252. A state whose list of commands is empty is passed through at once.
 *
 * Known differences from systemd 252, all deliberate: a `start` during auto-restart starts at once instead of waiting for RestartSec=;
 * the last killing states wait for the whole control group where they have signalled it; a reload that times out while the service
 * says RELOADING=1 is over; WATCHDOG=trigger is obeyed only while there is something to watch;
 * a PID file that nobody is left to write fails the start at once (`protocol`), not when its time is over.
 */
import { setup } from 'xstate';
import { endedWell, type Past, startsTooOften } from './ends.ts';
import type { ActiveState, ExitedEvent, MainGoneEvent, ServiceEvent, SettingsEvent } from './protocol.ts';
import { newService, type ServiceContext, type ServiceList, type ServiceSettings } from './service-context.ts';
import { dropWatchdog, expectKeepAlive, hear, type Listens } from './service-notify.ts';
import * as rules from './service-rules.ts';
import * as steps from './service-steps.ts';
import { withEffects } from './turn.ts';

/** A guard on the facts alone. */
const when =
  (holds: (context: ServiceContext) => boolean) =>
  ({ context }: { context: ServiceContext }) =>
    holds(context);

/** A deadline that is still the state's own, in a unit that wants `mode` for it. A late one is ignored. */
const timedOut =
  (setting: 'TimeoutStartFailureMode' | 'TimeoutStopFailureMode') =>
  ({ context, event }: { context: ServiceContext; event: { type: string; name?: string } }, mode: Mode) =>
    event.name === context.deadline?.name &&
    (context.settings[setting] === 'kill' && !context.settings.SendSIGKILL ? 'no-kill' : context.settings[setting]) ===
      mode;

/** What a time-out does: TimeoutStartFailureMode=, with SendSIGKILL=no taken into account. */
type Mode = 'terminate' | 'abort' | 'kill' | 'no-kill';

const isDue = ({ context, event }: { context: ServiceContext; event: { type: string; name?: string } }) =>
  event.name === context.deadline?.name;

/** Does this very exit leave a reloading service without a main process and without a command to wait for? */
const losesMain = ({ context, event }: { context: ServiceContext; event: { type: string } }) => {
  const { main, control, settings } = context;
  if (main === null || control !== null) return false;
  const gone = event as ExitedEvent | MainGoneEvent;
  const ours =
    gone.type === 'exited'
      ? main.list !== 'MAINPID' && gone.role === 'main' && gone.run === main.run
      : main.list === 'MAINPID' && gone.pid === main.pid && gone.startTime === main.startTime;
  const handsOver = settings.PIDFile !== '' && gone.candidate !== undefined && gone.candidate.pid !== gone.pid;
  return ours && !handsOver && (settings.ExitType === 'main' || !gone.populated);
};

const noProcess = (context: ServiceContext) => context.main === null && context.control === null;

const listensToLife: Listens = { life: true, watchdog: false };
const listensToAll: Listens = { life: true, watchdog: true };
/** Entering a state notes its ActiveState, which is also its tag. */
const inactive = { type: 'enter', params: 'inactive' } as const;
const activating = { type: 'enter', params: 'activating' } as const;
const active = { type: 'enter', params: 'active' } as const;
const reloading = { type: 'enter', params: 'reloading' } as const;
const deactivating = { type: 'enter', params: 'deactivating' } as const;
const failed = { type: 'enter', params: 'failed' } as const;
/** What the killing states do first. */
const terminate = { type: 'kill', params: 'terminate' } as const;
const kill = { type: 'kill', params: 'kill' } as const;
const abort = { type: 'kill', params: 'abort' } as const;
const timeout = { type: 'fail', params: 'timeout' } as const;
const watchdogFailed = { type: 'fail', params: 'watchdog' } as const;
const oomKilled = { type: 'fail', params: 'oom-kill' } as const;

/** The ways into a life, from every state that has none. */
const start = [
  { guard: 'startsTooOften', target: '#service.failed', actions: 'refuseStart' },
  { guard: 'hasLeftovers', target: '#service.failed', actions: 'refuseLeftovers' },
  { target: '#service.starting', actions: 'begin' },
] as const;

/** Back to the command that runs, or to what its main process was in the midst of. */
const takenOver = [
  { guard: { type: 'runsCommand', params: 'ExecCondition' }, target: '#service.starting.condition', actions: 'adopt' },
  { guard: { type: 'runsCommand', params: 'ExecStartPre' }, target: '#service.starting.start-pre', actions: 'adopt' },
  { guard: { type: 'runsCommand', params: 'ExecStart' }, target: '#service.starting.start', actions: 'adopt' },
  { guard: { type: 'runsCommand', params: 'ExecStartPost' }, target: '#service.starting.start-post', actions: 'adopt' },
  {
    guard: { type: 'runsCommand', params: 'ExecReload' },
    target: '#service.reload',
    actions: ['adopt', 'expectKeepAlive'],
  },
  { guard: { type: 'runsCommand', params: 'ExecStop' }, target: '#service.stopping.stop', actions: 'adopt' },
  { guard: { type: 'runsCommand', params: 'ExecStopPost' }, target: '#service.stopping.stop-post', actions: 'adopt' },
  { guard: { type: 'was', params: 'starting' }, target: '#service.starting.start', actions: 'adopt' },
  { guard: { type: 'was', params: 'stopping' }, target: '#service.stopping.stop-sigterm', actions: 'adopt' },
] as const;

const startTimeout = [
  { guard: { type: 'startTimedOut', params: 'terminate' }, target: '#service.stopping.stop-sigterm', actions: timeout },
  { guard: { type: 'startTimedOut', params: 'abort' }, target: '#service.stopping.stop-watchdog', actions: timeout },
  { guard: { type: 'startTimedOut', params: 'kill' }, target: '#service.stopping.stop-sigkill', actions: timeout },
  { guard: { type: 'startTimedOut', params: 'no-kill' }, target: '#service.stopping.stop-post', actions: timeout },
] as const;

const watchdogTimeout = {
  guard: 'watchdogIsDue',
  target: '#service.stopping.stop-watchdog',
  actions: watchdogFailed,
} as const;

/** A state of a service that is up, or as good as. */
const lives = {
  notify: { actions: { type: 'hear', params: listensToAll } },
  oom: [
    { guard: { type: 'onOom', params: 'stop' }, target: '#service.stopping.stop', actions: oomKilled },
    { guard: { type: 'onOom', params: 'kill' }, target: '#service.stopping.stop-sigkill', actions: oomKilled },
  ],
} as const;

/** One way of reloading. The service may end meanwhile; a stop does not wait. */
const reloads = {
  ...lives,
  stop: { target: '#service.stopping.stop-sigterm', actions: 'noteStop' },
  deadline: [watchdogTimeout, { guard: 'isDue', target: '#service.running', actions: 'breakReload' }],
  exited: [{ guard: 'losesMain', target: '#service.stopping.stop', actions: 'reap' }, { actions: 'reap' }],
  'main-gone': [
    { guard: 'losesMain', target: '#service.stopping.stop', actions: 'reapWatched' },
    { actions: 'reapWatched' },
  ],
} as const;

export const serviceMachine = setup({
  types: {} as {
    context: ServiceContext;
    events: ServiceEvent | SettingsEvent<ServiceSettings>;
    input: { readonly settings: ServiceSettings; readonly past?: Past };
    tags: ActiveState;
  },
  actions: withEffects({ ...steps.actions, dropWatchdog, expectKeepAlive, hear }),
  guards: {
    startsTooOften,
    hasLeftovers: when(
      ({ populated, settings }) =>
        populated && !settings.SendSIGKILL && (settings.KillMode === 'control-group' || settings.KillMode === 'mixed'),
    ),
    hasLife: ({ context, event }) =>
      event.type === 'adopt' &&
      event.left === undefined &&
      (event.main !== undefined || (context.settings.Type === 'forking' && event.populated)),
    hasLeft: ({ event }) => event.type === 'adopt' && event.left !== undefined,
    runsCommand: ({ event }, list: ServiceList) => event.type === 'adopt' && event.control?.list === list,
    was: ({ event }, was: 'starting' | 'stopping') =>
      event.type === 'adopt' && event.main !== undefined && event.was === was,
    hadFailed: ({ event }) => event.type === 'adopt' && event.failed !== undefined,
    isOver: ({ context, event }) => event.type === 'adopt' && event.over === true && context.settings.RemainAfterExit,
    hasFailed: when((context) => context.result !== 'success' && context.control === null),
    listIsDone: when((context) => context.control === null),
    isIdling: when((context) => context.idling),
    idleIsOver: ({ context, event }) => event.type === 'deadline' && event.name === 'idle' && context.idling,
    isStarted: when(rules.isStarted),
    isHopeless: when(rules.isHopeless),
    hasEnded: when(
      // Type=notify is waited for: its word may come from others, or isHopeless.
      (context) =>
        !rules.tellsReadiness(context.settings) && noProcess(context) && context.mainKnown && !rules.isGood(context),
    ),
    lacksPidFile: when((context) => rules.needsPidFile(context) && !context.awaitsPidFile),
    lacksMain: when((context) => rules.lacksMain(context) && !context.awaitsPidFile),
    waitsForPidFile: when(rules.lacksMain),
    willHaveNoMain: when((context) => rules.lacksMain(context) && !context.populated),
    hasCrashed: when(
      (context) => context.result !== 'success' && !(context.settings.ExitType === 'cgroup' && rules.isGood(context)),
    ),
    isDown: when((context) => !rules.isGood(context)),
    staysUp: when((context) => !rules.isGood(context) && context.settings.RemainAfterExit),
    reloadsItself: when((context) => context.notifyState === 'reloading'),
    stopsItself: when((context) => context.notifyState === 'stopping'),
    canReload: when(({ settings }) => settings.ExecReload.length > 0 || settings.Type === 'notify-reload'),
    onlySignals: when(
      (context) =>
        context.settings.Type === 'notify-reload' && context.settings.ExecReload.length === 0 && context.main !== null,
    ),
    announcesReload: when(
      (context) =>
        context.control === null && context.notifyState === 'reloading' && context.settings.Type === 'notify-reload',
    ),
    hasReloaded: when((context) => context.control === null && context.notifyState !== 'reloading'),
    reloadIsConfirmed: when((context) => context.reloadConfirmed),
    reloadIsOver: when((context) => context.reloadConfirmed && context.notifyState === 'ready'),
    isReady: when((context) => context.notifyState !== 'reloading'),
    losesMain,
    watchdogIsTriggered: when((context) => context.watchdogTriggered),
    watchdogIsDue: ({ context, event }) =>
      event.type === 'deadline' && event.name === 'WatchdogSec' && context.watchdogDueMs !== null,
    isDue,
    isDueNamed: ({ context, event }, name: string) => isDue({ context, event }) && context.deadline?.name === name,
    startTimedOut: timedOut('TimeoutStartFailureMode'),
    stopTimedOut: timedOut('TimeoutStopFailureMode'),
    onOom: ({ context }, policy: 'stop' | 'kill') => context.settings.OOMPolicy === policy,
    abortsOnTimeout: ({ context, event }) =>
      isDue({ context, event }) && context.settings.TimeoutStopFailureMode === 'abort',
    killsOnTimeout: ({ context, event }) => isDue({ context, event }) && context.settings.SendSIGKILL,
    mayKill: when(({ killing, settings }) => !killing?.processes && !killing?.group && settings.SendSIGKILL),
    // A stop may go on as soon as the service itself is gone; what else is in the group is seen to by the final states.
    isStopped: when((context) =>
      context.killing?.processes ? noProcess(context) : !context.killing?.group || !context.populated,
    ),
    isGone: when(
      (context) =>
        (!context.killing?.processes || noProcess(context)) && (!context.killing?.group || !context.populated),
    ),
    postIsDone: when(
      (context) => context.control === null && (context.main === null || context.settings.ExecStopPost.length === 0),
    ),
    restarts: when((context) => rules.shallRestart(context.settings, context).restart),
    hasSucceeded: when(({ result }) => endedWell(result)),
  },
}).createMachine({
  id: 'service',
  context: ({ input }) => newService(input.settings, input.past),
  initial: 'dead',
  on: {
    settings: { actions: 'takeSettings' },
    'reset-failed': { actions: 'resetFailed' },
    forked: { actions: 'noteForked' },
    execed: { actions: 'noteExeced' },
    'spawn-failed': { actions: 'noteSpawnFailed' },
    exited: { actions: 'reap' },
    'main-gone': { actions: 'reapWatched' },
    populated: { actions: { type: 'noteGroup', params: true } },
    empty: { actions: { type: 'noteGroup', params: false } },
    notify: { actions: { type: 'hear', params: { life: false, watchdog: false } } },
    stop: { actions: 'noteStop' },
  },
  states: {
    dead: {
      tags: 'inactive',
      entry: inactive,
      on: {
        start,
        adopt: [
          ...takenOver,
          { guard: 'hasLife', target: 'running', actions: ['adopt', 'expectKeepAlive'] },
          { guard: 'isOver', target: 'exited', actions: 'adopt' },
          { guard: 'hadFailed', target: 'failed', actions: ['adoptFailure', 'adoptLeft'] },
          { guard: 'hasLeft', actions: 'adoptLeft' },
        ],
        empty: { actions: [{ type: 'noteGroup', params: false }, 'tidyGroup'] },
        notify: {}, // nobody is left to speak
        stop: {}, // already
      },
    },
    starting: {
      tags: 'activating',
      initial: 'condition',
      on: {
        stop: { target: '#service.stopping.stop-sigterm', actions: 'noteStop' },
        deadline: [watchdogTimeout, ...startTimeout],
        oom: [
          { guard: { type: 'onOom', params: 'stop' }, target: 'stopping.stop-sigterm', actions: oomKilled },
          { guard: { type: 'onOom', params: 'kill' }, target: 'stopping.stop-sigkill', actions: oomKilled },
        ],
      },
      exit: 'forgetPidFile',
      states: {
        condition: {
          entry: [activating, { type: 'run', params: 'ExecCondition' }],
          always: [
            { guard: 'hasFailed', target: '#service.stopping.stop-sigterm' },
            { guard: 'listIsDone', target: 'start-pre' },
          ],
        },
        'start-pre': {
          entry: [activating, { type: 'run', params: 'ExecStartPre' }],
          always: [
            { guard: 'hasFailed', target: '#service.stopping.stop-sigterm' },
            { guard: 'listIsDone', target: 'start' },
          ],
        },
        start: {
          entry: [activating, 'startMain'],
          always: [
            { guard: 'isIdling' }, // for the job queue
            { guard: 'watchdogIsTriggered', target: '#service.stopping.stop-watchdog', actions: watchdogFailed },
            { guard: 'hasFailed', target: '#service.stopping.stop-sigterm' },
            { guard: 'isStarted', target: 'start-post' },
            {
              guard: 'isHopeless',
              target: '#service.stopping.stop-sigterm',
              actions: { type: 'fail', params: 'protocol' },
            },
            { guard: 'lacksPidFile', actions: 'awaitPidFile' },
            { guard: 'hasEnded', target: '#service.running' }, // which sees what to make of it
          ],
          on: {
            notify: { actions: { type: 'hear', params: listensToLife } },
            'pid-file': { actions: 'takePidFile' },
            'bus-name-acquired': { actions: 'takeBusName' },
            'idle-go': { guard: 'isIdling', actions: 'endIdling' },
            deadline: [{ guard: 'idleIsOver', actions: 'endIdling' }, watchdogTimeout, ...startTimeout],
          },
        },
        'start-post': {
          entry: [activating, 'expectKeepAlive', { type: 'run', params: 'ExecStartPost' }],
          always: [
            { guard: 'watchdogIsTriggered', target: '#service.stopping.stop-watchdog', actions: watchdogFailed },
            { guard: 'hasFailed', target: '#service.stopping.stop-sigterm' },
            {
              guard: 'willHaveNoMain',
              target: '#service.stopping.stop',
              actions: { type: 'fail', params: 'protocol' },
            },
            { guard: 'lacksMain', actions: 'awaitPidFile' },
            { guard: 'waitsForPidFile' },
            { guard: 'listIsDone', target: '#service.running' },
          ],
          on: {
            notify: { actions: { type: 'hear', params: listensToAll } },
            'pid-file': { actions: 'takePidFile' },
          },
        },
      },
    },
    running: {
      tags: 'active',
      entry: ['becomeActive', 'limitRuntime'],
      always: [
        { guard: 'watchdogIsTriggered', target: 'stopping.stop-watchdog', actions: watchdogFailed },
        { guard: 'hasCrashed', target: 'stopping.stop-sigterm' },
        { guard: 'staysUp', target: 'exited' },
        { guard: 'isDown', target: 'stopping.stop' },
        { guard: 'announcesReload', target: 'reload-notify', actions: 'followReload' },
        { guard: 'reloadsItself', target: 'reload', actions: 'followReload' },
        { guard: 'stopsItself', target: 'stopping.stop-sigterm', actions: 'letStop' },
      ],
      on: {
        ...lives,
        stop: { target: 'stopping.stop', actions: 'noteStop' },
        reload: [{ guard: 'canReload', target: 'reload', actions: 'beginReload' }, { actions: 'refuseReload' }],
        deadline: [watchdogTimeout, { guard: 'isDue', target: 'stopping.stop', actions: timeout }],
      },
    },
    exited: {
      tags: 'active',
      entry: [active, 'noDeadline', 'dropWatchdog', 'tidyGroup'],
      on: {
        oom: lives.oom,
        stop: { target: 'stopping.stop', actions: 'noteStop' },
        reload: [{ guard: 'canReload', target: 'reload', actions: 'beginReload' }, { actions: 'refuseReload' }],
        empty: { actions: [{ type: 'noteGroup', params: false }, 'tidyGroup'] },
      },
    },
    // ExecReload= runs, or the service has said that it reloads.
    reload: {
      tags: 'reloading',
      entry: reloading,
      always: [
        { guard: 'watchdogIsTriggered', target: 'stopping.stop-watchdog', actions: watchdogFailed },
        { guard: 'announcesReload', target: 'reload-notify' },
        { guard: 'onlySignals', target: 'reload-signal' },
        { guard: 'hasReloaded', target: 'running' },
      ],
      on: reloads,
    },
    // Type=notify-reload has got its signal, and owes RELOADING=1.
    'reload-signal': {
      tags: 'reloading',
      entry: reloading,
      always: [
        { guard: 'watchdogIsTriggered', target: 'stopping.stop-watchdog', actions: watchdogFailed },
        { guard: 'reloadIsOver', target: 'running' },
        { guard: 'reloadIsConfirmed', target: 'reload-notify' },
      ],
      on: reloads,
    },
    // It has said so, and owes READY=1.
    'reload-notify': {
      tags: 'reloading',
      entry: reloading,
      always: [
        { guard: 'watchdogIsTriggered', target: 'stopping.stop-watchdog', actions: watchdogFailed },
        { guard: 'isReady', target: 'running' },
      ],
      on: reloads,
    },
    stopping: {
      tags: 'deactivating',
      entry: 'dropWatchdog',
      initial: 'stop',
      states: {
        stop: {
          entry: [deactivating, { type: 'run', params: 'ExecStop' }],
          always: { guard: 'listIsDone', target: 'stop-sigterm' },
          on: {
            deadline: [
              { guard: { type: 'stopTimedOut', params: 'terminate' }, target: 'stop-sigterm', actions: timeout },
              { guard: { type: 'stopTimedOut', params: 'abort' }, target: 'stop-watchdog', actions: timeout },
              { guard: { type: 'stopTimedOut', params: 'kill' }, target: 'stop-sigkill', actions: timeout },
              { guard: { type: 'stopTimedOut', params: 'no-kill' }, target: 'stop-post', actions: timeout },
            ],
            oom: [
              { guard: { type: 'onOom', params: 'stop' }, target: 'stop-sigterm', actions: oomKilled },
              { guard: { type: 'onOom', params: 'kill' }, target: 'stop-sigkill', actions: oomKilled },
            ],
          },
        },
        'stop-watchdog': {
          entry: [deactivating, abort],
          always: [
            { guard: 'mayKill', target: 'stop-sigkill' },
            { guard: 'isStopped', target: 'stop-post' },
          ],
          on: {
            deadline: [
              { guard: 'killsOnTimeout', target: 'stop-sigkill', actions: timeout },
              { guard: 'isDue', target: 'stop-post', actions: timeout },
            ],
            oom: { target: 'stop-sigkill', actions: oomKilled },
          },
        },
        'stop-sigterm': {
          entry: [deactivating, terminate],
          always: [
            { guard: 'mayKill', target: 'stop-sigkill' },
            { guard: 'isStopped', target: 'stop-post' },
          ],
          on: {
            deadline: [
              { guard: 'abortsOnTimeout', target: 'stop-watchdog', actions: timeout },
              { guard: 'killsOnTimeout', target: 'stop-sigkill', actions: timeout },
              { guard: 'isDue', target: 'stop-post', actions: timeout },
            ],
            oom: { target: 'stop-sigkill', actions: oomKilled },
          },
        },
        'stop-sigkill': {
          entry: [deactivating, kill],
          always: { guard: 'isStopped', target: 'stop-post' },
          on: {
            // Not even SIGKILL ended it (a process in the kernel): go on without it.
            deadline: { guard: 'isDue', target: 'stop-post', actions: timeout },
            oom: { actions: oomKilled },
          },
        },
        'stop-post': {
          entry: [deactivating, { type: 'run', params: 'ExecStopPost' }],
          always: { guard: 'postIsDone', target: 'final-sigterm' },
          on: {
            deadline: [
              { guard: { type: 'stopTimedOut', params: 'terminate' }, target: 'final-sigterm', actions: timeout },
              { guard: { type: 'stopTimedOut', params: 'abort' }, target: 'final-watchdog', actions: timeout },
              { guard: { type: 'stopTimedOut', params: 'kill' }, target: 'final-sigkill', actions: timeout },
              { guard: { type: 'stopTimedOut', params: 'no-kill' }, target: 'ended', actions: 'giveUp' },
            ],
            oom: { target: 'final-sigkill', actions: oomKilled },
          },
        },
        'final-watchdog': {
          entry: [deactivating, abort],
          always: [
            { guard: 'mayKill', target: 'final-sigkill' },
            { guard: 'isGone', target: 'ended' },
          ],
          on: {
            deadline: [
              { guard: 'killsOnTimeout', target: 'final-sigkill', actions: timeout },
              { guard: 'isDue', target: 'ended', actions: 'giveUp' },
            ],
            oom: { target: 'final-sigkill', actions: oomKilled },
          },
        },
        'final-sigterm': {
          entry: [deactivating, terminate],
          always: [
            { guard: 'mayKill', target: 'final-sigkill' },
            { guard: 'isGone', target: 'ended' },
          ],
          on: {
            deadline: [
              { guard: 'abortsOnTimeout', target: 'final-watchdog', actions: timeout },
              { guard: 'killsOnTimeout', target: 'final-sigkill', actions: timeout },
              { guard: 'isDue', target: 'ended', actions: 'giveUp' },
            ],
            oom: { target: 'final-sigkill', actions: oomKilled },
          },
        },
        'final-sigkill': {
          entry: [deactivating, kill],
          always: { guard: 'isGone', target: 'ended' },
          on: {
            deadline: { guard: 'isDue', target: 'ended', actions: timeout },
            oom: { actions: oomKilled },
          },
        },
        // Passed through: what comes next is decided before anything is released.
        ended: {
          always: [
            { guard: 'restarts', target: '#service.auto-restart', actions: { type: 'end', params: 'restart' } },
            { guard: 'hasSucceeded', target: '#service.dead', actions: { type: 'end', params: 'rest' } },
            { target: '#service.failed', actions: { type: 'end', params: 'rest' } },
          ],
        },
      },
    },
    'auto-restart': {
      tags: 'activating',
      entry: 'awaitRestart',
      on: {
        start,
        stop: { target: 'dead', actions: 'endWaiting' },
        deadline: [
          { guard: { type: 'isDueNamed', params: 'RestartSec' }, actions: 'askRestart' },
          { guard: { type: 'isDueNamed', params: 'restart-job' }, actions: 'askRestartAgain' },
        ],
        'job-refused': { target: 'failed', actions: 'failRestart' },
        notify: {}, // nobody is left to speak
      },
    },
    failed: {
      tags: 'failed',
      entry: failed,
      on: {
        start,
        'reset-failed': { target: 'dead', actions: 'resetFailed' },
        empty: { actions: [{ type: 'noteGroup', params: false }, 'tidyGroup'] },
        notify: {}, // nobody is left to speak
        stop: {}, // already
      },
    },
  },
});
