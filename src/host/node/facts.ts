/** What does not change while core runs. Every file may be missing, as in a container. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import type { Hello, MachineFacts } from '../ports.ts';
import { codeOf } from './errors.ts';

/** systemd's names of architectures (systemd.unit(5), ConditionArchitecture=). */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'x86-64',
  ia32: 'x86',
  arm64: 'arm64',
  arm: 'arm',
  riscv64: 'riscv64',
  ppc64: 'ppc64-le',
  s390x: 's390x',
  loong64: 'loongarch64',
  mips64el: 'mips64-le',
  mipsel: 'mips-le',
};

/** Vendors in the DMI tables, and what systemd calls them (systemd-detect-virt(1)). */
const VENDORS: readonly (readonly [begins: string, name: string])[] = [
  ['KVM', 'kvm'],
  ['OpenStack', 'kvm'],
  ['KubeVirt', 'kvm'],
  ['Amazon EC2', 'amazon'],
  ['QEMU', 'qemu'],
  ['VMware', 'vmware'],
  ['VMW', 'vmware'],
  ['innotek GmbH', 'oracle'],
  ['VirtualBox', 'oracle'],
  ['Oracle Corporation', 'oracle'],
  ['Xen', 'xen'],
  ['Bochs', 'bochs'],
  ['Parallels', 'parallels'],
  ['BHYVE', 'bhyve'],
  ['Hyper-V', 'microsoft'],
  ['Microsoft Corporation', 'microsoft'],
  ['Apple Virtualization', 'apple'],
  ['Google Compute Engine', 'google'],
];

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    if (codeOf(cause) === undefined) throw cause;
    return '';
  }
}

/** Containers that systemd knows by name (systemd-detect-virt(1)); any other is `container-other`. */
const CONTAINERS: readonly string[] = [
  'openvz',
  'lxc',
  'lxc-libvirt',
  'systemd-nspawn',
  'docker',
  'podman',
  'rkt',
  'wsl',
  'proot',
  'pouch',
];
const known = (name: string): string =>
  name === 'oci' ? 'container-other' : CONTAINERS.includes(name) ? name : 'container-other';

/** Assignments of a file such as /etc/os-release, with the quotes of a shell taken off (os-release(5)). */
function fields(text: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const [, name, value] = /^\s*([A-Za-z_][A-Za-z0-9_]*)=(.*?)\s*$/.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    const quoted = /^(["'])(.*)\1$/s.exec(value);
    found[name] =
      quoted === null ? value : quoted[1] === '"' ? (quoted[2] ?? '').replace(/\\(["$`\\])/g, '$1') : (quoted[2] ?? '');
  }
  return found;
}

/** A container names itself in the environment of its first process, or by a file its maker leaves. */
function container(): string {
  const named =
    process.env['container'] ??
    read('/proc/1/environ')
      .split('\0')
      .find((entry) => entry.startsWith('container='))
      ?.slice(10) ??
    '';
  if (named !== '') return known(named);
  const manager = read('/run/systemd/container') || read('/run/host/container-manager');
  if (manager !== '') return known(manager);
  if (existsSync('/run/.containerenv')) return 'podman';
  return existsSync('/.dockerenv') ? 'docker' : '';
}

function machine(): string {
  for (const field of ['product_name', 'sys_vendor', 'board_vendor', 'bios_vendor', 'product_version']) {
    const value = read(`/sys/class/dmi/id/${field}`);
    const vendor = value === '' ? undefined : VENDORS.find(([begins]) => value.startsWith(begins));
    if (vendor !== undefined) return vendor[1];
  }
  if (read('/sys/hypervisor/type') === 'xen') return 'xen';
  return / hypervisor( |$)/m.test(read('/proc/cpuinfo')) ? 'vm-other' : 'none';
}

const once = <T>(make: () => T): (() => T) => {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
};

/** Says which process it is given to (systemd.exec(5), SYSTEMD_EXEC_PID): no fact about the machine, and another one for each core. */
const OF_ONE_PROCESS = 'SYSTEMD_EXEC_PID';

/** Assignments that the next core will find as well: units made under others are not believed. */
export const ofEveryCore = (environment: NodeJS.ProcessEnv): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && entry[0] !== OF_ONE_PROCESS,
    ),
  );

/** Gathered when first asked for, where that takes more than one small file. */
export function machineFacts(hello: Pick<Hello, 'role' | 'canSetUid'>, runDirectory: string): MachineFacts {
  const virtualization = once(() => container() || machine());
  const osRelease = once(() => fields(read('/etc/os-release') || read('/usr/lib/os-release')));
  const prettyHostname = fields(read('/etc/machine-info'))['PRETTY_HOSTNAME'];
  const uid = String(process.geteuid?.() ?? 0);
  const shell = read('/etc/passwd')
    .split('\n')
    .map((line) => line.split(':'))
    .find((entry) => entry[2] === uid)?.[6];
  const usr = statSync('/usr', { throwIfNoEntry: false });
  // In a container the kernel's own command line says nothing about this system; that of its first process does.
  const commandLine =
    hello.role === 'machine' ? read('/proc/cmdline') : read('/proc/1/cmdline').replaceAll('\0', ' ').trim();
  return {
    bootId: read('/proc/sys/kernel/random/boot_id'),
    machineId: /^[0-9a-f]{32}$/.exec(read('/etc/machine-id'))?.[0] ?? '',
    hostname: read('/proc/sys/kernel/hostname'),
    kernelRelease: read('/proc/sys/kernel/osrelease'),
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    get virtualization() {
      return virtualization();
    },
    kernelCommandLine: commandLine,
    privileged: process.geteuid?.() === 0 && hello.canSetUid,
    runDirectory,
    environment: ofEveryCore(process.env),
    get osRelease() {
      return osRelease();
    },
    ...(shell === undefined || shell === '' ? {} : { shell }),
    ...(prettyHostname === undefined || prettyHostname === '' ? {} : { prettyHostname }),
    ...(usr === undefined ? {} : { usrModifiedMs: usr.mtimeMs }),
  };
}
