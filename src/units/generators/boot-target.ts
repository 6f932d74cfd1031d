/**
 * The unit that the kernel command line wants to be booted: systemd.unit=, or one of the old words for runlevels.
 * Source: kernel-command-line(7).
 */
import { isUnitName, mangleName } from '../names.ts';
import { isKey, itemsOfPhase } from './kernel-command-line.ts';

const WORDS: Readonly<Record<string, string>> = {
  emergency: 'emergency.target',
  '-b': 'emergency.target',
  rescue: 'rescue.target',
  single: 'rescue.target',
  '-s': 'rescue.target',
  s: 'rescue.target',
  S: 'rescue.target',
  '1': 'rescue.target',
  '2': 'multi-user.target',
  '3': 'multi-user.target',
  '4': 'multi-user.target',
  '5': 'graphical.target',
};

/** In the initial RAM disk only these have a word of their own. */
const EARLY_WORDS: Readonly<Record<string, string>> = { emergency: 'emergency.target', rescue: 'rescue.target' };

/** Undefined: it says nothing of it, so default.target is booted. The last word counts. */
export function bootTarget(commandLine: string, initrd: boolean): string | undefined {
  let target: string | undefined;
  const words = initrd ? EARLY_WORDS : WORDS;
  for (const item of itemsOfPhase(commandLine, initrd)) {
    if (isKey(item, 'systemd.unit') || isKey(item, 'sysmaster.unit')) {
      const name = mangleName(item.value ?? '');
      if (name !== undefined && isUnitName(name, 'plain', 'instance')) target = name;
    } else if (item.value === undefined && Object.hasOwn(words, item.key)) target = words[item.key];
  }
  return target;
}
