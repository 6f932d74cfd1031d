// One way in: `npm start`, `npm test` and the rest. Looks for what is needed, installs and builds what is missing, then runs.
// No dependencies, any Node from 18 on: this file must run before anything is installed.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuilt } from './build.mjs';
import { ensureInstalled, missingTools, root } from './setup.mjs';
import { ensureTestNeeds } from './test-needs.mjs';

const [task = 'help', ...args] = process.argv.slice(2);

/** Whether a failing program ends this process; else it is noted in `failed`. */
let keepGoing = false;
const failed = [];

/** Run a program in the project's root with the pinned Node first in PATH; ends this process if it fails, unless told to keep going. */
function run(program, programArgs, env = {}) {
  const path = `${join(root, 'node_modules/.bin')}:${process.env.PATH}`;
  const done = spawnSync(program, programArgs, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PATH: path, ...env },
  });
  if (done.error) {
    console.error(`${program}: cannot be run: ${done.error.message}`);
    process.exit(1);
  }
  if (done.status === 0) return;
  if (!keepGoing) process.exit(done.status ?? 1);
  failed.push([program, ...programArgs].join(' '));
}

/** As {@link run}, but hands the terminal over and ends with the program's own status. */
const become = (program, programArgs, env) => {
  // A signal of the terminal is the program's business: this process stays until it has ended in order.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});
  run(program, programArgs, env);
  process.exit(0);
};

const node = 'node';

/** Where the system of `npm start` listens, for `npm run sctl`; nothing: the machine's own manager. */
function whereItRuns() {
  const file = join(root, '.build/running.json');
  if (!existsSync(file)) return {};
  const { socket, logs } = JSON.parse(readFileSync(file, 'utf8'));
  return { SYSMASTER_SOCKET: socket, SYSMASTER_LOGS: logs };
}

const steps = {
  check() {
    run('tsc', ['-p', '.']);
    run('biome', ['ci', '--error-on-warnings', '.']);
    run(node, [
      'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs',
      '--config',
      '.dependency-cruiser.cjs',
      'src',
    ]);
    run('cargo', ['fmt', '--all', '--check']);
    run('cargo', ['clippy', '--workspace', '--all-targets', '--quiet', '--', '-D', 'warnings']);
  },
  cargo() {
    run('cargo', ['test', '--workspace', '--quiet', '--no-fail-fast']);
  },
  unit() {
    run('vitest', ['run', ...args]);
  },
  vm() {
    run('vitest', ['run', '--config', 'test/vm/vitest.config.ts']);
  },
};

const tasks = {
  start: () => become(node, ['scripts/start.mjs', ...args]),
  sctl: () => become(node, [join(root, '.build/sctl.mjs'), ...args], whereItRuns()),
  build: () => {},
  check: () => steps.check(),
  test: () => {
    if (args.length > 0) return steps.unit();
    ensureTestNeeds();
    // All of them, whatever becomes of one: who reads the outcome wants to know of every fault.
    keepGoing = true;
    for (const step of ['check', 'cargo', 'unit', 'vm']) steps[step]();
    if (failed.length > 0) {
      console.error(`npm test: failed: ${failed.join('; ')}`);
      process.exit(1);
    }
  },
  'test:vm': () => steps.vm(),
  bench: () => become(node, ['test/bench/main.ts', ...args]),
  // All that `npm test` takes a sample of. Arguments: the first seed, and how many.
  simulate: () =>
    run('vitest', ['run', 'test/simulation', 'test/conformance/jobs-peer.test.ts'], {
      SIMULATE: 'all',
      SIMULATE_SEEDS: `${args[0] ?? 1} ${args[1] ?? 3000}`,
    }),
  // Core crashed at every call of whole lives, on every processor; see test/simulation/main.ts for the parameters.
  'test:crash': () => become(node, ['test/simulation/main.ts', ...args]),
  // Core and init die for real, among many services and under load. Arguments: deaths of core, services, re-execs of init, ends, children of init.
  'test:deaths': () => {
    const [deaths = '300', services = '200', reexecs = '1000', shutdowns = '10', children = '10000'] = args;
    const files = ['core-death', 'init-reexec', 'link-garbage', 'pid-reuse', 'shutdown'];
    // The programs that are shipped: as fast as they are.
    run('cargo', ['test', '--release', '-p', 'sysmaster-init', '--test', 'crowd', '--', '--nocapture'], {
      SYSMASTER_CHILDREN: children,
    });
    run(
      'vitest',
      [
        'run',
        '--maxWorkers=1',
        '--reporter=verbose',
        ...files.map((name) => `test/integration/faults/${name}.test.ts`),
      ],
      {
        SYSMASTER_DEATHS: deaths,
        SYSMASTER_SERVICES: services,
        SYSMASTER_REEXECS: reexecs,
        SYSMASTER_GARBAGE: reexecs,
        SYSMASTER_REUSES: deaths,
        SYSMASTER_SHUTDOWNS: shutdowns,
      },
    );
  },
  // The real core aborted at every call that changes the world, in one life after another. Arguments: which sweep, its first
  // point, its last, and how many systems at a time; see test/integration/abort/abort.test.ts.
  'test:abort': () => run('vitest', ['run', 'test/integration/abort'], { SYSMASTER_ABORT: args.join(' ') || 'all' }),
  // Init made to fault at every boundary between two operations of a whole life. Arguments: as docs/reference/crash-simulation.md has them.
  'test:faults': () => {
    for (const faults of args.length > 0 ? [args.join(' ')] : ['all', 'pairs 500 1'])
      run('cargo', ['test', '-p', 'sysmaster-init', '--test', 'faults', '--', '--nocapture'], {
        SYSMASTER_FAULTS: faults,
      });
  },
  fuzz() {
    // FUZZ_INPUTS and FUZZ_SEED are passed on: how many inputs for the unit-file language, and which.
    run(node, ['--expose-gc', 'test/fuzz/main.ts']);
    run('cargo', ['test', '--release', '-p', 'sysmaster-init', '--test', 'fuzz_frames'], { FUZZ_FRAMES: '10000000' });
  },
};

if (!Object.hasOwn(tasks, task)) {
  console.error(`run: ${task}: no such task; use one of ${Object.keys(tasks).join(', ')}`);
  process.exit(2);
}
const missing = missingTools();
if (missing.length > 0) {
  for (const line of missing) console.error(line);
  process.exit(1);
}
ensureInstalled();
if (task !== 'sctl' || !existsSync(join(root, '.build/init'))) ensureBuilt();
tasks[task]();
