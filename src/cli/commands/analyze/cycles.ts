/** analyze cycles: every knot of units in memory, and of those that are named, that wait for each other, its rings, and where it is cut. */

import { globber } from '../../../api/glob.ts';
import type { Call } from '../../command.ts';
import { unitPattern } from '../../names.ts';
import type { Cycle } from '../../wire.ts';

/** Names of one knot that are listed. */
const NAMES_MAX = 20;

export function cycleLines({ members, rings, more, cuts }: Cycle, { style }: Pick<Call, 'style'>): string[] {
  const names = members.slice(0, NAMES_MAX).join(', ');
  const rest = members.length > NAMES_MAX ? ` and ${members.length - NAMES_MAX} more` : '';
  const edge = ({ from, to, where }: Cycle['rings'][number][number]): string =>
    `${from} after ${to} ${style.grey(`(${where})`)}`;
  return [
    style.bold(`ordering cycle of ${members.length} units: ${names}${rest}`),
    ...rings.flatMap((ring, index) =>
      ring.map((one, at) => `  ${at === 0 ? `ring ${index + 1}:`.padEnd(9) : ' '.repeat(9)}${edge(one)}`),
    ),
    ...(more ? ['  (there are more rings)'] : []),
    ...cuts.map(
      ({ from, to, where, why }) =>
        `  ${style.yellow('cut:'.padEnd(9))}${from} after ${to} ${style.grey(`(${where})`)}: ${why}`,
    ),
  ];
}

/** Exit status 1 if there are any, so that a check can rely on it. */
export async function run(call: Call): Promise<number> {
  const patterns = call.args.map((word) => unitPattern(word));
  const { cycles } = await call.client.call<{ cycles: Cycle[] }>('io.sysmaster.Insight.Cycles', {
    units: patterns.filter((pattern) => !/[*?[]/.test(pattern)),
  });
  const fits = globber(patterns);
  const shown = cycles.filter(({ members }) => members.some((name) => fits(name)));
  call.print(shown, () =>
    shown.length === 0
      ? [patterns.length === 0 ? 'No ordering cycles.' : `No ordering cycle holds ${patterns.join(' or ')}.`]
      : shown.flatMap((cycle, index) => [...(index > 0 ? [''] : []), ...cycleLines(cycle, call)]),
  );
  return shown.length > 0 ? 1 : 0;
}
