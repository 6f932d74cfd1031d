/** What a request would do, with the reason for each job: `sctl start --dry-run web`, `sctl plan start web`. */
import { writeFileSync } from 'node:fs';
import { type PlanDocument, REQUEST_VERBS } from '../../jobs/types.ts';
import { CallError } from '../client.ts';
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';
import { exitOfError } from '../exit.ts';
import { expand } from '../names.ts';
import { planLines } from '../output/plan.ts';
import type { Refusal } from '../wire.ts';
import { isIdle } from './idle.ts';
import { VERBS } from './verbs.ts';

/** How often a plan is made anew because it has moved while it was to be kept. */
const TRIES = 3;

/** What may be asked of units, besides isolate. */
const PLANNED: readonly string[] = REQUEST_VERBS;

export interface Planned {
  readonly plan?: PlanDocument | null;
  readonly refusal?: Refusal | null;
}

/** A refusal in full: why, each detail, what to do. */
export function refusalLines(intro: string, { why, todo, details }: Refusal): string[] {
  return [`${intro}: ${why}${todo === '' ? '' : `; ${todo}`}`, ...(details ?? []).map((line) => `  ${line}`)];
}

/**
 * Show what `verb` of these units would do; nothing is changed. Each unit is planned by itself, as a request does it; with `ending` as the
 * end of the system does it.
 */
export async function showPlan(
  call: Call,
  verb: string,
  units: readonly string[],
  mode = call.options.jobMode,
  ending?: true,
): Promise<number> {
  const { client, context, options, style } = call;
  const plans: PlanDocument[] = [];
  let status = 0;
  const asked = units.map((unit) => ({ verb, units: [unit], mode, ending }));
  for (const [index, answer] of (await client.calls<Planned>('io.sysmaster.Jobs.Plan', asked)).entries()) {
    if (answer instanceof CallError) throw answer;
    const unit = units[index];
    const { plan, refusal } = answer;
    if (plan) plans.push(plan);
    else if (isIdle(verb, refusal?.error)) call.warn(`${unit}: nothing would be done: ${refusal?.why}`);
    else if (refusal) {
      context.err(`${refusalLines(`Would fail to ${verb} ${unit}`, refusal).join('\n')}\n`);
      status ||= exitOfError(refusal.error);
    }
  }
  call.print(plans, () =>
    plans.flatMap((plan, index) => [...(index > 0 ? [''] : []), ...planLines(plan, options.output, style)]),
  );
  return status;
}

/** Write a plan to a file; `-` is standard output. */
export function savePlan(call: Call, plan: PlanDocument, path: string): void {
  const text = `${JSON.stringify(plan, undefined, 2)}\n`;
  if (path === '-') return call.context.out(text);
  try {
    writeFileSync(path, text, { mode: 0o600 });
  } catch (error) {
    throw new CliError(`Cannot save the plan: ${(error as Error).message}`, 1, error);
  }
}

/** The plan for all units together, kept by core under its id where the caller may have it kept. */
async function keptPlan(call: Call, verb: string, units: readonly string[]) {
  const { client, options } = call;
  const asked = { verb, units, mode: options.jobMode };
  for (let left = TRIES; ; left -= 1) {
    const { plan, refusal } = await client.call<Planned>('io.sysmaster.Jobs.Plan', asked);
    if (!plan) return { refusal: refusal ?? undefined };
    try {
      await client.change('io.sysmaster.Jobs.Keep', { ...asked, id: plan.id });
      return { plan, kept: true };
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      if (error.short === 'AccessDenied' || left <= 1) return { plan, kept: false };
      if (error.short !== 'PlanMoved') throw error;
    }
  }
}

export async function run(call: Call): Promise<number> {
  const { context, options, style } = call;
  const [asked = '', ...words] = call.args;
  const verb = VERBS[asked] ?? asked;
  if (words.length === 0) throw new CliError('Too few arguments.');
  const isolates = verb === 'isolate';
  if (!isolates && !PLANNED.includes(verb)) {
    // What is no job may still be tried.
    const tries = call.commands[asked]?.options?.includes('dryRun') === true;
    const dry = tries ? ` ${context.name} ${asked} --dry-run shows what that would do.` : '';
    throw new CliError(`${asked} is not a job; use one of isolate, ${PLANNED.join(', ')}.${dry}`);
  }
  const own: Call = isolates ? { ...call, options: { ...options, jobMode: 'isolate' } } : call;
  const units = await expand(call, words, isolates ? 'target' : 'service');
  if (units.length === 0) throw new CliError(`No units in memory match ${words.join(' ')}.`);
  const { plan, refusal, kept } = await keptPlan(own, isolates ? 'start' : verb, units);
  if (refusal !== undefined) {
    context.err(`${refusalLines(`Would fail to ${verb} ${units.join(' ')}`, refusal).join('\n')}\n`);
    return exitOfError(refusal.error);
  }
  if (plan === undefined) throw new CliError('Core answered with neither a plan nor a refusal.');
  const file = options.save;
  if (file !== undefined) savePlan(call, plan, file);
  if (file === '-') return 0;
  const bare = options.output === 'dot' || options.output === 'tree';
  call.print(plan, () => [
    ...planLines(plan, options.output, style),
    ...(bare || (!kept && file === undefined) ? [] : [`To do it: ${context.name} apply ${file ?? plan.id}`]),
  ]);
  return 0;
}
