/** Loaded units for tests: small, whole, and typed by the contract. */
import type { Manager, UnitState, UnitView } from '../../../src/api/manager.ts';
import type { ActiveState } from '../../../src/jobs/types.ts';
import type { ServiceSection, SocketSection, Unit, UnitSection, UnitType } from '../../../src/units/types.ts';

const unitSection = (description: string): UnitSection => ({
  Description: description,
  Documentation: ['man:example(8)'],
  DefaultDependencies: true,
  AllowIsolate: false,
  IgnoreOnIsolate: false,
  StopWhenUnneeded: false,
  RefuseManualStart: false,
  RefuseManualStop: false,
  CollectMode: 'inactive',
  OnFailureJobMode: 'replace',
  OnSuccessJobMode: 'fail',
  JobTimeoutSec: 'infinity',
  JobRunningTimeoutSec: 'infinity',
  JobTimeoutAction: 'none',
  JobTimeoutRebootArgument: '',
  StartLimitIntervalSec: 10_000,
  StartLimitBurst: 5,
  StartLimitAction: 'none',
  FailureAction: 'none',
  SuccessAction: 'none',
  FailureActionExitStatus: undefined,
  SuccessActionExitStatus: undefined,
  RebootArgument: '',
  SourcePath: '',
  RequiresMountsFor: [],
});

/** The settings that the tests look at; the rest of ExecSettings is not read by src/api or src/cli. */
const service: Partial<ServiceSection> = {
  Type: 'notify',
  Restart: 'on-failure',
  TimeoutStartSec: 90_000,
  TimeoutStopSec: 'infinity',
  RestartSec: 100,
  WatchdogSec: 0,
  UMask: 0o022,
  Environment: ['A=b', 'C=d e'],
  ExecStart: [
    {
      path: '/usr/sbin/web',
      argv: ['/usr/sbin/web', '-D'],
      ignoreFailure: false,
      noExpand: false,
      privilege: 'normal',
    },
  ],
  ExecReload: [
    {
      path: '/bin/kill',
      argv: ['/bin/kill', '-HUP', '$MAINPID'],
      ignoreFailure: false,
      noExpand: false,
      privilege: 'normal',
    },
  ],
  Limits: { NOFILE: { soft: 1024, hard: null } },
  SuccessExitStatus: { statuses: [0, 3], signals: [15] },
};

const socket: Partial<SocketSection> = {
  Listen: [{ kind: 'stream', address: '/run/web.sock' }],
  Accept: false,
  SocketMode: 0o666,
  options: { KeepAlive: true },
};

/** A unit of the type that its name says, loaded from /etc/sysmaster/system. */
export function fakeUnit(name: string, more: Partial<Unit> = {}): Unit {
  const type = name.slice(name.lastIndexOf('.') + 1) as UnitType;
  return {
    name,
    type,
    names: [],
    loadState: 'loaded',
    fragmentPath: `/etc/sysmaster/system/${name}`,
    dropInPaths: [],
    unitFileState: 'enabled',
    unit: unitSection(`The ${name.replace(/\..*/, '')} ${type}`),
    install: {
      Alias: [],
      WantedBy: ['multi-user.target'],
      RequiredBy: [],
      UpheldBy: [],
      Also: [],
      DefaultInstance: '',
    },
    conditions: [],
    ...(type === 'service' ? { service: service as ServiceSection } : {}),
    ...(type === 'socket' ? { socket: socket as SocketSection } : {}),
    edges: [],
    findings: [],
    raw: {},
    ...more,
  };
}

/** 2026-11-22 03:00:00 UTC, an hour after boot. */
export const NOON = { realUs: 1_795_316_400_000_000, monotonicUs: 3_600_000_000 };

/** A state in which nothing ever happened. */
export function fakeState(active: ActiveState, sub: string, more: Partial<UnitState> = {}): UnitState {
  return {
    active,
    sub,
    result: 'success',
    job: undefined,
    following: undefined,
    invocationId: '',
    stateChange: active === 'inactive' ? undefined : NOON,
    activeEnter: active === 'active' ? NOON : undefined,
    activeExit: undefined,
    inactiveEnter: active === 'failed' ? NOON : undefined,
    inactiveExit: undefined,
    condition: undefined,
    assertion: undefined,
    needDaemonReload: false,
    controlGroup: '',
    tasks: undefined,
    tasksMax: undefined,
    memoryBytes: undefined,
    memoryPeakBytes: undefined,
    cpuNs: undefined,
    service: undefined,
    socket: undefined,
    ...more,
  };
}

