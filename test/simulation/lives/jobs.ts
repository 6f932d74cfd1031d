/** Jobs: every verb and every mode, those that are in each other's way, and the clients that ask. */
import { type Life, programs, service, unit } from './life.ts';

const slow = service('Type=oneshot\nExecStart=/bin/slow\nRemainAfterExit=yes');
const daemon = service('ExecStart=/bin/daemon');

export const jobLives: readonly Life[] = [
  {
    name: 'every verb, on units that are up and on units that are down',
    units: {
      'up.service': service('ExecStart=/bin/polite\nExecReload=/bin/true'),
      'down.service': service('ExecStart=/bin/polite\nExecReload=/bin/true'),
      'both.service': service('ExecStart=/bin/polite', 'Requires=up.service\nAfter=up.service'),
    },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['up.service'] },
      { atMs: 100, verb: 'verify-active', units: ['up.service', 'down.service'] },
      { atMs: 150, verb: 'try-restart', units: ['up.service', 'down.service'] },
      { atMs: 350, verb: 'reload-or-start', units: ['up.service', 'down.service'] },
      { atMs: 550, verb: 'nop', units: ['up.service'] },
      { atMs: 600, verb: 'try-reload', units: ['down.service'] },
      { atMs: 700, verb: 'try-reload-or-restart', units: ['both.service', 'up.service'] },
      { atMs: 900, verb: 'start', units: ['both.service'] },
      { atMs: 1_000, verb: 'restart', units: ['up.service'] },
    ],
    forMs: 4_000,
    end: { 'up.service': 'running success', 'down.service': 'running success', 'both.service': 'running success' },
  },
  {
    name: 'modes that give way, refuse and insist',
    units: {
      'a.service': slow,
      'b.service': service(
        'Type=oneshot\nExecStart=/bin/slow\nRemainAfterExit=yes',
        'Conflicts=a.service\nAfter=a.service',
      ),
      'c.service': daemon,
    },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['a.service'], mode: 'replace-irreversibly' },
      { atMs: 60, verb: 'stop', units: ['a.service'], mode: 'fail' },
      { atMs: 100, verb: 'start', units: ['b.service'] },
      { atMs: 140, verb: 'start', units: ['b.service'], mode: 'fail' },
      { atMs: 500, verb: 'start', units: ['b.service'], mode: 'lenient' },
      { atMs: 550, verb: 'start', units: ['c.service'], mode: 'fail' },
      { atMs: 600, verb: 'start', units: ['b.service'] },
    ],
    forMs: 4_000,
    end: { 'a.service': 'dead success', 'b.service': 'exited success', 'c.service': 'running success' },
  },
  {
    name: 'a queue that is flushed, and requests without their dependencies',
    units: {
      'a.service': slow,
      'b.service': service('ExecStart=/bin/daemon', 'Requires=a.service\nAfter=a.service'),
      'c.service': service('ExecStart=/bin/daemon', 'Requires=a.service\nAfter=a.service'),
      'd.service': service('ExecStart=/bin/daemon', 'Requires=gone.service'),
      'e.service': service('ExecStart=/bin/daemon', 'Wants=f.service'),
      'f.service': daemon,
    },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['b.service'] },
      { atMs: 80, verb: 'start', units: ['c.service'], mode: 'ignore-dependencies' },
      { atMs: 120, verb: 'start', units: ['d.service'], mode: 'ignore-requirements' },
      { atMs: 160, verb: 'start', units: ['e.service'], mode: 'flush' },
      { atMs: 700, verb: 'restart', units: ['f.service'], mode: 'restart-dependencies' },
    ],
    forMs: 4_000,
    end: { 'c.service': 'running success', 'd.service': 'running success', 'e.service': 'running success' },
  },
  {
    name: 'jobs that are canceled, waiting and running, and a client that asks twice with one id',
    units: {
      'a.service': slow,
      'b.service': service('ExecStart=/bin/daemon', 'Requires=a.service\nAfter=a.service'),
      'c.service': service('ExecStart=/bin/daemon', 'Wants=b.service\nAfter=b.service'),
      'd.service': daemon,
    },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['c.service'] },
      { atMs: 100, method: 'Jobs.Cancel', parameters: {} },
      { atMs: 700, verb: 'start', units: ['d.service'], as: 'once' },
      { atMs: 900, verb: 'start', units: ['d.service'], as: 'once' },
      { atMs: 950, verb: 'stop', units: ['d.service'] },
      { atMs: 1_100, verb: 'start', units: ['d.service'], as: 'once' },
      { atMs: 1_200, method: 'Jobs.Request', parameters: { verb: 'start', units: ['b.service'], noBlock: true } },
    ],
    forMs: 4_000,
    end: { 'c.service': 'dead success', 'd.service': 'dead success' },
  },
  {
    name: 'jobs whose time is over, with an action, while others go on',
    units: {
      'a.service': service('Type=oneshot\nExecStart=/bin/deaf\nTimeoutStartSec=infinity\nTimeoutStopSec=300ms'),
      'b.service': service(
        'ExecStart=/bin/daemon',
        'Requires=a.service\nAfter=a.service\nJobTimeoutSec=400ms\nJobTimeoutAction=exit\nSuccessAction=none',
      ),
      'c.service': service('ExecStart=/bin/daemon', 'After=a.service\nJobTimeoutSec=200ms\nOnFailure=d.service'),
      'd.service': daemon,
      'exit.target': unit('Requires=last.service\nAfter=last.service\n'),
      'last.service': service(
        'Type=oneshot\nExecStart=/bin/true\nSuccessExitStatus=1',
        'SuccessAction=exit-force\nConflicts=d.service',
      ),
    },
    programs,
    wishes: [{ atMs: 20, verb: 'start', units: ['b.service', 'c.service'] }],
    forMs: 6_000,
    end: {},
    ends: true,
  },
  {
    name: 'orderings in a ring, cut, and a restart through it',
    units: {
      'a.service': service('ExecStart=/bin/polite', 'Wants=b.service\nAfter=b.service'),
      'b.service': service('ExecStart=/bin/polite', 'Wants=c.service\nAfter=c.service'),
      'c.service': service('ExecStart=/bin/polite', 'Wants=a.service\nAfter=a.service'),
    },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['a.service'] },
      { atMs: 300, verb: 'restart', units: ['a.service', 'c.service'], together: true },
      { atMs: 800, verb: 'stop', units: ['a.service', 'b.service', 'c.service'], together: true },
    ],
    forMs: 4_000,
    end: { 'a.service': 'dead success', 'b.service': 'dead success', 'c.service': 'dead success' },
  },
  {
    name: 'slices, and what is in them',
    units: {
      'my.slice': unit(''),
      'my-own.slice': unit(''),
      'a.service': service('Slice=my.slice\nExecStart=/bin/polite'),
      'b.service': service('Slice=my-own.slice\nExecStart=/bin/deaf\nTimeoutStopSec=200ms'),
    },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['a.service', 'b.service'] },
      { atMs: 300, verb: 'stop', units: ['my.slice'] },
      { atMs: 900, verb: 'start', units: ['my-own.slice'] },
    ],
    forMs: 4_000,
    end: { 'my.slice': 'active success', 'a.service': 'dead success', 'b.service': 'failed timeout' },
  },
];
