/** Units kept as they were loaded, for the next core: those that have actors, as they were read, and nothing else. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRegistry } from '../../src/actors/registry.ts';
import { HostError, type NotesPort } from '../../src/host/ports.ts';
import { createUnitLoader } from '../../src/units/load.ts';
import { plainPaths } from '../../src/units/load-path.ts';
import { LoadedUnits } from '../../src/units/loaded.ts';
import type { Unit } from '../../src/units/types.ts';
import { memoryFiles, testFacts } from './units-support.ts';

const PATHS = plainPaths(['/etc/u']);

/** A text that outlives its core. */
function notes(): NotesPort & { text: string; full: boolean } {
  const self = {
    text: '',
    full: false,
    load: () => self.text,
    append(text: string) {
      if (self.full) throw new HostError('ENOSPC', 'units');
      self.text += text;
    },
    replace(text: string) {
      self.text = text;
    },
  };
  return self;
}

const never = (error: HostError) => {
  throw error;
};
const open = (port: NotesPort, version = 'v1') => new LoadedUnits(port, version, never);

const unitOf = (name: string, description: string): Unit => {
  const files = memoryFiles({
    [`/etc/u/${name}`]: `[Unit]\nDescription=${description}\n[Service]\nExecStart=/bin/true\n`,
  });
  return createUnitLoader({ files, facts: testFacts, paths: PATHS }).load(name);
};

describe('the text', () => {
  test('holds for every sequence of what is loaded, replaced and dropped what is there at its end', () => {
    const name = fc.constantFrom('a.service', 'b.service', 'c.service');
    const step = fc.oneof(
      fc.record({ keep: name, description: fc.constantFrom('short', 'x'.repeat(200_000)) }),
      fc.record({ drop: name }),
      fc.constant({ again: true }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const port = notes();
        let kept = open(port);
        const there = new Map<string, Unit>();
        const all = () => [...there.values()];
        let atMs = 0;
        for (const one of steps) {
          atMs += 1;
          if ('keep' in one) {
            const unit = unitOf(one.keep, one.description);
            there.set(one.keep, unit);
            kept.keep([unit], () => atMs, all);
          } else if ('drop' in one) {
            there.delete(one.drop);
            kept.drop([one.drop], all);
          } else {
            kept = open(port);
            kept.restore();
          }
        }
        const found = open(port).restore();
        expect([...found].map(([of, { unit }]) => [of, unit.unit.Description]).sort()).toEqual(
          [...there].map(([of, unit]) => [of, unit.unit.Description]).sort(),
        );
      }),
      { numRuns: 200 },
    );
  });

  test('does not grow by what has been replaced, nor by what has come and gone', () => {
    const port = notes();
    const kept = open(port);
    const [long, other] = [unitOf('a.service', 'x'.repeat(200_000)), unitOf('b.service', 'y'.repeat(200_000))];
    for (let atMs = 0; atMs < 50; atMs += 1) {
      kept.keep(
        [long],
        () => atMs,
        () => [long],
      );
      kept.keep(
        [other],
        () => atMs,
        () => [long, other],
      );
      kept.drop(['b.service'], () => [long]);
    }
    expect(port.text.length).toBeLessThan(4_000_000);
    expect([...open(port).restore().keys()]).toEqual(['a.service']);
  });

  test('tells when each unit was read, and that all were read again', () => {
    const port = notes();
    const kept = open(port);
    const [a, b] = [unitOf('a.service', 'a'), unitOf('b.service', 'b')];
    const all = () => [a, b];
    kept.keep(
      [a],
      () => 5,
      () => [a],
    );
    kept.keep([b], () => 9, all);
    const times = () => [...open(port).restore()].map(([name, { readMs }]) => [name, readMs]);
    expect(times()).toEqual([
      ['a.service', 5],
      ['b.service', 9],
    ]);
    kept.reloaded(20, all);
    expect(times().map(([, ms]) => ms)).toEqual([20, 20]);
  });

  test('of another version is not used', () => {
    const port = notes();
    const unit = unitOf('a.service', 'a');
    open(port).keep(
      [unit],
      () => 5,
      () => [unit],
    );
    expect(open(port, 'v2').restore().size).toBe(0);
    expect(open(port).restore().size).toBe(1);
  });

  test('is written anew where it has no room to grow', () => {
    const port = notes();
    const kept = open(port);
    const [a, b] = [unitOf('a.service', 'a'), unitOf('b.service', 'b')];
    kept.keep(
      [a],
      () => 5,
      () => [a],
    );
    port.full = true;
    kept.keep(
      [b],
      () => 6,
      () => [a, b],
    );
    expect([...open(port).restore().keys()]).toEqual(['a.service', 'b.service']);
  });
});

describe('of the units in memory', () => {
  const CHAIN = {
    '/etc/u/a.service': '[Unit]\nWants=b.service\n[Service]\nExecStart=/bin/true\n',
    '/etc/u/b.service': '[Unit]\nWants=c.service\n[Service]\nExecStart=/bin/true\n',
    '/etc/u/c.service': '[Service]\nExecStart=/bin/true\n',
  };
  const own = (names: Iterable<string>) => [...names].filter((name) => /^[abc]\.service$/.test(name)).sort();
  const registryOn = (port: NotesPort) =>
    createRegistry({
      files: memoryFiles(CHAIN),
      facts: testFacts,
      paths: PATHS,
      loaded: open(port),
      readAt: (unit) => (unit.name === 'a.service' ? 3 : 4),
    });
  const kept = (port: NotesPort) => own(open(port).restore().keys());

  test('those that are only looked at are not kept, until they are loaded', () => {
    const port = notes();
    const registry = registryOn(port);
    registry.look(['b.service']);
    expect(own(registry.lookedAt())).toEqual(['b.service', 'c.service']);
    expect(kept(port)).toEqual([]);
    expect(own(registry.load(['a.service']).map(({ name }) => name))).toEqual(['a.service', 'b.service', 'c.service']);
    expect(kept(port)).toEqual(['a.service', 'b.service', 'c.service']);
    expect(open(port).restore().get('a.service')?.readMs).toBe(3);
  });

  test('those that are let go of are not kept, nor are those that only a question still leads to', () => {
    const port = notes();
    const registry = registryOn(port);
    registry.load(['b.service']);
    registry.look(['a.service']);
    registry.forget(['b.service', 'c.service']);
    expect(own(registry.lookedAt())).toEqual(['a.service', 'b.service', 'c.service']);
    expect(kept(port)).toEqual([]);
  });

  test('those are brought back that had actors, as they were', () => {
    const port = notes();
    registryOn(port).load(['b.service']);
    const next = registryOn(port);
    next.recall();
    next.restore(['b.service']);
    next.settle();
    expect(own(next.lookedAt())).toEqual(['c.service']);
    expect(kept(port)).toEqual(['b.service']);
  });
});
