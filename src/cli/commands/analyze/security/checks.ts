/**
 * What makes a service exposed: each check with its weight, as systemd-analyze(1), security, counts it.
 *
 * A check answers how bad things are, from 0 (not at all) to its range, or that it means nothing for this service.
 */
import { syscallGroups } from '../../../../units/syntax/syscall-names.ts';
import type { Settings } from './settings.ts';

export interface Verdict {
  /** null: it does not apply, and counts for nothing. */
  readonly badness: number | null;
  readonly about: string;
}

export interface Check {
  readonly name: string;
  /** Its key in JSON and in security policies. */
  readonly field: string;
  readonly weight: number;
  /** The worst badness. */
  readonly range: number;
  readonly judge: (settings: Settings) => Verdict;
}

/** Good where `good` says so, else as bad as can be. */
function check(
  name: string,
  field: string,
  weight: number,
  good: (settings: Settings) => boolean,
  fine: string,
  exposed: string,
): Check {
  return {
    name,
    field,
    weight,
    range: 1,
    judge: (settings) => (good(settings) ? { badness: 0, about: fine } : { badness: 1, about: exposed }),
  };
}

const boolean = (key: string, weight: number, fine: string, exposed: string): Check =>
  check(`${key}=`, key, weight, ({ on }) => on(key), fine, exposed);

/** One of some words, each as bad as the table says. */
function graded(
  name: string,
  field: string,
  weight: number,
  range: number,
  judge: (settings: Settings) => readonly [badness: number, about: string],
): Check {
  return {
    name,
    field,
    weight,
    range,
    judge: (settings) => {
      const [badness, about] = judge(settings);
      return { badness, about };
    },
  };
}

function capability(label: string, field: string, weight: number, names: string, may: string): Check {
  const all = names.split(' ').map((name) => `CAP_${name}`);
  return check(
    `CapabilityBoundingSet=~CAP_${label}`,
    `CapabilityBoundingSet_CAP_${field}`,
    weight,
    ({ bounding }) => all.every((name) => !bounding.has(name)),
    `may not ${may}`,
    `may ${may}`,
  );
}

function namespace(name: string, weight: number, what: string): Check {
  return check(
    `RestrictNamespaces=~${name}`,
    `RestrictNamespaces_${name}`,
    weight,
    ({ namespaces }) => !namespaces.has(name),
    `may not make ${what} namespaces`,
    `may make ${what} namespaces`,
  );
}

const PLAIN_FAMILIES: ReadonlySet<string> = new Set(['AF_INET', 'AF_INET6', 'AF_UNIX', 'AF_NETLINK', 'AF_PACKET']);

function family(label: string, field: string, weight: number, is: (name: string) => boolean, what: string): Check {
  return check(
    `RestrictAddressFamilies=~${label}`,
    `RestrictAddressFamilies_${field}`,
    weight,
    ({ families }) => families !== undefined && [...families.names].some(is) !== families.allow,
    `may not have ${what} sockets`,
    `may have ${what} sockets`,
  );
}

/** Calls of the groups below that a machine does not have natively: no filter is blamed for them. */
const NOT_NATIVE = `
bdflush break chown32 clock_adjtime64 clock_settime64 fchown32 ftime gtty idle lchown32 lock mpx nice pciconfig_iobase
pciconfig_read pciconfig_write prof profil rtas s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr setfsuid32
setgroups32 setresuid32 setreuid32 setuid32 sgetmask ssetmask stime stty subpage_prot switch_endian
sys_debug_setcontext ulimit umount vm86 vm86old`;
const NOT_ON_ARM64 = `
_sysctl afs_syscall chown create_module get_kernel_syms getpmsg ioperm iopl lchown modify_ldt putpmsg query_module
security sysfs tuxcall uselib ustat vserver`;

let foreign: ReadonlySet<string> | undefined;

