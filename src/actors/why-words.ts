/** Words and small forms of explanations (why.ts). */

import type { Cause } from '../api/insight.ts';
import { unmaskWords } from '../units/unmask.ts';
import type { Blocked } from './blocked.ts';
import type { Other } from './open-sockets.ts';

export type More = Partial<Omit<Cause, 'kind' | 'what'>>;

/** A reason, with what is known of it besides. */
export const cause = (kind: Cause['kind'], what: string, more: More = {}): Cause => ({
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

/** Who asked, told apart by how requests name their makers; see JobRequest.by. */
export function askerWords(by: string): string {
  const named = /^(\S+\.(timer|socket|path|service|mount|device|target|automount)): (.*)$/s.exec(by);
  if (named === null) return by;
  const [, unit, type, why] = named;
  if (type === 'timer') return `the timer ${unit}: ${why}`;
  if (type === 'socket') return `the socket ${unit}: ${why}`;
  if (type === 'path') return `the path unit ${unit}: ${why}`;
  return why?.startsWith('Restart=') ? `the restart rule of ${unit}: ${why}` : `${unit}: ${why}`;
}

/** A process and those it waits for. */
export const pidsOf = (blocked: Blocked | undefined): number[] =>
  blocked === undefined ? [] : [blocked.pid, ...pidsOf(blocked.child)];

/** Who is at the other ends of the sockets that it, or the child it waits for, waits on. */
export const otherEnds = (blocked: Blocked | undefined): Other[] =>
  blocked === undefined
    ? []
    : [...blocked.sockets.flatMap(({ others }) => others), ...otherEnds(blocked.child)].filter(
        ({ unit }) => unit !== '',
      );

/** How a process ended, from the words of src/api to those of the host. */
export const endedOf = ({ code, status }: { code: string; status: number }) =>
  code === 'exited' ? { exited: status } : code === 'killed' ? { killed: status } : { dumped: status };

/** What would have to happen to a unit that is not loaded; `path`: its file, empty where it has none. */
export const NOT_LOADED: Readonly<Record<string, (unit: string, path: string) => string>> = {
  masked: unmaskWords,
  'not-found': (unit) => `write ${unit} or install what has it, then sctl daemon-reload`,
  'bad-setting': (unit) => `mend its file (sctl findings ${unit}), then sctl daemon-reload`,
  error: (unit) => `mend its file (sctl findings ${unit}), then sctl daemon-reload`,
};

/** Result= in words, where the processes do not tell it all. */
export const RESULTS: Readonly<Record<string, string>> = {
  timeout: 'a step took longer than it may (result timeout)',
  protocol: 'it did not do what its Type= promises (result protocol)',
  resources: 'something it needs could not be had (result resources); see sctl logs',
  watchdog: 'it did not send WATCHDOG=1 in time (result watchdog)',
  'oom-kill': 'the kernel ran out of memory and killed it (result oom-kill)',
  'start-limit-hit': 'it was started too often (result start-limit-hit)',
};
