/** What is known of failures: counts, the last one, and what a quarantined actor missed. */
import { expect, test } from 'vitest';
import type { ActorEvent, Json } from '../../src/supervisor/index.ts';
import { bench, child, puppetLogic, supervisor } from './supervisor-fixture.ts';

const root = supervisor('core', [supervisor('group', [child('a'), child('b')], { intensity: 3 }), child('c')]);
const bad = (why: string): ActorEvent => ({ type: 'go', fail: why });
const builtin = (type: string, params: object): ActorEvent => ({ type: 'go', effects: [{ type, params }] });

test('a failure is counted for the actor and its supervisor, with its event and the first line of the error', () => {
  const { send, core } = bench(root);
  send('a', bad('a bug\nand where'));
  const tree = core().tree('group');
  expect(tree).toMatchObject({ failures: 2, strategy: 'one_for_one', intensity: 3, periodMs: 10_000, restarts: 2 });
  expect(tree?.last).toMatchObject({ actor: 'a', event: 'go', why: 'a bug' });
  expect(tree?.children.map(({ id, failures, restart }) => [id, failures, restart])).toEqual([
    ['a', 2, 'permanent'],
    ['b', 0, 'permanent'],
  ]);
  expect(tree?.children[1]?.last).toBeUndefined();
});

test('of an error whose first line announces another, both are kept', () => {
  const { send, core } = bench(root);
  send('a', bad('cannot look at it:\nit is gone\nand where'));
  expect(core().tree('a')?.last?.why).toBe('cannot look at it: it is gone');
});

test('counts and the last failure outlive core, and the start anew of a group', () => {
  const { send, core, sim } = bench(supervisor('core', [child('a'), child('b')], { strategy: 'one_for_all' }));
  send('a', bad('a bug'));
  sim.killCore();
  sim.run(10);
  expect(core().tree()).toMatchObject({ failures: 2, last: { actor: 'a', why: 'a bug' } });
});

test('past the intensity the actor is quarantined; what is posted to it is held, and delivered first when it is released', () => {
  const { send, core, sim, heard, whats } = bench(root);
  send('a', 'before');
  for (const why of ['one', 'two']) send('a', bad(why));
  expect(core().phase('a')).toBe('quarantined');
  expect(core().phase('b')).toBe('running');
  expect(whats()).toContain('supervisor-gave-up group');
  send('a', 'first');
  sim.killCore();
  sim.run(10);
  send('a', 'second');
  expect(core().tree('a')).toMatchObject({ phase: 'quarantined', held: 2, last: { event: 'go', why: 'two' } });
  expect(heard('a')).toEqual(['before']);
  send('c', { type: 'go', effects: [{ type: 'releaseChild', params: { id: 'a' } }] });
  expect(core().tree('a')).toMatchObject({ phase: 'running', held: 0 });
  expect(heard('a')).toEqual(['before', 'first', 'second']);
});

test('of the events held for a quarantined actor the newest 256 are kept', () => {
  const { send, core, heard, reports } = bench(root);
  for (const why of ['one', 'two']) send('a', bad(why));
  const effects = Array.from({ length: 300 }, (_, index) => ({
    type: 'post',
    params: { to: 'a', event: { type: `event ${index}` } },
  }));
  send('c', { type: 'go', effects });
  expect(core().tree('a')?.held).toBe(256);
  send('c', { type: 'go', effects: [{ type: 'releaseChild', params: { id: 'a' } }] });
  expect(heard('a')?.[0]).toBe('event 44');
  expect(heard('a')).toHaveLength(256);
  expect(reports.find(({ what }) => what === 'released')?.why).toContain('44 dropped');
});

test('effects of a temporary child that fail count for itself alone: more than its supervisor bears end it, and nobody else', () => {
  const kids = supervisor('group', [child('t', 'temporary'), child('p')], { intensity: 3 });
  const { send, core, heard, whats } = bench(supervisor('core', [kids, child('c')]), {}, {}, (actor) => {
    if (actor === 't') throw new Error('no such thing');
  });
  const tries = { type: 'go', effects: [{ type: 'act', params: 1 }] };
  for (let n = 1; n <= 3; n += 1) send('t', tries);
  expect(heard('t')).toEqual(['go', 'effect-failed', 'go', 'effect-failed', 'go', 'effect-failed']);
  expect(core().restarts('group')).toBe(0);
  send('t', tries);
  expect(
    core()
      .tree('group')
      ?.children.map(({ id }) => id),
  ).toEqual(['p']);
  expect(whats()).toContain('temporary-failed t');
  expect(whats()).not.toContain('supervisor-gave-up group');
});

