/**
 * A .scope unit: processes that somebody else has started, gathered in a control group (systemd.scope(5)).
 *
 *   dead -start-> start-chown -adopted-> running | abandoned -stop-> stop-sigterm -> stop-sigkill -> dead | failed
 *                                           '---------- empty: the last process is gone -----------> dead
 *
 * A scope lives once: a second start is refused.
 */
import { setup } from 'xstate';
import type { ScopeSection, Unit } from '../units/types.ts';
import { type EndSettings, endedWell, endSettings, type Placed, pick, prepare, settle, takeSettings } from './ends.ts';
import type { ActiveState, Result, ScopeEvent, SettingsEvent, StartEvent } from './protocol.ts';
import type { Killing, KillOperation } from './service-context.ts';
import { killPlan, SIGCONT, SIGHUP } from './service-rules.ts';
import { arm, type Deadline, disarm, step, type Turn, withEffects } from './turn.ts';
import { newUnit, type UnitContext } from './view.ts';

const scopeKeys = [
  'KillMode',
  'KillSignal',
  'SendSIGKILL',
  'SendSIGHUP',
  'FinalKillSignal',
  'TimeoutStopSec',
  'RuntimeMaxSec',
] as const satisfies readonly (keyof ScopeSection)[];

/** What decides about a scope. */
export type ScopeSettings = Pick<ScopeSection, (typeof scopeKeys)[number]> & EndSettings & Placed;

/** The machine's part of a unit's settings. */
export const scopeSettings = (unit: Pick<Unit, 'unit'> & { readonly scope: ScopeSection }): ScopeSettings => ({
  ...pick(unit.scope, scopeKeys),
  ...endSettings(unit.unit),
});

interface ScopeContext extends UnitContext {
  readonly settings: ScopeSettings;
  readonly populated: boolean;
  readonly killing: Killing | null;
  readonly deadline: Deadline | null;
  readonly invocation: number;
}

type Events = ScopeEvent | SettingsEvent<ScopeSettings>;
type ScopeTurn = Turn<ScopeContext, Events>;
const act = step<ScopeContext, Events>;
const actWith = <Params>(decide: (turn: ScopeTurn, params: Params) => void) =>
  step<ScopeContext, Events, Params>(decide);

const actions = {
  enter: actWith<ActiveState>((turn, active) => turn.enter(active)),
  begin: act((turn) => {
    // Until the group itself tells, they are taken to be in it: a stop that comes first must not miss them.
    turn.set({ invocation: turn.context.invocation + 1, result: 'success', populated: true });
    prepare(turn, false);
    turn.ask('adoptPids', { pids: (turn.event as StartEvent).pids ?? [] });
    arm(turn, 'TimeoutStopSec', turn.context.settings.TimeoutStopSec);
  }),
  refuseSecondLife: act((turn) => {
    turn.ask('refuse', { verb: 'start', result: 'once', why: 'a scope lives only once: its processes are gone' });
  }),
  limitRuntime: act((turn) => {
    const { settings, since } = turn.context;
    const span = settings.RuntimeMaxSec;
    if (span === 'infinity') disarm(turn);
    else arm(turn, 'RuntimeMaxSec', Math.max(0, (since.activeEnterMs ?? turn.event.atMs) + span - turn.event.atMs));
  }),
  noteGroup: actWith<boolean>((turn, populated) => turn.set({ populated })),
  kill: actWith<KillOperation>((turn, operation) => {
    const { settings, populated } = turn.context;
    const plan = killPlan(settings, operation, false);
    turn.set({ killing: { operation, processes: false, group: plan.group && populated } });
    arm(turn, 'TimeoutStopSec', settings.TimeoutStopSec);
    if (!turn.context.killing?.group) return;
    turn.ask('signalGroup', { except: [], signal: plan.signal, why: operation });
    if (plan.cont) turn.ask('signalGroup', { except: [], signal: SIGCONT, why: operation });
    if (plan.hangup) turn.ask('signalGroup', { except: [], signal: SIGHUP, why: 'SendSIGHUP=' });
  }),
  fail: actWith<Result>((turn, result) => turn.fail(result)),
  end: act((turn) => {
    disarm(turn);
    turn.set({ killing: null });
    turn.ask('release', { restarting: false });
    settle(turn, { restarting: false, why: 'scopes are not restarted', mainEnded: null });
  }),
  tidyGroup: act((turn) => turn.ask('pruneGroup', undefined)),
  resetFailed: act((turn) => turn.set({ result: 'success' })),
  takeSettings: act((turn) => takeSettings(turn, (turn.event as SettingsEvent<ScopeSettings>).settings)),
};

