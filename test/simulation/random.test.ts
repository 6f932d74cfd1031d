/**
 * Random unit sets on the real core: every job ends, every wait has a reason, and two runs of one seed are the same to the byte.
 *
 * `npm test` takes a sample; `npm run simulate [FIRST [COUNT]]` takes thousands, and prints the seed of what fails.
 */
import { describe, expect, test } from 'vitest';
import { createSim, type SimClient } from '../../src/host/sim/index.ts';
import { randomStream } from '../../src/host/sim/kernel.ts';
import type { ActorHost } from '../../src/supervisor/index.ts';
import { shell, unitSet } from './generate.ts';
import { bootCore, Clients, jobsNow, shownUnits, simOptions, type Wish } from './machine.ts';

const [first, count] = (process.env['SIMULATE_SEEDS'] ?? '1 40').split(' ').map(Number) as [number, number];
/** Longer than any time-out of the sets, one after the other. */
const LONG_MS = 120_000;

interface Run {
  readonly log: string;
  readonly problems: readonly string[];
}

/** One seed: a set, its requests at random times, faults, and perhaps deaths of core. */
function run(seed: number, order: (names: string[]) => string[] = (names) => names): Run {
  const random = randomStream(seed ^ 0x5eed);
  const set = unitSet(seed, { cycles: seed % 2 === 0 });
  const wishes: Wish[] = set.requests.map((request, index) => ({
    ...request,
    atMs: 20 + index * Math.floor(random() * 500),
  }));
  const faults = {
    jitterMs: seed % 3 === 0 ? 20 : 0,
    forkFails: seed % 5 === 0 ? 0.05 : 0,
    splitBatches: seed % 7 === 0,
  };
  const units = Object.fromEntries(order(Object.keys(set.units)).map((name) => [name, set.units[name] as string]));
  const sim = createSim(simOptions({ units, programs: shell, seed, faults }));
  const clients = new Clients(sim, wishes);
  const problems: string[] = [];
  let core: ActorHost | undefined;
  sim.boot((host) => {
    core = bootCore(host);
    clients.reconnect();
  });
  const lists: SimClient[] = [];
  for (let at = 100; at < 3_000; at += 100) {
    sim.at(at, () => {
      const client = sim.client();
      client.send('{"method":"io.sysmaster.Jobs.List","parameters":{}}');
      lists.push(client);
    });
  }
  if (seed % 4 === 0)
    for (let death = 0; death < 3; death += 1) sim.at(50 + Math.floor(random() * 2_000), () => sim.killCore());
  sim.run(LONG_MS);
  for (const { received } of lists) if (received[0] !== undefined) problems.push(...unexplained(received[0]));
  const left = jobsNow(core as ActorHost);
  problems.push(...left.map((job) => `job ${job.id} ${job.type} ${job.unit} never ended`));
  for (const [index] of wishes.entries())
    if (clients.answer(index) === undefined) problems.push(`request ${index} was never answered`);
  for (const { level, message, fields } of sim.log) {
    if (level === 'error' && !message.startsWith('cannot ')) problems.push(`${message} ${JSON.stringify(fields)}`);
  }
  const log = sim.log.map((line) => JSON.stringify(line)).join('\n');
  return {
    log: `${log}\n${sim.state.image}\n${sim.state.records.join('\n')}\n${JSON.stringify(shownUnits(core as ActorHost))}`,
    problems,
  };
}

interface ListedJob {
  readonly id: number;
  readonly unit: string;
  readonly state: 'waiting' | 'running';
  readonly waits: readonly { readonly why: string; readonly job?: number }[];
}

/** Jobs in a list whose waiting is not explained: by a job that is in the list too, or by a unit on its way. */
function unexplained(reply: string): string[] {
  const { jobs } = (JSON.parse(reply) as { parameters: { jobs: readonly ListedJob[] } }).parameters;
  const ids = new Set(jobs.map(({ id }) => id));
  const explains = (job: ListedJob, wait: ListedJob['waits'][number]) =>
    wait.job === undefined
      ? job.state === 'running' ||
        /it is (activating|deactivating|reloading)$|must come to rest first, and waits for ./.test(wait.why)
      : ids.has(wait.job);
  return jobs
    .filter((job) => job.waits.length === 0 || !job.waits.every((wait) => explains(job, wait)))
    .map((job) => `job ${job.id} ${job.unit} is ${job.state} for no reason: ${JSON.stringify(job.waits)}`);
}

describe('a random set of units', () => {
  test.each(Array.from({ length: count }, (_, index) => first + index))(
    'comes to rest, with a reason for every wait, twice the same (seed %i)',
    (seed) => {
      const one = run(seed);
      expect(one.problems).toEqual([]);
      expect(run(seed).log === one.log).toBe(true);
    },
  );

  test.each(Array.from({ length: Math.ceil(count / 8) }, (_, index) => first + index * 8))(
    'goes the same way in whatever order its files lie in their directory (seed %i)',
    (seed) => {
      const log = run(seed).log;
      expect(run(seed, (names) => names.toReversed()).log === log).toBe(true);
      const random = randomStream(seed);
      const shuffled = (names: string[]) => names.map((name) => [random(), name] as const).sort(([a], [b]) => a - b);
      expect(run(seed, (names) => shuffled(names).map(([, name]) => name)).log === log).toBe(true);
    },
  );
});
