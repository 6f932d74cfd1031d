/** Services: every type, every list of commands, what they say, what they keep, and how they are ended. */
import type { Programs } from '../../../src/host/sim/index.ts';
import { type Life, programs, service, unit } from './life.ts';

const speakers: Programs = {
  ...programs,
  '/bin/reloads': {
    run: [{ after: 20, notify: 'READY=1\nMAINPID=0' }],
    on: {
      1: [{ notify: 'RELOADING=1\nMONOTONIC_USEC=99999999999' }, { after: 60, notify: 'READY=1\nSTATUS=anew' }],
      15: [{ after: 10, exit: 0 }],
    },
  },
  '/bin/hoards': {
    run: ({ count }) => [
      { after: 10, notify: 'FDSTORE=1\nFDNAME=one', notifyFds: 1 },
      { after: 10, notify: `FDSTORE=1\nFDNAME=two${count}`, notifyFds: 2 },
      { after: 10, notify: 'READY=1' },
      ...(count < 2 ? [{ after: 80, exit: 1 }] : [{ after: 50, notify: 'FDSTOREREMOVE=1\nFDNAME=one' }]),
    ],
    on: { 15: [{ after: 10, exit: 0 }] },
  },
  '/bin/extends': {
    run: [
      { after: 80, notify: 'EXTEND_TIMEOUT_USEC=200000' },
      { after: 150, notify: 'EXTEND_TIMEOUT_USEC=200000' },
      { after: 150, notify: 'READY=1' },
    ],
  },
  '/bin/hands-over': {
    run: ({ pid }) => [
      { after: 10, fork: '/bin/heir' },
      { after: 20, notify: `READY=1\nMAINPID=${pid + 1}` },
      { after: 30, exit: 0 },
    ],
  },
  '/bin/heir': { run: [{ after: 400, exit: 3 }] },
  '/bin/leads': { run: [{ after: 10, fork: '/bin/stays' }], on: { 15: [{ after: 20, exit: 0 }] } },
  '/bin/stays': { ignores: [15] },
  '/bin/picky': { run: [{ after: 10, exit: 1 }] },
};

