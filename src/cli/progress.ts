/**
 * What a person at a terminal sees while a command waits for its jobs: which run, which wait, and for what.
 *
 * Drawn on standard error after a second, drawn again twice a second, and removed at the end, so that nothing of it stays; nothing
 * at all where standard error or output is no terminal. It asks over a connection of its own, since the command's waits for its answer.
 */
import type { Client } from './client.ts';
import { createClient } from './client.ts';
import type { Call } from './command.ts';
import { CliError } from './context.ts';
import { spanText } from './output/time.ts';
import type { Job } from './wire.ts';

const FIRST_MS = 1000;
const EVERY_MS = 500;
/** Jobs that are named. */
const LINES_MAX = 8;

/** The block for these jobs, no line longer than the terminal; `own`: units that were asked for, which come first. */
export function progressBlock(
  jobs: readonly Job[],
  own: ReadonlySet<string>,
  nowUs: number,
  columns: number,
): string[] {
  if (jobs.length === 0) return [];
  const running = jobs.filter(({ state }) => state === 'running').length;
  const sorted = [...jobs].sort((a, b) => rank(a, own) - rank(b, own) || a.id - b.id);
  const width = Math.max(...sorted.slice(0, LINES_MAX).map(({ unit, type }) => unit.length + type.length + 1));
  const line = ({ unit, type, state, started, created, waits }: Job): string => {
    const since = spanText(Math.max(0, nowUs - (started ?? created).monotonicUs), 1_000_000);
    const others = waits.flatMap(({ job, unit: other }) => (job && other ? [`${other} (job ${job})`] : []));
    const pid = waits.find((wait) => wait.pid)?.pid;
    const why =
      state === 'running'
        ? `runs${pid ? `, process ${pid}` : ''}`
        : others.length > 0
          ? `waits for ${others.join(', ')}`
          : (waits[0]?.why ?? 'waits');
    return `  ${`${type} ${unit}`.padEnd(width)}  ${since.padStart(8)}  ${why}`;
  };
  const head = `${jobs.length} ${jobs.length === 1 ? 'job' : 'jobs'}: ${running} running, ${jobs.length - running} waiting`;
  const more =
    sorted.length > LINES_MAX ? [`  … and ${sorted.length - LINES_MAX} more; sctl list-jobs names them`] : [];
  return [head, ...sorted.slice(0, LINES_MAX).map(line), ...more].map((text) => cut(text, columns));
}

const rank = (job: Job, own: ReadonlySet<string>): number => (own.has(job.unit) ? 0 : job.state === 'running' ? 1 : 2);

const cut = (text: string, columns: number): string =>
  text.length > columns ? `${text.slice(0, Math.max(0, columns - 1))}…` : text;

/** From the start of the block before to a clean screen below it. */
const erase = (lines: number): string => (lines === 0 ? '' : `\u001b[${lines}F\u001b[J`);

export interface Progress {
  /** Remove it; resolves when nothing more will be drawn. */
  end(): Promise<void>;
}

const NONE: Progress = { end: async () => {} };

/** Begin to show; does nothing where there is no terminal, or with --quiet, --no-block or JSON. */
export function showProgress(
  call: Call,
  units: readonly string[],
  another: () => Client = () => createClient(call.context, call.client.path, true),
): Progress {
  const { context } = call;
  if (!context.terminal || context.errorTerminal === false || call.quiet || call.json || context.env['TERM'] === 'dumb')
    return NONE;
  const own = new Set(units);
  let over = false;
  let drawn = 0;
  let wake = () => {};
  const ended = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const run = async (): Promise<void> => {
    await Promise.race([context.pause(FIRST_MS), ended]);
    if (over) return;
    const client = another();
    try {
      while (!over) {
        const { jobs } = await client.call<{ jobs: Job[] }>('io.sysmaster.Jobs.List');
        if (over) break;
        const block = progressBlock(jobs, own, context.monotonicUs(), context.columns);
        context.err(`${erase(drawn)}${block.map((line) => `${line}\n`).join('')}`);
        drawn = block.length;
        await Promise.race([context.pause(EVERY_MS), ended]);
      }
    } catch (error) {
      // The command itself says what is wrong with core; this is only for show.
      if (!(error instanceof CliError)) throw error;
    } finally {
      client.close();
    }
  };
  const running = run();
  return {
    async end() {
      over = true;
      wake();
      await running;
      if (drawn > 0) context.err(erase(drawn));
    },
  };
}
