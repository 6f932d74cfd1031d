/**
 * The faults of mutants.ts, one by one: are they found?
 *
 *   npm run test:crash -- --mutants [TEXT]       # those whose name has this text
 *
 * Each is made in a copy of the sources, below the build, and played there until one life differs.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crashEverywhere } from './crash.ts';
import { lives } from './lives/index.ts';
import { type Mutant, mutants } from './mutants.ts';
import { sample } from './points.ts';
import { sampledIn, scenarioOf } from './real.ts';

/** The first life that differs, in words; undefined: none. */
function caught(): string | undefined {
  for (const [index, life] of lives.entries()) {
    try {
      crashEverywhere(
        scenarioOf(life, sampledIn(life, index)),
        life.closely?.second,
        sample(index, life.closely?.calls),
      );
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
  return undefined;
}

const project = join(import.meta.dirname, '../..');

/** What a life is played with. */
const PARTS = ['src', 'test/simulation', 'examples/machines', 'package.json'];

/** Make one, and have a process of its own look for it. */
async function tryOne({ name, file, from, to }: Mutant, at: number): Promise<boolean> {
  const copy = join(project, '.build/mutants', String(at));
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  for (const part of PARTS) cpSync(join(project, part), join(copy, part), { recursive: true });
  const text = readFileSync(join(copy, file), 'utf8');
  if (!text.includes(from)) {
    console.log(`BROKEN  ${name}: ${file} has no such piece any more: ${from}`);
    return false;
  }
  writeFileSync(
    join(copy, file),
    text.replace(from, () => to),
  );
  const child = spawn(process.execPath, [join(copy, 'test/simulation/mutate.ts')], {
    env: { ...process.env, SYSMASTER_MUTANT: 'try', SYSMASTER_ADDON: join(project, '.build/addon.node') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
  const code = await new Promise((resolve) => child.on('close', resolve));
  rmSync(copy, { recursive: true, force: true });
  if (code === 2) console.log(`caught  ${name}\n          ${said.trim().split('\n').slice(0, 2).join('\n          ')}`);
  else console.log(code === 0 ? `MISSED  ${name}` : `BROKEN  ${name}: ${said}`);
  return code === 2;
}

/** All whose name has this text, in so many processes; the exit status. */
export async function tryMutants(only: string, shards: number): Promise<number> {
  const queue = mutants.filter(({ name }) => name.includes(only)).map((mutant, at) => [mutant, at] as const);
  const all = queue.length;
  let found = 0;
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) if (await tryOne(...next)) found += 1;
  };
  await Promise.all(Array.from({ length: Math.max(1, shards) }, work));
  console.log(`${found} of ${all} caught`);
  return found === all ? 0 : 1;
}

if (process.env['SYSMASTER_MUTANT'] === 'try') {
  const fault = caught();
  if (fault !== undefined) console.log(fault);
  process.exitCode = fault === undefined ? 0 : 2;
}
