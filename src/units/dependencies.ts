/**
 * Edges that no line of a file writes: implicit and default dependencies of every unit type.
 *
 * Source: the sections "Implicit Dependencies" and "Default Dependencies" of systemd.service(5), .socket(5), .target(5),
 * .slice(5), .scope(5), .mount(5), .automount(5), .swap(5), .timer(5), .path(5), systemd.exec(5), .resource-control(5);
 * systemd.special(7). What they leave open was compared with a live systemd 252.
 * A rule that needs another unit's settings is not here but in graph.ts.
 */
import type { Draft } from './directives/draft.ts';
import { escapeName, pathToName, type UnitName } from './names.ts';
import { canAccept, listenPath } from './syntax/address.ts';
import type { DependencyKind, ExecSettings } from './types.ts';
import { parentSlice } from './verify.ts';

export interface Implied {
  readonly kind: DependencyKind;
  readonly to: string;
  /** The rule, in words that explain the edge. */
  readonly rule: string;
}

/** Paths the unit needs mounted, with the reason for each. */
export interface NeededPath {
  readonly path: string;
  readonly rule: string;
}

/** Units that are there without a file and before everything else; they have no default dependencies. */
export const PERPETUAL: ReadonlySet<string> = new Set(['-.slice', 'system.slice', 'init.scope', '-.mount']);

const SLICE_RULE = 'slice of ';
/** Is it the rule that ties a unit to its slice? */
export const isSliceRule = (rule: string): boolean => rule.startsWith(SLICE_RULE);

/** Does it run commands? A socket without any needs nothing of what commands need. */
export function hasExec({ socket }: Draft): boolean {
  if (socket === undefined) return true;
  const { ExecStartPre, ExecStartPost, ExecStopPre, ExecStopPost } = socket;
  return ExecStartPre.length + ExecStartPost.length + ExecStopPre.length + ExecStopPost.length > 0;
}

/** The slice a unit lies in if it does not say so (systemd.resource-control(5), Slice=). */
export function defaultSlice(name: UnitName): string {
  if (name.name === 'init.scope') return '-.slice';
  if (name.kind !== 'instance') return 'system.slice';
  return `system-${escapeName(name.prefix)}.slice`;
}

/** What the rules must know of the machine. */
export interface Machine {
  /** Device units work here; without them nothing can wait for one. */
  readonly devices: boolean;
  /** A container uses the swap of its host, and has none to take down. */
  readonly container: boolean;
}

/**
 * Edges a unit has by its type and settings.
 *
 * @param machine where it runs
 * @param needPath is told the paths that must be mounted
 */
export function impliedEdges(
  name: UnitName,
  draft: Draft,
  { devices, container }: Machine,
  needPath: (needed: NeededPath) => void,
): readonly Implied[] {
  const edges: Implied[] = [];
  const add = (rule: string, to: string, ...kinds: readonly DependencyKind[]) => {
    for (const kind of kinds) edges.push({ kind, to, rule });
  };
  const defaults = draft.unit.DefaultDependencies && !PERPETUAL.has(name.name);
  const slice = sliceOf(name, draft);
  if (slice !== '') add(`${SLICE_RULE}${name.name}`, slice, 'InSlice', 'Requires', 'After');

  if (draft.service !== undefined) serviceEdges(draft, defaults, add, needPath);
  if (draft.socket !== undefined) socketEdges(name, draft, defaults, devices, add, needPath);
  if (draft.timer !== undefined) timerEdges(name, draft, defaults, add, needPath);
  if (draft.path !== undefined) pathEdges(name, draft, defaults, add, needPath);
  if (draft.mount !== undefined) mountEdges(draft, defaults, devices, add, needPath);
  if (draft.automount !== undefined) automountEdges(name, draft, defaults, add, needPath);
  if (draft.swap !== undefined) swapEdges(draft, defaults && !container, devices, add, needPath);
  if (defaults && name.type === 'slice') add('default dependency of slices', 'shutdown.target', 'Before', 'Conflicts');
  if (defaults && name.type === 'scope') add('default dependency of scopes', 'shutdown.target', 'Before', 'Conflicts');
  if (defaults && name.type === 'target' && name.name !== 'shutdown.target')
    add('default dependency of targets', 'shutdown.target', 'Before', 'Conflicts');
  return edges;
}

type Add = (rule: string, to: string, ...kinds: readonly DependencyKind[]) => void;
type Need = (needed: NeededPath) => void;

/** The slice as written, by name for slices, or by default; empty: the type has none. */
export function sliceOf(name: UnitName, draft: Draft): string {
  if (name.type === 'slice') return parentSlice(name.name);
  const grouped = draft.service ?? draft.socket ?? draft.mount ?? draft.swap ?? draft.scope;
  if (grouped === undefined) return '';
  if (grouped.Slice !== '') return grouped.Slice;
  // Mounts of the kernel's own file systems are there before any slice.
  return draft.mount !== undefined && isExtrinsic(draft.mount.Where) ? '-.slice' : defaultSlice(name);
}

