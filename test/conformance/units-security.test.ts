/** Exposure scores against `systemd-analyze security --offline=true`: random settings, from a seed, and this machine's services. */
import * as fs from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { assess, tenths } from '../../src/cli/commands/analyze/security/assess.ts';
import { createUnitLoader, plainPaths } from '../../src/units/index.ts';
import { diskFiles, testFacts } from '../unit/units-support.ts';
import { ask, has, makeTree } from './units-oracle.ts';

const VENDOR = '/usr/lib/systemd/system';
const SEED = 20_260_101;

const SETTINGS: Readonly<Record<string, readonly string[]>> = {
  User: ['root', 'foo', 'nobody', '0', ''],
  DynamicUser: ['yes', 'no'],
  SupplementaryGroups: ['x'],
  UMask: ['0077', '0027', '0007', '0000', '022'],
  ProtectHome: ['yes', 'no', 'read-only', 'tmpfs', 'x'],
  ProtectSystem: ['yes', 'full', 'strict', 'no'],
  ProtectProc: ['default', 'noaccess', 'invisible', 'ptraceable'],
  ProcSubset: ['pid', 'all'],
  KeyringMode: ['inherit', 'private', 'shared'],
  NotifyAccess: ['all', 'main', 'exec'],
  RemoveIPC: ['yes'],
  Delegate: ['yes', 'cpu', ''],
  RestrictNamespaces: ['yes', 'no', 'user net', '~user', '~ipc mnt', ''],
  RestrictAddressFamilies: ['none', 'AF_INET AF_UNIX', '~AF_PACKET', 'AF_INET6 AF_NETLINK', '~AF_CAN AF_UNIX', ''],
  SystemCallArchitectures: ['native', 'x86-64', 'native x86', ''],
  SystemCallFilter: [
    ...[
      '@system-service',
      '~@privileged @resources',
      '~@clock @debug',
      '@basic-io',
      '~@mount',
      'chown',
      '~@swap:EPERM',
    ],
    ...['~@obsolete @reboot @raw-io @module @cpu-emulation', ''],
  ],
  IPAddressDeny: ['any', '10.0.0.0/8', '0.0.0.0/0 ::/0', ''],
  IPAddressAllow: ['localhost', '10.0.0.0/8', '127.0.0.1 ::1', ''],
  IPIngressFilterPath: ['/sys/fs/bpf/x', ''],
  DevicePolicy: ['strict', 'closed', 'auto'],
  DeviceAllow: ['/dev/null rw', 'char-pts', ''],
  CapabilityBoundingSet: ['CAP_KILL CAP_CHOWN', '~CAP_SYS_ADMIN CAP_SYS_PTRACE', '', 'CAP_BPF', '~CAP_KILL'],
  AmbientCapabilities: ['CAP_NET_RAW', '~CAP_KILL', ''],
  RootDirectory: ['/x', '/'],
  RootImage: ['/x'],
  ...Object.fromEntries(
    `PrivateDevices PrivateMounts PrivateNetwork PrivateTmp PrivateUsers ProtectControlGroups ProtectKernelModules
     ProtectKernelTunables ProtectKernelLogs ProtectClock ProtectHostname LockPersonality MemoryDenyWriteExecute
     NoNewPrivileges RestrictRealtime RestrictSUIDSGID`
      .split(/\s+/)
      .map((key) => [key, ['yes', 'yes', 'no']]),
  ),
};

/** A service of some settings, the same for the same number. */
function service(number: number): string {
  let state = SEED + number * 7919;
  const below = (count: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >> 8) % count;
  };
  const keys = Object.keys(SETTINGS);
  const lines = Array.from({ length: 10 + below(50) }, () => {
    const key = keys[below(keys.length)] ?? '';
    const values = SETTINGS[key] ?? [];
    return `${key}=${values[below(values.length)]}`;
  });
  return `[Service]\nExecStart=/bin/true\n${lines.join('\n')}\n`;
}

const there = has('systemd-analyze');
const COUNT = 40;
const names = Array.from({ length: COUNT }, (_, index) => `random${index}.service`);
const root = makeTree(Object.fromEntries(names.map((name, index) => [`units/${name}`, service(index)])));
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));

interface Row {
  readonly name: string;
  readonly json_field: string;
  readonly set: boolean | null;
  readonly exposure: string | null;
}

describe.skipIf(!there)('exposure against systemd-analyze security', () => {
  const loader = createUnitLoader({
    files: diskFiles(),
    facts: testFacts,
    paths: plainPaths([`${root}/units`, VENDOR]),
  });
  const environment = { SYSTEMD_UNIT_PATH: `${root}/units:${VENDOR}` };
  const vendor = there
    ? fs
        .readdirSync(VENDOR)
        .filter((name) => /^[^@]+\.service$/.test(name) && fs.lstatSync(`${VENDOR}/${name}`).isFile())
        .slice(0, 25)
    : [];

  test.each([...names, ...vendor])('%s', (name) => {
    const path = fs.existsSync(`${root}/units/${name}`) ? `${root}/units/${name}` : `${VENDOR}/${name}`;
    const whole = ask('systemd-analyze', ['security', '--offline=true', '--no-pager', path], environment).stdout;
    const [, exposure, predicate] = /level for \S+: ([\d.]+) (\S+)/.exec(whole) ?? [];
    const ours = assess(loader.loadText(name, fs.readFileSync(path, 'utf8'), path));
    expect([ours === undefined ? '' : tenths(ours.exposure), ours?.predicate]).toEqual([exposure, predicate]);
  });

  test.each(names.slice(0, 20))('%s, check by check', (name) => {
    const path = `${root}/units/${name}`;
    const rows: Row[] = JSON.parse(
      ask('systemd-analyze', ['security', '--offline=true', '--json=short', path], environment).stdout,
    );
    const ours = assess(loader.loadText(name, fs.readFileSync(path, 'utf8'), path))?.rows ?? [];
    const plain = (list: readonly (readonly unknown[])[]) => list.map((row) => JSON.stringify(row)).sort();
    expect(
      plain(ours.map((row) => [row.name, row.field, row.set, row.exposure === null ? null : tenths(row.exposure)])),
    ).toEqual(plain(rows.map((row) => [row.name, row.json_field, row.set, row.exposure])));
  });
});
