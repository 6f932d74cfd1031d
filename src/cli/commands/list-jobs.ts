/** list-jobs, with what each job waits for, and cancel. */
import { globber } from '../../api/glob.ts';
import { CallError } from '../client.ts';
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';
import { unitPattern } from '../names.ts';
import { table } from '../output/table.ts';
import { spanText, US } from '../output/time.ts';
import type { Job } from '../wire.ts';
import { hasLegend } from './list-units.ts';

/** What each job waits for is told to people; a script that wants rows of columns gets it with --before only. */
const showsWaits = (call: Call): boolean =>
  call.options.before === true || (hasLegend(call) && call.options.plain !== true && call.options.after !== true);

const blocked = (job: Job, all: readonly Job[]): string[] =>
  all
    .filter((other) => other.waits.some(({ job: id }) => id === job.id))
    .map((other) => `    job ${other.id} (${other.type} ${other.unit}) waits for it`);

/** `(3s / 10min)`: for how long by now, and how long it may; what nobody limits is told of jobs that run. */
function timeWords({ state }: Job, { sinceUs, untilUs }: Job['waits'][number], nowUs: number): string {
  if (typeof sinceUs !== 'number') return '';
  const span = (us: number) => spanText(Math.max(0, us), US.s);
  if (typeof untilUs === 'number') return ` (${span(nowUs - sinceUs)} / ${span(untilUs - sinceUs)})`;
  return ` (${span(nowUs - sinceUs)}${state === 'running' ? ' / no limit' : ''})`;
}

async function list(call: Call): Promise<number> {
  const { client, style, args, options } = call;
  const { jobs: all } = await client.call<{ jobs: Job[] }>('io.sysmaster.Jobs.List');
  const fits = globber(args.map((word) => unitPattern(word)));
  const jobs = all.filter(({ unit }) => fits(unit));
  const nowUs = call.context.monotonicUs();
  call.print(
    jobs.map(({ id, ...job }) => ({ job: id, ...job })),
    () => {
      if (jobs.length === 0) return hasLegend(call) ? [`No jobs ${args.length > 0 ? 'listed' : 'running'}.`] : [];
      const rows = jobs.map(({ id, unit, type, state }) => ({
        cells: [String(id), unit, type, state],
        paint: (cell: string, index: number) => (index === 3 && state === 'running' ? style.green(cell) : cell),
      }));
      const header = hasLegend(call) ? { cells: ['JOB', 'UNIT', 'TYPE', 'STATE'], paint: style.underline } : undefined;
      const lines = table(rows, { header, columns: call.columns, full: true });
      const below = (job: Job): string[] => [
        ...(options.after === true ? blocked(job, all) : []),
        ...(showsWaits(call) ? job.waits.map((wait) => `    ${wait.why}${timeWords(job, wait, nowUs)}`) : []),
      ];
      const first = header === undefined ? 0 : 1;
      const told = lines.flatMap((line, at) => {
        const job = jobs[at - first];
        return job === undefined ? [line] : [line, ...below(job)];
      });
      return hasLegend(call) ? [...told, '', `${jobs.length} jobs listed.`] : told;
    },
  );
  return 0;
}

/** The jobs that would go, and those that would go with them because they need one of these. */
async function wouldCancel({ client, args, context, print }: Call): Promise<number> {
  const { jobs } = await client.call<{ jobs: Job[] }>('io.sysmaster.Jobs.List');
  const named = args.length === 0 ? jobs : jobs.filter(({ id }) => args.includes(String(id)));
  const missing = args.filter((word) => !jobs.some(({ id }) => String(id) === word));
  for (const word of missing) context.err(`Would fail to cancel job ${word}: Job ${word} does not exist.\n`);
  print({ canceled: named.map(({ id }) => id), dryRun: true }, () => [
    ...named.map(({ id, type, unit, by }) => `Would cancel job ${id} (${type} ${unit}), asked for by ${by}.`),
    ...(named.length === 0 && missing.length === 0 ? ['No jobs running.'] : []),
  ]);
  return missing.length > 0 ? 1 : 0;
}

async function cancel(call: Call): Promise<number> {
  const { client, args, context } = call;
  const canceled: number[] = [];
  let status = 0;
  const change = async (jobs: readonly number[] | undefined): Promise<number[]> => {
    const answer = await client.change<{ canceled: number[] }>('io.sysmaster.Jobs.Cancel', { jobs });
    canceled.push(...answer.canceled);
    return answer.canceled;
  };
  const fail = (word: string, why: string): void => {
    context.err(`Failed to cancel job ${word}: ${why}\n`);
    status = 1;
  };
  if (call.options.dryRun === true) return await wouldCancel(call);
  if (args.length === 0) await change(undefined);
  for (const word of args) {
    if (!/^\d+$/.test(word)) throw new CliError(`Failed to parse job id "${word}": Invalid argument`);
    // No job has such a number, and none that is sent may be one.
    if (!Number.isSafeInteger(Number(word))) {
      fail(word, `Job ${word} does not exist.`);
      continue;
    }
    try {
      if ((await change([Number(word)])).length === 0) fail(word, `Job ${word} does not exist.`);
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      fail(word, error.why);
    }
  }
  call.print({ canceled }, () => []);
  return status;
}

export const run = (call: Call): Promise<number> => (call.word === 'cancel' ? cancel(call) : list(call));
