/** What a request would do, with the reason for each job: `sctl start --dry-run web`, `sctl plan start web`. */
import type { Plan, Reason } from '../../jobs/types.ts';
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';
import { exitOfError } from '../exit.ts';
import { expand } from '../names.ts';
import type { Refusal } from '../wire.ts';

function originWords(origin: Plan['cuts'][number]['edge']['origin']): string {
  if ('file' in origin) return `${origin.file}:${origin.line}`;
  return 'link' in origin ? origin.link : `rule: ${origin.rule}`;
}

function reasonWords(reason: Reason): string {
  if ('asked' in reason) return `asked for: ${reason.asked}`;
  if ('isolate' in reason) return `${reason.isolate} is isolated`;
  if ('triggers' in reason) return `it triggers ${reason.triggers}`;
  const { from, kind, to, origin } = reason.edge;
  return `${from} ${kind} ${to}, from ${originWords(origin)}`;
}

function planLines({ jobs, notes, cuts, replaces }: Plan, { style }: Call): string[] {
  if (jobs.length === 0) return ['Nothing is to do.', ...notes];
  return [
    ...jobs.flatMap(({ unit, type, reasons, after }) => [
      `${type.padEnd(8)} ${style.bold(unit)}${after.length > 0 ? style.grey(`  after ${after.join(', ')}`) : ''}`,
      ...reasons.map((reason) => style.grey(`           ${reasonWords(reason)}`)),
    ]),
    ...replaces.map(({ job, unit, why }) => `${style.yellow('replaces')} job ${job} of ${unit}: ${why}`),
    ...cuts.map(
      ({ edge, ring, why }) =>
        `${style.yellow('cuts')}     ${edge.from} ${edge.kind} ${edge.to} (${originWords(edge.origin)}) in the ring ${ring.join(' → ')}: ${why}`,
    ),
    ...notes.map((note) => `note     ${note}`),
    '',
    `${jobs.length} jobs.`,
  ];
}

/** Show what `verb` of these units would do; nothing is changed. Each unit is planned by itself, as a request does it. */
export async function showPlan(call: Call, verb: string, units: readonly string[]): Promise<number> {
  const { client, options, context } = call;
  const plans: Plan[] = [];
  let status = 0;
  for (const unit of units) {
    const { plan, refusal } = await client.call<{ plan?: Plan; refusal?: Refusal | null }>('io.sysmaster.Jobs.Plan', {
      verb,
      units: [unit],
      mode: options.jobMode,
    });
    if (plan) plans.push(plan);
    else if (refusal) {
      context.err(`Would fail to ${verb} ${unit}: ${refusal.why}${refusal.todo === '' ? '' : `; ${refusal.todo}`}\n`);
      status ||= exitOfError(refusal.error);
    }
  }
  call.print(plans, () => plans.flatMap((plan, index) => [...(index > 0 ? [''] : []), ...planLines(plan, call)]));
  return status;
}

export async function run(call: Call): Promise<number> {
  const [verb = '', ...words] = call.args;
  if (words.length === 0) throw new CliError('Too few arguments.');
  return await showPlan(call, verb, await expand(call.client, words));
}
