/** chaos: faults on purpose, with a blast radius and an end; list of what is under way; stop. */
import type { Command } from 'commander';
import { isGlob } from '../../api/glob.ts';
import { parseSpan } from '../../units/syntax/timespan.ts';
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';
import { unitName } from '../names.ts';
import { signalNumber } from '../output/exit-words.ts';
import { spanText } from '../output/time.ts';
import type { Unit } from '../wire.ts';

/** Between two looks with --wait, in ms; and how long past its end a request may be there. */
const EVERY_MS = 500;
const GRACE_US = 30_000_000;

const several = (value: string, before: string[] | undefined): string[] => [...(before ?? []), ...value.split(',')];

export function define(command: Command): void {
  command
    .option('-u, --unit <unit,…>', 'units, patterns, slices or targets (their members) to choose from', several)
    .option('--core', 'core itself, with --kill or --hang')
    .option('--kill [signal]', 'end processes; SIGKILL without a signal')
    .option('--hang', 'stop processes, and let them go on at the end')
    .option('--delay-ready [time]', 'hold back READY=1 for so long, or until the end')
    .option('--fail-spawn [count]', 'let so many of the next processes of each unit fail to start; 1 without a number')
    .option('--drop-watchdog', 'let keep-alives (WATCHDOG=1) go unheard')
    .option('--kill-whom <whom>', 'main or all processes, of --kill and --hang')
    .option('--every <time>', '--kill again and again')
    .option('--errno <name>', 'with which error --fail-spawn fails; EAGAIN')
    .option('--step <name>', 'at which step --fail-spawn fails; fork')
    .option('--for <time>', 'take it back after so long; 30s')
    .option('--at-most <count>', 'the blast radius in units; one for each --unit')
    .option('--percent <share>', 'the blast radius as a share of the units that it could be done to')
    .option('--seed <number>', 'choose as with this seed')
    .option('--dry-run', 'only say whom it would hit')
    .option('--wait', 'until it is over, and say how the units are then')
    .option('-o, --output <form>', 'text, json or json-pretty')
    .option('-q, --quiet', 'say less')
    .option('--socket <path>', 'the API socket of another manager');
}

interface Run {
  readonly id: number;
  readonly what: string;
  readonly core: boolean;
  readonly units: readonly string[];
  readonly by: string;
  readonly seed: number;
  readonly untilUs: number;
}
interface Begun {
  readonly id: number;
  readonly what: string;
  readonly seed: number;
  readonly units: readonly string[];
  readonly spared: readonly { readonly unit: string; readonly why: string }[];
  readonly along?: readonly string[] | null;
  readonly untilUs: number;
  readonly enabled: boolean;
}
interface Listed {
  readonly runs: readonly Run[];
  readonly allowed: {
    readonly enabled: boolean;
    readonly maxUnits: number;
    readonly maxUs: number;
    readonly path: string;
  };
}

const text = ({ options }: Call, name: string): string | undefined => {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
};

function timeUs(call: Call, name: string, flag: string): number | undefined {
  const value = text(call, name);
  if (value === undefined) return undefined;
  const ms = parseSpan(value);
  if (ms === undefined || ms === 'infinity' || ms <= 0)
    throw new CliError(`--${flag}=${value}: not a time span; use one like 10s or 1min 30s`);
  return Math.round(ms * 1000);
}

function count(call: Call, name: string, flag: string): number | undefined {
  const value = text(call, name);
  if (value === undefined) return undefined;
  if (!/^\d{1,15}$/.test(value)) throw new CliError(`--${flag}=${value}: not a number`);
  return Number(value);
}

/** The one fault that was named. */
function faultOf(call: Call): object {
  const { options } = call;
  const kinds = ['kill', 'hang', 'delayReady', 'failSpawn', 'dropWatchdog'].filter(
    (name) => options[name] !== undefined,
  );
  if (kinds.length !== 1)
    throw new CliError(
      `${kinds.length === 0 ? 'no fault is named' : 'more than one fault'}; use one of --kill, --hang, --delay-ready, --fail-spawn, --drop-watchdog`,
    );
  const whom = options.killWhom;
  if (whom !== undefined && whom !== 'main' && whom !== 'all')
    throw new CliError(`--kill-whom=${whom}: use main or all`);
  switch (kinds[0]) {
    case 'kill': {
      const word = text(call, 'kill') ?? 'SIGKILL';
      const signal = signalNumber(word);
      if (signal === undefined) throw new CliError(`Failed to parse signal string "${word}".`);
      return { kind: 'kill', signal, whom, everyUs: timeUs(call, 'every', 'every') };
    }
    case 'hang':
      return { kind: 'hang', whom };
    case 'delayReady':
      return { kind: 'delay_ready', delayUs: timeUs(call, 'delayReady', 'delay-ready') };
    case 'failSpawn':
      return {
        kind: 'fail_spawn',
        count: count(call, 'failSpawn', 'fail_spawn'),
        step: text(call, 'step')?.toLowerCase(),
        errno: text(call, 'errno')?.toUpperCase(),
      };
    default:
      return { kind: 'drop_watchdog' };
  }
}

