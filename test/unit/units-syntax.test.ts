import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isIpv6, parseListen } from '../../src/units/syntax/address.ts';
import { parseCommands } from '../../src/units/syntax/command.ts';
import { formatCpuList, parseCpuList } from '../../src/units/syntax/cpu-list.ts';
import { isVariableAssignment, withVariable } from '../../src/units/syntax/environment.ts';
import { matchesGlob } from '../../src/units/syntax/glob.ts';
import { pathFault } from '../../src/units/syntax/path.ts';
import { parseLimit } from '../../src/units/syntax/rlimit.ts';
import { parseBoolean, parseFraction, parseInteger, parseMode } from '../../src/units/syntax/scalar.ts';
import { parseExit, parseSignal, signalName } from '../../src/units/syntax/signal.ts';
import { parseSize } from '../../src/units/syntax/size.ts';
import { formatSpanUs, parseSpan, parseSpanUs } from '../../src/units/syntax/timespan.ts';
import { compareVersions } from '../../src/units/syntax/version.ts';
import { quoteWord, splitWords } from '../../src/units/syntax/words.ts';

describe('scalars', () => {
  test.each([
    ['yes', true],
    ['Y', true],
    ['TRUE', true],
    ['t', true],
    ['on', true],
    ['1', true],
    ['no', false],
    ['n', false],
    ['False', false],
    ['f', false],
    ['off', false],
    ['0', false],
    ['', undefined],
    ['2', undefined],
    ['ja', undefined],
    [' yes', undefined],
  ])('the boolean %j is %s', (text, value) => expect(parseBoolean(text)).toBe(value));

  test.each([
    ['5', 5],
    ['-5', -5],
    ['+5', 5],
    ['0x10', 16],
    ['0b11', 3],
    ['010', 8],
    ['0o17', 15],
    ['', undefined],
    ['5x', undefined],
    ['09', undefined],
    ['1e3', undefined],
    ['--1', undefined],
    ['101', undefined],
  ])('the number %j up to 100 is %s', (text, value) => expect(parseInteger(text, -100, 100)).toBe(value));

  test.each([
    ['755', 0o755],
    ['0644', 0o644],
    ['07777', 0o7777],
    ['0', 0],
    ['888', undefined],
    ['77777', undefined],
    ['', undefined],
    ['-1', undefined],
  ])('the mode %j is %s', (text, value) => expect(parseMode(text)).toBe(value));

  test.each([
    ['50%', 0.5],
    ['12.5%', 0.125],
    ['5‰', 0.005],
    ['1.5‰', 0.0015],
    ['7‱', 0.0007],
    ['101%', undefined],
    ['50', undefined],
    ['%', undefined],
    ['1.234%', undefined],
  ])('the share %j is %s', (text, value) => expect(parseFraction(text, 1)).toBe(value));
});

describe('time spans', () => {
  test.each([
    ['90', 90_000],
    ['1min 30s', 90_000],
    ['1.5', 1500],
    ['500ms', 500],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['1us', 0.001],
    ['infinity', 'infinity'],
    ['5min20s', 320_000],
    ['1M', 2_629_800_000],
    ['1m', 60_000],
    ['1y', 31_557_600_000],
    ['', undefined],
    ['s', undefined],
    ['5 parsecs', undefined],
    ['-1', undefined],
    ['1.2.3', undefined],
    ['infinity1', undefined],
  ] as const)('%j is %s ms', (text, value) => expect(parseSpan(text)).toBe(value));

  test('a printed span reads back to the same', () => {
    fc.assert(
      fc.property(
        fc.nat(2 ** 31).chain((low) => fc.nat(1000).map((high) => high * 2 ** 31 + low)),
        (us) => parseSpanUs(formatSpanUs(us), 1_000_000) === us,
      ),
      { numRuns: 2000 },
    );
  });

  test('no text makes it throw or hang', () => {
    fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => void parseSpan(text)));
    expect(parseSpan('9'.repeat(100_000))).toBeUndefined();
  });
});

