/** logs: log lines of units, read from their files; core is not needed, and not asked unless its files are elsewhere. */
import type { Command } from 'commander';
import { globber } from '../../api/glob.ts';
import type { Zones } from '../../units/time/zones.ts';
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';
import { type Entry, priorityTest } from '../logs/entry.ts';
import { DEFAULT_DIRECTORIES, findFiles, logDirectories, readLogs } from '../logs/files.ts';
import { follow } from '../logs/follow.ts';
import { FORMS, formatEntry } from '../logs/format.ts';
import { parseTimestamp } from '../logs/timestamp.ts';
import { unitPattern } from '../names.ts';
import { localZones } from '../output/time.ts';
import type { ManagerState } from '../wire.ts';

const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

export function define(command: Command): void {
  command
    .option('-u, --unit <unit>', 'of this unit; globs too', collect)
    .option('-t, --identifier <name>', 'of this program', collect)
    .option('-f, --follow', 'go on with new lines')
    .option('-n, --lines <count>', 'the last so many; all')
    .option('-S, --since <time>', 'not older: "2026-11-22 10:00", -1h, yesterday, "10 min ago"')
    .option('-U, --until <time>', 'not newer')
    .option('-p, --priority <level>', 'as urgent as this: err, warning, …, or a range a..b')
    .option('-g, --grep <pattern>', 'that match a regular expression')
    .option('-o, --output <form>', FORMS.join(', '))
    .option('-r, --reverse', 'newest first')
    .option('-D, --directory <path>', 'log files from elsewhere')
    .option('--no-hostname', 'without the name of the machine')
    .option('--no-tail', 'with --follow: all lines, not the last ten')
    .option('-e, --pager-end', 'the last 1000 lines')
    .option('-q, --quiet', 'no notes')
    .option('--socket <path>', 'the API socket of another manager')
    .option('-b, --boot [boot]', 'taken as journalctl does; logs are of this boot')
    .option('-x, --catalog', 'taken as journalctl does')
    .option('-l, --full', 'do not cut lines')
    .option('-a, --all', 'taken as journalctl does')
    .option('--no-pager', 'there is none')
    .option('-m, --merge', 'taken as journalctl does');
}

interface LogOptions {
  readonly unit?: string[];
  readonly identifier?: string[];
  readonly follow?: boolean;
  readonly lines?: string;
  readonly since?: string;
  readonly until?: string;
  readonly priority?: string;
  readonly grep?: string;
  readonly output?: string;
  readonly reverse?: boolean;
  readonly directory?: string;
  readonly hostname?: boolean;
  readonly tail?: boolean;
  readonly pagerEnd?: boolean;
  readonly boot?: string | boolean;
  readonly full?: boolean;
  readonly socket?: string;
}

function keeper(
  options: LogOptions,
  nowUs: number,
  zones: Zones,
): { readonly keep: (entry: Entry) => boolean; readonly sinceUs: number } {
  const moment = (text: string | undefined, otherwise: number): number => {
    if (text === undefined) return otherwise;
    const us = parseTimestamp(text, nowUs, zones);
    if (us === undefined)
      throw new CliError(
        `Failed to parse timestamp: ${text}; write it like "2026-11-22 10:00", "-1h", "yesterday" or "10 min ago"`,
      );
    return us;
  };
  const sinceUs = moment(options.since, Number.NEGATIVE_INFINITY);
  const untilUs = moment(options.until, Number.POSITIVE_INFINITY);
  if (sinceUs > untilUs) throw new CliError('--since= must be before --until=.');
  const urgent = options.priority === undefined ? () => true : priorityTest(options.priority);
  if (urgent === undefined)
    throw new CliError(
      `Unknown log level ${options.priority}: use emerg, alert, crit, err, warning, notice, info, debug, or 0 to 7`,
    );
  let pattern: RegExp | undefined;
  try {
    // As journalctl: a pattern in lower case ignores case.
    pattern =
      options.grep === undefined
        ? undefined
        : new RegExp(options.grep, options.grep === options.grep.toLowerCase() ? 'i' : '');
  } catch (error) {
    throw new CliError(`Bad pattern "${options.grep}": ${(error as Error).message}`);
  }
  const identifiers = options.identifier;
  const keep = (entry: Entry): boolean =>
    entry.t >= sinceUs &&
    entry.t <= untilUs &&
    urgent(entry.p) &&
    (identifiers === undefined || identifiers.includes(entry.i)) &&
    (pattern === undefined || pattern.test(entry.msg));
  return { keep, sinceUs };
}

