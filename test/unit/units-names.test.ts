import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  escapeName,
  escapePath,
  isUnitName,
  mangleName,
  nameToPath,
  parseName,
  pathToName,
  templateOf,
  unescapeName,
  unescapePath,
  withInstance,
} from '../../src/units/names.ts';

describe('unit names', () => {
  test.each([
    ['a.service', 'plain', 'a', ''],
    ['a@.service', 'template', 'a', ''],
    ['a@b.service', 'instance', 'a', 'b'],
    ['a@b@c.service', 'instance', 'a', 'b@c'],
    ['a.b.socket', 'plain', 'a.b', ''],
    ['-.slice', 'plain', '-', ''],
    ['dev-disk-by\\x2dlabel-x.device', 'plain', 'dev-disk-by\\x2dlabel-x', ''],
  ])('%s', (name, kind, prefix, instance) => expect(parseName(name)).toMatchObject({ name, kind, prefix, instance }));

  test.each([
    '',
    'a',
    '.service',
    '@.service',
    '@b.service',
    'a.servic',
    'a b.service',
    'ä.service',
    'a/b.service',
    `${'a'.repeat(248)}.service`,
    'a.service/',
    '../a.service',
  ])('%j is none', (name) => expect(isUnitName(name)).toBe(false));

  test('the longest name has 255 characters', () => expect(isUnitName(`${'a'.repeat(247)}.service`)).toBe(true));
  test('an instance has a template, and back', () => {
    expect(templateOf('a@b.service')).toBe('a@.service');
    expect(templateOf('a.service')).toBeUndefined();
    expect(withInstance('a@.service', 'x')).toBe('a@x.service');
    expect(withInstance('a.service', 'x')).toBe('a.service');
  });
});

describe('escaping', () => {
  const anything = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));

  test('is undone by unescaping, for every text', () => {
    fc.assert(
      fc.property(anything, (text) => unescapeName(escapeName(text)) === text),
      { numRuns: 2000 },
    );
  });

  test('gives what may stand in a unit name', () => {
    fc.assert(
      fc.property(
        anything.filter((text) => text !== '' && escapeName(text).length < 200),
        (text) => isUnitName(`a@${escapeName(text)}.service`),
      ),
    );
  });

  test('of a path is undone, to the path without needless slashes', () => {
    const part = anything
      .map((text) => text.replaceAll('/', '_'))
      .filter((text) => text !== '' && text !== '.' && text !== '..');
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 5 }),
        (parts) => unescapePath(escapePath(`//${parts.join('//')}/`) ?? '') === `/${parts.join('/')}`,
      ),
    );
  });

  test('names of mounts and devices lead back to their paths', () => {
    for (const path of ['/', '/home', '/dev/disk/by-label/x y', '/.hidden'])
      expect(nameToPath(pathToName(path, 'mount') ?? '')).toBe(path);
  });

  test.each([
    ['foo', 'foo.service'],
    ['/home', 'home.mount'],
    ['/dev/sda', 'dev-sda.device'],
    ['a.timer', 'a.timer'],
    ['', undefined],
  ])('%j is meant as %s', (text, name) => expect(mangleName(text)).toBe(name));
});
