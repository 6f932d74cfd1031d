import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type AnyStateMachine, assign, createMachine, enqueueActions, fromPromise, raise, sendTo, setup } from 'xstate';
import { machineLogic } from '../../src/supervisor/index.ts';

const machine = setup({
  types: {} as {
    context: { count: number; note?: string | undefined };
    input: { count: number };
    events:
      | { type: 'go' }
      | { type: 'back' }
      | { type: 'leave' }
      | { type: 'return' }
      | { type: 'note'; text?: string }
      | { type: 'bad' };
  },
  actions: {
    hello: (_, _params: { n: number }) => {},
    bye: () => {},
    count: assign({ count: ({ context }) => context.count + 1 }),
    throwing: assign({
      count: () => {
        throw new Error('a bad assign');
      },
    }),
  },
}).createMachine({
  id: 'm',
  context: ({ input }) => ({ count: input.count }),
  initial: 'on',
  on: {
    note: { actions: assign({ note: ({ event }) => event.text }) },
    bad: { actions: ['bye', 'throwing'] },
  },
  states: {
    on: {
      entry: { type: 'hello', params: ({ context }) => ({ n: context.count }) },
      initial: 'one',
      on: { leave: 'off' },
      states: {
        one: { on: { go: { target: 'two', actions: ['count', 'bye'] } }, exit: 'bye' },
        two: {
          on: { back: 'one', go: 'three' },
          type: 'parallel',
          states: { p: { initial: 'x', states: { x: { on: { go: 'y' } }, y: {} } }, q: {} },
        },
        three: { on: { back: 'one' } },
        past: { type: 'history', history: 'deep' },
      },
    },
    off: { on: { return: 'on.past', go: 'end' } },
    end: { type: 'final' },
  },
  output: ({ context }) => ({ counted: context.count }),
});

const logic = machineLogic(machine);

test('custom actions come out as effects, in order, with their params, and nothing is executed', () => {
  const first = logic.initial({ count: 7 });
  expect(first.effects).toEqual([{ type: 'hello', params: { n: 7 } }]);
  const second = logic.step(first.snapshot, { type: 'go' });
  expect(second.effects.map(({ type }) => type)).toEqual(['bye', 'bye']);
  expect(second.snapshot.context).toEqual({ count: 8 });
});

test('an event that means nothing leaves the same snapshot', () => {
  const { snapshot } = logic.initial({ count: 0 });
  const step = logic.step(snapshot, { type: 'unheard of' });
  expect(step.effects).toEqual([]);
  expect(logic.same?.(snapshot, step.snapshot)).toBe(true);
});

test('a throw in an assign reaches the caller, and the effects before it are gone', () => {
  const { snapshot } = logic.initial({ count: 0 });
  expect(() => logic.step(snapshot, { type: 'bad' })).toThrow('a bad assign');
  expect(logic.step(snapshot, { type: 'go' }).effects).toHaveLength(2);
});

test('a context that cannot be made reaches the caller', () => {
  const bad = setup({}).createMachine({
    id: 'b',
    context: () => {
      throw new Error('no context');
    },
  });
  expect(() => machineLogic(bad).initial(null)).toThrow('no context');
});

test('a final state has an output, others have none', () => {
  let { snapshot } = logic.initial({ count: 3 });
  expect(logic.output?.(snapshot)).toBeUndefined();
  for (const type of ['leave', 'go']) snapshot = logic.step(snapshot, { type }).snapshot;
  expect(logic.output?.(snapshot)).toEqual({ counted: 3 });
});

