/**
 * Edges and settings against what a live systemd 252 said of the same unit files.
 *
 * fixtures/units-peer holds the unit files and `systemctl show` of all of them, recorded from a systemd that ran as PID 1 of
 * its own namespaces (a container, so without device units) and had loaded them.
 */
import * as fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createGraph, createUnitLoader, type DependencyKind, plainPaths } from '../../src/units/index.ts';
import { formatSpanUs } from '../../src/units/syntax/timespan.ts';
import { diskFiles, testFacts } from '../unit/units-support.ts';

const here = `${import.meta.dirname}/fixtures/units-peer`;
const graph = createGraph(
  createUnitLoader({
    files: diskFiles(),
    facts: { ...testFacts, virtualization: 'container-other' },
    paths: plainPaths([`${here}/units`]),
  }),
);

interface Shown {
  readonly name: string;
  readonly properties: ReadonlyMap<string, string>;
}

const shown: readonly Shown[] = fs
  .readFileSync(`${here}/show.txt`, 'utf8')
  .trim()
  .split('\n\n')
  .map((block) => {
    const properties = new Map(
      block.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const),
    );
    return { name: properties.get('Id') ?? '', properties };
  });

const KINDS: readonly DependencyKind[] = [
  'Requires',
  'Requisite',
  'Wants',
  'BindsTo',
  'PartOf',
  'Upholds',
  'Conflicts',
  'Before',
  'After',
  'OnSuccess',
  'OnFailure',
  'Triggers',
  'PropagatesReloadTo',
  'ReloadPropagatedFrom',
  'PropagatesStopTo',
  'StopPropagatedFrom',
  'JoinsNamespaceOf',
];

/** Where we differ on purpose. */
const DIFFERENT: Readonly<Record<string, string>> = {
  'dev-sde1.swap Conflicts umount.target': 'systemd gives swaps in containers no default dependencies',
  'dev-sde1.swap Before umount.target': 'as above',
  'opt-swap.swap Conflicts umount.target': 'as above',
  'opt-swap.swap Before umount.target': 'as above',
  'x2.service JoinsNamespaceOf x1.service': 'the edge is symmetric, which systemd shows on one side',
  'x2.service Requires systemd-journald@foo.socket':
    'LogNamespace= is not honoured yet, and an edge to a log of its own comes with it',
  'x2.service Requires systemd-journald-varlink@foo.socket': 'as above',
  'x2.service After systemd-journald@foo.socket': 'as above',
  'x2.service After systemd-journald-varlink@foo.socket': 'as above',
};

describe('a live systemd', () => {
  for (const { name } of shown) graph.load(name);

  test('has told of every unit', () => expect(shown.length).toBeGreaterThan(25));

  test.each(shown)('has the same edges from $name', ({ name, properties }) => {
    const unit = graph.load(name);
    expect(unit.loadState).toBe(properties.get('LoadState'));
    const theirs = new Set(
      KINDS.flatMap((kind) =>
        (properties.get(kind) ?? '')
          .split(' ')
          .filter((to) => to !== '')
          .map((to) => `${name} ${kind} ${to}`),
      ),
    );
    const ours = new Set(KINDS.flatMap((kind) => graph.others(name, kind).map((to) => `${name} ${kind} ${to}`)));
    const odd = [
      ...[...theirs].filter((edge) => !ours.has(edge)).map((edge) => `missing: ${edge}`),
      ...[...ours].filter((edge) => !theirs.has(edge)).map((edge) => `extra: ${edge}`),
    ].filter((text) => DIFFERENT[text.replace(/^\w+: /, '')] === undefined);
    expect(odd).toEqual([]);
    expect(graph.others(name, 'InSlice')[0] ?? '').toBe(properties.get('Slice') ?? '');
    expect([...unit.unit.RequiresMountsFor].sort()).toEqual(
      (properties.get('RequiresMountsFor') ?? '')
        .split(' ')
        .filter((path) => path !== '')
        .sort(),
    );
  });

  test.each(shown.filter(({ name }) => name.endsWith('.service')))(
    'has the same settings of $name',
    ({ name, properties }) => {
      const service = graph.load(name).service;
      expect({
        Type: service?.Type,
        StandardOutput: service?.StandardOutput.replace(/^file:.*/, 'file'),
        StandardError: service?.StandardError,
        OOMPolicy: service?.OOMPolicy,
        NotifyAccess: service?.NotifyAccess,
        TimeoutStartUSec:
          service?.TimeoutStartSec === 'infinity' ? 'infinity' : formatSpanUs((service?.TimeoutStartSec ?? 0) * 1000),
      }).toEqual(
        Object.fromEntries(
          ['Type', 'StandardOutput', 'StandardError', 'OOMPolicy', 'NotifyAccess', 'TimeoutStartUSec'].map((key) => [
            key,
            (properties.get(key) ?? '').replace(/^file:.*/, 'file'),
          ]),
        ),
      );
    },
  );
});
