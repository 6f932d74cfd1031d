/** What is known of failures: counts, the last one, and what a quarantined actor missed. */
import { expect, test } from 'vitest';
import type { ActorEvent } from '../../src/supervisor/index.ts';
import { bench, child, supervisor } from './supervisor-fixture.ts';

const root = supervisor('core', [supervisor('group', [child('a'), child('b')], { intensity: 3 }), child('c')]);
const bad = (why: string): ActorEvent => ({ type: 'go', fail: why });

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
