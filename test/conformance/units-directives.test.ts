/** The table of directives against the list that systemd itself prints, and against the unit files of this machine. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createGraph, createUnitLoader, DIRECTIVES, directive, systemdPaths } from '../../src/units/index.ts';
import { diskFiles, testFacts } from '../unit/units-support.ts';

const manager = ['/usr/lib/systemd/systemd', '/lib/systemd/systemd'].find((path) => fs.existsSync(path));
const items =
  manager === undefined
    ? ''
    : (spawnSync(manager, ['--dump-configuration-items'], { encoding: 'utf8', timeout: 20_000 }).stdout ?? '');

describe.skipIf(items === '')('the table of directives', () => {
  test('has every key that systemd knows, in the same section', () => {
    const missing: string[] = [];
    let section = '';
    let count = 0;
    for (const line of items.split('\n')) {
      const header = /^\[(\w+)\]$/.exec(line)?.[1];
      if (header !== undefined) section = header;
      const key = /^(\w+)=/.exec(line)?.[1];
      if (key === undefined) continue;
      count += 1;
      if (directive(section, key) === undefined) missing.push(`[${section}] ${key}`);
    }
    expect(count).toBeGreaterThan(1000);
    expect(missing).toEqual([]);
  });

  test('has no key that systemd does not know, but for newer ones', () => {
    const known = new Set<string>();
    let section = '';
    for (const line of items.split('\n')) {
      section = /^\[(\w+)\]$/.exec(line)?.[1] ?? section;
      const key = /^(\w+)=/.exec(line)?.[1];
      if (key !== undefined) known.add(`${section}.${key}`);
    }
    const ours = DIRECTIVES.filter((row) => !row.section.startsWith('X-')).filter(
      (row) => !known.has(`${row.section}.${row.key}`) && row.since <= 252,
    );
    // Those that it takes and does not list.
    expect([...new Set(ours.map(({ key }) => key))].sort()).toEqual([
      'AssertFirmware',
      'BusPolicy',
      'SysVStartPriority',
    ]);
  });

  test('has each key once', () => {
    const names = DIRECTIVES.map((row) => `${row.section}.${row.key}`);
    expect(new Set(names).size).toBe(names.length);
  });
});

const vendor = ['/usr/lib/systemd/system', '/lib/systemd/system'].find((path) => fs.existsSync(path));

describe.skipIf(vendor === undefined)('the unit files of this machine', () => {
  test('all load, with no fault in any of them, and link into one graph', () => {
    const loader = createUnitLoader({ files: diskFiles(), facts: testFacts, paths: systemdPaths() });
    const graph = createGraph(loader);
    const names = fs
      .readdirSync(vendor ?? '/')
      .filter((name) => /\.(service|socket|target|slice|mount|timer|path|automount|swap)$/.test(name))
      .map((name) => name.replace('@.', '@some.'));
    expect(names.length).toBeGreaterThan(50);
    for (const name of names) {
      const unit = graph.load(name);
      expect({ name, state: unit.loadState }).toEqual({ name, state: expect.stringMatching(/^(loaded|masked)$/) });
      expect(
        unit.findings
          .filter((finding) => finding.severity === 'error')
          .map((finding) => `${finding.at?.file}: ${finding.why}`),
      ).toEqual([]);
    }
    for (const unit of graph.units())
      for (const edge of graph.allEdges(unit.name)) expect(graph.get(edge.to)?.name).toBe(edge.to);
  });

  test('loading twice gives the same units to the letter', () => {
    const all = () => {
      const graph = createGraph(createUnitLoader({ files: diskFiles(), facts: testFacts, paths: systemdPaths() }));
      graph.load('default.target');
      return JSON.stringify(graph.units().map((unit) => [unit, graph.allEdges(unit.name)]));
    };
    expect(all()).toBe(all());
  });
});
