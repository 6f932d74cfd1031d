/**
 * Signals by name and number, and exit statuses.
 * Source: signal(7) (numbers of x86 and ARM); systemd.exec(5), "Process Exit Codes"; systemd.service(5), SuccessExitStatus=.
 */
import type { ExitSet } from '../types.ts';
import { parseInteger } from './scalar.ts';

const NAMES = [
  'HUP',
  'INT',
  'QUIT',
  'ILL',
  'TRAP',
  'ABRT',
  'BUS',
  'FPE',
  'KILL',
  'USR1',
  'SEGV',
  'USR2',
  'PIPE',
  'ALRM',
  'TERM',
  'STKFLT',
  'CHLD',
  'CONT',
  'STOP',
  'TSTP',
  'TTIN',
  'TTOU',
  'URG',
  'XCPU',
  'XFSZ',
  'VTALRM',
  'PROF',
  'WINCH',
  'IO',
  'PWR',
  'SYS',
] as const;

/** First and last real-time signal that glibc leaves to programs. */
const RTMIN = 34;
const RTMAX = 64;

const BY_NAME: ReadonlyMap<string, number> = new Map([
  ...NAMES.map((name, index) => [name, index + 1] as const),
  ['IOT', 6],
  ['POLL', 29],
  ['CLD', 17],
]);

/** `SIGTERM`, `TERM`, `15`, `RTMIN+3`; undefined: not a signal. */
export function parseSignal(text: string): number | undefined {
  if (/^[+0-9]/.test(text)) return parseInteger(text, 1, RTMAX);
  const name = text.startsWith('SIG') ? text.slice(3) : text;
  const known = BY_NAME.get(name);
  if (known !== undefined) return known;
  const match = /^(RTMIN|RTMAX)(?:([+-])([0-9]{1,2}))?$/.exec(name);
  if (match === null) return undefined;
  const offset = match[2] === undefined ? 0 : Number(`${match[2]}${match[3]}`);
  const number = (match[1] === 'RTMIN' ? RTMIN : RTMAX) + offset;
  return number >= RTMIN && number <= RTMAX ? number : undefined;
}

/** `SIGTERM`, `SIGRTMIN+3`. */
export function signalName(number: number): string {
  const name = NAMES[number - 1];
  if (name !== undefined) return `SIG${name}`;
  if (number === RTMIN) return 'SIGRTMIN';
  return number > RTMIN && number <= RTMAX ? `SIGRTMIN+${number - RTMIN}` : String(number);
}

/** Exit statuses by name, with the class systemd-analyze(1) exit-status shows. */
export const EXIT_STATUSES: readonly (readonly [
  name: string,
  status: number,
  set: 'libc' | 'systemd' | 'LSB' | 'BSD',
])[] = [
  ['SUCCESS', 0, 'libc'],
  ['FAILURE', 1, 'libc'],
  ['INVALIDARGUMENT', 2, 'LSB'],
  ['NOTIMPLEMENTED', 3, 'LSB'],
  ['NOPERMISSION', 4, 'LSB'],
  ['NOTINSTALLED', 5, 'LSB'],
  ['NOTCONFIGURED', 6, 'LSB'],
  ['NOTRUNNING', 7, 'LSB'],
  ['USAGE', 64, 'BSD'],
  ['DATAERR', 65, 'BSD'],
  ['NOINPUT', 66, 'BSD'],
  ['NOUSER', 67, 'BSD'],
  ['NOHOST', 68, 'BSD'],
  ['UNAVAILABLE', 69, 'BSD'],
  ['SOFTWARE', 70, 'BSD'],
  ['OSERR', 71, 'BSD'],
  ['OSFILE', 72, 'BSD'],
  ['CANTCREAT', 73, 'BSD'],
  ['IOERR', 74, 'BSD'],
  ['TEMPFAIL', 75, 'BSD'],
  ['PROTOCOL', 76, 'BSD'],
  ['NOPERM', 77, 'BSD'],
  ['CONFIG', 78, 'BSD'],
  ['CHDIR', 200, 'systemd'],
  ['NICE', 201, 'systemd'],
  ['FDS', 202, 'systemd'],
  ['EXEC', 203, 'systemd'],
  ['MEMORY', 204, 'systemd'],
  ['LIMITS', 205, 'systemd'],
  ['OOM_ADJUST', 206, 'systemd'],
  ['SIGNAL_MASK', 207, 'systemd'],
  ['STDIN', 208, 'systemd'],
  ['STDOUT', 209, 'systemd'],
  ['CHROOT', 210, 'systemd'],
  ['IOPRIO', 211, 'systemd'],
  ['TIMERSLACK', 212, 'systemd'],
  ['SECUREBITS', 213, 'systemd'],
  ['SETSCHEDULER', 214, 'systemd'],
  ['CPUAFFINITY', 215, 'systemd'],
  ['GROUP', 216, 'systemd'],
  ['USER', 217, 'systemd'],
  ['CAPABILITIES', 218, 'systemd'],
  ['CGROUP', 219, 'systemd'],
  ['SETSID', 220, 'systemd'],
  ['CONFIRM', 221, 'systemd'],
  ['STDERR', 222, 'systemd'],
  ['PAM', 224, 'systemd'],
  ['NETWORK', 225, 'systemd'],
  ['NAMESPACE', 226, 'systemd'],
  ['NO_NEW_PRIVILEGES', 227, 'systemd'],
  ['SECCOMP', 228, 'systemd'],
  ['SELINUX_CONTEXT', 229, 'systemd'],
  ['PERSONALITY', 230, 'systemd'],
  ['APPARMOR', 231, 'systemd'],
  ['ADDRESS_FAMILIES', 232, 'systemd'],
  ['RUNTIME_DIRECTORY', 233, 'systemd'],
  ['CHOWN', 235, 'systemd'],
  ['SMACK_PROCESS_LABEL', 236, 'systemd'],
  ['KEYRING', 237, 'systemd'],
  ['STATE_DIRECTORY', 238, 'systemd'],
  ['CACHE_DIRECTORY', 239, 'systemd'],
  ['LOGS_DIRECTORY', 240, 'systemd'],
  ['CONFIGURATION_DIRECTORY', 241, 'systemd'],
  ['NUMA_POLICY', 242, 'systemd'],
  ['CREDENTIALS', 243, 'systemd'],
  ['BPF', 244, 'systemd'],
  ['EXCEPTION', 255, 'systemd'],
];

const STATUS_BY_NAME: ReadonlyMap<string, number> = new Map(EXIT_STATUSES.map(([name, status]) => [name, status]));

/** One entry of SuccessExitStatus= and friends: a status by number or name, or a signal by name. */
export function parseExit(text: string): { readonly status: number } | { readonly signal: number } | undefined {
  if (/^[+0-9]/.test(text)) {
    const status = parseInteger(text, 0, 255);
    return status === undefined ? undefined : { status };
  }
  const status = STATUS_BY_NAME.get(text);
  if (status !== undefined) return { status };
  const signal = parseSignal(text);
  return signal === undefined ? undefined : { signal };
}

/** With one more entry, sorted, each once. */
export function withExit(set: ExitSet, entry: { readonly status: number } | { readonly signal: number }): ExitSet {
  const insert = (list: readonly number[], value: number) =>
    list.includes(value) ? list : [...list, value].sort((a, b) => a - b);
  return 'status' in entry
    ? { ...set, statuses: insert(set.statuses, entry.status) }
    : { ...set, signals: insert(set.signals, entry.signal) };
}
