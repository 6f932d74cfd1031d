/** enable, disable, mask and the rest: links in the unit path, and with --now the units themselves. */
import { resolve } from 'node:path';
import { CallError } from '../client.ts';
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';
import { expand, unitName } from '../names.ts';
import type { Step, UnitFile } from '../wire.ts';
import { request } from './jobs.ts';
import { showPlan } from './plan.ts';

interface Answer {
  readonly steps: readonly Step[];
  readonly carriesInstallInfo: boolean;
  readonly findings: readonly string[];
}

/** What --now does afterwards. */
const NOW: Readonly<Record<string, string>> = { enable: 'start', reenable: 'start', disable: 'stop', mask: 'stop' };

/** What the error speaks of. */
const NOUN: Readonly<Record<string, string>> = {
  'set-default': 'set default target',
  'preset-all': 'preset all units',
  link: 'link unit',
};

function stepLine({ kind, path, target }: Step): string {
  switch (kind) {
    case 'symlink':
      return `Created symlink ${path} → ${target}.`;
    case 'unlink':
      return `Removed "${path}".`;
    case 'missing':
      return `Unit ${path} does not exist, proceeding anyway.`;
    default:
      return target;
  }
}

/** The same, where it is only tried. */
const wouldLine = ({ kind, path, target }: Step): string =>
  kind === 'symlink' ? `Would create symlink ${path} → ${target}.` : `Would remove "${path}".`;

const NO_INSTALL = [
  'The unit files have no installation config (WantedBy=, RequiredBy=, UpheldBy=, Also=, or Alias= in [Install],',
  'and DefaultInstance= for templates), so there is nothing to enable. Such a unit is started by others: as a',
  'dependency, by its socket, path, timer or device, or by hand; a template wants an instance name.',
];

/** What is told of a dry run besides the links. */
interface Shown {
  readonly lines: readonly string[];
  /** Fields of the JSON answer. */
  readonly data: Readonly<Record<string, unknown>>;
}

export async function changeFiles(
  call: Call,
  verb: string,
  names: readonly string[],
  target?: string,
  besides: Shown = { lines: [], data: {} },
): Promise<number> {
  const { client, options, context } = call;
  let answer: Answer;
  try {
    answer = await client.change<Answer>('io.sysmaster.Units.ChangeFiles', {
      verb,
      names,
      runtime: options.runtime === true,
      force: (options.force ?? 0) > 0,
      presetMode: options.presetMode,
      target,
      reload: options.reload !== false,
      dryRun: options.dryRun === true,
    });
  } catch (error) {
    if (!(error instanceof CallError) || error.short === 'AccessDenied') throw error;
    const todo = error.parameters['todo'];
    throw new CliError(
      `Failed to ${NOUN[verb] ?? `${verb} unit`}: ${error.why}${typeof todo === 'string' && todo !== '' ? `; ${todo}` : ''}`,
    );
  }
  // systemctl tells of links on standard error, so that scripts see nothing on standard output.
  const dryRun = options.dryRun === true;
  if (!dryRun && !call.quiet && !call.json) for (const step of answer.steps) context.err(`${stepLine(step)}\n`);
  for (const finding of answer.findings) call.warn(finding);
  const quietVerb = !['enable', 'reenable', 'preset'].includes(verb);
  if (
    !answer.carriesInstallInfo &&
    !quietVerb &&
    options.warn !== false &&
    answer.steps.every(({ kind }) => kind === 'note')
  )
    for (const line of NO_INSTALL) call.warn(line);
  const would = answer.steps.map(wouldLine);
  const told = [...would, ...besides.lines];
  call.print({ ...answer, dryRun, ...besides.data }, () =>
    dryRun ? (told.length === 0 ? ['Nothing would change.'] : told) : [],
  );
  return 0;
}

/** Names and globs over unit files; `enable` and `link` take paths as well. */
async function names(call: Call, words: readonly string[]): Promise<string[]> {
  const out: string[] = [];
  for (const word of words) {
    if (word.includes('/')) out.push(resolve(word));
    else if (/[*?[]/.test(word)) {
      const { files } = await call.client.call<{ files: UnitFile[] }>('io.sysmaster.Units.Files', { patterns: [word] });
      out.push(...files.map(({ name }) => name));
    } else out.push(unitName(word));
  }
  return [...new Set(out)];
}

export async function run(call: Call): Promise<number> {
  const { word, args, options } = call;
  if (word === 'preset-all') return await changeFiles(call, word, []);
  const adds = word === 'add-wants' || word === 'add-requires';
  const units = await names(call, adds ? args.slice(1) : args);
  if (units.length === 0) throw new CliError(`No unit files match ${args.join(' ')}.`);
  const verb = options.now === true ? NOW[word] : undefined;
  const started = units.map((unit) => unit.slice(unit.lastIndexOf('/') + 1)).filter((unit) => !/@\.[a-z]+$/.test(unit));
  const target = adds ? unitName(args[0]!, 'target') : undefined;
  if (verb !== undefined && options.dryRun === true) return await tryNow(call, word, verb, units, started);
  const status = await changeFiles(call, word, units, target);
  if (status !== 0 || verb === undefined) return status;
  return await request(
    { ...call, print: () => {} },
    { verb, units: await expand(call, started), noBlock: options.block === false },
  );
}

/** --now --dry-run: the links, and what would be started or stopped. The plans are those for units as their files are now. */
async function tryNow(
  call: Call,
  word: string,
  verb: string,
  units: readonly string[],
  started: readonly string[],
): Promise<number> {
  const lines: string[] = [];
  const plans: unknown[] = [];
  const listening: Call = {
    ...call,
    print: (data, text) => {
      plans.push(...(data as readonly unknown[]));
      lines.push(...text());
    },
  };
  const planned = await showPlan(listening, verb, await expand(call, started));
  const status = await changeFiles(call, word, units, undefined, { lines, data: { plans } });
  return status === 0 ? planned : status;
}
