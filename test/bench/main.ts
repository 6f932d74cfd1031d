/**
 * npm run bench [-- --write] [--rounds N]: what the system costs, beside its peers, in one run on one machine. With --deaths only what
 * happens when core or another manager dies, for all numbers of services or those of --sizes 10,100; with --beside DIR,DIR as well these
 * builds are compared in that.
 *
 * Prints the tables; with --write they become docs/BENCHMARKS.md. Nothing in here is a test: figures depend on the machine.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { besideEachOther } from './beside.ts';
import { deathSection, keptSection, writeSection } from './deaths.ts';
import { type Machine, project, start, times } from './machine.ts';
import { type Figure, figure, median, memory, monotonicUs, pause } from './measure.ts';
import { callTimes, type Peer, peers } from './peers.ts';
import { SERVICES } from './recovery.ts';
import { type Aim, type Row, report } from './report.ts';
import { FILES, loading, RELOADED, rowNames, SIZES, targets } from './scale.ts';
import { example, MANY, many, thirty } from './sets.ts';

const args = process.argv.slice(2);
const at = args.indexOf('--rounds');
const rounds = at < 0 ? 5 : Number(args[at + 1]);
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error(`npm run bench: ${args[at + 1]}: not a number of rounds`);
  process.exit(2);
}
const lib = join(project, '.build');
const only = args.includes('--deaths');
const sizes = args[args.indexOf('--sizes') + 1];
/** The column of Node by itself. */
const NODE = `Node ${process.versions.node.split('.')[0]} itself`;
const ms = (us: number): number => us / 1000;
const say = (text: string) => process.stderr.write(`${text}\n`);

const { there, missing } = peers(thirty());
const [our, ...others] = there as [Peer, ...Peer[]];
const rows: Row[] = [];
const add = (what: string, name: string, value: Figure) => {
  let row = rows.find((one) => one.what === what);
  if (row === undefined) {
    row = { what, by: new Map() };
    rows.push(row);
  }
  row.by.set(name, value);
};

/** One property of a unit, as a number of µs. */
const stamp = (machine: Machine, peer: Peer, unit: string, property: string): number =>
  Number(machine.run('bash', '-c', `${peer.client} show ${unit} --property=${property} --value`).trim());

const samplesOf = (what: string, name: string): readonly number[] =>
  rows.find((row) => row.what === what)?.by.get(name)?.samples ?? [];
const INIT = 'memory idle, PID 1';
const CORE = 'memory idle, core beside bare Node';
const ANONYMOUS = 'of that, anonymous';

if (only) {
  const wanted = args.includes('--sizes') && sizes !== undefined ? sizes.split(',').map(Number) : undefined;
  const beside = args.includes('--beside') ? args[args.indexOf('--beside') + 1] : undefined;
  if (beside !== undefined) {
    console.log(await besideEachOther(beside.split(','), wanted ?? SERVICES, rounds));
    process.exit(0);
  }
  const section = await deathSection(our, there, rounds, wanted);
  console.log(section);
  if (args.includes('--write')) writeSection(section);
  process.exit(0);
}

const toFirst: number[] = [];
/** From core's exec to the first process of a unit, in ms. */
function firstSpawn(machine: Machine): number {
  const began = monotonicUs(readFileSync(join(machine.state, 'run/bench/core-execed'), 'utf8'));
  const stamps = machine
    .run('bash', '-c', `${our.client} show '*' --property=ExecMainStartTimestampMonotonic --value`)
    .split('\n')
    .map(Number)
    .filter((us) => us > 0);
  return ms(Math.min(...stamps) - began);
}

/** The example, booted by all that read unit files. */
async function bootExample(): Promise<void> {
  const samples = new Map<string, number[]>();
  for (let round = 0; round < rounds; round += 1) {
    for (const peer of there.filter((one) => one.units !== undefined)) {
      const machine = await start(peer.units!(example()));
      try {
        const took = stamp(machine, peer, 'multi-user.target', 'ActiveEnterTimestampMonotonic') - machine.execedUs;
        samples.set(peer.name, [...(samples.get(peer.name) ?? []), ms(took)]);
        if (peer === our) toFirst.push(firstSpawn(machine));
      } finally {
        await machine.end();
      }
    }
  }
  for (const [name, list] of samples)
    add('examples/first-boot: exec of init to multi-user.target', name, figure('ms', list));
  add('exec of core to its first unit spawned', our.name, figure('ms', toFirst));
}

/** Thirty small services: how long until the last runs, what the manager then takes, how fast it answers. */
async function bootThirty(): Promise<void> {
  const collect = (what: string, name: string, unit: Figure['unit'], sample: number) =>
    add(what, name, figure(unit, [...samplesOf(what, name), sample]));
  for (let round = 0; round < rounds; round += 1) {
    for (const peer of there) {
      const machine = await start(peer.thirty);
      let bare: ChildProcess | undefined;
      try {
        collect(
          'thirty services: exec of init to the last one',
          peer.name,
          'ms',
          ms(machine.markedUs - machine.execedUs),
        );
        await pause(1500);
        if (peer === our) bare = spawn(join(lib, 'node'), ['-e', 'setInterval(()=>{},1e9)'], { stdio: 'ignore' });
        await pause(500);
        const all = peer.processes(machine).map(memory);
        collect(INIT, peer.name, 'MB', all[0]!.pss);
        collect(
          'memory idle, the whole manager',
          peer.name,
          'MB',
          all.reduce((sum, one) => sum + one.pss, 0),
        );
        if (bare !== undefined) {
          collect(CORE, our.name, 'MB', all[1]!.pss);
          collect(ANONYMOUS, our.name, 'MB', all[1]!.anonymous);
          const plain = memory(bare.pid!);
          collect(CORE, NODE, 'MB', plain.pss);
          collect(ANONYMOUS, NODE, 'MB', plain.anonymous);
        }
        if (round > 0 || peer.isActive === undefined) continue;
        const asked = times(machine, 15, peer.isActive).map(ms);
        add('is-active (or sv status), one process', peer.name, figure('ms', asked.slice(3)));
        if (peer === our)
          add('is-active over an open connection', our.name, figure('µs', await callTimes(machine, 500)));
      } finally {
        bare?.kill('SIGKILL');
        await machine.end();
      }
    }
  }
}

