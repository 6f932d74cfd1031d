/** The block of `status` for one unit. Labels end at the twelfth column, as in systemctl. */

import type { CommandRecord, Group, Unit } from '../wire.ts';
import { bytesText } from './bytes.ts';
import { exitText } from './exit-words.ts';
import { findingLine } from './finding.ts';
import { groupLines } from './group.ts';
import { glyph, isBadLoad, type Style, stateColour } from './style.ts';
import { agoText, dateText, spanText } from './time.ts';

export interface UnitLinesOptions {
  readonly style: Style;
  readonly nowUs: number;
  readonly columns: number;
}

const INDENT = ' '.repeat(13);
const line = (label: string, text: string): string => `${label.padStart(11)}: ${text}`;
const several = (label: string, texts: readonly string[]): string[] =>
  texts.map((text, index) => (index === 0 ? line(label, text) : `${INDENT}${text}`));

function loadedLine(unit: Unit, style: Style): string {
  const { load, fragmentPath, sourcePath, unitFileState, preset, name } = unit;
  const bad = isBadLoad(load) || load === 'masked';
  if (bad) {
    const reasons: Readonly<Record<string, string>> = {
      masked: `Unit ${name} is masked.`,
      'not-found': `Unit ${name} not found.`,
      'bad-setting': `Unit ${name} has a bad unit file setting.`,
    };
    const reason = unit.findings.find(({ severity }) => severity === 'error')?.why ?? 'its files cannot be read';
    return line('Loaded', `${load === 'masked' ? load : style.red(load)} (Reason: ${reasons[load] ?? reason})`);
  }
  const colour = (state: string): string =>
    /^enabled/.test(state) ? style.green(state) : state === 'disabled' ? style.yellow(state) : state;
  const words = [
    fragmentPath || sourcePath,
    unitFileState === '' ? '' : colour(unitFileState),
    preset === '' || !/^(enabled|disabled)/.test(unitFileState) ? '' : `preset: ${colour(preset)}`,
  ];
  const inner = words.filter((word) => word !== '').join('; ');
  return line('Loaded', `${load}${inner === '' ? '' : ` (${inner})`}`);
}

/** Drop-ins by directory: the directory, then its files below. */
function dropInLines(paths: readonly string[]): string[] {
  const byDirectory = Map.groupBy(paths, (path) => path.slice(0, path.lastIndexOf('/')));
  const texts: string[] = [];
  for (const [directory, files] of byDirectory)
    texts.push(directory, `└─${files.map((path) => path.slice(path.lastIndexOf('/') + 1)).join(', ')}`);
  return several('Drop-In', texts);
}

function activeLine(unit: Unit, { style, nowUs }: UnitLinesOptions): string {
  const { active, sub, result } = unit;
  const colour = stateColour(style, active);
  const how = active === 'failed' ? `Result: ${result}` : sub;
  const words = how === active ? active : `${active} (${how})`;
  const by: Readonly<Record<string, Unit['stateChange']>> = {
    active: unit.activeEnter,
    reloading: unit.activeEnter,
    inactive: unit.inactiveEnter,
    failed: unit.inactiveEnter,
    activating: unit.inactiveExit,
    deactivating: unit.activeExit,
  };
  const since = (by[active] ?? unit.stateChange)?.realUs;
  const extra = active !== 'failed' && result !== 'success' && result !== '' ? ` (Result: ${result})` : '';
  return line(
    'Active',
    `${colour(`${words}${extra}`)}${since === undefined ? '' : ` since ${dateText(since)}; ${agoText(since, nowUs)}`}`,
  );
}

/** How long it was active, once it is not any more. */
function durationLine({ active, activeEnter, activeExit }: Unit): string[] {
  if (active !== 'inactive' && active !== 'failed') return [];
  if (!activeEnter || !activeExit || activeExit.monotonicUs < activeEnter.monotonicUs) return [];
  const us = activeExit.monotonicUs - activeEnter.monotonicUs;
  return [line('Duration', spanText(us, us < 60_000_000 ? 1000 : 1_000_000))];
}

