/** What the other lives do not come by: charts of users, scopes, faults on purpose, another init, and the odd ends of units and jobs. */

import { createRequire } from 'node:module';
import type { Programs, Sim } from '../../../src/host/sim/index.ts';
import { definitionOfExports, type MachinePlugin } from '../../../src/machines/plugin.ts';
import { type Life, programs, service, unit } from './life.ts';

const polite = (lines = '') => service('ExecStart=/bin/polite', lines);
const daemon = service('ExecStart=/bin/daemon');

/** The one of the examples: a service is drained for 5 s before it is stopped. */
const file = '../../../examples/machines/drained.cjs';
const drained: MachinePlugin = {
  ...definitionOfExports(createRequire(import.meta.url)(file)),
  ...{ name: 'drained', file: '/etc/sysmaster/machines/drained.cjs', sha256: '' },
};

const odd: Programs = {
  ...programs,
  // Its PID file comes when the process that was started is long gone.
  '/bin/late': {
    run: [
      { after: 10, fork: '/bin/late-child' },
      { after: 10, exit: 0 },
    ],
  },
  '/bin/late-child': { run: [{ after: 150, pidFile: '/run/late.pid' }], on: { 15: [{ after: 10, exit: 0 }] } },
  '/bin/reloads-itself': {
    run: [
      { after: 20, notify: 'READY=1' },
      { after: 100, notify: 'RELOADING=1' },
      { after: 60, notify: 'READY=1' },
    ],
  },
  '/bin/leads': { run: [{ after: 10, fork: '/bin/stays' }], on: { 15: [{ after: 20, exit: 0 }] } },
  '/bin/stays': { ignores: [15] },
};

/** Take over what runs this program, as whoever has started it asks. */
const takeOver = (path: string) => (sim: Sim) => ({
  type: 'start',
  pids: sim.processes.all().flatMap((one) => (one.path === path ? [{ pid: one.pid, startTime: one.startTime }] : [])),
});

