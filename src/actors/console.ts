/**
 * What the console says about jobs that take long: which, for how long, how long they may take, and what the process is blocked on.
 *
 * As systemd does after five seconds (systemd.special(7) has the targets, systemd(1) systemd.show_status=), but the line names the
 * process and its wait, not the unit alone. Said while the system comes up or goes down; in between a person has `sctl why`.
 */
import type { JobView } from '../api/manager.ts';
import type { Host } from '../host/ports.ts';
import { formatSpanUs } from '../units/syntax/timespan.ts';

/** Jobs that are named each time; the others are counted. */
const NAMED = 3;

const span = (ms: number): string => formatSpanUs(Math.max(0, Math.round(ms / 1000)) * 1_000_000, 1_000_000);

/** systemd.show_status= on the kernel command line (systemd(1), kernel-command-line(7)). */
export function consoleIsWanted(commandLine: string): boolean {
  const values = commandLine.split(/\s+/).filter((word) => word.startsWith('systemd.show_status='));
  const value = values.at(-1)?.slice('systemd.show_status='.length).toLowerCase();
  return value === undefined || !['0', 'no', 'n', 'false', 'f', 'off'].includes(value);
}

const NOUNS: Readonly<Partial<Record<JobView['type'], string>>> = {
  start: 'A start job',
  stop: 'A stop job',
  restart: 'A restart job',
  reload: 'A reload job',
};

/**
 * The lines for the jobs that run now, the oldest first; empty: none runs.
 *
 * @param round how often there were lines before: of many jobs others are named each time
 */
export function progressLines(jobs: readonly JobView[], host: Host, round: number): readonly string[] {
  const running = jobs.filter(({ state, type }) => state === 'running' && NOUNS[type] !== undefined);
  const pages = Math.ceil(running.length / NAMED);
  const first = pages === 0 ? 0 : (round % pages) * NAMED;
  const lines = running.slice(first, first + NAMED).map((job, at) => {
    const count = running.length > 1 ? `(${first + at + 1} of ${running.length}) ` : '';
    return `[ ***  ] ${count}${NOUNS[job.type]} is running for ${job.unit} (${timeWords(job, host)})${waitWords(job)}`;
  });
  const more = running.length - lines.length;
  return more > 0 ? [...lines, `[ ***  ] and ${more} more; sctl list-jobs names them`] : lines;
}

/** How long, and how long at most: `5s / 1min 30s`. */
function timeWords({ started, created, waits }: JobView, host: Host): string {
  const beganMs = (started ?? created).monotonicUs / 1000;
  const untilUs = waits[0]?.untilUs;
  return `${span(host.clock.nowMs() - beganMs)} / ${untilUs === undefined ? 'no limit' : span(untilUs / 1000 - beganMs)}`;
}

/** The line names the unit already. */
const waitWords = ({ unit, waits: [wait] }: JobView): string =>
  wait === undefined ? '' : `: ${wait.why.startsWith(`${unit} `) ? wait.why.slice(unit.length + 1) : wait.why}`;
