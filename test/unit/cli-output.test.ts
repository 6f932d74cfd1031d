/** Words for times, spans, sizes and exits, tables and trees. */
import { describe, expect, test } from 'vitest';
import { globber } from '../../src/api/glob.ts';
import { bytesText } from '../../src/cli/output/bytes.ts';
import { exitText, signalNumber } from '../../src/cli/output/exit-words.ts';
import { cut, cutMiddle, table, widthOf } from '../../src/cli/output/table.ts';
import { agoText, dateText, spanText } from '../../src/cli/output/time.ts';
import { branches } from '../../src/cli/output/tree.ts';
import { splitWords } from '../../src/cli/run.ts';

const S = 1_000_000;
const MIN = 60 * S;
const H = 60 * MIN;
const D = 24 * H;

// Answers of systemctl 252's own words for the same spans.
test.each([
  [0, 'now'],
  [7, '7us ago'],
  [31_000, '31ms ago'],
  [5 * S, '5s ago'],
  [3 * MIN + 5 * S, '3min 5s ago'],
  [7 * MIN + 5 * S, '7min ago'],
  [H + 43 * MIN, '1h 43min ago'],
  [7 * H, '7h ago'],
  [24 * H, '24h ago'],
  [25 * H, '1 day 1h ago'],
  [3 * D, '3 days ago'],
  [8 * D, '1 week 1 day ago'],
  [16 * D, '2 weeks 2 days ago'],
  [40 * D, '1 month 9 days ago'],
  [400 * D, '1 year 1 month ago'],
  [-3 * D, '3 days left'],
])('%i µs is %s', (span, words) => {
  expect(agoText(1e15, 1e15 + span)).toBe(words);
});

test.each([
  [90 * S, 1, '1min 30s'],
  [1_234_567, 1000, '1.234s'],
  [19_000, 1000, '19ms'],
  [17_900, 1000, '17ms'],
  [100_000, 1, '100ms'],
  [0, 1, '0'],
])('a span of %i µs to %i µs is %s', (span, accuracy, words) => {
  expect(spanText(span, accuracy)).toBe(words);
});

test('a date has its day and its zone', () => {
  process.env['TZ'] = 'UTC';
  expect(dateText(1_795_316_400_000_000)).toBe('Sun 2026-11-22 03:00:00 UTC');
});

test.each([
  [512, '512B'],
  [1023, '1023B'],
  [1024, '1.0K'],
  [7_654_321, '7.2M'],
  [3 * 2 ** 30, '3.0G'],
])('%i bytes are %s', (bytes, words) => {
  expect(bytesText(bytes)).toBe(words);
});

test('exits are named as systemctl names them', () => {
  expect(exitText({ code: 'exited', status: 203 })).toBe('code=exited, status=203/EXEC');
  expect(exitText({ code: 'exited', status: 42 })).toBe('code=exited, status=42/n/a');
  expect(exitText({ code: 'killed', status: 15 })).toBe('code=killed, signal=TERM');
  expect(exitText({ code: 'dumped', status: 11 })).toBe('code=dumped, signal=SEGV');
});

test.each([
  ['TERM', 15],
  ['sigterm', 15],
  ['9', 9],
  ['RTMIN+3', 37],
  ['0', undefined],
  ['FOO', undefined],
])('signal %s is %s', (text, number) => {
  expect(signalNumber(text)).toBe(number);
});

describe('tables', () => {
  test('wide characters take two columns, marks and colours none', () => {
    expect(widthOf('日本')).toBe(4);
    expect(widthOf('e\u0301')).toBe(1);
    expect(widthOf('\u001b[0;1;31mred\u001b[0m')).toBe(3);
  });

  test('a cut text fits, and says that it was cut', () => {
    expect(cut('abcdef', 6)).toBe('abcdef');
    expect(cut('abcdef', 4)).toBe('abc…');
    expect(cut('日本語', 4)).toBe('日…');
    expect(cutMiddle('very-long-name.service', 12)).toBe('very-l…rvice');
  });

  test('only the last column is cut', () => {
    const rows = [{ cells: ['a', 'one two three'] }, { cells: ['bbb', 'x'] }];
    expect(table(rows, { header: undefined, columns: 11, full: false })).toEqual(['a   one tw…', 'bbb x']);
    expect(table(rows, { header: { cells: ['N', 'D'] }, columns: 11, full: true })).toEqual([
      'N   D',
      'a   one two three',
      'bbb x',
    ]);
    expect(table([], { header: undefined, columns: 80, full: false })).toEqual([]);
  });
});

describe('globs', () => {
  test.each([
    ['*', 'anything', true],
    ['a*c', 'abbbc', true],
    ['a*c', 'abbbd', false],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['[a-c]x', 'bx', true],
    ['[!a-c]x', 'bx', false],
    ['[]]', ']', true],
    ['[a', '[a', true],
    ['a\\*', 'a*', false],
    ['dev-*\\x2duuid.device', 'dev-disk-by\\x2duuid.device', true],
    ['x.y', 'xzy', false],
    ['', '', true],
    ['**a**', 'bab', true],
    ['dev-disk-by\\x2duuid.device', 'dev-disk-by\\x2duuid.device', true],
  ])('%s on %s: %s', (pattern, name, fits) => {
    expect(globber([pattern])(name)).toBe(fits);
  });

  test('no pattern fits everything', () => {
    expect(globber([])('anything')).toBe(true);
  });

  test('a pattern made to be slow is answered: it could not be by trying every split', () => {
    // Sixty stars over 250 letters have more splits than there are atoms.
    expect(globber([`${'a*'.repeat(60)}b`])('a'.repeat(250))).toBe(false);
  });
});

describe('words of a command line', () => {
  test.each([
    [['is-active', 'x'], 'is-active', ['x']],
    [['-q', 'is-active', 'x'], 'is-active', ['-q', 'x']],
    [['-t', 'service', 'list-units'], 'list-units', ['-t', 'service']],
    [['--type=service', 'list-units'], 'list-units', ['--type=service']],
    [['--socket', '/x', 'start', '--', '-x'], 'start', ['--socket', '/x', '--', '-x']],
    [['--', 'start'], undefined, ['--', 'start']],
    [[], undefined, []],
  ])('%j', (words, word, rest) => {
    expect(splitWords(words)).toEqual({ word, rest });
  });
});

describe('trees', () => {
  const chain = (at: number): readonly number[] => (at < 20_000 ? [at + 1] : []);

  test('a chain that is deeper than the stack is drawn, with its depth as a number and the nearest branches', () => {
    const lines = branches(0, String, chain);
    expect(lines).toHaveLength(20_001);
    expect(lines[2]).toBe('  └─2');
    expect(lines[34]).toBe(`…33 ${' '.repeat(16)}└─34`);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(80);
  });

  test('the branches of neighbours are drawn down to where they stand', () => {
    const below: Readonly<Record<string, readonly string[]>> = { root: ['a', 'b'], a: ['c', 'd'], d: ['e'] };
    expect(branches<string>('root', String, (name) => below[name] ?? [])).toEqual([
      'root',
      '├─a',
      '│ ├─c',
      '│ └─d',
      '│   └─e',
      '└─b',
    ]);
  });
});
