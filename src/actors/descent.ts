/**
 * Which processes belong to a unit where there are no control groups: those that descend from its commands.
 *
 * Every process a unit starts inherits $INVOCATION_ID, and /proc/PID/environ keeps the environment of its start: so daemons that
 * have left their parent and session are found too, unless they were given another environment on purpose. The mark is the same
 * in every system that starts the same units, and two may run beside each other: only what init is an ancestor of counts.
 * Nobody tells when such a process ends; core asks again with each beat.
 */
import type { Host, ProcessRef } from '../host/ports.ts';
import { fitProcess } from './processes.ts';

/** Processes of /proc looked at, at most; a machine with more of them has control groups. */
const LOOK_MAX = 32_768;

/** The live processes of an invocation, by pid. Zombies have no environment any more, and so do not count. */
export function descendants(host: Host, invocation: string): { readonly pid: number; readonly startTime: number }[] {
  const mark = `INVOCATION_ID=${invocation}\0`;
  return (host.files.list('/proc') ?? [])
    .filter((name) => /^\d+$/.test(name))
    .slice(0, LOOK_MAX)
    .map(Number)
    .filter((pid) => environmentOf(host, pid).includes(mark))
    .flatMap((pid) => {
      const found = fitProcess(host, pid);
      return found === undefined || !isBelowInit(host, found.ppid)
        ? []
        : [{ pid: found.pid, startTime: found.startTime }];
    })
    .sort((a, b) => a.pid - b.pid);
}

/** How long a line of ancestors is followed. */
const ANCESTORS_MAX = 1_024;

/** Init is the subreaper of everything it has started, so that each of its processes has it among its ancestors. */
function isBelowInit(host: Host, parent: number): boolean {
  let pid = parent;
  for (let left = ANCESTORS_MAX; left > 0 && pid !== host.hello.pid; left -= 1) {
    const next = host.process.inspect(pid)?.ppid;
    if (next === undefined || next === 0) return false;
    pid = next;
  }
  return pid === host.hello.pid;
}

/** Another user's process, or one that is gone, has none that we may see. */
function environmentOf(host: Host, pid: number): string {
  try {
    return host.files.readText(`/proc/${pid}/environ`) ?? '';
  } catch {
    return '';
  }
}

/** Is the process one of those that have had their signal already? `children`: pids of init's children by serial. */
export function isExcepted(
  process: { readonly pid: number; readonly startTime: number },
  except: readonly ProcessRef[],
  pidOf: (serial: number) => number | undefined,
): boolean {
  return except.some((ref) => ('child' in ref ? pidOf(ref.child) === process.pid : ref.watched[0] === process.pid));
}