const isDue = ({ context, event }: { context: ScopeContext; event: { type: string; name?: string } }) =>
  event.name === context.deadline?.name;

/** A state whose processes run by themselves. */
const up = {
  stop: '#scope.stop-sigterm',
  empty: { target: '#scope.ended', actions: { type: 'noteGroup', params: false } },
  deadline: { guard: 'isDue', target: '#scope.stop-sigterm', actions: { type: 'fail', params: 'timeout' } },
} as const;

export const scopeMachine = setup({
  types: {} as {
    context: ScopeContext;
    events: Events;
    input: { readonly settings: ScopeSettings };
    tags: ActiveState;
  },
  actions: withEffects(actions),
  guards: {
    hasLived: ({ context }) => context.invocation > 0,
    isDue,
    killsOnTimeout: ({ context, event }) => isDue({ context, event }) && context.settings.SendSIGKILL,
    mayKill: ({ context }) => !context.killing?.group && context.settings.SendSIGKILL,
    isGone: ({ context }) => !context.killing?.group || !context.populated,
    hasSucceeded: ({ context }) => endedWell(context.result),
  },
}).createMachine({
  id: 'scope',
  context: ({ input }) => ({
    ...newUnit,
    settings: input.settings,
    populated: false,
    killing: null,
    deadline: null,
    invocation: 0,
  }),
  initial: 'dead',
  on: {
    settings: { actions: 'takeSettings' },
    populated: { actions: { type: 'noteGroup', params: true } },
    empty: { actions: { type: 'noteGroup', params: false } },
    'adopt-failed': { actions: { type: 'noteGroup', params: false } }, // in time for a stop
  },
  states: {
    dead: {
      tags: 'inactive',
      entry: { type: 'enter', params: 'inactive' },
      on: {
        start: [
          { guard: 'hasLived', actions: 'refuseSecondLife' },
          { target: 'start-chown', actions: 'begin' },
        ],
        empty: { actions: [{ type: 'noteGroup', params: false }, 'tidyGroup'] },
      },
    },
    // The processes are being moved into the group.
    'start-chown': {
      tags: 'activating',
      entry: { type: 'enter', params: 'activating' },
      on: {
        adopted: { target: 'running', actions: { type: 'noteGroup', params: true } },
        'adopt-failed': {
          target: 'ended',
          actions: [
            { type: 'noteGroup', params: false },
            { type: 'fail', params: 'resources' },
          ],
        },
        stop: 'stop-sigterm',
        deadline: { guard: 'isDue', target: 'stop-sigterm', actions: { type: 'fail', params: 'timeout' } },
      },
    },
    running: {
      tags: 'active',
      entry: [{ type: 'enter', params: 'active' }, 'limitRuntime'],
      on: { ...up, abandon: 'abandoned' },
    },
    // Its maker has left it to itself; everything else stays as it is.
    abandoned: {
      tags: 'active',
      entry: { type: 'enter', params: 'active' },
      on: up,
    },
    'stop-sigterm': {
      tags: 'deactivating',
      entry: [
        { type: 'enter', params: 'deactivating' },
        { type: 'kill', params: 'terminate' },
      ],
      always: [
        { guard: 'mayKill', target: 'stop-sigkill' },
        { guard: 'isGone', target: 'ended' },
      ],
      on: {
        deadline: [
          { guard: 'killsOnTimeout', target: 'stop-sigkill', actions: { type: 'fail', params: 'timeout' } },
          { guard: 'isDue', target: 'ended', actions: { type: 'fail', params: 'timeout' } },
        ],
      },
    },
    'stop-sigkill': {
      tags: 'deactivating',
      entry: [
        { type: 'enter', params: 'deactivating' },
        { type: 'kill', params: 'kill' },
      ],
      always: { guard: 'isGone', target: 'ended' },
      on: { deadline: { guard: 'isDue', target: 'ended', actions: { type: 'fail', params: 'timeout' } } },
    },
    // Passed through.
    ended: {
      always: [
        { guard: 'hasSucceeded', target: 'dead', actions: 'end' },
        { target: 'failed', actions: 'end' },
      ],
    },
    failed: {
      tags: 'failed',
      entry: { type: 'enter', params: 'failed' },
      on: {
        start: { actions: 'refuseSecondLife' },
        'reset-failed': { target: 'dead', actions: 'resetFailed' },
        empty: { actions: [{ type: 'noteGroup', params: false }, 'tidyGroup'] },
      },
    },
  },
});
