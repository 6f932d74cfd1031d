/** Images in pieces, records of any length, and what becomes of an image that cannot be written. */
import { expect, onTestFinished, test } from 'vitest';
import { createSim } from '../../src/host/sim/index.ts';
import { VirtualState } from '../../src/host/sim/state.ts';
import { ActorHost } from '../../src/supervisor/index.ts';
import { Journal } from '../../src/supervisor/journal.ts';
import { DiskState } from '../simulation/disk.ts';
import { bench, child, puppetLogic, supervisor } from './supervisor-fixture.ts';

const root = supervisor('core', [child('a'), child('b')]);

/** An image of so many pieces, and how many of them have been asked for. */
function counted(pieces: number) {
  const asked = { count: 0 };
  const image = () =>
    (function* () {
      for (let n = 0; n < pieces; n += 1) {
        asked.count += 1;
        yield 'i'.repeat(100);
      }
    })();
  return { asked, image, text: 'i'.repeat(100 * pieces) };
}

function journalOf() {
  const state = new VirtualState();
  const said: string[] = [];
  const journal = new Journal({ state, compactBytes: 1000, report: (_, what) => void said.push(what) });
  journal.replace(() => ['first'].values(), 0);
  return { state, journal, said };
}

test('one turn makes a bounded part of an image, however much was written meanwhile, and all of it stands behind it', () => {
  const { state, journal } = journalOf();
  const { asked, image, text } = counted(50_000);
  const record = '𝄞'.repeat(2_000_000);
  journal.append('r'.repeat(2000), image, 0);
  expect(journal.wantsImage(0)).toBe(true);
  let most = 0;
  let turns = 0;
  for (; turns === 0 || journal.folding; turns += 1) {
    const before = asked.count;
    journal.fold(image, turns);
    most = Math.max(most, asked.count - before);
    if (turns === 3) journal.append(record, image, turns);
    if (turns < 50) journal.append(`later ${turns}`, image, turns);
    expect(turns).toBeLessThan(1000);
  }
  expect(most).toBeLessThan(2000);
  expect(turns).toBeGreaterThan(30);
  expect(state.image === text).toBe(true);
  const later = Array.from({ length: 50 }, (_, n) => `later ${n}`);
  const all = [...later.slice(0, 3), record, ...later.slice(3)];
  expect(state.records.map((one) => one === record)).toEqual(all.map((one) => one === record));
  expect(state.records.filter((one) => one !== record)).toEqual(later);
});

test('an image comes to an end although records come as fast as they can', () => {
  const { state, journal } = journalOf();
  const { image, text } = counted(50_000);
  journal.append('r'.repeat(2000), image, 0);
  let turns = 0;
  for (; turns === 0 || journal.drafting; turns += 1) {
    journal.fold(image, turns);
    journal.append(`${turns} ${'r'.repeat(500_000)}`, image, turns);
    expect(turns).toBeLessThan(300);
  }
  expect(state.image === text).toBe(true);
  expect(state.records.length).toBe(turns);
});

test('an image that cannot be written costs nothing: records go on, it is said once, and another one is tried after a while', () => {
  const { send, sim, whats, core, heard } = bench(root, { compactBytes: 500 });
  const before = sim.state.image;
  sim.state.failing = { replace: 'ENOSPC' };
  for (let n = 0; n < 60; n += 1) send('a', `event ${n}`);
  sim.run(20_000);
  expect(whats().filter((what) => what === 'image-failed')).toHaveLength(1);
  expect(whats()).not.toContain('checkpoint-void');
  expect(core().checkpointVoid).toBe(false);
  expect(sim.state.image).toBe(before);
  const known = heard('a');
  sim.killCore();
  sim.run(10);
  expect(heard('a')).toEqual(known);
  sim.state.failing = {};
  send('a', 'more');
  sim.run(120_000);
  expect(whats()).toContain('image-written');
  expect(sim.state.image).not.toBe(before);
  expect(sim.state.image).toContain('"more"');
});

test('that the next image has no room is said when there is one, and costs nothing', () => {
  const { state, journal, said } = journalOf();
  const { image, text } = counted(100);
  state.failing = { reserve: 'ENOSPC' };
  while (journal.folding) journal.fold(image, 0);
  expect(said).toEqual(['no-room-for-image']);
  state.failing = {};
  journal.append('r'.repeat(2000), image, 0);
  for (let turns = 0; turns === 0 || journal.folding; turns += 1) journal.fold(image, 0);
  expect(state.image === text).toBe(true);
  expect(said).toEqual(['no-room-for-image']);
});