export const rareLives: readonly Life[] = [
  {
    name: 'a chart of its own, with a state and a deadline that others do not have',
    plugins: [drained],
    units: {
      'a.service': `${polite()}[X-Machine]\nMachine=drained\n`,
      'b.service': `${polite('BindsTo=a.service\nAfter=a.service')}[X-Machine]\nMachine=drained\n`,
      'c.service': `${polite()}[X-Machine]\nMachine=missing\n`,
    },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['b.service', 'c.service'] },
      { atMs: 200, verb: 'restart', units: ['a.service'] },
      { atMs: 12_000, verb: 'start', units: ['b.service'] },
      { atMs: 12_400, verb: 'stop', units: ['b.service'] },
    ],
    outside: [{ atMs: 18_000, kill: 'a.service', signal: 9 }],
    forMs: 22_000,
    end: { 'a.service': 'failed signal', 'b.service': 'dead success' },
  },
  {
    name: 'a scope that takes over a process of somebody else, and lives once',
    units: {
      'a.service': service('ExecStart=/bin/leads\nTimeoutStopSec=200ms', 'Wants=some.scope\nAfter=some.scope'),
    },
    programs: odd,
    wishes: [
      { atMs: 20, verb: 'start', units: ['a.service'] },
      { atMs: 500, verb: 'start', units: ['some.scope'] },
    ],
    outside: [
      { atMs: 200, tell: 'unit:some.scope', event: takeOver('/bin/stays') },
      { atMs: 300, tell: 'unit:some.scope', event: () => ({ type: 'abandon' }) },
      { atMs: 700, kill: 'a.service', signal: 9 },
      // What is left of it is the process in the scope.
      { atMs: 760, kill: 'a.service', signal: 9 },
      { atMs: 900, tell: 'unit:some.scope', event: takeOver('/bin/stays') },
    ],
    forMs: 3_000,
    end: { 'a.service': 'failed signal', 'some.scope': 'dead success' },
    also: ({ processes: { started, ends } }) => (ends.length === started.length ? [] : ['a process is left']),
  },
  {
    name: 'faults on purpose: readiness held back, spawns that fail, a kill, and an end by hand',
    units: {
      'a.service': service('Type=notify\nExecStart=/bin/ready\nTimeoutStartSec=2s'),
      'b.service': service('ExecStart=/bin/polite\nRestart=on-failure\nRestartSec=60ms'),
      'c.service': service('ExecStart=/bin/polite\nRestart=on-failure\nRestartSec=60ms'),
    },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['c.service'] },
      {
        atMs: 40,
        method: 'Chaos.Begin',
        parameters: { fault: { kind: 'delay_ready', delayUs: 300_000 }, units: ['a.service'], seed: 1 },
      },
      { atMs: 60, verb: 'start', units: ['a.service'] },
      {
        atMs: 100,
        method: 'Chaos.Begin',
        parameters: { fault: { kind: 'fail_spawn', count: 2 }, units: ['b.service'], seed: 1 },
      },
      { atMs: 140, verb: 'start', units: ['b.service'] },
      {
        atMs: 600,
        method: 'Chaos.Begin',
        parameters: { fault: { kind: 'kill', everyUs: 200_000 }, units: ['c.service'], forUs: 500_000, seed: 1 },
      },
      {
        atMs: 1_300,
        method: 'Chaos.Begin',
        parameters: { fault: { kind: 'hang' }, units: ['c.service'], forUs: 60_000_000, seed: 1 },
      },
      { atMs: 1_500, method: 'Chaos.Stop', parameters: {} },
    ],
    forMs: 4_000,
    end: { 'a.service': 'running success', 'b.service': 'running success', 'c.service': 'running success' },
  },
  {
    name: 'another init takes over, asked for twice, while a service starts',
    units: { 'a.service': service('Type=oneshot\nExecStart=/bin/slow\nRemainAfterExit=yes'), 'b.service': polite() },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['a.service', 'b.service'] },
      { atMs: 100, method: 'Manager.ReexecInit', parameters: {} },
      { atMs: 140, method: 'Manager.ReexecInit', parameters: { path: '/usr/lib/sysmaster/other' } },
      { atMs: 500, verb: 'restart', units: ['b.service'] },
    ],
    forMs: 2_000,
    end: { 'a.service': 'exited success', 'b.service': 'running success' },
  },
  {
    name: 'stops that take what triggers along, jobs that are refused by the unit, and units that nothing can start',
    units: {
      'a.socket': unit('[Socket]\nListenStream=/run/a.sock\nFlushPending=yes\n'),
      'a.service': service('ExecStart=/bin/polite'),
      'b.service': daemon,
      'mnt.mount': unit('[Mount]\nWhat=tmpfs\nType=tmpfs\nWhere=/mnt\n'),
      'c.service': polite(
        'Requires=mnt.mount\nWants=x.timer x.path x.swap x.automount\nAfter=mnt.mount\nOnFailure=b.service',
      ),
      // A reload that waits its turn until there is nothing left to reload.
      'slow.service': service('Type=oneshot\nExecStart=/bin/slow'),
      'e.service': service('ExecStart=/bin/polite\nExecReload=/bin/true', 'After=slow.service'),
      'd.service': service(
        'ExecStart=/bin/daemon',
        'After=dev-none.device\nWants=dev-none.device\nJobTimeoutSec=300ms',
      ),
    },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['a.socket'] },
      { atMs: 60, verb: 'start', units: ['c.service'] },
      { atMs: 100, verb: 'reload', units: ['a.socket'] },
      { atMs: 300, verb: 'reload', units: ['b.service'] },
      { atMs: 340, verb: 'reload', units: ['a.service'] },
      { atMs: 400, verb: 'start', units: ['d.service'] },
      { atMs: 500, verb: 'stop', units: ['d.service'] },
      { atMs: 520, verb: 'start', units: ['e.service'] },
      { atMs: 600, verb: 'start', units: ['slow.service'] },
      { atMs: 640, verb: 'reload', units: ['e.service'] },
      { atMs: 900, verb: 'stop', units: ['a.service'], mode: 'triggering' },
    ],
    outside: [
      { atMs: 200, connect: 'listen:a.socket:0' },
      { atMs: 700, kill: 'e.service', signal: 9 },
    ],
    forMs: 4_000,
    end: { 'a.socket': 'dead success', 'c.service': 'dead success', 'e.service': 'failed signal' },
  },
  {
    name: 'a PID file that comes late, a service that reloads by itself, and one that will not end',
    units: {
      'a.service': service('Type=forking\nExecStart=/bin/late\nPIDFile=/run/late.pid\nTimeoutStartSec=2s'),
      'b.service': service('Type=notify\nExecStart=/bin/reloads-itself', 'PropagatesReloadTo=c.service'),
      'c.service': service('ExecStart=/bin/polite\nExecReload=/bin/true'),
      'd.service': service('ExecStart=/bin/deaf\nSendSIGKILL=no\nTimeoutStopSec=100ms'),
      'e.service': service('Type=oneshot\nExecStart=/bin/true'),
    },
    programs: odd,
    wishes: [
      { atMs: 20, verb: 'start', units: ['c.service', 'b.service', 'd.service'] },
      { atMs: 60, verb: 'start', units: ['a.service'] },
      // While the PID file is awaited core has something to die of.
      { atMs: 130, verb: 'start', units: ['e.service'] },
      { atMs: 400, verb: 'stop', units: ['d.service'] },
      { atMs: 600, verb: 'stop', units: ['a.service'] },
    ],
    forMs: 3_000,
    end: { 'a.service': 'dead success', 'b.service': 'running success', 'd.service': 'failed timeout' },
  },
];
