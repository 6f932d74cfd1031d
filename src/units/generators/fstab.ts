/**
 * Mounts and swaps of /etc/fstab as units.
 *
 * Each entry becomes one unit with what its options say, linked to the target that wants it; helpers for checking, making and
 * growing file systems hang on it. What root=, rootflags=, rootfstype= and
 * mount.usr= ask for is mounted by the initial RAM disk or the kernel; as Debian's program, this one does nothing with them here.
 * Source: systemd-fstab-generator(8), systemd.mount(5) and systemd.swap(5), "fstab"; compared with Debian's program.
 */
import { mangleName, pathToName, simplifyPath } from '../names.ts';
import { formatSpanUs, parseSpanUs } from '../syntax/timespan.ts';
import type { TableEntry } from './fstab-table.ts';
import { deviceNode, isDevicePath } from './fstab-table.ts';
import { hasOption, lastOf, lastValue, valuesOf, withoutOptions } from './mount-options.ts';
import { escapePercent, escapeWord, type Output, type Place } from './output.ts';

/** What is looked at besides the table. */
export interface MountWorld {
  readonly initrd: boolean;
  readonly container: boolean;
  /** /sys is read-only, as where devices belong to somebody else. */
  readonly sysReadOnly: boolean;
  readonly swapEnabled: boolean;
  /** Is there a program of this name (fsck.ext4)? */
  hasProgram(name: string): boolean;
  /** A path with its symbolic links resolved as far as they are there. */
  resolve(path: string): string;
  /** The file that the entries come from. */
  readonly table: string;
  /** Where units go; undefined: `normal`. */
  readonly place?: Place;
}

/** One mount, from the table or from the command line. */
export interface Mount {
  readonly what: string;
  readonly where: string;
  /** The path as it was written, where links in it were resolved. */
  readonly written?: string;
  readonly type: string;
  readonly options: string;
  readonly pass: number;
  readonly noauto?: boolean;
  readonly nofail?: boolean;
  readonly automount?: boolean;
  readonly rwOnly?: boolean;
  readonly makefs?: boolean;
  readonly growfs?: boolean;
  /** The target it belongs to. */
  readonly target: string;
  readonly line: number;
}

/** File systems that need the network, by type. */
const NETWORK: ReadonlySet<string> = new Set([
  'afs', 'ceph', 'cifs', 'davfs', 'glusterfs', 'gfs', 'gfs2', 'lustre', 'ncp', 'ncpfs', 'nfs', 'nfs4', 'ocfs2', 'orangefs',
  'pvfs2', 'smb3', 'smbfs', 'sshfs',
]); // biome-ignore format: a list of words

/** What the manager itself mounts, and what is nobody's business. */
const API: ReadonlySet<string> = new Set([
  '/proc', '/sys', '/dev', '/dev/shm', '/dev/pts', '/run', '/sys/fs/cgroup', '/sys/fs/cgroup/unified', '/sys/fs/cgroup/systemd',
  '/sys/fs/pstore', '/sys/fs/bpf', '/sys/fs/selinux', '/sys/firmware/efi/efivars', '/sys/kernel/security', '/run/lock',
]); // biome-ignore format: a list of words

const LOCAL_FS = 'local-fs.target';
const REMOTE_FS = 'remote-fs.target';
const INITRD_FS = 'initrd-fs.target';
const DEFAULT_DEPENDENCIES_OFF = 'DefaultDependencies=no';

const isNetwork = (entry: TableEntry): boolean =>
  hasOption(entry.options, '_netdev') || NETWORK.has(entry.type.replace(/^fuse\./, ''));

