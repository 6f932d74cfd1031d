/** What a socket machine knows. Plain JSON. */
import type { Command, SocketSection, Unit } from '../units/types.ts';
import {
  type EndSettings,
  endSettings,
  type Limited,
  type Past,
  type Placed,
  pick,
  taken,
  type Window,
} from './ends.ts';
import type { ActiveState, ExecList, ServiceStateEvent } from './protocol.ts';
import type { Killing } from './service-context.ts';
import type { Deadline } from './turn.ts';
import { newUnit } from './view.ts';

export type SocketList = Extract<ExecList, 'ExecStartPre' | 'ExecStartPost' | 'ExecStopPre' | 'ExecStopPost'>;

const socketKeys = [
  'Accept',
  'Service',
  'RemoveOnStop',
  'FlushPending',
  'TriggerLimitIntervalSec',
  'TriggerLimitBurst',
  'TimeoutSec',
  'ExecStartPre',
  'ExecStartPost',
  'ExecStopPre',
  'ExecStopPost',
  'KillMode',
  'KillSignal',
  'SendSIGHUP',
  'SendSIGKILL',
  'FinalKillSignal',
] as const satisfies readonly (keyof SocketSection)[];

/** What decides about a socket. `Service` is never empty: the unit it triggers, by name. */
export type SocketSettings = Pick<SocketSection, (typeof socketKeys)[number]> & EndSettings & Placed;

/** The machine's part of a unit's settings. */
export function socketSettings(unit: Pick<Unit, 'name' | 'unit'> & { readonly socket: SocketSection }): SocketSettings {
  const picked = pick(unit.socket, socketKeys);
  // systemd.socket(5), Service=: the service of the same name. TimeoutSec=0 is no time-out.
  const Service = picked.Service || unit.name.replace(/\.socket$/, '.service');
  const TimeoutSec = picked.TimeoutSec === 0 ? 'infinity' : picked.TimeoutSec;
  return { ...picked, Service, TimeoutSec, ...endSettings(unit.unit) };
}

/** A command that was asked for, or runs. `serial` null: not forked yet. */
export interface SocketCommand {
  readonly run: number;
  readonly list: SocketList;
  readonly index: number;
  readonly serial: number | null;
  /** Nothing of its list comes after it. */
  readonly last: boolean;
}

/** The service it triggers, as it was told last. */
export interface TriggeredService {
  readonly active: ActiveState;
  readonly sub: string;
  readonly pending: boolean;
  readonly loaded: boolean;
  readonly startLimitHit: boolean;
}

/** As an event tells of it. */
export const triggeredService = (event: ServiceStateEvent): TriggeredService => {
  const { active, sub, pending, loaded, startLimitHit } = event;
  return { active, sub, pending, loaded, startLimitHit: startLimitHit === true };
};

export interface SocketContext extends Limited {
  readonly settings: SocketSettings;
  readonly control: SocketCommand | null;
  readonly populated: boolean;
  readonly runs: number;
  readonly invocation: number;
  readonly deadline: Deadline | null;
  readonly killing: Killing | null;
  readonly service: TriggeredService;
  /** The trigger-limit window. */
  readonly triggers: Window | null;
  /** How often it has triggered its service; for people. */
  readonly nTriggered: number;
}

export const newSocket = (settings: SocketSettings, past: Past = { floor: 0 }): SocketContext => ({
  ...newUnit,
  settings,
  ...taken(past),
  startLimitHit: false,
  control: null,
  populated: false,
  deadline: null,
  killing: null,
  service: { active: 'inactive', sub: 'dead', pending: false, loaded: true, startLimitHit: false },
  triggers: null,
  nTriggered: 0,
});

export const commandsOf = (context: SocketContext, list: SocketList): readonly Command[] => context.settings[list];

/** Only a socket that runs commands needs a control group and a log. */
export const runsCommands = (context: SocketContext): boolean =>
  (['ExecStartPre', 'ExecStartPost', 'ExecStopPre', 'ExecStopPost'] as const).some(
    (list) => commandsOf(context, list).length > 0,
  );