const refused: Record<string, AnyStateMachine> = {
  sendTo: createMachine({ id: 'r', on: { go: { actions: sendTo('other', { type: 'x' }) } } }),
  'delayed raise': createMachine({ id: 'r', on: { go: { actions: raise({ type: 'x' }, { delay: 5 }) } } }),
  after: createMachine({ id: 'r', initial: 'a', states: { a: { on: { go: 'b' } }, b: { after: { 5: 'a' } } } }),
  invoke: createMachine({
    id: 'r',
    initial: 'a',
    states: { a: { on: { go: 'b' } }, b: { invoke: { src: fromPromise(async () => 1) } } },
  }),
};
test.each(Object.keys(refused))('a machine that uses %s is refused when it does', (name) => {
  const using = machineLogic(refused[name] as AnyStateMachine);
  expect(() => using.step(using.initial(null).snapshot, { type: 'go' })).toThrow(/not served here|Unable to send/);
});

test('raise and enqueueActions work, since they stay inside the step', () => {
  const raising = machineLogic(
    createMachine({
      id: 'r',
      initial: 'a',
      states: {
        a: {
          on: {
            go: {
              actions: [
                raise({ type: 'on' }),
                enqueueActions(({ enqueue }) => enqueue({ type: 'said', params: { n: 1 } })),
              ],
            },
            on: 'b',
          },
        },
        b: {},
      },
    }),
  );
  const step = raising.step(raising.initial(null).snapshot, { type: 'go' });
  expect(step.snapshot.value).toBe('b');
  expect(step.effects).toEqual([{ type: 'said', params: { n: 1 } }]);
});

test('an endless always loop is a throw, not a hang', () => {
  const endless = machineLogic(
    createMachine({
      id: 'e',
      initial: 'a',
      states: { a: { on: { go: 'b' } }, b: { always: 'c' }, c: { always: 'b' } },
    }),
  );
  expect(() => endless.step(endless.initial(null).snapshot, { type: 'go' })).toThrow('Infinite loop');
});

test('over any walk, saved and patched forms restore to snapshots that behave the same', () => {
  const event = fc.constantFrom(
    ...['go', 'back', 'leave', 'return', 'unheard of'].map((type) => ({ type })),
    { type: 'note', text: 'a' },
    { type: 'note' },
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 25 }), (events) => {
      let live = logic.initial({ count: 0 }).snapshot;
      let saved = JSON.stringify(logic.save(live));
      for (const one of events) {
        if (logic.output?.(live) !== undefined) break;
        const next = logic.step(live, one).snapshot;
        const diff = JSON.stringify(logic.diff?.(live, next));
        saved = JSON.stringify(logic.patch?.(JSON.parse(saved), JSON.parse(diff)));
        live = next;
        const back = logic.load(JSON.parse(saved), 1);
        expect(logic.save(back)).toEqual(JSON.parse(JSON.stringify(logic.save(live))));
        for (const { type } of [{ type: 'go' }, { type: 'return' }, { type: 'back' }]) {
          const [a, b] = [logic.step(live, { type }), logic.step(back, { type })];
          expect(b.effects).toEqual(a.effects);
          expect(logic.output?.(b.snapshot)).toEqual(logic.output?.(a.snapshot));
          expect(JSON.stringify(logic.save(b.snapshot))).toBe(JSON.stringify(logic.save(a.snapshot)));
        }
      }
    }),
  );
});

test.each([
  ['a state that is gone', { value: 'somewhere', context: {} }],
  ['a state that is now compound', { value: 'on', context: {} }],
  ['a state that is now atomic', { value: { off: 'deep' }, context: {} }],
  ['a region that was added', { value: { on: { two: { p: 'x' } } }, context: {} }],
  ['a form without context', { value: 'off' }],
  ['no form at all', null],
])('%s is not believed', (_, saved) => {
  expect(() => logic.load(saved as never, 1)).toThrow();
});

test('another version is refused without a migration, and converted with one', () => {
  expect(() => logic.load({ value: 'off', context: { count: 1 } }, 0)).toThrow('version 0');
  const migrating = machineLogic(machine, {
    version: 2,
    migrate: (saved, from) => ({ value: 'off', context: { count: from, old: saved } }),
  });
  expect(migrating.load({ anything: true }, 1).context).toEqual({ count: 1, old: { anything: true } });
});
