/**
 * A .socket unit with Accept=no.
 *
 *   dead -start-> start-pre -> start-chown -> start-post -> listening <-> running
 *     ^                                          |              | stop, or a limit is hit
 *     |                                          v              v
 *   dead | failed <- final-sigterm, -sigkill <- stop-post <- stop-pre, stop-pre-sigterm, -sigkill
 *
 * `listening` watches the listeners; the first input starts the service and leads to `running`, where nothing is watched: the
 * service has the listeners, and reads them itself. When the service is down again, the socket listens again.
 * States are systemd's (systemd.socket(5), its SubStates); `start-chown` is where the listeners are made.
 */
import { setup } from 'xstate';
import { admit, endedWell, type Past, startsTooOften, triggerLimitOf } from './ends.ts';
import type { ActiveState, ServiceStateEvent } from './protocol.ts';
import { newSocket, type SocketContext, type SocketSettings } from './socket-context.ts';
import { type AnySocketEvent, actions } from './socket-steps.ts';
import { withEffects } from './turn.ts';

/** Entering a state notes its ActiveState, which is also its tag. */
const inactive = { type: 'enter', params: 'inactive' } as const;
const activating = { type: 'enter', params: 'activating' } as const;
const active = { type: 'enter', params: 'active' } as const;
const deactivating = { type: 'enter', params: 'deactivating' } as const;
const failed = { type: 'enter', params: 'failed' } as const;
/** What the killing states do first. */
const terminate = { type: 'kill', params: 'terminate' } as const;
const kill = { type: 'kill', params: 'kill' } as const;
const timeout = { type: 'fail', params: 'timeout' } as const;

const isDue = ({ context, event }: { context: SocketContext; event: { type: string; name?: string } }) =>
  event.name === context.deadline?.name;

/** The service as this event tells of it. */
const service = ({ event }: { event: { readonly type: string } }) => event as ServiceStateEvent;

/** The ways into a life. */
const start = [
  { guard: 'accepts', actions: 'refuseAccept' },
  { guard: 'serviceIsInTheWay', actions: 'refuseService' },
  { guard: 'startsTooOften', target: '#socket.failed', actions: 'refuseStart' },
  { target: '#socket.starting', actions: 'begin' },
] as const;

/** A state in which there are listeners and a service for them. */
const up = {
  stop: '#socket.stopping.stop-pre',
  'job-refused': { target: '#socket.stopping.stop-pre', actions: 'noteRefusal' },
  reload: { actions: 'refuseReload' },
  reopen: { actions: 'reopen' },
  'sockets-failed': { target: '#socket.stopping.stop-pre', actions: 'failOpen' },
} as const;

const startLimitOfService = {
  guard: 'serviceStartsTooOften',
  target: '#socket.stopping.stop-pre',
  actions: ['noteService', { type: 'fail', params: 'service-start-limit-hit' }],
} as const;

