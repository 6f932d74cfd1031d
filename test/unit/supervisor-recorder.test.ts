/** The flight recorder: what it keeps, what it leaves out, what it writes, and how that runs again. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { RECORDINGS_MAX } from '../../src/actors/recording.ts';
import { createCore } from '../../src/core.ts';
import type { Host } from '../../src/host/ports.ts';
import { createSim, type Sim } from '../../src/host/sim/index.ts';
import { recordingOf, replay } from '../../src/replay.ts';
import { Recorder, type RecorderBounds, type Recording } from '../../src/supervisor/index.ts';
import { MASK, masked, maskedText } from '../../src/supervisor/masking.ts';
import { simOptions } from '../simulation/machine.ts';
import { bench, child, supervisor } from './supervisor-fixture.ts';
import { sctl } from './support/sctl.ts';

const about = { version: 'test', bootId: 'boot', atMs: 0, realMs: 0, reasons: [] };

/** One actor under a recorder that hears `events` events. */
function recorded(events: number, bounds: Partial<RecorderBounds>, pure = true) {
  const recorder = new Recorder({ pure: new Set(pure ? ['puppet'] : []), bounds });
  const world = bench(supervisor('core', [child('a')]), { recorder });
  world.sim.run(10);
  for (let n = 0; n < events; n += 1) world.send('a', `e${n}`);
  return { recorder, world, recording: () => recorder.recording({ ...about, atMs: world.sim.nowMs }) };
}

test('the newest records stay, and the state before the first of them is in the recording', () => {
  const { recording } = recorded(20, { records: 5 });
  const { steps, starts, dropped } = recording();
  expect(steps.map(({ type }) => type)).toEqual(['e15', 'e16', 'e17', 'e18', 'e19']);
  expect(starts['a']).toMatchObject({ kind: 'puppet', form: { heard: expect.arrayContaining(['e0', 'e14']) } });
  expect(dropped).toBe(16);
});

test('bytes bound the ring as well', () => {
  const { recorder } = recorded(50, { bytes: 10_000 });
  expect(recorder.bytes).toBeLessThanOrEqual(10_000);
  expect(recorder.length).toBeGreaterThan(2);
  expect(recorder.length).toBeLessThan(50);
});

test('what is older than the span is gone', () => {
  const { world, recording } = recorded(3, { ageMs: 1000 });
  world.sim.run(5000);
  world.send('a', 'later');
  expect(recording().steps.map(({ type }) => type)).toEqual(['later']);
});

test('of an actor that cannot be run again no state is kept', () => {
  const { recording } = recorded(3, {}, false);
  const { starts, steps } = recording();
  expect(starts).toEqual({});
  for (const step of steps) expect(step).toMatchObject({ blind: true });
  expect(JSON.stringify(steps)).not.toContain('heard');
});

test('a step that throws is recorded with what it threw, and told as a failure at the end of its turn', () => {
  const told: string[] = [];
  const recorder = new Recorder({
    pure: new Set(['puppet']),
    onTurn: (reasons) => told.push(...reasons.map(({ what, actor }) => `${what} ${actor}`)),
  });
  const world = bench(supervisor('core', [child('a')]), { recorder });
  world.send('a', { type: 'bad', fail: 'it broke' });
  const { steps } = recorder.recording(about);
  expect(steps.filter(({ threw }) => threw === 'it broke').map(({ type }) => type)).toEqual(['bad', 'bad']);
  expect(told).toEqual(['step-failed a', 'event-set-aside a']);
});

test('an event that contains itself, or is too large, costs nothing but its own text', () => {
  const { world, recording } = recorded(0, {});
  const ring: Record<string, unknown> = { type: 'ring' };
  ring['self'] = ring;
  world.core().input({ key: 'x', events: [{ to: 'a', event: ring as { type: string } }] });
  world.core().input({ key: 'y', events: [{ to: 'a', event: { type: 'large', text: 'x'.repeat(300_000) } }] });
  world.sim.run(10);
  expect(world.heard('a')).toEqual(['ring', 'large']);
  expect(recording().steps.slice(1)).toEqual([
    expect.not.objectContaining({ event: expect.anything() }),
    expect.not.objectContaining({ event: expect.anything() }),
  ]);
});

test.each([
  [{ environment: ['A=1', 'B'] }, { environment: [`A=${MASK}`, 'B'] }],
  [{ Environment: { A: '1' } }, { Environment: { A: MASK } }],
  [
    { what: 'environment', set: ['A=1'], unset: ['B'] },
    { what: 'environment', set: [`A=${MASK}`], unset: ['B'] },
  ],
  [
    { credentials: [{ data: 'x' }], n: 1 },
    { credentials: [{ data: MASK }], n: 1 },
  ],
  [{ argv: ['curl', '--password=x y'] }, { argv: ['curl', `--password=${MASK} y`] }],
])('%j is masked', (value, expected) => {
  expect(masked(value)).toEqual(expected);
  expect(masked(masked(value))).toEqual(expected);
});

test('texts give no secret away by their own words', () => {
  expect(maskedText('get https://u:pw@host/ api_key: "k 1", done')).toBe(
    `get https://u:${MASK}@host/ api_key: ${MASK}, done`,
  );
});