function serviceEdges(draft: Draft, defaults: boolean, add: Add, need: Need): void {
  const service = draft.service;
  if (service === undefined) return;
  if (service.Type === 'dbus') add('Type=dbus needs the bus', 'dbus.socket', 'Requires', 'After');
  execEdges(service, add, need);
  if (!defaults) return;
  add('default dependency of services', 'sysinit.target', 'Requires', 'After');
  add('default dependency of services', 'basic.target', 'After');
  add('default dependency of services', 'shutdown.target', 'Before', 'Conflicts');
}

/** What systemd.exec(5) has made below which directory. */
const MANAGED = [
  ['RuntimeDirectory', '/run'],
  ['StateDirectory', '/var/lib'],
  ['CacheDirectory', '/var/cache'],
  ['LogsDirectory', '/var/log'],
  ['ConfigurationDirectory', '/etc'],
] as const;

/** systemd.exec(5), "Implicit Dependencies". */
function execEdges(exec: ExecSettings, add: Add, need: Need): void {
  if (exec.WorkingDirectory !== '' && exec.WorkingDirectory !== '~' && !exec.WorkingDirectoryOptional)
    need({ path: exec.WorkingDirectory, rule: 'WorkingDirectory=' });
  if (exec.RootDirectory !== '') need({ path: exec.RootDirectory, rule: 'RootDirectory=' });
  for (const [key, root] of MANAGED)
    for (const entry of exec[key]) need({ path: `${root}/${entry.split(':')[0] ?? ''}`, rule: `${key}=` });
  if (exec.StateDirectory.length + exec.CacheDirectory.length + exec.LogsDirectory.length > 0)
    add('a directory below /var must be writable', 'systemd-remount-fs.service', 'After');
  const logs = (stream: string) => stream.startsWith('journal') || stream.startsWith('kmsg');
  if (logs(exec.StandardOutput) || logs(exec.StandardError))
    add('its output goes to the log', 'systemd-journald.socket', 'After');
}

/** What PrivateTmp= and RootImage= imply; read from the settings as written, since they are not honoured otherwise yet. */
export function namespaceEdges(privateTmp: boolean, rootImage: string, add: Add, need: Need): void {
  if (privateTmp) {
    add('PrivateTmp=', 'tmp.mount', 'After', 'Wants');
    need({ path: '/var/tmp', rule: 'PrivateTmp=' });
    add('PrivateTmp=', 'systemd-tmpfiles-setup.service', 'After');
  }
  if (rootImage !== '') {
    need({ path: rootImage, rule: 'RootImage=' });
    add('RootImage=', 'systemd-udevd.service', 'After');
  }
}

function socketEdges(name: UnitName, draft: Draft, defaults: boolean, devices: boolean, add: Add, need: Need): void {
  const socket = draft.socket;
  if (socket === undefined) return;
  if (!socket.Accept || !socket.Listen.every(canAccept))
    add('a socket triggers its service', socket.Service || `${withoutType(name.name)}.service`, 'Before', 'Triggers');
  for (const listen of socket.Listen) {
    const path = listenPath(listen);
    if (path !== undefined) need({ path, rule: 'a listener in the file system' });
  }
  const device = socket.options.BindToDevice;
  if (devices && typeof device === 'string' && device !== '' && device !== 'lo')
    add('BindToDevice=', `sys-subsystem-net-devices-${escapeName(device)}.device`, 'BindsTo', 'After');
  if (hasExec(draft)) execEdges(socket, add, need);
  if (!defaults) return;
  add('default dependency of sockets', 'sockets.target', 'Before');
  add('default dependency of sockets', 'sysinit.target', 'Requires', 'After');
  add('default dependency of sockets', 'shutdown.target', 'Before', 'Conflicts');
}

function timerEdges(name: UnitName, draft: Draft, defaults: boolean, add: Add, need: Need): void {
  const timer = draft.timer;
  if (timer === undefined) return;
  add('a timer triggers its unit', timer.Unit || `${withoutType(name.name)}.service`, 'Before', 'Triggers');
  if (timer.Persistent) need({ path: '/var/lib/systemd/timers', rule: 'Persistent=' });
  if (!defaults) return;
  add('default dependency of timers', 'timers.target', 'Before');
  add('default dependency of timers', 'sysinit.target', 'Requires', 'After');
  if (timer.OnCalendar.length > 0) {
    add('OnCalendar= needs the right time', 'time-sync.target', 'After');
    add('OnCalendar= needs the right time', 'time-set.target', 'After');
  }
  add('default dependency of timers', 'shutdown.target', 'Before', 'Conflicts');
}

function pathEdges(name: UnitName, draft: Draft, defaults: boolean, add: Add, need: Need): void {
  const path = draft.path;
  if (path === undefined) return;
  add('a path triggers its unit', path.Unit || `${withoutType(name.name)}.service`, 'Before', 'Triggers');
  for (const spec of path.specs) need({ path: spec.path, rule: `${spec.kind}=` });
  if (!defaults) return;
  add('default dependency of paths', 'paths.target', 'Before');
  add('default dependency of paths', 'sysinit.target', 'Requires', 'After');
  add('default dependency of paths', 'shutdown.target', 'Before', 'Conflicts');
}

