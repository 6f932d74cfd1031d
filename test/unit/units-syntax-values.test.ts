import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CAPABILITIES, parseCapability } from '../../src/units/syntax/capability.ts';
import { parseCpuSet } from '../../src/units/syntax/cpu-list.ts';
import { base64Length, hexLength, isCredentialName, isCredentialSource } from '../../src/units/syntax/credential.ts';
import { parseDeviceLimit, parseDeviceRule } from '../../src/units/syntax/device.ts';
import { errnoText, parseErrno } from '../../src/units/syntax/errno.ts';
import { isInterfaceName, parseBindRule, parsePrefixes } from '../../src/units/syntax/ip.ts';
import { parseBind, parseImage, parsePartitionOptions, parseTemporary } from '../../src/units/syntax/mounts.ts';
import { parseSyscallFilter } from '../../src/units/syntax/syscall-filter.ts';
import { callsOf, isSyscall, syscallGroups } from '../../src/units/syntax/syscall-names.ts';
import {
  parseCpuPolicy,
  parseDumped,
  parseFamily,
  parseIoClass,
  parseLogFacility,
  parseLogLevel,
} from '../../src/units/syntax/vocabulary.ts';

const same = (text: string): string => text;

test.each([
  ['CAP_KILL', 'CAP_KILL'],
  ['cap_kill', 'CAP_KILL'],
  ['5', 'CAP_KILL'],
  ['62', 'CAP_62'],
  ['63', undefined],
  ['kill', undefined],
  ['', undefined],
])('the capability %j is %s', (text, name) => expect(parseCapability(text)).toBe(name));

test('capabilities stand under their numbers', () => {
  expect(CAPABILITIES.length).toBe(41);
  expect(CAPABILITIES.indexOf('CAP_SYS_ADMIN')).toBe(21);
  expect(CAPABILITIES.indexOf('CAP_CHECKPOINT_RESTORE')).toBe(40);
});

test.each([
  ['EPERM', 1],
  ['eperm', 1],
  ['EWOULDBLOCK', 11],
  ['0x10', 16],
  ['4095', 4095],
  ['4096', undefined],
  ['-1', undefined],
  ['EFOO', undefined],
  ['-', undefined],
  ['', undefined],
])('the error %j is %s', (text, number) => expect(parseErrno(text)).toBe(number));

test('errors without a name stay numbers', () =>
  expect([errnoText(1), errnoText(38), errnoText(41), errnoText(999)]).toEqual(['EPERM', 'ENOSYS', '41', '999']));

describe('system-call filters', () => {
  test('name calls and groups, with what a denied call answers', () => {
    expect(parseSyscallFilter('~@clock:EPERM read:kill write', true)).toEqual({
      inverted: true,
      entries: [
        { name: '@clock', action: 1, offset: 1 },
        { name: 'read', action: 'kill', offset: 14 },
        { name: 'write', action: undefined, offset: 24 },
      ],
      faults: [],
    });
  });

  test.each([
    ['nosuchcall', 'nosuchcall: not a system call'],
    ['@nosuchgroup', '@nosuchgroup: not a group of system calls'],
    ['read:EPERM', 'read:EPERM: an allowed call cannot answer an error'],
    ['~read:EFOO', 'read:EFOO: not call:error'],
    ['~:EPERM', ':EPERM: not call:error'],
  ])('%s is refused', (text, why) =>
    expect(parseSyscallFilter(text, true).faults.map((fault) => fault.why)).toEqual([why]),
  );

  test('a fault costs one entry, not the list', () =>
    expect(parseSyscallFilter('read foo write', true).entries.map(({ name }) => name)).toEqual(['read', 'write']));

  test('groups hold groups, but none holds itself', () => {
    for (const [name, { members }] of syscallGroups()) {
      if (name === '@known') continue;
      for (const member of members)
        expect(member !== name && (!member.startsWith('@') || syscallGroups().has(member))).toBe(true);
      expect(callsOf(name)?.size).toBeGreaterThan(1);
    }
    expect(callsOf('@system-service')?.has('io_submit')).toBe(true);
    expect(callsOf('@nosuchgroup')).toBe(undefined);
    expect([isSyscall('mincore'), isSyscall('osf_stat'), isSyscall('@clock')]).toEqual([true, false, false]);
  });
});

