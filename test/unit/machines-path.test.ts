/** The path machine: when it starts its unit, and when it gives up. Source: systemd.path(5). */
import { describe, expect, test } from 'vitest';
import { pathMachine } from '../../src/machines/path.ts';
import { type PathContext, pathSettings } from '../../src/machines/path-context.ts';
import type { PathSeen } from '../../src/machines/protocol.ts';
import type { PathKind, PathSection, UnitSection } from '../../src/units/types.ts';
import { type PathChange, pathWith } from '../model/other-settings.ts';
import { MachineDriver } from './support/machine-driver.ts';

const spec = (kind: PathKind, path = '/x') => ({ kind, path });
const there = (path = '/x', stamp: string | null = null): PathSeen => ({ there: true, path, stamp });
const gone = (path = '/x'): PathSeen => ({ there: false, path, stamp: null });

class Path extends MachineDriver<PathContext> {
  constructor(change: PathChange = {}) {
    super(pathMachine, pathWith(change));
  }

  seen(seen: readonly PathSeen[], missed = false, more: object = {}): string[] {
    return this.send({ type: 'paths-seen', round: this.context.round, missed, seen, ...more });
  }

  changed(index = 0): string[] {
    return this.send({ type: 'path-changed', round: this.context.round, index });
  }

  /** Started, and nothing was there. */
  up(seen: readonly PathSeen[] = [gone()]): this {
    this.send({ type: 'start' });
    this.seen(seen, true);
    return this;
  }

  unit(active: string, sub: string, more: object = {}): string[] {
    const rest = { result: 'success', startLimitHit: false, pending: false, loaded: true, ...more };
    return this.send({ type: 'service-state', active, sub, ...rest });
  }

  /** Its unit comes up and goes down. */
  pass(): this {
    this.unit('inactive', 'dead', { pending: true });
    this.unit('activating', 'start', { pending: true });
    this.unit('inactive', 'dead');
    return this;
  }
}

