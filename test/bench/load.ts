/**
 * What loading and planning cost by themselves, in a process of their own so that "cold" is cold: no core, no init.
 *
 *   node load.ts DIRECTORY UNITS [CACHE]     prints one JSON object, {@link LoadTimes}; CACHE is used, and made if missing
 *
 * DIRECTORY is filled with UNITS unit files, unless it is there: `many.target` wants them all, and each but the first comes
 * after another one.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRegistry } from '../../src/actors/registry.ts';
import { PlainFiles } from '../../src/host/node/plain-files.ts';
import type { FilePort, MachineFacts } from '../../src/host/ports.ts';
import { isRefusal, NO_JOBS, plan } from '../../src/jobs/plan.ts';
import { plainPaths } from '../../src/units/load-path.ts';

/** In ms. */
export interface LoadTimes {
  /** Read, merged and linked. */
  readonly load: number;
  /** Again, with nothing changed. */
  readonly reload: number;
  /** `start many.target` planned: the first time, then the median of five. */
  readonly firstPlan: number;
  readonly plan: number;
}

const [directory, count] = [process.argv[2] as string, Number(process.argv[3])];
const cacheFile = process.argv[4] === undefined ? {} : { cacheFile: { path: process.argv[4], version: 'bench' } };

function unitText(number: number): string {
  return `[Unit]
Description=Number ${number} of many
Documentation=man:true(1)
After=many${number >> 1}.service
Before=many.target

[Service]
Type=oneshot
RemainAfterExit=yes
Environment=NUMBER=${number}
ExecStart=/bin/true --number \${NUMBER} %n
TimeoutStartSec=30s
Nice=3

[Install]
WantedBy=multi-user.target
`;
}

if (!existsSync(directory)) {
  mkdirSync(directory, { recursive: true });
  const put = (name: string, text: string) => writeFileSync(join(directory, name), text);
  for (const name of ['sysinit', 'basic', 'shutdown']) put(`${name}.target`, '[Unit]\nDefaultDependencies=no\n');
  const names = Array.from({ length: count }, (_, number) => `many${number}.service`);
  put('many.target', `[Unit]\nWants=${names.join(' ')}\n`);
  for (const [number, name] of names.entries()) put(name, unitText(number));
  process.exit(0);
}

const facts: MachineFacts = {
  bootId: '',
  machineId: '',
  hostname: 'bench',
  kernelRelease: '',
  architecture: 'x64',
  virtualization: 'none',
  kernelCommandLine: '',
  privileged: true,
  runDirectory: '/run/sysmaster',
  environment: {},
};
const ms = () => performance.now();
const times = new Map<string, number[]>();
function time<T>(what: string, run: () => T): T {
  const began = ms();
  const done = run();
  times.set(what, [...(times.get(what) ?? []), ms() - began]);
  return done;
}

const clock = { realMs: () => Date.now(), bootMs: () => Number(process.hrtime.bigint()) / 1e6 };
const files: FilePort = Object.assign(new PlainFiles(), { watch() {}, unwatch() {} });
const registry = createRegistry({ files, facts, paths: plainPaths([directory]), clock, ...cacheFile });
const units = time('load', () => registry.load(['many.target'])).map(({ name }) => name);
registry.loader.keep();
if (units.length < count) throw new Error(`${units.length} units`);
for (let round = 0; round < 3; round += 1) time('reload', () => registry.reload(units));
const world = { graph: registry.jobGraph, states: { active: () => 'inactive' as const }, installed: NO_JOBS };
for (let round = 0; round < 6; round += 1) {
  const what = round === 0 ? 'firstPlan' : 'plan';
  const made = time(what, () =>
    plan(world, { verb: 'start', units: ['many.target'], mode: 'replace', by: 'bench', automatic: false }),
  );
  if (isRefusal(made)) throw new Error(made.refused);
}
const median = (what: string) => [...(times.get(what) as number[])].sort((a, b) => a - b)[times.get(what)!.length >> 1];
console.log(JSON.stringify(Object.fromEntries([...times.keys()].map((what) => [what, median(what)]))));
