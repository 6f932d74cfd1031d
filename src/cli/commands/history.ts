/** history: what happened to units, jobs and core, each with its cause. */
import type { Call } from '../command.ts';
import { unitPattern } from '../names.ts';
import { userName, withUserNames } from '../output/cause.ts';
import { dateText } from '../output/time.ts';
import type { HistoryRecord } from '../wire.ts';

const RECORDS = 100;

export async function run(call: Call): Promise<number> {
  const { client, args, options, style } = call;
  const { records } = await client.call<{ records: HistoryRecord[] }>('io.sysmaster.Insight.History', {
    units: args.map((word) => unitPattern(word)),
    count: options.lines ?? (options.all === true ? 1_000_000 : RECORDS),
  });
  if (options.reverse === true) records.reverse();
  const line = ({ at, kind, unit, what, cause }: HistoryRecord): string => {
    const bad =
      kind === 'refused' ||
      kind === 'stall' ||
      kind === 'cut' ||
      / failed \(|over: (failed|timeout|dependency)/.test(what);
    const colour = bad ? style.red : kind === 'request' ? style.bold : (text: string) => text;
    const why = cause === '' ? '' : style.grey(`; ${withUserNames(cause, userName)}`);
    const ms = String(Math.floor((at.realUs % 1e6) / 1000)).padStart(3, '0');
    return `${dateText(at.realUs).slice(4, 23)}.${ms} ${unit === '' ? '' : `${unit}: `}${colour(what)}${why}`;
  };
  call.print(records, () => (records.length === 0 ? ['Nothing is recorded.'] : records.map(line)));
  return 0;
}
