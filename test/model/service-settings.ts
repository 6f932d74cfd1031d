/** Settings of a service for tests: systemd's defaults, and what a test says instead. */
import type { ServiceSettings } from '../../src/machines/service-context.ts';
import type { Command } from '../../src/units/types.ts';

/** `-/bin/x` is a command whose failure does not count. */
export function command(text: string): Command {
  const ignoreFailure = text.startsWith('-');
  const path = ignoreFailure ? text.slice(1) : text;
  return { path, argv: [path], ignoreFailure, noExpand: false, privilege: 'normal' };
}

const noExits = { statuses: [], signals: [] };

export const serviceDefaults: ServiceSettings = {
  Type: 'simple',
  ExitType: 'main',
  RemainAfterExit: false,
  GuessMainPID: true,
  PIDFile: '',
  ExecCondition: [],
  ExecStartPre: [],
  ExecStart: [command('/bin/main')],
  ExecStartPost: [],
  ExecReload: [],
  ExecStop: [],
  ExecStopPost: [],
  RestartSec: 100,
  TimeoutStartSec: 90_000,
  TimeoutStopSec: 91_000,
  TimeoutAbortSec: 92_000,
  TimeoutStartFailureMode: 'terminate',
  TimeoutStopFailureMode: 'terminate',
  RuntimeMaxSec: 'infinity',
  WatchdogSec: 0,
  Restart: 'no',
  SuccessExitStatus: noExits,
  RestartPreventExitStatus: noExits,
  RestartForceExitStatus: noExits,
  NotifyAccess: 'none',
  FileDescriptorStoreMax: 0,
  OOMPolicy: 'stop',
  KillMode: 'control-group',
  KillSignal: 15,
  RestartKillSignal: undefined,
  SendSIGHUP: false,
  SendSIGKILL: true,
  FinalKillSignal: 9,
  WatchdogSignal: 6,
  StartLimitIntervalSec: 10_000,
  StartLimitBurst: 5,
  StartLimitAction: 'none',
  FailureAction: 'none',
  SuccessAction: 'none',
  FailureActionExitStatus: undefined,
  SuccessActionExitStatus: undefined,
  RebootArgument: '',
};

type ListName =
  | 'ExecCondition'
  | 'ExecStartPre'
  | 'ExecStart'
  | 'ExecStartPost'
  | 'ExecReload'
  | 'ExecStop'
  | 'ExecStopPost';

/** Command lists may be given as texts. */
export type SettingsChange = Partial<Omit<ServiceSettings, ListName>> & {
  readonly [List in ListName]?: readonly string[];
};

export function serviceWith(change: SettingsChange = {}): ServiceSettings {
  const { ExecCondition, ExecStartPre, ExecStart, ExecStartPost, ExecReload, ExecStop, ExecStopPost, ...rest } = change;
  const lists = { ExecCondition, ExecStartPre, ExecStart, ExecStartPost, ExecReload, ExecStop, ExecStopPost };
  const given = Object.entries(lists).flatMap(([name, texts]) =>
    texts === undefined ? [] : [[name, texts.map(command)]],
  );
  return { ...serviceDefaults, ...rest, ...Object.fromEntries(given) };
}