test.each([
  ['10.0.0.0/8', [{ family: 4, address: '10.0.0.0', length: 8 }]],
  ['::1', [{ family: 6, address: '::1', length: 128 }]],
  [
    'localhost',
    [
      { family: 4, address: '127.0.0.0', length: 8 },
      { family: 6, address: '::1', length: 128 },
    ],
  ],
  ['10.0.0.0/33', undefined],
  ['010.0.0.0', undefined],
  ['1.2.3', undefined],
  ['ANY', undefined],
  ['constructor', undefined],
])('the prefix %j', (text, prefixes) => expect(parsePrefixes(text)).toEqual(prefixes));

test.each([
  ['eth0', true],
  ['a23456789012345', true],
  ['a234567890123456', false],
  ['all', false],
  ['0x10', false],
  ['12', false],
  ['a/b', false],
  ['a:b', false],
  ['', false],
])('is %j the name of an interface? %s', (text, answer) => expect(isInterfaceName(text)).toBe(answer));

test.each([
  ['tcp', { family: undefined, protocol: 'tcp', ports: undefined }],
  ['ipv4:tcp:80', { family: 'ipv4', protocol: 'tcp', ports: [80, 80] }],
  ['1000-2000', { family: undefined, protocol: undefined, ports: [1000, 2000] }],
  ['any', { family: undefined, protocol: undefined, ports: undefined }],
  ['ipv6:udp:', undefined],
  ['tcp:0', undefined],
  ['80-70', undefined],
  ['', undefined],
])('the bind rule %j', (text, rule) => expect(parseBindRule(text)).toEqual(rule));

test.each([
  ['/dev/null rw', { device: '/dev/null', access: 'rw' }],
  ['char-pts', { device: 'char-pts', access: '' }],
  ['block-* r', { device: 'block-*', access: 'r' }],
  ['/dev/null x', { fault: 'x: not a kind of access' }],
  ['/foo', { fault: 'neither a device node below /dev nor char-NAME or block-NAME' }],
  ['/dev/../x', { fault: 'a path with ..' }],
])('the device rule %j', (text, rule) => expect(parseDeviceRule(text, same)).toEqual(rule));

test.each([
  ['/dev/sda 100', 'weight', { path: '/dev/sda', value: 100 }],
  ['/dev/sda 0', 'weight', { fault: '0: not a weight from 1 to 10000' }],
  ['/dev/sda 5M', 'rate', { path: '/dev/sda', value: 5_000_000 }],
  ['/dev/sda infinity', 'rate', { path: '/dev/sda', value: 'infinity' }],
  ['/dev/sda 0', 'rate', { fault: '0: not a rate' }],
  ['/dev/sda 25ms', 'latency', { path: '/dev/sda', value: 25 }],
  ['/dev/sda', 'latency', { fault: 'not a path and a value' }],
] as const)('the device limit %j as a %s', (text, kind, limit) =>
  expect(parseDeviceLimit(text, kind, same)).toEqual(limit),
);

test.each([
  ['/a', { source: '/a', destination: '/a', optional: false, recursive: true }],
  ['-/a:/b:norbind', { source: '/a', destination: '/b', optional: true, recursive: false }],
  ['/a\\:b:/c', { source: '/a:b', destination: '/c', optional: false, recursive: true }],
  ['/a:/b:foo', { fault: 'foo: not an option of a bind mount' }],
  ['a:/b', { fault: 'a: not an absolute path' }],
])('the bind mount %j', (text, bind) => expect(parseBind(text, same)).toEqual(bind));

test.each([
  ['/tmp:ro,size=5M', { path: '/tmp', options: 'ro,size=5M' }],
  ['/tmp:a:b', { path: '/tmp', options: 'a:b' }],
  ['tmp', { fault: 'tmp: not an absolute path' }],
])('the temporary file system %j', (text, mount) => expect(parseTemporary(text, same)).toEqual(mount));

