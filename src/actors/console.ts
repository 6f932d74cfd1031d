/**
 * What the console says about jobs that take long: which, for how long, how long they may take, and what the process is blocked on.
 *
 * As systemd does after five seconds (systemd.special(7) has the targets, systemd(1) systemd.show_status=), but the line names the
 * process and its wait, not the unit alone. Said while the system comes up or goes down; in between a person has `sctl why`.
 */
import type { JobView } from '../api/manager.ts';
import type { Host } from '../host/ports.ts';
import type { ServiceContext } from '../machines/service-context.ts';
import type { UnitSnapshot } from '../machines/view.ts';
import { formatSpanUs } from '../units/syntax/timespan.ts';
import { blockedOn, blockedWords } from './blocked.ts';

/** Jobs that are named each time; the others are counted. */
const NAMED = 3;

export interface ConsoleWorld {
  readonly host: Host;
  snapshot(unit: string): UnitSnapshot | undefined;
  /** Deadlines of an actor, CLOCK_MONOTONIC in ms. */
  deadlines(actor: string): Readonly<Record<string, number | 'infinity'>>;
}

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

/** The lines for the jobs that run now, the oldest first; empty: none runs. */
export function progressLines(jobs: readonly JobView[], world: ConsoleWorld): readonly string[] {
  const running = jobs.filter(({ state, type }) => state === 'running' && NOUNS[type] !== undefined);
  const lines = running.slice(0, NAMED).map((job, at) => {
    const count = running.length > 1 ? `(${at + 1} of ${running.length}) ` : '';
    return `[ ***  ] ${count}${NOUNS[job.type]} is running for ${job.unit} (${timeWords(job, world)})${waitWords(job, world)}`;
  });
  return running.length > NAMED
    ? [...lines, `[ ***  ] and ${running.length - NAMED} more; sctl list-jobs names them`]
    : lines;
}

function timeWords({ id, unit, started, created }: JobView, { host, deadlines }: ConsoleWorld): string {
  const nowMs = host.clock.nowMs();
  const beganMs = (started ?? created).monotonicUs / 1000;
  const due = [...Object.values(deadlines(`job:${id}`)), ...Object.values(deadlines(`unit:${unit}`))];
  const first = Math.min(...due.map((at) => (at === 'infinity' ? Number.POSITIVE_INFINITY : at)));
  return `${span(nowMs - beganMs)} / ${first === Number.POSITIVE_INFINITY ? 'no limit' : span(first - beganMs)}`;
}

function waitWords({ unit }: JobView, { host, snapshot }: ConsoleWorld): string {
  if (unit.endsWith('.device')) return ': the device has not appeared';
  const context = snapshot(unit)?.context as Partial<ServiceContext> | undefined;
  const process = context?.control ?? context?.main ?? undefined;
  if (process === undefined) {
    if (context?.deadline?.name === 'RestartSec') return ': it waits to be started again (RestartSec=)';
    return context?.populated === true ? ': processes are left in its control group' : '';
  }
  if (process.pid === null) return `: ${process.list}= is being started`;
  const blocked = blockedOn(host, process.pid);
  const list = process.list === 'MAINPID' ? '' : `${process.list}=, `;
  const ready =
    context?.settings?.Type?.startsWith('notify') && context.active === 'activating' ? 'READY=1 is awaited; ' : '';
  return blocked === undefined ? '' : `: ${ready}${list}${blockedWords(blocked)}`;
}
