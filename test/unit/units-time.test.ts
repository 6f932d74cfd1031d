/** Calendar events, zones, clocks and moments, one table for each function. */
import { describe, expect, test } from 'vitest';
import { createUnitLoader, plainPaths, sentence } from '../../src/units/index.ts';
import { type Calendar, parseCalendar } from '../../src/units/time/calendar.ts';
import { nextElapse } from '../../src/units/time/calendar-next.ts';
import { calendarText } from '../../src/units/time/calendar-text.ts';
import { dateOf, dayNumber, daysInMonth, isLeap, weekdayOf } from '../../src/units/time/civil.ts';
import { parsePosixZone } from '../../src/units/time/posix-zone.ts';
import { momentText, parseMoment } from '../../src/units/time/timestamp.ts';
import { parseZoneFile, UTC } from '../../src/units/time/zone.ts';
import { zonesOf } from '../../src/units/time/zones.ts';
import { memoryFiles, testFacts } from './units-support.ts';

const BERLIN = 'CET-1CEST,M3.5.0,M10.5.0/3';
const none = memoryFiles({});
const utc = zonesOf(none, '');
const berlin = zonesOf(none, BERLIN);

const read = (text: string, zones = utc): Calendar => {
  const parsed = parseCalendar(text, zones);
  if ('fault' in parsed) throw new Error(`${text}: ${parsed.fault.why}`);
  return parsed.value;
};
const at = (text: string): number => Date.parse(text) * 1000;
const iso = (us: number | string): string => (typeof us === 'number' ? new Date(us / 1000).toISOString() : us);

describe('normal forms, as in the table of systemd.time(7)', () => {
  test.each([
    ['Sat,Thu,Mon..Wed,Sat..Sun', 'Mon..Thu,Sat,Sun *-*-* 00:00:00'],
    ['Mon,Sun 12-*-* 2,1:23', 'Mon,Sun 2012-*-* 01,02:23:00'],
    ['Wed *-1', 'Wed *-*-01 00:00:00'],
    ['Wed..Wed,Wed *-1', 'Wed *-*-01 00:00:00'],
    ['Wed, 17:48', 'Wed *-*-* 17:48:00'],
    ['Wed..Sat,Tue 12-10-15 1:2:3', 'Tue..Sat 2012-10-15 01:02:03'],
    ['*-*-7 0:0:0', '*-*-07 00:00:00'],
    ['10-15', '*-10-15 00:00:00'],
    ['monday *-12-* 17:00', 'Mon *-12-* 17:00:00'],
    ['Mon,Fri *-*-3,1,2 *:30:45', 'Mon,Fri *-*-01,02,03 *:30:45'],
    ['12,14,13,12:20,10,30', '*-*-* 12,13,14:10,20,30:00'],
    ['12..14:10,20,30', '*-*-* 12..14:10,20,30:00'],
    ['mon,fri *-1/2-1,3 *:30:45', 'Mon,Fri *-01/2-01,03 *:30:45'],
    ['03-05 08:05:40', '*-03-05 08:05:40'],
    ['08:05:40', '*-*-* 08:05:40'],
    ['05:40', '*-*-* 05:40:00'],
    ['Sat,Sun 12-05 08:05:40', 'Sat,Sun *-12-05 08:05:40'],
    ['2003-03-05 05:40', '2003-03-05 05:40:00'],
    ['05:40:23.4200004/3.1700005', '*-*-* 05:40:23.420000/3.170001'],
    ['2003-02..04-05', '2003-02..04-05 00:00:00'],
    ['2003-03-05 05:40 UTC', '2003-03-05 05:40:00 UTC'],
    ['2003-03-05', '2003-03-05 00:00:00'],
    ['hourly', '*-*-* *:00:00'],
    ['daily UTC', '*-*-* 00:00:00 UTC'],
    ['monthly', '*-*-01 00:00:00'],
    ['weekly', 'Mon *-*-* 00:00:00'],
    ['yearly', '*-01-01 00:00:00'],
    ['annually', '*-01-01 00:00:00'],
    ['quarterly', '*-01,04,07,10-01 00:00:00'],
    ['semiannually', '*-01,07-01 00:00:00'],
    ['minutely', '*-*-* *:*:00'],
    ['*:2/3', '*-*-* *:02/3:00'],
    ['Mon *-05~07/1', 'Mon *-05~07/1 00:00:00'],
    ['@1700000000', '2023-11-14 22:13:20 UTC'],
  ])('%s is %s', (text, normal) => {
    expect(calendarText(read(text), UTC)).toBe(normal);
    expect(calendarText(read(normal), UTC)).toBe(normal);
  });
});

