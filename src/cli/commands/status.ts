/** status: all about a unit, as systemctl shows it, and about the system when no unit is named. */
import { readFile } from 'node:fs/promises';
import { CallError } from '../client.ts';
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';
import { exits } from '../exit.ts';
import { findFiles, logDirectories, readLogs } from '../logs/files.ts';
import { formatEntry } from '../logs/format.ts';
import { expand, isShown, statesOf } from '../names.ts';
import { groupLines } from '../output/group.ts';
import { glyph, stateColour } from '../output/style.ts';
import { agoText, dateText } from '../output/time.ts';
import { unitLines } from '../output/unit.ts';
import type { Cut, Job, ManagerState, Stall, Summary, Supervisor, Unit } from '../wire.ts';
import { stallLines } from './analyze/stall.ts';
import { byTypeAndName, withDependencies } from './list-units.ts';

const LOG_LINES = 10;

/** The last log lines of each unit; empty for those that have none. */
export async function lastLogLines(call: Call, units: readonly Unit[]): Promise<readonly (readonly string[])[]> {
  if ((call.options.lines ?? LOG_LINES) === 0) return units.map(() => []);
  const { manager } = await call.client.call<{ manager: ManagerState }>('io.sysmaster.Manager.Get');
  const directories =
    manager.logDirectory === '' || call.context.env['SYSMASTER_LOGS']
      ? logDirectories(call.context, undefined)
      : [manager.logDirectory];
  const lines: (readonly string[])[] = [];
  for (const unit of units) lines.push(await logLines(call, unit, directories));
  return lines;
}

/** The last lines of the unit's present run; of all runs if it has none. */
async function logLines(call: Call, unit: Unit, directories: readonly string[]): Promise<string[]> {
  const limit = call.options.lines ?? LOG_LINES;
  if (limit === 0) return [];
  const names = new Set(unit.names);
  const since = unit.inactiveExit?.realUs ?? Number.NEGATIVE_INFINITY;
  const files = await findFiles(directories, (name) => names.has(name));
  const { entries } = await readLogs(files, limit, since, ({ t, u }) => t >= since && names.has(u));
  const form = ['short', 'cat'].includes(call.options.output ?? '') ? call.options.output! : 'short';
  return entries.map((entry) => formatEntry(entry, { form, style: call.style, columns: call.columns, hostname: true }));
}

/** `status 1234`: the unit of a process, by its control group as it is here. */
async function unitOfPid(pid: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(`/proc/${pid}/cgroup`, 'utf8');
  } catch (cause) {
    throw new CliError(`Failed to get unit for PID ${pid}: there is no such process`, 1, cause);
  }
  const parts = (/^0::(.*)$/m.exec(text)?.[1] ?? '').split('/');
  const unit = parts.findLast((part) => /\.(service|scope|socket|mount|swap|slice)$/.test(part));
  if (unit === undefined) throw new CliError(`PID ${pid} does not belong to any loaded unit.`);
  return unit;
}

/** What a unit waits for, and which of its orderings are not honoured; nothing for most units. */
async function insight({ client, style }: Call, units: readonly Unit[]): Promise<string[][]> {
  const lines = units.map((): string[] => []);
  const cuts = await client.calls<{ cuts: Cut[] }>(
    'io.sysmaster.Insight.Cuts',
    units.map(({ name }) => ({ name })),
  );
  const jobs = units.some(({ job }) => job) ? (await client.call<{ jobs: Job[] }>('io.sysmaster.Jobs.List')).jobs : [];
  for (const [index, answer] of cuts.entries()) {
    if (!('cuts' in answer)) throw answer;
    const job = jobs.find(({ id }) => id === units[index]?.job?.id);
    for (const wait of job?.waits ?? []) lines[index]?.push(`      Waits: ${wait.why}`);
    for (const { from, to, where, why, done } of answer.cuts)
      lines[index]?.push(
        `        Cut: ${style.yellow(`${from} after ${to}`)} (${where}) ${done ? 'is' : 'would'} not ${done ? '' : 'be '}honoured: ${why}`,
      );
  }
  return lines;
}

/** Actors that their supervisor has set aside, below this node. */
const setAside = (tree: Supervisor): readonly Supervisor[] => [
  ...(tree.state === 'quarantined' ? [tree] : []),
  ...tree.children.flatMap(setAside),
];

const quarantineText = ({ last, held }: Supervisor, nowUs: number): string => {
  const how = last
    ? `since ${agoText(last.at.realUs, nowUs)}, ${last.event === '' ? '' : `${last.event}: `}${last.why}`
    : '';
  return `${how}; its processes run on, ${held} events are held for it`;
};

/** Of units whose machine is quarantined: that it is so, why, and what brings it back. */
async function quarantines({ client, context, style }: Call, units: readonly Unit[]): Promise<string[][]> {
  const trees = await client.calls<{ tree: Supervisor }>(
    'io.sysmaster.Manager.Supervisors',
    units.map(({ name }) => ({ id: `unit:${name}` })),
  );
  return trees.map((answer, index) => {
    if (!('tree' in answer)) {
      if (answer.error === 'io.sysmaster.Manager.NoSuchActor') return []; // a unit that nothing has been done with
      throw answer;
    }
    if (answer.tree.state !== 'quarantined') return [];
    return [
      `Quarantine: ${style.red(quarantineText(answer.tree, context.nowUs()))}`,
      `            ${context.name} reset-failed ${units[index]?.name} releases it`,
    ];
  });
}

