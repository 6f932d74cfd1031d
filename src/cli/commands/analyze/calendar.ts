/** analyze calendar: calendar events in their normal form, and when they come next (systemd-analyze(1)). */
import type { Command } from 'commander';
import { parseInteger } from '../../../units/syntax/scalar.ts';
import { type Calendar, parseCalendar } from '../../../units/time/calendar.ts';
import { nextElapse } from '../../../units/time/calendar-next.ts';
import { calendarText } from '../../../units/time/calendar-text.ts';
import { momentText, parseMoment } from '../../../units/time/timestamp.ts';
import { UTC } from '../../../units/time/zone.ts';
import type { Zones } from '../../../units/time/zones.ts';
import type { Call } from '../../command.ts';
import { CliError } from '../../context.ts';
import { agoText } from '../../output/time.ts';
import { between, defineTimes, nowFor, refusalOf, refuse, rows, texts, zonesFor } from './times.ts';

/** The moment beyond all others: every event is over by then. */
const INFINITY_US = 2n ** 64n - 1n;

export function define(command: Command): void {
  defineTimes(command)
    .option('--iterations <count>', 'how many of the next times', '1')
    .option('--base-time <timestamp>', 'the next times after this one, instead of now');
}

function iterationsOf(call: Call): number {
  const text = String(call.options['iterations']);
  const count = parseInteger(text, 0, 4_294_967_295);
  if (count === undefined) throw new CliError(`Failed to parse iterations: ${text}`);
  return count;
}

function baseOf(call: Call, zones: Zones): bigint {
  const text = call.options['baseTime'];
  if (typeof text !== 'string') return nowFor(call);
  const parsed = parseMoment(text, nowFor(call), zones);
  if ('fault' in parsed) throw new CliError(`Failed to parse --base-time= parameter: ${text}`);
  return parsed.value === INFINITY_US ? nowFor(call) : parsed.value;
}

interface Elapses {
  /** In µs since 1970. */
  readonly moments: readonly number[];
  /** No answer was found within the bound of the search. */
  readonly endless: boolean;
}

function elapses(calendar: Calendar, base: bigint, count: number, zones: Zones): Elapses {
  const moments: number[] = [];
  let at = Number(base);
  while (moments.length < count) {
    const next = nextElapse(calendar, at, zones);
    if (next === 'endless') return { moments, endless: true };
    if (next === 'never') break;
    moments.push(next);
    at = next;
  }
  return { moments, endless: false };
}

function block(text: string, normal: string, found: Elapses, count: number, call: Call, zones: Zones): string[] {
  const pairs: (readonly [string, string])[] = [];
  if (normal !== text) pairs.push(['Original form:', text]);
  pairs.push(['Normalized form:', normal]);
  for (const [index, us] of found.moments.entries()) {
    pairs.push([index === 0 ? 'Next elapse:' : `Iter. #${index + 1}:`, momentText(BigInt(us), zones.local)]);
    if (!zones.local.isUtc) pairs.push(['(in UTC):', momentText(BigInt(us), UTC)]);
    pairs.push(['From now:', agoText(us, call.context.nowUs())]);
  }
  if (found.moments.length === 0 && count > 0) pairs.push(['Next elapse:', 'never']);
  return rows(pairs);
}

export async function run(call: Call): Promise<number> {
  const words = await texts(call);
  const zones = zonesFor(call);
  const count = iterationsOf(call);
  const base = baseOf(call, zones);
  const blocks: string[][] = [];
  const data: object[] = [];
  let status = 0;
  for (const text of words) {
    const parsed = parseCalendar(text, zones);
    if ('fault' in parsed) {
      refuse(call, zones, text, `Failed to parse calendar specification '${text}'`, parsed, 'calendar');
      data.push(refusalOf(text, parsed));
      blocks.push([]);
      status = 1;
      continue;
    }
    const normal = calendarText(parsed.value, zones.local);
    const found = elapses(parsed.value, base, count, zones);
    data.push({
      original: text,
      normalized: normal,
      next: found.moments.map((us) => ({
        us,
        local: momentText(BigInt(us), zones.local),
        utc: momentText(BigInt(us), UTC),
      })),
      ...(found.endless ? { error: { why: 'no next time was found within the bound of the search' } } : {}),
    });
    if (found.endless) {
      call.context.err(
        `Failed to determine next elapse for '${text}': no next time was found within the bound of the search\n`,
      );
      blocks.push([]);
      status = 1;
    } else blocks.push(block(text, normal, found, count, call, zones));
  }
  call.print(data, () => between(blocks));
  return status;
}
