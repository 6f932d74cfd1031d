/** Recordings run again: all of it, from text alone; and what sctl replay shows of it. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readPlugin } from '../../src/host/node/plugins.ts';
import type { Sim } from '../../src/host/sim/index.ts';
import { definitionOfExports, recordingOf, replay } from '../../src/replay.ts';
import { RECORDER_BOUNDS } from '../../src/supervisor/index.ts';
import { busy, held, machine } from './support/recorded.ts';
import { sctl } from './support/sctl.ts';

/** As text, which is how it comes. */
const again = (recording: object) => [...replay(recordingOf(JSON.stringify(recording)))];

test('every step of every actor runs again to the same state and effects, from text alone', () => {
  const recording = held(busy());
  const steps = again(recording);
  expect(
    steps.filter(({ outcome }) => outcome !== 'same').map(({ step, why }) => `${step.actor} ${step.type}: ${why}`),
  ).toEqual([]);
  const asked = new Set(steps.flatMap(({ step }) => (step.effects ?? []).map(({ type }) => `${step.kind} ${type}`)));
  for (const effect of ['orderingsCut', 'answer', 'jobRemoved', 'gaveUp', 'allJobsOver', 'log'])
    expect(asked).toContain(`jobs ${effect}`);
  for (const effect of ['publish', 'sayCycles']) expect(asked).toContain(`events ${effect}`);
  const jobs = steps.filter(({ step }) => step.actor === 'jobs');
  expect(jobs.map(({ before }) => before)).toContain('1 job, 1 running');
});

test.each([3, 10, 40, 120])('so do the newest %i steps alone, from forms that hold what they need', (records) => {
  const recording = held(busy(() => ({ ...RECORDER_BOUNDS, records })));
  const steps = again(recording);
  expect(steps).toHaveLength(records);
  expect(steps.filter(({ outcome }) => outcome !== 'same')).toEqual([]);
});

test('a state and an effect that differ are named by their place, and later steps are judged by themselves', () => {
  const sim = machine(['a.service']);
  sim.run(2000);
  const recording = JSON.parse(JSON.stringify(held(sim))) as {
    steps: { actor: string; diff?: { v?: string }; effects?: { type: string }[]; threw?: string }[];
  };
  const mine = recording.steps.filter(({ actor }) => actor === 'unit:a.service');
  const moved = mine.findIndex(({ diff }) => diff?.v === 'failed');
  mine[moved]!.diff!.v = 'dead';
  const asking = mine.find(({ effects }, index) => index !== moved && (effects?.length ?? 0) > 0)!;
  asking.effects![0]!.type = 'other';
  const different = [...replay(recordingOf(JSON.stringify(recording)))].filter(
    ({ outcome }) => outcome === 'different',
  );
  const places = different.map(({ differences }) => differences.map(({ at }) => at));
  expect(places).toContainEqual(['state']);
  expect(places).toContainEqual(['effects[0].type']);
  expect(different).toHaveLength(2);
});

type Changed = { steps: { actor: string; type: string; looked?: Record<string, Record<string, unknown>> }[] };

test('an engine that looks at something else than the recorded one did is told as a difference', () => {
  const recording = JSON.parse(JSON.stringify(held(busy()))) as Changed;
  const request = recording.steps.find(({ actor, looked }) => actor === 'jobs' && looked?.['others'] !== undefined);
  delete request!.looked!['others'];
  const [first] = again(recording).filter(({ outcome }) => outcome !== 'same');
  expect(first).toMatchObject({ step: { actor: 'jobs' }, outcome: 'different' });
  expect(first?.differences).toContainEqual({
    at: 'throw',
    recorded: undefined,
    here: expect.stringMatching(/^it looks at others \S+= of \S+, which the recorded step did not$/),
  });
});

test('what units were then is what counts: another state of one of them makes another plan', () => {
  const recording = JSON.parse(JSON.stringify(held(busy()))) as Changed;
  const boot = recording.steps.find(({ actor, looked }) => actor === 'jobs' && looked?.['active'] !== undefined);
  for (const unit of Object.keys(boot!.looked!['active']!)) boot!.looked!['active']![unit] = 'active';
  const [first] = again(recording).filter(({ outcome }) => outcome !== 'same');
  expect(first).toMatchObject({ step: { actor: 'jobs' }, outcome: 'different' });
});

