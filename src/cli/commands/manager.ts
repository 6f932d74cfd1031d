/** daemon-reload, daemon-reexec, init-reexec and reset-failed. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { CallError } from '../client.ts';
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';
import { expand } from '../names.ts';
import type { Summary } from '../wire.ts';

async function resetFailed(call: Call): Promise<number> {
  const { client, args, context } = call;
  const change = async (names: readonly string[] | undefined): Promise<string[]> => {
    const { units } = await client.change<{ units: string[] }>('io.sysmaster.Units.ResetFailed', { names });
    return units;
  };
  if (call.options.dryRun === true) {
    const { units } = await client.call<{ units: Summary[] }>('io.sysmaster.Units.List');
    const down = units.filter(({ active }) => active === 'failed').map(({ name }) => name);
    const asked = args.length === 0 ? down : await expand(call, args);
    const missing = asked.filter((asked) => !units.some(({ name }) => name === asked));
    for (const name of missing)
      context.err(`Would fail to reset failed state of unit ${name}: Unit ${name} not loaded.\n`);
    const named = new Set(asked.filter((name) => !missing.includes(name)));
    const failed = down.filter((name) => named.has(name));
    call.print({ units: [...named], failed, dryRun: true }, () => [
      ...failed.map((name) => `Would forget the failure of ${name}.`),
      ...[...named]
        .filter((name) => !failed.includes(name))
        .map((name) => `Would forget the start counts of ${name}; it has not failed.`),
      ...(asked.length === 0 ? ['No unit has failed.'] : []),
    ]);
    return missing.length > 0 ? 1 : 0;
  }
  const done: string[] = [];
  let status = 0;
  if (args.length === 0) done.push(...(await change(undefined)));
  for (const unit of args.length === 0 ? [] : await expand(call, args)) {
    try {
      done.push(...(await change([unit])));
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      context.err(`Failed to reset failed state of unit ${unit}: ${error.why}\n`);
      status = 1;
    }
  }
  call.print({ units: done }, () => []);
  return status;
}

interface SettingChange {
  readonly section: string;
  readonly key: string;
  readonly before?: string | null;
  readonly after?: string | null;
  readonly effect: 'live' | 'reload' | 'restart';
  readonly at: string;
}
interface UnitChange {
  readonly unit: string;
  readonly what: 'new' | 'gone' | 'broken' | 'mended' | 'changed';
  readonly loadStateBefore: string;
  readonly loadState: string;
  readonly effect: 'live' | 'reload' | 'restart';
  readonly settings: readonly SettingChange[];
}

const EFFECT = { live: 'live', reload: 'needs reload', restart: 'needs restart' } as const;
const WHAT = {
  new: 'is new',
  gone: 'has no unit file any more',
  broken: 'cannot be loaded any more; what runs of it runs on as it was',
  mended: 'can be loaded again',
  changed: '',
} as const;

/** A value on one line. */
const valueText = (value: string | null | undefined): string =>
  value === undefined || value === null ? '(not set)' : value === '' ? '(empty)' : value.replaceAll('\n', ' | ');

function changeLines({ unit, what, effect, settings, loadState, loadStateBefore }: UnitChange): string[] {
  const head =
    what === 'changed'
      ? `${unit}: ${EFFECT[effect]}${loadState === loadStateBefore ? '' : ` (${loadStateBefore} → ${loadState})`}`
      : `${unit}: ${WHAT[what]} (${loadStateBefore} → ${loadState})`;
  const lines = settings.map(
    ({ section, key, before, after, effect: own, at }) =>
      `  [${section}] ${key}: ${valueText(before)} → ${valueText(after)}  (${EFFECT[own]}${at === '' ? '' : `; ${at}`})`,
  );
  return [head, ...lines];
}

/** What has changed is told on standard error, since scripts expect nothing from daemon-reload; what would change is the answer. */
async function daemonReload(call: Call): Promise<number> {
  const { client, options, context } = call;
  const dryRun = options.dryRun === true;
  const { findings, changes } = await client.change<{ findings: number; changes: readonly UnitChange[] }>(
    'io.sysmaster.Manager.Reload',
    { dryRun },
  );
  const lines = changes.flatMap(changeLines);
  if (!dryRun && !call.json && !call.quiet) for (const line of lines) context.err(`${line}\n`);
  const none = 'Nothing would change for the units in memory.';
  call.print({ findings, changes, dryRun }, () => (dryRun ? (lines.length === 0 ? [none] : lines) : []));
  if (dryRun && !call.json) call.warn('Generators were not run for this: what they would make anew is not in it.');
  if (findings > 0 && !call.json)
    call.warn(`${findings} ${findings === 1 ? 'thing' : 'things'} to know about unit files; see: sctl findings`);
  return 0;
}

/** With --dry-run: say what would be done. */
function dry(call: Call, words: string): boolean {
  if (call.options.dryRun !== true) return false;
  call.print({ would: call.word, dryRun: true }, () => [words]);
  return true;
}

/** As far as can be told without running it; init looks at it anew. */
function isProgram(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat?.isFile() === true && (stat.mode & 0o111) !== 0;
}

export async function run(call: Call): Promise<number> {
  const { word, client, args } = call;
  switch (word) {
    case 'reset-failed':
      return await resetFailed(call);
    case 'daemon-reload':
      return await daemonReload(call);
    case 'daemon-reexec':
      if (dry(call, 'Would start core anew; units would not notice.')) return 0;
      await client.change('io.sysmaster.Manager.ReexecCore', {});
      break;
    default: {
      const path = args[0] === undefined ? undefined : resolve(args[0]);
      if (call.options.dryRun === true && path !== undefined && !isProgram(path))
        throw new CliError(`Would fail to replace init: ${path}: there is no program that may be executed`);
      if (dry(call, `Would replace init by ${path ?? 'its binary'}; units would not notice.`)) return 0;
      await client.change('io.sysmaster.Manager.ReexecInit', { path });
    }
  }
  call.print({}, () => []);
  return 0;
}