async function overview(call: Call): Promise<number> {
  const { client, context, style } = call;
  const { manager } = await client.call<{ manager: ManagerState }>('io.sysmaster.Manager.Get');
  let root: Unit | undefined;
  try {
    ({ unit: root } = await client.call<{ unit: Unit }>('io.sysmaster.Units.Get', {
      name: '-.slice',
      processes: true,
    }));
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    call.warn(`-.slice: ${error.message}`);
  }
  const now = context.nowUs();
  const { tree } = await client.call<{ tree: Supervisor }>('io.sysmaster.Manager.Supervisors');
  const { stall } = await client.call<{ stall?: Stall | null }>('io.sysmaster.Insight.Stall');
  call.print({ ...manager, stall: stall ?? undefined }, () => {
    const good =
      manager.state === 'running'
        ? 'active'
        : manager.state === 'degraded' || manager.state === 'maintenance'
          ? 'failed'
          : 'activating';
    const colour = stateColour(style, good);
    const since = manager.stamps.userspace?.realUs;
    return [
      `${colour(glyph(good))} ${manager.hostname}`,
      `    State: ${colour(manager.state)}`,
      `    Units: ${manager.units} loaded`,
      `     Jobs: ${manager.jobs} queued`,
      `   Failed: ${manager.failed} units`,
      ...setAside(tree).map(
        (node) => `    Aside: ${style.red(`${node.id}: quarantined ${quarantineText(node, now)}`)}`,
      ),
      ...(stall
        ? stallLines(stall, call).map((line, index) => `${index === 0 ? '    Stall: ' : ' '.repeat(11)}${line}`)
        : []),
      ...(since === undefined ? [] : [`    Since: ${dateText(since)}; ${agoText(since, now)}`]),
      `sysMaster: ${manager.version} (${manager.role})`,
      ...(manager.tainted.length > 0 ? [`  Tainted: ${style.yellow(manager.tainted.join(':'))}`] : []),
      ...(manager.deaths.length > 0
        ? [
            `    Cores: ${style.yellow(`${manager.cores ?? manager.deaths.length} before this one; the last to die: by ${manager.deaths[0]!.how}`)}`,
          ]
        : []),
      ...(manager.safeMode ? [`     Mode: ${style.red('safe mode: core came up without its checkpoint')}`] : []),
      ...(manager.checkpointFault !== '' ? [`     Disk: ${style.red(manager.checkpointFault)}`] : []),
      ...(manager.troubles ?? []).map(
        ({ at, what }) => `  Trouble: ${style.yellow(`${agoText(at.realUs, now)}: ${what}`)}`,
      ),
      ...(root?.group
        ? [`   CGroup: ${root.group.path}`, ...groupLines(root.group, call.columns).map((line) => `           ${line}`)]
        : []),
    ];
  });
  return exits.ok;
}

async function wantedUnits(call: Call): Promise<string[]> {
  const { client, args, options } = call;
  const names: string[] = [];
  for (const word of args) names.push(/^\d+$/.test(word) ? await unitOfPid(word) : word);
  if (names.length > 0)
    return options.withDependencies === true ? await withDependencies(call, names) : await expand(call, names);
  const { units } = await client.call<{ units: Summary[] }>('io.sysmaster.Units.List', {
    types: options.type,
    states: statesOf(call),
  });
  return units
    .filter((unit) => isShown(call, unit))
    .sort(byTypeAndName)
    .map(({ name }) => name);
}

export async function run(call: Call): Promise<number> {
  const { client, args, options, context } = call;
  if (args.length === 0 && options.type === undefined && statesOf(call).length === 0) {
    const status = await overview(call);
    if (options.all !== true || call.json) return status;
    call.print({}, () => ['']);
  }
  const names = await wantedUnits(call);
  const answers = await client.calls<{ unit: Unit }>(
    'io.sysmaster.Units.Get',
    names.map((name) => ({ name, processes: true })),
  );
  let status: number = exits.ok;
  const found: Unit[] = [];
  for (const [index, answer] of answers.entries()) {
    if (!('unit' in answer)) throw answer;
    const { unit } = answer;
    if (unit.load === 'not-found' && unit.active === 'inactive') {
      context.err(`Unit ${names[index]} could not be found.\n`);
      status ||= exits.unknown;
      continue;
    }
    if (!['active', 'reloading'].includes(unit.active)) status ||= exits.notRunning;
    found.push(unit);
  }
  const logs = call.json ? [] : await lastLogLines(call, found);
  const notes = call.json ? [] : await insight(call, found);
  const aside = call.json ? [] : await quarantines(call, found);
  const shown = found.map((unit, index) => ({
    unit,
    log: logs[index] ?? [],
    notes: [...(aside[index] ?? []), ...(notes[index] ?? [])],
  }));
  const now = context.nowUs();
  call.print(
    shown.map(({ unit }) => unit),
    () =>
      shown.flatMap(({ unit, log, notes: more }, index) => [
        ...(index > 0 ? [''] : []),
        ...unitLines(unit, { style: call.style, nowUs: now, columns: call.columns }),
        ...more,
        ...(log.length > 0 ? ['', ...log] : []),
        ...(unit.needDaemonReload
          ? [
              '',
              call.style.yellow(
                `Warning: The unit file, source configuration file or drop-ins of ${unit.name} changed on disk. Run '${context.name} daemon-reload' to reload units.`,
              ),
            ]
          : []),
      ]),
  );
  return status;
}