test('a step that looked at more than was kept is shown, and the next one runs again', () => {
  const recording = JSON.parse(JSON.stringify(held(busy()))) as Changed;
  const steps = recording.steps.filter(({ actor, type }) => actor === 'jobs' && type === 'unit-changed');
  delete steps.at(-2)!.looked;
  const skipped = again(recording).filter(({ outcome }) => outcome !== 'same');
  expect(skipped.map(({ outcome, why }) => [outcome, why])).toEqual([
    ['skipped', 'it looked at more than was recorded'],
  ]);
});

test.each([{ looked: 1 }, { looked: { facts: 1 } }, { looked: { edges: { a: 1 } } }])(
  'where a step has looked at %j it cannot be run, and that costs nothing else',
  (garbage) => {
    const recording = JSON.parse(JSON.stringify(held(busy()))) as Changed;
    Object.assign(
      recording.steps.filter(({ actor, looked }) => actor === 'jobs' && looked !== undefined).at(-1)!,
      garbage,
    );
    const others = again(recording).filter(({ outcome }) => outcome !== 'same');
    expect(others.map(({ outcome, why }) => [outcome, why])).toEqual([
      ['skipped', expect.stringMatching(/^what it looked at.* is not an object$/)],
    ]);
  },
);

const ABOUT = { version: 'test', bootId: 'boot', atMs: 0, realMs: 0, reasons: [] };
const scratch = mkdtempSync(join(tmpdir(), 'replay-'));
afterAll(() => rmSync(scratch, { recursive: true }));

test.each([
  ['not JSON', 'hello', 'not JSON'],
  ['half a recording', '{"recording":1,"steps":[{"ac', 'not JSON: it ends in the middle, so a part of it is missing'],
  ['no recording', '{}', 'there is no recording in it'],
  ['a form of the future', '{"recording":7}', 'a recording of form 7; form 1 is read here'],
  ['no steps', '{"recording":1,"starts":{}}', 'a recording without starts and steps'],
  ['a step of garbage', '{"recording":1,"starts":{},"steps":[{"actor":"a","kind":"b","type":"c"}]}', 'step 1: no seq'],
  [
    'an effect of garbage',
    '{"recording":1,"starts":{},"steps":[{"actor":"a","kind":"b","type":"c","seq":1,"atMs":1,"effects":[1]}]}',
    'step 1: effects are no list of objects',
  ],
])('sctl replay says what is wrong with a file of %s', async (_what, text, why) => {
  const path = join(scratch, 'bad.json');
  writeFileSync(path, text);
  const { err, status } = await sctl().run(['replay', path]);
  expect({ err, status }).toEqual({ err: `${path}: ${why}\n`, status: 1 });
});

test('sctl replay of an actor that is not in the recording says who is', async () => {
  const path = join(scratch, 'few.json');
  const step = { seq: 1, atMs: 1, type: 'start', event: { type: 'start' }, kind: 'service', actor: 'unit:a.service' };
  writeFileSync(path, JSON.stringify({ ...ABOUT, recording: 1, dropped: 0, note: '', starts: {}, steps: [step] }));
  expect(await sctl().run(['replay', path, 'b', 'c.socket'])).toMatchObject({
    err: `${path}: nothing of b, c.socket is in it; it tells of a.service\n`,
    status: 1,
  });
});

test('sctl replay tells what it cannot run: an unknown machine, a state that is none of the machine', async () => {
  const path = join(scratch, 'old.json');
  const step = { seq: 1, atMs: 1, type: 'start', event: { type: 'start' } };
  const start = (kind: string) => ({ kind, version: 1, form: { value: 'nowhere', context: {} } });
  const steps = [
    { ...step, actor: 'x', kind: 'gone' },
    { ...step, actor: 'y', kind: 'target' },
    { ...step, actor: 'z', kind: 'target' },
  ];
  writeFileSync(
    path,
    JSON.stringify({
      ...ABOUT,
      recording: 1,
      dropped: 0,
      note: '',
      starts: { x: start('gone'), y: start('target') },
      steps,
    }),
  );
  const { out, status } = await sctl().run(['replay', path]);
  expect(status).toBe(0);
  expect(out).toContain('there is no machine gone here');
  expect(out).toContain('its recorded state cannot be loaded here');
  expect(out).toContain('its state before is not recorded');
  expect(out).toContain('0 steps run again, 3 not');
});

