/**
 * Properties of a unit under systemd's names (org.freedesktop.systemd1(5)), for `show` and for scripts that use it.
 *
 * Settings come from the unit's sections as they were loaded: a setting that the sections gain shows up here without
 * a change, in the form that its type gives it.
 */
import { PERPETUAL } from '../../units/dependencies.ts';
import { CAPABILITIES } from '../../units/syntax/capability.ts';
import { signalName } from '../../units/syntax/signal.ts';
import type { Command, Edge, ExecSettings, ExitSet, Span, Unit } from '../../units/types.ts';
import type { UnitState, UnitView } from '../manager.ts';
import {
  attributeProperties,
  conditionProperties,
  optionProperties,
  pathLines,
  restOfTable,
  timerProperties,
} from './apart.ts';
import { commandText, count, type Properties, quoted, spanUs, stamps, yesNo } from './text.ts';

/** Edges that are properties; InSlice, SliceOf and the rest of the graph's own kinds are told otherwise. */
const DEPENDENCIES: readonly string[] = [
  'Requires',
  'Requisite',
  'Wants',
  'BindsTo',
  'PartOf',
  'Upholds',
  'RequiredBy',
  'RequisiteOf',
  'WantedBy',
  'BoundBy',
  'UpheldBy',
  'ConsistsOf',
  'Conflicts',
  'ConflictedBy',
  'Before',
  'After',
  'OnSuccess',
  'OnSuccessOf',
  'OnFailure',
  'OnFailureOf',
  'Triggers',
  'TriggeredBy',
  'PropagatesReloadTo',
  'ReloadPropagatedFrom',
  'PropagatesStopTo',
  'StopPropagatedFrom',
  'JoinsNamespaceOf',
  'SliceOf',
];

/** Settings in octal, as `ls` shows modes. */
const OCTAL = /(^UMask|Mode)$/;
/** Settings that are told under another name or form. */
const APART = new Set([
  'Limits',
  'options',
  'Supervisor',
  'monotonic',
  'OnCalendar',
  'specs',
  'EnvironmentFile',
  'CgroupAttributes',
  'WorkingDirectoryOptional',
  'Listen',
  'Slice',
  'Description',
  'Documentation',
  'RequiresMountsFor',
]);

const isSpan = (name: string, value: unknown): value is Span =>
  /Sec$/.test(name) && (typeof value === 'number' || value === 'infinity');
const isCommands = (name: string, value: unknown): value is readonly Command[] =>
  /^Exec/.test(name) && Array.isArray(value);
const isExitSet = (value: unknown): value is ExitSet =>
  typeof value === 'object' && value !== null && 'statuses' in value && 'signals' in value;

function fileText(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  const { path, optional } = value as { path?: unknown; optional?: unknown };
  return typeof path === 'string' ? `${path} (ignore_errors=${yesNo(optional === true)})` : JSON.stringify(value);
}

/** Settings that systemd shows as the kernel's numbers. */
const KERNEL_NUMBERS: Readonly<Record<string, readonly string[]>> = {
  IOSchedulingClass: ['none', 'realtime', 'best-effort', 'idle'],
  CPUSchedulingPolicy: ['other', 'fifo', 'rr', 'batch', '', 'idle'],
};
/** What systemd shows for a setting that was not given. */
const UNSET: Readonly<Record<string, string>> = {
  IOSchedulingClass: '2',
  IOSchedulingPriority: '4',
  CPUSchedulingPolicy: '0',
  Nice: '0',
  OOMScoreAdjust: '0',
  FailureActionExitStatus: '[not set]',
  SuccessActionExitStatus: '[not set]',
};

