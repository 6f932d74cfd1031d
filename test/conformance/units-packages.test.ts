/**
 * Every unit file of more than a hundred Debian packages, loaded by us and by a live systemd 252: the same load state, edges,
 * properties and complaints. What differs on purpose is listed here and in docs/reference/differences.md.
 */
import * as fs from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { isUnitName } from '../../src/units/index.ts';
import { edgeDifferences, foreignUnits, ourGraph, ourPlaces, propertyDifferences, theirPlaces } from './compare.ts';
import { known, PROPERTIES } from './known-differences.ts';
import { bootSystemd, liveSystemdMissing, PROBE } from './live-systemd.ts';
import { PACKAGES, packagesMissing, packageUnits } from './packages.ts';

const missing = liveSystemdMissing() ?? packagesMissing();

/** Lines that we complain of and systemd does not, with the reason. */
const PLACES: readonly (readonly [RegExp, string])[] = [
  [/nbd@\.service:5$/, 'Before= of a device: systemd says so without the line'],
];

describe.skipIf(missing !== undefined)(
  `unit files of Debian packages${missing === undefined ? '' : `: ${missing}`}`,
  async () => {
    if (missing !== undefined) return;
    const units = packageUnits();
    const names = fs
      .readdirSync(units)
      .filter((name) => isUnitName(name))
      .map((name) => name.replace('@.', '@inst-a.'))
      .sort();
    const peer = await bootSystemd([units], names);
    afterAll(() => peer.stop());
    const shown = peer.show();
    const foreign = foreignUnits(shown);
    const graph = ourGraph([units], names);
    const theirs = [...shown].filter(([name]) => !foreign.has(name) && name !== PROBE);
    let compared = 0;

    test('are many, of many packages', () => {
      expect(PACKAGES.length).toBeGreaterThanOrEqual(60);
      expect(names.length).toBeGreaterThan(400);
      expect(theirs.length).toBeGreaterThan(400);
    });

    test('lead to the same units', () => {
      const ours = graph.units().map((unit) => unit.name);
      expect(ours.filter((name) => !shown.has(name))).toEqual([]);
      expect(theirs.map(([name]) => name).filter((name) => !ours.includes(name))).toEqual([]);
    });

    test.each(theirs)('%s is loaded, linked and shown alike', (name, their) => {
      const unit = graph.load(name);
      expect({ name: unit.name, load: unit.loadState }).toEqual({ name, load: their.get('LoadState') });
      expect(edgeDifferences(graph, unit, their, foreign)).toEqual([]);
      if (unit.loadState !== 'loaded') return; // of others systemd shows an empty shell
      const properties = propertyDifferences(graph, unit, their);
      expect(properties.differences.filter(known(PROPERTIES))).toEqual([]);
      compared += properties.compared;
    });

    test('have many settings to compare', () => expect(compared).toBeGreaterThan(20_000));

    test('are complained of at the same lines', () => {
      const ours = ourPlaces(graph.units()).filter((place) => !PLACES.some(([pattern]) => pattern.test(place)));
      expect(ours).toEqual(theirPlaces(peer.log()));
    });
  },
);
