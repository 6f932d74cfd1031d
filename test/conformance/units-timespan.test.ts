import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatSpanUs, parseSpanUs } from '../../src/units/syntax/timespan.ts';
import { ask, has } from './units-oracle.ts';

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

describe.skipIf(!there)('time spans against systemd-analyze timespan', () => {
  test('a thousand spans are read to the same microseconds and written the same way', () => {
    const cases = [...new Set(fc.sample(span, { numRuns: 1400, seed: 252 }))].filter(
      (text) => text.trim() !== '' && !text.startsWith('-'),
    );
    expect(cases.length).toBeGreaterThan(1000);
    const different: string[] = [];
    // Many a call; one that is refused ends the call, so refused ones are asked again one by one.
    for (let at = 0; at < cases.length; ) {
      const batch = cases.slice(at, at + 50);
      const answer = ask('systemd-analyze', ['timespan', '--', ...batch]);
      const blocks = answer.stdout.split('\n\n').filter((block) => block.includes('Human:'));
      for (const [index, block] of blocks.entries()) {
        const text = batch[index] ?? '';
        const us = /μs: (\d+)/.exec(block)?.[1] ?? '';
        const human = /Human: (.*)/.exec(block)?.[1] ?? '';
        const ours = parseSpanUs(text, 1_000_000);
        const shown = ours === undefined ? 'refused' : ours === 'infinity' ? '18446744073709551615' : String(ours);
        // Beyond 2^53 a number is not exact, which is 285 years.
        if (Number(us) > Number.MAX_SAFE_INTEGER && ours !== undefined && ours !== 'infinity') continue;
        if (shown !== us) different.push(`${JSON.stringify(text)}: systemd ${us}, ours ${shown}`);
        else if (ours !== undefined && formatSpanUs(ours) !== human)
          different.push(`${JSON.stringify(text)}: systemd ${human}, ours ${formatSpanUs(ours)}`);
      }
      at += blocks.length;
      if (answer.status !== 0) {
        const text = cases[at] ?? '';
        const ours = parseSpanUs(text, 1_000_000);
        if (ours !== undefined) different.push(`${JSON.stringify(text)}: systemd refuses, ours ${ours}`);
        at += 1;
      }
    }
    expect(different).toEqual([]);
  });
});
