/** Moments against systemd-analyze timestamp. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ask, has } from './units-oracle.ts';
import { blocksOf, steady, tell } from './units-sctl.ts';

const there = has('systemd-analyze');

const two = (most: number) =>
  fc
    .tuple(fc.integer({ min: 0, max: most }), fc.boolean())
    .map(([n, wide]) => (wide ? String(n).padStart(2, '0') : String(n)));
const year = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1970, max: 2040 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom('12', '69', '68', '70', '99', '1969', '9999', '0', '2200', '123', '20255') },
);
const date = fc.tuple(year, two(13), two(32)).map((all) => all.join('-'));
const seconds = fc.oneof(
  { weight: 3, arbitrary: two(62) },
  { weight: 2, arbitrary: fc.tuple(two(59), fc.nat(9_999_999)).map((all) => all.join('.')) },
  { weight: 1, arbitrary: fc.constantFrom('5.', '5.x', '59.9999999', '0.0000005') },
);
const time = fc.oneof(
  { weight: 2, arbitrary: fc.tuple(two(24), two(60)).map((all) => all.join(':')) },
  { weight: 3, arbitrary: fc.tuple(two(24), two(60), seconds).map((all) => all.join(':')) },
);
const weekday = fc.oneof(
  { weight: 5, arbitrary: fc.constant('') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('Mon ', 'Tue ', 'Wed ', 'Thursday ', 'fri ', 'SAT ', 'Sun ', 'Mon, ', 'Day ', 'Mon  '),
  },
);
const separator = fc.constantFrom(' ', ' ', ' ', '  ', '\t', '', 'T');
/** Names of zones are left out: systemd 252 in Debian 12 refuses all of them but UTC, against its manual page. */
const zone = (own: readonly string[]) => fc.constantFrom('', '', '', ' UTC', ' utc', '  UTC', ' XYZ', 'UTC', ...own);
const absolute = (own: readonly string[]) =>
  fc
    .tuple(
      weekday,
      fc.oneof(
        { weight: 3, arbitrary: fc.tuple(date, separator, time).map((all) => all.join('')) },
        { weight: 1, arbitrary: date },
        { weight: 1, arbitrary: time },
      ),
      zone(own),
    )
    .map((all) => all.join(''));
const epoch = fc.oneof(
  fc.nat(2_000_000_000).map((n) => `@${n}`),
  fc.tuple(fc.nat(2_000_000_000), fc.nat(9_999_999)).map(([n, part]) => `@${n}.${part}`),
  fc.constantFrom('@0', '@', '@-1', '@253402214399', '@253402214400', '@infinity', '@5min', '@1 UTC', '@ 7', '@1h 5'),
);
const words = fc.constantFrom(
  'today',
  'yesterday',
  'tomorrow',
  'today UTC',
  'yesterday utc',
  'tomorrow UTC',
  'now UTC',
  'Today',
  'tonight',
  ' today',
);
/** Those that hang on the moment of the call are only compared as to whether they are understood. */
const relative = fc
  .tuple(
    fc.constantFrom('+', '-', '', '', ' '),
    fc.constantFrom('3h', '5 days', '2y 3month', '1.5min', '0', 'infinity', '3x', '', '60y', '9000y', '1us'),
    fc.constantFrom('', ' ago', ' left', 'ago', '  ago', ' ago '),
  )
  .map((all) => all.join(''));