describe('sizes and limits', () => {
  test.each([
    ['0', 0],
    ['1024', 1024],
    ['1K', 1024],
    ['1.5M', 1_572_864],
    ['2G', 2 ** 31],
    ['1T', 2 ** 40],
    ['2G 512M', 2 ** 31 + 2 ** 29],
    ['512M 2G', undefined],
    ['', undefined],
    ['x', undefined],
    ['-1', undefined],
    ['1X', undefined],
    ['5B', 5],
  ])('the size %j is %s', (text, value) => expect(parseSize(text)).toBe(value));

  test.each([
    ['NOFILE', '1024', { soft: 1024, hard: 1024 }],
    ['NOFILE', '1024:4096', { soft: 1024, hard: 4096 }],
    ['NOFILE', 'infinity', { soft: null, hard: null }],
    ['NOFILE', '1024:infinity', { soft: 1024, hard: null }],
    ['NOFILE', 'infinity:1024', undefined],
    ['NOFILE', '2:1', undefined],
    ['NOFILE', '1K', undefined],
    ['CORE', '1G', { soft: 2 ** 30, hard: 2 ** 30 }],
    ['CPU', '1min', { soft: 60, hard: 60 }],
    ['RTTIME', '1s', { soft: 1_000_000, hard: 1_000_000 }],
    ['RTTIME', '500', { soft: 500, hard: 500 }],
    ['NICE', '-5', { soft: 25, hard: 25 }],
    ['NICE', '+19', { soft: 1, hard: 1 }],
    ['NICE', '30', { soft: 30, hard: 30 }],
    ['NICE', '41', undefined],
  ] as const)('Limit%s=%s', (name, text, value) => expect(parseLimit(text, name)).toEqual(value));
});

describe('signals and exit statuses', () => {
  test.each([
    ['SIGTERM', 15],
    ['TERM', 15],
    ['15', 15],
    ['SIGRTMIN+3', 37],
    ['RTMAX-1', 63],
    ['RTMIN', 34],
    ['SIGCLD', 17],
    ['SIGFOO', undefined],
    ['0', undefined],
    ['65', undefined],
    ['term', undefined],
    ['RTMIN+40', undefined],
  ])('the signal %s is %s', (text, value) => expect(parseSignal(text)).toBe(value));

  test('every signal has a name that reads back', () => {
    for (let number = 1; number <= 64; number++)
      if (number < 32 || number > 33) expect(parseSignal(signalName(number))).toBe(number);
  });

  test.each([
    ['0', { status: 0 }],
    ['255', { status: 255 }],
    ['256', undefined],
    ['TEMPFAIL', { status: 75 }],
    ['SIGKILL', { signal: 9 }],
    ['KILL', { signal: 9 }],
    ['DATAERR', { status: 65 }],
    ['x', undefined],
  ] as const)('the exit %s', (text, value) => expect(parseExit(text)).toEqual(value));
});

describe('lists of CPUs', () => {
  test.each([
    ['0-3', [0, 1, 2, 3]],
    ['1,3 5', [1, 3, 5]],
    ['3-1', undefined],
    ['', []],
    ['a', undefined],
    ['0-99999', undefined],
    ['2,2', [2]],
  ])('%j is %j', (text, value) => expect(parseCpuList(text)).toEqual(value));

  test('a printed list reads back to the same', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(200)), (cpus) => {
        const sorted = [...cpus].sort((a, b) => a - b);
        expect(parseCpuList(formatCpuList(sorted))).toEqual(sorted);
      }),
    );
  });
});

