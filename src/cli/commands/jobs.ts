/** start, stop, restart and the rest: requests for jobs, and what to say when they do not go well. */
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';
import { exitOfError, exits } from '../exit.ts';
import { expand } from '../names.ts';
import type { Options } from '../options.ts';
import { whileWaiting } from '../progress.ts';
import { untilEnded } from '../wait.ts';
import type { Explanation, HistoryRecord, Outcome, Refusal, Unit } from '../wire.ts';
import { isIdle } from './idle.ts';
import { showPlan } from './plan.ts';
import { VERBS } from './verbs.ts';

/** For --job-mode=help; what each means is in systemctl(1). */
const MODES: readonly string[] = [
  'fail',
  'replace',
  'replace-irreversibly',
  'isolate',
  'flush',
  'ignore-dependencies',
  'ignore-requirements',
  'triggering',
  'restart-dependencies',
  'lenient',
];

/** What is known of a unit whose job failed. */
interface Failure {
  /** The unit's Result=; empty: not known. */
  readonly result: string;
  /** The processes whose ends were to blame, a line each. */
  readonly ends: readonly string[];
  /** How its job ended, in core's words. */
  readonly jobs: readonly string[];
  /** Conditions and assertions that did not hold. */
  readonly conditions: readonly string[];
  /** It is not in memory any more (CollectMode=inactive-or-failed), so that its status says nothing. */
  readonly gone: boolean;
}

const lines = (told: readonly string[] = []): string[] => told.map((line) => `  ${line}`);

/** systemctl's words, by the result of the job. */
function jobFailure(name: string, { unit, result }: Outcome, failure: Failure | undefined): string {
  const service = failure?.result ?? '';
  const see = `See "${name} ${failure?.gone === true ? 'why' : 'status'} ${unit}" and "${name === 'sctl' ? 'sctl logs -u' : 'journalctl -xeu'} ${unit}" for details.`;
  switch (result) {
    case 'canceled':
      return [`Job for ${unit} canceled.`, ...lines(failure?.jobs)].join('\n');
    case 'timeout':
      return [`Job for ${unit} timed out.`, ...lines(failure?.jobs)].join('\n');
    case 'dependency':
      return [`A dependency job for ${unit} failed. ${see}`, ...lines(failure?.jobs)].join('\n');
    case 'invalid':
      return `${unit} is not active, cannot reload.`;
    case 'assert':
      return [`Assertion failed on job for ${unit}.`, ...lines(failure?.conditions)].join('\n');
    case 'unsupported':
      return `Operation on or unit type of ${unit} not supported on this system.`;
    case 'collected':
      return `Queued job for ${unit} was garbage collected.`;
    case 'once':
      return `Unit ${unit} was started already once and can't be started again.`;
    default:
      return `Job for ${unit} failed${serviceWords(service)}\n${(failure?.ends ?? []).map((line) => `  ${line}\n`).join('')}${see}${
        service === 'start-limit-hit'
          ? `\nTo force a start, use "${name} reset-failed ${unit}" followed by "${name} start ${unit}" again.`
          : ''
      }`;
  }
}

/** Why, by the unit's Result=. */
function serviceWords(result: string): string {
  const words: Readonly<Record<string, string>> = {
    resources: 'of unavailable resources or another system error',
    protocol: 'the service did not take the steps required by its unit configuration',
    timeout: 'a timeout was exceeded',
    'exit-code': 'the control process exited with error code',
    signal: 'a fatal signal was delivered to the control process',
    'core-dump': 'a fatal signal was delivered causing the control process to dump core',
    watchdog: 'the service failed to send watchdog ping',
    'start-limit-hit': 'start of the service was attempted too often',
    'oom-kill': 'of an out-of-memory (OOM) situation',
  };
  return words[result] === undefined ? '.' : ` because ${words[result]}.`;
}

/** The units as they are now; those that cannot be told are left out, since this is only for messages. */
async function details({ client }: Call, names: readonly string[]): Promise<Map<string, Unit>> {
  const answers = await client.calls<{ unit: Unit }>(
    'io.sysmaster.Units.Get',
    names.map((name) => ({ name })),
  );
  return new Map(answers.flatMap((answer, index) => ('unit' in answer ? [[names[index]!, answer.unit] as const] : [])));
}

/** Records of the history that are looked through for the end of a job. */
const RECORDS = 256;

/** What the history says of a job that failed. */
interface Past {
  /** The machine of its unit failed; undefined: it did not. */
  readonly machine?: string;
  /** The processes that ended while there was the job. */
  readonly ends: readonly string[];
}

/** By unit. */
async function pastOf(client: Call['client'], bad: readonly Outcome[]): Promise<Map<string, Past>> {
  const answers = await client.calls<{ records: readonly HistoryRecord[] }>(
    'io.sysmaster.Insight.History',
    bad.map(({ unit }) => ({ units: [unit], count: RECORDS })),
  );
  return new Map(
    answers.flatMap((answer, index) => {
      const { unit, job } = bad[index]!;
      const records = 'records' in answer ? answer.records : [];
      const at = (kind: string) => records.findIndex((record) => record.kind === kind && record.job === job);
      const [from, to] = [at('job'), at('job-over')];
      const cause = records[to]?.cause;
      const during = from === -1 || to === -1 ? [] : records.slice(Math.min(from, to), Math.max(from, to));
      const ends = during.flatMap(({ kind, what }) => (kind === 'process' ? [what] : []));
      return [[unit, { ...(cause?.startsWith('its machine ') === true ? { machine: cause } : {}), ends }] as const];
    }),
  );
}