/** All entries of a table. */
export function addTable(out: Output, entries: readonly TableEntry[], world: MountWorld): void {
  for (const entry of entries) {
    if (world.initrd && !(hasOption(entry.options, 'x-initrd.mount') || entry.where === '/usr')) continue;
    const what = deviceNode(entry.what);
    if (isDevicePath(what) && world.sysReadOnly) {
      out.say('note', what, 'a device of its host, which a container does not mount', '', entry.line);
      continue;
    }
    const noauto = lastOf(entry.options, ['noauto', 'auto']) === 'noauto';
    const nofail = lastOf(entry.options, ['nofail', 'fail']) === 'nofail';
    if (entry.type === 'swap') {
      addSwap(out, entry, what, { noauto, nofail }, world);
      continue;
    }
    // Relative to the root, as programs of the boot see it; a word without a slash is no path.
    const path = entry.where.includes('/') ? simplifyPath(`/${entry.where}`) : entry.where;
    const inside = world.initrd && path.startsWith('/') ? simplifyPath(`/sysroot${path}`) : path;
    const where = inside.startsWith('/') ? world.resolve(inside) : inside;
    addMount(
      out,
      {
        what,
        where,
        ...(where === inside ? {} : { written: inside }),
        type: entry.type,
        options: entry.options,
        pass: entry.pass,
        noauto,
        nofail,
        automount: hasOption(entry.options, 'comment=systemd.automount', 'x-systemd.automount'),
        rwOnly: hasOption(entry.options, 'x-systemd.rw-only'),
        makefs: hasOption(entry.options, 'x-systemd.makefs'),
        growfs: hasOption(entry.options, 'x-systemd.growfs'),
        target: world.initrd ? INITRD_FS : isNetwork(entry) ? REMOTE_FS : LOCAL_FS,
        line: entry.line,
      },
      world,
    );
  }
}

/** The unit of a mount with all that hangs on it. */
export function addMount(out: Output, given: Mount, world: MountWorld): void {
  const { where, type, line } = given;
  const { place = 'normal' } = world;
  if (type === 'autofs') return;
  if (!where.startsWith('/')) {
    out.say('warning', where, 'not an absolute path', 'write where it is to be mounted', line);
    return;
  }
  if (API.has(where) || where.startsWith('/sys/fs/cgroup/')) return;
  let mount = given;
  let wantedBy = valuesOf(given.options, 'x-systemd.wanted-by');
  let requiredBy = valuesOf(given.options, 'x-systemd.required-by');
  const own = wantedBy.length + requiredBy.length > 0;
  if (where === '/') {
    for (const [set, name] of [
      [given.noauto, 'noauto'],
      [given.nofail, 'nofail'],
      [given.automount, 'x-systemd.automount'],
      [wantedBy.length > 0, 'x-systemd.wanted-by='],
      [requiredBy.length > 0, 'x-systemd.required-by='],
    ] as const)
      if (set === true) out.say('warning', name, 'has no effect on the root file system', 'take it out', line);
    mount = { ...given, noauto: false, nofail: false, automount: false };
    wantedBy = [];
    requiredBy = [given.target];
  } else if (!own) {
    if (mount.nofail === true) wantedBy = [given.target];
    else requiredBy = [given.target];
  }
  let { options } = mount;
  if ((type === 'nfs' || type === 'nfs4') && lastOf(options, ['bg', 'fg']) === 'bg') {
    // In the background means for us: nobody waits for it, and it has all the time of the world.
    options = `x-systemd.mount-timeout=infinity,retry=10000,nofail,${options},fg`;
    mount = { ...mount, nofail: true };
    if (!own && where !== '/') {
      wantedBy = [given.target];
      requiredBy = [];
    }
  }
  const name = pathToName(where, 'mount');
  if (name === undefined) {
    out.say('warning', where, 'cannot be made the name of a unit', 'mount it elsewhere', line);
    return;
  }
  const lines = ['[Unit]', 'Documentation=man:fstab(5) man:systemd-fstab-generator(8)', `SourcePath=${world.table}`];
  if (world.initrd && (where === '/sysroot' || where.startsWith('/sysroot/'))) lines.push(DEFAULT_DEPENDENCIES_OFF);
  dependencyLines(out, options, lines, line);
  // What is optional is not waited for.
  if (!mount.nofail) lines.push(`Before=${given.target}`);
  if (mount.pass !== 0) checkLines(out, mount, lines, world);
  if (mount.what.startsWith('/dev/')) lines.push(...blockDeviceLines(mount.what));
  lines.push('', '[Mount]', `What=${escapePercent(mount.what)}`);
  if (mount.written !== undefined) lines.push(`# Written as ${mount.written}`);
  lines.push(`Where=${escapePercent(where)}`);
  if (type !== '' && type !== 'auto') lines.push(`Type=${escapePercent(type)}`);
  const timeout = timeoutOf(out, options, ['x-systemd.mount-timeout'], line);
  if (timeout !== undefined) lines.push(`TimeoutSec=${timeout}`);
  optionLines(options, lines);
  if (mount.rwOnly === true) lines.push('ReadWriteOnly=yes');
  if (!out.unit(place, name, lines)) {
    out.say('error', where, 'has an entry already', 'mount one thing at one place', line);
    return;
  }
  deviceTimeout(out, mount.what, options, line);
  if (!isOfTheSystem(where, options)) deviceNetwork(out, mount.what, options);
  if (mount.makefs === true && !makeFileSystem(out, mount, name, world)) return;
  if (mount.growfs === true) growFileSystem(out, mount, name, world);
  if (mount.automount !== true) {
    if (mount.noauto === true && !own) return;
    for (const unit of wantedBy) dependencyLink(out, unit, 'wants', name, line, place);
    for (const unit of requiredBy) dependencyLink(out, unit, 'requires', name, line, place);
    return;
  }
  addAutomount(out, mount, options, world);
}

