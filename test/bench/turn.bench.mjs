// With --json as the last argument the answer is one object. How many events a second the actor host takes, with one commit a turn: `node test/bench/turn.bench.mjs [ACTORS] [EVENTS]`.
// The world is the simulator's, but the checkpoint is written to real files, in memory where there is such a directory.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assign, setup } from 'xstate';
import { NodeState } from '../../src/host/node/state.ts';
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
/** What turns take for images, in ms of processor time: making and writing some of their text, reserving some of their room. */
const pauses = [];
let images = 0;
const directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sysmaster-bench.'));
const state = new NodeState({ directory: join(directory, 'state'), bootId: '0', bytes: 8 * 1024 * 1024 });
const COMPACTION = 4;
/** Tells what turns do for images; the next mark is that of the end of the turn. */
function watched(host) {
  let began;
  let used;
  const mark = host.init.mark.bind(host.init);
  host.init.mark = (seq, phase, actor) => {
    if (began !== undefined) {
      const { user, system } = process.threadCpuUsage(used);
      pauses.push(Math.min(performance.now() - began, (user + system) / 1000));
    }
    began = phase === COMPACTION ? performance.now() : undefined;
    used = process.threadCpuUsage();
    mark(seq, phase, actor);
  };
  const append = state.append.bind(state);
  state.append = (record) => {
    bytes += record.length;
    append(record);
  };
  const finish = state.finish.bind(state);
  state.finish = () => {
    images += 1;
    finish();
  };
  return { ...host, state };
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
// The first image is that of the start.
const longestMs = Math.max(0, ...pauses.slice(1));
if (process.argv.includes('--json')) {
  rmSync(directory, { recursive: true });
  console.log(JSON.stringify({ usPerEvent: (seconds * 1e6) / events, bytesPerEvent: bytes / events, longestMs }));
  process.exit(0);
}
console.log(
  `${events} events, ${ran} effects, ${actors} actors: ${Math.round(events / seconds)} events/s of processor time`,
);
console.log(`${Math.round(bytes / Math.max(1, events))} bytes of journal an event`);
console.log(`${images} images in ${pauses.length} steps, the longest ${longestMs.toFixed(1)} ms of processor time`);
const before = performance.now();
sim.killCore();
sim.run(10);
console.log(`restored ${core.list('').length} actors in ${Math.round(performance.now() - before)} ms`);
rmSync(directory, { recursive: true });
