/**
 * Several builds beside each other when core dies: `npm run bench -- --deaths --beside DIR,DIR --sizes 1000 --rounds 20`, each DIR a
 * copy of .build.
 *
 * A machine for each of them, all at once, whose cores are killed in turn: what else runs here troubles one as much as the other. Processor
 * time is exact, and so can be compared where wall-clock times cannot. The phases are core's own, from its log. Nothing is written into
 * a document.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { debianMissing, debianRoot } from '../integration/support/debian.ts';
import { type Machine, start } from './machine.ts';
import { type Figure, figure, memory, monotonicUs, pause, words } from './measure.ts';
import { ours } from './peers.ts';
import { coreOf, type Death, death } from './recovery.ts';
import { sleepers } from './sets.ts';

const BOOT_MS = 240_000;
const REST_MS = 1_500;
/** Where a build stands inside. */
const PLACE = '/run/build';

interface Build {
  readonly directory: string;
  readonly machine: Machine;
  readonly deaths: Death[];
  readonly phases: Map<string, number[]>;
  readonly anonymous: number[];
}

/** What core says of its start when it is in charge: phase → ms since its exec. */
function phasesOf(machine: Machine): Readonly<Record<string, number>> {
  const lines = readFileSync(join(machine.state, 'run/sysmaster/core.log'), 'utf8').split('\n');
  const last = lines.findLast((line) => line.includes('"reachedMs"'));
  if (last === undefined) return {};
  const execedMs = monotonicUs(readFileSync(join(machine.state, 'run/bench/core-execed'), 'utf8')) / 1000;
  const { reachedMs } = JSON.parse(last) as { reachedMs: Record<string, number> };
  // On a machine that is very busy it may not have written its own yet.
  if (Object.values(reachedMs).some((ms) => ms < execedMs)) return {};
  return Object.fromEntries(Object.entries(reachedMs).map(([phase, ms]) => [phase, ms - execedMs]));
}

async function round({ machine, deaths, phases, anonymous }: Build, counts: boolean): Promise<void> {
  const one = await death(machine);
  if (!counts) return;
  deaths.push(one);
  for (const [phase, ms] of Object.entries(phasesOf(machine))) phases.set(phase, [...(phases.get(phase) ?? []), ms]);
  // What it has needed is given back once it has had nothing to do for a while.
  await pause(REST_MS);
  const core = coreOf(machine);
  if (core !== undefined) anonymous.push(memory(core).anonymous);
}

const ROWS: Readonly<Record<string, (death: Death) => number>> = {
  'until a client is answered': ({ answerMs }) => answerMs,
  '… processor time of core': ({ answerCpu }) => answerCpu.all,
  '… of its main thread': ({ answerCpu }) => answerCpu.main,
  'until all is as it was': ({ wholeMs }) => wholeMs,
  '… its processor time': ({ wholeCpu }) => wholeCpu.all,
  '… its main thread': ({ wholeCpu }) => wholeCpu.main,
};

/** The table of one size. */
async function compare(directories: readonly string[], size: number, rounds: number): Promise<string[]> {
  const root = debianMissing() === undefined ? debianRoot() : '-';
  const builds: Build[] = [];
  try {
    for (const directory of directories) {
      const recipe = ours(root, {}, PLACE).units!(sleepers(size));
      const machine = await start({ ...recipe, binds: [`${resolve(directory)}:${PLACE}`] }, BOOT_MS);
      builds.push({ directory, machine, deaths: [], phases: new Map(), anonymous: [] });
    }
    await pause(REST_MS);
    for (let at = 0; at <= rounds; at += 1) for (const build of builds) await round(build, at > 0);
  } finally {
    for (const { machine } of builds) await machine.end();
  }
  const row = (what: string, of: (build: Build) => Figure) =>
    `| ${what} | ${builds.map((build) => words(of(build))).join(' | ')} |`;
  const phases = [...new Set(builds.flatMap((build) => [...build.phases.keys()]))];
  return [
    `| ${size} services | ${directories.join(' | ')} |`,
    `|---|${'---|'.repeat(directories.length)}`,
    ...Object.entries(ROWS).map(([what, pick]) => row(what, ({ deaths }) => figure('ms', deaths.map(pick)))),
    ...phases.map((phase) => row(`core's exec to: ${phase}`, (build) => figure('ms', build.phases.get(phase) ?? []))),
    row('anonymous memory at rest', ({ anonymous }) => figure('MB', anonymous)),
  ];
}

/** All sizes, as text. */
export async function besideEachOther(
  directories: readonly string[],
  sizes: readonly number[],
  rounds: number,
): Promise<string> {
  const tables: string[] = [];
  for (const size of sizes) tables.push((await compare(directories, size, rounds)).join('\n'));
  return tables.join('\n\n');
}
