/** Core as a whole: unit files that change, generators, other versions, failures of ours, and the end. */
import type { Programs } from '../../../src/host/sim/index.ts';
import { type Life, programs, service, UNITS, unit } from './life.ts';

const polite = (lines = '') => service('ExecStart=/bin/polite', lines);

/** The next version of core, as the present one was started. */
const CORE = '/usr/lib/sysmaster/node';
const cmdline = { '/proc/self/cmdline': `${CORE}\0/usr/lib/sysmaster/core.cjs\0` };

const ending = (target: string, action: string) => ({
  [target]: unit('Requires=end.service\nAfter=end.service\n'),
  'end.service': service(
    'Type=oneshot\nExecStart=/bin/true',
    `SuccessAction=${action}\nRequires=shutdown.target\nAfter=shutdown.target`,
  ),
  'shutdown.target': unit(''),
});

const generating: Programs = {
  ...programs,
  '/gen/one': {
    run: ({ argv, count }) => [
      {
        after: 30,
        write: { path: `${argv[1]}/made.service`, text: service(`ExecStart=/bin/polite\nTimeoutStopSec=${count}s`) },
      },
      { after: 10, exit: 0 },
    ],
  },
  '/gen/two': { run: [{ after: 50, exit: 1 }] },
};

export const managerLives: readonly Life[] = [
  {
    name: 'unit files that change, are made and go away, read anew in the middle of jobs',
    units: {
      'a.service': service('Type=oneshot\nExecStart=/bin/slow\nRemainAfterExit=yes'),
      'b.service': polite('Requires=a.service\nAfter=a.service'),
      'c.service': polite(),
    },
    programs,
    outside: [
      {
        atMs: 100,
        write: `${UNITS}/b.service`,
        text: service('ExecStart=/bin/daemon', 'Requires=a.service\nAfter=a.service'),
      },
      { atMs: 100, write: `${UNITS}/d.service`, text: polite() },
      { atMs: 650, remove: `${UNITS}/c.service` },
    ],
    wishes: [
      { atMs: 20, verb: 'start', units: ['c.service'] },
      { atMs: 40, verb: 'start', units: ['b.service'] },
      { atMs: 140, method: 'Manager.Reload', parameters: {} },
      { atMs: 200, verb: 'start', units: ['d.service'] },
      { atMs: 600, verb: 'stop', units: ['c.service'] },
      { atMs: 700, method: 'Manager.Reload', parameters: {} },
    ],
    forMs: 3_000,
    end: { 'a.service': 'exited success', 'b.service': 'running success', 'd.service': 'running success' },
  },
  {
    name: 'generators at boot and at a reload, of which one fails',
    units: { 'default.target': unit('Wants=made.service\nAfter=made.service\n') },
    programs: generating,
    files: { '/gen/one': { text: '#!', mode: 0o755 }, '/gen/two': { text: '#!', mode: 0o755 } },
    facts: { environment: { SYSMASTER_GENERATOR_PATH: '/gen' } },
    wishes: [
      { atMs: 400, method: 'Manager.Reload', parameters: {} },
      { atMs: 420, method: 'Manager.Reload', parameters: {} },
      { atMs: 800, verb: 'restart', units: ['made.service'] },
    ],
    forMs: 3_000,
    end: { 'made.service': 'running success' },
  },
  {
    name: 'unit files that are enabled, disabled and masked',
    units: {
      'a.service': `${polite()}[Install]\nWantedBy=default.target\nAlias=other.service\n`,
      'b.service': polite(),
    },
    programs,
    facts: { environment: { SYSMASTER_UNIT_PATH: `/etc/sysmaster/system:${UNITS}` } },
    wishes: [
      { atMs: 20, method: 'Units.ChangeFiles', parameters: { verb: 'enable', names: ['a.service'], reload: true } },
      { atMs: 200, verb: 'start', units: ['default.target', 'other.service'] },
      { atMs: 300, method: 'Units.ChangeFiles', parameters: { verb: 'mask', names: ['b.service'], reload: true } },
      { atMs: 400, verb: 'start', units: ['b.service'] },
      { atMs: 500, method: 'Units.ChangeFiles', parameters: { verb: 'disable', names: ['a.service'], reload: true } },
      { atMs: 600, method: 'Units.ChangeFiles', parameters: { verb: 'unmask', names: ['b.service'], reload: true } },
      { atMs: 700, verb: 'start', units: ['b.service'] },
    ],
    forMs: 3_000,
    end: { 'a.service': 'running success', 'b.service': 'running success' },
  },
  {
    name: 'environment, kills by hand, and failures that are forgotten',
    units: {
      'a.service': polite(),
      'b.service': service('ExecStart=/bin/dies', 'StartLimitBurst=1\nStartLimitIntervalSec=1h'),
    },
    programs,
    wishes: [
      { atMs: 20, method: 'Manager.SetEnvironment', parameters: { set: ['A=1', 'B=2'], unset: [] } },
      { atMs: 60, verb: 'start', units: ['a.service', 'b.service'] },
      { atMs: 250, verb: 'start', units: ['b.service'] },
      { atMs: 300, method: 'Units.ResetFailed', parameters: { names: ['b.service'] } },
      { atMs: 350, verb: 'start', units: ['b.service'] },
      { atMs: 600, method: 'Units.Kill', parameters: { name: 'a.service', signal: 9 } },
      { atMs: 700, method: 'Manager.SetEnvironment', parameters: { set: [], unset: ['A'] } },
      { atMs: 750, method: 'Units.ResetFailed', parameters: {} },
    ],
    forMs: 3_000,
    end: { 'a.service': 'dead success', 'b.service': 'dead success' },
  },
  {
    name: 'another version of core, with services and jobs on their way',
    units: {
      'a.service': polite(),
      'b.service': service('Type=oneshot\nExecStart=/bin/slow\nRemainAfterExit=yes'),
      'c.service': polite('Requires=b.service\nAfter=b.service'),
    },
    programs: { ...programs, [CORE]: { run: [{ after: 60, exit: 0 }] } },
    files: cmdline,
    wishes: [
      { atMs: 20, verb: 'start', units: ['a.service', 'c.service'] },
      { atMs: 120, method: 'Manager.ReexecCore', parameters: {} },
      { atMs: 600, verb: 'restart', units: ['a.service'] },
    ],
    leaves: 1,
    forMs: 3_000,
    end: { 'a.service': 'running success', 'b.service': 'exited success', 'c.service': 'running success' },
  },
  {
    name: 'another version of core that cannot read the checkpoint',
    units: { 'a.service': polite() },
    programs: { ...programs, [CORE]: { run: [{ after: 60, exit: 1 }] } },
    files: cmdline,
    wishes: [
      { atMs: 20, verb: 'start', units: ['a.service'] },
      { atMs: 120, method: 'Manager.ReexecCore', parameters: {} },
      { atMs: 130, method: 'Manager.ReexecCore', parameters: {} },
    ],
    forMs: 3_000,
    end: { 'a.service': 'running success' },
  },
  {
    name: 'members that share a failure, and a group that is given up',
    units: {
      'app.target': `${unit('Wants=a.service b.service c.service\nAfter=a.service b.service c.service')}\n[X-Supervisor]\nStrategy=rest_for_one\nIntensity=2\nPeriod=1h\nOnEscalate=stop\n`,
      'a.service': polite(),
      'b.service': service('ExecStart=/bin/dies', 'After=a.service'),
      'c.service': polite('After=b.service'),
    },
    programs,
    wishes: [{ atMs: 20, verb: 'start', units: ['app.target'] }],
    forMs: 5_000,
    end: { 'b.service': 'failed exit-code' },
  },
  {
    name: 'a group in another one, given up twice, and the other one with it',
    units: {
      'outer.target': `${unit('Wants=inner.target c.service\nAfter=inner.target c.service')}\n[X-Supervisor]\nStrategy=one_for_all\nIntensity=1\nPeriod=1h\n`,
      'inner.target': `${unit('Wants=a.service b.service\nAfter=a.service b.service')}\n[X-Supervisor]\nIntensity=1\nPeriod=1h\n`,
      'a.service': polite(),
      'b.service': service('ExecStart=/bin/dies\nRestart=always\nRestartSec=50ms', 'After=a.service'),
      'c.service': polite(),
    },
    programs,
    wishes: [{ atMs: 20, verb: 'start', units: ['outer.target'] }],
    forMs: 5_000,
    end: { 'b.service': 'failed exit-code' },
  },
  {
    name: "init's tables and the kernel's are full for some",
    units: {
      'a.service': polite(),
      'b.service': service('ExecStart=/bin/polite\nTimeoutStartSec=2s', 'OnFailure=alarm.service'),
      'c.service': service('Type=oneshot\nExecStartPre=/bin/true\nExecStart=/bin/true\nTimeoutStartSec=2s'),
      'd.service': service('ExecStart=/bin/polite\nRestart=on-failure\nRestartSec=100ms'),
      'alarm.service': polite(),
    },
    programs,
    noRoom(_spawn, tag) {
      if (tag === 'b.service|main|1|ExecStart|0' || tag === 'c.service|main|2|ExecStart|0') return 'refused';
      return tag === 'd.service|main|1|ExecStart|0' ? 'fork' : undefined;
    },
    wishes: [{ atMs: 20, verb: 'start', units: ['a.service', 'b.service', 'c.service', 'd.service'] }],
    forMs: 6_000,
    end: {
      'a.service': 'running success',
      'b.service': 'failed resources',
      'c.service': 'failed resources',
      'd.service': 'running success',
      'alarm.service': 'running success',
    },
  },
  {
    name: 'a unit whose machine throws until it is set aside, and what brings it back',
    units: { 'a.service': polite(), 'b.service': polite('Requires=a.service') },
    programs,
    outside: [{ atMs: 200, poison: 'a.service', times: 6 }],
    wishes: [
      { atMs: 20, verb: 'start', units: ['b.service'] },
      { atMs: 400, verb: 'stop', units: ['a.service'] },
      { atMs: 600, method: 'Units.ResetFailed', parameters: { names: ['a.service'] } },
      { atMs: 800, verb: 'stop', units: ['a.service'] },
    ],
    forMs: 4_000,
    end: { 'a.service': 'dead success', 'b.service': 'dead success' },
  },
  {
    name: 'the machine is switched off, with services that take their time',
    units: {
      ...ending('poweroff.target', 'poweroff-force'),
      'a.service': service(
        'ExecStart=/bin/deaf\nTimeoutStopSec=300ms',
        'Conflicts=shutdown.target\nBefore=shutdown.target',
      ),
      'b.service': service(
        'ExecStart=/bin/polite\nExecStop=/bin/true',
        'Conflicts=shutdown.target\nBefore=shutdown.target\nAfter=a.service',
      ),
    },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['a.service', 'b.service'] },
      { atMs: 200, method: 'Manager.Shutdown', parameters: { verb: 'poweroff' } },
      { atMs: 350, verb: 'start', units: ['b.service'] },
    ],
    forMs: 6_000,
    end: {},
    ends: true,
  },
  {
    name: 'the end comes by a unit, and by a signal to init',
    units: {
      ...ending('exit.target', 'exit-force'),
      'a.service': polite('Conflicts=shutdown.target\nBefore=shutdown.target'),
      'b.service': service('ExecStart=/bin/dies', 'FailureAction=exit\nFailureActionExitStatus=7'),
    },
    programs,
    wishes: [{ atMs: 20, verb: 'start', units: ['a.service', 'b.service'] }],
    outside: [{ atMs: 400, init: 15 }],
    forMs: 6_000,
    end: {},
    ends: true,
  },
];