/** Why units have failed. The history knows it even of those that were let go of at once. */
async function failures({ client }: Call, bad: readonly Outcome[]): Promise<Map<string, Failure>> {
  const names = bad.map(({ unit }) => unit);
  const pasts = await pastOf(client, bad);
  const answers = await client.calls<{ explanation: Explanation }>(
    'io.sysmaster.Insight.Why',
    names.map((name) => ({ name, not: true })),
  );
  return new Map(
    answers.flatMap((answer, index) => {
      if (!('explanation' in answer)) return [];
      const { result, active, because } = answer.explanation;
      const of = (wanted: string) => because.filter(({ kind }) => kind === wanted).map(({ what }) => what);
      const past = pasts.get(names[index]!);
      // Of a unit that runs, such as one whose reload failed, the processes that run are not to blame.
      const up = active === 'active' || active === 'reloading';
      return [
        [
          names[index]!,
          {
            result,
            // How its processes fare is not what a job has failed of whose event the unit's machine has thrown at.
            ends: past?.machine !== undefined ? [past.machine] : up ? (past?.ends ?? []) : of('process'),
            jobs: of('job').filter((what) => what.includes(' ended with ')),
            conditions: of('condition'),
            gone: active === 'inactive' && result !== 'success',
          },
        ] as const,
      ];
    }),
  );
}

/** A unit that is stopped and can come back by itself. */
async function warnOfTriggers(call: Call, units: readonly string[]): Promise<void> {
  for (const [name, unit] of await details(call, units.slice(0, 64))) {
    const live = unit.triggeredBy.filter(({ active, name: other }) => active === 'active' && !units.includes(other));
    if (live.length > 0)
      call.warn(
        [
          `Warning: Stopping ${name}, but it can still be activated by:`,
          ...live.map((trigger) => `  ${trigger.name}`),
        ].join('\n'),
      );
  }
}

async function warnOfReload(call: Call, units: readonly string[]): Promise<void> {
  for (const [name, unit] of await details(call, units.slice(0, 64))) {
    if (unit.needDaemonReload)
      call.warn(
        `Warning: The unit file, source configuration file or drop-ins of ${name} changed on disk. Run '${call.context.name} daemon-reload' to reload units.`,
      );
  }
}

/** systemctl's sentences for refusals that it knows too; else core's own. */
function refusalWords(verb: string, { error, unit, why }: Refusal): string {
  switch (error) {
    case 'NoSuchUnit':
      return `Unit ${unit} not ${verb === 'stop' ? 'loaded' : 'found'}.`;
    case 'UnitMasked':
      return `Unit ${unit} is masked.`;
    case 'JobTypeNotApplicable':
      return `Job type ${verb} is not applicable for unit ${unit}.`;
    case 'BadUnitSetting':
      return `Unit ${unit} has a bad unit file setting.`;
    case 'LoadFailed':
      return `Unit ${unit} failed to load properly.`;
    case 'NoIsolation':
      return 'Operation refused, unit may not be isolated.';
    case 'OnlyByDependency':
      return `Operation refused, unit ${unit} may be requested by dependency only (it is configured to refuse manual start/stop).`;
    default:
      return why;
  }
}

/** What is said of a refusal: the sentence, then where to look or what to do. */
function refused(call: Call, verb: string, asked: string, refusal: Refusal): string {
  const { error, unit, todo, details } = refusal;
  const lines = [`Failed to ${verb} ${asked}: ${refusalWords(verb, refusal)}`];
  const known = ['NoSuchUnit', 'JobTypeNotApplicable'].includes(error);
  // Another unit is at fault: how it is needed, down to file and line.
  const elsewhere = unit !== '' && unit !== asked && refusalWords(verb, refusal) !== refusal.why;
  if (elsewhere) lines.push(`  ${refusal.why}`);
  // The faults themselves, each with its place: there is no need to look for them elsewhere.
  for (const detail of details ?? []) lines.push(`  ${detail}`);
  const faulty = (error === 'LoadFailed' || error === 'BadUnitSetting') && (details ?? []).length > 0;
  const see = ['OnlyByDependency', 'NoIsolation', 'LoadFailed', 'BadUnitSetting'].includes(error) && !faulty;
  if (faulty) lines.push(`Mend it, then run '${call.context.name} daemon-reload'.`);
  else if (see) lines.push(`See '${call.context.name} status ${unit || asked}' for details.`);
  else if (todo !== '' && !known) lines.push(`${todo.slice(0, 1).toUpperCase()}${todo.slice(1)}.`);
  return lines.join('\n');
}

