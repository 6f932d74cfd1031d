/** Actors that lie dormant until they hear something: in the checkpoint is their node alone. */
import { describe, expect, test } from 'vitest';
import type { JobInput } from '../../src/jobs/protocol.ts';
import { unitMachines } from '../../src/machines/index.ts';
import { jobMachine } from '../../src/machines/job.ts';
import { type UnitSnapshot, view } from '../../src/machines/view.ts';
import { type ActorHostOptions, type Effect, type Json, machineLogic } from '../../src/supervisor/index.ts';
import { bench, child, puppetLogic, supervisor } from './supervisor-fixture.ts';

/** A puppet whose first step counts, and that may lie dormant. */
function dormantBench(input: Json = null, restart: 'permanent' | 'temporary' = 'permanent') {
  const begun: string[] = [];
  const downs: string[] = [];
  const root = supervisor('core', [child('a', restart, { input })]);
  const kind = {
    logic: {
      ...puppetLogic,
      initial(given: Json) {
        begun.push('a');
        return puppetLogic.initial(given);
      },
    },
    dormant: () => true,
    down: (_actor: string, _last: unknown, reason: string) => {
      downs.push(reason);
      return [];
    },
  };
  const options: Partial<ActorHostOptions> = { compactBytes: 1 };
  return { ...bench(root, options, {}, undefined, kind), begun, downs };
}

const forms = (sim: ReturnType<typeof bench>['sim']) =>
  [sim.state.image ?? '', ...sim.state.records].join('\n').match(/\["a","a","puppet",[^\]]*\]/g) ?? [];

describe('a dormant actor', () => {
  test('is in the tree, and nothing of it is written but its node', () => {
    const { core, sim, begun } = dormantBench();
    expect(core().tree('a')).toMatchObject({ id: 'a', phase: 'running', kind: 'puppet' });
    expect(core().list('')).toEqual(['a']);
    expect(core().readBegun('a')).toBeUndefined();
    expect(begun).toEqual([]);
    expect(forms(sim)).toEqual([]);
  });

  test('looks as it will begin to whoever looks, and is found out once', () => {
    const { core, begun, sim } = dormantBench();
    expect(core().read('a')).toEqual({ heard: [] });
    expect(core().read('a')).toBe(core().read('a'));
    expect(begun).toEqual(['a']);
    expect(core().readBegun('a')).toBeUndefined();
    expect(forms(sim)).toEqual([]);
  });

  test('begins with its first event, and is like any other from then on', () => {
    const { core, send, sim, heard } = dormantBench();
    send('a', 'one');
    expect(core().readBegun('a')).toEqual({ heard: ['one'] });
    expect(forms(sim)).not.toEqual([]);
    sim.killCore();
    sim.run(10);
    send('a', 'two');
    expect(heard('a')).toEqual(['one', 'two']);
  });

  test('is still dormant in the next core', () => {
    const { core, sim, send, heard, begun } = dormantBench();
    sim.killCore();
    sim.run(10);
    expect(core().phase('a')).toBe('running');
    expect(core().readBegun('a')).toBeUndefined();
    expect(begun).toEqual([]);
    send('a', 'one');
    expect(heard('a')).toEqual(['one']);
  });

  test('shows the deadlines that it will begin with, and has them then', () => {
    const arm: Effect = { type: 'armDeadline', params: { name: 'late', ms: 'infinity' } };
    const { core, send } = dormantBench({ effects: [arm] } as unknown as Json);
    expect(core().deadlines('a')).toEqual({ late: 'infinity' });
    send('a', 'one');
    expect(core().deadlines('a')).toEqual({ late: 'infinity' });
  });

  test('that cannot begin is set aside when it is to, and what it was to hear waits', () => {
    const { core, send, whats, downs } = dormantBench({ fail: 'no' });
    expect(core().read('a')).toBeUndefined();
    send('a', 'one');
    expect(whats()).toContain('start-failed a');
    expect(core().tree('a')).toMatchObject({ phase: 'quarantined', held: 1 });
    expect(downs).toEqual(['quarantined']);
  });

  test('that cannot begin and is temporary is gone', () => {
    const { core, send, downs } = dormantBench({ fail: 'no' }, 'temporary');
    send('a', 'one');
    expect(core().phase('a')).toBeUndefined();
    expect(downs).toEqual(['failed']);
  });
});

describe('what is dormant in core', () => {
  test.each(Object.entries(unitMachines))('a %s begins inactive, and asks for nothing', (_, machine) => {
    const { snapshot, effects } = machineLogic(machine).initial({ settings: {} });
    expect(effects).toEqual([]);
    expect(view(snapshot as UnitSnapshot)).toMatchObject({ active: 'inactive', sub: 'dead', result: 'success' });
  });

  test('a job begins with the limit that it has for waiting, and asks for nothing else', () => {
    const input: JobInput = { id: 1, unit: 'a.service', type: 'start', jobTimeoutMs: 'infinity', runningTimeoutMs: 5 };
    expect(machineLogic(jobMachine).initial(input as unknown as Json).effects).toEqual([
      { type: 'armDeadline', params: { name: 'JobTimeoutSec', ms: 'infinity' } },
    ]);
  });
});
