/**
 * What systemd refuses to load although every line can be read, and what it warns of.
 * Source: the manual pages of the unit types; checked against `systemd-analyze verify`.
 */

import type { Draft } from './directives/draft.ts';
import { nameToPath, pathToName } from './names.ts';
import { canAccept, listenPath } from './syntax/address.ts';
import type { Listen } from './types.ts';

export interface Fault {
  readonly what: string;
  readonly why: string;
  readonly todo: string;
  /** A key whose last assignment is the place of the fault. */
  readonly key: string;
}

/** All reasons for which the unit is bad-setting. */
export function refusals(name: string, draft: Draft): readonly Fault[] {
  const faults: Fault[] = [];
  const refuse = (key: string, what: string, why: string, todo: string) => faults.push({ key, what, why, todo });

  const { service, socket, timer, path, mount, automount, swap, slice } = draft;
  if (service !== undefined) {
    const has = service.ExecStart.length > 0;
    const acts = draft.unit.SuccessAction !== 'none';
    const oneshot = service.Type === 'oneshot';
    if (!has && service.ExecStop.length === 0 && !acts)
      refuse(
        'ExecStart',
        'service',
        'it has neither ExecStart=, ExecStop= nor SuccessAction=',
        'give it an ExecStart=',
      );
    else if (!has && !oneshot)
      refuse(
        'ExecStart',
        `Type=${service.Type}`,
        'only a Type=oneshot service may have no ExecStart=',
        'give it an ExecStart= or use Type=oneshot',
      );
    else if (!has && !service.RemainAfterExit && !acts)
      refuse(
        'RemainAfterExit',
        'service',
        'it has no ExecStart= and would not remain',
        'give it an ExecStart=, or RemainAfterExit=yes',
      );
    if (!oneshot && service.ExecStart.length > 1)
      refuse(
        'ExecStart',
        `Type=${service.Type}`,
        'only a Type=oneshot service may have more than one ExecStart=',
        'use Type=oneshot, or empty the list first with ExecStart=',
      );
    if (oneshot && (service.Restart === 'always' || service.Restart === 'on-success'))
      refuse(
        'Restart',
        `Restart=${service.Restart}`,
        'a Type=oneshot service would run for ever',
        'use no, on-failure, on-abnormal, on-watchdog or on-abort',
      );
    if (
      oneshot &&
      (service.RestartForceExitStatus.statuses.length > 0 || service.RestartForceExitStatus.signals.length > 0)
    )
      refuse('RestartForceExitStatus', 'RestartForceExitStatus=', 'not allowed for Type=oneshot', 'remove it');
    if (oneshot && service.ExitType === 'cgroup')
      refuse('ExitType', 'ExitType=cgroup', 'not allowed for Type=oneshot', 'remove it');
    if (service.Type === 'dbus' && service.BusName === '')
      refuse('Type', 'Type=dbus', 'there is no BusName=', 'give the name the service takes on the bus');
  }
  if (socket !== undefined) {
    if (socket.Listen.length === 0)
      refuse('Listen', 'socket', 'it listens on nothing', 'give it a ListenStream=, ListenDatagram=, ListenFIFO= …');
    const accepting = socket.Listen.every(canAccept);
    if (socket.Accept && socket.Listen.length > 0 && !accepting)
      refuse(
        'Accept',
        'Accept=yes',
        'some of its listeners cannot accept connections',
        'use Accept=no, or only ListenStream= and ListenSequentialPacket=',
      );
    if (socket.Accept && socket.MaxConnections === 0)
      refuse('MaxConnections', 'MaxConnections=0', 'no connection could be accepted', 'use a number above 0');
    if (socket.Accept && socket.Service !== '')
      refuse(
        'Service',
        `Service=${socket.Service}`,
        'a socket with Accept=yes starts instances of its own template',
        'remove it, or use Accept=no',
      );
    if (socket.Symlinks.length > 0 && socket.Listen.filter((listen) => isNode(listen)).length !== 1)
      refuse(
        'Symlinks',
        'Symlinks=',
        'there is not exactly one listener in the file system to link to',
        'remove it or the other listeners',
      );
  }
  if (
    timer !== undefined &&
    timer.monotonic.length === 0 &&
    timer.OnCalendar.length === 0 &&
    !timer.OnClockChange &&
    !timer.OnTimezoneChange
  )
    refuse('OnCalendar', 'timer', 'it never elapses', 'give it an OnCalendar=, OnBootSec= …');
  if (path !== undefined && path.specs.length === 0)
    refuse('PathExists', 'path', 'it watches nothing', 'give it a PathExists=, PathChanged= …');
  if (mount !== undefined) {
    if (mount.Where === '') mount.Where = nameToPath(name) ?? '';
    if (pathToName(mount.Where, 'mount') !== name)
      refuse(
        'Where',
        `Where=${mount.Where}`,
        `the unit would have to be called ${pathToName(mount.Where, 'mount') ?? 'otherwise'}`,
        'rename the file or mend Where=',
      );
    if (mount.What === '') refuse('What', 'mount', 'it has no What=', 'say what is to be mounted');
  }
  if (automount !== undefined) {
    if (automount.Where === '') automount.Where = nameToPath(name) ?? '';
    if (pathToName(automount.Where, 'automount') !== name)
      refuse(
        'Where',
        `Where=${automount.Where}`,
        `the unit would have to be called ${pathToName(automount.Where, 'automount') ?? 'otherwise'}`,
        'rename the file or mend Where=',
      );
  }
  if (swap !== undefined) {
    if (swap.What === '') swap.What = nameToPath(name) ?? '';
    else draft.given.add('What');
    if (pathToName(swap.What, 'swap') !== name)
      refuse(
        'What',
        `What=${swap.What}`,
        `the unit would have to be called ${pathToName(swap.What, 'swap') ?? 'otherwise'}`,
        'rename the file or mend What=',
      );
  }
  if (slice !== undefined) {
    const fault = sliceFault(name);
    if (fault !== undefined) refuse('Slice', name, fault, 'rename it: a-b.slice lies in a.slice');
  }
  return faults;
}

/** Is it something that the socket itself makes in the file system? */
const isNode = (listen: Listen): boolean =>
  listen.kind !== 'special' && listen.kind !== 'message-queue' && listenPath(listen) !== undefined;

/** Only one unit can be isolated (systemd.unit(5), OnFailureJobMode=); asked last, when all edges are there. */
export function isolationFault({ unit, edges }: Draft): Omit<Fault, 'key'> | undefined {
  if (unit.OnFailureJobMode !== 'isolate' || edges.filter(({ kind }) => kind === 'OnFailure').length < 2)
    return undefined;
  return {
    what: 'OnFailureJobMode=isolate',
    why: 'OnFailure= names more than one unit, and only one can be isolated',
    todo: 'keep one of them, or use another mode',
  };
}

/** Why a name cannot be that of a slice (systemd.slice(5)): each dash must have something on both sides. */
export function sliceFault(name: string): string | undefined {
  if (name === '-.slice') return undefined;
  const prefix = name.slice(0, name.lastIndexOf('.'));
  if (name.includes('@')) return 'slices have no instances';
  return prefix.startsWith('-') || prefix.endsWith('-') || prefix.includes('--')
    ? 'a dash without a name on both of its sides'
    : undefined;
}

/** a-b.slice -> a.slice -> -.slice; the root has none. */
export function parentSlice(name: string): string {
  if (name === '-.slice') return '';
  const dash = name.lastIndexOf('-');
  return dash < 0 ? '-.slice' : `${name.slice(0, dash)}.slice`;
}
