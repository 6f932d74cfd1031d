/**
 * The same sets under our real init and core, in namespaces of their own, told in the same words as {@link jobs-peer.ts}.
 *
 * One system plays all sets one after the other. Each comes with a daemon-reload, and leaves nothing running behind.
 */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Client, createClient } from '../../src/cli/client.ts';
import type { Outcome as Answer, Event, Job, Unit } from '../../src/cli/wire.ts';
import { startSystem } from '../integration/support/system.ts';
import { NEXT_MS, type SetRequest, textsOf, type UnitSet } from '../simulation/generate.ts';
import { keptContext } from '../unit/support/context.ts';
import { type Outcome, refusedOf, stoppable, type Told, unitOf } from './jobs-peer.ts';

const UNITS = '/run/units';
const TARGET = '[Unit]\nDefaultDependencies=no\n';
/** So many looks at the table in a row without a job, so far apart, and nothing moves any more. */
const QUIET = 4;
const BETWEEN_MS = 20;
/** After so many looks it has not come to rest. */
const LIMIT = 400;
const ENOUGH = 5;

export async function playReal(sets: readonly UnitSet[]): Promise<readonly Told[]> {
  const system = await startSystem({
    files: { [`${UNITS}/default.target`]: TARGET },
    coreEnvironment: { SYSMASTER_UNIT_PATH: UNITS, SYSMASTER_GENERATOR_PATH: '' },
  });
  const client = connect(join(system.run, 'sysmaster/api.sock'));
  const watcher = connect(client.path);
  const ended: string[] = [];
  const stream = watcher.stream<{ event: Event }>('io.sysmaster.Events.Subscribe', {});
  const first = await stream.next();
  if (first.value?.event.event !== 'ready') throw new Error('no stream of events');
  const listening = (async () => {
    for await (const { event } of stream) {
      if (event.event === 'job-removed' && event.job)
        ended.push(`${event.job.type} ${event.job.unit} ${event.job.result}`);
    }
  })();
  try {
    const told: Told[] = [];
    for (const set of sets) told.push(await playOne(client, join(system.run, 'units'), set, ended));
    return told;
  } finally {
    client.close();
    await system.stop();
    watcher.close();
    await Promise.race([listening.catch(() => undefined), delay(0)]);
  }
}

const connect = (path: string): Client => createClient(keptContext({ name: 'test', pause: delay }).context, path, true);

/** @returns false: it does not come to rest */
async function rests(client: Client): Promise<boolean> {
  let quiet = 0;
  for (let look = 0; quiet < QUIET && look < LIMIT; look += 1) {
    const { jobs } = await client.call<{ jobs: Job[] }>('io.sysmaster.Jobs.List');
    quiet = jobs.length === 0 ? quiet + 1 : 0;
    await delay(BETWEEN_MS);
  }
  return quiet >= QUIET;
}

async function playOne(client: Client, directory: string, set: UnitSet, ended: readonly string[]): Promise<Told> {
  const names = Object.keys(textsOf(set));
  for (const [name, text] of Object.entries(set.units)) {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    if (text.startsWith('-> ')) symlinkSync(text.slice('-> '.length), path);
    else writeFileSync(path, text);
  }
  await client.change('io.sysmaster.Manager.Reload', {});
  let restless = false;
  const outcomes: Outcome[] = [];
  const ask = async ({ verb, units, mode }: SetRequest) => {
    const asked = { verb, units, mode, noBlock: true };
    const { outcomes } = await client.change<{ outcomes: Answer[] }>('io.sysmaster.Jobs.Request', asked);
    return refusedOf(verb, outcomes);
  };
  for (const request of set.requests) {
    const from = ended.length;
    const refused = await ask(request);
    if (request.next !== undefined) {
      await delay(NEXT_MS);
      refused.push(...(await ask(request.next)));
    }
    restless = !(await rests(client));
    if (restless) break;
    outcomes.push({
      refused: refused.sort(),
      jobs: ended.slice(from).filter((job) => names.includes(unitOf(job))),
      states: await statesOf(client, names),
    });
  }
  // What may not be stopped, or comes up again, is to go as well.
  for (const [name, text] of Object.entries(set.units))
    if (!text.startsWith('-> ')) writeFileSync(join(directory, name), stoppable(text));
  await client.change('io.sysmaster.Manager.Reload', {});
  restless = !(await cleared(client, names)) || restless;
  for (const name of Object.keys(set.units)) rmSync(join(directory, name), { force: true });
  return { outcomes, restless };
}

async function statesOf(client: Client, names: readonly string[]): Promise<Record<string, string>> {
  const answers = await client.calls<{ unit: Unit }>(
    'io.sysmaster.Units.Get',
    names.map((name) => ({ name })),
  );
  return Object.fromEntries(
    answers.map((answer, index) => {
      if (!('unit' in answer)) throw answer;
      const { active, sub, result } = answer.unit;
      return [names[index] ?? '', `${active}/${sub}/${result === '' ? 'success' : result}`];
    }),
  );
}

/** Nothing of the set runs any more; false: something comes up again and again. */
async function cleared(client: Client, names: readonly string[]): Promise<boolean> {
  for (let left = ENOUGH; left > 0; left -= 1) {
    await client.change('io.sysmaster.Jobs.Request', {
      verb: 'stop',
      units: names,
      mode: 'ignore-dependencies',
      noBlock: true,
    });
    if (!(await rests(client))) continue;
    const states = Object.values(await statesOf(client, names));
    if (states.every((state) => /^(inactive|failed)/.test(state))) return true;
  }
  return false;
}
