/**
 * What each released version has written, read by the present core: test/fixtures/checkpoints/VERSION holds the files of a checkpoint,
 * made by make.ts there from a real run, and what sctl showed at that moment.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { type Core, createCore } from '../../src/core.ts';
import { NodeState } from '../../src/host/node/state.ts';
import { createSim, type Sim } from '../../src/host/sim/index.ts';
import type { JobsState } from '../../src/jobs/logic.ts';
import * as paged from '../../src/jobs/paged.ts';
import { newUnit } from '../../src/machines/view.ts';
import type { ActorHost } from '../../src/supervisor/index.ts';
import { jobsNow, shownUnits, simOptions } from './machine.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/checkpoints');
const versions = readdirSync(FIXTURES, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
);
const HOUR_MS = 3_600_000;

interface About {
  readonly version: string;
  readonly bootId: string;
  readonly upMs: number;
  readonly texts: Readonly<Record<string, string>>;
  readonly units: readonly { readonly unit: string; readonly active: string; readonly sub: string }[];
  readonly jobs: readonly { readonly unit: string; readonly type: string; readonly state: string }[];
  readonly plans: readonly string[];
  readonly confirming: readonly string[];
}

let directory: string | undefined;
afterEach(() => {
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
});

/** The files as they were, read as core reads them. */
function checkpointOf(version: string, bootId: string) {
  directory = mkdtempSync(join(tmpdir(), 'checkpoint-'));
  const state = join(directory, 'state');
  mkdirSync(state, { mode: 0o700 });
  for (const name of ['a', 'b'])
    writeFileSync(join(state, name), gunzipSync(readFileSync(join(FIXTURES, version, `${name}.gz`))), { mode: 0o600 });
  const port = new NodeState({ directory: state, bootId, bytes: 1024 });
  const loaded = port.load();
  port.close();
  return loaded;
}

const NO_MORE = { texts: {}, records: [] };

/** A simulated machine that is up for as long as the real one was, with this checkpoint, and core on it. */
function restored(
  version: string,
  change: (image: string) => string = (image) => image,
  more: { readonly texts: Readonly<Record<string, string>>; readonly records: readonly string[] } = NO_MORE,
) {
  const about = JSON.parse(readFileSync(join(FIXTURES, version, 'about.json'), 'utf8')) as About;
  const { image, records, note } = checkpointOf(version, about.bootId);
  const targets = ['sysinit', 'sockets', 'basic', 'multi-user', 'shutdown'].map((name) => [
    `${name}.target`,
    '[Unit]\nDefaultDependencies=no\n',
  ]);
  const sim = createSim(
    simOptions({
      units: { ...Object.fromEntries(targets), ...about.texts, ...more.texts },
      programs: { '/bin/false': { run: [{ after: 20, exit: 1 }] } },
      facts: { bootId: about.bootId },
    }),
  );
  sim.run(about.upMs - sim.nowMs);
  sim.state.image = image === undefined ? undefined : change(image);
  sim.state.records = [...records, ...more.records];
  return { about, sim, note, core: bootCore(sim, false)() };
}

/** The next core on it, and those that follow when it dies. @returns asks for the present one */
function bootCore(sim: Sim, starts = true): () => Core {
  let core: Core | undefined;
  sim.boot((host) => {
    core = createCore(host, {
      version: 'present',
      libDirectory: '/usr/lib/sysmaster',
      actors: { beatEveryMs: Number.POSITIVE_INFINITY },
    });
    if (starts) core.start();
  });
  return () => core as Core;
}

/** As a core writes it that knows of path units, and cannot start them: their actors are those of what is only watched. */
function shownPath(name: string): string {
  const id = `unit:${name}`;
  const input = { settings: { type: 'path' } };
  const spec = { id, kind: 'static', input, restart: 'permanent', shutdown: 'brutal' };
  const form = { value: 'dead', context: { ...newUnit, ...input } };
  return JSON.stringify([
    ['n', id, { parent: 'unit-actors', spec, phase: 'running' }],
    ['a', id, 'static', 1, form],
    ['s', 'units', { add: [name], gone: [], rest: {} }],
  ]);
}

