/**
 * analyze critical-chain: of all units that a unit is ordered after, the one that came up last, and so on (systemd-analyze(1)).
 *
 * With --fuzz, also those that came up so long before the last one.
 */
import type { Command } from 'commander';
import { parseSpanUs } from '../../../units/syntax/timespan.ts';
import type { Call } from '../../command.ts';
import { CliError } from '../../context.ts';
import { expand } from '../../names.ts';
import { branches } from '../../output/tree.ts';
import type { Times, UnitTimes } from '../../wire.ts';
import { inBoot, msText, readTimes, tookUs } from './boot-times.ts';

export function define(command: Command): void {
  command
    .option('--fuzz <time>', 'also units that came up so long before the last one; seconds without a unit', '0')
    .option('--no-pager', 'there is none')
    .option('--system', 'the system manager, as always')
    .option('-o, --output <form>', 'text, json or json-pretty')
    .option('-q, --quiet', 'the chain only')
    .option('--socket <path>', 'the API socket of another manager');
}

interface Link {
  readonly name: string;
  readonly activatingUs: number | undefined;
  readonly activatedUs: number | undefined;
  readonly tookUs: number;
  /** It stands in the chain above already. */
  readonly again: boolean;
  readonly after: readonly Link[];
}

/** Links of one chain; with a large --fuzz a chain could be far larger than its graph. */
const LINKS_MAX = 2000;

export function chainOf(root: string, times: Times, fuzzUs: number): Link {
  const byName = new Map(times.units.map((unit) => [unit.name, unit]));
  const seen = new Set<string>();
  const walk = (name: string): Link => {
    const unit = byName.get(name);
    const again = seen.has(name);
    seen.add(name);
    const before = again || seen.size > LINKS_MAX ? [] : (unit?.after ?? []);
    const came = before
      .map((other) => byName.get(other))
      .filter((other): other is UnitTimes => other !== undefined && inBoot(other, times))
      .sort((a, b) => (b.activatedUs ?? 0) - (a.activatedUs ?? 0) || (a.name < b.name ? -1 : 1));
    const last = came[0]?.activatedUs ?? 0;
    return {
      name,
      activatingUs: unit?.activatingUs ?? undefined,
      activatedUs: unit?.activatedUs ?? undefined,
      tookUs: unit === undefined ? 0 : tookUs(unit),
      again,
      after: came.filter(({ activatedUs }) => last - (activatedUs ?? 0) <= fuzzUs).map((other) => walk(other.name)),
    };
  };
  return walk(root);
}

function lines(chain: Link, { userspaceUs }: Times, { style }: Call): string[] {
  const label = ({ name, activatingUs, activatedUs, tookUs: us, again }: Link): string => {
    if (again) return `${name} …`;
    if (us > 0) return style.red(`${name} @${msText((activatingUs ?? 0) - userspaceUs)} +${msText(us)}`);
    return activatedUs && activatedUs > userspaceUs ? `${name} @${msText(activatedUs - userspaceUs)}` : name;
  };
  return branches(chain, label, ({ after }) => after);
}

export async function run(call: Call): Promise<number> {
  const { args, options } = call;
  const fuzz = parseSpanUs(String(options['fuzz'] ?? '0'), 1_000_000);
  if (typeof fuzz !== 'number') throw new CliError(`--fuzz=${String(options['fuzz'])}: not a time span`);
  const times = await readTimes(call);
  const names = args.length > 0 ? await expand(call, args) : [times.target];
  const missing = names.find((name) => !times.units.some((unit) => unit.name === name));
  if (missing !== undefined) throw new CliError(`Unit ${missing} is not in memory.`);
  const chains = names.map((name) => chainOf(name, times, fuzz));
  call.print(chains, () => [
    ...(call.quiet
      ? []
      : [
          'The time when unit became active or started is printed after the "@" character.',
          'The time the unit took to start is printed after the "+" character.',
          '',
        ]),
    ...chains.flatMap((chain) => lines(chain, times, call)),
  ]);
  return 0;
}
