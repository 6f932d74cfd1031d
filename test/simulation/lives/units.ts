/**
 * The lives of single units and of small groups: types of services, sockets, targets, what keeps them together, and how they fail.
 */
import { type Life, programs, service, unit } from './life.ts';

export const unitLives: readonly Life[] = [
  {
    name: 'a simple service, started, restarted, stopped',
    units: { 'a.service': service('ExecStart=/bin/polite') },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['a.service'] },
      { atMs: 200, verb: 'restart', units: ['a.service'] },
      { atMs: 500, verb: 'stop', units: ['a.service'] },
    ],
    forMs: 3_000,
    end: { 'a.service': 'dead success' },
  },
  {
    name: 'a chain of oneshots, of which one fails and one waits for all',
    units: {
      'a.service': service('Type=oneshot\nExecStart=/bin/true\nExecStart=/bin/slow\nRemainAfterExit=yes'),
      'b.service': service('Type=oneshot\nExecStart=/bin/true', 'Requires=a.service\nAfter=a.service'),
      'c.service': service('Type=oneshot\nExecStart=/bin/false', 'Wants=b.service\nAfter=b.service'),
      'd.service': service('Type=oneshot\nExecStart=/bin/true', 'Requires=c.service\nAfter=c.service'),
      'e.service': service('ExecStart=/bin/daemon', 'Wants=d.service a.service\nAfter=a.service b.service d.service'),
    },
    programs,
    wishes: [{ atMs: 20, verb: 'start', units: ['e.service'] }],
    forMs: 4_000,
    end: {
      'a.service': 'exited success',
      'b.service': 'dead success',
      'c.service': 'failed exit-code',
      'd.service': 'dead success',
      'e.service': 'running success',
    },
  },
  {
    name: 'a forking service with a PID file',
    units: {
      'a.service': service(
        'Type=forking\nExecStartPre=/bin/true\nExecStart=/bin/forking\nPIDFile=/run/forking.pid\nExecStopPost=/bin/true',
      ),
    },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['a.service'] },
      { atMs: 400, verb: 'stop', units: ['a.service'] },
    ],
    forMs: 3_000,
    end: { 'a.service': 'dead success' },
  },
  {
    name: 'a notifying service whose watchdog runs out, and that is started again',
    units: {
      'a.service': service(
        'Type=notify\nExecStart=/bin/ready\nWatchdogSec=400ms\nRestart=on-watchdog\nRestartSec=100ms',
        'StartLimitBurst=2\nStartLimitIntervalSec=1h',
      ),
    },
    programs,
    wishes: [{ atMs: 20, verb: 'start', units: ['a.service'] }],
    forMs: 6_000,
    // Behind the last word before it runs out.
    closely: { calls: ['sockets.consume'] },
    end: { 'a.service': 'failed watchdog' },
  },
  {
    name: 'a service that fails until it is well',
    units: {
      'a.service': service('ExecStart=/bin/flaky\nRestart=on-failure\nRestartSec=80ms'),
      'b.service': service('ExecStart=/bin/daemon', 'BindsTo=a.service\nAfter=a.service'),
    },
    programs,
    wishes: [{ atMs: 20, verb: 'start', units: ['b.service'] }],
    forMs: 4_000,
    end: { 'a.service': 'running success', 'b.service': 'dead success' },
  },
  {
    name: 'a service that runs into its start limit, and what OnFailure= starts',
    units: {
      'a.service': service(
        'ExecStart=/bin/dies\nRestart=always\nRestartSec=50ms',
        'OnFailure=alarm.service\nStartLimitBurst=3\nStartLimitIntervalSec=1h',
      ),
      'alarm.service': service('Type=oneshot\nExecStart=/bin/true\nRemainAfterExit=yes'),
    },
    programs,
    wishes: [{ atMs: 20, verb: 'start', units: ['a.service'] }],
    forMs: 4_000,
    end: { 'a.service': 'failed exit-code', 'alarm.service': 'exited success' },
  },
  {
    name: 'a socket whose service starts with the first connection',
    units: {
      'a.socket': unit('[Socket]\nListenStream=/run/a.sock\n'),
      'a.service': service('ExecStart=/bin/polite'),
    },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['a.socket'] },
      { atMs: 600, verb: 'stop', units: ['a.socket', 'a.service'] },
    ],
    outside: [{ atMs: 200, connect: 'listen:a.socket:0' }],
    forMs: 4_000,
    end: { 'a.socket': 'dead success', 'a.service': 'dead success' },
  },
  {
    name: 'a target with all it wants, isolated away again',
    units: {
      'many.target': unit('Wants=a.service b.service c.service\nAfter=a.service b.service c.service\n'),
      'a.service': service('ExecStart=/bin/polite', 'After=b.service'),
      'b.service': service('Type=oneshot\nExecStart=/bin/true\nRemainAfterExit=yes'),
      'c.service': service('ExecStart=/bin/daemon', 'IgnoreOnIsolate=yes'),
      'few.target': unit('AllowIsolate=yes\nWants=d.service\n'),
      'd.service': service('ExecStart=/bin/daemon'),
    },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['many.target'] },
      { atMs: 300, verb: 'start', units: ['few.target'], mode: 'isolate' },
    ],
    forMs: 3_000,
    end: {
      'many.target': 'dead success',
      'a.service': 'dead success',
      'b.service': 'dead success',
      'c.service': 'running success',
      'few.target': 'active success',
      'd.service': 'running success',
    },
  },
  {
    name: 'a job that runs into JobRunningTimeoutSec= while its service goes on',
    units: {
      'a.service': service(
        'Type=notify\nExecStart=/bin/daemon\nTimeoutStartSec=infinity',
        'JobRunningTimeoutSec=500ms',
      ),
      'b.service': service('ExecStart=/bin/daemon', 'Requires=a.service\nAfter=a.service\nOnFailure=alarm.service'),
      'alarm.service': service('ExecStart=/bin/daemon'),
    },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['b.service'] },
      { atMs: 1_500, verb: 'stop', units: ['a.service'] },
    ],
    forMs: 5_000,
    end: { 'a.service': 'dead success', 'b.service': 'dead success', 'alarm.service': 'running success' },
  },
  {
    name: 'a stop that takes a SIGKILL',
    units: {
      'a.service': service('ExecStart=/bin/deaf\nTimeoutStopSec=500ms'),
      'b.service': service('ExecStart=/bin/polite', 'PartOf=a.service\nAfter=a.service'),
    },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['a.service', 'b.service'], together: true },
      { atMs: 300, verb: 'stop', units: ['a.service'] },
    ],
    forMs: 4_000,
    end: { 'a.service': 'failed timeout', 'b.service': 'dead success' },
  },
  {
    name: 'a start that takes too long, and all phases of its end',
    units: {
      'a.service': service(
        'Type=notify\nExecStart=/bin/deaf\nTimeoutStartSec=300ms\nTimeoutStopSec=200ms\nExecStopPost=/bin/true',
      ),
    },
    programs,
    wishes: [{ atMs: 20, verb: 'start', units: ['a.service'] }],
    forMs: 4_000,
    end: { 'a.service': 'failed timeout' },
  },
  {
    name: 'rules: bound, upheld, unneeded, in conflict',
    units: {
      'base.service': service('ExecStart=/bin/polite'),
      'bound.service': service('ExecStart=/bin/polite', 'BindsTo=base.service\nAfter=base.service'),
      'helper.service': service('ExecStart=/bin/daemon', 'StopWhenUnneeded=yes'),
      'user.service': service('ExecStart=/bin/polite', 'Requires=helper.service\nUpholds=up.service'),
      'up.service': service('ExecStart=/bin/polite'),
      'foe.service': service('ExecStart=/bin/daemon', 'Conflicts=user.service'),
    },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['bound.service', 'user.service'] },
      { atMs: 700, verb: 'start', units: ['foe.service'] },
    ],
    outside: [
      { atMs: 250, kill: 'base.service', signal: 9 },
      { atMs: 400, kill: 'up.service', signal: 9 },
    ],
    forMs: 4_000,
    end: {
      'base.service': 'failed signal',
      'bound.service': 'dead success',
      'helper.service': 'dead success',
      'user.service': 'dead success',
      'up.service': 'running success',
      'foe.service': 'running success',
    },
  },
  {
    name: 'conditions that hold, that do not, and an assertion',
    units: {
      'a.service': service('ExecStart=/bin/daemon', 'ConditionPathExists=/etc/there'),
      'b.service': service('ExecStart=/bin/daemon', 'ConditionPathExists=/etc/nowhere'),
      'c.service': service('ExecStart=/bin/daemon', 'AssertPathExists=/etc/nowhere'),
      'd.service': service('ExecStart=/bin/daemon', 'Requires=b.service\nAfter=b.service'),
    },
    files: { '/etc/there': 'yes' },
    programs,
    wishes: [{ atMs: 20, verb: 'start', units: ['a.service', 'c.service', 'd.service'] }],
    forMs: 3_000,
    end: {
      'a.service': 'running success',
      'b.service': 'dead success',
      'c.service': 'dead success',
      'd.service': 'running success',
    },
  },
  {
    name: 'programs that cannot be executed, and requests that are refused',
    units: {
      'a.service': service('Type=exec\nExecStart=/bin/broken', 'OnFailure=b.service'),
      'b.service': service('Type=oneshot\nExecStart=-/bin/broken\nExecStart=/bin/true'),
      'c.service': service('ExecStart=/bin/daemon', 'RefuseManualStart=yes'),
      'd.service': service('ExecStart=/bin/daemon', 'Requires=gone.service'),
    },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['a.service'] },
      { atMs: 200, verb: 'start', units: ['c.service', 'd.service', 'none.service'] },
      { atMs: 220, verb: 'try-restart', units: ['b.service'] },
    ],
    forMs: 3_000,
    end: {
      'a.service': 'failed exit-code',
      'b.service': 'dead success',
      'c.service': 'dead success',
      'd.service': 'dead success',
    },
  },
];
