/**
 * Under which names `show` tells what a directive has set: systemd's property names, which mostly are the keys.
 *
 * Source: org.freedesktop.systemd1(5).
 */
import type { Directive } from './draft.ts';

/** Keys that are told under other names, `Section.key` where a section differs from others. */
const OTHER_NAMES: ReadonlyMap<string, readonly string[]> = new Map([
  ['Service.TimeoutSec', ['TimeoutStartUSec', 'TimeoutStopUSec']],
  ['CPUQuota', ['CPUQuotaPerSecUSec']],
  ['EnvironmentFile', ['EnvironmentFiles']],
  ['Timer.OnCalendar', ['TimersCalendar']],
  ['Path.PathExists', ['Paths']],
  ['Path.PathExistsGlob', ['Paths']],
  ['Path.PathChanged', ['Paths']],
  ['Path.PathModified', ['Paths']],
  ['Path.DirectoryNotEmpty', ['Paths']],
]);

/** Monotonic timers, in all their bases. */
const MONOTONIC = /^On(Active|Boot|Startup|UnitActive|UnitInactive)Sec$/;

/** The properties of a directive; none for old names and for [Install], which `is-enabled` tells about. */
export function propertiesOf({ section, key, renamedTo }: Directive): readonly string[] {
  if (renamedTo !== undefined || section === 'Install') return [];
  const other = OTHER_NAMES.get(`${section}.${key}`) ?? OTHER_NAMES.get(key);
  if (other !== undefined) return other;
  if (section === 'Unit' && key.startsWith('Condition')) return ['Conditions'];
  if (section === 'Unit' && key.startsWith('Assert')) return ['Asserts'];
  if (section === 'Socket' && key.startsWith('Listen')) return ['Listen'];
  if (section === 'Timer' && MONOTONIC.test(key)) return ['TimersMonotonic'];
  if (key.startsWith('Limit')) return [key, `${key}Soft`];
  return [key.replace(/Sec$/, 'USec')];
}
