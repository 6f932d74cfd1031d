/** apply: carry out a plan that was made before, or say what has moved since; with --confirm-within it is undone unless confirmed. */
import { closeSync, constants, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { codeOf } from '../../host/node/errors.ts';
import { planId, stateHash } from '../../jobs/plan-id.ts';
import type { PlanDocument } from '../../jobs/types.ts';
import { parseSpan } from '../../units/syntax/timespan.ts';
import type { Call } from '../command.ts';
import { CliError, type Context } from '../context.ts';
import { exitOfError } from '../exit.ts';
import { planLines } from '../output/plan.ts';
import { spanText } from '../output/time.ts';
import { whileWaiting } from '../progress.ts';
import type { Outcome } from '../wire.ts';
import type { Confirmation } from './confirm.ts';
import { tellOutcomes } from './jobs.ts';
import { type Planned, refusalLines } from './plan.ts';

/** Characters of the state of the units that are sent along; a plan of more is applied all the same, but what has moved cannot be told. */
const MAX_STATE = 700_000;
const ID = /^[0-9a-f]{12}$/;

/** Bytes of a plan file that are read: a plan of ten thousand jobs has a few million. */
const MAX_FILE = 256 << 20;

/** What a file says. A pipe is read to its end; one that nobody writes to is empty, and a device has none. */
async function textOf(context: Context, path: string): Promise<string> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const stat = fstatSync(fd);
  if (stat.isFIFO()) {
    let text = await firstWords(context, fd);
    if (text === '') {
      closeSync(fd);
      return text;
    }
    // As a stream: without blocking there is not always something to read.
    const pipe = new Socket({ fd, readable: true, writable: false }).setEncoding('utf8');
    for await (const chunk of pipe) {
      text += String(chunk);
      if (text.length > MAX_FILE) throw new CliError(TOO_LONG);
    }
    return text;
  }
  try {
    if (stat.isDirectory()) throw new CliError('it is a directory');
    if (!stat.isFile() && !stat.isCharacterDevice()) throw new CliError('it is no file');
    // A device may have no end; what is read of it at once is all there is.
    const bytes = Buffer.alloc(stat.isFile() ? 0 : 1);
    if (!stat.isFile()) {
      if (readSync(fd, bytes) > 0) throw new CliError('it is a device; give the plan as a file or a pipe');
      return '';
    }
    if (stat.size > MAX_FILE) throw new CliError(TOO_LONG);
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

/** Looks at a pipe, 100 ms apart, for somebody who writes to it: whoever made it may have started him a moment ago. */
const LOOKS = 8;

/** The beginning of what comes through a pipe; empty: nobody writes to it. */
async function firstWords(context: Context, fd: number): Promise<string> {
  const byte = Buffer.alloc(1);
  for (let left = LOOKS; ; left -= 1) {
    try {
      if (readSync(fd, byte) > 0) return byte.toString('latin1');
      if (left <= 1) return '';
    } catch (error) {
      // Somebody is there, and has written nothing yet.
      if (codeOf(error) !== 'EAGAIN') throw error;
    }
    await context.pause(100);
  }
}

const TOO_LONG = `it has more than ${MAX_FILE >> 20} MiB`;

/** A plan file: JSON that says it is a plan. What is in it is core's to judge. */
async function readPlan({ context }: Call, path: string): Promise<PlanDocument> {
  let text: string;
  try {
    text = path === '-' ? await context.input() : await textOf(context, path);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (error as Error).message;
    throw new CliError(
      `${path}: cannot be read: ${why}; name a file of ${context.name} plan --save, or the id of a plan`,
      1,
      error,
    );
  }
  const make = `make one with ${context.name} plan VERB UNIT… --save FILE`;
  if (text.trim() === '') throw new CliError(`${path}: not a plan: it is empty; ${make}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CliError(`${path}: not a plan: ${printable((error as Error).message)}; ${make}`, 1, error);
  }
  if (typeof value !== 'object' || value === null || (value as PlanDocument).format !== 'sysmaster-plan')
    throw new CliError(`${path}: not a plan: its format is not sysmaster-plan; ${make}`);
  if (isDeep(value)) throw new CliError(`${path}: not a plan: it is nested too deep; ${make}`);
  const plan = value as PlanDocument;
  if (!isWhole(plan))
    throw new CliError(
      `${path}: its id does not belong to what stands in it: the file was changed after it was made; make it again with ${context.name} plan VERB UNIT… --save FILE`,
    );
  return plan;
}

/** Levels of a plan; a parser takes more than what writes JSON again, and whatever else walks it, could stand. */
const MAX_DEPTH = 64;

function isDeep(value: unknown): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) return true;
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? Object.values(one) : []));
  }
  return false;
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

const MAX_CONFIRM_MS = 86_400_000;

/** The time to confirm in, in µs. */
export function confirmWithinUs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseSpan(text);
  if (ms === undefined || ms === 'infinity' || ms <= 0)
    throw new CliError(`--confirm-within=${text}: not a time span to confirm in; use one like 2min or 30s`);
  if (ms > MAX_CONFIRM_MS) throw new CliError(`--confirm-within=${text}: too long to confirm in; use up to a day`);
  return Math.round(ms * 1000);
}

/** A kept plan, as far as a dry run needs it. */
type Tried = Pick<PlanDocument, 'id' | 'request'> & Partial<Pick<PlanDocument, 'version' | 'machineId' | 'bootId'>>;

/** The kept plan of this id. */
async function keptPlan({ client, context }: Call, id: string): Promise<Tried> {
  const { plans } = await client.call<{ plans: Tried[] }>('io.sysmaster.Jobs.Plans');
  const plan = plans.find((one) => one.id === id);
  if (plan === undefined)
    throw new CliError(
      `Would fail to apply plan ${id}: there is no such plan; make it again: ${context.name} plan VERB UNIT….`,
    );
  return plan;
}

/** Why a plan is not one for here; undefined: it is. */
function elsewhere({ version, machineId, bootId }: Tried, here: PlanDocument): string | undefined {
  if (version !== undefined && version !== here.version) return `it has another version than ${here.version}`;
  if (machineId !== undefined && machineId !== here.machineId) return 'it was made on another machine';
  return bootId !== undefined && bootId !== here.bootId ? 'it was made before this boot' : undefined;
}

/** What the plan's request would do now, and whether that is still the plan. */
async function dryRun(call: Call, plan: Tried): Promise<number> {
  const { client, context, style, options } = call;
  const { id, request } = plan;
  const { verb, units, mode, automatic, also } = request ?? {};
  if (verb === undefined || units === undefined)
    throw new CliError(`Plan ${id} would be refused: it does not say what was asked for (request)`);
  const now = await client.call<Planned>('io.sysmaster.Jobs.Plan', { verb, units, mode, automatic, also });
  if (now.refusal) {
    context.err(`${refusalLines(`Plan ${id} would be refused`, now.refusal).join('\n')}\n`);
    return exitOfError(now.refusal.error);
  }
  const why = now.plan ? elsewhere(plan, now.plan) : undefined;
  const same = why === undefined && now.plan?.id === id;
  if (!same)
    context.err(
      `Plan ${id} would be refused: ${why ?? 'the world has moved since'}; this is what would be done now.\n`,
    );
  call.print(now.plan, () => (now.plan ? planLines(now.plan, options.output, style) : []));
  return same ? 0 : 1;
}

export async function run(call: Call): Promise<number> {
  const { args, options, client } = call;
  const word = args[0] ?? '';
  const plan = ID.test(word) ? undefined : await readPlan(call, word);
  if (options.dryRun === true) return await dryRun(call, plan ?? (await keptPlan(call, word)));
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
  await tellConfirm(call, within, id, outcomes);
  return status;
}

/** The units that a plan was asked for, as far as it is a plan. */
const unitsOf = (plan: PlanDocument | undefined): readonly string[] =>
  Array.isArray(plan?.request?.units) ? plan.request.units : [];

/** What is undone by itself is said, with the way to keep it; of a plan that cannot be undone (a restart) that. */
export async function tellConfirm(
  call: Call,
  within: number | undefined,
  id: string,
  outcomes: readonly Outcome[],
): Promise<void> {
  const refused = outcomes.some(({ refusal }) => refusal !== undefined && refusal !== null);
  if (within === undefined || refused || call.json || call.quiet) return;
  const { waiting } = await call.client.call<{ waiting: Confirmation[] }>('io.sysmaster.Jobs.Confirmations');
  const isEmpty = waiting.find((one) => one.id === id)?.undo === '';
  const what = isEmpty
    ? 'There is nothing in it that could be undone'
    : `It is undone in ${spanText(within, 1000)} unless it is confirmed`;
  call.warn(`${what}: ${call.context.name} confirm ${id}`);
}
