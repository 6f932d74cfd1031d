/**
 * The units without a life of their own: targets, slices, and the types that are only watched.
 *
 *   dead <-start, stop-> active
 *
 * A target is up when it is asked to be: what it stands for is ordered and awaited by jobs. A slice is a control group.
 * Mounts, swaps and devices appear and vanish with the kernel's tables; init.scope is there from the beginning; timers and
 * automounts do nothing yet. Those are shown as they are, and a start says `unsupported`: it is never pretended.
 */
import { setup } from 'xstate';
import { act, type EndSettings, type Past } from './ends.ts';
import type { ActiveState, PlainEvent, SettingsEvent, StaticEvent } from './protocol.ts';
import { step, type Turn, withEffects } from './turn.ts';
import { newUnit, type UnitContext } from './view.ts';

/** Input: what is to follow the end of the unit (SuccessAction=); absent or null: nothing. */
export interface PlainInput {
  readonly settings?: EndSettings | null;
  readonly past?: Past;
}

interface PlainContext extends UnitContext {
  readonly settings: EndSettings | null;
}

interface SliceContext extends PlainContext {
  readonly invocation: number;
}

type PlainTurn<C extends UnitContext> = Turn<C, PlainEvent | StaticEvent>;

const enter = step<UnitContext, PlainEvent, ActiveState>((turn, active) => turn.enter(active));

/** Nothing can fail here; an end is always a good one. */
const goDown = (turn: PlainTurn<UnitContext>) => {
  turn.set({ downs: turn.context.downs + 1 });
  turn.ask('ended', { active: 'inactive', result: 'success', restarting: false, why: 'stopped' });
};

const end = step<UnitContext, PlainEvent>(goDown);

const endOfPlain = (turn: PlainTurn<PlainContext>) => {
  goDown(turn as unknown as PlainTurn<UnitContext>);
  const { settings } = turn.context;
  if (settings) act({ ask: (name, params) => turn.ask(name, params), settings }, 'SuccessAction', null);
};

const endPlain = step<PlainContext, PlainEvent>(endOfPlain);

const takeEnds = step<PlainContext, PlainEvent | SettingsEvent<EndSettings | null>>((turn) => {
  turn.set({ settings: (turn.event as SettingsEvent<EndSettings | null>).settings });
});

/** Targets: systemd.target(5). */
export const targetMachine = setup({
  types: {} as {
    context: PlainContext;
    events: PlainEvent | SettingsEvent<EndSettings | null>;
    input: PlainInput;
    tags: ActiveState;
  },
  actions: withEffects({ enter, end: endPlain, takeEnds }),
}).createMachine({
  id: 'target',
  context: ({ input }) => ({ ...newUnit, settings: input.settings ?? null }),
  initial: 'dead',
  on: { settings: { actions: 'takeEnds' } },
  states: {
    dead: { tags: 'inactive', entry: { type: 'enter', params: 'inactive' }, on: { start: 'active', adopt: 'active' } },
    active: {
      tags: 'active',
      entry: { type: 'enter', params: 'active' },
      on: { stop: { target: 'dead', actions: 'end' } },
    },
  },
});

const beginSlice = step<SliceContext, PlainEvent>((turn) => {
  turn.set({ invocation: turn.context.invocation + 1 });
  turn.ask('prepare', { invocation: turn.context.invocation });
});

const endSlice = step<SliceContext, PlainEvent>((turn) => {
  turn.ask('release', { restarting: false });
  endOfPlain(turn as unknown as PlainTurn<PlainContext>);
});

/** Slices: systemd.slice(5). */
export const sliceMachine = setup({
  types: {} as {
    context: SliceContext;
    events: PlainEvent | SettingsEvent<EndSettings | null>;
    input: PlainInput;
    tags: ActiveState;
  },
  actions: withEffects({ enter, beginSlice, endSlice, takeEnds }),
}).createMachine({
  id: 'slice',
  context: ({ input }) => ({ ...newUnit, settings: input.settings ?? null, invocation: input.past?.floor ?? 0 }),
  initial: 'dead',
  on: { settings: { actions: 'takeEnds' } },
  states: {
    dead: {
      tags: 'inactive',
      entry: { type: 'enter', params: 'inactive' },
      on: {
        start: { target: 'active', actions: 'beginSlice' },
        adopt: { target: 'active', actions: 'beginSlice' },
      },
    },
    active: {
      tags: 'active',
      entry: { type: 'enter', params: 'active' },
      on: { stop: { target: 'dead', actions: 'endSlice' } },
    },
  },
});

/** Which of the watched types; input of the machine. */
export interface StaticSettings {
  readonly type: 'mount' | 'swap' | 'device' | 'timer' | 'automount' | 'scope';
}

interface StaticContext extends UnitContext {
  readonly settings: StaticSettings;
}

const refuseVerb = step<StaticContext, StaticEvent, 'start' | 'stop'>((turn, verb) => {
  const { type } = turn.context.settings;
  turn.ask('refuse', {
    verb,
    result: 'unsupported',
    why: `units of type ${type} are shown, but not yet ${verb}ed here`,
  });
});

const takeSettings = step<StaticContext, StaticEvent | SettingsEvent<StaticSettings>>((turn) => {
  turn.set({ settings: (turn.event as SettingsEvent<StaticSettings>).settings });
});

const isOf =
  (type: StaticSettings['type']) =>
  ({ context }: { context: StaticContext }) =>
    context.settings.type === type;

/** Something that is there without our doing: it goes when the kernel says so. */
const present = {
  tags: 'active',
  entry: { type: 'enter', params: 'active' },
  on: {
    absent: { target: 'dead', actions: 'end' },
    stop: { actions: { type: 'refuseVerb', params: 'stop' } },
  },
} as const;

/** Types that are only watched; the active states are named as systemd names them. */
export const staticMachine = setup({
  types: {} as {
    context: StaticContext;
    events: StaticEvent | SettingsEvent<StaticSettings>;
    input: { readonly settings: StaticSettings };
    tags: ActiveState;
  },
  actions: withEffects({ enter, end, refuseVerb, takeSettings }),
  guards: { isMount: isOf('mount'), isSwap: isOf('swap'), isDevice: isOf('device'), isScope: isOf('scope') },
}).createMachine({
  id: 'static',
  context: ({ input }) => ({ ...newUnit, settings: input.settings }),
  initial: 'dead',
  on: { settings: { actions: 'takeSettings' } },
  states: {
    dead: {
      tags: 'inactive',
      entry: { type: 'enter', params: 'inactive' },
      on: {
        start: { actions: { type: 'refuseVerb', params: 'start' } },
        present: [
          { guard: 'isMount', target: 'mounted' },
          { guard: 'isDevice', target: 'plugged' },
          { guard: 'isSwap', target: 'active' },
          { guard: 'isScope', target: 'running' },
        ],
      },
    },
    mounted: present,
    plugged: present,
    active: present,
    running: present,
  },
});
