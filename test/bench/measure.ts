/** Numbers: medians, memory of processes, and the one clock that all stamps are turned into. */
import { readFileSync } from 'node:fs';

/** One figure: its samples in `unit`, as many as were taken. */
export interface Figure {
  readonly unit: 'ms' | 'µs' | 'MB' | '1/s';
  readonly samples: readonly number[];
}

export const figure = (unit: Figure['unit'], samples: readonly number[]): Figure => ({ unit, samples });

/** The middle sample; of an even number the upper one. NaN: there is none. */
export function median(samples: readonly number[]): number {
  return [...samples].sort((a, b) => a - b)[Math.floor(samples.length / 2)] ?? Number.NaN;
}

const short = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2));

/** `median (least..most) unit`. */
export function words({ unit, samples }: Figure): string {
  if (samples.length === 0) return '–';
  if (samples.length === 1) return `${short(samples[0]!)} ${unit}`;
  return `${short(median(samples))} (${short(Math.min(...samples))}..${short(Math.max(...samples))}) ${unit}`;
}

/** CLOCK_MONOTONIC less CLOCK_REALTIME, in µs, taken where the second has just changed its millisecond. */
function monotonicOffsetUs(): number {
  const before = Date.now();
  let now = before;
  while (now === before) now = Date.now();
  return Number(process.hrtime.bigint() / 1000n) - now * 1000;
}

/** What bash writes as $EPOCHREALTIME, in µs of CLOCK_MONOTONIC. */
export const monotonicUs = (epochRealtime: string): number =>
  Math.round(Number(epochRealtime.trim()) * 1e6) + monotonicOffsetUs();

/** Memory of one process in MB: its share of what it has mapped, and what nobody else has. */
export interface Memory {
  readonly pss: number;
  readonly anonymous: number;
}

/** Memory of a process, as /proc/PID/smaps_rollup says (proc(5)). */
export function memory(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kB = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]);
  return { pss: kB('Pss') / 1024, anonymous: kB('Pss_Anon') / 1024 };
}

/** The children of a process. */
export function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
