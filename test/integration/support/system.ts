/**
 * A whole system for a test: our init as PID 1 of fresh namespaces, over a root file system of its own or the machine's.
 *
 * Everything it starts dies with the test process; its control group and directories are removed by `stop`.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export const project = join(import.meta.dirname, '../../..');
/** What is tested: `.build`, or another directory with the same files. Not below /tmp, which a system covers with its own. */
export const lib = process.env['SYSMASTER_BUILD'] ?? join(project, '.build');

/** Why whole systems cannot be run here; undefined: they can. */
export function systemsMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root: namespaces with several uids and control groups need it';
  if (!existsSync(join(lib, 'core.cjs'))) return 'core is not built: run npm run build';
  const probe = spawnSync('unshare', ['--pid', '--mount', '--fork', '--cgroup', '--propagation', 'private', 'true'], {
    encoding: 'utf8',
  });
  if (probe.status !== 0) return `namespaces cannot be made here: ${probe.stderr?.trim() ?? probe.error?.message}`;
  return undefined;
}

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface System {
  /** The directory that is the system's /run. */
  readonly run: string;
  /** Pid of its PID 1, seen from here. */
  readonly pid: number;
  /** sctl from outside, over the system's socket. */
  sctl(...args: string[]): Ran;
  /** A command inside all of its namespaces. */
  inside(...command: string[]): Ran;
  /** As {@link inside}, but does not wait. */
  insideLater(...command: string[]): ChildProcess;
  /** The pid of core, seen from here; undefined: there is none now. */
  core(): number | undefined;
  /** What init and core have printed so far. */
  console(): string;
  /** What PID 1 has ended with; undefined: it has not. */
  ended(): number | undefined;
  /** Power off in order; true if PID 1 ended by itself in time. */
  stop(): Promise<boolean>;
}

export interface SystemOptions {
  /** A root file system (used under an overlay), or undefined for the machine's own. */
  readonly root?: string;
  /** Files to lay into the system before it boots: path → text. With `root` anywhere, otherwise below /run only. */
  readonly files?: Readonly<Record<string, string>>;
  /** Environment of core, such as SYSMASTER_UNIT_PATH. */
  readonly coreEnvironment?: Readonly<Record<string, string>>;
  /** Further lines of init.conf. */
  readonly initConf?: readonly string[];
  /** Directories to copy in first: from → to. */
  readonly copy?: Readonly<Record<string, string>>;
}

/** Poll a condition, up to a bound; the answer is the condition's first truthy value. */
export async function eventually<T>(what: string, condition: () => T | undefined | false, seconds = 60): Promise<T> {
  const end = process.hrtime.bigint() + BigInt(seconds) * 1_000_000_000n;
  for (;;) {
    const value = condition();
    if (value !== undefined && value !== false) return value;
    if (process.hrtime.bigint() > end) throw new Error(`${what}: not so within ${seconds} s`);
    await delay(50);
  }
}

function run(program: string, args: readonly string[], env?: NodeJS.ProcessEnv): Ran {
  const done = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    timeout: 120_000,
    env: env ?? process.env,
  });
  return { status: done.status ?? 128, stdout: done.stdout ?? '', stderr: done.stderr ?? done.error?.message ?? '' };
}

/** The first child of a process. */
export function childOf(pid: number): number | undefined {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
    return children[0] === undefined ? undefined : Number(children[0]);
  } catch {
    return undefined;
  }
}