/** The point where the first access mounts it. */
function addAutomount(out: Output, mount: Mount, options: string, world: MountWorld): void {
  const name = pathToName(mount.where, 'automount');
  if (name === undefined) return;
  const lines = [
    '[Unit]',
    `SourcePath=${world.table}`,
    'Documentation=man:fstab(5) man:systemd-fstab-generator(8)',
    '',
    '[Automount]',
    `Where=${escapePercent(mount.where)}`,
  ];
  const idle = timeoutOf(out, options, ['x-systemd.idle-timeout'], mount.line);
  if (idle !== undefined) lines.push(`TimeoutIdleSec=${idle}`);
  if (out.unit('normal', name, lines))
    out.link('normal', mount.target, mount.nofail === true ? 'wants' : 'requires', name);
}

function addSwap(
  out: Output,
  entry: TableEntry,
  what: string,
  { noauto, nofail }: { readonly noauto: boolean; readonly nofail: boolean },
  world: MountWorld,
): void {
  const { line, options } = entry;
  if (!world.swapEnabled) {
    out.say('note', what, 'swap is switched off on the kernel command line', '', line);
    return;
  }
  if (world.container) {
    out.say('note', what, 'swap belongs to the host of a container', '', line);
    return;
  }
  const name = pathToName(what, 'swap');
  if (name === undefined || !what.startsWith('/'))
    out.say('warning', what, 'not the absolute path of a device or file', 'write the whole path', line);
  if (name === undefined) return;
  const lines = ['[Unit]', 'Documentation=man:fstab(5) man:systemd-fstab-generator(8)', `SourcePath=${world.table}`];
  if (what.startsWith('/dev/')) lines.push(...blockDeviceLines(what));
  lines.push('', '[Swap]', `What=${escapePercent(what)}`);
  if (options !== '' && options !== 'defaults') lines.push(`Options=${escapePercent(options)}`);
  if (!out.unit('normal', name, lines)) {
    out.say('error', what, 'has an entry already', 'name each swap once', line);
    return;
  }
  deviceTimeout(out, what, options, line);
  if (hasOption(options, 'x-systemd.makefs')) {
    if (!isDevicePath(what)) {
      out.say('warning', 'x-systemd.makefs', `${what} is not a device`, 'take it out', line);
      return; // what is not made is not to be used
    }
    makeSwap(out, what, name);
  }
  if (hasOption(options, 'x-systemd.growfs'))
    out.say('warning', 'x-systemd.growfs', 'swap cannot be grown', 'take it out', line);
  if (!noauto) out.link('normal', 'swap.target', nofail ? 'wants' : 'requires', name);
}

/** x-systemd.after=, requires=, before= and requires-mounts-for=, in that order. */
function dependencyLines(out: Output, options: string, lines: string[], line: number): void {
  const each = (option: string, form: (unit: string) => string[]) => {
    for (const value of valuesOf(options, option)) {
      const unit = mangleName(value, 'mount');
      if (unit === undefined) out.say('warning', `${option}=${value}`, 'not a unit and not a path', 'mend it', line);
      else lines.push(...form(unit));
    }
  };
  each('x-systemd.after', (unit) => [`After=${unit}`]);
  each('x-systemd.requires', (unit) => [`After=${unit}`, `Requires=${unit}`]);
  each('x-systemd.before', (unit) => [`Before=${unit}`]);
  for (const path of valuesOf(options, 'x-systemd.requires-mounts-for'))
    lines.push(`RequiresMountsFor=${escapePercent(path)}`);
}