/** The first call of a group that the filter lets through, in the group's order. */
function letThrough(group: string, { allow, names }: NonNullable<Settings['calls']>): string | undefined {
  foreign ??= new Set(`${NOT_NATIVE}${process.arch === 'arm64' ? NOT_ON_ARM64 : ''}`.trim().split(/\s+/));
  for (const member of syscallGroups().get(group)?.members ?? []) {
    const found = member.startsWith('@')
      ? letThrough(member, { allow, names })
      : !foreign.has(member) && names.has(member) === allow
        ? member
        : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function filter(group: string, weight: number): Check {
  return {
    name: `SystemCallFilter=~@${group}`,
    field: `SystemCallFilter_${group.replaceAll('-', '_')}`,
    weight,
    range: 10,
    judge: ({ calls }) => {
      if (calls === undefined) return { badness: 10, about: 'no system call is filtered' };
      const found = letThrough(`@${group}`, calls);
      return found === undefined
        ? { badness: 0, about: `no call of @${group} gets through` }
        : { badness: calls.allow ? 9 : 10, about: `some of @${group} get through, ${found} for one` };
    },
  };
}

function user({ root, dynamicUser, service }: Settings): readonly [number, string] {
  if (root) return [10, 'runs as root'];
  if (service.User === 'nobody') return [9, 'runs as nobody, whom others may run as too'];
  return [0, dynamicUser ? 'runs as a user made for it' : 'runs as a user of its own'];
}

function umask({ service: { UMask: mask } }: Settings): readonly [number, string] {
  if ((mask & 0o002) === 0) return [10, 'its files can be written by everyone'];
  if ((mask & 0o004) === 0) return [5, 'its files can be read by everyone'];
  if ((mask & 0o020) === 0) return [2, 'its files can be written by its group'];
  if ((mask & 0o040) === 0) return [1, 'its files can be read by its group'];
  return [0, 'its files are its own'];
}

function home({ word, dynamicUser }: Settings): readonly [number, string] {
  const set = word('ProtectHome', 'no');
  const effective = set === 'no' && dynamicUser ? 'read-only' : set;
  if (effective === 'yes') return [0, 'home directories are out of its reach'];
  if (effective === 'tmpfs') return [1, 'sees empty directories in place of homes'];
  return effective === 'read-only' ? [5, 'may read home directories'] : [10, 'may use home directories'];
}

function system({ word, dynamicUser }: Settings): readonly [number, string] {
  const effective = dynamicUser ? 'strict' : word('ProtectSystem', 'no');
  if (effective === 'strict') return [0, 'the file system is read-only to it'];
  if (effective === 'full') return [3, 'may write to most places but /usr, /boot and /etc'];
  return effective === 'yes'
    ? [5, 'may write to most places but /usr and /boot']
    : [10, 'may write to the whole system'];
}

function processes({ word }: Settings): readonly [number, string] {
  const set = word('ProtectProc', 'default');
  if (set === 'default') return [3, 'sees the processes of everyone'];
  return set === 'noaccess' ? [1, 'sees that others have processes'] : [0, 'sees its own processes'];
}

function architectures({ architectures: set }: Settings): readonly [number, string] {
  if (set.size === 0) return [10, 'may use the system calls of every architecture'];
  return set.size === 1 && set.has('native')
    ? [0, "may use this machine's own system calls only"]
    : [8, 'may use the system calls of several architectures'];
}

const isLocal = (address: string, length: number): boolean =>
  address.includes(':') ? /^(0*:)*:?0*1$/.test(address) && length === 128 : address.startsWith('127.') && length >= 8;

function addresses({ allowedPrefixes, deniedPrefixes, filterPrograms }: Settings): readonly [number, string] {
  if (filterPrograms) return [0, 'BPF programs decide who it may talk to'];
  const denied = (family: 4 | 6) => deniedPrefixes.some((prefix) => prefix.family === family && prefix.length === 0);
  if (!denied(4) || !denied(6)) return [10, 'may talk to any IP address'];
  if (allowedPrefixes.length === 0) return [0, 'may talk to no IP address'];
  return allowedPrefixes.every(({ address, length }) => isLocal(address, length))
    ? [2, 'may talk to addresses of this machine only']
    : [5, 'may talk to some addresses'];
}

function devices({ devices: list, devicePolicy }: Settings): readonly [number, string] {
  if (devicePolicy === 'auto') return [10, 'may use any device'];
  return list.length === 0 ? [0, 'may use the plainest devices only'] : [5, `may use ${list.join(', ')}`];
}

/** Where root is root anyway. */
function unlessRoot(row: Check): Check {
  return {
    ...row,
    judge: (settings) => (settings.root ? { badness: null, about: 'means nothing for root' } : row.judge(settings)),
  };
}

/** Early in boot and late in shutdown these settings would hinder what a service is there for. */
function unlessEarly(row: Check): Check {
  return {
    ...row,
    judge: (settings) =>
      settings.ordinary ? row.judge(settings) : { badness: null, about: 'not for services of boot and shutdown' },
  };
}

export const CHECKS: readonly Check[] = [
  graded('User=/DynamicUser=', 'UserOrDynamicUser', 2000, 10, user),
  unlessRoot(
    check(
      'SupplementaryGroups=',
      'SupplementaryGroups',
      200,
      ({ service }) => service.SupplementaryGroups.length === 0,
      'is in no further groups',
      'is in further groups',
    ),
  ),
  boolean('PrivateDevices', 1000, 'has no devices of the machine', 'may reach devices of the machine'),
  boolean('PrivateMounts', 1000, 'its mounts stay its own', 'its mounts are seen by all'),
  boolean('PrivateNetwork', 2500, 'has no network of the machine', 'is on the network of the machine'),
  unlessEarly(boolean('PrivateTmp', 1000, 'has a /tmp of its own', 'shares /tmp with others')),
  boolean('PrivateUsers', 1000, 'knows no other users', 'knows all other users'),
  boolean('ProtectControlGroups', 1000, 'may not change control groups', 'may change control groups'),
  boolean('ProtectKernelModules', 1000, 'may not load kernel modules', 'may load kernel modules'),
  boolean('ProtectKernelTunables', 1000, 'may not tune the kernel', 'may tune the kernel'),
  boolean('ProtectKernelLogs', 1000, "has no use of the kernel's log", "may read and write the kernel's log"),
  boolean('ProtectClock', 1000, 'may not set the clock', 'may set the clock'),
  unlessEarly(graded('ProtectHome=', 'ProtectHome', 1000, 10, home)),
  boolean('ProtectHostname', 50, "may not change the machine's name", "may change the machine's name"),
  unlessEarly(graded('ProtectSystem=', 'ProtectSystem', 1000, 10, system)),
  unlessEarly(
    check(
      'RootDirectory=/RootImage=',
      'RootDirectoryOrRootImage',
      200,
      ({ service, rootImage }) => service.RootDirectory !== '' || rootImage,
      'has a root directory of its own',
      "runs in the machine's root directory",
    ),
  ),
  boolean('LockPersonality', 100, 'may not change its personality', 'may change its personality'),
  boolean('MemoryDenyWriteExecute', 100, 'has no memory to both write and run', 'may write memory and then run it'),
  boolean('NoNewPrivileges', 1000, 'gains no privileges', 'may gain privileges'),
  capability('SYS_ADMIN', 'SYS_ADMIN', 1500, 'SYS_ADMIN', 'administer the system'),
  capability('SET(UID|GID|PCAP)', 'SET_UID_GID_PCAP', 1500, 'SETUID SETGID SETPCAP', 'become others'),
  capability('SYS_PTRACE', 'SYS_PTRACE', 1500, 'SYS_PTRACE', 'trace processes of others'),
  capability('SYS_TIME', 'SYS_TIME', 1000, 'SYS_TIME', "set the system's time"),
  capability('NET_ADMIN', 'NET_ADMIN', 1000, 'NET_ADMIN', 'configure the network'),
  capability('SYS_RAWIO', 'SYS_RAWIO', 1000, 'SYS_RAWIO', 'do raw I/O'),
  capability('SYS_MODULE', 'SYS_MODULE', 1000, 'SYS_MODULE', 'load modules into the kernel'),
  capability('AUDIT_*', 'AUDIT', 500, 'AUDIT_CONTROL AUDIT_READ AUDIT_WRITE', 'use the audit system'),
  capability('SYSLOG', 'SYSLOG', 500, 'SYSLOG', "use the kernel's log"),
  capability('SYS_(NICE|RESOURCE)', 'SYS_NICE_RESOURCE', 500, 'SYS_NICE SYS_RESOURCE', 'raise its limits'),
  capability('MKNOD', 'MKNOD', 500, 'MKNOD', 'make device nodes'),
  capability(
    '(CHOWN|FSETID|SETFCAP)',
    'CHOWN_FSETID_SETFCAP',
    1000,
    'CHOWN FSETID SETFCAP',
    'change owners and capabilities of files',
  ),
  capability(
    '(DAC_*|FOWNER|IPC_OWNER)',
    'DAC_FOWNER_IPC_OWNER',
    1000,
    'DAC_OVERRIDE DAC_READ_SEARCH FOWNER IPC_OWNER',
    'use files and IPC of others',
  ),
  capability('KILL', 'KILL', 500, 'KILL', 'signal processes of others'),
  capability(
    'NET_(BIND_SERVICE|BROADCAST|RAW)',
    'NET_BIND_SERVICE_BROADCAST_RAW)',
    500,
    'NET_BIND_SERVICE NET_BROADCAST NET_RAW',
    'use low ports and raw sockets',
  ),
  capability('SYS_BOOT', 'SYS_BOOT', 100, 'SYS_BOOT', 'reboot the machine'),
  capability('MAC_*', 'MAC', 100, 'MAC_ADMIN MAC_OVERRIDE', 'change mandatory access control'),
  capability('LINUX_IMMUTABLE', 'LINUX_IMMUTABLE', 75, 'LINUX_IMMUTABLE', 'make files immutable'),
  capability('IPC_LOCK', 'IPC_LOCK', 50, 'IPC_LOCK', 'lock memory into RAM'),
  capability('SYS_CHROOT', 'SYS_CHROOT', 50, 'SYS_CHROOT', 'call chroot'),
  capability('BLOCK_SUSPEND', 'BLOCK_SUSPEND', 25, 'BLOCK_SUSPEND', 'keep the machine awake'),
  capability('WAKE_ALARM', 'WAKE_ALARM', 25, 'WAKE_ALARM', 'wake the machine'),
  capability('LEASE', 'LEASE', 25, 'LEASE', 'take leases on files'),
  capability('SYS_TTY_CONFIG', 'SYS_TTY_CONFIG', 25, 'SYS_TTY_CONFIG', 'hang up terminals'),
  capability('BPF', 'BPF', 25, 'BPF', 'load BPF programs'),
  capability('SYS_PACCT', 'SYS_PACCT', 25, 'SYS_PACCT', 'switch process accounting'),
  graded('UMask=', 'UMask', 100, 10, umask),
  check(
    'KeyringMode=',
    'KeyringMode',
    1000,
    ({ word }) => word('KeyringMode', 'private') === 'private',
    'has a keyring of its own',
    'shares a keyring',
  ),
  graded('ProtectProc=', 'ProtectProc', 1000, 3, processes),
  check(
    'ProcSubset=',
    'ProcSubset',
    10,
    ({ word }) => word('ProcSubset', 'all') === 'pid',
    'sees only processes in /proc',
    'sees all of /proc',
  ),
  check(
    'NotifyAccess=',
    'NotifyAccess',
    1000,
    ({ service }) => service.NotifyAccess !== 'all',
    'its children cannot speak for it',
    'any of its processes may speak for it',
  ),
  unlessRoot(boolean('RemoveIPC', 100, 'leaves no IPC objects behind', 'may leave IPC objects behind')),
  check(
    'Delegate=',
    'Delegate',
    100,
    ({ service }) => !service.Delegate,
    'has no control groups to itself',
    'looks after control groups of its own',
  ),
  boolean('RestrictRealtime', 500, 'may not run in real time', 'may run in real time'),
  boolean('RestrictSUIDSGID', 1000, 'may not make SUID and SGID files', 'may make SUID and SGID files'),
  namespace('user', 1500, 'user'),
  namespace('mnt', 500, 'mount'),
  namespace('ipc', 500, 'IPC'),
  namespace('pid', 500, 'process'),
  namespace('cgroup', 500, 'control-group'),
  namespace('net', 500, 'network'),
  namespace('uts', 100, 'host-name'),
  family('AF_(INET|INET6)', 'AF_INET_INET6', 1500, (name) => name === 'AF_INET' || name === 'AF_INET6', 'internet'),
  family('AF_UNIX', 'AF_UNIX', 25, (name) => name === 'AF_UNIX', 'local'),
  family('AF_NETLINK', 'AF_NETLINK', 200, (name) => name === 'AF_NETLINK', 'netlink'),
  family('AF_PACKET', 'AF_PACKET', 1000, (name) => name === 'AF_PACKET', 'packet'),
  family('…', 'OTHER', 1250, (name) => !PLAIN_FAMILIES.has(name), 'unusual'),
  graded('SystemCallArchitectures=', 'SystemCallArchitectures', 1000, 10, architectures),
  filter('swap', 1000),
  filter('obsolete', 250),
  filter('clock', 1000),
  filter('cpu-emulation', 250),
  filter('debug', 1000),
  filter('mount', 1000),
  filter('module', 1000),
  filter('raw-io', 1000),
  filter('reboot', 1000),
  filter('privileged', 700),
  filter('resources', 700),
  graded('IPAddressDeny=', 'IPAddressDeny', 1000, 10, addresses),
  graded('DeviceAllow=', 'DeviceAllow', 1000, 10, devices),
  check(
    'AmbientCapabilities=',
    'AmbientCapabilities',
    500,
    ({ service }) => service.AmbientCapabilities.length === 0,
    'is handed no capabilities',
    'is handed capabilities',
  ),
];
