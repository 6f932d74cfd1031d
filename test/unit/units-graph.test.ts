import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RINGS_MAX } from '../../src/units/cycles.ts';
import {
  createGraph,
  createUnitLoader,
  DEPENDENCY_KINDS,
  type DependencyKind,
  type Graph,
  INVERSES,
  orderingCycles,
  plainPaths,
  ringText,
} from '../../src/units/index.ts';
import { memoryFiles, testFacts } from './units-support.ts';

const U = '/u';
const graphOf = (tree: Readonly<Record<string, string>>): Graph =>
  createGraph(
    createUnitLoader({
      files: memoryFiles(Object.fromEntries(Object.entries(tree).map(([name, text]) => [`${U}/${name}`, text]))),
      facts: testFacts,
      paths: plainPaths([U]),
    }),
  );
const service = (unit = '') => `[Unit]\nDefaultDependencies=no\n${unit}\n[Service]\nExecStart=/bin/true\n`;
const target = (unit = '') => `[Unit]\n${unit}\n`;

describe('the graph', () => {
  test('loads what a unit reaches', () => {
    const graph = graphOf({
      'a.target': target('Wants=b.service'),
      'b.service': service('After=c.service'),
      'c.service': service(),
      'd.service': service(),
    });
    graph.load('a.target');
    const names = graph.units().map((unit) => unit.name);
    expect(names).toEqual(
      expect.arrayContaining(['a.target', 'b.service', 'c.service', 'shutdown.target', 'system.slice', '-.slice']),
    );
    expect(names).not.toContain('d.service');
    expect(graph.get('d.service')).toBeUndefined();
    expect([...names]).toEqual([...names].sort());
  });

  const MANY_REASONS = {
    'a.service': service('After=b.service\nWants=b.service'),
    'b.service': service('Before=a.service a.service\nAfter=c.target'),
    'b.service.d/more.conf': '[Unit]\nBefore=a.service\n',
    'c.target': target('Wants=a.service d.service\nBefore=b.service'),
    'c.target.wants/d.service': '-> ../d.service',
    'd.service': '[Unit]\nPartOf=c.target\nAfter=sysinit.target\n[Service]\nExecStart=/bin/true\n',
    'd.socket': '[Unit]\nBefore=d.service\n[Socket]\nListenStream=/run/d\n',
    'e.service': '-> d.service',
    'f.timer': '[Unit]\nAfter=e.service\n[Timer]\nOnBootSec=1\nUnit=e.service\n',
  };
  const MANY_NAMES = ['a.service', 'b.service', 'c.target', 'd.service', 'd.socket', 'e.service', 'f.timer'];
  const dump = (graph: Graph) => graph.units().flatMap((unit) => graph.allEdges(unit.name));

  test('keeps every reason for an edge, a written line before a link before a rule', () => {
    const graph = graphOf(MANY_REASONS);
    for (const name of MANY_NAMES) graph.load(name);
    const edge = (from: string, kind: DependencyKind, to: string) =>
      graph.edges(from, kind).find((each) => each.to === to);
    expect(edge('a.service', 'After', 'b.service')).toEqual({
      from: 'a.service',
      kind: 'After',
      to: 'b.service',
      origin: { file: '/u/a.service', line: 3 },
      also: [
        { file: '/u/b.service', line: 3 },
        { file: '/u/b.service.d/more.conf', line: 2 },
      ],
    });
    expect(edge('c.target', 'Wants', 'd.service')).toMatchObject({
      origin: { file: '/u/c.target', line: 2 },
      also: [{ link: '/u/c.target.wants/d.service' }],
    });
    expect(edge('d.service', 'After', 'd.socket')).toMatchObject({
      origin: { file: '/u/d.socket', line: 2 },
      also: [{ rule: 'a socket triggers its service' }],
    });
  });

  test('is the same in whatever order its units are loaded, and after taking one out and putting it back', () => {
    const whole = graphOf(MANY_REASONS);
    for (const name of MANY_NAMES) whole.load(name);
    const expected = dump(whole);
    fc.assert(
      fc.property(fc.shuffledSubarray(MANY_NAMES, { minLength: MANY_NAMES.length }), fc.nat(), (names, pick) => {
        const graph = graphOf(MANY_REASONS);
        for (const name of names) graph.load(name);
        expect(dump(graph)).toEqual(expected);
        const again = graph.load(names[pick % names.length] ?? '');
        graph.put({ ...again });
        expect(dump(graph)).toEqual(expected);
        graph.remove(again.name);
        graph.put(again);
        expect(dump(graph)).toEqual(expected);
      }),
      { numRuns: 50 },
    );
  });

  test('has the inverse of every edge, with the same origin', () => {
    const graph = graphOf({ 'a.service': service('Requires=b.service\nBefore=b.service'), 'b.service': service() });
    graph.load('a.service');
    expect(graph.edges('b.service', 'RequiredBy')).toEqual([
      { from: 'b.service', kind: 'RequiredBy', to: 'a.service', origin: { file: '/u/a.service', line: 3 } },
    ]);
    expect(graph.edges('b.service', 'After').find((edge) => edge.to === 'a.service')?.origin).toEqual({
      file: '/u/a.service',
      line: 4,
    });
    for (const unit of graph.units())
      for (const edge of graph.allEdges(unit.name))
        expect(graph.others(edge.to, INVERSES[edge.kind])).toContain(unit.name);
  });

  test('knows an inverse for every kind, which leads back', () => {
    for (const kind of DEPENDENCY_KINDS) expect(INVERSES[INVERSES[kind]]).toBe(kind);
  });

  test('treats a unit with two names as one', () => {
    const graph = graphOf({
      'a.service': service('Wants=alias.service'),
      'real.service': service(),
      'alias.service': '-> real.service',
      'b.service': service('After=real.service alias.service'),
    });
    graph.load('a.service');
    graph.load('b.service');
    expect(graph.others('a.service', 'Wants')).toEqual(['real.service']);
    expect(graph.others('b.service', 'After')).toEqual(expect.arrayContaining(['real.service']));
    expect(graph.get('alias.service')).toBe(graph.get('real.service'));
    expect(graph.canonical('alias.service')).toBe('real.service');
    expect(graph.load('alias.service').name).toBe('real.service');
  });

  test('an edge to another name of the unit itself is no edge', () => {
    const graph = graphOf({ 'a.service': service('After=b.service'), 'b.service': '-> a.service' });
    graph.load('a.service');
    expect(graph.others('a.service', 'After')).not.toContain('a.service');
  });

  test('a unit that is not there is in the graph as not-found', () => {
    const graph = graphOf({ 'a.service': service('Wants=nope.service') });
    graph.load('a.service');
    expect(graph.get('nope.service')?.loadState).toBe('not-found');
  });

  test('a target comes after what it pulls in, whichever is loaded first', () => {
    const tree = {
      't.target': target('Wants=plain.service quiet.service first.service\nRequires=needed.service'),
      'plain.service': '[Service]\nExecStart=/bin/true\n',
      'needed.service': '[Service]\nExecStart=/bin/true\n',
      'quiet.service': service(),
      'first.service': '[Unit]\nAfter=t.target\n[Service]\nExecStart=/bin/true\n',
      'lazy.target': target('DefaultDependencies=no\nWants=plain.service'),
    };
    for (const order of [
      ['t.target'],
      ['plain.service', 't.target'],
      ['first.service', 'needed.service', 't.target'],
    ]) {
      const graph = graphOf(tree);
      for (const name of order) graph.load(name);
      graph.load('lazy.target');
      expect(graph.others('t.target', 'After')).toEqual(['needed.service', 'plain.service']);
      expect(graph.others('lazy.target', 'After')).toEqual([]);
    }
  });

  test('is the same for every order of loading', () => {
    const tree = {
      'a.target': target('Wants=b.service c.service'),
      'b.service': service('After=c.service\nWants=x.service'),
      'c.service': '[Service]\nExecStart=/bin/true\n',
      'x.service': '-> c.service',
      'd.service': service('PartOf=a.target\nConflicts=b.service'),
    };
    const picture = (names: readonly string[]) => {
      const graph = graphOf(tree);
      for (const name of names) graph.load(name);
      return JSON.stringify(
        graph.units().map((unit) => [unit.name, graph.allEdges(unit.name).map((edge) => `${edge.kind} ${edge.to}`)]),
      );
    };
    const names = ['a.target', 'b.service', 'c.service', 'd.service', 'x.service'];
    const expected = picture(names);
    fc.assert(
      fc.property(fc.shuffledSubarray(names, { minLength: names.length }), (order) => picture(order) === expected),
    );
  });

  test('a unit can be put in, replaced and taken out', () => {
    const graph = graphOf({ 'a.service': service('Wants=run.service'), 'b.service': service() });
    graph.load('a.service');
    const loader = createUnitLoader({ files: memoryFiles({}), facts: testFacts, paths: plainPaths([U]) });
    graph.put(loader.loadText('run.service', service('After=b.service'), '/run/run.service'));
    expect(graph.get('run.service')?.loadState).toBe('loaded');
    expect(graph.others('b.service', 'Before')).toEqual(['run.service']);
    expect(graph.others('run.service', 'WantedBy')).toEqual(['a.service']);
    graph.put(loader.loadText('run.service', service(), '/run/run.service'));
    expect(graph.others('b.service', 'Before')).toEqual([]);
    expect(graph.others('run.service', 'WantedBy')).toEqual(['a.service']);
    graph.remove('run.service');
    expect(graph.get('run.service')).toBeUndefined();
    expect(graph.others('a.service', 'Wants')).toEqual(['run.service']);
  });

  test('ten thousand units in a chain load without overflowing anything', () => {
    const graph = graphOf(
      Object.fromEntries(
        Array.from({ length: 10_000 }, (_, index) => [
          `u${index}.service`,
          service(`Requires=u${index + 1}.service\nAfter=u${index + 1}.service`),
        ]),
      ),
    );
    graph.load('u0.service');
    expect(graph.get('u9999.service')?.loadState).toBe('loaded');
    expect(orderingCycles(graph)).toEqual([]);
  });
});

