/**
 * The fstab generator as a whole: what the kernel command line says first, then the table.
 * Source: systemd-fstab-generator(8), "Kernel command line".
 */

import { resolveLink } from '../catalog.ts';
import { simplifyPath } from '../names.ts';
import { parseBoolean } from '../syntax/scalar.ts';
import { isContainer } from '../virtualization.ts';
import { addMount, addTable, type MountWorld } from './fstab.ts';
import { readTable } from './fstab-table.ts';
import type { GeneratorWorld } from './index.ts';
import { isKey, itemsOfPhase } from './kernel-command-line.ts';
import { type Generated, Output } from './output.ts';

const PROGRAM_DIRECTORIES = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const LINKS_MAX = 40;

export function fstab(world: GeneratorWorld): Generated {
  const table = world.environment['SYSTEMD_FSTAB'] ?? '/etc/fstab';
  const out = new Output('systemd-fstab-generator', table);
  let enabled = true;
  let swapEnabled = true;
  let volatile = '';
  for (const item of itemsOfPhase(world.commandLine, world.initrd, true)) {
    const flag = parseBoolean(item.value ?? 'yes');
    if (isKey(item, 'fstab')) {
      if (flag === undefined) out.say('warning', `${item.key}=${item.value}`, 'neither yes nor no', 'write yes or no');
      else enabled = flag;
    } else if (isKey(item, 'systemd.swap') || isKey(item, 'sysmaster.swap')) {
      if (flag === undefined) out.say('warning', `${item.key}=${item.value}`, 'neither yes nor no', 'write yes or no');
      else swapEnabled = flag;
    } else if (isKey(item, 'systemd.volatile') || isKey(item, 'sysmaster.volatile')) volatile = item.value ?? 'yes';
  }
  const mounts: MountWorld = {
    initrd: false,
    container: isContainer(world.virtualization),
    sysReadOnly: isReadOnly(world, '/sys'),
    swapEnabled,
    hasProgram: (name) => PROGRAM_DIRECTORIES.some((directory) => world.files.access(`${directory}/${name}`, 'x')),
    resolve: (path) => resolvePath(world, path),
    table,
  };
  const text = enabled ? world.files.readText(table) : undefined;
  if (text !== undefined) {
    addTable(out, readTable(text), mounts);
    const remount = 'systemd-remount-fs.service';
    out.link('normal', 'local-fs.target', 'wants', remount, remount);
  }
  if (volatile === 'state') {
    addMount(
      out,
      {
        what: 'tmpfs',
        where: '/var',
        type: 'tmpfs',
        options: 'mode=0755,size=25%,nr_inodes=1m',
        pass: 0,
        target: 'local-fs.target',
        line: 0,
      },
      { ...mounts, table: '/proc/cmdline', place: 'late' },
    );
  }
  return out;
}

/** Is the file system at exactly this place mounted read-only? */
function isReadOnly(world: GeneratorWorld, path: string): boolean {
  let readOnly = false;
  for (const line of (world.files.readText('/proc/self/mountinfo') ?? '').split('\n')) {
    const fields = line.split(' ');
    if (fields[4] !== path) continue;
    const last = fields[fields.length - 1] ?? '';
    readOnly = (fields[5] ?? '').split(',').includes('ro') || last.split(',').includes('ro');
  }
  return readOnly;
}

/** Symbolic links in a path, resolved; what is not there stays as it is. */
function resolvePath(world: GeneratorWorld, path: string): string {
  let parts = path.split('/').filter((part) => part !== '');
  let at = '';
  for (let hops = 0; parts.length > 0; ) {
    const part = parts[0] ?? '';
    parts = parts.slice(1);
    if (part === '..') {
      if (at !== '' && world.files.stat(at) === undefined) return path; // nobody knows where it will lead
      at = at.slice(0, Math.max(0, at.lastIndexOf('/')));
      continue;
    }
    if (part === '.') continue;
    const whole = `${at}/${part}`;
    const link = world.files.readlink(whole);
    if (link === undefined) {
      at = whole;
      continue;
    }
    hops += 1;
    if (hops > LINKS_MAX) return path;
    parts = [
      ...resolveLink(whole, link)
        .split('/')
        .filter((each) => each !== ''),
      ...parts,
    ];
    at = '';
  }
  return at === '' ? '/' : simplifyPath(at);
}
