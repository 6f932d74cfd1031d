/**
 * What the kernel command line asks for of units: masks, wishes, and a shell to debug with.
 *
 * `sysmaster.` in place of `systemd.` means the same. Source: systemd-debug-generator(8), kernel-command-line(7); compared with
 * Debian's program.
 */
import { mangleName } from '../names.ts';
import { parseBoolean } from '../syntax/scalar.ts';
import { bootTarget } from './boot-target.ts';
import type { GeneratorWorld } from './index.ts';
import { type CommandLineItem, isKey, itemsOfPhase } from './kernel-command-line.ts';
import { type Generated, Output } from './output.ts';

const SHELL = 'debug-shell.service';
const STANDARD_TTY = 'tty9';

/** Is it systemd.KEY, or our own name for it? */
const isOurs = (item: CommandLineItem, key: string): boolean =>
  isKey(item, `systemd.${key}`) || isKey(item, `sysmaster.${key}`);

export function debug(world: GeneratorWorld): Generated {
  const out = new Output('systemd-debug-generator', '/proc/cmdline');
  const masks: string[] = [];
  const wants: string[] = [];
  let shell = '';
  for (const item of itemsOfPhase(world.commandLine, world.initrd)) {
    for (const [key, list] of [
      ['mask', masks],
      ['wants', wants],
    ] as const) {
      if (!isOurs(item, key)) continue;
      const name = item.value === undefined ? undefined : mangleName(item.value);
      if (name === undefined) out.say('warning', `${item.key}=${item.value ?? ''}`, 'names no unit', 'name one');
      else list.push(name);
    }
    if (!isOurs(item, 'debug_shell')) continue;
    const on = item.value === undefined ? true : parseBoolean(item.value);
    shell = on === true ? STANDARD_TTY : on === false ? '' : (item.value ?? '').replace(/^\/dev\//, '');
  }
  for (const name of masks) out.mask('early', name);
  if (shell !== '') wants.push(SHELL);
  const target = bootTarget(world.commandLine, world.initrd) ?? (world.initrd ? 'initrd.target' : 'default.target');
  for (const name of wants) out.link('early', target, 'wants', name, name);
  if (shell !== '' && shell !== STANDARD_TTY)
    out.unit('early', `${SHELL}.d/50-tty.conf`, [
      '[Unit]',
      `Description=Early root shell on /dev/${shell} FOR DEBUGGING ONLY`,
      'ConditionPathExists=',
      '[Service]',
      `TTYPath=/dev/${shell}`,
    ]);
  return out;
}
