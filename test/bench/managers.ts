/**
 * What becomes of services when the process that looks after them is killed: ours, and the peers that Debian or npm have.
 *
 * Each runs the same ten services in fresh namespaces: seven that only sleep, and three that are killed in the same moment as the
 * manager, so that their exits fall into the time without one. Those that do not run as process 1 by themselves are started by a shell
 * that starts them again at once whenever they end, as a service manager above them would.
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { cache, vmMissing } from '../vm/image.ts';
import { frozen } from './frozen.ts';
import { inside, type Machine, type Recipe, start } from './machine.ts';
import { monotonicUs, pause } from './measure.ts';
import type { Peer } from './peers.ts';
import { RISEN, sleepers } from './sets.ts';

/** Services that only sleep, and those that are killed with the manager. */
const STEADY = 7;
const KILLED = 3;
const NAMES = Array.from({ length: STEADY + KILLED }, (_, n) => `s${n}`);
/** So long is waited for exits to be seen to. */
const PATIENCE_MS = 15_000;
/** Until what a new manager starts has been started. */
const SETTLE_MS = 3_000;

/** What was found of one manager. */
export interface Verdict {
  readonly name: string;
  /** What was killed, and how. */
  readonly killed: string;
  /** Of {@link STEADY} that nobody has killed. */
  readonly alive: number;
  /** Services that then ran twice. */
  readonly doubled: number;
  /** Of {@link KILLED} exits, those that were seen to: the service runs again. */
  readonly seen: number;
  /** From the kill to the last of them, in ms; undefined: not all were. */
  readonly tookMs: number | undefined;
}

interface Contestant {
  readonly name: string;
  readonly killed: string;
  readonly recipe: Recipe;
  readonly signal: NodeJS.Signals;
  /** Is it what is to be killed? By its command line, words separated by spaces. */
  victim(command: string, pid: number): boolean;
}

const isKilled = (n: number) => n < KILLED;
const program = (n: number) => (isKilled(n) ? `. /run/bench/rise${n}` : `exec sleep ${5000 + n}`);
/** Of the killed services: writes the time, and sleeps under a number of its own. */
const rising = Object.fromEntries(
  NAMES.slice(0, KILLED).map((_, n) => [
    `/run/bench/rise${n}`,
    `echo $EPOCHREALTIME >>${RISEN}; exec sleep ${5000 + n}\n`,
  ]),
);
/** Starts it again whenever it ends; marks that all is up once each of the killed ones has risen. */
const loop = (command: string) => `
( until [ -s ${RISEN} ] && [ "$(wc -l <${RISEN})" -ge ${KILLED} ]; do sleep 0.1; done; sleep 1; . /run/bench/mark ) &
while :; do ${command}; done
`;
const under = (root: string, command: string, files: Record<string, string>): Recipe => ({
  root,
  argv: ['/bin/bash', '/run/bench/loop'],
  files: { ...rising, ...files, '/run/bench/loop': loop(command) },
});

