/**
 * One machine for a measurement: some init as PID 1 of fresh namespaces, in the Debian root that the tests use (or, without
 * that, the machine's own), always the same way, so that all of them pay the same.
 *
 * The time is taken by the shell that becomes PID 1, right before it does. All of it is killed when the measurement is over.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { childrenOf, monotonicUs, pause } from './measure.ts';

export const project = join(import.meta.dirname, '../..');
/** Where the project is bound inside. */
export const inside = '/run/first-boot/project';
export const MARKER = '/run/marker';

export interface Recipe {
  readonly root: string;
  /** The init and its arguments. */
  readonly argv: readonly string[];
  /**
   * Files below /run (or, in the Debian root, anywhere): path → text. A text `-> TARGET` is a link,
   * `<- FILE` a copy of a file here.
   */
  readonly files: Readonly<Record<string, string>>;
  /** `from:to`, bound read-only besides the project. */
  readonly binds?: readonly string[];
}

export interface Machine {
  /** Its PID 1, seen from here. */
  readonly pid: number;
  /** Its directories: `run` is its /run. */
  readonly state: string;
  /** When PID 1 was executed, in µs of CLOCK_MONOTONIC. */
  readonly execedUs: number;
  /** When the marker was written by the last thing to be started, likewise. */
  readonly markedUs: number;
  /** Run a command in all of its namespaces; its standard output. */
  run(...command: readonly string[]): string;
  end(): Promise<void>;
}

const BOOT_MS = 30_000;

/** Boot, and wait for the marker. @throws with the console if it does not come. */
export async function start({ root, argv, files, binds = [] }: Recipe, bootMs = BOOT_MS): Promise<Machine> {
  const state = mkdtempSync('/var/tmp/sysmaster-bench.');
  const all: Record<string, string> = {
    '/run/bench/init': `echo $EPOCHREALTIME >/run/bench/execed; exec ${argv.join(' ')}\n`,
    '/run/bench/mark': `echo $EPOCHREALTIME >${MARKER}\n`,
    '/run/first-boot/node': `-> ${inside}/.build/node`,
    '/run/first-boot/programs': `-> ${inside}/examples/first-boot/programs`,
    ...files,
  };
  for (const [path, text] of Object.entries(all)) {
    const file = join(state, path.startsWith('/run/') ? '' : 'upper', path);
    mkdirSync(dirname(file), { recursive: true });
    if (text.startsWith('-> ')) symlinkSync(text.slice(3), file);
    else if (text.startsWith('<- ')) copyFileSync(text.slice(3), file);
    else writeFileSync(file, text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
  }
  mkdirSync(join(state, 'run', inside.slice('/run/'.length)), { recursive: true });
  const output = openSync(join(state, 'console'), 'w');
  const outer = spawn(join(project, 'scripts/namespaces.sh'), [state, root, '/bin/bash', '/run/bench/init'], {
    stdio: ['ignore', output, output],
    detached: true,
    env: { PATH: process.env['PATH'], NS_BINDS: [`${project}:${inside}`, ...binds].join(' '), NS_HOSTNAME: 'bench' },
  });
  let over = false;
  outer.on('exit', () => {
    over = true;
  });
  const kill = () => outer.kill('SIGKILL');
  process.once('exit', kill);
  const end = async () => {
    kill();
    for (let tries = 0; !over && tries < 500; tries += 1) await pause(10);
    process.off('exit', kill);
    await removeGroups(state);
    rmSync(state, { recursive: true, force: true });
  };
  const read = (path: string) => readFileSync(join(state, path), 'utf8');
  const limit = performance.now() + bootMs;
  const marker = join(state, MARKER);
  while (!existsSync(marker) || read(MARKER) === '') {
    if (over || performance.now() > limit) {
      const said = read('console').slice(-4000);
      await end();
      throw new Error(`${argv.join(' ')}: ${over ? 'ended' : 'did not come up in time'}; console:\n${said}`);
    }
    await pause(5);
  }
  const [pid] = childrenOf(outer.pid!);
  const environment = [
    'env',
    '-i',
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'TERM=dumb',
    'LANG=C.UTF-8',
  ];
  return {
    pid: pid!,
    state,
    execedUs: monotonicUs(read('/run/bench/execed')),
    markedUs: monotonicUs(read(MARKER)),
    run(...command) {
      const done = spawnSync('nsenter', ['-t', String(pid), '-a', '--', ...environment, ...command], {
        encoding: 'utf8',
        timeout: 60_000,
      });
      if (done.status !== 0) throw new Error(`${command.join(' ')}: ${done.status} ${done.stderr}`);
      return done.stdout;
    },
    end,
  };
}

/** Times of a command inside, in µs, measured by the shell that calls it. */
export function times(machine: Machine, rounds: number, command: string, between = ':'): number[] {
  const loop = `for i in $(seq ${rounds}); do a=$EPOCHREALTIME; ${command} >/dev/null; b=$EPOCHREALTIME; echo $a $b; ${between} >/dev/null; done`;
  const lines = machine.run('bash', '-c', loop).trim().split('\n');
  return lines.map((line) => {
    const [a, b] = line.split(' ');
    return Math.round((Number(b) - Number(a)) * 1e6);
  });
}

/** The groups go once the dead have left them. */
async function removeGroups(state: string): Promise<void> {
  const file = join(state, 'group');
  const group = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  if (group === '') return;
  for (let tries = 0; tries < 100 && existsSync(group); tries += 1) {
    const found = spawnSync('find', [group, '-depth', '-type', 'd'], { encoding: 'utf8' });
    for (const directory of found.stdout.split('\n').filter(Boolean)) {
      try {
        rmdirSync(directory);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
      }
    }
    if (existsSync(group)) await pause(20);
  }
  if (existsSync(group)) process.stderr.write(`${group}: left behind\n`);
}
