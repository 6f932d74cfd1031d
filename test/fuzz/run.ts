/** Feeding the targets, and what is watched meanwhile: throws, hangs, and growth of memory. */
import { mutate, randomFrom } from './inputs.ts';
import type { Target } from './targets.ts';

export interface Failure {
  readonly target: string;
  readonly input: string;
  readonly why: string;
}

export interface Fuzzed {
  readonly inputs: number;
  readonly failures: readonly Failure[];
  /** The longest that one input took, in ms, and whose it was. */
  readonly slowest: { readonly ms: number; readonly target: string; readonly input: string };
}

/** One input may take so long; on a busy machine too, since this is the processor's time. */
export const SLOW_MS = 2000;
const FAILURES_MAX = 20;

const cpuMs = (): number => process.cpuUsage().user / 1000;

/** Feed `count` inputs, shared out by weight. `tick` is called now and then with the number that is done. */
export function fuzz(targets: readonly Target[], count: number, seed: number, tick?: (done: number) => void): Fuzzed {
  const random = randomFrom(seed);
  const weights = targets.reduce((sum, { weight }) => sum + weight, 0);
  const failures: Failure[] = [];
  let slowest = { ms: 0, target: '', input: '' };
  let inputs = 0;
  for (const { name, corpus, weight, feed } of targets) {
    const share = Math.max(1, Math.round((count * weight) / weights));
    for (let index = 0; index < share && failures.length < FAILURES_MAX; index += 1) {
      const pick = () => corpus[Math.floor(random() * corpus.length)] ?? '';
      const input = mutate(pick(), pick(), random);
      const before = cpuMs();
      try {
        feed(input);
      } catch (error) {
        failures.push({
          target: name,
          input,
          why: error instanceof Error ? (error.stack ?? error.message) : String(error),
        });
      }
      const ms = cpuMs() - before;
      if (ms > slowest.ms) slowest = { ms, target: name, input: input.slice(0, 200) };
      if (ms > SLOW_MS) failures.push({ target: name, input, why: `took ${Math.round(ms)} ms` });
      inputs += 1;
      if (inputs % 10_000 === 0) tick?.(inputs);
    }
  }
  return { inputs, failures, slowest };
}