/** A file system with a sixth field is checked before it is mounted, if there is a program for it. */
function checkLines(out: Output, mount: Mount, lines: string[], world: MountWorld): void {
  const { what, where, type, line } = mount;
  if (!isDevicePath(what)) {
    out.say('warning', what, 'is to be checked, and is not a device', 'write 0 in the sixth field', line);
    return;
  }
  if (type !== '' && type !== 'auto' && !world.hasProgram(`fsck.${type}`)) {
    out.say('note', what, `is to be checked, and there is no fsck.${type}`, '', line);
    return;
  }
  if (where === '/') {
    out.link('normal', LOCAL_FS, 'wants', 'systemd-fsck-root.service', 'systemd-fsck-root.service');
    return;
  }
  const special =
    world.initrd && where === '/sysroot'
      ? 'systemd-fsck-root.service'
      : world.initrd && where === '/sysusr/usr'
        ? 'systemd-fsck-usr.service'
        : undefined;
  const check = special ?? pathToName(what, 'service')?.replace(/^/, 'systemd-fsck@');
  if (check === undefined) return;
  lines.push(`${where === '/usr' ? 'Wants' : 'Requires'}=${check}`, `After=${check}`);
}

const blockDeviceLines = (what: string): string[] => {
  const name = pathToName(what, 'target');
  return name === undefined ? [] : [`After=blockdev@${name}`];
};

function optionLines(options: string, lines: string[]): void {
  const kept = withoutOptions(options, 'comment=systemd.device-timeout', 'x-systemd.device-timeout');
  if (kept !== '' && kept !== 'defaults') lines.push(`Options=${escapePercent(kept)}`);
}

/** A span as a unit file takes it; undefined: there is none, or it is wrong, which is told. */
function timeoutOf(out: Output, options: string, names: readonly string[], line: number): string | undefined {
  const value = lastValue(options, ...names);
  if (value === undefined) return undefined;
  const us = parseSpanUs(value, 1_000_000);
  if (us === undefined) {
    out.say('warning', `${names[0]}=${value}`, 'not a span of time', 'write for example 30s', line);
    return undefined;
  }
  return formatSpanUs(us === 0 ? 'infinity' : us);
}

/** How long the device is waited for: a drop-in of the device's unit. */
function deviceTimeout(out: Output, what: string, options: string, line: number): void {
  const names = ['comment=systemd.device-timeout', 'x-systemd.device-timeout'] as const;
  const value = lastValue(options, ...names);
  if (value === undefined) return;
  const us = parseSpanUs(value, 1_000_000);
  if (us === undefined) {
    out.say('warning', `x-systemd.device-timeout=${value}`, 'not a span of time', 'write for example 30s', line);
    return;
  }
  const name = isDevicePath(what) ? pathToName(what, 'device') : undefined;
  if (name === undefined) {
    out.say('warning', 'x-systemd.device-timeout', `${what} is not a device`, 'take it out', line);
    return;
  }
  out.dropIn('normal', `${name}.d/50-device-timeout.conf`, ['[Unit]', `JobRunningTimeoutSec=${value}`]);
}

/** Mounted by whoever starts the system, not by it. */
const isOfTheSystem = (where: string, options: string): boolean =>
  /^\/(|usr|etc)$|^\/(proc|sys|dev|run\/initramfs)(\/|$)/.test(where) || hasOption(options, 'x-initrd.mount');

/** A device behind the network is not there before it (`_netdev`). */
function deviceNetwork(out: Output, what: string, options: string): void {
  const name = hasOption(options, '_netdev') && isDevicePath(what) ? pathToName(what, 'device') : undefined;
  if (name === undefined) return;
  out.dropIn('normal', `${name}.d/50-netdev-dependencies.conf`, [
    '[Unit]',
    'After=network-online.target network.target',
    'Wants=network-online.target',
  ]);
}