test('images name partitions and their options, a last one alone is for the root', () => {
  expect(parseImage('-/i.raw:root:ro:noexec', false, same)).toEqual({
    source: '/i.raw',
    destination: '',
    optional: true,
    options: [
      { partition: 'root', options: 'ro' },
      { partition: 'root', options: 'noexec' },
    ],
  });
  expect(parseImage('/i.raw', true, same)).toEqual({ fault: 'not IMAGE:DESTINATION' });
  expect(parsePartitionOptions(['boot', 'ro'])).toEqual({ fault: 'boot: not a partition' });
});

test.each([
  ['0-2,5 7', { cpus: [0, 1, 2, 5, 7], backwards: [] }],
  ['0x3', { cpus: [3], backwards: [] }],
  ['3-1 4', { cpus: [4], backwards: ['3-1'] }],
  ['8192', { fault: '8192: above 8191', offset: 0 }],
  ['1 a', { fault: 'a: not a number or a range', offset: 2 }],
])('the CPU set %j', (text, set) => expect(parseCpuSet(text)).toEqual(set));

test('credentials have plain names, and come from paths or from the manager', () => {
  expect(['foo', 'a b', '', 'a/b', 'a:b', '.', 'ä'].map(isCredentialName)).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
    false,
  ]);
  expect(['/a/b', 'foo', '/a/../b', 'a/b', '/a//b'].map(isCredentialSource)).toEqual([true, true, false, false, false]);
});

test('base64 is whole groups whose padding hides no bits', () =>
  expect(['QUJD', 'QUJDRA==', 'QU JD', '', 'QUJ', 'QUJDRA=', 'QUJDRB==', '!!!!'].map(base64Length)).toEqual([
    3,
    4,
    3,
    0,
    undefined,
    undefined,
    undefined,
    undefined,
  ]));

test('hexadecimal is pairs of digits', () =>
  expect(['00ff', '', 'abc', 'xx'].map(hexLength)).toEqual([2, 0, undefined, undefined]));

test('names and numbers of systemd.exec(5)', () => {
  expect(['err', '3', '8', 'error', ''].map(parseLogLevel)).toEqual([3, 3, undefined, undefined, undefined]);
  expect(['daemon', 'local7', '3', '128'].map(parseLogFacility)).toEqual([3, 23, 3, undefined]);
  expect(['fifo', '1', '4', 'deadline'].map(parseCpuPolicy)).toEqual(['fifo', 'fifo', '4', undefined]);
  expect(['best-effort', '2', '9'].map(parseIoClass)).toEqual(['best-effort', 'best-effort', undefined]);
  expect(['elf-headers', '0x33', 'ff', 'all', 'foo'].map(parseDumped)).toEqual([16, 51, 255, 511, undefined]);
  expect(['AF_INET', 'AF_LOCAL', 'AF_FOO', 'inet'].map(parseFamily)).toEqual([
    'AF_INET',
    'AF_UNIX',
    undefined,
    undefined,
  ]);
});

test('nothing that is read makes a parser throw', () => {
  const odd = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.stringMatching(/^[~:@\-+/\\"' a-z0-9=.,]*$/));
  fc.assert(
    fc.property(odd, (text) => {
      for (const parse of [parseCapability, parseErrno, parsePrefixes, isInterfaceName, parseBindRule, parseCpuSet])
        parse(text);
      for (const parse of [parseLogLevel, parseLogFacility, parseCpuPolicy, parseIoClass, parseDumped, parseFamily])
        parse(text);
      for (const parse of [base64Length, hexLength, isCredentialName, isCredentialSource]) parse(text);
      parseSyscallFilter(text, true);
      parseDeviceRule(text, same);
      for (const kind of ['weight', 'rate', 'latency'] as const) parseDeviceLimit(text, kind, same);
      parseBind(text, same);
      parseTemporary(text, same);
      parseImage(text, true, same);
      parseImage(text, false, same);
    }),
    { numRuns: 500 },
  );
});
