/** The language of [X-Supervisor]: defaults, places, what is told of wrong values, and where the section belongs. */
import { expect, test } from 'vitest';
import { createUnitLoader, sentence, systemPaths } from '../../src/units/index.ts';
import { memoryFiles, testFacts } from './units-support.ts';

const FILE = '/usr/lib/systemd/system';
const load = (text: string, name = 'app.target') =>
  createUnitLoader({
    files: memoryFiles({ [`${FILE}/${name}`]: text }),
    facts: testFacts,
    paths: systemPaths(),
  }).load(name);

test('one valid setting makes the section count, with its place and the defaults of the others', () => {
  const { unit, findings } = load('[Unit]\nDescription=x\n[X-Supervisor]\nStrategy=some\nIntensity=7\n');
  expect(unit.Supervisor).toEqual({
    Strategy: 'one_for_one',
    Intensity: 7,
    Period: 60_000,
    OnEscalate: 'stop',
    at: { file: `${FILE}/app.target`, line: 5, column: 1 },
  });
  expect(findings.map(sentence)).toEqual([
    `${FILE}/app.target:4:1: Strategy=some: not a strategy; use one_for_one, one_for_all or rest_for_one`,
  ]);
  expect(load('[X-Supervisor]\n').unit.Supervisor).toBeUndefined();
});

test('what is escalated to is stop, an action, or a unit, which is then loaded and ordered after', () => {
  const of = (value: string) => load(`[X-Supervisor]\nOnEscalate=${value}\n`);
  for (const good of ['stop', 'reboot-force', 'none']) expect(of(good).unit.Supervisor?.OnEscalate).toBe(good);
  const alarm = of('alarm@%N.service');
  expect(alarm.unit.Supervisor?.OnEscalate).toBe('alarm@app.service');
  expect(alarm.edges.some(({ kind, to }) => kind === 'Before' && to === 'alarm@app.service')).toBe(true);
  for (const bad of ['', 'explode', 'app.target', 'x.slice']) {
    expect(of(bad).unit.Supervisor).toBeUndefined();
    expect(of(bad).findings).toHaveLength(1);
  }
});

test.each(['Intensity=-1', 'Intensity=1001', 'Intensity=', 'Period=0', 'Period=soon', 'Period=', 'Strategy='])(
  '%s does not count, and is told',
  (line) => {
    const { unit, findings } = load(`[X-Supervisor]\n${line}\n`);
    expect(unit.Supervisor).toBeUndefined();
    expect(findings).toHaveLength(1);
  },
);

test('targets and slices have the section; in others it is told that it does nothing, and other X- sections are passed over', () => {
  expect(load('[X-Supervisor]\nIntensity=1\n', 'app.slice').unit.Supervisor?.Intensity).toBe(1);
  const service = load('[X-Mine]\nA=b\n[X-Supervisor]\nIntensity=1\n[Service]\nExecStart=/bin/true\n', 'a.service');
  expect(service.unit.Supervisor).toBeUndefined();
  expect(service.findings.map(sentence)).toEqual([
    expect.stringContaining('[X-Supervisor]: a .service has no such section, it is left out'),
  ]);
});
