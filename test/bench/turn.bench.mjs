// With --json as the last argument the answer is one object. How many events a second the actor host takes, with one commit a turn: `node test/bench/turn.bench.mjs [ACTORS] [EVENTS]`.
// The world is the simulator's, so what is measured is the host, the machine and the text of the journal; no disk.
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
let bytes = 0;
const count = () => {
  ran += 1;
};
/** Pauses for an image: its text, and writing it to a file, in ms. */
const pauses = [];
const file = join(tmpdir(), `sysmaster-bench-image.${process.pid}`);
const COMPACTION = 4;
/** Tells when an image is begun, and writes it to a disk as well. */
function watched(host) {
  let began = 0;
  const mark = host.init.mark.bind(host.init);
  const replace = host.state.replace.bind(host.state);
  host.init.mark = (seq, phase, actor) => {
    if (phase === COMPACTION) began = performance.now();
    mark(seq, phase, actor);
  };
  const append = host.state.append.bind(host.state);
  host.state.append = (record) => {
    bytes += record.length;
    append(record);
  };
  host.state.replace = (image) => {
    writeFileSync(file, image);
    pauses.push(performance.now() - began);
    replace(image);
  };
  return host;
}
sim.boot((host) => {
  core = new ActorHost({
    host: watched(host),
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
    compactBytes: 8 * 1024 * 1024,
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
rmSync(file, { force: true });
// The first image is that of the start.
const longestMs = Math.max(0, ...pauses.slice(1));
if (process.argv.includes('--json')) {
  console.log(JSON.stringify({ usPerEvent: (seconds * 1e6) / events, bytesPerEvent: bytes / events, longestMs }));
  process.exit(0);
}
console.log(
  `${events} events, ${ran} effects, ${actors} actors: ${Math.round(events / seconds)} events/s of processor time`,
);
console.log(`${Math.round(bytes / Math.max(1, events))} bytes of journal an event`);
console.log(`${pauses.length - 1} images, the longest pause ${longestMs.toFixed(1)} ms`);
const before = performance.now();
sim.killCore();
sim.run(10);
console.log(`restored ${core.list('').length} actors in ${Math.round(performance.now() - before)} ms`);