const broken = '[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/broken\n';

/** The real core on a virtual kernel, with units that fail. */
function machine(
  units: readonly string[],
  faulty?: (host: Host) => Host,
  more: Partial<Parameters<typeof createCore>[1]> = {},
): Sim {
  const options = simOptions({
    units: {
      ...Object.fromEntries(units.map((name) => [name, broken])),
      'default.target': `[Unit]\nDefaultDependencies=no\nWants=${units.join(' ')}\n`,
    },
    programs: { '/bin/broken': { run: [{ after: 10, exit: 3 }] } },
  });
  const sim = createSim(options);
  sim.boot((given) => {
    const host = faulty?.(given) ?? given;
    createCore(host, { version: 'simulated', libDirectory: '/lib', logs: false, recordings: true, ...more }).start();
  });
  return sim;
}

const FILES = '/run/sysmaster/recordings';
const written = (sim: Sim): string[] => sim.files.list(FILES) ?? [];
const readLast = (sim: Sim): Recording => recordingOf(sim.files.readText(`${FILES}/${written(sim).at(-1)}`) ?? '');

test('a unit that fails leaves a recording that runs again without a difference', () => {
  const sim = machine(['a.service']);
  sim.run(2000);
  const recording = readLast(sim);
  expect(recording.reasons).toEqual([expect.objectContaining({ what: 'unit-failed', actor: 'unit:a.service' })]);
  const steps = [...replay(recording)];
  expect(steps.flatMap(({ differences }) => differences)).toEqual([]);
  const states = steps.filter(({ step }) => step.actor === 'unit:a.service').map(({ after }) => after);
  expect(states).toEqual(recording.steps.filter(({ actor }) => actor === 'unit:a.service').map(({ state }) => state));
  expect(states.at(-1)).toBe('failed');
  // What is not run again looks at more than what it is told: the job engine at unit files, the history at nothing that decides.
  const skipped = steps.filter(({ outcome }) => outcome === 'skipped').map(({ step }) => step.kind);
  expect([...new Set(skipped)].sort()).toEqual(['events', 'jobs']);
});

test('what chaos has done is recorded as well, and runs again without a difference', () => {
  const allowed = { enabled: true, maxUnits: 9, maxMs: 60_000, protect: [], path: 'system.conf' };
  const sim = machine(['a.service'], undefined, { chaos: () => allowed });
  const parameters = {
    fault: { kind: 'fail_spawn', count: 1 },
    units: ['a.service'],
    forUs: 500_000,
    requestId: 'one',
  };
  sim.at(500, () => sim.client().send(JSON.stringify({ method: 'io.sysmaster.Chaos.Begin', parameters })));
  sim.run(2_000);
  const client = sim.client();
  client.send(JSON.stringify({ method: 'io.sysmaster.Recorder.Get' }));
  sim.run(10);
  const { parameters: answer } = JSON.parse(client.received[0] ?? '{}') as { parameters: { recording: Recording } };
  const steps = [...replay(recordingOf(JSON.stringify(answer.recording)))];
  expect(steps.flatMap(({ differences }) => differences)).toEqual([]);
  const chaos = steps.filter(({ step }) => step.actor === 'chaos');
  expect(chaos.map(({ step, outcome }) => `${step.type} ${outcome}`)).toEqual([' same', 'begin same', 'deadline same']);
});

test('the same steps recorded on two machines are the same text', () => {
  const [one, other] = [machine(['a.service']), machine(['a.service'])];
  for (const sim of [one, other]) sim.run(2000);
  expect(readLast(one)).toEqual(readLast(other));
});

test('failures that come together share a file, and files are few', () => {
  const names = Array.from({ length: 20 }, (_, n) => `u${n}.service`);
  const sim = machine(names);
  sim.run(60_000);
  expect(written(sim).length).toBeLessThan(5);
  const told = written(sim).flatMap((name) => recordingOf(sim.files.readText(`${FILES}/${name}`) ?? '').reasons);
  expect(new Set(told.map(({ actor }) => actor)).size).toBe(20);
  expect(written(sim).length).toBeLessThanOrEqual(RECORDINGS_MAX);
});

test('where recordings cannot be written core says so once, and goes on', () => {
  const sim = machine(['a.service', 'b.service'], (host) => ({
    ...host,
    files: Object.assign(Object.create(host.files) as Host['files'], {
      mkdirs(path: string, mode: number) {
        if (path === FILES) throw new Error('no room');
        host.files.mkdirs(path, mode);
      },
    }),
  }));
  sim.run(30_000);
  expect(sim.log.filter(({ message }) => message === 'recordings cannot be written')).toHaveLength(1);
  expect(written(sim)).toEqual([]);
  expect(sim.coreAlive).toBe(true);
});

test('a state and an effect that differ are named by their place, and later steps are judged by themselves', () => {
  const sim = machine(['a.service']);
  sim.run(2000);
  const recording = JSON.parse(JSON.stringify(readLast(sim))) as {
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
  writeFileSync(path, JSON.stringify({ ...about, recording: 1, dropped: 0, note: '', starts: {}, steps: [step] }));
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
      ...about,
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