/** Packages of the peers and what they need, unpacked over the tests' Debian root: to be used in front of it. */
function packages(root: string): string {
  const tree = join(cache, 'managers');
  if (existsSync(tree)) return `${tree}:${root}`;
  const work = mkdtempSync('/var/tmp/sysmaster-managers.');
  const run = (command: string, ...args: string[]): string => {
    const done = spawnSync(command, args, { cwd: work, encoding: 'utf8', maxBuffer: 64 << 20 });
    if (done.status !== 0) throw new Error(`${command} ${args[0]}: ${done.status} ${done.stderr}`);
    return done.stdout;
  };
  try {
    const status = ['-o', `Dir::State::status=${root}/var/lib/dpkg/status`, '-o', 'Debug::NoLocking=1'];
    const uris = run(
      'apt-get',
      'install',
      '--print-uris',
      '-y',
      '--no-install-recommends',
      ...status,
      's6',
      'runit',
      'supervisor',
    );
    const names = uris.split('\n').flatMap((line) => /^'[^']*' ([^_ ]+)_/.exec(line)?.[1] ?? []);
    run('chmod', '777', work);
    run('apt-get', 'download', '-q', ...names);
    for (const file of readdirSync(work).filter((name) => name.endsWith('.deb'))) run('dpkg-deb', '-x', file, 'tree');
    // The root has these as links into /usr; directories in front of it would hide them.
    for (const name of ['bin', 'sbin', 'lib']) {
      const from = join(work, 'tree', name);
      if (!existsSync(from)) continue;
      cpSync(from, join(work, 'tree/usr', name), { recursive: true, verbatimSymlinks: true });
      rmSync(from, { recursive: true });
    }
    mkdirSync(cache, { recursive: true });
    cpSync(join(work, 'tree'), `${tree}.new`, { recursive: true, verbatimSymlinks: true });
    renameSync(`${tree}.new`, tree);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return `${tree}:${root}`;
}

/** pm2, installed below the cache; it is asked for by the measurement alone. */
function pm2(): string {
  const tree = join(cache, 'pm2');
  if (!existsSync(join(tree, 'node_modules/pm2'))) {
    mkdirSync(tree, { recursive: true });
    const args = ['install', '--prefix', tree, '--no-audit', '--no-fund', '--ignore-scripts', 'pm2@6'];
    const done = spawnSync('npm', args, { cwd: tree, encoding: 'utf8' });
    if (done.status !== 0) throw new Error(`pm2: npm install: ${done.stderr.trim().split('\n').at(-1)}`);
  }
  return tree;
}

const scripts = (directory: string, run: string): Record<string, string> =>
  Object.fromEntries(NAMES.map((name, n) => [`${directory}/${name}/${run}`, `#!/bin/bash\n${program(n)}\n`]));

/** Killed are those whose command begins so. */
const beneath = (name: string, whom: string, begins: string, recipe: Contestant['recipe']): Contestant => ({
  ...{ name, killed: `${whom}, SIGKILL`, signal: 'SIGKILL', recipe },
  victim: (command) => command.startsWith(begins),
});

function contestants(root: string, units: readonly Peer[]): Contestant[] {
  const [ours, systemd] = units as [Peer, Peer];
  const services = Object.fromEntries(
    Object.entries(sleepers(0)).concat(
      NAMES.flatMap((name, n) => [
        [
          `/run/bench/units/${name}.service`,
          `[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/bash -c '${program(n)}'\nRestart=always\nRestartSec=0\n`,
        ],
        [`/run/bench/units/multi-user.target.wants/${name}.service`, `-> ../${name}.service`],
      ]),
    ),
  );
  const files = { ...services, ...rising };
  const both = packages(root);
  const s6 = under(both, 's6-svscan /run/s6', scripts('/run/s6', 'run'));
  const runit = under(both, 'runsvdir /run/sv', scripts('/run/sv', 'run'));
  const config = `[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=/run/supervisord.pid\n${NAMES.map((name, n) => `[program:${name}]\ncommand=/bin/bash -c '${program(n)}'\nautorestart=true\nstartsecs=0\n`).join('')}`;
  const apps = NAMES.map((name, n) => ({ name, script: '/bin/bash', args: ['-c', program(n)], interpreter: 'none' }));
  const node = `${inside}/.build/node`;
  const daemon = 'HOME=/run/pm2 PATH=/run/bench/bin:$PATH';
  const bin = '/run/pm2-modules/node_modules/pm2/bin/pm2';
  return [
    {
      name: 'sysMaster',
      killed: 'core, SIGKILL',
      signal: 'SIGKILL',
      recipe: ours.units!(files),
      victim: (command) => command.includes('core.cjs'),
    },
    {
      name: 'sysMaster',
      killed: 'init (PID 1), SIGSEGV',
      signal: 'SIGSEGV',
      recipe: ours.units!(files),
      victim: (_, pid) => pid === 1,
    },
    {
      name: 'systemd',
      killed: 'PID 1, SIGSEGV',
      signal: 'SIGSEGV',
      recipe: systemd.units!(files),
      victim: (_, pid) => pid === 1,
    },
    beneath('s6', 's6-svscan', 's6-svscan', s6),
    beneath('s6', 'all s6-supervise', 's6-supervise', s6),
    beneath('runit', 'runsvdir', 'runsvdir', runit),
    beneath('runit', 'all runsv', 'runsv ', runit),
    {
      name: 'supervisord',
      killed: 'supervisord, SIGKILL',
      signal: 'SIGKILL',
      recipe: under(both, '/usr/bin/supervisord -c /run/supervisord.conf', { '/run/supervisord.conf': config }),
      victim: (command) => command.includes('/usr/bin/supervisord'),
    },
    {
      name: 'pm2',
      killed: 'its daemon, SIGKILL',
      signal: 'SIGKILL',
      recipe: {
        ...under(
          root,
          `[ -e /run/pm2/saved ] && ${daemon} ${bin} resurrect || { ${daemon} ${bin} start /run/apps.json && ${daemon} ${bin} save && touch /run/pm2/saved; }; while pgrep -f 'God Daemon' >/dev/null; do sleep 0.1; done`,
          {
            '/run/apps.json': JSON.stringify({ apps }),
            '/run/bench/bin/node': `-> ${node}`,
          },
        ),
        binds: [`${pm2()}:/run/pm2-modules`],
      },
      victim: (command) => command.startsWith('PM2') && command.includes('God Daemon'),
    },
  ];
}

interface Process {
  /** Seen from here, and in its own namespace. */
  readonly pid: number;
  readonly inner: number;
  readonly command: string;
}

/** Every process of a machine. */
function processesOf(machine: Machine): Process[] {
  let space: string;
  try {
    space = readlinkSync(`/proc/${machine.pid}/ns/pid`);
  } catch {
    return []; // process 1 has ended, and everybody with it
  }
  return readdirSync('/proc').flatMap((entry): Process[] => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      if (readlinkSync(`/proc/${entry}/ns/pid`) !== space) return [];
      const inner = /^NSpid:.*\t(\d+)$/m.exec(readFileSync(`/proc/${entry}/status`, 'utf8'))?.[1];
      const command = readFileSync(`/proc/${entry}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return command === '' ? [] : [{ pid: Number(entry), inner: Number(inner), command }];
    } catch {
      return []; // it has ended meanwhile
    }
  });
}

const numberOf = ({ command }: Process) => Number(/^(?:\/bin\/)?sleep (50\d\d) $/.exec(command)?.[1] ?? 0) - 5000;

/** One that ends with the one before it is no error. */
function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function judge({ name, killed, recipe, signal, victim }: Contestant): Promise<Verdict> {
  const machine = await start(recipe, 60_000);
  try {
    await pause(SETTLE_MS);
    const before = processesOf(machine);
    const services = before.filter((one) => numberOf(one) >= 0);
    if (services.length !== NAMES.length)
      throw new Error(`${name}: ${services.length} of ${NAMES.length} services run`);
    const managers = before.filter(({ command, inner }) => victim(command, inner));
    if (managers.length === 0)
      throw new Error(`${name}: nothing to kill: ${before.map(({ command }) => command).join(', ')}`);
    const lines = () => readFileSync(join(machine.state, RISEN), 'utf8').split('\n').filter(Boolean);
    const already = lines().length;
    const killedUs = Number(process.hrtime.bigint() / 1000n);
    for (const { pid } of managers) kill(pid, signal);
    for (const one of services) if (isKilled(numberOf(one))) kill(one.pid, 'SIGKILL');
    const end = performance.now() + PATIENCE_MS;
    while (lines().length < already + KILLED && performance.now() < end) await pause(20);
    await pause(SETTLE_MS);
    const after = processesOf(machine).filter((one) => numberOf(one) >= 0);
    const running = (n: number) => after.filter((one) => numberOf(one) === n);
    const risen = lines()
      .slice(already)
      .map(monotonicUs)
      .sort((a, b) => a - b);
    const seen = NAMES.filter((_, n) => isKilled(n) && running(n).length > 0).length;
    const last = risen[KILLED - 1];
    return {
      name,
      killed,
      alive: services.filter((one) => !isKilled(numberOf(one)) && after.some(({ pid }) => pid === one.pid)).length,
      doubled: NAMES.filter((_, n) => running(n).length > 1).length,
      seen,
      tookMs: seen === KILLED && last !== undefined ? (last - killedUs) / 1000 : undefined,
    };
  } finally {
    await machine.end();
  }
}

/** All of them, one after the other; `failed` says which could not be measured, and why. */
export async function managers(
  root: string,
  peers: readonly Peer[],
  say: (text: string) => void,
  only = '',
): Promise<{ verdicts: Verdict[]; failed: string[] }> {
  const verdicts: Verdict[] = [];
  const failed = ['dinit: Debian 12 has no package of it'];
  for (const one of contestants(root, peers).filter(({ name }) => name.includes(only))) {
    say(`killing ${one.killed} of ${one.name} …`);
    try {
      verdicts.push(await judge(one));
    } catch (error) {
      failed.push(
        `${one.name}, ${one.killed}: ${(error as Error).message
          .split('\n')
          .filter((line) => /\w\w/.test(line))
          .slice(-6)
          .join(' ')}`,
      );
    }
  }
  const why = vmMissing();
  if (why !== undefined) failed.push(`systemd, PID 1 of a machine: ${why}`);
  else if ('systemd'.includes(only)) {
    say('killing PID 1 of a machine of systemd …');
    try {
      const at = verdicts.findLastIndex(({ name }) => name === 'systemd') + 1;
      verdicts.splice(at, 0, await frozen(root));
    } catch (error) {
      failed.push(`systemd, PID 1 of a machine: ${(error as Error).message.split('\n', 1)[0]}`);
    }
  }
  return { verdicts, failed };
}

/** As rows of a table. */
export const managerTable = (verdicts: readonly Verdict[]): string[] => [
  `| | killed | services alive, of ${STEADY} | started twice | exits seen to, of ${KILLED} | until the last of them |`,
  '|---|---|---|---|---|---|',
  ...verdicts.map(
    ({ name, killed, alive, doubled, seen, tookMs }) =>
      `| ${name} | ${killed} | ${alive} | ${doubled} | ${seen} | ${tookMs === undefined ? 'never' : `${tookMs.toFixed(0)} ms`} |`,
  ),
];
