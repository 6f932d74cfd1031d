/**
 * `npm run fuzz`: a million mutated inputs over the reader and every parser of a value. No throw, no hang, no growth.
 * FUZZ_INPUTS says how many, FUZZ_SEED gives the same ones again. Needs node --expose-gc.
 */
import { fuzz } from './run.ts';
import { TARGETS } from './targets.ts';

const count = Number(process.env['FUZZ_INPUTS'] ?? 1_000_000);
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);
const MIB = 1024 * 1024;
/** What may be live after a million inputs beyond what was after the first tenth of them: caches that have filled. */
const GROWTH_MAX_MIB = 24;

const collect = (globalThis as { gc?: () => void }).gc;
if (collect === undefined) throw new Error('growth cannot be seen: start node with --expose-gc');
const liveMib = (): number => {
  collect();
  return process.memoryUsage().heapUsed / MIB;
};

console.log(`fuzz: ${count} inputs over ${TARGETS.length} targets, FUZZ_SEED=${seed}`);
// A tenth warms up all of the targets, so that what they keep for good is there before growth is measured.
const first = fuzz(TARGETS, count / 10, seed);
const before = liveMib();
const rest = fuzz(TARGETS, (count * 9) / 10, seed + 1, (done) => {
  if (done % 100_000 === 0) console.log(`fuzz: ${done + first.inputs} inputs, ${liveMib().toFixed(1)} MiB live`);
});
const grownMib = liveMib() - before;
const failures = [...first.failures, ...rest.failures];
for (const { target, input, why } of failures)
  console.error(`${target}: ${JSON.stringify(input.slice(0, 2000))}\n  ${why}`);
const { slowest } = rest;
console.log(
  `fuzz: ${first.inputs + rest.inputs} inputs, ${failures.length} failures, ${grownMib.toFixed(1)} MiB grown, slowest ${slowest.ms.toFixed(1)} ms (${slowest.target})`,
);
if (grownMib > GROWTH_MAX_MIB) console.error(`fuzz: memory grew by more than ${GROWTH_MAX_MIB} MiB`);
process.exitCode = failures.length > 0 || grownMib > GROWTH_MAX_MIB ? 1 : 0;