function limitOf({ lines, since, pagerEnd, follow: follows, tail }: LogOptions): number {
  if (lines === 'all' || lines === '+all') return Number.POSITIVE_INFINITY;
  if (lines !== undefined) {
    if (!/^\d+$/.test(lines)) throw new CliError(`Failed to parse lines '${lines}'.`);
    return Number(lines);
  }
  if (pagerEnd === true) return 1000;
  return follows === true && tail !== false && since === undefined ? 10 : Number.POSITIVE_INFINITY;
}

/** Asks core only where the usual places cannot be meant: another socket. */
async function directoriesOf(call: Call, options: LogOptions): Promise<string[]> {
  if (options.directory !== undefined) return [options.directory];
  const { context, client } = call;
  const elsewhere =
    (options.socket ?? context.env['SYSMASTER_SOCKET']) !== undefined && (context.env['SYSMASTER_LOGS'] ?? '') === '';
  if (!elsewhere) return logDirectories(context, undefined);
  try {
    const { manager } = await client.call<{ manager: ManagerState }>('io.sysmaster.Manager.Get');
    return manager.logDirectory === '' ? DEFAULT_DIRECTORIES : [manager.logDirectory];
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    call.warn(`-- ${error.message}; looking in ${DEFAULT_DIRECTORIES.join(' and ')} --`);
    return logDirectories(context, undefined);
  }
}

export async function run(call: Call): Promise<number> {
  const options = call.options as unknown as LogOptions;
  const { context, style } = call;
  const form = options.output ?? 'short';
  if (!(FORMS as readonly string[]).includes(form))
    throw new CliError(`Unknown output format '${form}': use one of ${FORMS.join(', ')}`);
  if (options.boot !== undefined && options.boot !== true && options.boot !== '0' && options.boot !== '-0')
    call.warn('-- logs of other boots are not kept apart; showing what there is --');
  const { keep: fits, sinceUs } = keeper(options, context.nowUs(), localZones(context.env['TZ']));
  const limit = limitOf(options);
  const patterns = [...(options.unit ?? []), ...call.args].map((word) => unitPattern(word));
  const wanted = globber(patterns);
  const keep = (entry: Entry): boolean => fits(entry) && (patterns.length === 0 || wanted(entry.u));
  const directories = await directoriesOf(call, options);
  const columns =
    context.terminal && options.full !== true && options.follow !== true ? context.columns : Number.POSITIVE_INFINITY;
  const show = (entry: Entry): void =>
    context.out(`${formatEntry(entry, { form, style, columns, hostname: options.hostname !== false })}\n`);

  // Following begins before reading, so that no line falls between.
  const follower = options.follow === true ? await follow(directories, wanted) : undefined;
  const files = await findFiles(directories, wanted);
  const { entries, torn } = await readLogs(files, limit, sinceUs, keep);
  for (const entry of options.reverse === true ? entries.reverse() : entries) show(entry);
  if (torn > 0)
    call.warn(
      `-- ${torn} ${torn === 1 ? 'line' : 'lines'} could not be read and ${torn === 1 ? 'was' : 'were'} left out --`,
    );
  if (follower === undefined) {
    if (entries.length === 0)
      call.warn(
        files.length === 0 && patterns.length > 0
          ? `-- No entries: no log file for ${patterns.join(', ')} in ${directories.join(' or ')} --`
          : '-- No entries --',
      );
    return 0;
  }
  // A line that was written between the follower's start and our reading is in both.
  const seen = new Set(entries.slice(-1000).map((entry) => JSON.stringify(entry)));
  for (let batch = await follower.next(); batch !== undefined; batch = await follower.next()) {
    for (const entry of batch) {
      if (!keep(entry) || (seen.size > 0 && seen.delete(JSON.stringify(entry)))) continue;
      show(entry);
    }
  }
  return 0;
}