describe('faults of calendar events have their place and their kind', () => {
  test.each([
    ['', 0, 'EINVAL'],
    ['foo', 0, 'EINVAL'],
    ['Mon..', 5, 'EINVAL'],
    ['Tue..Mon', 5, 'EINVAL'],
    ['Mond', 0, 'EINVAL'],
    ['10:x', 3, 'EINVAL'],
    ['10:30:', 6, 'EINVAL'],
    ['10:0/0', 5, 'ERANGE'],
    ['10:99999999999', 3, 'ERANGE'],
    ['24:00', 0, 'EINVAL'],
    ['2200-01-01', 0, 'EINVAL'],
    ['0:0:0..0.5', 4, 'EINVAL'],
    [`${'1,'.repeat(300)}1:0`, 482, 'ENOBUFS'],
    ['10:00 Nowhere/City', 5, 'EINVAL'],
    [' UTC', 0, 'EINVAL'],
  ])('%s', (text, offset, errno) => {
    const parsed = parseCalendar(text, utc);
    expect('fault' in parsed && [parsed.fault.offset, parsed.fault.errno]).toEqual([offset, errno]);
  });
});

describe('next elapses', () => {
  test.each([
    ['*-02-29', '2025-01-01T00:00Z', '2028-02-29T00:00:00.000Z'],
    ['*-02~01', '2025-01-01T00:00Z', '2025-02-28T00:00:00.000Z'],
    ['Mon *-05~07/1', '2025-01-01T00:00Z', '2025-05-26T00:00:00.000Z'],
    ['Sat,Sun 12:00', '2026-11-20T00:00Z', '2026-11-21T12:00:00.000Z'],
    ['*:*:0/0.5', '2026-11-20T00:00:00Z', '2026-11-20T00:00:00.500Z'],
    ['2000-01-01', '2025-01-01T00:00Z', 'never'],
    ['*-02,04,06,09,11-31', '2025-01-01T00:00Z', 'never'],
    ['2199-12-31 23:59:59', '2025-01-01T00:00Z', '2199-12-31T23:59:59.000Z'],
  ])('%s after %s is %s', (text, base, next) => {
    expect(iso(nextElapse(read(text), at(base), utc))).toBe(next);
  });

  test.each([
    // The clocks go from 02:00 to 03:00: there is no 02:30 on that day, and an hour less between two elapses.
    ['02:30', '2025-03-29T12:00Z', '2025-03-31T00:30:00.000Z'],
    ['hourly', '2025-03-30T00:30Z', '2025-03-30T01:00:00.000Z'],
    // They go back from 03:00 to 02:00: of the two 02:30 it is the first.
    ['02:30', '2025-10-25T12:00Z', '2025-10-26T00:30:00.000Z'],
    ['daily', '2025-10-26T12:00Z', '2025-10-26T23:00:00.000Z'],
    ['12:00 CET', '2025-01-01T00:00Z', '2025-01-01T11:00:00.000Z'],
    ['12:00 UTC', '2025-07-01T00:00Z', '2025-07-01T12:00:00.000Z'],
  ])('in Berlin %s after %s is %s', (text, base, next) => {
    expect(iso(nextElapse(read(text, berlin), at(base), berlin))).toBe(next);
  });
});

describe('rules of zones', () => {
  test.each([
    [BERLIN, '2025-07-01T00:00Z', 7200, 'CEST'],
    [BERLIN, '2025-01-01T00:00Z', 3600, 'CET'],
    ['NZST-12NZDT,M9.5.0,M4.1.0/3', '2025-01-01T00:00Z', 46_800, 'NZDT'],
    ['<+1030>-10:30<+11>-11,M10.1.0,M4.1.0', '2025-07-01T00:00Z', 37_800, '+1030'],
    ['EST5EDT', '2025-07-01T00:00Z', -14_400, 'EDT'],
    ['IST-1GMT0,M10.5.0,M3.5.0/1', '2025-01-01T00:00Z', 0, 'GMT'],
    ['<-03>3', '2025-07-01T00:00Z', -10_800, '-03'],
    ['AAA-1BBB,J60/0,J300/0', '2024-02-29T22:59:59Z', 3600, 'AAA'],
    ['AAA-1BBB,J60/0,J300/0', '2024-02-29T23:00Z', 7200, 'BBB'],
  ])('%s at %s is %i s east, %s', (rules, moment, offset, name) => {
    expect(parsePosixZone(rules)?.at(Date.parse(moment) / 1000)).toMatchObject({ offset, name });
  });

  test.each([
    '',
    'CET',
    'C-1',
    'CET-200',
    'CET-1CEST,M13.5.0,M10.5.0',
    'CET-1CEST,M3.5.0',
    'CET-1CEST,M3.5.0,M10.5.0x',
    '<CET-1',
  ])('%j are none', (rules) => {
    expect(parsePosixZone(rules)).toBeUndefined();
  });

  test('a file that is cut anywhere is no zone, and nothing is thrown', () => {
    // The header, six counts of which the last two are of types and letters, one type, and its name.
    const header = [0x54, 0x5a, 0x69, 0x66, ...Array<number>(32).fill(0), 0, 0, 0, 1, 0, 0, 0, 4];
    const whole = new Uint8Array([...header, 0, 0, 0x0e, 0x10, 0, 0, 0x43, 0x45, 0x54, 0]);
    expect(parseZoneFile(whole)?.at(0)).toEqual({ offset: 3600, daylight: false, name: 'CET' });
    for (let length = 0; length < whole.length; length += 1)
      expect(parseZoneFile(whole.slice(0, length))).toBeUndefined();
  });

  test.each([
    ['', 'UTC'],
    [':', 'UTC'],
    ['Nowhere/City', 'UTC'],
    ['../etc/passwd', 'UTC'],
    [BERLIN, 'CET'],
    [`:${BERLIN}`, 'CET'],
  ])('TZ=%j is local time %s', (tz, name) => {
    expect(zonesOf(none, tz).local.names[0]).toBe(name);
  });
});

