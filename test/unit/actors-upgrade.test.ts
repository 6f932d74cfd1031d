/** Who is answered what when core or init are to be replaced, and when. */
import { describe, expect, test } from 'vitest';
import { upgradeKind, upgradeLogic } from '../../src/actors/upgrade.ts';
import { HostError } from '../../src/host/ports.ts';
import type { ActorEvent, Effect } from '../../src/supervisor/index.ts';

/** The actor after these events, and what the last of them has led to. */
function after(...events: readonly ActorEvent[]): { readonly effects: readonly Effect[]; readonly state: unknown } {
  let step = upgradeLogic.initial(null);
  // A crash and a restore between any two events.
  for (const event of events)
    step = upgradeLogic.step(upgradeLogic.load(JSON.parse(JSON.stringify(upgradeLogic.save(step.snapshot))), 1), event);
  return { effects: step.effects, state: step.snapshot };
}
const named = (effects: readonly Effect[]) => effects.map(({ type }) => type);
const check = { type: 'check', key: 'a' };
const forked = { type: 'forked', run: 1, serial: 9 };
const over = { type: 'exited', run: 1, ended: { exited: 0 } };
const go = { type: 'go', keys: ['a'], cores: 3 };

describe('another core', () => {
  test('is looked at once for all who ask meanwhile', () => {
    expect(named(after(check).effects)).toEqual(['spawnCheck', 'armDeadline']);
    expect(after(check, { type: 'check', key: 'b' }).effects).toEqual([]);
    expect(after(check, { type: 'check', key: 'b' }, forked, over).effects.at(-1)).toMatchObject({
      type: 'judge',
      params: { keys: ['a', 'b'], ended: { exited: 0 }, why: '' },
    });
  });

  test('that does not come to an end with its look is killed, and refused', () => {
    const { effects } = after(check, forked, { type: 'deadline', name: 'check' });
    expect(named(effects)).toEqual(['disarmDeadline', 'killCheck', 'judge']);
    expect(effects[1]?.params).toEqual({ serial: 9 });
    expect(effects[2]?.params).toMatchObject({ keys: ['a'], why: 'it has not answered within 30 s' });
  });

  test('that cannot be started is refused once', () => {
    const failed = { type: 'spawn-failed', run: 1, serial: null, errno: 12 };
    expect(named(after(check, failed).effects)).toEqual(['disarmDeadline', 'judge']);
    expect(after(check, failed, over).effects).toEqual([]);
  });

  test('is refused also where what it has said cannot be read', () => {
    const files = {
      readText() {
        throw new HostError('ELOOP', '/run/upgrade.check');
      },
    };
    const host = { files, facts: { runDirectory: '/run' }, log: { log: () => {} } };
    const told: unknown[] = [];
    const call = { post: (to: string, event: ActorEvent) => told.push([to, event]) };
    const params = { keys: ['a', 'b'], ended: { exited: 3 }, why: '' };
    upgradeKind(host as never, () => undefined as never).effects['judge']?.run(call as never, params as never);
    const why = expect.stringContaining('cannot be read: ELOOP on /run/upgrade.check');
    expect(told).toEqual(
      ['a', 'b'].map((key) => [
        'manager',
        { type: 'carried-out', key, answer: { error: expect.objectContaining({ why }) } },
      ]),
    );
  });

  test('is answered for by the core after this one, and by no core before', () => {
    expect(after(check, forked, over, go).effects).toMatchObject([
      { type: 'post', params: { to: 'manager', event: { type: 'leave', cores: 3 } } },
    ]);
    expect(after(check, forked, over, go, { type: 'came-up', cores: 3, why: null }).effects).toEqual([]);
    const up = { type: 'came-up', cores: 4, why: null };
    expect(after(check, forked, over, go, up).effects).toEqual([
      { type: 'answer', params: { keys: ['a'], why: null } },
    ]);
    expect(after(check, forked, over, go, up, up).effects).toEqual([]);
  });

  test('that was never in charge is answered for by the one that is back, with the reason', () => {
    const back = { type: 'came-up', cores: 5, why: 'it hung' };
    expect(after(check, forked, over, go, back).effects).toEqual([
      { type: 'answer', params: { keys: ['a'], why: 'it hung' } },
    ]);
  });
});

describe('another init', () => {
  const replace = { type: 'replace-init', key: 'i', path: '/sbin/new' };
  test.each<[string, ActorEvent, string]>([
    ['takes over', { type: 'init-replaced' }, ''],
    [
      'is refused',
      { type: 'init-refused', why: 'it does not understand the state', errno: 8 },
      'it does not understand the state',
    ],
    ['is not heard of', { type: 'deadline', name: 'init' }, 'init has not said within 30 s what has become of it'],
  ])('that %s is told to all who wait for it, once', (_what, event, why) => {
    expect(named(after(replace).effects)).toEqual(['armDeadline', 'replaceInit']);
    const told = after(replace, { ...replace, key: 'j' }, event);
    expect(told.effects).toEqual([
      { type: 'disarmDeadline', params: { name: 'init' } },
      { type: 'answerInit', params: { keys: ['i', 'j'], why } },
    ]);
    expect(after(replace, { ...replace, key: 'j' }, event, event).effects).toEqual([]);
  });

  test('that nobody waits for, after a fault of the one before, is no news', () => {
    expect(after({ type: 'init-replaced' }).effects).toEqual([]);
    expect(after(check, { type: 'init-refused', why: 'x' }).effects).toEqual([]);
  });
});