/**
 * As cores up to 0.1 wrote them: no states of the job engine, the history and plugins' charts, no word of what was looked at, and units
 * loaded by an event that holds their settings.
 */
function ofOldCore(sim: Sim): object {
  const { plugins: _, ...recording } = held(sim);
  const blind = (kind: string) => kind === 'jobs' || kind === 'events' || kind.startsWith('service:');
  return {
    ...recording,
    starts: Object.fromEntries(Object.entries(recording.starts).filter(([, { kind }]) => !blind(kind))),
    steps: recording.steps.map(({ diff, saved, looked, state, ...step }) => {
      if (blind(step.kind)) return { ...step, blind: true };
      if (step.kind !== 'units' || step.type !== 'load') return { ...step, diff, saved, state };
      const { names: _, ...event } = step.event as Record<string, unknown>;
      return { ...step, diff, saved, state, event: { ...event, specs: looked } };
    }),
  };
}

test('a recording of an older core runs again as far as it goes; the rest is shown on request, with the reason', async () => {
  const path = join(scratch, 'old-core.json');
  writeFileSync(path, JSON.stringify(ofOldCore(busy())));
  const { out, status } = await sctl().run(['replay', path]);
  expect(status).toBe(0);
  expect(out).toMatch(/\d{2,} steps run again, \d{2,} not: no difference/);
  expect(out).not.toContain('not run again');
  expect((await sctl().run(['replay', path, '--all'])).out).toContain(
    'not run again: the core that recorded it kept no states of it',
  );
});

/** Somebody who types these lines, and then nothing more. */
function typing(...lines: string[]) {
  const asked: string[] = [];
  let isDone = false;
  const person = {
    ask: async (prompt: string) => {
      asked.push(prompt);
      return lines[asked.length - 1];
    },
    done: () => {
      isDone = true;
    },
  };
  return { asked, person: async () => person, isDone: () => isDone };
}

const changedPath = () => {
  const path = join(scratch, 'changed.json');
  const recording = JSON.parse(JSON.stringify(held(machine(['a.service'])))) as {
    steps: { effects?: { type: string }[] }[];
  };
  const asking = recording.steps.filter(({ effects }) => effects?.length === 1);
  for (const { effects } of [asking[5]!, asking[7]!]) effects![0]!.type = 'other';
  writeFileSync(path, JSON.stringify(recording));
  return path;
};
const shownSteps = (out: string) => out.split('\n').filter((line) => line.startsWith('#')).length;

test.each([
  ['Enter goes on by one, and nobody there any more is an end', ['', ''], 3, 3],
  ['q ends', ['', 'q', ''], 2, 2],
  ['what is no answer is asked again', ['what', 'q'], 1, 2],
])('step by step at a terminal: %s', async (_what, lines, steps, questions) => {
  const { asked, person, isDone } = typing(...lines);
  const { out } = await sctl().run(['replay', changedPath(), '--step'], { person });
  expect([shownSteps(out), asked.length, isDone()]).toEqual([steps, questions, true]);
  expect(asked[0]).toContain('Enter: next step');
});

test('step by step at a terminal: d goes on to the next difference, c to the end', async () => {
  const { asked, person } = typing('d', 'd', 'c');
  const { out, status } = await sctl().run(['replay', changedPath(), '--step'], { person });
  expect([asked.length, status]).toEqual([3, 1]);
  const all = await sctl().run(['replay', changedPath()]);
  expect(out).toBe(all.out);
  expect(out.match(/differs effects\[0\]\.type: recorded "other"/g)).toHaveLength(2);
});

test('where nobody sits at a terminal steps are shown as they come', async () => {
  const plain = await sctl().run(['replay', changedPath()]);
  expect(await sctl().run(['replay', changedPath(), '--step'])).toEqual(plain);
  expect(await sctl().run(['replay', changedPath(), '--step'], { person: async () => undefined })).toEqual(plain);
});

