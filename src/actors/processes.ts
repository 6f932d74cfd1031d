/**
 * Which process is fit to be a service's main one: the rules of PIDFile=, MAINPID= and GuessMainPID=.
 *
 * Source: systemd.service(5), PIDFile=: what the file names must be alive, and in the unit's group unless the file belongs to root.
 */
import type { Host } from '../host/ports.ts';

/** PIDFile=, absolute: a relative one is below /run. */
export const pidFilePath = (setting: string): string => (setting.startsWith('/') ? setting : `/run/${setting}`);

/** A process as /proc says it is now; undefined: gone, or not a number of a process. */
export function fitProcess(
  host: Host,
  pid: number,
): { pid: number; startTime: number; group: string; ppid: number } | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 1) return undefined;
  const seen = host.process.inspect(pid);
  return seen === undefined ? undefined : { pid, startTime: seen.startTime, group: seen.group, ppid: seen.ppid };
}

/** Is a process's group (relative to init's root) this one, or below it? */
export const within = (group: string, ancestor: string): boolean =>
  group === ancestor || group.startsWith(`${ancestor}/`);

/** The pid in a PID file below /run; undefined: there is none yet. */
export function pidInFile(host: Host, setting: string): number | undefined {
  const text = host.files.readText(pidFilePath(setting))?.trim();
  return text === undefined || !/^\d{1,10}$/.test(text) ? undefined : Number(text);
}

/** The fit process that a PID file below /run names; undefined: none yet. */
export function readPidFile(
  host: Host,
  setting: string,
  group: string,
): { pid: number; startTime: number } | undefined {
  const pid = pidInFile(host, setting);
  return pid === undefined ? undefined : fitMain(host, pid, host.files.lstat(pidFilePath(setting))?.uid === 0, group);
}

/** What a PID file names, if it may be the main process. `trusted`: the file belongs to root. */
export function fitMain(
  host: Host,
  pid: number,
  trusted: boolean,
  group: string,
): { pid: number; startTime: number } | undefined {
  const found = fitProcess(host, pid);
  if (found === undefined) return undefined;
  if (!trusted && host.groups.available && !within(found.group, group)) return undefined;
  return { pid: found.pid, startTime: found.startTime };
}

/** The one process of a unit whose parent is init, if there is just one (GuessMainPID=). */
export function guessMain(host: Host, members: readonly number[]): { pid: number; startTime: number } | undefined {
  const orphans = members
    .map((pid) => fitProcess(host, pid))
    .filter((found) => found !== undefined && found.ppid === host.hello.pid);
  const [only] = orphans;
  return orphans.length === 1 && only !== undefined ? { pid: only.pid, startTime: only.startTime } : undefined;
}
