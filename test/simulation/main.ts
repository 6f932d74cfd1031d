/**
 * `npm run test:crash`: every life, crashed at every call, in every variant; pairs of crashes; writes torn at every byte.
 *
 *   npm run test:crash -- [--seed N] [--pairs N] [--only TEXT] [--variant NAME] [--shards N] [--done FILE]
 *   npm run test:crash -- --only NAME --variant NAME --crash 'before 12, after 40' [--wishes 0,2] [--outside 0] [--units a.service]
 *   npm run test:crash -- --mutants ''     # faults that are made on purpose must be found, see mutants.ts
 *
 * The work is cut into tasks, a life in a variant each, and handed to as many processes as there are processors. A failure is
 * shrunk where it was found, and told with the command that runs it alone. With `--done` each task that is over is a line in that
 * file, and those in it are not done again: a run that was interrupted goes on.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { judge, playCalm, pointWords } from './crash.ts';
import { lives } from './lives/index.ts';
import type { Life } from './lives/life.ts';
import { tryMutants } from './mutate.ts';
import { parsePoints, printPoints } from './points.ts';
import { scenarioOf, VARIANTS, type Variant } from './real.ts';
import { allOf, type Kept, reduced } from './shrink.ts';
import { type Done, type Failure, runTask, type Task, tasksOf } from './tasks.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    pairs: { type: 'string', default: '300' },
    only: { type: 'string', default: '' },
    variant: { type: 'string', default: '' },
    shards: { type: 'string', default: String(availableParallelism()) },
    done: { type: 'string' },
    mutants: { type: 'string' },
    crash: { type: 'string' },
    wishes: { type: 'string' },
    outside: { type: 'string' },
    units: { type: 'string' },
    worker: { type: 'boolean', default: false },
  },
});

const numbers = (text: string | undefined): readonly number[] | undefined =>
  text
    ?.split(',')
    .filter((part) => part !== '')
    .map(Number);

/** One run, as a failure's command names it; its exit status says whether it fails. */
function runOne(crash: string): number {
  const life = lives.find(({ name }) => name === values.only) ?? lives.find(({ name }) => name.includes(values.only));
  const variant = VARIANTS.find(({ name }) => name === values.variant) ?? (VARIANTS[0] as Variant);
  const points = parsePoints(crash);
  if (life === undefined || points === undefined) {
    console.error(
      `no such life, or no crash points: ${values.only}: ${crash}; write 'before 12, after 40, torn 7@100'`,
    );
    return 2;
  }
  const all = allOf(life);
  const kept: Kept = {
    wishes: numbers(values.wishes) ?? all.wishes,
    outside: numbers(values.outside) ?? all.outside,
    units: values.units?.split(',') ?? all.units,
  };
  const scenario = scenarioOf(reduced(life, kept), variant);
  const calm = playCalm(scenario);
  const verdict = judge(scenario, calm.end, points);
  const told = typeof verdict === 'object' ? verdict.fault : verdict;
  console.log(`${scenario.name}: crash ${pointWords(points, calm.sim.callNames)}: ${told}`);
  return typeof verdict === 'object' ? 1 : 0;
}

/** A failure in words, with the shortest reproduction. */
function words({ life, variant, crashes, fault, seed, shortest }: Failure): string {
  const { kept } = shortest;
  const all = allOf(lives.find(({ name }) => name === life) as Life);
  const part = (name: string, left: readonly unknown[], of: readonly unknown[]) =>
    left.length === of.length ? '' : ` --${name} '${left.join(',')}'`;
  const parts =
    part('wishes', kept.wishes, all.wishes) +
    part('outside', kept.outside, all.outside) +
    part('units', kept.units, all.units);
  return [
    `FAILED ${life} (${variant}), seed ${seed}: crash ${crashes}: ${fault}`,
    `  the shortest: crash ${shortest.words}`,
    `  with requests ${kept.wishes.join(', ') || 'none'} and units ${kept.units.join(', ') || 'none'}: ${shortest.fault}`,
    `  run it: npm run test:crash -- --only '${life}' --variant ${variant} --crash '${printPoints(shortest.crashes)}'${parts}`,
  ].join('\n');
}

/** What an interrupted run has done, by task. */
function doneBefore(): ReadonlyMap<string, Done> {
  const file = values.done;
  if (file === undefined || !existsSync(file)) return new Map();
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return new Map(lines.map((line): [string, Done] => JSON.parse(line)));
}

/** The first process: hands out tasks, adds up what comes back. */
async function runAll(): Promise<number> {
  const tasks = tasksOf(values.only, values.variant, Number(values.seed), Number(values.pairs));
  if (tasks.length === 0) {
    console.error(`no life is called ${values.only}, or no variant ${values.variant}`);
    return 2;
  }
  const began = performance.now();
  const total = { runs: 0, bytes: 0, lawful: 0, failures: 0 };
  const before = doneBefore();
  const queue = tasks.filter((task) => !before.has(JSON.stringify(task))).toReversed();
  let over = 0;
  const told = (done: Done) => {
    over += 1;
    total.runs += done.runs;
    total.bytes += done.bytes;
    total.lawful += done.lawful;
    total.failures += done.failures.length;
    console.log(
      `${over}/${tasks.length} ${done.name}: ${done.runs} crash points${done.bytes > 0 ? `, ${done.bytes} torn bytes` : ''}, ${done.seconds} s`,
    );
    for (const failure of done.failures) console.log(words(failure));
  };
  for (const task of tasks) {
    const done = before.get(JSON.stringify(task));
    if (done !== undefined) told(done);
  }
  const worker = () =>
    new Promise<void>((resolve, reject) => {
      const child: ChildProcess = fork(fileURLToPath(import.meta.url), ['--worker']);
      let task: Task | undefined;
      const next = () => {
        task = queue.pop();
        if (task === undefined) child.disconnect();
        else child.send(task);
      };
      child.on('message', (done: Done) => {
        if (values.done !== undefined) appendFileSync(values.done, `${JSON.stringify([JSON.stringify(task), done])}\n`);
        told(done);
        next();
      });
      child.on('error', reject);
      child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`))));
      next();
    });
  await Promise.all(Array.from({ length: Math.max(1, Number(values.shards)) }, worker));
  const seconds = Math.round((performance.now() - began) / 1000);
  console.log(
    `${total.runs} crash points in ${lives.length} lives, ${total.bytes} torn bytes read back, ${seconds} s, seed ${values.seed}: ` +
      `${total.failures} failures; in ${total.lawful} runs law 7 set something aside, as it must`,
  );
  return total.failures === 0 ? 0 : 1;
}

if (values.worker) {
  process.on('message', (task: Task) => process.send?.(runTask(task)));
} else {
  const { crash, mutants } = values;
  if (mutants !== undefined) process.exitCode = await tryMutants(mutants, Number(values.shards));
  else process.exitCode = crash === undefined ? await runAll() : runOne(crash);
}
