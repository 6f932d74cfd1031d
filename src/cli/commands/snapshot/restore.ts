/** snapshot restore: unit files first, then a plan like any other. */
import type { Call } from '../../command.ts';
import { exitOfError } from '../../exit.ts';
import { planLines } from '../../output/plan.ts';
import { whileWaiting } from '../../progress.ts';
import type { Outcome } from '../../wire.ts';
import { confirmWithinUs, tellConfirm } from '../apply.ts';
import { tellOutcomes } from '../jobs.ts';
import { type Planned, refusalLines, savePlan } from '../plan.ts';

interface Restoring extends Planned {
  readonly files: readonly { readonly verb: string; readonly unit: string; readonly runtime: boolean }[];
  readonly notes: readonly string[];
}

async function show(call: Call, name: string): Promise<number> {
  const { client, context, options, style } = call;
  const answer = await client.call<Restoring>('io.sysmaster.Snapshots.Plan', { name });
  const { plan, refusal, files, notes } = answer;
  if (refusal) {
    context.err(`${refusalLines(`Would fail to restore ${name}`, refusal).join('\n')}\n`);
    return exitOfError(refusal.error);
  }
  if (options.save !== undefined && plan) {
    savePlan(call, plan, options.save);
    if (files.length > 0)
      call.warn(
        `Unit files are not part of the saved plan; ${context.name} snapshot restore ${name} changes them, too.`,
      );
  }
  if (options.save === '-') return 0;
  const graph = options.output === 'dot' || options.output === 'tree';
  call.print({ plan: plan ?? null, files, notes }, () => [
    ...(graph
      ? []
      : files.map(
          ({ verb, unit, runtime }) => `${verb.padEnd(8)} ${style.bold(unit)}${runtime ? '  until the next boot' : ''}`,
        )),
    ...(graph ? [] : notes.map((note) => `note     ${note}`)),
    ...(plan ? planLines(plan, options.output, style) : ['No unit is to be started or stopped.']),
  ]);
  return 0;
}

export async function run(call: Call): Promise<number> {
  const { args, options, client } = call;
  const name = args[0] ?? '';
  if (options.plan === true || options.dryRun === true || options.save !== undefined) return await show(call, name);
  const within = confirmWithinUs(options.confirmWithin);
  const noBlock = options.block === false;
  const ask = () =>
    client.change<{ outcomes: Outcome[] }>('io.sysmaster.Snapshots.Restore', {
      name,
      confirmWithinUs: within,
      noBlock,
      transaction: options.showTransaction === true,
    });
  const { outcomes } = noBlock ? await ask() : await whileWaiting(call, [], ask);
  for (const note of new Set(outcomes.flatMap(({ notes }) => notes))) call.warn(note);
  const status = await tellOutcomes(
    call,
    'restore',
    outcomes.map((outcome) => ({ ...outcome, notes: [] })),
  );
  await tellConfirm(call, within, name, outcomes);
  return status;
}
