import fc from 'fast-check';
import { expect, test } from 'vitest';
import { settingsHash } from '../../src/actors/settings-hash.ts';
import { sha256 as quick } from '../../src/host/node/hash.ts';
import { sha256 } from '../../src/jobs/hash.ts';
import { emptyUnit } from '../../src/units/blank.ts';
import type { Unit } from '../../src/units/types.ts';
import { addWritten } from '../../src/units/written.ts';

const text = fc.string({ unit: 'binary', maxLength: 12 });
const key = fc.stringMatching(/^[A-Za-z"\\]{1,8}$/);
const at = { file: '/etc/a.service', line: 1, column: 1 };

const unitOf = (settings: readonly (readonly [string, string, string])[]): Unit => {
  const raw: Record<string, { section: string; key: string; value: string; at: typeof at }[]> = {};
  for (const [section, name, value] of settings) addWritten(raw, { section, key: name, value, at });
  return { ...emptyUnit('a.service', 'service', ['a.service'], 'loaded', []), raw };
};

test('what is hashed are the settings by key, as JSON, whatever they hold', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(text, key, text), { maxLength: 8 }), (settings) => {
      const unit = unitOf(settings);
      const lists = Object.keys(unit.raw)
        .sort()
        .map((name) => unit.raw[name]?.map(({ section, value }) => [section, name, value]));
      expect(settingsHash(unit, { sha256: (whole) => whole })).toBe(JSON.stringify(lists));
    }),
  );
});

test('a host with a hash of its own gives the same', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(text, key, text), { maxLength: 8 }), (settings) => {
      expect(settingsHash(unitOf(settings), { sha256: quick })).toBe(settingsHash(unitOf(settings), {}));
      const written = JSON.stringify(settings);
      expect(quick(written)).toBe(sha256(written));
    }),
  );
});