function checkLines(unit: Unit, { nowUs, style }: UnitLinesOptions): string[] {
  const lines: string[] = [];
  for (const [label, check] of [
    ['Condition', unit.condition],
    ['Assert', unit.assertion],
  ] as const) {
    if (!check || check.result) continue;
    // A condition that failed before the unit was last active is history.
    if (unit.inactiveExit && unit.inactiveExit.monotonicUs > check.at.monotonicUs) continue;
    const said = style.yellow(`start ${label === 'Condition' ? 'condition' : 'assertion'} failed`);
    lines.push(line(label, `${said} at ${dateText(check.at.realUs)}; ${agoText(check.at.realUs, nowUs)}`));
    if (check.failed !== '') lines.push(`${INDENT}└─ ${check.failed} was not met`);
  }
  return lines;
}

function processLines({ service }: Unit, style: Style): string[] {
  const painted = (record: CommandRecord): string => {
    const text = exitText(record.exit!);
    const clean =
      record.ignoreFailure ||
      (record.exit!.code === 'exited' ? record.exit!.status === 0 : [1, 2, 13, 15].includes(record.exit!.status));
    return clean ? text : style.red(text);
  };
  return (service?.commands ?? [])
    .filter(({ exit, pid }) => exit && pid > 0)
    .map((record) => line('Process', `${record.pid} ${record.setting}=${record.argv.join(' ')} (${painted(record)})`));
}

/** The name of a process, as ps(1) has it: that of the group's listing if it is there. */
function nameOf(pid: number, record: CommandRecord | null | undefined, group: Group | null | undefined): string {
  const find = (at: Group): string | undefined =>
    at.processes.find((process) => process.pid === pid)?.command ??
    at.children.map(find).find((found) => found !== undefined);
  const command = (group && find(group)) ?? record?.path ?? '';
  const program = command.startsWith('[') ? command.slice(1, -1) : (command.split(/[: ]/)[0] ?? '');
  return program.slice(program.lastIndexOf('/') + 1);
}

function pidLines({ service, group }: Unit, style: Style): string[] {
  if (!service) return [];
  const lines: string[] = [];
  const { main, mainPid, controlPid } = service;
  if (mainPid > 0) lines.push(line('Main PID', `${mainPid} (${nameOf(mainPid, main, group)})`));
  else if (main?.exit && main.pid > 0) {
    const clean = main.exit.code === 'exited' ? main.exit.status === 0 : true;
    lines.push(line('Main PID', `${main.pid} (${clean ? exitText(main.exit) : style.red(exitText(main.exit))})`));
  }
  if (controlPid > 0) lines.push(line('Cntrl PID', `${controlPid} (${nameOf(controlPid, undefined, group)})`));
  return lines;
}

function serviceLines({ service }: Unit, style: Style): string[] {
  if (!service) return [];
  return [
    ...(service.statusText === '' ? [] : [line('Status', style.bold(`"${service.statusText}"`))]),
    ...(service.statusErrno > 0 ? [line('Error', `errno ${service.statusErrno}`)] : []),
    ...(service.nRestarts > 0 ? [line('Restarts', String(service.nRestarts))] : []),
    ...(service.fdStore > 0 ? [line('FD Store', String(service.fdStore))] : []),
  ];
}

function socketLines({ socket }: Unit): string[] {
  if (!socket) return [];
  const texts = socket.listen.map(
    ({ address, kind }) => `${address} (${kind.slice(0, 1).toUpperCase()}${kind.slice(1)})`,
  );
  const counts =
    socket.accept || socket.accepted > 0
      ? [
          line(
            'Accepted',
            `${socket.accepted}; Connected: ${socket.connections};${socket.refused > 0 ? ` Refused: ${socket.refused}` : ''}`,
          ),
        ]
      : [];
  return [...several('Listen', texts), ...counts];
}

