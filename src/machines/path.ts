/**
 * A .path unit.
 *
 *   dead -start-> looking -> waiting <-> running -stop-> dead
 *                    '----------+-----------+-- a limit is hit, or it cannot watch --> failed
 *
 * `waiting` watches; what is due starts the unit and leads to `running`, where nothing is watched. When the unit is down again, all is
 * looked at once more: something may be due again at once. States are systemd's (systemd.path(5), its SubStates) but for `looking`: there,
 * and in `running` with `context.looking`, an answer is awaited of file systems that may hang.
 */
import { setup } from 'xstate';
import { isOfChange } from '../host/ports.ts';
import { isDown } from '../jobs/verbs.ts';
import { admit, type Past, startsTooOften, triggerLimitOf } from './ends.ts';
import { newPath, type PathContext, type PathSettings } from './path-context.ts';
import { type AnyPathEvent, actions, dueBy } from './path-steps.ts';
import type { ActiveState, AdoptEvent, PathChangedEvent, ServiceStateEvent } from './protocol.ts';
import { withEffects } from './turn.ts';

type Args = { readonly context: PathContext; readonly event: AnyPathEvent };

/** The unit as this event tells of it. */
const told = ({ event }: { event: { readonly type: string } }) => event as ServiceStateEvent;
/** Is it of what is watched now? */
const isNow = ({ context, event }: Args) => (event as { readonly round?: number }).round === context.round;
const mayTrigger = ({ context, event }: Args) =>
  admit(context.triggers, triggerLimitOf(context.settings), event.atMs) !== undefined;
const isDue = (args: Args): boolean => {
  if (!isNow(args) || dueBy(args.context, args.event) === undefined) return false;
  if (args.event.type !== 'path-changed') return true;
  const spec = args.context.settings.specs[(args.event as PathChangedEvent).index];
  return spec !== undefined && isOfChange(spec.kind);
};

const tooOften = {
  guard: 'isDueTooOften',
  target: '#path.failed',
  actions: [{ type: 'fail', params: 'trigger-limit-hit' }, 'end'],
} as const;

/** What an answer to `watchPaths` leads to, wherever it is awaited. */
const answered = [
  { guard: 'unitIsUp', target: '#path.running', actions: 'unwatch' },
  tooOften,
  { guard: 'isDue', target: '#path.running', actions: 'trigger' },
  { guard: 'isNow', target: '#path.waiting', actions: 'noteSeen' },
] as const;

const cannotWatch = { guard: 'isNow', target: '#path.failed', actions: ['noteFault', 'end'] } as const;
/** The host bounds how long it asks itself; who has had no answer by then asks again. */
const noAnswer = { guard: 'isLate', actions: 'watch' } as const;

/** The ways into a life. */
const start = [
  { guard: 'unitIsGone', actions: 'refuseUnit' },
  { guard: 'startsTooOften', target: '#path.failed', actions: 'refuseStart' },
  { target: '#path.looking', actions: 'begin' },
] as const;

/** A state in which the unit is up: it watches, or waits for what it has started. */
const up = {
  'paths-failed': cannotWatch,
  deadline: noAnswer,
  reload: { actions: 'refuseReload' },
  stop: { target: '#path.dead', actions: 'end' },
} as const;

const startLimitOfUnit = {
  guard: 'unitStartsTooOften',
  target: '#path.failed',
  actions: ['noteUnit', { type: 'fail', params: 'unit-start-limit-hit' }, 'end'],
} as const;

const refused = { target: '#path.failed', actions: ['noteRefusal', 'end'] } as const;

export const pathMachine = setup({
  types: {} as {
    context: PathContext;
    events: AnyPathEvent;
    input: { readonly settings: PathSettings; readonly past?: Past };
    tags: ActiveState;
  },
  actions: withEffects(actions),
  guards: {
    startsTooOften,
    unitIsGone: ({ context }) => !context.service.loaded,
    unitIsUp: (args) => isNow(args) && !isDown(args.context.service.active),
    unitStartsTooOften: (args) => told(args).startLimitHit === true,
    unitComesUp: (args) => !told(args).pending && !isDown(told(args).active),
    unitIsDown: (args) => !told(args).pending && isDown(told(args).active) && !args.context.looking,
    isNow,
    isDue,
    isDueTooOften: (args) => isDue(args) && !mayTrigger(args),
    isLate: ({ context, event }) => (event as { readonly name?: string }).name === context.deadline?.name,
    wasFailed: ({ event }) => (event as AdoptEvent).failed !== undefined,
  },
}).createMachine({
  id: 'path',
  context: ({ input }) => newPath(input.settings, input.past),
  initial: 'dead',
  on: {
    settings: { actions: { type: 'takeSettings', params: 'as it is' } },
    'reset-failed': { actions: 'resetFailed' },
    'service-state': { actions: 'noteUnit' },
  },
  states: {
    dead: {
      tags: 'inactive',
      entry: { type: 'enter', params: 'inactive' },
      on: {
        start,
        adopt: [
          { guard: 'wasFailed', target: 'failed', actions: 'beFailed' },
          { target: 'looking', actions: 'takeUp' },
        ],
      },
    },
    looking: {
      tags: 'activating',
      entry: { type: 'enter', params: 'activating' },
      on: {
        'paths-seen': answered,
        'paths-failed': cannotWatch,
        deadline: noAnswer,
        stop: { target: 'dead', actions: 'end' },
      },
    },
    waiting: {
      tags: 'active',
      entry: { type: 'enter', params: 'active' },
      on: {
        ...up,
        'paths-seen': [
          tooOften,
          { guard: 'isDue', target: 'running', actions: 'trigger' },
          { guard: 'isNow', actions: 'noteSeen' },
        ],
        'path-changed': [tooOften, { guard: 'isDue', target: 'running', actions: 'trigger' }],
        'service-state': [
          startLimitOfUnit,
          { guard: 'unitComesUp', target: 'running', actions: ['noteUnit', 'unwatch'] },
          { actions: 'noteUnit' },
        ],
        settings: { actions: { type: 'takeSettings', params: 'watching' } },
      },
    },
    running: {
      tags: 'active',
      entry: { type: 'enter', params: 'active' },
      on: {
        ...up,
        'paths-seen': answered,
        'path-changed': [tooOften, { guard: 'isDue', target: 'running', actions: 'trigger' }],
        'service-state': [
          startLimitOfUnit,
          { guard: 'unitIsDown', actions: ['noteUnit', 'watch'] },
          { actions: 'noteUnit' },
        ],
        'job-refused': refused,
      },
    },
    failed: {
      tags: 'failed',
      entry: { type: 'enter', params: 'failed' },
      on: {
        start,
        'reset-failed': { target: 'dead', actions: 'resetFailed' },
      },
    },
  },
});
