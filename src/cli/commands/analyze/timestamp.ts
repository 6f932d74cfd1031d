/** analyze timestamp: moments in their normal form (systemd-analyze(1)). */
import type { Command } from 'commander';
import { momentText, parseMoment } from '../../../units/time/timestamp.ts';
import { UTC } from '../../../units/time/zone.ts';
import type { Call } from '../../command.ts';
import { agoText } from '../../output/time.ts';
import { between, defineTimes, nowFor, refusalOf, refuse, rows, texts, zonesFor } from './times.ts';

const MICRO = 1_000_000n;
const INFINITY_US = 2n ** 64n - 1n;

export function define(command: Command): void {
  defineTimes(command);
}

/** `@1395716396`, with six decimal places where they are not all 0. */
function secondsText(us: bigint): string {
  const rest = us % MICRO;
  return `@${us / MICRO}${rest === 0n ? '' : `.${String(rest).padStart(6, '0')}`}`;
}

export async function run(call: Call): Promise<number> {
  const words = await texts(call);
  const zones = zonesFor(call);
  const blocks: string[][] = [];
  const data: object[] = [];
  let status = 0;
  for (const text of words) {
    const parsed = parseMoment(text, nowFor(call), zones);
    if ('fault' in parsed) {
      refuse(call, zones, text, `Failed to parse "${text}"`, parsed, 'timestamp');
      data.push(refusalOf(text, parsed));
      blocks.push([]);
      status = 1;
      continue;
    }
    const us = parsed.value;
    const normalized = momentText(us, zones.local);
    const utc = momentText(us, UTC);
    const known = us > 0n && us < INFINITY_US;
    blocks.push(
      rows([
        ['Original form:', text],
        ['Normalized form:', normalized],
        ...(zones.local.isUtc ? [] : ([['(in UTC):', utc]] as const)),
        ['UNIX seconds:', secondsText(us)],
        ['From now:', known ? agoText(Number(us), call.context.nowUs()) : '-'],
      ]),
    );
    data.push({ original: text, normalized, utc, us: String(us) });
  }
  call.print(data, () => between(blocks));
  return status;
}
