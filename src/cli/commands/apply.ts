/** apply: carry out a plan that was made before, or say what has moved since; with --confirm-within it is undone unless confirmed. */
import { readFileSync } from 'node:fs';
import { planId, stateHash } from '../../jobs/plan-id.ts';
import type { PlanDocument } from '../../jobs/types.ts';
import { parseSpan } from '../../units/syntax/timespan.ts';
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';
import { exitOfError } from '../exit.ts';
import { planLines } from '../output/plan.ts';
import { spanText } from '../output/time.ts';
import { whileWaiting } from '../progress.ts';
import type { Outcome } from '../wire.ts';
import { tellOutcomes } from './jobs.ts';
import { type Planned, refusalLines } from './plan.ts';

/** Characters of the state of the units that are sent along; a plan of more is applied all the same, but what has moved cannot be told. */
const MAX_STATE = 700_000;
const ID = /^[0-9a-f]{12}$/;

/** A plan file: JSON that says it is a plan. What is in it is core's to judge. */
async function readPlan({ context }: Call, path: string): Promise<PlanDocument> {
  let text: string;
  try {
    text = path === '-' ? await context.input() : readFileSync(path, 'utf8');
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (error as Error).message;
    throw new CliError(
      `${path}: cannot be read: ${why}; name a file of ${context.name} plan --save, or the id of a plan`,
      1,
      error,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CliError(
      `${path}: not a plan: ${printable((error as Error).message)}; make one with ${context.name} plan VERB UNIT… --save FILE`,
      1,
      error,
    );
  }
  if (typeof value !== 'object' || value === null || (value as PlanDocument).format !== 'sysmaster-plan')
    throw new CliError(
      `${path}: not a plan: its format is not sysmaster-plan; make one with ${context.name} plan VERB UNIT… --save FILE`,
    );
  const plan = value as PlanDocument;
  if (!isWhole(plan))
    throw new CliError(
      `${path}: its id does not belong to what stands in it: the file was changed after it was made; make it again with ${context.name} plan VERB UNIT… --save FILE`,
    );
  return plan;
}

/** What a parser says of a file may hold pieces of it, and they may be anything. */
const printable = (text: string): string => text.replace(/[^\x20-\x7e]+/g, '?').slice(0, 200);

/** Is the id that of these jobs, this state, this request? What cannot be told is left to core, which says what is wrong with it. */
function isWhole({ version, id, request, state, jobs, replaces }: PlanDocument): boolean {
  if (version !== 1 || !ID.test(id)) return true;
  if (!isRecord(request) || !isRecord(state) || !isRecord(state.units)) return true;
  try {
    const hash = stateHash(state.units);
    return hash === state.hash && planId(request, hash, jobs, replaces) === id;
  } catch (error) {
    // Some part has not the shape of a plan's.
    if (error instanceof TypeError) return false;
    throw error;
  }
}

const isRecord = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** What core wants of a plan. */
function essentials({ format, version, id, machineId, bootId, request, state }: PlanDocument): object {
  const long = JSON.stringify(state ?? null).length > MAX_STATE;
  return { format, version, id, machineId, bootId, request, state: long ? { hash: state.hash } : state };
}

/** The time to confirm in, in µs. */
export function confirmWithinUs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseSpan(text);
  if (ms === undefined || ms === 'infinity' || ms <= 0)
    throw new CliError(`--confirm-within=${text}: not a time span; use one like 2min or 30s`);
  return Math.round(ms * 1000);
}

/** What the plan's request would do now, and whether that is still the plan. */
async function dryRun(call: Call, plan: PlanDocument | undefined): Promise<number> {
  if (plan === undefined) throw new CliError('--dry-run needs the plan itself: name the file it was saved to');
  const { client, context, style, options } = call;
  const { verb, units, mode, also } = plan.request;
  if (also !== undefined)
    throw new CliError('--dry-run: this plan restores a snapshot; see sctl snapshot restore NAME --plan');
  const now = await client.call<Planned>('io.sysmaster.Jobs.Plan', { verb, units, mode });
  if (now.refusal) {
    context.err(`${refusalLines(`Plan ${plan.id} would be refused`, now.refusal).join('\n')}\n`);
    return exitOfError(now.refusal.error);
  }
  const same = now.plan?.id === plan.id;
  if (!same)
    context.err(`Plan ${plan.id} would be refused: the world has moved since; this is what would be done now.\n`);
  call.print(now.plan, () => (now.plan ? planLines(now.plan, options.output, style) : []));
  return same ? 0 : 1;
}

export async function run(call: Call): Promise<number> {
  const { args, options, client } = call;
  const word = args[0] ?? '';
  const plan = ID.test(word) ? undefined : await readPlan(call, word);
  if (options.dryRun === true) return await dryRun(call, plan);
  const within = confirmWithinUs(options.confirmWithin);
  const id = plan?.id ?? word;
  const noBlock = options.block === false;
  const ask = () =>
    client.change<{ outcomes: Outcome[] }>('io.sysmaster.Jobs.Apply', {
      ...(plan === undefined ? { id } : { plan: essentials(plan) }),
      confirmWithinUs: within,
      noBlock,
      transaction: options.showTransaction === true,
    });
  const { outcomes } = noBlock ? await ask() : await whileWaiting(call, unitsOf(plan), ask);
  const status = await tellOutcomes(call, 'apply', outcomes);
  tellConfirm(call, within, id, outcomes);
  return status;
}

/** The units that a plan was asked for, as far as it is a plan. */
const unitsOf = (plan: PlanDocument | undefined): readonly string[] =>
  Array.isArray(plan?.request?.units) ? plan.request.units : [];

/** What is undone by itself is said, with the way to keep it. */
export function tellConfirm(call: Call, within: number | undefined, id: string, outcomes: readonly Outcome[]): void {
  const refused = outcomes.some(({ refusal }) => refusal !== undefined && refusal !== null);
  if (within === undefined || refused || call.json) return;
  call.warn(`It is undone in ${spanText(within, 1000)} unless it is confirmed: ${call.context.name} confirm ${id}`);
}