const webMain = {
  setting: 'ExecStart',
  index: 0,
  path: '/usr/sbin/web',
  argv: ['/usr/sbin/web', '-D'],
  ignoreFailure: false,
  pid: 4242,
  started: NOON,
  ended: undefined,
  exit: undefined,
};

const crashed = {
  ...webMain,
  path: '/usr/bin/false',
  argv: ['/usr/bin/false'],
  pid: 4300,
  ended: NOON,
  exit: { code: 'exited', status: 1 },
} as const;

const serviceState = (more: Partial<NonNullable<UnitState['service']>>): NonNullable<UnitState['service']> => ({
  mainPid: 0,
  controlPid: 0,
  main: undefined,
  statusText: '',
  statusErrno: 0,
  nRestarts: 0,
  watchdog: undefined,
  fdStore: 0,
  commands: [],
  reloadResult: 'success',
  ...more,
});

/** A small world: a web server with its socket, a service that failed, a stopped one, a masked one, and targets. */
export function fakeWorld(): UnitView[] {
  const view = (unit: Unit, state: UnitState): UnitView => ({ unit, state, preset: 'enabled' });
  return [
    view(
      fakeUnit('web.service', {
        names: ['www.service'],
        dropInPaths: ['/etc/sysmaster/system/web.service.d/10-more.conf'],
        edges: [
          {
            from: 'web.service',
            kind: 'Requires',
            to: 'web.socket',
            origin: { file: '/etc/sysmaster/system/web.service', line: 3 },
          },
          {
            from: 'web.service',
            kind: 'Wants',
            to: 'crash.service',
            origin: { link: '/etc/sysmaster/system/web.service.wants/crash.service' },
          },
          { from: 'web.service', kind: 'After', to: 'basic.target', origin: { rule: 'default dependency' } },
        ],
      }),
      fakeState('active', 'running', {
        controlGroup: '/system.slice/web.service',
        invocationId: '0123456789abcdef0123456789abcdef',
        tasks: 3,
        tasksMax: 4915,
        memoryBytes: 7_654_321,
        cpuNs: 1_234_567_890,
        service: serviceState({
          mainPid: 4242,
          main: webMain,
          statusText: 'Serving 3 clients',
          commands: [webMain],
          nRestarts: 2,
        }),
      }),
    ),
    view(
      fakeUnit('web.socket', {
        edges: [{ from: 'web.socket', kind: 'Triggers', to: 'web.service', origin: { rule: 'socket of its service' } }],
      }),
      fakeState('active', 'running', { socket: { accepted: 7, connections: 0, refused: 0, controlPid: 0 } }),
    ),
    view(
      fakeUnit('crash.service', {
        findings: [
          {
            severity: 'warning',
            at: { file: '/etc/sysmaster/system/crash.service', line: 12, column: 1 },
            what: 'Restrat=always',
            why: 'not a setting of [Service]',
            todo: 'did you mean Restart=?',
          },
        ],
      }),
      fakeState('failed', 'failed', {
        result: 'exit-code',
        service: serviceState({ main: crashed, commands: [crashed] }),
      }),
    ),
    view(
      fakeUnit('idle.service', { unitFileState: 'disabled' }),
      fakeState('inactive', 'dead', { service: serviceState({}) }),
    ),
    view(
      fakeUnit('gone.service', { loadState: 'masked', unitFileState: 'masked', fragmentPath: '/dev/null' }),
      fakeState('inactive', 'dead'),
    ),
    view(fakeUnit('basic.target', { unitFileState: 'static' }), fakeState('active', 'active')),
    view(
      fakeUnit('multi-user.target', {
        unitFileState: 'static',
        edges: [
          {
            from: 'multi-user.target',
            kind: 'Wants',
            to: 'web.service',
            origin: { link: '/etc/sysmaster/system/multi-user.target.wants/web.service' },
          },
          { from: 'multi-user.target', kind: 'Requires', to: 'basic.target', origin: { rule: 'default' } },
        ],
      }),
      fakeState('active', 'active'),
    ),
  ];
}

export type FakeManagerView = ReturnType<Manager['manager']>;
