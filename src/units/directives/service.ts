/** [Service]. Source: systemd.service(5). */

import { simplifyPath } from '../names.ts';
import { parseInteger } from '../syntax/scalar.ts';
import type { RestartPolicy, ServiceSection, ServiceType } from '../types.ts';
import { known, section } from './build.ts';
import { cgroupDirectives } from './cgroup.ts';
import type { Directive, Mutable, Parser } from './draft.ts';
import { defaultExec, execDirectives } from './exec.ts';
import {
  boolean,
  commands,
  exits,
  oneOf,
  path,
  signal,
  span,
  timeout,
  unitNames,
  unsigned,
  verbatim,
  watchdog,
} from './parsers.ts';
import { emergencyAction, rebootArgument } from './unit.ts';

/** DefaultTimeoutStartSec= and its kin of systemd-system.conf(5). */
const DEFAULT_TIMEOUT_MS = 90_000;

export function defaultService(): Mutable<ServiceSection> {
  return {
    ...defaultExec(),
    StandardOutput: 'inherit', // settled by finishService
    Type: 'simple',
    ExitType: 'main',
    RemainAfterExit: false,
    GuessMainPID: true,
    PIDFile: '',
    BusName: '',
    ExecCondition: [],
    ExecStartPre: [],
    ExecStart: [],
    ExecStartPost: [],
    ExecReload: [],
    ExecStop: [],
    ExecStopPost: [],
    RestartSec: 100,
    TimeoutStartSec: DEFAULT_TIMEOUT_MS,
    TimeoutStopSec: DEFAULT_TIMEOUT_MS,
    TimeoutAbortSec: DEFAULT_TIMEOUT_MS,
    TimeoutStartFailureMode: 'terminate',
    TimeoutStopFailureMode: 'terminate',
    RuntimeMaxSec: 'infinity',
    WatchdogSec: 0,
    Restart: 'no',
    SuccessExitStatus: { statuses: [], signals: [] },
    RestartPreventExitStatus: { statuses: [], signals: [] },
    RestartForceExitStatus: { statuses: [], signals: [] },
    RootDirectoryStartOnly: false,
    NonBlocking: false,
    NotifyAccess: 'none',
    Sockets: [],
    FileDescriptorStoreMax: 0,
    OOMPolicy: 'stop',
  };
}

/** Defaults that depend on other settings, once all files are read. */
export function finishService(service: Mutable<ServiceSection>, given: ReadonlySet<string>): void {
  if (!given.has('Type'))
    service.Type = service.BusName !== '' ? 'dbus' : service.ExecStart.length > 0 ? 'simple' : 'oneshot';
  if (service.Type === 'oneshot' && !given.has('TimeoutStartSec')) service.TimeoutStartSec = 'infinity';
  if (!given.has('TimeoutAbortSec')) service.TimeoutAbortSec = service.TimeoutStopSec;
  if (
    service.NotifyAccess === 'none' &&
    (service.Type === 'notify' ||
      service.Type === 'notify-reload' ||
      service.WatchdogSec > 0 ||
      service.FileDescriptorStoreMax > 0)
  )
    service.NotifyAccess = 'main';
  // A terminal or socket is good for both ways; anything else on input leaves output to the log.
  const bothWays = /^(tty|tty-force|tty-fail|socket)$|^fd:/.test(service.StandardInput);
  if (!bothWays && service.StandardOutput === 'inherit') service.StandardOutput = 'journal';
  if (!given.has('OOMPolicy') && service.Delegate) service.OOMPolicy = 'continue';
}

const TYPES: readonly ServiceType[] = [
  'simple',
  'exec',
  'forking',
  'oneshot',
  'dbus',
  'notify',
  'notify-reload',
  'idle',
];
const RESTARTS: readonly RestartPolicy[] = [
  'no',
  'on-success',
  'on-failure',
  'on-abnormal',
  'on-watchdog',
  'on-abort',
  'always',
];

const pidFile: Parser<string> = (value, ctx) => {
  if (value === '') return '';
  const expanded = ctx.expand(value);
  if (expanded === undefined) return undefined;
  // Relative ones are below /run; /var/run is /run under its old name.
  const absolute = simplifyPath(expanded.startsWith('/') ? expanded : `/run/${expanded}`);
  const parsed = path(absolute, ctx, '');
  if (parsed?.startsWith('/var/run/')) {
    ctx.note('/var/run is the old name of /run', `write ${parsed.slice(4)}`);
    return parsed.slice(4);
  }
  return parsed;
};

