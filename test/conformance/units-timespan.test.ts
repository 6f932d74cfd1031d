import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSpanExact } from '../../src/units/syntax/timespan.ts';
import { ask, has } from './units-oracle.ts';
import { blocksOf, tell } from './units-sctl.ts';

const there = has('systemd-analyze');

const UNITS = [
  '',
  's',
  'sec',
  'second',
  'seconds',
  'm',
  'min',
  'minute',
  'minutes',
  'h',
  'hr',
  'hour',
  'hours',
  'd',
  'day',
  'days',
  'w',
  'week',
  'weeks',
  'M',
  'month',
  'months',
  'y',
  'year',
  'years',
  'ms',
  'msec',
  'us',
  'usec',
  'µs',
  'μs',
  'ns',
  'S',
  'Min',
  'x',
  'Y',
];
const number = fc.oneof(
  fc.nat(100_000).map(String),
  fc.tuple(fc.nat(10_000), fc.nat(999_999)).map(([whole, part]) => `${whole}.${part}`),
  fc.nat(999).map((part) => `.${part}`),
  fc.constantFrom('1.', '-5', '+7', '1e3', '0', '000012', '18446744073709551615', '9223372036854775807', '1.5.2'),
);
const part = fc
  .tuple(number, fc.constantFrom('', ' ', '  ', '\t'), fc.constantFrom(...UNITS))
  .map(([n, space, unit]) => n + space + unit);
const span = fc.oneof(
  {
    weight: 9,
    arbitrary: fc
      .array(part, { minLength: 1, maxLength: 4 })
      .chain((parts) => fc.constantFrom('', ' ', '  ').map((space) => parts.join(space))),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'infinity',
      ' infinity ',
      'infinity 5',
      'infinityx',
      '',
      ' ',
      'min',
      '5 5',
      '1min30',
      'now',
      '5s5',
      '1y 2M 3w 4d 5h 6min 7s 8ms 9us',
    ),
  },
);

const cases = [...new Set(fc.sample(span, { numRuns: 2600, seed: 252 }))].filter((text) => text !== '' && text !== '-');

/** Larger than 2^53 µs, where a number is not exact any more. */
const large = [
  '300y 1us',
  '1000y',
  '18446744073709551614us',
  '18446744073709551613us',
  '9223372036854775807us',
  '9223372036854775808us',
  '584542y',
  '584541y 11month 3w',
  '9007199254740993us',
  '5000month .000001s',
];

describe.skipIf(!there)('time spans against systemd-analyze timespan', () => {
  test('a thousand spans are read to the same microseconds and written the same way', async () => {
    const accepted = [...cases, ...large].filter((text) => 'value' in parseSpanExact(text, 1_000_000));
    expect(accepted.length).toBeGreaterThan(1000);
    const different: string[] = [];
    for (let at = 0; at < accepted.length; at += 250) {
      const argv = ['timespan', '--', ...accepted.slice(at, at + 250)];
      const theirs = ask('systemd-analyze', argv);
      const ours = await tell('systemd-analyze', argv);
      if (theirs.status !== 0) different.push(theirs.stderr);
      if (theirs.stdout !== ours.stdout || ours.status !== 0) {
        const wanted = blocksOf(theirs.stdout);
        for (const [index, block] of blocksOf(ours.stdout).entries())
          if (block !== wanted[index]) different.push(`systemd ${wanted[index]}ours ${block}`);
      }
    }
    expect(different).toEqual([]);
  });

  test('what is no span is none there either', () => {
    const refused = [...cases, ...large].filter((text) => 'fault' in parseSpanExact(text, 1_000_000));
    expect(refused.length).toBeGreaterThan(100);
    // None of them is a calendar event, and the calendar reader says which of them are spans: it does not stop at the first.
    const answer = ask('systemd-analyze', ['calendar', '--', ...refused]);
    const spans = answer.stderr.split('\n').filter((line) => line.includes('is a valid timespan'));
    expect(spans).toEqual([]);
    expect(answer.stderr.split('Failed to parse calendar').length - 1).toBe(refused.length);
  });

  test.each([
    '1x',
    '-5',
    '5 -3',
    '1.5.2',
    '5+3',
    '18446744073709551615us',
    '9223372036854775808us',
    '',
    'hourly',
    'infinityx',
    '+.5',
    'min',
    '2026-01-01',
  ])('%j is refused with the same words', async (text) => {
    const argv = ['timespan', '--', '1h', text, '2h'];
    const theirs = ask('systemd-analyze', argv);
    const ours = await tell('systemd-analyze', argv);
    expect({ out: ours.stdout, err: ours.stderr, status: ours.status }).toEqual({
      out: theirs.stdout,
      err: theirs.stderr,
      status: theirs.status,
    });
  });

  test('lines of standard input are spans, and JSON has their microseconds as text', async () => {
    const { stdout } = await tell('sctl', ['analyze', 'timespan', '--output=json', '-'], {}, '1h\n2 ms\n');
    expect(JSON.parse(stdout)).toEqual([
      { original: '1h', us: '3600000000', human: '1h' },
      { original: '2 ms', us: '2000', human: '2ms' },
    ]);
  });
});