describe('a path', () => {
  test('is up once its paths are watched and were looked at', () => {
    const path = new Path();
    expect(path.send({ type: 'start' })).toContain('watchPaths');
    expect(path.state).toBe('activating/looking');
    path.seen([gone()], true);
    expect(path.state).toBe('active/waiting');
    expect(path.all('requestJob')).toEqual([]);
  });

  test.each<PathKind>(['PathExists', 'PathExistsGlob', 'DirectoryNotEmpty'])(
    'that waits for what is there already (%s=) starts its unit at once',
    (kind) => {
      const path = new Path({ specs: [spec(kind)] }).up([there('/x/y')]);
      expect(path.state).toBe('active/running');
      expect(path.all('requestJob')).toMatchObject([{ verb: 'start', unit: 'x.service', mode: 'replace' }]);
      expect(path.context.triggeredBy).toBe('/x/y');
    },
  );

  test.each<PathKind>(['PathChanged', 'PathModified'])(
    'that waits for a change (%s=) starts its unit at the next one, not for what is there',
    (kind) => {
      const path = new Path({ specs: [spec(kind)] }).up([there('/x', 'one')]);
      expect(path.state).toBe('active/waiting');
      expect(path.changed()).toEqual(expect.arrayContaining(['unwatchPaths', 'requestJob']));
      expect(path.state).toBe('active/running');
    },
  );

  test('that waits for a change takes coming and going for one', () => {
    const path = new Path({ specs: [spec('PathChanged')] }).up([gone()]);
    path.seen([gone()]);
    expect(path.state).toBe('active/waiting');
    path.seen([there('/x', 'one')]);
    expect(path.state).toBe('active/running');
  });

  test('takes another stamp for a change only where changes may have been missed', () => {
    const path = new Path({ specs: [spec('PathChanged')] }).up([there('/x', 'one')]);
    path.seen([there('/x', 'two')]); // it is being written
    expect(path.state).toBe('active/waiting');
    path.seen([there('/x', 'two')], true);
    expect(path.state).toBe('active/waiting');
    path.seen([there('/x', 'three')], true);
    expect(path.state).toBe('active/running');
  });

  test('looks again when its unit is down, and starts it again for what is there still', () => {
    const path = new Path().up([there()]);
    path.unit('inactive', 'dead', { pending: true });
    expect(path.all('watchPaths')).toHaveLength(1);
    path.pass();
    expect(path.all('watchPaths')).toHaveLength(2);
    expect(path.state).toBe('active/running');
    path.seen([there()], true);
    expect(path.all('requestJob')).toHaveLength(2);
    path.pass().seen([gone()], true);
    expect(path.state).toBe('active/waiting');
  });

  test('does not take what changed while its unit ran for a change', () => {
    const path = new Path({ specs: [spec('PathChanged')] }).up([there('/x', 'one')]);
    path.changed();
    path.pass().seen([there('/x', 'two')], true);
    expect(path.state).toBe('active/waiting');
  });

  test('whose unit was started by others watches nothing until that is down', () => {
    const path = new Path().up();
    expect(path.unit('active', 'running')).toContain('unwatchPaths');
    expect(path.state).toBe('active/running');
    expect(path.all('requestJob')).toEqual([]);
    expect(path.context.triggeredBy).toBeNull();
    expect(path.unit('inactive', 'dead')).toContain('watchPaths');
  });

  test('that is started while its unit is up has nothing to do yet', () => {
    const path = new Path();
    path.unit('active', 'running');
    path.up([there()]);
    expect(path.state).toBe('active/running');
    expect(path.all('requestJob')).toEqual([]);
  });

  test('ignores what is told of paths that it watches no more', () => {
    const path = new Path({ specs: [spec('PathExists'), spec('PathChanged', '/y')] }).up([gone(), gone('/y')]);
    const { round } = path.context;
    path.changed(1);
    expect(path.all('requestJob')).toHaveLength(1);
    // Said twice before it was heard.
    expect(path.seen([there(), gone('/y')], false, { round })).toEqual([]);
    path.pass();
    expect(path.seen([there(), gone('/y')], true, { round })).toEqual([]);
    expect(path.send({ type: 'path-changed', round, index: 1 })).toEqual([]);
    expect(path.send({ type: 'paths-failed', round, errno: 'ENOSPC', detail: '/x' })).toEqual([]);
    expect(path.state).toBe('active/running');
    expect(path.all('requestJob')).toHaveLength(1);
  });

  test('fails when it would trigger more often than it may', () => {
    const path = new Path({ TriggerLimitBurst: 2 }).up([there()]);
    path.pass().seen([there()], true);
    path.pass().seen([there()], true);
    expect(path.state).toBe('failed/failed (trigger-limit-hit)');
    expect(path.all('requestJob')).toHaveLength(2);
    expect(path.all('unwatchPaths').length).toBeGreaterThan(0);
    // The interval over, it may be started again.
    path.send({ type: 'start', atMs: 10_000 });
    path.seen([there()], true, { atMs: 10_000 });
    expect(path.state).toBe('active/running');
  });

  test.each([{ TriggerLimitBurst: 0 }, { TriggerLimitIntervalSec: 0 }])(
    'without a limit (%o) triggers on',
    (change) => {
      const path = new Path(change).up([there()]);
      for (let times = 0; times < 300; times += 1) path.pass().seen([there()], true);
      expect(path.state).toBe('active/running');
      expect(path.all('requestJob')).toHaveLength(301);
    },
  );

  test('fails with its unit when that was started too often', () => {
    for (const path of [new Path().up([there()]), new Path().up()]) {
      path.unit('failed', 'failed', { startLimitHit: true });
      expect(path.state).toBe('failed/failed (unit-start-limit-hit)');
    }
  });

  test('fails when its unit is refused, or its paths cannot be watched', () => {
    const refused = new Path().up([there()]);
    refused.send({ type: 'job-refused', why: 'the system goes down' });
    expect(refused.state).toBe('failed/failed (resources)');
    for (const path of [new Path(), new Path().up()]) {
      path.send({ type: 'start' });
      path.send({ type: 'paths-failed', round: path.context.round, errno: 'ETIMEDOUT', detail: '/x' });
      expect(path.state).toBe('failed/failed (resources)');
      path.send({ type: 'reset-failed' });
      expect(path.state).toBe('inactive/dead');
    }
  });

  test('is not started where its unit is not loaded', () => {
    const path = new Path();
    path.unit('inactive', 'dead', { loaded: false });
    expect(path.send({ type: 'start' })).toEqual(['refuse']);
    expect(path.state).toBe('inactive/dead');
  });

  test('has a start limit of its own', () => {
    const path = new Path({ StartLimitBurst: 2 });
    for (let times = 0; times < 2; times += 1) {
      path.up();
      path.send({ type: 'stop' });
      expect(path.state).toBe('inactive/dead');
    }
    path.send({ type: 'start' });
    expect(path.state).toBe('failed/failed (start-limit-hit)');
  });

  test('stops wherever it is, and nothing is watched then', () => {
    const looking = new Path();
    looking.send({ type: 'start' });
    for (const path of [looking, new Path().up(), new Path().up([there()]), new Path().up([there()]).pass()]) {
      expect(path.send({ type: 'stop' })).toEqual(expect.arrayContaining(['unwatchPaths', 'ended']));
      expect(path.state).toBe('inactive/dead');
      expect(path.context.deadline).toBeNull();
    }
  });

  test('asks again where it had no answer', () => {
    const path = new Path();
    path.send({ type: 'start' });
    expect(path.send({ type: 'deadline', name: 'looking' })).toContain('watchPaths');
    expect(path.all('watchPaths').map(({ round }) => round)).toEqual([1, 2]);
  });

  test('that gets other paths watches those, and forgets nothing of the ones that stay', () => {
    const specs = [spec('PathChanged'), spec('PathExists', '/y')];
    const path = new Path({ specs }).up([there('/x', 'one'), gone('/y')]);
    expect(path.send({ type: 'settings', settings: pathWith({ specs, TriggerLimitBurst: 5 }) })).toEqual([]);
    const other = [spec('PathChanged', '/z'), spec('PathChanged')];
    expect(path.send({ type: 'settings', settings: pathWith({ specs: other }) })).toContain('watchPaths');
    expect(path.state).toBe('active/waiting');
    path.seen([there('/z', 'new'), there('/x', 'two')], true);
    expect(path.state).toBe('active/running');
    expect(path.context.triggeredBy).toBe('/x');
  });

  test('that nobody remembers watches again, and one that had failed has failed', () => {
    const path = new Path();
    expect(path.send({ type: 'adopt', populated: false, over: true })).toContain('watchPaths');
    path.seen([gone()], true);
    expect(path.state).toBe('active/waiting');
    const failed = new Path();
    failed.send({ type: 'adopt', populated: false, failed: 'trigger-limit-hit' });
    expect(failed.state).toBe('failed/failed (trigger-limit-hit)');
  });

  test('makes directories when it is started, if it is asked to, and only then', () => {
    const path = new Path({ MakeDirectory: true }).up([there()]).pass();
    expect(path.all('watchPaths').map(({ make }) => make)).toEqual([true, false]);
    expect(new Path().up().all('watchPaths')).toMatchObject([{ make: false }]);
  });
});

test('a path triggers the service of its own name, or the unit that is set', () => {
  const unit = { name: 'y.path', unit: {} as UnitSection };
  const section = { specs: [], Unit: '' } as unknown as PathSection;
  expect(pathSettings({ ...unit, path: section }).Unit).toBe('y.service');
  expect(pathSettings({ ...unit, path: { ...section, Unit: 'z.target' } }).Unit).toBe('z.target');
});
