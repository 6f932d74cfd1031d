import { describe, expect, test } from 'vitest';
import { Heirs } from '../../src/actors/heirs.ts';
import { inputOf } from '../../src/actors/inputs.ts';
import { Spawns } from '../../src/actors/spawns.ts';
import { type UnitTools, unitEffects } from '../../src/actors/unit-effects.ts';
import { HostError } from '../../src/host/ports.ts';
import type { EffectCall, Post } from '../../src/supervisor/actor.ts';
import { createUnitLoader, plainPaths } from '../../src/units/index.ts';
import { memoryFiles, testFacts } from './units-support.ts';

const loader = createUnitLoader({ files: memoryFiles({}), facts: testFacts, paths: plainPaths(['/u']) });
const unit = loader.loadText('a.service', '[Service]\nExecStart=/bin/true\n', '/u/a.service');
const id = { epoch: 1, seq: 7, index: 1 };
const spawn = {
  role: 'main',
  run: 3,
  list: 'ExecStart',
  index: 0,
  command: unit.service?.ExecStart[0],
  watchdogUsec: 0,
};

/** Effects of a.service over a host whose log pipes can be made, or cannot. */
function rig(pipes: 'pipes' | 'none') {
  const posts: Post[] = [];
  const spawned: string[] = [];
  const host = {
    facts: testFacts,
    hello: { cgroupRoot: '', fds: [] },
    execSteps: {},
    groups: { available: false },
    log: { log: () => {} },
    process: { spawn: (_id: unknown, tag: string) => void spawned.push(tag) },
    sockets: {
      stored: () => false,
      sendLog: () => true,
      pipe() {
        if (pipes === 'none') throw new HostError('EMFILE', 'pipe log:a.service');
      },
    },
  };
  const tools = {
    host,
    world: { unit: () => unit, socketsOf: () => [], serviceOf: () => '' },
    kept: new Map(),
    storedFds: () => [],
    spawns: new Spawns(),
    heirs: new Heirs(),
    heirsOf: () => [],
    chaos: { failing: () => undefined, holding: () => undefined, mute: () => false },
    pidFiles: { look() {}, remove() {} } as never,
    environment: () => [],
    triggerOf: () => undefined,
    monitoredOf: () => undefined,
    invocation: () => 1,
  } as unknown as UnitTools;
  const call = {
    id,
    actor: 'unit:a.service',
    post: (to: string, event: Post['event']) => void posts.push({ to, event }),
  } as EffectCall;
  const run = (effect: string, params: unknown) => unitEffects(tools)[effect]?.run(call, params as never);
  const refuse = () => inputOf(tools, { type: 'refused', id, errno: 11, why: 'too many children' }, () => []);
  return { run, refuse, posts, spawned };
}

const failed = { type: 'spawn-failed', role: 'main', run: 3, serial: null, exitCode: 1, stepName: 'SPAWN' };

describe('a process that cannot be asked for', () => {
  test('is asked for once the unit is ready for it', () => {
    const { run, spawned, posts } = rig('pipes');
    run('prepare', { invocation: 1 });
    run('spawn', spawn);
    expect(spawned).toEqual(['a.service|main|3|ExecStart|0']);
    expect(posts).toEqual([]);
  });

  test('because the unit has no log pipe fails the start, and is not asked for', () => {
    const { run, spawned, posts } = rig('none');
    run('prepare', { invocation: 1 });
    run('spawn', spawn);
    expect(spawned).toEqual([]);
    expect(posts).toEqual([
      {
        to: 'unit:a.service',
        event: expect.objectContaining({ ...failed, why: 'cannot start a process: EMFILE on pipe log:a.service' }),
      },
    ]);
  });

  test('because init refuses fails the start at once, not by its timeout', () => {
    const { run, refuse } = rig('pipes');
    run('spawn', spawn);
    expect(refuse()?.events).toEqual([
      {
        to: 'unit:a.service',
        event: expect.objectContaining({
          ...failed,
          errno: 11,
          why: 'cannot start a process: EAGAIN on too many children',
        }),
      },
    ]);
    expect(refuse()).toBeUndefined();
  });
});
