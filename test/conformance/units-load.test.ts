/**
 * Every rule of loading and linking, tried on units of our own making by us and by a live systemd 252: load states, names,
 * drop-ins, edges, settings, and the lines that are complained of.
 */
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { isUnitName } from '../../src/units/index.ts';
import { edgeDifferences, foreignUnits, ourGraph, ourPlaces, propertyDifferences, theirPlaces } from './compare.ts';
import { type Known, known, PROPERTIES } from './known-differences.ts';
import { bootSystemd, liveSystemdMissing, PROBE } from './live-systemd.ts';
import { LOAD_CASES, MORE_NAMES } from './load-cases.ts';
import { cache } from './packages.ts';

const missing = liveSystemdMissing();

/** What differs on purpose, with the reason. */
const DIFFERENT: Known = [
  [
    /^missing unit: mask-al\.service error$|^verdict: mask-al\.service: error/,
    'an alias of a masked unit is masked, not an error',
  ],
  [
    / Upholds w4\.service$|lk\.target After w4\.service$|^extra: w4\.service (Before|UpheldBy) lk\.target$/,
    '.upholds directories are newer than 252',
  ],
  [/^extra: q16\.service JoinsNamespaceOf d-all\.service$/, 'the edge is symmetric, which systemd shows on one side'],
  [
    /^Description of tm@q\.service: q of tm-al@q\.service/,
    'systemd expands %n to the alias by which the unit was first asked for',
  ],
  [/^UnitFileState of /, 'is-enabled is compared elsewhere; these are no directories of enable'],
  [/^StateDirectory of d-dirs\.service: s1, not s1:alias$/, 'systemd shows links of directories apart'],
  [/^extra place: .*\/r-continued-end\.service:5$/, 'a backslash at the end of a file is worth a word'],
  [/^extra place: .*\/r-nul\.service:2$/, 'a NUL is worth a word'],
  [/^extra place: .*\/r-toolong\.service:3$/, 'systemd says it without the line'],
];

/** Lay the cases out; `@` in a link is the directory. Not below /tmp, which the live systemd cannot see. */
function layOut(): string {
  fs.mkdirSync(cache, { recursive: true });
  const base = fs.mkdtempSync(join(cache, 'load-'));
  for (const [name, value] of Object.entries(LOAD_CASES)) {
    const path = join(base, name);
    fs.mkdirSync(dirname(path), { recursive: true });
    if (value.startsWith('-> ')) fs.symlinkSync(value.slice(3).replace('@/', `${base}/`), path);
    else fs.writeFileSync(path, value);
  }
  return base;
}

describe.skipIf(missing !== undefined)(
  `loading beside a live systemd${missing === undefined ? '' : `: ${missing}`}`,
  async () => {
    if (missing !== undefined) return;
    const base = layOut();
    afterAll(() => fs.rmSync(base, { recursive: true, force: true }));
    const directories = [join(base, 'a'), join(base, 'b')];
    const names = [
      ...new Set(
        [...directories.flatMap((directory) => fs.readdirSync(directory)), ...MORE_NAMES].filter((name) =>
          isUnitName(name, 'plain', 'instance'),
        ),
      ),
    ].sort();
    const peer = await bootSystemd(directories, names);
    afterAll(() => peer.stop());
    const shown = peer.show();
    const foreign = foreignUnits(shown);
    const graph = ourGraph(directories, names);
    const theirs = [...shown].filter(
      ([name]) => !foreign.has(name) && name !== PROBE && name !== 'init.scope' && name !== '-.mount',
    );
    const unexpected = (texts: readonly string[]) => texts.filter(known(DIFFERENT, PROPERTIES));

    test('leads to the same units', () => {
      const ours = graph.units().map((unit) => unit.name);
      const odd = [
        ...ours.filter((name) => !shown.has(name)).map((name) => `extra unit: ${name} ${graph.get(name)?.loadState}`),
        ...theirs.flatMap(([name, their]) =>
          ours.includes(name) ? [] : [`missing unit: ${name} ${their.get('LoadState')}`],
        ),
      ];
      expect(unexpected(odd.filter((text) => !text.endsWith('unit: -.mount loaded')))).toEqual([]);
    });

    test.each(theirs)('%s is loaded, linked and shown alike', (name, their) => {
      const unit = graph.load(name);
      const verdict =
        unit.name === name && unit.loadState === their.get('LoadState')
          ? []
          : [`verdict: ${name}: ${their.get('LoadState')}, not ${unit.name} ${unit.loadState}`];
      expect(unexpected(verdict)).toEqual([]);
      expect(unexpected(edgeDifferences(graph, unit, their, foreign))).toEqual([]);
      if (unit.loadState === 'loaded')
        expect(unexpected(propertyDifferences(graph, unit, their).differences)).toEqual([]);
    });

    test('complains of the same lines', () => {
      const [ours, their] = [ourPlaces(graph.units()), theirPlaces(peer.log())];
      const odd = [
        ...ours.filter((place) => !their.includes(place)).map((place) => `extra place: ${place}`),
        ...their.filter((place) => !ours.includes(place)).map((place) => `missing place: ${place}`),
      ];
      expect(unexpected(odd.map((text) => text.replace(base, '')))).toEqual([]);
    });
  },
);