const chart = join(scratch, 'drained.cjs');
const EXAMPLE = readFileSync(new URL('../../examples/machines/drained.cjs', import.meta.url), 'utf8');
function writeChart(text: string): void {
  writeFileSync(chart, text);
  chmodSync(chart, 0o644);
}

/** A recording of a service on the example's chart, which is drained and stopped; the chart is as it was then. */
function drainedPath(): string {
  writeChart(EXAMPLE);
  const steady = '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/steady\n[X-Machine]\nMachine=drained\n';
  const plugins = [readPlugin(chart, definitionOfExports)];
  const sim = machine(['a.service'], undefined, { plugins }, steady);
  const parameters = { verb: 'stop', units: ['a.service'], requestId: 'one' };
  sim.at(500, () => sim.client().send(JSON.stringify({ method: 'io.sysmaster.Jobs.Request', parameters })));
  sim.run(10_000);
  const path = join(scratch, 'drained.json');
  writeFileSync(path, JSON.stringify(held(sim)));
  return path;
}

test('a unit on a chart of a user runs again by the file that the recording names', async () => {
  const { out, status } = await sctl().run(['replay', drainedPath(), 'a']);
  expect(out).toMatch(/running → draining\n(.*\n)*.*, 0 not: no difference/);
  expect(status).toBe(0);
});

test.each([
  [
    'is gone',
    () => rmSync(chart),
    `its chart ${chart} is not on this machine; name your copy of it with --machine drained.cjs`,
  ],
  [
    'has another text',
    () => writeChart(EXAMPLE.replace('5000', '7000')),
    `${chart} has changed since core read it; --machine ${chart} takes it as it is`,
  ],
  [
    'may be written by others',
    () => chmodSync(chart, 0o666),
    `its chart ${chart} cannot be used here: others may write to it; chmod go-w it; name your copy of it with --machine drained.cjs`,
  ],
])('where that file %s its units are shown, with the reason and what to do', async (_what, change, why) => {
  const path = drainedPath();
  change();
  const { out, status } = await sctl().run(['replay', path, 'a']);
  expect(out).toContain(`machine drained: ${why}\n`);
  expect(out).toContain('not run again: the chart of the machine plugin drained is not at hand');
  expect(status).toBe(0);
  const data = JSON.parse((await sctl().run(['replay', path, '--output=json'])).out);
  expect(data).toMatchObject({ different: 0, notes: [`drained: ${why}`] });
});

test('a file that a stranger names in a recording is not run unless it is called as the chart is', async () => {
  const path = drainedPath();
  const recording = JSON.parse(readFileSync(path, 'utf8'));
  recording.plugins['service:drained'].file = '/etc/passwd';
  writeFileSync(path, JSON.stringify(recording));
  expect((await sctl().run(['replay', path])).out).toContain(
    'the recording says it is /etc/passwd; name your copy of it with',
  );
});

test('another text of a chart is taken by name, and what it does otherwise is told', async () => {
  const path = drainedPath();
  writeChart(EXAMPLE.replace('5000', '7000'));
  const { out, status } = await sctl().run(['replay', path, 'a', '--machine', chart]);
  expect(out).toContain(
    `machine drained: ${chart} is not the text that core ran; differences may be those between the two`,
  );
  expect(out).toContain('params.ms: recorded 5000, here 7000');
  expect(status).toBe(1);
});

test.each([
  [
    'nothing follows',
    'other.cjs',
    'module.exports = ({ service }) => ({ machine: service });',
    'nothing in the recording follows other; its units follow drained',
  ],
  ['is none', 'drained.cjs', 'module.exports = 7;', 'no machine plugin: module.exports is not a function'],
])('a chart that %s is refused', async (_what, name, text, why) => {
  const path = drainedPath();
  const file = join(scratch, name);
  writeFileSync(file, text);
  chmodSync(file, 0o644);
  expect(await sctl().run(['replay', path, '--machine', file])).toMatchObject({ err: `${file}: ${why}\n`, status: 1 });
});
