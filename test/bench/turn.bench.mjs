// How many events a second the actor host takes, with one commit a turn: `node test/bench/turn.bench.mjs [ACTORS] [EVENTS]`.
// The world is the simulator's, so what is measured is the host, the machine and the text of the journal; no disk.
import { assign, setup } from 'xstate';
import { createSim } from '../../src/host/sim/index.ts';
import { ActorHost, machineLogic } from '../../src/supervisor/index.ts';

const actors = Number(process.argv[2] ?? 10_000);
const events = Number(process.argv[3] ?? 300_000);
const machine = setup({
  actions: { act: () => {}, armDeadline: () => {}, count: assign({ count: ({ context }) => context.count + 1 }) },
}).createMachine({
  id: 'small',
  context: { count: 0, name: 'x', pid: 0, result: 'success' },
  initial: 'off',
  states: {
    off: { on: { go: { target: 'on', actions: ['count', 'act'] } } },
    on: { entry: { type: 'armDeadline', params: { name: 'x', ms: 1e9 } }, on: { go: 'off' } },
  },
});
const sim = createSim();
let core;
let ran = 0;
const count = () => {
  ran += 1;
};
sim.boot((host) => {
  core = new ActorHost({
    host,
    kinds: {
      small: { logic: machineLogic(machine), effects: { act: { kind: 'idempotent', run: () => count() } } },
    },
    root: {
      id: 'core',
      strategy: 'one_for_one',
      intensity: 1,
      periodMs: 1,
      children: Array.from({ length: actors }, (_, n) => ({
        id: `unit:${n}.service`,
        kind: 'small',
        input: null,
        restart: 'permanent',
        shutdown: 'brutal',
      })),
    },
    beatEveryMs: Number.POSITIVE_INFINITY,
    compactBytes: 64 * 1024 * 1024,
    onEvent() {},
  });
  core.start();
});
sim.run(1);
const start = process.cpuUsage();
for (let n = 0; n < events; n += 1) {
  core.input({
    key: `record:${n + 1}`,
    events: [{ to: `unit:${(n * 7919) % actors}.service`, event: { type: 'go' } }],
  });
  if (n % 512 === 511) sim.run(1);
}
sim.run(1);
// Time on the processor, not on the wall: other work on the machine does not count.
const used = process.cpuUsage(start);
const seconds = (used.user + used.system) / 1e6;
const records = sim.state.records.reduce((sum, record) => sum + record.length, 0);
console.log(
  `${events} events, ${ran} effects, ${actors} actors: ${Math.round(events / seconds)} events/s of processor time`,
);
console.log(`${Math.round(records / Math.max(1, events))} bytes of journal an event since the last image`);
const before = performance.now();
sim.killCore();
sim.run(10);
console.log(`restored ${core.list('').length} actors in ${Math.round(performance.now() - before)} ms`);
