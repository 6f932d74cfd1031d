/**
 * Login prompts where there is a terminal: on the kernel's consoles, on those of virtual machines, and in containers.
 * Source: systemd-getty-generator(8), systemd.io "Container Interface"; compared with Debian's program.
 */
import { escapeName } from '../names.ts';
import { parseBoolean } from '../syntax/scalar.ts';
import { isContainer } from '../virtualization.ts';
import type { GeneratorWorld } from './index.ts';
import { isKey, itemsOfPhase, switchValue } from './kernel-command-line.ts';
import { type Generated, Output } from './output.ts';

const TARGET = 'getty.target';
/** Consoles that virtual machines have. */
const VIRTUAL = ['hvc0', 'xvc0', 'hvsi0', 'sclp_line0', 'ttysclp0', '3270!tty1'] as const;

/** tty1, tty2 …: a virtual console, which logind looks after. */
const isVirtualConsole = (tty: string): boolean => /^tty[0-9]+$/.test(tty);

/** Major number of /dev/null and its kin. */
const MEMORY_MAJOR = 1;

/** A console that is there in name only has nobody to log in. */
function isTerminal({ files }: GeneratorWorld, tty: string): boolean {
  const stat = files.stat(`/dev/${tty}`);
  return stat?.kind === 'char' && ((stat.rdev >> 8) & 0xfff) !== MEMORY_MAJOR;
}

export function getty(world: GeneratorWorld): Generated {
  const out = new Output('systemd-getty-generator', '/sys/class/tty/console/active');
  let wanted = true;
  const fromEnvironment = world.environment['SYSTEMD_GETTY_AUTO'];
  if (fromEnvironment !== undefined) {
    const on = parseBoolean(fromEnvironment);
    if (on === undefined)
      out.say('warning', `SYSTEMD_GETTY_AUTO=${fromEnvironment}`, 'neither yes nor no', 'write yes or no');
    else wanted = on;
  }
  for (const item of itemsOfPhase(world.commandLine, world.initrd)) {
    if (!isKey(item, 'systemd.getty_auto') && !isKey(item, 'sysmaster.getty_auto')) continue;
    const on = switchValue(item.value);
    if (on === undefined) out.say('warning', `${item.key}=${item.value}`, 'neither yes nor no', 'write yes or no');
    else wanted = on;
  }
  if (!wanted) return out;

  if (isContainer(world.virtualization)) {
    out.link('normal', TARGET, 'wants', 'console-getty.service', 'console-getty.service');
    for (const given of (world.environment['container_ttys'] ?? '').split(/[ \t\n]+/)) {
      const tty = given.replace(/^\/dev\//, '').replace(/^pts\//, '');
      if (tty !== '' && /^(\/dev\/)?pts\//.test(given))
        out.link('normal', TARGET, 'wants', `container-getty@${escapeName(tty)}.service`, 'container-getty@.service');
    }
    return out;
  }
  const serial = (tty: string) =>
    out.link('normal', TARGET, 'wants', `serial-getty@${escapeName(tty)}.service`, 'serial-getty@.service');
  for (const tty of (world.files.readText('/sys/class/tty/console/active') ?? '').split(/[ \t\n]+/)) {
    if (tty === '' || tty === 'tty0' || isVirtualConsole(tty)) continue;
    if (isTerminal(world, tty)) serial(tty);
  }
  for (const tty of VIRTUAL) if (world.files.stat(`/sys/class/tty/${tty}`) !== undefined) serial(tty.replace('!', '/'));
  return out;
}