/** Ids of what waits to be confirmed. */
const confirming = (actors: ActorHost) =>
  paged.entries((actors.read<JobsState>('jobs') as JobsState).confirmations).map(([id]) => id);

const faults = (sim: Sim) =>
  sim.log.filter(({ message }) => /set-aside|step-failed|effect-failed/.test(message)).map(({ fields }) => fields);

test('there is a fixture of each released version, from the first one on', () => {
  expect(versions).toContain('0.1.0');
});

describe.each(versions)('the checkpoint of %s', (version) => {
  test('is restored: every unit, every job, and what waits to be confirmed', () => {
    const { about, sim, core, note } = restored(version);
    expect(note).toBeUndefined();
    expect(core.actors.recovered).toEqual({ mode: 'restored', why: '' });
    expect(faults(sim)).toEqual([]);
    const shown = Object.entries(shownUnits(core.actors)).map(([unit, { active, sub }]) => ({ unit, active, sub }));
    const byName = (all: readonly { readonly unit: string }[]) => all.toSorted((a, b) => (a.unit < b.unit ? -1 : 1));
    expect(byName(shown)).toEqual(byName(about.units));
    const jobs = jobsNow(core.actors).map(({ unit, type, state }) => ({ unit, type, state }));
    expect(byName(jobs)).toEqual(byName(about.jobs));
    expect(confirming(core.actors)).toEqual(about.confirming);
  });

  test('goes on where it was: deadlines are armed, and nothing that ran is started again', () => {
    const { sim } = restored(version);
    sim.killCore();
    // Init has kept the listeners.
    for (const name of ['listening', 'accepted'])
      sim.sockets.add(`listen:${name}.socket:0`, 'listener', `/run/${name}.sock`);
    const next = bootCore(sim);
    sim.run(1_000);
    expect(sim.started).toEqual([]);
    expect(shownUnits(next().actors)['restarting.service']?.sub).toBe('auto-restart');
    sim.run(HOUR_MS);
    // RestartSec=1h has passed; so have the time to confirm in, and the TimeoutStartSec= of what was being started.
    expect(sim.started.map(({ tag }) => tag)).toContainEqual(expect.stringContaining('restarting.service'));
    expect(confirming(next().actors)).toEqual([]);
    expect(faults(sim)).toEqual([]);
  });

  test('has a path unit that it could only show: now it is down, and can be started', () => {
    const { sim, core } = restored(version, (image) => image, {
      texts: { 'running.path': '[Path]\nPathExists=/run/there\n' },
      records: [shownPath('running.path')],
    });
    expect(core.actors.tree('unit:running.path')?.kind).toBe('static');
    core.start();
    sim.run(1_000);
    expect(faults(sim)).toEqual([]);
    expect(core.actors.tree('unit:running.path')?.kind).toBe('path');
    expect(shownUnits(core.actors)['running.path']).toMatchObject({
      active: 'inactive',
      sub: 'dead',
      result: 'success',
    });
    core.actors.input({ events: [{ to: 'unit:running.path', event: { type: 'start' } }] });
    sim.run(1_000);
    expect(shownUnits(core.actors)['running.path']).toMatchObject({ active: 'active', sub: 'waiting' });
    // Once is enough: the next core finds it as it is.
    sim.killCore();
    const next = bootCore(sim);
    sim.run(1_000);
    expect(shownUnits(next().actors)['running.path']).toMatchObject({ active: 'active', sub: 'waiting' });
  });

  test('with an image of a form that is not known yet is refused with the reason, and core begins by adoption', () => {
    const { core } = restored(version, (image) => image.replace(/^\{"format":\d+/, '{"format":99'));
    expect(core.actors.recovered).toEqual({
      mode: 'fresh',
      why: expect.stringMatching(/^the image has form 99, this core reads \d+$/),
    });
  });
});