describe('ordering cycles', () => {
  test('are all found at once, each with a ring of edges and their places', () => {
    const graph = graphOf({
      'a.service': service('After=b.service'),
      'b.service': service('After=c.service'),
      'c.service': service('Before=x.service\nAfter=a.service'),
      'p.service': service('Before=q.service'),
      'q.service': service('Before=p.service'),
      'z.service': service('After=a.service p.service'),
    });
    for (const name of ['a.service', 'p.service', 'z.service']) graph.load(name);
    const cycles = orderingCycles(graph);
    expect(cycles.map((cycle) => cycle.members)).toEqual([
      ['a.service', 'b.service', 'c.service'],
      ['p.service', 'q.service'],
    ]);
    expect(ringText(cycles[0]?.rings[0] ?? [])).toEqual([
      'a.service after b.service (/u/a.service:3)',
      'b.service after c.service (/u/b.service:3)',
      'c.service after a.service (/u/c.service:4)',
    ]);
    expect(ringText(cycles[1]?.rings[0] ?? [])).toEqual([
      'p.service after q.service (/u/q.service:3)',
      'q.service after p.service (/u/p.service:3)',
    ]);
  });

  test('only among the units that are asked about', () => {
    const graph = graphOf({ 'a.service': service('After=b.service'), 'b.service': service('After=a.service') });
    graph.load('a.service');
    expect(orderingCycles(graph, new Set(['a.service', 'system.slice']))).toEqual([]);
    expect(orderingCycles(graph, new Set(['a.service', 'b.service']))).toHaveLength(1);
  });

  test('a knot of many has few rings, and every ring is closed', () => {
    const names = Array.from({ length: 40 }, (_, index) => `k${index}.service`);
    const graph = graphOf(
      Object.fromEntries(
        names.map((name) => [name, service(`After=${names.filter((other) => other !== name).join(' ')}`)]),
      ),
    );
    graph.load('k0.service');
    const [cycle, ...others] = orderingCycles(graph);
    expect(others).toEqual([]);
    expect(cycle?.members).toHaveLength(40);
    expect(cycle?.rings.length).toBeLessThanOrEqual(RINGS_MAX);
    for (const ring of cycle?.rings ?? []) {
      expect(ring[ring.length - 1]?.to).toBe(ring[0]?.from);
      for (let i = 1; i < ring.length; i++) expect(ring[i]?.from).toBe(ring[i - 1]?.to);
    }
  });
});
