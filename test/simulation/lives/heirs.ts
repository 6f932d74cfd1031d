/** Daemons that do not outlive the process that has left them behind by more than a moment: one absence of core takes in both ends. */
import type { Programs } from '../../../src/host/sim/index.ts';
import { type Life, programs, service } from './life.ts';

/** Which start of the program it is, of those that fail soon. */
const FAILS = 2;

/** Fails a moment after the one that has left it behind, and stays at the third start. */
const brief = (status: number) => ({
  run: ({ count }: { readonly count: number }) => (count <= FAILS ? [{ after: 10.5, exit: status }] : []),
});

const parents: Programs = {
  '/bin/daemon-parent': {
    run: [
      { after: 10, fork: '/bin/brief' },
      { after: 10, exit: 0 },
    ],
  },
  '/bin/brief': brief(3),
  '/bin/pid-file-parent': {
    run: [
      { after: 10, fork: '/bin/brief-in-file', pidFile: '/run/brief.pid' },
      { after: 10, exit: 0 },
    ],
  },
  '/bin/brief-in-file': brief(4),
  '/bin/late-parent': {
    run: [
      { after: 10, fork: '/bin/brief-late' },
      { after: 10, exit: 0 },
    ],
  },
  '/bin/brief-late': {
    run: ({ count }) => [
      { after: 60, pidFile: '/run/brief-late.pid' },
      ...(count <= FAILS ? [{ after: 0.5, exit: 6 }] : []),
    ],
  },
  '/bin/hands-over-soon': {
    run: ({ pid }) => [
      { after: 10, notify: 'READY=1' },
      { after: 40, fork: '/bin/brief-heir' },
      { after: 9.5, notify: `MAINPID=${pid + 1}` },
      { after: 0.5, exit: 0 },
    ],
  },
  '/bin/brief-heir': brief(5),
  '/bin/lets-take-over': {
    run: [
      { after: 10, notify: 'READY=1' },
      { after: 40, fork: '/bin/takes-over' },
      { after: 10, exit: 0 },
    ],
  },
  '/bin/takes-over': {
    run: ({ pid, count }) => [
      { after: 9.5, notify: `MAINPID=${pid}` },
      ...(count <= FAILS ? [{ after: 1, exit: 7 }] : []),
    ],
  },
};

/** A life of a.service, which fails twice before it stays. */
const failing = (
  name: string,
  settings: string,
  more: Pick<Life, 'also'> & { readonly units?: Life['units']; readonly wishes?: Life['wishes'] } = {},
): Life => ({
  ...{ name, programs: { ...programs, ...parents }, restartMs: 3, forMs: 3_000 },
  ...{ closely: { calls: ['state.append'], variant: 'plain' }, end: { 'a.service': 'running success' } },
  ...(more.also === undefined ? {} : { also: more.also }),
  units: { 'a.service': service(`${settings}\nRestart=on-failure\nRestartSec=100ms`), ...more.units },
  wishes: [{ atMs: 20, verb: 'start', units: ['a.service'] }, ...(more.wishes ?? [])],
});

export const heirLives: readonly Life[] = [
  failing(
    'a daemon without a PID file that fails right after its parent has ended',
    'Type=forking\nExecStart=/bin/daemon-parent',
    { also: (sim) => (sim.started.filter(({ path }) => path === '/bin/brief').length === FAILS + 1 ? [] : ['lost']) },
  ),
  failing(
    'a daemon with a PID file that fails right after its parent has ended',
    'Type=forking\nExecStart=/bin/pid-file-parent\nPIDFile=/run/brief.pid',
  ),
  failing(
    'a daemon that fails right after it has written its PID file',
    'Type=forking\nExecStart=/bin/late-parent\nPIDFile=/run/brief-late.pid',
    {
      units: { 'e.service': service('Type=oneshot\nExecStart=/bin/true') },
      // While the PID file is awaited core has something to die of.
      wishes: [{ atMs: 90, verb: 'start', units: ['e.service'] }],
    },
  ),
  failing(
    'a main process named by MAINPID= that fails right after the one before it has ended',
    'Type=notify\nNotifyAccess=all\nExecStart=/bin/hands-over-soon',
  ),
  failing(
    'a main process that says so itself right before the one before it ends, and fails right after',
    'Type=notify\nNotifyAccess=all\nExecStart=/bin/lets-take-over',
  ),
];
