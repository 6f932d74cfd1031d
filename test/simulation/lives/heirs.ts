/** Daemons that do not outlive the process that has left them behind by more than a moment: one absence of core takes in both ends. */
import type { Programs } from '../../../src/host/sim/index.ts';
import { type Life, service } from './life.ts';

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
  '/bin/hands-over-soon': {
    run: ({ pid }) => [
      { after: 10, notify: 'READY=1' },
      { after: 40, fork: '/bin/brief-heir' },
      { after: 9.5, notify: `MAINPID=${pid + 1}` },
      { after: 0.5, exit: 0 },
    ],
  },
  '/bin/brief-heir': brief(5),
};

const again = 'Restart=on-failure\nRestartSec=100ms';
const failedTwice = (unit: string): Readonly<Record<string, string>> => ({ [unit]: 'running success' });

export const heirLives: readonly Life[] = [
  {
    name: 'a daemon without a PID file that fails right after its parent has ended',
    units: { 'a.service': service(`Type=forking\nExecStart=/bin/daemon-parent\n${again}`) },
    programs: parents,
    wishes: [{ atMs: 20, verb: 'start', units: ['a.service'] }],
    restartMs: 3,
    forMs: 3_000,
    end: failedTwice('a.service'),
    also: (sim) => (sim.started.filter(({ path }) => path === '/bin/brief').length === FAILS + 1 ? [] : ['lost']),
  },
  {
    name: 'a daemon with a PID file that fails right after its parent has ended',
    units: {
      'a.service': service(`Type=forking\nExecStart=/bin/pid-file-parent\nPIDFile=/run/brief.pid\n${again}`),
    },
    programs: parents,
    wishes: [{ atMs: 20, verb: 'start', units: ['a.service'] }],
    restartMs: 3,
    forMs: 3_000,
    end: failedTwice('a.service'),
  },
  {
    name: 'a main process named by MAINPID= that fails right after the one before it has ended',
    units: { 'a.service': service(`Type=notify\nNotifyAccess=all\nExecStart=/bin/hands-over-soon\n${again}`) },
    programs: parents,
    wishes: [{ atMs: 20, verb: 'start', units: ['a.service'] }],
    restartMs: 3,
    forMs: 3_000,
    end: failedTwice('a.service'),
  },
];
