/** What must hold of every text: reading never throws, what is printed reads back, normal forms stay, and drop-ins are as good as one file. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sentence } from '../../src/units/finding.ts';
import { createUnitLoader, plainPaths, type Unit } from '../../src/units/index.ts';
import { escapeName, escapePath, mangleName, unescapeName, unescapePath } from '../../src/units/names.ts';
import { readUnitText } from '../../src/units/reader.ts';
import { formatCpuList, parseCpuList } from '../../src/units/syntax/cpu-list.ts';
import { parseSignal, signalName } from '../../src/units/syntax/signal.ts';
import { formatSpanUs, parseSpanExact } from '../../src/units/syntax/timespan.ts';
import { quoteWord, splitWords } from '../../src/units/syntax/words.ts';
import { parseCalendar } from '../../src/units/time/calendar.ts';
import { nextElapse } from '../../src/units/time/calendar-next.ts';
import { calendarText } from '../../src/units/time/calendar-text.ts';
import { momentText, parseMoment } from '../../src/units/time/timestamp.ts';
import { zonesOf } from '../../src/units/time/zones.ts';
import { memoryFiles, testFacts } from './units-support.ts';

const RUNS = { numRuns: 300, seed: 252 };
const zones = zonesOf(memoryFiles({}), 'CET-1CEST,M3.5.0,M10.5.0/3');
/** Any characters, and often those that mean something. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: fc.constantFrom(...'[]=\\\n\r\0 #;:%"\'$-*/.,~@+a1M\ufeff\ufffd'), maxLength: 60 }),
);

describe('reading', () => {
  test('a unit file of any characters is read, and every finding has its place in it', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const { assignments, findings } = readUnitText(text, '/a.service');
        const lines = text.split(/\r\n|[\r\n\0]/).length;
        for (const { line } of assignments) expect(line).toBeLessThanOrEqual(lines);
        for (const finding of findings) expect(finding.at?.line ?? 0).toBeLessThanOrEqual(lines);
      }),
      RUNS,
    );
  });

  test('times of any characters are read or refused', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        for (const parsed of [
          parseCalendar(text, zones),
          parseMoment(text, 1_700_000_000_000_000n, zones),
          parseSpanExact(text, 1_000_000),
        ])
          if ('fault' in parsed) {
            expect(parsed.fault.offset).toBeLessThanOrEqual(text.length);
            expect(sentence({ severity: 'error', at: undefined, what: 'x', ...parsed.fault })).toMatch(/^x: .+; .+/);
          }
      }),
      RUNS,
    );
  });
});

describe('what is printed reads back to the same', () => {
  const micro = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 2n }), fc.bigInt({ min: 0n, max: 10n ** 9n }));

  test('spans, to the microsecond', () => {
    fc.assert(
      fc.property(micro, (us) => {
        const parsed = parseSpanExact(formatSpanUs(us), 1_000_000);
        if (us < 584_541n * 31_557_600_000_000n) expect(parsed).toEqual({ value: us });
      }),
      RUNS,
    );
  });

  test('moments, to the second, but for an hour that comes twice', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7_000_000_000 }), (seconds) => {
        const text = momentText(BigInt(seconds) * 1_000_000n, zones.local);
        const parsed = parseMoment(text, 0n, zones);
        expect(parsed).toEqual({ value: BigInt(seconds) * 1_000_000n });
      }),
      RUNS,
    );
  });

  test('escaped strings and paths', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(unescapeName(escapeName(text))).toBe(text);
        const path = escapePath(`/${text}`);
        if (path !== undefined) expect(escapePath(unescapePath(path) ?? '')).toBe(path);
      }),
      RUNS,
    );
  });

  test('quoted words, signals and lists of processors', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (text) => {
        const read = splitWords(quoteWord(text), { quotes: true, escapes: true });
        expect('words' in read && read.words.map((word) => word.text)).toEqual([text]);
      }),
      RUNS,
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), (number) => {
        expect(parseSignal(signalName(number))).toBe(number);
      }),
      RUNS,
    );
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(300), { minLength: 1 }), (cpus) => {
        const sorted = [...cpus].sort((a, b) => a - b);
        expect(parseCpuList(formatCpuList(sorted))).toEqual(sorted);
      }),
      RUNS,
    );
  });
});