/** 500 oneshots at one request, by all that read unit files. */
async function startMany(): Promise<void> {
  for (const peer of there.filter((one) => one.units !== undefined)) {
    const machine = await start(peer.units!(many()));
    try {
      const took = times(machine, rounds, `${peer.client} start many.target`, `${peer.client} stop many.target`);
      add(
        `${MANY} oneshots at one request`,
        peer.name,
        figure(
          '1/s',
          took.map((us) => MANY / (us / 1e6)),
        ),
      );
    } finally {
      await machine.end();
    }
  }
}

/** The spawn request to the program running: through init and exec, and by Node itself. */
function spawnTimes(): void {
  const run = mkdtempSync(join(tmpdir(), 'sysmaster-bench.'));
  try {
    const settings = [
      `RunDir=${run}`,
      `Exec=${lib}/exec`,
      'LogTarget=null',
      `CoreEnvironment=SYSMASTER_ADDON=${lib}/addon.node`,
    ];
    const words = ['--config', '/dev/null', ...settings.flatMap((one) => ['--set', one])];
    const core = ['--core', join(lib, 'node'), '--core-arg', join(import.meta.dirname, 'spawn-core.ts')];
    const done = spawnSync(join(lib, 'init'), [...words, ...core], { encoding: 'utf8', timeout: 60_000 });
    if (done.status !== 0) throw new Error(`init: ${done.status} ${done.stderr}`);
    const { forked, execed } = JSON.parse(readFileSync(join(run, 'samples'), 'utf8'));
    add('spawn request to a process (`forked`)', our.name, figure('µs', forked));
    add('spawn request to execve (`execed`)', our.name, figure('µs', execed));
  } finally {
    rmSync(run, { recursive: true, force: true });
  }
}

/** How long child_process.spawn of Node takes for the same: it returns when the program runs. */
async function nodeSpawnTimes(): Promise<void> {
  const samples: number[] = [];
  for (let round = 0; round < 330; round += 1) {
    const began = process.hrtime.bigint();
    const child = spawn('/bin/true', { stdio: 'ignore' });
    const took = Number(process.hrtime.bigint() - began) / 1000;
    if (round >= 30) samples.push(took);
    await new Promise((resolve) => child.once('exit', resolve));
  }
  add('spawn request to execve (`execed`)', NODE, figure('µs', samples));
}

const began = performance.now();
const tooLong: string[] = [];
for (const line of missing) say(`not measured: ${line}`);
say(`${rounds} rounds; ${there.map((one) => one.name).join(', ')}`);
for (const [what, step] of Object.entries({
  'the example': bootExample,
  'thirty services': bootThirty,
  [`${MANY} oneshots`]: startMany,
  spawning: spawnTimes,
  'spawning by Node': nodeSpawnTimes,
  'loading and planning': () => loading(join(lib, 'node'), our.name, add),
  [`${SIZES[0]} to ${SIZES.at(-1)} oneshots`]: async () => tooLong.push(...(await targets(there, our, add))),
})) {
  say(`measuring ${what} …`);
  await step();
}
const [fewFiles, allFiles] = FILES;
const aim = (what: string, limit: number, row: string): Aim => ({
  what,
  limit,
  value: figure('ms', samplesOf(row, our.name)),
});
const bareMB = median(samplesOf(CORE, NODE));
const aims: Aim[] = [
  { what: 'the first unit is spawned within 150 ms of core’s exec', limit: 150, value: figure('ms', toFirst) },
  { what: 'init takes less than 1 MB (PSS)', limit: 1, value: figure('MB', samplesOf(INIT, our.name)) },
  {
    what: `core idle takes at most what bare Node takes (here ${bareMB.toFixed(1)} MB) and 10 MB`,
    limit: bareMB + 10,
    value: figure('MB', samplesOf(CORE, our.name)),
  },
  aim(`${allFiles} unit files are read, merged and linked in less than 1 s, cold`, 1000, rowNames.load(allFiles)),
  aim(`… and in less than 150 ms where none has changed since`, 150, rowNames.reload(allFiles)),
  aim(`a start of ${allFiles} units is planned in less than 300 ms`, 300, rowNames.firstPlan(allFiles)),
  aim(`${fewFiles} unchanged unit files are read again in less than 50 ms`, 50, rowNames.reload(fewFiles)),
  aim(`a daemon-reload with ${RELOADED} unchanged units is answered in less than 50 ms`, 50, rowNames.reloadCall),
];
const text = report({
  rows,
  aims,
  ours: our.name,
  others: others.map((one) => one.name),
  missing: [...missing, ...tooLong],
  rounds,
  seconds: (performance.now() - began) / 1000,
  deaths: keptSection(),
});
console.log(text);
if (args.includes('--write')) writeFileSync(join(project, 'docs/BENCHMARKS.md'), text);
