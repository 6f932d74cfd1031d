/** What the fake manager tells about why: one of everything that sctl prints. */
import type { Cause, Insight } from '../../../src/api/insight.ts';
import { ManagerError } from '../../../src/api/manager.ts';
import type { Edge } from '../../../src/units/types.ts';
import { NOON } from './fake-units.ts';

const cause = (kind: Cause['kind'], what: string, more: Partial<Cause> = {}): Cause => ({
  kind,
  what,
  unit: undefined,
  job: undefined,
  pid: undefined,
  where: undefined,
  since: undefined,
  below: [],
  ...more,
});

const after = (from: string, to: string, line: number): Edge & { readonly where: string } => ({
  from,
  kind: 'After',
  to,
  origin: { file: `/etc/sysmaster/system/${from}`, line },
  where: `/etc/sysmaster/system/${from}:${line}`,
});

const cut = {
  from: 'web.service',
  to: 'idle.service',
  edge: after('web.service', 'idle.service', 3),
  where: '/etc/sysmaster/system/web.service:3',
  ring: ['idle.service', 'web.service'],
  why: 'the weakest of the ring: written down, but neither unit needs the other',
  done: true,
};

export function fakeInsight(): Insight {
  const at = (seconds: number) => ({
    realUs: NOON.realUs + seconds * 1e6,
    monotonicUs: NOON.monotonicUs + seconds * 1e6,
  });
  return {
    why(name, not) {
      if (name === '999') {
        throw new ManagerError({ error: 'NoSuchJob', unit: name, why: 'Job 999 does not exist.', todo: '' });
      }
      if (name === 'crash.service') {
        return {
          unit: name,
          job: undefined,
          active: 'failed',
          sub: 'failed',
          result: 'exit-code',
          since: NOON,
          state: `${name} is failed (exit-code)`,
          because: [
            cause('process', 'process 77 of ExecStart= (/bin/crash) exited with status=1/FAILURE', { pid: 77 }),
          ],
          next: [],
        };
      }
      const up = name === 'web.service';
      return {
        unit: /^\d+$/.test(name) ? 'idle.service' : name,
        job: up ? undefined : 12,
        active: up ? 'active' : 'inactive',
        sub: up ? 'running' : 'dead',
        result: 'success',
        since: NOON,
        state: `${name} is ${up ? 'active (running)' : 'inactive (dead)'}`,
        because: up
          ? [
              cause('job', 'it was started by job 3', {
                job: 3,
                since: NOON,
                below: [cause('request', 'asked for by the boot')],
              }),
            ]
          : [
              cause('job', 'job 12 (start idle.service) waits', {
                job: 12,
                since: NOON,
                below: [
                  cause('request', 'asked for by uid 0, pid 41 (sctl start idle)'),
                  cause('edge', 'start idle.service waits for job 11 (start basic.target)', {
                    where: '/etc/sysmaster/system/idle.service:4',
                  }),
                ],
              }),
            ],
        next: not ? ['sctl start idle.service starts it'] : ['when job 11 is over, it is asked to start'],
      };
    },
    history: (fits, count) =>
      [
        {
          number: 1,
          at: NOON,
          kind: 'request',
          unit: 'web.service',
          what: 'start web.service',
          cause: 'uid 0, pid 41 (sctl start web)',
          job: undefined,
        },
        {
          number: 2,
          at: at(1),
          kind: 'job',
          unit: 'web.service',
          what: 'job 3 (start) is new',
          cause: 'asked for by uid 0, pid 41 (sctl start web)',
          job: 3,
        },
        {
          number: 3,
          at: at(2),
          kind: 'unit',
          unit: 'web.service',
          what: 'inactive → active (running)',
          cause: 'process 40 was started',
          job: undefined,
        },
        {
          number: 4,
          at: at(3),
          kind: 'core',
          unit: '',
          what: 'core came back with its state; the one before ended by signal=SIGKILL',
          cause: '',
          job: undefined,
        },
        {
          number: 5,
          at: at(4),
          kind: 'process',
          unit: 'crash.service',
          what: 'process 77 (ExecStart=) exited, status=1/FAILURE',
          cause: '',
          job: undefined,
        },
      ]
        .filter(({ unit }) => unit === '' || fits(unit))
        .slice(-count),
    cycles: () => [
      {
        members: ['idle.service', 'web.service'],
        rings: [[after('idle.service', 'web.service', 2), after('web.service', 'idle.service', 3)]],
        more: false,
        cuts: [{ ...cut, done: false }],
      },
    ],
    cuts: (unit) => (unit === 'idle.service' ? [cut] : []),
    stall: () => ({
      ring: ['idle.service', 'basic.target'],
      why: [
        'start idle.service waits for job 11 (start basic.target)',
        'start basic.target waits for job 12 (start idle.service)',
      ],
      todo: 'cancel one of these jobs (sctl cancel), or cut the ring',
    }),
    times: () => ({
      userspaceUs: 2_000_000,
      unitsLoadedUs: 2_100_000,
      finishedUs: 7_000_000,
      nowUs: 9_000_000,
      role: 'container',
      target: 'multi-user.target',
      units: [
        unit('basic.target', 2_400_000, 2_400_000, ['sysinit.target']),
        unit('idle.service', undefined, undefined, ['basic.target']),
        unit('multi-user.target', 6_900_000, 6_900_000, ['basic.target', 'web.service']),
        unit('slow.service', 2_500_000, 6_000_000, []),
        unit('sysinit.target', 2_300_000, 2_300_000, []),
        unit('web.service', 2_500_000, 6_800_000, ['basic.target', 'slow.service']),
      ],
    }),
  };
}

const unit = (name: string, activatingUs: number | undefined, activatedUs: number | undefined, from: string[]) => ({
  name,
  activatingUs,
  activatedUs,
  deactivatingUs: undefined,
  deactivatedUs: undefined,
  after: from,
});
