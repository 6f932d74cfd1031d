/** analyze timespan: spans in their normal form (systemd-analyze(1)). It stops at the first that is none. */
import type { Command } from 'commander';
import { formatSpanUs, parseSpanExact } from '../../../units/syntax/timespan.ts';
import type { Call } from '../../command.ts';
import { between, defineTimes, refusalOf, refuse, rows, texts, zonesFor } from './times.ts';

const INFINITY_US = 2n ** 64n - 1n;

export function define(command: Command): void {
  defineTimes(command);
}

export async function run(call: Call): Promise<number> {
  const words = await texts(call);
  const blocks: string[][] = [];
  const data: object[] = [];
  let status = 0;
  for (const [index, text] of words.entries()) {
    const parsed = parseSpanExact(text, 1_000_000);
    if ('fault' in parsed) {
      refuse(call, zonesFor(call), text, `Failed to parse time span '${text}'`, parsed, 'timespan');
      data.push(refusalOf(text, parsed));
      if (index > 0) blocks.push([]);
      status = 1;
      break;
    }
    const us = parsed.value === 'infinity' ? INFINITY_US : parsed.value;
    const human = formatSpanUs(us);
    blocks.push(
      rows([
        ['Original:', text],
        ['\u03bcs:', String(us)],
        ['Human:', human],
      ]),
    );
    data.push({ original: text, us: String(us), human });
  }
  call.print(data, () => between(blocks));
  return status;
}
