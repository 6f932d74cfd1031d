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
import { tell } from './units-sctl.ts';

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

  /** Ask both, many strings at once; where systemd refuses one, it says which by how many it printed, and the rest is asked anew. */
  async function compare(options: readonly string[], words: readonly string[]): Promise<string[]> {
    const different: string[] = [];
    for (let at = 0, asked = 0; at < words.length && asked < 60; asked += 1) {
      const argv = [...options, '--', ...words.slice(at, at + 250)];
      const theirs = ask('systemd-escape', argv);
      const ours = await tell('systemd-escape', argv);
      if (ours.stdout !== theirs.stdout || ours.status !== theirs.status || ours.stderr !== theirs.stderr)
        different.push(JSON.stringify({ argv: argv.join(' ').slice(0, 300), theirs, ours }));
      at += theirs.status === 0 ? 250 : theirs.stdout === '' ? 1 : theirs.stdout.split(' ').length + 1;
    }
    return different;
  }

  const word = text.filter((string) => !string.includes(' '));
  const path = fc
    .array(fc.oneof(fc.constantFrom('', '.', '..', 'home', 'dev', 'sys', 'a-b', 'x.y', 'é'), word), { maxLength: 5 })
    .chain((parts) => fc.constantFrom(`/${parts.join('/')}`, parts.join('/'), `/dev/${parts.join('/')}`))
    .filter((string) => string !== '' && !string.includes(' '));
  const name = fc
    .tuple(
      word,
      fc.constantFrom('', '@', '@x', '@a-b', '@\\x20'),
      fc.constantFrom('', '.service', '.mount', '.foo', '.', '.timer'),
    )
    .map((three) => three.join(''));

  test.each([
    ['', [], fc.sample(text, { numRuns: 500, seed: 11 })],
    ['--suffix=mount', ['--suffix=mount'], fc.sample(word, { numRuns: 100, seed: 12 })],
    ['--template', ['--template=a@.service'], fc.sample(word, { numRuns: 200, seed: 13 })],
    ['--path', ['-p'], fc.sample(path, { numRuns: 300, seed: 14 })],
    ['--path --suffix', ['-p', '--suffix=automount'], fc.sample(path, { numRuns: 60, seed: 15 })],
    ['--mangle', ['-m'], fc.sample(fc.oneof(word, path, name), { numRuns: 500, seed: 16 })],
    ['--unescape', ['-u'], fc.sample(word, { numRuns: 60, seed: 17 })],
    ['--unescape --path', ['-u', '-p'], fc.sample(word, { numRuns: 40, seed: 18 })],
    ['--unescape --instance', ['-u', '--instance'], fc.sample(name, { numRuns: 40, seed: 19 })],
    [
      '--unescape --template',
      ['-u', '--template=a@.service'],
      ['a@b.service', 'a@b\\x2dc.service', 'b@c.service', 'a@.service'],
    ],
  ] as const)('sctl escape %s prints, refuses and ends like systemd-escape', async (_, options, words) => {
    expect(await compare(options, words)).toEqual([]);
  });

  test.each([
    [''],
    ['--suffix=foo a'],
    ['--suffix= a'],
    ['--template=foo a'],
    ['--template=a@b.service a'],
    ['--suffix=mount --template=a@.service x'],
    ['-m --suffix=service a'],
    ['-m --template=a@.service a'],
    ['-u --suffix=service a'],
    ['-m -p a'],
    ['--instance a'],
    ['-u --instance --template=a@.service a'],
    ['-p . '],
    ['a - b'],
    ['-'],
    ['-p /a /../b /c'],
    ['a -u b-c'],
    ['-up a-b'],
    ['-u a\\x00b c'],
    [`-p ${'x'.repeat(300)}`],
    [`-m ${'x'.repeat(300)}`],
    [`--template=a@.service ${'x'.repeat(300)}`],
  ])('options %s are taken and refused like there', async (line) => {
    const argv = line.split(' ').filter((part) => part !== '');
    const { stdout, stderr, status } = await tell('systemd-escape', argv);
    expect({ stdout, stderr, status }).toEqual(ask('systemd-escape', argv));
  });

  test('a single - stands for one string a line on standard input, when it is not called systemd-escape', async () => {
    expect(await tell('sctl', ['escape', '-p', '-'], {}, '/a b\n/c\n\n')).toMatchObject({
      stdout: 'a\\x20b\nc\n-\n',
      status: 0,
    });
    expect(await tell('sctl', ['escape', '--output=json', 'a/b', 'c d'])).toMatchObject({
      stdout: '["a-b","c\\\\x20d"]\n',
    });
  });
});
