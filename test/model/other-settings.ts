/** Settings of sockets, scopes and paths for tests: systemd's defaults, and what a test says instead. */
import type { PathSettings } from '../../src/machines/path-context.ts';
import type { ScopeSettings } from '../../src/machines/scope.ts';
import type { SocketSettings } from '../../src/machines/socket-context.ts';
import { command, serviceDefaults } from './service-settings.ts';

const ends = {
  StartLimitIntervalSec: serviceDefaults.StartLimitIntervalSec,
  StartLimitBurst: serviceDefaults.StartLimitBurst,
  StartLimitAction: 'none',
  FailureAction: 'none',
  SuccessAction: 'none',
  FailureActionExitStatus: undefined,
  SuccessActionExitStatus: undefined,
  RebootArgument: '',
};

const kills = {
  KillMode: 'control-group',
  KillSignal: 15,
  SendSIGHUP: false,
  SendSIGKILL: true,
  FinalKillSignal: 9,
} as const;

type ListName = 'ExecStartPre' | 'ExecStartPost' | 'ExecStopPre' | 'ExecStopPost';
export type SocketChange = Partial<Omit<SocketSettings, ListName>> & {
  readonly [List in ListName]?: readonly string[];
};

export function socketWith({
  ExecStartPre,
  ExecStartPost,
  ExecStopPre,
  ExecStopPost,
  ...rest
}: SocketChange = {}): SocketSettings {
  const list = (texts: readonly string[] | undefined) => (texts ?? []).map(command);
  return {
    Accept: false,
    Service: 'x.service',
    RemoveOnStop: false,
    FlushPending: false,
    TriggerLimitIntervalSec: 2_000,
    TriggerLimitBurst: 20,
    TimeoutSec: 90_000,
    ...kills,
    ...ends,
    ...rest,
    ExecStartPre: list(ExecStartPre),
    ExecStartPost: list(ExecStartPost),
    ExecStopPre: list(ExecStopPre),
    ExecStopPost: list(ExecStopPost),
  };
}

export const scopeWith = (change: Partial<ScopeSettings> = {}): ScopeSettings => ({
  TimeoutStopSec: 90_000,
  RuntimeMaxSec: 'infinity',
  ...kills,
  ...ends,
  ...change,
});

export type PathChange = Partial<PathSettings>;

export const pathWith = (change: PathChange = {}): PathSettings => ({
  specs: [{ kind: 'PathExists', path: '/x' }],
  Unit: 'x.service',
  MakeDirectory: false,
  TriggerLimitIntervalSec: 2_000,
  TriggerLimitBurst: 200,
  ...ends,
  ...change,
});