describe('normal forms are fixed points', () => {
  const number = (least: number, most: number) => fc.integer({ min: least, max: most }).map(String);
  const field = (least: number, most: number) =>
    fc.oneof(
      fc.constant('*'),
      fc
        .array(
          fc.oneof(
            number(least, most),
            fc.tuple(number(least, most), number(1, 9)).map((two) => two.join('/')),
            fc.tuple(number(least, most), number(least, most), number(1, 5)).map(([a, b, c]) => `${a}..${b}/${c}`),
          ),
          { minLength: 1, maxLength: 3 },
        )
        .map((parts) => parts.join(',')),
    );
  const event = fc
    .tuple(
      fc.constantFrom('', 'Mon ', 'Sat,Sun ', 'tue..fri ', 'Mon..Sun '),
      fc.constantFrom('*', '2024', '24..30/2'),
      field(1, 12),
      fc.constantFrom('-', '~'),
      field(1, 28),
      field(0, 23),
      field(0, 59),
      fc.oneof(field(0, 59), fc.constantFrom('0.5', '1.25/0.5', '0..9.5/2.25')),
      fc.constantFrom('', ' UTC', ' CEST'),
    )
    .map(([days, y, m, mark, d, h, min, s, zone]) => `${days}${y}-${m}${mark}${d} ${h}:${min}:${s}${zone}`);

  test('of calendar events, which come at the same moments', () => {
    let accepted = 0;
    fc.assert(
      fc.property(event, (text) => {
        const parsed = parseCalendar(text, zones);
        if ('fault' in parsed) return;
        accepted += 1;
        const normal = calendarText(parsed.value, zones.local);
        const again = parseCalendar(normal, zones);
        expect(again).toEqual(parsed);
        if ('value' in again) expect(calendarText(again.value, zones.local)).toBe(normal);
        const base = 1_735_689_600_000_000;
        const next = nextElapse(parsed.value, base, zones);
        if (typeof next === 'number') {
          expect(next).toBeGreaterThan(base);
          expect(nextElapse(parsed.value, next - 1, zones)).toBe(next);
        }
      }),
      { numRuns: 600, seed: 252 },
    );
    expect(accepted).toBeGreaterThan(50);
  });

  test('of names that are mangled', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const name = mangleName(text);
        if (name !== undefined) expect(mangleName(name)).toBe(name);
      }),
      RUNS,
    );
  });
});

describe('a unit split into drop-ins', () => {
  const line = fc.constantFrom(
    '[Unit]|Description=one',
    '[Unit]|Description=two',
    '[Unit]|After=a.service b.target',
    '[Unit]|After=',
    '[Unit]|Wants=c.service',
    '[Unit]|ConditionPathExists=/etc/x',
    '[Unit]|ConditionPathExists=',
    '[Unit]|ConditionKernelCommandLine=|!quiet',
    '[Unit]|Nonsense=1',
    '[Service]|ExecStart=',
    '[Service]|ExecStart=-/bin/sh -c "sleep 1"',
    '[Service]|ExecStartPre=/bin/true ; /bin/false',
    '[Service]|Type=oneshot',
    '[Service]|Environment=A=b "C=d e"',
    '[Service]|Environment=',
    '[Service]|Environment=A=z',
    '[Service]|TimeoutStartSec=1min 30s',
    '[Service]|TimeoutStartSec=soon',
    '[Service]|SuccessExitStatus=4 SIGUSR1',
    '[Service]|User=nobody',
    '[Service]|LimitNOFILE=10:20',
    '[X-Mine]|Key=value',
  );
  const DIRECTORY = '/u';
  const text = (lines: readonly string[]): string => {
    let section = '';
    return lines
      .map((entry) => {
        const [own = '', assignment = ''] =
          entry.split('|').length > 2
            ? [entry.slice(0, entry.indexOf('|')), entry.slice(entry.indexOf('|') + 1)]
            : entry.split('|');
        const header = own === section ? '' : `${own}\n`;
        section = own;
        return `${header}${assignment}\n`;
      })
      .join('');
  };
  /** All of a unit but the places it comes from. */
  const meaning = (unit: Unit): unknown => ({
    ...(JSON.parse(
      JSON.stringify(
        { ...unit, raw: undefined, findings: undefined, dropInPaths: undefined, edges: undefined },
        (key, value) => (key === 'at' || key === 'origin' ? undefined : value),
      ),
    ) as object),
    edges: unit.edges.map(({ kind, to }) => `${kind} ${to}`).sort(),
    findings: unit.findings.map(({ severity, what, why }) => `${severity} ${what}: ${why}`).sort(),
  });
  const load = (tree: Readonly<Record<string, string>>): Unit =>
    createUnitLoader({ files: memoryFiles(tree), facts: testFacts, paths: plainPaths([DIRECTORY]) }).load('a.service');

  test('at any lines loads the same as the one file', () => {
    fc.assert(
      fc.property(
        fc.array(line, { minLength: 1, maxLength: 14 }),
        fc.array(fc.integer({ min: 1, max: 14 }), { maxLength: 3 }) /* an empty file would be a mask */,
        (lines, cuts) => {
          const ends = [...new Set([...cuts.map((cut) => Math.min(cut, lines.length)), lines.length])].sort(
            (a, b) => a - b,
          );
          const tree: Record<string, string> = {};
          let from = 0;
          for (const [index, end] of ends.entries()) {
            const name = index === 0 ? `${DIRECTORY}/a.service` : `${DIRECTORY}/a.service.d/${index}0.conf`;
            tree[name] = text(lines.slice(from, end));
            from = end;
          }
          expect(meaning(load(tree))).toEqual(meaning(load({ [`${DIRECTORY}/a.service`]: text(lines) })));
        },
      ),
      RUNS,
    );
  });
});