test('a child that may take as long as it likes to end is waited for, and those before it wait with it', () => {
  const slow = supervisor('group', [child('a'), child('b', 'permanent', { shutdown: 'infinity' })]);
  const { send, core, sim } = bench(supervisor('core', [slow, child('c')]));
  send('c', builtin('stopChild', { id: 'group' }));
  sim.run(1_000_000);
  sim.killCore();
  sim.run(1_000_000);
  expect(
    core()
      .tree('group')
      ?.children.map(({ id, phase }) => `${id} ${phase}`),
  ).toEqual(['a running', 'b stopping']);
  expect(core().deadlines('b')).toEqual({ $shutdown: 'infinity' });
  send('b', { type: 'over', end: 'well' });
  expect(core().tree('group')).toBeUndefined();
});

test('a child that fails while younger siblings are on their way out is started again with them, in the order of starting', () => {
  const kids = ['a', 'b', 'c'].map((id) => child(id, 'permanent', { shutdown: 100 }));
  const { send, core, sim, heard } = bench(
    supervisor('core', [supervisor('group', kids, { strategy: 'rest_for_one', intensity: 10 })]),
  );
  send('a', 'before');
  send('c', bad('a bug'));
  send('a', { type: 'over', end: 'well' });
  expect(core().read('a')).toBeUndefined();
  sim.run(1_000);
  expect(
    core()
      .tree('group')
      ?.children.map(({ id, phase }) => `${id} ${phase}`),
  ).toEqual(['a running', 'b running', 'c running']);
  expect(heard('a')).toEqual([]);
});

test('a group that cannot be started again fails upwards at once, and its culprit stays visible', () => {
  const { send, core, whats } = bench(
    supervisor('core', [
      child('c'),
      supervisor('group', [child('a'), child('b', 'permanent', { input: null })], {
        strategy: 'one_for_all',
        intensity: 9,
      }),
    ]),
    {},
    {},
    () => {},
    {
      logic: {
        ...puppetLogic,
        initial: (() => {
          let starts = 0;
          return (input: Json) => {
            starts += 1;
            // c, a and b at first; a, and then b, which cannot.
            if (starts > 4) throw new Error('spent');
            return puppetLogic.initial(input);
          };
        })(),
      },
    },
  );
  send('a', bad('a bug'));
  expect(whats()).toEqual(expect.arrayContaining(['quarantined b', 'supervisor-gave-up group']));
  expect(
    core()
      .tree('group')
      ?.children.map(({ id, phase }) => `${id} ${phase}`),
  ).toEqual(['a running', 'b quarantined']);
  expect(core().restarts('core')).toBe(1);
});

test('restarts are shown as long as they count', () => {
  const { send, core, sim } = bench(root);
  send('a', bad('a bug'));
  expect(core().tree('group')).toMatchObject({ restarts: 2, failures: 2 });
  sim.run(10_001);
  expect(core().tree('group')).toMatchObject({ restarts: 0, failures: 2 });
  expect(core().restarts('group')).toBe(0);
});

test.each<[string, object]>([
  ['a restart type', { ...child('x'), restart: 'always' }],
  ['a time for a shutdown', { ...child('x'), shutdown: -1 }],
  ['a restart strategy', supervisor('x', [], { strategy: 'simple_one_for_one' as never })],
  ['an intensity', supervisor('x', [], { intensity: -1 })],
  ['a period', supervisor('x', [], { periodMs: 0 })],
])('a child specification without %s costs the step that asks for it', (_, spec) => {
  const { send, core, whats } = bench(root);
  const type = 'strategy' in spec ? 'startSupervisor' : 'startChild';
  send('c', builtin(type, { spec, supervisor: 'core' }));
  expect(core().tree('x')).toBeUndefined();
  expect(whats()).toContain('event-set-aside c');
});