function pathLines({ path }: Unit): string[] {
  if (!path) return [];
  const times = path.triggered === 1 ? 'once' : `${path.triggered} times`;
  const last = path.triggeredBy ? `; now for ${path.triggeredBy}` : '';
  return [
    ...several(
      'Watches',
      path.watches.map(({ setting, path }) => `${path} (${setting})`),
    ),
    ...(path.triggered > 0 ? [line('Triggered', `${times}${last}`)] : []),
  ];
}

/** `one_for_all of 3 members; at most 2 failures in 1min, then stop`, and those that count now. */
function supervisionLines({ supervision }: Unit, { nowUs, style }: UnitLinesOptions): string[] {
  if (!supervision) return [];
  const { strategy, intensity, periodUs, onEscalate, members, failures } = supervision;
  const span = typeof periodUs === 'number' ? spanText(periodUs, periodUs < 1e6 ? 1000 : 1_000_000) : 'all its time';
  const bears = `at most ${intensity} ${intensity === 1 ? 'failure' : 'failures'} in ${span}, then ${onEscalate}`;
  const [last] = failures;
  const counted = last && `${failures.length} so far, the last ${agoText(last.realUs, nowUs)}`;
  return [
    line('Supervises', `${members.length} by ${strategy}; ${bears}`),
    ...(counted ? [`${INDENT}${style.yellow(counted)}`] : []),
  ];
}

function resourceLines(unit: Unit, columns: number): string[] {
  const { tasks, tasksMax, memoryBytes, memoryPeakBytes, cpuNs, group, controlGroup } = unit;
  const number = (value: number | null | undefined): value is number => typeof value === 'number';
  return [
    ...(number(tasks) ? [line('Tasks', `${tasks}${number(tasksMax) ? ` (limit: ${tasksMax})` : ''}`)] : []),
    ...(number(memoryBytes)
      ? [
          line(
            'Memory',
            `${bytesText(memoryBytes)}${number(memoryPeakBytes) ? ` (peak: ${bytesText(memoryPeakBytes)})` : ''}`,
          ),
        ]
      : []),
    ...(number(cpuNs) ? [line('CPU', spanText(cpuNs / 1000, cpuNs < 60e9 ? 1000 : 1_000_000))] : []),
    ...(group && controlGroup !== ''
      ? [line('CGroup', controlGroup), ...groupLines(group, columns).map((text) => `${INDENT}${text}`)]
      : []),
  ];
}

/** Lines without line ends. */
export function unitLines(unit: Unit, options: UnitLinesOptions): string[] {
  const { style, columns } = options;
  const dot = isBadLoad(unit.load)
    ? style.red(glyph(unit.active))
    : stateColour(style, unit.active)(glyph(unit.active));
  const others = (label: string, list: Unit['triggers']): string[] =>
    several(
      label,
      list.map(({ name, active }) => `${stateColour(style, active)(glyph(active))} ${name}`),
    );
  return [
    `${dot} ${unit.name}${unit.description === '' || unit.description === unit.name ? '' : ` - ${unit.description}`}`,
    ...(unit.following ? [line('Follows', `unit ${unit.following}`)] : []),
    loadedLine(unit, style),
    ...(unit.transient ? [line('Transient', 'yes')] : []),
    ...dropInLines(unit.dropInPaths),
    activeLine(unit, options),
    ...durationLine(unit),
    ...checkLines(unit, options),
    ...(unit.job ? [line('Job', `${unit.job.id} (${unit.job.type})`)] : []),
    ...others('TriggeredBy', unit.triggeredBy),
    ...others('Triggers', unit.triggers),
    ...several('Docs', unit.documentation),
    ...socketLines(unit),
    ...pathLines(unit),
    ...supervisionLines(unit, options),
    ...processLines(unit, style),
    ...pidLines(unit, style),
    ...serviceLines(unit, style),
    ...resourceLines(unit, columns),
    ...several(
      'Findings',
      unit.findings.map((finding) => findingLine(finding, style)),
    ),
  ];
}
