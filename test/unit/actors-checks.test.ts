import { describe, expect, test } from 'vitest';
import { Checks } from '../../src/actors/checks.ts';
import type { Host } from '../../src/host/ports.ts';
import type { Post } from '../../src/supervisor/actor.ts';
import { createUnitLoader, plainPaths } from '../../src/units/index.ts';
import { memoryFiles, testFacts } from './units-support.ts';

const loader = createUnitLoader({ files: memoryFiles({}), facts: testFacts, paths: plainPaths(['/u']) });
const unit = loader.loadText(
  'a.service',
  '[Unit]\nConditionPathExists=/srv/data\n[Service]\nExecStart=/bin/true\n',
  '/u/a.service',
);
const start = { to: 'unit:a.service', event: { type: 'start' } };

/** Checks whose helper answers when the test says so. */
function rig() {
  const keys: string[] = [];
  const told: Post[] = [];
  const host = {
    facts: testFacts,
    hello: { cores: 1 },
    helper: { checkPaths: (key: string) => void keys.push(key) },
    clock: { nowMs: () => 1000, realMs: () => 1000 },
    log: { log: () => {} },
  } as unknown as Host;
  return { keys, told, checks: new Checks(host, (_key, posts) => void told.push(...posts)) };
}

/** What is posted at once: that the answer is not there yet. */
const post = ({ event }: Post): void => expect(event).toEqual({ type: 'checking', on: true });
const answered = { to: 'job:7', event: { type: 'checking', on: false } };

describe('conditions of a unit that is to be started', () => {
  test('start it once they hold', () => {
    const { checks, keys, told } = rig();
    checks.start(unit, 'job:7', () => true, post);
    expect(checks.answered(keys[0] ?? '', { ok: '[true]' })).toBe(true);
    expect(told).toEqual([answered, start]);
  });

  test('start it once, though it was asked twice meanwhile', () => {
    const { checks, keys, told } = rig();
    checks.start(unit, 'job:7', () => true, post);
    checks.start(unit, 'job:7', () => true, post);
    for (const key of keys) checks.answered(key, { ok: '[true]' });
    expect(told).toEqual([answered, start]);
  });

  test('start nothing for a job that has been canceled meanwhile', () => {
    const { checks, keys, told } = rig();
    let wanted = true;
    checks.start(unit, 'job:7', () => wanted, post);
    wanted = false;
    expect(checks.answered(keys[0] ?? '', { ok: '[true]' })).toBe(true);
    expect(told).toEqual([]);
  });

  test('are looked at for the next job, whatever became of the canceled one', () => {
    const { checks, keys, told } = rig();
    checks.start(unit, 'job:7', () => false, post);
    checks.start(unit, 'job:7', () => true, post);
    for (const key of keys) checks.answered(key, { ok: '[true]' });
    expect(told).toEqual([answered, start]);
  });
});
