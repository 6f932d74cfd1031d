/** io.sysmaster.Chaos. */
import type { ChaosFault, ChaosWish } from '../chaos.ts';
import type { ChangeResult } from '../manager.ts';
import { ManagerError } from '../manager.ts';
import type { CallContext, Handled } from '../session.ts';

type Maybe<T> = T | null | undefined;

interface AskedFault {
  readonly kind: ChaosFault['kind'];
  readonly signal?: Maybe<number>;
  readonly whom?: Maybe<'main' | 'all'>;
  readonly everyUs?: Maybe<number>;
  readonly delayUs?: Maybe<number>;
  readonly count?: Maybe<number>;
  readonly step?: Maybe<string>;
  readonly errno?: Maybe<string>;
}

interface Asked {
  readonly fault: AskedFault;
  readonly units?: Maybe<readonly string[]>;
  readonly core?: Maybe<boolean>;
  readonly atMost?: Maybe<number>;
  readonly percent?: Maybe<number>;
  readonly forUs?: Maybe<number>;
  readonly seed?: Maybe<number>;
  readonly dryRun?: Maybe<boolean>;
  readonly requestId?: Maybe<string>;
}

const SIGKILL = 9;
/** Highest signal there is (signal(7)). */
const SIGNAL_MAX = 64;

const ms = (us: Maybe<number>): number | undefined => (us === undefined || us === null ? undefined : us / 1000);

function faultOf({ kind, signal, whom, everyUs, delayUs, count, step, errno }: AskedFault): ChaosFault {
  switch (kind) {
    case 'kill': {
      const number = signal ?? SIGKILL;
      if (number < 1 || number > SIGNAL_MAX)
        throw new ManagerError({ error: 'BadRequest', unit: '', why: `signal ${number}`, todo: 'use 1 to 64' });
      return { kind, signal: number, whom: whom ?? 'main', everyMs: ms(everyUs) };
    }
    case 'hang':
      return { kind, whom: whom ?? 'main' };
    case 'delay_ready':
      return { kind, ms: ms(delayUs) };
    case 'fail_spawn':
      return { kind, count: count ?? 1, step: step ?? 'fork', errno: errno ?? 'EAGAIN' };
    case 'drop_watchdog':
      return { kind };
  }
}

const wishOf = (asked: Asked): ChaosWish => ({
  fault: faultOf(asked.fault),
  units: [...new Set(asked.units ?? [])],
  core: asked.core === true,
  atMost: asked.atMost ?? undefined,
  percent: asked.percent ?? undefined,
  forMs: ms(asked.forUs),
  seed: asked.seed ?? undefined,
  dryRun: asked.dryRun === true,
});

const us = (time: number): number => Math.round(time * 1000);

export const chaos = {
  Begin: (asked: Asked): Handled => ({
    change: { what: 'chaos', wish: wishOf(asked) },
    requestId: asked.requestId ?? undefined,
    form: ({ choice: { untilMs, ...choice } }: Extract<ChangeResult, { what: 'chaos' }>) => ({
      ...choice,
      untilUs: us(untilMs),
    }),
  }),
  List: (_: unknown, { manager }: CallContext): Handled => {
    const { runs, settings } = manager.chaos();
    const { enabled, maxUnits, maxMs, protect, path } = settings;
    return {
      reply: {
        runs: runs.map(({ fault, fromMs, untilMs, ...run }) => ({
          ...run,
          kind: fault,
          fromUs: us(fromMs),
          untilUs: us(untilMs),
        })),
        allowed: { enabled, maxUnits, maxUs: us(maxMs), protect, path },
      },
    };
  },
  Stop: ({ ids, requestId }: { ids?: Maybe<number[]>; requestId?: Maybe<string> }): Handled => ({
    change: { what: 'chaos-stop', runs: ids ?? 'all' },
    requestId: requestId ?? undefined,
    form: ({ stopped }: Extract<ChangeResult, { what: 'chaos-stop' }>) => ({ stopped }),
  }),
};
