import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  escapeName,
  escapePath,
  isUnitName,
  mangleName,
  pathToName,
  unescapeName,
  unescapePath,
  withInstance,
} from '../../src/units/names.ts';
import { ask, has } from './units-oracle.ts';

const there = has('systemd-escape');
const text = fc
  .string({
    unit: fc.constantFrom(
      'a',
      'Z',
      '0',
      '-',
      '_',
      '.',
      ':',
      '/',
      '@',
      '\\',
      ' ',
      'é',
      '日',
      '🎈',
      '%',
      '"',
      "'",
      '$',
      '\t',
      'x',
      '2',
      'd',
    ),
    minLength: 1,
    maxLength: 24,
  })
  .filter((word) => !word.includes('\n'));

/** One answer a word; they come on one line each, or separated by spaces, none of which an escape contains. */
function escaped(args: readonly string[], words: readonly string[]): string[] {
  const out: string[] = [];
  for (let at = 0; at < words.length; at += 200)
    out.push(
      ...ask('systemd-escape', [...args, '--', ...words.slice(at, at + 200)])
        .stdout.replace(/\n$/, '')
        .split(' '),
    );
  return out;
}

describe.skipIf(!there)('escaping against systemd-escape', () => {
  test('a thousand strings are escaped the same way', () => {
    const words = fc.sample(text, { numRuns: 1000, seed: 1 });
    expect(words.map(escapeName)).toEqual(escaped([], words));
  });

  test('paths are escaped the same way, and what cannot be a path is refused', () => {
    const parts = fc.array(
      fc.oneof(
        fc.constantFrom('', '.', 'home', 'a-b', 'ü', 'x.y', '.hidden', 'srv'),
        text.map((word) => word.replaceAll('/', '_')),
      ),
      { maxLength: 5 },
    );
    const paths = fc
      .sample(parts, { numRuns: 300, seed: 2 })
      .map((list) => `/${list.join('/')}`)
      .filter((path) => !path.split('/').includes('..'));
    expect(paths.map(escapePath)).toEqual(escaped(['--path'], paths));
    for (const bad of ['/a/../b', '/..', 'a/../b']) {
      expect(ask('systemd-escape', ['--path', bad]).status).not.toBe(0);
      expect(escapePath(bad)).toBeUndefined();
    }
  });

  test('unescaping gives the same strings and refuses the same ones', () => {
    const fine = ['foo-bar', '\\x2d\\x2e', 'a\\x20b', '-', '--', 'a-', '-a', '\\xc3\\xa9', 'x:y_z', ''];
    for (const word of [...fine, '\\', '\\x', '\\xg0', '\\x2', 'a\\b', '\\x00']) {
      const answer = ask('systemd-escape', ['--unescape', '--', word]);
      if (word === '\\x00') continue; // a NUL cannot be printed
      expect(unescapeName(word), word).toBe(answer.status === 0 ? answer.stdout.replace(/\n$/, '') : undefined);
    }
  });

  test('unescaping paths gives the same paths and refuses the same ones', () => {
    for (const word of ['-', 'home-user', 'a\\x2db', 'a--b', '-a', 'a-', '..', 'a-..-b', '.', '\\x2e', 'foo.bar']) {
      const answer = ask('systemd-escape', ['--unescape', '--path', '--', word]);
      expect(unescapePath(word), word).toBe(answer.status === 0 ? answer.stdout.replace(/\n$/, '') : undefined);
    }
  });

  test('templates get the escaped string as their instance', () => {
    for (const word of ['tty1', '/dev/sda 1', 'a@b', 'x-y']) {
      expect(withInstance('foo@.service', escapeName(word))).toBe(
        ask('systemd-escape', ['--template=foo@.service', '--', word]).stdout.trim(),
      );
    }
  });

  test('suffixes make mount names of paths', () => {
    for (const path of ['/', '/home', '/var/lib/x-y', '//srv//www/']) {
      expect(pathToName(path, 'mount')).toBe(ask('systemd-escape', ['--path', '--suffix=mount', path]).stdout.trim());
    }
  });

  test('mangling makes the same unit names', () => {
    for (const word of [
      'foo',
      'foo.service',
      '/home/x',
      '/dev/sda',
      'a b',
      'ä',
      'foo.socket',
      'foo@bar',
      'foo@.service',
      'a/b',
      'x.target',
      '/',
      'foo.bar',
    ]) {
      const answer = ask('systemd-escape', ['--mangle', '--', word]);
      expect(mangleName(word), word).toBe(answer.status === 0 ? answer.stdout.trim() : undefined);
    }
  });

  test('every name that mangling gives is a unit name', () => {
    fc.assert(
      fc.property(text, (word) => {
        const name = mangleName(word);
        return name === undefined || isUnitName(name);
      }),
    );
  });
});
