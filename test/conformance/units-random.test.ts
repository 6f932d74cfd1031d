/**
 * Units put together by chance, loaded by us and by a live systemd 252: the same load states, edges, settings and complaints.
 * RANDOM_UNITS=SEED:COUNT tries others.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { edgeDifferences, foreignUnits, ourGraph, ourPlaces, propertyDifferences, theirPlaces } from './compare.ts';
import { type Known, known, PROPERTIES } from './known-differences.ts';
import { bootSystemd, liveSystemdMissing, PROBE } from './live-systemd.ts';
import { cache } from './packages.ts';
import { randomUnits } from './random-units.ts';

const missing = liveSystemdMissing();
const [seed = 7, count = 400] = (process.env['RANDOM_UNITS'] ?? '7:400').split(':').map(Number);

const DIFFERENT: Known = [[/^CPUSchedulingPriority of .*: 1, not 0$/, 'systemd raises it with a real-time policy']];

describe.skipIf(missing !== undefined)(
  `units by chance beside a live systemd${missing === undefined ? '' : `: ${missing}`}`,
  async () => {
    if (missing !== undefined) return;
    const { files, instances } = randomUnits(seed, count);
    fs.mkdirSync(cache, { recursive: true });
    const directory = fs.mkdtempSync(join(cache, 'random-'));
    afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));
    for (const [name, text] of Object.entries(files)) fs.writeFileSync(join(directory, name), text);
    const names = [...Object.keys(files).filter((name) => !name.includes('@.')), ...instances].sort();
    const peer = await bootSystemd([directory], names);
    afterAll(() => peer.stop());
    const shown = peer.show();
    const foreign = foreignUnits(shown);
    const graph = ourGraph([directory], names);
    const theirs = [...shown].filter(([name]) => !foreign.has(name) && name !== PROBE && name !== 'init.scope');
    const unexpected = known(PROPERTIES, DIFFERENT);

    test(`are many (seed ${seed})`, () => expect(theirs.length).toBeGreaterThan(count));

    test('lead to the same units', () => {
      const ours = graph.units().map((unit) => unit.name);
      expect(ours.filter((name) => !shown.has(name))).toEqual([]);
      expect(theirs.map(([name]) => name).filter((name) => !ours.includes(name))).toEqual([]);
    });

    test.each(theirs)(`%s is loaded, linked and shown alike (seed ${seed})`, (name, their) => {
      const unit = graph.load(name);
      const text = files[name] ?? '';
      expect({ name: unit.name, load: unit.loadState, text }).toEqual({ name, load: their.get('LoadState'), text });
      expect(edgeDifferences(graph, unit, their, foreign).filter(unexpected)).toEqual([]);
      if (unit.loadState === 'loaded')
        expect(propertyDifferences(graph, unit, their).differences.filter(unexpected)).toEqual([]);
    });

    test('are complained of at the same lines', () => {
      const their = new Set(theirPlaces(peer.log()));
      const lines = (places: readonly string[]) =>
        places.map((place) => {
          const [, file = '', line = ''] = /^(.*):(\d+)$/.exec(place) ?? [];
          return `${place}: ${fs.readFileSync(file, 'utf8').split('\n')[Number(line) - 1]}`;
        });
      const all = new Set(ourPlaces(graph.units()));
      expect(lines([...their].filter((place) => !all.has(place)))).toEqual([]);
      // What is refused as a whole systemd tells without a line, and it reads no further then.
      const usable = graph.units().filter((unit) => unit.loadState === 'loaded');
      expect(lines(ourPlaces(usable, false).filter((place) => !their.has(place)))).toEqual([]);
    });
  },
);