describe('words', () => {
  const texts = (value: string, rules = {}) => {
    const split = splitWords(value, { quotes: true, escapes: true, ...rules });
    return 'fault' in split ? split.fault : split.words.map((word) => word.text);
  };

  test.each([
    ['a b', ['a', 'b']],
    ['"a b" c', ['a b', 'c']],
    ["'a \"b' c", ['a "b', 'c']],
    ['a"b c"d', ['ab cd']],
    ['""', ['']],
    ['a\\x20b', ['a b']],
    ['\\xc3\\xa9', ['é']],
    ['\\303\\251', ['é']],
    ['\\u00e9\\U0001f388', ['é🎈']],
    ['\\t\\n\\s\\\\', ['\t\n \\']],
    ['"open', 'a quote (") is not closed'],
    ['a\\q', '\\q is not an escape'],
    ['a\\', 'a backslash ends the value'],
    ['\\x00', '\\x is not an escape'],
  ] as const)('%j', (value, words) => expect(texts(value)).toEqual(words));

  test('a quoted word reads back to the same', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0')),
        (text) => {
          expect(texts(quoteWord(text))).toEqual([text]);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('no text makes it throw, and words stand where they say', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', ' ', '"', "'", '\\', 'x', '2', ';', 'é'), maxLength: 40 }),
        (value) => {
          const split = splitWords(value, { quotes: true, escapes: true, relaxed: true });
          return 'fault' in split || split.words.every((word) => word.offset < word.end && word.end <= value.length);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('command lines', () => {
  const plain = (text: string) => ({ text });
  const commands = (value: string) => parseCommands(value, plain);
  const command = (value: string) => commands(value).commands[0];

  test.each([
    ['/bin/x', 'normal', false, false],
    ['-/bin/x', 'normal', true, false],
    [':/bin/x', 'normal', false, true],
    ['+/bin/x', 'full', false, false],
    ['!/bin/x', 'no-user', false, false],
    ['!!/bin/x', 'ambient', false, false],
    ['-:+/bin/x', 'full', true, true],
    ['+-/bin/x', 'full', true, false],
  ] as const)('%s', (value, privilege, ignoreFailure, noExpand) =>
    expect(command(value)).toEqual({ path: '/bin/x', argv: ['/bin/x'], privilege, ignoreFailure, noExpand }),
  );

  test('@ gives the program another name', () =>
    expect(command('@/bin/x y z')).toMatchObject({ path: '/bin/x', argv: ['y', 'z'] }));
  test('a semicolon of its own separates commands', () =>
    expect(commands('/bin/a 1 ; /bin/b ; -/bin/c').commands.map((one) => [one.path, one.ignoreFailure])).toEqual([
      ['/bin/a', false],
      ['/bin/b', false],
      ['/bin/c', true],
    ]));
  test('an escaped semicolon is an argument', () =>
    expect(command('/bin/a \\; b;c')?.argv).toEqual(['/bin/a', ';', 'b;c']));
  test('arguments are unquoted and unescaped', () =>
    expect(command(`/bin/a 'b c' "d\\te" $X \${Y}`)?.argv).toEqual(['/bin/a', 'b c', 'd\te', '$X', `\${Y}`]));
  test('a program may be a plain name', () =>
    expect(command('true x')).toMatchObject({ path: 'true', argv: ['true', 'x'] }));
  test('slashes are simplified', () => expect(command('//bin//./a')?.path).toBe('/bin/a'));
  test.each(['bin/a', '/bin/', '-', '@/bin/a', '/bin/a "b', '/a/../b'])('%j is refused', (value) =>
    expect(commands(value).faults).toHaveLength(1),
  );
  test('a fault after a - costs only the command', () => expect(commands('-bin/a').faults[0]?.ignorable).toBe(true));
  test('an unknown escape stays and is told', () => {
    const parsed = commands('/bin/a b\\qc');
    expect(parsed.commands[0]?.argv).toEqual(['/bin/a', 'b\\qc']);
    expect(parsed.warnings.map((warning) => warning.offset)).toEqual([8]);
  });
  test('no text makes it throw', () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.constantFrom('/', 'a', ' ', ';', '\\', '"', "'", '-', '@', '+', '!', ':', '%'),
          maxLength: 40,
        }),
        (value) => void commands(value),
      ),
      { numRuns: 3000 },
    );
  });
});

describe('environment', () => {
  test.each([
    ['A=1', true],
    ['_a9=', true],
    ['A=a b\tc', true],
    ['9A=1', false],
    ['A', false],
    ['=1', false],
    ['A-B=1', false],
    ['A=\u0001', false],
  ])('%j', (text, good) => expect(isVariableAssignment(text)).toBe(good));
  test('a later assignment takes the place of the earlier', () =>
    expect(withVariable(['A=1', 'AB=2'], 'A=3')).toEqual(['AB=2', 'A=3']));
});

describe('paths', () => {
  test.each([
    ['/a/b', true],
    ['/', true],
    ['a', false],
    ['/a/../b', false],
    ['/a//b/', true],
    [`/${'x'.repeat(256)}`, false],
    [`/${'x/'.repeat(3000)}`, false],
    ['', false],
  ])('%j', (path, good) => expect(pathFault(path) === undefined).toBe(good));
});

describe('addresses', () => {
  test.each([
    ['stream', '/run/x', '/run/x'],
    ['stream', '//run//x', '/run/x'],
    ['stream', '@abstract', '@abstract'],
    ['stream', '80', '80'],
    ['datagram', '127.0.0.1:53', '127.0.0.1:53'],
    ['stream', '[::1]:80', '[::1]:80'],
    ['stream', '[fe80::1]:80%eth0', '[fe80::1]:80%eth0'],
    ['stream', 'vsock:2:1234', 'vsock:2:1234'],
    ['seqpacket', '/run/x', '/run/x'],
    ['fifo', '/dev/initctl', '/dev/initctl'],
    ['netlink', 'kobject-uevent 1', 'kobject-uevent 1'],
    ['netlink', 'route', 'route'],
    ['message-queue', '/q', '/q'],
  ] as const)('%s %s', (kind, text, address) => expect(parseListen(kind, text)).toEqual({ kind, address }));
  test.each([
    ['stream', '0'],
    ['stream', '65536'],
    ['stream', '256.0.0.1:1'],
    ['stream', '[::1'],
    ['stream', 'localhost:80'],
    ['seqpacket', '80'],
    ['fifo', 'x'],
    ['stream', `/${'x'.repeat(108)}`],
    ['netlink', 'nonsense'],
    ['message-queue', 'q'],
    ['stream', ''],
    ['stream', '@'],
  ] as const)('%s %j is none', (kind, text) => expect(parseListen(kind, text)).toHaveProperty('fault'));
  test.each([
    ['::', true],
    ['::1', true],
    ['1:2:3:4:5:6:7:8', true],
    ['::ffff:1.2.3.4', true],
    ['1::2::3', false],
    ['1:2:3', false],
    ['g::', false],
    ['1:2:3:4:5:6:7:8:9', false],
  ])('IPv6 %s', (text, good) => expect(isIpv6(text)).toBe(good));
});

describe('patterns and versions', () => {
  test.each([
    ['*', '', true],
    ['a*c', 'abbc', true],
    ['a?c', 'abc', true],
    ['[a-c]x', 'bx', true],
    ['[!a]x', 'ax', false],
    ['a\\*', 'a*', true],
    ['a\\*', 'ab', false],
    ['', 'a', false],
    ['*.service', 'a.service', true],
    ['[', '[', true],
    ['a*b*c', 'aXbYc', true],
    ['a*b*c', 'aXbY', false],
  ])('%s on %s', (pattern, text, matches) => expect(matchesGlob(pattern, text)).toBe(matches));
  test('a pattern of many stars ends soon', () =>
    expect(matchesGlob(`${'*a'.repeat(200)}b`, 'a'.repeat(20_000))).toBe(false));

  test.each([
    ['1.0', '1.0', 0],
    ['1.0', '1.1', -1],
    ['1.10', '1.9', 1],
    ['1.0~rc1', '1.0', -1],
    ['1.0-1', '1.0', 1],
    ['1.0^x', '1.0', 1],
    ['1.0^x', '1.0.1', -1],
    ['010', '10', 0],
    ['a', '1', -1],
    ['', '1', -1],
    ['6.1.0-18-amd64', '6.1', 1],
    ['4', '4.0', -1],
  ])('version %s and %s', (left, right, order) => {
    expect(Math.sign(compareVersions(left, right))).toBe(order);
    expect(Math.sign(compareVersions(right, left)) + order).toBe(0);
  });
  test('comparing any two texts ends, and is antisymmetric', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 12 }),
        fc.string({ maxLength: 12 }),
        (a, b) => Math.sign(compareVersions(a, b)) + Math.sign(compareVersions(b, a)) === 0,
      ),
      { numRuns: 3000 },
    );
  });
});