function settingText(name: string, value: unknown): string {
  const unset = value === undefined || value === '' ? UNSET[name] : undefined;
  if (unset !== undefined) return unset;
  const numbers = KERNEL_NUMBERS[name];
  if (numbers !== undefined && typeof value === 'string') return String(numbers.indexOf(value));
  if (name === 'AmbientCapabilities' && Array.isArray(value)) return value.join(' ').toLowerCase();
  if (name === 'CapabilityBoundingSet') return (Array.isArray(value) ? value : CAPABILITIES).join(' ').toLowerCase();
  if (value === undefined || value === null) return '';
  if (typeof value === 'boolean') return yesNo(value);
  if (typeof value === 'number')
    return OCTAL.test(name) && Number.isInteger(value) ? value.toString(8).padStart(4, '0') : String(value);
  if (isExitSet(value))
    return [...value.statuses, ...value.signals.map((signal) => signalName(signal).replace(/^SIG/, ''))].join(' ');
  if (Array.isArray(value))
    return value.every((item) => typeof item === 'string') ? quoted(value) : value.map(fileText).join(' ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function settings(into: Properties, section: object | undefined, state: UnitState): void {
  const records = state.service?.commands ?? [];
  for (const [name, value] of Object.entries(section ?? {})) {
    if (APART.has(name)) continue;
    if (isSpan(name, value)) into[name.replace(/Sec$/, 'USec')] = spanUs(value);
    else if (isCommands(name, value)) {
      if (value.length > 0)
        into[name] = value
          .map((command, index) =>
            commandText(
              command,
              records.find((record) => record.setting === name && record.index === index),
            ),
          )
          .join('\n');
    } else into[name] = settingText(name, value);
  }
  const { Limits, CgroupAttributes, EnvironmentFile } = (section ?? {}) as {
    EnvironmentFile?: ExecSettings['EnvironmentFile'];
    Limits?: Readonly<Record<string, { soft: number | null; hard: number | null }>>;
    CgroupAttributes?: readonly (readonly [string, string])[];
  };
  for (const [name, { soft, hard }] of Object.entries(Limits ?? {})) {
    into[`Limit${name}`] = hard === null ? 'infinity' : String(hard);
    into[`Limit${name}Soft`] = soft === null ? 'infinity' : String(soft);
  }
  if (EnvironmentFile !== undefined) into['EnvironmentFiles'] = EnvironmentFile.map(fileText).join('\n');
  if (CgroupAttributes === undefined) return;
  Object.assign(into, attributeProperties(CgroupAttributes));
  if (CgroupAttributes.length > 0)
    into['CgroupAttributes'] = CgroupAttributes.map(([attribute, value]) => `${attribute}=${value}`).join(' ; ');
}

/** What is shown in another form than its type's. */
function exec(into: Properties, section: ExecSettings | undefined): void {
  if (section === undefined) return;
  into['RestartKillSignal'] = String(section.RestartKillSignal ?? section.KillSignal);
  if (section.WorkingDirectoryOptional) into['WorkingDirectory'] = `!${section.WorkingDirectory}`;
  if (into['WatchdogUSec'] === '0') into['WatchdogUSec'] = 'infinity';
  for (const key of ['StandardInput', 'StandardOutput', 'StandardError'])
    into[key] = (into[key] ?? '').replace(/^(file|append|truncate|fd):.*/s, '$1');
}

function service(into: Properties, { service: now }: UnitState): void {
  if (now === undefined) return;
  into['MainPID'] = String(now.mainPid);
  into['ControlPID'] = String(now.controlPid);
  into['NRestarts'] = String(now.nRestarts);
  into['NFileDescriptorStore'] = String(now.fdStore);
  into['StatusText'] = now.statusText;
  into['StatusErrno'] = String(now.statusErrno);
  into['ReloadResult'] = now.reloadResult;
  stamps(into, 'ExecMainStartTimestamp', now.main?.started);
  stamps(into, 'ExecMainExitTimestamp', now.main?.ended);
  stamps(into, 'WatchdogTimestamp', now.watchdog);
  into['ExecMainPID'] = String(now.main?.pid ?? 0);
  into['ExecMainCode'] = String(
    now.main?.exit === undefined ? 0 : { exited: 1, killed: 2, dumped: 3 }[now.main.exit.code],
  );
  into['ExecMainStatus'] = String(now.main?.exit?.status ?? 0);
}

function socket(into: Properties, unit: Unit, { socket: now }: UnitState): void {
  if (unit.socket === undefined) return;
  into['Listen'] = unit.socket.Listen.map(
    ({ kind, address }) => `${address} (${kind[0]!.toUpperCase()}${kind.slice(1)})`,
  ).join('\n');
  into['NAccepted'] = String(now?.accepted ?? 0);
  into['NConnections'] = String(now?.connections ?? 0);
  into['NRefused'] = String(now?.refused ?? 0);
  Object.assign(into, optionProperties(unit.socket.options));
}

/** [X-Supervisor], where a unit has it. */
function supervision(into: Properties, { unit, state }: UnitView): void {
  const { Supervisor } = unit.unit;
  if (Supervisor === undefined) return;
  into['Strategy'] = Supervisor.Strategy;
  into['Intensity'] = String(Supervisor.Intensity);
  into['PeriodUSec'] = spanUs(Supervisor.Period);
  into['OnEscalate'] = Supervisor.OnEscalate;
  into['Supervises'] = (state.supervision?.members ?? []).join(' ');
  into['NFailures'] = String(state.supervision?.failures.length ?? 0);
}

/** Everything `show` prints for a unit; `edges` as Manager.edges gives them. */
export function unitProperties(view: UnitView, edges: readonly Edge[]): Properties {
  const { unit, state, preset } = view;
  const into: Properties = {};
  const can = (verb: boolean): string => yesNo(verb && unit.loadState === 'loaded' && unit.type !== 'device');
  if (unit.service !== undefined) into['Type'] = unit.service.Type;
  settings(
    into,
    unit.service ??
      unit.socket ??
      unit.scope ??
      unit.slice ??
      unit.mount ??
      unit.automount ??
      unit.swap ??
      unit.timer ??
      unit.path,
    state,
  );
  exec(into, unit.service ?? unit.socket ?? unit.mount ?? unit.swap);
  if (unit.timer !== undefined || unit.path !== undefined)
    into['Unit'] = edges.find(({ from, kind }) => from === unit.name && kind === 'Triggers')?.to ?? '';
  if (unit.timer !== undefined) Object.assign(into, timerProperties(unit.timer));
  if (unit.path !== undefined) into['Paths'] = pathLines(unit.path);
  if (unit.swap !== undefined) into['Priority'] ||= '-1';
  service(into, state);
  socket(into, unit, state);
  const slice =
    edges.find((edge) => edge.kind === 'InSlice' && edge.from === unit.name)?.to ??
    unit.service?.Slice ??
    unit.socket?.Slice ??
    '';
  Object.assign(into, {
    Result: state.result,
    Slice: slice,
    ControlGroup: state.controlGroup,
    MemoryCurrent: count(state.memoryBytes),
    MemoryPeak: count(state.memoryPeakBytes),
    CPUUsageNSec: count(state.cpuNs),
    TasksCurrent: count(state.tasks),
    TasksMax: state.tasksMax === undefined ? (into['TasksMax'] ?? 'infinity') : String(state.tasksMax),
    Id: unit.name,
    Names: quoted([...new Set([unit.name, ...unit.names])]),
    Following: state.following ?? '',
  });
  for (const kind of DEPENDENCIES) {
    const others = new Set(
      edges.filter((edge) => edge.kind === kind && edge.from === unit.name).map((edge) => edge.to),
    );
    into[kind] = [...others].sort().join(' ');
  }
  Object.assign(into, {
    RequiresMountsFor: quoted(unit.unit.RequiresMountsFor),
    Documentation: quoted(unit.unit.Documentation),
    Description: unit.unit.Description === '' ? unit.name : unit.unit.Description,
    LoadState: unit.loadState,
    ActiveState: state.active,
    FreezerState: 'running',
    SubState: state.sub,
    FragmentPath: unit.fragmentPath,
    DropInPaths: quoted(unit.dropInPaths),
    UnitFileState: unit.unitFileState,
    UnitFilePreset: preset,
  });
  stamps(into, 'StateChangeTimestamp', state.stateChange);
  stamps(into, 'InactiveExitTimestamp', state.inactiveExit);
  stamps(into, 'ActiveEnterTimestamp', state.activeEnter);
  stamps(into, 'ActiveExitTimestamp', state.activeExit);
  stamps(into, 'InactiveEnterTimestamp', state.inactiveEnter);
  Object.assign(into, {
    CanStart: can(!unit.unit.RefuseManualStart),
    // Also a unit whose file is gone may still run, and is stopped then.
    CanStop: yesNo(!unit.unit.RefuseManualStop && unit.type !== 'device' && !PERPETUAL.has(unit.name)),
    CanReload: yesNo(
      unit.loadState === 'loaded' &&
        (unit.type === 'mount' ||
          (unit.service?.ExecReload.length ?? 0) > 0 ||
          unit.service?.Type === 'notify-reload' ||
          (unit.service === undefined &&
            edges.some(({ from, kind }) => from === unit.name && kind === 'PropagatesReloadTo'))),
    ),
    CanIsolate: can(unit.unit.AllowIsolate && !unit.unit.RefuseManualStart),
    Job: state.job === undefined ? '0' : String(state.job.id),
    Transient: yesNo(unit.unitFileState === 'transient'),
    NeedDaemonReload: yesNo(state.needDaemonReload),
    ConditionResult: yesNo(state.condition?.result ?? false),
    AssertResult: yesNo(state.assertion?.result ?? false),
  });
  stamps(into, 'ConditionTimestamp', state.condition?.at);
  stamps(into, 'AssertTimestamp', state.assertion?.at);
  settings(into, unit.unit, state);
  supervision(into, view);
  Object.assign(into, conditionProperties(unit.conditions));
  restOfTable(into, unit);
  into['LoadError'] = loadError(unit);
  into['InvocationID'] = state.invocationId;
  return into;
}

/** The name of a D-Bus error and its words, as systemctl shows them; empty: it is loaded (org.freedesktop.systemd1(5), LoadError). */
function loadError({ name, loadState, findings }: Unit): string {
  const of = (error: string, words: string) => `org.freedesktop.systemd1.${error} "${words}"`;
  switch (loadState) {
    case 'masked':
      return of('UnitMasked', `Unit ${name} is masked.`);
    case 'not-found':
      return of('NoSuchUnit', `Unit ${name} not found.`);
    case 'bad-setting':
      return of('BadUnitSetting', `Unit ${name} has a bad unit file setting.`);
    case 'error': {
      const why = findings.find(({ severity }) => severity === 'error')?.why ?? 'its files cannot be read';
      const words = `Unit ${name} failed to load properly, please adjust/correct and reload service manager: ${why}`;
      return of('LoadFailed', words);
    }
    default:
      return '';
  }
}
