/**
 * Makes the descriptors of systemd.socket(5): bound and listening sockets, FIFOs, special files, message queues.
 *
 * Addresses as there: a path, `@name`, a port alone, `a.b.c.d:port`, `[ipv6]:port`, `[ipv6%interface]:port`, `vsock:CID:PORT`;
 * a netlink family and group. A stale unix socket of the same path is removed first; directories above are made.
 */
import { chmodSync, chownSync, constants, lstatSync, mkdirSync, openSync, readFileSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { HostError, type ListenSpec } from '../ports.ts';
import { addon } from './addon.ts';
import { parseAddress, portOf } from './address.ts';
import { attempt, codeOf, hostError, unless } from './errors.ts';
import { SOCKET, setOptions } from './socket-options.ts';

/** Families, kinds and protocols of socket(2). */
const AF = { unix: 1, inet: 2, inet6: 10, netlink: 16, vsock: 40 } as const;
const KIND = { stream: 1, datagram: 2, raw: 3, seqpacket: 5 } as const;
const PROTOCOL: Readonly<Record<string, number>> = { udplite: 136, sctp: 132, mptcp: 262 };
/** netlink(7), by the names systemd takes. */
const NETLINK_FAMILIES: Readonly<Record<string, number>> = {
  route: 0,
  firewall: 3,
  'inet-diag': 4,
  nflog: 5,
  xfrm: 6,
  selinux: 7,
  iscsi: 8,
  audit: 9,
  'fib-lookup': 10,
  connector: 11,
  netfilter: 12,
  'ip6-fw': 13,
  dnrtmsg: 14,
  'kobject-uevent': 15,
  generic: 16,
  scsitransport: 18,
  ecryptfs: 19,
  rdma: 20,
};

/**
 * Make one; the descriptor is the caller's, and reads from it block: that is how services get theirs, unless they ask
 * otherwise (NonBlocking=). Throws HostError about the address.
 */
export function makeListener(spec: ListenSpec): number {
  try {
    return closing(makeByKind(spec), (fd) => addon.setNonBlocking(fd, false));
  } catch (cause) {
    throw cause instanceof HostError
      ? new HostError(cause.code, `${spec.address}: ${cause.about}`, cause)
      : hostError(cause, spec.address);
  }
}

function makeByKind(spec: ListenSpec): number {
  switch (spec.kind) {
    case 'fifo':
      return makeFifo(spec);
    case 'special':
      return openSpecial(spec);
    case 'message-queue':
      return makeQueue(spec);
    case 'netlink':
      return makeNetlink(spec);
    default:
      return makeSocket(spec, spec.kind);
  }
}

function makeSocket(spec: ListenSpec, kind: 'stream' | 'datagram' | 'seqpacket'): number {
  const address = parseAddress(spec.address);
  if (address === undefined)
    throw new HostError('EINVAL', 'not an address: a path, @name, port, IPv4:port, [IPv6]:port or vsock:CID:PORT');
  if ('unix' in address) return closing(open(AF.unix, kind, spec), (fd) => bindUnix(fd, address.unix, spec));
  if ('vsock' in address)
    return closing(open(AF.vsock, kind, spec), (fd) =>
      finish(fd, spec, () => addon.bindVsock(fd, address.vsock.cid, address.vsock.port)),
    );
  if ('ip' in address) {
    const scope = address.scope === '' ? 0 : (portOf(address.scope) ?? addon.interfaceNumber(address.scope));
    return closing(open(address.six ? AF.inet6 : AF.inet, kind, spec), (fd) => {
      if (address.six) sixOnly(fd, spec);
      finish(fd, spec, () => addon.bindInet(fd, address.ip, address.port, scope));
    });
  }
  // A port alone is [::], and 0.0.0.0 on a kernel without IPv6.
  try {
    return closing(open(AF.inet6, kind, spec), (fd) => {
      sixOnly(fd, spec);
      finish(fd, spec, () => addon.bindInet(fd, '::', address.port, 0));
    });
  } catch (cause) {
    if (
      !['EAFNOSUPPORT', 'EADDRNOTAVAIL'].includes(codeOf(cause) ?? '') ||
      spec.options['BindIPv6Only'] === 'ipv6-only'
    )
      throw cause;
    return closing(open(AF.inet, kind, spec), (fd) =>
      finish(fd, spec, () => addon.bindInet(fd, '0.0.0.0', address.port, 0)),
    );
  }
}

function open(family: number, kind: keyof typeof KIND, spec: ListenSpec): number {
  const wanted = spec.options['SocketProtocol'];
  const protocol = wanted === undefined || wanted === '' ? 0 : PROTOCOL[String(wanted)];
  if (protocol === undefined) throw new HostError('EPROTONOSUPPORT', `SocketProtocol=${wanted}`);
  return addon.socket(family, KIND[kind], protocol);
}

/** `both`, `ipv6-only`, or `default` for what /proc/sys/net/ipv6/bindv6only says. */
function sixOnly(fd: number, spec: ListenSpec): void {
  const wanted = spec.options['BindIPv6Only'];
  if (wanted === 'both' || wanted === 'ipv6-only')
    addon.setSocketOption(fd, SOCKET.ipv6, SOCKET.ipv6Only, wanted === 'ipv6-only' ? 1 : 0);
}

/** Options, bind, listen: in this order, since some options work only before bind. */
function finish(fd: number, spec: ListenSpec, bind: () => void): void {
  addon.setSocketOption(fd, SOCKET.sol, SOCKET.reuseAddress, 1);
  setOptions(fd, spec.options);
  bind();
  if (spec.kind !== 'datagram') addon.listen(fd, spec.backlog);
}

function bindUnix(fd: number, address: string, spec: ListenSpec): void {
  setOptions(fd, spec.options);
  if (address.startsWith('@')) {
    addon.bindUnix(fd, address);
  } else {
    makeParents(address, spec.directoryMode);
    removeStaleSocket(address);
    // The umask decides the mode at the moment of bind: a later chmod would leave a gap.
    withUmask(0o777 & ~spec.socketMode, () => addon.bindUnix(fd, address));
    own(address, spec);
  }
  if (spec.kind !== 'datagram') addon.listen(fd, spec.backlog);
}

function makeFifo(spec: ListenSpec): number {
  makeParents(spec.address, spec.directoryMode);
  withUmask(0, () => unless(['EEXIST'], spec.address, () => addon.makeFifo(spec.address, spec.socketMode)));
  if (!lstatSync(spec.address).isFIFO()) throw new HostError('EEXIST', 'it is there and is no FIFO');
  // Open for both, so that the last writer's leaving is no end of file.
  const fd = openSync(
    spec.address,
    constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOCTTY | constants.O_NOFOLLOW,
  );
  return closing(fd, () => {
    chmodSync(spec.address, spec.socketMode);
    own(spec.address, spec);
    const size = spec.options['PipeSize'];
    if (typeof size === 'number' && size > 0) addon.setPipeSize(fd, size);
  });
}

function openSpecial(spec: ListenSpec): number {
  const access = spec.options['Writable'] === true ? constants.O_RDWR : constants.O_RDONLY;
  const fd = openSync(spec.address, access | constants.O_NONBLOCK | constants.O_NOCTTY | constants.O_NOFOLLOW);
  return closing(fd, () => {
    const found = lstatSync(spec.address);
    if (!found.isFile() && !found.isCharacterDevice())
      throw new HostError('EINVAL', 'neither a character device nor a file of a kernel file system');
  });
}

function makeQueue(spec: ListenSpec): number {
  const limit = (name: string) => (typeof spec.options[name] === 'number' ? Number(spec.options[name]) : 0);
  return withUmask(0o777 & ~spec.socketMode, () =>
    addon.openMessageQueue(
      spec.address,
      spec.socketMode,
      limit('MessageQueueMaxMessages'),
      limit('MessageQueueMessageSize'),
    ),
  );
}

function makeNetlink(spec: ListenSpec): number {
  const [name, group] = spec.address.split(/\s+/);
  const family = NETLINK_FAMILIES[name ?? ''];
  if (family === undefined) throw new HostError('EPROTONOSUPPORT', `netlink family ${name}`);
  return closing(addon.socket(AF.netlink, KIND.raw, family), (fd) => {
    setOptions(fd, spec.options);
    addon.bindNetlink(fd, group === undefined ? 0 : Number(group) >>> 0);
  });
}

function makeParents(path: string, mode: number): void {
  // With the umask out of the way: DirectoryMode= is what the directories get.
  withUmask(0o777 & ~mode, () => mkdirSync(dirname(path), { recursive: true, mode }));
}

/** A socket left by a former owner; anything else in its place is left alone and makes bind fail. */
function removeStaleSocket(path: string): void {
  const found = unless(['ENOENT'], path, () => lstatSync(path));
  if (found?.isSocket()) unless(['ENOENT'], path, () => unlinkSync(path));
}

function withUmask<T>(mask: number, work: () => T): T {
  const before = process.umask(mask);
  try {
    return work();
  } finally {
    process.umask(before);
  }
}

function own(path: string, spec: ListenSpec): void {
  if (spec.user === '' && spec.group === '') return;
  const user = spec.user === '' ? undefined : lookUp('/etc/passwd', spec.user, 'user');
  const group = spec.group === '' ? user?.[3] : lookUp('/etc/group', spec.group, 'group')[2];
  attempt(path, () =>
    chownSync(path, user === undefined ? -1 : Number(user[2]), group === undefined ? -1 : Number(group)),
  );
}

/** The line of a name or number in /etc/passwd or /etc/group, as fields; a number needs no line. */
function lookUp(file: string, name: string, what: string): readonly string[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  const fields = lines
    .map((line) => line.split(':'))
    .find((entry) => entry[0] === name || (/^\d+$/.test(name) && entry[2] === name));
  if (fields !== undefined) return fields;
  if (/^\d+$/.test(name)) return [name, 'x', name];
  throw new HostError('ESRCH', `${what} ${name}: there is none in ${file}`);
}

/** The descriptor, unless what is left to do on it fails. */
function closing(fd: number, work: (fd: number) => void): number {
  try {
    work(fd);
    return fd;
  } catch (cause) {
    addon.close(fd);
    throw cause;
  }
}