function dependencyLink(
  out: Output,
  unit: string,
  kind: 'wants' | 'requires',
  name: string,
  line: number,
  place: Place = 'normal',
): void {
  if (unit.includes('/') || unit === '') {
    out.say(
      'warning',
      `x-systemd.${kind === 'wants' ? 'wanted' : 'required'}-by=${unit}`,
      'not a unit',
      'name one',
      line,
    );
    return;
  }
  out.link(place, unit, kind, name);
}

/** A oneshot that makes what the mount needs, bound to its device; false: it cannot, and what is not made is not to be mounted. */
function makeFileSystem(out: Output, mount: Mount, name: string, world: MountWorld): boolean {
  const { what, type, where, line } = mount;
  if (!isDevicePath(what)) {
    out.say('warning', 'x-systemd.makefs', `${what} is not a device`, 'take it out', line);
    return false;
  }
  if (type === '' || type === 'auto') {
    out.say('warning', 'x-systemd.makefs', 'needs the type of the file system', 'write it in the third field', line);
    return false;
  }
  const service = pathToName(what, 'service')?.replace(/^/, 'systemd-makefs@');
  if (service === undefined) return false;
  const check = world.initrd && where === '/sysroot' ? 'systemd-fsck-root.service' : 'systemd-fsck@%i.service';
  const made = out.unit('normal', service, [
    '[Unit]',
    'Description=Make File System on %f',
    'Documentation=man:systemd-makefs@.service(8)',
    DEFAULT_DEPENDENCIES_OFF,
    'BindsTo=%i.device',
    'Conflicts=shutdown.target',
    'After=%i.device',
    `Before=shutdown.target ${check} ${escapePercent(name)}`,
    '',
    '[Service]',
    'Type=oneshot',
    'RemainAfterExit=yes',
    `ExecStart=/lib/systemd/systemd-makefs ${escapeWord(type)} ${escapeWord(what)}`,
    'TimeoutSec=0',
  ]);
  if (!made) out.say('error', what, 'its file system is made already', 'name x-systemd.makefs once', line);
  else out.link('normal', name, 'requires', service);
  return made;
}

function makeSwap(out: Output, what: string, name: string): void {
  const service = pathToName(what, 'service')?.replace(/^/, 'systemd-mkswap@');
  if (service === undefined) return;
  out.unit('normal', service, [
    '[Unit]',
    'Description=Make Swap on %f',
    'Documentation=man:systemd-mkswap@.service(8)',
    DEFAULT_DEPENDENCIES_OFF,
    'BindsTo=%i.device',
    'Conflicts=shutdown.target',
    'After=%i.device',
    `Before=shutdown.target ${escapePercent(name)}`,
    '',
    '[Service]',
    'Type=oneshot',
    'RemainAfterExit=yes',
    `ExecStart=/lib/systemd/systemd-makefs swap ${escapeWord(what)}`,
    'TimeoutSec=0',
  ]);
  out.link('normal', name, 'requires', service);
}

function growFileSystem(out: Output, mount: Mount, name: string, world: MountWorld): void {
  const service = pathToName(mount.where, 'service')?.replace(/^/, 'systemd-growfs@');
  if (service === undefined) return;
  if (world.initrd && mount.where === '/sysroot') {
    out.link('normal', name, 'wants', 'systemd-growfs-root.service', 'systemd-growfs-root.service');
    return;
  }
  out.unit('normal', service, [
    '[Unit]',
    'Description=Grow File System on %f',
    'Documentation=man:systemd-growfs@.service(8)',
    DEFAULT_DEPENDENCIES_OFF,
    'BindsTo=%i.mount',
    'Conflicts=shutdown.target',
    `After=systemd-repart.service %i.mount${mount.where === '/' ? ' systemd-remount-fs.service' : ''}`,
    `Before=shutdown.target ${mount.target}`,
    '',
    '[Service]',
    'Type=oneshot',
    'RemainAfterExit=yes',
    `ExecStart=/lib/systemd/systemd-growfs ${escapeWord(mount.where)}`,
    'TimeoutSec=0',
  ]);
  out.link('normal', name, 'wants', service);
}
