/** Machine plugins: which files count, what is said of the others, how a unit names one, and that its chart works like a built-in one. */
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readPlugins } from '../../src/host/node/plugins.ts';
import { machineOf } from '../../src/machines/index.ts';
import { definitionOf, pluginTools } from '../../src/machines/plugin.ts';
import type { Json } from '../../src/supervisor/actor.ts';
import { machineLogic } from '../../src/supervisor/index.ts';
import { createUnitLoader, sentence, systemPaths } from '../../src/units/index.ts';
import { memoryFiles, testFacts } from './units-support.ts';

const examples = join(import.meta.dirname, '../../examples/machines');
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'plugins.'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const read = (path = directory) =>
  readPlugins(path, (exported) => definitionOf((exported as (tools: typeof pluginTools) => unknown)(pluginTools)));
const put = (name: string, text: string, mode = 0o644) => {
  writeFileSync(join(directory, name), text);
  chmodSync(join(directory, name), mode);
};
const SAME = 'module.exports = ({ service }) => ({ machine: service });\n';

test('the first file of a name counts, and they come by name', () => {
  put('b.cjs', SAME);
  put('a.cjs', SAME);
  put('drained.cjs', SAME);
  put('readme.txt', 'nothing');
  const { plugins, findings } = read(`${directory}:/nonexistent:${examples}`);
  expect(plugins.map(({ name }) => name)).toEqual(['a', 'b', 'drained']);
  expect(plugins[2]?.file).toBe(join(directory, 'drained.cjs'));
  expect(findings).toEqual([]);
});

test.each([
  ['throws', "\nthrow new Error('broken');\n", 'line 2: broken'],
  ['never ends when it is loaded', 'for (;;);\n', 'timed out'],
  ['never ends when it is asked', 'module.exports = () => { for (;;); };\n', 'timed out'],
  ['answers with nothing', 'module.exports = () => {};\n', 'an object { machine }'],
  ['answers with no machine', 'module.exports = () => ({ machine: {} });\n', 'not a machine'],
  [
    'has no number for a version',
    "module.exports = ({ service }) => ({ machine: service, version: '2' });\n",
    'version',
  ],
  ['throws nothing', 'throw null;\n', 'null'],
  ['throws what cannot be told', 'throw Object.create(null);\n', 'something that has no text was thrown'],
  ['never ends once it was loaded', 'const f = () => Promise.resolve().then(f);\nf();\n', 'timed out'],
  ['imports', "require('node:fs');\n", 'require is not defined'],
])('a file that %s is left out with the reason, alone', (_, text, why) => {
  put('bad.cjs', text);
  put('good.cjs', SAME);
  const { plugins, findings } = read();
  expect(plugins.map(({ name }) => name)).toEqual(['good']);
  expect(findings).toEqual([expect.stringContaining(`${join(directory, 'bad.cjs')}: not used as a machine plugin: `)]);
  expect(findings[0]).toContain(why);
});

test('a file, or a directory, that others may write to is not run', () => {
  put('open.cjs', SAME, 0o666);
  expect(read()).toEqual({ plugins: [], findings: [expect.stringContaining('chmod go-w it')] });
  chmodSync(directory, 0o777);
  put('closed.cjs', SAME);
  expect(read()).toEqual({ plugins: [], findings: [expect.stringContaining('others may write to it')] });
});

test.skipIf(process.getuid?.() !== 0)('a file of another user is not run', () => {
  put('theirs.cjs', SAME);
  chownSync(join(directory, 'theirs.cjs'), 12_345, 12_345);
  expect(read().findings).toEqual([expect.stringContaining('it belongs to uid 12345; chown it to root')]);
});

const load = (machines: readonly string[] | undefined) => {
  const file = '/usr/lib/systemd/system/x.service';
  const facts = machines === undefined ? testFacts : { ...testFacts, machines };
  const files = memoryFiles({ [file]: readFileSync(join(examples, 'drained.service'), 'utf8') });
  return createUnitLoader({ files, facts, paths: systemPaths() }).load('x.service');
};

test('a unit follows the chart that it names, and cannot be used where there is none of that name', () => {
  expect(machineOf(load(['drained']), 'system.slice').kind).toBe('service:drained');
  expect(load(undefined).loadState).toBe('loaded');
  const unit = load(['other']);
  expect([unit.loadState, machineOf(unit, 'system.slice').kind]).toEqual(['bad-setting', 'service']);
  expect(unit.findings.map(sentence)).toEqual([
    expect.stringMatching(
      /x\.service:10:1: Machine=drained: no such machine plugin: there are other; install drained\.cjs/,
    ),
  ]);
});

test('the chart of the example drains a service before it stops it', () => {
  const [plugin] = read(examples).plugins;
  const logic = machineLogic(plugin!.machine);
  let { snapshot } = logic.initial({ settings: machineOf(load(['drained']), 'system.slice').settings as Json });
  const send = (event: { readonly type: string; readonly [field: string]: unknown }) => {
    const step = logic.step(snapshot, { atMs: 1, ...event });
    snapshot = logic.load(JSON.parse(JSON.stringify(logic.save(step.snapshot))), 1);
    return step.effects.map(({ type }) => type);
  };
  expect(send({ type: 'start' })).toContain('spawn');
  const { run } = snapshot.context.main;
  send({ type: 'forked', role: 'main', run, serial: 1, pid: 7, startTime: 1 });
  send({ type: 'execed', role: 'main', run, serial: 1 });
  send({ type: 'notify', pid: 7, fields: { READY: '1' }, isMain: true, isControl: false, fds: [], datagram: null });
  snapshot = logic.load({ ...(logic.save(snapshot) as object), value: 'running' } as Json, 1);
  expect(send({ type: 'stop', restarting: false })).toEqual(['armDeadline']);
  expect(snapshot.value).toBe('draining');
  expect(send({ type: 'deadline', name: 'drain' })).toContain('signal');
  expect(snapshot.value).toEqual({ stopping: 'stop-sigterm' });
});
