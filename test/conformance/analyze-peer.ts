/**
 * What `systemd-analyze` must say of a boot, worked out from the time stamps of the units: the same function is held against
 * systemd-analyze and against ours, so that both are seen to follow it.
 *
 *   blame            InactiveExit to ActiveEnter, or to InactiveEnter where the unit was never active; the longest first
 *   critical-chain   of the units that it is ordered after and that came up in the boot the last one, and so on;
 *                    `@` from the start of userspace to InactiveExit (to ActiveEnter where it took no time), `+` as in blame
 *
 * Source: systemd-analyze(1), "blame" and "critical-chain".
 */

/** Of one unit, from `show`; times in µs of CLOCK_MONOTONIC, 0: never. */
export interface Stamps {
  readonly name: string;
  readonly activating: number;
  readonly activated: number;
  readonly deactivated: number;
  readonly after: readonly string[];
}

/** Of a manager. */
export interface BootStamps {
  readonly userspace: number;
  readonly finish: number;
}

export const PROPERTIES =
  'Id,InactiveExitTimestampMonotonic,ActiveEnterTimestampMonotonic,InactiveEnterTimestampMonotonic,After';

const propertiesOf = (block: string): ReadonlyMap<string, string> =>
  new Map(
    block
      .trim()
      .split('\n')
      .map((line): [string, string] => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );

export function stampsOf(shown: string): readonly Stamps[] {
  return shown
    .trim()
    .split('\n\n')
    .map((block) => {
      const of = propertiesOf(block);
      const us = (name: string) => Number(of.get(`${name}TimestampMonotonic`) ?? '0');
      return {
        name: of.get('Id') ?? '',
        activating: us('InactiveExit'),
        activated: us('ActiveEnter'),
        deactivated: us('InactiveEnter'),
        after: (of.get('After') ?? '').split(' ').filter((name) => name !== ''),
      };
    });
}

export function bootOf(shown: string): BootStamps {
  const of = propertiesOf(shown);
  return {
    userspace: Number(of.get('UserspaceTimestampMonotonic')),
    finish: Number(of.get('FinishTimestampMonotonic')),
  };
}

/** As systemd writes it, to the millisecond, unless it is less than one; for less than an hour. */
export function text(us: number): string {
  if (us < 1000) return us === 0 ? '0' : `${us}us`;
  const ms = Math.floor(us / 1000);
  if (ms < 1000) return `${ms}ms`;
  const minutes = Math.floor(ms / 60_000);
  const rest = (ms % 60_000) / 1000;
  const seconds = ms % 60_000 === 0 ? [] : [`${Number.isInteger(rest) ? rest : rest.toFixed(3)}s`];
  return [...(minutes > 0 ? [`${minutes}min`] : []), ...seconds].join(' ');
}

export function took({ activating, activated, deactivated }: Stamps): number {
  if (activated >= activating) return activated - activating;
  return deactivated >= activating ? deactivated - activating : 0;
}

/** `time unit`, the longest first; which of two that took as long comes first is left open. */
export const blame = (units: readonly Stamps[]): readonly string[] =>
  units
    .filter((unit) => unit.activating > 0 && took(unit) > 0)
    .sort((a, b) => took(b) - took(a))
    .map((unit) => `${text(took(unit))} ${unit.name}`);

export const summary = ({ userspace, finish }: BootStamps, target: Stamps): readonly string[] => [
  `Startup finished in ${text(finish - userspace)} (userspace) `,
  `${target.name} reached after ${text(target.activated - userspace)} in userspace.`,
];

/** The chain of a unit, without the unit itself: one line each, indented as it is printed. */
export function chain(name: string, units: readonly Stamps[], { userspace, finish }: BootStamps): readonly string[] {
  const byName = new Map(units.map((unit) => [unit.name, unit]));
  const lines: string[] = [];
  for (let unit = byName.get(name), depth = 0; unit !== undefined; depth += 1) {
    const came = unit.after
      .flatMap((other) => byName.get(other) ?? [])
      .filter(({ activated }) => activated > 0 && activated <= finish)
      .sort((a, b) => b.activated - a.activated || (a.name < b.name ? -1 : 1));
    unit = came[0];
    if (unit !== undefined) lines.push(`${'  '.repeat(depth)}└─${label(unit, userspace)}`);
  }
  return lines;
}

function label(unit: Stamps, userspace: number): string {
  const us = took(unit);
  if (us > 0) return `${unit.name} @${text(unit.activating - userspace)} +${text(us)}`;
  return unit.activated > userspace ? `${unit.name} @${text(unit.activated - userspace)}` : unit.name;
}
