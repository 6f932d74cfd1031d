/**
 * Which process is fit to be a service's main one: the rules of PIDFile=, MAINPID= and GuessMainPID=.
 *
 * Source: systemd.service(5), PIDFile=: what the file names must be alive, and in the unit's group unless the file belongs to root.
 */
import type { Host } from '../host/ports.ts';
import type { Pid } from '../machines/protocol.ts';

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

/**
 * The fit process that a PID file below /run names; undefined: none yet.
 *
 * @param heirs of the unit: fit, and known by their pids even if they have ended
 */
export function readPidFile(host: Host, setting: string, group: string, heirs: readonly Pid[] = []): Pid | undefined {
  const path = pidFilePath(setting);
  const text = host.files.readText(path)?.trim();
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  return fitMain(host, Number(text), host.files.lstat(path)?.uid === 0, group, heirs);
}

/** What a PID file names, if it may be the main process. `trusted`: the file belongs to root. */
export function fitMain(
  host: Host,
  pid: number,
  trusted: boolean,
  group: string,
  heirs: readonly Pid[] = [],
): Pid | undefined {
  const heir = heirs.find((one) => one.pid === pid);
  if (heir !== undefined) return { pid: heir.pid, startTime: heir.startTime };
  const found = fitProcess(host, pid);
  if (found === undefined) return undefined;
  if (!trusted && host.groups.available && !within(found.group, group)) return undefined;
  return { pid: found.pid, startTime: found.startTime };
}

/** The one process of a unit whose parent is init, if there is just one (GuessMainPID=). */
export function guessMain(host: Host, members: readonly number[]): Pid | undefined {
  const orphans = members
    .map((pid) => fitProcess(host, pid))
    .filter((found) => found !== undefined && found.ppid === host.hello.pid);
  const [only] = orphans;
  return orphans.length === 1 && only !== undefined ? { pid: only.pid, startTime: only.startTime } : undefined;
}