/** From now to its end, in whole seconds, none too few. */
const leftText = (untilUs: number, call: Call): string =>
  spanText(Math.max(0, Math.ceil((untilUs - call.context.monotonicUs()) / 1e6)) * 1_000_000);

const whomWords = ({ units, core }: { units: readonly string[]; core?: boolean }): string =>
  core === true ? 'core' : units.join(' ');

async function begin(call: Call): Promise<number> {
  const { client, options } = call;
  const core = options['core'] === true;
  const dryRun = options.dryRun === true;
  const units = ((options['unit'] as string[] | undefined) ?? []).map((word) => (isGlob(word) ? word : unitName(word)));
  const begun = await client.change<Begun>('io.sysmaster.Chaos.Begin', {
    fault: faultOf(call),
    units,
    core,
    atMost: count(call, 'atMost', 'at-most'),
    percent: count(call, 'percent', 'percent'),
    forUs: timeUs(call, 'for', 'for'),
    seed: count(call, 'seed', 'seed'),
    dryRun,
  });
  const { id, what, seed, spared, untilUs, enabled } = begun;
  const along = begun.along ?? [];
  const span = leftText(untilUs, call);
  const whom = whomWords({ units: begun.units, core });
  call.print(begun, () => [
    dryRun
      ? `Would hit ${whom}: ${what}; for ${span}, seed ${seed}.`
      : `Chaos ${id} hits ${whom}: ${what}; over in ${span}, seed ${seed}.`,
    ...(along.length === 0 ? [] : [`  along: ${along.join(' ')} (they go down with those, and count as well)`]),
    ...spared.map(({ unit, why }) => `  spared: ${unit}${why === '' ? '' : ` (${why})`}`),
  ]);
  if (dryRun && !enabled) call.warn('Chaos is not enabled on this system: without --dry-run this is refused.');
  return dryRun || options.wait !== true ? 0 : await verdict(call, begun, core);
}

/** Wait until it has been taken back, then say how everybody has borne it. */
async function verdict(call: Call, { id, units, untilUs }: Begun, core: boolean): Promise<number> {
  const { client, context, style } = call;
  for (;;) {
    const { runs } = await client.call<Listed>('io.sysmaster.Chaos.List', {});
    if (!runs.some((run) => run.id === id)) break;
    if (context.monotonicUs() > untilUs + GRACE_US)
      throw new CliError(`chaos ${id} is not taken back, though its time is up`);
    await context.pause(EVERY_MS);
  }
  const states: { unit: string; active: string; sub: string; restarts: number }[] = [];
  for (const name of units) {
    const { unit } = await client.call<{ unit: Unit }>('io.sysmaster.Units.Get', { name });
    states.push({ unit: name, active: unit.active, sub: unit.sub, restarts: unit.service?.nRestarts ?? 0 });
  }
  call.print({ id, over: true, states }, () => [
    `Chaos ${id} is over${core ? ', and core answers' : ''}.`,
    ...states.map(({ unit, active, sub, restarts }) => {
      const colour = active === 'active' ? style.green : style.red;
      return `  ${unit}: ${colour(`${active} (${sub})`)}${restarts > 0 ? `, restarted ${restarts}×` : ''}`;
    }),
  ]);
  return states.every(({ active }) => active === 'active') ? 0 : 1;
}

async function list(call: Call): Promise<number> {
  const listed = await call.client.call<Listed>('io.sysmaster.Chaos.List', {});
  const { runs, allowed } = listed;
  call.print(listed, () => [
    ...runs.map(
      (run) =>
        `${run.id}: ${run.what}: ${whomWords(run)}; over in ${leftText(run.untilUs, call)}, seed ${run.seed}; asked for by ${run.by}`,
    ),
    ...(runs.length === 0 ? ['Nothing is under way.'] : []),
    allowed.enabled
      ? `Enabled: at most ${allowed.maxUnits} units at a time, for at most ${spanText(allowed.maxUs)} each.`
      : `Not enabled: Enabled=yes in the section [X-Chaos] of ${allowed.path} does that.`,
  ]);
  return 0;
}

async function stop(call: Call, words: readonly string[]): Promise<number> {
  const bad = words.find((word) => !/^\d{1,15}$/.test(word));
  if (bad !== undefined) throw new CliError(`${bad}: not a number; see sctl chaos list`);
  const ids = words.map(Number);
  const { stopped } = await call.client.change<{ stopped: number[] }>('io.sysmaster.Chaos.Stop', {
    ids: ids.length === 0 ? undefined : ids,
  });
  const missing = ids.filter((id) => !stopped.includes(id));
  call.print({ stopped }, () => stopped.map((id) => `Chaos ${id} is taken back.`));
  for (const id of missing) call.context.err(`There is no chaos ${id}; see sctl chaos list.\n`);
  return missing.length === 0 ? 0 : 1;
}

export async function run(call: Call): Promise<number> {
  const [word, ...rest] = call.args;
  switch (word) {
    case undefined:
      return await begin(call);
    case 'list':
      return await list(call);
    case 'stop':
      return await stop(call, rest);
    default:
      throw new CliError(`${word}: use list or stop, or name a fault: sctl chaos --unit UNIT --kill`);
  }
}