describe('moments', () => {
  const now = 1_353_694_522_000_000n; // 2012-11-23 18:15:22 UTC
  test.each([
    ['Fri 2012-11-23 11:12:13', 'Fri 2012-11-23 11:12:13 UTC'],
    ['2012-11-23', 'Fri 2012-11-23 00:00:00 UTC'],
    ['12-11-23', 'Fri 2012-11-23 00:00:00 UTC'],
    ['11:12', 'Fri 2012-11-23 11:12:00 UTC'],
    ['now', 'Fri 2012-11-23 18:15:22 UTC'],
    ['today', 'Fri 2012-11-23 00:00:00 UTC'],
    ['yesterday', 'Thu 2012-11-22 00:00:00 UTC'],
    ['tomorrow', 'Sat 2012-11-24 00:00:00 UTC'],
    ['+3h30min', 'Fri 2012-11-23 21:45:22 UTC'],
    ['-5s', 'Fri 2012-11-23 18:15:17 UTC'],
    ['11min ago', 'Fri 2012-11-23 18:04:22 UTC'],
    ['1d left', 'Sat 2012-11-24 18:15:22 UTC'],
    ['@1395716396', 'Tue 2014-03-25 02:59:56 UTC'],
    ['@0', '-'],
    ['2012-02-31', 'Fri 2012-03-02 00:00:00 UTC'],
  ])('%s is %s', (text, shown) => {
    const parsed = parseMoment(text, now, utc);
    expect('value' in parsed && momentText(parsed.value, UTC)).toBe(shown);
  });

  test.each([
    '',
    'Mon 2012-11-23',
    '1969-12-31',
    '9999-12-31',
    '2012-13-01',
    '5x ago',
    '+9999y',
    '-100y',
    'now UTC',
    '12:00:00.',
  ])('%j is none', (text) => {
    expect(parseMoment(text, now, utc)).toHaveProperty('fault');
  });
});

test.each([
  [1970, 1, 1, 0, 3],
  [2000, 2, 29, 11_016, 1],
  [1900, 3, 1, -25_508, 3],
  [2199, 12, 31, 84_005, 1],
])('%i-%i-%i is day %i', (year, month, day, number, weekday) => {
  expect(dayNumber(year, month, day)).toBe(number);
  expect(dateOf(number)).toEqual({ year, month, day });
  expect(weekdayOf(number)).toBe(weekday);
});

test('February has 29 days in leap years', () => {
  expect([1900, 2000, 2023, 2024].map((year) => [daysInMonth(year, 2), isLeap(year)])).toEqual([
    [28, false],
    [29, true],
    [28, false],
    [29, true],
  ]);
});

test('a timer with a faulty OnCalendar= is told the place of the fault, and keeps its other events', () => {
  const text = '[Timer]\nOnCalendar=Mon..Fri 25:00\nOnCalendar=daily\nOnCalendar=10:00 Nowhere/City\n';
  const loader = createUnitLoader({ files: none, facts: testFacts, paths: plainPaths(['/u']) });
  const unit = loader.loadText('a.timer', text, '/u/a.timer');
  expect(unit.timer?.OnCalendar).toEqual(['daily']);
  const told = unit.findings.filter(({ severity }) => severity === 'warning').map(sentence);
  expect(told.filter((line) => line.includes('OnCalendar'))).toEqual([
    expect.stringMatching(/^\/u\/a\.timer:2:\d+: OnCalendar=Mon\.\.Fri 25:00: hour: 25 is not in 0 to 23; /),
    expect.stringMatching(
      /^\/u\/a\.timer:4:\d+: OnCalendar=10:00 Nowhere\/City: ' Nowhere\/City' is not expected here; /,
    ),
  ]);
});