test('an image whose writing fails is begun again at once, since it may find another place', () => {
  const { state, journal, said } = journalOf();
  const { image, text } = counted(5000);
  journal.append('r'.repeat(2000), image, 0);
  const add = state.add.bind(state);
  let calls = 0;
  state.add = (piece, ends) => {
    calls += 1;
    if (calls !== 3) return add(piece, ends);
    state.failing = { replace: 'ENOSPC' };
    try {
      add(piece, ends);
    } finally {
      state.failing = {};
    }
  };
  for (let turns = 0; turns === 0 || journal.folding; turns += 1) {
    journal.fold(image, 0);
    journal.append(`${turns}`, image, 0);
    expect(turns).toBeLessThan(200);
  }
  expect(calls).toBeGreaterThan(5);
  expect(said).toEqual([]);
  expect(state.image === text).toBe(true);
});

test('thousands of actors that are started at once are one record, which tells them by one another, and are all there again', () => {
  const settings = Object.fromEntries(
    Array.from({ length: 50 }, (_, n) => [`Setting${n}`, `the value of setting ${n}`]),
  );
  const kinds = {
    puppet: { logic: puppetLogic, effects: {} },
    alike: {
      logic: {
        ...puppetLogic,
        name: 'alike',
        initial: (input: unknown) => ({ snapshot: { heard: [], input } as never, effects: [] }),
      },
      effects: {},
    },
  };
  // Its room is a fraction of that record.
  const disk = new DiskState();
  onTestFinished(() => disk.remove());
  const lengths: number[] = [];
  const append = disk.append.bind(disk);
  disk.append = (record) => {
    lengths.push(record.length);
    append(record);
  };
  const sim = createSim({ state: disk });
  const said: string[] = [];
  let core: ActorHost | undefined;
  sim.boot((host) => {
    core = new ActorHost({
      ...{ host, kinds, root, beatEveryMs: Number.POSITIVE_INFINITY, onEvent: () => {} },
      onReport: ({ what }) => void said.push(what),
    });
    core.start();
  });
  sim.run(1);
  const count = 4000;
  const effects = Array.from({ length: count }, (_, n) => ({
    type: 'startChild',
    params: { spec: { ...child(`unit${n}`), kind: 'alike', input: { n, settings } }, supervisor: 'core' },
  }));
  core?.input({ key: 'many', events: [{ to: 'a', event: { type: 'go', effects } }] });
  sim.run(0);
  const whole = JSON.stringify({ heard: [], input: { n: 1, settings } }).length;
  const longest = Math.max(...lengths);
  expect(longest).toBeGreaterThan(500_000);
  expect(longest).toBeLessThan(count * whole * 0.5);
  const before = core?.list('').map((id) => [id, core?.read(id)]);
  const tree = JSON.stringify(core?.tree());
  sim.killCore();
  sim.run(1);
  expect(core?.list('').map((id) => [id, core?.read(id)])).toEqual(before);
  expect(JSON.stringify(core?.tree())).toBe(tree);
  expect(said.filter((what) => /failed|void|refused|note/.test(what))).toEqual([]);
});

test('what is not where it belongs is tried to be brought back after a growing while, and with the next image it is', () => {
  const { state, journal } = journalOf();
  const tries: number[] = [];
  const away = { displaced: true, can: false };
  Object.defineProperty(state, 'displaced', { get: () => away.displaced });
  const begin = state.begin.bind(state);
  Object.assign(state, {
    returns: () => {
      tries.push(nowMs);
      return away.can;
    },
    begin: () => {
      begin();
      if (away.can) away.displaced = false;
    },
  });
  const image = () => ['image'].values();
  let nowMs = 0;
  /** As the host does: it wakes when it is told to. */
  const turn = () => {
    journal.tend(nowMs);
    if (journal.folding || journal.wantsImage(nowMs)) journal.fold(image, nowMs);
  };
  turn();
  for (let turns = 0; turns < 12; turns += 1) {
    expect(journal.dueAtMs).toBeGreaterThan(nowMs);
    nowMs = journal.dueAtMs;
    turn();
  }
  expect(tries.slice(0, 8)).toEqual([1, 3, 7, 15, 31, 63, 123, 183].map((seconds) => seconds * 1000));
  expect(state.image).toBe('first');
  away.can = true;
  nowMs = journal.dueAtMs;
  for (let turns = 0; turns === 0 || (journal.folding && turns < 100); turns += 1) turn();
  expect([state.image, away.displaced, journal.wantsImage(nowMs)]).toEqual(['image', false, false]);
  const count = tries.length;
  nowMs += 1_000_000;
  turn();
  expect(tries).toHaveLength(count);
});
