/** The same sets on our core, on the simulated machine, told in the same words as {@link jobs-peer.ts}. */
import { createSim } from '../../src/host/sim/index.ts';
import { randomStream } from '../../src/host/sim/kernel.ts';
import type { ActorHost } from '../../src/supervisor/index.ts';
import { NEXT_MS, type SetRequest, shell, textsOf, type UnitSet } from '../simulation/generate.ts';
import { type Outcome as Answer, bootCore, jobsNow, shownUnits, simOptions } from '../simulation/machine.ts';
import { type Outcome, refusedOf, type Told } from './jobs-peer.ts';

/** Delays of what the kernel does are up to so long, ms, by turns: on a machine that is idle, or busy. */
const JITTERS_MS = [40, 8, 2] as const;
/** Two units of one request are asked for within so long, ms; mostly at once. */
const GAP_MS = 200;
/** The next request may come so much later, ms, on a busy machine. */
const LATE_MS = 1_000;
/** After so long without a job nothing moves any more, ms; and a request never takes so long. */
const QUIET_MS = 300;
const LIMIT_MS = 10_000;

/**
 * @param how 0: every program takes exactly its time, and ties go by name. Otherwise a seed for delays, as on a machine that has
 *   other things to do, and for other names: where systemd goes by the order of a hash table, it may go like any of these.
 */
export function playOurs(set: UnitSet, how = 0): Told {
  if (how === 0) return playAs(set, 0);
  const random = randomStream(how);
  const names = Object.keys(textsOf(set));
  const stems = names.map((name) => name.slice(0, name.search(/[@.]/)));
  const others = stems.map((stem) => [random(), stem] as const).sort(([a], [b]) => a - b);
  const renamed = new Map(stems.map((stem, index) => [stem, `r${(others[index] as readonly [number, string])[1]}`]));
  const back = new Map([...renamed].map(([from, to]) => [to, from]));
  const told = playAs(JSON.parse(rename(JSON.stringify(set), renamed)) as UnitSet, how);
  return JSON.parse(rename(JSON.stringify(told), back)) as Told;
}

/** Words that stand in the map, before a dot, replaced. */
function rename(text: string, names: ReadonlyMap<string, string>): string {
  return text.replace(
    /\b([\da-z]+?)(?=a?(@[\di]?)?\.(service|target|slice|socket|path)\b)/g,
    (word) => names.get(word) ?? word,
  );
}

function playAs(set: UnitSet, how: number): Told {
  const gap = randomStream(how + 1);
  const faults = how === 0 ? {} : { jitterMs: JITTERS_MS[how % JITTERS_MS.length] as number };
  const sim = createSim(simOptions({ units: set.units, programs: shell, seed: how, faults }));
  let core: ActorHost | undefined;
  sim.boot((host) => {
    core = bootCore(host);
  });
  sim.run(100);
  const names = Object.keys(textsOf(set));
  let restless = false;
  const ask = ({ verb, units, mode }: SetRequest) => {
    // Each unit is a transaction of its own. systemctl asks for one after the other, and jobs may be over in between.
    const portions = how === 0 ? [units] : units.map((unit) => [unit]);
    return portions.map((portion, place) => {
      if (place > 0) sim.run(Math.floor(gap() ** 4 * GAP_MS));
      const client = sim.client();
      const parameters = { verb, units: portion, mode, noBlock: true };
      client.send(JSON.stringify({ method: 'io.sysmaster.Jobs.Request', parameters }));
      return { client, verb };
    });
  };
  const outcomes = set.requests.map((request): Outcome => {
    const from = sim.log.length;
    const clients = ask(request);
    if (request.next !== undefined) {
      sim.run(NEXT_MS + (how === 0 ? 0 : Math.floor(gap() ** 3 * LATE_MS)));
      clients.push(...ask(request.next));
    }
    const end = sim.nowMs + LIMIT_MS;
    for (let quiet = 0; quiet < QUIET_MS; quiet += 20) {
      sim.run(20);
      if (jobsNow(core as ActorHost).length > 0) quiet = 0;
      restless ||= sim.nowMs > end;
      if (restless) break;
    }
    const refused = clients.flatMap(({ client, verb }) => {
      const { parameters } = JSON.parse(client.received[0] ?? '{}') as {
        parameters?: { outcomes?: readonly Answer[] };
      };
      return refusedOf(verb, parameters?.outcomes ?? []);
    });
    const jobs = sim.log
      .slice(from)
      .filter(({ message }) => message === 'job ended')
      .map(({ fields }) => `${fields['type']} ${fields['unit']} ${fields['result']}`);
    const shown = shownUnits(core as ActorHost);
    const states = names.map((name): [string, string] => {
      const { active, sub, result } = shown[name] ?? { active: 'inactive', sub: 'dead', result: 'success' };
      return [name, `${active}/${sub}/${result}`];
    });
    return {
      refused: refused.sort(),
      jobs: jobs.filter((job) => names.includes(job.split(' ')[1] ?? '')),
      states: Object.fromEntries(states),
      gaveUp: sim.log.slice(from).some(({ message }) => message.includes('left out: it contradicts')),
    };
  });
  return { outcomes, restless };
}