/** Boot; answers when core answers on its socket. */
export async function startSystem(options: SystemOptions = {}): Promise<System> {
  const state = mkdtempSync('/var/tmp/sysmaster-test.');
  const inSystem = options.root === undefined ? lib : '/usr/lib/sysmaster';
  const place = (path: string) => (path.startsWith('/run/') ? join(state, path) : join(state, 'upper', path));
  mkdirSync(join(state, 'run/sysmaster'), { recursive: true });
  mkdirSync(join(state, 'upper'), { recursive: true });
  for (const [from, to] of Object.entries(options.copy ?? {})) {
    mkdirSync(join(place(to), '..'), { recursive: true });
    cpSync(from, place(to), { recursive: true, verbatimSymlinks: true });
  }
  const conf = [
    `Core=${inSystem}/node --max-semi-space-size=16 --initial-old-space-size=128 --expose-gc ${inSystem}/core.cjs`,
    `Exec=${inSystem}/exec`,
    ...Object.entries(options.coreEnvironment ?? {}).map(([name, value]) => `CoreEnvironment=${name}=${value}`),
    ...(options.initConf ?? []),
  ];
  for (const [path, text] of Object.entries({ ...options.files, '/run/init.conf': `${conf.join('\n')}\n` })) {
    mkdirSync(join(place(path), '..'), { recursive: true });
    writeFileSync(place(path), text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
  }
  const output = openSync(join(state, 'console'), 'a');
  const outer = spawn(
    join(project, 'scripts/namespaces.sh'),
    [state, options.root ?? '-', `${inSystem}/init`, '--config', '/run/init.conf'],
    { stdio: ['ignore', output, output], detached: true, env: { ...process.env, SYSMASTER_LIB: lib } },
  );
  let over: number | undefined;
  outer.on('exit', (status) => {
    over = status ?? 128;
  });
  const socket = join(state, 'run/sysmaster/api.sock');
  const readConsole = () => readFileSync(join(state, 'console'), 'utf8');
  const sctl = (...args: string[]) =>
    run(join(lib, 'node'), [join(lib, 'sctl.mjs'), ...args], {
      PATH: process.env['PATH'],
      SYSMASTER_SOCKET: socket,
      SYSMASTER_LOGS: join(state, 'run/sysmaster/log'),
    });
  const cleanUp = () => {
    outer.kill('SIGKILL');
    const group = existsSync(join(state, 'group')) ? readFileSync(join(state, 'group'), 'utf8').trim() : '';
    if (group !== '') removeGroup(group);
    spawnSync('umount', ['-l', join(state, 'root')], { stdio: 'ignore' });
    rmSync(state, { recursive: true, force: true });
  };
  process.once('exit', () => over === undefined && cleanUp());
  try {
    await eventually('core answers', () => {
      if (over !== undefined) throw new Error(`init ended with ${over}:\n${readConsole()}`);
      return existsSync(socket) && sctl('is-system-running').stdout !== '';
    });
  } catch (error) {
    const said = readConsole();
    cleanUp();
    throw new Error(`the system did not boot; console:\n${said}`, { cause: error });
  }
  const pid = await eventually('PID 1', () => childOf(outer.pid!));
  const enter = (command: readonly string[]) => [
    '-t',
    String(pid),
    '-a',
    '--',
    'env',
    '-i',
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'LANG=C.UTF-8',
    ...command,
  ];
  return {
    run: join(state, 'run'),
    pid,
    sctl,
    inside: (...command) => run('nsenter', enter(command)),
    insideLater: (...command) => spawn('nsenter', enter(command), { stdio: 'ignore' }),
    core: () => coreOf(pid),
    console: readConsole,
    ended: () => over,
    async stop() {
      // What has ended by itself need not be asked, and nobody would answer.
      const asked = over === undefined ? sctl('poweroff') : { status: 0, stderr: '' };
      const ended = await eventually('the system is off', () => over !== undefined, 60).then(
        () => true,
        () => false,
      );
      if (!ended) process.stderr.write(`sctl poweroff: ${asked.status} ${asked.stderr}\n${readConsole()}\n`);
      cleanUp();
      return ended;
    },
  };
}

/** Core is the child of init that runs core.cjs. */
function coreOf(init: number): number | undefined {
  let children: string[];
  try {
    children = readFileSync(`/proc/${init}/task/${init}/children`, 'utf8').trim().split(' ').filter(Boolean);
  } catch {
    return undefined;
  }
  for (const child of children) {
    try {
      if (readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('core.cjs')) return Number(child);
    } catch {
      // It ended meanwhile: not core, then.
    }
  }
  return undefined;
}

/** How often a control group is tried whose last processes are still ending, 50 ms apart. */
const REMOVALS = 40;

/** Remove a control group with all below it; what is busy for long is left and said. May run while this process exits: no waiting for events. */
function removeGroup(path: string): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const found = spawnSync('find', [path, '-depth', '-type', 'd'], { encoding: 'utf8' });
  for (const directory of found.stdout.split('\n').filter(Boolean)) {
    for (let left = REMOVALS; left > 0; left -= 1) {
      try {
        rmdirSync(directory);
        break;
      } catch (error) {
        if (left === 1) process.stderr.write(`${directory}: left behind: ${(error as Error).message}\n`);
        else Atomics.wait(pause, 0, 0, 50);
      }
    }
  }
}