const NETWORK_FILE_SYSTEMS: ReadonlySet<string> = new Set([
  'afs',
  'ceph',
  'cifs',
  'gfs',
  'gfs2',
  'ncp',
  'ncpfs',
  'nfs',
  'nfs4',
  'ocfs2',
  'orangefs',
  'pvfs2',
  'smb3',
  'smbfs',
  'davfs',
  'glusterfs',
  'lustre',
  'sshfs',
]);

/** A mount goes when its device is stopped, though not when the device merely goes away. */
const DEVICE_KINDS = ['Requires', 'StopPropagatedFrom'] as const;

function mountEdges(draft: Draft, defaults: boolean, devices: boolean, add: Add, need: Need): void {
  const mount = draft.mount;
  if (mount === undefined) return;
  execEdges(mount, add, need);
  const options = mount.Options.split(',').map((option) => option.trim());
  if (mount.Where !== '/' && mount.Where !== '')
    need({ path: parentPath(mount.Where), rule: 'a mount needs what lies above it' });
  const bind = options.includes('bind') || options.includes('rbind') || mount.Type === 'bind' || mount.Type === 'rbind';
  const loop = options.some((option) => option === 'loop' || option.startsWith('loop='));
  const network = options.includes('_netdev') || NETWORK_FILE_SYSTEMS.has(mount.Type.replace(/^fuse\./, ''));
  if (mount.What.startsWith('/') && (bind || loop || !network))
    need({ path: mount.What, rule: 'the source of a mount' });
  const device = devices && !bind && mount.What.startsWith('/dev/') ? pathToName(mount.What, 'device') : undefined;
  if (device !== undefined) {
    const bound = options.includes('x-systemd.device-bound');
    add('a mount needs its device', device, 'After', ...(bound ? (['BindsTo'] as const) : DEVICE_KINDS));
    add('a mount needs its device', `blockdev@${escapeInstance(mount.What)}.target`, 'After');
  }
  if (!defaults || isExtrinsic(mount.Where)) return;
  if (network) {
    add('default dependency of network mounts', 'remote-fs-pre.target', 'After');
    add('default dependency of network mounts', 'network.target', 'After');
    add('default dependency of network mounts', 'network-online.target', 'Wants', 'After');
    if (!options.includes('nofail')) add('default dependency of network mounts', 'remote-fs.target', 'Before');
  } else {
    add('default dependency of mounts', 'local-fs-pre.target', 'After');
    if (!options.includes('nofail')) add('default dependency of mounts', 'local-fs.target', 'Before');
  }
  if (mount.Type === 'tmpfs') add('a tmpfs is unmounted before swap goes', 'swap.target', 'After');
  add('default dependency of mounts', 'umount.target', 'Before', 'Conflicts');
}

function automountEdges(name: UnitName, draft: Draft, defaults: boolean, add: Add, need: Need): void {
  const automount = draft.automount;
  if (automount === undefined) return;
  add('an automount triggers its mount', `${withoutType(name.name)}.mount`, 'Before', 'Triggers');
  if (automount.Where !== '/' && automount.Where !== '')
    need({ path: parentPath(automount.Where), rule: 'an automount needs what lies above it' });
  if (!defaults) return;
  add('default dependency of automounts', 'local-fs.target', 'Before');
  add('default dependency of automounts', 'local-fs-pre.target', 'After');
  add('default dependency of automounts', 'umount.target', 'Before', 'Conflicts');
}

function swapEdges(draft: Draft, defaults: boolean, devices: boolean, add: Add, need: Need): void {
  const swap = draft.swap;
  if (swap === undefined) return;
  execEdges(swap, add, need);
  if (swap.What !== '') need({ path: swap.What, rule: 'the source of a swap' });
  // Only of what is written: a name alone gives no device.
  const written = draft.given.has('What');
  if (written && !swap.What.startsWith('/dev/'))
    add('a swap file must be writable', 'systemd-remount-fs.service', 'After');
  const device = devices && written && swap.What.startsWith('/dev/') ? pathToName(swap.What, 'device') : undefined;
  if (device !== undefined) {
    // The manual page says BindsTo=, systemd 252 does this.
    add('a swap needs its device', device, 'Requires', 'After');
    add('a swap needs its device', `blockdev@${escapeInstance(swap.What)}.target`, 'After');
  }
  if (defaults) add('default dependency of swaps', 'umount.target', 'Before', 'Conflicts');
}

/** Mounts the system stands on, or that are virtual: nothing orders them (systemd.mount(5), "Default Dependencies"). */
function isExtrinsic(where: string): boolean {
  if (where === '/' || where === '/usr' || where === '/etc' || where === '/nix') return true;
  return ['/proc', '/sys', '/dev', '/run/initramfs', '/run/host'].some(
    (root) => where === root || where.startsWith(`${root}/`),
  );
}

function withoutType(name: string): string {
  return name.slice(0, name.lastIndexOf('.'));
}

function parentPath(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

function escapeInstance(path: string): string {
  return pathToName(path, 'device')?.slice(0, -'.device'.length) ?? escapeName(path);
}