export const serviceLives: readonly Life[] = [
  {
    name: 'commands before, between and after, of which each runs once',
    units: {
      'a.service': service(
        [
          'Type=oneshot',
          'RemainAfterExit=yes',
          'ExecCondition=/bin/true',
          ...Array(5).fill('ExecStartPre=/bin/true'),
          'ExecStart=/bin/true',
          'ExecStart=-/bin/false',
          'ExecStart=/bin/true',
          'ExecStartPost=/bin/true',
          'ExecStop=/bin/true',
          'ExecStop=/bin/true',
          'ExecStopPost=/bin/true',
        ].join('\n'),
      ),
    },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['a.service'] },
      { atMs: 800, verb: 'stop', units: ['a.service'] },
    ],
    forMs: 3_000,
    end: { 'a.service': 'dead success' },
  },
  {
    name: 'the third of five commands fails, and a condition is not met',
    units: {
      'a.service': service(
        [
          'ExecStartPre=/bin/true',
          'ExecStartPre=/bin/true',
          'ExecStartPre=/bin/false',
          'ExecStartPre=/bin/true',
          'ExecStart=/bin/daemon',
          'ExecStop=/bin/true',
          'ExecStopPost=/bin/true',
        ].join('\n'),
      ),
      'b.service': service('ExecCondition=/bin/picky\nExecStart=/bin/daemon\nExecStopPost=/bin/true'),
    },
    programs: speakers,
    wishes: [{ atMs: 20, verb: 'start', units: ['a.service', 'b.service'] }],
    forMs: 3_000,
    end: { 'a.service': 'failed exit-code', 'b.service': 'dead success' },
  },
  {
    name: 'Type=exec, Type=idle and Type=dbus',
    units: {
      'a.service': service('Type=exec\nExecStart=/bin/polite'),
      'b.service': service('Type=idle\nExecStart=/bin/polite', 'After=a.service'),
      'dbus.socket': unit('[Socket]\nListenStream=/run/dbus.sock\n'),
      'dbus.service': service('ExecStart=/bin/polite'),
      'c.service': service('Type=dbus\nBusName=org.example.C\nExecStart=/bin/polite'),
    },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['a.service', 'b.service', 'c.service'], together: true },
      { atMs: 400, verb: 'stop', units: ['a.service'] },
    ],
    forMs: 8_000,
    end: { 'a.service': 'dead success', 'b.service': 'running success', 'c.service': 'running success' },
  },
  {
    name: 'Type=notify-reload, reloads that pass on, and one that fails',
    units: {
      'a.service': service('Type=notify-reload\nExecStart=/bin/reloads', 'PropagatesReloadTo=b.service'),
      'b.service': service('ExecStart=/bin/daemon\nExecReload=/bin/true\nExecReload=/bin/true'),
      'c.service': service('ExecStart=/bin/daemon\nExecReload=/bin/false'),
    },
    programs: speakers,
    wishes: [
      { atMs: 20, verb: 'start', units: ['a.service', 'b.service', 'c.service'] },
      { atMs: 200, verb: 'reload', units: ['a.service'] },
      { atMs: 220, verb: 'reload', units: ['c.service'] },
      { atMs: 600, verb: 'reload-or-restart', units: ['a.service', 'c.service'] },
    ],
    forMs: 4_000,
    end: { 'a.service': 'running success', 'b.service': 'running success', 'c.service': 'running success' },
  },
  {
    name: 'descriptors that a service stores, keeps over a restart, and takes out again',
    units: {
      'a.service': service(
        'Type=notify\nExecStart=/bin/hoards\nFileDescriptorStoreMax=8\nRestart=on-failure\nRestartSec=60ms',
      ),
    },
    programs: speakers,
    wishes: [{ atMs: 20, verb: 'start', units: ['a.service'] }],
    forMs: 4_000,
    // What was passed is committed, and not taken yet; by then the effect that keeps it may be over, and its core gone.
    closely: { calls: ['sockets.consume'], variant: 'single', second: [4] },
    end: { 'a.service': 'running success' },
    also: (sim) => (sim.init.hello().fds.some((name) => name.startsWith('fdstore:')) ? [] : ['nothing is stored']),
  },
  {
    name: 'a start that asks for more time, and a life that is limited',
    units: {
      'a.service': service('Type=notify\nExecStart=/bin/extends\nTimeoutStartSec=150ms\nRuntimeMaxSec=400ms'),
    },
    programs: speakers,
    wishes: [{ atMs: 20, verb: 'start', units: ['a.service'] }],
    forMs: 4_000,
    end: { 'a.service': 'failed timeout' },
  },
  {
    name: 'a main process that hands over to another, which fails',
    units: {
      'a.service': service('Type=notify\nNotifyAccess=all\nExecStart=/bin/hands-over\nExecStopPost=/bin/true'),
    },
    programs: speakers,
    wishes: [{ atMs: 20, verb: 'start', units: ['a.service'] }],
    forMs: 4_000,
    end: { 'a.service': 'failed exit-code' },
  },
  {
    name: 'stops by KillMode=, with a child that does not end',
    units: {
      'a.service': service('ExecStart=/bin/leads\nKillMode=mixed\nTimeoutStopSec=300ms'),
      'b.service': service('ExecStart=/bin/leads\nKillMode=process\nTimeoutStopSec=300ms'),
      'c.service': service('ExecStart=/bin/leads\nTimeoutStopSec=300ms'),
    },
    programs: speakers,
    wishes: [
      { atMs: 20, verb: 'start', units: ['a.service', 'b.service', 'c.service'] },
      { atMs: 200, verb: 'stop', units: ['a.service', 'b.service', 'c.service'] },
    ],
    forMs: 5_000,
    end: {},
  },
  {
    name: 'restarts with counters, of which each exit status has its own rule',
    units: {
      'a.service': service(
        'ExecStart=/bin/dies\nRestart=on-failure\nRestartSec=70ms',
        'StartLimitBurst=4\nStartLimitIntervalSec=10s\nOnFailure=b.service',
      ),
      'b.service': service('ExecStart=/bin/dies\nRestart=always\nRestartPreventExitStatus=1', 'OnFailure=c.service'),
      'c.service': service('ExecStart=/bin/dies\nRestart=on-success\nRestartForceExitStatus=1\nRestartSec=1h'),
    },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['a.service'] },
      { atMs: 2_000, verb: 'stop', units: ['c.service'] },
    ],
    forMs: 4_000,
    end: { 'a.service': 'failed exit-code', 'b.service': 'failed exit-code' },
  },
];