/** --job-mode= or one of the older options for it. */
export function modeOf(options: Options): string {
  if (options.jobMode !== undefined) return options.jobMode;
  if (options['fail'] === true) return 'fail';
  if (options['irreversible'] === true) return 'replace-irreversibly';
  return options['ignoreDependencies'] === true ? 'ignore-dependencies' : 'replace';
}

export interface Request {
  readonly verb: string;
  readonly units: readonly string[];
  readonly mode?: string | undefined;
  readonly noBlock?: boolean;
}

/** Ask for jobs, say what went wrong, and return the exit status. */
export async function request(call: Call, { verb, units, mode, noBlock = false }: Request): Promise<number> {
  const { client, options } = call;
  const ask = () =>
    client.change<{ outcomes: Outcome[] }>('io.sysmaster.Jobs.Request', {
      verb,
      units,
      mode: mode ?? modeOf(options),
      noBlock,
      transaction: options.showTransaction === true,
    });
  const { outcomes } = noBlock ? await ask() : await whileWaiting(call, units, ask);
  return await tellOutcomes(call, verb, outcomes);
}

/** The jobs of a transaction, as systemctl tells of them: those that were asked for, then the others. */
function transactionLines(outcomes: readonly Outcome[]): string[] {
  const anchors = new Set(outcomes.map(({ job }) => job));
  return outcomes.flatMap(({ transaction }) =>
    [...(transaction ?? [])]
      .sort((a, b) => Number(anchors.has(b.id)) - Number(anchors.has(a.id)))
      .map(({ id, unit, type }) => `Enqueued ${anchors.has(id) ? 'anchor' : 'auxiliary'} job ${id} ${unit}/${type}.`),
  );
}

/** Results of jobs that have reasons of their own to tell. */
const EXPLAINED: ReadonlySet<string> = new Set(['failed', 'timeout', 'dependency', 'assert', 'canceled']);

/** Say what became of requests, and return the exit status. */
export async function tellOutcomes(call: Call, verb: string, outcomes: readonly Outcome[]): Promise<number> {
  const { context, options } = call;
  const name = context.name;
  const show = options.showTransaction === true;
  if (show) for (const line of transactionLines(outcomes)) call.warn(line);
  let refusal = 0;
  let failed = false;
  const bad = outcomes.filter(({ result }) => EXPLAINED.has(result ?? ''));
  const why = bad.length > 0 && !call.quiet ? await failures(call, bad) : new Map<string, Failure>();
  for (const outcome of outcomes) {
    if (isIdle(verb, outcome.refusal?.error)) continue;
    if (outcome.refusal !== undefined && outcome.refusal !== null) {
      context.err(`${refused(call, verb, outcome.unit, outcome.refusal)}\n`);
      refusal ||= exitOfError(outcome.refusal.error);
    } else if (!['done', 'skipped', undefined, null].includes(outcome.result)) {
      failed = true;
      call.warn(jobFailure(name, outcome, why.get(outcome.unit)));
    }
    // What was merged or left out is for those who ask; an ordering that is broken is for everybody.
    for (const note of outcome.notes)
      if (show || note.includes(' no longer waits for ')) call.warn(`${outcome.unit}: ${note}`);
  }
  call.print({ outcomes }, () => []);
  if (verb === 'stop' && options.warn !== false)
    await warnOfTriggers(
      call,
      outcomes.filter((outcome) => !outcome.refusal).map(({ unit }) => unit),
    );
  return failed ? exits.failure : refusal;
}

/** With --wait, once the jobs are over: units may run for long, and somebody may not want to see the end. */
async function untilOver({ context, quiet }: Call, units: readonly string[], result: () => Promise<number>) {
  const off = context.onInterrupt?.(async () => {
    const named = `${units.slice(0, 8).join(' ')}${units.length > 8 ? ' …' : ''}`;
    const line = context.errorTerminal === true ? '\n' : '';
    const goes = units.length === 1 ? 'goes' : 'go';
    const { name } = context;
    if (!quiet)
      context.err(
        `${line}Interrupted; ${named} ${goes} on. See: ${name} status ${named}. End: ${name} stop ${named}.\n`,
      );
  });
  try {
    return await result();
  } finally {
    off?.();
  }
}

export async function run(call: Call): Promise<number> {
  const { word, args, options } = call;
  const verb = VERBS[word] ?? word;
  if (options.jobMode === 'help') {
    call.print(MODES, () => MODES);
    return exits.ok;
  }
  if (options.wait === true && options.block === false)
    throw new CliError('--wait may not be combined with --no-block.');
  const units = await expand(call, args);
  if (units.length === 0) {
    if (verb === 'start')
      throw new CliError(`No units in memory match ${args.join(' ')}; globs cannot start what is not loaded`);
    return exits.ok;
  }
  if (options.dryRun === true) return await showPlan(call, verb, units, modeOf(options));
  const ended = options.wait === true ? await untilEnded(call, units) : undefined;
  try {
    if (verb !== 'stop' && !call.quiet) await warnOfReload(call, units);
    const status = await request(call, { verb, units, noBlock: options.block === false });
    return status !== 0 || ended === undefined ? status : await untilOver(call, units, ended.result);
  } finally {
    ended?.close();
  }
}
