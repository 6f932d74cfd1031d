/** Conditions against `systemd-analyze condition`, which evaluates them on this machine; answers come from this machine too. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import { describe, expect, test } from 'vitest';
import type { MachineFacts } from '../../src/host/ports.ts';
import {
  type Check,
  type CheckAnswer,
  conditionChecks,
  createUnitLoader,
  evaluate,
  plainPaths,
} from '../../src/units/index.ts';
import { memoryFiles, testFacts } from '../unit/units-support.ts';
import { ask, has } from './units-oracle.ts';

const there = has('systemd-analyze');

/** What the helper does, for the kinds these tests need. */
function look(check: Check): CheckAnswer {
  const stat = fs.statSync(check.path, { throwIfNoEntry: false });
  switch (check.kind) {
    case 'exists':
      return stat !== undefined;
    case 'directory':
      return stat?.isDirectory() ?? false;
    case 'symlink':
      return fs.lstatSync(check.path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
    case 'glob':
      return fs.globSync(check.path).length > 0;
    case 'mountpoint':
      return fs
        .readFileSync('/proc/self/mountinfo', 'utf8')
        .split('\n')
        .some((line) => line.split(' ')[4] === check.path);
    case 'readwrite':
      try {
        fs.accessSync(check.path, fs.constants.W_OK);
        return true;
      } catch {
        return false;
      }
    case 'directory-not-empty':
      return stat?.isDirectory() === true && fs.readdirSync(check.path).length > 0;
    case 'file-not-empty':
      return stat?.isFile() === true && stat.size > 0;
    case 'executable':
      return stat?.isFile() === true && (stat.mode & 0o111) !== 0;
    case 'encrypted':
      return false;
    case 'read-text':
      try {
        return fs.readFileSync(check.path, 'utf8');
      } catch {
        return null;
      }
  }
}

const virtualization = there ? ask('systemd-detect-virt', []).stdout.trim() || 'none' : 'none';
const facts: MachineFacts = {
  ...testFacts,
  hostname: os.hostname(),
  kernelRelease: os.release(),
  architecture: os.arch(),
  virtualization,
  machineId: fs.existsSync('/etc/machine-id') ? fs.readFileSync('/etc/machine-id', 'utf8').trim() : '',
  kernelCommandLine: fs
    .readFileSync(
      virtualization === 'none' || !['docker', 'podman', 'lxc', 'systemd-nspawn'].includes(virtualization)
        ? '/proc/cmdline'
        : '/proc/1/cmdline',
      'utf8',
    )
    .replaceAll('\0', ' '),
  usrModifiedMs: fs.statSync('/usr').mtimeMs,
  environment: { ENV_A: '1', PATH: process.env.PATH ?? '' },
};

const release = os.release();
const cpus = os.cpus().length;
const memory = os.totalmem();

const CONDITIONS: readonly string[] = [
  'PathExists=/etc',
  'PathExists=!/etc',
  'PathExists=/nope',
  'PathExists=|/nope',
  'PathExistsGlob=/etc/pass*',
  'PathExistsGlob=/etc/nope*',
  'PathIsDirectory=/etc/passwd',
  'PathIsDirectory=/etc',
  'PathIsSymbolicLink=/proc/self',
  'PathIsSymbolicLink=/etc',
  'PathIsMountPoint=/proc',
  'PathIsMountPoint=/etc',
  'PathIsReadWrite=/etc',
  'PathIsReadWrite=/nope',
  'DirectoryNotEmpty=/etc',
  'DirectoryNotEmpty=/nope',
  'FileNotEmpty=/etc/passwd',
  'FileNotEmpty=/etc',
  'FileIsExecutable=/bin/sh',
  'FileIsExecutable=/etc/passwd',
  'Architecture=native',
  'Architecture=x86-64',
  'Architecture=arm64',
  'Architecture=!s390x',
  `KernelVersion=${release}`,
  'KernelVersion=>=4.0',
  'KernelVersion=<4.0',
  'KernelVersion=>= 4.0',
  'KernelVersion=>=4.0 <100',
  'KernelVersion=5*',
  `KernelVersion=${release.slice(0, 2)}*`,
  `KernelVersion==${release}`,
  `KernelVersion=!=${release}`,
  'KernelVersion=$=*',
  'KernelVersion=!$=6*',
  'KernelVersion=<>1.0',
  `KernelVersion===${release}`,
  'Host=nope',
  `Host=${os.hostname()}`,
  `Host=${os.hostname().slice(0, 2)}*`,
  'Host=00000000000000000000000000000001',
  'KernelCommandLine=definitely-not-there',
  'KernelCommandLine=!definitely-not-there',
  'Virtualization=yes',
  'Virtualization=no',
  'Virtualization=container',
  'Virtualization=vm',
  'Virtualization=docker',
  'Virtualization=kvm',
  'Virtualization=private-users',
  'Virtualization=!container',
  'Virtualization=nonsense',
  'Security=selinux',
  'Security=apparmor',
  'Security=smack',
  'Security=tomoyo',
  'Security=ima',
  'Security=uefi-secureboot',
  'Security=tpm2',
  'Security=nonsense',
  'Capability=CAP_SYS_ADMIN',
  'Capability=CAP_SYS_RESOURCE',
  'Capability=CAP_CHOWN',
  'Capability=!CAP_CHOWN',
  'Capability=cap_sys_time',
  'Capability=CAP_MAC_ADMIN',
  'ACPower=yes',
  'ACPower=no',
  'Memory=>1M',
  'Memory=<1M',
  `Memory=>=${memory}`,
  `Memory=>${Math.round(memory * 2)}`,
  'Memory=1M',
  'Memory=!=1',
  'Memory==1K',
  `CPUs=${cpus}`,
  `CPUs=>${cpus}`,
  'CPUs=>=1',
  'CPUs=<1',
  'CPUs=!=0',
  'CPUFeature=fpu',
  'CPUFeature=sse2',
  'CPUFeature=nonsense',
  'CPUFeature=lm',
  'Environment=ENV_A',
  'Environment=ENV_A=1',
  'Environment=ENV_A=2',
  'Environment=!ENV_B',
  'Environment=ENV_B',
  'User=root',
  'User=0',
  'User=@system',
  'User=nobody',
  'User=!root',
  'Group=root',
  'Group=0',
  'Group=nogroup',
  'ControlGroupController=v1',
  'ControlGroupController=v2',
  'ControlGroupController=cpu',
  'ControlGroupController=memory pids',
  'ControlGroupController=!v2',
  'ControlGroupController=nonsense',
  'OSRelease=ID=debian',
  'OSRelease=ID=nope',
  'OSRelease=VERSION_ID>=10',
  'OSRelease=VERSION_ID<10',
  'OSRelease=ID$=deb*',
  'OSRelease=ID!$=deb*',
  'OSRelease=NOPE=',
  'OSRelease="ID=debian" "VERSION_ID>1"',
  'OSRelease=ID!=x',
  'OSRelease=VERSION_ID==12',
  'MemoryPressure=100%',
  'CPUPressure=100%/10sec',
  'IOPressure=100%/1min',
  'NeedsUpdate=/etc',
  'NeedsUpdate=/var',
  'NeedsUpdate=!/etc',
  'FirstBoot=no',
  'FirstBoot=yes',
  'Firmware=uefi',
  'Firmware=device-tree',
  'Credential=nope',
  'Firmware=device-tree-compatible(foo)',
  'Firmware=smbios-field(bios_vendor = nope)',
];

describe.skipIf(!there)('conditions against systemd-analyze condition', () => {
  const held = (key: string, value: string): boolean => {
    const unit = createUnitLoader({ files: memoryFiles({}), facts, paths: plainPaths(['/u']) }).loadText(
      't.target',
      `[Unit]\n${key}=${value}\n`,
      '/u/t.target',
    );
    const request = conditionChecks(unit, facts);
    return evaluate(unit.conditions, facts, JSON.parse(JSON.stringify(request.checks.map(look)))).result;
  };

  test.each(CONDITIONS)('Condition%s', (text) => {
    const [kind, ...rest] = text.split('=');
    const value = rest.join('=');
    const answer = ask('systemd-analyze', ['condition', `Condition${kind}=${value}`], { ENV_A: '1' });
    const theirs = /Conditions (succeeded|failed)\./.exec(answer.stderr + answer.stdout)?.[1];
    expect({ text, says: theirs }).toEqual({ text, says: held(`Condition${kind}`, value) ? 'succeeded' : 'failed' });
  });

  test('triggering ones need one of them to hold, the others all', () => {
    const lists = [
      ['ConditionPathExists=|/nope', 'ConditionPathExists=|/etc'],
      ['ConditionPathExists=|/nope', 'ConditionPathExists=|/nope2'],
      ['ConditionPathExists=/etc', 'ConditionPathExists=|/nope'],
      ['ConditionPathExists=/nope', 'ConditionPathExists=|/etc'],
      ['ConditionPathExists=|!/nope', 'ConditionPathExists=!/nope'],
      ['AssertPathExists=/nope', 'ConditionPathExists=/etc'],
    ];
    for (const list of lists) {
      const answer = ask('systemd-analyze', ['condition', ...list]);
      const unit = createUnitLoader({ files: memoryFiles({}), facts, paths: plainPaths(['/u']) }).loadText(
        't.target',
        `[Unit]\n${list.join('\n')}\n`,
        '/u/t.target',
      );
      const verdict = evaluate(unit.conditions, facts, conditionChecks(unit, facts).checks.map(look));
      expect({ list, result: verdict.result }).toEqual({ list, result: answer.status === 0 });
    }
  });
});