export const socketMachine = setup({
  types: {} as {
    context: SocketContext;
    events: AnySocketEvent;
    input: { readonly settings: SocketSettings; readonly past?: Past };
    tags: ActiveState;
  },
  actions: withEffects(actions),
  guards: {
    accepts: ({ context }) => context.settings.Accept,
    // The listeners belong to the socket: a service that has opened its own would be in the way.
    serviceIsInTheWay: ({ context: { service } }) =>
      !service.loaded ||
      !(service.active === 'inactive' || service.active === 'failed' || service.sub === 'auto-restart'),
    startsTooOften,
    hasFailed: ({ context }) => !endedWell(context.result) && context.control === null,
    listIsDone: ({ context }) => context.control === null,
    serviceIsGone: ({ context }) => !context.service.loaded,
    triggersTooOften: ({ context, event }) =>
      admit(context.triggers, triggerLimitOf(context.settings), event.atMs) === undefined,
    serviceStartsTooOften: (args) => service(args).startLimitHit === true || service(args).result === 'start-limit-hit',
    serviceRuns: (args) => !service(args).pending && service(args).sub === 'running',
    serviceIsDown: (args) =>
      !service(args).pending &&
      ['dead', 'failed', 'final-sigterm', 'final-sigkill', 'auto-restart'].includes(service(args).sub),
    isDue,
    killsOnTimeout: ({ context, event }) => isDue({ context, event }) && context.settings.SendSIGKILL,
    mayKill: ({ context: { killing, settings } }) => !killing?.processes && !killing?.group && settings.SendSIGKILL,
    isStopped: ({ context: { killing, control, populated } }) =>
      killing?.processes ? control === null : !killing?.group || !populated,
    isGone: ({ context: { killing, control, populated } }) =>
      (!killing?.processes || control === null) && (!killing?.group || !populated),
    hasSucceeded: ({ context }) => endedWell(context.result),
  },
}).createMachine({
  id: 'socket',
  context: ({ input }) => newSocket(input.settings, input.past),
  initial: 'dead',
  on: {
    settings: { actions: 'takeSettings' },
    'reset-failed': { actions: 'resetFailed' },
    forked: { actions: 'noteForked' },
    'spawn-failed': { actions: 'noteSpawnFailed' },
    exited: { actions: 'reap' },
    populated: { actions: { type: 'noteGroup', params: true } },
    empty: { actions: { type: 'noteGroup', params: false } },
    'service-state': { actions: 'noteService' },
  },
  states: {
    dead: {
      tags: 'inactive',
      entry: inactive,
      on: {
        start,
        adopt: { target: 'listening', actions: 'reopen' }, // which leaves what is there as it is
        empty: { actions: [{ type: 'noteGroup', params: false }, 'tidyGroup'] },
      },
    },
    starting: {
      tags: 'activating',
      initial: 'start-pre',
      states: {
        'start-pre': {
          entry: [activating, { type: 'run', params: 'ExecStartPre' }],
          always: [
            { guard: 'hasFailed', target: '#socket.stopping.final-sigterm' },
            { guard: 'listIsDone', target: 'start-chown' },
          ],
          on: {
            stop: '#socket.stopping.stop-pre-sigterm',
            deadline: { guard: 'isDue', target: '#socket.stopping.final-sigterm', actions: timeout },
          },
        },
        'start-chown': {
          entry: [activating, 'open'],
          on: {
            'sockets-opened': 'start-post',
            'sockets-failed': { target: '#socket.stopping.stop-pre', actions: 'failOpen' },
            stop: '#socket.stopping.stop-pre-sigterm',
            deadline: { guard: 'isDue', target: '#socket.stopping.stop-pre', actions: timeout },
          },
        },
        'start-post': {
          entry: [activating, { type: 'run', params: 'ExecStartPost' }],
          always: [
            { guard: 'hasFailed', target: '#socket.stopping.stop-pre' },
            { guard: 'listIsDone', target: '#socket.listening' },
          ],
          on: {
            stop: '#socket.stopping.stop-pre-sigterm',
            deadline: { guard: 'isDue', target: '#socket.stopping.stop-pre', actions: timeout },
          },
        },
      },
    },
    listening: {
      tags: 'active',
      entry: [active, 'listen'],
      on: {
        ...up,
        'sockets-opened': { actions: 'listen' },
        readable: [
          { guard: 'serviceIsGone', target: 'stopping.stop-pre', actions: { type: 'fail', params: 'resources' } },
          {
            guard: 'triggersTooOften',
            target: 'stopping.stop-pre',
            actions: { type: 'fail', params: 'trigger-limit-hit' },
          },
          { target: 'running', actions: 'trigger' },
        ],
        'service-state': [
          startLimitOfService,
          { guard: 'serviceRuns', target: 'running', actions: 'noteService' },
          { actions: 'noteService' },
        ],
      },
    },
    running: {
      tags: 'active',
      entry: [active, 'deafen'],
      on: {
        ...up,
        'service-state': [
          startLimitOfService,
          { guard: 'serviceIsDown', target: 'listening', actions: ['noteService', 'flush'] },
          { actions: 'noteService' },
        ],
      },
    },
    stopping: {
      tags: 'deactivating',
      initial: 'stop-pre',
      states: {
        'stop-pre': {
          entry: [deactivating, 'deafen', { type: 'run', params: 'ExecStopPre' }],
          always: { guard: 'listIsDone', target: 'stop-post' },
          on: { deadline: { guard: 'isDue', target: 'stop-pre-sigterm', actions: timeout } },
        },
        'stop-pre-sigterm': {
          entry: [deactivating, terminate],
          always: [
            { guard: 'mayKill', target: 'stop-pre-sigkill' },
            { guard: 'isStopped', target: 'stop-post' },
          ],
          on: {
            deadline: [
              { guard: 'killsOnTimeout', target: 'stop-pre-sigkill', actions: timeout },
              { guard: 'isDue', target: 'stop-post', actions: timeout },
            ],
          },
        },
        'stop-pre-sigkill': {
          entry: [deactivating, kill],
          always: { guard: 'isStopped', target: 'stop-post' },
          on: { deadline: { guard: 'isDue', target: 'stop-post', actions: timeout } },
        },
        'stop-post': {
          entry: [deactivating, 'close', { type: 'run', params: 'ExecStopPost' }],
          always: { guard: 'listIsDone', target: 'final-sigterm' },
          on: { deadline: { guard: 'isDue', target: 'final-sigterm', actions: timeout } },
        },
        'final-sigterm': {
          entry: [deactivating, terminate],
          always: [
            { guard: 'mayKill', target: 'final-sigkill' },
            { guard: 'isGone', target: 'ended' },
          ],
          on: {
            deadline: [
              { guard: 'killsOnTimeout', target: 'final-sigkill', actions: timeout },
              { guard: 'isDue', target: 'ended', actions: timeout },
            ],
          },
        },
        'final-sigkill': {
          entry: [deactivating, kill],
          always: { guard: 'isGone', target: 'ended' },
          on: { deadline: { guard: 'isDue', target: 'ended', actions: timeout } },
        },
        // Passed through.
        ended: {
          always: [
            { guard: 'hasSucceeded', target: '#socket.dead', actions: 'end' },
            { target: '#socket.failed', actions: 'end' },
          ],
        },
      },
    },
    failed: {
      tags: 'failed',
      entry: failed,
      on: {
        start,
        'reset-failed': { target: 'dead', actions: 'resetFailed' },
        empty: { actions: [{ type: 'noteGroup', params: false }, 'tidyGroup'] },
      },
    },
  },
});
