/** The flight recorder: what it keeps, what it leaves out, what it writes, and how that runs again. */
import { expect, test } from 'vitest';
import { createRecordings, RECORDINGS_MAX } from '../../src/actors/recording.ts';
import type { Host } from '../../src/host/ports.ts';
import type { Sim } from '../../src/host/sim/index.ts';
import { recordingOf, replay } from '../../src/replay.ts';
import { RECORDER_BOUNDS, Recorder, type RecorderBounds, type Recording } from '../../src/supervisor/index.ts';
import { MASK, masked, maskedText } from '../../src/supervisor/masking.ts';
import { bench, child, supervisor } from './supervisor-fixture.ts';
import { held, machine } from './support/recorded.ts';

const about = { version: 'test', bootId: 'boot', atMs: 0, realMs: 0, reasons: [] };

/** One actor under a recorder that hears `events` events. */
function recorded(events: number, bounds: Partial<RecorderBounds>) {
  const recorder = new Recorder({ bounds });
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

test('bounds that change leave the newest that fit, and where one is 0 nothing is kept', () => {
  const { recorder, world, recording } = recorded(20, {});
  const bounds = { records: 2048, bytes: 1 << 20, ageMs: 600_000 };
  recorder.rebound({ ...bounds, records: 4 });
  expect(recording().steps.map(({ type }) => type)).toEqual(['e16', 'e17', 'e18', 'e19']);
  expect(recording().dropped).toBe(17);
  recorder.rebound({ ...bounds, ageMs: 'infinity' });
  world.sim.run(10_000_000);
  world.send('a', 'much-later');
  expect(recording().steps.map(({ type }) => type)).toEqual(['e16', 'e17', 'e18', 'e19', 'much-later']);
  for (const nothing of [{ records: 0 }, { bytes: 0 }, { ageMs: 0 }]) {
    recorder.rebound({ ...bounds, ...nothing });
    expect(recorder.isOff).toBe(true);
    world.send('a', 'unseen');
    expect([recorder.length, recorder.bytes, recording().steps]).toEqual([0, 0, []]);
  }
});

test('a step that throws is recorded with what it threw, and told as a failure at the end of its turn', () => {
  const told: string[] = [];
  const recorder = new Recorder({
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
  // Names of units say nothing about what stands below them.
  [{ 'systemd-ask-password-wall.service': 'active' }, { 'systemd-ask-password-wall.service': 'active' }],
  [{ credentials: { 'a.service': 'x' } }, { credentials: { 'a.service': MASK } }],
])('%j is masked', (value, expected) => {
  expect(masked(value)).toEqual(expected);
  expect(masked(masked(value))).toEqual(expected);
});

test('texts give no secret away by their own words', () => {
  expect(maskedText('get https://u:pw@host/ api_key: "k 1", done')).toBe(
    `get https://u:${MASK}@host/ api_key: ${MASK}, done`,
  );
});

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
  expect(steps.filter(({ outcome }) => outcome !== 'same')).toEqual([]);
  expect(new Set(steps.map(({ step }) => step.kind))).toContain('jobs');
  expect(new Set(steps.map(({ step }) => step.kind))).toContain('events');
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
  const steps = [...replay(recordingOf(JSON.stringify(held(sim))))];
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

test('a recording is bounded, however much the last actor of all has in its state', () => {
  let text = '';
  const files = {
    mkdirs: () => {},
    lstat: () => ({ kind: 'directory', mode: 0o700 }),
    list: () => [],
    writeText: (_: string, written: string) => {
      text = written;
    },
  };
  const { recorder, failed } = createRecordings({
    host: {
      files,
      facts: { bootId: 'boot' },
      clock: { nowMs: () => 1, realMs: () => 1 },
      log: { log: () => {} },
    } as never,
    ...{ version: 'test', bounds: () => RECORDER_BOUNDS, plugins: {}, directory: FILES, seq: () => 1 },
  });
  const kind = { logic: { version: 1, save: () => ({ all: 'x'.repeat(5 << 20) }) } } as never;
  recorder.step({
    seq: 1,
    atMs: 1,
    actor: 'a',
    kindName: 'k',
    kind,
    event: { type: 'e' },
    before: {},
    outcome: 'threw',
  });
  failed('step-failed', 'a', 'it threw');
  recorder.settle(1);
  expect(recordingOf(text)).toMatchObject({ reasons: [{ actor: 'a', why: 'it threw' }], dropped: 1, steps: [] });
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
