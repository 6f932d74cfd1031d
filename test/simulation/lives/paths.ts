/** Paths: what comes, changes and goes while its unit is down or up, while core is away, and units that will not come. */
import { type Life, programs, service, unit } from './life.ts';

const path = (lines: string, unitLines = '') => unit(`${unitLines}\n[Path]\n${lines}\n`);

export const pathLives: readonly Life[] = [
  {
    name: 'paths that come again and again, whose units take away what they were started for',
    units: {
      'a.path': path('PathExists=/run/in/here\nMakeDirectory=yes\nDirectoryNotEmpty=/run/spool'),
      'a.service': service('Type=oneshot\nExecStart=/bin/eats', 'StartLimitIntervalSec=0'),
      'd.path': path('PathExistsGlob=/run/jobs/*.job'),
      'd.service': service('Type=oneshot\nExecStart=/bin/works'),
    },
    programs: {
      ...programs,
      '/bin/eats': { run: [{ after: 30, remove: '/run/in/here' }, { remove: '/run/spool/job' }, { exit: 0 }] },
      '/bin/works': { run: [{ after: 30, remove: '/run/jobs/x.job' }, { exit: 0 }] },
    },
    wishes: [
      { atMs: 20, verb: 'start', units: ['a.path', 'd.path'] },
      { atMs: 900, verb: 'restart', units: ['a.path'] },
    ],
    outside: [
      { atMs: 200, write: '/run/in/here', text: '' },
      { atMs: 400, write: '/run/jobs/x.job', text: '' },
      { atMs: 500, write: '/run/spool/job', text: '' },
    ],
    forMs: 3_000,
    end: { 'a.path': 'waiting success', 'a.service': 'dead success', 'd.path': 'waiting success' },
    also: (sim) => {
      const starts = (program: string) => sim.started.filter((one) => one.path === program).length;
      const counts = [starts('/bin/eats'), starts('/bin/works')].join();
      return counts === '2,1' ? [] : [`units were started ${counts} times`];
    },
  },
  {
    name: 'paths that change while their unit is down, and while it runs',
    units: {
      'b.path': path('PathChanged=/run/conf\nPathModified=/run/other\nUnit=c.service'),
      'c.service': service('ExecStart=/bin/polite'),
      'd.service': service('Type=oneshot\nExecStart=/bin/true'),
    },
    files: { '/run/conf': 'one' },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['b.path'] },
      // A core that dies of it is not back when the path changes.
      { atMs: 190, verb: 'start', units: ['d.service'] },
      { atMs: 790, verb: 'start', units: ['d.service'] },
      { atMs: 500, verb: 'stop', units: ['c.service'] },
      { atMs: 1_200, verb: 'stop', units: ['b.path', 'c.service'] },
    ],
    outside: [
      { atMs: 200, write: '/run/conf', text: 'two' },
      { atMs: 350, write: '/run/other', text: 'is not looked at while c.service runs' },
      { atMs: 800, write: '/run/other', text: 'now it is' },
      { atMs: 1_400, write: '/run/conf', text: 'nobody looks any more' },
    ],
    restartMs: 30,
    forMs: 3_000,
    end: { 'b.path': 'dead success', 'c.service': 'dead success' },
    also: (sim) => {
      const starts = sim.started.filter((one) => one.path === '/bin/polite').length;
      return starts === 2 ? [] : [`the unit was started ${starts} times`];
    },
  },
  {
    name: 'paths whose units are there already, fail each time, or are started too often',
    units: {
      'a.path': path('PathExists=/run/a\nTriggerLimitBurst=3\nTriggerLimitIntervalSec=1h'),
      'a.service': service('Type=oneshot\nExecStart=/bin/dies', 'StartLimitIntervalSec=0'),
      'b.path': path('PathExists=/run/b'),
      'b.service': service('Type=oneshot\nExecStart=/bin/true', 'StartLimitBurst=2\nStartLimitIntervalSec=1h'),
      'c.path': path('DirectoryNotEmpty=/run/c'),
      'c.service': service('ExecStart=/bin/polite'),
    },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['c.service'] },
      { atMs: 100, verb: 'start', units: ['a.path', 'b.path', 'c.path'] },
      { atMs: 2_000, verb: 'stop', units: ['c.path'] },
    ],
    outside: [
      { atMs: 200, write: '/run/a', text: '' },
      { atMs: 600, write: '/run/b', text: '' },
      { atMs: 1_000, write: '/run/c/x', text: '' },
    ],
    forMs: 5_000,
    end: {
      'a.path': 'failed trigger-limit-hit',
      'b.path': 'failed unit-start-limit-hit',
      'c.path': 'dead success',
      'c.service': 'running success',
    },
  },
];
