/** Units that are asked for again while those of the last time are being let go of. */
import { describe, expect, test } from 'vitest';
import { type CrashPoint, createSim } from '../../src/host/sim/index.ts';
import { VirtualState } from '../../src/host/sim/state.ts';
import { pointWords, singles } from './crash.ts';
import { service } from './lives/life.ts';
import { type Answered, bootCore, simOptions } from './machine.ts';

const program = 'Type=oneshot\nExecStart=/bin/true';
const after = (unit: string) => `Requires=${unit}\nAfter=${unit}\nStartLimitIntervalSec=0`;
/** Oneshots that do not stay, each after the one before it, which it needs. */
const units = {
  'tick-0.service': service(program, 'StartLimitIntervalSec=0'),
  'tick-1.service': service(program, after('tick-0.service')),
  'tick-2.service': service(program, after('tick-1.service')),
  'other.service': service('Type=oneshot\nExecStart=/bin/other', after('tick-2.service')),
};
const quick = { run: [{ after: 5, exit: 0 }] };
const programs = { '/bin/true': quick, '/bin/other': quick };

/** Of the crash points, one in so many is tried. */
const CRASHES_STEP = 23;

interface Asked {
  /** The second request comes in the turn after so many commits, of those since the first one or since core died; 0: it never comes. */
  readonly nth: number;
  readonly turnEvents: number | undefined;
  readonly crashes?: readonly CrashPoint[];
}

/** Tells of each record once it is written. */
class Watched extends VirtualState {
  onCommit = (): void => undefined;
  override append(record: string): void {
    super.append(record);
    this.onCommit();
  }
}

/** One client starts the last of the row, and so does another one a little later. Both ask again when core dies. */
function startTwice({ nth, turnEvents, crashes = [] }: Asked) {
  let commits = 0;
  const state = new Watched();
  const sim = createSim({ ...simOptions({ units, programs }), state, crashes });
  const clients: { readonly requestId: string; received: readonly string[] }[] = [];
  const send = (client: (typeof clients)[number]) => {
    const session = sim.client();
    const parameters = { verb: 'start', units: ['tick-2.service'], requestId: client.requestId };
    session.send(JSON.stringify({ method: 'io.sysmaster.Jobs.Request', parameters }));
    client.received = session.received;
  };
  const ask = (requestId: string) => {
    const client = { requestId, received: [] };
    clients.push(client);
    send(client);
  };
  const second = () => {
    if (sim.deaths < crashes.length || clients.length !== 1) return;
    commits += 1;
    if (commits === nth) ask('second');
  };
  sim.boot((host) => {
    bootCore(host, turnEvents === undefined ? {} : { turnEvents });
    sim.at(0, () => {
      for (const client of clients) if (client.received.length === 0) send(client);
    });
  });
  sim.run(10);
  ask('first');
  state.onCommit = second;
  sim.run(500);
  const results = clients.map(({ received }) => {
    const { parameters, error } = JSON.parse(received[0] ?? '{}') as Answered;
    const [outcome] = parameters?.outcomes ?? [];
    return outcome?.result ?? outcome?.refusal?.why ?? error ?? 'no answer';
  });
  return { sim, results, commits };
}

/** Faults of all runs, in words. */
function faults(asked: readonly Asked[]): readonly string[] {
  return asked.flatMap((one) => {
    const { sim, results } = startTwice(one);
    if (results.every((result) => result === 'done')) return [];
    return `core dies ${pointWords(one.crashes ?? [], sim.callNames) || 'never'}; asked again after commit ${one.nth}: ${results.join(', ')}`;
  });
}

describe.each([undefined, 1])(
  'units that are just being let go of are there for a request (events a turn: %s)',
  (turnEvents) => {
    const calm = startTwice({ nth: 0, turnEvents });

    test('in whichever turn it comes', () => {
      expect(calm.results).toEqual(['done']);
      expect(calm.commits).toBeGreaterThan(5);
      const all = Array.from({ length: calm.commits }, (_, n) => ({ nth: n + 1, turnEvents }));
      expect(faults(all)).toEqual([]);
    });

    test('also where core has died shortly before', () => {
      const points = singles(calm.sim).filter(({ when }, at) => when !== 'torn' && at % CRASHES_STEP === 0);
      const all = points.flatMap((point) => [1, 2, 3, 4, 5].map((nth) => ({ nth, turnEvents, crashes: [point] })));
      expect(all.length).toBeGreaterThan(0);
      expect(faults(all)).toEqual([]);
    });

    test('also where one that needs them is only asked about in between, and started later', () => {
      const wrong = Array.from({ length: calm.commits }, (_, n) => n + 1).flatMap((nth) => {
        let commits = 0;
        const state = new Watched();
        const sim = createSim({ ...simOptions({ units, programs }), state });
        const send = (method: string, unit: string) =>
          sim
            .client()
            .send(
              JSON.stringify({ method: `io.sysmaster.Jobs.${method}`, parameters: { verb: 'start', units: [unit] } }),
            );
        sim.boot((host) => void bootCore(host, turnEvents === undefined ? {} : { turnEvents }));
        sim.run(10);
        send('Request', 'tick-2.service');
        state.onCommit = () => {
          commits += 1;
          if (commits === nth) send('Plan', 'other.service');
        };
        sim.run(300);
        const before = sim.started.length;
        send('Request', 'other.service');
        sim.run(300);
        const after = sim.started.slice(before).map(({ path }) => path);
        return after.join(' ') === '/bin/true /bin/true /bin/true /bin/other'
          ? []
          : [`commit ${nth}: ${after.join(' ')}`];
      });
      expect(wrong).toEqual([]);
    });
  },
);
