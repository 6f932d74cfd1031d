/**
 * A live systemd as PID 1 of namespaces of its own, over the machine's root (read-only), with a unit path of the test's
 * choice and no generators. It loads every unit named, keeps all of them loaded, and starts none.
 */
import { spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { eventually, project } from '../integration/support/system.ts';

const program = '/lib/systemd/systemd';
/** The unit that systemd is told to reach: it comes after all others, which keeps them loaded, and wants none of them. */
export const PROBE = 'probe.target';

/** Why none can be booted here; undefined: it can. */
export function liveSystemdMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root: namespaces and control groups need it';
  const version = spawnSync(program, ['--version'], { encoding: 'utf8' });
  if (version.error !== undefined) return `there is no ${program} here; run: apt-get install systemd`;
  if (Number(/^systemd (\d+)/.exec(version.stdout)?.[1]) !== 252)
    return 'the reference is systemd 252, and this is another';
  const probe = spawnSync('unshare', ['--pid', '--mount', '--fork', '--cgroup', '--propagation', 'private', 'true']);
  return probe.status === 0 ? undefined : 'namespaces cannot be made here';
}

/**
 * With a writable /sys it has device units. Its log goes to the console, a terminal of script(1) that keeps all of it;
 * of what goes to the kernel's buffer systemd drops the greater part. It shows its own niceness as that of all units.
 */
const START = `
renice -n 0 -p $$ >/dev/null
mount -o remount,rw /sys
script -qfc 'tty >/run/probe/tty; exec sleep infinity' /run/probe/log </dev/null >/dev/null 2>&1 &
for i in $(seq 500); do [ ! -s /run/probe/tty ] || break; sleep 0.01; done
touch /dev/console
mount --bind "$(cat /run/probe/tty)" /dev/console
exec env "$@"
`;
/** What a terminal is told besides text. */
const ESCAPES = /\x1b(\[[0-9;?]*[A-Za-z]|[78]|\][^\x07]*\x07)/g;

/** Properties of a unit as `systemctl show --all` prints them. */
export type Shown = ReadonlyMap<string, string>;

export interface LiveSystemd {
  /** All loaded units, by their main name. */
  show(): ReadonlyMap<string, Shown>;
  /** A program inside, for instance systemctl. */
  inside(...command: string[]): { readonly status: number; readonly stdout: string; readonly stderr: string };
  /** What it has logged, without the time and the prefix. */
  log(): readonly string[];
  stop(): void;
}

/** The text of the unit {@link PROBE}. */
export function probeText(names: readonly string[]): string {
  return `[Unit]\nDefaultDependencies=no\n${names.map((name) => `After=${name}\n`).join('')}`;
}

/**
 * Boot it on these unit directories (seen at the same paths inside; not below /tmp, /var/tmp or /run) and have it load `names`.
 * `environment` is that of PID 1.
 */
export async function bootSystemd(
  directories: readonly string[],
  names: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<LiveSystemd> {
  const state = fs.mkdtempSync('/var/tmp/sysmaster-peer.');
  fs.mkdirSync(join(state, 'run/probe'), { recursive: true });
  fs.writeFileSync(join(state, 'run/probe', PROBE), probeText(names));
  const words = [
    `SYSTEMD_UNIT_PATH=/run/probe:${directories.join(':')}`,
    'SYSTEMD_GENERATOR_PATH=',
    ...Object.entries(environment).map(([name, value]) => `${name}=${value}`),
  ];
  const output = fs.openSync(join(state, 'console'), 'w');
  const outer = spawn(
    join(project, 'scripts/namespaces.sh'),
    [
      state,
      '-',
      'sh',
      '-c',
      START,
      'sh',
      ...words,
      program,
      '--system',
      `--unit=${PROBE}`,
      '--log-level=info',
      '--log-target=console',
      '--show-status=no',
    ],
    { stdio: ['ignore', output, output], detached: true },
  );
  fs.closeSync(output);
  let ended: number | undefined;
  outer.on('exit', (status) => {
    ended = status ?? 128;
  });
  const stop = () => {
    outer.kill('SIGKILL');
    const group = fs.existsSync(join(state, 'group')) ? fs.readFileSync(join(state, 'group'), 'utf8').trim() : '';
    if (group !== '') removeGroups(group);
    spawnSync('umount', ['-l', join(state, 'root')], { stdio: 'ignore' });
    fs.rmSync(state, { recursive: true, force: true });
  };
  process.once('exit', () => ended === undefined && stop());
  try {
    const pid = await eventually(
      'PID 1',
      () => {
        if (ended !== undefined)
          throw new Error(`systemd ended with ${ended}: ${fs.readFileSync(join(state, 'console'), 'utf8')}`);
        const children = childrenOf(outer.pid ?? 0);
        return children.length === 1 && fs.readFileSync(`/proc/${children[0]}/comm`, 'utf8').trim() === 'systemd'
          ? children[0]
          : undefined;
      },
      20,
    );
    const inside = (...command: string[]) => {
      const done = spawnSync(
        'nsenter',
        [
          '-t',
          String(pid),
          '-a',
          'env',
          '-i',
          'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
          'LC_ALL=C.UTF-8',
          'TZ=UTC',
          ...command,
        ],
        { encoding: 'utf8', timeout: 60_000, maxBuffer: 256 << 20 },
      );
      return { status: done.status ?? 128, stdout: done.stdout ?? '', stderr: done.stderr ?? '' };
    };
    await eventually(
      `${PROBE} is reached`,
      () => inside('systemctl', 'is-active', PROBE).stdout.trim() === 'active',
      30,
    );
    return {
      inside,
      show: () => parseShow(inside('systemctl', 'show', '--all', '*').stdout),
      log: () =>
        fs
          .readFileSync(join(state, 'run/probe/log'), 'utf8')
          .split(/\r?\n/)
          .filter((line) => line !== '')
          .map((line) => line.replace(ESCAPES, '')),
      stop,
    };
  } catch (error) {
    stop();
    throw error;
  }
}

/** Blocks of `Key=value` lines; a value may go on over lines that hold no such beginning. */
export function parseShow(text: string): ReadonlyMap<string, Shown> {
  const out = new Map<string, Shown>();
  for (const block of text.split('\n\n')) {
    const properties = new Map<string, string>();
    let last = '';
    for (const line of block.split('\n')) {
      const match = /^([A-Za-z0-9]+)=(.*)$/s.exec(line);
      if (match === null) {
        if (last !== '') properties.set(last, `${properties.get(last)}\n${line}`);
        continue;
      }
      last = match[1] ?? '';
      // Some properties are printed once an entry.
      const before = properties.get(last);
      properties.set(last, before === undefined ? (match[2] ?? '') : `${before} ; ${match[2]}`);
    }
    const id = properties.get('Id');
    if (id !== undefined) out.set(id, properties);
  }
  return out;
}

function childrenOf(pid: number): number[] {
  try {
    return fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []; // it is gone: the caller sees that it ended
    throw error;
  }
}

/** Remove a control group with all below it; its last processes may take a moment to end. */
function removeGroups(path: string): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const found = spawnSync('find', [path, '-depth', '-type', 'd'], { encoding: 'utf8' });
  for (const directory of found.stdout.split('\n').filter(Boolean)) {
    for (let left = 40; left > 0; left -= 1) {
      try {
        fs.rmdirSync(directory);
        break;
      } catch (error) {
        if (left === 1) process.stderr.write(`${directory}: left behind: ${(error as Error).message}\n`);
        else Atomics.wait(pause, 0, 0, 50);
      }
    }
  }
}