/** The zone's own names, where they are no names of zones as well; where libc's tzname does not change with the last moment shown. */
const PLACES: readonly (readonly [string, readonly string[]])[] = [
  ['UTC', []],
  ['Europe/Berlin', [' CEST', ' cest']],
  ['America/New_York', [' EDT']],
  ['Australia/Lord_Howe', []],
  ['Pacific/Apia', []],
  ['Asia/Kathmandu', []],
  ['Africa/Casablanca', []],
  ['America/Sao_Paulo', []],
];
/** Around changes of clocks. Readings that come twice are asked one by one: libc remembers where it was. */
const CHANGES: Readonly<Record<string, readonly string[]>> = {
  'Europe/Berlin': [
    '2025-03-30 01:59:59',
    '2025-03-30 02:30',
    '2025-03-30 03:00',
    '2025-03-30 02:30 CEST',
    '2025-10-26 02:30 CEST',
  ],
  'America/New_York': ['2026-03-08 02:30', '2026-03-08 02:00:00', '2026-11-01 00:59:59', '2026-11-01 02:00'],
  'Australia/Lord_Howe': ['2025-10-05 02:10', '2025-10-05 02:30', '2025-04-06 02:00'],
  'Pacific/Apia': ['2011-12-29 23:59:59', '2011-12-31'],
  'America/Sao_Paulo': ['2018-11-04', '2018-11-04 00:30'],
};
const TWICE: readonly (readonly [string, string])[] = [
  ['Europe/Berlin', '2025-10-26 02:30'],
  ['America/New_York', '2026-11-01 01:30'],
  ['Australia/Lord_Howe', '2025-04-06 01:45'],
  ['Europe/Dublin', '2025-10-26 01:30'],
  ['America/Sao_Paulo', '2018-02-17 23:30'],
];

const seedOf = Number(process.env['TIMESTAMP_SEED'] ?? 252);
const perPlace = Math.ceil(Number(process.env['TIMESTAMP_CASES'] ?? 1200) / PLACES.length);

describe.skipIf(!there)('moments against systemd-analyze timestamp', () => {
  test.each(PLACES.map((place, index) => [...place, index] as const))(
    'in %s they are read, written and refused the same way',
    async (tz, own, index) => {
      const moment = fc.oneof(
        { weight: 8, arbitrary: absolute(own) },
        { weight: 2, arbitrary: epoch },
        { weight: 1, arbitrary: words },
        { weight: 1, arbitrary: relative },
      );
      const cases = [...fc.sample(moment, { numRuns: perPlace, seed: seedOf + index }), ...(CHANGES[tz] ?? [])].filter(
        (text) => text !== '-',
      );
      const argv = ['timestamp', '--', ...cases];
      const theirs = ask('systemd-analyze', argv, { TZ: tz });
      const ours = await tell('systemd-analyze', argv, { TZ: tz });
      const wanted = blocksOf(steady(theirs.stdout));
      const given = blocksOf(steady(ours.stdout));
      expect(wanted.length).toBe(cases.length);
      const fromNow = (text: string) => /^[+-]|ago$|left$/.test(text);
      const different = cases
        .map((text, at) => ({ text, systemd: wanted[at], ours: given[at] }))
        .filter(({ text, systemd, ours }) => (fromNow(text) ? (systemd === '') !== (ours === '') : systemd !== ours));
      expect(different).toEqual([]);
      expect(ours.stderr.split('\n').filter((line) => line.startsWith('Failed'))).toEqual(
        theirs.stderr.split('\n').filter((line) => line.startsWith('Failed')),
      );
      expect(ours.status).toBe(theirs.status);
      expect(wanted.filter((block) => block !== '').length).toBeGreaterThan(cases.length / 3);
    },
  );

  test.each(TWICE)('in %s, of the two moments called %s the same one is meant', async (tz, text) => {
    const argv = ['timestamp', '--', text];
    expect(steady((await tell('systemd-analyze', argv, { TZ: tz })).stdout)).toBe(
      steady(ask('systemd-analyze', argv, { TZ: tz }).stdout),
    );
  });
});

describe('names of zones, as systemd.time(7) has them', () => {
  test.each([
    ['2012-11-23 11:12:13 Asia/Shanghai', 'Fri 2012-11-23 03:12:13 UTC'],
    ['2025-07-01 CET', 'Mon 2025-06-30 23:00:00 UTC'],
    ['Fri 2012-11-23 11:12:13.5 Pacific/Auckland', 'Thu 2012-11-22 22:12:13 UTC'],
    ['10:00 Nowhere/City', undefined],
    ['now Asia/Tokyo', undefined],
  ] as const)('%s is %s', async (text, utc) => {
    const { stdout, status } = await tell('sctl', ['analyze', 'timestamp', text], { TZ: 'UTC' });
    if (utc === undefined) expect(status).toBe(1);
    else expect(stdout).toContain(`Normalized form: ${utc}`);
  });
});