const busName: Parser<string> = (value, ctx) => {
  const name = ctx.expand(value);
  if (name === undefined) return undefined;
  if (
    !/^([A-Za-z_-][A-Za-z0-9_-]*(\.[A-Za-z_-][A-Za-z0-9_-]*)+|:[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+)$/.test(name) ||
    name.length > 255
  ) {
    ctx.fault('not a D-Bus name', 'use a name with dots, such as org.example.Thing');
    return undefined;
  }
  return name;
};

const failureMode = oneOf('a failure mode', ['terminate', 'abort', 'kill']);
const service = section<ServiceSection>('Service', (draft) => draft.service);
const COMMAND = { form: 'COMMAND...' };

export const serviceDirectives: readonly Directive[] = [
  service.does('Type', (target, value, ctx, draft) => {
    const type = oneOf('a service type', TYPES)(value, ctx, target.Type);
    if (type === undefined) return;
    target.Type = type;
    draft.given.add('Type');
  }),
  service.set('ExitType', 'ExitType', oneOf('an exit type', ['main', 'cgroup'])),
  service.set('RemainAfterExit', 'RemainAfterExit', boolean),
  service.set('GuessMainPID', 'GuessMainPID', boolean),
  service.set('PIDFile', 'PIDFile', pidFile, { form: 'PATH' }),
  service.set('BusName', 'BusName', busName, { form: 'BUSNAME' }),
  service.set('ExecCondition', 'ExecCondition', commands, { ...COMMAND }),
  service.set('ExecStartPre', 'ExecStartPre', commands, COMMAND),
  service.set('ExecStart', 'ExecStart', commands, COMMAND),
  service.set('ExecStartPost', 'ExecStartPost', commands, COMMAND),
  service.set('ExecReload', 'ExecReload', commands, COMMAND),
  service.set('ExecStop', 'ExecStop', commands, COMMAND),
  service.set('ExecStopPost', 'ExecStopPost', commands, COMMAND),
  service.set('RestartSec', 'RestartSec', span),
  service.does(
    'TimeoutSec',
    (target, value, ctx, draft) => {
      const parsed = timeout(value, ctx, target.TimeoutStartSec);
      if (parsed === undefined) return;
      target.TimeoutStartSec = parsed;
      target.TimeoutStopSec = parsed;
      draft.given.add('TimeoutStartSec');
    },
    { form: 'SECONDS' },
  ),
  service.does(
    'TimeoutStartSec',
    (target, value, ctx, draft) => {
      const parsed = timeout(value, ctx, target.TimeoutStartSec);
      if (parsed === undefined) return;
      target.TimeoutStartSec = parsed;
      draft.given.add('TimeoutStartSec');
    },
    { form: 'SECONDS' },
  ),
  service.set('TimeoutStopSec', 'TimeoutStopSec', timeout, { form: 'SECONDS' }),
  service.does(
    'TimeoutAbortSec',
    (target, value, ctx, draft) => {
      if (value === '') {
        draft.given.delete('TimeoutAbortSec');
        return;
      }
      const parsed = timeout(value, ctx, target.TimeoutAbortSec);
      if (parsed === undefined) return;
      target.TimeoutAbortSec = parsed;
      draft.given.add('TimeoutAbortSec');
    },
    { form: 'SECONDS' },
  ),
  service.set('TimeoutStartFailureMode', 'TimeoutStartFailureMode', failureMode),
  service.set('TimeoutStopFailureMode', 'TimeoutStopFailureMode', failureMode),
  service.set('RuntimeMaxSec', 'RuntimeMaxSec', span),
  service.set('WatchdogSec', 'WatchdogSec', watchdog, { form: 'SECONDS' }),
  service.set('Restart', 'Restart', oneOf('a restart policy', RESTARTS)),
  service.set('SuccessExitStatus', 'SuccessExitStatus', exits, { form: 'STATUS...' }),
  service.set('RestartPreventExitStatus', 'RestartPreventExitStatus', exits, { form: 'STATUS...' }),
  service.set('RestartForceExitStatus', 'RestartForceExitStatus', exits, { form: 'STATUS...' }),
  service.set('RootDirectoryStartOnly', 'RootDirectoryStartOnly', boolean, { status: 'unsupported' }),
  service.set('NonBlocking', 'NonBlocking', boolean),
  service.set('NotifyAccess', 'NotifyAccess', oneOf('a notify access', ['none', 'main', 'exec', 'all'])),
  service.does(
    'Sockets',
    (target, value, ctx) => {
      if (value === '') {
        target.Sockets = [];
        return;
      }
      unitNames(value, ctx, (name, offset) => {
        if (!name.endsWith('.socket')) ctx.fault(`${name}: not a .socket`, 'name socket units', offset);
        else {
          target.Sockets = [...target.Sockets, name];
          ctx.edge('Wants', name, offset);
          ctx.edge('After', name, offset);
          ctx.edge('TriggeredBy', name, offset);
        }
      });
    },
    { form: 'SOCKET...' },
  ),
  service.does(
    'FileDescriptorStoreMax',
    (target, value, ctx) => {
      const parsed = parseInteger(value, 0, 4_294_967_295);
      if (parsed === undefined) ctx.fault('not a number of descriptors', 'use a number that is not negative');
      else target.FileDescriptorStoreMax = parsed;
    },
    { form: 'UNSIGNED' },
  ),
  service.does(
    'OOMPolicy',
    (target, value, ctx, draft) => {
      const parsed = oneOf('an OOM policy', ['continue', 'stop', 'kill'])(value, ctx, target.OOMPolicy);
      if (parsed === undefined) return;
      target.OOMPolicy = parsed;
      draft.given.add('OOMPolicy');
    },
    { status: 'unsupported', form: 'continue|stop|kill' },
  ),
  // Settings of [Unit] that older units have here.
  ...(['StartLimitInterval', 'StartLimitBurst', 'StartLimitAction', 'FailureAction', 'RebootArgument'] as const).map(
    (key) =>
      service.does(
        key,
        (_target, value, ctx, draft) => {
          if (key === 'StartLimitInterval') {
            const parsed = span(value, ctx, draft.unit.StartLimitIntervalSec);
            if (parsed !== undefined) draft.unit.StartLimitIntervalSec = parsed;
          } else if (key === 'StartLimitBurst') {
            const parsed = parseInteger(value, 0, 4_294_967_295);
            if (parsed === undefined) ctx.fault('not a whole number', 'use a number that is not negative');
            else draft.unit.StartLimitBurst = parsed;
          } else {
            const parsed = key === 'RebootArgument' ? rebootArgument(value, ctx, '') : emergencyAction(value, ctx, '');
            if (parsed !== undefined) draft.unit[key] = parsed;
          }
        },
        { renamedTo: key === 'StartLimitInterval' ? '[Unit] StartLimitIntervalSec' : `[Unit] ${key}` },
      ),
  ),
  service.set(
    'PermissionsStartOnly',
    'RootDirectoryStartOnly',
    ((value, ctx, current) => {
      // Old: only ExecStart= runs as User=; + in front of the other commands says it now.
      const parsed = boolean(value, ctx, current);
      if (parsed === true)
        ctx.fault(
          'not honoured; all commands run as User=',
          'put + in front of the commands that need full privileges',
        );
      return undefined;
    }) as Parser<boolean>,
    { status: 'unsupported', form: 'BOOLEAN' },
  ),
  // Newer than 252.
  ...known('Service', 'ReloadSignal', signal),
  ...known('Service', 'RestartSteps', unsigned),
  ...known('Service', 'RestartMaxDelaySec', span),
  ...known('Service', 'RestartMode', oneOf('a restart mode', ['normal', 'direct', 'debug']), {
    form: 'normal|direct|debug',
  }),
  ...known('Service', 'FileDescriptorStorePreserve', verbatim, { form: 'BOOLEAN|restart' }),
  ...known('Service', 'OpenFile', verbatim, { form: 'PATH[:NAME[:OPTIONS]]' }),
  ...known('Service', 'MemoryKSM', boolean),
  ...known('Service', 'RuntimeRandomizedExtraSec', span),
  ...known('Service', 'USBFunctionDescriptors USBFunctionStrings', path),
  ...known('Service', 'SysVStartPriority BusPolicy', undefined, { status: 'accepted' }),
  ...execDirectives('Service', (draft) => draft.service),
  ...cgroupDirectives(
    'Service',
    (draft) => draft.service,
    (draft) => draft.service,
  ),
];
